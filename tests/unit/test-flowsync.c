/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of src/ofp/flowsync: what is sent to a switch so that it has exactly the desired flows, and
 * nothing more, whatever happens to them.  Against a switch in memory, virtual time. */
#include "unit/tap.h"
#include "ofp/flowsync.h"
#include "unit/fake-switch.h"

static const uint32_t versions[] = { SWCONN_OF10, SWCONN_OF13, SWCONN_OF14, SWCONN_OF15 };

struct world {
    struct fake_switch *sw;
    struct swconn *conn;
    struct flowsync *sync;
    uint32_t version;
    usec_t now;
    char notice[700];                 /* The latest. */
    int n_notices;
};

/* Two addresses, one virtual, one taken, with all that belongs to them. */
static struct flows *
desired(uint32_t version, size_t n_services, uint16_t hard_timeout)
{
    static struct flows_service services[2];
    static struct flows_peer peer;
    struct flows_config cfg;

    services[0].kind = FLOWS_VIRTUAL;
    services[0].prefix.len = services[1].prefix.len = 128;
    services[1].kind = FLOWS_TAKEN;
    addr_parse(&services[0].prefix.addr, "10.0.0.1");
    addr_parse(&services[1].prefix.addr, "2001:db8::1");
    addr_parse(&peer.addr, "2001:db8::2");
    addr_parse(&peer.local, "2001:db8::1");
    flows_config_default(&cfg);
    cfg.services = services;
    cfg.n_services = n_services;
    cfg.peers = &peer;
    cfg.n_peers = n_services == 2;
    cfg.use_meters = version != SWCONN_OF10;
    cfg.hard_timeout = hard_timeout;
    mac_parse(&cfg.probe_mac, "02:00:00:00:00:01");
    return flows_build(&cfg);
}

static struct world *
world_create(uint32_t version, const struct flowsync_config *given)
{
    struct world *w = mem_zalloc(sizeof *w);
    struct swconn_config cfg;
    struct flowsync_config fsc;

    swconn_config_default(&cfg);
    flowsync_config_default(&fsc);
    w->version = version;
    w->sw = fake_create(version);
    w->conn = swconn_create(&cfg);
    w->sync = flowsync_create(given ? given : &fsc);
    w->now = CLOCK_SEC;
    flowsync_set_desired(w->sync, desired(version, 2, 0));
    return w;
}

static void
world_destroy(struct world *w)
{
    fake_destroy(w->sw);
    flowsync_destroy(w->sync);
    swconn_destroy(w->conn);
    mem_free(w);
}

static void
drain(struct world *w)
{
    struct swconn_event ev;

    while (swconn_next_event(w->conn, w->now, &ev)) {
        switch (ev.type) {
        case SWCONN_READY:
            flowsync_attach(w->sync, w->now);
            break;
        case SWCONN_MESSAGE:
            flowsync_rx(w->sync, ev.oh, w->now);
            break;
        case SWCONN_FLOWS_CHANGED:
            flowsync_changed(w->sync, w->now);
            break;
        case SWCONN_CLOSED:
            flowsync_detach(w->sync);
            break;
        case SWCONN_PACKET_IN:
        case SWCONN_PORTS:
            break;
        }
    }
}

/* Turns at one instant, until nobody has anything more to say. */
static void
talk(struct world *w)
{
    for (int i = 0; i < 16; i++) {
        fake_read(w->sw, w->conn);
        fake_write(w->sw, w->conn, w->now);
        drain(w);
        swconn_run(w->conn, w->now);
        flowsync_run(w->sync, w->conn, w->now);
    }
    while (flowsync_next_notice(w->sync, w->notice, sizeof w->notice)) {
        w->n_notices++;
    }
}

/* Lets time pass as the loop does, from deadline to deadline. */
static void
pass_time(struct world *w, usec_t duration)
{
    usec_t end = w->now + duration;
    int n_turns = 0;

    for (;;) {
        usec_t at = clock_min(flowsync_deadline(w->sync), swconn_deadline(w->conn));

        if (at > end || ++n_turns > 100000) {
            break;
        }
        w->now = MP_MAX(w->now, at);
        talk(w);
    }
    if (n_turns > 100000) {
        fail("the deadline spins");
    }
    w->now = end;
    talk(w);
}

static void
connect_to(struct world *w)
{
    fake_reconnect(w->sw);
    swconn_open(w->conn, w->now);
    fake_send(w->sw, ofputil_encode_hello(w->version));
    talk(w);
}

static struct world *
in_sync(uint32_t version)
{
    struct world *w = world_create(version, NULL);

    connect_to(w);
    if (flowsync_state(w->sync) != FLOWSYNC_IN_SYNC) {
        BAIL_OUT("not in sync: %s", w->notice);
    }
    return w;
}

static size_t
n_desired(struct world *w)
{
    struct flows *flows = desired(w->version, 2, 0);
    size_t n = flows->n_flows;

    flows_destroy(flows);
    return n;
}

static size_t
n_installed(struct world *w)
{
    struct flowsync_entry e;
    size_t pos = 0, n = 0;

    while (flowsync_walk(w->sync, &pos, &e)) {
        n += !e.is_meter && e.installed;
    }
    return n;
}

static void
index_of(struct fake_switch *f, int priority, size_t *i)
{
    for (*i = 0; *i < f->n_flows && f->flows[*i].priority != priority; ++*i) {
        continue;
    }
}

TEST(an_empty_switch_gets_every_flow_once)
{
    for (size_t i = 0; i < MP_ARRAY_SIZE(versions); i++) {
        struct world *w = in_sync(versions[i]);
        size_t n = n_desired(w);

        is_int(w->sw->n_flows, n, "version 0x%x: all flows there", w->sw->version);
        is_int(w->sw->n_adds, n, "each sent once");
        is_int(w->sw->n_meters, versions[i] == SWCONN_OF10 ? 0 : 2, "meters where there are any");
        is_int(n_installed(w), n, "shown as installed");
        ok(flowsync_was_in_sync(w->sync), "was in sync");
        world_destroy(w);
    }
}

TEST(in_quiet_times_nothing_is_written)
{
    for (size_t i = 0; i < MP_ARRAY_SIZE(versions); i++) {
        struct world *w = in_sync(versions[i]);
        size_t n_adds = w->sw->n_adds, n_reads = w->sw->n_flow_stats;

        pass_time(w, 60 * CLOCK_SEC);
        is_int(w->sw->n_adds + w->sw->n_deletes + w->sw->n_modifies, n_adds, "no flow mod in 60 s");
        ok(w->sw->n_flow_stats > n_reads, "but %zu comparisons", w->sw->n_flow_stats - n_reads);
        is_int(flowsync_stats(w->sync)->repairs, 0, "no repairs");
        is_int(flowsync_stats(w->sync)->malformed, 0, "nothing malformed");
        world_destroy(w);
    }
}

TEST(a_flush_that_nobody_reports_is_repaired_within_a_second)
{
    for (size_t i = 0; i < MP_ARRAY_SIZE(versions); i++) {
        struct world *w = in_sync(versions[i]);

        fake_flush(w->sw);
        pass_time(w, CLOCK_SEC);
        is_int(w->sw->n_flows, n_desired(w), "flows are back");
        is_int(w->sw->n_meters, versions[i] == SWCONN_OF10 ? 0 : 2, "meters are back");
        is_int(flowsync_stats(w->sync)->repairs, 1, "counted as one repair");
        world_destroy(w);
    }
}

TEST(only_what_is_missing_is_sent)
{
    struct world *w = in_sync(SWCONN_OF13);
    size_t n_adds = w->sw->n_adds, i;

    index_of(w->sw, FLOWS_PRIO_REFUSE, &i);
    fake_remove(w->sw, i);
    fake_report(w->sw, OFPFME_REMOVED);
    pass_time(w, 150 * CLOCK_MSEC);
    is_int(w->sw->n_adds - n_adds, 1, "one flow mod for one flow, at once when it is reported");
    is_int(w->sw->n_flows, n_desired(w), "complete");
    is_int(flowsync_stats(w->sync)->repaired_flows, 1, "counted");
    world_destroy(w);
}

TEST(a_changed_flow_is_put_right_at_the_next_comparison)
{
    struct world *w = in_sync(SWCONN_OF13);
    size_t i, n_adds = w->sw->n_adds;

    index_of(w->sw, FLOWS_PRIO_SYN, &i);
    w->sw->flows[i].ofpacts_len = 0;            /* Now it drops. */
    pass_time(w, 11 * CLOCK_SEC);
    is_int(w->sw->n_adds - n_adds, 1, "one flow mod");
    index_of(w->sw, FLOWS_PRIO_SYN, &i);
    ok(w->sw->flows[i].ofpacts_len > 0, "and it has its actions again");
    w->sw->meters[0].band.rate++;
    pass_time(w, 11 * CLOCK_SEC);
    is_int(w->sw->meters[0].band.rate % 1000, 0, "so has a meter its rate");
    world_destroy(w);
}

TEST(leftovers_of_the_same_instance_are_adopted)
{
    struct world *w = in_sync(SWCONN_OF13);
    struct flowsync_config cfg;
    size_t n_adds;

    /* The daemon dies and another one comes; one flow has got lost, one is too many. */
    flowsync_config_default(&cfg);
    flowsync_destroy(w->sync);
    swconn_close(w->conn, "killed");
    fake_remove(w->sw, 0);
    fake_add_text(w->sw, "cookie=0x6d71000100000000,priority=300,tcp,nw_dst=10.9.9.9,"
                         "tp_dst=1883 actions=controller(id=28018)");
    n_adds = w->sw->n_adds;
    w->sync = flowsync_create(&cfg);
    flowsync_set_desired(w->sync, desired(SWCONN_OF13, 2, 0));
    connect_to(w);
    is_int(flowsync_state(w->sync), FLOWSYNC_IN_SYNC, "in sync");
    is_int(flowsync_stats(w->sync)->flows_adopted, n_desired(w) - 1, "adopted all but one");
    is_int(w->sw->n_adds - n_adds, 1, "and sent that one");
    is_int(w->sw->n_deletes, 1, "the stranger is deleted");
    is_int(w->sw->n_flows, n_desired(w), "complete");
    world_destroy(w);
}

TEST(another_instance_on_the_same_match_is_refused)
{
    struct world *w = world_create(SWCONN_OF13, NULL);
    const char *refusal;
    size_t i;

    fake_add_text(w->sw, "cookie=0x6d71000700000000,priority=300,tcp,nw_dst=10.0.0.1,tp_dst=1883 "
                         "actions=controller(id=7)");
    connect_to(w);
    refusal = flowsync_refusal(w->sync);
    is_int(flowsync_state(w->sync), FLOWSYNC_REFUSED, "refused");
    ok(refusal && strstr(refusal, "instance 7"), "the sentence names the instance: %s", refusal);
    is_int(w->sw->n_adds, 0, "nothing was written");
    is_int(w->n_notices, 1, "and said once");

    index_of(w->sw, 300, &i);
    fake_remove(w->sw, i);
    fake_report(w->sw, OFPFME_REMOVED);
    pass_time(w, CLOCK_SEC);
    is_int(flowsync_state(w->sync), FLOWSYNC_IN_SYNC, "once it is gone, ours go in");
    world_destroy(w);
}

TEST(another_instance_elsewhere_is_no_conflict)
{
    struct world *w = world_create(SWCONN_OF10, NULL);

    fake_add_text(w->sw, "cookie=0x6d71000700000000,priority=300,tcp,nw_dst=10.0.0.9,tp_dst=1883 "
                         "actions=controller(id=7)");
    connect_to(w);
    is_int(flowsync_state(w->sync), FLOWSYNC_IN_SYNC, "in sync");
    is_int(w->sw->n_flows, n_desired(w) + 1, "and it keeps its flow");
    flowsync_remove_all(w->sync, w->now);
    pass_time(w, CLOCK_SEC);
    is_int(w->sw->n_flows, 1, "also when ours are removed");
    world_destroy(w);
}

TEST(a_flow_of_somebody_else_is_never_replaced)
{
    struct world *w = world_create(SWCONN_OF15, NULL);
    size_t i;

    fake_add_text(w->sw, "cookie=0x42,priority=290,ip,nw_dst=10.0.0.1 actions=NORMAL");
    connect_to(w);
    is_int(flowsync_state(w->sync), FLOWSYNC_REFUSED, "refused at the start");
    ok(strstr(flowsync_refusal(w->sync), "0x42"), "with its cookie");
    fake_flush(w->sw);
    pass_time(w, 11 * CLOCK_SEC);
    is_int(flowsync_state(w->sync), FLOWSYNC_IN_SYNC, "in sync without it");

    /* Later on it is respected too, and the rest of ours stays. */
    fake_add_text(w->sw, "cookie=0x43,priority=290,ip,nw_dst=10.0.0.1 actions=NORMAL");
    pass_time(w, 30 * CLOCK_SEC);
    index_of(w->sw, FLOWS_PRIO_REFUSE, &i);
    is_int(w->sw->flows[i].cookie, 0x43, "a later one stays");
    is_int(w->sw->n_flows, n_desired(w), "beside the rest of ours");
    is_int(n_installed(w), n_desired(w) - 1, "and ours is shown as missing");
    is_int(flowsync_state(w->sync), FLOWSYNC_IN_SYNC, "we go on");
    world_destroy(w);
}

TEST(a_restart_of_the_switch_loses_nothing)
{
    struct world *w = in_sync(SWCONN_OF14);

    fake_flush(w->sw);
    swconn_close(w->conn, "the switch closed the connection");
    flowsync_detach(w->sync);
    is_int(n_installed(w), 0, "while detached nothing is shown as installed");
    is_int(flowsync_deadline(w->sync), CLOCK_NEVER, "and nothing is to be done");
    pass_time(w, CLOCK_SEC);
    connect_to(w);
    is_int(w->sw->n_flows, n_desired(w), "all flows back at once");
    is_int(flowsync_stats(w->sync)->repairs, 1, "counted as a repair");
    world_destroy(w);
}

TEST(new_wishes_replace_old_ones)
{
    struct world *w = in_sync(SWCONN_OF13);
    struct flows *fewer = desired(SWCONN_OF13, 1, 0);
    size_t n_fewer = fewer->n_flows, n_adds = w->sw->n_adds;

    flowsync_set_desired(w->sync, fewer);
    talk(w);
    is_int(w->sw->n_flows, n_fewer, "what is not wanted any more is gone");
    is_int(w->sw->n_adds, n_adds, "and nothing was sent twice");
    flowsync_set_desired(w->sync, desired(SWCONN_OF13, 2, 0));
    /* Another change of mind while the first is under way. */
    flowsync_run(w->sync, w->conn, w->now);
    fake_read(w->sw, w->conn);
    flowsync_set_desired(w->sync, desired(SWCONN_OF13, 0, 0));
    flowsync_run(w->sync, w->conn, w->now);
    flowsync_set_desired(w->sync, desired(SWCONN_OF13, 2, 0));
    talk(w);
    is_int(w->sw->n_flows, n_desired(w), "the latest wish holds");
    is_int(flowsync_state(w->sync), FLOWSYNC_IN_SYNC, "in sync");
    world_destroy(w);
}

TEST(a_clean_exit_leaves_nothing)
{
    for (size_t i = 0; i < MP_ARRAY_SIZE(versions); i++) {
        struct world *w = in_sync(versions[i]);

        fake_add_text(w->sw, "cookie=0x1,priority=1,ip actions=NORMAL");
        flowsync_remove_all(w->sync, w->now);
        talk(w);
        is_int(flowsync_state(w->sync), FLOWSYNC_REMOVED, "confirmed");
        is_int(w->sw->n_flows, 1, "only what is not ours is left");
        is_int(w->sw->n_meters, 0, "no meters");
        is_int(flowsync_deadline(w->sync), CLOCK_NEVER, "done");
        world_destroy(w);
    }
}

TEST(a_switch_without_meters_is_known_by_its_answer)
{
    struct world *w = world_create(SWCONN_OF13, NULL);
    struct flows *plain;

    w->sw->no_meters = true;
    connect_to(w);
    ok(flowsync_meters_refused(w->sync), "refused");
    plain = desired(SWCONN_OF10, 2, 0);         /* The owner builds them without. */
    flowsync_set_desired(w->sync, plain);
    talk(w);
    is_int(flowsync_state(w->sync), FLOWSYNC_IN_SYNC, "in sync without meters");
    is_int(w->sw->n_flows, plain->n_flows, "all flows there");
    world_destroy(w);
}

TEST(meters_are_not_for_switches_of_openflow_1_0)
{
    struct world *w = world_create(SWCONN_OF10, NULL);

    connect_to(w);
    flowsync_set_desired(w->sync, desired(SWCONN_OF13, 2, 0));
    talk(w);
    pass_time(w, 30 * CLOCK_SEC);
    is_int(w->sw->n_meters, 0, "none is sent");
    is_int(flowsync_stats(w->sync)->meters_added, 0, "nor counted");
    ok(flowsync_stats(w->sync)->rejected == 0 && !flowsync_meters_refused(w->sync),
       "the switch has nothing to refuse");
    flowsync_remove_all(w->sync, w->now);
    talk(w);
    is_int(flowsync_state(w->sync), FLOWSYNC_REMOVED, "nor to be removed");
    is_int(w->sw->n_flows, 0, "as the flows are");
    world_destroy(w);
}

TEST(a_refused_flow_is_said_once_and_tried_again)
{
    struct world *w = world_create(SWCONN_OF13, NULL);
    int n_notices;

    w->sw->refuse_flows = OFPERR_OFPFMFC_TABLE_FULL;
    connect_to(w);
    ok(strstr(w->notice, "OFPFMFC_TABLE_FULL"), "said why: %s", w->notice);
    is_int(n_installed(w), 0, "nothing is shown as installed");
    ok(!flowsync_was_in_sync(w->sync), "never in sync");
    n_notices = w->n_notices;
    pass_time(w, 25 * CLOCK_SEC);
    is_int(w->n_notices, n_notices, "not said again");
    w->sw->refuse_flows = 0;
    pass_time(w, 11 * CLOCK_SEC);
    is_int(w->sw->n_flows, n_desired(w), "once there is room they are there");
    ok(flowsync_was_in_sync(w->sync), "in sync");
    world_destroy(w);
}

TEST(time_outs_are_renewed_while_we_live)
{
    struct flowsync_config cfg;
    struct world *w;
    size_t n;

    flowsync_config_default(&cfg);
    cfg.refresh_us = 10 * CLOCK_SEC;
    w = world_create(SWCONN_OF13, &cfg);
    flowsync_set_desired(w->sync, desired(SWCONN_OF13, 2, 30));
    connect_to(w);
    n = w->sw->n_flows;
    is_int(w->sw->flows[0].hard_timeout, 30, "with a time-out");
    pass_time(w, 35 * CLOCK_SEC);
    is_int(w->sw->n_modifies, 3 * n, "three times in 35 s");
    is_int(w->sw->n_adds, n, "without adding them again");
    world_destroy(w);
}

TEST(a_lost_answer_is_asked_for_again)
{
    struct world *w = in_sync(SWCONN_OF13);

    w->sw->mute = true;
    pass_time(w, CLOCK_SEC);
    w->sw->mute = false;
    fake_flush(w->sw);
    pass_time(w, 4 * CLOCK_SEC);
    ok(flowsync_stats(w->sync)->timeouts > 0, "noticed");
    is_int(w->sw->n_flows, n_desired(w), "and repaired");
    world_destroy(w);
}

TEST(counts_are_those_of_the_switch)
{
    struct world *w = in_sync(SWCONN_OF13);
    struct flowsync_entry e;
    uint64_t n_packets = 0;
    size_t i, pos = 0;

    index_of(w->sw, FLOWS_PRIO_SYN, &i);
    w->sw->flows[i].n_packets = 77;
    flowsync_audit_now(w->sync, w->now);
    talk(w);
    while (flowsync_walk(w->sync, &pos, &e)) {
        n_packets += e.n_packets;
    }
    is_int(n_packets, 77, "after a comparison that was asked for");
    world_destroy(w);
}

int
main(void)
{
    RUN(an_empty_switch_gets_every_flow_once);
    RUN(in_quiet_times_nothing_is_written);
    RUN(a_flush_that_nobody_reports_is_repaired_within_a_second);
    RUN(only_what_is_missing_is_sent);
    RUN(a_changed_flow_is_put_right_at_the_next_comparison);
    RUN(leftovers_of_the_same_instance_are_adopted);
    RUN(another_instance_on_the_same_match_is_refused);
    RUN(another_instance_elsewhere_is_no_conflict);
    RUN(a_flow_of_somebody_else_is_never_replaced);
    RUN(a_restart_of_the_switch_loses_nothing);
    RUN(new_wishes_replace_old_ones);
    RUN(a_clean_exit_leaves_nothing);
    RUN(a_switch_without_meters_is_known_by_its_answer);
    RUN(meters_are_not_for_switches_of_openflow_1_0);
    RUN(a_refused_flow_is_said_once_and_tried_again);
    RUN(time_outs_are_renewed_while_we_live);
    RUN(a_lost_answer_is_asked_for_again);
    RUN(counts_are_those_of_the_switch);
    return done_testing();
}
