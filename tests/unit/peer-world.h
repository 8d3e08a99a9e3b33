/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Two peers objects in virtual time, A with a publisher and B with a subscriber, and a path between
 * them that does to chosen datagrams what the test says.  For the tests of the reliable dialect. */
#ifndef MP_UNIT_PEER_WORLD_H
#define MP_UNIT_PEER_WORLD_H 1

#include "base/mem.h"
#include "peer/pdu.h"
#include "peer/peer.h"
#include "unit/tap.h"

#define MSEC CLOCK_MSEC
#define SEC CLOCK_SEC

enum { MAX_DATAGRAMS = 4096 };

struct world {
    struct peers *a, *b;
    usec_t now;
    usec_t path_us;
    uint32_t path_mtu;                /* A larger packet is lost, but comes in fragments. */
    uint32_t n_data, n_acks;          /* That have left. */
    uint32_t n_lost;
    uint32_t n_too_large;
    bool (*loses)(const struct world *, const struct peer_pdu *);
    struct {
        struct mbuf *m;
        usec_t at;
        bool to_b;
    } queue[MAX_DATAGRAMS];
    uint32_t head, tail;
    uint32_t n_got;                   /* Messages at B, in order... */
    bool may_miss;                    /* ...but for some that B may miss... */
    uint32_t n_wrong;                 /* ...and not. */
    uint32_t largest;                 /* Payload. */
    bool is_random;                   /* What payloads say: cannot be compressed. */
};

static inline struct slice
str(const char *s)
{
    return (struct slice) { (const uint8_t *) s, (uint32_t) strlen(s) };
}

/* Of the payload of message 'number'; it begins with the number. */
static inline uint8_t
byte_of(const struct world *w, uint32_t number, uint32_t i)
{
    uint32_t x = (number << 16 ^ i) * 0x9e3779b1u;

    if (i < 4) {
        return (uint8_t) (number >> (24 - 8 * i));
    }
    x = (x ^ x >> 15) * 0x85ebca77u;
    return (uint8_t) (w->is_random ? x >> 13 : number + i);
}

static inline struct ip_addr
addr_of(bool b)
{
    return addr_v4(b ? 0x0a000002 : 0x0a000001);
}

/* B or A, that knows the other one. */
static inline struct peers *
make_with(const struct peer_config *c, bool is_b, usec_t now)
{
    struct peer_spec other = { .addr = addr_of(!is_b), .port = 1883 };
    struct peers *ps = peers_create(c, now);

    mp_assert(!peers_add(ps, &other, now));
    return ps;
}

static inline struct peers *
make(bool is_b, uint64_t seed, uint32_t max_queued, usec_t now)
{
    struct peer_config c;

    peer_config_default(&c);
    c.seed = seed;
    if (!is_b) {
        c.max_pack_bytes = 0;         /* So that sizes are what the tests expect. */
    }
    if (max_queued) {
        c.max_queued_bytes = max_queued;
    }
    return make_with(&c, is_b, now);
}

/* B is another one, that wants the same. */
static inline void
renew_b(struct world *w, struct peers *b)
{
    peers_destroy(w->b);
    w->b = b;
    peers_subscribe(w->b, str("t"), w->now);
}

/* A is another one, with 'config', that knows 'b' only. */
static inline void
renew_a(struct world *w, const struct peer_config *config, const struct peer_spec *b)
{
    peers_destroy(w->a);
    w->a = peers_create(config, w->now);
    mp_assert(!peers_add(w->a, b, w->now));
}

static inline void
take_events(struct world *w)
{
    struct peer_event e;

    while (peers_next_event(w->b, &e)) {
        if (e.type == PEER_EV_PUBLISH) {
            uint32_t number = 0;

            for (int i = 0; i < 4 && e.publish.payload.n >= 4; i++) {
                number = number << 8 | e.publish.payload.p[i];
            }
            if (w->may_miss && number > w->n_got) {
                w->n_got = number;
            }
            w->n_wrong += number != w->n_got;
            for (uint32_t i = 4; i < e.publish.payload.n; i++) {
                w->n_wrong += e.publish.payload.p[i] != byte_of(w, number, i);
            }
            w->largest = MP_MAX(w->largest, e.publish.payload.n);
            w->n_got++;
        }
    }
    while (peers_next_event(w->a, &e)) {
        w->n_wrong += e.type == PEER_EV_PUBLISH;
    }
}

static inline void
put(struct world *w, struct mbuf *m, uint32_t mtu, bool to_b)
{
    struct slice bytes = { m->data, m->size };
    struct peer_pdu pdu = { .type = 0 };

    if (peer_is_pdu(bytes) && !peer_pdu_parse(bytes, &pdu)) {
        w->n_wrong++;
    }
    w->n_data += pdu.type == PEER_PDU_DATA;
    w->n_acks += pdu.type == PEER_PDU_ACK;
    bool is_too_large = m->size + 28 <= mtu && m->size + 28 > w->path_mtu;

    if (is_too_large) {
        w->n_too_large++;
        mbuf_unref(m);
        return;
    }
    if (w->loses && w->loses(w, &pdu)) {
        w->n_lost++;
        mbuf_unref(m);
        return;
    }
    mp_assert(w->tail - w->head < MAX_DATAGRAMS);
    w->queue[w->tail % MAX_DATAGRAMS].m = m;
    w->queue[w->tail % MAX_DATAGRAMS].to_b = to_b;
    w->queue[w->tail++ % MAX_DATAGRAMS].at = w->now + w->path_us;
}

/* One turn of both: what has arrived, what is due, what leaves. */
static inline void
turn(struct world *w)
{
    struct peer_datagram d;

    while (w->head != w->tail && w->queue[w->head % MAX_DATAGRAMS].at <= w->now) {
        struct mbuf *m = w->queue[w->head % MAX_DATAGRAMS].m;
        bool to_b = w->queue[w->head++ % MAX_DATAGRAMS].to_b;
        struct ip_addr from = addr_of(!to_b);

        peers_input(to_b ? w->b : w->a, &from, 1883, PEER_INBAND,
                    (struct slice) { m->data, m->size }, w->now);
        mbuf_unref(m);
        take_events(w);
    }
    for (int i = 0; i < 2; i++) {
        struct peers *ps = i ? w->b : w->a;

        peers_run(ps, w->now);
        while (peers_next_datagram(ps, w->now, &d)) {
            put(w, d.payload, d.mtu, !i);
        }
    }
    take_events(w);
}

static inline void
elapse(struct world *w, usec_t us)
{
    usec_t end = w->now + us;

    for (int turns = 0; ; turns++) {
        usec_t at;

        mp_assert(turns < 1000000);
        turn(w);
        at = clock_min(peers_deadline(w->a), peers_deadline(w->b));
        if (w->head != w->tail) {
            at = clock_min(at, w->queue[w->head % MAX_DATAGRAMS].at);
        }
        if (at > end) {
            w->now = end;
            return;
        }
        w->now = MP_MAX(at, w->now);
    }
}

/* B has subscribed "t" and said that it understands the dialect. */
static inline void
start_with(struct world *w, uint32_t max_queued)
{
    memset(w, 0, sizeof *w);
    w->path_us = 500;
    w->path_mtu = 1500;
    w->a = make(false, 11, max_queued, 0);
    w->b = make(true, 12, max_queued, 0);
    peers_subscribe(w->b, str("t"), 0);
    elapse(w, 60 * SEC);
    w->n_data = w->n_acks = 0;
}

static inline void
start(struct world *w)
{
    start_with(w, 0);
}

static inline void
finish(struct world *w)
{
    is_int(w->n_wrong, 0, "nothing came out of order, twice or damaged");
    while (w->head != w->tail) {
        mbuf_unref(w->queue[w->head++ % MAX_DATAGRAMS].m);
    }
    peers_destroy(w->a);
    peers_destroy(w->b);
}

/* Message 'number' of 'size' bytes. */
static inline bool
publish(struct world *w, uint32_t number, uint32_t size)
{
    uint8_t *payload = mem_alloc(size);
    bool is_congested;

    for (uint32_t i = 0; i < size; i++) {
        payload[i] = byte_of(w, number, i);
    }
    is_congested = peers_publish(w->a, &(struct peer_publish) { str("t"), { payload, size }, false },
                                 w->now);
    mem_free(payload);
    return is_congested;
}

static inline void
publish_many(struct world *w, uint32_t first, uint32_t n, uint32_t size)
{
    for (uint32_t i = 0; i < n; i++) {
        publish(w, first + i, size);
    }
}

static inline bool
loses_all(const struct world *w, const struct peer_pdu *pdu)
{
    (void) w;
    (void) pdu;
    return true;
}

static inline bool
loses_acks(const struct world *w, const struct peer_pdu *pdu)
{
    (void) w;
    return pdu->type == PEER_PDU_ACK;
}

static inline struct peer_info
info_of(const struct peers *ps)
{
    struct peer_info info = { .id = 0 };
    uint32_t pos = 0;

    mp_assert(peers_walk(ps, &pos, &info));
    return info;
}

/* DATA for B, as from A. */
static inline void
inject_to_b(struct world *w, const struct peer_pdu *pdu, const void *body, uint32_t n)
{
    uint8_t *buf = mem_alloc(PEER_PDU_DATA_SIZE + n);
    struct ip_addr a = addr_of(false);

    peer_pdu_write(pdu, buf);
    memcpy(buf + PEER_PDU_DATA_SIZE, body, n);
    peers_input(w->b, &a, 1883, PEER_INBAND, (struct slice) { buf, PEER_PDU_DATA_SIZE + n }, w->now);
    mem_free(buf);
}

/* A datagram that is no DATA for A, as from B. */
static inline void
inject_to_a(struct world *w, const struct peer_pdu *pdu, enum peer_via via)
{
    uint8_t buf[PEER_PDU_ACK_SIZE];
    struct ip_addr b = addr_of(true);

    peers_input(w->a, &b, 1883, via, (struct slice) { buf, peer_pdu_write(pdu, buf) }, w->now);
}

#endif
