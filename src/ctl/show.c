/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The NOUN/show commands: each walks one module and fills a grid. */
#include <config.h>

#include "ctl/appctl.h"

#include <stdlib.h>
#include <string.h>

#include "ovs-config.h"
#include "ctl/spec.h"

/* OpenFlow's number of the port that is the switch's own. */
#define PORT_LOCAL 0xfffffffeu

static void
put_port(struct grid *g, uint32_t port)
{
    if (port == PORT_LOCAL) {
        grid_text(g, "LOCAL");
    } else {
        grid_int(g, port);
    }
}

static void
put_endpoint(struct grid *g, const struct ip_addr *a, uint16_t port)
{
    struct peer_spec spec = { .addr = *a, .port = port };
    char text[PEER_STRLEN];

    grid_text(g, "%s", spec_format_peer(&spec, text));
}

static void
put_vlan(struct grid *g, uint16_t vlan)
{
    if (vlan) {
        grid_int(g, vlan);
    } else {
        grid_none(g);
    }
}

static struct grid *
show_connections(struct ctl_view *v)
{
    struct grid *g = grid_create("client,service,state,port,vlan,mss,window,queued,unacked,cwnd,"
                                 "srtt,rto,retransmitted,held,idle,r1,dscp,ecn");
    struct utcp_info info;
    usec_t now = v->now(v->aux);
    uint32_t pos = 0;

    while (utcp_walk(proxy_utcp(v->proxy), &pos, &info)) {
        struct net_path path;

        proxy_path(&info.path, &path);
        put_endpoint(g, &info.tuple.remote, info.tuple.remote_port);
        put_endpoint(g, &info.tuple.local, info.tuple.local_port);
        grid_text(g, "%s", utcp_state_name(info.state));
        put_port(g, path.port);
        put_vlan(g, path.n_tags ? path.tci[path.n_tags - 1] & 0xfff : 0);
        grid_int(g, info.mss);
        grid_int(g, info.rcv_wnd);
        grid_int(g, info.snd_queued);
        grid_int(g, info.snd_unacked);
        grid_int(g, info.cwnd);
        grid_seconds(g, info.srtt_us ? info.srtt_us : -1);
        grid_seconds(g, info.rto_us);
        grid_int(g, info.rexmits);
        grid_int(g, info.rcv_buffered);
        grid_seconds(g, now - info.last_received_at);
        grid_bool(g, info.r1);
        grid_int(g, info.dscp);
        grid_bool(g, info.ecn);
    }
    return g;
}

static struct grid *
show_sessions(struct ctl_view *v)
{
    struct grid *g = grid_create("client id,user,client,port,vlan,version,clean,keep-alive,"
                                 "subscriptions,queued,queued bytes,in flight,publishes in,"
                                 "publishes out,dropped");
    struct mqtt_session_info info;
    uint32_t pos = 0;

    while (mqtt_walk_sessions(proxy_mqtt(v->proxy), &pos, &info)) {
        grid_slice(g, info.client_id);
        grid_slice(g, info.username);
        if (info.conn) {
            put_endpoint(g, &info.origin.addr, info.origin.tcp_port);
            put_port(g, info.origin.ingress_port);
        } else {
            grid_none(g);
            grid_none(g);
        }
        put_vlan(g, info.conn ? info.origin.vlan : 0);
        grid_text(g, "%s", info.protocol == 5 ? "5.0" : info.protocol == 4 ? "3.1.1" : "3.1");
        grid_bool(g, info.clean);
        grid_int(g, info.keep_alive_s);
        grid_int(g, info.n_subscriptions);
        grid_int(g, info.n_queued);
        grid_int(g, info.queued_bytes);
        grid_int(g, info.n_inflight);
        grid_int(g, info.publishes_in);
        grid_int(g, info.publishes_out);
        grid_int(g, info.dropped);
    }
    return g;
}

static void
put_local_subscriptions(struct ctl_view *v, struct grid *g)
{
    const struct mqtt_broker *broker = proxy_mqtt(v->proxy);
    struct mqtt_session_info session;
    uint32_t session_pos = 0;

    while (mqtt_walk_sessions(broker, &session_pos, &session)) {
        struct mqtt_subscription_info sub;
        uint32_t pos = 0;

        while (mqtt_walk_subscriptions(broker, session_pos, &pos, &sub)) {
            grid_slice(g, sub.filter);
            grid_text(g, "client");
            grid_slice(g, sub.client_id);
            grid_int(g, sub.qos);
        }
    }
}

/* By clients, and by peers (what they are sent). */
static struct grid *
show_subscriptions(struct ctl_view *v)
{
    struct grid *g = grid_create("filter,kind,subscriber,qos");
    const struct peers *peers = proxy_peers(v->proxy);
    struct peer_info info;
    uint32_t peer_pos = 0;

    put_local_subscriptions(v, g);
    while (peers_walk(peers, &peer_pos, &info)) {
        struct slice filter;
        uint32_t pos = 0;

        while (peers_walk_filters(peers, info.id, &pos, &filter)) {
            grid_slice(g, filter);
            grid_text(g, "peer");
            put_endpoint(g, &info.spec.addr, info.spec.port);
            grid_int(g, 0);
        }
    }
    return g;
}

static struct grid *
show_peers(struct ctl_view *v)
{
    struct grid *g = grid_create("peer,via,dialect,state,heard,filters,queued,datagrams in,"
                                 "datagrams out,publishes in,publishes out,dropped,under way,"
                                 "sent again,mtu,compressed");
    struct peer_info info;
    usec_t now = v->now(v->aux);
    uint32_t pos = 0;

    while (peers_walk(proxy_peers(v->proxy), &pos, &info)) {
        put_endpoint(g, &info.spec.addr, info.spec.port);
        grid_text(g, "%s%s", info.spec.via == PEER_SOCKET ? "socket" : "inband",
                  info.spec.bcast ? ",bcast" : "");
        grid_text(g, "%s", info.spec.strict ? "prototype,strict"
                  : info.is_reliable ? "reliable" : "prototype");
        /* A peer without subscribers has nothing to say: that says nothing of its health. */
        grid_text(g, "%s", info.up ? "up" : info.last_heard_at < 0 ? "unknown" : "idle");
        grid_seconds(g, info.last_heard_at < 0 ? -1 : now - info.last_heard_at);
        grid_int(g, info.n_filters);
        grid_int(g, info.queued_bytes);
        grid_int(g, info.datagrams_in);
        grid_int(g, info.datagrams_out);
        grid_int(g, info.publishes_in);
        grid_int(g, info.publishes_out);
        grid_int(g, info.dropped);
        grid_int(g, info.stream.n_out);
        grid_int(g, info.stream.n_sent_again);
        grid_int(g, info.mtu);
        grid_text(g, "%s", info.unpacks ? "yes" : "no");
    }
    return g;
}

static struct grid *
show_neighbours(struct ctl_view *v)
{
    struct grid *g = grid_create("address,mac,port,reachable,age,queued");
    struct net_neighbour n;
    usec_t now = v->now(v->aux);
    uint32_t pos = 0;

    while (net_walk_neighbours(proxy_net(v->proxy), &pos, &n)) {
        char addr[ADDR_STRLEN], mac[MAC_STRLEN];

        grid_text(g, "%s", addr_format(&n.addr, addr));
        if (n.reachable) {
            grid_text(g, "%s", mac_format(&n.mac, mac));
            put_port(g, n.port);
        } else {
            grid_none(g);
            grid_none(g);
        }
        grid_bool(g, n.reachable);
        grid_seconds(g, now - n.updated_at);
        grid_int(g, n.n_queued);
    }
    return g;
}

static struct grid *
show_options(struct ctl_view *v)
{
    struct grid *g = grid_create("option,value,given");

    for (int id = 0; id < N_OPTIONS; id++) {
        char *value = option_show(v->options, id);

        grid_text(g, "%s", option_desc(id)->name);
        grid_text(g, "%s", value);
        grid_bool(g, option_given(v->options, id));
        free(value);
    }
    return g;
}

void
show_register(struct ctl_view *v)
{
    appctl_register_show("connection/show", show_connections, v);
    appctl_register_show("session/show", show_sessions, v);
    appctl_register_show("subscription/show", show_subscriptions, v);
    appctl_register_show("peer/show", show_peers, v);
    appctl_register_show("neighbour/show", show_neighbours, v);
    appctl_register_show("options/show", show_options, v);
}
