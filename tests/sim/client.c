/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The reference client: see client.h.  Congestion control is Reno with go-back-N after a time-out;
 * with SACK, holes below the highest SACKed octet are filled once per recovery. */
#include "sim/client.h"

#include <string.h>

#include "base/mem.h"

#define RTO_MIN_US (200 * CLOCK_MSEC)
#define RTO_MAX_US (8 * CLOCK_SEC)    /* Short: this is to test the other side. */
#define DELAYED_ACK_US (40 * CLOCK_MSEC)

uint8_t
simclient_octet(uint32_t pattern, bool from_server, uint32_t pos)
{
    uint32_t x = (pos + pattern * 977 + from_server) * 2654435761u;

    return (uint8_t) (x >> 24 ^ pos);
}

static bool
before(uint32_t a, uint32_t b)
{
    return (int32_t) (a - b) < 0;
}

static usec_t
rto(const struct simclient *c)
{
    usec_t us = c->srtt_us ? MP_MAX(c->srtt_us + 4 * c->rttvar_us, RTO_MIN_US) : CLOCK_SEC;

    return MP_MIN(us << MP_MIN(c->backoff, 8u), RTO_MAX_US);
}

void
simclient_init(struct simclient *c, const struct simclient_config *cfg, usec_t now)
{
    memset(c, 0, sizeof *c);
    c->cfg = *cfg;
    prng_init(&c->prng, cfg->isn + cfg->port);
    c->sacked = mem_zalloc(cfg->n_tx + 2);
    c->got = mem_zalloc(cfg->n_rx + 2);
    c->peer_mss = 536;
    c->rto_at = now;                  /* The SYN. */
    c->ack_at = c->read_at = c->write_at = CLOCK_NEVER;
    c->progress_at = now;
    c->state = SIMCLIENT_SYN_SENT;
}

void
simclient_uninit(struct simclient *c)
{
    mem_free(c->sacked);
    mem_free(c->got);
}

static void
fail(struct simclient *c, const char *error)
{
    if (!c->error) {
        c->error = error;
    }
}

/* Positions of the stream are sequence numbers minus the SYN's plus one. */
static uint32_t
tx_pos(const struct simclient *c, uint32_t seq)
{
    return seq - c->cfg.isn - 1;
}

static uint32_t
rx_pos(const struct simclient *c, uint32_t seq)
{
    return seq - c->iss_peer - 1;
}

static bool
wants_fin(const struct simclient *c)
{
    return c->written == c->cfg.n_tx && (c->cfg.closes_first || c->fin_seen);
}

/* End of what may be sent: the written octets and, at the end, the FIN. */
static uint32_t
tx_end(const struct simclient *c)
{
    return c->written + wants_fin(c);
}

static uint32_t
tx_mss(const struct simclient *c)
{
    return MP_MIN(c->peer_mss, c->cfg.mss) - (c->ts_ok ? 12u : 0u);
}

static void
sample_rtt(struct simclient *c, usec_t rtt)
{
    if (!c->srtt_us) {
        c->srtt_us = MP_MAX(rtt, 1);
        c->rttvar_us = rtt / 2;
    } else {
        usec_t err = rtt > c->srtt_us ? rtt - c->srtt_us : c->srtt_us - rtt;

        c->rttvar_us = (3 * c->rttvar_us + err) / 4;
        c->srtt_us = MP_MAX((7 * c->srtt_us + rtt) / 8, 1);
    }
}

static void
write_more(struct simclient *c, usec_t now)
{
    while (c->write_at <= now && c->written < c->cfg.n_tx) {
        c->written = MP_MIN(c->written + c->cfg.message, c->cfg.n_tx);
        c->write_at += c->cfg.message_every_us;
        if (!c->cfg.message_every_us) {
            c->written = c->cfg.n_tx;
        }
    }
    if (c->written == c->cfg.n_tx) {
        c->write_at = CLOCK_NEVER;
    }
}

static void
syn_ack(struct simclient *c, const struct wire_tcp *t, usec_t now)
{
    if ((t->flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK) || t->ack != c->cfg.isn + 1) {
        return;
    }
    if (!t->opts.has_mss) {
        fail(c, "SYN-ACK without MSS");
    }
    if ((t->opts.has_ts && !c->cfg.timestamps) || (t->opts.sack_permitted && !c->cfg.sack)
        || (t->opts.has_wscale && c->cfg.wscale < 0)) {
        fail(c, "SYN-ACK with an option that was not offered");
    }
    c->iss_peer = t->seq;
    c->peer_mss = t->opts.mss;
    c->ts_ok = t->opts.has_ts;
    c->sack_ok = t->opts.sack_permitted;
    c->ws_ok = t->opts.has_wscale;
    c->ecn_ok = t->flags & TCP_ECE;
    if (t->flags & TCP_CWR || (c->ecn_ok && !c->cfg.ecn)) {
        fail(c, "SYN-ACK with ECN that was not asked for");
    }
    c->peer_wscale = c->ws_ok ? t->opts.wscale : 0;
    c->ts_recent = t->opts.ts_val;
    c->wnd = c->max_wnd = t->wnd;
    c->cwnd = 10 * tx_mss(c);
    c->ssthresh = UINT32_MAX;
    c->state = SIMCLIENT_OPEN;
    c->ack_now = true;
    c->backoff = 0;
    c->rto_at = CLOCK_NEVER;
    c->write_at = now;
    c->read_at = c->cfg.read_every_us ? now + c->cfg.read_every_us : CLOCK_NEVER;
    c->progress_at = now;
    write_more(c, now);
}

static void
take_sack(struct simclient *c, const struct wire_tcp *t)
{
    for (unsigned int i = 0; i < t->opts.n_sack; i++) {
        uint32_t left = tx_pos(c, t->opts.sack[i].left), right = tx_pos(c, t->opts.sack[i].right);

        if (before(left, right) && !before(c->max_sent, right) && (int32_t) left >= 0) {
            memset(c->sacked + left, 1, right - left);
        } else if (before(c->max_sent, right)) {
            fail(c, "SACK of what was never sent");
        }
    }
}

static void
start_recovery(struct simclient *c)
{
    c->in_recovery = true;
    c->recover = c->max_sent;
    c->ssthresh = MP_MAX((c->nxt - c->una) / 2, 2 * tx_mss(c));
    c->cwnd = c->ssthresh + 3 * tx_mss(c);
    c->rexmit_at = c->una;
}

static void
take_ack(struct simclient *c, const struct wire_tcp *t, usec_t now)
{
    uint32_t pos = tx_pos(c, t->ack), wnd = (uint32_t) t->wnd << c->peer_wscale;

    if (before(c->max_sent, pos)) {
        fail(c, "ACK of what was never sent");
        return;
    }
    if (before(pos, c->una)) {
        return;
    }
    /* SHLD-14: the right edge never moves left (pos + wnd may lie a moment behind: reordering). */
    if (c->sack_ok) {
        take_sack(c, t);
    }
    if (pos == c->una) {
        if (c->una != c->nxt && !t->payload.n && wnd == c->wnd && !(t->flags & TCP_FIN)) {
            c->dupacks++;
            if (c->dupacks == 3 && !c->in_recovery) {
                start_recovery(c);
            } else if (c->in_recovery) {
                c->cwnd += tx_mss(c);
            }
        }
        c->wnd = wnd;
        c->max_wnd = MP_MAX(c->max_wnd, wnd);
        return;
    }
    c->wnd = wnd;
    c->max_wnd = MP_MAX(c->max_wnd, wnd);
    if (c->timed_at && !before(pos, c->timed_seq)) {
        sample_rtt(c, now - c->timed_at);
        c->timed_at = 0;
    }
    if (c->in_recovery) {
        if (!before(pos, c->recover)) {
            c->in_recovery = false;
            c->cwnd = c->ssthresh;
        } else {
            c->rexmit_at = c->sack_ok && before(pos, c->rexmit_at) ? c->rexmit_at : pos;
        }
    } else {
        c->cwnd += c->cwnd < c->ssthresh ? pos - c->una
                                         : MP_MAX(tx_mss(c) * tx_mss(c) / c->cwnd, 1);
        c->cwnd = MP_MIN(c->cwnd, 1u << 24);
    }
    c->una = pos;
    c->nxt = before(c->nxt, pos) ? pos : c->nxt;
    c->dupacks = 0;
    c->backoff = 0;
    c->rto_at = c->una == c->max_sent ? CLOCK_NEVER : now + rto(c);
    c->progress_at = now;
    c->fin_acked = c->una == c->cfg.n_tx + 1;
}

static uint32_t
rcv_room(const struct simclient *c)
{
    uint32_t held = c->rcv_nxt - c->read;

    return held < c->cfg.rcv_buf ? c->cfg.rcv_buf - held : 0;
}

static void
read_some(struct simclient *c, uint32_t n)
{
    uint32_t before_room = rcv_room(c);

    c->read += MP_MIN(n, c->rcv_nxt - c->read);
    if (before_room < c->cfg.mss && rcv_room(c) >= MP_MIN(c->cfg.mss, c->cfg.rcv_buf / 2)) {
        c->ack_now = true;            /* A window update. */
    }
}

static void
take_text(struct simclient *c, const struct wire_tcp *t, usec_t now)
{
    uint32_t pos = rx_pos(c, t->seq), end = pos + t->payload.n;
    bool fin = t->flags & TCP_FIN;

    if (!t->payload.n && !fin) {
        if (before(pos, c->rcv_nxt)) {
            c->ack_now = true;
        }
        return;
    }
    if ((int32_t) pos < 0 || before(c->cfg.n_rx, end)) {
        fail(c, "data beyond the end of the stream");
        return;
    }
    /* One octet beyond is a window probe. */
    if (before(c->adv + 1, end)) {
        fail(c, "data beyond the window");
        return;
    }
    if (fin && end != c->cfg.n_rx) {
        fail(c, "FIN at the wrong place");
        return;
    }
    for (uint32_t i = 0; i < t->payload.n; i++) {
        if (t->payload.p[i] != simclient_octet(c->cfg.pattern, true, pos + i)) {
            fail(c, "wrong octet");
            return;
        }
        if (before(pos + i, c->adv)) {
            c->got[pos + i] = 1;
        }
    }
    if (fin && !before(c->adv, end)) {
        c->got[c->cfg.n_rx] = 1;
    }

    uint32_t old = c->rcv_nxt;

    while (c->rcv_nxt < c->cfg.n_rx && c->got[c->rcv_nxt]) {
        c->rcv_nxt++;
    }
    if (c->rcv_nxt == c->cfg.n_rx && c->got[c->cfg.n_rx]) {
        c->fin_seen = true;
    }
    if (c->rcv_nxt != old || c->fin_seen) {
        c->progress_at = now;
    }
    if (pos != old || c->fin_seen || !c->cfg.delayed_acks || ++c->ack_owed >= 2) {
        c->ack_now = true;
    } else if (c->ack_at == CLOCK_NEVER) {
        c->ack_at = now + DELAYED_ACK_US;
    }
    if (before(c->rcv_nxt, pos)) {
        memmove(c->recent + 1, c->recent, 2 * sizeof *c->recent);
        c->recent[0] = pos;
    }
    if (!c->cfg.read_every_us) {
        read_some(c, UINT32_MAX);
    }
}

void
simclient_input(struct simclient *c, const struct wire_tcp *t, usec_t now)
{
    c->n_segments_in++;
    if (c->state == SIMCLIENT_DONE) {
        c->ack_now = wire_tcp_seg_len(t) > 0;       /* TIME-WAIT. */
        return;
    }
    if (t->flags & TCP_RST) {
        if (c->state == SIMCLIENT_SYN_SENT || t->seq == c->iss_peer + 1 + c->rcv_nxt + c->fin_seen) {
            c->state = SIMCLIENT_RESET;
        }
        return;
    }
    if (c->state == SIMCLIENT_SYN_SENT) {
        syn_ack(c, t, now);
        return;
    }
    if (c->state != SIMCLIENT_OPEN) {
        return;
    }
    if (t->flags & TCP_SYN) {
        c->ack_now = true;            /* The SYN-ACK again. */
        return;
    }
    if (!(t->flags & TCP_ACK)) {
        fail(c, "segment without ACK");
        return;
    }
    if (c->ts_ok) {
        if (!t->opts.has_ts) {
            fail(c, "segment without timestamp");
        }
        if (before(t->opts.ts_val, c->ts_recent)) {
            c->ack_now = true;        /* PAWS. */
            return;
        }
        if (!before(c->last_ack_sent, t->seq)) {
            c->ts_recent = t->opts.ts_val;
        }
    } else if (t->opts.has_ts) {
        fail(c, "timestamp that was not negotiated");
    }
    if (t->flags & (TCP_ECE | TCP_CWR) && !c->ecn_ok) {
        fail(c, "ECN flags without ECN");
    }
    c->cwr_owed |= t->flags & TCP_ECE;
    c->ece_owed &= !(t->flags & TCP_CWR);
    take_ack(c, t, now);
    take_text(c, t, now);
    if (c->fin_acked && c->fin_seen && c->state == SIMCLIENT_OPEN) {
        c->state = SIMCLIENT_DONE;
        c->rto_at = c->ack_at = c->read_at = c->write_at = CLOCK_NEVER;
    }
}

void
simclient_marked(struct simclient *c)
{
    c->ece_owed = c->ecn_ok;
}

static void
timeout(struct simclient *c, usec_t now)
{
    c->backoff++;
    c->timed_at = 0;
    c->rto_at = now + rto(c);
    if (c->state == SIMCLIENT_SYN_SENT) {
        return;
    }
    if (c->wnd) {
        c->ssthresh = MP_MAX((c->nxt - c->una) / 2, 2 * tx_mss(c));
        c->cwnd = tx_mss(c);
    }
    c->in_recovery = false;
    c->dupacks = 0;
    c->nxt = c->una;
    memset(c->sacked, 0, c->cfg.n_tx + 1);
}

void
simclient_run(struct simclient *c, usec_t now)
{
    if (c->rto_at <= now && c->state == SIMCLIENT_OPEN) {
        timeout(c, now);
    }
    if (c->ack_at <= now) {
        c->ack_now = true;
    }
    write_more(c, now);
    if (c->read_at <= now) {
        read_some(c, c->cfg.read_size);
        c->read_at = now + c->cfg.read_every_us;
    }
}

usec_t
simclient_deadline(const struct simclient *c)
{
    usec_t at = clock_min(c->rto_at, c->ack_at);

    return clock_min(at, clock_min(c->write_at, c->read_at));
}

/* RFC 2018, from the octets themselves. */
static void
fill_sack(const struct simclient *c, struct wire_tcp_opts *o)
{
    for (int i = 0; i < 3 && c->sack_ok; i++) {
        uint32_t left = c->recent[i], right = left;
        bool is_new = true;

        if (left <= c->rcv_nxt || left >= c->cfg.n_rx || !c->got[left]) {
            continue;
        }
        while (left > c->rcv_nxt && c->got[left - 1]) {
            left--;
        }
        while (right < c->cfg.n_rx && c->got[right]) {
            right++;
        }
        for (unsigned int j = 0; j < o->n_sack; j++) {
            is_new &= o->sack[j].left != c->iss_peer + 1 + left;
        }
        if (is_new) {
            o->sack[o->n_sack++] = (struct wire_sack_block) {
                c->iss_peer + 1 + left, c->iss_peer + 1 + right,
            };
        }
    }
}

static bool
emit(struct simclient *c, usec_t now, struct wire_tcp *t, uint32_t pos)
{
    uint32_t room = rcv_room(c), shift = c->ws_ok ? (uint32_t) c->cfg.wscale : 0;
    uint32_t wnd = MP_MIN(room >> shift, 65535u);

    t->src_port = c->cfg.port;
    t->dst_port = 1883;
    t->flags |= c->ece_owed ? TCP_ACK | TCP_ECE : TCP_ACK;
    t->seq = c->cfg.isn + 1 + pos;
    t->ack = c->iss_peer + 1 + c->rcv_nxt + c->fin_seen;
    /* The edge does not move left. */
    while (before(c->rcv_nxt + (wnd << shift), c->adv) && wnd < 65535) {
        wnd++;
    }
    c->adv = before(c->adv, c->rcv_nxt + (wnd << shift)) ? c->rcv_nxt + (wnd << shift) : c->adv;
    t->wnd = (uint16_t) wnd;
    if (c->ts_ok) {
        t->opts.has_ts = true;
        t->opts.ts_val = (uint32_t) (now / 1000) + c->cfg.pattern;
        t->opts.ts_ecr = c->ts_recent;
    }
    fill_sack(c, &t->opts);
    c->last_ack_sent = t->ack;
    c->ack_now = false;
    c->ack_owed = 0;
    c->ack_at = CLOCK_NEVER;
    c->n_segments_out++;
    return true;
}

static bool
emit_data(struct simclient *c, usec_t now, struct wire_tcp *t, uint8_t *buf, uint32_t pos,
          uint32_t n)
{
    bool fin = pos + n == c->cfg.n_tx + 1;

    for (uint32_t i = 0; i < n - fin; i++) {
        buf[i] = simclient_octet(c->cfg.pattern, false, pos + i);
    }
    t->payload = (struct slice) { .p = buf, .n = n - fin };
    t->flags = (uint8_t) ((fin ? TCP_FIN : 0) | TCP_PSH);
    if (c->cwr_owed && t->payload.n && !before(pos, c->max_sent)) {
        t->flags |= TCP_CWR;
        c->cwr_owed = false;
    }
    if (!before(pos, c->max_sent)) {
        c->timed_at = c->timed_at ? c->timed_at : now;
        c->timed_seq = pos + n;
    } else {
        c->timed_at = 0;              /* Karn. */
    }
    if (before(c->max_sent, pos + n)) {
        c->max_sent = pos + n;
    }
    if (c->rto_at == CLOCK_NEVER) {
        c->rto_at = now + rto(c);
    }
    return emit(c, now, t, pos);
}

static bool
emit_syn(struct simclient *c, usec_t now, struct wire_tcp *t)
{
    t->src_port = c->cfg.port;
    t->dst_port = 1883;
    t->flags = c->cfg.ecn ? TCP_SYN | TCP_ECE | TCP_CWR : TCP_SYN;
    t->seq = c->cfg.isn;
    t->wnd = (uint16_t) MP_MIN(c->cfg.rcv_buf, 65535u);
    c->adv = t->wnd;
    t->opts.has_mss = true;
    t->opts.mss = c->cfg.mss;
    t->opts.sack_permitted = c->cfg.sack;
    t->opts.has_wscale = c->cfg.wscale >= 0;
    t->opts.wscale = (uint8_t) (c->cfg.wscale >= 0 ? c->cfg.wscale : 0);
    t->opts.has_ts = c->cfg.timestamps;
    t->opts.ts_val = (uint32_t) (now / 1000) + c->cfg.pattern;
    c->backoff++;
    c->rto_at = now + MP_MIN(CLOCK_SEC << (c->backoff - 1), RTO_MAX_US);
    c->n_segments_out++;
    return true;
}

/* The next hole to fill in recovery; UINT32_MAX: none. */
static uint32_t
next_hole(struct simclient *c, uint32_t *n)
{
    uint32_t high = c->una;

    if (!c->sack_ok) {
        uint32_t at = c->rexmit_at;

        c->rexmit_at = UINT32_MAX;
        *n = at == c->una ? MP_MIN(tx_mss(c), c->max_sent - at) : 0;
        return *n ? at : UINT32_MAX;
    }
    for (uint32_t i = c->una; i < c->max_sent && i <= c->cfg.n_tx; i++) {
        high = c->sacked[i] ? i : high;
    }
    high = MP_MAX(high, c->una + 1);
    for (uint32_t i = MP_MAX(c->rexmit_at, c->una); i < high; i++) {
        if (!c->sacked[i]) {
            *n = 1;
            while (*n < tx_mss(c) && i + *n < high && !c->sacked[i + *n]) {
                ++*n;
            }
            *n = i == c->una && high == c->una + 1
                 ? MP_MIN(tx_mss(c), c->max_sent - c->una) : *n;
            c->rexmit_at = i + *n;
            return i;
        }
    }
    return UINT32_MAX;
}

bool
simclient_next(struct simclient *c, usec_t now, struct wire_tcp *t, uint8_t *buf)
{
    uint32_t n, end = tx_end(c);

    memset(t, 0, sizeof *t);
    if (c->state == SIMCLIENT_SYN_SENT) {
        return c->rto_at <= now && emit_syn(c, now, t);
    }
    if (c->state == SIMCLIENT_DONE && c->ack_now) {
        return emit(c, now, t, c->una);
    }
    if (c->state != SIMCLIENT_OPEN) {
        return false;
    }
    if (c->in_recovery && c->rexmit_at != UINT32_MAX) {
        uint32_t at = next_hole(c, &n);

        if (at != UINT32_MAX) {
            return emit_data(c, now, t, buf, at, n);
        }
    }
    while (c->nxt < c->max_sent && c->nxt < c->cfg.n_tx && c->sacked[c->nxt]) {
        c->nxt++;                     /* After a time-out: what arrived meanwhile. */
    }

    uint32_t limit = c->una + MP_MIN(c->wnd, c->cwnd);

    if (before(c->nxt, end) && before(c->nxt, limit)) {
        n = MP_MIN(MP_MIN(end, limit) - c->nxt, tx_mss(c));
        bool is_full = n == tx_mss(c), is_last = c->nxt + n == end;

        if (is_full || (is_last && (!c->cfg.nagle || c->nxt == c->una || wants_fin(c)))
            || (c->nxt == c->una && n >= c->max_wnd / 2) || c->nxt < c->max_sent) {
            c->nxt += n;
            return emit_data(c, now, t, buf, c->nxt - n, n);
        }
    }
    if (before(c->nxt, end) && c->nxt == c->una) {
        if (c->rto_at == CLOCK_NEVER) {
            c->rto_at = now + rto(c);
        } else if (c->backoff && c->rto_at == now + rto(c) && !c->wnd) {
            /* A time-out with a closed window: probe with an octet. */
            c->nxt++;
            return emit_data(c, now, t, buf, c->nxt - 1, 1);
        } else if (c->backoff && c->rto_at == now + rto(c)) {
            n = MP_MIN(MP_MIN(end - c->nxt, c->wnd), tx_mss(c));    /* SWS override. */
            c->nxt += n;
            return emit_data(c, now, t, buf, c->nxt - n, n);
        }
    }
    return c->ack_now && emit(c, now, t, c->nxt);
}
