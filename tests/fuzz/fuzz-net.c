/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* net as a whole: an input is a little program of frames that come in, time that passes, datagrams
 * to send and probes that are answered.  Frames out must be well-formed and within the MTU, what
 * goes up must be for a service, limits must hold, time must make progress. */

#include "fuzz/fuzz.h"

#include "base/mem.h"
#include "fuzz/fixup.h"
#include "net/net.h"
#include "wire/nd.h"

#define MAX_NEIGHBOURS 4
#define N_SERVICES 5
#define MTU 1280

struct state {
    struct net *net;
    usec_t now;
    struct net_rx rx;
    bool have_sent;
    struct wire_frame sent;           /* Pulled last; its slices point into 'out'. */
    uint8_t out[MTU + WIRE_HEADROOM];
};

static const char *const addrs[2][4] = {
    { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" },
    { "fd00::1", "fd00::2", "fd00::3", "fd00::4" },
};

/* Of a small universe, so that mutations meet: 1 is virtual, 2 taken. */
static struct ip_addr
some_addr(uint8_t pick)
{
    struct ip_addr a;

    mp_assert(addr_parse(&a, addrs[pick >> 2 & 1][pick & 3]));
    return a;
}

static struct net *
create(usec_t now)
{
    static struct net_service services[N_SERVICES];
    struct net_config config;

    for (unsigned int i = 0; i < 4; i++) {
        services[i].kind = i % 2 ? NET_TAKEN : NET_VIRTUAL;
        services[i].prefix.addr = some_addr((uint8_t) ((i / 2) << 2 | i % 2));
        services[i].prefix.len = 128;
    }
    services[4].kind = NET_TAKEN;     /* ANY. */
    net_config_default(&config);
    config.services = services;
    config.n_services = N_SERVICES;
    config.probe_mac = (struct mac_addr) { { 2, 0, 0, 0, 0, 9 } };
    config.gateway = some_addr(3);
    config.mtu = MTU;
    config.max_reassembly = 4;
    config.max_reassembly_bytes = 9000;
    config.max_neighbours = MAX_NEIGHBOURS;
    config.max_queued_per_neighbour = 2;
    config.max_out_bytes = 90000;
    return net_create(&config, now);
}

static void
input(struct state *s, uint32_t port, const uint8_t *frame, size_t n)
{
    uint8_t *copy = mem_dup(frame, n);

    fixup_frame(copy, n);
    net_input(s->net, port, copy, n, s->now, &s->rx);
    if (s->rx.type == NET_RX_TCP || s->rx.type == NET_RX_UDP) {
        struct slice p = s->rx.type == NET_RX_TCP ? s->rx.frame.tcp.payload
                                                  : s->rx.frame.udp.payload;
        volatile uint8_t sum = 0;

        mp_assert(s->rx.frame.kind == (s->rx.type == NET_RX_TCP ? WIRE_TCP : WIRE_UDP));
        mp_assert(net_find_service(s->net, &s->rx.frame.ip.dst) >= 0);
        mp_assert(s->rx.path.port == port && s->rx.path.n_tags <= WIRE_MAX_TAGS);
        for (uint32_t i = 0; i < p.n; i++) {        /* For the sanitizer to see it is there. */
            sum = (uint8_t) (sum + p.p[i]);
        }
    } else if (s->rx.type == NET_RX_ICMP_ERROR) {
        mp_assert(net_find_service(s->net, &s->rx.icmp.local) >= 0);
        mp_assert(!s->rx.icmp.mtu || s->rx.icmp.too_big);
    }
    mem_free(copy);
}

static void
pull(struct state *s, unsigned int max)
{
    struct net_tx tx;

    while (max-- && net_next_frame(s->net, s->now, s->out, sizeof s->out, &tx)) {
        mp_assert(tx.n <= MTU + 14 + 8 && tx.data >= s->out
                  && tx.data + tx.n <= s->out + sizeof s->out);
        mp_assert(wire_parse(&s->sent, tx.data, tx.n) == WIRE_OK && !s->sent.csum_unverified);
        mp_assert(!mac_is_multicast(&s->sent.eth.src));
        s->have_sent = true;
    }
}

static void
check_limits(const struct state *s)
{
    struct net_neighbour n;
    unsigned int count = 0;

    for (uint32_t pos = 0; net_walk_neighbours(s->net, &pos, &n);) {
        count++;
        mp_assert(n.n_queued <= 2);
    }
    mp_assert(count <= MAX_NEIGHBOURS + 2);         /* And the two owners. */
}

static void
pass_time(struct state *s, usec_t us)
{
    usec_t end = s->now + us;
    unsigned int spins = 0;

    while (net_deadline(s->net) <= end) {
        usec_t at = net_deadline(s->net);

        spins = at > s->now ? 0 : spins + 1;
        mp_assert(spins < 1000);
        s->now = at > s->now ? at : s->now;
        net_run(s->net, s->now);
    }
    s->now = end;
    net_run(s->net, s->now);
}

static void
send_datagram(struct state *s, struct fuzz_input *in)
{
    uint8_t pick = fuzz_take_u8(in);
    struct mbuf *payload = mbuf_create(fuzz_take_u16(in));
    struct net_dgram d = {
        .local = some_addr(pick >> 3 & 7), .remote = some_addr(pick & 7),
        .local_port = 1883, .remote_port = 1883, .bcast = pick >> 7,
    };

    memset(payload->data, pick, payload->size);
    net_send_udp(s->net, &d, payload, s->now);
    mbuf_unref(payload);
}

static struct wire_l3
some_l3(struct fuzz_input *in)
{
    uint8_t pick = fuzz_take_u8(in);
    struct wire_l3 l3 = {
        .dst_mac = { { 2, 0, 0, 0, 0, 1 } }, .src_mac = { { 0, 0, 0, 0, 0, pick & 3 } },
        .src = some_addr(pick & 7), .ttl = 64,
        .n_tags = (pick >> 6) % 3,
        .tags = { { ETH_TYPE_VLAN, 5 }, { ETH_TYPE_VLAN, 6 } },
    };

    l3.dst = some_addr((uint8_t) ((pick & 4) | (pick >> 3 & 3)));
    return l3;
}

static void
input_fragment(struct state *s, struct fuzz_input *in)
{
    struct wire_l3 l3 = some_l3(in);
    uint8_t id = fuzz_take_u8(in), off = fuzz_take_u8(in), len = fuzz_take_u8(in);
    struct wire_fragment frag = {
        .proto = id & 0x80 ? IP_PROTO_UDP : IP_PROTO_ICMP, .id = id & 3,
        .off = (uint16_t) (off * 8), .more = len & 1,
    };
    uint8_t buf[WIRE_HEADROOM + 1024] = { 0 };
    size_t n = frag.more ? (len >> 1) * 8u : len;
    uint8_t *start = wire_build_fragment(&l3, &frag, buf + WIRE_HEADROOM, n);

    input(s, id & 7, start, (size_t) (buf + WIRE_HEADROOM + n - start));
}

static void
input_datagram(struct state *s, struct fuzz_input *in)
{
    struct wire_l3 l3 = some_l3(in);
    uint16_t port = fuzz_take_u8(in) & 1 ? 1883 : 53;
    struct fuzz_input body = fuzz_take_bytes(in, fuzz_take_u8(in));
    uint8_t buf[WIRE_HEADROOM + 256];

    memcpy(buf + WIRE_HEADROOM, body.data, body.size);

    uint8_t *start = wire_build_udp(&l3, 1883, port, buf + WIRE_HEADROOM, body.size);

    input(s, port & 7, start, (size_t) (buf + WIRE_HEADROOM + body.size - start));
}

/* The neighbour whom the frame pulled last asks for answers. */
static void
answer(struct state *s, struct fuzz_input *in)
{
    uint8_t buf[WIRE_HEADROOM];
    uint8_t *end = buf + sizeof buf, *start;
    struct mac_addr mac = { { 0, 0, 0, 0, 1, fuzz_take_u8(in) } };
    struct wire_nd nd;

    if (s->have_sent && s->sent.kind == WIRE_ARP) {
        struct wire_eth eth = s->sent.eth;
        struct wire_arp arp = { .op = 2, .sha = mac, .spa = s->sent.arp.tpa,
                                .tha = s->sent.arp.sha, .tpa = s->sent.arp.spa };

        eth.dst = s->sent.eth.src;
        eth.src = mac;
        start = wire_build_arp(&eth, &arp, end);
    } else if (s->have_sent && wire_nd_parse(&nd, &s->sent) && nd.type == ND_SOLICIT) {
        struct wire_l3 l3 = { .dst_mac = s->sent.eth.src, .src_mac = mac, .src = nd.target,
                              .dst = s->sent.ip.src };

        nd.type = ND_ADVERT;
        nd.flags = ND_SOLICITED;
        nd.lladdr = mac;
        start = wire_build_nd(&l3, &nd, end);
    } else {
        return;
    }
    input(s, mac.b[5] & 7, start, (size_t) (end - start));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct state s = { .now = 1000 * CLOCK_SEC };

    s.net = create(s.now);
    while (in.size) {
        uint8_t op = fuzz_take_u8(&in);

        switch (op & 7) {
        case 0:
        case 1: {
            struct fuzz_input frame = fuzz_take_bytes(&in, fuzz_take_u16(&in));

            input(&s, op >> 3, frame.data, frame.size);
            break;
        }
        case 2:
            pass_time(&s, fuzz_take_u16(&in) * (op & 8 ? CLOCK_SEC / 10 : CLOCK_MSEC));
            break;
        case 3:
            send_datagram(&s, &in);
            break;
        case 4:
            pull(&s, op & 8 ? UINT32_MAX : 1);
            break;
        case 5:
            answer(&s, &in);
            break;
        case 6:
            input_fragment(&s, &in);
            break;
        default:
            input_datagram(&s, &in);
            break;
        }
        check_limits(&s);
    }
    pull(&s, UINT32_MAX);
    net_destroy(s.net);
    return 0;
}
