/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Closed-loop UDP client for reflectors: keeps WINDOW datagrams on their way for SECONDS, sends one
 * for each that comes back, and prints one line: round trips a second, latency, losses.  Ordinary
 * kernel sockets.  A datagram that has not come back after 200 ms is lost and replaced.
 *
 *     udp-ping ADDRESS PORT WINDOW SECONDS [SIZE] */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_WINDOW 1024
#define MAX_SAMPLES (1u << 22)
#define LOST_US 200000

struct probe {                        /* What a datagram begins with. */
    uint32_t slot, seq;
};

struct client {
    int fd;
    uint32_t window, size;
    uint32_t seq[MAX_WINDOW];         /* Awaited in each slot. */
    int64_t sent_at[MAX_WINDOW];
    uint64_t n_back, n_lost, n_stray;
    uint32_t *samples, n_samples;
};

static int64_t
now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
send_probe(struct client *c, uint32_t slot, int64_t now)
{
    uint8_t buf[65536] = { 0 };
    struct probe p = { slot, ++c->seq[slot] };

    memcpy(buf, &p, sizeof p);
    c->sent_at[slot] = now;
    if (send(c->fd, buf, c->size, 0) < 0 && errno != EAGAIN && errno != ECONNREFUSED) {
        perror("udp-ping: send");
        exit(1);
    }
}

static void
receive(struct client *c)
{
    uint8_t buf[65536];
    struct probe p;
    ssize_t n;

    while ((n = recv(c->fd, buf, sizeof buf, MSG_DONTWAIT)) >= (ssize_t) sizeof p) {
        int64_t now = now_us();

        memcpy(&p, buf, sizeof p);
        if (p.slot >= c->window || p.seq != c->seq[p.slot]) {
            c->n_stray++;             /* Came back after it was given up. */
            continue;
        }
        c->n_back++;
        if (c->n_samples < MAX_SAMPLES) {
            c->samples[c->n_samples++] = (uint32_t) (now - c->sent_at[p.slot]);
        }
        send_probe(c, p.slot, now);
    }
}

static void
replace_lost(struct client *c, int64_t now)
{
    for (uint32_t i = 0; i < c->window; i++) {
        if (now - c->sent_at[i] > LOST_US) {
            c->n_lost++;
            send_probe(c, i, now);
        }
    }
}

static int
compare(const void *a_, const void *b_)
{
    const uint32_t *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

static uint32_t
quantile(const struct client *c, unsigned int percent)
{
    return c->n_samples ? c->samples[(uint64_t) (c->n_samples - 1) * percent / 100] : 0;
}

int
main(int argc, char *argv[])
{
    static struct client c;
    struct sockaddr_in sin = { .sin_family = AF_INET };
    int size = 4 << 20;
    int64_t start, end, now;
    double seconds;

    if (argc < 5 || inet_pton(AF_INET, argv[1], &sin.sin_addr) != 1) {
        fprintf(stderr, "usage: udp-ping ADDRESS PORT WINDOW SECONDS [SIZE]\n");
        return 1;
    }
    sin.sin_port = htons((uint16_t) atoi(argv[2]));
    c.window = (uint32_t) atoi(argv[3]);
    seconds = atof(argv[4]);
    c.size = argc > 5 ? (uint32_t) atoi(argv[5]) : 64;
    if (!c.window || c.window > MAX_WINDOW || c.size < sizeof(struct probe) || c.size > 65507) {
        fprintf(stderr, "udp-ping: window 1 to %d, size %zu to 65507\n", MAX_WINDOW,
                sizeof(struct probe));
        return 1;
    }
    c.samples = malloc(MAX_SAMPLES * sizeof *c.samples);
    c.fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (!c.samples || c.fd < 0 || connect(c.fd, (struct sockaddr *) &sin, sizeof sin)) {
        perror("udp-ping");
        return 1;
    }
    setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    start = now = now_us();
    end = start + (int64_t) (seconds * 1e6);
    for (uint32_t i = 0; i < c.window; i++) {
        send_probe(&c, i, now);
    }
    while (now < end) {
        struct pollfd pfd = { c.fd, POLLIN, 0 };

        poll(&pfd, 1, 50);
        receive(&c);
        now = now_us();
        replace_lost(&c, now);
    }
    qsort(c.samples, c.n_samples, sizeof *c.samples, compare);
    printf("window %u: %.0f rt/s, p50 %u us, p99 %u us, lost %llu\n", c.window,
           (double) c.n_back * 1e6 / (double) (now - start), quantile(&c, 50), quantile(&c, 99),
           (unsigned long long) c.n_lost);
    free(c.samples);
    return c.n_back ? 0 : 1;
}
