/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The endpoint against reference clients over a bad path, a function of a seed: whole frames with
 * checksums, loss up to 30 %, reordering, duplication, corruption, congestion marks, paths that carry
 * less at times, small buffers, slow readers.  Every octet is checked; nothing may leak or be left
 * over; whatever the endpoint has queued goes, or goes again, within the RTO of RFC 6298.
 *
 *     sim-utcp                       the seeds of 'make check'
 *     sim-utcp --seed N [--pcap F]   one seed, with a line about it
 *     sim-utcp --seeds FIRST COUNT   many
 *     sim-utcp --transfer UP DOWN LOSS REORDER DUPLICATE DELAY_US
 *                                    one client, so many octets each way, per mille each way, by
 *                                    3 ms later: how long it takes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/client.h"
#include "sim/invariants.h"
#include "sim/net.h"
#include "sim/router.h"
#include "unit/tap.h"
#include "utcp/utcp.h"
#include "wire/frame.h"
#include "wire/quote.h"

#define FIRST_SEED 1
#define N_SEEDS 600
#define MAX_CLIENTS 14
#define STALL_US (400 * CLOCK_SEC)    /* Far beyond all back-off times. */

/* The application above the endpoint, per connection. */
struct app {
    utcp_id conn;
    struct simclient client;
    uint32_t n_written, n_read, n_uncredited;
    bool is_open, fin, closed, is_closing, may_write;
    usec_t quiet_since, may_be_quiet;           /* Since, and for how long, it has sent no data. */
    uint32_t snd_una;                 /* When last looked at. */
    uint32_t sent_end;                /* Sequence number beyond all that was sent. */
    bool has_sent;
    enum utcp_close_reason reason;
};

struct sim {
    uint64_t seed;
    struct prng prng, ecn_prng;
    uint32_t marked;                  /* Of 1000 that may be. */
    struct simnet net;
    struct simrouter router;
    bool has_router;
    struct utcp *u;
    struct utcp_config cfg;
    struct app apps[MAX_CLIENTS];
    unsigned int n_apps;
    bool is_v6;
    struct ip_addr server, host;
    uint32_t chunk;                   /* The server's application writes so many at a time. */
    usec_t credit_every_us, credit_at;
    usec_t now, progress_at;
    uint64_t n_turns;
    uint8_t buf[65536 + WIRE_HEADROOM];
    char why[200];
};

static uint32_t
between(struct sim *s, uint32_t low, uint32_t high)
{
    return low + prng_below(&s->prng, high - low + 1);
}

static bool
one_in(struct sim *s, uint32_t n)
{
    return prng_below(&s->prng, n) == 0;
}

static void
set_paths(struct sim *s)
{
    for (int i = 0; i < 2; i++) {
        struct simnet_path *p = &s->net.path[i];

        p->delay_us = one_in(s, 3) ? between(s, 20, 500) : between(s, 500, 60000);
        p->jitter_us = between(s, 1, 10000);
        p->frame_us = between(s, 0, 120);
        if (!one_in(s, 4)) {
            p->loss = one_in(s, 3) ? between(s, 50, 300) : between(s, 0, 50);
            p->reorder = one_in(s, 2) ? between(s, 0, 200) : 0;
            p->duplicate = one_in(s, 2) ? between(s, 0, 100) : 0;
            p->corrupt = one_in(s, 3) ? between(s, 0, 50) : 0;
        }
        p->queue_max = one_in(s, 4) ? between(s, 8, 64) : 0;
    }
}

static void
set_endpoint(struct sim *s)
{
    utcp_config_default(&s->cfg);
    s->cfg.key = (struct siphash_key) { prng_u64(&s->prng), prng_u64(&s->prng) };
    s->cfg.r2_us = 3600 * CLOCK_SEC;
    s->cfg.syn_r2_us = 600 * CLOCK_SEC;
    s->cfg.fin_wait_2_us = 3600 * CLOCK_SEC;
    s->cfg.snd_buf_max = between(s, 2000, 100000);
    s->cfg.rcv_wnd_max = one_in(s, 3) ? between(s, 2048, 20000) : between(s, 20000, 1000000);
    if (one_in(s, 3)) {
        s->cfg.rcv_wnd_initial = between(s, 1000, 60000);
    }
    if (one_in(s, 4)) {
        s->cfg.max_half_open = 0;     /* Cookies only. */
    }
    if (one_in(s, 6)) {
        s->cfg.keep_alive_us = 10 * CLOCK_SEC;
    }
    s->cfg.mtu = one_in(s, 3) ? (uint16_t) between(s, 576, 1500) : 1500;
    s->credit_every_us = one_in(s, 4) ? between(s, 1000, 300000) : 0;
    s->chunk = one_in(s, 2) ? between(s, 1, 300) : between(s, 300, 40000);
}

static uint32_t
amount(struct sim *s)
{
    return one_in(s, 5) ? 0 : one_in(s, 2) ? between(s, 1, 3000) : between(s, 3000, 120000);
}

static void
set_client(struct sim *s, struct simclient_config *c, uint16_t i)
{
    *c = (struct simclient_config) {
        .isn = one_in(s, 3) ? UINT32_MAX - between(s, 0, 20000) : (uint32_t) prng_u64(&s->prng),
        .port = (uint16_t) (20000 + i),
        .mss = (uint16_t) (one_in(s, 3) ? between(s, 100, 1400) : 1400),
        .timestamps = !one_in(s, 3),
        .sack = !one_in(s, 3),
        .nagle = one_in(s, 2),
        .delayed_acks = one_in(s, 2),
        .wscale = one_in(s, 3) ? -1 : (int) between(s, 0, 7),
        .n_tx = amount(s),
        .n_rx = amount(s),
        .message = between(s, 1, one_in(s, 2) ? 100 : 5000),
        .message_every_us = one_in(s, 2) ? between(s, 10, 2000) : 0,
        .rcv_buf = one_in(s, 3) ? between(s, 500, 4000) : between(s, 4000, 200000),
        .read_size = between(s, 100, 5000),
        .read_every_us = one_in(s, 4) ? between(s, 1000, 500000) : 0,
        .closes_first = one_in(s, 2),
        .pattern = (uint32_t) prng_u64(&s->prng),
    };
    if (!s->cfg.max_half_open) {
        /* When a cookie's ACK is lost, only more from the client can open the connection. */
        c->n_tx = MP_MAX(c->n_tx, 1);
    }
    if (c->message_every_us) {        /* Not more than about 4,000 messages. */
        c->message = MP_MAX(c->message, c->n_tx / 4000 + 1);
    }
    if (c->read_every_us) {
        c->read_size = MP_MAX(c->read_size, c->n_rx / 200);
    }
}

static void
setup(struct sim *s, uint64_t seed, const char *pcap)
{
    memset(s, 0, sizeof *s);
    s->seed = seed;
    prng_init(&s->prng, seed);
    simnet_init(&s->net, prng_u64(&s->prng));
    if (pcap) {
        simnet_trace(&s->net, pcap);
    }
    s->now = 1000 * CLOCK_SEC + (usec_t) (prng_u64(&s->prng) >> 24);
    s->is_v6 = one_in(s, 2);
    addr_parse(&s->server, s->is_v6 ? "2001:db8::1" : "192.0.2.1");
    addr_parse(&s->host, s->is_v6 ? "2001:db8::2" : "192.0.2.2");
    set_paths(s);
    set_endpoint(s);
    prng_init(&s->ecn_prng, seed ^ 0xec);
    s->marked = prng_below(&s->ecn_prng, 3) ? prng_below(&s->ecn_prng, 200) : 0;
    s->cfg.ecn = prng_below(&s->ecn_prng, 4);
    s->has_router = seed % 4 == 0;
    if (s->has_router) {
        struct ip_addr addr;

        addr_parse(&addr, s->is_v6 ? "2001:db8::3" : "192.0.2.3");
        simrouter_init(&s->router, seed, &addr, s->now);
    }
    s->n_apps = one_in(s, 8) ? MAX_CLIENTS : between(s, 1, 5);
    if (s->n_apps == MAX_CLIENTS) {   /* They take turns. */
        s->cfg.rcv_budget = 1000 + prng_below(&s->ecn_prng, 5000);
    }
    s->u = utcp_create(&s->cfg, s->now);
    for (unsigned int i = 0; i < s->n_apps; i++) {
        struct simclient_config c;

        set_client(s, &c, (uint16_t) i);
        c.ecn = prng_below(&s->ecn_prng, 2);
        simclient_init(&s->apps[i].client, &c, s->now);
    }
    s->progress_at = s->now;
    s->credit_at = CLOCK_NEVER;
}

static void
teardown(struct sim *s)
{
    for (unsigned int i = 0; i < s->n_apps; i++) {
        simclient_uninit(&s->apps[i].client);
    }
    utcp_destroy(s->u);
    simnet_uninit(&s->net);
}

#define FAIL(S, ...) (snprintf((S)->why, sizeof (S)->why, __VA_ARGS__), false)

static struct app *
app_by_port(struct sim *s, uint16_t port)
{
    unsigned int i = port - 20000u;

    return i < s->n_apps ? &s->apps[i] : NULL;
}

static void
transmit(struct sim *s, enum simnet_side to, const struct wire_tcp *t, uint8_t tos)
{
    struct wire_l3 l3 = { .ttl = 64, .df = true, .tos = tos };
    uint8_t *payload = s->buf + WIRE_HEADROOM;
    bool to_server = to == SIMNET_SERVER;

    if (tos & IP_ECN_CE && prng_below(&s->ecn_prng, 1000) < s->marked) {
        l3.tos |= IP_ECN_CE;
    }
    l3.src = to_server ? s->host : s->server;
    l3.dst = to_server ? s->server : s->host;

    uint8_t *frame = wire_build_tcp(&l3, t, payload, t->payload.n);
    size_t n = (size_t) (payload + t->payload.n - frame);

    if (to_server || !s->has_router || simrouter_passes(&s->router, &s->net, frame, n, s->now)) {
        simnet_send(&s->net, to, frame, n, s->now);
    }
}

/* The server's application: echoes nothing, checks what comes, writes its own stream. */
static bool
app_data(struct sim *s, struct app *a, struct slice data)
{
    const struct simclient_config *c = &a->client.cfg;

    for (uint32_t i = 0; i < data.n; i++) {
        if (a->n_read + i >= c->n_tx
            || data.p[i] != simclient_octet(c->pattern, false, a->n_read + i)) {
            return FAIL(s, "endpoint delivered a wrong octet at %u", a->n_read + i);
        }
    }
    a->n_read += data.n;
    a->n_uncredited += data.n;
    s->progress_at = s->now;
    if (!s->credit_every_us) {
        utcp_credit(s->u, a->conn, a->n_uncredited);
        a->n_uncredited = 0;
    } else if (s->credit_at == CLOCK_NEVER) {
        s->credit_at = s->now + s->credit_every_us;
    }
    return true;
}

static void
app_write(struct sim *s, struct app *a)
{
    const struct simclient_config *c = &a->client.cfg;
    uint8_t chunk[40000];

    while (a->is_open && !a->closed && a->may_write && a->n_written < c->n_rx) {
        uint32_t n = MP_MIN(MP_MIN(s->chunk, c->n_rx - a->n_written),
                            utcp_send_room(s->u, a->conn));

        if (!n) {
            a->may_write = false;     /* Until WRITABLE. */
            return;
        }
        for (uint32_t i = 0; i < n; i++) {
            chunk[i] = simclient_octet(c->pattern, true, a->n_written + i);
        }
        if (n % 2) {
            utcp_send_copy(s->u, a->conn, chunk, n);
        } else {
            struct mbuf *m = mbuf_copy(chunk, n);

            utcp_send_mbuf(s->u, a->conn, m, 0, n);
            mbuf_unref(m);
        }
        a->n_written += n;
        s->progress_at = s->now;
        if (s->chunk < 300 && s->now % 2) {
            return;                   /* The rest in another turn. */
        }
    }
    if (a->is_open && !a->closed && !a->is_closing && a->n_written == c->n_rx
        && (a->fin || !c->closes_first)) {
        a->is_closing = true;
        utcp_close(s->u, a->conn);
    }
}

static bool
app_event(struct sim *s, const struct utcp_event *ev)
{
    struct utcp_info info;
    struct app *a;

    if (ev->type == UTCP_EV_OPEN) {
        if (!utcp_info(s->u, ev->conn, &info)) {
            return FAIL(s, "no information about a new connection");
        }
        a = app_by_port(s, info.tuple.remote_port);
        if (!a || a->is_open) {
            return FAIL(s, "opened twice");
        }
        a->conn = ev->conn;
        a->is_open = a->may_write = true;
        utcp_set_user(s->u, ev->conn, info.tuple.remote_port);
        s->progress_at = s->now;
        return true;
    }
    a = app_by_port(s, (uint16_t) ev->user);
    if (!a || a->conn != ev->conn || a->closed) {
        return FAIL(s, "event for no connection");
    }
    switch (ev->type) {
    case UTCP_EV_DATA:
        return a->fin ? FAIL(s, "data after FIN") : app_data(s, a, ev->data);

    case UTCP_EV_FIN:
        a->fin = true;
        if (a->n_read != a->client.cfg.n_tx) {
            return FAIL(s, "FIN after %u of %u octets", a->n_read, a->client.cfg.n_tx);
        }
        break;

    case UTCP_EV_CLOSED:
        a->closed = true;
        a->reason = ev->reason;
        if (ev->reason != UTCP_CLOSE_NORMAL) {
            return FAIL(s, "closed with reason %d", ev->reason);
        }
        break;

    case UTCP_EV_WRITABLE:
        a->may_write = true;
        break;

    default:
        break;
    }
    s->progress_at = s->now;
    return true;
}

static bool
drain_events(struct sim *s)
{
    struct utcp_event ev;

    while (utcp_next_event(s->u, &ev)) {
        if (!app_event(s, &ev)) {
            return false;
        }
    }
    return true;
}

/* From the router, to the server. */
static void
deliver_icmp(struct sim *s, const struct wire_frame *w)
{
    struct wire_quote q;

    if (wire_quote_parse(&q, w->icmp.body, s->is_v6 ? WIRE_IPV6 : WIRE_IPV4)) {
        struct utcp_tuple t = {
            .local = q.src, .remote = q.dst, .local_port = q.src_port, .remote_port = q.dst_port,
        };

        utcp_icmp(s->u, &t, q.seq, UTCP_ICMP_TOO_BIG, (uint16_t) w->icmp.rest, s->now);
    }
}

static bool
deliver(struct sim *s, const struct simnet_frame *f)
{
    struct wire_frame w;

    if (wire_parse(&w, f->data, f->n) == WIRE_OK && w.kind == WIRE_ICMP && f->to == SIMNET_SERVER) {
        deliver_icmp(s, &w);
        return drain_events(s);
    }
    if (wire_parse(&w, f->data, f->n) != WIRE_OK || w.kind != WIRE_TCP) {
        return true;                  /* Damaged: as if lost. */
    }
    if (f->to == SIMNET_SERVER) {
        struct utcp_tuple t = {
            .local = w.ip.dst, .remote = w.ip.src,
            .local_port = w.tcp.dst_port, .remote_port = w.tcp.src_port,
        };
        struct utcp_path path = { .opaque = { (uint8_t) w.tcp.src_port }, .tos = w.ip.tos };

        if (!addr_equal(&t.local, &s->server) || !addr_equal(&t.remote, &s->host)
            || t.local_port != 1883 || !app_by_port(s, t.remote_port)) {
            return true;              /* Damaged in the addresses, with a sum that fits. */
        }
        utcp_input(s->u, &t, &w.tcp, &path, s->now);
        return drain_events(s);
    }

    struct app *a = app_by_port(s, w.tcp.dst_port);

    if (a) {
        simclient_input(&a->client, &w.tcp, s->now);
        if ((w.ip.tos & IP_ECN_CE) == IP_ECN_CE) {
            simclient_marked(&a->client);
        }
        if (a->client.error) {
            return FAIL(s, "client %u: %s", w.tcp.dst_port, a->client.error);
        }
        if (a->client.state == SIMCLIENT_RESET) {
            return FAIL(s, "client %u was reset", w.tcp.dst_port);
        }
    }
    return true;
}

/* Notes that data has left for 'a', and looks at where ECT is (RFC 3168 6.1.4 to 6.1.6). */
static bool
note_sent(struct sim *s, struct app *a, const struct utcp_segment *seg)
{
    uint32_t end = seg->tcp.seq + wire_tcp_seg_len(&seg->tcp);
    bool is_new = !a->has_sent || seq_gt(end, a->sent_end);

    if (seg->tos & IP_ECN_CE
        && (!a->client.cfg.ecn || !s->cfg.ecn || !seg->tcp.payload.n || !is_new)) {
        return FAIL(s, "ECT where it must not be");
    }
    if (wire_tcp_seg_len(&seg->tcp)) {
        a->quiet_since = s->now;
        a->may_be_quiet = 0;
        a->sent_end = is_new ? end : a->sent_end;
        a->has_sent = true;
    }
    return true;
}

static bool
server_transmit(struct sim *s)
{
    struct utcp_segment seg;

    while (utcp_next_segment(s->u, s->now, &seg, s->buf + WIRE_HEADROOM, s->cfg.mtu)) {
        struct app *a = app_by_port(s, seg.tuple.remote_port);

        if (a && !note_sent(s, a, &seg)) {
            return false;
        }
        transmit(s, SIMNET_CLIENT, &seg.tcp, seg.tos);
    }
    return true;
}

/* RFC 6298 5.1 to 5.5, and RFC 9293 3.8.6.1: while something is queued, data goes out, or an ACK of
 * something comes in, at least once in an RTO. */
static bool
check_quiet(struct sim *s, struct app *a)
{
    const struct utcp_conn *c = utcp_conn_get(s->u, a->conn);
    const struct utcp_ext *e = c ? utcp_ext(s->u, c) : NULL;
    struct utcp_info info;

    if (a->closed || !utcp_info(s->u, a->conn, &info)) {
        return true;
    }
    if (!(info.snd_queued + info.snd_unacked) || c->snd_una != a->snd_una) {
        a->snd_una = c->snd_una;
        a->quiet_since = s->now;
        a->may_be_quiet = 0;
    }
    a->may_be_quiet = MP_MAX(a->may_be_quiet, info.rto_us);
    /* What RACK has found lost may wait for cwnd, and then the timer counts from its finding. */
    if (e && e->n_lost) {
        a->may_be_quiet = MP_MAX(a->may_be_quiet, info.rto_us + info.srtt_us);
    }
    return s->now - a->quiet_since <= a->may_be_quiet + 5 * CLOCK_MSEC
           || FAIL(s, "client %u: nothing was sent for %lld ms, the RTO is %lld ms",
                   a->client.cfg.port, (long long) ((s->now - a->quiet_since) / 1000),
                   (long long) (a->may_be_quiet / 1000));
}

static usec_t
next_time(struct sim *s)
{
    usec_t at = clock_min(simnet_deadline(&s->net), utcp_deadline(s->u));

    at = clock_min(at, s->credit_at);
    for (unsigned int i = 0; i < s->n_apps; i++) {
        at = clock_min(at, simclient_deadline(&s->apps[i].client));
    }
    return at;
}

static void
credit_all(struct sim *s)
{
    for (unsigned int i = 0; i < s->n_apps; i++) {
        utcp_credit(s->u, s->apps[i].conn, s->apps[i].n_uncredited);
        s->apps[i].n_uncredited = 0;
    }
    s->credit_at = CLOCK_NEVER;
}

static bool
turn(struct sim *s)
{
    struct simnet_frame f;
    struct wire_tcp t;

    while (simnet_receive(&s->net, s->now, &f)) {
        bool good = deliver(s, &f);

        mem_free(f.data);
        if (!good) {
            return false;
        }
    }
    if (utcp_deadline(s->u) <= s->now) {
        utcp_run(s->u, s->now);
        if (!drain_events(s)) {
            return false;
        }
    }
    if (s->credit_at <= s->now) {
        credit_all(s);
    }
    for (unsigned int i = 0; i < s->n_apps; i++) {
        struct app *a = &s->apps[i];

        app_write(s, a);
        simclient_run(&a->client, s->now);
        while (simclient_next(&a->client, s->now, &t, s->buf + WIRE_HEADROOM)) {
            transmit(s, SIMNET_SERVER, &t,
                     a->client.ecn_ok && t.payload.n ? IP_ECN_ECT0 : 0);
        }
        s->progress_at = MP_MAX(s->progress_at, a->client.progress_at);
    }
    if (!server_transmit(s)) {
        return false;
    }
    for (unsigned int i = 0; i < s->n_apps; i++) {
        if (!check_quiet(s, &s->apps[i])) {
            return false;
        }
    }

    const char *broken = utcp_broken_invariant(s->u);

    return !broken || FAIL(s, "broken: %s", broken);
}

static bool
is_over(const struct sim *s)
{
    for (unsigned int i = 0; i < s->n_apps; i++) {
        if (!s->apps[i].closed || s->apps[i].client.state != SIMCLIENT_DONE) {
            return false;
        }
    }
    return true;
}

static bool
check_all_there(struct sim *s)
{
    for (unsigned int i = 0; i < s->n_apps; i++) {
        const struct app *a = &s->apps[i];
        const struct simclient *c = &a->client;

        if (a->n_read != c->cfg.n_tx || c->rcv_nxt != c->cfg.n_rx) {
            return FAIL(s, "client %u: %u of %u octets came in, %u of %u went out", i, a->n_read,
                        c->cfg.n_tx, c->rcv_nxt, c->cfg.n_rx);
        }
    }
    return true;
}

/* When all is over and TIME-WAIT too, nothing is left. */
static bool
check_nothing_left(struct sim *s)
{
    const struct utcp_stats *st = utcp_stats(s->u);
    struct utcp_memory m;
    struct utcp_info info;
    uint32_t pos = 0;

    utcp_memory(s->u, &m);
    if (m.n_connections || m.n_half_open || m.n_time_wait || m.queued) {
        return FAIL(s, "left over: %u connections, %u half-open, %u in TIME-WAIT, %llu octets",
                    m.n_connections, m.n_half_open, m.n_time_wait, (unsigned long long) m.queued);
    }
    if (utcp_walk(s->u, &pos, &info)) {
        return FAIL(s, "a connection is left in the table");
    }
    if (st->opened != s->n_apps
        || st->opened != st->closed + st->aborted_by_peer + st->aborted_by_us + st->timed_out) {
        return FAIL(s, "%llu opened, %llu closed", (unsigned long long) st->opened,
                    (unsigned long long) st->closed);
    }
    if (utcp_deadline(s->u) != CLOCK_NEVER) {
        return FAIL(s, "a timer is left");
    }
    return true;
}

static bool
run(struct sim *s)
{
    usec_t last = -1;
    unsigned int n_at_once = 0;

    while (turn(s)) {
        usec_t at = next_time(s);

        s->n_turns++;
        if (is_over(s) && s->net.n == 0 && utcp_deadline(s->u) == CLOCK_NEVER) {
            return check_all_there(s) && check_nothing_left(s);
        }
        if (at == CLOCK_NEVER) {
            return FAIL(s, "nothing will ever happen any more");
        }
        if (!is_over(s) && s->now - s->progress_at > STALL_US) {
            return FAIL(s, "stalled for %lld s", (long long) ((s->now - s->progress_at) / CLOCK_SEC));
        }
        s->now = MP_MAX(at, s->now);
        n_at_once = s->now == last ? n_at_once + 1 : 0;
        last = s->now;
        if (n_at_once > 1000) {
            return FAIL(s, "spins at one instant");
        }
    }
    return false;
}

static uint64_t n_turns_awaited, n_narrower;    /* In all. */

static bool
play(uint64_t seed, const char *pcap, bool is_verbose)
{
    struct sim *s = mem_alloc(sizeof *s);

    setup(s, seed, pcap);

    usec_t started_at = s->now;
    bool good = run(s);

    if (!good) {
        diag("seed %llu after %.3f s: %s", (unsigned long long) seed,
             (double) (s->now - started_at) / 1e6, s->why);
    }
    if (is_verbose) {
        const uint64_t *values = (const uint64_t *) utcp_stats(s->u);

        for (unsigned int i = 0; i < s->n_apps; i++) {
            const struct simclient *c = &s->apps[i].client;

            diag("client %u: %u up (%u done), %u down (%u done), mss %u%s%s wscale %d", i,
                 c->cfg.n_tx, s->apps[i].n_read, c->cfg.n_rx, c->rcv_nxt, c->cfg.mss,
                 c->cfg.timestamps ? " ts" : "", c->cfg.sack ? " sack" : "", c->cfg.wscale);
        }
        for (int i = 0; i < 2; i++) {
            const struct simnet_path *p = &s->net.path[i];

            diag("to %s: delay %lld us, loss %u, reorder %u, duplicate %u, corrupt %u per mille",
                 i ? "server" : "client", (long long) p->delay_us, p->loss, p->reorder,
                 p->duplicate, p->corrupt);
        }
        diag("%llu turns, %llu frames", (unsigned long long) s->n_turns,
             (unsigned long long) s->net.n_sent);
        for (size_t i = 0; i < utcp_n_stats; i++) {
            if (values[i]) {
                diag("%s %llu", utcp_stats_descs[i].name, (unsigned long long) values[i]);
            }
        }
    }
    n_turns_awaited += utcp_stats(s->u)->turns_awaited;
    n_narrower += utcp_stats(s->u)->icmp_pmtu;
    teardown(s);
    mem_free(s);
    return good;
}

static void
play_many(const char *program, uint64_t first, uint64_t n)
{
    uint64_t n_failed = 0;

    for (uint64_t seed = first; seed < first + n && n_failed < 10; seed++) {
        if (!play(seed, NULL, false)) {
            char pcap[64];

            n_failed++;
            snprintf(pcap, sizeof pcap, "sim-utcp-%llu.pcap", (unsigned long long) seed);
            play(seed, pcap, false);
            diag("trace in %s; replay: %s --seed %llu", pcap, program, (unsigned long long) seed);
        }
    }
    ok(n_failed == 0, "seeds %llu to %llu: every octet arrives, nothing stalls, nothing is left",
       (unsigned long long) first, (unsigned long long) (first + n - 1));
    if (n >= N_SEEDS) {
        ok(n_turns_awaited >= n / 4, "in some, windows opened by turns (%llu times)",
           (unsigned long long) n_turns_awaited);
        ok(n_narrower >= n / 8, "paths turn out to carry less");
    }
}

/* One transfer with the endpoint's defaults, for tuning. */
static void
transfer(char *args[])
{
    struct sim *s = mem_alloc(sizeof *s);
    struct simclient_config c = {
        .isn = 1, .port = 20000, .mss = 1460, .timestamps = true, .sack = true, .wscale = 7,
        .delayed_acks = true, .n_tx = (uint32_t) strtoul(args[0], NULL, 0),
        .n_rx = (uint32_t) strtoul(args[1], NULL, 0), .message = 1, .rcv_buf = 4u << 20,
        .closes_first = true,
    };

    setup(s, 1, NULL);
    teardown(s);
    memset(s, 0, sizeof *s);
    prng_init(&s->prng, 1);
    simnet_init(&s->net, 1);
    for (int i = 0; i < 2; i++) {
        s->net.path[i] = (struct simnet_path) {
            .loss = (uint32_t) strtoul(args[2], NULL, 0),
            .reorder = (uint32_t) strtoul(args[3], NULL, 0),
            .duplicate = (uint32_t) strtoul(args[4], NULL, 0),
            .delay_us = strtol(args[5], NULL, 0), .jitter_us = 3000, .frame_us = 3,
        };
    }
    s->now = 1000 * CLOCK_SEC;
    s->credit_at = CLOCK_NEVER;
    s->chunk = 10000;
    addr_parse(&s->server, "192.0.2.1");
    addr_parse(&s->host, "192.0.2.2");
    utcp_config_default(&s->cfg);
    s->u = utcp_create(&s->cfg, s->now);
    s->n_apps = 1;
    simclient_init(&s->apps[0].client, &c, s->now);

    usec_t started_at = s->progress_at = s->now;
    bool good = run(s);
    const struct utcp_stats *st = utcp_stats(s->u);

    /* The run ends when TIME-WAIT is over. */
    diag("%.3f s; %llu segments in, %llu out, %llu again, %llu time-outs, %llu recoveries, "
         "%llu tail probes", (double) (s->progress_at - started_at) / 1e6,
         (unsigned long long) st->segments_in, (unsigned long long) st->segments_out,
         (unsigned long long) st->retransmitted, (unsigned long long) st->timeouts,
         (unsigned long long) st->fast_retransmits, (unsigned long long) st->tail_probes);
    ok(good, "transfer %s", good ? "" : s->why);
    teardown(s);
    mem_free(s);
}

int
main(int argc, char *argv[])
{
    uint64_t first = FIRST_SEED, n = N_SEEDS;

    if (argc == 8 && !strcmp(argv[1], "--transfer")) {
        transfer(argv + 2);
        return done_testing();
    }

    if (argc >= 3 && !strcmp(argv[1], "--seed")) {
        const char *pcap = argc >= 5 && !strcmp(argv[3], "--pcap") ? argv[4] : NULL;

        ok(play(strtoull(argv[2], NULL, 0), pcap, true), "seed %s", argv[2]);
        return done_testing();
    }
    if (argc >= 4 && !strcmp(argv[1], "--seeds")) {
        first = strtoull(argv[2], NULL, 0);
        n = strtoull(argv[3], NULL, 0);
    }
    play_many(argv[0], first, n);
    return done_testing();
}
