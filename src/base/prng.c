/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* xoshiro256** (Blackman and Vigna), seeded through SplitMix64 so that any seed, also 0, gives a
 * good state. */
#include "base/prng.h"

#include "base/mem.h"

static uint64_t
rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

void
prng_init(struct prng *g, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        g->s[i] = z ^ z >> 31;
    }
}

uint64_t
prng_u64(struct prng *g)
{
    uint64_t *s = g->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint32_t
prng_below(struct prng *g, uint32_t n)
{
    mp_assert(n);

    /* Multiply and take the high half; the few low halves that would make some results likelier
     * than others are thrown away. */
    uint32_t reject = -n % n;

    for (;;) {
        uint64_t m = (prng_u64(g) >> 32) * n;

        if ((uint32_t) m >= reject) {
            return (uint32_t) (m >> 32);
        }
    }
}
