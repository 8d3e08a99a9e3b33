/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Round trips at a steady rate, one at a time, over a kernel's socket: a UDP datagram to a reflector,
 * or a PINGREQ over one MQTT connection, so that both are measured in the same way.  Prints for each
 * the microseconds that it took, one a line.  A probe that was due while the one before it was still
 * under way counts from when it was due: a stall of 100 ms is as many long round trips as it kept
 * from being short.  A datagram that is not back after 200 ms, the least that TCP takes to send
 * something again, is given up, and has taken that.
 *
 *     probe udp|mqtt ADDRESS PORT RATE SECONDS
 *
 * Exit status 1 when the connection ends.  One thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOST_NS INT64_C(200000000)
#define LONGEST_MS 30000

struct probe {
    int fd;
    bool is_udp;
    uint64_t seq;
};

static void __attribute__((noreturn))
fail(const char *what)
{
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
sleep_until(int64_t at)
{
    struct timespec ts = { at / 1000000000, at % 1000000000 };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR) {
        continue;
    }
}

/* The 'n' bytes of a stream must be these. */
static void
expect(int fd, const void *wanted, size_t n)
{
    uint8_t got[16];
    size_t have = 0;

    while (have < n) {
        struct pollfd pfd = { fd, POLLIN, 0 };
        ssize_t more;

        if (poll(&pfd, 1, LONGEST_MS) <= 0) {
            errno = ETIMEDOUT;
            fail("the answer");
        }
        more = read(fd, got + have, n - have);
        if (more <= 0) {
            fail(more ? "the connection" : "the connection ended");
        }
        have += (size_t) more;
    }
    if (memcmp(got, wanted, n)) {
        errno = EPROTO;
        fail("the answer");
    }
}

static void
open_probe(struct probe *p, const char *address, const char *port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(port)) };
    int yes = 1;

    errno = EINVAL;
    p->fd = socket(AF_INET, (p->is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1
        || connect(p->fd, (struct sockaddr *) &to, sizeof to)) {
        fail(address);
    }
    if (!p->is_udp) {
        static const uint8_t connect_packet[] = "\x10\x11\0\4MQTT\4\2\0\0\0\5probe";

        setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (write(p->fd, connect_packet, sizeof connect_packet - 1) < 0) {
            fail("CONNECT");
        }
        expect(p->fd, "\x20\2\0\0", 4);
    }
}

static void
ask_udp(struct probe *p)
{
    uint64_t sent[8] = { ++p->seq }, got[8];
    int64_t end = now_ns() + LOST_NS, left;

    if (send(p->fd, sent, sizeof sent, 0) < 0) {
        fail("send");
    }
    while ((left = end - now_ns()) > 0) {
        struct pollfd pfd = { p->fd, POLLIN, 0 };

        if (poll(&pfd, 1, (int) (left / 1000000) + 1) > 0
            && recv(p->fd, got, sizeof got, MSG_DONTWAIT) == sizeof got && got[0] == p->seq) {
            return;
        }
    }
}

static void
ask_mqtt(struct probe *p)
{
    if (write(p->fd, "\xc0\0", 2) != 2) {
        fail("PINGREQ");
    }
    expect(p->fd, "\xd0\0", 2);
}

int
main(int argc, char *argv[])
{
    struct probe p = { .fd = -1 };
    int64_t interval, due, end;
    double rate, seconds;

    if (argc != 6 || (strcmp(argv[1], "udp") && strcmp(argv[1], "mqtt"))) {
        fputs("usage: probe udp|mqtt ADDRESS PORT RATE SECONDS\n", stderr);
        return 2;
    }
    p.is_udp = !strcmp(argv[1], "udp");
    rate = atof(argv[4]);
    seconds = atof(argv[5]);
    if (!(rate >= 1 && rate <= 1e6 && seconds > 0 && seconds <= 600)) {
        fputs("probe: RATE 1 to 1000000, SECONDS to 600\n", stderr);
        return 2;
    }
    interval = (int64_t) (1e9 / rate);
    open_probe(&p, argv[2], argv[3]);
    due = now_ns() + interval;
    end = due + (int64_t) (seconds * 1e9);
    for (; due < end; due += interval) {
        int64_t from = due;

        if (now_ns() < due) {
            sleep_until(due);
            from = now_ns();          /* That we wake late is no part of it. */
        }
        p.is_udp ? ask_udp(&p) : ask_mqtt(&p);
        printf("%lld\n", (long long int) (now_ns() - from) / 1000);
        if (due == end - (int64_t) (seconds * 1e9)) {
            fflush(stdout);           /* Says that it has begun. */
        }
    }
    close(p.fd);
    return 0;
}
