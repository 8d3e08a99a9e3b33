/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic modulo 2^32 (RFC 9293 3.4): sequence numbers, and 32-bit clocks, which wrap alike.
 * Nothing else may compare two of them.  Stateless. */
#ifndef MP_UTCP_SEQ_H
#define MP_UTCP_SEQ_H 1

#include <stdbool.h>
#include <stdint.h>

/* Signed distance from b to a. */
static inline int32_t
seq_diff(uint32_t a, uint32_t b)
{
    return (int32_t) (a - b);
}

static inline bool
seq_lt(uint32_t a, uint32_t b)
{
    return seq_diff(a, b) < 0;
}

static inline bool
seq_le(uint32_t a, uint32_t b)
{
    return seq_diff(a, b) <= 0;
}

static inline bool
seq_gt(uint32_t a, uint32_t b)
{
    return seq_diff(a, b) > 0;
}

static inline bool
seq_ge(uint32_t a, uint32_t b)
{
    return seq_diff(a, b) >= 0;
}

static inline uint32_t
seq_max(uint32_t a, uint32_t b)
{
    return seq_ge(a, b) ? a : b;
}

static inline uint32_t
seq_min(uint32_t a, uint32_t b)
{
    return seq_le(a, b) ? a : b;
}

/* start <= x < start + n. */
static inline bool
seq_in(uint32_t x, uint32_t start, uint32_t n)
{
    return x - start < n;
}

#endif
