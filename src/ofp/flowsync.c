/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ofp/flowsync.h"

#include "base/mem.h"
#include "ofp/be64.h"
#include "ofp/reading.h"
#include "ofp/want.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-protocol.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

STATS_DEFINE(flowsync, FLOWSYNC_STATS)

/* A reading that is asked for by somebody's deletions waits this long after the one before, so that
 * a controller that deletes in small portions does not make us read after each. */
#define MIN_BETWEEN_READS (100 * CLOCK_MSEC)
#define MAX_NOTICES 32
struct flowsync {
    struct flowsync_config cfg;
    struct flowsync_stats stats;
    enum flowsync_state state;
    struct wants wants;

    bool need_read;                   /* Something changed, here or there. */
    bool was_in_sync, meters_refused, removing;
    bool initial;                     /* No reading was completed on this connection yet. */
    uint32_t flows_xid, meters_xid;   /* Statistics requests that are not yet answered; 0: none. */
    uint32_t barrier_xid, check_xid;
    usec_t asked_at, read_at, next_check_at, next_audit_at, next_refresh_at;

    struct reading reading;           /* Of the switch, that goes on or was the latest. */
    char told_conflict[sizeof ((struct reading *) 0)->conflict];
    char *notices[MAX_NOTICES];
    unsigned int n_notices;
};

static void start_reading(struct flowsync *, struct swconn *, usec_t now);
static void read_is_complete(struct flowsync *, struct swconn *, usec_t now);
static void rx_error(struct flowsync *, const struct ofp_header *);
static void rx_barrier(struct flowsync *, usec_t now);
static void rx_aggregate(struct flowsync *, const struct ofp_header *);
static void send_removal(struct flowsync *, struct swconn *, usec_t now);
static void send_refresh(struct flowsync *, struct swconn *, usec_t now);
static void send_check(struct flowsync *, struct swconn *, usec_t now);
static void notice(struct flowsync *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
notice(struct flowsync *fs, const char *format, ...)
{
    char buf[640];
    va_list args;

    va_start(args, format);
    vsnprintf(buf, sizeof buf, format, args);
    va_end(args);
    if (fs->n_notices < MAX_NOTICES) {
        fs->notices[fs->n_notices++] = mem_strdup(buf);
    }
}

void
flowsync_config_default(struct flowsync_config *cfg)
{
    *cfg = (struct flowsync_config) {
        .instance = 1,
        .check_us = 500 * CLOCK_MSEC,
        .audit_us = 10 * CLOCK_SEC,
        .reply_us = 3 * CLOCK_SEC,
    };
}

struct flowsync *
flowsync_create(const struct flowsync_config *cfg)
{
    struct flowsync *fs = mem_zalloc(sizeof *fs);

    fs->cfg = *cfg;
    wants_init(&fs->wants, NULL);
    return fs;
}

void
flowsync_destroy(struct flowsync *fs)
{
    if (fs) {
        wants_uninit(&fs->wants);
        reading_uninit(&fs->reading);
        for (unsigned int i = 0; i < fs->n_notices; i++) {
            mem_free(fs->notices[i]);
        }
        mem_free(fs);
    }
}

void
flowsync_set_desired(struct flowsync *fs, struct flows *flows)
{
    wants_uninit(&fs->wants);
    wants_init(&fs->wants, flows);
    /* What is in flight belongs to the old list; reading again tells what became of it. */
    fs->need_read = true;
    fs->read_at = 0;
}

void
flowsync_attach(struct flowsync *fs, usec_t now)
{
    flowsync_detach(fs);
    fs->state = FLOWSYNC_READING;
    fs->need_read = fs->initial = true;
    fs->read_at = 0;
    fs->next_refresh_at = fs->cfg.refresh_us ? now + fs->cfg.refresh_us : CLOCK_NEVER;
}

void
flowsync_detach(struct flowsync *fs)
{
    fs->flows_xid = fs->meters_xid = fs->barrier_xid = fs->check_xid = 0;
    for (size_t i = 0; i < fs->wants.n_flows; i++) {
        /* 'installed' stays, so that what is gone at the next attachment counts as lost. */
        fs->wants.flows[i].xid = 0;
    }
    for (size_t i = 0; i < fs->wants.n_meters; i++) {
        fs->wants.meters[i].xid = 0;
    }
    fs->need_read = false;
    fs->state = FLOWSYNC_DETACHED;
}

void
flowsync_changed(struct flowsync *fs, usec_t now)
{
    (void) now;
    if (fs->state != FLOWSYNC_DETACHED) {
        fs->need_read = true;
    }
}

void
flowsync_audit_now(struct flowsync *fs, usec_t now)
{
    fs->next_audit_at = now;
}

void
flowsync_remove_all(struct flowsync *fs, usec_t now)
{
    (void) now;
    fs->removing = true;
}

void
flowsync_rx(struct flowsync *fs, const struct ofp_header *oh, usec_t now)
{
    uint32_t xid = ntohl(oh->xid);
    enum ofptype type;

    if (fs->state == FLOWSYNC_DETACHED || !xid || ofptype_decode(&type, oh)) {
        return;
    }
    switch ((int) type) {
    case OFPTYPE_FLOW_STATS_REPLY:
        if (xid == fs->flows_xid) {
            fs->asked_at = now;       /* A long reply is no silence. */
            fs->flows_xid = reading_flows(&fs->reading, oh) ? 0 : xid;
        }
        break;
    case OFPTYPE_METER_CONFIG_STATS_REPLY:
        if (xid == fs->meters_xid) {
            fs->meters_xid = reading_meters(&fs->reading, oh) ? 0 : xid;
        }
        break;
    case OFPTYPE_AGGREGATE_STATS_REPLY:
        if (xid == fs->check_xid) {
            rx_aggregate(fs, oh);
        }
        break;
    case OFPTYPE_BARRIER_REPLY:
        if (xid == fs->barrier_xid) {
            rx_barrier(fs, now);
        }
        break;
    case OFPTYPE_ERROR:
        rx_error(fs, oh);
        break;
    default:
        break;
    }
}

static bool
awaits_reply(const struct flowsync *fs)
{
    return fs->flows_xid || fs->meters_xid || fs->barrier_xid || fs->check_xid;
}

static void
in_sync_run(struct flowsync *fs, struct swconn *sw, usec_t now)
{
    if (now >= fs->next_audit_at) {
        fs->need_read = true;
        fs->read_at = 0;
    } else if (now >= fs->next_refresh_at) {
        send_refresh(fs, sw, now);
    } else if (now >= fs->next_check_at && !fs->check_xid && fs->state == FLOWSYNC_IN_SYNC) {
        send_check(fs, sw, now);
    }
}

void
flowsync_run(struct flowsync *fs, struct swconn *sw, usec_t now)
{
    if (fs->state == FLOWSYNC_DETACHED || fs->state == FLOWSYNC_REMOVED) {
        return;
    }
    if (fs->removing) {
        if (fs->state != FLOWSYNC_REMOVING || now >= fs->asked_at + fs->cfg.reply_us) {
            send_removal(fs, sw, now);
        }
        return;
    }
    if (awaits_reply(fs) && now >= fs->asked_at + fs->cfg.reply_us) {
        fs->stats.timeouts++;
        fs->need_read = true;
        fs->read_at = 0;
    }
    if (fs->state == FLOWSYNC_READING && !fs->need_read && !fs->flows_xid && !fs->meters_xid) {
        read_is_complete(fs, sw, now);
    }
    if (fs->state == FLOWSYNC_IN_SYNC || fs->state == FLOWSYNC_REFUSED) {
        in_sync_run(fs, sw, now);
    }
    if (fs->need_read && now >= fs->read_at + MIN_BETWEEN_READS) {
        start_reading(fs, sw, now);
    }
}

usec_t
flowsync_deadline(const struct flowsync *fs)
{
    usec_t at = CLOCK_NEVER;

    if (fs->state == FLOWSYNC_DETACHED || fs->state == FLOWSYNC_REMOVED) {
        return CLOCK_NEVER;
    }
    if (fs->removing) {
        return fs->state != FLOWSYNC_REMOVING ? 0 : fs->asked_at + fs->cfg.reply_us;
    }
    if (fs->need_read) {
        return fs->read_at + MIN_BETWEEN_READS;
    }
    if (awaits_reply(fs)) {
        at = fs->asked_at + fs->cfg.reply_us;
    } else if (fs->state == FLOWSYNC_READING) {
        return 0;
    }
    if (fs->state == FLOWSYNC_IN_SYNC || fs->state == FLOWSYNC_REFUSED) {
        at = clock_min(at, fs->next_audit_at);
        at = clock_min(at, fs->next_refresh_at);
    }
    if (fs->state == FLOWSYNC_IN_SYNC && !fs->check_xid) {
        at = clock_min(at, fs->next_check_at);
    }
    return at;
}

/* Reading. */

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

/* First ours, of whatever instance.  Only when something is missing, everybody's: an addition would
 * silently replace another's flow. */
static void
start_reading(struct flowsync *fs, struct swconn *sw, usec_t now)
{
    fs->state = FLOWSYNC_READING;
    fs->need_read = false;
    fs->barrier_xid = fs->check_xid = fs->meters_xid = 0;
    fs->read_at = fs->asked_at = now;
    fs->stats.audits++;
    reading_start(&fs->reading, &fs->wants, fs->cfg.instance);
    if (swconn_version(sw) >= OFP13_VERSION) {
        fs->meters_xid = swconn_send(sw, ofputil_encode_meter_request(
                                             swconn_version(sw), OFPUTIL_METER_CONFIG,
                                             OFPM13_ALL));
    }
    fs->flows_xid = send_stats_request(sw, FLOWS_COOKIE_TAG << 48, FLOWS_COOKIE_TAG_MASK, false);
}

/* Writing. */

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
    for (size_t i = 0; i < fs->wants.n_meters; i++) {
        struct want_meter *m = &fs->wants.meters[i];

        if (!m->seen) {
            send_meter(sw, m, m->differs ? OFPMC13_MODIFY : OFPMC13_ADD);
            fs->stats.meters_added++;
        }
    }
}

static size_t
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
    return n;
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

static void
enter_in_sync(struct flowsync *fs, usec_t now)
{
    bool all = true;

    for (size_t i = 0; i < fs->wants.n_flows; i++) {
        all &= fs->wants.flows[i].installed;
    }
    if (!fs->was_in_sync && all && fs->wants.n_flows) {
        notice(fs, "the switch has our %zu flows and %zu meters", fs->wants.n_flows,
               fs->wants.n_meters);
    }
    fs->was_in_sync |= all;
    fs->state = FLOWSYNC_IN_SYNC;
    fs->next_check_at = now + fs->cfg.check_us;
    fs->next_audit_at = now + fs->cfg.audit_us;
}

static void
refuse(struct flowsync *fs, usec_t now)
{
    fs->state = FLOWSYNC_REFUSED;
    fs->next_audit_at = now + fs->cfg.audit_us;
    notice(fs, "%s", fs->reading.conflict);
}

/* Takes what the reading found for what is installed. */
static void
account(struct flowsync *fs)
{
    size_t n_seen = 0;

    for (size_t i = 0; i < fs->wants.n_flows; i++) {
        struct want_flow *f = &fs->wants.flows[i];

        n_seen += f->seen;
        f->installed = f->seen;
    }
    for (size_t i = 0; i < fs->wants.n_meters; i++) {
        fs->wants.meters[i].installed = fs->wants.meters[i].seen;
    }
    if (fs->initial && !fs->was_in_sync) {
        fs->stats.flows_adopted += n_seen;
    }
    fs->initial = false;
}

static void
read_is_complete(struct flowsync *fs, struct swconn *sw, usec_t now)
{
    size_t n_missing = 0, n_lost = 0, n_meters = 0;

    for (size_t i = 0; i < fs->wants.n_flows; i++) {
        struct want_flow *f = &fs->wants.flows[i];

        n_missing += !f->seen;
        n_lost += !f->seen && f->installed;
    }
    for (size_t i = 0; i < fs->wants.n_meters; i++) {
        n_meters += !fs->wants.meters[i].seen;
    }
    if (n_missing && !fs->reading.all) {
        fs->reading.all = true;
        fs->asked_at = now;
        fs->flows_xid = send_stats_request(sw, 0, 0, false);
        return;
    }
    fs->stats.conflicts += fs->reading.n_conflicts;
    fs->stats.malformed += fs->reading.n_malformed;
    account(fs);
    if (fs->reading.conflict[0] && !fs->was_in_sync) {
        refuse(fs, now);
        return;
    }
    if (strcmp(fs->reading.conflict, fs->told_conflict)) {
        strcpy(fs->told_conflict, fs->reading.conflict);
        if (fs->reading.conflict[0]) {
            notice(fs, "%s", fs->reading.conflict);
        }
    }
    if (!n_missing && !n_meters && !fs->reading.n_flows && !fs->reading.n_meters) {
        enter_in_sync(fs, now);
        return;
    }
    if (n_lost) {
        fs->stats.repairs++;
        fs->stats.repaired_flows += n_lost;
        notice(fs, "flows that were gone from the switch or changed, now put back: %zu", n_lost);
    }
    /* Meters before the flows that use them; theirs go after these. */
    send_meters(fs, sw);
    send_flows(fs, sw);
    send_deletions(fs, sw);
    fs->barrier_xid = swconn_send(sw, ofputil_encode_barrier_request(swconn_version(sw)));
    fs->asked_at = now;
    fs->state = FLOWSYNC_WRITING;
}

static void
rx_barrier(struct flowsync *fs, usec_t now)
{
    fs->barrier_xid = 0;
    if (fs->state == FLOWSYNC_REMOVING) {
        fs->state = FLOWSYNC_REMOVED;
        return;
    }
    for (size_t i = 0; i < fs->wants.n_flows; i++) {
        struct want_flow *f = &fs->wants.flows[i];

        f->installed |= f->xid != 0;  /* Whose flow mod met an error has none any more. */
        f->xid = 0;
    }
    for (size_t i = 0; i < fs->wants.n_meters; i++) {
        struct want_meter *m = &fs->wants.meters[i];

        m->installed |= m->xid != 0;
        m->xid = 0;
    }
    enter_in_sync(fs, now);
}

static void
rx_error(struct flowsync *fs, const struct ofp_header *oh)
{
    enum ofperr error = ofperr_decode_msg(oh, NULL);
    const char *name = error ? ofperr_get_name(error) : "unknown error";
    uint32_t xid = ntohl(oh->xid);

    for (size_t i = 0; i < fs->wants.n_flows; i++) {
        struct want_flow *f = &fs->wants.flows[i];

        if (f->xid == xid) {
            f->xid = 0;
            fs->stats.rejected++;
            if (!f->complained) {
                notice(fs, "the switch refuses flow %s \"%s\": %s", f->item->letter,
                       f->item->text, name);
            }
            f->complained = true;
            return;
        }
    }
    for (size_t i = 0; i < fs->wants.n_meters; i++) {
        struct want_meter *m = &fs->wants.meters[i];

        if (m->xid == xid) {
            m->xid = 0;
            fs->stats.rejected++;
            fs->meters_refused = true;
            notice(fs, "the switch refuses meter \"%s\": %s", m->item->text, name);
            return;
        }
    }
    if (xid == fs->meters_xid) {
        fs->meters_xid = 0;
        fs->meters_refused = true;
    } else if (xid == fs->check_xid) {
        fs->check_xid = 0;            /* No aggregates there: audits have to do. */
    }
}

/* In sync. */

static void
send_check(struct flowsync *fs, struct swconn *sw, usec_t now)
{
    fs->check_xid = send_stats_request(sw, FLOWS_COOKIE(fs->cfg.instance), FLOWS_COOKIE_MASK,
                                       true);
    fs->asked_at = now;
    fs->next_check_at = now + fs->cfg.check_us;
    fs->stats.checks++;
}

static void
rx_aggregate(struct flowsync *fs, const struct ofp_header *oh)
{
    struct ofputil_aggregate_stats as;

    fs->check_xid = 0;
    if (ofputil_decode_aggregate_stats_reply(&as, oh)) {
        fs->stats.malformed++;
    } else if (as.flow_count != wants_n_installed(&fs->wants)) {
        fs->need_read = true;
    }
}

/* Renews hard time-outs.  OFPFC_MODIFY_STRICT restarts them and keeps the counts; a flow that is no
 * longer there is for the next check to find. */
static void
send_refresh(struct flowsync *fs, struct swconn *sw, usec_t now)
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

/* The end. */

static void
send_removal(struct flowsync *fs, struct swconn *sw, usec_t now)
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
    for (size_t i = 0; i < fs->wants.n_meters; i++) {
        struct want_meter *m = &fs->wants.meters[i];

        if (m->installed) {
            send_meter(sw, m, OFPMC13_DELETE);
            fs->stats.meters_deleted++;
        }
    }
    fs->barrier_xid = swconn_send(sw, ofputil_encode_barrier_request(swconn_version(sw)));
}

/* For show. */

enum flowsync_state
flowsync_state(const struct flowsync *fs)
{
    return fs->state;
}

const char *
flowsync_state_name(enum flowsync_state state)
{
    static const char *const names[] = {
        [FLOWSYNC_DETACHED] = "detached",
        [FLOWSYNC_READING] = "reading",
        [FLOWSYNC_WRITING] = "writing",
        [FLOWSYNC_IN_SYNC] = "in sync",
        [FLOWSYNC_REFUSED] = "refused",
        [FLOWSYNC_REMOVING] = "removing",
        [FLOWSYNC_REMOVED] = "removed",
    };

    return names[state];
}

const char *
flowsync_refusal(const struct flowsync *fs)
{
    return fs->state == FLOWSYNC_REFUSED ? fs->reading.conflict : NULL;
}

bool
flowsync_meters_refused(const struct flowsync *fs)
{
    return fs->meters_refused;
}

bool
flowsync_was_in_sync(const struct flowsync *fs)
{
    return fs->was_in_sync;
}

const struct flowsync_stats *
flowsync_stats(const struct flowsync *fs)
{
    return &fs->stats;
}

bool
flowsync_next_notice(struct flowsync *fs, char *buf, size_t size)
{
    if (!fs->n_notices) {
        return false;
    }
    snprintf(buf, size, "%s", fs->notices[0]);
    mem_free(fs->notices[0]);
    memmove(fs->notices, fs->notices + 1, --fs->n_notices * sizeof *fs->notices);
    return true;
}

bool
flowsync_walk(const struct flowsync *fs, size_t *pos, struct flowsync_entry *e)
{
    size_t i = (*pos)++;

    if (i < fs->wants.n_meters) {
        const struct want_meter *m = &fs->wants.meters[i];

        *e = (struct flowsync_entry) {
            .letter = m->item->letter, .text = m->item->text, .is_meter = true,
            .installed = m->installed && fs->state != FLOWSYNC_DETACHED,
        };
        return true;
    }
    i -= fs->wants.n_meters;
    if (i < fs->wants.n_flows) {
        const struct want_flow *f = &fs->wants.flows[i];

        *e = (struct flowsync_entry) {
            .letter = f->item->letter, .text = f->item->text,
            .installed = f->installed && fs->state != FLOWSYNC_DETACHED,
            .n_packets = f->n_packets, .n_bytes = f->n_bytes,
        };
        return true;
    }
    return false;
}
