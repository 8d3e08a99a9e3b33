/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The proxy object: frames and datagrams in, frames and datagrams out, the order of a turn. */
#include "proxy/proxy.h"
#include "proxy/private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

STATS_DEFINE(proxy, PROXY_STATS)

/* As mosquitto. */
#define SYS_INTERVAL_US (10 * CLOCK_SEC)

/* TCP hands its caller's path back unread. */
_Static_assert(NET_PATH_SIZE <= UTCP_PATH_SIZE, "net_path must fit into utcp_path");

void
proxy_config_default(struct proxy_config *config)
{
    memset(config, 0, sizeof *config);
    net_config_default(&config->net);
    utcp_config_default(&config->utcp);
    mqtt_config_default(&config->mqtt);
    peer_config_default(&config->peer);
    config->mqtt.sys_interval_us = SYS_INTERVAL_US;
}

void
proxy_config_set_key(struct proxy_config *config, const struct siphash_key *key)
{
    static const uint64_t part[] = { 1, 2, 3, 4, 5 };
    struct siphash_key *keys[] = {
        &config->net.key, &config->utcp.key, &config->mqtt.key, &config->peer.key,
    };

    /* A key of its own for each part, so that what one of them shows tells nothing of another. */
    for (size_t i = 0; i < MP_ARRAY_SIZE(keys); i++) {
        struct siphash_key swapped = { .k0 = key->k1, .k1 = key->k0 };

        keys[i]->k0 = siphash(key, &part[i], sizeof part[i]);
        keys[i]->k1 = siphash(&swapped, &part[i], sizeof part[i]);
    }
    config->peer.seed = siphash(key, &part[4], sizeof part[4]);
}

struct proxy *
proxy_create(const struct proxy_config *config, usec_t now)
{
    struct proxy *p = mem_zalloc(sizeof *p);
    struct utcp_config utcp = config->utcp;
    struct peer_config peer = config->peer;
    struct net_config net = config->net;

    /* Said once each. */
    net.max_mtu = MP_MAX(peer.max_mtu, net.mtu);
    utcp.port = config->net.tcp_port;
    utcp.mtu = peer.mtu = config->net.mtu;
    p->net = net_create(&net, now);
    p->utcp = utcp_create(&utcp, now);
    p->mqtt = mqtt_create(&config->mqtt, now);
    p->peers = peers_create(&peer, now);
    p->tcp_port = config->net.tcp_port;
    p->udp_port = config->net.udp_port;
    p->mtu = config->net.mtu;
    p->n_services = config->net.n_services;
    p->services = mem_dup(config->net.services, p->n_services * sizeof *p->services);
    p->peer_address = config->peer_address;
    p->buf_size = WIRE_HEADROOM + (size_t) net.max_mtu;
    p->buf = mem_alloc(p->buf_size);
    for (size_t i = 0; i < config->n_peers; i++) {
        peers_add(p->peers, &config->peers[i], now);
    }
    return p;
}

void
proxy_destroy(struct proxy *p)
{
    if (!p) {
        return;
    }
    for (size_t i = p->socket_queue.next; i < p->socket_queue.n; i++) {
        mbuf_unref(p->socket_queue.d[i].payload);
    }
    mem_free(p->socket_queue.d);
    mem_free(p->auth_queue.ids);
    mem_free(p->auth_gone.ids);
    mem_free(p->held.ids);
    peers_destroy(p->peers);
    mqtt_destroy(p->mqtt);
    utcp_destroy(p->utcp);
    net_destroy(p->net);
    mem_free(p->services);
    mem_free(p->buf);
    mem_free(p);
}

void
proxy_path(const struct utcp_path *from, struct net_path *path)
{
    memset(path, 0, sizeof *path);
    memcpy(path, from->opaque, NET_PATH_SIZE);
}

static void
rx_tcp(struct proxy *p, const struct net_rx *rx, usec_t now)
{
    const struct wire_frame *f = &rx->frame;
    struct utcp_tuple tuple = {
        .local = f->ip.dst, .remote = f->ip.src,
        .local_port = f->tcp.dst_port, .remote_port = f->tcp.src_port,
    };
    struct utcp_path path = { .tos = f->ip.tos };

    memcpy(path.opaque, &rx->path, NET_PATH_SIZE);
    utcp_input(p->utcp, &tuple, &f->tcp, &path, now);
}

static void
rx_icmp_error(struct proxy *p, const struct net_rx *rx, usec_t now)
{
    struct utcp_tuple tuple = {
        .local = rx->icmp.local, .remote = rx->icmp.remote,
        .local_port = rx->icmp.local_port, .remote_port = rx->icmp.remote_port,
    };
    enum utcp_icmp kind = (rx->icmp.too_big ? UTCP_ICMP_TOO_BIG
                           : rx->icmp.hard ? UTCP_ICMP_HARD : UTCP_ICMP_SOFT);

    utcp_icmp(p->utcp, &tuple, rx->icmp.seq, kind, rx->icmp.mtu, now);
}

static void
report_conflict(struct proxy *p)
{
    struct net_conflict conflict;
    char addr[ADDR_STRLEN], mac[MAC_STRLEN];

    if (net_next_conflict(p->net, &conflict)) {
        notice_put(p, PROXY_NOTICE_WARN, "%s is claimed by %s on port %u as well: a service "
                   "address must be nobody else's", addr_format(&conflict.addr, addr),
                   mac_format(&conflict.mac, mac), (unsigned int) conflict.port);
    }
}

void
proxy_rx_frame(struct proxy *p, uint32_t port, const void *frame, size_t n, usec_t now)
{
    struct net_rx rx;

    net_input(p->net, port, frame, n, now, &rx);
    report_conflict(p);
    if (rx.type == NET_RX_NONE) {
        return;
    }
    if (rx.frame.csum_unverified && rx.type != NET_RX_ICMP_ERROR && !p->said_offload) {
        p->said_offload = true;
        notice_put(p, PROXY_NOTICE_WARN, "a host on port %u leaves checksums to its network card: "
                   "frames from it are taken unverified, and user-space switches lose its UDP; "
                   "\"ethtool -K IF tx off\" there helps (said once)", (unsigned int) port);
    }
    switch (rx.type) {
    case NET_RX_TCP:
        rx_tcp(p, &rx, now);
        break;
    case NET_RX_UDP:
        peers_input(p->peers, &rx.frame.ip.src, rx.frame.udp.src_port, PEER_INBAND,
                    rx.frame.udp.payload, now);
        route_from_peers(p, now);
        break;
    case NET_RX_ICMP_ERROR:
        rx_icmp_error(p, &rx, now);
        break;
    case NET_RX_NONE:
        break;
    }
    /* Data events point into the frame: they are used up before it goes. */
    client_drain(p, now);
}

void
proxy_rx_datagram(struct proxy *p, const struct ip_addr *src, uint16_t src_port, const void *data,
                  size_t n, usec_t now)
{
    p->stats.rx_datagrams++;
    peers_input(p->peers, src, src_port, PEER_SOCKET,
                (struct slice) { .p = data, .n = (uint32_t) n }, now);
    route_from_peers(p, now);
    client_drain(p, now);
}

/* What TCP holds of the broker's output belongs to the broker's memory. */
static uint64_t
output_bytes(const struct proxy *p)
{
    struct utcp_memory memory;

    utcp_memory(p->utcp, &memory);
    return memory.queued;
}

void
proxy_run(struct proxy *p, usec_t now)
{
    if (now >= net_deadline(p->net)) {
        net_run(p->net, now);
    }
    if (now >= utcp_deadline(p->utcp)) {
        utcp_run(p->utcp, now);
    }
    mqtt_set_output_bytes(p->mqtt, output_bytes(p));
    if (now >= mqtt_deadline(p->mqtt)) {
        mqtt_run(p->mqtt, now);
    }
    if (now >= peers_deadline(p->peers)) {
        peers_run(p->peers, now);
    }
    route_from_peers(p, now);
    client_drain(p, now);
    client_pump_ready(p, now);
    client_drain(p, now);             /* Output that was taken may let held publishers go on. */
    route_to_network(p, now);
    route_release(p, now);
    limits_watch(p, now);
}

usec_t
proxy_deadline(const struct proxy *p)
{
    usec_t at = clock_min(net_deadline(p->net), utcp_deadline(p->utcp));

    return clock_min(at, clock_min(mqtt_deadline(p->mqtt), peers_deadline(p->peers)));
}

bool
proxy_next_frame(struct proxy *p, usec_t now, struct net_tx *tx)
{
    struct utcp_segment seg;
    struct net_path path;
    uint8_t *payload = p->buf + WIRE_HEADROOM;

    if (net_next_frame(p->net, now, p->buf, p->buf_size, tx)) {
        return true;
    }
    if (!utcp_next_segment(p->utcp, now, &seg, payload, p->mtu)) {
        return false;
    }
    struct net_l4 l4 = {
        .local = seg.tuple.local, .remote = seg.tuple.remote, .tos = seg.tos, .ttl = seg.ttl,
    };

    proxy_path(&seg.path, &path);
    net_tcp_frame(p->net, &path, &l4, &seg.tcp, payload, seg.tcp.payload.n, tx);
    return true;
}

bool
proxy_next_datagram(struct proxy *p, struct peer_datagram *d)
{
    struct socket_queue *q = &p->socket_queue;

    if (q->next == q->n) {
        q->n = q->next = 0;
        return false;
    }
    *d = q->d[q->next++];
    return true;
}

bool
proxy_next_auth(struct proxy *p, mqtt_id *id, struct mqtt_auth_request *request)
{
    struct auth_queue *q = &p->auth_queue;

    while (q->next < q->n) {
        *id = q->ids[q->next++];
        if (mqtt_auth_request(p->mqtt, *id, request)) {
            return true;
        }
    }
    q->n = q->next = 0;
    return false;
}

bool
proxy_next_auth_gone(struct proxy *p, mqtt_id *id)
{
    struct auth_queue *q = &p->auth_gone;

    if (q->next < q->n) {
        *id = q->ids[q->next++];
        return true;
    }
    q->n = q->next = 0;
    return false;
}

void
proxy_auth_result(struct proxy *p, mqtt_id id, enum mqtt_verdict verdict, usec_t now)
{
    mqtt_auth_result(p->mqtt, id, verdict, now);
    client_drain(p, now);
}

void
proxy_shutdown(struct proxy *p, usec_t now)
{
    if (!p->shutting_down) {
        p->shutting_down = true;
        peers_unsubscribe_all(p->peers, now);
        mqtt_shutdown(p->mqtt, now);
        client_drain(p, now);
    }
}

bool
proxy_is_idle(const struct proxy *p)
{
    return !p->n_clients && peers_is_idle(p->peers);
}

void
notice_put(struct proxy *p, enum proxy_notice level, const char *format, ...)
{
    struct notices *ns = &p->notices;
    uint32_t at = (ns->head + ns->n) % MAX_NOTICES;
    va_list args;

    ns->level[at] = level;
    va_start(args, format);
    vsnprintf(ns->text[at], NOTICE_SIZE, format, args);
    va_end(args);
    if (ns->n < MAX_NOTICES) {
        ns->n++;
    } else {
        ns->head = (ns->head + 1) % MAX_NOTICES;
    }
}

enum proxy_notice
proxy_next_notice(struct proxy *p, char *buf, size_t size)
{
    struct notices *ns = &p->notices;
    enum proxy_notice level;

    if (!ns->n) {
        return PROXY_NOTICE_NONE;
    }
    level = ns->level[ns->head];
    snprintf(buf, size, "%s", ns->text[ns->head]);
    ns->head = (ns->head + 1) % MAX_NOTICES;
    ns->n--;
    return level;
}

struct net *
proxy_net(struct proxy *p)
{
    return p->net;
}

struct utcp *
proxy_utcp(struct proxy *p)
{
    return p->utcp;
}

struct mqtt_broker *
proxy_mqtt(struct proxy *p)
{
    return p->mqtt;
}

struct peers *
proxy_peers(struct proxy *p)
{
    return p->peers;
}

const struct proxy_stats *
proxy_stats(const struct proxy *p)
{
    return &p->stats;
}
