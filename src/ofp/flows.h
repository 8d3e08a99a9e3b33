/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Which flows and meters we want in the switch: a pure function of the configuration and of a few
 * facts learnt.  Each is text in ovs-ofctl's syntax, so that what is printed, shipped, shown and
 * installed is the same thing.  Lettered:
 *
 *   a    300  TCP to the service                       to us           intercept
 *   a'   301  the same, SYN without ACK                SYN meter, us   packet-in floods
 *   a''  300  fragments of TCP to a virtual address    to us           they carry no ports
 *   b    300  ARP request / NS for a virtual address   to us           own the address
 *   b2   300  ARP reply / NA to our probe MAC          to us           neighbours
 *   c    300  ICMP to a virtual address;               to us           ping, PMTU, unreachable
 *             ICMP errors to a taken one               and its owner
 *   d    300  UDP from peers, and its fragments        to us           peers in band
 *   e    310  RST from a taken address's service port  drop            RST guard
 *   f    310  port unreachable from A to a peer        drop            ICMP guard
 *   g    290  anything else to a virtual address       low meter, us   refused, not flooded
 *
 * Stateless; the result belongs to the caller. */
#ifndef MP_OFP_FLOWS_H
#define MP_OFP_FLOWS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/addr.h"

#define FLOWS_COOKIE_TAG UINT64_C(0x6d71)                   /* Top 16 bits of every cookie. */
#define FLOWS_COOKIE(INSTANCE) (FLOWS_COOKIE_TAG << 48 | (uint64_t) (INSTANCE) << 32)
#define FLOWS_COOKIE_TAG_MASK (UINT64_C(0xffff) << 48)
#define FLOWS_COOKIE_MASK (UINT64_C(0xffffffff) << 32)      /* Tag and instance. */

#define FLOWS_PRIO_SERVICE 300
#define FLOWS_PRIO_SYN 301
#define FLOWS_PRIO_GUARD 310
#define FLOWS_PRIO_REFUSE 290

struct flows_service {
    enum flows_kind { FLOWS_VIRTUAL, FLOWS_TAKEN } kind;
    struct ip_prefix prefix;          /* Virtual: a host address.  Taken: host, prefix, len 0. */
    bool owner_known;                 /* Taken host address: where its owner is. */
    uint32_t owner_port;
};

struct flows_peer {                   /* A peer in band. */
    struct ip_addr addr;
    struct ip_addr local;             /* The service address that it talks to. */
};

struct flows_config {
    const struct flows_service *services;
    size_t n_services;
    const struct flows_peer *peers;
    size_t n_peers;
    const uint32_t *edge_ports;       /* Flows a and a' of prefixes match these in_ports; for len 0
                                       * at least one. */
    size_t n_edge_ports;
    enum flows_mode { FLOWS_OPENFLOW, FLOWS_PCAP } mode;    /* pcap: guards e and f alone. */
    uint16_t tcp_port, udp_port;
    uint16_t instance;
    struct mac_addr probe_mac;        /* As net_config.probe_mac. */
    bool use_meters;                  /* OpenFlow >= 1.3 and the switch takes them. */
    uint32_t syn_rate, low_rate;      /* Packets a second; 0: no meter. */
    uint16_t hard_timeout;            /* --fail-open=SECS; 0: none. */
};
void flows_config_default(struct flows_config *);

struct flows_item {
    char letter[4];                   /* "a", "a'", "a''", "b2"...; meters: "m1", "m2". */
    char *text;
};

struct flows {
    struct flows_item *flows, *meters;
    size_t n_flows, n_meters;
};

/* Never fails; flows that a service does not need are left out. */
struct flows *flows_build(const struct flows_config *);
void flows_destroy(struct flows *);
bool flows_equal(const struct flows *, const struct flows *);

/* For ovs-ofctl add-flows; meters come as comments with the ovs-ofctl line that adds them. */
void flows_print(const struct flows *, FILE *);
/* The meter's id, high, out of others' way: 'which' is 1 (SYN) or 2 (low). */
uint32_t flows_meter_id(uint16_t instance, int which);

#endif
