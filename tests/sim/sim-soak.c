/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* 24 hours of virtual time: 200 clients at two whole proxies that are peers, each in one of 20
 * groups whose members hear one another.  They keep alive, publish with QoS 0, 1 and 2, go and come
 * back: with DISCONNECT, FIN, RST or by vanishing, their sessions clean, resumed or expired
 * meanwhile, with messages that waited or whose time was up.
 *
 * The test keeps the books of what every client is due.  Nothing stalls: each PINGREQ, PUBLISH and
 * CONNECT is answered at once, every message that is due comes, no other does.  At the end counters
 * balance, and the second half of the time has taken no memory.
 *
 *     sim-soak [HOURS [SEED]]
 *
 * One thread. */
#include "sim/crowd.h"

#include "base/mem.h"
#include "base/prng.h"
#include "unit/tap.h"

#include <malloc.h>
#include <time.h>

enum {
    N_CLIENTS = 200, N_GROUPS = 20, MAX_LATE = 1024, DEFAULT_HOURS = 24,
    SESSION_S = 3600, MESSAGE_S = 600,
};

enum leaving { BY_DISCONNECT, BY_FIN, BY_RST, BY_VANISHING };

struct life {                         /* What a client does and is due. */
    bool is_online, is_stored, has_vanished;
    uint8_t version, qos;
    uint16_t keep_alive_s;
    uint32_t n_pings, n_publishes, n_due;
    usec_t ping_at, publish_at, turn_at;            /* turn_at: leaves or comes back. */
    usec_t session_ends_at;           /* Of one who is away: CLOCK_NEVER while there is none. */
    usec_t late[MAX_LATE];            /* When messages expire that wait for one who is away. */
    uint32_t n_late;
};

struct soak {
    struct crowd crowd;
    struct prng prng;
    struct life lives[N_CLIENTS];
    uint64_t n_messages, n_late, n_expired, n_vanishings, n_comings, n_resumed, n_sessions_expired;
    uint64_t n_to_vanished;           /* Messages that are due to those who hear nothing. */
};

static usec_t
soon(struct soak *s, uint32_t mean_s)
{
    return s->crowd.now + (1 + prng_below(&s->prng, 2 * mean_s * 1000)) * CLOCK_MSEC;
}

static bool
settled(struct soak *s, uint32_t i, const char *after)
{
    struct crowd *c = &s->crowd;
    const struct member *m = &c->members[i];
    const struct life *life = &s->lives[i];

    crowd_settle(c);
    if (m->n_connacks != 1 || m->connack || m->n_pingresps != life->n_pings
        || m->n_acked != life->n_publishes || m->got_fin || m->got_rst) {
        return crowd_fail(c, "client %u after %s: %u CONNACKs, the last %u; %u PINGRESPs of %u; %u "
                          "messages of %u acknowledged%s", i, after, m->n_connacks, m->connack,
                          m->n_pingresps, life->n_pings, m->n_acked, life->n_publishes,
                          m->got_fin || m->got_rst ? "; closed" : "");
    }
    if (m->n_messages[CROWD_GROUP] != life->n_due) {
        return crowd_fail(c, "client %u after %s: %u messages, %u were due", i, after,
                          m->n_messages[CROWD_GROUP], life->n_due);
    }
    return !c->why[0];
}

/* ---- What clients do ---- */

static bool
ping(struct soak *s, uint32_t i)
{
    struct life *life = &s->lives[i];

    crowd_packet(&s->crowd, &s->crowd.members[i], 0xc0, NULL, 0);
    life->n_pings++;
    life->ping_at = s->crowd.now + life->keep_alive_s * CLOCK_SEC
                    - prng_below(&s->prng, life->keep_alive_s * 300) * CLOCK_MSEC;
    return settled(s, i, "PINGREQ");
}

/* A message of client 'from' to 'to', who is in its group. */
static void
make_due(struct soak *s, uint32_t from, uint32_t to, uint8_t qos)
{
    struct life *life = &s->lives[to];
    bool is_local = s->crowd.members[from].edge == s->crowd.members[to].edge;

    if (life->is_online) {
        life->n_due++;
        s->n_messages++;
    } else if (life->has_vanished) {
        s->n_to_vanished++;
    } else if (life->is_stored && s->crowd.now < life->session_ends_at && is_local
               && MP_MIN(qos, life->qos) > 0 && life->n_late < MAX_LATE) {
        /* Between proxies messages have QoS 0, for which nothing is kept. */
        life->late[life->n_late++] = s->lives[from].version == 5 ? s->crowd.now
                                                                   + MESSAGE_S * CLOCK_SEC
                                                                 : CLOCK_NEVER;
    }
}

static bool
publish(struct soak *s, uint32_t i)
{
    struct life *life = &s->lives[i];
    uint32_t group = i % N_GROUPS;
    char topic[32];
    struct crowd_publish p = {
        .topic = topic, .qos = (uint8_t) prng_below(&s->prng, 3), .expiry_s = MESSAGE_S,
        .n = 1 + prng_below(&s->prng, 1000),
    };

    snprintf(topic, sizeof topic, "g/%u/%u", group, i);
    for (uint32_t to = group; to < N_CLIENTS; to += N_GROUPS) {
        make_due(s, i, to, p.qos);
    }
    crowd_publish(&s->crowd, &s->crowd.members[i], &p);
    life->n_publishes += p.qos > 0;
    life->publish_at = soon(s, 600);
    if (!settled(s, i, "PUBLISH")) {
        return false;
    }
    for (uint32_t to = group; to < N_CLIENTS; to += N_GROUPS) {
        if (s->lives[to].is_online && !settled(s, to, "another's PUBLISH")) {
            return false;
        }
    }
    return true;
}

/* What waits at 'now'; true where that cannot be told because it is just about to expire. */
static bool
count_late(const struct soak *s, const struct life *life, uint32_t *n)
{
    bool is_close = false;

    *n = 0;
    for (uint32_t i = 0; i < life->n_late; i++) {
        *n += life->late[i] > s->crowd.now;
        is_close |= life->late[i] > s->crowd.now - 3 * CLOCK_SEC
                    && life->late[i] < s->crowd.now + 3 * CLOCK_SEC;
    }
    return is_close;
}

static bool
come(struct soak *s, uint32_t i)
{
    struct crowd *c = &s->crowd;
    struct life *life = &s->lives[i];
    bool is_present = life->is_stored && life->session_ends_at != CLOCK_NEVER
                      && c->now < life->session_ends_at;
    struct crowd_connect connect = {
        .version = life->version, .keep_alive_s = life->keep_alive_s,
        .expiry_s = life->is_stored ? SESSION_S : 0,
    };
    char filter[32];
    struct member *m;
    uint32_t n_late;

    if (count_late(s, life, &n_late)) {
        life->turn_at = c->now + 7 * CLOCK_SEC;
        return true;
    }
    m = crowd_open(c, i, i + 1, (uint8_t) (i / N_GROUPS % CROWD_EDGES));
    crowd_settle(c);
    crowd_connect(c, m, &connect);
    life->n_due = is_present ? n_late : 0;
    s->n_late += life->n_due;
    s->n_expired += is_present ? life->n_late - n_late : 0;
    s->n_sessions_expired += life->is_stored && !is_present && life->session_ends_at != CLOCK_NEVER;
    s->n_resumed += is_present;
    s->n_comings++;
    life->n_late = life->n_pings = life->n_publishes = 0;
    life->is_online = true;
    life->has_vanished = false;
    life->turn_at = soon(s, 3 * 3600);
    life->publish_at = soon(s, 600);
    life->ping_at = c->now + life->keep_alive_s * CLOCK_SEC;
    if (!settled(s, i, "CONNECT")) {
        return false;
    }
    if (m->session_present != is_present) {
        return crowd_fail(c, "client %u: its session is%s there", i, is_present ? " not" : "");
    }
    if (!is_present) {
        snprintf(filter, sizeof filter, "g/%u/+", i % N_GROUPS);
        crowd_subscribe(c, m, filter, life->qos);
        crowd_pass(c, c->now + 50 * CLOCK_MSEC);    /* The peer is told. */
    }
    return settled(s, i, "SUBSCRIBE");
}

static bool
go(struct soak *s, uint32_t i)
{
    struct crowd *c = &s->crowd;
    struct life *life = &s->lives[i];
    struct member *m = &c->members[i];
    /* What the broker has sent to one who vanishes is neither here nor there: no stored ones. */
    enum leaving leaving = (enum leaving) prng_below(&s->prng, life->is_stored ? 3 : 4);

    life->is_online = false;
    switch (leaving) {
    case BY_DISCONNECT:
        crowd_packet(c, m, 0xe0, NULL, 0);
        crowd_fin(c, m);
        break;
    case BY_FIN:
        crowd_fin(c, m);
        break;
    case BY_RST:
        crowd_rst(c, m);
        break;
    case BY_VANISHING:
        m->vanished = life->has_vanished = true;
        s->n_vanishings++;
        break;
    }
    crowd_settle(c);
    life->session_ends_at = c->now + SESSION_S * CLOCK_SEC;
    /* Beyond all doubt before the session's end, or after it; and after a time-out. */
    life->turn_at = c->now + (leaving == BY_VANISHING || prng_below(&s->prng, 4) == 0
                              ? SESSION_S + 60 + prng_below(&s->prng, 3600)
                              : 60 + prng_below(&s->prng, SESSION_S - 120)) * CLOCK_SEC;
    return !c->why[0];
}

/* ---- The run ---- */

static usec_t
next_of(const struct life *life)
{
    return life->is_online ? clock_min(clock_min(life->ping_at, life->publish_at), life->turn_at)
                           : life->turn_at;
}

static bool
act(struct soak *s, uint32_t i)
{
    struct life *life = &s->lives[i];
    usec_t now = s->crowd.now;

    if (life->turn_at <= now) {
        return life->is_online ? go(s, i) : come(s, i);
    }
    return life->publish_at <= now ? publish(s, i) : ping(s, i);
}

static bool
run_until(struct soak *s, usec_t end)
{
    for (;;) {
        uint32_t who = 0;

        for (uint32_t i = 1; i < N_CLIENTS; i++) {
            if (next_of(&s->lives[i]) < next_of(&s->lives[who])) {
                who = i;
            }
        }
        if (next_of(&s->lives[who]) > end) {
            crowd_pass(&s->crowd, end);
            return !s->crowd.why[0];
        }
        crowd_pass(&s->crowd, next_of(&s->lives[who]));
        if (!act(s, who)) {
            return false;
        }
    }
}

/* All leave for so long that nothing is kept of them: the state in which memory is compared. */
static bool
empty(struct soak *s, size_t *heap)
{
    struct crowd *c = &s->crowd;

    for (uint32_t i = 0; i < N_CLIENTS; i++) {
        if (s->lives[i].is_online && !go(s, i)) {
            return false;
        }
    }
    crowd_pass(c, c->now + 2 * SESSION_S * CLOCK_SEC);
    for (int i = 0; i < CROWD_EDGES; i++) {
        struct mqtt_memory mqtt;
        struct utcp_memory tcp;

        mqtt_memory(proxy_mqtt(c->proxy[i]), &mqtt);
        utcp_memory(proxy_utcp(c->proxy[i]), &tcp);
        if (mqtt.n_connections || mqtt.n_sessions || mqtt.n_subscriptions || tcp.n_connections
            || tcp.n_half_open || tcp.n_time_wait || tcp.queued) {
            return crowd_fail(c, "edge %d: %u connections, %u sessions, %u subscriptions; TCP has "
                              "%u connections and %llu bytes", i, mqtt.n_connections,
                              mqtt.n_sessions, mqtt.n_subscriptions, tcp.n_connections,
                              (unsigned long long int) tcp.queued);
        }
    }
    struct mallinfo2 info = mallinfo2();

    *heap = info.uordblks + info.hblkhd;
    for (uint32_t i = 0; i < N_CLIENTS; i++) {
        s->lives[i].turn_at = soon(s, 60);
    }
    return !c->why[0];
}

#define U(X) ((unsigned long long int) (X))

static void
check_counters(struct soak *s)
{
    struct crowd *c = &s->crowd;
    uint64_t n_out = 0, n_received = 0, n_silent = 0, n_timed_out = 0, n_expired = 0,
             n_dropped = 0;

    for (int i = 0; i < CROWD_EDGES; i++) {
        const struct mqtt_stats *mqtt = mqtt_stats(proxy_mqtt(c->proxy[i]));
        const struct utcp_stats *tcp = utcp_stats(proxy_utcp(c->proxy[i]));
        const struct peer_stats *peer = peers_stats(proxy_peers(c->proxy[i]));
        const struct peer_stats *other = peers_stats(proxy_peers(c->proxy[!i]));
        uint64_t n_ended = tcp->closed + tcp->aborted_by_peer + tcp->aborted_by_us
                           + tcp->timed_out;

        ok(tcp->opened == n_ended, "edge %d: %llu connections opened, %llu ended", i,
           U(tcp->opened), U(n_ended));
        ok(peer->datagrams_out == other->datagrams_in && peer->publishes_out == other->publishes_in
           && peer->subscribes_out == other->subscribes_in,
           "edge %d: the peer got all %llu datagrams, %llu SUBSCRIBEs, %llu PUBLISHes", i,
           U(peer->datagrams_out), U(peer->subscribes_out), U(peer->publishes_out));
        ok(peer->subscribes_out > U(c->now / (40 * CLOCK_SEC)),
           "edge %d: SUBSCRIBEs were refreshed all the time", i);
        n_out += mqtt->publishes_out;
        n_received += c->n_received[i];
        n_silent += mqtt->keep_alive_timeouts;
        n_timed_out += tcp->timed_out;
        n_expired += mqtt->expired;
        n_dropped += mqtt->dropped_qos0 + mqtt->dropped_qos12 + mqtt->malformed
                     + mqtt->protocol_errors;
    }
    ok(n_received == s->n_messages + s->n_late && n_out >= n_received
       && n_out <= n_received + s->n_to_vanished,
       "%llu PUBLISHes sent, %llu received: %llu at once, %llu later", U(n_out), U(n_received),
       U(s->n_messages), U(s->n_late));
    /* After the time-out of its keep-alive a connection may still wait for its data to be taken. */
    ok(n_silent <= s->n_vanishings && n_timed_out <= s->n_vanishings
       && n_silent + n_timed_out >= s->n_vanishings,
       "of %llu that vanished %llu were missed by their keep-alive, %llu by TCP",
       U(s->n_vanishings), U(n_silent), U(n_timed_out));
    ok(n_expired >= s->n_expired && s->n_expired > 0, "%llu messages expired, %llu of them in "
       "sessions that were resumed", U(n_expired), U(s->n_expired));
    ok(!n_dropped, "nothing was dropped, nobody misunderstood");
    ok(s->n_resumed > 0 && s->n_sessions_expired > 0, "%llu comings, %llu resumed a session, of "
       "%llu it had expired", U(s->n_comings), U(s->n_resumed), U(s->n_sessions_expired));
}

static void
tune(struct proxy_config *config)
{
    config->mqtt.session_expiry_us = SESSION_S * CLOCK_SEC;
}

static void
create(struct soak *s, uint64_t seed)
{
    static const uint16_t keep_alives[] = { 30, 60, 300, 600 };

    prng_init(&s->prng, seed);
    crowd_init(&s->crowd, N_CLIENTS, tune);
    for (uint32_t i = 0; i < N_CLIENTS; i++) {
        struct life *life = &s->lives[i];

        life->version = i & 1 ? 5 : 4;
        life->is_stored = prng_below(&s->prng, 2);
        life->qos = (uint8_t) prng_below(&s->prng, 3);
        life->keep_alive_s = keep_alives[prng_below(&s->prng, MP_ARRAY_SIZE(keep_alives))];
        life->session_ends_at = CLOCK_NEVER;
        life->turn_at = soon(s, 60);
    }
}

static void
soak(uint32_t hours, uint64_t seed)
{
    struct soak *s = mem_zalloc(sizeof *s);
    usec_t day = hours * 3600 * CLOCK_SEC;
    size_t heaps[2] = { 0, 0 };
    bool good;

    create(s, seed);
    good = run_until(s, day / 2) && empty(s, &heaps[0]) && run_until(s, day)
           && empty(s, &heaps[1]);
    if (!ok(good, "%u hours of %d clients: nothing stalls, all that is due comes and no more",
            hours, N_CLIENTS)) {
        diag("seed %llu after %.3f s: %s", U(seed), (double) s->crowd.now / 1e6, s->crowd.why);
    } else {
        check_counters(s);
        ok(heaps[1] <= heaps[0] + heaps[0] / 100,
           "the second half takes no memory (%zu, %zu bytes)", heaps[0], heaps[1]);
    }
    diag("%.0f s of virtual time in %.1f s", (double) s->crowd.now / 1e6,
         (double) clock() / CLOCKS_PER_SEC);
    crowd_uninit(&s->crowd);
    mem_free(s);
}

int
main(int argc, char *argv[])
{
    soak(argc > 1 ? (uint32_t) strtoul(argv[1], NULL, 0) : DEFAULT_HOURS,
         argc > 2 ? strtoull(argv[2], NULL, 0) : 1);
    return done_testing();
}
