/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The nodes of the trie of Topic Filters, and the table of its edges: how they are kept, not what
 * they match.  A node stands for one level of a filter or for several, joined by '/', when no other
 * filter parts from them in between:
 *
 *     "a/b/c", "a/b/d/e"    root -- "a/b" --+-- "c" *      * = has subscribers
 *                                           `-- "d/e" *
 *
 * so that a topic that nobody shares costs one node, however deep it is.  A node without subscribers
 * has at least two children (the root aside).  The index of a node with subscribers never changes.
 * Private to subtrie.c.  Not thread-safe. */
#ifndef MP_TOPIC_SUBNODE_H
#define MP_TOPIC_SUBNODE_H 1

#include "base/slab.h"
#include "topic/sublist.h"

#define SUBNODE_INLINE 18u
#define SUBNODE_PLUS 0x80000000u      /* Among the children is "+"... */
#define SUBNODE_MULTI 0x40000000u     /* ..."#". */

struct subnode {
    struct sublist subs;
    uint32_t parent;                  /* SLAB_NONE in the root. */
    uint32_t hash_next;
    uint32_t hash;                    /* Of the parent and of the first level of the label. */
    uint32_t fork;                    /* struct subnode_fork and SUBNODE_*; none: no children. */
    uint16_t label_n;
    uint8_t label[SUBNODE_INLINE];    /* If it is longer, the bytes of a pointer to it. */
};
_Static_assert(sizeof(struct subnode) <= 48, "1,000,000 private topics: 48 MB, 4..8 MB of table");

struct subnode_fork {                 /* Of a node that has children. */
    uint32_t n;                       /* All kinds. */
    uint32_t sum;                     /* Exclusive or of their indices: the last one's name. */
    uint32_t plus, multi;             /* Those that begin with "+" and "#". */
};

struct subnodes {
    struct siphash_key key;
    struct slab nodes, forks;
    uint32_t root;
    uint32_t *buckets;                /* Edges, by keyed hash of parent and level. */
    uint32_t n_buckets;               /* Power of two. */
    size_t heap_bytes;                /* Long labels and lists of subscribers. */
};

void subnodes_init(struct subnodes *, const struct siphash_key *);
void subnodes_uninit(struct subnodes *);
size_t subnodes_bytes(const struct subnodes *);

static inline struct subnode *
subnode_at(const struct subnodes *s, uint32_t idx)
{
    return slab_at(&s->nodes, idx);
}

static inline const struct subnode_fork *
subnode_fork(const struct subnodes *s, const struct subnode *n)
{
    return slab_at(&s->forks, n->fork & ~(SUBNODE_PLUS | SUBNODE_MULTI));
}

static inline struct slice
subnode_label(const struct subnode *n)
{
    const uint8_t *p = n->label;

    if (n->label_n > SUBNODE_INLINE) {
        memcpy(&p, n->label, sizeof p);
    }
    return (struct slice) { p, n->label_n };
}

/* What stands before the first '/'. */
static inline struct slice
subnode_first_level(struct slice text)
{
    const uint8_t *slash = text.n ? memchr(text.p, '/', text.n) : NULL;

    return (struct slice) { text.p, slash ? (uint32_t) (slash - text.p) : text.n };
}

static inline uint64_t
subnode_hash(const struct subnodes *s, struct slice level)
{
    return siphash(&s->key, level.p, level.n);
}

/* The child whose label begins with 'level', of which 'hash' is the subnode_hash(), or SLAB_NONE. */
uint32_t subnode_child(const struct subnodes *, uint32_t parent, struct slice level, uint64_t hash);
/* The node that stands for 'filter', or SLAB_NONE. */
uint32_t subnode_find(const struct subnodes *, struct slice filter);
/* The same, made if need be: a subscriber is to be put there. */
uint32_t subnode_make(struct subnodes *, struct slice filter);
/* The node has lost its last subscriber. */
void subnode_prune(struct subnodes *, uint32_t idx);

#endif
