/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* proxy: the composition.  A client is a TCP connection (utcp) joined to an MQTT stream (mqtt); what
 * local clients do goes to peers (peer), what peers send goes to local clients; frames come and go
 * through net.  Still pure: frames, datagrams and the time in; frames and datagrams out.  The same
 * object runs in the daemon, in the simulation and in the fuzzers.
 *
 * One turn of the caller: any number of proxy_rx_*(), then proxy_run() once, then
 * proxy_next_frame() and proxy_next_datagram() until false.  One thread. */
#ifndef MP_PROXY_PROXY_H
#define MP_PROXY_PROXY_H 1

#include "base/clock.h"
#include "mqtt/broker.h"
#include "net/net.h"
#include "peer/peer.h"
#include "utcp/utcp.h"

struct proxy_config {
    struct net_config net;            /* Ports and services are in here. */
    struct utcp_config utcp;
    struct mqtt_config mqtt;
    struct peer_config peer;
    const struct peer_spec *peers;    /* Copied. */
    size_t n_peers;
    struct ip_addr peer_address;      /* Source of in-band datagrams; any-address: the first literal
                                       * service address of the peer's family. */
};
/* All defaults; keys and seeds must be set by the caller from a random source. */
void proxy_config_default(struct proxy_config *);
void proxy_config_set_key(struct proxy_config *, const struct siphash_key *);

struct proxy;
struct proxy *proxy_create(const struct proxy_config *, usec_t now);
void proxy_destroy(struct proxy *);

/* A frame from the attachment, or a datagram from the bound peer socket.  Borrowed. */
void proxy_rx_frame(struct proxy *, uint32_t port, const void *, size_t, usec_t now);
/* Advice: these frames will come next, in this order.  Whoever has several at hand gives it, for the
 * first PROXY_MAX_EXPECTED, then for the next: so that what they will touch is fetched into the
 * processor's caches at once, not one after the other.  They are borrowed for this call. */
#define PROXY_MAX_EXPECTED 32
void proxy_expect(struct proxy *, const struct slice *frames, size_t n);
void proxy_rx_datagram(struct proxy *, const struct ip_addr *src, uint16_t src_port, const void *,
                       size_t, usec_t now);

/* Does what is due and what the input of this turn asks for. */
void proxy_run(struct proxy *, usec_t now);
usec_t proxy_deadline(const struct proxy *);

/* What is to be sent; the bytes are valid until the next call. */
bool proxy_next_frame(struct proxy *, usec_t now, struct net_tx *);
bool proxy_next_datagram(struct proxy *, struct peer_datagram *);

/* A CONNECT whose password is to be judged: its id, and what mqtt_auth_request() says of it.
 * proxy_auth_result() lets it go on, at any later time. */
bool proxy_next_auth(struct proxy *, mqtt_id *, struct mqtt_auth_request *);
/* One that was returned by that, and whose client has left meanwhile. */
bool proxy_next_auth_gone(struct proxy *, mqtt_id *);
void proxy_auth_result(struct proxy *, mqtt_id, enum mqtt_verdict, usec_t now);

/* Ends: closes every connection in order and tells peers.  Keep turning until proxy_is_idle() or for
 * as long as patience lasts. */
void proxy_shutdown(struct proxy *, usec_t now);
bool proxy_is_idle(const struct proxy *);

/* Things that an operator should hear of: drained for log lines, NUL-terminated text. */
enum proxy_notice {
    PROXY_NOTICE_NONE, PROXY_NOTICE_DEBUG, PROXY_NOTICE_INFO, PROXY_NOTICE_WARN,
};
enum proxy_notice proxy_next_notice(struct proxy *, char *buf, size_t size);

/* The way back to a client, as TCP keeps it. */
void proxy_path(const struct utcp_path *, struct net_path *);

/* The parts, for show commands, counters and flows.  Borrowed. */
struct net *proxy_net(struct proxy *);
struct utcp *proxy_utcp(struct proxy *);
struct mqtt_broker *proxy_mqtt(struct proxy *);
struct peers *proxy_peers(struct proxy *);

/* As peers_add(), which is not for use on proxy_peers(): one that is added tells it of what clients
 * have subscribed to before. */
int proxy_add_peer(struct proxy *, const struct peer_spec *, usec_t now);

/* Source address of in-band datagrams to a peer: the preferred one, else the first service of one
 * host; false when there is none of the peer's family.  The first for who has no proxy yet. */
struct proxy_sources {
    const struct net_service *services;
    size_t n_services;
    struct ip_addr preferred;         /* Any-address: none. */
};
bool proxy_choose_source(const struct proxy_sources *, const struct ip_addr *peer,
                         struct ip_addr *source);
bool proxy_peer_source(const struct proxy *, const struct ip_addr *peer, struct ip_addr *source);

#define PROXY_STATS(X)                                                                  \
    X(clients_opened, "clients whose TCP connection opened")                            \
    X(clients_refused, "clients refused by the broker's limit")                         \
    X(no_peer_source, "datagrams not sent for want of a source address")                \
    X(local_topics, "PUBLISHes of peers to a broker's own topics ($...), ignored")      \
    X(held_for_peers, "times a publisher was held back for a peer that cannot take more")   \
    X(rx_datagrams, "datagrams from the peer socket")
STATS_DECLARE(proxy, PROXY_STATS)
const struct proxy_stats *proxy_stats(const struct proxy *);

#endif
