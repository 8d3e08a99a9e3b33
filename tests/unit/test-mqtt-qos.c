/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* QoS 1 and 2 towards 3.1.1 subscribers: packet identifiers, windows, retransmission on a new
 * connection, queues of sessions that are away.  The notation is in mqtt-script.h. */
#include "unit/mqtt-script.h"

static struct mqtt_config
config_of(uint16_t max_inflight)
{
    struct mqtt_config config;

    mqtt_config_default(&config);
    config.max_qos = 2;
    config.max_inflight = max_inflight;
    return config;
}

static void
test_exchanges(void)
{
    struct mqtt_config config = config_of(10);

    script_run("the QoS granted is the one asked for, up to the limit", &config,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t:0 u:1 v:2\n"
               "c1 < SUBACK id=1 0 1 2\n");
    script_run("a message goes at the lower of both QoS, the highest of all filters", &config,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t/0:0 t/1:1 t/2:2 t/+:0 #:1\n"
               "c1 < SUBACK id=1 0 1 2 0 1\n"
               "peer t/0 a\n"
               "c1 < PUBLISH t/0 a\n"
               "peer t/2 b qos=1\n"
               "c1 < PUBLISH t/2 qos=1 id=1 b\n"
               "peer t/2 c qos=2\n"
               "c1 < PUBLISH t/2 qos=2 id=2 c\n"
               "peer t/1 d qos=2\n"
               "c1 < PUBLISH t/1 qos=1 id=3 d\n"
               "c1 < nothing\n"
               "c1 > PUBACK id=1\n"
               "c1 > PUBACK id=3\n"
               "c1 > PUBREC id=2\n"
               "c1 < hex 62020002\n"
               "c1 > PUBCOMP id=2\n"
               "c1 < nothing\n"
               "c1 closes\n");
    script_run("acknowledgements that fit nothing", &config,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t:2\n"
               "c1 < SUBACK id=1 2\n"
               "c1 > PUBACK id=77\n"
               "c1 > PUBCOMP id=77\n"
               "c1 < nothing\n"
               "c1 > PUBREC id=77\n"
               "c1 < PUBREL id=77\n"
               "peer t x qos=2\n"
               "c1 < PUBLISH t qos=2 id=1 x\n"
               "c1 > PUBACK id=1\n"
               "c1 > PUBCOMP id=1\n"
               "c1 < nothing\n"
               "c1 > PUBREC id=1\n"
               "c1 < PUBREL id=1\n"
               "c1 > PUBREC id=1\n"
               "c1 < PUBREL id=1\n"
               "c1 > PUBCOMP id=1\n"
               "peer t y qos=2\n"
               "c1 < PUBLISH t qos=2 id=2 y\n");
    script_run("retained messages keep their QoS up to the one granted", &config,
               "peer r/0 zero retain qos=0\n"
               "peer r/2 two retain qos=2\n"
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 r/0:1 r/2:1\n"
               "c1 < SUBACK id=1 1 1\n"
               "c1 < PUBLISH r/0 retain zero\n"
               "c1 < PUBLISH r/2 qos=1 id=1 retain two\n");
}

static void
test_window(void)
{
    struct mqtt_config config = config_of(2);

    script_run("the window: QoS 1 and 2 wait, in order; QoS 0 passes", &config,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t:2\n"
               "c1 < SUBACK id=1 2\n"
               "peer t 1 qos=1\n"
               "peer t 2 qos=2\n"
               "peer t 3 qos=1\n"
               "peer t 4 qos=2\n"
               "peer t 0 qos=0\n"
               "c1 < PUBLISH t qos=1 id=1 1\n"
               "c1 < PUBLISH t qos=2 id=2 2\n"
               "c1 < PUBLISH t 0\n"
               "c1 < nothing\n"
               "c1 > PUBREC id=2\n"
               "c1 < PUBREL id=2\n"
               "c1 < nothing\n"
               "c1 > PUBCOMP id=2\n"
               "c1 < PUBLISH t qos=1 id=3 3\n"
               "c1 < nothing\n"
               "c1 > PUBACK id=1\n"
               "c1 < PUBLISH t qos=2 id=4 4\n");
}

static void
test_reconnect(void)
{
    struct mqtt_config config = config_of(10);

    script_run("a new connection gets again what was not acknowledged, in order, with DUP", &config,
               "c1 > CONNECT id=a clean=0\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t:2\n"
               "c1 < SUBACK id=1 2\n"
               "peer t 1 qos=1\n"
               "peer t 2 qos=2\n"
               "peer t 3 qos=2\n"
               "peer t 4 qos=1\n"
               "c1 < PUBLISH t qos=1 id=1 1\n"
               "c1 < PUBLISH t qos=2 id=2 2\n"
               "c1 < PUBLISH t qos=2 id=3 3\n"
               "c1 < PUBLISH t qos=1 id=4 4\n"
               "c1 > PUBACK id=4\n"
               "c1 > PUBREC id=2\n"
               "c1 < PUBREL id=2\n"
               "c1 closes\n"
               "peer t 5 qos=1\n"
               "peer t lost qos=0\n"
               "c2 > CONNECT id=a clean=0\n"
               "c2 < CONNACK 1 0\n"
               "c2 < PUBLISH t qos=1 id=1 dup 1\n"
               "c2 < PUBREL id=2\n"
               "c2 < PUBLISH t qos=2 id=3 dup 3\n"
               "c2 < PUBLISH t qos=1 id=5 5\n"
               "c2 < nothing\n"
               "c2 > PUBCOMP id=2\n"
               "c2 > PUBACK id=1\n"
               "c2 > PUBACK id=5\n"
               "c2 > PUBREC id=3\n"
               "c2 < PUBREL id=3\n"
               "c2 closes\n"
               "c3 > CONNECT id=a clean=0\n"
               "c3 < CONNACK 1 0\n"
               "c3 < PUBREL id=3\n"
               "c3 > PUBCOMP id=3\n"
               "c3 < nothing\n"
               "c3 closes\n"
               "c4 > CONNECT id=a clean=0\n"
               "c4 < CONNACK 1 0\n"
               "c4 < nothing\n"
               "c4 closes\n"
               "peer t gone qos=1\n"
               "c5 > CONNECT id=a clean=1\n"
               "c5 < CONNACK 0 0\n"
               "c5 < nothing\n");
    config = config_of(1);
    script_run("what is sent again fits the window", &config,
               "c1 > CONNECT id=a clean=0\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t:1\n"
               "c1 < SUBACK id=1 1\n"
               "peer t 1 qos=1\n"
               "c1 < PUBLISH t qos=1 id=1 1\n"
               "peer t 2 qos=1\n"
               "c1 closes\n"
               "peer t 3 qos=1\n"
               "c2 > CONNECT id=a clean=0\n"
               "c2 < CONNACK 1 0\n"
               "c2 < PUBLISH t qos=1 id=1 dup 1\n"
               "c2 < nothing\n"
               "c2 > PUBACK id=1\n"
               "c2 < PUBLISH t qos=1 id=2 2\n"
               "c2 > PUBACK id=2\n"
               "c2 < PUBLISH t qos=1 id=3 3\n"
               "c2 > PUBACK id=3\n");
    script_run("a takeover sends again at once", &config,
               "c1 > CONNECT id=a clean=0\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t:1\n"
               "c1 < SUBACK id=1 1\n"
               "peer t 1 qos=1\n"
               "c1 < PUBLISH t qos=1 id=1 1\n"
               "c2 > CONNECT id=a clean=0\n"
               "c2 < CONNACK 1 0\n"
               "c2 < PUBLISH t qos=1 id=1 dup 1\n"
               "c1 closed\n"
               "c2 > PUBACK id=1\n"
               "c2 < nothing\n");
}

static void
test_offline_limit(void)
{
    struct mqtt_config config = config_of(10);
    struct script t;

    config.max_queued_messages = 3;
    script_begin(&t, "queue of a session that is away", &config);
    script_lines(&t,
                 "c1 > CONNECT id=a clean=0\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 > SUBSCRIBE id=1 t:1\n"
                 "c1 < SUBACK id=1 1\n"
                 "c1 closes\n"
                 "peer t 1 qos=1\n"
                 "peer t 2 qos=1\n"
                 "peer t 3 qos=1\n"
                 "peer t 4 qos=1\n");
    is_int(mqtt_stats(t.b)->dropped_qos12, 1, "QoS 1 beyond the limit is dropped and counted");
    script_lines(&t,
                 "c2 > CONNECT id=a clean=0\n"
                 "c2 < CONNACK 1 0\n"
                 "c2 < PUBLISH t qos=1 id=1 1\n"
                 "c2 < PUBLISH t qos=1 id=2 2\n"
                 "c2 < PUBLISH t qos=1 id=3 3\n"
                 "c2 stalls\n");
    script_lines(&t,
                 "peer t 0 qos=0\n"
                 "peer t 5 qos=1\n"
                 "peer t 0 qos=0\n"
                 "peer t 6 qos=1\n"
                 "peer t 7 qos=1\n"
                 "peer t 0 qos=0\n");
    is_int(mqtt_stats(t.b)->dropped_qos0, 3, "QoS 0 makes way for QoS 1");
    script_lines(&t,
                 "c2 reads\n"
                 "c2 < PUBLISH t qos=1 id=4 5\n"
                 "c2 < PUBLISH t qos=1 id=5 6\n"
                 "c2 < PUBLISH t qos=1 id=6 7\n"
                 "c2 < nothing\n");
    script_end(&t);
}

/* Identifiers go round past 65535; one that is in use closes the window instead of coming twice. */
static void
test_identifiers(void)
{
    struct mqtt_config config = config_of(50);
    struct script t;
    char text[128];
    size_t n;

    script_begin(&t, "packet identifiers", &config);
    script_lines(&t,
                 "c1 > CONNECT id=a\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 > SUBSCRIBE id=1 t:1\n"
                 "c1 < SUBACK id=1 1\n"
                 "peer t kept qos=1\n"
                 "c1 < PUBLISH t qos=1 id=1 kept\n");
    for (int i = 2; i <= 65535; i++) {
        uint8_t puback[4] = { 0x40, 2, (uint8_t) (i >> 8), (uint8_t) i };
        struct script_conn *c = &t.conns[0];

        script_lines(&t, "peer t x qos=1\n");
        if (c->n_got - c->n_checked != 8 || memcmp(c->got + c->n_got - 3, puback + 2, 2)) {
            fail("identifier %d is given", i);
            break;
        }
        mqtt_input(t.b, c->id, puback, sizeof puback, t.now);
        c->sent += sizeof puback;
        script_drain(&t);
        c->n_got = c->n_checked = 0;
    }
    n = t.conns[0].n_got;
    script_lines(&t, "peer t next qos=1\n");
    is_int(t.conns[0].n_got, n, "an identifier that is in use is not given again");
    snprintf(text, sizeof text, "c1 > PUBACK id=1\nc1 < PUBLISH t qos=1 id=1 next\n");
    script_lines(&t, text);
    script_end(&t);
}

int
main(void)
{
    test_exchanges();
    test_window();
    test_reconnect();
    test_offline_limit();
    test_identifiers();
    return done_testing();
}
