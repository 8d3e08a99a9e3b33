/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The table of peers: configuration, life and death, time, events, what there is to show.  What is
 * told to peers is in tell.c, what is heard from them in hear.c.  There are few peers (a switch has
 * some dozens of neighbours, PEERS_LIMIT at most), so walks over all of them are fine; there may be
 * many filters, so those are never walked in one go.  One thread. */
#include "peer/private.h"

#include <errno.h>

#include "base/mem.h"
#include "peer/pack.h"

STATS_DEFINE(peer, PEER_STATS)

void
peer_config_default(struct peer_config *c)
{
    *c = (struct peer_config) {
        .refresh_us = 30 * CLOCK_SEC,
        .silent_us = 90 * CLOCK_SEC,
        .expire_us = 150 * CLOCK_SEC,
        .strict_gap_us = 170 * CLOCK_MSEC,    /* 150, and what queues on the way may eat. */
        .max_peers = 64,
        .max_filters_per_peer = 10000,
        .max_queued_bytes = 4 << 20,
        .max_pack_bytes = 16384,
        .max_levels = 200,
        .mtu = 1500,
        .max_mtu = 9000,
    };
}

struct peers *
peers_create(const struct peer_config *config, usec_t now)
{
    struct peers *ps = mem_zalloc(sizeof *ps);

    mp_assert(now >= 0 && config->refresh_us > 0 && config->silent_us > 0);
    ps->config = *config;
    ps->config.max_peers = MP_MIN(config->max_peers, PEERS_LIMIT);
    ps->config.max_pack_bytes = MP_MIN(config->max_pack_bytes, PACK_MAX);
    prng_init(&ps->prng, config->seed);
    ps->next_epoch = (uint32_t) prng_u64(&ps->prng);
    ps->remote = subtrie_create(&config->key);
    ps->local = subtrie_create(&config->key);
    slab_init(&ps->wants, sizeof(struct want), 0);
    ps->n_allowed = HEAR_BATCH;
    return ps;
}

static void
peer_destroy(struct peers *ps, struct peer *p)
{
    peers_forget_filters(ps, p);
    peers_forget_queues(ps, p);
    sendstream_destroy(p->out);
    recvstream_destroy(p->in);
    ps->slots[p->id - 1] = NULL;
    ps->n_peers--;
    mem_free(p);
}

void
peers_destroy(struct peers *ps)
{
    if (!ps) {
        return;
    }
    for (uint32_t i = 0; i < ps->n_slots; i++) {
        if (ps->slots[i]) {
            peer_destroy(ps, ps->slots[i]);
        }
    }
    while (ps->next_event < ps->n_events) {
        mbuf_unref(ps->events[ps->next_event++].hold);
    }
    mbuf_unref(ps->event_hold);
    mem_free(ps->events);
    peers_free_wants(ps);
    slab_uninit(&ps->wants);
    subtrie_destroy(ps->remote);
    subtrie_destroy(ps->local);
    subtrie_set_uninit(&ps->set);
    mem_free(ps);
}

int
peers_add(struct peers *ps, const struct peer_spec *spec, usec_t now)
{
    uint32_t free_slot = PEERS_LIMIT;

    for (uint32_t i = ps->n_slots; i-- > 0; ) {
        const struct peer *p = ps->slots[i];

        if (!p) {
            free_slot = i;
        } else if (addr_equal(&p->spec.addr, &spec->addr) && p->spec.port == spec->port
                   && p->spec.via == spec->via) {
            return EEXIST;
        }
    }
    if (ps->n_peers >= ps->config.max_peers) {
        return ENOSPC;
    }
    if (free_slot == PEERS_LIMIT) {
        free_slot = ps->n_slots++;
    }

    struct peer *p = mem_zalloc(sizeof *p);

    p->spec = *spec;
    p->id = free_slot + 1;
    p->last_heard_at = -1;
    pathmtu_init(&p->path, ps->config.mtu, spec->via == PEER_INBAND ? ps->config.max_mtu : 0);
    p->probe_token = (uint32_t) prng_u64(&ps->prng);
    p->expire_at = now + ps->config.refresh_us;
    ps->slots[free_slot] = p;
    ps->n_peers++;
    peers_begin_refresh(ps, p, now);
    return 0;
}

int
peers_del(struct peers *ps, const struct ip_addr *addr, uint16_t port)
{
    int error = ENOENT;

    for (uint32_t i = 0; i < ps->n_slots; i++) {
        struct peer *p = ps->slots[i];

        if (p && addr_equal(&p->spec.addr, addr) && p->spec.port == port) {
            peer_destroy(ps, p);
            error = 0;
        }
    }
    return error;
}

bool
peers_any(const struct peers *ps)
{
    return ps->n_peers > 0;
}

void
peers_put_event(struct peers *ps, const struct peer_event *event, struct mbuf *hold)
{
    if (ps->next_event == ps->n_events) {
        ps->next_event = ps->n_events = 0;
    }
    ps->events = mem_grow(ps->events, &ps->allocated_events, ps->n_events + 1,
                          sizeof *ps->events);
    ps->events[ps->n_events++] = (struct pending_event) { *event, hold };
}

bool
peers_next_event(struct peers *ps, struct peer_event *event)
{
    mbuf_unref(ps->event_hold);
    ps->event_hold = NULL;
    while (ps->next_event == ps->n_events) {
        if (!peers_hear_more(ps)) {
            return false;
        }
    }

    const struct pending_event *pending = &ps->events[ps->next_event++];

    *event = pending->event;
    ps->event_hold = pending->hold;
    return true;
}

/* When something is to be done about a stream that is not answered. */
static usec_t
stream_deadline(const struct peer *p)
{
    usec_t since;

    if (!p->is_reliable) {
        return CLOCK_NEVER;
    }
    since = sendstream_silent_since(p->out);
    if (since != CLOCK_NEVER) {
        since += p->is_stalled ? GONE_US : STALLED_US;
    }
    return clock_min(since, sendstream_deadline(p->out));
}

static void
run_stream(struct peers *ps, struct peer *p, usec_t now)
{
    usec_t since = sendstream_silent_since(p->out);

    sendstream_run(p->out, now);
    peers_check_path(ps, p);
    if (since == CLOCK_NEVER || now - since < STALLED_US) {
        return;
    }
    p->is_stalled = true;
    peers_relieve(ps, p);
    if (now - since >= GONE_US) {
        peers_end_stream(ps, p);
        p->deaf_until = p->has_answered ? now : now + DEAF_US;
    }
}

void
peers_run(struct peers *ps, usec_t now)
{
    ps->n_allowed = HEAR_BATCH;
    for (uint32_t i = 0; i < ps->n_slots; i++) {
        struct peer *p = ps->slots[i];

        if (!p) {
            continue;
        }
        if (now >= p->refresh_at) {
            peers_step_refresh(ps, p, now);
        }
        if (now >= p->expire_at) {
            peers_step_expiry(ps, p, now);
        }
        if (now >= stream_deadline(p)) {
            run_stream(ps, p, now);
        }
        if (now >= pathmtu_deadline(&p->path)) {
            p->probe_size = pathmtu_next_probe(&p->path, now);
        }
        if (p->up && now - p->last_heard_at >= ps->config.silent_us) {
            p->up = false;
            peers_put_event(ps, &(struct peer_event) { .type = PEER_EV_SILENT, .peer = p->id },
                            NULL);
        }
    }
}

usec_t
peers_deadline(const struct peers *ps)
{
    usec_t deadline = CLOCK_NEVER;

    for (uint32_t i = 0; i < ps->n_slots; i++) {
        const struct peer *p = ps->slots[i];

        if (p) {
            deadline = clock_min(deadline, clock_min(p->refresh_at, p->expire_at));
            if (p->up) {
                deadline = clock_min(deadline, p->last_heard_at + ps->config.silent_us);
            }
            deadline = clock_min(deadline, peers_send_at(p));
            deadline = clock_min(deadline, stream_deadline(p));
            deadline = clock_min(deadline, pathmtu_deadline(&p->path));
            if (p->in && recvstream_has_bytes(p->in)) {
                return 0;
            }
        }
    }
    return deadline;
}

bool
peers_walk(const struct peers *ps, uint32_t *pos, struct peer_info *info)
{
    while (*pos < ps->n_slots) {
        const struct peer *p = ps->slots[(*pos)++];

        if (p) {
            *info = (struct peer_info) {
                .id = p->id,
                .spec = p->spec,
                .up = p->up,
                .last_heard_at = p->last_heard_at,
                .n_filters = (uint32_t) p->n_filters,
                .queued_bytes = peers_n_waiting(p),
                .datagrams_in = p->datagrams_in,
                .datagrams_out = p->datagrams_out,
                .publishes_in = p->publishes_in,
                .publishes_out = p->publishes_out,
                .dropped = p->dropped,
                .mtu = p->path.size,
                .is_reliable = p->is_reliable,
                .unpacks = p->unpacks,
                .is_congested = p->is_congested,
            };
            if (p->out) {
                sendstream_info(p->out, &info->stream);
            }
            return true;
        }
    }
    return false;
}

bool
peers_walk_filters(const struct peers *ps, uint32_t id, uint32_t *pos, struct slice *filter)
{
    const struct peer *p = id && id <= ps->n_slots ? ps->slots[id - 1] : NULL;

    if (!p || *pos >= p->n_filters) {
        return false;
    }
    *filter = p->filters[(*pos)++].filter;
    return true;
}

const struct peer_stats *
peers_stats(const struct peers *ps)
{
    return &ps->stats;
}
