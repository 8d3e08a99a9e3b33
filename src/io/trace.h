/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A trace of the frames that the daemon received and sent, as a pcap file for tcpdump and Wireshark.
 * A wrapper round frame I/O: the cores do not know of it.  Timestamps are wall time.  The engine
 * thread only. */
#ifndef MP_IO_TRACE_H
#define MP_IO_TRACE_H 1

#include <stddef.h>
#include <stdint.h>
#include "base/stats.h"

#define IO_TRACE_STATS(X)                                                       \
    X(frames, "frames written")                                                 \
    X(beyond_limit, "frames not written because the file has its full size")    \
    X(write_errors, "frames not written because the disk or the pipe failed")
STATS_DECLARE(io_trace, IO_TRACE_STATS)

struct io_trace;

/* Creates or truncates 'path' ("-": standard output).  'max_bytes' 0: no limit.  NULL and '*error'
 * (to be freed) when it cannot be written. */
struct io_trace *io_trace_start(const char *path, uint64_t max_bytes, char **error);
void io_trace_stop(struct io_trace *);                      /* Accepts NULL. */

void io_trace_frame(struct io_trace *, const void *frame, size_t n);        /* NULL: nothing. */
void io_trace_flush(struct io_trace *);                     /* At the end of a turn. */

const char *io_trace_path(const struct io_trace *);
uint64_t io_trace_n_frames(const struct io_trace *);
uint64_t io_trace_n_bytes(const struct io_trace *);
const struct io_trace_stats *io_trace_stats(const struct io_trace *);

#endif
