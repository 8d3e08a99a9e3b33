/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A byte queue made of references.  An entry either refers to an mbuf or carries its bytes itself:
 * a copied piece needs one allocation, and the next small piece is appended in its room.  A chain
 * is peeked at rising offsets (a sender's snd_nxt), so the head entry remembers which entry the
 * last peek ended in; without that a long queue would cost the square of its length. */
#include "base/chain.h"

#include <string.h>

#include "base/mem.h"

struct chain_entry {
    struct chain_entry *next;
    struct mbuf *mbuf;                /* NULL: the bytes are in data[]. */
    struct chain_entry *hint;         /* In the head only: entry where a peek may start... */
    uint32_t hint_off;                /* ...and that entry's offset from the chain's front. */
    uint32_t off, len;                /* Live bytes in mbuf->data or in data[]. */
    uint32_t room;                    /* Size of data[]. */
    uint8_t data[];
};

/* Below this, copying costs less than another entry and the later walk over it. */
#define COPY_MAX 128

/* Room of a copying entry: as much as is queued already, so that a single small piece costs little
 * and a long run of small pieces few entries. */
#define ROOM_MIN 48
#define ROOM_MAX 4096

static const uint8_t *
entry_bytes(const struct chain_entry *e)
{
    return (e->mbuf ? e->mbuf->data : e->data) + e->off;
}

static void
free_entry(struct chain_entry *e)
{
    mbuf_unref(e->mbuf);
    mem_free(e);
}

void
chain_uninit(struct chain *c)
{
    while (c->head) {
        struct chain_entry *next = c->head->next;

        free_entry(c->head);
        c->head = next;
    }
    memset(c, 0, sizeof *c);
}

static struct chain_entry *
append(struct chain *c, uint32_t room)
{
    struct chain_entry *e = mem_alloc(sizeof *e + room);

    memset(e, 0, sizeof *e);
    e->room = room;
    if (c->tail) {
        c->tail->next = e;
    } else {
        c->head = e;
    }
    c->tail = e;
    c->n++;
    return e;
}

void
chain_put_copy(struct chain *c, const void *src_, size_t n)
{
    const uint8_t *src = src_;
    struct chain_entry *tail = c->tail;

    mp_assert(n <= UINT32_MAX - c->size);
    if (tail && !tail->mbuf && n) {
        size_t room = tail->room - tail->off - tail->len;
        size_t part = MP_MIN(room, n);

        memcpy(tail->data + tail->off + tail->len, src, part);
        tail->len += (uint32_t) part;
        c->size += (uint32_t) part;
        src += part;
        n -= part;
    }
    if (n) {
        size_t room = MP_MIN(MP_MAX(c->size, ROOM_MIN), ROOM_MAX);

        tail = append(c, (uint32_t) MP_MAX(room, n));
        memcpy(tail->data, src, n);
        tail->len = (uint32_t) n;
        c->size += (uint32_t) n;
    }
}

void
chain_put_mbuf(struct chain *c, struct mbuf *m, uint32_t off, uint32_t len)
{
    mp_assert(off <= m->size && len <= m->size - off && len <= UINT32_MAX - c->size);
    if (len <= COPY_MAX) {
        chain_put_copy(c, m->data + off, len);
        return;
    }

    struct chain_entry *e = append(c, 0);

    e->mbuf = mbuf_ref(m);
    e->off = off;
    e->len = len;
    c->size += len;
}

void
chain_drop(struct chain *c, uint32_t n)
{
    struct chain_entry *hint = NULL;
    uint32_t hint_off = 0;

    mp_assert(n <= c->size);
    if (!n) {
        return;
    }
    if (c->head->hint && c->head->hint_off >= n) {
        hint = c->head->hint;
        hint_off = c->head->hint_off - n;
    }
    c->head->hint = NULL;
    c->size -= n;
    while (n) {
        struct chain_entry *e = c->head;

        if (n < e->len) {
            e->off += n;
            e->len -= n;
            break;
        }
        n -= e->len;
        c->head = e->next;
        c->n--;
        free_entry(e);
    }
    if (c->head) {
        c->head->hint = hint;
        c->head->hint_off = hint_off;
    } else {
        c->tail = NULL;
    }
}

struct chain_piece
chain_piece(const struct chain *c, uint32_t off, uint32_t n)
{
    struct chain_entry *e = c->head;
    struct chain_piece piece = { .whole = NULL };
    uint32_t at = 0;

    mp_assert(n && off <= c->size && n <= c->size - off);
    if (e->hint && e->hint_off <= off) {
        at = e->hint_off;
        e = e->hint;
    }
    while (off - at >= e->len) {
        at += e->len;
        e = e->next;
    }
    piece.p = entry_bytes(e) + (off - at);
    piece.n = MP_MIN(e->len - (off - at), n);
    if (e->mbuf && piece.n == e->mbuf->size) {
        piece.whole = e->mbuf;
    }
    /* The front entry would be a useless hint, and chain_drop() relies on a hint that starts
     * beyond what it drops. */
    c->head->hint = e == c->head ? NULL : e;
    c->head->hint_off = at;
    return piece;
}

void
chain_peek(const struct chain *c, uint32_t off, void *dst_, uint32_t n)
{
    uint8_t *dst = dst_;

    mp_assert(off <= c->size && n <= c->size - off);
    while (n) {
        struct chain_piece piece = chain_piece(c, off, n);

        memcpy(dst, piece.p, piece.n);
        dst += piece.n;
        off += piece.n;
        n -= piece.n;
    }
}

void
chain_prefetch(const struct chain *c)
{
    __builtin_prefetch(c->head, 1);
}

size_t
chain_memory(const struct chain *c)
{
    size_t sum = 0;

    for (const struct chain_entry *e = c->head; e; e = e->next) {
        sum += sizeof *e + e->room;
        if (e->mbuf) {
            sum += (sizeof *e->mbuf + e->mbuf->size) / e->mbuf->n_refs;
        }
    }
    return sum;
}
