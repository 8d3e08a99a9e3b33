/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "peer/sendstream.h"

#include <string.h>

#include "base/mem.h"

/* What a datagram takes in a socket's memory beyond its body: headers, the kernel's bookkeeping. */
#define OVERHEAD 832u
#define PAGE 4096u                    /* From one on a large datagram takes whole ones. */
#define FULL_COST 2304u

#define WINDOW_MIN (4 * FULL_COST)
#define WINDOW_INITIAL (10 * FULL_COST)       /* As RFC 6928. */
/* A packet socket holds 92.  But a datagram spends most of its way in a queue of an OpenFlow
 * connection, or being answered (measured: none is lost with this; with 160 some are).  Not so large
 * ones, of which a switch sends all that there may be before it looks at what it has received. */
#define WINDOW_MAX (120 * FULL_COST)
#define WINDOW_MAX_LARGE (80 * FULL_COST)

#define DUPLICATES 3                  /* So many later ones taken, and one is deemed lost... */
#define REORDER_MIN_US (3 * CLOCK_MSEC)       /* ...or one sent so much later: as RFC 8985. */

/* The peer answers within 10 ms, recvstream.c. */
#define RTO_SLACK_US (15 * CLOCK_MSEC)
#define RTO_MIN_US (30 * CLOCK_MSEC)
#define RTO_INITIAL_US (250 * CLOCK_MSEC)
#define RTO_MAX_US (2 * CLOCK_SEC)
#define MAX_BACKOFF 6
#define STUCK_TIMEOUTS 2

struct sent {
    struct mbuf *datagram;
    usec_t at;                        /* Last transmission. */
    uint32_t cost;
    uint16_t start;
    uint8_t n_tx;                     /* Saturates. */
    bool taken, lost;                 /* Else it is under way. */
};

struct sendstream {
    uint32_t epoch;
    uint32_t una, nxt;
    uint32_t out;                     /* Cost of all under way. */
    uint32_t window, threshold;
    uint32_t recover;                 /* The window is reduced once until this is done with... */
    bool is_recovering;               /* ...if at all. */
    bool is_limited;                  /* The window kept something back since the last ACK. */
    uint32_t largest;                 /* Body, as far as was said. */
    uint32_t asked;                   /* The number after the last that asks for an ACK... */
    uint32_t unasked;                 /* ...and the cost of those since. */
    uint32_t n_lost;
    usec_t srtt_us, rttvar_us;        /* 0: no sample yet. */
    uint32_t backoff;
    usec_t rto_at;
    usec_t latest_taken_at;           /* When what was taken was sent, at the latest. */
    usec_t silent_since;
    uint64_t n_sent_again;
    struct sent sent[STREAM_MAX_OUT]; /* By the low bits of the number. */
};

static struct sent *
sent_at(struct sendstream *s, uint32_t seq)
{
    return &s->sent[seq % STREAM_MAX_OUT];
}

static const struct sent *
look_at(const struct sendstream *s, uint32_t seq)
{
    return &s->sent[seq % STREAM_MAX_OUT];
}

struct sendstream *
sendstream_create(uint32_t epoch)
{
    struct sendstream *s = mem_zalloc(sizeof *s);

    s->epoch = epoch;
    s->largest = FULL_COST - OVERHEAD;
    s->window = WINDOW_INITIAL;
    s->threshold = WINDOW_MAX;
    s->rto_at = s->silent_since = CLOCK_NEVER;
    return s;
}

void
sendstream_destroy(struct sendstream *s)
{
    if (s) {
        sendstream_abandon(s);
        mem_free(s);
    }
}

void
sendstream_set_largest(struct sendstream *s, uint32_t size)
{
    s->largest = size;
}

static bool
is_large(uint32_t size)
{
    return size + OVERHEAD > PAGE;
}

static uint32_t
cost_of(uint32_t size)
{
    return (is_large(size) ? (size + PAGE - 1) / PAGE * PAGE : size) + OVERHEAD;
}

static bool
has_room(const struct sendstream *s, uint32_t cost)
{
    return !s->out || s->out + cost <= s->window;
}

bool
sendstream_may_send(const struct sendstream *s, uint32_t size)
{
    return s->nxt - s->una < STREAM_MAX_OUT && !s->n_lost && has_room(s, cost_of(size));
}

static usec_t
rto(const struct sendstream *s)
{
    usec_t us = s->srtt_us ? s->srtt_us + MP_MAX(4 * s->rttvar_us, RTO_SLACK_US) : RTO_INITIAL_US;

    return MP_MIN(MP_MAX(us, RTO_MIN_US) << s->backoff, RTO_MAX_US);
}

/* It leaves now. */
static void
mark_sent(struct sendstream *s, struct sent *e, usec_t now)
{
    e->at = now;
    e->n_tx += e->n_tx < UINT8_MAX;
    s->out += e->cost;
    if (s->rto_at == CLOCK_NEVER) {
        s->rto_at = now + rto(s);
    }
    if (s->silent_since == CLOCK_NEVER) {
        s->silent_since = now;
    }
}

static void
write_header(const struct sendstream *s, struct mbuf *datagram, uint32_t seq, bool wants_ack,
             uint16_t start)
{
    struct peer_pdu pdu = {
        .type = PEER_PDU_DATA, .wants_ack = wants_ack, .start = start, .epoch = s->epoch,
        .seq = seq, .base = s->una,
    };

    peer_pdu_write(&pdu, datagram->data);
}

/* Whether the one that leaves now asks for an ACK at once.  An ACK costs the switches as much as a
 * datagram: one for every few, and the path would be half as fast.  When half of the window is gone
 * there is one for each quarter: so the next part of it opens before this is used up. */
static bool
asks(const struct sendstream *s, bool is_last)
{
    bool is_asked = s->asked - s->una - 1 < UINT32_MAX / 2;
    bool is_quarter = s->unasked >= s->window / 4;

    return is_last ? !is_asked || is_quarter : s->out >= s->window / 2 && is_quarter;
}

void
sendstream_send(struct sendstream *s, struct mbuf *datagram, const struct peer_pdu *pdu, usec_t now)
{
    uint32_t seq = s->nxt++;
    struct sent *e = sent_at(s, seq);

    *e = (struct sent) {
        .datagram = mbuf_ref(datagram),
        .cost = cost_of(datagram->size - PEER_PDU_DATA_SIZE),
        .start = pdu->start,
    };
    mark_sent(s, e, now);
    s->unasked += e->cost;

    bool is_last = !sendstream_may_send(s, s->largest);
    bool wants_ack = pdu->wants_ack || asks(s, is_last);

    if (wants_ack) {
        s->asked = s->nxt;
        s->unasked = 0;
    }
    s->is_limited |= is_last;
    write_header(s, datagram, seq, wants_ack, pdu->start);
}

/* There is one. */
static uint32_t
first_lost(const struct sendstream *s)
{
    uint32_t seq = s->una;

    while (!look_at(s, seq)->lost) {
        seq++;
    }
    return seq;
}

bool
sendstream_has_lost(const struct sendstream *s)
{
    return s->n_lost && has_room(s, look_at(s, first_lost(s))->cost);
}

struct mbuf *
sendstream_send_again(struct sendstream *s, usec_t now)
{
    if (!sendstream_has_lost(s)) {
        return NULL;
    }

    uint32_t seq = first_lost(s);
    struct sent *e = sent_at(s, seq);
    /* What is out there may still be read: the header changes in a copy. */
    struct mbuf *copy = mbuf_copy(e->datagram->data, e->datagram->size);

    e->lost = false;
    s->n_lost--;
    s->n_sent_again++;
    mark_sent(s, e, now);
    write_header(s, copy, seq, !sendstream_has_lost(s), e->start);
    return copy;
}

static void
lose(struct sendstream *s, struct sent *e)
{
    e->lost = true;
    s->n_lost++;
    s->out -= e->cost;
}

/* One is not under way any more: it has been taken, or is given up. */
static void
settle(struct sendstream *s, struct sent *e)
{
    if (e->lost) {
        e->lost = false;
        s->n_lost--;
    } else if (!e->taken) {
        s->out -= e->cost;
    }
}

static void
sample_rtt(struct sendstream *s, usec_t rtt_us)
{
    if (!s->srtt_us) {
        s->srtt_us = MP_MAX(rtt_us, 1);
        s->rttvar_us = rtt_us / 2;
    } else {
        usec_t diff = rtt_us > s->srtt_us ? rtt_us - s->srtt_us : s->srtt_us - rtt_us;

        s->rttvar_us += (diff - s->rttvar_us) / 4;
        s->srtt_us = MP_MAX(s->srtt_us + (rtt_us - s->srtt_us) / 8, 1);
    }
}

/* The peer has 'e'.  Returns its cost if that is news, else 0. */
static uint32_t
take(struct sendstream *s, struct sent *e, usec_t now)
{
    if (e->taken) {
        return 0;
    }
    settle(s, e);
    e->taken = true;
    s->latest_taken_at = MP_MAX(s->latest_taken_at, e->at);
    if (e->n_tx == 1) {               /* Karn: else nobody knows which of them is answered. */
        sample_rtt(s, now - e->at);
    }
    return e->cost;
}

static void
drop_first(struct sendstream *s)
{
    struct sent *e = sent_at(s, s->una++);

    mbuf_unref(e->datagram);
    *e = (struct sent) { .datagram = NULL };
}

/* Two of the largest at least: what follows a lost one shows the loss. */
static uint32_t
min_window(const struct sendstream *s)
{
    return MP_MAX(WINDOW_MIN, 2 * cost_of(s->largest));
}

static void
reduce(struct sendstream *s)
{
    if (!s->is_recovering) {
        s->is_recovering = true;
        s->recover = s->nxt;
        s->threshold = s->window = MP_MAX(s->window / 2, min_window(s));
    }
}

/* Some later ones were taken: which of the earlier are lost? */
static void
detect_losses(struct sendstream *s)
{
    usec_t reorder_us = MP_MAX(s->srtt_us / 4, REORDER_MIN_US);
    uint32_t n_taken = 0, n_found = 0;

    for (uint32_t seq = s->nxt; seq != s->una; ) {
        struct sent *e = sent_at(s, --seq);

        if (e->taken) {
            n_taken++;
        } else if (!e->lost && n_taken
                   && ((n_taken >= DUPLICATES && e->n_tx == 1)
                       || e->at + reorder_us < s->latest_taken_at)) {
            lose(s, e);
            n_found++;
        }
    }
    if (n_found) {
        reduce(s);
    }
}

static void
grow(struct sendstream *s, uint32_t cost)
{
    if (!s->is_limited || s->is_recovering) {
        return;
    }
    if (s->window < s->threshold) {
        s->window += cost;
    } else {
        s->window += MP_MAX((uint32_t) ((uint64_t) FULL_COST * cost / s->window), 1u);
    }
    s->window = MP_MIN(s->window, is_large(s->largest) ? WINDOW_MAX_LARGE : WINDOW_MAX);
}

static uint32_t
take_all(struct sendstream *s, const struct peer_pdu *ack, usec_t now)
{
    uint32_t cost = 0;

    while (s->una != ack->seq) {
        cost += take(s, sent_at(s, s->una), now);
        drop_first(s);
    }
    for (uint32_t i = 0; i < PEER_PDU_TAKEN && s->una + 1 + i - s->nxt >= UINT32_MAX / 2; i++) {
        if (peer_pdu_is_taken(ack, i)) {
            cost += take(s, sent_at(s, s->una + 1 + i), now);
        }
    }
    return cost;
}

enum sendstream_ack_verdict
sendstream_ack(struct sendstream *s, const struct peer_pdu *ack, usec_t now)
{
    uint32_t cost;

    if (ack->epoch != s->epoch) {
        return SENDSTREAM_ACK_FOREIGN;
    } else if (ack->seq - s->una > s->nxt - s->una) {
        return s->una - ack->seq <= STREAM_MAX_OUT ? SENDSTREAM_ACK_OLD : SENDSTREAM_ACK_FOREIGN;
    }
    cost = take_all(s, ack, now);
    if (s->is_recovering && s->una - s->recover < UINT32_MAX / 2) {
        s->is_recovering = false;
    }
    if (!cost) {
        return SENDSTREAM_ACK_OLD;
    }
    s->backoff = 0;
    grow(s, cost);
    s->is_limited = false;
    detect_losses(s);
    s->rto_at = s->una == s->nxt ? CLOCK_NEVER : now + rto(s);
    s->silent_since = s->una == s->nxt ? CLOCK_NEVER : now;
    return SENDSTREAM_ACK_NEWS;
}

/* No answer for long: all that is under way is deemed lost. */
void
sendstream_run(struct sendstream *s, usec_t now)
{
    if (now < s->rto_at) {
        return;
    }
    for (uint32_t seq = s->una; seq != s->nxt; seq++) {
        struct sent *e = sent_at(s, seq);

        if (!e->taken && !e->lost) {
            lose(s, e);
        }
    }
    s->is_recovering = false;
    reduce(s);
    s->window = min_window(s);
    s->backoff = MP_MIN(s->backoff + 1, MAX_BACKOFF);
    s->rto_at = now + rto(s);
}

bool
sendstream_is_stuck(const struct sendstream *s, uint32_t size)
{
    const struct sent *e = look_at(s, s->una);

    return s->backoff >= STUCK_TIMEOUTS
           || (s->una != s->nxt && e->lost && e->n_tx >= 2 && e->datagram->size > size);
}

usec_t
sendstream_deadline(const struct sendstream *s)
{
    return s->rto_at;
}

usec_t
sendstream_silent_since(const struct sendstream *s)
{
    return s->silent_since;
}

uint32_t
sendstream_abandon(struct sendstream *s)
{
    uint32_t n = s->nxt - s->una;

    while (s->una != s->nxt) {
        settle(s, sent_at(s, s->una));
        drop_first(s);
    }
    s->una = ++s->nxt;
    s->rto_at = s->silent_since = CLOCK_NEVER;
    s->backoff = 0;
    return n;
}

void
sendstream_info(const struct sendstream *s, struct sendstream_info *info)
{
    *info = (struct sendstream_info) {
        .n_out = s->nxt - s->una, .window = s->window, .out = s->out, .srtt_us = s->srtt_us,
        .n_sent_again = s->n_sent_again,
    };
}
