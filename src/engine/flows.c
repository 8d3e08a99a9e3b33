/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* From settings and what the proxy has learnt (owners, ports, peers) to the desired flows. */
#include <config.h>

#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/vlog.h"

#include "base/mem.h"
#include "engine/private.h"

VLOG_DEFINE_THIS_MODULE(engine_flows);

/* The variable parts of a flows_config, which borrows them. */
struct inputs {
    struct flows_service *services;
    size_t n_services;
    struct flows_peer *peers;
    size_t n_peers;
    uint32_t *ports;
    size_t n_ports;
};

static void
inputs_uninit(struct inputs *in)
{
    mem_free(in->services);
    mem_free(in->peers);
    mem_free(in->ports);
}

/* 'net' NULL: no owner is known. */
static void
add_services(struct inputs *in, const struct settings *s, const struct net *net)
{
    in->services = mem_zalloc((s->n_services + 1) * sizeof *in->services);
    for (size_t i = 0; i < s->n_services; i++) {
        const struct net_service *svc = &s->services[i];
        struct flows_service *f = &in->services[in->n_services];
        struct net_owner owner = { .known = false };

        if (!prefix_is_host(&svc->prefix) && s->openflow && !in->n_ports) {
            continue;                 /* Would intercept everywhere: wait for its edge ports. */
        }
        f->kind = svc->kind == NET_VIRTUAL ? FLOWS_VIRTUAL : FLOWS_TAKEN;
        f->prefix = svc->prefix;
        if (net && svc->kind == NET_TAKEN && prefix_is_host(&svc->prefix)) {
            net_owner(net, i, &owner);
        }
        f->owner_known = owner.known;
        f->owner_port = owner.port;
        in->n_services++;
    }
}

static void
add_peer(struct inputs *in, size_t *n_allocated, const struct ip_addr *addr,
         const struct ip_addr *local)
{
    in->peers = mem_grow(in->peers, n_allocated, in->n_peers + 1, sizeof *in->peers);
    in->peers[in->n_peers++] = (struct flows_peer) { .addr = *addr, .local = *local };
}

static void
add_peers(struct inputs *in, struct proxy *proxy)
{
    size_t n_allocated = 0;
    struct peer_info info;
    uint32_t pos = 0;

    while (peers_walk(proxy_peers(proxy), &pos, &info)) {
        struct ip_addr local;

        if (info.spec.via == PEER_INBAND && proxy_peer_source(proxy, &info.spec.addr, &local)) {
            add_peer(in, &n_allocated, &info.spec.addr, &local);
        }
    }
}

/* Numbers of the edge ports.  'conn' NULL: only those given as numbers.  Returns the first name that
 * is not known, or NULL. */
static const char *
add_edge_ports(struct inputs *in, const struct settings *s, const struct swconn *conn)
{
    const char *unknown = NULL;

    in->ports = mem_zalloc((s->n_edge_ports + 1) * sizeof *in->ports);
    for (size_t i = 0; i < s->n_edge_ports; i++) {
        const char *name = s->edge_ports[i];
        struct swconn_port port;

        if (spec_is_digits(name)) {
            in->ports[in->n_ports++] = strtoul(name, NULL, 10);
        } else if (!strcmp(name, "LOCAL")) {
            in->ports[in->n_ports++] = PKTOUT_PORT_LOCAL;
        } else if (conn && swconn_find_port(conn, name, &port)) {
            in->ports[in->n_ports++] = port.number;
        } else if (!unknown) {
            unknown = name;
        }
    }
    return unknown;
}

static void
fill_config(struct flows_config *c, const struct inputs *in, const struct settings *s,
            const struct options *o)
{
    flows_config_default(c);
    c->services = in->services;
    c->n_services = in->n_services;
    c->peers = in->peers;
    c->n_peers = in->n_peers;
    c->edge_ports = in->ports;
    c->n_edge_ports = in->n_ports;
    c->mode = s->openflow ? FLOWS_OPENFLOW : FLOWS_PCAP;
    c->tcp_port = option_number(o, OPTION_tcpport);
    c->udp_port = option_number(o, OPTION_udpport);
    c->instance = option_number(o, OPTION_instance);
    c->syn_rate = option_number(o, OPTION_syn_rate);
    c->low_rate = option_number(o, OPTION_punt_rate);
    c->hard_timeout = option_number(o, OPTION_fail_open);
}

/* Meters came with OpenFlow 1.3. */
bool
engine_may_have_meters(const struct engine *e)
{
    return swconn_version(e->swconn) != 0x01 && !flowsync_meters_refused(e->flowsync);
}

void
engine_update_flows(struct engine *e)
{
    struct inputs in = { .n_services = 0 };
    struct flows_config c;
    const char *unknown = add_edge_ports(&in, e->settings, e->swconn);

    if (unknown && swconn_state(e->swconn) == SWCONN_IS_READY && !e->said_ports) {
        e->said_ports = true;
        VLOG_WARN("%s: the switch has no port of this name; nothing is intercepted there until it "
                  "has", unknown);
    }
    add_services(&in, e->settings, proxy_net(e->proxy));
    add_peers(&in, e->proxy);
    fill_config(&c, &in, e->settings, e->options);
    c.probe_mac = e->probe_mac;
    c.use_meters = e->has_meters = engine_may_have_meters(e);
    e->flows_dirty = false;
    e->owner_generation = net_owner_generation(proxy_net(e->proxy));

    struct flows *flows = flows_build(&c);

    if (e->flows && flows_equal(e->flows, flows)) {
        flows_destroy(flows);
    } else {
        /* Flowsync owns one copy, the other is for the comparison above. */
        flowsync_set_desired(e->flowsync, flows_build(&c));
        flows_destroy(e->flows);
        e->flows = flows;
    }
    inputs_uninit(&in);
}

/* The peers' own addresses, from the settings alone: without a proxy to ask. */
static void
add_configured_peers(struct inputs *in, const struct settings *s)
{
    size_t n_allocated = 0;

    for (size_t i = 0; i < s->n_peers; i++) {
        struct ip_addr local;

        if (s->peers[i].via == PEER_INBAND
            && settings_peer_source(s, &s->peers[i].addr, &local)) {
            add_peer(in, &n_allocated, &s->peers[i].addr, &local);
        }
    }
}

char *
engine_print_flows(const struct engine_config *config, FILE *stream)
{
    const struct settings *s = config->settings;
    struct inputs in = { .n_services = 0 };
    struct flows_config c;
    const char *unknown = add_edge_ports(&in, s, NULL);
    char *error = NULL;

    if (unknown) {
        if (asprintf(&error, "--print-flows asks no switch: give the number of port %s",
                     unknown) < 0) {
            abort();
        }
    } else {
        add_services(&in, s, NULL);
        add_configured_peers(&in, s);
        fill_config(&c, &in, s, config->options);
        c.probe_mac = settings_probe_mac(s, config->options, config->machine);
        c.use_meters = s->versions != (1u << 0x01);

        struct flows *flows = flows_build(&c);

        flows_print(flows, stream);
        flows_destroy(flows);
    }
    inputs_uninit(&in);
    return error;
}
