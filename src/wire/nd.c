/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Neighbour Discovery messages: see nd.h. */
#include "wire/nd.h"

#include "base/mem.h"

#define ND_OPT_SOURCE_LLADDR 1
#define ND_OPT_TARGET_LLADDR 2

/* RFC 4861 4.6: options in units of 8 bytes, none of length zero; those we do not know are
 * skipped. */
static bool
parse_options(struct wire_nd *nd, struct reader *r)
{
    uint8_t wanted = nd->type == ND_SOLICIT ? ND_OPT_SOURCE_LLADDR : ND_OPT_TARGET_LLADDR;

    while (reader_left(r)) {
        uint8_t type = reader_u8(r);
        size_t len = reader_u8(r) * 8;
        const uint8_t *value = len ? reader_bytes(r, len - 2) : NULL;

        if (!value) {
            return false;
        }
        if (type == wanted && len == 8) {
            nd->has_lladdr = true;
            memcpy(nd->lladdr.b, value, sizeof nd->lladdr.b);
        }
    }
    return true;
}

bool
wire_nd_parse(struct wire_nd *nd, const struct wire_frame *f)
{
    const struct wire_icmp *icmp = &f->icmp;

    if (f->kind != WIRE_ICMP || addr_is_v4(&f->ip.src)
        || (icmp->type != ND_SOLICIT && icmp->type != ND_ADVERT)
        || icmp->code || f->ip.ttl != ND_HOP_LIMIT) {
        return false;
    }

    struct reader r = reader_init(icmp->body.p, icmp->body.n);
    const uint8_t *target = reader_bytes(&r, 16);

    if (!target) {
        return false;
    }
    *nd = (struct wire_nd) { .type = icmp->type };
    nd->flags = icmp->type == ND_ADVERT ? icmp->rest : 0;
    memcpy(nd->target.b, target, 16);
    if (addr_is_multicast(&nd->target) || addr_is_v4(&nd->target) || !parse_options(nd, &r)) {
        return false;
    }
    if (nd->has_lladdr && mac_is_multicast(&nd->lladdr)) {
        return false;
    }
    if (icmp->type == ND_ADVERT) {    /* 7.1.2: to a group it answers nobody's solicitation. */
        return !(addr_is_multicast(&f->ip.dst) && nd->flags & ND_SOLICITED);
    }
    if (addr_is_any(&f->ip.src)) {    /* 7.1.1: duplicate address detection. */
        struct ip_addr group = wire_nd_solicited_node(&nd->target);

        return addr_equal(&f->ip.dst, &group) && !nd->has_lladdr;
    }
    return true;
}

uint8_t *
wire_build_nd(const struct wire_l3 *l3, const struct wire_nd *nd, uint8_t *end_of_headroom)
{
    size_t n = 16 + (nd->has_lladdr ? 8 : 0);
    struct writer w = writer_init(end_of_headroom - n, n);
    struct wire_icmp icmp = { .type = nd->type, .rest = nd->flags };
    struct wire_l3 to = *l3;

    writer_bytes(&w, nd->target.b, 16);
    if (nd->has_lladdr) {
        writer_u8(&w, nd->type == ND_SOLICIT ? ND_OPT_SOURCE_LLADDR : ND_OPT_TARGET_LLADDR);
        writer_u8(&w, 1);
        writer_bytes(&w, nd->lladdr.b, 6);
    }
    mp_assert(!w.failed);
    to.ttl = ND_HOP_LIMIT;
    return wire_build_icmp(&to, &icmp, w.start, n);
}

struct ip_addr
wire_nd_solicited_node(const struct ip_addr *a)
{
    struct ip_addr group = { { 0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff } };

    memcpy(group.b + 13, a->b + 13, 3);
    return group;
}

struct ip_addr
wire_nd_link_local(const struct mac_addr *mac)
{
    struct ip_addr a = { { 0xfe, 0x80 } };

    memcpy(a.b + 8, mac->b, 3);
    a.b[8] ^= 2;
    a.b[11] = 0xff;
    a.b[12] = 0xfe;
    memcpy(a.b + 13, mac->b + 3, 3);
    return a;
}

struct mac_addr
wire_multicast_mac(const struct ip_addr *group)
{
    struct mac_addr mac;

    if (addr_is_v4(group)) {
        const uint8_t b[6] = { 0x01, 0x00, 0x5e, group->b[13] & 0x7f, group->b[14], group->b[15] };

        memcpy(mac.b, b, sizeof b);
    } else {
        mac.b[0] = mac.b[1] = 0x33;
        memcpy(mac.b + 2, group->b + 12, 4);
    }
    return mac;
}
