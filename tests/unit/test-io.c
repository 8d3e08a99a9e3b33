/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of src/io that need neither root nor a network: connection methods, the capture filter run
 * over frames, the trace file, and both ends of a stream over a Unix socket in one event loop. */
#include <config.h>
#include "unit/tap.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/loop.h"
#include "io/ofstream.h"
#include "io/pcap_in.h"
#include "io/trace.h"

static void
method(const char *text, const char *want)
{
    char *error = io_ofstream_check(text);

    if (want) {
        ok(error && strstr(error, want), "%s: %s", text, error ? error : "taken");
    } else {
        ok(!error, "%s%s%s", text, error ? ": " : "", error ? error : "");
    }
    mem_free(error);
}

TEST(connection_methods)
{
    char path[200] = "unix:/";

    method("unix:/run/x.mgmt", NULL);
    method("punix:/run/x", NULL);
    method("tcp:127.0.0.1", NULL);
    method("tcp:127.0.0.1:6633", NULL);
    method("tcp:[2001:db8::1]:6633", NULL);
    method("tcp:[::1]", NULL);
    method("ptcp:", NULL);
    method("ptcp:6633", NULL);
    method("ptcp:6633:127.0.0.1", NULL);
    method("ptcp:6633:[::1]", NULL);
    method("ssl:127.0.0.1:6653", "TLS");
    method("pssl:6653", "TLS");
    method("unix:", "no socket");
    method("tcp:", "no host");
    method("tcp:127.0.0.1:0", "port");
    method("tcp:127.0.0.1:65536", "port");
    method("tcp:127.0.0.1:x", "port");
    method("tcp:no.such.host:1", "numeric");
    method("s2", "not an OpenFlow");
    memset(path + 6, 'x', sizeof path - 7);
    method(path, "too long");
}

/* A frame written down as hexadecimal digits; blanks do not count. */
static size_t
hex(uint8_t *dst, const char *s)
{
    size_t n = 0;

    for (; *s; s++) {
        static const char digits[] = "0123456789abcdef";
        const char *d = strchr(digits, *s);

        if (d) {
            dst[n / 2] = (uint8_t) (dst[n / 2] << 4 | (d - digits));
            n++;
        }
    }
    return n / 2;
}

#define MACS "020000000001 020000000002 "
#define VLAN "8100 0005 "
/* IPv4 headers by protocol, fragment field and destination; 20 bytes. */
#define IP4(PROTO, FRAG, DST) "0800 45000040 0001" FRAG "40" PROTO "0000 0a000063" DST
#define IP6(NEXT, DST) "86dd 60000000 0020" NEXT "40 20010db8000000000000000000000063" DST
#define MINE4 "0a000001 "
#define OTHER4 "0a000009 "
#define MINE6 "20010db8000000000000000000000001 "
#define PORTS_IN " 9c40 075b 0000000000000000 50020000 0000 0000 0000000000000000"
#define PORTS_OTHER " 9c40 0050 0000000000000000 50020000 0000 0000 0000000000000000"

static const struct {
    const char *what, *frame;
    bool taken, virtual;              /* Wanted with 10.0.0.1 taken, or virtual. */
} cases[] = {
    { "TCP to the port", MACS IP4("06", "0000", MINE4) PORTS_IN, true, true },
    { "the same, tagged", MACS VLAN IP4("06", "0000", MINE4) PORTS_IN, true, true },
    { "TCP to another port", MACS IP4("06", "0000", MINE4) PORTS_OTHER, false, true },
    { "TCP to another address", MACS IP4("06", "0000", OTHER4) PORTS_IN, false, false },
    { "UDP to the port", MACS IP4("11", "0000", MINE4) PORTS_IN, true, true },
    { "a first fragment", MACS IP4("11", "2000", MINE4) PORTS_OTHER, true, true },
    { "a later fragment", MACS IP4("11", "00b9", MINE4) PORTS_OTHER, true, true },
    { "a fragment for another", MACS IP4("11", "00b9", OTHER4) PORTS_OTHER, false, false },
    { "an ICMP error", MACS IP4("01", "0000", MINE4) "0303 0000 00000000", true, true },
    { "a ping", MACS IP4("01", "0000", MINE4) "0800 0000 00000000", false, true },
    { "an ARP request", MACS "0806 0001 0800 06 04 0001 020000000002 0a000063 000000000000 0a000001",
      true, true },
    { "TCP over IPv6", MACS IP6("06", MINE6) PORTS_IN, true, true },
    { "a fragment over IPv6", MACS IP6("2c", MINE6) "11 00 0001 00000001 9c40 075b", true, true },
    { "packet too big", MACS IP6("3a", MINE6) "02 00 0000 00000500", true, true },
    { "a solicitation", MACS IP6("3a", "ff0200000000000000000001ff000001") "87 00 0000 00000000",
      true, true },
    { "something else", MACS "88cc 0207 0400", false, false },
};

TEST(capture_filter)
{
    for (int is_virtual = 0; is_virtual <= 1; is_virtual++) {
        struct io_pcap_service services[2] = {
            { .is_virtual = is_virtual }, { .is_virtual = is_virtual },
        };
        struct io_pcap_filter filter = {
            .services = services, .n_services = 2, .tcp_port = 1883, .udp_port = 1883,
        };
        pcap_t *pc = pcap_open_dead(DLT_EN10MB, 65535);
        struct bpf_program prog;
        char *text;

        prefix_parse(&services[0].prefix, "10.0.0.1");
        prefix_parse(&services[1].prefix, "2001:db8::1");
        text = io_pcap_filter_text(&filter);
        if (!ok(!pcap_compile(pc, &prog, text, 1, PCAP_NETMASK_UNKNOWN), "the filter compiles")) {
            BAIL_OUT("%s: %s", text, pcap_geterr(pc));
        }
        for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
            uint8_t frame[200] = { 0 };
            struct pcap_pkthdr hdr = { .len = (bpf_u_int32) hex(frame, cases[i].frame) };

            hdr.caplen = hdr.len;
            is_int(pcap_offline_filter(&prog, &hdr, frame) != 0,
                   is_virtual ? cases[i].virtual : cases[i].taken, "%s: %s",
                   is_virtual ? "virtual" : "taken", cases[i].what);
        }
        pcap_freecode(&prog);
        pcap_close(pc);
        mem_free(text);
    }
}

TEST(capture_filter_of_any_address_and_many)
{
    struct io_pcap_service services[40];
    struct io_pcap_filter filter = { services, 1, 1883, 1883 };
    pcap_t *pc = pcap_open_dead(DLT_EN10MB, 65535);
    struct bpf_program prog;
    char *text;

    memset(services, 0, sizeof services);
    text = io_pcap_filter_text(&filter);
    ok(!pcap_compile(pc, &prog, text, 1, PCAP_NETMASK_UNKNOWN), "any address");
    pcap_freecode(&prog);
    mem_free(text);
    for (size_t i = 0; i < MP_ARRAY_SIZE(services); i++) {
        prefix_parse(&services[i].prefix, "10.0.0.0/8");
        services[i].prefix.addr.b[13] = (uint8_t) i;
        services[i].prefix.len = 112;
    }
    filter.n_services = MP_ARRAY_SIZE(services);
    text = io_pcap_filter_text(&filter);
    ok(!pcap_compile(pc, &prog, text, 1, PCAP_NETMASK_UNKNOWN), "forty prefixes: %s",
       pcap_geterr(pc));
    pcap_freecode(&prog);
    mem_free(text);
    pcap_close(pc);
}

static char dir[] = "/tmp/mqtt-proxy-test-io-XXXXXX";

TEST(trace_is_a_capture_file)
{
    char path[100], error[PCAP_ERRBUF_SIZE], *complaint;
    struct pcap_pkthdr *hdr;
    const uint8_t *data;
    struct io_trace *t;
    pcap_t *pc;

    snprintf(path, sizeof path, "%s/trace", dir);
    t = io_trace_start(path, 24 + 16 + 60 + 10, &complaint);
    ok(t, "started");
    io_trace_frame(t, cases, 60);
    io_trace_frame(t, cases, 60);
    io_trace_frame(NULL, cases, 60);
    is_int(io_trace_n_frames(t), 1, "the limit holds");
    is_int(io_trace_n_bytes(t), 24 + 16 + 60, "in bytes");
    io_trace_flush(t);
    pc = pcap_open_offline(path, error);
    ok(pc && pcap_next_ex(pc, &hdr, &data) == 1, "read back while it is being written");
    is_int(hdr->caplen, 60, "whole");
    is_int(pcap_next_ex(pc, &hdr, &data), PCAP_ERROR_BREAK, "and no other");
    pcap_close(pc);
    is_int(io_trace_stats(t)->beyond_limit, 1, "and what is beyond is counted");
    io_trace_stop(t);
    unlink(path);
    t = io_trace_start("/dev/full", 0, &complaint);
    for (int i = 0; t && i < 3; i++) {
        io_trace_frame(t, cases, 60);
        io_trace_flush(t);
    }
    ok(t && io_trace_stats(t)->write_errors > 0, "a full disk is counted");
    io_trace_stop(t);
    t = io_trace_start("/nonexistent/x", 0, &complaint);
    ok(!t && complaint, "what cannot be written is said: %s", complaint);
    mem_free(complaint);
}

/* One end of a stream. */
struct end {
    struct io_ofstream *of;
    uint8_t buf[200000];
    size_t n;
    int n_opened, n_closed;
};

static struct io_loop *loop;
static struct end ends[2];
static usec_t give_up_at;
static bool (*until)(void);

static void
opened(void *e, usec_t now)
{
    (void) now;
    ((struct end *) e)->n_opened++;
}

static uint8_t *
room(void *e_, size_t min, size_t *n)
{
    struct end *e = e_;

    *n = sizeof e->buf - e->n;
    *n = *n < min ? 0 : *n;
    return e->buf + e->n;
}

static void
bytes(void *e, size_t n, usec_t now)
{
    (void) now;
    ((struct end *) e)->n += n;
}

static void
closed(void *e, const char *reason, usec_t now)
{
    (void) reason;
    (void) now;
    ((struct end *) e)->n_closed++;
}

static usec_t
turn(void *aux, usec_t now)
{
    (void) aux;
    if (until() || now > give_up_at) {
        io_loop_stop(loop);
    }
    return give_up_at + 1;
}

/* Runs the loop until 'condition' or for at most five seconds. */
static bool
run_until(bool (*condition)(void))
{
    until = condition;
    give_up_at = io_loop_now(loop) + 5 * CLOCK_SEC;
    io_loop_run(loop);
    return condition();
}

static bool
both_open(void)
{
    return io_ofstream_is_open(ends[0].of) && io_ofstream_is_open(ends[1].of);
}

static bool
came_whole(void)
{
    return ends[1].n == 100000;
}

static int n_closed_before;

static bool
saw_the_end(void)
{
    return ends[1].n_closed > n_closed_before;
}

static bool
open_again(void)
{
    return ends[0].n_opened == 2 && both_open();
}

static struct io_ofstream *
create(const char *scheme, struct end *e)
{
    struct io_ofstream_config cfg;
    char text[120], *error;
    struct io_ofstream *of;

    io_ofstream_config_default(&cfg);
    snprintf(text, sizeof text, "%s:%s/socket", scheme, dir);
    cfg.method = text;
    cfg.aux = e;
    cfg.opened = opened;
    cfg.room = room;
    cfg.read = bytes;
    cfg.closed = closed;
    cfg.min_backoff_us = 10 * CLOCK_MSEC;
    of = io_ofstream_create(loop, &cfg, &error);
    if (!of) {
        diag("%s", error);
        mem_free(error);
    }
    return of;
}

TEST(stream_both_ways)
{
    static uint8_t data[100000];
    size_t sent = 0;

    loop = io_loop_create();
    io_loop_set_turn(loop, turn, NULL);
    ends[0].of = create("unix", &ends[0]);
    ok(ends[0].of && !io_ofstream_is_open(ends[0].of), "nobody listens yet");
    ends[1].of = create("punix", &ends[1]);
    ok(!create("punix", &ends[1]), "the same address twice is refused");
    ok(run_until(both_open), "the caller comes back and is let in");
    is_int(ends[0].n_opened, 1, "told once");
    memset(data, 7, sizeof data);
    while (sent < sizeof data) {
        size_t n = io_ofstream_write(ends[0].of, data + sent, sizeof data - sent);

        sent += n;
        run_until(both_open);
    }
    ok(run_until(came_whole), "100,000 bytes arrive");
    is_mem(ends[1].buf, ends[1].n, data, sizeof data, "the same bytes");
    n_closed_before = ends[1].n_closed;
    io_ofstream_drop(ends[0].of, io_loop_now(loop));
    ok(run_until(saw_the_end), "the other end learns of the end");
    ok(run_until(open_again), "and the stream is opened again");
    io_ofstream_destroy(ends[0].of);
    io_ofstream_destroy(ends[1].of);
    io_loop_destroy(loop);
}

static int n_turns;

static bool
is_called(void)
{
    n_turns++;
    return ends[1].n_opened > 0;
}

/* A caller that cannot be let in stays readable: that must not keep the loop busy. */
TEST(no_descriptors_left)
{
    struct rlimit saved, tight;
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd, n_before;

    ends[1].n_opened = 0;
    loop = io_loop_create();
    io_loop_set_turn(loop, turn, NULL);
    ends[1].of = create("punix", &ends[1]);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(un.sun_path, sizeof un.sun_path, "%s/socket", dir);
    ok(!connect(fd, (struct sockaddr *) &un, sizeof un), "somebody calls");
    getrlimit(RLIMIT_NOFILE, &saved);
    tight = saved;
    tight.rlim_cur = (rlim_t) fd + 1;
    setrlimit(RLIMIT_NOFILE, &tight);
    while (dup(fd) >= 0) {            /* Lower numbers that are free. */
        continue;
    }
    is_int(errno, EMFILE, "the descriptors are used up");
    n_turns = 0;
    until = is_called;
    give_up_at = io_loop_now(loop) + 300 * CLOCK_MSEC;
    io_loop_run(loop);
    is_int(io_ofstream_stats(ends[1].of)->accept_errors, 1, "tried once");
    ok(n_turns < 10, "and left alone for a while: %d turns", n_turns);
    n_before = n_turns;
    setrlimit(RLIMIT_NOFILE, &saved);
    ok(run_until(is_called), "let in later, %d turns", n_turns - n_before);
    close(fd);
    io_ofstream_destroy(ends[1].of);
    io_loop_destroy(loop);
}

int
main(void)
{
    if (!mkdtemp(dir)) {
        BAIL_OUT("no temporary directory");
    }
    RUN(connection_methods);
    RUN(capture_filter);
    RUN(capture_filter_of_any_address_and_many);
    RUN(trace_is_a_capture_file);
    RUN(stream_both_ways);
    RUN(no_descriptors_left);
    rmdir(dir);
    return done_testing();
}
