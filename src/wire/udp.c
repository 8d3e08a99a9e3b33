/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The UDP header (RFC 768). */
#include "wire/frame.h"

#include "base/mem.h"
#include "wire/parts.h"

#define UDP_HLEN 8

enum wire_error
wire_udp_parse(struct wire_frame *f)
{
    struct slice l4 = f->ip.payload;
    struct reader r = reader_init(l4.p, l4.n);
    uint16_t src_port = reader_u16(&r);
    uint16_t dst_port = reader_u16(&r);
    uint16_t len = reader_u16(&r);
    uint16_t field = reader_u16(&r);

    if (r.failed || len < UDP_HLEN || len > l4.n) {
        return WIRE_ERR_cut_l4;
    }
    l4.n = len;
    f->udp.src_port = src_port;
    f->udp.dst_port = dst_port;
    f->udp.payload = (struct slice) { .p = r.p, .n = len - UDP_HLEN };
    if (!field) {                     /* No checksum: only IPv4 allows that (RFC 8200 8.1). */
        return addr_is_v4(&f->ip.src) ? WIRE_OK : WIRE_ERR_bad_l4_checksum;
    }
    return wire_verify_l4(f, l4, 6);
}

uint8_t *
wire_prepend_udp(const struct wire_l3 *l3, uint16_t src_port, uint16_t dst_port, uint8_t *payload,
                 size_t n)
{
    struct writer w = writer_init(payload - UDP_HLEN, UDP_HLEN);
    uint32_t len = (uint32_t) (UDP_HLEN + n);

    mp_assert(len <= UINT16_MAX);
    writer_u16(&w, src_port);
    writer_u16(&w, dst_port);
    writer_u16(&w, (uint16_t) len);
    writer_u16(&w, 0);

    uint16_t sum = csum_fold(csum_add(csum_pseudo(&l3->src, &l3->dst, IP_PROTO_UDP, len),
                                        w.start, len));

    sum = sum ? sum : 0xffff;         /* Zero would say "no checksum". */
    w.start[6] = (uint8_t) (sum >> 8);
    w.start[7] = (uint8_t) sum;
    return w.start;
}

uint8_t *
wire_build_udp(const struct wire_l3 *l3, uint16_t src_port, uint16_t dst_port, uint8_t *payload,
               size_t n)
{
    uint8_t *udp = wire_prepend_udp(l3, src_port, dst_port, payload, n);

    return wire_ip_prepend(l3, IP_PROTO_UDP, NULL, udp, UDP_HLEN + n);
}
