/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ofp/swsetup.h"

#include "base/mem.h"
#include "openflow/nicira-ext.h"
#include "openvswitch/ofp-connection.h"
#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-protocol.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* What is watched in the switch: flows that send to a controller, and what looks like guards.  Only
 * what removes or changes them, and not when we do that.  A learning controller's flows output to
 * ports, so that its learning is never reported. */
static const struct monitor {
    const char *match;
    ofp_port_t out_port;              /* Not in the text: there it can be a number only. */
} monitors[] = {
    { "!initial,!add,!own", OFPP_CONTROLLER },
    { "!initial,!add,!own,tcp,tcp_flags=+rst", OFPP_NONE },
    { "!initial,!add,!own,tcp6,tcp_flags=+rst", OFPP_NONE },
    { "!initial,!add,!own,icmp,icmp_type=3,icmp_code=3", OFPP_NONE },
    { "!initial,!add,!own,icmp6,icmp_type=1,icmp_code=4", OFPP_NONE },
};

static uint32_t
send_raw(struct swconn *sw, enum ofpraw raw)
{
    return swconn_send(sw, ofpraw_alloc(raw, swconn_version(sw), 0));
}

static void
send_controller_id(struct swsetup *s, struct swconn *sw)
{
    struct ofpbuf *b = ofpraw_alloc(OFPRAW_NXT_SET_CONTROLLER_ID, swconn_version(sw), 0);
    struct nx_controller_id *nci = ofpbuf_put_zeros(b, sizeof *nci);

    nci->controller_id = htons(s->controller_id);
    s->controller_id_xid = swconn_send(sw, b);
}

void
swsetup_begin(struct swsetup *s, struct swconn *sw)
{
    send_controller_id(s, sw);
    if (swconn_version(sw) == OFP10_VERSION) {
        /* Without it flows have no TCP flags, no IPv6 and no cookie masks. */
        swconn_send(sw, ofputil_encode_nx_set_flow_format(OFPUTIL_P_OF10_NXM));
    }
    send_raw(sw, OFPRAW_OFPT_FEATURES_REQUEST);
    send_raw(sw, OFPRAW_OFPT_GET_CONFIG_REQUEST);
}

static void
send_async_config(struct swconn *sw)
{
    struct ofputil_async_cfg ac = OFPUTIL_ASYNC_CFG_INIT;

    ac.primary[OAM_PACKET_IN] = ac.secondary[OAM_PACKET_IN] = 1u << OFPR_ACTION;
    ac.primary[OAM_PORT_STATUS] = ac.secondary[OAM_PORT_STATUS] = OFPPR_BITS;
    swconn_send(sw, ofputil_encode_set_async_config(
                        &ac, 1u << OAM_PACKET_IN | 1u << OAM_PORT_STATUS | 1u << OAM_FLOW_REMOVED,
                        swconn_version(sw)));
}

static void
send_monitors(struct swsetup *s, struct swconn *sw)
{
    for (size_t i = 0; i < MP_ARRAY_SIZE(monitors); i++) {
        struct ofputil_flow_monitor_request rq;
        enum ofputil_protocol usable;
        char *error = parse_flow_monitor_request(&rq, monitors[i].match, NULL, NULL, &usable);
        /* One request a message: libopenvswitch appends nothing to a message with one in it. */
        struct ofpbuf *b = ofpbuf_new(0);

        mp_assert(!error);
        rq.id = (uint32_t) i + 1;
        rq.out_port = monitors[i].out_port;
        ofputil_append_flow_monitor_request(
            &rq, b, ofputil_protocol_from_ofp_version(swconn_version(sw)));
        s->last_monitor_xid = swconn_send(sw, b);
        if (!i) {
            s->first_monitor_xid = s->last_monitor_xid;
        }
    }
}

/* The reply tells how the switch treats fragments, which SET_CONFIG sets for everybody: what was set
 * before stays.  A service connection gets no packet-in before SET_CONFIG. */
void
swsetup_finish(struct swsetup *s, struct swconn *sw, const struct ofp_header *oh)
{
    uint8_t version = swconn_version(sw);
    struct ofputil_switch_config config;

    if (s->config_sent) {
        return;
    }
    ofputil_decode_get_config_reply(oh, &config);
    config.miss_send_len = UINT16_MAX;
    config.invalid_ttl_to_controller = 0;
    s->config_sent = true;
    swconn_send(sw, ofputil_encode_set_config(&config, version));
    send_async_config(sw);
    swconn_send(sw, ofputil_encode_set_packet_in_format(version, OFPUTIL_PACKET_IN_NXT2));
    if (version >= OFP13_VERSION) {
        swconn_send(sw, ofputil_encode_port_desc_stats_request(version, OFPP_ANY));
    }
    send_monitors(s, sw);
    s->barrier_xid = swconn_send(sw, ofputil_encode_barrier_request(version));
}

bool
swsetup_is_monitor(const struct swsetup *s, uint32_t xid)
{
    return s->first_monitor_xid
           && xid - s->first_monitor_xid <= s->last_monitor_xid - s->first_monitor_xid;
}
