/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What we tell peers.  Subscriptions are state, not messages: a peer's 'control' queue holds the
 * filters of which it has to be told, each once, and only when the datagram leaves is it decided
 * whether it says SUBSCRIBE or UNSUBSCRIBE.  So a client that flaps cannot fill the queue of a slow
 * peer, and nothing stale is ever sent.  PUBLISHes are messages: one body, shared by the peers that
 * want it, in a queue with a limit in bytes, from which fill.c takes them.  One thread. */
#include "peer/private.h"

#include <string.h>

#include "base/mem.h"
#include "topic/topic.h"

/* Packet identifiers of our SUBSCRIBEs.  The prototype takes any; its own clients mostly sent 1. */
#define PACKET_ID 1

/* A filter waits in 'control' for the price of a small datagram. */
#define CONTROL_COST 32

/* IP and UDP headers. */
#define HEADERS_V4 28u
#define HEADERS_V6 48u

enum control_reason { CONTROL_CHANGED, CONTROL_REPEATED };

static struct want *
want_at(const struct peers *ps, uint32_t idx)
{
    return slab_at(&ps->wants, idx);
}

static struct slice
want_filter(const struct want *w)
{
    return (struct slice) { w->filter, w->len };
}

static uint32_t
want_add(struct peers *ps, struct slice filter)
{
    uint32_t idx = slab_alloc(&ps->wants);
    struct want *w = want_at(ps, idx);

    w->filter = mem_dup(filter.p, filter.n);
    w->len = filter.n;
    w->prev = ps->last_want;
    if (w->prev) {
        want_at(ps, w->prev)->next = idx;
    } else {
        ps->first_want = idx;
    }
    ps->last_want = idx;
    subtrie_put(ps->local, filter, 0, idx);
    return idx;
}

static void
want_free(struct peers *ps, uint32_t idx)
{
    struct want *w = want_at(ps, idx);

    if (w->prev) {
        want_at(ps, w->prev)->next = w->next;
    } else {
        ps->first_want = w->next;
    }
    if (w->next) {
        want_at(ps, w->next)->prev = w->prev;
    } else {
        ps->last_want = w->prev;
    }
    for (uint32_t i = 0; i < ps->n_slots; i++) {
        if (ps->slots[i] && ps->slots[i]->refresh_next == idx) {
            ps->slots[i]->refresh_next = w->next;
        }
    }
    subtrie_remove(ps->local, want_filter(w), 0);
    mem_free(w->filter);
    slab_free(&ps->wants, idx);
}

void
peers_free_wants(struct peers *ps)
{
    while (ps->first_want) {
        want_free(ps, ps->first_want);
    }
}

/* When SUBSCRIBEs and UNSUBSCRIBEs may go on: at once up to a burst, then in steps. */
static usec_t
control_at(const struct peer *p)
{
    return p->n_burst < CONTROL_BURST ? p->send_at : MP_MAX(p->send_at, p->burst_at + CONTROL_STEP_US);
}

uint32_t
peers_headers(const struct peer *p)
{
    return addr_is_v4(&p->spec.addr) ? HEADERS_V4 : HEADERS_V6;
}

uint32_t
peers_max_body(const struct peer *p)
{
    return p->path.size - peers_headers(p) - PEER_PDU_DATA_SIZE;
}

void
peers_path_changed(struct peer *p)
{
    if (p->out) {
        sendstream_set_largest(p->out, peers_max_body(p));
    }
}

/* No more is known of it than that it carries the base. */
static void
forget_path(struct peer *p)
{
    pathmtu_black_hole(&p->path);
    peers_path_changed(p);
    p->probe_size = 0;
}

/* The path may carry less than it did. */
void
peers_check_path(struct peers *ps, struct peer *p)
{
    if (p->path.size > p->path.base
        && sendstream_is_stuck(p->out, p->path.base - peers_headers(p))) {
        ps->stats.black_holes++;
        forget_path(p);
    }
}

usec_t
peers_send_at(const struct peer *p)
{
    usec_t at = p->control.n ? control_at(p) : CLOCK_NEVER;

    if (p->found_size || p->probe_size) {
        return 0;
    }
    if (peers_may_publish(p)) {
        at = clock_min(at, p->send_at);
    }
    return p->in ? clock_min(at, recvstream_ack_at(p->in)) : at;
}

static void
count_control(struct peer *p, usec_t now)
{
    if (now - p->burst_at >= CONTROL_STEP_US) {
        p->burst_at = now;
        p->n_burst = 0;
    }
    p->n_burst++;
}

/* Has peer 'p' told of want 'idx', if it is not about to be anyway.  At the limit a SUBSCRIBE is
 * repaired by the next repetition; that an UNSUBSCRIBE is not costs superfluous PUBLISHes. */
static void
control_put(struct peers *ps, struct peer *p, uint32_t idx, enum control_reason reason)
{
    struct want *w = want_at(ps, idx);
    uint32_t slot = p->id - 1;
    uint64_t bit = UINT64_C(1) << slot % 64;

    if (w->queued[slot / 64] & bit) {
        return;                       /* Whatever the reason was, it is told once. */
    }
    if (p->control.n >= MP_MAX(ps->config.max_queued_bytes / CONTROL_COST, REFRESH_BATCH)) {
        ps->stats.queue_full++;
        p->dropped++;
        return;
    }
    w->queued[slot / 64] |= bit;
    w->n_queued++;
    ring_put(&p->control, (uintptr_t) idx << 1 | reason);
    ps->n_queued++;
}

/* Takes the next want out of the queue.  The caller frees it when it is of no more use. */
static uint32_t
control_take(struct peers *ps, struct peer *p, enum control_reason *reason)
{
    uintptr_t item = ring_take(&p->control);
    uint32_t idx = (uint32_t) (item >> 1);
    struct want *w = want_at(ps, idx);
    uint32_t slot = p->id - 1;

    w->queued[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    w->n_queued--;
    ps->n_queued--;
    *reason = item & 1 ? CONTROL_REPEATED : CONTROL_CHANGED;
    return idx;
}

static void
want_free_if_unused(struct peers *ps, uint32_t idx)
{
    const struct want *w = want_at(ps, idx);

    if (!w->wanted && !w->n_queued) {
        want_free(ps, idx);
    }
}

void
peers_forget_queues(struct peers *ps, struct peer *p)
{
    while (p->control.n) {
        enum control_reason reason;

        want_free_if_unused(ps, control_take(ps, p, &reason));
    }
    peers_forget_publishes(ps, p);
    ring_uninit(&p->control);
    ring_uninit(&p->publishes);
}

void
peers_end_stream(struct peers *ps, struct peer *p)
{
    if (p->is_reliable) {
        uint32_t n = peers_forget_publishes(ps, p);

        ps->stats.data_given_up += sendstream_abandon(p->out);
        ps->stats.stale += n;
        p->dropped += n;
    }
    p->is_reliable = p->is_stalled = p->unpacks = false;
    forget_path(p);
}

static void
tell_all(struct peers *ps, uint32_t idx)
{
    for (uint32_t i = 0; i < ps->n_slots; i++) {
        if (ps->slots[i]) {
            control_put(ps, ps->slots[i], idx, CONTROL_CHANGED);
        }
    }
}

void
peers_subscribe(struct peers *ps, struct slice filter, usec_t now)
{
    const struct subtrie_entry *e = subtrie_find(ps->local, filter, 0);
    uint32_t idx;

    (void) now;
    if (filter.n > PEER_MAX_FILTER) {
        ps->stats.too_big++;
        return;
    }
    idx = e ? e->value : want_add(ps, filter);
    if (!want_at(ps, idx)->wanted) {
        want_at(ps, idx)->wanted = true;
        tell_all(ps, idx);
    }
}

void
peers_unsubscribe(struct peers *ps, struct slice filter, usec_t now)
{
    const struct subtrie_entry *e = subtrie_find(ps->local, filter, 0);

    (void) now;
    if (e && want_at(ps, e->value)->wanted) {
        uint32_t idx = e->value;

        want_at(ps, idx)->wanted = false;
        tell_all(ps, idx);
        want_free_if_unused(ps, idx);
    }
}

void
peers_unsubscribe_all(struct peers *ps, usec_t now)
{
    uint32_t idx = ps->first_want;

    (void) now;
    while (idx) {
        struct want *w = want_at(ps, idx);
        uint32_t next = w->next;

        if (w->wanted) {
            w->wanted = false;
            tell_all(ps, idx);
            want_free_if_unused(ps, idx);
        }
        idx = next;
    }
}

/* Begins to tell 'p' all that we want, and plans when to do so again: within 20 % of the period, so
 * that proxies that were started together do not stay in step. */
void
peers_begin_refresh(struct peers *ps, struct peer *p, usec_t now)
{
    usec_t fifth = ps->config.refresh_us / 5;
    uint32_t range = (uint32_t) MP_MIN(2 * fifth + 1, (usec_t) UINT32_MAX);

    p->refresh_next = ps->first_want;
    p->refresh_start_at = now + ps->config.refresh_us - fifth + prng_below(&ps->prng, range);
    p->refresh_at = now;
    peers_step_refresh(ps, p, now);
}

void
peers_step_refresh(struct peers *ps, struct peer *p, usec_t now)
{
    usec_t step = p->spec.strict ? REFRESH_BATCH * ps->config.strict_gap_us : REFRESH_STEP_US;
    uint32_t batch = REFRESH_BATCH;

    if (!p->refresh_next && now >= p->refresh_start_at) {
        peers_begin_refresh(ps, p, now);
        return;
    }
    for (; p->refresh_next && batch && p->control.n < REFRESH_BATCH; batch--) {
        uint32_t idx = p->refresh_next;

        p->refresh_next = want_at(ps, idx)->next;
        if (want_at(ps, idx)->wanted) {
            control_put(ps, p, idx, CONTROL_REPEATED);
        }
    }
    /* A strict peer may be told slower than the period: then the next begins when this ends. */
    p->refresh_at = p->refresh_next ? now + MP_MAX(step, 1) : MP_MAX(p->refresh_start_at, now + 1);
}

/* What the prototype can decode: unlike a topic, a payload may hold U+0000. */
static bool
payload_is_utf8(struct slice s)
{
    while (s.n) {
        const uint8_t *nul = memchr(s.p, 0, s.n);
        uint32_t n = nul ? (uint32_t) (nul - s.p) : s.n;

        if (!topic_utf8_is_valid((struct slice) { s.p, n })) {
            return false;
        }
        n += nul != NULL;
        s = (struct slice) { s.p + n, s.n - n };
    }
    return true;
}

enum obstacle { OBSTACLE_NONE, OBSTACLE_NOT_UTF8, OBSTACLE_TOO_BIG, OBSTACLE_FULL };

static enum obstacle
obstacle_to(const struct peers *ps, const struct peer *p, const struct peer_publish *pub, size_t size)
{
    uint32_t max = ps->config.max_queued_bytes;

    if (p->spec.strict && !payload_is_utf8(pub->payload)) {
        return OBSTACLE_NOT_UTF8;     /* It would kill the prototype's only thread. */
    } else if (size > PEER_MAX_DATAGRAM && !p->is_reliable) {
        return OBSTACLE_TOO_BIG;
    }
    return size > max || peers_n_waiting(p) > max - size ? OBSTACLE_FULL : OBSTACLE_NONE;
}

/* What could not be queued for a peer, or for several. */
static void
count_obstacle(struct peers *ps, struct peer *p, enum obstacle obstacle, bool *said_too_big)
{
    switch (obstacle) {
    case OBSTACLE_NONE:
        return;
    case OBSTACLE_NOT_UTF8:
        ps->stats.not_utf8++;
        break;
    case OBSTACLE_TOO_BIG:
        ps->stats.too_big += !*said_too_big;
        *said_too_big = true;
        break;
    case OBSTACLE_FULL:
        ps->stats.queue_full++;
        break;
    }
    p->dropped++;
}

bool
peers_publish(struct peers *ps, const struct peer_publish *pub, usec_t now)
{
    uint64_t done[PEERS_LIMIT / 64] = { 0 };
    size_t size = peer_publish_size(pub);
    bool is_congested = false, is_too_big = false;
    struct mbuf *m = NULL;

    (void) now;
    subtrie_match(ps->remote, pub->topic, &ps->set);
    for (size_t i = 0; i < ps->set.n; i++) {
        uint32_t slot = ps->set.entries[i].subscriber - 1;
        struct peer *p = ps->slots[slot];
        uint64_t bit = UINT64_C(1) << slot % 64;

        if (done[slot / 64] & bit) {
            continue;                 /* Several of its filters match: once is enough. */
        }
        done[slot / 64] |= bit;

        enum obstacle obstacle = obstacle_to(ps, p, pub, size);

        count_obstacle(ps, p, obstacle, &is_too_big);
        if (obstacle == OBSTACLE_NONE) {
            m = m ? m : peer_build_publish(pub);
            peers_queue_publish(ps, p, m);
            is_congested |= p->is_congested;
        }
    }
    if (is_too_big) {
        peers_put_event(ps, &(struct peer_event) { .type = PEER_EV_TOO_BIG, .size = size }, NULL);
    }
    mbuf_unref(m);
    return is_congested;
}

static struct mbuf *
take_control(struct peers *ps, struct peer *p)
{
    enum control_reason reason;
    uint32_t idx = control_take(ps, p, &reason);
    const struct want *w = want_at(ps, idx);
    struct peer_filter f = { .filter = want_filter(w), .packet_id = PACKET_ID };
    struct mbuf *m;

    if (reason == CONTROL_REPEATED && !p->spec.strict) {
        f.packet_id = PEER_RELIABLE_ID;
    }

    if (w->wanted) {
        m = peer_build_subscribe(&f);
        ps->stats.subscribes_out++;
    } else {
        m = peer_build_unsubscribe(&f);
        ps->stats.unsubscribes_out++;
    }
    want_free_if_unused(ps, idx);
    return m;
}

static struct mbuf *
take_found(struct peer *p)
{
    struct mbuf *m = mbuf_create(PEER_PDU_FOUND_SIZE);
    struct peer_pdu pdu = {
        .type = PEER_PDU_FOUND, .token = p->found_token, .size = p->found_size,
    };

    peer_pdu_write(&pdu, m->data);
    p->found_size = 0;
    return m;
}

static struct mbuf *
take_probe(struct peers *ps, struct peer *p)
{
    struct mbuf *m = mbuf_create(p->probe_size - peers_headers(p));
    struct peer_pdu pdu = { .type = PEER_PDU_PROBE, .token = p->probe_token };

    memset(m->data, 0, m->size);
    peer_pdu_write(&pdu, m->data);
    p->probe_size = 0;
    ps->stats.probes_out++;
    return m;
}

/* The next datagram to 'p', which has one.  The two queues take turns, so that neither a long list
 * of filters nor a flood of PUBLISHes starves the other towards a slow peer. */
static struct mbuf *
take_datagram(struct peers *ps, struct peer *p, usec_t now, uint16_t *mtu)
{
    bool may_control = p->control.n && now >= control_at(p);
    struct mbuf *m;

    *mtu = p->path.base;              /* Nobody would know that more did not arrive... */
    if (p->in && now >= recvstream_ack_at(p->in)) {
        m = recvstream_build_ack(p->in, ps->config.max_pack_bytes ? PEER_PDU_UNPACKS : 0);
    } else if (p->found_size) {
        m = take_found(p);
    } else if (p->probe_size) {
        *mtu = p->probe_size;
        m = take_probe(ps, p);
    } else if (peers_may_publish(p) && (p->publish_first || !may_control)) {
        *mtu = p->is_reliable ? p->path.size : p->path.base;      /* ...but of DATA. */
        m = peers_take_publish(ps, p, now);
        p->publish_first = false;
    } else {
        m = take_control(ps, p);
        count_control(p, now);
        p->publish_first = true;
    }
    ps->stats.datagrams_out++;
    ps->stats.bytes_out += m->size;
    p->datagrams_out++;
    return m;
}

bool
peers_is_idle(const struct peers *ps)
{
    for (uint32_t i = 0; i < ps->n_slots; i++) {
        const struct peer *p = ps->slots[i];

        if (p && p->out && sendstream_silent_since(p->out) != CLOCK_NEVER) {
            return false;
        }
        if (p && p->in && recvstream_has_bytes(p->in)) {
            return false;
        }
    }
    return !ps->n_queued;
}

bool
peers_next_datagram(struct peers *ps, usec_t now, struct peer_datagram *d)
{
    for (uint32_t i = 0; i < ps->n_slots; i++) {
        uint32_t slot = (ps->turn + i) % ps->n_slots;
        struct peer *p = ps->slots[slot];

        if (p && now >= peers_send_at(p)) {
            d->to = p->spec;
            d->payload = take_datagram(ps, p, now, &d->mtu);
            if (p->spec.strict) {
                p->send_at = now + ps->config.strict_gap_us;
            }
            ps->turn = slot + 1;
            return true;
        }
    }
    return false;
}
