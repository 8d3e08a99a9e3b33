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
    uint32_t n_walks;                 /* That are here. */
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
    struct mqtt_retained_walk *walks;
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

static void leave_node(struct mqtt_retained *, const struct node *);

/* Frees 'n' and its ancestors as far as nothing needs them. */
static void
prune(struct mqtt_retained *r, struct node *n)
{
    while (n->parent && !n->msg && !n->first_child) {
        struct node *parent = n->parent;
        struct node **link = &r->buckets[n->hash & (r->n_buckets - 1)];

        leave_node(r, n);
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

/* ---- Walks ---- */

struct level { uint16_t at, n; };     /* Of a filter: where, how many bytes. */

/* Nodes in pre-order, parents first, as far as the filter allows.  'at' is the one to be looked at
 * next; should it be pruned meanwhile, it is exchanged for the one after it. */
struct mqtt_retained_walk {
    struct mqtt_retained_walk *prev, *next;
    const uint8_t *filter;
    struct node *at;                  /* NULL: the end. */
    uint32_t depth;                   /* Of 'at': levels of the topic that it stands for. */
    uint32_t n_levels;                /* Before a # at the end, */
    bool takes_all;                   /* ...which there is. */
    struct level levels[];
};

static bool
is_wild(const struct mqtt_retained_walk *w, uint32_t level)
{
    return level >= w->n_levels
           || (w->levels[level].n == 1 && w->filter[w->levels[level].at] == '+');
}

/* 'n' or the first of its siblings behind it that a wildcard may match [MQTT-4.7.2-1]. */
static struct node *
skip_hidden(struct node *n, uint32_t depth, uint32_t *work)
{
    while (depth == 1 && n && n->n && n->level[0] == '$') {
        n = n->next;
        ++*work;
    }
    return n;
}

static struct node *
first_child(const struct mqtt_retained *r, const struct mqtt_retained_walk *w,
            const struct node *n, uint32_t *work)
{
    if (w->depth >= w->n_levels && !w->takes_all) {
        return NULL;
    }
    if (is_wild(w, w->depth)) {
        return skip_hidden(n->first_child, w->depth + 1, work);
    }
    return find_child(r, n, (struct slice) { w->filter + w->levels[w->depth].at,
                                             w->levels[w->depth].n });
}

/* To the node after 'at'.  Adds what that took to '*work'. */
static void
step_on(const struct mqtt_retained *r, struct mqtt_retained_walk *w, uint32_t *work)
{
    struct node *n = w->at, *child = first_child(r, w, n, work);

    n->n_walks--;
    if (child) {
        w->at = child;
        w->depth++;
    } else {
        w->at = NULL;
        for (; w->depth && !w->at; n = n->parent, w->depth--) {
            w->at = is_wild(w, w->depth - 1) ? skip_hidden(n->next, w->depth, work) : NULL;
            ++*work;
        }
        w->depth += w->at != NULL;    /* A sibling. */
    }
    if (w->at) {
        w->at->n_walks++;
    }
    ++*work;
}

struct mqtt_retained_walk *
mqtt_retained_walk_begin(struct mqtt_retained *r, struct slice filter)
{
    struct slice rest = filter;
    struct mqtt_retained_walk *w;
    uint32_t n_levels = 1;
    bool is_last = false;

    for (uint32_t i = 0; i < filter.n; i++) {
        n_levels += filter.p[i] == '/';
    }
    w = mem_zalloc(sizeof *w + n_levels * sizeof *w->levels);
    w->filter = filter.p;
    while (!is_last) {
        struct slice level = take_level(&rest, &is_last);

        if (is_last && level.n == 1 && level.p[0] == '#') {
            w->takes_all = true;
        } else {
            w->levels[w->n_levels++] = (struct level) {
                (uint16_t) (level.p - filter.p), (uint16_t) level.n,
            };
        }
    }
    w->at = r->root;
    w->at->n_walks++;
    w->next = r->walks;
    if (w->next) {
        w->next->prev = w;
    }
    r->walks = w;
    return w;
}

bool
mqtt_retained_walk_next(struct mqtt_retained *r, struct mqtt_retained_walk *w, uint32_t *work,
                        struct mqtt_msg **msg)
{
    *msg = NULL;
    while (w->at && *work && !*msg) {
        bool matches = w->takes_all ? w->depth >= w->n_levels : w->depth == w->n_levels;
        uint32_t used = 0;

        *msg = matches ? w->at->msg : NULL;         /* "a/#" matches "a" (section 4.7.1.2). */
        step_on(r, w, &used);
        *work -= MP_MIN(*work, used);
    }
    return w->at || *msg;
}

void
mqtt_retained_walk_moved(struct mqtt_retained_walk *w, struct slice filter)
{
    w->filter = filter.p;
}

void
mqtt_retained_walk_end(struct mqtt_retained *r, struct mqtt_retained_walk *w)
{
    if (w->at) {
        w->at->n_walks--;
    }
    if (w->prev) {
        w->prev->next = w->next;
    } else {
        r->walks = w->next;
    }
    if (w->next) {
        w->next->prev = w->prev;
    }
    mem_free(w);
}

/* 'n' goes, and has no children. */
static void
leave_node(struct mqtt_retained *r, const struct node *n)
{
    uint32_t work = 0;

    for (struct mqtt_retained_walk *w = r->walks; n->n_walks && w; w = w->next) {
        if (w->at == n) {
            step_on(r, w, &work);
        }
    }
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
