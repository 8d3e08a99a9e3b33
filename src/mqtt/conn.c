/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Network Connections: opened by the caller, cut into control packets, timed, ended.
 *
 *    NEW --CONNECT--> UP --DISCONNECT, error, time-out, takeover--> CLOSING --mqtt_closed()--> gone
 *     \---------------- error, time-out, refusal ----------------/    \--> LINGERING while output
 *                                                                          is still to be taken */
#include "mqtt/access.h"

#define FIRST_CTL 64u
#define LINGER_US (10 * CLOCK_SEC)

#define ALLOWED(TYPE) (1u << MQTT_##TYPE)
#define ALLOWED_UP                                                                          \
    (ALLOWED(PUBLISH) | ALLOWED(PUBACK) | ALLOWED(PUBREC) | ALLOWED(PUBREL) | ALLOWED(PUBCOMP) \
     | ALLOWED(SUBSCRIBE) | ALLOWED(UNSUBSCRIBE) | ALLOWED(PINGREQ) | ALLOWED(DISCONNECT)   \
     | ALLOWED(AUTH))

mqtt_id
mqtt_conn_id(const struct mqtt_broker *b, uint32_t conn)
{
    return (mqtt_id) b->generations[conn] << 32 | conn;
}

uint32_t
mqtt_conn_find(const struct mqtt_broker *b, mqtt_id id)
{
    uint32_t idx = (uint32_t) id;

    return id && idx < b->n_generations && b->generations[idx] == id >> 32 ? idx : SLAB_NONE;
}

static uint32_t
clock_ms(const struct mqtt_broker *b, usec_t now)
{
    return (uint32_t) ((now - b->created_at) / CLOCK_MSEC);
}

mqtt_id
mqtt_find(const struct mqtt_broker *b, uint32_t index, uint32_t user)
{
    return index && index < b->n_generations && b->generations[index]
           && mqtt_conn_at(b, index)->user == user ? mqtt_conn_id(b, index) : 0;
}

/* ---- Where clients are ---- */

static struct mqtt_seat
seat_of(struct mqtt_broker *b, const struct mqtt_origin *origin)
{
    struct mqtt_seat seat = {
        .ingress_port = origin->ingress_port,
        .tcp_port = origin->tcp_port,
        .vlan = origin->vlan & 0xfff,
        .is_v6 = !addr_is_v4(&origin->addr),
        .mac = origin->mac,
    };

    if (seat.is_v6) {
        seat.addr = slab_alloc(&b->v6s);
        memcpy(slab_at(&b->v6s, seat.addr), &origin->addr, sizeof origin->addr);
    } else {
        seat.addr = addr_to_v4(&origin->addr);
    }
    return seat;
}

struct mqtt_origin
mqtt_conn_origin(const struct mqtt_broker *b, const struct mqtt_conn *c)
{
    const struct mqtt_seat *seat = &c->seat;
    struct mqtt_origin origin = {
        .ingress_port = seat->ingress_port,
        .tcp_port = seat->tcp_port,
        .vlan = seat->vlan,
        .mac = seat->mac,
    };

    if (seat->is_v6) {
        memcpy(&origin.addr, slab_at(&b->v6s, seat->addr), sizeof origin.addr);
    } else {
        origin.addr = addr_v4(seat->addr);
    }
    return origin;
}

/* ---- Life and death ---- */

mqtt_id
mqtt_open(struct mqtt_broker *b, const struct mqtt_origin *origin, uint32_t user, usec_t now)
{
    uint32_t idx = slab_alloc(&b->conns);
    struct mqtt_conn *c;

    if (!idx) {
        b->stats.limit_refused++;
        b->stats.limit_connections++;
        return 0;
    }
    if (idx >= b->n_generations) {
        b->generations = mem_grow_table(b->generations, &b->n_generations, (size_t) idx + 1,
                                        sizeof *b->generations);
    }
    b->last_generation += b->last_generation == UINT32_MAX ? 2 : 1;
    b->generations[idx] = b->last_generation;
    c = mqtt_conn_at(b, idx);
    c->user = user;
    c->seat = seat_of(b, origin);
    c->heard_ms = clock_ms(b, now);
    wheel_arm(&b->conn_wheel, idx, now + b->config.connect_timeout_us);
    b->stats.connections++;
    return mqtt_conn_id(b, idx);
}

static size_t
ctl_size(uint32_t allocated)
{
    return sizeof(struct mqtt_ctl) + allocated;
}

void
mqtt_ctl_free(struct mqtt_broker *b, struct mqtt_conn *c)
{
    if (c->ctl) {
        b->ctl_bytes -= ctl_size(c->ctl->allocated);
        mem_free(c->ctl->marks);
        mem_free(c->ctl);
        c->ctl = NULL;
    }
}

static void
free_framer(struct mqtt_broker *b, struct mqtt_conn *c)
{
    b->framer_bytes -= wire_mqtt_framer_bytes(c->rx);
    wire_mqtt_framer_free(&c->rx);
}

void
mqtt_conn_free(struct mqtt_broker *b, uint32_t conn)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);

    mqtt_ask_free(b, conn);
    mqtt_stall_free(b, conn);
    free_framer(b, c);
    mqtt_ctl_free(b, c);
    mqtt_v5_free(b, c->v5);
    mqtt_hold_free(b, conn);
    wheel_disarm(&b->conn_wheel, conn);
    b->generations[conn] = 0;
    if (c->seat.is_v6) {
        slab_free(&b->v6s, c->seat.addr);
    }
    slab_free(&b->conns, conn);
}

/* Room for at most 'room' bytes of control packets at the end of those that wait. */
struct writer
mqtt_ctl_begin(struct mqtt_broker *b, uint32_t conn, uint32_t room)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    uint32_t size = c->ctl ? c->ctl->size : 0;
    uint32_t allocated = c->ctl ? c->ctl->allocated : 0;

    if (size + room > allocated) {
        bool is_first = !c->ctl;

        b->ctl_bytes -= is_first ? 0 : ctl_size(allocated);
        allocated = MP_MAX(MP_MAX(FIRST_CTL, 2 * allocated), size + room);
        b->ctl_bytes += ctl_size(allocated);
        c->ctl = mem_realloc(c->ctl, ctl_size(allocated));
        if (is_first) {
            memset(c->ctl, 0, sizeof *c->ctl);
        }
        c->ctl->size = size;
        c->ctl->allocated = allocated;
    }
    return writer_init(c->ctl->bytes + size, room);
}

void
mqtt_ctl_end(struct mqtt_broker *b, uint32_t conn, const struct writer *w)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);

    mp_assert(!w->failed);
    if (writer_size(w) > mqtt_v5_max_packet_size(mqtt_v5_of(b, c))) {
        b->stats.too_large_out++;     /* [MQTT-3.1.2-24], [MQTT-3.1.2-25] */
        if (!c->ctl->size) {
            mqtt_ctl_free(b, c);
        }
        return;
    }
    c->ctl->size += (uint32_t) writer_size(w);
    b->stats.packets_out++;
    if (b->config.is_persistent) {
        mqtt_persist_hold(b, conn, c->ctl->size - (uint32_t) writer_size(w));
    }
    mqtt_push_ready(b, conn);
}

static void
count_reason(struct mqtt_stats *stats, uint8_t reason)
{
    switch (reason) {
    case 0: break;
    case MQTT_REASON_MALFORMED: stats->malformed++; break;
    case MQTT_REASON_PACKET_TOO_LARGE: stats->packet_too_large++; break;
    case MQTT_REASON_KEEP_ALIVE_TIMEOUT: stats->keep_alive_timeouts++; break;
    case MQTT_REASON_TAKEN_OVER: stats->takeovers++; break;
    case MQTT_REASON_SHUTTING_DOWN: break;
    case MQTT_REASON_QUOTA_EXCEEDED: break;         /* Counted where the limit is. */
    default: stats->protocol_errors++; break;
    }
}

void
mqtt_conn_end(struct mqtt_broker *b, uint32_t conn, enum mqtt_ending ending, uint8_t reason,
              usec_t now)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    uint32_t session = c->session;

    if (c->state >= MQTT_CONN_CLOSING) {
        return;
    }
    count_reason(&b->stats, reason);
    if (reason && c->version == MQTT_V50) {
        struct writer w = mqtt_ctl_begin(b, conn, 4);

        wire_mqtt_put_disconnect(&w, reason);
        mqtt_ctl_end(b, conn, &w);
    }
    mqtt_ask_free(b, conn);
    mqtt_stall_free(b, conn);
    c->state = MQTT_CONN_CLOSING;
    c->session = SLAB_NONE;
    wheel_disarm(&b->conn_wheel, conn);
    mqtt_hold_free(b, conn);
    if (ending == MQTT_END_ABORT) {
        mqtt_ctl_free(b, c);
    }
    if (c->ctl && c->ctl->n_marks) {
        c->flags |= MQTT_CONN_CLOSE_HELD;           /* Its acknowledgements come first. */
    } else {
        mqtt_push_event(b, &(struct mqtt_queued_event) {
            .type = ending == MQTT_END_ABORT ? MQTT_EV_ABORT : MQTT_EV_CLOSE,
            .conn = mqtt_conn_id(b, conn),
            .user = c->user,
        });
    }
    if (session) {
        mqtt_session_detach(b, session, now);
    }
}

void
mqtt_closed(struct mqtt_broker *b, mqtt_id id, usec_t now)
{
    uint32_t conn = mqtt_conn_find(b, id);
    struct mqtt_conn *c = conn ? mqtt_conn_at(b, conn) : NULL;

    if (!c) {
        return;
    }
    mqtt_stall_part(b, conn, now);
    if (c->state == MQTT_CONN_CLOSING && c->ctl) {
        /* Perhaps the transport only says that it will close: let it take the rest. */
        c->state = MQTT_CONN_LINGERING;
        wheel_arm(&b->conn_wheel, conn, now + LINGER_US);
        return;
    }
    if (c->session) {
        uint32_t session = c->session;

        c->session = SLAB_NONE;
        mqtt_session_detach(b, session, now);
    }
    mqtt_conn_free(b, conn);
}

void
mqtt_conn_drained(struct mqtt_broker *b, uint32_t conn)
{
    if (mqtt_conn_at(b, conn)->state == MQTT_CONN_LINGERING && !mqtt_conn_at(b, conn)->ctl) {
        mqtt_conn_free(b, conn);
    }
}

/* One and a half times the Keep Alive from the last sign of life on [MQTT-3.1.2-24].  Input only notes
 * the time: the timer fires early and is armed again. */
void
mqtt_conn_arm_keep_alive(struct mqtt_broker *b, uint32_t conn, usec_t now)
{
    const struct mqtt_conn *c = mqtt_conn_at(b, conn);
    usec_t silent_us = (uint32_t) (clock_ms(b, now) - c->heard_ms) * CLOCK_MSEC;

    if (c->keep_alive_s) {
        wheel_arm(&b->conn_wheel, conn, now - silent_us + c->keep_alive_s * 3 * CLOCK_SEC / 2);
    } else {
        wheel_disarm(&b->conn_wheel, conn);
    }
}

void
mqtt_conn_expired(struct mqtt_broker *b, uint32_t conn, usec_t now)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    uint32_t limit_ms = c->keep_alive_s * 1500u;

    switch ((enum mqtt_conn_state) c->state) {
    case MQTT_CONN_NEW:
        b->stats.connect_timeouts++;
        mqtt_conn_end(b, conn, MQTT_END_CLOSE, 0, now);
        break;

    case MQTT_CONN_UP:
        if (mqtt_hold_waits(b, conn) || mqtt_journal_is_full(b)
            || c->flags & MQTT_CONN_STALLED) {
            c->heard_ms = clock_ms(b, now);         /* We do not listen at present. */
        }
        if ((uint32_t) (clock_ms(b, now) - c->heard_ms) < limit_ms) {
            mqtt_conn_arm_keep_alive(b, conn, now);
        } else {
            mqtt_conn_end(b, conn, c->version == MQTT_V50 ? MQTT_END_CLOSE : MQTT_END_ABORT,
                          MQTT_REASON_KEEP_ALIVE_TIMEOUT, now);
        }
        break;

    case MQTT_CONN_LINGERING:
        mqtt_conn_free(b, conn);
        break;

    case MQTT_CONN_CLOSING:
        break;
    }
}

uint8_t
mqtt_reason_of(enum wire_mqtt_result result)
{
    switch (result) {
    case WIRE_MQTT_DONE:
    case WIRE_MQTT_MORE: return 0;
    case WIRE_MQTT_MALFORMED: return MQTT_REASON_MALFORMED;
    case WIRE_MQTT_PROTOCOL_ERROR: return MQTT_REASON_PROTOCOL_ERROR;
    case WIRE_MQTT_TOO_LARGE: return MQTT_REASON_PACKET_TOO_LARGE;
    case WIRE_MQTT_BAD_VERSION: return MQTT_REASON_BAD_VERSION;
    }
    return MQTT_REASON_UNSPECIFIED;
}

static uint8_t
handle_pingreq(struct mqtt_broker *b, uint32_t conn)
{
    struct writer w = mqtt_ctl_begin(b, conn, 2);

    wire_mqtt_put_empty(&w, MQTT_PINGRESP);
    mqtt_ctl_end(b, conn, &w);
    return 0;
}

/* Returns 0, or why the connection ends. */
static uint8_t
handle_packet(struct mqtt_broker *b, uint32_t conn, const struct wire_mqtt_frame *frame,
              usec_t now)
{
    mqtt_persist_begin(b);
    switch (frame->type) {
    case MQTT_CONNECT: return mqtt_handle_connect(b, conn, frame, now);
    case MQTT_PUBLISH: return mqtt_handle_publish(b, conn, frame, now);
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP: return mqtt_handle_ack(b, conn, frame, now);
    case MQTT_SUBSCRIBE: return mqtt_handle_subscribe(b, conn, frame, now);
    case MQTT_UNSUBSCRIBE: return mqtt_handle_unsubscribe(b, conn, frame, now);
    case MQTT_PINGREQ: return handle_pingreq(b, conn);
    case MQTT_DISCONNECT: return mqtt_handle_disconnect(b, conn, frame, now);
    default: return MQTT_REASON_PROTOCOL_ERROR;
    }
}

/* Beyond this much of an incomplete packet a client has to end when memory is short. */
#define FRAMER_SPARE 4096u
/* The same of answers that it does not take.  A SUBACK for as many filters as a session may have by
 * default is less. */
#define CTL_SPARE 16384u

/* What a client has to be told cannot be refused; what it makes us keep of that, can. */
static void
end_hoarder(struct mqtt_broker *b, uint32_t conn, usec_t now)
{
    const struct mqtt_conn *c = mqtt_conn_at(b, conn);

    if (c->state == MQTT_CONN_UP && c->ctl && c->ctl->size > CTL_SPARE && mqtt_is_full(b)) {
        b->stats.memory_refused++;
        mqtt_conn_end(b, conn, MQTT_END_ABORT, MQTT_REASON_QUOTA_EXCEEDED, now);
    }
}

/* A sign of life is a whole control packet [MQTT-3.1.2-24], and each so many bytes of one that takes its
 * time: a megabyte over 1 kB/s with a Keep Alive of a minute is no silence.  Fewer in one and a half
 * Keep Alives are; otherwise who sends one byte now and then has a connection and a buffer for ever. */
#define SIGN_OF_LIFE 1024u

/* The next control packet: DONE, or why not.  0 or the enum mqtt_reason for the end. */
static enum wire_mqtt_result
next_packet(struct mqtt_broker *b, struct mqtt_conn *c, struct slice *in,
            struct wire_mqtt_frame *frame, usec_t now)
{
    struct wire_mqtt_rules rules = {
        .max_packet_size = b->config.max_packet_size,
        .allowed = c->state == MQTT_CONN_NEW ? ALLOWED(CONNECT) : ALLOWED_UP,
        .version = c->version,
    };
    size_t before = wire_mqtt_framer_bytes(c->rx);
    uint32_t arrived = wire_mqtt_framer_arrived(c->rx);
    enum wire_mqtt_result result = wire_mqtt_framer_next(&c->rx, in, &rules, frame);

    b->framer_bytes += wire_mqtt_framer_bytes(c->rx) - before;
    if (result == WIRE_MQTT_DONE
        || wire_mqtt_framer_arrived(c->rx) / SIGN_OF_LIFE > arrived / SIGN_OF_LIFE) {
        c->heard_ms = clock_ms(b, now);
    }
    return result;
}

/* Returns how many bytes at the end of 'in' are held back, for a verdict or for room. */
static uint32_t
take_stream(struct mqtt_broker *b, uint32_t conn, struct slice in, usec_t now)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);

    while (c->state <= MQTT_CONN_UP) {
        struct wire_mqtt_frame frame;
        enum wire_mqtt_result result = next_packet(b, c, &in, &frame, now);
        uint8_t reason;

        if (result == WIRE_MQTT_MORE) {
            if (wire_mqtt_framer_bytes(c->rx) <= FRAMER_SPARE || !mqtt_is_full(b)) {
                return 0;
            }
            b->stats.memory_refused++;
            reason = MQTT_REASON_QUOTA_EXCEEDED;
        } else if (result == WIRE_MQTT_DONE) {
            b->stats.packets_in++;
            reason = handle_packet(b, conn, &frame, now);
            end_hoarder(b, conn, now);
        } else {
            reason = mqtt_reason_of(result);
        }
        if (reason) {
            mqtt_conn_end(b, conn, MQTT_END_CLOSE, reason, now);
        } else if (c->flags & MQTT_CONN_ASKING) {
            mqtt_ask_hold(b, conn, in);
            return in.n;
        } else if (c->flags & MQTT_CONN_STALLED) {
            mqtt_stall_hold(b, conn, in);
            return in.n;
        }
    }
    free_framer(b, c);
    return 0;
}

void
mqtt_conn_input(struct mqtt_broker *b, uint32_t conn, struct slice in, usec_t now)
{
    uint32_t n_held;

    b->congested = SLAB_NONE;
    n_held = take_stream(b, conn, in, now);
    if (in.n > n_held) {
        mqtt_credit(b, conn, in.n - n_held, now);
    }
}

void
mqtt_input(struct mqtt_broker *b, mqtt_id id, const void *data, size_t n, usec_t now)
{
    uint32_t conn = mqtt_conn_find(b, id);
    struct slice in = { data, (uint32_t) n };
    struct mqtt_conn *c;

    if (!conn || !n) {
        return;
    }
    c = mqtt_conn_at(b, conn);
    b->stats.bytes_in += n;
    if (!(c->flags & (MQTT_CONN_ASKING | MQTT_CONN_STALLED))) {
        mqtt_conn_input(b, conn, in, now);
    } else if (c->flags & MQTT_CONN_ASKING ? !mqtt_ask_hold(b, conn, in)
               : !mqtt_stall_hold(b, conn, in)) {
        b->stats.limit_refused++;
        mqtt_conn_end(b, conn, MQTT_END_CLOSE, 0, now);
    }
}
