/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The demultiplexing table: 32-bit keyed hash of a 4-tuple -> reference (kind and slab index).
 * Open addressing, 8 bytes a slot, load at most 0.6.  It grows by moving a few slots with every
 * insertion, so that no single segment pays for a rehash.  It knows no tuple: the caller compares
 * the candidates.  Used by endpoint.c and listen.c.  One thread. */
#ifndef MP_UTCP_TABLE_H
#define MP_UTCP_TABLE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTCP_REF_NONE 0u
#define UTCP_REF_CONN (1u << 30)      /* Kinds, in the two high bits of a reference. */
#define UTCP_REF_HALF (2u << 30)
#define UTCP_REF_TW   (3u << 30)
#define UTCP_REF_KIND(REF) ((REF) & (3u << 30))
#define UTCP_REF_IDX(REF) ((REF) & ~(3u << 30))

struct utcp_slot {
    uint32_t hash;
    uint32_t ref;                     /* UTCP_REF_NONE: free. */
};

struct utcp_table {
    struct utcp_slot *slots;
    uint32_t mask;                    /* Slots - 1. */
    uint32_t n;                       /* References in 'slots'. */
    struct utcp_slot *old;            /* While growing: what is not moved yet, with tombstones. */
    uint32_t old_mask;
    uint32_t moved;                   /* Slots of 'old' below this are empty. */
};

void utcp_table_init(struct utcp_table *);
void utcp_table_uninit(struct utcp_table *);
void utcp_table_put(struct utcp_table *, uint32_t hash, uint32_t ref);
void utcp_table_remove(struct utcp_table *, uint32_t hash, uint32_t ref);
void utcp_table_replace(struct utcp_table *, uint32_t hash, uint32_t ref, uint32_t new_ref);
size_t utcp_table_bytes(const struct utcp_table *);

/* Candidates for a hash: start with all-zero 'it'; UTCP_REF_NONE at the end.  No changes between. */
struct utcp_table_iter {
    uint32_t step;
    bool in_old;
};
uint32_t utcp_table_next(const struct utcp_table *, uint32_t hash, struct utcp_table_iter *it);

void utcp_table_prefetch(const struct utcp_table *, uint32_t hash);

/* All references, by position; for show commands only: a change between two calls may show one
 * twice or not at all.  UTCP_REF_NONE at the end. */
uint32_t utcp_table_walk(const struct utcp_table *, uint32_t *pos);

#endif
