/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A glance at a frame that will be parsed in earnest later: nothing is verified. */
#include "wire/frame.h"

#include "wire/parts.h"

#define IP4_HLEN_MIN 20
#define IP6_HLEN 40
#define TCP_HLEN_MIN 20

/* The ports, and whether there is more than a header, or false for what is too short. */
static bool
peek_segment(struct wire_ends *e, struct slice l4)
{
    struct reader r = reader_init(l4.p, l4.n);

    if (l4.n < TCP_HLEN_MIN) {
        return false;
    }
    e->src_port = reader_u16(&r);
    e->dst_port = reader_u16(&r);
    e->has_payload = l4.n > (l4.p[12] >> 4) * 4u;
    return true;
}

static bool
peek_ip4(struct wire_ends *e, struct slice s)
{
    uint32_t hlen, len;

    if (s.n < IP4_HLEN_MIN || s.p[9] != IP_PROTO_TCP) {
        return false;
    }
    hlen = (s.p[0] & 15) * 4u;
    len = (uint32_t) (s.p[2] << 8 | s.p[3]);
    if (hlen > len || len > s.n) {
        return false;
    }

    struct reader r = reader_init(s.p + 12, 8);

    e->src = addr_v4(reader_u32(&r));
    e->dst = addr_v4(reader_u32(&r));
    return peek_segment(e, (struct slice) { s.p + hlen, len - hlen });
}

/* Without extension headers only: rare enough. */
static bool
peek_ip6(struct wire_ends *e, struct slice s)
{
    uint32_t len;

    if (s.n < IP6_HLEN || s.p[6] != IP_PROTO_TCP) {
        return false;
    }
    len = (uint32_t) (s.p[4] << 8 | s.p[5]);
    if (len > s.n - IP6_HLEN) {
        return false;
    }
    memcpy(e->src.b, s.p + 8, sizeof e->src.b);
    memcpy(e->dst.b, s.p + 24, sizeof e->dst.b);
    return peek_segment(e, (struct slice) { s.p + IP6_HLEN, len });
}

bool
wire_peek_tcp(struct wire_ends *e, struct slice frame)
{
    struct wire_eth eth;

    if (wire_eth_parse(&eth, frame)) {
        return false;
    }
    return eth.type == ETH_TYPE_IPV4 ? peek_ip4(e, eth.payload)
           : eth.type == ETH_TYPE_IPV6 && peek_ip6(e, eth.payload);
}
