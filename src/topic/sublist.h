/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The subscribers of one filter: an unsorted compact array, so that a fan-out is one copy.  A
 * single subscriber, the usual case, costs no allocation; many are indexed by a hash table, so that
 * the hundred-thousandth costs what the second did.  Removing one moves the last to its position.
 * Of use to the broker as well, for any set of numbers that strangers cannot choose.  Not
 * thread-safe. */
#ifndef MP_TOPIC_SUBLIST_H
#define MP_TOPIC_SUBLIST_H 1

#include "topic/subtrie.h"

struct sublist {                      /* All-zero: empty. */
    uint32_t n;
    union {
        struct subtrie_entry one;     /* n == 1. */
        uint8_t many[sizeof(void *)]; /* n >= 2: the bytes of a pointer, which would be aligned. */
    };
};

void sublist_uninit(struct sublist *);
const struct subtrie_entry *sublist_entries(const struct sublist *);    /* 'n' of them. */
struct subtrie_entry *sublist_find(struct sublist *, uint32_t subscriber);
void sublist_add(struct sublist *, struct subtrie_entry);               /* Must not be in it. */
bool sublist_remove(struct sublist *, uint32_t subscriber);             /* False: was not in it. */
size_t sublist_bytes(const struct sublist *);                           /* On the heap. */

#endif
