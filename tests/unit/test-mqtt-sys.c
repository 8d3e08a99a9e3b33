/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The $SYS tree: names, values, when they are published, and to whom they are not. */
#include "unit/mqtt-script.h"

static const char *const names[] = {
    "version", "uptime", "clients/total", "clients/maximum", "clients/inactive",
    "clients/disconnected", "clients/active", "clients/connected", "clients/expired",
    "messages/stored", "store/messages/count", "store/messages/bytes", "subscriptions/count",
    "shared_subscriptions/count", "retained messages/count", "heap/current", "heap/maximum",
    "messages/received", "messages/sent", "publish/messages/dropped",
    "publish/messages/received", "publish/messages/sent", "publish/bytes/received",
    "publish/bytes/sent", "bytes/received", "bytes/sent",
};
static const char *const loads[] = {
    "messages/received", "messages/sent", "publish/dropped", "publish/received", "publish/sent",
    "bytes/received", "bytes/sent", "sockets", "connections",
};

static struct mqtt_config
config_with(usec_t interval)
{
    struct mqtt_config config;

    mqtt_config_default(&config);
    config.sys_interval_us = interval;
    config.version = "test 1";
    return config;
}

struct seen {
    char topic[100], payload[100];
    bool retain;
};

/* Takes the PUBLISHes of QoS 0 that a client has received and that were not looked at yet. */
static size_t
take_all(struct script *t, const char *name, struct seen *seen, size_t max)
{
    struct script_conn *c = script_conn(t, name);
    size_t n = 0;

    while (c->n_checked < c->n_got && n < max) {
        const uint8_t *p = c->got + c->n_checked;
        size_t size = p[1], topic_n = (size_t) p[2] << 8 | p[3];

        mp_assert(p[0] >> 4 == 3 && !(p[0] & 6) && size < 128);
        snprintf(seen[n].topic, sizeof seen[n].topic, "%.*s", (int) topic_n, p + 4);
        snprintf(seen[n].payload, sizeof seen[n].payload, "%.*s", (int) (size - 2 - topic_n),
                 p + 4 + topic_n);
        seen[n++].retain = p[0] & 1;
        c->n_checked += 2 + size;
    }
    return n;
}

static const char *
value_of(const struct seen *seen, size_t n, const char *name)
{
    char topic[100];
    const char *value = "(none)";

    snprintf(topic, sizeof topic, "$SYS/broker/%s", name);
    for (size_t i = 0; i < n; i++) {
        value = strcmp(seen[i].topic, topic) ? value : seen[i].payload;
    }
    return value;
}

TEST(a_subscriber_gets_all_as_if_retained)
{
    struct mqtt_config config = config_with(10 * CLOCK_SEC);
    struct seen seen[100];
    struct script t;
    size_t n, n_found = 0;

    script_begin(&t, "all", &config);
    script_lines(&t,
                 "wait 1\n"
                 "c1 > CONNECT id=a\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 > SUBSCRIBE id=1 $SYS/#\n"
                 "c1 < SUBACK id=1 0\n");
    n = take_all(&t, "c1", seen, 100);
    is_int(n, 53, "53 topics");
    for (size_t i = 0; i < MP_ARRAY_SIZE(names); i++) {
        ok(strcmp(value_of(seen, n, names[i]), "(none)"), "%s", names[i]);
    }
    for (size_t i = 0; i < MP_ARRAY_SIZE(loads); i++) {
        static const char *const spans[] = { "1min", "5min", "15min" };

        for (size_t k = 0; k < 3; k++) {
            char name[80];

            snprintf(name, sizeof name, "load/%s/%s", loads[i], spans[k]);
            n_found += !strcmp(value_of(seen, n, name), "0.00");
        }
    }
    is_int(n_found, 27, "loads over 1, 5 and 15 minutes");
    for (size_t i = 0; i < n; i++) {
        n_found += seen[i].retain;
    }
    is_int(n_found, 27 + 53, "with RETAIN set");
    is_str(value_of(seen, n, "version"), "test 1", "version");
    is_str(value_of(seen, n, "uptime"), "0 seconds", "uptime");
    script_lines(&t, "event SUBSCRIBE $SYS/#\nevent none\n");
    script_end(&t);
}

TEST(changes_are_published_every_interval)
{
    struct mqtt_config config = config_with(10 * CLOCK_SEC);
    struct seen seen[100];
    struct script t;
    size_t n;

    script_begin(&t, "changes", &config);
    script_lines(&t,
                 "wait 1\n"
                 "c1 > CONNECT id=a\n"
                 "c1 < CONNACK 0 0\n"
                 "c2 > CONNECT id=b clean=0\n"
                 "c2 < CONNACK 0 0\n"
                 "c2 > SUBSCRIBE id=1 $share/g/x:1 x/#:1\n"
                 "c2 < SUBACK id=1 1 1\n"
                 "c2 closes\n"
                 "c1 > PUBLISH r retain qos=1 id=1 abc\n"
                 "c1 < PUBACK id=1\n"
                 "c1 > SUBSCRIBE id=1 $SYS/#\n"
                 "c1 < SUBACK id=1 0\n");
    take_all(&t, "c1", seen, 100);
    script_lines(&t, "wait 8.5\nc1 < nothing\n"
                     "wait 1\n");
    n = take_all(&t, "c1", seen, 100);
    is_str(value_of(seen, n, "uptime"), "10 seconds", "uptime");
    is_str(value_of(seen, n, "clients/total"), "2", "total clients");
    is_str(value_of(seen, n, "clients/maximum"), "2", "most clients");
    is_str(value_of(seen, n, "clients/connected"), "1", "connected ones");
    is_str(value_of(seen, n, "clients/disconnected"), "1", "disconnected ones");
    is_str(value_of(seen, n, "subscriptions/count"), "3", "subscriptions");
    is_str(value_of(seen, n, "shared_subscriptions/count"), "1", "shared ones");
    is_str(value_of(seen, n, "retained messages/count"), "1", "retained messages");
    is_str(value_of(seen, n, "publish/messages/received"), "1", "messages");
    is_str(value_of(seen, n, "publish/bytes/received"), "3", "their bytes");
    is_str(value_of(seen, n, "messages/received"), "5", "control packets");
    is_str(value_of(seen, n, "version"), "(none)", "what has not changed is not said again");
    /* 5 packets in 10 s are 30 a minute; 30 (1 - e^(-1/6)) = 4.61. */
    is_str(value_of(seen, n, "load/messages/received/1min"), "4.61", "a moving average");
    is_str(value_of(seen, n, "load/connections/1min"), "1.84", "of CONNECTs as well");
    for (size_t i = 0; i < n; i++) {
        mp_assert(!seen[i].retain);
    }
    pass("an update is no retained message");
    t.n_events_checked = t.n_events;
    script_lines(&t, "wait 10\n");
    n = take_all(&t, "c1", seen, 100);
    is_str(value_of(seen, n, "uptime"), "20 seconds", "and again");
    is_str(value_of(seen, n, "clients/total"), "(none)", "the clients are the same");
    script_lines(&t, "event none\n");
    script_end(&t);
}

TEST(wildcards_and_peers_get_none)
{
    struct mqtt_config config = config_with(CLOCK_SEC);
    struct script t;

    config.version = "test";
    script_begin(&t, "hidden", &config);
    script_lines(&t,
                 "wait 1\n"
                 "c1 > CONNECT id=a\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 > SUBSCRIBE id=1 # +/broker/uptime\n"
                 "c1 < SUBACK id=1 0 0\n"
                 "event SUBSCRIBE #\n"
                 "event SUBSCRIBE +/broker/uptime\n"
                 "wait 10\n"
                 "c1 < nothing\n"
                 "event none\n"
                 "c1 > PUBLISH $SYS/broker/uptime qos=1 id=1 fake\n"
                 "c1 < PUBACK id=1\n"
                 "c1 > SUBSCRIBE id=2 $SYS/broker/version\n"
                 "c1 < SUBACK id=2 0\n"
                 "c1 < PUBLISH $SYS/broker/version retain test\n");
    script_lines(&t, "event SUBSCRIBE $SYS/broker/version\nevent none\n");
    script_end(&t);
}

TEST(no_interval_no_tree)
{
    struct mqtt_config config = config_with(0);
    struct script t;

    script_begin(&t, "off", &config);
    is_int(mqtt_deadline(t.b), CLOCK_NEVER, "an idle broker sleeps");
    script_lines(&t,
                 "c1 > CONNECT id=a\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 > SUBSCRIBE id=1 $SYS/#\n"
                 "c1 < SUBACK id=1 0\n"
                 "wait 60\n"
                 "c1 < nothing\n");
    script_end(&t);
}

TEST(they_cost_no_place_among_the_retained)
{
    struct mqtt_config config = config_with(10 * CLOCK_SEC);
    struct mqtt_memory memory;
    struct script t;

    config.max_retained = 1;
    script_begin(&t, "limit", &config);
    script_lines(&t, "wait 20\npeer r x retain\n");
    mqtt_memory(t.b, &memory);
    is_int(memory.n_retained, 1, "the limit is for others");
    is_int(mqtt_stats(t.b)->retained_limit, 0, "and was not reached");
    script_end(&t);
}

int
main(void)
{
    RUN(a_subscriber_gets_all_as_if_retained);
    RUN(changes_are_published_every_interval);
    RUN(wildcards_and_peers_get_none);
    RUN(no_interval_no_tree);
    RUN(they_cost_no_place_among_the_retained);
    return done_testing();
}
