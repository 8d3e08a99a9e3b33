/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* SUBSCRIBE and UNSUBSCRIBE: decode and judge all, apply all, answer with one code per filter
 * [MQTT-3.8.4-6], then send what is retained. */
#include "mqtt/private.h"

/* 0, or why the connection ends: strings that are none, filters of no length [MQTT-4.7.3-1]. */
static uint8_t
check_filters(const struct wire_mqtt_subscribe *s, bool has_options)
{
    struct slice rest = s->filters, filter;
    uint8_t options;

    while (wire_mqtt_next_filter(&rest, &filter, has_options ? &options : NULL)) {
        if (!filter.n) {
            return MQTT_REASON_PROTOCOL_ERROR;
        }
        if (!topic_utf8_is_valid(filter)) {
            return MQTT_REASON_MALFORMED;
        }
    }
    return 0;
}

/* Subscribes to one filter; returns the code for the SUBACK. */
static uint8_t
subscribe(struct mqtt_broker *b, uint32_t session, struct slice filter, uint8_t options)
{
    uint8_t qos = MP_MIN(options & MQTT_SUB_QOS, b->config.max_qos);

    b->stats.subscribes++;
    if (!topic_filter_is_valid(filter)) {
        return MQTT_REASON_BAD_FILTER;
    }
    if (topic_n_levels(filter) > b->config.max_topic_levels
        || mqtt_session_subscribe(b, session, filter, qos) == MQTT_SUBSCRIBED_LIMIT) {
        b->stats.limit_refused++;
        return MQTT_REASON_QUOTA_EXCEEDED;
    }
    return qos;
}

/* [MQTT-3.8.4-3], [MQTT-3.3.1-8]: what is retained, with RETAIN set. */
static void
replay(struct mqtt_broker *b, uint32_t session, struct slice filter, uint8_t qos, usec_t now)
{
    struct mqtt_retained_set set = { NULL, 0, 0 };

    mqtt_retained_match(b->retained, filter, &set);
    for (size_t i = 0; i < set.n; i++) {
        struct mqtt_delivery d = {
            .msg = set.msgs[i],
            .qos = MP_MIN(set.msgs[i]->qos, qos),
            .flags = MQTT_ENTRY_RETAIN | MQTT_ENTRY_REPLAY,
        };

        mqtt_flow_put(b, session, &d, now);
    }
    mem_free(set.msgs);
}

uint8_t
mqtt_handle_subscribe(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
                      usec_t now)
{
    const struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct wire_mqtt_subscribe s;
    enum wire_mqtt_result result = wire_mqtt_decode_subscribe(frame, c->version, &s);
    uint8_t reason = result == WIRE_MQTT_DONE ? check_filters(&s, true) : mqtt_reason_of(result);
    struct slice rest, filter;
    uint8_t options, *codes;
    uint32_t i = 0;
    struct writer w;

    if (reason) {
        return reason;
    }
    w = mqtt_ctl_begin(b, conn, WIRE_MQTT_MAX_FIXED + 3 + s.n_filters);
    wire_mqtt_put_suback(&w, MQTT_SUBACK, c->version, s.packet_id, s.n_filters);
    codes = writer_room(&w, s.n_filters);
    rest = s.filters;
    while (wire_mqtt_next_filter(&rest, &filter, &options)) {
        uint8_t code = subscribe(b, c->session, filter, options);

        codes[i++] = code >= 0x80 && c->version != MQTT_V50 ? MQTT_SUBACK_FAILURE : code;
    }
    mqtt_ctl_end(b, conn, &w);

    i = 0;
    rest = s.filters;
    while (wire_mqtt_next_filter(&rest, &filter, &options)) {
        uint8_t code = codes[i++];

        if (code < 0x80) {
            replay(b, c->session, filter, code, now);
        }
    }
    return 0;
}

uint8_t
mqtt_handle_unsubscribe(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
                        usec_t now)
{
    const struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct wire_mqtt_subscribe s;
    enum wire_mqtt_result result = wire_mqtt_decode_subscribe(frame, c->version, &s);
    uint8_t reason = result == WIRE_MQTT_DONE ? check_filters(&s, false)
                     : mqtt_reason_of(result);
    bool has_codes = c->version == MQTT_V50;
    struct slice rest, filter;
    struct writer w;

    (void) now;
    if (reason) {
        return reason;
    }
    w = mqtt_ctl_begin(b, conn, WIRE_MQTT_MAX_FIXED + 3 + s.n_filters);
    wire_mqtt_put_suback(&w, MQTT_UNSUBACK, c->version, s.packet_id,
                         has_codes ? s.n_filters : 0);
    rest = s.filters;
    while (wire_mqtt_next_filter(&rest, &filter, NULL)) {
        bool existed = mqtt_session_unsubscribe(b, c->session, filter);

        b->stats.unsubscribes++;
        if (has_codes) {
            writer_u8(&w, existed ? 0 : MQTT_REASON_NO_SUBSCRIPTION_EXISTED);
        }
    }
    mqtt_ctl_end(b, conn, &w);
    return 0;
}
