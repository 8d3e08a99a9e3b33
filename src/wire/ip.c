/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The IPv4 header (RFC 791, RFC 1122 3.2), and the choice of header by family when composing. */
#include "wire/frame.h"

#include "base/mem.h"
#include "wire/parts.h"

#define IP4_HLEN 20
#define IP6_HLEN 40
#define IP4_DF 0x4000
#define IP4_MF 0x2000
#define IP4_OFFSET_MASK 0x1fff

enum ip4_option {
    IP4_OPT_EOL = 0,
    IP4_OPT_NOP = 1,
    IP4_OPT_LSRR = 131,
    IP4_OPT_SSRR = 137,
};

/* RFC 1122 3.2.1.8: unknown options are passed over by their length. */
static enum wire_error
check_options(struct reader r)
{
    while (reader_left(&r)) {
        uint8_t type = reader_u8(&r);

        if (type == IP4_OPT_EOL) {
            break;
        } else if (type == IP4_OPT_NOP) {
            continue;
        } else if (type == IP4_OPT_LSRR || type == IP4_OPT_SSRR) {
            return WIRE_ERR_ip_source_route;
        }

        uint8_t len = reader_u8(&r);

        if (len < 2 || !reader_bytes(&r, len - 2)) {
            return WIRE_ERR_bad_ip_options;
        }
    }
    return WIRE_OK;
}

enum wire_error
wire_ip4_parse(struct wire_ip *ip, struct slice s)
{
    struct reader r = reader_init(s.p, s.n);
    uint8_t ver_ihl = reader_u8(&r);
    size_t hlen = (ver_ihl & 15) * 4;

    ip->tos = reader_u8(&r);

    uint16_t total = reader_u16(&r);

    ip->id = reader_u16(&r);

    uint16_t frag = reader_u16(&r);

    ip->df = frag & IP4_DF;
    ip->mf = frag & IP4_MF;
    ip->frag_off = (uint16_t) ((frag & IP4_OFFSET_MASK) * 8);
    ip->ttl = reader_u8(&r);
    ip->proto = reader_u8(&r);
    ip->proto_at = 9;
    reader_u16(&r);                   /* Checksum: verified below, over the whole header. */
    ip->src = addr_v4(reader_u32(&r));
    ip->dst = addr_v4(reader_u32(&r));
    /* Lengths from the header: what lies behind is Ethernet's padding. */
    if (r.failed || ver_ihl >> 4 != 4 || hlen < IP4_HLEN || total < hlen || total > s.n) {
        return WIRE_ERR_bad_ip_header;
    }
    if (csum_fold(csum_add(0, s.p, hlen))) {
        return WIRE_ERR_bad_ip_checksum;
    }
    ip->packet = (struct slice) { .p = s.p, .n = total };
    ip->payload = (struct slice) { .p = s.p + hlen, .n = total - (uint32_t) hlen };
    /* All fragments but the last carry multiples of 8 bytes; none ends beyond what IP can say. */
    if ((ip->mf && (ip->payload.n % 8 || !ip->payload.n))
        || hlen + ip->frag_off + ip->payload.n > UINT16_MAX) {
        return WIRE_ERR_bad_ip_header;
    }
    /* RFC 1122 3.2.1.3: neither class D nor broadcast is a source; 240/4 is neither host. */
    if (ip->src.b[12] >= 224) {
        return WIRE_ERR_bad_ip_source;
    }
    return check_options(reader_init(s.p + IP4_HLEN, hlen - IP4_HLEN));
}

static uint8_t *
prepend_ip4(const struct wire_l3 *l3, uint8_t proto, const struct wire_fragment *frag,
            uint8_t *payload, size_t n)
{
    struct writer w = writer_init(payload - IP4_HLEN, IP4_HLEN);
    uint16_t flags = l3->df ? IP4_DF : 0;

    if (frag) {
        flags = (uint16_t) (frag->off / 8 | (frag->more ? IP4_MF : 0));
    }
    mp_assert(n + IP4_HLEN <= UINT16_MAX);
    writer_u8(&w, 0x45);
    writer_u8(&w, l3->tos);
    writer_u16(&w, (uint16_t) (n + IP4_HLEN));
    writer_u16(&w, frag ? (uint16_t) frag->id : l3->id);
    writer_u16(&w, flags);
    writer_u8(&w, l3->ttl);
    writer_u8(&w, proto);
    writer_u16(&w, 0);
    writer_bytes(&w, l3->src.b + 12, 4);
    writer_bytes(&w, l3->dst.b + 12, 4);

    uint16_t sum = csum_fold(csum_add(0, w.start, IP4_HLEN));

    w.start[10] = (uint8_t) (sum >> 8);
    w.start[11] = (uint8_t) sum;
    return w.start;
}

static uint8_t *
prepend_ip6(const struct wire_l3 *l3, uint8_t proto, const struct wire_fragment *frag,
            uint8_t *payload, size_t n)
{
    size_t ext = frag ? 8 : 0;
    struct writer w = writer_init(payload - IP6_HLEN - ext, IP6_HLEN + ext);

    mp_assert(n + ext <= UINT16_MAX);
    writer_u32(&w, UINT32_C(6) << 28 | (uint32_t) l3->tos << 20);
    writer_u16(&w, (uint16_t) (n + ext));
    writer_u8(&w, frag ? IP_PROTO_FRAGMENT : proto);
    writer_u8(&w, l3->ttl);
    writer_bytes(&w, l3->src.b, 16);
    writer_bytes(&w, l3->dst.b, 16);
    if (frag) {                       /* RFC 8200 4.5. */
        writer_u8(&w, proto);
        writer_u8(&w, 0);
        writer_u16(&w, (uint16_t) (frag->off | (frag->more ? 1 : 0)));
        writer_u32(&w, frag->id);
    }
    return w.start;
}

uint8_t *
wire_ip_prepend(const struct wire_l3 *l3, uint8_t proto, const struct wire_fragment *frag,
                uint8_t *payload, size_t n)
{
    bool v4 = addr_is_v4(&l3->src);
    struct wire_eth eth = {
        .dst = l3->dst_mac,
        .src = l3->src_mac,
        .tags = { l3->tags[0], l3->tags[1] },
        .n_tags = l3->n_tags,
        .type = v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6,
    };

    mp_assert(addr_is_v4(&l3->dst) == v4);
    mp_assert(!frag || !(frag->off % 8));
    return wire_eth_prepend(&eth, v4 ? prepend_ip4(l3, proto, frag, payload, n)
                                     : prepend_ip6(l3, proto, frag, payload, n));
}
