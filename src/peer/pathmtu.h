/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* How large a packet the path to one peer carries, found out by probes as in RFC 8899 (datagram
 * packetization layer path MTU discovery).  Between switches it is often more than hosts may send,
 * and what a switch costs is by the frame.  Not what a probe looks like (pdu.h), nor what is done
 * with the answer (tell.c).  Pure: answers and the time in, sizes to be probed out.  One thread.
 *
 * Sizes are of IP packets, in bytes.  'base' is what the operator says that every path carries. */
#ifndef MP_PEER_PATHMTU_H
#define MP_PEER_PATHMTU_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct pathmtu {
    uint16_t base, max;
    uint16_t size;                    /* The path carries it, as far as we know. */
    uint16_t probed;                  /* Being looked into, or to be next. */
    uint8_t n_probes;                 /* Of it that were sent. */
    usec_t probe_at;                  /* CLOCK_NEVER: no search is under way or planned. */
};

/* Nothing is known.  'max' of at most 'base': there will be no search. */
void pathmtu_init(struct pathmtu *, uint16_t base, uint16_t max);
/* The peer answers: the search begins, unless there is one.  */
void pathmtu_begin(struct pathmtu *, usec_t now);
usec_t pathmtu_deadline(const struct pathmtu *);
/* At the deadline.  The size of the probe that is to leave now; 0: none, a search is over. */
uint16_t pathmtu_next_probe(struct pathmtu *, usec_t now);
/* A probe of 'size' was answered. */
void pathmtu_answered(struct pathmtu *, uint16_t size, usec_t now);
/* Nothing is answered any more, or nothing large: perhaps because it is too large.  Back to the base,
 * until pathmtu_begin(). */
void pathmtu_black_hole(struct pathmtu *);

#endif
