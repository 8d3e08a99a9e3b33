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
    RUN(limit_is_kept);
    RUN(arrays_grow_by_doubling);
    RUN(prng_is_reproducible_and_uniform);
    return done_testing();
}
