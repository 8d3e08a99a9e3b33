/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Steering of the receive window.  The window decides how a client packs its messages: one that
 * sends small messages fills its segments only when the window holds it back, and what lies between
 * a switch and us holds a few hundred small frames, fewer full ones.  But large messages and long
 * paths need room.  Hence per connection a target, in three steps:
 *
 *   - one segment for a peer whose last eight segments were small but for three at most.  A client
 *     without Nagle then appends to its unsent tail and sends it when it is full or acknowledged.
 *     So it may well seem to send large ones, and gets small again with more room: hence 30 ms at
 *     least before it gets that.
 *     A loss leaves nothing behind it there that would tell the peer, and its time-out is 200 ms at
 *     least.  So if nothing comes in a while, although the peer had used up its window before, there
 *     is room for another segment, which shows the loss;
 *   - two segments, the floor, to begin with; again when eight of eight are well filled, and after
 *     a second without data.  While many peers are busy none leaves the first step: together they
 *     fill the switch's queue at that;
 *   - above the floor it doubles after a round in which the peer used up all that it was offered,
 *     without waiting for anything else than our ACK, with segments that were mostly well filled.
 *     It falls as soon as they are mostly small, and then waits twice as long as the last time
 *     before it grows again, unless growing was right for long; also after a second without data.
 *     It ends where the path cannot be what limits the peer: at NEAR_BYTES for one across a switch,
 *     at as much more as the path is longer for one farther away.
 *
 * All windows above the floor share a budget, which is what a switch can hold at once, and none gets
 * more than an equal part.  Of a window on a long path only a part arrives while the switch takes what
 * came before, and the budget is charged with that part only.  So that it is true after the window
 * stood still as well, the edge moves by no more than NEAR_BYTES at once.
 *
 * The floors of a crowd are more than that, whatever the budget.  So while many peers are busy, their
 * windows are open by turns (turns.c), and then four segments at least: each opening costs an ACK of
 * its own, and a loss among several is noticed by what follows it.
 *
 * The target never takes back what was promised (RFC 9293 SHLD-14): the right edge stands still
 * until RCV.NXT has caught up.  Bytes delivered and not yet credited count as window in use: that
 * is the back-pressure. */
#include "utcp/utcp.h"

#include "utcp/conn.h"

#define FILL_BITS 8                   /* Segments remembered in wnd_fill. */
#define FILL_GROW 5                   /* So many well filled ones let it grow... */
#define FILL_FALL 3                   /* ...so few make it fall, to one segment... */
#define FILL_RETURN FILL_BITS         /* ...and so many bring it back to the floor. */
#define FILL_NEUTRAL 0x0f             /* Neither well nor badly filled. */
#define FILLED_PERCENT 70
#define HOLD_MIN_US (10 * CLOCK_MSEC)
#define MAX_BACKOFF 10
#define DEFAULT_MSS 536u              /* MUST-15: nobody's segments are expected to be smaller. */
#define ROUND_SLACK_US 4000           /* Turns of both loops: not waiting for the application. */
#define SMALL_US (30 * CLOCK_MSEC)      /* So long it keeps one segment at least; twice as long... */
#define MAX_SMALL_TIMES 7             /* ...each time that it turns out to be small again. */
#define TURN_SEGMENTS 4               /* Of each of many: see turns.c. */
#define NEAR_US 2000                  /* Shorter paths are alike: what is there is a busy switch. */
#define NEAR_BYTES 32768u             /* Larger windows gain nothing across one (measured). */
#define WATCH_MS 10u                  /* And two round trips, in which something should have come. */
#define SHUT_PART 4u                  /* Less than that part of a segment is as good as nothing. */
#define MAX_FAR 255u                  /* A path of half a second. */

/* The largest payload that we let the peer send. */
uint32_t
utcp_rcvwnd_mss(const struct utcp *u, const struct utcp_conn *c)
{
    bool has_ts = c->flags & CONN_TS;

    return utcp_our_mss(u, utcp_ends_is_v6(&c->ends), has_ts, c->rcv_wscale)
           - (has_ts ? 12u : 0u);
}

/* What counts as a full segment of this peer's.  Its own path may carry less than ours: it is taken
 * to send no more than it says that it receives. */
static uint32_t
full_segment(const struct utcp *u, const struct utcp_conn *c)
{
    uint32_t own = MP_MAX(c->mss, DEFAULT_MSS) - (c->flags & CONN_TS ? 12u : 0u);

    return MP_MIN(own, utcp_rcvwnd_mss(u, c));
}

static uint32_t
max_window(const struct utcp *u, const struct utcp_conn *c)
{
    return MP_MIN(u->cfg.rcv_wnd_max, (uint32_t) UINT16_MAX << c->rcv_wscale);
}

uint32_t
utcp_rcvwnd_floor(const struct utcp *u, const struct utcp_conn *c)
{
    return MP_MIN(2 * utcp_rcvwnd_mss(u, c), max_window(u, c));
}

void
utcp_rcvwnd_init(struct utcp *u, struct utcp_conn *c)
{
    c->wnd_target = MP_MIN(MP_MAX(u->cfg.rcv_wnd_initial, utcp_rcvwnd_floor(u, c)),
                           max_window(u, c));
    c->wnd_mark = c->rcv_adv;
    c->wnd_mark_us = u->now_us;
    c->wnd_hold_ms = u->now_ms;
    c->wnd_fill = FILL_NEUTRAL;
    c->wnd_needs = NEEDS_UNKNOWN;
}

/* How many times the window of a near peer this one needs. */
static uint32_t
far_times(const struct utcp_conn *c)
{
    return MP_MIN(1 + c->min_rtt_us / NEAR_US, MAX_FAR);
}

static bool
is_crowded(const struct utcp *u)
{
    return u->n_busy >= UTCP_CROWD;
}

/* What the budget is charged for a window. */
uint32_t
utcp_rcvwnd_charge(const struct utcp *u, const struct utcp_conn *c)
{
    return c->flags & CONN_GROWN ? (c->wnd_target - utcp_rcvwnd_floor(u, c)) >> c->wnd_far : 0;
}

/* Down to the floor. */
static void
reset(struct utcp *u, struct utcp_conn *c)
{
    uint32_t floor = utcp_rcvwnd_floor(u, c);

    if (c->flags & CONN_GROWN) {
        u->promised -= utcp_rcvwnd_charge(u, c);
        u->n_grown--;
        c->flags &= ~CONN_GROWN;
        c->wnd_target = floor;
    }
    c->wnd_target = MP_MIN(c->wnd_target, floor);
}

static void
set_not_busy(struct utcp *u, struct utcp_conn *c)
{
    if (c->flags & CONN_BUSY) {
        c->flags &= ~CONN_BUSY;
        u->n_busy--;
    }
}

/* It does not use its window, which is nobody's loss unless many share the budget. */
void
utcp_rcvwnd_spare(struct utcp *u, struct utcp_conn *c)
{
    if (u->n_grown >= UTCP_CROWD) {
        reset(u, c);
    }
    set_not_busy(u, c);
}

void
utcp_rcvwnd_idle(struct utcp *u, struct utcp_conn *c)
{
    uint32_t counted = utcp_turns_counted(u, c);

    reset(u, c);
    utcp_turns_changed(u, c, counted);
    c->flags &= ~CONN_SMALL;
    c->wnd_fill = FILL_NEUTRAL;
    set_not_busy(u, c);
}

/* The power of two, by its exponent, of which one part arrives at once. */
static uint8_t
far_shift(const struct utcp_conn *c)
{
    return (uint8_t) (31 - __builtin_clz(far_times(c)));
}

/* The largest target there may be: what the path can use, and what the budget leaves, which is an
 * equal part and no more than is there.  But a little for who comes late, or nobody would learn that
 * the others' parts are too large. */
static uint32_t
fair_target(const struct utcp *u, const struct utcp_conn *c, uint32_t floor)
{
    bool grown = c->flags & CONN_GROWN;
    uint64_t others = u->promised - utcp_rcvwnd_charge(u, c);
    uint64_t part = u->cfg.rcv_budget / (u->n_grown + !grown);
    uint64_t left = u->cfg.rcv_budget > others ? u->cfg.rcv_budget - others : 0;
    uint64_t target = floor + (MP_MIN(part, MP_MAX(left, part / 8)) << far_shift(c));
    uint64_t useful = (uint64_t) NEAR_BYTES * far_times(c);

    return (uint32_t) MP_MIN(MP_MIN(target, useful), (uint64_t) max_window(u, c));
}

static void
set_target(struct utcp *u, struct utcp_conn *c, uint32_t target)
{
    uint32_t floor = utcp_rcvwnd_floor(u, c);

    if (target <= floor) {
        reset(u, c);
        return;
    }
    u->promised -= utcp_rcvwnd_charge(u, c);
    if (!(c->flags & CONN_GROWN)) {
        u->n_grown++;
        c->flags |= CONN_GROWN;
        c->wnd_small_times = 0;
    }
    c->wnd_target = target;
    c->wnd_far = far_shift(c);
    u->promised += utcp_rcvwnd_charge(u, c);
    utcp_timer_update(u, c);          /* Returns to the floor when idle. */
}

static void
fall(struct utcp *u, struct utcp_conn *c)
{
    if (c->flags & CONN_GROWN || c->wnd_target > utcp_rcvwnd_floor(u, c)) {
        uint32_t hold_ms = (uint32_t) ((HOLD_MIN_US << c->wnd_backoff) / 1000);

        if (u->now_ms - c->wnd_hold_ms > 8 * hold_ms) {
            c->wnd_backoff /= 2;      /* Growing was right, for all that time. */
        }
        c->wnd_hold_ms = u->now_ms + (uint32_t) ((HOLD_MIN_US << c->wnd_backoff) / 1000);
        c->wnd_backoff = (uint8_t) MP_MIN(c->wnd_backoff + 1, MAX_BACKOFF);
        reset(u, c);
    }
    if (!(c->flags & CONN_SMALL)) {
        c->flags |= CONN_SMALL;
        c->wnd_small_us = u->now_us;
        c->wnd_small_times = (uint8_t) MP_MIN(c->wnd_small_times + 1, MAX_SMALL_TIMES);
        utcp_timer_update(u, c);      /* Forgotten when idle. */
    }
}

/* It has used up its window as fast as any peer could at present. */
static void
set_busy(struct utcp *u, struct utcp_conn *c)
{
    if (!(c->flags & CONN_BUSY)) {
        c->flags |= CONN_BUSY;
        u->n_busy++;
        utcp_timer_update(u, c);
    }
}

/* A round is over, with text that answers what we sent 'lag_ms' ago: the peer has used what it was
 * offered when the round began. */
static void
end_round(struct utcp *u, struct utcp_conn *c, unsigned int n_filled, uint32_t lag_ms)
{
    uint32_t took_us = u->now_us - c->wnd_mark_us;
    uint32_t rtt_us = c->srtt_us ? c->srtt_us : 1000000;
    uint32_t floor = utcp_rcvwnd_floor(u, c);
    uint32_t fair = fair_target(u, c, floor);

    /* All of a burst answers the same: after its first segment it only seems to be quick. */
    bool has_lag = lag_ms != UTCP_LAG_UNKNOWN;
    bool is_prompt = !has_lag || utcp_turns_is_prompt(u, c, lag_ms * 1000);
    bool is_limited = is_prompt && took_us <= 2 * rtt_us + ROUND_SLACK_US;

    /* While others wait, it may be that nobody is any quicker. */
    if (is_limited || (has_lag && is_prompt && u->n_waiting && utcp_turns_is_prompt(u, c, took_us))) {
        set_busy(u, c);
    }
    if (c->wnd_target > fair) {
        set_target(u, c, fair);       /* Others came. */
    } else if (!(c->flags & CONN_SMALL) && n_filled >= FILL_GROW && is_limited
               && seq_ge(u->now_ms, c->wnd_hold_ms)) {
        set_target(u, c, MP_MIN(2 * c->wnd_target, fair));
    }
    c->wnd_mark = c->rcv_adv;
    c->wnd_mark_us = u->now_us;
}

/* What the window should be at present. */
static uint32_t
target_now(const struct utcp *u, const struct utcp_conn *c)
{
    if (c->flags & CONN_SMALL) {
        return MP_MIN(c->wnd_target, utcp_rcvwnd_mss(u, c) << !!(c->flags & CONN_MORE));
    } else if (is_crowded(u) && c->flags & CONN_BUSY) {
        return MP_MAX(c->wnd_target,
                      MP_MIN(TURN_SEGMENTS * utcp_rcvwnd_mss(u, c), max_window(u, c)));
    }
    return c->wnd_target;
}

/* A segment with text echoes our timestamp 'ts_ecr': whoever only receives learns in this way how
 * long the path is.  The clocks' ticks, and what the peer waited, make it look longer at most.
 * Returns how long ago we sent what it answers. */
uint32_t
utcp_rcvwnd_echo(struct utcp *u, struct utcp_conn *c, uint32_t ts_ecr)
{
    uint32_t ms = utcp_ts_now(u, c) - ts_ecr;

    if (ms >= 60000) {
        return UTCP_LAG_UNKNOWN;      /* No timestamp of ours, or one that says nothing. */
    }
    c->min_rtt_us = MP_MIN(c->min_rtt_us, (ms + 1) * 1000);
    utcp_turns_echoed(u, ms);
    return ms;
}

/* Remembers how well a segment was filled; how many of the last ones were.  One that follows a well
 * filled one is the rest of what that began, or of the window, and says nothing. */
static unsigned int
note_fill(const struct utcp *u, struct utcp_conn *c, uint32_t len)
{
    bool is_filled = len * 100 >= full_segment(u, c) * FILLED_PERCENT;

    c->wnd_tail = !is_filled && c->wnd_fill & 1 && !c->wnd_tail;
    if (!c->wnd_tail) {
        c->wnd_fill = (uint8_t) (c->wnd_fill << 1 | is_filled);
    }
    return (unsigned int) __builtin_popcount(c->wnd_fill);
}

/* A segment with text has come, in order or not. */
void
utcp_rcvwnd_arrived(struct utcp *u, struct utcp_conn *c, const struct utcp_text *t)
{
    uint32_t len = t->data.n, end = t->seq + len;

    if (!len) {
        return;
    }
    c->flags &= ~CONN_MORE;

    uint32_t slack = MP_MIN(utcp_rcvwnd_mss(u, c), target_now(u, c) / 2);
    unsigned int n_filled = note_fill(u, c, len);

    if (n_filled <= FILL_FALL) {
        fall(u, c);
    } else if (c->flags & CONN_SMALL && n_filled >= FILL_RETURN && !is_crowded(u)
               && u->now_us - c->wnd_small_us >= SMALL_US << (c->wnd_small_times - 1)) {
        c->flags &= ~CONN_SMALL;
        c->wnd_mark = end + utcp_rcvwnd_floor(u, c);    /* Not yet offered: no growth now. */
        c->wnd_mark_us = u->now_us;
        return;
    }
    /* The last piece of the window may be too small for the peer to use (its SWS avoidance). */
    if (seq_ge(end + slack, c->wnd_mark)) {
        end_round(u, c, n_filled, t->lag_ms);
    }
}

/* The right edge that we would like to advertise. */
static uint32_t
wanted_edge(const struct utcp_conn *c, uint32_t target)
{
    uint32_t free_bytes = target > c->uncredited ? target - c->uncredited : 0;
    uint32_t edge = seq_max(c->rcv_nxt + free_bytes, c->rcv_adv);

    return edge - c->rcv_adv > NEAR_BYTES ? c->rcv_adv + NEAR_BYTES : edge;
}

/* MUST-39: the edge moves by a segment or half of the window at least.  Or, where that would leave
 * less than a whole segment open, by what makes it one: a peer whose segment does not fit would
 * wait for its persist timer.  So a target of one segment opens whole or not at all, by whatever
 * was used of it: smaller steps than MUST-39's, but what it is to prevent cannot come, as no piece
 * smaller than a segment is ever offered. */
static bool
is_worthwhile(const struct utcp *u, const struct utcp_conn *c, uint32_t target, uint32_t edge)
{
    uint32_t mss = utcp_rcvwnd_mss(u, c), whole = MP_MIN(mss, target);

    if (target > mss && edge - c->rcv_adv >= MP_MIN(mss, target / 2)) {
        return true;
    }
    return c->rcv_adv - c->rcv_nxt < whole && edge - c->rcv_nxt >= whole;
}

/* The window that there could be, if it is larger than what is open by enough; or 0. */
uint32_t
utcp_rcvwnd_next(const struct utcp *u, const struct utcp_conn *c)
{
    uint32_t target = target_now(u, c);
    uint32_t edge = wanted_edge(c, target);

    return is_worthwhile(u, c, target, edge) ? edge - c->rcv_nxt : 0;
}

/* The same, if it is worth a segment of its own to tell of it. */
static uint32_t
worth_update(const struct utcp *u, const struct utcp_conn *c)
{
    uint32_t target = target_now(u, c), edge = wanted_edge(c, target);
    uint32_t few = MP_MIN(target, MP_MAX(utcp_rcvwnd_mss(u, c), target / 2));

    return c->rcv_adv - c->rcv_nxt < few && is_worthwhile(u, c, target, edge) ? edge - c->rcv_nxt : 0;
}

uint32_t
utcp_rcvwnd_watch_due_ms(const struct utcp_conn *c)
{
    return c->last_rcvd_ms + WATCH_MS + 2 * MP_MIN(c->min_rtt_us / 1000, 1000u);
}

/* A peer that had used up its window of one segment sends nothing although there is room again: it
 * has no more, or what it sent is lost.  A second segment would show that, in a few milliseconds. */
void
utcp_rcvwnd_watch(struct utcp *u, struct utcp_conn *c)
{
    c->flags &= ~CONN_WATCHED;
    if (c->flags & CONN_SMALL && !(c->flags & CONN_FIN_RCVD)) {
        c->flags |= CONN_MORE;
        if (utcp_rcvwnd_next(u, c)) {
            u->stats.second_segments++;
            utcp_rcv_ack_now(u, c);
        }
    }
}

/* Less is uncredited than was. */
void
utcp_rcvwnd_credited(struct utcp *u, struct utcp_conn *c)
{
    uint32_t wnd = worth_update(u, c);

    if (wnd && !utcp_turns_must_wait(u, c, wnd)) {
        utcp_rcv_ack_now(u, c);
    }
}

/* The window field of a segment to be sent.  Moves the right edge where that is due. */
uint16_t
utcp_rcvwnd_offer(struct utcp *u, struct utcp_conn *c)
{
    uint32_t counted = utcp_turns_counted(u, c);
    uint32_t target = target_now(u, c);
    uint32_t edge = wanted_edge(c, target);
    uint32_t wnd = edge - c->rcv_nxt;

    if (is_worthwhile(u, c, target, edge) && !utcp_turns_must_wait(u, c, wnd)) {
        if (c->flags & CONN_SMALL && c->rcv_adv - c->rcv_nxt <= utcp_rcvwnd_mss(u, c) / SHUT_PART) {
            c->flags |= CONN_WATCHED;
            utcp_timer_update(u, c);
        }
        utcp_turns_open(u, c, wnd);
    }
    wnd = c->rcv_adv - c->rcv_nxt;

    uint32_t unit = (1u << c->rcv_wscale) - 1, taken = c->rcv_nxt - c->last_ack_sent;
    bool may_move = wnd + c->uncredited < 2 * target || taken > 2 * unit;
    uint32_t field;

    /* Rounded up, or the edge would seem to move left; but not on and on, by octets that come one
     * by one, while it is to stand. */
    field = (wnd + (may_move ? unit : 0)) >> c->rcv_wscale;
    field = MP_MIN(field, (uint32_t) UINT16_MAX);
    c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt + (field << c->rcv_wscale));
    utcp_turns_changed(u, c, counted);
    return (uint16_t) field;
}
