/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the whole broker over several connections.  The input is a program: connections come
 * and go, send well-formed packets made of few client identifiers and topics, or any bytes; peers
 * publish; transports stall; time passes.  What must hold: what a client receives is a stream of
 * packets that a server may send, credit is never more than input, a filter is subscribed and
 * unsubscribed in turns, windows are kept, deadlines make progress, and in the end nothing is left.
 * Links libmqtt, libtopic, libwire and libbase. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "mqtt/acl.h"
#include "topic/topic.h"
#include "wire/mqtt_pkt.h"

#define N_CONNS 6
#define MAX_FILTERS 64
#define MAX_INFLIGHT 3

struct client {
    mqtt_id id;
    uint8_t version;                  /* That its packets are made for. */
    uint8_t rx_version;               /* That its CONNACK tells; 0 before. */
    bool ended;                       /* CLOSE or ABORT was said. */
    struct wire_mqtt_framer *rx;
    uint64_t sent, credit;
};

struct world {
    struct mqtt_broker *b;
    usec_t now;
    struct client clients[N_CONNS];
    uint8_t filters[MAX_FILTERS][64];
    uint8_t filter_sizes[MAX_FILTERS];
    size_t n_filters;
};

static const char *const topics[] = {
    "a", "a/b", "a/b/c", "b", "/", "$x/a", "$SYS/a", "long/enough/to/leave/the/head/of/an/output/"
    "piece/behind/itself/and/have/an/extra/buffer/of/its/own",
};
static const char *const filters[] = {
    "a", "a/b", "+", "+/+", "#", "a/#", "+/b/#", "$x/#", "a/+/c", "b", "/", "$share/g/a", "a#",
    "$share/g/#", "$share/h/a", "$share/", "$SYS/#",
};

static struct slice
slice_of(const char *s)
{
    return (struct slice) { (const uint8_t *) s, (uint32_t) strlen(s) };
}

/* What a server may send [table 2-1]. */
#define SERVER_SENDS                                                                        \
    (1u << MQTT_CONNACK | 1u << MQTT_PUBLISH | 1u << MQTT_PUBACK | 1u << MQTT_PUBREC        \
     | 1u << MQTT_PUBREL | 1u << MQTT_PUBCOMP | 1u << MQTT_SUBACK | 1u << MQTT_UNSUBACK     \
     | 1u << MQTT_PINGRESP | 1u << MQTT_DISCONNECT)

static void
check_output(struct client *c, const uint8_t *p, uint32_t n)
{
    bool is_first = n && !c->rx_version;
    struct wire_mqtt_rules rules = { .max_packet_size = UINT32_MAX, .allowed = SERVER_SENDS };
    struct slice in = { p, n };
    struct wire_mqtt_frame frame;
    struct wire_mqtt_publish publish;
    enum wire_mqtt_result result;

    if (is_first) {
        mp_assert(n >= 4);
        c->rx_version = p[1] > 2 ? MQTT_V50 : MQTT_V311;
    }
    rules.version = c->rx_version;
    while ((result = wire_mqtt_framer_next(&c->rx, &in, &rules, &frame)) == WIRE_MQTT_DONE) {
        mp_assert((frame.type == MQTT_CONNACK) == is_first);
        is_first = false;
        if (frame.type == MQTT_PUBLISH) {
            mp_assert(wire_mqtt_decode_publish(&frame, c->rx_version, &publish)
                      == WIRE_MQTT_DONE);
            mp_assert(topic_name_is_valid(publish.topic)
                      || (!publish.topic.n && c->rx_version == MQTT_V50));
        } else if (frame.type == MQTT_DISCONNECT) {
            mp_assert(c->rx_version == MQTT_V50);
        }
    }
    mp_assert(result == WIRE_MQTT_MORE);
}

static void
note_filter(struct world *w, const struct mqtt_event *e)
{
    size_t i = 0;

    if (e->filter.n > sizeof w->filters[0]) {
        return;
    }
    while (i < w->n_filters && (w->filter_sizes[i] != e->filter.n
                                || memcmp(w->filters[i], e->filter.p, e->filter.n))) {
        i++;
    }
    if (e->type == MQTT_EV_SUBSCRIBE) {
        mp_assert(i == w->n_filters);
        mp_assert(topic_filter_is_valid(e->filter));
        if (i < MAX_FILTERS) {
            memcpy(w->filters[i], e->filter.p, e->filter.n);
            w->filter_sizes[i] = (uint8_t) e->filter.n;
            w->n_filters++;
        }
    } else if (w->n_filters < MAX_FILTERS) {
        mp_assert(i < w->n_filters);
        w->n_filters--;
        memcpy(w->filters[i], w->filters[w->n_filters], sizeof w->filters[i]);
        w->filter_sizes[i] = w->filter_sizes[w->n_filters];
    }
}

static void
drain_events(struct world *w)
{
    struct mqtt_event e;

    while (mqtt_next_event(w->b, &e)) {
        struct client *c = &w->clients[e.user % N_CONNS];

        switch (e.type) {
        case MQTT_EV_CREDIT:
            if (c->id == e.conn) {
                c->credit += e.n;
                mp_assert(c->credit <= c->sent);
            }
            break;
        case MQTT_EV_CLOSE:
        case MQTT_EV_ABORT:
            mp_assert(c->id == e.conn && !c->ended);
            c->ended = true;
            break;
        case MQTT_EV_SUBSCRIBE:
        case MQTT_EV_UNSUBSCRIBE:
            note_filter(w, &e);
            break;
        case MQTT_EV_AUTH:
            mp_assert(c->id == e.conn);
            break;
        case MQTT_EV_AUTH_GONE:
            break;
        case MQTT_EV_PUBLISH:
            mp_assert(topic_name_is_valid(e.message.topic) && e.message.payload->n_refs);
            break;
        }
    }
}

static void
pull(struct world *w, struct client *c, uint32_t room, int n_pieces)
{
    struct mqtt_output out;

    while (n_pieces-- && mqtt_next_output(w->b, c->id, room, w->now, &out)) {
        mp_assert(out.head_n <= sizeof out.head);
        mp_assert(out.head_n || out.extra);
        check_output(c, out.head, out.head_n);
        if (out.extra) {
            check_output(c, out.extra->data, out.extra->size);
            mbuf_unref(out.extra);
        }
        if (out.body) {
            mp_assert(out.body_off + out.body_n <= out.body->size);
            check_output(c, out.body->data + out.body_off, out.body_n);
            mbuf_unref(out.body);
        }
    }
}

static void
drain_ready(struct world *w)
{
    uint32_t user;
    mqtt_id id;

    while (mqtt_next_ready(w->b, &id, &user)) {
        mp_assert(w->clients[user].id == id || !w->clients[user].id);
        pull(w, &w->clients[user], 1460, -1);
    }
}

static void
end_client(struct world *w, struct client *c)
{
    mqtt_closed(w->b, c->id, w->now);
    mqtt_closed(w->b, c->id, w->now);             /* No lingering. */
    wire_mqtt_framer_free(&c->rx);
    memset(c, 0, sizeof *c);
}

static void
send_bytes(struct world *w, struct client *c, const uint8_t *p, size_t n)
{
    if (n) {
        c->sent += n;
        mqtt_input(w->b, c->id, p, n, w->now);
    }
}

static void
put_string(struct writer *w, struct slice s)
{
    writer_u16(w, (uint16_t) s.n);
    writer_bytes(w, s.p, s.n);
}

static void
put_props(struct writer *w, uint8_t version, struct fuzz_input *in)
{
    if (version == MQTT_V50) {
        struct fuzz_input props = fuzz_take_bytes(in, fuzz_take_u8(in) % 24);

        writer_u8(w, (uint8_t) props.size);
        writer_bytes(w, props.data, props.size);
    }
}

static void
put_connect(struct writer *w, struct client *c, struct fuzz_input *in)
{
    uint8_t choice = fuzz_take_u8(in), flags = choice & 0x3e;
    const char id[2] = { (char) ('a' + fuzz_take_u8(in) % 3), 0 };

    if (choice & 0x80 && !(choice & 0x40)) {
        flags |= 0xc0;
    }
    if (!(flags & 4) || (flags & 0x18) == 0x18) {
        flags &= 0xc2;
    }
    c->version = 3 + fuzz_take_u8(in) % 3;
    put_string(w, slice_of(c->version == 3 ? "MQIsdp" : "MQTT"));
    writer_u8(w, c->version);
    writer_u8(w, flags);
    writer_u16(w, fuzz_take_u8(in));
    put_props(w, c->version, in);
    put_string(w, slice_of(choice & 1 ? "" : id));
    if (flags & 4) {
        put_props(w, c->version, in);
        put_string(w, slice_of(topics[fuzz_take_u8(in) % MP_ARRAY_SIZE(topics)]));
        put_string(w, slice_of("will"));
    }
    if (flags & 0x80) {
        put_string(w, slice_of("u"));
        put_string(w, slice_of("p"));
    }
}

static void
put_filters(struct writer *w, const struct client *c, struct fuzz_input *in, bool has_options)
{
    uint8_t n = 1 + fuzz_take_u8(in) % 3;

    writer_u16(w, fuzz_take_u8(in));
    put_props(w, c->version, in);
    while (n--) {
        put_string(w, slice_of(filters[fuzz_take_u8(in) % MP_ARRAY_SIZE(filters)]));
        if (has_options) {
            uint8_t options = fuzz_take_u8(in);

            writer_u8(w, c->version == MQTT_V50 ? options & 0x3f : options % 3);
        }
    }
}

static void
put_publish(struct writer *w, const struct client *c, struct fuzz_input *in, uint8_t flags)
{
    static const uint8_t zeros[4096];
    uint8_t choice = fuzz_take_u8(in);

    if (c->version == MQTT_V50 && choice & 0x80) {
        put_string(w, slice_of(""));              /* By alias. */
    } else {
        put_string(w, slice_of(topics[choice % MP_ARRAY_SIZE(topics)]));
    }
    if (flags & 6) {
        writer_u16(w, fuzz_take_u8(in) % 8);
    }
    put_props(w, c->version, in);
    writer_bytes(w, zeros, fuzz_take_u16(in) % sizeof zeros);
}

/* A packet of the right form, most of the time with possible contents. */
static void
send_packet(struct world *world, struct client *c, struct fuzz_input *in)
{
    uint8_t body[8192], head[5];
    struct writer w = writer_init(body, sizeof body), h = writer_init(head, sizeof head);
    uint8_t type = fuzz_take_u8(in) % 16, flags = 0;
    size_t cut = fuzz_take_u8(in);

    switch (type) {
    case MQTT_CONNECT: put_connect(&w, c, in); break;
    case MQTT_PUBLISH:
        flags = fuzz_take_u8(in) & 0xf;
        flags = (flags & 6) == 6 ? flags & 0xd : flags & 6 ? flags : flags & 1;
        put_publish(&w, c, in, flags);
        break;
    case MQTT_PUBREL: flags = 2;  /* Fall through. */
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBCOMP:
        writer_u16(&w, fuzz_take_u8(in) % 8);
        if (c->version == MQTT_V50 && cut & 1) {
            writer_u8(&w, fuzz_take_u8(in));
        }
        break;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        flags = 2;
        put_filters(&w, c, in, type == MQTT_SUBSCRIBE);
        break;
    case MQTT_DISCONNECT:
    case MQTT_AUTH:
        if (c->version == MQTT_V50 && cut & 1) {
            writer_u8(&w, fuzz_take_u8(in));
            put_props(&w, c->version, in);
        }
        break;
    default: break;
    }
    writer_u8(&h, (uint8_t) (type << 4 | flags));
    wire_mqtt_put_varint(&h, (uint32_t) writer_size(&w));
    send_bytes(world, c, head, writer_size(&h));
    /* In two pieces, anywhere. */
    cut = MP_MIN(cut * 16, writer_size(&w));
    send_bytes(world, c, body, cut);
    send_bytes(world, c, body + cut, writer_size(&w) - cut);
}

static void
publish_remote(struct world *w, struct fuzz_input *in)
{
    uint8_t choice = fuzz_take_u8(in);
    struct mqtt_message m = {
        .topic = slice_of(topics[choice % MP_ARRAY_SIZE(topics)]),
        .payload = mbuf_create(fuzz_take_u8(in) * 8u),
        .qos = choice % 3,
        .retain = choice & 0x80,
    };

    memset(m.payload->data, choice, m.payload->size);
    mqtt_publish_remote(w->b, &m, w->now);
    mbuf_unref(m.payload);
}

static void
pass_time(struct world *w, usec_t us)
{
    usec_t end = w->now + us, deadline;
    int n = 0;

    while ((deadline = mqtt_deadline(w->b)) <= end) {
        w->now = MP_MAX(w->now, deadline);
        mqtt_run(w->b, w->now);
        drain_events(w);
        mp_assert(n++ < 100000);
    }
    w->now = end;
    drain_events(w);
}

/* The verdict on a CONNECT, whether one waits or not; or other rules. */
static void
judge(struct world *w, struct client *c, uint8_t choice)
{
    static const char rules[] = "pattern readwrite a/#\npattern deny a/b/c\nwhere port=1\n"
                                "pattern b\n";
    struct mqtt_acl_error error;

    if (choice & 4) {
        mqtt_set_acl(w->b, choice & 1 ? mqtt_acl_parse(slice_of(rules), &error) : NULL);
    } else {
        mqtt_auth_result(w->b, c->id, (enum mqtt_verdict) (choice % 3), w->now);
    }
}

static void
step(struct world *w, struct fuzz_input *in)
{
    static const usec_t steps[] = { 1, 1000, CLOCK_SEC, 7 * CLOCK_SEC, 300 * CLOCK_SEC };
    uint8_t op = fuzz_take_u8(in), which = op % N_CONNS;
    struct client *c = &w->clients[which];
    struct mqtt_origin origin = { .tcp_port = 1 };
    struct fuzz_input raw;

    if (!c->id) {
        c->id = mqtt_open(w->b, &origin, which, w->now);
        mp_assert(c->id);
    }
    switch (op / N_CONNS % 16) {
    case 0: end_client(w, c); break;
    case 1:
        raw = fuzz_take_bytes(in, fuzz_take_u8(in));
        send_bytes(w, c, raw.data, raw.size);
        break;
    case 2: publish_remote(w, in); break;
    case 3: pass_time(w, steps[fuzz_take_u8(in) % MP_ARRAY_SIZE(steps)]); break;
    case 4: drain_events(w); pull(w, c, fuzz_take_u16(in), fuzz_take_u8(in)); break;
    case 5: drain_events(w); drain_ready(w); break;
    case 6: judge(w, c, fuzz_take_u8(in)); break;
    default: send_packet(w, c, in); break;
    }
    drain_events(w);
    if (c->ended && op & 1) {
        end_client(w, c);
    }
}

static void
show_all(const struct world *w)
{
    struct mqtt_subscription_info sub;
    struct mqtt_session_info info;
    uint32_t pos = 0, sub_pos, n = 0, n_subs = 0;
    struct mqtt_memory memory;

    mqtt_memory(w->b, &memory);
    while (mqtt_walk_sessions(w->b, &pos, &info)) {
        n++;
        mp_assert(info.n_inflight <= MAX_INFLIGHT);
        for (sub_pos = 0; mqtt_walk_subscriptions(w->b, pos, &sub_pos, &sub); n_subs++) {
            mp_assert(sub.qos <= 2);
        }
    }
    mp_assert(n == memory.n_sessions && n_subs == memory.n_subscriptions);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct world w = { .now = 5 * CLOCK_SEC };
    struct mqtt_config config;
    uint8_t choice = fuzz_take_u8(&in);

    mqtt_config_default(&config);
    config.max_qos = choice % 3;
    config.max_inflight = MAX_INFLIGHT;
    config.max_packet_size = 3000;
    config.max_subscriptions = 4;
    config.max_retained = 4;
    config.max_queued_messages = choice & 8 ? 4 : 100;
    config.max_queued_bytes = choice & 16 ? 2000 : 100000;
    config.max_sessions = choice & 32 ? 2 : 100;
    config.session_expiry_us = 100 * CLOCK_SEC;
    config.asks_auth = choice & 4;
    config.allow_duplicates = choice & 128;
    config.sys_interval_us = choice & 8 ? 100 * CLOCK_SEC : 0;
    config.work_per_turn = choice & 32 ? 10 : 20000;           /* SUBSCRIBEs take several turns. */
    config.username = choice & 64 ? "u" : NULL;
    config.password = choice & 64 ? "p" : NULL;
    w.b = mqtt_create(&config, w.now);
    for (int i = 0; in.size && i < 400; i++) {
        step(&w, &in);
        show_all(&w);
    }
    if (choice & 128) {
        for (int i = 0; i < N_CONNS; i++) {
            end_client(&w, &w.clients[i]);
        }
        pass_time(&w, config.sys_interval_us ? 1000 * CLOCK_SEC : UINT32_MAX * CLOCK_SEC);
        show_all(&w);
        mp_assert(!w.n_filters || w.n_filters == MAX_FILTERS);
    }
    for (int i = 0; i < N_CONNS; i++) {
        wire_mqtt_framer_free(&w.clients[i].rx);
    }
    mqtt_destroy(w.b);
    return 0;
}
