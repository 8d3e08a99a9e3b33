/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ctl/appctl.h"

#include <errno.h>
#include <string.h>

#include "ovs-config.h"
#include "openvswitch/dynamic-string.h"
#include "unixctl.h"
#include "util.h"

#include "base/mem.h"
#include "ctl/spec.h"
#include "ctl/vsdb.h"

/* How long flow/show waits for the switch. */
#define FLOWS_PATIENCE_US CLOCK_SEC

struct pending {                      /* A flow/show that waits. */
    struct unixctl_conn *conn;
    enum grid_form form;
    uint64_t token;
    usec_t expires_at;
};

struct appctl {
    struct ctl_view *view;
    const struct vsdb *vsdb;
    struct pending *pending;
    size_t n_pending, n_allocated;
};

/* Replies with an error and frees it, if there is one. */
static bool
replied_error(struct unixctl_conn *conn, char *error)
{
    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
    }
    return error != NULL;
}

/* ---- NOUN/show ---- */

struct show_command {
    appctl_show_func *func;
    struct ctl_view *view;
};

static void
reply_grid(struct unixctl_conn *conn, struct grid *g, enum grid_form form)
{
    struct ds out = DS_EMPTY_INITIALIZER;

    grid_format(g, form, &out);
    unixctl_command_reply(conn, ds_cstr(&out));
    ds_destroy(&out);
    grid_destroy(g);
}

static bool
wants_json(struct unixctl_conn *conn, int argc, const char *argv[], bool *json)
{
    *json = argc > 1;
    if (argc > 1 && strcmp(argv[1], "json")) {
        unixctl_command_reply_error(conn, "the only argument is \"json\"");
        return false;
    }
    return true;
}

static void
run_show(struct unixctl_conn *conn, int argc, const char *argv[], void *command_)
{
    struct show_command *command = command_;
    bool json;

    if (wants_json(conn, argc, argv, &json)) {
        reply_grid(conn, command->func(command->view), json ? GRID_JSON : GRID_TEXT);
    }
}

void
appctl_register_show(const char *name, appctl_show_func *func, struct ctl_view *view)
{
    /* As long-lived as the registration itself, which libopenvswitch never takes back. */
    struct show_command *command = mem_alloc(sizeof *command);

    *command = (struct show_command) { func, view };
    unixctl_command_register(name, "[json]", 0, 1, run_show, command);
}

static void
show_switch(struct unixctl_conn *conn, int argc, const char *argv[], void *a_)
{
    struct appctl *a = a_;
    struct vsdb_bridge bridge;
    bool json;

    if (wants_json(conn, argc, argv, &json)) {
        vsdb_get(a->vsdb, &bridge);
        reply_grid(conn, a->view->show_switch(a->view->aux, &bridge),
                   json ? GRID_JSON_ONE : GRID_LINES);
    }
}

/* ---- flow/show: with the packet counts of now ---- */

static void
reply_flows(struct appctl *a, const struct pending *p)
{
    reply_grid(p->conn, a->view->show_flows(a->view->aux), p->form);
}

static void
show_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *a_)
{
    struct appctl *a = a_;
    struct pending p = { .conn = conn };
    bool json;

    if (!wants_json(conn, argc, argv, &json)) {
        return;
    }
    p.form = json ? GRID_JSON : GRID_TEXT;
    p.expires_at = a->view->now(a->view->aux) + FLOWS_PATIENCE_US;
    if (a->view->flows_refresh(a->view->aux, &p.token)) {
        a->pending = mem_grow(a->pending, &a->n_allocated, a->n_pending + 1, sizeof *a->pending);
        a->pending[a->n_pending++] = p;
    } else {
        reply_flows(a, &p);
    }
}

static bool
is_due(const struct appctl *a, const struct pending *p, usec_t now)
{
    return now >= p->expires_at || a->view->flows_are_fresh(a->view->aux, p->token);
}

bool
appctl_needs_run(const struct appctl *a, usec_t now)
{
    for (size_t i = 0; i < a->n_pending; i++) {
        if (is_due(a, &a->pending[i], now)) {
            return true;
        }
    }
    return false;
}

void
appctl_run(struct appctl *a)
{
    usec_t now = a->view->now(a->view->aux);
    size_t n = 0;

    for (size_t i = 0; i < a->n_pending; i++) {
        if (is_due(a, &a->pending[i], now)) {
            reply_flows(a, &a->pending[i]);
        } else {
            a->pending[n++] = a->pending[i];
        }
    }
    a->n_pending = n;
}

usec_t
appctl_deadline(const struct appctl *a)
{
    usec_t at = CLOCK_NEVER;

    for (size_t i = 0; i < a->n_pending; i++) {
        at = clock_min(at, a->pending[i].expires_at);
    }
    return at;
}

/* ---- Peers ---- */

static bool
parse_peer(struct unixctl_conn *conn, const struct ctl_view *v, const char *text,
           struct peer_spec *spec)
{
    uint16_t port = option_number(v->options, OPTION_udpport);

    return !replied_error(conn, spec_parse_peer(text, port, spec));
}

static void
peer_add(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[], void *v_)
{
    struct ctl_view *v = v_;
    struct peer_spec spec;

    if (!parse_peer(conn, v, argv[1], &spec)
        || replied_error(conn, v->peer_adding(v->aux, &spec))) {
        return;
    }

    int error = proxy_add_peer(v->proxy, &spec, v->now(v->aux));

    if (error) {
        unixctl_command_reply_error(conn, error == EEXIST ? "there is such a peer already"
                                    : "there are as many peers as --max-peers allows");
        return;
    }
    v->peers_changed(v->aux);
    unixctl_command_reply(conn, NULL);
}

static void
peer_del(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[], void *v_)
{
    struct ctl_view *v = v_;
    struct peer_spec spec;

    if (!parse_peer(conn, v, argv[1], &spec)) {
        return;
    }
    if (peers_del(proxy_peers(v->proxy), &spec.addr, spec.port)) {
        unixctl_command_reply_error(conn, "there is no such peer");
        return;
    }
    v->peers_changed(v->aux);
    unixctl_command_reply(conn, NULL);
}

/* ---- The Diffserv field ---- */

static bool
find_connection(struct utcp *utcp, const struct peer_spec *client, utcp_id *id)
{
    struct utcp_info info;
    uint32_t pos = 0;

    while (utcp_walk(utcp, &pos, &info)) {
        if (info.id && addr_equal(&info.tuple.remote, &client->addr)
            && info.tuple.remote_port == client->port) {
            *id = info.id;
            return true;
        }
    }
    return false;
}

/* Of all connections, or of one; "default" gives that one back to all. */
static void
set_dscp(struct unixctl_conn *conn, int argc, const char *argv[], void *v_)
{
    struct ctl_view *v = v_;
    struct utcp *utcp = proxy_utcp(v->proxy);
    struct peer_spec client = { .port = 0 };
    uint8_t dscp = UTCP_DSCP_DEFAULT;
    utcp_id id;

    if (strcmp(argv[1], "default") && replied_error(conn, spec_parse_dscp(argv[1], &dscp))) {
        return;
    }
    if (argc == 2 && dscp != UTCP_DSCP_DEFAULT) {
        utcp_set_default_dscp(utcp, dscp);
        unixctl_command_reply(conn, NULL);
        return;
    } else if (argc == 2 || dscp == UTCP_DSCP_MIRROR) {
        unixctl_command_reply_error(conn, "\"mirror\" is for all clients, \"default\" for one");
        return;
    } else if (replied_error(conn, spec_parse_peer(argv[2], 0, &client))) {
        return;
    } else if (!find_connection(utcp, &client, &id)) {
        unixctl_command_reply_error(conn, "there is no connection with that client");
        return;
    }
    utcp_set_dscp(utcp, id, dscp);
    unixctl_command_reply(conn, NULL);
}

/* ---- Traces, exit ---- */

static void
pcap_start(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[], void *v_)
{
    struct ctl_view *v = v_;

    if (!replied_error(conn, v->trace_start(v->aux, argv[1]))) {
        unixctl_command_reply(conn, NULL);
    }
}

static void
pcap_stop(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[] OVS_UNUSED, void *v_)
{
    struct ctl_view *v = v_;
    char *summary = NULL;

    if (!replied_error(conn, v->trace_stop(v->aux, &summary))) {
        unixctl_command_reply(conn, summary);
        free(summary);
    }
}

static void
config_reload(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[] OVS_UNUSED,
              void *v_)
{
    struct ctl_view *v = v_;

    if (!replied_error(conn, v->reload(v->aux))) {
        unixctl_command_reply(conn, NULL);
    }
}

static void
exit_daemon(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[] OVS_UNUSED,
            void *v_)
{
    struct ctl_view *v = v_;

    v->exit(v->aux);
    unixctl_command_reply(conn, NULL);
}

struct appctl *
appctl_create(struct ctl_view *v, const struct vsdb *vsdb)
{
    struct appctl *a = mem_zalloc(sizeof *a);

    a->view = v;
    a->vsdb = vsdb;
    show_register(v);
    metrics_register(v);
    unixctl_command_register("switch/show", "[json]", 0, 1, show_switch, a);
    unixctl_command_register("flow/show", "[json]", 0, 1, show_flows, a);
    unixctl_command_register("peer/add", "PEER", 1, 1, peer_add, v);
    unixctl_command_register("peer/del", "IP[:PORT]", 1, 1, peer_del, v);
    unixctl_command_register("connection/set-dscp", "DSCP|mirror|default [CLIENT]", 1, 2, set_dscp,
                             v);
    unixctl_command_register("pcap/start", "FILE", 1, 1, pcap_start, v);
    unixctl_command_register("pcap/stop", "", 0, 0, pcap_stop, v);
    unixctl_command_register("config/reload", "", 0, 0, config_reload, v);
    unixctl_command_register("exit", "", 0, 0, exit_daemon, v);
    return a;
}

void
appctl_destroy(struct appctl *a)
{
    if (a) {
        /* Nobody hears these: the control socket is gone. */
        mem_free(a->pending);
        mem_free(a);
    }
}
