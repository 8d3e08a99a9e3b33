/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Turns.  When the windows of all that send at once are more than a switch can hold, smaller windows
 * do not help: each must be a segment at least, and where a window is one segment a loss leaves
 * nothing behind it that would tell the peer, but its time-out.  So then not everybody's window is
 * open at a time:
 *
 *   - What is on offer to peers that use up their windows is summed: of each what its window still
 *     has room for, if that is a segment; less is of no use to it.  A peer of small messages may send
 *     what is open as so many frames, each of which takes a third of the memory of a full one: so
 *     its window counts several times over, the more the smaller its messages are (wnd_pieces).
 *   - Where it would be more than rcv_budget if another window opened, and those on offer are many,
 *     that window stays as it is and its connection waits, behind those that wait already.
 *   - As text arrives the sum falls, and the first that waits opens, and its peer is told.
 *   - What is not used in UNUSED_MS and two round trips counts no more: the peer has nothing to send.
 *     Or what it sent is lost, and it waits for its time-out: more room, when its turn comes, lets it
 *     send what shows the loss.  It is not busy then, until it is again: those who send a little now
 *     and then would shut out those who send a lot.  One of small messages takes no turns meanwhile.
 *   - Where a window is one segment, each would be answered by an ACK, and by another when its turn
 *     comes.  So the first waits for that, as long as nothing much can leave the peer, but for
 *     ACK_WAIT_MS at most (MUST-40 allows half a second): then a common peer (Linux) that has several
 *     segments under way may probe for the loss of the last.
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

#define UNUSED_MS 10u
#define ACK_WAIT_MS 8u
#define SMALL_REST 4u                 /* A few small messages more do no harm. */

/* Whether the peer can use what is open: a segment of it, or if its messages are small some of those. */
static bool
is_usable(const struct utcp *u, const struct utcp_conn *c)
{
    uint32_t wnd = c->rcv_adv - c->rcv_nxt, mss = utcp_rcvwnd_mss(u, c);

    return c->flags & CONN_SMALL ? wnd > mss / SMALL_REST : wnd + (1u << c->rcv_wscale) > mss;
}

/* What the sum is charged: of a window on a long path a part, as rcv_budget is; for small messages,
 * of which 2^wnd_pieces or so fill a segment, a third of a full segment each, and half as much
 * again for the "or so"; for one that is not busy, what it may send once more. */
static uint32_t
charge(const struct utcp *u, const struct utcp_conn *c, uint32_t wnd)
{
    if (!(c->flags & CONN_BUSY)) {
        wnd = MP_MIN(wnd, utcp_rcvwnd_mss(u, c));
    }
    if (c->flags & CONN_SMALL) {
        wnd = MP_MAX(wnd, (wnd << c->wnd_pieces) / 2);
    }
    return c->flags & (CONN_SMALL | CONN_GROWN) ? wnd >> c->wnd_far : wnd;
}

uint32_t
utcp_turns_counted__(const struct utcp *u, const struct utcp_conn *c)
{
    return !(c->flags & CONN_FIN_RCVD) && is_usable(u, c)
           ? charge(u, c, c->rcv_adv - c->rcv_nxt) : 0;
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

static uint32_t
turn_ms(const struct utcp *u, const struct utcp_conn *c)
{
    return (uint16_t) (u->now_ms - c->wnd_turn_ms);
}

static void
offer(struct utcp *u, struct utcp_conn *c)
{
    if (!(c->flags & CONN_OFFERED)) {
        c->flags |= CONN_OFFERED;
        c->wnd_turn_ms = (uint16_t) u->now_ms;
        u->n_offered++;
        c->wnd_mark_us = u->now_us;   /* While it waited nothing could come. */
        if (c->flags & CONN_SMALL) {
            c->wnd_far = utcp_rcvwnd_small_far(c);
        }
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
           || others + charge(u, c, wnd) <= u->cfg.rcv_budget;
}

static void
wait(struct utcp *u, struct utcp_conn *c)
{
    struct utcp_ext *e = utcp_ext_need(u, c);

    u->stats.turns_awaited++;
    c->flags |= CONN_WAITS;
    c->wnd_turn_ms = (uint16_t) u->now_ms;
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

/* Whether an ACK of text in order alone, which is owed, waits for the turn of the window. */
bool
utcp_turns_defer_ack(struct utcp *u, struct utcp_conn *c)
{
    uint32_t wnd = utcp_rcvwnd_next(u, c);

    if (!(c->flags & CONN_SMALL) || !wnd || !utcp_turns_must_wait(u, c, wnd) || !(c->flags & CONN_WAITS)
        || turn_ms(u, c) >= ACK_WAIT_MS) {
        return false;
    }
    c->flags &= ~CONN_ACK_NOW;
    u->stats.turns_acks++;
    utcp_timer_update(u, c);
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
        if (utcp_turns_ack_is_deferred(c)) {
            utcp_rcv_ack_now(u, c);
        }
        if (wnd) {                    /* Else what came is not credited yet. */
            c->rcv_adv = c->rcv_nxt + wnd;
            offer(u, c);
            utcp_turns_changed(u, c, 0);
            utcp_rcv_ack_now(u, c);
        }
    }
}

static uint32_t
max_unused_ms(const struct utcp_conn *c)
{
    return UNUSED_MS + 2 * MP_MIN(c->min_rtt_us / 1000, 1000u);
}

/* When its offer, which counts, is to count no more if it is not used; or an ACK waits no longer. */
uint32_t
utcp_turns_due_ms(const struct utcp *u, const struct utcp_conn *c)
{
    uint32_t age_ms = turn_ms(u, c);
    uint32_t max_ms = c->flags & CONN_OFFERED ? max_unused_ms(c) : ACK_WAIT_MS;

    return u->now_ms + (age_ms < max_ms ? max_ms - age_ms : 0);
}

void
utcp_turns_expire(struct utcp *u, struct utcp_conn *c)
{
    if (utcp_turns_ack_is_deferred(c) && turn_ms(u, c) >= ACK_WAIT_MS) {
        utcp_rcv_ack_now(u, c);
    }
    if (!(c->flags & CONN_OFFERED) || turn_ms(u, c) < max_unused_ms(c)) {
        return;
    }
    u->stats.turns_unused++;
    utcp_turns_leave(u, c);
    utcp_rcvwnd_not_busy(u, c);
    if (!utcp_rcvwnd_next(u, c)) {
        return;
    } else if (c->flags & CONN_SMALL) {
        utcp_rcv_ack_now(u, c);
    } else {
        wait(u, c);
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
