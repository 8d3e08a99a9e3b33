/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The two rings that the caller pulls from: events, and connections that have output.  They are as
 * long as one round of input makes them. */
#include "mqtt/private.h"

#define FIRST_ALLOCATED 64u

void
mqtt_push_event(struct mqtt_broker *b, const struct mqtt_queued_event *event)
{
    if (b->n_events == b->allocated_events) {
        uint32_t n = b->allocated_events ? 2 * b->allocated_events : FIRST_ALLOCATED;
        struct mqtt_queued_event *ring = mem_alloc(n * sizeof *ring);

        for (uint32_t i = 0; i < b->n_events; i++) {
            ring[i] = b->events[(b->first_event + i) & (b->allocated_events - 1)];
        }
        mem_free(b->events);
        b->events = ring;
        b->first_event = 0;
        b->allocated_events = n;
    }
    b->events[(b->first_event + b->n_events++) & (b->allocated_events - 1)] = *event;
}

void
mqtt_push_filter_event(struct mqtt_broker *b, enum mqtt_event_type type, struct slice filter)
{
    mqtt_push_event(b, &(struct mqtt_queued_event) {
        .type = type,
        .n = filter.n,
        .filter = mem_dup(filter.p, filter.n),
    });
}

void
mqtt_push_publish_event(struct mqtt_broker *b, uint32_t conn, struct mqtt_msg *msg)
{
    mqtt_push_event(b, &(struct mqtt_queued_event) {
        .type = MQTT_EV_PUBLISH,
        .conn = conn ? mqtt_conn_id(b, conn) : 0,
        .user = conn ? mqtt_conn_at(b, conn)->user : 0,
        .msg = mqtt_msg_ref(msg),
    });
}

static void
drop_current(struct mqtt_broker *b)
{
    mqtt_msg_unref(b->current.msg);
    mem_free(b->current.filter);
    memset(&b->current, 0, sizeof b->current);
}

static bool
is_stale(const struct mqtt_broker *b, const struct mqtt_queued_event *event)
{
    uint32_t idx = (uint32_t) event->conn;

    return (event->type == MQTT_EV_CREDIT || event->type == MQTT_EV_CLOSE
            || event->type == MQTT_EV_ABORT)
           && b->generations[idx] != event->conn >> 32;
}

bool
mqtt_next_event(struct mqtt_broker *b, struct mqtt_event *event)
{
    struct mqtt_queued_event *e = &b->current;

    do {
        drop_current(b);
        if (!b->n_events) {
            return false;
        }
        *e = b->events[b->first_event];
        b->first_event = (b->first_event + 1) & (b->allocated_events - 1);
        b->n_events--;
    } while (is_stale(b, e));

    *event = (struct mqtt_event) { .type = e->type, .conn = e->conn, .user = e->user, .n = e->n };
    if (e->filter) {
        event->filter = (struct slice) { e->filter, e->n };
        event->n = 0;
    }
    if (e->msg) {
        event->message = (struct mqtt_message) {
            .topic = mqtt_msg_topic(e->msg),
            .payload = e->msg->payload,
            .qos = e->msg->qos,
            .retain = e->msg->retain,
        };
    }
    return true;
}

void
mqtt_push_ready(struct mqtt_broker *b, uint32_t conn)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);

    if (c->flags & MQTT_CONN_READY) {
        return;
    }
    c->flags |= MQTT_CONN_READY;
    if (b->n_ready == b->allocated_ready) {
        uint32_t n = b->allocated_ready ? 2 * b->allocated_ready : FIRST_ALLOCATED;
        mqtt_id *ring = mem_alloc(n * sizeof *ring);

        for (uint32_t i = 0; i < b->n_ready; i++) {
            ring[i] = b->ready[(b->first_ready + i) & (b->allocated_ready - 1)];
        }
        mem_free(b->ready);
        b->ready = ring;
        b->first_ready = 0;
        b->allocated_ready = n;
    }
    b->ready[(b->first_ready + b->n_ready++) & (b->allocated_ready - 1)] = mqtt_conn_id(b, conn);
}

bool
mqtt_next_ready(struct mqtt_broker *b, mqtt_id *id, uint32_t *user)
{
    while (b->n_ready) {
        mqtt_id next = b->ready[b->first_ready];
        uint32_t idx = (uint32_t) next;

        b->first_ready = (b->first_ready + 1) & (b->allocated_ready - 1);
        b->n_ready--;
        if (b->generations[idx] == next >> 32) {
            struct mqtt_conn *c = mqtt_conn_at(b, idx);

            c->flags &= (uint8_t) ~MQTT_CONN_READY & 0xf;
            *id = next;
            *user = c->user;
            return true;
        }
    }
    return false;
}

void
mqtt_queues_uninit(struct mqtt_broker *b)
{
    drop_current(b);
    while (b->n_events) {
        b->current = b->events[b->first_event];
        b->first_event = (b->first_event + 1) & (b->allocated_events - 1);
        b->n_events--;
        drop_current(b);
    }
    mem_free(b->events);
    mem_free(b->ready);
}
