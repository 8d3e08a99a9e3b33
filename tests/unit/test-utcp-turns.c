/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Windows by turns, as crowds of clients see it: behind a queue of so many frames as the packet
 * socket of a switch holds, served at a steady rate, or not at all for a while.  Pure: virtual
 * clock, seeded. */
#include "base/mem.h"
#include "base/prng.h"
#include "sim/invariants.h"
#include "unit/utcp-peer.h"

enum {
    STEP_US = 100,
    PER_STEP = 8,                     /* Frames that the switch hands up in a step: 93 MB/s. */
    MAX_UNDER_WAY = 92,               /* Full ones, in 212,992 octets... */
    ACKS_PER_FRAME = 3,               /* ...which hold 277 small ones. */
    SEGMENT = 1448,
    QUEUE = 8192,                     /* Power of two. */
    ACKS = 256,                       /* Power of two: what is on its way to a client. */
};

/* Clients that are alike. */
struct group {
    uint32_t n;
    uint32_t burst;                   /* Segments in each period; 0: always more. */
    usec_t period;
    bool is_aligned;                  /* All at the same moment. */
    bool has_no_ts;
    usec_t rtt;                       /* Of the path beyond the switch. */
};

struct ack {
    usec_t at;                        /* When it reaches the client. */
    uint32_t edge, ts;
    bool is_probe;                    /* Is answered. */
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
    const struct group *group;        /* Or NULL: always has more. */
    uint32_t backlog;                 /* Segments that it has to send... */
    usec_t backlog_since;             /* ...the first since then. */
    usec_t next_burst;
    usec_t longest_delay;             /* Of a burst, until it is sent. */
    struct ack acks[ACKS];
    uint32_t ack_head, ack_tail;
};

struct frame {
    uint32_t sender, seq, n, ts;
};

struct crowd {
    struct utcp *u;
    usec_t now;
    struct sender *s;
    uint32_t n;
    struct frame queue[QUEUE];
    uint32_t head, tail, most;        /* Frames under way... */
    uint32_t n_acks;                  /* ...of which so many have no text. */
    uint32_t n_over;                  /* Frames for which the switch had no room. */
    uint64_t n_served, n_steps;
    uint32_t per_1000_steps;          /* Frames that it hands up... */
    uint32_t part;                    /* ...and what of one is left over. */
    usec_t pause, pause_each;         /* So long it hands up nothing, so often. */
    usec_t reaction;                  /* Of clients, at most. */
    struct prng prng;
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
sender_start(struct crowd *c, uint32_t i, const struct group *g)
{
    struct sender *s = &c->s[i];
    struct wire_tcp_opts syn = full_syn;

    syn.has_ts = !g || !g->has_no_ts;
    peer_init(&s->p, i);
    peer_syn(c->u, &s->p, &syn, c->now);
    c->now += g ? g->rtt : 0;
    s->conn = peer_ack(c->u, &s->p, c->now + 400);
    s->edge = s->p.seq + 2920;
    s->wscale = s->p.opts.wscale;
    s->ts = s->p.opts.ts_val;
    s->message = SEGMENT;
    s->group = g;
}

static void
crowd_init(struct crowd *c, uint32_t n)
{
    struct utcp_config cfg;

    utcp_config_default(&cfg);
    memset(c, 0, sizeof *c);
    c->now = 6 * CLOCK_SEC;
    c->n = n;
    c->hoarder = UINT32_MAX;
    c->per_1000_steps = 1000 * PER_STEP;
    c->s = mem_zalloc(n * sizeof *c->s);
    c->u = utcp_create(&cfg, c->now);
    prng_init(&c->prng, 1);
}

static void
crowd_start(struct crowd *c, uint32_t n, uint32_t message)
{
    crowd_init(c, n);
    for (uint32_t i = 0; i < n; i++) {
        sender_start(c, i, NULL);
        c->s[i].message = message;
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
    uint32_t size;

    mp_assert(c->tail - c->head < QUEUE);
    c->queue[c->tail++ % QUEUE] = (struct frame) { i, seq, n, c->s[i].ts };
    c->n_acks += !n;
    size = c->tail - c->head - c->n_acks + c->n_acks / ACKS_PER_FRAME;
    c->most = MP_MAX(c->most, size);
    c->n_over += size > MAX_UNDER_WAY;
}

/* What has reached the client by now. */
static void
take_acks(struct crowd *c, struct sender *s)
{
    while (s->ack_head != s->ack_tail && s->acks[s->ack_head % ACKS].at <= c->now) {
        const struct ack *a = &s->acks[s->ack_head++ % ACKS];

        if (a->edge != s->edge && s->shut_since) {
            s->longest_wait = MP_MAX(s->longest_wait, c->now - s->shut_since);
            s->shut_since = 0;
        }
        s->edge = a->edge;
        s->ts = a->ts;
        if (a->is_probe) {
            put_frame(c, (uint32_t) (s - c->s), s->p.seq, 0);
        }
    }
}

static bool
is_periodic(const struct sender *s)
{
    return s->group && s->group->burst;
}

static void
begin_burst(struct crowd *c, struct sender *s)
{
    if (s->is_on && is_periodic(s) && c->now >= s->next_burst) {
        s->backlog_since = s->backlog ? s->backlog_since : c->now;
        s->backlog += s->group->burst;
        s->next_burst += s->group->period;
    }
}

static bool
has_more(const struct sender *s)
{
    return s->is_on && (s->backlog || !is_periodic(s));
}

static void
send_one(struct crowd *c, uint32_t i)
{
    struct sender *s = &c->s[i];
    bool is_last = room(s) < 2 * s->message;

    if (!(s->loses_next && is_last)) {
        put_frame(c, i, s->p.seq, s->message);
    }
    s->loses_next &= !is_last;
    s->p.seq += s->message;
    if (s->backlog && !--s->backlog) {
        s->longest_delay = MP_MAX(s->longest_delay, c->now - s->backlog_since);
    }
}

/* Everybody sends what the window allows. */
static void
send_all(struct crowd *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        struct sender *s = &c->s[i];

        take_acks(c, s);
        begin_burst(c, s);
        while (has_more(s) && room(s) >= s->message) {
            send_one(c, i);
        }
        if (has_more(s) && !s->shut_since) {
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

    c->n_acks -= !f->n;
    p.seq = f->seq;
    peer_send(c->u, &p, (struct wire_tcp) {
        .flags = TCP_ACK, .payload = { data, f->n },
        .opts = { .has_ts = s->p.opts.has_ts, .ts_val = 300, .ts_ecr = f->ts },
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

static bool
is_probe(const struct sender *s, const struct utcp_segment *seg)
{
    return seg->tcp.seq == s->p.ack - 1;
}

static void
put_ack(struct crowd *c, struct sender *s, const struct utcp_segment *seg)
{
    uint32_t edge = seg->tcp.ack + ((uint32_t) seg->tcp.wnd << s->wscale);
    uint32_t last = s->ack_head != s->ack_tail ? s->acks[(s->ack_tail - 1) % ACKS].edge : s->edge;
    usec_t reaction = c->reaction ? prng_below(&c->prng, (uint32_t) c->reaction) : 0;

    s->n_left += (int32_t) (edge - last) < 0;
    s->n_openings += edge != last;
    mp_assert(s->ack_tail - s->ack_head < ACKS);
    s->acks[s->ack_tail++ % ACKS] = (struct ack) {
        .at = c->now + reaction + (s->group ? s->group->rtt : 0),
        .edge = edge,
        .ts = seg->tcp.opts.ts_val,
        .is_probe = is_probe(s, seg),
    };
}

/* Takes what the endpoint sends; how many segments, but for probes. */
static uint32_t
drain(struct crowd *c)
{
    struct utcp_segment seg;
    uint32_t n = 0;

    while (next(c->u, c->now, &seg)) {
        struct sender *s = sender_of(c, &seg.tuple);

        n += !is_probe(s, &seg);
        if (!(seg.tcp.flags & TCP_RST)) {
            put_ack(c, s, &seg);
            take_acks(c, s);
        }
    }
    if (!c->broken) {
        c->broken = utcp_broken_invariant(c->u);
    }
    return n;
}

/* Frames that the switch hands up in this step. */
static uint32_t
n_served_now(struct crowd *c)
{
    if (c->pause && c->now % c->pause_each < c->pause) {
        return 0;
    }
    c->part += c->per_1000_steps;

    uint32_t n = c->part / 1000;

    c->part %= 1000;
    return n;
}

static void
spend(struct crowd *c, usec_t us)
{
    for (usec_t end = c->now + us; c->now < end; c->now += STEP_US) {
        utcp_run(c->u, c->now);
        send_all(c);
        for (uint32_t n = n_served_now(c); n && c->head != c->tail; n--) {
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
    c->n_served = c->n_steps = c->most = c->n_over = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        c->s[i].n_received = c->s[i].n_openings = 0;
        c->s[i].longest_wait = c->s[i].longest_delay = 0;
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

        if (i % 3 == 0 || conn->idx == c.u->turns[0].head || conn->idx == c.u->turns[0].tail) {
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

/* What became of a group. */
struct outcome {
    uint32_t least, most, sum;        /* Octets that arrived. */
    usec_t longest_wait, longest_delay;
};

static struct outcome
outcome_of(const struct crowd *c, const struct group *g)
{
    struct outcome o = { .least = UINT32_MAX };

    for (uint32_t i = 0; i < c->n; i++) {
        const struct sender *s = &c->s[i];

        if (s->group == g) {
            o.least = MP_MIN(o.least, s->n_received);
            o.most = MP_MAX(o.most, s->n_received);
            o.sum += s->n_received;
            o.longest_wait = MP_MAX(o.longest_wait, s->longest_wait);
            o.longest_delay = MP_MAX(o.longest_delay, s->backlog ? c->now - s->backlog_since
                                                                 : s->longest_delay);
        }
    }
    return o;
}

struct mix {
    struct group groups[3];
    uint32_t per_1000_steps;          /* 0: as PER_STEP says. */
    usec_t pause, reaction;
};

/* Half a second to settle, and a second that counts.  The pause comes ten times a second. */
static void
crowd_of(struct crowd *c, const struct mix *m)
{
    uint32_t n = 0;

    for (int i = 0; i < 3; i++) {
        n += m->groups[i].n;
    }
    crowd_init(c, n);
    c->per_1000_steps = m->per_1000_steps ? m->per_1000_steps : c->per_1000_steps;
    c->reaction = m->reaction;
    n = 0;
    for (int i = 0; i < 3; i++) {
        for (uint32_t j = 0; j < m->groups[i].n; j++) {
            sender_start(c, n++, &m->groups[i]);
        }
    }
    c->now += CLOCK_MSEC - c->now % CLOCK_MSEC;
    for (uint32_t i = 0; i < n; i++) {
        const struct group *g = c->s[i].group;
        usec_t spread = g->period ? (usec_t) (i * 7919u) % g->period : 0;

        c->s[i].next_burst = c->now + 40 * CLOCK_MSEC + (g->is_aligned ? 0 : spread);
    }
    turn_on(c);
    spend(c, 500 * CLOCK_MSEC);
    c->pause = m->pause;
    c->pause_each = 100 * CLOCK_MSEC;
    spend(c, 100 * CLOCK_MSEC);
    forget(c);
    spend(c, CLOCK_SEC);
}

/* The first group has much to send, the second has not. */
struct uneven {
    const char *name;
    struct mix m;
    uint32_t least_percent;           /* The first's, of what the second leaves. */
    usec_t longest_delay;             /* The second's. */
};

#define MS CLOCK_MSEC

static void
check_uneven(const struct uneven *t)
{
    const struct group *g = t->m.groups;
    uint32_t demand = g[1].n * g[1].burst * SEGMENT / (uint32_t) (g[1].period / MS) * 1000;
    struct outcome much, little;
    uint32_t left;
    struct crowd c;

    crowd_of(&c, &t->m);
    much = outcome_of(&c, &g[0]);
    little = outcome_of(&c, &g[1]);
    left = c.per_1000_steps * 10 * SEGMENT - demand;
    ok(much.sum >= left / 100 * t->least_percent, "%s: who has much to send gets %u of %u kB/s", t->name,
       much.sum / 1000, left / 1000);
    ok(little.sum >= demand / 100 * 97, "the others all that they want: %u of %u", little.sum / 1000,
       demand / 1000);
    ok(little.longest_delay <= t->longest_delay, "in %u us", (unsigned int) little.longest_delay);
    ok(c.most <= MAX_UNDER_WAY, "nothing overflows (%u frames)", c.most);
    crowd_end(&c);
}

/* Most of a crowd send little, or a burst now and then. */
TEST(who_sends_little_holds_up_nobody)
{
    static const struct uneven all[] = {
        { "80 that send a segment each 30 ms", { .groups = {
              { .n = 1 }, { .n = 80, .burst = 1, .period = 30 * MS } } }, 70, 2 * MS },
        { "clients that take up to a millisecond", { .groups = {
              { .n = 1 }, { .n = 80, .burst = 1, .period = 30 * MS } }, .reaction = MS }, 35, 2 * MS },
        { "a segment each 5 ms", { .groups = {
              { .n = 1 }, { .n = 80, .burst = 1, .period = 5 * MS } } }, 50, 10 * MS },
        { "ten have much to send, 80 a segment each 9 ms", { .groups = {
              { .n = 10 }, { .n = 80, .burst = 1, .period = 9 * MS } } }, 70, 5 * MS },
        { "80 that send their whole windows each 30 ms", { .groups = {
              { .n = 1 }, { .n = 80, .burst = 2, .period = 30 * MS } } }, 50, 10 * MS },
        { "80, slow", { .groups = {
              { .n = 1 }, { .n = 80, .burst = 2, .period = 30 * MS } }, .reaction = MS }, 30, 10 * MS },
        { "80 each 10 ms", { .groups = {
              { .n = 1 }, { .n = 80, .burst = 2, .period = 10 * MS } } }, 50, 10 * MS },
        { "80 each 10 ms, slow", { .groups = {
              { .n = 1 }, { .n = 80, .burst = 2, .period = 10 * MS } }, .reaction = MS }, 20, 10 * MS },
        { "160 each 30 ms", { .groups = {
              { .n = 1 }, { .n = 160, .burst = 2, .period = 30 * MS } } }, 50, 10 * MS },
        { "160 each 30 ms, slow", { .groups = {
              { .n = 1 }, { .n = 160, .burst = 2, .period = 30 * MS } }, .reaction = MS }, 20, 10 * MS },
        { "two windows each 30 ms", { .groups = {
              { .n = 1 }, { .n = 80, .burst = 4, .period = 30 * MS } } }, 50, 30 * MS },
        { "several windows each 100 ms", { .groups = {
              { .n = 1 }, { .n = 80, .burst = 8, .period = 100 * MS } } }, 50, 10 * MS },
        { "half of a hundred have much to send", { .groups = {
              { .n = 50 }, { .n = 50, .burst = 2, .period = 30 * MS } } }, 70, 5 * MS },
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        check_uneven(&all[i]);
    }
}

/* They leave room for what the others send meanwhile. */
TEST(pauses_overflow_nothing_in_a_mix)
{
    static const usec_t pauses[] = { 5 * MS, 12 * MS, 20 * MS };

    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        struct uneven t = {
            "half of a hundred, and pauses", { .groups = {
                { .n = 50 }, { .n = 50, .burst = 2, .period = 30 * MS } }, .pause = pauses[i] },
            50, pauses[i] + 5 * MS,
        };

        check_uneven(&t);
        t.m.reaction = MS;
        t.least_percent = 20;
        check_uneven(&t);
    }
}

/* All have much to send; how they are offered it depends on the switch alone. */
static void
check_even(const char *name, const struct mix *m, uint32_t least_percent)
{
    struct outcome o;
    struct crowd c;

    crowd_of(&c, m);
    o = outcome_of(&c, &m->groups[0]);
    ok(c.most <= MAX_UNDER_WAY, "%s: never more frames than the switch can hold (%u)", name, c.most);
    ok(c.n_served * 1000 * 100 >= c.n_steps * c.per_1000_steps * least_percent,
       "nor is it idle for want of them (%u)", (unsigned int) c.n_served);
    ok(o.most - o.least <= 6 * 4 * SEGMENT || o.least >= o.most - o.most / 10,
       "all get the same (%u to %u)", o.least, o.most);
    crowd_end(&c);
}

TEST(a_slow_switch_has_all_the_time_it_needs)
{
    static const uint32_t per_1000_steps[] = { 207, 497, 1381 };        /* 3, 7.2 and 20 MB/s. */
    char name[64];

    for (size_t i = 0; i < sizeof per_1000_steps / sizeof *per_1000_steps; i++) {
        for (uint32_t n = 100; n <= 200; n += 100) {
            struct mix m = { .groups = { { .n = n } }, .per_1000_steps = per_1000_steps[i] };

            snprintf(name, sizeof name, "%u at %u kB/s", n, per_1000_steps[i] * SEGMENT / 100);
            check_even(name, &m, 99);
            m.reaction = MS;
            check_even(name, &m, 99);
        }
    }
}

TEST(a_switch_may_pause)
{
    static const usec_t pauses[] = { 5 * MS, 12 * MS, 15 * MS, 20 * MS };
    char name[64];

    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        struct mix m = { .groups = { { .n = 100 } }, .pause = pauses[i] };
        uint32_t percent = 98 - (uint32_t) (pauses[i] / MS);

        snprintf(name, sizeof name, "pauses of %u ms", (unsigned int) (pauses[i] / MS));
        check_even(name, &m, percent);
        m.reaction = MS;
        check_even(name, &m, percent);
    }
}

/* Without timestamps there is no evidence, but the clock. */
TEST(without_timestamps_the_clock_decides)
{
    struct mix m = { .groups = { { .n = 100, .has_no_ts = true } } };

    check_even("no timestamps", &m, 99);
    m.pause = 15 * MS;
    check_even("and pauses", &m, 80);
    m.pause = 0;
    m.per_1000_steps = 497;
    check_even("and a slow switch", &m, 99);
    check_uneven(&(struct uneven) { "no timestamps, 80 that send a segment each 30 ms", { .groups = {
        { .n = 1, .has_no_ts = true }, { .n = 80, .burst = 1, .period = 30 * MS, .has_no_ts = true } } },
        50, 5 * MS });
    check_uneven(&(struct uneven) { "no timestamps, 80 that send their windows", { .groups = {
        { .n = 1, .has_no_ts = true }, { .n = 80, .burst = 2, .period = 30 * MS, .has_no_ts = true } } },
        30, 20 * MS });
}

TEST(those_far_away_have_their_part)
{
    struct mix m = { .groups = { { .n = 50 }, { .n = 50, .rtt = 20 * MS } } };

    for (int i = 0; i < 2; i++) {
        struct outcome near, far;
        struct crowd c;

        m.reaction = i * MS;
        crowd_of(&c, &m);
        near = outcome_of(&c, &m.groups[0]);
        far = outcome_of(&c, &m.groups[1]);
        ok(near.least > 1000000, "50 near ones beside 50 that are 20 ms away (%u octets each)", near.least);
        ok(far.least > 300000, "who get what they can in so many round trips (%u)", far.least);
        ok(c.most <= MAX_UNDER_WAY, "and not all of it arrives at once (%u frames)", c.most);
        crowd_end(&c);
    }
}

/* So many that each waits for as long as would make it idle, if others did not wait as well. */
TEST(a_crowd_far_away_goes_on)
{
    struct mix m = { .groups = { { .n = 200, .rtt = 200 * MS } } };
    struct outcome o;
    struct crowd c;

    crowd_of(&c, &m);
    spend(&c, 3 * CLOCK_SEC);
    forget(&c);
    spend(&c, 2 * CLOCK_SEC);
    o = outcome_of(&c, &m.groups[0]);
    ok(o.sum > 40000000, "200 that are 200 ms away send %u kB/s", o.sum / 2000);
    ok(o.least > 0 && o.longest_wait < 500 * MS, "and none waits for long (%u us)",
       (unsigned int) o.longest_wait);
    crowd_end(&c);
}

/* Nobody who has an offer has anything to send any more, but one who waits. */
TEST(evidence_is_asked_for)
{
    struct crowd c;
    struct sender *s;

    crowd_start(&c, 200, SEGMENT);
    turn_on(&c);
    spend(&c, 300 * MS);
    s = sender_of(&c, &(struct utcp_tuple) { .remote_port = 1024 + 77 });
    for (int i = 0; i < 10000 && utcp_conn_get(c.u, s->conn)->idx != c.u->turns[TURN_MORE].tail; i++) {
        spend(&c, STEP_US);
    }
    for (uint32_t i = 0; i < c.n; i++) {
        c.s[i].is_on = &c.s[i] == s;
    }
    forget(&c);
    spend(&c, 300 * MS);
    ok(s->longest_wait > 0 && s->longest_wait < 100 * MS,
       "one of 200 waits for the others, who have no more, a few milliseconds for each dozen (%u us)",
       (unsigned int) s->longest_wait);
    ok(s->n_received > 10000000, "then it has all for itself (%u octets)", s->n_received);
    crowd_end(&c);
}

/* Who took no turns, as it sent little, is noticed when it sends much, and may be again. */
TEST(who_sends_little_may_change)
{
    struct mix m = { .groups = { { .n = 1 }, { .n = 60, .burst = 2, .period = 30 * MS } } };
    struct crowd c;
    uint32_t least = UINT32_MAX, n_idle = 0;

    crowd_of(&c, &m);
    for (uint32_t i = 1; i < c.n; i++) {
        n_idle += utcp_conn_get(c.u, c.s[i].conn)->wnd_needs == NEEDS_NONE;
        c.s[i].group = NULL;
    }
    is_int(n_idle, 60, "sixty that send a little take no turns");
    spend(&c, 50 * MS);
    forget(&c);
    spend(&c, 500 * MS);
    for (uint32_t i = 0; i < c.n; i++) {
        least = MP_MIN(least, c.s[i].n_received);
    }
    ok(c.most <= MAX_UNDER_WAY, "50 ms after they all began to send much they do (%u frames)", c.most);
    ok(least > 800000, "and get their part (%u octets)", least);
    for (uint32_t i = 1; i < c.n; i++) {
        c.s[i].group = &m.groups[1];
        c.s[i].next_burst = c.now + (i * 7919) % (30 * MS);
    }
    spend(&c, 200 * MS);
    forget(&c);
    spend(&c, 500 * MS);
    ok(c.s[0].n_received > 40000000, "a little again: the one that still has much gets all else (%u)",
       c.s[0].n_received);
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
    RUN(who_sends_little_holds_up_nobody);
    RUN(pauses_overflow_nothing_in_a_mix);
    RUN(a_slow_switch_has_all_the_time_it_needs);
    RUN(a_switch_may_pause);
    RUN(without_timestamps_the_clock_decides);
    RUN(those_far_away_have_their_part);
    RUN(a_crowd_far_away_goes_on);
    RUN(evidence_is_asked_for);
    RUN(who_sends_little_may_change);
    return done_testing();
}
