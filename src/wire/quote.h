/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The packet that an ICMP error quotes: our own, come back cut after a few bytes of its transport
 * header (RFC 792: 8; RFC 1812 and RFC 4443: more).  Stateless.  Checksums are not verified: what
 * is cut has none, and routers may have changed the header; whoever acts on it compares addresses,
 * ports and sequence number with what was really sent (RFC 5927 4.1). */
#ifndef MP_WIRE_QUOTE_H
#define MP_WIRE_QUOTE_H 1

#include "wire/frame.h"

struct wire_quote {
    struct ip_addr src, dst;
    uint8_t proto;
    uint16_t src_port, dst_port;      /* TCP and UDP only, else 0. */
    uint32_t seq;                     /* TCP only, else 0. */
};

/* 'body' is what follows the 8 bytes of the ICMP header.  False when it
 * is too short to tell the ports, or a fragment other than the first. */
enum wire_family { WIRE_IPV4, WIRE_IPV6 };
bool wire_quote_parse(struct wire_quote *, struct slice body, enum wire_family);

#endif
