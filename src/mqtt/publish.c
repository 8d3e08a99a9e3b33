/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* PUBLISH and its acknowledgements, and the way of a message to the sessions that want it. */
#include "mqtt/access.h"

#define NO_PROPS ((struct slice) { NULL, 0 })

/* Shell sort by subscriber: rarely needed, and without libc's qsort() it stays pure. */
static void
sort_matches(struct subtrie_entry *e, size_t n)
{
    for (size_t gap = n / 2; gap; gap /= 2) {
        for (size_t i = gap; i < n; i++) {
            struct subtrie_entry x = e[i];
            size_t j = i;

            for (; j >= gap && e[j - gap].subscriber > x.subscriber; j -= gap) {
                e[j] = e[j - gap];
            }
            e[j] = x;
        }
    }
}

/* Does any session match by more than one filter? */
static bool
has_overlaps(struct mqtt_broker *b)
{
    const struct subtrie_entry *e = b->matches.entries;
    bool found = false;

    for (size_t i = 0; i < b->matches.n; i++) {
        if (!(e[i].subscriber & MQTT_GROUP)) {
            struct mqtt_session *s = mqtt_session_at(b, e[i].subscriber);

            found = found || s->flags & MQTT_SESSION_SEEN;
            s->flags |= MQTT_SESSION_SEEN;
        }
    }
    for (size_t i = 0; i < b->matches.n; i++) {
        if (!(e[i].subscriber & MQTT_GROUP)) {
            mqtt_session_at(b, e[i].subscriber)->flags &= (uint8_t) ~MQTT_SESSION_SEEN;
        }
    }
    return found;
}

struct route {                        /* A message on its way. */
    struct mqtt_msg *msg;
    uint32_t from;                    /* Session of the publisher, or none. */
    usec_t now;
    uint8_t flags;                    /* MQTT_ENTRY_SHARED or nothing. */
    bool is_extra;                    /* A further copy: not missed where there is no room. */
};

/* A full queue did not take a copy (stall.c). */
static void
overflow(struct mqtt_broker *b, uint32_t session)
{
    b->has_overflowed = true;
    if (b->overflow == MQTT_OVERFLOW_END) {
        mqtt_doom(b, session);
    }
}

/* Queues one copy for a session whose matching filters are 'e' to 'e + n'. */
static void
deliver(struct mqtt_broker *b, const struct route *route, const struct subtrie_entry *e, size_t n)
{
    struct mqtt_session *s = mqtt_session_at(b, e->subscriber);
    struct mqtt_msg *msg = route->msg;
    struct mqtt_delivery d = { .msg = msg, .flags = route->flags };
    usec_t now = route->now;
    bool is_wanted = false;

    for (size_t i = 0; i < n; i++) {
        uint32_t value = e[i].value;

        if (value & MQTT_SUB_NO_LOCAL && e->subscriber == route->from) {
            continue;                 /* [MQTT-3.8.3-3] */
        }
        is_wanted = true;
        d.qos = MP_MAX(d.qos, (uint8_t) (value & MQTT_SUB_QOS));        /* [MQTT-3.3.4-2] */
        if (value & MQTT_SUB_RETAIN_AS_PUBLISHED && msg->retain) {
            d.flags |= MQTT_ENTRY_RETAIN;           /* [MQTT-3.3.1-13] */
        }
    }
    d.qos = MP_MIN(d.qos, msg->qos);
    if (!is_wanted || (!s->conn && !d.qos)) {
        return;
    }
    if (!mqtt_access_read(b, s, mqtt_msg_topic(msg))) {
        b->stats.acl_denied_out++;
        return;
    }
    if (!s->conn) {
        d.flags |= MQTT_ENTRY_RECHECK;              /* Who knows where it turns up. */
    }
    for (size_t i = n; i-- && s->version == MQTT_V50; ) {
        if (MQTT_SUB_ID(e[i].value)
            && !(e[i].value & MQTT_SUB_NO_LOCAL && e->subscriber == route->from)) {
            d.sub_ids = mqtt_sub_ids_add(b, d.sub_ids, MQTT_SUB_ID(e[i].value));
        }
    }
    if (mqtt_flow_put(b, e->subscriber, &d, now) == MQTT_PUT_DROPPED && !route->is_extra) {
        overflow(b, e->subscriber);
    }
    if (s->conn) {
        mqtt_push_ready(b, s->conn);
        if (mqtt_flow_is_congested(b, s->flow)
            && now - s->flow->progress_at <= b->config.hold_us) {
            b->congested = e->subscriber;
        }
    }
}

/* One copy by each of the filters 'e' to 'e + n' of one session, that of the highest QoS first: it
 * is the one that must be, the others may (3.1.1 section 3.3.5). */
static void
deliver_each(struct mqtt_broker *b, const struct route *route, struct subtrie_entry *e, size_t n)
{
    struct route extra = *route;
    size_t best = 0;

    extra.is_extra = true;
    for (size_t i = 1; i < n; i++) {
        best = (e[i].value & MQTT_SUB_QOS) > (e[best].value & MQTT_SUB_QOS) ? i : best;
    }
    deliver(b, route, &e[best], 1);
    for (size_t i = 0; i < n; i++) {
        if (i != best) {
            deliver(b, &extra, &e[i], 1);
        }
    }
}

static bool
wants_duplicates(const struct mqtt_broker *b, uint32_t session)
{
    return b->config.allow_duplicates && mqtt_session_at(b, session)->version != MQTT_V50;
}

void
mqtt_publish(struct mqtt_broker *b, struct mqtt_msg *msg, uint32_t from, usec_t now)
{
    struct route route = { msg, from, now, 0, false };
    struct route shared = { msg, from, now, MQTT_ENTRY_SHARED, false };
    struct subtrie_entry *e;
    bool is_sorted;

    b->matches.n = 0;
    subtrie_match(b->subs, mqtt_msg_topic(msg), &b->matches);
    is_sorted = has_overlaps(b);
    if (is_sorted) {
        sort_matches(b->matches.entries, b->matches.n);
    }
    e = b->matches.entries;
    for (size_t i = 0; i < b->matches.n; ) {
        size_t n = 1;

        if (e[i].subscriber & MQTT_GROUP) {
            if (mqtt_share_choose(b, msg, &e[i])) {
                deliver(b, &shared, &e[i], 1);
            }
            i++;
            continue;
        }
        while (is_sorted && i + n < b->matches.n && e[i + n].subscriber == e[i].subscriber) {
            n++;
        }
        if (n > 1 && wants_duplicates(b, e[i].subscriber)) {
            deliver_each(b, &route, &e[i], n);
        } else {
            deliver(b, &route, &e[i], n);
        }
        i += n;
    }
}

/* Once more to a shared subscription whose chosen member left. */
void
mqtt_publish_to_group(struct mqtt_broker *b, struct mqtt_msg *msg, uint32_t group, usec_t now)
{
    struct route shared = { msg, SLAB_NONE, now, MQTT_ENTRY_SHARED, false };
    struct subtrie_entry e = { group, 0 };

    if (mqtt_share_choose(b, msg, &e)) {
        b->overflow = MQTT_OVERFLOW_END;
        deliver(b, &shared, &e, 1);
        b->overflow = MQTT_OVERFLOW_DROP;
    }
}

/* Has this subscriber no room for what would be delivered to it? */
static bool
lacks_room(struct mqtt_broker *b, const struct mqtt_msg *msg, const struct subtrie_entry *e,
           uint32_t from)
{
    const struct mqtt_session *s = mqtt_session_at(b, e->subscriber);

    return s->flow && e->value & MQTT_SUB_QOS
           && !(e->value & MQTT_SUB_NO_LOCAL && e->subscriber == from)
           && !mqtt_flow_has_room(b, s->flow, msg)
           && mqtt_access_read(b, s, mqtt_msg_topic(msg));
}

uint32_t
mqtt_publish_waits_for(struct mqtt_broker *b, const struct mqtt_msg *msg, uint32_t from,
                       usec_t now)
{
    b->matches.n = 0;
    subtrie_match(b->subs, mqtt_msg_topic(msg), &b->matches);
    for (size_t i = 0; i < b->matches.n; i++) {
        struct subtrie_entry e = b->matches.entries[i];
        const struct mqtt_session *s;

        if (e.subscriber & MQTT_GROUP && !mqtt_share_peek(b, msg, &e)) {
            continue;
        }
        s = mqtt_session_at(b, e.subscriber);
        if (lacks_room(b, msg, &e, from)
            && (b->is_parting
                || (s->conn && e.subscriber != from
                    && now - s->flow->progress_at < b->config.hold_us))) {
            return e.subscriber;
        }
    }
    return SLAB_NONE;
}

/* [MQTT-3.3.1-5], [MQTT-3.3.1-6], [MQTT-3.3.1-7]. */
static void
retain(struct mqtt_broker *b, struct mqtt_msg *msg)
{
    if (!msg->payload->size) {
        mqtt_unretain(b, mqtt_msg_topic(msg));
    } else if (mqtt_retain(b, msg)) {
        b->stats.retained_set++;
    } else {
        /* What it was to replace is out of date all the same (3.1.1 [MQTT-3.3.1-7]). */
        mqtt_unretain(b, mqtt_msg_topic(msg));
        b->stats.retained_limit++;
    }
}

void
mqtt_publish_local(struct mqtt_broker *b, struct mqtt_msg *msg, uint32_t conn, uint32_t from,
                   usec_t now)
{
    bool can_refuse = conn && mqtt_conn_at(b, conn)->v5;

    mqtt_msg_account(msg, &b->message_bytes);
    if (msg->retain) {
        retain(b, msg);
    }
    b->has_overflowed = false;
    b->overflow = can_refuse ? MQTT_OVERFLOW_REFUSE : MQTT_OVERFLOW_END;
    mqtt_publish(b, msg, from, now);
    b->overflow = MQTT_OVERFLOW_DROP;
    mqtt_push_publish_event(b, conn, msg);
}

static bool
topic_is_acceptable(struct mqtt_broker *b, struct slice topic)
{
    if (!topic_name_is_valid(topic)) {
        return false;
    } else if (topic_n_levels(topic) > b->config.max_topic_levels) {
        b->stats.limit_levels++;
        return false;
    }
    return true;
}

void
mqtt_publish_remote(struct mqtt_broker *b, const struct mqtt_message *message, usec_t now)
{
    struct mqtt_msg *msg;

    b->stats.publishes_remote++;
    if (mqtt_journal_is_full(b)) {
        b->stats.journal_full++;
        return;
    }
    if (!topic_is_acceptable(b, message->topic)) {
        b->stats.limit_refused++;
        return;
    }
    if (mqtt_is_full(b)) {
        b->stats.memory_refused++;
        return;
    }
    msg = mqtt_msg_create(message->topic, NO_PROPS, message->payload);
    msg->qos = message->qos;
    msg->retain = message->retain;
    mqtt_msg_account(msg, &b->message_bytes);
    if (msg->retain) {
        retain(b, msg);
    }
    mqtt_publish(b, msg, SLAB_NONE, now);
    mqtt_msg_unref(msg);
}

static void
put_ack(struct mqtt_broker *b, uint32_t conn, enum mqtt_packet_type type,
        const struct wire_mqtt_ack *ack)
{
    struct writer w = mqtt_ctl_begin(b, conn, 5);

    wire_mqtt_put_ack(&w, type, mqtt_conn_at(b, conn)->version, ack->packet_id, ack->reason);
    mqtt_ctl_end(b, conn, &w);
}

uint8_t
mqtt_publish_accept(struct mqtt_broker *b, uint32_t conn, const struct mqtt_stalled *what,
                    usec_t now)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct mqtt_session *s = mqtt_session_at(b, c->session);
    struct wire_mqtt_ack ack = { .packet_id = what->packet_id };
    struct mqtt_msg *msg = what->msg;

    if (msg->qos == 2 && mqtt_inbound_put(b, s, what->packet_id, now) == MQTT_INBOUND_LIMIT) {
        b->stats.limit_refused++;
        b->stats.limit_inflight++;
        return MQTT_REASON_RECEIVE_MAXIMUM_EXCEEDED;
    }
    mqtt_publish_local(b, msg, conn, c->session, now);
    if (b->has_overflowed && c->v5) {
        b->stats.refused_full++;
        ack.reason = MQTT_REASON_QUOTA_EXCEEDED;
        if (msg->qos == 2) {
            mqtt_inbound_release(b, s, what->packet_id);        /* [MQTT-4.3.3-9] */
        }
    }
    mqtt_doom_run(b, now);
    if (c->state == MQTT_CONN_UP) {
        put_ack(b, conn, msg->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, &ack);
    }
    return 0;
}

static uint8_t
take_message(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
             const struct wire_mqtt_publish *p, usec_t now)
{
    uint32_t session = mqtt_conn_at(b, conn)->session, full = SLAB_NONE;
    struct mqtt_stalled what;
    uint8_t reason = 0;
    struct mbuf *payload = frame->payload ? mbuf_ref(frame->payload)
                           : mbuf_copy(p->payload.p, p->payload.n);
    struct mqtt_msg *msg = mqtt_msg_create(p->topic, p->props.raw, payload);

    mbuf_unref(payload);
    msg->qos = p->qos;
    msg->retain = p->retain;
    mqtt_v5_adopt_props(msg, &p->props, now);
    what = (struct mqtt_stalled) { msg, p->packet_id };
    if (!p->qos) {
        mqtt_publish_local(b, msg, conn, session, now);
    } else if ((full = mqtt_publish_waits_for(b, msg, session, now)) && b->is_parting) {
        /* There is no time to wait, nobody to tell: not acknowledged, not taken over. */
    } else if (full) {
        mqtt_msg_account(msg, &b->message_bytes);
        mqtt_stall_begin(b, conn, &what, full, now);            /* 'p' is gone. */
    } else {
        reason = mqtt_publish_accept(b, conn, &what, now);
    }
    mqtt_msg_unref(msg);
    return reason;
}

/* 0, or why the connection ends. */
static uint8_t
check_v5(struct mqtt_broker *b, struct mqtt_v5 *v, struct wire_mqtt_publish *p)
{
    uint8_t reason = mqtt_v5_check_props(p->props.raw);

    if (!reason && wire_mqtt_has_prop(&p->props, MQTT_PROP_SUBSCRIPTION_ID)) {
        reason = MQTT_REASON_PROTOCOL_ERROR;        /* [MQTT-3.3.4-6] */
    }
    return reason ? reason : mqtt_v5_alias_in(b, v, p);
}

/* An empty retained message removes one [MQTT-3.3.1-6]. */
static bool
frees_memory(const struct wire_mqtt_frame *frame, const struct wire_mqtt_publish *p)
{
    return p->retain && !(frame->payload ? frame->payload->size : p->payload.n);
}

uint8_t
mqtt_handle_publish(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
                    usec_t now)
{
    const struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct mqtt_session *s = mqtt_session_at(b, c->session);
    struct wire_mqtt_publish p;
    enum wire_mqtt_result result = wire_mqtt_decode_publish(frame, c->version, &p);
    struct wire_mqtt_ack ack = { .packet_id = p.packet_id };
    bool is_new = true;
    uint8_t reason;

    if (result != WIRE_MQTT_DONE) {
        return mqtt_reason_of(result);
    }
    reason = c->v5 ? check_v5(b, mqtt_v5_of(b, c), &p) : 0;
    if (reason) {
        return reason;
    }
    if (c->v5 && p.retain && !mqtt_may_retain(b)) {
        return MQTT_REASON_NO_RETAIN; /* Section 3.2.2.3.5; the client was told. */
    }
    if (!topic_is_acceptable(b, p.topic)) {
        return topic_utf8_is_valid(p.topic) ? MQTT_REASON_BAD_TOPIC : MQTT_REASON_MALFORMED;
    }
    b->stats.publishes_in++;
    b->stats.publish_bytes_in += frame->payload ? frame->payload->size : p.payload.n;
    mqtt_session_count(s, MQTT_COUNT_IN);
    if (p.qos == 2 && mqtt_inbound_has(s, p.packet_id)) {
        is_new = false;               /* Taken over before: acknowledged, whatever holds now. */
    } else if (mqtt_topic_is_reserved(p.topic)) {
        /* Acknowledged and not passed on. */
        ack.reason = MQTT_REASON_NOT_AUTHORIZED;
        is_new = false;
    } else if (!mqtt_access_write(b, s, p.topic)) {
        /* As well: 3.1.1 has no other way but to end the connection. */
        b->stats.acl_denied_in++;
        ack.reason = MQTT_REASON_NOT_AUTHORIZED;
        is_new = false;
    } else if (mqtt_is_full(b) && !frees_memory(frame, &p)) {
        b->stats.memory_refused++;
        if (p.qos && !c->v5) {
            return MQTT_REASON_QUOTA_EXCEEDED;      /* It will come again, some time. */
        }
        ack.reason = MQTT_REASON_QUOTA_EXCEEDED;
        is_new = false;
    }
    if (is_new) {
        return take_message(b, conn, frame, &p, now);
    }
    if (ack.reason && p.qos == 2 && c->v5) {
        mqtt_inbound_release(b, s, p.packet_id);    /* [MQTT-4.3.3-9] */
    }
    if (p.qos) {
        put_ack(b, conn, p.qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, &ack);
    }
    return 0;
}

uint8_t
mqtt_handle_ack(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
                usec_t now)
{
    const struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct mqtt_session *s = mqtt_session_at(b, c->session);
    struct wire_mqtt_ack ack;
    enum wire_mqtt_result result = wire_mqtt_decode_ack(frame, c->version, &ack);
    struct wire_mqtt_ack answer;
    bool is_known;

    (void) now;
    if (result != WIRE_MQTT_DONE) {
        return mqtt_reason_of(result);
    }
    if (mqtt_v5_check_props(ack.props)) {
        return MQTT_REASON_MALFORMED;               /* [MQTT-1.5.4-1] */
    }
    answer = (struct wire_mqtt_ack) { .packet_id = ack.packet_id };
    if (frame->type == MQTT_PUBREL) {
        is_known = mqtt_inbound_release(b, s, ack.packet_id);
        answer.reason = is_known ? 0 : MQTT_REASON_PACKET_ID_NOT_FOUND;
        put_ack(b, conn, MQTT_PUBCOMP, &answer);
        return 0;
    }
    is_known = mqtt_flow_acked(b, s, frame->type, &ack);
    if (frame->type == MQTT_PUBREC && ack.reason < 0x80) {
        /* An unknown one as well: else the client would wait for ever. */
        answer.reason = is_known ? 0 : MQTT_REASON_PACKET_ID_NOT_FOUND;
        put_ack(b, conn, MQTT_PUBREL, &answer);
    }
    if (s->flow) {
        mqtt_push_ready(b, conn);     /* The window may have opened. */
    }
    return 0;
}
