/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A byte queue made of references: (mbuf, offset, length) entries, so that a send queue shares
 * message bodies instead of copying them.  Small pieces are copied and merged into one mbuf.
 * An empty chain holds no memory beyond the struct. */
#ifndef MP_BASE_CHAIN_H
#define MP_BASE_CHAIN_H 1

#include <stddef.h>
#include <stdint.h>
#include "base/mbuf.h"

struct chain {                        /* All-zero: empty. */
    struct chain_entry *head, *tail;
    uint32_t size;                    /* Bytes queued. */
    uint32_t n;                       /* Entries. */
};

void chain_uninit(struct chain *);                              /* Drops all; leaves it empty. */
void chain_put_copy(struct chain *, const void *, size_t);      /* Appends a copy. */
/* Appends bytes of an mbuf, with a reference of its own. */
void chain_put_mbuf(struct chain *, struct mbuf *, uint32_t off, uint32_t len);
void chain_drop(struct chain *, uint32_t n);                    /* Removes n bytes at the front. */
void chain_peek(const struct chain *, uint32_t off, void *dst, uint32_t n); /* Copies, no change. */
/* The bytes from 'off' on that lie together, at most 'n' (not 0) of them. */
struct chain_piece {
    const uint8_t *p;
    uint32_t n;
    struct mbuf *whole;               /* They are all of this one (borrowed), or NULL. */
};
struct chain_piece chain_piece(const struct chain *, uint32_t off, uint32_t n);
void chain_prefetch(const struct chain *);          /* Advice: it will be dropped or peeked at. */
size_t chain_memory(const struct chain *);          /* True bytes: entries + bodies' share. */

#endif
