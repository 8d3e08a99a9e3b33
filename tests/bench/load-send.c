/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What the load generator writes once it runs: messages, each a write() of its own, and the
 * acknowledgements of QoS 1 and 2, all that one read() called for together.  A socket that takes
 * only part of a message gets the rest before anything else.  One thread. */
#include "bench/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void
want_out(const struct load *l, struct conn *c, bool out)
{
    struct epoll_event ev = { .events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c };

    if (c->waits_out != out) {
        c->waits_out = out;
        epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &ev);
    }
}

static size_t
write_some(const struct conn *c, const uint8_t *data, size_t n)
{
    ssize_t done = n ? write(c->fd, data, n) : 0;

    if (done < 0 && errno != EAGAIN) {
        load_die(c->role == SUBSCRIBER ? "subscriber" : "publisher");
    }
    return done > 0 ? (size_t) done : 0;
}

bool
load_flush(const struct load *l, struct conn *c)
{
    c->n_left -= write_some(c, c->message + c->message_size - c->n_left, c->n_left);
    if (!c->n_left && c->n_owed) {
        size_t done = write_some(c, c->owed, c->n_owed);

        c->n_owed -= done;
        memmove(c->owed, c->owed + done, c->n_owed);
    }
    want_out(l, c, c->n_left || c->n_owed);
    return !c->waits_out;
}

bool
load_send_message(struct load *l, struct conn *c)
{
    struct stamp stamp = {
        .sent_ns = load_now_ns(), .seq = c->n_sent++, .publisher = (uint32_t) c->index,
        .measured = !l->priming,
    };
    uint8_t *payload = c->message + c->message_size - l->size;

    memcpy(payload, &stamp, sizeof stamp);
    load_fill_body(l, payload + sizeof stamp);
    if (l->qos) {
        unsigned int id = (unsigned int) (c->n_ids++ % 65535) + 1;

        payload[-2] = (uint8_t) (id >> 8);
        payload[-1] = (uint8_t) id;
    }
    c->n_left = c->message_size;
    return load_flush(l, c);
}

void
load_owe_ack(struct conn *c, uint8_t first, const uint8_t *id)
{
    const uint8_t ack[] = { first, 2, id[0], id[1] };

    if (c->n_owed + sizeof ack > OWED_SIZE) {
        fprintf(stderr, "mqtt-load: the broker does not read acknowledgements\n");
        exit(EXIT_FAILURE);
    }
    memcpy(c->owed + c->n_owed, ack, sizeof ack);
    c->n_owed += sizeof ack;
}
