/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Reading and building of the prototype's datagrams, out of the pieces of wire/: what is here is
 * where the dialect is no MQTT, and the judgement of what a peer may send.  Stateless. */
#include "peer/codec.h"

#include "base/mem.h"
#include "topic/topic.h"
#include "wire/mqtt_pkt.h"

/* The prototype's UNSUBSCRIBE: UNSUBACK's code, no flags, and a byte too many. */
#define FIRST_UNSUBSCRIBE_PROTOTYPE (MQTT_UNSUBACK << 4)

static enum peer_verdict
read_type(uint8_t first, struct peer_packet *pkt)
{
    uint8_t flags = first & 0x0f;

    switch (first >> 4) {
    case MQTT_SUBSCRIBE:
        pkt->type = PEER_PKT_SUBSCRIBE;
        return flags == 2 ? PEER_OK : PEER_BAD_FLAGS;                    /* [MQTT-3.8.1-1] */

    case MQTT_UNSUBSCRIBE:
        pkt->type = PEER_PKT_UNSUBSCRIBE;
        return flags == 2 ? PEER_OK : PEER_BAD_FLAGS;                    /* [MQTT-3.10.1-1] */

    case MQTT_UNSUBACK:
        pkt->type = PEER_PKT_UNSUBSCRIBE;
        pkt->prototype_form = true;
        return flags == 0 ? PEER_OK : PEER_BAD_FLAGS;

    case MQTT_PUBLISH:
        pkt->type = PEER_PKT_PUBLISH;
        pkt->dup = flags & MQTT_FLAG_DUP;
        pkt->qos = flags >> MQTT_FLAG_QOS_SHIFT & 3;
        pkt->retain = flags & MQTT_FLAG_RETAIN;
        return pkt->qos <= 2 ? PEER_OK : PEER_BAD_FLAGS;                 /* [MQTT-3.3.1-4] */

    default:
        return PEER_BAD_TYPE;
    }
}

static enum peer_verdict
read_publish(struct reader *r, struct peer_packet *pkt)
{
    pkt->topic.n = reader_u16(r);
    pkt->topic.p = reader_bytes(r, pkt->topic.n);
    pkt->packet_id = pkt->qos ? reader_u16(r) : 0;
    if (r->failed) {
        return PEER_BAD_LENGTH;
    }
    pkt->payload.n = (uint32_t) reader_left(r);
    pkt->payload.p = reader_bytes(r, pkt->payload.n);
    return topic_name_is_valid(pkt->topic) ? PEER_OK : PEER_BAD_TOPIC;
}

static enum peer_verdict
read_filters(struct reader *r, struct peer_packet *pkt)
{
    struct slice rest, filter;
    uint8_t qos;

    pkt->packet_id = reader_u16(r);
    if (r->failed) {
        return PEER_BAD_LENGTH;
    }
    rest.n = (uint32_t) reader_left(r);
    rest.p = reader_bytes(r, rest.n);
    if (!rest.n) {
        return PEER_BAD_EMPTY;        /* [MQTT-3.8.3-3], [MQTT-3.10.3-2] */
    }
    pkt->filters = rest;
    while (rest.n) {
        if (!peer_packet_next_filter(pkt, &rest, &filter, &qos)) {
            return PEER_BAD_LENGTH;
        }
        if (!topic_filter_is_valid(filter)) {
            return PEER_BAD_TOPIC;
        }
        if (qos > 2) {
            return PEER_BAD_FLAGS;    /* [MQTT-3-8.3-4] */
        }
    }
    return PEER_OK;
}

bool
peer_packet_next_filter(const struct peer_packet *pkt, struct slice *rest, struct slice *filter,
                        uint8_t *qos)
{
    *qos = 0;
    return wire_mqtt_next_filter(rest, filter, pkt->type == PEER_PKT_SUBSCRIBE ? qos : NULL);
}

enum peer_verdict
peer_packet_parse(struct slice datagram, struct peer_packet *pkt)
{
    struct wire_mqtt_frame frame;
    enum peer_verdict verdict;

    memset(pkt, 0, sizeof *pkt);
    if (!datagram.n) {
        return PEER_BAD_SHORT;
    }
    verdict = read_type(datagram.p[0], pkt);
    if (verdict != PEER_OK) {
        return verdict;
    }

    enum wire_mqtt_result result = wire_mqtt_fixed_header(datagram, &frame);

    if (result != WIRE_MQTT_DONE) {
        return result == WIRE_MQTT_MORE ? PEER_BAD_SHORT : PEER_BAD_LENGTH;
    }
    if (frame.remaining > datagram.n - frame.header_size) {
        return PEER_BAD_SHORT;
    }

    struct reader body = reader_init(datagram.p + frame.header_size, frame.remaining);

    pkt->size = frame.header_size + frame.remaining;
    return pkt->type == PEER_PKT_PUBLISH ? read_publish(&body, pkt) : read_filters(&body, pkt);
}

/* Bytes of a control packet whose remaining length is 'remaining'. */
static size_t
packet_size(uint32_t remaining)
{
    return 1 + wire_mqtt_varint_size(remaining) + remaining;
}

struct mbuf *
peer_build_subscribe(const struct peer_filter *f)
{
    struct mbuf *m = mbuf_create(packet_size(2 + 2 + f->filter.n + 1));
    struct writer w = writer_init(m->data, m->size);

    wire_mqtt_put_subscribe(&w, f->packet_id, f->filter, f->qos);
    mp_assert(!w.failed && w.p == w.end);
    return m;
}

struct mbuf *
peer_build_unsubscribe(const struct peer_filter *f)
{
    struct mbuf *m = mbuf_create(packet_size(2 + 2 + f->filter.n) + 1);
    struct writer w = writer_init(m->data, m->size);

    wire_mqtt_put_unsubscribe(&w, f->packet_id, f->filter);
    m->data[0] = FIRST_UNSUBSCRIBE_PROTOTYPE;
    writer_u8(&w, 0);                 /* Beyond the remaining length, as the prototype does. */
    mp_assert(!w.failed && w.p == w.end);
    return m;
}

size_t
peer_publish_size(const struct peer_publish *pub)
{
    size_t remaining = 2 + (size_t) pub->topic.n + pub->payload.n;

    return remaining > WIRE_MQTT_MAX_REMAINING ? SIZE_MAX : packet_size((uint32_t) remaining);
}

struct mbuf *
peer_build_publish(const struct peer_publish *pub)
{
    struct mbuf *m = mbuf_create(peer_publish_size(pub));
    struct writer w = writer_init(m->data, m->size);
    struct wire_mqtt_publish p = {
        .retain = pub->retain, .topic = pub->topic, .payload = pub->payload,
    };

    wire_mqtt_put_publish(&w, MQTT_V311, &p, (struct slice) { NULL, 0 });
    writer_bytes(&w, pub->payload.p, pub->payload.n);
    mp_assert(!w.failed && w.p == w.end);
    return m;
}
