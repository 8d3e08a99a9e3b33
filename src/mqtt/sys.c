/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* $SYS: values from the broker's counters, as text, in messages that are made anew when the text has
 * changed. */
#include "mqtt/sys.h"

#include <stdio.h>

#define ROOT "$SYS/broker/"
#define SYS_QOS 2                     /* As mosquitto: the subscriber's is what counts. */

/* What there is to see at one moment. */
#define NUMBERS(X)                                                      \
    X("clients/total", m->n_sessions)                                   \
    X("clients/maximum", b->sys->max_clients)                           \
    X("clients/inactive", m->n_sessions - b->n_connected)               \
    X("clients/disconnected", m->n_sessions - b->n_connected)           \
    X("clients/active", b->n_connected)                                 \
    X("clients/connected", b->n_connected)                              \
    X("clients/expired", s->sessions_expired)                           \
    X("messages/stored", n_stored(b))                                   \
    X("store/messages/count", n_stored(b))                              \
    X("store/messages/bytes", b->message_bytes)                         \
    X("subscriptions/count", b->n_subscriptions)                        \
    X("shared_subscriptions/count", b->n_shared)                        \
    X("retained messages/count", m->n_retained)                         \
    X("heap/current", m->bytes)                                         \
    X("heap/maximum", b->sys->max_bytes)                                \
    X("messages/received", s->packets_in)                               \
    X("messages/sent", s->packets_out)                                  \
    X("publish/messages/dropped", s->dropped_qos0 + s->dropped_qos12)   \
    X("publish/messages/received", s->publishes_in)                     \
    X("publish/messages/sent", s->publishes_out)                        \
    X("publish/bytes/received", s->publish_bytes_in)                    \
    X("publish/bytes/sent", s->publish_bytes_out)                       \
    X("bytes/received", s->bytes_in)                                    \
    X("bytes/sent", s->bytes_out)

/* Per minute, over 1, 5 and 15 minutes. */
#define LOADS(X)                                                        \
    X("messages/received", s->packets_in)                               \
    X("messages/sent", s->packets_out)                                  \
    X("publish/dropped", s->dropped_qos0 + s->dropped_qos12)            \
    X("publish/received", s->publishes_in)                              \
    X("publish/sent", s->publishes_out)                                 \
    X("bytes/received", s->bytes_in)                                    \
    X("bytes/sent", s->bytes_out)                                       \
    X("sockets", s->connections)                                        \
    X("connections", s->connects)

#define COUNT(NAME, VALUE) + 1
enum {
    N_NUMBERS = 0 NUMBERS(COUNT),
    N_LOADS = 0 LOADS(COUNT),
    N_SPANS = 3,
    FIRST_NUMBER = 2,                 /* After version and uptime. */
    FIRST_LOAD = FIRST_NUMBER + N_NUMBERS,
    N_TOPICS = FIRST_LOAD + N_LOADS * N_SPANS,
};

struct load {
    uint64_t counted;                 /* At the last look. */
    double rates[N_SPANS];
};

struct mqtt_sys {
    char *version;
    struct mqtt_msg *msgs[N_TOPICS];
    struct load loads[N_LOADS];
    usec_t looked_at, due_at;
    uint64_t max_bytes;
    uint32_t max_clients;
};

struct mqtt_sys *
mqtt_sys_create(const char *version, usec_t now)
{
    struct mqtt_sys *sys = mem_zalloc(sizeof *sys);

    sys->version = version ? mem_strdup(version) : NULL;
    sys->looked_at = sys->due_at = now;
    return sys;
}

void
mqtt_sys_destroy(struct mqtt_sys *sys)
{
    if (sys) {
        for (size_t i = 0; i < N_TOPICS; i++) {
            mqtt_msg_unref(sys->msgs[i]);
        }
        mem_free(sys->version);
        mem_free(sys);
    }
}

/* Publishes 'text' under ROOT 'name' unless that is what was said last. */
static void
say(struct mqtt_broker *b, size_t i, const char *name, const char *text)
{
    struct mqtt_msg **slot = &b->sys->msgs[i];
    uint32_t n = (uint32_t) strlen(text);
    struct mbuf *payload;
    char topic[80];
    int topic_n;

    if (*slot && (*slot)->payload->size == n && !memcmp((*slot)->payload->data, text, n)) {
        return;
    }
    topic_n = snprintf(topic, sizeof topic, ROOT "%s", name);
    payload = mbuf_copy(text, n);
    mqtt_msg_unref(*slot);
    *slot = mqtt_msg_create((struct slice) { (const uint8_t *) topic, (uint32_t) topic_n },
                            (struct slice) { NULL, 0 }, payload);
    mbuf_unref(payload);
    (*slot)->qos = SYS_QOS;
    (*slot)->retain = true;
    mqtt_publish(b, *slot, SLAB_NONE, b->sys->looked_at);
}

static uint64_t
n_stored(const struct mqtt_broker *b)
{
    return b->entries.n + (uint64_t) mqtt_retained_n(b->retained);
}

static void
say_numbers(struct mqtt_broker *b, const struct mqtt_memory *m)
{
    const struct mqtt_stats *s = &b->stats;
#define ENTRY(NAME, VALUE) { NAME, VALUE },
    const struct {
        const char *name;
        uint64_t value;
    } numbers[N_NUMBERS] = { NUMBERS(ENTRY) };
#undef ENTRY
    char text[24];

    for (size_t i = 0; i < N_NUMBERS; i++) {
        snprintf(text, sizeof text, "%llu", (unsigned long long int) numbers[i].value);
        say(b, FIRST_NUMBER + i, numbers[i].name, text);
    }
}

/* e to the power of -x, x >= 0, without libm: by (e^(-x/1024))^1024. */
static double
decay(double x)
{
    double y = x / 1024, e = 1 - y + y * y / 2 - y * y * y / 6;

    if (x > 700) {
        return 0;
    }
    for (int i = 0; i < 10; i++) {
        e *= e;
    }
    return e;
}

/* Moving averages, as uptime(1) has them. */
static void
say_loads(struct mqtt_broker *b, double minutes)
{
    static const struct {
        double minutes;
        const char *name;
    } spans[N_SPANS] = { { 1, "1min" }, { 5, "5min" }, { 15, "15min" } };
    const struct mqtt_stats *s = &b->stats;
#define ENTRY(NAME, VALUE) { NAME, VALUE },
    const struct {
        const char *name;
        uint64_t value;
    } counters[N_LOADS] = { LOADS(ENTRY) };
#undef ENTRY
    char name[48], text[32];

    for (size_t i = 0; i < N_LOADS; i++) {
        struct load *load = &b->sys->loads[i];
        double now = minutes > 0 ? (double) (counters[i].value - load->counted) / minutes : 0;

        for (size_t k = 0; k < N_SPANS; k++) {
            load->rates[k] = now + decay(minutes / spans[k].minutes) * (load->rates[k] - now);
            snprintf(name, sizeof name, "load/%s/%s", counters[i].name, spans[k].name);
            snprintf(text, sizeof text, "%.2f", load->rates[k]);
            say(b, FIRST_LOAD + i * N_SPANS + k, name, text);
        }
        load->counted = counters[i].value;
    }
}

void
mqtt_sys_run(struct mqtt_broker *b, usec_t now)
{
    struct mqtt_sys *sys = b->sys;
    struct mqtt_memory memory;
    double minutes;
    char text[40];

    if (!sys || now < sys->due_at) {
        return;
    }
    minutes = (double) (now - sys->looked_at) / (60.0 * CLOCK_SEC);
    sys->looked_at = now;
    sys->due_at = now + b->config.sys_interval_us;
    mqtt_memory(b, &memory);
    sys->max_bytes = MP_MAX(sys->max_bytes, memory.bytes);
    sys->max_clients = MP_MAX(sys->max_clients, memory.n_sessions);
    if (sys->version) {
        say(b, 0, "version", sys->version);
    }
    snprintf(text, sizeof text, "%lld seconds",
             (long long int) ((now - b->created_at) / CLOCK_SEC));
    say(b, 1, "uptime", text);
    say_numbers(b, &memory);
    say_loads(b, minutes);
    b->congested = SLAB_NONE;         /* Nobody is to wait for that. */
}

usec_t
mqtt_sys_deadline(const struct mqtt_broker *b)
{
    return b->sys ? b->sys->due_at : CLOCK_NEVER;
}

struct mqtt_msg *
mqtt_sys_next(const struct mqtt_broker *b, struct slice filter, size_t *pos)
{
    /* [MQTT-4.7.2-1] spares most filters the search. */
    if (!b->sys || !filter.n || filter.p[0] != '$') {
        return NULL;
    }
    while (*pos < N_TOPICS) {
        struct mqtt_msg *msg = b->sys->msgs[(*pos)++];

        if (msg && topic_matches(filter, mqtt_msg_topic(msg))) {
            return msg;
        }
    }
    return NULL;
}
