/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* One OpenFlow connection to the switch, seen from our end: framing of the byte stream, version
 * negotiation, set-up in the order that Open vSwitch needs, echo both ways, ports, packet-in and
 * packet-out.  It is not a socket: bytes received are handed in, bytes to send are handed out, and
 * whoever owns the descriptor (io/ofstream) says when the stream opens and ends.  One object serves
 * all connections to the same switch, one after the other.
 *
 *                 open()             HELLO               barrier reply
 *     CLOSED ------------> HELLO ------------> SETTING UP ------------> READY
 *        ^                   |                     |                      |
 *        +-------------------+--- close() or a SWCONN_CLOSED event -------+
 *
 * One turn of the caller: swconn_rx() with what was read; swconn_next_event() until false;
 * swconn_run(); at the end one write of swconn_output().  One thread. */
#ifndef MP_OFP_SWCONN_H
#define MP_OFP_SWCONN_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/clock.h"
#include "base/stats.h"
#include "ofp/pktin.h"
#include "ofp/pktout.h"

struct ofp_header;
struct ofpbuf;

/* Bits of swconn_config.versions. */
#define SWCONN_OF10 (1u << 0x01)
#define SWCONN_OF13 (1u << 0x04)
#define SWCONN_OF14 (1u << 0x05)
#define SWCONN_OF15 (1u << 0x06)
#define SWCONN_ALL_VERSIONS (SWCONN_OF10 | SWCONN_OF13 | SWCONN_OF14 | SWCONN_OF15)

struct swconn_config {
    uint16_t controller_id;           /* swconn_controller_id(instance). */
    uint32_t versions;                /* Offered; a subset of SWCONN_ALL_VERSIONS. */
    uint32_t max_output;              /* Bytes that wait for the switch to read, else packet-outs
                                       * are dropped and counted. */
    usec_t probe_us;                  /* Silence before an echo request; twice that: dead. */
    usec_t setup_us;                  /* Patience from open to READY. */
};
void swconn_config_default(struct swconn_config *);

/* The controller id (NXT_SET_CONTROLLER_ID) of an instance (1..65535): never 0, which is what every
 * ordinary controller has, and different for different instances. */
uint16_t swconn_controller_id(uint16_t instance);

enum swconn_state { SWCONN_CLOSED_STATE, SWCONN_HELLO, SWCONN_SETTING_UP, SWCONN_IS_READY };

#define SWCONN_STATS(X)                                                                 \
    X(opened, "streams opened to the switch")                                           \
    X(ready, "times the set-up was completed")                                          \
    X(messages_in, "OpenFlow messages received")                                        \
    X(messages_out, "OpenFlow messages sent")                                           \
    X(packet_ins, "packet-ins for us")                                                  \
    X(packet_outs, "packet-outs sent")                                                  \
    X(packet_outs_dropped, "packet-outs dropped because the switch does not read")      \
    X(packet_outs_too_long, "packet-outs dropped because the frame is too long")        \
    X(packet_ins_cut, "packet-ins dropped because the switch cut the frame")            \
    X(packet_ins_foreign, "packet-ins dropped because another's flow sent them")        \
    X(malformed, "messages that could not be decoded")                                  \
    X(errors, "OpenFlow errors from the switch")                                        \
    X(echo_replies, "echo requests of the switch answered")                             \
    X(echo_dropped, "echo requests not answered because the switch does not read")      \
    X(unmonitored, "flow monitors that the switch refused")                             \
    X(probes, "echo requests sent to a silent switch")                                  \
    X(closed_version, "connections ended for want of a common version")                 \
    X(closed_framing, "connections ended by a broken byte stream")                      \
    X(closed_setup, "connections ended because the set-up failed or took too long")     \
    X(closed_silent, "connections ended because the switch fell silent")                \
    X(closed_eof, "connections ended by the switch or the socket")
STATS_DECLARE(swconn, SWCONN_STATS)

struct swconn;
struct swconn *swconn_create(const struct swconn_config *);
void swconn_destroy(struct swconn *);

/* The stream is open: starts with HELLO. */
void swconn_open(struct swconn *, usec_t now);
/* The stream ended; what was queued either way is gone.  'reason' is for show only. */
void swconn_close(struct swconn *, const char *reason);

/* Room for at least 'min' bytes to read into, '*n' the room there is; commit says how many came.  A
 * broken stream comes out as SWCONN_CLOSED from swconn_next_event(). */
uint8_t *swconn_rx_room(struct swconn *, size_t min, size_t *n);
void swconn_rx_commit(struct swconn *, size_t n, usec_t now);
void swconn_rx(struct swconn *, const void *, size_t n, usec_t now);      /* The same, copying. */

#define SWCONN_MAX_AHEAD 32
struct swconn_event {
    enum swconn_event_type {
        SWCONN_READY,                 /* Set up; versions, ports and datapath id are known. */
        SWCONN_PACKET_IN,             /* 'pktin', of a flow of ours. */
        SWCONN_MESSAGE,               /* 'oh', for flowsync_rx(). */
        SWCONN_FLOWS_CHANGED,         /* Somebody else deleted flows in our neighbourhood. */
        SWCONN_PORTS,                 /* The set of ports or a port's state changed. */
        SWCONN_CLOSED,                /* 'text' says why; the caller closes the stream. */
    } type;
    struct pktin pktin;
    /* With the first of several packet-ins in a row: these, this one included, are the next events,
     * and good until they were.  NULL with all other events. */
    const struct pktin *ahead;
    size_t n_ahead;
    const struct ofp_header *oh;      /* Aligned. */
    const char *text;
};
/* False when no whole message is left.  What the event points to is valid until the next call of
 * any function here. */
bool swconn_next_event(struct swconn *, usec_t now, struct swconn_event *);

/* Probes, patience: call once a turn, and at the deadline. */
void swconn_run(struct swconn *, usec_t now);
usec_t swconn_deadline(const struct swconn *);

/* One frame out.  False when it was dropped (counted): not ready, too long, or beyond max_output. */
bool swconn_packet_out(struct swconn *, const struct pktout *);
/* Whether the switch reads as fast as we write (under half of max_output waits): while it does not,
 * the caller leaves frames where they are. */
bool swconn_may_send(const struct swconn *);
/* Any other message; takes ownership.  Returns its xid (host order), given by swconn; 0 when there
 * is no connection. */
uint32_t swconn_send(struct swconn *, struct ofpbuf *);

/* What is to be written to the stream, and how much of it was. */
const uint8_t *swconn_output(const struct swconn *, size_t *n);
void swconn_output_sent(struct swconn *, size_t n);

enum swconn_state swconn_state(const struct swconn *);
const char *swconn_state_name(enum swconn_state);
uint8_t swconn_version(const struct swconn *);              /* 0x01...; 0 before HELLO. */
const char *swconn_version_name(const struct swconn *);     /* "1.3"; "none". */
uint64_t swconn_datapath_id(const struct swconn *);
const char *swconn_last_close(const struct swconn *);       /* Reason; "" if none yet. */
const struct swconn_stats *swconn_stats(const struct swconn *);

struct swconn_port {
    uint32_t number;                  /* Numbered as in OpenFlow 1.1 and up. */
    char name[32];
    struct mac_addr mac;
    bool down;                        /* Administratively or without link. */
};
bool swconn_find_port(const struct swconn *, const char *name, struct swconn_port *);
bool swconn_walk_ports(const struct swconn *, size_t *pos, struct swconn_port *);

#endif
