/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of MQTT 3.1, 3.1.1 and 5.0: control packet types, return and reason codes,
 * protocol levels.  Tables only; bytes are parsed in mqtt_framer.h and mqtt_pkt.h.  Any thread. */
#ifndef MP_WIRE_MQTT_TYPES_H
#define MP_WIRE_MQTT_TYPES_H 1

#include <stdint.h>

/* MQTT 5.0 section 2.1.2. */
#define MQTT_PACKET_TYPES(X)                                            \
    X(CONNECT, 1)                                                       \
    X(CONNACK, 2)                                                       \
    X(PUBLISH, 3)                                                       \
    X(PUBACK, 4)                                                        \
    X(PUBREC, 5)                                                        \
    X(PUBREL, 6)                                                        \
    X(PUBCOMP, 7)                                                       \
    X(SUBSCRIBE, 8)                                                     \
    X(SUBACK, 9)                                                        \
    X(UNSUBSCRIBE, 10)                                                  \
    X(UNSUBACK, 11)                                                     \
    X(PINGREQ, 12)                                                      \
    X(PINGRESP, 13)                                                     \
    X(DISCONNECT, 14)                                                   \
    X(AUTH, 15)
enum mqtt_packet_type {
#define MQTT_PACKET_TYPE_ENUM(NAME, VALUE) MQTT_##NAME = VALUE,
    MQTT_PACKET_TYPES(MQTT_PACKET_TYPE_ENUM)
};
const char *wire_mqtt_type_name(uint8_t type);      /* "CONNECT"; "reserved" for 0. */

enum mqtt_version { MQTT_V31 = 3, MQTT_V311 = 4, MQTT_V50 = 5 };

/* Flags of a PUBLISH's fixed header. */
#define MQTT_FLAG_RETAIN 0x01
#define MQTT_FLAG_QOS_SHIFT 1
#define MQTT_FLAG_DUP 0x08

/* CONNACK return codes of 3.1 and 3.1.1 (3.1.1 table 3.1). */
enum mqtt_return_code {
    MQTT_RETURN_ACCEPTED = 0,
    MQTT_RETURN_BAD_VERSION = 1,
    MQTT_RETURN_BAD_CLIENT_ID = 2,
    MQTT_RETURN_UNAVAILABLE = 3,
    MQTT_RETURN_BAD_CREDENTIALS = 4,
    MQTT_RETURN_NOT_AUTHORIZED = 5,
};
#define MQTT_SUBACK_FAILURE 0x80

/* Reason codes of 5.0 (section 2.4): name, value, text for people. */
#define MQTT_REASONS(X)                                                 \
    X(SUCCESS, 0x00, "success")                                         \
    X(DISCONNECT_WITH_WILL, 0x04, "disconnect with Will message")       \
    X(NO_MATCHING_SUBSCRIBERS, 0x10, "no matching subscribers")         \
    X(NO_SUBSCRIPTION_EXISTED, 0x11, "no subscription existed")         \
    X(CONTINUE_AUTHENTICATION, 0x18, "continue authentication")         \
    X(RE_AUTHENTICATE, 0x19, "re-authenticate")                         \
    X(UNSPECIFIED, 0x80, "unspecified error")                           \
    X(MALFORMED, 0x81, "malformed packet")                              \
    X(PROTOCOL_ERROR, 0x82, "protocol error")                           \
    X(IMPLEMENTATION, 0x83, "implementation specific error")            \
    X(BAD_VERSION, 0x84, "unsupported protocol version")                \
    X(BAD_CLIENT_ID, 0x85, "client identifier not valid")               \
    X(BAD_CREDENTIALS, 0x86, "bad user name or password")               \
    X(NOT_AUTHORIZED, 0x87, "not authorized")                           \
    X(UNAVAILABLE, 0x88, "server unavailable")                          \
    X(BUSY, 0x89, "server busy")                                        \
    X(BANNED, 0x8a, "banned")                                           \
    X(SHUTTING_DOWN, 0x8b, "server shutting down")                      \
    X(BAD_AUTHENTICATION_METHOD, 0x8c, "bad authentication method")     \
    X(KEEP_ALIVE_TIMEOUT, 0x8d, "keep alive timeout")                   \
    X(TAKEN_OVER, 0x8e, "session taken over")                           \
    X(BAD_FILTER, 0x8f, "Topic Filter invalid")                         \
    X(BAD_TOPIC, 0x90, "Topic Name invalid")                            \
    X(PACKET_ID_IN_USE, 0x91, "packet identifier in use")               \
    X(PACKET_ID_NOT_FOUND, 0x92, "packet identifier not found")         \
    X(RECEIVE_MAXIMUM_EXCEEDED, 0x93, "receive maximum exceeded")       \
    X(BAD_TOPIC_ALIAS, 0x94, "topic alias invalid")                     \
    X(PACKET_TOO_LARGE, 0x95, "packet too large")                       \
    X(RATE_TOO_HIGH, 0x96, "message rate too high")                     \
    X(QUOTA_EXCEEDED, 0x97, "quota exceeded")                           \
    X(ADMINISTRATIVE, 0x98, "administrative action")                    \
    X(BAD_PAYLOAD_FORMAT, 0x99, "payload format invalid")               \
    X(NO_RETAIN, 0x9a, "retain not supported")                          \
    X(NO_QOS, 0x9b, "QoS not supported")                                \
    X(USE_ANOTHER_SERVER, 0x9c, "use another server")                   \
    X(SERVER_MOVED, 0x9d, "server moved")                               \
    X(NO_SHARED, 0x9e, "shared subscriptions not supported")            \
    X(CONNECTION_RATE, 0x9f, "connection rate exceeded")                \
    X(MAXIMUM_CONNECT_TIME, 0xa0, "maximum connect time")               \
    X(NO_SUBSCRIPTION_IDS, 0xa1, "subscription identifiers not supported") \
    X(NO_WILDCARDS, 0xa2, "wildcard subscriptions not supported")
enum mqtt_reason {
#define MQTT_REASON_ENUM(NAME, VALUE, TEXT) MQTT_REASON_##NAME = VALUE,
    MQTT_REASONS(MQTT_REASON_ENUM)
};
const char *wire_mqtt_reason_text(uint8_t reason);  /* "unknown reason" for no such. */

/* How parsing ended: done, more bytes needed, or what is wrong. */
enum wire_mqtt_result {
    WIRE_MQTT_DONE,
    WIRE_MQTT_MORE,                   /* A prefix of a control packet: come back with more. */
    WIRE_MQTT_MALFORMED,
    WIRE_MQTT_PROTOCOL_ERROR,         /* Well-formed, and not allowed. */
    WIRE_MQTT_TOO_LARGE,
    WIRE_MQTT_BAD_VERSION,            /* A CONNECT of a protocol level that nobody knows. */
};

#endif
