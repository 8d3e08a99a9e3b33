/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What the parsers and composers of the single headers offer to frame.c; nobody outside wire/
 * includes this.  Every parse function sets all fields of its struct; every prepend function writes
 * its header in front of 'payload' and returns the header's start.  Stateless. */
#ifndef MP_WIRE_PARTS_H
#define MP_WIRE_PARTS_H 1

#include "wire/frame.h"

enum wire_error wire_eth_parse(struct wire_eth *, struct slice frame);
uint8_t *wire_eth_prepend(const struct wire_eth *, uint8_t *payload);

enum wire_error wire_arp_parse(struct wire_arp *, struct slice);

enum wire_error wire_ip4_parse(struct wire_ip *, struct slice);
enum wire_error wire_ip6_parse(struct wire_ip *, struct slice);

/* Steps over the extension headers at the start of ip->payload, whose kind is ip->proto.  Stops
 * behind a fragment header, unless it is an atomic one (RFC 6946). */
enum wire_ip6_place { WIRE_IP6_WHOLE, WIRE_IP6_REASSEMBLED };
enum wire_error wire_ip6_skip_extensions(struct wire_ip *, enum wire_ip6_place);

/* The IP header in front of 'n' bytes, by the family of l3->src; 'frag' may be NULL. */
uint8_t *wire_ip_prepend(const struct wire_l3 *, uint8_t proto, const struct wire_fragment *frag,
                         uint8_t *payload, size_t n);

enum wire_error wire_icmp_parse(struct wire_frame *);
enum wire_error wire_udp_parse(struct wire_frame *);
enum wire_error wire_tcp_segment_parse(struct wire_frame *);

/* Verifies the checksum of 'l4', whose field lies at 'field_offset', with the pseudo-header of
 * f->ip.  A field that holds no more than the folded pseudo-header sum sets csum_unverified. */
enum wire_error wire_verify_l4(struct wire_frame *f, struct slice l4, size_t field_offset);

#endif
