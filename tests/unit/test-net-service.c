/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Which frames are whose: services, their demultiplexing, the way back to clients. */
#include "unit/net-world.h"

static enum net_rx_type
input_tcp(struct world *w, const struct wire_l3 *l3, uint16_t dst_port)
{
    uint8_t buf[WIRE_HEADROOM + 16];
    uint8_t *payload = buf + WIRE_HEADROOM;
    struct wire_tcp tcp = {
        .src_port = 40000, .dst_port = dst_port, .seq = 77, .flags = TCP_SYN, .wnd = 100,
    };

    memcpy(payload, "syn data", 8);
    return world_input(w, 7, wire_build_tcp(l3, &tcp, payload, 8), payload + 8);
}

TEST(services_are_found_virtual_first_then_longest_prefix)
{
    struct world w;
    struct net_config config = world_config(&w);
    struct ip_addr a;

    world_add_taken(&w, &config);
    prefix_parse(&w.services[config.n_services].prefix, "192.168.0.0/16");
    w.services[config.n_services++].kind = NET_TAKEN;
    prefix_parse(&w.services[config.n_services].prefix, "2001:db8::/32");
    w.services[config.n_services++].kind = NET_TAKEN;
    w.services[config.n_services].prefix.len = 0;
    w.services[config.n_services++].kind = NET_TAKEN;
    w.net = net_create(&config, w.now);

    for (enum family f = V4; f < N_FAMILIES; f++) {
        a = who(f, VIRTUAL);
        is_int(net_find_service(w.net, &a), (int) f, "%s: virtual", family_name[f]);
        a = who(f, TAKEN);
        is_int(net_find_service(w.net, &a), 2 + (int) f, "%s: taken host", family_name[f]);
        a = who(f, CLIENT);
        is_int(net_find_service(w.net, &a), 4 + (int) f, "%s: taken prefix", family_name[f]);
        addr_parse(&a, f == V4 ? "8.8.8.8" : "2002::1");
        is_int(net_find_service(w.net, &a), 6, "%s: ANY", family_name[f]);
        addr_parse(&a, f == V4 ? "224.0.0.1" : "ff02::1");
        is_int(net_find_service(w.net, &a), -1, "%s: a group is nobody's", family_name[f]);
        addr_parse(&a, f == V4 ? "0.0.0.0" : "::");
        is_int(net_find_service(w.net, &a), -1, "%s: no address", family_name[f]);
    }
    addr_parse(&a, "255.255.255.255");
    is_int(net_find_service(w.net, &a), -1, "broadcast is nobody's");
    world_uninit(&w);
}

TEST(derived_macs)
{
    struct ip_addr a = who(V4, VIRTUAL), b = who(V6, VIRTUAL);
    struct mac_addr x = net_derive_mac(&a), y = net_derive_mac(&b), again = net_derive_mac(&a);

    is_int(x.b[0], 2, "locally administered, unicast");
    ok(!mac_equal(&x, &y), "different for different addresses");
    ok(mac_equal(&x, &again), "the same for the same");
}

TEST(tcp_segments_and_their_way_back)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        for (unsigned int n_tags = 0; n_tags <= 2; n_tags++) {
            for (enum who to = VIRTUAL; to <= TAKEN; to++) {
                struct world w;
                struct net_config config = world_config(&w);
                struct wire_l3 l3 = l3_between(family, CLIENT, to);
                char name[64];

                snprintf(name, sizeof name, "%s, %u tags, %s", family_name[family], n_tags,
                         to == VIRTUAL ? "virtual" : "taken");
                world_add_taken(&w, &config);
                w.net = net_create(&config, w.now);
                tag_l3(&l3, n_tags);
                is_int(input_tcp(&w, &l3, 1883), NET_RX_TCP, "%s: taken up", name);
                ok(w.rx.frame.tcp.seq == 77 && w.rx.frame.tcp.payload.n == 8, "%s: parsed", name);
                ok(mac_equal(&w.rx.path.client, &l3.src_mac)
                   && mac_equal(&w.rx.path.service, &l3.dst_mac) && w.rx.path.port == 7,
                   "%s: path", name);

                uint8_t buf[WIRE_HEADROOM + 3];
                struct net_l4 l4 = { .local = l3.dst, .remote = l3.src, .ttl = 63, .tos = 4 };
                struct wire_tcp answer = { .src_port = 1883, .dst_port = 40000, .flags = TCP_ACK };

                memcpy(buf + WIRE_HEADROOM, "abc", 3);
                net_tcp_frame(w.net, &w.rx.path, &l4, &answer, buf + WIRE_HEADROOM, 3, &w.tx);
                is_int(wire_parse(&w.sent, w.tx.data, w.tx.n), WIRE_OK, "%s: the answer", name);
                ok(!w.tx.flood && w.tx.port == 7, "%s: goes back by its port", name);
                ok(mac_equal(&w.sent.eth.dst, &l3.src_mac)
                   && mac_equal(&w.sent.eth.src, &l3.dst_mac),
                   "%s: from the MAC that was called", name);
                ok(has_tags_of(&w, &l3), "%s: with its tags", name);
                ok(w.sent.kind == WIRE_TCP && w.sent.ip.ttl == 63 && w.sent.ip.tos == 4
                   && w.sent.ip.df && w.sent.tcp.payload.n == 3, "%s: as told", name);

                is_int(input_tcp(&w, &l3, 80), to == VIRTUAL ? NET_RX_TCP : NET_RX_NONE,
                       "%s: another port is TCP's to refuse only where all is ours", name);
                is_int(net_stats(w.net)->not_ours, to == VIRTUAL ? 0 : 1, "%s: counted", name);
                world_uninit(&w);
            }
        }
    }
}

TEST(frames_for_nobody)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct wire_l3 l3 = l3_between(family, CLIENT, PEER);

        world_init(&w);
        is_int(input_tcp(&w, &l3, 1883), NET_RX_NONE, "%s: for somebody else", name);
        l3 = l3_between(family, CLIENT, VIRTUAL);
        l3.dst_mac = all_macs;
        is_int(input_tcp(&w, &l3, 1883), NET_RX_NONE, "%s: segment in a broadcast frame", name);
        l3 = l3_between(family, VIRTUAL, VIRTUAL);
        is_int(input_tcp(&w, &l3, 1883), NET_RX_NONE, "%s: from itself", name);
        is_int(net_stats(w.net)->not_ours, 3, "%s: counted", name);
        l3 = l3_between(family, CLIENT, VIRTUAL);
        addr_parse(&l3.src, family == V4 ? "127.0.0.1" : "::1");
        is_int(input_tcp(&w, &l3, 1883), NET_RX_NONE, "%s: from loopback", name);
        addr_parse(&l3.src, family == V4 ? "0.0.0.0" : "::");
        is_int(input_tcp(&w, &l3, 1883), NET_RX_NONE, "%s: from nobody", name);
        is_int(net_stats(w.net)->bad_ip_source, 2, "%s: counted", name);
        is_int(world_drain(&w), 0, "%s: none of them is answered", name);
        is_int(net_stats(w.net)->frames_in, 5, "%s: frames in", name);
        world_uninit(&w);
    }
}

TEST(one_taken_host_may_call_another)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        struct world w;
        struct net_config config = world_config(&w);
        struct wire_l3 l3 = l3_between(family, TAKEN, CLIENT);

        config.n_services = 0;
        world_add_taken(&w, &config);
        w.services[config.n_services].kind = NET_TAKEN;
        w.services[config.n_services++].prefix.len = 0;
        w.net = net_create(&config, w.now);
        is_int(input_tcp(&w, &l3, 1883), NET_RX_TCP, "%s", family_name[family]);
        world_uninit(&w);
    }
}

TEST(datagrams)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct net_config config = world_config(&w);
        struct wire_l3 l3 = l3_between(family, PEER, TAKEN);

        world_add_taken(&w, &config);
        w.net = net_create(&config, w.now);
        is_int(input_udp(&w, &l3, 1883, "hello", 5), NET_RX_UDP, "%s: for a taken address", name);
        is_mem(w.rx.frame.udp.payload.p, w.rx.frame.udp.payload.n, "hello", 5, "%s: payload",
               name);
        ok(w.rx.frame.udp.src_port == 40000, "%s: source port", name);
        is_int(input_udp(&w, &l3, 53, "hello", 5), NET_RX_NONE, "%s: another port", name);
        l3 = l3_between(family, PEER, VIRTUAL);
        is_int(input_udp(&w, &l3, 1883, "", 0), NET_RX_UDP, "%s: empty, for a virtual address",
               name);
        l3.dst_mac = all_macs;
        is_int(input_udp(&w, &l3, 1883, "x", 1), NET_RX_UDP,
               "%s: in a broadcast frame, from one that found no MAC", name);
        is_int(net_stats(w.net)->datagrams_in, 3, "%s: counted", name);
        is_int(world_drain(&w), 0, "%s: no frame answers", name);
        world_uninit(&w);
    }
}

/* Every reason that the parser knows has its counter. */
TEST(errors_are_counted_by_name)
{
    struct world w;
    struct wire_l3 l3 = l3_between(V4, CLIENT, VIRTUAL);
    uint8_t buf[WIRE_HEADROOM + 16] = { 0 };
    uint8_t *payload = buf + WIRE_HEADROOM;
    uint8_t *p = wire_build_udp(&l3, 1, 2, payload, 4);

    world_init(&w);
    world_input(&w, 1, p, p + 10);
    is_int(net_stats(w.net)->cut_ethernet, 1, "cut Ethernet header");
    p[24] ^= 1;
    world_input(&w, 1, p, payload + 4);
    is_int(net_stats(w.net)->bad_ip_checksum, 1, "IP checksum");
    p[24] ^= 1;
    payload[0] ^= 1;
    world_input(&w, 1, p, payload + 4);
    is_int(net_stats(w.net)->bad_l4_checksum, 1, "UDP checksum");
    payload[-4] = 1;
    world_input(&w, 1, p, payload + 4);
    is_int(net_stats(w.net)->cut_l4, 1, "UDP length");
    p[14] = 0x55;
    world_input(&w, 1, p, payload + 4);
    is_int(net_stats(w.net)->bad_ip_header, 1, "IP version");
    is_int(net_n_stats, sizeof(struct net_stats) / sizeof(uint64_t), "all have names");
    world_uninit(&w);
}

int
main(void)
{
    RUN(services_are_found_virtual_first_then_longest_prefix);
    RUN(derived_macs);
    RUN(tcp_segments_and_their_way_back);
    RUN(frames_for_nobody);
    RUN(one_taken_host_may_call_another);
    RUN(datagrams);
    RUN(errors_are_counted_by_name);
    return done_testing();
}
