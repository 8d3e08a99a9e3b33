/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Refusals: the ICMP errors with which a host says that nobody is behind a port or a protocol of
 * its address.  For virtual addresses only; TCP refuses by itself. */
#include "net/private.h"

#include "base/mem.h"

#define ICMP_HLEN 8
#define IP6_NO_NEXT_HEADER 59

/* A token bucket: bursts and a steady rate. */
static bool
may_refuse(struct net *net, usec_t now)
{
    usec_t per_token = CLOCK_SEC / NET_REFUSALS_PER_SEC;
    usec_t n = (now - net->refusals_at) / per_token;

    if (n > 0) {
        net->refusals_at += n * per_token;
        net->refusal_tokens = (uint32_t) MP_MIN(net->refusal_tokens + n, NET_REFUSAL_BURST);
    }
    if (!net->refusal_tokens) {
        return false;
    }
    net->refusal_tokens--;
    return true;
}

static struct wire_icmp
error_message(const struct wire_frame *f, enum net_refusal why)
{
    if (addr_is_v4(&f->ip.src)) {     /* RFC 1122 3.2.2.1: host's codes 2 and 3. */
        return (struct wire_icmp) { .type = 3, .code = why == NET_REFUSE_PORT ? 3 : 2 };
    } else if (why == NET_REFUSE_PORT) {
        return (struct wire_icmp) { .type = 1, .code = 4 };
    }
    /* RFC 4443 3.4: unrecognized next header, and where it stands. */
    return (struct wire_icmp) { .type = 4, .code = 1, .rest = f->ip.proto_at };
}

void
net_refuse(struct net *net, uint32_t port, const struct wire_frame *f, enum net_refusal why,
           usec_t now)
{
    bool v4 = addr_is_v4(&f->ip.src);
    uint8_t buf[WIRE_HEADROOM + 1280];

    /* RFC 1122 3.2.2 and RFC 4443 2.4 (e): never about what came to many.  Groups, sources
     * that are nobody's and ICMP errors do not get here; what was reassembled has nothing left to
     * quote. */
    if (mac_is_multicast(&f->eth.dst) || !f->ip.packet.n
        || (!v4 && f->ip.proto == IP6_NO_NEXT_HEADER)) {
        net->stats.not_ours++;
        return;
    }
    if (!may_refuse(net, now)) {
        net->stats.refusals_limited++;
        return;
    }

    struct net_l2 l2 = net_l2_back(f, port);
    struct wire_icmp icmp = error_message(f, why);
    struct wire_l3 l3 = {
        .dst_mac = l2.dst, .src_mac = l2.src,
        .tags = { l2.tags[0], l2.tags[1] }, .n_tags = l2.n_tags,
        .src = f->ip.dst, .dst = f->ip.src, .ttl = NET_TTL,
    };
    /* RFC 1812 4.3.2.3: up to 576 bytes in all; RFC 4443 3.1: up to IPv6's least MTU. */
    size_t max = v4 ? 576 - 20 - ICMP_HLEN : MP_MIN(1280, net->config.mtu) - 40 - ICMP_HLEN;
    size_t n = MP_MIN(f->ip.packet.n, max);
    uint8_t *quote = memcpy(buf + WIRE_HEADROOM, f->ip.packet.p, n);

    net->stats.refused++;
    net_queue_frame(net, &l2, wire_build_icmp(&l3, &icmp, quote, n), quote + n);
}
