/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Neighbour Discovery messages (RFC 4861): solicitations and advertisements, and the addresses that
 * go with them.  Not the protocol: who answers and who remembers is net's business.  Stateless. */
#ifndef MP_WIRE_ND_H
#define MP_WIRE_ND_H 1

#include "wire/frame.h"

#define ND_SOLICIT 135
#define ND_ADVERT 136
#define ND_HOP_LIMIT 255              /* Proof that no router passed it on: RFC 4861 7.1. */

#define ND_ROUTER    UINT32_C(0x80000000)
#define ND_SOLICITED UINT32_C(0x40000000)
#define ND_OVERRIDE  UINT32_C(0x20000000)

struct wire_nd {
    uint8_t type;                     /* ND_SOLICIT or ND_ADVERT. */
    uint32_t flags;                   /* Of an advertisement. */
    struct ip_addr target;
    bool has_lladdr;
    struct mac_addr lladdr;           /* Source (solicitation) or target link-layer address. */
};

/* Whether 'f', a WIRE_ICMP over IPv6, is a valid solicitation or advertisement by every rule of
 * RFC 4861 7.1.1 and 7.1.2, and what it says. */
bool wire_nd_parse(struct wire_nd *, const struct wire_frame *f);

/* Composes the message with its one option; the hop limit is always 255. */
uint8_t *wire_build_nd(const struct wire_l3 *, const struct wire_nd *, uint8_t *end_of_headroom);

struct ip_addr wire_nd_solicited_node(const struct ip_addr *);      /* RFC 4291 2.7.1. */
struct ip_addr wire_nd_link_local(const struct mac_addr *);         /* RFC 4291 Appendix A. */
struct mac_addr wire_multicast_mac(const struct ip_addr *group);    /* RFC 1112 6.4, RFC 2464 7. */

#endif
