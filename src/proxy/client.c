/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Clients: what TCP says goes to the broker, what the broker says goes to TCP.
 *
 *     utcp  OPEN   -> mqtt_open          mqtt  CREDIT  -> utcp_credit (the window opens)
 *           DATA   -> mqtt_input               CLOSE   -> rest of the output, FIN
 *           FIN    -> mqtt_closed, FIN         ABORT   -> RST
 *           CLOSED -> mqtt_closed, gone        AUTH    -> proxy_next_auth()
 *                                              ..GONE  -> proxy_next_auth_gone()
 *                                              others  -> route.c
 *
 * Back-pressure: broker output moves into a TCP send queue only while that has room; what a slow
 * subscriber does not take stays in its session's queue, where the limits are.  What a peer does not
 * take stays in the peer's queue, and whoever fills that finds its window closed.
 *
 * A client takes no memory of its own: the TCP connection's handle names the Network Connection by
 * its index, and the other way round.  Either side may end first.  TCP's side of the knot is undone
 * as soon as the broker was told; the client is gone at TCP's CLOSED event and not before. */
#include "proxy/private.h"

struct client {                       /* One TCP connection joined to one Network Connection. */
    utcp_id tcp;
    mqtt_id mqtt;                     /* 0: the broker is done with it, TCP is still closing. */
};

/* 'handle' is that of 'tcp'. */
static struct client
client_of(const struct proxy *p, utcp_id tcp, uint32_t handle)
{
    return (struct client) { tcp, mqtt_find(p->mqtt, handle & ~IS_CLIENT, (uint32_t) tcp) };
}

/* The client of which the broker speaks; false if they have parted. */
static bool
find_client(const struct proxy *p, mqtt_id id, uint32_t user, struct client *c)
{
    utcp_id tcp = utcp_at(p->utcp, user);

    *c = client_of(p, tcp, utcp_user(p->utcp, tcp));
    return c->mqtt && c->mqtt == id;
}

/* What a connection that is being closed may still be given beyond its send queue's limit: a last
 * acknowledgement or DISCONNECT, not all that a slow subscriber did not take. */
#define CLOSING_ROOM 65536

static void
take_output(struct proxy *p, const struct client *c, uint32_t room, usec_t now)
{
    struct mqtt_output out;

    while (room > 0 && mqtt_next_output(p->mqtt, c->mqtt, room, now, &out)) {
        uint32_t n = out.head_n;

        utcp_send_copy(p->utcp, c->tcp, out.head, out.head_n);
        if (out.extra) {
            n += out.extra->size;
            utcp_send_mbuf(p->utcp, c->tcp, out.extra, 0, out.extra->size);
            mbuf_unref(out.extra);
        }
        if (out.body) {
            n += out.body_n;
            utcp_send_mbuf(p->utcp, c->tcp, out.body, out.body_off, out.body_n);
            mbuf_unref(out.body);
        }
        room -= MP_MIN(room, n);
    }
}

static void
pump(struct proxy *p, const struct client *c, usec_t now)
{
    if (c->mqtt) {
        take_output(p, c, utcp_send_room(p->utcp, c->tcp), now);
    }
}

static void
end_mqtt(struct proxy *p, struct client *c, usec_t now)
{
    mqtt_id id = c->mqtt;

    if (id) {
        c->mqtt = 0;
        utcp_set_user(p->utcp, c->tcp, IS_CLIENT);
        mqtt_closed(p->mqtt, id, now);
    }
}

static void
tcp_open(struct proxy *p, utcp_id conn, usec_t now)
{
    struct utcp_info info;
    struct net_path path;
    mqtt_id id = 0;

    p->stats.clients_opened++;
    if (!utcp_info(p->utcp, conn, &info)) {
        return;
    }
    proxy_path(&info.path, &path);
    struct mqtt_origin origin = {
        .addr = info.tuple.remote,
        .tcp_port = info.tuple.remote_port,
        .ingress_port = path.port,
        .vlan = path.n_tags ? path.tci[path.n_tags - 1] & 0xfff : 0,
        .mac = path.client,
    };

    if (!p->shutting_down) {
        id = mqtt_open(p->mqtt, &origin, (uint32_t) conn, now);
    }
    if (id) {
        utcp_set_user(p->utcp, conn, IS_CLIENT | (uint32_t) id);
        p->n_clients++;
        return;
    }
    p->stats.clients_refused++;
    utcp_abort(p->utcp, conn);
}

/* TCP goes on until R2; an operator who looks for a lost client wants to know. */
static void
say_r1(struct proxy *p, utcp_id conn)
{
    struct utcp_info info;
    char addr[ADDR_STRLEN];

    if (utcp_info(p->utcp, conn, &info)) {
        notice_put(p, PROXY_NOTICE_DEBUG, "client %s, port %u: nothing acknowledged (%u octets) "
                   "until R1", addr_format(&info.tuple.remote, addr), info.tuple.remote_port,
                   info.snd_unacked);
    }
}

static void
tcp_event(struct proxy *p, const struct utcp_event *ev, usec_t now)
{
    struct client c;

    if (ev->type == UTCP_EV_OPEN) {
        tcp_open(p, ev->conn, now);
        return;
    }
    if (!(ev->user & IS_CLIENT)) {
        return;
    }
    c = client_of(p, ev->conn, ev->user);
    switch (ev->type) {
    case UTCP_EV_DATA:
        if (c.mqtt) {
            mqtt_input(p->mqtt, c.mqtt, ev->data.p, ev->data.n, now);
        } else {
            /* The broker closed already; bytes still on their way are nobody's. */
            utcp_credit(p->utcp, ev->conn, ev->data.n);
        }
        break;
    case UTCP_EV_FIN:
        /* MQTT has no half-open connections: what the client was owed on the way (a PUBACK) still
         * leaves, and our side closes too. */
        if (c.mqtt) {
            take_output(p, &c, CLOSING_ROOM, now);
        }
        end_mqtt(p, &c, now);
        utcp_close(p->utcp, ev->conn);
        break;
    case UTCP_EV_WRITABLE:
        pump(p, &c, now);
        break;
    case UTCP_EV_CLOSED:
        end_mqtt(p, &c, now);
        p->n_clients--;
        break;
    case UTCP_EV_R1:
        say_r1(p, ev->conn);
        break;
    case UTCP_EV_OPEN:
        break;
    }
}

static void
auth_put(struct auth_queue *q, mqtt_id id)
{
    q->ids = mem_grow(q->ids, &q->allocated, q->n + 1, sizeof *q->ids);
    q->ids[q->n++] = id;
}

static void
mqtt_event(struct proxy *p, const struct mqtt_event *ev, usec_t now)
{
    struct client c;
    bool current;

    if (ev->type == MQTT_EV_SUBSCRIBE || ev->type == MQTT_EV_UNSUBSCRIBE
        || ev->type == MQTT_EV_PUBLISH) {
        route_from_broker(p, ev, now);
        return;
    }
    if (ev->type == MQTT_EV_AUTH_GONE) {
        auth_put(&p->auth_gone, ev->conn);
        return;
    }
    current = find_client(p, ev->conn, ev->user, &c);
    switch (ev->type) {
    case MQTT_EV_CREDIT:
        if (current) {
            utcp_credit(p->utcp, c.tcp, ev->n);
        }
        break;
    case MQTT_EV_CLOSE:
        if (current) {
            take_output(p, &c, CLOSING_ROOM, now);
            utcp_close(p->utcp, c.tcp);
            end_mqtt(p, &c, now);
        }
        break;
    case MQTT_EV_ABORT:
        if (current) {
            utcp_abort(p->utcp, c.tcp);
            end_mqtt(p, &c, now);
        }
        break;
    case MQTT_EV_AUTH:
        if (current) {
            auth_put(&p->auth_queue, ev->conn);
        }
        break;
    case MQTT_EV_AUTH_GONE:
    case MQTT_EV_SUBSCRIBE:
    case MQTT_EV_UNSUBSCRIBE:
    case MQTT_EV_PUBLISH:
        break;
    }
}

/* The broker's first, and again after each of TCP's: at CLOSED a client is gone, and no event of the
 * broker may name one that is. */
void
client_drain(struct proxy *p, usec_t now)
{
    struct utcp_event tcp_ev;
    struct mqtt_event mqtt_ev;

    for (;;) {
        while (mqtt_next_event(p->mqtt, &mqtt_ev)) {
            mqtt_event(p, &mqtt_ev, now);
        }
        if (!utcp_next_event(p->utcp, &tcp_ev)) {
            break;
        }
        tcp_event(p, &tcp_ev, now);
    }
}

void
client_pump_ready(struct proxy *p, usec_t now)
{
    uint32_t user, n_ahead = 0;
    mqtt_id id;

    for (;;) {
        struct client c;

        n_ahead = n_ahead ? n_ahead - 1 : ahead_of_ready(p);
        if (!mqtt_next_ready(p->mqtt, &id, &user)) {
            break;
        }
        if (find_client(p, id, user, &c)) {
            pump(p, &c, now);
        }
    }
}
