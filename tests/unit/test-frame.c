/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Whole frames, composed and parsed again, and the ways in which they can be wrong. */
#include "wire/frame.h"

#include "unit/tap.h"

static uint8_t buf[WIRE_HEADROOM + 65536];
static uint8_t *const payload = buf + WIRE_HEADROOM;

enum family { V4, V6 };
static const char *const family_name[] = { "IPv4", "IPv6" };

static struct wire_l3
l3(enum family family, unsigned int n_tags)
{
    struct wire_l3 l = {
        .dst_mac = { { 0, 0, 0, 0, 0, 2 } },
        .src_mac = { { 0, 0, 0, 0, 0, 1 } },
        .tags = { { ETH_TYPE_VLAN, 0x2064 }, { ETH_TYPE_VLAN, 0x0007 } },
        .n_tags = (uint8_t) n_tags,
        .ttl = 63, .tos = 0x2e, .id = 0x1234, .df = true,
    };

    if (n_tags == 2) {
        l.tags[0].tpid = ETH_TYPE_QINQ;
    }
    addr_parse(&l.src, family == V4 ? "192.168.1.101" : "2001:db8::101");
    addr_parse(&l.dst, family == V4 ? "192.168.1.102" : "2001:db8::102");
    return l;
}

static struct wire_tcp
tcp(void)
{
    return (struct wire_tcp) {
        .src_port = 1883, .dst_port = 40001, .seq = 1, .ack = 2, .flags = TCP_ACK | TCP_PSH,
        .wnd = 1000, .opts = { .has_ts = true, .ts_val = 3, .ts_ecr = 4 },
    };
}

/* Parses a copy that ends exactly where the frame does, for the sanitizer. */
static enum wire_error
parse(struct wire_frame *f, const uint8_t *frame, size_t n)
{
    static uint8_t *copy;

    free(copy);
    copy = malloc(n ? n : 1);
    memcpy(copy, frame, n);
    return wire_parse(f, copy, n);
}

static void
check_addressing(const struct wire_frame *f, const struct wire_l3 *l, const char *name)
{
    ok(mac_equal(&f->eth.dst, &l->dst_mac) && mac_equal(&f->eth.src, &l->src_mac), "%s: MACs",
       name);
    ok(f->eth.n_tags == l->n_tags && !memcmp(f->eth.tags, l->tags, l->n_tags * sizeof l->tags[0]),
       "%s: tags", name);
    ok(f->has_ip && addr_equal(&f->ip.src, &l->src) && addr_equal(&f->ip.dst, &l->dst),
       "%s: addresses", name);
    ok(f->ip.ttl == l->ttl && f->ip.tos == l->tos && f->ip.df, "%s: TTL, TOS, DF", name);
    ok(!f->ip.mf && !f->ip.frag_off, "%s: no fragment", name);
    ok(!addr_is_v4(&l->src) || f->ip.id == l->id, "%s: identification", name);
}

TEST(composed_frames_parse_back)
{
    for (enum family family = V4; family <= V6; family++) {
        for (unsigned int n_tags = 0; n_tags <= 2; n_tags++) {
            struct wire_l3 l = l3(family, n_tags);
            struct wire_tcp t = tcp();
            struct wire_icmp icmp = { .type = 8, .code = 1, .rest = 0xabcd0001 };
            struct wire_frame f;
            char name[64];

            memcpy(payload, "hello", 5);
            snprintf(name, sizeof name, "%s TCP, %u tags", family_name[family], n_tags);

            uint8_t *p = wire_build_tcp(&l, &t, payload, 5);

            is_int(parse(&f, p, (size_t) (payload + 5 - p)), WIRE_OK, "%s", name);
            check_addressing(&f, &l, name);
            is_int(f.kind, WIRE_TCP, "%s: kind", name);
            ok(!f.csum_unverified && !f.bad_tcp_options, "%s: whole", name);
            ok(f.tcp.seq == 1 && f.tcp.ack == 2 && f.tcp.opts.ts_ecr == 4, "%s: header", name);
            is_mem(f.tcp.payload.p, f.tcp.payload.n, "hello", 5, "%s: payload", name);

            snprintf(name, sizeof name, "%s UDP, %u tags", family_name[family], n_tags);
            p = wire_build_udp(&l, 1883, 1884, payload, 5);
            is_int(parse(&f, p, (size_t) (payload + 5 - p)), WIRE_OK, "%s", name);
            check_addressing(&f, &l, name);
            ok(f.kind == WIRE_UDP && f.udp.src_port == 1883 && f.udp.dst_port == 1884,
               "%s: ports", name);
            is_mem(f.udp.payload.p, f.udp.payload.n, "hello", 5, "%s: payload", name);

            snprintf(name, sizeof name, "%s ICMP, %u tags", family_name[family], n_tags);
            p = wire_build_icmp(&l, &icmp, payload, 5);
            is_int(parse(&f, p, (size_t) (payload + 5 - p)), WIRE_OK, "%s", name);
            check_addressing(&f, &l, name);
            ok(f.kind == WIRE_ICMP && f.icmp.type == 8 && f.icmp.code == 1
               && f.icmp.rest == 0xabcd0001, "%s: header", name);
            is_mem(f.icmp.body.p, f.icmp.body.n, "hello", 5, "%s: body", name);
        }
    }
}

/* Bytes written by hand from the RFCs, so that composer and parser cannot merely be wrong in the
 * same way. */
/* A glance sees what the parser sees. */
TEST(glances)
{
    for (enum family family = V4; family <= V6; family++) {
        for (unsigned int n_tags = 0; n_tags <= 2; n_tags++) {
            for (size_t n = 0; n < 2; n++) {
                struct wire_l3 l = l3(family, n_tags);
                struct wire_tcp t = tcp();
                uint8_t *start = wire_build_tcp(&l, &t, payload, n);
                size_t size = (size_t) (payload + n - start);
                struct slice padded = { start, (uint32_t) size + 4 };
                struct wire_ends e;
                bool seen = wire_peek_tcp(&e, padded);

                ok(seen && addr_equal(&e.src, &l.src) && addr_equal(&e.dst, &l.dst)
                   && e.src_port == t.src_port && e.dst_port == t.dst_port,
                   "%s, %u tags: ends", family_name[family], n_tags);
                is_int(e.has_payload, n, "whether there is a payload, padding aside");
                for (size_t cut = 0; cut < size; cut++) {
                    uint8_t *copy = malloc(cut + !cut);

                    memcpy(copy, start, cut);
                    seen = wire_peek_tcp(&e, (struct slice) { copy, (uint32_t) cut });
                    free(copy);
                }
                start = wire_build_udp(&l, 1, 2, payload, n);
                ok(!wire_peek_tcp(&e, (struct slice) { start, (uint32_t) size }), "UDP is not TCP");
            }
        }
    }
}

TEST(frames_written_by_hand)
{
    static const uint8_t arp_request[] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x08, 0x06,
        0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
        0xc0, 0xa8, 0x01, 0x66, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0xa8, 0x01, 0x65,
    };
    /* 4500 + 0073 + 4000 + 40fd + c0a8 + 0001 + c0a8 + 00c7 = 24888, folded 488a, inverted b775. */
    static const uint8_t ip_header[] = {
        0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0x08, 0x00,
        0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0xfd, 0xb7, 0x75,
        0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7,
    };
    uint8_t frame[14 + 0x73];
    struct wire_frame f;
    struct ip_addr a;

    is_int(parse(&f, arp_request, sizeof arp_request), WIRE_OK, "ARP request");
    ok(f.kind == WIRE_ARP && f.arp.op == 1 && f.arp.sha.b[5] == 2 && !f.has_ip, "its kind");
    ok(addr_parse(&a, "192.168.1.102") && addr_equal(&f.arp.spa, &a), "its sender");
    ok(addr_parse(&a, "192.168.1.101") && addr_equal(&f.arp.tpa, &a), "its target");

    struct wire_eth eth = f.eth;
    uint8_t *p = wire_build_arp(&eth, &f.arp, payload);

    is_mem(p, (size_t) (payload - p), arp_request, sizeof arp_request, "composed to the same");

    memset(frame, 0, sizeof frame);
    memcpy(frame, ip_header, sizeof ip_header);
    is_int(parse(&f, frame, sizeof frame), WIRE_OK, "IPv4 of an unknown protocol");
    ok(f.kind == WIRE_OTHER && f.has_ip && f.ip.payload.n == 0x73 - 20, "is other");
    frame[24] ^= 1;
    is_int(parse(&f, frame, sizeof frame), WIRE_ERR_bad_ip_checksum, "its checksum off by one");
}

TEST(padding_is_outside)
{
    for (enum family family = V4; family <= V6; family++) {
        struct wire_l3 l = l3(family, 0);
        struct wire_tcp t = tcp();
        struct wire_frame f;

        t.opts.has_ts = false;
        memset(payload, 0xee, 40);

        uint8_t *p = wire_build_tcp(&l, &t, payload, 0);

        is_int(parse(&f, p, (size_t) (payload - p) + 40), WIRE_OK, "%s: padded segment",
               family_name[family]);
        is_int(f.tcp.payload.n, 0, "%s: padding is no payload", family_name[family]);
        p = wire_build_udp(&l, 1, 2, payload, 3);
        is_int(parse(&f, p, (size_t) (payload - p) + 40), WIRE_OK, "%s: padded datagram",
               family_name[family]);
        is_int(f.udp.payload.n, 3, "%s: its length is its own", family_name[family]);
    }
}

TEST(no_cut_frame_is_taken)
{
    for (enum family family = V4; family <= V6; family++) {
        struct wire_l3 l = l3(family, 1);
        struct wire_tcp t = tcp();
        struct wire_frame f;
        int n_taken = 0, n_cut_ethernet = 0;

        memcpy(payload, "0123456789", 10);

        uint8_t *p = wire_build_tcp(&l, &t, payload, 10);
        size_t size = (size_t) (payload + 10 - p);

        for (size_t n = 0; n < size; n++) {
            enum wire_error error = parse(&f, p, n);

            n_taken += error == WIRE_OK;
            n_cut_ethernet += error == WIRE_ERR_cut_ethernet;
        }
        is_int(n_taken, 0, "%s: TCP cut anywhere", family_name[family]);
        is_int(n_cut_ethernet, 18, "%s: the Ethernet header with its tag", family_name[family]);

        struct wire_eth eth = { .dst = l.dst_mac, .src = l.src_mac };
        struct wire_arp arp = { .op = 1, .spa = addr_v4(1), .tpa = addr_v4(2) };

        p = wire_build_arp(&eth, &arp, payload);
        n_taken = 0;
        for (size_t n = 0; n < 42; n++) {
            n_taken += parse(&f, p, n) == WIRE_OK;
        }
        is_int(n_taken, 0, "ARP cut anywhere");
    }
}

/* RFC 9293 MUST-3: no single wrong bit of what a checksum covers goes unseen. */
TEST(every_bit_is_verified)
{
    for (enum family family = V4; family <= V6; family++) {
        struct wire_l3 l = l3(family, 0);
        struct wire_tcp t = tcp();
        struct wire_icmp icmp = { .type = 8 };
        struct wire_frame f;
        size_t l4 = family == V4 ? 34 : 54;

        for (int kind = 0; kind < 3; kind++) {
            int n_taken = 0;

            memcpy(payload, "0123456789", 10);

            uint8_t *p = kind == 0 ? wire_build_tcp(&l, &t, payload, 10)
                         : kind == 1 ? wire_build_udp(&l, 1, 2, payload, 10)
                         : wire_build_icmp(&l, &icmp, payload, 10);
            size_t size = (size_t) (payload + 10 - p);

            for (size_t bit = (family == V4 ? 14 : 22) * 8; bit < size * 8; bit++) {
                /* IPv6 without a header checksum: hop limit and next header are not covered (the
                 * pseudo-header has the protocol, but another protocol is not our business). */
                if (family == V6 && bit / 8 < 22) {
                    continue;
                }
                p[bit / 8] ^= (uint8_t) (1 << bit % 8);
                n_taken += parse(&f, p, size) == WIRE_OK && f.kind != WIRE_OTHER;
                p[bit / 8] ^= (uint8_t) (1 << bit % 8);
            }
            is_int(n_taken, 0, "%s, kind %d: a bit flipped anywhere", family_name[family], kind);
            is_int(parse(&f, p, size), WIRE_OK, "%s, kind %d: restored", family_name[family],
                   kind);
            p[l4] ^= 0x10;
            is_int(parse(&f, p, size), WIRE_ERR_bad_l4_checksum, "%s, kind %d: said so",
                   family_name[family], kind);
        }
    }
}

static void
put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t) (v >> 8);
    p[1] = (uint8_t) v;
}

TEST(offloaded_checksums_are_taken_and_said)
{
    for (enum family family = V4; family <= V6; family++) {
        struct wire_l3 l = l3(family, 0);
        struct wire_tcp t = tcp();
        struct wire_frame f;
        const char *name = family_name[family];

        memcpy(payload, "0123456789", 10);

        uint8_t *p = wire_build_tcp(&l, &t, payload, 10);
        size_t size = (size_t) (payload + 10 - p);
        uint8_t *l4 = payload - 32;
        uint32_t sum = csum_pseudo(&l.src, &l.dst, IP_PROTO_TCP, 42);

        put_u16(l4 + 16, (uint16_t) ~csum_fold(sum));
        is_int(parse(&f, p, size), WIRE_OK, "%s TCP with the pseudo-header sum", name);
        ok(f.csum_unverified, "%s TCP: unverified", name);
        put_u16(l4 + 16, (uint16_t) (~csum_fold(sum) + 1));
        is_int(parse(&f, p, size), WIRE_ERR_bad_l4_checksum, "%s TCP: one more is wrong", name);
        put_u16(l4 + 16, 0);
        is_int(parse(&f, p, size), WIRE_ERR_bad_l4_checksum, "%s TCP: zero is wrong", name);

        p = wire_build_udp(&l, 5, 6, payload, 10);
        l4 = payload - 8;
        put_u16(l4 + 6, (uint16_t) ~csum_fold(csum_pseudo(&l.src, &l.dst, IP_PROTO_UDP, 18)));
        is_int(parse(&f, p, size = (size_t) (payload + 10 - p)), WIRE_OK,
               "%s UDP with the pseudo-header sum", name);
        ok(f.csum_unverified, "%s UDP: unverified", name);
        put_u16(l4 + 6, 0);
        is_int(parse(&f, p, size), family == V4 ? WIRE_OK : WIRE_ERR_bad_l4_checksum,
               "%s UDP: zero means none, for IPv4 only", name);
        ok(family == V6 || !f.csum_unverified, "%s UDP: none is not an offload", name);
    }
}

TEST(udp_checksum_is_never_sent_as_zero)
{
    for (enum family family = V4; family <= V6; family++) {
        struct wire_l3 l = l3(family, 0);
        struct wire_frame f;
        int n_zero = 0, n_ones = 0, n_bad = 0;

        /* Some 16-bit payload makes the sum come out as zero. */
        for (unsigned int v = 0; v <= 0xffff; v++) {
            put_u16(payload, (uint16_t) v);

            uint8_t *p = wire_build_udp(&l, 5, 6, payload, 2);
            uint16_t field = (uint16_t) (payload[-2] << 8 | payload[-1]);

            n_zero += !field;
            if (field == 0xffff) {
                n_ones++;
                n_bad += parse(&f, p, (size_t) (payload + 2 - p)) != WIRE_OK;
            }
        }
        is_int(n_zero, 0, "%s: never zero", family_name[family]);
        ok(n_ones > 0 && !n_bad, "%s: all ones instead, and it verifies", family_name[family]);
    }
}

TEST(bad_headers)
{
    struct wire_l3 l = l3(V4, 0), l6 = l3(V6, 0);
    struct wire_frame f;
    uint8_t *p;

    addr_parse(&l.src, "224.0.0.1");
    p = wire_build_udp(&l, 1, 2, payload, 0);
    is_int(parse(&f, p, 42), WIRE_ERR_bad_ip_source, "IPv4 multicast source");
    addr_parse(&l.src, "255.255.255.255");
    p = wire_build_udp(&l, 1, 2, payload, 0);
    is_int(parse(&f, p, 42), WIRE_ERR_bad_ip_source, "IPv4 broadcast source");
    addr_parse(&l6.src, "ff02::1");
    p = wire_build_udp(&l6, 1, 2, payload, 0);
    is_int(parse(&f, p, 62), WIRE_ERR_bad_ip_source, "IPv6 multicast source");
    l6 = l3(V6, 0);
    p = wire_build_udp(&l6, 1, 2, payload, 0);
    memcpy(p + 22, addr_v4(0x01020304).b, 16);
    is_int(parse(&f, p, 62), WIRE_ERR_bad_ip_source, "IPv4-mapped source in an IPv6 header");

    l = l3(V4, 0);
    p = wire_build_udp(&l, 1, 2, payload, 4);
    p[14] = 0x65;
    is_int(parse(&f, p, 46), WIRE_ERR_bad_ip_header, "version 6 under IPv4's EtherType");
    p[14] = 0x44;
    is_int(parse(&f, p, 46), WIRE_ERR_bad_ip_header, "header length below 5");
    p[14] = 0x4f;
    is_int(parse(&f, p, 46), WIRE_ERR_bad_ip_header, "header beyond the packet");
    p = wire_build_udp(&l, 1, 2, payload, 4);
    put_u16(payload - 4, 7);
    is_int(parse(&f, p, 46), WIRE_ERR_cut_l4, "UDP length below its header");
    put_u16(payload - 4, 13);
    is_int(parse(&f, p, 46), WIRE_ERR_cut_l4, "UDP length beyond the packet");

    p[12] = 0x05;
    p[13] = 0xdc;
    is_int(parse(&f, p, 46), WIRE_OK, "802.3 with a length");
    is_int(f.kind, WIRE_OTHER, "is nobody's");
}

TEST(three_tags_are_nobodys)
{
    struct wire_l3 l = l3(V4, 2);
    uint8_t frame[60] = { 0 };
    struct wire_frame f;
    uint8_t *p = wire_build_udp(&l, 1, 2, payload, 4);

    memcpy(frame, p, 12);
    put_u16(frame + 12, ETH_TYPE_QINQ);
    memcpy(frame + 16, p + 12, 42);
    is_int(parse(&f, frame, sizeof frame), WIRE_OK, "parsed");
    ok(f.kind == WIRE_OTHER && f.eth.n_tags == 2 && f.eth.type == ETH_TYPE_VLAN,
       "and left alone");
}

TEST(fragments)
{
    for (enum family family = V4; family <= V6; family++) {
        struct wire_l3 l = l3(family, 1);
        struct wire_fragment frag = {
            .proto = IP_PROTO_UDP, .id = 0x8765, .off = 1480, .more = true,
        };
        struct wire_frame f;
        const char *name = family_name[family];

        memset(payload, 'x', 16);

        uint8_t *p = wire_build_fragment(&l, &frag, payload, 16);

        is_int(parse(&f, p, (size_t) (payload + 16 - p)), WIRE_OK, "%s: middle fragment", name);
        is_int(f.kind, WIRE_FRAGMENT, "%s: kind", name);
        ok(f.ip.id == 0x8765 && f.ip.frag_off == 1480 && f.ip.mf && f.ip.proto == IP_PROTO_UDP,
           "%s: identification, offset, more", name);
        is_int(f.ip.payload.n, 16, "%s: payload", name);
        is_int(f.eth.n_tags, 1, "%s: tag", name);

        frag.more = false;
        p = wire_build_fragment(&l, &frag, payload, 13);
        is_int(parse(&f, p, (size_t) (payload + 13 - p)), WIRE_OK, "%s: last fragment", name);
        ok(f.kind == WIRE_FRAGMENT && !f.ip.mf && f.ip.payload.n == 13, "%s: odd length", name);

        frag.more = true;
        p = wire_build_fragment(&l, &frag, payload, 13);
        is_int(parse(&f, p, (size_t) (payload + 13 - p)), WIRE_ERR_bad_ip_header,
               "%s: not the last, and no multiple of 8", name);
        p = wire_build_fragment(&l, &frag, payload, 0);
        is_int(parse(&f, p, (size_t) (payload - p)), WIRE_ERR_bad_ip_header,
               "%s: nothing in it and more to come", name);
        frag.off = 65528;
        frag.more = false;
        p = wire_build_fragment(&l, &frag, payload, 16);
        is_int(parse(&f, p, (size_t) (payload + 16 - p)), WIRE_ERR_bad_ip_header,
               "%s: ends beyond 65535", name);
    }
}

TEST(reassembled_datagrams_are_parsed_like_whole_ones)
{
    for (enum family family = V4; family <= V6; family++) {
        struct wire_l3 l = l3(family, 0);
        struct wire_fragment frag = { .proto = IP_PROTO_UDP, .id = 1, .more = true };
        struct wire_frame f;
        const char *name = family_name[family];

        memset(payload, 'y', 3000);

        uint8_t *udp = wire_prepend_udp(&l, 7, 8, payload, 3000);
        uint8_t whole[3008];

        memcpy(whole, udp, sizeof whole);

        uint8_t *p = wire_build_fragment(&l, &frag, udp, 1480);

        is_int(parse(&f, p, (size_t) (udp + 1480 - p)), WIRE_OK, "%s: first fragment", name);
        is_int(wire_parse_l4(&f, (struct slice) { whole, sizeof whole }), WIRE_OK, "%s: all",
               name);
        ok(f.kind == WIRE_UDP && f.udp.src_port == 7 && f.udp.payload.n == 3000 && !f.ip.mf,
           "%s: is UDP", name);
        whole[2000] ^= 1;
        f.ip.proto = IP_PROTO_UDP;
        is_int(wire_parse_l4(&f, (struct slice) { whole, sizeof whole }),
               WIRE_ERR_bad_l4_checksum, "%s: its checksum counts", name);
    }
}

int
main(void)
{
    RUN(composed_frames_parse_back);
    RUN(glances);
    RUN(frames_written_by_hand);
    RUN(padding_is_outside);
    RUN(no_cut_frame_is_taken);
    RUN(every_bit_is_verified);
    RUN(offloaded_checksums_are_taken_and_said);
    RUN(udp_checksum_is_never_sent_as_zero);
    RUN(bad_headers);
    RUN(three_tags_are_nobodys);
    RUN(fragments);
    RUN(reassembled_datagrams_are_parsed_like_whole_ones);
    return done_testing();
}
