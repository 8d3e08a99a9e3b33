/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "peer/pathmtu.h"

#include "base/mem.h"

/* RFC 8899 5.1.1 and 5.1.2. */
#define PROBE_TIMER_US CLOCK_SEC
#define MAX_PROBES 3
#define PMTU_RAISE_TIMER_US (600 * CLOCK_SEC)

/* Looked into one after the other, the largest first: jumbo frames, those inside a tunnel, and what
 * some equipment carries.  A finer search would cost more probes, each of which a switch that cannot
 * carry it complains about. */
static const uint16_t common[] = { 9000, 8100, 4000, 3000, 2000 };

static uint16_t
next_smaller(const struct pathmtu *p)
{
    for (size_t i = 0; i < MP_ARRAY_SIZE(common); i++) {
        if (common[i] < p->probed && common[i] > p->size) {
            return common[i];
        }
    }
    return 0;
}

void
pathmtu_init(struct pathmtu *p, uint16_t base, uint16_t max)
{
    *p = (struct pathmtu) { .base = base, .max = max, .size = base, .probe_at = CLOCK_NEVER };
}

static void
search(struct pathmtu *p, usec_t at)
{
    p->probed = p->max;
    p->n_probes = 0;
    p->probe_at = p->max > p->size ? at : CLOCK_NEVER;
}

void
pathmtu_begin(struct pathmtu *p, usec_t now)
{
    if (p->probe_at == CLOCK_NEVER) {
        search(p, now);
    }
}

usec_t
pathmtu_deadline(const struct pathmtu *p)
{
    return p->probe_at;
}

uint16_t
pathmtu_next_probe(struct pathmtu *p, usec_t now)
{
    if (p->n_probes == MAX_PROBES) {
        p->probed = next_smaller(p);
        p->n_probes = 0;
        if (!p->probed) {
            search(p, now + PMTU_RAISE_TIMER_US);
            return 0;
        }
    }
    p->n_probes++;
    p->probe_at = now + PROBE_TIMER_US;
    return p->probed;
}

void
pathmtu_answered(struct pathmtu *p, uint16_t size, usec_t now)
{
    if (p->probe_at != CLOCK_NEVER && size > p->size && size <= p->max) {
        p->size = size;
        search(p, now + PMTU_RAISE_TIMER_US);
    }
}

void
pathmtu_black_hole(struct pathmtu *p)
{
    pathmtu_init(p, p->base, p->max);
}
