/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Clients that try to hurt: each attack is bounded in memory and in work, is counted, and a victim
 * that does what clients do beside it does not notice.  Work is counted as what lists may have to be
 * walked, not in time. */
#include "unit/utcp-peer.h"

#include "sim/invariants.h"

#define OOO_MAX (2 * (32768 + 2920) + 1500)   /* Twice a near window, and a segment. */

static uint8_t octets[4u << 20];

/* An endpoint with a victim on it. */
struct scene {
    struct utcp *u;
    usec_t now;
    struct peer victim;
    utcp_id victim_id;
    uint32_t n_pings;
};

static void
drain(struct scene *s)
{
    struct utcp_segment seg;

    while (next(s->u, s->now, &seg)) {
        continue;
    }
}

static utcp_id
open_peer(struct scene *s, struct peer *p, uint32_t number, const struct wire_tcp_opts *opts)
{
    peer_init(p, number);
    return peer_syn(s->u, p, opts, s->now) ? peer_ack(s->u, p, s->now) : 0;
}

static const struct wire_tcp_opts plain_syn = {
    .has_mss = true, .mss = 1460, .has_wscale = true, .wscale = 7, .sack_permitted = true,
};

static void
scene_init(struct scene *s, void (*tune)(struct utcp_config *))
{
    struct utcp_config cfg;

    utcp_config_default(&cfg);
    cfg.key = (struct siphash_key) { 3, 4 };
    if (tune) {
        tune(&cfg);
    }
    memset(s, 0, sizeof *s);
    s->now = 6 * CLOCK_SEC;
    s->u = utcp_create(&cfg, s->now);
    s->victim_id = open_peer(s, &s->victim, 900000, &plain_syn);
    ok(s->victim_id, "a victim");
}

/* Data events are taken and credited; those of 'id' are counted. */
static uint32_t
take_events(struct scene *s, utcp_id id)
{
    struct utcp_event ev;
    uint32_t n = 0;

    while (utcp_next_event(s->u, &ev)) {
        if (ev.type == UTCP_EV_DATA) {
            n += ev.conn == id ? ev.data.n : 0;
            utcp_credit(s->u, ev.conn, ev.data.n);
        }
    }
    return n;
}

/* The victim sends something and gets it back, at once. */
static bool
victim_is_well(struct scene *s)
{
    struct utcp_segment seg;
    bool echoed = false;

    take_events(s, 0);
    drain(s);
    peer_send(s->u, &s->victim, (struct wire_tcp) {
        .flags = TCP_ACK | TCP_PSH, .payload = { octets, 100 } }, s->now);
    s->victim.seq += 100;
    if (take_events(s, s->victim_id) != 100 || utcp_send_room(s->u, s->victim_id) < 100) {
        return false;
    }
    utcp_send_copy(s->u, s->victim_id, octets, 100);
    while (next(s->u, s->now, &seg)) {
        if (seg.tuple.remote_port == s->victim.t.remote_port
            && addr_equal(&seg.tuple.remote, &s->victim.t.remote)) {
            echoed |= seg.tcp.payload.n == 100 && seg.tcp.ack == s->victim.seq;
            s->victim.ack = seg.tcp.seq + seg.tcp.payload.n;
        }
    }
    peer_send(s->u, &s->victim, (struct wire_tcp) { .flags = TCP_ACK }, s->now);
    return echoed;
}

static void
scene_end(struct scene *s)
{
    const char *broken;

    ok(victim_is_well(s), "the victim is well");
    broken = utcp_broken_invariant(s->u);
    ok(!broken, "no invariant is broken%s%s", broken ? ": " : "", broken ? broken : "");
    utcp_destroy(s->u);
}

static const struct utcp_ext *
ext_of(const struct scene *s, utcp_id id)
{
    static const struct utcp_ext none;
    const struct utcp_conn *c = utcp_conn_get(s->u, id);

    return c && utcp_ext(s->u, c) ? utcp_ext(s->u, c) : &none;
}

/* Full segments that use up each window, until it is as large as it gets. */
static uint32_t
grow_window(struct scene *s, struct peer *p, utcp_id id)
{
    struct utcp_info info;

    for (int round = 0; round < 100 && utcp_info(s->u, id, &info); round++) {
        for (uint32_t left = info.rcv_wnd; left >= 1460; left -= 1460) {
            peer_send(s->u, p, (struct wire_tcp) {
                .flags = TCP_ACK, .payload = { octets, 1460 } }, s->now);
            p->seq += 1460;
            take_events(s, 0);
        }
        drain(s);
        s->now += 500;
    }
    return info.rcv_wnd;
}

static void
send_at(struct scene *s, struct peer *p, uint32_t off, uint32_t n)
{
    struct peer at = *p;

    at.seq += off;
    peer_send(s->u, &at, (struct wire_tcp) {
        .flags = TCP_ACK, .payload = { octets, n } }, s->now);
    take_events(s, 0);
    drain(s);
}

TEST(single_octets_out_of_order)
{
    static const char *const orders[] = {
        "backwards", "shuffled", "forwards", "every second", "islands, then what is between",
    };

    for (unsigned int order = 0; order < 5; order++) {
        struct scene s;
        struct peer p;
        struct utcp_memory before, after;
        uint32_t max_pieces = 0, max_memory = 0, window;

        scene_init(&s, NULL);

        utcp_id id = open_peer(&s, &p, 1, &plain_syn);

        window = grow_window(&s, &p, id);
        send_at(&s, &p, 28000, 1);   /* The pools have what they need. */
        utcp_memory(s.u, &before);
        for (uint32_t i = 0; i < 13000; i++) {
            uint32_t block = i / 40 * 40, in_block = i % 40;
            uint32_t off = order == 0 ? 27000 - i : order == 1 ? 50 + i * 7919 % 27000
                           : order == 2 ? 50 + i : order == 3 ? 50 + 2 * i
                           : 50 + block + in_block * 2 % 40 + in_block / 20;

            send_at(&s, &p, off, 1);
            max_pieces = MP_MAX(max_pieces, ext_of(&s, id)->n_pieces);
            max_memory = MP_MAX(max_memory, ext_of(&s, id)->ooo_memory);
        }
        utcp_memory(s.u, &after);
        ok(window > 30000 && max_memory <= OOO_MAX, "%s: true memory is bounded (%u bytes)",
           orders[order], max_memory);
        ok(max_pieces <= UTCP_MAX_ISLANDS + 2 * 131072 / 1024,
           "and so is the list that each of them walks (%u)", max_pieces);
        ok(order % 2 == 0 || utcp_stats(s.u)->no_memory, "what was dropped is counted");
        is_int(after.bytes, before.bytes, "no pool has grown");
        scene_end(&s);
    }
}

TEST(overlapping_garbage)
{
    struct scene s;
    struct peer p;
    uint32_t max_pieces = 0, max_memory = 0, n = 0;

    scene_init(&s, NULL);

    utcp_id id = open_peer(&s, &p, 1, &plain_syn);
    struct utcp_event ev;

    grow_window(&s, &p, id);
    for (uint32_t i = 0; i < 20000; i++) {
        /* What came first stays: the right octet, among wrong ones. */
        octets[0] = (uint8_t) (i % 100 == 0 ? 7 : 66);
        send_at(&s, &p, 1 + i * 31 % 60000, 1 + i % 1400);
        max_pieces = MP_MAX(max_pieces, ext_of(&s, id)->n_pieces);
        max_memory = MP_MAX(max_memory, ext_of(&s, id)->ooo_memory);
    }
    octets[0] = 0;
    ok(max_memory <= OOO_MAX && max_pieces <= UTCP_MAX_ISLANDS + 2 * 131072 / 1024,
       "%u bytes and %u pieces at most", max_memory, max_pieces);
    ok(utcp_stats(s.u)->duplicates > 0, "what is no news is counted");
    peer_send(s.u, &p, (struct wire_tcp) { .flags = TCP_ACK, .payload = { octets, 1 } }, s.now);
    while (utcp_next_event(s.u, &ev)) {
        n += ev.type == UTCP_EV_DATA ? ev.data.n : 0;
    }
    ok(n > 1000, "an octet that closes the gap brings %u, once", n);
    scene_end(&s);
}

/* Everything that may be sent is sent and acknowledged, until cwnd holds nothing back. */
static void
grow_flight(struct scene *s, struct peer *p, utcp_id id)
{
    struct utcp_segment seg;

    for (int round = 0; round < 40; round++) {
        utcp_send_copy(s->u, id, octets, utcp_send_room(s->u, id));
        while (next(s->u, s->now, &seg)) {
            p->ack = seg.tcp.payload.n ? seg.tcp.seq + seg.tcp.payload.n : p->ack;
        }
        peer_send(s->u, p, (struct wire_tcp) { .flags = TCP_ACK }, s->now);
        take_events(s, 0);
        s->now += 1000;
    }
    utcp_send_copy(s->u, id, octets, utcp_send_room(s->u, id));
    drain(s);
}

TEST(tiny_segments_to_be_sent)
{
    struct wire_tcp_opts tiny = plain_syn;
    struct scene s;
    struct peer p;
    uint32_t max = 0;

    tiny.mss = 1;
    scene_init(&s, NULL);

    utcp_id id = open_peer(&s, &p, 1, &tiny);

    grow_flight(&s, &p, id);
    is_int(ext_of(&s, id)->n_sent, 512, "a peer with the smallest MSS gets 512 segments at once");

    /* SACKs of every second one, of the same again, and of nothing whole. */
    for (uint32_t i = 0; i < 3000; i++) {
        struct wire_tcp t = { .flags = TCP_ACK, .opts.n_sack = 4 };

        for (uint32_t k = 0; k < 4; k++) {
            uint32_t left = p.ack + 88 * ((8 * i + 2 * k + 1) % 512) + i % 3;

            t.opts.sack[k] = (struct wire_sack_block) { left, left + 88 };
        }
        peer_send(s.u, &p, t, s.now);
        max = MP_MAX(max, ext_of(&s, id)->n_sent);
        drain(&s);
        s.now += 100;
    }
    ok(max <= 512 + 64, "SACKs make no more of them (%u)", max);
    scene_end(&s);
}

static void
large_queue(struct utcp_config *cfg)
{
    cfg->snd_buf_max = 4u << 20;
}

TEST(large_send_queues_are_used)
{
    struct scene s;
    struct peer p;

    scene_init(&s, large_queue);

    utcp_id id = open_peer(&s, &p, 1, &plain_syn);

    for (int i = 0; i < 3; i++) {
        grow_flight(&s, &p, id);
    }
    ok(ext_of(&s, id)->n_sent > 2000, "a larger --send-buffer has its use (%u segments)",
       ext_of(&s, id)->n_sent);
    scene_end(&s);
}

TEST(ack_storm)
{
    struct scene s;
    struct peer p;
    struct utcp_memory before, after;
    struct utcp_segment seg;
    unsigned int n_out = 0;
    uint32_t cwnd;
    struct utcp_info info;

    scene_init(&s, NULL);

    utcp_id id = open_peer(&s, &p, 1, &plain_syn);

    utcp_send_copy(s.u, id, octets, 5000);
    drain(&s);
    utcp_info(s.u, id, &info);
    cwnd = info.cwnd;
    s.now += 10000;
    utcp_memory(s.u, &before);
    for (uint32_t i = 0; i < 50000; i++) {
        /* The same, old ones, ones of the future, half of them with a window that changes. */
        struct peer at = p;

        at.ack += i % 4 == 1 ? 0u - 1000 : i % 4 == 2 ? 100000 : 0;
        peer_send(s.u, &at, (struct wire_tcp) { .flags = TCP_ACK }, s.now);
        while (next(s.u, s.now, &seg)) {
            n_out++;
        }
    }
    utcp_memory(s.u, &after);
    is_int(after.bytes, before.bytes, "50,000 ACKs in a second cost no memory");
    ok(n_out <= 10 + 16, "nor answers beyond the rate of challenges (%u)", n_out);
    ok(utcp_stats(s.u)->bad_ack == 12500 && utcp_stats(s.u)->challenge_acks_limited > 12000,
       "the wrong ones are counted");
    utcp_info(s.u, id, &info);
    ok(info.cwnd <= cwnd && info.snd_unacked == 5000, "and open no window");
    scene_end(&s);
}

#define N_CROWD 1000u

static void
little_memory(struct utcp_config *cfg)
{
    cfg->memory_max = 4u << 20;
    cfg->max_half_open = 10;
}

TEST(a_crowd_that_does_not_read)
{
    struct scene s;
    static struct peer crowd[N_CROWD];
    static utcp_id ids[N_CROWD];
    struct utcp_memory m;
    struct utcp_event ev;
    uint64_t most = 0;
    bool writable = false;
    uint32_t n = 0;

    scene_init(&s, little_memory);
    for (uint32_t i = 0; i < N_CROWD; i++) {
        ids[i] = open_peer(&s, &crowd[i], i, &plain_syn);
        n += ids[i] != 0;
    }
    is_int(n, N_CROWD, "a thousand clients");
    /* Each takes all that it is given room for, and acknowledges nothing. */
    for (int round = 0; round < 10; round++) {
        for (uint32_t i = 0; i < N_CROWD; i++) {
            uint32_t room = utcp_send_room(s.u, ids[i]);

            utcp_send_copy(s.u, ids[i], octets, MP_MIN(room, 100000));
            utcp_memory(s.u, &m);
            most = MP_MAX(most, m.queued + m.out_of_order);
        }
        drain(&s);
    }
    ok(most <= (4u << 20) + 262144 + N_CROWD * 4194u,
       "all together hold the memory that there is and a part each (%llu bytes)",
       (unsigned long long) most);
    ok(utcp_stats(s.u)->memory_limited > N_CROWD, "it is counted");
    ok(victim_is_well(&s), "who reads goes on meanwhile");
    is_int(utcp_send_room(s.u, ids[0]), 0, "a hoarder has no room");
    /* The others go; the hoarder is told when something is acknowledged. */
    for (uint32_t i = 1; i < N_CROWD; i++) {
        utcp_abort(s.u, ids[i]);
    }
    take_events(&s, 0);
    drain(&s);
    crowd[0].ack += 1460;
    peer_send(s.u, &crowd[0], (struct wire_tcp) { .flags = TCP_ACK }, s.now);
    while (utcp_next_event(s.u, &ev)) {
        writable |= ev.type == UTCP_EV_WRITABLE && ev.conn == ids[0];
    }
    ok(writable && utcp_send_room(s.u, ids[0]) > 100000, "then there is room again");
    scene_end(&s);
}

static void
still_less_memory(struct utcp_config *cfg)
{
    cfg->memory_max = 1u << 20;
}

TEST(a_crowd_that_leaves_gaps)
{
    struct scene s;
    static struct peer crowd[N_CROWD];
    struct utcp_memory m;
    uint64_t most = 0;

    scene_init(&s, still_less_memory);
    for (uint32_t i = 0; i < N_CROWD; i++) {
        utcp_id id = open_peer(&s, &crowd[i], i, &plain_syn);

        if (i < 50) {
            grow_window(&s, &crowd[i], id);
        }
        for (uint32_t off = 1; off < 130000; off += 1460) {
            send_at(&s, &crowd[i], off, 1460);
        }
        utcp_memory(s.u, &m);
        most = MP_MAX(most, m.queued + m.out_of_order);
    }
    ok(most > 1u << 20, "the crowd fills what there is (%llu)", (unsigned long long) most);
    ok(most <= (1u << 20) + OOO_MAX + N_CROWD * 2048u, "and no more than a part each (%llu bytes)",
       (unsigned long long) most);
    ok(utcp_stats(s.u)->no_memory > 0, "what is dropped is counted");
    /* One who closes its gap still gets everything through. */
    for (uint32_t i = 0; i < 20; i++) {
        send_at(&s, &crowd[N_CROWD - 1], 0, 1000);
        crowd[N_CROWD - 1].seq += 1000;
    }
    ok(utcp_stats(s.u)->bytes_in >= 20000, "order needs no memory");
    scene_end(&s);
}

/* A window that is never opened, with something queued for ever: probes that are answered keep it,
 * and cost what is queued and nothing more. */
TEST(closed_windows_for_ever)
{
    struct scene s;
    static struct peer crowd[100];
    struct utcp_memory before = { 0 }, after;
    struct utcp_segment seg;
    uint32_t n_probes = 0;

    scene_init(&s, NULL);
    for (uint32_t i = 0; i < 100; i++) {
        utcp_id id = open_peer(&s, &crowd[i], i, &plain_syn);
        struct wire_tcp closed = { .flags = TCP_ACK, .seq = crowd[i].seq, .ack = crowd[i].ack };
        static const struct utcp_path path;

        utcp_input(s.u, &crowd[i].t, &closed, &path, s.now);
        utcp_send_copy(s.u, id, octets, 20000);
    }
    drain(&s);
    for (usec_t end = s.now + 3600 * CLOCK_SEC; s.now < end; ) {
        s.now = MP_MAX(utcp_deadline(s.u), s.now);
        utcp_run(s.u, s.now);
        while (next(s.u, s.now, &seg)) {
            for (uint32_t i = 0; i < 100; i++) {
                if (seg.tuple.remote_port == crowd[i].t.remote_port && seg.tcp.payload.n) {
                    struct wire_tcp closed = {
                        .flags = TCP_ACK, .seq = crowd[i].seq, .ack = crowd[i].ack,
                    };

                    if (++n_probes == 100) {
                        utcp_memory(s.u, &before);
                    }
                    utcp_input(s.u, &crowd[i].t, &closed, &seg.path, s.now);
                }
            }
        }
    }
    utcp_memory(s.u, &after);
    is_int(after.n_connections, 101, "after an hour all are there (MUST-37)");
    ok(n_probes <= 100 * (3600 / 60 + 10), "a probe a minute for each (%u)", n_probes);
    ok(after.queued == 100 * 20000 && after.bytes == before.bytes,
       "and no more memory than after the first probes");
    scene_end(&s);
}

/* Without SACK, more than half of all sequence numbers and never a pause, then a loss. */
TEST(two_gigabytes_without_a_pause)
{
    struct wire_tcp_opts no_sack = plain_syn;
    struct scene s;
    struct peer p;
    struct mbuf *m = mbuf_create(16384);
    uint64_t n = 0;

    no_sack.sack_permitted = false;
    scene_init(&s, NULL);
    memset(m->data, 0, m->size);

    utcp_id id = open_peer(&s, &p, 1, &no_sack);
    uint32_t una = p.ack, end = p.ack;

    while (n < UINT64_C(2200) << 20) {
        struct utcp_segment seg;

        while (utcp_send_room(s.u, id) >= m->size) {
            utcp_send_mbuf(s.u, id, m, 0, m->size);
        }
        while (next(s.u, s.now, &seg)) {
            end = seg.tcp.payload.n ? seg.tcp.seq + seg.tcp.payload.n : end;
        }
        /* All but the last segment. */
        p.ack = end - 1460;
        n += p.ack - una;
        una = p.ack;
        s.now += 500;
        peer_send(s.u, &p, (struct wire_tcp) { .flags = TCP_ACK }, s.now);
        take_events(&s, 0);
    }
    drain(&s);
    is_int(utcp_stats(s.u)->fast_retransmits, 0, "nothing was lost");
    for (int i = 0; i < 3; i++) {
        peer_send(s.u, &p, (struct wire_tcp) { .flags = TCP_ACK }, s.now);
    }
    is_int(utcp_stats(s.u)->fast_retransmits, 1, "three duplicate ACKs: a fast retransmission");
    mbuf_unref(m);
    scene_end(&s);
}

int
main(void)
{
    RUN(single_octets_out_of_order);
    RUN(overlapping_garbage);
    RUN(tiny_segments_to_be_sent);
    RUN(large_send_queues_are_used);
    RUN(ack_storm);
    RUN(a_crowd_that_does_not_read);
    RUN(a_crowd_that_leaves_gaps);
    RUN(closed_windows_for_ever);
    RUN(two_gigabytes_without_a_pause);
    return done_testing();
}
