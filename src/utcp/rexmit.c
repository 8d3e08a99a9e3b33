/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* RTT and RTO (RFC 6298), the retransmission time-out, and fast recovery (RFC 6675 with the
 * proportional rate reduction of RFC 6937). */
#include "utcp/utcp.h"

#include "utcp/cc.h"
#include "utcp/conn.h"

#define RTO_INITIAL_US CLOCK_SEC
#define RTO_MAX_US (60 * CLOCK_SEC)   /* RFC 6298 (2.5). */

void
utcp_rtt_sample(struct utcp *u, struct utcp_conn *c, uint32_t rtt_us)
{
    (void) u;
    if (!c->srtt_us) {                /* (2.2) */
        c->srtt_us = rtt_us;
        c->rttvar_us = rtt_us / 2;
        c->min_rtt_us = rtt_us;
        return;
    }

    uint32_t err = rtt_us > c->srtt_us ? rtt_us - c->srtt_us : c->srtt_us - rtt_us;

    c->rttvar_us = c->rttvar_us - c->rttvar_us / 4 + err / 4;       /* (2.3) */
    c->srtt_us = MP_MAX(c->srtt_us - c->srtt_us / 8 + rtt_us / 8, 1);
    /* The minimum forgets slowly, or a longer path would never be believed. */
    c->min_rtt_us = rtt_us < c->min_rtt_us ? rtt_us
                                           : c->min_rtt_us + (rtt_us - c->min_rtt_us) / 128;
}

/* (2.3) with a minimum of rto_min_us in place of (2.4)'s second: a lost tail would cost a second.
 * The minimum is that of the variance term, so that an ACK delayed by just that much comes early
 * enough.  (5.5): doubled by each time-out. */
usec_t
utcp_rto(const struct utcp *u, const struct utcp_conn *c)
{
    usec_t rto = RTO_INITIAL_US;

    if (c->srtt_us) {
        rto = c->srtt_us + MP_MAX(u->cfg.rto_min_us, 4 * (usec_t) c->rttvar_us);
    }
    return MP_MIN(rto << MP_MIN(c->backoff, 10), RTO_MAX_US);
}

/* Starts fast recovery. */
void
utcp_rexmit_enter(struct utcp *u, struct utcp_conn *c, struct utcp_ext *e)
{
    uint32_t flight = c->snd_nxt - c->snd_una;

    c->flags |= CONN_RECOVERY | CONN_FORCE;
    e->recover = c->snd_nxt;
    if (!utcp_ecn_has_reduced(c, e)) {
        utcp_cc_loss(c, flight);
    }
    e->recover_fs = MP_MAX(flight, 1);
    e->prr_delivered = e->prr_out = 0;
    u->stats.fast_retransmits++;
}

/* RFC 6937 section 3: as much leaves as arrives, times ssthresh / flight at the beginning. */
void
utcp_rexmit_prr(struct utcp_conn *c, struct utcp_ext *e, uint32_t delivered)
{
    uint64_t allowed = 0;

    e->prr_delivered += delivered;
    if (e->pipe > c->ssthresh) {
        uint64_t share = ((uint64_t) e->prr_delivered * c->ssthresh + e->recover_fs - 1)
                         / e->recover_fs;

        allowed = share > e->prr_out ? share - e->prr_out : 0;
    } else {
        uint64_t limit = e->prr_delivered > e->prr_out ? e->prr_delivered - e->prr_out : 0;

        limit = MP_MAX(limit, delivered) + c->mss;
        allowed = MP_MIN(limit, (uint64_t) (c->ssthresh - e->pipe));
    }
    c->cwnd = (uint32_t) MP_MIN(e->pipe + allowed, (uint64_t) UINT32_MAX);
}

/* RFC 9293 3.8.3 (a): there is no advice to give to IP, as the way back is that of the last segment;
 * the user is told (SHLD-9). */
static void
note_r1(struct utcp *u, struct utcp_conn *c)
{
    if (c->backoff >= u->cfg.r1 && !(c->flags & CONN_R1)) {
        c->flags |= CONN_R1;
        u->stats.r1_reached++;
        utcp_event(u, c, &(struct utcp_event) { .type = UTCP_EV_R1 });
    }
}

/* R2, RFC 9293 3.8.3: true when 'c' has been given up. */
static bool
give_up(struct utcp *u, struct utcp_conn *c, struct utcp_ext *e)
{
    uint32_t r2_ms = (uint32_t) (u->cfg.r2_us / 1000);
    bool over;

    if (!e->r2_running) {
        e->r2_running = true;
        e->r2_since_ms = u->now_ms;
    }
    over = u->now_ms - e->r2_since_ms >= r2_ms;
    /* MUST-37, SHLD-17: a peer that answers with a closed window keeps the connection, as long as
     * somebody here wants it. */
    if (!c->snd_wnd && !(c->flags & CONN_FIN_QUEUED)) {
        over &= u->now_ms - c->last_rcvd_ms >= r2_ms;
    }
    if (over) {
        utcp_conn_kill(u, c, UTCP_CLOSE_TIMEOUT);
    }
    return over;
}

/* Everything not SACKed counts as lost.  RFC 2018 section 8: a peer whose window begins with
 * something that it had SACKed has thrown it away; then no SACK is believed. */
static void
lose_all(struct utcp *u, struct utcp_conn *c, struct utcp_ext *e)
{
    bool reneged = !(c->flags & CONN_SACK)
                   || utcp_sent_at(u, e->sent_head)->flags & SENT_SACKED;

    for (uint32_t idx = e->sent_head; idx; idx = utcp_sent_at(u, idx)->next) {
        if (reneged) {
            utcp_sent_unsack(e, utcp_sent_at(u, idx));
        }
        utcp_sent_lose(e, utcp_sent_at(u, idx));
    }
}

/* RFC 6298 5.4 to 5.6. */
void
utcp_rexmit_timeout(struct utcp *u, struct utcp_conn *c)
{
    struct utcp_ext *e = utcp_ext(u, c);

    if (!e || !e->n_sent || give_up(u, c, e)) {
        return;
    }
    if (!c->snd_wnd || c->flags & CONN_PROBE_OUT) {
        /* No sign of congestion: the peer has no room. */
        utcp_sent_unsack(e, utcp_sent_at(u, e->sent_head));
        utcp_sent_lose(e, utcp_sent_at(u, e->sent_head));
    } else {
        u->stats.timeouts++;
        if (!(c->flags & CONN_LOSS)) {
            utcp_cc_loss(c, c->snd_nxt - c->snd_una);
        }
        lose_all(u, c, e);
        utcp_cc_timeout(c);
        c->flags = (c->flags & ~CONN_RECOVERY) | CONN_LOSS;
        e->recover = c->snd_nxt;
        e->dupacks = 0;
        e->tlp_out = false;
        note_r1(u, c);
    }
    c->flags |= CONN_FORCE;
    c->backoff = (uint8_t) MP_MIN(c->backoff + 1, 15);
    utcp_timer_set(u, c, TIMER_RTO, utcp_rto(u, c));
    utcp_ready(u, c);
}

/* The path turned out to be narrower (RFC 9293 SHLD-6): what was too large goes again, which is no
 * sign of congestion. */
void
utcp_rexmit_mss(struct utcp *u, struct utcp_conn *c, uint16_t mss)
{
    struct utcp_ext *e = utcp_ext(u, c);
    uint32_t options = c->flags & CONN_TS ? 12 : 0;

    c->mss = mss;
    if (!e || !e->n_sent) {
        return;
    }
    for (uint32_t idx = e->sent_head; idx; idx = utcp_sent_at(u, idx)->next) {
        struct utcp_sent *s = utcp_sent_at(u, idx);

        if (s->len > mss - options) {
            utcp_sent_lose(e, s);
            c->flags |= CONN_FORCE;
        }
    }
    utcp_ready(u, c);
}
