/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The TCP header and its options (RFC 9293 3.1, RFC 7323, RFC 2018): parse, length, emit.  All
 * fields in host order.  Stateless; checks lengths and nothing else. */
#ifndef MP_WIRE_TCP_H
#define MP_WIRE_TCP_H 1

#include <stdbool.h>
#include "base/cursor.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80

#define WIRE_TCP_HLEN 20
#define WIRE_TCP_MAX_HLEN 60
#define WIRE_TCP_MAX_SACK 4

struct wire_sack_block {
    uint32_t left, right;
};

struct wire_tcp_opts {
    bool has_mss, has_wscale, sack_permitted, has_ts;
    uint16_t mss;
    uint8_t wscale;                   /* As received: may exceed 14. */
    uint32_t ts_val, ts_ecr;
    uint8_t n_sack;
    struct wire_sack_block sack[WIRE_TCP_MAX_SACK];
};

struct wire_tcp {
    uint16_t src_port, dst_port;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t wnd;                     /* The field, unscaled. */
    uint16_t urg;
    struct wire_tcp_opts opts;
    struct slice payload;
    bool has_payload_sum;             /* For wire_build_tcp(): somebody knows csum_add(0, payload). */
    uint32_t payload_sum;
};

/* Parses the header at the start of 'l4' (the whole IP payload).  Unknown options are skipped by
 * their length (MUST-6); an illegal length ends the options (MUST-7), is no error and sets
 * '*bad_options'.  False when the header itself is cut or its data offset illegal. */
bool wire_tcp_parse(struct wire_tcp *, struct slice l4, bool *bad_options);

/* Bytes that wire_tcp_emit() writes for these options: header, options, zero padding (MUST-69). */
size_t wire_tcp_hlen(const struct wire_tcp *);
void wire_tcp_emit(const struct wire_tcp *, struct writer *);       /* Checksum field zero. */

/* Sequence length: payload plus one for each of SYN and FIN (SEG.LEN). */
static inline uint32_t
wire_tcp_seg_len(const struct wire_tcp *t)
{
    return t->payload.n + !!(t->flags & TCP_SYN) + !!(t->flags & TCP_FIN);
}

#endif
