/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* net: what lies between frames and the transports: the service addresses (ARP and ND answers, ICMP
 * echo, refusals), reassembly, neighbours found by probes, IP fragments out, and the way back to
 * a client learnt from its own frames.
 *
 * Pure: frames and time in, frames out.  It knows nothing of OpenFlow; a port is a number that the
 * attachment gives (an OpenFlow port, or the index of a capture interface), and "flood" means what
 * reaches every neighbour of the switch.  One thread. */
#ifndef MP_NET_NET_H
#define MP_NET_NET_H 1

#include <stddef.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/mbuf.h"
#include "base/siphash.h"
#include "base/stats.h"
#include "wire/frame.h"

struct net_service {
    enum net_kind { NET_VIRTUAL, NET_TAKEN } kind;
    struct ip_prefix prefix;          /* Virtual: a host address.  Taken: host, prefix, or len 0. */
    struct mac_addr mac;              /* Virtual: given, or all-zero: derived from the address. */
};

struct net_config {
    const struct net_service *services;         /* Copied. */
    size_t n_services;
    struct mac_addr probe_mac;        /* Locally administered: sender of our ARP and ND probes.
                                       * All-zero: made from the key, see net_probe_mac(). */
    uint16_t tcp_port, udp_port;
    struct ip_addr gateway;           /* Any-address: none.  For peers that no probe finds. */
    uint16_t mtu;
    uint16_t max_mtu;                 /* Of net_dgram.mtu; less than 'mtu': the same. */
    uint8_t udp_dscp;                 /* Of datagrams, 0..63. */
    uint32_t max_reassembly_bytes;    /* True memory of all incomplete datagrams. */
    uint32_t max_reassembly;          /* Datagrams. */
    uint32_t max_neighbours;
    uint32_t max_queued_per_neighbour;          /* Datagrams that wait for a probe's answer. */
    uint32_t max_out_bytes;           /* True memory of all frames and datagrams that wait. */
    struct siphash_key key;
};
void net_config_default(struct net_config *);

/* The MAC address of a virtual service: as configured or derived (02:..., from a hash of A). */
struct mac_addr net_derive_mac(const struct ip_addr *);

/* ARP probes carry the sender address 0.0.0.0.  A neighbour solicitation cannot: from :: it would
 * mean duplicate address detection and be answered to all nodes.  So ours come from the link-local
 * address that belongs to the probe MAC, wire_nd_link_local(&probe_mac): the advertisements come to
 * that address and that MAC, which is what a flow for them has to match. */

/* The way back to a client, learnt from its frames: UTCP_PATH_SIZE bytes, the rest is padding. */
struct net_path {
    struct mac_addr client, service;  /* 'service': the very MAC that the client called. */
    uint32_t port;
    uint16_t tci[WIRE_MAX_TAGS];
    uint8_t n_tags;
    uint8_t flags;                    /* Bit i: tag i is 802.1ad. */
};
#define NET_PATH_SIZE (offsetof(struct net_path, flags) + 1)

#define NET_STATS(X)                                                            \
    WIRE_ERRORS(X)                                                              \
    X(frames_in, "frames taken from the attachment")                            \
    X(frames_out, "frames given to the attachment")                             \
    X(not_ours, "frames for no address or service of ours")                     \
    X(csum_unverified, "checksums left to an offload by the sender")            \
    X(arp_answered, "ARP and ND requests answered")                             \
    X(arp_probes, "ARP and ND probes sent")                                     \
    X(address_conflicts, "claims of others to a virtual address, by ARP or ND") \
    X(echo_answered, "ICMP echo requests answered")                             \
    X(refused, "datagrams refused with an ICMP error")                          \
    X(refusals_limited, "refusals withheld by the rate limit")                  \
    X(fragments_in, "IP fragments received")                                    \
    X(fragments_out, "IP fragments sent")                                       \
    X(reassembled, "datagrams reassembled")                                     \
    X(reassembly_timeout, "incomplete datagrams dropped after their time")      \
    X(reassembly_overlap, "datagrams dropped for overlapping fragments")        \
    X(reassembly_limit, "datagrams or fragments dropped at a limit")            \
    X(out_queue_full, "frames and datagrams dropped at the limit of what may wait") \
    X(out_stale, "frames and datagrams dropped after waiting for the attachment")   \
    X(neighbour_queue_full, "datagrams dropped while a neighbour was probed")   \
    X(neighbour_unreachable, "datagrams dropped for want of a neighbour")       \
    X(neighbour_table_full, "neighbours not learnt at the limit")               \
    X(datagrams_in, "UDP datagrams for our port")                               \
    X(datagrams_out, "UDP datagrams sent")                                      \
    X(datagram_too_big, "UDP datagrams beyond 65,507 bytes not sent")           \
    X(icmp_errors_in, "ICMP errors about our segments")
STATS_DECLARE(net, NET_STATS)

struct mac_addr net_probe_mac(const struct net_config *);

struct net;
struct net *net_create(const struct net_config *, usec_t now);
void net_destroy(struct net *);

/* What one frame came to. */
struct net_rx {
    enum net_rx_type { NET_RX_NONE, NET_RX_TCP, NET_RX_UDP, NET_RX_ICMP_ERROR } type;
    struct net_path path;
    struct wire_frame frame;          /* TCP, UDP: parsed; borrows the frame or net's own buffer. */
    struct {                          /* ICMP error about a segment that we sent. */
        struct ip_addr local, remote;
        uint16_t local_port, remote_port;
        uint32_t seq;
        bool too_big, hard;           /* Fragmentation needed / packet too big; port, protocol... */
        uint16_t mtu;                 /* With too_big: next hop's; 0 unknown. */
    } icmp;
};
/* Takes one frame that came in by 'port'.  Answers of its own (ARP, echo, refusals) are queued for
 * net_next_frame().  '*rx' is valid until the next net_input().  TCP segments for a service address
 * but another port of a *virtual* service come out as NET_RX_TCP too (utcp refuses them). */
void net_input(struct net *, uint32_t port, const void *frame, size_t n, usec_t now,
               struct net_rx *rx);

struct net_tx {                       /* One frame to send. */
    const uint8_t *data;
    size_t n;
    bool flood;                       /* To all neighbours of the switch... */
    uint32_t port;                    /* ...else to this port. */
};

/* Composes the frame of a TCP segment round a payload that lies in a caller's buffer with
 * WIRE_HEADROOM before it. */
struct net_l4 { struct ip_addr local, remote; uint8_t tos, ttl; };
void net_tcp_frame(struct net *, const struct net_path *, const struct net_l4 *,
                   const struct wire_tcp *, uint8_t *payload, size_t n, struct net_tx *);

/* Queues a UDP datagram from service address 'local'.  The neighbour is probed for when not known
 * (or its entry is old); beyond the MTU it leaves as fragments.  'bcast': to the broadcast MAC,
 * flooded, no probe. Takes its own reference to 'payload'. Returns false when dropped (counted). */
struct net_dgram {
    struct ip_addr local, remote;
    uint16_t local_port, remote_port;
    uint16_t mtu;                     /* Largest IP packet on its way; 0: that of the configuration. */
    bool bcast;
};
bool net_send_udp(struct net *, const struct net_dgram *, struct mbuf *payload, usec_t now);

/* Next frame of net's own: answers, probes, datagrams.  Written to 'buf', which has room for the
 * larger MTU and WIRE_HEADROOM. */
bool net_next_frame(struct net *, usec_t now, uint8_t *buf, size_t size, struct net_tx *);

void net_run(struct net *, usec_t now);
usec_t net_deadline(const struct net *);

/* The service that an address belongs to (virtual and longest prefix first), -1: none. */
int net_find_service(const struct net *, const struct ip_addr *);
/* Owner of a taken host address, once a probe found it.  'generation' changes with any change. */
struct net_owner {
    bool known;
    struct mac_addr mac;
    uint32_t port;
};
void net_owner(const struct net *, size_t service, struct net_owner *);
uint32_t net_owner_generation(const struct net *);

/* After the attachment was away.  Who did not answer meanwhile could not: owners are asked again
 * now, others when the next datagram is for them. */
void net_ask_again(struct net *, usec_t now);
/* Drops what has waited for the attachment for too long to be of use (counted). */
void net_drop_stale(struct net *);

/* Another host claims a virtual address (RFC 5227 2.4, RFC 4862 5.4): we go on serving it, but the
 * operator should know.  True for the latest one that was not reported, at most one in 10 s. */
struct net_conflict {
    struct ip_addr addr;
    struct mac_addr mac;
    uint32_t port;
};
bool net_next_conflict(struct net *, struct net_conflict *);

/* Neighbours, for show: false at the end. */
struct net_neighbour {
    struct ip_addr addr;
    struct mac_addr mac;
    uint32_t port;
    bool reachable;
    usec_t updated_at;
    uint32_t n_queued;
};
bool net_walk_neighbours(const struct net *, uint32_t *pos, struct net_neighbour *);
const struct net_stats *net_stats(const struct net *);

#endif
