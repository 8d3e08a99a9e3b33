/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Packet-out messages: one frame to one port, or flooded.  Written by hand straight into the output
 * buffer, one copy of the frame and no allocation, because this is done once per frame; the unit
 * test decodes them with libopenvswitch in every version.
 *
 * Never through the flow table: a controller that learns would learn our addresses from it.
 * Stateless. */
#ifndef MP_OFP_PKTOUT_H
#define MP_OFP_PKTOUT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ports are numbered as in OpenFlow 1.1 and up everywhere outside of the codec. */
#define PKTOUT_PORT_MAX        0xffffff00u
#define PKTOUT_PORT_LOCAL      0xfffffffeu
#define PKTOUT_PORT_CONTROLLER 0xfffffffdu
#define PKTOUT_PORT_FLOOD      0xfffffffbu

struct pktout {
    const void *frame;                /* Checksums complete, at most MTU + 18. */
    size_t n;
    bool flood;                       /* To every port, LOCAL too... */
    uint32_t port;                    /* ...else to this one, be it where the client is. */
};

#define PKTOUT_MAX_FRAME 65000        /* Longer ones do not fit an OpenFlow message. */
#define PKTOUT_MAX_OVERHEAD 72        /* Header and actions of the largest version. */

/* Writes the message to 'dst', which has room for n + PKTOUT_MAX_OVERHEAD bytes, for wire version
 * 'version' (0x01, 0x04, 0x05, 0x06).  Returns its length; 0 when the frame is too long. */
size_t pktout_encode(uint8_t *dst, uint8_t version, uint32_t xid, const struct pktout *);

#endif
