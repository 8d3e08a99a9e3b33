/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ofp/reading.h"

#include "base/mem.h"
#include "ofp/be64.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofpbuf.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Meters of one instance have consecutive ids. */
#define METERS_PER_INSTANCE 4

static void
clear(struct reading *r)
{
    for (size_t i = 0; i < r->n_flows; i++) {
        minimatch_destroy(&r->flows[i].match);
    }
    r->n_flows = r->n_meters = 0;
}

void
reading_start(struct reading *r, struct wants *wants, uint16_t instance)
{
    clear(r);
    r->wants = wants;
    r->instance = instance;
    r->all = false;
    r->conflict[0] = '\0';
    r->n_conflicts = r->n_malformed = 0;
    for (size_t i = 0; i < wants->n_flows; i++) {
        wants->flows[i].seen = wants->flows[i].conflict = false;
        wants->flows[i].xid = 0;
    }
    for (size_t i = 0; i < wants->n_meters; i++) {
        wants->meters[i].seen = wants->meters[i].differs = false;
        wants->meters[i].xid = 0;
    }
}

void
reading_uninit(struct reading *r)
{
    clear(r);
    mem_free(r->flows);
    mem_free(r->meters);
}

static void
set_conflict(struct reading *r, struct want_flow *f, uint64_t cookie)
{
    const char *match = strstr(f->item->text, "priority=");
    int n = (int) (strstr(match, " actions=") - match);

    f->conflict = true;
    if (r->n_conflicts++) {
        return;
    }
    if (cookie >> 48 == FLOWS_COOKIE_TAG) {
        snprintf(r->conflict, sizeof r->conflict,
                 "the flow \"%.*s\" belongs to instance %u of this program: stop that one, choose "
                 "another address, or remove what it left behind with \"ovs-ofctl del-flows BRIDGE "
                 "cookie=0x%"PRIx64"/-1\"", n, match,
                 (unsigned int) (cookie >> 32 & 0xffff), cookie);
    } else {
        snprintf(r->conflict, sizeof r->conflict,
                 "the flow \"%.*s\" is somebody else's (cookie 0x%"PRIx64"): remove it, or choose "
                 "another address", n, match, cookie);
    }
}

static void
put_stale(struct reading *r, const struct ofputil_flow_stats *stats)
{
    struct reading_stale *stale;

    if (r->n_flows >= READING_MAX_STALE) {
        return;
    }
    r->flows = mem_grow(r->flows, &r->flows_allocated, r->n_flows + 1, sizeof *r->flows);
    stale = &r->flows[r->n_flows++];
    minimatch_init(&stale->match, &stats->match);
    stale->priority = stats->priority;
}

static void
see_flow(struct reading *r, const struct ofputil_flow_stats *stats)
{
    struct want_flow *f = wants_find(r->wants, stats);
    uint64_t cookie = be64_to_host(stats->cookie);

    if ((cookie & FLOWS_COOKIE_MASK) != FLOWS_COOKIE(r->instance)) {
        if (f && !f->conflict) {
            set_conflict(r, f, cookie);
        }
    } else if (r->all) {
        /* Seen before; or put there between the two passes, which the next reading finds. */
    } else if (!f) {
        put_stale(r, stats);
    } else if (want_flow_equal(f, stats)) {
        f->seen = true;
        f->n_packets = stats->packet_count;
        f->n_bytes = stats->byte_count;
    }
}

bool
reading_flows(struct reading *r, const struct ofp_header *oh)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofpbuf *ofpacts = ofpbuf_new(256);
    struct ofputil_flow_stats stats;
    int error;

    while (!(error = ofputil_decode_flow_stats_reply(&stats, &b, true, ofpacts))) {
        see_flow(r, &stats);
    }
    r->n_malformed += error != EOF;
    ofpbuf_delete(ofpacts);
    return !ofpmp_more(oh);
}

bool
reading_meters(struct reading *r, const struct ofp_header *oh)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofpbuf *bands = ofpbuf_new(64);
    uint32_t first = flows_meter_id(r->instance, 0);
    struct ofputil_meter_config mc;
    int error;

    while (!(error = ofputil_decode_meter_config(&b, &mc, bands))) {
        struct want_meter *m = wants_find_meter(r->wants, mc.meter_id);

        if (m) {
            m->seen = want_meter_equal(m, &mc);
            m->differs = !m->seen;
        } else if (mc.meter_id - first < METERS_PER_INSTANCE
                   && r->n_meters < METERS_PER_INSTANCE) {
            r->meters = mem_grow(r->meters, &r->meters_allocated, r->n_meters + 1,
                                 sizeof *r->meters);
            r->meters[r->n_meters++] = mc.meter_id;
        }
    }
    r->n_malformed += error != EOF;
    ofpbuf_delete(bands);
    return !ofpmp_more(oh);
}
