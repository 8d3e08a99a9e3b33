/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What the files of flowsync share: the object, and what it sends (syncsend.c).  The states and
 * what comes in are in flowsync.c, what is shown in syncshow.c.  Nobody else includes this. */
#ifndef MP_OFP_FLOWSYNC_PRIVATE_H
#define MP_OFP_FLOWSYNC_PRIVATE_H 1

#include "ofp/flowsync.h"
#include "ofp/reading.h"
#include "ofp/want.h"

#define FLOWSYNC_MAX_NOTICES 32

struct flowsync {
    struct flowsync_config cfg;
    struct flowsync_stats stats;
    enum flowsync_state state;
    struct wants wants;

    bool need_read;                   /* Something changed, here or there. */
    bool was_in_sync, meters_refused, removing;
    bool initial;                     /* No reading was completed on this connection yet. */
    uint32_t flows_xid, meters_xid;   /* Statistics requests that are not yet answered; 0: none. */
    uint32_t barrier_xid, check_xid;
    usec_t asked_at, read_at, next_check_at, next_audit_at, next_refresh_at;

    struct reading reading;           /* Of the switch, that goes on or was the latest. */
    char told_conflict[sizeof ((struct reading *) 0)->conflict];
    char *notices[FLOWSYNC_MAX_NOTICES];
    unsigned int n_notices;
};

/* Each sends what its name says and counts it. */
void flowsync_send_reading(struct flowsync *, struct swconn *);       /* Of what is ours. */
void flowsync_send_reading_all(struct flowsync *, struct swconn *);   /* And of what is not. */
void flowsync_send_changes(struct flowsync *, struct swconn *);       /* After a reading. */
void flowsync_send_check(struct flowsync *, struct swconn *, usec_t now);
void flowsync_send_refresh(struct flowsync *, struct swconn *, usec_t now);
void flowsync_send_removal(struct flowsync *, struct swconn *, usec_t now);
/* Meters came with OpenFlow 1.3. */
bool flowsync_has_meters(const struct swconn *);

#endif
