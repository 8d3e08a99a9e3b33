/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of peer/codec.h with tests/vectors/peer.txt, whose head describes its format; the Python
 * codec is tested with the same file.  Each datagram is read from a heap block of its very size, so
 * that a sanitizer sees one byte too many. */
#include "peer/codec.h"

#include "base/mem.h"
#include "unit/tap.h"

enum { MAX_BYTES = 70000, MAX_WORDS = 16, MAX_LINE = 8192 };

struct bytes {
    uint8_t b[MAX_BYTES];
    uint32_t n;
};

static struct slice
slice_of(const struct bytes *b)
{
    return (struct slice) { b->b, b->n };
}

static int
hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads hex pieces up to 'end' (which may be the NUL); NULL if they are none. */
static const char *
parse_bytes(struct bytes *out, const char *s, char end)
{
    out->n = 0;
    if (*s == '-') {
        s++;
    }
    while (*s && *s != end) {
        if (*s == ',') {
            s++;
            continue;
        }
        if (hex(s[0]) < 0 || hex(s[1]) < 0) {
            return NULL;
        }

        uint8_t b = (uint8_t) (hex(s[0]) << 4 | hex(s[1]));
        long int n = 1;

        s += 2;
        if (*s == '*') {
            n = strtol(s + 1, (char **) &s, 10);
        }
        if (n < 0 || n > MAX_BYTES - (long int) out->n) {
            return NULL;
        }
        memset(out->b + out->n, b, (size_t) n);
        out->n += (uint32_t) n;
    }
    return s;
}

struct vector {
    const char *name;
    bool both;
    struct bytes datagram;
    const char *verdict;
    char *keys[MAX_WORDS];            /* "KEY=VALUE". */
    int n_keys;
};

static const char *
key(const struct vector *v, const char *name)
{
    size_t n = strlen(name);

    for (int i = 0; i < v->n_keys; i++) {
        if (!strncmp(v->keys[i], name, n) && v->keys[i][n] == '=') {
            return v->keys[i] + n + 1;
        }
    }
    return NULL;
}

static long int
key_int(const struct vector *v, const char *name)
{
    const char *s = key(v, name);

    return s ? strtol(s, NULL, 10) : 0;
}

/* Takes "HEX[:QOS]" off a list separated by ';'. */
static const char *
next_filter(const char *s, struct bytes *filter, long int *qos)
{
    char one[MAX_LINE];
    size_t n = strcspn(s, ";");

    memcpy(one, s, n);
    one[n] = '\0';

    const char *colon = parse_bytes(filter, one, ':');

    *qos = colon && *colon ? strtol(colon + 1, NULL, 10) : 0;
    return s + n + (s[n] == ';');
}

static void
check_filters(const struct vector *v, const struct peer_packet *pkt)
{
    static struct bytes want;
    const char *s = key(v, "filters");
    struct slice rest = pkt->filters, filter;
    uint8_t qos;

    while (*s) {
        long int want_qos;

        s = next_filter(s, &want, &want_qos);
        if (!ok(peer_packet_next_filter(pkt, &rest, &filter, &qos), "%s: a filter", v->name)) {
            return;
        }
        is_mem(filter.p, filter.n, want.b, want.n, "%s: filter", v->name);
        is_int(qos, want_qos, "%s: its QoS", v->name);
    }
    ok(!peer_packet_next_filter(pkt, &rest, &filter, &qos), "%s: no more filters", v->name);
}

static int
count_more(struct slice rest)
{
    struct peer_packet pkt;
    int n = 0;

    while (peer_packet_parse(rest, &pkt) == PEER_OK && pkt.type == PEER_PKT_PUBLISH) {
        rest = (struct slice) { rest.p + pkt.size, rest.n - pkt.size };
        n++;
    }
    return n;
}

static void
check_publish(const struct vector *v, const struct peer_packet *pkt)
{
    static struct bytes want;

    is_int(pkt->qos, key_int(v, "qos"), "%s: QoS", v->name);
    is_int(pkt->dup, key_int(v, "dup"), "%s: DUP", v->name);
    is_int(pkt->retain, key_int(v, "retain"), "%s: RETAIN", v->name);
    parse_bytes(&want, key(v, "topic"), '\0');
    is_mem(pkt->topic.p, pkt->topic.n, want.b, want.n, "%s: topic", v->name);
    parse_bytes(&want, key(v, "payload"), '\0');
    is_mem(pkt->payload.p, pkt->payload.n, want.b, want.n, "%s: payload", v->name);
}

static struct mbuf *
build(const struct vector *v, enum peer_packet_type type)
{
    static struct bytes a, b;
    struct peer_filter f = { .packet_id = (uint16_t) key_int(v, "id") };
    long int qos;

    if (type == PEER_PKT_PUBLISH) {
        parse_bytes(&a, key(v, "topic"), '\0');
        parse_bytes(&b, key(v, "payload"), '\0');

        struct peer_publish pub = { slice_of(&a), slice_of(&b), key_int(v, "retain") };

        is_int(peer_publish_size(&pub), v->datagram.n, "%s: size", v->name);
        return peer_build_publish(&pub);
    }
    next_filter(key(v, "filters"), &a, &qos);
    f.filter = slice_of(&a);
    f.qos = (uint8_t) qos;
    return type == PEER_PKT_SUBSCRIBE ? peer_build_subscribe(&f) : peer_build_unsubscribe(&f);
}

static const char *const type_names[] = { "subscribe", "unsubscribe", "publish" };
static const char *const verdict_names[] = {
    "ok", "short", "type", "flags", "length", "topic", "empty",
};

static void
run_vector(const struct vector *v)
{
    uint8_t *exact = mem_dup(v->datagram.b, v->datagram.n);
    struct slice datagram = { exact, v->datagram.n };
    struct peer_packet pkt;
    enum peer_verdict verdict = peer_packet_parse(datagram, &pkt);

    if (!strcmp(v->verdict, "refused")) {
        is_str(verdict_names[verdict], key(v, "why"), "%s: refused", v->name);
    } else if (ok(verdict == PEER_OK, "%s: taken", v->name)) {
        is_str(type_names[pkt.type], v->verdict, "%s: type", v->name);
        is_int(pkt.packet_id, key_int(v, "id"), "%s: packet id", v->name);
        is_int(datagram.n - pkt.size, key_int(v, "extra"), "%s: extra bytes", v->name);
        if (pkt.type == PEER_PKT_PUBLISH) {
            struct slice rest = { datagram.p + pkt.size, datagram.n - pkt.size };

            check_publish(v, &pkt);
            is_int(count_more(rest), key_int(v, "more"), "%s: further PUBLISHes", v->name);
        } else {
            check_filters(v, &pkt);
        }
        if (pkt.type == PEER_PKT_UNSUBSCRIBE) {
            is_str(pkt.prototype_form ? "b0" : "a2", key(v, "form"), "%s: form", v->name);
        }
        if (v->both) {
            struct mbuf *m = build(v, pkt.type);

            is_mem(m->data, m->size, exact, datagram.n, "%s: built", v->name);
            mbuf_unref(m);
        }
    }
    mem_free(exact);
}

static bool
read_vector(struct vector *v, char *line)
{
    char *save, *word;
    int n = 0;

    v->n_keys = 0;
    for (word = strtok_r(line, " \n", &save); word; word = strtok_r(NULL, " \n", &save), n++) {
        if (n == 0) {
            v->name = word;
        } else if (n == 1) {
            v->both = !strcmp(word, "both");
        } else if (n == 2) {
            if (!parse_bytes(&v->datagram, word, '\0')) {
                return false;
            }
        } else if (n == 3) {
            v->verdict = word;
        } else if (v->n_keys < MAX_WORDS) {
            v->keys[v->n_keys++] = word;
        }
    }
    return n >= 4;
}

TEST(shared_vectors)
{
    static struct vector v;
    static char line[MAX_LINE];
    const char *top = getenv("top_srcdir");
    char path[4096];
    int n = 0;

    snprintf(path, sizeof path, "%s/tests/vectors/peer.txt", top ? top : ".");

    FILE *f = fopen(path, "r");

    if (!f) {
        BAIL_OUT("%s: cannot be read", path);
    }
    while (fgets(line, sizeof line, f)) {
        if (line[0] != '#' && line[0] != '\n') {
            if (ok(read_vector(&v, line), "line is understood")) {
                run_vector(&v);
                n++;
            }
        }
    }
    fclose(f);
    ok(n > 60, "%d vectors", n);
}

TEST(a_cut_packet_is_never_taken)
{
    static const uint8_t packets[][13] = {
        { 0x82, 0x0b, 0, 1, 0, 6, 't', 'o', 'p', 'i', 'c', '1', 0 },
        { 0xa2, 0x0b, 0, 1, 0, 7, 't', 'o', 'p', 'i', 'c', '1', '1' },
        { 0x30, 0x0b, 0, 6, 't', 'o', 'p', 'i', 'c', '1', 'a', 'b', 'c' },
    };

    for (size_t i = 0; i < MP_ARRAY_SIZE(packets); i++) {
        struct peer_packet pkt;
        int taken = 0;

        for (uint32_t n = 0; n < 13; n++) {
            uint8_t *exact = mem_dup(packets[i], n);

            taken += peer_packet_parse((struct slice) { exact, n }, &pkt) == PEER_OK;
            mem_free(exact);
        }
        is_int(taken, 0, "%s: none of its beginnings is", type_names[i]);
        ok(peer_packet_parse((struct slice) { packets[i], 13 }, &pkt) == PEER_OK, "the whole is");
    }
}

int
main(void)
{
    RUN(shared_vectors);
    RUN(a_cut_packet_is_never_taken);
    return done_testing();
}
