/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* libopenvswitch's 64-bit numbers in network order (cookies), to and from ours.  The C library has
 * functions for 16 and 32 bits only. */
#ifndef MP_OFP_BE64_H
#define MP_OFP_BE64_H 1

#include <stdint.h>
#include <string.h>
#include "openvswitch/types.h"

static inline uint64_t
be64_to_host(ovs_be64 be)
{
    uint8_t b[8];
    uint64_t v = 0;

    memcpy(b, &be, sizeof b);
    for (int i = 0; i < 8; i++) {
        v = v << 8 | b[i];
    }
    return v;
}

static inline ovs_be64
be64_from_host(uint64_t v)
{
    uint8_t b[8];
    ovs_be64 be;

    for (int i = 7; i >= 0; i--, v >>= 8) {
        b[i] = (uint8_t) v;
    }
    memcpy(&be, b, sizeof be);
    return be;
}

#endif
