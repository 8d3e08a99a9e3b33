/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Whole proxies, joined: what clients at one edge see of clients at another, and what crosses
 * between the edges.  Every test runs over IPv4 and IPv6. */
#include "proxy/proxy.h"

#include "unit/tap.h"
#include "unit/world.h"

#include <errno.h>

static bool v6;

static const uint8_t connack[] = { 0x20, 2, 0, 0 };
static const uint8_t suback[] = { 0x90, 3, 0, 1, 0 };
static const uint8_t subscribe_topic1[] = {
    0x82, 0x0b, 0, 1, 0, 6, 't', 'o', 'p', 'i', 'c', '1', 0,
};
static const uint8_t unsubscribe_topic1[] = {
    0xb0, 0x0a, 0, 1, 0, 6, 't', 'o', 'p', 'i', 'c', '1', 0,
};
static const uint8_t publish_message1[] = {
    0x30, 0x10, 0, 6, 't', 'o', 'p', 'i', 'c', '1', 'm', 'e', 's', 's', 'a', 'g', 'e', '1',
};

static struct host *
client(struct world *w, int side, uint32_t port, const char *id)
{
    struct host *h = host_connect(w, side, port);

    host_open(h);
    host_mqtt_connect(h, id, 60, NULL);
    host_got(h, connack, sizeof connack, "%s is accepted", id);
    return h;
}

static struct host *
subscriber(struct world *w, int side, uint32_t port, const char *filter)
{
    struct host *h = client(w, side, port, port == 1 ? "sub1" : "sub2");

    host_subscribe(h, filter);
    host_got(h, suback, sizeof suback, "SUBACK for %s", filter);
    return h;
}

static void
datagram_is(const struct world *w, size_t i, const uint8_t *want, size_t n, const char *name)
{
    ok(i < w->n_log, "%s: there is datagram %zu", name, i);
    if (i < w->n_log) {
        is_mem(w->log[i].data, w->log[i].n, want, n, "%s", name);
    }
}

TEST(message_crosses_the_edges)
{
    struct world w;

    world_init(&w, 2, v6, NULL);
    struct host *sub = subscriber(&w, 0, 1, "topic1");
    struct host *pub = client(&w, 1, 1, "pub");

    is_int(w.n_log, 1, "one datagram so far");
    datagram_is(&w, 0, subscribe_topic1, sizeof subscribe_topic1, "SUBSCRIBE as recorded");
    host_publish(pub, "topic1", "message1", 8);
    datagram_is(&w, 1, publish_message1, sizeof publish_message1, "PUBLISH as recorded");
    host_got(sub, publish_message1, sizeof publish_message1, "the subscriber gets it");
    world_pass(&w, CLOCK_SEC);
    size_t n_publishes = 0;

    for (size_t i = 0; i < w.n_log; i++) {
        n_publishes += w.log[i].data[0] >> 4 == 3;
    }
    is_int(n_publishes, 1, "and no other PUBLISH crossed: no message loops");
    world_uninit(&w);
}

TEST(silence_where_nobody_listens)
{
    struct world w;

    world_init(&w, 2, v6, NULL);
    struct host *sub = subscriber(&w, 0, 1, "topic1");
    struct host *pub = client(&w, 1, 1, "pub");

    host_publish(pub, "topic2", "x", 1);
    is_int(w.n_log, 1, "no datagram for a topic without a remote subscriber");
    struct host *second = subscriber(&w, 0, 2, "topic1");

    is_int(w.n_log, 1, "one SUBSCRIBE for two local subscribers");
    host_packet(sub, 0xe0, NULL, 0);
    is_int(w.n_log, 1, "no UNSUBSCRIBE while one is left");
    host_packet(second, 0xe0, NULL, 0);
    datagram_is(&w, 1, unsubscribe_topic1, sizeof unsubscribe_topic1,
                "UNSUBSCRIBE after the last left by DISCONNECT");
    host_publish(pub, "topic1", "message1", 8);
    is_int(w.n_log, 2, "nothing is sent for it any more");
    world_uninit(&w);
}

TEST(unsubscribe_after_reset_and_after_keep_alive)
{
    struct world w;

    world_init(&w, 2, v6, NULL);
    struct host *sub = subscriber(&w, 0, 1, "topic1");

    host_segment(sub, TCP_RST, NULL, 0);
    world_settle(&w);
    datagram_is(&w, 1, unsubscribe_topic1, sizeof unsubscribe_topic1, "after a TCP reset");

    sub = host_connect(&w, 0, 1);
    sub->tcp_port = 50000;
    host_open(sub);
    host_mqtt_connect(sub, "quiet", 10, NULL);
    host_subscribe(sub, "topic1");
    size_t n = w.n_log;

    world_pass(&w, 16 * CLOCK_SEC);
    datagram_is(&w, n, unsubscribe_topic1, sizeof unsubscribe_topic1, "after 1.5 keep-alives");
    world_uninit(&w);
}

TEST(will_is_published_when_a_client_vanishes)
{
    struct world w;
    static const uint8_t will[] = { 0x30, 10, 0, 4, 'd', 'e', 'a', 'd', 'g', 'o', 'n', 'e' };

    world_init(&w, 2, v6, NULL);
    struct host *sub = subscriber(&w, 0, 1, "dead");
    struct host *victim = host_connect(&w, 1, 1);

    host_open(victim);
    host_mqtt_connect(victim, "victim", 60, "dead");
    host_segment(victim, TCP_FIN | TCP_ACK, NULL, 0);
    world_settle(&w);
    host_got(sub, will, sizeof will, "the Will arrives at the other edge");
    ok(victim->got_fin, "and the victim's connection is closed both ways");
    world_uninit(&w);
}

TEST(large_binary_message_crosses_in_fragments)
{
    enum { SIZE = 60000 };
    static uint8_t payload[SIZE];
    struct world w;

    for (size_t i = 0; i < SIZE; i++) {
        payload[i] = (uint8_t) (i * 7 + (i >> 8));
    }
    world_init(&w, 2, v6, NULL);
    struct host *sub = subscriber(&w, 0, 1, "big/#");
    struct host *pub = client(&w, 1, 1, "pub");

    host_publish(pub, "big/one", payload, SIZE);
    ok(w.n_fragments >= 41, "it crosses as IP fragments");
    is_int(sub->n_rx - sub->n_taken, SIZE + 4 + 9, "all of it arrives");
    is_mem(sub->rx + sub->n_taken + 4 + 9, SIZE, payload, SIZE, "byte for byte");
    world_uninit(&w);
}

TEST(publishers_wait_for_a_peer_that_cannot_take_more)
{
    enum { N = 10, N_PUBLISHERS = 3 };
    static uint8_t payload[30001];
    size_t size = v6 ? 30000 : 30001;
    struct host *pub[N_PUBLISHERS];
    struct peer_info info;
    struct world w;
    uint32_t pos = 0;
    size_t waiting = 0;

    world_init(&w, 2, v6, NULL);
    struct host *sub = subscriber(&w, 0, 1, "big/#");

    for (uint32_t i = 0; i < N_PUBLISHERS; i++) {
        char id[] = { 'p', (char) ('0' + i), 0 };

        pub[i] = client(&w, 1, i + 1, id);
    }
    struct host *other = client(&w, 1, N_PUBLISHERS + 1, "other");

    world_pass(&w, 50 * CLOCK_SEC);
    w.cut = true;
    for (int i = 0; i < N * N_PUBLISHERS; i++) {
        host_publish(pub[i % N_PUBLISHERS], "big/one", payload, size);
    }
    for (int i = 0; i < N_PUBLISHERS; i++) {
        waiting += pub[i]->n_tx;
    }
    ok(peers_walk(proxy_peers(w.proxy[1]), &pos, &info) && info.is_reliable
       && info.queued_bytes > 65536 && info.queued_bytes < 65536 + N_PUBLISHERS * 2 * 32768,
       "so much waits for the peer (%u)", info.queued_bytes);
    ok(waiting > 600000, "the rest with its publishers, whose windows are closed (%zu)", waiting);
    is_int(proxy_stats(w.proxy[1])->held_for_peers, N_PUBLISHERS, "each of them is held");
    host_publish(other, "elsewhere", payload, size);
    is_int(other->n_tx, 0, "who publishes what no peer wants goes on");
    w.cut = false;
    world_pass(&w, 3 * CLOCK_SEC);
    is_int(sub->n_rx - sub->n_taken, N * N_PUBLISHERS * (size + 4 + 9),
           "once it answers, all of it arrives");
    pos = 0;
    ok(peers_walk(proxy_peers(w.proxy[1]), &pos, &info) && !info.dropped, "nothing was dropped");
    world_uninit(&w);
}

TEST(tagged_client_is_answered_with_its_tag)
{
    struct world w;

    world_init(&w, 1, v6, NULL);
    struct host *h = host_connect(&w, 0, 3);

    h->vlan = 42;
    host_open(h);
    host_mqtt_connect(h, "tagged", 60, NULL);
    host_got(h, connack, sizeof connack, "CONNACK comes back in VLAN 42");
    world_uninit(&w);
}

static void
one_connection(struct proxy_config *config)
{
    config->mqtt.max_connections = 1;
}

TEST(client_beyond_the_limit_is_reset)
{
    struct world w;

    world_init(&w, 1, v6, one_connection);
    client(&w, 0, 1, "first");
    struct host *second = host_connect(&w, 0, 2);

    host_open(second);
    ok(second->got_rst, "the second is reset");
    is_int(proxy_stats(w.proxy[0])->clients_refused, 1, "and counted");
    world_uninit(&w);
}

static void
few_subscriptions(struct proxy_config *config)
{
    config->mqtt.max_subscriptions = 1;
    config->mqtt.asks_auth = true;
    config->mqtt.anonymous = MQTT_ANONYMOUS_ALLOWED;
}

static int
warnings(struct proxy *p, char text[512])
{
    int n = 0;

    text[0] = '\0';
    for (enum proxy_notice level; (level = proxy_next_notice(p, text, 512)); ) {
        n += level == PROXY_NOTICE_WARN;
    }
    return n;
}

TEST(limits_that_are_met_are_said_now_and_then)
{
    char text[512];
    struct world w;

    world_init(&w, 1, v6, few_subscriptions);
    struct host *h = client(&w, 0, 1, "greedy");

    host_subscribe(h, "a");
    is_int(warnings(w.proxy[0], text), 0, "nothing is said within the limits");
    host_subscribe(h, "b");
    is_int(warnings(w.proxy[0], text), 1, "one line at the first time");
    host_subscribe(h, "c");
    host_subscribe(h, "d");
    is_int(warnings(w.proxy[0], text), 0, "no line for each");
    world_pass(&w, 11 * CLOCK_SEC);
    host_subscribe(h, "e");
    proxy_run(w.proxy[0], w.now);
    is_int(mqtt_stats(proxy_mqtt(w.proxy[0]))->limit_subscriptions, 4, "all are counted");
    while (proxy_next_notice(w.proxy[0], text, sizeof text)) {
    }
    ok(strstr(text, "topic filters refused (--max-subscriptions"), "what and which: %s", text);
    world_uninit(&w);
}

/* A client that writes an octet a second. */
TEST(slow_writers)
{
    static const uint8_t connect[] = {
        0x10, 0x10, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 4, 's', 'l', 'o', 'w',
    };
    struct mqtt_memory before, after;
    struct utcp_memory tcp;
    struct world w;

    world_init(&w, 1, v6, NULL);

    struct host *victim = subscriber(&w, 0, 1, "topic1");
    struct host *slow = host_connect(&w, 0, 2);

    mqtt_memory(proxy_mqtt(w.proxy[0]), &before);
    host_open(slow);
    for (size_t i = 0; i < sizeof connect && !slow->got_fin && !slow->got_rst; i++) {
        host_segment(slow, TCP_ACK | TCP_PSH, &connect[i], 1);
        world_pass(&w, CLOCK_SEC);
    }
    ok(slow->got_fin || slow->got_rst, "a CONNECT that does not complete in time is the end");
    is_int(mqtt_stats(proxy_mqtt(w.proxy[0]))->connect_timeouts, 1, "counted");
    slow->is_gone = true;
    world_pass(&w, 200 * CLOCK_SEC);
    utcp_memory(proxy_utcp(w.proxy[0]), &tcp);
    is_int(tcp.n_connections, 0, "TCP is rid of it, though it never closes");

    mqtt_memory(proxy_mqtt(w.proxy[0]), &after);
    ok(after.bytes < before.bytes + 20000, "what it had begun is not kept (%lld bytes more)",
       (long long int) (after.bytes - before.bytes));

    struct host *pub = client(&w, 0, 4, "pub");

    victim = subscriber(&w, 0, 1, "topic1");
    host_publish(pub, "topic1", "message1", 8);
    host_got(victim, publish_message1, sizeof publish_message1, "the others do not notice");
    world_uninit(&w);
}

static uint64_t memory_limit;         /* Of the proxy that is made next. */

static void
limited_memory(struct proxy_config *config)
{
    config->mqtt.memory_limit = memory_limit;
}

/* 240 kB for a subscriber that vanished.  Returns what the broker itself held before. */
static uint64_t
publish_to_nobody(struct utcp_memory *tcp, uint64_t *n_refused)
{
    static uint8_t payload[3100];
    struct mqtt_memory before;
    struct world w;

    world_init(&w, 1, v6, limited_memory);

    struct host *sub = subscriber(&w, 0, 1, "topic1");
    struct host *pub = client(&w, 0, 2, "pub");

    mqtt_memory(proxy_mqtt(w.proxy[0]), &before);
    sub->is_gone = true;
    for (int i = 0; i < 80; i++) {
        host_publish(pub, "topic1", payload, 3000 + (size_t) i);
    }
    utcp_memory(proxy_utcp(w.proxy[0]), tcp);
    *n_refused = mqtt_stats(proxy_mqtt(w.proxy[0]))->memory_refused;
    world_uninit(&w);
    return before.bytes;
}

TEST(output_in_tcp_counts_against_the_memory_limit)
{
    struct utcp_memory tcp;
    uint64_t n_refused;

    memory_limit = 0;
    memory_limit = publish_to_nobody(&tcp, &n_refused) + 150000;
    ok(tcp.queued > 240000 && !n_refused, "without a limit TCP holds all of it");
    publish_to_nobody(&tcp, &n_refused);
    ok(tcp.queued > 50000 && tcp.queued < 160000 && n_refused > 20,
       "with one, what TCP holds counts: %llu bytes, %llu messages refused",
       (unsigned long long int) tcp.queued, (unsigned long long int) n_refused);
}

static void
with_dscp(struct proxy_config *config)
{
    config->utcp.dscp = 46;
    config->net.udp_dscp = 10;
}

TEST(dscp_and_ecn_are_in_the_frames)
{
    struct world w;

    world_init(&w, 2, v6, with_dscp);

    struct host *h = host_connect(&w, 0, 1);

    h->syn_flags = TCP_ECE | TCP_CWR;
    host_segment(h, TCP_SYN, NULL, 0);
    proxy_run(w.proxy[0], w.now);

    struct net_tx tx;

    ok(proxy_next_frame(w.proxy[0], w.now, &tx), "a SYN-ACK");
    world_carry(&w, 0, &tx);
    is_int(h->rx_tos, 46 << 2, "its IP header has the DSCP, and is not ECT");
    is_int(h->rx_flags, TCP_SYN | TCP_ACK | TCP_ECE, "it agrees to ECN");
    world_settle(&w);
    host_mqtt_connect(h, "c", 60, NULL);
    is_int(h->rx_tos, 46 << 2 | IP_ECN_ECT0, "the CONNACK has both");
    h->tos = IP_ECN_CE;
    host_subscribe(h, "topic1");
    is_int(h->rx_flags & TCP_ECE, TCP_ECE, "a mark in an IP header is echoed");
    is_int(utcp_stats(proxy_utcp(w.proxy[0]))->ecn_marked, 1, "and counted");
    is_int(w.log[0].tos, 10 << 2, "datagrams to peers have theirs");
    world_uninit(&w);
}

TEST(tcp_says_when_r1_is_reached)
{
    char text[512];
    bool said = false;
    struct world w;

    world_init(&w, 1, v6, NULL);

    struct host *sub = subscriber(&w, 0, 1, "topic1");
    struct host *pub = client(&w, 0, 2, "pub");

    sub->is_gone = true;
    host_publish(pub, "topic1", "message1", 8);
    world_pass(&w, 2 * CLOCK_SEC);
    while (proxy_next_notice(w.proxy[0], text, sizeof text)) {
        said |= strstr(text, "R1") != NULL;
    }
    ok(!said, "not before");
    world_pass(&w, 3 * CLOCK_SEC);
    while (proxy_next_notice(w.proxy[0], text, sizeof text) && !said) {
        said |= strstr(text, "R1") != NULL;
    }
    ok(said, "the log has it: %s", text);
    is_int(utcp_stats(proxy_utcp(w.proxy[0]))->r1_reached, 1, "once");
    world_uninit(&w);
}

TEST(password_of_a_client_that_left_is_taken_back)
{
    struct mqtt_auth_request request;
    struct world w;
    mqtt_id id, gone;

    world_init(&w, 1, v6, few_subscriptions);
    struct host *h = host_connect(&w, 0, 1);
    static const uint8_t connect[] = {
        0x10, 0x13, 0, 4, 'M', 'Q', 'T', 'T', 4, 0xc2, 0, 0, 0, 1, 'c', 0, 1, 'u', 0, 1, 'p',
    };

    host_open(h);
    host_send(h, connect, sizeof connect);
    ok(proxy_next_auth(w.proxy[0], &id, &request), "a password is to be judged");
    ok(!proxy_next_auth_gone(w.proxy[0], &gone), "and waited for");
    host_segment(h, TCP_RST, NULL, 0);
    world_settle(&w);
    ok(proxy_next_auth_gone(w.proxy[0], &gone) && gone == id, "no more when the client is gone");
    ok(!proxy_next_auth_gone(w.proxy[0], &gone), "said once");
    proxy_auth_result(w.proxy[0], id, MQTT_VERDICT_GOOD, w.now);
    world_uninit(&w);
}

TEST(other_ports_of_the_address_are_refused)
{
    struct world w;

    world_init(&w, 1, v6, NULL);
    struct host *h = host_connect(&w, 0, 1);
    uint8_t buf[WIRE_HEADROOM];
    struct wire_l3 l3 = { .dst_mac = h->to_mac, .src_mac = h->mac, .src = h->addr, .dst = h->to,
                          .ttl = 64 };
    struct wire_tcp syn = { .src_port = h->tcp_port, .dst_port = 80, .seq = 1, .flags = TCP_SYN };
    uint8_t *start = wire_build_tcp(&l3, &syn, buf + sizeof buf, 0);

    proxy_rx_frame(w.proxy[0], 1, start, (size_t) (buf + sizeof buf - start), w.now);
    world_settle(&w);
    ok(h->got_rst && !h->open, "a SYN to port 80 of the service address is reset");
    world_uninit(&w);
}

TEST(late_peer_learns_standing_subscriptions)
{
    struct world w;

    world_init(&w, 2, v6, NULL);
    w.cut = true;
    struct host *sub = subscriber(&w, 0, 1, "topic1");
    struct host *pub = client(&w, 1, 1, "pub");

    world_pass(&w, 5 * CLOCK_SEC);
    w.cut = false;
    world_pass(&w, 40 * CLOCK_SEC);
    host_publish(pub, "topic1", "message1", 8);
    host_got(sub, publish_message1, sizeof publish_message1,
             "the order of starting does not matter");
    world_uninit(&w);
}

static void
without_peers(struct proxy_config *config)
{
    config->n_peers = 0;
}

TEST(first_peer_learns_what_was_subscribed_without_one)
{
    struct world w;

    world_init(&w, 2, v6, without_peers);
    struct host *sub = subscriber(&w, 0, 1, "topic1");
    struct host *own = subscriber(&w, 0, 2, "$own/#");
    struct host *pub = client(&w, 1, 1, "pub");
    static const uint8_t datagram[] = { 0x82, 0x0b, 0, 1, 0, 6, 't', 'o', 'p', 'i', 'c', '1', 0 };

    host_publish(pub, "topic1", "message1", 8);
    is_int(w.n_log, 0, "without peers nothing crosses");
    for (int i = 0; i < 2; i++) {
        struct peer_spec peer = { .addr = w.service[!i], .port = 1883, .via = PEER_INBAND };

        is_int(proxy_add_peer(w.proxy[i], &peer, w.now), 0, "a peer is added");
        is_int(proxy_add_peer(w.proxy[i], &peer, w.now), EEXIST, "once");
    }
    world_pass(&w, CLOCK_SEC);
    is_int(w.n_log, 1, "it is told one thing");
    ok(w.log[0].n == sizeof datagram && !memcmp(w.log[0].data, datagram, 2)
       && !memcmp(w.log[0].data + 4, datagram + 4, sizeof datagram - 4),
       "the SUBSCRIBE, and not the broker's own topic");
    host_publish(pub, "topic1", "message1", 8);
    host_got(sub, publish_message1, sizeof publish_message1, "and messages cross");
    host_got(own, NULL, 0, "to nobody else");
    world_uninit(&w);
}

TEST(topics_of_the_broker_itself_stay_at_home)
{
    struct world w;

    world_init(&w, 2, v6, NULL);
    struct host *sub = subscriber(&w, 0, 1, "$own/#");
    struct host *pub = client(&w, 1, 1, "pub");

    host_publish(pub, "$own/x", "1", 1);
    is_int(w.n_log, 0, "neither a SUBSCRIBE nor a PUBLISH of them crosses");
    host_got(sub, NULL, 0, "and nothing arrives");

    static const uint8_t datagram[] = { 0x30, 9, 0, 6, '$', 'o', 'w', 'n', '/', 'x', '2' };

    proxy_rx_datagram(w.proxy[0], &w.service[1], 1883, datagram, sizeof datagram, w.now);
    world_settle(&w);
    host_got(sub, NULL, 0, "not even from a peer that sends one");
    world_uninit(&w);
}

static void
by_socket(struct proxy_config *config)
{
    static struct peer_spec peer;

    peer = config->peers[0];
    peer.via = PEER_SOCKET;
    config->peers = &peer;
}

TEST(peers_by_socket_get_the_same_datagrams)
{
    struct world w;
    struct peer_datagram d;

    world_init(&w, 2, v6, by_socket);
    struct host *sub = subscriber(&w, 0, 1, "topic1");

    is_int(w.n_log, 0, "nothing leaves by the switch");
    ok(proxy_next_datagram(w.proxy[0], &d), "a datagram for the socket");
    is_mem(d.payload->data, d.payload->size, subscribe_topic1, sizeof subscribe_topic1,
           "the SUBSCRIBE");
    mbuf_unref(d.payload);
    ok(!proxy_next_datagram(w.proxy[0], &d), "and no other");
    proxy_rx_datagram(w.proxy[0], &w.service[1], 1883, publish_message1, sizeof publish_message1,
                      w.now);
    world_settle(&w);
    host_got(sub, publish_message1, sizeof publish_message1, "what comes by the socket is delivered");
    world_uninit(&w);
}

TEST(shutdown_closes_clients_and_takes_back_subscriptions)
{
    struct world w;

    world_init(&w, 2, v6, NULL);
    struct host *sub = subscriber(&w, 0, 1, "topic1");

    proxy_shutdown(w.proxy[0], w.now);
    world_settle(&w);
    ok(sub->got_fin, "the client gets a FIN");
    datagram_is(&w, 1, unsubscribe_topic1, sizeof unsubscribe_topic1, "peers get UNSUBSCRIBE");
    host_segment(sub, TCP_FIN | TCP_ACK, NULL, 0);
    world_settle(&w);
    ok(proxy_is_idle(w.proxy[0]), "and the proxy is idle");
    world_uninit(&w);
}

int
main(void)
{
    for (int i = 0; i < 2; i++) {
        v6 = i;
        diag("over %s", v6 ? "IPv6" : "IPv4");
        RUN(message_crosses_the_edges);
        RUN(silence_where_nobody_listens);
        RUN(unsubscribe_after_reset_and_after_keep_alive);
        RUN(will_is_published_when_a_client_vanishes);
        RUN(large_binary_message_crosses_in_fragments);
        RUN(publishers_wait_for_a_peer_that_cannot_take_more);
        RUN(tagged_client_is_answered_with_its_tag);
        RUN(client_beyond_the_limit_is_reset);
        RUN(limits_that_are_met_are_said_now_and_then);
        RUN(slow_writers);
        RUN(output_in_tcp_counts_against_the_memory_limit);
        RUN(dscp_and_ecn_are_in_the_frames);
        RUN(tcp_says_when_r1_is_reached);
        RUN(password_of_a_client_that_left_is_taken_back);
        RUN(other_ports_of_the_address_are_refused);
        RUN(late_peer_learns_standing_subscriptions);
        RUN(first_peer_learns_what_was_subscribed_without_one);
        RUN(topics_of_the_broker_itself_stay_at_home);
        RUN(peers_by_socket_get_the_same_datagrams);
        RUN(shutdown_closes_clients_and_takes_back_subscriptions);
    }
    return done_testing();
}
