/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What the tests of net share: one net object in a virtual time, hosts as constants, frames made
 * for it and frames pulled from it, each in an IPv4 and an IPv6 form.  Included once by a program.
 */
#ifndef MP_TESTS_UNIT_NET_WORLD_H
#define MP_TESTS_UNIT_NET_WORLD_H 1

#include "base/mem.h"
#include "net/net.h"
#include "unit/tap.h"
#include "wire/nd.h"

enum family { V4, V6, N_FAMILIES };
static const char *const family_name[] = { "IPv4", "IPv6" };

/* Who is who: a virtual address, a taken one with its owner, a client, a peer, a gateway. */
enum who { VIRTUAL, TAKEN, CLIENT, PEER, GATEWAY, FAR, N_WHO };
static const char *const who_addr[N_FAMILIES][N_WHO] = {
    { "192.168.1.200", "192.168.1.101", "192.168.1.102", "192.168.1.150", "192.168.1.1",
      "10.9.9.9" },
    { "2001:db8::200", "2001:db8::101", "2001:db8::102", "2001:db8::150", "2001:db8::1",
      "2001:db8:9::9" },
};

static const struct mac_addr client_mac = { { 0, 0, 0, 0, 0, 2 } };
static const struct mac_addr owner_mac = { { 0, 0, 0, 0, 0, 1 } };
static const struct mac_addr peer_mac = { { 0, 0, 0, 0, 0, 0x50 } };
static const struct mac_addr gateway_mac = { { 0, 0, 0, 0, 0, 0xfe } };
static const struct mac_addr probe_mac = { { 0x02, 0xaa, 0, 0, 0, 0x99 } };
static const struct mac_addr all_macs = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

struct world {
    struct net *net;
    struct net_service services[8];
    usec_t now;
    struct net_rx rx;
    uint8_t out[WIRE_HEADROOM + 9000]; /* The frame pulled last... */
    struct net_tx tx;
    struct wire_frame sent;           /* ...parsed. */
};

__attribute__((unused)) static struct ip_addr
who(enum family family, enum who w)
{
    struct ip_addr a;

    if (!addr_parse(&a, who_addr[family][w])) {
        BAIL_OUT("%s is no address", who_addr[family][w]);
    }
    return a;
}

__attribute__((unused)) static struct ip_prefix
host_prefix(enum family family, enum who w)
{
    return (struct ip_prefix) { .addr = who(family, w), .len = 128 };
}

/* Virtual and taken addresses of both families; the owners' first probes are still to come. */
__attribute__((unused)) static struct net_config
world_config(struct world *w)
{
    struct net_config config;

    memset(w, 0, sizeof *w);
    w->now = 1000 * CLOCK_SEC;
    net_config_default(&config);
    config.probe_mac = probe_mac;
    config.key = (struct siphash_key) { 1, 2 };
    config.services = w->services;
    for (enum family f = V4; f < N_FAMILIES; f++) {
        w->services[config.n_services++] = (struct net_service) {
            .kind = NET_VIRTUAL, .prefix = host_prefix(f, VIRTUAL),
        };
    }
    return config;
}

__attribute__((unused)) static void
world_add_taken(struct world *w, struct net_config *config)
{
    for (enum family f = V4; f < N_FAMILIES; f++) {
        w->services[config->n_services++] = (struct net_service) {
            .kind = NET_TAKEN, .prefix = host_prefix(f, TAKEN),
        };
    }
}

__attribute__((unused)) static void
world_init(struct world *w)
{
    struct net_config config = world_config(w);

    w->net = net_create(&config, w->now);
}

__attribute__((unused)) static void
world_uninit(struct world *w)
{
    net_destroy(w->net);
}

__attribute__((unused)) static enum net_rx_type
world_input(struct world *w, uint32_t port, const uint8_t *start, const uint8_t *end)
{
    static uint8_t *copy;

    /* Of exactly its size, and kept until the next one: rx may point into it. */
    free(copy);
    copy = malloc((size_t) (end - start));
    memcpy(copy, start, (size_t) (end - start));
    memset(&w->rx, 0xa5, sizeof w->rx);
    net_input(w->net, port, copy, (size_t) (end - start), w->now, &w->rx);
    return w->rx.type;
}

/* Pulls the next frame, which must be well-formed. */
__attribute__((unused)) static bool
world_next(struct world *w)
{
    if (!net_next_frame(w->net, w->now, w->out, sizeof w->out, &w->tx)) {
        return false;
    }

    enum wire_error error = wire_parse(&w->sent, w->tx.data, w->tx.n);

    if (error) {
        fail("net sent a frame with error %d", error);
    }
    return true;
}

__attribute__((unused)) static int
world_drain(struct world *w)
{
    int n = 0;

    while (world_next(w)) {
        n++;
    }
    return n;
}

/* Lets time pass, running net when it asks for it. */
__attribute__((unused)) static void
world_sleep(struct world *w, usec_t us)
{
    usec_t end = w->now + us;
    int spins = 0;

    for (;;) {
        usec_t at = net_deadline(w->net);

        if (at > end) {
            break;
        }
        if (at <= w->now && ++spins > 1000) {
            BAIL_OUT("net_run() at its own deadline makes no progress");
        } else if (at > w->now) {
            spins = 0;
            w->now = at;
        }
        net_run(w->net, w->now);
    }
    w->now = end;
    net_run(w->net, w->now);
}

__attribute__((unused)) static struct wire_l3
l3_between(enum family family, enum who from, enum who to)
{
    struct wire_l3 l3 = {
        .dst_mac = { { 2, 2, 2, 2, 2, 2 } }, .src_mac = from == PEER ? peer_mac : client_mac,
        .src = who(family, from), .dst = who(family, to), .ttl = 64,
    };

    return l3;
}

__attribute__((unused)) static void
tag_l3(struct wire_l3 *l3, unsigned int n_tags)
{
    l3->n_tags = (uint8_t) n_tags;
    l3->tags[0] = (struct wire_tag) { n_tags == 2 ? ETH_TYPE_QINQ : ETH_TYPE_VLAN, 0x6064 };
    l3->tags[1] = (struct wire_tag) { ETH_TYPE_VLAN, 0x0007 };
}

/* Whether the frame pulled last carries the tags of 'l3'. */
__attribute__((unused)) static bool
has_tags_of(const struct world *w, const struct wire_l3 *l3)
{
    return w->sent.eth.n_tags == l3->n_tags
           && !memcmp(w->sent.eth.tags, l3->tags, l3->n_tags * sizeof l3->tags[0]);
}

__attribute__((unused)) static enum net_rx_type
input_udp(struct world *w, const struct wire_l3 *l3, uint16_t dst_port, const void *data, size_t n)
{
    uint8_t buf[WIRE_HEADROOM + 2048];
    uint8_t *payload = buf + WIRE_HEADROOM;

    memcpy(payload, data, n);
    return world_input(w, 7, wire_build_udp(l3, 40000, dst_port, payload, n), payload + n);
}

/* Somebody at 'port' answers the probe that was pulled last. */
__attribute__((unused)) static void
answer_probe(struct world *w, const struct mac_addr *mac, uint32_t port)
{
    uint8_t buf[WIRE_HEADROOM];
    uint8_t *end = buf + sizeof buf;
    struct wire_eth eth = w->sent.eth;

    eth.dst = w->sent.eth.src;
    eth.src = *mac;
    if (w->sent.kind == WIRE_ARP) {
        struct wire_arp arp = {
            .op = 2, .sha = *mac, .spa = w->sent.arp.tpa,
            .tha = w->sent.arp.sha, .tpa = w->sent.arp.spa,
        };

        world_input(w, port, wire_build_arp(&eth, &arp, end), end);
    } else {
        struct wire_nd ns;

        if (!wire_nd_parse(&ns, &w->sent)) {
            BAIL_OUT("the frame pulled last was no probe");
        }

        struct wire_nd na = {
            .type = ND_ADVERT, .flags = ND_SOLICITED | ND_OVERRIDE, .target = ns.target,
            .has_lladdr = true, .lladdr = *mac,
        };
        struct wire_l3 l3 = {
            .dst_mac = eth.dst, .src_mac = *mac,
            .tags = { eth.tags[0], eth.tags[1] }, .n_tags = eth.n_tags,
            .src = ns.target, .dst = w->sent.ip.src,
        };

        world_input(w, port, wire_build_nd(&l3, &na, end), end);
    }
}

/* Whether the frame pulled last is a probe for 'a', as a host would understand it. */
__attribute__((unused)) static bool
is_probe_for(const struct world *w, const struct ip_addr *a)
{
    if (addr_is_v4(a)) {
        return w->sent.kind == WIRE_ARP && w->sent.arp.op == 1 && addr_equal(&w->sent.arp.tpa, a)
               && addr_is_any(&w->sent.arp.spa) && mac_equal(&w->sent.arp.sha, &probe_mac)
               && mac_equal(&w->sent.eth.src, &probe_mac);
    }

    struct wire_nd ns;
    struct ip_addr from = wire_nd_link_local(&probe_mac);

    return wire_nd_parse(&ns, &w->sent) && ns.type == ND_SOLICIT && addr_equal(&ns.target, a)
           && ns.has_lladdr && mac_equal(&ns.lladdr, &probe_mac)
           && addr_equal(&w->sent.ip.src, &from) && mac_equal(&w->sent.eth.src, &probe_mac);
}

#endif
