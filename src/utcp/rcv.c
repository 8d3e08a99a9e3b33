/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The receiver: text in order becomes DATA events, text out of order is kept, and ACKs are owed.
 *
 * ACK policy: whatever arrives in a turn is answered once, when the turn's segments are drained
 * (RFC 9293 MUST-58, MUST-59), by the data of the turn if there is any.  There is no timer: a
 * delayed ACK saves little here and costs a client that uses Nagle's algorithm its time.  Only text
 * out of order, twice, or that fills a gap is acknowledged by itself (RFC 5681 4.2), and so is what
 * follows in that turn, by UTCP_MAX_ACKS at most: a peer without SACK counts them; one with SACK is
 * told of each duplicate, and when a link loses one of our ACKs there is another.
 *
 * Out of order: pieces are copied (the frame belongs to the caller), never overlap, and are bounded
 * in number of islands and in true memory; the farthest goes first. */
#include "utcp/utcp.h"

#include <string.h>

#include "utcp/conn.h"

#define PIECE_OVERHEAD ((uint32_t) (sizeof(struct utcp_piece) + sizeof(struct mbuf) + 16))
#define JOINED_MAX 2048               /* Above, pieces that touch stay apart: copying costs more. */

void
utcp_rcv_ack_now(struct utcp *u, struct utcp_conn *c)
{
    c->flags |= CONN_ACK_NOW;
    utcp_ready(u, c);
}

/* The segment at hand gets an ACK of its own, unless it is one of many. */
void
utcp_rcv_ack_each(struct utcp *u, struct utcp_conn *c)
{
    c->acks_owed = MP_MIN(c->acks_owed + 1, UTCP_MAX_ACKS) & 7;
    utcp_rcv_ack_now(u, c);
}

bool
utcp_rcv_challenge(struct utcp *u, struct utcp_conn *c)
{
    uint8_t second = (uint8_t) (u->now_ms / 1000);

    if (c->challenge_s != second) {
        c->challenge_s = second;
        c->challenge_n = 0;
    }
    if (c->challenge_n >= UTCP_CHALLENGES_PER_S) {
        u->stats.challenge_acks_limited++;
        return false;
    }
    c->challenge_n++;
    u->stats.challenge_acks++;
    utcp_rcv_ack_now(u, c);
    return true;
}

/* RFC 2883: [left, right) has arrived twice. */
void
utcp_rcv_dsack(struct utcp *u, struct utcp_conn *c, uint32_t left, uint32_t right)
{
    if (c->flags & CONN_SACK) {
        struct utcp_ext *e = utcp_ext_need(u, c);

        if (e->n_dsacks == UTCP_MAX_ACKS) {
            e->n_dsacks--;            /* The latest is as good. */
        }
        e->dsacks[e->n_dsacks++] = (struct wire_sack_block) { left, right };
    }
}

static struct utcp_piece *
piece_at(const struct utcp *u, uint32_t idx)
{
    return idx ? slab_at(&u->pieces, idx) : NULL;
}

static void
free_piece(struct utcp *u, struct utcp_ext *e, uint32_t idx)
{
    struct utcp_piece *p = piece_at(u, idx);

    e->ooo_bytes -= p->len;
    e->ooo_memory -= p->len + PIECE_OVERHEAD;
    u->ooo_memory -= p->len + PIECE_OVERHEAD;
    e->n_pieces--;
    slab_free(&u->pieces, idx);
}

void
utcp_rcv_drop_pieces(struct utcp *u, struct utcp_ext *e)
{
    while (e->ooo_head) {
        uint32_t idx = e->ooo_head;
        struct utcp_piece *p = piece_at(u, idx);

        e->ooo_head = p->next;
        mbuf_unref(p->data);
        free_piece(u, e, idx);
    }
    e->ooo_tail = SLAB_NONE;
    e->n_islands = 0;
    e->n_recent = 0;
    e->has_fin = false;
}

/* Hands 'data', which begins at RCV.NXT, to the caller. */
static void
deliver(struct utcp *u, struct utcp_conn *c, struct slice data)
{
    c->rcv_nxt += data.n;
    if (!(c->flags & CONN_FIN_QUEUED)) {
        c->uncredited += data.n;
    }
    u->stats.bytes_in += data.n;
    utcp_event(u, c, &(struct utcp_event) { .type = UTCP_EV_DATA, .data = data });
}

/* Delivers what has become contiguous. */
static void
deliver_pieces(struct utcp *u, struct utcp_conn *c, struct utcp_ext *e)
{
    while (e->ooo_head) {
        uint32_t idx = e->ooo_head;
        struct utcp_piece *p = piece_at(u, idx);

        if (seq_gt(p->seq, c->rcv_nxt)) {
            break;
        }

        uint32_t skip = c->rcv_nxt - p->seq;
        bool ends_island = !p->next || piece_at(u, p->next)->seq != p->seq + p->len;

        if (skip < p->len) {
            deliver(u, c, (struct slice) { .p = p->data->data + skip, .n = p->len - skip });
        }
        u->delivered = mem_grow(u->delivered, &u->delivered_size, u->n_delivered + 1,
                                sizeof *u->delivered);
        u->delivered[u->n_delivered++] = p->data;
        e->ooo_head = p->next;
        e->n_islands -= ends_island;
        free_piece(u, e, idx);
    }
    if (!e->ooo_head) {
        e->ooo_tail = SLAB_NONE;
        e->n_islands = 0;
    }
    if (e->has_fin && seq_le(e->fin_seq, c->rcv_nxt)) {
        if (e->fin_seq == c->rcv_nxt) {
            c->rcv_nxt++;
            c->flags |= CONN_FIN_RCVD;
        }
        utcp_rcv_drop_pieces(u, e);   /* Nothing comes after a FIN. */
    }
}

static void
count_octets(struct utcp *u, struct utcp_ext *e, uint32_t n)
{
    e->ooo_bytes += n;
    e->ooo_memory += n;
    u->ooo_memory += n;
}

/* Makes 'p', which 'data' touches at its end or its beginning, longer by it. */
static void
grow_piece(struct utcp *u, struct utcp_ext *e, struct utcp_piece *p, uint32_t seq,
           struct slice data)
{
    struct mbuf *both = mbuf_create(p->len + data.n);
    bool at_end = seq != p->seq - data.n;

    memcpy(both->data + (at_end ? 0 : data.n), p->data->data, p->len);
    memcpy(both->data + (at_end ? p->len : 0), data.p, data.n);
    mbuf_unref(p->data);
    p->data = both;
    p->seq = at_end ? p->seq : seq;
    p->len += data.n;
    count_octets(u, e, data.n);
}

/* Joins to a piece the one behind it, which it touches. */
static void
absorb_next(struct utcp *u, struct utcp_ext *e, uint32_t at)
{
    struct utcp_piece *p = piece_at(u, at);
    uint32_t idx = p->next;
    struct utcp_piece *next = piece_at(u, idx);

    grow_piece(u, e, p, next->seq, (struct slice) { .p = next->data->data, .n = next->len });
    p->next = next->next;
    e->ooo_tail = e->ooo_tail == idx ? at : e->ooo_tail;
    mbuf_unref(next->data);
    free_piece(u, e, idx);
}

/* Puts a copy of 'data' behind the piece 'prev' (or at the head), which what follows does not
 * overlap.  Returns the piece that now ends with it, or 'prev' when it became the beginning of the
 * next.  Small ones are joined, so that a peer that sends single octets, in whatever order, makes no
 * list that is long to walk. */
static uint32_t
insert_piece(struct utcp *u, struct utcp_ext *e, uint32_t prev, uint32_t seq, struct slice data)
{
    struct utcp_piece *before = piece_at(u, prev);
    uint32_t next = before ? before->next : e->ooo_head;
    struct utcp_piece *after = piece_at(u, next);
    bool touches_prev = before && before->seq + before->len == seq;
    bool touches_next = after && after->seq == seq + data.n;

    if (touches_prev && before->len + data.n <= JOINED_MAX) {
        grow_piece(u, e, before, seq, data);
        e->n_islands -= touches_next;
        if (touches_next && before->len + after->len <= JOINED_MAX) {
            absorb_next(u, e, prev);
        }
        return prev;
    } else if (touches_next && after->len + data.n <= JOINED_MAX) {
        grow_piece(u, e, after, seq, data);
        e->n_islands -= touches_prev;
        return prev;
    }

    uint32_t idx = slab_alloc(&u->pieces);

    mp_assert(idx);

    struct utcp_piece *p = piece_at(u, idx);

    p->seq = seq;
    p->len = data.n;
    p->data = mbuf_copy(data.p, data.n);
    p->next = next;
    if (before) {
        before->next = idx;
    } else {
        e->ooo_head = idx;
    }
    if (!next) {
        e->ooo_tail = idx;
    }
    count_octets(u, e, data.n);
    e->ooo_memory += PIECE_OVERHEAD;
    u->ooo_memory += PIECE_OVERHEAD;
    e->n_pieces++;
    e->n_islands += 1u - touches_prev;
    e->n_islands -= touches_next;
    return idx;
}

/* True memory counts: a peer that sends single bytes pays for the structs around them. */
static bool
is_over_limit(const struct utcp *u, const struct utcp_conn *c, const struct utcp_ext *e)
{
    uint64_t limit = 2 * (uint64_t) MP_MAX(c->rcv_adv - c->rcv_nxt, c->wnd_target) + u->cfg.mtu;

    return e->n_islands > UTCP_MAX_ISLANDS || e->ooo_memory > MP_MIN(limit, utcp_share(u));
}

/* Drops the last piece.  Its SACK was a promise that RFC 2018 section 8 lets us break. */
static void
drop_farthest(struct utcp *u, struct utcp_ext *e)
{
    uint32_t prev = SLAB_NONE, idx = e->ooo_head;

    while (piece_at(u, idx)->next) {
        prev = idx;
        idx = piece_at(u, idx)->next;
    }

    struct utcp_piece *p = piece_at(u, idx), *before = piece_at(u, prev);

    if (!before || before->seq + before->len != p->seq) {
        e->n_islands--;
    }
    if (before) {
        before->next = SLAB_NONE;
    } else {
        e->ooo_head = SLAB_NONE;
    }
    e->ooo_tail = prev;
    mbuf_unref(p->data);
    free_piece(u, e, idx);
}

/* Notes that the island around 'seq' has just grown (RFC 2018 section 4). */
static void
note_recent(struct utcp_ext *e, uint32_t seq)
{
    memmove(e->recent + 1, e->recent, sizeof e->recent - sizeof *e->recent);
    e->recent[0] = seq;
    e->n_recent = (uint8_t) MP_MIN(e->n_recent + 1, UTCP_N_RECENT);
}

/* Keeps text that begins after RCV.NXT: whatever of it is in no piece yet.  What came first stays,
 * so that overlapping garbage changes nothing. */
static enum utcp_verdict
keep(struct utcp *u, struct utcp_conn *c, uint32_t seq, struct slice data)
{
    struct utcp_ext *e = utcp_ext_need(u, c);
    uint32_t start = seq, end = seq + data.n, n_before = e->ooo_bytes;
    uint32_t prev = SLAB_NONE, at = e->ooo_head;

    /* Mostly it goes to the end. */
    if (e->ooo_tail && seq_ge(seq, piece_at(u, e->ooo_tail)->seq)) {
        prev = SLAB_NONE;
        at = e->ooo_tail;
    }
    while (seq_lt(seq, end)) {
        struct utcp_piece *p = piece_at(u, at);

        if (p && seq_ge(seq, p->seq)) {
            if (seq_lt(seq, p->seq + p->len)) {
                uint32_t skip = MP_MIN(p->seq + p->len - seq, end - seq);

                seq += skip;
            }
            prev = at;
            at = p->next;
            continue;
        }

        uint32_t n = p ? MP_MIN(p->seq - seq, end - seq) : end - seq;

        prev = insert_piece(u, e, prev, seq,
                            (struct slice) { .p = data.p + (seq - start), .n = n });
        at = prev ? piece_at(u, prev)->next : e->ooo_head;
        seq += n;
        if (prev) {                   /* It may have got the next piece as well. */
            seq = seq_max(seq, piece_at(u, prev)->seq + piece_at(u, prev)->len);
        }
    }
    if (e->ooo_bytes == n_before) {
        u->stats.duplicates++;
        utcp_rcv_dsack(u, c, start, end);
        note_recent(e, start);
        return UTCP_ACCEPTED;
    }
    u->stats.out_of_order++;
    note_recent(e, start);

    bool dropped = false;

    while (e->n_pieces && is_over_limit(u, c, e)) {
        drop_farthest(u, e);
        dropped = true;
    }
    return dropped ? UTCP_DROP_no_memory : UTCP_ACCEPTED;
}

static enum utcp_verdict
take_text(struct utcp *u, struct utcp_conn *c, struct utcp_text t)
{
    uint32_t end = t.seq + t.data.n;

    struct utcp_ext *e = utcp_ext(u, c);

    utcp_rcvwnd_arrived(u, c, &t);
    if (c->acks_owed || t.seq != c->rcv_nxt || (e && e->n_pieces)) {
        utcp_rcv_ack_each(u, c);
    } else {
        utcp_rcv_ack_now(u, c);
    }
    if (seq_lt(t.seq, c->rcv_nxt)) {
        uint32_t skip = MP_MIN(c->rcv_nxt - t.seq, t.data.n);

        utcp_rcv_dsack(u, c, t.seq, t.seq + skip);
        t.seq += skip;
        t.data.p += skip;
        t.data.n -= skip;
    }
    if (seq_gt(end, c->rcv_adv)) {    /* Beyond the window: with it goes the FIN. */
        t.data.n -= MP_MIN(end - c->rcv_adv, t.data.n);
        end = t.seq + t.data.n;
        t.fin = false;
    }
    /* A FIN takes the place of an octet and must be within the window as such, except that one
     * more than the window costs nothing. */
    e = utcp_ext(u, c);
    if (t.seq == c->rcv_nxt) {
        if (t.data.n) {
            deliver(u, c, t.data);
        }
        if (t.fin) {
            c->rcv_nxt++;
            c->flags |= CONN_FIN_RCVD;
            if (e) {
                utcp_rcv_drop_pieces(u, e);
            }
        } else if (e) {
            deliver_pieces(u, c, e);
        }
        /* A FIN lies beyond what was advertised only here. */
        c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt);
        return UTCP_ACCEPTED;
    }
    if (seq_lt(t.seq, c->rcv_nxt)) {
        return UTCP_ACCEPTED;         /* A FIN alone, of before; cannot be, as FIN was not seen. */
    }
    if (t.fin) {
        e = utcp_ext_need(u, c);
        e->has_fin = true;
        e->fin_seq = end;
    }
    return t.data.n ? keep(u, c, t.seq, t.data) : UTCP_ACCEPTED;
}

/* RFC 9293 3.10.7.4, steps 7 and 8 as far as sequence numbers go.  Sets CONN_FIN_RCVD when the
 * peer's FIN is reached.  MAY-12 and SHLD-31: text out of order is kept. */
enum utcp_verdict
utcp_rcv_text(struct utcp *u, struct utcp_conn *c, struct utcp_text t)
{
    uint32_t counted = utcp_turns_counted(u, c);

    /* What nobody had counted.  Who is busy was counted before, and small ones have one segment. */
    if (!(c->flags & (CONN_OFFERED | CONN_BUSY | CONN_SMALL))) {
        utcp_turns_uncounted(u, t.data.n);
    }

    enum utcp_verdict verdict = take_text(u, c, t);

    utcp_turns_changed(u, c, counted);
    return verdict;
}

/* The island around 'seq', or false. */
static bool
find_island(const struct utcp *u, const struct utcp_ext *e, uint32_t seq, struct wire_sack_block *b)
{
    const struct utcp_piece *p = piece_at(u, e->ooo_head);

    while (p) {
        b->left = p->seq;
        b->right = p->seq + p->len;
        while ((p = piece_at(u, p->next)) && p->seq == b->right) {
            b->right += p->len;
        }
        if (seq_ge(seq, b->left) && seq_lt(seq, b->right)) {
            return true;
        }
    }
    return false;
}

/* RFC 2018 section 4: the island that grew last comes first, then those reported before.
 * RFC 2883: a duplicate comes before all. */
void
utcp_rcv_fill_sack(const struct utcp *u, const struct utcp_conn *c, struct wire_tcp_opts *o)
{
    const struct utcp_ext *e = utcp_ext(u, c);
    unsigned int max = c->flags & CONN_TS ? 3 : 4, first = 0;

    o->n_sack = 0;
    if (!e || !(c->flags & CONN_SACK)) {
        return;
    }
    if (e->n_dsacks) {
        o->sack[o->n_sack++] = e->dsacks[0];
        first = 1;
    }
    for (unsigned int i = 0; i < e->n_recent && o->n_sack < max; i++) {
        struct wire_sack_block b;
        bool is_new = find_island(u, e, e->recent[i], &b);

        for (unsigned int j = first; j < o->n_sack; j++) {
            is_new &= o->sack[j].left != b.left;
        }
        if (is_new) {
            o->sack[o->n_sack++] = b;
        }
    }
}
