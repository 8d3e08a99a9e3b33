/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum (RFC 1071), in pieces that add up.  Stateless. */
#ifndef MP_WIRE_CSUM_H
#define MP_WIRE_CSUM_H 1

#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"

/* Partial sums are 32-bit ones'-complement accumulators over 16-bit big-endian words. A piece that
 * starts at an odd offset of the whole must be swapped with csum_shift(). */
uint32_t csum_add(uint32_t partial, const void *, size_t);
uint32_t csum_combine(uint32_t a, uint32_t b);              /* Both even-aligned. */
uint32_t csum_shift(uint32_t partial);                      /* Moves a sum by one byte. */
uint16_t csum_fold(uint32_t partial);                       /* Complemented, in host order. */

/* The pseudo-header of RFC 9293 3.1 / RFC 8200 8.1, by the family of the addresses. */
uint32_t csum_pseudo(const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto,
                     uint32_t l4_len);

#endif
