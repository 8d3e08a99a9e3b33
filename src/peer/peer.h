/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* peer: the proxies (or SDN applications) that we exchange SUBSCRIBE, UNSUBSCRIBE and PUBLISH with,
 * over UDP.  Two dialects: the prototype's, plain MQTT control packets, one per datagram; and, for
 * PUBLISHes among proxies of ours, a reliable one (pdu.h) that is numbered, acknowledged and held
 * back when the path or the peer cannot take more.
 *
 * Pure: datagrams, local changes and the time in; datagrams and deliveries out.  Keeps what we
 * want from peers (filters with a local subscriber) and what each peer wants from us.  A PUBLISH that
 * came from a peer leaves as an event only, never as a datagram: that is the proof that messages
 * cannot loop.  One thread. */
#ifndef MP_PEER_PEER_H
#define MP_PEER_PEER_H 1

#include "base/addr.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/mbuf.h"
#include "base/siphash.h"
#include "base/stats.h"
#include "peer/sendstream.h"

#define PEER_MAX_DATAGRAM 65507       /* Largest UDP payload over IPv4. */

enum peer_via { PEER_INBAND, PEER_SOCKET };

struct peer_spec {                    /* One -F. */
    struct ip_addr addr;
    uint16_t port;
    enum peer_via via;
    bool strict;                      /* A real prototype: what it can bear. */
    bool bcast;                       /* Answers no ARP. */
};

struct peer_config {
    usec_t refresh_us;                /* Standing SUBSCRIBEs are repeated (30 s, jitter +-20 %). */
    usec_t silent_us;                 /* Heard again after this long: repeat at once (90 s). */
    usec_t expire_us;                 /* A filter that a peer which repeats has not repeated for so
                                       * long is forgotten (150 s); 0: never. */
    usec_t strict_gap_us;             /* Between datagrams to a strict peer (170 ms). */
    uint32_t max_peers;
    uint32_t max_filters_per_peer;    /* What a peer may want from us. */
    uint32_t max_queued_bytes;        /* Per peer, waiting to leave. */
    uint32_t max_pack_bytes;          /* Of PUBLISHes that are compressed together (16,384, at most
                                       * 65,536); 0: none are, nor taken. */
    uint32_t max_levels;
    uint16_t mtu;                     /* Largest IP packet on the way to every peer... */
    uint16_t max_mtu;                 /* ...and in band, where probes find that the path carries it. */
    uint64_t seed;                    /* Of the jitter. */
    struct siphash_key key;
};
void peer_config_default(struct peer_config *);

#define PEER_STATS(X)                                                           \
    X(datagrams_in, "datagrams from configured peers")                          \
    X(datagrams_out, "datagrams to peers")                                      \
    X(bytes_in, "bytes of datagrams from peers")                                \
    X(bytes_out, "bytes of datagrams to peers")                                 \
    X(unknown_source, "datagrams from a source that is no configured peer")     \
    X(malformed, "datagrams that are no MQTT control packet")                   \
    X(cut, "PUBLISH datagrams shorter than their remaining length")             \
    X(bad_topic, "datagrams with an invalid topic name or filter")              \
    X(unexpected, "control packets that peers do not exchange")                 \
    X(trailing, "datagrams with bytes after the control packet")                \
    X(subscribes_in, "filters subscribed by peers, repetitions included")       \
    X(unsubscribes_in, "filters unsubscribed by peers")                         \
    X(filters_expired, "filters forgotten because a peer no longer repeats them") \
    X(publishes_in, "PUBLISHes from peers")                                     \
    X(subscribes_out, "SUBSCRIBEs sent, repetitions included")                  \
    X(unsubscribes_out, "UNSUBSCRIBEs sent")                                    \
    X(publishes_out, "PUBLISHes sent, per peer")                                \
    X(too_big, "PUBLISHes beyond one datagram, not sent to who takes only that") \
    X(not_utf8, "PUBLISHes not sent to a strict peer: payload is not UTF-8")    \
    X(stale, "PUBLISHes dropped because a peer did not answer for long")        \
    X(probes_out, "probes of what the path to a peer carries")                  \
    X(probes_in, "probes from peers, answered")                                 \
    X(black_holes, "times that a path no longer carried what it had")           \
    X(data_sent_again, "DATA datagrams sent again")                             \
    X(data_given_up, "DATA datagrams given up: no answer")                      \
    X(data_early, "DATA datagrams from peers that came out of order")           \
    X(data_duplicate, "DATA datagrams from peers that came twice")              \
    X(data_missed, "DATA datagrams that a peer gave up, and one each time")         \
    X(data_too_large, "control packets from peers beyond the limit of a queue, skipped") \
    X(packed_out, "blocks of compressed PUBLISHes sent")                        \
    X(packed_vain, "times that compressing PUBLISHes saved nothing")            \
    X(packed_bytes, "bytes of PUBLISHes that were compressed")                  \
    X(packed_saved, "bytes fewer that they were then")                          \
    X(packed_in, "blocks of compressed PUBLISHes from peers")                   \
    X(data_refused, "DATA datagrams of another epoch, or too far out of order") \
    X(filter_limit, "filters refused at the limit per peer")                    \
    X(queue_full, "datagrams dropped at the limit of a peer's queue")
STATS_DECLARE(peer, PEER_STATS)

struct peers;
struct peers *peers_create(const struct peer_config *, usec_t now);
void peers_destroy(struct peers *);

/* Returns 0, EEXIST (same address, port and via) or ENOSPC.  A new peer is told all standing
 * SUBSCRIBEs at the next draining. */
int peers_add(struct peers *, const struct peer_spec *, usec_t now);
int peers_del(struct peers *, const struct ip_addr *, uint16_t port);       /* 0 or ENOENT. */
bool peers_any(const struct peers *);

/* Local changes: the first local subscriber of a filter came, the last one went.  Filters cost
 * memory here: while there is no peer, subscribe nothing, and all before the first is added. */
void peers_subscribe(struct peers *, struct slice filter, usec_t now);
void peers_unsubscribe(struct peers *, struct slice filter, usec_t now);
void peers_unsubscribe_all(struct peers *, usec_t now);

/* A local client published: queued for each peer with a matching filter.  True: more waits for one
 * of them than should, so the client should be held back until peers_n_relieved(), which counts
 * how often a peer was so and is no more, has another value. */
struct peer_publish {
    struct slice topic;
    struct slice payload;
    bool retain;
};
bool peers_publish(struct peers *, const struct peer_publish *, usec_t now);
uint32_t peers_n_relieved(const struct peers *);

/* A datagram arrived.  Borrowed during the call. */
void peers_input(struct peers *, const struct ip_addr *src, uint16_t src_port, enum peer_via,
                 struct slice, usec_t now);

enum peer_event_type {
    PEER_EV_PUBLISH,                  /* Deliver locally: 'publish' borrows until the next call. */
    PEER_EV_UP,                       /* Heard for the first time, or again after silence. */
    PEER_EV_SILENT,                   /* Nothing heard for silent_us. */
    PEER_EV_TOO_BIG,                  /* A PUBLISH was not sent: for a log line. */
};
struct peer_event {
    enum peer_event_type type;
    uint32_t peer;
    struct peer_publish publish;
    size_t size;                      /* TOO_BIG: bytes it would have taken. */
};
/* False: no more, or not before peers_run(), which is due then. */
bool peers_next_event(struct peers *, struct peer_event *);

struct peer_datagram {
    struct peer_spec to;
    uint16_t mtu;                     /* Largest IP packet, if it is in band; beyond it in fragments. */
    struct mbuf *payload;             /* The receiver of the struct owns one reference. */
};
bool peers_next_datagram(struct peers *, usec_t now, struct peer_datagram *);
/* Whether every peer was sent all that is for it, and has it where that can be known; and all that it
 * sent was read. */
bool peers_is_idle(const struct peers *);

void peers_run(struct peers *, usec_t now);
usec_t peers_deadline(const struct peers *);

struct peer_info {
    uint32_t id;
    struct peer_spec spec;
    bool up;
    usec_t last_heard_at;             /* -1: never. */
    uint32_t n_filters;               /* That it wants from us. */
    uint32_t queued_bytes;
    uint64_t datagrams_in, datagrams_out, publishes_in, publishes_out, dropped;
    bool is_congested;
    uint16_t mtu;                     /* Largest IP packet to it. */
    bool is_reliable;                 /* The dialect; then... */
    bool unpacks;                     /* ...whether it takes compressed PUBLISHes, and... */
    struct sendstream_info stream;    /* ...our stream to it. */
};
bool peers_walk(const struct peers *, uint32_t *pos, struct peer_info *);
/* Filters that peer 'id' wants: 'pos' starts at 0; the slice is valid until a change. */
bool peers_walk_filters(const struct peers *, uint32_t id, uint32_t *pos, struct slice *filter);
const struct peer_stats *peers_stats(const struct peers *);

#endif
