/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Clients by the thousand, for tests of limits and attacks: each has its own address and port and
 * knows no more of its connection than it needs.  For dialogues there is utcp-script.h.  Included by
 * one source file of a test. */
#ifndef MP_TESTS_UNIT_UTCP_PEER_H
#define MP_TESTS_UNIT_UTCP_PEER_H 1

#include "unit/tap.h"
#include "utcp/utcp.h"

/* A client of its own address and port, as cheap as possible. */
struct peer {
    struct utcp_tuple t;
    uint32_t seq, ack;
    struct wire_tcp_opts opts;        /* Of the SYN-ACK. */
};

static void
peer_init(struct peer *p, uint32_t i)
{
    memset(p, 0, sizeof *p);
    addr_parse(&p->t.local, "10.0.0.1");
    p->t.remote = addr_v4(0x0b000000u + i / 50000);
    p->t.local_port = 1883;
    p->t.remote_port = (uint16_t) (1024 + i % 50000);
    p->seq = i * 7919;
}

static enum utcp_verdict
peer_send(struct utcp *u, const struct peer *p, struct wire_tcp t, usec_t now)
{
    static const struct utcp_path path;

    t.seq = p->seq;
    t.ack = p->ack;
    t.wnd = 60000;
    t.src_port = p->t.remote_port;
    t.dst_port = p->t.local_port;
    return utcp_input(u, &p->t, &t, &path, now);
}

static bool
next(struct utcp *u, usec_t now, struct utcp_segment *seg)
{
    static uint8_t buf[2048];

    return utcp_next_segment(u, now, seg, buf, sizeof buf);
}

static const struct wire_tcp_opts full_syn = {
    .has_mss = true, .mss = 1300, .has_wscale = true, .wscale = 9, .sack_permitted = true,
    .has_ts = true, .ts_val = 100,
};

/* SYN, and the SYN-ACK taken. */
static bool
peer_syn(struct utcp *u, struct peer *p, const struct wire_tcp_opts *opts, usec_t now)
{
    struct utcp_segment seg;

    if (peer_send(u, p, (struct wire_tcp) { .flags = TCP_SYN, .opts = *opts }, now)
        || !next(u, now, &seg) || !(seg.tcp.flags & TCP_SYN)) {
        return false;
    }
    p->seq++;
    p->ack = seg.tcp.seq + 1;
    p->opts = seg.tcp.opts;
    return true;
}

static utcp_id
peer_ack(struct utcp *u, struct peer *p, usec_t now)
{
    struct wire_tcp t = {
        .flags = TCP_ACK,
        .opts = { .has_ts = p->opts.has_ts, .ts_val = 101, .ts_ecr = p->opts.ts_val },
    };
    struct utcp_event ev;

    peer_send(u, p, t, now);
    return utcp_next_event(u, &ev) && ev.type == UTCP_EV_OPEN ? ev.conn : 0;
}

#endif
