/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* What a PUBLISH costs a broker that knows many subscriptions of which 1 matches, and what a
 * subscription costs in memory.  A broker in this process that is fed bytes; no socket, no TCP.
 * Every client has 10 subscriptions, all filters are different, and of one of three kinds:
 *
 *     exact   site/S/device/N/state
 *     plus    site/+/device/N/state
 *     hash    site/S/device/N/#
 *
 * For each kind and COUNT of subscriptions it prints
 *
 *     subscriptions KIND-COUNT broker publish_ns NS          PUBLISH in to PUBLISH out; topics
 *                                                            and so subscribers at random
 *     subscriptions KIND-COUNT broker publish_hot_ns NS      16 topics again and again: without
 *                                                            misses of the processor's caches
 *     subscriptions KIND-COUNT broker publish_none_ns NS     a topic to which nobody subscribed
 *     subscriptions KIND-COUNT broker subscribe_ns NS        SUBSCRIBE in to SUBACK out
 *     subscriptions KIND-COUNT broker unsubscribe_ns NS
 *     subscriptions KIND-COUNT broker bytes_per_subscription B     resident, connections aside
 *     subscriptions KIND-COUNT broker counted_per_subscription B   what the broker says of it
 *
 *     bench-subscriptions [COUNT]...        (1000 100000 1000000) */
#include "base/mem.h"
#include "base/prng.h"
#include "mqtt/broker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PER_CLIENT = 10, PER_SITE = 1000, N_MESSAGES = 200000, N_HOT = 16, PACKET = 256, PAYLOAD = 64,
    MAX_COUNT = 10000000,
};

enum kind { EXACT, PLUS, HASH, N_KINDS };
static const char *const kind_names[N_KINDS] = { "exact", "plus", "hash" };

struct bench {
    struct mqtt_broker *broker;
    enum kind kind;
    uint32_t n, n_clients;
    mqtt_id *clients;                 /* The last one is the publisher. */
    struct prng prng;
    usec_t now;
    uint64_t n_out;                   /* Control packets that came out. */
};

/* Of this process: what others do on the machine is not the broker's. */
static int64_t
cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static long int
resident_bytes(void)
{
    long int pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f || fscanf(f, "%*d %ld", &pages) != 1) {
        perror("bench-subscriptions: /proc/self/statm");
        exit(EXIT_FAILURE);
    }
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static void
expect(const struct bench *b, uint64_t n_out, const char *what)
{
    if (b->n_out != n_out) {
        fprintf(stderr, "bench-subscriptions: %s: %llu control packets came out, %llu were to\n",
                what, (unsigned long long int) b->n_out, (unsigned long long int) n_out);
        exit(EXIT_FAILURE);
    }
}

/* One turn of a caller: input, then everything that it leads to. */
static void
feed(struct bench *b, mqtt_id client, const uint8_t *data, size_t n)
{
    struct mqtt_event ev;
    struct mqtt_output out;
    uint32_t user;
    mqtt_id id;

    mqtt_input(b->broker, client, data, n, b->now);
    while (mqtt_next_event(b->broker, &ev)) {
        if (ev.type == MQTT_EV_CLOSE || ev.type == MQTT_EV_ABORT) {
            fprintf(stderr, "bench-subscriptions: the broker closed a connection\n");
            exit(EXIT_FAILURE);
        }
    }
    while (mqtt_next_ready(b->broker, &id, &user)) {
        while (mqtt_next_output(b->broker, id, 65535, b->now, &out)) {
            b->n_out++;
            mbuf_unref(out.extra);
            mbuf_unref(out.body);
        }
    }
    b->now++;
}

/* ---- Control packets ---- */

static size_t
put_string(uint8_t *p, const char *s)
{
    size_t n = strlen(s);

    p[0] = (uint8_t) (n >> 8);
    p[1] = (uint8_t) n;
    memcpy(p + 2, s, n);
    return n + 2;
}

static void
send_connect(struct bench *b, uint32_t client)
{
    static const uint8_t head[] = { 0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0 };
    uint8_t p[PACKET];
    char name[24];
    size_t n = sizeof head;

    memcpy(p, head, n);
    snprintf(name, sizeof name, "client-%u", client);
    n += put_string(p + n, name);
    p[1] = (uint8_t) (n - 2);
    feed(b, b->clients[client], p, n);
}

/* SUBSCRIBE or UNSUBSCRIBE of filter number 'i'. */
static void
send_filter(struct bench *b, uint8_t first, uint32_t i)
{
    uint8_t p[PACKET] = { first, 0, 0, 1 };
    char filter[64];
    size_t n = 4;

    switch (b->kind) {
    case EXACT:
        snprintf(filter, sizeof filter, "site/%u/device/%u/state", i / PER_SITE, i);
        break;
    case PLUS:
        snprintf(filter, sizeof filter, "site/+/device/%u/state", i);
        break;
    default:
        snprintf(filter, sizeof filter, "site/%u/device/%u/#", i / PER_SITE, i);
        break;
    }
    n += put_string(p + n, filter);
    if (first == 0x82) {
        p[n++] = 0;
    }
    p[1] = (uint8_t) (n - 2);
    feed(b, b->clients[i / PER_CLIENT], p, n);
}

static void
send_publish(struct bench *b, uint32_t i)
{
    uint8_t p[PACKET] = { 0x30 };
    char topic[64];
    size_t n = 2;

    snprintf(topic, sizeof topic, "site/%u/device/%u/state", i / PER_SITE, i);
    n += put_string(p + n, topic);
    memset(p + n, 'x', PAYLOAD);
    n += PAYLOAD;
    p[1] = (uint8_t) (n - 2);
    feed(b, b->clients[b->n_clients], p, n);
}

/* ---- The stages ---- */

static void
print(const struct bench *b, const char *name, double value)
{
    printf("subscriptions %s-%u broker %s %.0f\n", kind_names[b->kind], b->n, name, value);
    fflush(stdout);
}

static void
create(struct bench *b)
{
    const struct mqtt_origin origin = { .addr = addr_v4(0x0a000001), .ingress_port = 1 };
    struct mqtt_config config;

    mqtt_config_default(&config);
    config.max_connections = config.max_sessions = b->n_clients + 1;
    config.key = (struct siphash_key) { 0x1234567, 0x89abcdef };
    b->broker = mqtt_create(&config, b->now);
    for (uint32_t i = 0; i <= b->n_clients; i++) {
        b->clients[i] = mqtt_open(b->broker, &origin, i, b->now);
        send_connect(b, i);
    }
    expect(b, b->n_clients + 1, "CONNECT");
}

static void
measure_filters(struct bench *b, uint8_t first, const char *name)
{
    int64_t start = cpu_ns();

    b->n_out = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        send_filter(b, first, i);
    }
    print(b, name, (double) (cpu_ns() - start) / b->n);
    expect(b, b->n, name);
}

/* Topics 'first' and on, of 'n' one at random. */
static void
measure_publishes(struct bench *b, uint32_t first, uint32_t n, const char *name)
{
    int64_t start = cpu_ns();

    b->n_out = 0;
    for (uint32_t i = 0; i < N_MESSAGES; i++) {
        send_publish(b, first + prng_below(&b->prng, n));
    }
    print(b, name, (double) (cpu_ns() - start) / N_MESSAGES);
    expect(b, first < b->n ? N_MESSAGES : 0, name);
}

static void
measure(enum kind kind, uint32_t n)
{
    struct bench b = { .kind = kind, .n = n, .now = CLOCK_SEC };
    struct mqtt_memory before, after;
    long int resident;

    b.n_clients = (n + PER_CLIENT - 1) / PER_CLIENT;
    b.clients = mem_zalloc((b.n_clients + 1) * sizeof *b.clients);
    prng_init(&b.prng, 42);
    create(&b);
    mqtt_memory(b.broker, &before);
    resident = resident_bytes();
    measure_filters(&b, 0x82, "subscribe_ns");
    mqtt_memory(b.broker, &after);
    print(&b, "bytes_per_subscription", (double) (resident_bytes() - resident) / n);
    print(&b, "counted_per_subscription", (double) (after.bytes - before.bytes) / n);
    measure_publishes(&b, 0, n, "publish_ns");
    measure_publishes(&b, 0, N_HOT, "publish_hot_ns");
    measure_publishes(&b, n, n, "publish_none_ns");
    measure_filters(&b, 0xa2, "unsubscribe_ns");
    mqtt_destroy(b.broker);
    mem_free(b.clients);
}

/* In a process of its own, so that no measurement gets memory that another one left behind. */
static void
measure_apart(enum kind kind, uint32_t n)
{
    pid_t pid = fork();
    int status = 0;

    if (!pid) {
        measure(kind, n);
        exit(EXIT_SUCCESS);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
        fprintf(stderr, "bench-subscriptions: a measurement failed\n");
        exit(EXIT_FAILURE);
    }
}

int
main(int argc, char *argv[])
{
    static const uint32_t counts[] = { 1000, 100000, 1000000 };

    for (int kind = 0; kind < N_KINDS; kind++) {
        for (int i = 1; i < argc; i++) {
            unsigned long int n = strtoul(argv[i], NULL, 10);

            if (n < N_HOT || n > MAX_COUNT) {
                fprintf(stderr, "usage: bench-subscriptions [COUNT]...   %d to %d subscriptions\n",
                        N_HOT, MAX_COUNT);
                return 2;
            }
            measure_apart((enum kind) kind, (uint32_t) n);
        }
        for (size_t i = 0; argc < 2 && i < MP_ARRAY_SIZE(counts); i++) {
            measure_apart((enum kind) kind, counts[i]);
        }
    }
    return EXIT_SUCCESS;
}
