/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Reassembly of IP fragments (RFC 791 3.2, RFC 1122 3.3.2, RFC 8200 4.5, RFC 5722), for IPv4 and
 * IPv6, in any order, within limits of datagrams and of true memory; the oldest datagram gives way.
 * It asks nothing about whose fragments these are.  One thread. */
#ifndef MP_NET_REASM_H
#define MP_NET_REASM_H 1

#include "net/net.h"

#define NET_REASM_TIMEOUT (30 * CLOCK_SEC)

struct net_reasm {
    struct net_reasm_entry **buckets;
    uint32_t mask;
    struct net_reasm_entry *oldest, *newest;
    uint32_t n, max;
    size_t bytes, max_bytes;
    struct siphash_key key;
};

void net_reasm_init(struct net_reasm *, const struct net_config *);
void net_reasm_uninit(struct net_reasm *);

/* Takes the fragment 'f'.  When it completes its datagram, copies the payload to 'buf' (65,535
 * bytes), sets f->ip.proto to the first fragment's and returns true with '*whole'. */
bool net_reasm_input(struct net_reasm *, struct wire_frame *f, usec_t now, struct net_stats *,
                     uint8_t *buf, struct slice *whole);

void net_reasm_run(struct net_reasm *, usec_t now, struct net_stats *);
usec_t net_reasm_deadline(const struct net_reasm *);

#endif
