/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* An MQTT load generator over kernel TCP, for benches only.  One process whose sockets may live in
 * two network namespaces, so that publishers and subscribers share a clock and a closed loop:
 *
 *   ping    N connections, each with one PINGREQ outstanding
 *   pubsub  N pairs; a publisher may be WINDOW messages ahead of its subscriber
 *
 * Publishers use TCP_NODELAY and one write() a message, as a client without Nagle does.  QoS 0:
 * whatever is lost stalls a pair's window, and is reported.  Bounded in time. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNS = 4096, RX_SIZE = 1 << 18, MAX_SAMPLES = 1 << 20, MAX_PAYLOAD = 200000 };

enum role { PINGER, PUBLISHER, SUBSCRIBER };

struct conn {
    int fd;
    enum role role;
    int index;
    bool ready;                       /* CONNACK (and SUBACK) seen. */
    struct conn *pair;
    uint64_t n_sent, n_received;
    uint64_t sent_ns;
    uint8_t *rx;
    size_t n_rx;
    const uint8_t *tx;                /* Rest of a message that the socket did not take. */
    size_t n_tx;
    uint8_t *message;
    bool waits_out;
};

struct load {
    const char *mode, *pub_netns, *sub_netns, *pub_host, *sub_host, *user, *password;
    int port, n, size, window;
    double seconds;
    int epoll;
    struct conn conns[MAX_CONNS];
    int n_conns, n_ready;
    bool running;
    uint32_t *samples;                /* Latencies, us. */
    size_t n_samples;
    uint64_t n_done;
};

static void
die(const char *what)
{
    fprintf(stderr, "mqtt-load: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t) ts.tv_sec * 1000000000u + (uint64_t) ts.tv_nsec;
}

static void
enter_netns(const char *name)
{
    char path[256];
    int fd;

    if (!name) {
        return;
    }
    snprintf(path, sizeof path, "/var/run/netns/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET)) {
        die(path);
    }
    close(fd);
}

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
write_all(int fd, const void *data, size_t n)
{
    const uint8_t *p = data;

    while (n) {
        ssize_t done = write(fd, p, n);

        if (done < 0 && errno != EAGAIN) {
            die("write");
        }
        if (done > 0) {
            p += done;
            n -= (size_t) done;
        }
    }
}

static void
send_connect(const struct load *l, const struct conn *c)
{
    uint8_t b[512], *p = b + 2;
    char id[32];

    snprintf(id, sizeof id, "load-%d-%d", (int) c->role, c->index);
    p += put_string(p, "MQTT");
    *p++ = 4;
    *p++ = (uint8_t) (2 | (l->user ? 0xc0 : 0));
    *p++ = 0;
    *p++ = 0;
    p += put_string(p, id);
    if (l->user) {
        p += put_string(p, l->user);
        p += put_string(p, l->password ? l->password : "");
    }
    b[0] = 0x10;
    b[1] = (uint8_t) (p - b - 2);
    write_all(c->fd, b, (size_t) (p - b));
}

static void
send_subscribe(const struct conn *c)
{
    uint8_t b[64], *p = b + 2;
    char topic[32];

    snprintf(topic, sizeof topic, "load/%d", c->index);
    *p++ = 0;
    *p++ = 1;
    p += put_string(p, topic);
    *p++ = 0;
    b[0] = 0x82;
    b[1] = (uint8_t) (p - b - 2);
    write_all(c->fd, b, (size_t) (p - b));
}

static size_t
put_remaining_length(uint8_t *p, size_t n)
{
    size_t used = 0;

    do {
        p[used++] = (uint8_t) ((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
        n >>= 7;
    } while (n);
    return used;
}

static size_t
make_publish(const struct load *l, struct conn *c)
{
    uint8_t topic[64], *p = c->message;
    char name[32];
    size_t n;
    uint64_t now = now_ns();

    snprintf(name, sizeof name, "load/%d", c->index);
    n = put_string(topic, name);
    *p++ = 0x30;
    p += put_remaining_length(p, n + (size_t) l->size);
    memcpy(p, topic, n);
    p += n;
    memset(p, 'x', (size_t) l->size);
    memcpy(p, &now, sizeof now);
    return (size_t) (p - c->message) + (size_t) l->size;
}

static void
want_out(struct load *l, struct conn *c, bool out)
{
    struct epoll_event ev = { .events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c };

    if (c->waits_out != out) {
        c->waits_out = out;
        epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &ev);
    }
}

/* Sends as many messages as the window and the socket allow. */
static void
publish(struct load *l, struct conn *c)
{
    while (l->running || c->n_tx) {
        if (!c->n_tx) {
            if (c->n_sent - c->pair->n_received >= (uint64_t) l->window) {
                break;
            }
            c->n_tx = make_publish(l, c);
            c->tx = c->message;
            c->n_sent++;
        }
        ssize_t done = write(c->fd, c->tx, c->n_tx);

        if (done < 0) {
            if (errno != EAGAIN) {
                die("publisher");
            }
            want_out(l, c, true);
            return;
        }
        c->tx += done;
        c->n_tx -= (size_t) done;
    }
    want_out(l, c, false);
}

static void
ping(struct load *l, struct conn *c)
{
    static const uint8_t pingreq[] = { 0xc0, 0 };

    if (l->running) {
        c->sent_ns = now_ns();
        c->n_sent++;
        write_all(c->fd, pingreq, sizeof pingreq);
    }
}

static void
sample(struct load *l, uint64_t sent_ns)
{
    l->n_done++;
    if (l->n_samples < MAX_SAMPLES) {
        l->samples[l->n_samples++] = (uint32_t) ((now_ns() - sent_ns) / 1000);
    }
}

/* One whole control packet of 'n' bytes whose body starts at 'body'. */
static void
handle_packet(struct load *l, struct conn *c, const uint8_t *body, size_t n, uint8_t first)
{
    switch (first >> 4) {
    case 2:
        if (n < 2 || body[1]) {
            fprintf(stderr, "mqtt-load: CONNECT refused with %d\n", n < 2 ? -1 : body[1]);
            exit(EXIT_FAILURE);
        }
        if (c->role == SUBSCRIBER) {
            send_subscribe(c);
        } else {
            l->n_ready++;
        }
        break;
    case 9:
        l->n_ready++;
        break;
    case 3: {
        size_t topic = n >= 2 ? (size_t) (body[0] << 8 | body[1]) : 0;
        uint64_t sent;

        c->n_received++;
        if (n >= topic + 2 + sizeof sent) {
            memcpy(&sent, body + topic + 2, sizeof sent);
            sample(l, sent);
        }
        publish(l, c->pair);
        break;
    }
    case 13:
        c->n_received++;
        sample(l, c->sent_ns);
        ping(l, c);
        break;
    }
}

static void
receive(struct load *l, struct conn *c)
{
    ssize_t got = read(c->fd, c->rx + c->n_rx, RX_SIZE + MAX_PAYLOAD - c->n_rx);
    size_t at = 0;

    if (got <= 0) {
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        fprintf(stderr, "mqtt-load: connection %d ended\n", c->index);
        exit(EXIT_FAILURE);
    }
    c->n_rx += (size_t) got;
    while (c->n_rx - at >= 2) {
        size_t length = 0, used = 1;
        int shift = 0;
        bool more = true;

        while (more && at + used < c->n_rx && used < 5) {
            uint8_t b = c->rx[at + used++];

            length |= (size_t) (b & 0x7f) << shift;
            shift += 7;
            more = b & 0x80;
        }
        if (more || at + used + length > c->n_rx) {
            break;
        }
        handle_packet(l, c, c->rx + at + used, length, c->rx[at]);
        at += used + length;
    }
    c->n_rx -= at;
    memmove(c->rx, c->rx + at, c->n_rx);
}

static struct conn *
open_conn(struct load *l, enum role role, int index)
{
    struct conn *c = &l->conns[l->n_conns++];
    struct sockaddr_storage ss = { 0 };
    struct sockaddr_in *sin = (struct sockaddr_in *) &ss;
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *) &ss;
    const char *host = role == SUBSCRIBER ? l->sub_host : l->pub_host;
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
    socklen_t len = sizeof *sin;
    int one = 1;

    if (inet_pton(AF_INET, host, &sin->sin_addr) == 1) {
        sin->sin_family = AF_INET;
        sin->sin_port = htons((uint16_t) l->port);
    } else if (inet_pton(AF_INET6, host, &sin6->sin6_addr) == 1) {
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons((uint16_t) l->port);
        len = sizeof *sin6;
    } else {
        errno = EINVAL;
        die(host);
    }
    c->role = role;
    c->index = index;
    c->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *) &ss, len)) {
        die(host);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->rx = malloc(RX_SIZE + MAX_PAYLOAD);
    c->message = malloc(MAX_PAYLOAD + 100);
    if (!c->rx || !c->message) {
        die("memory");
    }
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev);
    send_connect(l, c);
    return c;
}

static void
turn(struct load *l, int timeout_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(l->epoll, events, 256, timeout_ms);

    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;

        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            receive(l, c);
        }
        if (events[i].events & EPOLLOUT) {
            publish(l, c);
        }
    }
}

static int
compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

    return x < y ? -1 : x > y;
}

static void
report(struct load *l, double seconds)
{
    uint64_t outstanding = 0;

    for (int i = 0; i < l->n_conns; i++) {
        if (l->conns[i].role == PUBLISHER) {
            outstanding += l->conns[i].n_sent - l->conns[i].pair->n_received;
        }
    }
    qsort(l->samples, l->n_samples, sizeof *l->samples, compare);
    printf("per_second %.0f\n", (double) l->n_done / seconds);
    if (l->n_samples) {
        printf("p50_us %u\np99_us %u\n", l->samples[l->n_samples / 2],
               l->samples[l->n_samples * 99 / 100]);
    }
    printf("lost %llu\n", (unsigned long long int) outstanding);
}

static void
open_all(struct load *l)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    bool pubsub = !strcmp(l->mode, "pubsub");

    if (pubsub) {
        enter_netns(l->sub_netns);
        for (int i = 0; i < l->n; i++) {
            open_conn(l, SUBSCRIBER, i);
        }
        if (setns(home, CLONE_NEWNET)) {
            die("setns");
        }
    }
    enter_netns(l->pub_netns);
    for (int i = 0; i < l->n; i++) {
        struct conn *c = open_conn(l, pubsub ? PUBLISHER : PINGER, i);

        if (pubsub) {
            c->pair = &l->conns[i];
            l->conns[i].pair = c;
        }
    }
    uint64_t give_up = now_ns() + 10000000000u;

    while (l->n_ready < l->n_conns) {
        if (now_ns() > give_up) {
            fprintf(stderr, "mqtt-load: only %d of %d connections are ready\n", l->n_ready,
                    l->n_conns);
            exit(EXIT_FAILURE);
        }
        turn(l, 100);
    }
    /* Peers learn of subscriptions by a datagram of their own: give it a moment. */
    uint64_t settled = now_ns() + 500000000u;

    while (now_ns() < settled) {
        turn(l, 50);
    }
}

static void
run(struct load *l)
{
    uint64_t start = now_ns(), end = start + (uint64_t) (l->seconds * 1e9), quiet;
    double seconds;

    l->running = true;
    for (int i = 0; i < l->n_conns; i++) {
        if (l->conns[i].role == PUBLISHER) {
            publish(l, &l->conns[i]);
        } else if (l->conns[i].role == PINGER) {
            ping(l, &l->conns[i]);
        }
    }
    while (now_ns() < end) {
        turn(l, 10);
    }
    l->running = false;
    seconds = (double) (now_ns() - start) / 1e9;
    uint64_t n_done = l->n_done;

    quiet = now_ns() + 2000000000u;   /* What is still under way is late, not lost. */
    while (now_ns() < quiet) {
        turn(l, 50);
    }
    l->n_done = n_done;
    report(l, seconds);
}

static void
usage(void)
{
    fputs("usage: mqtt-load [-P PUB_NETNS] [-S SUB_NETNS] [-p PORT] [-n CONNECTIONS] [-z BYTES]\n"
          "                 [-w WINDOW] [-t SECONDS] [-u USER -k PASSWORD]\n"
          "                 ping HOST | pubsub PUB_HOST SUB_HOST\n", stderr);
    exit(2);
}

int
main(int argc, char *argv[])
{
    static struct load l = { .port = 1883, .n = 1, .size = 64, .window = 100, .seconds = 3 };
    int option;

    while ((option = getopt(argc, argv, "P:S:p:n:z:w:t:u:k:")) != -1) {
        switch (option) {
        case 'P': l.pub_netns = optarg; break;
        case 'S': l.sub_netns = optarg; break;
        case 'p': l.port = atoi(optarg); break;
        case 'n': l.n = atoi(optarg); break;
        case 'z': l.size = atoi(optarg); break;
        case 'w': l.window = atoi(optarg); break;
        case 't': l.seconds = atof(optarg); break;
        case 'u': l.user = optarg; break;
        case 'k': l.password = optarg; break;
        default: usage();
        }
    }
    argv += optind;
    argc -= optind;
    if (argc == 2 && !strcmp(argv[0], "ping")) {
        l.pub_host = argv[1];
    } else if (argc == 3 && !strcmp(argv[0], "pubsub")) {
        l.pub_host = argv[1];
        l.sub_host = argv[2];
    } else {
        usage();
    }
    if (l.n < 1 || l.n > MAX_CONNS / 2 || l.size < 16 || l.size > MAX_PAYLOAD || l.window < 1
        || l.seconds <= 0 || l.seconds > 600) {
        usage();
    }
    l.mode = argv[0];
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    l.samples = malloc(MAX_SAMPLES * sizeof *l.samples);
    if (l.epoll < 0 || !l.samples) {
        die("start");
    }
    open_all(&l);
    run(&l);
    return EXIT_SUCCESS;
}
