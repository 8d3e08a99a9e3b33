/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The queue of outgoing frames: see outq.h. */
#include "net/outq.h"

#include "base/mem.h"

#define IP4_HLEN 20
#define IP6_HLEN 40
#define IP6_FRAG_HLEN 8

void
net_outq_init(struct net_outq *q, const struct net_config *config)
{
    *q = (struct net_outq) {
        .mtu = config->mtu,
        .max_mtu = config->max_mtu,
        .key = config->key,
        .max_bytes = config->max_out_bytes,
    };
}

uint32_t
net_outq_clear(struct net_outq *q)
{
    uint32_t n = 0;

    while (q->head) {
        struct net_out *out = q->head;

        q->head = out->next;
        net_outq_drop(q, out);
        n++;
    }
    return n;
}

void
net_outq_uninit(struct net_outq *q)
{
    net_outq_clear(q);
}

static size_t
true_size(const struct mbuf *data)
{
    return sizeof(struct net_out) + sizeof *data + data->size;
}

struct net_out *
net_outq_new(struct net_outq *q, enum net_out_kind kind, struct mbuf *data)
{
    if (q->bytes + true_size(data) > q->max_bytes) {
        return NULL;
    }

    struct net_out *out = mem_zalloc(sizeof *out);

    out->kind = kind;
    out->mtu = q->mtu;
    out->data = mbuf_ref(data);
    q->bytes += true_size(data);
    return out;
}

/* RFC 7739 5.3: an identification that others can neither foretell nor learn by watching what we
 * send to them: a counter, of few destinations, from a start of this one's own. */
static uint32_t
next_id(struct net_outq *q, const struct net_out *out)
{
    const struct ip_addr pair[2] = { out->local, out->remote };
    uint64_t hash = siphash(&q->key, pair, sizeof pair);

    return (uint32_t) (hash >> 32) + q->next_id[hash % NET_OUTQ_IDS]++;
}

void
net_outq_put(struct net_outq *q, struct net_out *out)
{
    if (out->kind != NET_OUT_FRAME) {
        out->id = next_id(q, out);
    }
    out->next = NULL;
    if (q->head) {
        q->tail->next = out;
    } else {
        q->head = out;
    }
    q->tail = out;
}

void
net_outq_drop(struct net_outq *q, struct net_out *out)
{
    q->bytes -= true_size(out->data);
    mbuf_unref(out->data);
    mem_free(out);
}

static struct wire_l3
addressing(const struct net_out *out)
{
    return (struct wire_l3) {
        .dst_mac = out->l2.dst,
        .src_mac = out->l2.src,
        .tags = { out->l2.tags[0], out->l2.tags[1] },
        .n_tags = out->l2.n_tags,
        .src = out->local,
        .dst = out->remote,
        .ttl = out->ttl,
        .tos = out->tos,
        .id = (uint16_t) out->id,
        .df = out->df,
    };
}

/* Takes the next packet out of a transport payload.  Returns where the frame starts; '*n' is what
 * of the payload follows its headers at 'payload'. */
static uint8_t *
cut_l4(struct net_out *out, uint8_t *payload, size_t *n, struct net_stats *stats)
{
    struct wire_l3 l3 = addressing(out);
    bool v4 = addr_is_v4(&out->local);
    uint32_t left = out->data->size - out->off;
    uint32_t whole = out->mtu - (v4 ? IP4_HLEN : IP6_HLEN);
    struct wire_fragment frag = {
        .proto = out->proto, .id = out->id, .off = (uint16_t) out->off,
    };

    if (!out->off && left <= whole) {
        memcpy(payload, out->data->data, left);
        out->off += left;
        *n = left;
        return wire_build_l4(&l3, out->proto, payload, left);
    }

    uint32_t room = (v4 ? whole : whole - IP6_FRAG_HLEN) & ~7u;

    frag.more = left > room;
    *n = frag.more ? room : left;
    memcpy(payload, out->data->data + out->off, *n);
    out->off += (uint32_t) *n;
    stats->fragments_out++;
    return wire_build_fragment(&l3, &frag, payload, *n);
}

bool
net_outq_next(struct net_outq *q, struct net_stats *stats, uint8_t *buf, size_t size,
              struct net_tx *tx)
{
    struct net_out *out = q->head;
    uint8_t *payload = buf + WIRE_HEADROOM;
    bool done = true;

    mp_assert(size >= q->max_mtu + WIRE_HEADROOM);
    if (!out) {
        return false;
    }

    size_t n = out->data->size;

    switch (out->kind) {
    case NET_OUT_FRAME:
        mp_assert(n <= size);
        tx->data = payload = memcpy(buf, out->data->data, n);
        break;

    case NET_OUT_UDP: {
        struct wire_l3 l3 = addressing(out);

        mp_assert(n <= q->max_mtu);
        memcpy(payload, out->data->data, n);
        tx->data = wire_build_udp(&l3, out->local_port, out->remote_port, payload, n);
        break;
    }

    case NET_OUT_L4:
        tx->data = cut_l4(out, payload, &n, stats);
        done = out->off == out->data->size;
        break;
    }
    tx->n = (size_t) (payload + n - tx->data);
    tx->flood = out->l2.flood;
    tx->port = out->l2.port;
    stats->frames_out++;
    if (done) {
        q->head = out->next;
        net_outq_drop(q, out);
    }
    return true;
}
