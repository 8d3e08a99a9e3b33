/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The prototype's dialect, byte by byte: MQTT 3.1.1 control packets in datagrams, except that its
 * UNSUBSCRIBE has UNSUBACK's code and a QoS byte beyond the remaining length.  Stateless: who
 * subscribed to what is peers.c's.  Reading allocates nothing and validates the whole packet before
 * anything of it can be applied. */
#ifndef MP_PEER_CODEC_H
#define MP_PEER_CODEC_H 1

#include "base/cursor.h"
#include "base/mbuf.h"
#include "peer/peer.h"

enum peer_packet_type { PEER_PKT_SUBSCRIBE, PEER_PKT_UNSUBSCRIBE, PEER_PKT_PUBLISH };

enum peer_verdict {
    PEER_OK,
    PEER_BAD_SHORT,                   /* Ends before its remaining length says. */
    PEER_BAD_TYPE,                    /* No SUBSCRIBE, UNSUBSCRIBE or PUBLISH. */
    PEER_BAD_FLAGS,                   /* Fixed header flags or QoS out of range. */
    PEER_BAD_LENGTH,                  /* Lengths inside the packet contradict one another. */
    PEER_BAD_TOPIC,                   /* Not a valid topic name or filter. */
    PEER_BAD_EMPTY,                   /* No topic filter in it. */
};

struct peer_packet {                  /* Borrows from the datagram. */
    enum peer_packet_type type;
    uint16_t packet_id;               /* 0 in a PUBLISH of QoS 0. */
    uint8_t qos;                      /* PUBLISH. */
    bool dup, retain;                 /* PUBLISH. */
    bool prototype_form;              /* UNSUBSCRIBE: first byte b0, not a2. */
    struct slice topic, payload;      /* PUBLISH. */
    struct slice filters;             /* Others: for peer_packet_next_filter(). */
    uint32_t size;                    /* Bytes of the datagram that it takes. */
};

/* Reads the control packet at the start of the slice.  Bytes beyond it are the caller's. */
enum peer_verdict peer_packet_parse(struct slice, struct peer_packet *);

/* Walks the filters: 'rest' starts as pkt->filters. */
bool peer_packet_next_filter(const struct peer_packet *pkt, struct slice *rest,
                             struct slice *filter, uint8_t *qos);

/* Building.  The results have one reference, the caller's. */
struct peer_filter {
    struct slice filter;
    uint16_t packet_id;
    uint8_t qos;
};
struct mbuf *peer_build_subscribe(const struct peer_filter *);
struct mbuf *peer_build_unsubscribe(const struct peer_filter *);          /* The b0 form. */
size_t peer_publish_size(const struct peer_publish *);
struct mbuf *peer_build_publish(const struct peer_publish *);             /* QoS 0. */

/* Longest filter for which both of its datagrams fit: 1 + 3 + 2 + 2 + n + 1. */
#define PEER_MAX_FILTER (PEER_MAX_DATAGRAM - 9)

#endif
