/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Pools of objects of one size, named by 32-bit indices.  Objects never move, so that pointers stay
 * good while the object lives, and an index costs half of a pointer in structures that are kept a
 * million times.  Index 0 is never handed out and means "none".  Memory comes and goes in
 * chunks, in large pools many at once (slab.c): where all objects are free it is given back, but for
 * one.  Not thread-safe. */
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
    uint32_t n_touched;         /* Chunks of whose memory something was used. */
    uint32_t n_empty;           /* Units (slab.c) that have memory and no objects. */
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

/* Advice: object 'idx' will be used soon.  Any index will do.  Of one that does not begin where a
 * cache line does, the last bytes may be left out: to ask for one more line of each cost more than
 * it brought. */
static inline void
slab_prefetch(const struct slab *s, uint32_t idx)
{
    if (idx && idx <= s->n_made && s->chunks[(idx - 1) >> SLAB_CHUNK_BITS]) {
        const char *p = slab_at(s, idx);

        for (uint32_t at = 0; at < s->obj_size; at += 64) {
            __builtin_prefetch(p + at, 1);
        }
    }
}

size_t slab_bytes(const struct slab *);             /* Memory held, for statistics. */
size_t slab_used(const struct slab *);              /* Of it, what live objects take. */

#endif
