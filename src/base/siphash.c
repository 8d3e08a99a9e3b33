/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012).  Stateless. */
#include "base/siphash.h"

#include <string.h>

static inline uint64_t
rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline void
sip_round(struct state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

static inline void
absorb(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

static inline uint64_t
load_le64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

uint64_t
siphash(const struct siphash_key *key, const void *data, size_t n)
{
    const uint8_t *p = data;
    struct state s = {
        .v0 = key->k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key->k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = key->k1 ^ UINT64_C(0x7465646279746573),
    };
    uint64_t last = (uint64_t) n << 56;
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        absorb(&s, load_le64(p + i));
    }
    for (size_t k = 0; i + k < n; k++) {
        last |= (uint64_t) p[i + k] << 8 * k;
    }
    absorb(&s, last);
    s.v2 ^= 0xff;
    for (int k = 0; k < 4; k++) {
        sip_round(&s);
    }
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
