/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Nodes that are made, split where a second filter parts from their levels, and joined again when
 * one of the two goes: see subnode.h.  All edges are in one hash table with chains. */
#include "topic/subnode.h"

#include "base/mem.h"

#define MIN_BUCKETS 16

static struct subnode_fork *
fork_of(const struct subnodes *s, const struct subnode *n)
{
    return (struct subnode_fork *) subnode_fork(s, n);
}

static uint32_t *
bucket_of(const struct subnodes *s, uint32_t hash)
{
    return &s->buckets[hash & (s->n_buckets - 1)];
}

void
subnodes_init(struct subnodes *s, const struct siphash_key *key)
{
    *s = (struct subnodes) { .key = *key, .n_buckets = MIN_BUCKETS };
    slab_init(&s->nodes, sizeof(struct subnode), 0);
    slab_init(&s->forks, sizeof(struct subnode_fork), 0);
    s->root = slab_alloc(&s->nodes);
    s->buckets = mem_zalloc_table(s->n_buckets * sizeof *s->buckets);
}

/* Frees what a node has on the heap. */
static void
node_uninit(struct subnodes *s, struct subnode *n)
{
    s->heap_bytes -= sublist_bytes(&n->subs);
    sublist_uninit(&n->subs);
    if (n->label_n > SUBNODE_INLINE) {
        s->heap_bytes -= n->label_n;
        mem_free((uint8_t *) subnode_label(n).p);
    }
}

void
subnodes_uninit(struct subnodes *s)
{
    for (uint32_t b = 0; b < s->n_buckets; b++) {
        for (uint32_t idx = s->buckets[b]; idx; idx = subnode_at(s, idx)->hash_next) {
            node_uninit(s, subnode_at(s, idx));
        }
    }
    slab_uninit(&s->nodes);
    slab_uninit(&s->forks);
    mem_free_table(s->buckets, s->n_buckets * sizeof *s->buckets);
}

size_t
subnodes_bytes(const struct subnodes *s)
{
    return slab_used(&s->nodes) + slab_used(&s->forks) + s->n_buckets * sizeof *s->buckets
           + s->heap_bytes;
}

/* ---- Labels ---- */

/* 'text' may lie in the present label. */
static void
set_label(struct subnodes *s, struct subnode *n, struct slice text)
{
    uint8_t *old = n->label_n > SUBNODE_INLINE ? (uint8_t *) subnode_label(n).p : NULL;

    s->heap_bytes -= old ? n->label_n : 0;
    if (text.n > SUBNODE_INLINE) {
        uint8_t *copy = mem_dup(text.p, text.n);

        memcpy(n->label, &copy, sizeof copy);
        s->heap_bytes += text.n;
    } else if (text.n) {
        memmove(n->label, text.p, text.n);
    }
    n->label_n = (uint16_t) text.n;
    mem_free(old);
}

/* 'above' and the present label. */
static void
lengthen_label(struct subnodes *s, struct subnode *n, struct slice above)
{
    struct slice label = subnode_label(n);
    uint32_t size = above.n + 1 + label.n;
    uint8_t small[SUBNODE_INLINE], *p = size > sizeof small ? mem_alloc(size) : small;

    memcpy(p, above.p, above.n);
    p[above.n] = '/';
    memcpy(p + above.n + 1, label.p, label.n);
    set_label(s, n, (struct slice) { p, size });
    if (p != small) {
        mem_free(p);
    }
}

static bool
is_end_of_level(struct slice text, uint32_t i)
{
    return i == text.n || text.p[i] == '/';
}

/* How far two texts with the same first level are the same, in whole levels. */
static uint32_t
common_levels(struct slice a, struct slice b)
{
    uint32_t n = MP_MIN(a.n, b.n), levels = 0, i;

    for (i = 0; i < n && a.p[i] == b.p[i]; i++) {
        if (a.p[i] == '/') {
            levels = i;
        }
    }
    return is_end_of_level(a, i) && is_end_of_level(b, i) ? i : levels;
}

/* ---- Edges ---- */

/* The keyed hash is of the level, which strangers choose; the parent is mixed in afterwards, so
 * that a match hashes each level once. */
static uint32_t
edge_hash(uint32_t parent, uint64_t level_hash)
{
    uint64_t x = level_hash + parent * UINT64_C(0x9e3779b97f4a7c15);

    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t) (x >> 32);
}

uint32_t
subnode_child(const struct subnodes *s, uint32_t parent, struct slice level, uint64_t level_hash)
{
    uint32_t hash = edge_hash(parent, level_hash);
    uint32_t idx = *bucket_of(s, hash);

    while (idx) {
        const struct subnode *n = subnode_at(s, idx);

        if (n->hash == hash && n->parent == parent && n->label_n >= level.n) {
            struct slice label = subnode_label(n);

            if (is_end_of_level(label, level.n) && !memcmp(label.p, level.p, level.n)) {
                break;
            }
        }
        idx = n->hash_next;
    }
    return idx;
}

static void
link_edge(struct subnodes *s, uint32_t idx)
{
    struct subnode *n = subnode_at(s, idx);
    uint32_t *bucket = bucket_of(s, n->hash);

    n->hash_next = *bucket;
    *bucket = idx;
}

static void
unlink_edge(struct subnodes *s, uint32_t idx)
{
    const struct subnode *n = subnode_at(s, idx);
    uint32_t *link = bucket_of(s, n->hash);

    while (*link != idx) {
        link = &subnode_at(s, *link)->hash_next;
    }
    *link = n->hash_next;
}

static void
grow_table(struct subnodes *s)
{
    uint32_t n_old = s->n_buckets;
    uint32_t *old = s->buckets;

    s->n_buckets *= 2;
    s->buckets = mem_zalloc_table(s->n_buckets * sizeof *s->buckets);
    for (uint32_t b = 0; b < n_old; b++) {
        uint32_t idx = old[b];

        while (idx) {
            uint32_t next = subnode_at(s, idx)->hash_next;

            link_edge(s, idx);
            idx = next;
        }
    }
    mem_free_table(old, n_old * sizeof *old);
}

static uint32_t
new_node(struct subnodes *s)
{
    uint32_t idx = slab_alloc(&s->nodes);

    mp_assert(idx);                   /* The callers' limits are far below 2^31. */
    if (s->nodes.n > s->n_buckets) {
        grow_table(s);
    }
    return idx;
}

static bool
begins_with(const struct subnode *n, uint8_t wildcard)
{
    return n->label_n && subnode_label(n).p[0] == wildcard;   /* It fills its level. */
}

/* A node that has its label, and whose first level has 'level_hash', becomes a child. */
static void
put_child(struct subnodes *s, uint32_t parent, uint32_t idx, uint64_t level_hash)
{
    struct subnode *p = subnode_at(s, parent), *n = subnode_at(s, idx);
    struct subnode_fork *f;

    if (!p->fork) {
        p->fork = slab_alloc(&s->forks);
        mp_assert(p->fork && p->fork < SUBNODE_MULTI);
    }
    f = fork_of(s, p);
    f->n++;
    f->sum ^= idx;
    if (begins_with(n, '+')) {
        f->plus = idx;
        p->fork |= SUBNODE_PLUS;
    } else if (begins_with(n, '#')) {
        f->multi = idx;
        p->fork |= SUBNODE_MULTI;
    }
    n->parent = parent;
    n->hash = edge_hash(parent, level_hash);
    link_edge(s, idx);
}

/* A node that has no children goes. */
static void
remove_leaf(struct subnodes *s, uint32_t idx)
{
    struct subnode *n = subnode_at(s, idx), *p = subnode_at(s, n->parent);
    struct subnode_fork *f = fork_of(s, p);

    unlink_edge(s, idx);
    f->sum ^= idx;
    if (f->plus == idx) {
        f->plus = SLAB_NONE;
        p->fork &= ~SUBNODE_PLUS;
    } else if (f->multi == idx) {
        f->multi = SLAB_NONE;
        p->fork &= ~SUBNODE_MULTI;
    }
    if (!--f->n) {
        slab_free(&s->forks, p->fork);
        p->fork = SLAB_NONE;
    }
    node_uninit(s, n);
    slab_free(&s->nodes, idx);
}

/* 'new', which begins with the same level, stands where 'old' stood below its parent. */
static void
replace_child(struct subnodes *s, uint32_t old, uint32_t new)
{
    const struct subnode *o = subnode_at(s, old);
    struct subnode_fork *f = fork_of(s, subnode_at(s, o->parent));
    struct subnode *n = subnode_at(s, new);

    unlink_edge(s, old);
    f->sum ^= old ^ new;
    f->plus = f->plus == old ? new : f->plus;       /* Below "#" there is nothing. */
    n->parent = o->parent;
    n->hash = o->hash;
    link_edge(s, new);
}

/* Parts the first 'n' bytes of a label from the rest: a new node above, which is returned. */
static uint32_t
split(struct subnodes *s, uint32_t idx, uint32_t n)
{
    uint32_t above = new_node(s);
    struct subnode *low = subnode_at(s, idx);
    struct slice label = subnode_label(low);
    struct slice rest = { label.p + n + 1, label.n - n - 1 };

    set_label(s, subnode_at(s, above), (struct slice) { label.p, n });
    replace_child(s, idx, above);
    set_label(s, low, rest);
    put_child(s, above, idx, subnode_hash(s, subnode_first_level(subnode_label(low))));
    return above;
}

/* A node without subscribers and its only child become one, under the child's index. */
static void
join(struct subnodes *s, uint32_t idx)
{
    struct subnode *n = subnode_at(s, idx);
    uint32_t child = subnode_fork(s, n)->sum;

    unlink_edge(s, child);
    lengthen_label(s, subnode_at(s, child), subnode_label(n));
    replace_child(s, idx, child);
    slab_free(&s->forks, n->fork & ~(SUBNODE_PLUS | SUBNODE_MULTI));
    node_uninit(s, n);
    slab_free(&s->nodes, idx);
}

/* ---- Filters ---- */

uint32_t
subnode_find(const struct subnodes *s, struct slice rest)
{
    uint32_t idx = s->root;

    for (;;) {
        struct slice level = subnode_first_level(rest), label;

        idx = subnode_child(s, idx, level, subnode_hash(s, level));
        if (!idx) {
            return SLAB_NONE;
        }
        label = subnode_label(subnode_at(s, idx));
        if (label.n > rest.n || memcmp(label.p, rest.p, label.n)
            || !is_end_of_level(rest, label.n)) {
            return SLAB_NONE;
        } else if (label.n == rest.n) {
            return idx;
        }
        rest = (struct slice) { rest.p + label.n + 1, rest.n - label.n - 1 };
    }
}

uint32_t
subnode_make(struct subnodes *s, struct slice rest)
{
    uint32_t idx = s->root;

    for (;;) {
        struct slice level = subnode_first_level(rest);
        uint64_t hash = subnode_hash(s, level);
        uint32_t child = subnode_child(s, idx, level, hash), n;

        if (!child) {
            child = new_node(s);
            set_label(s, subnode_at(s, child), rest);
            put_child(s, idx, child, hash);
            return child;
        }
        n = common_levels(subnode_label(subnode_at(s, child)), rest);
        idx = n < subnode_at(s, child)->label_n ? split(s, child, n) : child;
        if (n == rest.n) {
            return idx;
        }
        rest = (struct slice) { rest.p + n + 1, rest.n - n - 1 };
    }
}

void
subnode_prune(struct subnodes *s, uint32_t idx)
{
    const struct subnode *n = subnode_at(s, idx);

    if (!n->fork) {
        uint32_t parent = n->parent;

        remove_leaf(s, idx);
        idx = parent;
        n = subnode_at(s, idx);
    }
    if (idx != s->root && !n->subs.n && subnode_fork(s, n)->n == 1) {
        join(s, idx);
    }
}
