/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sim/utcp-world.h"

#include "base/mem.h"
#include "sim/invariants.h"
#include "wire/quote.h"

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

usec_t
utcp_world_next_time(const struct sim *s)
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

bool
utcp_world_turn(struct sim *s)
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
