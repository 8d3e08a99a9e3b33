/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What the files of proxy/ share: the object and the calls between its three parts, frames
 * (proxy.c), clients (client.c) and the road between broker and peers (route.c).  Nobody outside
 * proxy/ includes this. */
#ifndef MP_PROXY_PRIVATE_H
#define MP_PROXY_PRIVATE_H 1

#include "base/mem.h"
#include "proxy/proxy.h"

#define NOTICE_SIZE 200
#define MAX_NOTICES 32

struct notices {                      /* A ring; the oldest are overwritten. */
    char text[MAX_NOTICES][NOTICE_SIZE];
    enum proxy_notice level[MAX_NOTICES];
    uint32_t head, n;
};

struct limit_watch {                  /* Of one counter. */
    uint64_t said;                    /* So much of it is in a notice. */
    usec_t said_at;
};
#define PROXY_N_LIMITS 21

struct socket_queue {                 /* Datagrams for the bound peer socket, made in this turn. */
    struct peer_datagram *d;
    size_t n, next, allocated;
};

struct auth_queue {                   /* CONNECTs to be judged, or judged no more, that nobody has
                                       * taken yet. */
    mqtt_id *ids;
    size_t n, next, allocated;
};

struct held {                         /* Clients kept from publishing while a peer is congested. */
    mqtt_id *ids;
    size_t n, allocated;
    uint32_t n_relieved;              /* peers_n_relieved() that was seen. */
};

struct proxy {
    struct net *net;
    struct utcp *utcp;
    struct mqtt_broker *mqtt;
    struct peers *peers;
    uint32_t n_clients;               /* See client.c. */
    uint16_t tcp_port, udp_port, mtu;
    struct net_service *services;
    size_t n_services;
    struct ip_addr peer_address;
    struct socket_queue socket_queue;
    struct auth_queue auth_queue, auth_gone;
    struct held held;
    struct notices notices;
    struct limit_watch limits[PROXY_N_LIMITS];
    struct proxy_stats stats;
    bool said_offload, shutting_down;
    uint8_t *buf;                     /* One outgoing frame with headroom. */
    size_t buf_size;
};

/* client.c: events of TCP and of the broker, until both are quiet. */
void client_drain(struct proxy *, usec_t now);
/* Moves output of the broker into TCP send queues. */
void client_pump_ready(struct proxy *, usec_t now);

/* In TCP's handle of a connection, beside the index of the Network Connection; without it: refused at
 * OPEN.  See client.c. */
#define IS_CLIENT 0x80000000u

/* ahead.c: fetches what the next up to AHEAD_READY of mqtt_next_ready() need; how many these are. */
#define AHEAD_READY 32
uint32_t ahead_of_ready(struct proxy *);

/* route.c */
void route_from_broker(struct proxy *, const struct mqtt_event *, usec_t now);
void route_from_peers(struct proxy *, usec_t now);
void route_to_network(struct proxy *, usec_t now);
/* Lets clients go on that were held for a peer, once one is relieved. */
void route_release(struct proxy *, usec_t now);

/* limits.c: notices of limits that were met. */
void limits_watch(struct proxy *, usec_t now);

void notice_put(struct proxy *, enum proxy_notice, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
