/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4, the keyed hash for everything that a stranger chooses (4-tuples, client ids,
 * topics), and the pseudo-random function of RFC 6528 sequence numbers. */
#ifndef MP_BASE_SIPHASH_H
#define MP_BASE_SIPHASH_H 1

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

uint64_t siphash(const struct siphash_key *, const void *, size_t);

#endif
