/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What ovs-appctl sees of the parts that ctl/ must not know: the switch, the flows, the sockets, the
 * trace. */
#include <config.h>

#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/auth.h"
#include "ctl/vsdb.h"
#include "engine/private.h"

static usec_t
view_now(void *e_)
{
    struct engine *e = e_;

    return io_loop_now(e->loop);
}

static void
view_exit(void *e)
{
    engine_stop(e);
}

static char *
view_reload(void *e)
{
    return engine_reload(e);
}

/* ---- The switch and the flows ---- */

static void
put_database(struct grid *g, const struct vsdb_bridge *b)
{
    if (!b->connected || !b->exists) {
        grid_text(g, "%s", b->connected ? "no such bridge" : "unknown");
        grid_none(g);
    } else {
        grid_text(g, "%s", b->standalone ? "standalone" : "secure");
        grid_int(g, b->n_controllers);
    }
}

static struct grid *
view_switch(void *e_, const struct vsdb_bridge *bridge)
{
    struct engine *e = e_;
    struct grid *g = grid_create("attachment,bridge,method,state,version,datapath id,flows,"
                                 "probe mac,last close,fail mode,controllers,trace");
    char mac[MAC_STRLEN];

    grid_text(g, "%s", option_text(e->options, OPTION_attach));
    if (e->settings->bridge) {
        grid_text(g, "%s", e->settings->bridge);
    } else {
        grid_none(g);
    }
    if (e->swconn) {
        grid_text(g, "%s", e->settings->method);
        grid_text(g, "%s", swconn_state_name(swconn_state(e->swconn)));
        grid_text(g, "%s", swconn_version_name(e->swconn));
        grid_text(g, "%016llx", (unsigned long long int) swconn_datapath_id(e->swconn));
        grid_text(g, "%s", flowsync_state_name(flowsync_state(e->flowsync)));
    } else {
        for (int i = 0; i < 5; i++) {
            grid_none(g);
        }
    }
    grid_text(g, "%s", mac_format(&e->probe_mac, mac));
    grid_text(g, "%s", e->swconn ? swconn_last_close(e->swconn) : "");
    put_database(g, bridge);
    if (e->trace) {
        grid_text(g, "%s, %llu frames", io_trace_path(e->trace),
                  (unsigned long long int) io_trace_n_frames(e->trace));
    } else {
        grid_none(g);
    }
    return g;
}

static struct grid *
view_flows(void *e_)
{
    struct engine *e = e_;
    struct grid *g = grid_create("rule,installed,packets,bytes,flow");
    struct flowsync_entry entry;
    size_t pos = 0;

    while (e->flowsync && flowsync_walk(e->flowsync, &pos, &entry)) {
        grid_text(g, "%s", entry.letter);
        grid_bool(g, entry.installed);
        if (entry.is_meter) {
            grid_none(g);
            grid_none(g);
        } else {
            grid_int(g, entry.n_packets);
            grid_int(g, entry.n_bytes);
        }
        grid_text(g, "%s", entry.text);
    }
    return g;
}

static bool
view_flows_refresh(void *e_, uint64_t *token)
{
    struct engine *e = e_;
    enum flowsync_state state = e->flowsync ? flowsync_state(e->flowsync) : FLOWSYNC_DETACHED;

    if (state != FLOWSYNC_IN_SYNC) {
        return false;
    }
    *token = flowsync_stats(e->flowsync)->audits;
    flowsync_audit_now(e->flowsync, io_loop_now(e->loop));
    return true;
}

static bool
view_flows_are_fresh(void *e_, uint64_t token)
{
    struct engine *e = e_;

    return (flowsync_state(e->flowsync) == FLOWSYNC_DETACHED
            || (flowsync_state(e->flowsync) == FLOWSYNC_IN_SYNC
                && flowsync_stats(e->flowsync)->audits != token));
}

/* ---- Peers ---- */

static char *
view_peer_adding(void *e_, const struct peer_spec *spec)
{
    struct engine *e = e_;
    struct ip_addr source;

    if (spec->via == PEER_SOCKET) {
        return engine_open_socket(e);
    }
    for (size_t i = 0; i < e->settings->n_services; i++) {
        const struct ip_prefix *p = &e->settings->services[i].prefix;

        if (prefix_is_host(p) && addr_equal(&p->addr, &spec->addr)) {
            return mem_strdup("that is a service address of this very proxy");
        }
    }
    if (!proxy_peer_source(e->proxy, &spec->addr, &source)) {
        return mem_strdup("there is no service address of its family to send from");
    }
    return NULL;
}

static void
view_peers_changed(void *e_)
{
    struct engine *e = e_;

    e->flows_dirty = true;
}

/* ---- Traces ---- */

struct io_trace *
engine_start_trace(const struct engine *e, const char *file, char **error)
{
    return io_trace_start(file, option_number(e->options, OPTION_pcap_trace_size), error);
}

static char *
view_trace_start(void *e_, const char *file)
{
    struct engine *e = e_;
    char *error = NULL;

    if (e->trace) {
        if (asprintf(&error, "a trace is being written to %s: pcap/stop ends it",
                     io_trace_path(e->trace)) < 0) {
            abort();
        }
        return error;
    }
    e->trace = engine_start_trace(e, file, &error);
    return error;
}

static char *
view_trace_stop(void *e_, char **summary)
{
    struct engine *e = e_;

    if (!e->trace) {
        return mem_strdup("no trace is being written");
    }
    if (asprintf(summary, "%s: %llu frames, %llu bytes", io_trace_path(e->trace),
                 (unsigned long long int) io_trace_n_frames(e->trace),
                 (unsigned long long int) io_trace_n_bytes(e->trace)) < 0) {
        abort();
    }
    io_trace_stop(e->trace);
    e->trace = NULL;
    return NULL;
}

/* ---- Counters ---- */

static const void *
swconn_values(void *e_)
{
    struct engine *e = e_;

    return e->swconn ? swconn_stats(e->swconn) : NULL;
}

static const void *
flowsync_values(void *e_)
{
    struct engine *e = e_;

    return e->flowsync ? flowsync_stats(e->flowsync) : NULL;
}

static const void *
stream_values(void *e_)
{
    struct engine *e = e_;

    return e->stream ? io_ofstream_stats(e->stream) : NULL;
}

static const void *
pcap_values(void *e_)
{
    struct engine *e = e_;

    return e->pcap ? io_pcap_stats(e->pcap) : NULL;
}

static const void *
udp_values(void *e_)
{
    struct engine *e = e_;

    return e->udp ? io_udp_stats(e->udp) : NULL;
}

static const void *
trace_values(void *e_)
{
    struct engine *e = e_;

    return e->trace ? io_trace_stats(e->trace) : NULL;
}

static const void *
auth_values(void *e_)
{
    struct engine *e = e_;

    return e->auth ? auth_stats(e->auth) : NULL;
}

static const void *
store_values(void *e_)
{
    struct engine *e = e_;

    if (!e->store) {
        return NULL;
    }
    store_get_stats(e->store, &e->store_stats);
    return &e->store_stats;
}

#define N_GROUPS 8

void
engine_init_view(struct engine *e)
{
    const struct ctl_counters groups[N_GROUPS] = {
        { "switch", swconn_stats_descs, swconn_n_stats, swconn_values },
        { "flows", flowsync_stats_descs, flowsync_n_stats, flowsync_values },
        { "stream", io_ofstream_stats_descs, io_ofstream_n_stats, stream_values },
        { "pcap", io_pcap_stats_descs, io_pcap_n_stats, pcap_values },
        { "socket", io_udp_stats_descs, io_udp_n_stats, udp_values },
        { "trace", io_trace_stats_descs, io_trace_n_stats, trace_values },
        { "auth", auth_stats_descs, auth_n_stats, auth_values },
        { "store", store_stats_descs, store_n_stats, store_values },
    };

    _Static_assert(MP_ARRAY_SIZE(e->counters) == N_GROUPS, "one per module of the shell");
    memcpy(e->counters, groups, sizeof groups);
    e->view = (struct ctl_view) {
        .proxy = e->proxy,
        .options = e->options,
        .aux = e,
        .now = view_now,
        .exit = view_exit,
        .reload = view_reload,
        .show_switch = view_switch,
        .show_flows = view_flows,
        .flows_refresh = view_flows_refresh,
        .flows_are_fresh = view_flows_are_fresh,
        .peer_adding = view_peer_adding,
        .peers_changed = view_peers_changed,
        .trace_start = view_trace_start,
        .trace_stop = view_trace_stop,
        .counters = e->counters,
        .n_counters = N_GROUPS,
    };
}
