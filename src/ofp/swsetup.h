/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What a fresh connection says to the switch between HELLO and READY, in the order that Open vSwitch
 * needs: controller id, configuration, which asynchronous messages, packet-in format, ports, flow
 * monitors, barrier.  Part of swconn; nobody else includes this. */
#ifndef MP_OFP_SWSETUP_H
#define MP_OFP_SWSETUP_H 1

#include "ofp/swconn.h"

struct swsetup {
    uint16_t controller_id;
    bool config_sent;
    uint32_t controller_id_xid;       /* An error for it: not an Open vSwitch. */
    uint32_t barrier_xid;             /* Its reply ends the set-up; 0: not sent yet. */
    uint32_t first_monitor_xid, last_monitor_xid;
};

/* After HELLO: up to the request for the switch's configuration... */
void swsetup_begin(struct swsetup *, struct swconn *);
/* ...and from its reply 'oh' to the barrier. */
void swsetup_finish(struct swsetup *, struct swconn *, const struct ofp_header *oh);

/* Whether 'xid' is that of a request for a flow monitor. */
bool swsetup_is_monitor(const struct swsetup *, uint32_t xid);

#endif
