/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "peer/recvstream.h"

#include <string.h>

#include "base/mem.h"
#include "peer/sendstream.h"
#include "wire/mqtt_framer.h"

/* After so many DATA an ACK leaves at the end of the turn, after fewer when this time has passed: one
 * that is alone is mostly followed by others, and nobody waits for its ACK. */
#define ACK_EVERY 32
#define ACK_DELAY_US (10 * CLOCK_MSEC)

/* So long a datagram of an epoch before the present one may have been on its way; after that, one is
 * of an epoch that is new. */
#define STALE_US (10 * CLOCK_SEC)

struct early {
    struct mbuf *body;                /* NULL: has not come. */
    uint16_t start;
};

struct recvstream {
    bool is_known;                    /* There is an epoch... */
    uint32_t epoch;
    uint32_t previous;                /* The one before, of which something... */
    usec_t previous_until;            /* ...may still be on its way. */
    uint32_t next, end;
    bool is_aligned;                  /* 'partial' goes on where the next body begins. */
    uint32_t n_early;
    struct early early[STREAM_MAX_OUT];       /* By the low bits of the number, from 'next' on. */
    struct mbuf *current;             /* The body at work, or NULL... */
    uint32_t current_at;              /* ...up to here. */
    struct mbuf *lent;                /* What the last bytes that were given out are in. */
    uint8_t *partial;                 /* Beginning of a control packet. */
    size_t n_partial, allocated_partial;
    uint32_t max_packet, n_too_large;
    uint32_t n_unanswered;
    usec_t ack_at;
};

struct recvstream *
recvstream_create(uint32_t max_packet)
{
    struct recvstream *r = mem_zalloc(sizeof *r);

    r->max_packet = max_packet;
    r->ack_at = CLOCK_NEVER;
    return r;
}

static struct early *
early_at(struct recvstream *r, uint32_t seq)
{
    return &r->early[seq % STREAM_MAX_OUT];
}

static const struct early *
look_at(const struct recvstream *r, uint32_t seq)
{
    return &r->early[seq % STREAM_MAX_OUT];
}

/* 'end' is the first that is missing. */
static void
move_end(struct recvstream *r)
{
    while (r->end - r->next < STREAM_MAX_OUT && look_at(r, r->end)->body) {
        r->end++;
    }
}

static void
forget_early(struct recvstream *r)
{
    for (uint32_t i = 0; r->n_early && i < STREAM_MAX_OUT; i++) {
        if (r->early[i].body) {
            mbuf_unref(r->early[i].body);
            r->early[i].body = NULL;
            r->n_early--;
        }
    }
}

static void
forget_partial(struct recvstream *r)
{
    mem_free(r->partial);
    r->partial = NULL;
    r->n_partial = r->allocated_partial = 0;
}

/* What follows is the middle of something, up to where the next body says. */
static void
skip(struct recvstream *r)
{
    forget_partial(r);
    r->is_aligned = false;
    if (r->current) {
        r->current_at = r->current->size;
    }
}

void
recvstream_destroy(struct recvstream *r)
{
    if (r) {
        forget_early(r);
        mbuf_unref(r->current);
        mbuf_unref(r->lent);
        forget_partial(r);
        mem_free(r);
    }
}

static void
begin_epoch(struct recvstream *r, const struct peer_pdu *pdu, usec_t now)
{
    r->previous = r->epoch;
    r->previous_until = r->is_known ? now + STALE_US : now;
    r->is_known = true;
    r->epoch = pdu->epoch;
    r->next = r->end = pdu->base;
    forget_early(r);
    skip(r);
}

/* The sender will not send what is before 'base' again, of which something is missing; all that is
 * in order was read.  Returns how many of them never came. */
static uint32_t
skip_to(struct recvstream *r, uint32_t base)
{
    uint32_t n_skipped = 0;

    if (base - r->next >= STREAM_MAX_OUT) {
        n_skipped = base - r->next - r->n_early;
        forget_early(r);
        r->next = base;
    }
    for (; r->next != base; r->next++) {
        struct early *e = early_at(r, r->next);

        if (e->body) {
            mbuf_unref(e->body);
            e->body = NULL;
            r->n_early--;
        } else {
            n_skipped++;
        }
    }
    r->end = r->next;
    move_end(r);
    skip(r);
    return n_skipped;
}

/* Whether something has come of which something before it has not. */
static bool
has_gap(const struct recvstream *r)
{
    return r->n_early > r->end - r->next;
}

static void
owe_ack(struct recvstream *r, bool at_once, usec_t now)
{
    r->n_unanswered++;
    if (at_once || r->n_unanswered >= ACK_EVERY) {
        r->ack_at = now;
    } else if (r->ack_at == CLOCK_NEVER) {
        r->ack_at = now + ACK_DELAY_US;
    }
}

struct recvstream_result
recvstream_input(struct recvstream *r, const struct peer_pdu *pdu, usec_t now)
{
    struct recvstream_result result = { .verdict = RECVSTREAM_EARLY };
    bool is_new_epoch = !r->is_known || pdu->epoch != r->epoch;
    bool gave_up = !is_new_epoch && pdu->base - r->end - 1 < UINT32_MAX / 2;
    uint32_t ahead;

    if (now < r->previous_until && pdu->epoch == r->previous) {
        result.verdict = RECVSTREAM_STALE;
        return result;
    }
    if ((is_new_epoch || gave_up) && recvstream_has_bytes(r)) {
        result.verdict = RECVSTREAM_BUSY;
        return result;
    }
    if (is_new_epoch) {
        begin_epoch(r, pdu, now);
    } else if (gave_up) {
        result.n_skipped = skip_to(r, pdu->base);
    }
    ahead = pdu->seq - r->next;
    if (ahead >= UINT32_MAX / 2 || (ahead < STREAM_MAX_OUT && early_at(r, pdu->seq)->body)) {
        result.verdict = RECVSTREAM_DUPLICATE;
    } else if (ahead >= STREAM_MAX_OUT) {
        result.verdict = RECVSTREAM_TOO_EARLY;
    } else {
        *early_at(r, pdu->seq) = (struct early) { mbuf_copy(pdu->body.p, pdu->body.n), pdu->start };
        r->n_early++;
        result.verdict = pdu->seq == r->end ? RECVSTREAM_NEW : RECVSTREAM_EARLY;
        move_end(r);
    }
    /* What is out of order, or came twice, tells of a loss. */
    owe_ack(r, pdu->wants_ack || result.verdict != RECVSTREAM_NEW || has_gap(r), now);
    return result;
}

/* How long the control packet is that 'partial' begins; 0: not known yet; SIZE_MAX: it is none. */
static size_t
partial_size(const struct recvstream *r)
{
    struct wire_mqtt_frame frame;

    switch (wire_mqtt_fixed_header((struct slice) { r->partial, (uint32_t) r->n_partial }, &frame)) {
    case WIRE_MQTT_DONE:
        return (size_t) frame.header_size + frame.remaining;
    case WIRE_MQTT_MORE:
        return 0;
    default:
        return SIZE_MAX;
    }
}

static size_t
n_left(const struct recvstream *r)
{
    return r->current ? r->current->size - r->current_at : 0;
}

/* Moves up to 'n' bytes of the current body to 'partial'. */
static void
move_to_partial(struct recvstream *r, size_t n)
{
    n = MP_MIN(n, n_left(r));
    if (!n) {
        return;
    }
    r->partial = mem_grow(r->partial, &r->allocated_partial, r->n_partial + n, 1);
    memcpy(r->partial + r->n_partial, r->current->data + r->current_at, n);
    r->n_partial += n;
    r->current_at += (uint32_t) n;
}

/* Takes what 'partial' lacks from the current body.  False: it is still not whole, or is none. */
static bool
complete_partial(struct recvstream *r)
{
    while (r->n_partial && n_left(r)) {
        size_t size = partial_size(r);

        if (size > r->max_packet) {
            r->n_too_large++;
            skip(r);
        } else {
            move_to_partial(r, size ? size - r->n_partial : 1);
            if (size && r->n_partial == size) {
                return true;
            }
        }
    }
    return false;
}

/* The next body in order becomes the current one. */
static bool
next_body(struct recvstream *r)
{
    struct early *e = early_at(r, r->next);

    mbuf_unref(r->current);
    r->current = e->body;
    r->current_at = 0;
    if (!e->body) {
        return false;
    }
    e->body = NULL;
    r->n_early--;
    r->next++;
    if (!r->is_aligned) {
        r->current_at = MP_MIN(e->start, r->current->size);
        r->is_aligned = r->current_at < r->current->size;
    }
    return true;
}

static void
lend(struct recvstream *r, struct mbuf *m)
{
    mbuf_unref(r->lent);
    r->lent = m;
}

bool
recvstream_next_bytes(struct recvstream *r, struct slice *bytes, struct mbuf **hold)
{
    do {
        if (complete_partial(r)) {
            lend(r, mbuf_copy(r->partial, r->n_partial));
            forget_partial(r);
            *bytes = (struct slice) { r->lent->data, r->lent->size };
            *hold = r->lent;
            return true;
        }
        if (n_left(r)) {
            lend(r, mbuf_ref(r->current));
            *bytes = (struct slice) { r->lent->data + r->current_at, (uint32_t) n_left(r) };
            *hold = r->lent;
            return true;
        }
    } while (next_body(r));
    lend(r, NULL);
    return false;
}

void
recvstream_take(struct recvstream *r, uint32_t n)
{
    if (r->lent == r->current) {      /* Else a control packet from several bodies, taken whole. */
        r->current_at += n;
    }
}

void
recvstream_put_aside(struct recvstream *r)
{
    if (r->lent == r->current) {
        move_to_partial(r, n_left(r));
    }
}

bool
recvstream_has_bytes(const struct recvstream *r)
{
    return n_left(r) || r->next != r->end;
}

uint32_t
recvstream_n_too_large(struct recvstream *r)
{
    uint32_t n = r->n_too_large;

    r->n_too_large = 0;
    return n;
}

usec_t
recvstream_ack_at(const struct recvstream *r)
{
    return r->ack_at;
}

struct mbuf *
recvstream_build_ack(struct recvstream *r, uint16_t abilities)
{
    struct mbuf *m = mbuf_create(PEER_PDU_ACK_SIZE);
    struct peer_pdu pdu = {
        .type = PEER_PDU_ACK, .abilities = abilities, .epoch = r->epoch, .seq = r->end,
    };

    for (uint32_t i = 0; has_gap(r) && i < PEER_PDU_TAKEN
                         && r->end + 1 + i - r->next < STREAM_MAX_OUT; i++) {
        if (look_at(r, r->end + 1 + i)->body) {
            peer_pdu_set_taken(&pdu, i);
        }
    }
    peer_pdu_write(&pdu, m->data);
    r->n_unanswered = 0;
    r->ack_at = CLOCK_NEVER;
    return m;
}
