/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* SUBSCRIBE and UNSUBSCRIBE: decode and judge all, apply all, answer with one code per filter
 * [MQTT-3.8.4-6], send what is retained.
 *
 * A filter such as +/+/+/x is compared with everything that is retained, and a SUBSCRIBE can have tens
 * of thousands of them.  So there is an amount of work for all SUBSCRIBEs of a turn.  One that is not
 * done by then goes on in the next turns, in slices, in turn with others like it; the client's
 * further input waits, nobody else's does.  Its SUBACK, with a code for each filter, comes at the
 * end, so that here messages may come before it (section 3.8.4 allows that). */
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

/* One SUBSCRIBE gets a tenth of a turn's work at a time. */
#define SLICES 10u
/* What there is to do for a filter and for a message, measured in nodes of the retained store that are
 * looked at. */
#define WORK_OF_FILTER 20u
#define WORK_OF_MESSAGE 4u

struct request {                      /* One filter of a SUBSCRIBE. */
    struct slice filter;
    uint32_t id;                      /* Subscription Identifier, or 0. */
    uint8_t options;
    uint8_t code;                     /* For the SUBACK. */
    bool has_replay;                  /* Retained messages are wanted. */
    uint32_t n_replayed;              /* For all filters of the packet. */
};

struct mqtt_subscribing {             /* A SUBSCRIBE at work. */
    struct request r;                 /* The filter at hand. */
    struct slice rest;                /* Those after it. */
    struct mqtt_retained_walk *walk;  /* For the one at hand, or NULL. */
    uint32_t n_filters, n_codes;
    uint16_t packet_id;
    uint8_t *codes;
    /* Once it has to wait: */
    struct mqtt_subscribing *prev, *next;
    uint32_t conn;
    uint32_t n_bytes;
    uint8_t *bytes;                   /* What of the packet is still needed. */
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
    if (result == MQTT_SUBSCRIBED_PATTERN) {
        b->stats.limit_refused++;
        b->stats.limit_patterns++;
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

/* Each retained message once over, for a packet that asks for all of them many times. */
static uint32_t
max_replayed(const struct mqtt_broker *b)
{
    return MP_MAX(b->config.max_retained, mqtt_retained_n(b->retained));
}

/* [MQTT-3.8.4-3], [MQTT-3.3.1-8]: what is retained, with RETAIN set.  False: there is more to do. */
static bool
replay(struct mqtt_broker *b, uint32_t session, struct mqtt_subscribing *s, uint32_t *work,
       usec_t now)
{
    struct request *r = &s->r;
    struct mqtt_msg *msg;
    size_t pos = 0;

    while (r->n_replayed < max_replayed(b)
           && mqtt_retained_walk_next(b->retained, s->walk, work, &msg)) {
        if (!msg) {
            return false;
        }
        mqtt_msg_ref(msg);
        r->n_replayed++;
        *work -= MP_MIN(*work, WORK_OF_MESSAGE);
        if (msg->expires_at <= now) {
            mqtt_unretain(b, mqtt_msg_topic(msg));
            b->stats.expired++;
        } else {
            replay_one(b, session, r, msg, now);
        }
        mqtt_msg_unref(msg);
    }
    while ((msg = mqtt_sys_next(b, r->filter, &pos))) {
        replay_one(b, session, r, msg, now);
        *work -= MP_MIN(*work, WORK_OF_MESSAGE);
    }
    mqtt_retained_walk_end(b->retained, s->walk);
    s->walk = NULL;
    return true;
}

/* As far as '*work' goes; true when all filters are done. */
static bool
subscribe_all(struct mqtt_broker *b, uint32_t session, struct mqtt_subscribing *s, uint32_t *work,
              usec_t now)
{
    for (;;) {
        if (s->walk && !replay(b, session, s, work, now)) {
            return false;
        }
        if (!s->rest.n) {
            return true;
        }
        if (!*work) {
            return false;
        }
        wire_mqtt_next_filter(&s->rest, &s->r.filter, &s->r.options);
        subscribe(b, session, &s->r);
        s->codes[s->n_codes++] = s->r.code;
        *work -= MP_MIN(*work, WORK_OF_FILTER);
        if (s->r.has_replay && s->r.n_replayed < max_replayed(b)) {
            s->walk = mqtt_retained_walk_begin(b->retained, s->r.filter);
        }
    }
}

static void
put_suback(struct mqtt_broker *b, uint32_t conn, const struct mqtt_subscribing *s)
{
    uint8_t version = mqtt_conn_at(b, conn)->version;
    struct writer w = mqtt_ctl_begin(b, conn, WIRE_MQTT_MAX_FIXED + 3 + s->n_filters);

    wire_mqtt_put_suback(&w, MQTT_SUBACK, version, s->packet_id, s->n_filters);
    for (uint32_t i = 0; i < s->n_filters; i++) {
        uint8_t code = s->codes[i];

        writer_u8(&w, code >= 0x80 && version != MQTT_V50 ? MQTT_SUBACK_FAILURE : code);
    }
    mqtt_ctl_end(b, conn, &w);
}

static size_t
bytes_of(const struct mqtt_subscribing *s)
{
    return sizeof *s + s->n_filters + s->n_bytes;
}

void
mqtt_subscribing_free(struct mqtt_broker *b, struct mqtt_subscribing *s)
{
    if (s->conn) {
        if (s->prev) {
            s->prev->next = s->next;
        } else {
            b->first_subscribing = s->next;
        }
        if (s->next) {
            s->next->prev = s->prev;
        } else {
            b->last_subscribing = s->prev;
        }
        b->heap_bytes -= bytes_of(s);
    }
    if (s->walk) {
        mqtt_retained_walk_end(b->retained, s->walk);
    }
    mem_free(s->codes);
    mem_free(s->bytes);
    mem_free(s);
}

static void
append(struct mqtt_broker *b, struct mqtt_subscribing *s)
{
    s->next = NULL;
    s->prev = b->last_subscribing;
    if (s->prev) {
        s->prev->next = s;
    } else {
        b->first_subscribing = s;
    }
    b->last_subscribing = s;
}

/* The packet will be gone: what is needed of it is copied. */
static void
suspend(struct mqtt_broker *b, uint32_t conn, struct mqtt_subscribing *s)
{
    const uint8_t *from = s->walk ? s->r.filter.p : s->rest.p;
    uint32_t n = (uint32_t) (s->rest.p - from) + s->rest.n;

    s->bytes = mem_dup(from, n);
    s->n_bytes = n;
    s->r.filter.p = s->bytes;
    s->rest.p = s->bytes + n - s->rest.n;
    if (s->walk) {
        mqtt_retained_walk_moved(s->walk, s->r.filter);
    }
    s->conn = conn;
    b->heap_bytes += bytes_of(s);
    b->stats.subscribes_suspended++;
    append(b, s);
    mqtt_stall_subscribing(b, conn, s);
}

/* Those that wait, each for a slice at most. */
void
mqtt_subscribing_run(struct mqtt_broker *b, usec_t now)
{
    const struct mqtt_subscribing *last = b->last_subscribing;
    bool is_last = !last;

    b->work_left = b->config.work_per_turn;
    while (!is_last && b->work_left) {
        struct mqtt_subscribing *s = b->first_subscribing;
        uint32_t slice = MP_MIN(b->work_left, MP_MAX(b->config.work_per_turn / SLICES, 1));
        uint32_t left = slice;
        uint32_t conn = s->conn;
        bool is_done;

        is_last = s == last;
        mqtt_persist_begin(b);
        is_done = subscribe_all(b, mqtt_conn_at(b, conn)->session, s, &left, now);
        b->work_left -= slice - left;
        mqtt_push_ready(b, conn);
        if (is_done) {
            put_suback(b, conn, s);
            mqtt_stall_subscribed(b, conn, now);
        } else if (s->next) {
            b->first_subscribing = s->next;
            s->next->prev = NULL;
            append(b, s);
        }
    }
}

uint8_t
mqtt_handle_subscribe(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
                      usec_t now)
{
    const struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct wire_mqtt_subscribe packet;
    enum wire_mqtt_result result = wire_mqtt_decode_subscribe(frame, c->version, &packet);
    uint8_t reason = result == WIRE_MQTT_DONE ? check_filters(&packet, true)
                     : mqtt_reason_of(result);
    struct mqtt_subscribing *s;
    bool is_done;

    if (reason) {
        return reason;
    }
    s = mem_zalloc(sizeof *s);
    s->r.id = wire_mqtt_prop_number(&packet.props, MQTT_PROP_SUBSCRIPTION_ID, 0);
    s->rest = packet.filters;
    s->n_filters = packet.n_filters;
    s->packet_id = packet.packet_id;
    s->codes = mem_alloc(packet.n_filters);
    if (b->worked_at != now) {        /* Another turn. */
        b->worked_at = now;
        b->work_left = b->config.work_per_turn;
    }
    is_done = subscribe_all(b, c->session, s, &b->work_left, now);
    if (is_done) {
        put_suback(b, conn, s);
    } else if (!b->is_parting) {
        suspend(b, conn, s);
        return 0;
    }
    mqtt_subscribing_free(b, s);
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
