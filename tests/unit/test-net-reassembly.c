/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Reassembly of IP fragments: orders, duplicates, overlaps, limits, time. */
#include "unit/net-world.h"

#include "base/prng.h"

#define MAX_DATAGRAM 65507

static uint8_t sample[MAX_DATAGRAM];

/* A UDP datagram from the peer to the virtual address, and how to cut it. */
struct cutter {
    struct wire_l3 l3;
    uint32_t id;
    uint32_t size;                    /* Of the transport payload. */
    uint8_t l4[8 + MAX_DATAGRAM];
};

static void
cutter_init(struct cutter *c, enum family family, uint32_t n_payload, uint32_t id)
{
    static uint8_t buf[8 + MAX_DATAGRAM];

    c->l3 = l3_between(family, PEER, VIRTUAL);
    c->id = id;
    c->size = 8 + n_payload;
    memcpy(buf + 8, sample, n_payload);
    memcpy(c->l4, wire_prepend_udp(&c->l3, 1883, 1883, buf + 8, n_payload), c->size);
}

/* Sends the bytes [off, off + n) as one fragment. */
static enum net_rx_type
send_piece(struct world *w, const struct cutter *c, uint32_t off, uint32_t n)
{
    uint8_t buf[WIRE_HEADROOM + 2048];
    uint8_t *piece = buf + WIRE_HEADROOM;
    struct wire_fragment frag = { .proto = IP_PROTO_UDP, .id = c->id, .off = (uint16_t) off };

    n = MP_MIN(n, c->size - off);
    frag.more = off + n < c->size;
    memcpy(piece, c->l4 + off, n);
    return world_input(w, 3, wire_build_fragment(&c->l3, &frag, piece, n), piece + n);
}

static bool
is_whole(const struct world *w, const struct cutter *c)
{
    return w->rx.type == NET_RX_UDP && w->rx.frame.udp.payload.n == c->size - 8
           && !memcmp(w->rx.frame.udp.payload.p, sample, c->size - 8)
           && mac_equal(&w->rx.path.client, &peer_mac) && w->rx.path.port == 3;
}

TEST(in_order_reversed_and_shuffled)
{
    static const uint32_t sizes[] = { 1, 8, 1473, 3000, 20000, MAX_DATAGRAM };
    struct cutter *c = malloc(sizeof *c);
    struct prng rng;

    prng_init(&rng, 7);
    for (enum family family = V4; family < N_FAMILIES; family++) {
        for (size_t i = 0; i < MP_ARRAY_SIZE(sizes); i++) {
            for (int order = 0; order < 6; order++) {
                struct world w;
                uint32_t step = sizes[i] < 1000 ? 8 : 1448, offs[64], n = 0;
                int n_whole = 0;

                world_init(&w);
                cutter_init(c, family, sizes[i], 77);
                for (uint32_t off = 0; off < c->size; off += step) {
                    offs[n++] = off;
                }
                for (uint32_t j = n; order && j > 1; j--) {
                    uint32_t k = order == 1 ? 0 : prng_below(&rng, j), swap = offs[j - 1];

                    offs[j - 1] = offs[k];
                    offs[k] = swap;
                }
                for (uint32_t j = 0; j < n; j++) {
                    n_whole += send_piece(&w, c, offs[j], step) == NET_RX_UDP;
                }
                ok(n_whole == 1 && is_whole(&w, c), "%s: %u bytes, order %d",
                   family_name[family], sizes[i], order);
                is_int(net_stats(w.net)->fragments_in, n, "fragments counted");
                is_int(net_deadline(w.net), CLOCK_NEVER, "nothing left to time out");
                world_uninit(&w);
            }
        }
    }
    free(c);
}

TEST(interleaved_datagrams)
{
    static struct cutter c[4];

    for (enum family family = V4; family < N_FAMILIES; family++) {
        struct world w;
        int n_whole = 0;

        world_init(&w);
        for (uint32_t i = 0; i < 4; i++) {
            cutter_init(&c[i], family, 3000 + i, 100 + i);
        }
        /* The same identification from another host, and in another VLAN, is another datagram. */
        c[2].id = c[3].id = 100;
        c[2].l3.src = who(family, CLIENT);
        tag_l3(&c[3].l3, 1);
        for (uint32_t off = 0; off < 3010; off += 1000) {
            for (uint32_t i = 0; i < 4; i++) {
                if (off < c[i].size) {
                    n_whole += send_piece(&w, &c[i], off, 1000) == NET_RX_UDP;
                }
            }
        }
        /* c[2]'s checksum is that of another source. */
        is_int(n_whole, 3, "%s: none is mixed up with another", family_name[family]);
        is_int(net_stats(w.net)->reassembled, 4, "%s: all were put together",
               family_name[family]);
        is_int(net_stats(w.net)->bad_l4_checksum, 1, "%s: the whole's checksum is verified",
               family_name[family]);
        world_uninit(&w);
    }
}

TEST(congestion_marks)
{
    static struct cutter c;

    for (enum family family = V4; family < N_FAMILIES; family++) {
        for (uint32_t marked = 0; marked < 4; marked++) {
            struct world w;

            world_init(&w);
            cutter_init(&c, family, 2992, 7);
            for (uint32_t i = 0; i < 3; i++) {
                c.l3.tos = (uint8_t) (46 << 2 | (i == marked ? IP_ECN_CE : IP_ECN_ECT0));
                send_piece(&w, &c, i * 1000, 1000);
            }
            is_int(w.rx.frame.ip.tos, 46 << 2 | (marked < 3 ? IP_ECN_CE : IP_ECN_ECT0),
                   "a mark on any fragment is on the whole (RFC 3168 5.3) (%s)",
                   family_name[family]);
            world_uninit(&w);
        }
    }
}

TEST(duplicates_are_harmless)
{
    static struct cutter c;

    for (enum family family = V4; family < N_FAMILIES; family++) {
        struct world w;

        world_init(&w);
        cutter_init(&c, family, 3000, 5);
        send_piece(&w, &c, 0, 1000);
        send_piece(&w, &c, 0, 1000);
        send_piece(&w, &c, 2000, 2000);
        send_piece(&w, &c, 2000, 2000);
        send_piece(&w, &c, 1000, 1000);
        ok(is_whole(&w, &c), "%s: complete", family_name[family]);
        is_int(net_stats(w.net)->reassembly_overlap, 0, "%s: no overlap",
               family_name[family]);
        world_uninit(&w);
    }
}

TEST(overlaps_drop_the_datagram)
{
    static struct cutter c, other;
    static const struct {
        const char *name;
        uint32_t off, n;
    } cases[] = {
        { "over the end of one", 496, 1000 },
        { "over the start of one", 1504, 1000 },
        { "inside of one", 8, 8 },
        { "round one", 1992, 1016 },
    };

    for (enum family family = V4; family < N_FAMILIES; family++) {
        for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
            struct world w;

            world_init(&w);
            cutter_init(&c, family, 5000, 5);
            send_piece(&w, &c, 0, 1000);
            send_piece(&w, &c, 2000, 1000);
            is_int(send_piece(&w, &c, cases[i].off, cases[i].n), NET_RX_NONE, "%s: %s",
                   family_name[family], cases[i].name);
            is_int(net_stats(w.net)->reassembly_overlap, 1, "is an overlap");
            send_piece(&w, &c, 1000, 1000);
            send_piece(&w, &c, 3000, 1000);
            send_piece(&w, &c, 4000, 2000);
            is_int(w.rx.type, NET_RX_NONE, "what still comes of it is swallowed (RFC 5722)");
            world_sleep(&w, 31 * CLOCK_SEC);
            is_int(net_stats(w.net)->reassembly_timeout, 0, "and it is counted once");
            world_uninit(&w);
        }

        struct world w;

        world_init(&w);
        cutter_init(&c, family, 3000, 5);
        cutter_init(&other, family, 3000, 5);
        other.l4[100] ^= 1;
        send_piece(&w, &c, 0, 1000);
        send_piece(&w, &other, 0, 1000);
        is_int(net_stats(w.net)->reassembly_overlap, 1, "%s: the same place, other bytes",
               family_name[family]);
        world_uninit(&w);
    }
}

TEST(contradictory_ends)
{
    static struct cutter c, longer;

    for (enum family family = V4; family < N_FAMILIES; family++) {
        struct world w;

        world_init(&w);
        cutter_init(&c, family, 2000, 5);
        cutter_init(&longer, family, 4000, 5);
        send_piece(&w, &c, 1000, 2000);
        send_piece(&w, &longer, 3000, 2000);
        is_int(net_stats(w.net)->reassembly_overlap, 1, "%s: two ends", family_name[family]);
        world_uninit(&w);

        world_init(&w);
        send_piece(&w, &longer, 2000, 1000);
        send_piece(&w, &c, 1000, 2000);
        is_int(net_stats(w.net)->reassembly_overlap, 1, "%s: an end before what came already",
               family_name[family]);
        world_uninit(&w);

        world_init(&w);
        send_piece(&w, &c, 1000, 2000);
        send_piece(&w, &longer, 2008, 1000);
        is_int(net_stats(w.net)->reassembly_overlap, 1, "%s: something behind the end",
               family_name[family]);
        world_uninit(&w);
    }
}

TEST(incomplete_ones_go_after_their_time)
{
    static struct cutter c;

    for (enum family family = V4; family < N_FAMILIES; family++) {
        struct world w;

        world_init(&w);
        cutter_init(&c, family, 3000, 5);
        send_piece(&w, &c, 0, 1000);
        is_int(net_deadline(w.net), w.now + 30 * CLOCK_SEC, "%s: deadline", family_name[family]);
        world_sleep(&w, 29 * CLOCK_SEC);
        send_piece(&w, &c, 1000, 1000);
        is_int(net_stats(w.net)->reassembly_timeout, 0, "%s: not yet", family_name[family]);
        world_sleep(&w, 1 * CLOCK_SEC);
        is_int(net_stats(w.net)->reassembly_timeout, 1, "%s: after 30 s", family_name[family]);
        send_piece(&w, &c, 2000, 2000);
        is_int(w.rx.type, NET_RX_NONE, "%s: too late", family_name[family]);
        send_piece(&w, &c, 0, 1000);
        send_piece(&w, &c, 1000, 1000);
        ok(is_whole(&w, &c), "%s: sent again it is whole", family_name[family]);
        world_uninit(&w);
    }
}

TEST(limits)
{
    static struct cutter c;

    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct net_config config = world_config(&w);

        config.max_reassembly = 4;
        w.net = net_create(&config, w.now);
        for (uint32_t i = 0; i < 4; i++) {
            cutter_init(&c, family, 1500, i);
            send_piece(&w, &c, 0, 1000);
            w.now += CLOCK_MSEC;
        }
        is_int(net_stats(w.net)->reassembly_limit, 0, "%s: as many datagrams as allowed", name);
        cutter_init(&c, family, 1500, 99);
        send_piece(&w, &c, 0, 1000);
        is_int(net_stats(w.net)->reassembly_limit, 1, "%s: one more, the oldest goes", name);
        cutter_init(&c, family, 1500, 1);
        ok(send_piece(&w, &c, 1000, 1000) == NET_RX_UDP && is_whole(&w, &c),
           "%s: the second is still there", name);
        cutter_init(&c, family, 1500, 0);
        is_int(send_piece(&w, &c, 1000, 1000), NET_RX_NONE, "%s: the first is not", name);
        world_uninit(&w);

        config = world_config(&w);
        config.max_reassembly_bytes = 20000;
        w.net = net_create(&config, w.now);
        for (uint32_t i = 0; i < 1000; i++) {
            cutter_init(&c, family, 1500, i);
            send_piece(&w, &c, 0, 1000);
        }
        ok(net_stats(w.net)->reassembly_limit >= 980 && net_stats(w.net)->reassembly_limit < 988,
           "%s: 1,000 bytes each, within 20,000 with what they cost besides", name);
        /* Small fragments cost more than their bytes: 16 of 8 bytes are not 128. */
        for (uint32_t i = 0; i < 1000; i++) {
            cutter_init(&c, family, 1500, 5000 + i);
            send_piece(&w, &c, 8, 8);
        }
        ok(net_stats(w.net)->reassembly_limit > 980 + 850, "%s: true memory counts", name);
        /* One datagram that alone exceeds the limit. */
        cutter_init(&c, family, 30000, 1);
        for (uint32_t off = 0; off < c.size; off += 1000) {
            send_piece(&w, &c, off, 1000);
        }
        is_int(w.rx.type, NET_RX_NONE, "%s: too large for the memory allowed", name);
        world_uninit(&w);

        world_init(&w);
        cutter_init(&c, family, 60000, 1);
        for (uint32_t off = 0; off < c.size; off += 16) {
            send_piece(&w, &c, off, 16);
        }
        is_int(w.rx.type, NET_RX_NONE, "%s: in too many fragments", name);
        is_int(net_stats(w.net)->reassembly_limit, 1, "%s: counted", name);
        world_uninit(&w);
    }
}

TEST(fragments_for_others_cost_nothing)
{
    static struct cutter c;

    for (enum family family = V4; family < N_FAMILIES; family++) {
        struct world w;

        world_init(&w);
        cutter_init(&c, family, 3000, 5);
        c.l3.dst = who(family, CLIENT);
        send_piece(&w, &c, 0, 1000);
        is_int(net_stats(w.net)->fragments_in, 0, "%s", family_name[family]);
        is_int(net_deadline(w.net), CLOCK_NEVER, "%s: nothing is kept", family_name[family]);
        world_uninit(&w);
    }
}

int
main(void)
{
    struct prng rng;

    prng_init(&rng, 42);
    for (size_t i = 0; i < sizeof sample; i++) {
        sample[i] = (uint8_t) prng_u64(&rng);
    }
    RUN(in_order_reversed_and_shuffled);
    RUN(interleaved_datagrams);
    RUN(congestion_marks);
    RUN(duplicates_are_harmless);
    RUN(overlaps_drop_the_datagram);
    RUN(contradictory_ends);
    RUN(incomplete_ones_go_after_their_time);
    RUN(limits);
    RUN(fragments_for_others_cost_nothing);
    return done_testing();
}
