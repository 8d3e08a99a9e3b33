/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The byte stream to the switch: connects ("unix:" "tcp:") or listens ("punix:" "ptcp:"), again and
 * again with a back-off.  It knows nothing of OpenFlow.  At most one stream is open at a time; a
 * second switch that calls is turned away.  The engine thread only. */
#ifndef MP_IO_OFSTREAM_H
#define MP_IO_OFSTREAM_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/stats.h"
#include "io/loop.h"

#define IO_OFSTREAM_STATS(X)                                            \
    X(attempts, "connection attempts")                                  \
    X(opened, "streams opened")                                         \
    X(turned_away, "calls turned away while a switch was attached")     \
    X(accept_errors, "calls that could not be taken for want of memory or descriptors") \
    X(bytes_in, "bytes read")                                           \
    X(bytes_out, "bytes written")                                       \
    X(writes, "write calls")                                            \
    X(writes_blocked, "writes that the socket did not take whole")
STATS_DECLARE(io_ofstream, IO_OFSTREAM_STATS)

struct io_ofstream_config {
    const char *method;               /* "unix:PATH" "tcp:HOST[:PORT]" "punix:PATH"
                                       * "ptcp:[PORT][:HOST]"; the port is 6653 by default. */
    usec_t min_backoff_us, max_backoff_us;    /* 0.1 s and 1 s by default. */
    void *aux;
    void (*opened)(void *aux, usec_t now);
    /* Room to read into, and that bytes were read there. */
    uint8_t *(*room)(void *aux, size_t min, size_t *n);
    void (*read)(void *aux, size_t n, usec_t now);
    void (*closed)(void *aux, const char *reason, usec_t now);
};
void io_ofstream_config_default(struct io_ofstream_config *);

/* Whether 'method' is one that io_ofstream_create() takes: NULL, or one sentence (to be freed) that
 * says what is wrong with it. */
char *io_ofstream_check(const char *method);

struct io_ofstream;
/* Starts at once.  NULL and '*error' (to be freed) for a bad method or an address in use. */
struct io_ofstream *io_ofstream_create(struct io_loop *, const struct io_ofstream_config *,
                                       char **error);
void io_ofstream_destroy(struct io_ofstream *);             /* Without calling 'closed'. */

/* Writes what the socket takes and returns how much that was.  If not all, the loop makes another
 * turn once there is room. */
size_t io_ofstream_write(struct io_ofstream *, const void *, size_t n);
/* Ends the stream (the protocol is broken); it is opened again after the back-off.  Does not call
 * 'closed'. */
void io_ofstream_drop(struct io_ofstream *, usec_t now);
/* After the set-up was completed: the next back-off starts small again. */
void io_ofstream_confirm(struct io_ofstream *);

/* Why the latest attempt failed or the latest stream ended by itself; NULL: none did. */
const char *io_ofstream_error(const struct io_ofstream *);
bool io_ofstream_is_open(const struct io_ofstream *);
const struct io_ofstream_stats *io_ofstream_stats(const struct io_ofstream *);

#endif
