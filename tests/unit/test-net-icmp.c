/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* ICMP and ICMPv6: echo, refusals and their limits, errors about our segments. */
#include "unit/net-world.h"

static uint8_t buf[WIRE_HEADROOM + 65536];
static uint8_t *const payload = buf + WIRE_HEADROOM;

static enum net_rx_type
input_icmp(struct world *w, const struct wire_l3 *l3, const struct wire_icmp *icmp, size_t n)
{
    return world_input(w, 7, wire_build_icmp(l3, icmp, payload, n), payload + n);
}

static struct wire_icmp
echo_request(enum family family)
{
    return (struct wire_icmp) { .type = family == V4 ? 8 : 128, .rest = 0x12340001 };
}

TEST(echo)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        for (unsigned int n_tags = 0; n_tags <= 2; n_tags++) {
            struct world w;
            struct wire_l3 l3 = l3_between(family, CLIENT, VIRTUAL);
            struct wire_icmp icmp = echo_request(family);
            char name[64];

            snprintf(name, sizeof name, "%s, %u tags", family_name[family], n_tags);
            world_init(&w);
            tag_l3(&l3, n_tags);
            for (size_t i = 0; i < 57; i++) {
                payload[i] = (uint8_t) i;
            }
            is_int(input_icmp(&w, &l3, &icmp, 57), NET_RX_NONE, "%s: nothing goes up", name);
            ok(world_next(&w), "%s: answered", name);
            ok(w.sent.kind == WIRE_ICMP && w.sent.icmp.type == (family == V4 ? 0 : 129)
               && !w.sent.icmp.code && w.sent.icmp.rest == 0x12340001, "%s: is a reply", name);
            is_mem(w.sent.icmp.body.p, w.sent.icmp.body.n, payload, 57, "%s: same data", name);
            ok(addr_equal(&w.sent.ip.src, &l3.dst) && addr_equal(&w.sent.ip.dst, &l3.src)
               && mac_equal(&w.sent.eth.dst, &l3.src_mac) && has_tags_of(&w, &l3)
               && w.tx.port == 7 && !w.tx.flood, "%s: goes back the same way", name);
            is_int(net_stats(w.net)->echo_answered, 1, "%s: counted", name);
            world_uninit(&w);
        }
    }
}

TEST(echo_beyond_the_mtu_comes_back_in_fragments)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct wire_l3 l3 = l3_between(family, CLIENT, VIRTUAL);
        struct wire_icmp icmp = echo_request(family);
        static uint8_t whole[4008];
        uint32_t n_out = 0;

        world_init(&w);
        for (size_t i = 0; i < 4000; i++) {
            payload[i] = (uint8_t) (i * 7);
        }
        memcpy(whole, wire_prepend_icmp(&l3, &icmp, payload, 4000), sizeof whole);
        for (uint32_t off = 0; off < sizeof whole; off += 1000) {
            uint8_t piece[WIRE_HEADROOM + 1000];
            uint32_t n = (uint32_t) MP_MIN(1000, sizeof whole - off);
            struct wire_fragment frag = {
                .proto = family == V4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6, .id = 5,
                .off = (uint16_t) off, .more = off + n < sizeof whole,
            };

            memcpy(piece + WIRE_HEADROOM, whole + off, n);
            world_input(&w, 7, wire_build_fragment(&l3, &frag, piece + WIRE_HEADROOM, n),
                        piece + WIRE_HEADROOM + n);
        }
        is_int(net_stats(w.net)->echo_answered, 1, "%s: answered", name);
        while (world_next(&w)) {
            ok(w.sent.kind == WIRE_FRAGMENT && w.sent.ip.frag_off == n_out
               && w.tx.n <= 14 + 1500, "%s: fragment at %u", name, n_out);
            if (n_out == 0) {
                ok(w.sent.ip.payload.p[0] == (family == V4 ? 0 : 129), "%s: a reply", name);
                is_mem(w.sent.ip.payload.p + 8, 1000, payload, 1000, "%s: its data", name);
            }
            n_out += w.sent.ip.payload.n;
        }
        is_int(n_out, sizeof whole, "%s: all of it", name);
        world_uninit(&w);
    }
}

TEST(echo_that_is_not_answered)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct net_config config = world_config(&w);
        struct wire_l3 l3 = l3_between(family, CLIENT, TAKEN);
        struct wire_icmp icmp = echo_request(family);

        world_add_taken(&w, &config);
        w.net = net_create(&config, w.now);
        input_icmp(&w, &l3, &icmp, 8);
        is_int(world_drain(&w), 0, "%s: a taken address has an owner who answers", name);
        l3 = l3_between(family, CLIENT, VIRTUAL);
        l3.dst_mac = all_macs;
        input_icmp(&w, &l3, &icmp, 8);
        is_int(world_drain(&w), 0, "%s: in a broadcast frame", name);
        l3 = l3_between(family, CLIENT, VIRTUAL);
        icmp.type = family == V4 ? 0 : 129;
        input_icmp(&w, &l3, &icmp, 8);
        icmp.type = 200;
        input_icmp(&w, &l3, &icmp, 8);
        is_int(world_drain(&w), 0, "%s: replies and unknown types", name);
        is_int(net_stats(w.net)->not_ours, 4, "%s: counted", name);
        world_uninit(&w);
    }
}

TEST(ports_and_protocols_are_refused)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct wire_l3 l3 = l3_between(family, CLIENT, VIRTUAL);
        uint8_t *p;

        world_init(&w);
        tag_l3(&l3, 1);
        is_int(input_udp(&w, &l3, 53, "query", 5), NET_RX_NONE, "%s: UDP to another port", name);
        ok(world_next(&w), "%s: refused", name);
        ok(w.sent.kind == WIRE_ICMP && w.sent.icmp.type == (family == V4 ? 3 : 1)
           && w.sent.icmp.code == (family == V4 ? 3 : 4) && !w.sent.icmp.rest,
           "%s: port unreachable", name);
        ok(has_tags_of(&w, &l3) && addr_equal(&w.sent.ip.src, &l3.dst)
           && addr_equal(&w.sent.ip.dst, &l3.src), "%s: to the sender", name);
        is_int(w.sent.icmp.body.n, (family == V4 ? 20 : 40) + 13, "%s: quotes all of it", name);
        ok(!memcmp(w.sent.icmp.body.p + w.sent.icmp.body.n - 5, "query", 5), "%s: to the end",
           name);

        memset(payload, 0, 1400);
        p = wire_build_udp(&l3, 1, 2, payload, 1400);
        world_input(&w, 7, p, payload + 1400);
        ok(world_next(&w) && w.sent.ip.packet.n == (family == V4 ? 576 : 1280),
           "%s: a long one is quoted as far as may be", name);

        p = wire_build_l4(&l3, 132, payload, 20);
        world_input(&w, 7, p, payload + 20);
        ok(world_next(&w) && w.sent.icmp.type == (family == V4 ? 3 : 4)
           && w.sent.icmp.code == (family == V4 ? 2 : 1)
           && w.sent.icmp.rest == (family == V4 ? 0 : 6), "%s: protocol unreachable", name);
        is_int(net_stats(w.net)->refused, 3, "%s: counted", name);
        world_uninit(&w);
    }
}

/* RFC 1122 3.2.2, RFC 4443 2.4 (e). */
TEST(what_is_never_refused)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct net_config config = world_config(&w);
        struct wire_l3 l3 = l3_between(family, CLIENT, VIRTUAL);
        struct wire_fragment frag = { .proto = 132, .id = 3, .off = 0, .more = true };
        uint8_t *p;

        world_add_taken(&w, &config);
        w.net = net_create(&config, w.now);
        l3.dst_mac = all_macs;
        input_udp(&w, &l3, 53, "x", 1);
        is_int(world_drain(&w), 0, "%s: a broadcast frame", name);
        l3 = l3_between(family, CLIENT, TAKEN);
        input_udp(&w, &l3, 53, "x", 1);
        is_int(world_drain(&w), 0, "%s: for a taken address", name);
        l3 = l3_between(family, CLIENT, VIRTUAL);
        addr_parse(&l3.src, family == V4 ? "0.0.0.0" : "::");
        input_udp(&w, &l3, 53, "x", 1);
        is_int(world_drain(&w), 0, "%s: from nobody", name);
        l3 = l3_between(family, CLIENT, VIRTUAL);
        memset(payload, 0, 64);
        p = wire_build_fragment(&l3, &frag, payload, 16);
        world_input(&w, 7, p, payload + 16);
        frag.off = 16;
        frag.more = false;
        p = wire_build_fragment(&l3, &frag, payload, 16);
        world_input(&w, 7, p, payload + 16);
        is_int(net_stats(w.net)->reassembled, 1, "%s: fragments of an unknown protocol", name);
        is_int(world_drain(&w), 0, "%s: are not refused", name);
        if (family == V6) {
            p = wire_build_l4(&l3, 59, payload, 16);
            world_input(&w, 7, p, payload + 16);
            is_int(world_drain(&w), 0, "%s: no next header", name);
        }
        is_int(net_stats(w.net)->refused, 0, "%s: counted none", name);
        world_uninit(&w);
    }
}

TEST(refusals_are_limited)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct wire_l3 l3 = l3_between(family, CLIENT, VIRTUAL);

        world_init(&w);
        for (int i = 0; i < 1000; i++) {
            input_udp(&w, &l3, 53, "x", 1);
        }
        is_int(world_drain(&w), 50, "%s: a burst", name);
        is_int(net_stats(w.net)->refusals_limited, 950, "%s: the rest is counted", name);
        for (int i = 0; i < 1000; i++) {
            w.now += CLOCK_MSEC;
            input_udp(&w, &l3, 53, "x", 1);
        }
        is_int(world_drain(&w), 100, "%s: then 100 in a second", name);
        w.now += 3600 * CLOCK_SEC;
        for (int i = 0; i < 100; i++) {
            input_udp(&w, &l3, 53, "x", 1);
        }
        is_int(world_drain(&w), 50, "%s: an hour saves no more than a burst", name);
        world_uninit(&w);
    }
}

/* An ICMP error about a segment that a service sent to a client; quotes it up to 'n_l4' bytes of
 * its TCP header. */
static enum net_rx_type
input_error(struct world *w, enum family family, enum who local, const struct wire_icmp *icmp,
            size_t n_l4)
{
    struct wire_l3 l3 = l3_between(family, local, CLIENT);
    struct wire_tcp tcp = { .src_port = 1883, .dst_port = 40000, .seq = 0x89abcdef };
    uint8_t *p = wire_build_tcp(&l3, &tcp, payload + 100, 0) + 14;
    size_t n = (family == V4 ? 20 : 40) + n_l4;

    memmove(payload, p, n);
    l3 = l3_between(family, GATEWAY, local);
    return input_icmp(w, &l3, icmp, n);
}

TEST(errors_about_our_segments)
{
    static const struct {
        const char *name;
        uint8_t type[N_FAMILIES], code[N_FAMILIES];
        uint32_t rest;
        bool too_big, hard;
        uint16_t mtu;
    } cases[] = {
        { "too big", { 3, 2 }, { 4, 0 }, 1400, true, false, 1400 },
        { "too big without an MTU", { 3, 2 }, { 4, 0 }, 0, true, false, 0 },
        { "port unreachable", { 3, 1 }, { 3, 4 }, 0, false, true, 0 },
        { "host unreachable", { 3, 1 }, { 1, 3 }, 0, false, false, 0 },
        { "time exceeded", { 11, 3 }, { 0, 0 }, 0, false, false, 0 },
        { "parameter problem", { 12, 4 }, { 0, 0 }, 0, false, false, 0 },
    };

    for (enum family family = V4; family < N_FAMILIES; family++) {
        for (enum who local = VIRTUAL; local <= TAKEN; local++) {
            struct world w;
            struct net_config config = world_config(&w);
            struct ip_addr a = who(family, local), b = who(family, CLIENT);

            world_add_taken(&w, &config);
            w.net = net_create(&config, w.now);
            for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
                struct wire_icmp icmp = {
                    .type = cases[i].type[family], .code = cases[i].code[family],
                    .rest = cases[i].rest,
                };
                char name[96];

                snprintf(name, sizeof name, "%s, %s: %s", family_name[family],
                         local == VIRTUAL ? "virtual" : "taken", cases[i].name);
                is_int(input_error(&w, family, local, &icmp, 8), NET_RX_ICMP_ERROR, "%s", name);
                ok(addr_equal(&w.rx.icmp.local, &a) && addr_equal(&w.rx.icmp.remote, &b)
                   && w.rx.icmp.local_port == 1883 && w.rx.icmp.remote_port == 40000
                   && w.rx.icmp.seq == 0x89abcdef, "%s: about which segment", name);
                ok(w.rx.icmp.too_big == cases[i].too_big && w.rx.icmp.hard == cases[i].hard
                   && w.rx.icmp.mtu == cases[i].mtu, "%s: what it means", name);
            }
            is_int(net_stats(w.net)->icmp_errors_in, MP_ARRAY_SIZE(cases), "counted");
            is_int(world_drain(&w), 0, "errors are never answered");
            world_uninit(&w);
        }
    }
}

TEST(errors_that_are_not_about_us)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct wire_icmp icmp = { .type = family == V4 ? 3 : 1, .code = family == V4 ? 3 : 4 };
        struct wire_icmp quench = { .type = family == V4 ? 4 : 100 };
        struct wire_l3 l3;

        world_init(&w);
        is_int(input_error(&w, family, VIRTUAL, &icmp, 7), NET_RX_NONE,
               "%s: too little quoted for a sequence number", name);
        is_int(input_error(&w, family, VIRTUAL, &quench, 8), NET_RX_NONE,
               "%s: source quench or an unknown error", name);
        /* The quotation names another sender than the address that the error came to. */
        l3 = l3_between(family, PEER, CLIENT);
        struct wire_tcp tcp = { .src_port = 1883, .dst_port = 40000 };

        memmove(payload, wire_build_tcp(&l3, &tcp, payload + 100, 0) + 14, 60);
        l3 = l3_between(family, GATEWAY, VIRTUAL);
        is_int(input_icmp(&w, &l3, &icmp, 60), NET_RX_NONE, "%s: another's segment", name);
        /* A datagram of ours: UDP has no use for it. */
        l3 = l3_between(family, VIRTUAL, PEER);
        memmove(payload, wire_build_udp(&l3, 1883, 1883, payload + 100, 0) + 14, 48);
        l3 = l3_between(family, GATEWAY, VIRTUAL);
        is_int(input_icmp(&w, &l3, &icmp, 48), NET_RX_NONE, "%s: a datagram's", name);
        is_int(net_stats(w.net)->icmp_errors_in, 0, "%s: counted none", name);
        is_int(net_stats(w.net)->not_ours, 4, "%s: but as not ours", name);
        world_uninit(&w);
    }
}

int
main(void)
{
    RUN(echo);
    RUN(echo_beyond_the_mtu_comes_back_in_fragments);
    RUN(echo_that_is_not_answered);
    RUN(ports_and_protocols_are_refused);
    RUN(what_is_never_refused);
    RUN(refusals_are_limited);
    RUN(errors_about_our_segments);
    RUN(errors_that_are_not_about_us);
    return done_testing();
}
