/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/siphash.h with values of the reference implementation: key 00 01 .. 0f, message
 * 00 01 .. n-1. */
#include "base/siphash.h"

#include "unit/tap.h"

TEST(reference_values)
{
    static const struct {
        unsigned int n;
        uint64_t want;
    } cases[] = {
        { 0, UINT64_C(0x726fdb47dd0e0e31) },
        { 1, UINT64_C(0x74f839c593dc67fd) },
        { 7, UINT64_C(0xab0200f58b01d137) },
        { 8, UINT64_C(0x93f5f5799a932462) },
        { 15, UINT64_C(0xa129ca6149be45e5) },
        { 63, UINT64_C(0x958a324ceb064572) },
    };
    struct siphash_key key = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
    uint8_t msg[64];

    for (unsigned int i = 0; i < sizeof msg; i++) {
        msg[i] = (uint8_t) i;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        is_int(siphash(&key, msg, cases[i].n), cases[i].want, "%u bytes", cases[i].n);
    }
    key.k0 ^= 1;
    ok(siphash(&key, msg, 8) != cases[3].want, "another key, another hash");
}

int
main(void)
{
    RUN(reference_values);
    return done_testing();
}
