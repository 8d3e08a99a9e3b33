/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* One reading of the switch: its statistics replies against what is wanted.  Says of each wanted flow
 * and meter whether it is there, collects those of ours that are not wanted, and finds flows of
 * others where ours should be.  Part of flowsync; nobody else includes this. */
#ifndef MP_OFP_READING_H
#define MP_OFP_READING_H 1

#include <stdbool.h>
#include "ofp/want.h"

struct ofp_header;

/* More flows of ours than this are left for the next reading. */
#define READING_MAX_STALE 65536

struct reading_stale {                /* A flow of ours that nobody wants (any more). */
    struct minimatch match;
    uint16_t priority;
};

struct reading {
    struct wants *wants;              /* Borrowed; 'seen', 'differs' and 'conflict' are set in it. */
    uint16_t instance;
    bool all;                         /* Second pass: everybody's flows, for conflicts alone. */

    struct reading_stale *flows;
    size_t n_flows, flows_allocated;
    uint32_t *meters;                 /* Stale ones' ids. */
    size_t n_meters, meters_allocated;

    char conflict[512];               /* One sentence about the first conflict; "": none. */
    uint32_t n_conflicts, n_malformed;
};

void reading_start(struct reading *, struct wants *, uint16_t instance);
void reading_uninit(struct reading *);

/* One reply (OFPMP_FLOW, OFPMP_METER_CONFIG).  True when it was the last of its kind. */
bool reading_flows(struct reading *, const struct ofp_header *);
bool reading_meters(struct reading *, const struct ofp_header *);

#endif
