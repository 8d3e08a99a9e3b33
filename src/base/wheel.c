/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The hierarchical timing wheel.  Tick t is the instant t * tick_us.  Level l holds the objects
 * that are due 256^l .. 256^(l+1) - 1 ticks after the present tick, in the slot that the l-th byte
 * of their due tick names.  The present tick ("tick") is the next to be run; whenever it becomes a
 * multiple of 256^l, slot (tick >> 8l) & 255 of level l is spread over the levels below at once,
 * so that at rest a slot of level l >= 1 with the present number belongs to the next rotation.
 *
 *     tick = 0x00_00_01_fe   level 0: 01fe, 01ff, 0200 .. 02fd
 *                            level 1: slots 02, 03, .. ff, 00, 01 (= ticks 0x1_01xx)
 *
 * The reach is 2^32 - 1 ticks (49 days of milliseconds); what is armed for later fires then, early,
 * and its owner, who keeps the instant, arms it again.  Objects of one tick expire in no particular
 * order. */
#include "base/wheel.h"

#include <string.h>

#include "base/mem.h"

#define BUCKET_TAG 0x80000000u
#define SLOT_MASK (WHEEL_SLOTS - 1u)
#define LEVEL_BITS 8
#define MAX_DELTA UINT64_C(0xffffffff)

static struct wheel_node *
node_at(const struct wheel *w, uint32_t idx)
{
    return (struct wheel_node *) ((char *) slab_at(w->slab, idx) + w->node_offset);
}

static uint32_t *
due_at(const struct wheel *w, uint32_t idx)
{
    return (uint32_t *) ((char *) slab_at(w->slab, idx) + w->due_offset);
}

void
wheel_init(struct wheel *w, const struct slab *slab, size_t node_offset, size_t due_offset,
           usec_t tick_us, usec_t now)
{
    mp_assert(tick_us > 0 && now >= 0);
    memset(w, 0, sizeof *w);
    w->slab = slab;
    w->node_offset = node_offset;
    w->due_offset = due_offset;
    w->tick_us = tick_us;
    w->tick = (uint64_t) (now / tick_us);
}

/* Links 'idx', due at tick 'due' >= w->tick, into its slot. */
static void
link_at(struct wheel *w, uint32_t idx, uint64_t due)
{
    uint64_t delta = due - w->tick;
    uint32_t level = delta < 1u << 8 ? 0 : delta < 1u << 16 ? 1 : delta < 1u << 24 ? 2 : 3;
    uint32_t slot = (uint32_t) (due >> level * LEVEL_BITS) & SLOT_MASK;
    struct wheel_node *node = node_at(w, idx);
    uint32_t *head = &w->heads[level][slot];

    node->prev = BUCKET_TAG | level << LEVEL_BITS | slot;
    node->next = *head;
    if (*head) {
        node_at(w, *head)->prev = idx;
    } else {
        w->occupied[level][slot / 64] |= UINT64_C(1) << slot % 64;
    }
    *head = idx;
}

static void
unlink_node(struct wheel *w, struct wheel_node *node)
{
    if (node->next) {
        node_at(w, node->next)->prev = node->prev;
    }
    if (node->prev & BUCKET_TAG) {
        uint32_t level = (node->prev & ~BUCKET_TAG) >> LEVEL_BITS;
        uint32_t slot = node->prev & SLOT_MASK;

        w->heads[level][slot] = node->next;
        if (!node->next) {
            w->occupied[level][slot / 64] &= ~(UINT64_C(1) << slot % 64);
        }
    } else {
        node_at(w, node->prev)->next = node->next;
    }
    node->prev = node->next = 0;
}

void
wheel_arm(struct wheel *w, uint32_t idx, usec_t at)
{
    struct wheel_node *node = node_at(w, idx);

    if (at == CLOCK_NEVER) {
        wheel_disarm(w, idx);
        return;
    }

    uint64_t tick_us = (uint64_t) w->tick_us;
    uint64_t due = at > 0 ? ((uint64_t) at + tick_us - 1) / tick_us : 0;

    due = MP_MAX(due, w->tick);
    due = MP_MIN(due, w->tick + MAX_DELTA);
    if (node->prev) {
        if (*due_at(w, idx) == (uint32_t) due) {
            return;
        }
        unlink_node(w, node);
    } else {
        w->n++;
    }
    *due_at(w, idx) = (uint32_t) due;
    link_at(w, idx, due);
}

void
wheel_disarm(struct wheel *w, uint32_t idx)
{
    struct wheel_node *node = node_at(w, idx);

    if (node->prev) {
        unlink_node(w, node);
        w->n--;
    }
}

bool
wheel_is_armed(const struct wheel *w, uint32_t idx)
{
    return node_at(w, idx)->prev != 0;
}

/* Distance from 'from' to the next set bit, going round; WHEEL_SLOTS if there is none. */
static uint32_t
next_occupied(const uint64_t *bits, uint32_t from)
{
    uint32_t word = from / 64;
    uint64_t v = bits[word] >> from % 64;

    if (v) {
        return (uint32_t) __builtin_ctzll(v);
    }
    for (uint32_t i = 1; i <= WHEEL_SLOTS / 64; i++) {
        uint32_t at = (word + i) % (WHEEL_SLOTS / 64);

        if (bits[at]) {
            uint32_t slot = at * 64 + (uint32_t) __builtin_ctzll(bits[at]);

            return (slot - from) & SLOT_MASK;
        }
    }
    return WHEEL_SLOTS;
}

/* The next tick at which a slot of level 0 is due or another is to be spread. */
static uint64_t
next_tick(const struct wheel *w)
{
    uint32_t k = next_occupied(w->occupied[0], (uint32_t) w->tick & SLOT_MASK);
    uint64_t best = k < WHEEL_SLOTS ? w->tick + k : UINT64_MAX;

    for (uint32_t level = 1; level < WHEEL_LEVELS; level++) {
        uint64_t turn = (w->tick >> level * LEVEL_BITS) + 1;

        k = next_occupied(w->occupied[level], (uint32_t) turn & SLOT_MASK);
        if (k < WHEEL_SLOTS) {
            uint64_t t = (turn + k) << level * LEVEL_BITS;

            best = MP_MIN(best, t);
        }
    }
    return best;
}

static void
cascade(struct wheel *w, uint32_t level)
{
    uint32_t slot = (uint32_t) (w->tick >> level * LEVEL_BITS) & SLOT_MASK;
    uint32_t idx = w->heads[level][slot];

    w->heads[level][slot] = 0;
    w->occupied[level][slot / 64] &= ~(UINT64_C(1) << slot % 64);
    while (idx) {
        uint32_t next = node_at(w, idx)->next;
        uint32_t delta = *due_at(w, idx) - (uint32_t) w->tick;

        link_at(w, idx, w->tick + delta);
        idx = next;
    }
}

/* Goes on to 'tick'; between there must be no tick at which something is to be done. */
static void
advance(struct wheel *w, uint64_t tick)
{
    w->tick = tick;
    for (uint32_t level = WHEEL_LEVELS - 1; level > 0; level--) {
        if (!(tick & ((UINT64_C(1) << level * LEVEL_BITS) - 1))) {
            cascade(w, level);
        }
    }
}

uint32_t
wheel_next_expired(struct wheel *w, usec_t now)
{
    uint64_t now_tick = now > 0 ? (uint64_t) (now / w->tick_us) : 0;

    while (w->tick <= now_tick) {
        uint32_t idx = w->heads[0][w->tick & SLOT_MASK];

        if (idx) {
            unlink_node(w, node_at(w, idx));
            w->n--;
            return idx;
        }

        uint64_t next = next_tick(w);

        advance(w, MP_MIN(next, now_tick + 1));
    }
    return SLAB_NONE;
}

usec_t
wheel_deadline(const struct wheel *w)
{
    return w->n ? (usec_t) (next_tick(w) * (uint64_t) w->tick_us) : CLOCK_NEVER;
}
