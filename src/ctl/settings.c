/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ctl/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ovs-config.h"
#include "dirs.h"
#include "util.h"

#include "base/mem.h"
#include "base/siphash.h"

/* The names that ovs-ofctl has, and the numbers on the wire. */
static const struct {
    const char *name;
    uint8_t number;
} versions[] = {
    { "OpenFlow10", 0x01 }, { "OpenFlow13", 0x04 }, { "OpenFlow14", 0x05 }, { "OpenFlow15", 0x06 },
};

/* Of the ports that Open vSwitch numbers; above are OpenFlow's reserved ones. */
#define MAX_PORT_NUMBER 0xfeff

/* ---- Services ---- */

static char *
add_service(struct settings *s, const struct net_service *svc)
{
    char text[PREFIX_STRLEN];

    for (size_t i = 0; i < s->n_services; i++) {
        const struct ip_prefix *p = &s->services[i].prefix;

        if (p->len == svc->prefix.len && addr_equal(&p->addr, &svc->prefix.addr)) {
            return xasprintf("service address %s is given twice",
                             spec_format_prefix(p, text));
        }
    }
    s->services = mem_realloc(s->services, (s->n_services + 1) * sizeof *s->services);
    s->services[s->n_services++] = *svc;
    return NULL;
}

static char *
services_of_host(struct settings *s, const struct ip_addr *host, size_t n_host)
{
    char *error = NULL;

    for (size_t i = 0; i < n_host && !error; i++) {
        struct net_service svc = {
            .kind = NET_TAKEN, .prefix = { .addr = host[i], .len = 128 }
        };

        error = add_service(s, &svc);
    }
    s->services_from_host = true;
    if (!error && !s->n_services) {
        error = xstrdup("no --address and no --take is given, and this network namespace has no "
                        "address that could be taken");
    }
    return error;
}

static char *
parse_services(struct settings *s, const struct options *o)
{
    static const struct {
        enum option_id id;
        char *(*parse)(const char *, struct net_service *);
    } kinds[] = {
        { OPTION_address, spec_parse_address },
        { OPTION_take, spec_parse_take },
    };

    for (size_t k = 0; k < MP_ARRAY_SIZE(kinds); k++) {
        for (size_t i = 0; i < option_count(o, kinds[k].id); i++) {
            struct net_service svc;
            char *error = kinds[k].parse(option_item(o, kinds[k].id, i), &svc);

            error = error ? error : add_service(s, &svc);
            if (error) {
                return error;
            }
        }
    }
    return NULL;
}

/* A wide service intercepts MQTT of others too, unless it is told where clients are. */
static char *
check_edge_ports(const struct settings *s)
{
    for (size_t i = 0; i < s->n_services; i++) {
        char text[PREFIX_STRLEN];

        if (!prefix_is_host(&s->services[i].prefix) && !s->n_edge_ports && s->openflow) {
            return xasprintf("--take=%s needs --edge-port, so that MQTT in transit is left alone",
                             spec_format_prefix(&s->services[i].prefix, text));
        }
    }
    return NULL;
}

/* ---- Peers ---- */

static bool
is_own_address(const struct settings *s, const struct ip_addr *a)
{
    for (size_t i = 0; i < s->n_services; i++) {
        const struct ip_prefix *p = &s->services[i].prefix;

        if (prefix_is_host(p) && addr_equal(&p->addr, a)) {
            return true;
        }
    }
    return false;
}

bool
settings_peer_source(const struct settings *s, const struct ip_addr *peer, struct ip_addr *source)
{
    struct proxy_sources sources = { s->services, s->n_services, s->peer_address };

    return proxy_choose_source(&sources, peer, source);
}

/* A router is one more neighbour, of a family that we send datagrams from. */
static char *
check_gateway(const struct settings *s)
{
    char text[ADDR_STRLEN];
    struct ip_addr source;

    if (addr_is_any(&s->gateway)) {
        return NULL;
    } else if (is_own_address(s, &s->gateway)) {
        return xasprintf("--gateway: %s is a service address of this very proxy",
                         addr_format(&s->gateway, text));
    } else if (!settings_peer_source(s, &s->gateway, &source)) {
        return xasprintf("--gateway: there is no service address of the family of %s",
                         addr_format(&s->gateway, text));
    }
    return NULL;
}

static char *
check_peer(const struct settings *s, const struct peer_spec *p)
{
    char text[PEER_STRLEN];
    struct ip_addr source;

    for (size_t i = 0; i < s->n_peers; i++) {
        const struct peer_spec *q = &s->peers[i];

        if (addr_equal(&q->addr, &p->addr) && q->port == p->port) {
            return xasprintf("peer %s is given twice", spec_format_peer(p, text));
        }
    }
    if (p->via == PEER_INBAND && is_own_address(s, &p->addr)) {
        return xasprintf("peer %s is a service address of this very proxy",
                         spec_format_peer(p, text));
    }
    if (p->via == PEER_INBAND && !settings_peer_source(s, &p->addr, &source)) {
        return xasprintf("peer %s has no service address of its family that datagrams could come "
                         "from: give one by --address or --take, or reach it by socket:",
                         spec_format_peer(p, text));
    }
    return NULL;
}

static char *
parse_peers(struct settings *s, const struct options *o)
{
    size_t n = option_count(o, OPTION_forwarder);

    if (n > option_number(o, OPTION_max_peers)) {
        return xasprintf("%zu peers are more than --max-peers allows", n);
    }
    s->peers = mem_zalloc((n + 1) * sizeof *s->peers);
    for (size_t i = 0; i < n; i++) {
        struct peer_spec *p = &s->peers[s->n_peers];
        char *error = spec_parse_peer(option_item(o, OPTION_forwarder, i),
                                          option_number(o, OPTION_udpport), p);

        error = error ? error : check_peer(s, p);
        if (error) {
            return error;
        }
        s->needs_socket |= p->via == PEER_SOCKET;
        s->n_peers++;
    }
    return NULL;
}

/* "PORT", "IP:PORT", "[IPv6]:PORT". */
static char *
parse_socket(struct settings *s, const struct options *o)
{
    const char *text = option_text(o, OPTION_peer_socket);
    struct peer_spec end = { .port = option_number(o, OPTION_udpport) };

    if (text && !spec_parse_port(text, &end.port)) {
        char *copy = xstrdup(text);
        bool parsed = spec_parse_endpoint(copy, &end);

        free(copy);
        if (!parsed) {
            return xasprintf("--peer-socket: \"%s\" is not [IP:]PORT", text);
        }
    }
    s->socket_addr = end.addr;
    s->socket_port = end.port;
    return NULL;
}

static char *
parse_one_address(const struct options *o, enum option_id id, struct ip_addr *a)
{
    const char *text = option_text(o, id);

    memset(a, 0, sizeof *a);
    if (text && (!addr_parse(a, text) || !spec_is_usable(a))) {
        return xasprintf("--%s: \"%s\" is not an IP address of a host", option_desc(id)->name,
                         text);
    }
    return NULL;
}

static char *
parse_peer_ways(struct settings *s, const struct options *o)
{
    char *error = parse_socket(s, o);

    error = error ? error : parse_one_address(o, OPTION_gateway, &s->gateway);
    error = error ? error : parse_one_address(o, OPTION_peer_address, &s->peer_address);
    if (!error && option_given(o, OPTION_peer_address) && !is_own_address(s, &s->peer_address)) {
        error = xasprintf("--peer-address: %s is not among the service addresses",
                          option_text(o, OPTION_peer_address));
    }
    return error;
}

/* ---- User and password ---- */

static char *
read_passphrase(const char *file, char **password)
{
    FILE *stream = fopen(file, "r");
    char line[1024];

    if (!stream) {
        return xasprintf("--passphrase-file: %s: %s", file, ovs_strerror(errno));
    }

    char *got = fgets(line, sizeof line, stream);

    fclose(stream);
    if (got) {
        line[strcspn(line, "\r\n")] = '\0';
    }
    if (!got || !line[0]) {
        return xasprintf("--passphrase-file: the first line of %s holds no password", file);
    }
    *password = xstrdup(line);
    memset(line, 0, sizeof line);
    return NULL;
}

/* Who has to say who is who is found out here; the files are read later. */
static char *
parse_access(struct settings *s, const struct options *o)
{
    const char *passwords = option_text(o, OPTION_password_file);
    const char *acl = option_text(o, OPTION_acl_file);
    const char *anonymous = option_text(o, OPTION_allow_anonymous);
    bool allowed = true;
    char *error = anonymous ? spec_parse_bool("allow-anonymous", anonymous, &allowed) : NULL;

    if (passwords && s->username) {
        free(error);
        return xstrdup("-u and --password-file are two ways to say who may connect: give one");
    } else if (error) {
        return error;
    } else if (!allowed && !passwords && !s->username) {
        return xstrdup("--allow-anonymous=false needs --password-file or -u: nobody could connect");
    }
    if (anonymous) {
        s->anonymous = allowed ? MQTT_ANONYMOUS_ALLOWED : MQTT_ANONYMOUS_REFUSED;
    }
    /* A daemon leaves its directory. */
    s->password_file = passwords ? abs_file_name(NULL, passwords) : NULL;
    s->acl_file = acl ? abs_file_name(NULL, acl) : NULL;
    return NULL;
}

static char *
parse_tcp(struct settings *s, const struct options *o)
{
    char *error = spec_parse_bool("ecn", option_text(o, OPTION_ecn), &s->ecn);
    char *wrong = error ? NULL : spec_parse_dscp(option_text(o, OPTION_dscp), &s->dscp);

    if (wrong) {
        error = xasprintf("--dscp: %s", wrong);
        free(wrong);
    }
    return error;
}

static char *
parse_credentials(struct settings *s, const struct options *o)
{
    const char *user = option_text(o, OPTION_username);
    const char *password = option_text(o, OPTION_password);
    const char *file = option_text(o, OPTION_passphrase_file);

    if (password && file) {
        return xstrdup("-p and --passphrase-file are two ways to say the same: give one");
    } else if (user && !password && !file) {
        return xstrdup("-u needs the user's password: -p or --passphrase-file");
    } else if (!user && (password || file)) {
        return xstrdup("a password needs a user: -u");
    }
    s->username = nullable_xstrdup(user);
    s->password = nullable_xstrdup(password);
    return file ? read_passphrase(file, &s->password) : NULL;
}

/* ---- Attachment and switch ---- */

static void
add_word(char ***words, size_t *n, const char *word)
{
    *words = mem_realloc(*words, (*n + 1) * sizeof **words);
    (*words)[(*n)++] = xstrdup(word);
}

static bool
is_port_number(const char *digits)
{
    return strlen(digits) <= 5 && atoi(digits) >= 1 && atoi(digits) <= MAX_PORT_NUMBER;
}

static char *
parse_interfaces(struct settings *s, const char *list)
{
    char *copy = xstrdup(list);
    char *rest = copy, *error = NULL, *word;

    while (!error && (word = strsep(&rest, ","))) {
        for (size_t i = 0; i < s->n_pcap_ifs && !error; i++) {
            if (!strcmp(s->pcap_ifs[i], word)) {
                error = xasprintf("--attach: interface %s is given twice", word);
            }
        }
        if (!error && !*word) {
            error = xasprintf("--attach: an interface has no name in \"%s\"", list);
        }
        if (!error) {
            add_word(&s->pcap_ifs, &s->n_pcap_ifs, word);
        }
    }
    free(copy);
    return error;
}

static char *
parse_attachment(struct settings *s, const struct options *o)
{
    const char *text = option_text(o, OPTION_attach);

    s->openflow = !strcmp(text, "openflow");
    if (!s->openflow) {
        const char *list = text;

        if (!spec_skip(&list, "pcap:") || !*list) {
            return xasprintf("--attach: \"%s\" is neither openflow nor pcap:IF[,IF...]", text);
        }

        char *error = parse_interfaces(s, list);

        if (error) {
            return error;
        }
    }
    for (size_t i = 0; i < option_count(o, OPTION_edge_port); i++) {
        const char *port = option_item(o, OPTION_edge_port, i);

        if (!*port) {
            return xstrdup("--edge-port needs the name or number of a port");
        } else if (spec_is_digits(port) && !is_port_number(port)) {
            return xasprintf("--edge-port: %s is not the number of a port (1 to %d)", port,
                             MAX_PORT_NUMBER);
        }
        add_word(&s->edge_ports, &s->n_edge_ports, port);
    }
    return NULL;
}

/* The bridge whose management socket 'method' is, NULL when it is something else. */
static char *
bridge_of_method(const char *method)
{
    const char *file = strrchr(method, '/');
    size_t n = file ? strlen(file) : 0;

    if (strncmp(method, "unix:", 5) || n < 7 || strcmp(file + n - 5, ".mgmt")) {
        return NULL;
    }
    return xmemdup0(file + 1, n - 6);
}

static char *
parse_target(struct settings *s, const char *target)
{
    static const char *const methods[] = { "unix:", "tcp:", "punix:", "ptcp:" };

    if (!strncmp(target, "ssl:", 4) || !strncmp(target, "pssl:", 5)) {
        return xasprintf("%s: OpenFlow over TLS is not supported yet; use unix: or tcp:", target);
    }
    for (size_t i = 0; i < MP_ARRAY_SIZE(methods); i++) {
        const char *rest = target;

        if (spec_skip(&rest, methods[i])) {
            if (!*rest) {
                return xasprintf("%s: nothing follows the method", target);
            }
            s->method = xstrdup(target);
            s->passive = target[0] == 'p';
            s->bridge = bridge_of_method(target);
            s->is_local = s->bridge != NULL;
            return NULL;
        }
    }
    if (!*target || strpbrk(target, ":/")) {
        return xasprintf("\"%s\" is neither the name of a bridge nor a connection method (unix: "
                         "tcp: punix: ptcp:)", target);
    }
    s->bridge = xstrdup(target);
    s->method = xasprintf("unix:%s/%s.mgmt", ovs_rundir(), target);
    s->is_local = true;
    return NULL;
}

static uint32_t
version_bit(const char *name)
{
    for (size_t i = 0; i < MP_ARRAY_SIZE(versions); i++) {
        if (!strcasecmp(name, versions[i].name)) {
            return 1u << versions[i].number;
        }
    }
    return 0;
}

static char *
parse_versions(struct settings *s, const char *text)
{
    char *copy = xstrdup(text);
    char *save = NULL;
    char *error = NULL;

    for (char *w = strtok_r(copy, ", ", &save); w && !error; w = strtok_r(NULL, ", ", &save)) {
        uint32_t bit = version_bit(w);

        if (!bit) {
            error = xasprintf("-O: \"%s\" is not an OpenFlow version that the daemon speaks "
                              "(OpenFlow10, OpenFlow13, OpenFlow14, OpenFlow15)", w);
        }
        s->versions |= bit;
    }
    free(copy);
    if (!error && !s->versions) {
        error = xstrdup("-O needs at least one OpenFlow version");
    }
    return error;
}

static char *
parse_switch(struct settings *s, const struct options *o)
{
    const char *target = options_target(o);
    const char *db = option_text(o, OPTION_db);
    char *error = parse_versions(s, option_text(o, OPTION_protocols));

    if (error) {
        return error;
    }
    if (target) {
        error = parse_target(s, target);
    } else if (s->openflow && !option_given(o, OPTION_print_flows)) {
        error = xstrdup("a bridge or an OpenFlow method is needed; try --help");
    }
    if (!error && !(db && !strcmp(db, "none"))) {
        s->db = db ? xstrdup(db) : xasprintf("unix:%s/db.sock", ovs_rundir());
    }
    return error;
}

/* ---- The whole ---- */

static char *
parse_all(struct settings *s, const struct options *o, const struct ip_addr *host, size_t n_host)
{
    char *(*const first[])(struct settings *, const struct options *) = {
        parse_attachment, parse_switch, parse_credentials, parse_access, parse_tcp,
        parse_services,
    };
    char *error = NULL;

    for (size_t i = 0; i < MP_ARRAY_SIZE(first) && !error; i++) {
        error = first[i](s, o);
    }
    if (!error && !s->n_services) {
        error = services_of_host(s, host, n_host);
    }
    /* These are checked against the services. */
    error = error ? error : check_edge_ports(s);
    error = error ? error : parse_peer_ways(s, o);
    error = error ? error : check_gateway(s);
    return error ? error : parse_peers(s, o);
}

char *
settings_init(struct settings *s, const struct options *o, const struct ip_addr *host,
              size_t n_host)
{
    memset(s, 0, sizeof *s);

    char *error = parse_all(s, o, host, n_host);

    if (error) {
        settings_uninit(s);
    }
    return error;
}

static void
free_words(char **words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(words[i]);
    }
    mem_free(words);
}

void
settings_uninit(struct settings *s)
{
    mem_free(s->services);
    mem_free(s->peers);
    free_words(s->pcap_ifs, s->n_pcap_ifs);
    free_words(s->edge_ports, s->n_edge_ports);
    free(s->username);
    free(s->password);
    free(s->password_file);
    free(s->acl_file);
    free(s->bridge);
    free(s->method);
    free(s->db);
    memset(s, 0, sizeof *s);
}

void
settings_to_proxy(const struct settings *s, const struct options *o, struct proxy_config *c)
{
    proxy_config_default(c);
    options_apply_limits(o, c);
    c->net.services = s->services;
    c->net.n_services = s->n_services;
    c->net.tcp_port = option_number(o, OPTION_tcpport);
    c->net.udp_port = option_number(o, OPTION_udpport);
    c->net.gateway = s->gateway;
    c->utcp.dscp = s->dscp;
    c->utcp.ecn = s->ecn;
    c->mqtt.username = s->username;
    c->mqtt.password = s->password;
    c->mqtt.asks_auth = s->password_file != NULL;
    c->mqtt.anonymous = s->anonymous;
    c->mqtt.allow_duplicates = option_given(o, OPTION_allow_duplicate_messages);
    c->mqtt.version = PACKAGE_NAME " version " PACKAGE_VERSION;
    /* One limit for both halves of a client. */
    c->mqtt.max_connections = c->utcp.max_connections;
    c->peers = s->peers;
    c->n_peers = s->n_peers;
    c->peer_address = s->peer_address;
}

struct mac_addr
settings_probe_mac(const struct settings *s, const struct options *o, const char *machine)
{
    static const struct siphash_key key;    /* Not a secret: the result must not change. */
    struct mac_addr mac;
    char text[PREFIX_STRLEN];
    char *seed = xasprintf("%s %s %llu", machine, s->method ? s->method : "",
                           (unsigned long long int) option_number(o, OPTION_instance));

    for (size_t i = 0; i < s->n_services; i++) {
        char *longer = xasprintf("%s %s", seed,
                                 spec_format_prefix(&s->services[i].prefix, text));

        free(seed);
        seed = longer;
    }

    mac = mac_local(siphash(&key, seed, strlen(seed)));
    free(seed);
    return mac;
}
