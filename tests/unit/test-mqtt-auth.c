/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Who is let in: configured credentials, anonymous clients, and CONNECTs that stand still until
 * somebody has judged their password. */
#include "mqtt/passwd.h"
#include "unit/mqtt-script.h"

#define LIMITS "2100642200102700100000"

static struct mqtt_config
asking(void)
{
    struct mqtt_config config;

    mqtt_config_default(&config);
    config.asks_auth = true;
    return config;
}

static struct script_conn *
conn(struct script *t, const char *name)
{
    return script_conn(t, name);
}

static void
judge(struct script *t, const char *name, enum mqtt_verdict verdict)
{
    mqtt_auth_result(t->b, conn(t, name)->id, verdict, t->now);
    script_drain(t);
}

TEST(anonymous_clients)
{
    static const struct {
        enum mqtt_anonymous anonymous;
        bool has_user, asks;
        int nobody, somebody;         /* CONNACK codes without and with a user name. */
    } cases[] = {
        { MQTT_ANONYMOUS_AUTO, false, false, 0, 0 },
        { MQTT_ANONYMOUS_AUTO, true, false, 5, 5 },
        { MQTT_ANONYMOUS_ALLOWED, true, false, 0, 5 },
        { MQTT_ANONYMOUS_REFUSED, false, false, 5, 5 },
        { MQTT_ANONYMOUS_AUTO, false, true, 5, -1 },
        { MQTT_ANONYMOUS_ALLOWED, false, true, 0, -1 },
        { MQTT_ANONYMOUS_REFUSED, false, true, 5, -1 },
    };

    for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
        struct mqtt_config config;
        struct script t;
        char text[200];

        mqtt_config_default(&config);
        config.anonymous = cases[i].anonymous;
        config.asks_auth = cases[i].asks;
        config.username = cases[i].has_user ? "jorge" : NULL;
        config.password = cases[i].has_user ? "passwd" : NULL;
        script_begin(&t, "anonymous", &config);
        snprintf(text, sizeof text, "c1 > CONNECT id=a\nc1 < CONNACK 0 %d\n%s", cases[i].nobody,
                 cases[i].nobody ? "c1 closed\n" : "");
        script_lines(&t, text);
        if (cases[i].somebody >= 0) {
            snprintf(text, sizeof text, "c2 > CONNECT id=b user=x pass=y\nc2 < CONNACK 0 %d\n%s",
                     cases[i].somebody, cases[i].somebody ? "c2 closed\n" : "");
        } else {
            snprintf(text, sizeof text, "c2 > CONNECT id=b user=x pass=y\nc2 < nothing\n");
        }
        script_lines(&t, text);
        if (cases[i].has_user) {
            script_lines(&t, "c3 > CONNECT id=c user=jorge pass=passwd\nc3 < CONNACK 0 0\n");
        }
        script_end(&t);
    }
}

TEST(a_connect_stands_still_until_it_is_judged)
{
    struct mqtt_config config = asking();
    struct mqtt_auth_request request;
    struct mqtt_memory before, after;
    struct script_conn *c;
    struct script t;

    script_begin(&t, "pending", &config);
    mqtt_memory(t.b, &before);
    script_lines(&t,
                 "c1 >> CONNECT id=a user=ann pass=secret keep=10\n"
                 "c1 < nothing\n");
    c = conn(&t, "c1");
    is_int(c->credit, c->sent, "the CONNECT itself is credited");
    ok(mqtt_auth_request(t.b, c->id, &request), "there is something to judge");
    ok(request.username.n == 3 && !memcmp(request.username.p, "ann", 3), "a user name");
    ok(request.password.n == 6 && !memcmp(request.password.p, "secret", 6), "a password");
    script_lines(&t,
                 "c1 > PUBLISH t early\n"
                 "c1 >> SUBSCRIBE id=1 t\n"
                 "c1 > PUBLISH t late\n"
                 "event none\n"
                 "wait 50\n"
                 "c1 < nothing\n");
    ok(c->credit < c->sent, "what came after it is not: the window closes");
    ok(!c->closed, "waiting is not the client's fault");
    judge(&t, "c1", MQTT_VERDICT_GOOD);
    script_lines(&t,
                 "c1 < CONNACK 0 0\n"
                 "c1 < SUBACK id=1 0\n"
                 "c1 < PUBLISH t late\n"
                 "event PUBLISH t early\n"
                 "event SUBSCRIBE t\n"
                 "event PUBLISH t late\n");
    is_int(c->credit, c->sent, "all is credited");
    ok(!mqtt_auth_request(t.b, c->id, &request), "and judged");
    judge(&t, "c1", MQTT_VERDICT_BAD);
    script_lines(&t,
                 "c1 > PINGREQ\n"
                 "c1 < PINGRESP\n"
                 "c1 > UNSUBSCRIBE id=2 t\n"
                 "c1 < UNSUBACK id=2\n"
                 "event UNSUBSCRIBE t\n"
                 "c1 > DISCONNECT\n"
                 "c1 closed\n"
                 "c1 closes\n");
    mqtt_memory(t.b, &after);
    is_int(after.n_sessions, before.n_sessions, "nothing is left");
    is_int(mqtt_stats(t.b)->auth_asked, 1, "counted");
    script_end(&t);
}

TEST(input_behind_the_connect_in_one_segment)
{
    struct mqtt_config config = asking();
    struct script t;

    script_begin(&t, "pipelined", &config);
    /* CONNECT (user u, password p), PINGREQ, half a PINGREQ. */
    script_lines(&t,
                 "c1 > hex 1013 0004 4d515454 04 c2 0000 0001 61 0001 75 0001 70 c000 c0\n"
                 "c1 < nothing\n");
    is_int(conn(&t, "c1")->sent - conn(&t, "c1")->credit, 3, "the rest is held");
    judge(&t, "c1", MQTT_VERDICT_GOOD);
    script_lines(&t,
                 "c1 < CONNACK 0 0\n"
                 "c1 < PINGRESP\n"
                 "c1 > hex 00\n"
                 "c1 < PINGRESP\n");
    script_end(&t);
}

TEST(refusals)
{
    struct mqtt_config config = asking();
    struct script t;

    script_begin(&t, "refused", &config);
    script_lines(&t, "c1 > CONNECT id=a user=u pass=p\nc2 > CONNECT v=5 id=b user=u pass=p\n"
                     "c3 > CONNECT id=c user=u pass=p\nc4 > CONNECT v=5 id=d user=u pass=p\n"
                     "c5 > CONNECT v=3 id=e user=u pass=p\n");
    judge(&t, "c1", MQTT_VERDICT_BAD);
    judge(&t, "c2", MQTT_VERDICT_BAD);
    judge(&t, "c3", MQTT_VERDICT_BUSY);
    judge(&t, "c4", MQTT_VERDICT_BUSY);
    judge(&t, "c5", MQTT_VERDICT_GOOD);
    script_lines(&t,
                 "c1 < CONNACK 0 5\n"
                 "c1 closed\n"
                 "c2 < hex 20 03 00 86 00\n"
                 "c2 closed\n"
                 "c3 < CONNACK 0 3\n"
                 "c3 closed\n"
                 "c4 < hex 20 03 00 89 00\n"
                 "c4 closed\n"
                 "c5 < CONNACK 0 0\n");
    is_int(mqtt_stats(t.b)->auth_busy, 2, "busy ones are counted");
    is_int(mqtt_stats(t.b)->connects_refused, 4, "refusals as well");
    script_end(&t);
}

TEST(ends_while_it_waits)
{
    struct mqtt_config config = asking();
    struct mqtt_memory before, after;
    struct mqtt_auth_request request;
    struct script t;
    mqtt_id gone;

    script_begin(&t, "ends", &config);
    script_lines(&t, "c1 > CONNECT id=a user=u pass=p\nc1 closes\n");
    gone = conn(&t, "c1")->id;
    ok(!mqtt_auth_request(t.b, gone, &request), "a client that has gone is not judged");
    mqtt_memory(t.b, &before);
    judge(&t, "c1", MQTT_VERDICT_GOOD);
    mqtt_memory(t.b, &after);
    is_int(after.n_sessions + after.n_connections, 0, "a late verdict is nobody's");
    script_lines(&t,
                 "c2 > CONNECT id=b user=u pass=p\n"
                 "c2 > PINGREQ\n"
                 "wait 61\n"
                 "c2 closed\n"
                 "c2 < nothing\n");
    is_int(mqtt_stats(t.b)->connect_timeouts, 1, "no verdict in a minute: counted as a time-out");
    judge(&t, "c2", MQTT_VERDICT_GOOD);
    script_lines(&t, "c2 < nothing\n");
    script_end(&t);
}

TEST(a_pending_connect_takes_over_nothing)
{
    struct mqtt_config config = asking();
    struct script t;

    script_begin(&t, "takeover", &config);
    script_lines(&t, "c1 > CONNECT id=a user=u pass=p\n");
    judge(&t, "c1", MQTT_VERDICT_GOOD);
    script_lines(&t,
                 "c1 < CONNACK 0 0\n"
                 "c2 > CONNECT id=a user=u pass=wrong\n"
                 "c1 > PINGREQ\n"
                 "c1 < PINGRESP\n");
    judge(&t, "c2", MQTT_VERDICT_BAD);
    script_lines(&t,
                 "c2 < CONNACK 0 5\n"
                 "c1 > PINGREQ\n"
                 "c1 < PINGRESP\n");
    script_end(&t);
}

TEST(much_held_input_is_limited)
{
    static uint8_t block[1 << 20];
    struct mqtt_config config = asking();
    struct script t;
    int n = 0;

    script_begin(&t, "held", &config);
    script_lines(&t, "c1 > CONNECT id=a user=u pass=p\n");
    while (n < 64 && !conn(&t, "c1")->closed) {
        mqtt_input(t.b, conn(&t, "c1")->id, block, sizeof block, t.now);
        conn(&t, "c1")->sent += sizeof block;
        script_drain(&t);
        n++;
    }
    is_int(n, 33, "32 MiB are held, one more ends the connection");
    is_int(mqtt_stats(t.b)->limit_refused, 1, "counted");
    script_end(&t);
}

/* ---- The memory of the broker ---- */

static uint64_t
bytes(const struct script *t)
{
    struct mqtt_memory memory;

    mqtt_memory(t->b, &memory);
    return memory.bytes;
}

TEST(the_limit_of_memory)
{
    struct mqtt_config config;
    struct script t;

    mqtt_config_default(&config);
    config.memory_limit = 3 * 1024 * 1024;
    config.max_queued_bytes = 2 * config.memory_limit;
    script_begin(&t, "memory", &config);
    script_lines(&t,
                 "c1 > CONNECT id=a clean=0\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 > SUBSCRIBE id=1 q/#:1\n"
                 "c1 < SUBACK id=1 1\n"
                 "c1 closes\n"
                 "c2 > CONNECT id=b\n"
                 "c2 < CONNACK 0 0\n"
                 "c2 > PUBLISH r retain old\n"
                 "c5 > CONNECT v=5 id=e\n"
                 "c5 < CONNACK 0 0 p=" LIMITS "\n");
    for (int i = 0; i < 20; i++) {
        script_lines(&t, "c2 > PUBLISH q/big qos=1 id=1 size=100000\nc2 < PUBACK id=1\n");
    }
    is_int(mqtt_stats(t.b)->memory_refused, 0, "below the limit nothing is refused");
    for (int i = 0; i < 40 && bytes(&t) < config.memory_limit; i++) {
        script_lines(&t, "c2 > PUBLISH q/big qos=1 id=1 size=100000\nc2 < PUBACK id=1\n");
    }
    t.n_events_checked = t.n_events;
    script_lines(&t,
                 "c5 > PUBLISH q/x qos=1 id=1 x\n"
                 "c5 < PUBACK id=1 reason=0x97\n"
                 "c5 > PUBLISH q/x x\n"
                 "c5 > SUBSCRIBE id=2 s\n"
                 "c5 < SUBACK id=2 0x97\n"
                 "peer q/x 1 qos=1\n"
                 "event none\n"
                 "c6 > CONNECT id=new\n"
                 "c6 < CONNACK 0 3\n"
                 "c6 closed\n"
                 "c2 > PUBLISH q/x x\n"
                 "c2 > PUBLISH q/x qos=1 id=2 x\n"
                 "c2 closed\n");
    is_int(mqtt_stats(t.b)->memory_refused, 7, "each is counted");
    ok(bytes(&t) < config.memory_limit + 200000, "and memory does not grow");
    script_lines(&t,
                 "c5 > PUBLISH r qos=1 id=9 retain\n"
                 "c5 < PUBACK id=9\n"
                 "c3 > CONNECT id=a clean=0\n"
                 "c3 < CONNACK 1 0\n");
    is_int(mqtt_stats(t.b)->memory_refused, 7, "what makes room is let in: an empty retained "
           "message, and who has a queue to drain");
    conn(&t, "c3")->n_checked = conn(&t, "c3")->n_got;
    t.n_events_checked = t.n_events;
    script_end(&t);
}

TEST(incomplete_packets_count)
{
    static uint8_t part[600000] = { 0x30, 0x80, 0x80, 0x3d, 0x00, 0x01, 't' };
    struct mqtt_config config;
    struct script t;
    uint64_t before;

    mqtt_config_default(&config);
    script_begin(&t, "incomplete", &config);
    config.memory_limit = bytes(&t) + 1500000;
    script_end(&t);
    script_begin(&t, "incomplete", &config);
    script_lines(&t,
                 "c1 > CONNECT id=a\nc1 < CONNACK 0 0\n"
                 "c2 > CONNECT id=b\nc2 < CONNACK 0 0\n");
    before = bytes(&t);
    mqtt_input(t.b, conn(&t, "c1")->id, part, sizeof part, t.now);
    mqtt_input(t.b, conn(&t, "c2")->id, part, sizeof part, t.now);
    conn(&t, "c1")->sent += sizeof part;
    conn(&t, "c2")->sent += sizeof part;
    script_drain(&t);
    ok(conn(&t, "c2")->closed && !conn(&t, "c1")->closed, "the one that is too much ends");
    script_lines(&t, "c1 closes\nc2 closes\n");
    ok(bytes(&t) <= before, "their memory is given back");
    script_end(&t);
}

/* ---- The password file ---- */

static struct slice
text(const char *s)
{
    return (struct slice) { (const uint8_t *) s, (uint32_t) strlen(s) };
}

#define HASH64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="

TEST(a_password_file_is_read_whole)
{
    struct mqtt_passwd_error error;
    struct mqtt_passwd *p = mqtt_passwd_parse(text("# users\n"
                                                   "zoe:$7$101$AAECAwQFBgcICQoL$" HASH64 "\r\n"
                                                   "\n"
                                                   "ann:$6$AAECAwQFBgcICQoL$" HASH64), &error);
    const struct mqtt_passwd_entry *e;

    if (!p) {
        BAIL_OUT("line %u: %s", error.line, error.what);
    }
    is_int(mqtt_passwd_n(p), 2, "two users");
    e = mqtt_passwd_find(p, text("zoe"));
    ok(e && e->rounds == 101 && e->salt_n == 12 && e->salt[11] == 11 && e->hash[63] == 63, "$7$");
    e = mqtt_passwd_find(p, text("ann"));
    ok(e && !e->rounds && e->salt_n == 12, "$6$");
    ok(!mqtt_passwd_find(p, text("an")) && !mqtt_passwd_find(p, text("")), "no such user");
    is_int(mqtt_passwd_decoy(p)->rounds, 0, "the decoy costs what a user costs");
    mqtt_passwd_destroy(p);
}

TEST(a_wrong_password_file_is_refused_with_the_line)
{
    static const struct {
        const char *file, *what;
        uint32_t line;
    } cases[] = {
        { "ann", "USER:HASH", 1 },
        { "\nann:secret\n", "$7$", 2 },
        { ":$6$AAEC$" HASH64, "USER:HASH", 1 },
        { "ann:$5$AAEC$" HASH64, "$7$", 1 },
        { "ann:$7$0$AAEC$" HASH64, "rounds", 1 },
        { "ann:$7$10000001$AAEC$" HASH64, "rounds", 1 },
        { "ann:$7$AAEC$" HASH64, "rounds", 1 },
        { "ann:$6$AAE$" HASH64, "salt", 1 },
        { "ann:$6$" HASH64 "$" HASH64, NULL, 0 },
        { "ann:$6$AA" HASH64 "AA$" HASH64, "salt", 1 },
        { "ann:$6$AAEC$AAEC", "hash", 1 },
        { "ann:$6$AAEC$A" HASH64, "hash", 1 },
        { "ann:$6$AAEC$" HASH64 "\nbob:$6$AAEC$" HASH64 "\n#\nann:$6$AAEC$" HASH64, "twice", 4 },
        { "", NULL, 0 },
    };

    for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
        struct mqtt_passwd_error error;
        struct mqtt_passwd *p = mqtt_passwd_parse(text(cases[i].file), &error);

        if (cases[i].what) {
            ok(!p && error.line == cases[i].line && strstr(error.what, cases[i].what),
               "case %zu: %u: %s", i, error.line, p ? "(taken)" : error.what);
        } else {
            ok(p, "case %zu is taken", i);
        }
        mqtt_passwd_destroy(p);
    }
}

int
main(void)
{
    RUN(anonymous_clients);
    RUN(a_connect_stands_still_until_it_is_judged);
    RUN(input_behind_the_connect_in_one_segment);
    RUN(refusals);
    RUN(ends_while_it_waits);
    RUN(a_pending_connect_takes_over_nothing);
    RUN(much_held_input_is_limited);
    RUN(the_limit_of_memory);
    RUN(incomplete_packets_count);
    RUN(a_password_file_is_read_whole);
    RUN(a_wrong_password_file_is_refused_with_the_line);
    return done_testing();
}
