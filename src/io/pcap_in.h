/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The pcap attachment: frames captured on given interfaces and injected there, as a sniffer on a
 * host does.  A port is the index of the interface in the list.  What this host itself sends, our
 * own frames among it, is not captured.  An interface that goes down or away is looked for every
 * second, and captured again.  The engine thread only. */
#ifndef MP_IO_PCAP_IN_H
#define MP_IO_PCAP_IN_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/stats.h"
#include "io/loop.h"

#define IO_PCAP_STATS(X)                                                        \
    X(frames_in, "frames captured")                                             \
    X(frames_out, "frames injected")                                            \
    X(cut, "captured frames dropped because they exceed the snapshot length")   \
    X(capture_errors, "times that an interface was lost (down, gone, or unreadable)")  \
    X(inject_errors, "frames that could not be injected")                       \
    X(no_port, "frames for an interface that is not in the list")               \
    X(kernel_drops, "frames that the kernel dropped for want of buffer")
STATS_DECLARE(io_pcap, IO_PCAP_STATS)

struct io_pcap_service {
    struct ip_prefix prefix;          /* len 0: any address. */
    bool is_virtual;                  /* The daemon owns it: everything to it is wanted. */
};

/* What is captured: TCP to 'tcp_port' and UDP to 'udp_port' of the services, their fragments, ICMP
 * errors to them, ARP and ND; tagged or not. */
struct io_pcap_filter {
    const struct io_pcap_service *services;
    size_t n_services;
    uint16_t tcp_port, udp_port;
};
char *io_pcap_filter_text(const struct io_pcap_filter *);   /* pcap-filter(7); to be freed. */

#define IO_PCAP_BATCH 32
struct io_pcap_config {
    const char *const *interfaces;
    size_t n_interfaces;
    const char *filter;               /* NULL: everything. */
    void *aux;
    void (*received)(void *aux, uint32_t port, const void *frame, size_t n, usec_t now);
    /* Before up to IO_PCAP_BATCH calls of 'received': for these frames.  NULL: not wanted. */
    void (*expected)(void *aux, const struct slice *frames, size_t n);
    void (*lost)(void *aux, const char *interface, const char *reason);   /* Once until... */
    void (*found)(void *aux, const char *interface, usec_t now);          /* ...this. */
};

struct io_pcap;
/* All interfaces must be there at first: else NULL and '*error', to be freed. */
struct io_pcap *io_pcap_create(struct io_loop *, const struct io_pcap_config *, char **error);
void io_pcap_destroy(struct io_pcap *);

bool io_pcap_send(struct io_pcap *, uint32_t port, const void *frame, size_t n);
void io_pcap_flood(struct io_pcap *, const void *frame, size_t n);

const struct io_pcap_stats *io_pcap_stats(struct io_pcap *);

/* Addresses other than loopback and link-local of the network namespace that we run in, for a
 * daemon that was started without any; '*n' of them, to be freed. */
struct ip_addr *io_local_addresses(size_t *n);

#endif
