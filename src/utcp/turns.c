/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Turns.  When the windows of all that send at once are more than a switch can hold, smaller windows
 * do not help: each must be a segment at least, and where a window is one segment a loss leaves
 * nothing behind it that would tell the peer, but its time-out.  So then not everybody's window is
 * open at a time:
 *
 *   - What is on offer to peers that use up their windows is summed: of each what its window still
 *     has room for, if that is a segment; less is of no use to it.
 *   - Where it would be more than rcv_budget if another window opened, and those on offer are many,
 *     that window stays as it is and its connection waits, behind those that wait already.
 *   - As text arrives the sum falls, and the first that waits opens, and its peer is told.
 *   - What is not used in UNUSED_US counts no more: the peer has nothing to send.  Or what it sent
 *     is lost, and it waits for its time-out: more room, when its turn comes, lets it send what
 *     shows the loss.
 *
 * The sum is no promise: who sends little is not asked to wait, nor counted; nor is what a new
 * connection may send at first; and what no longer counts may yet be used.  Nor can a window be
 * smaller to begin with: of a first window below two segments a common client (Linux) takes the half
 * for the size of its segments, for as long as it lives.
 *
 * An offer that counts is CONN_OFFERED and watched by the connection's timer; one that waits is
 * CONN_WAITS and in a list whose links are in its ext.  Never both. */
#include "utcp/utcp.h"

#include "utcp/conn.h"

#define UNUSED_US (20 * CLOCK_MSEC)

static bool
has_segment(const struct utcp *u, const struct utcp_conn *c)
{
    return c->rcv_adv - c->rcv_nxt + (1u << c->rcv_wscale) > utcp_rcvwnd_mss(u, c);
}

/* What the sum is charged: of a window on a long path a part, as rcv_budget is. */
static uint32_t
charge(const struct utcp_conn *c, uint32_t wnd)
{
    return c->flags & CONN_GROWN ? wnd >> c->wnd_far : wnd;
}

uint32_t
utcp_turns_counted__(const struct utcp *u, const struct utcp_conn *c)
{
    return !(c->flags & CONN_FIN_RCVD) && has_segment(u, c)
           ? charge(c, c->rcv_adv - c->rcv_nxt) : 0;
}

void
utcp_turns_changed__(struct utcp *u, struct utcp_conn *c, uint32_t before)
{
    uint32_t counted = utcp_turns_counted(u, c);

    u->offered = u->offered - before + counted;
    if (!counted) {
        c->flags &= ~CONN_OFFERED;
        u->n_offered--;
    }
}

static void
offer(struct utcp *u, struct utcp_conn *c)
{
    if (!(c->flags & CONN_OFFERED)) {
        c->flags |= CONN_OFFERED;
        u->n_offered++;
        c->wnd_mark_us = u->now_us;   /* While it waited nothing could come. */
        utcp_timer_update(u, c);
    }
}

/* Whether it matters that the window becomes 'wnd': those that use up their windows take turns, and
 * who has sent much for once: many may do so at the same moment. */
static bool
takes_turns(const struct utcp *u, const struct utcp_conn *c, uint32_t wnd)
{
    uint32_t more = wnd - (c->rcv_adv - c->rcv_nxt);

    return !(c->flags & CONN_FIN_RCVD)
           && (c->flags & CONN_BUSY || more >= utcp_rcvwnd_mss(u, c) / 2);
}

/* Whether its window may become 'wnd'. */
static bool
has_room(const struct utcp *u, const struct utcp_conn *c, uint32_t wnd)
{
    uint64_t others = u->offered - utcp_turns_counted(u, c);

    return MP_MAX(u->n_busy, u->n_offered) < UTCP_CROWD || !others
           || others + charge(c, wnd) <= u->cfg.rcv_budget;
}

static void
wait(struct utcp *u, struct utcp_conn *c)
{
    struct utcp_ext *e = utcp_ext_need(u, c);

    u->stats.turns_awaited++;
    c->flags |= CONN_WAITS;
    e->turn_next = SLAB_NONE;
    e->turn_prev = u->turn_tail;
    if (u->turn_tail) {
        utcp_ext(u, slab_at(&u->conns, u->turn_tail))->turn_next = c->idx;
    } else {
        u->turn_head = c->idx;
    }
    u->turn_tail = c->idx;
}

static void
wait_no_more(struct utcp *u, struct utcp_conn *c)
{
    const struct utcp_ext *e = utcp_ext(u, c);

    if (e->turn_next) {
        utcp_ext(u, slab_at(&u->conns, e->turn_next))->turn_prev = e->turn_prev;
    } else {
        u->turn_tail = e->turn_prev;
    }
    if (e->turn_prev) {
        utcp_ext(u, slab_at(&u->conns, e->turn_prev))->turn_next = e->turn_next;
    } else {
        u->turn_head = e->turn_next;
    }
    c->flags &= ~CONN_WAITS;
    utcp_ext_release(u, c);
}

/* Whether its window may not become 'wnd' now.  Then it waits; but what is on offer is used first. */
bool
utcp_turns_must_wait(struct utcp *u, struct utcp_conn *c, uint32_t wnd)
{
    if (c->flags & CONN_WAITS) {
        return true;
    } else if (!takes_turns(u, c, wnd) || (!u->turn_head && has_room(u, c, wnd))) {
        return false;
    } else if (!(c->flags & CONN_OFFERED)) {
        wait(u, c);
    }
    return true;
}

/* Moves its right edge, which need not wait; 'wnd' is what is open then. */
void
utcp_turns_open(struct utcp *u, struct utcp_conn *c, uint32_t wnd)
{
    if (takes_turns(u, c, wnd)) {
        offer(u, c);
    }
    c->rcv_adv = c->rcv_nxt + wnd;
}

void
utcp_turns_grant__(struct utcp *u)
{
    while (u->turn_head) {
        struct utcp_conn *c = slab_at(&u->conns, u->turn_head);
        uint32_t wnd = c->flags & CONN_FIN_RCVD ? 0 : utcp_rcvwnd_next(u, c);

        if (wnd && !has_room(u, c, wnd)) {
            break;
        }
        wait_no_more(u, c);
        if (wnd) {                    /* Else what came is not credited yet. */
            c->rcv_adv = c->rcv_nxt + wnd;
            offer(u, c);
            utcp_turns_changed(u, c, 0);
            utcp_rcv_ack_now(u, c);
        }
    }
}

static uint32_t
unused_us(const struct utcp_conn *c)
{
    return (uint32_t) UNUSED_US + 2 * MP_MIN(c->min_rtt_us, (uint32_t) CLOCK_SEC);
}

/* When its offer, which counts, is to count no more if it is not used. */
uint32_t
utcp_turns_due_ms(const struct utcp *u, const struct utcp_conn *c)
{
    uint32_t age_us = u->now_us - c->wnd_mark_us, max_us = unused_us(c);

    return u->now_ms + (age_us < max_us ? (max_us - age_us) / 1000 + 1 : 0);
}

void
utcp_turns_expire(struct utcp *u, struct utcp_conn *c)
{
    if (c->flags & CONN_OFFERED && u->now_us - c->wnd_mark_us >= unused_us(c)) {
        u->stats.turns_unused++;
        utcp_turns_leave(u, c);
        if (utcp_rcvwnd_next(u, c)) {
            wait(u, c);
        }
    }
}

/* It neither counts nor waits any more. */
void
utcp_turns_leave(struct utcp *u, struct utcp_conn *c)
{
    if (c->flags & CONN_OFFERED) {
        u->offered -= utcp_turns_counted(u, c);
        u->n_offered--;
        c->flags &= ~CONN_OFFERED;
    }
    if (c->flags & CONN_WAITS) {
        wait_no_more(u, c);
    }
}
