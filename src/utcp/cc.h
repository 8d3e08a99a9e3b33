/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Congestion control behind five functions; cc_reno.c is the one that there is.  They set cwnd,
 * ssthresh and CONN_CWR, and nothing else.  Called by snd.c, ack.c and rexmit.c. */
#ifndef MP_UTCP_CC_H
#define MP_UTCP_CC_H 1

#include "utcp/conn.h"

void utcp_cc_init(struct utcp_conn *);
void utcp_cc_acked(struct utcp_conn *, uint32_t acked);     /* New data acknowledged, no loss. */
void utcp_cc_loss(struct utcp_conn *, uint32_t flight);     /* Congestion seen: sets ssthresh. */
void utcp_cc_timeout(struct utcp_conn *);                   /* After utcp_cc_loss() for the first. */
void utcp_cc_idle(struct utcp_conn *);                      /* Nothing sent for an RTO. */

#endif
