/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The ports of the switch, as its features, port description and port status messages tell them.
 * Part of swconn; nobody else includes this. */
#ifndef MP_OFP_SWPORTS_H
#define MP_OFP_SWPORTS_H 1

#include "ofp/swconn.h"

struct swports {
    struct swconn_port *ports;
    size_t n, allocated;
};

/* A switch that tells of more is not believed: memory is ours. */
#define SWPORTS_MAX 65536

void swports_clear(struct swports *);
/* 'oh' is a whole, aligned OFPT_FEATURES_REPLY, OFPMP_PORT_DESC reply or OFPT_PORT_STATUS.  False
 * when it is malformed. */
bool swports_features(struct swports *, const struct ofp_header *oh, uint64_t *datapath_id);
bool swports_desc(struct swports *, const struct ofp_header *oh);
bool swports_status(struct swports *, const struct ofp_header *oh);

#endif
