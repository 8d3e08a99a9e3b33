/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Ethernet II and its VLAN tags. */
#include "wire/eth.h"

#include "base/mem.h"
#include "wire/parts.h"

enum wire_error
wire_eth_parse(struct wire_eth *eth, struct slice frame)
{
    struct reader r = reader_init(frame.p, frame.n);
    const uint8_t *dst = reader_bytes(&r, sizeof eth->dst.b);
    const uint8_t *src = reader_bytes(&r, sizeof eth->src.b);

    if (!src) {
        return WIRE_ERR_cut_ethernet;
    }
    memcpy(eth->dst.b, dst, sizeof eth->dst.b);
    memcpy(eth->src.b, src, sizeof eth->src.b);
    eth->n_tags = 0;
    eth->type = reader_u16(&r);
    /* What has more tags than we keep stays a frame of type VLAN: nobody's. */
    while ((eth->type == ETH_TYPE_VLAN || eth->type == ETH_TYPE_QINQ)
           && eth->n_tags < WIRE_MAX_TAGS) {
        struct wire_tag *tag = &eth->tags[eth->n_tags++];

        tag->tpid = eth->type;
        tag->tci = reader_u16(&r);
        eth->type = reader_u16(&r);
    }
    eth->payload = (struct slice) { .p = r.p, .n = (uint32_t) reader_left(&r) };
    return r.failed ? WIRE_ERR_cut_ethernet : WIRE_OK;
}

uint8_t *
wire_eth_prepend(const struct wire_eth *eth, uint8_t *payload)
{
    mp_assert(eth->n_tags <= WIRE_MAX_TAGS);

    size_t n = 14 + 4 * (size_t) eth->n_tags;
    struct writer w = writer_init(payload - n, n);

    writer_bytes(&w, eth->dst.b, sizeof eth->dst.b);
    writer_bytes(&w, eth->src.b, sizeof eth->src.b);
    for (unsigned int i = 0; i < eth->n_tags; i++) {
        writer_u16(&w, eth->tags[i].tpid);
        writer_u16(&w, eth->tags[i].tci);
    }
    writer_u16(&w, eth->type);
    return w.start;
}
