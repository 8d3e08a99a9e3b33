/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What an acceptable ACK says: window, SACK blocks, cumulative acknowledgment; what follows for
 * RTT, loss detection and congestion window.
 *
 * Without SACK the scoreboard is kept all the same: each duplicate ACK says that one more segment
 * beyond the first has left the network, so one more is marked as if SACKed.  Then pipe, limited
 * transmit (RFC 3042) and recovery (RFC 6582) need no second set of rules. */
#include "utcp/conn.h"

#include "utcp/cc.h"

#define DUP_THRESH 3
#define MAX_RTT_MS (600u * 1000)

/* What one ACK brought. */
struct news {
    uint32_t acked;                   /* Octets of sequence space, cumulatively. */
    uint32_t delivered;               /* Octets that are newly known to have arrived. */
    uint32_t rtt_us;                  /* 0: no sample. */
    bool rexmit_acked;                /* Some of 'acked' had been sent more than once. */
    bool window_changed;
    bool dsack;
    bool ecn_echo;
};

/* RFC 9293 3.10.7.4: SND.WL1 and SND.WL2 keep old segments from changing the window.  One that
 * acknowledges something new is not old, even when it is a retransmission below SND.WL1; if it were
 * not heard, SND.UNA would move and take the right edge along. */
static bool
update_window(struct utcp_conn *c, const struct wire_tcp *seg)
{
    uint32_t wnd = (uint32_t) seg->wnd << c->snd_wscale;

    if (seq_gt(seg->ack, c->snd_una) || seq_lt(c->snd_wl1, seg->seq)
        || (c->snd_wl1 == seg->seq && seq_le(c->snd_wl2, seg->ack))) {
        bool changed = wnd != c->snd_wnd;

        c->snd_wnd = wnd;
        c->snd_wl1 = seg->seq;
        c->snd_wl2 = seg->ack;
        c->max_snd_wnd = MP_MAX(c->max_snd_wnd, wnd);
        return changed;
    }
    return false;
}

static void
sack_range(struct utcp *u, struct utcp_conn *c, const struct wire_tcp *seg,
           struct wire_sack_block b, struct news *news)
{
    struct utcp_ext *e = utcp_ext(u, c);

    for (uint32_t idx = e->sent_head; idx; ) {
        struct utcp_sent *s = utcp_sent_at(u, idx);

        idx = s->next;
        if (seq_ge(s->seq, b.right)) {
            break;
        }
        /* A segment of which only a part is covered counts as missing. */
        if (!(s->flags & SENT_SACKED) && seq_ge(s->seq, b.left)
            && seq_le(s->seq + s->len, b.right)) {
            utcp_sent_sack(e, s);
            news->delivered += s->len;
            utcp_rack_delivered(u, c, e, s, seg);
        }
    }
}

/* RFC 2883 section 4: the first block is a duplicate if it is below the ACK or within the second. */
static bool
is_dsack(const struct wire_tcp *seg)
{
    const struct wire_sack_block *b = seg->opts.sack;

    if (!seg->opts.n_sack || !seq_lt(b[0].left, b[0].right)) {
        return false;
    }
    return seq_le(b[0].right, seg->ack)
           || (seg->opts.n_sack > 1 && seq_ge(b[0].left, b[1].left)
               && seq_le(b[0].right, b[1].right));
}

static void
take_sack(struct utcp *u, struct utcp_conn *c, const struct wire_tcp *seg, struct news *news)
{
    for (unsigned int i = 0; i < seg->opts.n_sack; i++) {
        struct wire_sack_block b = seg->opts.sack[i];

        if (!seq_lt(b.left, b.right)) {
            continue;
        }
        if (i == 0 && news->dsack) {
            continue;
        }
        if (seq_ge(b.left, seg->ack) && seq_le(b.right, c->snd_nxt)) {
            sack_range(u, c, seg, b, news);
        }
    }
}

/* Without SACK: one more segment has arrived, somewhere behind the first. */
static void
count_dupack(struct utcp *u, struct utcp_ext *e, struct news *news)
{
    uint32_t idx = utcp_sent_at(u, e->sent_head)->next;

    e->dupacks++;
    while (idx) {
        struct utcp_sent *s = utcp_sent_at(u, idx);

        if (!(s->flags & (SENT_SACKED | SENT_LOST))) {
            utcp_sent_sack(e, s);
            news->delivered += s->len;
            return;
        }
        idx = s->next;
    }
}

static void
forget_dupacks(struct utcp *u, struct utcp_ext *e)
{
    e->dupacks = 0;
    for (uint32_t idx = e->sent_head; idx && e->n_sacked; idx = utcp_sent_at(u, idx)->next) {
        utcp_sent_unsack(e, utcp_sent_at(u, idx));
    }
}

/* Takes everything below 'ack' off the scoreboard and the queue. */
static void
take_cumulative(struct utcp *u, struct utcp_conn *c, const struct wire_tcp *seg, struct news *news)
{
    struct utcp_ext *e = utcp_ext(u, c);
    uint32_t data;

    news->acked = seg->ack - c->snd_una;
    while (e->sent_head) {
        struct utcp_sent *s = utcp_sent_at(u, e->sent_head);
        bool was_sacked = s->flags & SENT_SACKED;

        if (seq_ge(s->seq, seg->ack)) {
            break;
        }
        if (seq_gt(s->seq + s->len, seg->ack)) {
            uint32_t part = seg->ack - s->seq;

            news->delivered += was_sacked ? 0 : part;
            utcp_sent_trim(u, e, part);
            break;
        }
        if (!was_sacked) {
            news->delivered += s->len;
            utcp_rack_delivered(u, c, e, s, seg);
        }
        if (s->n_tx > 1) {
            news->rexmit_acked = true;
        } else if (!news->rtt_us && !was_sacked) {
            news->rtt_us = MP_MAX(u->now_us - s->sent_us, 1);
        }
        utcp_sent_pop(u, e);
    }
    data = news->acked - (c->flags & CONN_FIN_SENT && seg->ack == c->snd_nxt);
    chain_drop(&e->sndq, data);
    u->queued -= data;
    c->snd_una = seg->ack;
    c->backoff = 0;
    c->flags &= ~CONN_R1;
    e->r2_running = false;
    /* They follow, or after 2 GB without a loss they would seem to lie ahead. */
    e->recover = seq_max(e->recover, c->snd_una - 1);
    e->ecn_recover = seq_max(e->ecn_recover, c->snd_una - 1);
    if (c->snd_una == c->snd_nxt) {
        c->flags &= ~CONN_PROBE_OUT;
    }
}

/* RFC 6298 3 and RFC 7323 4.1: with timestamps, an ACK of something sent twice gives a sample too. */
static void
sample_rtt(struct utcp *u, struct utcp_conn *c, const struct wire_tcp *seg, const struct news *news)
{
    if (news->rtt_us && !news->rexmit_acked) {
        utcp_rtt_sample(u, c, news->rtt_us);
    } else if (c->flags & CONN_TS && seg->opts.ts_ecr) {
        uint32_t ms = u->now_ms - (seg->opts.ts_ecr - c->ts_offset);

        if (ms < MAX_RTT_MS) {
            utcp_rtt_sample(u, c, MP_MAX(ms * 1000, 500));
        }
    }
}

/* RFC 6582: three duplicate ACKs, or a partial ACK within recovery. */
static bool
detect_newreno(struct utcp *u, struct utcp_conn *c, struct utcp_ext *e, const struct news *news)
{
    struct utcp_sent *head = utcp_sent_at(u, e->sent_head);

    if (!head) {
        e->dupacks = 0;
        return false;
    }
    if (c->flags & (CONN_RECOVERY | CONN_LOSS)) {
        if (news->acked && seq_lt(c->snd_una, e->recover)) {
            utcp_sent_unsack(e, head);
            utcp_sent_lose(e, head);
            c->flags |= CONN_FORCE;
            return true;
        }
        return false;
    }
    if (news->acked) {
        forget_dupacks(u, e);
        return false;
    }
    if (e->dupacks == DUP_THRESH && seq_gt(c->snd_una, e->recover)) {
        utcp_sent_lose(e, head);
        return true;
    }
    return false;
}

/* RFC 8985 7.4.2: whether the probe has repaired a loss that nobody has noticed. */
static void
end_tail_probe(struct utcp_conn *c, struct utcp_ext *e, const struct news *news)
{
    if (!e->tlp_out || seq_lt(c->snd_una, e->tlp_end)) {
        return;
    }
    e->tlp_out = false;
    if (e->tlp_is_retrans && !news->dsack && news->acked
        && !(c->flags & (CONN_RECOVERY | CONN_LOSS)) && !utcp_ecn_has_reduced(c, e)) {
        utcp_cc_loss(c, c->cwnd);
        c->cwnd = c->ssthresh;
    }
}

static void
update_cwnd(struct utcp_conn *c, struct utcp_ext *e, const struct news *news)
{
    bool was_recovery = c->flags & CONN_RECOVERY;

    if (c->flags & (CONN_RECOVERY | CONN_LOSS) && seq_ge(c->snd_una, e->recover)) {
        if (c->flags & CONN_RECOVERY) {
            c->cwnd = c->ssthresh;
        }
        c->flags &= ~(CONN_RECOVERY | CONN_LOSS | CONN_FORCE);
        e->dupacks = 0;
        utcp_rack_round(c);
    }
    if (c->flags & CONN_RECOVERY) {
        utcp_rexmit_prr(c, e, news->delivered);
    } else if (news->acked && !was_recovery && !news->ecn_echo) {
        utcp_cc_acked(c, news->acked);
    }
}

static void
note_writable(struct utcp *u, struct utcp_conn *c, const struct utcp_ext *e)
{
    if (c->flags & CONN_FULL && e->sndq.size <= u->cfg.snd_buf_max / 2) {
        c->flags &= ~CONN_FULL;
        if (!(c->flags & CONN_FIN_QUEUED)) {
            utcp_event(u, c, &(struct utcp_event) { .type = UTCP_EV_WRITABLE });
        }
    }
}

/* Waiting for what may only be reordered, or for a tail probe's time, must not make the
 * retransmission timer run out later: it counts from when the first segment was sent. */
static void
make_up_for_wait(struct utcp *u, struct utcp_conn *c)
{
    const struct utcp_sent *head = utcp_sent_at(u, utcp_ext(u, c)->sent_head);
    usec_t elapsed = u->now_us - head->sent_us;

    if (c->timer == TIMER_RTO && !(head->flags & SENT_LOST)) {
        utcp_timer_set(u, c, TIMER_RTO, MP_MAX(utcp_rto(u, c) - elapsed, CLOCK_MSEC));
    }
}

/* RFC 6298 5.2, 5.3. */
static void
rearm(struct utcp *u, struct utcp_conn *c, const struct news *news, uint32_t wait_us)
{
    if (c->snd_una == c->snd_nxt) {
        if (c->timer != TIMER_PERSIST || c->snd_wnd) {
            utcp_timer_stop(u, c);
        }
    } else if (wait_us) {
        utcp_timer_set(u, c, TIMER_REO, wait_us);
    } else if (news->acked || c->timer == TIMER_REO || (c->timer == TIMER_TLP && news->delivered)
               || (c->timer == TIMER_NONE && !(c->flags & CONN_TLP_DUE))) {
        bool has_waited = (c->timer == TIMER_REO || c->timer == TIMER_TLP) && !news->acked;

        c->flags &= ~CONN_TLP_DUE;
        c->timer = TIMER_NONE;
        utcp_snd_arm(u, c);
        if (has_waited) {
            make_up_for_wait(u, c);
        }
    }
}

/* The window has opened.  If by too little for SWS avoidance, its timer goes on: a peer that opens
 * and closes by little, again and again, must not put it off for ever. */
static void
hasten_persist(struct utcp *u, struct utcp_conn *c)
{
    usec_t rto;

    c->backoff = 0;
    rto = utcp_rto(u, c);
    if (utcp_ms_left(u, c->due_ms) > rto / CLOCK_MSEC + 2) {    /* More than rounding makes. */
        utcp_timer_set(u, c, TIMER_PERSIST, rto);
    }
}

static bool
is_duplicate(const struct utcp_conn *c, const struct wire_tcp *seg, const struct news *news)
{
    return !news->acked && seg->ack == c->snd_una && !seg->payload.n && !(seg->flags & TCP_FIN)
           && !news->window_changed && c->snd_wnd && !(c->flags & CONN_PROBE_OUT);
}

/* Detects losses: after an ACK, or, without news, when RACK's timer has run out. */
static void
detect(struct utcp *u, struct utcp_conn *c, struct utcp_ext *e, const struct news *news)
{
    uint32_t wait_us = 0;
    bool lost = c->flags & CONN_SACK ? utcp_rack_detect(u, c, e, &wait_us)
                                     : detect_newreno(u, c, e, news);

    end_tail_probe(c, e, news);
    if (lost && !(c->flags & (CONN_RECOVERY | CONN_LOSS))) {
        utcp_rexmit_enter(u, c, e);
    }
    update_cwnd(c, e, news);
    rearm(u, c, news, wait_us);
}

void
utcp_ack_input(struct utcp *u, struct utcp_conn *c, const struct wire_tcp *seg)
{
    struct utcp_ext *e = utcp_ext(u, c);
    struct news news = { 0 };

    if (seq_lt(seg->ack, c->snd_una)) {
        return;                       /* Old; RFC 5961 let it pass for the sake of its text. */
    }
    news.window_changed = update_window(c, seg);
    news.dsack = c->flags & CONN_SACK && is_dsack(seg);
    if (news.dsack) {
        utcp_rack_dsack(c, e);
    }
    if (!e) {
        return;
    }
    if (e->n_sent) {
        uint32_t flight = c->snd_nxt - c->snd_una;

        if (c->flags & CONN_SACK) {
            take_sack(u, c, seg, &news);
        }
        if (seq_gt(seg->ack, c->snd_una)) {
            take_cumulative(u, c, seg, &news);
            sample_rtt(u, c, seg, &news);
        } else if (!(c->flags & CONN_SACK) && is_duplicate(c, seg, &news)) {
            count_dupack(u, e, &news);
        }
        if (c->flags & CONN_ECN && seg->flags & TCP_ECE) {
            utcp_ecn_echoed(u, c, flight);
            news.ecn_echo = true;     /* So cwnd does not grow. */
        }
        detect(u, c, e, &news);
        note_writable(u, c, e);
    } else if (news.window_changed && c->timer == TIMER_PERSIST && c->snd_wnd) {
        hasten_persist(u, c);
    }
    if (e->n_lost || e->sndq.size > c->snd_nxt - c->snd_una || c->flags & CONN_FIN_QUEUED) {
        utcp_ready(u, c);
    }
    utcp_ext_release(u, c);
}

/* RFC 8985 6.3: the reordering window has passed. */
void
utcp_ack_reo_timeout(struct utcp *u, struct utcp_conn *c)
{
    struct utcp_ext *e = utcp_ext(u, c);

    if (e && e->n_sent) {
        c->timer = TIMER_REO;
        detect(u, c, e, &(struct news) { 0 });
        utcp_ready(u, c);
    }
}
