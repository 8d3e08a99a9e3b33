/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The smallest TCP client that survives loss: go-back-N, no options but MSS, cumulative ACKs, a
 * fixed retransmission time.  For simulations in which MQTT is what is looked at; sim-utcp has the
 * cleverer reference client.  Bytes to send are put in, bytes received are taken out. */
#ifndef MP_TESTS_SIM_GBN_H
#define MP_TESTS_SIM_GBN_H 1

#include "base/clock.h"
#include "wire/tcp.h"

enum gbn_state { GBN_SYN_SENT, GBN_OPEN, GBN_RESET };

struct gbn {
    enum gbn_state state;
    uint16_t port;
    uint32_t iss, una, nxt;           /* Sequence numbers; 'una' is that of tx[0]. */
    uint32_t rcv_nxt, wnd;
    uint8_t *tx, *rx;
    size_t n_tx, tx_size, n_rx, rx_size;
    bool fin_wanted, fin_sent, fin_acked, got_fin, ack_owed;
    unsigned int n_dups;
    usec_t rexmit_at;
};

void gbn_init(struct gbn *, uint16_t port, uint32_t iss);
void gbn_uninit(struct gbn *);
void gbn_send(struct gbn *, const void *, size_t);
void gbn_take(struct gbn *, size_t n);              /* Forgets the first n received bytes. */
void gbn_close(struct gbn *);                       /* FIN after what is queued. */
void gbn_input(struct gbn *, const struct wire_tcp *, usec_t now);
usec_t gbn_deadline(const struct gbn *);
/* The next segment that is due; payload in 'buf' of 1400 bytes. */
bool gbn_next(struct gbn *, usec_t now, struct wire_tcp *, uint8_t *buf);

#endif
