/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* RFC 5681 congestion control with the initial window of RFC 6928 and octets counted as in RFC
 * 3465: a peer that acknowledges once per turn gives few ACKs. */
#include "utcp/cc.h"

#define CWND_MAX (1u << 30)

/* RFC 6928 section 2. */
static uint32_t
initial_window(const struct utcp_conn *c)
{
    return MP_MIN(10u * c->mss, MP_MAX(2u * c->mss, 14600u));
}

void
utcp_cc_init(struct utcp_conn *c)
{
    c->cwnd = initial_window(c);
    c->ssthresh = CWND_MAX;
}

void
utcp_cc_acked(struct utcp_conn *c, uint32_t acked)
{
    /* RFC 7661's point: a window that was not used is no evidence. */
    if (!(c->flags & CONN_CWND_LIMIT) || c->cwnd >= CWND_MAX) {
        return;
    }
    if (c->cwnd < c->ssthresh) {
        c->cwnd += acked;
    } else {
        c->cwnd += (uint32_t) MP_MAX((uint64_t) c->mss * acked / c->cwnd, 1);
    }
}

void
utcp_cc_loss(struct utcp_conn *c, uint32_t flight)
{
    c->ssthresh = MP_MAX(flight / 2, 2u * c->mss);          /* RFC 5681 (4). */
    if (c->flags & CONN_ECN) {
        c->flags |= CONN_CWR;         /* RFC 3168 6.1.2: whatever the reason, the peer is told. */
    }
}

void
utcp_cc_timeout(struct utcp_conn *c)
{
    c->cwnd = c->mss;
}

void
utcp_cc_idle(struct utcp_conn *c)
{
    c->cwnd = MP_MIN(c->cwnd, initial_window(c));           /* RFC 5681 4.1. */
}
