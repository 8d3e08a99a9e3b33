/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* TIME-WAIT: 64 bytes for what was a connection, in a list sorted by time because all wait equally
 * long (a FIN that comes again moves its entry to the end).  RFC 9293 3.10.7.4 for that state, RFC
 * 6191 for a new connection of the same ends. */
#include "utcp/utcp.h"

#include "utcp/conn.h"

static struct utcp_tw *
tw_at(const struct utcp *u, uint32_t idx)
{
    return slab_at(&u->tws, idx);
}

static void
append(struct utcp *u, uint32_t idx)
{
    struct utcp_tw *tw = tw_at(u, idx);

    tw->due_ms = u->now_ms + (uint32_t) (u->cfg.time_wait_us / 1000);
    tw->prev = u->tw_tail;
    tw->next = SLAB_NONE;
    if (u->tw_tail) {
        tw_at(u, u->tw_tail)->next = idx;
    } else {
        u->tw_head = idx;
    }
    u->tw_tail = idx;
}

static void
unlink_tw(struct utcp *u, uint32_t idx)
{
    struct utcp_tw *tw = tw_at(u, idx);

    if (tw->prev) {
        tw_at(u, tw->prev)->next = tw->next;
    } else {
        u->tw_head = tw->next;
    }
    if (tw->next) {
        tw_at(u, tw->next)->prev = tw->prev;
    } else {
        u->tw_tail = tw->prev;
    }
}

static void
free_tw(struct utcp *u, uint32_t idx, uint32_t hash)
{
    struct utcp_tw *tw = tw_at(u, idx);

    unlink_tw(u, idx);
    utcp_table_remove(&u->table, hash, UTCP_REF_TW | idx);
    utcp_ends_free(u, &tw->ends);
    slab_free(&u->tws, idx);
}

static void
free_oldest(struct utcp *u)
{
    uint32_t idx = u->tw_head;
    struct utcp_tuple tuple = utcp_ends_tuple(u, &tw_at(u, idx)->ends);

    free_tw(u, idx, utcp_key(u, &tuple).hash);
}

void
utcp_tw_take_over(struct utcp *u, struct utcp_conn *c)
{
    struct utcp_tuple tuple = utcp_ends_tuple(u, &c->ends);

    if (u->tws.n >= u->cfg.max_connections) {
        free_oldest(u);
    }

    uint32_t idx = slab_alloc(&u->tws);

    mp_assert(idx);

    struct utcp_tw *tw = tw_at(u, idx);

    tw->ends = c->ends;
    tw->snd_nxt = c->snd_nxt;
    tw->rcv_nxt = c->rcv_nxt;
    tw->has_ts = c->flags & CONN_TS;
    tw->ts_recent = c->ts_recent;
    tw->path = c->path;
    tw->has_dscp = c->flags & CONN_DSCP;
    append(u, idx);
    utcp_table_replace(&u->table, utcp_key(u, &tuple).hash, UTCP_REF_CONN | c->idx,
                       UTCP_REF_TW | idx);
}

/* The connection becomes a TIME-WAIT entry, which takes over its ends and its place in the table. */
void
utcp_tw_enter(struct utcp *u, struct utcp_conn *c)
{
    struct utcp_tuple tuple = utcp_ends_tuple(u, &c->ends);

    if (c->flags & CONN_ACK_NOW) {
        /* The last ACK; without a connection there is nobody to owe it. */
        struct utcp_segment *s = utcp_reply(u, &tuple, &c->path);

        if (s) {
            s->tos = utcp_conn_ds(u, c);
            s->tcp.flags = TCP_ACK;
            s->tcp.seq = c->snd_nxt;
            s->tcp.ack = c->rcv_nxt;
            s->tcp.wnd = (uint16_t) MP_MIN((c->rcv_adv - c->rcv_nxt) >> c->rcv_wscale, 0xffffu);
            s->tcp.opts.has_ts = c->flags & CONN_TS;
            s->tcp.opts.ts_val = utcp_ts_now(u, c);
            s->tcp.opts.ts_ecr = c->ts_recent;
            u->stats.acks_out++;
        }
    }
    utcp_tw_take_over(u, c);
    c->state = UTCP_TIME_WAIT;
    utcp_conn_kill(u, c, UTCP_CLOSE_NORMAL);
}

/* At a limited rate, or a peer that finds our ACK unacceptable and we could go on for ever. */
static void
reply_ack(struct utcp *u, const struct utcp_key *key, struct utcp_tw *tw,
          const struct utcp_path *path)
{
    uint8_t second = (uint8_t) (u->now_ms / 1000);

    if (tw->acks_s != second) {
        tw->acks_s = second;
        tw->acks_n = 0;
    }
    if (tw->acks_n >= UTCP_CHALLENGES_PER_S) {
        u->stats.challenge_acks_limited++;
        return;
    }
    tw->acks_n++;

    struct utcp_segment *s = utcp_reply(u, key->tuple, path);

    if (s) {
        s->tos = tw->has_dscp ? tw->path.tos : s->tos;
        s->tcp.flags = TCP_ACK;
        s->tcp.seq = tw->snd_nxt;
        s->tcp.ack = tw->rcv_nxt;
        s->tcp.opts.has_ts = tw->has_ts;
        s->tcp.opts.ts_val = u->now_ms + utcp_hash32(u, key->tuple, UTCP_HASH_TS);
        s->tcp.opts.ts_ecr = tw->ts_recent;
        u->stats.acks_out++;
    }
}

/* RFC 6191 section 2, RFC 9293 MAY-2. */
static bool
may_reopen(const struct utcp_tw *tw, const struct wire_tcp *seg)
{
    if (tw->has_ts && seg->opts.has_ts && seg->opts.ts_val != tw->ts_recent) {
        return seq_gt(seg->opts.ts_val, tw->ts_recent);
    }
    return seq_gt(seg->seq, tw->rcv_nxt);
}

enum utcp_verdict
utcp_tw_input(struct utcp *u, const struct utcp_key *key, uint32_t idx,
              const struct wire_tcp *seg, const struct utcp_path *path)
{
    struct utcp_tw *tw = tw_at(u, idx);
    uint32_t len = wire_tcp_seg_len(seg);

    if (seg->flags & TCP_RST) {
        /* RFC 1337: TIME-WAIT is not assassinated, unless by the very sequence number. */
        if (seg->seq != tw->rcv_nxt) {
            return UTCP_DROP_bad_rst;
        }
        free_tw(u, idx, key->hash);
        return UTCP_ACCEPTED;
    }
    if (seg->flags & TCP_SYN) {
        if (!(seg->flags & TCP_ACK) && may_reopen(tw, seg)) {
            uint32_t snd_nxt = tw->snd_nxt;

            free_tw(u, idx, key->hash);
            return utcp_syn(u, key, seg, path, &snd_nxt);
        }
        reply_ack(u, key, tw, path);
        return UTCP_DROP_bad_syn;
    }
    if (!(seg->flags & TCP_ACK)) {
        return UTCP_DROP_no_ack;
    }
    if (seg->flags & TCP_FIN && seg->seq + len == tw->rcv_nxt) {
        /* The peer's FIN again: our last ACK was lost.  Acknowledge it and restart the time. */
        unlink_tw(u, idx);
        append(u, idx);
        reply_ack(u, key, tw, path);
        return UTCP_ACCEPTED;
    }
    if (!len && seg->seq == tw->rcv_nxt) {
        return UTCP_ACCEPTED;
    }
    reply_ack(u, key, tw, path);
    return UTCP_DROP_out_of_window;
}

void
utcp_tw_run(struct utcp *u)
{
    while (u->tw_head && seq_le(tw_at(u, u->tw_head)->due_ms, u->now_ms)) {
        free_oldest(u);
    }
}

usec_t
utcp_tw_deadline(const struct utcp *u)
{
    if (!u->tw_head) {
        return CLOCK_NEVER;
    }
    return (u->now / 1000 + utcp_ms_left(u, tw_at(u, u->tw_head)->due_ms)) * CLOCK_MSEC;
}
