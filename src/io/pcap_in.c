/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/pcap_in.h"

#include <event2/event.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"

STATS_DEFINE(io_pcap, IO_PCAP_STATS)

#define SNAPLEN 65535
#define BUFFER (8 << 20)
#define MAX_FRAMES 1024               /* Of one interface in one turn. */
#define WATCH_S 1                     /* How often interfaces are looked at. */

/* One interface. */
struct tap {
    struct io_pcap *owner;
    uint32_t port;
    char *name;
    pcap_t *pcap;                     /* NULL: lost. */
    struct event *read_ev;
    unsigned int index;               /* The kernel's, of the interface that is captured. */
    uint64_t drops;                   /* Of the kernel, in captures that have ended. */
};

/* Frames of one interface, copied: libpcap shows one at a time. */
struct batch {
    struct slice frames[IO_PCAP_BATCH];
    size_t n, used;
    uint8_t bytes[2 * SNAPLEN];
};

struct io_pcap {
    struct io_loop *loop;
    struct batch *batch;
    struct io_pcap_config cfg;
    struct io_pcap_stats stats;
    char *filter;                     /* NULL: everything. */
    struct event *watch_ev;
    int fd;                           /* To ask the kernel for flags. */
    struct tap *taps;
    size_t n;
};

static char *open_tap(struct tap *, const char *filter);

static void
pass_on(struct tap *tap)
{
    struct io_pcap *p = tap->owner;
    struct batch *b = p->batch;

    if (p->cfg.expected) {
        p->cfg.expected(p->cfg.aux, b->frames, b->n);
    }
    for (size_t i = 0; i < b->n; i++) {
        p->cfg.received(p->cfg.aux, tap->port, b->frames[i].p, b->frames[i].n,
                        io_loop_now(p->loop));
    }
    b->n = b->used = 0;
}

static void
received(u_char *tap_, const struct pcap_pkthdr *hdr, const u_char *frame)
{
    struct tap *tap = (struct tap *) tap_;
    struct io_pcap *p = tap->owner;
    struct batch *b = p->batch;

    if (hdr->caplen < hdr->len) {
        p->stats.cut++;
        return;
    }
    p->stats.frames_in++;
    if (b->n == IO_PCAP_BATCH || hdr->caplen > sizeof b->bytes - b->used) {
        pass_on(tap);
    }
    memcpy(b->bytes + b->used, frame, hdr->caplen);
    b->frames[b->n++] = (struct slice) { b->bytes + b->used, hdr->caplen };
    b->used += hdr->caplen;
}

/* ---- Interfaces that come and go ---- */

static void
close_tap(struct tap *tap)
{
    struct pcap_stat ps;

    if (tap->read_ev) {
        event_free(tap->read_ev);
        tap->read_ev = NULL;
    }
    if (tap->pcap) {
        tap->drops += pcap_stats(tap->pcap, &ps) ? 0 : ps.ps_drop;
        pcap_close(tap->pcap);
        tap->pcap = NULL;
    }
}

/* 'reason' may be libpcap's own text, which goes with its handle. */
static void
lose_tap(struct tap *tap, const char *reason)
{
    struct io_pcap *p = tap->owner;

    p->stats.capture_errors++;
    if (p->cfg.lost) {
        p->cfg.lost(p->cfg.aux, tap->name, reason);
    }
    close_tap(tap);
}

static bool
is_up(const struct io_pcap *p, const char *name)
{
    struct ifreq ifr;

    memset(&ifr, 0, sizeof ifr);
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    return !ioctl(p->fd, SIOCGIFFLAGS, &ifr) && ifr.ifr_flags & IFF_UP;
}

/* Libpcap says nothing, or says it to who asks for frames, when an interface goes; and one that
 * comes back under its name is another one for the kernel. */
static void
watch_tap(struct tap *tap)
{
    struct io_pcap *p = tap->owner;
    unsigned int index = if_nametoindex(tap->name);
    bool up = index && is_up(p, tap->name);

    if (tap->pcap && !up) {
        lose_tap(tap, index ? "the interface is down" : "the interface is gone");
    } else if (tap->pcap && index != tap->index) {
        lose_tap(tap, "the interface was replaced");
    } else if (!tap->pcap && up) {
        char *error = open_tap(tap, p->filter);

        if (error) {
            close_tap(tap);           /* Still coming up, perhaps: again in a second. */
            mem_free(error);
        } else if (p->cfg.found) {
            p->cfg.found(p->cfg.aux, tap->name, io_loop_now(p->loop));
        }
    }
}

static void
watch_cb(evutil_socket_t fd, short what, void *p_)
{
    struct io_pcap *p = p_;

    (void) fd;
    (void) what;
    for (size_t i = 0; i < p->n; i++) {
        watch_tap(&p->taps[i]);
    }
}

static void
read_cb(evutil_socket_t fd, short what, void *tap_)
{
    struct tap *tap = tap_;
    int n = pcap_dispatch(tap->pcap, MAX_FRAMES, received, (u_char *) tap);

    (void) fd;
    (void) what;
    pass_on(tap);
    if (n < 0) {
        lose_tap(tap, pcap_geterr(tap->pcap));
    }
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
    tap->index = if_nametoindex(tap->name);
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
    p->filter = cfg->filter ? mem_strdup(cfg->filter) : NULL;
    p->batch = mem_alloc(sizeof *p->batch);
    p->batch->n = p->batch->used = 0;
    p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
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
    p->watch_ev = event_new(io_loop_base(loop), -1, EV_PERSIST, watch_cb, p);
    event_add(p->watch_ev, &(struct timeval) { .tv_sec = WATCH_S });
    return p;
}

void
io_pcap_destroy(struct io_pcap *p)
{
    if (p) {
        for (size_t i = 0; i < p->n; i++) {
            close_tap(&p->taps[i]);
            mem_free(p->taps[i].name);
        }
        if (p->watch_ev) {
            event_free(p->watch_ev);
        }
        if (p->fd >= 0) {
            close(p->fd);
        }
        mem_free(p->filter);
        mem_free(p->batch);
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
    if (!p->taps[port].pcap || pcap_inject(p->taps[port].pcap, frame, n) != (int) n) {
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

const struct io_pcap_stats *
io_pcap_stats(struct io_pcap *p)
{
    p->stats.kernel_drops = 0;
    for (size_t i = 0; i < p->n; i++) {
        struct tap *tap = &p->taps[i];
        struct pcap_stat ps;

        p->stats.kernel_drops += tap->drops;
        if (tap->pcap && !pcap_stats(tap->pcap, &ps)) {
            p->stats.kernel_drops += ps.ps_drop;
        }
    }
    return &p->stats;
}
