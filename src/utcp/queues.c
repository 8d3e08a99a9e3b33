/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The three queues through which the endpoint is drained: events, replies that belong to no
 * connection, and connections that may have something to send. */
#include "utcp/utcp.h"

#include <string.h>

#include "utcp/conn.h"

/* Makes room for one more element in a ring of '*size' elements, 'n' of them used from 'head'. */
static void *
ring_grow(void *ring, size_t *size, size_t *head, size_t n, size_t elem)
{
    size_t old = *size;

    if (n < old) {
        return ring;
    }
    ring = mem_grow(ring, size, n + 1, elem);
    /* What is before the head continues behind the old end; the new part is at least as large. */
    memcpy((char *) ring + old * elem, ring, *head * elem);
    return ring;
}

void
utcp_event(struct utcp *u, struct utcp_conn *c, const struct utcp_event *ev)
{
    u->events = ring_grow(u->events, &u->events_size, &u->event_head, u->n_events,
                          sizeof *u->events);

    struct utcp_event *e = &u->events[(u->event_head + u->n_events++) % u->events_size];

    *e = *ev;
    e->conn = utcp_conn_id(u, c);
}

bool
utcp_next_event(struct utcp *u, struct utcp_event *ev)
{
    if (!u->n_events) {
        return false;
    }
    *ev = u->events[u->event_head];
    u->event_head = (u->event_head + 1) % u->events_size;
    u->n_events--;

    const struct utcp_conn *c = utcp_conn_get(u, ev->conn);

    mp_assert(c);                     /* Nothing is freed before its last event is fetched. */
    ev->user = c->user;
    if (ev->type == UTCP_EV_CLOSED) {
        u->dead = mem_grow(u->dead, &u->dead_size, u->n_dead + 1, sizeof *u->dead);
        u->dead[u->n_dead++] = c->idx;
    }
    return true;
}

/* Whether data has been received that the caller has not fetched. */
bool
utcp_has_unread(const struct utcp *u, const struct utcp_conn *c)
{
    utcp_id id = utcp_conn_id(u, c);

    for (size_t i = 0; i < u->n_events; i++) {
        const struct utcp_event *ev = &u->events[(u->event_head + i) % u->events_size];

        if (ev->conn == id && ev->type == UTCP_EV_DATA) {
            return true;
        }
    }
    return false;
}

void
utcp_ready(struct utcp *u, struct utcp_conn *c)
{
    if (c->flags & (CONN_READY | CONN_DEAD)) {
        return;
    }
    c->flags |= CONN_READY;
    c->ready_next = SLAB_NONE;
    c->ready_prev = u->ready_tail;
    if (u->ready_tail) {
        ((struct utcp_conn *) slab_at(&u->conns, u->ready_tail))->ready_next = c->idx;
    } else {
        u->ready_head = c->idx;
    }
    u->ready_tail = c->idx;
}

void
utcp_unready(struct utcp *u, struct utcp_conn *c)
{
    if (!(c->flags & CONN_READY)) {
        return;
    }
    c->flags &= ~CONN_READY;
    if (c->ready_next) {
        ((struct utcp_conn *) slab_at(&u->conns, c->ready_next))->ready_prev = c->ready_prev;
    } else {
        u->ready_tail = c->ready_prev;
    }
    if (c->ready_prev) {
        ((struct utcp_conn *) slab_at(&u->conns, c->ready_prev))->ready_next = c->ready_next;
    } else {
        u->ready_head = c->ready_next;
    }
}

/* A segment outside of any connection, to be filled in at once: everything but ports and addresses
 * is zero.  NULL when too many wait already: whoever floods us gets fewer answers. */
struct utcp_segment *
utcp_reply(struct utcp *u, const struct utcp_tuple *tuple, const struct utcp_path *path)
{
    if (u->n_replies >= UTCP_MAX_REPLIES) {
        u->stats.replies_dropped++;
        return NULL;
    }
    u->replies = ring_grow(u->replies, &u->replies_size, &u->reply_head, u->n_replies,
                           sizeof *u->replies);

    struct utcp_segment *s = &u->replies[(u->reply_head + u->n_replies++) % u->replies_size];

    *s = (struct utcp_segment) {
        .tuple = *tuple,
        .path = *path,
        .tcp.src_port = tuple->local_port,
        .tcp.dst_port = tuple->remote_port,
        .ttl = u->cfg.ttl,
        .tos = utcp_ds(u, path),
    };
    return s;
}

/* RFC 9293 3.10.7.1: the RST that answers 'seg'; none answers an RST. */
void
utcp_reply_rst(struct utcp *u, const struct utcp_tuple *tuple, const struct utcp_path *path,
               const struct wire_tcp *seg)
{
    struct utcp_segment *s = seg->flags & TCP_RST ? NULL : utcp_reply(u, tuple, path);

    if (!s) {
        return;
    }
    if (seg->flags & TCP_ACK) {
        s->tcp.flags = TCP_RST;
        s->tcp.seq = seg->ack;
    } else {
        s->tcp.flags = TCP_RST | TCP_ACK;
        s->tcp.ack = seg->seq + wire_tcp_seg_len(seg);
    }
}

/* The RST with which we end a connection ourselves (RFC 9293 3.10.5). */
void
utcp_conn_rst(struct utcp *u, struct utcp_conn *c)
{
    struct utcp_tuple tuple = utcp_ends_tuple(u, &c->ends);
    struct utcp_segment *s = utcp_reply(u, &tuple, &c->path);

    if (s) {
        s->tos = utcp_conn_ds(u, c);
        s->tcp.flags = TCP_RST | TCP_ACK;
        s->tcp.seq = c->snd_nxt;
        s->tcp.ack = c->rcv_nxt;
    }
}

bool
utcp_next_segment(struct utcp *u, usec_t now, struct utcp_segment *seg, uint8_t *buf, size_t size)
{
    utcp_begin(u, now);
    if (u->n_replies) {
        *seg = u->replies[u->reply_head];
        u->reply_head = (u->reply_head + 1) % u->replies_size;
        u->n_replies--;
        u->stats.segments_out++;
        u->stats.rst_out += !!(seg->tcp.flags & TCP_RST);
        return true;
    }
    /* Before all else: whose turn it is may owe an ACK, which then tells of it. */
    utcp_turns_grant(u);
    while (u->ready_head) {
        struct utcp_conn *c = slab_at(&u->conns, u->ready_head);

        slab_prefetch(&u->conns, c->ready_next);
        if (utcp_snd_next(u, c, seg, buf, size)) {
            u->stats.segments_out++;
            return true;
        }
        utcp_unready(u, c);
        utcp_turns_grant(u);
    }
    return false;
}

void
utcp_queues_free(struct utcp *u)
{
    while (u->n_delivered) {
        mbuf_unref(u->delivered[--u->n_delivered]);
    }
    mem_free(u->delivered);
    mem_free(u->events);
    mem_free(u->replies);
    mem_free(u->dead);
}
