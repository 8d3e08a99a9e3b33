/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A persistent broker that dies at random moments, and a disk that then has nothing but what was
 * written: publishers and subscribers of QoS 1 and 2 that lose their connections, delayed commits,
 * batches that reach the disk without anybody being told; and a wall clock that somebody sets, by
 * decades.  A function of the seed.
 *
 * What must hold: nobody who was told that he has a session finds none; every message arrives at
 * every subscriber, those of QoS 2 once and in order; the retained message is the last one, a delayed
 * Will is published; when all is acknowledged, the disk holds nothing that is not needed.
 *
 *     sim-persist [--seed N] [--seeds FIRST N] */
#include "base/mem.h"
#include "base/prng.h"
#include "mqtt/broker.h"
#include "mqtt/journal.h"
#include "unit/tap.h"
#include "wire/mqtt_pkt.h"

#define FIRST_SEED 1
#define N_SEEDS 3000
#define N_PUBLISHERS 2
#define N_SUBSCRIBERS 3
#define N_CLIENTS (N_PUBLISHERS + N_SUBSCRIBERS + 1)
#define WILL_CLIENT (N_CLIENTS - 1)
#define N_MESSAGES 40                 /* Of each publisher. */
#define N_CHAOS 5000                  /* Steps in which things go wrong. */
#define N_CALM 40000                  /* Steps for all to come to rest. */
#define PIPE_SIZE 65536

struct pipe {
    uint8_t bytes[PIPE_SIZE];
    size_t n;
};

enum flight_state { FLIGHT_NONE, FLIGHT_PUBLISHED, FLIGHT_RELEASED, FLIGHT_DONE };

struct client {
    int idx;
    uint8_t version;
    mqtt_id id;                       /* 0: not connected. */
    bool greeted;                     /* CONNACK came on this connection. */
    bool has_session;                 /* CONNACK came once. */
    struct pipe up, down;
    bool goes_down;                   /* The broker said CLOSE. */
    /* Publisher: message n has packet identifier n + 1. */
    uint8_t qos[N_MESSAGES];
    enum flight_state flight[N_MESSAGES];
    int n_published;
    /* Subscriber. */
    bool is_subscribed;
    uint8_t sub_qos;
    uint8_t held[65536 / 8];          /* QoS 2 identifiers that were received. */
    int n_received[N_PUBLISHERS][N_MESSAGES];
    int last_qos2[N_PUBLISHERS];
    int n_wills;
    /* Of the Will. */
    bool is_dead;
};

struct pair {
    uint8_t *key, *value;
    size_t key_n, value_n;
};

struct sim {
    struct prng prng;
    usec_t now, epoch_us;
    struct mqtt_broker *b;
    struct client clients[N_CLIENTS];
    /* The disk, sorted by key; and what is on its way there. */
    struct pair *pairs;
    size_t n_pairs, allocated_pairs;
    struct mqtt_batch queue[1024];
    size_t n_queue;
    uint64_t written;                 /* On the disk; perhaps the broker was not told yet. */
    uint16_t max_inflight;
    uint32_t work_per_turn;           /* Little: a SUBSCRIBE takes several turns. */
    int n_crashes;
    char why[200];
};

#define FAIL(S, ...)                                                                    \
    do {                                                                                \
        if (!(S)->why[0]) {                                                             \
            snprintf((S)->why, sizeof (S)->why, __VA_ARGS__);                           \
        }                                                                               \
    } while (0)

/* ---- The disk ---- */

static int
compare(const struct pair *p, struct slice key)
{
    int c = memcmp(p->key, key.p, MP_MIN(p->key_n, key.n));

    return c ? c : p->key_n < key.n ? -1 : p->key_n > key.n;
}

static void
disk_apply(struct sim *s, const struct mqtt_operation *op)
{
    size_t i = 0;

    while (i < s->n_pairs && compare(&s->pairs[i], op->key) < 0) {
        i++;
    }
    if (i < s->n_pairs && !compare(&s->pairs[i], op->key)) {
        mem_free(s->pairs[i].key);
        mem_free(s->pairs[i].value);
        memmove(&s->pairs[i], &s->pairs[i + 1], (s->n_pairs - i - 1) * sizeof *s->pairs);
        s->n_pairs--;
    }
    if (op->is_put) {
        s->pairs = mem_grow(s->pairs, &s->allocated_pairs, s->n_pairs + 1, sizeof *s->pairs);
        memmove(&s->pairs[i + 1], &s->pairs[i], (s->n_pairs - i) * sizeof *s->pairs);
        s->pairs[i] = (struct pair) {
            mem_dup(op->key.p, op->key.n), mem_dup(op->value.p, op->value.n),
            op->key.n, op->value.n,
        };
        s->n_pairs++;
    }
}

/* One transaction. */
static void
disk_write(struct sim *s)
{
    struct mqtt_batch batch = s->queue[0];
    struct slice rest = { batch.bytes, (uint32_t) batch.n };
    struct mqtt_operation op;

    while (mqtt_batch_next(&rest, &op)) {
        disk_apply(s, &op);
    }
    if (rest.n) {
        FAIL(s, "a batch does not end in an operation");
    }
    s->written = batch.seq;
    mem_free(batch.bytes);
    s->n_queue--;
    memmove(s->queue, s->queue + 1, s->n_queue * sizeof *s->queue);
}

static void
take_batch(struct sim *s)
{
    mqtt_wall_clock(s->b, s->now + s->epoch_us, s->now);
    if (s->n_queue < MP_ARRAY_SIZE(s->queue)
        && mqtt_next_batch(s->b, &s->queue[s->n_queue])) {
        s->n_queue++;
    }
}

static void
start_broker(struct sim *s)
{
    struct mqtt_config config;

    mqtt_config_default(&config);
    config.max_qos = 2;
    config.is_persistent = true;
    config.max_inflight = s->max_inflight;
    config.epoch_us = s->epoch_us;
    config.max_journal_bytes = 4096;
    config.work_per_turn = s->work_per_turn;
    s->b = mqtt_create(&config, s->now);
    for (size_t i = 0; i < s->n_pairs; i++) {
        const struct pair *p = &s->pairs[i];
        const char *why = mqtt_restore(s->b, (struct slice) { p->key, (uint32_t) p->key_n },
                                       (struct slice) { p->value, (uint32_t) p->value_n },
                                       s->now);

        if (why) {
            FAIL(s, "restore of record %zu: %s", i, why);
        }
    }
    mqtt_restored(s->b, s->now);
}

/* ---- Packets of clients ---- */

static void
pipe_put(struct pipe *p, const struct writer *body, uint8_t first)
{
    size_t n = writer_size(body);

    mp_assert(n < 128 && p->n + n + 2 <= PIPE_SIZE);
    p->bytes[p->n++] = first;
    p->bytes[p->n++] = (uint8_t) n;
    memcpy(p->bytes + p->n, body->start, n);
    p->n += n;
}

static void
put_text(struct writer *w, const char *text)
{
    writer_u16(w, (uint16_t) strlen(text));
    writer_bytes(w, text, strlen(text));
}

static void
send_connect(struct client *c)
{
    uint8_t bytes[127];
    struct writer w = writer_init(bytes, sizeof bytes);
    char name[8];
    bool has_will = c->idx == WILL_CLIENT;

    put_text(&w, "MQTT");
    writer_u8(&w, c->version);
    writer_u8(&w, has_will ? 0x04 | 1 << 3 : 0);
    writer_u16(&w, 0);
    if (c->version == 5) {
        writer_u8(&w, 5);
        writer_u8(&w, 17);            /* Session Expiry Interval. */
        writer_u32(&w, has_will ? 1000 : UINT32_MAX);
    }
    snprintf(name, sizeof name, "c%d", c->idx);
    put_text(&w, name);
    if (has_will) {
        writer_u8(&w, 5);
        writer_u8(&w, 24);            /* Will Delay Interval. */
        writer_u32(&w, 5);
        put_text(&w, "t/will");
        put_text(&w, "gone");
    }
    pipe_put(&c->up, &w, 0x10);
}

static void
send_ack(struct client *c, uint8_t first, uint16_t id)
{
    uint8_t bytes[2];
    struct writer w = writer_init(bytes, sizeof bytes);

    writer_u16(&w, id);
    pipe_put(&c->up, &w, first);
}

static void
send_subscribe(struct client *c)
{
    uint8_t bytes[32];
    struct writer w = writer_init(bytes, sizeof bytes);

    writer_u16(&w, 1);
    if (c->version == 5) {
        writer_u8(&w, 2);
        writer_u8(&w, 11);            /* Subscription Identifier. */
        writer_u8(&w, 7);
    }
    put_text(&w, "t/#");
    writer_u8(&w, c->sub_qos);
    pipe_put(&c->up, &w, 0x82);
}

static void
send_publish(struct client *c, int n, uint8_t dup)
{
    uint8_t bytes[64];
    struct writer w = writer_init(bytes, sizeof bytes);
    char payload[16];

    put_text(&w, "t/x");
    writer_u16(&w, (uint16_t) (n + 1));
    if (c->version == 5) {
        writer_u8(&w, 0);
    }
    snprintf(payload, sizeof payload, "%d %d", c->idx, n);
    writer_bytes(&w, payload, strlen(payload));
    /* Every third is retained. */
    pipe_put(&c->up, &w, (uint8_t) (0x30 | c->qos[n] << 1 | dup << 3 | (n % 3 == 0)));
}

/* [MQTT-4.4.0-1]: everything that is not acknowledged, in order. */
static void
resend(struct client *c)
{
    for (int n = 0; n < c->n_published; n++) {
        if (c->flight[n] == FLIGHT_PUBLISHED) {
            send_publish(c, n, 1);
        } else if (c->flight[n] == FLIGHT_RELEASED) {
            send_ack(c, 0x62, (uint16_t) (n + 1));
        }
    }
}

static void
got_publish(struct sim *s, struct client *c, uint8_t first, struct reader *r)
{
    uint8_t qos = first >> 1 & 3;
    uint16_t topic_n = reader_u16(r), id;
    const uint8_t *topic = reader_bytes(r, topic_n);
    char text[32] = "";
    int publisher, n;

    id = qos ? reader_u16(r) : 0;
    if (c->version == 5) {
        reader_bytes(r, reader_u8(r));
    }
    memcpy(text, r->p, MP_MIN(reader_left(r), sizeof text - 1));
    if (qos == 2 && c->held[id / 8] & 1 << id % 8) {
        send_ack(c, 0x50, id);        /* Had it already. */
        return;
    }
    if (qos == 2) {
        c->held[id / 8] |= (uint8_t) (1 << id % 8);
    }
    if (topic_n == 6 && !memcmp(topic, "t/will", 6)) {
        c->n_wills++;
    } else if (sscanf(text, "%d %d", &publisher, &n) != 2 || publisher >= N_PUBLISHERS
               || n >= N_MESSAGES) {
        FAIL(s, "client %d got garbage: \"%s\"", c->idx, text);
    } else {
        bool is_copy = first & 1;     /* The retained one, in answer to SUBSCRIBE. */

        c->n_received[publisher][n] += !is_copy;
        if (qos == 2 && !is_copy) {
            if (c->n_received[publisher][n] > 1) {
                FAIL(s, "client %d got message %d of %d of QoS 2 again", c->idx, n, publisher);
            }
            if (n <= c->last_qos2[publisher]) {
                FAIL(s, "client %d got message %d of %d after %d", c->idx, n, publisher,
                     c->last_qos2[publisher]);
            }
            c->last_qos2[publisher] = n;
        }
    }
    if (qos) {
        send_ack(c, qos == 1 ? 0x40 : 0x50, id);
    }
}

static void
got_connack(struct sim *s, struct client *c, struct reader *r)
{
    bool is_present = reader_u8(r);
    uint8_t code = reader_u8(r);

    if (code) {
        FAIL(s, "client %d was refused: %d", c->idx, code);
    } else if (c->has_session && !is_present && !c->is_dead) {
        FAIL(s, "the session of client %d was forgotten", c->idx);
    }
    c->greeted = c->has_session = true;
    if (c->idx < N_PUBLISHERS) {
        resend(c);
    } else if (c->idx < WILL_CLIENT && !c->is_subscribed) {
        send_subscribe(c);
    }
}

static void
got_packet(struct sim *s, struct client *c, uint8_t first, struct reader *r)
{
    uint16_t id;

    if (!c->greeted && first >> 4 != MQTT_CONNACK) {
        FAIL(s, "client %d got packet type %d before CONNACK", c->idx, first >> 4);
        return;
    }
    switch (first >> 4) {
    case MQTT_CONNACK:
        got_connack(s, c, r);
        break;
    case MQTT_SUBACK:
        c->is_subscribed = true;
        break;
    case MQTT_PUBLISH:
        got_publish(s, c, first, r);
        break;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBCOMP:
        id = reader_u16(r);
        if (!id || id > c->n_published) {
            FAIL(s, "client %d got an acknowledgement of nothing", c->idx);
        } else if (first >> 4 == MQTT_PUBREC) {
            c->flight[id - 1] = FLIGHT_RELEASED;
            send_ack(c, 0x62, id);
        } else {
            c->flight[id - 1] = FLIGHT_DONE;
        }
        break;
    case MQTT_PUBREL:
        id = reader_u16(r);
        c->held[id / 8] &= (uint8_t) ~(1 << id % 8);
        send_ack(c, 0x70, id);
        break;
    default:
        break;
    }
}

/* All whole packets that arrived. */
static void
client_read(struct sim *s, struct client *c)
{
    struct pipe *p = &c->down;
    size_t at = 0;

    for (;;) {
        struct wire_mqtt_frame frame;

        if (wire_mqtt_fixed_header((struct slice) { p->bytes + at, (uint32_t) (p->n - at) },
                                   &frame) != WIRE_MQTT_DONE
            || p->n - at < frame.header_size + frame.remaining) {
            break;
        }
        struct reader r = reader_init(p->bytes + at + frame.header_size, frame.remaining);

        got_packet(s, c, p->bytes[at], &r);
        at += frame.header_size + frame.remaining;
    }
    p->n -= at;
    memmove(p->bytes, p->bytes + at, p->n);
}

/* ---- Between clients and the broker ---- */

/* Is what is on its way down yet to arrive, in part? */
static void
cut(struct sim *s, struct client *c)
{
    c->down.n = prng_below(&s->prng, (uint32_t) c->down.n + 1);
    client_read(s, c);
    c->up.n = c->down.n = 0;
    c->id = 0;
    c->greeted = c->goes_down = false;
    if (c->idx == WILL_CLIENT && c->has_session) {
        c->is_dead = true;
    }
}

static void
drain(struct sim *s)
{
    struct mqtt_event e;

    while (mqtt_next_event(s->b, &e)) {
        if (e.type == MQTT_EV_CLOSE || e.type == MQTT_EV_ABORT) {
            s->clients[e.user].goes_down = s->clients[e.user].id == e.conn;
        }
    }
}

static void
pull(struct sim *s, struct client *c)
{
    struct mqtt_output out;

    while (c->id && c->down.n < PIPE_SIZE / 2
           && mqtt_next_output(s->b, c->id, 1400, s->now, &out)) {
        struct pipe *p = &c->down;

        memcpy(p->bytes + p->n, out.head, out.head_n);
        p->n += out.head_n;
        if (out.extra) {
            memcpy(p->bytes + p->n, out.extra->data, out.extra->size);
            p->n += out.extra->size;
            mbuf_unref(out.extra);
        }
        if (out.body) {
            memcpy(p->bytes + p->n, out.body->data + out.body_off, out.body_n);
            p->n += out.body_n;
            mbuf_unref(out.body);
        }
    }
}

static void
step_client(struct sim *s, struct client *c)
{
    bool all_listen = s->clients[N_PUBLISHERS].is_subscribed
                      && s->clients[N_PUBLISHERS + 1].is_subscribed
                      && s->clients[N_PUBLISHERS + 2].is_subscribed;

    if (c->is_dead || (c->idx == WILL_CLIENT && !all_listen)) {
        return;
    }
    if (!c->id) {
        struct mqtt_origin origin = { .tcp_port = 1 };

        c->id = mqtt_open(s->b, &origin, (uint32_t) c->idx, s->now);
        send_connect(c);
        return;
    }
    switch (prng_below(&s->prng, 3)) {
    case 0:
        if (c->up.n) {
            uint32_t n = 1 + prng_below(&s->prng, (uint32_t) c->up.n);

            mqtt_input(s->b, c->id, c->up.bytes, n, s->now);
            c->up.n -= n;
            memmove(c->up.bytes, c->up.bytes + n, c->up.n);
            drain(s);
        }
        break;
    case 1:
        pull(s, c);
        client_read(s, c);
        break;
    default:
        if (prng_below(&s->prng, 8)) {
            break;                    /* Not all at once: it is to last. */
        }
        if (c->idx < N_PUBLISHERS && c->greeted && c->n_published < N_MESSAGES && all_listen) {
            int n = c->n_published++;

            c->qos[n] = (uint8_t) (1 + prng_below(&s->prng, 2));
            c->flight[n] = FLIGHT_PUBLISHED;
            send_publish(c, n, 0);
        }
        break;
    }
    if (c->goes_down && !c->down.n) {
        mqtt_closed(s->b, c->id, s->now);
        cut(s, c);
    }
}

static void
crash(struct sim *s)
{
    uint32_t n_reach = prng_below(&s->prng, (uint32_t) s->n_queue + 1);

    /* Batches reach the disk in their order; who was to be told is dead. */
    while (n_reach--) {
        disk_write(s);
    }
    while (s->n_queue) {
        mem_free(s->queue[--s->n_queue].bytes);
    }
    for (int i = 0; i < N_CLIENTS; i++) {
        cut(s, &s->clients[i]);
    }
    mqtt_destroy(s->b);
    /* Another boot, another monotonic clock. */
    s->epoch_us += s->now;
    s->now = prng_below(&s->prng, 1000) * CLOCK_SEC;
    s->epoch_us -= s->now - prng_below(&s->prng, 2) * CLOCK_SEC;
    s->written = 0;
    s->n_crashes++;
    start_broker(s);
    drain(s);
}

/* What the broker notes of it reaches the disk before the next crash. */
static void
set_clock(struct sim *s)
{
    s->epoch_us = (1000000000 + prng_below(&s->prng, 1000000000)) * CLOCK_SEC - s->now;
    take_batch(s);
    while (s->n_queue) {
        disk_write(s);
    }
}

static void
step(struct sim *s, bool is_chaos)
{
    uint32_t dice = prng_below(&s->prng, 1000);
    struct client *c = &s->clients[prng_below(&s->prng, N_CLIENTS)];

    s->now += prng_below(&s->prng, 20) * CLOCK_MSEC;
    mqtt_run(s->b, s->now);
    drain(s);
    if (is_chaos && dice < 4) {
        crash(s);
    } else if (is_chaos && dice < 12) {
        if (c->id) {
            mqtt_closed(s->b, c->id, s->now);
            drain(s);
            cut(s, c);
        }
    } else if (is_chaos && dice < 15) {
        set_clock(s);
    } else if (dice < 150) {
        take_batch(s);
    } else if (dice < 220) {
        if (s->n_queue) {
            disk_write(s);
        }
    } else if (dice < 290) {
        if (s->written) {
            mqtt_durable(s->b, s->written, s->now);
            drain(s);
        }
    } else {
        step_client(s, c);
    }
}

/* ---- What must hold ---- */

static bool
is_at_rest(const struct sim *s)
{
    for (int i = 0; i < N_PUBLISHERS; i++) {
        for (int n = 0; n < N_MESSAGES; n++) {
            if (s->clients[i].flight[n] != FLIGHT_DONE) {
                return false;
            }
        }
    }
    if (s->n_queue || !s->clients[WILL_CLIENT].is_dead) {
        return false;
    }
    for (int i = N_PUBLISHERS; i < WILL_CLIENT; i++) {
        const struct client *c = &s->clients[i];

        if (!c->is_subscribed || !c->n_wills || c->up.n || c->down.n) {
            return false;
        }
        for (int p = 0; p < N_PUBLISHERS; p++) {
            for (int n = 0; n < N_MESSAGES; n++) {
                if (!c->n_received[p][n]) {
                    return false;
                }
            }
        }
    }
    for (size_t i = 0; i < s->n_pairs; i++) {
        if (s->pairs[i].key[0] == MQTT_RECORD_OUTBOUND
            || s->pairs[i].key[0] == MQTT_RECORD_INBOUND) {
            return false;
        }
    }
    return true;
}

/* Nothing but what is needed: sessions, subscriptions, one retained message. */
static void
check_disk(struct sim *s)
{
    int n[8] = { 0 };

    for (size_t i = 0; i < s->n_pairs; i++) {
        n[s->pairs[i].key[0] & 7]++;
    }
    if (n[MQTT_RECORD_MESSAGE] != 1 || n[MQTT_RECORD_RETAINED] != 1
        || n[MQTT_RECORD_SUBSCRIPTION] != N_SUBSCRIBERS || n[MQTT_RECORD_INBOUND]
        || n[MQTT_RECORD_OUTBOUND] || n[MQTT_RECORD_WILL]
        || n[MQTT_RECORD_SESSION] != N_CLIENTS) {
        FAIL(s, "left on the disk: %d messages, %d sessions, %d subscriptions, %d in, %d out, "
             "%d retained, %d Wills", n[1], n[2], n[3], n[4], n[5], n[6], n[7]);
    }
}

static void
check_messages(struct sim *s)
{
    for (int i = N_PUBLISHERS; i < WILL_CLIENT; i++) {
        const struct client *c = &s->clients[i];

        for (int p = 0; p < N_PUBLISHERS; p++) {
            for (int n = 0; n < N_MESSAGES; n++) {
                if (!c->n_received[p][n]) {
                    FAIL(s, "client %d never got message %d of %d (QoS %d)", i, n, p,
                         s->clients[p].qos[n]);
                }
            }
        }
    }
}

static void
setup(struct sim *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    prng_init(&s->prng, seed);
    s->now = 1 + prng_below(&s->prng, 1000) * CLOCK_SEC;
    s->epoch_us = 1000000000 * CLOCK_SEC;
    s->max_inflight = (uint16_t) (1 + prng_below(&s->prng, 12));
    s->work_per_turn = 1 + prng_below(&s->prng, 30);
    for (int i = 0; i < N_CLIENTS; i++) {
        struct client *c = &s->clients[i];

        c->idx = i;
        c->version = i == WILL_CLIENT || prng_below(&s->prng, 2) ? 5 : 4;
        c->sub_qos = i == N_PUBLISHERS ? 2 : (uint8_t) (1 + prng_below(&s->prng, 2));
        c->last_qos2[0] = c->last_qos2[1] = -1;
    }
    /* 5.0 clients of a small Receive Maximum have to keep to it: these do not. */
    s->clients[0].version = s->clients[1].version = 4;
    start_broker(s);
}

static bool
run_seed(uint64_t seed, bool verbose)
{
    struct sim *s = mem_alloc(sizeof *s);
    bool good;

    setup(s, seed);
    for (int i = 0; i < N_CHAOS && !s->why[0]; i++) {
        step(s, true);
    }
    /* The one with the Will goes, if it has not gone yet. */
    for (int i = 0; i < N_CALM && !s->why[0] && !is_at_rest(s); i++) {
        struct client *w = &s->clients[WILL_CLIENT];

        if (w->id && w->has_session) {
            mqtt_closed(s->b, w->id, s->now);
            cut(s, w);
        }
        step(s, false);
    }
    check_messages(s);
    check_disk(s);
    if (!is_at_rest(s)) {
        FAIL(s, "it does not come to rest");
    }
    /* Whatever comes now comes again. */
    for (int i = 0; i < N_CALM / 40 && !s->why[0]; i++) {
        step(s, false);
    }
    crash(s);                         /* What is on the disk can be read. */
    good = !s->why[0];
    if (!good || verbose) {
        diag("seed %llu, %d crashes: %s", (unsigned long long) seed, s->n_crashes,
             good ? "good" : s->why);
    }
    mqtt_destroy(s->b);
    while (s->n_queue) {
        mem_free(s->queue[--s->n_queue].bytes);
    }
    for (size_t i = 0; i < s->n_pairs; i++) {
        mem_free(s->pairs[i].key);
        mem_free(s->pairs[i].value);
    }
    mem_free(s->pairs);
    mem_free(s);
    return good;
}

int
main(int argc, char *argv[])
{
    uint64_t first = FIRST_SEED, n = N_SEEDS, n_failed = 0;

    if (argc >= 3 && !strcmp(argv[1], "--seed")) {
        ok(run_seed(strtoull(argv[2], NULL, 0), true), "seed %s", argv[2]);
        return done_testing();
    }
    if (argc >= 4 && !strcmp(argv[1], "--seeds")) {
        first = strtoull(argv[2], NULL, 0);
        n = strtoull(argv[3], NULL, 0);
    }
    for (uint64_t seed = first; seed < first + n && n_failed < 10; seed++) {
        n_failed += !run_seed(seed, false);
    }
    ok(!n_failed, "seeds %llu to %llu: QoS 1 arrives, QoS 2 once, whenever the broker dies",
       (unsigned long long) first, (unsigned long long) (first + n - 1));
    return done_testing();
}
