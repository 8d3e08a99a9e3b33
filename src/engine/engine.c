/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Life cycle, the turn, and how frames travel. */
#include <config.h>

#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/vlog.h"

#include "base/mem.h"
#include "engine/private.h"

VLOG_DEFINE_THIS_MODULE(engine);

/* Patience at the end, with clients and peers, then with the switch. */
#define CLOSING_US (2 * CLOCK_SEC)
#define REMOVING_US (2 * CLOCK_SEC)
/* How long a parent of --detach waits at most for the switch. */
#define SETTLE_US (5 * CLOCK_SEC)
/* Of our segments in pcap mode: guard e tells the kernel's RSTs from ours by their 64. */
#define PCAP_TTL 63
/* After the switch was away for so long, what waited for it is of no use to anybody, and there may
 * be much of it. */
#define STALE_US (10 * CLOCK_SEC)
/* While frames cannot leave, whatever is due in the proxy is looked at this often. */
#define BLOCKED_US (20 * CLOCK_MSEC)

/* A switch may come and go many times a second. */
static struct vlog_rate_limit attach_rl = VLOG_RATE_LIMIT_INIT(20, 20);

/* ---- Frames and datagrams in ---- */

void
engine_rx_frame(struct engine *e, uint32_t port, const void *frame, size_t n, usec_t now)
{
    io_trace_frame(e->trace, frame, n);
    proxy_rx_frame(e->proxy, port, frame, n, now);
}

static void
udp_received(void *e_, const struct ip_addr *src, uint16_t src_port, const void *data, size_t n,
             usec_t now)
{
    struct engine *e = e_;

    proxy_rx_datagram(e->proxy, src, src_port, data, n, now);
}

/* ---- The switch ---- */

static bool
is_attached(const struct engine *e)
{
    return e->swconn && swconn_state(e->swconn) == SWCONN_IS_READY;
}

static void
stream_opened(void *e_, usec_t now)
{
    struct engine *e = e_;

    swconn_open(e->swconn, now);
}

static uint8_t *
stream_room(void *e_, size_t min, size_t *n)
{
    struct engine *e = e_;

    return swconn_rx_room(e->swconn, min, n);
}

static void
stream_read(void *e_, size_t n, usec_t now)
{
    struct engine *e = e_;

    swconn_rx_commit(e->swconn, n, now);
}

/* The switch is gone, or was never there.  Said once until it is back. */
static void
lost_switch(struct engine *e, const char *reason, usec_t now)
{
    const char *what = e->settings->bridge ? e->settings->bridge : e->settings->method;
    bool was_ready = flowsync_state(e->flowsync) != FLOWSYNC_DETACHED;

    if (was_ready && !e->awaits_flows) {
        e->away_since = now;
    }
    flowsync_detach(e->flowsync);
    swconn_close(e->swconn, reason);
    e->unreachable = true;
    if (e->said_unreachable || e->phase == ENGINE_STOPPED) {
        VLOG_DBG("%s: %s", what, reason);
        return;
    }
    e->said_unreachable = true;
    if (was_ready) {
        VLOG_WARN_RL(&attach_rl, "%s: detached: %s; trying again", what, reason);
    } else {
        VLOG_WARN_RL(&attach_rl, "%s: cannot attach to the switch at %s (%s); waiting for it", what,
                     e->settings->method, reason);
    }
}

static void
attached(struct engine *e, usec_t now)
{
    const char *what = e->settings->bridge ? e->settings->bridge : e->settings->method;

    VLOG_INFO_RL(&attach_rl, "%s: attached by OpenFlow %s, datapath %016llx", what,
                 swconn_version_name(e->swconn),
                 (unsigned long long int) swconn_datapath_id(e->swconn));
    e->was_attached = true;
    e->said_unreachable = false;
    e->said_ports = false;
    e->unreachable = false;
    io_ofstream_confirm(e->stream);
    engine_update_flows(e);
    flowsync_attach(e->flowsync, now);
    e->awaits_flows = true;
}

static void
expect_frames(struct engine *e, const struct pktin *pktins, size_t n)
{
    struct slice frames[PROXY_MAX_EXPECTED];

    _Static_assert(PROXY_MAX_EXPECTED >= SWCONN_MAX_AHEAD, "all of them");
    for (size_t i = 0; i < n; i++) {
        frames[i] = (struct slice) { pktins[i].frame, (uint32_t) pktins[i].n };
    }
    proxy_expect(e->proxy, frames, n);
}

static void
handle_event(struct engine *e, const struct swconn_event *event, usec_t now)
{
    switch (event->type) {
    case SWCONN_READY:
        attached(e, now);
        break;
    case SWCONN_PACKET_IN:
        if (e->settings->openflow) {
            expect_frames(e, event->ahead, event->n_ahead);
            engine_rx_frame(e, event->pktin.in_port, event->pktin.frame, event->pktin.n, now);
        }
        break;
    case SWCONN_MESSAGE:
        flowsync_rx(e->flowsync, event->oh, now);
        break;
    case SWCONN_FLOWS_CHANGED:
        flowsync_changed(e->flowsync, now);
        break;
    case SWCONN_PORTS:
        e->said_ports = false;
        e->flows_dirty = true;
        break;
    case SWCONN_CLOSED: {
        /* Swconn's own text goes with its close. */
        char *reason = mem_strdup(event->text);

        lost_switch(e, reason, now);
        io_ofstream_drop(e->stream, now);
        mem_free(reason);
        break;
    }
    }
}

static void
handle_events(struct engine *e, usec_t now)
{
    struct swconn_event event;

    while (swconn_next_event(e->swconn, now, &event)) {
        handle_event(e, &event, now);
    }
}

static void
stream_closed(void *e_, const char *reason, usec_t now)
{
    struct engine *e = e_;

    /* What the switch said last may tell why. */
    handle_events(e, now);
    if (swconn_state(e->swconn) != SWCONN_CLOSED_STATE) {
        lost_switch(e, reason, now);
    }
}

static void
drain_switch(struct engine *e, usec_t now)
{
    if (!e->said_unreachable && !io_ofstream_is_open(e->stream) && io_ofstream_error(e->stream)) {
        lost_switch(e, io_ofstream_error(e->stream), now);
    }
    swconn_run(e->swconn, now);
    handle_events(e, now);
}

/* The flows are in.  Not before: what our frames are answered with would reach others, and what
 * left in an owner's name would carry the daemon's own MAC. */
static void
begin_sending(struct engine *e, usec_t now)
{
    e->awaits_flows = false;
    if (e->settings->openflow) {
        if (now - e->away_since > STALE_US) {
            net_drop_stale(proxy_net(e->proxy));
        }
        net_ask_again(proxy_net(e->proxy), now);
    }
}

static void
sync_flows(struct engine *e, usec_t now)
{
    if (net_owner_generation(proxy_net(e->proxy)) != e->owner_generation
        || (is_attached(e) && engine_may_have_meters(e) != e->has_meters)) {
        e->flows_dirty = true;
    }
    /* Whatever is not in the switch when we leave stays out. */
    if (e->flows_dirty && e->phase == ENGINE_RUNNING) {
        engine_update_flows(e);
    }
    flowsync_run(e->flowsync, e->swconn, now);
    if (flowsync_state(e->flowsync) == FLOWSYNC_REFUSED && !flowsync_was_in_sync(e->flowsync)
        && !e->failure) {
        e->failure = mem_strdup(flowsync_refusal(e->flowsync));
        io_loop_stop(e->loop);
    }
    if (e->awaits_flows && flowsync_state(e->flowsync) == FLOWSYNC_IN_SYNC) {
        begin_sending(e, now);
    }
}

/* ---- Frames and datagrams out ---- */

/* Frames can leave: a switch that is not there, has not our flows yet, or does not read leaves them
 * where they are. */
static bool
may_send(const struct engine *e)
{
    return e->pcap || (is_attached(e) && !e->awaits_flows && swconn_may_send(e->swconn));
}

static void
send_frame(struct engine *e, const struct net_tx *tx)
{
    io_trace_frame(e->trace, tx->data, tx->n);
    if (!e->pcap) {
        struct pktout out = {
            .frame = tx->data, .n = tx->n, .flood = tx->flood, .port = tx->port,
        };

        swconn_packet_out(e->swconn, &out);
    } else if (tx->flood) {
        io_pcap_flood(e->pcap, tx->data, tx->n);
    } else {
        io_pcap_send(e->pcap, tx->port, tx->data, tx->n);
    }
}

static void
send_datagrams(struct engine *e)
{
    struct peer_datagram d;

    while (proxy_next_datagram(e->proxy, &d)) {
        if (e->udp) {
            io_udp_send(e->udp, &d.to.addr, d.to.port, d.payload->data, d.payload->size);
        }
        mbuf_unref(d.payload);
    }
    if (e->udp) {
        io_udp_flush(e->udp);
    }
}

static void
write_switch(struct engine *e)
{
    const uint8_t *data;
    size_t n;

    data = swconn_output(e->swconn, &n);
    if (n && io_ofstream_is_open(e->stream)) {
        swconn_output_sent(e->swconn, io_ofstream_write(e->stream, data, n));
    }
}

static void
send_all(struct engine *e, usec_t now)
{
    struct net_tx tx;

    while (may_send(e) && proxy_next_frame(e->proxy, now, &tx)) {
        send_frame(e, &tx);
    }
    send_datagrams(e);
    if (e->stream) {
        write_switch(e);
    }
    io_trace_flush(e->trace);
}

/* ---- The end ---- */

void
engine_stop(struct engine *e)
{
    if (e->phase == ENGINE_RUNNING) {
        usec_t now = io_loop_now(e->loop);

        VLOG_INFO("exiting");
        e->phase = ENGINE_CLOSING;
        e->phase_ends_at = now + CLOSING_US;
        proxy_shutdown(e->proxy, now);
    } else {
        e->phase_ends_at = 0;         /* Asked twice: no patience. */
    }
}

static bool
flows_are_gone(const struct engine *e)
{
    enum flowsync_state state;
    size_t n;

    if (!is_attached(e) || option_given(e->options, OPTION_keep_flows)) {
        return true;                  /* Without a switch there is nobody to ask. */
    }
    swconn_output(e->swconn, &n);
    state = flowsync_state(e->flowsync);
    return state == FLOWSYNC_DETACHED || (state == FLOWSYNC_REMOVED && !n);
}

/* At the end of a turn, so that what was said last has left. */
static void
step_exit(struct engine *e, usec_t now)
{
    if (e->phase == ENGINE_CLOSING
        && (proxy_is_idle(e->proxy) || now >= e->phase_ends_at)) {
        e->phase = ENGINE_REMOVING;
        e->phase_ends_at = now + REMOVING_US;
        if (e->flowsync && !option_given(e->options, OPTION_keep_flows)) {
            flowsync_remove_all(e->flowsync, now);
            flowsync_run(e->flowsync, e->swconn, now);
            write_switch(e);
        }
    }
    if (e->phase == ENGINE_REMOVING && (flows_are_gone(e) || now >= e->phase_ends_at)) {
        e->phase = ENGINE_STOPPED;
        io_loop_stop(e->loop);
    }
}

/* ---- The turn ---- */

static void
log_notices(struct engine *e)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(30, 30);
    enum proxy_notice level;
    char text[512];

    while ((level = proxy_next_notice(e->proxy, text, sizeof text)) != PROXY_NOTICE_NONE) {
        VLOG_RL(&rl, level == PROXY_NOTICE_WARN ? VLL_WARN
                : level == PROXY_NOTICE_DEBUG ? VLL_DBG : VLL_INFO, "%s", text);
    }
    while (e->flowsync && flowsync_next_notice(e->flowsync, text, sizeof text)) {
        VLOG_INFO_RL(&rl, "%s", text);
    }
}

static usec_t
next_turn(const struct engine *e, usec_t now)
{
    usec_t at = proxy_deadline(e->proxy);

    /* What is due may be a frame that cannot leave: no reason to spin. */
    if (!may_send(e)) {
        at = at > now + BLOCKED_US ? at : now + BLOCKED_US;
    }
    if (e->swconn) {
        at = clock_min(at, clock_min(swconn_deadline(e->swconn), flowsync_deadline(e->flowsync)));
    }
    if (e->phase != ENGINE_RUNNING) {
        at = clock_min(at, e->phase_ends_at);
    }
    return at;
}

usec_t
engine_turn(struct engine *e, usec_t now)
{
    if (e->swconn) {
        drain_switch(e, now);
    }
    proxy_run(e->proxy, now);
    engine_store_run(e);
    engine_access_run(e, now);
    if (e->swconn) {
        sync_flows(e, now);
    }
    send_all(e, now);
    log_notices(e);
    step_exit(e, now);
    return next_turn(e, now);
}

bool
engine_is_settled(const struct engine *e, usec_t now)
{
    return (!e->flowsync || flowsync_was_in_sync(e->flowsync) || e->unreachable || e->failure
            || now >= e->settle_by);
}

const char *
engine_failure(const struct engine *e)
{
    return e->failure;
}

struct ctl_view *
engine_view(struct engine *e)
{
    return &e->view;
}

/* ---- Birth and death ---- */

static char *
open_switch(struct engine *e)
{
    struct io_ofstream_config stream;
    struct swconn_config conn;
    struct flowsync_config sync;
    char *error = NULL;

    swconn_config_default(&conn);
    conn.controller_id = swconn_controller_id(option_number(e->options, OPTION_instance));
    conn.versions = e->settings->versions;
    e->swconn = swconn_create(&conn);

    flowsync_config_default(&sync);
    sync.instance = option_number(e->options, OPTION_instance);
    sync.refresh_us = (usec_t) option_number(e->options, OPTION_fail_open) * CLOCK_SEC / 3;
    e->flowsync = flowsync_create(&sync);

    io_ofstream_config_default(&stream);
    stream.method = e->settings->method;
    stream.aux = e;
    stream.opened = stream_opened;
    stream.room = stream_room;
    stream.read = stream_read;
    stream.closed = stream_closed;
    e->stream = io_ofstream_create(e->loop, &stream, &error);
    if (e->stream && e->settings->passive) {
        VLOG_INFO("%s: waiting for the switch to call", e->settings->method);
        e->unreachable = true;        /* For now, and nobody knows for how long. */
    }
    return error;
}

char *
engine_open_socket(struct engine *e)
{
    struct io_udp_config config = {
        .addr = e->settings->socket_addr,
        .port = e->settings->socket_port,
        .aux = e,
        .received = udp_received,
    };
    char *error = NULL;

    if (!e->udp) {
        e->udp = io_udp_create(e->loop, &config, &error);
    }
    return error;
}

static char *
open_all(struct engine *e)
{
    const char *trace = option_text(e->options, OPTION_pcap_trace);
    char *error = engine_access_open(e);

    if (!error) {
        error = engine_store_open(e);
    }
    if (!error && trace) {
        e->trace = engine_start_trace(e, trace, &error);
    }
    if (!error && !e->settings->openflow) {
        error = engine_open_pcap(e);
    }
    if (!error && e->settings->needs_socket) {
        error = engine_open_socket(e);
    }
    if (!error && e->settings->method) {
        error = open_switch(e);
    }
    return error;
}

static void
log_services(const struct engine *e)
{
    bool wide = false;

    for (size_t i = 0; i < e->settings->n_services; i++) {
        const struct net_service *svc = &e->settings->services[i];
        char text[PREFIX_STRLEN];

        VLOG_INFO("serving %s address %s%s",
                  svc->kind == NET_VIRTUAL ? "virtual" : "taken",
                  spec_format_prefix(&svc->prefix, text),
                  e->settings->services_from_host ? ", of this network namespace" : "");
        wide |= !prefix_is_host(&svc->prefix);
    }
    if (e->settings->n_edge_ports && !wide) {
        VLOG_WARN("--edge-port is for --take=PREFIX and --take=ANY: clients of the addresses given "
                  "are intercepted at every port");
    }
}

struct engine *
engine_create(const struct engine_config *config, struct io_loop *loop, char **error)
{
    struct engine *e = mem_zalloc(sizeof *e);
    struct proxy_config proxy;
    usec_t now = io_loop_now(loop);

    e->settings = config->settings;
    e->options = config->options;
    e->loop = loop;
    e->away_since = now;
    e->settle_by = now + SETTLE_US;
    e->phase_ends_at = CLOCK_NEVER;
    e->flows_dirty = true;
    e->probe_mac = settings_probe_mac(e->settings, e->options, config->machine);
    settings_to_proxy(e->settings, e->options, &proxy);
    proxy.net.probe_mac = e->probe_mac;
    if (!e->settings->openflow) {
        proxy.utcp.ttl = PCAP_TTL;
    }
    proxy_config_set_key(&proxy, &config->key);
    engine_store_configure(e, &proxy.mqtt);
    e->proxy = proxy_create(&proxy, now);
    engine_init_view(e);
    *error = open_all(e);
    if (*error) {
        engine_destroy(e);
        return NULL;
    }
    log_services(e);
    return e;
}

void
engine_destroy(struct engine *e)
{
    if (e) {
        io_ofstream_destroy(e->stream);
        flowsync_destroy(e->flowsync);
        swconn_destroy(e->swconn);
        flows_destroy(e->flows);
        io_pcap_destroy(e->pcap);
        io_udp_destroy(e->udp);
        io_trace_stop(e->trace);
        engine_access_close(e);
        engine_store_close(e);
        proxy_destroy(e->proxy);
        mem_free(e->failure);
        mem_free(e);
    }
}
