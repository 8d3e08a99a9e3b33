/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ofp/flows.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include "base/mem.h"
#include "ofp/pktout.h"
#include "ofp/swconn.h"

/* Families that a service or peer is of; the prefix of length 0 is of both. */
#define V4 1u
#define V6 2u

/* What the builder carries from flow to flow. */
struct build {
    const struct flows_config *cfg;
    struct flows *out;
    char to_us[64];                   /* The controller action. */
    char syn_meter[32], low_meter[32];      /* "meter:N," or "". */
    size_t flows_allocated, meters_allocated;
};

/* How a family's fields are called. */
struct family {
    unsigned int bit;
    const char *tcp, *udp, *icmp, *ip, *src, *dst;
};

static const struct family families[] = {
    { V4, "tcp", "udp", "icmp", "ip", "nw_src", "nw_dst" },
    { V6, "tcp6", "udp6", "icmp6", "ipv6", "ipv6_src", "ipv6_dst" },
};

static void add_meters(struct build *);
static void add_service(struct build *, const struct flows_service *);
static void add_peer(struct build *, const struct flows_peer *);
static void add_probe_replies(struct build *);

void
flows_config_default(struct flows_config *cfg)
{
    *cfg = (struct flows_config) {
        .tcp_port = 1883,
        .udp_port = 1883,
        .instance = 1,
        .use_meters = true,
        .syn_rate = 2000,
        .low_rate = 1000,
    };
}

uint32_t
flows_meter_id(uint16_t instance, int which)
{
    return (uint32_t) (FLOWS_COOKIE_TAG << 16) + instance * 4u + (uint32_t) which;
}

struct flows *
flows_build(const struct flows_config *cfg)
{
    struct flows *flows = mem_zalloc(sizeof *flows);
    struct build b = { .cfg = cfg, .out = flows };

    snprintf(b.to_us, sizeof b.to_us, "controller(max_len=65535,id=%u)",
             swconn_controller_id(cfg->instance));
    if (cfg->mode == FLOWS_OPENFLOW) {
        add_meters(&b);
    }
    for (size_t i = 0; i < cfg->n_services; i++) {
        add_service(&b, &cfg->services[i]);
    }
    for (size_t i = 0; i < cfg->n_peers; i++) {
        add_peer(&b, &cfg->peers[i]);
    }
    if (cfg->mode == FLOWS_OPENFLOW && !mac_is_zero(&cfg->probe_mac)) {
        add_probe_replies(&b);
    }
    return flows;
}

/* Adds a flow unless one with the same match is there already (two services may overlap). */
static void
put(struct build *b, const char *letter, int priority, const char *match, const char *actions)
{
    char text[640], timeout[32] = "", head[400];
    struct flows_item *item;
    int n;

    if (b->cfg->hard_timeout) {
        snprintf(timeout, sizeof timeout, "hard_timeout=%u, ", b->cfg->hard_timeout);
    }
    n = snprintf(head, sizeof head, "cookie=0x%"PRIx64", %spriority=%d,%s ",
                 FLOWS_COOKIE(b->cfg->instance), timeout, priority, match);
    mp_assert(n > 0 && n < (int) sizeof head);
    for (size_t i = 0; i < b->out->n_flows; i++) {
        if (!strncmp(b->out->flows[i].text, head, (size_t) n)) {
            return;
        }
    }
    n = snprintf(text, sizeof text, "%sactions=%s", head, actions);
    mp_assert(n > 0 && n < (int) sizeof text);
    b->out->flows = mem_grow(b->out->flows, &b->flows_allocated, b->out->n_flows + 1,
                             sizeof *b->out->flows);
    item = &b->out->flows[b->out->n_flows++];
    snprintf(item->letter, sizeof item->letter, "%s", letter);
    item->text = mem_strdup(text);
}

/* Writes into a buffer that is surely long enough. */
static char *
fmt(char *buf, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static char *
fmt(char *buf, size_t size, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(buf, size, format, args);
    va_end(args);
    mp_assert(n >= 0 && (size_t) n < size);
    return buf;
}

#define FMT(BUF, ...) fmt(BUF, sizeof (BUF), __VA_ARGS__)

static void
add_meter(struct build *b, int which, uint32_t rate, char action[32])
{
    uint32_t id = flows_meter_id(b->cfg->instance, which);
    struct flows_item *item;
    char text[128];

    action[0] = '\0';
    if (!b->cfg->use_meters || !rate) {
        return;
    }
    snprintf(action, 32, "meter:%"PRIu32",", id);
    b->out->meters = mem_grow(b->out->meters, &b->meters_allocated, b->out->n_meters + 1,
                              sizeof *b->out->meters);
    item = &b->out->meters[b->out->n_meters++];
    snprintf(item->letter, sizeof item->letter, "m%d", which);
    /* A burst of half a second's worth: bridges' floods come in bursts as well as clients. */
    FMT(text, "meter=%"PRIu32",pktps,burst,stats,bands=type=drop,rate=%"PRIu32
        ",burst_size=%"PRIu32, id, rate, MP_MAX(rate / 2, 1));
    item->text = mem_strdup(text);
}

static void
add_meters(struct build *b)
{
    add_meter(b, 1, b->cfg->syn_rate, b->syn_meter);
    add_meter(b, 2, b->cfg->low_rate, b->low_meter);
}

static unsigned int
prefix_families(const struct ip_prefix *p)
{
    return !p->len ? V4 | V6 : addr_is_v4(&p->addr) && p->len >= 96 ? V4 : V6;
}

/* "FIELD=PREFIX", or "" when every address matches. */
static char *
prefix_match(char *buf, size_t size, const char *field, const struct ip_prefix *p)
{
    char text[ADDR_STRLEN];
    bool v4 = addr_is_v4(&p->addr);
    unsigned int len = v4 && p->len >= 96 ? p->len - 96u : p->len;

    if (!len) {
        buf[0] = '\0';
    } else if (prefix_is_host(p)) {
        fmt(buf, size, ",%s=%s", field, addr_format(&p->addr, text));
    } else {
        fmt(buf, size, ",%s=%s/%u", field, addr_format(&p->addr, text), len);
    }
    return buf;
}

/* Flows a and a' for one destination and, for prefixes, one edge port. */
static void
add_intercept(struct build *b, const struct family *f, const char *in_port, const char *dst)
{
    char match[200], actions[128];

    FMT(match, "%s%s%s,tp_dst=%u", f->tcp, in_port, dst, b->cfg->tcp_port);
    put(b, "a", FLOWS_PRIO_SERVICE, match, b->to_us);
    if (b->syn_meter[0]) {
        FMT(match, "%s%s%s,tp_dst=%u,tcp_flags=+syn-ack", f->tcp, in_port, dst, b->cfg->tcp_port);
        put(b, "a'", FLOWS_PRIO_SYN, match, FMT(actions, "%s%s", b->syn_meter, b->to_us));
    }
}

/* Fragments of IPv6 but the first have lost their protocol: for Open vSwitch it is that of the
 * fragment header.  'addresses' begins with a comma. */
static void
add_later_fragments(struct build *b, const struct family *f, const char *addresses)
{
    char match[200];

    if (f->bit == V6) {
        put(b, "d", FLOWS_PRIO_SERVICE, FMT(match, "%s%s,nw_proto=44", f->ip, addresses),
            b->to_us);
    }
}

static void
add_virtual(struct build *b, const struct family *f, const char *addr)
{
    char dst[80], match[200], limited[128];

    FMT(dst, ",%s=%s", f->dst, addr);
    FMT(limited, "%s%s", b->low_meter, b->to_us);
    add_intercept(b, f, "", dst);
    put(b, "a''", FLOWS_PRIO_SERVICE, FMT(match, "%s%s,ip_frag=yes", f->tcp, dst), b->to_us);
    if (f->bit == V4) {
        FMT(match, "arp,arp_tpa=%s,arp_op=1", addr);
    } else {
        FMT(match, "icmp6,icmp_type=135,icmp_code=0,nd_target=%s", addr);
    }
    put(b, "b", FLOWS_PRIO_SERVICE, match, limited);
    put(b, "c", FLOWS_PRIO_SERVICE, FMT(match, "%s%s", f->icmp, dst), limited);
    FMT(match, "%s%s,tp_dst=%u", f->udp, dst, b->cfg->udp_port);
    put(b, "d", FLOWS_PRIO_SERVICE, match, b->to_us);
    put(b, "d", FLOWS_PRIO_SERVICE, FMT(match, "%s%s,ip_frag=yes", f->udp, dst), b->to_us);
    add_later_fragments(b, f, dst);
    put(b, "g", FLOWS_PRIO_REFUSE, FMT(match, "%s%s", f->ip, dst), limited);
}

/* Flow e: keeps the owner's kernel, which knows nothing of the connection, from ending it.  In pcap
 * mode ours pass too: they have another TTL than the 64 of every kernel's default. */
static void
add_rst_guard(struct build *b, const struct family *f, const struct ip_prefix *p)
{
    char src[80], match[200];

    prefix_match(src, sizeof src, f->src, p);
    FMT(match, "%s%s%s,tp_src=%u,tcp_flags=+rst", f->tcp, src,
        b->cfg->mode == FLOWS_PCAP ? ",nw_ttl=64" : "", b->cfg->tcp_port);
    put(b, "e", FLOWS_PRIO_GUARD, match, "drop");
}

/* Flow c of a taken address: ICMP errors may be about our segments or about the owner's, so both
 * hear of them. */
static void
add_taken_icmp(struct build *b, const struct family *f, const struct flows_service *s,
               const char *dst)
{
    char match[200], owner[32] = "", actions[160];

    if (s->owner_known && s->owner_port == PKTOUT_PORT_LOCAL) {
        FMT(owner, ",LOCAL");
    } else if (s->owner_known) {
        FMT(owner, ",output:%"PRIu32, s->owner_port);
    }
    FMT(actions, "%s%s%s", b->low_meter, b->to_us, owner);
    if (f->bit == V4) {
        put(b, "c", FLOWS_PRIO_SERVICE, FMT(match, "icmp%s,icmp_type=3", dst), actions);
    } else {
        /* "Packet too big" is a type of its own (RFC 4443 3.2). */
        put(b, "c", FLOWS_PRIO_SERVICE, FMT(match, "icmp6%s,icmp_type=1", dst), actions);
        put(b, "c", FLOWS_PRIO_SERVICE, FMT(match, "icmp6%s,icmp_type=2", dst), actions);
    }
}

static void
add_taken(struct build *b, const struct family *f, const struct flows_service *s)
{
    char dst[80], in_port[32];

    prefix_match(dst, sizeof dst, f->dst, &s->prefix);
    if (prefix_is_host(&s->prefix)) {
        add_intercept(b, f, "", dst);
        add_taken_icmp(b, f, s, dst);
        add_rst_guard(b, f, &s->prefix);
        return;
    }
    /* A prefix has many owners, who keep their ICMP and, since they never see the SYNs of clients
     * at the edge ports, their RSTs. */
    for (size_t i = 0; i < b->cfg->n_edge_ports; i++) {
        if (b->cfg->edge_ports[i] == PKTOUT_PORT_LOCAL) {
            FMT(in_port, ",in_port=LOCAL");
        } else {
            FMT(in_port, ",in_port=%"PRIu32, b->cfg->edge_ports[i]);
        }
        add_intercept(b, f, in_port, dst);
    }
}

static void
add_service(struct build *b, const struct flows_service *s)
{
    for (size_t i = 0; i < MP_ARRAY_SIZE(families); i++) {
        const struct family *f = &families[i];
        char text[ADDR_STRLEN];

        if (!(prefix_families(&s->prefix) & f->bit)) {
            continue;
        }
        if (b->cfg->mode == FLOWS_PCAP) {
            if (s->kind == FLOWS_TAKEN) {
                add_rst_guard(b, f, &s->prefix);
            }
        } else if (s->kind == FLOWS_VIRTUAL) {
            add_virtual(b, f, addr_format(&s->prefix.addr, text));
        } else {
            add_taken(b, f, s);
        }
    }
}

/* Flows d and f of a peer that talks to a taken address.  A virtual address hears everybody and has
 * no kernel to be guarded against. */
static void
add_peer(struct build *b, const struct flows_peer *p)
{
    const struct family *f = &families[addr_is_v4(&p->addr) ? 0 : 1];
    char peer[ADDR_STRLEN], local[ADDR_STRLEN], from[160], match[240];

    for (size_t i = 0; i < b->cfg->n_services; i++) {
        const struct flows_service *s = &b->cfg->services[i];

        if (s->kind == FLOWS_VIRTUAL && addr_equal(&s->prefix.addr, &p->local)) {
            return;
        }
    }
    addr_format(&p->addr, peer);
    addr_format(&p->local, local);
    if (b->cfg->mode == FLOWS_OPENFLOW) {
        FMT(from, "%s,%s=%s,%s=%s", f->udp, f->src, peer, f->dst, local);
        put(b, "d", FLOWS_PRIO_SERVICE, FMT(match, "%s,tp_dst=%u", from, b->cfg->udp_port),
            b->to_us);
        put(b, "d", FLOWS_PRIO_SERVICE, FMT(match, "%s,ip_frag=yes", from), b->to_us);
        add_later_fragments(b, f, from + strlen(f->udp));
    }
    FMT(match, "%s,%s=%s,%s=%s,%s", f->icmp, f->src, local, f->dst, peer,
        f->bit == V4 ? "icmp_type=3,icmp_code=3" : "icmp_type=1,icmp_code=4");
    put(b, "f", FLOWS_PRIO_GUARD, match, "drop");
}

/* Flow b2, for the families in use.  A neighbour that heard our solicitation may solicit us in turn
 * (RFC 4861 7.3); that is for us too, and nobody else's business. */
static void
add_probe_replies(struct build *b)
{
    unsigned int used = 0;
    char mac[MAC_STRLEN], match[200];

    for (size_t i = 0; i < b->cfg->n_services; i++) {
        used |= prefix_families(&b->cfg->services[i].prefix);
    }
    for (size_t i = 0; i < b->cfg->n_peers; i++) {
        used |= addr_is_v4(&b->cfg->peers[i].addr) ? V4 : V6;
    }
    mac_format(&b->cfg->probe_mac, mac);
    if (used & V4) {
        FMT(match, "arp,arp_op=2,arp_tha=%s", mac);
        put(b, "b2", FLOWS_PRIO_SERVICE, match, b->to_us);
    }
    if (used & V6) {
        FMT(match, "icmp6,dl_dst=%s,icmp_type=136,icmp_code=0", mac);
        put(b, "b2", FLOWS_PRIO_SERVICE, match, b->to_us);
        FMT(match, "icmp6,dl_dst=%s,icmp_type=135,icmp_code=0", mac);
        put(b, "b2", FLOWS_PRIO_SERVICE, match, b->to_us);
    }
}

static void
items_destroy(struct flows_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mem_free(items[i].text);
    }
    mem_free(items);
}

void
flows_destroy(struct flows *flows)
{
    if (flows) {
        items_destroy(flows->flows, flows->n_flows);
        items_destroy(flows->meters, flows->n_meters);
        mem_free(flows);
    }
}

static bool
items_equal(const struct flows_item *a, const struct flows_item *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(a[i].letter, b[i].letter) || strcmp(a[i].text, b[i].text)) {
            return false;
        }
    }
    return true;
}

bool
flows_equal(const struct flows *a, const struct flows *b)
{
    return a->n_flows == b->n_flows && a->n_meters == b->n_meters
           && items_equal(a->flows, b->flows, a->n_flows)
           && items_equal(a->meters, b->meters, a->n_meters);
}

void
flows_print(const struct flows *flows, FILE *stream)
{
    for (size_t i = 0; i < flows->n_meters; i++) {
        fprintf(stream, "# ovs-ofctl -O OpenFlow13 add-meter BRIDGE %s\n", flows->meters[i].text);
    }
    for (size_t i = 0; i < flows->n_flows; i++) {
        if (!i || strcmp(flows->flows[i].letter, flows->flows[i - 1].letter)) {
            fprintf(stream, "# %s\n", flows->flows[i].letter);
        }
        fprintf(stream, "%s\n", flows->flows[i].text);
    }
}
