/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What flowsync sends: requests to read, flow and meter modifications. */
#include "ofp/flowsync_private.h"

#include "ofp/be64.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-protocol.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"

static enum ofputil_protocol
protocol(const struct swconn *sw)
{
    uint8_t version = swconn_version(sw);

    return version == OFP10_VERSION ? OFPUTIL_P_OF10_NXM
                                    : ofputil_protocol_from_ofp_version(version);
}

static uint32_t
send_stats_request(struct swconn *sw, uint64_t cookie, uint64_t mask, bool aggregate)
{
    struct ofputil_flow_stats_request fsr = {
        .aggregate = aggregate,
        .cookie = be64_from_host(cookie),
        .cookie_mask = be64_from_host(mask),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = aggregate ? 0xff : 0,
    };

    match_init_catchall(&fsr.match);
    return swconn_send(sw, ofputil_encode_flow_stats_request(&fsr, protocol(sw)));
}

bool
flowsync_has_meters(const struct swconn *sw)
{
    return swconn_version(sw) >= OFP13_VERSION;
}

void
flowsync_send_reading(struct flowsync *fs, struct swconn *sw)
{
    fs->meters_xid = 0;
    if (flowsync_has_meters(sw)) {
        fs->meters_xid = swconn_send(sw, ofputil_encode_meter_request(
                                             swconn_version(sw), OFPUTIL_METER_CONFIG,
                                             OFPM13_ALL));
    }
    fs->flows_xid = send_stats_request(sw, FLOWS_COOKIE_TAG << 48, FLOWS_COOKIE_TAG_MASK, false);
}

void
flowsync_send_reading_all(struct flowsync *fs, struct swconn *sw)
{
    fs->flows_xid = send_stats_request(sw, 0, 0, false);
}

static void
send_meter(struct swconn *sw, struct want_meter *m, uint16_t command)
{
    m->mm.command = command;
    m->xid = swconn_send(sw, ofputil_encode_meter_mod(swconn_version(sw), &m->mm));
}

static uint32_t
send_flow(struct swconn *sw, struct ofputil_flow_mod *fm, uint16_t command)
{
    fm->command = command;
    fm->table_id = swconn_version(sw) == OFP10_VERSION ? 0xff : 0;
    return swconn_send(sw, ofputil_encode_flow_mod(fm, protocol(sw)));
}

static void
send_meters(struct flowsync *fs, struct swconn *sw)
{
    for (size_t i = 0; i < fs->wants.n_meters && flowsync_has_meters(sw); i++) {
        struct want_meter *m = &fs->wants.meters[i];

        if (!m->seen) {
            send_meter(sw, m, m->differs ? OFPMC13_MODIFY : OFPMC13_ADD);
            fs->stats.meters_added++;
        }
    }
}

static void
send_flows(struct flowsync *fs, struct swconn *sw)
{
    size_t n = 0;

    for (size_t i = 0; i < fs->wants.n_flows; i++) {
        struct want_flow *f = &fs->wants.flows[i];

        if (!f->seen && !f->conflict) {
            f->xid = send_flow(sw, &f->fm, OFPFC_ADD);
            n++;
        }
    }
    fs->stats.flows_added += n;
}

static void
send_deletions(struct flowsync *fs, struct swconn *sw)
{
    for (size_t i = 0; i < fs->reading.n_flows; i++) {
        struct ofputil_flow_mod fm = {
            .match = fs->reading.flows[i].match,
            .priority = fs->reading.flows[i].priority,
            .cookie = be64_from_host(FLOWS_COOKIE(fs->cfg.instance)),
            .cookie_mask = be64_from_host(FLOWS_COOKIE_MASK),
            .buffer_id = UINT32_MAX,
            .out_port = OFPP_ANY,
            .out_group = OFPG_ANY,
        };

        send_flow(sw, &fm, OFPFC_DELETE_STRICT);
        fs->stats.flows_deleted++;
    }
    for (size_t i = 0; i < fs->reading.n_meters; i++) {
        struct ofputil_meter_mod mm = {
            .command = OFPMC13_DELETE,
            .meter = { .meter_id = fs->reading.meters[i] },
        };

        swconn_send(sw, ofputil_encode_meter_mod(swconn_version(sw), &mm));
        fs->stats.meters_deleted++;
    }
}

/* Meters before the flows that use them; theirs go after these. */
void
flowsync_send_changes(struct flowsync *fs, struct swconn *sw)
{
    send_meters(fs, sw);
    send_flows(fs, sw);
    send_deletions(fs, sw);
    fs->barrier_xid = swconn_send(sw, ofputil_encode_barrier_request(swconn_version(sw)));
}

void
flowsync_send_check(struct flowsync *fs, struct swconn *sw, usec_t now)
{
    fs->check_xid = send_stats_request(sw, FLOWS_COOKIE(fs->cfg.instance), FLOWS_COOKIE_MASK,
                                       true);
    fs->asked_at = now;
    fs->next_check_at = now + fs->cfg.check_us;
    fs->stats.checks++;
}

/* Renews hard time-outs.  OFPFC_MODIFY_STRICT restarts them and keeps the counts; a flow that is no
 * longer there is for the next check to find. */
void
flowsync_send_refresh(struct flowsync *fs, struct swconn *sw, usec_t now)
{
    fs->next_refresh_at = now + fs->cfg.refresh_us;
    for (size_t i = 0; i < fs->wants.n_flows; i++) {
        struct want_flow *f = &fs->wants.flows[i];

        if (f->installed) {
            send_flow(sw, &f->fm, OFPFC_MODIFY_STRICT);
            fs->stats.flows_refreshed++;
        }
    }
}

void
flowsync_send_removal(struct flowsync *fs, struct swconn *sw, usec_t now)
{
    struct ofputil_flow_mod fm = {
        .cookie = be64_from_host(FLOWS_COOKIE(fs->cfg.instance)),
        .cookie_mask = be64_from_host(FLOWS_COOKIE_MASK),
        .command = OFPFC_DELETE,
        .table_id = 0xff,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };

    fs->state = FLOWSYNC_REMOVING;
    fs->asked_at = now;
    minimatch_init_catchall(&fm.match);
    swconn_send(sw, ofputil_encode_flow_mod(&fm, protocol(sw)));
    minimatch_destroy(&fm.match);
    fs->stats.flows_deleted += wants_n_installed(&fs->wants);
    for (size_t i = 0; i < fs->wants.n_meters && flowsync_has_meters(sw); i++) {
        struct want_meter *m = &fs->wants.meters[i];

        if (m->installed) {
            send_meter(sw, m, OFPMC13_DELETE);
            fs->stats.meters_deleted++;
        }
    }
    fs->barrier_xid = swconn_send(sw, ofputil_encode_barrier_request(swconn_version(sw)));
}
