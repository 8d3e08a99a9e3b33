/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Sessions: the table of client identifiers, their subscriptions and Wills, and how a session ends.
 *
 * A stored session keeps its subscriptions, in the trie as well: they count as local subscribers
 * (peers go on sending), so that nothing of QoS 1 or 2 is missed while the client is away. */
#include "mqtt/access.h"

#define FIRST_BUCKETS 64u

/* ---- Names ---- */

static const uint8_t *
names_of(const struct mqtt_session *s)
{
    const uint8_t *p = s->names;

    if (s->flags & MQTT_SESSION_LONG_NAMES) {
        memcpy(&p, s->names, sizeof p);
    }
    return p;
}

struct slice
mqtt_session_client_id(const struct mqtt_session *s)
{
    return (struct slice) { names_of(s), s->client_id_n };
}

struct slice
mqtt_session_username(const struct mqtt_session *s)
{
    return (struct slice) { names_of(s) + s->client_id_n, s->username_n };
}

uint64_t
mqtt_session_serial(const struct mqtt_session *s)
{
    uint64_t serial;

    memcpy(&serial, names_of(s) + s->client_id_n + s->username_n, sizeof serial);
    return serial;
}

void
mqtt_session_set_serial(struct mqtt_session *s, uint64_t serial)
{
    memcpy((uint8_t *) names_of(s) + s->client_id_n + s->username_n, &serial, sizeof serial);
}

static size_t
names_size(const struct mqtt_broker *b, size_t client_id_n, size_t username_n)
{
    return client_id_n + username_n + (b->config.is_persistent ? MQTT_SERIAL_SIZE : 0);
}

/* The session has none. */
static void
set_names(struct mqtt_broker *b, struct mqtt_session *s, struct slice client_id,
          struct slice username)
{
    size_t size = names_size(b, client_id.n, username.n);
    uint8_t *p = s->names;

    if (size > MQTT_INLINE_NAMES) {
        p = mem_alloc(size);
        memcpy(s->names, &p, sizeof p);
        s->flags |= MQTT_SESSION_LONG_NAMES;
        b->heap_bytes += size;
    }
    s->client_id_n = (uint16_t) client_id.n;
    s->username_n = (uint16_t) username.n;
    memcpy(p, client_id.p, client_id.n);
    if (username.n) {
        memcpy(p + client_id.n, username.p, username.n);
    }
}

void
mqtt_session_free_names(struct mqtt_broker *b, struct mqtt_session *s)
{
    if (s->flags & MQTT_SESSION_LONG_NAMES) {
        b->heap_bytes -= names_size(b, s->client_id_n, s->username_n);
        mem_free((uint8_t *) names_of(s));
        s->flags &= (uint8_t) ~MQTT_SESSION_LONG_NAMES;
    }
}

/* ---- The table ---- */

static uint32_t *
bucket_of(const struct mqtt_broker *b, struct slice client_id)
{
    return &b->buckets[siphash(&b->config.key, client_id.p, client_id.n) & (b->n_buckets - 1)];
}

uint32_t
mqtt_session_find(const struct mqtt_broker *b, struct slice client_id)
{
    uint32_t idx = b->n_buckets ? *bucket_of(b, client_id) : SLAB_NONE;

    while (idx) {
        const struct mqtt_session *s = mqtt_session_at(b, idx);

        if (s->client_id_n == client_id.n && !memcmp(names_of(s), client_id.p, client_id.n)) {
            return idx;
        }
        idx = s->hash_next;
    }
    return SLAB_NONE;
}

static void
grow_table(struct mqtt_broker *b)
{
    uint32_t n_old = b->n_buckets;
    uint32_t *old = b->buckets;

    b->n_buckets = n_old ? 2 * n_old : FIRST_BUCKETS;
    b->buckets = mem_zalloc_table(b->n_buckets * sizeof *b->buckets);
    for (uint32_t i = 0; i < n_old; i++) {
        uint32_t idx = old[i];

        while (idx) {
            struct mqtt_session *s = mqtt_session_at(b, idx);
            uint32_t next = s->hash_next;
            uint32_t *bucket = bucket_of(b, mqtt_session_client_id(s));

            s->hash_next = *bucket;
            *bucket = idx;
            idx = next;
        }
    }
    mem_free_table(old, n_old * sizeof *old);
}

/* None at the limit of sessions. */
uint32_t
mqtt_session_create(struct mqtt_broker *b, struct slice client_id, struct slice username)
{
    uint32_t idx = slab_alloc(&b->sessions);

    if (idx) {
        struct mqtt_session *s = mqtt_session_at(b, idx);
        uint32_t *bucket;

        if (b->sessions.n > b->n_buckets) {
            grow_table(b);
        }
        set_names(b, s, client_id, username);
        bucket = bucket_of(b, client_id);
        s->hash_next = *bucket;
        *bucket = idx;
        s->next_packet_id = 1;
    }
    return idx;
}

/* A stored session is resumed by a client with this user name. */
void
mqtt_session_rename_user(struct mqtt_broker *b, uint32_t session, struct slice username)
{
    struct mqtt_session *s = mqtt_session_at(b, session);
    struct slice client_id = mqtt_session_client_id(s), old = mqtt_session_username(s);
    uint64_t serial = s->flags & MQTT_SESSION_STORED ? mqtt_session_serial(s) : 0;

    if (old.n == username.n && (!old.n || !memcmp(old.p, username.p, old.n))) {
        return;
    }
    client_id.p = mem_dup(client_id.p, client_id.n);
    mqtt_session_free_names(b, s);
    set_names(b, s, client_id, username);
    if (s->flags & MQTT_SESSION_STORED) {
        mqtt_session_set_serial(s, serial);
    }
    mem_free((uint8_t *) client_id.p);
}

static void
unlink_session(struct mqtt_broker *b, uint32_t session)
{
    struct mqtt_session *s = mqtt_session_at(b, session);
    uint32_t *link = bucket_of(b, mqtt_session_client_id(s));

    while (*link != session) {
        link = &mqtt_session_at(b, *link)->hash_next;
    }
    *link = s->hash_next;
}

enum mqtt_subscribed
mqtt_session_subscribe(struct mqtt_broker *b, uint32_t session, struct slice filter,
                       uint32_t value)
{
    struct mqtt_session *s = mqtt_session_at(b, session);
    struct subtrie_entry entry = { session, value };
    enum subtrie_put_result result;
    struct slice shared = filter;
    uint32_t place;
    bool is_shared;

    if (mqtt_subs_n(s) >= b->config.max_subscriptions && !mqtt_subs_find(b, session, filter)) {
        return MQTT_SUBSCRIBED_LIMIT;
    }
    is_shared = mqtt_share_parse(&shared) == MQTT_SHARE_VALID;
    if (!mqtt_pattern_is_allowed(b, shared)) {
        return MQTT_SUBSCRIBED_PATTERN;
    }
    if (is_shared) {
        result = mqtt_share_put(b, filter, entry, &place);
        place |= MQTT_SUB_SHARED;
    } else {
        result = subtrie_put_place(b->subs, filter, entry, &place);
    }
    mqtt_persist_subscribed(b, s, filter, value);
    if (result == SUBTRIE_REPLACED) {
        return MQTT_SUBSCRIBED_AGAIN;
    }
    mqtt_subs_put(b, s, place);
    mqtt_pattern_ref(b, shared);
    b->n_subscriptions++;
    if (result == SUBTRIE_ADDED_FIRST) {
        mqtt_push_filter_event(b, MQTT_EV_SUBSCRIBE, shared);
    }
    return MQTT_SUBSCRIBED_NEW;
}

static void
leave_filter(struct mqtt_broker *b, uint32_t session, uint32_t place)
{
    struct slice filter = mqtt_subs_filter(b, place), shared = filter;
    enum subtrie_remove_result result;

    if (place & MQTT_SUB_SHARED) {
        mqtt_share_parse(&shared);
        mqtt_pattern_unref(b, shared);
        result = mqtt_share_remove(b, place & ~MQTT_SUB_SHARED, shared, session);
    } else {
        mqtt_pattern_unref(b, shared);
        result = subtrie_remove_place(b->subs, place, session);
    }
    if (result == SUBTRIE_REMOVED_LAST) {
        mqtt_push_filter_event(b, MQTT_EV_UNSUBSCRIBE, shared);
    }
    b->n_subscriptions--;
    mqtt_persist_unsubscribed(b, mqtt_session_at(b, session), filter);
}

bool
mqtt_session_unsubscribe(struct mqtt_broker *b, uint32_t session, struct slice filter)
{
    uint32_t place = mqtt_subs_find(b, session, filter);

    if (!place) {
        return false;
    }
    leave_filter(b, session, place);
    mqtt_subs_remove(b, mqtt_session_at(b, session), place);
    return true;
}

void
mqtt_session_drop_will(struct mqtt_broker *b, uint32_t session)
{
    struct mqtt_session *s = mqtt_session_at(b, session);

    if (s->will) {
        mqtt_persist_no_will(b, s);
        mqtt_msg_unref(s->will->msg);
        mem_free(s->will);
        s->will = NULL;
    }
}

static void
publish_will(struct mqtt_broker *b, uint32_t session, usec_t now)
{
    struct mqtt_session *s = mqtt_session_at(b, session);
    struct mqtt_msg *msg = mqtt_msg_ref(s->will->msg);
    bool is_allowed = mqtt_access_will(b, s, s->will);

    mqtt_session_drop_will(b, session);
    if (!is_allowed) {
        b->stats.acl_denied_in++;
        mqtt_msg_unref(msg);
        return;
    }
    if (msg->expires_at != CLOCK_NEVER) {
        msg->expires_at += now;       /* It was an interval so far. */
    }
    b->stats.wills_sent++;
    mqtt_publish_local(b, msg, 0, session, now);
    mqtt_msg_unref(msg);
}

/* All subscriptions go, then what came through shared ones goes to the other members. */
static void
leave_filters(struct mqtt_broker *b, uint32_t session, usec_t now)
{
    struct mqtt_session *s = mqtt_session_at(b, session);
    uint32_t n = mqtt_subs_n(s), n_heirs = 0;
    uint32_t *heirs = NULL;
    size_t allocated = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t place = mqtt_subs_at(s, i);
        uint32_t group = place & MQTT_SUB_SHARED ? place & ~MQTT_SUB_SHARED : SLAB_NONE;

        if (s->flow && group && mqtt_share_n_members(b, group) > 1) {
            heirs = mem_grow(heirs, &allocated, n_heirs + 1u, sizeof *heirs);
            heirs[n_heirs++] = group;
        }
        leave_filter(b, session, place);
    }
    for (uint32_t i = 0; i < n_heirs; i++) {
        mqtt_share_bequeath(b, session, heirs[i], now);
    }
    mem_free(heirs);
    mqtt_subs_free(b, s);
}

/* The session ceases to exist: subscriptions go, a delayed Will is published (5.0 section
 * 3.1.2.5), what was queued is lost. */
void
mqtt_session_end(struct mqtt_broker *b, uint32_t session, usec_t now)
{
    struct mqtt_session *s = mqtt_session_at(b, session);

    mp_assert(!s->conn);
    leave_filters(b, session, now);
    if (s->will) {
        publish_will(b, session, now);
    }
    mqtt_flow_free(b, s);
    mqtt_persist_ended(b, s);
    if (b->congested == session) {
        b->congested = SLAB_NONE;
    }
    mqtt_stall_session_gone(b, session);
    if (s->flags & MQTT_SESSION_DOOMED) {
        mqtt_doom_forget(b, session);
    }
    wheel_disarm(&b->session_wheel, session);
    unlink_session(b, session);
    mqtt_session_free_names(b, s);
    slab_free(&b->sessions, session);
}

/* When the parted session is to be looked at again. */
void
mqtt_session_arm(struct mqtt_broker *b, uint32_t session)
{
    const struct mqtt_session *s = mqtt_session_at(b, session);
    usec_t parted_at = b->created_at + s->parted_s * CLOCK_SEC;
    usec_t at = CLOCK_NEVER;

    if (s->expiry_s != UINT32_MAX) {
        at = parted_at + s->expiry_s * CLOCK_SEC;
    }
    if (s->will) {
        at = clock_min(at, parted_at + s->will->delay_s * CLOCK_SEC);
    }
    if (at == CLOCK_NEVER) {
        wheel_disarm(&b->session_wheel, session);
    } else {
        wheel_arm(&b->session_wheel, session, at);
    }
}

/* The Network Connection is gone: the session is stored or ends; the Will, if it was not dropped
 * before, is published now or after its delay, whichever of that and the end comes first. */
void
mqtt_session_detach(struct mqtt_broker *b, uint32_t session, usec_t now)
{
    struct mqtt_session *s = mqtt_session_at(b, session);

    s->conn = SLAB_NONE;
    b->n_connected--;
    s->parted_s = (uint32_t) ((now - b->created_at + CLOCK_SEC - 1) / CLOCK_SEC);
    mqtt_hold_release_session(b, session, now);
    mqtt_stall_session_gone(b, session);
    if (!s->expiry_s) {
        mqtt_session_end(b, session, now);
        return;
    }
    mqtt_persist_parted(b, s, now);
    mqtt_flow_park(b, s);
    if (s->will && !s->will->delay_s) {
        publish_will(b, session, now);
    }
    mqtt_session_arm(b, session);
}

void
mqtt_session_expired(struct mqtt_broker *b, uint32_t session, usec_t now)
{
    const struct mqtt_session *s = mqtt_session_at(b, session);
    usec_t parted_at = b->created_at + s->parted_s * CLOCK_SEC;

    if (s->expiry_s != UINT32_MAX && parted_at + s->expiry_s * CLOCK_SEC <= now) {
        b->stats.sessions_expired++;
        mqtt_session_end(b, session, now);
        return;
    }
    if (s->will && parted_at + s->will->delay_s * CLOCK_SEC <= now) {
        publish_will(b, session, now);
    }
    mqtt_session_arm(b, session);
}
