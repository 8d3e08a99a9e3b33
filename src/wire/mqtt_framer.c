/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Fixed headers, and the collection of control packets that arrive in pieces.  Called by the broker
 * for streams and by the peers' dialect for the header of a datagram. */
#include "wire/mqtt_framer.h"

#include "base/mem.h"
#include "wire/mqtt_prop.h"

#define FIRST_BYTES 256u              /* Of a collected packet; doubles. */
#define FIRST_PAYLOAD 16384u          /* Of a collected payload; times four. */
#define SMALL_PUBLISH 1024u           /* Collected like any other packet, payload and all. */

struct wire_mqtt_framer {
    struct wire_mqtt_frame frame;
    uint8_t header[WIRE_MQTT_MAX_FIXED];
    uint8_t n_header;
    bool has_header;
    bool is_complete;                 /* 'frame' was handed out: to be freed by the next call. */
    uint8_t *bytes;                   /* The body, or the variable header of a long PUBLISH. */
    uint32_t n_bytes, allocated;
    uint32_t need;                    /* Of 'bytes', as far as is known. */
    bool has_need;                    /* 'need' is final. */
    uint32_t n_payload;               /* Bytes of frame.payload that have arrived. */
};

struct header_rule {
    uint8_t flags;                    /* Required; ignored for PUBLISH. */
    uint32_t min, max;                /* Remaining length in 3.1.1. */
    uint32_t min5, max5;              /* In 5.0. */
};

#define ANY WIRE_MQTT_MAX_REMAINING
static const struct header_rule header_rules[16] = {
    [MQTT_CONNECT] = { 0, 10, ANY, 11, ANY },
    [MQTT_CONNACK] = { 0, 2, 2, 3, ANY },
    [MQTT_PUBLISH] = { 0, 2, ANY, 3, ANY },
    [MQTT_PUBACK] = { 0, 2, 2, 2, ANY },
    [MQTT_PUBREC] = { 0, 2, 2, 2, ANY },
    [MQTT_PUBREL] = { 2, 2, 2, 2, ANY },
    [MQTT_PUBCOMP] = { 0, 2, 2, 2, ANY },
    [MQTT_SUBSCRIBE] = { 2, 5, ANY, 3, ANY },
    [MQTT_SUBACK] = { 0, 3, ANY, 4, ANY },
    [MQTT_UNSUBSCRIBE] = { 2, 4, ANY, 3, ANY },
    [MQTT_UNSUBACK] = { 0, 2, 2, 4, ANY },
    [MQTT_PINGREQ] = { 0, 0, 0, 0, 0 },
    [MQTT_PINGRESP] = { 0, 0, 0, 0, 0 },
    [MQTT_DISCONNECT] = { 0, 0, 0, 0, ANY },
    [MQTT_AUTH] = { 0, 1, 0, 0, ANY },               /* Not in 3.1.1: nothing fits. */
};

enum wire_mqtt_result
wire_mqtt_fixed_header(struct slice in, struct wire_mqtt_frame *frame)
{
    uint32_t remaining = 0;

    for (uint32_t i = 1; i < WIRE_MQTT_MAX_FIXED; i++) {
        if (i >= in.n) {
            return WIRE_MQTT_MORE;
        }
        remaining |= (uint32_t) (in.p[i] & 0x7f) << 7 * (i - 1);
        if (!(in.p[i] & 0x80)) {
            *frame = (struct wire_mqtt_frame) {
                .type = in.p[0] >> 4,
                .flags = in.p[0] & 0xf,
                .header_size = (uint8_t) (i + 1),
                .remaining = remaining,
            };
            return WIRE_MQTT_DONE;
        }
    }
    return WIRE_MQTT_MALFORMED;
}

static bool
flags_are_valid(const struct wire_mqtt_frame *frame, uint8_t version)
{
    uint8_t required = header_rules[frame->type].flags;

    if (frame->type == MQTT_PUBLISH) {
        uint8_t qos = frame->flags >> MQTT_FLAG_QOS_SHIFT & 3;

        /* [MQTT-3.3.1-4], [MQTT-3.3.1-2]. */
        return qos < 3 && (qos || !(frame->flags & MQTT_FLAG_DUP));
    }
    if (version == MQTT_V31) {
        /* 3.1 has DUP in SUBSCRIBE, UNSUBSCRIBE and PUBREL, and leaves the other flags unused. */
        return !required || (frame->flags & 0x6) == required;
    }
    return frame->flags == required;
}

enum wire_mqtt_result
wire_mqtt_check_header(const struct wire_mqtt_frame *frame, const struct wire_mqtt_rules *rules)
{
    const struct header_rule *rule = &header_rules[frame->type];
    bool is_v5 = rules->version == MQTT_V50;

    if (!frame->type || !flags_are_valid(frame, rules->version)
        /* [MQTT-1.5.5-1]: the shortest form.  3.1.1 does not ask for it. */
        || (is_v5 && frame->header_size != 1 + wire_mqtt_varint_size(frame->remaining))
        || (frame->type == MQTT_AUTH && rules->version && !is_v5)) {
        return WIRE_MQTT_MALFORMED;
    }
    if (!(rules->allowed & 1u << frame->type)) {
        return WIRE_MQTT_PROTOCOL_ERROR;
    }
    if (frame->remaining < (is_v5 ? rule->min5 : rule->min)
        || frame->remaining > (is_v5 ? rule->max5 : rule->max)) {
        return WIRE_MQTT_MALFORMED;
    }
    return frame->remaining > rules->max_packet_size - MP_MIN(frame->header_size,
                                                              rules->max_packet_size)
           ? WIRE_MQTT_TOO_LARGE : WIRE_MQTT_DONE;
}

/* How long is the variable header of the PUBLISH whose first bytes are collected?  MORE: 'need' is
 * how many bytes it takes to know. */
static enum wire_mqtt_result
publish_need(struct wire_mqtt_framer *f, uint8_t version)
{
    const uint8_t *p = f->bytes;
    uint32_t need = 2;

    if (f->n_bytes >= 2) {
        need += (uint32_t) p[0] << 8 | p[1];
        need += f->frame.flags >> MQTT_FLAG_QOS_SHIFT & 3 ? 2 : 0;
        f->has_need = version != MQTT_V50;
    }
    if (version == MQTT_V50 && f->n_bytes >= 2) {
        uint32_t size = 0;

        for (uint32_t i = 0; i < 4 && !f->has_need; i++) {
            if (need >= f->n_bytes) {
                need++;
                break;
            }
            size |= (uint32_t) (p[need] & 0x7f) << 7 * i;
            f->has_need = !(p[need++] & 0x80);
            if (f->has_need) {
                need += size;
            } else if (i == 3) {
                return WIRE_MQTT_MALFORMED;
            }
        }
    }
    f->need = need;
    return need > f->frame.remaining ? WIRE_MQTT_MALFORMED
           : f->has_need ? WIRE_MQTT_DONE : WIRE_MQTT_MORE;
}

static void
take_bytes(struct wire_mqtt_framer *f, struct slice *in)
{
    uint32_t n = MP_MIN(in->n, f->need - f->n_bytes);

    if (f->n_bytes + n > f->allocated) {
        f->allocated = MP_MAX(MP_MAX(FIRST_BYTES, 2 * f->allocated), f->n_bytes + n);
        f->bytes = mem_realloc(f->bytes, f->allocated);
    }
    if (n) {
        memcpy(f->bytes + f->n_bytes, in->p, n);
    }
    f->n_bytes += n;
    in->p += n;
    in->n -= n;
}

/* True once the whole payload is there. */
static bool
take_payload(struct wire_mqtt_framer *f, struct slice *in)
{
    uint32_t total = f->frame.remaining - f->need;
    uint32_t n = MP_MIN(in->n, total - f->n_payload);
    uint32_t size = f->frame.payload ? f->frame.payload->size : 0;

    if (!f->frame.payload || f->n_payload + n > size) {
        struct mbuf *old = f->frame.payload;

        size = MP_MAX(MP_MAX(FIRST_PAYLOAD, size), f->n_payload + n);
        size = size > total / 4 ? total : 4 * size;
        f->frame.payload = mbuf_create(size);
        if (f->n_payload) {
            memcpy(f->frame.payload->data, old->data, f->n_payload);
        }
        mbuf_unref(old);
    }
    if (n) {
        memcpy(f->frame.payload->data + f->n_payload, in->p, n);
    }
    f->n_payload += n;
    in->p += n;
    in->n -= n;
    return f->n_payload == total;
}

/* The body, the fixed header being known. */
static enum wire_mqtt_result
collect_body(struct wire_mqtt_framer *f, struct slice *in, uint8_t version)
{
    while (!f->has_need) {
        enum wire_mqtt_result result = publish_need(f, version);

        if (result == WIRE_MQTT_MALFORMED) {
            return result;
        }
        if (result == WIRE_MQTT_MORE) {
            take_bytes(f, in);
            if (f->n_bytes < f->need) {
                return WIRE_MQTT_MORE;
            }
        }
    }
    take_bytes(f, in);
    if (f->n_bytes < f->need
        || (f->need < f->frame.remaining && !take_payload(f, in))) {
        return WIRE_MQTT_MORE;
    }
    f->frame.body = (struct slice) { f->bytes, f->n_bytes };
    f->is_complete = true;
    return WIRE_MQTT_DONE;
}

static enum wire_mqtt_result
collect_header(struct wire_mqtt_framer *f, struct slice *in, const struct wire_mqtt_rules *rules)
{
    enum wire_mqtt_result result = WIRE_MQTT_MORE;

    while (result == WIRE_MQTT_MORE && in->n) {
        f->header[f->n_header++] = *in->p++;
        in->n--;
        result = wire_mqtt_fixed_header((struct slice) { f->header, f->n_header }, &f->frame);
    }
    if (result == WIRE_MQTT_DONE) {
        result = wire_mqtt_check_header(&f->frame, rules);
    }
    if (result == WIRE_MQTT_DONE) {
        f->has_header = true;
        f->need = f->frame.remaining;
        f->has_need = f->frame.type != MQTT_PUBLISH || f->frame.remaining <= SMALL_PUBLISH;
    }
    return result;
}

enum wire_mqtt_result
wire_mqtt_framer_next(struct wire_mqtt_framer **fp, struct slice *in,
                      const struct wire_mqtt_rules *rules, struct wire_mqtt_frame *frame)
{
    enum wire_mqtt_result result;
    struct wire_mqtt_framer *f;

    if (*fp && (*fp)->is_complete) {
        wire_mqtt_framer_free(fp);
    }
    if (!*fp) {
        result = wire_mqtt_fixed_header(*in, frame);
        if (result == WIRE_MQTT_DONE) {
            result = wire_mqtt_check_header(frame, rules);
            if (result == WIRE_MQTT_DONE && in->n - frame->header_size >= frame->remaining) {
                frame->body = (struct slice) { in->p + frame->header_size, frame->remaining };
                in->p += frame->header_size + frame->remaining;
                in->n -= frame->header_size + frame->remaining;
                return WIRE_MQTT_DONE;
            }
        }
        if ((result != WIRE_MQTT_DONE && result != WIRE_MQTT_MORE) || !in->n) {
            return result;
        }
        *fp = mem_zalloc(sizeof **fp);
    }

    f = *fp;
    result = f->has_header ? WIRE_MQTT_DONE : collect_header(f, in, rules);
    if (result == WIRE_MQTT_DONE) {
        result = collect_body(f, in, rules->version);
    }
    if (result == WIRE_MQTT_DONE) {
        *frame = f->frame;
    }
    return result;
}

void
wire_mqtt_framer_free(struct wire_mqtt_framer **fp)
{
    if (*fp) {
        mbuf_unref((*fp)->frame.payload);
        mem_free((*fp)->bytes);
        mem_free(*fp);
        *fp = NULL;
    }
}

uint32_t
wire_mqtt_framer_arrived(const struct wire_mqtt_framer *f)
{
    return !f || f->is_complete ? 0 : f->n_header + f->n_bytes + f->n_payload;
}

size_t
wire_mqtt_framer_bytes(const struct wire_mqtt_framer *f)
{
    return f ? sizeof *f + f->allocated + (f->frame.payload ? f->frame.payload->size : 0) : 0;
}
