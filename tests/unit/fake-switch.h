/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A small switch in memory, for the tests of src/ofp: takes the bytes that swconn sends, keeps flows
 * and meters, and answers as Open vSwitch does, all of it encoded and decoded by libopenvswitch.
 * It forwards nothing.  Included by one test program each. */
#ifndef MP_TESTS_UNIT_FAKE_SWITCH_H
#define MP_TESTS_UNIT_FAKE_SWITCH_H 1

#include <arpa/inet.h>
#include <stdlib.h>
#include "base/mem.h"
#include "ofp/be64.h"
#include "ofp/swconn.h"
#include "openflow/nicira-ext.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"

#define FAKE_MAX 256

struct fake_flow {
    struct minimatch match;
    uint64_t cookie, n_packets;
    int priority;
    uint16_t hard_timeout;
    struct ofpact *ofpacts;
    size_t ofpacts_len;
};

struct fake_meter {
    uint32_t id;
    uint16_t flags;
    struct ofputil_meter_band band;
};

struct fake_switch {
    uint32_t versions;                /* Offered. */
    uint8_t version;                  /* 0: no HELLO yet. */
    uint64_t datapath_id;
    enum ofputil_frag_handling frag;
    bool no_controller_ids, no_meters, no_monitors, mute;
    enum ofperr refuse_flows;         /* Answer to OFPFC_ADD; 0: take them. */

    struct fake_flow flows[FAKE_MAX];
    size_t n_flows;
    struct fake_meter meters[16];
    size_t n_meters;
    size_t n_ports;                   /* Called p1, p2, ... and numbered so. */

    /* What came. */
    enum ofptype types[FAKE_MAX * 4];
    size_t n_types;
    uint16_t controller_id;
    size_t n_monitors, n_adds, n_deletes, n_modifies, n_flow_stats, n_aggregates;
    struct ofputil_packet_out po;     /* The latest packet-out, with its frame and actions. */
    uint8_t po_frame[65536];
    struct ofpbuf po_ofpacts;
    size_t n_packet_outs;
    uint32_t echo_reply_xid;
    uint8_t echo_reply[64];
    size_t echo_reply_len;
    enum ofperr error;                /* That we were sent. */

    uint8_t out[1 << 20];             /* For swconn. */
    size_t n_out;
};

static struct fake_switch *
fake_create(uint32_t versions)
{
    struct fake_switch *f = mem_zalloc(sizeof *f);

    f->versions = versions;
    f->datapath_id = UINT64_C(0x1122334455667788);
    f->n_ports = 3;
    ofpbuf_init(&f->po_ofpacts, 64);
    return f;
}

static void
fake_remove(struct fake_switch *f, size_t i)
{
    minimatch_destroy(&f->flows[i].match);
    free(f->flows[i].ofpacts);
    f->flows[i] = f->flows[--f->n_flows];
}

/* The flush of a first controller, or of a restart. */
__attribute__((unused)) static void
fake_flush(struct fake_switch *f)
{
    while (f->n_flows) {
        fake_remove(f, 0);
    }
    f->n_meters = 0;
}

static void
fake_destroy(struct fake_switch *f)
{
    while (f->n_flows) {
        fake_remove(f, 0);
    }
    ofpbuf_uninit(&f->po_ofpacts);
    mem_free(f);
}

/* A new connection: forgets what belongs to the old one. */
static void
fake_reconnect(struct fake_switch *f)
{
    f->version = 0;
    f->n_out = f->n_types = f->n_monitors = 0;
}

static enum ofputil_protocol
fake_protocol(const struct fake_switch *f)
{
    return f->version == OFP10_VERSION ? OFPUTIL_P_OF10_NXM
                                       : ofputil_protocol_from_ofp_version(f->version);
}

static void
fake_send(struct fake_switch *f, struct ofpbuf *b)
{
    ofpmsg_update_length(b);
    mp_assert(f->n_out + b->size <= sizeof f->out);
    memcpy(f->out + f->n_out, b->data, b->size);
    f->n_out += b->size;
    ofpbuf_delete(b);
}

static void
fake_send_list(struct fake_switch *f, struct ovs_list *list)
{
    struct ofpbuf *b;

    LIST_FOR_EACH_POP (b, list_node, list) {
        fake_send(f, b);
    }
}

static struct ofputil_phy_port
fake_port(size_t number)
{
    struct ofputil_phy_port pp = { .port_no = (OVS_FORCE ofp_port_t) number };

    snprintf(pp.name, sizeof pp.name, "p%zu", number);
    pp.hw_addr.ea[5] = (uint8_t) number;
    return pp;
}

static void
fake_features(struct fake_switch *f, const struct ofp_header *oh)
{
    struct ofputil_switch_features features = { .datapath_id = f->datapath_id, .n_tables = 254 };
    struct ofpbuf *b = ofputil_encode_switch_features(&features, fake_protocol(f), oh->xid);

    for (size_t i = 1; i <= f->n_ports; i++) {
        struct ofputil_phy_port pp = fake_port(i);

        if (f->version == OFP10_VERSION) {
            ofputil_put_switch_features_port(&pp, b);
        }
    }
    fake_send(f, b);
}

static void
fake_port_desc(struct fake_switch *f, const struct ofp_header *oh)
{
    struct ovs_list replies;

    ofpmp_init(&replies, oh);
    for (size_t i = 1; i <= f->n_ports; i++) {
        struct ofputil_phy_port pp = fake_port(i);

        ofputil_append_port_desc_stats_reply(&pp, &replies);
    }
    fake_send_list(f, &replies);
}

/* Adds or replaces a flow; takes ownership of 'ofpacts'. */
static void
fake_add(struct fake_switch *f, const struct ofputil_flow_mod *fm, uint64_t cookie)
{
    struct fake_flow *flow;

    for (size_t i = 0; i < f->n_flows; i++) {
        if (f->flows[i].priority == fm->priority
            && minimatch_equal(&f->flows[i].match, &fm->match)) {
            fake_remove(f, i);
            break;
        }
    }
    mp_assert(f->n_flows < FAKE_MAX);
    flow = &f->flows[f->n_flows++];
    *flow = (struct fake_flow) {
        .cookie = cookie, .priority = fm->priority, .hard_timeout = fm->hard_timeout,
        .ofpacts_len = fm->ofpacts_len,
    };
    minimatch_clone(&flow->match, &fm->match);
    flow->ofpacts = malloc(fm->ofpacts_len + 1);
    memcpy(flow->ofpacts, fm->ofpacts, fm->ofpacts_len);
}

/* By hand, as an operator or another program does. */
__attribute__((unused)) static void
fake_add_text(struct fake_switch *f, const char *text)
{
    struct ofputil_flow_mod fm;
    enum ofputil_protocol usable;
    char *error = parse_ofp_flow_mod_str(&fm, text, NULL, NULL, OFPFC_ADD, &usable);

    mp_assert(!error);
    fake_add(f, &fm, be64_to_host(fm.new_cookie));
    minimatch_destroy(&fm.match);
    free(fm.ofpacts);
}

static void
fake_flow_mod(struct fake_switch *f, const struct ofp_header *oh)
{
    struct ofputil_flow_mod fm;
    struct ofpbuf ofpacts;
    enum ofperr error;

    ofpbuf_init(&ofpacts, 64);
    error = ofputil_decode_flow_mod(&fm, oh, fake_protocol(f), NULL, NULL, &ofpacts, OFPP_MAX, 255);
    if (error) {
        fake_send(f, ofperr_encode_reply(error, oh));
        ofpbuf_uninit(&ofpacts);
        return;
    }
    if (fm.command == OFPFC_ADD) {
        f->n_adds++;
        if (f->refuse_flows) {
            fake_send(f, ofperr_encode_reply(f->refuse_flows, oh));
        } else {
            fake_add(f, &fm, be64_to_host(fm.new_cookie));
        }
    } else if (fm.command == OFPFC_MODIFY_STRICT) {
        f->n_modifies++;
    } else {
        bool strict = fm.command == OFPFC_DELETE_STRICT;

        f->n_deletes++;
        for (size_t i = f->n_flows; i-- > 0; ) {
            struct fake_flow *flow = &f->flows[i];

            if (((flow->cookie ^ be64_to_host(fm.cookie)) & be64_to_host(fm.cookie_mask)) == 0
                && (!strict || (flow->priority == fm.priority
                                && minimatch_equal(&flow->match, &fm.match)))) {
                fake_remove(f, i);
            }
        }
    }
    minimatch_destroy(&fm.match);
    ofpbuf_uninit(&ofpacts);
}

static void
fake_flow_stats(struct fake_switch *f, const struct ofp_header *oh)
{
    struct ofputil_flow_stats_request rq;
    struct ofputil_aggregate_stats as = { .flow_count = 0 };
    struct ovs_list replies;

    mp_assert(!ofputil_decode_flow_stats_request(&rq, oh, NULL, NULL));
    if (!rq.aggregate) {
        f->n_flow_stats++;
        ofpmp_init(&replies, oh);
    }
    for (size_t i = 0; i < f->n_flows; i++) {
        const struct fake_flow *flow = &f->flows[i];
        struct ofputil_flow_stats fs = {
            .cookie = be64_from_host(flow->cookie), .priority = (uint16_t) flow->priority,
            .hard_timeout = flow->hard_timeout, .packet_count = flow->n_packets,
            .byte_count = flow->n_packets * 100, .idle_age = -1, .hard_age = -1,
            .ofpacts = flow->ofpacts, .ofpacts_len = flow->ofpacts_len,
        };

        if ((flow->cookie ^ be64_to_host(rq.cookie)) & be64_to_host(rq.cookie_mask)) {
            continue;
        }
        as.flow_count++;
        if (!rq.aggregate) {
            minimatch_expand(&flow->match, &fs.match);
            ofputil_append_flow_stats_reply(&fs, &replies, NULL);
        }
    }
    if (rq.aggregate) {
        f->n_aggregates++;
        fake_send(f, ofputil_encode_aggregate_stats_reply(&as, oh));
    } else {
        fake_send_list(f, &replies);
    }
}

static void
fake_meter_mod(struct fake_switch *f, const struct ofp_header *oh)
{
    struct ofputil_meter_mod mm;
    struct ofpbuf bands;
    enum ofperr error = 0;
    size_t i = 0;

    ofpbuf_init(&bands, 64);
    error = f->no_meters ? OFPERR_OFPMMFC_OUT_OF_METERS
                         : ofputil_decode_meter_mod(oh, &mm, &bands);
    if (!error) {
        while (i < f->n_meters && f->meters[i].id != mm.meter.meter_id) {
            i++;
        }
        if (mm.command == OFPMC13_DELETE) {
            if (i < f->n_meters) {
                f->meters[i] = f->meters[--f->n_meters];
            }
        } else if (mm.command == OFPMC13_ADD && i < f->n_meters) {
            error = OFPERR_OFPMMFC_METER_EXISTS;
        } else {
            f->n_meters = MP_MAX(f->n_meters, i + 1);
            f->meters[i] = (struct fake_meter) {
                mm.meter.meter_id, mm.meter.flags, mm.meter.bands[0],
            };
        }
    }
    if (error) {
        fake_send(f, ofperr_encode_reply(error, oh));
    }
    ofpbuf_uninit(&bands);
}

static void
fake_meter_config(struct fake_switch *f, const struct ofp_header *oh)
{
    struct ovs_list replies;

    if (f->no_meters) {
        fake_send(f, ofperr_encode_reply(OFPERR_OFPBRC_BAD_STAT, oh));
        return;
    }
    ofpmp_init(&replies, oh);
    for (size_t i = 0; i < f->n_meters; i++) {
        struct ofputil_meter_config mc = {
            .meter_id = f->meters[i].id, .flags = f->meters[i].flags,
            .n_bands = 1, .bands = &f->meters[i].band,
        };

        ofputil_append_meter_config(&replies, &mc);
    }
    fake_send_list(f, &replies);
}

/* A flow monitor's report of one flow, or of our own doing (OFPFME_ABBREV). */
__attribute__((unused)) static void
fake_report(struct fake_switch *f, enum ofp_flow_update_event event)
{
    struct ofputil_flow_update update = { .event = event, .reason = OFPRR_DELETE, .priority = 1 };
    struct ovs_list replies;

    match_init_catchall(&update.match);
    ofputil_start_flow_update(&replies, fake_protocol(f));
    ofputil_append_flow_update(&update, &replies, NULL);
    fake_send_list(f, &replies);
}

static void
fake_packet_out(struct fake_switch *f, const struct ofp_header *oh)
{
    ofpbuf_clear(&f->po_ofpacts);
    mp_assert(!ofputil_decode_packet_out(&f->po, oh, NULL, &f->po_ofpacts));
    memcpy(f->po_frame, f->po.packet, f->po.packet_len);
    f->n_packet_outs++;
}

static void
fake_message(struct fake_switch *f, const struct ofp_header *oh)
{
    enum ofptype type;
    struct ofpbuf *b;

    mp_assert(!ofptype_decode(&type, oh));
    if (f->n_types < MP_ARRAY_SIZE(f->types)) {
        f->types[f->n_types++] = type;
    }
    switch ((int) type) {
    case OFPTYPE_HELLO: {
        uint32_t theirs, common;

        ofputil_decode_hello(oh, &theirs);
        common = theirs & f->versions;
        f->version = common ? (uint8_t) (31 - __builtin_clz(common)) : 0;
        break;
    }
    case OFPTYPE_FEATURES_REQUEST:
        fake_features(f, oh);
        break;
    case OFPTYPE_GET_CONFIG_REQUEST: {
        struct ofputil_switch_config config = { .frag = f->frag };

        fake_send(f, ofputil_encode_get_config_reply(oh, &config));
        break;
    }
    case OFPTYPE_SET_CONFIG: {
        struct ofputil_switch_config config;

        mp_assert(!ofputil_decode_set_config(oh, &config));
        f->frag = config.frag;
        break;
    }
    case OFPTYPE_SET_CONTROLLER_ID:
        if (f->no_controller_ids) {
            fake_send(f, ofperr_encode_reply(OFPERR_OFPBRC_BAD_VENDOR, oh));
        } else {
            const struct nx_controller_id *nci = ofpmsg_body(oh);

            f->controller_id = ntohs(nci->controller_id);
        }
        break;
    case OFPTYPE_PORT_DESC_STATS_REQUEST:
        fake_port_desc(f, oh);
        break;
    case OFPTYPE_FLOW_MONITOR_STATS_REQUEST:
        f->n_monitors++;
        if (f->no_monitors) {
            fake_send(f, ofperr_encode_reply(OFPERR_OFPBRC_BAD_STAT, oh));
        }
        break;
    case OFPTYPE_BARRIER_REQUEST:
        b = ofpraw_alloc_reply(f->version == OFP10_VERSION ? OFPRAW_OFPT10_BARRIER_REPLY
                                                           : OFPRAW_OFPT11_BARRIER_REPLY, oh, 0);
        fake_send(f, b);
        break;
    case OFPTYPE_ECHO_REQUEST:
        fake_send(f, ofputil_encode_echo_reply(oh));
        break;
    case OFPTYPE_ECHO_REPLY:
        f->echo_reply_xid = ntohl(oh->xid);
        f->echo_reply_len = ntohs(oh->length) - sizeof *oh;
        memcpy(f->echo_reply, oh + 1, MP_MIN(f->echo_reply_len, sizeof f->echo_reply));
        break;
    case OFPTYPE_ERROR:
        f->error = ofperr_decode_msg(oh, NULL);
        break;
    case OFPTYPE_FLOW_MOD:
        fake_flow_mod(f, oh);
        break;
    case OFPTYPE_FLOW_STATS_REQUEST:
    case OFPTYPE_AGGREGATE_STATS_REQUEST:
        fake_flow_stats(f, oh);
        break;
    case OFPTYPE_METER_MOD:
        fake_meter_mod(f, oh);
        break;
    case OFPTYPE_METER_CONFIG_STATS_REQUEST:
        fake_meter_config(f, oh);
        break;
    case OFPTYPE_PACKET_OUT:
        fake_packet_out(f, oh);
        break;
    default:
        break;
    }
}

/* Takes all that swconn has to send.  The length of each message is checked on the way. */
static void
fake_read(struct fake_switch *f, struct swconn *sw)
{
    size_t n;
    const uint8_t *p = swconn_output(sw, &n);
    size_t total = n;

    while (n) {
        uint64_t aligned[65536 / 8];
        size_t length = (size_t) p[2] << 8 | p[3];

        mp_assert(n >= 8 && length >= 8 && length <= n);
        memcpy(aligned, p, length);
        if (!f->mute) {
            fake_message(f, (const void *) aligned);
        }
        p += length;
        n -= length;
    }
    swconn_output_sent(sw, total);
}

/* Gives swconn what the switch has to say. */
static void
fake_write(struct fake_switch *f, struct swconn *sw, usec_t now)
{
    if (f->n_out) {
        swconn_rx(sw, f->out, f->n_out, now);
        f->n_out = 0;
    }
}

#endif
