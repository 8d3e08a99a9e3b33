/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum against one written from the definition, byte by byte. */
#include "wire/csum.h"

#include "base/prng.h"
#include "unit/tap.h"

/* RFC 1071 section 1, word by word. */
static uint16_t
reference(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += i % 2 ? p[i] : (uint64_t) p[i] << 8;
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t) ~sum;
}

TEST(example_of_the_rfc)
{
    const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

    is_int(csum_fold(csum_add(0, bytes, sizeof bytes)), 0x220d, "RFC 1071 section 3");
    is_int(csum_fold(0), 0xffff, "sum of nothing");
}

TEST(any_length_and_alignment)
{
    uint8_t buf[4096];
    struct prng rng;
    int n_bad = 0;

    prng_init(&rng, 1);
    for (size_t i = 0; i < sizeof buf; i++) {
        buf[i] = (uint8_t) prng_u64(&rng);
    }
    for (size_t n = 0; n < 300; n++) {
        for (size_t at = 0; at < 9; at++) {
            n_bad += csum_fold(csum_add(0, buf + at, n)) != reference(buf + at, n);
        }
    }
    is_int(n_bad, 0, "lengths 0 to 299 at 9 alignments");
    is_int(csum_fold(csum_add(0, buf, sizeof buf)), reference(buf, sizeof buf), "4096 bytes");
    memset(buf, 0xff, sizeof buf);
    is_int(csum_fold(csum_add(0, buf, sizeof buf)), 0, "all ones, the most carries");
}

TEST(pieces_add_up)
{
    uint8_t buf[257];
    struct prng rng;
    int n_bad = 0;

    prng_init(&rng, 2);
    for (size_t i = 0; i < sizeof buf; i++) {
        buf[i] = (uint8_t) prng_u64(&rng);
    }
    for (size_t cut = 0; cut <= sizeof buf; cut++) {
        uint32_t a = csum_add(0, buf, cut);
        uint32_t b = csum_add(0, buf + cut, sizeof buf - cut);

        b = cut % 2 ? csum_shift(b) : b;
        n_bad += csum_fold(csum_combine(a, b)) != reference(buf, sizeof buf);
        if (cut % 2 == 0) {
            n_bad += csum_fold(csum_add(a, buf + cut, sizeof buf - cut))
                     != reference(buf, sizeof buf);
        }
    }
    is_int(n_bad, 0, "two pieces cut anywhere give the sum of the whole");
    is_int(csum_combine(UINT32_MAX, 1), 1, "the carry goes round");
}

TEST(pseudo_headers)
{
    struct ip_addr a, b;
    uint8_t v4[12] = { 192, 168, 1, 101, 10, 0, 0, 7, 0, 6, 0x12, 0x34 };
    uint8_t v6[40];

    addr_parse(&a, "192.168.1.101");
    addr_parse(&b, "10.0.0.7");
    is_int(csum_fold(csum_pseudo(&a, &b, 6, 0x1234)), reference(v4, sizeof v4), "IPv4");

    addr_parse(&a, "2001:db8::1");
    addr_parse(&b, "fe80::ffff:ffff:ffff:ffff");
    memcpy(v6, a.b, 16);
    memcpy(v6 + 16, b.b, 16);
    memcpy(v6 + 32, (const uint8_t[]) { 0, 1, 0xff, 0xf0, 0, 0, 0, 17 }, 8);
    is_int(csum_fold(csum_pseudo(&a, &b, 17, 0x1fff0)), reference(v6, sizeof v6),
           "IPv6, with a length above 65535");
}

int
main(void)
{
    RUN(example_of_the_rfc);
    RUN(any_length_and_alignment);
    RUN(pieces_add_up);
    RUN(pseudo_headers);
    return done_testing();
}
