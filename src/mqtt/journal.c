/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/journal.h"

#include "base/siphash.h"

#define CHECK_SIZE 4u
#define BATCH_HEAD_SIZE 9u

/* Flags of a message. */
#define MESSAGE_QOS 0x03
#define MESSAGE_RETAIN 0x04
#define MESSAGE_EXPIRY_SHIFT 3

static void
writer_u64(struct writer *w, uint64_t v)
{
    writer_u32(w, (uint32_t) (v >> 32));
    writer_u32(w, (uint32_t) v);
}

static uint64_t
reader_u64(struct reader *r)
{
    uint64_t high = reader_u32(r);

    return high << 32 | reader_u32(r);
}

static struct slice
reader_slice(struct reader *r, size_t n)
{
    const uint8_t *p = reader_bytes(r, n);

    return (struct slice) { p, p ? (uint32_t) n : 0 };
}

static void
writer_slice(struct writer *w, struct slice s)
{
    writer_bytes(w, s.p, s.n);
}

/* Not against people: whoever can write the file can compute it. */
static uint32_t
checksum(struct slice key, struct slice value)
{
    static const struct siphash_key k = { 0x6f76732d6d717474, 0x2d6a6f75726e616c };
    struct siphash_key of_value = { siphash(&k, key.p, key.n), k.k1 };

    return (uint32_t) siphash(&of_value, value.p, value.n);
}

size_t
mqtt_record_size(const struct mqtt_record *r)
{
    return BATCH_HEAD_SIZE + 64 + (size_t) r->topic.n + r->props.n + r->payload.n + r->client_id.n
           + r->username.n + r->sub_ids.n + r->origin.n + CHECK_SIZE;
}

static void
put_key(struct writer *w, const struct mqtt_record *r)
{
    writer_u8(w, (uint8_t) r->type);
    if (r->type == MQTT_RECORD_MESSAGE) {
        writer_u64(w, r->message);
    } else if (r->type != MQTT_RECORD_RETAINED && r->type != MQTT_RECORD_CLOCK) {
        writer_u64(w, r->session);
    }
    switch (r->type) {
    case MQTT_RECORD_SUBSCRIPTION:
    case MQTT_RECORD_RETAINED: writer_slice(w, r->topic); break;
    case MQTT_RECORD_INBOUND: writer_u16(w, r->packet_id); break;
    case MQTT_RECORD_OUTBOUND: writer_u32(w, r->order); break;
    case MQTT_RECORD_CLOCK:
    case MQTT_RECORD_MESSAGE:
    case MQTT_RECORD_SESSION:
    case MQTT_RECORD_WILL: break;
    }
}

static void
put_value(struct writer *w, const struct mqtt_record *r)
{
    switch (r->type) {
    case MQTT_RECORD_CLOCK:
        writer_u64(w, (uint64_t) r->correction);
        writer_u64(w, (uint64_t) r->noted_at);
        break;

    case MQTT_RECORD_MESSAGE:
        writer_u8(w, (uint8_t) (r->qos | (r->retain ? MESSAGE_RETAIN : 0)
                                | r->expiry << MESSAGE_EXPIRY_SHIFT));
        writer_u64(w, (uint64_t) r->expires);
        writer_u16(w, (uint16_t) r->topic.n);
        writer_slice(w, r->topic);
        writer_u32(w, r->props.n);
        writer_slice(w, r->props);
        writer_slice(w, r->payload);
        break;

    case MQTT_RECORD_SESSION:
        writer_u8(w, r->version);
        writer_u32(w, r->expiry_s);
        writer_u64(w, (uint64_t) r->parted_at);
        writer_u16(w, (uint16_t) r->client_id.n);
        writer_slice(w, r->client_id);
        writer_u16(w, (uint16_t) r->username.n);
        writer_slice(w, r->username);
        break;

    case MQTT_RECORD_SUBSCRIPTION:
        writer_u32(w, r->value);
        break;

    case MQTT_RECORD_INBOUND:
        break;

    case MQTT_RECORD_OUTBOUND:
        writer_u64(w, r->message);
        writer_u16(w, r->packet_id);
        writer_u8(w, r->qos);
        writer_u8(w, r->flags);
        writer_slice(w, r->sub_ids);
        break;

    case MQTT_RECORD_RETAINED:
        writer_u64(w, r->message);
        break;

    case MQTT_RECORD_WILL:
        writer_u64(w, r->message);
        writer_u32(w, r->delay_s);
        writer_slice(w, r->origin);
        break;
    }
}

/* The sizes are known last. */
static void
put_operation(struct writer *w, const struct mqtt_record *r, bool is_put)
{
    uint8_t *head = writer_room(w, BATCH_HEAD_SIZE);
    struct slice key = { w->p, 0 }, value;

    if (!head) {
        return;
    }
    put_key(w, r);
    key.n = (uint32_t) (w->p - key.p);
    value = (struct slice) { w->p, 0 };
    if (is_put) {
        put_value(w, r);
        value.n = (uint32_t) (w->p - value.p);
        writer_u32(w, checksum(key, value));
        value.n += CHECK_SIZE;
    }

    struct writer h = writer_init(head, BATCH_HEAD_SIZE);

    writer_u8(&h, is_put);
    writer_u32(&h, key.n);
    writer_u32(&h, value.n);
}

void
mqtt_record_put(struct writer *w, const struct mqtt_record *r)
{
    put_operation(w, r, true);
}

void
mqtt_record_delete(struct writer *w, const struct mqtt_record *r)
{
    put_operation(w, r, false);
}

bool
mqtt_batch_next(struct slice *rest, struct mqtt_operation *op)
{
    struct reader r = reader_init(rest->p, rest->n);
    uint32_t key_n, value_n;

    op->is_put = reader_u8(&r);
    key_n = reader_u32(&r);
    value_n = reader_u32(&r);
    op->key = reader_slice(&r, key_n);
    op->value = reader_slice(&r, value_n);
    if (r.failed) {
        return false;
    }
    *rest = (struct slice) { r.p, (uint32_t) reader_left(&r) };
    return true;
}

static bool
get_key(struct reader *k, struct mqtt_record *r)
{
    uint8_t type = reader_u8(k);

    if (type > MQTT_RECORD_WILL) {
        return false;
    }
    r->type = (enum mqtt_record_type) type;
    if (r->type == MQTT_RECORD_MESSAGE) {
        r->message = reader_u64(k);
    } else if (r->type != MQTT_RECORD_RETAINED && r->type != MQTT_RECORD_CLOCK) {
        r->session = reader_u64(k);
    }
    switch (r->type) {
    case MQTT_RECORD_SUBSCRIPTION:
    case MQTT_RECORD_RETAINED: r->topic = reader_slice(k, reader_left(k)); break;
    case MQTT_RECORD_INBOUND: r->packet_id = reader_u16(k); break;
    case MQTT_RECORD_OUTBOUND: r->order = reader_u32(k); break;
    case MQTT_RECORD_CLOCK:
    case MQTT_RECORD_MESSAGE:
    case MQTT_RECORD_SESSION:
    case MQTT_RECORD_WILL: break;
    }
    return !k->failed && !reader_left(k);
}

static void
get_message(struct reader *v, struct mqtt_record *r)
{
    uint8_t flags = reader_u8(v);

    r->qos = flags & MESSAGE_QOS;
    r->retain = flags & MESSAGE_RETAIN;
    r->expiry = (enum mqtt_expiry) (flags >> MESSAGE_EXPIRY_SHIFT);
    r->expires = (usec_t) reader_u64(v);
    r->topic = reader_slice(v, reader_u16(v));
    r->props = reader_slice(v, reader_u32(v));
    r->payload = reader_slice(v, reader_left(v));
    v->failed = v->failed || r->qos > 2 || r->expiry > MQTT_EXPIRY_AFTER || !r->topic.n;
}

static void
get_value(struct reader *v, struct mqtt_record *r)
{
    switch (r->type) {
    case MQTT_RECORD_CLOCK:
        r->correction = (usec_t) reader_u64(v);
        r->noted_at = (usec_t) reader_u64(v);
        break;

    case MQTT_RECORD_MESSAGE:
        get_message(v, r);
        break;

    case MQTT_RECORD_SESSION:
        r->version = reader_u8(v);
        r->expiry_s = reader_u32(v);
        r->parted_at = (usec_t) reader_u64(v);
        r->client_id = reader_slice(v, reader_u16(v));
        r->username = reader_slice(v, reader_u16(v));
        break;

    case MQTT_RECORD_SUBSCRIPTION:
        r->value = reader_u32(v);
        break;

    case MQTT_RECORD_INBOUND:
        break;

    case MQTT_RECORD_OUTBOUND:
        r->message = reader_u64(v);
        r->packet_id = reader_u16(v);
        r->qos = reader_u8(v);
        r->flags = reader_u8(v);
        r->sub_ids = reader_slice(v, reader_left(v));
        v->failed = v->failed || !r->qos || r->qos > 2 || r->sub_ids.n % 4;
        break;

    case MQTT_RECORD_RETAINED:
        r->message = reader_u64(v);
        break;

    case MQTT_RECORD_WILL:
        r->message = reader_u64(v);
        r->delay_s = reader_u32(v);
        r->origin = reader_slice(v, MQTT_RECORD_ORIGIN_SIZE);
        break;
    }
}

bool
mqtt_record_decode(struct slice key, struct slice value, struct mqtt_record *r)
{
    struct reader k = reader_init(key.p, key.n), v, check;

    memset(r, 0, sizeof *r);
    if (value.n < CHECK_SIZE || !get_key(&k, r)) {
        return false;
    }
    value.n -= CHECK_SIZE;
    check = reader_init(value.p + value.n, CHECK_SIZE);
    if (reader_u32(&check) != checksum(key, value)) {
        return false;
    }
    v = reader_init(value.p, value.n);
    get_value(&v, r);
    return !v.failed && !reader_left(&v);
}
