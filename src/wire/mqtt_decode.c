/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Control packets that a server receives, from bytes to structs of borrowed slices.  No allocation,
 * no state: a packet is either decoded whole or refused whole. */
#include "wire/mqtt_pkt.h"

#define CONNECT_RESERVED 0x01
#define CONNECT_CLEAN 0x02
#define CONNECT_WILL 0x04
#define CONNECT_WILL_QOS(FLAGS) ((FLAGS) >> 3 & 3)
#define CONNECT_WILL_RETAIN 0x20
#define CONNECT_PASSWORD 0x40
#define CONNECT_USERNAME 0x80

static bool
slice_is(struct slice s, const char *text)
{
    return s.n == strlen(text) && !memcmp(s.p, text, s.n);
}

/* A packet that must have been used up to its last byte. */
static enum wire_mqtt_result
whole(const struct reader *r)
{
    return r->failed || reader_left(r) ? WIRE_MQTT_MALFORMED : WIRE_MQTT_DONE;
}

static bool
connect_flags_are_valid(uint8_t version, uint8_t flags)
{
    bool has_will = flags & CONNECT_WILL;

    if (CONNECT_WILL_QOS(flags) == 3
        /* [MQTT-3.1.2-22]; 5.0 allows a password alone. */
        || (version != MQTT_V50 && (flags & CONNECT_PASSWORD) && !(flags & CONNECT_USERNAME))) {
        return false;
    }
    /* 3.1 leaves these bits unused; [MQTT-3.1.2-3], [MQTT-3.1.2-11], [MQTT-3.1.2-13],
     * [MQTT-3.1.2-15]. */
    return version == MQTT_V31
           || (!(flags & CONNECT_RESERVED)
               && (has_will || !(CONNECT_WILL_QOS(flags) || flags & CONNECT_WILL_RETAIN)));
}

/* Protocol name and level: the part that says what the rest looks like. */
static enum wire_mqtt_result
read_protocol(struct reader *r, struct wire_mqtt_connect *c)
{
    struct slice name = reader_counted(r);

    c->version = reader_u8(r);
    if (r->failed) {
        return WIRE_MQTT_MALFORMED;
    }
    if (slice_is(name, "MQIsdp")) {
        return c->version == MQTT_V31 ? WIRE_MQTT_DONE : WIRE_MQTT_BAD_VERSION;
    }
    if (slice_is(name, "MQTT")) {
        return c->version == MQTT_V311 || c->version == MQTT_V50
               ? WIRE_MQTT_DONE : WIRE_MQTT_BAD_VERSION;
    }
    c->version = 0;
    return WIRE_MQTT_MALFORMED;       /* [MQTT-3.1.2-1]: not our protocol at all. */
}

static enum wire_mqtt_result
read_connect_payload(struct reader *r, uint8_t flags, struct wire_mqtt_connect *c)
{
    enum wire_mqtt_result result;

    c->client_id = reader_counted(r);
    if (c->has_will) {
        if (c->version == MQTT_V50) {
            result = wire_mqtt_read_props(r, MQTT_PROPS_OF_WILL, &c->will_props);
            if (result != WIRE_MQTT_DONE) {
                return result;
            }
        }
        c->will_topic = reader_counted(r);
        c->will_payload = reader_counted(r);
    }
    /* 3.1: a flag may announce a name or password that a short remaining length then leaves out. */
    c->has_username = flags & CONNECT_USERNAME && (c->version != MQTT_V31 || reader_left(r));
    if (c->has_username) {
        c->username = reader_counted(r);
    }
    c->has_password = flags & CONNECT_PASSWORD && (c->version != MQTT_V31 || reader_left(r));
    if (c->has_password) {
        c->password = reader_counted(r);
    }
    return whole(r);
}

enum wire_mqtt_result
wire_mqtt_decode_connect(const struct wire_mqtt_frame *frame, struct wire_mqtt_connect *c)
{
    struct reader r = reader_init(frame->body.p, frame->body.n);
    enum wire_mqtt_result result;
    uint8_t flags;

    memset(c, 0, sizeof *c);
    result = read_protocol(&r, c);
    if (result != WIRE_MQTT_DONE) {
        return result;
    }
    flags = reader_u8(&r);
    c->keep_alive_s = reader_u16(&r);
    if (r.failed || !connect_flags_are_valid(c->version, flags)) {
        return WIRE_MQTT_MALFORMED;
    }
    c->clean = flags & CONNECT_CLEAN;
    c->has_will = flags & CONNECT_WILL;
    if (c->has_will) {
        c->will_qos = CONNECT_WILL_QOS(flags);
        c->will_retain = flags & CONNECT_WILL_RETAIN;
    }
    if (c->version == MQTT_V50) {
        result = wire_mqtt_read_props(&r, MQTT_CONNECT, &c->props);
        if (result != WIRE_MQTT_DONE) {
            return result;
        }
    }
    return read_connect_payload(&r, flags, c);
}

enum wire_mqtt_result
wire_mqtt_decode_publish(const struct wire_mqtt_frame *frame, uint8_t version,
                         struct wire_mqtt_publish *p)
{
    struct reader r = reader_init(frame->body.p, frame->body.n);
    enum wire_mqtt_result result = WIRE_MQTT_DONE;

    p->qos = frame->flags >> MQTT_FLAG_QOS_SHIFT & 3;
    p->retain = frame->flags & MQTT_FLAG_RETAIN;
    p->dup = frame->flags & MQTT_FLAG_DUP;
    p->topic = reader_counted(&r);
    p->packet_id = p->qos ? reader_u16(&r) : 0;
    if (r.failed) {
        return WIRE_MQTT_MALFORMED;
    }
    p->props.seen = 0;
    p->props.raw = (struct slice) { NULL, 0 };
    if (version == MQTT_V50) {
        result = wire_mqtt_read_props(&r, MQTT_PUBLISH, &p->props);
    }
    p->payload = (struct slice) { r.p, (uint32_t) reader_left(&r) };
    if (frame->payload) {
        p->payload = (struct slice) { frame->payload->data, frame->payload->size };
    }
    /* [MQTT-2.2.1-3] */
    return result == WIRE_MQTT_DONE && p->qos && !p->packet_id ? WIRE_MQTT_PROTOCOL_ERROR : result;
}

enum wire_mqtt_result
wire_mqtt_decode_ack(const struct wire_mqtt_frame *frame, uint8_t version,
                     struct wire_mqtt_ack *ack)
{
    struct reader r = reader_init(frame->body.p, frame->body.n);
    struct wire_mqtt_props props;

    ack->props = (struct slice) { NULL, 0 };
    ack->packet_id = reader_u16(&r);
    ack->reason = version == MQTT_V50 && reader_left(&r) ? reader_u8(&r) : 0;
    if (version == MQTT_V50 && reader_left(&r)) {
        enum wire_mqtt_result result = wire_mqtt_read_props(&r, frame->type, &props);

        if (result != WIRE_MQTT_DONE) {
            return result;
        }
        ack->props = props.raw;
    }
    return whole(&r) == WIRE_MQTT_DONE && !ack->packet_id ? WIRE_MQTT_PROTOCOL_ERROR : whole(&r);
}

static bool
options_are_reserved(uint8_t options, uint8_t version)
{
    /* 3.1.1 [MQTT-3.8.3-4], 5.0 [MQTT-3.8.3-5]. */
    return version == MQTT_V50 ? options & 0xc0
           : (options & MQTT_SUB_QOS) == 3 || options & 0xfc;
}

enum wire_mqtt_result
wire_mqtt_decode_subscribe(const struct wire_mqtt_frame *frame, uint8_t version,
                           struct wire_mqtt_subscribe *s)
{
    struct reader r = reader_init(frame->body.p, frame->body.n);
    bool has_options = frame->type == MQTT_SUBSCRIBE;
    enum wire_mqtt_result result = WIRE_MQTT_DONE;

    s->packet_id = reader_u16(&r);
    s->n_filters = 0;
    s->props.seen = 0;
    s->props.raw = (struct slice) { NULL, 0 };
    if (version == MQTT_V50) {
        result = wire_mqtt_read_props(&r, frame->type, &s->props);
        if (result != WIRE_MQTT_DONE) {
            return result;
        }
    }
    s->filters = (struct slice) { r.p, (uint32_t) reader_left(&r) };
    while (reader_left(&r) && !r.failed) {
        reader_counted(&r);
        if (has_options) {
            uint8_t options = reader_u8(&r);

            if (options_are_reserved(options, version)) {
                return WIRE_MQTT_MALFORMED;
            }
            /* 5.0, section 3.8.3.1. */
            if (MQTT_SUB_RETAIN_HANDLING(options) == 3 || (options & MQTT_SUB_QOS) == 3) {
                result = WIRE_MQTT_PROTOCOL_ERROR;
            }
        }
        s->n_filters++;
    }
    if (r.failed) {
        return WIRE_MQTT_MALFORMED;
    }
    /* [MQTT-3.8.3-2], [MQTT-3.10.3-2], [MQTT-2.2.1-3]. */
    return s->n_filters && s->packet_id ? result : WIRE_MQTT_PROTOCOL_ERROR;
}

bool
wire_mqtt_next_filter(struct slice *filters, struct slice *filter, uint8_t *options)
{
    struct reader r = reader_init(filters->p, filters->n);

    if (!filters->n) {
        return false;
    }
    *filter = reader_counted(&r);
    if (options) {
        *options = reader_u8(&r);
    }
    *filters = (struct slice) { r.p, (uint32_t) reader_left(&r) };
    return !r.failed;
}

enum wire_mqtt_result
wire_mqtt_decode_disconnect(const struct wire_mqtt_frame *frame, uint8_t version,
                            struct wire_mqtt_disconnect *d)
{
    struct reader r = reader_init(frame->body.p, frame->body.n);

    d->reason = 0;
    d->props.seen = 0;
    d->props.raw = (struct slice) { NULL, 0 };
    if (version == MQTT_V50 && reader_left(&r)) {
        d->reason = reader_u8(&r);
        if (reader_left(&r)) {
            enum wire_mqtt_result result = wire_mqtt_read_props(&r, frame->type, &d->props);

            if (result != WIRE_MQTT_DONE) {
                return result;
            }
        }
    }
    return whole(&r);
}
