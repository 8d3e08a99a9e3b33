/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The reference client: a small active-open TCP of its own, which shares nothing with src/utcp but
 * the header parser.  It is plain where an endpoint would be clever: an octet of either stream is
 * an element of an array.  Sends and receives a given number of octets of a known pattern, checks
 * them, closes.  Not fast, not complete (no ICMP, no keep-alive); right. */
#ifndef MP_TESTS_SIM_CLIENT_H
#define MP_TESTS_SIM_CLIENT_H 1

#include "base/clock.h"
#include "base/prng.h"
#include "wire/tcp.h"

struct simclient_config {
    uint32_t isn;
    uint16_t port;
    uint16_t mss;
    bool timestamps, sack, nagle, delayed_acks, ecn;
    int wscale;                       /* -1: not offered. */
    uint32_t n_tx, n_rx;              /* Octets to send and to expect. */
    uint32_t message;                 /* The application writes so many at a time... */
    usec_t message_every_us;          /* ...so often. */
    uint32_t rcv_buf;
    uint32_t read_size;               /* The application reads so many at a time... */
    usec_t read_every_us;             /* ...so often; 0: at once. */
    bool closes_first;                /* Closes when all is sent, else after the server's FIN. */
    uint32_t pattern;                 /* Of this connection's octets. */
};

enum simclient_state { SIMCLIENT_SYN_SENT, SIMCLIENT_OPEN, SIMCLIENT_DONE, SIMCLIENT_RESET };

struct simclient {
    struct simclient_config cfg;
    enum simclient_state state;
    struct prng prng;
    uint32_t iss_peer;                /* Its sequence numbers start here. */
    /* Sending; positions in the stream, the FIN's is n_tx. */
    uint32_t written, una, nxt, max_sent;
    uint8_t *sacked;                  /* Per octet. */
    uint32_t wnd, max_wnd, cwnd, ssthresh, dupacks, recover, rexmit_at;
    bool in_recovery, fin_acked;
    usec_t rto_us, rto_at, srtt_us, rttvar_us, timed_at, write_at;
    uint32_t timed_seq;
    unsigned int backoff;
    uint8_t peer_wscale;
    uint16_t peer_mss;
    bool ts_ok, sack_ok, ws_ok, ecn_ok;
    bool ece_owed, cwr_owed;
    /* Receiving; positions in the stream, the FIN's is n_rx. */
    uint8_t *got;
    uint32_t rcv_nxt, read, adv;
    bool fin_seen, ack_now;
    unsigned int ack_owed;
    usec_t ack_at, read_at;
    uint32_t ts_recent, last_ack_sent;
    uint32_t recent[3];               /* Positions lately received out of order. */
    /* What went wrong, NULL: nothing. */
    const char *error;
    usec_t progress_at;               /* When something last moved. */
    uint64_t n_segments_out, n_segments_in;
};

uint8_t simclient_octet(uint32_t pattern, bool from_server, uint32_t pos);
void simclient_init(struct simclient *, const struct simclient_config *, usec_t now);
void simclient_uninit(struct simclient *);
void simclient_input(struct simclient *, const struct wire_tcp *, usec_t now);
void simclient_marked(struct simclient *);          /* What came last was marked: CE. */
void simclient_run(struct simclient *, usec_t now);
usec_t simclient_deadline(const struct simclient *);
/* The next segment, its payload in 'buf' of 65536 bytes. */
bool simclient_next(struct simclient *, usec_t now, struct wire_tcp *, uint8_t *buf);

#endif
