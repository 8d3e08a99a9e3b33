/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The hierarchical timing wheel.  Tick t is the instant t * tick_us.  With S slots a level, level l
 * holds the objects that are due S^l .. S^(l+1) - 1 ticks after the present tick, in the slot that
 * the l-th digit to the base S of their due tick names.  The present tick ("tick") is the next to be
 * run; whenever it becomes a multiple of S^l, the slot of level l that its l-th digit names is to be
 * spread over the levels below before anything else expires: its objects leave it at once, for
 * "spreading", so that a slot of level l >= 1 with the present number belongs to the next rotation.
 *
 *     S = 2048, tick = 1 * S + 2046     level 0: slots 2046, 2047, 0 .. 2045
 *                                       level 1: slots 2, 3, .. 2047, 0, 1 (1: S^2 ticks later)
 *
 * The reach is 2^32 - 1 ticks (49 days of milliseconds); what is armed for later fires then, early,
 * and its owner, who keeps the instant, arms it again.  Objects of one tick expire in no particular
 * order. */
#include "base/wheel.h"

#include <string.h>

#include "base/mem.h"

#define BUCKET_TAG 0x80000000u
#define SLOT_MASK (WHEEL_SLOTS - 1u)
#define MAX_DELTA UINT64_C(0xffffffff)
#define MAX_SPREAD 1024               /* In one call: some ten microseconds. */

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

/* Buckets are the slots, then the lists of 'spreading', counted as slots of levels that are not. */
static uint32_t *
head_of(struct wheel *w, uint32_t level, uint32_t slot)
{
    return level < WHEEL_LEVELS ? &w->heads[level][slot] : &w->spreading[level - WHEEL_LEVELS];
}

/* Links 'idx', due at tick 'due' >= w->tick, into its slot. */
static void
link_at(struct wheel *w, uint32_t idx, uint64_t due)
{
    uint64_t delta = due - w->tick;
    uint32_t level = delta < WHEEL_SLOTS ? 0 : delta < (uint64_t) WHEEL_SLOTS * WHEEL_SLOTS ? 1 : 2;
    uint32_t slot = (uint32_t) (due >> level * WHEEL_LEVEL_BITS) & SLOT_MASK;
    struct wheel_node *node = node_at(w, idx);
    uint32_t *head = &w->heads[level][slot];

    node->prev = BUCKET_TAG | level << WHEEL_LEVEL_BITS | slot;
    node->next = *head;
    if (*head) {
        node_at(w, *head)->prev = idx;
    } else {
        w->occupied[level][slot / 64] |= UINT64_C(1) << slot % 64;
        w->words[level] |= 1u << slot / 64;
    }
    *head = idx;
}

static void
set_empty(struct wheel *w, uint32_t level, uint32_t slot)
{
    w->occupied[level][slot / 64] &= ~(UINT64_C(1) << slot % 64);
    if (!w->occupied[level][slot / 64]) {
        w->words[level] &= ~(1u << slot / 64);
    }
}

static void
unlink_node(struct wheel *w, struct wheel_node *node)
{
    if (node->next) {
        node_at(w, node->next)->prev = node->prev;
    }
    if (node->prev & BUCKET_TAG) {
        uint32_t level = (node->prev & ~BUCKET_TAG) >> WHEEL_LEVEL_BITS;
        uint32_t slot = node->prev & SLOT_MASK;

        *head_of(w, level, slot) = node->next;
        if (!node->next && level < WHEEL_LEVELS) {
            set_empty(w, level, slot);
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

/* Distance from slot 'from' to the next occupied one, going round; WHEEL_SLOTS if there is none. */
static uint32_t
next_occupied(const struct wheel *w, uint32_t level, uint32_t from)
{
    uint32_t word = from / 64, words = w->words[level];
    uint64_t v = w->occupied[level][word] >> from % 64;

    if (v) {
        return (uint32_t) __builtin_ctzll(v);
    }
    if (!words) {
        return WHEEL_SLOTS;
    }

    uint32_t later = words & ~(((1u << word) << 1) - 1);
    uint32_t at = (uint32_t) __builtin_ctz(later ? later : words);
    uint32_t slot = at * 64 + (uint32_t) __builtin_ctzll(w->occupied[level][at]);

    return (slot - from) & SLOT_MASK;
}

_Static_assert(WHEEL_SLOTS / 64 == 32, "one bit of 'words' each");

/* The next tick at which a slot of level 0 is due or another is to be spread. */
static uint64_t
next_tick(const struct wheel *w)
{
    uint32_t k = next_occupied(w, 0, (uint32_t) w->tick & SLOT_MASK);
    uint64_t best = k < WHEEL_SLOTS ? w->tick + k : UINT64_MAX;

    for (uint32_t level = 1; level < WHEEL_LEVELS; level++) {
        uint64_t turn = (w->tick >> level * WHEEL_LEVEL_BITS) + 1;

        k = next_occupied(w, level, (uint32_t) turn & SLOT_MASK);
        if (k < WHEEL_SLOTS) {
            uint64_t t = (turn + k) << level * WHEEL_LEVEL_BITS;

            best = MP_MIN(best, t);
        }
    }
    return best;
}

static void
set_spreading(struct wheel *w, uint32_t level, uint32_t idx)
{
    w->spreading[level] = idx;
    if (idx) {
        node_at(w, idx)->prev = BUCKET_TAG | (WHEEL_LEVELS + level) << WHEEL_LEVEL_BITS;
    }
}

static void
begin_spreading(struct wheel *w, uint32_t level)
{
    uint32_t slot = (uint32_t) (w->tick >> level * WHEEL_LEVEL_BITS) & SLOT_MASK;

    set_spreading(w, level, w->heads[level][slot]);
    w->heads[level][slot] = 0;
    set_empty(w, level, slot);
}

static bool
is_spreading(const struct wheel *w)
{
    uint32_t any = 0;

    for (uint32_t level = 1; level < WHEEL_LEVELS; level++) {
        any |= w->spreading[level];
    }
    return any;
}

/* Spreads what is left, up to '*budget' objects; false: there is more. */
static bool
spread(struct wheel *w, uint32_t *budget)
{
    for (uint32_t level = WHEEL_LEVELS - 1; level > 0 && *budget; level--) {
        uint32_t idx = w->spreading[level];

        if (!idx) {
            continue;
        }
        for (; idx && *budget; --*budget) {
            uint32_t next = node_at(w, idx)->next;
            uint32_t delta = *due_at(w, idx) - (uint32_t) w->tick;

            if (next) {
                __builtin_prefetch(node_at(w, next), 1);
            }
            link_at(w, idx, w->tick + delta);
            idx = next;
        }
        set_spreading(w, level, idx);
    }
    return !is_spreading(w);
}

/* Goes on to 'tick'; between there must be no tick at which something is to be done. */
static void
advance(struct wheel *w, uint64_t tick)
{
    w->tick = tick;
    for (uint32_t level = WHEEL_LEVELS - 1; level > 0; level--) {
        if (!(tick & ((UINT64_C(1) << level * WHEEL_LEVEL_BITS) - 1))) {
            begin_spreading(w, level);
        }
    }
}

uint32_t
wheel_next_expired(struct wheel *w, usec_t now)
{
    uint64_t now_tick = now > 0 ? (uint64_t) (now / w->tick_us) : 0;
    uint32_t budget = MAX_SPREAD;

    while (w->tick <= now_tick && spread(w, &budget)) {
        uint32_t idx = w->heads[0][w->tick & SLOT_MASK];

        if (idx) {
            slab_prefetch(w->slab, node_at(w, idx)->next);    /* Comes next. */
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
    if (!w->n) {
        return CLOCK_NEVER;
    }
    return (usec_t) ((is_spreading(w) ? w->tick : next_tick(w)) * (uint64_t) w->tick_us);
}
