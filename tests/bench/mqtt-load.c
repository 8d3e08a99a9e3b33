/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* An MQTT load generator over kernel TCP, for benches only.  One process whose sockets may live in
 * two network namespaces, so that publishers and subscribers share a clock and a closed loop:
 *
 *   ping    N connections, each with OUTSTANDING PINGREQs on their way
 *   pubsub  N publishers, M subscribers: pairs (N = M), fan-out (N = 1) or fan-in (M = 1); a
 *           publisher may be WINDOW messages ahead of its slowest subscriber
 *   bulk    N publishers that begin at once with BYTES each, and one subscriber or none; within
 *           SECONDS at most
 *
 * Payloads are random bytes or SenML.  Every message is a write() of its own, with TCP_NODELAY
 * unless Nagle's algorithm is asked for.
 * A message is done when it arrives; with QoS 1 and 2 the window is also what the broker has
 * not acknowledged to the end.  What is lost is counted; a publisher none of whose messages
 * arrived for a second gives up on those under way, and goes on.  Before measuring, messages
 * are sent until each subscriber has had one of each of its publishers, then a warm-up passes.
 * Prints one "NAME VALUE" a line.
 * Bounded in time.  One thread. */
#include "bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/tcp.h>
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

void
load_die(const char *what)
{
    fprintf(stderr, "mqtt-load: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

uint64_t
load_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t) ts.tv_sec * SEC + (uint64_t) ts.tv_nsec;
}

static void
enter_netns(const char *name)
{
    char path[256];
    int fd;

    if (!name) {
        return;
    }
    snprintf(path, sizeof path, "/run/netns/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET)) {
        load_die(path);
    }
    close(fd);
}

/* ---- Flows: which publisher's messages reach which subscriber ---- */

static struct conn *
subscriber(struct load *l, int i)
{
    return &l->conns[l->n_pubs + i];
}

static uint64_t
slowest_edge(const struct load *l, const struct conn *pub)
{
    uint64_t edge = UINT64_MAX;

    if (l->n_pubs > 1) {
        return l->flows[pub->index].edge;
    }
    for (int i = 0; i < l->n_flows; i++) {
        edge = l->flows[i].edge < edge ? l->flows[i].edge : edge;
    }
    return edge;
}

/* ---- Traffic ---- */

/* How many messages this publisher may have sent. */
static uint64_t
allowed(const struct load *l, const struct conn *c)
{
    uint64_t edge = l->count ? l->count : slowest_edge(l, c);

    /* The window holds for what the broker has not acknowledged, too. */
    if (l->qos && c->n_acked < edge) {
        edge = c->n_acked;
    }
    edge += (uint64_t) l->window;
    return l->count && l->count < edge ? l->count : edge;
}

/* Sends as many messages as the window and the socket allow. */
void
load_publish(struct load *l, struct conn *c)
{
    if (c->waits_out && !load_flush(l, c)) {
        return;
    }
    while (l->running && c->n_sent < allowed(l, c) && load_send_message(l, c)) {
        continue;
    }
}

static void
ping(struct load *l, struct conn *c)
{
    static const uint8_t pingreq[] = { 0xc0, 0 };

    while (l->running && c->n_sent < c->n_answered + (uint64_t) l->outstanding) {
        c->sent_ns[c->n_sent++ % MAX_OUTSTANDING] = load_now_ns();
        load_write_all(c->fd, pingreq, sizeof pingreq);
    }
}

static void
sample(struct load *l, uint64_t sent_ns, uint64_t now)
{
    l->n_done++;
    if (l->n_samples < MAX_SAMPLES) {
        l->samples[l->n_samples++] = (uint32_t) ((now - sent_ns) / 1000);
    }
}

static void
message_arrived(struct load *l, const struct conn *sub, const uint8_t *payload, size_t n)
{
    uint64_t now = load_now_ns();
    struct stamp stamp;
    struct flow *f;

    if (n != (size_t) l->size) {
        fprintf(stderr, "mqtt-load: a message of %zu bytes\n", n);
        exit(EXIT_FAILURE);
    }
    memcpy(&stamp, payload, sizeof stamp);
    if (stamp.measured != !l->priming) {
        return;
    }
    f = &l->flows[l->n_pubs > 1 ? (int) stamp.publisher % l->n_pubs : sub->index];
    if (now - f->last_ns > f->stall_ns && !l->priming) {
        f->stall_ns = now - f->last_ns;
    }
    f->last_ns = now;
    f->n_received++;
    f->edge = stamp.seq + 1 > f->edge ? stamp.seq + 1 : f->edge;
    sample(l, stamp.sent_ns, now);
}

static void
handle_publish(struct load *l, struct conn *c, const uint8_t *body, size_t n, int qos)
{
    size_t head = n >= 2 ? (size_t) (body[0] << 8 | body[1]) + 2 : 0;

    if (qos != l->qos || head + (qos ? 2 : 0) > n) {
        fprintf(stderr, "mqtt-load: a message of QoS %d\n", qos);
        exit(EXIT_FAILURE);
    }
    if (qos) {
        load_owe_ack(c, qos == 1 ? 0x40 : 0x50, body + head);
        head += 2;
    }
    message_arrived(l, c, body + head, n - head);
}

/* One whole control packet whose 'n' bytes after the fixed header are 'body'. */
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
            load_send_subscribe(l, c);
        } else {
            l->n_ready++;
        }
        break;
    case 9:
        if (n < 3 || body[2] != l->qos) {
            fprintf(stderr, "mqtt-load: SUBSCRIBE granted %d\n", n < 3 ? -1 : body[2]);
            exit(EXIT_FAILURE);
        }
        l->n_ready++;
        break;
    case 3:
        handle_publish(l, c, body, n, first >> 1 & 3);
        break;
    case 4:
    case 7:
        c->n_acked++;
        break;
    case 5:
        load_owe_ack(c, 0x62, body);
        break;
    case 6:
        load_owe_ack(c, 0x70, body);
        break;
    case 13:
        sample(l, c->sent_ns[c->n_answered++ % MAX_OUTSTANDING], load_now_ns());
        break;
    }
}

static void
parse(struct load *l, struct conn *c)
{
    size_t at = 0;

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

static void
go_on(struct load *l, const struct conn *c)
{
    if (l->priming) {
        return;
    }
    if (c->role == PINGER) {
        ping(l, &l->conns[c->index]);
    } else if (c->role == PUBLISHER || (l->n_pubs > 1 && l->n_subs > 1)) {
        load_publish(l, &l->conns[c->index]);
    } else {
        for (int i = 0; i < l->n_pubs && !l->count; i++) {
            load_publish(l, &l->conns[i]);
        }
    }
}

static void
receive(struct load *l, struct conn *c)
{
    ssize_t got = read(c->fd, c->rx + c->n_rx, RX_SIZE - c->n_rx);

    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0) {
        fprintf(stderr, "mqtt-load: %s %d lost its connection\n",
                c->role == SUBSCRIBER ? "subscriber" : "publisher", c->index);
        exit(EXIT_FAILURE);
    }
    c->n_rx += (size_t) got;
    parse(l, c);
    if (c->n_owed) {
        load_flush(l, c);
    }
    go_on(l, c);
}

void
load_turn(struct load *l, int timeout_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(l->epoll, events, 256, timeout_ms);

    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;

        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            receive(l, c);
        }
        if (events[i].events & EPOLLOUT) {
            c->role == SUBSCRIBER ? (void) load_flush(l, c) : load_publish(l, c);
        }
    }
}

/* ---- Connections ---- */

static socklen_t
parse_address(const struct load *l, const char *host, struct sockaddr_storage *ss)
{
    struct sockaddr_in *sin = (struct sockaddr_in *) ss;
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *) ss;

    memset(ss, 0, sizeof *ss);
    if (inet_pton(AF_INET, host, &sin->sin_addr) == 1) {
        sin->sin_family = AF_INET;
        sin->sin_port = htons((uint16_t) l->port);
        return sizeof *sin;
    }
    if (inet_pton(AF_INET6, host, &sin6->sin6_addr) != 1) {
        errno = EINVAL;
        load_die(host);
    }
    sin6->sin6_family = AF_INET6;
    sin6->sin6_port = htons((uint16_t) l->port);
    return sizeof *sin6;
}

static void
open_conn(struct load *l, enum role role, int index)
{
    struct conn *c = role == SUBSCRIBER ? subscriber(l, index) : &l->conns[index];
    const char *host = role == SUBSCRIBER ? l->sub_host : l->pub_host;
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
    struct sockaddr_storage ss;
    socklen_t len = parse_address(l, host, &ss);
    int nodelay = !l->nagle;

    l->n_conns++;
    c->role = role;
    c->index = index;
    c->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *) &ss, len)) {
        load_die(host);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof nodelay);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->rx = malloc(RX_SIZE);
    c->owed = malloc(OWED_SIZE);
    c->sent_ns = calloc(MAX_OUTSTANDING, sizeof *c->sent_ns);
    if (!c->rx || !c->owed || !c->sent_ns) {
        load_die("memory");
    }
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev);
    if (role == PUBLISHER) {
        load_build_message(l, c);
    }
    load_send_connect(l, c);
}

static void
open_all(struct load *l)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    uint64_t give_up = load_now_ns() + READY_LIMIT;

    enter_netns(l->sub_netns);
    for (int i = 0; i < l->n_subs; i++) {
        open_conn(l, SUBSCRIBER, i);
    }
    if (setns(home, CLONE_NEWNET)) {
        load_die("setns");
    }
    enter_netns(l->pub_netns);
    for (int i = 0; i < l->n_pubs; i++) {
        open_conn(l, l->n_subs || l->count ? PUBLISHER : PINGER, i);
    }
    while (l->n_ready < l->n_conns) {
        if (load_now_ns() > give_up) {
            fprintf(stderr, "mqtt-load: only %d of %d connections are ready\n", l->n_ready,
                    l->n_conns);
            exit(EXIT_FAILURE);
        }
        load_turn(l, 100);
    }
}

static bool
all_primed(const struct load *l)
{
    for (int i = 0; i < l->n_flows; i++) {
        if (!l->flows[i].n_received) {
            return false;
        }
    }
    return true;
}

static void
run_until(struct load *l, uint64_t until)
{
    while (load_now_ns() < until) {
        load_turn(l, 10);
    }
}

/* A subscription takes its time to reach the other edge. */
static void
prime(struct load *l)
{
    uint64_t give_up = load_now_ns() + READY_LIMIT;

    l->priming = true;
    while (!all_primed(l)) {
        if (load_now_ns() > give_up) {
            fprintf(stderr, "mqtt-load: messages do not reach every subscriber\n");
            exit(EXIT_FAILURE);
        }
        for (int i = 0; i < l->n_pubs; i++) {
            if (!l->conns[i].waits_out) {
                load_send_message(l, &l->conns[i]);
            }
        }
        run_until(l, load_now_ns() + SEC / 5);
    }
    run_until(l, load_now_ns() + SEC / 5);
    for (int i = 0; i < l->n_flows; i++) {
        l->flows[i].edge = l->flows[i].from->n_sent;
        l->flows[i].n_received = 0;
        l->flows[i].last_ns = load_now_ns();
    }
    l->priming = false;
}

/* ---- The run ---- */

/* Publishers whose messages are all lost would wait for ever. */
static void
give_up_lost(struct load *l)
{
    uint64_t now = load_now_ns();

    for (int i = 0; i < l->n_flows; i++) {
        struct flow *f = &l->flows[i];

        if (now - f->last_ns > GIVE_UP && f->edge < f->from->n_sent) {
            l->n_given_up++;
            f->edge = f->from->n_sent;
            f->last_ns = now;
            load_publish(l, f->from);
        }
    }
}

static void
run_for(struct load *l, double seconds)
{
    uint64_t end = load_now_ns() + (uint64_t) (seconds * 1e9);

    while (load_now_ns() < end) {
        load_turn(l, 10);
        give_up_lost(l);
    }
}

static void
run(struct load *l)
{
    struct totals t0, t1;
    uint64_t n_sent = 0, patience;

    for (int i = 0; i < l->n_flows; i++) {
        l->flows[i].from->n_sent = l->flows[i].from->n_acked = 0;
        l->flows[i].edge = 0;
        l->flows[i].last_ns = load_now_ns();
    }
    l->running = true;
    for (int i = 0; i < l->n_pubs; i++) {
        l->n_subs ? load_publish(l, &l->conns[i]) : ping(l, &l->conns[i]);
    }
    run_for(l, l->warm_up);
    l->n_samples = 0;
    load_take_totals(l, &t0);
    run_for(l, l->seconds);
    load_take_totals(l, &t1);
    l->running = false;
    /* What is still under way is late, not lost. */
    for (int i = 0; i < l->n_flows; i++) {
        n_sent += l->flows[i].from->n_sent;
    }
    patience = load_now_ns() + 2 * SEC;
    for (uint64_t n = 0; n != n_sent && load_now_ns() < patience; ) {
        load_turn(l, 20);
        n = 0;
        for (int i = 0; i < l->n_flows; i++) {
            n += l->flows[i].n_received;
        }
    }
    load_print_rates(l, &t0, &t1);
    load_print_losses(l);
}

/* ---- Command line ---- */

static void
usage(void)
{
    fputs("usage: mqtt-load [-P PUB_NETNS] [-S SUB_NETNS] [-p PORT] [-n PUBLISHERS]\n"
          "                 [-m SUBSCRIBERS] [-z BYTES] [-w WINDOW] [-o OUTSTANDING] [-g]\n"
          "                 [-t SECONDS] [-W WARM_UP_SECONDS] [-c NAME=PID]...\n"
          "                 [-q QOS] [-b BYTES] [-s] [-u USER -k PASSWORD]\n"
          "                 ping HOST | pubsub PUB_HOST SUB_HOST | bulk PUB_HOST [SUB_HOST]\n"
          "-g: with Nagle's algorithm; -s: SenML, not random bytes;\n"
          " -c: CPU time of a process per 1,000 messages\n", stderr);
    exit(2);
}

static void
add_pid(struct load *l, char *arg)
{
    char *equals = strchr(arg, '=');

    if (!equals || l->n_pids == MAX_PIDS) {
        usage();
    }
    *equals = '\0';
    l->pid_names[l->n_pids] = arg;
    l->pids[l->n_pids++] = atoi(equals + 1);
}

static void
parse_options(struct load *l, int argc, char *argv[])
{
    int option;

    while ((option = getopt(argc, argv, "P:S:p:n:m:z:w:o:gst:W:c:q:b:u:k:")) != -1) {
        switch (option) {
        case 'P': l->pub_netns = optarg; break;
        case 'S': l->sub_netns = optarg; break;
        case 'p': l->port = atoi(optarg); break;
        case 'n': l->n_pubs = atoi(optarg); break;
        case 'm': l->n_subs = atoi(optarg); break;
        case 'z': l->size = atoi(optarg); break;
        case 'w': l->window = atoi(optarg); break;
        case 'o': l->outstanding = atoi(optarg); break;
        case 'g': l->nagle = true; break;
        case 's': l->senml = true; break;
        case 't': l->seconds = atof(optarg); break;
        case 'W': l->warm_up = atof(optarg); break;
        case 'c': add_pid(l, optarg); break;
        case 'q': l->qos = atoi(optarg); break;
        case 'b': l->bytes = strtoull(optarg, NULL, 10); break;
        case 'u': l->user = optarg; break;
        case 'k': l->password = optarg; break;
        default: usage();
        }
    }
    if (argc - optind == 2 && !strcmp(argv[optind], "ping")) {
        l->n_subs = 0;
    } else if (argc - optind == 3 && !strcmp(argv[optind], "pubsub")) {
        l->n_subs = l->n_subs ? l->n_subs : l->n_pubs;
        l->sub_host = argv[optind + 2];
    } else if (argc - optind >= 2 && argc - optind <= 3 && !strcmp(argv[optind], "bulk")) {
        l->sub_host = argv[optind + 2];
        l->n_subs = l->sub_host != NULL;
        l->count = l->bytes / (uint64_t) (l->size > 0 ? l->size : 1);
        if (!l->count) {
            usage();
        }
    } else {
        usage();
    }
    l->pub_host = argv[optind + 1];
}

static bool
is_sane(const struct load *l)
{
    bool shape = !l->n_subs || l->n_subs == l->n_pubs || l->n_subs == 1 || l->n_pubs == 1;

    return (shape && l->n_pubs >= 1 && l->n_subs >= 0 && l->n_pubs + l->n_subs <= MAX_CONNS
            && l->size >= (int) sizeof(struct stamp) && l->size <= MAX_PAYLOAD && l->window >= 1
            && l->window < 65535 && l->qos >= 0 && l->qos <= 2 && l->outstanding >= 1
            && l->outstanding <= MAX_OUTSTANDING && l->seconds > 0
            && l->seconds <= 600 && l->warm_up >= 0 && l->warm_up <= 60
            && !l->user == !l->password);
}

int
main(int argc, char *argv[])
{
    static struct load l = {
        .port = 1883, .n_pubs = 1, .size = 64, .window = 100, .outstanding = 1, .seconds = 3,
        .warm_up = 0.3, .bytes = 1000000,
    };

    parse_options(&l, argc, argv);
    if (!is_sane(&l)) {
        usage();
    }
    l.n_flows = !l.n_subs ? 0 : l.n_pubs > l.n_subs ? l.n_pubs : l.n_subs;
    l.flows = calloc((size_t) l.n_flows + 1, sizeof *l.flows);
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    l.samples = malloc(MAX_SAMPLES * sizeof *l.samples);
    if (l.epoll < 0 || !l.samples || !l.flows) {
        load_die("start");
    }
    for (int i = 0; i < l.n_flows; i++) {
        l.flows[i].from = &l.conns[l.n_pubs > 1 ? i : 0];
    }
    load_make_bodies(&l);
    open_all(&l);
    prime(&l);
    l.count ? load_bulk(&l) : run(&l);
    return EXIT_SUCCESS;
}
