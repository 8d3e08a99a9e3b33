/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The second octet of the IP header: the Diffserv codepoint (RFC 2474) and explicit congestion
 * notification (RFC 3168).
 *
 * DSCP: a connection's own, else the endpoint's, else (UTCP_DSCP_MIRROR) that of the segment that
 * is answered, or of the latest acceptable one of the connection: that is why it lies in its path.
 *
 * ECN, two half-connections that know nothing of each other:
 *
 *     data marked CE came -> CONN_ECE: ECE on all that we send -> data with CWR came -> no ECE
 *     an ECE came -> cwnd is halved, CONN_CWR -> CWR on the next new data, at 'ecn_recover' ->
 *         another ECE counts when it acknowledges more than that: once per round trip
 *
 * ECT(0) is on new data alone: not on what is sent again, on probes, ACKs, SYN-ACKs and RSTs (6.1.4
 * to 6.1.6). */
#include "utcp/conn.h"

#include "utcp/cc.h"
#include "wire/frame.h"

static uint8_t
codepoint_of(uint8_t tos)
{
    return (uint8_t) (tos & ~IP_ECN_CE);
}

/* For what answers a segment that came by 'path' and belongs to no connection. */
uint8_t
utcp_ds(const struct utcp *u, const struct utcp_path *path)
{
    return u->cfg.dscp > UTCP_DSCP_MAX ? codepoint_of(path->tos) : (uint8_t) (u->cfg.dscp << 2);
}

uint8_t
utcp_conn_ds(const struct utcp *u, const struct utcp_conn *c)
{
    return c->flags & CONN_DSCP ? codepoint_of(c->path.tos) : utcp_ds(u, &c->path);
}

/* From now on segments to the client leave by 'path'. */
void
utcp_conn_take_path(struct utcp_conn *c, const struct utcp_path *path)
{
    uint8_t own = c->path.tos;

    c->path = *path;
    if (c->flags & CONN_DSCP) {
        c->path.tos = own;
    }
}

void
utcp_set_dscp(struct utcp *u, utcp_id id, uint8_t dscp)
{
    struct utcp_conn *c = utcp_conn_get(u, id);

    if (!c || c->flags & CONN_DEAD) {
        return;
    }
    if (dscp <= UTCP_DSCP_MAX) {
        c->flags |= CONN_DSCP;
        c->path.tos = (uint8_t) (dscp << 2);
    } else {
        c->flags &= ~CONN_DSCP;
    }
}

void
utcp_set_default_dscp(struct utcp *u, uint8_t dscp)
{
    u->cfg.dscp = MP_MIN(dscp, UTCP_DSCP_MIRROR);
}

/* RFC 3168 6.1.1: an ECN-setup SYN has both flags. */
bool
utcp_ecn_is_asked(const struct utcp *u, const struct wire_tcp *syn)
{
    return u->cfg.ecn && (syn->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);
}

/* 'seg' lies in the window and has text.  RFC 3168 6.1.3; the CWR goes first, as its own segment may
 * be marked anew. */
void
utcp_ecn_arrived(struct utcp *u, struct utcp_conn *c, const struct wire_tcp *seg,
                 const struct utcp_path *path)
{
    if (seg->flags & TCP_CWR) {
        c->flags &= ~CONN_ECE;
    }
    if ((path->tos & IP_ECN_CE) == IP_ECN_CE) {
        u->stats.ecn_marked++;
        c->flags |= CONN_ECE;
    }
}

/* Whether cwnd has been reduced for the data that is in flight: neither a second mark nor a loss of
 * the same round trip reduces it again (6.1.2). */
bool
utcp_ecn_has_reduced(const struct utcp_conn *c, const struct utcp_ext *e)
{
    return c->flags & CONN_CWR || seq_le(c->snd_una, e->ecn_recover);
}

/* An ACK with ECE has come, 'flight' octets were in flight before.  cwnd does not fall below one
 * segment, where 6.1.2 would have new data wait for a time-out. */
void
utcp_ecn_echoed(struct utcp *u, struct utcp_conn *c, uint32_t flight)
{
    if (!utcp_ecn_has_reduced(c, utcp_ext(u, c)) && !(c->flags & (CONN_RECOVERY | CONN_LOSS))) {
        u->stats.ecn_reductions++;
        utcp_cc_loss(c, flight);
        c->cwnd = MP_MIN(c->cwnd, c->ssthresh);
    }
}

/* 'seg', which is being made, has new data from 'seq' on. */
void
utcp_ecn_new_data(struct utcp_conn *c, struct utcp_ext *e, struct utcp_segment *seg, uint32_t seq)
{
    seg->tos |= IP_ECN_ECT0;
    if (c->flags & CONN_CWR) {
        c->flags &= ~CONN_CWR;
        seg->tcp.flags |= TCP_CWR;
        e->ecn_recover = seq;
    }
}
