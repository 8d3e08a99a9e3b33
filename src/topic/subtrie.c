/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The trie of Topic Filters.  One node per level of a filter, one cache line each, in a slab.  All
 * edges are in one hash table, keyed by (parent, level); the edges '+' and '#' are also in the
 * parent, because a match asks for them at every level.
 *
 *     "a/+", "a/#"      root -- "a" --+-- "+"   *      * = has subscribers
 *                                     `-- "#"   *
 *
 * A match keeps the set of nodes that match the levels read so far (the frontier) and goes level
 * by level, with one hash of the level's bytes for all of them; so it needs no recursion, and
 * costs nothing for filters that lie elsewhere.  A node without subscribers and children does not
 * exist.  Not thread-safe. */
#include "topic/subtrie.h"

#include "base/mem.h"
#include "base/slab.h"
#include "topic/sublist.h"

#define INLINE_NAME 22

struct node {
    struct sublist subs;
    uint32_t parent;                  /* SLAB_NONE in the root. */
    uint32_t hash_next;
    uint32_t hash;
    uint32_t plus, multi;             /* Children "+" and "#". */
    uint32_t n_children;              /* All kinds. */
    uint16_t name_len;
    union {
        uint8_t name[INLINE_NAME];
        uint8_t long_name[sizeof(void *)];    /* The bytes of a pointer, unaligned. */
    };
};

/* 1,000,000 filters that differ in their last level: 64 MB of nodes, 4..8 MB of table. */
_Static_assert(sizeof(struct node) <= 64, "a node is one cache line");

struct frontier {
    uint32_t *nodes;
    size_t n, allocated;
};

struct scratch {                      /* Of a match. */
    struct frontier now, next;
};

struct subtrie {
    struct siphash_key key;
    struct slab nodes;
    uint32_t root;
    uint32_t *buckets;
    uint32_t n_buckets;               /* Power of two. */
    uint32_t n_filters;
    size_t heap_bytes;                /* Long names and lists of subscribers. */
    struct scratch *scratch;
};

#define MIN_BUCKETS 16

static struct node *
node_at(const struct subtrie *t, uint32_t idx)
{
    return slab_at(&t->nodes, idx);
}

static const uint8_t *
node_name(const struct node *n)
{
    uint8_t *p;

    if (n->name_len <= INLINE_NAME) {
        return n->name;
    }
    memcpy(&p, n->long_name, sizeof p);
    return p;
}

struct subtrie *
subtrie_create(const struct siphash_key *key)
{
    struct subtrie *t = mem_zalloc(sizeof *t);

    t->key = *key;
    slab_init(&t->nodes, sizeof(struct node), 0);
    t->root = slab_alloc(&t->nodes);
    t->n_buckets = MIN_BUCKETS;
    t->buckets = mem_zalloc(t->n_buckets * sizeof *t->buckets);
    t->scratch = mem_zalloc(sizeof *t->scratch);
    return t;
}

/* Frees what a node has on the heap. */
static void
node_uninit(struct subtrie *t, struct node *n)
{
    t->heap_bytes -= sublist_bytes(&n->subs);
    sublist_uninit(&n->subs);
    if (n->name_len > INLINE_NAME) {
        t->heap_bytes -= n->name_len;
        mem_free((uint8_t *) node_name(n));
    }
}

void
subtrie_destroy(struct subtrie *t)
{
    if (!t) {
        return;
    }
    for (uint32_t b = 0; b < t->n_buckets; b++) {
        for (uint32_t idx = t->buckets[b]; idx; idx = node_at(t, idx)->hash_next) {
            node_uninit(t, node_at(t, idx));
        }
    }
    slab_uninit(&t->nodes);
    mem_free(t->buckets);
    mem_free(t->scratch->now.nodes);
    mem_free(t->scratch->next.nodes);
    mem_free(t->scratch);
    mem_free(t);
}

/* Takes the next level off 'rest'; false when there was none.  "a/" has two levels, the second
 * empty. */
static bool
next_level(struct slice *rest, struct slice *level)
{
    if (!rest->p) {
        return false;
    }

    const uint8_t *slash = rest->n ? memchr(rest->p, '/', rest->n) : NULL;

    if (slash) {
        *level = (struct slice) { rest->p, (uint32_t) (slash - rest->p) };
        *rest = (struct slice) { slash + 1, rest->n - level->n - 1 };
    } else {
        *level = *rest;
        *rest = (struct slice) { NULL, 0 };
    }
    return true;
}

static bool
level_is(struct slice level, char c)
{
    return level.n == 1 && level.p[0] == c;
}

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

static uint32_t
find_child(const struct subtrie *t, uint32_t parent, struct slice level, uint64_t level_hash)
{
    uint32_t hash = edge_hash(parent, level_hash);
    uint32_t idx = t->buckets[hash & (t->n_buckets - 1)];

    while (idx) {
        const struct node *n = node_at(t, idx);

        if (n->hash == hash && n->parent == parent && n->name_len == level.n
            && !memcmp(node_name(n), level.p, level.n)) {
            break;
        }
        idx = n->hash_next;
    }
    return idx;
}

static uint32_t
find_node(const struct subtrie *t, struct slice filter)
{
    uint32_t idx = t->root;
    struct slice level;

    while (idx && next_level(&filter, &level)) {
        idx = find_child(t, idx, level, siphash(&t->key, level.p, level.n));
    }
    return idx;
}

static void
grow_table(struct subtrie *t)
{
    uint32_t n = t->n_buckets * 2;
    uint32_t *buckets = mem_zalloc(n * sizeof *buckets);

    for (uint32_t b = 0; b < t->n_buckets; b++) {
        uint32_t idx = t->buckets[b];

        while (idx) {
            struct node *node = node_at(t, idx);
            uint32_t next = node->hash_next;

            node->hash_next = buckets[node->hash & (n - 1)];
            buckets[node->hash & (n - 1)] = idx;
            idx = next;
        }
    }
    mem_free(t->buckets);
    t->buckets = buckets;
    t->n_buckets = n;
}

static uint32_t
add_child(struct subtrie *t, uint32_t parent, struct slice level, uint64_t level_hash)
{
    uint32_t idx = slab_alloc(&t->nodes);

    mp_assert(idx);                   /* The callers' limits are far below 2^31. */
    if (t->nodes.n > t->n_buckets) {
        grow_table(t);
    }

    struct node *n = node_at(t, idx);
    struct node *p = node_at(t, parent);

    n->parent = parent;
    n->hash = edge_hash(parent, level_hash);
    n->name_len = (uint16_t) level.n;
    if (level.n <= INLINE_NAME) {
        if (level.n) {
            memcpy(n->name, level.p, level.n);
        }
    } else {
        uint8_t *copy = mem_dup(level.p, level.n);

        memcpy(n->long_name, &copy, sizeof copy);
        t->heap_bytes += level.n;
    }
    n->hash_next = t->buckets[n->hash & (t->n_buckets - 1)];
    t->buckets[n->hash & (t->n_buckets - 1)] = idx;
    p->n_children++;
    if (level_is(level, '+')) {
        p->plus = idx;
    } else if (level_is(level, '#')) {
        p->multi = idx;
    }
    return idx;
}

static void
remove_child(struct subtrie *t, uint32_t idx)
{
    struct node *n = node_at(t, idx);
    struct node *p = node_at(t, n->parent);
    uint32_t *link = &t->buckets[n->hash & (t->n_buckets - 1)];

    while (*link != idx) {
        link = &node_at(t, *link)->hash_next;
    }
    *link = n->hash_next;
    p->n_children--;
    if (p->plus == idx) {
        p->plus = SLAB_NONE;
    } else if (p->multi == idx) {
        p->multi = SLAB_NONE;
    }
    node_uninit(t, n);
    slab_free(&t->nodes, idx);
}

enum subtrie_put_result
subtrie_put(struct subtrie *t, struct slice filter, uint32_t subscriber, uint32_t value)
{
    uint32_t idx = t->root;
    struct slice level;

    mp_assert(filter.p && filter.n && filter.n <= UINT16_MAX);
    while (next_level(&filter, &level)) {
        uint64_t level_hash = siphash(&t->key, level.p, level.n);
        uint32_t child = find_child(t, idx, level, level_hash);

        idx = child ? child : add_child(t, idx, level, level_hash);
    }

    struct sublist *subs = &node_at(t, idx)->subs;
    struct subtrie_entry *e = sublist_find(subs, subscriber);

    if (e) {
        e->value = value;
        return SUBTRIE_REPLACED;
    }
    t->heap_bytes -= sublist_bytes(subs);
    sublist_add(subs, (struct subtrie_entry) { subscriber, value });
    t->heap_bytes += sublist_bytes(subs);
    if (subs->n > 1) {
        return SUBTRIE_ADDED;
    }
    t->n_filters++;
    return SUBTRIE_ADDED_FIRST;
}

enum subtrie_remove_result
subtrie_remove(struct subtrie *t, struct slice filter, uint32_t subscriber)
{
    uint32_t idx = find_node(t, filter);

    if (!idx || idx == t->root) {
        return SUBTRIE_NOT_FOUND;
    }

    struct sublist *subs = &node_at(t, idx)->subs;
    size_t before = sublist_bytes(subs);

    if (!sublist_remove(subs, subscriber)) {
        return SUBTRIE_NOT_FOUND;
    }
    t->heap_bytes = t->heap_bytes - before + sublist_bytes(subs);
    if (subs->n) {
        return SUBTRIE_REMOVED;
    }
    t->n_filters--;
    while (idx != t->root && !node_at(t, idx)->subs.n && !node_at(t, idx)->n_children) {
        uint32_t parent = node_at(t, idx)->parent;

        remove_child(t, idx);
        idx = parent;
    }
    return SUBTRIE_REMOVED_LAST;
}

const struct subtrie_entry *
subtrie_find(const struct subtrie *t, struct slice filter, uint32_t subscriber)
{
    uint32_t idx = find_node(t, filter);

    return idx ? sublist_find(&node_at(t, idx)->subs, subscriber) : NULL;
}

uint32_t
subtrie_n_subscribers(const struct subtrie *t, struct slice filter)
{
    uint32_t idx = find_node(t, filter);

    return idx ? node_at(t, idx)->subs.n : 0;
}

uint32_t
subtrie_n_filters(const struct subtrie *t)
{
    return t->n_filters;
}

size_t
subtrie_bytes(const struct subtrie *t)
{
    return sizeof *t + slab_used(&t->nodes) + t->n_buckets * sizeof *t->buckets + t->heap_bytes
           + sizeof *t->scratch
           + (t->scratch->now.allocated + t->scratch->next.allocated) * sizeof(uint32_t);
}

static void
collect(const struct subtrie *t, uint32_t idx, struct subtrie_set *set)
{
    if (!idx) {
        return;
    }

    const struct sublist *subs = &node_at(t, idx)->subs;

    if (subs->n) {
        set->entries = mem_grow(set->entries, &set->allocated, set->n + subs->n,
                                sizeof *set->entries);
        memcpy(set->entries + set->n, sublist_entries(subs), subs->n * sizeof *set->entries);
        set->n += subs->n;
    }
}

static void
frontier_put(struct frontier *f, uint32_t idx)
{
    if (idx) {
        f->nodes = mem_grow(f->nodes, &f->allocated, f->n + 1, sizeof *f->nodes);
        f->nodes[f->n++] = idx;
    }
}

void
subtrie_match(const struct subtrie *t, struct slice name, struct subtrie_set *set)
{
    struct scratch *s = t->scratch;
    bool wildcards = name.n && name.p[0] != '$';      /* At the first level: [MQTT-4.7.2-1]. */
    struct slice level;

    set->n = 0;
    s->now.n = 0;
    frontier_put(&s->now, t->root);
    while (s->now.n && next_level(&name, &level)) {
        uint64_t level_hash = siphash(&t->key, level.p, level.n);

        s->next.n = 0;
        for (size_t i = 0; i < s->now.n; i++) {
            uint32_t idx = s->now.nodes[i];
            const struct node *n = node_at(t, idx);

            frontier_put(&s->next, find_child(t, idx, level, level_hash));
            if (wildcards) {
                frontier_put(&s->next, n->plus);
                collect(t, n->multi, set);
            }
        }
        wildcards = true;

        struct frontier swap = s->now;

        s->now = s->next;
        s->next = swap;
    }
    for (size_t i = 0; i < s->now.n; i++) {
        collect(t, s->now.nodes[i], set);
        collect(t, node_at(t, s->now.nodes[i])->multi, set);  /* "a/#" matches "a", 4.7.1.2. */
    }
}

void
subtrie_set_uninit(struct subtrie_set *set)
{
    mem_free(set->entries);
    memset(set, 0, sizeof *set);
}

struct walk_state {
    uint32_t bucket;                  /* The next to begin. */
    uint32_t node;                    /* The next to look at in the present one. */
    uint8_t *filter;
    size_t allocated;
};

/* Writes the filter that ends at 'idx', from its end to its beginning. */
static struct slice
path_of(const struct subtrie *t, uint32_t idx, struct walk_state *s)
{
    size_t n = 0;

    for (uint32_t i = idx; i != t->root; i = node_at(t, i)->parent) {
        n += node_at(t, i)->name_len + 1u;
    }
    s->filter = mem_grow(s->filter, &s->allocated, n, 1);

    uint8_t *p = s->filter + n;

    for (uint32_t i = idx; i != t->root; i = node_at(t, i)->parent) {
        const struct node *node = node_at(t, i);

        *--p = '/';
        p -= node->name_len;
        memcpy(p, node_name(node), node->name_len);
    }
    return (struct slice) { p, (uint32_t) n - 1 };
}

bool
subtrie_walk_next(const struct subtrie *t, struct subtrie_walk *walk, struct slice *filter,
                  uint32_t *n_subscribers)
{
    if (!walk->state) {
        walk->state = mem_zalloc(sizeof(struct walk_state));
    }

    struct walk_state *s = walk->state;

    for (;;) {
        while (!s->node) {
            if (s->bucket == t->n_buckets) {
                return false;
            }
            s->node = t->buckets[s->bucket++];
        }

        uint32_t idx = s->node;
        const struct node *n = node_at(t, idx);

        s->node = n->hash_next;
        if (n->subs.n) {
            *filter = path_of(t, idx, s);
            *n_subscribers = n->subs.n;
            return true;
        }
    }
}

void
subtrie_walk_end(struct subtrie_walk *walk)
{
    struct walk_state *s = walk->state;

    if (s) {
        mem_free(s->filter);
        mem_free(s);
        walk->state = NULL;
    }
}
