/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The sending side of the reliable dialect to one peer: numbers of DATA datagrams, how many may be
 * under way, which were lost, when to send them again.  Not what is in them: fill.c fills them.
 * Pure: ACKs and the time in, datagrams out.  One thread.
 *
 *        una                    nxt
 *     ----+----------------------+-------> seq
 *    done |  under way, at most  |  not
 *    with |  STREAM_MAX_OUT      |  sent
 *
 * What is under way is measured by the memory that it takes where it queues: a switch's packet
 * socket has 212,992 bytes, of which a small datagram takes 768, a full one 2,304 and one of 9,000
 * bytes 13,120, and what does not fit is lost silently.  Slow start and halving, as in RFC 5681,
 * find out what a path takes. */
#ifndef MP_PEER_SENDSTREAM_H
#define MP_PEER_SENDSTREAM_H 1

#include "base/clock.h"
#include "base/mbuf.h"
#include "peer/pdu.h"

#define STREAM_MAX_OUT 256            /* Datagrams under way; what a receiver keeps out of order. */

struct sendstream;
struct sendstream *sendstream_create(uint32_t epoch);
void sendstream_destroy(struct sendstream *);       /* Accepts NULL. */

/* The largest body that datagrams will have from now on. */
void sendstream_set_largest(struct sendstream *, uint32_t size);
/* Whether a new datagram with a body of 'size' bytes may leave now. */
bool sendstream_may_send(const struct sendstream *, uint32_t size);
/* 'datagram' is about to leave: writes its header, for which PEER_PDU_DATA_SIZE bytes are left at its
 * beginning, and keeps a reference.  'pdu' says 'start' and 'wants_ack'. */
void sendstream_send(struct sendstream *, struct mbuf *datagram, const struct peer_pdu *, usec_t now);
/* The next one that is to be sent again, owned by the caller, or NULL. */
struct mbuf *sendstream_send_again(struct sendstream *, usec_t now);
bool sendstream_has_lost(const struct sendstream *);        /* And may send it. */

enum sendstream_ack_verdict {
    SENDSTREAM_ACK_NEWS,              /* Something was taken that had not been. */
    SENDSTREAM_ACK_OLD,               /* Nothing was. */
    SENDSTREAM_ACK_FOREIGN,           /* Of another epoch, or of what was never sent. */
};
enum sendstream_ack_verdict sendstream_ack(struct sendstream *, const struct peer_pdu *, usec_t now);

void sendstream_run(struct sendstream *, usec_t now);       /* Retransmission time-out. */
usec_t sendstream_deadline(const struct sendstream *);
/* Whether it seems that datagrams of more than 'size' bytes do not arrive: nothing does any more, or
 * the one that the peer waits for, and that was lost twice, is one. */
bool sendstream_is_stuck(const struct sendstream *, uint32_t size);

/* Since when the peer has taken nothing of what is under way; CLOCK_NEVER: nothing is. */
usec_t sendstream_silent_since(const struct sendstream *);
/* Gives up what is under way, and what the last one began.  The peer, which may have taken all, skips a
 * number that is never sent: what follows does not go on where that ended.  Returns how many datagrams
 * were under way. */
uint32_t sendstream_abandon(struct sendstream *);

struct sendstream_info {
    uint32_t n_out;                   /* Datagrams under way. */
    uint32_t window, out;             /* Bytes of memory: allowed, taken. */
    usec_t srtt_us;
    uint64_t n_sent_again;
};
void sendstream_info(const struct sendstream *, struct sendstream_info *);

#endif
