/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Immutable, reference-counted bytes: a PUBLISH body is stored once however many subscribers it
 * has.  Written once by its creator before it is shared.  Counts are plain integers: one thread. */
#ifndef MP_BASE_MBUF_H
#define MP_BASE_MBUF_H 1

#include <stddef.h>
#include <stdint.h>

struct mbuf {
    uint32_t n_refs;
    uint32_t size;                    /* Bytes in data. */
    uint32_t csum;                    /* Of all of them, for whoever sums them up (wire/csum.h);
                                       * 0: nobody has yet. */
    uint8_t data[];
};

struct mbuf *mbuf_create(size_t size);                      /* One reference; data uninitialised. */
struct mbuf *mbuf_copy(const void *, size_t size);
struct mbuf *mbuf_ref(struct mbuf *);                       /* Returns its argument. */
void mbuf_unref(struct mbuf *);                             /* Accepts NULL. */

#endif
