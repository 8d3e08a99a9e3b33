/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The retained store: one node per topic level in use.  A node lives while it holds a message or
 * has children. */
#include "mqtt/retain.h"

#include "mqtt/private.h"

#define FIRST_BUCKETS 64u

struct node {
    struct node *parent;              /* NULL: the root. */
    struct node *first_child, *prev, *next;
    struct node *hash_next;
    struct mqtt_msg *msg;
    uint64_t hash;
    uint16_t n;
    uint8_t level[];
};

struct mqtt_retained {
    struct siphash_key key;
    uint32_t max;
    uint64_t max_bytes;
    uint32_t n;
    uint64_t bytes, memory;
    struct node *root;
    struct node **buckets;
    size_t n_buckets, n_nodes;
};

struct mqtt_retained *
mqtt_retained_create(const struct siphash_key *key, uint32_t max, uint64_t max_bytes)
{
    struct mqtt_retained *r = mem_zalloc(sizeof *r);

    r->key = *key;
    mqtt_retained_set_limits(r, max, max_bytes);
    r->root = mem_zalloc(sizeof *r->root);
    r->n_buckets = FIRST_BUCKETS;
    r->buckets = mem_zalloc(r->n_buckets * sizeof *r->buckets);
    return r;
}

void
mqtt_retained_set_limits(struct mqtt_retained *r, uint32_t max, uint64_t max_bytes)
{
    r->max = max;
    r->max_bytes = max_bytes;
}

/* The node after 'n' in a walk over all below 'top', parents first; NULL at the end. */
static struct node *
walk_next(const struct node *top, struct node *n)
{
    if (n->first_child) {
        return n->first_child;
    }
    while (n != top && !n->next) {
        n = n->parent;
    }
    return n == top ? NULL : n->next;
}

void
mqtt_retained_destroy(struct mqtt_retained *r)
{
    struct node *n;

    if (!r) {
        return;
    }
    for (size_t i = 0; i < r->n_buckets; i++) {
        while ((n = r->buckets[i])) {
            r->buckets[i] = n->hash_next;
            mqtt_msg_unref(n->msg);
            mem_free(n);
        }
    }
    mem_free(r->root);
    mem_free(r->buckets);
    mem_free(r);
}

/* Takes the first level off '*rest'; '*is_last' says whether it was the only one. */
static struct slice
take_level(struct slice *rest, bool *is_last)
{
    const uint8_t *slash = rest->n ? memchr(rest->p, '/', rest->n) : NULL;
    struct slice level = { rest->p, slash ? (uint32_t) (slash - rest->p) : rest->n };

    *is_last = !slash;
    rest->p += level.n + (slash ? 1 : 0);
    rest->n -= level.n + (slash ? 1 : 0);
    return level;
}

static uint64_t
hash_level(const struct mqtt_retained *r, const struct node *parent, struct slice level)
{
    struct siphash_key key = { r->key.k0 ^ (uintptr_t) parent, r->key.k1 };

    return siphash(&key, level.p, level.n);
}

static struct node *
find_child(const struct mqtt_retained *r, const struct node *parent, struct slice level)
{
    uint64_t hash = hash_level(r, parent, level);
    struct node *n = r->buckets[hash & (r->n_buckets - 1)];

    while (n && !(n->hash == hash && n->parent == parent && n->n == level.n
                  && !memcmp(n->level, level.p, level.n))) {
        n = n->hash_next;
    }
    return n;
}

static void
grow_table(struct mqtt_retained *r)
{
    size_t n_new = 2 * r->n_buckets;
    struct node **buckets = mem_zalloc(n_new * sizeof *buckets);

    for (size_t i = 0; i < r->n_buckets; i++) {
        struct node *n = r->buckets[i];

        while (n) {
            struct node *next = n->hash_next;

            n->hash_next = buckets[n->hash & (n_new - 1)];
            buckets[n->hash & (n_new - 1)] = n;
            n = next;
        }
    }
    mem_free(r->buckets);
    r->buckets = buckets;
    r->n_buckets = n_new;
}

static struct node *
add_child(struct mqtt_retained *r, struct node *parent, struct slice level)
{
    struct node *n = mem_zalloc(sizeof *n + level.n);
    struct node **bucket;

    if (r->n_nodes >= r->n_buckets) {
        grow_table(r);
    }
    n->parent = parent;
    n->hash = hash_level(r, parent, level);
    n->n = (uint16_t) level.n;
    memcpy(n->level, level.p, level.n);
    n->next = parent->first_child;
    if (n->next) {
        n->next->prev = n;
    }
    parent->first_child = n;
    bucket = &r->buckets[n->hash & (r->n_buckets - 1)];
    n->hash_next = *bucket;
    *bucket = n;
    r->n_nodes++;
    r->memory += sizeof *n + level.n;
    return n;
}

/* Frees 'n' and its ancestors as far as nothing needs them. */
static void
prune(struct mqtt_retained *r, struct node *n)
{
    while (n->parent && !n->msg && !n->first_child) {
        struct node *parent = n->parent;
        struct node **link = &r->buckets[n->hash & (r->n_buckets - 1)];

        while (*link != n) {
            link = &(*link)->hash_next;
        }
        *link = n->hash_next;
        if (n->prev) {
            n->prev->next = n->next;
        } else {
            parent->first_child = n->next;
        }
        if (n->next) {
            n->next->prev = n->prev;
        }
        r->n_nodes--;
        r->memory -= sizeof *n + n->n;
        mem_free(n);
        n = parent;
    }
}

static uint64_t
bytes_of(const struct mqtt_msg *msg)
{
    return msg ? msg->topic_n + msg->props_n + (uint64_t) msg->payload->size : 0;
}

static struct node *
find_topic(const struct mqtt_retained *r, struct slice topic)
{
    struct node *n = r->root;
    bool is_last = false;

    while (n && !is_last) {
        struct slice level = take_level(&topic, &is_last);

        n = find_child(r, n, level);
    }
    return n;
}

bool
mqtt_retained_put(struct mqtt_retained *r, struct mqtt_msg *msg)
{
    struct slice rest = mqtt_msg_topic(msg);
    struct node *n = find_topic(r, rest);
    const struct mqtt_msg *old = n ? n->msg : NULL;
    bool is_last = false;

    if ((!old && r->n >= r->max)
        || (bytes_of(msg) > bytes_of(old)
            && r->bytes - bytes_of(old) + bytes_of(msg) > r->max_bytes)) {
        return false;
    }
    for (n = r->root; !is_last; ) {
        struct slice level = take_level(&rest, &is_last);
        struct node *child = find_child(r, n, level);

        n = child ? child : add_child(r, n, level);
    }
    r->n += !old;
    r->bytes += bytes_of(msg) - bytes_of(old);
    mqtt_msg_unref(n->msg);
    n->msg = mqtt_msg_ref(msg);
    return true;
}

struct mqtt_msg *
mqtt_retained_get(const struct mqtt_retained *r, struct slice topic)
{
    const struct node *n = find_topic(r, topic);

    return n ? n->msg : NULL;
}

bool
mqtt_retained_remove(struct mqtt_retained *r, struct slice topic)
{
    struct node *n = find_topic(r, topic);

    if (!n || !n->msg) {
        return false;
    }
    r->n--;
    r->bytes -= bytes_of(n->msg);
    mqtt_msg_unref(n->msg);
    n->msg = NULL;
    prune(r, n);
    return true;
}

static void
add_match(struct mqtt_retained_set *set, struct mqtt_msg *msg)
{
    if (msg) {
        set->msgs = mem_grow(set->msgs, &set->allocated, set->n + 1, sizeof *set->msgs);
        set->msgs[set->n++] = msg;
    }
}

static bool
is_wild(struct slice level, char c)
{
    return level.n == 1 && level.p[0] == c;
}

/* [MQTT-4.7.2-1] */
static bool
is_hidden(const struct node *n)
{
    return !n->parent->parent && n->n && n->level[0] == '$';
}

/* Recurses once per level of the filter, of which the caller allows a limited number. */
static void
match_below(const struct mqtt_retained *r, struct node *n, struct slice rest,
            struct mqtt_retained_set *set)
{
    bool is_last;
    struct slice level = take_level(&rest, &is_last);
    struct node *child;

    if (is_wild(level, '#')) {
        add_match(set, n->msg);       /* "a/#" matches "a" (section 4.7.1.2). */
        for (child = n->first_child; child; child = child->next) {
            if (!is_hidden(child)) {
                for (struct node *d = child; d; d = walk_next(child, d)) {
                    add_match(set, d->msg);
                }
            }
        }
        return;
    }
    child = is_wild(level, '+') ? n->first_child : find_child(r, n, level);
    while (child) {
        struct slice after = rest;
        bool is_parent_of_all = !is_last && is_wild(after, '#');

        if (!is_wild(level, '+') || !is_hidden(child)) {
            if (is_last) {
                add_match(set, child->msg);
            } else if (child->first_child || is_parent_of_all) {
                match_below(r, child, after, set);
            }
        }
        child = is_wild(level, '+') ? child->next : NULL;
    }
}

void
mqtt_retained_match(const struct mqtt_retained *r, struct slice filter,
                    struct mqtt_retained_set *set)
{
    set->n = 0;
    match_below(r, r->root, filter, set);
}

uint32_t
mqtt_retained_n(const struct mqtt_retained *r)
{
    return r->n;
}

uint64_t
mqtt_retained_bytes(const struct mqtt_retained *r)
{
    return r->bytes;
}

uint64_t
mqtt_retained_memory(const struct mqtt_retained *r)
{
    return r->memory + r->bytes + r->n_buckets * sizeof *r->buckets
           + r->n * (uint64_t) (sizeof(struct mqtt_msg) + sizeof(struct mbuf));
}
