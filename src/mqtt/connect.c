/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* CONNECT: decode, judge, then apply, then answer.  Nothing of a client that is refused stays. */
#include "mqtt/access.h"

#define NO_PROPS ((struct slice) { NULL, 0 })

/* 0, or what is malformed: strings that are none [MQTT-1.5.4-1] and the like. */
static uint8_t
check_strings(struct mqtt_broker *b, const struct wire_mqtt_connect *c)
{
    if (!topic_utf8_is_valid(c->client_id)
        || (c->has_username && !topic_utf8_is_valid(c->username))) {
        return MQTT_REASON_MALFORMED;
    }
    if (c->has_will && !topic_utf8_is_valid(c->will_topic)) {
        return MQTT_REASON_MALFORMED;
    }
    if (c->has_will && !topic_name_is_valid(c->will_topic)) {
        return MQTT_REASON_BAD_TOPIC;
    } else if (c->has_will && topic_n_levels(c->will_topic) > b->config.max_topic_levels) {
        b->stats.limit_levels++;
        return MQTT_REASON_BAD_TOPIC;
    }
    /* [MQTT-3.1.2.11.10]: data for an authentication method that is not named. */
    if (wire_mqtt_has_prop(&c->props, MQTT_PROP_AUTHENTICATION_DATA)
        && !wire_mqtt_has_prop(&c->props, MQTT_PROP_AUTHENTICATION_METHOD)) {
        return MQTT_REASON_PROTOCOL_ERROR;
    }
    return mqtt_v5_check_props(c->props.raw) ? MQTT_REASON_MALFORMED
           : mqtt_v5_check_props(c->will_props.raw);
}

struct joining {                      /* An acceptable CONNECT. */
    struct wire_mqtt_connect connect;
    bool is_assigned;                 /* The client identifier is ours. */
};

/* The CONNACK return code of 3.1.1 for a reason. */
static uint8_t
return_code_of(uint8_t reason)
{
    switch (reason) {
    case 0: return MQTT_RETURN_ACCEPTED;
    case MQTT_REASON_BAD_VERSION: return MQTT_RETURN_BAD_VERSION;
    case MQTT_REASON_BAD_CLIENT_ID: return MQTT_RETURN_BAD_CLIENT_ID;
    /* 4 is for data that is malformed (table 3.1); a wrong password is 5, as mosquitto and the
     * prototype have it. */
    case MQTT_REASON_BAD_CREDENTIALS:
    case MQTT_REASON_NOT_AUTHORIZED: return MQTT_RETURN_NOT_AUTHORIZED;
    default: return MQTT_RETURN_UNAVAILABLE;
    }
}

static void
put_refusal(struct mqtt_broker *b, uint32_t conn, uint8_t version, uint8_t reason)
{
    struct writer w = mqtt_ctl_begin(b, conn, 8);

    wire_mqtt_put_connack(&w, version, false,
                          version == MQTT_V50 ? reason : return_code_of(reason), NO_PROPS);
    mqtt_ctl_end(b, conn, &w);
}

/* [MQTT-3.2.2-4], [MQTT-3.2.2-5]: a CONNACK with a code and no session, then the end. */
static void
refuse(struct mqtt_broker *b, uint32_t conn, uint8_t version, uint8_t reason, usec_t now)
{
    put_refusal(b, conn, version, reason);
    b->stats.connects_refused++;
    mqtt_conn_end(b, conn, MQTT_END_CLOSE, 0, now);
}

#define ASSIGNED_PREFIX "auto-"
#define ASSIGNED_SIZE (sizeof ASSIGNED_PREFIX - 1 + 16)

/* [MQTT-3.1.3-6]: a client identifier for a client that has none; nobody can guess it. */
static struct slice
assign_client_id(struct mqtt_broker *b, uint8_t id[ASSIGNED_SIZE])
{
    struct slice client_id = { id, ASSIGNED_SIZE };

    do {
        uint64_t n = ++b->n_assigned_ids;
        uint64_t hash = siphash(&b->config.key, &n, sizeof n);

        memcpy(id, ASSIGNED_PREFIX, sizeof ASSIGNED_PREFIX - 1);
        for (int i = 0; i < 16; i++) {
            id[sizeof ASSIGNED_PREFIX - 1 + i] = (uint8_t) "0123456789abcdef"[hash >> 60];
            hash <<= 4;
        }
    } while (mqtt_session_find(b, client_id));
    return client_id;
}

static struct mqtt_will *
make_will(struct mqtt_broker *b, const struct wire_mqtt_connect *c, struct mqtt_origin origin)
{
    struct mqtt_will *will = mem_zalloc(sizeof *will);
    struct mbuf *payload = mbuf_copy(c->will_payload.p, c->will_payload.n);

    will->msg = mqtt_msg_create(c->will_topic, c->will_props.raw, payload);
    mqtt_v5_adopt_props(will->msg, &c->will_props, 0);
    will->msg->qos = c->will_qos;
    will->msg->retain = c->will_retain;
    will->delay_s = wire_mqtt_prop_number(&c->will_props, MQTT_PROP_WILL_DELAY, 0);
    will->origin = origin;
    mqtt_msg_account(will->msg, &b->message_bytes);
    mbuf_unref(payload);
    return will;
}

/* Seconds for which a session may outlive its connection; UINT32_MAX: for ever. */
static uint32_t
max_expiry(const struct mqtt_config *config)
{
    if (config->session_expiry_us >= UINT32_MAX * CLOCK_SEC) {
        return UINT32_MAX;
    }
    return (uint32_t) ((config->session_expiry_us + CLOCK_SEC - 1) / CLOCK_SEC);
}

/* Seconds for which this one does. */
static uint32_t
expiry_of(const struct mqtt_config *config, const struct wire_mqtt_connect *c)
{
    uint32_t wanted = c->version == MQTT_V50
                      ? wire_mqtt_prop_number(&c->props, MQTT_PROP_SESSION_EXPIRY, 0)
                      : c->clean ? 0 : UINT32_MAX;

    return MP_MIN(wanted, max_expiry(config));
}

/* The session of a client identifier, with its old connection ended and, for a clean session, its
 * old contents gone; none at the limit.  '*is_present': it was stored. */
static uint32_t
open_session(struct mqtt_broker *b, const struct wire_mqtt_connect *c, bool *is_present,
             usec_t now)
{
    uint32_t session = mqtt_session_find(b, c->client_id);

    if (session && mqtt_session_at(b, session)->conn) {
        /* [MQTT-3.1.4-2] */
        mqtt_conn_end(b, mqtt_session_at(b, session)->conn, MQTT_END_CLOSE,
                      MQTT_REASON_TAKEN_OVER, now);
        session = mqtt_session_find(b, c->client_id);
    }
    if (session && (c->clean || mqtt_session_at(b, session)->flags & MQTT_SESSION_DOOMED)) {
        mqtt_session_end(b, session, now);          /* [MQTT-3.1.2-6] */
        session = SLAB_NONE;
    }
    *is_present = session;
    if (session) {
        mqtt_session_rename_user(b, session, c->username);
        mqtt_session_drop_will(b, session);
        wheel_disarm(&b->session_wheel, session);
    } else {
        session = mqtt_session_create(b, c->client_id, c->username);
    }
    return session;
}

/* In force; 0: none. */
static uint16_t
keep_alive_of(const struct mqtt_config *config, const struct wire_mqtt_connect *c)
{
    uint16_t max = config->max_keep_alive_s;

    return max && (!c->keep_alive_s || c->keep_alive_s > max) ? max : c->keep_alive_s;
}

#define CONNACK_SIZE (WIRE_MQTT_MAX_FIXED + 2 + 4 + 64)

/* Where we differ from what the client asked for, and our own limits. */
static struct slice
write_connack_props(const struct mqtt_broker *b, const struct mqtt_conn *c,
                    const struct joining *j, struct writer *w)
{
    const struct wire_mqtt_connect *connect = &j->connect;
    const struct mqtt_session *s = mqtt_session_at(b, c->session);

    if (s->expiry_s != wire_mqtt_prop_number(&connect->props, MQTT_PROP_SESSION_EXPIRY, 0)) {
        wire_mqtt_put_number_prop(w, MQTT_PROP_SESSION_EXPIRY, s->expiry_s);
    }
    if (j->is_assigned) {
        wire_mqtt_put_string_prop(w, MQTT_PROP_ASSIGNED_CLIENT_ID, connect->client_id);
    }
    if (c->keep_alive_s != connect->keep_alive_s) {
        wire_mqtt_put_number_prop(w, MQTT_PROP_SERVER_KEEP_ALIVE, c->keep_alive_s);
    }
    wire_mqtt_put_number_prop(w, MQTT_PROP_RECEIVE_MAXIMUM, b->config.max_inflight);
    wire_mqtt_put_number_prop(w, MQTT_PROP_TOPIC_ALIAS_MAXIMUM, b->config.max_topic_alias);
    wire_mqtt_put_number_prop(w, MQTT_PROP_MAXIMUM_PACKET_SIZE, b->config.max_packet_size);
    if (!mqtt_may_retain(b)) {
        wire_mqtt_put_number_prop(w, MQTT_PROP_RETAIN_AVAILABLE, 0);
    }
    return (struct slice) { w->start, (uint32_t) writer_size(w) };
}

static void
put_connack(struct mqtt_broker *b, uint32_t conn, const struct joining *j, bool is_present)
{
    const struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct writer w = mqtt_ctl_begin(b, conn, CONNACK_SIZE);
    struct slice props = NO_PROPS;
    uint8_t bytes[64];

    if (c->version == MQTT_V50) {
        struct writer p = writer_init(bytes, sizeof bytes);

        props = write_connack_props(b, c, j, &p);
    }
    /* 3.1 has no Session Present. */
    wire_mqtt_put_connack(&w, c->version, is_present && c->version != MQTT_V31,
                          MQTT_RETURN_ACCEPTED, props);
    mqtt_ctl_end(b, conn, &w);
}

static void
accept_client(struct mqtt_broker *b, uint32_t conn, const struct joining *j, usec_t now)
{
    const struct wire_mqtt_connect *connect = &j->connect;
    bool is_present = false;
    uint32_t session = open_session(b, connect, &is_present, now);
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct mqtt_session *s;

    if (!session) {
        b->stats.limit_refused++;
        b->stats.limit_sessions++;
        refuse(b, conn, connect->version, MQTT_REASON_UNAVAILABLE, now);
        return;
    }
    s = mqtt_session_at(b, session);
    s->conn = conn;
    mqtt_share_connected(b, session);
    s->version = connect->version;
    s->expiry_s = expiry_of(&b->config, connect);
    s->flags = (uint8_t) ((s->flags & MQTT_SESSION_LASTING)
                          | (s->expiry_s ? 0 : MQTT_SESSION_CLEAN));
    s->will = connect->has_will ? make_will(b, connect, mqtt_conn_origin(b, c)) : NULL;
    mqtt_persist_connected(b, s);

    c->session = session;
    c->state = MQTT_CONN_UP;
    c->version = connect->version;
    c->keep_alive_s = keep_alive_of(&b->config, connect);
    b->stats.limit_keep_alive += c->keep_alive_s != connect->keep_alive_s;
    mqtt_conn_arm_keep_alive(b, conn, now);
    b->n_connected++;
    b->stats.connects_accepted++;
    if (c->version == MQTT_V50) {
        c->v5 = mqtt_v5_create(b, &connect->props);
    }
    put_connack(b, conn, j, is_present);
    mqtt_flow_resume(b, s);
    mqtt_access_recheck(b, s);
    if (!c->ctl) {
        /* A client that takes no CONNACK, for its Maximum Packet Size. */
        mqtt_conn_end(b, conn, MQTT_END_CLOSE, 0, now);         /* [MQTT-3.14.0-1] */
    }
}

/* Steps of judging that are over. */
enum progress { PROGRESS_NONE, PROGRESS_ADMITTED };

static uint8_t
judge_connect(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
              enum progress progress, usec_t now)
{
    bool must_ask = false;
    struct joining j = { .is_assigned = false };
    enum wire_mqtt_result result = wire_mqtt_decode_connect(frame, &j.connect);
    struct wire_mqtt_connect *c = &j.connect;
    uint8_t assigned[ASSIGNED_SIZE];
    uint8_t reason;

    if (result == WIRE_MQTT_BAD_VERSION) {
        /* 3.1.1 [MQTT-3.1.2-2] wants its own form, for which 5.0 leaves room. */
        refuse(b, conn, MQTT_V311, MQTT_REASON_BAD_VERSION, now);
        return 0;
    }
    reason = result == WIRE_MQTT_DONE ? check_strings(b, c) : mqtt_reason_of(result);
    if (reason) {
        /* 5.0 has codes for what is malformed; 3.1.1 wants no CONNACK [MQTT-3.1.4-1]. */
        if (c->version == MQTT_V50) {
            put_refusal(b, conn, MQTT_V50, reason);
        }
        return reason;
    }
    if (!c->client_id.n) {
        /* [MQTT-3.1.3-8]; 3.1 wants 1 to 23 characters. */
        if (c->version == MQTT_V31 || (c->version == MQTT_V311 && !c->clean)) {
            refuse(b, conn, c->version, MQTT_REASON_BAD_CLIENT_ID, now);
            return 0;
        }
        c->client_id = assign_client_id(b, assigned);
        j.is_assigned = true;
    }
    reason = wire_mqtt_has_prop(&c->props, MQTT_PROP_AUTHENTICATION_METHOD)
             ? MQTT_REASON_BAD_AUTHENTICATION_METHOD : mqtt_access_connect(b, c, &must_ask);
    if (!reason && c->version == MQTT_V50 && c->will_retain && !mqtt_may_retain(b)) {
        reason = MQTT_REASON_NO_RETAIN;             /* [MQTT-3.2.2-13] */
    }
    if (reason) {
        refuse(b, conn, c->version, reason, now);
    } else if (mqtt_journal_is_full(b)) {
        /* Each connection may add to what waits for the disk: none while that is too much. */
        b->stats.journal_full++;
        refuse(b, conn, c->version, MQTT_REASON_BUSY, now);
    } else if (mqtt_is_full(b) && !mqtt_session_find(b, c->client_id)) {
        /* Who has a session may come: it adds little, and only its owner can drain it. */
        b->stats.memory_refused++;
        refuse(b, conn, c->version, MQTT_REASON_QUOTA_EXCEEDED, now);
    } else if (must_ask && progress == PROGRESS_NONE) {
        mqtt_ask_begin(b, conn, frame, c, now);
    } else {
        accept_client(b, conn, &j, now);
    }
    return 0;
}

uint8_t
mqtt_handle_connect(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
                    usec_t now)
{
    b->stats.connects++;
    return judge_connect(b, conn, frame, PROGRESS_NONE, now);
}

void
mqtt_connect_judged(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
                    enum mqtt_verdict verdict, usec_t now)
{
    struct wire_mqtt_connect c;

    /* Its form was found good before it was asked about. */
    wire_mqtt_decode_connect(frame, &c);
    switch (verdict) {
    case MQTT_VERDICT_GOOD: judge_connect(b, conn, frame, PROGRESS_ADMITTED, now); break;
    case MQTT_VERDICT_BAD: refuse(b, conn, c.version, MQTT_REASON_BAD_CREDENTIALS, now); break;
    case MQTT_VERDICT_BUSY: refuse(b, conn, c.version, MQTT_REASON_BUSY, now); break;
    }
}

/* [MQTT-3.14.4-3]: no Will after a normal end, and only then (5.0 [MQTT-3.1.2-8]). */
uint8_t
mqtt_handle_disconnect(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
                       usec_t now)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct wire_mqtt_disconnect d;
    enum wire_mqtt_result result = wire_mqtt_decode_disconnect(frame, c->version, &d);

    struct mqtt_session *s = mqtt_session_at(b, c->session);
    uint32_t expiry_s;

    if (result != WIRE_MQTT_DONE) {
        return mqtt_reason_of(result);
    }
    if (c->version == MQTT_V50) {
        expiry_s = wire_mqtt_prop_number(&d.props, MQTT_PROP_SESSION_EXPIRY, s->expiry_s);
        if (mqtt_v5_check_props(d.props.raw)) {
            return MQTT_REASON_MALFORMED;
        }
        if (expiry_s && !s->expiry_s) {
            return MQTT_REASON_PROTOCOL_ERROR;      /* [MQTT-3.14.2.2.2] */
        }
        s->expiry_s = MP_MIN(expiry_s, max_expiry(&b->config));
    }
    if (d.reason == MQTT_REASON_SUCCESS) {
        mqtt_session_drop_will(b, c->session);
    }
    mqtt_conn_end(b, conn, MQTT_END_CLOSE, 0, now);
    return 0;
}
