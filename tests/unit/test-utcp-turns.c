/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Windows by turns, as crowds of clients see it: behind a queue of so many frames as the packet
 * socket of a switch holds, served at a steady rate.  Pure: virtual clock. */
#include "base/mem.h"
#include "sim/invariants.h"
#include "unit/utcp-peer.h"

enum {
    STEP_US = 100,
    PER_STEP = 8,                     /* Frames that the switch hands up in a step: 93 MB/s. */
    MAX_UNDER_WAY = 92,               /* Full ones, in 212,992 octets. */
    SEGMENT = 1448,
    QUEUE = 8192,                     /* Power of two. */
};

struct sender {
    struct peer p;
    utcp_id conn;
    uint32_t edge;                    /* Right edge of its window. */
    uint32_t wscale;
    uint32_t message;                 /* Octets of each segment. */
    uint32_t n_received;              /* Octets. */
    bool is_on;                       /* Has something to send. */
    bool loses_next;                  /* Its next segment but one is lost. */
    usec_t shut_since;                /* No room for a segment, or 0. */
    usec_t longest_wait;
    uint32_t n_openings;
    uint32_t n_left;                  /* Times that the edge moved left. */
    uint32_t ts;
};

struct frame {
    uint32_t sender, seq, n;
};

struct crowd {
    struct utcp *u;
    usec_t now;
    struct sender *s;
    uint32_t n;
    struct frame queue[QUEUE];
    uint32_t head, tail, most;        /* Frames under way. */
    uint64_t n_served, n_steps;
    uint32_t hoarder;                 /* The application keeps what this one sends; UINT32_MAX: none. */
    uint32_t hoarded;
    const char *broken;
};

static uint32_t
room(const struct sender *s)
{
    int32_t n = (int32_t) (s->edge - s->p.seq);

    return n > 0 ? (uint32_t) n : 0;
}

static void
crowd_start(struct crowd *c, uint32_t n, uint32_t message)
{
    struct utcp_config cfg;

    utcp_config_default(&cfg);
    memset(c, 0, sizeof *c);
    c->now = 6 * CLOCK_SEC;
    c->n = n;
    c->hoarder = UINT32_MAX;
    c->s = mem_zalloc(n * sizeof *c->s);
    c->u = utcp_create(&cfg, c->now);
    for (uint32_t i = 0; i < n; i++) {
        struct sender *s = &c->s[i];

        peer_init(&s->p, i);
        peer_syn(c->u, &s->p, &full_syn, c->now);
        s->conn = peer_ack(c->u, &s->p, c->now + 400);
        s->edge = s->p.seq + 2920;
        s->wscale = s->p.opts.wscale;
        s->ts = s->p.opts.ts_val;
        s->message = message;
    }
    c->now += 500;
}

static void
crowd_end(struct crowd *c)
{
    uint32_t n_left = 0;

    for (uint32_t i = 0; i < c->n; i++) {
        n_left += c->s[i].n_left;
    }
    is_int(n_left, 0, "no right edge has moved left (SHLD-14)");
    ok(!c->broken, "all invariants held (%s)", c->broken ? c->broken : "none broken");
    utcp_destroy(c->u);
    mem_free(c->s);
}

static void
put_frame(struct crowd *c, uint32_t i, uint32_t seq, uint32_t n)
{
    mp_assert(c->tail - c->head < QUEUE);
    c->queue[c->tail++ % QUEUE] = (struct frame) { i, seq, n };
    c->most = MP_MAX(c->most, c->tail - c->head);
}

/* Everybody sends what the window allows. */
static void
send_all(struct crowd *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        struct sender *s = &c->s[i];

        while (s->is_on && room(s) >= s->message) {
            bool is_last = room(s) < 2 * s->message;

            if (!(s->loses_next && is_last)) {
                put_frame(c, i, s->p.seq, s->message);
            }
            s->loses_next &= !is_last;
            s->p.seq += s->message;
        }
        if (s->is_on && !s->shut_since) {
            s->shut_since = c->now;
        }
    }
}

static void
receive(struct crowd *c, const struct frame *f)
{
    static uint8_t data[SEGMENT];
    struct sender *s = &c->s[f->sender];
    struct peer p = s->p;
    struct utcp_event ev;

    p.seq = f->seq;
    peer_send(c->u, &p, (struct wire_tcp) {
        .flags = TCP_ACK, .payload = { data, f->n },
        .opts = { .has_ts = true, .ts_val = 300, .ts_ecr = s->ts },
    }, c->now);
    while (utcp_next_event(c->u, &ev)) {
        if (ev.type == UTCP_EV_DATA) {
            s->n_received += ev.data.n;
            if (f->sender == c->hoarder) {
                c->hoarded += ev.data.n;
            } else {
                utcp_credit(c->u, ev.conn, ev.data.n);
            }
        }
    }
}

static struct sender *
sender_of(struct crowd *c, const struct utcp_tuple *t)
{
    return &c->s[t->remote_port - 1024u];
}

/* Takes what the endpoint sends; how many segments. */
static uint32_t
drain(struct crowd *c)
{
    struct utcp_segment seg;
    uint32_t n = 0;

    for (; next(c->u, c->now, &seg); n++) {
        struct sender *s = sender_of(c, &seg.tuple);
        uint32_t edge = seg.tcp.ack + ((uint32_t) seg.tcp.wnd << s->wscale);

        if (seg.tcp.flags & TCP_RST) {
            continue;
        }
        s->n_left += (int32_t) (edge - s->edge) < 0;
        if (edge != s->edge && s->shut_since) {
            s->longest_wait = MP_MAX(s->longest_wait, c->now - s->shut_since);
            s->shut_since = 0;
        }
        s->n_openings += edge != s->edge;
        s->edge = edge;
        s->ts = seg.tcp.opts.ts_val;
    }
    if (!c->broken) {
        c->broken = utcp_broken_invariant(c->u);
    }
    return n;
}

static void
spend(struct crowd *c, usec_t us)
{
    for (usec_t end = c->now + us; c->now < end; c->now += STEP_US) {
        utcp_run(c->u, c->now);
        send_all(c);
        for (int i = 0; i < PER_STEP && c->head != c->tail; i++) {
            receive(c, &c->queue[c->head++ % QUEUE]);
            c->n_served++;
        }
        c->n_steps++;
        drain(c);
    }
}

/* The senders begin one after the other: what new connections may send at once is another matter. */
static void
turn_on(struct crowd *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        c->s[i].is_on = true;
        spend(c, STEP_US);
    }
}

/* They stop, and what is under way arrives. */
static void
turn_off(struct crowd *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        c->s[i].is_on = false;
    }
    while (c->head != c->tail) {
        spend(c, STEP_US);
    }
}

static void
forget(struct crowd *c)
{
    c->n_served = c->n_steps = c->most = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        c->s[i].n_received = c->s[i].n_openings = 0;
        c->s[i].longest_wait = 0;
    }
}

TEST(a_crowd_takes_turns)
{
    struct crowd c;
    uint32_t least = UINT32_MAX, most = 0;
    usec_t longest = 0;

    crowd_start(&c, 200, SEGMENT);
    turn_on(&c);
    forget(&c);
    spend(&c, CLOCK_SEC);
    for (uint32_t i = 0; i < c.n; i++) {
        least = MP_MIN(least, c.s[i].n_received);
        most = MP_MAX(most, c.s[i].n_received);
        longest = MP_MAX(longest, c.s[i].longest_wait);
    }
    ok(c.most <= MAX_UNDER_WAY, "200 large senders never overflow the switch's queue (%u frames)",
       c.most);
    ok(c.n_served >= c.n_steps * PER_STEP * 99 / 100, "which does not run empty either (%u of %u)",
       (unsigned int) c.n_served, (unsigned int) c.n_steps * PER_STEP);
    ok(least >= most - most / 20, "all get the same (%u to %u)", least, most);
    ok(longest > 0 && longest <= 50 * CLOCK_MSEC, "none waits for long (%u us)",
       (unsigned int) longest);
    ok(utcp_stats(c.u)->turns_awaited > 1000, "turns are counted (%u)",
       (unsigned int) utcp_stats(c.u)->turns_awaited);
    crowd_end(&c);
}

TEST(a_large_crowd_takes_turns)
{
    struct crowd c;
    uint32_t least = UINT32_MAX;
    usec_t longest = 0;

    crowd_start(&c, 2000, SEGMENT);
    turn_on(&c);
    forget(&c);
    spend(&c, 500 * CLOCK_MSEC);
    for (uint32_t i = 0; i < c.n; i++) {
        least = MP_MIN(least, c.s[i].n_openings);
        longest = MP_MAX(longest, c.s[i].longest_wait);
    }
    ok(c.most <= MAX_UNDER_WAY, "2,000 never overflow it (%u frames)", c.most);
    ok(least >= 2, "everyone has its turn (%u times at least)", least);
    ok(longest <= 200 * CLOCK_MSEC, "in as long as 2,000 turns take (%u us)", (unsigned int) longest);
    crowd_end(&c);
}

/* Those whose turn it is have nothing to send any more, and nothing comes at all. */
TEST(unused_offers_expire)
{
    struct crowd c;
    uint32_t n_waiting = 0, n_told = 0, n_deadlines = 0;
    usec_t began;

    crowd_start(&c, 200, SEGMENT);
    turn_on(&c);
    turn_off(&c);
    began = c.now;
    for (uint32_t i = 0; i < c.n; i++) {
        n_waiting += room(&c.s[i]) < SEGMENT;
    }
    ok(n_waiting > 150, "most wait (%u)", n_waiting);
    while (n_told < n_waiting && n_deadlines++ < 10000) {
        usec_t at = utcp_deadline(c.u);

        if (at == CLOCK_NEVER) {
            break;
        }
        c.now = MP_MAX(c.now, at);
        utcp_run(c.u, c.now);
        n_told += drain(&c);
    }
    n_waiting = 0;
    for (uint32_t i = 0; i < c.n; i++) {
        n_waiting += room(&c.s[i]) < SEGMENT;
    }
    is_int(n_waiting, 0, "all have had their turn, by deadlines alone");
    ok(c.now - began < 20 * 22 * CLOCK_MSEC, "sixteen in each 20 ms (%u us)",
       (unsigned int) (c.now - began));
    ok(utcp_stats(c.u)->turns_unused > 0, "which is counted");
    c.now += 2 * CLOCK_SEC;
    utcp_run(c.u, c.now);
    drain(&c);
    is_int(c.u->offered, 0, "and nothing counts any more");
    crowd_end(&c);
}

TEST(those_that_wait_may_go)
{
    struct crowd c;
    uint32_t n_gone = 0, least = UINT32_MAX;

    crowd_start(&c, 200, SEGMENT);
    turn_on(&c);
    /* The first, the last, and every third in between; some with what they sent still under way. */
    for (uint32_t i = 0; i < c.n; i++) {
        struct utcp_conn *conn = utcp_conn_get(c.u, c.s[i].conn);

        if (i % 3 == 0 || conn->idx == c.u->turn_head || conn->idx == c.u->turn_tail) {
            c.s[i].is_on = false;
            utcp_abort(c.u, c.s[i].conn);
            n_gone++;
        }
    }
    ok(n_gone >= 67, "%u connections end", n_gone);
    drain(&c);
    forget(&c);
    spend(&c, 200 * CLOCK_MSEC);
    for (uint32_t i = 0; i < c.n; i++) {
        least = c.s[i].is_on ? MP_MIN(least, c.s[i].n_received) : least;
    }
    ok(least > 50 * SEGMENT, "the others go on (%u octets at least)", least);
    crowd_end(&c);
}

TEST(a_peer_may_end_its_turn)
{
    struct crowd c;
    uint32_t least = UINT32_MAX;

    crowd_start(&c, 200, SEGMENT);
    turn_on(&c);
    for (uint32_t i = 0; i < c.n; i += 2) {
        struct peer p = c.s[i].p;

        c.s[i].is_on = false;
        p.seq = utcp_conn_get(c.u, c.s[i].conn)->rcv_nxt;
        peer_send(c.u, &p, (struct wire_tcp) {
            .flags = TCP_ACK | TCP_FIN, .opts = { .has_ts = true, .ts_val = 300 },
        }, c.now);
        for (struct utcp_event ev; utcp_next_event(c.u, &ev); ) {
            ;
        }
    }
    drain(&c);
    forget(&c);
    spend(&c, 200 * CLOCK_MSEC);
    for (uint32_t i = 1; i < c.n; i += 2) {
        least = MP_MIN(least, c.s[i].n_received);
    }
    ok(least > 100 * SEGMENT, "FINs of half of them leave the others twice as much (%u)", least);
    crowd_end(&c);
}

TEST(what_is_not_credited_waits_for_nothing)
{
    struct crowd c;
    uint32_t before;

    crowd_start(&c, 100, SEGMENT);
    c.hoarder = 50;
    turn_on(&c);
    spend(&c, 300 * CLOCK_MSEC);
    before = c.s[50].n_received;
    ok(before <= 4 * SEGMENT, "what the application keeps is bounded (%u)", before);
    forget(&c);
    spend(&c, 100 * CLOCK_MSEC);
    is_int(c.s[50].n_received, 0, "and its window stays shut");
    ok(c.n_served >= c.n_steps * PER_STEP * 99 / 100, "at nobody's cost");
    c.hoarder = UINT32_MAX;
    utcp_credit(c.u, c.s[50].conn, c.hoarded);
    spend(&c, 20 * CLOCK_MSEC);
    ok(c.s[50].n_received >= 4 * SEGMENT, "credited, it has its turn with the others (%u)",
       c.s[50].n_received);
    crowd_end(&c);
}

/* The last segment of a turn is lost: nothing follows that would tell the peer. */
TEST(a_lost_last_segment_is_followed)
{
    struct crowd c;
    struct sender *s;
    usec_t lost_at = 0, told_at = 0;

    crowd_start(&c, 50, SEGMENT);
    turn_on(&c);
    spend(&c, 100 * CLOCK_MSEC);
    s = &c.s[25];
    s->loses_next = true;
    for (int i = 0; i < 1000 && !told_at; i++) {
        uint32_t n = s->n_openings;

        spend(&c, STEP_US);
        if (!lost_at && !s->loses_next) {
            lost_at = c.now;
        } else if (lost_at && s->n_openings != n) {
            told_at = c.now;
        }
    }
    ok(lost_at && told_at && told_at - lost_at < 40 * CLOCK_MSEC,
       "there is room for more soon, which shows the loss (%u us)",
       (unsigned int) (told_at - lost_at));
    crowd_end(&c);
}

TEST(few_or_small_take_no_turns)
{
    struct crowd c;

    crowd_start(&c, 5, SEGMENT);
    turn_on(&c);
    spend(&c, 300 * CLOCK_MSEC);
    is_int(utcp_stats(c.u)->turns_awaited, 0, "five are no crowd");
    ok(c.n_served >= 300 * 10 * PER_STEP * 9 / 10, "and fill the path (%u)",
       (unsigned int) c.n_served);
    crowd_end(&c);

    crowd_start(&c, 20, 64);
    turn_on(&c);
    spend(&c, 300 * CLOCK_MSEC);
    is_int(utcp_stats(c.u)->turns_awaited, 0, "twenty that send small messages need none");
    crowd_end(&c);
}

int
main(void)
{
    RUN(a_crowd_takes_turns);
    RUN(a_large_crowd_takes_turns);
    RUN(unused_offers_expire);
    RUN(those_that_wait_may_go);
    RUN(a_peer_may_end_its_turn);
    RUN(what_is_not_credited_waits_for_nothing);
    RUN(a_lost_last_segment_is_followed);
    RUN(few_or_small_take_no_turns);
    return done_testing();
}
