/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum, 64 bits at a time.  The sum is taken in the machine's own byte order and
 * swapped once at the end, which RFC 1071 section 2 (B) shows to be the same. */
#include "wire/csum.h"

#include <string.h>

static inline uint64_t
add64(uint64_t a, uint64_t b)
{
    a += b;
    return a + (a < b);               /* End-around carry. */
}

static inline uint16_t
fold(uint64_t sum)
{
    sum = (sum >> 32) + (uint32_t) sum;
    sum = (sum >> 32) + (uint32_t) sum;
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t) sum;
}

static inline uint64_t
load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

uint32_t
csum_add(uint32_t partial, const void *data, size_t n)
{
    const uint8_t *p = data;
    uint64_t a = 0, b = 0;

    /* Two independent carry chains keep the adders busy. */
    for (; n >= 32; p += 32, n -= 32) {
        a = add64(a, load64(p));
        b = add64(b, load64(p + 8));
        a = add64(a, load64(p + 16));
        b = add64(b, load64(p + 24));
    }
    for (; n >= 8; p += 8, n -= 8) {
        a = add64(a, load64(p));
    }
    if (n) {
        uint64_t tail = 0;            /* An odd last byte is padded with zero: RFC 1071 1. */

        memcpy(&tail, p, n);
        b = add64(b, tail);
    }

    uint16_t sum = fold(add64(a, b));

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    sum = __builtin_bswap16(sum);
#endif
    return csum_combine(partial, sum);
}

uint32_t
csum_combine(uint32_t a, uint32_t b)
{
    a += b;
    return a + (a < b);
}

uint32_t
csum_shift(uint32_t partial)
{
    return __builtin_bswap16(fold(partial));
}

uint16_t
csum_fold(uint32_t partial)
{
    return (uint16_t) ~fold(partial);
}

uint32_t
csum_pseudo(const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto, uint32_t l4_len)
{
    uint32_t sum;

    if (addr_is_v4(src)) {
        sum = csum_add(0, src->b + 12, 4);
        sum = csum_add(sum, dst->b + 12, 4);
    } else {
        sum = csum_add(0, src->b, 16);
        sum = csum_add(sum, dst->b, 16);
    }
    sum = csum_combine(sum, proto);
    sum = csum_combine(sum, l4_len >> 16);
    return csum_combine(sum, l4_len & 0xffff);
}
