/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Properties of MQTT 5.0 (section 2.2.2) from one table: identifier, type, in which packets, once
 * or many times.  Parsing gives borrowed slices and numbers; writing appends.  Strings are not
 * checked for UTF-8 here (topic/topic.h does that).  Any thread. */
#ifndef MP_WIRE_MQTT_PROP_H
#define MP_WIRE_MQTT_PROP_H 1

#include <stdbool.h>
#include "base/cursor.h"
#include "wire/mqtt_types.h"

enum mqtt_prop_type {
    MQTT_PROP_BYTE, MQTT_PROP_U16, MQTT_PROP_U32, MQTT_PROP_VARINT, MQTT_PROP_STRING,
    MQTT_PROP_BINARY, MQTT_PROP_PAIR
};

/* Whose properties: packet types, and those of a Will. */
#define MQTT_PROPS_OF_WILL 0
#define MQTT_IN(TYPE) (1u << MQTT_##TYPE)
#define MQTT_IN_WILL (1u << MQTT_PROPS_OF_WILL)
#define MQTT_IN_ACKS (MQTT_IN(PUBACK) | MQTT_IN(PUBREC) | MQTT_IN(PUBREL) | MQTT_IN(PUBCOMP)    \
                      | MQTT_IN(SUBACK) | MQTT_IN(UNSUBACK))

/* Name, identifier, type, where, least and greatest number. */
#define MQTT_PROPS(X)                                                                           \
    X(PAYLOAD_FORMAT, 0x01, BYTE, MQTT_IN(PUBLISH) | MQTT_IN_WILL, 0, 1)                        \
    X(MESSAGE_EXPIRY, 0x02, U32, MQTT_IN(PUBLISH) | MQTT_IN_WILL, 0, UINT32_MAX)                \
    X(CONTENT_TYPE, 0x03, STRING, MQTT_IN(PUBLISH) | MQTT_IN_WILL, 0, 0)                        \
    X(RESPONSE_TOPIC, 0x08, STRING, MQTT_IN(PUBLISH) | MQTT_IN_WILL, 0, 0)                      \
    X(CORRELATION_DATA, 0x09, BINARY, MQTT_IN(PUBLISH) | MQTT_IN_WILL, 0, 0)                    \
    X(SUBSCRIPTION_ID, 0x0b, VARINT, MQTT_IN(PUBLISH) | MQTT_IN(SUBSCRIBE), 1, UINT32_MAX)      \
    X(SESSION_EXPIRY, 0x11, U32, MQTT_IN(CONNECT) | MQTT_IN(CONNACK) | MQTT_IN(DISCONNECT), 0,  \
      UINT32_MAX)                                                                               \
    X(ASSIGNED_CLIENT_ID, 0x12, STRING, MQTT_IN(CONNACK), 0, 0)                                 \
    X(SERVER_KEEP_ALIVE, 0x13, U16, MQTT_IN(CONNACK), 0, UINT16_MAX)                            \
    X(AUTHENTICATION_METHOD, 0x15, STRING, MQTT_IN(CONNECT) | MQTT_IN(CONNACK) | MQTT_IN(AUTH), \
      0, 0)                                                                                     \
    X(AUTHENTICATION_DATA, 0x16, BINARY, MQTT_IN(CONNECT) | MQTT_IN(CONNACK) | MQTT_IN(AUTH),   \
      0, 0)                                                                                     \
    X(REQUEST_PROBLEM_INFO, 0x17, BYTE, MQTT_IN(CONNECT), 0, 1)                                 \
    X(WILL_DELAY, 0x18, U32, MQTT_IN_WILL, 0, UINT32_MAX)                                       \
    X(REQUEST_RESPONSE_INFO, 0x19, BYTE, MQTT_IN(CONNECT), 0, 1)                                \
    X(RESPONSE_INFO, 0x1a, STRING, MQTT_IN(CONNACK), 0, 0)                                      \
    X(SERVER_REFERENCE, 0x1c, STRING, MQTT_IN(CONNACK) | MQTT_IN(DISCONNECT), 0, 0)             \
    X(REASON_STRING, 0x1f, STRING, MQTT_IN(CONNACK) | MQTT_IN_ACKS | MQTT_IN(DISCONNECT)        \
      | MQTT_IN(AUTH), 0, 0)                                                                    \
    X(RECEIVE_MAXIMUM, 0x21, U16, MQTT_IN(CONNECT) | MQTT_IN(CONNACK), 1, UINT16_MAX)           \
    X(TOPIC_ALIAS_MAXIMUM, 0x22, U16, MQTT_IN(CONNECT) | MQTT_IN(CONNACK), 0, UINT16_MAX)       \
    X(TOPIC_ALIAS, 0x23, U16, MQTT_IN(PUBLISH), 0, UINT16_MAX)                                  \
    X(MAXIMUM_QOS, 0x24, BYTE, MQTT_IN(CONNACK), 0, 1)                                          \
    X(RETAIN_AVAILABLE, 0x25, BYTE, MQTT_IN(CONNACK), 0, 1)                                     \
    X(USER_PROPERTY, 0x26, PAIR, 0xffff, 0, 0)                                                  \
    X(MAXIMUM_PACKET_SIZE, 0x27, U32, MQTT_IN(CONNECT) | MQTT_IN(CONNACK), 1, UINT32_MAX)       \
    X(WILDCARD_AVAILABLE, 0x28, BYTE, MQTT_IN(CONNACK), 0, 1)                                   \
    X(SUBSCRIPTION_ID_AVAILABLE, 0x29, BYTE, MQTT_IN(CONNACK), 0, 1)                            \
    X(SHARED_AVAILABLE, 0x2a, BYTE, MQTT_IN(CONNACK), 0, 1)

enum mqtt_prop {                      /* Dense, for arrays. */
#define MQTT_PROP_ENUM(NAME, ID, TYPE, WHERE, MIN, MAX) MQTT_PROP_##NAME,
    MQTT_PROPS(MQTT_PROP_ENUM)
    MQTT_N_PROPS
};

struct wire_mqtt_prop {
    enum mqtt_prop which;
    enum mqtt_prop_type type;
    uint32_t number;
    struct slice value;               /* STRING, BINARY; the name of a PAIR. */
    struct slice pair_value;
    struct slice raw;                 /* Identifier and all, as it was on the wire. */
};

struct wire_mqtt_props {              /* A whole property list that was found good. */
    uint32_t seen;                    /* Bits 1 << enum mqtt_prop. */
    struct slice raw;                 /* Without the length. */
    uint32_t number[MQTT_N_PROPS];    /* Valid if seen; the last one of many. */
    struct slice value[MQTT_N_PROPS];
};

static inline bool
wire_mqtt_has_prop(const struct wire_mqtt_props *props, enum mqtt_prop which)
{
    return props->seen >> which & 1;
}

/* The number, or 'otherwise' when the property is not there. */
static inline uint32_t
wire_mqtt_prop_number(const struct wire_mqtt_props *props, enum mqtt_prop which,
                      uint32_t otherwise)
{
    return wire_mqtt_has_prop(props, which) ? props->number[which] : otherwise;
}

/* Reads length and properties; 'of' is a packet type or MQTT_PROPS_OF_WILL. */
enum wire_mqtt_result wire_mqtt_read_props(struct reader *, uint8_t of, struct wire_mqtt_props *);

/* Takes one property off a list that was found good; false at its end. */
bool wire_mqtt_next_prop(struct slice *raw, struct wire_mqtt_prop *);

/* Variable byte integers, section 1.5.5.  Reading fails the reader on a malformed one. */
uint32_t wire_mqtt_read_varint(struct reader *);
void wire_mqtt_put_varint(struct writer *, uint32_t);
uint32_t wire_mqtt_varint_size(uint32_t);

void wire_mqtt_put_number_prop(struct writer *, enum mqtt_prop, uint32_t);
void wire_mqtt_put_string_prop(struct writer *, enum mqtt_prop, struct slice);

#endif
