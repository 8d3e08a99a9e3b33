/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The growing FIFO of a peer's queues.  Knows nothing of what its items are.  One thread. */
#include "peer/private.h"

#include "base/mem.h"

#define RING_MIN 16u

static void
ring_resize(struct ring *r, uint32_t allocated)
{
    uintptr_t *items = mem_alloc(allocated * sizeof *items);

    for (uint32_t i = 0; i < r->n; i++) {
        items[i] = r->items[(r->head + i) & (r->allocated - 1)];
    }
    mem_free(r->items);
    r->items = items;
    r->head = 0;
    r->allocated = allocated;
}

void
ring_put(struct ring *r, uintptr_t item)
{
    if (r->n == r->allocated) {
        ring_resize(r, MP_MAX(r->allocated * 2, RING_MIN));
    }
    r->items[(r->head + r->n++) & (r->allocated - 1)] = item;
}

uintptr_t
ring_take(struct ring *r)
{
    mp_assert(r->n);

    uintptr_t item = r->items[r->head];

    r->head = (r->head + 1) & (r->allocated - 1);
    r->n--;
    if (r->allocated > RING_MIN && r->n < r->allocated / 4) {
        ring_resize(r, r->allocated / 2);     /* What a burst took is given back. */
    }
    return item;
}

uintptr_t
ring_at(const struct ring *r, uint32_t i)
{
    mp_assert(i < r->n);
    return r->items[(r->head + i) & (r->allocated - 1)];
}

void
ring_uninit(struct ring *r)
{
    mem_free(r->items);
    memset(r, 0, sizeof *r);
}
