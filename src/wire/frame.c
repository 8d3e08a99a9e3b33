/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Whole frames: which parser comes after which, and the checksum over the pseudo-header. */
#include "wire/frame.h"

#include "base/mem.h"
#include "wire/parts.h"

enum wire_error
wire_verify_l4(struct wire_frame *f, struct slice l4, size_t field_offset)
{
    uint32_t pseudo = csum_pseudo(&f->ip.src, &f->ip.dst, f->ip.proto, l4.n);

    if (!csum_fold(csum_add(pseudo, l4.p, l4.n))) {
        return WIRE_OK;
    }

    /* A sender that leaves the sum to its hardware puts the folded, not complemented pseudo-header
     * sum into the field; between two virtual interfaces nobody ever completes it. */
    uint16_t field = (uint16_t) (l4.p[field_offset] << 8 | l4.p[field_offset + 1]);

    if (field + csum_fold(pseudo) == 0xffff) {
        f->csum_unverified = true;
        return WIRE_OK;
    }
    return WIRE_ERR_bad_l4_checksum;
}

enum wire_error
wire_tcp_segment_parse(struct wire_frame *f)
{
    if (!wire_tcp_parse(&f->tcp, f->ip.payload, &f->bad_tcp_options)) {
        return WIRE_ERR_cut_l4;
    }
    return wire_verify_l4(f, f->ip.payload, 16);    /* RFC 9293 MUST-3. */
}

static enum wire_error
parse_transport(struct wire_frame *f)
{
    bool v4 = addr_is_v4(&f->ip.src);

    f->csum_unverified = false;
    f->bad_tcp_options = false;
    if (f->ip.proto == IP_PROTO_TCP) {
        f->kind = WIRE_TCP;
        return wire_tcp_segment_parse(f);
    } else if (f->ip.proto == IP_PROTO_UDP) {
        f->kind = WIRE_UDP;
        return wire_udp_parse(f);
    } else if (f->ip.proto == (v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6)) {
        f->kind = WIRE_ICMP;
        return wire_icmp_parse(f);
    }
    f->kind = WIRE_OTHER;
    return WIRE_OK;
}

static enum wire_error
parse_ip(struct wire_frame *f)
{
    enum wire_error error = f->eth.type == ETH_TYPE_IPV4
                            ? wire_ip4_parse(&f->ip, f->eth.payload)
                            : wire_ip6_parse(&f->ip, f->eth.payload);

    if (error) {
        return error;
    }
    f->has_ip = true;
    if (f->ip.mf || f->ip.frag_off) {
        f->kind = WIRE_FRAGMENT;
        return WIRE_OK;
    }
    return parse_transport(f);
}

enum wire_error
wire_parse(struct wire_frame *f, const void *frame, size_t n)
{
    f->kind = WIRE_OTHER;
    f->has_ip = false;
    f->csum_unverified = false;
    f->bad_tcp_options = false;

    enum wire_error error = wire_eth_parse(&f->eth, (struct slice) { frame, (uint32_t) n });

    if (error) {
        return error;
    }
    switch (f->eth.type) {
    case ETH_TYPE_ARP:
        f->kind = WIRE_ARP;
        return wire_arp_parse(&f->arp, f->eth.payload);

    case ETH_TYPE_IPV4:
    case ETH_TYPE_IPV6:
        return parse_ip(f);

    default:
        return WIRE_OK;
    }
}

enum wire_error
wire_parse_l4(struct wire_frame *f, struct slice l4)
{
    f->ip.payload = l4;
    f->ip.mf = false;
    f->ip.frag_off = 0;
    if (!addr_is_v4(&f->ip.src)) {
        enum wire_error error = wire_ip6_skip_extensions(&f->ip, WIRE_IP6_REASSEMBLED);

        if (error) {
            return error;
        }
    }
    return parse_transport(f);
}

uint8_t *
wire_build_tcp(const struct wire_l3 *l3, const struct wire_tcp *tcp, uint8_t *payload, size_t n)
{
    size_t hlen = wire_tcp_hlen(tcp);
    struct writer w = writer_init(payload - hlen, hlen);
    uint32_t len = (uint32_t) (hlen + n);

    wire_tcp_emit(tcp, &w);
    mp_assert(!w.failed && writer_size(&w) == hlen);

    /* RFC 9293 MUST-2.  A header is of whole words, so the payload's sum is added as it is. */
    uint32_t pseudo = csum_pseudo(&l3->src, &l3->dst, IP_PROTO_TCP, len);
    uint32_t partial = tcp->has_payload_sum
                       ? csum_combine(csum_add(pseudo, w.start, hlen), tcp->payload_sum)
                       : csum_add(pseudo, w.start, len);
    uint16_t sum = csum_fold(partial);

    w.start[16] = (uint8_t) (sum >> 8);
    w.start[17] = (uint8_t) sum;
    return wire_ip_prepend(l3, IP_PROTO_TCP, NULL, w.start, len);
}

uint8_t *
wire_build_l4(const struct wire_l3 *l3, uint8_t proto, uint8_t *l4, size_t n)
{
    return wire_ip_prepend(l3, proto, NULL, l4, n);
}

uint8_t *
wire_build_fragment(const struct wire_l3 *l3, const struct wire_fragment *frag, uint8_t *piece,
                    size_t n)
{
    return wire_ip_prepend(l3, frag->proto, frag, piece, n);
}
