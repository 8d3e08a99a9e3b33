/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A whole proxy in this process and a herd of clients that speak Ethernet frames to it: no socket,
 * no switch, virtual time.  Every client has connected with SACK, timestamps and window scaling, a
 * client id and two subscriptions ("device/I/command" and "site/S/#").  For benches: whatever goes
 * wrong ends the program.  One thread. */
#ifndef MP_TESTS_BENCH_HERD_H
#define MP_TESTS_BENCH_HERD_H 1

#include <stdbool.h>

#include "base/prng.h"
#include "proxy/proxy.h"

enum { HERD_BATCH = 32, HERD_FRAME = 256, HERD_MAX = 2000000 };

struct herd_client {
    uint32_t snd_nxt, rcv_nxt, ts_ecr;
};

struct herd_frame {
    size_t n;
    uint8_t data[HERD_FRAME];
};

struct herd {
    struct proxy *proxy;
    usec_t now;
    uint32_t n;
    struct herd_client *clients;
    struct mac_addr service_mac;
    struct prng prng;
    struct herd_frame in[HERD_BATCH];           /* Frames of one turn... */
    uint32_t n_in;
    struct herd_frame out[4 * HERD_BATCH];      /* ...and the proxy's. */
    uint32_t n_out;
    int64_t ns;                       /* Spent in the proxy, in all turns... */
    bool has_no_clock;                /* ...unless this is set. */
    bool is_deaf;                     /* Clients do not listen: any output will do. */
    long int resident_before;         /* Of the process, without the proxy: bytes. */
};

/* A proxy to which 'n' clients have connected, a multiple of HERD_BATCH aside. */
void herd_create(struct herd *, uint32_t n);
void herd_destroy(struct herd *);

/* A frame of client 'i' for the next turn. */
void herd_put(struct herd *, uint32_t i, uint8_t flags, const void *data, size_t n);
/* One turn of the daemon's loop, of which only the proxy's time counts; the clients take note of
 * what it sends. */
void herd_turn(struct herd *);

/* HERD_BATCH different clients, as if at random; others for each of n / HERD_BATCH turns. */
void herd_draw(const struct herd *, uint32_t turn, uint32_t *who);
/* A PUBLISH of QoS 0 with 64 bytes; its size.  'packet' has HERD_FRAME bytes. */
size_t herd_build_publish(uint8_t *packet, const char *topic);

long int herd_resident_bytes(void);
/* A number of clients from the command line, or the end. */
uint32_t herd_count(const char *arg);

#endif
