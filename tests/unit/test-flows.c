/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of src/ofp/flows: the whole table, for each kind of service, in both families. */
#include "unit/tap.h"
#include "base/mem.h"
#include "ofp/flows.h"
#include "ofp/swconn.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-meter.h"

#define TO_US "controller(max_len=65535,id=28018)"
#define SYN "meter:1836122117," TO_US
#define LOW "meter:1836122118," TO_US

struct input {
    struct flows_config cfg;
    struct flows_service services[4];
    struct flows_peer peers[4];
    uint32_t edge[4];
};

static struct input *
input(void)
{
    static struct input in;

    memset(&in, 0, sizeof in);
    flows_config_default(&in.cfg);
    in.cfg.services = in.services;
    in.cfg.peers = in.peers;
    in.cfg.edge_ports = in.edge;
    mac_parse(&in.cfg.probe_mac, "02:00:00:00:00:01");
    return &in;
}

static struct flows_service *
add_service(struct input *in, enum flows_kind kind, const char *prefix)
{
    struct flows_service *s = &in->services[in->cfg.n_services++];

    s->kind = kind;
    if (strcmp(prefix, "ANY") && !prefix_parse(&s->prefix, prefix)) {
        BAIL_OUT("%s", prefix);
    }
    return s;
}

static void
add_peer(struct input *in, const char *addr, const char *local)
{
    struct flows_peer *p = &in->peers[in->cfg.n_peers++];

    addr_parse(&p->addr, addr);
    addr_parse(&p->local, local);
}

/* A wanted line: letter, match with priority, actions. */
struct line {
    const char *letter, *match, *actions;
};

static void
check(const struct input *in, const struct line *want, size_t n, const char *name)
{
    struct flows *flows = flows_build(&in->cfg);

    is_int(flows->n_flows, n, "%s: number of flows", name);
    for (size_t i = 0; i < n && i < flows->n_flows; i++) {
        char text[512];

        snprintf(text, sizeof text, "cookie=0x6d71000100000000, priority=%s actions=%s",
                 want[i].match, want[i].actions);
        is_str(flows->flows[i].text, text, "%s", want[i].letter);
        is_str(flows->flows[i].letter, want[i].letter, "its letter");
    }
    for (size_t i = n; i < flows->n_flows; i++) {
        diag("unexpected: %s", flows->flows[i].text);
    }
    flows_destroy(flows);
}

#define CHECK(IN, WANT, NAME) check(IN, WANT, MP_ARRAY_SIZE(WANT), NAME)

TEST(virtual_address)
{
    static const struct line want[] = {
        { "a", "300,tcp,nw_dst=10.0.0.1,tp_dst=1883", TO_US },
        { "a'", "301,tcp,nw_dst=10.0.0.1,tp_dst=1883,tcp_flags=+syn-ack", SYN },
        { "a''", "300,tcp,nw_dst=10.0.0.1,ip_frag=yes", TO_US },
        { "b", "300,arp,arp_tpa=10.0.0.1,arp_op=1", LOW },
        { "c", "300,icmp,nw_dst=10.0.0.1", LOW },
        { "d", "300,udp,nw_dst=10.0.0.1,tp_dst=1883", TO_US },
        { "d", "300,udp,nw_dst=10.0.0.1,ip_frag=yes", TO_US },
        { "g", "290,ip,nw_dst=10.0.0.1", LOW },
        { "b2", "300,arp,arp_op=2,arp_tha=02:00:00:00:00:01", TO_US },
    };
    struct input *in = input();

    add_service(in, FLOWS_VIRTUAL, "10.0.0.1");
    add_peer(in, "10.0.0.2", "10.0.0.1");       /* Needs nothing more. */
    CHECK(in, want, "virtual, IPv4");
}

TEST(virtual_address_ipv6)
{
    static const struct line want[] = {
        { "a", "300,tcp6,ipv6_dst=2001:db8::1,tp_dst=1883", TO_US },
        { "a'", "301,tcp6,ipv6_dst=2001:db8::1,tp_dst=1883,tcp_flags=+syn-ack", SYN },
        { "a''", "300,tcp6,ipv6_dst=2001:db8::1,ip_frag=yes", TO_US },
        { "b", "300,icmp6,icmp_type=135,icmp_code=0,nd_target=2001:db8::1", LOW },
        { "c", "300,icmp6,ipv6_dst=2001:db8::1", LOW },
        { "d", "300,udp6,ipv6_dst=2001:db8::1,tp_dst=1883", TO_US },
        { "d", "300,udp6,ipv6_dst=2001:db8::1,ip_frag=yes", TO_US },
        { "d", "300,ipv6,ipv6_dst=2001:db8::1,nw_proto=44", TO_US },
        { "g", "290,ipv6,ipv6_dst=2001:db8::1", LOW },
        { "b2", "300,icmp6,dl_dst=02:00:00:00:00:01,icmp_type=136,icmp_code=0", TO_US },
        { "b2", "300,icmp6,dl_dst=02:00:00:00:00:01,icmp_type=135,icmp_code=0", TO_US },
    };
    struct input *in = input();

    add_service(in, FLOWS_VIRTUAL, "2001:db8::1");
    CHECK(in, want, "virtual, IPv6");
}

TEST(taken_address)
{
    static const struct line want[] = {
        { "a", "300,tcp,nw_dst=10.0.0.1,tp_dst=1884", TO_US },
        { "a'", "301,tcp,nw_dst=10.0.0.1,tp_dst=1884,tcp_flags=+syn-ack", SYN },
        { "c", "300,icmp,nw_dst=10.0.0.1,icmp_type=3", LOW ",output:7" },
        { "e", "310,tcp,nw_src=10.0.0.1,tp_src=1884,tcp_flags=+rst", "drop" },
        { "d", "300,udp,nw_src=10.0.0.2,nw_dst=10.0.0.1,tp_dst=1885", TO_US },
        { "d", "300,udp,nw_src=10.0.0.2,nw_dst=10.0.0.1,ip_frag=yes", TO_US },
        { "f", "310,icmp,nw_src=10.0.0.1,nw_dst=10.0.0.2,icmp_type=3,icmp_code=3", "drop" },
        { "b2", "300,arp,arp_op=2,arp_tha=02:00:00:00:00:01", TO_US },
    };
    struct input *in = input();
    struct flows_service *s = add_service(in, FLOWS_TAKEN, "10.0.0.1");
    struct flows *flows;

    in->cfg.tcp_port = 1884;
    in->cfg.udp_port = 1885;
    s->owner_known = true;
    s->owner_port = 7;
    add_peer(in, "10.0.0.2", "10.0.0.1");
    CHECK(in, want, "taken, IPv4");

    s->owner_port = 0xfffffffe;
    flows = flows_build(&in->cfg);
    ok(strstr(flows->flows[2].text, ",LOCAL"), "an owner at the bridge's own port");
    flows_destroy(flows);
    s->owner_known = false;
    flows = flows_build(&in->cfg);
    ok(!strstr(flows->flows[2].text, "output"), "an owner that is not known yet");
    flows_destroy(flows);
}

TEST(taken_address_ipv6)
{
    static const struct line want[] = {
        { "a", "300,tcp6,ipv6_dst=2001:db8::1,tp_dst=1883", TO_US },
        { "a'", "301,tcp6,ipv6_dst=2001:db8::1,tp_dst=1883,tcp_flags=+syn-ack", SYN },
        { "c", "300,icmp6,ipv6_dst=2001:db8::1,icmp_type=1", LOW },
        { "c", "300,icmp6,ipv6_dst=2001:db8::1,icmp_type=2", LOW },
        { "e", "310,tcp6,ipv6_src=2001:db8::1,tp_src=1883,tcp_flags=+rst", "drop" },
        { "d", "300,udp6,ipv6_src=2001:db8::2,ipv6_dst=2001:db8::1,tp_dst=1883", TO_US },
        { "d", "300,udp6,ipv6_src=2001:db8::2,ipv6_dst=2001:db8::1,ip_frag=yes", TO_US },
        { "d", "300,ipv6,ipv6_src=2001:db8::2,ipv6_dst=2001:db8::1,nw_proto=44", TO_US },
        { "f", "310,icmp6,ipv6_src=2001:db8::1,ipv6_dst=2001:db8::2,icmp_type=1,icmp_code=4",
          "drop" },
        { "b2", "300,icmp6,dl_dst=02:00:00:00:00:01,icmp_type=136,icmp_code=0", TO_US },
        { "b2", "300,icmp6,dl_dst=02:00:00:00:00:01,icmp_type=135,icmp_code=0", TO_US },
    };
    struct input *in = input();

    add_service(in, FLOWS_TAKEN, "2001:db8::1");
    add_peer(in, "2001:db8::2", "2001:db8::1");
    CHECK(in, want, "taken, IPv6");
}

TEST(prefixes_carry_edge_ports)
{
    static const struct line want[] = {
        { "a", "300,tcp,in_port=2,nw_dst=10.0.0.0/8,tp_dst=1883", TO_US },
        { "a", "300,tcp,in_port=LOCAL,nw_dst=10.0.0.0/8,tp_dst=1883", TO_US },
    };
    static const struct line any[] = {
        { "a", "300,tcp,in_port=2,tp_dst=1883", TO_US },
        { "a", "300,tcp6,in_port=2,tp_dst=1883", TO_US },
    };
    static const struct line six[] = {
        { "a", "300,tcp6,in_port=2,ipv6_dst=2001:db8::/32,tp_dst=1883", TO_US },
    };
    struct input *in = input();

    in->cfg.use_meters = false;
    memset(&in->cfg.probe_mac, 0, sizeof in->cfg.probe_mac);
    in->edge[0] = 2;
    in->edge[1] = 0xfffffffe;
    in->cfg.n_edge_ports = 2;
    add_service(in, FLOWS_TAKEN, "10.0.0.0/8");
    CHECK(in, want, "a prefix");
    in->cfg.n_edge_ports = 1;
    in->cfg.n_services = 0;
    memset(in->services, 0, sizeof in->services);
    add_service(in, FLOWS_TAKEN, "ANY");
    CHECK(in, any, "any address");
    in->cfg.n_services = 0;
    add_service(in, FLOWS_TAKEN, "2001:db8::/32");
    CHECK(in, six, "an IPv6 prefix");
}

TEST(no_flow_of_a_prefix_without_an_edge_port)
{
    struct input *in = input();
    struct flows *flows;

    memset(&in->cfg.probe_mac, 0, sizeof in->cfg.probe_mac);
    add_service(in, FLOWS_TAKEN, "ANY");
    flows = flows_build(&in->cfg);
    is_int(flows->n_flows, 0, "others' MQTT in transit is left alone");
    flows_destroy(flows);
}

TEST(pcap_mode_has_the_guards_alone)
{
    static const struct line want[] = {
        { "e", "310,tcp,nw_src=10.0.0.1,nw_ttl=64,tp_src=1883,tcp_flags=+rst", "drop" },
        { "f", "310,icmp,nw_src=10.0.0.1,nw_dst=10.0.0.2,icmp_type=3,icmp_code=3", "drop" },
    };
    struct input *in = input();
    struct flows *flows;

    in->cfg.mode = FLOWS_PCAP;
    add_service(in, FLOWS_TAKEN, "10.0.0.1");
    add_service(in, FLOWS_VIRTUAL, "10.0.0.9");
    add_peer(in, "10.0.0.2", "10.0.0.1");
    CHECK(in, want, "pcap mode");
    flows = flows_build(&in->cfg);
    is_int(flows->n_meters, 0, "no meters");
    flows_destroy(flows);
}

TEST(meters_only_where_there_are_any)
{
    struct input *in = input();
    struct flows *flows;

    add_service(in, FLOWS_VIRTUAL, "10.0.0.1");
    flows = flows_build(&in->cfg);
    is_int(flows->n_meters, 2, "two");
    is_str(flows->meters[0].text,
           "meter=1836122117,pktps,burst,stats,bands=type=drop,rate=2000,burst_size=1000", "SYN");
    is_str(flows->meters[1].text,
           "meter=1836122118,pktps,burst,stats,bands=type=drop,rate=1000,burst_size=500", "low");
    flows_destroy(flows);
    in->cfg.use_meters = false;
    flows = flows_build(&in->cfg);
    is_int(flows->n_meters, 0, "none in OpenFlow 1.0");
    for (size_t i = 0; i < flows->n_flows; i++) {
        ok(!strstr(flows->flows[i].text, "meter"), "flow %s names none", flows->flows[i].letter);
    }
    flows_destroy(flows);
    in->cfg.use_meters = true;
    in->cfg.syn_rate = 0;
    in->cfg.low_rate = 7;
    flows = flows_build(&in->cfg);
    is_int(flows->n_meters, 1, "one can be turned off");
    is_str(flows->meters[0].letter, "m2", "the other stays");
    flows_destroy(flows);
}

TEST(instances_share_nothing)
{
    struct input *in = input();
    struct flows *one, *two;

    add_service(in, FLOWS_VIRTUAL, "10.0.0.1");
    one = flows_build(&in->cfg);
    in->cfg.instance = 2;
    two = flows_build(&in->cfg);
    ok(!flows_equal(one, two), "not equal");
    ok(strstr(two->flows[0].text, "cookie=0x6d71000200000000"), "another cookie");
    ok(strstr(two->flows[0].text, "id=28019)"), "another controller id");
    for (int i = 1; i <= 2; i++) {
        for (int j = 1; j <= 2; j++) {
            ok(flows_meter_id(1, i) != flows_meter_id(2, j), "other meters");
        }
    }
    ok(flows_meter_id(65535, 3) < 0xffff0000u, "meter ids are legal ones");
    flows_destroy(two);
    in->cfg.instance = 1;
    two = flows_build(&in->cfg);
    ok(flows_equal(one, two), "the same input, the same flows");
    flows_destroy(one);
    flows_destroy(two);
}

TEST(fail_open_gives_time_outs)
{
    struct input *in = input();
    struct flows *flows;

    in->cfg.hard_timeout = 30;
    add_service(in, FLOWS_TAKEN, "10.0.0.1");
    flows = flows_build(&in->cfg);
    for (size_t i = 0; i < flows->n_flows; i++) {
        ok(strstr(flows->flows[i].text, "hard_timeout=30, "), "flow %s", flows->flows[i].letter);
    }
    flows_destroy(flows);
}

TEST(the_same_service_twice_gives_each_flow_once)
{
    struct input *in = input();
    struct flows *once, *twice;

    add_service(in, FLOWS_VIRTUAL, "10.0.0.1");
    once = flows_build(&in->cfg);
    add_service(in, FLOWS_VIRTUAL, "10.0.0.1");
    twice = flows_build(&in->cfg);
    ok(flows_equal(once, twice), "no duplicates");
    flows_destroy(once);
    flows_destroy(twice);
}

/* Everything at once: what is printed is what libopenvswitch, and so ovs-ofctl, reads. */
TEST(every_text_parses)
{
    struct input *in = input();
    struct flows *flows;

    in->edge[0] = 2;
    in->cfg.n_edge_ports = 1;
    in->cfg.hard_timeout = 65535;
    add_service(in, FLOWS_VIRTUAL, "2001:db8:1234:5678:9abc:def0:1234:5678");
    add_service(in, FLOWS_VIRTUAL, "255.255.255.254");
    add_service(in, FLOWS_TAKEN, "2001:db8:1234:5678:9abc:def0:1234:5679");
    add_service(in, FLOWS_TAKEN, "ANY");
    add_peer(in, "2001:db8:1234:5678:9abc:def0:1234:567a",
             "2001:db8:1234:5678:9abc:def0:1234:5679");
    flows = flows_build(&in->cfg);
    ok(flows->n_flows > 25, "%zu flows", flows->n_flows);
    for (size_t i = 0; i < flows->n_flows; i++) {
        struct ofputil_flow_mod fm;
        enum ofputil_protocol usable;
        char *error = parse_ofp_flow_mod_str(&fm, flows->flows[i].text, NULL, NULL, OFPFC_ADD,
                                             &usable);

        if (!ok(!error, "%s", flows->flows[i].text)) {
            diag("%s", error);
            continue;
        }
        ok(usable & OFPUTIL_P_OF13_OXM && usable & OFPUTIL_P_OF15_OXM, "usable in 1.3 and 1.5");
        minimatch_destroy(&fm.match);
        free(fm.ofpacts);
    }
    for (size_t i = 0; i < flows->n_meters; i++) {
        struct ofputil_meter_mod mm;
        enum ofputil_protocol usable;
        char *error = parse_ofp_meter_mod_str(&mm, flows->meters[i].text, OFPMC13_ADD, &usable);

        ok(!error, "%s", flows->meters[i].text);
        free(mm.meter.bands);
    }
    flows_destroy(flows);
}

TEST(printed_as_ovs_ofctl_reads_it)
{
    struct input *in = input();
    struct flows *flows;
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    in->cfg.low_rate = 0;
    memset(&in->cfg.probe_mac, 0, sizeof in->cfg.probe_mac);
    add_service(in, FLOWS_TAKEN, "10.0.0.1");
    flows = flows_build(&in->cfg);
    flows_print(flows, stream);
    fclose(stream);
    is_str(text,
           "# ovs-ofctl -O OpenFlow13 add-meter BRIDGE meter=1836122117,pktps,burst,stats,"
           "bands=type=drop,rate=2000,burst_size=1000\n"
           "# a\n"
           "cookie=0x6d71000100000000, priority=300,tcp,nw_dst=10.0.0.1,tp_dst=1883 actions="
           TO_US "\n"
           "# a'\n"
           "cookie=0x6d71000100000000, priority=301,tcp,nw_dst=10.0.0.1,tp_dst=1883,"
           "tcp_flags=+syn-ack actions=" SYN "\n"
           "# c\n"
           "cookie=0x6d71000100000000, priority=300,icmp,nw_dst=10.0.0.1,icmp_type=3 actions="
           TO_US "\n"
           "# e\n"
           "cookie=0x6d71000100000000, priority=310,tcp,nw_src=10.0.0.1,tp_src=1883,"
           "tcp_flags=+rst actions=drop\n", "meters as commands, flows as lines");
    free(text);
    flows_destroy(flows);
}

int
main(void)
{
    RUN(virtual_address);
    RUN(virtual_address_ipv6);
    RUN(taken_address);
    RUN(taken_address_ipv6);
    RUN(prefixes_carry_edge_ports);
    RUN(no_flow_of_a_prefix_without_an_edge_port);
    RUN(pcap_mode_has_the_guards_alone);
    RUN(meters_only_where_there_are_any);
    RUN(instances_share_nothing);
    RUN(fail_open_gives_time_outs);
    RUN(the_same_service_twice_gives_each_flow_once);
    RUN(every_text_parses);
    RUN(printed_as_ovs_ofctl_reads_it);
    return done_testing();
}
