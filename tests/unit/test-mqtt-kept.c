/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What sessions and Network Connections keep in a form that is short for most of them comes back
 * whole for all: names of every length, addresses of either kind, counters beyond 32 bits. */
#include "mqtt/private.h"
#include "unit/tap.h"

#define MAX_NAME 70u

static const struct siphash_key key = { 5, 6 };

static struct mqtt_broker *
create(bool is_persistent)
{
    struct mqtt_config config;

    mqtt_config_default(&config);
    config.key = key;
    config.is_persistent = is_persistent;
    return mqtt_create(&config, CLOCK_SEC);
}

static void
put_name(struct writer *w, uint8_t letter, uint32_t n)
{
    writer_u16(w, (uint16_t) n);
    for (uint32_t i = 0; i < n; i++) {
        writer_u8(w, (uint8_t) (letter + i % 20));
    }
}

/* A 3.1.1 client that keeps its session, with names of these lengths; no user name if 0. */
static mqtt_id
connect(struct mqtt_broker *b, const struct mqtt_origin *origin, uint32_t id_n, uint32_t user_n)
{
    static const uint8_t variable[] = { 0, 4, 'M', 'Q', 'T', 'T', 4 };
    uint8_t packet[2 + 10 + 2 + MAX_NAME + 2 + MAX_NAME];
    struct writer w = writer_init(packet, sizeof packet);
    mqtt_id conn = mqtt_open(b, origin, 1, CLOCK_SEC);

    writer_u8(&w, 0x10);
    writer_u8(&w, 0);
    writer_bytes(&w, variable, sizeof variable);
    writer_u8(&w, user_n ? 0x80 : 0);
    writer_u16(&w, 0);
    put_name(&w, 'a', id_n);
    if (user_n) {
        put_name(&w, 'A', user_n);
    }
    packet[1] = (uint8_t) (writer_size(&w) - 2);
    if (writer_size(&w) > 129) {      /* A length of two bytes. */
        size_t n = writer_size(&w);

        memmove(packet + 3, packet + 2, n - 2);
        packet[1] = (uint8_t) (0x80 | (n - 2) % 128);
        packet[2] = (uint8_t) ((n - 2) / 128);
        mqtt_input(b, conn, packet, n + 1, CLOCK_SEC);
    } else {
        mqtt_input(b, conn, packet, writer_size(&w), CLOCK_SEC);
    }
    return conn;
}

static bool
is_name(struct slice name, uint8_t letter, uint32_t n)
{
    bool good = name.n == n;

    for (uint32_t i = 0; good && i < n; i++) {
        good = name.p[i] == letter + i % 20;
    }
    return good;
}

/* The only session is shown with names of these lengths. */
static bool
has_names(const struct mqtt_broker *b, uint32_t id_n, uint32_t user_n)
{
    struct mqtt_session_info info;
    uint32_t pos = 0;

    return mqtt_walk_sessions(b, &pos, &info) && is_name(info.client_id, 'a', id_n)
           && is_name(info.username, 'A', user_n) && !mqtt_walk_sessions(b, &pos, &info);
}

static int
play_names(bool is_persistent, uint32_t id_n, uint32_t user_n)
{
    static const uint8_t disconnect[] = { 0xe0, 0 };
    struct mqtt_origin origin = { .addr = addr_v4(1) };
    struct mqtt_broker *b = create(is_persistent);
    mqtt_id conn = connect(b, &origin, id_n, user_n);
    const struct mqtt_session *s = mqtt_session_at(b, 1);
    uint64_t serial = is_persistent ? mqtt_session_serial(s) : 0;
    int wrong = !has_names(b, id_n, user_n);
    uint64_t heap_bytes;

    /* The same with another user name, and with the first one again. */
    for (uint32_t n = 0; n < 2; n++) {
        uint32_t other_n = n ? user_n : MAX_NAME - 40 - user_n;

        mqtt_input(b, conn, disconnect, sizeof disconnect, CLOCK_SEC);
        mqtt_closed(b, conn, CLOCK_SEC);
        conn = connect(b, &origin, id_n, other_n);
        wrong += !has_names(b, id_n, other_n);
        wrong += is_persistent && mqtt_session_serial(s) != serial;
    }
    mqtt_closed(b, conn, CLOCK_SEC);
    mqtt_session_end(b, 1, CLOCK_SEC);
    heap_bytes = b->heap_bytes;
    mqtt_destroy(b);
    return wrong + !!heap_bytes;
}

TEST(names_of_every_length)
{
    int wrong[2] = { 0, 0 };

    for (uint32_t id_n = 1; id_n <= 40; id_n++) {
        for (uint32_t user_n = 0; user_n <= 30; user_n++) {
            wrong[0] += play_names(false, id_n, user_n);
            wrong[1] += play_names(true, id_n, user_n);
        }
    }
    is_int(wrong[0], 0, "are kept, and change with the user");
    is_int(wrong[1], 0, "and so is a session's number with persistence");
}

TEST(where_a_client_is)
{
    struct mqtt_origin v6 = {
        .ingress_port = 0xfffffffe, .tcp_port = 65535, .vlan = 4095,
        .mac = { { 1, 2, 3, 4, 5, 6 } },
    };
    struct mqtt_origin v4 = {
        .addr = addr_v4(0xfffefdfc), .ingress_port = 3, .tcp_port = 1024,
        .mac = { { 6, 5, 4, 3, 2, 1 } },
    };
    struct mqtt_session_info info;
    struct mqtt_broker *b = create(false);
    uint32_t n_v6, pos = 0;
    mqtt_id first;

    for (size_t i = 0; i < sizeof v6.addr.b; i++) {
        v6.addr.b[i] = (uint8_t) (0x20 + i);
    }
    first = connect(b, &v6, 1, 0);
    mqtt_walk_sessions(b, &pos, &info);
    ok(!memcmp(&info.origin, &v6, sizeof v6), "IPv6, the highest of all numbers");
    connect(b, &v4, 1, 0);            /* Takes the session over. */
    pos = 0;
    mqtt_walk_sessions(b, &pos, &info);
    ok(!memcmp(&info.origin, &v4, sizeof v4), "IPv4");
    n_v6 = b->v6s.n;
    mqtt_closed(b, first, CLOCK_SEC);
    for (usec_t now = CLOCK_SEC; mqtt_deadline(b) < 60 * CLOCK_SEC; now = mqtt_deadline(b)) {
        mqtt_run(b, now);
    }
    is_int(n_v6, 1, "an IPv6 address is kept apart");
    is_int(b->v6s.n, 0, "and goes with its connection");
    mqtt_destroy(b);
}

TEST(counters_beyond_32_bits)
{
    static const uint8_t publish[] = { 0x30, 4, 0, 1, 't', 'x' };
    struct mqtt_origin origin = { .addr = addr_v4(1) };
    struct mqtt_broker *b = create(false);
    mqtt_id conn = connect(b, &origin, 1, 0);
    struct mqtt_session *s = mqtt_session_at(b, 1);
    struct mqtt_session_info info;
    uint32_t pos = 0;

    s->counts[MQTT_COUNT_IN] = UINT32_MAX;
    s->counts[MQTT_COUNT_OUT] = 7;
    mqtt_input(b, conn, publish, sizeof publish, CLOCK_SEC);
    mqtt_walk_sessions(b, &pos, &info);
    is_int(info.publishes_in, UINT64_C(1) << 32, "one more than 32 bits hold");
    is_int(info.publishes_out, 7, "its neighbours stand");
    is_int(info.dropped, 0, "on both sides");
    mqtt_destroy(b);
}

TEST(a_connection_is_found_by_index_and_user)
{
    struct mqtt_origin origin = { .addr = addr_v4(1) };
    struct mqtt_broker *b = create(false);
    mqtt_id conn = mqtt_open(b, &origin, 77, CLOCK_SEC);

    is_int(mqtt_find(b, (uint32_t) conn, 77), conn, "by both");
    is_int(mqtt_find(b, (uint32_t) conn, 78), 0, "not for another user");
    is_int(mqtt_find(b, 0, 0), 0, "0 is none");
    is_int(mqtt_find(b, 1000000, 77), 0, "nor is what never was");
    mqtt_closed(b, conn, CLOCK_SEC);
    is_int(mqtt_find(b, (uint32_t) conn, 77), 0, "not when it is closed");
    mqtt_destroy(b);
}

int
main(void)
{
    RUN(names_of_every_length);
    RUN(where_a_client_is);
    RUN(counters_beyond_32_bits);
    RUN(a_connection_is_found_by_index_and_user);
    return done_testing();
}
