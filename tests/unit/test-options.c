/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The command line: what is taken, what it means, and one clear sentence for each mistake. */
#include <config.h>

#include "ctl/settings.h"

#include <unistd.h>

#include "unit/tap.h"

#define MAX_ARGS 32

/* Splits 'line' at spaces into argv, with a program name before. */
static int
split(char *line, char *argv[MAX_ARGS])
{
    char *save = NULL;
    int argc = 0;

    argv[argc++] = (char *) "ovs-mqtt-proxyd";
    for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        argv[argc++] = w;
    }
    argv[argc] = NULL;
    return argc;
}

struct parsed {
    struct options *options;
    struct settings settings;
    char *error;
};

static void
parse(struct parsed *p, const char *line)
{
    static const char *const names[] = { "10.1.2.3", "2001:db8::9" };
    struct ip_addr host[2];
    char copy[1024];
    char *argv[MAX_ARGS];

    for (size_t i = 0; i < 2; i++) {
        addr_parse(&host[i], names[i]);
    }
    memset(p, 0, sizeof *p);
    snprintf(copy, sizeof copy, "%s", line);

    int argc = split(copy, argv);

    p->error = options_parse(argc, argv, &p->options);
    if (!p->error) {
        p->error = settings_init(&p->settings, p->options, host, 2);
    }
}

static void
parsed_uninit(struct parsed *p)
{
    if (!p->error) {
        settings_uninit(&p->settings);
    }
    options_destroy(p->options);
    free(p->error);
}

/* The line is refused, with a single sentence that contains 'part'. */
static void
refuses(const char *line, const char *part)
{
    struct parsed p;

    parse(&p, line);
    ok(p.error && strstr(p.error, part) && !strchr(p.error, '\n'), "%s: %s", line,
       p.error ? p.error : "(taken)");
    parsed_uninit(&p);
}

static void
takes(const char *line)
{
    struct parsed p;

    parse(&p, line);
    ok(!p.error, "%s%s%s", line, p.error ? ": " : "", p.error ? p.error : "");
    parsed_uninit(&p);
}

TEST(prototype_line_with_the_bridge_appended)
{
    struct parsed p;
    char text[PEER_STRLEN];

    parse(&p, "-t 1883 -u jorge -p passwd -F 192.168.1.104 -U 1884 s2");
    if (!ok(!p.error, "taken%s%s", p.error ? ": " : "", p.error ? p.error : "")) {
        return;
    }
    is_int(option_number(p.options, OPTION_tcpport), 1883, "TCP port");
    is_int(option_number(p.options, OPTION_udpport), 1884, "UDP port");
    is_str(p.settings.username, "jorge", "user");
    is_str(p.settings.password, "passwd", "password");
    is_int(p.settings.n_peers, 1, "one peer");
    is_str(spec_format_peer(&p.settings.peers[0], text), "192.168.1.104:1884",
           "its port is -U's, though -U comes later");
    ok(p.settings.peers[0].via == PEER_INBAND, "in band");
    is_str(p.settings.bridge, "s2", "bridge");
    is_str(p.settings.method, "unix:/run/ovstest/s2.mgmt", "its management socket");
    is_str(p.settings.db, "unix:/run/ovstest/db.sock", "the database beside it");
    ok(p.settings.services_from_host, "services are the host's addresses");
    is_int(p.settings.n_services, 2, "all of them");
    ok(p.settings.services[0].kind == NET_TAKEN, "taken");
    parsed_uninit(&p);
}

TEST(services)
{
    struct parsed p;
    char text[PREFIX_STRLEN], mac[MAC_STRLEN];

    parse(&p, "--address=10.0.0.1/02:00:00:00:00:07 --address 2001:db8::1 --take 192.168.1.101 "
          "--take 10.9.0.0/16 --take any --edge-port=s2-eth1 --edge-port 3 br0");
    if (!ok(!p.error, "taken%s%s", p.error ? ": " : "", p.error ? p.error : "")) {
        return;
    }
    is_int(p.settings.n_services, 5, "five");
    ok(!p.settings.services_from_host, "none from the host");
    is_str(mac_format(&p.settings.services[0].mac, mac), "02:00:00:00:00:07", "MAC given");
    ok(p.settings.services[0].kind == NET_VIRTUAL, "--address is virtual");
    ok(mac_is_zero(&p.settings.services[1].mac), "MAC left to be derived");
    is_str(spec_format_prefix(&p.settings.services[1].prefix, text), "2001:db8::1", "IPv6");
    ok(p.settings.services[2].kind == NET_TAKEN, "--take is taken");
    is_str(spec_format_prefix(&p.settings.services[3].prefix, text), "10.9.0.0/16", "prefix");
    is_str(spec_format_prefix(&p.settings.services[4].prefix, text), "ANY", "any");
    is_int(p.settings.n_edge_ports, 2, "edge ports");
    is_str(p.settings.edge_ports[0], "s2-eth1", "by name");
    is_str(p.settings.edge_ports[1], "3", "by number");
    parsed_uninit(&p);

    refuses("--take=ANY br0", "--edge-port");
    refuses("--take=10.0.0.0/8 br0", "--edge-port");
    refuses("--take=2001:db8::/32 br0", "--edge-port");
    refuses("--address 10.0.0.1 --address 10.0.0.1 br0", "twice");
    refuses("--address 10.0.0.1 --take 10.0.0.1 br0", "twice");
    refuses("--take 2001:db8::1 --take 2001:db8:0::1 br0", "twice");
    refuses("--address 10.0.0.256 br0", "10.0.0.256");
    refuses("--address 224.0.0.1 br0", "host");
    refuses("--address 0.0.0.0 br0", "host");
    refuses("--address ff02::1 br0", "host");
    refuses("--address 255.255.255.255 br0", "host");
    refuses("--address 127.0.0.1 br0", "host");
    refuses("--address ::1 br0", "host");
    refuses("--take 127.0.0.1 br0", "--take");
    refuses("--take ::1 br0", "--take");
    refuses("--take 0.0.0.0 br0", "--take");
    refuses("--take 255.255.255.255 br0", "--take");
    refuses("--take 239.1.2.3 br0", "--take");
    refuses("--take 127.0.0.0/8 --edge-port 1 br0", "--take");
    refuses("--take 224.0.0.0/4 --edge-port 1 br0", "--take");
    refuses("--take 192.168.1.5/24 --edge-port 1 br0", "the network is 192.168.1.0/24");
    refuses("--take 2001:db8::5/32 --edge-port 1 br0", "the network is 2001:db8::/32");
    takes("--take 192.168.1.5/32 br0");
    takes("--take 192.168.1.4/30 --edge-port LOCAL br0");
    refuses("--address 10.0.0.1/24 br0", "MAC");
    refuses("--address 10.0.0.1/ff:ff:ff:ff:ff:ff br0", "MAC");
    refuses("--take 10.0.0.0/33 br0", "prefix");
    refuses("--take=everything br0", "ANY");
    refuses("--take=::/0 --edge-port=1 br0", "ANY");
    takes("--take=0.0.0.0/0 --edge-port=1 br0");
    refuses("--edge-port= br0", "--edge-port");
    takes("--take=any --edge-port=65279 br0");
    refuses("--take=any --edge-port=0 br0", "1 to 65279");
    refuses("--take=any --edge-port=65280 br0", "1 to 65279");
    refuses("--take=any --edge-port=70000 br0", "1 to 65279");
    refuses("--take=any --edge-port=99999999999 br0", "1 to 65279");
    takes("--attach=pcap:eth0 --take=ANY");
}

TEST(no_address_at_all)
{
    char *argv[] = { (char *) "ovs-mqtt-proxyd", (char *) "br0", NULL };
    struct options *o;
    struct settings s;
    char *error = options_parse(2, argv, &o);

    ok(!error, "options are fine");
    error = settings_init(&s, o, NULL, 0);
    ok(error && strstr(error, "no address"), "%s", error ? error : "(taken)");
    free(error);
    options_destroy(o);
}

TEST(peers)
{
    static const struct {
        const char *in, *endpoint;
        enum peer_via via;
        bool strict, bcast;
    } cases[] = {
        { "10.0.0.9", "10.0.0.9:1883", PEER_INBAND, false, false },
        { "inband:10.0.0.9:5", "10.0.0.9:5", PEER_INBAND, false, false },
        { "socket:127.0.0.1:65535", "127.0.0.1:65535", PEER_SOCKET, false, false },
        { "10.0.0.9,strict", "10.0.0.9:1883", PEER_INBAND, true, false },
        { "10.0.0.9:7,bcast,strict", "10.0.0.9:7", PEER_INBAND, true, true },
        { "2001:db8::2", "[2001:db8::2]:1883", PEER_INBAND, false, false },
        { "[2001:db8::2]", "[2001:db8::2]:1883", PEER_INBAND, false, false },
        { "socket:[2001:db8::2]:99,strict", "[2001:db8::2]:99", PEER_SOCKET, true, false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer_spec spec;
        char text[PEER_STRLEN];
        char *error = spec_parse_peer(cases[i].in, 1883, &spec);

        ok(!error, "%s is taken", cases[i].in);
        is_str(spec_format_peer(&spec, text), cases[i].endpoint, "endpoint");
        ok(spec.via == cases[i].via && spec.strict == cases[i].strict
           && spec.bcast == cases[i].bcast, "way and flags");
        free(error);
    }
    refuses("-F 10.0.0.9:0 br0", "-F");
    refuses("-F 10.0.0.9:65536 br0", "-F");
    refuses("-F 10.0.0.9: br0", "-F");
    refuses("-F host.example br0", "-F");
    refuses("-F 0.0.0.0 br0", "-F");
    refuses("-F [2001:db8::2 br0", "-F");
    refuses("-F [2001:db8::2]1883 br0", "-F");
    refuses("-F 10.0.0.9,sloppy br0", "sloppy");
    refuses("-F socket:10.0.0.9,bcast br0", "bcast");
    refuses("-F 10.0.0.9, br0", "-F");
    refuses("-F 10.0.0.9,strict, br0", "-F");
    refuses("-F 10.0.0.9,strict,strict br0", "strict is given twice");
    refuses("-F 10.0.0.9,bcast,strict,bcast br0", "bcast is given twice");
    refuses("-F 224.0.0.9 br0", "host");
    refuses("-F socket:ff02::9 br0", "host");
    refuses("-F 255.255.255.255,bcast br0", "host");
    refuses("-F 127.0.0.1 br0", "host");
    takes("-F socket:127.0.0.1 br0");
    refuses("-F 10.0.0.9 -F 10.0.0.9:1883 br0", "twice");
    refuses("--take 10.0.0.9 -F 10.0.0.9 br0", "very proxy");
    refuses("--take 10.0.0.9 -F 2001:db8::2 br0", "family");
    takes("--take 10.0.0.9 -F socket:2001:db8::2 br0");
    refuses("--max-peers=1 -F 10.0.0.9 -F 10.0.0.8 br0", "--max-peers");
    refuses("--peer-address=10.0.0.7 --take 10.0.0.9 br0", "--peer-address");
    takes("--peer-address=10.0.0.9 --take 10.0.0.9 br0");
    refuses("--gateway=nowhere br0", "--gateway");
    takes("--gateway=10.1.2.1 br0");
    refuses("--gateway=10.1.2.3 br0", "very proxy");
    refuses("--gateway=10.0.0.9 --address 10.0.0.9 br0", "very proxy");
    refuses("--gateway=2001:db8::1 --address 10.0.0.9 br0", "family");
    refuses("--gateway=127.0.0.1 br0", "--gateway");
}

TEST(peer_socket)
{
    struct parsed p;
    char text[ADDR_STRLEN];

    parse(&p, "-U 77 -F socket:10.0.0.9 br0");
    ok(!p.error && p.settings.needs_socket && p.settings.socket_port == 77
       && addr_is_any(&p.settings.socket_addr), "any address and -U by default");
    parsed_uninit(&p);
    parse(&p, "--peer-socket 127.0.0.2:99 br0");
    ok(!p.error && p.settings.socket_port == 99 && !p.settings.needs_socket, "address and port");
    is_str(addr_format(&p.settings.socket_addr, text), "127.0.0.2", "the address");
    parsed_uninit(&p);
    parse(&p, "--peer-socket 99 br0");
    ok(!p.error && p.settings.socket_port == 99, "port alone");
    parsed_uninit(&p);
    refuses("--peer-socket x br0", "--peer-socket");
    refuses("--peer-socket 127.0.0.2:0 br0", "--peer-socket");
}

TEST(access_files)
{
    struct parsed p;

    parse(&p, "--password-file=/x/p --acl-file=/x/a --allow-anonymous=true br0");
    ok(!p.error && p.settings.anonymous == MQTT_ANONYMOUS_ALLOWED, "anonymous clients as well");
    is_str(p.settings.password_file, "/x/p", "password file");
    is_str(p.settings.acl_file, "/x/a", "access rules");
    parsed_uninit(&p);
    parse(&p, "--acl-file=a br0");
    ok(!p.error && p.settings.acl_file[0] == '/', "names are made absolute");
    ok(p.settings.anonymous == MQTT_ANONYMOUS_AUTO, "no word of anonymous clients");
    parsed_uninit(&p);
    refuses("--password-file=/x/p -u a -p b br0", "two ways");
    refuses("--allow-anonymous=yes br0", "neither true nor false");
    refuses("--allow-anonymous=false br0", "nobody could connect");
    takes("--allow-anonymous=false -u a -p b br0");
    takes("--allow-anonymous=false --password-file=/x/p br0");
    refuses("--max-qos=3 br0", "0 to 2");
    refuses("--max-auth-queue=0 br0", "1 to");
    takes("--memory-limit=0 --sys-interval=0 br0");
}

TEST(numbers_have_ranges)
{
    refuses("-t 0 br0", "1 to 65535");
    refuses("-t 65536 br0", "1 to 65535");
    refuses("-t -1 br0", "1 to 65535");
    refuses("-t 1883x br0", "1883x");
    refuses("-t 99999999999999999999 br0", "1 to 65535");
    refuses("--tcpport= br0", "--tcpport");
    refuses("--instance 0 br0", "1 to 65535");
    refuses("--max-packet-size 268435456 br0", "268435455");
    takes("--max-packet-size 268435455 br0");
    takes("-t 65535 -U 1 --instance 65535 br0");
}

TEST(tcp)
{
    static const struct { const char *line; uint8_t dscp; bool ecn; } good[] = {
        { "br0", 0, true }, { "--dscp=0 --ecn=true br0", 0, true }, { "--dscp=63 br0", 63, true },
        { "--dscp 46 --ecn false br0", 46, false },
        { "--dscp=mirror br0", UTCP_DSCP_MIRROR, true },
    };
    struct proxy_config config;
    struct parsed p;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        parse(&p, good[i].line);
        ok(!p.error, "%s is taken", good[i].line);
        settings_to_proxy(&p.settings, p.options, &config);
        ok(config.utcp.dscp == good[i].dscp && config.utcp.ecn == good[i].ecn, "as it says");
        parsed_uninit(&p);
    }
    parse(&p, "--tcp-r1=5 --tcp-r2=100 --tcp-syn-r2=30 --tcp-time-wait=5 --ttl=7 --peer-dscp=46 br0");
    ok(!p.error, "R1, R2, TIME-WAIT, TTL are taken");
    settings_to_proxy(&p.settings, p.options, &config);
    ok(config.utcp.r1 == 5 && config.utcp.r2_us == 100 * CLOCK_SEC
       && config.utcp.syn_r2_us == 30 * CLOCK_SEC && config.utcp.time_wait_us == 5 * CLOCK_SEC
       && config.utcp.ttl == 7 && config.net.udp_dscp == 46, "and reach TCP and the datagrams");
    parsed_uninit(&p);
    refuses("--dscp=64 br0", "0 to 63");
    refuses("--dscp=-1 br0", "0 to 63");
    refuses("--dscp= br0", "0 to 63");
    refuses("--dscp=EF br0", "0 to 63");
    refuses("--dscp=0x2e br0", "0 to 63");
    refuses("--dscp=9999999999 br0", "0 to 63");
    refuses("--ecn=1 br0", "neither true nor false");
    refuses("--peer-dscp=64 br0", "0 to 63");
    refuses("--tcp-r1=2 br0", "3 to");
    refuses("--tcp-r2=99 br0", "100 to");
}

TEST(mistakes_of_form)
{
    refuses("", "a bridge or an OpenFlow method");
    refuses("br0 br1", "br1");
    refuses("--nonsense br0", "--nonsense");
    refuses("-Z br0", "-Z");
    refuses("br0 -t", "-t");
    refuses("br0 --address", "--address");
    refuses("--detach=yes br0", "--detach");
    refuses("--attach=dpdk br0", "dpdk");
    refuses("--attach=pcap: br0", "pcap:");
    refuses("--attach=pcap:h1,h1 br0", "h1 is given twice");
    refuses("--attach=pcap:h1,,h2 br0", "no name");
    refuses("--attach=pcap:h1, br0", "no name");
    refuses("-u jorge br0", "password");
    refuses("-p secret br0", "-u");
    refuses("-u jorge -p a --passphrase-file b br0", "--passphrase-file");
    refuses("-u jorge --passphrase-file /nonexistent/file br0", "/nonexistent/file");
}

TEST(ways_to_the_switch)
{
    struct parsed p;

    parse(&p, "tcp:127.0.0.1:6653");
    ok(!p.error && !p.settings.bridge && !p.settings.is_local, "a method of another machine");
    parsed_uninit(&p);
    parse(&p, "unix:/tmp/x/br7.mgmt");
    ok(!p.error && p.settings.is_local, "a management socket by its path");
    is_str(p.settings.bridge, "br7", "names its bridge");
    parsed_uninit(&p);
    parse(&p, "--attach=pcap:h1-eth0,h1-eth1");
    ok(!p.error && !p.settings.method && !p.settings.openflow, "pcap needs no switch");
    is_int(p.settings.n_pcap_ifs, 2, "two interfaces");
    parsed_uninit(&p);
    parse(&p, "--db=none br0");
    ok(!p.error && !p.settings.db, "the database can be left alone");
    parsed_uninit(&p);
    takes("punix:/tmp/x");
    takes("ptcp:6653");
    refuses("ssl:127.0.0.1:6653", "TLS");
    refuses("pssl:6653", "TLS");
    refuses("udp:127.0.0.1", "method");
    refuses("tcp:", "tcp:");
    refuses("/var/run/br0.mgmt", "method");
}

TEST(versions)
{
    struct parsed p;

    parse(&p, "-O OpenFlow10,OpenFlow14 br0");
    ok(!p.error && p.settings.versions == (1u << 1 | 1u << 5), "two of them");
    parsed_uninit(&p);
    parse(&p, "br0");
    ok(!p.error && p.settings.versions == (1u << 1 | 1u << 4 | 1u << 5 | 1u << 6), "all");
    parsed_uninit(&p);
    refuses("-O OpenFlow12 br0", "OpenFlow12");
    refuses("-O OpenFlow99 br0", "OpenFlow99");
}

TEST(passphrase_file)
{
    char name[] = "/tmp/test-options.XXXXXX";
    int fd = mkstemp(name);
    char line[128];
    struct parsed p;

    if (!ok(fd >= 0 && write(fd, "se cret\r\nmore\n", 14) == 14, "a file")) {
        return;
    }
    close(fd);
    snprintf(line, sizeof line, "-u jorge --passphrase-file=%s br0", name);
    parse(&p, line);
    ok(!p.error, "taken");
    is_str(p.settings.password, "se cret", "the first line without its end");
    parsed_uninit(&p);
    ok(!truncate(name, 0), "emptied");
    refuses(line, "no password");
    unlink(name);
}

/* Each limit, given as its default, changes nothing: table and fields agree. */
TEST(limits_reach_their_fields)
{
    struct proxy_config before, after;
    struct parsed p;

    parse(&p, "br0");
    settings_to_proxy(&p.settings, p.options, &before);
    for (int id = 0; id < N_OPTIONS; id++) {
        const struct option_desc *d = option_desc(id);
        uint64_t value = d->is_limit ? option_number(p.options, id) : 0;
        char line[128];
        struct parsed q;

        if (!d->is_limit) {
            continue;
        }
        ok((value >= d->min && value <= d->max) || !value, "--%s: default %llu is in its range",
           d->name, (unsigned long long int) value);
        snprintf(line, sizeof line, "--%s=%llu br0", d->name, (unsigned long long int) value);
        parse(&q, line);
        ok(!q.error, "%s", line);
        if (!q.error) {
            settings_to_proxy(&q.settings, q.options, &after);
            after.net.services = before.net.services;
            after.peers = before.peers;
            ok(!memcmp(&before, &after, sizeof after), "--%s: its default changes nothing",
               d->name);
        }
        parsed_uninit(&q);

        snprintf(line, sizeof line, "--%s=%llu br0", d->name,
                 (unsigned long long int) (value == d->min ? d->min + 1 : d->min));
        parse(&q, line);
        if (ok(!q.error, "%s", line)) {
            settings_to_proxy(&q.settings, q.options, &after);
            after.net.services = before.net.services;
            after.peers = before.peers;
            ok(memcmp(&before, &after, sizeof after), "--%s: another value arrives", d->name);
        }
        parsed_uninit(&q);
    }
    parsed_uninit(&p);
}

TEST(secrets_are_not_shown)
{
    struct parsed p;

    parse(&p, "-u jorge -p passwd br0");

    char *shown = option_show(p.options, OPTION_password);

    is_str(shown, "(set)", "password");
    free(shown);
    shown = option_show(p.options, OPTION_username);
    is_str(shown, "jorge", "user");
    free(shown);
    shown = option_show(p.options, OPTION_udpport);
    is_str(shown, "1883", "a default");
    free(shown);
    parsed_uninit(&p);
}

TEST(probe_macs_differ)
{
    static const char *const lines[] = {
        "--take 10.0.0.1 s2", "--take 10.0.0.1 s3", "--take 10.0.0.2 s2",
        "--instance 2 --take 10.0.0.1 s2",
    };
    struct mac_addr macs[4];

    for (size_t i = 0; i < 4; i++) {
        struct parsed p;

        parse(&p, lines[i]);
        macs[i] = settings_probe_mac(&p.settings, p.options, "machine");

        struct mac_addr again = settings_probe_mac(&p.settings, p.options, "machine");
        struct mac_addr elsewhere = settings_probe_mac(&p.settings, p.options, "other");

        ok(mac_equal(&macs[i], &again), "the same after a restart");
        ok(!mac_equal(&macs[i], &elsewhere), "another one on another machine");
        ok((macs[i].b[0] & 3) == 2, "locally administered, no group");
        for (size_t j = 0; j < i; j++) {
            ok(!mac_equal(&macs[i], &macs[j]), "%s and %s differ", lines[i], lines[j]);
        }
        parsed_uninit(&p);
    }
}

int
main(void)
{
    setenv("OVS_RUNDIR", "/run/ovstest", 1);
    RUN(prototype_line_with_the_bridge_appended);
    RUN(services);
    RUN(no_address_at_all);
    RUN(peers);
    RUN(peer_socket);
    RUN(access_files);
    RUN(numbers_have_ranges);
    RUN(tcp);
    RUN(mistakes_of_form);
    RUN(ways_to_the_switch);
    RUN(versions);
    RUN(passphrase_file);
    RUN(limits_reach_their_fields);
    RUN(secrets_are_not_shown);
    RUN(probe_macs_differ);
    return done_testing();
}
