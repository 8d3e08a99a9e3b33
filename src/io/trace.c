/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/trace.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/mem.h"

STATS_DEFINE(io_trace, IO_TRACE_STATS)

#define SNAPLEN 262144
#define FILE_HEADER 24                /* Bytes, of a pcap file... */
#define RECORD_HEADER 16              /* ...and of each frame in it. */

struct io_trace {
    char *path;
    pcap_t *pcap;                     /* Only carries link type and snapshot length. */
    pcap_dumper_t *dumper;
    uint64_t max_bytes, n_bytes;
    struct io_trace_stats stats;
};

struct io_trace *
io_trace_start(const char *path, uint64_t max_bytes, char **error)
{
    struct io_trace *t = mem_zalloc(sizeof *t);

    *error = NULL;
    t->path = mem_strdup(path);
    t->max_bytes = max_bytes;
    t->n_bytes = FILE_HEADER;
    t->pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
    if (t->pcap) {
        t->dumper = pcap_dump_open(t->pcap, path);
    }
    if (!t->dumper) {
        char buf[400];

        snprintf(buf, sizeof buf, "cannot write the trace: %s",
                 t->pcap ? pcap_geterr(t->pcap) : "out of memory");
        *error = mem_strdup(buf);
        io_trace_stop(t);
        return NULL;
    }
    io_trace_flush(t);                /* A reader sees a valid file from the start. */
    return t;
}

void
io_trace_stop(struct io_trace *t)
{
    if (t) {
        if (t->dumper) {
            pcap_dump_close(t->dumper);
        }
        if (t->pcap) {
            pcap_close(t->pcap);
        }
        mem_free(t->path);
        mem_free(t);
    }
}

void
io_trace_frame(struct io_trace *t, const void *frame, size_t n)
{
    struct pcap_pkthdr hdr;
    struct timespec ts;

    if (!t) {
        return;
    } else if (ferror(pcap_dump_file(t->dumper))) {
        t->stats.write_errors++;      /* A file with a hole in it would be read wrongly. */
        return;
    } else if (t->max_bytes && t->n_bytes + RECORD_HEADER + n > t->max_bytes) {
        t->stats.beyond_limit++;
        return;
    }
    clock_gettime(CLOCK_REALTIME, &ts);
    memset(&hdr, 0, sizeof hdr);
    hdr.ts.tv_sec = ts.tv_sec;
    hdr.ts.tv_usec = ts.tv_nsec / 1000;
    hdr.caplen = hdr.len = (bpf_u_int32) n;
    pcap_dump((u_char *) t->dumper, &hdr, frame);
    t->stats.frames++;
    t->n_bytes += RECORD_HEADER + n;
}

void
io_trace_flush(struct io_trace *t)
{
    if (t) {
        pcap_dump_flush(t->dumper);
    }
}

const struct io_trace_stats *
io_trace_stats(const struct io_trace *t)
{
    return &t->stats;
}

const char *
io_trace_path(const struct io_trace *t)
{
    return t->path;
}

uint64_t
io_trace_n_frames(const struct io_trace *t)
{
    return t->stats.frames;
}

uint64_t
io_trace_n_bytes(const struct io_trace *t)
{
    return t->n_bytes;
}
