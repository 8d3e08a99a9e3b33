/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The sender: "what may I send now", one segment at a time, in this order:
 *
 *     lost data -> tail loss probe -> window probe -> new data and FIN -> ACK -> keep-alive
 *
 * Everything but the last carries the ACK that is owed.  Nagle's algorithm is off (SHLD-7): what
 * one turn produces is in the queue before anything is sent, and that fills the segments. */
#include "utcp/utcp.h"

#include <string.h>

#include "utcp/cc.h"
#include "utcp/conn.h"
#include "wire/csum.h"

#define MIN_IN_FLIGHT 64              /* Segments, of any size; beyond, only full ones... */
#define MAX_IN_FLIGHT 512             /* ...up to here: each SACK and each loss walks along them. */
#define SMALL_MSS 1024                /* A larger send queue may have so many, full with this. */

/* A segment being made. */
struct out {
    struct utcp *u;
    struct utcp_conn *c;
    struct utcp_segment *seg;
    uint8_t *buf;
    uint32_t room;                    /* Octets of data that fit: MUST-16. */
};

uint32_t
utcp_snd_queued(const struct utcp *u, const struct utcp_conn *c)
{
    const struct utcp_ext *e = utcp_ext(u, c);

    return e ? e->sndq.size : 0;
}

/* Octets queued and never sent. */
static uint32_t
unsent(const struct utcp_conn *c, const struct utcp_ext *e)
{
    return e->sndq.size - (c->snd_nxt - c->snd_una - !!(c->flags & CONN_FIN_SENT));
}

/* Octets of the peer's window beyond snd_nxt; negative after it has shrunk (SHLD-15). */
static int32_t
window_left(const struct utcp_conn *c)
{
    return seq_diff(c->snd_una + c->snd_wnd, c->snd_nxt);
}

/* Header fields and options, and from them the room for data. */
static void
begin_segment(struct out *o, size_t size)
{
    struct utcp *u = o->u;
    struct utcp_conn *c = o->c;
    struct wire_tcp *t = &o->seg->tcp;

    *o->seg = (struct utcp_segment) {
        .tuple = utcp_ends_tuple(u, &c->ends),
        .path = c->path,
        .ttl = u->cfg.ttl,
        .tos = utcp_conn_ds(u, c),
        .tcp = {
            .src_port = c->ends.local_port,
            .dst_port = c->ends.remote_port,
            .flags = c->flags & CONN_ECE ? TCP_ACK | TCP_ECE : TCP_ACK,
        },
    };
    if (c->flags & CONN_TS) {         /* RFC 7323 3.2. */
        t->opts.has_ts = true;
        t->opts.ts_val = utcp_ts_now(u, c);
        t->opts.ts_ecr = c->ts_recent;
    }
    utcp_rcv_fill_sack(u, c, &t->opts);
    o->room = c->mss + WIRE_TCP_HLEN - (uint32_t) wire_tcp_hlen(t);
    o->room = (uint32_t) MP_MIN(o->room, size);
}

/* Completes it: it carries the ACK, so none is owed any more. */
static bool
end_segment(struct out *o, uint32_t seq, uint8_t flags)
{
    struct utcp *u = o->u;
    struct utcp_conn *c = o->c;
    struct wire_tcp *t = &o->seg->tcp;
    struct utcp_ext *e = utcp_ext(u, c);

    t->seq = seq;
    t->flags |= flags;
    t->ack = c->rcv_nxt;
    t->wnd = utcp_rcvwnd_offer(u, c);
    c->last_ack_sent = c->rcv_nxt;
    c->flags &= ~CONN_ACK_NOW;
    c->last_sent_ms = u->now_ms;
    if (e && e->n_dsacks) {
        memmove(e->dsacks, e->dsacks + 1, --e->n_dsacks * sizeof *e->dsacks);
        utcp_ext_release(u, c);
    }
    c->acks_owed -= c->acks_owed > 0;
    return true;
}

static uint32_t
sum_of(const struct chain_piece *piece)
{
    struct mbuf *m = piece->whole;

    if (!m) {
        return csum_add(0, piece->p, piece->n);
    } else if (!m->csum) {
        m->csum = csum_add(0, piece->p, piece->n);
    }
    return m->csum;
}

/* Copies octets that are queued, and sums them up on the way: a message's body only for the first
 * connection that it goes to. */
static void
copy_octets(struct out *o, const struct chain *queue, uint32_t off, uint32_t n)
{
    struct wire_tcp *t = &o->seg->tcp;
    uint32_t sum = 0, at = 0;

    while (at < n) {
        struct chain_piece piece = chain_piece(queue, off + at, n - at);
        uint32_t part = sum_of(&piece);

        memcpy(o->buf + at, piece.p, piece.n);
        sum = csum_combine(sum, at & 1 ? csum_shift(part) : part);
        at += piece.n;
    }
    t->payload = (struct slice) { .p = o->buf, .n = n };
    t->payload_sum = sum;
    t->has_payload_sum = true;
}

/* Fills in 'len' octets of sequence space from 'seq' on, which are queued. */
static bool
send_octets(struct out *o, uint32_t seq, uint32_t len, bool with_fin)
{
    struct utcp_ext *e = utcp_ext(o->u, o->c);
    uint32_t off = seq - o->c->snd_una, n = len - with_fin;
    uint8_t flags = with_fin ? TCP_FIN : 0;

    copy_octets(o, &e->sndq, off, n);
    if (n && off + n == e->sndq.size) {
        flags |= TCP_PSH;             /* MUST-60, MUST-61. */
    }
    return end_segment(o, seq, flags);
}

/* Sends the segment 'idx' of the scoreboard again, cut or joined to fit. */
static bool
send_again(struct out *o, uint32_t idx)
{
    struct utcp_ext *e = utcp_ext(o->u, o->c);
    struct utcp_sent *s = utcp_sent_at(o->u, idx);

    if (s->len - !!(s->flags & SENT_FIN) > o->room) {
        utcp_sent_split(o->u, e, idx, o->room);
    } else if (s->flags & SENT_LOST) {
        utcp_sent_absorb(o->u, e, idx, o->room);
    }
    utcp_sent_again(o->u, o->c, s);
    return send_octets(o, s->seq, s->len, s->flags & SENT_FIN);
}

static bool
send_lost(struct out *o, struct utcp_ext *e)
{
    struct utcp_conn *c = o->c;
    uint32_t idx = utcp_sent_first_lost(o->u, e);

    if (!idx) {
        return false;
    }
    if (!(c->flags & CONN_FORCE)) {
        uint32_t len = MP_MIN(utcp_sent_at(o->u, idx)->len, o->room);

        if (!c->snd_wnd) {
            return false;
        }
        if (e->pipe && e->pipe + len > c->cwnd) {
            c->flags |= CONN_CWND_LIMIT;
            return false;
        }
    }
    c->flags &= ~CONN_FORCE;
    if (c->snd_wnd == 0) {
        o->u->stats.window_probes++;  /* SHLD-16: old data does as a probe. */
    }
    send_again(o, idx);
    e->prr_out += utcp_sent_at(o->u, idx)->len;
    utcp_snd_arm(o->u, c);
    return true;
}

/* How much new data may go.  0 and *is_blocked when the peer's window is what forbids. */
static uint32_t
new_data_allowed(const struct out *o, const struct utcp_ext *e, bool *is_blocked)
{
    const struct utcp_conn *c = o->c;
    uint32_t n = MP_MIN(unsent(c, e), o->room);
    int32_t left = window_left(c);

    *is_blocked = false;
    if ((int64_t) left >= (int64_t) n + !n) {
        return n;
    }
    /* RFC 9293 3.8.6.2.1 (MUST-38): a part only if it is half of the largest window seen. */
    if (left > 0 && n && (uint32_t) left >= c->max_snd_wnd / 2) {
        return (uint32_t) left;
    }
    *is_blocked = true;
    return 0;
}

static bool
fits_cwnd(const struct out *o, const struct utcp_ext *e, uint32_t n)
{
    struct utcp_conn *c = o->c;
    uint32_t max_segments = MP_MAX(c->cwnd / c->mss, MIN_IN_FLIGHT);

    if (!e->pipe) {
        return true;
    }
    if (e->n_sent >= MP_MAX(MAX_IN_FLIGHT, o->u->cfg.snd_buf_max / SMALL_MSS)) {
        return false;
    }
    if (e->pipe + n > c->cwnd || (e->n_sent >= max_segments && n < o->room)) {
        c->flags |= CONN_CWND_LIMIT;
        return false;
    }
    return true;
}

enum limit { WITHIN_CWND, BEYOND_CWND };

static bool
send_new(struct out *o, struct utcp_ext *e, enum limit limit)
{
    struct utcp *u = o->u;
    struct utcp_conn *c = o->c;
    bool is_blocked;

    /* cwnd holds nothing back any more, unless what is lost waits for it.  Not ACKs end that: those
     * of one turn all count. */
    if (!e->n_lost) {
        c->flags &= ~CONN_CWND_LIMIT;
    }
    if (c->flags & CONN_FIN_SENT || (!unsent(c, e) && !(c->flags & CONN_FIN_QUEUED))) {
        return false;
    }

    uint32_t n = new_data_allowed(o, e, &is_blocked);

    if (is_blocked) {
        c->flags |= CONN_WND_LIMIT;
        if (c->snd_una == c->snd_nxt && c->timer != TIMER_PERSIST) {
            utcp_timer_set(u, c, TIMER_PERSIST, utcp_rto(u, c));    /* SHLD-29. */
        }
        return false;
    }
    c->flags &= ~CONN_WND_LIMIT;
    if (c->snd_una == c->snd_nxt) {
        c->backoff = 0;               /* It may count keep-alive probes. */
        if ((uint64_t) (u->now_ms - c->last_sent_ms) * 1000 > (uint64_t) utcp_rto(u, c)) {
            utcp_cc_idle(c);
        }
    }
    /* RFC 6675 section 5 (4): what is lost goes before what is new. */
    if (limit == WITHIN_CWND && (e->n_lost || !fits_cwnd(o, e, n))) {
        return false;
    }

    uint32_t seq = c->snd_nxt;
    bool with_fin = c->flags & CONN_FIN_QUEUED && n == unsent(c, e)
                    && window_left(c) > (int32_t) n;

    utcp_sent_append(u, c, n + with_fin, with_fin ? SENT_FIN : 0);
    if (with_fin) {
        c->flags |= CONN_FIN_SENT;
    }
    if (n && c->flags & CONN_ECN) {
        utcp_ecn_new_data(c, e, o->seg, seq);
    }
    u->stats.bytes_out += n;
    e->prr_out += n;
    utcp_snd_arm(u, c);
    return send_octets(o, seq, n + with_fin, with_fin);
}

/* RFC 8985 7.3: new data if there is some, else the last segment once more. */
static bool
send_tail_probe(struct out *o, struct utcp_ext *e)
{
    struct utcp *u = o->u;
    struct utcp_conn *c = o->c;

    c->flags &= ~CONN_TLP_DUE;
    if (!e->n_sent) {
        return false;
    }
    if (e->n_sacked || c->flags & (CONN_RECOVERY | CONN_LOSS)) {
        utcp_snd_arm(u, c);           /* An ACK came in between. */
        return false;
    }
    e->tlp_out = true;
    e->tlp_is_retrans = false;
    if (!send_new(o, e, BEYOND_CWND)) {
        uint32_t len = utcp_sent_at(u, e->sent_tail)->len;
        bool fin = utcp_sent_at(u, e->sent_tail)->flags & SENT_FIN;

        if (len - fin > o->room) {    /* Only its end. */
            utcp_sent_split(u, e, e->sent_tail, len - fin - o->room);
        }
        e->tlp_is_retrans = true;
        send_again(o, e->sent_tail);
    }
    e->tlp_end = c->snd_nxt;
    u->stats.tail_probes++;
    utcp_timer_set(u, c, TIMER_RTO, utcp_rto(u, c));
    return true;
}

/* MUST-36: an octet beyond the window; or, when the timer is SWS avoidance's, what there is. */
static bool
send_window_probe(struct out *o, struct utcp_ext *e)
{
    struct utcp *u = o->u;
    struct utcp_conn *c = o->c;
    uint32_t left = MP_MAX(window_left(c), 0);

    c->flags &= ~CONN_PROBE_DUE;
    if (c->snd_una != c->snd_nxt || c->flags & CONN_FIN_SENT
        || (!unsent(c, e) && !(c->flags & CONN_FIN_QUEUED))) {
        return false;
    }

    uint32_t n = MP_MIN(MP_MIN(unsent(c, e), o->room), MP_MAX(left, 1));
    bool with_fin = !n;
    uint32_t seq = c->snd_nxt;

    utcp_sent_append(u, c, n + with_fin, with_fin ? SENT_FIN : 0);
    if (with_fin) {
        c->flags |= CONN_FIN_SENT;
    }
    u->stats.bytes_out += n;
    if (!left) {
        u->stats.window_probes++;
        c->flags |= CONN_PROBE_OUT;
    }
    utcp_timer_set(u, c, TIMER_RTO, utcp_rto(u, c));
    return send_octets(o, seq, n + with_fin, with_fin);
}

/* The window has opened over an unanswered probe: what the probe carried goes with the rest. */
static void
take_probe_back(struct out *o, struct utcp_ext *e)
{
    struct utcp_conn *c = o->c;
    uint32_t all = e->sndq.size + !!(c->flags & CONN_FIN_QUEUED);

    if (c->snd_wnd < MP_MIN(all, o->room) && c->snd_wnd < c->max_snd_wnd / 2) {
        return;                       /* Nothing would be sent at once, and snd_nxt must not lie. */
    }
    utcp_sent_clear(o->u, e);
    c->snd_nxt = c->snd_una;
    c->flags &= ~(CONN_PROBE_OUT | CONN_FIN_SENT | CONN_FORCE | CONN_LOSS);
    c->backoff = 0;
    e->tlp_out = false;
    utcp_timer_stop(o->u, c);
}

static bool
send_ack(struct out *o)
{
    struct utcp_conn *c = o->c;

    if (!(c->flags & CONN_ACK_NOW) && !c->acks_owed) {
        return false;
    }
    o->u->stats.acks_out++;
    return end_segment(o, c->snd_nxt, 0);
}

/* RFC 9293 3.8.4: an empty segment below the window, which must be answered. */
static bool
send_keep_alive(struct out *o)
{
    struct utcp_conn *c = o->c;

    if (!(c->flags & CONN_KEEP_DUE)) {
        return false;
    }
    c->flags &= ~CONN_KEEP_DUE;
    return c->snd_una == c->snd_nxt && end_segment(o, c->snd_nxt - 1, 0);
}

bool
utcp_snd_next(struct utcp *u, struct utcp_conn *c, struct utcp_segment *seg, uint8_t *buf,
              size_t size)
{
    struct out o = { .u = u, .c = c, .seg = seg, .buf = buf };
    struct utcp_ext *e;

    if (c->flags & CONN_FIN_QUEUED && !(c->flags & CONN_FIN_SENT)) {
        utcp_ext_need(u, c);
    }
    begin_segment(&o, size);
    e = utcp_ext(u, c);
    if (e) {
        if (c->flags & CONN_PROBE_OUT && c->snd_wnd) {
            take_probe_back(&o, e);
        }
        if (send_lost(&o, e)
            || (c->flags & CONN_TLP_DUE && send_tail_probe(&o, e))
            || (c->flags & CONN_PROBE_DUE && send_window_probe(&o, e))
            || send_new(&o, e, WITHIN_CWND)) {
            return true;
        }
    }
    return send_ack(&o) || send_keep_alive(&o);
}

/* RFC 8985 7.2: time to a tail probe, CLOCK_NEVER when there is to be none. */
static usec_t
probe_timeout(const struct utcp *u, const struct utcp_conn *c, const struct utcp_ext *e)
{
    if (!(c->flags & CONN_SACK) || c->flags & (CONN_RECOVERY | CONN_LOSS) || e->n_sacked
        || e->tlp_out || c->backoff || !c->srtt_us || !c->snd_wnd) {
        return CLOCK_NEVER;
    }
    /* The ACK of a single segment may be delayed. */
    return 2 * (usec_t) c->srtt_us + (e->n_sent == 1 ? u->cfg.rto_min_us : 2000);
}

/* Starts the retransmission timer if it does not run, after something was sent (RFC 6298 5.1); the
 * time of a tail probe counts from the last segment. */
void
utcp_snd_arm(struct utcp *u, struct utcp_conn *c)
{
    usec_t pto = probe_timeout(u, c, utcp_ext(u, c));
    usec_t rto = c->timer == TIMER_RTO ? utcp_ms_left(u, c->due_ms) * CLOCK_MSEC : utcp_rto(u, c);

    if (c->timer == TIMER_REO) {
        return;
    }
    if (pto < rto) {
        utcp_timer_set(u, c, TIMER_TLP, pto);
    } else if (c->timer != TIMER_RTO) {
        utcp_timer_set(u, c, TIMER_RTO, rto);
    }
}
