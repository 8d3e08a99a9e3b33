/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* See crowd.h. */
#include "sim/crowd.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

enum { UPLINK = 10, CLIENT_PORT = 1, FIRST_TCP_PORT = 1024, MSS = 1400 };

bool
crowd_fail(struct crowd *c, const char *format, ...)
{
    va_list args;

    if (!c->why[0]) {
        va_start(args, format);
        vsnprintf(c->why, sizeof c->why, format, args);
        va_end(args);
    }
    return false;
}

/* ---- Frames to the proxies ---- */

static struct ip_addr
member_addr(const struct member *m)
{
    return addr_v4(0x0a000000 + m->number);
}

static void
send_segment(struct crowd *c, struct member *m, uint8_t flags, const void *data, size_t n)
{
    static uint8_t buf[WIRE_HEADROOM + CROWD_TX];
    struct wire_l3 l3 = {
        .dst_mac = c->service_mac[m->edge],
        .src_mac = { { 2, 1, (uint8_t) (m->number >> 24), (uint8_t) (m->number >> 16),
                       (uint8_t) (m->number >> 8), (uint8_t) m->number } },
        .src = member_addr(m), .dst = c->service[m->edge], .ttl = 64, .df = true,
    };
    struct wire_tcp tcp = {
        .src_port = (uint16_t) (FIRST_TCP_PORT + (m - c->members)), .dst_port = 1883,
        .seq = m->snd_nxt, .ack = m->rcv_nxt, .flags = flags, .wnd = 65535,
    };
    uint8_t *payload = buf + WIRE_HEADROOM, *start;

    if (flags & TCP_SYN) {
        tcp.opts.has_mss = true;
        tcp.opts.mss = MSS;
    }
    if (n) {
        memcpy(payload, data, n);
    }
    start = wire_build_tcp(&l3, &tcp, payload, n);
    m->snd_nxt += (uint32_t) n + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
    m->ack_owed = false;
    proxy_rx_frame(c->proxy[m->edge], CLIENT_PORT, start, (size_t) (payload + n - start), c->now);
}

static void
make_dirty(struct crowd *c, struct member *m)
{
    if (!m->is_dirty) {
        m->is_dirty = true;
        c->dirty[c->n_dirty++] = (uint32_t) (m - c->members);
    }
}

static void
flush(struct crowd *c, struct member *m)
{
    size_t sent = 0;

    if (m->vanished || m->got_rst) {
        m->n_tx = 0;
        return;
    }
    while (sent < m->n_tx) {
        size_t n = MP_MIN(m->n_tx - sent, (size_t) MSS);

        send_segment(c, m, TCP_ACK | TCP_PSH, m->tx + sent, n);
        sent += n;
    }
    m->n_tx = 0;
    if (m->ack_owed) {
        send_segment(c, m, TCP_ACK, NULL, 0);
    }
}

static bool
flush_all(struct crowd *c)
{
    bool any = c->n_dirty > 0;

    while (c->n_dirty) {
        struct member *m = &c->members[c->dirty[--c->n_dirty]];

        m->is_dirty = false;
        flush(c, m);
    }
    return any;
}

/* ---- Frames from the proxies ---- */

static void
answer(struct crowd *c, struct member *m, uint8_t first, const uint8_t *id)
{
    crowd_packet(c, m, first, id, 2);
}

static void
got_publish(struct crowd *c, struct member *m, uint8_t first, struct slice body)
{
    size_t topic_n = (size_t) (body.p[0] << 8 | body.p[1]);
    uint8_t qos = first >> 1 & 3;
    enum crowd_kind kind = CROWD_OTHER;

    if (body.n < 2 + topic_n + (qos ? 2 : 0) || !topic_n) {
        crowd_fail(c, "client %u got a malformed PUBLISH", m->number);
        return;
    }
    switch (body.p[2]) {
    case 'g': kind = CROWD_GROUP; break;
    case 'w': kind = CROWD_WILL; break;
    case 't': kind = CROWD_SHARED; break;
    }
    m->n_messages[kind]++;
    c->n_received[m->edge]++;
    if (qos == 1) {
        answer(c, m, 0x40, body.p + 2 + topic_n);
    } else if (qos == 2 && !m->leaves_qos2_open) {
        answer(c, m, 0x50, body.p + 2 + topic_n);
    }
}

static void
got_packet(struct crowd *c, struct member *m, uint8_t first, struct slice body)
{
    switch (first >> 4) {
    case 2:
        m->n_connacks++;
        m->session_present = body.p[0] & 1;
        m->connack = body.p[1];
        break;
    case 3:
        got_publish(c, m, first, body);
        break;
    case 4:
    case 7:
        m->n_acked++;
        break;
    case 5:
        if (!m->leaves_qos2_open) {
            answer(c, m, 0x62, body.p);
        }
        break;
    case 6:
        answer(c, m, 0x70, body.p);
        break;
    case 9:
        m->n_subacks++;
        break;
    case 13:
        m->n_pingresps++;
        break;
    }
}

static void
read_stream(struct crowd *c, struct member *m)
{
    size_t at = 0;

    while (m->n_rx - at >= 2) {
        size_t n = 0, used = 1;
        unsigned int shift = 0;
        bool more = true;

        while (more && at + used < m->n_rx && used < 5) {
            more = m->rx[at + used] & 0x80;
            n |= (size_t) (m->rx[at + used++] & 0x7f) << shift;
            shift += 7;
        }
        if (more || at + used + n > m->n_rx) {
            break;
        }
        got_packet(c, m, m->rx[at], (struct slice) { m->rx + at + used, (uint32_t) n });
        at += used + n;
    }
    m->n_rx -= at;
    memmove(m->rx, m->rx + at, m->n_rx);
}

static void
got_segment(struct crowd *c, const struct wire_frame *f)
{
    const struct wire_tcp *t = &f->tcp;
    uint32_t i = t->dst_port - FIRST_TCP_PORT;
    struct member *m = &c->members[i];
    struct ip_addr addr;

    if (i >= c->n) {
        crowd_fail(c, "a segment to port %u, which is nobody's", t->dst_port);
        return;
    }
    addr = member_addr(m);
    if (m->vanished || !addr_equal(&f->ip.dst, &addr)) {
        return;                       /* To somebody who was here before. */
    }
    if (t->flags & TCP_RST) {
        m->got_rst = true;
    } else if (t->flags & TCP_SYN) {
        m->rcv_nxt = t->seq + 1;
        m->ack_owed = true;
    } else if (t->seq == m->rcv_nxt && m->n_rx + t->payload.n <= CROWD_RX) {
        if (t->payload.n) {
            memcpy(m->rx + m->n_rx, t->payload.p, t->payload.n);
            m->n_rx += t->payload.n;
        }
        m->rcv_nxt += wire_tcp_seg_len(t);
        m->got_fin |= (t->flags & TCP_FIN) != 0;
        m->ack_owed |= wire_tcp_seg_len(t) > 0;
        read_stream(c, m);
    } else if (wire_tcp_seg_len(t)) {
        m->ack_owed = true;
    }
    if (m->ack_owed) {
        make_dirty(c, m);
    }
}

static void
carry(struct crowd *c, int from, const struct net_tx *tx)
{
    struct wire_frame f;

    if (!tx->flood && tx->port == CLIENT_PORT) {
        if (wire_parse(&f, tx->data, tx->n) != WIRE_OK || f.kind != WIRE_TCP) {
            crowd_fail(c, "a proxy sent what no client expects");
            return;
        }
        got_segment(c, &f);
    } else {
        uint8_t *copy = mem_dup(tx->data, tx->n);

        proxy_rx_frame(c->proxy[!from], UPLINK, copy, tx->n, c->now);
        mem_free(copy);
    }
}

static bool
turn(struct crowd *c)
{
    bool progress = flush_all(c);
    struct net_tx tx;

    for (int i = 0; i < CROWD_EDGES; i++) {
        proxy_run(c->proxy[i], c->now);
        while (proxy_next_frame(c->proxy[i], c->now, &tx)) {
            carry(c, i, &tx);
            progress = true;
        }
    }
    return progress;
}

void
crowd_settle(struct crowd *c)
{
    for (int i = 0; turn(c); i++) {
        if (i == 10000) {
            crowd_fail(c, "no rest at %.6f s", (double) c->now / 1e6);
            return;
        }
    }
}

void
crowd_pass(struct crowd *c, usec_t until)
{
    uint32_t n_late = 0;

    crowd_settle(c);
    for (;;) {
        usec_t at = clock_min(proxy_deadline(c->proxy[0]), proxy_deadline(c->proxy[1]));

        if (at > until || c->why[0]) {
            break;
        }
        /* A deadline may lie in the past, but not stay there. */
        n_late = at <= c->now ? n_late + 1 : 0;
        if (n_late == 10000) {
            crowd_fail(c, "a deadline at %.6f s is not met", (double) at / 1e6);
        }
        c->now = MP_MAX(at, c->now + 1);
        crowd_settle(c);
    }
    c->now = MP_MAX(c->now, until);
}

/* ---- What clients do ---- */

struct member *
crowd_open(struct crowd *c, uint32_t i, uint32_t number, uint8_t edge)
{
    struct member *m = &c->members[i];
    bool is_dirty = m->is_dirty;

    memset(m, 0, offsetof(struct member, rx));
    memset(&m->n_connacks, 0, sizeof *m - offsetof(struct member, n_connacks));
    m->is_dirty = is_dirty;
    m->number = number;
    m->edge = edge;
    m->snd_nxt = number * 2654435761u + (uint32_t) c->now;
    send_segment(c, m, TCP_SYN, NULL, 0);
    return m;
}

void
crowd_packet(struct crowd *c, struct member *m, uint8_t first, const void *body, size_t n)
{
    uint8_t *p = m->tx + m->n_tx;
    size_t left = n;

    if (m->n_tx + n + 5 > CROWD_TX) {
        crowd_fail(c, "client %u has too much to send", m->number);
        return;
    }
    *p++ = first;
    do {
        *p++ = (uint8_t) ((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        left >>= 7;
    } while (left);
    if (n) {
        memcpy(p, body, n);
    }
    m->n_tx = (size_t) (p - m->tx) + n;
    make_dirty(c, m);
}

static void
put_string(struct writer *w, const char *s)
{
    writer_u16(w, (uint16_t) strlen(s));
    writer_bytes(w, s, strlen(s));
}

void
crowd_connect(struct crowd *c, struct member *m, const struct crowd_connect *connect)
{
    uint8_t body[256];
    struct writer w = writer_init(body, sizeof body);
    bool is_v5 = connect->version == 5;
    char id[16];

    snprintf(id, sizeof id, "c%u", m->number);
    m->version = connect->version;
    put_string(&w, "MQTT");
    writer_u8(&w, connect->version);
    writer_u8(&w, (uint8_t) ((is_v5 || connect->expiry_s ? 0 : 2)
                             | (connect->will ? 4 | 1 << 3 : 0)));
    writer_u16(&w, connect->keep_alive_s);
    if (is_v5) {
        writer_u8(&w, 5);
        writer_u8(&w, 0x11);
        writer_u32(&w, connect->expiry_s);
    }
    put_string(&w, id);
    if (connect->will) {
        if (is_v5) {
            writer_u8(&w, 0);
        }
        put_string(&w, connect->will);
        put_string(&w, "gone");
    }
    crowd_packet(c, m, 0x10, body, writer_size(&w));
}

static void
send_filter(struct crowd *c, struct member *m, const char *filter, int qos)
{
    uint8_t body[256];
    struct writer w = writer_init(body, sizeof body);

    writer_u16(&w, 7);
    if (m->version == 5) {
        writer_u8(&w, 0);
    }
    put_string(&w, filter);
    if (qos >= 0) {
        writer_u8(&w, (uint8_t) qos);
    }
    crowd_packet(c, m, qos >= 0 ? 0x82 : 0xa2, body, writer_size(&w));
}

void
crowd_subscribe(struct crowd *c, struct member *m, const char *filter, uint8_t qos)
{
    send_filter(c, m, filter, qos);
}

void
crowd_unsubscribe(struct crowd *c, struct member *m, const char *filter)
{
    send_filter(c, m, filter, -1);
}

void
crowd_publish(struct crowd *c, struct member *m, const struct crowd_publish *p)
{
    uint8_t body[CROWD_TX];
    struct writer w = writer_init(body, sizeof body);

    put_string(&w, p->topic);
    if (p->qos) {
        writer_u16(&w, (uint16_t) (1 + m->n_acked % 65535));
    }
    if (m->version == 5) {
        writer_u8(&w, p->expiry_s ? 5 : 0);
        if (p->expiry_s) {
            writer_u8(&w, 2);
            writer_u32(&w, p->expiry_s);
        }
    }
    for (uint32_t i = 0; i < p->n; i++) {
        writer_u8(&w, 'x');
    }
    crowd_packet(c, m, (uint8_t) (0x30 | p->qos << 1 | p->retain), body, writer_size(&w));
}

void
crowd_fin(struct crowd *c, struct member *m)
{
    flush(c, m);
    send_segment(c, m, TCP_ACK | TCP_FIN, NULL, 0);
}

void
crowd_rst(struct crowd *c, struct member *m)
{
    flush(c, m);
    send_segment(c, m, TCP_ACK | TCP_RST, NULL, 0);
    m->vanished = true;
}

/* ---- Life ---- */

void
crowd_init(struct crowd *c, uint32_t n, void (*tune)(struct proxy_config *))
{
    memset(c, 0, sizeof *c);
    c->now = CLOCK_SEC;
    c->n = n;
    c->members = mem_zalloc(n * sizeof *c->members);
    c->dirty = mem_alloc(n * sizeof *c->dirty);
    for (int i = 0; i < CROWD_EDGES; i++) {
        c->service[i] = addr_v4(0xc0a80165 + (uint32_t) i);
        c->service_mac[i] = net_derive_mac(&c->service[i]);
    }
    for (int i = 0; i < CROWD_EDGES; i++) {
        struct net_service service = {
            .kind = NET_VIRTUAL, .prefix = { .addr = c->service[i], .len = 128 },
        };
        struct peer_spec peer = { .addr = c->service[!i], .port = 1883, .via = PEER_INBAND };
        struct siphash_key key = { 0x1234 + (uint64_t) i, 0x9876 };
        struct proxy_config config;

        proxy_config_default(&config);
        proxy_config_set_key(&config, &key);
        config.net.services = &service;
        config.net.n_services = 1;
        config.net.tcp_port = config.net.udp_port = 1883;
        config.net.probe_mac = (struct mac_addr) { { 2, 0xaa, 0, 0, 0, (uint8_t) i } };
        config.peers = &peer;
        config.n_peers = 1;
        tune(&config);
        c->proxy[i] = proxy_create(&config, c->now);
    }
}

void
crowd_uninit(struct crowd *c)
{
    for (int i = 0; i < CROWD_EDGES; i++) {
        proxy_destroy(c->proxy[i]);
    }
    mem_free(c->members);
    mem_free(c->dirty);
}
