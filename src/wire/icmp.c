/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* ICMP (RFC 792) and ICMPv6 (RFC 4443): the common header. */
#include "wire/frame.h"

#include "wire/parts.h"

#define ICMP_HLEN 8

enum wire_error
wire_icmp_parse(struct wire_frame *f)
{
    struct slice l4 = f->ip.payload;
    struct reader r = reader_init(l4.p, l4.n);

    f->icmp.type = reader_u8(&r);
    f->icmp.code = reader_u8(&r);
    reader_u16(&r);
    f->icmp.rest = reader_u32(&r);
    if (r.failed) {
        return WIRE_ERR_cut_l4;
    }
    f->icmp.body = (struct slice) { .p = r.p, .n = l4.n - ICMP_HLEN };
    if (addr_is_v4(&f->ip.src)) {     /* No pseudo-header in ICMP for IPv4. */
        return csum_fold(csum_add(0, l4.p, l4.n)) ? WIRE_ERR_bad_l4_checksum : WIRE_OK;
    }
    return wire_verify_l4(f, l4, 2);
}

static uint8_t
protocol_of(const struct wire_l3 *l3)
{
    return addr_is_v4(&l3->src) ? IP_PROTO_ICMP : IP_PROTO_ICMPV6;
}

uint8_t *
wire_prepend_icmp(const struct wire_l3 *l3, const struct wire_icmp *icmp, uint8_t *payload,
                  size_t n)
{
    struct writer w = writer_init(payload - ICMP_HLEN, ICMP_HLEN);
    uint8_t proto = protocol_of(l3);
    uint32_t sum = 0;

    writer_u8(&w, icmp->type);
    writer_u8(&w, icmp->code);
    writer_u16(&w, 0);
    writer_u32(&w, icmp->rest);
    if (proto == IP_PROTO_ICMPV6) {
        sum = csum_pseudo(&l3->src, &l3->dst, proto, (uint32_t) (ICMP_HLEN + n));
    }

    uint16_t field = csum_fold(csum_add(sum, w.start, ICMP_HLEN + n));

    w.start[2] = (uint8_t) (field >> 8);
    w.start[3] = (uint8_t) field;
    return w.start;
}

uint8_t *
wire_build_icmp(const struct wire_l3 *l3, const struct wire_icmp *icmp, uint8_t *payload, size_t n)
{
    uint8_t *start = wire_prepend_icmp(l3, icmp, payload, n);

    return wire_ip_prepend(l3, protocol_of(l3), NULL, start, ICMP_HLEN + n);
}
