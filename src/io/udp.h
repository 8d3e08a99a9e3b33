/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The bound socket for peers that are reached through the kernel ("socket:").  One socket for both
 * families where the kernel has IPv6.  Reads and writes in batches.  It does not judge who sends.
 * The engine thread only. */
#ifndef MP_IO_UDP_H
#define MP_IO_UDP_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/clock.h"
#include "base/stats.h"
#include "io/loop.h"

#define IO_UDP_STATS(X)                                                 \
    X(datagrams_in, "datagrams received")                               \
    X(datagrams_out, "datagrams sent")                                  \
    X(cut, "datagrams dropped because they exceed the buffer")          \
    X(dropped_full, "datagrams dropped because the socket was full")    \
    X(send_errors, "datagrams that the kernel refused to send")         \
    X(receive_errors, "errors from the socket, such as ICMP unreachable")
STATS_DECLARE(io_udp, IO_UDP_STATS)

struct io_udp_config {
    struct ip_addr addr;              /* Any-address: all of them, both families. */
    uint16_t port;                    /* 0: the kernel chooses. */
    void *aux;
    void (*received)(void *aux, const struct ip_addr *src, uint16_t src_port, const void *,
                     size_t n, usec_t now);
};

struct io_udp;
struct io_udp *io_udp_create(struct io_loop *, const struct io_udp_config *, char **error);
void io_udp_destroy(struct io_udp *);

/* Queues a copy; sent by io_udp_flush(), or before when the batch is full. */
void io_udp_send(struct io_udp *, const struct ip_addr *dst, uint16_t dst_port, const void *,
                 size_t n);
void io_udp_flush(struct io_udp *);                         /* At the end of the turn. */

uint16_t io_udp_port(const struct io_udp *);                /* As bound. */
const struct io_udp_stats *io_udp_stats(const struct io_udp *);

#endif
