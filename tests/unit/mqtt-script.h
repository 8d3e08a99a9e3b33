/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Dialogues with the broker, as text.  One line, one step; a connection is opened when its name is
 * first used:
 *
 *     c1 > PACKET        the client sends           c1 < PACKET    the client receives exactly this
 *     c1 >> PACKET       the same, byte by byte     c1 < nothing   ... and nothing more
 *     c1 closes          its transport ends         c1 closed / c1 aborted   the broker ended it
 *     c1 stalls, c1 reads     takes no output, takes it again (default)
 *     event TYPE TEXT    the next event that is not CREDIT    event none
 *     wait SECONDS       virtual time, by the broker's own deadlines
 *     peer TOPIC PAYLOAD [retain] [qos=N]           a message of another proxy
 *
 * Packets: `hex 10 0c ...`, or a name with arguments as below (an encoder of its own, so that the
 * broker's is checked against it).  Every byte that a client receives must be asked for by a line.
 * Included by one source file of a test program. */
#ifndef MP_TESTS_UNIT_MQTT_SCRIPT_H
#define MP_TESTS_UNIT_MQTT_SCRIPT_H 1

#include "base/mem.h"
#include "mqtt/broker.h"
#include "unit/tap.h"

#define SCRIPT_CONNS 16
#define SCRIPT_BYTES (1 << 21)

struct script_conn {
    char name[16];
    mqtt_id id;
    uint32_t version;
    bool stalled, closed, aborted;
    uint8_t *got;
    size_t n_got, n_checked;
    uint64_t credit, sent;
};

struct script {
    struct mqtt_broker *b;
    usec_t now;
    struct script_conn conns[SCRIPT_CONNS];
    int n_conns;
    char (*events)[256];
    size_t n_events, n_events_checked, allocated_events;
    const char *name;
    int line;
};

struct bytes {
    uint8_t *p;
    size_t n;
};

static uint8_t script_buffer[SCRIPT_BYTES];

static void
script_event(struct script *t, const struct mqtt_event *e)
{
    char *text;

    for (int i = 0; i < t->n_conns; i++) {
        struct script_conn *c = &t->conns[i];

        if (c->id == e->conn && c->id) {
            c->credit += e->type == MQTT_EV_CREDIT ? e->n : 0;
            c->closed = c->closed || e->type == MQTT_EV_CLOSE;
            c->aborted = c->aborted || e->type == MQTT_EV_ABORT;
        }
    }
    if (e->type != MQTT_EV_SUBSCRIBE && e->type != MQTT_EV_UNSUBSCRIBE
        && e->type != MQTT_EV_PUBLISH) {
        return;
    }
    t->events = mem_grow(t->events, &t->allocated_events, t->n_events + 1, sizeof *t->events);
    text = t->events[t->n_events++];
    if (e->type == MQTT_EV_PUBLISH) {
        snprintf(text, sizeof *t->events, "PUBLISH %.*s %.*s%s%s", (int) e->message.topic.n,
                 (const char *) e->message.topic.p, (int) MP_MIN(e->message.payload->size, 100),
                 (const char *) e->message.payload->data, e->message.retain ? " retain" : "",
                 e->message.qos == 2 ? " qos=2" : e->message.qos ? " qos=1" : "");
    } else {
        snprintf(text, sizeof *t->events, "%s %.*s",
                 e->type == MQTT_EV_SUBSCRIBE ? "SUBSCRIBE" : "UNSUBSCRIBE", (int) e->filter.n,
                 (const char *) e->filter.p);
    }
}

static void
script_take(struct script_conn *c, const void *p, size_t n)
{
    c->got = mem_realloc(c->got, c->n_got + n + 1);
    memcpy(c->got + c->n_got, p, n);
    c->n_got += n;
}

static void
script_pull(struct script *t, struct script_conn *c)
{
    struct mqtt_output out;

    while (!c->stalled && mqtt_next_output(t->b, c->id, 1460, t->now, &out)) {
        script_take(c, out.head, out.head_n);
        if (out.extra) {
            script_take(c, out.extra->data, out.extra->size);
            mbuf_unref(out.extra);
        }
        if (out.body) {
            script_take(c, out.body->data + out.body_off, out.body_n);
            mbuf_unref(out.body);
        }
    }
}

static void
script_drain(struct script *t)
{
    struct mqtt_event e;
    bool again = true;

    while (again) {
        uint32_t user;
        mqtt_id id;

        again = false;
        while (mqtt_next_event(t->b, &e)) {
            script_event(t, &e);
        }
        while (mqtt_next_ready(t->b, &id, &user)) {
            script_pull(t, &t->conns[user]);
            again = true;
        }
    }
}

/* --- an encoder that is not the broker's --- */

static void
put8(struct bytes *b, unsigned v)
{
    b->p[b->n++] = (uint8_t) v;
}

static void
put16(struct bytes *b, unsigned v)
{
    put8(b, v >> 8);
    put8(b, v);
}

static void
put_text(struct bytes *b, const char *s)
{
    put16(b, (unsigned) strlen(s));
    memcpy(b->p + b->n, s, strlen(s));
    b->n += strlen(s);
}

static void
put_hex(struct bytes *b, const char *s)
{
    unsigned v;
    int used;

    while (*s && sscanf(s, " %2x%n", &v, &used) == 1) {
        put8(b, v);
        s += used;
    }
}

static const char *
arg(char **argv, const char *name, const char *otherwise)
{
    size_t n = strlen(name);

    for (; *argv; argv++) {
        if (!strncmp(*argv, name, n) && ((*argv)[n] == '=' || !(*argv)[n])) {
            return (*argv)[n] ? *argv + n + 1 : "1";
        }
    }
    return otherwise;
}

static unsigned
arg_number(char **argv, const char *name, unsigned otherwise)
{
    const char *s = arg(argv, name, NULL);

    return s ? (unsigned) strtoul(s, NULL, 0) : otherwise;
}

/* The n-th argument that is no NAME=VALUE and no flag. */
static const char *
word(char **argv, int n)
{
    for (; *argv; argv++) {
        if (!strchr(*argv, '=') && strcmp(*argv, "dup") && strcmp(*argv, "retain") && !n--) {
            return *argv;
        }
    }
    return NULL;
}

/* Properties: p=HEX, and always there in 5.0 unless p=none. */
static void
put_props(struct bytes *b, unsigned version, char **argv, const char *name)
{
    const char *hex = arg(argv, name, "");
    struct bytes props = { b->p + b->n + 1, 0 };

    if (version == 5 && strcmp(hex, "none")) {
        put_hex(&props, hex);
        put8(b, (unsigned) props.n);
        b->n += props.n;
    }
}

static void
put_connect(struct bytes *b, struct script_conn *c, char **argv)
{
    const char *user = arg(argv, "user", NULL), *pass = arg(argv, "pass", NULL);
    const char *will = arg(argv, "will", NULL);
    unsigned flags = arg_number(argv, "clean", 1) << 1;

    c->version = arg_number(argv, "v", 4);
    put_text(b, c->version == 3 ? "MQIsdp" : "MQTT");
    put8(b, c->version);
    if (will) {
        flags |= 4 | arg_number(argv, "wqos", 0) << 3 | arg_number(argv, "wretain", 0) << 5;
    }
    put8(b, flags | (user ? 0x80 : 0) | (pass ? 0x40 : 0));
    put16(b, arg_number(argv, "keep", 0));
    put_props(b, c->version, argv, "p");
    put_text(b, arg(argv, "id", ""));
    if (will) {
        char topic[64];

        put_props(b, c->version, argv, "wp");
        snprintf(topic, sizeof topic, "%.*s", (int) strcspn(will, ":"), will);
        put_text(b, topic);
        put_text(b, will + strcspn(will, ":") + 1);
    }
    if (user) {
        put_text(b, user);
    }
    if (pass) {
        put_text(b, pass);
    }
}

static void
put_publish(struct bytes *b, unsigned version, char **argv)
{
    const char *topic = word(argv, 0), *payload = word(argv, 1);
    unsigned repeat = arg_number(argv, "size", 0);

    put_text(b, topic && strcmp(topic, "-") ? topic : "");
    if (arg_number(argv, "qos", 0)) {
        put16(b, arg_number(argv, "id", 1));
    }
    put_props(b, version, argv, "p");
    if (payload) {
        memcpy(b->p + b->n, payload, strlen(payload));
        b->n += strlen(payload);
    }
    for (unsigned i = 0; i < repeat; i++) {
        put8(b, i * 7 % 251);
    }
}

static void
put_filters(struct bytes *b, unsigned version, char **argv, bool has_options)
{
    put16(b, arg_number(argv, "id", 1));
    put_props(b, version, argv, "p");
    for (int i = 0; word(argv, i); i++) {
        const char *w = word(argv, i), *colon = has_options ? strrchr(w, ':') : NULL;
        char filter[256];

        snprintf(filter, sizeof filter, "%.*s", (int) (colon ? (size_t) (colon - w) : strlen(w)),
                 w);
        put_text(b, strcmp(filter, "''") ? filter : "");
        if (has_options) {
            put8(b, colon ? (unsigned) strtoul(colon + 1, NULL, 0) : 0);
        }
    }
}

static void
put_ack(struct bytes *b, unsigned version, char **argv)
{
    put16(b, arg_number(argv, "id", 1));
    if (version == 5 && arg(argv, "reason", NULL)) {
        put8(b, arg_number(argv, "reason", 0));
        if (arg(argv, "p", NULL)) {
            put_props(b, version, argv, "p");
        }
    }
}

static void
put_codes(struct bytes *b, char **argv)
{
    for (int i = 0; word(argv, i); i++) {
        put8(b, (unsigned) strtoul(word(argv, i), NULL, 0));
    }
}

static struct bytes
script_encode(struct script_conn *c, char **argv)
{
    static const char *const names[] = {
        "", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE",
        "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
    };
    struct bytes b = { script_buffer + 5, 0 }, head = { NULL, 0 };
    unsigned type = 0, flags = 0;
    size_t n;

    if (!strcmp(*argv, "hex")) {
        b.p = script_buffer;
        while (*++argv) {
            put_hex(&b, *argv);
        }
        return b;
    }
    for (unsigned i = 1; i < MP_ARRAY_SIZE(names); i++) {
        type = strcmp(names[i], *argv) ? type : i;
    }
    if (!type) {
        BAIL_OUT("no such packet: %s", *argv);
    }
    argv++;
    switch (type) {
    case 1: put_connect(&b, c, argv); break;
    case 2:
        put8(&b, (unsigned) strtoul(word(argv, 0), NULL, 0));
        put8(&b, (unsigned) strtoul(word(argv, 1), NULL, 0));
        put_props(&b, c->version, argv, "p");
        break;
    case 3:
        put_publish(&b, c->version, argv);
        flags = arg_number(argv, "qos", 0) << 1 | arg_number(argv, "dup", 0) << 3
                | arg_number(argv, "retain", 0);
        break;
    case 4: case 5: case 6: case 7: put_ack(&b, c->version, argv); break;
    case 8: case 10: put_filters(&b, c->version, argv, type == 8); break;
    case 9: case 11:
        put16(&b, arg_number(argv, "id", 1));
        put_props(&b, c->version, argv, "p");
        put_codes(&b, argv);
        break;
    case 14: case 15:
        if (arg(argv, "reason", NULL)) {
            put8(&b, arg_number(argv, "reason", 0));
            put_props(&b, c->version, argv, "p");
        }
        break;
    default: break;
    }
    flags |= type == 6 || type == 8 || type == 10 ? 2 : 0;
    flags = arg_number(argv, "flags", flags);

    n = b.n;
    head.p = script_buffer;
    put8(&head, type << 4 | flags);
    do {
        put8(&head, (unsigned) (n & 0x7f) | (n >> 7 ? 0x80 : 0));
        n >>= 7;
    } while (n);
    memmove(script_buffer + 5 - head.n, script_buffer, head.n);
    return (struct bytes) { script_buffer + 5 - head.n, head.n + b.n };
}

/* --- the interpreter --- */

static struct script_conn *
script_conn(struct script *t, const char *name)
{
    struct script_conn *c;

    for (int i = 0; i < t->n_conns; i++) {
        if (!strcmp(t->conns[i].name, name)) {
            return &t->conns[i];
        }
    }
    if (t->n_conns == SCRIPT_CONNS) {
        BAIL_OUT("too many connections");
    }
    c = &t->conns[t->n_conns];
    memset(c, 0, sizeof *c);
    snprintf(c->name, sizeof c->name, "%s", name);
    c->version = 4;
    c->id = mqtt_open(t->b, &(struct mqtt_origin) { .tcp_port = 1 }, (uint32_t) t->n_conns,
                      t->now);
    t->n_conns++;
    return c;
}

static void
script_send(struct script *t, struct script_conn *c, struct bytes b, bool by_byte)
{
    for (size_t i = 0; i < b.n; i += by_byte ? 1 : b.n) {
        mqtt_input(t->b, c->id, b.p + i, by_byte ? 1 : b.n, t->now);
        script_drain(t);
    }
    c->sent += b.n;
}

static void
script_expect(struct script *t, struct script_conn *c, char **argv, const char *line)
{
    struct bytes want = { script_buffer, 0 };
    size_t n = c->n_got - c->n_checked;

    if (strcmp(*argv, "nothing")) {
        want = script_encode(c, argv);
        n = MP_MIN(n, want.n);
    }
    is_mem(c->got + c->n_checked, n, want.p, want.n, "%s: line %d: %s", t->name, t->line, line);
    c->n_checked += n;
}

static void
script_wait(struct script *t, usec_t us)
{
    usec_t end = t->now + us, deadline;

    while ((deadline = mqtt_deadline(t->b)) <= end) {
        t->now = MP_MAX(t->now, deadline);
        mqtt_run(t->b, t->now);
        script_drain(t);
    }
    t->now = end;
}

static void
script_expect_event(struct script *t, const char *want, const char *line)
{
    bool has = t->n_events_checked < t->n_events;

    is_str(has ? t->events[t->n_events_checked] : "none", want, "%s: line %d: %s", t->name,
           t->line, line);
    t->n_events_checked += has;
}

static void
script_peer(struct script *t, char **argv)
{
    const char *topic = word(argv, 0), *payload = word(argv, 1);
    struct mqtt_message m = {
        .topic = { (const uint8_t *) topic, (uint32_t) strlen(topic) },
        .payload = mbuf_copy(payload ? payload : "", payload ? strlen(payload) : 0),
        .qos = (uint8_t) arg_number(argv, "qos", 0),
        .retain = arg_number(argv, "retain", 0),
    };

    mqtt_publish_remote(t->b, &m, t->now);
    mbuf_unref(m.payload);
    script_drain(t);
}

static void
script_step(struct script *t, const char *line)
{
    char copy[4096], *argv[64] = { NULL }, *save = NULL;
    struct script_conn *c;
    int n = 0;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok_r(copy, " ", &save); w && n < 63; w = strtok_r(NULL, " ", &save)) {
        argv[n++] = w;
    }
    if (!n || argv[0][0] == '#') {
        return;
    }
    if (!strcmp(argv[0], "event")) {
        script_expect_event(t, strstr(line, "event ") + 6, line);
        return;
    } else if (!strcmp(argv[0], "wait")) {
        script_wait(t, (usec_t) (strtod(argv[1], NULL) * 1e6));
        return;
    } else if (!strcmp(argv[0], "peer")) {
        script_peer(t, argv + 1);
        return;
    }

    c = script_conn(t, argv[0]);
    if (!strcmp(argv[1], ">") || !strcmp(argv[1], ">>")) {
        script_send(t, c, script_encode(c, argv + 2), !strcmp(argv[1], ">>"));
    } else if (!strcmp(argv[1], "<")) {
        script_expect(t, c, argv + 2, line);
    } else if (!strcmp(argv[1], "closes")) {
        mqtt_closed(t->b, c->id, t->now);
        script_drain(t);
    } else if (!strcmp(argv[1], "closed") || !strcmp(argv[1], "aborted")) {
        ok(argv[1][5] == 'd' ? c->closed : c->aborted, "%s: line %d: %s", t->name, t->line, line);
        mqtt_closed(t->b, c->id, t->now);
        script_drain(t);
    } else if (!strcmp(argv[1], "stalls")) {
        c->stalled = true;
    } else if (!strcmp(argv[1], "reads")) {
        c->stalled = false;
        script_pull(t, c);
        script_drain(t);
    } else {
        BAIL_OUT("cannot read: %s", line);
    }
}

static void
script_begin(struct script *t, const char *name, const struct mqtt_config *config)
{
    struct mqtt_config own;

    if (!config) {
        mqtt_config_default(&own);
        config = &own;
    }
    memset(t, 0, sizeof *t);
    t->name = name;
    t->now = 1000 * CLOCK_SEC;
    t->b = mqtt_create(config, t->now);
}

static void
script_lines(struct script *t, const char *lines)
{
    char line[4096];

    while (*lines) {
        size_t n = strcspn(lines, "\n");

        snprintf(line, sizeof line, "%.*s", (int) n, lines);
        lines += n + (lines[n] ? 1 : 0);
        t->line++;
        script_step(t, line);
    }
}

/* Nothing unasked for was received, and every byte of input is credited once. */
static void
script_end(struct script *t)
{
    for (int i = 0; i < t->n_conns; i++) {
        struct script_conn *c = &t->conns[i];

        is_int(c->n_got - c->n_checked, 0, "%s: %s received nothing else", t->name, c->name);
        ok(c->credit <= c->sent, "%s: %s was not credited more than it sent", t->name, c->name);
        mem_free(c->got);
    }
    mem_free(t->events);
    mqtt_destroy(t->b);
    /* A script is a group of assertions as RUN() of tap.h makes them: tables of conformance name
     * it. */
    if (t->line) {
        pass("%s ran", t->name);
    }
}

__attribute__((unused)) static void
script_run(const char *name, const struct mqtt_config *config, const char *lines)
{
    struct script t;

    script_begin(&t, name, config);
    script_lines(&t, lines);
    script_end(&t);
}

#endif
