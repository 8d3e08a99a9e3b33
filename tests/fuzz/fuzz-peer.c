/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the peers.  The input is a program of datagrams, local changes, peers that come and
 * go, and time that passes.  What must hold: whatever leaves can be read, a PUBLISH leaves only
 * because a local client published, strict peers are not hurried, limits are kept, deadlines make
 * progress.  Links libpeer, libtopic, libwire, libbase and LZ4. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "peer/codec.h"
#include "peer/pdu.h"
#include "peer/peer.h"
#include "topic/topic.h"

#define N_ADDRS 4
#define MAX_FILTERS 8
#define MAX_QUEUED 4096

struct world {
    struct peers *ps;
    usec_t now;
    usec_t sent_at[N_ADDRS + 1];      /* To the strict peers; by last byte of the address. */
    uint64_t n_allowed;               /* PUBLISHes that local clients' messages may cause. */
    uint64_t n_publishes;
};

static struct peer_spec
spec_of(uint8_t n)
{
    struct peer_spec s = {
        .addr = addr_v4(0x0a000001u + n % N_ADDRS),
        .port = 1883,
        .strict = n & 1,
    };

    return s;
}

static void
drain(struct world *w)
{
    struct peer_datagram d;
    struct peer_event e;

    while (peers_next_event(w->ps, &e)) {
        if (e.type == PEER_EV_PUBLISH) {
            mp_assert(topic_name_is_valid(e.publish.topic));
            for (uint32_t i = 0; i < e.publish.payload.n; i++) {
                mp_assert(e.publish.payload.p[i] <= 255);     /* A sanitizer sees each byte. */
            }
        }
    }
    while (peers_next_datagram(w->ps, w->now, &d)) {
        struct slice bytes = { d.payload->data, d.payload->size };
        uint8_t n = d.to.addr.b[15];
        struct peer_packet pkt;
        struct peer_pdu pdu;

        if (peer_is_pdu(bytes)) {
            mp_assert(peer_pdu_parse(bytes, &pdu) && !d.to.strict && bytes.n <= 9000 - 28);
            mp_assert(pdu.type != PEER_PDU_PROBE || bytes.n == d.mtu - 28u);
        } else {
            mp_assert(peer_packet_parse(bytes, &pkt) == PEER_OK);
            mp_assert(bytes.n - pkt.size == (pkt.type == PEER_PKT_UNSUBSCRIBE));
            w->n_publishes += pkt.type == PEER_PKT_PUBLISH;
        }
        if (d.to.strict) {
            mp_assert(w->sent_at[n] < 0 || w->now - w->sent_at[n] >= 150 * CLOCK_MSEC);
            w->sent_at[n] = w->now;
        }
        mbuf_unref(d.payload);
    }
    mp_assert(w->n_publishes <= w->n_allowed);
    mp_assert(peers_stats(w->ps)->publishes_out <= w->n_allowed);
}

static void
time_passes(struct world *w, usec_t until)
{
    for (int turns = 0; peers_deadline(w->ps) <= until; turns++) {
        mp_assert(turns < 100000);
        w->now = MP_MAX(w->now, peers_deadline(w->ps));
        peers_run(w->ps, w->now);
        drain(w);
    }
    w->now = until;
}

static void
local_change(struct world *w, struct slice topic, uint8_t op)
{
    if (op == 0 && topic_filter_is_valid(topic)) {
        peers_subscribe(w->ps, topic, w->now);
    } else if (op == 1 && topic_filter_is_valid(topic)) {
        peers_unsubscribe(w->ps, topic, w->now);
    } else if (op == 2 && topic_name_is_valid(topic)) {
        w->n_allowed += N_ADDRS;
        peers_publish(w->ps, &(struct peer_publish) { topic, topic, topic.n & 1 }, w->now);
    }
}

static void
add_or_delete(struct world *w, uint8_t who, uint8_t which)
{
    struct peer_spec s = spec_of(who);

    if (which % 4) {
        peers_add(w->ps, &s, w->now);
    } else if (!peers_del(w->ps, &s.addr, s.port)) {
        w->sent_at[s.addr.b[15]] = -1;        /* A new one starts afresh. */
    }
}

static void
check_limits(const struct world *w)
{
    struct peer_info info;
    uint32_t pos = 0;

    while (peers_walk(w->ps, &pos, &info)) {
        struct slice filter;
        uint32_t n = 0;

        while (peers_walk_filters(w->ps, info.id, &n, &filter)) {
            mp_assert(topic_filter_is_valid(filter));
        }
        mp_assert(n == info.n_filters && n <= MAX_FILTERS);
        mp_assert(info.queued_bytes <= MAX_QUEUED);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct world w = { .now = 0 };
    struct peer_config config;

    peer_config_default(&config);
    config.max_filters_per_peer = MAX_FILTERS;
    config.max_queued_bytes = MAX_QUEUED;
    config.max_peers = 3;
    w.ps = peers_create(&config, w.now);
    for (int i = 0; i <= N_ADDRS; i++) {
        w.sent_at[i] = -1;
    }
    add_or_delete(&w, 0, 1);
    add_or_delete(&w, 1, 1);
    while (in.size) {
        uint8_t op = fuzz_take_u8(&in);
        uint8_t arg = fuzz_take_u8(&in);

        if (op % 8 < 3) {
            struct fuzz_input bytes = fuzz_take_bytes(&in, arg);

            local_change(&w, (struct slice) { bytes.data, (uint32_t) bytes.size }, op % 8);
        } else if (op % 8 < 6) {
            struct fuzz_input bytes = fuzz_take_bytes(&in, arg);
            struct slice datagram = { bytes.data, (uint32_t) bytes.size };
            struct peer_spec s = spec_of(op >> 3);

            peers_input(w.ps, &s.addr, s.port, s.via, datagram, w.now);
        } else if (op % 8 == 6) {
            add_or_delete(&w, op >> 3, arg);
        } else {
            time_passes(&w, w.now + (usec_t) arg * arg * 5 * CLOCK_MSEC);
        }
        if (!(op & 0x80)) {
            drain(&w);
        }
        check_limits(&w);
    }
    peers_destroy(w.ps);
    return 0;
}
