/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Sessions: the table of client identifiers, their subscriptions and Wills, and how a session ends.
 *
 * A stored session keeps its subscriptions, in the trie as well: they count as local subscribers
 * (peers go on sending), so that nothing of QoS 1 or 2 is missed while the client is away. */
#include "mqtt/access.h"

#define FIRST_BUCKETS 64u
#define FIRST_SUBS 24u

static uint32_t *
bucket_of(const struct mqtt_broker *b, struct slice client_id)
{
    return &b->buckets[siphash(&b->config.key, client_id.p, client_id.n) & (b->n_buckets - 1)];
}

struct slice
mqtt_session_client_id(const struct mqtt_session *s)
{
    return (struct slice) { s->names->bytes, s->names->client_id_n };
}

uint32_t
mqtt_session_find(const struct mqtt_broker *b, struct slice client_id)
{
    uint32_t idx = b->n_buckets ? *bucket_of(b, client_id) : SLAB_NONE;

    while (idx) {
        const struct mqtt_session *s = mqtt_session_at(b, idx);

        if (s->names->client_id_n == client_id.n
            && !memcmp(s->names->bytes, client_id.p, client_id.n)) {
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

static size_t
names_size(const struct mqtt_broker *b, size_t client_id_n, size_t username_n)
{
    return sizeof(struct mqtt_names) + client_id_n + username_n
           + (b->config.is_persistent ? MQTT_SERIAL_SIZE : 0);
}

static void
set_names(struct mqtt_broker *b, struct mqtt_session *s, struct slice client_id,
          struct slice username)
{
    size_t size = names_size(b, client_id.n, username.n);
    struct mqtt_names *names = mem_alloc(size);

    names->client_id_n = (uint16_t) client_id.n;
    names->username_n = (uint16_t) username.n;
    memcpy(names->bytes, client_id.p, client_id.n);
    if (username.n) {
        memcpy(names->bytes + client_id.n, username.p, username.n);
    }
    s->names = names;
    b->heap_bytes += size;
}

static void
free_names(struct mqtt_broker *b, struct mqtt_names *names)
{
    b->heap_bytes -= names_size(b, names->client_id_n, names->username_n);
    mem_free(names);
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
    struct mqtt_names *old = s->names;

    set_names(b, s, (struct slice) { old->bytes, old->client_id_n }, username);
    if (s->flags & MQTT_SESSION_STORED) {
        mqtt_names_set_serial(s->names, mqtt_names_serial(old));
    }
    free_names(b, old);
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

bool
mqtt_subs_next(const struct mqtt_subs *subs, uint32_t *pos, struct slice *filter)
{
    uint32_t n;

    if (!subs || *pos >= subs->size) {
        return false;
    }
    n = (uint32_t) subs->bytes[*pos] << 8 | subs->bytes[*pos + 1];
    *filter = (struct slice) { subs->bytes + *pos + 2, n };
    *pos += 2 + n;
    return true;
}

static void
append_filter(struct mqtt_broker *b, struct mqtt_session *s, struct slice filter)
{
    uint32_t used = s->subs ? s->subs->size : 0;
    uint32_t allocated = s->subs ? s->subs->allocated : 0;
    uint32_t need = used + 2 + filter.n;

    if (need > allocated) {
        uint32_t new = MP_MAX(MP_MAX(FIRST_SUBS, allocated + allocated / 2), need);

        b->heap_bytes += new - allocated + (s->subs ? 0 : sizeof *s->subs);
        s->subs = mem_realloc(s->subs, sizeof *s->subs + new);
        s->subs->allocated = new;
        if (!used) {
            s->subs->n = s->subs->size = 0;
        }
    }
    s->subs->bytes[used] = (uint8_t) (filter.n >> 8);
    s->subs->bytes[used + 1] = (uint8_t) filter.n;
    memcpy(s->subs->bytes + used + 2, filter.p, filter.n);
    s->subs->size = need;
    s->subs->n++;
}

static void
free_subs(struct mqtt_broker *b, struct mqtt_session *s)
{
    if (s->subs) {
        b->heap_bytes -= sizeof *s->subs + s->subs->allocated;
        mem_free(s->subs);
        s->subs = NULL;
    }
}

static void
remove_filter(struct mqtt_broker *b, struct mqtt_session *s, struct slice filter)
{
    struct mqtt_subs *subs = s->subs;
    uint32_t pos = 0, start = 0;
    struct slice found;

    while (mqtt_subs_next(subs, &pos, &found)) {
        if (found.n == filter.n && !memcmp(found.p, filter.p, filter.n)) {
            memmove(subs->bytes + start, subs->bytes + pos, subs->size - pos);
            subs->size -= pos - start;
            subs->n--;
            break;
        }
        start = pos;
    }
    if (subs && !subs->n) {
        free_subs(b, s);
    }
}

/* The value of a subscription; false if there is none. */
bool
mqtt_session_subscription(const struct mqtt_broker *b, uint32_t session, struct slice filter,
                          uint32_t *value)
{
    const struct subtrie_entry *e;
    struct slice shared = filter;

    if (mqtt_share_parse(&shared) == MQTT_SHARE_VALID) {
        return mqtt_share_find(b, filter, session, value);
    }
    e = subtrie_find(b->subs, filter, session);
    if (e) {
        *value = e->value;
    }
    return e;
}

enum mqtt_subscribed
mqtt_session_subscribe(struct mqtt_broker *b, uint32_t session, struct slice filter,
                       uint32_t value)
{
    struct mqtt_session *s = mqtt_session_at(b, session);
    enum subtrie_put_result result;
    struct slice shared = filter;
    uint32_t old;

    if (s->subs && s->subs->n >= b->config.max_subscriptions
        && !mqtt_session_subscription(b, session, filter, &old)) {
        return MQTT_SUBSCRIBED_LIMIT;
    }
    result = mqtt_share_parse(&shared) == MQTT_SHARE_VALID
             ? mqtt_share_put(b, filter, session, value)
             : subtrie_put(b->subs, filter, session, value);
    mqtt_persist_subscribed(b, s, filter, value);
    if (result == SUBTRIE_REPLACED) {
        return MQTT_SUBSCRIBED_AGAIN;
    }
    append_filter(b, s, filter);
    b->n_subscriptions++;
    if (result == SUBTRIE_ADDED_FIRST) {
        mqtt_push_filter_event(b, MQTT_EV_SUBSCRIBE, shared);
    }
    return MQTT_SUBSCRIBED_NEW;
}

static void
leave_filter(struct mqtt_broker *b, uint32_t session, struct slice filter)
{
    struct slice shared = filter;
    enum subtrie_remove_result result = mqtt_share_parse(&shared) == MQTT_SHARE_VALID
                                        ? mqtt_share_remove(b, filter, session)
                                        : subtrie_remove(b->subs, filter, session);

    if (result == SUBTRIE_REMOVED_LAST) {
        mqtt_push_filter_event(b, MQTT_EV_UNSUBSCRIBE, shared);
    }
    b->n_subscriptions--;
    mqtt_persist_unsubscribed(b, mqtt_session_at(b, session), filter);
}

bool
mqtt_session_unsubscribe(struct mqtt_broker *b, uint32_t session, struct slice filter)
{
    uint32_t value;

    if (!mqtt_session_subscription(b, session, filter, &value)) {
        return false;
    }
    leave_filter(b, session, filter);
    remove_filter(b, mqtt_session_at(b, session), filter);
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

/* The session ceases to exist: subscriptions go, a delayed Will is published (5.0 section
 * 3.1.2.5), what was queued is lost. */
void
mqtt_session_end(struct mqtt_broker *b, uint32_t session, usec_t now)
{
    struct mqtt_session *s = mqtt_session_at(b, session);
    struct slice filter;
    uint32_t pos = 0;

    mp_assert(!s->conn);
    while (mqtt_subs_next(s->subs, &pos, &filter)) {
        leave_filter(b, session, filter);
    }
    for (pos = 0; s->flow && mqtt_subs_next(s->subs, &pos, &filter); ) {
        mqtt_share_bequeath(b, session, filter, now);
    }
    free_subs(b, s);
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
    free_names(b, s->names);
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
