/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What an operator may see: sessions, subscriptions, memory, counters.  Changes nothing. */
#include "mqtt/private.h"
#include "topic/sublist.h"

static uint32_t
first_from_bucket(const struct mqtt_broker *b, uint64_t bucket)
{
    while (bucket < b->n_buckets && !b->buckets[bucket]) {
        bucket++;
    }
    return bucket < b->n_buckets ? b->buckets[bucket] : SLAB_NONE;
}

/* The session after 'idx' in the order of the table. */
static uint32_t
next_session(const struct mqtt_broker *b, uint32_t idx)
{
    const struct mqtt_session *s;
    struct slice client_id;

    if (!idx) {
        return first_from_bucket(b, 0);
    }
    s = mqtt_session_at(b, idx);
    if (s->hash_next) {
        return s->hash_next;
    }
    client_id = mqtt_session_client_id(s);
    return first_from_bucket(b, (siphash(&b->config.key, client_id.p, client_id.n)
                                 & (b->n_buckets - 1)) + 1);
}

bool
mqtt_walk_sessions(const struct mqtt_broker *b, uint32_t *pos, struct mqtt_session_info *info)
{
    const struct mqtt_session *s;

    *pos = next_session(b, *pos);
    if (!*pos) {
        return false;
    }
    s = mqtt_session_at(b, *pos);
    *info = (struct mqtt_session_info) {
        .client_id = mqtt_session_client_id(s),
        .username = mqtt_session_username(s),
        .protocol = s->version,
        .clean = s->flags & MQTT_SESSION_CLEAN,
        .n_subscriptions = mqtt_subs_n(s),
        .n_queued = mqtt_flow_n_waiting(s->flow),
        .queued_bytes = s->flow ? s->flow->bytes : 0,
        .n_inflight = s->flow ? s->flow->sent.n : 0,
        .publishes_in = mqtt_session_counted(s, MQTT_COUNT_IN),
        .publishes_out = mqtt_session_counted(s, MQTT_COUNT_OUT),
        .dropped = mqtt_session_counted(s, MQTT_COUNT_DROPPED),
    };
    if (s->conn) {
        const struct mqtt_conn *c = mqtt_conn_at(b, s->conn);

        info->conn = mqtt_conn_id(b, s->conn);
        info->origin = mqtt_conn_origin(b, c);
        info->keep_alive_s = c->keep_alive_s;
    }
    return true;
}

bool
mqtt_walk_subscriptions(const struct mqtt_broker *b, uint32_t session_pos, uint32_t *pos,
                        struct mqtt_subscription_info *info)
{
    const struct mqtt_session *s = mqtt_session_at(b, session_pos);
    uint32_t place;

    if (*pos >= mqtt_subs_n(s)) {
        return false;
    }
    place = mqtt_subs_at(s, (*pos)++);
    info->filter = mqtt_subs_filter(b, place);
    info->client_id = mqtt_session_client_id(s);
    info->qos = (uint8_t) (mqtt_subs_value(b, session_pos, place) & MQTT_SUB_QOS);
    return true;
}

bool
mqtt_walk_filters(const struct mqtt_broker *b, struct subtrie_walk *walk, struct slice *filter)
{
    uint32_t n_subscribers;

    return subtrie_walk_next(b->subs, walk, filter, &n_subscribers);
}

void
mqtt_memory(const struct mqtt_broker *b, struct mqtt_memory *memory)
{
    uint64_t retained = mqtt_retained_bytes(b->retained);

    *memory = (struct mqtt_memory) {
        .n_connections = b->conns.n,
        .n_sessions = b->sessions.n,
        .n_subscriptions = b->n_subscriptions,
        .n_retained = mqtt_retained_n(b->retained),
        .bytes = sizeof *b + slab_used(&b->conns) + slab_used(&b->sessions)
                 + slab_used(&b->entries) + slab_used(&b->sub_ids) + slab_used(&b->holds)
                 + slab_used(&b->v5s) + slab_used(&b->v6s)
                 + b->n_generations * sizeof *b->generations
                 + b->n_buckets * sizeof *b->buckets + b->heap_bytes + subtrie_bytes(b->subs)
                 + subtrie_bytes(b->shares) + slab_used(&b->groups)
                 + sublist_bytes(b->patterns) + b->allocated_props
                 + b->journal.n + b->journal.underway
                 + mqtt_retained_memory(b->retained)
                 + b->allocated_events * sizeof *b->events
                 + b->allocated_ready * sizeof *b->ready + b->framer_bytes
                 + b->ctl_bytes,
    };
    /* Retained messages are counted with their tree. */
    if (b->message_bytes > retained) {
        memory->bytes += b->message_bytes - retained;
    }
}

static uint64_t
beyond(uint64_t n, uint64_t limit)
{
    return n > limit ? n - limit : 0;
}

bool
mqtt_is_over_limits(const struct mqtt_broker *b, struct mqtt_excess *excess)
{
    const struct mqtt_config *limits = &b->config;
    struct mqtt_session_info info;
    uint32_t pos = 0;

    *excess = (struct mqtt_excess) {
        .n_sessions = (uint32_t) beyond(b->sessions.n, limits->max_sessions),
        .n_retained = (uint32_t) beyond(mqtt_retained_n(b->retained), limits->max_retained),
        .retained_bytes = beyond(mqtt_retained_bytes(b->retained), limits->max_retained_bytes),
    };
    while (mqtt_walk_sessions(b, &pos, &info)) {
        excess->n_crowded += info.n_subscriptions > limits->max_subscriptions;
    }
    return excess->n_sessions || excess->n_retained || excess->n_crowded
           || excess->retained_bytes;
}

const struct mqtt_stats *
mqtt_stats(const struct mqtt_broker *b)
{
    return &b->stats;
}
