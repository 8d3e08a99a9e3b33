/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: our end of an OpenFlow connection (ofp/swconn, ofp/flowsync) against a switch in
 * memory whose messages are damaged, interleaved with others, cut and repeated as the input says.
 * The input is a little program: operation, argument, bytes.  Whatever comes, nothing asserts,
 * deadlines lie ahead after what was due is done, what waits to be sent is bounded, and a switch
 * that comes to its senses gets all flows.  Links libopenvswitch, so 'make fuzz' has not this one:
 * its mutations are those of 'make check'. */
#include "fuzz/fuzz.h"

#include "ofp/flowsync.h"
#include "unit/fake-switch.h"

#define MAX_OUTPUT (256u << 10)

struct world {
    struct fake_switch *sw;
    struct swconn *conn;
    struct flowsync *sync;
    struct fuzz_input damage;         /* Offsets and values, for what the switch says next. */
    usec_t now;
};

static struct flows *
desired(const struct world *w, uint8_t variant)
{
    struct flows_service service = {
        .kind = variant & 1 ? FLOWS_TAKEN : FLOWS_VIRTUAL, .prefix.len = 128,
    };
    struct flows_config cfg;

    addr_parse(&service.prefix.addr, variant & 2 ? "2001:db8::1" : "10.0.0.1");
    flows_config_default(&cfg);
    cfg.services = &service;
    cfg.n_services = 1;
    cfg.use_meters = variant & 4 && w->sw->versions != SWCONN_OF10;
    cfg.hard_timeout = variant & 8 ? 30 : 0;
    mac_parse(&cfg.probe_mac, "02:00:00:00:00:01");
    return flows_build(&cfg);
}

static void
drain(struct world *w)
{
    struct swconn_event ev;
    uint32_t sum = 0;

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
            for (size_t i = 0; i < ev.pktin.n; i++) {
                sum += ev.pktin.frame[i];     /* A sanitizer sees that it is all there. */
            }
            break;
        case SWCONN_PORTS:
            break;
        }
    }
    (void) *(volatile uint32_t *) &sum;
}

/* Not HELLO: the flows are made for the version that both ends are to agree on. */
static void
damage(struct world *w)
{
    while (swconn_state(w->conn) > SWCONN_HELLO && w->damage.size >= 3
           && w->sw->n_out) {
        uint16_t at = fuzz_take_u16(&w->damage);

        w->sw->out[at % w->sw->n_out] ^= fuzz_take_u8(&w->damage);
    }
}

static void
talk(struct world *w)
{
    for (int i = 0; i < 12; i++) {
        char text[700];
        size_t n;

        fake_read(w->sw, w->conn);
        damage(w);
        fake_write(w->sw, w->conn, w->now);
        drain(w);
        swconn_run(w->conn, w->now);
        flowsync_run(w->sync, w->conn, w->now);
        swconn_output(w->conn, &n);
        mp_assert(n <= MAX_OUTPUT);
        while (flowsync_next_notice(w->sync, text, sizeof text)) {
            continue;
        }
    }
}

static void
open_anew(struct world *w)
{
    swconn_close(w->conn, "again");
    flowsync_detach(w->sync);
    fake_reconnect(w->sw);
    swconn_open(w->conn, w->now);
    fake_send(w->sw, ofputil_encode_hello(w->sw->versions));
    talk(w);
}

static usec_t
deadline(const struct world *w)
{
    return clock_min(flowsync_deadline(w->sync), swconn_deadline(w->conn));
}

static void
time_passes(struct world *w, usec_t until)
{
    for (int turns = 0; deadline(w) <= until; turns++) {
        mp_assert(turns < 20000);
        w->now = MP_MAX(w->now, deadline(w));
        talk(w);
    }
    w->now = until;
}

/* A message of any type and content, whose length is right half of the time. */
static void
put_message(struct world *w, uint8_t op, struct fuzz_input body)
{
    static const uint8_t types[] = { 0, 1, 2, 3, 4, 6, 8, 10, 11, 12, 19, 21 };
    uint8_t head[8] = { w->sw->version, types[(op >> 3) % sizeof types] };
    size_t size = sizeof head + body.size;

    if (size > sizeof w->sw->out - w->sw->n_out) {
        return;
    }
    head[2] = (uint8_t) (size >> 8);
    head[3] = (uint8_t) size;
    memcpy(head + 4, body.data, MP_MIN(body.size, 4));        /* The transaction id. */
    memcpy(w->sw->out + w->sw->n_out, head, sizeof head);
    if (body.size) {
        memcpy(w->sw->out + w->sw->n_out + sizeof head, body.data, body.size);
    }
    w->sw->n_out += size;
}

static void
check_recovery(struct world *w)
{
    struct flows *want = desired(w, 4);

    w->damage.size = 0;
    w->sw->mute = false;
    w->sw->refuse_flows = 0;
    w->sw->no_meters = false;
    fake_flush(w->sw);
    flowsync_set_desired(w->sync, want);
    open_anew(w);
    time_passes(w, w->now + 20 * CLOCK_SEC);
    mp_assert(swconn_state(w->conn) == SWCONN_IS_READY);
    mp_assert(flowsync_state(w->sync) == FLOWSYNC_IN_SYNC);
    mp_assert(w->sw->n_flows == want->n_flows);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, MP_MIN(size, 4096) };
    struct world w = { .now = CLOCK_SEC };
    struct swconn_config cfg;
    struct flowsync_config fsc;
    uint8_t variant = fuzz_take_u8(&in);

    swconn_config_default(&cfg);
    flowsync_config_default(&fsc);
    fsc.refresh_us = variant & 8 ? 10 * CLOCK_SEC : 0;
    w.sw = fake_create(SWCONN_OF10 << (variant >> 4 & 1 ? 0 : 3 + (variant >> 5) % 3));
    w.conn = swconn_create(&cfg);
    w.sync = flowsync_create(&fsc);
    flowsync_set_desired(w.sync, desired(&w, variant));
    w.sw->no_meters = !(variant & 4);
    open_anew(&w);
    while (in.size) {
        uint8_t op = fuzz_take_u8(&in);
        uint8_t arg = fuzz_take_u8(&in);

        switch (op % 8) {
        case 0:
        case 1:
            put_message(&w, op, fuzz_take_bytes(&in, arg));
            break;
        case 2:
            w.damage = fuzz_take_bytes(&in, arg);
            break;
        case 3:
            time_passes(&w, w.now + arg * 100 * CLOCK_MSEC);
            break;
        case 4:
            fake_flush(w.sw);
            break;
        case 5:
            w.sw->refuse_flows = arg & 1 ? OFPERR_OFPFMFC_TABLE_FULL : 0;
            w.sw->mute = arg & 2;
            flowsync_audit_now(w.sync, w.now);
            break;
        case 6:
            flowsync_set_desired(w.sync, desired(&w, arg));
            break;
        case 7:
            open_anew(&w);
            break;
        }
        talk(&w);
    }
    check_recovery(&w);
    fake_destroy(w.sw);
    flowsync_destroy(w.sync);
    swconn_destroy(w.conn);
    return 0;
}
