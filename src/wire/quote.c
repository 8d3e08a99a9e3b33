/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What ICMP errors quote: see quote.h. */
#include "wire/quote.h"

static bool
parse_ip4(struct wire_quote *q, struct reader *r)
{
    uint8_t ver_ihl = reader_u8(r);
    size_t hlen = (ver_ihl & 15) * 4;

    reader_bytes(r, 5);

    uint16_t off = reader_u16(r) & 0x1fff;

    reader_u8(r);
    q->proto = reader_u8(r);
    reader_u16(r);
    q->src = addr_v4(reader_u32(r));
    q->dst = addr_v4(reader_u32(r));
    return ver_ihl >> 4 == 4 && hlen >= 20 && !off && reader_bytes(r, hlen - 20);
}

/* We send no extension headers but the one for fragments. */
static bool
parse_ip6(struct wire_quote *q, struct reader *r)
{
    uint8_t ver = reader_u8(r) >> 4;

    reader_bytes(r, 5);
    q->proto = reader_u8(r);
    reader_u8(r);

    const uint8_t *addrs = reader_bytes(r, 32);

    if (!addrs || ver != 6) {
        return false;
    }
    memcpy(q->src.b, addrs, 16);
    memcpy(q->dst.b, addrs + 16, 16);
    if (q->proto == IP_PROTO_FRAGMENT) {
        q->proto = reader_u8(r);
        reader_u8(r);
        if (reader_u16(r) & 0xfff8) {
            return false;
        }
        reader_u32(r);
    }
    return !addr_is_v4(&q->src) && !addr_is_v4(&q->dst);
}

bool
wire_quote_parse(struct wire_quote *q, struct slice body, enum wire_family family)
{
    struct reader r = reader_init(body.p, body.n);

    *q = (struct wire_quote) { .proto = 0 };
    if (!(family == WIRE_IPV4 ? parse_ip4(q, &r) : parse_ip6(q, &r))) {
        return false;
    }
    if (q->proto == IP_PROTO_TCP || q->proto == IP_PROTO_UDP) {
        q->src_port = reader_u16(&r);
        q->dst_port = reader_u16(&r);
    }
    if (q->proto == IP_PROTO_TCP) {
        q->seq = reader_u32(&r);
    }
    return !r.failed;
}
