/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* CONNECTs whose credentials somebody else judges, because that takes long: the packet is kept, so is
 * what the client sends after it (credit is withheld, so that its TCP window closes), and nothing
 * of it is looked at before the verdict. */
#include "mqtt/access.h"

/* For the verdict. */
#define PATIENCE_US (60 * CLOCK_SEC)

/* No transport should promise so much without credit. */
#define MAX_HELD (32u * 1024 * 1024)

struct mqtt_ask {
    struct wire_mqtt_frame frame;     /* The CONNECT: its body in 'bytes'. */
    struct slice username, password;
    struct mqtt_held held;            /* Input that came after it. */
    uint8_t bytes[];
};

bool
mqtt_held_append(struct mqtt_broker *b, struct mqtt_held *h, struct slice in)
{
    if (in.n > MAX_HELD - h->n) {
        return false;
    }
    if (h->n + in.n > h->allocated) {
        uint32_t size = MP_MAX(2 * h->allocated, h->n + in.n);

        b->heap_bytes += size - h->allocated;
        h->bytes = mem_realloc(h->bytes, size);
        h->allocated = size;
    }
    if (in.n) {
        memcpy(h->bytes + h->n, in.p, in.n);
    }
    h->n += in.n;
    return true;
}

void
mqtt_held_free(struct mqtt_broker *b, struct mqtt_held *h)
{
    b->heap_bytes -= h->allocated;
    mem_free(h->bytes);
}

static struct slice
moved(struct slice s, const uint8_t *from, const uint8_t *to)
{
    return (struct slice) { s.n ? to + (s.p - from) : to, s.n };
}

void
mqtt_ask_begin(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
               const struct wire_mqtt_connect *connect, usec_t now)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct slice body = frame->body;
    struct mqtt_ask *a = mem_zalloc(sizeof *a + body.n);

    memcpy(a->bytes, body.p, body.n);
    a->frame = *frame;
    a->frame.body.p = a->bytes;
    a->username = moved(connect->username, body.p, a->bytes);
    a->password = moved(connect->password, body.p, a->bytes);
    b->heap_bytes += sizeof *a + body.n;
    b->framer_bytes -= wire_mqtt_framer_bytes(c->rx);
    wire_mqtt_framer_free(&c->rx);    /* 'frame' and 'connect' go with it. */
    c->ask = a;
    c->flags |= MQTT_CONN_ASKING;
    b->stats.auth_asked++;
    wheel_arm(&b->conn_wheel, conn, now + PATIENCE_US);
    mqtt_push_event(b, &(struct mqtt_queued_event) {
        .type = MQTT_EV_AUTH,
        .conn = mqtt_conn_id(b, conn),
        .user = c->user,
    });
}

bool
mqtt_ask_hold(struct mqtt_broker *b, uint32_t conn, struct slice in)
{
    return mqtt_held_append(b, &mqtt_conn_at(b, conn)->ask->held, in);
}

/* Parts the request from its connection. */
static struct mqtt_ask *
take_ask(struct mqtt_conn *c)
{
    struct mqtt_ask *a = c->ask;

    c->flags &= (uint8_t) ~MQTT_CONN_ASKING & 0xf;
    c->rx = NULL;
    return a;
}

static void
free_ask(struct mqtt_broker *b, struct mqtt_ask *a)
{
    b->heap_bytes -= sizeof *a + a->frame.body.n;
    mqtt_held_free(b, &a->held);
    mem_free(a);
}

void
mqtt_ask_free(struct mqtt_broker *b, uint32_t conn)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);

    if (c->flags & MQTT_CONN_ASKING) {
        mqtt_push_event(b, &(struct mqtt_queued_event) {
            .type = MQTT_EV_AUTH_GONE,
            .conn = mqtt_conn_id(b, conn),
            .user = c->user,
        });
        free_ask(b, take_ask(c));
    }
}

bool
mqtt_auth_request(const struct mqtt_broker *b, mqtt_id id, struct mqtt_auth_request *request)
{
    uint32_t conn = mqtt_conn_find(b, id);
    const struct mqtt_conn *c = conn ? mqtt_conn_at(b, conn) : NULL;

    if (!c || !(c->flags & MQTT_CONN_ASKING)) {
        return false;
    }
    *request = (struct mqtt_auth_request) { c->ask->username, c->ask->password };
    return true;
}

void
mqtt_auth_result(struct mqtt_broker *b, mqtt_id id, enum mqtt_verdict verdict, usec_t now)
{
    uint32_t conn = mqtt_conn_find(b, id);
    struct mqtt_conn *c = conn ? mqtt_conn_at(b, conn) : NULL;
    struct slice held;
    struct mqtt_ask *a;

    if (!c || !(c->flags & MQTT_CONN_ASKING)) {
        return;                       /* It is gone meanwhile. */
    }
    a = take_ask(c);
    held = (struct slice) { a->held.bytes, a->held.n };
    b->stats.auth_busy += verdict == MQTT_VERDICT_BUSY;
    mqtt_connect_judged(b, conn, &a->frame, verdict, now);
    mqtt_conn_input(b, conn, held, now);
    free_ask(b, a);
}
