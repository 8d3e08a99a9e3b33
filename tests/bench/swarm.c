/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Opens many MQTT connections from many addresses through a switch, without a kernel's TCP: every
 * client is a few bytes here and frames on INTERFACE, from 10.0.0.1 upwards, four ports each.  First
 * all connect, WINDOW at a time, and subscribe to two filters; then all are silent for IDLE_S; then
 * each sends one PINGREQ, evenly over KEEP_ALIVE_S.  What is lost is sent again.
 *
 *     swarm [-n CLIENTS] [-w WINDOW] [-k KEEP_ALIVE_S] [-i IDLE_S] [-l LIMIT_S] [-c NAME=PID]...
 *           INTERFACE MAC ADDRESS [PORT]
 *
 * MAC: of the next hop.  -c: a process whose memory and processor time are measured.  -l: after so
 * long it gives up opening or waiting for answers.  Prints one "NAME VALUE" a line; times of
 * processors are user and system.  Exit status 1 unless every client came and lived to the end.
 * One thread. */
#include "bench/swarm.h"

#include "base/mem.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CLIENTS = 4000000, MAX_PIDS = 4, MAX_TIMEOUT_US = 10000 };
#define TICK_US (4 * CLOCK_MSEC)

struct watched {                      /* A process. */
    const char *name;
    int pid;
    clockid_t clock;
    int64_t cpu_ns;                   /* When the phase began. */
    long int resident;                /* When the program began, bytes. */
};

struct plan {
    uint32_t window;
    double keep_alive_s, idle_s, limit_s;
    struct watched watched[MAX_PIDS];
    int n_watched;
};

void
swarm_fail(const char *what)
{
    fprintf(stderr, "swarm: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int64_t
read_clock_ns(clockid_t clock)
{
    struct timespec ts;

    if (clock_gettime(clock, &ts)) {
        swarm_fail("a measured process");
    }
    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

usec_t
swarm_now(void)
{
    return read_clock_ns(CLOCK_MONOTONIC) / 1000;
}

static usec_t
in_us(double seconds)
{
    return (usec_t) (seconds * 1e6);
}

/* ---- What is measured of others ---- */

static long int
resident_bytes(int pid)
{
    char path[64];
    long int pages = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    f = fopen(path, "re");
    if (!f || fscanf(f, "%*d %ld", &pages) != 1) {
        swarm_fail(path);
    }
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static void
begin_phase(struct plan *p)
{
    for (int i = 0; i < p->n_watched; i++) {
        p->watched[i].cpu_ns = read_clock_ns(p->watched[i].clock);
    }
}

static void
print_cpu(const struct plan *p, const char *what, double divisor)
{
    for (int i = 0; i < p->n_watched; i++) {
        const struct watched *w = &p->watched[i];

        printf("%s.%s %.3f\n", what, w->name,
               (double) (read_clock_ns(w->clock) - w->cpu_ns) / divisor);
    }
}

/* ---- The phases ---- */

/* One turn of the loop; what it has to send itself was put before. */
static void
turn(struct swarm *s, usec_t until)
{
    usec_t next = clock_min(until, wheel_deadline(&s->wheel)) - swarm_now();

    swarm_io_flush(&s->io);
    swarm_io_wait(s, MP_MAX(0, MP_MIN(next, MAX_TIMEOUT_US)));
    swarm_run_timers(s);
}

static void
open_all(struct swarm *s, struct plan *p)
{
    usec_t began = s->now, end = began + in_us(p->limit_s);
    const struct swarm_counts *k = &s->counts;
    double seconds;

    begin_phase(p);
    for (uint32_t next = 0; (next < s->n || k->n_opening) && s->now < end; turn(s, end)) {
        while (next < s->n && k->n_opening < p->window) {
            swarm_open(s, next++);
        }
    }
    seconds = (double) (s->now - began) / 1e6;
    printf("opened %u\naddresses %u\nopen_s %.3f\nopen_per_second %.0f\n", k->n_open,
           (s->n - 1) / SWARM_PORTS + 1, seconds, k->n_open / seconds);
    printf("full_options %.4f\n", (double) k->full_options / s->n);
    printf("syns_again %llu\nrequests_again %llu\n", (unsigned long long int) k->syns_again,
           (unsigned long long int) k->requests_again);
    print_cpu(p, "open_cpu_us", 1e3 * s->n);
    for (int i = 0; i < p->n_watched; i++) {
        printf("bytes_per_connection.%s %.0f\n", p->watched[i].name,
               (double) (resident_bytes(p->watched[i].pid) - p->watched[i].resident) / s->n);
    }
    fflush(stdout);
}

static void
idle(struct swarm *s, struct plan *p)
{
    usec_t end = s->now + in_us(p->idle_s);

    begin_phase(p);
    while (s->now < end) {
        turn(s, end);
    }
    print_cpu(p, "idle_cpu_ms_per_s", 1e6 * p->idle_s);
    fflush(stdout);
}

static int
compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

    return x < y ? -1 : x > y;
}

static void
print_pings(struct swarm *s, struct plan *p, double seconds, uint64_t again)
{
    struct swarm_counts *k = &s->counts;
    uint64_t n = k->pings_answered;

    printf("pings %llu\nping_s %.3f\npings_again %llu\n", (unsigned long long int) n, seconds,
           (unsigned long long int) again);
    qsort(k->ping_us, n, sizeof *k->ping_us, compare);
    if (n) {
        printf("ping_p50_us %u\nping_p99_us %u\nping_longest_ms %.1f\n", k->ping_us[n / 2],
               k->ping_us[n * 99 / 100], k->ping_us[n - 1] / 1e3);
    }
    print_cpu(p, "ping_cpu_ms_per_s", 1e6 * seconds);
    print_cpu(p, "ping_cpu_us", 1e3 * s->n);
}

/* In an order that has neighbours far from one another. */
static void
ping_all(struct swarm *s, struct plan *p)
{
    usec_t began = s->now, all_sent = began + in_us(p->keep_alive_s);
    usec_t end = all_sent + in_us(p->limit_s);
    uint64_t stride = 1000003, again = s->counts.requests_again;
    struct swarm_counts *k = &s->counts;
    uint32_t n_sent = 0, n_asked = 0;

    begin_phase(p);
    while ((n_sent < s->n || k->pings_answered + k->n_lost < n_asked) && s->now < end) {
        double due = (double) (s->now - began + 1) / (double) in_us(p->keep_alive_s) * s->n;

        for (; n_sent < s->n && n_sent < due; n_sent++) {
            n_asked += swarm_ping(s, (uint32_t) (n_sent * stride % s->n));
        }
        turn(s, n_sent < s->n ? s->now + 500 : end);
    }
    print_pings(s, p, (double) (s->now - began) / 1e6, s->counts.requests_again - again);
}

/* ---- Command line ---- */

static void
usage(void)
{
    fputs("usage: swarm [-n CLIENTS] [-w WINDOW] [-k KEEP_ALIVE_S] [-i IDLE_S] [-l LIMIT_S]\n"
          "             [-c NAME=PID]... INTERFACE MAC ADDRESS [PORT]\n", stderr);
    exit(2);
}

static void
watch(struct plan *p, char *arg)
{
    char *equals = strchr(arg, '=');
    struct watched *w = &p->watched[p->n_watched++];

    if (!equals || p->n_watched > MAX_PIDS) {
        usage();
    }
    *equals = '\0';
    w->name = arg;
    w->pid = atoi(equals + 1);
    errno = clock_getcpuclockid(w->pid, &w->clock);
    if (errno) {
        swarm_fail(arg);
    }
    w->resident = resident_bytes(w->pid);
}

static void
parse_options(struct swarm *s, struct plan *p, int argc, char *argv[])
{
    int option;

    while ((option = getopt(argc, argv, "n:w:k:i:l:c:")) != -1) {
        switch (option) {
        case 'n': s->n = (uint32_t) strtoul(optarg, NULL, 10); break;
        case 'w': p->window = (uint32_t) strtoul(optarg, NULL, 10); break;
        case 'k': p->keep_alive_s = atof(optarg); break;
        case 'i': p->idle_s = atof(optarg); break;
        case 'l': p->limit_s = atof(optarg); break;
        case 'c': watch(p, optarg); break;
        default: usage();
        }
    }
    argc -= optind;
    argv += optind;
    if (argc < 3 || argc > 4 || !s->n || s->n > MAX_CLIENTS || !p->window || p->keep_alive_s <= 0
        || p->keep_alive_s > 3600 || p->idle_s <= 0 || p->idle_s > 60 || p->limit_s <= 0
        || p->limit_s > 3600 || !mac_parse(&s->service_mac, argv[1])
        || !addr_parse(&s->service, argv[2])) {
        usage();
    }
    s->port = (uint16_t) (argc > 3 ? atoi(argv[3]) : 1883);
    swarm_io_open(&s->io, argv[0]);
}

int
main(int argc, char *argv[])
{
    static struct swarm s = { .n = 1000 };
    static struct plan p = { .window = 64, .keep_alive_s = 5, .idle_s = 1, .limit_s = 60 };

    parse_options(&s, &p, argc, argv);
    s.now = swarm_now();
    prng_init(&s.prng, (uint64_t) s.now);
    slab_init(&s.slab, sizeof(struct swarm_client), s.n);
    for (uint32_t i = 0; i < s.n; i++) {
        slab_alloc(&s.slab);
    }
    wheel_init(&s.wheel, &s.slab, offsetof(struct swarm_client, timer),
               offsetof(struct swarm_client, due), TICK_US, s.now);
    s.counts.ping_us = mem_alloc(s.n * sizeof *s.counts.ping_us);

    open_all(&s, &p);
    idle(&s, &p);
    ping_all(&s, &p);
    printf("open_at_end %u\nlost %u\n", s.counts.n_open, s.counts.n_lost);
    mem_free(s.counts.ping_us);
    slab_uninit(&s.slab);
    return s.counts.n_open == s.n && s.counts.pings_answered == s.n ? EXIT_SUCCESS : EXIT_FAILURE;
}
