/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* LISTEN and SYN-RECEIVED: RFC 9293 3.10.7.2, and 3.10.7.4 for that state.  A half-open connection
 * is a 64-byte struct utcp_half with a timer of its own; above max_half_open it is nothing at all
 * (cookie.c).  Initial sequence numbers: RFC 6528. */
#include "utcp/utcp.h"

#include "utcp/cc.h"
#include "utcp/conn.h"

#define SYN_RTO_US CLOCK_SEC          /* RFC 6298 (2.1). */
#define MSS_DEFAULT_V4 536            /* MUST-15. */
#define MSS_DEFAULT_V6 1220
#define MSS_MIN 88                    /* So that every segment has room beside its options. */
#define WSCALE_MAX 14                 /* RFC 7323 2.3: more means 14. */

/* RFC 6528 section 3, MUST-8, SHLD-1: a clock of 4 us and a secret function of the ends. */
static uint32_t
isn(const struct utcp *u, const struct utcp_tuple *t)
{
    return (uint32_t) (u->now / 4) + utcp_hash32(u, t, UTCP_HASH_ISN);
}

static bool
is_limited_broadcast(const struct ip_addr *a)
{
    return addr_is_v4(a) && addr_to_v4(a) == UINT32_MAX;
}

/* MUST-57, MUST-63: only what is unicast, both ways, and not ourselves. */
static bool
is_good_tuple(const struct utcp_tuple *t)
{
    const struct ip_addr *both[] = { &t->local, &t->remote };

    for (size_t i = 0; i < 2; i++) {
        if (addr_is_any(both[i]) || addr_is_multicast(both[i]) || is_limited_broadcast(both[i])) {
            return false;
        }
    }
    return addr_is_v4(&t->local) == addr_is_v4(&t->remote) && t->remote_port
           && !(addr_equal(&t->local, &t->remote) && t->local_port == t->remote_port);
}

/* What a SYN offers, in the form in which it is kept. */
static struct utcp_syn_info
read_syn(const struct utcp *u, const struct utcp_tuple *t, const struct wire_tcp *seg)
{
    const struct wire_tcp_opts *o = &seg->opts;
    bool is_v6 = !addr_is_v4(&t->remote);
    uint16_t mss = o->has_mss ? o->mss : is_v6 ? MSS_DEFAULT_V6 : MSS_DEFAULT_V4;
    struct utcp_syn_info info = {
        .irs = seg->seq,
        .mss = MP_MAX(MP_MIN(mss, utcp_max_mss(u, is_v6)), MSS_MIN),
    };

    if (o->has_ts) {
        info.opts |= HALF_TS;
        info.ts_recent = o->ts_val;
    }
    if (o->sack_permitted) {
        info.opts |= HALF_SACK;
    }
    if (o->has_wscale) {
        info.opts |= (uint8_t) (HALF_WSCALE | MP_MIN(o->wscale, WSCALE_MAX));
    }
    if (utcp_ecn_is_asked(u, seg)) {
        info.opts |= HALF_ECN;
    }
    return info;
}

static void
send_syn_ack(struct utcp *u, const struct utcp_tuple *t, const struct utcp_path *path,
             const struct utcp_syn_info *info, uint32_t ts_val)
{
    struct utcp_segment *s = utcp_reply(u, t, path);

    if (!s) {
        return;
    }
    s->tcp.flags = info->opts & HALF_ECN ? TCP_SYN | TCP_ACK | TCP_ECE : TCP_SYN | TCP_ACK;
    s->tcp.seq = info->iss;
    s->tcp.ack = info->irs + 1;
    /* RFC 7323 2.2: the window of a SYN is never scaled. */
    s->tcp.wnd = (uint16_t) MP_MIN(u->cfg.rcv_wnd_initial, (uint32_t) UINT16_MAX);
    s->tcp.opts = (struct wire_tcp_opts) {
        .has_mss = true,              /* MUST-14. */
        .mss = utcp_our_mss(u, !addr_is_v4(&t->remote), info->opts & HALF_TS,
                            info->opts & HALF_WSCALE),
        .has_ts = info->opts & HALF_TS,
        .ts_val = ts_val,
        .ts_ecr = info->ts_recent,
        .sack_permitted = info->opts & HALF_SACK,
        .has_wscale = info->opts & HALF_WSCALE,
        .wscale = u->rcv_wscale,
    };
}

static uint32_t
ts_clock(const struct utcp *u, const struct utcp_tuple *t)
{
    return u->now_ms + utcp_hash32(u, t, UTCP_HASH_TS);
}

static struct utcp_syn_info
half_info(const struct utcp_half *h)
{
    return (struct utcp_syn_info) {
        .irs = h->irs, .iss = h->iss, .ts_recent = h->ts_recent, .mss = h->mss, .opts = h->opts,
    };
}

static void
send_half(struct utcp *u, uint32_t idx)
{
    struct utcp_half *h = slab_at(&u->halves, idx);
    struct utcp_tuple tuple = utcp_ends_tuple(u, &h->ends);
    struct utcp_syn_info info = half_info(h);

    send_syn_ack(u, &tuple, &h->path, &info, ts_clock(u, &tuple));
}

/* A SYN in LISTEN; 'after': the last sequence number of an earlier connection of the same ends that
 * ours must lie beyond, or NULL. */
enum utcp_verdict
utcp_syn(struct utcp *u, const struct utcp_key *key, const struct wire_tcp *seg,
         const struct utcp_path *path, const uint32_t *after)
{
    struct utcp_syn_info info;

    if (!is_good_tuple(key->tuple)) {
        return UTCP_DROP_bad_address;
    }
    if (u->n_live + u->halves.n >= u->cfg.max_connections) {
        return UTCP_DROP_table_full;
    }
    info = read_syn(u, key->tuple, seg);
    if (u->halves.n >= u->cfg.max_half_open) {
        u->cookies_out = true;
        u->cookies_since_ms = u->now_ms;
        u->stats.cookies_sent++;
        info.iss = utcp_cookie_make(u, key->tuple, info.irs, info.mss);
        if (!(info.opts & HALF_TS)) {
            info.opts = 0;            /* Nothing would remember them. */
        }
        send_syn_ack(u, key->tuple, path, &info, utcp_cookie_ts(u, key->tuple, info.opts));
        return UTCP_ACCEPTED;
    }
    info.iss = isn(u, key->tuple);
    if (after && seq_le(info.iss, *after)) {
        info.iss = *after + 0x10000;
    }

    struct utcp_ends ends;

    if (!utcp_ends_make(u, key, &ends)) {
        return UTCP_DROP_table_full;
    }

    uint32_t idx = slab_alloc(&u->halves);

    if (idx == SLAB_NONE) {
        utcp_ends_free(u, &ends);
        return UTCP_DROP_table_full;
    }

    struct utcp_half *h = slab_at(&u->halves, idx);

    h->ends = ends;
    h->iss = info.iss;
    h->irs = info.irs;
    h->ts_recent = info.ts_recent;
    h->mss = info.mss;
    h->opts = info.opts;
    h->path = *path;
    h->n_tx = 1;
    utcp_table_put(&u->table, key->hash, UTCP_REF_HALF | idx);
    wheel_arm(&u->half_wheel, idx, u->now + SYN_RTO_US);
    send_half(u, idx);
    return UTCP_ACCEPTED;
}

void
utcp_half_free(struct utcp *u, uint32_t idx, uint32_t hash)
{
    struct utcp_half *h = slab_at(&u->halves, idx);

    wheel_disarm(&u->half_wheel, idx);
    utcp_table_remove(&u->table, hash, UTCP_REF_HALF | idx);
    utcp_ends_free(u, &h->ends);
    slab_free(&u->halves, idx);
}

/* A connection in ESTABLISHED, after the handshake that 'info' tells of; 'ends' become its own. */
static struct utcp_conn *
establish(struct utcp *u, const struct utcp_tuple *t, const struct utcp_ends *ends,
          const struct utcp_syn_info *info, const struct wire_tcp *seg)
{
    struct utcp_conn *c = utcp_conn_create(u, ends);

    if (!c) {
        return NULL;
    }
    c->state = UTCP_ESTABLISHED;
    c->flags = (info->opts & HALF_TS ? CONN_TS : 0) | (info->opts & HALF_SACK ? CONN_SACK : 0)
               | (info->opts & HALF_ECN ? CONN_ECN : 0);
    if (info->opts & HALF_WSCALE) {
        c->snd_wscale = info->opts & 0xf;
        c->rcv_wscale = u->rcv_wscale;
    }
    c->snd_una = c->snd_nxt = info->iss + 1;
    c->rcv_nxt = c->last_ack_sent = info->irs + 1;
    c->rcv_adv = c->rcv_nxt + MP_MIN(u->cfg.rcv_wnd_initial, (uint32_t) UINT16_MAX);
    /* RFC 9293 3.10.7.4, fifth, SYN-RECEIVED. */
    c->snd_wnd = c->max_snd_wnd = (uint32_t) seg->wnd << c->snd_wscale;
    c->snd_wl1 = seg->seq;
    c->snd_wl2 = seg->ack;
    c->ts_recent = info->ts_recent;
    c->ts_recent_ms = u->now_ms;
    c->ts_offset = utcp_hash32(u, t, UTCP_HASH_TS);
    c->mss = info->mss;
    c->reo_mult = 1;
    utcp_cc_init(c);
    utcp_rcvwnd_init(u, c);
    return c;
}

static void
opened(struct utcp *u, struct utcp_conn *c)
{
    u->stats.opened++;
    u->stats.ecn_opened += !!(c->flags & CONN_ECN);
    utcp_event(u, c, &(struct utcp_event) { .type = UTCP_EV_OPEN });
    utcp_timer_update(u, c);
}

/* The ACK that completes the handshake of 'idx'. */
static enum utcp_verdict
complete(struct utcp *u, const struct utcp_key *key, uint32_t idx, const struct wire_tcp *seg,
         const struct utcp_path *path)
{
    struct utcp_half *h = slab_at(&u->halves, idx);
    struct utcp_syn_info info = half_info(h);
    struct utcp_conn *c = establish(u, key->tuple, &h->ends, &info, seg);

    if (!c) {
        return UTCP_DROP_table_full;
    }
    if (h->n_tx > 1) {
        /* RFC 5681 3.1: a lost SYN-ACK costs the initial window; RFC 6298 (5.7): the next RTO is
         * 3 s, unless timestamps tell better below. */
        c->cwnd = c->mss;
        c->srtt_us = c->min_rtt_us = 1000000;
        c->rttvar_us = 500000;
    }
    if (info.opts & HALF_TS && seg->opts.has_ts) {
        uint32_t ms = u->now_ms - (seg->opts.ts_ecr - c->ts_offset);

        if (ms < 60000) {
            c->srtt_us = 0;
            utcp_rtt_sample(u, c, MP_MAX(ms * 1000, 1000));
        }
    } else if (h->n_tx == 1) {
        /* The wheel knows when it was sent. */
        uint32_t sent_ms = h->wheel_due - (uint32_t) (SYN_RTO_US / 1000);
        int32_t ms = seq_diff(u->now_ms, sent_ms);

        utcp_rtt_sample(u, c, (uint32_t) MP_MAX(ms, 1) * 1000);
    }
    wheel_disarm(&u->half_wheel, idx);
    utcp_table_replace(&u->table, key->hash, UTCP_REF_HALF | idx, UTCP_REF_CONN | c->idx);
    slab_free(&u->halves, idx);
    c->path = *path;
    opened(u, c);
    return utcp_conn_input(u, c, seg, path);
}

/* RFC 9293 3.10.7.4 in SYN-RECEIVED. */
enum utcp_verdict
utcp_half_input(struct utcp *u, const struct utcp_key *key, uint32_t idx,
                const struct wire_tcp *seg, const struct utcp_path *path)
{
    struct utcp_half *h = slab_at(&u->halves, idx);
    uint32_t rcv_nxt = h->irs + 1, len = wire_tcp_seg_len(seg);
    bool has_ts = h->opts & HALF_TS;

    /* The SYN again, so our SYN-ACK was lost, or is on its way.  MUST-10 does not apply: no SYN
     * of ours is out without an ACK. */
    if ((seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN && seg->seq == h->irs) {
        h->path = *path;
        if (!utcp_ecn_is_asked(u, seg)) {
            h->opts &= (uint8_t) ~HALF_ECN;     /* RFC 3168 6.1.1: then nobody may use it. */
        }
        send_half(u, idx);
        return UTCP_ACCEPTED;
    }
    if (has_ts && !seg->opts.has_ts && !(seg->flags & (TCP_RST | TCP_SYN))) {
        return UTCP_DROP_no_timestamp;
    }
    if (has_ts && seg->opts.has_ts && !(seg->flags & TCP_RST)
        && seq_lt(seg->opts.ts_val, h->ts_recent)) {
        send_half(u, idx);            /* RFC 7323 5.3 R1: answered with an ACK. */
        return UTCP_DROP_paws;
    }
    if (!seq_in(seg->seq, rcv_nxt, MP_MAX(u->cfg.rcv_wnd_initial, 1))
        && !(len && seq_in(seg->seq + len - 1, rcv_nxt, u->cfg.rcv_wnd_initial))) {
        if (!(seg->flags & TCP_RST)) {
            send_half(u, idx);        /* Its ACK is the right one. */
        }
        return UTCP_DROP_out_of_window;
    }
    if (seg->flags & TCP_RST) {
        if (seg->seq != rcv_nxt) {    /* RFC 5961 3.2. */
            u->stats.challenge_acks++;
            send_half(u, idx);
            return UTCP_DROP_bad_rst;
        }
        utcp_half_free(u, idx, key->hash);                  /* MUST-11: back to LISTEN. */
        return UTCP_ACCEPTED;
    }
    if (seg->flags & TCP_SYN) {
        u->stats.challenge_acks++;
        send_half(u, idx);
        return UTCP_DROP_bad_syn;
    }
    if (!(seg->flags & TCP_ACK)) {
        return UTCP_DROP_no_ack;
    }
    if (seg->ack != h->iss + 1) {
        utcp_reply_rst(u, key->tuple, path, seg);
        return UTCP_DROP_bad_ack;
    }
    return complete(u, key, idx, seg, path);
}

/* An ACK for no connection, while cookies are out. */
static enum utcp_verdict
cookie_input(struct utcp *u, const struct utcp_key *key, const struct wire_tcp *seg,
             const struct utcp_path *path)
{
    struct utcp_syn_info info;
    struct utcp_ends ends;

    if (!utcp_cookie_check(u, key->tuple, seg, &info)) {
        /* Only the first octet's sequence number fits a cookie: what is of a later one may belong to
         * a handshake whose ACK was lost or is late, and 3.10.7.2's RST would kill it.  So none
         * for what acknowledges something that looks like one of today's cookies. */
        if (!utcp_cookie_is_recent(u, seg->ack)) {
            utcp_reply_rst(u, key->tuple, path, seg);
        }
        return UTCP_DROP_bad_cookie;
    }
    if (u->n_live + u->halves.n >= u->cfg.max_connections || !utcp_ends_make(u, key, &ends)) {
        return UTCP_DROP_table_full;
    }
    info.mss = MP_MIN(info.mss, utcp_max_mss(u, utcp_ends_is_v6(&ends)));

    struct utcp_conn *c = establish(u, key->tuple, &ends, &info, seg);

    if (!c) {
        utcp_ends_free(u, &ends);
        return UTCP_DROP_table_full;
    }
    utcp_table_put(&u->table, key->hash, UTCP_REF_CONN | c->idx);
    c->flags |= CONN_COOKIE;
    c->path = *path;
    u->stats.cookies_accepted++;
    opened(u, c);
    return utcp_conn_input(u, c, seg, path);
}

/* RFC 9293 3.10.7.1 and 3.10.7.2: no connection has these ends. */
enum utcp_verdict
utcp_listen_input(struct utcp *u, const struct utcp_key *key, const struct wire_tcp *seg,
                  const struct utcp_path *path)
{
    bool is_listening = !u->cfg.port || key->tuple->local_port == u->cfg.port;
    uint8_t kind = seg->flags & (TCP_SYN | TCP_ACK | TCP_RST);

    if (kind == TCP_SYN && is_listening) {
        return utcp_syn(u, key, seg, path, NULL);
    }
    if (seg->flags & TCP_RST) {
        return UTCP_DROP_no_connection;
    }
    if (!is_good_tuple(key->tuple)) {
        return UTCP_DROP_bad_address;
    }
    if (kind == TCP_ACK && is_listening && utcp_cookies_are_out(u)) {
        return cookie_input(u, key, seg, path);
    }
    /* LISTEN ignores what is neither SYN nor ACK; CLOSED refuses it. */
    if (!is_listening || seg->flags & TCP_ACK) {
        utcp_reply_rst(u, key->tuple, path, seg);
    }
    return UTCP_DROP_no_connection;
}

/* The wheel has found that the SYN-ACK should go again (SHLD: RFC 6298 with back-off). */
void
utcp_half_run(struct utcp *u)
{
    uint32_t idx;

    while ((idx = wheel_next_expired(&u->half_wheel, u->now))) {
        struct utcp_half *h = slab_at(&u->halves, idx);
        /* So far SYN_RTO * (1 + 2 + .. + 2^(n_tx - 1)). */
        usec_t waited = SYN_RTO_US * ((INT64_C(1) << h->n_tx) - 1);

        if (waited >= u->cfg.syn_r2_us || h->n_tx >= 16) {
            struct utcp_tuple tuple = utcp_ends_tuple(u, &h->ends);

            utcp_half_free(u, idx, utcp_key(u, &tuple).hash);
            u->stats.half_open_expired++;
            continue;
        }
        wheel_arm(&u->half_wheel, idx, u->now + (SYN_RTO_US << h->n_tx));
        h->n_tx++;
        u->stats.retransmitted++;
        send_half(u, idx);
    }
}
