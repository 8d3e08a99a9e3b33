/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Datagrams out and the neighbours that they go by: probes, queues, life times, owners, gateway. */
#include "unit/net-world.h"

static bool
send_to(struct world *w, enum family family, enum who local, enum who remote, size_t n)
{
    struct net_dgram d = {
        .local = who(family, local), .remote = who(family, remote),
        .local_port = 1883, .remote_port = 1884,
    };
    struct mbuf *payload = mbuf_create(n);

    memset(payload->data, 'p', n);

    bool sent = net_send_udp(w->net, &d, payload, w->now);

    mbuf_unref(payload);
    return sent;
}

/* Whether the frame pulled last is a datagram that goes to 'mac' by 'port'. */
static bool
is_datagram_to(const struct world *w, const struct mac_addr *mac, uint32_t port)
{
    return w->sent.kind == WIRE_UDP && !w->tx.flood && w->tx.port == port
           && mac_equal(&w->sent.eth.dst, mac) && w->sent.udp.dst_port == 1884;
}

static struct net_neighbour
neighbour(const struct world *w, enum family family, enum who who_)
{
    struct ip_addr a = who(family, who_);
    struct net_neighbour n;

    for (uint32_t pos = 0; net_walk_neighbours(w->net, &pos, &n);) {
        if (addr_equal(&n.addr, &a)) {
            return n;
        }
    }
    return (struct net_neighbour) { .reachable = false };
}

TEST(first_datagram_waits_for_a_probe)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct ip_addr peer = who(family, PEER), local = who(family, VIRTUAL);
        struct mac_addr source = net_derive_mac(&local);

        world_init(&w);
        ok(send_to(&w, family, VIRTUAL, PEER, 100), "%s: taken", name);
        ok(send_to(&w, family, VIRTUAL, PEER, 101), "%s: another one", name);
        ok(world_next(&w) && is_probe_for(&w, &peer) && w.tx.flood, "%s: a probe, flooded", name);
        ok(mac_equal(&w.sent.eth.dst, &all_macs) || family == V6, "%s: to everybody", name);
        ok(!world_next(&w), "%s: one for both", name);
        is_int(neighbour(&w, family, PEER).n_queued, 2, "%s: both wait", name);

        answer_probe(&w, &peer_mac, 5);
        ok(world_next(&w) && is_datagram_to(&w, &peer_mac, 5) && w.sent.udp.payload.n == 100,
           "%s: the first by the port of the answer", name);
        ok(mac_equal(&w.sent.eth.src, &source) && w.sent.udp.src_port == 1883,
           "%s: from the service's MAC", name);
        ok(world_next(&w) && w.sent.udp.payload.n == 101, "%s: the second behind it", name);
        ok(!world_next(&w), "%s: no more", name);
        ok(neighbour(&w, family, PEER).reachable, "%s: known now", name);

        send_to(&w, family, VIRTUAL, PEER, 102);
        ok(world_next(&w) && is_datagram_to(&w, &peer_mac, 5) && !world_next(&w),
           "%s: the third at once", name);
        is_int(net_stats(w.net)->datagrams_out, 3, "%s: counted", name);
        is_int(net_stats(w.net)->arp_probes, 1, "%s: one probe in all", name);
        world_uninit(&w);
    }
}

TEST(probes_back_off_and_give_up)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;

        world_init(&w);
        send_to(&w, family, VIRTUAL, PEER, 1);
        world_sleep(&w, 3500 * CLOCK_MSEC);
        is_int(world_drain(&w), 4, "%s: four probes", name);
        is_int(neighbour(&w, family, PEER).n_queued, 1, "%s: the datagram waits", name);
        world_sleep(&w, 500 * CLOCK_MSEC);
        is_int(net_stats(w.net)->neighbour_unreachable, 1, "%s: then it is dropped", name);
        ok(!send_to(&w, family, VIRTUAL, PEER, 1), "%s: the next one at once", name);
        world_sleep(&w, 10 * CLOCK_SEC);
        is_int(world_drain(&w), 0, "%s: nobody is probed for whom nothing is to be sent", name);
        ok(send_to(&w, family, VIRTUAL, PEER, 1), "%s: after a while it is tried again", name);
        ok(world_next(&w), "%s: by a probe", name);
        answer_probe(&w, &peer_mac, 2);
        ok(world_next(&w) && is_datagram_to(&w, &peer_mac, 2), "%s: and found", name);
        is_int(net_deadline(w.net), CLOCK_NEVER, "%s: no timer is left", name);
        world_uninit(&w);
    }
}

TEST(back_off_is_bounded)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        struct world w;
        int n = 0;

        world_init(&w);
        for (int i = 0; i < 3600; i++) {
            send_to(&w, family, VIRTUAL, PEER, 1);
            world_sleep(&w, CLOCK_SEC);
            n += world_drain(&w);
        }
        /* Rounds of four, 30 s and a round apart in the long run. */
        ok(n > 380 && n < 480, "%s: %d probes in an hour of trying", family_name[family], n);
        world_uninit(&w);
    }
}

TEST(queue_of_a_neighbour_is_bounded)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct net_config config = world_config(&w);
        int n_taken = 0;

        config.max_queued_per_neighbour = 3;
        w.net = net_create(&config, w.now);
        for (int i = 0; i < 10; i++) {
            n_taken += send_to(&w, family, VIRTUAL, PEER, 10);
        }
        is_int(n_taken, 3, "%s: as many as allowed", name);
        is_int(net_stats(w.net)->neighbour_queue_full, 7, "%s: the rest is counted", name);
        world_uninit(&w);

        config = world_config(&w);
        config.max_out_bytes = 100000;
        w.net = net_create(&config, w.now);
        n_taken = 0;
        for (int i = 0; i < 10; i++) {
            n_taken += send_to(&w, family, VIRTUAL, PEER, 30000);
        }
        is_int(n_taken, 3, "%s: as many bytes as allowed", name);
        is_int(net_stats(w.net)->out_queue_full, 7, "%s: the rest is counted", name);
        world_drain(&w);
        world_sleep(&w, 10 * CLOCK_SEC);
        ok(send_to(&w, family, VIRTUAL, PEER, 30000), "%s: memory came back", name);
        world_uninit(&w);
    }
}

TEST(old_entries_are_probed_again_while_used)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct ip_addr peer = who(family, PEER);

        world_init(&w);
        send_to(&w, family, VIRTUAL, PEER, 1);
        world_next(&w);
        answer_probe(&w, &peer_mac, 5);
        world_drain(&w);
        world_sleep(&w, 61 * CLOCK_SEC);
        is_int(world_drain(&w), 0, "%s: not while unused", name);

        send_to(&w, family, VIRTUAL, PEER, 1);
        ok(world_next(&w) && is_probe_for(&w, &peer) && !w.tx.flood && w.tx.port == 5
           && mac_equal(&w.sent.eth.dst, &peer_mac), "%s: asked where it was", name);
        ok(world_next(&w) && is_datagram_to(&w, &peer_mac, 5), "%s: used meanwhile", name);
        /* It has moved: asked everywhere, it is found again. */
        world_sleep(&w, 800 * CLOCK_MSEC);
        ok(world_next(&w) && !w.tx.flood, "%s: second try", name);
        ok(world_next(&w) && is_probe_for(&w, &peer) && w.tx.flood, "%s: then everywhere", name);
        answer_probe(&w, &client_mac, 8);
        send_to(&w, family, VIRTUAL, PEER, 1);
        ok(world_next(&w) && is_datagram_to(&w, &client_mac, 8), "%s: the new way", name);

        /* It is gone: four probes, then no more of it. */
        world_sleep(&w, 61 * CLOCK_SEC);
        send_to(&w, family, VIRTUAL, PEER, 1);
        world_sleep(&w, 5 * CLOCK_SEC);
        ok(!neighbour(&w, family, PEER).reachable, "%s: given up", name);
        ok(!send_to(&w, family, VIRTUAL, PEER, 1) || neighbour(&w, family, PEER).n_queued,
           "%s: nothing is sent blindly", name);
        world_uninit(&w);
    }
}

TEST(only_answers_to_probes_count)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;

        world_init(&w);
        send_to(&w, family, VIRTUAL, PEER, 1);
        world_next(&w);

        struct world probe = w;       /* To answer it twice. */

        answer_probe(&w, &peer_mac, 5);
        world_drain(&w);
        w.sent = probe.sent;
        answer_probe(&w, &client_mac, 6);
        send_to(&w, family, VIRTUAL, PEER, 1);
        ok(world_next(&w) && is_datagram_to(&w, &peer_mac, 5),
           "%s: a second answer, unasked, changes nothing", name);
        send_to(&w, family, VIRTUAL, FAR, 1);
        ok(world_next(&w), "%s: probe", name);
        answer_probe(&w, &all_macs, 6);
        ok(!neighbour(&w, family, FAR).reachable, "%s: no host has the broadcast MAC", name);
        world_uninit(&w);
    }
}

TEST(datagrams_teach_where_their_sender_is)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        for (unsigned int n_tags = 0; n_tags <= 2; n_tags++) {
            struct world w;
            struct wire_l3 l3 = l3_between(family, FAR, VIRTUAL);
            char name[64];

            snprintf(name, sizeof name, "%s, %u tags", family_name[family], n_tags);
            world_init(&w);
            tag_l3(&l3, n_tags);
            l3.src_mac = gateway_mac;
            is_int(input_udp(&w, &l3, 1883, "x", 1), NET_RX_UDP, "%s: heard", name);
            ok(neighbour(&w, family, FAR).reachable, "%s: known", name);
            send_to(&w, family, VIRTUAL, FAR, 50);
            ok(world_next(&w) && is_datagram_to(&w, &gateway_mac, 7) && has_tags_of(&w, &l3),
               "%s: answered the same way, without a probe", name);
            /* What is heard keeps the entry young. */
            for (int i = 0; i < 10; i++) {
                world_sleep(&w, 50 * CLOCK_SEC);
                input_udp(&w, &l3, 1883, "x", 1);
                send_to(&w, family, VIRTUAL, FAR, 50);
            }
            is_int(world_drain(&w), 10, "%s: no probe as long as it speaks", name);
            world_uninit(&w);
        }
    }
}

/* A stranger who speaks from many addresses. */
static void
speak_from(struct world *w, enum family family, uint32_t i)
{
    struct wire_l3 l3 = l3_between(family, PEER, VIRTUAL);

    l3.src.b[13] = 77;
    l3.src.b[14] = (uint8_t) (i >> 8);
    l3.src.b[15] = (uint8_t) i;
    input_udp(w, &l3, 1883, "x", 1);
}

TEST(strangers_cannot_fill_the_table)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct net_config config = world_config(&w);
        struct net_neighbour n;
        int count = 0;

        config.max_neighbours = 8;
        w.net = net_create(&config, w.now);
        send_to(&w, family, VIRTUAL, PEER, 1);
        world_next(&w);
        answer_probe(&w, &peer_mac, 5);
        world_drain(&w);
        for (uint32_t i = 0; i < 1000; i++) {
            speak_from(&w, family, i);
        }
        for (uint32_t pos = 0; net_walk_neighbours(w.net, &pos, &n);) {
            count++;
        }
        is_int(count, 1 + 4, "%s: half of the table at most", name);
        is_int(net_stats(w.net)->neighbour_table_full, 996, "%s: counted", name);
        ok(neighbour(&w, family, PEER).reachable, "%s: whom we send to stays", name);

        /* Six more that we want: strangers give way. */
        for (uint32_t i = 0; i < 8; i++) {
            struct net_dgram d = { .local = who(family, VIRTUAL), .remote = who(family, FAR) };
            struct mbuf *payload = mbuf_copy("x", 1);

            d.remote.b[15] = (uint8_t) (20 + i);
            is_int(net_send_udp(w.net, &d, payload, w.now), i < 7, "%s: wanted %u", name, i);
            mbuf_unref(payload);
        }
        is_int(net_stats(w.net)->neighbour_unreachable, 1, "%s: the limit holds for all", name);
        world_uninit(&w);
    }
}

TEST(large_datagrams_leave_in_fragments)
{
    static const size_t sizes[] = { 1452, 1453, 1472, 1473, 3000, 65507, 65508 };

    for (enum family family = V4; family < N_FAMILIES; family++) {
        for (size_t i = 0; i < MP_ARRAY_SIZE(sizes); i++) {
            struct world a, b;
            struct net_config config;
            struct wire_l3 l3 = l3_between(family, PEER, VIRTUAL);
            size_t whole = sizes[i] + (family == V4 ? 28 : 48);
            int n = 0;
            char name[64];

            /* What 'a' sends to the peer, 'b', which has the peer's address, receives. */
            snprintf(name, sizeof name, "%s, %zu bytes", family_name[family], sizes[i]);
            world_init(&a);
            config = world_config(&b);
            b.services[family].prefix = host_prefix(family, PEER);
            config.udp_port = 1884;
            b.net = net_create(&config, b.now);
            input_udp(&a, &l3, 1883, "x", 1);
            is_int(send_to(&a, family, VIRTUAL, PEER, sizes[i]), sizes[i] <= 65507, "%s", name);
            is_int(net_stats(a.net)->datagram_too_big, sizes[i] > 65507, "%s: counted", name);
            b.rx.type = NET_RX_NONE;
            while (world_next(&a)) {
                n++;
                ok(a.tx.n <= 14 + 1500, "%s: within the MTU", name);
                world_input(&b, 1, a.tx.data, a.tx.data + a.tx.n);
            }
            if (sizes[i] <= 65507) {
                ok(b.rx.type == NET_RX_UDP && b.rx.frame.udp.payload.n == sizes[i],
                   "%s: arrives", name);
                ok(whole <= 1500 ? n == 1 : n == (int) ((sizes[i] + 8 + 1479) / 1480)
                                           || family == V6, "%s: in as few as may be", name);
                is_int(net_stats(a.net)->fragments_out, whole <= 1500 ? 0 : n, "%s: counted",
                       name);
            }
            world_uninit(&a);
            world_uninit(&b);
        }
    }
}

/* A datagram may say that its way carries more than others do. */
TEST(datagrams_have_a_way_of_their_own)
{
    static const struct {
        uint16_t mtu;
        size_t size;
        int n;                        /* Frames... */
        size_t largest;               /* ...and what the largest has behind its Ethernet header. */
    } cases[] = {
        { 0, 1472, 1, 1500 }, { 0, 1473, 2, 1500 }, { 4000, 3972, 1, 4000 }, { 4000, 3973, 2, 3996 },
        { 100, 1472, 1, 1500 }, { 9001, 8973, 2, 8996 }, { UINT16_MAX, 8972, 1, 9000 },
    };

    for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
        struct world w;
        struct net_config config = world_config(&w);
        struct wire_l3 l3 = l3_between(V4, PEER, VIRTUAL);
        struct net_dgram d = {
            .local = who(V4, VIRTUAL), .remote = who(V4, PEER), .local_port = 1883,
            .remote_port = 1884, .mtu = cases[i].mtu,
        };
        struct mbuf *payload = mbuf_create(cases[i].size);
        size_t largest = 0;
        int n = 0, n_uncut = 0;

        config.max_mtu = 9000;
        w.net = net_create(&config, w.now);
        memset(payload->data, 'p', payload->size);
        input_udp(&w, &l3, 1883, "x", 1);
        ok(net_send_udp(w.net, &d, payload, w.now), "%u of %zu", cases[i].mtu, cases[i].size);
        while (world_next(&w)) {
            largest = MP_MAX(largest, w.tx.n - 14);
            n_uncut += w.sent.ip.df;
            n++;
        }
        is_int(n, cases[i].n, "so many frames");
        is_int(n_uncut, largest > 1500 && n == 1, "what its way alone carries is not to be cut there");
        is_int(largest, cases[i].largest, "none larger than its way carries");
        mbuf_unref(payload);
        world_uninit(&w);
    }
}

/* The identification of a datagram to 'remote' that leaves in fragments. */
static uint32_t
id_to(struct world *w, enum family family, enum who remote)
{
    struct net_dgram d = {
        .local = who(family, VIRTUAL), .remote = who(family, remote), .bcast = true,
    };
    struct mbuf *payload = mbuf_create(3000);
    uint32_t id;
    int n = 1;

    memset(payload->data, 'p', 3000);
    net_send_udp(w->net, &d, payload, w->now);
    mbuf_unref(payload);
    ok(world_next(w), "sent");
    id = w->sent.ip.id;
    while (world_next(w)) {
        n += w->sent.ip.id == id;
    }
    is_int(n, 3, "three fragments with one identification");
    return id;
}

/* RFC 7739. */
TEST(identifications_tell_nothing_of_what_others_get)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w, other;
        struct net_config config = world_config(&other);
        uint32_t first, second;

        config.key.k0++;
        other.net = net_create(&config, other.now);
        world_init(&w);
        first = id_to(&w, family, PEER);
        second = id_to(&w, family, PEER);
        ok(first != second, "%s: never the same in a row", name);
        for (int i = 0; i < 5; i++) {
            id_to(&w, family, FAR);
        }
        is_int((uint16_t) id_to(&w, family, PEER), (uint16_t) (second + 1),
               "%s: what goes to others does not count", name);
        ok(id_to(&w, family, GATEWAY) != second + 2, "%s: another start for each", name);
        ok(id_to(&other, family, PEER) != first, "%s: and for each key", name);
        world_uninit(&w);
        world_uninit(&other);
    }
}

TEST(broadcast_peers_need_no_probe)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        struct world w;
        struct net_dgram d = {
            .local = who(family, VIRTUAL), .remote = who(family, PEER), .bcast = true,
        };
        struct mbuf *payload = mbuf_copy("x", 1);

        world_init(&w);
        ok(net_send_udp(w.net, &d, payload, w.now), "%s: sent", family_name[family]);
        ok(world_next(&w) && w.tx.flood && mac_equal(&w.sent.eth.dst, &all_macs)
           && addr_equal(&w.sent.ip.dst, &d.remote), "%s: to all, for one",
           family_name[family]);
        ok(!world_next(&w), "%s: no probe", family_name[family]);
        mbuf_unref(payload);
        world_uninit(&w);
    }
}

TEST(gateway_takes_what_no_probe_finds)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct net_config config = world_config(&w);
        struct ip_addr far = who(family, FAR), gateway = who(family, GATEWAY);

        config.gateway = gateway;
        w.net = net_create(&config, w.now);
        send_to(&w, family, VIRTUAL, FAR, 10);
        ok(world_next(&w) && is_probe_for(&w, &far), "%s: probed on the link first", name);
        world_sleep(&w, 3900 * CLOCK_MSEC);
        while (world_next(&w) && !is_probe_for(&w, &gateway)) {
            continue;
        }
        ok(is_probe_for(&w, &gateway), "%s: then the gateway is", name);
        answer_probe(&w, &gateway_mac, 4);
        ok(world_next(&w) && is_datagram_to(&w, &gateway_mac, 4)
           && addr_equal(&w.sent.ip.dst, &far), "%s: the datagram goes by it", name);
        send_to(&w, family, VIRTUAL, FAR, 11);
        ok(world_next(&w) && is_datagram_to(&w, &gateway_mac, 4), "%s: the next at once", name);
        is_int(net_stats(w.net)->neighbour_unreachable, 0, "%s: none lost", name);
        /* Later it is looked for on the link again, without holding anything up. */
        world_sleep(&w, 20 * CLOCK_SEC);
        send_to(&w, family, VIRTUAL, FAR, 12);
        ok(world_next(&w) && is_probe_for(&w, &far), "%s: asked again", name);
        ok(world_next(&w) && is_datagram_to(&w, &gateway_mac, 4), "%s: not held up", name);
        world_uninit(&w);

        /* A gateway that is not there either. */
        config = world_config(&w);
        config.gateway = gateway;
        w.net = net_create(&config, w.now);
        send_to(&w, family, VIRTUAL, FAR, 10);
        world_sleep(&w, 10 * CLOCK_SEC);
        is_int(net_stats(w.net)->neighbour_unreachable, 1, "%s: counted once", name);
        world_uninit(&w);
    }
}

TEST(back_off_ends_when_the_attachment_is_back)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct ip_addr peer = who(family, PEER);
        struct world w;

        world_init(&w);
        for (int i = 0; i < 4; i++) {
            world_sleep(&w, 40 * CLOCK_SEC);
            send_to(&w, family, VIRTUAL, PEER, 1);
        }
        world_sleep(&w, 4 * CLOCK_SEC);
        ok(!send_to(&w, family, VIRTUAL, PEER, 1), "%s: given up for a while", name);

        uint64_t before = net_stats(w.net)->out_stale;

        net_drop_stale(w.net);
        ok(net_stats(w.net)->out_stale - before >= 16, "%s: what waited is dropped and counted",
           name);
        ok(!world_next(&w), "%s: nothing of it is sent", name);
        net_ask_again(w.net, w.now);
        ok(!world_next(&w), "%s: nobody is asked for whom nothing waits", name);
        ok(send_to(&w, family, VIRTUAL, PEER, 1), "%s: the next datagram is taken", name);
        ok(world_next(&w) && is_probe_for(&w, &peer), "%s: and asks at once", name);

        world_sleep(&w, CLOCK_SEC);
        world_drain(&w);
        net_ask_again(w.net, w.now);
        ok(world_next(&w) && is_probe_for(&w, &peer), "%s: a search begins anew", name);
        answer_probe(&w, &peer_mac, 5);
        ok(world_next(&w) && is_datagram_to(&w, &peer_mac, 5), "%s: and ends well", name);
        world_uninit(&w);
    }
}

TEST(owners_are_found_and_watched)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct net_config config = world_config(&w);
        struct net_owner owner;
        struct ip_addr a = who(family, TAKEN);
        struct wire_l3 l3 = l3_between(family, PEER, TAKEN);

        config.n_services = 1;
        w.services[0] = (struct net_service) {
            .kind = NET_TAKEN, .prefix = host_prefix(family, TAKEN),
        };
        w.net = net_create(&config, w.now);

        uint32_t generation = net_owner_generation(w.net);

        net_owner(w.net, 0, &owner);
        ok(!owner.known, "%s: not known at first", name);
        net_run(w.net, w.now);
        world_sleep(&w, 20 * CLOCK_MSEC);
        ok(world_next(&w) && is_probe_for(&w, &a) && w.tx.flood, "%s: probed for", name);

        /* Until it is found, datagrams carry the daemon's own MAC. */
        input_udp(&w, &l3, 1883, "x", 1);
        send_to(&w, family, TAKEN, PEER, 1);
        ok(world_next(&w) && mac_equal(&w.sent.eth.src, &probe_mac), "%s: our MAC", name);

        net_ask_again(w.net, w.now);
        ok(world_next(&w) && is_probe_for(&w, &a), "%s: asked now", name);
        answer_probe(&w, &owner_mac, 2);
        net_owner(w.net, 0, &owner);
        ok(owner.known && mac_equal(&owner.mac, &owner_mac) && owner.port == 2, "%s: found", name);
        ok(net_owner_generation(w.net) != generation, "%s: said so", name);
        generation = net_owner_generation(w.net);
        send_to(&w, family, TAKEN, PEER, 1);
        ok(world_next(&w) && mac_equal(&w.sent.eth.src, &owner_mac), "%s: its MAC", name);

        /* Every minute again. */
        world_sleep(&w, 59 * CLOCK_SEC);
        is_int(world_drain(&w), 0, "%s: quiet for a minute", name);
        world_sleep(&w, 2 * CLOCK_SEC);
        ok(world_next(&w) && is_probe_for(&w, &a) && !w.tx.flood && w.tx.port == 2,
           "%s: then asked where it was", name);
        answer_probe(&w, &owner_mac, 2);
        is_int(net_owner_generation(w.net), generation, "%s: nothing new", name);
        world_sleep(&w, 61 * CLOCK_SEC);
        world_drain(&w);
        answer_probe(&w, &owner_mac, 3);
        net_owner(w.net, 0, &owner);
        ok(owner.port == 3 && net_owner_generation(w.net) != generation, "%s: it moved", name);
        generation = net_owner_generation(w.net);
        world_sleep(&w, 70 * CLOCK_SEC);
        net_owner(w.net, 0, &owner);
        ok(!owner.known && net_owner_generation(w.net) != generation, "%s: it went", name);
        world_drain(&w);
        world_sleep(&w, 3600 * CLOCK_SEC);
        int n = world_drain(&w);

        ok(n > 300 && n < 480, "%s: %d probes an hour while it is away", name, n);
        world_uninit(&w);
    }
}

int
main(void)
{
    RUN(first_datagram_waits_for_a_probe);
    RUN(probes_back_off_and_give_up);
    RUN(back_off_is_bounded);
    RUN(queue_of_a_neighbour_is_bounded);
    RUN(old_entries_are_probed_again_while_used);
    RUN(only_answers_to_probes_count);
    RUN(datagrams_teach_where_their_sender_is);
    RUN(strangers_cannot_fill_the_table);
    RUN(large_datagrams_leave_in_fragments);
    RUN(datagrams_have_a_way_of_their_own);
    RUN(identifications_tell_nothing_of_what_others_get);
    RUN(broadcast_peers_need_no_probe);
    RUN(gateway_takes_what_no_probe_finds);
    RUN(back_off_ends_when_the_attachment_is_back);
    RUN(owners_are_found_and_watched);
    return done_testing();
}
