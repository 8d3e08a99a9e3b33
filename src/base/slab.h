/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Pools of objects of one size, named by 32-bit indices.  Objects never move, so that pointers stay
 * good while the object lives, and an index costs half of a pointer in structures that are kept a
 * million times.  Index 0 is never handed out and means "none".  Memory comes and goes in chunks: a
 * chunk whose objects are all free is given back, but for one.  Not thread-safe. */
#ifndef MP_BASE_SLAB_H
#define MP_BASE_SLAB_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_NONE 0u

struct slab_chunk;
struct slab {
    uint32_t obj_size;          /* Bytes, rounded up to a multiple of 8 (64: cache line). */
    uint32_t max;               /* At most this many objects at a time; 0: no limit. */
    uint32_t n;                 /* Live objects. */
    uint32_t n_made;            /* The highest index ever handed out. */
    uint32_t n_chunks, allocated_chunks;
    uint32_t n_held, n_empty;   /* Chunks that have memory; of them, those without objects. */
    uint32_t first_open;        /* No chunk before this one has room. */
    uint8_t **chunks;           /* Objects; NULL: given back. */
    struct slab_chunk *infos;   /* About each of them. */
};

void slab_init(struct slab *, size_t obj_size, uint32_t max);
void slab_set_max(struct slab *, uint32_t max);     /* Objects that are beyond it stay. */
void slab_uninit(struct slab *);                    /* Frees all objects' memory. */

/* Returns the index of a zeroed object, or SLAB_NONE at the limit. */
uint32_t slab_alloc(struct slab *);
void slab_free(struct slab *, uint32_t idx);
bool slab_is_live(const struct slab *, uint32_t idx);               /* Of any index. */

/* 2048 objects a chunk: large enough that chunk headers vanish, small enough for tests. */
#define SLAB_CHUNK_BITS 11
static inline void *
slab_at(const struct slab *s, uint32_t idx)
{
    uint32_t i = idx - 1;

    return s->chunks[i >> SLAB_CHUNK_BITS]
           + (size_t) (i & ((1u << SLAB_CHUNK_BITS) - 1)) * s->obj_size;
}

size_t slab_bytes(const struct slab *);             /* Memory held, for statistics. */
size_t slab_used(const struct slab *);              /* Of it, what live objects take. */

#endif
