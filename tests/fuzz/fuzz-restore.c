/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: what a persistent broker reads back.  The input is a batch (mqtt/journal.h), taken
 * apart and put into the order of keys as the store would, checksums made good for every other
 * value of the first byte, so that what is behind them is reached.  A broker that takes it must be
 * whole: clients resume every session, and what it then writes in batches must be taken by another.
 * Links libmqtt, libtopic, libwire and libbase. */
#include "base/mem.h"
#include "base/siphash.h"
#include "fuzz/fuzz.h"
#include "mqtt/broker.h"
#include "mqtt/journal.h"

#define MAX_RECORDS 128
#define NOW (1000 * CLOCK_SEC)

struct record {
    struct slice key, value;
    uint8_t *good;                    /* The value with a checksum that fits, or NULL. */
};
struct store {
    struct record records[MAX_RECORDS];
    size_t n;
};

static int
compare(struct slice a, struct slice b)
{
    int order = memcmp(a.p, b.p, MP_MIN(a.n, b.n));

    return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

static void
drop(struct store *s, size_t i)
{
    mem_free(s->records[i].good);
    s->n--;
    memmove(&s->records[i], &s->records[i + 1], (s->n - i) * sizeof s->records[0]);
}

static void
apply(struct store *s, const struct mqtt_operation *op)
{
    size_t i = 0;

    while (i < s->n && compare(s->records[i].key, op->key) < 0) {
        i++;
    }
    if (i < s->n && !compare(s->records[i].key, op->key)) {
        drop(s, i);
    }
    if (op->is_put && s->n < MAX_RECORDS) {
        memmove(&s->records[i + 1], &s->records[i], (s->n - i) * sizeof s->records[0]);
        s->records[i] = (struct record) { op->key, op->value, NULL };
        s->n++;
    }
}

static void
clear(struct store *s)
{
    while (s->n) {
        drop(s, s->n - 1);
    }
}

/* Replaces the last 4 bytes of a value by its checksum, as mqtt/journal.c computes it. */
static void
mend(struct record *r)
{
    static const struct siphash_key k = { 0x6f76732d6d717474, 0x2d6a6f75726e616c };
    struct siphash_key of_value = { 0, k.k1 };
    uint32_t sum;
    uint8_t *good;

    if (!r->key.n || r->value.n < 4) {
        return;
    }
    of_value.k0 = siphash(&k, r->key.p, r->key.n);
    sum = (uint32_t) siphash(&of_value, r->value.p, r->value.n - 4);
    good = mem_dup(r->value.p, r->value.n);
    for (int i = 0; i < 4; i++) {
        good[r->value.n - 4 + (uint32_t) i] = (uint8_t) (sum >> (24 - 8 * i));
    }
    r->good = good;
    r->value.p = good;
}

static struct mqtt_broker *
restore(const struct store *s)
{
    struct mqtt_config config;
    struct mqtt_broker *b;
    const char *why = NULL;

    mqtt_config_default(&config);
    config.is_persistent = true;
    config.max_sessions = 20;
    config.max_subscriptions = 20;
    config.max_retained = 20;
    b = mqtt_create(&config, NOW);
    for (size_t i = 0; i < s->n && !why; i++) {
        why = mqtt_restore(b, s->records[i].key, s->records[i].value, NOW);
    }
    if (why) {
        mqtt_destroy(b);
        return NULL;
    }
    mqtt_restored(b, NOW);
    return b;
}

static void
drain(struct mqtt_broker *b, usec_t now)
{
    struct mqtt_output out;
    struct mqtt_event ev;
    uint32_t user;
    mqtt_id id;

    for (bool again = true; again; ) {
        again = false;
        while (mqtt_next_event(b, &ev)) {
        }
        while (mqtt_next_ready(b, &id, &user)) {
            again = true;
            while (mqtt_next_output(b, id, 1460, now, &out)) {
                if (out.extra) {
                    mbuf_unref(out.extra);
                }
                if (out.body) {
                    mbuf_unref(out.body);
                }
            }
        }
    }
}

/* Applies what the broker has written; the bytes go to 'kept'. */
static void
save(struct mqtt_broker *b, struct store *s, uint8_t *kept[], size_t *n_kept, usec_t now)
{
    struct mqtt_batch batch;

    while (*n_kept < 64 && mqtt_next_batch(b, &batch)) {
        struct slice rest = { batch.bytes, (uint32_t) batch.n };
        struct mqtt_operation op;

        while (mqtt_batch_next(&rest, &op)) {
            apply(s, &op);
        }
        mp_assert(!rest.n);
        kept[(*n_kept)++] = batch.bytes;
        mqtt_durable(b, batch.seq, now);
        drain(b, now);
    }
}

/* Every session is resumed by its client, which takes what waits and acknowledges nothing. */
static void
resume(struct mqtt_broker *b, usec_t now)
{
    struct mqtt_session_info info;
    struct mqtt_origin origin = { .tcp_port = 1 };
    uint8_t names[32][256];
    uint32_t sizes[32], pos = 0, n = 0;

    while (n < 32 && mqtt_walk_sessions(b, &pos, &info)) {
        sizes[n] = info.client_id.n;
        if (sizes[n] <= sizeof names[0] - 20) {
            memcpy(names[n++], info.client_id.p, info.client_id.n);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        uint8_t bytes[300];
        struct writer w = writer_init(bytes, sizeof bytes);
        uint32_t size = 12 + sizes[i];

        writer_u8(&w, 0x10);
        if (size > 127) {
            writer_u8(&w, (uint8_t) (0x80 | (size & 0x7f)));
            writer_u8(&w, (uint8_t) (size >> 7));
        } else {
            writer_u8(&w, (uint8_t) size);
        }
        writer_bytes(&w, "\0\4MQTT\4\0\0\0", 10);
        writer_u16(&w, (uint16_t) sizes[i]);
        writer_bytes(&w, names[i], sizes[i]);
        mqtt_input(b, mqtt_open(b, &origin, 0, now), bytes, writer_size(&w), now);
        drain(b, now);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    bool must_mend = fuzz_take_u8(&in) & 1;
    struct slice rest = { in.data, (uint32_t) in.size };
    struct store s = { .n = 0 };
    struct mqtt_operation op;
    struct mqtt_broker *b;
    uint8_t *kept[64];
    size_t n_kept = 0;

    while (mqtt_batch_next(&rest, &op)) {
        mp_assert(op.key.p >= in.data && op.value.p + op.value.n <= in.data + in.size);
        apply(&s, &op);
    }
    for (size_t i = 0; i < s.n && must_mend; i++) {
        mend(&s.records[i]);
    }
    b = restore(&s);
    if (b) {
        struct mqtt_memory before, after;
        struct mqtt_broker *second;

        save(b, &s, kept, &n_kept, NOW);
        second = restore(&s);
        mp_assert(second || s.n == MAX_RECORDS);
        if (second) {
            mqtt_memory(b, &before);
            mqtt_memory(second, &after);
            mp_assert(before.n_sessions == after.n_sessions
                      && before.n_subscriptions == after.n_subscriptions
                      && before.n_retained == after.n_retained);
            mqtt_destroy(second);
        }
        resume(b, NOW);
        save(b, &s, kept, &n_kept, NOW);
        mqtt_run(b, NOW + 1000 * CLOCK_SEC);
        drain(b, NOW + 1000 * CLOCK_SEC);
        mqtt_destroy(b);
    }
    clear(&s);
    while (n_kept) {
        mem_free(kept[--n_kept]);
    }
    return 0;
}
