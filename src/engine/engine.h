/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The engine: the proxy (pure) joined to the outside world.  Frames come from packet-ins or from
 * interfaces and go back there, datagrams from and to the peer socket, the flows follow what the
 * proxy learns.  It is the only code that knows both ofp/ and io/; main.c builds it, its turn is
 * the event loop's.  One thread, the engine's. */
#ifndef MP_ENGINE_ENGINE_H
#define MP_ENGINE_ENGINE_H 1

#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/siphash.h"
#include "ctl/settings.h"
#include "ctl/view.h"
#include "io/loop.h"

struct engine;

struct engine_config {
    const struct settings *settings;  /* Both outlive the engine. */
    const struct options *options;
    struct siphash_key key;           /* From a random source. */
    const char *machine;              /* Tells this machine from others. */
};

/* NULL and one sentence in '*error', to be freed, when an interface, a socket or a file cannot be
 * opened.  A switch that is not there is no error: the engine waits for it. */
struct engine *engine_create(const struct engine_config *, struct io_loop *, char **error);
void engine_destroy(struct engine *);                       /* Accepts NULL. */

/* One turn, after the input; returns when the next one is due at the latest. */
usec_t engine_turn(struct engine *, usec_t now);

/* Ends in order: clients get FIN, peers UNSUBSCRIBE, the flows go last.  When all is done, or
 * nobody answers, the loop is stopped. */
void engine_stop(struct engine *);

/* Reads --password-file and --acl-file again.  Connections stay; if there is a mistake in one of the
 * files, so does all else, and one sentence says where, to be freed.  Logs the outcome. */
char *engine_reload(struct engine *);

/* It is known whether the daemon can do its job: the flows are in, or the switch is not there (which
 * is waited for), or engine_failure(). */
bool engine_is_settled(const struct engine *, usec_t now);
/* One sentence if the daemon cannot serve and should end, else NULL. */
const char *engine_failure(const struct engine *);

/* For ovs-appctl.  Belongs to the engine. */
struct ctl_view *engine_view(struct engine *);

/* Prints the flows of this configuration as they are before anything is learnt.  Returns NULL or
 * one sentence about what cannot be known without a switch, to be freed. */
char *engine_print_flows(const struct engine_config *, FILE *);

#endif
