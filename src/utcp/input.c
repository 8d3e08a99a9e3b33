/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A segment for an open connection: RFC 9293 3.10.7.4, "otherwise", in its order.
 *
 *     timestamps (RFC 7323) -> 1 sequence -> 2 RST -> 4 SYN -> 5 ACK -> 6 URG -> 7 text -> 8 FIN
 *
 * Each step may end the processing with a verdict.  Step 3, security, exists no more. */
#include "utcp/utcp.h"

#include "utcp/conn.h"

#define PAWS_MAX_AGE_MS (24u * 24 * 3600 * 1000)

/* Answers a segment that is not acceptable.  Text always: its sender has lost our ACK, or has sent
 * again what was only late, and learns that from the answer (RFC 2883).  An empty segment, a
 * keep-alive or an attacker's, only at the rate of challenges, or two ends could answer each other
 * for ever. */
static void
answer_unacceptable(struct utcp *u, struct utcp_conn *c, const struct wire_tcp *seg)
{
    uint32_t len = wire_tcp_seg_len(seg);

    if (!len || seg->flags & TCP_SYN) {
        utcp_rcv_challenge(u, c);     /* RFC 5961 4.2: a SYN likewise. */
        return;
    }
    if (seq_le(seg->seq + len, c->rcv_nxt)) {
        u->stats.duplicates++;
        if (seg->payload.n) {
            utcp_rcv_dsack(u, c, seg->seq, seg->seq + seg->payload.n);
        }
    }
    utcp_rcv_ack_each(u, c);
}

/* RFC 7323 5.3 R1, and 3.2: once negotiated, every segment but an RST carries the option. */
static enum utcp_verdict
check_timestamps(struct utcp *u, struct utcp_conn *c, const struct wire_tcp *seg)
{
    if (!(c->flags & CONN_TS) || seg->flags & TCP_RST) {
        return UTCP_ACCEPTED;
    }
    if (!seg->opts.has_ts) {
        if (seg->flags & TCP_SYN) {
            /* RFC 5961 4.2 goes before: a client that restarted must learn of this connection. */
            utcp_rcv_challenge(u, c);
            return UTCP_DROP_bad_syn;
        }
        return UTCP_DROP_no_timestamp;
    }
    /* RFC 7323 5.5: a TS.Recent of more than 24 days ago says nothing. */
    if (seq_lt(seg->opts.ts_val, c->ts_recent)
        && u->now_ms - c->ts_recent_ms < PAWS_MAX_AGE_MS) {
        answer_unacceptable(u, c, seg);
        return UTCP_DROP_paws;
    }
    return UTCP_ACCEPTED;
}

/* RFC 9293 3.4, table 6, and MUST-66: with a closed window, the ACK and RST of a segment at
 * RCV.NXT are processed even if its text cannot be. */
static bool
is_acceptable(const struct utcp_conn *c, uint32_t seq, uint32_t len)
{
    uint32_t wnd = c->rcv_adv - c->rcv_nxt;

    if (!wnd) {
        return seq == c->rcv_nxt;
    }
    return seq_in(seq, c->rcv_nxt, wnd) || (len && seq_in(seq + len - 1, c->rcv_nxt, wnd));
}

/* Step 1. */
static enum utcp_verdict
check_sequence(struct utcp *u, struct utcp_conn *c, const struct wire_tcp *seg)
{
    uint32_t len = wire_tcp_seg_len(seg);

    if (is_acceptable(c, seg->seq, len)) {
        return UTCP_ACCEPTED;
    }
    if (seg->flags & TCP_RST) {
        return UTCP_DROP_out_of_window;
    }
    if (seg->flags & TCP_SYN) {
        utcp_rcv_challenge(u, c);     /* RFC 5961 4.2: irrespective of its sequence number. */
        return UTCP_DROP_bad_syn;
    }
    answer_unacceptable(u, c, seg);
    return UTCP_DROP_out_of_window;
}

/* Step 2, RFC 5961 3.2. */
static enum utcp_verdict
handle_rst(struct utcp *u, struct utcp_conn *c, const struct wire_tcp *seg)
{
    if (seg->seq != c->rcv_nxt) {
        utcp_rcv_challenge(u, c);
        return UTCP_DROP_bad_rst;
    }
    /* CLOSING and LAST-ACK: both sides have closed, nothing was lost. */
    utcp_conn_kill(u, c, c->state == UTCP_CLOSING || c->state == UTCP_LAST_ACK
                         ? UTCP_CLOSE_NORMAL : UTCP_CLOSE_RESET);
    return UTCP_ACCEPTED;
}

/* Step 5: RFC 5961 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT. */
static bool
is_ack_plausible(const struct utcp_conn *c, uint32_t ack)
{
    return seq_le(ack, c->snd_nxt) && seq_ge(ack, c->snd_una - c->max_snd_wnd);
}

/* Step 5, what the acknowledgment of our FIN leads to.  False: the connection is over. */
static bool
handle_fin_acked(struct utcp *u, struct utcp_conn *c)
{
    if (!(c->flags & CONN_FIN_SENT) || c->snd_una != c->snd_nxt) {
        return true;
    }
    switch (c->state) {
    case UTCP_FIN_WAIT_1:
        c->state = UTCP_FIN_WAIT_2;
        utcp_timer_set(u, c, TIMER_FIN_WAIT_2, u->cfg.fin_wait_2_us);
        return true;

    case UTCP_CLOSING:
        utcp_tw_enter(u, c);
        return false;

    case UTCP_LAST_ACK:
        utcp_conn_kill(u, c, UTCP_CLOSE_NORMAL);
        return false;

    default:
        return true;
    }
}

/* Step 8. */
static void
handle_fin(struct utcp *u, struct utcp_conn *c)
{
    c->flags |= CONN_FIN_RCVD;
    utcp_event(u, c, &(struct utcp_event) { .type = UTCP_EV_FIN });
    switch (c->state) {
    case UTCP_ESTABLISHED:
        c->state = UTCP_CLOSE_WAIT;
        break;

    case UTCP_FIN_WAIT_1:
        /* Our FIN is not acknowledged, or this would be FIN-WAIT-2 by now. */
        c->state = UTCP_CLOSING;
        break;

    case UTCP_FIN_WAIT_2:
        utcp_tw_enter(u, c);
        break;

    default:
        break;
    }
}

static bool
may_receive_text(const struct utcp_conn *c)
{
    return c->state == UTCP_ESTABLISHED || c->state == UTCP_FIN_WAIT_1
           || c->state == UTCP_FIN_WAIT_2;
}

enum utcp_verdict
utcp_conn_input(struct utcp *u, struct utcp_conn *c, const struct wire_tcp *seg,
                const struct utcp_path *path)
{
    enum utcp_verdict verdict = check_timestamps(u, c, seg);

    if (verdict == UTCP_ACCEPTED) {
        verdict = check_sequence(u, c, seg);
    }
    if (verdict != UTCP_ACCEPTED) {
        return verdict;
    }
    if (seg->flags & TCP_RST) {
        return handle_rst(u, c, seg);
    }
    if (seg->flags & TCP_SYN) {       /* Step 4, RFC 5961 4.2. */
        utcp_rcv_challenge(u, c);
        return UTCP_DROP_bad_syn;
    }
    if (!(seg->flags & TCP_ACK)) {
        return UTCP_DROP_no_ack;
    }
    if (!is_ack_plausible(c, seg->ack)) {
        utcp_rcv_challenge(u, c);
        return UTCP_DROP_bad_ack;
    }

    utcp_conn_take_path(c, path);
    c->last_rcvd_ms = u->now_ms;
    if (c->timer == TIMER_NONE) {
        c->backoff = 0;               /* An answer to keep-alive probes. */
    }
    if (u->asked == c->idx && !seg->payload.n) {
        utcp_turns_answered(u);
    }
    /* RFC 7323 4.3: the oldest timestamp that the next ACK answers. */
    if (c->flags & CONN_TS && seq_le(seg->seq, c->last_ack_sent)) {
        c->ts_recent = seg->opts.ts_val;
        c->ts_recent_ms = u->now_ms;
    }
    utcp_ack_input(u, c, seg);
    if (!handle_fin_acked(u, c)) {
        return UTCP_ACCEPTED;
    }
    /* Step 6: urgent data is taken in line, whatever the pointer says (MUST-30, MUST-31). */
    if (!may_receive_text(c) || (!seg->payload.n && !(seg->flags & TCP_FIN))) {
        return UTCP_ACCEPTED;
    }
    if (seg->payload.n && c->flags & CONN_ECN) {
        utcp_ecn_arrived(u, c, seg, path);
    }

    uint32_t rcv_nxt = c->rcv_nxt;
    struct utcp_text text = {
        .seq = seg->seq,
        .data = seg->payload,
        .fin = seg->flags & TCP_FIN,
        .lag_ms = c->flags & CONN_TS ? utcp_rcvwnd_echo(u, c, seg->opts.ts_ecr) : UTCP_LAG_UNKNOWN,
    };

    verdict = utcp_rcv_text(u, c, text);
    if (c->rcv_nxt != rcv_nxt && c->flags & CONN_FIN_RCVD) {
        handle_fin(u, c);
    }
    return verdict;
}
