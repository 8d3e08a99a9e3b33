/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Time-outs.  A connection has one node in the wheel, armed for the earliest of
 *
 *     its retransmission timer (RTO, RACK, tail probe, persist) or FIN-WAIT-2's limit
 *     the end of keep-alive's patience
 *     the return of an idle peer's receive window to the floor
 *     the end of an offer that is not used, or the next time that one may be made (turns.c)
 *
 * and armed lazily: what moves to later is left alone, fires early and is armed again, so that an
 * ACK costs no operation on the wheel. */
#include "utcp/conn.h"

#define KEEP_INTERVAL_MS 75000u       /* Between unanswered keep-alive probes... */
#define KEEP_PROBES 9                 /* ...and how many (MUST-26: more than one). */
#define WINDOW_IDLE_MS 1000u
#define MAX_PER_RUN 2048              /* A quarter to half a millisecond's work. */

/* Starts the timer, to run out 'in_us' from now. */
void
utcp_timer_set(struct utcp *u, struct utcp_conn *c, enum utcp_timer timer, usec_t in_us)
{
    c->timer = (uint8_t) timer;
    c->due_ms = (uint32_t) ((u->now + in_us + 999) / 1000);
    utcp_timer_update(u, c);
}

void
utcp_timer_stop(struct utcp *u, struct utcp_conn *c)
{
    c->timer = TIMER_NONE;
    utcp_timer_update(u, c);
}

/* Whether it returns to the floor when nothing comes.  Nothing can from who waits for its turn. */
static bool
is_steered(const struct utcp_conn *c)
{
    return c->flags & CONN_STEERED && !(c->flags & CONN_WAITS);
}

/* MUST-27: only when there is nothing else to keep the connection busy. */
static bool
wants_keep_alive(const struct utcp *u, const struct utcp_conn *c)
{
    return u->cfg.keep_alive_us && c->timer == TIMER_NONE
           && (c->state == UTCP_ESTABLISHED || c->state == UTCP_CLOSE_WAIT);
}

static uint32_t
keep_alive_due_ms(const struct utcp *u, const struct utcp_conn *c)
{
    uint32_t idle_ms = (uint32_t) MP_MIN(u->cfg.keep_alive_us / 1000, (usec_t) 1 << 30);

    return c->last_rcvd_ms + idle_ms + c->backoff * MP_MIN(KEEP_INTERVAL_MS, idle_ms);
}

/* Arms the wheel for the earliest, unless it is armed for something still earlier. */
void
utcp_timer_update(struct utcp *u, struct utcp_conn *c)
{
    uint32_t due_ms = u->now_ms + (uint32_t) INT32_MAX;
    bool any = false;

    if (c->timer != TIMER_NONE) {
        due_ms = c->due_ms;
        any = true;
    }
    if (wants_keep_alive(u, c)) {
        due_ms = seq_min(due_ms, keep_alive_due_ms(u, c));
        any = true;
    }
    if (is_steered(c)) {
        due_ms = seq_min(due_ms, c->last_rcvd_ms + WINDOW_IDLE_MS);
        any = true;
    }
    if (c->flags & CONN_OFFERED) {
        due_ms = seq_min(due_ms, utcp_turns_due_ms(u, c));
        any = true;
    }
    if (c->flags & CONN_WAITS && utcp_turns_is_paced(u, c)) {
        due_ms = seq_min(due_ms, u->now_ms + 1);
        any = true;
    }
    if (c->flags & CONN_WATCHED) {
        due_ms = seq_min(due_ms, utcp_rcvwnd_watch_due_ms(c));
        any = true;
    }
    if (any && !(wheel_is_armed(&u->wheel, c->idx) && seq_le(c->wheel_due, due_ms))) {
        wheel_arm(&u->wheel, c->idx,
                  (u->now / 1000 + seq_diff(due_ms, u->now_ms)) * CLOCK_MSEC);
    }
}

static void
fire(struct utcp *u, struct utcp_conn *c)
{
    enum utcp_timer timer = c->timer;

    c->timer = TIMER_NONE;
    switch (timer) {
    case TIMER_NONE:
        break;

    case TIMER_RTO:
        utcp_rexmit_timeout(u, c);
        break;

    case TIMER_REO:
        utcp_ack_reo_timeout(u, c);
        break;

    case TIMER_TLP:
        c->flags |= CONN_TLP_DUE;
        utcp_ready(u, c);
        break;

    case TIMER_PERSIST:
        c->flags |= CONN_PROBE_DUE;
        utcp_ready(u, c);
        break;

    case TIMER_FIN_WAIT_2:
        /* The peer does not close: it learns that nobody is here any more. */
        utcp_conn_rst(u, c);
        utcp_conn_kill(u, c, UTCP_CLOSE_TIMEOUT);
        break;
    }
}

static void
keep_alive(struct utcp *u, struct utcp_conn *c)
{
    if (c->backoff >= KEEP_PROBES) {
        utcp_conn_rst(u, c);
        utcp_conn_kill(u, c, UTCP_CLOSE_TIMEOUT);
        return;
    }
    c->backoff++;
    c->flags |= CONN_KEEP_DUE;
    utcp_ready(u, c);
}

/* What is due beyond MAX_PER_RUN is due at once: other connections' segments come in between. */
void
utcp_timers_run(struct utcp *u)
{
    uint32_t idx;

    for (int n = 0; n < MAX_PER_RUN && (idx = wheel_next_expired(&u->wheel, u->now)); n++) {
        struct utcp_conn *c = slab_at(&u->conns, idx);

        if (c->timer != TIMER_NONE && seq_le(c->due_ms, u->now_ms)) {
            fire(u, c);
        } else if (wants_keep_alive(u, c) && seq_le(keep_alive_due_ms(u, c), u->now_ms)) {
            keep_alive(u, c);
        }
        if (c->flags & CONN_DEAD) {
            continue;
        }
        utcp_turns_expire(u, c);
        if (c->flags & CONN_WATCHED && seq_le(utcp_rcvwnd_watch_due_ms(c), u->now_ms)) {
            utcp_rcvwnd_watch(u, c);
        }
        if (is_steered(c)
            && u->now_ms - c->last_rcvd_ms >= WINDOW_IDLE_MS) {
            utcp_rcvwnd_idle(u, c);
        }
        utcp_timer_update(u, c);
    }
}
