/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Many publishers that begin at the same moment, each with so many bytes: how long it takes until
 * all is acknowledged, what TCP sends again meanwhile, and for how long some publisher got nothing
 * done.  With QoS 0 TCP's acknowledgement is what counts, else MQTT's.  One thread. */
#include "bench/load.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define LOOK_NS (SEC / 200)
#define STALL_NS (SEC / 5)

struct progress {                     /* Of one publisher. */
    uint64_t bytes_before, bytes_acked;
    uint64_t since_ns;                /* When that changed last. */
    uint64_t longest_ns;              /* It did not change. */
    uint64_t done_ns;                 /* 0: not yet. */
};

static bool
is_done(const struct load *l, const struct conn *c)
{
    int queued = 0;

    if (c->n_sent < l->count || c->n_left) {
        return false;
    }
    if (l->qos) {
        return c->n_acked >= l->count;
    }
    if (ioctl(c->fd, SIOCOUTQ, &queued)) {
        load_die("SIOCOUTQ");
    }
    return !queued;
}

/* Returns how many publishers are not done. */
static int
look(const struct load *l, struct progress *all, uint64_t now)
{
    int n_left = 0;

    for (int i = 0; i < l->n_pubs; i++) {
        const struct conn *c = &l->conns[i];
        struct progress *p = &all[i];
        struct tcp_info info = { 0 };
        socklen_t len = sizeof info;

        if (p->done_ns) {
            continue;
        }
        getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len);
        if (now - p->since_ns > p->longest_ns) {
            p->longest_ns = now - p->since_ns;
        }
        p->bytes_before = p->bytes_before ? p->bytes_before : info.tcpi_bytes_acked;
        if (info.tcpi_bytes_acked != p->bytes_acked) {
            p->bytes_acked = info.tcpi_bytes_acked;
            p->since_ns = now;
        }
        if (is_done(l, c)) {
            p->done_ns = now;
        } else {
            n_left++;
        }
    }
    return n_left;
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

    return x < y ? -1 : x > y;
}

/* Of the payload, what was acknowledged. */
static double
acknowledged_mb(const struct load *l, const struct progress *all)
{
    double bytes = 0, payload_part = (double) l->size / (double) l->conns[0].message_size;

    for (int i = 0; i < l->n_pubs; i++) {
        bytes += all[i].done_ns ? (double) l->count * l->size
                 : l->qos ? (double) l->conns[i].n_acked * l->size
                 : (double) (all[i].bytes_acked - all[i].bytes_before) * payload_part;
    }
    return bytes / 1e6;
}

/* Publishers that are not done count as done now. */
static void
print_times(const struct load *l, const struct progress *all, uint64_t began)
{
    uint64_t *done = calloc((size_t) l->n_pubs, sizeof *done), stall = 0;
    int n_stalled = 0, n_unfinished = 0;

    if (!done) {
        load_die("memory");
    }
    for (int i = 0; i < l->n_pubs; i++) {
        done[i] = (all[i].done_ns ? all[i].done_ns : load_now_ns()) - began;
        n_unfinished += !all[i].done_ns;
        n_stalled += all[i].longest_ns > STALL_NS;
        stall = all[i].longest_ns > stall ? all[i].longest_ns : stall;
    }
    qsort(done, (size_t) l->n_pubs, sizeof *done, compare);

    double seconds = (double) done[l->n_pubs - 1] / 1e9;

    printf("seconds %.3f\nfirst_s %.3f\nmedian_s %.3f\n", seconds, (double) done[0] / 1e9,
           (double) done[l->n_pubs / 2] / 1e9);
    printf("unfinished %d\ngoodput_mb_s %.2f\n", n_unfinished,
           acknowledged_mb(l, all) / seconds);
    printf("stalled %d\nstall_ms %.0f\n", n_stalled, (double) stall / 1e6);
    free(done);
}

static void
print_traffic(const struct load *l, double mb, const struct totals *t0, const struct totals *t1)
{
    double segments = (double) (t1->pub_out - t0->pub_out);
    double again = (double) (t1->pub_retransmitted - t0->pub_retransmitted);
    uint64_t arrived = 0;

    printf("segments_per_mb %.0f\nacks_per_mb %.0f\n", segments / mb,
           (double) (t1->pub_in - t0->pub_in) / mb);
    printf("retransmitted %.0f\nretransmitted_percent %.3f\n", again,
           segments > 0 ? 100 * again / segments : 0);
    for (int i = 0; i < l->n_flows; i++) {
        arrived += l->flows[i].n_received;
    }
    if (l->n_subs) {
        printf("arrived_percent %.2f\n",
               100 * (double) arrived / (double) (l->count * (uint64_t) l->n_pubs));
    }
    for (int i = 0; i < l->n_pids; i++) {
        printf("cpu_ms_per_mb.%s %.2f\n", l->pid_names[i],
               (double) (t1->cpu_ms[i] - t0->cpu_ms[i]) / mb);
    }
}

/* Says how it stands with those that are not done. */
static void
describe_unfinished(const struct load *l, const struct progress *all)
{
    for (int i = 0; i < l->n_pubs; i++) {
        const struct conn *c = &l->conns[i];
        struct tcp_info info = { 0 };
        socklen_t len = sizeof info;

        if (!all[i].done_ns) {
            getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len);
            fprintf(stderr, "mqtt-load: unfinished publisher %d: sent %llu messages, acknowledged %llu; TCP: "
                    "unacknowledged %u, not sent %u, congestion window %u, backoff %u, probes %u, "
                    "last data sent %u ms, last ACK %u ms ago\n", i,
                    (unsigned long long int) c->n_sent, (unsigned long long int) c->n_acked,
                    info.tcpi_unacked, info.tcpi_notsent_bytes, info.tcpi_snd_cwnd,
                    info.tcpi_backoff, info.tcpi_probes, info.tcpi_last_data_sent,
                    info.tcpi_last_ack_recv);
        }
    }
}

void
load_bulk(struct load *l)
{
    struct progress *all = calloc((size_t) l->n_pubs, sizeof *all);
    uint64_t began = load_now_ns(), end = began + (uint64_t) (l->seconds * 1e9), next = began, now;
    struct totals t0, t1;
    int n_left = l->n_pubs;

    if (!all) {
        load_die("memory");
    }
    load_take_totals(l, &t0);
    for (int i = 0; i < l->n_pubs; i++) {
        l->conns[i].n_sent = l->conns[i].n_acked = 0;
        all[i].since_ns = began;
    }
    l->running = true;
    for (int i = 0; i < l->n_pubs; i++) {
        load_publish(l, &l->conns[i]);
    }
    while (n_left && (now = load_now_ns()) < end) {
        load_turn(l, 5);
        if (now >= next) {
            n_left = look(l, all, now);
            next = now + LOOK_NS;
        }
    }
    describe_unfinished(l, all);
    load_take_totals(l, &t1);
    l->running = false;
    for (now = load_now_ns(), end = now + SEC; l->n_subs && now < end; now = load_now_ns()) {
        load_turn(l, 20);             /* What is still under way to the subscriber. */
    }
    print_times(l, all, began);
    print_traffic(l, acknowledged_mb(l, all), &t0, &t1);
    free(all);
}
