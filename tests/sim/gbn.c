/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Go-back-N: see gbn.h. */
#include "sim/gbn.h"

#include "base/mem.h"

#define MSS 1400
#define REXMIT_US (300 * CLOCK_MSEC)
#define MAX_FLIGHT (8 * MSS)

void
gbn_init(struct gbn *g, uint16_t port, uint32_t iss)
{
    memset(g, 0, sizeof *g);
    g->port = port;
    g->iss = g->una = g->nxt = iss;
    g->rexmit_at = 0;                 /* The SYN is due. */
}

void
gbn_uninit(struct gbn *g)
{
    mem_free(g->tx);
    mem_free(g->rx);
    memset(g, 0, sizeof *g);
}

void
gbn_send(struct gbn *g, const void *data, size_t n)
{
    g->tx = mem_grow(g->tx, &g->tx_size, g->n_tx + n, 1);
    memcpy(g->tx + g->n_tx, data, n);
    g->n_tx += n;
}

void
gbn_take(struct gbn *g, size_t n)
{
    g->n_rx -= n;
    memmove(g->rx, g->rx + n, g->n_rx);
}

void
gbn_close(struct gbn *g)
{
    g->fin_wanted = true;
}

static void
take_ack(struct gbn *g, uint32_t ack, usec_t now)
{
    uint32_t n = ack - g->una;

    if (!n) {
        if (g->nxt != g->una && ++g->n_dups == 3) {
            g->nxt = g->una;
            g->fin_sent = false;
        }
        return;
    }
    if (n > g->n_tx + 1) {
        return;                       /* Old, or not of this connection. */
    }
    if (n > g->n_tx) {
        g->fin_acked = true;
        n = (uint32_t) g->n_tx;
    }
    g->n_tx -= n;
    memmove(g->tx, g->tx + n, g->n_tx);
    g->una = ack;
    if ((int32_t) (g->nxt - g->una) < 0) {
        g->nxt = g->una;
    }
    g->n_dups = 0;
    g->rexmit_at = now + REXMIT_US;
}

void
gbn_input(struct gbn *g, const struct wire_tcp *t, usec_t now)
{
    if (t->flags & TCP_RST) {
        g->state = GBN_RESET;
        return;
    }
    if (t->flags & TCP_SYN) {
        if (g->state == GBN_SYN_SENT && t->ack == g->iss + 1) {
            g->state = GBN_OPEN;
            g->una = g->nxt = t->ack;
            g->rcv_nxt = t->seq + 1;
            g->wnd = t->wnd;
            g->rexmit_at = now + REXMIT_US;
        }
        g->ack_owed = true;
        return;
    }
    if (g->state != GBN_OPEN) {
        return;
    }
    take_ack(g, t->ack, now);
    g->wnd = t->wnd;
    if (wire_tcp_seg_len(t)) {
        uint32_t old = g->rcv_nxt - t->seq;

        g->ack_owed = true;
        if (old < t->payload.n || (!old && !t->payload.n)) {
            g->rx = mem_grow(g->rx, &g->rx_size, g->n_rx + t->payload.n - old, 1);
            if (t->payload.n > old) {
                memcpy(g->rx + g->n_rx, t->payload.p + old, t->payload.n - old);
            }
            g->n_rx += t->payload.n - old;
            g->rcv_nxt += t->payload.n - old;
        }
        if (t->flags & TCP_FIN && !g->got_fin && t->seq + t->payload.n == g->rcv_nxt) {
            g->got_fin = true;
            g->rcv_nxt++;
        }
    }
}

static bool
has_unacked(const struct gbn *g)
{
    return g->n_tx || (g->fin_wanted && !g->fin_acked);
}

usec_t
gbn_deadline(const struct gbn *g)
{
    if (g->state == GBN_RESET || (g->state == GBN_OPEN && !has_unacked(g))) {
        return CLOCK_NEVER;
    }
    return g->rexmit_at;
}

static bool
next_data(struct gbn *g, struct wire_tcp *t, uint8_t *buf)
{
    uint32_t at = g->nxt - g->una;
    uint32_t limit = MP_MIN((uint32_t) g->n_tx, MP_MIN(g->wnd, (uint32_t) MAX_FLIGHT));
    uint32_t n = at < limit ? MP_MIN(limit - at, (uint32_t) MSS) : 0;

    t->seq = g->nxt;
    if (n) {
        memcpy(buf, g->tx + at, n);
        t->payload = (struct slice) { buf, n };
        t->flags |= TCP_PSH;
        g->nxt += n;
    }
    if (g->fin_wanted && !g->fin_sent && g->nxt - g->una == g->n_tx) {
        t->flags |= TCP_FIN;
        g->fin_sent = true;
        g->nxt++;
        n++;
    }
    return n > 0;
}

bool
gbn_next(struct gbn *g, usec_t now, struct wire_tcp *t, uint8_t *buf)
{
    memset(t, 0, sizeof *t);
    t->src_port = g->port;
    t->wnd = UINT16_MAX;
    if (g->state == GBN_RESET) {
        return false;
    }
    if (g->state == GBN_SYN_SENT) {
        if (now < g->rexmit_at) {
            return false;
        }
        g->rexmit_at = now + REXMIT_US;
        t->seq = g->iss;
        t->flags = TCP_SYN;
        t->opts = (struct wire_tcp_opts) { .has_mss = true, .mss = MSS };
        return true;
    }
    if (has_unacked(g) && now >= g->rexmit_at) {
        g->nxt = g->una;
        g->fin_sent = g->fin_acked;
        g->rexmit_at = now + REXMIT_US;
        if (!g->wnd) {
            g->wnd = 1;               /* A probe of one byte. */
        }
    }
    t->flags = TCP_ACK;
    t->ack = g->rcv_nxt;
    if (next_data(g, t, buf) || g->ack_owed) {
        g->ack_owed = false;
        return true;
    }
    return false;
}
