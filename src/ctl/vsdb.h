/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What the switch's database (OVSDB) says of our bridge: whether there is one, its fail_mode, its
 * controllers.  Read only, for advice in the log: the daemon works without.  In the style of OVS's
 * poll loop: run() in the engine's thread, wait() in the pump's. */
#ifndef MP_CTL_VSDB_H
#define MP_CTL_VSDB_H 1

#include <stdbool.h>
#include <stddef.h>

struct vsdb;

/* 'remote' as ovsdb-client takes it, such as "unix:/run/openvswitch/db.sock". */
struct vsdb *vsdb_create(const char *remote, const char *bridge);
void vsdb_destroy(struct vsdb *);                           /* Accepts NULL, as the others do. */

void vsdb_run(struct vsdb *);
void vsdb_wait(struct vsdb *);

struct vsdb_bridge {
    bool connected;                   /* To the database; without, nothing below is known. */
    bool exists;
    bool standalone;                  /* fail_mode: standalone, or not set. */
    size_t n_controllers;
    bool in_band;                     /* Hidden in-band flows are not disabled. */
};
void vsdb_get(const struct vsdb *, struct vsdb_bridge *);

#endif
