/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Packet-in messages of every OpenFlow version and of Nicira's formats, as one struct.  The only
 * caller of ofputil_decode_packet_in().  Stateless. */
#ifndef MP_OFP_PKTIN_H
#define MP_OFP_PKTIN_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ofp_header;

struct pktin {
    uint32_t in_port;                 /* Numbered as in OpenFlow 1.1 and up, see pktout.h. */
    const uint8_t *frame;             /* Borrowed from the message. */
    size_t n;
    uint64_t cookie;                  /* Of the flow that sent it; UINT64_MAX unknown. */
    uint8_t reason;                   /* OFPR_*. */
    bool cut;                         /* The switch sent less than the whole frame. */
};

/* 'oh' must be aligned and as long as it says.  False when it is malformed. */
bool pktin_decode(const struct ofp_header *oh, struct pktin *);

#endif
