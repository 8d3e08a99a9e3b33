/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A router on the way to the clients, whose next link carries less than the endpoint's: it drops
 * what is too large and says so by ICMP (RFC 1191, RFC 8201), which may be lost like any other frame.
 * Knows no TCP.  A function of its seed; time is virtual. */
#ifndef MP_TESTS_SIM_ROUTER_H
#define MP_TESTS_SIM_ROUTER_H 1

#include "sim/net.h"
#include "wire/frame.h"

#define SIMROUTER_STEPS 3

struct simrouter {
    struct prng prng;
    struct ip_addr addr;
    struct {
        usec_t from;
        uint16_t mtu;
    } steps[SIMROUTER_STEPS];         /* Its link gets narrower, and wider perhaps. */
    bool is_mute;                     /* Says that a packet is too large, not what would not be. */
    bool is_liar;                     /* Says so about packets that were never sent as well. */
};

void simrouter_init(struct simrouter *, uint64_t seed, const struct ip_addr *, usec_t now);
/* Whether an IP packet from the server goes on; else it is dropped, and the server told by 'net'. */
bool simrouter_passes(struct simrouter *, struct simnet *, const uint8_t *frame, size_t n,
                      usec_t now);

#endif
