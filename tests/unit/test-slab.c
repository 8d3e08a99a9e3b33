/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/slab.h. */
#include "base/slab.h"

#include "base/mem.h"
#include "base/prng.h"
#include "unit/tap.h"

TEST(objects_are_zeroed_distinct_and_stable)
{
    enum { N = 3 << SLAB_CHUNK_BITS };
    static void *first[N];
    struct slab s;
    bool zeroed = true, in_place = true, in_order = true;

    slab_init(&s, 20, 0);
    is_int(s.obj_size, 24, "size is rounded up to a multiple of 8");
    is_int(slab_bytes(&s), 0, "a new slab holds no memory");
    for (uint32_t i = 0; i < N; i++) {
        uint32_t idx = slab_alloc(&s);
        uint8_t *p = slab_at(&s, idx);

        in_order = in_order && idx == i + 1;
        for (int k = 0; k < 24; k++) {
            zeroed = zeroed && !p[k];
        }
        memset(p, 0xee, 24);
        memcpy(p, &idx, sizeof idx);
        first[i] = p;
    }
    for (uint32_t i = 0; i < N; i++) {
        uint32_t stored;

        memcpy(&stored, first[i], sizeof stored);
        in_place = in_place && slab_at(&s, i + 1) == first[i] && stored == i + 1;
    }
    ok(in_order, "indices start at 1 and are dense");
    ok(zeroed, "objects are zeroed");
    ok(in_place, "objects stay where they are and do not overlap");
    is_int(slab_bytes(&s) / ((size_t) N * 24), 1, "memory is that of the objects");

    slab_free(&s, 5);
    slab_free(&s, 9);
    is_int(slab_alloc(&s), 9, "freed objects are used again");
    is_int(*(uint64_t *) slab_at(&s, 9), 0, "and zeroed again");
    is_int(slab_alloc(&s), 5, "the other one too");
    is_int(s.n, N, "the number of live objects is kept");
    slab_uninit(&s);
}

/* A peak of ten chunks, after which every seventh object stays, then the first chunk's only. */
TEST(memory_is_given_back)
{
    enum { PER_CHUNK = 1 << SLAB_CHUNK_BITS, N = 10 * PER_CHUNK };
    uint32_t n_dead = 0, n_wrong = 0, highest = 0;
    size_t peak;
    struct slab s;

    slab_init(&s, 24, N);
    slab_alloc(&s);
    for (int i = 1; i < N; i++) {
        slab_alloc(&s);
    }
    peak = slab_bytes(&s);
    ok(peak >= 10 * (size_t) PER_CHUNK * 24, "ten chunks");
    for (uint32_t idx = 1; idx <= N; idx++) {
        if (idx % 7) {
            slab_free(&s, idx);
        }
    }
    is_int(slab_bytes(&s), peak, "a chunk with one object in it stays");
    is_int(slab_used(&s), s.n * 24, "but what is in use is known");
    for (uint32_t idx = 1; idx <= N; idx++) {
        n_wrong += slab_is_live(&s, idx) != !(idx % 7);
        if (!(idx % 7) && idx > PER_CHUNK) {
            slab_free(&s, idx);
        }
    }
    is_int(n_wrong, 0, "of each object it is known whether it lives");
    ok(slab_bytes(&s) < peak / 2, "the empty ones are given back, all but one");
    for (uint32_t idx = 0; idx <= N + PER_CHUNK; idx++) {
        n_dead += !slab_is_live(&s, idx);
    }
    is_int(n_dead, N + PER_CHUNK + 1 - s.n, "and of any index");
    while (s.n < N) {
        uint32_t idx = slab_alloc(&s);
        uint64_t *obj = slab_at(&s, idx);

        highest = MP_MAX(highest, idx);
        if (obj[0] || obj[2]) {
            fail("object %u is zeroed", idx);
        }
        obj[0] = obj[2] = UINT64_MAX;
    }
    is_int(highest, N, "and all are to be had again, under the same indices");
    is_int(slab_bytes(&s), peak, "in as much memory");
    is_int(slab_alloc(&s), SLAB_NONE, "and no more");
    slab_uninit(&s);
}

/* A pool of three regions shrinks to one object, and grows again. */
TEST(regions_are_given_back)
{
    enum { N = 300 << SLAB_CHUNK_BITS };
    size_t peak, one;
    struct slab s;

    slab_init(&s, 8, 0);
    slab_alloc(&s);
    one = slab_bytes(&s);
    while (s.n < N) {
        slab_alloc(&s);
    }
    peak = slab_bytes(&s);
    for (uint32_t idx = N; idx > 1; idx--) {
        slab_free(&s, idx);
    }
    ok(slab_bytes(&s) < peak / 2 + 10 * one, "two of three are given back: %zu of %zu bytes",
       slab_bytes(&s), peak);
    while (s.n < N) {
        uint64_t *obj = slab_at(&s, slab_alloc(&s));

        if (*obj) {
            fail("objects are zeroed");
        }
        *obj = UINT64_MAX;
    }
    is_int(s.n_made, N, "under the same indices");
    slab_uninit(&s);
}

/* The one object of a chunk comes and goes. */
TEST(no_chunk_comes_and_goes_with_an_object)
{
    struct slab s;
    uint8_t *chunk;

    slab_init(&s, 24, 0);
    slab_free(&s, slab_alloc(&s));
    chunk = s.chunks[0];
    ok(chunk, "an empty chunk stays");
    slab_free(&s, slab_alloc(&s));
    ok(s.chunks[0] == chunk && s.n_empty == 1, "and is used again");
    slab_uninit(&s);
}

/* Beyond the chunks that are allocated one by one. */
TEST(large_pools)
{
    enum { N = 150 << SLAB_CHUNK_BITS, SIZE = 24 };
    struct slab s;
    bool zeroed = true, kept = true;
    uint32_t n_far = 0;

    slab_init(&s, SIZE, 0);
    for (uint32_t i = 1; i <= N; i++) {
        uint32_t *p = slab_at(&s, slab_alloc(&s));

        for (int k = 0; k < SIZE / 4; k++) {
            zeroed = zeroed && !p[k];
            p[k] = i * 7 + (uint32_t) k;
        }
    }
    for (uint32_t i = 1; i <= N; i++) {
        const uint32_t *p = slab_at(&s, i);

        kept = kept && p[0] == i * 7 && p[SIZE / 4 - 1] == i * 7 + SIZE / 4 - 1;
        n_far += i > 1 && p != (const uint32_t *) slab_at(&s, i - 1) + SIZE / 4;
        slab_prefetch(&s, i);
    }
    ok(zeroed, "objects are zeroed");
    ok(kept, "and do not overlap");
    ok(n_far <= 9, "nearly all neighbours are neighbours in memory: %u are not", n_far);
    is_int(slab_bytes(&s) / ((size_t) N * SIZE), 1, "memory is that of the objects");
    slab_prefetch(&s, SLAB_NONE);
    slab_prefetch(&s, UINT32_MAX);
    slab_free(&s, N);
    slab_free(&s, 100000);
    is_int(slab_alloc(&s), 100000, "freed objects are used again");
    slab_uninit(&s);
}

TEST(tables_grow_and_keep)
{
    uint32_t *t = NULL;
    size_t n = 0;
    bool kept = true, zeroed = true;

    for (uint32_t i = 0; i < 3u << 20; i++) {
        size_t before = n;

        t = mem_grow_table(t, &n, i + 1, sizeof *t);
        if (n != before) {
            for (uint32_t k = 0; k < i; k += 1009) {
                kept = kept && t[k] == k + 1;
            }
            zeroed = zeroed && !t[i] && !t[n - 1];
            if (n * sizeof *t >= MEM_HUGE) {
                is_int((uintptr_t) t % MEM_HUGE, 0, "of %zu bytes: aligned", n * sizeof *t);
            }
        }
        t[i] = i + 1;
    }
    ok(kept, "what was there is kept");
    ok(zeroed, "what is new is zero");
    ok(n > 3u << 20 && n <= (4u << 20) * 9 / 8, "by an eighth (%zu)", n);
    mem_free_table(t, n * sizeof *t);
    mem_free_table(NULL, 0);
    mem_free_huge(NULL);
}

TEST(limit_is_kept)
{
    struct slab s;

    slab_init(&s, 64, 2);
    uint32_t a = slab_alloc(&s), b = slab_alloc(&s);

    ok(a && b, "as many as the limit says");
    is_int(slab_alloc(&s), SLAB_NONE, "and not one more");
    slab_free(&s, a);
    is_int(slab_alloc(&s), a, "one freed makes room for one");
    is_int((uintptr_t) slab_at(&s, 1) % 64, 0, "chunks are aligned to cache lines");
    slab_uninit(&s);
}

TEST(arrays_grow_by_doubling)
{
    size_t n = 0;
    int *a = NULL;

    a = mem_grow(a, &n, 1, sizeof *a);
    ok(n >= 1 && n < 64, "a small start");

    size_t before = n;

    a = mem_grow(a, &n, before, sizeof *a);
    is_int(n, before, "nothing changes while there is room");
    a = mem_grow(a, &n, before + 1, sizeof *a);
    is_int(n, 2 * before, "doubles");
    a[n - 1] = 1;
    mem_free(a);
}

TEST(prng_is_reproducible_and_uniform)
{
    struct prng a, b;
    unsigned int seen[6] = { 0 };
    bool same = true;

    prng_init(&a, 42);
    prng_init(&b, 42);
    for (int i = 0; i < 100; i++) {
        same = same && prng_u64(&a) == prng_u64(&b);
    }
    ok(same, "the same seed, the same numbers");
    prng_init(&a, 0);
    ok(prng_u64(&a) != prng_u64(&a), "seed 0 is as good as any");
    for (int i = 0; i < 60000; i++) {
        seen[prng_below(&a, 6)]++;
    }
    for (int i = 0; i < 6; i++) {
        ok(seen[i] > 9600 && seen[i] < 10400, "face %d of a die: %u of 60000", i, seen[i]);
    }
    is_int(prng_below(&a, 1), 0, "below 1 there is only 0");
}

int
main(void)
{
    RUN(objects_are_zeroed_distinct_and_stable);
    RUN(memory_is_given_back);
    RUN(regions_are_given_back);
    RUN(no_chunk_comes_and_goes_with_an_object);
    RUN(large_pools);
    RUN(tables_grow_and_keep);
    RUN(limit_is_kept);
    RUN(arrays_grow_by_doubling);
    RUN(prng_is_reproducible_and_uniform);
    return done_testing();
}
