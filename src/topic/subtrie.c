/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The trie of Topic Filters: who is put where, and what matches.  How nodes are kept, several levels
 * in one where nobody parts them, is in subnode.h.
 *
 *     "a/+", "a/#", "a/b/c"     root -- "a" --+-- "+" *      * = has subscribers
 *                                             +-- "#" *
 *                                             `-- "b/c" *
 *
 * A match keeps the set of places that match the levels read so far (the frontier: a node, and how
 * much of its label) and goes level by level, with one hash of the level's bytes for all of them; so
 * it needs no recursion, and costs nothing for filters that lie elsewhere.  Not thread-safe. */
#include "topic/subtrie.h"

#include "base/mem.h"
#include "topic/subnode.h"

struct spot {
    uint32_t node;
    uint32_t pos;                     /* Bytes of its label that are matched: whole levels. */
};

struct frontier {
    struct spot *spots;
    size_t n, allocated;
};

struct text {                         /* A filter that was put together from its nodes. */
    uint8_t *bytes;
    size_t allocated;
};

struct scratch {
    struct frontier now, next;        /* Of a match. */
    struct text filter;               /* Of subtrie_filter(). */
};

struct subtrie {
    struct subnodes nodes;
    uint32_t n_filters;
    struct scratch *scratch;
};

struct subtrie *
subtrie_create(const struct siphash_key *key)
{
    struct subtrie *t = mem_zalloc(sizeof *t);

    subnodes_init(&t->nodes, key);
    t->scratch = mem_zalloc(sizeof *t->scratch);
    return t;
}

void
subtrie_destroy(struct subtrie *t)
{
    if (!t) {
        return;
    }
    subnodes_uninit(&t->nodes);
    mem_free(t->scratch->now.spots);
    mem_free(t->scratch->next.spots);
    mem_free(t->scratch->filter.bytes);
    mem_free(t->scratch);
    mem_free(t);
}

/* ---- Subscribers ---- */

enum subtrie_put_result
subtrie_put_place(struct subtrie *t, struct slice filter, struct subtrie_entry entry,
                  uint32_t *place)
{
    mp_assert(filter.p && filter.n && filter.n <= UINT16_MAX);
    *place = subnode_make(&t->nodes, filter);

    struct sublist *subs = &subnode_at(&t->nodes, *place)->subs;
    struct subtrie_entry *e = sublist_find(subs, entry.subscriber);

    if (e) {
        e->value = entry.value;
        return SUBTRIE_REPLACED;
    }
    t->nodes.heap_bytes -= sublist_bytes(subs);
    sublist_add(subs, entry);
    t->nodes.heap_bytes += sublist_bytes(subs);
    if (subs->n > 1) {
        return SUBTRIE_ADDED;
    }
    t->n_filters++;
    return SUBTRIE_ADDED_FIRST;
}

enum subtrie_put_result
subtrie_put(struct subtrie *t, struct slice filter, uint32_t subscriber, uint32_t value)
{
    uint32_t place;

    return subtrie_put_place(t, filter, (struct subtrie_entry) { subscriber, value }, &place);
}

enum subtrie_remove_result
subtrie_remove_place(struct subtrie *t, uint32_t place, uint32_t subscriber)
{
    struct sublist *subs = &subnode_at(&t->nodes, place)->subs;
    size_t before = sublist_bytes(subs);

    if (!sublist_remove(subs, subscriber)) {
        return SUBTRIE_NOT_FOUND;
    }
    t->nodes.heap_bytes = t->nodes.heap_bytes - before + sublist_bytes(subs);
    if (subs->n) {
        return SUBTRIE_REMOVED;
    }
    t->n_filters--;
    subnode_prune(&t->nodes, place);
    return SUBTRIE_REMOVED_LAST;
}

enum subtrie_remove_result
subtrie_remove(struct subtrie *t, struct slice filter, uint32_t subscriber)
{
    uint32_t place = subnode_find(&t->nodes, filter);

    return place ? subtrie_remove_place(t, place, subscriber) : SUBTRIE_NOT_FOUND;
}

uint32_t
subtrie_place(const struct subtrie *t, struct slice filter)
{
    uint32_t idx = subnode_find(&t->nodes, filter);

    return idx && subnode_at(&t->nodes, idx)->subs.n ? idx : SLAB_NONE;
}

const struct subtrie_entry *
subtrie_find_place(const struct subtrie *t, uint32_t place, uint32_t subscriber)
{
    return sublist_find(&subnode_at(&t->nodes, place)->subs, subscriber);
}

const struct subtrie_entry *
subtrie_find(const struct subtrie *t, struct slice filter, uint32_t subscriber)
{
    uint32_t place = subnode_find(&t->nodes, filter);

    return place ? subtrie_find_place(t, place, subscriber) : NULL;
}

uint32_t
subtrie_n_subscribers(const struct subtrie *t, struct slice filter)
{
    uint32_t idx = subnode_find(&t->nodes, filter);

    return idx ? subnode_at(&t->nodes, idx)->subs.n : 0;
}

uint32_t
subtrie_n_filters(const struct subtrie *t)
{
    return t->n_filters;
}

uint32_t
subtrie_n_nodes(const struct subtrie *t)
{
    return t->nodes.nodes.n;
}

size_t
subtrie_bytes(const struct subtrie *t)
{
    const struct scratch *s = t->scratch;

    return sizeof *t + subnodes_bytes(&t->nodes) + sizeof *s + s->filter.allocated
           + (s->now.allocated + s->next.allocated) * sizeof(struct spot);
}

/* ---- Matching ---- */

struct match {
    const struct subtrie *t;
    struct subtrie_set *set;
    struct frontier *next;
    struct slice level;               /* Of the name, the one at work... */
    uint64_t hash;                    /* ...and its hash, if somebody wanted it. */
    bool is_hashed;
    bool has_wildcards;               /* "+" and "#" match it. */
};

static void
collect(const struct match *m, uint32_t idx)
{
    const struct sublist *subs = &subnode_at(&m->t->nodes, idx)->subs;
    struct subtrie_set *set = m->set;

    if (subs->n) {
        set->entries = mem_grow(set->entries, &set->allocated, set->n + subs->n,
                                sizeof *set->entries);
        memcpy(set->entries + set->n, sublist_entries(subs), subs->n * sizeof *set->entries);
        set->n += subs->n;
    }
}

static void
frontier_put(struct frontier *f, uint32_t node, uint32_t pos)
{
    if (f->n == f->allocated) {
        f->spots = mem_grow(f->spots, &f->allocated, f->n + 1, sizeof *f->spots);
    }
    f->spots[f->n++] = (struct spot) { node, pos };
}

/* The level against a node's children. */
static void
enter(struct match *m, const struct subnode *n, uint32_t idx)
{
    const struct subnodes *nodes = &m->t->nodes;
    uint32_t child;

    if (!n->fork) {
        return;
    }
    if (!m->is_hashed) {
        m->hash = subnode_hash(nodes, m->level);
        m->is_hashed = true;
    }
    child = subnode_child(nodes, idx, m->level, m->hash);
    if (child) {
        frontier_put(m->next, child, m->level.n);
    }
    if (m->has_wildcards && n->fork & SUBNODE_PLUS) {
        frontier_put(m->next, subnode_fork(nodes, n)->plus, 1);
    }
    if (m->has_wildcards && n->fork & SUBNODE_MULTI) {
        collect(m, subnode_fork(nodes, n)->multi);
    }
}

/* The level against what follows 'spot'. */
static void
step(struct match *m, struct spot spot)
{
    const struct subnode *n = subnode_at(&m->t->nodes, spot.node);
    struct slice rest = subnode_label(n), level = m->level;

    if (spot.pos == rest.n) {
        enter(m, n, spot.node);
        return;
    }
    rest = (struct slice) { rest.p + spot.pos + 1, rest.n - spot.pos - 1 };
    if (rest.n && rest.p[0] == '+') {
        frontier_put(m->next, spot.node, spot.pos + 2);
    } else if (rest.n && rest.p[0] == '#') {
        collect(m, spot.node);
    } else if (rest.n >= level.n && !memcmp(rest.p, level.p, level.n)
               && (rest.n == level.n || rest.p[level.n] == '/')) {
        frontier_put(m->next, spot.node, spot.pos + 1 + level.n);
    }
}

/* The name is at its end: "a/#" matches "a" as well (section 4.7.1.2). */
static void
arrive(const struct match *m, struct spot spot)
{
    const struct subnode *n = subnode_at(&m->t->nodes, spot.node);
    struct slice label = subnode_label(n);

    if (spot.pos == label.n) {
        collect(m, spot.node);
        if (n->fork & SUBNODE_MULTI) {
            collect(m, subnode_fork(&m->t->nodes, n)->multi);
        }
    } else if (spot.pos + 2 == label.n && label.p[label.n - 1] == '#') {
        collect(m, spot.node);
    }
}

void
subtrie_match(const struct subtrie *t, struct slice name, struct subtrie_set *set)
{
    struct frontier *now = &t->scratch->now, *next = &t->scratch->next;
    struct match m = {
        .t = t, .set = set,
        .has_wildcards = name.n && name.p[0] != '$',          /* [MQTT-4.7.2-1] */
    };
    bool is_end = false;

    set->n = 0;
    now->n = 0;
    frontier_put(now, t->nodes.root, 0);
    while (now->n && !is_end) {
        struct frontier *past = now;

        m.level = subnode_first_level(name);
        m.is_hashed = false;
        m.next = next;
        next->n = 0;
        for (size_t i = 0; i < now->n; i++) {
            step(&m, now->spots[i]);
        }
        now = next;
        next = past;
        is_end = m.level.n == name.n;
        if (!is_end) {
            name = (struct slice) { name.p + m.level.n + 1, name.n - m.level.n - 1 };
        }
        m.has_wildcards = true;
    }
    for (size_t i = 0; i < now->n; i++) {
        arrive(&m, now->spots[i]);
    }
}

void
subtrie_set_uninit(struct subtrie_set *set)
{
    mem_free(set->entries);
    memset(set, 0, sizeof *set);
}

/* ---- The text of filters ---- */

/* Written from its end to its beginning. */
static struct slice
text_of(const struct subtrie *t, uint32_t idx, struct text *text)
{
    const struct subnodes *nodes = &t->nodes;
    size_t n = 0;

    for (uint32_t i = idx; i != nodes->root; i = subnode_at(nodes, i)->parent) {
        n += subnode_at(nodes, i)->label_n + 1u;
    }
    text->bytes = mem_grow(text->bytes, &text->allocated, n, 1);

    uint8_t *p = text->bytes + n;

    for (uint32_t i = idx; i != nodes->root; i = subnode_at(nodes, i)->parent) {
        struct slice label = subnode_label(subnode_at(nodes, i));

        *--p = '/';
        p -= label.n;
        memcpy(p, label.p, label.n);
    }
    return (struct slice) { p, (uint32_t) n - 1 };
}

struct slice
subtrie_filter(const struct subtrie *t, uint32_t place)
{
    return text_of(t, place, &t->scratch->filter);
}

struct walk_state {
    uint32_t bucket;                  /* The next to begin. */
    uint32_t node;                    /* The next to look at in the present one. */
    struct text filter;
};

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
            if (s->bucket == t->nodes.n_buckets) {
                return false;
            }
            s->node = t->nodes.buckets[s->bucket++];
        }

        uint32_t idx = s->node;
        const struct subnode *n = subnode_at(&t->nodes, idx);

        s->node = n->hash_next;
        if (n->subs.n) {
            *filter = text_of(t, idx, &s->filter);
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
        mem_free(s->filter.bytes);
        mem_free(s);
        walk->state = NULL;
    }
}
