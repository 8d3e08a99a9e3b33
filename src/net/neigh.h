/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The neighbours: who has which MAC address and is reached by which port.  Found by probes that
 * teach the network nothing about us (ARP from 0.0.0.0, RFC 5227 2.1.1; see net.h for IPv6), kept
 * fresh by them and by what neighbours send, with a bounded queue of what waits for an answer.  The
 * owners of taken addresses are neighbours that are probed without anybody sending to them.
 *
 *            first datagram, retry_at over                4 probes unanswered
 *   (nothing) ----------------------------> PROBED FIRST ---------------------> FAILED (back-off)
 *                                               | answer                          |  datagram
 *        a datagram from it ------> KNOWN <-----+                                 |  after it
 *                                   |   ^ answer                                  v
 *        used after its life time   v   |                                   PROBED FIRST
 *                               PROBED AGAIN (still used) -- 4 probes unanswered --> FAILED
 *
 * One thread. */
#ifndef MP_NET_NEIGH_H
#define MP_NET_NEIGH_H 1

#include "base/wheel.h"
#include "net/outq.h"

#define NET_NEIGH_LIFETIME (60 * CLOCK_SEC)
#define NET_NEIGH_MAX_TRIES 4         /* 0, 250, 750 and 1,750 ms after the first. */
#define NET_NEIGH_FIRST_RETRY (250 * CLOCK_MSEC)
#define NET_NEIGH_MAX_BACKOFF (30 * CLOCK_SEC)

enum net_neigh_class {
    NET_NEIGH_LEARNT,                 /* Only heard from so far: gives way to others. */
    NET_NEIGH_WANTED,                 /* We have sent to it, or it is the gateway. */
    NET_NEIGH_OWNER,                  /* Of a taken address. */
};

struct net_neigh {
    uint32_t hash_next;               /* Slab indices from here... */
    uint32_t older, newer;            /* Among the learnt ones. */
    uint32_t due;
    struct wheel_node wheel;          /* ...to here. */
    struct ip_addr addr;
    enum net_neigh_class class;
    bool known;
    uint8_t n_tries;                  /* Probes sent in this round; 0: no round. */
    uint8_t n_failed;                 /* Rounds in a row without an answer. */
    struct net_l2 l2;                 /* 'src' unused. */
    usec_t updated_at;                /* Last proof that 'l2' is right. */
    usec_t retry_at;                  /* While FAILED: no new round before. */
    struct net_out *head, *tail;
    uint32_t n_queued;
};

struct net_neighs {
    struct slab slab;
    struct wheel wheel;
    uint32_t *buckets;
    uint32_t mask;
    struct siphash_key key;
    uint32_t oldest, newest;          /* Learnt ones, by their last datagram. */
    uint32_t n_learnt, n_wanted, max; /* Owners are beside the limit. */
    uint32_t max_queued;
    uint32_t owner_generation;
};

struct net;

void net_neighs_init(struct net_neighs *, const struct net_config *, usec_t now);
void net_neighs_uninit(struct net_neighs *, struct net_outq *);
struct net_neigh *net_neigh_find(const struct net_neighs *, const struct ip_addr *);

/* An owner is probed from 'now' on. */
void net_neigh_add_owner(struct net *, const struct ip_addr *, usec_t now);
/* See net_ask_again(). */
void net_neigh_ask_again(struct net *, usec_t now);

/* Sends 'out', whose l2 is still empty, to out->remote, now or when it is found.  Takes 'out'.
 * False when it was dropped, which is counted. */
bool net_neigh_send(struct net *, struct net_out *out, usec_t now);

/* An answer to a probe of ours: unasked ones change nothing. */
void net_neigh_answer(struct net *, const struct ip_addr *, const struct net_l2 *, usec_t now);

/* A datagram for us came from 'addr' this way. */
void net_neigh_heard(struct net *, const struct ip_addr *, const struct net_l2 *, usec_t now);

void net_neigh_run(struct net *, usec_t now);

#endif
