/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/pcap_in.h"

#include <event2/event.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include "base/mem.h"

STATS_DEFINE(io_pcap, IO_PCAP_STATS)

#define SNAPLEN 65535
#define BUFFER (8 << 20)
#define MAX_FRAMES 1024               /* Of one interface in one turn. */

/* One interface. */
struct tap {
    struct io_pcap *owner;
    uint32_t port;
    char *name;
    pcap_t *pcap;
    struct event *read_ev;
};

struct io_pcap {
    struct io_loop *loop;
    struct io_pcap_config cfg;
    struct io_pcap_stats stats;
    struct tap *taps;
    size_t n;
};

static void
received(u_char *tap_, const struct pcap_pkthdr *hdr, const u_char *frame)
{
    struct tap *tap = (struct tap *) tap_;
    struct io_pcap *p = tap->owner;

    if (hdr->caplen < hdr->len) {
        p->stats.cut++;
        return;
    }
    p->stats.frames_in++;
    p->cfg.received(p->cfg.aux, tap->port, frame, hdr->caplen, io_loop_now(p->loop));
}

static void
read_cb(evutil_socket_t fd, short what, void *tap_)
{
    struct tap *tap = tap_;

    (void) fd;
    (void) what;
    pcap_dispatch(tap->pcap, MAX_FRAMES, received, (u_char *) tap);
}

static char *
complaint(const char *name, const char *what)
{
    char buf[400];

    snprintf(buf, sizeof buf, "cannot capture on %s: %s", name, what);
    return mem_strdup(buf);
}

/* Returns NULL or what libpcap says. */
static const char *
set_up(struct tap *tap, const char *filter)
{
    pcap_t *pc = tap->pcap;
    struct bpf_program prog;
    char error[PCAP_ERRBUF_SIZE];
    int failed;

    pcap_set_snaplen(pc, SNAPLEN);
    pcap_set_promisc(pc, 1);          /* Virtual addresses have MACs that the interface has not. */
    pcap_set_immediate_mode(pc, 1);   /* Else frames wait for a buffer to fill. */
    pcap_set_buffer_size(pc, BUFFER);
    failed = pcap_activate(pc);
    if (failed < 0) {
        const char *what = pcap_geterr(pc);

        return *what ? what : pcap_statustostr(failed);
    }
    if (pcap_datalink(pc) != DLT_EN10MB) {
        return "it is not an Ethernet interface";
    }
    if (pcap_setnonblock(pc, 1, error) || pcap_setdirection(pc, PCAP_D_IN)) {
        return pcap_geterr(pc);
    }
    if (filter) {
        if (pcap_compile(pc, &prog, filter, 1, PCAP_NETMASK_UNKNOWN)) {
            return pcap_geterr(pc);
        }
        failed = pcap_setfilter(pc, &prog);
        pcap_freecode(&prog);
        if (failed) {
            return pcap_geterr(pc);
        }
    }
    return NULL;
}

static char *
open_tap(struct tap *tap, const char *filter)
{
    char error[PCAP_ERRBUF_SIZE];
    const char *what;

    tap->pcap = pcap_create(tap->name, error);
    if (!tap->pcap) {
        return complaint(tap->name, error);
    }
    what = set_up(tap, filter);
    if (what) {
        return complaint(tap->name, what);
    }
    tap->read_ev = event_new(io_loop_base(tap->owner->loop), pcap_get_selectable_fd(tap->pcap),
                             EV_READ | EV_PERSIST, read_cb, tap);
    event_add(tap->read_ev, NULL);
    return NULL;
}

struct io_pcap *
io_pcap_create(struct io_loop *loop, const struct io_pcap_config *cfg, char **error)
{
    struct io_pcap *p = mem_zalloc(sizeof *p);

    *error = NULL;
    p->loop = loop;
    p->cfg = *cfg;
    p->taps = mem_zalloc(cfg->n_interfaces * sizeof *p->taps);
    for (size_t i = 0; i < cfg->n_interfaces && !*error; i++) {
        struct tap *tap = &p->taps[p->n++];

        tap->owner = p;
        tap->port = (uint32_t) i;
        tap->name = mem_strdup(cfg->interfaces[i]);
        *error = open_tap(tap, cfg->filter);
    }
    if (*error) {
        io_pcap_destroy(p);
        return NULL;
    }
    return p;
}

void
io_pcap_destroy(struct io_pcap *p)
{
    if (p) {
        for (size_t i = 0; i < p->n; i++) {
            if (p->taps[i].read_ev) {
                event_free(p->taps[i].read_ev);
            }
            if (p->taps[i].pcap) {
                pcap_close(p->taps[i].pcap);
            }
            mem_free(p->taps[i].name);
        }
        mem_free(p->taps);
        mem_free(p);
    }
}

bool
io_pcap_send(struct io_pcap *p, uint32_t port, const void *frame, size_t n)
{
    if (port >= p->n) {
        p->stats.no_port++;
        return false;
    }
    if (pcap_inject(p->taps[port].pcap, frame, n) != (int) n) {
        p->stats.inject_errors++;
        return false;
    }
    p->stats.frames_out++;
    return true;
}

void
io_pcap_flood(struct io_pcap *p, const void *frame, size_t n)
{
    for (size_t i = 0; i < p->n; i++) {
        io_pcap_send(p, (uint32_t) i, frame, n);
    }
}

const char *
io_pcap_interface(const struct io_pcap *p, uint32_t port)
{
    return port < p->n ? p->taps[port].name : NULL;
}

const struct io_pcap_stats *
io_pcap_stats(struct io_pcap *p)
{
    p->stats.kernel_drops = 0;
    for (size_t i = 0; i < p->n; i++) {
        struct pcap_stat ps;

        if (!pcap_stats(p->taps[i].pcap, &ps)) {
            p->stats.kernel_drops += ps.ps_drop;
        }
    }
    return &p->stats;
}
