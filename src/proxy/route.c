/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The road between the broker and the peers, and from the peers' datagrams to net or the socket.
 *
 * The rule of loop freedom is kept by types: what comes from a peer enters the broker by
 * mqtt_publish_remote(), which never makes an MQTT_EV_PUBLISH, and MQTT_EV_PUBLISH is the only
 * thing that leads to peers_publish(). */
#include "proxy/private.h"

/* '$' topics are a broker's own (MQTT 5.0 4.7.2): what it says of itself is nobody else's, and a
 * peer has no say in it. */
static bool
is_local(struct slice topic)
{
    return topic.n && topic.p[0] == '$';
}

void
route_from_broker(struct proxy *p, const struct mqtt_event *ev, usec_t now)
{
    if (p->shutting_down
        || is_local(ev->type == MQTT_EV_PUBLISH ? ev->message.topic : ev->filter)) {
        return;
    }
    if (ev->type == MQTT_EV_SUBSCRIBE) {
        if (peers_any(p->peers)) {    /* See proxy_add_peer(). */
            peers_subscribe(p->peers, ev->filter, now);
        }
    } else if (ev->type == MQTT_EV_UNSUBSCRIBE) {
        peers_unsubscribe(p->peers, ev->filter, now);
    } else {
        struct peer_publish publish = {
            .topic = ev->message.topic,
            .payload = { ev->message.payload->data, ev->message.payload->size },
            .retain = ev->message.retain,
        };

        if (peers_publish(p->peers, &publish, now) && mqtt_hold(p->mqtt, ev->conn)) {
            struct held *h = &p->held;

            h->ids = mem_grow(h->ids, &h->allocated, h->n + 1, sizeof *h->ids);
            h->ids[h->n++] = ev->conn;
            p->stats.held_for_peers++;
        }
    }
}

/* All of them, whichever peer they publish to: who published to another one that is congested is held
 * again with its next PUBLISH. */
void
route_release(struct proxy *p, usec_t now)
{
    struct held *h = &p->held;

    if (h->n_relieved == peers_n_relieved(p->peers)) {
        return;
    }
    h->n_relieved = peers_n_relieved(p->peers);
    for (size_t i = 0; i < h->n; i++) {
        mqtt_release(p->mqtt, h->ids[i], now);
    }
    mem_free(h->ids);
    *h = (struct held) { .n_relieved = h->n_relieved };
    client_drain(p, now);
}

/* What nobody is to be told is not remembered for peers, over 100 bytes per filter: the first peer
 * makes up for it. */
int
proxy_add_peer(struct proxy *p, const struct peer_spec *spec, usec_t now)
{
    struct subtrie_walk walk = { NULL };
    struct slice filter;

    if (!p->shutting_down && !peers_any(p->peers)) {
        while (mqtt_walk_filters(p->mqtt, &walk, &filter)) {
            if (!is_local(filter)) {
                peers_subscribe(p->peers, filter, now);
            }
        }
        subtrie_walk_end(&walk);
    }
    return peers_add(p->peers, spec, now);
}

static void
peer_name(const struct proxy *p, uint32_t id, char buf[ADDR_STRLEN])
{
    struct peer_info info;
    uint32_t pos = 0;

    while (peers_walk(p->peers, &pos, &info)) {
        if (info.id == id) {
            addr_format(&info.spec.addr, buf);
            return;
        }
    }
    memcpy(buf, "?", 2);
}

static void
deliver(struct proxy *p, const struct peer_publish *publish, usec_t now)
{
    struct mqtt_message message = { .topic = publish->topic, .retain = publish->retain };

    if (is_local(publish->topic)) {
        p->stats.local_topics++;
        return;
    }
    message.payload = mbuf_copy(publish->payload.p, publish->payload.n);
    mqtt_publish_remote(p->mqtt, &message, now);
    mbuf_unref(message.payload);
}

void
route_from_peers(struct proxy *p, usec_t now)
{
    struct peer_event ev;
    char name[ADDR_STRLEN];

    while (peers_next_event(p->peers, &ev)) {
        switch (ev.type) {
        case PEER_EV_PUBLISH:
            deliver(p, &ev.publish, now);
            break;
        case PEER_EV_UP:
            peer_name(p, ev.peer, name);
            notice_put(p, PROXY_NOTICE_INFO, "peer %s: heard", name);
            break;
        case PEER_EV_SILENT:
            peer_name(p, ev.peer, name);
            notice_put(p, PROXY_NOTICE_INFO, "peer %s: idle", name);
            break;
        case PEER_EV_TOO_BIG:
            notice_put(p, PROXY_NOTICE_WARN, "a PUBLISH of %zu bytes is too big for one datagram (%d): "
                       "not sent to peers", ev.size, PEER_MAX_DATAGRAM);
            break;
        }
    }
}

bool
proxy_choose_source(const struct proxy_sources *from, const struct ip_addr *peer,
                    struct ip_addr *source)
{
    bool v4 = addr_is_v4(peer);

    if (!addr_is_any(&from->preferred) && addr_is_v4(&from->preferred) == v4) {
        *source = from->preferred;
        return true;
    }
    for (size_t i = 0; i < from->n_services; i++) {
        const struct ip_prefix *prefix = &from->services[i].prefix;

        if (prefix_is_host(prefix) && addr_is_v4(&prefix->addr) == v4) {
            *source = prefix->addr;
            return true;
        }
    }
    return false;
}

bool
proxy_peer_source(const struct proxy *p, const struct ip_addr *peer, struct ip_addr *source)
{
    struct proxy_sources sources = { p->services, p->n_services, p->peer_address };

    return proxy_choose_source(&sources, peer, source);
}

static void
to_socket(struct proxy *p, const struct peer_datagram *d)
{
    struct socket_queue *q = &p->socket_queue;

    if (q->next == q->n) {
        q->n = q->next = 0;
    }
    q->d = mem_grow(q->d, &q->allocated, q->n + 1, sizeof *q->d);
    q->d[q->n++] = *d;
}

void
route_to_network(struct proxy *p, usec_t now)
{
    struct peer_datagram d;

    while (peers_next_datagram(p->peers, now, &d)) {
        struct net_dgram dgram = {
            .remote = d.to.addr, .local_port = p->udp_port, .remote_port = d.to.port,
            .mtu = d.mtu, .bcast = d.to.bcast,
        };

        if (d.to.via == PEER_SOCKET) {
            to_socket(p, &d);
            continue;
        }
        if (proxy_peer_source(p, &d.to.addr, &dgram.local)) {
            net_send_udp(p->net, &dgram, d.payload, now);
        } else {
            p->stats.no_peer_source++;
        }
        mbuf_unref(d.payload);
    }
}
