/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Output, pulled by the transport: control packets that wait, then messages.  Small packets are
 * gathered in one piece; the payload of a larger one is handed out by reference. */
#include "mqtt/access.h"

#define NO_PROPS ((struct slice) { NULL, 0 })

/* Expiry and alias, identifier and value each; one Subscription Identifier. */
#define OWN_PROPS_SIZE 8u
#define SUB_ID_SIZE 5u

struct sending {                      /* One message on its way out. */
    struct wire_mqtt_publish publish;
    struct slice props;               /* In b->props. */
    uint32_t head_n;                  /* Bytes before the payload. */
    uint16_t alias;                   /* To be remembered, or 0. */
};

/* The properties of a PUBLISH to a 5.0 client: what is left of the expiry, the alias, those of the
 * message as they came, the identifiers of the subscriptions that matched. */
static struct slice
write_props(struct mqtt_broker *b, const struct mqtt_entry *e, uint16_t alias, usec_t now)
{
    const struct mqtt_msg *msg = e->msg;
    struct slice own = mqtt_msg_props(msg);
    size_t size = OWN_PROPS_SIZE + own.n + mqtt_sub_ids_n(b, e->sub_ids) * SUB_ID_SIZE;
    struct writer w;

    b->props = mem_grow(b->props, &b->allocated_props, size, 1);
    w = writer_init(b->props, b->allocated_props);
    if (msg->expires_at != CLOCK_NEVER) {
        usec_t left_us = MP_MAX(msg->expires_at - now, 0);

        wire_mqtt_put_number_prop(&w, MQTT_PROP_MESSAGE_EXPIRY,
                                  (uint32_t) ((left_us + CLOCK_SEC - 1) / CLOCK_SEC));
    }
    if (alias) {
        wire_mqtt_put_number_prop(&w, MQTT_PROP_TOPIC_ALIAS, alias);
    }
    writer_bytes(&w, own.p, own.n);
    for (uint32_t i = e->sub_ids; i; ) {
        const struct mqtt_sub_id *id = slab_at(&b->sub_ids, i);

        wire_mqtt_put_number_prop(&w, MQTT_PROP_SUBSCRIPTION_ID, id->id);
        i = id->next;
    }
    return (struct slice) { b->props, (uint32_t) writer_size(&w) };
}

static struct sending
sending_of(struct mqtt_broker *b, const struct mqtt_conn *c, const struct mqtt_entry *e,
           usec_t now)
{
    struct slice topic = mqtt_msg_topic(e->msg);
    bool is_known = false;
    struct sending s = { .alias = mqtt_v5_alias_out(mqtt_v5_of(b, c), topic, &is_known) };

    s.publish.qos = e->qos;
    s.publish.retain = e->flags & MQTT_ENTRY_RETAIN;
    s.publish.packet_id = e->packet_id;
    s.publish.topic = is_known ? (struct slice) { topic.p, 0 } : topic;
    s.publish.payload = (struct slice) { e->msg->payload->data, e->msg->payload->size };
    if (c->version == MQTT_V50) {
        s.props = write_props(b, e, s.alias, now);
    }
    s.head_n = wire_mqtt_publish_head_size(c->version, &s.publish, s.props.n);
    return s;
}

/* Everything that waits and need not wait any longer, in one piece. */
static void
take_ctl(struct mqtt_broker *b, struct mqtt_conn *c, struct writer *w, struct mqtt_output *out)
{
    struct mqtt_ctl *ctl = c->ctl;
    uint32_t n = ctl->n_marks ? ctl->marks[0].begin : ctl->size;

    if (n <= sizeof out->head) {
        writer_bytes(w, ctl->bytes, n);
    } else {
        out->extra = mbuf_copy(ctl->bytes, n);
    }
    if (n == ctl->size) {
        mqtt_ctl_free(b, c);
        return;
    }
    ctl->size -= n;
    ctl->n_first -= MP_MIN(n, ctl->n_first);
    memmove(ctl->bytes, ctl->bytes + n, ctl->size);
    for (uint32_t i = 0; i < ctl->n_marks; i++) {
        ctl->marks[i].begin -= n;
    }
}

enum taken { TAKEN_WHOLE, TAKEN_LAST, TAKEN_NOT, TAKEN_NEVER };

struct pull {                         /* One call of mqtt_next_output(). */
    struct mqtt_output *out;
    struct writer w;                  /* On out->head. */
    uint32_t room;
    usec_t now;
};

/* Does it go with what is in 'w' already? */
static bool
fits(const struct sending *s, const struct writer *w, uint32_t room)
{
    uint32_t left = (uint32_t) (w->end - w->p), used = (uint32_t) writer_size(w);

    /* A small one goes whole, now or next time. */
    return !used || (s->head_n <= left && used + s->head_n + s->publish.payload.n <= room
                     && (s->publish.payload.n <= left - s->head_n
                         || s->publish.payload.n > sizeof ((struct mqtt_output *) 0)->head));
}

/* Writes a message that fits.  TAKEN_LAST: nothing can follow in this piece. */
static enum taken
write_publish(uint8_t version, const struct sending *s, struct writer *w, struct mqtt_output *out,
              struct mbuf *payload)
{
    const struct wire_mqtt_publish *p = &s->publish;
    uint32_t left = (uint32_t) (w->end - w->p);

    if (s->head_n > left) {
        struct writer extra;

        out->extra = mbuf_create(s->head_n);
        extra = writer_init(out->extra->data, s->head_n);
        wire_mqtt_put_publish(&extra, version, p, s->props);
    } else {
        wire_mqtt_put_publish(w, version, p, s->props);
        if (p->payload.n <= left - s->head_n) {
            writer_bytes(w, p->payload.p, p->payload.n);
            return TAKEN_WHOLE;
        }
    }
    if (p->payload.n) {
        out->body = mbuf_ref(payload);
        out->body_n = p->payload.n;
    }
    return TAKEN_LAST;
}

/* The entry at the front.  TAKEN_NOT: it does not go with what is in 'w' already. */
static enum taken
take_publish(struct mqtt_broker *b, struct mqtt_conn *c, struct mqtt_entry *e, struct pull *pull)
{
    struct mqtt_session *s = mqtt_session_at(b, c->session);
    struct sending sending;
    bool was_sent;

    if (mqtt_access_denies_entry(b, s, e)) {
        b->stats.acl_denied_out++;
        return TAKEN_NEVER;
    }
    was_sent = e->packet_id && !(e->flags & MQTT_ENTRY_NEW);
    sending = sending_of(b, c, e, pull->now);
    if (sending.head_n + (uint64_t) sending.publish.payload.n
        > mqtt_v5_max_packet_size(mqtt_v5_of(b, c))) {
        b->stats.too_large_out++;     /* [MQTT-3.1.2-25] */
        return TAKEN_NEVER;
    }
    if (e->msg->expires_at <= pull->now && !was_sent) {
        b->stats.expired++;           /* [MQTT-3.3.2-5] */
        return TAKEN_NEVER;
    }
    if (!fits(&sending, &pull->w, pull->room)) {
        return TAKEN_NOT;
    }
    sending.publish.dup = was_sent;   /* [MQTT-3.3.1-1] */
    if (e->qos && !e->packet_id) {
        mqtt_flow_number(s, e);
    }
    sending.publish.packet_id = e->packet_id;
    if (sending.alias) {
        mqtt_v5_alias_sent(b, mqtt_v5_of(b, c), sending.alias, mqtt_msg_topic(e->msg));
    }
    b->stats.publishes_out++;
    b->stats.packets_out++;
    b->stats.publish_bytes_out += sending.publish.payload.n;
    mqtt_session_count(s, MQTT_COUNT_OUT);
    return write_publish(c->version, &sending, &pull->w, pull->out, e->msg->payload);
}

/* PUBREL instead of a message that the client has acknowledged by PUBREC [MQTT-4.4.0-1]. */
static enum taken
take_pubrel(struct mqtt_broker *b, const struct mqtt_session *s, const struct mqtt_entry *e,
            struct writer *w)
{
    if (w->end - w->p < 4) {
        return TAKEN_NOT;
    }
    b->stats.packets_out++;
    wire_mqtt_put_ack(w, MQTT_PUBREL, s->version, e->packet_id, 0);
    return TAKEN_WHOLE;
}

static void
take_messages(struct mqtt_broker *b, struct mqtt_conn *c, struct pull *pull)
{
    struct mqtt_session *s = mqtt_session_at(b, c->session);
    uint32_t window = mqtt_v5_window(b, mqtt_v5_of(b, c));
    enum taken taken = TAKEN_WHOLE;
    uint32_t idx;

    mqtt_flow_number_ahead(b, s, window);
    while ((taken == TAKEN_WHOLE || taken == TAKEN_NEVER)
           && (idx = mqtt_flow_peek(b, s, window))) {
        struct mqtt_entry *e = mqtt_entry_at(b, idx);

        taken = e->flags & MQTT_ENTRY_RELEASED ? take_pubrel(b, s, e, &pull->w)
                : take_publish(b, c, e, pull);
        if (taken == TAKEN_NEVER) {
            mqtt_session_count(s, MQTT_COUNT_DROPPED);
            mqtt_flow_discard(b, s, idx);
        } else if (taken != TAKEN_NOT) {
            mqtt_flow_sent(b, s, idx, pull->now);
        }
        mqtt_flow_number_ahead(b, s, window);
    }
    if (s->flow && s->flow->resend
        && mqtt_persist_holds(b, s, mqtt_entry_at(b, s->flow->resend))) {
        mqtt_persist_await(b, s);
    }
}

bool
mqtt_next_output(struct mqtt_broker *b, mqtt_id id, uint32_t room, usec_t now,
                 struct mqtt_output *out)
{
    uint32_t conn = mqtt_conn_find(b, id);
    struct mqtt_conn *c = conn ? mqtt_conn_at(b, conn) : NULL;
    struct pull pull = { out, writer_init(out->head, sizeof out->head), room, now };

    out->head_n = out->body_off = out->body_n = 0;
    out->extra = out->body = NULL;
    if (!c) {
        return false;
    }
    if (c->ctl) {
        take_ctl(b, c, &pull.w, out);
        if (!c->ctl) {
            mqtt_hold_ctl_drained(b, conn, now);
        }
    }
    if (c->session && !out->extra && !(c->ctl && c->ctl->n_first)) {
        struct mqtt_session *s = mqtt_session_at(b, c->session);

        take_messages(b, c, &pull);
        if (s->flow && s->flow->holds && mqtt_flow_has_drained(b, s->flow)) {
            mqtt_hold_release_session(b, c->session, now);
        }
        mqtt_flow_trim(b, s);
    }
    out->head_n = (uint32_t) writer_size(&pull.w);
    b->stats.bytes_out += out->head_n + (out->extra ? out->extra->size : 0) + out->body_n;
    mqtt_conn_drained(b, conn);
    return out->head_n || out->extra;
}
