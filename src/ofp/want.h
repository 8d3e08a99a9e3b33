/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Desired flows and meters in libopenvswitch's form: parsed from their text once, found by priority
 * and match, compared with what a switch tells.  Part of flowsync; nobody else includes this. */
#ifndef MP_OFP_WANT_H
#define MP_OFP_WANT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ofp/flows.h"
#include "openvswitch/hmap.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-meter.h"

struct want_flow {
    struct hmap_node node;            /* In wants.by_match. */
    struct ofputil_flow_mod fm;       /* As OFPFC_ADD. */
    char *actions;                    /* Formatted, for comparison. */
    const struct flows_item *item;
    bool seen;                        /* By the reading that goes on. */
    bool installed;                   /* The switch confirmed it. */
    bool conflict;                    /* Another's flow is in its place. */
    bool complained;                  /* About the switch refusing it. */
    uint32_t xid;                     /* Of the flow mod that is not yet confirmed; 0: none. */
    uint64_t n_packets, n_bytes;
};

struct want_meter {
    struct ofputil_meter_mod mm;
    const struct flows_item *item;
    bool seen, differs, installed;
    uint32_t xid;
};

struct wants {
    struct flows *source;             /* Owned. */
    struct want_flow *flows;
    struct want_meter *meters;
    size_t n_flows, n_meters;
    struct hmap by_match;
};

void wants_init(struct wants *, struct flows *);            /* Takes ownership; NULL: nothing. */
void wants_uninit(struct wants *);

struct want_flow *wants_find(const struct wants *, const struct ofputil_flow_stats *);
struct want_meter *wants_find_meter(const struct wants *, uint32_t id);
/* Whether what the switch holds does what we want. */
bool want_flow_equal(const struct want_flow *, const struct ofputil_flow_stats *);
bool want_meter_equal(const struct want_meter *, const struct ofputil_meter_config *);

size_t wants_n_installed(const struct wants *);

#endif
