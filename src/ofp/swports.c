/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ofp/swports.h"

#include "base/mem.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofpbuf.h"

#include <arpa/inet.h>

void
swports_clear(struct swports *p)
{
    mem_free(p->ports);
    *p = (struct swports) { .ports = NULL };
}

static struct swconn_port *
find(const struct swports *p, uint32_t number)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->ports[i].number == number) {
            return &p->ports[i];
        }
    }
    return NULL;
}

static void
put(struct swports *p, const struct ofputil_phy_port *pp)
{
    uint32_t number = ntohl(ofputil_port_to_ofp11(pp->port_no));
    struct swconn_port *port = find(p, number);

    if (!port) {
        if (p->n >= SWPORTS_MAX) {
            return;
        }
        p->ports = mem_grow(p->ports, &p->allocated, p->n + 1, sizeof *p->ports);
        port = &p->ports[p->n++];
    }
    *port = (struct swconn_port) {
        .number = number,
        .down = pp->config & OFPUTIL_PC_PORT_DOWN || pp->state & OFPUTIL_PS_LINK_DOWN,
    };
    memcpy(port->mac.b, &pp->hw_addr, sizeof port->mac.b);
    memcpy(port->name, pp->name, MP_MIN(sizeof pp->name, sizeof port->name - 1));
}

/* Reads ports until the end of 'b'. */
static bool
pull_ports(struct swports *p, uint8_t version, struct ofpbuf *b)
{
    struct ofputil_phy_port pp;
    int error;

    while (!(error = ofputil_pull_phy_port(version, b, &pp))) {
        put(p, &pp);
    }
    return error == EOF;
}

bool
swports_features(struct swports *p, const struct ofp_header *oh, uint64_t *datapath_id)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_switch_features features;

    if (ofputil_pull_switch_features(&b, &features)) {
        return false;
    }
    *datapath_id = features.datapath_id;
    /* Only OpenFlow 1.0 to 1.2 list the ports here. */
    return oh->version >= OFP13_VERSION || pull_ports(p, oh->version, &b);
}

bool
swports_desc(struct swports *p, const struct ofp_header *oh)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    enum ofpraw raw;

    return !ofpraw_pull(&raw, &b) && pull_ports(p, oh->version, &b);
}

bool
swports_status(struct swports *p, const struct ofp_header *oh)
{
    struct ofputil_port_status ps;
    struct swconn_port *port;

    if (ofputil_decode_port_status(oh, &ps)) {
        return false;
    }
    if (ps.reason != OFPPR_DELETE) {
        put(p, &ps.desc);
        return true;
    }
    port = find(p, ntohl(ofputil_port_to_ofp11(ps.desc.port_no)));
    if (port) {
        *port = p->ports[--p->n];
    }
    return true;
}
