/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The broker as an object: configuration, creation, time, destruction.  What it does is in the
 * files named in private.h. */
#include "mqtt/broker.h"

#include "mqtt/acl.h"
#include "mqtt/private.h"
#include "mqtt/sys.h"
#include "topic/sublist.h"

STATS_DEFINE(mqtt, MQTT_STATS)

#define CONN_TICK_US (100 * CLOCK_MSEC)
#define SESSION_TICK_US CLOCK_SEC

/* In one run, of connections and of sessions: where very many were silent, or fell silent, at the
 * same time, the next run, at once, goes on, and what others send comes in between. */
#define MAX_EXPIRED 512

void
mqtt_config_default(struct mqtt_config *config)
{
    *config = (struct mqtt_config) {
        .max_connections = 100000,
        .max_packet_size = 1024 * 1024,
        .max_topic_levels = TOPIC_MAX_LEVELS,
        .max_subscriptions = 10000,
        .max_patterns = 256,
        .max_retained = 100000,
        .max_retained_bytes = 64 * 1024 * 1024,
        .max_queued_messages = 10000,
        .max_queued_bytes = 1024 * 1024,
        .max_sessions = 200000,
        .max_inflight = 100,
        .max_qos = 2,
        .max_topic_alias = 16,
        .max_keep_alive_s = 0,
        .connect_timeout_us = 10 * CLOCK_SEC,
        .session_expiry_us = 7 * 24 * 3600 * CLOCK_SEC,
        .hold_us = 2 * CLOCK_SEC,
        .memory_limit = 1024 * 1024 * 1024,
        .max_journal_bytes = 64 * 1024 * 1024,
        .work_per_turn = 20000,       /* Of 50 to 200 ns each. */
    };
}

struct mqtt_broker *
mqtt_create(const struct mqtt_config *config, usec_t now)
{
    struct mqtt_broker *b = mem_zalloc(sizeof *b);

    b->config = *config;
    b->config.username = config->username ? mem_strdup(config->username) : NULL;
    b->config.password = config->password ? mem_strdup(config->password) : NULL;
    b->config.max_topic_levels = MP_MIN(config->max_topic_levels, MQTT_MAX_LEVELS);
    b->config.max_inflight = MP_MAX(config->max_inflight, 1);
    b->config.max_qos = MP_MIN(config->max_qos, 2);
    b->created_at = now;
    b->worked_at = now - 1;           /* So that the first turn is one. */
    b->journal.batch = 1;
    b->sys = config->sys_interval_us ? mqtt_sys_create(config->version, now) : NULL;
    slab_init(&b->conns, sizeof(struct mqtt_conn), config->max_connections);
    slab_init(&b->sessions, sizeof(struct mqtt_session), config->max_sessions);
    slab_init(&b->entries, sizeof(struct mqtt_entry), 0);
    slab_init(&b->sub_ids, sizeof(struct mqtt_sub_id), 0);
    slab_init(&b->holds, sizeof(struct mqtt_hold), 0);
    slab_init(&b->v5s, mqtt_v5_size, 0);
    slab_init(&b->v6s, sizeof(struct ip_addr), 0);
    wheel_init(&b->conn_wheel, &b->conns, offsetof(struct mqtt_conn, timer),
               offsetof(struct mqtt_conn, timer_due), CONN_TICK_US, now);
    wheel_init(&b->session_wheel, &b->sessions, offsetof(struct mqtt_session, timer),
               offsetof(struct mqtt_session, timer_due), SESSION_TICK_US, now);
    slab_init(&b->groups, mqtt_group_size, 0);
    b->patterns = mem_zalloc(sizeof *b->patterns);
    b->subs = subtrie_create(&b->config.key);
    b->shares = subtrie_create(&b->config.key);
    b->retained = mqtt_retained_create(&b->config.key, config->max_retained,
                                       config->max_retained_bytes);
    return b;
}

/* Forgets a session without telling anybody. */
static void
forget_session(struct mqtt_broker *b, uint32_t session)
{
    struct mqtt_session *s = mqtt_session_at(b, session);

    mqtt_session_drop_will(b, session);
    mqtt_flow_free(b, s);
    mqtt_subs_free(b, s);
    mqtt_session_free_names(b, s);
}

void
mqtt_destroy(struct mqtt_broker *b)
{
    if (!b) {
        return;
    }
    b->journal.is_muted = true;
    mqtt_restore_abandon(b);
    for (uint32_t i = 0; i < b->n_generations; i++) {
        if (b->generations[i]) {
            mqtt_conn_free(b, i);
        }
    }
    for (uint32_t i = 0; i < b->n_buckets; i++) {
        for (uint32_t idx = b->buckets[i]; idx; idx = mqtt_session_at(b, idx)->hash_next) {
            forget_session(b, idx);
        }
    }
    mqtt_queues_uninit(b);
    mqtt_persist_uninit(b);
    mqtt_sys_destroy(b->sys);
    mqtt_acl_destroy(b->acl);
    mqtt_retained_destroy(b->retained);
    subtrie_set_uninit(&b->matches);
    mqtt_share_free_all(b);
    sublist_uninit(b->patterns);
    mem_free(b->patterns);
    subtrie_destroy(b->shares);
    subtrie_destroy(b->subs);
    slab_uninit(&b->groups);
    mem_free(b->props);
    slab_uninit(&b->conns);
    slab_uninit(&b->sessions);
    slab_uninit(&b->entries);
    slab_uninit(&b->sub_ids);
    slab_uninit(&b->holds);
    slab_uninit(&b->v5s);
    slab_uninit(&b->v6s);
    mem_free(b->doomed);
    mem_free_table(b->generations, b->n_generations * sizeof *b->generations);
    mem_free_table(b->buckets, b->n_buckets * sizeof *b->buckets);
    mem_free((char *) b->config.username);
    mem_free((char *) b->config.password);
    mem_free(b);
}

void
mqtt_shutdown(struct mqtt_broker *b, usec_t now)
{
    for (uint32_t i = 0; i < b->n_generations; i++) {
        if (b->generations[i]) {
            uint32_t session = mqtt_conn_at(b, i)->session;
            const struct mqtt_session *s = session ? mqtt_session_at(b, session) : NULL;

            if (s && s->will && !(s->expiry_s && s->will->delay_s)) {
                mqtt_session_drop_will(b, session);
            }
            mqtt_conn_end(b, i, MQTT_END_CLOSE, MQTT_REASON_SHUTTING_DOWN, now);
        }
    }
}

void
mqtt_run(struct mqtt_broker *b, usec_t now)
{
    uint32_t idx;

    mqtt_hold_expire(b, now);
    mqtt_stall_run(b, now);
    mqtt_subscribing_run(b, now);
    for (int n = 0; n < MAX_EXPIRED && (idx = wheel_next_expired(&b->conn_wheel, now)); n++) {
        mqtt_conn_expired(b, idx, now);
    }
    for (int n = 0; n < MAX_EXPIRED && (idx = wheel_next_expired(&b->session_wheel, now)); n++) {
        mqtt_session_expired(b, idx, now);
    }
    mqtt_sys_run(b, now);
    mqtt_doom_run(b, now);
}

usec_t
mqtt_deadline(const struct mqtt_broker *b)
{
    usec_t wheels_at = clock_min(wheel_deadline(&b->conn_wheel), wheel_deadline(&b->session_wheel));

    usec_t waits_at = clock_min(mqtt_hold_deadline(b), mqtt_stall_deadline(b));

    return clock_min(clock_min(waits_at, mqtt_sys_deadline(b)), wheels_at);
}
