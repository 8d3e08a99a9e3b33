/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Ethernet II with up to two VLAN tags (802.1Q, 802.1ad): parse and emit.  Stateless. */
#ifndef MP_WIRE_ETH_H
#define MP_WIRE_ETH_H 1

#include "base/addr.h"
#include "base/cursor.h"

#define ETH_TYPE_IPV4 0x0800
#define ETH_TYPE_ARP  0x0806
#define ETH_TYPE_VLAN 0x8100
#define ETH_TYPE_QINQ 0x88a8
#define ETH_TYPE_IPV6 0x86dd
#define WIRE_MAX_TAGS 2

struct wire_tag {
    uint16_t tpid;
    uint16_t tci;                     /* As on the wire: PCP, DEI, VID. */
};

struct wire_eth {
    struct mac_addr dst, src;
    struct wire_tag tags[WIRE_MAX_TAGS];
    uint8_t n_tags;
    uint16_t type;                    /* EtherType after the tags. */
    struct slice payload;             /* On parse only. */
};

#endif
