/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* SUBSCRIBE and UNSUBSCRIBE: decode and judge all, apply all, answer with one code per filter
 * [MQTT-3.8.4-6], then send what is retained. */
#include "mqtt/access.h"
#include "mqtt/sys.h"

/* 0, or why the connection ends: strings that are none, filters of no length [MQTT-4.7.3-1], No
 * Local with a shared subscription [MQTT-3.8.3-4]. */
static uint8_t
check_filters(const struct wire_mqtt_subscribe *s, bool has_options)
{
    struct slice rest = s->filters, filter;
    uint8_t options = 0;

    while (wire_mqtt_next_filter(&rest, &filter, has_options ? &options : NULL)) {
        if (!filter.n) {
            return MQTT_REASON_PROTOCOL_ERROR;
        }
        if (!topic_utf8_is_valid(filter)) {
            return MQTT_REASON_MALFORMED;
        }
        if (options & MQTT_SUB_NO_LOCAL && mqtt_share_parse(&filter) == MQTT_SHARE_VALID) {
            return MQTT_REASON_PROTOCOL_ERROR;
        }
    }
    return mqtt_v5_check_props(s->props.raw);
}

struct request {                      /* One filter of a SUBSCRIBE. */
    struct slice filter;
    uint32_t id;                      /* Subscription Identifier, or 0. */
    uint8_t options;
    uint8_t code;                     /* For the SUBACK. */
    bool has_replay;                  /* Retained messages are wanted. */
    uint32_t n_replayed;              /* For all filters of the packet. */
};

/* Subscribes to one filter. */
static void
subscribe(struct mqtt_broker *b, uint32_t session, struct request *r)
{
    uint8_t qos = MP_MIN(r->options & MQTT_SUB_QOS, b->config.max_qos);
    uint8_t options = qos | (r->options & (MQTT_SUB_NO_LOCAL | MQTT_SUB_RETAIN_AS_PUBLISHED));
    struct slice filter = r->filter;
    enum mqtt_share_form form = mqtt_share_parse(&filter);
    enum mqtt_subscribed result;

    b->stats.subscribes++;
    r->has_replay = false;
    if (form == MQTT_SHARE_INVALID || !topic_filter_is_valid(r->filter)) {
        r->code = MQTT_REASON_BAD_FILTER;
        return;
    }
    if (!mqtt_access_subscribe(b, mqtt_session_at(b, session), filter)) {
        b->stats.acl_denied_subscribe++;
        r->code = MQTT_REASON_NOT_AUTHORIZED;
        return;
    }
    if (mqtt_is_full(b)) {
        b->stats.memory_refused++;
        r->code = MQTT_REASON_QUOTA_EXCEEDED;
        return;
    }
    result = topic_n_levels(filter) > b->config.max_topic_levels ? MQTT_SUBSCRIBED_LIMIT
             : mqtt_session_subscribe(b, session, r->filter, MQTT_SUB_VALUE(options, r->id));
    if (result == MQTT_SUBSCRIBED_LIMIT) {
        b->stats.limit_refused++;
        b->stats.limit_subscriptions++;
        r->code = MQTT_REASON_QUOTA_EXCEEDED;
        return;
    }
    r->code = qos;
    /* [MQTT-3.3.1-9] to [MQTT-3.3.1-11]; shared subscriptions get none (section 4.8.2). */
    r->has_replay = form == MQTT_SHARE_NONE
                    && (MQTT_SUB_RETAIN_HANDLING(r->options) == 0
                        || (MQTT_SUB_RETAIN_HANDLING(r->options) == 1
                            && result == MQTT_SUBSCRIBED_NEW));
}

static void
replay_one(struct mqtt_broker *b, uint32_t session, const struct request *r, struct mqtt_msg *msg,
           usec_t now)
{
    const struct mqtt_session *s = mqtt_session_at(b, session);
    struct mqtt_delivery d = {
        .msg = msg,
        .qos = MP_MIN(msg->qos, r->code),
        .flags = MQTT_ENTRY_RETAIN | MQTT_ENTRY_REPLAY,
    };

    if (!mqtt_access_read(b, s, mqtt_msg_topic(msg))) {
        b->stats.acl_denied_out++;
        return;
    }
    if (r->id && s->version == MQTT_V50) {
        d.sub_ids = mqtt_sub_ids_add(b, SLAB_NONE, r->id);
    }
    mqtt_flow_put(b, session, &d, now);
}

/* [MQTT-3.8.4-3], [MQTT-3.3.1-8]: what is retained, with RETAIN set. */
static void
replay(struct mqtt_broker *b, uint32_t session, struct request *r, usec_t now)
{
    struct mqtt_retained_set set = { NULL, 0, 0 };
    struct mqtt_msg *own;
    size_t pos = 0;

    mqtt_retained_match(b->retained, r->filter, &set);
    for (size_t i = 0; i < set.n && r->n_replayed < b->config.max_retained; i++) {
        struct mqtt_msg *msg = mqtt_msg_ref(set.msgs[i]);

        r->n_replayed++;
        if (msg->expires_at <= now) {
            mqtt_unretain(b, mqtt_msg_topic(msg));
            b->stats.expired++;
        } else {
            replay_one(b, session, r, msg, now);
        }
        mqtt_msg_unref(msg);
    }
    mem_free(set.msgs);
    while ((own = mqtt_sys_next(b, r->filter, &pos))) {
        replay_one(b, session, r, own, now);
    }
}

uint8_t
mqtt_handle_subscribe(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
                      usec_t now)
{
    const struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct wire_mqtt_subscribe s;
    enum wire_mqtt_result result = wire_mqtt_decode_subscribe(frame, c->version, &s);
    uint8_t reason = result == WIRE_MQTT_DONE ? check_filters(&s, true) : mqtt_reason_of(result);
    struct request r = { .id = 0 };
    struct writer w;

    if (reason) {
        return reason;
    }
    r.id = wire_mqtt_prop_number(&s.props, MQTT_PROP_SUBSCRIPTION_ID, 0);
    /* The SUBACK is before the retained messages, because control packets leave first. */
    w = mqtt_ctl_begin(b, conn, WIRE_MQTT_MAX_FIXED + 3 + s.n_filters);
    wire_mqtt_put_suback(&w, MQTT_SUBACK, c->version, s.packet_id, s.n_filters);
    while (wire_mqtt_next_filter(&s.filters, &r.filter, &r.options)) {
        subscribe(b, c->session, &r);
        /* Each retained message once over, for a packet that asks for all of them many times: the
         * others wait meanwhile. */
        if (r.has_replay && r.n_replayed < b->config.max_retained) {
            replay(b, c->session, &r, now);
        }
        writer_u8(&w, r.code >= 0x80 && c->version != MQTT_V50 ? MQTT_SUBACK_FAILURE : r.code);
    }
    mqtt_ctl_end(b, conn, &w);
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
