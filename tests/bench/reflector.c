/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The bare packet-in / packet-out round trip: takes a virtual address at a switch with the daemon's
 * own flows and attachment (src/ofp, src/io), answers ARP for it, and sends every UDP datagram back
 * to whoever sent it.  What it reaches is the ceiling for the daemon.  Not a daemon: it ends with
 * its standard input or a signal.  One thread.
 *
 *     reflector METHOD ADDRESS [VERSION]
 *
 * Prints "ready VERSION" once the switch has the flows, counters at the end. */
#include "base/addr.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/ofstream.h"
#include "ofp/flows.h"
#include "ofp/flowsync.h"
#include "ofp/swconn.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UDP_PORT 7

struct reflector {
    struct io_loop *loop;
    struct io_ofstream *stream;
    struct swconn *sw;
    struct flowsync *sync;
    struct ip_addr addr;
    struct mac_addr mac;
    bool ready;
    int exit_code;
    uint64_t n_reflected, n_arp, n_other;
};

static void
swap(uint8_t *a, uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t c = a[i];

        a[i] = b[i];
        b[i] = c;
    }
}

/* Turns an ARP request into its answer. */
static bool
answer_arp(struct reflector *r, uint8_t *f, size_t n)
{
    if (n < 42 || f[21] != 1) {
        return false;
    }
    f[21] = 2;
    memcpy(f + 32, f + 22, 10);
    memcpy(f + 22, r->mac.b, 6);
    memcpy(f + 28, r->addr.b + 12, 4);
    memcpy(f, f + 6, 6);
    memcpy(f + 6, r->mac.b, 6);
    r->n_arp++;
    return true;
}

/* Swaps addresses and ports; neither checksum changes. */
static bool
answer_udp(struct reflector *r, uint8_t *f, size_t n)
{
    size_t ihl = n > 14 ? (size_t) (f[14] & 15) * 4 : 0;

    if (n < 14 + 28 || ihl < 20 || n < 14 + ihl + 8 || f[23] != 17) {
        return false;
    }
    swap(f, f + 6, 6);
    swap(f + 26, f + 30, 4);
    swap(f + 14 + ihl, f + 16 + ihl, 2);
    r->n_reflected++;
    return true;
}

static void
rx_frame(struct reflector *r, const struct pktin *in)
{
    uint8_t frame[2048];
    bool answered = false;

    if (in->n >= 14 && in->n <= sizeof frame) {
        memcpy(frame, in->frame, in->n);
        if (frame[12] == 8 && frame[13] == 6) {
            answered = answer_arp(r, frame, in->n);
        } else if (frame[12] == 8 && frame[13] == 0) {
            answered = answer_udp(r, frame, in->n);
        }
    }
    if (answered) {
        struct pktout out = { .frame = frame, .n = in->n, .port = in->in_port };

        swconn_packet_out(r->sw, &out);
    } else {
        r->n_other++;
    }
}

static void
drain_events(struct reflector *r, usec_t now)
{
    struct swconn_event ev;

    while (swconn_next_event(r->sw, now, &ev)) {
        switch (ev.type) {
        case SWCONN_READY:
            io_ofstream_confirm(r->stream);
            flowsync_attach(r->sync, now);
            break;
        case SWCONN_PACKET_IN:
            rx_frame(r, &ev.pktin);
            break;
        case SWCONN_MESSAGE:
            flowsync_rx(r->sync, ev.oh, now);
            break;
        case SWCONN_FLOWS_CHANGED:
            flowsync_changed(r->sync, now);
            break;
        case SWCONN_PORTS:
            break;
        case SWCONN_CLOSED:
            fprintf(stderr, "reflector: %s\n", ev.text);
            flowsync_detach(r->sync);
            io_ofstream_drop(r->stream, now);
            break;
        }
    }
}

static void
opened(void *r, usec_t now)
{
    swconn_open(((struct reflector *) r)->sw, now);
}

static uint8_t *
room(void *r, size_t min, size_t *n)
{
    return swconn_rx_room(((struct reflector *) r)->sw, min, n);
}

static void
bytes(void *r_, size_t n, usec_t now)
{
    struct reflector *r = r_;

    swconn_rx_commit(r->sw, n, now);
    drain_events(r, now);
}

static void
closed(void *r_, const char *reason, usec_t now)
{
    struct reflector *r = r_;

    (void) now;
    fprintf(stderr, "reflector: %s\n", reason);
    swconn_close(r->sw, reason);
    flowsync_detach(r->sync);
}

static usec_t
turn(void *r_, usec_t now)
{
    struct reflector *r = r_;
    enum flowsync_state state;
    const uint8_t *out;
    char line[640];
    size_t n;

    swconn_run(r->sw, now);
    drain_events(r, now);
    flowsync_run(r->sync, r->sw, now);
    out = swconn_output(r->sw, &n);
    if (n) {
        swconn_output_sent(r->sw, io_ofstream_write(r->stream, out, n));
    }
    while (flowsync_next_notice(r->sync, line, sizeof line)) {
        fprintf(stderr, "reflector: %s\n", line);
    }
    state = flowsync_state(r->sync);
    if (state == FLOWSYNC_IN_SYNC && !r->ready) {
        r->ready = true;
        printf("ready %s\n", swconn_version_name(r->sw));
        fflush(stdout);
    } else if (state == FLOWSYNC_REFUSED) {
        r->exit_code = 1;
        io_loop_stop(r->loop);
    } else if (state == FLOWSYNC_REMOVED) {
        io_loop_stop(r->loop);
    }
    return clock_min(swconn_deadline(r->sw), flowsync_deadline(r->sync));
}

/* A signal, or the end of standard input. */
static void
finish(void *r_)
{
    struct reflector *r = r_;

    if (flowsync_state(r->sync) == FLOWSYNC_DETACHED) {
        io_loop_stop(r->loop);
    } else {
        flowsync_remove_all(r->sync, io_loop_now(r->loop));
    }
}

static void
stdin_readable(void *r)
{
    char buf[64];

    if (read(STDIN_FILENO, buf, sizeof buf) <= 0) {
        finish(r);
    }
}

static uint32_t
parse_version(const char *s)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } names[] = { { "1.0", SWCONN_OF10 }, { "1.3", SWCONN_OF13 },
                  { "1.4", SWCONN_OF14 }, { "1.5", SWCONN_OF15 } };

    for (size_t i = 0; i < MP_ARRAY_SIZE(names); i++) {
        if (!strcmp(names[i].name, s)) {
            return names[i].bit;
        }
    }
    fprintf(stderr, "reflector: OpenFlow version %s is not one of 1.0 1.3 1.4 1.5\n", s);
    exit(1);
}

static void
set_flows(struct reflector *r, uint32_t versions)
{
    struct flows_service service = {
        .kind = FLOWS_VIRTUAL, .prefix = { .addr = r->addr, .len = 128 },
    };
    struct flows_config cfg;

    flows_config_default(&cfg);
    cfg.services = &service;
    cfg.n_services = 1;
    cfg.udp_port = UDP_PORT;
    cfg.use_meters = versions != SWCONN_OF10;
    flowsync_set_desired(r->sync, flows_build(&cfg));
}

static void
print_counters(const struct reflector *r)
{
    const struct io_ofstream_stats *io = io_ofstream_stats(r->stream);

    printf("reflected %"PRIu64" arp %"PRIu64" other %"PRIu64" writes %"PRIu64" blocked %"PRIu64"\n",
           r->n_reflected, r->n_arp, r->n_other, io->writes, io->writes_blocked);
    for (size_t i = 0; i < swconn_n_stats; i++) {
        uint64_t v = ((const uint64_t *) swconn_stats(r->sw))[i];

        if (v) {
            printf("%s %"PRIu64"\n", swconn_stats_descs[i].name, v);
        }
    }
    for (size_t i = 0; i < flowsync_n_stats; i++) {
        uint64_t v = ((const uint64_t *) flowsync_stats(r->sync))[i];

        if (v) {
            printf("%s %"PRIu64"\n", flowsync_stats_descs[i].name, v);
        }
    }
}

int
main(int argc, char *argv[])
{
    struct reflector r = { .mac = { { 0x02, 0, 0, 0, 0x77, 0x01 } } };
    struct io_ofstream_config ofc;
    struct swconn_config swc;
    struct flowsync_config fsc;
    struct io_watch *watches[3];
    char *error;

    if (argc < 3 || argc > 4 || !addr_parse(&r.addr, argv[2])) {
        fprintf(stderr, "usage: reflector METHOD ADDRESS [VERSION]\n");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    swconn_config_default(&swc);
    if (argc == 4) {
        swc.versions = parse_version(argv[3]);
    }
    flowsync_config_default(&fsc);
    r.sw = swconn_create(&swc);
    r.sync = flowsync_create(&fsc);
    set_flows(&r, swc.versions);
    r.loop = io_loop_create();
    io_ofstream_config_default(&ofc);
    ofc.method = argv[1];
    ofc.aux = &r;
    ofc.opened = opened;
    ofc.room = room;
    ofc.read = bytes;
    ofc.closed = closed;
    r.stream = io_ofstream_create(r.loop, &ofc, &error);
    if (!r.stream) {
        fprintf(stderr, "reflector: %s\n", error);
        return 1;
    }
    watches[0] = io_watch_readable(r.loop, STDIN_FILENO, stdin_readable, &r);
    watches[1] = io_watch_signal(r.loop, SIGTERM, finish, &r);
    watches[2] = io_watch_signal(r.loop, SIGINT, finish, &r);
    io_loop_set_turn(r.loop, turn, &r);
    io_loop_run(r.loop);
    print_counters(&r);

    for (size_t i = 0; i < MP_ARRAY_SIZE(watches); i++) {
        io_watch_destroy(watches[i]);
    }
    io_ofstream_destroy(r.stream);
    io_loop_destroy(r.loop);
    flowsync_destroy(r.sync);
    swconn_destroy(r.sw);
    return r.exit_code;
}
