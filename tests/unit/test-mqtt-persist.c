/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What waits for the disk and what does not; what a restart brings back, and when it is too late; a
 * wall clock that is set meanwhile; the limit of what may wait.  The disk is a list of records that
 * `disk()` brings up to date.  The notation is in mqtt-script.h. */
#include "unit/mqtt-script.h"

#include "mqtt/journal.h"

struct kept {
    uint8_t *bytes;
    uint32_t key_n, value_n;
};
static struct kept kept[256];
static size_t n_kept;
static uint64_t last_seq;

static struct mqtt_config
config_of(usec_t epoch_us)
{
    struct mqtt_config config;

    mqtt_config_default(&config);
    config.max_qos = 2;
    config.is_persistent = true;
    config.epoch_us = epoch_us;
    config.max_journal_bytes = 2000;
    return config;
}

static int
compare(const struct kept *k, struct slice key)
{
    int c = memcmp(k->bytes, key.p, MP_MIN(k->key_n, key.n));

    return c ? c : k->key_n < key.n ? -1 : k->key_n > key.n;
}

static void
keep(const struct mqtt_operation *op)
{
    size_t i = 0;

    while (i < n_kept && compare(&kept[i], op->key) < 0) {
        i++;
    }
    if (i < n_kept && !compare(&kept[i], op->key)) {
        mem_free(kept[i].bytes);
        memmove(&kept[i], &kept[i + 1], (--n_kept - i) * sizeof *kept);
    }
    if (op->is_put) {
        memmove(&kept[i + 1], &kept[i], (n_kept++ - i) * sizeof *kept);
        kept[i].bytes = mem_alloc(op->key.n + op->value.n);
        kept[i].key_n = op->key.n;
        kept[i].value_n = op->value.n;
        memcpy(kept[i].bytes, op->key.p, op->key.n);
        memcpy(kept[i].bytes + op->key.n, op->value.p, op->value.n);
    }
}

/* Writes what the broker has for the disk, without telling it. */
static void
write_all(struct script *t)
{
    struct mqtt_batch batch;

    while (mqtt_next_batch(t->b, &batch)) {
        struct slice rest = { batch.bytes, (uint32_t) batch.n };
        struct mqtt_operation op;

        while (mqtt_batch_next(&rest, &op)) {
            keep(&op);
        }
        last_seq = batch.seq;
        mem_free(batch.bytes);
    }
}

static void
disk(struct script *t)
{
    write_all(t);
    mqtt_durable(t->b, last_seq, t->now);
    script_drain(t);
}

static void
begin(struct script *t, const char *name, const struct mqtt_config *config)
{
    last_seq = 0;
    script_begin(t, name, config);
    for (size_t i = 0; i < n_kept; i++) {
        const struct kept *k = &kept[i];
        const char *why = mqtt_restore(t->b, (struct slice) { k->bytes, k->key_n },
                                       (struct slice) { k->bytes + k->key_n, k->value_n },
                                       t->now);

        if (why) {
            fail("%s: %s", name, why);
        }
    }
    mqtt_restored(t->b, t->now);
    script_drain(t);
}

static void
forget(void)
{
    while (n_kept) {
        mem_free(kept[--n_kept].bytes);
    }
}

static void
test_waiting(void)
{
    struct mqtt_config config = config_of(0);
    struct script t;

    begin(&t, "answers wait for the disk", &config);
    script_lines(&t, "c1 > CONNECT id=a clean=0\n"
                     "c1 < nothing\n");
    disk(&t);
    script_lines(&t, "c1 < CONNACK 0 0\n"
                     "c1 > SUBSCRIBE id=1 t/#:2\n"
                     "c1 < nothing\n");
    write_all(&t);
    script_lines(&t, "c1 < nothing\n");
    disk(&t);
    script_lines(&t, "c1 < SUBACK id=1 2\n"
                     "c2 > CONNECT id=b\n"
                     "c2 < CONNACK 0 0\n"
                     "c2 > PUBLISH u qos=1 id=1 nobody\n"
                     "c2 < PUBACK id=1\n"
                     "c2 > PUBLISH t/1 qos=1 id=2 x\n"
                     "c2 < nothing\n"
                     "c2 > PUBLISH u qos=1 id=3 nobody\n"
                     "c2 < nothing\n"
                     "c1 < PUBLISH t/1 qos=1 id=1 x\n"
                     "c2 > PUBLISH t/2 qos=2 id=4 y\n"
                     "c1 < nothing\n"
                     "c2 > PUBLISH t/3 z\n"
                     "c1 < PUBLISH t/3 z\n");
    disk(&t);
    script_lines(&t, "c2 < PUBACK id=2\n"
                     "c2 < PUBACK id=3\n"
                     "c2 < PUBREC id=4\n"
                     "c1 < PUBLISH t/2 qos=2 id=2 y\n"
                     "c1 > PUBREC id=2\n"
                     "c1 < nothing\n");
    disk(&t);
    script_lines(&t, "c1 < PUBREL id=2\n"
                     "c1 > PUBCOMP id=2\n"
                     "c1 > PUBACK id=1\n");
    disk(&t);
    is_int(n_kept, 2, "a session and its subscription stay");
    script_lines(&t, "c1 > PUBLISH t/x qos=1 id=9 last\n"
                     "c1 > DISCONNECT\n");
    ok(!t.conns[0].closed, "the end waits for the acknowledgements before it");
    disk(&t);
    ok(t.conns[0].closed, "and comes after them");
    script_lines(&t, "c1 < PUBLISH t/x qos=1 id=3 last\n"
                     "c1 < PUBACK id=9\n");
    script_end(&t);
    forget();
}

static void
test_restart(void)
{
    struct mqtt_config config = config_of(0);
    struct script t;

    begin(&t, "before", &config);
    script_lines(&t, "c1 > CONNECT id=a clean=0\n"
                     "c1 > SUBSCRIBE id=1 t/#:2\n"
                     "c2 > CONNECT id=b\n"
                     "c2 < CONNACK 0 0\n");
    disk(&t);
    script_lines(&t, "c1 < CONNACK 0 0\n"
                     "c1 < SUBACK id=1 2\n"
                     "c2 > PUBLISH t/1 qos=1 id=1 x\n"
                     "c2 > PUBLISH t/2 qos=2 id=2 y\n"
                     "c2 > PUBLISH r qos=1 id=3 retain kept\n");
    disk(&t);
    script_lines(&t, "c1 < PUBLISH t/1 qos=1 id=1 x\n"
                     "c1 < PUBLISH t/2 qos=2 id=2 y\n"
                     "c2 < PUBACK id=1\nc2 < PUBREC id=2\nc2 < PUBACK id=3\n"
                     "c1 > PUBREC id=2\n");
    write_all(&t);                    /* It is on the disk, but the client was not told. */
    script_end(&t);

    config = config_of(10 * CLOCK_SEC);
    begin(&t, "after a restart", &config);
    script_lines(&t, "event SUBSCRIBE t/#\n"
                     "c1 > CONNECT id=a clean=0\n"
                     "c2 > CONNECT id=b\n"
                     "c2 < CONNACK 0 0\n");
    disk(&t);
    script_lines(&t, "c1 < CONNACK 1 0\n"
                     "c1 < PUBLISH t/1 qos=1 id=1 dup x\n"
                     "c1 < PUBREL id=2\n"
                     "c2 > SUBSCRIBE id=1 r:0\n"
                     "c2 < SUBACK id=1 0\n"
                     "c2 < PUBLISH r retain kept\n"
                     "c1 > DISCONNECT\n");
    disk(&t);
    script_end(&t);

    /* Eight days of the wall clock later: the session was to last seven. */
    config = config_of(8 * 86400 * CLOCK_SEC);
    begin(&t, "too late", &config);
    script_lines(&t, "c1 > CONNECT id=a clean=0\n");
    disk(&t);
    script_lines(&t, "c1 < CONNACK 0 0\n"
                     "c1 < nothing\n");
    is_int(n_kept, 3, "the new session, the retained message and its topic");
    script_end(&t);
    forget();
}

/* A machine without a battery: it is 2000 when it starts, and 2026 a minute later. */
#define WRONG (INT64_C(946684800) * CLOCK_SEC)
#define RIGHT (INT64_C(1767225600) * CLOCK_SEC)
#define HOUR (3600 * CLOCK_SEC)

static void
boot(struct script *t, const char *name, usec_t wall)
{
    struct mqtt_config config = config_of(wall - 1000 * CLOCK_SEC);

    begin(t, name, &config);
    is_int(t->now, 1000 * CLOCK_SEC, "%s: by the other clock that is always the same", name);
}

/* A minute passes, at the end of which the wall clock is seen to say 'wall'. */
static void
pass_minute(struct script *t, usec_t wall)
{
    t->now += 60 * CLOCK_SEC;
    mqtt_run(t->b, t->now);
    script_drain(t);
    mqtt_wall_clock(t->b, wall, t->now);
    disk(t);
}

/* A session and a retained message of 18 hours each. */
static void
leave_something(struct script *t)
{
    script_lines(t, "c1 > CONNECT v=5 id=a clean=0 p=110000ffff\n"
                    "c1 > DISCONNECT\n"
                    "c2 > CONNECT v=5 id=b\n"
                    "c2 > PUBLISH r qos=1 id=1 retain p=020000ffff kept\n");
    disk(t);
    for (int i = 0; i < t->n_conns; i++) {
        t->conns[i].n_checked = t->conns[i].n_got;
    }
}

/* Whether they are there. */
static void
finds(struct script *t, bool there)
{
    script_lines(t, "c3 > CONNECT id=c\n"
                    "c3 < CONNACK 0 0\n"
                    "c3 > SUBSCRIBE id=1 r:0\n");
    disk(t);
    script_lines(t, "c3 < SUBACK id=1 0\n");
    script_lines(t, there ? "c3 < PUBLISH r retain kept\n" : "c3 < nothing\n");
    is_int(n_kept, there ? 4 : 1, "%s: session, message, topic, clock; or that alone", t->name);
}

static void
test_clock(void)
{
    struct script t;

    boot(&t, "before the clock is set", WRONG);
    leave_something(&t);
    pass_minute(&t, WRONG + 60 * CLOCK_SEC);
    pass_minute(&t, RIGHT);
    script_end(&t);

    boot(&t, "an hour after it was set", RIGHT + HOUR);
    finds(&t, true);
    script_end(&t);

    /* The battery again: nothing is known of the time that passed. */
    boot(&t, "in the year 2000 again", WRONG);
    finds(&t, true);
    pass_minute(&t, WRONG + 60 * CLOCK_SEC);
    pass_minute(&t, RIGHT + 2 * HOUR);
    script_end(&t);

    boot(&t, "three hours after it was set", RIGHT + 3 * HOUR);
    finds(&t, true);
    /* Somebody sets it to the year 2000, and it stays so. */
    pass_minute(&t, WRONG);
    script_end(&t);

    boot(&t, "an hour of the year 2000", WRONG + HOUR);
    finds(&t, true);
    script_end(&t);

    boot(&t, "a day of the year 2000", WRONG + 24 * HOUR);
    pass_minute(&t, WRONG + 24 * HOUR + 60 * CLOCK_SEC);
    finds(&t, false);
    script_end(&t);
    forget();
}

static void
test_lowered_limits(void)
{
    struct mqtt_config config = config_of(0);
    struct mqtt_excess excess;
    struct script t;

    begin(&t, "high limits", &config);
    ok(!mqtt_is_over_limits(t.b, &excess), "an empty store is not beyond them");
    script_lines(&t, "c1 > CONNECT id=a clean=0\nc1 > SUBSCRIBE id=1 f/1:1 f/2:1 f/3:1\n"
                     "c2 > CONNECT id=b clean=0\n"
                     "c3 > CONNECT id=c clean=0\n"
                     "c3 > PUBLISH r/1 qos=1 id=1 retain one\n"
                     "c3 > PUBLISH r/2 qos=1 id=2 retain two\n"
                     "c3 > PUBLISH r/3 qos=1 id=3 retain three\n");
    disk(&t);
    for (int i = 0; i < t.n_conns; i++) {
        t.conns[i].n_checked = t.conns[i].n_got;
    }
    script_end(&t);

    config.max_sessions = 2;
    config.max_subscriptions = 2;
    config.max_retained = 1;
    config.max_retained_bytes = 10;
    begin(&t, "lower limits", &config);
    ok(mqtt_is_over_limits(t.b, &excess) && excess.n_sessions == 1 && excess.n_crowded == 1
       && excess.n_retained == 2 && excess.retained_bytes == 10, "what is too much is known");
    script_lines(&t, "event SUBSCRIBE f/1\nevent SUBSCRIBE f/2\nevent SUBSCRIBE f/3\n"
                     "c1 > CONNECT id=a clean=0\n"
                     "c1 > SUBSCRIBE id=1 f/4:1 f/3:0\n"
                     "c2 > CONNECT id=d\n"
                     "c2 < CONNACK 0 3\n");
    disk(&t);
    script_lines(&t, "c1 < CONNACK 1 0\n"
                     "c1 < SUBACK id=1 0x80 0\n"
                     "c1 > UNSUBSCRIBE id=2 f/1 f/2\n"
                     "c1 > SUBSCRIBE id=3 r/#:0\n"
                     /* A message takes another's place if it is not larger. */
                     "c1 > PUBLISH r/3 retain 33333\n"
                     "c1 > PUBLISH r/4 retain 4\n"
                     /* There is less, but not less than the limit. */
                     "c3 > CONNECT id=b\n"
                     "c4 > CONNECT id=c clean=0\n");
    disk(&t);
    script_lines(&t, "c1 < UNSUBACK id=2\n"
                     "c1 < SUBACK id=3 0\n");
    t.conns[0].n_checked = t.conns[0].n_got;
    script_lines(&t, "c3 < CONNACK 0 3\n"
                     "c4 < CONNACK 1 0\n"
                     "c5 > CONNECT id=e\n"
                     "c5 < CONNACK 0 3\n"
                     "c4 > SUBSCRIBE id=1 r/3:0 r/4:0\n");
    disk(&t);
    script_lines(&t, "c4 < SUBACK id=1 0 0\n"
                     "c4 < PUBLISH r/3 retain 33333\n"
                     "c4 > PUBLISH r/1 retain\nc4 > PUBLISH r/2 retain\nc4 > PUBLISH r/3 retain\n"
                     "c4 < PUBLISH r/3\n"
                     "c1 < PUBLISH r/1\nc1 < PUBLISH r/2\nc1 < PUBLISH r/3\n"
                     "c4 > DISCONNECT\n"
                     "c6 > CONNECT id=c\nc6 > PUBLISH r/4 retain 4\nc6 > SUBSCRIBE id=1 r/4:0\n");
    disk(&t);
    script_lines(&t, "c1 < PUBLISH r/4 4\n"
                     "c6 < CONNACK 0 0\n"
                     "c6 < SUBACK id=1 0\n"
                     "c6 < PUBLISH r/4 retain 4\n");
    ok(!mqtt_is_over_limits(t.b, &excess), "and with less, something new is taken again");
    script_end(&t);
    forget();
}

static void
test_limit(void)
{
    struct mqtt_config config = config_of(0);
    struct script t;

    begin(&t, "a slow disk", &config);
    script_lines(&t, "c1 > CONNECT id=a\n"
                     "c1 < CONNACK 0 0\n");
    for (int i = 0; i < 40; i++) {
        script_lines(&t, "c1 > PUBLISH r qos=0 retain 0123456789012345678901234567890123456789\n");
    }
    ok(t.conns[0].credit < t.conns[0].sent, "clients are held back at the limit");
    ok(mqtt_stats(t.b)->journal_full > 0, "that is counted");
    script_lines(&t, "peer t x\n");
    disk(&t);
    is_int(t.conns[0].credit, t.conns[0].sent, "and go on when the disk has caught up");
    script_end(&t);
    forget();
}

static void
test_damage(void)
{
    struct mqtt_config config = config_of(0);
    struct script t;
    struct mqtt_broker *b;
    int n_refused = 0;

    begin(&t, "to be damaged", &config);
    script_lines(&t, "c1 > CONNECT id=a clean=0\nc1 > SUBSCRIBE id=1 t:1\nc1 closes\n"
                     "c2 > CONNECT id=b\nc2 < CONNACK 0 0\nc2 > PUBLISH t qos=1 id=1 x\n");
    disk(&t);
    script_lines(&t, "c2 < PUBACK id=1\n");
    script_end(&t);
    /* Without any one of them but a leaf, the rest makes no sense; and the broker is freed. */
    for (size_t gone = 0; gone < n_kept; gone++) {
        const char *why = NULL;

        b = mqtt_create(&config, 0);
        for (size_t i = 0; i < n_kept && !why; i++) {
            why = i == gone ? NULL
                  : mqtt_restore(b, (struct slice) { kept[i].bytes, kept[i].key_n },
                                 (struct slice) { kept[i].bytes + kept[i].key_n,
                                                  kept[i].value_n }, 0);
        }
        n_refused += why != NULL;
        mqtt_destroy(b);
    }
    is_int(n_kept, 4, "message, session, subscription, entry");
    is_int(n_refused, 2, "a missing message and a missing session are seen");
    forget();
}

int
main(void)
{
    RUN(waiting);
    RUN(restart);
    RUN(clock);
    RUN(limit);
    RUN(lowered_limits);
    RUN(damage);
    return done_testing();
}
