/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What ovs-appctl's commands may see and do: filled in by the engine, which alone knows both the
 * cores and the shell's other parts, so that ctl/ needs to know neither ofp/ nor io/.  Every
 * function runs in the engine's thread. */
#ifndef MP_CTL_VIEW_H
#define MP_CTL_VIEW_H 1

#include <stddef.h>

#include "base/clock.h"
#include "base/stats.h"
#include "ctl/grid.h"
#include "ctl/options.h"
#include "peer/peer.h"
#include "proxy/proxy.h"

struct vsdb_bridge;

/* Counters of one module: 'values' returns a struct of 'n' uint64_t, or NULL while there is none. */
struct ctl_counters {
    const char *group;
    const struct stats_desc *descs;
    size_t n;
    const void *(*values)(void *aux);
};

/* Functions that return char * return NULL, or one sentence about what failed, to be freed. */
struct ctl_view {
    struct proxy *proxy;
    const struct options *options;
    void *aux;                        /* First argument of every function below. */
    usec_t (*now)(void *aux);
    void (*exit)(void *aux);
    char *(*reload)(void *aux);                 /* Passwords and access rules. */

    /* One row; the caller destroys it. */
    struct grid *(*show_switch)(void *aux, const struct vsdb_bridge *);
    struct grid *(*show_flows)(void *aux);
    /* Asks the switch for the flows' counts; false when there is none to ask.  '*token' is for
     * flows_are_fresh(), which is true once they have come. */
    bool (*flows_refresh)(void *aux, uint64_t *token);
    bool (*flows_are_fresh)(void *aux, uint64_t token);

    char *(*peer_adding)(void *aux, const struct peer_spec *);  /* May it be, is there a way? */
    void (*peers_changed)(void *aux);           /* The flows follow. */

    char *(*trace_start)(void *aux, const char *file);
    char *(*trace_stop)(void *aux, char **summary);

    const struct ctl_counters *counters;        /* Of ofp/ and io/. */
    size_t n_counters;
};

#endif
