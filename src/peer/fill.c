/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* PUBLISHes on their way to a peer: from its queue into datagrams.  They leave as they are, or as the
 * bodies of DATA for a peer that understands those; packed, where that saves datagrams and it
 * understands that, too.  One thread. */
#include "peer/private.h"

#include <string.h>

#include "base/mem.h"
#include "peer/pack.h"

/* Bytes that wait for a peer beyond which those who publish are held back, until half of that is
 * gone: some milliseconds of a busy path. */
#define CONGESTED_BYTES 65536u

/* Fewer bytes are hardly smaller when they are packed. */
#define PACK_MIN 512u
/* When nothing is saved, as much leaves as it is before that is tried again; twice as much each
 * time, up to so many times. */
#define MAX_UNPACKABLE 7

uint32_t
peers_n_waiting(const struct peer *p)
{
    return p->queued_bytes + (p->cut ? p->cut->size - p->cut_at : 0);
}

void
peers_queue_publish(struct peers *ps, struct peer *p, struct mbuf *m)
{
    ring_put(&p->publishes, (uintptr_t) mbuf_ref(m));
    p->queued_bytes += m->size;
    ps->n_queued++;
    p->is_congested |= p->is_reliable && !p->is_stalled && peers_n_waiting(p) > CONGESTED_BYTES;
}

void
peers_relieve(struct peers *ps, struct peer *p)
{
    ps->n_relieved += p->is_congested;
    p->is_congested = false;
}

uint32_t
peers_n_relieved(const struct peers *ps)
{
    return ps->n_relieved;
}

static struct mbuf *
publish_take(struct peers *ps, struct peer *p)
{
    struct mbuf *m = (struct mbuf *) ring_take(&p->publishes);

    p->queued_bytes -= m->size;
    p->not_packed -= MP_MIN(p->not_packed, m->size);
    ps->n_queued--;
    return m;
}

static void
cut_begin(struct peers *ps, struct peer *p, struct mbuf *m, uint32_t n_publishes)
{
    p->cut = m;
    p->cut_at = 0;
    p->n_cut = n_publishes;
    ps->n_queued++;
}

/* Returns how many PUBLISHes it was. */
static uint32_t
cut_end(struct peers *ps, struct peer *p)
{
    uint32_t n = p->n_cut;

    if (p->cut) {
        mbuf_unref(p->cut);
        p->cut = NULL;
        p->n_cut = 0;
        ps->n_queued--;
    }
    return n;
}

uint32_t
peers_forget_publishes(struct peers *ps, struct peer *p)
{
    uint32_t n = cut_end(ps, p) + p->publishes.n;

    while (p->publishes.n) {
        mbuf_unref(publish_take(ps, p));
    }
    p->not_packed = 0;
    p->n_unpackable = 0;
    peers_relieve(ps, p);
    return n;
}

/* The body of the next DATA, at most. */
static uint32_t
max_next_body(const struct peer *p)
{
    return MP_MIN(peers_max_body(p), peers_n_waiting(p));
}

bool
peers_may_publish(const struct peer *p)
{
    if (!p->is_reliable) {
        return p->publishes.n;
    }
    return sendstream_has_lost(p->out)
           || (peers_n_waiting(p) && sendstream_may_send(p->out, max_next_body(p)));
}

/* The PUBLISHes at the head of the queue, packed, if that saves something.  Else they will leave as
 * they are. */
static bool
cut_packed(struct peers *ps, struct peer *p)
{
    uint8_t bytes[PACK_MAX];
    uint32_t n = 0, n_publishes = 0;
    struct mbuf *packed;

    for (; n_publishes < p->publishes.n; n_publishes++) {
        const struct mbuf *m = (const struct mbuf *) ring_at(&p->publishes, n_publishes);

        if (n + m->size > (n ? ps->config.max_pack_bytes : PACK_MAX)) {
            break;
        }
        memcpy(bytes + n, m->data, m->size);
        n += m->size;
    }
    if (n < PACK_MIN) {
        return false;                 /* What follows it is too large. */
    }
    packed = pack(bytes, n);
    if (!packed) {
        ps->stats.packed_vain++;
        p->not_packed = n << p->n_unpackable;
        p->n_unpackable += p->n_unpackable < MAX_UNPACKABLE;
        return false;
    }
    p->n_unpackable = 0;
    ps->stats.packed_out++;
    ps->stats.packed_bytes += n;
    ps->stats.packed_saved += n - packed->size;
    for (uint32_t i = 0; i < n_publishes; i++) {
        mbuf_unref(publish_take(ps, p));
    }
    cut_begin(ps, p, packed, n_publishes);
    return true;
}

/* Takes from the queue, which is not empty, what goes into DATA next.  'room' is what is left in the
 * present body: what fits there without being packed needs no datagram more. */
static void
cut_next(struct peers *ps, struct peer *p, uint32_t room)
{
    bool is_worthwhile = p->queued_bytes > room && p->queued_bytes >= PACK_MIN;

    if (!(p->unpacks && ps->config.max_pack_bytes && is_worthwhile && !p->not_packed
          && cut_packed(ps, p))) {
        cut_begin(ps, p, publish_take(ps, p), 1);
    }
}

/* A datagram of the reliable dialect, full of what waits: the path between two edges costs the same
 * for a small datagram as for a full one.  Nothing waits for more. */
static struct mbuf *
take_data(struct peers *ps, struct peer *p, usec_t now)
{
    struct peer_pdu pdu = { .start = PEER_PDU_NO_START };
    struct mbuf *m = sendstream_send_again(p->out, now);
    uint32_t at = PEER_PDU_DATA_SIZE, end = at + max_next_body(p);

    if (m) {
        ps->stats.data_sent_again++;
        return m;
    }
    m = mbuf_create(end);
    while (at < end && (p->cut || p->publishes.n)) {
        if (!p->cut) {
            cut_next(ps, p, end - at);
        }
        if (!p->cut_at && pdu.start == PEER_PDU_NO_START) {
            pdu.start = (uint16_t) (at - PEER_PDU_DATA_SIZE);
        }

        uint32_t n = MP_MIN(p->cut->size - p->cut_at, end - at);

        memcpy(m->data + at, p->cut->data + p->cut_at, n);
        at += n;
        p->cut_at += n;
        if (p->cut_at == p->cut->size) {
            uint32_t n_publishes = cut_end(ps, p);

            ps->stats.publishes_out += n_publishes;
            p->publishes_out += n_publishes;
        }
    }
    m->size = at;
    if (peers_n_waiting(p) <= CONGESTED_BYTES / 2) {
        peers_relieve(ps, p);
    }
    sendstream_send(p->out, m, &pdu, now);
    return m;
}

struct mbuf *
peers_take_publish(struct peers *ps, struct peer *p, usec_t now)
{
    if (p->is_reliable) {
        return take_data(ps, p, now);
    }
    ps->stats.publishes_out++;
    p->publishes_out++;
    return publish_take(ps, p);
}
