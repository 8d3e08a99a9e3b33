/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What waits to be pulled as frames: a first-in first-out queue of ready frames and of transport
 * payloads that become one IP packet, or as many fragments as the MTU makes of them, only when they
 * are taken out.  Not the table that says where a datagram goes: whoever puts an item here has
 * filled in its link-layer addresses.  One thread. */
#ifndef MP_NET_OUTQ_H
#define MP_NET_OUTQ_H 1

#include "net/net.h"

struct net_l2 {                       /* The way of a frame that we send. */
    struct mac_addr dst, src;
    struct wire_tag tags[WIRE_MAX_TAGS];
    uint8_t n_tags;
    bool flood;
    uint32_t port;
};

enum net_out_kind {
    NET_OUT_FRAME,                    /* 'data' is the frame. */
    NET_OUT_UDP,                      /* 'data' is a UDP payload that fits the MTU. */
    NET_OUT_L4,                       /* 'data' is a transport header and payload, to be cut. */
};

struct net_out {
    struct net_out *next;
    enum net_out_kind kind;
    uint8_t proto, ttl, tos;
    uint16_t local_port, remote_port; /* UDP. */
    uint32_t mtu;                     /* Of its way: that of the queue, unless somebody knows better. */
    bool df;                          /* Not to be cut on its way either. */
    struct ip_addr local, remote;
    struct net_l2 l2;
    uint32_t id;                      /* IP identification, once off > 0 that of all fragments. */
    uint32_t off;                     /* How much of an L4 has been taken out. */
    struct mbuf *data;                /* A reference of its own. */
};

#define NET_OUTQ_IDS 256

struct net_outq {
    struct net_out *head, *tail;
    uint32_t mtu, max_mtu;
    struct siphash_key key;
    uint32_t next_id[NET_OUTQ_IDS];   /* By a hash of both addresses. */
    size_t bytes, max_bytes;          /* Of all items that exist, also those in other lists. */
};

void net_outq_init(struct net_outq *, const struct net_config *);
void net_outq_uninit(struct net_outq *);
/* Drops all that is in the queue; returns how many. */
uint32_t net_outq_clear(struct net_outq *);

/* An item with its data, of which it takes a reference; NULL at the limit.  It belongs to the
 * caller until net_outq_put() or net_outq_drop(). */
struct net_out *net_outq_new(struct net_outq *, enum net_out_kind, struct mbuf *data);
void net_outq_put(struct net_outq *, struct net_out *);
void net_outq_drop(struct net_outq *, struct net_out *);

/* Writes the next frame to 'buf'; false when the queue is empty.  Counts into 'stats'. */
bool net_outq_next(struct net_outq *, struct net_stats *, uint8_t *buf, size_t size,
                   struct net_tx *);

#endif
