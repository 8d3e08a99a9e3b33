/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Clients that want to be a burden: that drip, that multiply wildcards, that leave thousands of filters
 * at once, that leave thousands of members behind in a shared subscription.  Where it is about what
 * something costs, processor times of this process are compared, of few and of many, with room for
 * more than a noisy machine makes of them. */
#include "unit/mqtt-script.h"

#include "mqtt/private.h"
#include "topic/sublist.h"

#include <time.h>

static struct script_conn *
conn(struct script *t, const char *name)
{
    return script_conn(t, name);
}

/* ---- Keep Alive ---- */

static void
begin_drip(struct script *t, const char *name, const char *version)
{
    char line[80];

    script_begin(t, name, NULL);
    snprintf(line, sizeof line, "c1 > CONNECT id=a keep=10 v=%s\n", version);
    script_lines(t, line);
    conn(t, "c1")->n_checked = conn(t, "c1")->n_got;          /* CONNACK. */
    /* PUBLISH, 100,000 bytes are to come. */
    script_lines(t, "c1 > hex 30a08d0600017400\n");
}

/* 'n' bytes every 'seconds' until the broker ends it, at most 'n_times'; how often it was. */
static int
drip(struct script *t, size_t n, const char *seconds, int n_times)
{
    static const uint8_t bytes[4096];
    struct script_conn *c = conn(t, "c1");
    char line[32];
    int i;

    snprintf(line, sizeof line, "wait %s\n", seconds);
    for (i = 0; i < n_times && !c->closed && !c->aborted; i++) {
        script_lines(t, line);
        c->sent += n;
        mqtt_input(t->b, c->id, bytes, n, t->now);
        script_drain(t);
    }
    return i;
}

TEST(a_drip_is_silence)
{
    struct script t;

    begin_drip(&t, "drip", "4");
    is_int(drip(&t, 1, "4.9", 100), 4, "a PUBLISH byte by byte ends at one and a half Keep Alives");
    is_int(mqtt_stats(t.b)->keep_alive_timeouts, 1, "as a Keep Alive that was not kept");
    is_int(t.b->framer_bytes, 0, "and its buffer is gone");
    script_lines(&t, "c1 aborted\n");
    script_end(&t);

    begin_drip(&t, "drip of 1,000", "4");
    is_int(drip(&t, 1000, "14.9", 100), 2, "1,000 bytes in this time are too few");
    script_lines(&t, "c1 aborted\n");
    script_end(&t);

    begin_drip(&t, "drip, 5.0", "5");
    is_int(drip(&t, 1, "4.9", 100), 4, "5.0: the same");
    script_lines(&t, "c1 < hex e0028d00\nc1 closed\n");
    script_end(&t);
}

TEST(a_slow_link_is_not)
{
    struct script t;

    begin_drip(&t, "slow link", "4");
    is_int(drip(&t, 1024, "14.9", 90), 90, "1,024 bytes in one and a half Keep Alives are enough");
    is_int(mqtt_stats(t.b)->publishes_in, 0, "for a packet that is not there yet");
    drip(&t, 1, "15.1", 1);
    script_lines(&t, "c1 aborted\n");
    script_end(&t);

    script_begin(&t, "whole packets", NULL);
    script_lines(&t, "c1 > CONNECT id=a keep=10\nc1 < CONNACK 0 0\n");
    for (int i = 0; i < 10; i++) {
        script_lines(&t, "wait 14.5\nc1 > PINGREQ\nc1 < PINGRESP\n");
    }
    script_lines(&t, "wait 15.5\nc1 aborted\n");
    script_end(&t);
}

/* ---- Many clients, without a script ---- */

#define MAX_CLIENTS 60000u
#define PACKET (1u << 20)

struct crowd {
    struct mqtt_broker *b;
    usec_t now;
    mqtt_id ids[MAX_CLIENTS];         /* By number, which is the 'user' as well. */
    uint32_t n_publishes[MAX_CLIENTS];/* That each got. */
    uint8_t packet[PACKET];
    uint8_t codes[PACKET];            /* The last SUBACK. */
    uint32_t n_codes;
};

static struct crowd crowd;

static void
crowd_begin(struct mqtt_config *config)
{
    memset(&crowd, 0, sizeof crowd);
    config->key = (struct siphash_key) { 1, 2 };
    crowd.now = CLOCK_SEC;
    crowd.b = mqtt_create(config, crowd.now);
}

static void
crowd_end(void)
{
    mqtt_destroy(crowd.b);
}

static void
crowd_take(struct mqtt_output *out, uint32_t user)
{
    crowd.n_publishes[user] += out->head[0] >> 4 == MQTT_PUBLISH;
    if (out->extra && out->extra->data[0] == MQTT_SUBACK << 4) {
        uint32_t head = out->extra->data[1] & 0x80 ? out->extra->data[2] & 0x80 ? 6 : 5 : 4;

        crowd.n_codes = out->extra->size - head;
        memcpy(crowd.codes, out->extra->data + head, crowd.n_codes);
    } else if (out->head_n && out->head[0] == MQTT_SUBACK << 4) {
        crowd.n_codes = out->head_n - 4;
        memcpy(crowd.codes, out->head + 4, crowd.n_codes);
    }
    mbuf_unref(out->extra);
    mbuf_unref(out->body);
}

static void
crowd_turn(void)
{
    struct mqtt_output out;
    struct mqtt_event e;
    uint32_t user;
    mqtt_id id;

    do {
        mqtt_run(crowd.b, ++crowd.now);
        while (mqtt_next_event(crowd.b, &e)) {
            if (e.type == MQTT_EV_CLOSE || e.type == MQTT_EV_ABORT) {
                mqtt_closed(crowd.b, e.conn, crowd.now);
            }
        }
        while (mqtt_next_ready(crowd.b, &id, &user)) {
            while (mqtt_next_output(crowd.b, id, 65535, crowd.now, &out)) {
                crowd_take(&out, user);
            }
        }
    } while (crowd.b->first_subscribing);
}

static void
crowd_feed(uint32_t client, const void *p, size_t n)
{
    mqtt_input(crowd.b, crowd.ids[client], p, n, crowd.now);
    crowd_turn();
}

/* A 3.1.1 client that keeps its session. */
static void
crowd_connect(uint32_t client)
{
    static const struct mqtt_origin origin = { .tcp_port = 1 };
    uint8_t p[32] = { 0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 0, 0, 0, 0, 0 };
    int n = snprintf((char *) p + 14, sizeof p - 14, "c%u", client);

    p[1] = (uint8_t) (12 + n);
    p[13] = (uint8_t) n;
    crowd.ids[client] = mqtt_open(crowd.b, &origin, client, crowd.now);
    crowd_feed(client, p, 14 + (size_t) n);
}

static void
crowd_part(uint32_t client)
{
    mqtt_closed(crowd.b, crowd.ids[client], crowd.now);
    crowd_turn();
}

/* Filters of a SUBSCRIBE or UNSUBSCRIBE are put behind one another in crowd.packet from HEAD on. */
#define HEAD 7u

static size_t
put_filter(size_t at, const char *filter, bool has_qos, uint8_t qos)
{
    size_t n = strlen(filter);

    crowd.packet[at] = (uint8_t) (n >> 8);
    crowd.packet[at + 1] = (uint8_t) n;
    memcpy(crowd.packet + at + 2, filter, n);
    crowd.packet[at + 2 + n] = qos;
    return at + 2 + n + has_qos;
}

static void
send_filters(uint32_t client, uint8_t first, size_t end)
{
    size_t n = end - 5;               /* The packet identifier is counted. */

    crowd.packet[0] = first;
    for (int i = 1; i < 5; i++) {     /* A length of four bytes: 3.1.1 allows that. */
        crowd.packet[i] = (uint8_t) (n % 128 | (i < 4 ? 0x80 : 0));
        n /= 128;
    }
    crowd.packet[5] = 0;
    crowd.packet[6] = 1;
    crowd_feed(client, crowd.packet, end);
}

static void
subscribe(uint32_t client, const char *filter, uint8_t qos)
{
    send_filters(client, 0x82, put_filter(HEAD, filter, true, qos));
}

static void
unsubscribe(uint32_t client, const char *filter)
{
    send_filters(client, 0xa2, put_filter(HEAD, filter, false, 0));
}

static const struct mqtt_session *
session_of(uint32_t client)
{
    char name[16];
    int n = snprintf(name, sizeof name, "c%u", client);

    return mqtt_session_at(crowd.b, mqtt_session_find(crowd.b, (struct slice) {
        (const uint8_t *) name, (uint32_t) n }));
}

static void
publish(uint32_t client, uint8_t qos)
{
    static const uint8_t packet0[] = { 0x30, 4, 0, 1, 't', 'x' };
    static const uint8_t packet1[] = { 0x32, 6, 0, 1, 't', 0, 1, 'x' };

    if (qos) {
        crowd_feed(client, packet1, sizeof packet1);
    } else {
        crowd_feed(client, packet0, sizeof packet0);
    }
}

static double
cpu_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double) ts.tv_sec * 1e6 + (double) ts.tv_nsec / 1e3;
}

/* ---- Wildcards ---- */

/* "a" or "+" on 16 levels, as the bits of 'pattern' say, the first level's the lowest. */
static const char *
filter_of(uint32_t pattern, const char *last)
{
    static char text[64];
    size_t n = 0;

    for (int i = 0; i < 16; i++) {
        text[n++] = pattern >> i & 1 ? '+' : 'a';
        text[n++] = '/';
    }
    snprintf(text + n, sizeof text - n, "%s", last);
    return text;
}

TEST(wildcards_do_not_multiply)
{
    struct mqtt_config config;
    uint32_t n_granted = 0;
    size_t end = HEAD;

    mqtt_config_default(&config);
    config.max_subscriptions = 1000000;
    crowd_begin(&config);
    crowd_connect(0);
    for (uint32_t i = 0; i < 65536; i += 1024) {
        end = HEAD;
        for (uint32_t k = 0; k < 1024; k++) {
            end = put_filter(end, filter_of(i + k, "z"), true, 0);
        }
        send_filters(0, 0x82, end);
        for (uint32_t k = 0; k < crowd.n_codes; k++) {
            n_granted += crowd.codes[k] == 0;
        }
    }
    is_int(n_granted, 256 + config.max_patterns,
           "65,536 patterns: those of eight levels are granted, and the limit of others");
    is_int(mqtt_stats(crowd.b)->limit_patterns, 65536 - n_granted, "the rest is counted");
    is_int(crowd.b->patterns->n, config.max_patterns, "the limit was reached");

    crowd_connect(1);
    subscribe(1, filter_of(0x80ff, "y"), 0);
    is_int(crowd.codes[0], 0x80, "a new pattern of another client is refused");
    subscribe(1, filter_of(0x101, "y"), 0);
    is_int(crowd.codes[0], 0, "one that there is is not, whatever the filter");
    subscribe(1, filter_of(0x101, "y"), 1);
    is_int(crowd.codes[0], 1, "nor is one that is subscribed already");
    subscribe(1, "$share/g/+/+/+/+/+/+/+/+/#", 0);
    is_int(crowd.codes[0], 0, "nor is one of eight levels");
    subscribe(1, "$share/g/1/2/3/4/5/6/7/8/9/+", 0);
    is_int(crowd.codes[0], 0x80, "a deeper level counts, in shared subscriptions too");
    unsubscribe(0, filter_of(0x102, "z"));
    subscribe(1, "$share/g/1/2/3/4/5/6/7/8/9/+", 0);
    is_int(crowd.codes[0], 0, "a pattern that nobody has any more makes room");
    subscribe(1, filter_of(0x102, "z"), 0);
    is_int(crowd.codes[0], 0x80, "for one other");
    unsubscribe(0, filter_of(0x101, "z"));
    subscribe(1, filter_of(0x102, "z"), 0);
    is_int(crowd.codes[0], 0x80, "but not while somebody has it");
    unsubscribe(1, "$share/g/1/2/3/4/5/6/7/8/9/+");
    subscribe(1, filter_of(0x102, "z"), 0);
    is_int(crowd.codes[0], 0, "a shared subscription's pattern goes with it");
    crowd_end();
}

TEST(no_deep_wildcards_at_all)
{
    struct mqtt_config config;

    mqtt_config_default(&config);
    config.max_patterns = 0;
    crowd_begin(&config);
    crowd_connect(0);
    subscribe(0, "1/2/3/4/5/6/7/8/+", 0);
    is_int(crowd.codes[0], 0x80, "limit 0: no + on the ninth level");
    subscribe(0, "+/2/3/4/5/6/7/+/9/10/#", 0);
    is_int(crowd.codes[0], 0, "but on the eighth, and # anywhere");
    is_int(crowd.b->patterns->n, 0, "that is not counted");
    crowd_end();
}

/* ---- Many filters ---- */

/* Microseconds per filter to leave 'n' in one packet. */
static double
unsubscribe_all(uint32_t n)
{
    struct mqtt_config config;
    char filter[24];
    size_t end = HEAD;
    double us;

    mqtt_config_default(&config);
    config.max_subscriptions = n;
    crowd_begin(&config);
    crowd_connect(0);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(filter, sizeof filter, "f/%u", i);
        end = put_filter(end, filter, true, 0);
    }
    send_filters(0, 0x82, end);
    is_int(crowd.b->n_subscriptions, n, "%u filters are subscribed", n);
    end = HEAD;
    for (uint32_t i = n; i-- > 0; ) {
        snprintf(filter, sizeof filter, "f/%u", i / 2 + (i % 2 ? n / 2 : 0));
        end = put_filter(end, filter, false, 0);
    }
    us = cpu_us();
    send_filters(0, 0xa2, end);
    us = cpu_us() - us;
    is_int(crowd.b->n_subscriptions, 0, "and left again");
    crowd_end();
    return us / n;
}

TEST(to_leave_a_filter_costs_the_same_among_many)
{
    double few = unsubscribe_all(2000), many = unsubscribe_all(50000);

    ok(many < 8 * few, "UNSUBSCRIBE of 50,000: %.2f us each, of 2,000: %.2f", many, few);
}

/* ---- Shared subscriptions ---- */

#define N_PUBLISHES 2000

static double
publish_many(uint32_t client, uint8_t qos)
{
    double us = cpu_us();

    for (int i = 0; i < N_PUBLISHES; i++) {
        publish(client, qos);
    }
    return (cpu_us() - us) / N_PUBLISHES;
}

/* Clients 0 publishes, 1 to 3 are there, 'n' more were. */
static void
begin_group(uint32_t n, uint8_t qos)
{
    struct mqtt_config config;

    mqtt_config_default(&config);
    config.max_queued_messages = 20;
    crowd_begin(&config);
    crowd_connect(0);
    for (uint32_t i = 1; i <= n + 3; i++) {
        crowd_connect(i);
        subscribe(i, "$share/g/t", i % 2 ? 0 : qos);
        if (i > 3) {
            crowd_part(i);
        }
    }
}

TEST(absent_members_cost_nothing)
{
    double none, many, mute;

    begin_group(0, 1);
    none = publish_many(0, 0);
    crowd_end();

    begin_group(50000, 1);
    publish(0, 0);                    /* Finds out who is away. */
    many = publish_many(0, 0);
    ok(many < 10 * none, "50,000 members that are away: %.2f us a PUBLISH, without: %.2f", many,
       none);
    for (uint32_t i = 1; i <= 3; i++) {
        ok(crowd.n_publishes[i] - (N_PUBLISHES + 1) / 3 <= 1, "member %u had its turns: %u", i,
           crowd.n_publishes[i]);
        crowd_part(i);
    }
    publish(0, 0);
    mute = publish_many(0, 0);
    ok(mute < 10 * none, "all away, QoS 0: %.2f us", mute);
    crowd_end();
}

TEST(who_comes_back_has_turns_again)
{
    begin_group(6, 1);
    for (int i = 0; i < 9; i++) {
        publish(0, 0);
    }
    crowd_connect(5);
    crowd_connect(6);
    memset(crowd.n_publishes, 0, sizeof crowd.n_publishes);
    for (int i = 0; i < 50; i++) {
        publish(0, 0);
    }
    for (uint32_t i = 1; i <= 9; i++) {
        bool is_there = i <= 3 || i == 5 || i == 6;

        is_int(crowd.n_publishes[i], is_there ? 10 : 0, "member %u, %s", i,
               is_there ? "there" : "away");
    }
    for (uint32_t i = 1; i <= 6; i++) {
        if (i <= 3 || i > 4) {
            crowd_part(i);
        }
    }
    /* 2, 4, 6 and 8 take QoS 1, and are away. */
    for (int i = 0; i < 40; i++) {
        publish(0, 1);
    }
    for (uint32_t i = 1; i <= 8; i++) {
        is_int(mqtt_flow_n_waiting(session_of(i)->flow), i % 2 ? 0 : 10, "%u: queued in turns", i);
    }
    /* One who is full is passed over. */
    for (int i = 0; i < 40; i++) {
        publish(0, 1);
    }
    is_int(mqtt_stats(crowd.b)->dropped_qos12, 0, "while there is room, nothing is lost");
    crowd_connect(4);
    is_int(mqtt_session_counted(session_of(4), MQTT_COUNT_OUT), 20,
           "what was queued is delivered");
    unsubscribe(4, "$share/g/t");
    is_int(crowd.b->n_shared, 8, "a member leaves");
    crowd_end();
}

TEST(members_are_counted_as_memory)
{
    struct mqtt_memory before, after;
    struct mqtt_config config;

    mqtt_config_default(&config);
    crowd_begin(&config);
    for (uint32_t i = 0; i < 1000; i++) {
        crowd_connect(i);
    }
    subscribe(0, "$share/g/t", 0);
    subscribe(1, "$share/g/t", 0);
    unsubscribe(1, "$share/g/t");
    mqtt_memory(crowd.b, &before);
    for (uint32_t i = 1; i < 1000; i++) {
        subscribe(i, "$share/g/t", 0);
    }
    mqtt_memory(crowd.b, &after);
    ok(after.bytes - before.bytes >= 999 * sizeof(struct subtrie_entry), "%llu bytes",
       (unsigned long long int) (after.bytes - before.bytes));
    for (uint32_t i = 1; i < 1000; i++) {
        unsubscribe(i, "$share/g/t");
    }
    mqtt_memory(crowd.b, &after);
    is_int(after.bytes, before.bytes, "and no more when they leave");
    crowd_end();
}

/* PINGREQs of one who reads nothing, as many as it takes for 48 kB of answers.  Returns how many bytes
 * the broker holds then. */
static uint64_t
ping_and_stall(struct script *t, uint64_t memory_limit)
{
    static uint8_t pings[3 * 16384];
    struct mqtt_memory memory;
    struct mqtt_config config;
    struct script_conn *c;

    mqtt_config_default(&config);
    config.memory_limit = memory_limit;
    script_begin(t, "unread answers", &config);
    script_lines(t, "c1 > CONNECT id=a\nc1 < CONNACK 0 0\nc1 stalls\n");
    c = conn(t, "c1");
    for (size_t i = 0; i < sizeof pings; i += 2) {
        pings[i] = 0xc0;
    }
    c->sent += sizeof pings;
    mqtt_input(t->b, c->id, pings, sizeof pings, t->now);
    mqtt_memory(t->b, &memory);
    script_drain(t);
    return memory.bytes;
}

TEST(unread_answers_are_counted_as_memory)
{
    uint64_t free_bytes, held_bytes;
    struct mqtt_memory memory;
    struct script t;

    free_bytes = ping_and_stall(&t, 0);
    is_int(t.b->n_connected, 1, "without a limit it stays");
    script_lines(&t, "c1 reads\n");
    is_int(conn(&t, "c1")->n_got, 4 + 3 * 16384, "and has its answers when it reads");
    conn(&t, "c1")->n_checked = conn(&t, "c1")->n_got;
    mqtt_memory(t.b, &memory);
    ok(free_bytes - memory.bytes >= 3 * 16384, "meanwhile they counted: %llu bytes",
       (unsigned long long int) (free_bytes - memory.bytes));
    is_int(mqtt_stats(t.b)->memory_refused, 0, "nobody was refused");
    script_end(&t);

    held_bytes = ping_and_stall(&t, memory.bytes + 20000);
    ok(held_bytes < memory.bytes + 20000, "with one that is met they are gone");
    is_int(mqtt_stats(t.b)->memory_refused, 1, "it is counted");
    script_lines(&t, "c1 aborted\n");
    script_end(&t);
}

TEST(by_default_memory_is_limited)
{
    struct mqtt_config config;

    mqtt_config_default(&config);
    is_int(config.memory_limit, 1 << 30, "1 GiB");
}

int
main(void)
{
    RUN(a_drip_is_silence);
    RUN(a_slow_link_is_not);
    RUN(wildcards_do_not_multiply);
    RUN(no_deep_wildcards_at_all);
    RUN(to_leave_a_filter_costs_the_same_among_many);
    RUN(absent_members_cost_nothing);
    RUN(who_comes_back_has_turns_again);
    RUN(members_are_counted_as_memory);
    RUN(unread_answers_are_counted_as_memory);
    RUN(by_default_memory_is_limited);
    return done_testing();
}
