/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The neighbours: see neigh.h. */
#include "net/neigh.h"

#include "base/mem.h"
#include "net/private.h"
#include "wire/nd.h"

#define WHEEL_TICK (10 * CLOCK_MSEC)

void
net_neighs_init(struct net_neighs *ns, const struct net_config *config, usec_t now)
{
    uint32_t n_buckets = 16;

    while (n_buckets < config->max_neighbours && n_buckets < 1u << 16) {
        n_buckets *= 2;
    }
    *ns = (struct net_neighs) {
        .buckets = mem_zalloc(n_buckets * sizeof *ns->buckets),
        .mask = n_buckets - 1,
        .key = config->key,
        .max = config->max_neighbours,
        .max_queued = config->max_queued_per_neighbour,
    };
    slab_init(&ns->slab, sizeof(struct net_neigh), 0);
    wheel_init(&ns->wheel, &ns->slab, offsetof(struct net_neigh, wheel),
               offsetof(struct net_neigh, due), WHEEL_TICK, now);
}

static struct net_neigh *
neigh_at(const struct net_neighs *ns, uint32_t idx)
{
    return slab_at(&ns->slab, idx);
}

void
net_neighs_uninit(struct net_neighs *ns, struct net_outq *outq)
{
    for (uint32_t idx = 1; idx <= ns->slab.n_made; idx++) {
        struct net_neigh *e = slab_is_live(&ns->slab, idx) ? neigh_at(ns, idx) : NULL;

        while (e && e->head) {
            struct net_out *out = e->head;

            e->head = out->next;
            net_outq_drop(outq, out);
        }
    }
    slab_uninit(&ns->slab);
    mem_free(ns->buckets);
}

/* -- The table. */

static uint32_t *
bucket_of(const struct net_neighs *ns, const struct ip_addr *addr)
{
    return &ns->buckets[siphash(&ns->key, addr->b, sizeof addr->b) & ns->mask];
}

static uint32_t
find_index(const struct net_neighs *ns, const struct ip_addr *addr)
{
    uint32_t idx = *bucket_of(ns, addr);

    while (idx != SLAB_NONE && !addr_equal(&neigh_at(ns, idx)->addr, addr)) {
        idx = neigh_at(ns, idx)->hash_next;
    }
    return idx;
}

struct net_neigh *
net_neigh_find(const struct net_neighs *ns, const struct ip_addr *addr)
{
    uint32_t idx = find_index(ns, addr);

    return idx != SLAB_NONE ? neigh_at(ns, idx) : NULL;
}

/* The learnt ones are in a list, so that the one silent for longest can give way. */
static void
unlink_learnt(struct net_neighs *ns, struct net_neigh *e)
{
    *(e->older ? &neigh_at(ns, e->older)->newer : &ns->oldest) = e->newer;
    *(e->newer ? &neigh_at(ns, e->newer)->older : &ns->newest) = e->older;
    e->older = e->newer = SLAB_NONE;
    ns->n_learnt--;
}

static void
link_learnt(struct net_neighs *ns, uint32_t idx)
{
    struct net_neigh *e = neigh_at(ns, idx);

    e->older = ns->newest;
    *(e->older ? &neigh_at(ns, e->older)->newer : &ns->oldest) = idx;
    ns->newest = idx;
    ns->n_learnt++;
}

static void
set_class(struct net_neighs *ns, uint32_t idx, enum net_neigh_class class)
{
    struct net_neigh *e = neigh_at(ns, idx);

    if (e->class == NET_NEIGH_LEARNT) {
        unlink_learnt(ns, e);
    }
    e->class = class;
    if (class == NET_NEIGH_LEARNT) {
        link_learnt(ns, idx);
    } else if (class == NET_NEIGH_WANTED) {
        ns->n_wanted++;
    }
}

static void
forget_oldest_learnt(struct net_neighs *ns)
{
    uint32_t idx = ns->oldest;
    struct net_neigh *e = neigh_at(ns, idx);
    uint32_t *link = bucket_of(ns, &e->addr);

    while (*link != idx) {
        link = &neigh_at(ns, *link)->hash_next;
    }
    *link = e->hash_next;
    unlink_learnt(ns, e);
    wheel_disarm(&ns->wheel, idx);
    slab_free(&ns->slab, idx);
}

/* A new entry, SLAB_NONE at the limit.  Strangers fill at most half of the table, and what they
 * fill gives way: they cannot keep us from our peers. */
static uint32_t
add_entry(struct net *net, const struct ip_addr *addr, enum net_neigh_class class)
{
    struct net_neighs *ns = &net->neighs;
    bool full = ns->n_learnt + ns->n_wanted >= ns->max
                || (class == NET_NEIGH_LEARNT && ns->n_learnt >= (ns->max + 1) / 2);

    if (full && class != NET_NEIGH_OWNER) {
        net->stats.neighbour_table_full++;
        if (ns->oldest == SLAB_NONE) {
            return SLAB_NONE;
        }
        forget_oldest_learnt(ns);
    }

    uint32_t *bucket = bucket_of(ns, addr);
    uint32_t idx = slab_alloc(&ns->slab);
    struct net_neigh *e = neigh_at(ns, idx);

    e->addr = *addr;
    e->hash_next = *bucket;
    *bucket = idx;
    e->class = class;
    if (class == NET_NEIGH_LEARNT) {
        link_learnt(ns, idx);
    } else if (class == NET_NEIGH_WANTED) {
        ns->n_wanted++;
    }
    return idx;
}

/* -- Probes. */

static struct net_l2
probe_l2(const struct net *net, const struct net_neigh *e)
{
    struct net_l2 l2 = e->l2;

    /* A neighbour once known is asked where it was first, and in its VLAN; then everywhere. */
    l2.flood = !e->known || e->n_tries > NET_NEIGH_MAX_TRIES / 2;
    if (l2.flood) {
        memset(l2.dst.b, 0xff, sizeof l2.dst.b);
    }
    l2.src = net->config.probe_mac;
    return l2;
}

static void
send_arp_probe(struct net *net, const struct net_neigh *e)
{
    uint8_t buf[WIRE_HEADROOM];
    struct net_l2 l2 = probe_l2(net, e);
    struct wire_eth eth = {
        .dst = l2.dst, .src = l2.src, .tags = { l2.tags[0], l2.tags[1] }, .n_tags = l2.n_tags,
    };
    struct wire_arp arp = {
        .op = 1, .sha = net->config.probe_mac, .spa = addr_v4(0), .tpa = e->addr,
    };

    net_queue_frame(net, &l2, wire_build_arp(&eth, &arp, buf + sizeof buf), buf + sizeof buf);
}

static void
send_nd_probe(struct net *net, const struct net_neigh *e)
{
    uint8_t buf[WIRE_HEADROOM];
    struct net_l2 l2 = probe_l2(net, e);
    struct wire_nd nd = {
        .type = ND_SOLICIT, .target = e->addr, .has_lladdr = true,
        .lladdr = net->config.probe_mac,
    };
    struct wire_l3 l3 = {
        .dst_mac = l2.dst, .src_mac = l2.src,
        .tags = { l2.tags[0], l2.tags[1] }, .n_tags = l2.n_tags,
        .src = net->probe_ip6, .dst = e->addr,
    };

    if (l2.flood) {
        l3.dst = wire_nd_solicited_node(&e->addr);
        l3.dst_mac = wire_multicast_mac(&l3.dst);
    }
    net_queue_frame(net, &l2, wire_build_nd(&l3, &nd, buf + sizeof buf), buf + sizeof buf);
}

static void
send_probe(struct net *net, uint32_t idx, usec_t now)
{
    struct net_neigh *e = neigh_at(&net->neighs, idx);

    e->n_tries++;
    net->stats.arp_probes++;
    if (addr_is_v4(&e->addr)) {
        send_arp_probe(net, e);
    } else {
        send_nd_probe(net, e);
    }
    wheel_arm(&net->neighs.wheel, idx, now + (NET_NEIGH_FIRST_RETRY << (e->n_tries - 1)));
}

static void
start_round(struct net *net, uint32_t idx, usec_t now)
{
    neigh_at(&net->neighs, idx)->n_tries = 0;
    send_probe(net, idx, now);
}

/* -- Sending. */

static void
transmit(struct net *net, const struct net_neigh *e, struct net_out *out)
{
    out->l2 = e->l2;
    out->l2.src = net_source_mac(net, &out->local);
    net_outq_put(&net->outq, out);
}

static bool
drop(struct net *net, struct net_out *out, uint64_t *counter)
{
    ++*counter;
    net_outq_drop(&net->outq, out);
    return false;
}

static bool
enqueue(struct net *net, struct net_neigh *e, struct net_out *out)
{
    if (e->n_queued >= net->neighs.max_queued) {
        return drop(net, out, &net->stats.neighbour_queue_full);
    }
    out->next = NULL;
    if (e->head) {
        e->tail->next = out;
    } else {
        e->head = out;
    }
    e->tail = out;
    e->n_queued++;
    return true;
}

/* The entry of a neighbour that we send to, SLAB_NONE at the limit. */
static uint32_t
wanted_entry(struct net *net, const struct ip_addr *addr)
{
    uint32_t idx = find_index(&net->neighs, addr);

    if (idx == SLAB_NONE) {
        return add_entry(net, addr, NET_NEIGH_WANTED);
    }
    if (neigh_at(&net->neighs, idx)->class == NET_NEIGH_LEARNT) {
        set_class(&net->neighs, idx, NET_NEIGH_WANTED);
    }
    return idx;
}

static bool
has_gateway(const struct net *net, const struct ip_addr *remote)
{
    const struct ip_addr *gateway = &net->config.gateway;

    return !addr_is_any(gateway) && addr_is_v4(gateway) == addr_is_v4(remote)
           && !addr_equal(gateway, remote);
}

/* Sends by the neighbour 'hop' unless it is being looked for in vain: then false, and 'out' is
 * still the caller's. */
static bool
send_by(struct net *net, uint32_t hop, struct net_out *out, usec_t now, bool *sent)
{
    struct net_neigh *e = neigh_at(&net->neighs, hop);

    if (e->known) {
        if (!e->n_tries && now - e->updated_at > NET_NEIGH_LIFETIME) {
            start_round(net, hop, now);
        }
        transmit(net, e, out);
        *sent = true;
        return true;
    }

    bool searching = e->n_tries > 0;

    if (!searching && now >= e->retry_at) {
        start_round(net, hop, now);
        searching = true;
    }
    /* A second round shall not hold up what a gateway would take. */
    if (!searching || (e->n_failed && addr_equal(&e->addr, &out->remote)
                       && has_gateway(net, &out->remote))) {
        return false;
    }
    *sent = enqueue(net, e, out);
    return true;
}

static bool
send_by_gateway(struct net *net, struct net_out *out, usec_t now)
{
    uint32_t hop = has_gateway(net, &out->remote) ? wanted_entry(net, &net->config.gateway)
                                                  : SLAB_NONE;
    bool sent;

    if (hop != SLAB_NONE && send_by(net, hop, out, now, &sent)) {
        return sent;
    }
    return drop(net, out, &net->stats.neighbour_unreachable);
}

bool
net_neigh_send(struct net *net, struct net_out *out, usec_t now)
{
    uint32_t hop = wanted_entry(net, &out->remote);
    bool sent;

    if (hop == SLAB_NONE) {
        return drop(net, out, &net->stats.neighbour_unreachable);
    }
    return send_by(net, hop, out, now, &sent) ? sent : send_by_gateway(net, out, now);
}

/* -- Answers. */

static void
flush_queue(struct net *net, struct net_neigh *e)
{
    struct net_out *next;

    for (struct net_out *out = e->head; out; out = next) {
        next = out->next;
        transmit(net, e, out);
    }
    e->head = e->tail = NULL;
    e->n_queued = 0;
}

static bool
same_way(const struct net_l2 *a, const struct net_l2 *b)
{
    return mac_equal(&a->dst, &b->dst) && a->port == b->port && a->n_tags == b->n_tags
           && !memcmp(a->tags, b->tags, a->n_tags * sizeof a->tags[0]);
}

static void
confirm(struct net *net, uint32_t idx, const struct net_l2 *l2, usec_t now)
{
    struct net_neigh *e = neigh_at(&net->neighs, idx);
    bool changed = !e->known || !same_way(&e->l2, l2);

    e->l2 = *l2;
    e->l2.flood = false;
    e->known = true;
    e->n_tries = e->n_failed = 0;
    e->updated_at = now;
    wheel_disarm(&net->neighs.wheel, idx);
    if (e->class == NET_NEIGH_OWNER) {
        net->neighs.owner_generation += changed;
        wheel_arm(&net->neighs.wheel, idx, now + NET_NEIGH_LIFETIME);
    }
    flush_queue(net, e);
}

void
net_neigh_answer(struct net *net, const struct ip_addr *addr, const struct net_l2 *l2,
                 usec_t now)
{
    uint32_t idx = find_index(&net->neighs, addr);

    if (idx != SLAB_NONE && neigh_at(&net->neighs, idx)->n_tries
        && !mac_is_multicast(&l2->dst) && !mac_is_zero(&l2->dst)) {
        confirm(net, idx, l2, now);
    }
}

void
net_neigh_heard(struct net *net, const struct ip_addr *addr, const struct net_l2 *l2, usec_t now)
{
    struct net_neighs *ns = &net->neighs;
    uint32_t idx = find_index(ns, addr);

    if (mac_is_multicast(&l2->dst) || mac_is_zero(&l2->dst)) {
        return;
    }
    if (idx == SLAB_NONE) {
        idx = add_entry(net, addr, NET_NEIGH_LEARNT);
        if (idx == SLAB_NONE) {
            return;
        }
    }

    enum net_neigh_class class = neigh_at(ns, idx)->class;

    if (class == NET_NEIGH_OWNER) {   /* Only a probe tells who owns an address. */
        return;
    } else if (class == NET_NEIGH_LEARNT) {
        set_class(ns, idx, NET_NEIGH_LEARNT);       /* To the young end of the list. */
    }
    confirm(net, idx, l2, now);
}

/* -- Time. */

static void
fail(struct net *net, uint32_t idx, usec_t now)
{
    struct net_neigh *e = neigh_at(&net->neighs, idx);
    struct net_out *out = e->head, *next;

    if (e->class == NET_NEIGH_OWNER && e->known) {
        net->neighs.owner_generation++;
    }
    e->known = false;
    memset(&e->l2, 0, sizeof e->l2);  /* Its VLAN too: it may come back in another. */
    e->n_tries = 0;
    e->n_failed = (uint8_t) MP_MIN(e->n_failed + 1, 10);
    e->retry_at = now + clock_min(CLOCK_SEC << (e->n_failed - 1), NET_NEIGH_MAX_BACKOFF);
    e->head = e->tail = NULL;
    e->n_queued = 0;
    if (e->class == NET_NEIGH_OWNER) {
        wheel_arm(&net->neighs.wheel, idx, e->retry_at);
    }
    for (; out; out = next) {
        next = out->next;
        /* The gateway's own queue holds what is for others: out->remote is not e->addr there. */
        if (addr_equal(&out->remote, &e->addr)) {
            send_by_gateway(net, out, now);
        } else {
            drop(net, out, &net->stats.neighbour_unreachable);
        }
    }
}

void
net_neigh_run(struct net *net, usec_t now)
{
    struct net_neighs *ns = &net->neighs;
    uint32_t idx;

    while ((idx = wheel_next_expired(&ns->wheel, now)) != SLAB_NONE) {
        uint8_t n_tries = neigh_at(ns, idx)->n_tries;

        if (n_tries >= NET_NEIGH_MAX_TRIES) {
            fail(net, idx, now);
        } else {                      /* The next of a round, or an owner's next round. */
            send_probe(net, idx, now);
        }
    }
}

void
net_neigh_add_owner(struct net *net, const struct ip_addr *addr, usec_t now)
{
    if (find_index(&net->neighs, addr) == SLAB_NONE) {
        wheel_arm(&net->neighs.wheel, add_entry(net, addr, NET_NEIGH_OWNER), now);
    }
}

void
net_neigh_ask_again(struct net *net, usec_t now)
{
    for (uint32_t idx = 1; idx <= net->neighs.slab.n_made; idx++) {
        struct net_neigh *e;

        if (!slab_is_live(&net->neighs.slab, idx)) {
            continue;
        }
        e = neigh_at(&net->neighs, idx);
        e->n_failed = 0;
        e->retry_at = 0;
        /* One that is being asked has something waiting, and its probes went nowhere. */
        if (e->class == NET_NEIGH_OWNER || e->n_tries) {
            start_round(net, idx, now);
        }
    }
}
