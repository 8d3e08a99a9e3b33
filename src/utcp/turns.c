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
 *   - What is not used counts no more after a while: the peer has nothing to send.  Or what it sent
 *     is lost, and it waits for its time-out: more room, when its turn comes, lets it send what
 *     shows the loss.
 *
 * How long that is depends on the switch.  Text echoes a timestamp: what we sent then has reached a
 * client, and its answer is here.  Who has not answered what was sent well before that has no answer
 * (is_idle()).  When the switch is slow, or pauses, little or nothing is echoed, and there is no such
 * evidence; nor is there without timestamps.  Then the clock decides (clock_us()).
 *
 * Most that use up a window send a burst now and then.  If each were offered more after it, who has
 * much to send would wait for all of them, however little they do.  So it is remembered what a peer
 * did with its last offers (enum utcp_needs):
 *
 *   - Who has not used two, by evidence, takes no turns until it uses up its window at once.
 *   - Of those that have used theirs at once, and are near, one is always on offer: what it answers
 *     is the evidence.  Without, all might wait for the clock, again and again, with little to do.
 *     Where that one has nothing to send either, somebody is asked for an answer (ask()).
 *   - They leave room for what those that take no turns may send while the switch pauses.
 *
 * Of a window on a long path only a part is charged, as that is what arrives while the switch takes
 * what came before.  So that this is true, such windows do not all open in the same millisecond.
 *
 * The sum is no promise: who takes no turns is not counted; nor is what a new connection may send at
 * first; and what no longer counts may yet be used.  So a crowd whose bursts coincide can overflow a
 * switch, and so can those that take no turns beside fewer than a crowd that do.  The evidence of one
 * is taken for all: it misleads where a peer lies about timestamps, or has a port of its own that is
 * quicker by far than the one where the others wait.  Nor can a window be smaller to begin with: of a
 * first window below two segments a common client (Linux) takes the half for the size of its
 * segments, for as long as it lives.
 *
 * An offer that counts is CONN_OFFERED and watched by the connection's timer; one that waits is
 * CONN_WAITS and in a list.  Never both; what belongs to either is in its ext. */
#include "utcp/utcp.h"

#include "utcp/conn.h"

#define QUICK_MS 2u                   /* Turns of both loops, and the ticks of timestamps. */
#define PROMPT_TIMES 2u               /* What answers may take, compared with the quickest... */
#define IDLE_TIMES 4u                 /* ...and do not: a switch serves its ports, and their queues
                                       * of different lengths, by turns. */
#define CLOCK_MS 20u                  /* Without evidence an unused offer counts so long... */
#define CLOCK_MAX_MS 100u             /* ...or, of a slow switch, up to that. */
#define CHECK_MS 1u                   /* Between looks for evidence. */
#define ASK_MS 4u                     /* Without it, after that it is asked for. */
#define PAUSE_MS 20u                  /* Of a switch that is busy with something else. */
#define LATELY_MS 100u                /* The past that says what comes in a pause. */

/* By how much its window grows if it becomes 'wnd'. */
static uint32_t
growth(const struct utcp_conn *c, uint32_t wnd)
{
    return wnd - (c->rcv_adv - c->rcv_nxt);
}

/* Whether it is one of those that need more, and of which one is always on offer. */
static bool
is_hungry(const struct utcp_conn *c)
{
    return c->wnd_needs == NEEDS_MORE && !utcp_turns_is_far(c);
}

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

static uint32_t
round_trips_us(const struct utcp_conn *c)
{
    return 2 * MP_MIN(c->min_rtt_us, (uint32_t) CLOCK_SEC);
}

/* Text answers what we sent 'lag_ms' ago. */
void
utcp_turns_echoed(struct utcp *u, uint32_t lag_ms)
{
    if (lag_ms <= u->now_ms - u->echoed_ms) {
        u->echoed_ms = u->now_ms - lag_ms;
        u->echoed_lag_ms = lag_ms;
    }
}

/* So does an ACK that was asked for. */
void
utcp_turns_answered(struct utcp *u)
{
    u->asked = SLAB_NONE;
    utcp_turns_echoed(u, u->now_ms - u->asked_ms);
}

/* Others wait, and there is no evidence: all that have an offer may be idle, or the switch pauses.  A
 * keep-alive probe, which a peer answers at once whatever it does, will tell. */
static void
ask(struct utcp *u, struct utcp_conn *c)
{
    uint32_t ago_ms = u->now_ms - u->echoed_ms;

    if (u->n_waiting && c->snd_una == c->snd_nxt && ago_ms >= ASK_MS
        && u->now_ms - u->asked_ms >= MP_MAX(ASK_MS, ago_ms / 2)) {
        u->stats.turns_asked++;
        u->asked = c->idx;
        u->asked_ms = u->now_ms;
        c->flags |= CONN_KEEP_DUE;
        utcp_ready(u, c);
    }
}

/* 'times' as long as it is since we sent the latest that was answered, and what else it may take. */
static uint32_t
answer_us(const struct utcp *u, const struct utcp_conn *c, uint32_t times)
{
    uint32_t ago_ms = MP_MIN(u->now_ms - u->echoed_ms, 1000u);

    ago_ms -= ago_ms > 0;             /* It was in the course of a millisecond. */
    return (QUICK_MS + times * ago_ms) * 1000 + round_trips_us(c);
}

/* Whether an answer after 'us' comes as soon as any peer's could at present. */
bool
utcp_turns_is_prompt(const struct utcp *u, const struct utcp_conn *c, uint32_t us)
{
    return us <= answer_us(u, c, PROMPT_TIMES);
}

/* Whether there is evidence that a peer that did not use its offer for 'us' has nothing to send. */
static bool
is_idle(const struct utcp *u, const struct utcp_conn *c, uint32_t us)
{
    return us >= answer_us(u, c, IDLE_TIMES);
}

/* How long an unused offer counts if there is no evidence.  A switch that was slow lately is so. */
static uint32_t
clock_us(const struct utcp *u, const struct utcp_conn *c)
{
    uint32_t slow_ms = MP_MIN(2 * u->echoed_lag_ms, CLOCK_MAX_MS);

    return MP_MAX(CLOCK_MS, slow_ms) * 1000 + round_trips_us(c);
}

uint32_t
utcp_turns_counted__(const struct utcp *u, const struct utcp_conn *c)
{
    return !(c->flags & CONN_FIN_RCVD) && has_segment(u, c)
           ? charge(c, c->rcv_adv - c->rcv_nxt) : 0;
}

static void
count(struct utcp *u, const struct utcp_conn *c, uint32_t before, uint32_t counted)
{
    u->offered = u->offered - before + counted;
    if (utcp_ext(u, c)->offered_more) {
        u->offered_more = u->offered_more - before + counted;
    }
}

static void
offer(struct utcp *u, struct utcp_conn *c)
{
    if (!(c->flags & CONN_OFFERED)) {
        struct utcp_ext *e = utcp_ext_need(u, c);

        e->turn_us = u->now_us;
        e->offered_more = is_hungry(c);
        c->flags |= CONN_OFFERED;
        u->n_offered++;
        c->wnd_mark_us = u->now_us;   /* While it waited nothing could come. */
        utcp_timer_update(u, c);
    }
}

static void
offer_no_more(struct utcp *u, struct utcp_conn *c)
{
    c->flags &= ~CONN_OFFERED;
    u->n_offered--;
    utcp_ext_release(u, c);
}

void
utcp_turns_changed__(struct utcp *u, struct utcp_conn *c, uint32_t before)
{
    uint32_t counted = utcp_turns_counted(u, c);

    count(u, c, before, counted);
    if (!counted) {
        if (utcp_turns_is_prompt(u, c, u->now_us - utcp_ext(u, c)->turn_us)) {
            c->wnd_needs = MP_MIN(c->wnd_needs + 1, NEEDS_MORE) & 3;
        }
        offer_no_more(u, c);
    }
}

/* Of 'n' octets LATELY_MS ago nothing is left, in between a part. */
static uint32_t
fade(const struct utcp *u, uint32_t n, uint32_t since_ms)
{
    uint32_t left_ms = LATELY_MS - MP_MIN(u->now_ms - since_ms, LATELY_MS);

    return (uint32_t) ((uint64_t) n * left_ms / LATELY_MS);
}

/* 'n' octets have come that were not counted. */
void
utcp_turns_uncounted(struct utcp *u, uint32_t n)
{
    u->uncounted = MP_MIN(fade(u, u->uncounted, u->uncounted_ms), UINT32_MAX / 2) + n;
    u->uncounted_ms = u->now_ms;
}

/* What those that take no turns may send while the switch pauses; seven tenths of the budget at most. */
static uint64_t
reserve(const struct utcp *u)
{
    uint64_t n = (uint64_t) fade(u, u->uncounted, u->uncounted_ms) * PAUSE_MS / LATELY_MS;

    return MP_MIN(n, u->cfg.rcv_budget / 10 * 7);
}

/* Whether it matters that the window becomes 'wnd': those that use up their windows take turns, and
 * who has done so once: many may do so at the same moment. */
static bool
takes_turns(const struct utcp *u, const struct utcp_conn *c, uint32_t wnd)
{
    if (c->flags & (CONN_FIN_RCVD | CONN_BUSY)) {
        return !(c->flags & CONN_FIN_RCVD);
    }
    return c->wnd_needs != NEEDS_NONE && !has_segment(u, c) && growth(c, wnd) >= utcp_rcvwnd_mss(u, c) / 2;
}

static bool
is_too_much_at_once(const struct utcp *u, const struct utcp_conn *c, uint32_t wnd)
{
    return utcp_turns_is_paced(u, c) && u->far_octets + growth(c, wnd) > u->cfg.rcv_budget / 2;
}

static void
move_edge(struct utcp *u, struct utcp_conn *c, uint32_t wnd)
{
    if (utcp_turns_is_far(c)) {
        u->far_octets = (u->far_ms == u->now_ms ? u->far_octets : 0) + growth(c, wnd);
        u->far_ms = u->now_ms;
    }
    c->rcv_adv = c->rcv_nxt + wnd;
}

/* Whether its window may become 'wnd'. */
static bool
has_room(const struct utcp *u, const struct utcp_conn *c, uint32_t wnd)
{
    uint32_t own = utcp_turns_counted(u, c), charged = charge(c, wnd);
    uint64_t others = u->offered - own;

    if (MP_MAX(u->n_busy, u->n_offered) < UTCP_CROWD || !others) {
        return true;
    } else if (is_too_much_at_once(u, c, wnd)) {
        return false;
    }
    if (is_hungry(c)) {
        uint64_t more = u->offered_more - (own && utcp_ext(u, c)->offered_more ? own : 0);

        if (!more || more + charged + reserve(u) > u->cfg.rcv_budget) {
            return !more;
        }
    }
    return others + charged <= u->cfg.rcv_budget;
}

static void
wait(struct utcp *u, struct utcp_conn *c)
{
    struct utcp_ext *e = utcp_ext_need(u, c);
    struct utcp_turns *t = &u->turns[c->wnd_needs == NEEDS_MORE ? TURN_MORE : TURN_OTHERS];

    u->stats.turns_awaited++;
    u->n_waiting++;
    c->flags |= CONN_WAITS;
    e->turn_us = u->now_us;
    e->turn_next = SLAB_NONE;
    e->turn_prev = t->tail;
    if (t->tail) {
        utcp_ext(u, slab_at(&u->conns, t->tail))->turn_next = c->idx;
    } else {
        t->head = c->idx;
    }
    t->tail = c->idx;
}

static void
wait_no_more(struct utcp *u, struct utcp_conn *c)
{
    const struct utcp_ext *e = utcp_ext(u, c);
    struct utcp_turns *t = u->turns;

    t += t->head != c->idx && t->tail != c->idx;    /* In the midst it does not matter. */
    if (e->turn_next) {
        utcp_ext(u, slab_at(&u->conns, e->turn_next))->turn_prev = e->turn_prev;
    } else {
        t->tail = e->turn_prev;
    }
    if (e->turn_prev) {
        utcp_ext(u, slab_at(&u->conns, e->turn_prev))->turn_next = e->turn_next;
    } else {
        t->head = e->turn_next;
    }
    u->n_waiting--;
    c->flags &= ~CONN_WAITS;
    utcp_ext_release(u, c);
}

/* Whether its window may not become 'wnd' now.  Then it waits; but what is on offer is used first. */
bool
utcp_turns_must_wait(struct utcp *u, struct utcp_conn *c, uint32_t wnd)
{
    if (c->flags & CONN_WAITS) {
        return true;
    } else if (!takes_turns(u, c, wnd) || (!u->n_waiting && has_room(u, c, wnd))) {
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
    move_edge(u, c, wnd);
}

/* Whether the first of those that need more would be the only one on offer. */
static bool
is_none_on_offer(const struct utcp *u)
{
    uint32_t head = u->turns[TURN_MORE].head;

    return head && !u->offered_more && !utcp_turns_is_far(slab_at(&u->conns, head));
}

/* Opens the window of the first of a queue, if there is room; or it need not wait. */
static bool
grant_first(struct utcp *u, const struct utcp_turns *t)
{
    struct utcp_conn *c = t->head ? slab_at(&u->conns, t->head) : NULL;
    uint32_t wnd = c && !(c->flags & CONN_FIN_RCVD) ? utcp_rcvwnd_next(u, c) : 0;

    if (!c) {
        return false;
    } else if (wnd && !has_room(u, c, wnd)) {
        utcp_timer_update(u, c);
        return false;
    }
    wait_no_more(u, c);
    utcp_timer_update(u, c);
    if (wnd) {                        /* Else what came is not credited yet. */
        move_edge(u, c, wnd);
        offer(u, c);
        utcp_turns_changed(u, c, 0);
        utcp_rcv_ack_now(u, c);
    }
    return true;
}

/* Whose head has waited longer. */
static unsigned int
next_turn(const struct utcp *u)
{
    uint32_t heads[TURN_N] = { u->turns[TURN_MORE].head, u->turns[TURN_OTHERS].head };
    uint32_t ages[TURN_N];

    for (int i = 0; i < TURN_N; i++) {
        ages[i] = heads[i] ? u->now_us - utcp_ext(u, slab_at(&u->conns, heads[i]))->turn_us : 0;
    }
    return !heads[TURN_MORE] || (heads[TURN_OTHERS] && ages[TURN_OTHERS] > ages[TURN_MORE]);
}

/* In the order in which they began to wait.  But while those that need more must leave room the others
 * go first, and one of the former goes before all where none is on offer. */
void
utcp_turns_grant__(struct utcp *u)
{
    bool any = true;

    while (any && u->n_waiting) {
        unsigned int turn = next_turn(u);

        any = grant_first(u, &u->turns[turn]);
        if (!any && (turn == TURN_MORE || is_none_on_offer(u))) {
            any = grant_first(u, &u->turns[!turn]);
        }
    }
}

static uint32_t
unused_us(const struct utcp *u, const struct utcp_conn *c)
{
    return u->now_us - utcp_ext(u, c)->turn_us;
}

/* When to see whether its offer, which counts, is to count no more.  While others wait that is again
 * and again, as evidence may come from any peer. */
uint32_t
utcp_turns_due_ms(const struct utcp *u, const struct utcp_conn *c)
{
    uint32_t us = unused_us(u, c), max_us = clock_us(u, c);

    if (u->n_waiting) {
        max_us = MP_MIN(max_us, MP_MAX(answer_us(u, c, 0), us + CHECK_MS * 1000 - 1));
    }
    return u->now_ms + (us < max_us ? (max_us - us) / 1000 + 1 : 0);
}

void
utcp_turns_expire__(struct utcp *u, struct utcp_conn *c)
{
    uint32_t us = unused_us(u, c);
    bool idle = is_idle(u, c, us);

    if (!idle && us < clock_us(u, c)) {
        ask(u, c);
        return;
    }
    u->stats.turns_unused++;
    utcp_turns_leave(u, c);
    if (idle) {
        c->wnd_needs = c->wnd_needs > NEEDS_LITTLE ? NEEDS_LITTLE : NEEDS_NONE;
    }
    if (c->wnd_needs == NEEDS_NONE) {
        utcp_rcvwnd_spare(u, c);
    }
    if (utcp_rcvwnd_next(u, c)) {
        wait(u, c);
    }
}

/* It neither counts nor waits any more. */
void
utcp_turns_leave(struct utcp *u, struct utcp_conn *c)
{
    if (c->flags & CONN_OFFERED) {
        count(u, c, utcp_turns_counted(u, c), 0);
        offer_no_more(u, c);
    }
    if (c->flags & CONN_WAITS) {
        wait_no_more(u, c);
    }
    u->asked = u->asked == c->idx ? SLAB_NONE : u->asked;
}
