/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* CONNECT: decode, judge, then apply, then answer.  Nothing of a client that is refused stays. */
#include "mqtt/private.h"

#define NO_PROPS ((struct slice) { NULL, 0 })

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

/* 0, or the enum mqtt_reason for the refusal. */
static uint8_t
check_credentials(const struct mqtt_config *config, const struct wire_mqtt_connect *c)
{
    bool user_ok, password_ok;

    if (!config->username && !config->password) {
        return 0;
    }
    if (!c->has_username && !c->has_password) {
        return MQTT_REASON_NOT_AUTHORIZED;
    }
    user_ok = !config->username || is_same_secret(c->username, config->username);
    password_ok = !config->password || is_same_secret(c->password, config->password);
    return user_ok && password_ok ? 0 : MQTT_REASON_BAD_CREDENTIALS;
}

/* 0, or why there is no CONNACK at all: strings that are none [MQTT-1.5.4-1]. */
static uint8_t
check_strings(const struct mqtt_config *config, const struct wire_mqtt_connect *c)
{
    if (!topic_utf8_is_valid(c->client_id)
        || (c->has_username && !topic_utf8_is_valid(c->username))) {
        return MQTT_REASON_MALFORMED;
    }
    if (c->has_will && (!topic_name_is_valid(c->will_topic)
                        || topic_n_levels(c->will_topic) > config->max_topic_levels)) {
        return MQTT_REASON_MALFORMED;
    }
    return 0;
}

/* The CONNACK return code of 3.1.1 for a reason. */
static uint8_t
return_code_of(uint8_t reason)
{
    switch (reason) {
    case 0: return MQTT_RETURN_ACCEPTED;
    case MQTT_REASON_BAD_VERSION: return MQTT_RETURN_BAD_VERSION;
    case MQTT_REASON_BAD_CLIENT_ID: return MQTT_RETURN_BAD_CLIENT_ID;
    case MQTT_REASON_BAD_CREDENTIALS: return MQTT_RETURN_BAD_CREDENTIALS;
    case MQTT_REASON_NOT_AUTHORIZED: return MQTT_RETURN_NOT_AUTHORIZED;
    default: return MQTT_RETURN_UNAVAILABLE;
    }
}

/* [MQTT-3.2.2-4], [MQTT-3.2.2-5]: a CONNACK with a code and no session, then the end. */
static void
refuse(struct mqtt_broker *b, uint32_t conn, uint8_t version, uint8_t reason, usec_t now)
{
    struct writer w = mqtt_ctl_begin(b, conn, 8);

    wire_mqtt_put_connack(&w, version, false,
                          version == MQTT_V50 ? reason : return_code_of(reason), NO_PROPS);
    mqtt_ctl_end(b, conn, &w);
    b->stats.connects_refused++;
    mqtt_conn_end(b, conn, MQTT_END_CLOSE, 0, now);
}

#define ASSIGNED_PREFIX "auto-"
#define ASSIGNED_SIZE (sizeof ASSIGNED_PREFIX - 1 + 16)

/* [MQTT-3.1.3-6]: a client identifier for a client that has none; nobody can guess it. */
static struct slice
assign_client_id(struct mqtt_broker *b, uint8_t id[ASSIGNED_SIZE])
{
    struct slice client_id = { id, ASSIGNED_SIZE };

    do {
        uint64_t n = ++b->n_assigned_ids;
        uint64_t hash = siphash(&b->config.key, &n, sizeof n);

        memcpy(id, ASSIGNED_PREFIX, sizeof ASSIGNED_PREFIX - 1);
        for (int i = 0; i < 16; i++) {
            id[sizeof ASSIGNED_PREFIX - 1 + i] = (uint8_t) "0123456789abcdef"[hash >> 60];
            hash <<= 4;
        }
    } while (mqtt_session_find(b, client_id));
    return client_id;
}

static struct mqtt_will *
make_will(const struct wire_mqtt_connect *c)
{
    struct mqtt_will *will = mem_zalloc(sizeof *will);
    struct mbuf *payload = mbuf_copy(c->will_payload.p, c->will_payload.n);

    will->msg = mqtt_msg_create(c->will_topic, NO_PROPS, payload);
    will->msg->qos = c->will_qos;
    will->msg->retain = c->will_retain;
    mbuf_unref(payload);
    return will;
}

/* Seconds for which the session outlives its connection; UINT32_MAX: for ever. */
static uint32_t
expiry_of(const struct mqtt_config *config, const struct wire_mqtt_connect *c)
{
    if (c->clean) {
        return 0;
    }
    if (config->session_expiry_us >= UINT32_MAX * CLOCK_SEC) {
        return UINT32_MAX;
    }
    return (uint32_t) ((config->session_expiry_us + CLOCK_SEC - 1) / CLOCK_SEC);
}

/* The session of a client identifier, with its old connection ended and, for a clean session, its
 * old contents gone; none at the limit.  '*is_present': it was stored. */
static uint32_t
open_session(struct mqtt_broker *b, const struct wire_mqtt_connect *c, bool *is_present,
             usec_t now)
{
    uint32_t session = mqtt_session_find(b, c->client_id);

    if (session && mqtt_session_at(b, session)->conn) {
        /* [MQTT-3.1.4-2] */
        mqtt_conn_end(b, mqtt_session_at(b, session)->conn, MQTT_END_CLOSE,
                      MQTT_REASON_TAKEN_OVER, now);
        session = mqtt_session_find(b, c->client_id);
    }
    if (session && c->clean) {
        mqtt_session_end(b, session, now);          /* [MQTT-3.1.2-6] */
        session = SLAB_NONE;
    }
    *is_present = session;
    if (session) {
        mqtt_session_rename_user(b, session, c->username);
        mqtt_session_drop_will(b, session);
        wheel_disarm(&b->session_wheel, session);
    } else {
        session = mqtt_session_create(b, c->client_id, c->username);
    }
    return session;
}

/* In force; 0: none. */
static uint16_t
keep_alive_of(const struct mqtt_config *config, const struct wire_mqtt_connect *c)
{
    uint16_t max = config->max_keep_alive_s;

    return max && (!c->keep_alive_s || c->keep_alive_s > max) ? max : c->keep_alive_s;
}

static void
accept_client(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_connect *connect,
              usec_t now)
{
    bool is_present = false;
    uint32_t session = open_session(b, connect, &is_present, now);
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct mqtt_session *s;
    struct writer w;

    if (!session) {
        b->stats.limit_refused++;
        refuse(b, conn, connect->version, MQTT_REASON_UNAVAILABLE, now);
        return;
    }
    s = mqtt_session_at(b, session);
    s->conn = conn;
    s->version = connect->version;
    s->flags = connect->clean ? MQTT_SESSION_CLEAN : 0;
    s->expiry_s = expiry_of(&b->config, connect);
    s->will = connect->has_will ? make_will(connect) : NULL;

    c->session = session;
    c->state = MQTT_CONN_UP;
    c->version = connect->version;
    c->keep_alive_s = keep_alive_of(&b->config, connect);
    mqtt_conn_arm_keep_alive(b, conn, now);
    b->stats.connects_accepted++;

    w = mqtt_ctl_begin(b, conn, 8);
    /* 3.1 has no Session Present. */
    wire_mqtt_put_connack(&w, c->version, is_present && c->version != MQTT_V31,
                          MQTT_RETURN_ACCEPTED, NO_PROPS);
    mqtt_ctl_end(b, conn, &w);
    mqtt_flow_resume(b, s);
}

uint8_t
mqtt_handle_connect(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
                    usec_t now)
{
    struct wire_mqtt_connect c;
    enum wire_mqtt_result result = wire_mqtt_decode_connect(frame, &c);
    uint8_t assigned[ASSIGNED_SIZE];
    uint8_t reason;

    if (result == WIRE_MQTT_BAD_VERSION || (result == WIRE_MQTT_DONE && c.version == MQTT_V50)) {
        /* [MQTT-3.1.2-2]; whoever is newer than 3.1.1 understands the form of 5.0. */
        refuse(b, conn, c.version >= MQTT_V50 ? MQTT_V50 : MQTT_V311, MQTT_REASON_BAD_VERSION,
               now);
        return 0;
    }
    reason = result == WIRE_MQTT_DONE ? check_strings(&b->config, &c) : mqtt_reason_of(result);
    if (reason) {
        return reason;
    }
    if (!c.client_id.n) {
        /* [MQTT-3.1.3-8]; 3.1 wants 1 to 23 characters. */
        if (c.version == MQTT_V31 || (c.version == MQTT_V311 && !c.clean)) {
            refuse(b, conn, c.version, MQTT_REASON_BAD_CLIENT_ID, now);
            return 0;
        }
        c.client_id = assign_client_id(b, assigned);
    }
    reason = check_credentials(&b->config, &c);
    if (reason) {
        refuse(b, conn, c.version, reason, now);
        return 0;
    }
    accept_client(b, conn, &c, now);
    return 0;
}

/* [MQTT-3.14.4-3]: no Will. */
uint8_t
mqtt_handle_disconnect(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
                       usec_t now)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct wire_mqtt_disconnect d;
    enum wire_mqtt_result result = wire_mqtt_decode_disconnect(frame, c->version, &d);

    if (result != WIRE_MQTT_DONE) {
        return mqtt_reason_of(result);
    }
    mqtt_session_drop_will(b, c->session);
    mqtt_conn_end(b, conn, MQTT_END_CLOSE, 0, now);
    return 0;
}
