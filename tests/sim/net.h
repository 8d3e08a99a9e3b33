/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A simulated path: frames go in at one side and come out at the other, later, not at all, twice,
 * out of order, or damaged.  A function of its seed; time is virtual.  Knows no protocol; can write
 * what goes in to a pcap file. */
#ifndef MP_TESTS_SIM_NET_H
#define MP_TESTS_SIM_NET_H 1

#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/prng.h"

struct simnet_path {                  /* One direction; chances in 1/1000. */
    usec_t delay_us;
    usec_t jitter_us;                 /* Of reordered frames, beyond the delay. */
    uint32_t loss, reorder, duplicate, corrupt;
    uint32_t queue_max;               /* Frames under way at a time; 0: any number. */
    usec_t frame_us;                  /* Time that each takes on the wire. */
};

enum simnet_side { SIMNET_CLIENT, SIMNET_SERVER };

struct simnet_frame {
    usec_t at;
    uint64_t order;
    enum simnet_side to;
    size_t n;
    uint8_t *data;
};

struct simnet {
    struct prng prng;
    struct simnet_path path[2];       /* By the side at which frames arrive. */
    struct simnet_frame *heap;
    size_t n, size;
    uint64_t order;
    uint32_t n_under_way[2];
    usec_t busy_until[2];
    uint64_t n_sent, n_lost, n_corrupted;
    FILE *pcap;
};

void simnet_init(struct simnet *, uint64_t seed);
void simnet_uninit(struct simnet *);
void simnet_trace(struct simnet *, const char *pcap_file);
void simnet_send(struct simnet *, enum simnet_side to, const uint8_t *, size_t, usec_t now);
usec_t simnet_deadline(const struct simnet *);
/* Takes out a frame that has arrived at 'now'; the caller frees its data. */
bool simnet_receive(struct simnet *, usec_t now, struct simnet_frame *);

#endif
