/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A simulated path: see net.h.  Frames under way are a binary heap by time of arrival. */
#include "sim/net.h"

#include <string.h>

#include "base/mem.h"

void
simnet_init(struct simnet *net, uint64_t seed)
{
    memset(net, 0, sizeof *net);
    prng_init(&net->prng, seed);
}

void
simnet_uninit(struct simnet *net)
{
    for (size_t i = 0; i < net->n; i++) {
        mem_free(net->heap[i].data);
    }
    mem_free(net->heap);
    if (net->pcap) {
        fclose(net->pcap);
    }
    memset(net, 0, sizeof *net);
}

void
simnet_trace(struct simnet *net, const char *pcap_file)
{
    static const uint32_t header[] = { 0xa1b2c3d4, 4u << 16 | 2, 0, 0, 65535, 1 };

    net->pcap = fopen(pcap_file, "wb");
    if (net->pcap) {
        fwrite(header, sizeof header, 1, net->pcap);
    }
}

static void
trace(struct simnet *net, const uint8_t *data, size_t n, usec_t now)
{
    uint32_t header[] = {
        (uint32_t) (now / CLOCK_SEC), (uint32_t) (now % CLOCK_SEC), (uint32_t) n, (uint32_t) n,
    };

    if (net->pcap) {
        fwrite(header, sizeof header, 1, net->pcap);
        fwrite(data, n, 1, net->pcap);
    }
}

static bool
is_before(const struct simnet_frame *a, const struct simnet_frame *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void
push(struct simnet *net, struct simnet_frame f)
{
    size_t i = net->n++;

    net->heap = mem_grow(net->heap, &net->size, net->n, sizeof *net->heap);
    for (; i && is_before(&f, &net->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        net->heap[i] = net->heap[(i - 1) / 2];
    }
    net->heap[i] = f;
}

static struct simnet_frame
pop(struct simnet *net)
{
    struct simnet_frame top = net->heap[0], last = net->heap[--net->n];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= net->n) {
            break;
        }
        if (child + 1 < net->n && is_before(&net->heap[child + 1], &net->heap[child])) {
            child++;
        }
        if (!is_before(&net->heap[child], &last)) {
            break;
        }
        net->heap[i] = net->heap[child];
        i = child;
    }
    net->heap[i] = last;
    return top;
}

static bool
chance(struct simnet *net, uint32_t per_mille)
{
    return prng_below(&net->prng, 1000) < per_mille;
}

static void
put_under_way(struct simnet *net, enum simnet_side to, const uint8_t *data, size_t n, usec_t now)
{
    const struct simnet_path *p = &net->path[to];
    struct simnet_frame f = { .order = net->order++, .to = to, .n = n };

    if (p->queue_max && net->n_under_way[to] >= p->queue_max) {
        net->n_lost++;
        return;
    }
    net->busy_until[to] = MP_MAX(net->busy_until[to], now) + p->frame_us;
    f.at = net->busy_until[to] + p->delay_us;
    if (p->jitter_us && chance(net, p->reorder)) {
        f.at += 1 + prng_below(&net->prng, (uint32_t) p->jitter_us);
    }
    f.data = mem_dup(data, n);
    if (chance(net, p->corrupt)) {
        /* One octet: no checksum may miss that. */
        f.data[prng_below(&net->prng, (uint32_t) n)] ^= (uint8_t) (1 + prng_below(&net->prng, 255));
        net->n_corrupted++;
    }
    net->n_under_way[to]++;
    push(net, f);
}

void
simnet_send(struct simnet *net, enum simnet_side to, const uint8_t *data, size_t n, usec_t now)
{
    trace(net, data, n, now);
    net->n_sent++;
    if (chance(net, net->path[to].loss)) {
        net->n_lost++;
        return;
    }
    put_under_way(net, to, data, n, now);
    if (chance(net, net->path[to].duplicate)) {
        put_under_way(net, to, data, n, now);
    }
}

usec_t
simnet_deadline(const struct simnet *net)
{
    return net->n ? net->heap[0].at : CLOCK_NEVER;
}

bool
simnet_receive(struct simnet *net, usec_t now, struct simnet_frame *f)
{
    if (!net->n || net->heap[0].at > now) {
        return false;
    }
    *f = pop(net);
    net->n_under_way[f->to]--;
    return true;
}
