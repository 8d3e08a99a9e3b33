/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The control packets that the load generator sends.  One thread. */
#include "bench/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t
put_string(uint8_t *p, const char *s)
{
    size_t n = strlen(s);

    p[0] = (uint8_t) (n >> 8);
    p[1] = (uint8_t) n;
    memcpy(p + 2, s, n);
    return n + 2;
}

void
load_write_all(int fd, const void *data, size_t n)
{
    if (write(fd, data, n) != (ssize_t) n) {
        load_die("a small write");         /* Nothing is queued yet, so it fits. */
    }
}

void
load_send_connect(const struct load *l, const struct conn *c)
{
    uint8_t b[512], *p = b + 2;
    char id[64];

    snprintf(id, sizeof id, "load-%d-%c%d", (int) getpid(), "gps"[c->role], c->index);
    p += put_string(p, "MQTT");
    *p++ = 4;
    *p++ = (uint8_t) (2 | (l->user ? 0xc0 : 0));
    *p++ = 0;
    *p++ = 0;
    p += put_string(p, id);
    if (l->user) {
        p += put_string(p, l->user);
        p += put_string(p, l->password);
    }
    b[0] = 0x10;
    b[1] = (uint8_t) (p - b - 2);
    load_write_all(c->fd, b, (size_t) (p - b));
}

void
load_send_subscribe(const struct load *l, const struct conn *c)
{
    uint8_t b[64], *p = b + 2;
    char filter[32];

    snprintf(filter, sizeof filter, "load/%d", l->n_pubs == 1 ? 0 : c->index);
    *p++ = 0;
    *p++ = 1;
    p += put_string(p, l->n_subs == 1 && l->n_pubs > 1 ? "load/+" : filter);
    *p++ = (uint8_t) l->qos;
    b[0] = 0x82;
    b[1] = (uint8_t) (p - b - 2);
    load_write_all(c->fd, b, (size_t) (p - b));
}

void
load_build_message(const struct load *l, struct conn *c)
{
    char name[32];
    uint8_t topic[34], *p;
    size_t n_topic, n_id, left;

    snprintf(name, sizeof name, "load/%d", c->index);
    n_topic = put_string(topic, name);
    n_id = l->qos ? 2 : 0;
    left = n_topic + n_id + (size_t) l->size;
    c->message = p = malloc(left + 5);
    if (!p) {
        load_die("memory");
    }
    *p++ = (uint8_t) (0x30 | l->qos << 1);
    do {
        *p++ = (uint8_t) ((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        left >>= 7;
    } while (left);
    memcpy(p, topic, n_topic);
    p += n_topic + n_id;              /* load_send_message() writes the identifier. */
    c->message_size = (size_t) (p - c->message) + (size_t) l->size;
}
