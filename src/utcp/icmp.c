/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors about our segments (RFC 9293 3.9.2.2, MUST-54 to MUST-56), with the distrust of RFC
 * 5927: only about what is in flight, never a reason to end a connection, and the path's MTU never
 * below what every path must carry. */
#include "utcp/utcp.h"

#include "utcp/conn.h"

#define MIN_MTU_V4 552                /* RFC 1191 allows 68; an attacker would like that. */
#define MIN_MTU_V6 1280               /* RFC 8200 section 5. */

/* RFC 1191 section 7: the next plateau below 'mtu', for routers that do not tell. */
static uint16_t
plateau_below(uint16_t mtu)
{
    static const uint16_t plateaus[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, 552 };

    for (size_t i = 0; i < MP_ARRAY_SIZE(plateaus); i++) {
        if (plateaus[i] < mtu) {
            return plateaus[i];
        }
    }
    return MIN_MTU_V4;
}

static void
reduce_mtu(struct utcp *u, struct utcp_conn *c, uint16_t next_hop_mtu)
{
    bool is_v6 = utcp_ends_is_v6(&c->ends);
    uint16_t headers = is_v6 ? 60 : 40;
    uint16_t mtu = next_hop_mtu ? next_hop_mtu : plateau_below((uint16_t) (c->mss + headers));

    mtu = MP_MAX(mtu, is_v6 ? MIN_MTU_V6 : MIN_MTU_V4);
    if (mtu - headers >= c->mss) {
        u->stats.icmp_ignored++;      /* Nothing in flight is that large. */
        return;
    }
    u->stats.icmp_pmtu++;
    utcp_rexmit_mss(u, c, (uint16_t) (mtu - headers));
}

void
utcp_icmp(struct utcp *u, const struct utcp_tuple *tuple, uint32_t seq, enum utcp_icmp kind,
          uint16_t next_hop_mtu, usec_t now)
{
    utcp_begin(u, now);

    struct utcp_key key = utcp_key(u, tuple);
    uint32_t ref = utcp_find(u, &key);
    struct utcp_conn *c = UTCP_REF_KIND(ref) == UTCP_REF_CONN
                          ? slab_at(&u->conns, UTCP_REF_IDX(ref)) : NULL;

    if (!c || !seq_in(seq, c->snd_una, c->snd_nxt - c->snd_una)) {
        u->stats.icmp_ignored++;
        return;
    }
    switch (kind) {
    case UTCP_ICMP_TOO_BIG:
        reduce_mtu(u, c, next_hop_mtu);
        break;

    case UTCP_ICMP_SOFT:
    case UTCP_ICMP_HARD:
        /* RFC 5927 5.2: in synchronized states also the hard errors are soft.  The retransmission
         * timer decides. */
        u->stats.icmp_soft++;
        break;
    }
}
