/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The calls that a user makes on a connection (RFC 9293 3.9.1: SEND, CLOSE, ABORT, STATUS), and
 * what is shown of the endpoint.  Ids of connections that are gone are accepted everywhere. */
#include "utcp/utcp.h"

#include <string.h>

#include "utcp/conn.h"

/* The connection, when it lives. */
static struct utcp_conn *
live(const struct utcp *u, utcp_id id)
{
    struct utcp_conn *c = utcp_conn_get(u, id);

    return c && !(c->flags & CONN_DEAD) ? c : NULL;
}

utcp_id
utcp_at(const struct utcp *u, uint32_t index)
{
    return index && index < u->n_gens && u->gens[index] ? (utcp_id) u->gens[index] << 32 | index
           : 0;
}

void
utcp_set_user(struct utcp *u, utcp_id id, uint32_t user)
{
    struct utcp_conn *c = utcp_conn_get(u, id);

    if (c) {
        c->user = user;
    }
}

uint32_t
utcp_user(const struct utcp *u, utcp_id id)
{
    const struct utcp_conn *c = utcp_conn_get(u, id);

    return c ? c->user : 0;
}

void
utcp_credit(struct utcp *u, utcp_id id, uint32_t n)
{
    struct utcp_conn *c = live(u, id);

    if (!c) {
        return;
    }
    c->uncredited -= MP_MIN(n, c->uncredited);
    utcp_rcvwnd_credited(u, c);
}

/* Of a connection that has 'queued' octets in its send queue. */
static uint32_t
room_of(struct utcp *u, uint64_t queued)
{
    uint64_t max = MP_MIN((uint64_t) u->cfg.snd_buf_max, utcp_share(u));

    if (queued < max) {
        return (uint32_t) (max - queued);
    }
    u->stats.memory_limited += max < u->cfg.snd_buf_max;
    return 0;
}

static struct utcp_ext *
send_queue(struct utcp *u, struct utcp_conn *c, size_t n)
{
    if (!c || !n || c->flags & CONN_FIN_QUEUED) {
        return NULL;
    }

    struct utcp_ext *e = utcp_ext_need(u, c);

    u->queued += n;
    if (!room_of(u, e->sndq.size + n)) {
        c->flags |= CONN_FULL;
    }
    utcp_ready(u, c);
    return e;
}

void
utcp_send_copy(struct utcp *u, utcp_id id, const void *data, size_t n)
{
    struct utcp_ext *e = send_queue(u, live(u, id), n);

    if (e) {
        chain_put_copy(&e->sndq, data, n);
    }
}

void
utcp_send_mbuf(struct utcp *u, utcp_id id, struct mbuf *m, uint32_t off, uint32_t len)
{
    struct utcp_ext *e = send_queue(u, live(u, id), len);

    if (e) {
        chain_put_mbuf(&e->sndq, m, off, len);
    }
}

uint32_t
utcp_send_room(struct utcp *u, utcp_id id)
{
    struct utcp_conn *c = live(u, id);

    if (!c || c->flags & CONN_FIN_QUEUED) {
        return 0;
    }

    uint32_t room = room_of(u, utcp_snd_queued(u, c));

    if (!room) {
        c->flags |= CONN_FULL;        /* There may have been room when it was last asked. */
    }
    return room;
}

/* RFC 9293 3.10.4. */
void
utcp_close(struct utcp *u, utcp_id id)
{
    struct utcp_conn *c = live(u, id);

    if (!c || c->flags & CONN_FIN_QUEUED) {
        return;
    }
    /* SHLD-3: the caller closes without having fetched what the peer sent: data is lost, and the
     * peer must not believe otherwise. */
    if (utcp_has_unread(u, c)) {
        utcp_abort(u, id);
        return;
    }
    c->flags |= CONN_FIN_QUEUED;
    c->state = c->state == UTCP_CLOSE_WAIT ? UTCP_LAST_ACK : UTCP_FIN_WAIT_1;
    /* From here on data is delivered, but nobody is asked any more whether there is room for it:
     * fin_wait_2_us bounds for how long. */
    c->uncredited = 0;
    utcp_ready(u, c);
}

/* RFC 9293 3.10.5. */
void
utcp_abort(struct utcp *u, utcp_id id)
{
    struct utcp_conn *c = live(u, id);

    if (c) {
        utcp_conn_rst(u, c);
        utcp_conn_kill(u, c, UTCP_CLOSE_ABORT);
    }
}

static usec_t
instant_of(const struct utcp *u, uint32_t ms)
{
    return u->now + (usec_t) seq_diff(ms, u->now_ms) * 1000;
}

static void
conn_info(const struct utcp *u, const struct utcp_conn *c, struct utcp_info *info)
{
    const struct utcp_ext *e = utcp_ext(u, c);

    *info = (struct utcp_info) {
        .id = utcp_conn_id(u, c),
        .path = c->path,
        .state = c->state,
        .snd_queued = e ? e->sndq.size : 0,
        .snd_unacked = c->snd_nxt - c->snd_una,
        .snd_wnd = c->snd_wnd,
        .rcv_wnd = c->rcv_adv - c->rcv_nxt,
        .cwnd = c->cwnd,
        .ssthresh = c->ssthresh,
        .mss = c->mss,
        .srtt_us = c->srtt_us,
        .rto_us = utcp_rto(u, c),
        .last_received_at = instant_of(u, c->last_rcvd_ms),
        .rexmits = c->rexmits,
        .rcv_buffered = e ? e->ooo_bytes : 0,
        .dscp = utcp_conn_ds(u, c) >> 2,
        .ecn = c->flags & CONN_ECN,
        .r1 = c->flags & CONN_R1,
        .user = c->user,
    };
    if (!(c->flags & CONN_DEAD)) {
        info->tuple = utcp_ends_tuple(u, &c->ends);
    }
}

bool
utcp_info(const struct utcp *u, utcp_id id, struct utcp_info *info)
{
    const struct utcp_conn *c = utcp_conn_get(u, id);

    if (c) {
        conn_info(u, c, info);
    }
    return c;
}

bool
utcp_walk(const struct utcp *u, uint32_t *pos, struct utcp_info *info)
{
    uint32_t ref;

    while ((ref = utcp_table_walk(&u->table, pos))) {
        uint32_t idx = UTCP_REF_IDX(ref);

        if (UTCP_REF_KIND(ref) == UTCP_REF_CONN) {
            conn_info(u, slab_at(&u->conns, idx), info);
            return true;
        } else if (UTCP_REF_KIND(ref) == UTCP_REF_HALF) {
            const struct utcp_half *h = slab_at(&u->halves, idx);

            *info = (struct utcp_info) {
                .tuple = utcp_ends_tuple(u, &h->ends),
                .path = h->path,
                .state = UTCP_SYN_RECEIVED,
                .mss = h->mss,
                .dscp = utcp_ds(u, &h->path) >> 2,
                .ecn = h->opts & HALF_ECN,
                .last_received_at = u->now,
            };
            return true;
        }
    }
    return false;
}

const struct utcp_stats *
utcp_stats(const struct utcp *u)
{
    return &u->stats;
}

void
utcp_memory(const struct utcp *u, struct utcp_memory *m)
{
    *m = (struct utcp_memory) {
        .n_connections = u->n_live,
        .n_half_open = u->halves.n,
        .n_time_wait = u->tws.n,
        .queued = u->queued,
        .out_of_order = u->ooo_memory,
        .bytes = sizeof *u + slab_bytes(&u->conns) + slab_bytes(&u->exts) + slab_bytes(&u->sents)
                 + slab_bytes(&u->pieces) + slab_bytes(&u->halves) + slab_bytes(&u->tws)
                 + slab_bytes(&u->v6s) + utcp_table_bytes(&u->table)
                 + u->n_gens * sizeof *u->gens + u->events_size * sizeof *u->events
                 + u->replies_size * sizeof *u->replies,
    };
}

const char *
utcp_state_name(enum utcp_state state)
{
    static const char *const names[] = {
        [UTCP_LISTEN] = "LISTEN",
        [UTCP_SYN_RECEIVED] = "SYN-RECEIVED",
        [UTCP_ESTABLISHED] = "ESTABLISHED",
        [UTCP_FIN_WAIT_1] = "FIN-WAIT-1",
        [UTCP_FIN_WAIT_2] = "FIN-WAIT-2",
        [UTCP_CLOSE_WAIT] = "CLOSE-WAIT",
        [UTCP_CLOSING] = "CLOSING",
        [UTCP_LAST_ACK] = "LAST-ACK",
        [UTCP_TIME_WAIT] = "TIME-WAIT",
        [UTCP_CLOSED] = "CLOSED",
    };

    return (size_t) state < MP_ARRAY_SIZE(names) ? names[state] : "?";
}
