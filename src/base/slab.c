/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Pools of objects of one size.  Chunks are aligned to cache lines and never move; the free objects
 * of each are linked through their first two bytes.  New objects come from the first chunk that has
 * room, so that after a peak the last ones fall empty.  One unit that is empty stays, so that an
 * object that comes and goes costs no memory each time.  Under AddressSanitizer a free object is poisoned, so
 * that a stale index is caught at its first use.
 *
 * The first chunks are allocated one by one, so that a small pool stays small; a pool that has grown
 * gets so many at once, in one region, that whole huge pages make them, whatever the objects' size.
 * Of a region only what is used is ever touched.  Each of the first chunks, and each region, is a
 * unit: it is fetched and given back as a whole.
 *
 *     chunk    0   1   ...  7 | 8  9  ... 135 | 136 ... 263 | ...
 *     unit     0   1   ...  7 |       8       |      9      | ...      */
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
#define FIRST_CHUNKS 8u               /* 16384 objects. */
#define REGION_CHUNKS 128u
_Static_assert(REGION_CHUNKS * CHUNK_OBJS * 8 % MEM_HUGE == 0, "sizes are multiples of 8");
#define CACHE_LINE 64

/* Bit 31 of an index is the users' (wheel.h tags with it). */
#define INDEX_LIMIT (UINT32_MAX >> 1)

struct slab_chunk {
    uint16_t n_live, n_made;          /* Objects; and those that were handed out since it has memory. */
    uint16_t free_list;               /* 1 and on, linked through themselves; 0: none. */
    uint64_t live[CHUNK_OBJS / 64];   /* A bit for each. */
};

struct unit {
    uint32_t first, n;                /* Chunks. */
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

static size_t
chunk_bytes(const struct slab *s)
{
    /* A multiple of the cache line, because the number of objects is. */
    return (size_t) s->obj_size * CHUNK_OBJS;
}

static struct unit
unit_of(uint32_t chunk)
{
    if (chunk < FIRST_CHUNKS) {
        return (struct unit) { chunk, 1 };
    }
    return (struct unit) { chunk - (chunk - FIRST_CHUNKS) % REGION_CHUNKS, REGION_CHUNKS };
}

static bool
is_empty(const struct slab *s, struct unit u)
{
    for (uint32_t i = u.first; i < u.first + u.n; i++) {
        if (s->infos[i].n_live) {
            return false;
        }
    }
    return true;
}

static void
give_back(struct slab *s, struct unit u)
{
    uint8_t *memory = s->chunks[u.first];

    ASAN_UNPOISON_MEMORY_REGION(memory, u.n * chunk_bytes(s));
    for (uint32_t i = u.first; i < u.first + u.n; i++) {
        s->chunks[i] = NULL;
        s->n_touched -= s->infos[i].n_made != 0;
        s->infos[i] = (struct slab_chunk) { .n_live = 0 };
    }
    if (u.n > 1) {
        mem_free_huge(memory);
    } else {
        free(memory);
    }
}

void
slab_uninit(struct slab *s)
{
    for (struct unit u = { 0, 1 }; u.first < s->n_chunks; u = unit_of(u.first + u.n)) {
        if (s->chunks[u.first]) {
            give_back(s, u);
        }
    }
    mem_free(s->chunks);
    mem_free(s->infos);
    memset(s, 0, sizeof *s);
}

static void
fetch_memory(struct slab *s, struct unit u)
{
    uint8_t *memory = u.n > 1 ? mem_zalloc_huge(u.n * chunk_bytes(s))
                      : aligned_alloc(CACHE_LINE, chunk_bytes(s));

    mp_assert(memory);
    ASAN_POISON_MEMORY_REGION(memory, u.n * chunk_bytes(s));
    for (uint32_t i = 0; i < u.n; i++) {
        s->chunks[u.first + i] = memory + i * chunk_bytes(s);
    }
    s->n_empty++;
}

static void
add_unit(struct slab *s)
{
    uint32_t n = unit_of(s->n_chunks).n;
    size_t allocated = s->allocated_chunks, allocated_infos = allocated;

    s->chunks = mem_grow(s->chunks, &allocated, (size_t) s->n_chunks + n, sizeof *s->chunks);
    s->infos = mem_grow(s->infos, &allocated_infos, (size_t) s->n_chunks + n, sizeof *s->infos);
    s->allocated_chunks = (uint32_t) allocated;
    memset(s->chunks + s->n_chunks, 0, n * sizeof *s->chunks);
    memset(s->infos + s->n_chunks, 0, n * sizeof *s->infos);
    s->n_chunks += n;
}

/* The first chunk with room, which has memory then. */
static uint32_t
open_chunk(struct slab *s)
{
    while (s->first_open < s->n_chunks && s->infos[s->first_open].n_live == CHUNK_OBJS) {
        s->first_open++;
    }
    if (s->first_open == s->n_chunks) {
        add_unit(s);
    }
    if (!s->chunks[s->first_open]) {
        fetch_memory(s, unit_of(s->first_open));
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
    if (!info->n_live && is_empty(s, unit_of(chunk))) {
        s->n_empty--;
    }
    i = info->free_list ? info->free_list - 1u : info->n_made;
    obj = s->chunks[chunk] + (size_t) i * s->obj_size;
    ASAN_UNPOISON_MEMORY_REGION(obj, s->obj_size);
    if (info->free_list) {
        memcpy(&info->free_list, obj, sizeof info->free_list);
        if (info->free_list) {        /* The next one's turn may come soon. */
            slab_prefetch(s, (chunk << SLAB_CHUNK_BITS) + info->free_list);
        }
    } else {
        s->n_touched += !info->n_made;
        info->n_made++;
    }
    info->n_live++;
    info->live[i / 64] |= UINT64_C(1) << i % 64;
    s->n++;
    memset(obj, 0, s->obj_size);
    idx = (chunk << SLAB_CHUNK_BITS) + i + 1;
    s->n_made = MP_MAX(s->n_made, idx);
    return idx;
}

bool
slab_is_live(const struct slab *s, uint32_t idx)
{
    uint32_t i = (idx - 1) % CHUNK_OBJS;

    return idx && idx <= s->n_made
           && s->infos[(idx - 1) >> SLAB_CHUNK_BITS].live[i / 64] & UINT64_C(1) << i % 64;
}

void
slab_free(struct slab *s, uint32_t idx)
{
    mp_assert(slab_is_live(s, idx));

    uint32_t chunk = (idx - 1) >> SLAB_CHUNK_BITS, i = (idx - 1) % CHUNK_OBJS;
    struct slab_chunk *info = &s->infos[chunk];
    struct unit u = unit_of(chunk);
    void *obj = slab_at(s, idx);

    memcpy(obj, &info->free_list, sizeof info->free_list);
    ASAN_POISON_MEMORY_REGION(obj, s->obj_size);
    info->live[i / 64] &= ~(UINT64_C(1) << i % 64);
    info->free_list = (uint16_t) (i + 1);
    info->n_live--;
    s->n--;
    s->first_open = MP_MIN(s->first_open, chunk);
    if (!info->n_live && is_empty(s, u)) {
        if (s->n_empty) {
            give_back(s, u);
        } else {
            s->n_empty = 1;
        }
    }
}

size_t
slab_bytes(const struct slab *s)
{
    /* What lies beyond, in a region, has never been touched. */
    return s->n_touched * chunk_bytes(s)
           + s->allocated_chunks * (sizeof *s->chunks + sizeof *s->infos);
}

size_t
slab_used(const struct slab *s)
{
    return s->n * (size_t) s->obj_size;
}
