/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The datagrams of the reliable dialect, byte by byte.  Stateless; numbers in network order:
 *
 *     DATA   f1  01 | 80: answer at once    start:16    epoch:32    seq:32    base:32    body
 *     ACK    f1  02    abilities:16    epoch:32    seq:32    taken:128
 *     PROBE  f1  03    0:16    token:32    padding
 *     FOUND  f1  04    0:16    token:32    size:32
 *
 * The bodies of the DATA of an epoch, in the order of 'seq', are one stream of PUBLISH control
 * packets, and of packs of them (pack.h) for a peer whose ACKs say that it can open those; 'start' is
 * where in this body the first begins.  All before 'base' is done with.  An ACK gives 'epoch' back; all
 * before its 'seq' was taken, and of those after it the ones whose bit is set, the lowest first.  The
 * first byte has the control packet type 15, which MQTT 3.1.1 forbids, and the version 1: no datagram
 * of the prototype's begins so.
 *
 * A PROBE asks whether so large a datagram arrives; FOUND gives 'token' back and says how large it
 * was, in bytes of UDP payload.  Who does not know them does not answer. */
#ifndef MP_PEER_PDU_H
#define MP_PEER_PDU_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"

enum peer_pdu_type {
    PEER_PDU_DATA = 1, PEER_PDU_ACK = 2, PEER_PDU_PROBE = 3, PEER_PDU_FOUND = 4,
};

#define PEER_PDU_DATA_SIZE 16         /* Without the body. */
#define PEER_PDU_ACK_SIZE 28
#define PEER_PDU_PROBE_SIZE 8         /* Without the padding. */
#define PEER_PDU_FOUND_SIZE 12
#define PEER_PDU_NO_START UINT16_MAX  /* No control packet begins in this body. */
#define PEER_PDU_TAKEN 128            /* Bits. */
#define PEER_PDU_UNPACKS 1u           /* Ability. */

struct peer_pdu {
    enum peer_pdu_type type;
    bool wants_ack;                   /* DATA: answer at once. */
    uint16_t start;                   /* DATA. */
    uint16_t abilities;               /* ACK: PEER_PDU_UNPACKS; others are ignored. */
    uint32_t epoch, seq;              /* DATA, ACK. */
    uint32_t base;                    /* DATA. */
    uint32_t token;                   /* PROBE, FOUND. */
    uint32_t size;                    /* PROBE, FOUND: of the PROBE. */
    uint8_t taken[PEER_PDU_TAKEN / 8];        /* ACK. */
    struct slice body;                /* DATA: borrows from the datagram, never empty. */
};

/* Whether a datagram is of this dialect, in whatever version. */
bool peer_is_pdu(struct slice);
/* False: malformed, or of another version. */
bool peer_pdu_parse(struct slice, struct peer_pdu *);
/* Whether an ACK says so of the datagram 'i' after the one that is missing; saying so. */
bool peer_pdu_is_taken(const struct peer_pdu *, uint32_t i);
void peer_pdu_set_taken(struct peer_pdu *, uint32_t i);
/* Writes the header, which is all of an ACK and of a FOUND, to PEER_PDU_..._SIZE bytes; returns how
 * many. */
uint32_t peer_pdu_write(const struct peer_pdu *, uint8_t *);

#endif
