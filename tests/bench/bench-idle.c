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
 *     idle COUNT tick_mean_us US              a turn without input, while the keep-alive timers of
 *     idle COUNT tick_max_us US               all clients (60 s) are due; mean and longest
 *     idle COUNT expire_ns NS                 a client that is found silent, until it is gone
 *     idle COUNT expire_max_us US             longest turn while all are, within seconds
 *
 *     bench-idle [COUNT]...        (1000 100000 1000000) */
#include "base/mem.h"
#include "bench/herd.h"

#include <stdio.h>
#include <stdlib.h>

enum { N_BATCHES = 3000 };

static void
print(const struct herd *b, const char *name, double value)
{
    printf("idle %u %s %.0f\n", b->n, name, value);
    fflush(stdout);
}

/* PINGREQs of random clients, then their ACKs of the PINGRESPs. */
static void
measure_pings(struct herd *b)
{
    static const uint8_t pingreq[] = { 0xc0, 0 };
    int64_t ping_ns = 0, ack_ns = 0;
    uint32_t who[HERD_BATCH];

    for (int i = 0; i < N_BATCHES; i++) {
        herd_draw(b, (uint32_t) prng_u64(&b->prng), who);
        for (uint32_t j = 0; j < HERD_BATCH; j++) {
            herd_put(b, who[j], TCP_ACK | TCP_PSH, pingreq, sizeof pingreq);
        }
        b->ns = 0;
        herd_turn(b);
        ping_ns += b->ns;
        for (uint32_t j = 0; j < HERD_BATCH; j++) {
            herd_put(b, who[j], TCP_ACK, NULL, 0);
        }
        b->ns = 0;
        herd_turn(b);
        ack_ns += b->ns;
    }
    print(b, "ping_ns", (double) ping_ns / (HERD_BATCH * N_BATCHES));
    print(b, "ack_ns", (double) ack_ns / (HERD_BATCH * N_BATCHES));
}

/* The first HERD_BATCH clients publish to random others, each one segment a turn: within its window. */
static void
measure_publishes(struct herd *b)
{
    int64_t ns = 0;
    uint32_t who[HERD_BATCH];

    for (int i = 0; i < N_BATCHES; i++) {
        herd_draw(b, (uint32_t) prng_u64(&b->prng), who);
        for (uint32_t j = 0; j < HERD_BATCH; j++) {
            uint8_t packet[HERD_FRAME];
            char topic[32];

            snprintf(topic, sizeof topic, "device/%u/command", who[j]);
            herd_put(b, j, TCP_ACK | TCP_PSH, packet, herd_build_publish(packet, topic));
        }
        b->ns = 0;
        herd_turn(b);
        ns += b->ns;
        for (uint32_t j = 0; j < HERD_BATCH; j++) {
            herd_put(b, who[j], TCP_ACK, NULL, 0);
        }
        herd_turn(b);
    }
    if (mqtt_stats(proxy_mqtt(b->proxy))->publishes_out != HERD_BATCH * N_BATCHES) {
        fprintf(stderr, "bench-idle: PUBLISHes were lost\n");
        exit(1);
    }
    print(b, "publish_ns", (double) ns / (HERD_BATCH * N_BATCHES));
}

struct turns {
    uint32_t n;
    int64_t sum_ns, max_ns;
};

/* Whatever is due until 'end'. */
static struct turns
run_until(struct herd *b, usec_t end)
{
    struct turns t = { 0, 0, 0 };
    usec_t at;

    while ((at = proxy_deadline(b->proxy)) < end) {
        b->now = MP_MAX(at, b->now);
        b->ns = 0;
        herd_turn(b);
        t.n++;
        t.sum_ns += b->ns;
        t.max_ns = MP_MAX(t.max_ns, b->ns);
        b->now -= 100;                /* herd_turn() moves it. */
        if (proxy_deadline(b->proxy) <= at) {
            b->now = at + 1;
        }
    }
    b->now = MP_MAX(b->now, end);
    return t;
}

/* All clients ping once, within seconds; the keep-alive timers of their connecting are due half a
 * minute later and have to be put off.  Then all fall silent. */
static void
measure_ticks(struct herd *b)
{
    static const uint8_t pingreq[] = { 0xc0, 0 };
    usec_t pinged_at = b->now;
    struct turns t;

    for (uint32_t i = 0; i < b->n; i += HERD_BATCH) {
        uint32_t end = MP_MIN(i + HERD_BATCH, b->n);

        for (uint32_t k = i; k < end; k++) {
            herd_put(b, k, TCP_ACK | TCP_PSH, pingreq, sizeof pingreq);
        }
        herd_turn(b);
        for (uint32_t k = i; k < end; k++) {
            herd_put(b, k, TCP_ACK, NULL, 0);
        }
        herd_turn(b);
    }
    run_until(b, b->now + 2 * CLOCK_SEC);             /* TCP's own timers. */
    t = run_until(b, pinged_at + 89 * CLOCK_SEC);
    print(b, "tick_mean_us", (double) t.sum_ns / t.n / 1000);
    print(b, "tick_max_us", (double) t.max_ns / 1000);

    b->is_deaf = true;
    t = run_until(b, b->now + 30 * CLOCK_SEC);
    if (mqtt_stats(proxy_mqtt(b->proxy))->keep_alive_timeouts != b->n) {
        fprintf(stderr, "bench-idle: not all clients were found silent\n");
        exit(1);
    }
    print(b, "expire_ns", (double) t.sum_ns / b->n);
    print(b, "expire_max_us", (double) t.max_ns / 1000);
}

static void
measure(uint32_t n)
{
    struct utcp_memory memory;
    struct herd b;

    herd_create(&b, n);
    print(&b, "connect_ns", (double) b.ns / n);
    b.now += 2 * CLOCK_SEC;
    herd_turn(&b);
    utcp_memory(proxy_utcp(b.proxy), &memory);
    print(&b, "bytes_per_connection", (double) (herd_resident_bytes() - b.resident_before) / n);
    print(&b, "tcp_bytes_per_connection", (double) memory.bytes / n);
    measure_pings(&b);
    measure_publishes(&b);
    measure_ticks(&b);
    herd_destroy(&b);
}

int
main(int argc, char *argv[])
{
    static const uint32_t counts[] = { 1000, 100000, 1000000 };

    for (int i = 1; i < argc; i++) {
        measure(herd_count(argv[i]));
    }
    for (size_t i = 0; argc < 2 && i < MP_ARRAY_SIZE(counts); i++) {
        measure(counts[i]);
    }
    return 0;
}
