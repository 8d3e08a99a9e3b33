/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The object: its configuration, its services, and which of net's parts a frame is for. */
#include "net/net.h"

#include "base/mem.h"
#include "net/private.h"
#include "wire/nd.h"

STATS_DEFINE(net, NET_STATS)

#define MIN_MTU 576                   /* RFC 791; below it, fragmenting makes no sense. */

/* -- Life. */

void
net_config_default(struct net_config *config)
{
    *config = (struct net_config) {
        .tcp_port = 1883,
        .udp_port = 1883,
        .mtu = 1500,
        .max_reassembly_bytes = 8 << 20,
        .max_reassembly = 256,
        .max_neighbours = 1024,
        .max_queued_per_neighbour = 64,
        .max_out_bytes = 16 << 20,
    };
}

struct mac_addr
net_derive_mac(const struct ip_addr *a)
{
    /* Nobody's secret: the same address has the same MAC after a restart, and on any machine. */
    static const struct siphash_key key = { 0x6d71747470726f78, 0x7669727475616c21 };

    return mac_local(siphash(&key, a->b, sizeof a->b));
}

struct mac_addr
net_probe_mac(const struct net_config *config)
{
    static const char what[] = "probe mac";

    return mac_is_zero(&config->probe_mac) ? mac_local(siphash(&config->key, what, sizeof what))
                                           : config->probe_mac;
}

struct net *
net_create(const struct net_config *config, usec_t now)
{
    struct net *net = mem_zalloc(sizeof *net);

    net->config = *config;
    net->config.mtu = MP_MAX(config->mtu, MIN_MTU);
    net->config.max_mtu = MP_MAX(config->max_mtu, net->config.mtu);
    net->config.probe_mac = net_probe_mac(config);
    net->services = mem_dup(config->services, config->n_services * sizeof *config->services);
    net->config.services = net->services;
    net->probe_ip6 = wire_nd_link_local(&net->config.probe_mac);
    net->refusal_tokens = NET_REFUSAL_BURST;
    net->refusals_at = now;
    net_outq_init(&net->outq, &net->config);
    net_reasm_init(&net->reasm, &net->config);
    net_neighs_init(&net->neighs, &net->config, now);
    for (size_t i = 0; i < config->n_services; i++) {
        struct net_service *s = &net->services[i];

        if (s->kind == NET_VIRTUAL && mac_is_zero(&s->mac)) {
            s->mac = net_derive_mac(&s->prefix.addr);
        } else if (s->kind == NET_TAKEN && prefix_is_host(&s->prefix)) {
            net_neigh_add_owner(net, &s->prefix.addr, now);
        }
    }
    return net;
}

void
net_destroy(struct net *net)
{
    if (!net) {
        return;
    }
    net_neighs_uninit(&net->neighs, &net->outq);
    net_reasm_uninit(&net->reasm);
    net_outq_uninit(&net->outq);
    mem_free(net->services);
    mem_free(net->whole);
    mem_free(net);
}

/* -- Services.  There are as many as the operator has typed: a walk over them is short. */

int
net_find_service(const struct net *net, const struct ip_addr *a)
{
    int best = -1;

    /* Whatever a taken prefix contains: no host has these addresses. */
    if (addr_is_any(a) || addr_is_multicast(a)
        || (addr_is_v4(a) && addr_to_v4(a) == UINT32_MAX)) {
        return -1;
    }
    for (size_t i = 0; i < net->config.n_services; i++) {
        const struct net_service *s = &net->services[i];

        if (!prefix_contains(&s->prefix, a)) {
            continue;
        }
        if (s->kind == NET_VIRTUAL) {
            return (int) i;
        }
        if (best < 0 || s->prefix.len > net->services[best].prefix.len) {
            best = (int) i;
        }
    }
    return best;
}

const struct net_service *
net_virtual_service(const struct net *net, const struct ip_addr *a)
{
    int i = net_find_service(net, a);

    return i >= 0 && net->services[i].kind == NET_VIRTUAL ? &net->services[i] : NULL;
}

void
net_owner(const struct net *net, size_t service, struct net_owner *owner)
{
    const struct net_service *s = &net->services[service];
    const struct net_neigh *e = NULL;

    mp_assert(service < net->config.n_services);
    *owner = (struct net_owner) { .known = false };
    if (s->kind == NET_TAKEN && prefix_is_host(&s->prefix)) {
        e = net_neigh_find(&net->neighs, &s->prefix.addr);
    }
    if (e && e->known) {
        *owner = (struct net_owner) { .known = true, .mac = e->l2.dst, .port = e->l2.port };
    }
}

struct mac_addr
net_source_mac(const struct net *net, const struct ip_addr *local)
{
    int i = net_find_service(net, local);
    struct net_owner owner = { .known = false };

    if (i >= 0 && net->services[i].kind == NET_VIRTUAL) {
        return net->services[i].mac;
    } else if (i >= 0) {
        net_owner(net, (size_t) i, &owner);
    }
    return owner.known ? owner.mac : net->config.probe_mac;
}

uint32_t
net_owner_generation(const struct net *net)
{
    return net->neighs.owner_generation;
}

void
net_ask_again(struct net *net, usec_t now)
{
    net_neigh_ask_again(net, now);
}

void
net_drop_stale(struct net *net)
{
    net->stats.out_stale += net_outq_clear(&net->outq);
}

/* -- Input. */

struct net_l2
net_l2_back(const struct wire_frame *f, uint32_t port)
{
    struct net_l2 l2 = { .dst = f->eth.src, .src = f->eth.dst, .n_tags = f->eth.n_tags,
                         .port = port };

    memcpy(l2.tags, f->eth.tags, f->eth.n_tags * sizeof l2.tags[0]);
    return l2;
}

static void
set_path(struct net_path *path, const struct wire_eth *eth, uint32_t port)
{
    *path = (struct net_path) {
        .client = eth->src, .service = eth->dst, .port = port, .n_tags = eth->n_tags,
    };
    for (unsigned int i = 0; i < eth->n_tags; i++) {
        path->tci[i] = eth->tags[i].tci;
        path->flags |= (uint8_t) ((eth->tags[i].tpid == ETH_TYPE_QINQ) << i);
    }
}

static void
count_error(struct net *net, enum wire_error error)
{
#define COUNT(NAME, HELP) case WIRE_ERR_##NAME: net->stats.NAME++; break;
    switch (error) {
    WIRE_ERRORS(COUNT)
    case WIRE_OK:
    case WIRE_N_ERRORS:
        break;
    }
#undef COUNT
}

/* RFC 1122 3.2.1.3, RFC 4291 2.5: sources that no host on a network has, as far as the parser,
 * which must let address configuration pass, has not refused them. */
static bool
is_bad_source(const struct ip_addr *a)
{
    return addr_is_any(a) || addr_is_loopback(a) || (addr_is_v4(a) && a->b[12] == 0);
}

/* A frame to everybody is no way to reach a service; only datagrams of peers may come so, because
 * one that finds nobody to answer its ARP has no other way. */
static bool
is_for_all(const struct wire_frame *f)
{
    return mac_is_multicast(&f->eth.dst);
}

static void
not_ours(struct net *net)
{
    net->stats.not_ours++;
}

static void
input_tcp(struct net *net, const struct wire_frame *f, bool is_virtual, struct net_rx *rx)
{
    /* RFC 9293 3.10.7 MUST-57 (no SYN to a group), RFC 1122 3.3.6 (no broadcast frame). */
    if (is_for_all(f) || (!is_virtual && f->tcp.dst_port != net->config.tcp_port)) {
        not_ours(net);
        return;
    }
    rx->type = NET_RX_TCP;
}

static void
input_udp(struct net *net, const struct wire_frame *f, bool is_virtual, struct net_rx *rx,
          usec_t now)
{
    if (f->udp.dst_port == net->config.udp_port) {
        struct net_l2 l2 = net_l2_back(f, rx->path.port);

        net->stats.datagrams_in++;
        net_neigh_heard(net, &f->ip.src, &l2, now);
        rx->type = NET_RX_UDP;
    } else if (is_virtual) {
        net_refuse(net, rx->path.port, f, NET_REFUSE_PORT, now);
    } else {
        not_ours(net);
    }
}

static bool
is_echo_request(const struct wire_frame *f)
{
    return f->icmp.type == (addr_is_v4(&f->ip.src) ? 8 : 128) && !f->icmp.code;
}

static void
input_icmp(struct net *net, const struct wire_frame *f, bool is_virtual, struct net_rx *rx)
{
    if (is_virtual && is_echo_request(f) && !is_for_all(f)) {
        net_echo_input(net, rx->path.port, f);
    } else if (net_icmp_error(net, f, rx)) {
        net->stats.icmp_errors_in++;
        rx->type = NET_RX_ICMP_ERROR;
    } else {
        not_ours(net);                /* RFC 1122 3.2.2: unknown types are silently discarded. */
    }
}

/* Everything addressed to a service, once whole. */
static void
input_whole(struct net *net, const struct wire_frame *f, bool is_virtual, struct net_rx *rx,
            usec_t now)
{
    net->stats.csum_unverified += f->csum_unverified;
    switch (f->kind) {
    case WIRE_TCP:
        input_tcp(net, f, is_virtual, rx);
        break;
    case WIRE_UDP:
        input_udp(net, f, is_virtual, rx, now);
        break;
    case WIRE_ICMP:
        input_icmp(net, f, is_virtual, rx);
        break;
    case WIRE_OTHER:
        if (is_virtual) {
            net_refuse(net, rx->path.port, f, NET_REFUSE_PROTOCOL, now);
        } else {
            not_ours(net);
        }
        break;
    case WIRE_ARP:
    case WIRE_FRAGMENT:
        not_ours(net);
        break;
    }
}

/* Whether 'f' has become whole. */
static bool
reassemble(struct net *net, struct wire_frame *f, usec_t now)
{
    struct slice whole;

    if (!net->whole) {
        net->whole = mem_alloc(UINT16_MAX);
    }
    if (!net_reasm_input(&net->reasm, f, now, &net->stats, net->whole, &whole)) {
        return false;
    }

    enum wire_error error = wire_parse_l4(f, whole);

    count_error(net, error);
    return !error;
}

static void
input_ip(struct net *net, struct wire_frame *f, struct net_rx *rx, usec_t now)
{
    int service = net_find_service(net, &f->ip.dst);

    /* Our own source address comes back only by a loop or a lie; the pair (A, A) is a LAND attack.
     * The owner of one taken address may well call another one. */
    if (service < 0 || addr_equal(&f->ip.src, &f->ip.dst)
        || net_virtual_service(net, &f->ip.src)) {
        not_ours(net);
        return;
    }
    if (is_bad_source(&f->ip.src) || mac_is_multicast(&f->eth.src)) {
        net->stats.bad_ip_source++;
        return;
    }

    bool was_fragment = f->kind == WIRE_FRAGMENT;
    bool is_virtual = net->services[service].kind == NET_VIRTUAL;

    if (was_fragment && !reassemble(net, f, now)) {
        return;
    }
    /* A reassembled datagram has no packet of its own that a refusal could quote. */
    if (was_fragment) {
        f->ip.packet.n = 0;
    }
    input_whole(net, f, is_virtual, rx, now);
}

static bool
is_neighbour_discovery(const struct wire_frame *f)
{
    return f->kind == WIRE_ICMP && !addr_is_v4(&f->ip.src)
           && (f->icmp.type == ND_SOLICIT || f->icmp.type == ND_ADVERT);
}

void
net_input(struct net *net, uint32_t port, const void *frame, size_t n, usec_t now,
          struct net_rx *rx)
{
    struct wire_frame *f = &rx->frame;
    enum wire_error error = wire_parse(f, frame, n);

    rx->type = NET_RX_NONE;
    net->stats.frames_in++;
    if (error) {
        count_error(net, error);
        return;
    }
    set_path(&rx->path, &f->eth, port);
    if (f->kind == WIRE_ARP) {
        net_arp_input(net, port, f, now);
    } else if (!f->has_ip) {
        not_ours(net);
    } else if (is_neighbour_discovery(f)) {
        net_nd_input(net, port, f, now);
    } else {
        input_ip(net, f, rx, now);
    }
}

/* -- Time and show. */

void
net_run(struct net *net, usec_t now)
{
    net_reasm_run(&net->reasm, now, &net->stats);
    net_neigh_run(net, now);
}

usec_t
net_deadline(const struct net *net)
{
    return clock_min(net_reasm_deadline(&net->reasm), wheel_deadline(&net->neighs.wheel));
}

bool
net_walk_neighbours(const struct net *net, uint32_t *pos, struct net_neighbour *out)
{
    const struct slab *slab = &net->neighs.slab;

    while (*pos < slab->n_made) {
        if (slab_is_live(slab, ++*pos)) {
            const struct net_neigh *e = slab_at(slab, *pos);

            *out = (struct net_neighbour) {
                .addr = e->addr, .mac = e->l2.dst, .port = e->l2.port, .reachable = e->known,
                .updated_at = e->updated_at, .n_queued = e->n_queued,
            };
            return true;
        }
    }
    return false;
}

const struct net_stats *
net_stats(const struct net *net)
{
    return &net->stats;
}
