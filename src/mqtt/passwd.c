/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/passwd.h"

#include <stdlib.h>
#include "base/mem.h"

#define DEFAULT_ROUNDS 101u           /* mosquitto_passwd's. */

struct mqtt_passwd {
    uint8_t *text;                    /* What the user names point into. */
    struct mqtt_passwd_entry *entries;     /* By name. */
    size_t n, allocated;
    struct mqtt_passwd_entry decoy;
};

static int
compare_names(struct slice a, struct slice b)
{
    int order = a.n && b.n ? memcmp(a.p, b.p, MP_MIN(a.n, b.n)) : 0;

    return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

static int
compare_entries(const void *a_, const void *b_)
{
    const struct mqtt_passwd_entry *a = a_, *b = b_;

    return compare_names(a->user, b->user);
}

static int
base64_digit(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes into 'out' of 'size' bytes; '*n' is how many they are. */
static bool
decode_base64(struct slice s, uint8_t *out, size_t size, size_t *n)
{
    uint32_t bits = 0, n_bits = 0;

    *n = 0;
    if (s.n % 4) {
        return false;
    }
    for (int i = 0; i < 2 && s.n && s.p[s.n - 1] == '='; i++) {
        s.n--;
    }
    for (uint32_t i = 0; i < s.n; i++) {
        int digit = base64_digit(s.p[i]);

        if (digit < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t) digit;
        n_bits += 6;
        if (n_bits >= 8) {
            if (*n == size) {
                return false;
            }
            n_bits -= 8;
            out[(*n)++] = (uint8_t) (bits >> n_bits);
        }
    }
    return !(bits & ((1u << n_bits) - 1));
}

/* Takes what is before the next 'c' and that; false if there is none. */
static bool
take_until(struct slice *rest, uint8_t c, struct slice *field)
{
    const uint8_t *end = rest->n ? memchr(rest->p, c, rest->n) : NULL;

    if (!end) {
        return false;
    }
    *field = (struct slice) { rest->p, (uint32_t) (end - rest->p) };
    rest->p = end + 1;
    rest->n -= field->n + 1;
    return true;
}

static bool
parse_rounds(struct slice s, uint32_t *rounds)
{
    *rounds = 0;
    for (uint32_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || i > 7) {
            return false;
        }
        *rounds = 10 * *rounds + (uint32_t) (s.p[i] - '0');
    }
    return *rounds && *rounds <= MQTT_PASSWD_MAX_ROUNDS;
}

static const char *
parse_entry(struct slice line, struct mqtt_passwd_entry *e)
{
    struct slice kind, rounds, salt;
    size_t n;

    if (!take_until(&line, ':', &e->user) || !e->user.n) {
        return "a line is USER:HASH";
    }
    if (!take_until(&line, '$', &kind) || kind.n || !take_until(&line, '$', &kind) || kind.n != 1
        || (kind.p[0] != '6' && kind.p[0] != '7')) {
        return "a hash begins with $7$ or $6$; mosquitto_passwd -U makes it from a password";
    }
    if (kind.p[0] == '7' && (!take_until(&line, '$', &rounds) || !parse_rounds(rounds, &e->rounds))) {
        return "after $7$ stands the number of rounds, at most 10000000";
    }
    if (!take_until(&line, '$', &salt) || !decode_base64(salt, e->salt, sizeof e->salt, &n)) {
        return "the salt is not base64 of at most 64 bytes";
    }
    e->salt_n = (uint8_t) n;
    if (!decode_base64(line, e->hash, sizeof e->hash, &n) || n != sizeof e->hash) {
        return "the hash is not base64 of 64 bytes";
    }
    return NULL;
}

static const char *
parse_line(struct mqtt_passwd *p, struct slice line)
{
    struct mqtt_passwd_entry e = { .rounds = 0 };
    const char *error;

    while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '
                      || line.p[line.n - 1] == '\t')) {
        line.n--;
    }
    if (!line.n || line.p[0] == '#') {
        return NULL;
    }
    error = parse_entry(line, &e);
    if (!error) {
        p->entries = mem_grow(p->entries, &p->allocated, p->n + 1, sizeof *p->entries);
        p->entries[p->n++] = e;
    }
    return error;
}

/* The line of the second entry of a user who has two; 0: there is none. */
static uint32_t
line_of_twin(const struct mqtt_passwd *p)
{
    const uint8_t *at = NULL;
    uint32_t line = 1;

    for (size_t i = 1; i < p->n; i++) {
        if (!compare_entries(&p->entries[i - 1], &p->entries[i])) {
            at = MP_MAX(p->entries[i - 1].user.p, p->entries[i].user.p);
        }
    }
    for (const uint8_t *q = p->text; at && q < at; q++) {
        line += *q == '\n';
    }
    return at ? line : 0;
}

struct mqtt_passwd *
mqtt_passwd_parse(struct slice text, struct mqtt_passwd_error *error)
{
    struct mqtt_passwd *p = mem_zalloc(sizeof *p);
    struct slice rest;

    p->text = mem_dup(text.p, text.n);
    *error = (struct mqtt_passwd_error) { 0, NULL };
    for (rest = (struct slice) { p->text, text.n }; rest.n && !error->what; error->line++) {
        struct slice line;

        if (!take_until(&rest, '\n', &line)) {
            line = rest;
            rest.n = 0;
        }
        error->what = parse_line(p, line);
    }
    if (!error->what && p->n) {
        qsort(p->entries, p->n, sizeof *p->entries, compare_entries);
        error->line = line_of_twin(p);
        error->what = error->line ? "that user stands in the file twice" : NULL;
    }
    if (error->what) {
        mqtt_passwd_destroy(p);
        return NULL;
    }
    p->decoy = p->n ? p->entries[0] : (struct mqtt_passwd_entry) { .rounds = DEFAULT_ROUNDS };
    p->decoy.user = (struct slice) { NULL, 0 };
    memset(p->decoy.hash, 0, sizeof p->decoy.hash);
    return p;
}

void
mqtt_passwd_destroy(struct mqtt_passwd *p)
{
    if (p) {
        mem_free(p->entries);
        mem_free(p->text);
        mem_free(p);
    }
}

const struct mqtt_passwd_entry *
mqtt_passwd_find(const struct mqtt_passwd *p, struct slice user)
{
    size_t low = 0, high = p->n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_names(p->entries[middle].user, user);

        if (!order) {
            return &p->entries[middle];
        } else if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

size_t
mqtt_passwd_n(const struct mqtt_passwd *p)
{
    return p->n;
}

const struct mqtt_passwd_entry *
mqtt_passwd_decoy(const struct mqtt_passwd *p)
{
    return &p->decoy;
}
