/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* What connections cost that mostly idle: a whole proxy in this process, with clients that speak
 * Ethernet frames to it; no socket, no switch, virtual time.  Every client has connected with SACK,
 * timestamps and window scaling, a client id and two subscriptions: to a topic of its own and to
 * one of a thousand.  The bytes of 1,000,000, where tables of 2^20 or 2^21 places are nearly full:
 *
 *     utcp     connection 192, place in the table 17, generation 4..5
 *     mqtt     conn 72, generation 4..5, session with client id 104, bucket 4
 *     topic    node of the own filter 48, bucket 4; in the list of the other one 8, its index 4
 *
 * IPv6 adds 32 in utcp and 16 in mqtt, MQTT 5.0 adds 32.  For each COUNT it prints
 *
 *     idle COUNT bytes_per_connection B       resident memory of the process, without the clients
 *     idle COUNT connect_ns NS                from SYN to SUBACK, 5 segments in
 *     idle COUNT ping_ns NS                   PINGREQ in, PINGRESP out, of random connections
 *     idle COUNT ack_ns NS                    a pure ACK in
 *     idle COUNT publish_ns NS                PUBLISH out to a random connection
 *     idle COUNT tick_max_us US               longest proxy_run() of 30 idle seconds
 *
 *     bench-idle [COUNT]...        (1000 100000 1000000) */
#include "base/mem.h"
#include "base/prng.h"
#include "proxy/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, N_BATCHES = 3000, FRAME = 256, MAX_COUNT = 2000000, PORTS = 50000 };

struct client {
    uint32_t snd_nxt, rcv_nxt, ts_ecr;
};

struct frame {
    size_t n;
    uint8_t data[FRAME];
};

struct bench {
    struct proxy *proxy;
    usec_t now;
    uint32_t n;
    struct client *clients;
    struct mac_addr service_mac;
    struct prng prng;
    struct frame in[BATCH];           /* Frames of one turn... */
    uint32_t n_in;
    struct frame out[4 * BATCH];      /* ...and the proxy's. */
    uint32_t n_out;
    int64_t ns;                       /* Spent in the proxy. */
};

#define SERVICE addr_v4(0xc0a80165)

static int64_t
clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static long int
resident_bytes(void)
{
    long int pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f || fscanf(f, "%*d %ld", &pages) != 1) {
        perror("bench-idle: /proc/self/statm");
        exit(1);
    }
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

/* ---- Frames ---- */

static void
put_frame(struct bench *b, uint32_t i, uint8_t flags, const void *data, size_t n)
{
    struct client *c = &b->clients[i];
    uint8_t buf[WIRE_HEADROOM + FRAME], *payload = buf + WIRE_HEADROOM, *start;
    struct wire_l3 l3 = {
        .dst_mac = b->service_mac, .src_mac = { { 2, 1, 0, 0, (uint8_t) (i >> 8), (uint8_t) i } },
        .src = addr_v4(0x0a000001 + i / PORTS), .dst = SERVICE, .ttl = 64, .df = true,
    };
    struct wire_tcp tcp = {
        .src_port = (uint16_t) (1024 + i % PORTS), .dst_port = 1883, .seq = c->snd_nxt,
        .ack = c->rcv_nxt, .flags = flags, .wnd = flags & TCP_SYN ? 65535 : 512,
        .opts = { .has_ts = true, .ts_val = (uint32_t) (b->now / 1000), .ts_ecr = c->ts_ecr },
    };
    struct frame *f = &b->in[b->n_in++];

    if (flags & TCP_SYN) {
        tcp.opts.has_mss = tcp.opts.has_wscale = tcp.opts.sack_permitted = true;
        tcp.opts.mss = 1460;
        tcp.opts.wscale = 7;
    }
    if (n) {
        memcpy(payload, data, n);
    }
    start = wire_build_tcp(&l3, &tcp, payload, n);
    f->n = (size_t) (payload + n - start);
    memcpy(f->data, start, f->n);
    c->snd_nxt += (uint32_t) n + !!(flags & TCP_SYN);
}

/* What the proxy sent changes the clients. */
static void
take_frames(struct bench *b)
{
    for (uint32_t i = 0; i < b->n_out; i++) {
        struct wire_frame f;

        if (wire_parse(&f, b->out[i].data, b->out[i].n) != WIRE_OK || f.kind != WIRE_TCP
            || f.tcp.flags & TCP_RST) {
            fprintf(stderr, "bench-idle: the proxy sent what no client expects\n");
            exit(1);
        }
        uint32_t subnet = addr_to_v4(&f.ip.dst) - 0x0a000001;
        struct client *c = &b->clients[subnet * PORTS + (f.tcp.dst_port - 1024)];

        c->rcv_nxt = f.tcp.seq + wire_tcp_seg_len(&f.tcp);
        c->ts_ecr = f.tcp.opts.ts_val;
    }
    b->n_out = 0;
}

/* One turn of the daemon's loop; only the proxy's time counts. */
static void
turn(struct bench *b)
{
    int64_t start = clock_ns();
    struct net_tx tx;

    for (uint32_t i = 0; i < b->n_in; i++) {
        proxy_rx_frame(b->proxy, 1, b->in[i].data, b->in[i].n, b->now);
    }
    proxy_run(b->proxy, b->now);
    while (proxy_next_frame(b->proxy, b->now, &tx)) {
        struct frame *f = &b->out[b->n_out];

        if (tx.n > FRAME || ++b->n_out == MP_ARRAY_SIZE(b->out)) {
            fprintf(stderr, "bench-idle: more output than expected\n");
            exit(1);
        }
        memcpy(f->data, tx.data, tx.n);
        f->n = tx.n;
    }
    b->ns += clock_ns() - start;
    b->n_in = 0;
    b->now += 100;
    take_frames(b);
}

/* ---- The stages ---- */

static size_t
put_string(uint8_t *p, const char *s)
{
    size_t n = strlen(s);

    p[0] = (uint8_t) (n >> 8);
    p[1] = (uint8_t) n;
    memcpy(p + 2, s, n);
    return n + 2;
}

static size_t
build_connect(uint8_t *b, uint32_t i)
{
    static const uint8_t head[] = { 0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60 };
    char id[24];
    size_t n = sizeof head;

    snprintf(id, sizeof id, "client-%u", i);
    memcpy(b, head, n);
    n += put_string(b + n, id);
    b[1] = (uint8_t) (n - 2);
    return n;
}

static size_t
build_subscribe(uint8_t *b, uint32_t i)
{
    static const uint8_t head[] = { 0x82, 0, 0, 1 };
    char filter[32];
    size_t n = sizeof head;

    memcpy(b, head, n);
    snprintf(filter, sizeof filter, "device/%u/command", i);
    n += put_string(b + n, filter);
    b[n++] = 0;
    snprintf(filter, sizeof filter, "site/%u/#", i / 1000);
    n += put_string(b + n, filter);
    b[n++] = 0;
    b[1] = (uint8_t) (n - 2);
    return n;
}

static void
connect_batch(struct bench *b, uint32_t first, uint32_t n)
{
    uint8_t packet[FRAME];

    for (uint32_t i = first; i < first + n; i++) {
        b->clients[i].snd_nxt = (uint32_t) prng_u64(&b->prng);
        put_frame(b, i, TCP_SYN, NULL, 0);
    }
    turn(b);
    for (uint32_t i = first; i < first + n; i++) {
        put_frame(b, i, TCP_ACK, NULL, 0);
    }
    turn(b);
    for (uint32_t i = first; i < first + n; i++) {
        put_frame(b, i, TCP_ACK | TCP_PSH, packet, build_connect(packet, i));
    }
    turn(b);
    for (uint32_t i = first; i < first + n; i++) {
        put_frame(b, i, TCP_ACK | TCP_PSH, packet, build_subscribe(packet, i));
    }
    turn(b);
    for (uint32_t i = first; i < first + n; i++) {
        put_frame(b, i, TCP_ACK, NULL, 0);
    }
    turn(b);
}

/* Different random clients. */
static void
draw(struct bench *b, uint32_t *who)
{
    uint32_t step = b->n / BATCH;

    for (uint32_t i = 0; i < BATCH; i++) {
        who[i] = i * step + prng_below(&b->prng, step);
    }
}

static void
print(const struct bench *b, const char *name, double value)
{
    printf("idle %u %s %.0f\n", b->n, name, value);
    fflush(stdout);
}

/* PINGREQs of random clients, then their ACKs of the PINGRESPs. */
static void
measure_pings(struct bench *b)
{
    static const uint8_t pingreq[] = { 0xc0, 0 };
    int64_t ping_ns = 0, ack_ns = 0;
    uint32_t who[BATCH];

    for (int i = 0; i < N_BATCHES; i++) {
        draw(b, who);
        for (uint32_t j = 0; j < BATCH; j++) {
            put_frame(b, who[j], TCP_ACK | TCP_PSH, pingreq, sizeof pingreq);
        }
        b->ns = 0;
        turn(b);
        ping_ns += b->ns;
        for (uint32_t j = 0; j < BATCH; j++) {
            put_frame(b, who[j], TCP_ACK, NULL, 0);
        }
        b->ns = 0;
        turn(b);
        ack_ns += b->ns;
    }
    print(b, "ping_ns", (double) ping_ns / (BATCH * N_BATCHES));
    print(b, "ack_ns", (double) ack_ns / (BATCH * N_BATCHES));
}

/* The first BATCH clients publish to random others, each one segment a turn: within its window. */
static void
measure_publishes(struct bench *b)
{
    int64_t ns = 0;
    uint32_t who[BATCH];

    for (int i = 0; i < N_BATCHES; i++) {
        draw(b, who);
        for (uint32_t j = 0; j < BATCH; j++) {
            uint8_t packet[FRAME] = { 0x30 };
            char topic[32];
            size_t n;

            snprintf(topic, sizeof topic, "device/%u/command", who[j]);
            n = 2 + put_string(packet + 2, topic);
            memset(packet + n, 'x', 64);
            packet[1] = (uint8_t) (n + 64 - 2);
            put_frame(b, j % b->n, TCP_ACK | TCP_PSH, packet, n + 64);
        }
        b->ns = 0;
        turn(b);
        ns += b->ns;
        for (uint32_t j = 0; j < BATCH; j++) {
            put_frame(b, who[j], TCP_ACK, NULL, 0);
        }
        turn(b);
    }
    if (mqtt_stats(proxy_mqtt(b->proxy))->publishes_out != BATCH * N_BATCHES) {
        fprintf(stderr, "bench-idle: PUBLISHes were lost\n");
        exit(1);
    }
    print(b, "publish_ns", (double) ns / (BATCH * N_BATCHES));
}

static void
measure_ticks(struct bench *b)
{
    usec_t end = b->now + 30 * CLOCK_SEC, at;
    int64_t longest = 0;

    while ((at = proxy_deadline(b->proxy)) < end) {
        b->now = MP_MAX(at, b->now);
        b->ns = 0;
        turn(b);
        longest = MP_MAX(longest, b->ns);
        b->now -= 100;                /* turn() moves it. */
        if (proxy_deadline(b->proxy) <= at) {
            b->now = at + 1;
        }
    }
    print(b, "tick_max_us", (double) longest / 1000);
}

static struct proxy *
create_proxy(const struct bench *b)
{
    struct net_service service = {
        .kind = NET_VIRTUAL, .prefix = { .addr = SERVICE, .len = 128 },
    };
    struct siphash_key key = { 0x1234567, 0x89abcdef };
    struct proxy_config config;

    proxy_config_default(&config);
    proxy_config_set_key(&config, &key);
    config.net.services = &service;
    config.net.n_services = 1;
    config.net.tcp_port = config.net.udp_port = 1883;
    config.utcp.max_connections = config.mqtt.max_connections = config.mqtt.max_sessions = b->n + 1;
    return proxy_create(&config, b->now);
}

static void
measure(uint32_t n)
{
    struct bench b = { .now = CLOCK_SEC, .n = n };
    long int before;

    b.clients = calloc(n, sizeof *b.clients);
    if (!b.clients) {
        perror("bench-idle");
        exit(1);
    }
    memset(b.clients, 1, n * sizeof *b.clients);      /* Resident from the beginning. */
    prng_init(&b.prng, 42);
    struct ip_addr service = SERVICE;

    b.service_mac = net_derive_mac(&service);
    before = resident_bytes();
    b.proxy = create_proxy(&b);
    for (uint32_t i = 0; i < n; i += BATCH) {
        connect_batch(&b, i, MP_MIN(BATCH, n - i));
    }
    print(&b, "connect_ns", (double) b.ns / n);
    b.now += 2 * CLOCK_SEC;
    turn(&b);

    struct utcp_memory memory;

    utcp_memory(proxy_utcp(b.proxy), &memory);
    if (memory.n_connections != n) {
        fprintf(stderr, "bench-idle: %u of %u connections are open\n", memory.n_connections, n);
        exit(1);
    }
    print(&b, "bytes_per_connection", (double) (resident_bytes() - before) / n);
    print(&b, "tcp_bytes_per_connection", (double) memory.bytes / n);
    measure_pings(&b);
    measure_publishes(&b);
    measure_ticks(&b);
    proxy_destroy(b.proxy);
    free(b.clients);
}

int
main(int argc, char *argv[])
{
    static const uint32_t counts[] = { 1000, 100000, 1000000 };

    for (int i = 1; i < argc; i++) {
        unsigned long int n = strtoul(argv[i], NULL, 10);

        if (n < BATCH || n > MAX_COUNT) {
            fprintf(stderr, "usage: bench-idle [COUNT]...   %d to %d connections\n", BATCH,
                    MAX_COUNT);
            return 2;
        }
        measure((uint32_t) n);
    }
    for (size_t i = 0; argc < 2 && i < MP_ARRAY_SIZE(counts); i++) {
        measure(counts[i]);
    }
    return 0;
}
