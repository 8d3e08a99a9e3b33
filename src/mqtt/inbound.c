/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* QoS 2 towards us: the packet identifiers of messages that were taken over and not released yet,
 * so that a PUBLISH that comes again is not delivered again [MQTT-4.3.3-2].  A sorted array:
 * clients count upwards, so that this appends and looks at the end. */
#include "mqtt/private.h"

/* 3.1.1 clients are told no Receive Maximum: what we remember of one is limited here. */
#define MAX_IDS_V311 8192u

/* Where 'id' stands, or would stand. */
static uint32_t
lower_bound(const struct mqtt_flow *f, uint16_t id)
{
    uint32_t low = 0, high = f->n_in_ids;

    if (high && f->in_ids[high - 1] < id) {
        return high;
    }
    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (f->in_ids[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void
insert(struct mqtt_broker *b, struct mqtt_flow *f, uint32_t i, uint16_t id)
{
    if (f->n_in_ids == f->allocated_in_ids) {
        uint32_t n = f->allocated_in_ids ? 2 * f->allocated_in_ids : 4;

        b->heap_bytes += (n - f->allocated_in_ids) * sizeof *f->in_ids;
        f->in_ids = mem_realloc(f->in_ids, n * sizeof *f->in_ids);
        f->allocated_in_ids = n;
    }
    memmove(f->in_ids + i + 1, f->in_ids + i, (f->n_in_ids - i) * sizeof *f->in_ids);
    f->in_ids[i] = id;
    f->n_in_ids++;
}

bool
mqtt_inbound_has(const struct mqtt_session *s, uint16_t id)
{
    uint32_t i = s->flow ? lower_bound(s->flow, id) : 0;

    return s->flow && i < s->flow->n_in_ids && s->flow->in_ids[i] == id;
}

enum mqtt_inbound
mqtt_inbound_put(struct mqtt_broker *b, struct mqtt_session *s, uint16_t id, usec_t now)
{
    struct mqtt_flow *f = mqtt_flow_get(b, s, now);
    uint32_t limit = s->version == MQTT_V50 ? b->config.max_inflight : MAX_IDS_V311;
    uint32_t i = lower_bound(f, id);

    if (i < f->n_in_ids && f->in_ids[i] == id) {
        return MQTT_INBOUND_DUPLICATE;
    }
    if (f->n_in_ids >= limit) {
        return MQTT_INBOUND_LIMIT;
    }
    insert(b, f, i, id);
    mqtt_persist_received(b, s, id);
    return MQTT_INBOUND_NEW;
}

void
mqtt_inbound_restore(struct mqtt_broker *b, struct mqtt_session *s, uint16_t id, usec_t now)
{
    struct mqtt_flow *f = mqtt_flow_get(b, s, now);

    insert(b, f, lower_bound(f, id), id);
}

bool
mqtt_inbound_release(struct mqtt_broker *b, struct mqtt_session *s, uint16_t id)
{
    struct mqtt_flow *f = s->flow;
    uint32_t i = f ? lower_bound(f, id) : 0;

    if (!f || i == f->n_in_ids || f->in_ids[i] != id) {
        return false;
    }
    f->n_in_ids--;
    memmove(f->in_ids + i, f->in_ids + i + 1, (f->n_in_ids - i) * sizeof *f->in_ids);
    mqtt_persist_released(b, s, id);
    mqtt_flow_trim(b, s);
    return true;
}
