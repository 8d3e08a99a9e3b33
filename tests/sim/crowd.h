/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A crowd of MQTT clients at two whole proxies that are each other's peers.  Frames are never lost
 * and arrive at once, time is virtual: this is for many clients and long times, not for bad paths
 * (sim-utcp, sim-proxy).  A client answers what TCP and QoS 1 and 2 ask for by itself, and counts
 * what it receives.  One thread. */
#ifndef MP_TESTS_SIM_CROWD_H
#define MP_TESTS_SIM_CROWD_H 1

#include "proxy/proxy.h"

enum { CROWD_EDGES = 2, CROWD_RX = 4096, CROWD_TX = 2048 };

enum crowd_kind { CROWD_GROUP, CROWD_WILL, CROWD_SHARED, CROWD_OTHER, CROWD_N_KINDS };

struct member {                       /* One client.  Its place in the array is its TCP port. */
    uint32_t number;                  /* Makes its addresses and its client identifier. */
    uint8_t edge, version;
    bool vanished;                    /* Neither hears nor speaks. */
    bool leaves_qos2_open;            /* Never answers PUBREC or PUBREL. */
    bool got_fin, got_rst, ack_owed, is_dirty, session_present;
    uint8_t connack;                  /* Reason code. */
    uint32_t snd_nxt, rcv_nxt;
    size_t n_rx, n_tx;
    uint8_t rx[CROWD_RX], tx[CROWD_TX];
    uint32_t n_connacks, n_subacks, n_pingresps, n_acked;
    uint32_t n_messages[CROWD_N_KINDS];         /* By the first letter of the topic: g w t. */
};

struct crowd {
    usec_t now;
    struct proxy *proxy[CROWD_EDGES];
    struct ip_addr service[CROWD_EDGES];
    struct mac_addr service_mac[CROWD_EDGES];
    struct member *members;
    uint32_t n;
    uint32_t *dirty, n_dirty;         /* Members that have something to send. */
    uint64_t n_received[CROWD_EDGES]; /* PUBLISHes, by clients. */
    char why[200];                    /* What went wrong first. */
};

void crowd_init(struct crowd *, uint32_t n, void (*tune)(struct proxy_config *));
void crowd_uninit(struct crowd *);
bool crowd_fail(struct crowd *, const char *format, ...)            /* Returns false. */
    __attribute__((format(printf, 2, 3)));

/* Everything that happens at this instant; then what is due until 'until'. */
void crowd_settle(struct crowd *);
void crowd_pass(struct crowd *, usec_t until);

/* A new client takes place 'i': SYN.  What follows goes out with the next crowd_settle(). */
struct member *crowd_open(struct crowd *, uint32_t i, uint32_t number, uint8_t edge);
struct crowd_connect {
    uint8_t version;                  /* 4 or 5. */
    uint16_t keep_alive_s;
    uint32_t expiry_s;                /* 0: clean; of version 4 only whether it is 0 counts. */
    const char *will;                 /* Topic, QoS 1; NULL: none. */
};
void crowd_connect(struct crowd *, struct member *, const struct crowd_connect *);
void crowd_subscribe(struct crowd *, struct member *, const char *filter, uint8_t qos);
void crowd_unsubscribe(struct crowd *, struct member *, const char *filter);
struct crowd_publish {
    const char *topic;
    uint8_t qos;
    bool retain;
    uint32_t n;                       /* Of the payload. */
    uint32_t expiry_s;                /* Version 5; 0: never. */
};
void crowd_publish(struct crowd *, struct member *, const struct crowd_publish *);
void crowd_packet(struct crowd *, struct member *, uint8_t first, const void *body, size_t n);
/* Ends of a TCP connection, at once. */
void crowd_fin(struct crowd *, struct member *);
void crowd_rst(struct crowd *, struct member *);

#endif
