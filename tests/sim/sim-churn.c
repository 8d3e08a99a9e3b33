/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* 100,000 clients come to two whole proxies that are peers, subscribe, publish, leave, in three
 * rounds that differ in nothing but the clients' names and addresses.  Some say goodbye, some
 * close, reset, vanish, or never get so far.  Every message comes exactly once, every Will is
 * published; after a round nothing is left of its clients, and the third round leaves no more
 * memory in use than the second did.  Virtual time; no seed.  For a long time see sim-soak.
 *
 *     sim-churn [CLIENTS_OF_A_ROUND]         (34000; with few, tables have not grown to the end
 *                                            after two rounds)
 *
 * One thread. */
#include "sim/crowd.h"

#include "base/mem.h"
#include "unit/tap.h"

#include <malloc.h>
#include <time.h>

static double
seconds_used(void)
{
    return (double) clock() / CLOCKS_PER_SEC;
}

/* Bytes of the heap in use; 0 where the allocator does not tell. */
static size_t
heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

enum {
    WAVE = 200,                       /* Clients at a time... */
    GROUP = 10,                       /* ...of which so many hear one another. */
    N_WATCHERS = CROWD_EDGES,         /* Places after them: they hear of Wills. */
    N_ROUNDS = 3, DEFAULT_PER_ROUND = 34000, SESSION_S = 5, KEEP_ALIVE_S = 2, N_NAMES = 8,
};

enum arrival { ARRIVES, ONLY_SYN, NO_CONNECT, HALF_CONNECT };
enum leave { LEAVE_ORDERLY, LEAVE_FIN, LEAVE_RST, LEAVE_VANISH, LEAVE_UNSUBSCRIBED, N_LEAVES };

struct plan {                         /* What a client does; a function of its place and wave. */
    enum arrival arrival;
    enum leave leave;
    bool is_stored, has_will;
    uint8_t version, qos;
};

struct level {                        /* Memory after a round. */
    struct mqtt_memory mqtt[CROWD_EDGES];
    struct utcp_memory tcp[CROWD_EDGES];
    size_t heap;
};

struct churn {
    struct crowd crowd;
    uint32_t n_clients, n_wills, per_round;
    struct plan plans[WAVE];
};

static struct plan
make_plan(uint32_t wave, uint32_t i)
{
    uint32_t x = (wave * WAVE + i) * 2654435761u >> 7;
    struct plan plan = {
        .arrival = x % 50 < 3 ? (enum arrival) (1 + x % 50) : ARRIVES,
        .leave = (enum leave) (x / 50 % N_LEAVES), .is_stored = x / 250 % 4 == 0,
        .has_will = x / 1000 % 2, .version = x / 2000 % 2 ? 5 : 4, .qos = (uint8_t) (i % 3),
    };

    return plan;
}

static void
arrive(struct churn *ch, uint32_t i)
{
    static const uint8_t half[] = { 0, 4, 'M', 'Q' };
    struct crowd *c = &ch->crowd;
    struct member *m = &c->members[i];
    const struct plan *plan = &ch->plans[i];
    struct crowd_connect connect = {
        .version = plan->version, .keep_alive_s = KEEP_ALIVE_S,
        .expiry_s = plan->is_stored ? SESSION_S : 0,
        .will = plan->has_will ? (m->edge ? "w/1" : "w/0") : NULL,
    };

    switch (plan->arrival) {
    case ARRIVES:
        crowd_connect(c, m, &connect);
        break;
    case HALF_CONNECT:
        /* A whole control packet to the crowd; half of one by its first byte to the broker. */
        crowd_packet(c, m, 0x10, half, sizeof half);
        m->tx[1] = 30;
        break;
    case ONLY_SYN:
        m->vanished = true;
        break;
    case NO_CONNECT:
        break;
    }
}

static void
subscribe(struct churn *ch, uint32_t wave, uint32_t i)
{
    struct crowd *c = &ch->crowd;
    struct member *m = &c->members[i];
    char filter[64];

    snprintf(filter, sizeof filter, "g/%u/+", wave % N_NAMES * WAVE + i / GROUP);
    crowd_subscribe(c, m, filter, ch->plans[i].qos);
    snprintf(filter, sizeof filter, "client/%u/command/#", m->number);
    crowd_subscribe(c, m, filter, 1);
    snprintf(filter, sizeof filter, "$share/s%u/t/%u", i % 2, i / GROUP);
    crowd_subscribe(c, m, filter, 1);
}

static void
publish(struct churn *ch, uint32_t wave, uint32_t i)
{
    struct crowd *c = &ch->crowd;
    struct member *m = &c->members[i];
    char topic[64];
    struct crowd_publish p = { .topic = topic, .qos = ch->plans[i].qos, .n = 20 + i };

    snprintf(topic, sizeof topic, "g/%u/%u", wave % N_NAMES * WAVE + i / GROUP, i);
    crowd_publish(c, m, &p);
    crowd_settle(c);
    if (i % GROUP == 0) {
        snprintf(topic, sizeof topic, "t/%u", i / GROUP);
        crowd_publish(c, m, &p);
    } else if (i % GROUP == 1) {
        snprintf(topic, sizeof topic, "retained/%u", i);
        p.retain = true;
        crowd_publish(c, m, &p);
    } else if (i % GROUP == 2) {
        /* The second half of QoS 2 never happens. */
        m->leaves_qos2_open = true;
        snprintf(topic, sizeof topic, "open/%u", i);
        p.qos = 2;
        crowd_publish(c, m, &p);
    }
}

static void
leave(struct churn *ch, uint32_t wave, uint32_t i)
{
    struct crowd *c = &ch->crowd;
    struct member *m = &c->members[i];
    char filter[64];

    if (ch->plans[i].arrival == ARRIVES && ch->plans[i].has_will
        && ch->plans[i].leave != LEAVE_ORDERLY && ch->plans[i].leave != LEAVE_UNSUBSCRIBED) {
        ch->n_wills++;
    }
    switch (ch->plans[i].leave) {
    case LEAVE_UNSUBSCRIBED:
        snprintf(filter, sizeof filter, "g/%u/+", wave % N_NAMES * WAVE + i / GROUP);
        if (m->n_connacks) {
            crowd_unsubscribe(c, m, filter);
        }
        /* fall through */
    case LEAVE_ORDERLY:
        if (m->n_connacks) {
            crowd_packet(c, m, 0xe0, NULL, 0);
        }
        /* fall through */
    case LEAVE_FIN:
        if (!m->vanished) {
            crowd_fin(c, m);
        }
        break;
    case LEAVE_RST:
        if (!m->vanished) {
            crowd_rst(c, m);
        }
        break;
    case LEAVE_VANISH:
    case N_LEAVES:
        m->vanished = true;
        break;
    }
}

static bool
check_wave(struct churn *ch, uint32_t wave)
{
    struct crowd *c = &ch->crowd;

    for (uint32_t g = 0; g < WAVE; g += GROUP) {
        uint32_t n_arrived = 0;

        for (uint32_t i = g; i < g + GROUP; i++) {
            n_arrived += ch->plans[i].arrival == ARRIVES;
        }
        for (uint32_t i = g; i < g + GROUP; i++) {
            const struct member *m = &c->members[i];
            uint32_t n_due = n_arrived;

            if (ch->plans[i].arrival != ARRIVES) {
                n_due = 0;
            } else if (m->n_connacks != 1 || m->connack || m->n_subacks != 3) {
                return crowd_fail(c, "client %u: %u CONNACKs, the last %u; %u SUBACKs", m->number,
                                  m->n_connacks, m->connack, m->n_subacks);
            }
            if (m->n_messages[CROWD_GROUP] != n_due) {
                return crowd_fail(c, "wave %u, client %u: %u messages instead of %u", wave, i,
                                  m->n_messages[CROWD_GROUP], n_due);
            }
        }
    }
    return !c->why[0];
}

static bool
run_wave(struct churn *ch, uint32_t wave)
{
    struct crowd *c = &ch->crowd;

    for (uint32_t i = 0; i < WAVE; i++) {
        ch->plans[i] = make_plan(wave, i);
        crowd_open(c, i, ++ch->n_clients, (uint8_t) (i % CROWD_EDGES));
    }
    crowd_settle(c);
    for (uint32_t i = 0; i < WAVE; i++) {
        arrive(ch, i);
    }
    crowd_settle(c);
    for (uint32_t i = 0; i < WAVE; i++) {
        if (ch->plans[i].arrival == ARRIVES) {
            subscribe(ch, wave, i);
        }
    }
    crowd_pass(c, c->now + 100 * CLOCK_MSEC);       /* Peers are told so many filters at a time. */
    for (uint32_t i = 0; i < WAVE; i++) {
        if (ch->plans[i].arrival == ARRIVES) {
            publish(ch, wave, i);
        }
    }
    crowd_pass(c, c->now + 100 * CLOCK_MSEC);
    if (!check_wave(ch, wave)) {
        return false;
    }
    for (uint32_t i = 0; i < WAVE; i++) {
        leave(ch, wave, i);
    }
    crowd_pass(c, c->now + 100 * CLOCK_MSEC);
    return true;
}

/* At each edge: what is retained at one does not go to the other, where nobody asks for it. */
static void
clear_retained(struct churn *ch)
{
    struct crowd *c = &ch->crowd;

    for (uint32_t i = 0; i < WAVE; i++) {
        char topic[32];
        struct crowd_publish p = { .topic = topic, .retain = true };

        snprintf(topic, sizeof topic, "retained/%u", i);
        for (uint32_t j = 0; j < N_WATCHERS; j++) {
            crowd_publish(c, &c->members[WAVE + j], &p);
        }
        crowd_settle(c);
    }
}

/* Only the watchers are there. */
static bool
check_nothing_left(struct churn *ch, struct level *level)
{
    struct crowd *c = &ch->crowd;

    level->heap = heap_bytes();
    for (int i = 0; i < CROWD_EDGES; i++) {
        const struct mqtt_memory *mqtt = &level->mqtt[i];
        const struct utcp_memory *tcp = &level->tcp[i];
        struct peer_info peer;
        uint32_t pos = 0;

        mqtt_memory(proxy_mqtt(c->proxy[i]), &level->mqtt[i]);
        utcp_memory(proxy_utcp(c->proxy[i]), &level->tcp[i]);
        if (mqtt->n_connections != 1 || mqtt->n_sessions != 1 || mqtt->n_subscriptions != 1
            || mqtt->n_retained) {
            return crowd_fail(c, "broker %d: %u connections, %u sessions, %u subscriptions, %u "
                              "retained messages", i, mqtt->n_connections, mqtt->n_sessions,
                              mqtt->n_subscriptions, mqtt->n_retained);
        }
        if (tcp->n_connections != 1 || tcp->n_half_open || tcp->n_time_wait || tcp->queued) {
            return crowd_fail(c, "TCP %d: %u connections, %u half-open, %u in TIME-WAIT, %llu "
                              "bytes queued", i, tcp->n_connections, tcp->n_half_open,
                              tcp->n_time_wait, (unsigned long long int) tcp->queued);
        }
        if (!peers_walk(proxy_peers(c->proxy[i]), &pos, &peer) || peer.n_filters != 1) {
            return crowd_fail(c, "proxy %d: the peer wants %u filters", i, peer.n_filters);
        }
        if (c->members[WAVE + i].n_messages[CROWD_WILL] != ch->n_wills) {
            return crowd_fail(c, "watcher %d heard %u Wills of %u", i,
                              c->members[WAVE + i].n_messages[CROWD_WILL], ch->n_wills);
        }
    }
    return !c->why[0];
}

static bool
run_round(struct churn *ch, struct level *level)
{
    struct crowd *c = &ch->crowd;

    for (uint32_t wave = 0; wave < ch->per_round / WAVE; wave++) {
        if (!run_wave(ch, wave)) {
            return false;
        }
    }
    clear_retained(ch);
    /* Retransmissions are given up, TIME-WAIT ends, peers forget. */
    crowd_pass(c, c->now + 1800 * CLOCK_SEC);
    return check_nothing_left(ch, level);
}

static void
tune_churn(struct proxy_config *config)
{
    config->mqtt.session_expiry_us = SESSION_S * CLOCK_SEC;
}

static void
start_watchers(struct churn *ch)
{
    static const struct crowd_connect connect = { .version = 4 };
    struct crowd *c = &ch->crowd;

    for (uint32_t i = 0; i < N_WATCHERS; i++) {
        struct member *m = crowd_open(c, WAVE + i, ++ch->n_clients, (uint8_t) i);

        crowd_settle(c);
        crowd_connect(c, m, &connect);
        crowd_subscribe(c, m, "w/+", 1);
        crowd_settle(c);
    }
}

static void
check_levels(const struct level *second, const struct level *third, size_t slack)
{
    for (int i = 0; i < CROWD_EDGES; i++) {
        ok(third->mqtt[i].bytes <= second->mqtt[i].bytes,
           "broker %d: no growth between the rounds (%llu, %llu bytes)", i,
           (unsigned long long int) second->mqtt[i].bytes,
           (unsigned long long int) third->mqtt[i].bytes);
        ok(third->tcp[i].bytes <= second->tcp[i].bytes,
           "TCP %d: no growth between the rounds (%llu, %llu bytes)", i,
           (unsigned long long int) second->tcp[i].bytes,
           (unsigned long long int) third->tcp[i].bytes);
    }
    /* The buckets of hash tables fill as chance has it: less than a byte for 4 clients. */
    ok(third->heap <= second->heap + slack,
       "the heap: no growth between the rounds (%zu, %zu bytes)", second->heap, third->heap);
}

static void
test_churn(uint32_t per_round)
{
    struct churn *ch = mem_zalloc(sizeof *ch);
    struct level levels[N_ROUNDS];
    double start = seconds_used();
    bool good = true;

    ch->per_round = per_round;
    crowd_init(&ch->crowd, WAVE + N_WATCHERS, tune_churn);
    start_watchers(ch);
    for (int i = 0; good && i < N_ROUNDS; i++) {
        good = run_round(ch, &levels[i]);
        ok(good, "round %d: every message came exactly once, nothing is left of %u clients", i + 1,
           per_round);
    }
    if (good) {
        check_levels(&levels[1], &levels[2], per_round / 4);
    } else {
        diag("%s", ch->crowd.why);
    }
    diag("churn: %u clients, %u Wills, %.0f s of virtual time, %.1f s", ch->n_clients, ch->n_wills,
         (double) ch->crowd.now / 1e6, seconds_used() - start);
    crowd_uninit(&ch->crowd);
    mem_free(ch);
}

int
main(int argc, char *argv[])
{
    uint32_t per_round = argc > 1 ? (uint32_t) strtoul(argv[1], NULL, 0) : DEFAULT_PER_ROUND;

    test_churn(per_round);
    return done_testing();
}
