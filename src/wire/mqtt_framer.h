/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Cuts a byte stream into MQTT control packets.  A packet that lies whole in the input is handed
 * out in place, without a copy; of one that does not, the bytes are collected, and the payload of
 * a long PUBLISH goes straight into the mbuf that its subscribers will share.  Memory exists only
 * while a packet is incomplete, and grows with what has arrived, not with what was announced.
 * It knows fixed headers and nothing of what the packets mean (mqtt_pkt.h).  One thread. */
#ifndef MP_WIRE_MQTT_FRAMER_H
#define MP_WIRE_MQTT_FRAMER_H 1

#include <stdbool.h>
#include "base/cursor.h"
#include "base/mbuf.h"
#include "wire/mqtt_types.h"

#define WIRE_MQTT_MAX_FIXED 5         /* Type and flags, at most 4 bytes of remaining length. */
#define WIRE_MQTT_MAX_REMAINING 268435455u

struct wire_mqtt_frame {              /* One whole control packet, borrowed. */
    uint8_t type, flags;
    uint8_t header_size;              /* Bytes of the fixed header. */
    uint32_t remaining;               /* Bytes after it. */
    struct slice body;                /* These; without the payload if that is in 'payload'. */
    struct mbuf *payload;             /* Of a PUBLISH that was collected; else NULL. */
};

struct wire_mqtt_rules {
    uint32_t max_packet_size;         /* Fixed header included; checked before storing anything. */
    uint16_t allowed;                 /* Bit 1 << type: what may come now. */
    uint8_t version;                  /* enum mqtt_version; 0: not known yet. */
};

/* Reads a fixed header: type, flags, header_size, remaining.  Not more than that. */
enum wire_mqtt_result wire_mqtt_fixed_header(struct slice, struct wire_mqtt_frame *);

/* Are type, flags and remaining length possible?  [MQTT-2.1.3-1] */
enum wire_mqtt_result wire_mqtt_check_header(const struct wire_mqtt_frame *,
                                             const struct wire_mqtt_rules *);

struct wire_mqtt_framer;              /* NULL between control packets. */

/* Takes bytes off '*in' up to the end of one control packet.  DONE: 'frame' holds it until the next
 * call.  MORE: '*in' is used up.  Everything else ends the stream. */
enum wire_mqtt_result wire_mqtt_framer_next(struct wire_mqtt_framer **, struct slice *in,
                                            const struct wire_mqtt_rules *,
                                            struct wire_mqtt_frame *);
void wire_mqtt_framer_free(struct wire_mqtt_framer **);
size_t wire_mqtt_framer_bytes(const struct wire_mqtt_framer *);     /* Memory held. */
/* Bytes that have come of a control packet that is not complete yet, its fixed header included. */
uint32_t wire_mqtt_framer_arrived(const struct wire_mqtt_framer *);

#endif
