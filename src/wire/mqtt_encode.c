/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Control packets from structs to bytes, and the names of types and reasons. */
#include "wire/mqtt_pkt.h"

const char *
wire_mqtt_type_name(uint8_t type)
{
    switch (type) {
#define TYPE_NAME(NAME, VALUE) case MQTT_##NAME: return #NAME;
    MQTT_PACKET_TYPES(TYPE_NAME)
    default: return "reserved";
    }
}

const char *
wire_mqtt_reason_text(uint8_t reason)
{
    switch (reason) {
#define REASON_TEXT(NAME, VALUE, TEXT) case VALUE: return TEXT;
    MQTT_REASONS(REASON_TEXT)
    default: return "unknown reason";
    }
}

static void
put_string(struct writer *w, struct slice s)
{
    writer_u16(w, (uint16_t) s.n);
    writer_bytes(w, s.p, s.n);
}

static void
put_header(struct writer *w, enum mqtt_packet_type type, uint8_t flags, uint32_t remaining)
{
    writer_u8(w, (uint8_t) (type << 4 | flags));
    wire_mqtt_put_varint(w, remaining);
}

void
wire_mqtt_put_connack(struct writer *w, uint8_t version, bool session_present, uint8_t code,
                      struct slice props)
{
    bool is_v5 = version == MQTT_V50;

    put_header(w, MQTT_CONNACK, 0, 2 + (is_v5 ? wire_mqtt_varint_size(props.n) + props.n : 0));
    writer_u8(w, session_present);
    writer_u8(w, code);
    if (is_v5) {
        wire_mqtt_put_varint(w, props.n);
        writer_bytes(w, props.p, props.n);
    }
}

void
wire_mqtt_put_ack(struct writer *w, enum mqtt_packet_type type, uint8_t version,
                  uint16_t packet_id, uint8_t reason)
{
    bool has_reason = version == MQTT_V50 && reason;

    put_header(w, type, type == MQTT_PUBREL ? 2 : 0, has_reason ? 3 : 2);
    writer_u16(w, packet_id);
    if (has_reason) {
        writer_u8(w, reason);
    }
}

void
wire_mqtt_put_suback(struct writer *w, enum mqtt_packet_type type, uint8_t version,
                     uint16_t packet_id, uint32_t n)
{
    bool is_v5 = version == MQTT_V50;

    put_header(w, type, 0, 2 + (is_v5 ? 1 : 0) + n);
    writer_u16(w, packet_id);
    if (is_v5) {
        writer_u8(w, 0);
    }
}

void
wire_mqtt_put_empty(struct writer *w, enum mqtt_packet_type type)
{
    put_header(w, type, 0, 0);
}

void
wire_mqtt_put_disconnect(struct writer *w, uint8_t reason)
{
    put_header(w, MQTT_DISCONNECT, 0, 2);
    writer_u8(w, reason);
    writer_u8(w, 0);
}

static uint32_t
publish_remaining(uint8_t version, const struct wire_mqtt_publish *p, uint32_t props_size)
{
    return 2 + p->topic.n + (p->qos ? 2 : 0) + p->payload.n
           + (version == MQTT_V50 ? wire_mqtt_varint_size(props_size) + props_size : 0);
}

uint32_t
wire_mqtt_publish_head_size(uint8_t version, const struct wire_mqtt_publish *p,
                            uint32_t props_size)
{
    uint32_t remaining = publish_remaining(version, p, props_size);

    return 1 + wire_mqtt_varint_size(remaining) + remaining - p->payload.n;
}

void
wire_mqtt_put_publish(struct writer *w, uint8_t version, const struct wire_mqtt_publish *p,
                      struct slice props)
{
    uint8_t flags = (uint8_t) ((p->dup ? MQTT_FLAG_DUP : 0) | p->qos << MQTT_FLAG_QOS_SHIFT
                               | (p->retain ? MQTT_FLAG_RETAIN : 0));

    put_header(w, MQTT_PUBLISH, flags, publish_remaining(version, p, props.n));
    put_string(w, p->topic);
    if (p->qos) {
        writer_u16(w, p->packet_id);
    }
    if (version == MQTT_V50) {
        wire_mqtt_put_varint(w, props.n);
        writer_bytes(w, props.p, props.n);
    }
}

void
wire_mqtt_put_subscribe(struct writer *w, uint16_t packet_id, struct slice filter, uint8_t qos)
{
    put_header(w, MQTT_SUBSCRIBE, 2, 2 + 2 + filter.n + 1);
    writer_u16(w, packet_id);
    put_string(w, filter);
    writer_u8(w, qos);
}

void
wire_mqtt_put_unsubscribe(struct writer *w, uint16_t packet_id, struct slice filter)
{
    put_header(w, MQTT_UNSUBSCRIBE, 2, 2 + 2 + filter.n);
    writer_u16(w, packet_id);
    put_string(w, filter);
}
