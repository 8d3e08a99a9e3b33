/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Addresses, services and peers as a user writes them, one argument at a time: text to struct and
 * back.  Knows nothing of other options; settings.c compares them.  Stateless. */
#ifndef MP_CTL_SPEC_H
#define MP_CTL_SPEC_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/net.h"
#include "peer/peer.h"

/* These return NULL, or one sentence about what is wrong, to be freed. */
char *spec_parse_address(const char *, struct net_service *);       /* "A[/MAC]": virtual. */
char *spec_parse_take(const char *, struct net_service *);          /* "A|PREFIX|ANY": taken. */
char *spec_parse_peer(const char *, uint16_t default_port, struct peer_spec *);

char *spec_parse_dscp(const char *, uint8_t *);             /* "DSCP|mirror": as utcp_config. */
char *spec_parse_bool(const char *option, const char *, bool *);    /* "true|false". */

bool spec_parse_port(const char *, uint16_t *);
/* "IP", "IP:PORT", "[IPv6]", "[IPv6]:PORT"; destroys 'text', keeps the port when there is none. */
bool spec_parse_endpoint(char *text, struct peer_spec *);
/* Moves '*text' behind 'prefix' if it begins so. */
bool spec_skip(const char **text, const char *prefix);

/* An address that a host on a network can have: no loopback, group or broadcast. */
bool spec_is_usable(const struct ip_addr *);
bool spec_is_digits(const char *);

/* "192.168.1.104:1883", "[2001:db8::1]:1883". */
#define PEER_STRLEN (ADDR_STRLEN + 8)
char *spec_format_peer(const struct peer_spec *, char buf[PEER_STRLEN]);
/* "192.168.1.101", "10.0.0.0/8", "ANY". */
#define PREFIX_STRLEN (ADDR_STRLEN + 4)
char *spec_format_prefix(const struct ip_prefix *, char buf[PREFIX_STRLEN]);

#endif
