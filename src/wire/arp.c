/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* ARP for IPv4 over Ethernet (RFC 826). */
#include "wire/frame.h"

#include "base/mem.h"
#include "wire/parts.h"

#define ARP_LEN 28
#define ARP_HTYPE_ETHERNET 1

static struct mac_addr
read_mac(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 6);
    struct mac_addr mac = { { 0 } };

    if (p) {
        memcpy(mac.b, p, sizeof mac.b);
    }
    return mac;
}

enum wire_error
wire_arp_parse(struct wire_arp *arp, struct slice s)
{
    struct reader r = reader_init(s.p, s.n);
    uint16_t htype = reader_u16(&r);
    uint16_t ptype = reader_u16(&r);
    uint16_t lens = reader_u16(&r);

    arp->op = reader_u16(&r);
    arp->sha = read_mac(&r);
    arp->spa = addr_v4(reader_u32(&r));
    arp->tha = read_mac(&r);
    arp->tpa = addr_v4(reader_u32(&r));
    if (r.failed || htype != ARP_HTYPE_ETHERNET || ptype != ETH_TYPE_IPV4 || lens != 0x0604) {
        return WIRE_ERR_cut_arp;
    }
    return WIRE_OK;
}

uint8_t *
wire_build_arp(const struct wire_eth *eth, const struct wire_arp *arp, uint8_t *end_of_headroom)
{
    struct writer w = writer_init(end_of_headroom - ARP_LEN, ARP_LEN);
    struct wire_eth e = *eth;

    writer_u16(&w, ARP_HTYPE_ETHERNET);
    writer_u16(&w, ETH_TYPE_IPV4);
    writer_u16(&w, 0x0604);
    writer_u16(&w, arp->op);
    writer_bytes(&w, arp->sha.b, 6);
    writer_u32(&w, addr_to_v4(&arp->spa));
    writer_bytes(&w, arp->tha.b, 6);
    writer_u32(&w, addr_to_v4(&arp->tpa));
    mp_assert(!w.failed);

    e.type = ETH_TYPE_ARP;
    return wire_eth_prepend(&e, w.start);
}
