/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Who is told that an address is ours: ARP and Neighbour Discovery for virtual addresses. */
#include "unit/net-world.h"

/* A client asks for 'target', in 'n_tags' VLANs; from no address when it only probes. */
enum asker { ASKER_CLIENT, ASKER_PROBE };

static void
ask(struct world *w, const struct ip_addr *target, enum asker asker, unsigned int n_tags)
{
    uint8_t buf[WIRE_HEADROOM];
    uint8_t *end = buf + sizeof buf;
    struct wire_l3 l3 = { .src_mac = client_mac };

    tag_l3(&l3, n_tags);
    if (addr_is_v4(target)) {
        struct wire_eth eth = {
            .dst = all_macs, .src = client_mac, .tags = { l3.tags[0], l3.tags[1] },
            .n_tags = l3.n_tags,
        };
        struct wire_arp arp = {
            .op = 1, .sha = client_mac, .tpa = *target,
            .spa = asker == ASKER_CLIENT ? who(V4, CLIENT) : addr_v4(0),
        };

        world_input(w, 9, wire_build_arp(&eth, &arp, end), end);
    } else {
        struct wire_nd ns = {
            .type = ND_SOLICIT, .target = *target, .has_lladdr = asker == ASKER_CLIENT,
            .lladdr = client_mac,
        };

        l3.src = who(V6, CLIENT);
        if (asker == ASKER_PROBE) {
            addr_parse(&l3.src, "::");
        }
        l3.dst = wire_nd_solicited_node(target);
        l3.dst_mac = wire_multicast_mac(&l3.dst);
        world_input(w, 9, wire_build_nd(&l3, &ns, end), end);
    }
}

TEST(virtual_addresses_are_answered_for)
{
    struct mac_addr given = { { 0x02, 1, 2, 3, 4, 5 } };

    for (enum family family = V4; family < N_FAMILIES; family++) {
        for (unsigned int n_tags = 0; n_tags <= 2; n_tags++) {
            struct world w;
            struct net_config config = world_config(&w);
            struct ip_addr a = who(family, VIRTUAL);
            struct mac_addr mac = n_tags == 1 ? given : net_derive_mac(&a);
            struct wire_l3 tags = { .n_tags = 0 };
            char name[64];

            snprintf(name, sizeof name, "%s, %u tags", family_name[family], n_tags);
            w.services[family].mac = n_tags == 1 ? given : (struct mac_addr) { { 0 } };
            w.net = net_create(&config, w.now);
            tag_l3(&tags, n_tags);

            ask(&w, &a, ASKER_CLIENT, n_tags);
            is_int(w.rx.type, NET_RX_NONE, "%s: nothing for those above", name);
            ok(world_next(&w), "%s: answered", name);
            ok(!w.tx.flood && w.tx.port == 9, "%s: to the port that asked", name);
            ok(mac_equal(&w.sent.eth.dst, &client_mac) && mac_equal(&w.sent.eth.src, &mac),
               "%s: from the service's MAC to the asker's", name);
            ok(has_tags_of(&w, &tags), "%s: with the same tags", name);
            if (family == V4) {
                ok(w.sent.kind == WIRE_ARP && w.sent.arp.op == 2
                   && mac_equal(&w.sent.arp.sha, &mac) && addr_equal(&w.sent.arp.spa, &a)
                   && mac_equal(&w.sent.arp.tha, &client_mac), "%s: says who has it", name);
            } else {
                struct wire_nd na;
                struct ip_addr client = who(V6, CLIENT);

                ok(wire_nd_parse(&na, &w.sent) && na.type == ND_ADVERT
                   && na.flags == (ND_SOLICITED | ND_OVERRIDE) && addr_equal(&na.target, &a)
                   && na.has_lladdr && mac_equal(&na.lladdr, &mac)
                   && addr_equal(&w.sent.ip.dst, &client) && addr_equal(&w.sent.ip.src, &a),
                   "%s: says who has it", name);
            }
            ok(!world_next(&w), "%s: once", name);
            is_int(net_stats(w.net)->arp_answered, 1, "%s: counted", name);
            world_uninit(&w);
        }
    }
}

TEST(probes_for_duplicates_are_answered)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct ip_addr a = who(family, VIRTUAL);

        world_init(&w);
        ask(&w, &a, ASKER_PROBE, 0);
        ok(world_next(&w), "%s: answered", name);
        if (family == V4) {
            ok(mac_equal(&w.sent.eth.dst, &client_mac) && addr_equal(&w.sent.arp.spa, &a),
               "%s: to the prober", name);
        } else {
            struct wire_nd na;
            struct mac_addr all_nodes = { { 0x33, 0x33, 0, 0, 0, 1 } };

            ok(mac_equal(&w.sent.eth.dst, &all_nodes) && wire_nd_parse(&na, &w.sent)
               && na.flags == ND_OVERRIDE, "%s: to all nodes, RFC 4861 7.2.4", name);
        }
        world_uninit(&w);
    }
}

TEST(nobody_else_is_answered_for)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct world w;
        struct net_config config = world_config(&w);
        struct ip_addr a;

        world_add_taken(&w, &config);
        w.services[config.n_services].kind = NET_TAKEN;
        w.services[config.n_services++].prefix.len = 0;
        w.net = net_create(&config, w.now);
        a = who(family, TAKEN);
        ask(&w, &a, ASKER_CLIENT, 0);
        a = who(family, CLIENT);
        ask(&w, &a, ASKER_CLIENT, 0);
        is_int(world_drain(&w), 0, "%s: taken addresses have an owner", name);
        is_int(net_stats(w.net)->not_ours, 2, "%s: counted", name);
        world_uninit(&w);
    }
}

TEST(announcements_and_our_own_probes_get_no_answer)
{
    struct world w;
    uint8_t buf[WIRE_HEADROOM];
    uint8_t *end = buf + sizeof buf;
    struct wire_eth eth = { .dst = all_macs, .src = client_mac };
    struct wire_arp arp = {
        .op = 1, .sha = client_mac, .spa = who(V4, VIRTUAL), .tpa = who(V4, VIRTUAL),
    };

    world_init(&w);
    world_input(&w, 1, wire_build_arp(&eth, &arp, end), end);
    is_int(world_drain(&w), 0, "announcement of our address by another");
    arp.spa = addr_v4(0);
    arp.sha = probe_mac;
    world_input(&w, 1, wire_build_arp(&eth, &arp, end), end);
    is_int(world_drain(&w), 0, "a probe of ours that came back");
    arp.sha = all_macs;
    world_input(&w, 1, wire_build_arp(&eth, &arp, end), end);
    is_int(world_drain(&w), 0, "sender that claims the broadcast MAC");
    arp.sha = client_mac;
    world_input(&w, 1, wire_build_arp(&eth, &arp, end), end);
    is_int(world_drain(&w), 1, "an honest one is answered");
    world_uninit(&w);
}

/* A host with 'mac' announces the virtual address of 'family' as its own, at port 5. */
static void
claim(struct world *w, enum family family, const struct mac_addr *mac)
{
    uint8_t buf[WIRE_HEADROOM];
    uint8_t *end = buf + sizeof buf;
    struct ip_addr a = who(family, VIRTUAL);

    if (family == V4) {
        struct wire_eth eth = { .dst = all_macs, .src = *mac };
        struct wire_arp arp = { .op = 1, .sha = *mac, .spa = a, .tpa = a };

        world_input(w, 5, wire_build_arp(&eth, &arp, end), end);
    } else {
        struct wire_nd na = {
            .type = ND_ADVERT, .flags = ND_OVERRIDE, .target = a, .has_lladdr = true,
            .lladdr = *mac,
        };
        struct wire_l3 l3 = { .src_mac = *mac, .src = a };

        addr_parse(&l3.dst, "ff02::1");
        l3.dst_mac = wire_multicast_mac(&l3.dst);
        world_input(w, 5, wire_build_nd(&l3, &na, end), end);
    }
}

TEST(claims_of_others_to_our_address_are_reported)
{
    for (enum family family = V4; family < N_FAMILIES; family++) {
        const char *name = family_name[family];
        struct ip_addr a = who(family, VIRTUAL);
        struct mac_addr own = net_derive_mac(&a);
        struct net_conflict conflict;
        struct world w;

        world_init(&w);
        claim(&w, family, &own);
        claim(&w, family, &probe_mac);
        ok(!net_next_conflict(w.net, &conflict), "%s: our own frames that come back", name);
        is_int(net_stats(w.net)->address_conflicts, 0, "%s: are no conflict", name);
        ask(&w, &a, ASKER_PROBE, 0);
        ask(&w, &a, ASKER_CLIENT, 0);
        ok(!net_next_conflict(w.net, &conflict), "%s: nor are questions", name);
        world_drain(&w);

        claim(&w, family, &client_mac);
        ok(net_next_conflict(w.net, &conflict), "%s: another's claim is", name);
        ok(addr_equal(&conflict.addr, &a) && mac_equal(&conflict.mac, &client_mac)
           && conflict.port == 5, "%s: which address, who and where", name);
        ok(!net_next_conflict(w.net, &conflict), "%s: told once", name);
        is_int(world_drain(&w), 0, "%s: not answered", name);
        for (int i = 0; i < 99; i++) {
            claim(&w, family, &peer_mac);
        }
        ok(!net_next_conflict(w.net, &conflict), "%s: many are not told in a row", name);
        is_int(net_stats(w.net)->address_conflicts, 100, "%s: but counted", name);
        world_sleep(&w, 10 * CLOCK_SEC);
        claim(&w, family, &peer_mac);
        ok(net_next_conflict(w.net, &conflict) && mac_equal(&conflict.mac, &peer_mac),
           "%s: and again later", name);
        world_uninit(&w);
    }
}

int
main(void)
{
    RUN(virtual_addresses_are_answered_for);
    RUN(probes_for_duplicates_are_answered);
    RUN(nobody_else_is_answered_for);
    RUN(announcements_and_our_own_probes_get_no_answer);
    RUN(claims_of_others_to_our_address_are_reported);
    return done_testing();
}
