/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The endpoint against reference clients over a bad path, a function of a seed: whole frames with
 * checksums, loss up to 30 %, reordering, duplication, corruption, congestion marks, paths that carry
 * less at times, small buffers, slow readers.  Every octet is checked; nothing may leak or be left
 * over; whatever the endpoint has queued goes, or goes again, within the RTO of RFC 6298.
 *
 *     sim-utcp                       the seeds of 'make check'
 *     sim-utcp --seed N [--pcap F]   one seed, with a line about it
 *     sim-utcp --seeds FIRST COUNT   many
 *     sim-utcp --transfer UP DOWN LOSS REORDER DUPLICATE DELAY_US
 *                                    one client, so many octets each way, per mille each way, by
 *                                    3 ms later: how long it takes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/utcp-world.h"
#include "unit/tap.h"

#define FIRST_SEED 1
#define N_SEEDS 600
#define STALL_US (400 * CLOCK_SEC)    /* Far beyond all back-off times. */

static uint32_t
between(struct sim *s, uint32_t low, uint32_t high)
{
    return low + prng_below(&s->prng, high - low + 1);
}

static bool
one_in(struct sim *s, uint32_t n)
{
    return prng_below(&s->prng, n) == 0;
}

static void
set_paths(struct sim *s)
{
    for (int i = 0; i < 2; i++) {
        struct simnet_path *p = &s->net.path[i];

        p->delay_us = one_in(s, 3) ? between(s, 20, 500) : between(s, 500, 60000);
        p->jitter_us = between(s, 1, 10000);
        p->frame_us = between(s, 0, 120);
        if (!one_in(s, 4)) {
            p->loss = one_in(s, 3) ? between(s, 50, 300) : between(s, 0, 50);
            p->reorder = one_in(s, 2) ? between(s, 0, 200) : 0;
            p->duplicate = one_in(s, 2) ? between(s, 0, 100) : 0;
            p->corrupt = one_in(s, 3) ? between(s, 0, 50) : 0;
        }
        p->queue_max = one_in(s, 4) ? between(s, 8, 64) : 0;
    }
}

static void
set_endpoint(struct sim *s)
{
    utcp_config_default(&s->cfg);
    s->cfg.key = (struct siphash_key) { prng_u64(&s->prng), prng_u64(&s->prng) };
    s->cfg.r2_us = 3600 * CLOCK_SEC;
    s->cfg.syn_r2_us = 600 * CLOCK_SEC;
    s->cfg.fin_wait_2_us = 3600 * CLOCK_SEC;
    s->cfg.snd_buf_max = between(s, 2000, 100000);
    s->cfg.rcv_wnd_max = one_in(s, 3) ? between(s, 2048, 20000) : between(s, 20000, 1000000);
    if (one_in(s, 3)) {
        s->cfg.rcv_wnd_initial = between(s, 1000, 60000);
    }
    if (one_in(s, 4)) {
        s->cfg.max_half_open = 0;     /* Cookies only. */
    }
    if (one_in(s, 6)) {
        s->cfg.keep_alive_us = 10 * CLOCK_SEC;
    }
    s->cfg.mtu = one_in(s, 3) ? (uint16_t) between(s, 576, 1500) : 1500;
    s->credit_every_us = one_in(s, 4) ? between(s, 1000, 300000) : 0;
    s->chunk = one_in(s, 2) ? between(s, 1, 300) : between(s, 300, 40000);
}

static uint32_t
amount(struct sim *s)
{
    return one_in(s, 5) ? 0 : one_in(s, 2) ? between(s, 1, 3000) : between(s, 3000, 120000);
}

static void
set_client(struct sim *s, struct simclient_config *c, uint16_t i)
{
    *c = (struct simclient_config) {
        .isn = one_in(s, 3) ? UINT32_MAX - between(s, 0, 20000) : (uint32_t) prng_u64(&s->prng),
        .port = (uint16_t) (20000 + i),
        .mss = (uint16_t) (one_in(s, 3) ? between(s, 100, 1400) : 1400),
        .timestamps = !one_in(s, 3),
        .sack = !one_in(s, 3),
        .nagle = one_in(s, 2),
        .delayed_acks = one_in(s, 2),
        .wscale = one_in(s, 3) ? -1 : (int) between(s, 0, 7),
        .n_tx = amount(s),
        .n_rx = amount(s),
        .message = between(s, 1, one_in(s, 2) ? 100 : 5000),
        .message_every_us = one_in(s, 2) ? between(s, 10, 2000) : 0,
        .rcv_buf = one_in(s, 3) ? between(s, 500, 4000) : between(s, 4000, 200000),
        .read_size = between(s, 100, 5000),
        .read_every_us = one_in(s, 4) ? between(s, 1000, 500000) : 0,
        .closes_first = one_in(s, 2),
        .pattern = (uint32_t) prng_u64(&s->prng),
    };
    if (!s->cfg.max_half_open) {
        /* When a cookie's ACK is lost, only more from the client can open the connection. */
        c->n_tx = MP_MAX(c->n_tx, 1);
    }
    if (c->message_every_us) {        /* Not more than about 4,000 messages. */
        c->message = MP_MAX(c->message, c->n_tx / 4000 + 1);
    }
    if (c->read_every_us) {
        c->read_size = MP_MAX(c->read_size, c->n_rx / 200);
    }
}

static void
setup(struct sim *s, uint64_t seed, const char *pcap)
{
    memset(s, 0, sizeof *s);
    s->seed = seed;
    prng_init(&s->prng, seed);
    simnet_init(&s->net, prng_u64(&s->prng));
    if (pcap) {
        simnet_trace(&s->net, pcap);
    }
    s->now = 1000 * CLOCK_SEC + (usec_t) (prng_u64(&s->prng) >> 24);
    s->is_v6 = one_in(s, 2);
    addr_parse(&s->server, s->is_v6 ? "2001:db8::1" : "192.0.2.1");
    addr_parse(&s->host, s->is_v6 ? "2001:db8::2" : "192.0.2.2");
    set_paths(s);
    set_endpoint(s);
    prng_init(&s->ecn_prng, seed ^ 0xec);
    s->marked = prng_below(&s->ecn_prng, 3) ? prng_below(&s->ecn_prng, 200) : 0;
    s->cfg.ecn = prng_below(&s->ecn_prng, 4);
    s->has_router = seed % 4 == 0;
    if (s->has_router) {
        struct ip_addr addr;

        addr_parse(&addr, s->is_v6 ? "2001:db8::3" : "192.0.2.3");
        simrouter_init(&s->router, seed, &addr, s->now);
    }
    s->n_apps = one_in(s, 8) ? MAX_CLIENTS : between(s, 1, 5);
    if (s->n_apps == MAX_CLIENTS) {   /* They take turns. */
        s->cfg.rcv_budget = 1000 + prng_below(&s->ecn_prng, 5000);
    }
    s->u = utcp_create(&s->cfg, s->now);
    for (unsigned int i = 0; i < s->n_apps; i++) {
        struct simclient_config c;

        set_client(s, &c, (uint16_t) i);
        c.ecn = prng_below(&s->ecn_prng, 2);
        simclient_init(&s->apps[i].client, &c, s->now);
    }
    s->progress_at = s->now;
    s->credit_at = CLOCK_NEVER;
}

static void
teardown(struct sim *s)
{
    for (unsigned int i = 0; i < s->n_apps; i++) {
        simclient_uninit(&s->apps[i].client);
    }
    utcp_destroy(s->u);
    simnet_uninit(&s->net);
}


static bool
is_over(const struct sim *s)
{
    for (unsigned int i = 0; i < s->n_apps; i++) {
        if (!s->apps[i].closed || s->apps[i].client.state != SIMCLIENT_DONE) {
            return false;
        }
    }
    return true;
}

static bool
check_all_there(struct sim *s)
{
    for (unsigned int i = 0; i < s->n_apps; i++) {
        const struct app *a = &s->apps[i];
        const struct simclient *c = &a->client;

        if (a->n_read != c->cfg.n_tx || c->rcv_nxt != c->cfg.n_rx) {
            return FAIL(s, "client %u: %u of %u octets came in, %u of %u went out", i, a->n_read,
                        c->cfg.n_tx, c->rcv_nxt, c->cfg.n_rx);
        }
    }
    return true;
}

/* When all is over and TIME-WAIT too, nothing is left. */
static bool
check_nothing_left(struct sim *s)
{
    const struct utcp_stats *st = utcp_stats(s->u);
    struct utcp_memory m;
    struct utcp_info info;
    uint32_t pos = 0;

    utcp_memory(s->u, &m);
    if (m.n_connections || m.n_half_open || m.n_time_wait || m.queued) {
        return FAIL(s, "left over: %u connections, %u half-open, %u in TIME-WAIT, %llu octets",
                    m.n_connections, m.n_half_open, m.n_time_wait, (unsigned long long) m.queued);
    }
    if (utcp_walk(s->u, &pos, &info)) {
        return FAIL(s, "a connection is left in the table");
    }
    if (st->opened != s->n_apps
        || st->opened != st->closed + st->aborted_by_peer + st->aborted_by_us + st->timed_out) {
        return FAIL(s, "%llu opened, %llu closed", (unsigned long long) st->opened,
                    (unsigned long long) st->closed);
    }
    if (utcp_deadline(s->u) != CLOCK_NEVER) {
        return FAIL(s, "a timer is left");
    }
    return true;
}

static bool
run(struct sim *s)
{
    usec_t last = -1;
    unsigned int n_at_once = 0;

    while (utcp_world_turn(s)) {
        usec_t at = utcp_world_next_time(s);

        s->n_turns++;
        if (is_over(s) && s->net.n == 0 && utcp_deadline(s->u) == CLOCK_NEVER) {
            return check_all_there(s) && check_nothing_left(s);
        }
        if (at == CLOCK_NEVER) {
            return FAIL(s, "nothing will ever happen any more");
        }
        if (!is_over(s) && s->now - s->progress_at > STALL_US) {
            return FAIL(s, "stalled for %lld s", (long long) ((s->now - s->progress_at) / CLOCK_SEC));
        }
        s->now = MP_MAX(at, s->now);
        n_at_once = s->now == last ? n_at_once + 1 : 0;
        last = s->now;
        if (n_at_once > 1000) {
            return FAIL(s, "spins at one instant");
        }
    }
    return false;
}

static uint64_t n_turns_awaited, n_narrower;    /* In all. */

static bool
play(uint64_t seed, const char *pcap, bool is_verbose)
{
    struct sim *s = mem_alloc(sizeof *s);

    setup(s, seed, pcap);

    usec_t started_at = s->now;
    bool good = run(s);

    if (!good) {
        diag("seed %llu after %.3f s: %s", (unsigned long long) seed,
             (double) (s->now - started_at) / 1e6, s->why);
    }
    if (is_verbose) {
        const uint64_t *values = (const uint64_t *) utcp_stats(s->u);

        for (unsigned int i = 0; i < s->n_apps; i++) {
            const struct simclient *c = &s->apps[i].client;

            diag("client %u: %u up (%u done), %u down (%u done), mss %u%s%s wscale %d", i,
                 c->cfg.n_tx, s->apps[i].n_read, c->cfg.n_rx, c->rcv_nxt, c->cfg.mss,
                 c->cfg.timestamps ? " ts" : "", c->cfg.sack ? " sack" : "", c->cfg.wscale);
        }
        for (int i = 0; i < 2; i++) {
            const struct simnet_path *p = &s->net.path[i];

            diag("to %s: delay %lld us, loss %u, reorder %u, duplicate %u, corrupt %u per mille",
                 i ? "server" : "client", (long long) p->delay_us, p->loss, p->reorder,
                 p->duplicate, p->corrupt);
        }
        diag("%llu turns, %llu frames", (unsigned long long) s->n_turns,
             (unsigned long long) s->net.n_sent);
        for (size_t i = 0; i < utcp_n_stats; i++) {
            if (values[i]) {
                diag("%s %llu", utcp_stats_descs[i].name, (unsigned long long) values[i]);
            }
        }
    }
    n_turns_awaited += utcp_stats(s->u)->turns_awaited;
    n_narrower += utcp_stats(s->u)->icmp_pmtu;
    teardown(s);
    mem_free(s);
    return good;
}

static void
play_many(const char *program, uint64_t first, uint64_t n)
{
    uint64_t n_failed = 0;

    for (uint64_t seed = first; seed < first + n && n_failed < 10; seed++) {
        if (!play(seed, NULL, false)) {
            char pcap[64];

            n_failed++;
            snprintf(pcap, sizeof pcap, "sim-utcp-%llu.pcap", (unsigned long long) seed);
            play(seed, pcap, false);
            diag("trace in %s; replay: %s --seed %llu", pcap, program, (unsigned long long) seed);
        }
    }
    ok(n_failed == 0, "seeds %llu to %llu: every octet arrives, nothing stalls, nothing is left",
       (unsigned long long) first, (unsigned long long) (first + n - 1));
    if (n >= N_SEEDS) {
        ok(n_turns_awaited >= n / 4, "in some, windows opened by turns (%llu times)",
           (unsigned long long) n_turns_awaited);
        ok(n_narrower >= n / 8, "paths turn out to carry less");
    }
}

/* One transfer with the endpoint's defaults, for tuning. */
static void
transfer(char *args[])
{
    struct sim *s = mem_alloc(sizeof *s);
    struct simclient_config c = {
        .isn = 1, .port = 20000, .mss = 1460, .timestamps = true, .sack = true, .wscale = 7,
        .delayed_acks = true, .n_tx = (uint32_t) strtoul(args[0], NULL, 0),
        .n_rx = (uint32_t) strtoul(args[1], NULL, 0), .message = 1, .rcv_buf = 4u << 20,
        .closes_first = true,
    };

    setup(s, 1, NULL);
    teardown(s);
    memset(s, 0, sizeof *s);
    prng_init(&s->prng, 1);
    simnet_init(&s->net, 1);
    for (int i = 0; i < 2; i++) {
        s->net.path[i] = (struct simnet_path) {
            .loss = (uint32_t) strtoul(args[2], NULL, 0),
            .reorder = (uint32_t) strtoul(args[3], NULL, 0),
            .duplicate = (uint32_t) strtoul(args[4], NULL, 0),
            .delay_us = strtol(args[5], NULL, 0), .jitter_us = 3000, .frame_us = 3,
        };
    }
    s->now = 1000 * CLOCK_SEC;
    s->credit_at = CLOCK_NEVER;
    s->chunk = 10000;
    addr_parse(&s->server, "192.0.2.1");
    addr_parse(&s->host, "192.0.2.2");
    utcp_config_default(&s->cfg);
    s->u = utcp_create(&s->cfg, s->now);
    s->n_apps = 1;
    simclient_init(&s->apps[0].client, &c, s->now);

    usec_t started_at = s->progress_at = s->now;
    bool good = run(s);
    const struct utcp_stats *st = utcp_stats(s->u);

    /* The run ends when TIME-WAIT is over. */
    diag("%.3f s; %llu segments in, %llu out, %llu again, %llu time-outs, %llu recoveries, "
         "%llu tail probes", (double) (s->progress_at - started_at) / 1e6,
         (unsigned long long) st->segments_in, (unsigned long long) st->segments_out,
         (unsigned long long) st->retransmitted, (unsigned long long) st->timeouts,
         (unsigned long long) st->fast_retransmits, (unsigned long long) st->tail_probes);
    ok(good, "transfer %s", good ? "" : s->why);
    teardown(s);
    mem_free(s);
}

int
main(int argc, char *argv[])
{
    uint64_t first = FIRST_SEED, n = N_SEEDS;

    if (argc == 8 && !strcmp(argv[1], "--transfer")) {
        transfer(argv + 2);
        return done_testing();
    }

    if (argc >= 3 && !strcmp(argv[1], "--seed")) {
        const char *pcap = argc >= 5 && !strcmp(argv[3], "--pcap") ? argv[4] : NULL;

        ok(play(strtoull(argv[2], NULL, 0), pcap, true), "seed %s", argv[2]);
        return done_testing();
    }
    if (argc >= 4 && !strcmp(argv[1], "--seeds")) {
        first = strtoull(argv[2], NULL, 0);
        n = strtoull(argv[3], NULL, 0);
    }
    play_many(argv[0], first, n);
    return done_testing();
}
