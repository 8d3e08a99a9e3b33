/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Messages: created once per PUBLISH, then shared by reference. */
#include "mqtt/private.h"

/* What an entry in a queue costs besides topic and payload, so that empty messages count too. */
#define MSG_OVERHEAD 64u

/* Takes a reference of its own to 'payload'. */
struct mqtt_msg *
mqtt_msg_create(struct slice topic, struct slice props, struct mbuf *payload)
{
    struct mqtt_msg *msg = mem_alloc(sizeof *msg + topic.n + props.n);

    *msg = (struct mqtt_msg) {
        .payload = mbuf_ref(payload),
        .expires_at = CLOCK_NEVER,
        .n_refs = 1,
        .props_n = props.n,
        .topic_n = (uint16_t) topic.n,
    };
    memcpy(msg->bytes, topic.p, topic.n);
    if (props.n) {
        memcpy(msg->bytes + topic.n, props.p, props.n);
    }
    return msg;
}

struct mqtt_msg *
mqtt_msg_ref(struct mqtt_msg *msg)
{
    msg->n_refs++;
    return msg;
}

void
mqtt_msg_unref(struct mqtt_msg *msg)
{
    if (msg && !--msg->n_refs) {
        if (msg->account) {
            *msg->account -= mqtt_msg_size(msg);
        }
        mbuf_unref(msg->payload);
        mem_free(msg);
    }
}

struct slice
mqtt_msg_topic(const struct mqtt_msg *msg)
{
    return (struct slice) { msg->bytes, msg->topic_n };
}

struct slice
mqtt_msg_props(const struct mqtt_msg *msg)
{
    return (struct slice) { msg->bytes + msg->topic_n, msg->props_n };
}

uint32_t
mqtt_msg_size(const struct mqtt_msg *msg)
{
    return MSG_OVERHEAD + msg->topic_n + msg->props_n + msg->payload->size;
}

/* Its size does not change any more. */
void
mqtt_msg_account(struct mqtt_msg *msg, uint64_t *account)
{
    if (!msg->account) {
        msg->account = account;
        *account += mqtt_msg_size(msg);
    }
}
