/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What the owner of a virtual address answers by itself: ARP, Neighbour Discovery, echo.  Taken
 * addresses have an owner who does that.  Also where the answers to our own probes arrive. */
#include "net/private.h"

#include "base/mem.h"
#include "wire/nd.h"

#define ARP_REQUEST 1
#define ARP_REPLY 2
#define ICMP_HLEN 8

static bool
is_station(const struct mac_addr *mac)
{
    return !mac_is_multicast(mac) && !mac_is_zero(mac);
}

/* Whether a frame with this sender claims 'a', which is ours.  Our own MACs come back from loops and
 * from a second daemon that serves the same address. */
static bool
is_conflict(struct net *net, const struct ip_addr *a, const struct mac_addr *mac, uint32_t port,
            usec_t now)
{
    const struct net_service *service = net_virtual_service(net, a);

    if (!service || mac_equal(mac, &service->mac) || mac_equal(mac, &net->config.probe_mac)) {
        return false;
    }
    net->stats.address_conflicts++;
    if (now >= net->conflict_after) {
        net->conflict = (struct net_conflict) { .addr = *a, .mac = *mac, .port = port };
        net->has_conflict = true;
        net->conflict_after = now + NET_CONFLICT_INTERVAL;
    }
    return true;
}

bool
net_next_conflict(struct net *net, struct net_conflict *conflict)
{
    bool has = net->has_conflict;

    *conflict = net->conflict;
    net->has_conflict = false;
    return has;
}

static void
answer_arp(struct net *net, uint32_t port, const struct wire_frame *f,
           const struct net_service *service)
{
    uint8_t buf[WIRE_HEADROOM];
    struct net_l2 l2 = net_l2_back(f, port);
    struct wire_eth eth = f->eth;     /* The same tags. */
    struct wire_arp arp = {
        .op = ARP_REPLY,
        .sha = service->mac, .spa = f->arp.tpa,
        .tha = f->arp.sha, .tpa = f->arp.spa,
    };

    eth.dst = f->eth.src;
    eth.src = service->mac;
    net->stats.arp_answered++;
    net_queue_frame(net, &l2, wire_build_arp(&eth, &arp, buf + sizeof buf), buf + sizeof buf);
}

void
net_arp_input(struct net *net, uint32_t port, const struct wire_frame *f, usec_t now)
{
    const struct wire_arp *arp = &f->arp;
    const struct net_service *service = net_virtual_service(net, &arp->tpa);

    if (!is_station(&arp->sha) || !is_station(&f->eth.src)) {
        net->stats.not_ours++;
    } else if (is_conflict(net, &arp->spa, &arp->sha, port, now)) {
        return;                       /* Neither a client nor a neighbour. */
    } else if (arp->op == ARP_REQUEST && service && !addr_equal(&arp->spa, &arp->tpa)
               && !mac_equal(&arp->sha, &net->config.probe_mac)) {
        /* Also a probe from 0.0.0.0: the address is in use, by us (RFC 5227 2.4). */
        answer_arp(net, port, f, service);
    } else if (arp->op == ARP_REPLY && mac_equal(&arp->tha, &net->config.probe_mac)) {
        struct net_l2 l2 = net_l2_back(f, port);

        l2.dst = arp->sha;
        net_neigh_answer(net, &arp->spa, &l2, now);
    } else {
        net->stats.not_ours++;
    }
}

/* RFC 4861 7.2.4. */
static void
answer_solicitation(struct net *net, uint32_t port, const struct wire_frame *f,
                    const struct wire_nd *ns)
{
    const struct net_service *service = net_virtual_service(net, &ns->target);
    uint8_t buf[WIRE_HEADROOM];
    struct net_l2 l2 = net_l2_back(f, port);
    struct wire_nd na = {
        .type = ND_ADVERT, .flags = ND_OVERRIDE | ND_SOLICITED, .target = ns->target,
        .has_lladdr = true, .lladdr = service->mac,
    };
    struct wire_l3 l3 = {
        .dst_mac = ns->has_lladdr ? ns->lladdr : f->eth.src,
        .src_mac = service->mac,
        .tags = { l2.tags[0], l2.tags[1] }, .n_tags = l2.n_tags,
        .src = ns->target, .dst = f->ip.src,
    };

    if (addr_is_any(&f->ip.src)) {    /* Somebody checks for a duplicate: tell all nodes. */
        addr_parse(&l3.dst, "ff02::1");
        l3.dst_mac = wire_multicast_mac(&l3.dst);
        na.flags = ND_OVERRIDE;
    }
    net->stats.arp_answered++;
    net_queue_frame(net, &l2, wire_build_nd(&l3, &na, buf + sizeof buf), buf + sizeof buf);
}

void
net_nd_input(struct net *net, uint32_t port, const struct wire_frame *f, usec_t now)
{
    struct wire_nd nd;

    if (!wire_nd_parse(&nd, f) || !is_station(&f->eth.src)
        || (nd.has_lladdr && !is_station(&nd.lladdr))) {
        net->stats.not_ours++;
        return;
    }

    struct ip_addr group = wire_nd_solicited_node(&nd.target);
    const struct ip_addr *claimed = nd.type == ND_ADVERT ? &nd.target : &f->ip.src;

    if (is_conflict(net, claimed, nd.has_lladdr ? &nd.lladdr : &f->eth.src, port, now)) {
        return;
    }

    if (nd.type == ND_SOLICIT && net_virtual_service(net, &nd.target)
        && (addr_equal(&f->ip.dst, &nd.target) || addr_equal(&f->ip.dst, &group))
        && !addr_equal(&f->ip.src, &net->probe_ip6)) {
        answer_solicitation(net, port, f, &nd);
    } else if (nd.type == ND_ADVERT && addr_equal(&f->ip.dst, &net->probe_ip6)) {
        struct net_l2 l2 = net_l2_back(f, port);

        /* Without the option it speaks for its sender: RFC 4861 4.4. */
        l2.dst = nd.has_lladdr ? nd.lladdr : f->eth.src;
        net_neigh_answer(net, &nd.target, &l2, now);
    } else {
        net->stats.not_ours++;
    }
}

/* RFC 1122 3.2.2.6, RFC 4443 4.2: all of the data comes back, in fragments if it has to. */
void
net_echo_input(struct net *net, uint32_t port, const struct wire_frame *f)
{
    bool v4 = addr_is_v4(&f->ip.src);
    struct slice body = f->icmp.body;
    struct mbuf *reply = mbuf_create(ICMP_HLEN + body.n);
    struct wire_l3 l3 = { .src = f->ip.dst, .dst = f->ip.src };
    struct wire_icmp icmp = { .type = v4 ? 0 : 129, .rest = f->icmp.rest };

    if (body.n) {
        memcpy(reply->data + ICMP_HLEN, body.p, body.n);
    }
    wire_prepend_icmp(&l3, &icmp, reply->data + ICMP_HLEN, body.n);

    struct net_out *out = net_outq_new(&net->outq, NET_OUT_L4, reply);

    mbuf_unref(reply);
    if (!out) {
        net->stats.out_queue_full++;
        return;
    }
    out->l2 = net_l2_back(f, port);
    out->proto = v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6;
    out->ttl = NET_TTL;
    out->tos = f->ip.tos;
    out->local = f->ip.dst;
    out->remote = f->ip.src;
    net->stats.echo_answered++;
    net_outq_put(&net->outq, out);
}
