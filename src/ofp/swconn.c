/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ofp/swconn.h"

#include "base/mem.h"
#include "ofp/flows.h"
#include "ofp/swports.h"
#include "ofp/swsetup.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

STATS_DEFINE(swconn, SWCONN_STATS)

#define MAX_MESSAGE 65536
#define RX_SIZE ((1u << 20) + MAX_MESSAGE)    /* A turn's worth and the start of the next message. */
#define TX_FIRST 65536
#define TX_KEEP (4u << 20)                    /* An output buffer that grew beyond is given back. */

struct swconn {
    struct swconn_config cfg;
    struct swconn_stats stats;
    enum swconn_state state;
    uint8_t version;
    uint64_t datapath_id;
    struct swports ports;

    uint8_t *rx;                      /* Unread bytes are [rx_head, rx_tail). */
    size_t rx_head, rx_tail;
    uint64_t *aligned;                /* Messages that lie at an odd address are copied here. */
    struct pktin ahead[SWCONN_MAX_AHEAD];     /* Packet-ins that are read and not yet fetched. */
    size_t n_ahead, next_ahead;
    uint8_t *tx;                      /* Unsent bytes are [tx_head, tx_tail). */
    size_t tx_head, tx_tail, tx_size;

    uint32_t xid;                     /* Of the latest message. */
    struct swsetup setup;

    usec_t opened_at, heard_at, probed_at;
    const char *closing;              /* Why, when SWCONN_CLOSED is to be reported. */
    char closing_buf[160];
    char last_close[160];
};

static const struct ofp_header *peek_message(struct swconn *, uint32_t *length);
static void take_message(struct swconn *, uint32_t length);
static bool handle(struct swconn *, const struct ofp_header *, usec_t now, struct swconn_event *);
static void read_ahead(struct swconn *, struct swconn_event *);

void
swconn_config_default(struct swconn_config *cfg)
{
    *cfg = (struct swconn_config) {
        .controller_id = swconn_controller_id(1),
        .versions = SWCONN_ALL_VERSIONS,
        .max_output = 8u << 20,
        .probe_us = 5 * CLOCK_SEC,
        .setup_us = 10 * CLOCK_SEC,
    };
}

uint16_t
swconn_controller_id(uint16_t instance)
{
    /* A bijection apart from its one zero, which instance 0 (not a legal one) makes room for. */
    uint16_t id = (uint16_t) (FLOWS_COOKIE_TAG + instance);

    return id ? id : (uint16_t) FLOWS_COOKIE_TAG;
}

struct swconn *
swconn_create(const struct swconn_config *cfg)
{
    struct swconn *s = mem_zalloc(sizeof *s);

    s->cfg = *cfg;
    s->rx = mem_alloc(RX_SIZE);
    s->aligned = mem_alloc(MAX_MESSAGE);
    return s;
}

void
swconn_destroy(struct swconn *s)
{
    if (s) {
        swports_clear(&s->ports);
        mem_free(s->rx);
        mem_free(s->aligned);
        mem_free(s->tx);
        mem_free(s);
    }
}

void
swconn_open(struct swconn *s, usec_t now)
{
    swconn_close(s, "");
    s->state = SWCONN_HELLO;
    s->version = 0;
    s->opened_at = s->heard_at = s->probed_at = now;
    s->setup = (struct swsetup) { .controller_id = s->cfg.controller_id };
    s->stats.opened++;
    swconn_send(s, ofputil_encode_hello(s->cfg.versions));
}

void
swconn_close(struct swconn *s, const char *reason)
{
    if (s->state == SWCONN_CLOSED_STATE) {
        return;
    }
    if (!s->closing) {                /* Not our own doing, then. */
        s->stats.closed_eof++;
    }
    snprintf(s->last_close, sizeof s->last_close, "%s", reason);
    s->state = SWCONN_CLOSED_STATE;
    s->closing = NULL;
    s->version = 0;
    s->rx_head = s->rx_tail = 0;
    s->n_ahead = s->next_ahead = 0;
    s->tx_head = s->tx_tail = 0;
    swports_clear(&s->ports);
}

/* The connection cannot go on: reported by swconn_next_event(), counted by the caller of this. */
static void
fail(struct swconn *s, const char *reason)
{
    if (!s->closing) {
        snprintf(s->closing_buf, sizeof s->closing_buf, "%s", reason);
        s->closing = s->closing_buf;
    }
}

/* Input. */

uint8_t *
swconn_rx_room(struct swconn *s, size_t min, size_t *n)
{
    mp_assert(s->next_ahead == s->n_ahead);   /* They lie here, and go now. */
    if (s->rx_head) {
        /* At most part of one message is left when the caller drained the events. */
        memmove(s->rx, s->rx + s->rx_head, s->rx_tail - s->rx_head);
        s->rx_tail -= s->rx_head;
        s->rx_head = 0;
    }
    *n = RX_SIZE - s->rx_tail;
    if (*n < min) {
        *n = 0;
    }
    return s->rx + s->rx_tail;
}

void
swconn_rx_commit(struct swconn *s, size_t n, usec_t now)
{
    if (s->state == SWCONN_CLOSED_STATE) {
        return;
    }
    mp_assert(n <= RX_SIZE - s->rx_tail);
    s->rx_tail += n;
    s->heard_at = now;
}

void
swconn_rx(struct swconn *s, const void *p, size_t n, usec_t now)
{
    size_t room;
    uint8_t *dst = swconn_rx_room(s, n, &room);

    mp_assert(n <= room);             /* The caller drains events after each call. */
    memcpy(dst, p, n);
    swconn_rx_commit(s, n, now);
}

bool
swconn_next_event(struct swconn *s, usec_t now, struct swconn_event *ev)
{
    const struct ofp_header *oh;
    uint32_t length;

    while (s->state != SWCONN_CLOSED_STATE) {
        if (s->next_ahead < s->n_ahead) {
            *ev = (struct swconn_event) {
                .type = SWCONN_PACKET_IN, .pktin = s->ahead[s->next_ahead++],
            };
            return true;
        }
        if (s->closing) {
            *ev = (struct swconn_event) { .type = SWCONN_CLOSED, .text = s->closing_buf };
            swconn_close(s, s->closing_buf);
            return true;
        }
        oh = peek_message(s, &length);
        if (oh) {
            take_message(s, length);
            if (handle(s, oh, now, ev)) {
                if (ev->type == SWCONN_PACKET_IN) {
                    read_ahead(s, ev);
                }
                return true;
            }
        } else if (!s->closing) {
            break;
        }
    }
    return false;
}

/* The next whole message, aligned, or NULL.  It stays the next until it is taken. */
static const struct ofp_header *
peek_message(struct swconn *s, uint32_t *length)
{
    const uint8_t *p = s->rx + s->rx_head;
    size_t n = s->rx_tail - s->rx_head;

    if (n < sizeof(struct ofp_header)) {
        return NULL;
    }
    *length = (uint32_t) p[2] << 8 | p[3];
    if (*length < sizeof(struct ofp_header)) {
        s->stats.closed_framing++;
        fail(s, "the switch sent a message shorter than its header");
        return NULL;
    }
    if (n < *length) {
        return NULL;
    }
    if ((uintptr_t) p % sizeof *s->aligned) {
        memcpy(s->aligned, p, *length);
        p = (const uint8_t *) s->aligned;
    }
    return (const void *) p;
}

/* Its bytes stay where they are until swconn_rx_room(). */
static void
take_message(struct swconn *s, uint32_t length)
{
    s->rx_head += length;
    s->stats.messages_in++;
}

static bool
handle_hello(struct swconn *s, const struct ofp_header *oh)
{
    uint32_t theirs;
    uint32_t common;

    if (s->state != SWCONN_HELLO) {
        return true;
    }
    /* False only says that something in it is strange; the bitmap is usable. */
    (void) ofputil_decode_hello(oh, &theirs);
    common = theirs & s->cfg.versions;
    if (!common) {
        s->stats.closed_version++;
        fail(s, "no common OpenFlow version: see 'protocols' of the bridge");
        return true;
    }
    s->version = (uint8_t) (31 - __builtin_clz(common));
    s->state = SWCONN_SETTING_UP;
    swsetup_begin(&s->setup, s);
    return true;
}

/* Messages. */

static bool
handle_error(struct swconn *s, const struct ofp_header *oh, struct swconn_event *ev)
{
    enum ofperr error = ofperr_decode_msg(oh, NULL);
    uint32_t xid = ntohl(oh->xid);
    char reason[160];

    s->stats.errors++;
    if (s->state == SWCONN_HELLO) {
        s->stats.closed_version++;
        fail(s, "the switch refused every OpenFlow version that we offer: see 'protocols' of the "
                "bridge");
        return false;
    }
    if (xid == s->setup.controller_id_xid) {
        s->stats.closed_setup++;
        snprintf(reason, sizeof reason, "the switch knows no controller ids (%s): not an Open "
                 "vSwitch?", error ? ofperr_get_name(error) : "unknown error");
        fail(s, reason);
        return false;
    }
    if (swsetup_is_monitor(&s->setup, xid)) {
        s->stats.unmonitored++;       /* Counts and audits see what is deleted, a little later. */
        return false;
    }
    ev->type = SWCONN_MESSAGE;
    ev->oh = oh;
    return s->state == SWCONN_IS_READY;
}

static bool
handle_packet_in(struct swconn *s, const struct ofp_header *oh, struct swconn_event *ev)
{
    if (!pktin_decode(oh, &ev->pktin)) {
        s->stats.malformed++;
        return false;
    }
    if (ev->pktin.cookie != UINT64_MAX && ev->pktin.cookie >> 48 != FLOWS_COOKIE_TAG) {
        s->stats.packet_ins_foreign++;
        return false;
    }
    if (ev->pktin.cut) {
        s->stats.packet_ins_cut++;
        return false;
    }
    /* The message may be a copy of bytes at an odd address, of which there is one at a time. */
    if (oh == (const void *) s->aligned) {
        size_t length = ntohs(oh->length);

        ev->pktin.frame = s->rx + s->rx_head - length + (ev->pktin.frame - (const uint8_t *) oh);
    }
    s->stats.packet_ins++;
    ev->type = SWCONN_PACKET_IN;
    return s->state == SWCONN_IS_READY;
}

/* 'ev' is a packet-in.  Those that follow at once are read too, up to the first other message, so
 * that whoever takes them knows what comes: none of them changes the state of the connection. */
static void
read_ahead(struct swconn *s, struct swconn_event *ev)
{
    s->ahead[0] = ev->pktin;
    s->n_ahead = s->next_ahead = 1;
    while (s->n_ahead < SWCONN_MAX_AHEAD) {
        struct swconn_event next;
        uint32_t length;
        const struct ofp_header *oh = peek_message(s, &length);
        enum ofptype type;

        if (!oh || ofptype_decode(&type, oh) || type != OFPTYPE_PACKET_IN) {
            break;
        }
        take_message(s, length);
        if (handle_packet_in(s, oh, &next)) {
            s->ahead[s->n_ahead++] = next.pktin;
        }
    }
    ev->ahead = s->ahead;
    ev->n_ahead = s->n_ahead;
}

static bool
handle_echo_request(struct swconn *s, const struct ofp_header *oh)
{
    /* One that asks and never reads does not fill our memory. */
    if (s->tx_tail - s->tx_head > s->cfg.max_output) {
        s->stats.echo_dropped++;
    } else {
        struct ofpbuf *b = ofputil_encode_echo_reply(oh);

        s->stats.echo_replies++;
        swconn_send(s, b);
    }
    return true;
}

static bool
handle_barrier_reply(struct swconn *s, const struct ofp_header *oh, struct swconn_event *ev)
{
    if (s->state == SWCONN_SETTING_UP && ntohl(oh->xid) == s->setup.barrier_xid) {
        s->state = SWCONN_IS_READY;
        s->stats.ready++;
        ev->type = SWCONN_READY;
        return true;
    }
    ev->type = SWCONN_MESSAGE;
    ev->oh = oh;
    return s->state == SWCONN_IS_READY;
}

/* Whether an update of a flow monitor tells of a change by somebody else. */
static bool
is_foreign_change(struct swconn *s, const struct ofp_header *oh)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofpbuf *ofpacts = ofpbuf_new(64);
    struct ofputil_flow_update update;
    bool found = false;
    int error;

    while (!found && !(error = ofputil_decode_flow_update(&update, &b, ofpacts))) {
        found = update.event == OFPFME_REMOVED || update.event == OFPFME_MODIFIED
                || update.event == OFPFME_RESUMED;
    }
    if (!found && error != EOF) {
        s->stats.malformed++;
        found = true;                 /* Looking costs little. */
    }
    ofpbuf_delete(ofpacts);
    return found;
}

static bool
check(struct swconn *s, bool well_formed)
{
    s->stats.malformed += !well_formed;
    return well_formed;
}

/* Handles one message; true when it came to an event for the caller. */
static bool
handle(struct swconn *s, const struct ofp_header *oh, usec_t now, struct swconn_event *ev)
{
    bool ready = s->state == SWCONN_IS_READY;
    enum ofptype type;

    (void) now;
    *ev = (struct swconn_event) { .type = SWCONN_MESSAGE };
    if (ofptype_decode(&type, oh)) {
        s->stats.malformed++;
        return false;
    }
    if (s->state == SWCONN_HELLO && type != OFPTYPE_HELLO && type != OFPTYPE_ERROR
        && type != OFPTYPE_ECHO_REQUEST) {
        s->stats.closed_setup++;
        fail(s, "the switch did not begin with HELLO");
        return false;
    }
    switch ((int) type) {
    case OFPTYPE_HELLO:
        handle_hello(s, oh);
        return false;
    case OFPTYPE_ERROR:
        return handle_error(s, oh, ev);
    case OFPTYPE_ECHO_REQUEST:
        handle_echo_request(s, oh);
        return false;
    case OFPTYPE_ECHO_REPLY:
        return false;
    case OFPTYPE_PACKET_IN:
        return handle_packet_in(s, oh, ev);
    case OFPTYPE_FEATURES_REPLY:
        check(s, swports_features(&s->ports, oh, &s->datapath_id));
        return false;
    case OFPTYPE_GET_CONFIG_REPLY:
        if (s->state == SWCONN_SETTING_UP) {
            swsetup_finish(&s->setup, s, oh);
        }
        return false;
    case OFPTYPE_PORT_DESC_STATS_REPLY:
        check(s, swports_desc(&s->ports, oh));
        return false;
    case OFPTYPE_PORT_STATUS:
        ev->type = SWCONN_PORTS;
        return check(s, swports_status(&s->ports, oh)) && ready;
    case OFPTYPE_BARRIER_REPLY:
        return handle_barrier_reply(s, oh, ev);
    case OFPTYPE_FLOW_MONITOR_STATS_REPLY:
        ev->type = SWCONN_FLOWS_CHANGED;
        return is_foreign_change(s, oh) && ready;
    case OFPTYPE_FLOW_MONITOR_RESUMED:
        ev->type = SWCONN_FLOWS_CHANGED;
        return ready;
    default:
        ev->oh = oh;
        return ready;
    }
}

/* Time. */

void
swconn_run(struct swconn *s, usec_t now)
{
    if (s->state == SWCONN_CLOSED_STATE || s->closing) {
        return;
    }
    if (s->state != SWCONN_IS_READY) {
        if (now >= s->opened_at + s->cfg.setup_us) {
            s->stats.closed_setup++;
            fail(s, s->state == SWCONN_HELLO ? "no HELLO came from the switch"
                                             : "the switch did not complete the set-up in time");
        }
        return;
    }
    if (now >= s->heard_at + 2 * s->cfg.probe_us) {
        s->stats.closed_silent++;
        fail(s, "the switch does not answer echo requests");
    } else if (s->probed_at < s->heard_at + s->cfg.probe_us
               && now >= s->heard_at + s->cfg.probe_us) {
        s->probed_at = now;
        s->stats.probes++;
        swconn_send(s, ofputil_encode_echo_request(s->version));
    }
}

usec_t
swconn_deadline(const struct swconn *s)
{
    if (s->state == SWCONN_CLOSED_STATE) {
        return CLOCK_NEVER;
    }
    if (s->closing) {
        return s->opened_at;          /* Now: an event waits. */
    }
    if (s->state != SWCONN_IS_READY) {
        return s->opened_at + s->cfg.setup_us;
    }
    return s->heard_at + (s->probed_at < s->heard_at + s->cfg.probe_us ? 1 : 2) * s->cfg.probe_us;
}

/* Output. */

static uint8_t *
tx_room(struct swconn *s, size_t n)
{
    if (s->tx_head == s->tx_tail) {
        s->tx_head = s->tx_tail = 0;
        if (s->tx_size > TX_KEEP) {
            mem_free(s->tx);
            s->tx = NULL;
            s->tx_size = 0;
        }
    }
    if (s->tx_size - s->tx_tail < n && s->tx_head) {
        memmove(s->tx, s->tx + s->tx_head, s->tx_tail - s->tx_head);
        s->tx_tail -= s->tx_head;
        s->tx_head = 0;
    }
    if (s->tx_size - s->tx_tail < n) {
        if (!s->tx) {
            s->tx_size = TX_FIRST;
            s->tx = mem_alloc(TX_FIRST);
        }
        s->tx = mem_grow(s->tx, &s->tx_size, s->tx_tail + n, 1);
    }
    return s->tx + s->tx_tail;
}

bool
swconn_packet_out(struct swconn *s, const struct pktout *out)
{
    size_t n;

    if (s->state != SWCONN_IS_READY
        || s->tx_tail - s->tx_head + out->n + PKTOUT_MAX_OVERHEAD > s->cfg.max_output) {
        s->stats.packet_outs_dropped++;
        return false;
    }
    if (out->n > PKTOUT_MAX_FRAME) {
        s->stats.packet_outs_too_long++;
        return false;
    }
    n = pktout_encode(tx_room(s, out->n + PKTOUT_MAX_OVERHEAD), s->version, ++s->xid, out);
    s->tx_tail += n;
    s->stats.packet_outs++;
    s->stats.messages_out++;
    return true;
}

bool
swconn_may_send(const struct swconn *s)
{
    return s->state == SWCONN_IS_READY && s->tx_tail - s->tx_head < s->cfg.max_output / 2;
}

uint32_t
swconn_send(struct swconn *s, struct ofpbuf *b)
{
    struct ofp_header *oh = b->data;
    bool is_answer;

    if (s->state == SWCONN_CLOSED_STATE) {
        ofpbuf_delete(b);
        return 0;
    }
    ofpmsg_update_length(b);
    /* An echo reply carries the request's xid; all others get one of ours, never 0. */
    is_answer = oh->type == 3;        /* OFPT_ECHO_REPLY in all versions. */
    if (!is_answer) {
        s->xid += s->xid == UINT32_MAX ? 2 : 1;
        oh->xid = htonl(s->xid);
    }
    memcpy(tx_room(s, b->size), b->data, b->size);
    s->tx_tail += b->size;
    s->stats.messages_out++;
    ofpbuf_delete(b);
    return s->xid;
}

const uint8_t *
swconn_output(const struct swconn *s, size_t *n)
{
    *n = s->tx_tail - s->tx_head;
    return s->tx + s->tx_head;
}

void
swconn_output_sent(struct swconn *s, size_t n)
{
    mp_assert(n <= s->tx_tail - s->tx_head);
    s->tx_head += n;
}

/* For show. */

enum swconn_state
swconn_state(const struct swconn *s)
{
    return s->state;
}

const char *
swconn_state_name(enum swconn_state state)
{
    static const char *const names[] = {
        [SWCONN_CLOSED_STATE] = "closed",
        [SWCONN_HELLO] = "hello",
        [SWCONN_SETTING_UP] = "setting up",
        [SWCONN_IS_READY] = "ready",
    };

    return names[state];
}

uint8_t
swconn_version(const struct swconn *s)
{
    return s->version;
}

const char *
swconn_version_name(const struct swconn *s)
{
    switch (s->version) {
    case OFP10_VERSION: return "1.0";
    case OFP13_VERSION: return "1.3";
    case OFP14_VERSION: return "1.4";
    case OFP15_VERSION: return "1.5";
    default: return "none";
    }
}

uint64_t
swconn_datapath_id(const struct swconn *s)
{
    return s->datapath_id;
}

const char *
swconn_last_close(const struct swconn *s)
{
    return s->last_close;
}

const struct swconn_stats *
swconn_stats(const struct swconn *s)
{
    return &s->stats;
}

bool
swconn_walk_ports(const struct swconn *s, size_t *pos, struct swconn_port *port)
{
    if (*pos >= s->ports.n) {
        return false;
    }
    *port = s->ports.ports[(*pos)++];
    return true;
}

bool
swconn_find_port(const struct swconn *s, const char *name, struct swconn_port *port)
{
    for (size_t pos = 0; swconn_walk_ports(s, &pos, port); ) {
        if (!strcmp(port->name, name)) {
            return true;
        }
    }
    return false;
}
