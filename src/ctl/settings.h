/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What the options mean: addresses, peers, the attachment and the way to the switch, parsed and
 * checked against each other.  Between the command line's texts (options.h) and the modules'
 * configurations.  Asks nobody anything (but reads --passphrase-file).  One thread. */
#ifndef MP_CTL_SETTINGS_H
#define MP_CTL_SETTINGS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "ctl/options.h"
#include "ctl/spec.h"
#include "net/net.h"
#include "peer/peer.h"
#include "proxy/proxy.h"

struct settings {
    /* Services and peers. */
    struct net_service *services;
    size_t n_services;
    bool services_from_host;          /* Nobody named one: the namespace's own were taken. */
    struct peer_spec *peers;
    size_t n_peers;
    bool needs_socket;                /* A peer is reached by a UDP socket. */
    struct ip_addr socket_addr;       /* That it is bound to; any-address: all. */
    uint16_t socket_port;
    struct ip_addr peer_address;      /* Any-address: none given. */
    struct ip_addr gateway;           /* Any-address: none. */
    char *username, *password;        /* NULL: anonymous. */
    char *password_file, *acl_file;   /* Absolute names, or NULL. */
    enum mqtt_anonymous anonymous;

    /* TCP. */
    uint8_t dscp;
    bool ecn;

    /* Attachment. */
    bool openflow;                    /* Else pcap. */
    char **pcap_ifs;
    size_t n_pcap_ifs;
    char **edge_ports;                /* Names or numbers, as the switch calls them. */
    size_t n_edge_ports;

    /* Switch. */
    char *bridge;                     /* NULL: METHOD says nothing of a name. */
    char *method;                     /* "unix:...": NULL without a switch (pcap alone). */
    bool passive;                     /* The switch calls: punix: or ptcp:. */
    bool is_local;                    /* By BRIDGE.mgmt of this machine: its database is ours. */
    char *db;                         /* NULL: "none". */
    uint32_t versions;                /* Bit i: OpenFlow version i is allowed. */
};

/* Returns NULL and fills 's', or one sentence that says what is wrong, to be freed.  The 'n_host'
 * addresses of the network namespace are taken when nobody names a service. */
char *settings_init(struct settings *s, const struct options *, const struct ip_addr *host,
                    size_t n_host);
void settings_uninit(struct settings *);

/* Fills the configuration of the proxy: limits, services (borrowed from 's'), ports, peers.  Keys
 * and seeds are left to the caller. */
void settings_to_proxy(const struct settings *s, const struct options *, struct proxy_config *);

/* Source address of in-band datagrams to 'peer', as the proxy chooses it; false: there is none. */
bool settings_peer_source(const struct settings *, const struct ip_addr *peer,
                          struct ip_addr *source);

/* A locally administered MAC address for probes: the same after a restart, another one for each
 * daemon on one link.  'machine' tells machines apart. */
struct mac_addr settings_probe_mac(const struct settings *, const struct options *,
                                   const char *machine);

#endif
