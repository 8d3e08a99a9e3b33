/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors about segments of ours, as far as net can judge them: whose they are and what they
 * mean.  Whether to believe one is TCP's business, which knows what is in flight (RFC 5927 4). */
#include "net/private.h"

#include "base/mem.h"
#include "wire/quote.h"

enum meaning { MEANS_NOTHING, MEANS_SOFT, MEANS_HARD, MEANS_TOO_BIG };

/* RFC 1122 4.2.3.9: protocol and port unreachable are hard, the rest may pass. */
static enum meaning
meaning4(const struct wire_icmp *icmp)
{
    switch (icmp->type) {
    case 3:
        return icmp->code == 4 ? MEANS_TOO_BIG
               : icmp->code == 2 || icmp->code == 3 ? MEANS_HARD : MEANS_SOFT;
    case 11:                          /* Time exceeded. */
    case 12:                          /* Parameter problem. */
        return MEANS_SOFT;
    default:
        return MEANS_NOTHING;         /* Source quench too: RFC 6633. */
    }
}

/* RFC 4443 3, with the mapping of RFC 5461 2.1. */
static enum meaning
meaning6(const struct wire_icmp *icmp)
{
    switch (icmp->type) {
    case 1:
        return icmp->code == 1 || icmp->code == 4 ? MEANS_HARD : MEANS_SOFT;
    case 2:
        return MEANS_TOO_BIG;
    case 3:
        return MEANS_SOFT;
    case 4:
        return icmp->code == 1 ? MEANS_HARD : MEANS_SOFT;
    default:
        return MEANS_NOTHING;
    }
}

bool
net_icmp_error(struct net *net, const struct wire_frame *f, struct net_rx *rx)
{
    bool v4 = addr_is_v4(&f->ip.src);
    enum meaning meaning = v4 ? meaning4(&f->icmp) : meaning6(&f->icmp);
    struct wire_quote q;

    /* It comes to the sender of the segment: an address of ours, the one in the quotation. */
    if (meaning == MEANS_NOTHING
        || !wire_quote_parse(&q, f->icmp.body, v4 ? WIRE_IPV4 : WIRE_IPV6)
        || q.proto != IP_PROTO_TCP || q.src_port != net->config.tcp_port
        || !addr_equal(&q.src, &f->ip.dst)) {
        return false;
    }
    rx->icmp.local = q.src;
    rx->icmp.remote = q.dst;
    rx->icmp.local_port = q.src_port;
    rx->icmp.remote_port = q.dst_port;
    rx->icmp.seq = q.seq;
    rx->icmp.too_big = meaning == MEANS_TOO_BIG;
    rx->icmp.hard = meaning == MEANS_HARD;
    rx->icmp.mtu = 0;
    if (rx->icmp.too_big) {           /* RFC 1191 4: the low 16 bits; RFC 4443 3.2: all 32. */
        rx->icmp.mtu = v4 ? (uint16_t) f->icmp.rest : (uint16_t) MP_MIN(f->icmp.rest, UINT16_MAX);
    }
    return true;
}
