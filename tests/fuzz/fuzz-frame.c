/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* The frame parser and the composers: whatever is parsed lies inside the frame, and what is
 * composed from a parsed frame parses to the same again.  The first byte of an input says whether
 * the checksums are put right before; the rest is the frame. */

#include "fuzz/fuzz.h"

#include "base/mem.h"
#include "fuzz/fixup.h"
#include "wire/nd.h"
#include "wire/quote.h"

#define MAX_FRAME 60000               /* So that composed options always find room. */

static uint8_t buf[WIRE_HEADROOM + MAX_FRAME];
static uint8_t *const room = buf + WIRE_HEADROOM;

static void
check_inside(struct slice s, const uint8_t *frame, size_t n)
{
    mp_assert(s.p >= frame && s.p + s.n <= frame + n);
}

static struct wire_l3
l3_of(const struct wire_frame *f)
{
    return (struct wire_l3) {
        .dst_mac = f->eth.dst, .src_mac = f->eth.src,
        .tags = { f->eth.tags[0], f->eth.tags[1] }, .n_tags = f->eth.n_tags,
        .src = f->ip.src, .dst = f->ip.dst, .ttl = f->ip.ttl, .tos = f->ip.tos,
        .id = (uint16_t) f->ip.id, .df = f->ip.df,
    };
}

static void
check_same_ip(const struct wire_frame *a, const struct wire_frame *b)
{
    mp_assert(a->kind == b->kind && b->has_ip);
    mp_assert(mac_equal(&a->eth.dst, &b->eth.dst) && mac_equal(&a->eth.src, &b->eth.src));
    mp_assert(a->eth.n_tags == b->eth.n_tags
              && !memcmp(a->eth.tags, b->eth.tags, a->eth.n_tags * sizeof a->eth.tags[0]));
    mp_assert(addr_equal(&a->ip.src, &b->ip.src) && addr_equal(&a->ip.dst, &b->ip.dst));
    mp_assert(a->ip.ttl == b->ip.ttl && a->ip.tos == b->ip.tos && a->ip.proto == b->ip.proto);
}

static void
check_same_bytes(struct slice a, struct slice b)
{
    mp_assert(a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n)));
}

static uint8_t *
put_payload(struct slice s)
{
    if (s.n) {
        memcpy(room, s.p, s.n);
    }
    return room;
}

static void
again(struct wire_frame *b, const uint8_t *start, size_t n_payload)
{
    mp_assert(start >= buf);
    mp_assert(wire_parse(b, start, (size_t) (room + n_payload - start)) == WIRE_OK);
    mp_assert(!b->csum_unverified && !b->bad_tcp_options);
}

static void
check_tcp(const struct wire_frame *f)
{
    struct wire_l3 l3 = l3_of(f);
    struct wire_tcp tcp = f->tcp;
    uint32_t n = f->tcp.payload.n;
    struct wire_frame b;

    again(&b, wire_build_tcp(&l3, &tcp, put_payload(tcp.payload), n), n);
    check_same_ip(f, &b);
    check_same_bytes(tcp.payload, b.tcp.payload);
    mp_assert(b.tcp.src_port == tcp.src_port && b.tcp.dst_port == tcp.dst_port
              && b.tcp.seq == tcp.seq && b.tcp.ack == tcp.ack && b.tcp.flags == tcp.flags
              && b.tcp.wnd == tcp.wnd && b.tcp.urg == tcp.urg);
    mp_assert(b.tcp.opts.has_mss == tcp.opts.has_mss && b.tcp.opts.mss == tcp.opts.mss
              && b.tcp.opts.has_ts == tcp.opts.has_ts && b.tcp.opts.ts_val == tcp.opts.ts_val
              && b.tcp.opts.ts_ecr == tcp.opts.ts_ecr
              && b.tcp.opts.has_wscale == tcp.opts.has_wscale
              && b.tcp.opts.wscale == tcp.opts.wscale
              && b.tcp.opts.sack_permitted == tcp.opts.sack_permitted
              && b.tcp.opts.n_sack <= tcp.opts.n_sack);
    mp_assert(!memcmp(b.tcp.opts.sack, tcp.opts.sack,
                      b.tcp.opts.n_sack * sizeof b.tcp.opts.sack[0]));
}

static void
check_udp(const struct wire_frame *f)
{
    struct wire_l3 l3 = l3_of(f);
    uint32_t n = f->udp.payload.n;
    struct wire_frame b;

    again(&b, wire_build_udp(&l3, f->udp.src_port, f->udp.dst_port, put_payload(f->udp.payload), n),
          n);
    check_same_ip(f, &b);
    check_same_bytes(f->udp.payload, b.udp.payload);
    mp_assert(b.udp.src_port == f->udp.src_port && b.udp.dst_port == f->udp.dst_port);
}

static void
check_nd(const struct wire_frame *f)
{
    struct wire_l3 l3 = l3_of(f);
    struct wire_frame b;
    struct wire_nd nd, nd_again;

    if (!wire_nd_parse(&nd, f)) {
        return;
    }
    again(&b, wire_build_nd(&l3, &nd, room), 0);
    mp_assert(wire_nd_parse(&nd_again, &b));
    mp_assert(nd.type == nd_again.type && nd.flags == nd_again.flags
              && addr_equal(&nd.target, &nd_again.target)
              && nd.has_lladdr == nd_again.has_lladdr
              && mac_equal(&nd.lladdr, &nd_again.lladdr));
}

static void
check_icmp(const struct wire_frame *f)
{
    struct wire_l3 l3 = l3_of(f);
    uint32_t n = f->icmp.body.n;
    struct wire_frame b;
    struct wire_quote quote;

    again(&b, wire_build_icmp(&l3, &f->icmp, put_payload(f->icmp.body), n), n);
    check_same_ip(f, &b);
    check_same_bytes(f->icmp.body, b.icmp.body);
    mp_assert(b.icmp.type == f->icmp.type && b.icmp.code == f->icmp.code
              && b.icmp.rest == f->icmp.rest);
    check_nd(f);
    wire_quote_parse(&quote, f->icmp.body, WIRE_IPV4);
    wire_quote_parse(&quote, f->icmp.body, WIRE_IPV6);
}

static void
check_fragment(const struct wire_frame *f)
{
    struct wire_l3 l3 = l3_of(f);
    struct wire_fragment frag = {
        .proto = f->ip.proto, .id = f->ip.id, .off = f->ip.frag_off, .more = f->ip.mf,
    };
    uint32_t n = f->ip.payload.n;
    struct wire_frame b;

    again(&b, wire_build_fragment(&l3, &frag, put_payload(f->ip.payload), n), n);
    check_same_ip(f, &b);
    check_same_bytes(f->ip.payload, b.ip.payload);
    mp_assert(b.ip.id == f->ip.id && b.ip.frag_off == f->ip.frag_off && b.ip.mf == f->ip.mf);
}

static void
check_arp(const struct wire_frame *f)
{
    struct wire_frame b;

    again(&b, wire_build_arp(&f->eth, &f->arp, room), 0);
    mp_assert(b.kind == WIRE_ARP && b.arp.op == f->arp.op && mac_equal(&b.arp.sha, &f->arp.sha)
              && mac_equal(&b.arp.tha, &f->arp.tha) && addr_equal(&b.arp.spa, &f->arp.spa)
              && addr_equal(&b.arp.tpa, &f->arp.tpa));
}

static void
check_frame(const uint8_t *frame, size_t n)
{
    struct wire_frame f;

    if (wire_parse(&f, frame, n)) {
        return;
    }
    check_inside(f.eth.payload, frame, n);
    if (f.has_ip) {
        check_inside(f.ip.packet, frame, n);
        check_inside(f.ip.payload, frame, n);
        mp_assert(f.ip.proto_at < f.ip.packet.n && f.ip.packet.p[f.ip.proto_at] == f.ip.proto);
    }
    switch (f.kind) {
    case WIRE_ARP:
        check_arp(&f);
        break;
    case WIRE_FRAGMENT:
        check_fragment(&f);
        /* As if it were the whole. */
        wire_parse_l4(&f, f.ip.payload);
        break;
    case WIRE_ICMP:
        check_inside(f.icmp.body, frame, n);
        check_icmp(&f);
        break;
    case WIRE_UDP:
        check_inside(f.udp.payload, frame, n);
        check_udp(&f);
        break;
    case WIRE_TCP:
        check_inside(f.tcp.payload, frame, n);
        check_tcp(&f);
        break;
    case WIRE_OTHER:
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint8_t mode = fuzz_take_u8(&in);

    if (!in.size || in.size > MAX_FRAME) {
        return 0;
    }

    uint8_t *frame = mem_dup(in.data, in.size);

    if (mode & 1) {
        fixup_frame(frame, in.size);
    }
    check_frame(frame, in.size);
    mem_free(frame);
    return 0;
}
