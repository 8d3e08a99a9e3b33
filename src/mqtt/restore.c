/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Records to state, at a start: the inverse of persist.c.  Records come in the order of their keys,
 * so that messages and sessions are there before what names them; anything that does not fit means
 * that the store is not what we wrote, and nothing of it is used.  Limits are no reason: what was
 * promised when they were higher is kept, and nothing is added before there is less. */
#include "mqtt/private.h"

#define TORN "a record is damaged"
#define DANGLING "a record names another that is missing"

struct message {
    uint64_t id;
    struct mqtt_msg *msg;             /* With a reference. */
};

struct session {
    uint64_t serial;
    uint32_t idx;
    uint32_t gone_s;                  /* Since it parted. */
};

struct mqtt_restore {                 /* Both in ascending order. */
    struct message *messages;
    struct session *sessions;
    size_t n_messages, allocated_messages;
    size_t n_sessions, allocated_sessions;
};

static struct mqtt_msg *
find_message(const struct mqtt_restore *m, uint64_t id)
{
    size_t low = 0, high = m->n_messages;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (m->messages[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < m->n_messages && m->messages[low].id == id ? m->messages[low].msg : NULL;
}

static const struct session *
find_session(const struct mqtt_restore *m, uint64_t serial)
{
    size_t low = 0, high = m->n_sessions;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (m->sessions[middle].serial < serial) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < m->n_sessions && m->sessions[low].serial == serial ? &m->sessions[low] : NULL;
}

static const char *
restore_message(struct mqtt_broker *b, const struct mqtt_record *r)
{
    struct mqtt_restore *m = b->journal.restore;
    struct mbuf *payload;
    struct mqtt_msg *msg;

    if (!topic_name_is_valid(r->topic) || r->expires < 0 || r->expires > MQTT_MAX_TIME
        || (m->n_messages && m->messages[m->n_messages - 1].id >= r->message)) {
        return TORN;
    }
    payload = mbuf_copy(r->payload.p, r->payload.n);
    msg = mqtt_msg_create(r->topic, r->props, payload);
    mbuf_unref(payload);
    mqtt_msg_account(msg, &b->message_bytes);
    msg->qos = r->qos;
    msg->retain = r->retain;
    msg->stored_id = r->message;
    msg->expires_at = r->expiry == MQTT_EXPIRY_NEVER ? CLOCK_NEVER
                      : r->expiry == MQTT_EXPIRY_AFTER ? r->expires
                      : mqtt_calendar_inverse(b, r->expires);
    m->messages = mem_grow(m->messages, &m->allocated_messages, m->n_messages + 1,
                           sizeof *m->messages);
    m->messages[m->n_messages++] = (struct message) { r->message, msg };
    b->journal.last_message = r->message;
    return NULL;
}

static uint32_t
left_of(uint32_t interval_s, uint32_t gone_s)
{
    return interval_s == UINT32_MAX ? UINT32_MAX : interval_s - MP_MIN(interval_s, gone_s);
}

static const char *
restore_session(struct mqtt_broker *b, const struct mqtt_record *r, usec_t now)
{
    struct mqtt_restore *m = b->journal.restore;
    usec_t calendar = mqtt_calendar(b, now);
    struct session found = { .serial = r->session };
    struct mqtt_session *s;

    if (!r->client_id.n || r->parted_at < 0 || r->parted_at > MQTT_MAX_TIME
        || mqtt_session_find(b, r->client_id)
        || (m->n_sessions && m->sessions[m->n_sessions - 1].serial >= r->session)) {
        return TORN;
    }
    found.idx = mqtt_session_create(b, r->client_id, r->username);
    /* Who was connected when we ended is away since now, because nobody knows better. */
    if (r->parted_at && r->parted_at < calendar) {
        found.gone_s = (uint32_t) MP_MIN((calendar - r->parted_at) / CLOCK_SEC, UINT32_MAX - 1);
    }
    s = mqtt_session_at(b, found.idx);
    s->version = r->version;
    s->flags |= MQTT_SESSION_STORED;
    s->expiry_s = left_of(r->expiry_s, found.gone_s);
    s->parted_s = (uint32_t) ((now - b->created_at + CLOCK_SEC - 1) / CLOCK_SEC);
    mqtt_session_set_serial(s, r->session);
    m->sessions = mem_grow(m->sessions, &m->allocated_sessions, m->n_sessions + 1,
                           sizeof *m->sessions);
    m->sessions[m->n_sessions++] = found;
    b->journal.last_session = r->session;
    return NULL;
}

static const char *
restore_subscription(struct mqtt_broker *b, const struct mqtt_record *r, uint32_t session)
{
    uint32_t max_subscriptions = b->config.max_subscriptions;
    uint32_t max_patterns = b->config.max_patterns;
    struct slice filter = r->topic;

    if (!topic_filter_is_valid(filter) || mqtt_share_parse(&filter) == MQTT_SHARE_INVALID) {
        return TORN;
    }
    b->config.max_subscriptions = b->config.max_patterns = UINT32_MAX;
    mqtt_session_subscribe(b, session, r->topic, r->value);
    b->config.max_subscriptions = max_subscriptions;
    b->config.max_patterns = max_patterns;
    return NULL;
}

static const char *
restore_entry(struct mqtt_broker *b, const struct mqtt_record *r, uint32_t session, usec_t now)
{
    bool is_released = r->flags & MQTT_ENTRY_RELEASED;
    struct mqtt_msg *msg = find_message(b->journal.restore, r->message);
    struct mqtt_entry image = {
        .msg = msg, .seq = r->order, .packet_id = r->packet_id, .qos = r->qos, .flags = r->flags,
    };
    const uint8_t *id = r->sub_ids.p + r->sub_ids.n;

    if (is_released ? r->message || r->qos != 2 || !r->packet_id : !msg) {
        return DANGLING;
    }
    for (; r->sub_ids.n && id > r->sub_ids.p; id -= 4) {
        struct reader n = reader_init(id - 4, 4);

        image.sub_ids = mqtt_sub_ids_add(b, image.sub_ids, reader_u32(&n));
    }
    if (msg) {
        msg->n_stored++;
        mqtt_msg_ref(msg);
    }
    mqtt_flow_restore(b, session, &image, now);
    return NULL;
}

static const char *
restore_retained(struct mqtt_broker *b, const struct mqtt_record *r)
{
    struct mqtt_msg *msg = find_message(b->journal.restore, r->message);
    struct slice topic = msg ? mqtt_msg_topic(msg) : r->topic;

    if (!msg || topic.n != r->topic.n || memcmp(topic.p, r->topic.p, topic.n)) {
        return DANGLING;
    }
    mqtt_retained_put(b->retained, msg);
    msg->n_stored++;
    return NULL;
}

static struct mqtt_origin
read_origin(struct slice bytes)
{
    struct reader r = reader_init(bytes.p, bytes.n);
    struct mqtt_origin origin;
    const uint8_t *addr = reader_bytes(&r, sizeof origin.addr.b), *mac;

    memset(&origin, 0, sizeof origin);
    memcpy(origin.addr.b, addr, sizeof origin.addr.b);
    origin.ingress_port = reader_u32(&r);
    origin.tcp_port = reader_u16(&r);
    origin.vlan = reader_u16(&r);
    mac = reader_bytes(&r, sizeof origin.mac.b);
    memcpy(origin.mac.b, mac, sizeof origin.mac.b);
    return origin;
}

static const char *
restore_will(struct mqtt_broker *b, const struct mqtt_record *r, const struct session *found)
{
    struct mqtt_msg *msg = find_message(b->journal.restore, r->message);
    struct mqtt_session *s = mqtt_session_at(b, found->idx);

    if (!msg || s->will) {
        return DANGLING;
    }
    s->will = mem_zalloc(sizeof *s->will);
    s->will->msg = mqtt_msg_ref(msg);
    s->will->delay_s = left_of(r->delay_s, found->gone_s);
    s->will->origin = read_origin(r->origin);
    msg->n_stored++;
    return NULL;
}

const char *
mqtt_restore(struct mqtt_broker *b, struct slice key, struct slice value, usec_t now)
{
    const struct session *s = NULL;
    struct mqtt_record r;

    if (!b->journal.restore) {
        b->journal.restore = mem_zalloc(sizeof *b->journal.restore);
        b->journal.is_muted = true;
        slab_set_max(&b->sessions, 0);
        mqtt_retained_set_limits(b->retained, UINT32_MAX, UINT64_MAX);
    }
    if (!mqtt_record_decode(key, value, &r)) {
        return TORN;
    }
    if (r.session && r.type != MQTT_RECORD_SESSION) {
        s = find_session(b->journal.restore, r.session);
    }
    if (!s && r.type > MQTT_RECORD_SESSION && r.type != MQTT_RECORD_RETAINED) {
        return DANGLING;
    }
    switch (r.type) {
    case MQTT_RECORD_CLOCK:
        return mqtt_calendar_restore(b, r.correction, r.noted_at, now) ? NULL : TORN;
    case MQTT_RECORD_MESSAGE: return restore_message(b, &r);
    case MQTT_RECORD_SESSION: return restore_session(b, &r, now);
    case MQTT_RECORD_SUBSCRIPTION: return restore_subscription(b, &r, s->idx);
    case MQTT_RECORD_INBOUND:
        mqtt_inbound_restore(b, mqtt_session_at(b, s->idx), r.packet_id, now);
        return NULL;
    case MQTT_RECORD_OUTBOUND: return restore_entry(b, &r, s->idx, now);
    case MQTT_RECORD_RETAINED: return restore_retained(b, &r);
    case MQTT_RECORD_WILL: return restore_will(b, &r, s);
    }
    return TORN;
}

static void
restore_free(struct mqtt_restore *m)
{
    if (m) {
        mem_free(m->messages);
        mem_free(m->sessions);
        mem_free(m);
    }
}

void
mqtt_restored(struct mqtt_broker *b, usec_t now)
{
    struct mqtt_restore *m = b->journal.restore;

    if (!m) {
        return;
    }
    b->journal.is_muted = false;
    b->journal.restore = NULL;
    slab_set_max(&b->sessions, b->config.max_sessions);
    mqtt_retained_set_limits(b->retained, b->config.max_retained, b->config.max_retained_bytes);
    for (size_t i = 0; i < m->n_messages; i++) {
        if (!m->messages[i].msg->n_stored) {
            mqtt_persist_orphan(b, m->messages[i].msg);
        }
        mqtt_msg_unref(m->messages[i].msg);
    }
    for (size_t i = 0; i < m->n_sessions; i++) {
        if (mqtt_session_at(b, m->sessions[i].idx)->expiry_s) {
            mqtt_session_arm(b, m->sessions[i].idx);
        } else {
            mqtt_session_end(b, m->sessions[i].idx, now);
        }
    }
    restore_free(m);
}

/* What a restore that was given up leaves. */
void
mqtt_restore_abandon(struct mqtt_broker *b)
{
    struct mqtt_restore *m = b->journal.restore;

    for (size_t i = 0; m && i < m->n_messages; i++) {
        mqtt_msg_unref(m->messages[i].msg);
    }
    restore_free(m);
    b->journal.restore = NULL;
}
