/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ofp/flowsync.h"

#include "base/mem.h"
#include "ofp/flowsync_private.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-util.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

STATS_DEFINE(flowsync, FLOWSYNC_STATS)

/* A reading that is asked for by somebody's deletions waits this long after the one before, so that
 * a controller that deletes in small portions does not make us read after each. */
#define MIN_BETWEEN_READS (100 * CLOCK_MSEC)

static void start_reading(struct flowsync *, struct swconn *, usec_t now);
static void read_is_complete(struct flowsync *, struct swconn *, usec_t now);
static void rx_error(struct flowsync *, const struct ofp_header *);
static void rx_barrier(struct flowsync *, usec_t now);
static void rx_aggregate(struct flowsync *, const struct ofp_header *);
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
    if (fs->n_notices < FLOWSYNC_MAX_NOTICES) {
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
    fs->meters_refused = false;       /* It may be another switch, or a newer one. */
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
        flowsync_send_refresh(fs, sw, now);
    } else if (now >= fs->next_check_at && !fs->check_xid && fs->state == FLOWSYNC_IN_SYNC) {
        flowsync_send_check(fs, sw, now);
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
            flowsync_send_removal(fs, sw, now);
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

/* Reading and writing. */

/* First ours, of whatever instance.  Only when something is missing, everybody's: an addition would
 * silently replace another's flow. */
static void
start_reading(struct flowsync *fs, struct swconn *sw, usec_t now)
{
    fs->state = FLOWSYNC_READING;
    fs->need_read = false;
    fs->barrier_xid = fs->check_xid = 0;
    fs->read_at = fs->asked_at = now;
    fs->stats.audits++;
    reading_start(&fs->reading, &fs->wants, fs->cfg.instance);
    flowsync_send_reading(fs, sw);
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
    for (size_t i = 0; i < fs->wants.n_meters && flowsync_has_meters(sw); i++) {
        n_meters += !fs->wants.meters[i].seen;
    }
    if (n_missing && !fs->reading.all) {
        fs->reading.all = true;
        fs->asked_at = now;
        flowsync_send_reading_all(fs, sw);
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
    flowsync_send_changes(fs, sw);
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
