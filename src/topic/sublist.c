/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The subscribers of one filter.  The index is a table of positions + 1 with linear probing and
 * at most half full; deletion shifts back instead of leaving marks.  Its hash needs no key, for
 * subscribers' numbers are given out by us.  Positions have 16 bits for as long as they fit.  Not
 * thread-safe. */
#include "topic/sublist.h"

#include "base/mem.h"

struct sublist_array {
    uint32_t allocated;
    uint32_t index_bits;              /* 0: no index. */
    union {
        void *index;
        uint16_t *narrow;             /* allocated <= NARROW_MAX. */
        uint32_t *wide;
    };
    struct subtrie_entry entries[];
};

#define NARROW_MAX 32768u

/* Up to here a scan of the array (two cache lines) beats a table. */
#define SCAN_MAX 16

static struct sublist_array *
many(const struct sublist *l)
{
    struct sublist_array *a;

    memcpy(&a, l->many, sizeof a);
    return a;
}

static void
set_many(struct sublist *l, const struct sublist_array *a)
{
    memcpy(l->many, &a, sizeof a);
}

void
sublist_uninit(struct sublist *l)
{
    if (l->n >= 2) {
        mem_free(many(l)->index);
        mem_free(many(l));
    }
    memset(l, 0, sizeof *l);
}

const struct subtrie_entry *
sublist_entries(const struct sublist *l)
{
    return l->n >= 2 ? many(l)->entries : &l->one;
}

static uint32_t
index_at(const struct sublist_array *a, uint32_t place)
{
    return a->allocated <= NARROW_MAX ? a->narrow[place] : a->wide[place];
}

static void
index_set(struct sublist_array *a, uint32_t place, uint32_t position)
{
    if (a->allocated <= NARROW_MAX) {
        a->narrow[place] = (uint16_t) position;
    } else {
        a->wide[place] = position;
    }
}

static size_t
index_bytes(const struct sublist_array *a)
{
    return a->index_bits
           ? (a->allocated <= NARROW_MAX ? sizeof *a->narrow : sizeof *a->wide) << a->index_bits : 0;
}

static uint32_t
home(const struct sublist_array *a, uint32_t subscriber)
{
    return subscriber * UINT32_C(2654435769) >> (32 - a->index_bits);
}

static uint32_t
index_mask(const struct sublist_array *a)
{
    return (UINT32_C(1) << a->index_bits) - 1;
}

/* The place in the index of 'subscriber', or the empty place where it would be put. */
static uint32_t
index_probe(const struct sublist_array *a, uint32_t subscriber)
{
    uint32_t i = home(a, subscriber);

    uint32_t p;

    while ((p = index_at(a, i)) && a->entries[p - 1].subscriber != subscriber) {
        i = (i + 1) & index_mask(a);
    }
    return i;
}

static void
index_remove(struct sublist_array *a, uint32_t hole)
{
    uint32_t mask = index_mask(a), p;

    for (uint32_t i = (hole + 1) & mask; (p = index_at(a, i)); i = (i + 1) & mask) {
        uint32_t want = home(a, a->entries[p - 1].subscriber);

        /* May move back if its home is not between the hole and itself. */
        if (((i - want) & mask) >= ((i - hole) & mask)) {
            index_set(a, hole, p);
            hole = i;
        }
    }
    index_set(a, hole, 0);
}

/* Position of 'subscriber'; 'n' if it is not there. */
static uint32_t
position(const struct sublist *l, uint32_t subscriber)
{
    if (l->n >= 2 && many(l)->index_bits) {
        uint32_t p = index_at(many(l), index_probe(many(l), subscriber));

        return p ? p - 1 : l->n;
    }

    const struct subtrie_entry *e = sublist_entries(l);
    uint32_t i = 0;

    while (i < l->n && e[i].subscriber != subscriber) {
        i++;
    }
    return i;
}

struct subtrie_entry *
sublist_find(struct sublist *l, uint32_t subscriber)
{
    uint32_t i = position(l, subscriber);

    return i >= l->n ? NULL : l->n >= 2 ? &many(l)->entries[i] : &l->one;
}

/* Gives the array room for 'allocated' entries (a power of two), and the index that goes with it:
 * twice as many places as entries. */
static void
resize(struct sublist *l, uint32_t allocated)
{
    struct sublist_array *a = many(l);

    a = mem_realloc(a, sizeof *a + allocated * sizeof a->entries[0]);
    set_many(l, a);
    a->allocated = allocated;
    mem_free(a->index);
    a->index = NULL;
    a->index_bits = 0;
    if (allocated > SCAN_MAX) {
        a->index_bits = 1 + (uint32_t) __builtin_ctz(allocated);
        a->index = mem_zalloc(index_bytes(a));
        for (uint32_t i = 0; i < l->n; i++) {
            index_set(a, index_probe(a, a->entries[i].subscriber), i + 1);
        }
    }
}

void
sublist_add(struct sublist *l, struct subtrie_entry e)
{
    if (!l->n) {
        l->one = e;
        l->n = 1;
        return;
    }
    if (l->n == 1) {
        struct sublist_array *a = mem_zalloc(sizeof *a + 2 * sizeof a->entries[0]);

        a->allocated = 2;
        a->entries[0] = l->one;
        set_many(l, a);
    } else if (l->n == many(l)->allocated) {
        mp_assert(l->n <= UINT32_MAX / 8);
        resize(l, many(l)->allocated * 2);
    }

    struct sublist_array *a = many(l);

    a->entries[l->n] = e;
    if (a->index_bits) {
        uint32_t place = index_probe(a, e.subscriber);

        mp_assert(!index_at(a, place));
        index_set(a, place, l->n + 1);
    }
    l->n++;
}

bool
sublist_remove(struct sublist *l, uint32_t subscriber)
{
    uint32_t i = position(l, subscriber);

    if (i >= l->n) {
        return false;
    }
    if (l->n == 1) {
        memset(l, 0, sizeof *l);
        return true;
    }

    struct sublist_array *a = many(l);
    uint32_t last = l->n - 1;

    if (a->index_bits) {
        index_remove(a, index_probe(a, subscriber));
        if (i != last) {
            index_set(a, index_probe(a, a->entries[last].subscriber), i + 1);
        }
    }
    a->entries[i] = a->entries[last];
    l->n--;
    if (l->n == 1) {
        struct subtrie_entry one = a->entries[0];

        mem_free(a->index);
        mem_free(a);
        l->one = one;
    } else if (l->n <= a->allocated / 4) {
        resize(l, a->allocated / 2);          /* A quarter: no to and fro at the boundary. */
    }
    return true;
}

size_t
sublist_bytes(const struct sublist *l)
{
    if (l->n < 2) {
        return 0;
    }

    const struct sublist_array *a = many(l);

    return sizeof *a + a->allocated * sizeof a->entries[0] + index_bytes(a);
}
