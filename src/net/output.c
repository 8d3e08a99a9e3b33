/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Frames out: segments round a caller's payload, datagrams by way of the neighbours, and net's own
 * frames. */
#include "net/net.h"

#include "base/mem.h"
#include "net/private.h"
#include "wire/nd.h"

#define IP4_HLEN 20
#define IP6_HLEN 40
#define UDP_HLEN 8

void
net_tcp_frame(struct net *net, const struct net_path *path, const struct net_l4 *l4,
              const struct wire_tcp *tcp, uint8_t *payload, size_t n, struct net_tx *tx)
{
    struct wire_l3 l3 = {
        .dst_mac = path->client,
        .src_mac = path->service,
        .n_tags = path->n_tags,
        .src = l4->local,
        .dst = l4->remote,
        .ttl = l4->ttl,
        .tos = l4->tos,
        .df = true,                   /* Path MTU discovery, RFC 1191; atomic, so that the */
        .id = 0,                      /* identification may be anything: RFC 6864 4.1. */
    };

    for (unsigned int i = 0; i < path->n_tags; i++) {
        l3.tags[i].tpid = path->flags >> i & 1 ? ETH_TYPE_QINQ : ETH_TYPE_VLAN;
        l3.tags[i].tci = path->tci[i];
    }
    tx->data = wire_build_tcp(&l3, tcp, payload, n);
    tx->n = (size_t) (payload + n - tx->data);
    tx->flood = false;
    tx->port = path->port;
    net->stats.frames_out++;
}

void
net_queue_frame(struct net *net, const struct net_l2 *l2, const uint8_t *start,
                const uint8_t *end)
{
    struct mbuf *frame = mbuf_copy(start, (size_t) (end - start));
    struct net_out *out = net_outq_new(&net->outq, NET_OUT_FRAME, frame);

    mbuf_unref(frame);
    if (out) {
        out->l2 = *l2;
        net_outq_put(&net->outq, out);
    } else {
        net->stats.out_queue_full++;
    }
}

/* The item of a datagram, NULL at the limit.  What needs fragments gets its UDP header here,
 * because the checksum is over all of them. */
static struct net_out *
make_datagram(struct net *net, const struct net_dgram *d, struct mbuf *payload)
{
    size_t hlen = (addr_is_v4(&d->local) ? IP4_HLEN : IP6_HLEN) + UDP_HLEN;
    uint32_t mtu = MP_MIN(MP_MAX(d->mtu, net->config.mtu), net->config.max_mtu);
    bool is_whole = hlen + payload->size <= mtu;
    struct net_out *out;

    if (is_whole) {
        out = net_outq_new(&net->outq, NET_OUT_UDP, payload);
    } else {
        struct mbuf *whole = mbuf_create(UDP_HLEN + payload->size);
        struct wire_l3 l3 = { .src = d->local, .dst = d->remote };

        memcpy(whole->data + UDP_HLEN, payload->data, payload->size);
        wire_prepend_udp(&l3, d->local_port, d->remote_port, whole->data + UDP_HLEN,
                         payload->size);
        out = net_outq_new(&net->outq, NET_OUT_L4, whole);
        mbuf_unref(whole);
    }
    if (out) {
        out->proto = IP_PROTO_UDP;
        out->mtu = mtu;
        /* More than any way carries was found out for this one: nobody is to cut it there. */
        out->df = is_whole && hlen + payload->size > net->config.mtu;
        out->ttl = NET_TTL;
        out->tos = (uint8_t) (net->config.udp_dscp << 2);
        out->local = d->local;
        out->remote = d->remote;
        out->local_port = d->local_port;
        out->remote_port = d->remote_port;
    }
    return out;
}

/* To the broadcast MAC, or to the one of a group: reaches everybody without being asked for. */
static bool
send_to_all(struct net *net, struct net_out *out)
{
    out->l2.flood = true;
    out->l2.src = net_source_mac(net, &out->local);
    if (addr_is_multicast(&out->remote)) {
        out->l2.dst = wire_multicast_mac(&out->remote);
    } else {
        memset(out->l2.dst.b, 0xff, sizeof out->l2.dst.b);
    }
    net_outq_put(&net->outq, out);
    return true;
}

bool
net_send_udp(struct net *net, const struct net_dgram *d, struct mbuf *payload, usec_t now)
{
    if (payload->size > NET_MAX_DATAGRAM) {
        net->stats.datagram_too_big++;
        return false;
    }
    if (addr_is_v4(&d->local) != addr_is_v4(&d->remote) || addr_is_any(&d->remote)) {
        net->stats.neighbour_unreachable++;
        return false;
    }

    struct net_out *out = make_datagram(net, d, payload);

    if (!out) {
        net->stats.out_queue_full++;
        return false;
    }

    bool sent = d->bcast || addr_is_multicast(&d->remote) ? send_to_all(net, out)
                                                          : net_neigh_send(net, out, now);

    net->stats.datagrams_out += sent;
    return sent;
}

bool
net_next_frame(struct net *net, usec_t now, uint8_t *buf, size_t size, struct net_tx *tx)
{
    (void) now;                       /* Nothing in the queue waits for a time. */
    return net_outq_next(&net->outq, &net->stats, buf, size, tx);
}
