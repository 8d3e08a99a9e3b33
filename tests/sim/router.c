/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sim/router.h"

#include <string.h>

#include "base/mem.h"

enum {
    LEAST_MTU_V4 = 552, LEAST_MTU_V6 = 1280,  /* Paths that carry less are not for the endpoint. */
    UNREACHABLE_V4 = 3, TOO_BIG_V4 = 4,
    TOO_BIG_V6 = 2,
    QUOTED_V4 = 28, QUOTED_V6 = 200,
};

static uint16_t
random_mtu(struct simrouter *r)
{
    uint16_t least = addr_is_v4(&r->addr) ? LEAST_MTU_V4 : LEAST_MTU_V6;

    return (uint16_t) (least + prng_below(&r->prng, 1500 - least));
}

void
simrouter_init(struct simrouter *r, uint64_t seed, const struct ip_addr *addr, usec_t now)
{
    memset(r, 0, sizeof *r);
    prng_init(&r->prng, seed);
    r->addr = *addr;
    r->is_mute = !prng_below(&r->prng, 3);
    r->is_liar = !prng_below(&r->prng, 4);
    for (int i = 0; i < SIMROUTER_STEPS; i++) {
        bool is_wide = prng_below(&r->prng, 2);

        r->steps[i].from = now;
        r->steps[i].mtu = is_wide ? UINT16_MAX : random_mtu(r);
        now += prng_below(&r->prng, 3000000);
    }
}

static uint16_t
mtu_at(const struct simrouter *r, usec_t now)
{
    uint16_t mtu = UINT16_MAX;

    for (int i = 0; i < SIMROUTER_STEPS; i++) {
        if (r->steps[i].from <= now) {
            mtu = r->steps[i].mtu;
        }
    }
    return mtu;
}

static void
tell(struct simrouter *r, struct simnet *net, const struct wire_ip *ip, uint16_t mtu, usec_t now)
{
    uint8_t buf[WIRE_HEADROOM + QUOTED_V6], *quote = buf + WIRE_HEADROOM;
    bool is_v4 = addr_is_v4(&r->addr);
    size_t n = MP_MIN(ip->packet.n, (size_t) (is_v4 ? QUOTED_V4 : QUOTED_V6));
    struct wire_l3 l3 = { .src = r->addr, .dst = ip->src, .ttl = 64 };
    struct wire_icmp icmp = { .type = is_v4 ? UNREACHABLE_V4 : TOO_BIG_V6,
                              .code = is_v4 ? TOO_BIG_V4 : 0, .rest = r->is_mute ? 0 : mtu };

    memcpy(quote, ip->packet.p, n);
    if (r->is_liar && prng_below(&r->prng, 2)) {
        uint8_t *seq = quote + (is_v4 ? 20 : 40) + 4;

        seq[prng_below(&r->prng, 2)] ^= (uint8_t) (1 + prng_below(&r->prng, 255));
        icmp.rest = is_v4 ? LEAST_MTU_V4 : LEAST_MTU_V6;
    }

    uint8_t *frame = wire_build_icmp(&l3, &icmp, quote, n);

    simnet_send(net, SIMNET_SERVER, frame, (size_t) (quote + n - frame), now);
}

bool
simrouter_passes(struct simrouter *r, struct simnet *net, const uint8_t *frame, size_t n,
                 usec_t now)
{
    uint16_t mtu = mtu_at(r, now);
    struct wire_frame f;

    mp_assert(wire_parse(&f, frame, n) == WIRE_OK && f.has_ip);
    if (f.ip.packet.n <= mtu) {
        return true;
    }
    tell(r, net, &f.ip, mtu, now);
    return false;
}
