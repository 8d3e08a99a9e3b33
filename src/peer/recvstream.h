/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The receiving side of the reliable dialect from one peer: puts DATA datagrams in order, cuts their
 * bodies into control packets, says when an ACK is due and what it says.  Not what the control
 * packets mean.  Pure: datagrams and the time in, control packets and ACKs out.  One thread.
 *
 *       next                end
 *     ----+------------------+-------> seq
 *    read |  in order, to be |  some early ones,
 *         |       read       |  some missing        (STREAM_MAX_OUT from 'next' on) */
#ifndef MP_PEER_RECVSTREAM_H
#define MP_PEER_RECVSTREAM_H 1

#include "base/clock.h"
#include "base/mbuf.h"
#include "peer/pdu.h"

struct recvstream;
/* 'max_packet': largest control packet, in bytes, that is put together from several bodies. */
struct recvstream *recvstream_create(uint32_t max_packet);
void recvstream_destroy(struct recvstream *);       /* Accepts NULL. */

enum recvstream_verdict {
    RECVSTREAM_NEW,                   /* In order: see recvstream_next_bytes(). */
    RECVSTREAM_EARLY,                 /* Kept until what is before it has come. */
    RECVSTREAM_DUPLICATE,
    RECVSTREAM_TOO_EARLY,             /* Beyond what is kept: dropped. */
    RECVSTREAM_STALE,                 /* Of an epoch that is over: dropped. */
    RECVSTREAM_BUSY,                  /* It ends what is not read yet: dropped, to come again. */
};
struct recvstream_result {
    enum recvstream_verdict verdict;
    uint32_t n_skipped;               /* Datagrams that the sender gave up and that had not come. */
};
/* A DATA datagram. */
struct recvstream_result recvstream_input(struct recvstream *, const struct peer_pdu *, usec_t now);

/* The bytes that are next in order, from the beginning of a control packet on: one and perhaps
 * more, and perhaps a part of another.  'hold' is what they are in (borrowed; reference it to keep
 * them).  False: nothing more. */
bool recvstream_next_bytes(struct recvstream *, struct slice *, struct mbuf **hold);
/* Of the last bytes, the first 'n' were whole control packets and are done with. */
void recvstream_take(struct recvstream *, uint32_t n);
/* All of the last bytes are the beginning of one that goes on in the next body. */
void recvstream_put_aside(struct recvstream *);
/* Whether there is something to be read. */
bool recvstream_has_bytes(const struct recvstream *);
/* Control packets that were skipped, up to the next body in which one begins, because they were too
 * large or none, since the last call. */
uint32_t recvstream_n_too_large(struct recvstream *);

/* When an ACK is due; CLOCK_NEVER: nothing came since the last. */
usec_t recvstream_ack_at(const struct recvstream *);
/* The ACK, which says that this side has 'abilities' (pdu.h); the caller owns it. */
struct mbuf *recvstream_build_ack(struct recvstream *, uint16_t abilities);

#endif
