/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* MQTT framing, decoding and encoding: cut anywhere, bounded, three-valued; every packet that is
 * encoded is decoded to the same. */
#include "base/mem.h"
#include "unit/tap.h"
#include "wire/mqtt_pkt.h"

static const struct wire_mqtt_rules any = { UINT32_MAX, 0xffff, MQTT_V311 };
static const struct wire_mqtt_rules any5 = { UINT32_MAX, 0xffff, MQTT_V50 };

static size_t
from_hex(uint8_t *p, const char *s)
{
    size_t n = 0;
    unsigned v;
    int used;

    while (*s && sscanf(s, " %2x%n", &v, &used) == 1) {
        p[n++] = (uint8_t) v;
        s += used;
    }
    return n;
}

TEST(fixed_headers)
{
    static const struct {
        const char *hex;
        enum wire_mqtt_result result;
        uint32_t remaining;
        uint8_t size;
    } cases[] = {
        { "", WIRE_MQTT_MORE, 0, 0 },
        { "30", WIRE_MQTT_MORE, 0, 0 },
        { "3000", WIRE_MQTT_DONE, 0, 2 },
        { "307f", WIRE_MQTT_DONE, 127, 2 },
        { "3080", WIRE_MQTT_MORE, 0, 0 },
        { "308001", WIRE_MQTT_DONE, 128, 3 },
        { "30ff7f", WIRE_MQTT_DONE, 16383, 3 },
        { "30808001", WIRE_MQTT_DONE, 16384, 4 },
        { "30ffff7f", WIRE_MQTT_DONE, 2097151, 4 },
        { "3080808001", WIRE_MQTT_DONE, 2097152, 5 },
        { "30ffffff7f", WIRE_MQTT_DONE, 268435455, 5 },
        { "30ffffff", WIRE_MQTT_MORE, 0, 0 },
        { "30ffffffff", WIRE_MQTT_MALFORMED, 0, 0 },
        { "3080808080", WIRE_MQTT_MALFORMED, 0, 0 },
    };
    uint8_t bytes[16];

    for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
        struct wire_mqtt_frame f = { .type = 0 };
        size_t n = from_hex(bytes, cases[i].hex);

        is_int(wire_mqtt_fixed_header((struct slice) { bytes, (uint32_t) n }, &f),
               cases[i].result, "fixed header %s", cases[i].hex);
        is_int(f.remaining, cases[i].remaining, "its remaining length");
        is_int(f.header_size, cases[i].size, "its size");
    }
}

/* A stream of several packets. */
static size_t
make_stream(uint8_t *p)
{
    struct writer w = writer_init(p, 100000);
    struct wire_mqtt_publish publish = { .qos = 1, .packet_id = 3 };
    static uint8_t payload[40000];

    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (uint8_t) (i * 13 >> 3);
    }
    publish.topic = (struct slice) { (const uint8_t *) "some/topic", 10 };
    wire_mqtt_put_empty(&w, MQTT_PINGREQ);
    wire_mqtt_put_subscribe(&w, 9, publish.topic, 2);
    publish.payload = (struct slice) { payload, sizeof payload };
    wire_mqtt_put_publish(&w, MQTT_V311, &publish, (struct slice) { NULL, 0 });
    writer_bytes(&w, payload, sizeof payload);
    publish.payload.n = 1100;
    wire_mqtt_put_publish(&w, MQTT_V311, &publish, (struct slice) { NULL, 0 });
    writer_bytes(&w, payload, 1100);
    wire_mqtt_put_ack(&w, MQTT_PUBREL, MQTT_V311, 77, 0);
    wire_mqtt_put_empty(&w, MQTT_DISCONNECT);
    return writer_size(&w);
}

/* Reads the stream in pieces; returns a digest of what was framed. */
static uint64_t
read_stream(const uint8_t *p, size_t n, const size_t *pieces, size_t n_pieces)
{
    uint64_t digest = 1469598103934665603u;             /* FNV-1a. */
    struct wire_mqtt_framer *framer = NULL;
    struct wire_mqtt_frame f;
    int n_frames = 0;

    for (size_t i = 0, k = 0; i < n; k++) {
        size_t piece = MP_MIN(pieces[k % n_pieces], n - i);
        uint8_t *copy = mem_dup(p + i, piece);      /* So that overruns are seen. */
        struct slice in = { copy, (uint32_t) piece };

        while (wire_mqtt_framer_next(&framer, &in, &any, &f) == WIRE_MQTT_DONE) {
            struct slice parts[2] = { f.body, { NULL, 0 } };

            if (f.payload) {
                parts[1] = (struct slice) { f.payload->data, f.payload->size };
            }
            if (parts[0].n + parts[1].n != f.remaining) {
                fail("a frame has all its bytes");
            }
            digest = (digest ^ f.type) * 1099511628211u;
            for (int j = 0; j < 2; j++) {
                for (uint32_t m = 0; m < parts[j].n; m++) {
                    digest = (digest ^ parts[j].p[m]) * 1099511628211u;
                }
            }
            n_frames++;
        }
        i += piece;
        mem_free(copy);
    }
    if (framer || n_frames != 6) {
        fail("six packets, and nothing kept after them: %d", n_frames);
    }
    wire_mqtt_framer_free(&framer);
    return digest;
}

TEST(stream_in_pieces)
{
    static uint8_t stream[100000];
    size_t n = make_stream(stream), all = SIZE_MAX;
    uint64_t whole = read_stream(stream, n, &all, 1);

    for (size_t piece = 1; piece < 70; piece++) {
        is_int(read_stream(stream, n, &piece, 1), whole, "the same packets in pieces of %zu",
               piece);
    }
    for (size_t piece = 1000; piece < 42000; piece += 999) {
        size_t pieces[2] = { piece, 7 };

        is_int(read_stream(stream, n, pieces, 2), whole, "the same packets in pieces of %zu and 7",
               piece);
    }
}

TEST(memory_follows_what_arrives)
{
    struct wire_mqtt_framer *framer = NULL;
    uint8_t header[] = { 0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 't' };
    struct slice in = { header, sizeof header };
    struct wire_mqtt_rules rules = { 1000, 0xffff, MQTT_V311 };
    struct wire_mqtt_frame f;
    static uint8_t data[20000];

    is_int(wire_mqtt_framer_next(&framer, &in, &any, &f), WIRE_MQTT_MORE, "256 MB are announced");
    in = (struct slice) { data, sizeof data };
    is_int(wire_mqtt_framer_next(&framer, &in, &any, &f), WIRE_MQTT_MORE, "20 kB come");
    ok(wire_mqtt_framer_bytes(framer) < 200000, "memory is of the order of what came");
    wire_mqtt_framer_free(&framer);
    ok(!framer && !wire_mqtt_framer_bytes(framer), "and goes");

    in = (struct slice) { (const uint8_t *) "\x30\xe5\x07", 3 };
    is_int(wire_mqtt_framer_next(&framer, &in, &rules, &f), WIRE_MQTT_MORE, "1000 bytes");
    wire_mqtt_framer_free(&framer);
    in = (struct slice) { (const uint8_t *) "\x30\xe6\x07", 3 };
    is_int(wire_mqtt_framer_next(&framer, &in, &rules, &f), WIRE_MQTT_TOO_LARGE,
           "1001 bytes, known from the fixed header");
    in = (struct slice) { (const uint8_t *) "\x30\xe6", 2 };
    wire_mqtt_framer_next(&framer, &in, &rules, &f);
    in = (struct slice) { (const uint8_t *) "\x07", 1 };
    is_int(wire_mqtt_framer_next(&framer, &in, &rules, &f), WIRE_MQTT_TOO_LARGE, "also in pieces");
    wire_mqtt_framer_free(&framer);
    rules.allowed = 1u << MQTT_CONNECT;
    in = (struct slice) { (const uint8_t *) "\xc0\x00", 2 };
    is_int(wire_mqtt_framer_next(&framer, &in, &rules, &f), WIRE_MQTT_PROTOCOL_ERROR,
           "what may not come now");
}

TEST(publish_round_trip)
{
    static const uint32_t topic_sizes[] = { 1, 5, 118, 119, 120, 16000, 65535 };
    static const uint32_t payload_sizes[] = { 0, 1, 5, 120, 16380, 100000 };
    static uint8_t bytes[300000], topic[65535], payload[100000];

    memset(topic, 't', sizeof topic);
    memset(payload, 'p', sizeof payload);
    for (size_t i = 0; i < MP_ARRAY_SIZE(topic_sizes) * MP_ARRAY_SIZE(payload_sizes) * 6; i++) {
        uint8_t version = i % 2 ? MQTT_V50 : MQTT_V311;
        struct wire_mqtt_publish p = {
            .qos = i / 2 % 3,
            .retain = i % 5 == 0,
            .dup = i / 2 % 3 && i % 7 == 0,
            .packet_id = i / 2 % 3 ? (uint16_t) (i + 1) : 0,
            .topic = { topic, topic_sizes[i / 6 % MP_ARRAY_SIZE(topic_sizes)] },
            .payload = { payload, payload_sizes[i / 6 / MP_ARRAY_SIZE(topic_sizes)] },
        }, q;
        struct slice props = { (const uint8_t *) "\x01\x01", version == MQTT_V50 ? 2 : 0 };
        struct writer w = writer_init(bytes, sizeof bytes);
        struct wire_mqtt_framer *framer = NULL;
        struct wire_mqtt_frame f;
        struct slice in;
        bool good;

        wire_mqtt_put_publish(&w, version, &p, props);
        good = writer_size(&w) == wire_mqtt_publish_head_size(version, &p, props.n);
        writer_bytes(&w, payload, p.payload.n);
        in = (struct slice) { bytes, (uint32_t) writer_size(&w) };
        good = good
               && wire_mqtt_framer_next(&framer, &in, version == MQTT_V50 ? &any5 : &any, &f)
                  == WIRE_MQTT_DONE
               && wire_mqtt_decode_publish(&f, version, &q) == WIRE_MQTT_DONE
               && q.qos == p.qos && q.retain == p.retain && q.dup == p.dup
               && q.packet_id == p.packet_id && q.topic.n == p.topic.n
               && !memcmp(q.topic.p, topic, q.topic.n) && q.payload.n == p.payload.n
               && !memcmp(q.payload.p, payload, q.payload.n) && !in.n
               && (version != MQTT_V50 || (q.props.raw.n == 2
                   && q.props.number[MQTT_PROP_PAYLOAD_FORMAT] == 1));
        ok(good, "PUBLISH version %d, topic %u, payload %u, QoS %d", version, p.topic.n,
           p.payload.n, p.qos);
    }
}

/* No strict prefix of a packet's body decodes, and none is read beyond its end. */
TEST(cut_packets)
{
    static const char *const packets[] = {
        "1030 00044d515454 04 ee 003c 0001 61 0004 77692f6c 0004 676f6e65 0004 75736572 0008 "
        "70617373776f7264",
        "820d 0001 0001 61 00 0003 622f63 01",
        "a207 0001 0003 622f63",
        "1033 00044d515454 05 ce 003c 05 1100000001 0001 61 05 1800000002 0001 77 0001 78 0002 7573"
        "0002 7077 ",
    };
    uint8_t bytes[128];

    for (size_t i = 0; i < MP_ARRAY_SIZE(packets); i++) {
        size_t n = from_hex(bytes, packets[i]);
        uint32_t size = (uint32_t) n - 2;
        int n_decoded = 0;

        for (uint32_t cut = 0; cut <= size; cut++) {
            uint8_t *copy = mem_dup(bytes + 2, cut);
            struct wire_mqtt_frame f = {
                .type = bytes[0] >> 4, .flags = bytes[0] & 15, .header_size = 2,
                .remaining = cut, .body = { copy, cut },
            };
            struct wire_mqtt_subscribe s;
            struct wire_mqtt_connect c;

            n_decoded += f.type == MQTT_CONNECT
                         ? wire_mqtt_decode_connect(&f, &c) == WIRE_MQTT_DONE
                         : wire_mqtt_decode_subscribe(&f, MQTT_V311, &s) == WIRE_MQTT_DONE;
            mem_free(copy);
        }
        /* A SUBSCRIBE may be cut between two filters. */
        is_int(n_decoded, bytes[0] == 0x82 ? 2 : 1, "packet %zu decodes whole or not at all", i);
    }
}

TEST(properties)
{
    static const struct {
        const char *hex;
        uint8_t of;
        enum wire_mqtt_result result;
    } cases[] = {
        { "00", MQTT_PUBLISH, WIRE_MQTT_DONE },
        { "020101", MQTT_PUBLISH, WIRE_MQTT_DONE },
        { "020102", MQTT_PUBLISH, WIRE_MQTT_PROTOCOL_ERROR },
        { "0401000101", MQTT_PUBLISH, WIRE_MQTT_PROTOCOL_ERROR },
        { "020101", MQTT_SUBSCRIBE, WIRE_MQTT_MALFORMED },
        { "82000101", MQTT_PUBLISH, WIRE_MQTT_MALFORMED },
        { "03810001", MQTT_PUBLISH, WIRE_MQTT_MALFORMED },
        { "0200", MQTT_PUBLISH, WIRE_MQTT_MALFORMED },
        { "020000", MQTT_PUBLISH, WIRE_MQTT_MALFORMED },
        { "027f00", MQTT_PUBLISH, WIRE_MQTT_MALFORMED },
        { "05020000000a", MQTT_PUBLISH, WIRE_MQTT_DONE },
        { "040200000a", MQTT_PUBLISH, WIRE_MQTT_MALFORMED },
        { "040b010b02", MQTT_PUBLISH, WIRE_MQTT_DONE },
        { "040b010b02", MQTT_SUBSCRIBE, WIRE_MQTT_PROTOCOL_ERROR },
        { "020b00", MQTT_SUBSCRIBE, WIRE_MQTT_PROTOCOL_ERROR },
        { "050bffffff7f", MQTT_SUBSCRIBE, WIRE_MQTT_DONE },
        { "060bffffffff01", MQTT_SUBSCRIBE, WIRE_MQTT_MALFORMED },
        { "0e 26 0001 61 0001 62 26 0001 61 0001 62", MQTT_PUBLISH, WIRE_MQTT_DONE },
        { "06 26 0001 61 0001", MQTT_PUBLISH, WIRE_MQTT_MALFORMED },
        { "03210000", MQTT_CONNECT, WIRE_MQTT_PROTOCOL_ERROR },
        { "03210001", MQTT_CONNECT, WIRE_MQTT_DONE },
        { "05 18 00000001", MQTT_PROPS_OF_WILL, WIRE_MQTT_DONE },
        { "05 18 00000001", MQTT_CONNECT, WIRE_MQTT_MALFORMED },
        { "ffffffff01", MQTT_CONNECT, WIRE_MQTT_MALFORMED },
    };
    uint8_t bytes[64];

    for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
        size_t n = from_hex(bytes, cases[i].hex);
        struct reader r = reader_init(bytes, n);
        struct wire_mqtt_props props;
        struct wire_mqtt_prop prop;
        struct slice rest;

        is_int(wire_mqtt_read_props(&r, cases[i].of, &props), cases[i].result,
               "properties %s of %s", cases[i].hex, wire_mqtt_type_name(cases[i].of));
        if (cases[i].result == WIRE_MQTT_DONE) {
            size_t total = 0;

            rest = props.raw;
            while (wire_mqtt_next_prop(&rest, &prop)) {
                total += prop.raw.n;
            }
            is_int(total, n - 1, "walking them reaches the end");
        }
    }
}

TEST(names)
{
    is_str(wire_mqtt_type_name(MQTT_PUBLISH), "PUBLISH", "a type has a name");
    is_str(wire_mqtt_type_name(0), "reserved", "0 has none");
    is_str(wire_mqtt_reason_text(0x84), "unsupported protocol version", "a reason has a text");
    is_str(wire_mqtt_reason_text(0x7f), "unknown reason", "others have none");
}

int
main(void)
{
    RUN(fixed_headers);
    RUN(stream_in_pieces);
    RUN(memory_follows_what_arrives);
    RUN(publish_round_trip);
    RUN(cut_packets);
    RUN(properties);
    RUN(names);
    return done_testing();
}
