/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Looking ahead: fetches into the processor's caches what will be used soon.  Advice only: nothing
 * here changes what anybody sees. */
#include "mqtt/private.h"

void
mqtt_ahead_conn(const struct mqtt_broker *b, uint32_t index)
{
    if (index < b->n_generations) {
        __builtin_prefetch(&b->generations[index]);
        slab_prefetch(&b->conns, index);
    }
}

uint32_t
mqtt_ahead_session(const struct mqtt_broker *b, uint32_t index)
{
    const struct mqtt_conn *c;

    if (!index || index >= b->n_generations || !b->generations[index]) {
        return 0;
    }
    c = mqtt_conn_at(b, index);
    slab_prefetch(&b->sessions, c->session);
    /* Of one that lingers, the transport may have forgotten it. */
    return c->state != MQTT_CONN_LINGERING ? c->user : 0;
}

mqtt_id
mqtt_peek_ready(const struct mqtt_broker *b, uint32_t n)
{
    return n < b->n_ready ? b->ready[(b->first_ready + n) & (b->allocated_ready - 1)] : 0;
}
