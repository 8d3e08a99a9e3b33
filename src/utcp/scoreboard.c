/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The scoreboard: one entry per segment in flight, in sequence order, that says when it was sent
 * last and what is believed of it.
 *
 *     sent ----> SACKed ----> (acknowledged: popped)
 *      | ^
 *      v | sent again
 *     lost
 *
 * Here alone the sums n_sent, n_lost, n_sacked and pipe of struct utcp_ext change. */
#include "utcp/conn.h"

#include <string.h>

struct utcp_sent *
utcp_sent_at(const struct utcp *u, uint32_t idx)
{
    return idx ? slab_at(&u->sents, idx) : NULL;
}

static bool
is_in_pipe(const struct utcp_sent *s)
{
    return !(s->flags & (SENT_SACKED | SENT_LOST));
}

/* Records 'len' octets from snd_nxt on as sent now, and moves snd_nxt. */
void
utcp_sent_append(struct utcp *u, struct utcp_conn *c, uint32_t len, uint8_t flags)
{
    struct utcp_ext *e = utcp_ext_need(u, c);
    uint32_t idx = slab_alloc(&u->sents);

    mp_assert(idx);

    struct utcp_sent *s = utcp_sent_at(u, idx);

    *s = (struct utcp_sent) {
        .seq = c->snd_nxt, .len = len, .sent_us = u->now_us, .flags = flags, .n_tx = 1,
    };
    if (e->sent_tail) {
        utcp_sent_at(u, e->sent_tail)->next = idx;
    } else {
        e->sent_head = idx;
    }
    e->sent_tail = idx;
    e->n_sent++;
    e->pipe += len;
    c->snd_nxt += len;
}

/* 's' goes out once more. */
void
utcp_sent_again(struct utcp *u, struct utcp_conn *c, struct utcp_sent *s)
{
    struct utcp_ext *e = utcp_ext(u, c);

    if (s->flags & SENT_LOST) {
        s->flags &= (uint8_t) ~SENT_LOST;
        e->n_lost--;
        e->pipe += s->len;
    }
    s->sent_us = u->now_us;
    s->n_tx = (uint8_t) MP_MIN(s->n_tx + 1, UINT8_MAX);
    u->stats.retransmitted++;
    c->rexmits = (uint16_t) MP_MIN(c->rexmits + 1, UINT16_MAX);
}

/* Cuts an entry after 'len' octets. */
void
utcp_sent_split(struct utcp *u, struct utcp_ext *e, uint32_t idx, uint32_t len)
{
    uint32_t rest_idx = slab_alloc(&u->sents);

    mp_assert(rest_idx);

    struct utcp_sent *s = utcp_sent_at(u, idx), *rest = utcp_sent_at(u, rest_idx);

    *rest = *s;
    rest->seq += len;
    rest->len -= len;
    s->next = rest_idx;
    s->len = len;
    s->flags &= (uint8_t) ~SENT_FIN;
    if (e->sent_tail == idx) {
        e->sent_tail = rest_idx;
    }
    e->n_sent++;
    e->n_lost += !!(s->flags & SENT_LOST);
    e->n_sacked += !!(s->flags & SENT_SACKED);
}

/* Joins to a lost entry the lost ones behind it, while together they have at most 'max' octets:
 * what was sent as many small segments is sent again as few. */
void
utcp_sent_absorb(struct utcp *u, struct utcp_ext *e, uint32_t idx, uint32_t max)
{
    struct utcp_sent *s = utcp_sent_at(u, idx);

    for (;;) {
        uint32_t next_idx = s->next;
        struct utcp_sent *next = utcp_sent_at(u, next_idx);

        if (!next || !(next->flags & SENT_LOST) || s->len + next->len > max) {
            return;
        }
        s->len += next->len;
        s->n_tx = MP_MAX(s->n_tx, next->n_tx);
        s->flags |= next->flags & SENT_FIN;
        s->next = next->next;
        if (e->sent_tail == next_idx) {
            e->sent_tail = idx;
        }
        e->n_sent--;
        e->n_lost--;
        slab_free(&u->sents, next_idx);
    }
}

void
utcp_sent_lose(struct utcp_ext *e, struct utcp_sent *s)
{
    if (is_in_pipe(s)) {
        s->flags |= SENT_LOST;
        e->n_lost++;
        e->pipe -= s->len;
    }
}

void
utcp_sent_sack(struct utcp_ext *e, struct utcp_sent *s)
{
    if (s->flags & SENT_LOST) {
        s->flags &= (uint8_t) ~SENT_LOST;
        e->n_lost--;
    } else if (is_in_pipe(s)) {
        e->pipe -= s->len;
    }
    if (!(s->flags & SENT_SACKED)) {
        s->flags |= SENT_SACKED;
        e->n_sacked++;
    }
}

/* The receiver has it no longer, or never had. */
void
utcp_sent_unsack(struct utcp_ext *e, struct utcp_sent *s)
{
    if (s->flags & SENT_SACKED) {
        s->flags &= (uint8_t) ~SENT_SACKED;
        e->n_sacked--;
        e->pipe += s->len;
    }
}

/* Drops the first 'n' octets of the first entry, which is longer than that. */
void
utcp_sent_trim(struct utcp *u, struct utcp_ext *e, uint32_t n)
{
    struct utcp_sent *s = utcp_sent_at(u, e->sent_head);

    s->seq += n;
    s->len -= n;
    e->pipe -= is_in_pipe(s) ? n : 0;
}

/* Drops the first entry. */
void
utcp_sent_pop(struct utcp *u, struct utcp_ext *e)
{
    uint32_t idx = e->sent_head;
    struct utcp_sent *s = utcp_sent_at(u, idx);

    e->n_lost -= !!(s->flags & SENT_LOST);
    e->n_sacked -= !!(s->flags & SENT_SACKED);
    e->pipe -= is_in_pipe(s) ? s->len : 0;
    e->n_sent--;
    e->sent_head = s->next;
    if (!e->sent_head) {
        e->sent_tail = SLAB_NONE;
    }
    slab_free(&u->sents, idx);
}

void
utcp_sent_clear(struct utcp *u, struct utcp_ext *e)
{
    while (e->sent_head) {
        utcp_sent_pop(u, e);
    }
}

uint32_t
utcp_sent_first_lost(const struct utcp *u, const struct utcp_ext *e)
{
    uint32_t idx = e->n_lost ? e->sent_head : SLAB_NONE;

    while (idx && !(utcp_sent_at(u, idx)->flags & SENT_LOST)) {
        idx = utcp_sent_at(u, idx)->next;
    }
    return idx;
}
