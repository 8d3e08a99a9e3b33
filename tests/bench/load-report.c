/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The figures of the load generator: segments by TCP_INFO, processor time from /proc, latencies,
 * losses.  One "NAME VALUE" a line.  One thread. */
#include "bench/load.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* User and system time of a process, from the 14th and 15th word of its stat. */
static uint64_t
cpu_ms(int pid)
{
    char path[64], line[1024], *p;
    unsigned long long int user, system;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    f = fopen(path, "re");
    if (!f || !fgets(line, sizeof line, f)) {
        load_die(path);
    }
    fclose(f);
    p = strrchr(line, ')');
    if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
                     &system) != 2) {
        load_die(path);
    }
    return (uint64_t) (user + system) * 1000 / (uint64_t) sysconf(_SC_CLK_TCK);
}

void
load_take_totals(const struct load *l, struct totals *t)
{
    memset(t, 0, sizeof *t);
    for (int i = 0; i < l->n_conns; i++) {
        const struct conn *c = &l->conns[i];
        struct tcp_info info = { 0 };
        socklen_t len = sizeof info;

        getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len);
        if (c->role == SUBSCRIBER) {
            t->sub_in += info.tcpi_data_segs_in;
            t->sub_out += info.tcpi_segs_out;
        } else {
            t->n_sent += c->n_sent;
            t->pub_out += info.tcpi_data_segs_out;
            t->pub_in += info.tcpi_segs_in;
            t->pub_retransmitted += info.tcpi_total_retrans;
        }
    }
    for (int i = 0; i < l->n_pids; i++) {
        t->cpu_ms[i] = cpu_ms(l->pids[i]);
    }
    t->n_done = l->n_done;
    t->at_ns = load_now_ns();
}

static int
compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

    return x < y ? -1 : x > y;
}

void
load_print_rates(struct load *l, const struct totals *t0, const struct totals *t1)
{
    double done = (double) (t1->n_done - t0->n_done), k = (done > 0 ? done : 1) / 1000;
    double sent_k = (double) (t1->n_sent - t0->n_sent) / 1000;

    sent_k = sent_k > 0 ? sent_k : 1;
    printf("per_second %.0f\n", done * 1e9 / (double) (t1->at_ns - t0->at_ns));
    qsort(l->samples, l->n_samples, sizeof *l->samples, compare);
    printf("p50_us %u\np99_us %u\n", l->n_samples ? l->samples[l->n_samples / 2] : 0,
           l->n_samples ? l->samples[l->n_samples * 99 / 100] : 0);
    printf("pub_segments_per_k %.1f\n", (double) (t1->pub_out - t0->pub_out) / sent_k);
    printf("pub_acks_per_k %.1f\n", (double) (t1->pub_in - t0->pub_in) / sent_k);
    printf("pub_retransmits_per_k %.2f\n",
           (double) (t1->pub_retransmitted - t0->pub_retransmitted) / sent_k);
    printf("sub_segments_per_k %.1f\n", (double) (t1->sub_in - t0->sub_in) / k);
    printf("sub_acks_per_k %.1f\n", (double) (t1->sub_out - t0->sub_out) / k);
    for (int i = 0; i < l->n_pids; i++) {
        printf("cpu_ms_per_k.%s %.2f\n", l->pid_names[i],
               (double) (t1->cpu_ms[i] - t0->cpu_ms[i]) / k);
    }
}

void
load_print_losses(const struct load *l)
{
    uint64_t lost = 0, stall_ns = 0;

    for (int i = 0; i < l->n_flows; i++) {
        const struct flow *f = &l->flows[i];

        lost += f->from->n_sent - f->n_received;
        stall_ns = f->stall_ns > stall_ns ? f->stall_ns : stall_ns;
    }
    printf("lost %lld\ngiven_up %llu\nstall_ms %.1f\n", (long long int) lost,
           (unsigned long long int) l->n_given_up, (double) stall_ns / 1e6);
}
