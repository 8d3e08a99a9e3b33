/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The demultiplexing table: see table.h.  Linear probing; removal shifts back, so that the current
 * table never holds tombstones.  The old table of a migration is only emptied: there a removed slot
 * becomes a tombstone, which keeps the probe sequences of the others whole. */
#include "utcp/table.h"

#include <string.h>

#include "base/mem.h"

#define MIN_SLOTS 64u
#define MOVES_PER_PUT 16u             /* Old slots looked at per insertion: at least 2 / 0.6. */
#define TOMBSTONE 1u                  /* Of no kind, so never a reference. */

static bool
is_live(const struct utcp_slot *s)
{
    return UTCP_REF_KIND(s->ref) != 0;
}

static struct utcp_slot *
new_slots(uint32_t n)
{
    return mem_zalloc_table((size_t) n * sizeof(struct utcp_slot));
}

static void
free_slots(struct utcp_slot *slots, uint32_t mask)
{
    if (slots) {
        mem_free_table(slots, ((size_t) mask + 1) * sizeof *slots);
    }
}

void
utcp_table_init(struct utcp_table *t)
{
    *t = (struct utcp_table) { .slots = new_slots(MIN_SLOTS), .mask = MIN_SLOTS - 1 };
}

void
utcp_table_uninit(struct utcp_table *t)
{
    free_slots(t->slots, t->mask);
    free_slots(t->old, t->old_mask);
    memset(t, 0, sizeof *t);
}

static void
insert(struct utcp_table *t, uint32_t hash, uint32_t ref)
{
    uint32_t i = hash & t->mask;

    while (t->slots[i].ref) {
        i = (i + 1) & t->mask;
    }
    t->slots[i] = (struct utcp_slot) { .hash = hash, .ref = ref };
    t->n++;
}

/* Moves up to 'n' slots of the old table. */
static void
migrate(struct utcp_table *t, uint32_t n)
{
    while (t->old && n--) {
        struct utcp_slot *s = &t->old[t->moved];

        if (is_live(s)) {
            insert(t, s->hash, s->ref);
            s->ref = TOMBSTONE;
        }
        if (t->moved++ == t->old_mask) {
            free_slots(t->old, t->old_mask);
            t->old = NULL;
        }
    }
}

void
utcp_table_put(struct utcp_table *t, uint32_t hash, uint32_t ref)
{
    migrate(t, MOVES_PER_PUT);
    if ((uint64_t) (t->n + 1) * 5 > (uint64_t) (t->mask + 1) * 3) {
        migrate(t, UINT32_MAX);       /* Never needed: growth needs 0.3 of the slots in puts. */
        t->old = t->slots;
        t->old_mask = t->mask;
        t->moved = 0;
        t->mask = t->mask * 2 + 1;
        t->slots = new_slots(t->mask + 1);
        t->n = 0;
    }
    insert(t, hash, ref);
}

/* The slot of 'ref' in a table, NULL if it is not there. */
static struct utcp_slot *
find(struct utcp_slot *slots, uint32_t mask, uint32_t hash, uint32_t ref)
{
    for (uint32_t i = hash & mask; slots[i].ref; i = (i + 1) & mask) {
        if (slots[i].ref == ref) {
            return &slots[i];
        }
    }
    return NULL;
}

static void
shift_back(struct utcp_table *t, uint32_t hole)
{
    uint32_t i = hole;

    for (;;) {
        i = (i + 1) & t->mask;
        if (!t->slots[i].ref) {
            break;
        }

        uint32_t home = t->slots[i].hash & t->mask;

        /* May move only if its home is not cyclically within (hole, i]. */
        if (((i - home) & t->mask) >= ((i - hole) & t->mask)) {
            t->slots[hole] = t->slots[i];
            hole = i;
        }
    }
    t->slots[hole].ref = UTCP_REF_NONE;
}

void
utcp_table_remove(struct utcp_table *t, uint32_t hash, uint32_t ref)
{
    struct utcp_slot *s = find(t->slots, t->mask, hash, ref);

    if (s) {
        shift_back(t, (uint32_t) (s - t->slots));
        t->n--;
        return;
    }
    s = t->old ? find(t->old, t->old_mask, hash, ref) : NULL;
    mp_assert(s);
    s->ref = TOMBSTONE;
}

void
utcp_table_replace(struct utcp_table *t, uint32_t hash, uint32_t ref, uint32_t new_ref)
{
    struct utcp_slot *s = find(t->slots, t->mask, hash, ref);

    if (!s && t->old) {
        s = find(t->old, t->old_mask, hash, ref);
    }
    mp_assert(s);
    s->ref = new_ref;
}

uint32_t
utcp_table_next(const struct utcp_table *t, uint32_t hash, struct utcp_table_iter *it)
{
    if (!it->in_old) {
        for (;;) {
            const struct utcp_slot *s = &t->slots[(hash + it->step) & t->mask];

            it->step++;
            if (!s->ref) {
                break;
            } else if (s->hash == hash) {
                return s->ref;
            }
        }
        it->in_old = true;
        it->step = 0;
    }
    while (t->old && it->step <= t->old_mask) {
        const struct utcp_slot *s = &t->old[(hash + it->step) & t->old_mask];

        it->step++;
        if (!s->ref) {
            break;
        } else if (s->hash == hash && is_live(s)) {
            return s->ref;
        }
    }
    return UTCP_REF_NONE;
}

void
utcp_table_prefetch(const struct utcp_table *t, uint32_t hash)
{
    __builtin_prefetch(&t->slots[hash & t->mask]);
    if (t->old) {
        __builtin_prefetch(&t->old[hash & t->old_mask]);
    }
}

uint32_t
utcp_table_walk(const struct utcp_table *t, uint32_t *pos)
{
    uint64_t n_slots = (uint64_t) t->mask + 1;
    uint64_t n_all = n_slots + (t->old ? (uint64_t) t->old_mask + 1 : 0);

    while (*pos < n_all) {
        const struct utcp_slot *s = *pos < n_slots ? &t->slots[*pos] : &t->old[*pos - n_slots];

        ++*pos;
        if (is_live(s)) {
            return s->ref;
        }
    }
    return UTCP_REF_NONE;
}

size_t
utcp_table_bytes(const struct utcp_table *t)
{
    return sizeof(struct utcp_slot) * ((size_t) t->mask + 1 + (t->old ? (size_t) t->old_mask + 1 : 0));
}
