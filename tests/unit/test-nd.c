/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Neighbour Discovery messages and what ICMP errors quote. */
#include "wire/nd.h"

#include "unit/tap.h"
#include "wire/quote.h"

static uint8_t buf[WIRE_HEADROOM + 256];
static uint8_t *const end_of_headroom = buf + WIRE_HEADROOM;

static struct ip_addr
addr(const char *text)
{
    struct ip_addr a;

    if (!addr_parse(&a, text)) {
        BAIL_OUT("%s is no address", text);
    }
    return a;
}

static bool
same_addr(struct ip_addr a, const char *text)
{
    struct ip_addr b = addr(text);

    return addr_equal(&a, &b);
}

TEST(derived_addresses)
{
    struct ip_addr a = addr("2001:db8::12:3456");
    struct mac_addr mac, got;

    mac_parse(&mac, "02:aa:00:00:00:99");
    ok(same_addr(wire_nd_solicited_node(&a), "ff02::1:ff12:3456"), "solicited-node group");
    ok(same_addr(wire_nd_link_local(&mac), "fe80::aa:ff:fe00:99"), "modified EUI-64");
    a = addr("ff02::1:ff12:3456");
    got = wire_multicast_mac(&a);
    mac_parse(&mac, "33:33:ff:12:34:56");
    ok(mac_equal(&got, &mac), "MAC of an IPv6 group");
    a = addr("239.129.2.3");
    got = wire_multicast_mac(&a);
    mac_parse(&mac, "01:00:5e:01:02:03");
    ok(mac_equal(&got, &mac), "MAC of an IPv4 group has 23 bits of it");
}

static struct wire_l3
solicitation_l3(void)
{
    return (struct wire_l3) {
        .dst_mac = { { 0x33, 0x33, 0xff, 0, 0, 1 } }, .src_mac = { { 0, 0, 0, 0, 0, 2 } },
        .src = addr("fe80::2"), .dst = addr("ff02::1:ff00:1"),
    };
}

static struct wire_nd
solicitation(void)
{
    return (struct wire_nd) {
        .type = ND_SOLICIT, .target = addr("2001:db8::1"), .has_lladdr = true,
        .lladdr = { { 0, 0, 0, 0, 0, 2 } },
    };
}

/* Whether the composed message is a valid one. */
static bool
comes_back(const struct wire_l3 *l3, const struct wire_nd *nd, struct wire_nd *got)
{
    struct wire_frame f;
    uint8_t *p = wire_build_nd(l3, nd, end_of_headroom);

    return !wire_parse(&f, p, (size_t) (end_of_headroom - p)) && wire_nd_parse(got, &f);
}

TEST(round_trips)
{
    struct wire_l3 l3 = solicitation_l3();
    struct wire_nd nd = solicitation(), got;

    ok(comes_back(&l3, &nd, &got), "solicitation");
    ok(got.type == ND_SOLICIT && addr_equal(&got.target, &nd.target) && got.has_lladdr
       && mac_equal(&got.lladdr, &nd.lladdr) && !got.flags, "its fields");
    nd = (struct wire_nd) {
        .type = ND_ADVERT, .flags = ND_SOLICITED | ND_OVERRIDE, .target = addr("fe80::7"),
        .has_lladdr = true, .lladdr = { { 2, 3, 4, 5, 6, 7 } },
    };
    l3.dst = addr("2001:db8::9");
    ok(comes_back(&l3, &nd, &got), "advertisement");
    ok(got.type == ND_ADVERT && got.flags == nd.flags && got.lladdr.b[5] == 7, "its fields");
    nd.has_lladdr = false;
    ok(comes_back(&l3, &nd, &got) && !got.has_lladdr, "without the option");
}

TEST(rules_of_validity)
{
    struct wire_l3 l3 = solicitation_l3();
    struct wire_nd nd = solicitation(), got;
    struct wire_frame f;
    uint8_t *p;

    nd.target = addr("ff02::1");
    ok(!comes_back(&l3, &nd, &got), "target is a group");

    nd = solicitation();
    l3.src = addr("::");
    l3.dst = addr("ff02::1:ff00:1");
    ok(!comes_back(&l3, &nd, &got), "duplicate address detection with a link-layer address");
    nd.has_lladdr = false;
    ok(comes_back(&l3, &nd, &got), "and without");
    l3.dst = addr("2001:db8::1");
    ok(!comes_back(&l3, &nd, &got), "and not to the solicited-node group");

    l3 = solicitation_l3();
    nd = (struct wire_nd) { .type = ND_ADVERT, .flags = ND_SOLICITED,
                            .target = addr("2001:db8::1") };
    l3.dst = addr("ff02::1");
    ok(!comes_back(&l3, &nd, &got), "solicited advertisement to a group");
    nd.flags = ND_OVERRIDE;
    ok(comes_back(&l3, &nd, &got), "unsolicited one");

    l3 = solicitation_l3();
    nd = solicitation();
    p = wire_build_nd(&l3, &nd, end_of_headroom);
    ok(!wire_parse(&f, p, (size_t) (end_of_headroom - p)), "a good one to spoil");
    f.ip.ttl = 254;
    ok(!wire_nd_parse(&got, &f), "came over a router");
    f.ip.ttl = 255;
    f.icmp.code = 1;
    ok(!wire_nd_parse(&got, &f), "code is not zero");
    f.icmp.code = 0;
    f.icmp.body.n = 15;
    ok(!wire_nd_parse(&got, &f), "cut target");
    f.icmp.body.n = 20;
    ok(!wire_nd_parse(&got, &f), "cut option");
    f.icmp.body.n = 16;
    ok(wire_nd_parse(&got, &f) && !got.has_lladdr, "no option");
    f.icmp.body.n = 24;
    ok(wire_nd_parse(&got, &f), "restored");

    uint8_t *option = end_of_headroom - 8;

    option[1] = 0;
    ok(!wire_nd_parse(&got, &f), "option of length zero");
    option[1] = 2;
    ok(!wire_nd_parse(&got, &f), "option beyond the message");
    option[1] = 1;
    option[0] = 99;
    ok(wire_nd_parse(&got, &f) && !got.has_lladdr, "unknown option is skipped");
    option[0] = 1;
    option[2] = 1;
    ok(!wire_nd_parse(&got, &f), "link-layer address of a group");
}

TEST(quoted_segments)
{
    static const char *const pairs[][2] = {
        { "192.168.1.101", "192.168.1.102" }, { "2001:db8::101", "2001:db8::102" },
    };

    for (enum wire_family family = WIRE_IPV4; family <= WIRE_IPV6; family++) {
        struct wire_l3 l3 = { .src = addr(pairs[family][0]), .dst = addr(pairs[family][1]),
                              .ttl = 3 };
        struct wire_tcp tcp = { .src_port = 1883, .dst_port = 40000, .seq = 0xfedcba98 };
        uint8_t *p = wire_build_tcp(&l3, &tcp, end_of_headroom, 100) + 14;
        size_t least = (family == WIRE_IPV4 ? 20 : 40) + 8;
        struct wire_quote q;
        int n_taken = 0;

        ok(wire_quote_parse(&q, (struct slice) { p, (uint32_t) least }, family),
           "family %d: header and 8 bytes suffice", family);
        ok(addr_equal(&q.src, &l3.src) && addr_equal(&q.dst, &l3.dst) && q.proto == IP_PROTO_TCP
           && q.src_port == 1883 && q.dst_port == 40000 && q.seq == 0xfedcba98,
           "family %d: all that identifies the segment", family);
        for (uint32_t n = 0; n < least; n++) {
            n_taken += wire_quote_parse(&q, (struct slice) { p, n }, family);
        }
        is_int(n_taken, 0, "family %d: less does not", family);
        ok(!wire_quote_parse(&q, (struct slice) { p, (uint32_t) least }, !family),
           "family %d: not the other family's", family);

        struct wire_fragment frag = { .proto = IP_PROTO_UDP, .off = 8 };

        p = wire_build_fragment(&l3, &frag, end_of_headroom, 40) + 14;
        ok(!wire_quote_parse(&q, (struct slice) { p, (uint32_t) least + 8 }, family),
           "family %d: a later fragment has no ports", family);
        frag.off = 0;
        frag.more = true;
        end_of_headroom[0] = 0x12;
        end_of_headroom[1] = 0x34;
        p = wire_build_fragment(&l3, &frag, end_of_headroom, 40) + 14;
        ok(wire_quote_parse(&q, (struct slice) { p, (uint32_t) least + 8 }, family)
           && q.src_port == 0x1234 && q.proto == IP_PROTO_UDP,
           "family %d: the first one has", family);
    }
}

int
main(void)
{
    RUN(derived_addresses);
    RUN(round_trips);
    RUN(rules_of_validity);
    RUN(quoted_segments);
    return done_testing();
}
