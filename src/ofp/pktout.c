/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ofp/pktout.h"

#include "base/cursor.h"
#include "base/mem.h"
#include "openflow/openflow.h"

/* OFPT_PACKET_OUT, the same number in all of our versions. */
#define TYPE_PACKET_OUT 13
#define NO_BUFFER 0xffffffffu

/* The port that frames of ours claim to come from.  A frame is never sent back to its in_port, and
 * clients, neighbours and owners may be at any port, LOCAL among them; CONTROLLER is none of them. */
#define IN_PORT PKTOUT_PORT_CONTROLLER

static void
put_header(struct writer *w, uint8_t version, uint32_t length, uint32_t xid)
{
    writer_u8(w, version);
    writer_u8(w, TYPE_PACKET_OUT);
    writer_u16(w, (uint16_t) length);
    writer_u32(w, xid);
    writer_u32(w, NO_BUFFER);
}

/* OpenFlow 1.0 5.3.6: in_port, actions_len; action: type, len, port, max_len.  Reserved ports are
 * the low 16 bits of the later versions' numbers. */
static void
put_of10(struct writer *w, uint32_t port)
{
    writer_u16(w, (uint16_t) IN_PORT);
    writer_u16(w, 8);
    writer_u16(w, 0);
    writer_u16(w, 8);
    writer_u16(w, (uint16_t) port);
    writer_u16(w, 0);
}

/* OFPAT_OUTPUT of OpenFlow 1.1 and up (1.3.5 7.2.5): type, len, port, max_len, pad[6]. */
static void
put_output(struct writer *w, uint32_t port)
{
    writer_u16(w, 0);
    writer_u16(w, 16);
    writer_u32(w, port);
    writer_u16(w, 0);
    writer_u16(w, 0);
    writer_u32(w, 0);
}

/* OpenFlow 1.3.5 7.3.7: in_port, actions_len, pad[6]. */
static void
put_of13(struct writer *w, uint32_t port)
{
    writer_u32(w, IN_PORT);
    writer_u16(w, 16);
    writer_u16(w, 0);
    writer_u32(w, 0);
    put_output(w, port);
}

/* OpenFlow 1.5.1 7.3.6: actions_len, pad[2], match.  The match is one OXM, in_port, padded to 16. */
static void
put_of15(struct writer *w, uint32_t port)
{
    writer_u16(w, 16);
    writer_u16(w, 0);
    writer_u16(w, 1);                 /* OFPMT_OXM */
    writer_u16(w, 12);
    writer_u32(w, 0x80000004u);       /* OXM_OF_IN_PORT */
    writer_u32(w, IN_PORT);
    writer_u32(w, 0);
    put_output(w, port);
}

size_t
pktout_encode(uint8_t *dst, uint8_t version, uint32_t xid, const struct pktout *out)
{
    uint32_t port = out->flood ? PKTOUT_PORT_FLOOD : out->port;
    size_t head = version == OFP10_VERSION ? 24 : version < OFP15_VERSION ? 40 : 48;
    struct writer w = writer_init(dst, head + out->n);

    if (out->n > PKTOUT_MAX_FRAME) {
        return 0;
    }
    put_header(&w, version, (uint32_t) (head + out->n), xid);
    if (version == OFP10_VERSION) {
        put_of10(&w, port);
    } else if (version < OFP15_VERSION) {
        put_of13(&w, port);
    } else {
        put_of15(&w, port);
    }
    writer_bytes(&w, out->frame, out->n);
    mp_assert(!w.failed && writer_size(&w) == head + out->n);
    return writer_size(&w);
}
