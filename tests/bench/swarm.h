/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A swarm of MQTT clients that exist as frames only: swarm-client.c is the TCP and MQTT of each, a
 * stop-and-wait of one control packet at a time, swarm-frames.c the packet socket, swarm.c the
 * phases and figures.  For benches and system tests.  One thread. */
#ifndef MP_BENCH_SWARM_H
#define MP_BENCH_SWARM_H 1

#include "base/prng.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "wire/frame.h"

enum { SWARM_FRAME = 256, SWARM_BATCH = 32, SWARM_PORTS = 4, SWARM_FIRST_PORT = 32768 };

/* What a client waits for; the first five in this order. */
enum swarm_stage {
    SWARM_CLOSED,
    SWARM_SYN_SENT,
    SWARM_CONNECTING,
    SWARM_SUBSCRIBING,
    SWARM_SUBSCRIBING_AGAIN,
    SWARM_OPEN,
    SWARM_PINGING,
    SWARM_LOST,
};

struct swarm_client {                 /* Object i + 1 of the slab is client i. */
    struct wheel_node timer;
    uint32_t due;                     /* The wheel's. */
    uint32_t snd_una, snd_nxt;        /* Between them: the request of this stage. */
    uint32_t rcv_nxt;
    uint32_t ts_ecr;
    uint32_t asked_at;                /* When the stage began, us, modulo 2^32. */
    uint8_t stage, n_tries;
};

struct swarm_counts {
    uint32_t n_opening, n_open, n_lost;
    uint64_t syns_again, requests_again;
    uint64_t full_options;            /* SYN-ACKs with MSS, SACK, timestamps and window scale. */
    uint64_t pings_answered;
    uint32_t *ping_us;                /* Of each one that was answered. */
};

struct swarm_io {                     /* Frames that wait to be sent, all in one call. */
    int fd;
    uint32_t n_out;
    uint32_t size[SWARM_BATCH];
    uint8_t out[SWARM_BATCH][SWARM_FRAME];
};

struct swarm {
    struct ip_addr service;
    struct mac_addr service_mac;
    uint16_t port;
    uint32_t n;                       /* Clients. */
    usec_t now;
    struct prng prng;
    struct slab slab;
    struct wheel wheel;
    struct swarm_counts counts;
    struct swarm_io io;
};

void swarm_fail(const char *what);                  /* Prints it with errno's text; exits. */
usec_t swarm_now(void);

/* Clients. */
void swarm_open(struct swarm *, uint32_t i);
bool swarm_ping(struct swarm *, uint32_t i);        /* False: it is not open, or still waits. */
void swarm_input(struct swarm *, const uint8_t *frame, size_t n);
void swarm_run_timers(struct swarm *);              /* Retransmits what is due. */

/* Frames. */
void swarm_io_open(struct swarm_io *, const char *interface);
void swarm_io_put(struct swarm_io *, const uint8_t *frame, size_t n);
void swarm_io_flush(struct swarm_io *);
/* Waits for 'timeout_us' at most, moves s->now, and takes in what has come. */
void swarm_io_wait(struct swarm *, usec_t timeout_us);

#endif
