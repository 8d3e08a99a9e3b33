/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A trie of Topic Filters, each with a small list of (subscriber, value) pairs: matching only.  It
 * knows neither sessions nor peers; a subscriber is a 32-bit number, a value 32 bits of the
 * caller's.  The cost of a match depends on the filters that match and on the levels of the name,
 * not on how many filters there are.  Children are found by keyed hash.  Not thread-safe. */
#ifndef MP_TOPIC_SUBTRIE_H
#define MP_TOPIC_SUBTRIE_H 1

#include "base/cursor.h"
#include "base/siphash.h"

struct subtrie;
struct subtrie_entry {                /* One subscription found. */
    uint32_t subscriber;
    uint32_t value;
};

struct subtrie *subtrie_create(const struct siphash_key *);
void subtrie_destroy(struct subtrie *);

enum subtrie_put_result { SUBTRIE_ADDED_FIRST, SUBTRIE_ADDED, SUBTRIE_REPLACED };
enum subtrie_remove_result { SUBTRIE_REMOVED_LAST, SUBTRIE_REMOVED, SUBTRIE_NOT_FOUND };

/* Adds or replaces 'subscriber' at 'filter' (valid).  ADDED_FIRST: the filter had no subscriber. */
enum subtrie_put_result subtrie_put(struct subtrie *, struct slice filter, uint32_t subscriber,
                                    uint32_t value);
enum subtrie_remove_result subtrie_remove(struct subtrie *, struct slice filter,
                                          uint32_t subscriber);
const struct subtrie_entry *subtrie_find(const struct subtrie *, struct slice filter,
                                         uint32_t subscriber);
uint32_t subtrie_n_subscribers(const struct subtrie *, struct slice filter);
uint32_t subtrie_n_filters(const struct subtrie *);         /* Filters with >= 1 subscriber. */
uint32_t subtrie_n_nodes(const struct subtrie *);           /* That it takes to keep them. */
size_t subtrie_bytes(const struct subtrie *);

/* A filter that has subscribers is also named by a number, its place, which does not change for as long
 * as it has any.  0 is no place. */
enum subtrie_put_result subtrie_put_place(struct subtrie *, struct slice filter,
                                          struct subtrie_entry, uint32_t *place);
enum subtrie_remove_result subtrie_remove_place(struct subtrie *, uint32_t place,
                                                uint32_t subscriber);
uint32_t subtrie_place(const struct subtrie *, struct slice filter);        /* 0: no subscriber. */
const struct subtrie_entry *subtrie_find_place(const struct subtrie *, uint32_t place,
                                               uint32_t subscriber);
struct slice subtrie_filter(const struct subtrie *, uint32_t place);    /* Until the next call. */

/* Collects every entry whose filter matches 'name'.  A subscriber with several matching filters
 * appears several times.  '*set' is reused between calls. */
struct subtrie_set {
    struct subtrie_entry *entries;
    size_t n, allocated;
};
void subtrie_match(const struct subtrie *, struct slice name, struct subtrie_set *);
void subtrie_set_uninit(struct subtrie_set *);

/* Walks all filters; 'pos' starts as zeros; NULL-safe end: false.  'filter' is valid until the next
 * call; the trie must not change meanwhile. */
struct subtrie_walk {
    void *state;
};
bool subtrie_walk_next(const struct subtrie *, struct subtrie_walk *, struct slice *filter,
                       uint32_t *n_subscribers);
void subtrie_walk_end(struct subtrie_walk *);

#endif
