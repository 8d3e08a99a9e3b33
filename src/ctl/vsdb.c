/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ctl/vsdb.h"

#include <string.h>

#include "ovs-config.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "vswitch-idl.h"

#include "base/mem.h"

VLOG_DEFINE_THIS_MODULE(vsdb);

/* A database that is there answers within milliseconds. */
#define PATIENCE_MS 5000

struct vsdb {
    struct ovsdb_idl *idl;
    char *remote;
    char *bridge;
    unsigned int seqno;               /* Of the contents that were last looked at. */
    long long int complain_at;        /* No answer by then: say so, once; LLONG_MAX: done. */
    struct vsdb_bridge state;
};

struct vsdb *
vsdb_create(const char *remote, const char *bridge)
{
    struct vsdb *v = mem_zalloc(sizeof *v);

    v->remote = mem_strdup(remote);
    v->bridge = mem_strdup(bridge);
    v->complain_at = time_msec() + PATIENCE_MS;
    v->idl = ovsdb_idl_create(remote, &ovsrec_idl_class, false, true);
    ovsdb_idl_set_leader_only(v->idl, false);
    ovsdb_idl_add_table(v->idl, &ovsrec_table_bridge);
    ovsdb_idl_add_column(v->idl, &ovsrec_bridge_col_name);
    ovsdb_idl_add_column(v->idl, &ovsrec_bridge_col_fail_mode);
    ovsdb_idl_add_column(v->idl, &ovsrec_bridge_col_controller);
    ovsdb_idl_add_column(v->idl, &ovsrec_bridge_col_other_config);
    ovsdb_idl_add_table(v->idl, &ovsrec_table_controller);
    ovsdb_idl_add_column(v->idl, &ovsrec_controller_col_target);
    return v;
}

void
vsdb_destroy(struct vsdb *v)
{
    if (v) {
        ovsdb_idl_destroy(v->idl);
        mem_free(v->remote);
        mem_free(v->bridge);
        mem_free(v);
    }
}

static void
read_bridge(const struct vsdb *v, struct vsdb_bridge *b)
{
    const struct ovsrec_bridge *row;

    memset(b, 0, sizeof *b);
    b->connected = true;
    OVSREC_BRIDGE_FOR_EACH (row, v->idl) {
        if (!strcmp(row->name, v->bridge)) {
            b->exists = true;
            b->standalone = !row->fail_mode || strcmp(row->fail_mode, "secure");
            b->n_controllers = row->n_controller;
            b->in_band = !smap_get_bool(&row->other_config, "disable-in-band", false);
            return;
        }
    }
}

/* What an operator has to know, once per change. */
static void
advise(const struct vsdb *v, const struct vsdb_bridge *old)
{
    const struct vsdb_bridge *b = &v->state;

    if (!b->exists) {
        if (!old->connected || old->exists) {
            VLOG_WARN("%s: the database at %s has no such bridge", v->bridge, v->remote);
        }
        return;
    }
    if (b->standalone && b->n_controllers
        && !(old->exists && old->standalone && old->n_controllers)) {
        VLOG_WARN("%s: fail_mode is standalone and a controller is set: Open vSwitch will remove "
                  "all flows, the proxy's too, whenever it loses that controller for 15 s, and "
                  "hide whatever is added then.  Set it with: "
                  "ovs-vsctl set-fail-mode %s secure", v->bridge, v->bridge);
    }
    if (b->in_band && b->n_controllers && !(old->exists && old->in_band && old->n_controllers)) {
        VLOG_INFO("%s: a controller is set and in-band control is not disabled: Open vSwitch adds "
                  "hidden flows.  Unless the controller is reached through the bridge, set: "
                  "ovs-vsctl set bridge %s other_config:disable-in-band=true",
                  v->bridge, v->bridge);
    }
    VLOG_DBG("%s: fail_mode %s, %"PRIuSIZE" controllers", v->bridge,
             b->standalone ? "standalone" : "secure", b->n_controllers);
}

void
vsdb_run(struct vsdb *v)
{
    if (!v) {
        return;
    }
    ovsdb_idl_run(v->idl);
    if (ovsdb_idl_has_ever_connected(v->idl) && ovsdb_idl_get_seqno(v->idl) != v->seqno) {
        struct vsdb_bridge old = v->state;

        v->seqno = ovsdb_idl_get_seqno(v->idl);
        v->complain_at = LLONG_MAX;
        read_bridge(v, &v->state);
        advise(v, &old);
    }
    if (time_msec() >= v->complain_at) {
        v->complain_at = LLONG_MAX;
        VLOG_WARN("%s: the database at %s does not answer: cannot see whether the bridge's "
                  "fail_mode is secure", v->bridge, v->remote);
    }
}

void
vsdb_wait(struct vsdb *v)
{
    if (v) {
        ovsdb_idl_wait(v->idl);
        if (v->complain_at != LLONG_MAX) {
            poll_timer_wait_until(v->complain_at);
        }
    }
}

void
vsdb_get(const struct vsdb *v, struct vsdb_bridge *b)
{
    if (v) {
        *b = v->state;
        b->connected = b->connected && ovsdb_idl_is_connected(v->idl);
    } else {
        memset(b, 0, sizeof *b);
    }
}
