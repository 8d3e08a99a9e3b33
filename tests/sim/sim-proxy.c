/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Two whole proxies, publishers and subscribers at both, and lossy paths: to every client its own,
 * and one between the edges.  A function of its seed.
 *
 * What must hold whatever the paths do to frames: a subscriber, at whichever edge, gets each message
 * that was published, whole, exactly once and, from one publisher, in order.  No PUBLISH crosses twice
 * or back.  When all clients are gone, nothing is left of them. */
#include "proxy/proxy.h"

#include "base/mem.h"
#include "base/prng.h"
#include "sim/gbn.h"
#include "sim/net.h"
#include "unit/tap.h"

enum { N_EDGES = 2, N_CLIENTS = 3, MAX_MESSAGES = 40, UPLINK = 10, FIRST_SEED = 1, N_SEEDS = 1000 };

#define GIVE_UP_US (1200 * CLOCK_SEC)

struct client {
    struct sim *s;
    int edge, index;
    uint32_t port;
    struct ip_addr addr;
    struct mac_addr mac;
    struct gbn tcp;
    struct simnet path;
    bool publishes;
    bool connected, subscribed, disconnected;
    uint32_t n_messages, n_published, n_acked;
    uint32_t n_got[N_EDGES][N_CLIENTS];         /* From each publisher: the next that is due. */
};

struct sim {
    uint64_t seed;
    struct prng prng;
    usec_t now;
    bool v6, core_is_perfect;
    struct proxy *proxy[N_EDGES];
    struct ip_addr service[N_EDGES];
    struct client clients[N_EDGES][N_CLIENTS];
    struct simnet core;               /* CLIENT side: edge 0; SERVER side: edge 1. */
    usec_t publish_at;                /* When all subscriptions have settled. */
    char why[200];
};

static bool
failed(struct sim *s, const char *format, ...)
{
    va_list args;

    if (!s->why[0]) {
        va_start(args, format);
        vsnprintf(s->why, sizeof s->why, format, args);
        va_end(args);
    }
    return false;
}

static struct ip_addr
address(const struct sim *s, unsigned int last)
{
    struct ip_addr a = addr_v4(0xc0a80100 | last);

    if (s->v6) {
        addr_parse(&a, "2001:db8::");
        a.b[15] = (uint8_t) last;
    }
    return a;
}

/* The payload of a message tells who sent it and which it is; its length and rest follow.  Every other
 * one can be compressed. */
static uint32_t
payload_of(const struct client *c, uint32_t number, uint8_t *buf)
{
    struct prng prng;
    uint32_t n;

    prng_init(&prng, c->s->seed * 1000003 + (uint64_t) (c->edge * 100 + c->index) * 1009 + number);
    n = 4 + prng_below(&prng, prng_below(&prng, 8) ? 200 : 9000);
    buf[0] = (uint8_t) c->edge;
    buf[1] = (uint8_t) c->index;
    buf[2] = (uint8_t) (number >> 8);
    buf[3] = (uint8_t) number;
    for (uint32_t i = 4; i < n; i++) {
        buf[i] = (uint8_t) (prng_u64(&prng) & (number & 1 ? 0x11 : 0xff));
    }
    return n;
}

/* ---- Clients ---- */

static void
send_packet(struct client *c, uint8_t first, const uint8_t *body, size_t n)
{
    uint8_t head[5], *p = head;
    size_t left = n;

    *p++ = first;
    do {
        *p++ = (uint8_t) ((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        left >>= 7;
    } while (left);
    gbn_send(&c->tcp, head, (size_t) (p - head));
    if (n) {
        gbn_send(&c->tcp, body, n);
    }
}

static void
send_connect(struct client *c)
{
    /* No keep-alive: with luck that is bad enough a retransmission waits for minutes. */
    uint8_t body[] = { 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, 2, 'a', 'a' };

    body[12] = (uint8_t) ('a' + c->edge);
    body[13] = (uint8_t) ('a' + c->index);
    send_packet(c, 0x10, body, sizeof body);
}

static void
send_publish(struct client *c)
{
    uint8_t body[16000] = { 0, 2, 't', '/' };
    uint32_t n;

    c->n_published++;
    body[4] = (uint8_t) (c->n_published >> 8);
    body[5] = (uint8_t) c->n_published;
    n = payload_of(c, c->n_published - 1, body + 6);
    send_packet(c, 0x32, body, 6 + n);
}

static bool
got_message(struct client *c, const uint8_t *payload, size_t n)
{
    uint8_t want[10000];
    const struct client *from;
    uint32_t number, *due;

    if (n < 4 || payload[0] >= N_EDGES || payload[1] >= N_CLIENTS) {
        return failed(c->s, "a message that nobody sent, of %zu bytes", n);
    }
    from = &c->s->clients[payload[0]][payload[1]];
    number = (uint32_t) payload[2] << 8 | payload[3];
    if (number >= from->n_published || payload_of(from, number, want) != n
        || memcmp(want, payload, n)) {
        return failed(c->s, "message %u of %d.%d came damaged", number, from->edge, from->index);
    }
    due = &c->n_got[from->edge][from->index];
    if (number < *due) {
        return failed(c->s, "message %u of %d.%d came twice or late", number, from->edge,
                      from->index);
    }
    if (number > *due) {
        return failed(c->s, "message %u of %d.%d was lost, %u came", *due, from->edge, from->index,
                      number);
    }
    *due = number + 1;
    return true;
}

static bool
got_packet(struct client *c, uint8_t first, const uint8_t *body, size_t n)
{
    static const uint8_t subscribe[] = { 0, 1, 0, 3, 't', '/', '#', 0 };

    switch (first >> 4) {
    case 2:
        c->connected = true;
        if (!c->publishes) {
            send_packet(c, 0x82, subscribe, sizeof subscribe);
        }
        return n == 2 && !body[1] ? true : failed(c->s, "CONNECT refused");
    case 3:
        return got_message(c, body + 4, n - 4);
    case 4:
        c->n_acked++;
        return true;
    case 9:
        c->subscribed = true;
        return true;
    default:
        return failed(c->s, "an unexpected control packet %02x", first);
    }
}

static bool
read_stream(struct client *c)
{
    for (;;) {
        size_t n = 0, used = 1;
        unsigned int shift = 0;
        bool more = c->tcp.n_rx > 0;

        while (more && used < c->tcp.n_rx && used < 5) {
            more = c->tcp.rx[used] & 0x80;
            n |= (size_t) (c->tcp.rx[used++] & 0x7f) << shift;
            shift += 7;
        }
        if (more || !c->tcp.n_rx || used + n > c->tcp.n_rx) {
            return true;
        }
        if (!got_packet(c, c->tcp.rx[0], c->tcp.rx + used, n)) {
            return false;
        }
        gbn_take(&c->tcp, used + n);
    }
}

static void
act(struct client *c)
{
    if (c->publishes && c->connected && c->s->publish_at && c->s->now >= c->s->publish_at) {
        /* Some wait for each PUBACK, some have several under way. */
        uint32_t window = 1 + (uint32_t) c->index * 4;

        while (c->n_published < c->n_messages && c->n_published - c->n_acked < window) {
            send_publish(c);
        }
    }
}

/* ---- Frames ---- */

static bool
frame_to_client(struct client *c, const uint8_t *data, size_t n)
{
    struct wire_frame f;

    /* A damaged frame may have become anything. */
    if (wire_parse(&f, data, n) == WIRE_OK && f.kind == WIRE_TCP && f.tcp.dst_port == c->tcp.port) {
        gbn_input(&c->tcp, &f.tcp, c->s->now);
        return read_stream(c);
    }
    return true;
}

static void
client_transmit(struct client *c)
{
    static uint8_t buf[WIRE_HEADROOM + 1500];
    struct wire_l3 l3 = {
        .dst_mac = net_derive_mac(&c->s->service[c->edge]), .src_mac = c->mac, .src = c->addr,
        .dst = c->s->service[c->edge], .ttl = 64,
    };
    struct wire_tcp t;

    while (gbn_next(&c->tcp, c->s->now, &t, buf + WIRE_HEADROOM)) {
        t.dst_port = 1883;

        uint8_t *frame = wire_build_tcp(&l3, &t, buf + WIRE_HEADROOM, t.payload.n);

        simnet_send(&c->path, SIMNET_SERVER, frame,
                    (size_t) (buf + WIRE_HEADROOM + t.payload.n - frame), c->s->now);
    }
}

static void
edge_transmit(struct sim *s, int edge)
{
    struct net_tx tx;

    proxy_run(s->proxy[edge], s->now);
    while (proxy_next_frame(s->proxy[edge], s->now, &tx)) {
        if (!tx.flood && tx.port <= N_CLIENTS) {
            simnet_send(&s->clients[edge][tx.port - 1].path, SIMNET_CLIENT, tx.data, tx.n, s->now);
        } else {
            simnet_send(&s->core, edge ? SIMNET_CLIENT : SIMNET_SERVER, tx.data, tx.n, s->now);
        }
    }
}

static bool
turn(struct sim *s)
{
    struct simnet_frame f;

    while (simnet_receive(&s->core, s->now, &f)) {
        proxy_rx_frame(s->proxy[f.to == SIMNET_SERVER], UPLINK, f.data, f.n, s->now);
        mem_free(f.data);
    }
    for (int e = 0; e < N_EDGES; e++) {
        for (int i = 0; i < N_CLIENTS; i++) {
            struct client *c = &s->clients[e][i];

            while (simnet_receive(&c->path, s->now, &f)) {
                if (f.to == SIMNET_SERVER) {
                    proxy_rx_frame(s->proxy[e], c->port, f.data, f.n, s->now);
                } else {
                    frame_to_client(c, f.data, f.n);
                }
                mem_free(f.data);
            }
            act(c);
            client_transmit(c);
        }
        edge_transmit(s, e);
    }
    return !s->why[0];
}

static usec_t
next_time(const struct sim *s)
{
    usec_t at = simnet_deadline(&s->core);

    for (int e = 0; e < N_EDGES; e++) {
        at = clock_min(at, proxy_deadline(s->proxy[e]));
        for (int i = 0; i < N_CLIENTS; i++) {
            at = clock_min(at, simnet_deadline(&s->clients[e][i].path));
            at = clock_min(at, gbn_deadline(&s->clients[e][i].tcp));
        }
    }
    return at;
}

/* Turns until 'done' or for 'us'. */
static bool
play_until(struct sim *s, bool (*done)(const struct sim *), usec_t us)
{
    usec_t end = s->now + us;

    for (;;) {
        if (!turn(s)) {
            return false;
        }
        if (done && done(s)) {
            return true;
        }
        usec_t at = next_time(s);

        if (at > end) {
            s->now = end;
            return done ? failed(s, "stalled") : true;
        }
        s->now = MP_MAX(at, s->now + 1);
    }
}

/* ---- The play ---- */

static bool
all_ready(const struct sim *s)
{
    for (int e = 0; e < N_EDGES; e++) {
        for (int i = 0; i < N_CLIENTS; i++) {
            const struct client *c = &s->clients[e][i];

            if (!c->connected || (!c->publishes && !c->subscribed)) {
                return false;
            }
        }
    }
    return true;
}

static bool
has_subscribers(const struct sim *s, int edge)
{
    bool any = false;

    for (int i = 0; i < N_CLIENTS; i++) {
        any |= !s->clients[edge][i].publishes;
    }
    return any;
}

/* Each edge knows what the other wants, and that it speaks the reliable dialect. */
static bool
all_known(const struct sim *s)
{
    for (int e = 0; e < N_EDGES; e++) {
        struct peer_info info;
        uint32_t pos = 0;

        if (has_subscribers(s, !e) && (!peers_walk(proxy_peers(s->proxy[e]), &pos, &info)
                                       || !info.is_reliable || !info.n_filters)) {
            return false;
        }
    }
    return true;
}

static bool
all_delivered(const struct sim *s)
{
    for (int e = 0; e < N_EDGES; e++) {
        for (int i = 0; i < N_CLIENTS; i++) {
            const struct client *to = &s->clients[e][i];

            if (to->publishes) {
                if (to->n_acked < to->n_messages) {
                    return false;
                }
                continue;
            }
            for (int pe = 0; pe < N_EDGES; pe++) {
                for (int pi = 0; pi < N_CLIENTS; pi++) {
                    if (to->n_got[pe][pi] < s->clients[pe][pi].n_messages) {
                        return false;
                    }
                }
            }
        }
    }
    return true;
}

static bool
all_closed(const struct sim *s)
{
    for (int e = 0; e < N_EDGES; e++) {
        if (!proxy_is_idle(s->proxy[e])) {
            return false;
        }
    }
    return true;
}

static bool
check_nothing_left(struct sim *s)
{
    for (int e = 0; e < N_EDGES; e++) {
        struct utcp_memory tcp;
        struct mqtt_memory mqtt;

        utcp_memory(proxy_utcp(s->proxy[e]), &tcp);
        mqtt_memory(proxy_mqtt(s->proxy[e]), &mqtt);
        if (tcp.n_connections || tcp.n_half_open || tcp.queued) {
            return failed(s, "edge %d: %u connections, %u half-open, %llu bytes are left", e,
                          tcp.n_connections, tcp.n_half_open, (unsigned long long) tcp.queued);
        }
        if (mqtt.n_connections || mqtt.n_sessions || mqtt.n_subscriptions) {
            return failed(s, "edge %d: %u connections, %u sessions, %u subscriptions are left", e,
                          mqtt.n_connections, mqtt.n_sessions, mqtt.n_subscriptions);
        }
    }
    return true;
}

static uint64_t
n_crossed(const struct sim *s)
{
    uint64_t n = 0;

    for (int e = 0; e < N_EDGES; e++) {
        n += peers_stats(proxy_peers(s->proxy[e]))->publishes_out;
    }
    return n;
}

static uint64_t
n_packed(const struct sim *s)
{
    uint64_t n = 0;

    for (int e = 0; e < N_EDGES; e++) {
        n += peers_stats(proxy_peers(s->proxy[e]))->packed_in;
    }
    return n;
}

static bool
check_crossings(struct sim *s)
{
    uint64_t n = 0;

    for (int e = 0; e < N_EDGES; e++) {
        for (int i = 0; has_subscribers(s, !e) && i < N_CLIENTS; i++) {
            n += s->clients[e][i].n_published;
        }
    }
    return n_crossed(s) == n || failed(s, "%llu PUBLISHes crossed, %llu were to",
                                       (unsigned long long) n_crossed(s), (unsigned long long) n);
}

static bool
play(struct sim *s)
{
    if (!play_until(s, all_ready, GIVE_UP_US) || !play_until(s, all_known, GIVE_UP_US)) {
        return false;
    }
    s->publish_at = s->now;
    if (!play_until(s, all_delivered, GIVE_UP_US) || !check_crossings(s)) {
        return false;
    }
    for (int e = 0; e < N_EDGES; e++) {
        for (int i = 0; i < N_CLIENTS; i++) {
            struct client *c = &s->clients[e][i];

            if (prng_below(&s->prng, 4)) {
                send_packet(c, 0xe0, NULL, 0);
            }
            gbn_close(&c->tcp);
        }
    }
    return play_until(s, all_closed, GIVE_UP_US) && check_nothing_left(s);
}

static void
random_path(struct sim *s, struct simnet_path *p, uint32_t worst)
{
    p->delay_us = prng_below(&s->prng, 20000);
    p->jitter_us = 1 + prng_below(&s->prng, 10000);
    p->loss = prng_below(&s->prng, worst + 1);
    p->reorder = prng_below(&s->prng, worst + 1);
    p->duplicate = prng_below(&s->prng, worst + 1);
    p->corrupt = prng_below(&s->prng, worst / 4 + 1);
}

static void
setup_client(struct sim *s, int edge, int index)
{
    struct client *c = &s->clients[edge][index];
    uint32_t worst = prng_below(&s->prng, 3) * 75;

    c->s = s;
    c->edge = edge;
    c->index = index;
    c->port = (uint32_t) index + 1;
    c->addr = address(s, (unsigned int) (10 * (edge + 1) + index));
    c->mac = (struct mac_addr) { { 0, 0, 0, 1, (uint8_t) edge, (uint8_t) index } };
    c->publishes = index == 0 || (index == 1 && prng_below(&s->prng, 2));
    c->n_messages = c->publishes ? 1 + prng_below(&s->prng, MAX_MESSAGES) : 0;
    gbn_init(&c->tcp, (uint16_t) (40000 + index),
             prng_below(&s->prng, 2) ? (uint32_t) prng_u64(&s->prng) : 0xffffff00);
    send_connect(c);
    simnet_init(&c->path, prng_u64(&s->prng));
    random_path(s, &c->path.path[0], worst);
    random_path(s, &c->path.path[1], worst);
}

static void
setup_edge(struct sim *s, int edge)
{
    struct net_service service = {
        .kind = NET_VIRTUAL, .prefix = { .addr = s->service[edge], .len = 128 },
    };
    struct peer_spec peer = { .addr = s->service[!edge], .port = 1883, .via = PEER_INBAND };
    struct siphash_key key = { prng_u64(&s->prng), prng_u64(&s->prng) };
    struct proxy_config config;

    proxy_config_default(&config);
    proxy_config_set_key(&config, &key);
    config.net.services = &service;
    config.net.n_services = 1;
    config.net.tcp_port = config.net.udp_port = 1883;
    config.net.probe_mac = (struct mac_addr) { { 2, 0xaa, 0, 0, 0, (uint8_t) edge } };
    config.peers = &peer;
    config.n_peers = 1;
    /* A slow path may keep a CONNECT under way for long, and nobody is to be thrown out here. */
    config.mqtt.connect_timeout_us = GIVE_UP_US;
    config.utcp.r2_us = config.utcp.syn_r2_us = GIVE_UP_US;
    s->proxy[edge] = proxy_create(&config, s->now);
}

static void
setup(struct sim *s, uint64_t seed, const char *pcap)
{
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->now = CLOCK_SEC;
    prng_init(&s->prng, seed);
    s->v6 = prng_below(&s->prng, 2);
    s->core_is_perfect = prng_below(&s->prng, 2);
    s->service[0] = address(s, 101);
    s->service[1] = address(s, 104);
    for (int e = 0; e < N_EDGES; e++) {
        setup_edge(s, e);
        for (int i = 0; i < N_CLIENTS; i++) {
            setup_client(s, e, i);
        }
    }
    simnet_init(&s->core, prng_u64(&s->prng));
    if (pcap) {
        simnet_trace(&s->core, pcap);
    }
    for (int i = 0; i < 2; i++) {
        if (!s->core_is_perfect) {
            random_path(s, &s->core.path[i], 100);
        }
    }
}

static void
teardown(struct sim *s)
{
    for (int e = 0; e < N_EDGES; e++) {
        for (int i = 0; i < N_CLIENTS; i++) {
            gbn_uninit(&s->clients[e][i].tcp);
            simnet_uninit(&s->clients[e][i].path);
        }
        proxy_destroy(s->proxy[e]);
    }
    simnet_uninit(&s->core);
}

/* What the run consisted of, so that one sees that it was no empty one. */
static void
describe(const struct sim *s)
{
    for (int e = 0; e < N_EDGES; e++) {
        for (int i = 0; i < N_CLIENTS; i++) {
            const struct client *c = &s->clients[e][i];
            uint32_t n = 0;

            for (int j = 0; j < N_EDGES * N_CLIENTS; j++) {
                n += c->n_got[j / N_CLIENTS][j % N_CLIENTS];
            }
            diag("client %d.%d: %u published, %u acknowledged, %u received; %llu frames, %llu lost", e,
                 i, c->n_published, c->n_acked, n, (unsigned long long) c->path.n_sent,
                 (unsigned long long) c->path.n_lost);
        }
    }
    diag("between the edges: %llu PUBLISHes, %llu packs, %llu frames, %llu lost%s; %.1f s",
         (unsigned long long) n_crossed(s), (unsigned long long) n_packed(s),
         (unsigned long long) s->core.n_sent,
         (unsigned long long) s->core.n_lost, s->core_is_perfect ? " (perfect)" : "",
         (double) s->now / 1e6);
}

static bool
run_seed(uint64_t seed, const char *pcap, bool verbose, uint64_t *packs)
{
    struct sim *s = mem_alloc(sizeof *s);
    bool good;

    setup(s, seed, pcap);
    good = play(s);
    if (!good) {
        diag("seed %llu after %.3f s: %s", (unsigned long long) seed, (double) s->now / 1e6,
             s->why);
    }
    *packs += n_packed(s);
    if (verbose) {
        describe(s);
    }
    teardown(s);
    mem_free(s);
    return good;
}

int
main(int argc, char *argv[])
{
    uint64_t first = FIRST_SEED, n = N_SEEDS, n_failed = 0, packs = 0;

    if (argc >= 3 && !strcmp(argv[1], "--seed")) {
        ok(run_seed(strtoull(argv[2], NULL, 0), argc >= 5 ? argv[4] : NULL, true, &packs), "seed %s",
           argv[2]);
        return done_testing();
    }
    if (argc >= 4 && !strcmp(argv[1], "--seeds")) {
        first = strtoull(argv[2], NULL, 0);
        n = strtoull(argv[3], NULL, 0);
    }
    for (uint64_t seed = first; seed < first + n && n_failed < 10; seed++) {
        if (!run_seed(seed, NULL, false, &packs)) {
            char pcap[64];

            n_failed++;
            snprintf(pcap, sizeof pcap, "sim-proxy-%llu.pcap", (unsigned long long) seed);
            run_seed(seed, pcap, true, &packs);
            diag("the path between the edges is in %s; replay: %s --seed %llu --pcap FILE", pcap,
                 argv[0], (unsigned long long) seed);
        }
    }
    ok(!n_failed, "seeds %llu to %llu: what must arrive does, whole and in order; nothing is left",
       (unsigned long long) first, (unsigned long long) (first + n - 1));
    ok(packs > n / 4, "%llu times PUBLISHes crossed compressed", (unsigned long long) packs);
    return done_testing();
}
