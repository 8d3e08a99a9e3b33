/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the TCP endpoint under any sequence of segments, calls of its user, ICMP errors and
 * time.  The input is a little program of such steps; sequence numbers are taken near those that
 * matter, or nothing would get past the first checks.  Oracle: the endpoint's invariants after every
 * step, the contents and limits of every segment that it sends, octets in = octets delivered. */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "sim/invariants.h"
#include "wire/frame.h"

#define N_PEERS 3
#define CROWD 10                      /* Or so many, whose windows open by turns. */
#define MTU 1500
#define FIRST_PORT 3000
#define MAX_STEPS 400

struct peer {
    struct utcp_tuple t;
    utcp_id id;
    bool is_open;
    uint32_t isn, iss, sent_end;      /* The stream towards the peer: octets given to send. */
    uint32_t delivered;
    uint32_t last_ts;
};

struct world {
    struct utcp *u;
    usec_t now;
    struct peer peers[CROWD];
    uint16_t n_peers;
    uint8_t buf[2048];
};

#define REQUIRE(COND) ((COND) ? (void) 0 : abort())

static uint8_t
octet(uint32_t pos)
{
    return (uint8_t) (pos * 7 + (pos >> 8));
}

static struct peer *
peer_of(struct world *w, const struct utcp_tuple *t)
{
    struct peer *p = &w->peers[(t->remote_port - FIRST_PORT) % w->n_peers];

    REQUIRE(addr_equal(&p->t.remote, &t->remote) && p->t.remote_port == t->remote_port);
    return p;
}

static void
start(struct world *w, struct fuzz_input *in)
{
    struct utcp_config cfg;
    uint8_t how = fuzz_take_u8(in);

    utcp_config_default(&cfg);
    cfg.mtu = MTU;
    cfg.max_connections = how & 128 ? CROWD + 2 : 2 + (how & 3);
    cfg.max_half_open = how & 4 ? 0 : how & 128 ? CROWD : 2;
    cfg.rcv_budget = how & 128 ? 4 * MTU : cfg.rcv_budget;    /* Less than a segment for each. */
    cfg.rcv_wnd_initial = how & 8 ? 65535 : 3000;
    cfg.rcv_wnd_max = how & 16 ? 4000 : 200000;
    cfg.snd_buf_max = 5000;
    cfg.keep_alive_us = how & 32 ? 10 * CLOCK_SEC : 0;
    cfg.fin_wait_2_us = 20 * CLOCK_SEC;
    cfg.time_wait_us = 10 * CLOCK_SEC;
    memset(w, 0, sizeof *w);
    w->now = 1000 * CLOCK_SEC;
    w->u = utcp_create(&cfg, w->now);
    w->n_peers = how & 128 ? CROWD : N_PEERS;
    for (uint16_t i = 0; i < w->n_peers; i++) {
        struct peer *p = &w->peers[i];

        addr_parse(&p->t.local, i == 2 ? "2001:db8::1" : "10.0.0.1");
        addr_parse(&p->t.remote, i == 2 ? "2001:db8::2" : "10.0.0.2");
        p->t.local_port = 1883;
        p->t.remote_port = (uint16_t) (FIRST_PORT + i);
        p->isn = how & 64 ? 0xffffff00u : 5000;
    }
}

static void
drain_events(struct world *w)
{
    struct utcp_event ev;
    struct utcp_info info;

    while (utcp_next_event(w->u, &ev)) {
        if (ev.type == UTCP_EV_OPEN) {
            REQUIRE(utcp_info(w->u, ev.conn, &info));
            for (int i = 0; i < w->n_peers; i++) {
                if (info.tuple.remote_port == w->peers[i].t.remote_port) {
                    utcp_set_user(w->u, ev.conn, (uint32_t) i + 1);
                    w->peers[i].is_open = true;
                    w->peers[i].id = ev.conn;
                    /* Not that of the last SYN-ACK: with cookies an earlier one is as good. */
                    w->peers[i].iss = utcp_conn_get(w->u, ev.conn)->snd_una - 1;
                    w->peers[i].sent_end = w->peers[i].delivered = 0;
                }
            }
            /* It may have ended in the same call; then it has no ends any more. */
            continue;
        }
        if (!ev.user) {
            continue;
        }

        struct peer *p = &w->peers[ev.user - 1];

        if (ev.type == UTCP_EV_DATA && p->id == ev.conn) {
            for (uint32_t i = 0; i < ev.data.n; i++) {
                REQUIRE(ev.data.p[i] == octet(p->delivered + i));
            }
            p->delivered += ev.data.n;
        } else if (ev.type == UTCP_EV_CLOSED && p->id == ev.conn) {
            p->is_open = false;
        }
    }
}

static void
drain_segments(struct world *w)
{
    struct utcp_segment seg;
    unsigned int n = 0;

    while (utcp_next_segment(w->u, w->now, &seg, w->buf, MTU)) {
        const struct wire_tcp *t = &seg.tcp;
        struct peer *p = peer_of(w, &seg.tuple);

        REQUIRE(++n < 20000);
        REQUIRE(wire_tcp_hlen(t) + t->payload.n + (addr_is_v4(&seg.tuple.remote) ? 20 : 40) <= MTU);
        REQUIRE(t->opts.has_mss == !!(t->flags & TCP_SYN));
        REQUIRE(!(seg.tos & IP_ECN_CE)
                || ((seg.tos & IP_ECN_CE) == IP_ECN_ECT0 && t->payload.n && !(t->flags & TCP_SYN)));
        if (t->flags & TCP_SYN && !p->is_open) {
            p->iss = t->seq;
        }
        if (t->opts.has_ts) {
            p->last_ts = t->opts.ts_val;
        }
        if (t->payload.n && p->is_open) {
            uint32_t pos = t->seq - p->iss - 1;

            REQUIRE(pos + t->payload.n <= p->sent_end);
            for (uint32_t i = 0; i < t->payload.n; i++) {
                REQUIRE(t->payload.p[i] == octet(pos + i));
            }
        }
        for (unsigned int i = 0; i < t->opts.n_sack; i++) {
            REQUIRE(seq_lt(t->opts.sack[i].left, t->opts.sack[i].right));
        }
    }
}

/* A number near one that matters. */
static uint32_t
near(struct fuzz_input *in, uint32_t a, uint32_t b, uint32_t c)
{
    uint8_t how = fuzz_take_u8(in);
    uint32_t base = (how & 3) == 0 ? a : (how & 3) == 1 ? b : (how & 3) == 2 ? c : 0;

    switch (how >> 2 & 3) {
    case 0:
        return base;
    case 1:
        return base + (uint32_t) (int8_t) fuzz_take_u8(in);
    case 2:
        return base + fuzz_take_u16(in) - 0x8000;
    default:
        return base + fuzz_take_u32(in);
    }
}

static void
input_segment(struct world *w, struct fuzz_input *in)
{
    static uint8_t data[2048];
    struct peer *p = &w->peers[fuzz_take_u8(in) % w->n_peers];
    const struct utcp_conn *c = utcp_conn_get(w->u, p->id);
    uint8_t opts = fuzz_take_u8(in);
    uint16_t len = fuzz_take_u16(in);
    uint8_t ecn_bits = opts & 128 ? IP_ECN_CE : 0;
    struct utcp_path path = { .opaque = { 1 }, .tos = ecn_bits };
    struct wire_tcp t = { .flags = fuzz_take_u8(in), .wnd = fuzz_take_u16(in) };

    t.src_port = p->t.remote_port;
    t.dst_port = p->t.local_port;
    t.seq = near(in, c ? c->rcv_nxt : p->isn, p->isn + 1, c ? c->rcv_adv : p->isn);
    t.ack = near(in, c ? c->snd_una : p->iss + 1, c ? c->snd_nxt : p->iss + 1, p->iss);
    t.payload = (struct slice) { .p = data, .n = len % 1461 };
    if (opts & 1) {
        t.opts.has_ts = true;
        t.opts.ts_val = near(in, c ? c->ts_recent : 1, w->u->now_ms, 0);
        t.opts.ts_ecr = opts & 2 ? p->last_ts : fuzz_take_u32(in);
    }
    t.opts.has_mss = opts & 4;
    t.opts.mss = t.opts.has_mss ? fuzz_take_u16(in) : 0;
    t.opts.has_wscale = opts & 8;
    t.opts.wscale = opts & 8 ? fuzz_take_u8(in) : 0;
    t.opts.sack_permitted = opts & 16;
    for (t.opts.n_sack = 0; t.opts.n_sack < (opts >> 5 & 3); t.opts.n_sack++) {
        struct wire_sack_block *b = &t.opts.sack[t.opts.n_sack];

        b->left = near(in, c ? c->snd_una : 0, c ? c->snd_nxt : 0, 0);
        b->right = near(in, c ? c->snd_nxt : 0, b->left, 0);
    }
    /* The octets belong to their sequence numbers, so that delivery can be checked. */
    if (!c || c->flags & CONN_FIN_RCVD) {
        t.payload.n = 0;              /* Positions are not known yet, or off by the FIN. */
    }
    for (uint32_t i = 0; i < t.payload.n; i++) {
        data[i] = octet(t.seq - c->rcv_nxt + p->delivered + i);
    }
    if (!c && t.flags & TCP_SYN && !(t.flags & TCP_RST)) {
        p->isn = t.seq;
    }
    utcp_input(w->u, &p->t, &t, &path, w->now);
    drain_events(w);
}

/* All are connected, and each has sent some small segments, more than its window at first: whatever
 * the input does then, it does to a crowd that takes turns. */
static void
gather_crowd(struct world *w)
{
    static const struct utcp_path path = { .opaque = { 1 } };
    static uint8_t data[85];

    for (int step = 0; step < 80; step++) {
        for (uint16_t i = 0; i < w->n_peers; i++) {
            struct peer *p = &w->peers[i];
            struct wire_tcp t = {
                .src_port = p->t.remote_port, .dst_port = p->t.local_port, .wnd = 60000,
                .flags = step ? TCP_ACK : TCP_SYN, .seq = p->isn + (step > 0), .ack = p->iss + 1,
                .opts = { .has_ts = true, .ts_val = 1, .ts_ecr = p->last_ts, .has_mss = !step,
                          .mss = 1460 },
            };
            const struct utcp_conn *c = utcp_conn_get(w->u, p->id);

            if (step > 1 && c) {
                t.seq = c->rcv_nxt;
                t.payload = (struct slice) { data, MP_MIN(sizeof data, c->rcv_adv - c->rcv_nxt) };
                for (uint32_t j = 0; j < t.payload.n; j++) {
                    data[j] = octet(p->delivered + j);
                }
            }
            utcp_input(w->u, &p->t, &t, &path, w->now);
            drain_events(w);
            utcp_credit(w->u, p->id, t.payload.n);
        }
        w->now += 100;
        utcp_run(w->u, w->now);
        drain_segments(w);
    }
}

static void
call_user(struct world *w, struct fuzz_input *in)
{
    static uint8_t data[4096];
    struct peer *p = &w->peers[fuzz_take_u8(in) % w->n_peers];
    uint8_t what = fuzz_take_u8(in);
    uint16_t n = fuzz_take_u16(in) % sizeof data;

    switch (what % 5) {
    case 0:
    case 1:
        for (uint32_t i = 0; i < n; i++) {
            data[i] = octet(p->sent_end + i);
        }
        if (utcp_send_room(w->u, p->id) < n) {
            return;
        }
        p->sent_end += n;
        if (what % 5) {
            struct mbuf *m = mbuf_copy(data, n);

            utcp_send_mbuf(w->u, p->id, m, 0, n);
            mbuf_unref(m);
        } else {
            utcp_send_copy(w->u, p->id, data, n);
        }
        break;
    case 2:
        utcp_credit(w->u, p->id, n);
        break;
    case 3:
        utcp_close(w->u, p->id);
        break;
    case 4:
        if (what & 0x80) {
            utcp_abort(w->u, p->id);
        } else {
            utcp_set_dscp(w->u, p->id, n % (UTCP_DSCP_DEFAULT + 1));
        }
        break;
    }
    drain_events(w);
}

static void
step(struct world *w, struct fuzz_input *in)
{
    uint8_t what = fuzz_take_u8(in);
    struct peer *p = &w->peers[what % w->n_peers];

    switch (what >> 5) {
    case 0:
    case 1:
    case 2:
    case 3:
        input_segment(w, in);
        break;
    case 4:
        call_user(w, in);
        break;
    case 5:
        drain_segments(w);
        break;
    case 6:
        w->now += what & 16 ? (usec_t) fuzz_take_u16(in) * 1000 : fuzz_take_u16(in);
        utcp_run(w->u, w->now);
        drain_events(w);
        break;
    default:
        utcp_icmp(w->u, &p->t, p->iss + fuzz_take_u16(in), what % 3, fuzz_take_u16(in), w->now);
        drain_events(w);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    struct fuzz_input in = { data, size };
    struct world *w = &world;

    start(w, &in);
    if (w->n_peers == CROWD) {
        gather_crowd(w);
    }
    for (int i = 0; i < MAX_STEPS && in.size; i++) {
        step(w, &in);
        REQUIRE(!utcp_broken_invariant(w->u));
    }
    drain_segments(w);
    REQUIRE(!utcp_broken_invariant(w->u));
    /* Whatever is left comes to an end by itself, when nobody answers. */
    for (int i = 0; i < w->n_peers; i++) {
        utcp_close(w->u, w->peers[i].id);
    }
    drain_events(w);
    drain_segments(w);
    for (int i = 0; i < 2000 && utcp_deadline(w->u) != CLOCK_NEVER; i++) {
        w->now = MP_MAX(utcp_deadline(w->u), w->now);
        utcp_run(w->u, w->now);
        drain_events(w);
        drain_segments(w);
        REQUIRE(!utcp_broken_invariant(w->u));
    }
    REQUIRE(utcp_deadline(w->u) == CLOCK_NEVER);
    REQUIRE(w->u->n_live == 0 && w->u->halves.n == 0 && w->u->tws.n == 0 && w->u->queued == 0);
    utcp_destroy(w->u);
    return 0;
}
