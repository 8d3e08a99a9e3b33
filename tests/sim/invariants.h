/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What must always be true of an endpoint, whatever it has been sent: its lists are whole, its sums
 * are the sums of their parts, its sequence numbers are in order.  Looks into the private
 * structures; for the simulation and the fuzzer. */
#ifndef MP_TESTS_SIM_INVARIANTS_H
#define MP_TESTS_SIM_INVARIANTS_H 1

#include "utcp/conn.h"

#define INVARIANT(COND)         \
    if (!(COND)) {              \
        return #COND;           \
    }

struct invariant_totals {
    uint64_t queued, promised, offered, offered_more, ooo_memory;
    uint32_t n_live, n_grown, n_busy, n_offered, n_exts, n_sents, n_pieces, n_ready, n_waiting;
};

static inline const char *
invariant_sent(const struct utcp *u, const struct utcp_conn *c, const struct utcp_ext *e,
           struct invariant_totals *sum)
{
    uint32_t at = c->snd_una, pipe = 0, n = 0, n_lost = 0, n_sacked = 0, last = SLAB_NONE;

    for (uint32_t idx = e->sent_head; idx; idx = utcp_sent_at(u, idx)->next) {
        const struct utcp_sent *s = utcp_sent_at(u, idx);

        INVARIANT(s->seq == at);
        INVARIANT(s->len > 0);
        INVARIANT((s->flags & (SENT_SACKED | SENT_LOST)) != (SENT_SACKED | SENT_LOST));
        INVARIANT(!(s->flags & SENT_FIN) || !s->next);
        at += s->len;
        n++;
        n_lost += !!(s->flags & SENT_LOST);
        n_sacked += !!(s->flags & SENT_SACKED);
        pipe += s->flags & (SENT_SACKED | SENT_LOST) ? 0 : s->len;
        last = idx;
    }
    INVARIANT(at == c->snd_nxt);
    INVARIANT(last == e->sent_tail);
    INVARIANT(n == e->n_sent);
    INVARIANT(n_lost == e->n_lost);
    INVARIANT(n_sacked == e->n_sacked);
    INVARIANT(pipe == e->pipe);
    sum->n_sents += n;
    return NULL;
}

static inline const char *
invariant_pieces(const struct utcp *u, const struct utcp_conn *c, const struct utcp_ext *e,
             struct invariant_totals *sum)
{
    uint32_t at = c->rcv_nxt, n = 0, n_islands = 0, bytes = 0, last = SLAB_NONE;

    for (uint32_t idx = e->ooo_head; idx; ) {
        const struct utcp_piece *p = slab_at(&u->pieces, idx);

        INVARIANT(p->len > 0 && p->data->size == p->len);
        INVARIANT(n ? seq_ge(p->seq, at) : seq_gt(p->seq, at));
        n_islands += !n || p->seq != at;
        n++;
        bytes += p->len;
        at = p->seq + p->len;
        last = idx;
        idx = p->next;
    }
    INVARIANT(seq_le(at, c->rcv_adv));
    INVARIANT(last == e->ooo_tail);
    INVARIANT(n == e->n_pieces);
    INVARIANT(n_islands == e->n_islands);
    INVARIANT(n_islands <= UTCP_MAX_ISLANDS);
    INVARIANT(bytes == e->ooo_bytes);
    INVARIANT(n <= UTCP_MAX_ISLANDS + bytes / 1024);      /* Small ones are joined. */
    sum->n_pieces += n;
    sum->ooo_memory += e->ooo_memory;
    return NULL;
}

static inline const char *
invariant_ext(const struct utcp *u, const struct utcp_conn *c, const struct utcp_ext *e,
          struct invariant_totals *sum)
{
    uint32_t flight = c->snd_nxt - c->snd_una - !!(c->flags & CONN_FIN_SENT && e->n_sent);
    const char *error;

    sum->n_exts++;
    sum->queued += e->sndq.size;
    INVARIANT(flight <= e->sndq.size || c->flags & CONN_FIN_SENT);
    error = invariant_sent(u, c, e, sum);
    return error ? error : invariant_pieces(u, c, e, sum);
}

static inline const char *
invariant_conn(const struct utcp *u, const struct utcp_conn *c, struct invariant_totals *sum)
{
    const struct utcp_ext *e = utcp_ext(u, c);

    if (c->flags & CONN_DEAD) {
        INVARIANT(!e && !wheel_is_armed(&u->wheel, c->idx));
        INVARIANT(!(c->flags & (CONN_READY | CONN_OFFERED | CONN_WAITS)));
        return NULL;
    }
    sum->n_live++;
    INVARIANT(c->state >= UTCP_ESTABLISHED && c->state <= UTCP_LAST_ACK);
    INVARIANT(seq_le(c->snd_una, c->snd_nxt));
    INVARIANT(seq_le(c->rcv_nxt, c->rcv_adv));
    INVARIANT(c->rcv_adv - c->rcv_nxt <= u->cfg.rcv_wnd_max + 65535);
    INVARIANT(seq_le(c->last_ack_sent, c->rcv_nxt));
    INVARIANT(c->mss >= 88 && c->mss <= u->cfg.mtu);
    INVARIANT(c->cwnd >= c->mss || c->flags & (CONN_RECOVERY | CONN_LOSS));
    INVARIANT(!(c->flags & CONN_FIN_SENT) || c->flags & CONN_FIN_QUEUED);
    INVARIANT(!(c->flags & CONN_FIN_QUEUED)
          == (c->state == UTCP_ESTABLISHED || c->state == UTCP_CLOSE_WAIT));
    /* What is in flight is being watched. */
    INVARIANT(c->snd_una == c->snd_nxt || (e && e->n_sent));
    INVARIANT(c->snd_una == c->snd_nxt || c->timer != TIMER_NONE || c->flags & CONN_READY);
    INVARIANT(c->timer == TIMER_NONE || wheel_is_armed(&u->wheel, c->idx));
    if (c->flags & CONN_GROWN) {
        sum->n_grown++;
        sum->promised += utcp_rcvwnd_charge(u, c);
    }
    sum->n_busy += !!(c->flags & CONN_BUSY);
    INVARIANT((c->flags & (CONN_OFFERED | CONN_WAITS)) != (CONN_OFFERED | CONN_WAITS));
    INVARIANT(!(c->flags & CONN_OFFERED) || utcp_turns_counted(u, c));
    INVARIANT(!(c->flags & CONN_OFFERED) || wheel_is_armed(&u->wheel, c->idx));
    INVARIANT(!(c->flags & (CONN_OFFERED | CONN_WAITS)) || e);
    INVARIANT(!(c->flags & CONN_WATCHED) || wheel_is_armed(&u->wheel, c->idx));
    sum->offered += utcp_turns_counted(u, c);
    sum->offered_more += c->flags & CONN_OFFERED && e->offered_more ? utcp_turns_counted(u, c) : 0;
    sum->n_offered += !!(c->flags & CONN_OFFERED);
    sum->n_waiting += !!(c->flags & CONN_WAITS);
    sum->n_ready += !!(c->flags & CONN_READY);
    return e ? invariant_ext(u, c, e, sum) : NULL;
}

/* Those that wait for their turn. */
static inline const char *
invariant_turns(const struct utcp *u, const struct invariant_totals *sum)
{
    uint32_t n = 0;

    for (const struct utcp_turns *t = u->turns; t < u->turns + TURN_N; t++) {
        uint32_t prev = SLAB_NONE;

        for (uint32_t idx = t->head; idx; ) {
            const struct utcp_conn *c = slab_at(&u->conns, idx);

            INVARIANT(c->flags & CONN_WAITS && utcp_ext(u, c)->turn_prev == prev);
            prev = idx;
            idx = utcp_ext(u, c)->turn_next;
            n++;
        }
        INVARIANT(prev == t->tail);
    }
    INVARIANT(n == u->n_waiting);
    INVARIANT(n == sum->n_waiting);
    INVARIANT(sum->offered == u->offered);
    INVARIANT(sum->offered_more == u->offered_more);
    INVARIANT(sum->n_offered == u->n_offered);
    return NULL;
}

/* NULL, or what is wrong. */
static inline const char *
utcp_broken_invariant(const struct utcp *u)
{
    struct invariant_totals sum = { 0 };
    uint32_t n_ready = 0, prev = SLAB_NONE;

    for (uint32_t idx = 1; idx <= u->conns.n_made; idx++) {
        const char *error = u->gens[idx] ? invariant_conn(u, slab_at(&u->conns, idx), &sum) : NULL;

        if (error) {
            return error;
        }
    }
    for (uint32_t idx = u->ready_head; idx; ) {
        const struct utcp_conn *c = slab_at(&u->conns, idx);

        INVARIANT(c->flags & CONN_READY && c->ready_prev == prev);
        prev = idx;
        idx = c->ready_next;
        n_ready++;
    }
    INVARIANT(prev == u->ready_tail);
    INVARIANT(n_ready == sum.n_ready);
    INVARIANT(sum.n_live == u->n_live);
    INVARIANT(sum.queued == u->queued);
    INVARIANT(sum.ooo_memory == u->ooo_memory);
    INVARIANT(sum.n_grown == u->n_grown);
    INVARIANT(sum.n_busy == u->n_busy);
    INVARIANT(sum.promised == u->promised);
    INVARIANT(sum.n_exts == u->exts.n);
    INVARIANT(sum.n_sents == u->sents.n);
    INVARIANT(sum.n_pieces == u->pieces.n);
    return invariant_turns(u, &sum);
}

#endif
