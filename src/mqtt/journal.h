/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The byte format of what a persistent broker remembers: records, a key and a value each.  Only the
 * format: which records there are at a time is for persist.c, what they mean at a start for
 * restore.c, and where they are kept for the caller.  All numbers in network order.  Pure.
 *
 *     key                                  value, followed by 32 bits of checksum over both
 *     0                                    correction u64, instant u64 (clock)
 *     1 message u64                        flags u8, expiry u64, topic u16 + n, properties u32 + n,
 *                                          payload
 *     2 session u64                        version u8, expiry u32 s, parted u64, client identifier
 *                                          u16 + n, user name u16 + n
 *     3 session u64, topic filter          options and Subscription Identifier u32
 *     4 session u64, packet id u16         (QoS 2 received, not released)
 *     5 session u64, order u32             message u64 (0: released), packet id u16, QoS u8,
 *                                          flags u8, Subscription Identifiers u32 each
 *     6 topic                              message u64 (retained)
 *     7 session u64                        message u64, delay u32 s, where the client was: address
 *                                          16, port of the switch u32, TCP port u16, VLAN u16,
 *                                          MAC address 6 (Will)
 *
 * Instants are microseconds since 1970 of the calendar that calendar.c describes: the wall clock's
 * time less the correction, if there is that record.  In the order of keys, what is referred to comes
 * before what refers to it.  A message is stored once, however many records name it.
 *
 * A batch is what is to be stored in one transaction: operation u8 (0 delete, 1 put), size of the
 * key u32, size of the value u32, key, value; and so on. */
#ifndef MP_MQTT_JOURNAL_H
#define MP_MQTT_JOURNAL_H 1

#include "base/clock.h"
#include "base/cursor.h"

#define MQTT_JOURNAL_VERSION 1        /* Of all of the above. */

enum mqtt_record_type {
    MQTT_RECORD_CLOCK,
    MQTT_RECORD_MESSAGE,
    MQTT_RECORD_SESSION,
    MQTT_RECORD_SUBSCRIPTION,
    MQTT_RECORD_INBOUND,
    MQTT_RECORD_OUTBOUND,
    MQTT_RECORD_RETAINED,
    MQTT_RECORD_WILL,
};

enum mqtt_expiry { MQTT_EXPIRY_NEVER, MQTT_EXPIRY_AT, MQTT_EXPIRY_AFTER };

/* One record, taken apart; what its type has no use for is zero.  Slices are borrowed. */
struct mqtt_record {
    enum mqtt_record_type type;
    uint64_t message, session;
    struct slice topic;               /* Name or filter. */

    uint8_t qos;                      /* Of a message or an entry. */
    bool retain;
    enum mqtt_expiry expiry;
    usec_t expires;                   /* An instant or an interval. */
    struct slice props, payload;

    uint8_t version;
    uint32_t expiry_s;
    usec_t parted_at;                 /* 0: it was connected. */
    struct slice client_id, username;

    uint32_t value;                   /* Of a subscription. */
    uint16_t packet_id;
    uint32_t order;
    uint8_t flags;                    /* MQTT_ENTRY_*. */
    struct slice sub_ids;             /* 4 bytes each. */
    uint32_t delay_s;
    struct slice origin;
    usec_t correction, noted_at;      /* Of the clock. */
};
#define MQTT_RECORD_ORIGIN_SIZE 30u

/* Room that mqtt_record_put() and mqtt_record_delete() take at most. */
size_t mqtt_record_size(const struct mqtt_record *);
/* Appends to a batch. */
void mqtt_record_put(struct writer *, const struct mqtt_record *);
void mqtt_record_delete(struct writer *, const struct mqtt_record *);       /* Key fields only. */

/* Takes one operation off the front of a batch; false at its end, or where it is none. */
struct mqtt_operation {
    bool is_put;
    struct slice key, value;
};
bool mqtt_batch_next(struct slice *rest, struct mqtt_operation *);

/* False: that is no record of ours. */
bool mqtt_record_decode(struct slice key, struct slice value, struct mqtt_record *);

#endif
