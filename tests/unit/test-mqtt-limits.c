/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The broker at its limits: each one at the limit and one beyond, with its counter; slow and stuck
 * subscribers; what memory is shared and what comes back. */
#include "base/prng.h"
#include "unit/mqtt-script.h"

static struct script_conn *
conn(struct script *t, const char *name)
{
    return script_conn(t, name);
}

static void
lines(struct script *t, const char *format, int n)
{
    char text[512];

    snprintf(text, sizeof text, format, n, n);
    script_lines(t, text);
}

static void
test_packet_size(void)
{
    struct mqtt_config config;
    struct script t;

    mqtt_config_default(&config);
    config.max_packet_size = 200;
    script_begin(&t, "packet size", &config);
    script_lines(&t,
                 "c1 > CONNECT id=a\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 > SUBSCRIBE id=1 t\n"
                 "c1 < SUBACK id=1 0\n"
                 "c1 >> PUBLISH t size=194\n"
                 "c1 < PUBLISH t size=194\n"
                 "c1 > PUBLISH t size=194\n"
                 "c1 < PUBLISH t size=194\n"
                 "c1 > hex 30c601\n"
                 "c1 closed\n");
    is_int(mqtt_stats(t.b)->packet_too_large, 1,
           "a packet beyond the limit is refused when its fixed header is seen");
    script_end(&t);
}

static void
test_tables(void)
{
    struct mqtt_origin origin = { .tcp_port = 1 };
    struct mqtt_config config;
    struct script t;
    mqtt_id a, b;

    mqtt_config_default(&config);
    config.max_connections = 2;
    script_begin(&t, "connections", &config);
    a = mqtt_open(t.b, &origin, 0, t.now);
    b = mqtt_open(t.b, &origin, 0, t.now);
    ok(a && b && a != b, "connections up to the limit");
    is_int(mqtt_open(t.b, &origin, 0, t.now), 0, "one connection more is refused");
    is_int(mqtt_stats(t.b)->limit_refused, 1, "and counted");
    is_int(mqtt_stats(t.b)->limit_connections, 1, "by its name");
    mqtt_closed(t.b, a, t.now);
    ok(mqtt_open(t.b, &origin, 0, t.now) != a, "a place is used again under another id");
    mqtt_input(t.b, a, "\xc0\0", 2, t.now);
    mqtt_closed(t.b, a, t.now);
    pass("an id that is gone is ignored");
    script_end(&t);

    mqtt_config_default(&config);
    config.max_sessions = 1;
    script_begin(&t, "sessions", &config);
    script_lines(&t, "c1 > CONNECT id=a\nc1 < CONNACK 0 0\n");
    is_int(mqtt_stats(t.b)->limit_sessions, 0, "a session at the limit");
    script_lines(&t, "c2 > CONNECT id=b\nc2 < CONNACK 0 3\nc2 closed\n");
    is_int(mqtt_stats(t.b)->limit_sessions, 1, "one more is counted");
    script_end(&t);

    mqtt_config_default(&config);
    config.max_keep_alive_s = 60;
    config.max_inflight = 1;
    config.max_topic_levels = 2;
    script_begin(&t, "limits by their names", &config);
    script_lines(&t, "c1 > CONNECT v=5 id=a keep=60\n"
                     "c1 < CONNACK 0 0 p=2100012200102700100000\n"
                     "c1 > PUBLISH a/b qos=2 id=1 x\nc1 < PUBREC id=1\n");
    is_int(mqtt_stats(t.b)->limit_keep_alive + mqtt_stats(t.b)->limit_inflight
           + mqtt_stats(t.b)->limit_levels, 0, "at each of them nothing is counted");
    script_lines(&t, "c1 > PUBLISH a/b qos=2 id=2 x\nc1 < DISCONNECT reason=0x93\nc1 closed\n"
                     "c2 > CONNECT id=b keep=61\nc2 < CONNACK 0 0\n"
                     "c2 > PUBLISH a/b/c x\nc2 closed\n");
    is_int(mqtt_stats(t.b)->limit_keep_alive, 1, "a keep-alive that is longer");
    is_int(mqtt_stats(t.b)->limit_inflight, 1, "one more message under way");
    is_int(mqtt_stats(t.b)->limit_levels, 1, "one more level");
    script_end(&t);

    mqtt_config_default(&config);
    config.max_subscriptions = 3;
    config.max_topic_levels = 4;
    config.max_retained = 2;
    config.max_retained_bytes = 300;
    script_begin(&t, "tables", &config);
    script_lines(&t,
                 "c1 > CONNECT id=a\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 > SUBSCRIBE id=1 t/1 t/2 t/3 t/4\n"
                 "c1 < SUBACK id=1 0 0 0 0x80\n"
                 "c1 > SUBSCRIBE id=1 t/2\n"
                 "c1 < SUBACK id=1 0\n"
                 "c1 > UNSUBSCRIBE id=1 t/1\n"
                 "c1 < UNSUBACK id=1\n"
                 "c1 > SUBSCRIBE id=1 a/b/c/d/e\n"
                 "c1 < SUBACK id=1 0x80\n"
                 "c1 > SUBSCRIBE id=1 a/b/c/d\n"
                 "c1 < SUBACK id=1 0\n"
                 "c1 > PUBLISH a/b/c/d x\n"
                 "c1 < PUBLISH a/b/c/d x\n");
    is_int(mqtt_stats(t.b)->limit_refused, 2, "filters beyond the limits are counted");
    script_lines(&t,
                 "c1 > PUBLISH r/1 retain x\n"
                 "c1 > PUBLISH r/2 retain x\n"
                 "c1 > PUBLISH r/3 retain x\n"
                 "c1 > PUBLISH r/2 retain size=280\n"
                 "c1 > PUBLISH r/1 retain size=280\n"
                 "c1 > UNSUBSCRIBE id=1 t/2 t/3 a/b/c/d\n"
                 "c1 < UNSUBACK id=1\n"
                 "c1 > SUBSCRIBE id=1 r/+\n"
                 "c1 < SUBACK id=1 0\n"
                 "c1 < PUBLISH r/2 retain size=280\n");
    /* So many as there may be: a packet that asks for all of them again and again stops nobody. */
    script_lines(&t,
                 "c1 > SUBSCRIBE id=2 r/2 r/2 r/2 r/+\n"
                 "c1 < SUBACK id=2 0 0 0 0\n"
                 "c1 < PUBLISH r/2 retain size=280\n"
                 "c1 < PUBLISH r/2 retain size=280\n"
                 "c1 < nothing\n");
    is_int(mqtt_stats(t.b)->retained_set, 3, "retained messages within the limits are stored");
    is_int(mqtt_stats(t.b)->retained_limit, 2, "retained messages beyond a limit are counted");
    script_lines(&t,
                 "c2 > CONNECT id=b will=w:late\n"
                 "c2 < CONNACK 0 0\n"
                 "c2 > PUBLISH a/b/c/d/e x\n"
                 "c2 closed\n");
    script_end(&t);
}

static void
test_full_queue(void)
{
    const struct mqtt_stats *stats;
    struct mqtt_config config;
    struct script t;

    mqtt_config_default(&config);
    config.max_queued_messages = 10;
    script_begin(&t, "full queue", &config);
    stats = mqtt_stats(t.b);
    script_lines(&t,
                 "c1 > CONNECT id=a\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 > SUBSCRIBE id=1 t\n"
                 "c1 < SUBACK id=1 0\n"
                 "c1 stalls\n");
    for (int i = 0; i < 10; i++) {
        lines(&t, "peer t %d\n", i);
    }
    is_int(stats->dropped_qos0, 0, "a queue takes messages up to its limit");
    script_lines(&t, "peer t 10\npeer t 11\n");
    is_int(stats->dropped_qos0, 2, "beyond it messages are dropped and counted");
    script_lines(&t, "c1 reads\n");
    for (int i = 2; i < 12; i++) {
        lines(&t, "c1 < PUBLISH t %d\n", i);
    }
    script_lines(&t, "c1 < nothing\n");
    script_end(&t);

    config.max_queued_messages = 1000;
    config.max_queued_bytes = 1000;
    script_begin(&t, "full queue by bytes", &config);
    stats = mqtt_stats(t.b);
    script_lines(&t,
                 "c1 > CONNECT id=a\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 > SUBSCRIBE id=1 t\n"
                 "c1 < SUBACK id=1 0\n"
                 "c2 > CONNECT id=b\n"
                 "c2 < CONNACK 0 0\n"
                 "c1 stalls\n"
                 "c2 > PUBLISH t size=5000\n");
    is_int(stats->dropped_qos0, 0, "one message always has room");
    script_lines(&t,
                 "c2 > PUBLISH t size=400\n"
                 "c2 > PUBLISH t size=401\n"
                 "c2 > PUBLISH t size=402\n");
    is_int(stats->dropped_qos0, 2, "bytes count as messages do, oldest first");
    script_lines(&t,
                 "c1 reads\n"
                 "c1 < PUBLISH t size=401\n"
                 "c1 < PUBLISH t size=402\n");
    script_end(&t);
}

/* More retained messages than a queue may hold are delivered all the same. */
static void
test_replay(void)
{
    struct mqtt_config config;
    struct script t;

    mqtt_config_default(&config);
    config.max_queued_messages = 5;
    config.max_retained = 20;
    script_begin(&t, "many retained messages", &config);
    for (int i = 0; i < 20; i++) {
        lines(&t, "peer r/%d retain x%d\n", i);
    }
    script_lines(&t,
                 "c1 > CONNECT id=a\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 stalls\n"
                 "c1 > SUBSCRIBE id=1 r/+\n"
                 "c1 > SUBSCRIBE id=2 r/+\n"
                 "c1 reads\n"
                 "c1 < SUBACK id=1 0\n"
                 "c1 < SUBACK id=2 0\n");
    for (int i = 19; i >= 0; i--) {
        lines(&t, "c1 < PUBLISH r/%d retain x%d\n", i);
    }
    for (int i = 4; i >= 0; i--) {
        lines(&t, "c1 < PUBLISH r/%d retain x%d\n", i);
    }
    script_lines(&t, "c1 < nothing\n");
    is_int(mqtt_stats(t.b)->dropped_qos0, 15, "what a second SUBSCRIBE adds is limited");
    script_end(&t);
}

/* 'n' bytes of PUBLISHes to "t" with payloads of 100 bytes. */
static void
publish_many(struct script *t, const char *name, int n)
{
    char text[64];

    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%s > PUBLISH t size=100\n", name);
        script_lines(t, text);
    }
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
test_slow_subscriber(void)
{
    struct mqtt_config config;
    struct script t;

    mqtt_config_default(&config);
    config.max_queued_messages = 100;
    config.hold_us = 2 * CLOCK_SEC;
    script_begin(&t, "slow subscriber", &config);
    script_lines(&t,
                 "sub > CONNECT id=a\n"
                 "sub < CONNACK 0 0\n"
                 "sub > SUBSCRIBE id=1 t\n"
                 "sub < SUBACK id=1 0\n"
                 "pub > CONNECT id=b keep=1\n"
                 "pub < CONNACK 0 0\n"
                 "sub stalls\n");
    publish_many(&t, "pub", 49);
    is_int(owed(&t, "pub"), 0, "half a queue holds nobody back");
    publish_many(&t, "pub", 1);
    is_int(owed(&t, "pub"), 105, "a congested subscriber delays the publisher's credit");
    script_lines(&t, "sub reads\n");
    is_int(owed(&t, "pub"), 0, "which comes once the queue has drained");
    is_int(mqtt_stats(t.b)->held, 1, "and is counted");

    script_lines(&t, "wait 1\npub > PINGREQ\npub < PINGRESP\nsub stalls\n");
    publish_many(&t, "pub", 60);
    ok(owed(&t, "pub") > 0, "held again");
    script_lines(&t, "wait 1.9\n");
    ok(owed(&t, "pub") > 0, "held for hold_us");
    ok(!conn(&t, "pub")->aborted, "a publisher that we do not listen to is not silent");
    script_lines(&t, "wait 0.2\n");
    is_int(owed(&t, "pub"), 0, "but not longer");
    publish_many(&t, "pub", 100);
    is_int(owed(&t, "pub"), 0, "a subscriber that is stuck costs others nothing");
    is_int(mqtt_stats(t.b)->dropped_qos0, 60, "but its own oldest messages");
    script_lines(&t, "sub reads\n");
    is_int(conn(&t, "sub")->n_got - conn(&t, "sub")->n_checked, (50 + 100) * 105,
           "it gets the newest when it reads again");
    discard(&t, "sub");

    script_lines(&t, "sub stalls\n");
    publish_many(&t, "pub", 60);
    ok(owed(&t, "pub") > 0, "held once more");
    script_lines(&t, "sub closes\n");
    is_int(owed(&t, "pub"), 0, "the end of the subscriber releases the publisher");
    script_end(&t);
}

static void
test_unread_answers(void)
{
    struct script t;

    script_begin(&t, "unread answers", NULL);
    script_lines(&t,
                 "c1 > CONNECT id=a\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 stalls\n");
    for (int i = 0; i < 20000; i++) {
        script_lines(&t, "c1 > PINGREQ\n");
    }
    ok(owed(&t, "c1") > 5000, "a client that does not read answers is heard no further");
    script_lines(&t, "wait 100\n");
    ok(owed(&t, "c1") > 5000, "for as long as that lasts");
    script_lines(&t, "c1 reads\n");
    is_int(owed(&t, "c1"), 0, "and is heard again when it reads");
    is_int(conn(&t, "c1")->n_got - 4, 40000, "no answer is lost");
    discard(&t, "c1");
    script_end(&t);
}

/* One body, however many subscribers. */
static void
test_shared_body(void)
{
    enum { N = 200 };
    struct mqtt_broker *b;
    struct mqtt_config config;
    struct mqtt_origin origin = { .tcp_port = 1 };
    struct mqtt_output out[N];
    struct mqtt_event e;
    struct mbuf *payload = mbuf_create(5000);
    struct mqtt_message m = { .topic = { (const uint8_t *) "t", 1 }, .payload = payload };
    int n = 0, n_shared = 0;
    uint32_t user;
    mqtt_id id;

    mqtt_config_default(&config);
    b = mqtt_create(&config, 0);
    memset(payload->data, 'x', 5000);
    for (int i = 0; i < N; i++) {
        uint8_t connect[] = "\x10\x0e\0\4MQTT\4\2\0\0\0\2..", sub[] = "\x82\6\0\1\0\1t";

        id = mqtt_open(b, &origin, 0, 0);
        connect[14] = (uint8_t) ('a' + i / 16);
        connect[15] = (uint8_t) ('a' + i % 16);
        mqtt_input(b, id, connect, 16, 0);
        mqtt_input(b, id, sub, 8, 0);
    }
    while (mqtt_next_ready(b, &id, &user)) {
        while (mqtt_next_output(b, id, 1460, 0, &out[0])) {
            mbuf_unref(out[0].body);
        }
    }
    mqtt_publish_remote(b, &m, 0);
    is_int(payload->n_refs, 2, "the body is referenced by one message, not by each queue");
    while (mqtt_next_ready(b, &id, &user)) {
        ok(n < N && mqtt_next_output(b, id, 1460, 0, &out[n]), "output for subscriber %d", n);
        n_shared += out[n].body == payload && out[n].body_n == 5000 && out[n].head_n == 6;
        n++;
    }
    is_int(n_shared, N, "all subscribers get the same body");
    is_int(payload->n_refs, N + 1, "by reference; the message itself is gone");
    while (n) {
        mbuf_unref(out[--n].body);
    }
    is_int(payload->n_refs, 1, "and nothing is left");
    while (mqtt_next_event(b, &e)) {
        ok(e.type == MQTT_EV_CREDIT || e.type == MQTT_EV_SUBSCRIBE, "event");
    }
    mqtt_destroy(b);
    mbuf_unref(payload);
}

static void
churn(struct script *t)
{
    for (int i = 0; i < 1000; i++) {
        lines(t,
              "c1 > CONNECT id=client%d will=w:x clean=0\n"
              "c1 > SUBSCRIBE id=1 a/%d b/# +/c\n"
              "c1 > PUBLISH a/1 qos=2 id=3 size=3000\n"
              "c1 > PUBLISH r retain x\n"
              "c1 closes\n", i);
        discard(t, "c1");
        t->n_conns = 0;
        mem_free(t->conns[0].got);
        lines(t,
              "c1 > CONNECT id=client%d clean=1\n"
              "c1 > DISCONNECT\n"
              "c1 closed\n", i);
        discard(t, "c1");
        t->n_conns = 0;
        mem_free(t->conns[0].got);
    }
}

static void
test_memory(void)
{
    struct mqtt_memory first, second;
    struct script t;

    script_begin(&t, "memory", NULL);
    churn(&t);
    mqtt_memory(t.b, &first);
    churn(&t);
    mqtt_memory(t.b, &second);
    is_int(second.bytes, first.bytes, "memory after twice as many clients is the same");
    is_int(second.n_connections + second.n_sessions + second.n_subscriptions, 0, "nothing is left");
    is_int(second.n_retained, 1, "but the retained message");
    script_end(&t);
}

/* One message that matches 1024 subscriptions with an identifier each counts for all of them. */
static void
test_many_identifiers(void)
{
    struct mqtt_session_info info;
    struct mqtt_config config;
    uint32_t pos = 0;
    struct script t;

    mqtt_config_default(&config);
    config.max_queued_bytes = 100000;
    config.max_patterns = 1024;       /* Ten levels of "a" or "+". */
    script_begin(&t, "many Subscription Identifiers", &config);
    script_lines(&t, "c1 > CONNECT v=5 id=a\n");
    for (int i = 0; i < 1024; i++) {
        char text[100] = "c1 > SUBSCRIBE id=1 p=0b01 ";

        for (int level = 0; level < 10; level++) {
            strcat(text, i >> level & 1 ? "+/" : "a/");
        }
        script_lines(&t, strcat(text, "a\n"));
    }
    script_lines(&t, "c1 stalls\n");
    for (int i = 0; i < 100; i++) {
        script_lines(&t, "peer a/a/a/a/a/a/a/a/a/a/a x\n");
    }
    mqtt_walk_sessions(t.b, &pos, &info);
    is_int(info.n_queued, 100000 / (1024 * 8 + 100), "the queue has so many messages");
    ok(info.queued_bytes <= 100000 && info.queued_bytes > 80000, "and so many bytes: %u",
       (unsigned) info.queued_bytes);
    script_lines(&t, "c1 reads\n");
    discard(&t, "c1");
    pos = 0;
    mqtt_walk_sessions(t.b, &pos, &info);
    is_int(info.queued_bytes, 0, "all are taken off the account again");
    script_end(&t);
}

/* Topic Aliases, 16 long topics for each client, are memory too. */
static void
test_aliases_and_memory(void)
{
    struct mqtt_memory before, after;
    struct mqtt_config config;
    struct script t;

    mqtt_config_default(&config);
    config.memory_limit = 100000;
    script_begin(&t, "Topic Aliases at the limit of memory", &config);
    script_lines(&t, "c1 > CONNECT v=5 id=a\nc2 > CONNECT v=5 id=b clean=0 p=1100001000\n"
                     "c2 > SUBSCRIBE id=1 q:1\nc2 > DISCONNECT\n"
                     "c1 > PUBLISH t p=230001 x\n"
                     "c1 > PUBLISH q qos=1 id=1 size=100000\n");
    discard(&t, "c1");
    discard(&t, "c2");
    mqtt_memory(t.b, &before);
    ok(before.bytes > config.memory_limit, "memory is full: %llu bytes",
       (unsigned long long) before.bytes);
    script_lines(&t, "c1 > PUBLISH - p=230001 x\n"
                     "c1 < nothing\n"
                     "c1 > PUBLISH longer p=230001 x\n"
                     "c1 < DISCONNECT reason=0x97\n"
                     "c1 closed\n");
    mqtt_memory(t.b, &after);
    ok(after.bytes <= before.bytes, "what is known may be used, nothing is added");
    script_end(&t);
}

static void
forget_conns(struct script *t)
{
    while (t->n_conns) {
        mem_free(t->conns[--t->n_conns].got);
    }
}

/* How many sessions there is memory for; they are gone afterwards. */
static int
count_sessions(struct script *t)
{
    uint64_t refused = mqtt_stats(t->b)->memory_refused;
    int n = 0;

    for (; mqtt_stats(t->b)->memory_refused == refused && n < 100000; n++) {
        lines(t, "c1 > CONNECT id=session-%d clean=0\nc1 closes\n", n);
        forget_conns(t);
    }
    for (int i = 0; i < n; i++) {
        lines(t, "c1 > CONNECT id=session-%d\nc1 > DISCONNECT\nc1 closes\n", i);
        forget_conns(t);
    }
    return n;
}

/* Queue entries up to the limit of memory, for twelve clients that do not read, and then do. */
static void
fill_with_entries(struct script *t)
{
    uint64_t refused;

    for (int i = 0; i < 12; i++) {
        lines(t, "c%1$d > CONNECT id=%1$d\nc%1$d > SUBSCRIBE id=1 t:0\nc%1$d stalls\n", i);
    }
    script_lines(t, "pub > CONNECT id=pub\n");
    refused = mqtt_stats(t->b)->memory_refused;
    while (mqtt_stats(t->b)->memory_refused == refused) {
        script_lines(t, "pub > PUBLISH t x\n");
    }
    for (int i = 0; i < 12; i++) {
        lines(t, "c%1$d reads\nc%1$d closes\n", i);
    }
    script_lines(t, "pub closes\n");
    forget_conns(t);
}

static void
test_memory_after_a_peak(void)
{
    struct mqtt_memory before, after;
    struct mqtt_config config;
    struct script t;
    int first, second;

    mqtt_config_default(&config);
    config.memory_limit = 4 << 20;
    config.max_queued_messages = config.max_queued_bytes = UINT32_MAX;
    script_begin(&t, "memory after a peak", &config);
    first = count_sessions(&t);
    mqtt_memory(t.b, &before);
    fill_with_entries(&t);
    mqtt_memory(t.b, &after);
    ok(first > 10000, "the limit is reached with %d sessions", first);
    ok(after.bytes < before.bytes + 10000, "a full queue that was read is none: %llu, %llu bytes",
       (unsigned long long) before.bytes, (unsigned long long) after.bytes);
    second = count_sessions(&t);
    ok(second > first - first / 100, "and there is room for as many sessions: %d", second);
    script_end(&t);
}

static void
test_walk(void)
{
    struct mqtt_subscription_info sub;
    struct mqtt_session_info info;
    uint32_t pos = 0, sub_pos = 0;
    int n = 0, n_stored = 0, n_subs = 0;
    struct script t;

    script_begin(&t, "show", NULL);
    for (int i = 0; i < 200; i++) {
        lines(&t, "c1 > CONNECT id=client%d clean=0 user=jorge keep=7\n"
              "c1 > SUBSCRIBE id=1 a/%d b/#\n", i);
        if (i % 2) {
            script_lines(&t, "c1 closes\n");
        }
        discard(&t, "c1");
        t.n_conns = 0;
        mem_free(t.conns[0].got);
    }
    while (mqtt_walk_sessions(t.b, &pos, &info)) {
        n++;
        n_stored += !info.conn;
        if (info.n_subscriptions != 2 || info.username.n != 5 || info.protocol != 4 || info.clean
            || (info.conn && info.keep_alive_s != 7)) {
            fail("a session is shown as it is");
        }
        for (sub_pos = 0; mqtt_walk_subscriptions(t.b, pos, &sub_pos, &sub); n_subs++) {
            if (sub.qos || (sub.filter.p[0] != 'a' && sub.filter.p[0] != 'b')) {
                fail("a subscription is shown as it is");
            }
        }
    }
    is_int(n, 200, "every session is walked over once");
    is_int(n_stored, 100, "stored ones too");
    is_int(n_subs, 400, "with their subscriptions");
    script_end(&t);
}

/* The filters of the only session, in any order, are exactly these, which differ. */
static bool
is_subscribed(const struct script *t, const char *const *filters, uint32_t n)
{
    struct mqtt_subscription_info sub;
    struct mqtt_session_info info;
    uint32_t pos = 0, sub_pos = 0, n_found = 0, met = 0;

    if (!mqtt_walk_sessions(t->b, &pos, &info) || info.n_subscriptions != n) {
        return false;
    }
    while (mqtt_walk_subscriptions(t->b, pos, &sub_pos, &sub)) {
        for (uint32_t i = 0; i < n; i++) {
            if (sub.filter.n == strlen(filters[i])
                && !memcmp(sub.filter.p, filters[i], sub.filter.n)) {
                met |= 1u << i;
            }
        }
        n_found++;
    }
    return n_found == n && met == (1u << n) - 1;
}

/* From few subscriptions to many and back, while the client comes and goes.  Returns how often it
 * was not as it should be. */
static uint32_t
play_subscriptions(struct script *t, uint32_t *most)
{
    static const char *const filters[] = {
        "a", "a/b", "a/b/c/d", "a/b/c/e", "a/+/c/d", "$share/g/a/b", "$share/g/a/#", "#",
    };
    const char *model[MP_ARRAY_SIZE(filters)];
    uint32_t n = 0, wrong = 0;
    struct prng g;

    prng_init(&g, 7);
    for (int turn = 0; turn < 2000; turn++) {
        /* Now growing, now shrinking. */
        uint32_t i = prng_below(&g, MP_ARRAY_SIZE(filters)), k = 0;
        bool adds = prng_below(&g, 8) < (turn / 100 % 2 ? 2u : 6u);
        char line[100];

        while (k < n && model[k] != filters[i]) {
            k++;
        }
        if (adds && k == n) {
            model[n++] = filters[i];
        } else if (!adds && k < n) {
            memmove(model + k, model + k + 1, (--n - k) * sizeof *model);
        }
        *most = MP_MAX(*most, n);
        snprintf(line, sizeof line, "c1 > %s id=1 %s\n", adds ? "SUBSCRIBE" : "UNSUBSCRIBE",
                 filters[i]);
        script_lines(t, turn % 50 ? "" : "c1 > CONNECT id=a clean=0\n");
        script_lines(t, line);
        mqtt_run(t->b, t->now);       /* Retained messages may take more than a turn. */
        wrong += !is_subscribed(t, model, n);
        if (turn % 50 == 49) {
            script_lines(t, "c1 closes\n");
            discard(t, "c1");
            t->n_conns = 0;
            mem_free(t->conns[0].got);
            wrong += !is_subscribed(t, model, n);
        }
    }
    script_lines(t, "c1 > CONNECT id=a clean=1\nc1 > DISCONNECT\nc1 closed\n");
    discard(t, "c1");
    t->n_conns = 0;
    mem_free(t->conns[0].got);
    return wrong;
}

static void
test_subscription_list(void)
{
    struct mqtt_memory first, second;
    uint32_t most = 0;
    struct script t;

    script_begin(&t, "subscription list", NULL);
    is_int(play_subscriptions(&t, &most), 0, "a session has what it subscribed to");
    is_int(most, 8, "it had all of them at some time");
    mqtt_memory(t.b, &first);
    is_int(first.n_sessions + first.n_subscriptions, 0, "nothing is left of it");
    play_subscriptions(&t, &most);
    mqtt_memory(t.b, &second);
    is_int(second.bytes, first.bytes, "nor of its memory");
    script_end(&t);
}

/* A client that the caller holds is not heard, and that is not held against it. */
static void
test_held_by_caller(void)
{
    struct script t;
    uint64_t credit;

    script_begin(&t, "held by the caller", NULL);
    script_lines(&t, "c1 > CONNECT id=a keep=4\nc1 < CONNACK 0 0\n");
    credit = t.conns[0].credit;
    ok(mqtt_hold(t.b, t.conns[0].id), "it is held");
    ok(!mqtt_hold(t.b, t.conns[0].id), "once");
    script_lines(&t, "c1 > PUBLISH t hello\nc1 > PUBLISH t hello\nwait 30\n");
    is_int(t.conns[0].credit, credit, "what it sends is taken, and no window opens for more");
    ok(!t.conns[0].closed && !t.conns[0].aborted && !mqtt_stats(t.b)->keep_alive_timeouts,
       "its keep-alive does not run meanwhile");
    mqtt_release(t.b, t.conns[0].id, t.now);
    script_drain(&t);
    is_int(t.conns[0].credit, t.conns[0].sent, "then all of it is credited");
    mqtt_release(t.b, t.conns[0].id, t.now);
    script_lines(&t, "wait 7\n");
    is_int(mqtt_stats(t.b)->keep_alive_timeouts, 1, "and silence counts again");
    ok(!mqtt_hold(t.b, t.conns[0].id), "who is gone is not held");
    script_end(&t);
}

/* What expires together is done over several runs, each of which says that the next is due. */
static void
test_burst_of_timers(void)
{
    enum { N = 2000 };
    struct mqtt_origin origin = { .tcp_port = 1 };
    const struct mqtt_stats *stats;
    struct mqtt_config config;
    struct mqtt_event event;
    bool bounded = true;
    uint64_t n_runs = 0;
    struct script t;

    mqtt_config_default(&config);
    script_begin(&t, "timers", &config);
    stats = mqtt_stats(t.b);
    for (uint32_t i = 0; i < N; i++) {
        mqtt_open(t.b, &origin, i, t.now);
    }
    t.now += config.connect_timeout_us + CLOCK_SEC;
    while (stats->connect_timeouts < N && n_runs < 100) {
        uint64_t before = stats->connect_timeouts;

        bounded = bounded && mqtt_deadline(t.b) <= t.now;
        mqtt_run(t.b, t.now);
        bounded = bounded && stats->connect_timeouts - before <= 600
                  && stats->connect_timeouts > before;
        while (mqtt_next_event(t.b, &event)) {
            mqtt_closed(t.b, event.conn, t.now);
        }
        n_runs++;
    }
    is_int(stats->connect_timeouts, N, "all are over");
    ok(bounded, "some hundred in each of %u runs, each due at once", (unsigned int) n_runs);
    ok(mqtt_deadline(t.b) > t.now, "then nothing is due");
    script_end(&t);
}

int
main(void)
{
    test_packet_size();
    test_tables();
    test_full_queue();
    test_replay();
    test_slow_subscriber();
    test_unread_answers();
    test_shared_body();
    test_memory();
    test_many_identifiers();
    test_aliases_and_memory();
    test_memory_after_a_peak();
    test_walk();
    test_subscription_list();
    test_burst_of_timers();
    test_held_by_caller();
    return done_testing();
}
