/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of peer/peer.h in virtual time: what is told to peers and when, what is made of what they
 * say, limits.  Datagrams are compared byte by byte with those recorded from the prototype. */
#include "peer/peer.h"

#include <errno.h>

#include "base/mem.h"
#include "topic/topic.h"
#include "unit/tap.h"

#define MSEC CLOCK_MSEC
#define SEC CLOCK_SEC

static const char sub_topic1[] = "\x82\x0b\0\1\0\6topic1\0";
/* As a proxy of ours repeats it: "I understand the reliable dialect". */
static const char rep_topic1[] = "\x82\x0bMP\0\6topic1\0";
static const char unsub_topic1[] = "\xb0\x0a\0\1\0\6topic1\0";
static const char pub_topic1[] = "\x30\x10\0\6topic1message1";

#define BYTES(S) (struct slice) { (const uint8_t *) (S), sizeof (S) - 1 }

static struct slice
str(const char *s)
{
    return (struct slice) { (const uint8_t *) s, (uint32_t) strlen(s) };
}

static struct peer_spec
spec(const char *addr)
{
    struct peer_spec s = { .port = 1883 };

    mp_assert(addr_parse(&s.addr, addr));
    return s;
}

static struct peers *
setup_with(uint32_t max_filters, uint32_t max_queued_bytes)
{
    struct peer_config c;

    peer_config_default(&c);
    c.max_peers = 4;
    c.max_filters_per_peer = max_filters ? max_filters : c.max_filters_per_peer;
    c.max_queued_bytes = max_queued_bytes ? max_queued_bytes : c.max_queued_bytes;
    c.seed = 5;
    c.key = (struct siphash_key) { 3, 4 };
    return peers_create(&c, 0);
}

static struct peers *
setup(void)
{
    return setup_with(0, 0);
}

static void
add(struct peers *ps, const char *addr, usec_t now)
{
    struct peer_spec s = spec(addr);

    mp_assert(!peers_add(ps, &s, now));
}

static void
add_strict(struct peers *ps, const char *addr, usec_t now)
{
    struct peer_spec s = spec(addr);

    s.strict = true;
    mp_assert(!peers_add(ps, &s, now));
}

static void
input(struct peers *ps, const char *from, struct slice datagram, usec_t now)
{
    struct peer_spec s = spec(from);
    uint8_t *exact = mem_dup(datagram.p, datagram.n);

    peers_input(ps, &s.addr, s.port, s.via, (struct slice) { exact, datagram.n }, now);
    memset(exact, 0xdd, datagram.n);          /* It was borrowed for the call only. */
    mem_free(exact);
}

static void
publish(struct peers *ps, const char *topic, struct slice payload, usec_t now)
{
    peers_publish(ps, &(struct peer_publish) { str(topic), payload, false }, now);
}

/* The next datagram must be to 'to', and these bytes. */
static void
expect(struct peers *ps, const char *to, struct slice bytes, usec_t now)
{
    struct peer_datagram d;
    char buf[ADDR_STRLEN];

    if (ok(peers_next_datagram(ps, now, &d), "a datagram leaves for %s", to)) {
        is_str(addr_format(&d.to.addr, buf), to, "it does");
        is_int(d.to.port, 1883, "for its port");
        is_mem(d.payload->data, d.payload->size, bytes.p, bytes.n, "with these bytes");
        mbuf_unref(d.payload);
    }
}

static void
expect_silence(struct peers *ps, usec_t now, const char *why)
{
    struct peer_datagram d;

    if (!ok(!peers_next_datagram(ps, now, &d), "silence: %s", why)) {
        mbuf_unref(d.payload);
    }
}

static int
drain(struct peers *ps, usec_t now)
{
    struct peer_datagram d;
    int n = 0;

    while (peers_next_datagram(ps, now, &d)) {
        mbuf_unref(d.payload);
        n++;
    }
    return n;
}

static int
drain_events(struct peers *ps, enum peer_event_type type)
{
    struct peer_event e;
    int n = 0;

    while (peers_next_event(ps, &e)) {
        n += e.type == type;
    }
    return n;
}

/* Lets time pass up to 'until', at the deadlines only, and returns the datagrams that leave. */
static int
time_passes(struct peers *ps, usec_t *now, usec_t until)
{
    int n = 0, turns = 0;

    for (usec_t at; (at = peers_deadline(ps)) <= until; ) {
        mp_assert(++turns < 1000000);         /* A deadline that makes no progress. */
        *now = MP_MAX(*now, at);
        peers_run(ps, *now);
        n += drain(ps, *now);
    }
    *now = until;
    return n;
}

TEST(the_prototype_s_bytes)
{
    struct peers *ps = setup();

    add(ps, "192.168.1.104", 0);
    expect_silence(ps, 0, "nothing is said at the start");
    peers_subscribe(ps, str("topic1"), 0);
    expect(ps, "192.168.1.104", BYTES(sub_topic1), 0);
    peers_subscribe(ps, str("topic1"), 0);
    expect_silence(ps, 0, "it is said once");
    peers_unsubscribe(ps, str("topic1"), 0);
    expect(ps, "192.168.1.104", BYTES(unsub_topic1), 0);
    peers_unsubscribe(ps, str("topic1"), 0);
    expect_silence(ps, 0, "this, too");
    peers_subscribe(ps, str("w/#"), 0);
    expect(ps, "192.168.1.104", BYTES("\x82\x08\0\1\0\3w/#\0"), 0);
    publish(ps, "topic1", str("message1"), 0);
    expect_silence(ps, 0, "the peer has not subscribed");
    input(ps, "192.168.1.104", BYTES(sub_topic1), 0);
    drain(ps, 0);
    publish(ps, "topic1", str("message1"), 0);
    expect(ps, "192.168.1.104", BYTES(pub_topic1), 0);
    peers_publish(ps, &(struct peer_publish) { str("topic1"), str("message1"), true }, 0);
    expect(ps, "192.168.1.104", BYTES("\x31\x10\0\6topic1message1"), 0);
    publish(ps, "topic2", str("message1"), 0);
    expect_silence(ps, 0, "another topic");
    input(ps, "192.168.1.104", BYTES(unsub_topic1), 0);
    publish(ps, "topic1", str("message1"), 0);
    expect_silence(ps, 0, "the peer has unsubscribed (b0)");
    is_int(peers_stats(ps)->trailing, 0, "its trailing 00 is not remarkable");
    input(ps, "192.168.1.104", BYTES(sub_topic1), 0);
    input(ps, "192.168.1.104", BYTES("\xa2\x0a\0\1\0\6topic1"), 0);
    publish(ps, "topic1", str("message1"), 0);
    expect_silence(ps, 0, "the peer has unsubscribed (a2)");
    peers_destroy(ps);
    peers_destroy(NULL);
}

TEST(ipv6_peers)
{
    struct peers *ps = setup();

    add(ps, "2001:db8::104", 0);
    peers_subscribe(ps, str("topic1"), 0);
    expect(ps, "2001:db8::104", BYTES(sub_topic1), 0);
    input(ps, "2001:db8::104", BYTES(sub_topic1), 0);
    drain(ps, 0);
    publish(ps, "topic1", str("message1"), 0);
    expect(ps, "2001:db8::104", BYTES(pub_topic1), 0);
    peers_destroy(ps);
}

TEST(every_peer_that_subscribed_gets_it_once)
{
    struct peers *ps = setup();

    add(ps, "10.0.0.1", 0);
    add(ps, "10.0.0.2", 0);
    add(ps, "10.0.0.3", 0);
    input(ps, "10.0.0.1", BYTES(sub_topic1), 0);
    input(ps, "10.0.0.1", BYTES("\x82\x06\0\1\0\1#\0"), 0);
    input(ps, "10.0.0.3", BYTES("\x82\x0e\0\1\0\1x\0\0\1+\0\0\1#\1"), 0);
    publish(ps, "topic1", str("message1"), 0);
    expect(ps, "10.0.0.1", BYTES(pub_topic1), 0);
    expect(ps, "10.0.0.3", BYTES(pub_topic1), 0);
    expect_silence(ps, 0, "once each, and not to whom did not subscribe");
    publish(ps, "$SYS/x", str("1"), 0);
    expect_silence(ps, 0, "a leading wildcard does not match $ topics [MQTT-4.7.2-1]");
    is_int(peers_stats(ps)->subscribes_in, 5, "filters are counted");
    peers_destroy(ps);
}

TEST(what_came_from_a_peer_is_delivered_and_never_sent_to_a_peer)
{
    struct peers *ps = setup();
    struct peer_event e;

    add(ps, "10.0.0.1", 0);
    add(ps, "10.0.0.2", 0);
    input(ps, "10.0.0.1", BYTES("\x82\x06\0\1\0\1#\0"), 0);
    input(ps, "10.0.0.2", BYTES("\x82\x06\0\1\0\1#\0"), 0);
    is_int(drain_events(ps, PEER_EV_UP), 2, "both are up");
    drain(ps, 0);
    input(ps, "10.0.0.1", BYTES(pub_topic1), 0);
    if (ok(peers_next_event(ps, &e) && e.type == PEER_EV_PUBLISH, "it is delivered")) {
        is_int(e.peer, 1, "from the first peer");
        is_mem(e.publish.topic.p, e.publish.topic.n, "topic1", 6, "topic");
        is_mem(e.publish.payload.p, e.publish.payload.n, "message1", 8, "payload");
        ok(!e.publish.retain, "not retained");
    }
    ok(!peers_next_event(ps, &e), "once");
    expect_silence(ps, 0, "neither back nor to the other");
    input(ps, "10.0.0.2", BYTES("\x31\x08\0\6topic1"), 0);
    ok(peers_next_event(ps, &e) && e.publish.retain && !e.publish.payload.n,
       "an empty retained message is delivered as such");
    input(ps, "10.0.0.2", BYTES("\x3a\x0e\0\4t/q1\x12\x34" "dupmsg"), 0);
    ok(peers_next_event(ps, &e) && e.publish.payload.n == 6, "QoS 1 and DUP are taken");
    peers_destroy(ps);
}

TEST(bytes_beyond_the_packet)
{
    struct peers *ps = setup();
    struct peer_event e;

    add(ps, "10.0.0.1", 0);
    input(ps, "10.0.0.1", BYTES("\x30\x10\0\6topic1message1\xe0\0"), 0);
    is_int(drain_events(ps, PEER_EV_PUBLISH), 1, "a DISCONNECT behind is ignored");
    is_int(peers_stats(ps)->trailing, 1, "and counted");
    input(ps, "10.0.0.1", BYTES("\x30\x0b\0\6t/sameone\x30\x0b\0\6t/sametwo"), 0);
    ok(peers_next_event(ps, &e) && !memcmp(e.publish.payload.p, "one", 3), "the first of two");
    ok(peers_next_event(ps, &e) && !memcmp(e.publish.payload.p, "two", 3), "and the second");
    ok(!peers_next_event(ps, &e), "no third");
    is_int(peers_stats(ps)->trailing, 1, "nothing is left over");
    input(ps, "10.0.0.1", BYTES("\x30\x0b\0\6t/sameone\x30\x0b\0\6t/same"), 0);
    is_int(drain_events(ps, PEER_EV_PUBLISH), 1, "a cut second one is not delivered");
    input(ps, "10.0.0.1", BYTES("\x30\x0b\0\6t/same"), 0);
    is_int(drain_events(ps, PEER_EV_PUBLISH), 0, "a cut one is not delivered");
    is_int(peers_stats(ps)->cut, 1, "but counted");
    peers_destroy(ps);
}

TEST(refused_datagrams_do_no_harm)
{
    struct peers *ps = setup();
    struct peer_info info;
    uint32_t pos = 0;

    add(ps, "10.0.0.1", 0);
    input(ps, "10.0.0.9", BYTES(sub_topic1), 0);
    is_int(peers_stats(ps)->unknown_source, 1, "an unknown source");
    input(ps, "10.0.0.1", BYTES(""), 0);
    input(ps, "10.0.0.1", BYTES("\x82\x02\0\1"), 0);
    is_int(peers_stats(ps)->malformed, 2, "empty and truncated ones");
    input(ps, "10.0.0.1", BYTES("\x10\x0c\0\4MQTT\4\2\0\x3c\0\0"), 0);
    is_int(peers_stats(ps)->unexpected, 1, "a CONNECT");
    input(ps, "10.0.0.1", BYTES("\x82\x10\0\x09\0\4t/m1\0\0\4t/m#\0"), 0);
    is_int(peers_stats(ps)->bad_topic, 1, "a bad second filter");
    publish(ps, "t/m1", str("x"), 0);
    expect_silence(ps, 0, "nothing of the first filter was applied");
    ok(peers_walk(ps, &pos, &info) && !info.up && info.last_heard_at == -1,
       "junk is no sign of life");
    input(ps, "10.0.0.1", BYTES(sub_topic1), 0);
    is_int(drain_events(ps, PEER_EV_UP), 1, "a SUBSCRIBE is");
    is_int(peers_stats(ps)->datagrams_in, 5, "datagrams are counted");

    uint8_t deep[3 + 200 + 5];
    struct peer_spec s = spec("10.0.0.1");

    memcpy(deep, "\x82\xcd\1\0\1\0\xc8", 7);
    memset(deep + 7, '/', 200);
    deep[207] = 0;
    peers_input(ps, &s.addr, s.port, PEER_INBAND, (struct slice) { deep, 208 }, 0);
    is_int(peers_stats(ps)->bad_topic, 2, "201 levels are too many");
    deep[7] = 'a';
    deep[8] = 'b';
    peers_input(ps, &s.addr, s.port, PEER_INBAND, (struct slice) { deep, 208 }, 0);
    is_int(peers_stats(ps)->bad_topic, 2, "fewer are not");
    peers_input(ps, &s.addr, s.port, PEER_SOCKET, (struct slice) { deep, 208 }, 0);
    peers_input(ps, &s.addr, 1884, PEER_INBAND, (struct slice) { deep, 208 }, 0);
    is_int(peers_stats(ps)->unknown_source, 3, "another way or port is another source");
    peers_destroy(ps);
}

TEST(standing_subscribes_are_repeated)
{
    struct peers *ps = setup();
    usec_t now = 0;

    add(ps, "10.0.0.1", 0);
    peers_subscribe(ps, str("topic1"), 0);
    expect(ps, "10.0.0.1", BYTES(sub_topic1), 0);
    is_int(time_passes(ps, &now, 23 * SEC), 0, "silence for 23 s");
    is_int(time_passes(ps, &now, 37 * SEC), 1, "repeated by 37 s");

    int n = time_passes(ps, &now, 37 * SEC + 3000 * SEC);

    ok(n >= 95 && n <= 105, "about a hundred times in 3000 s (%d)", n);
    peers_unsubscribe(ps, str("topic1"), now);
    expect(ps, "10.0.0.1", BYTES(unsub_topic1), now);
    is_int(time_passes(ps, &now, now + 100 * SEC), 0, "an UNSUBSCRIBE is not repeated");
    peers_destroy(ps);
}

TEST(repetitions_are_jittered)
{
    struct peers *ps = setup();
    usec_t now = 0, first, last;
    int apart = 0;

    add(ps, "10.0.0.1", 0);
    add(ps, "10.0.0.2", 0);
    peers_subscribe(ps, str("topic1"), 0);
    drain(ps, 0);
    for (int i = 0; i < 10; i++) {
        first = last = CLOCK_NEVER;
        while (last == CLOCK_NEVER) {
            now = peers_deadline(ps);
            peers_run(ps, now);
            for (int n = drain(ps, now); n > 0; n--) {
                last = first == CLOCK_NEVER ? last : now;
                first = first == CLOCK_NEVER ? now : first;
            }
        }
        apart += last - first > 10 * MSEC;
    }
    ok(apart >= 8, "peers that were added together are told at different times");
    peers_destroy(ps);
}

TEST(a_peer_that_speaks_again_is_told_at_once)
{
    struct peers *ps = setup();
    usec_t now = 0;

    add(ps, "10.0.0.1", 0);
    peers_subscribe(ps, str("topic1"), 0);
    drain(ps, 0);
    now = 1 * SEC;
    input(ps, "10.0.0.1", BYTES(pub_topic1), now);
    is_int(drain_events(ps, PEER_EV_UP), 1, "heard for the first time");
    expect(ps, "10.0.0.1", BYTES(rep_topic1), now);
    now = 2 * SEC;
    input(ps, "10.0.0.1", BYTES(pub_topic1), now);
    is_int(drain_events(ps, PEER_EV_UP), 0, "heard for the second time");
    expect_silence(ps, now, "it knows");
    time_passes(ps, &now, 91 * SEC);
    is_int(drain_events(ps, PEER_EV_SILENT), 0, "89 s later");
    time_passes(ps, &now, 92 * SEC);
    is_int(drain_events(ps, PEER_EV_SILENT), 1, "90 s later it is silent");
    time_passes(ps, &now, 200 * SEC);
    is_int(drain_events(ps, PEER_EV_SILENT), 0, "which is said once");
    input(ps, "10.0.0.1", BYTES(pub_topic1), now);
    is_int(drain_events(ps, PEER_EV_UP), 1, "heard again");
    expect(ps, "10.0.0.1", BYTES(rep_topic1), now);
    expect_silence(ps, now, "once");
    peers_destroy(ps);
}

TEST(the_order_of_starting_does_not_matter)
{
    struct peers *ps = setup();
    char filter[20];

    for (int i = 0; i < 1000; i++) {
        snprintf(filter, sizeof filter, "f/%d", i);
        peers_subscribe(ps, str(filter), 0);
    }
    peers_unsubscribe(ps, str("f/7"), 0);
    add(ps, "10.0.0.1", 0);

    int n = drain(ps, 0);
    usec_t now = 0;

    ok(n > 0 && n <= 100, "a peer that is added is told at once, but not in one burst (%d)", n);
    n += time_passes(ps, &now, 1 * SEC);
    is_int(n, 999, "within a second it is told everything once");
    is_int(peers_stats(ps)->subscribes_out, 999, "by SUBSCRIBEs only");
    peers_destroy(ps);
}

TEST(a_burst_of_filters_does_not_overrun_the_switch)
{
    struct peers *ps = setup();
    usec_t now = 0;
    char filter[32];

    add(ps, "10.0.0.1", 0);
    for (int i = 0; i < 500; i++) {
        snprintf(filter, sizeof filter, "f/%d", i);
        peers_subscribe(ps, str(filter), now);
    }
    is_int(drain(ps, now), 64, "a burst leaves at once");
    expect_silence(ps, now + 9 * MSEC, "then nothing for a while");
    is_int(peers_deadline(ps), 10 * MSEC, "until the next step");
    is_int(drain(ps, now + 10 * MSEC), 64, "which is as large");
    input(ps, "10.0.0.1", BYTES("\x82\x06\0\1\0\1#\0"), now + 11 * MSEC);
    publish(ps, "t", BYTES("x"), now + 11 * MSEC);
    is_int(drain(ps, now + 11 * MSEC), 1, "a PUBLISH does not wait for that");
    peers_destroy(ps);
}

/* What the peer at 10.0.0.1 still wants, after it said "a" and "b" 'n_times', and then for a long
 * time "a" alone. */
static size_t
filters_left(struct peers *ps, int n_times)
{
    static const char sub_a[] = "\x82\x06\0\1\0\1" "a\0", sub_b[] = "\x82\x06\0\1\0\1" "b\0";
    usec_t now = 0;
    struct peer_info info;
    uint32_t pos = 0;

    for (int i = 0; i < 12; i++) {
        if (i == 0 || n_times > 1) {
            input(ps, "10.0.0.1", BYTES(sub_a), now);
        }
        if (i < n_times) {
            input(ps, "10.0.0.1", BYTES(sub_b), now);
        }
        time_passes(ps, &now, now + 30 * SEC);
    }
    ok(peers_walk(ps, &pos, &info), "there is a peer");
    return info.n_filters;
}

TEST(filters_that_are_no_longer_repeated_expire)
{
    struct peers *ps = setup();

    add(ps, "10.0.0.1", 0);
    is_int(filters_left(ps, 4), 1, "the one that is repeated stays");
    is_int(peers_stats(ps)->filters_expired, 1, "the other is forgotten, and counted");
    publish(ps, "b", BYTES("x"), 400 * SEC);
    expect_silence(ps, 400 * SEC, "nothing is sent for it");
    peers_destroy(ps);

    ps = setup();
    add(ps, "10.0.0.1", 0);
    is_int(filters_left(ps, 1), 2, "those of a peer that never repeats (the prototype) stay");
    peers_destroy(ps);

    ps = setup();
    add_strict(ps, "10.0.0.1", 0);
    is_int(filters_left(ps, 4), 2, "and those of a strict peer");
    peers_destroy(ps);
}

TEST(strict_peers_get_what_the_prototype_can_bear)
{
    struct peers *ps = setup();
    usec_t now = 0;

    add_strict(ps, "10.0.0.1", 0);
    add(ps, "10.0.0.2", 0);
    input(ps, "10.0.0.1", BYTES("\x82\x06\0\1\0\1#\0"), now);
    input(ps, "10.0.0.2", BYTES("\x82\x06\0\1\0\1#\0"), now);
    publish(ps, "t", BYTES("\xff\0\x80"), now);
    expect(ps, "10.0.0.2", BYTES("\x30\x06\0\1t\xff\0\x80"), now);
    expect_silence(ps, now, "the strict peer does not get binary payload");
    is_int(peers_stats(ps)->not_utf8, 1, "which is counted");
    publish(ps, "t", BYTES("a\0\xc3\xa9"), now);
    expect(ps, "10.0.0.1", BYTES("\x30\x07\0\1ta\0\xc3\xa9"), now);
    is_int(drain(ps, now), 1, "UTF-8 goes to both");
    for (int i = 0; i < 5; i++) {
        publish(ps, "t", str("x"), now);
        peers_subscribe(ps, str(i % 2 ? "topic1" : "topic2"), now);
    }
    is_int(drain(ps, now), 7, "the other peer gets all at once");
    expect_silence(ps, now + 169 * MSEC, "the strict one nothing for 170 ms");
    is_int(peers_deadline(ps), 170 * MSEC, "that is the deadline");
    for (int i = 0; i < 7; i++) {
        now += 170 * MSEC;
        is_int(drain(ps, now), 1, "then one datagram each 170 ms");
    }
    expect_silence(ps, now + SEC, "until all are sent");
    peers_destroy(ps);
}

TEST(a_flapping_client_cannot_fill_a_slow_peer_s_queue)
{
    struct peers *ps = setup();
    struct peer_info info;
    uint32_t pos = 0;

    add_strict(ps, "10.0.0.1", 0);
    peers_subscribe(ps, str("first"), 0);
    drain(ps, 0);
    for (int i = 0; i < 10000; i++) {
        peers_subscribe(ps, str("topic1"), 0);
        peers_unsubscribe(ps, str("topic1"), 0);
    }
    peers_subscribe(ps, str("topic1"), 0);
    expect(ps, "10.0.0.1", BYTES(sub_topic1), SEC);
    expect_silence(ps, 2 * SEC, "one datagram tells the outcome");
    ok(peers_walk(ps, &pos, &info) && !info.dropped, "and nothing was dropped");
    peers_destroy(ps);
}

TEST(limits)
{
    struct peers *ps = setup_with(3, 1000);
    struct peer_spec s = spec("10.0.0.5");
    char filter[300], datagram[400];
    struct peer_info info;
    struct slice f;
    uint32_t pos = 0;

    for (int i = 1; i <= 4; i++) {
        snprintf(filter, sizeof filter, "10.0.0.%d", i);
        add(ps, filter, 0);
    }
    is_int(peers_add(ps, &s, 0), ENOSPC, "one peer more than the limit");
    s = spec("10.0.0.4");
    is_int(peers_add(ps, &s, 0), EEXIST, "the same peer again");
    is_int(peers_del(ps, &s.addr, 1884), ENOENT, "no such peer");
    is_int(peers_del(ps, &s.addr, 1883), 0, "a peer can go");
    is_int(peers_add(ps, &s, 0), 0, "and come again");

    for (int i = 0; i < 5; i++) {
        memcpy(datagram, "\x82\x06\0\1\0\1a\0", 8);
        datagram[6] = (char) ('a' + i);
        input(ps, "10.0.0.1", (struct slice) { (uint8_t *) datagram, 8 }, 0);
    }
    is_int(peers_stats(ps)->filter_limit, 2, "two filters beyond the limit of three");
    input(ps, "10.0.0.1", BYTES("\x82\x06\0\1\0\1a\0"), 0);
    is_int(peers_stats(ps)->filter_limit, 2, "a repetition is not beyond it");
    input(ps, "10.0.0.1", BYTES("\xb0\5\0\1\0\1a\0"), 0);
    input(ps, "10.0.0.1", BYTES("\x82\x06\0\1\0\1d\0"), 0);
    is_int(peers_stats(ps)->filter_limit, 2, "one goes, another may come");
    pos = 0;
    ok(peers_walk_filters(ps, 1, &pos, &f) && f.p[0] == 'c', "its filters can be shown");
    ok(peers_walk_filters(ps, 1, &pos, &f) && f.p[0] == 'b', "the second");
    ok(peers_walk_filters(ps, 1, &pos, &f) && f.p[0] == 'd', "the third");
    ok(!peers_walk_filters(ps, 1, &pos, &f), "there is no fourth");

    memset(datagram, 'x', 300);
    for (int i = 0; i < 5; i++) {
        publish(ps, "b", (struct slice) { (uint8_t *) datagram, 200 }, 0);
    }
    is_int(drain(ps, 0), 4, "four PUBLISHes of 206 bytes fit into 1000 bytes");
    is_int(peers_stats(ps)->queue_full, 1, "the fifth does not");
    pos = 0;
    ok(peers_walk(ps, &pos, &info) && info.dropped == 1 && !info.queued_bytes
       && info.n_filters == 3 && info.publishes_out == 4, "the peer's own figures say so");

    for (int i = 0; i < 200; i++) {
        snprintf(filter, sizeof filter, "g/%d", i);
        peers_subscribe(ps, str(filter), 0);
    }
    is_int(drain(ps, 0), 4 * 64, "a burst of filters is limited");
    is_int(peers_stats(ps)->queue_full, 1 + 4 * 136, "and counted");

    usec_t now = 0;

    is_int(time_passes(ps, &now, 40 * SEC), 4 * 200, "the repetition brings the rest");
    peers_destroy(ps);
}

TEST(long_filters_are_bounded_in_sum)
{
    struct peers *ps = setup_with(10, 0);
    uint8_t *b = mem_alloc(3000);

    add(ps, "10.0.0.1", 0);
    memcpy(b, "\x82\x8d\x10\0\1\x08\x08", 7);         /* A filter of 2056 bytes. */
    memset(b + 7, 'x', 2056);
    b[7 + 2056] = 0;
    for (uint8_t i = 0; i < 3; i++) {
        b[8] = (uint8_t) ('a' + i);
        input(ps, "10.0.0.1", (struct slice) { b, 7 + 2056 + 1 }, 0);
    }
    is_int(peers_stats(ps)->subscribes_in, 3, "three are understood");
    is_int(peers_stats(ps)->filter_limit, 2, "one fits into 10 times 256 bytes");
    mem_free(b);
    peers_destroy(ps);
}

TEST(the_largest_datagram)
{
    struct peers *ps = setup();
    uint8_t *payload = mem_alloc(70000);
    struct peer_datagram d;
    struct peer_event e;

    memset(payload, 'a', 70000);
    add(ps, "10.0.0.1", 0);
    publish(ps, "t/big", (struct slice) { payload, 65497 }, 0);
    is_int(peers_stats(ps)->too_big, 0, "what nobody wants is not too big");
    input(ps, "10.0.0.1", BYTES("\x82\x06\0\1\0\1#\0"), 0);
    drain_events(ps, PEER_EV_UP);
    publish(ps, "t/big", (struct slice) { payload, 65496 }, 0);
    if (ok(peers_next_datagram(ps, 0, &d), "the largest leaves")) {
        is_int(d.payload->size, PEER_MAX_DATAGRAM, "in one datagram");
        mbuf_unref(d.payload);
    }
    publish(ps, "t/big", (struct slice) { payload, 65497 }, 0);
    expect_silence(ps, 0, "one byte more is not sent");
    ok(peers_next_event(ps, &e) && e.type == PEER_EV_TOO_BIG && e.size == 65508, "but said");
    is_int(peers_stats(ps)->too_big, 1, "and counted");
    peers_subscribe(ps, (struct slice) { payload, 65498 }, 0);
    if (ok(peers_next_datagram(ps, 0, &d), "the longest filter leaves")) {
        is_int(d.payload->size, PEER_MAX_DATAGRAM, "in one datagram, too");
        mbuf_unref(d.payload);
    }
    peers_subscribe(ps, (struct slice) { payload, 65499 }, 0);
    expect_silence(ps, 0, "a longer one does not");
    is_int(peers_stats(ps)->too_big, 2, "and is counted");
    mem_free(payload);
    peers_destroy(ps);
}

TEST(bodies_are_shared_by_peers)
{
    struct peers *ps = setup();
    struct peer_datagram a, b;

    add(ps, "10.0.0.1", 0);
    add(ps, "10.0.0.2", 0);
    input(ps, "10.0.0.1", BYTES(sub_topic1), 0);
    input(ps, "10.0.0.2", BYTES(sub_topic1), 0);
    publish(ps, "topic1", str("message1"), 0);
    ok(peers_next_datagram(ps, 0, &a) && peers_next_datagram(ps, 0, &b), "two datagrams");
    ok(a.payload == b.payload && a.payload->n_refs == 2, "one body");
    mbuf_unref(a.payload);
    mbuf_unref(b.payload);
    peers_destroy(ps);
}

TEST(a_peer_that_goes_leaves_nothing)
{
    struct peers *ps = setup();
    struct peer_spec s = spec("10.0.0.1");

    add(ps, "10.0.0.1", 0);
    add(ps, "10.0.0.2", 0);
    input(ps, "10.0.0.1", BYTES("\x82\x06\0\1\0\1#\0"), 0);
    peers_subscribe(ps, str("topic1"), 0);
    peers_unsubscribe(ps, str("topic1"), 0);
    publish(ps, "topic1", str("message1"), 0);
    peers_del(ps, &s.addr, 1883);
    publish(ps, "topic1", str("message1"), 0);
    expect(ps, "10.0.0.2", BYTES(unsub_topic1), 0);
    expect_silence(ps, 0, "for the peer that went");
    add(ps, "10.0.0.3", 0);
    publish(ps, "topic1", str("message1"), 0);
    expect_silence(ps, 0, "nor does the next one inherit");
    input(ps, "10.0.0.1", BYTES(sub_topic1), 0);
    is_int(peers_stats(ps)->unknown_source, 1, "it is a stranger now");
    peers_destroy(ps);
}

TEST(an_empty_table_is_idle)
{
    struct peers *ps = setup();

    is_int(peers_deadline(ps), CLOCK_NEVER, "no deadline");
    peers_subscribe(ps, str("topic1"), 0);
    peers_publish(ps, &(struct peer_publish) { str("topic1"), str("x"), false }, 0);
    peers_run(ps, SEC);
    expect_silence(ps, SEC, "there is nobody to talk to");
    peers_destroy(ps);
}

/* Two tables, each the other's only peer, with everything delivered: what one wants, the other
 * sends, and after both have told each other everything there is silence. */
TEST(two_proxies_settle)
{
    struct peers *ps[2] = { setup(), setup() };
    const char *name[2] = { "10.0.0.1", "10.0.0.2" };
    usec_t now = 0;
    int n = 0, delivered = 0;

    for (int i = 0; i < 2; i++) {
        add(ps[i], name[!i], 0);
    }
    peers_subscribe(ps[0], str("a/+"), 0);
    for (int turn = 0; turn < 100; turn++) {
        struct peer_datagram d;

        if (turn == 50) {
            publish(ps[1], "a/b", str("x"), now);
        }
        for (int i = 0; i < 2; i++) {
            peers_run(ps[i], now);
            while (peers_next_datagram(ps[i], now, &d)) {
                struct slice s = { d.payload->data, d.payload->size };

                input(ps[!i], name[i], s, now);
                mbuf_unref(d.payload);
                n++;
            }
        }
        delivered += drain_events(ps[0], PEER_EV_PUBLISH);
        now += 10 * MSEC;
    }
    is_int(delivered, 1, "the message is delivered once");
    ok(n <= 4, "%d datagrams in all", n);
    peers_destroy(ps[0]);
    peers_destroy(ps[1]);
}

TEST(all_can_be_unsubscribed_at_once)
{
    struct peers *ps = setup();

    add(ps, "10.0.0.1", 0);
    add_strict(ps, "10.0.0.2", 0);
    peers_subscribe(ps, str("topic1"), 0);
    peers_subscribe(ps, str("topic2"), 0);
    ok(!peers_is_idle(ps), "not idle while something is to be told");
    for (usec_t now = 0; now < SEC; now += 10 * MSEC) {
        drain(ps, now);
    }
    ok(peers_is_idle(ps), "idle when all is told");
    peers_subscribe(ps, str("topic3"), SEC);
    peers_unsubscribe_all(ps, SEC);
    is_int(drain(ps, SEC), 4, "an UNSUBSCRIBE of each, and one to the strict peer");
    ok(!peers_is_idle(ps), "which has more coming");
    is_int(drain(ps, SEC + 170 * MSEC), 1, "later");
    is_int(drain(ps, SEC + 340 * MSEC), 1, "and later");
    ok(peers_is_idle(ps), "then it is told, too");
    is_int(peers_stats(ps)->unsubscribes_out, 6, "three filters, two peers");
    peers_run(ps, 40 * SEC);
    expect_silence(ps, 40 * SEC, "nothing stands that could be repeated");
    peers_destroy(ps);
}

int
main(void)
{
    RUN(the_prototype_s_bytes);
    RUN(ipv6_peers);
    RUN(every_peer_that_subscribed_gets_it_once);
    RUN(what_came_from_a_peer_is_delivered_and_never_sent_to_a_peer);
    RUN(bytes_beyond_the_packet);
    RUN(refused_datagrams_do_no_harm);
    RUN(standing_subscribes_are_repeated);
    RUN(repetitions_are_jittered);
    RUN(a_peer_that_speaks_again_is_told_at_once);
    RUN(the_order_of_starting_does_not_matter);
    RUN(a_burst_of_filters_does_not_overrun_the_switch);
    RUN(filters_that_are_no_longer_repeated_expire);
    RUN(strict_peers_get_what_the_prototype_can_bear);
    RUN(a_flapping_client_cannot_fill_a_slow_peer_s_queue);
    RUN(limits);
    RUN(long_filters_are_bounded_in_sum);
    RUN(the_largest_datagram);
    RUN(bodies_are_shared_by_peers);
    RUN(a_peer_that_goes_leaves_nothing);
    RUN(an_empty_table_is_idle);
    RUN(two_proxies_settle);
    RUN(all_can_be_unsubscribed_at_once);
    return done_testing();
}
