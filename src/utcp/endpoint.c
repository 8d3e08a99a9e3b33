/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The endpoint: demultiplexing, and the life cycle of connections.
 *
 *     SYN -> half (listen.c) -> conn -> tw (timewait.c) -> nothing
 *                                 \-> dead -> freed
 *
 * A connection that ends is taken out of the table, of all lists and of the wheel at once, and is
 * dead: nothing happens to it any more.  Its struct stays, so that the caller can still ask about
 * it, until its CLOSED event has been fetched; it is freed in utcp_begin(), at the next entry, and
 * nowhere else. */
#include "utcp/utcp.h"

#include <string.h>

#include "utcp/conn.h"

STATS_DEFINE(utcp, UTCP_STATS)

#define TICK_US CLOCK_MSEC
#define SHARE_MIN UINT64_C(2048)      /* A full segment out of order, with its overhead. */

void
utcp_config_default(struct utcp_config *cfg)
{
    *cfg = (struct utcp_config) {
        .max_connections = 1u << 20,
        .max_half_open = 4096,
        .mtu = 1500,
        .ttl = 64,
        .ecn = true,
        .rcv_wnd_max = UINT16_MAX << 3,
        .rcv_wnd_initial = 2 * 1460,
        .rcv_budget = 96 * 1024,      /* A switch's packet socket holds 92 full frames. */
        .snd_buf_max = 256 * 1024,
        .memory_max = 256 * 1024 * 1024,
        .rto_min_us = 200 * CLOCK_MSEC,
        .r1 = 3,
        .r2_us = 120 * CLOCK_SEC,
        .syn_r2_us = 60 * CLOCK_SEC,
        .time_wait_us = 60 * CLOCK_SEC,     /* MUST-13: 2 MSL with an MSL of 30 s, as Linux. */
        .fin_wait_2_us = 60 * CLOCK_SEC,
    };
}

struct utcp *
utcp_create(const struct utcp_config *cfg, usec_t now)
{
    struct utcp *u = mem_zalloc(sizeof *u);

    u->cfg = *cfg;
    u->cfg.mtu = MP_MAX(u->cfg.mtu, 576);
    u->cfg.rcv_wnd_max = MP_MIN(MP_MAX(u->cfg.rcv_wnd_max, 2048u), 1u << 30);
    u->cfg.rcv_wnd_initial = MP_MIN(u->cfg.rcv_wnd_initial, u->cfg.rcv_wnd_max);
    /* RFC 7323 2.3: the smallest shift with which the largest window fits into 16 bits. */
    while (u->cfg.rcv_wnd_max >> u->rcv_wscale > UINT16_MAX) {
        u->rcv_wscale++;
    }
    utcp_table_init(&u->table);
    slab_init(&u->conns, sizeof(struct utcp_conn), 0);
    slab_init(&u->exts, sizeof(struct utcp_ext), 0);
    slab_init(&u->sents, sizeof(struct utcp_sent), 0);
    slab_init(&u->pieces, sizeof(struct utcp_piece), 0);
    slab_init(&u->halves, sizeof(struct utcp_half), 0);
    slab_init(&u->tws, sizeof(struct utcp_tw), 0);
    slab_init(&u->v6s, sizeof(struct utcp_v6), 0);
    wheel_init(&u->wheel, &u->conns, offsetof(struct utcp_conn, wheel),
               offsetof(struct utcp_conn, wheel_due), TICK_US, now);
    wheel_init(&u->half_wheel, &u->halves, offsetof(struct utcp_half, wheel),
               offsetof(struct utcp_half, wheel_due), TICK_US, now);
    utcp_begin(u, now);
    return u;
}

void
utcp_destroy(struct utcp *u)
{
    if (!u) {
        return;
    }
    for (uint32_t idx = 1; idx <= u->conns.n_made; idx++) {
        struct utcp_conn *c = u->gens[idx] ? slab_at(&u->conns, idx) : NULL;
        struct utcp_ext *e = c ? utcp_ext(u, c) : NULL;

        if (e) {
            chain_uninit(&e->sndq);
            utcp_rcv_drop_pieces(u, e);
        }
    }
    utcp_queues_free(u);
    utcp_table_uninit(&u->table);
    slab_uninit(&u->conns);
    slab_uninit(&u->exts);
    slab_uninit(&u->sents);
    slab_uninit(&u->pieces);
    slab_uninit(&u->halves);
    slab_uninit(&u->tws);
    slab_uninit(&u->v6s);
    mem_free_table(u->gens, u->n_gens * sizeof *u->gens);
    mem_free(u);
}

/* Takes note of the time, lets go of what the last DATA events pointed to, and frees the dead. */
void
utcp_begin(struct utcp *u, usec_t now)
{
    u->now = MP_MAX(now, u->now);     /* Time that runs backwards would be a bug of the caller. */
    u->now_ms = (uint32_t) (u->now / 1000);
    u->now_us = (uint32_t) u->now;
    while (u->n_delivered) {
        mbuf_unref(u->delivered[--u->n_delivered]);
    }
    while (u->n_dead) {
        uint32_t idx = u->dead[--u->n_dead];

        u->gens[idx] = 0;
        slab_free(&u->conns, idx);
    }
}

/* The ends of an IPv4 tuple; otherwise false, and all but the ports is zero. */
static bool
ends_of_v4(const struct utcp_tuple *t, struct utcp_ends *e)
{
    *e = (struct utcp_ends) { .local_port = t->local_port, .remote_port = t->remote_port };
    if (!addr_is_v4(&t->remote) || !addr_is_v4(&t->local)) {
        return false;
    }
    e->local = addr_to_v4(&t->local);
    e->remote = addr_to_v4(&t->remote);
    return true;
}

static struct utcp_key
key_of_input(struct utcp *u, const struct utcp_tuple *t)
{
    struct utcp_key key = { .tuple = t };

    if (u->next_known == u->n_known || !ends_of_v4(t, &key.ends)
        || !utcp_ahead_hash(u, &key.ends, &key.hash)) {
        key = utcp_key(u, t);
    }
    return key;
}

enum utcp_verdict
utcp_input(struct utcp *u, const struct utcp_tuple *tuple, const struct wire_tcp *seg,
           const struct utcp_path *path, usec_t now)
{
    utcp_begin(u, now);
    u->stats.segments_in++;

    struct utcp_key key = key_of_input(u, tuple);
    uint32_t ref = utcp_find(u, &key);
    enum utcp_verdict verdict;

    switch (UTCP_REF_KIND(ref)) {
    case UTCP_REF_CONN:
        verdict = utcp_conn_input(u, slab_at(&u->conns, UTCP_REF_IDX(ref)), seg, path);
        break;
    case UTCP_REF_HALF:
        verdict = utcp_half_input(u, &key, UTCP_REF_IDX(ref), seg, path);
        break;
    case UTCP_REF_TW:
        verdict = utcp_tw_input(u, &key, UTCP_REF_IDX(ref), seg, path);
        break;
    default:
        verdict = utcp_listen_input(u, &key, seg, path);
        break;
    }
    if (verdict != UTCP_ACCEPTED) {
        /* struct utcp_stats begins with the drops, in the order of the enum. */
        (&u->stats.no_connection)[verdict - 1]++;
    }
    return verdict;
}

void
utcp_run(struct utcp *u, usec_t now)
{
    utcp_begin(u, now);
    utcp_timers_run(u);
    utcp_half_run(u);
    utcp_tw_run(u);
}

usec_t
utcp_deadline(const struct utcp *u)
{
    usec_t at = clock_min(wheel_deadline(&u->wheel), wheel_deadline(&u->half_wheel));

    return clock_min(at, utcp_tw_deadline(u));
}

/* Tuples. */

uint32_t
utcp_hash32(const struct utcp *u, const struct utcp_tuple *t, enum utcp_hash_purpose purpose)
{
    uint8_t in[37];

    memcpy(in, t->local.b, 16);
    memcpy(in + 16, t->remote.b, 16);
    memcpy(in + 32, &t->local_port, 2);
    memcpy(in + 34, &t->remote_port, 2);
    in[36] = (uint8_t) purpose;
    return (uint32_t) siphash(&u->cfg.key, in, sizeof in);
}

struct utcp_key
utcp_key(const struct utcp *u, const struct utcp_tuple *t)
{
    struct utcp_key key = { .tuple = t };

    if (ends_of_v4(t, &key.ends)) {
        key.hash = (uint32_t) siphash(&u->cfg.key, &key.ends, sizeof key.ends);
    } else {
        key.hash = utcp_hash32(u, t, UTCP_HASH_TABLE);
    }
    return key;
}

bool
utcp_ends_is_v6(const struct utcp_ends *e)
{
    return !e->remote;
}

static bool
ends_match(const struct utcp *u, const struct utcp_ends *e, const struct utcp_key *key)
{
    if (e->remote != key->ends.remote || e->local_port != key->ends.local_port
        || e->remote_port != key->ends.remote_port) {
        return false;
    }
    if (!utcp_ends_is_v6(e)) {
        return e->local == key->ends.local;
    }

    const struct utcp_v6 *v6 = slab_at(&u->v6s, e->local);

    return addr_equal(&v6->remote, &key->tuple->remote)
           && addr_equal(&v6->local, &key->tuple->local);
}

uint32_t
utcp_find(const struct utcp *u, const struct utcp_key *key)
{
    struct utcp_table_iter it = { 0 };
    uint32_t ref;

    while ((ref = utcp_table_next(&u->table, key->hash, &it))) {
        uint32_t idx = UTCP_REF_IDX(ref);
        const struct utcp_ends *ends =
            UTCP_REF_KIND(ref) == UTCP_REF_CONN
            ? &((const struct utcp_conn *) slab_at(&u->conns, idx))->ends
            : UTCP_REF_KIND(ref) == UTCP_REF_HALF
            ? &((const struct utcp_half *) slab_at(&u->halves, idx))->ends
            : &((const struct utcp_tw *) slab_at(&u->tws, idx))->ends;

        if (ends_match(u, ends, key)) {
            return ref;
        }
    }
    return UTCP_REF_NONE;
}

struct utcp_tuple
utcp_ends_tuple(const struct utcp *u, const struct utcp_ends *e)
{
    struct utcp_tuple t = { .local_port = e->local_port, .remote_port = e->remote_port };

    if (utcp_ends_is_v6(e)) {
        const struct utcp_v6 *v6 = slab_at(&u->v6s, e->local);

        t.local = v6->local;
        t.remote = v6->remote;
    } else {
        t.local = addr_v4(e->local);
        t.remote = addr_v4(e->remote);
    }
    return t;
}

/* False: no memory for another IPv6 tuple. */
bool
utcp_ends_make(struct utcp *u, const struct utcp_key *key, struct utcp_ends *e)
{
    *e = key->ends;
    if (utcp_ends_is_v6(e)) {
        e->local = slab_alloc(&u->v6s);
        if (e->local == SLAB_NONE) {
            return false;
        }

        struct utcp_v6 *v6 = slab_at(&u->v6s, e->local);

        v6->local = key->tuple->local;
        v6->remote = key->tuple->remote;
    }
    return true;
}

void
utcp_ends_free(struct utcp *u, const struct utcp_ends *e)
{
    if (utcp_ends_is_v6(e)) {
        slab_free(&u->v6s, e->local);
    }
}

/* Connections. */

utcp_id
utcp_conn_id(const struct utcp *u, const struct utcp_conn *c)
{
    return (utcp_id) u->gens[c->idx] << 32 | c->idx;
}

struct utcp_conn *
utcp_conn_get(const struct utcp *u, utcp_id id)
{
    uint32_t idx = (uint32_t) id;
    uint32_t gen = (uint32_t) (id >> 32);

    return gen && idx < u->n_gens && u->gens[idx] == gen ? slab_at(&u->conns, idx) : NULL;
}

/* A zeroed connection that owns 'ends'; the caller fills it in and puts it into the table. */
struct utcp_conn *
utcp_conn_create(struct utcp *u, const struct utcp_ends *ends)
{
    uint32_t idx = slab_alloc(&u->conns);

    if (idx == SLAB_NONE) {
        return NULL;
    }
    if (idx >= u->n_gens) {
        u->gens = mem_grow_table(u->gens, &u->n_gens, (size_t) idx + 1, sizeof *u->gens);
    }
    if (!++u->next_gen) {
        u->next_gen = 1;
    }
    u->gens[idx] = u->next_gen;
    u->n_live++;

    struct utcp_conn *c = slab_at(&u->conns, idx);

    c->idx = idx;
    c->ends = *ends;
    c->last_rcvd_ms = c->last_sent_ms = u->now_ms;
    return c;
}

/* The end of a connection.  Ownership of 'ends' and the table's entry have passed to a struct
 * utcp_tw when the state is TIME-WAIT. */
void
utcp_conn_kill(struct utcp *u, struct utcp_conn *c, enum utcp_close_reason reason)
{
    utcp_unready(u, c);
    wheel_disarm(&u->wheel, c->idx);
    utcp_turns_leave(u, c);
    utcp_rcvwnd_idle(u, c);

    struct utcp_ext *e = utcp_ext(u, c);

    if (e) {
        u->queued -= e->sndq.size;
        chain_uninit(&e->sndq);
        utcp_sent_clear(u, e);
        utcp_rcv_drop_pieces(u, e);
        slab_free(&u->exts, c->ext);
        c->ext = SLAB_NONE;
    }
    if (c->flags & CONN_COOKIE && c->state != UTCP_TIME_WAIT && utcp_cookies_are_out(u)) {
        /* A late copy of the ACK that opened it would open it again, and bring its text again. */
        utcp_tw_take_over(u, c);
    } else if (c->state != UTCP_TIME_WAIT) {
        struct utcp_tuple tuple = utcp_ends_tuple(u, &c->ends);

        utcp_table_remove(&u->table, utcp_key(u, &tuple).hash, UTCP_REF_CONN | c->idx);
        utcp_ends_free(u, &c->ends);
    }
    /* Whoever asks about it later must not find an index that is another's by now. */
    c->ends = (struct utcp_ends) { .remote = 1 };
    c->state = UTCP_CLOSED;
    c->flags |= CONN_DEAD;
    u->n_live--;
    switch (reason) {
    case UTCP_CLOSE_NORMAL:
        u->stats.closed++;
        break;
    case UTCP_CLOSE_RESET:
        u->stats.aborted_by_peer++;
        break;
    case UTCP_CLOSE_TIMEOUT:
        u->stats.timed_out++;
        break;
    case UTCP_CLOSE_ABORT:
        u->stats.aborted_by_us++;
        break;
    }
    utcp_event(u, c, &(struct utcp_event) { .type = UTCP_EV_CLOSED, .reason = reason });
}

/* While there is enough memory, everything; else an equal part of it, so that one who hoards is
 * stopped and one who does not goes on. */
uint64_t
utcp_share(const struct utcp *u)
{
    if (u->queued + u->ooo_memory <= u->cfg.memory_max) {
        return UINT64_MAX;
    }
    return MP_MAX(u->cfg.memory_max / MP_MAX(u->n_live, 1), SHARE_MIN);
}

struct utcp_ext *
utcp_ext(const struct utcp *u, const struct utcp_conn *c)
{
    return c->ext ? slab_at(&u->exts, c->ext) : NULL;
}

struct utcp_ext *
utcp_ext_need(struct utcp *u, struct utcp_conn *c)
{
    if (!c->ext) {
        c->ext = slab_alloc(&u->exts);
        mp_assert(c->ext);            /* One per connection at most: never at its limit. */

        struct utcp_ext *e = slab_at(&u->exts, c->ext);

        e->rack_fack = c->snd_una;
        e->recover = c->snd_una - 1;
        e->ecn_recover = c->snd_una - 1;
    }
    return slab_at(&u->exts, c->ext);
}

void
utcp_ext_release(struct utcp *u, struct utcp_conn *c)
{
    const struct utcp_ext *e = utcp_ext(u, c);

    if (e && !e->sndq.size && !e->n_sent && !e->n_pieces && !e->has_fin && !e->n_dsacks
        && !(c->flags & (CONN_OFFERED | CONN_WAITS))) {
        slab_free(&u->exts, c->ext);
        c->ext = SLAB_NONE;
    }
}
