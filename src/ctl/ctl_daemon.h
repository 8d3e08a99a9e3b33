/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The daemon's conventions, as every ovs-* daemon has them: logging, detaching, the pidfile, the
 * control socket; and what only the kernel gives: random keys, the machine's name.  Called by
 * main.c in the order of declaration. */
#ifndef MP_CTL_CTL_DAEMON_H
#define MP_CTL_CTL_DAEMON_H 1

#include <stddef.h>

#include "base/clock.h"
#include "ctl/options.h"

struct settings;
struct ctl_daemon;
struct ctl_view;

/* Sets up logging and what --detach and its kin ask for.  Exits on a bad argument to them. */
void ctl_daemon_apply(const struct options *);

/* Detaches if asked to: from here on, another process, and with --user another user, who keeps the
 * right to raw sockets if interfaces are captured.  No thread may exist yet. */
void ctl_daemon_start(const struct settings *);

/* Makes sure that no other daemon of the same instance is attached to the same bridge: both would
 * take the other's flows for leftovers of their own.  Exits with a message if there is one. */
void ctl_daemon_lock(const struct options *, const struct settings *);

/* Makes the control socket.  Exits with a message when it cannot be made. */
struct ctl_daemon *ctl_daemon_create(const struct options *);
/* All commands, the database client, the thread that waits for both.  Before, who calls the socket
 * waits. */
void ctl_daemon_serve(struct ctl_daemon *, const struct settings *, struct ctl_view *);
void ctl_daemon_destroy(struct ctl_daemon *);               /* Accepts NULL. */
int ctl_daemon_fd(const struct ctl_daemon *);               /* Readable: call ctl_daemon_run(). */
void ctl_daemon_run(struct ctl_daemon *);
/* Once a turn of the engine: returns when it wants the next one. */
usec_t ctl_daemon_turn(struct ctl_daemon *, usec_t now);

/* Tells the waiting parent of --detach that all is well. */
void ctl_daemon_complete(void);

void ctl_reopen_log(void);                                  /* After rotation: SIGHUP. */
usec_t ctl_wall_clock(void);                                /* Since 1970, may jump. */
void ctl_random(void *, size_t);                            /* Exits without randomness. */
/* What tells this machine from others, for derived addresses; to be freed. */
char *ctl_machine_id(void);

#endif
