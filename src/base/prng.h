/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A seeded pseudo-random generator (xoshiro256**).  The shell seeds it from the kernel; tests from
 * a number that they print.  Not for secrets by itself: keys come from the shell. */
#ifndef MP_BASE_PRNG_H
#define MP_BASE_PRNG_H 1

#include <stdint.h>

struct prng {
    uint64_t s[4];
};

void prng_init(struct prng *, uint64_t seed);
uint64_t prng_u64(struct prng *);
uint32_t prng_below(struct prng *, uint32_t n);     /* Uniform in [0, n); n >= 1. */

#endif
