/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Credentials and access rules, as seen from a session. */
#include "mqtt/access.h"

#include "mqtt/acl.h"

/* Takes equally long wherever the first difference is; the length of what we have may show. */
static bool
is_same_secret(struct slice given, const char *wanted)
{
    size_t n = strlen(wanted);
    volatile uint8_t difference = given.n != n;

    for (size_t i = 0; i < given.n; i++) {
        difference |= (uint8_t) (given.p[i] ^ (uint8_t) wanted[n ? i % n : 0]);
    }
    return !difference;
}

static bool
allows_anonymous(const struct mqtt_config *config)
{
    switch (config->anonymous) {
    case MQTT_ANONYMOUS_AUTO: break;
    case MQTT_ANONYMOUS_ALLOWED: return true;
    case MQTT_ANONYMOUS_REFUSED: return false;
    }
    return !config->username && !config->password && !config->asks_auth;
}

uint8_t
mqtt_access_connect(const struct mqtt_broker *b, const struct wire_mqtt_connect *c,
                    bool *must_ask)
{
    const struct mqtt_config *config = &b->config;
    bool user_ok, password_ok;

    *must_ask = false;
    if (!c->has_username && !(c->has_password && config->password)) {
        return allows_anonymous(config) ? 0 : MQTT_REASON_NOT_AUTHORIZED;
    }
    if (config->asks_auth) {
        *must_ask = true;
        return 0;
    }
    if (!config->username && !config->password) {
        /* Nobody can say who that is: no better than anonymous. */
        return config->anonymous == MQTT_ANONYMOUS_REFUSED ? MQTT_REASON_NOT_AUTHORIZED : 0;
    }
    user_ok = !config->username || is_same_secret(c->username, config->username);
    password_ok = !config->password || is_same_secret(c->password, config->password);
    return user_ok && password_ok ? 0 : MQTT_REASON_BAD_CREDENTIALS;
}

/* ---- Rules ---- */

/* 'origin' is where the session's client is, if it is connected. */
static struct mqtt_acl_who
who_is(const struct mqtt_broker *b, const struct mqtt_session *s, struct mqtt_origin *origin)
{
    if (s->conn) {
        *origin = mqtt_conn_origin(b, mqtt_conn_at(b, s->conn));
    }
    return (struct mqtt_acl_who) {
        .username = mqtt_session_username(s),
        .client_id = mqtt_session_client_id(s),
        .origin = s->conn ? origin : NULL,
    };
}

static bool
may(const struct mqtt_broker *b, const struct mqtt_session *s, enum mqtt_acl_access access,
    struct slice topic)
{
    struct mqtt_origin origin;
    struct mqtt_acl_who who;

    if (!b->acl) {
        return true;
    }
    who = who_is(b, s, &origin);
    return mqtt_acl_allows(b->acl, &who, access, topic);
}

bool
mqtt_access_write(const struct mqtt_broker *b, const struct mqtt_session *s, struct slice topic)
{
    return may(b, s, MQTT_ACL_WRITE, topic);
}

bool
mqtt_access_read(const struct mqtt_broker *b, const struct mqtt_session *s, struct slice topic)
{
    return may(b, s, MQTT_ACL_READ, topic);
}

bool
mqtt_access_subscribe(const struct mqtt_broker *b, const struct mqtt_session *s,
                      struct slice filter)
{
    struct mqtt_origin origin;
    struct mqtt_acl_who who;

    if (!b->acl) {
        return true;
    }
    who = who_is(b, s, &origin);
    return mqtt_acl_may_subscribe(b->acl, &who, filter);
}

bool
mqtt_access_will(const struct mqtt_broker *b, const struct mqtt_session *s,
                 const struct mqtt_will *will)
{
    struct mqtt_origin origin;
    struct mqtt_acl_who who = who_is(b, s, &origin);

    who.origin = &will->origin;
    return !mqtt_topic_is_reserved(mqtt_msg_topic(will->msg))
           && (!b->acl || mqtt_acl_allows(b->acl, &who, MQTT_ACL_WRITE,
                                          mqtt_msg_topic(will->msg)));
}

static void
recheck_list(const struct mqtt_broker *b, const struct mqtt_list *list)
{
    for (uint32_t idx = list->head; idx; idx = mqtt_entry_at(b, idx)->next) {
        mqtt_entry_at(b, idx)->flags |= MQTT_ENTRY_RECHECK;
    }
}

void
mqtt_access_recheck(const struct mqtt_broker *b, const struct mqtt_session *s)
{
    if (b->acl && s->flow) {
        for (int q = 0; q < MQTT_N_QUEUES; q++) {
            recheck_list(b, &s->flow->waiting[q]);
        }
        recheck_list(b, &s->flow->sent);
    }
}

bool
mqtt_access_denies_entry(const struct mqtt_broker *b, const struct mqtt_session *s,
                         struct mqtt_entry *e)
{
    if (!(e->flags & MQTT_ENTRY_RECHECK)) {
        return false;
    }
    e->flags &= (uint8_t) ~MQTT_ENTRY_RECHECK;
    return !mqtt_access_read(b, s, mqtt_msg_topic(e->msg));
}

void
mqtt_set_acl(struct mqtt_broker *b, struct mqtt_acl *acl)
{
    mqtt_acl_destroy(b->acl);
    b->acl = acl;
    for (uint32_t i = 0; i < b->n_buckets; i++) {
        for (uint32_t idx = b->buckets[i]; idx; idx = mqtt_session_at(b, idx)->hash_next) {
            mqtt_access_recheck(b, mqtt_session_at(b, idx));
        }
    }
}

void
mqtt_set_output_bytes(struct mqtt_broker *b, uint64_t n)
{
    b->output_bytes = n;
}

bool
mqtt_is_full(const struct mqtt_broker *b)
{
    struct mqtt_memory memory;

    if (!b->config.memory_limit) {
        return false;
    }
    mqtt_memory(b, &memory);
    return memory.bytes + b->output_bytes >= b->config.memory_limit;
}
