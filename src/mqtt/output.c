/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Output, pulled by the transport: control packets that wait, then messages.  Small packets are
 * gathered in one piece; the payload of a larger one is handed out by reference. */
#include "mqtt/private.h"

#define NO_PROPS ((struct slice) { NULL, 0 })

static struct wire_mqtt_publish
publish_of(const struct mqtt_entry *e)
{
    return (struct wire_mqtt_publish) {
        .qos = e->qos,
        .retain = e->flags & MQTT_ENTRY_RETAIN,
        .packet_id = e->packet_id,
        .topic = mqtt_msg_topic(e->msg),
        .payload = { e->msg->payload->data, e->msg->payload->size },
    };
}

/* Everything that waits, in one piece. */
static void
take_ctl(struct mqtt_conn *c, struct writer *w, struct mqtt_output *out)
{
    if (c->ctl->size <= sizeof out->head) {
        writer_bytes(w, c->ctl->bytes, c->ctl->size);
    } else {
        out->extra = mbuf_copy(c->ctl->bytes, c->ctl->size);
    }
    mem_free(c->ctl);
    c->ctl = NULL;
}

enum taken { TAKEN_WHOLE, TAKEN_LAST, TAKEN_NOT };

/* Writes the entry at the front, unless it does not go with what is in 'w' already.  TAKEN_LAST:
 * nothing can follow in this piece. */
static enum taken
take_publish(struct mqtt_session *s, struct mqtt_entry *e, struct writer *w, uint32_t room,
             struct mqtt_output *out)
{
    struct wire_mqtt_publish p = publish_of(e);
    uint32_t left = (uint32_t) (w->end - w->p);
    uint32_t head_n = wire_mqtt_publish_head_size(s->version, &p, 0);
    bool is_whole = p.payload.n <= left && head_n <= left - p.payload.n;
    bool is_first = !writer_size(w);

    if (!is_first && ((head_n > left) || writer_size(w) + head_n + p.payload.n > room
                      || (!is_whole && p.payload.n <= sizeof out->head))) {
        return TAKEN_NOT;
    }
    if (e->qos && !e->packet_id) {
        mqtt_flow_number(s, e);
    } else if (e->qos) {
        p.dup = true;                 /* [MQTT-3.3.1-1] */
    }
    p.packet_id = e->packet_id;
    if (head_n > left) {
        struct writer extra;

        out->extra = mbuf_create(head_n);
        extra = writer_init(out->extra->data, head_n);
        wire_mqtt_put_publish(&extra, s->version, &p, NO_PROPS);
    } else {
        wire_mqtt_put_publish(w, s->version, &p, NO_PROPS);
    }
    if (is_whole) {
        writer_bytes(w, p.payload.p, p.payload.n);
        return TAKEN_WHOLE;
    }
    if (p.payload.n) {
        out->body = mbuf_ref(e->msg->payload);
        out->body_n = p.payload.n;
    }
    return TAKEN_LAST;
}

/* PUBREL instead of a message that the client has acknowledged by PUBREC [MQTT-4.4.0-1]. */
static enum taken
take_pubrel(const struct mqtt_session *s, const struct mqtt_entry *e, struct writer *w)
{
    if (w->end - w->p < 4) {
        return TAKEN_NOT;
    }
    wire_mqtt_put_ack(w, MQTT_PUBREL, s->version, e->packet_id, 0);
    return TAKEN_WHOLE;
}

static void
take_messages(struct mqtt_broker *b, struct mqtt_session *s, struct writer *w, uint32_t room,
              struct mqtt_output *out, usec_t now)
{
    enum taken taken = TAKEN_WHOLE;
    uint32_t idx;

    while (taken == TAKEN_WHOLE && (idx = mqtt_flow_peek(b, s, b->config.max_inflight))) {
        struct mqtt_entry *e = mqtt_entry_at(b, idx);

        if (e->flags & MQTT_ENTRY_RELEASED) {
            taken = take_pubrel(s, e, w);
        } else {
            taken = take_publish(s, e, w, room, out);
            if (taken != TAKEN_NOT) {
                b->stats.publishes_out++;
                s->publishes_out++;
            }
        }
        if (taken != TAKEN_NOT) {
            mqtt_flow_sent(b, s, idx, now);
        }
    }
}

bool
mqtt_next_output(struct mqtt_broker *b, mqtt_id id, uint32_t room, usec_t now,
                 struct mqtt_output *out)
{
    uint32_t conn = mqtt_conn_find(b, id);
    struct mqtt_conn *c = conn ? mqtt_conn_at(b, conn) : NULL;
    struct writer w = writer_init(out->head, sizeof out->head);
    bool had_ctl = c && c->ctl;

    out->head_n = out->body_off = out->body_n = 0;
    out->extra = out->body = NULL;
    if (!c) {
        return false;
    }
    if (had_ctl) {
        take_ctl(c, &w, out);
        mqtt_hold_ctl_drained(b, conn, now);
    }
    if (c->session && !out->extra) {
        struct mqtt_session *s = mqtt_session_at(b, c->session);

        take_messages(b, s, &w, room, out, now);
        if (s->flow && s->flow->holds && mqtt_flow_has_drained(b, s->flow)) {
            mqtt_hold_release_session(b, c->session, now);
        }
        mqtt_flow_trim(b, s);
    }
    out->head_n = (uint32_t) writer_size(&w);
    b->stats.bytes_out += out->head_n + (out->extra ? out->extra->size : 0) + out->body_n;
    mqtt_conn_drained(b, conn);
    return out->head_n || out->extra;
}
