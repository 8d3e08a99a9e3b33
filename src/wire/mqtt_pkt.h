/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* MQTT control packets as structs of borrowed slices.  Decoding reads a whole packet, allocates
 * nothing and has no effect; encoding appends to a writer.  UTF-8 and topics are not judged here
 * (topic/topic.h).  Any thread. */
#ifndef MP_WIRE_MQTT_PKT_H
#define MP_WIRE_MQTT_PKT_H 1

#include "wire/mqtt_framer.h"
#include "wire/mqtt_prop.h"

struct wire_mqtt_connect {
    uint8_t version;                  /* The protocol level, also with WIRE_MQTT_BAD_VERSION. */
    bool clean;
    bool has_will, will_retain;
    uint8_t will_qos;
    bool has_username, has_password;
    uint16_t keep_alive_s;
    struct slice client_id, will_topic, will_payload, username, password;
    struct wire_mqtt_props props, will_props;       /* Empty before 5.0. */
};

struct wire_mqtt_publish {
    uint8_t qos;
    bool retain, dup;
    uint16_t packet_id;               /* 0 with QoS 0. */
    struct slice topic, payload;
    struct wire_mqtt_props props;
};

struct wire_mqtt_ack {                /* PUBACK, PUBREC, PUBREL, PUBCOMP. */
    uint16_t packet_id;
    uint8_t reason;
    struct slice props;               /* Of 5.0, found good but for its strings. */
};

struct wire_mqtt_subscribe {          /* SUBSCRIBE and UNSUBSCRIBE. */
    uint16_t packet_id;
    uint32_t n_filters;
    struct slice filters;             /* For wire_mqtt_next_filter(). */
    struct wire_mqtt_props props;
};

struct wire_mqtt_disconnect {
    uint8_t reason;
    struct wire_mqtt_props props;
};

/* Subscription options, section 3.8.3.1.  Before 5.0: QoS only. */
#define MQTT_SUB_QOS 0x03
#define MQTT_SUB_NO_LOCAL 0x04
#define MQTT_SUB_RETAIN_AS_PUBLISHED 0x08
#define MQTT_SUB_RETAIN_HANDLING(OPTIONS) ((OPTIONS) >> 4 & 3)

/* Each takes a frame that has passed wire_mqtt_check_header(). */
enum wire_mqtt_result wire_mqtt_decode_connect(const struct wire_mqtt_frame *,
                                               struct wire_mqtt_connect *);
enum wire_mqtt_result wire_mqtt_decode_publish(const struct wire_mqtt_frame *, uint8_t version,
                                               struct wire_mqtt_publish *);
enum wire_mqtt_result wire_mqtt_decode_ack(const struct wire_mqtt_frame *, uint8_t version,
                                           struct wire_mqtt_ack *);
enum wire_mqtt_result wire_mqtt_decode_subscribe(const struct wire_mqtt_frame *, uint8_t version,
                                                 struct wire_mqtt_subscribe *);
enum wire_mqtt_result wire_mqtt_decode_disconnect(const struct wire_mqtt_frame *, uint8_t version,
                                                  struct wire_mqtt_disconnect *);

/* Takes one Topic Filter off 'filters' of a SUBSCRIBE ('options' not NULL) or of an UNSUBSCRIBE
 * ('options' NULL) that was decoded; false at the end. */
bool wire_mqtt_next_filter(struct slice *filters, struct slice *filter, uint8_t *options);

/* Encoding.  'version' 3, 4 or 5; 'props' is a list without its length, used in 5.0 only. */
void wire_mqtt_put_connack(struct writer *, uint8_t version, bool session_present, uint8_t code,
                           struct slice props);
/* PUBACK, PUBREC, PUBREL, PUBCOMP; the reason only in 5.0 and unless it is success. */
void wire_mqtt_put_ack(struct writer *, enum mqtt_packet_type, uint8_t version, uint16_t packet_id,
                       uint8_t reason);
/* SUBACK and UNSUBACK up to the codes, 'n' of which the caller appends (none in UNSUBACK before
 * 5.0). */
void wire_mqtt_put_suback(struct writer *, enum mqtt_packet_type, uint8_t version,
                          uint16_t packet_id, uint32_t n);
/* PINGREQ, PINGRESP, DISCONNECT without anything. */
void wire_mqtt_put_empty(struct writer *, enum mqtt_packet_type);
void wire_mqtt_put_disconnect(struct writer *, uint8_t reason);     /* 5.0, by a server. */

/* A PUBLISH up to its payload, of which payload.n is used only. */
void wire_mqtt_put_publish(struct writer *, uint8_t version, const struct wire_mqtt_publish *,
                           struct slice props);
/* Bytes that wire_mqtt_put_publish() writes. */
uint32_t wire_mqtt_publish_head_size(uint8_t version, const struct wire_mqtt_publish *,
                                     uint32_t props_size);
/* A SUBSCRIBE (3.1.1) of one filter; an UNSUBSCRIBE likewise. */
void wire_mqtt_put_subscribe(struct writer *, uint16_t packet_id, struct slice filter,
                             uint8_t qos);
void wire_mqtt_put_unsubscribe(struct writer *, uint16_t packet_id, struct slice filter);

#endif
