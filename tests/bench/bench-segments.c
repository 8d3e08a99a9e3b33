/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* What a segment costs, and whether a million connections make it dearer: everything between frame
 * in and frame out, of random connections of a herd (herd.h), 32 segments a turn.
 *
 *     data      a PUBLISH that nobody has subscribed to in, and the ACK of it out
 *     ping      a PINGREQ in, and its PINGRESP out
 *     ack       a pure ACK in, of a PUBLISH or a PINGRESP
 *     out       a PUBLISH out, matched already: its session is in the caches, TCP's part is not
 *     publish   a PUBLISH in, matched, and out to another connection
 *
 * All herds are there at once; each round measures all of them, one kind after the other, and the
 * median of the rounds is printed:
 *
 *     segments COUNT KIND_ns NS
 *     segments COUNT KIND_ratio R      of NS, to that of the first COUNT
 *
 *     bench-segments [COUNT]...        (1000 100000 1000000)
 *     bench-segments --once            one short round without clock, for callgrind: see
 *                                      check-instructions
 *     bench-segments --build           the compiler and its options */
#include "base/mem.h"
#include "bench/herd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Multiples of the 31 batches of different clients that 1000 make. */
enum { ROUNDS = 9, WARM_UP = 93, N_BATCHES = 992, MAX_HERDS = 8 };

/* For callgrind, which is slow: just a crowd. */
enum { ONCE_COUNT = 2080, ONCE_BATCHES = 65 };

#define KINDS(X) X(data) X(ping) X(ack) X(out) X(publish)
enum kind {
#define KIND_ENUM(NAME) KIND_##NAME,
    KINDS(KIND_ENUM)
    N_KINDS
};

/* The turns that are counted, each kind in a function of its own name for callgrind to find. */
#define KIND_TURN(NAME)                                                 \
    void segments_##NAME(struct herd *);                                \
    __attribute__((noinline)) void                                      \
    segments_##NAME(struct herd *h)                                     \
    {                                                                   \
        herd_turn(h);                                                   \
    }
KINDS(KIND_TURN)

static const struct {
    const char *name;
    void (*turn)(struct herd *);
} kinds[N_KINDS] = {
#define KIND_ROW(NAME) [KIND_##NAME] = { #NAME, segments_##NAME },
    KINDS(KIND_ROW)
};

struct sums {
    int64_t ns[N_KINDS];
};

static void
count(struct herd *h, enum kind kind, struct sums *sums)
{
    h->ns = 0;
    kinds[kind].turn(h);
    sums->ns[kind] += h->ns;
}

static void
ack(struct herd *h, const uint32_t *who, struct sums *sums)
{
    for (uint32_t i = 0; i < HERD_BATCH; i++) {
        herd_put(h, who[i], TCP_ACK, NULL, 0);
    }
    count(h, KIND_ack, sums);
}

static void
data_in(struct herd *h, const uint32_t *who, struct sums *sums)
{
    uint8_t packet[HERD_FRAME];
    size_t n = herd_build_publish(packet, "nobody/is/interested");

    for (uint32_t i = 0; i < HERD_BATCH; i++) {
        herd_put(h, who[i], TCP_ACK | TCP_PSH, packet, n);
    }
    count(h, KIND_data, sums);
}

static void
ping(struct herd *h, const uint32_t *who, struct sums *sums)
{
    static const uint8_t pingreq[] = { 0xc0, 0 };

    for (uint32_t i = 0; i < HERD_BATCH; i++) {
        herd_put(h, who[i], TCP_ACK | TCP_PSH, pingreq, sizeof pingreq);
    }
    count(h, KIND_ping, sums);
}

static void
data_out(struct herd *h, const uint32_t *who, struct sums *sums)
{
    uint8_t body[64] = { 'x' };

    for (uint32_t i = 0; i < HERD_BATCH; i++) {
        char topic[32];
        struct mqtt_message m = { .payload = mbuf_copy(body, sizeof body) };

        m.topic.n = (uint32_t) snprintf(topic, sizeof topic, "device/%u/command", who[i]);
        m.topic.p = (const uint8_t *) topic;
        mqtt_publish_remote(proxy_mqtt(h->proxy), &m, h->now);
        mbuf_unref(m.payload);
    }
    count(h, KIND_out, sums);
}

/* The first HERD_BATCH clients publish, each one segment a turn: within its window. */
static void
publish(struct herd *h, const uint32_t *who, struct sums *sums)
{
    for (uint32_t i = 0; i < HERD_BATCH; i++) {
        uint8_t packet[HERD_FRAME];
        char topic[32];

        snprintf(topic, sizeof topic, "device/%u/command", who[i]);
        herd_put(h, i, TCP_ACK | TCP_PSH, packet, herd_build_publish(packet, topic));
    }
    count(h, KIND_publish, sums);
}

/* 'n' batches of each step and, where there is something to be acknowledged, as many of pure ACKs.
 * They come in runs of different clients, so that an ACK finds nothing in the caches that its
 * segment has left there. */
static void
run_batches(struct herd *h, uint32_t n, struct sums *sums)
{
    static const struct {
        void (*step)(struct herd *, const uint32_t *, struct sums *);
        bool is_acked;
    } steps[] = { { data_in, false }, { ping, true }, { data_out, true }, { publish, true } };
    uint32_t run = MP_MIN(h->n / HERD_BATCH, n), who[HERD_BATCH];

    for (size_t k = 0; k < MP_ARRAY_SIZE(steps); k++) {
        for (uint32_t done = 0; done < n; done += run) {
            uint32_t start = (uint32_t) prng_u64(&h->prng);

            for (uint32_t i = 0; i < run; i++) {
                herd_draw(h, start + i, who);
                steps[k].step(h, who, sums);
            }
            for (uint32_t i = 0; i < run && steps[k].is_acked; i++) {
                herd_draw(h, start + i, who);
                ack(h, who, sums);
            }
        }
    }
}

/* How many segments a sum of 'n' batches stands for. */
static double
n_segments(enum kind kind, uint32_t n)
{
    return (double) n * HERD_BATCH * (kind == KIND_ack ? 3 : 1);
}

static int
compare(const void *a_, const void *b_)
{
    const double *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

static double
median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, compare);
    return v[n / 2];
}

static void
measure(const uint32_t *counts, size_t n_herds)
{
    static double ns[MAX_HERDS][N_KINDS][ROUNDS];
    struct herd *herds = mem_zalloc(n_herds * sizeof *herds);

    for (size_t i = 0; i < n_herds; i++) {
        herd_create(&herds[i], counts[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n_herds; i++) {
            struct sums sums = { { 0 } };

            run_batches(&herds[i], WARM_UP, &sums);
            memset(&sums, 0, sizeof sums);
            run_batches(&herds[i], N_BATCHES, &sums);
            for (int k = 0; k < N_KINDS; k++) {
                ns[i][k][round] = (double) sums.ns[k] / n_segments(k, N_BATCHES);
            }
        }
    }
    for (size_t i = 0; i < n_herds; i++) {
        for (int k = 0; k < N_KINDS; k++) {
            printf("segments %u %s_ns %.0f\n", counts[i], kinds[k].name,
                   median(ns[i][k], ROUNDS));
        }
    }
    for (size_t i = 1; i < n_herds; i++) {
        for (int k = 0; k < N_KINDS; k++) {
            printf("segments %u %s_ratio %.2f\n", counts[i], kinds[k].name,
                   ns[i][k][ROUNDS / 2] / ns[0][k][ROUNDS / 2]);
        }
    }
    for (size_t i = 0; i < n_herds; i++) {
        herd_destroy(&herds[i]);
    }
    mem_free(herds);
}

/* Says how many segments each function of KINDS has handled. */
static void
run_once(void)
{
    struct sums sums = { { 0 } };
    struct herd *h = mem_zalloc(sizeof *h);

    herd_create(h, ONCE_COUNT);
    h->has_no_clock = true;
    run_batches(h, ONCE_BATCHES, &sums);
    for (int k = 0; k < N_KINDS; k++) {
        printf("segments_%s %.0f\n", kinds[k].name, n_segments(k, ONCE_BATCHES));
    }
    herd_destroy(h);
    mem_free(h);
}

int
main(int argc, char *argv[])
{
    uint32_t counts[MAX_HERDS] = { 1000, 100000, 1000000 };
    size_t n = 3;

    if (argc == 2 && !strcmp(argv[1], "--build")) {
        printf("%s %s\n", __VERSION__, BENCH_BUILD);
        return 0;
    }
    if (argc == 2 && !strcmp(argv[1], "--once")) {
        run_once();
        return 0;
    }
    if (argc - 1 > MAX_HERDS) {
        fprintf(stderr, "bench-segments: at most %d counts\n", MAX_HERDS);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        counts[i - 1] = herd_count(argv[i]);
        n = (size_t) i;
    }
    measure(counts, n);
    return 0;
}
