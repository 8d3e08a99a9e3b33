/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Immutable, reference-counted bytes.  Header and bytes are one allocation.  One thread. */
#include "base/mbuf.h"

#include <string.h>

#include "base/mem.h"

struct mbuf *
mbuf_create(size_t size)
{
    mp_assert(size <= UINT32_MAX);

    struct mbuf *m = mem_alloc(sizeof *m + size);

    m->n_refs = 1;
    m->size = (uint32_t) size;
    m->csum = 0;
    return m;
}

struct mbuf *
mbuf_copy(const void *data, size_t size)
{
    struct mbuf *m = mbuf_create(size);

    if (size) {
        memcpy(m->data, data, size);
    }
    return m;
}

struct mbuf *
mbuf_ref(struct mbuf *m)
{
    mp_assert(m->n_refs && m->n_refs < UINT32_MAX);
    m->n_refs++;
    return m;
}

void
mbuf_unref(struct mbuf *m)
{
    if (m) {
        mp_assert(m->n_refs);
        if (!--m->n_refs) {
            mem_free(m);
        }
    }
}
