/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the load generator share: mqtt-load.c makes the load, of load-packets.c's
 * control packets with load-payload.c's payloads, which load-send.c writes; load-report.c measures
 * and prints, load-bulk.c what many bytes at once take.  One thread. */
#ifndef MP_BENCH_LOAD_H
#define MP_BENCH_LOAD_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MAX_CONNS = 4096, MAX_PAYLOAD = 200000, RX_SIZE = (1 << 18) + MAX_PAYLOAD,
    MAX_SAMPLES = 1 << 20, MAX_OUTSTANDING = 1024, MAX_PIDS = 8,
    OWED_SIZE = 1 << 17,
};
#define SEC UINT64_C(1000000000)
#define READY_LIMIT (10 * SEC)
#define GIVE_UP (1 * SEC)

enum role { PINGER, PUBLISHER, SUBSCRIBER };

struct stamp {                        /* What a payload begins with. */
    uint64_t sent_ns, seq;
    uint32_t publisher;
    uint32_t measured;                /* 0: sent before the run. */
};

struct flow {                         /* Messages of one publisher to one subscriber. */
    struct conn *from;
    uint64_t edge;                    /* Sequence number after the last that arrived. */
    uint64_t n_received;
    uint64_t last_ns;                 /* When one arrived. */
    uint64_t stall_ns;                /* Longest time between two arrivals. */
};

struct conn {
    int fd;
    enum role role;
    int index;
    uint64_t n_sent;
    uint64_t *sent_ns;                /* Pingers: when each outstanding PINGREQ was sent. */
    uint64_t n_answered;
    uint8_t *rx;
    size_t n_rx;
    uint8_t *message;
    size_t message_size;
    uint64_t n_acked;                 /* By PUBACK or PUBCOMP. */
    uint64_t n_ids;                   /* Packet identifiers used. */
    uint8_t *owed;                    /* Acknowledgements that are still to be written. */
    size_t n_owed;
    size_t n_left;                    /* Of a message, that the socket did not take. */
    bool waits_out;
};

struct totals {                       /* Sums over all connections, at one moment. */
    uint64_t at_ns;
    uint64_t n_sent, n_done;
    uint64_t pub_out, pub_in, pub_retransmitted, sub_out, sub_in;
    uint64_t cpu_ms[MAX_PIDS];
};

struct bodies {                       /* What payloads go on with, one after the other. */
    uint8_t *bytes;
    uint32_t size, n, next;
    uint64_t state;                   /* Of the generator that made them. */
};

struct load {
    const char *mode, *pub_netns, *sub_netns, *pub_host, *sub_host, *user, *password;
    const char *pid_names[MAX_PIDS];
    int pids[MAX_PIDS], n_pids;
    int port, n_pubs, n_subs, size, window, outstanding, qos;
    double seconds, warm_up;
    uint64_t bytes, count;            /* Of each publisher in bulk; else count is 0. */
    bool nagle, senml;
    struct bodies bodies;
    int epoll;
    struct conn conns[MAX_CONNS];     /* Publishers or pingers first, then subscribers. */
    struct flow *flows;               /* [publisher], [subscriber] or [pair]. */
    int n_conns, n_flows, n_ready;
    bool running, priming;
    uint32_t *samples;                /* Latencies, us. */
    size_t n_samples;
    uint64_t n_done, n_given_up;
};

void load_die(const char *what);      /* Prints it with errno's text; exits. */
uint64_t load_now_ns(void);

/* Takes in what has come, waiting for it until then; writes what it allows. */
void load_turn(struct load *, int timeout_ms);
void load_publish(struct load *, struct conn *);      /* What window and socket allow. */
void load_bulk(struct load *);

void load_write_all(int fd, const void *, size_t n);  /* Something small, at the beginning. */
void load_send_connect(const struct load *, const struct conn *);
void load_send_subscribe(const struct load *, const struct conn *);
void load_make_bodies(struct load *);
void load_fill_body(struct load *, uint8_t *);
void load_build_message(const struct load *, struct conn *);

/* Writes what waits to be written.  False: the socket takes no more. */
bool load_flush(const struct load *, struct conn *);
bool load_send_message(struct load *, struct conn *);      /* Nothing may wait. */
void load_owe_ack(struct conn *, uint8_t first, const uint8_t *id);

void load_take_totals(const struct load *, struct totals *);
/* What happened between the two. */
void load_print_rates(struct load *, const struct totals *, const struct totals *);
void load_print_losses(const struct load *);

#endif
