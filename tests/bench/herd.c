/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench/herd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum { PORTS = 50000, PAYLOAD = 64 };

#define SERVICE addr_v4(0xc0a80165)

static int64_t
clock_ns(const struct herd *h)
{
    struct timespec ts;

    if (h->has_no_clock) {
        return 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

long int
herd_resident_bytes(void)
{
    long int pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f || fscanf(f, "%*d %ld", &pages) != 1) {
        perror("herd: /proc/self/statm");
        exit(1);
    }
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

/* ---- Frames ---- */

void
herd_put(struct herd *h, uint32_t i, uint8_t flags, const void *data, size_t n)
{
    struct herd_client *c = &h->clients[i];
    uint8_t buf[WIRE_HEADROOM + HERD_FRAME], *payload = buf + WIRE_HEADROOM, *start;
    struct wire_l3 l3 = {
        .dst_mac = h->service_mac, .src_mac = { { 2, 1, 0, 0, (uint8_t) (i >> 8), (uint8_t) i } },
        .src = addr_v4(0x0a000001 + i / PORTS), .dst = SERVICE, .ttl = 64, .df = true,
    };
    struct wire_tcp tcp = {
        .src_port = (uint16_t) (1024 + i % PORTS), .dst_port = 1883, .seq = c->snd_nxt,
        .ack = c->rcv_nxt, .flags = flags, .wnd = flags & TCP_SYN ? 65535 : 512,
        .opts = { .has_ts = true, .ts_val = (uint32_t) (h->now / 1000), .ts_ecr = c->ts_ecr },
    };
    struct herd_frame *f = &h->in[h->n_in++];

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
take_frames(struct herd *h)
{
    for (uint32_t i = 0; i < h->n_out; i++) {
        struct wire_frame f;

        if (wire_parse(&f, h->out[i].data, h->out[i].n) != WIRE_OK || f.kind != WIRE_TCP
            || f.tcp.flags & TCP_RST) {
            fprintf(stderr, "herd: the proxy sent what no client expects\n");
            exit(1);
        }
        uint32_t subnet = addr_to_v4(&f.ip.dst) - 0x0a000001;
        struct herd_client *c = &h->clients[subnet * PORTS + (f.tcp.dst_port - 1024)];

        c->rcv_nxt = f.tcp.seq + wire_tcp_seg_len(&f.tcp);
        c->ts_ecr = f.tcp.opts.ts_val;
    }
    h->n_out = 0;
}

void
herd_turn(struct herd *h)
{
    int64_t start = clock_ns(h);
    struct slice frames[HERD_BATCH];
    struct net_tx tx;

    for (uint32_t i = 0; i < h->n_in; i++) {
        frames[i] = (struct slice) { h->in[i].data, (uint32_t) h->in[i].n };
    }
    proxy_expect(h->proxy, frames, h->n_in);
    for (uint32_t i = 0; i < h->n_in; i++) {
        proxy_rx_frame(h->proxy, 1, h->in[i].data, h->in[i].n, h->now);
    }
    proxy_run(h->proxy, h->now);
    while (proxy_next_frame(h->proxy, h->now, &tx)) {
        struct herd_frame *f = &h->out[h->n_out];

        if (h->is_deaf) {
            continue;
        }
        if (tx.n > HERD_FRAME || ++h->n_out == MP_ARRAY_SIZE(h->out)) {
            fprintf(stderr, "herd: more output than expected\n");
            exit(1);
        }
        memcpy(f->data, tx.data, tx.n);
        f->n = tx.n;
    }
    h->ns += clock_ns(h) - start;
    h->n_in = 0;
    h->now += 100;
    take_frames(h);
}

/* ---- Clients ---- */

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
connect_batch(struct herd *h, uint32_t first, uint32_t n)
{
    uint8_t packet[HERD_FRAME];

    for (uint32_t i = first; i < first + n; i++) {
        h->clients[i].snd_nxt = (uint32_t) prng_u64(&h->prng);
        herd_put(h, i, TCP_SYN, NULL, 0);
    }
    herd_turn(h);
    for (uint32_t i = first; i < first + n; i++) {
        herd_put(h, i, TCP_ACK, NULL, 0);
    }
    herd_turn(h);
    for (uint32_t i = first; i < first + n; i++) {
        herd_put(h, i, TCP_ACK | TCP_PSH, packet, build_connect(packet, i));
    }
    herd_turn(h);
    for (uint32_t i = first; i < first + n; i++) {
        herd_put(h, i, TCP_ACK | TCP_PSH, packet, build_subscribe(packet, i));
    }
    herd_turn(h);
    for (uint32_t i = first; i < first + n; i++) {
        herd_put(h, i, TCP_ACK, NULL, 0);
    }
    herd_turn(h);
}

void
herd_draw(const struct herd *h, uint32_t turn, uint32_t *who)
{
    uint32_t step = h->n / HERD_BATCH;

    for (uint32_t i = 0; i < HERD_BATCH; i++) {
        /* A prime number that divides no sensible step goes through all of it. */
        who[i] = i * step + (uint32_t) (((uint64_t) turn * 7919 + i * 104729) % step);
    }
}

size_t
herd_build_publish(uint8_t *packet, const char *topic)
{
    size_t n = 2 + put_string(packet + 2, topic);

    packet[0] = 0x30;
    memset(packet + n, 'x', PAYLOAD);
    packet[1] = (uint8_t) (n + PAYLOAD - 2);
    return n + PAYLOAD;
}

/* ---- Life ---- */

static struct proxy *
create_proxy(const struct herd *h)
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
    config.utcp.max_connections = config.mqtt.max_connections = config.mqtt.max_sessions = h->n + 1;
    return proxy_create(&config, h->now);
}

void
herd_create(struct herd *h, uint32_t n)
{
    struct ip_addr service = SERVICE;
    struct utcp_memory memory;

    *h = (struct herd) { .now = CLOCK_SEC, .n = n, .service_mac = net_derive_mac(&service) };
    h->clients = calloc(n, sizeof *h->clients);
    if (!h->clients) {
        perror("herd");
        exit(1);
    }
    memset(h->clients, 1, n * sizeof *h->clients);    /* Resident from the beginning. */
    prng_init(&h->prng, 42);
    h->resident_before = herd_resident_bytes();
    h->proxy = create_proxy(h);
    for (uint32_t i = 0; i < n; i += HERD_BATCH) {
        connect_batch(h, i, MP_MIN(HERD_BATCH, n - i));
    }
    utcp_memory(proxy_utcp(h->proxy), &memory);
    if (memory.n_connections != n) {
        fprintf(stderr, "herd: %u of %u connections are open\n", memory.n_connections, n);
        exit(1);
    }
}

void
herd_destroy(struct herd *h)
{
    proxy_destroy(h->proxy);
    free(h->clients);
}

uint32_t
herd_count(const char *arg)
{
    unsigned long int n = strtoul(arg, NULL, 10);

    if (n < HERD_BATCH || n > HERD_MAX) {
        fprintf(stderr, "not a number of connections from %d to %d: %s\n", HERD_BATCH, HERD_MAX,
                arg);
        exit(2);
    }
    return (uint32_t) n;
}
