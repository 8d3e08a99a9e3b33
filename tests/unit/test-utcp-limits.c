/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Many connections, floods and limits: SYN cookies, the demultiplexing table, memory, ids, two
 * endpoints in one process, the steering of the receive window. */
#include "base/prng.h"
#include "base/mem.h"
#include "unit/utcp-peer.h"
#include "wire/csum.h"
#include "utcp/table.h"

static struct utcp *
create(uint32_t max_connections, uint32_t max_half_open)
{
    struct utcp_config cfg;

    utcp_config_default(&cfg);
    cfg.max_connections = max_connections;
    cfg.max_half_open = max_half_open;
    cfg.key = (struct siphash_key) { 3, 4 };
    return utcp_create(&cfg, 5 * CLOCK_SEC);
}

TEST(cookies)
{
    struct utcp *u = create(1000, 2);
    struct peer p[5];
    struct utcp_memory before, after;
    struct utcp_info info;
    struct utcp_segment seg;
    usec_t now = 6 * CLOCK_SEC;
    utcp_id id;

    for (uint32_t i = 0; i < 5; i++) {
        peer_init(&p[i], i);
    }
    ok(peer_syn(u, &p[0], &full_syn, now) && peer_syn(u, &p[1], &full_syn, now),
       "two half-open connections");
    utcp_memory(u, &before);
    is_int(before.n_half_open, 2, "are kept");
    ok(peer_syn(u, &p[2], &full_syn, now), "the third gets a SYN-ACK");
    for (uint32_t i = 100; i < 50100; i++) {
        struct peer flood;

        peer_init(&flood, i);
        peer_syn(u, &flood, &full_syn, now);
    }
    utcp_memory(u, &after);
    is_int(after.n_half_open, 2, "but nothing is kept of it, nor of 50,000 more");
    is_int(after.bytes, before.bytes, "no memory has grown");
    is_int(utcp_stats(u)->cookies_sent, 50001, "cookies are counted");

    now += 30 * CLOCK_SEC;
    id = peer_ack(u, &p[2], now);
    ok(id != 0, "its ACK opens");
    ok(utcp_info(u, id, &info), "a connection");
    is_int(info.mss, 1300, "with the MSS");
    is_int(info.snd_wnd, 60000u << 9, "with the window scale");
    is_int(info.path.opaque[0], 0, "with the path of the ACK");
    utcp_send_copy(u, id, "x", 1);
    ok(next(u, now, &seg) && seg.tcp.opts.has_ts && seg.tcp.opts.ts_ecr == 101,
       "with timestamps");
    /* A hole, to see SACK. */
    p[2].seq += 10;
    peer_send(u, &p[2], (struct wire_tcp) {
        .flags = TCP_ACK, .opts = { .has_ts = true, .ts_val = 102 },
        .payload = { (const uint8_t *) "y", 1 },
    }, now);
    ok(next(u, now, &seg) && seg.tcp.opts.n_sack == 1, "with SACK");
    p[2].seq -= 10;

    /* Forged, other ends, too old. */
    ok(peer_syn(u, &p[3], &full_syn, now), "another cookie");
    p[3].ack += 1;
    is_int(peer_send(u, &p[3], (struct wire_tcp) { .flags = TCP_ACK }, now),
           UTCP_DROP_bad_cookie, "a forged one is refused");
    p[3].ack -= 1;
    p[3].t.remote_port++;
    is_int(peer_send(u, &p[3], (struct wire_tcp) { .flags = TCP_ACK }, now),
           UTCP_DROP_bad_cookie, "and one for another port");
    p[3].t.remote_port--;
    p[3].seq++;
    is_int(peer_send(u, &p[3], (struct wire_tcp) { .flags = TCP_ACK }, now),
           UTCP_DROP_bad_cookie, "and another sequence number");
    p[3].seq--;
    p[4] = p[3];
    ok(peer_ack(u, &p[3], now + 60 * CLOCK_SEC) != 0, "a minute later the right one opens");
    p[4].t.remote_port = 7;
    peer_init(&p[4], 4);
    ok(peer_syn(u, &p[4], &full_syn, now + 60 * CLOCK_SEC), "and another cookie");
    is_int(peer_ack(u, &p[4], now + 200 * CLOCK_SEC), 0, "which is too old after 140 s");

    /* The two half-open ones time out. */
    now += 200 * CLOCK_SEC;
    for (int i = 0; i < 100 && utcp_deadline(u) != CLOCK_NEVER; i++) {
        now = utcp_deadline(u) > now ? utcp_deadline(u) : now;
        utcp_run(u, now);
        while (next(u, now, &seg)) {
            continue;
        }
    }
    utcp_memory(u, &after);
    is_int(after.n_half_open, 0, "no half-open one is left");
    utcp_destroy(u);
}

TEST(cookie_without_timestamps)
{
    struct utcp *u = create(1000, 0);
    struct peer p;
    struct utcp_info info;
    struct wire_tcp_opts syn = full_syn;
    utcp_id id;

    syn.has_ts = false;
    peer_init(&p, 1);
    ok(peer_syn(u, &p, &syn, CLOCK_SEC * 6), "SYN-ACK");
    ok(!p.opts.has_wscale && !p.opts.sack_permitted && !p.opts.has_ts,
       "promises nothing that will be forgotten");
    id = peer_ack(u, &p, CLOCK_SEC * 6);
    ok(utcp_info(u, id, &info), "opens");
    is_int(info.mss, 1300, "the MSS is in the cookie");
    is_int(info.snd_wnd, 60000, "the window is not scaled");
    utcp_abort(u, id);

    struct utcp_event ev;

    ok(utcp_next_event(u, &ev) && ev.type == UTCP_EV_CLOSED, "it ends");
    is_int(peer_ack(u, &p, CLOCK_SEC * 6 + 1000), 0, "a late copy of its ACK does not open it again");
    utcp_destroy(u);
}

TEST(bad_addresses)
{
    static const struct { const char *local, *remote; } bad[] = {
        { "10.0.0.1", "224.0.0.1" }, { "10.0.0.1", "255.255.255.255" }, { "10.0.0.1", "0.0.0.0" },
        { "224.0.0.5", "10.0.0.2" }, { "255.255.255.255", "10.0.0.2" }, { "0.0.0.0", "10.0.0.2" },
        { "2001:db8::1", "ff02::1" }, { "ff02::1", "2001:db8::1" }, { "2001:db8::1", "::" },
        { "10.0.0.1", "10.0.0.1" }, { "2001:db8::1", "2001:db8::1" },
    };
    struct utcp *u = create(10, 10);
    struct utcp_segment seg;
    struct peer p;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        peer_init(&p, 0);
        addr_parse(&p.t.local, bad[i].local);
        addr_parse(&p.t.remote, bad[i].remote);
        p.t.remote_port = p.t.local_port;
        is_int(peer_send(u, &p, (struct wire_tcp) { .flags = TCP_SYN }, 0), UTCP_DROP_bad_address,
               "SYN from %s to %s is dropped (MUST-57, MUST-63)", bad[i].remote, bad[i].local);
        peer_send(u, &p, (struct wire_tcp) { .flags = TCP_ACK }, 0);
        ok(!next(u, 0, &seg), "in silence, an ACK too");
    }
    utcp_destroy(u);
}

#define MANY 100000u

TEST(many_connections)
{
    struct utcp *u = create(MANY, 10);
    struct peer *p = calloc(MANY + 1, sizeof *p);
    utcp_id *ids = calloc(MANY + 1, sizeof *ids);
    usec_t now = 6 * CLOCK_SEC;
    struct utcp_memory m;
    struct utcp_event ev;
    struct utcp_segment seg;
    unsigned int n_good = 0, n_walked = 0;
    uint32_t pos = 0;
    struct utcp_info info;

    for (uint32_t i = 0; i < MANY; i++) {
        peer_init(&p[i], i);
        n_good += peer_syn(u, &p[i], &full_syn, now) && (ids[i] = peer_ack(u, &p[i], now));
        utcp_set_user(u, ids[i], i);
    }
    is_int(n_good, MANY, "all open");
    peer_init(&p[MANY], MANY);
    is_int(peer_send(u, &p[MANY], (struct wire_tcp) { .flags = TCP_SYN }, now),
           UTCP_DROP_table_full, "one more is refused");
    utcp_memory(u, &m);
    is_int(m.n_connections, MANY, "they are counted");
    ok(m.bytes / MANY < 230, "each takes %u bytes, with its part of the table",
       (unsigned int) (m.bytes / MANY));
    while (utcp_walk(u, &pos, &info)) {
        n_walked++;
    }
    is_int(n_walked, MANY, "a walk finds all");

    n_good = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        peer_send(u, &p[i], (struct wire_tcp) {
            .flags = TCP_ACK, .payload = { (const uint8_t *) "data", 4 },
            .opts = { .has_ts = true, .ts_val = 200 },
        }, now);
        n_good += utcp_next_event(u, &ev) && ev.type == UTCP_EV_DATA && ev.conn == ids[i]
                  && ev.user == i && ev.data.n == 4;
        next(u, now, &seg);
    }
    is_int(n_good, MANY, "each gets its own data");

    /* Every second one goes; their ids are dead, the others live. */
    for (uint32_t i = 0; i < MANY; i += 2) {
        utcp_abort(u, ids[i]);
        utcp_next_event(u, &ev);
        next(u, now, &seg);
    }
    n_good = 0;
    utcp_run(u, now);
    for (uint32_t i = 0; i < MANY; i++) {
        n_good += utcp_info(u, ids[i], &info) == (i % 2 == 1);
    }
    is_int(n_good, MANY, "every second one is gone, and only these");
    /* Others take their places; the old ids still name nobody. */
    for (uint32_t i = 0; i < MANY; i += 2) {
        struct peer again;

        peer_init(&again, MANY * 2 + i);
        peer_syn(u, &again, &full_syn, now);
        peer_ack(u, &again, now);
    }
    n_good = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        utcp_abort(u, i % 2 ? 0 : ids[i]);
        n_good += !utcp_next_event(u, &ev);
    }
    is_int(n_good, MANY, "old ids do not hit the new connections");
    utcp_memory(u, &m);
    is_int(m.n_connections, MANY, "all places are taken again");
    free(p);
    free(ids);
    utcp_destroy(u);
}

/* Against a plain array. */
/* Who looks ahead finds whose the segments will be, and whatever comes then instead, each still
 * reaches its own connection. */
TEST(looking_ahead)
{
    enum { N = 3000, BATCH = 32, STRANGER = 13 };
    struct utcp *u = create(N, 10);
    struct peer *p = calloc(N + 1, sizeof *p);
    struct utcp_ahead a[BATCH];
    usec_t now = 6 * CLOCK_SEC;
    struct utcp_event ev;
    struct utcp_segment seg;
    unsigned int n_good = 0, n_found = 0;

    ok(!utcp_is_crowded(u), "no crowd");
    for (uint32_t i = 0; i < N; i++) {
        peer_init(&p[i], i);
        if (i % 3 == 0) {
            addr_parse(&p[i].t.local, "2001:db8::1");
            addr_parse(&p[i].t.remote, "2001:db8::2");
        }
        peer_syn(u, &p[i], &full_syn, now);
        utcp_set_user(u, peer_ack(u, &p[i], now), i + 1);
    }
    ok(utcp_is_crowded(u), "a crowd");
    peer_init(&p[N], N);
    for (int round = 0; round < 4; round++) {
        utcp_ahead_begin(u);
        for (uint32_t i = 0; i < BATCH; i++) {
            const struct peer *peer = &p[i == STRANGER ? N : i * 90];

            utcp_ahead_tuple(u, &peer->t, &a[i]);
        }
        for (uint32_t i = 0; i < BATCH; i++) {
            utcp_ahead_conn(u, &a[i]);
        }
        for (uint32_t i = 0; i < BATCH; i++) {
            n_found += utcp_ahead_user(u, &a[i]) == (i == STRANGER ? 0 : i * 90 + 1);
            utcp_ahead_ext(u, &a[i]);
        }
        for (uint32_t k = 0; k < BATCH; k++) {
            /* In order; backwards; each third one lost; others. */
            uint32_t i = round == 1 ? BATCH - 1 - k : k;
            uint32_t who = round == 3 ? i * 90 + 7 : i * 90;

            if (round == 2 && k % 3 == 0) {
                n_good++;
                continue;
            }
            peer_send(u, &p[who], (struct wire_tcp) {
                .flags = TCP_ACK, .payload = { (const uint8_t *) "data", 4 },
                .opts = { .has_ts = true, .ts_val = 200 },
            }, now);
            p[who].seq += 4;
            n_good += utcp_next_event(u, &ev) && ev.type == UTCP_EV_DATA && ev.user == who + 1;
            utcp_ahead_index(u, (uint32_t) ev.conn);
            next(u, now, &seg);
        }
    }
    is_int(n_found, 4 * BATCH, "all were found, but for the stranger");
    is_int(n_good, 4 * BATCH, "each got its own data");
    utcp_ahead_index(u, 0);
    utcp_ahead_index(u, UINT32_MAX);
    free(p);
    utcp_destroy(u);
}

TEST(table)
{
    struct utcp_table t;
    struct prng prng;
    enum { N = 20000 };
    static uint32_t hash[N + 1];
    uint32_t n_live = 0, n_bad = 0;

    prng_init(&prng, 1);
    utcp_table_init(&t);
    for (unsigned int step = 0; step < 200000; step++) {
        uint32_t i = 1 + prng_below(&prng, N);
        /* Growing first, shrinking later; few different hashes, so that runs are long. */
        bool put = !hash[i] && (step < 100000 || prng_below(&prng, 3) == 0);

        if (put) {
            hash[i] = 1 + prng_below(&prng, 5000) * 17;
            utcp_table_put(&t, hash[i], UTCP_REF_CONN | i);
            n_live++;
        } else if (hash[i] && prng_below(&prng, step < 100000 ? 4 : 1) == 0) {
            utcp_table_remove(&t, hash[i], UTCP_REF_CONN | i);
            hash[i] = 0;
            n_live--;
        }
        if (step % 1000) {
            continue;
        }
        for (uint32_t k = 1; k <= N; k++) {
            struct utcp_table_iter it = { 0 };
            uint32_t ref, n_found = 0;

            while (hash[k] && (ref = utcp_table_next(&t, hash[k], &it))) {
                n_found += ref == (UTCP_REF_CONN | k);
            }
            n_bad += n_found != (hash[k] ? 1 : 0);
        }
    }
    is_int(n_bad, 0, "each reference is found once while it is there, and never after");

    uint32_t pos = 0, n_walked = 0;

    while (utcp_table_walk(&t, &pos)) {
        n_walked++;
    }
    is_int(n_walked, n_live, "a walk finds each once");
    utcp_table_uninit(&t);
}

TEST(two_endpoints)
{
    struct utcp *u[2] = { create(10, 10), create(10, 10) };
    struct peer p[2];
    utcp_id id[2];

    for (int i = 0; i < 2; i++) {
        peer_init(&p[i], 1);
        ok(peer_syn(u[i], &p[i], &full_syn, 6 * CLOCK_SEC), "SYN-ACK");
        id[i] = peer_ack(u[i], &p[i], 6 * CLOCK_SEC);
        ok(id[i] != 0, "endpoint %d has its own connection of the same ends", i);
    }
    utcp_abort(u[0], id[0]);
    is_int(utcp_stats(u[0])->aborted_by_us, 1, "one ends");
    is_int(utcp_stats(u[1])->aborted_by_us, 0, "the other does not");
    utcp_destroy(u[0]);
    utcp_destroy(u[1]);
}

/* utcp_run(u, utcp_deadline(u)) makes progress: no spin. */
TEST(deadlines)
{
    struct utcp *u = create(100, 100);
    struct utcp_segment seg;
    usec_t now = 6 * CLOCK_SEC;
    unsigned int n = 0;

    for (uint32_t i = 0; i < 50; i++) {
        struct peer p;
        utcp_id id = 0;

        peer_init(&p, i);
        peer_syn(u, &p, &full_syn, now);
        if (i % 2) {
            id = peer_ack(u, &p, now);
            utcp_send_copy(u, id, "hello", 5);
        }
        now += 777;
    }
    while (next(u, now, &seg)) {
        continue;
    }
    for (; n < 20000; n++) {
        usec_t at = utcp_deadline(u);

        if (at == CLOCK_NEVER) {
            break;
        }
        now = at > now ? at : now;
        utcp_run(u, now);
        while (next(u, now, &seg)) {
            continue;
        }
    }
    ok(n < 2000, "50 connections that nobody answers are over after %u steps", n);
    is_int(utcp_deadline(u), CLOCK_NEVER, "and no timer is left");
    is_int(utcp_stats(u)->timed_out, 25, "the open ones were given up");
    is_int(utcp_stats(u)->half_open_expired, 25, "the half-open ones too");
    utcp_destroy(u);
}

/* Answers that nobody fetches are bounded, and the rest is counted. */
/* A fan-out that nobody acknowledges: the time-outs come together, but not in one run. */
TEST(burst_of_timers)
{
    enum { N = 5000 };
    struct utcp *u = create(N, 10);
    usec_t now = 6 * CLOCK_SEC;
    struct utcp_segment seg;
    uint64_t n_most = 0, n_runs = 0;

    for (uint32_t i = 0; i < N; i++) {
        struct peer p;

        peer_init(&p, i);
        peer_syn(u, &p, &full_syn, now);
        utcp_send_copy(u, peer_ack(u, &p, now), "hello", 5);
    }
    while (next(u, now, &seg)) {
        continue;
    }
    now += CLOCK_SEC;
    while (utcp_deadline(u) <= now && n_runs < 100) {
        uint64_t n = 0;

        utcp_run(u, now);
        while (next(u, now, &seg)) {
            n++;
        }
        n_most = n > n_most ? n : n_most;
        n_runs++;
    }
    is_int(utcp_stats(u)->retransmitted, N, "all are sent again");
    ok(n_most <= 3000 && n_runs >= 2 && n_runs < 100, "in %u runs, at most %u in one",
       (unsigned int) n_runs, (unsigned int) n_most);
    utcp_destroy(u);
}

TEST(replies)
{
    struct utcp *u = create(100, 100);
    struct utcp_segment seg;
    struct utcp_info info;
    struct peer p;
    uint32_t pos = 0, n = 0;

    peer_init(&p, 0);
    for (int i = 0; i < 5000; i++) {
        peer_send(u, &p, (struct wire_tcp) { .flags = TCP_ACK }, 6 * CLOCK_SEC);
    }
    is_int(utcp_stats(u)->replies_dropped, 5000 - 2048, "the queue of answers is bounded");
    while (next(u, 6 * CLOCK_SEC, &seg)) {
        n++;
    }
    is_int(n, 2048, "and what is in it is sent");
    ok(peer_syn(u, &p, &full_syn, 6 * CLOCK_SEC), "a SYN is answered again");
    ok(utcp_walk(u, &pos, &info), "a walk shows the half-open connection");
    is_int(info.state, UTCP_SYN_RECEIVED, "as such");
    ok(addr_equal(&info.tuple.remote, &p.t.remote) && info.id == 0, "with its ends, without id");
    ok(!utcp_walk(u, &pos, &info), "and nothing else");
    utcp_destroy(u);
}

/* The window that it is offered, which has sent nothing that is still under way. */
static uint32_t
window_of(const struct utcp *u, const struct peer *p)
{
    struct utcp_info info;

    for (uint32_t pos = 0; utcp_walk(u, &pos, &info); ) {
        if (info.tuple.remote_port == p->t.remote_port) {
            return info.rcv_wnd;
        }
    }
    return 0;
}

/* Takes what comes out, for it and for others. */
static void
take_all(struct utcp *u, struct peer *p, usec_t now)
{
    struct utcp_segment seg;

    while (next(u, now, &seg)) {
        if (seg.tuple.remote_port == p->t.remote_port) {
            p->opts.ts_val = seg.tcp.opts.ts_val;
        }
    }
}

/* Sends 'n' segments of 'size', filling each offered window as a client without Nagle would, one
 * round trip per window.  Returns the window that is offered in the end, UINT32_MAX when it gets
 * stuck. */
static uint32_t
publish(struct utcp *u, struct peer *p, uint32_t size, unsigned int n, usec_t *now)
{
    static uint8_t data[1460];
    struct utcp_event ev;

    for (unsigned int idle = 0; n && idle < 400; ) {
        uint32_t used = 0, wnd = window_of(u, p);

        idle++;

        while (n && used + size <= wnd) {
            peer_send(u, p, (struct wire_tcp) {
                .flags = TCP_ACK, .payload = { data, size },
                .opts = { .has_ts = true, .ts_val = 300, .ts_ecr = p->opts.ts_val },
            }, *now);
            p->seq += size;
            used += size;
            n--;
            idle = 0;
            while (utcp_next_event(u, &ev)) {
                if (ev.type == UTCP_EV_DATA) {
                    utcp_credit(u, ev.conn, ev.data.n);
                }
            }
        }
        take_all(u, p, *now);
        *now += 500;
        utcp_run(u, *now);            /* Others may have their turn before. */
    }
    return n ? UINT32_MAX : window_of(u, p);
}

TEST(window_steering)
{
    struct utcp_config cfg;
    usec_t now = 6 * CLOCK_SEC;
    struct peer p[40];
    uint32_t w;

    utcp_config_default(&cfg);
    cfg.rcv_wnd_max = 131070;         /* Shift 1. */
    cfg.rcv_budget = 200 * 1460;

    struct utcp *u = utcp_create(&cfg, now);

    for (uint32_t i = 0; i < 40; i++) {
        peer_init(&p[i], i);
        peer_syn(u, &p[i], &full_syn, now);
        peer_ack(u, &p[i], now + 400);
    }
    now += 1000;
    w = publish(u, &p[0], 85, 2000, &now);
    ok(w <= 2 * 1460, "small segments: the window stays at two segments (%u)", w);
    w = publish(u, &p[1], 1448, 400, &now);
    ok(w > 30000 && w <= 32768 + 1448, "full segments that use up the window: it grows to what gains "
       "something across a switch (%u)", w);
    w = publish(u, &p[1], 85, 2000, &now);
    ok(w <= 2 * 1460, "it returns to the floor when they get small (%u)", w);
    w = publish(u, &p[2], 1100, 400, &now);
    ok(w > 30000, "1 kB messages count as well filled (%u)", w);
    for (uint32_t i = 2; i < 40; i++) {
        publish(u, &p[i], 1448, 60, &now);
    }

    uint64_t sum = 0;

    for (uint32_t i = 2; i < 40; i++) {
        w = publish(u, &p[i], 1448, 40, &now);
        sum += w > 2920 ? w - 2920 : 0;
    }
    ok(sum <= cfg.rcv_budget * 5 / 4, "38 busy clients share the budget (%u)", (unsigned int) sum);
    /* All go idle. */
    for (int i = 0; i < 40; i++) {
        now += 100000;
        utcp_run(u, now);
    }
    w = publish(u, &p[5], 1448, 6, &now);
    ok(w <= 2 * 2920, "after a second without data it starts from the floor, once what stood open is "
       "used (%u)", w);
    utcp_destroy(u);
}

/* Fills 'n' windows with full segments, a round trip each; the window that it is offered then. */
static uint32_t
fill_windows(struct utcp *u, struct peer *p, unsigned int n, usec_t rtt, usec_t *now)
{
    static uint8_t data[1448];
    struct utcp_event ev;
    uint32_t edge = p->seq + window_of(u, p), widest_step = 0;

    for (; n; n--) {
        uint32_t end = edge, ts_val = p->opts.ts_val, ts_next = ts_val;

        *now += rtt;
        utcp_run(u, *now);
        while (end - p->seq >= sizeof data && end - p->seq < UINT32_MAX / 2) {
            uint32_t right;

            p->opts.ts_val = ts_val;  /* What it was told a round trip ago. */
            peer_send(u, p, (struct wire_tcp) {
                .flags = TCP_ACK, .payload = { data, sizeof data },
                .opts = { .has_ts = true, .ts_val = 300, .ts_ecr = p->opts.ts_val },
            }, *now);
            p->seq += sizeof data;
            while (utcp_next_event(u, &ev)) {
                if (ev.type == UTCP_EV_DATA) {
                    utcp_credit(u, ev.conn, ev.data.n);
                }
            }
            take_all(u, p, *now);
            ts_next = p->opts.ts_val;
            right = p->seq + window_of(u, p);
            widest_step = MP_MAX(widest_step, right - edge);
            edge = right;
        }
        take_all(u, p, *now);
        edge = p->seq + window_of(u, p);
        p->opts.ts_val = ts_next;
    }
    ok(widest_step <= 32768 + 8, "the edge never moves by more than 32 kB (%u)", widest_step);
    return window_of(u, p);
}

TEST(window_on_a_long_path)
{
    struct utcp_config cfg;
    usec_t now = 6 * CLOCK_SEC;
    struct peer near, far[20];
    uint32_t w, sum = 0;

    utcp_config_default(&cfg);
    cfg.rcv_budget = 65536;

    struct utcp *u = utcp_create(&cfg, now);

    peer_init(&near, 100);
    peer_syn(u, &near, &full_syn, now);
    peer_ack(u, &near, now + 400);
    w = fill_windows(u, &near, 40, 1000, &now);
    ok(w > 28000 && w < 36000, "across a switch 32 kB are enough (%u)", w);
    for (uint32_t i = 0; i < 20; i++) {
        peer_init(&far[i], i);
        peer_syn(u, &far[i], &full_syn, now);
        now += 20 * CLOCK_MSEC;
        peer_ack(u, &far[i], now);
    }
    w = fill_windows(u, &far[0], 40, 20 * CLOCK_MSEC, &now);
    ok(w > 200000 && w < 400000, "over 20 ms ten times that, although the budget is 64 kB (%u)", w);
    for (uint32_t turn = 0; turn < 10; turn++) {
        sum = 0;
        for (uint32_t i = 0; i < 20; i++) {
            w = fill_windows(u, &far[i], 2, 20 * CLOCK_MSEC, &now);
            sum += w;
        }
    }
    ok(sum / 8 <= cfg.rcv_budget * 5 / 4, "twenty such share it: an eighth of a window counts (%u)",
       sum);
    utcp_destroy(u);
}

/* Whatever lies before a body in its segment, and wherever it is cut: the sum that goes with a payload
 * is the payload's.  A whole body is summed up for the first connection only. */
TEST(sums_of_payloads)
{
    enum { N = 12 };
    struct utcp_config cfg;
    usec_t now = 6 * CLOCK_SEC;
    struct mbuf *body = mbuf_create(901), *large = mbuf_create(7001);
    uint32_t n_wrong = 0, n_segments = 0;
    struct utcp_segment seg;
    struct peer p[N];

    for (uint32_t i = 0; i < large->size; i++) {
        large->data[i] = (uint8_t) (i * 31 + (i >> 8));
    }
    memcpy(body->data, large->data + 3, body->size);
    utcp_config_default(&cfg);

    struct utcp *u = utcp_create(&cfg, now);

    for (uint32_t i = 0; i < N; i++) {
        peer_init(&p[i], i);
        peer_syn(u, &p[i], &full_syn, now);

        utcp_id id = peer_ack(u, &p[i], now + 400);

        utcp_send_copy(u, id, large->data + i, i);
        utcp_send_mbuf(u, id, body, 0, body->size);
        utcp_send_copy(u, id, "odd", 3);
        utcp_send_mbuf(u, id, large, 0, large->size);
    }
    while (next(u, now + 500, &seg)) {
        uint32_t sum = csum_add(0, seg.tcp.payload.p, seg.tcp.payload.n);

        n_segments += seg.tcp.payload.n > 0;
        n_wrong += seg.tcp.payload.n
                   && (!seg.tcp.has_payload_sum || csum_fold(sum) != csum_fold(seg.tcp.payload_sum));
    }
    is_int(n_segments, N * 7, "seven segments to each of %d", N);
    is_int(n_wrong, 0, "the sum of each is right");
    is_int(body->csum, csum_add(0, body->data, body->size), "that of the small body is remembered");
    is_int(large->csum, 0, "that of one which is always cut is not");
    utcp_destroy(u);
    is_int(body->n_refs + large->n_refs, 2, "no reference is left");
    mbuf_unref(body);
    mbuf_unref(large);
}

TEST(window_in_a_crowd)
{
    struct utcp_config cfg;
    usec_t now = 6 * CLOCK_SEC;
    struct peer p[20];
    uint32_t max = 0;

    utcp_config_default(&cfg);
    cfg.rcv_wnd_max = 131070;

    struct utcp *u = utcp_create(&cfg, now);

    for (uint32_t i = 0; i < 20; i++) {
        peer_init(&p[i], i);
        peer_syn(u, &p[i], &full_syn, now);
        peer_ack(u, &p[i], now + 400);
    }
    now += 1000;
    for (uint32_t turn = 0; turn < 10; turn++) {
        max = 0;
        for (uint32_t i = 0; i < 20; i++) {
            uint32_t w = publish(u, &p[i], 85, 34, &now);

            max = w > max ? w : max;
        }
    }
    ok(max <= 1448, "20 busy publishers of small messages are offered a segment each (%u)", max);
    max = 0;
    for (uint32_t turn = 0; turn < 4; turn++) {
        for (uint32_t i = 0; i < 20; i++) {
            uint32_t w = publish(u, &p[i], 1288, 8, &now);

            max = w > max ? w : max;
        }
    }
    ok(max <= 1448, "full ones bring none of them two while there are so many (%u)", max);
    now += 2 * CLOCK_SEC;
    utcp_run(u, now);
    max = publish(u, &p[0], 85, 2, &now);
    ok(max > 1448, "one alone, later, gets two again (%u)", max);
    utcp_destroy(u);
}

int
main(void)
{
    RUN(cookies);
    RUN(cookie_without_timestamps);
    RUN(bad_addresses);
    RUN(many_connections);
    RUN(looking_ahead);
    RUN(table);
    RUN(two_endpoints);
    RUN(deadlines);
    RUN(burst_of_timers);
    RUN(replies);
    RUN(window_steering);
    RUN(sums_of_payloads);
    RUN(window_in_a_crowd);
    RUN(window_on_a_long_path);
    return done_testing();
}
