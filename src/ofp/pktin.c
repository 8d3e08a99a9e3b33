/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ofp/pktin.h"

#include "ofp/be64.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-port.h"

#include <arpa/inet.h>

bool
pktin_decode(const struct ofp_header *oh, struct pktin *in)
{
    struct ofputil_packet_in pin;
    size_t total_len;
    uint32_t buffer_id;

    /* "Loose": properties that a newer switch adds are no reason to lose a client's frame. */
    if (ofputil_decode_packet_in(oh, true, NULL, NULL, &pin, &total_len, &buffer_id, NULL)) {
        return false;
    }
    in->in_port = ntohl(ofputil_port_to_ofp11(pin.flow_metadata.flow.in_port.ofp_port));
    in->frame = pin.packet;
    in->n = pin.packet_len;
    in->cookie = be64_to_host(pin.cookie);
    in->reason = pin.reason;
    in->cut = pin.packet_len < total_len;
    return true;
}
