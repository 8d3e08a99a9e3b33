/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What only MQTT 5.0 has: the limits that a client announces, topic aliases both ways, and the
 * judgement of property lists. */
#include "mqtt/access.h"

/* More than this many are not worth searching for. */
#define MAX_ALIASES_OUT 16u

struct alias {
    uint32_t n;
    uint8_t *topic;                   /* NULL: not set. */
};

struct mqtt_v5 {
    struct alias *in;                 /* By alias - 1; NULL until the first is set. */
    struct alias *out;
    uint32_t max_packet_size;         /* That the client takes. */
    uint16_t receive_maximum;
    uint16_t n_in, max_out, n_out;
};

const size_t mqtt_v5_size = sizeof(struct mqtt_v5);
_Static_assert(sizeof(struct mqtt_v5) <= 32, "1,000,000 clients of 5.0: 32 MB");

/* What a 5.0 client announces, for the life of the connection. */
uint32_t
mqtt_v5_create(struct mqtt_broker *b, const struct wire_mqtt_props *props)
{
    uint32_t idx = slab_alloc(&b->v5s);
    struct mqtt_v5 *v = slab_at(&b->v5s, idx);
    uint32_t aliases = wire_mqtt_prop_number(props, MQTT_PROP_TOPIC_ALIAS_MAXIMUM, 0);

    v->max_packet_size = wire_mqtt_prop_number(props, MQTT_PROP_MAXIMUM_PACKET_SIZE, UINT32_MAX);
    v->receive_maximum = (uint16_t) wire_mqtt_prop_number(props, MQTT_PROP_RECEIVE_MAXIMUM,
                                                          UINT16_MAX);
    v->n_in = b->config.max_topic_alias;
    v->max_out = (uint16_t) MP_MIN(MP_MIN(aliases, MAX_ALIASES_OUT), b->config.max_topic_alias);
    return idx;
}

static void
set_alias(struct mqtt_broker *b, struct alias *a, struct slice topic)
{
    b->heap_bytes += topic.n - (uint64_t) a->n;
    mem_free(a->topic);
    a->topic = mem_dup(topic.p, topic.n);
    a->n = topic.n;
}

static void
free_aliases(struct mqtt_broker *b, struct alias *aliases, uint32_t n)
{
    for (uint32_t i = 0; aliases && i < n; i++) {
        b->heap_bytes -= aliases[i].n;
        mem_free(aliases[i].topic);
    }
    if (aliases) {
        b->heap_bytes -= n * sizeof *aliases;
        mem_free(aliases);
    }
}

void
mqtt_v5_free(struct mqtt_broker *b, uint32_t idx)
{
    if (idx) {
        struct mqtt_v5 *v = slab_at(&b->v5s, idx);

        free_aliases(b, v->in, v->n_in);
        free_aliases(b, v->out, v->max_out);
        slab_free(&b->v5s, idx);
    }
}

uint32_t
mqtt_v5_window(const struct mqtt_broker *b, const struct mqtt_v5 *v)
{
    return v ? MP_MIN(b->config.max_inflight, v->receive_maximum) : b->config.max_inflight;
}

uint32_t
mqtt_v5_max_packet_size(const struct mqtt_v5 *v)
{
    return v ? v->max_packet_size : UINT32_MAX;
}

/* Resolves or sets the alias of a PUBLISH from a client: 0, or why the connection ends.  Afterwards
 * p->topic is the Topic Name in any case. */
uint8_t
mqtt_v5_alias_in(struct mqtt_broker *b, struct mqtt_v5 *v, struct wire_mqtt_publish *p)
{
    uint32_t alias = wire_mqtt_prop_number(&p->props, MQTT_PROP_TOPIC_ALIAS, 0);
    struct alias *a;

    if (!wire_mqtt_has_prop(&p->props, MQTT_PROP_TOPIC_ALIAS)) {
        return p->topic.n ? 0 : MQTT_REASON_PROTOCOL_ERROR;
    }
    if (!alias || alias > v->n_in) {
        return MQTT_REASON_BAD_TOPIC_ALIAS;         /* [MQTT-3.3.2-8], [MQTT-3.3.2-9] */
    }
    if (!v->in) {
        v->in = mem_zalloc(v->n_in * sizeof *v->in);
        b->heap_bytes += v->n_in * sizeof *v->in;
    }
    a = &v->in[alias - 1];
    if (p->topic.n > a->n && mqtt_is_full(b)) {
        b->stats.memory_refused++;    /* No promise could be kept of what it means. */
        return MQTT_REASON_QUOTA_EXCEEDED;
    }
    if (p->topic.n) {
        set_alias(b, a, p->topic);
    } else if (!a->topic) {
        return MQTT_REASON_PROTOCOL_ERROR;
    }
    p->topic = (struct slice) { a->topic, a->n };
    return 0;
}

/* An alias for a PUBLISH to a client, or 0; '*is_known': the client knows it already, so that the
 * topic may be left out.  Nothing is remembered before mqtt_v5_alias_sent(). */
uint16_t
mqtt_v5_alias_out(const struct mqtt_v5 *v, struct slice topic, bool *is_known)
{
    *is_known = false;
    if (!v) {
        return 0;
    }
    for (uint16_t i = 0; i < v->n_out; i++) {
        if (v->out[i].n == topic.n && !memcmp(v->out[i].topic, topic.p, topic.n)) {
            *is_known = true;
            return (uint16_t) (i + 1);
        }
    }
    return v->n_out < v->max_out ? (uint16_t) (v->n_out + 1) : 0;
}

void
mqtt_v5_alias_sent(struct mqtt_broker *b, struct mqtt_v5 *v, uint16_t alias, struct slice topic)
{
    if (!v->out) {
        v->out = mem_zalloc(v->max_out * sizeof *v->out);
        b->heap_bytes += v->max_out * sizeof *v->out;
    }
    if (alias > v->n_out) {
        set_alias(b, &v->out[v->n_out++], topic);
    }
}

/* Are the strings of a property list what they must be?  0, or why not. */
uint8_t
mqtt_v5_check_props(struct slice raw)
{
    struct wire_mqtt_prop prop;

    while (wire_mqtt_next_prop(&raw, &prop)) {
        if ((prop.type == MQTT_PROP_STRING && !topic_utf8_is_valid(prop.value))
            || (prop.type == MQTT_PROP_PAIR && (!topic_utf8_is_valid(prop.value)
                                                || !topic_utf8_is_valid(prop.pair_value)))) {
            return MQTT_REASON_MALFORMED;
        }
        /* [MQTT-3.3.2-14] */
        if (prop.which == MQTT_PROP_RESPONSE_TOPIC && !topic_name_is_valid(prop.value)) {
            return MQTT_REASON_PROTOCOL_ERROR;
        }
    }
    return 0;
}

/* Keeps of a message's properties, which are those of a PUBLISH or Will as received, what is passed
 * on unchanged and in order ([MQTT-3.3.2-17] and its like); expiry is kept as an instant. */
void
mqtt_v5_adopt_props(struct mqtt_msg *msg, const struct wire_mqtt_props *props, usec_t now)
{
    struct slice raw = mqtt_msg_props(msg);
    struct wire_mqtt_prop prop;
    uint8_t *p = msg->bytes + msg->topic_n;

    while (wire_mqtt_next_prop(&raw, &prop)) {
        if (prop.which == MQTT_PROP_MESSAGE_EXPIRY || prop.which == MQTT_PROP_TOPIC_ALIAS
            || prop.which == MQTT_PROP_WILL_DELAY) {
            continue;
        }
        memmove(p, prop.raw.p, prop.raw.n);
        p += prop.raw.n;
    }
    msg->props_n = (uint32_t) (p - msg->bytes) - msg->topic_n;
    if (wire_mqtt_has_prop(props, MQTT_PROP_MESSAGE_EXPIRY)) {
        msg->expires_at = now + props->number[MQTT_PROP_MESSAGE_EXPIRY] * CLOCK_SEC;
    }
}
