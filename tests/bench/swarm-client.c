/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* One client of the swarm: SYN, ACK, CONNECT, two SUBSCRIBEs, and a PINGREQ when it is told to, each
 * after the answer to the one before.  Its SYN has the options of a Linux client's.  A switch drops
 * packet-ins silently, so whatever waits for an answer has a timer.  One thread. */
#include "bench/swarm.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RTO_US (250 * CLOCK_MSEC)
#define MAX_BACKOFF 4
#define MAX_TRIES 12
#define FIRST_ADDRESS 0x0a000001u     /* 10.0.0.1 */
#define KEEP_ALIVE_S 1200

static const uint8_t connack[] = { 0x20, 2, 0, 0 };
static const uint8_t suback[] = { 0x90, 3, 0, 1, 0 };
static const uint8_t pingresp[] = { 0xd0, 0 };

static struct swarm_client *
client(const struct swarm *s, uint32_t i)
{
    return slab_at(&s->slab, i + 1);
}

/* ---- What it sends ---- */

static void
put_segment(struct swarm *s, uint32_t i, uint8_t flags, struct slice data)
{
    struct swarm_client *c = client(s, i);
    uint8_t buf[WIRE_HEADROOM + SWARM_FRAME], *payload = buf + WIRE_HEADROOM, *start;
    uint32_t host = i / SWARM_PORTS;
    struct wire_l3 l3 = {
        .dst_mac = s->service_mac,
        .src_mac = { { 2, 0x73, 0, (uint8_t) (host >> 16), (uint8_t) (host >> 8),
                       (uint8_t) host } },
        .src = addr_v4(FIRST_ADDRESS + host), .dst = s->service, .ttl = 64, .df = true,
    };
    struct wire_tcp tcp = {
        .src_port = (uint16_t) (SWARM_FIRST_PORT + i % SWARM_PORTS), .dst_port = s->port,
        .seq = data.n || flags & TCP_SYN ? c->snd_una : c->snd_nxt, .ack = c->rcv_nxt,
        .flags = flags, .wnd = 64240,
        .opts = { .has_ts = true, .ts_val = (uint32_t) (s->now / 1000), .ts_ecr = c->ts_ecr },
    };

    if (flags & TCP_SYN) {
        tcp.opts.has_mss = tcp.opts.has_wscale = tcp.opts.sack_permitted = true;
        tcp.opts.mss = 1460;
        tcp.opts.wscale = 7;
    }
    if (data.n) {
        memcpy(payload, data.p, data.n);
    }
    start = wire_build_tcp(&l3, &tcp, payload, data.n);
    swarm_io_put(&s->io, start, (size_t) (payload + data.n - start));
}

static void
put_ack(struct swarm *s, uint32_t i)
{
    put_segment(s, i, TCP_ACK, (struct slice) { NULL, 0 });
}

static void
put_string(struct writer *w, const char *string)
{
    writer_u16(w, (uint16_t) strlen(string));
    writer_bytes(w, string, strlen(string));
}

/* The control packet of the client's stage; its remaining length takes one byte. */
static uint32_t
build_request(uint8_t *buf, uint32_t i, enum swarm_stage stage)
{
    struct writer w = writer_init(buf, SWARM_FRAME / 2);
    char text[40];

    if (stage == SWARM_CONNECTING) {
        snprintf(text, sizeof text, "client-%u", i);
        writer_bytes(&w, "\x10\0\0\4MQTT\4\2", 10);
        writer_u16(&w, KEEP_ALIVE_S);
        put_string(&w, text);
    } else if (stage == SWARM_PINGING) {
        writer_bytes(&w, "\xc0\0", 2);
    } else {
        snprintf(text, sizeof text, stage == SWARM_SUBSCRIBING ? "device/%u/command" : "site/%u/#",
                 stage == SWARM_SUBSCRIBING ? i : i / 1000);
        writer_bytes(&w, "\x82\0\0\1", 4);
        put_string(&w, text);
        writer_u8(&w, 0);
    }
    mp_assert(!w.failed);
    buf[1] = (uint8_t) (w.p - buf - 2);
    return (uint32_t) (w.p - buf);
}

/* Sends the request of the client's stage, for the first time or again. */
static void
put_request(struct swarm *s, uint32_t i)
{
    struct swarm_client *c = client(s, i);
    uint8_t buf[SWARM_FRAME / 2];

    if (c->stage == SWARM_SYN_SENT) {
        c->snd_nxt = c->snd_una + 1;
        put_segment(s, i, TCP_SYN, (struct slice) { NULL, 0 });
    } else {
        uint32_t n = build_request(buf, i, c->stage);

        c->snd_nxt = c->snd_una + n;
        put_segment(s, i, TCP_ACK | TCP_PSH, (struct slice) { buf, n });
    }
    wheel_arm(&s->wheel, i + 1, s->now + (RTO_US << MP_MIN(c->n_tries, MAX_BACKOFF)));
}

static void
enter(struct swarm *s, uint32_t i, enum swarm_stage stage)
{
    struct swarm_client *c = client(s, i);

    c->stage = (uint8_t) stage;
    c->n_tries = 0;
    c->asked_at = (uint32_t) s->now;
    put_request(s, i);
}

void
swarm_open(struct swarm *s, uint32_t i)
{
    struct swarm_client *c = client(s, i);

    c->snd_una = (uint32_t) prng_u64(&s->prng);
    s->counts.n_opening++;
    enter(s, i, SWARM_SYN_SENT);
}

bool
swarm_ping(struct swarm *s, uint32_t i)
{
    if (client(s, i)->stage != SWARM_OPEN) {
        return false;
    }
    enter(s, i, SWARM_PINGING);
    return true;
}

/* ---- What it receives ---- */

static void
lose(struct swarm *s, uint32_t i, const char *why)
{
    struct swarm_client *c = client(s, i);

    fprintf(stderr, "swarm: client %u, stage %u: %s\n", i, c->stage, why);
    if (c->stage < SWARM_OPEN) {
        s->counts.n_opening--;
    } else {
        s->counts.n_open--;
    }
    s->counts.n_lost++;
    c->stage = SWARM_LOST;
    wheel_disarm(&s->wheel, i + 1);
}

static void
input_syn_ack(struct swarm *s, uint32_t i, const struct wire_tcp *seg)
{
    struct swarm_client *c = client(s, i);

    if (c->stage == SWARM_SYN_SENT && seg->flags & TCP_ACK && seg->ack == c->snd_nxt) {
        c->snd_una = seg->ack;
        c->rcv_nxt = seg->seq + 1;
        c->ts_ecr = seg->opts.ts_val;
        s->counts.full_options += seg->opts.has_mss && seg->opts.has_wscale
                                  && seg->opts.sack_permitted && seg->opts.has_ts;
        put_ack(s, i);
        enter(s, i, SWARM_CONNECTING);
    } else if (c->stage != SWARM_SYN_SENT) {
        put_ack(s, i);                /* It did not hear the first one. */
    }
}

/* The answer to its request is there. */
static void
advance(struct swarm *s, uint32_t i)
{
    struct swarm_client *c = client(s, i);

    if (c->stage < SWARM_SUBSCRIBING_AGAIN) {
        enter(s, i, c->stage + 1);
        return;
    }
    if (c->stage == SWARM_PINGING) {
        s->counts.ping_us[s->counts.pings_answered++] = (uint32_t) s->now - c->asked_at;
    } else {
        s->counts.n_opening--;
        s->counts.n_open++;
    }
    c->stage = SWARM_OPEN;
    wheel_disarm(&s->wheel, i + 1);
    put_ack(s, i);
}

static bool
is_expected(enum swarm_stage stage, struct slice answer)
{
    static const struct slice answers[] = {
        [SWARM_CONNECTING] = { connack, sizeof connack },
        [SWARM_SUBSCRIBING] = { suback, sizeof suback },
        [SWARM_SUBSCRIBING_AGAIN] = { suback, sizeof suback },
        [SWARM_PINGING] = { pingresp, sizeof pingresp },
    };

    return stage < MP_ARRAY_SIZE(answers) && answers[stage].n == answer.n
           && !memcmp(answers[stage].p, answer.p, answer.n);
}

static void
input_segment(struct swarm *s, uint32_t i, const struct wire_tcp *seg)
{
    struct swarm_client *c = client(s, i);

    if (c->stage == SWARM_CLOSED || c->stage == SWARM_LOST) {
        return;
    } else if (seg->flags & (TCP_RST | TCP_FIN)) {
        lose(s, i, seg->flags & TCP_RST ? "reset" : "closed by the other side");
    } else if (seg->flags & TCP_SYN) {
        input_syn_ack(s, i, seg);
    } else if (c->stage != SWARM_SYN_SENT) {
        if (seg->ack - c->snd_una <= c->snd_nxt - c->snd_una) {
            c->snd_una = seg->ack;
        }
        if (!seg->payload.n) {
            return;
        } else if (seg->seq != c->rcv_nxt) {
            put_ack(s, i);            /* A repetition. */
        } else if (!is_expected(c->stage, seg->payload)) {
            lose(s, i, "an answer that does not belong to the question");
        } else {
            c->rcv_nxt += seg->payload.n;
            c->ts_ecr = seg->opts.ts_val;
            advance(s, i);
        }
    }
}

void
swarm_input(struct swarm *s, const uint8_t *frame, size_t n)
{
    struct wire_frame f;
    uint32_t host, port;

    if (wire_parse(&f, frame, n) != WIRE_OK || f.kind != WIRE_TCP
        || !addr_equal(&f.ip.src, &s->service) || f.tcp.src_port != s->port
        || !addr_is_v4(&f.ip.dst)) {
        return;
    }
    host = addr_to_v4(&f.ip.dst) - FIRST_ADDRESS;
    port = (uint32_t) f.tcp.dst_port - SWARM_FIRST_PORT;
    if (port < SWARM_PORTS && host < UINT32_MAX / SWARM_PORTS
        && host * SWARM_PORTS + port < s->n) {
        input_segment(s, host * SWARM_PORTS + port, &f.tcp);
    }
}

/* ---- Time ---- */

void
swarm_run_timers(struct swarm *s)
{
    uint32_t object;

    while ((object = wheel_next_expired(&s->wheel, s->now)) != SLAB_NONE) {
        uint32_t i = object - 1;
        struct swarm_client *c = client(s, i);

        if (++c->n_tries > MAX_TRIES) {
            lose(s, i, "no answer");
        } else if (c->snd_una != c->snd_nxt || c->stage == SWARM_SYN_SENT) {
            *(c->stage == SWARM_SYN_SENT ? &s->counts.syns_again : &s->counts.requests_again) += 1;
            put_request(s, i);
        } else {                      /* The answer is lost, and the other side's to repeat. */
            wheel_arm(&s->wheel, object, s->now + (RTO_US << MP_MIN(c->n_tries, MAX_BACKOFF)));
        }
    }
}
