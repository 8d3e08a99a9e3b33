/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* QoS 1 and 2 for which a subscriber's queue has no room: who waits, who is told, that nobody else
 * notices; and the copies of overlapping subscriptions. */
#include "unit/mqtt-script.h"

static struct script_conn *
conn(struct script *t, const char *name)
{
    return script_conn(t, name);
}

static uint64_t
owed(struct script *t, const char *name)
{
    return conn(t, name)->sent - conn(t, name)->credit;
}

static void
discard(struct script *t, const char *name)
{
    conn(t, name)->n_checked = conn(t, name)->n_got;
}

static void
begin_full(struct script *t, const char *name, struct mqtt_config *config)
{
    mqtt_config_default(config);
    config->max_queued_messages = 2;
    config->max_inflight = 1;
    config->hold_us = 2 * CLOCK_SEC;
    script_begin(t, name, config);
}

static const char full_subscriber[] =
    "sub > CONNECT id=s clean=0\n"
    "sub < CONNACK 0 0\n"
    "sub > SUBSCRIBE id=1 t:2\n"
    "sub < SUBACK id=1 2\n"
    "other > CONNECT id=o\n"
    "other < CONNACK 0 0\n"
    "other > SUBSCRIBE id=1 t:0\n"
    "other < SUBACK id=1 0\n"
    "pub > CONNECT id=p v=%d keep=1\n"
    "pub < CONNACK 0 0%s\n"
    "pub > PUBLISH t qos=1 id=1 1\n"
    "pub < PUBACK id=1\n"
    "sub < PUBLISH t qos=1 id=1 1\n"
    "pub > PUBLISH t qos=1 id=2 2\n"
    "pub < PUBACK id=2\n"
    "pub > PUBLISH t qos=1 id=3 3\n"
    "pub < PUBACK id=3\n"
    "other < PUBLISH t 1\n"
    "other < PUBLISH t 2\n"
    "other < PUBLISH t 3\n";

/* A window of one, two that wait: the queue is full, its subscriber took something just now. */
static void
fill(struct script *t, int version)
{
    char text[2048];

    snprintf(text, sizeof text, full_subscriber, version,
             version == 5 ? " p=2100012200102700100000" : "");
    script_lines(t, text);
}

static void
test_full_then_room(void)
{
    struct mqtt_config config;
    struct script t;

    for (int version = 4; version <= 5; version++) {
        begin_full(&t, version == 5 ? "full, 5.0: room in time" : "full, 3.1.1: room in time",
                   &config);
        fill(&t, version);
        script_lines(&t,
                     "pub > PUBLISH t qos=1 id=4 4\n"
                     "pub < nothing\n"
                     "other < nothing\n"
                     "pub > PUBLISH t qos=2 id=5 5\n"
                     "pub > PINGREQ\n"
                     "pub < nothing\n");
        ok(owed(&t, "pub") > 0, "what comes behind a PUBLISH that waits gets no credit");
        is_int(mqtt_stats(t.b)->stalled, 1, "it is counted");
        script_lines(&t,
                     "wait 1.9\n"
                     "pub < nothing\n"
                     "sub > PUBACK id=1\n"
                     "sub < PUBLISH t qos=1 id=2 2\n"
                     "wait 0\n"
                     "pub < PUBACK id=4\n"
                     "pub < nothing\n"
                     "other < PUBLISH t 4\n"
                     "sub > PUBACK id=2\n"
                     "sub < PUBLISH t qos=1 id=3 3\n"
                     "wait 0\n"
                     "pub < PUBREC id=5\n"
                     "pub < PINGRESP\n"
                     "other < PUBLISH t 5\n"
                     "sub > PUBACK id=3\n"
                     "sub < PUBLISH t qos=1 id=4 4\n"
                     "sub > PUBACK id=4\n"
                     "sub < PUBLISH t qos=2 id=5 5\n"
                     "wait 0\n"
                     "pub < nothing\n"
                     "sub < nothing\n");
        is_int(owed(&t, "pub"), 0, "all credit was given");
        is_int(mqtt_stats(t.b)->dropped_qos12 + mqtt_stats(t.b)->refused_full
               + mqtt_stats(t.b)->sessions_overflowed, 0, "nothing was lost, nobody was refused");
        ok(!conn(&t, "pub")->closed && !conn(&t, "pub")->aborted,
           "a publisher that waits is not silent");
        script_end(&t);
    }
}

static void
test_full_refused(void)
{
    struct mqtt_config config;
    struct script t;

    begin_full(&t, "full, 5.0: refused", &config);
    fill(&t, 5);
    script_lines(&t,
                 "pub > PUBLISH t qos=1 id=4 4\n"
                 "wait 1.9\n"
                 "pub < nothing\n"
                 "wait 0.2\n"
                 "pub < PUBACK id=4 reason=0x97\n"
                 "other < PUBLISH t 4\n"
                 "pub > PUBLISH t qos=1 id=4 5\n"
                 "pub < PUBACK id=4 reason=0x97\n"
                 "pub > PUBLISH t qos=2 id=4 6\n"
                 "pub < PUBREC id=4 reason=0x97\n"
                 "pub > PUBREL id=4\n"
                 "pub < PUBCOMP id=4 reason=0x92\n"
                 "pub > PUBLISH u qos=1 id=4 7\n"
                 "pub < PUBACK id=4\n"
                 "other < PUBLISH t 5\n"
                 "other < PUBLISH t 6\n"
                 "other < nothing\n"
                 "sub > PUBACK id=1\n"
                 "sub < PUBLISH t qos=1 id=2 2\n"
                 "pub > PUBLISH t qos=2 id=4 8\n"
                 "pub < PUBREC id=4\n"
                 "other < PUBLISH t 8\n"
                 "sub > PUBACK id=2\n"
                 "sub < PUBLISH t qos=1 id=3 3\n"
                 "sub > PUBACK id=3\n"
                 "sub < PUBLISH t qos=2 id=4 8\n"
                 "sub < nothing\n");
    is_int(mqtt_stats(t.b)->refused_full, 3, "each refusal is counted");
    is_int(mqtt_stats(t.b)->stalled, 1, "a subscriber that is stuck is waited for once");
    is_int(mqtt_stats(t.b)->sessions_overflowed, 0, "its session stays");
    script_end(&t);
}

static void
test_full_ends_session(void)
{
    struct mqtt_config config;
    struct script t;

    begin_full(&t, "full, 3.1.1: the session ends", &config);
    fill(&t, 4);
    script_lines(&t,
                 "pub > PUBLISH t qos=1 id=4 4\n"
                 "wait 1.9\n"
                 "pub < nothing\n"
                 "wait 0.2\n"
                 "pub < PUBACK id=4\n"
                 "other < PUBLISH t 4\n"
                 "sub closed\n"
                 "sub2 > CONNECT id=s clean=0\n"
                 "sub2 < CONNACK 0 0\n"
                 "pub > PUBLISH t qos=1 id=5 5\n"
                 "pub < PUBACK id=5\n"
                 "other < PUBLISH t 5\n"
                 "sub2 < nothing\n");
    is_int(mqtt_stats(t.b)->sessions_overflowed, 1, "counted");
    script_end(&t);

    begin_full(&t, "full and away, 3.1.1", &config);
    fill(&t, 4);
    script_lines(&t,
                 "sub closes\n"
                 "pub > PUBLISH t qos=2 id=4 4\n"
                 "pub < PUBREC id=4\n"
                 "other < PUBLISH t 4\n"
                 "sub2 > CONNECT id=s clean=0\n"
                 "sub2 < CONNACK 0 0\n"
                 "sub2 < nothing\n");
    is_int(mqtt_stats(t.b)->stalled, 0, "nobody waits for a client that is away");
    script_end(&t);

    begin_full(&t, "full, 5.0 subscriber", &config);
    script_lines(&t,
                 "sub > CONNECT id=s v=5 p=110000000a\n");
    discard(&t, "sub");
    script_lines(&t,
                 "sub > SUBSCRIBE id=1 t:1\n"
                 "sub < SUBACK id=1 1\n"
                 "pub > CONNECT id=p\n"
                 "pub < CONNACK 0 0\n"
                 "pub > PUBLISH t qos=1 id=1 1\n"
                 "pub < PUBACK id=1\n"
                 "sub < PUBLISH t qos=1 id=1 1\n"
                 "pub > PUBLISH t qos=1 id=2 2\n"
                 "pub > PUBLISH t qos=1 id=3 3\n"
                 "pub < PUBACK id=2\n"
                 "pub < PUBACK id=3\n"
                 "wait 3\n"
                 "pub > PUBLISH t qos=1 id=4 4\n"
                 "pub < PUBACK id=4\n"
                 "sub < DISCONNECT reason=0x97\n"
                 "sub closed\n");
    script_end(&t);

    begin_full(&t, "full: a Will has nobody to be told", &config);
    fill(&t, 4);
    script_lines(&t,
                 "sub closes\n"
                 "w > CONNECT id=w will=t:gone wqos=1\n"
                 "w < CONNACK 0 0\n"
                 "w closes\n"
                 "wait 0\n"
                 "other < PUBLISH t gone\n"
                 "sub2 > CONNECT id=s clean=0\n"
                 "sub2 < CONNACK 0 0\n");
    is_int(mqtt_stats(t.b)->sessions_overflowed, 1, "so the session ends");
    script_end(&t);
}

static void
test_full_publisher_leaves(void)
{
    struct mqtt_config config;
    struct script t;

    begin_full(&t, "full: the publisher leaves", &config);
    fill(&t, 4);
    script_lines(&t,
                 "w > CONNECT id=w will=w:gone\n"
                 "w < CONNACK 0 0\n"
                 "w > PUBLISH t qos=2 id=1 x\n"
                 "w > PUBLISH t y\n"
                 "w > PUBLISH t qos=1 id=2 z\n"
                 "w > DISCONNECT\n"
                 "w < nothing\n"
                 "w closes\n"
                 "other < PUBLISH t y\n"
                 "other < nothing\n");
    is_int(mqtt_stats(t.b)->wills_sent, 0, "its DISCONNECT behind what waited counts");
    is_int(mqtt_stats(t.b)->sessions_overflowed, 0, "what was not acknowledged is nobody's loss");
    script_lines(&t,
                 "v > CONNECT id=v\n"
                 "v < CONNACK 0 0\n"
                 "v > PUBLISH t qos=1 id=1 x\n"
                 "v < nothing\n"
                 "v2 > CONNECT id=v\n"
                 "v2 < CONNACK 0 0\n"
                 "v closed\n"
                 "sub > DISCONNECT\n"
                 "sub closed\n"
                 "x > CONNECT id=s\n"
                 "x < CONNACK 0 0\n"
                 "v2 > PUBLISH t qos=1 id=1 dup x\n"
                 "v2 < PUBACK id=1\n"
                 "other < PUBLISH t x\n");
    script_end(&t);

    begin_full(&t, "full: the subscriber leaves", &config);
    fill(&t, 4);
    script_lines(&t,
                 "pub > PUBLISH t qos=1 id=4 4\n"
                 "pub < nothing\n"
                 "x > CONNECT id=s clean=1\n"
                 "x < CONNACK 0 0\n"
                 "wait 0\n"
                 "pub < PUBACK id=4\n"
                 "other < PUBLISH t 4\n");
    is_int(mqtt_stats(t.b)->sessions_overflowed, 0, "its session is gone, nobody waits for it");
    script_end(&t);

    begin_full(&t, "full of one's own messages", &config);
    script_lines(&t,
                 "c > CONNECT id=c\n"
                 "c < CONNACK 0 0\n"
                 "c > SUBSCRIBE id=1 t:1\n"
                 "c < SUBACK id=1 1\n"
                 "c > PUBLISH t qos=1 id=1 1\n"
                 "c < PUBACK id=1\n"
                 "c < PUBLISH t qos=1 id=1 1\n"
                 "c > PUBLISH t qos=1 id=2 2\n"
                 "c > PUBLISH t qos=1 id=3 3\n"
                 "c < PUBACK id=2\n"
                 "c < PUBACK id=3\n"
                 "c > PUBLISH t qos=1 id=4 4\n"
                 "c closed\n");
    script_end(&t);
}

/* Members of a shared subscription stand in for one another. */
static void
test_full_shared(void)
{
    struct mqtt_config config;
    struct script t;

    begin_full(&t, "full: shared subscription", &config);
    script_lines(&t,
                 "a > CONNECT id=a clean=0\n"
                 "a < CONNACK 0 0\n"
                 "a > SUBSCRIBE id=1 $share/g/t:1\n"
                 "a < SUBACK id=1 1\n"
                 "pub > CONNECT id=p\n"
                 "pub < CONNACK 0 0\n"
                 "a closes\n"
                 "pub > PUBLISH t qos=1 id=1 1\n"
                 "pub > PUBLISH t qos=1 id=2 2\n"
                 "pub < PUBACK id=1\n"
                 "pub < PUBACK id=2\n"
                 "b > CONNECT id=b clean=0\n"
                 "b < CONNACK 0 0\n"
                 "b > SUBSCRIBE id=1 $share/g/t:1\n"
                 "b < SUBACK id=1 1\n"
                 "b closes\n"
                 "pub > PUBLISH t qos=1 id=3 3\n"
                 "pub > PUBLISH t qos=1 id=4 4\n"
                 "pub < PUBACK id=3\n"
                 "pub < PUBACK id=4\n");
    is_int(mqtt_stats(t.b)->sessions_overflowed, 0, "the member that has room is chosen");
    script_lines(&t,
                 "b > CONNECT id=nobody\n"
                 "b2 > CONNECT id=b clean=0\n"
                 "b2 < CONNACK 1 0\n"
                 "b2 < PUBLISH t qos=1 id=1 3\n"
                 "b2 > PUBACK id=1\n"
                 "b2 < PUBLISH t qos=1 id=2 4\n");
    script_end(&t);
}

static void
test_duplicates(void)
{
    struct mqtt_config config;
    struct script t;

    for (int i = 0; i < 2; i++) {
        mqtt_config_default(&config);
        config.allow_duplicates = i;
        script_begin(&t, i ? "overlaps, duplicates allowed" : "overlaps", &config);
        script_lines(&t,
                     "c > CONNECT id=c\n"
                     "c < CONNACK 0 0\n"
                     "c > SUBSCRIBE id=1 a/#:1 +/b:2 a/b:0 x:0\n"
                     "c < SUBACK id=1 1 2 0 0\n"
                     "v5 > CONNECT id=v5 v=5\n");
        discard(&t, "v5");
        script_lines(&t,
                     "v5 > SUBSCRIBE id=1 p=0b01 a/#:1\n"
                     "v5 > SUBSCRIBE id=2 p=0b02 a/b:1\n"
                     "v5 < SUBACK id=1 1\n"
                     "v5 < SUBACK id=2 1\n"
                     "peer a/b hello qos=2\n"
                     "c < PUBLISH a/b qos=2 id=1 hello\n");
        if (i) {
            size_t n = conn(&t, "c")->n_got - conn(&t, "c")->n_checked;

            is_int(n, 2 + 5 + 5 + (2 + 5 + 2 + 5),
                   "a further copy for each other subscription, at its QoS");
            discard(&t, "c");
        }
        script_lines(&t, "c < nothing\n");
        is_int(conn(&t, "v5")->n_got - conn(&t, "v5")->n_checked, 2 + 5 + 2 + 1 + 4 + 5,
               "5.0: one copy with all identifiers");
        discard(&t, "v5");
        script_lines(&t,
                     "c > UNSUBSCRIBE id=2 a/# +/b\n"
                     "c < UNSUBACK id=2\n"
                     "peer a/b again\n"
                     "c < PUBLISH a/b again\n"
                     "c < nothing\n");
        discard(&t, "v5");
        script_end(&t);
    }
}

int
main(void)
{
    test_full_then_room();
    test_full_refused();
    test_full_ends_session();
    test_full_publisher_leaves();
    test_full_shared();
    test_duplicates();
    return done_testing();
}
