/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Desired flows and meters against installed ones: reads back, sends only what is missing, has it
 * confirmed by a barrier, watches, repairs, and takes away at the end.  It is not the owner of the
 * connection: messages to it come from swconn's events, its own go to swconn.
 *
 *     DETACHED -> READING -> (READING ALL ->) WRITING -> IN SYNC -> CHECKING -> ...
 *                    ^                                      |
 *                    +--- change wanted, seen or found -----+          REMOVING -> REMOVED
 *
 * Flows of another instance of ours, or of anybody else, on a match that we want are never replaced:
 * flowsync_refusal() then has one sentence.  In quiet times only statistics requests are sent.
 * One thread. */
#ifndef MP_OFP_FLOWSYNC_H
#define MP_OFP_FLOWSYNC_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/stats.h"
#include "ofp/flows.h"
#include "ofp/swconn.h"

struct flowsync_config {
    uint16_t instance;
    usec_t check_us;                  /* Between counts of our flows in the switch: small, cheap. */
    usec_t audit_us;                  /* Between full comparisons. */
    usec_t refresh_us;                /* Flows with a hard time-out are renewed this often; 0: no. */
    usec_t reply_us;                  /* Patience with an answer before it is asked again. */
};
void flowsync_config_default(struct flowsync_config *);

enum flowsync_state {
    FLOWSYNC_DETACHED,                /* No connection. */
    FLOWSYNC_READING,
    FLOWSYNC_WRITING,
    FLOWSYNC_IN_SYNC,                 /* Confirmed: the switch has exactly what is desired. */
    FLOWSYNC_REFUSED,                 /* Somebody else has a flow where ours should be. */
    FLOWSYNC_REMOVING,
    FLOWSYNC_REMOVED,
};

#define FLOWSYNC_STATS(X)                                                       \
    X(flows_added, "flows sent to the switch")                                  \
    X(flows_deleted, "flows of ours removed because they were not desired")     \
    X(flows_refreshed, "flows whose time-out was renewed")                      \
    X(flows_adopted, "flows of an earlier run found in place")                  \
    X(meters_added, "meters sent to the switch")                                \
    X(meters_deleted, "meters removed")                                         \
    X(repairs, "times that flows were missing although they had been confirmed") \
    X(repaired_flows, "flows added again by repairs")                           \
    X(audits, "full comparisons with the switch")                               \
    X(checks, "counts of our flows in the switch")                              \
    X(conflicts, "times that another's flow was where ours should be")          \
    X(rejected, "flows or meters that the switch refused")                      \
    X(timeouts, "answers that did not come in time")                            \
    X(malformed, "answers that could not be decoded")
STATS_DECLARE(flowsync, FLOWSYNC_STATS)

struct flowsync;
struct flowsync *flowsync_create(const struct flowsync_config *);
void flowsync_destroy(struct flowsync *);

/* Takes ownership of 'flows'.  A text that does not parse is a bug of ours (and asserted). */
void flowsync_set_desired(struct flowsync *, struct flows *);

void flowsync_attach(struct flowsync *, usec_t now);        /* After SWCONN_READY. */
void flowsync_detach(struct flowsync *);                    /* After SWCONN_CLOSED. */
void flowsync_rx(struct flowsync *, const struct ofp_header *, usec_t now);   /* SWCONN_MESSAGE. */
void flowsync_changed(struct flowsync *, usec_t now);       /* SWCONN_FLOWS_CHANGED. */

/* Sends what is to be sent.  Once a turn after the events, and at the deadline. */
void flowsync_run(struct flowsync *, struct swconn *, usec_t now);
usec_t flowsync_deadline(const struct flowsync *);

/* Clean exit: removes all flows and meters of ours; keep turning until FLOWSYNC_REMOVED or
 * FLOWSYNC_DETACHED. */
void flowsync_remove_all(struct flowsync *, usec_t now);
void flowsync_audit_now(struct flowsync *, usec_t now);     /* For fresh packet counts. */

enum flowsync_state flowsync_state(const struct flowsync *);
const char *flowsync_state_name(enum flowsync_state);
const char *flowsync_refusal(const struct flowsync *);      /* NULL unless FLOWSYNC_REFUSED. */
/* The switch takes no meters: build the flows again without. */
bool flowsync_meters_refused(const struct flowsync *);
bool flowsync_was_in_sync(const struct flowsync *);         /* At any time since create. */
const struct flowsync_stats *flowsync_stats(const struct flowsync *);

/* Lines for the log: false when there are none left. */
bool flowsync_next_notice(struct flowsync *, char *buf, size_t size);

/* For show.  Counts are those of the latest comparison. */
struct flowsync_entry {
    const char *letter, *text;
    bool is_meter, installed;
    uint64_t n_packets, n_bytes;      /* Flows only. */
};
bool flowsync_walk(const struct flowsync *, size_t *pos, struct flowsync_entry *);

#endif
