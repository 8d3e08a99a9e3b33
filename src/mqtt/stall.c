/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a QoS 1 or 2 PUBLISH for which a matching session has no room.  What was
 * acknowledged with success must reach every matching session, and who does not read must cost
 * the others nothing.  Hence, in this order:
 *
 *   1. QoS 0 messages in the queue make room, oldest first (flow.c).
 *   2. While the subscriber still takes messages, the PUBLISH waits, unacknowledged, and all input
 *      behind it with it, so that order is kept and the publisher's TCP window closes: at most
 *      hold_us, and no longer than a subscriber that has taken nothing for hold_us is waited for.
 *      Nobody waits for a client that is away, or for himself.
 *   3. Then it goes to everybody else, and the loss is told to who can be told: a 5.0 publisher by
 *      PUBACK or PUBREC with 0x97, Quota exceeded, upon which that packet is not sent again
 *      (section 4.4).  A publisher of 3.1.1 knows success and the end of the connection only, and
 *      ending it would let one subscriber that is away keep everybody from publishing: it is
 *      acknowledged, and the session that cannot keep up is ended (3.1.1 section 4.1.1 lets a
 *      server discard state by rule when resources are short; a 5.0 subscriber gets
 *      DISCONNECT 0x97).  Its client learns it by Session Present 0.  A Will, whose publisher is
 *      gone, counts as that.
 *
 * What comes from peers has no acknowledgement to keep: it is dropped and counted.
 *
 * A SUBSCRIBE that is too much for one turn (subscribe.c) keeps the input behind it waiting as well. */
#include "mqtt/access.h"

struct mqtt_stall {
    struct mqtt_subscribing *subscribing;           /* That is what waits, and the next three fields
                                                     * are not used; or NULL. */
    struct mqtt_stall *prev, *next;   /* In the order of 'until_at'. */
    struct mqtt_msg *msg;
    usec_t until_at;
    uint32_t conn, session;           /* Who waits; for whom, or none any more. */
    uint16_t packet_id;
    struct mqtt_held held;            /* Input that came after it. */
};

static void
unlink_stall(struct mqtt_broker *b, struct mqtt_stall *st)
{
    if (st->prev) {
        st->prev->next = st->next;
    } else {
        b->first_stall = st->next;
    }
    if (st->next) {
        st->next->prev = st->prev;
    } else {
        b->last_stall = st->prev;
    }
    b->n_stalls--;
}

static void
wait_for(struct mqtt_broker *b, struct mqtt_stall *st, uint32_t session)
{
    st->session = session;
    mqtt_session_at(b, session)->flow->is_awaited = true;
}

/* The framer, in whose place it is, has to go: so has the control packet. */
static struct mqtt_stall *
stall_conn(struct mqtt_broker *b, uint32_t conn)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct mqtt_stall *st = mem_zalloc(sizeof *st);

    st->conn = conn;
    b->heap_bytes += sizeof *st;
    b->framer_bytes -= wire_mqtt_framer_bytes(c->rx);
    wire_mqtt_framer_free(&c->rx);
    c->stall = st;
    c->flags |= MQTT_CONN_STALLED;
    return st;
}

/* A SUBSCRIBE goes on later. */
void
mqtt_stall_subscribing(struct mqtt_broker *b, uint32_t conn, struct mqtt_subscribing *s)
{
    stall_conn(b, conn)->subscribing = s;
}

/* The PUBLISH 'msg' of the connection waits for room in the session's queue. */
void
mqtt_stall_begin(struct mqtt_broker *b, uint32_t conn, const struct mqtt_stalled *what,
                 uint32_t session, usec_t now)
{
    struct mqtt_stall *st;

    mqtt_msg_ref(what->msg);
    st = stall_conn(b, conn);
    st->msg = what->msg;
    st->packet_id = what->packet_id;
    st->until_at = now + b->config.hold_us;
    wait_for(b, st, session);
    st->prev = b->last_stall;
    if (b->last_stall) {
        b->last_stall->next = st;
    } else {
        b->first_stall = st;
    }
    b->last_stall = st;
    b->n_stalls++;
    b->stats.stalled++;
}

bool
mqtt_stall_hold(struct mqtt_broker *b, uint32_t conn, struct slice in)
{
    return mqtt_held_append(b, &mqtt_conn_at(b, conn)->stall->held, in);
}

/* Parts what waits from its connection, which goes on. */
static struct mqtt_stall *
take_stall(struct mqtt_broker *b, struct mqtt_conn *c)
{
    struct mqtt_stall *st = c->stall;

    c->flags &= (uint8_t) ~MQTT_CONN_STALLED & 0xf;
    c->rx = NULL;
    if (!st->subscribing) {
        unlink_stall(b, st);
    }
    return st;
}

static void
free_stall(struct mqtt_broker *b, struct mqtt_stall *st)
{
    b->heap_bytes -= sizeof *st;
    if (st->subscribing) {
        mqtt_subscribing_free(b, st->subscribing);
    }
    mqtt_held_free(b, &st->held);
    mqtt_msg_unref(st->msg);
    mem_free(st);
}

void
mqtt_stall_free(struct mqtt_broker *b, uint32_t conn)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);

    if (c->flags & MQTT_CONN_STALLED) {
        free_stall(b, take_stall(b, c));
    }
}

/* The transport ended meanwhile: what waited was never acknowledged and comes again if the client
 * cares.  What it sent after it, a DISCONNECT perhaps, counts. */
void
mqtt_stall_part(struct mqtt_broker *b, uint32_t conn, usec_t now)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);

    if (c->flags & MQTT_CONN_STALLED) {
        struct mqtt_stall *st = take_stall(b, c);

        b->is_parting = true;
        mqtt_conn_input(b, conn, (struct slice) { st->held.bytes, st->held.n }, now);
        b->is_parting = false;
        free_stall(b, st);
    }
}

/* The session lost its connection, or ends: nobody waits for it any more. */
void
mqtt_stall_session_gone(struct mqtt_broker *b, uint32_t session)
{
    for (struct mqtt_stall *st = b->first_stall; st; st = st->next) {
        if (st->session == session) {
            st->session = SLAB_NONE;
            b->has_room_again = true;
        }
    }
}

/* The SUBSCRIBE is done. */
void
mqtt_stall_subscribed(struct mqtt_broker *b, uint32_t conn, usec_t now)
{
    struct mqtt_stall *st = take_stall(b, mqtt_conn_at(b, conn));
    struct mqtt_held held = st->held;

    st->held = (struct mqtt_held) { NULL, 0, 0 };
    free_stall(b, st);
    mqtt_conn_input(b, conn, (struct slice) { held.bytes, held.n }, now);
    mqtt_held_free(b, &held);
}

static void
go_on(struct mqtt_broker *b, uint32_t conn, usec_t now)
{
    struct mqtt_stall *st = mqtt_conn_at(b, conn)->stall;
    struct mqtt_stalled what = { st->msg, st->packet_id };
    uint32_t session;
    uint8_t reason;

    if (st->until_at > now) {
        if (st->session
            && !mqtt_flow_has_room(b, mqtt_session_at(b, st->session)->flow, st->msg)) {
            wait_for(b, st, st->session);
            return;
        }
        session = mqtt_publish_waits_for(b, st->msg, mqtt_conn_at(b, conn)->session, now);
        if (session) {
            wait_for(b, st, session);
            return;
        }
    }
    take_stall(b, mqtt_conn_at(b, conn));
    b->congested = SLAB_NONE;
    mqtt_persist_begin(b);
    reason = mqtt_publish_accept(b, conn, &what, now);
    if (reason) {
        mqtt_conn_end(b, conn, MQTT_END_CLOSE, reason, now);
    }
    mqtt_conn_input(b, conn, (struct slice) { st->held.bytes, st->held.n }, now);
    free_stall(b, st);
}

void
mqtt_stall_run(struct mqtt_broker *b, usec_t now)
{
    size_t n = 0, allocated = 0;
    mqtt_id *ids = NULL;

    if (!b->has_room_again && !(b->first_stall && b->first_stall->until_at <= now)) {
        return;
    }
    b->has_room_again = false;
    /* Connections come and go while they go on. */
    ids = mem_grow(ids, &allocated, b->n_stalls + 1, sizeof *ids);
    for (const struct mqtt_stall *st = b->first_stall; st; st = st->next) {
        ids[n++] = mqtt_conn_id(b, st->conn);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t conn = mqtt_conn_find(b, ids[i]);

        if (conn && mqtt_conn_at(b, conn)->flags & MQTT_CONN_STALLED) {
            go_on(b, conn, now);
        }
    }
    mem_free(ids);
}

usec_t
mqtt_stall_deadline(const struct mqtt_broker *b)
{
    if ((b->has_room_again && b->first_stall) || b->n_doomed || b->first_subscribing) {
        return b->created_at;         /* At once. */
    }
    return b->first_stall ? b->first_stall->until_at : CLOCK_NEVER;
}

/* ---- Sessions that missed what was acknowledged ---- */

void
mqtt_doom(struct mqtt_broker *b, uint32_t session)
{
    struct mqtt_session *s = mqtt_session_at(b, session);

    if (!(s->flags & MQTT_SESSION_DOOMED)) {
        s->flags |= MQTT_SESSION_DOOMED;
        b->doomed = mem_grow(b->doomed, &b->allocated_doomed, b->n_doomed + 1, sizeof *b->doomed);
        b->doomed[b->n_doomed++] = session;
    }
}

/* It ends. */
void
mqtt_doom_forget(struct mqtt_broker *b, uint32_t session)
{
    for (size_t i = 0; i < b->n_doomed; i++) {
        if (b->doomed[i] == session) {
            b->doomed[i] = b->doomed[--b->n_doomed];
            return;
        }
    }
}

/* Ends them, and those whom their Wills are too much for.  Not while routing, whose matches name
 * them. */
void
mqtt_doom_run(struct mqtt_broker *b, usec_t now)
{
    while (b->n_doomed) {
        uint32_t session = b->doomed[b->n_doomed - 1];
        struct mqtt_session *s = mqtt_session_at(b, session);

        b->stats.sessions_overflowed++;
        if (s->conn) {
            s->expiry_s = 0;
            mqtt_conn_end(b, s->conn, MQTT_END_CLOSE, MQTT_REASON_QUOTA_EXCEEDED, now);
        } else {
            mqtt_session_end(b, session, now);
        }
    }
}
