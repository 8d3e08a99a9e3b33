/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "peer/pdu.h"

#define FIRST 0xf1                    /* Type 15, version 1. */
#define WANTS_ACK 0x80

bool
peer_is_pdu(struct slice d)
{
    return d.n && d.p[0] >> 4 == FIRST >> 4;
}

bool
peer_pdu_parse(struct slice d, struct peer_pdu *pdu)
{
    struct reader r = reader_init(d.p, d.n);
    uint8_t first = reader_u8(&r), second = reader_u8(&r);

    *pdu = (struct peer_pdu) { .wants_ack = second & WANTS_ACK };
    pdu->start = pdu->abilities = reader_u16(&r);
    if (first == FIRST && (second == PEER_PDU_PROBE || second == PEER_PDU_FOUND)) {
        pdu->type = second;
        pdu->token = reader_u32(&r);
        pdu->size = second == PEER_PDU_PROBE ? d.n : reader_u32(&r);
        return !r.failed && (second == PEER_PDU_PROBE || !reader_left(&r));
    }
    pdu->epoch = reader_u32(&r);
    pdu->seq = reader_u32(&r);
    if (first == FIRST && (second & ~WANTS_ACK) == PEER_PDU_DATA) {
        pdu->type = PEER_PDU_DATA;
        pdu->base = reader_u32(&r);
        pdu->body = (struct slice) { r.p, (uint32_t) reader_left(&r) };
        return !r.failed && pdu->body.n
               && (pdu->start == PEER_PDU_NO_START || pdu->start < pdu->body.n);
    }
    if (first == FIRST && second == PEER_PDU_ACK) {
        const uint8_t *taken = reader_bytes(&r, sizeof pdu->taken);

        pdu->type = PEER_PDU_ACK;
        if (taken) {
            memcpy(pdu->taken, taken, sizeof pdu->taken);
        }
        return !r.failed && !reader_left(&r);
    }
    return false;
}

bool
peer_pdu_is_taken(const struct peer_pdu *ack, uint32_t i)
{
    return ack->taken[i / 8] >> i % 8 & 1;
}

void
peer_pdu_set_taken(struct peer_pdu *ack, uint32_t i)
{
    ack->taken[i / 8] |= (uint8_t) (1u << i % 8);
}

uint32_t
peer_pdu_write(const struct peer_pdu *pdu, uint8_t *p)
{
    static const uint8_t sizes[] = {
        [PEER_PDU_DATA] = PEER_PDU_DATA_SIZE, [PEER_PDU_ACK] = PEER_PDU_ACK_SIZE,
        [PEER_PDU_PROBE] = PEER_PDU_PROBE_SIZE, [PEER_PDU_FOUND] = PEER_PDU_FOUND_SIZE,
    };
    struct writer w = writer_init(p, sizes[pdu->type]);

    writer_u8(&w, FIRST);
    writer_u8(&w, (uint8_t) (pdu->type | (pdu->wants_ack ? WANTS_ACK : 0)));
    writer_u16(&w, pdu->type == PEER_PDU_ACK ? pdu->abilities : pdu->start);
    switch (pdu->type) {
    case PEER_PDU_DATA:
        writer_u32(&w, pdu->epoch);
        writer_u32(&w, pdu->seq);
        writer_u32(&w, pdu->base);
        break;
    case PEER_PDU_ACK:
        writer_u32(&w, pdu->epoch);
        writer_u32(&w, pdu->seq);
        writer_bytes(&w, pdu->taken, sizeof pdu->taken);
        break;
    case PEER_PDU_PROBE:
        writer_u32(&w, pdu->token);
        break;
    case PEER_PDU_FOUND:
        writer_u32(&w, pdu->token);
        writer_u32(&w, pdu->size);
        break;
    }
    return sizes[pdu->type];
}
