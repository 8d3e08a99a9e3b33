/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* A world small enough for unit tests: one or two whole proxies, a switch beside each, a link
 * between the switches, and hosts whose TCP never loses anything.  Time is virtual.  For loss,
 * reordering and a real reference client see tests/sim; this is for what happens, not for how
 * much of it arrives.  Include it from one source file of a program, after tap.h. */
#ifndef MP_TESTS_UNIT_WORLD_H
#define MP_TESTS_UNIT_WORLD_H 1

#include "base/mem.h"
#include "proxy/proxy.h"

enum { WORLD_UPLINK = 10, WORLD_HOSTS = 9, WORLD_RX = 1 << 20, WORLD_LOG = 256 };

struct host {                         /* One TCP client at port 1..9 of a proxy's switch. */
    struct world *w;
    int side;                         /* Which proxy. */
    uint32_t port;
    struct mac_addr mac, to_mac;
    struct ip_addr addr, to;
    uint16_t tcp_port;
    uint16_t vlan;                    /* 0: untagged. */
    uint32_t snd_una, snd_nxt, rcv_nxt, wnd;
    bool open, got_fin, got_rst, ack_owed;
    bool is_gone;                     /* Hears nothing and says nothing any more. */
    uint8_t tos;                      /* Of what it sends... */
    uint8_t syn_flags;                /* ...these on the SYN as well. */
    uint8_t rx_tos, rx_flags;         /* Of what came last. */
    uint8_t *tx, *rx;
    size_t n_tx, n_rx;                /* Bytes not yet sent, bytes received. */
    size_t n_taken;                   /* Received bytes that a test has looked at. */
};

struct logged {                       /* A UDP datagram that crossed between the switches. */
    int from;
    uint8_t tos;
    size_t n;
    uint8_t data[128];                /* Its beginning. */
};

struct world {
    usec_t now;
    bool v6;
    int n_proxies;
    struct proxy *proxy[2];
    struct ip_addr service[2];
    struct mac_addr service_mac[2];
    struct host *hosts[2][WORLD_HOSTS + 1];
    struct logged log[WORLD_LOG];
    size_t n_log;
    size_t n_fragments;               /* IP fragments that crossed. */
    uint64_t n_frames_to_hosts;
    bool cut;                         /* The link between the switches is down. */
};

static inline struct ip_addr
world_addr(const struct world *w, unsigned int last)
{
    struct ip_addr a = addr_v4(0xc0a80100 | last);

    if (w->v6) {
        ok(addr_parse(&a, "2001:db8::"), "address");
        a.b[15] = (uint8_t) last;
    }
    return a;
}

static inline void
world_init(struct world *w, int n_proxies, bool v6, void (*tune)(struct proxy_config *))
{
    memset(w, 0, sizeof *w);
    w->now = CLOCK_SEC;
    w->v6 = v6;
    w->n_proxies = n_proxies;
    for (int i = 0; i < n_proxies; i++) {
        w->service[i] = world_addr(w, i ? 104 : 101);
        w->service_mac[i] = net_derive_mac(&w->service[i]);
    }
    for (int i = 0; i < n_proxies; i++) {
        struct net_service service = {
            .kind = NET_VIRTUAL, .prefix = { .addr = w->service[i], .len = 128 },
        };
        struct peer_spec peer = { .addr = w->service[!i], .port = 1883, .via = PEER_INBAND };
        struct siphash_key key = { 0x1234 + (uint64_t) i, 0x9876 };
        struct proxy_config config;

        proxy_config_default(&config);
        proxy_config_set_key(&config, &key);
        config.net.services = &service;
        config.net.n_services = 1;
        config.net.tcp_port = config.net.udp_port = 1883;
        config.net.probe_mac = (struct mac_addr) { { 2, 0xaa, 0, 0, 0, (uint8_t) i } };
        config.peers = &peer;
        config.n_peers = n_proxies > 1;
        if (tune) {
            tune(&config);
        }
        w->proxy[i] = proxy_create(&config, w->now);
    }
}

static inline void
world_uninit(struct world *w)
{
    for (int i = 0; i < w->n_proxies; i++) {
        proxy_destroy(w->proxy[i]);
        for (int j = 0; j <= WORLD_HOSTS; j++) {
            if (w->hosts[i][j]) {
                mem_free(w->hosts[i][j]->tx);
                mem_free(w->hosts[i][j]->rx);
                mem_free(w->hosts[i][j]);
            }
        }
    }
}

static inline void
host_segment(struct host *h, uint8_t flags, const void *data, size_t n)
{
    static uint8_t buf[WIRE_HEADROOM + 1600];
    struct wire_l3 l3 = {
        .dst_mac = h->to_mac, .src_mac = h->mac, .src = h->addr, .dst = h->to, .ttl = 64, .df = true,
        .tos = h->tos,
    };
    struct wire_tcp tcp = {
        .src_port = h->tcp_port, .dst_port = 1883, .seq = h->snd_nxt, .ack = h->rcv_nxt,
        .flags = flags, .wnd = 65535,
    };
    uint8_t *start, *payload = buf + WIRE_HEADROOM;

    if (flags & TCP_SYN) {
        tcp.flags |= h->syn_flags;
        tcp.opts.has_mss = true;
        tcp.opts.mss = 1400;
    }
    if (h->vlan) {
        l3.n_tags = 1;
        l3.tags[0] = (struct wire_tag) { ETH_TYPE_VLAN, h->vlan };
    }
    if (n) {
        memcpy(payload, data, n);
    }
    start = wire_build_tcp(&l3, &tcp, payload, n);
    h->snd_nxt += (uint32_t) n + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
    h->ack_owed = false;
    proxy_rx_frame(h->w->proxy[h->side], h->port, start, (size_t) (payload + n - start), h->w->now);
}

static inline void
host_input(struct host *h, const struct wire_frame *f)
{
    const struct wire_tcp *t = &f->tcp;

    if (h->is_gone || t->dst_port != h->tcp_port || (h->vlan != 0) != (f->eth.n_tags == 1)) {
        return;
    }
    h->rx_tos = f->ip.tos;
    h->rx_flags = t->flags;
    h->got_rst |= (t->flags & TCP_RST) != 0;
    if (t->flags & TCP_SYN) {
        h->rcv_nxt = t->seq + 1;
        h->open = true;
        h->ack_owed = true;
    } else if (t->seq == h->rcv_nxt) {
        if (t->payload.n && h->n_rx + t->payload.n <= WORLD_RX) {
            memcpy(h->rx + h->n_rx, t->payload.p, t->payload.n);
            h->n_rx += t->payload.n;
        }
        h->rcv_nxt += wire_tcp_seg_len(t);
        h->got_fin |= (t->flags & TCP_FIN) != 0;
        h->ack_owed |= wire_tcp_seg_len(t) > 0;
    }
    if (t->flags & TCP_ACK) {
        h->snd_una = t->ack;
        h->wnd = t->wnd;
    }
}

/* Sends what the window allows, or the ACK that is owed.  True when it sent anything. */
static inline bool
host_push(struct host *h)
{
    bool sent = false;

    while (h->open && !h->got_rst && h->n_tx) {
        uint32_t in_flight = h->snd_nxt - h->snd_una;
        size_t room = h->wnd > in_flight ? h->wnd - in_flight : 0;
        size_t n = MP_MIN(MP_MIN(h->n_tx, room), (size_t) 1400);

        if (!n) {
            break;
        }
        host_segment(h, TCP_ACK | TCP_PSH, h->tx, n);
        h->n_tx -= n;
        memmove(h->tx, h->tx + n, h->n_tx);
        sent = true;
    }
    if (h->ack_owed && !h->got_rst) {
        host_segment(h, TCP_ACK, NULL, 0);
        sent = true;
    }
    return sent;
}

static inline void
world_log(struct world *w, int from, const struct wire_frame *f)
{
    if (f->kind == WIRE_UDP && w->n_log < WORLD_LOG) {
        struct logged *l = &w->log[w->n_log++];

        l->from = from;
        l->tos = f->ip.tos;
        l->n = f->udp.payload.n;
        memcpy(l->data, f->udp.payload.p, MP_MIN(l->n, sizeof l->data));
    } else if (f->kind == WIRE_FRAGMENT) {
        w->n_fragments++;
    }
}

static inline void
world_carry(struct world *w, int from, const struct net_tx *tx)
{
    struct wire_frame f;

    if (wire_parse(&f, tx->data, tx->n) != WIRE_OK) {
        ok(false, "a proxy sends only well-formed frames");
        return;
    }
    if (!tx->flood && tx->port <= WORLD_HOSTS) {
        struct host *h = w->hosts[from][tx->port];

        w->n_frames_to_hosts++;
        if (h && f.kind == WIRE_TCP && mac_equal(&f.eth.dst, &h->mac)) {
            host_input(h, &f);
        }
    } else if (w->n_proxies > 1 && !w->cut) {
        uint8_t *copy = mem_dup(tx->data, tx->n);

        world_log(w, from, &f);
        proxy_rx_frame(w->proxy[!from], WORLD_UPLINK, copy, tx->n, w->now);
        mem_free(copy);
    }
}

/* Turns until nothing moves at this instant. */
static inline void
world_settle(struct world *w)
{
    bool progress = true;

    for (int turn = 0; progress && turn < 10000; turn++) {
        struct net_tx tx;

        progress = false;
        for (int i = 0; i < w->n_proxies; i++) {
            proxy_run(w->proxy[i], w->now);
            while (proxy_next_frame(w->proxy[i], w->now, &tx)) {
                world_carry(w, i, &tx);
                progress = true;
            }
            for (int j = 1; j <= WORLD_HOSTS; j++) {
                if (w->hosts[i][j]) {
                    progress |= host_push(w->hosts[i][j]);
                }
            }
        }
    }
    ok(!progress, "the world comes to rest");
}

/* Lets time pass, doing everything at its deadline. */
static inline void
world_pass(struct world *w, usec_t us)
{
    usec_t end = w->now + us;

    world_settle(w);
    for (;;) {
        usec_t at = CLOCK_NEVER;

        for (int i = 0; i < w->n_proxies; i++) {
            at = clock_min(at, proxy_deadline(w->proxy[i]));
        }
        if (at > end) {
            break;
        }
        if (at > w->now) {
            w->now = at;
        } else {
            w->now++;                 /* A deadline in the past must not stop the clock. */
        }
        struct net_tx tx;

        for (int i = 0; i < w->n_proxies; i++) {
            proxy_run(w->proxy[i], w->now);
            while (proxy_next_frame(w->proxy[i], w->now, &tx)) {
                world_carry(w, i, &tx);
            }
            for (int j = 1; j <= WORLD_HOSTS; j++) {
                if (w->hosts[i][j]) {
                    host_push(w->hosts[i][j]);
                }
            }
        }
    }
    w->now = end;
    world_settle(w);
}

static inline struct host *
host_connect(struct world *w, int side, uint32_t port)
{
    struct host *h = mem_zalloc(sizeof *h);

    if (w->hosts[side][port]) {
        mem_free(w->hosts[side][port]->tx);
        mem_free(w->hosts[side][port]->rx);
        mem_free(w->hosts[side][port]);
    }
    w->hosts[side][port] = h;
    h->w = w;
    h->side = side;
    h->port = port;
    h->mac = (struct mac_addr) { { 0, 0, 0, 0, (uint8_t) side, (uint8_t) port } };
    h->to_mac = w->service_mac[side];
    h->addr = world_addr(w, 10u * (unsigned int) (side + 1) + port);
    h->to = w->service[side];
    h->tcp_port = (uint16_t) (40000 + (w->now / CLOCK_MSEC) % 10000);
    h->snd_nxt = h->snd_una = 0xfffffff0;
    h->tx = mem_alloc(WORLD_RX);
    h->rx = mem_alloc(WORLD_RX);
    return h;
}

static inline void
host_open(struct host *h)
{
    host_segment(h, TCP_SYN, NULL, 0);
    world_settle(h->w);
}

static inline void
host_send(struct host *h, const void *data, size_t n)
{
    memcpy(h->tx + h->n_tx, data, n);
    h->n_tx += n;
    host_push(h);
    world_settle(h->w);
}

/* A small control packet: fixed header and body. */
static inline void
host_packet(struct host *h, uint8_t first, const void *body, size_t n)
{
    uint8_t *buf = mem_alloc(n + 5), *p = buf;
    size_t left = n;

    *p++ = first;
    do {
        *p++ = (uint8_t) ((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        left >>= 7;
    } while (left);
    if (n) {
        memcpy(p, body, n);
    }
    host_send(h, buf, (size_t) (p - buf) + n);
    mem_free(buf);
}

static inline void
put_string(struct writer *w, const char *s)
{
    writer_u16(w, (uint16_t) strlen(s));
    writer_bytes(w, s, strlen(s));
}

static inline void
host_mqtt_connect(struct host *h, const char *client_id, uint16_t keep_alive_s, const char *will)
{
    uint8_t body[256];
    struct writer w = writer_init(body, sizeof body);

    put_string(&w, "MQTT");
    writer_u8(&w, 4);
    writer_u8(&w, (uint8_t) (2 | (will ? 4 : 0)));
    writer_u16(&w, keep_alive_s);
    put_string(&w, client_id);
    if (will) {
        put_string(&w, will);
        put_string(&w, "gone");
    }
    host_packet(h, 0x10, body, writer_size(&w));
}

static inline void
host_subscribe(struct host *h, const char *filter)
{
    uint8_t body[256];
    struct writer w = writer_init(body, sizeof body);

    writer_u16(&w, 1);
    put_string(&w, filter);
    writer_u8(&w, 0);
    host_packet(h, 0x82, body, writer_size(&w));
}

static inline void
host_publish(struct host *h, const char *topic, const void *payload, size_t n)
{
    uint8_t *body = mem_alloc(n + 256);
    struct writer w = writer_init(body, n + 256);

    put_string(&w, topic);
    writer_bytes(&w, payload, n);
    host_packet(h, 0x30, body, writer_size(&w));
    mem_free(body);
}

/* Compares what the host received since the last call. */
#define host_got(H, BYTES, N, ...)                                                      \
    do {                                                                                \
        struct host *h_ = (H);                                                          \
        is_mem(h_->rx + h_->n_taken, h_->n_rx - h_->n_taken, (BYTES), (size_t) (N), __VA_ARGS__); \
        h_->n_taken = h_->n_rx;                                                         \
    } while (0)

#endif
