/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* RACK (RFC 8985 section 6): a segment is lost when one that was sent sufficiently later has
 * arrived.  Works on the scoreboard; used with SACK only.  Section numbers below are that RFC's. */
#include "utcp/conn.h"

#define DUP_THRESH 3
#define REO_PERSIST 16                /* Recoveries without DSACK until reo_wnd shrinks again. */

static bool
sent_after(uint32_t us1, uint32_t end1, uint32_t us2, uint32_t end2)
{
    return us1 == us2 ? seq_gt(end1, end2) : seq_gt(us1, us2);
}

/* 6.2 steps 1 to 3, for one segment that is now known to have arrived. */
void
utcp_rack_delivered(struct utcp *u, struct utcp_conn *c, struct utcp_ext *e,
                    const struct utcp_sent *s, const struct wire_tcp *seg)
{
    uint32_t end = s->seq + s->len, rtt = u->now_us - s->sent_us;

    /* Step 3: reordering, from what was sent once. */
    if (seq_gt(end, e->rack_fack)) {
        e->rack_fack = end;
    } else if (s->n_tx == 1 && seq_lt(end, e->rack_fack)) {
        c->flags |= CONN_REORDERING;
    }
    if (s->n_tx > 1) {
        /* Step 2: was it the retransmission that arrived?  Not if the echoed timestamp is older,
         * nor if that would have been faster than ever. */
        if (c->flags & CONN_TS && seg->opts.has_ts) {
            uint32_t echo_age_ms = u->now_ms - (seg->opts.ts_ecr - c->ts_offset);

            if (echo_age_ms > rtt / 1000 + 1) {
                return;
            }
        }
        if (rtt < c->min_rtt_us) {
            return;
        }
    }
    if (!e->rack_valid || sent_after(s->sent_us, end, e->rack_us, e->rack_end)) {
        e->rack_valid = true;
        e->rack_us = s->sent_us;
        e->rack_end = end;
        e->rack_rtt_us = rtt;
    }
}

/* 6.2 step 4: how much later is sufficiently later. */
static uint32_t
reordering_window(const struct utcp_conn *c, const struct utcp_ext *e)
{
    if (!(c->flags & CONN_REORDERING)
        && (c->flags & (CONN_RECOVERY | CONN_LOSS) || e->n_sacked >= DUP_THRESH)) {
        return 0;
    }
    return (uint32_t) MP_MIN((uint64_t) MP_MAX(c->reo_mult, 1) * c->min_rtt_us / 4,
                             (uint64_t) c->srtt_us);
}

/* 6.2 step 5.  True: something is newly deemed lost.  '*wait_us': until the next may be, 0 none. */
bool
utcp_rack_detect(struct utcp *u, struct utcp_conn *c, struct utcp_ext *e, uint32_t *wait_us)
{
    uint32_t reo_wnd = reordering_window(c, e);
    bool found = false;

    *wait_us = 0;
    if (!e->rack_valid || (!e->n_sacked && !(c->flags & (CONN_RECOVERY | CONN_LOSS)))) {
        return false;
    }
    for (uint32_t idx = e->sent_head; idx; ) {
        struct utcp_sent *s = utcp_sent_at(u, idx);

        idx = s->next;
        if (s->flags & (SENT_SACKED | SENT_LOST)
            || !sent_after(e->rack_us, e->rack_end, s->sent_us, s->seq + s->len)) {
            continue;
        }

        int32_t left = seq_diff(s->sent_us + e->rack_rtt_us + reo_wnd, u->now_us);

        if (left <= 0) {
            utcp_sent_lose(e, s);
            found = true;
        } else {
            *wait_us = MP_MAX(*wait_us, (uint32_t) left);
        }
    }
    return found;
}

/* 6.2 step 4: a DSACK says that reo_wnd was too small; once per round trip. */
void
utcp_rack_dsack(struct utcp_conn *c, struct utcp_ext *e)
{
    if (e && e->dsack_round_valid && seq_lt(c->snd_una, e->dsack_round)) {
        return;
    }
    if (e) {
        e->dsack_round = c->snd_nxt;
        e->dsack_round_valid = true;
    }
    c->reo_mult = (uint8_t) MP_MIN(MP_MAX(c->reo_mult, 1) + 1, 20);
    c->reo_persist = REO_PERSIST;
}

/* A recovery has ended. */
void
utcp_rack_round(struct utcp_conn *c)
{
    if (c->reo_persist && !--c->reo_persist) {
        c->reo_mult = 1;
    }
}
