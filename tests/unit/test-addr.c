/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/addr.h. */
#include "base/addr.h"

#include "base/mem.h"
#include "unit/tap.h"

TEST(ip_text_in_and_out)
{
    static const char *const cases[][2] = {      /* Text, canonical text. */
        { "0.0.0.0", "0.0.0.0" },
        { "192.168.1.101", "192.168.1.101" },
        { "255.255.255.255", "255.255.255.255" },
        { "::", "::" },
        { "::1", "::1" },
        { "1::", "1::" },
        { "2001:DB8::1", "2001:db8::1" },
        { "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
        { "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
        { "0:0:0:0:0:0:0:8", "::8" },
        { "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
        { "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
        { "fe80::200:ff:fe00:1", "fe80::200:ff:fe00:1" },
        { "::ffff:10.0.0.1", "10.0.0.1" },
        { "64:ff9b::192.0.2.33", "64:ff9b::c000:221" },
        { "00ff::0001", "ff::1" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    };

    for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
        struct ip_addr a;
        char buf[ADDR_STRLEN];

        if (ok(addr_parse(&a, cases[i][0]), "%s is an address", cases[i][0])) {
            is_str(addr_format(&a, buf), cases[i][1], "%s is written %s", cases[i][0],
                   cases[i][1]);
        }
    }
}

TEST(what_is_no_ip_address)
{
    static const char *const bad[] = {
        "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.",
        "1..3.4", "a.b.c.d", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::",
        "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7", "g::", "::1.2.3", "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8", "fe80::1%eth0", "1:2:3:4:5:6:7:1.2.3.4",
        "192.168.1.1111111111111111111111111", "localhost",
    };

    for (size_t i = 0; i < MP_ARRAY_SIZE(bad); i++) {
        struct ip_addr a;

        ok(!addr_parse(&a, bad[i]), "\"%s\" is no address", bad[i]);
    }
}

static bool
contains(const char *prefix, const char *addr)
{
    struct ip_prefix p;
    struct ip_addr a;

    return prefix_parse(&p, prefix) && addr_parse(&a, addr) && prefix_contains(&p, &a);
}

TEST(prefixes)
{
    struct ip_prefix p;

    ok(contains("10.1.0.0/16", "10.1.255.3"), "inside");
    ok(!contains("10.1.0.0/16", "10.2.0.0"), "outside");
    ok(contains("10.1.2.3/15", "10.0.0.0"), "host bits are ignored");
    ok(contains("10.1.2.3", "10.1.2.3"), "an address is a prefix of its own");
    ok(!contains("10.1.2.3", "10.1.2.2"), "and of no other");
    ok(contains("0.0.0.0/0", "255.1.1.1"), "any IPv4");
    ok(!contains("0.0.0.0/0", "2001:db8::1"), "which is no IPv6");
    ok(contains("2001:db8::/33", "2001:db8:7fff::1"), "inside, IPv6");
    ok(!contains("2001:db8::/33", "2001:db8:8000::1"), "outside, IPv6");
    ok(prefix_parse(&p, "192.0.2.0/24") && p.len == 120, "an IPv4 /n is 96 + n");
    ok(!prefix_parse(&p, "192.0.2.0/33"), "too long for IPv4");
    ok(!prefix_parse(&p, "::/129"), "too long for IPv6");
    ok(!prefix_parse(&p, "192.0.2.0/"), "empty length");
    ok(!prefix_parse(&p, "192.0.2.0/8x"), "trailing text");
    ok(!prefix_parse(&p, "/8"), "no address");
}

TEST(classes)
{
    struct ip_addr a;

    a = addr_v4(0xc0a80165);
    ok(addr_is_v4(&a), "an IPv4 address is one");
    is_int(addr_to_v4(&a), 0xc0a80165, "and is the number that it was made of");
    ok(addr_parse(&a, "224.0.0.1") && addr_is_multicast(&a), "IPv4 multicast");
    ok(addr_parse(&a, "240.0.0.1") && !addr_is_multicast(&a), "beyond IPv4 multicast");
    ok(addr_parse(&a, "ff02::1") && addr_is_multicast(&a), "IPv6 multicast");
    ok(addr_parse(&a, "169.254.3.4") && addr_is_link_local(&a), "IPv4 link-local");
    ok(addr_parse(&a, "febf::1") && addr_is_link_local(&a), "IPv6 link-local");
    ok(addr_parse(&a, "fec0::1") && !addr_is_link_local(&a), "beyond IPv6 link-local");
    ok(addr_parse(&a, "0.0.0.0") && addr_is_any(&a), "any IPv4");
    ok(addr_parse(&a, "::") && addr_is_any(&a), "any IPv6");
    ok(addr_parse(&a, "::1") && !addr_is_any(&a), "loopback is not any");
}

TEST(mac_addresses)
{
    struct mac_addr m;
    char buf[MAC_STRLEN];

    ok(mac_parse(&m, "00:1a:2B:ff:00:01"), "a MAC address");
    is_str(mac_format(&m, buf), "00:1a:2b:ff:00:01", "is written in lower case");
    ok(!mac_is_multicast(&m) && !mac_is_zero(&m), "unicast");
    ok(mac_parse(&m, "ff:ff:ff:ff:ff:ff") && mac_is_multicast(&m), "broadcast is multicast");
    ok(mac_parse(&m, "00:00:00:00:00:00") && mac_is_zero(&m), "zero");
    ok(!mac_parse(&m, "00:11:22:33:44"), "too short");
    ok(!mac_parse(&m, "00:11:22:33:44:55:66"), "too long");
    ok(!mac_parse(&m, "0:11:22:33:44:55"), "one digit");
    ok(!mac_parse(&m, "00-11-22-33-44-55"), "wrong separator");
    ok(!mac_parse(&m, ""), "empty");
}

int
main(void)
{
    RUN(ip_text_in_and_out);
    RUN(what_is_no_ip_address);
    RUN(prefixes);
    RUN(classes);
    RUN(mac_addresses);
    return done_testing();
}
