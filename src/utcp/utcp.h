/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* utcp: a passive-open TCP endpoint (RFC 9293, server side) as a pure object.
 *
 * Segments and the time go in; events and segments are pulled out.  It knows no frame, no socket,
 * no clock, no callback.  The caller verifies checksums and parses (wire/), tells how the way back
 * to a client looks ('path', opaque here), and drains events after each utcp_input() and each
 * utcp_run(), then segments once per turn: that is what makes one ACK and full segments per turn.
 * One thread. */
#ifndef MP_UTCP_UTCP_H
#define MP_UTCP_UTCP_H 1

#include "base/addr.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/mbuf.h"
#include "base/siphash.h"
#include "base/stats.h"
#include "wire/tcp.h"

/* Names a connection for its whole life; never reused for another one soon: low 32 bits slab index,
 * high 32 bits generation.  0 is none.  Every function accepts an id whose connection is gone. */
typedef uint64_t utcp_id;

/* Where segments to the client leave: set by the caller, stored per connection, refreshed by each
 * acceptable segment, handed back with each segment.  'tos' alone means something here. */
#define UTCP_PATH_SIZE 22
struct utcp_path {
    uint8_t opaque[UTCP_PATH_SIZE];
    uint8_t tos;                      /* Of the IP header: Diffserv and ECN (RFC 2474, RFC 3168). */
    uint8_t unused;
};

struct utcp_tuple {
    struct ip_addr local, remote;
    uint16_t local_port, remote_port;
};

struct utcp_config {
    uint32_t max_connections;         /* Beyond: SYNs are dropped and counted. */
    uint32_t max_half_open;           /* Beyond: stateless SYN cookies. */
    uint16_t port;                    /* Listening port; 0: any.  Others are refused with RST. */
    uint16_t mtu;                     /* Of the link, for the MSS that we announce (MUST-67). */
    uint8_t ttl;                      /* Of every segment (MUST-49). */
    uint8_t dscp;                     /* Of every segment (MUST-48), or UTCP_DSCP_MIRROR. */
    bool ecn;                         /* Negotiate ECN with who asks for it (SHLD-8, RFC 3168). */
    uint32_t rcv_wnd_max;             /* Bytes a connection may ever be offered. */
    uint32_t rcv_wnd_initial;
    uint64_t rcv_budget;              /* Bytes of receive window promised to all busy connections. */
    uint32_t snd_buf_max;             /* Bytes queued per connection above which it is not writable. */
    uint64_t memory_max;              /* Bytes queued for sending and out of order, all connections:
                                       * beyond, none may have more than an equal part. */
    usec_t rto_min_us;                /* 200 ms: deviation from RFC 6298 (2.4), as Linux. */
    uint32_t r1;                      /* Retransmissions in a row until UTCP_EV_R1, >= 3. */
    usec_t r2_us;                     /* Give-up time of retransmission, >= 100 s (RFC 9293 3.8.3). */
    usec_t syn_r2_us;
    usec_t time_wait_us;
    usec_t fin_wait_2_us;             /* Limit for a closed connection that waits for the peer's FIN. */
    usec_t keep_alive_us;             /* 0: off (MUST-25). */
    struct siphash_key key;           /* Secret: 4-tuple hash, ISN (RFC 6528), cookies. */
};
void utcp_config_default(struct utcp_config *);
#define UTCP_DSCP_MAX 63
#define UTCP_DSCP_MIRROR 64           /* That of the client's own latest segment (MAY-9). */
#define UTCP_DSCP_DEFAULT 65          /* For utcp_set_dscp(): that of the endpoint. */

enum utcp_state {
    UTCP_LISTEN, UTCP_SYN_RECEIVED, UTCP_ESTABLISHED, UTCP_FIN_WAIT_1, UTCP_FIN_WAIT_2,
    UTCP_CLOSE_WAIT, UTCP_CLOSING, UTCP_LAST_ACK, UTCP_TIME_WAIT, UTCP_CLOSED
};
const char *utcp_state_name(enum utcp_state);               /* "ESTABLISHED". */

/* What became of a segment; also the reasons for drops, each one a counter of the same name. */
#define UTCP_DROPS(X)                                                                   \
    X(no_connection, "segment for no connection, answered with RST where 3.10.7.1 says so") \
    X(bad_address, "SYN to or from a broadcast or multicast address")                   \
    X(table_full, "SYN beyond the limit of connections")                                \
    X(out_of_window, "segment not acceptable, answered with an ACK")                    \
    X(paws, "timestamp older than TS.Recent (RFC 7323 section 5)")                      \
    X(bad_ack, "ACK outside of what RFC 5961 section 5 allows")                         \
    X(bad_rst, "RST in window but not at RCV.NXT (RFC 5961 section 3): challenge ACK")  \
    X(bad_syn, "SYN in a synchronized state (RFC 5961 section 4): challenge ACK")       \
    X(no_ack, "segment without ACK in a synchronized state")                            \
    X(no_timestamp, "segment without the timestamp that was negotiated (RFC 7323 3.2)") \
    X(no_memory, "out-of-order data beyond the limits")                                 \
    X(bad_cookie, "ACK that completes no handshake")
enum utcp_verdict {
    UTCP_ACCEPTED,
#define UTCP_VERDICT_ENUM(NAME, HELP) UTCP_DROP_##NAME,
    UTCP_DROPS(UTCP_VERDICT_ENUM)
};

#define UTCP_STATS(X)                                                                   \
    UTCP_DROPS(X)                                                                       \
    X(segments_in, "segments taken")                                                    \
    X(segments_out, "segments sent")                                                    \
    X(bytes_in, "bytes of data delivered in order")                                     \
    X(bytes_out, "bytes of data sent first time")                                       \
    X(acks_out, "segments sent that carry nothing but an ACK")                          \
    X(rst_out, "RSTs sent")                                                             \
    X(retransmitted, "segments sent again")                                             \
    X(fast_retransmits, "recoveries entered by duplicate ACKs or SACK")                 \
    X(timeouts, "retransmission timer expiries")                                        \
    X(tail_probes, "tail loss probes sent")                                             \
    X(out_of_order, "segments queued out of order")                                     \
    X(duplicates, "segments that held nothing new")                                     \
    X(challenge_acks, "challenge ACKs sent (RFC 5961)")                                 \
    X(challenge_acks_limited, "challenge ACKs withheld by the rate limit")              \
    X(memory_limited, "times that a connection got no more than its part of the memory")  \
    X(turns_awaited, "times that a window waited for its turn: too many were open")     \
    X(second_segments, "windows of one segment that got a second: the first may be lost") \
    X(turns_unused, "windows opened that were not used for a while")                    \
    X(turns_asked, "keep-alive probes that ask whether the switch is idle")             \
    X(window_probes, "zero-window probes sent")                                         \
    X(replies_dropped, "RSTs, SYN-ACKs and the like not sent: too many at once")           \
    X(half_open_expired, "handshakes given up at R2")                                   \
    X(opened, "connections established")                                                \
    X(closed, "connections closed in order")                                            \
    X(aborted_by_peer, "connections ended by RST")                                      \
    X(aborted_by_us, "connections aborted by us")                                       \
    X(r1_reached, "times that nothing was acknowledged until R1 (RFC 9293 3.8.3)")      \
    X(timed_out, "connections given up at R2 or by keep-alive")                         \
    X(ecn_opened, "connections established with ECN (RFC 3168)")                        \
    X(ecn_marked, "data segments that came marked: congestion experienced")             \
    X(ecn_reductions, "windows reduced because the peer saw a mark")                    \
    X(cookies_sent, "SYN-ACKs sent without state")                                      \
    X(cookies_accepted, "connections opened by a cookie")                               \
    X(icmp_soft, "ICMP errors taken as advice")                                         \
    X(icmp_pmtu, "path MTU reductions by ICMP")                                         \
    X(icmp_ignored, "ICMP errors for no segment in flight")
STATS_DECLARE(utcp, UTCP_STATS)

struct utcp *utcp_create(const struct utcp_config *, usec_t now);
void utcp_destroy(struct utcp *);

/* Handles one segment that arrived at 'now' by 'path'.  'seg' and its bytes are borrowed until the
 * next call other than utcp_next_event(), utcp_info() and utcp_credit(): DATA events point into
 * them.  RFC 9293 section 3.10.7. */
enum utcp_verdict utcp_input(struct utcp *, const struct utcp_tuple *, const struct wire_tcp *seg,
                             const struct utcp_path *, usec_t now);

/* Advice about segments that will come soon, in steps of which each uses what the one before has
 * fetched: take one step for all of them, then the next.  At most UTCP_MAX_AHEAD at a time, before
 * the first of them comes; not worth it unless utcp_is_crowded(). */
#define UTCP_MAX_AHEAD 64
struct utcp_ahead {
    uint32_t hash, ref;
};
bool utcp_is_crowded(const struct utcp *);
void utcp_ahead_begin(struct utcp *);
void utcp_ahead_tuple(struct utcp *, const struct utcp_tuple *, struct utcp_ahead *);
void utcp_ahead_conn(const struct utcp *, struct utcp_ahead *);
uint32_t utcp_ahead_user(const struct utcp *, const struct utcp_ahead *);   /* Or 0. */
void utcp_ahead_ext(const struct utcp *, const struct utcp_ahead *);
/* The connection with this index (the low half of its id) will be sent to, or asked about. */
void utcp_ahead_index(const struct utcp *, uint32_t index);

/* An ICMP error about a segment that we sent: believed only when 'seq' is in flight (RFC 5927). */
enum utcp_icmp { UTCP_ICMP_SOFT, UTCP_ICMP_HARD, UTCP_ICMP_TOO_BIG };
void utcp_icmp(struct utcp *, const struct utcp_tuple *, uint32_t seq, enum utcp_icmp,
               uint16_t next_hop_mtu, usec_t now);

/* Does what is due.  utcp_run(u, utcp_deadline(u)) makes progress. */
void utcp_run(struct utcp *, usec_t now);
usec_t utcp_deadline(const struct utcp *);

enum utcp_event_type {
    UTCP_EV_OPEN,                     /* Handshake complete. */
    UTCP_EV_DATA,                     /* In-order bytes in 'data', valid until the next input. */
    UTCP_EV_FIN,                      /* The peer has closed its side; everything before is delivered. */
    UTCP_EV_WRITABLE,                 /* The send queue fell to half of snd_buf_max; there was no room. */
    UTCP_EV_R1,                       /* Nothing was acknowledged for config.r1 time-outs (SHLD-9). */
    UTCP_EV_CLOSED,                   /* Gone: in order, by RST, by time-out ('reason').  Last event. */
};
enum utcp_close_reason { UTCP_CLOSE_NORMAL, UTCP_CLOSE_RESET, UTCP_CLOSE_TIMEOUT, UTCP_CLOSE_ABORT };
struct utcp_event {
    enum utcp_event_type type;
    utcp_id conn;
    uint32_t user;                    /* The caller's handle, also when the connection is gone. */
    struct slice data;
    enum utcp_close_reason reason;
};
bool utcp_next_event(struct utcp *, struct utcp_event *);

/* The connection whose id has this index, or 0: until its CLOSED event was taken. */
utcp_id utcp_at(const struct utcp *, uint32_t index);
/* The caller's 32-bit handle of a connection (its client object), 0 at first. */
void utcp_set_user(struct utcp *, utcp_id, uint32_t user);
uint32_t utcp_user(const struct utcp *, utcp_id);

/* Says that 'n' bytes of delivered data have left the caller's buffers: the window may open.  Data
 * not yet credited counts against the receive window. */
void utcp_credit(struct utcp *, utcp_id, uint32_t n);

/* Appends to the send queue; segments leave at the next draining.  Both are ignored once closed. */
void utcp_send_copy(struct utcp *, utcp_id, const void *, size_t);
void utcp_send_mbuf(struct utcp *, utcp_id, struct mbuf *, uint32_t off, uint32_t len); /* Refs. */
/* How much may be appended.  0: not before the WRITABLE event, which then comes. */
uint32_t utcp_send_room(struct utcp *, utcp_id);

void utcp_close(struct utcp *, utcp_id);                    /* FIN after the queue (CLOSE call). */
void utcp_abort(struct utcp *, utcp_id);                    /* RST now (ABORT call). */

/* The Diffserv codepoint from the next segment on: of one connection, or of all that have not been
 * given their own, which a connection keeps through TIME-WAIT (MUST-48, SHLD-21). */
void utcp_set_dscp(struct utcp *, utcp_id, uint8_t dscp);   /* 0..63 or UTCP_DSCP_DEFAULT. */
void utcp_set_default_dscp(struct utcp *, uint8_t dscp);    /* 0..63 or UTCP_DSCP_MIRROR. */

struct utcp_segment {                 /* One to be sent. */
    struct utcp_tuple tuple;
    struct utcp_path path;
    struct wire_tcp tcp;              /* Payload points into the caller's buffer. */
    uint8_t tos, ttl;
};
/* Next segment that is due; its payload is written to 'buf' of 'size' bytes (>= MTU).  Call until
 * false, once per turn, after all input and all sends of the turn. */
bool utcp_next_segment(struct utcp *, usec_t now, struct utcp_segment *, uint8_t *buf, size_t size);

struct utcp_info {                    /* For show commands and tests. */
    utcp_id id;
    struct utcp_tuple tuple;
    struct utcp_path path;
    enum utcp_state state;
    uint32_t snd_queued, snd_unacked, snd_wnd, rcv_wnd, cwnd, ssthresh, mss;
    usec_t srtt_us, rto_us, last_received_at;
    uint32_t rexmits;
    uint32_t rcv_buffered;            /* Out-of-order bytes held. */
    uint8_t dscp;                     /* Of what is sent. */
    bool ecn;                         /* Negotiated. */
    bool r1;                          /* R1 is reached: see UTCP_EV_R1. */
    uint32_t user;
};
bool utcp_info(const struct utcp *, utcp_id, struct utcp_info *);
/* Walks live connections, half-open ones included: start with 0; false at the end. */
bool utcp_walk(const struct utcp *, uint32_t *pos, struct utcp_info *);
const struct utcp_stats *utcp_stats(const struct utcp *);
struct utcp_memory {
    uint32_t n_connections, n_half_open, n_time_wait;
    uint64_t bytes;                   /* Of structs. */
    uint64_t queued, out_of_order;    /* What memory_max is about. */
};
void utcp_memory(const struct utcp *, struct utcp_memory *);

#endif
