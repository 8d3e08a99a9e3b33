/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The object behind net.h and what its files offer one another.  Nobody outside net/ includes this.
 * One thread. */
#ifndef MP_NET_PRIVATE_H
#define MP_NET_PRIVATE_H 1

#include "net/neigh.h"
#include "net/net.h"
#include "net/outq.h"
#include "net/reasm.h"

#define NET_TTL 64
#define NET_MAX_DATAGRAM 65507        /* UDP payload that IPv4 can carry: 65535 - 20 - 8. */
#define NET_REFUSALS_PER_SEC 100      /* RFC 1812 4.3.2.8, RFC 4443 2.4 (f). */
#define NET_REFUSAL_BURST 50
#define NET_CONFLICT_INTERVAL (10 * CLOCK_SEC)      /* RFC 5227's DEFEND_INTERVAL. */

struct net {
    struct net_config config;         /* 'services' is our own copy, all MACs filled in. */
    struct net_service *services;
    struct ip_addr probe_ip6;         /* Link-local, of the probe MAC. */
    struct net_outq outq;
    struct net_reasm reasm;
    struct net_neighs neighs;
    struct net_stats stats;
    uint8_t *whole;                   /* The datagram reassembled last; NULL until the first. */
    uint32_t refusal_tokens;
    usec_t refusals_at;               /* When the tokens were last counted. */
    struct net_conflict conflict;
    bool has_conflict;                /* 'conflict' was not reported yet. */
    usec_t conflict_after;            /* None is kept before. */
};

/* -- net.c */
/* The virtual service that owns 'a', NULL: none. */
const struct net_service *net_virtual_service(const struct net *, const struct ip_addr *a);
/* The MAC address that our frames from 'local' carry. */
struct mac_addr net_source_mac(const struct net *, const struct ip_addr *local);
/* The way back to where 'f' came from. */
struct net_l2 net_l2_back(const struct wire_frame *f, uint32_t port);
/* Queues a frame that was composed in front of 'end'. */
void net_queue_frame(struct net *, const struct net_l2 *, const uint8_t *start,
                     const uint8_t *end);

/* -- answer.c: what a host would answer by itself. */
void net_arp_input(struct net *, uint32_t port, const struct wire_frame *, usec_t now);
void net_nd_input(struct net *, uint32_t port, const struct wire_frame *, usec_t now);
void net_echo_input(struct net *, uint32_t port, const struct wire_frame *);

/* -- refuse.c */
enum net_refusal { NET_REFUSE_PORT, NET_REFUSE_PROTOCOL };
void net_refuse(struct net *, uint32_t port, const struct wire_frame *, enum net_refusal,
                usec_t now);

/* -- icmp-error.c: true when 'f' is about a TCP segment of one of our services. */
bool net_icmp_error(struct net *, const struct wire_frame *f, struct net_rx *);

#endif
