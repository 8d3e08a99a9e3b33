/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of src/ofp/swconn and the packet-in and packet-out codecs, against a switch in memory, in
 * every OpenFlow version.  Virtual time. */
#include "unit/tap.h"
#include "base/prng.h"
#include "unit/fake-switch.h"

static const uint32_t versions[] = { SWCONN_OF10, SWCONN_OF13, SWCONN_OF14, SWCONN_OF15 };
static const char *const names[] = { "1.0", "1.3", "1.4", "1.5" };

/* Both ends of a connection. */
struct world {
    struct fake_switch *sw;
    struct swconn *conn;
    usec_t now;
    /* What came out of the connection. */
    int n_ready, n_packet_in, n_message, n_changed, n_ports, n_closed;
    struct pktin pktin;
    uint8_t frame[65536];
    char text[200];
};

static struct world *
world_create(uint32_t theirs, uint32_t ours)
{
    struct world *w = mem_zalloc(sizeof *w);
    struct swconn_config cfg;

    swconn_config_default(&cfg);
    cfg.versions = ours;
    w->sw = fake_create(theirs);
    w->conn = swconn_create(&cfg);
    w->now = CLOCK_SEC;
    return w;
}

static void
world_destroy(struct world *w)
{
    fake_destroy(w->sw);
    swconn_destroy(w->conn);
    mem_free(w);
}

static void
drain(struct world *w)
{
    struct swconn_event ev;

    while (swconn_next_event(w->conn, w->now, &ev)) {
        switch (ev.type) {
        case SWCONN_READY: w->n_ready++; break;
        case SWCONN_PACKET_IN:
            w->n_packet_in++;
            w->pktin = ev.pktin;
            memcpy(w->frame, ev.pktin.frame, ev.pktin.n);
            break;
        case SWCONN_MESSAGE: w->n_message++; break;
        case SWCONN_FLOWS_CHANGED: w->n_changed++; break;
        case SWCONN_PORTS: w->n_ports++; break;
        case SWCONN_CLOSED:
            w->n_closed++;
            snprintf(w->text, sizeof w->text, "%s", ev.text);
            break;
        }
    }
}

/* Lets both ends talk until neither has anything to say. */
static void
talk(struct world *w)
{
    for (int i = 0; i < 20; i++) {
        fake_read(w->sw, w->conn);
        fake_write(w->sw, w->conn, w->now);
        drain(w);
    }
}

static struct world *
connected(uint32_t version)
{
    struct world *w = world_create(version, SWCONN_ALL_VERSIONS);

    swconn_open(w->conn, w->now);
    fake_send(w->sw, ofputil_encode_hello(version));
    talk(w);
    if (w->n_ready != 1) {
        BAIL_OUT("no connection");
    }
    return w;
}

static int
position(const struct world *w, enum ofptype type)
{
    for (size_t i = 0; i < w->sw->n_types; i++) {
        if (w->sw->types[i] == type) {
            return (int) i;
        }
    }
    return -1;
}

TEST(set_up_in_the_order_that_ovs_needs)
{
    for (size_t i = 0; i < MP_ARRAY_SIZE(versions); i++) {
        struct world *w = connected(versions[i]);
        struct swconn_port port;

        is_str(swconn_version_name(w->conn), names[i], "version %s agreed on", names[i]);
        is_int(swconn_state(w->conn), SWCONN_IS_READY, "ready");
        is_int(swconn_datapath_id(w->conn), w->sw->datapath_id, "datapath id learnt");
        is_int(w->sw->controller_id, swconn_controller_id(1), "controller id set");
        ok(position(w, OFPTYPE_SET_CONTROLLER_ID) >= 0
           && position(w, OFPTYPE_SET_CONTROLLER_ID) < position(w, OFPTYPE_SET_CONFIG)
           && position(w, OFPTYPE_SET_CONFIG) < position(w, OFPTYPE_SET_ASYNC_CONFIG)
           && position(w, OFPTYPE_SET_ASYNC_CONFIG) < position(w, OFPTYPE_SET_PACKET_IN_FORMAT)
           && position(w, OFPTYPE_SET_PACKET_IN_FORMAT) < position(w, OFPTYPE_BARRIER_REQUEST),
           "controller id, configuration, asynchronous messages, format, barrier");
        is_int(position(w, OFPTYPE_ROLE_REQUEST), -1, "no role is asked for");
        ok(w->sw->n_monitors > 0, "flow monitors are asked for");
        ok(swconn_find_port(w->conn, "p2", &port) && port.number == 2, "ports known by name");
        ok(!swconn_find_port(w->conn, "p9", &port), "and no others");
        world_destroy(w);
    }
}

TEST(highest_common_version_wins)
{
    struct world *w = world_create(SWCONN_OF10 | SWCONN_OF13, SWCONN_ALL_VERSIONS);

    swconn_open(w->conn, w->now);
    fake_send(w->sw, ofputil_encode_hello(SWCONN_OF10 | SWCONN_OF13));
    talk(w);
    is_str(swconn_version_name(w->conn), "1.3", "1.3 of 1.0 and 1.3");
    world_destroy(w);
}

TEST(no_common_version_is_said_and_ends)
{
    struct world *w = world_create(1u << 3, SWCONN_ALL_VERSIONS);

    swconn_open(w->conn, w->now);
    fake_send(w->sw, ofputil_encode_hello(1u << 3));
    fake_write(w->sw, w->conn, w->now);
    drain(w);
    is_int(w->n_closed, 1, "closed");
    ok(strstr(w->text, "protocols"), "the reason points to the bridge's setting");
    is_int(swconn_stats(w->conn)->closed_version, 1, "counted");
    is_int(swconn_state(w->conn), SWCONN_CLOSED_STATE, "state closed");
    world_destroy(w);
}

TEST(not_an_ovs_is_said_and_ends)
{
    struct world *w = world_create(SWCONN_OF13, SWCONN_ALL_VERSIONS);

    w->sw->no_controller_ids = true;
    swconn_open(w->conn, w->now);
    fake_send(w->sw, ofputil_encode_hello(SWCONN_OF13));
    talk(w);
    is_int(w->n_closed, 1, "closed");
    ok(strstr(w->text, "controller id"), "with the reason: %s", w->text);
    is_int(w->n_ready, 0, "never ready");
    world_destroy(w);
}

TEST(refused_monitors_do_not_matter)
{
    struct world *w = world_create(SWCONN_OF13, SWCONN_ALL_VERSIONS);

    w->sw->no_monitors = true;
    swconn_open(w->conn, w->now);
    fake_send(w->sw, ofputil_encode_hello(SWCONN_OF13));
    talk(w);
    is_int(w->n_ready, 1, "ready all the same");
    is_int(swconn_stats(w->conn)->unmonitored, w->sw->n_monitors, "each counted");
    world_destroy(w);
}

TEST(fragment_handling_of_the_switch_is_left_alone)
{
    struct world *w = world_create(SWCONN_OF13, SWCONN_ALL_VERSIONS);

    w->sw->frag = OFPUTIL_FRAG_NX_MATCH;
    swconn_open(w->conn, w->now);
    fake_send(w->sw, ofputil_encode_hello(SWCONN_OF13));
    talk(w);
    is_int(w->n_ready, 1, "ready");
    is_int(w->sw->frag, OFPUTIL_FRAG_NX_MATCH, "as it was");
    world_destroy(w);
}

static struct ofpbuf *
packet_in(struct world *w, uint32_t port, uint64_t cookie, size_t n)
{
    struct ofputil_packet_in_private pin;
    static uint8_t frame[2000];

    for (size_t i = 0; i < sizeof frame; i++) {
        frame[i] = (uint8_t) (i * 7);
    }
    memset(&pin, 0, sizeof pin);
    match_init_catchall(&pin.base.flow_metadata);
    match_set_in_port(&pin.base.flow_metadata, (OVS_FORCE ofp_port_t) port);
    pin.base.packet = frame;
    pin.base.packet_len = n;
    pin.base.reason = OFPR_ACTION;
    pin.base.cookie = be64_from_host(cookie);
    return ofputil_encode_packet_in_private(&pin, fake_protocol(w->sw), OFPUTIL_PACKET_IN_NXT2);
}

#define OURS (UINT64_C(0x6d71) << 48 | UINT64_C(1) << 32)

TEST(packet_ins_of_our_flows_come_out)
{
    for (size_t i = 0; i < MP_ARRAY_SIZE(versions); i++) {
        struct world *w = connected(versions[i]);

        fake_send(w->sw, packet_in(w, 3, OURS, 61));
        fake_send(w->sw, packet_in(w, 3, OURS, 1514));
        talk(w);
        is_int(w->n_packet_in, 2, "%s: two packet-ins", names[i]);
        is_int(w->pktin.in_port, 3, "in_port");
        is_int(w->pktin.n, 1514, "whole frame");
        is_int(w->frame[1513], (uint8_t) (1513 * 7), "its last byte");
        is_int(w->pktin.cookie, OURS, "cookie");
        fake_send(w->sw, packet_in(w, (OVS_FORCE uint32_t) OFPP_LOCAL, OURS, 60));
        talk(w);
        is_int(w->pktin.in_port, PKTOUT_PORT_LOCAL, "LOCAL has its 32-bit number");
        fake_send(w->sw, packet_in(w, 3, 0x99, 60));
        talk(w);
        is_int(w->n_packet_in, 3, "another's flow's are dropped");
        is_int(swconn_stats(w->conn)->packet_ins_foreign, 1, "and counted");
        world_destroy(w);
    }
}

/* Packet-ins in a row are told of with the first of them, and what comes between ends the row. */
TEST(packet_ins_are_known_ahead)
{
    struct world *w = connected(SWCONN_OF13);
    struct ofputil_port_status ps = { .reason = OFPPR_ADD, .desc = fake_port(9) };
    static const size_t want_rows[] = { SWCONN_MAX_AHEAD, 8, 30 };
    struct pktin row[SWCONN_MAX_AHEAD];
    size_t n_rows = 0, n_seen = 0, at = 0, n_row = 0, n_ports = 0;
    bool same = true, sized = true, whole = true, in_row = true;
    struct swconn_event ev;

    for (size_t i = 0; i < 70; i++) {
        if (i == 40) {
            fake_send(w->sw, ofputil_encode_port_status(&ps, fake_protocol(w->sw)));
        }
        /* Of every length modulo 8, and one of another's flow, which nobody sees. */
        fake_send(w->sw, packet_in(w, 3, OURS, 61 + i));
        if (i == 50) {
            fake_send(w->sw, packet_in(w, 3, 0x99, 60));
        }
    }
    fake_write(w->sw, w->conn, w->now);
    while (swconn_next_event(w->conn, w->now, &ev)) {
        if (ev.type == SWCONN_PORTS) {
            n_ports++;
            is_int(n_seen, 40, "the other message keeps its place");
            continue;
        }
        if (ev.ahead) {
            in_row = in_row && at == n_row;
            n_row = ev.n_ahead;
            at = 0;
            memcpy(row, ev.ahead, n_row * sizeof *row);
            ok(n_rows < MP_ARRAY_SIZE(want_rows) && n_row == want_rows[n_rows],
               "row %zu has %zu", n_rows, n_row);
            n_rows++;
        }
        in_row = in_row && at < n_row;
        same = same && row[at].frame == ev.pktin.frame && row[at].n == ev.pktin.n;
        at++;
        sized = sized && ev.pktin.n == 61 + n_seen;
        whole = whole && ev.pktin.frame[60 + n_seen] == (uint8_t) ((60 + n_seen) * 7);
        n_seen++;
    }
    ok(in_row && same, "the events are those that were told of");
    ok(sized && whole, "in their order, each whole");
    is_int(n_seen, 70, "all of ours");
    is_int(n_ports, 1, "and the other message");
    is_int(n_rows, 3, "rows");
    is_int(swconn_stats(w->conn)->packet_ins_foreign, 1, "another's is dropped from a row");
    world_destroy(w);
}

TEST(packet_ins_before_the_end_come_out)
{
    static const uint8_t bad[] = { 4, 10, 0, 4, 0, 0, 0, 0 };
    struct world *w = connected(SWCONN_OF13);

    for (int i = 0; i < 3; i++) {
        fake_send(w->sw, packet_in(w, 3, OURS, 61));
    }
    fake_write(w->sw, w->conn, w->now);
    swconn_rx(w->conn, bad, sizeof bad, w->now);
    drain(w);
    is_int(w->n_packet_in, 3, "what came before the broken message");
    is_int(w->n_closed, 1, "then the end");
    /* Nothing of the old stream is left for the next one. */
    swconn_open(w->conn, w->now);
    drain(w);
    is_int(w->n_packet_in, 3, "no more");
    world_destroy(w);
}

static void
check_out(struct world *w, bool flood, uint32_t port, ofp_port_t want)
{
    uint8_t frame[1500];
    struct pktout out = { .frame = frame, .n = sizeof frame, .flood = flood, .port = port };

    memset(frame, 0xab, sizeof frame);
    ok(swconn_packet_out(w->conn, &out), "sent");
    fake_read(w->sw, w->conn);
    is_mem(w->sw->po_frame, w->sw->po.packet_len, frame, sizeof frame, "frame arrives");
    is_int((OVS_FORCE uint16_t) w->sw->po.flow_metadata.flow.in_port.ofp_port,
           (OVS_FORCE uint16_t) OFPP_CONTROLLER, "in_port is nobody's");
    is_int(w->sw->po.buffer_id, UINT32_MAX, "no buffer");
    if (is_int(w->sw->po.ofpacts_len, OFPACT_ALIGN(sizeof (struct ofpact_output)),
               "one action")) {
        is_int((OVS_FORCE uint16_t) ofpact_get_OUTPUT(w->sw->po.ofpacts)->port,
               (OVS_FORCE uint16_t) want, "output port");
    }
}

TEST(packet_outs_decode_in_every_version)
{
    for (size_t i = 0; i < MP_ARRAY_SIZE(versions); i++) {
        struct world *w = connected(versions[i]);

        diag("version %s", names[i]);
        check_out(w, false, 5, (OVS_FORCE ofp_port_t) 5);
        check_out(w, false, PKTOUT_PORT_LOCAL, OFPP_LOCAL);
        check_out(w, true, 0, OFPP_FLOOD);
        world_destroy(w);
    }
}

TEST(a_switch_that_does_not_read_costs_bounded_memory)
{
    struct world *w = connected(SWCONN_OF13);
    uint8_t frame[1000] = { 0 };
    struct pktout out = { .frame = frame, .n = sizeof frame, .port = 1 };
    struct pktout giant = { .frame = w->frame, .n = PKTOUT_MAX_FRAME + 1, .port = 1 };
    struct swconn_config cfg;
    size_t n, accepted = 0;

    swconn_config_default(&cfg);
    ok(swconn_may_send(w->conn), "may send at first");
    while (accepted < 100000 && swconn_packet_out(w->conn, &out)) {
        accepted++;
    }
    swconn_output(w->conn, &n);
    ok(n <= cfg.max_output && n > cfg.max_output - 2000, "the limit holds: %zu bytes", n);
    is_int(swconn_stats(w->conn)->packet_outs_dropped, 1, "the one beyond is counted");
    ok(!swconn_may_send(w->conn), "and the caller can see it before");
    for (int i = 0; i < 200; i++) {
        struct ofpbuf *b = ofputil_encode_echo_request(OFP13_VERSION);

        ofpbuf_put_zeros(b, 1000);
        fake_send(w->sw, b);
        fake_write(w->sw, w->conn, w->now);
        drain(w);
    }
    swconn_output(w->conn, &n);
    ok(n <= cfg.max_output + 1008, "one that asks and never reads costs no more: %zu bytes", n);
    ok(swconn_stats(w->conn)->echo_dropped > 190, "what is not answered is counted");
    fake_read(w->sw, w->conn);
    ok(swconn_may_send(w->conn) && swconn_packet_out(w->conn, &out), "room again once it reads");
    ok(!swconn_packet_out(w->conn, &giant), "a frame that fits no message is dropped");
    is_int(swconn_stats(w->conn)->packet_outs_too_long, 1, "and counted");
    world_destroy(w);
}

TEST(bytes_may_come_in_any_portions)
{
    struct world *w = connected(SWCONN_OF15);
    struct ofpbuf *b = packet_in(w, 2, OURS, 777);

    for (size_t i = 0; i < b->size; i++) {
        swconn_rx(w->conn, (uint8_t *) b->data + i, 1, w->now);
        drain(w);
        if (i + 1 < b->size && w->n_packet_in) {
            break;
        }
    }
    is_int(w->n_packet_in, 1, "byte by byte");
    is_int(w->pktin.n, 777, "the whole frame");
    for (int i = 0; i < 200; i++) {
        swconn_rx(w->conn, b->data, b->size, w->now);
    }
    drain(w);
    is_int(w->n_packet_in, 201, "two hundred at once, at all alignments");
    ofpbuf_delete(b);
    world_destroy(w);
}

TEST(a_broken_stream_ends_the_connection)
{
    static const uint8_t bad[] = { 4, 2, 0, 7, 0, 0, 0, 0 };
    struct world *w = connected(SWCONN_OF13);

    swconn_rx(w->conn, bad, sizeof bad, w->now);
    drain(w);
    is_int(w->n_closed, 1, "length 7 is shorter than a header");
    is_int(swconn_stats(w->conn)->closed_framing, 1, "counted");
    is_int(swconn_deadline(w->conn), CLOCK_NEVER, "nothing more to do");

    fake_reconnect(w->sw);
    swconn_open(w->conn, w->now);
    fake_send(w->sw, ofputil_encode_hello(SWCONN_OF13));
    talk(w);
    is_int(w->n_ready, 2, "and the next one works");
    world_destroy(w);
}

TEST(echo_requests_are_answered)
{
    struct world *w = connected(SWCONN_OF13);
    struct ofpbuf *b = ofputil_encode_echo_request(OFP13_VERSION);

    ((struct ofp_header *) b->data)->xid = htonl(0x12345678);
    ofpbuf_put(b, "hello", 5);
    fake_send(w->sw, b);
    talk(w);
    is_int(w->sw->echo_reply_xid, 0x12345678, "with the same xid");
    is_mem(w->sw->echo_reply, w->sw->echo_reply_len, "hello", 5, "and the same data");
    world_destroy(w);
}

TEST(a_silent_switch_is_probed_and_then_given_up)
{
    struct world *w = connected(SWCONN_OF13);
    usec_t at = swconn_deadline(w->conn);

    is_int(at, w->now + 5 * CLOCK_SEC, "deadline after five seconds");
    w->now = at;
    swconn_run(w->conn, w->now);
    is_int(swconn_stats(w->conn)->probes, 1, "probed");
    talk(w);
    w->now += CLOCK_SEC;
    swconn_run(w->conn, w->now);
    is_int(w->n_closed, 0, "answered: lives on");

    w->sw->mute = true;
    for (int i = 0; i < 5 && !w->n_closed; i++) {
        at = swconn_deadline(w->conn);
        ok(at > w->now, "the deadline lies ahead");
        w->now = at;
        swconn_run(w->conn, w->now);
        fake_read(w->sw, w->conn);
        drain(w);
    }
    is_int(w->n_closed, 1, "given up");
    is_int(swconn_stats(w->conn)->closed_silent, 1, "counted");
    world_destroy(w);
}

TEST(set_up_has_an_end)
{
    struct world *w = world_create(SWCONN_OF13, SWCONN_ALL_VERSIONS);

    swconn_open(w->conn, w->now);
    w->now = swconn_deadline(w->conn);
    swconn_run(w->conn, w->now);
    drain(w);
    is_int(w->n_closed, 1, "a switch that says nothing is given up");
    is_str(swconn_last_close(w->conn), "no HELLO came from the switch", "and it is said why");
    world_destroy(w);
}

TEST(ports_come_and_go)
{
    struct world *w = connected(SWCONN_OF14);
    struct ofputil_port_status ps = { .reason = OFPPR_ADD, .desc = fake_port(9) };
    struct swconn_port port;
    size_t pos = 0, n = 0;

    fake_send(w->sw, ofputil_encode_port_status(&ps, fake_protocol(w->sw)));
    talk(w);
    is_int(w->n_ports, 1, "reported");
    ok(swconn_find_port(w->conn, "p9", &port) && port.number == 9 && !port.down, "there");
    ps.reason = OFPPR_MODIFY;
    ps.desc.state = OFPUTIL_PS_LINK_DOWN;
    fake_send(w->sw, ofputil_encode_port_status(&ps, fake_protocol(w->sw)));
    talk(w);
    ok(swconn_find_port(w->conn, "p9", &port) && port.down, "down");
    ps.reason = OFPPR_DELETE;
    fake_send(w->sw, ofputil_encode_port_status(&ps, fake_protocol(w->sw)));
    talk(w);
    ok(!swconn_find_port(w->conn, "p9", &port), "gone");
    while (swconn_walk_ports(w->conn, &pos, &port)) {
        n++;
    }
    is_int(n, 3, "the others stayed");
    world_destroy(w);
}

TEST(deletions_by_others_are_reported_ours_are_not)
{
    for (size_t i = 0; i < MP_ARRAY_SIZE(versions); i++) {
        struct world *w = connected(versions[i]);

        fake_report(w->sw, OFPFME_REMOVED);
        talk(w);
        is_int(w->n_changed, 1, "%s: a deletion", names[i]);
        fake_report(w->sw, OFPFME_ABBREV);
        talk(w);
        is_int(w->n_changed, 1, "%s: our own", names[i]);
        world_destroy(w);
    }
}

TEST(controller_ids_are_distinct_and_never_zero)
{
    static bool used[65536];
    int n_twice = 0;

    for (unsigned int i = 1; i <= 65535; i++) {
        uint16_t id = swconn_controller_id((uint16_t) i);

        n_twice += !id || used[id];
        used[id] = true;
    }
    is_int(n_twice, 0, "for 65,535 instances");
}

/* Whatever bytes come, there is no crash, and a whole message never stays unread. */
TEST(garbage_is_survived)
{
    struct prng rng;
    int n_open = 0;

    prng_init(&rng, 20261123);
    for (int round = 0; round < 300; round++) {
        struct world *w = connected(versions[round % 4]);
        struct ofpbuf *b = packet_in(w, 1, OURS, 200);
        uint8_t *p = b->data;

        fake_read(w->sw, w->conn);
        for (int k = 0; k < 20 && !w->n_closed; k++) {
            uint8_t copy[4096];

            memcpy(copy, p, b->size);
            for (uint32_t j = prng_below(&rng, 8); j > 0; j--) {
                copy[prng_below(&rng, (uint32_t) b->size)] = (uint8_t) prng_u64(&rng);
            }
            copy[1] = (uint8_t) prng_below(&rng, 40);
            copy[2] = (uint8_t) (b->size >> 8);
            copy[3] = (uint8_t) b->size;
            swconn_rx(w->conn, copy, b->size, w->now);
            drain(w);
        }
        n_open += !w->n_closed;
        ofpbuf_delete(b);
        world_destroy(w);
    }
    ok(n_open > 0, "%d of 300 connections outlived it", n_open);
}

int
main(void)
{
    RUN(set_up_in_the_order_that_ovs_needs);
    RUN(highest_common_version_wins);
    RUN(no_common_version_is_said_and_ends);
    RUN(not_an_ovs_is_said_and_ends);
    RUN(refused_monitors_do_not_matter);
    RUN(fragment_handling_of_the_switch_is_left_alone);
    RUN(packet_ins_of_our_flows_come_out);
    RUN(packet_ins_are_known_ahead);
    RUN(packet_ins_before_the_end_come_out);
    RUN(packet_outs_decode_in_every_version);
    RUN(a_switch_that_does_not_read_costs_bounded_memory);
    RUN(bytes_may_come_in_any_portions);
    RUN(a_broken_stream_ends_the_connection);
    RUN(echo_requests_are_answered);
    RUN(a_silent_switch_is_probed_and_then_given_up);
    RUN(set_up_has_an_end);
    RUN(ports_come_and_go);
    RUN(deletions_by_others_are_reported_ours_are_not);
    RUN(controller_ids_are_distinct_and_never_zero);
    RUN(garbage_is_survived);
    return done_testing();
}
