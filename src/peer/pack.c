/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "peer/pack.h"

#include <lz4.h>
#include <string.h>

#include "base/mem.h"
#include "wire/mqtt_framer.h"
#include "wire/mqtt_prop.h"

#define PACK_FIRST 0xf1               /* Of a type that MQTT 3.1.1 forbids, and not AUTH of 5.0. */
#define SIZE_SIZE 4u
#define MAX_HEADER (WIRE_MQTT_MAX_FIXED + SIZE_SIZE)
#define WORTH_PART 8u                 /* Of the bytes, that must be saved. */

struct mbuf *
pack(const uint8_t *bytes, uint32_t n)
{
    char block[LZ4_COMPRESSBOUND(PACK_MAX)];
    int max = (int) (n - n / WORTH_PART) - (int) MAX_HEADER, size = 0;

    mp_assert(n <= PACK_MAX);
    if (max > 0) {                    /* A block that would not fit is given up on the way. */
        size = LZ4_compress_default((const char *) bytes, block, (int) n, max);
    }
    if (size <= 0) {
        return NULL;
    }

    uint32_t remaining = SIZE_SIZE + (uint32_t) size;
    struct mbuf *m = mbuf_create(1 + wire_mqtt_varint_size(remaining) + remaining);
    struct writer w = writer_init(m->data, m->size);

    writer_u8(&w, PACK_FIRST);
    wire_mqtt_put_varint(&w, remaining);
    writer_u32(&w, n);
    writer_bytes(&w, block, (uint32_t) size);
    mp_assert(!w.failed && w.p == w.end);
    return m;
}

bool
pack_is_one(struct slice packet)
{
    return packet.p[0] == PACK_FIRST;
}

struct mbuf *
pack_open(struct slice packet)
{
    struct wire_mqtt_frame frame;
    struct reader r;
    struct mbuf *m;
    uint32_t size, n;

    if (wire_mqtt_fixed_header(packet, &frame) != WIRE_MQTT_DONE) {
        return NULL;
    }
    r = reader_init(packet.p + frame.header_size, frame.remaining);
    size = reader_u32(&r);
    n = (uint32_t) reader_left(&r);
    if (r.failed || !size || size > PACK_MAX) {
        return NULL;
    }
    m = mbuf_create(size);
    if (LZ4_decompress_safe((const char *) r.p, (char *) m->data, (int) n, (int) size)
        != (int) size) {
        mbuf_unref(m);
        return NULL;
    }
    return m;
}
