/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Pools of objects of one size.  Chunks are aligned to cache lines and never move; the free objects
 * of each are linked through their first four bytes.  New objects come from the first chunk that has
 * room, so that after a peak the last ones fall empty.  One that is empty stays, so that an object
 * that comes and goes costs no chunk each time.  Under AddressSanitizer a free object is poisoned, so
 * that a stale index is caught at its first use. */
#include "base/slab.h"

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
#define CACHE_LINE 64

/* Bit 31 of an index is the users' (wheel.h tags with it). */
#define INDEX_LIMIT (UINT32_MAX >> 1)

struct slab_chunk {
    uint16_t n_live, n_made;          /* Objects; and those that were handed out since it has memory. */
    uint16_t free_list;               /* 1 and on, linked through themselves; 0: none. */
};

void
slab_init(struct slab *s, size_t obj_size, uint32_t max)
{
    mp_assert(obj_size && obj_size < UINT32_MAX / CHUNK_OBJS);
    *s = (struct slab) { .obj_size = (uint32_t) (obj_size + 7) & ~7u };
    slab_set_max(s, max);
}

void
slab_set_max(struct slab *s, uint32_t max)
{
    s->max = max && max < INDEX_LIMIT ? max : INDEX_LIMIT;
}

/* The objects, a multiple of the cache line because their number is; then a bit for each that
 * lives. */
static size_t
objs_bytes(const struct slab *s)
{
    return (size_t) s->obj_size * CHUNK_OBJS;
}

static size_t
chunk_bytes(const struct slab *s)
{
    return objs_bytes(s) + CHUNK_OBJS / 8;
}

static uint8_t *
live_bits(const struct slab *s, uint32_t chunk)
{
    return s->chunks[chunk] + objs_bytes(s);
}

static void
give_back(struct slab *s, uint32_t chunk)
{
    ASAN_UNPOISON_MEMORY_REGION(s->chunks[chunk], objs_bytes(s));
    free(s->chunks[chunk]);
    s->chunks[chunk] = NULL;
    s->n_held--;
}

void
slab_uninit(struct slab *s)
{
    for (uint32_t i = 0; i < s->n_chunks; i++) {
        if (s->chunks[i]) {
            give_back(s, i);
        }
    }
    mem_free(s->chunks);
    mem_free(s->infos);
    memset(s, 0, sizeof *s);
}

static void
fetch_memory(struct slab *s, uint32_t chunk)
{
    s->chunks[chunk] = aligned_alloc(CACHE_LINE, chunk_bytes(s));
    mp_assert(s->chunks[chunk]);
    memset(live_bits(s, chunk), 0, CHUNK_OBJS / 8);
    ASAN_POISON_MEMORY_REGION(s->chunks[chunk], objs_bytes(s));
    s->infos[chunk] = (struct slab_chunk) { .n_live = 0 };
    s->n_held++;
    s->n_empty++;
}

static void
add_chunk(struct slab *s)
{
    size_t allocated = s->allocated_chunks, allocated_infos = allocated;

    s->chunks = mem_grow(s->chunks, &allocated, (size_t) s->n_chunks + 1, sizeof *s->chunks);
    s->infos = mem_grow(s->infos, &allocated_infos, (size_t) s->n_chunks + 1, sizeof *s->infos);
    s->allocated_chunks = (uint32_t) allocated;
    s->chunks[s->n_chunks] = NULL;
    s->infos[s->n_chunks++] = (struct slab_chunk) { .n_live = 0 };
}

/* The first chunk with room, which has memory then. */
static uint32_t
open_chunk(struct slab *s)
{
    while (s->first_open < s->n_chunks && s->infos[s->first_open].n_live == CHUNK_OBJS) {
        s->first_open++;
    }
    if (s->first_open == s->n_chunks) {
        add_chunk(s);
    }
    if (!s->chunks[s->first_open]) {
        fetch_memory(s, s->first_open);
    }
    return s->first_open;
}

uint32_t
slab_alloc(struct slab *s)
{
    struct slab_chunk *info;
    uint32_t chunk, i, idx;
    void *obj;

    if (s->n >= s->max) {
        return SLAB_NONE;
    }
    chunk = open_chunk(s);
    info = &s->infos[chunk];
    i = info->free_list ? info->free_list - 1u : info->n_made;
    obj = s->chunks[chunk] + (size_t) i * s->obj_size;
    ASAN_UNPOISON_MEMORY_REGION(obj, s->obj_size);
    if (info->free_list) {
        memcpy(&info->free_list, obj, sizeof info->free_list);
    } else {
        info->n_made++;
    }
    s->n_empty -= !info->n_live;
    info->n_live++;
    s->n++;
    live_bits(s, chunk)[i / 8] |= (uint8_t) (1u << i % 8);
    memset(obj, 0, s->obj_size);
    idx = (chunk << SLAB_CHUNK_BITS) + i + 1;
    s->n_made = MP_MAX(s->n_made, idx);
    return idx;
}

bool
slab_is_live(const struct slab *s, uint32_t idx)
{
    uint32_t chunk = (idx - 1) >> SLAB_CHUNK_BITS, i = (idx - 1) % CHUNK_OBJS;

    return idx && idx <= s->n_made && s->chunks[chunk]
           && live_bits(s, chunk)[i / 8] & 1u << i % 8;
}

void
slab_free(struct slab *s, uint32_t idx)
{
    mp_assert(slab_is_live(s, idx));

    uint32_t chunk = (idx - 1) >> SLAB_CHUNK_BITS, i = (idx - 1) % CHUNK_OBJS;
    struct slab_chunk *info = &s->infos[chunk];
    void *obj = slab_at(s, idx);

    memcpy(obj, &info->free_list, sizeof info->free_list);
    ASAN_POISON_MEMORY_REGION(obj, s->obj_size);
    live_bits(s, chunk)[i / 8] &= (uint8_t) ~(1u << i % 8);
    info->free_list = (uint16_t) (i + 1);
    info->n_live--;
    s->n--;
    s->first_open = MP_MIN(s->first_open, chunk);
    if (!info->n_live) {
        if (s->n_empty) {
            give_back(s, chunk);
        } else {
            s->n_empty = 1;
        }
    }
}

size_t
slab_bytes(const struct slab *s)
{
    return s->n_held * chunk_bytes(s)
           + s->allocated_chunks * (sizeof *s->chunks + sizeof *s->infos);
}

size_t
slab_used(const struct slab *s)
{
    return s->n * (size_t) s->obj_size;
}
