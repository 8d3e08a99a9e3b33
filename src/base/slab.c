/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Pools of objects of one size.  Chunks are aligned to cache lines and never move or shrink; free
 * objects are linked through their first four bytes.  Under AddressSanitizer a free object is
 * poisoned, so that a stale index is caught at its first use.
 *
 * The first chunks are allocated one by one, so that a small pool stays small; a pool that has grown
 * gets so many at once, in one region, that whole huge pages make them, whatever the objects' size.
 * Of a region only what is used is ever touched.
 *
 *     chunk    0   1   ...  7 | 8  9  ... 135 | 136 ... 263 | ...
 *             each by itself  |    region     |   region    |      */
#include "base/slab.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_POISON 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SLAB_POISON 1
#endif

#ifdef SLAB_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(P, N) ((void) (P), (void) (N))
#define ASAN_UNPOISON_MEMORY_REGION(P, N) ((void) (P), (void) (N))
#endif

#define CHUNK_OBJS (1u << SLAB_CHUNK_BITS)
#define FIRST_CHUNKS 8u               /* 16384 objects. */
#define REGION_CHUNKS 128u
_Static_assert(REGION_CHUNKS * CHUNK_OBJS * 8 % MEM_HUGE == 0, "sizes are multiples of 8");
#define CACHE_LINE 64

/* Bit 31 of an index is the users' (wheel.h tags with it). */
#define INDEX_LIMIT (UINT32_MAX >> 1)

void
slab_init(struct slab *s, size_t obj_size, uint32_t max)
{
    mp_assert(obj_size && obj_size < UINT32_MAX / CHUNK_OBJS);
    *s = (struct slab) {
        .obj_size = (uint32_t) (obj_size + 7) & ~7u,
        .max = max && max < INDEX_LIMIT ? max : INDEX_LIMIT,
    };
}

static size_t
chunk_bytes(const struct slab *s)
{
    /* A multiple of the cache line, because the number of objects is. */
    return (size_t) s->obj_size * CHUNK_OBJS;
}

static bool
is_in_region(uint32_t chunk)
{
    return chunk >= FIRST_CHUNKS;
}

void
slab_uninit(struct slab *s)
{
    for (uint32_t i = 0; i < s->n_chunks; i++) {
        ASAN_UNPOISON_MEMORY_REGION(s->chunks[i], chunk_bytes(s));
        if (!is_in_region(i)) {
            free(s->chunks[i]);
        }
    }
    for (uint32_t i = FIRST_CHUNKS; i < s->n_chunks; i += REGION_CHUNKS) {
        mem_free_huge(s->chunks[i]);
    }
    mem_free(s->chunks);
    memset(s, 0, sizeof *s);
}

static void
add_chunks(struct slab *s)
{
    size_t allocated = s->allocated_chunks;
    uint32_t n = is_in_region(s->n_chunks) ? REGION_CHUNKS : 1;
    uint8_t *chunk = is_in_region(s->n_chunks) ? mem_zalloc_huge(n * chunk_bytes(s))
                                               : aligned_alloc(CACHE_LINE, chunk_bytes(s));

    mp_assert(chunk);
    ASAN_POISON_MEMORY_REGION(chunk, n * chunk_bytes(s));
    s->chunks = mem_grow(s->chunks, &allocated, (size_t) s->n_chunks + n, sizeof *s->chunks);
    s->allocated_chunks = (uint32_t) allocated;
    for (uint32_t i = 0; i < n; i++) {
        s->chunks[s->n_chunks++] = chunk + i * chunk_bytes(s);
    }
}

uint32_t
slab_alloc(struct slab *s)
{
    uint32_t idx;
    void *obj;

    if (s->n >= s->max) {
        return SLAB_NONE;
    }
    if (s->free_list) {
        idx = s->free_list;
        obj = slab_at(s, idx);
        ASAN_UNPOISON_MEMORY_REGION(obj, s->obj_size);
        memcpy(&s->free_list, obj, sizeof s->free_list);
        slab_prefetch(s, s->free_list);   /* The next one's turn may come soon. */
    } else {
        if (s->n_made == s->n_chunks << SLAB_CHUNK_BITS) {
            add_chunks(s);
        }
        idx = ++s->n_made;
        obj = slab_at(s, idx);
        ASAN_UNPOISON_MEMORY_REGION(obj, s->obj_size);
    }
    s->n++;
    memset(obj, 0, s->obj_size);
    return idx;
}

void
slab_free(struct slab *s, uint32_t idx)
{
    mp_assert(idx && idx <= s->n_made && s->n);

    void *obj = slab_at(s, idx);

    memcpy(obj, &s->free_list, sizeof s->free_list);
    ASAN_POISON_MEMORY_REGION(obj, s->obj_size);
    s->free_list = idx;
    s->n--;
}

size_t
slab_bytes(const struct slab *s)
{
    /* What lies beyond, in a region, has never been touched. */
    size_t n_used = ((size_t) s->n_made + CHUNK_OBJS - 1) / CHUNK_OBJS;

    return n_used * chunk_bytes(s) + s->allocated_chunks * sizeof *s->chunks;
}
