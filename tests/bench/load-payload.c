/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What the load generator's messages say, after their stamps: random bytes, which nobody can
 * compress, or what sensors send, SenML in JSON (RFC 8428) with a name, a unit, a time and a random
 * value in each record.  Made before the run, so that sending costs a copy.  One thread. */
#include "bench/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL (1u << 20)
#define LEAST_BODIES 64u

static uint32_t
rnd(struct bodies *b)
{
    b->state ^= b->state << 13;       /* xorshift64 */
    b->state ^= b->state >> 7;
    b->state ^= b->state << 17;
    return (uint32_t) (b->state >> 32);
}

static void
fill_random(struct bodies *b)
{
    for (size_t i = 0; i < (size_t) b->n * b->size; i++) {
        b->bytes[i] = (uint8_t) rnd(b);
    }
}

/* Appends while there is room for all of it. */
static bool __attribute__((format(printf, 4, 5)))
put(char *body, size_t size, size_t *at, const char *format, ...)
{
    char text[128];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (*at + (size_t) n + 1 > size) {
        return false;                 /* The closing bracket must follow. */
    }
    memcpy(body + *at, text, (size_t) n);
    *at += (size_t) n;
    return true;
}

static void
write_senml(struct bodies *b, char *body)
{
    static const struct { const char *name, *unit; } quantities[] = {
        { "temperature", "Cel" }, { "humidity", "%RH" }, { "pressure", "Pa" },
        { "acceleration-x", "m/s2" }, { "acceleration-y", "m/s2" }, { "acceleration-z", "m/s2" },
        { "current-l1", "A" }, { "current-l2", "A" }, { "current-l3", "A" },
        { "flow", "m3/s" }, { "level", "m" }, { "speed", "m/s" },
    };
    uint32_t mac = rnd(b), time = rnd(b) % 1000000, i = rnd(b), age = rnd(b), value = rnd(b);
    size_t at = 0;

    memset(body, ' ', b->size);
    if (put(body, b->size, &at, "[{\"bn\":\"urn:dev:mac:0024be%06x:\",\"bt\":%u}", mac & 0xffffff,
            1700000000 + time)) {
        while (put(body, b->size, &at, ",{\"n\":\"%s\",\"u\":\"%s\",\"t\":-%u,\"v\":%u.%03u}",
                   quantities[i % 12].name, quantities[i % 12].unit, age % 1000, value / 1000 % 100,
                   value % 1000)) {
            i++;
            age = rnd(b);
            value = rnd(b);
        }
        body[at] = ']';
    }
}

void
load_make_bodies(struct load *l)
{
    struct bodies *b = &l->bodies;

    b->size = (uint32_t) l->size - (uint32_t) sizeof(struct stamp);
    b->n = POOL / (b->size + 1) > LEAST_BODIES ? POOL / (b->size + 1) : LEAST_BODIES;
    b->state = UINT64_C(0x9e3779b97f4a7c15);
    b->bytes = malloc((size_t) b->n * b->size + 1);
    if (!b->bytes) {
        load_die("memory");
    }
    if (!l->senml) {
        fill_random(b);
        return;
    }
    for (uint32_t i = 0; i < b->n; i++) {
        write_senml(b, (char *) b->bytes + (size_t) i * b->size);
    }
}

void
load_fill_body(struct load *l, uint8_t *body)
{
    struct bodies *b = &l->bodies;

    memcpy(body, b->bytes + (size_t) (b->next++ % b->n) * b->size, b->size);
}
