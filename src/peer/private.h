/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What the files of peer/ share: the object, and the calls between its parts: the table of peers with
 * its clockwork (peers.c), what we tell them (tell.c) and the PUBLISHes among that (fill.c), what they
 * tell us (hear.c).  The two halves of the reliable dialect (sendstream.h, recvstream.h) know none of
 * this.
 * Nobody outside peer/ includes this. */
#ifndef MP_PEER_PRIVATE_H
#define MP_PEER_PRIVATE_H 1

#include "base/prng.h"
#include "base/slab.h"
#include "peer/codec.h"
#include "peer/pathmtu.h"
#include "peer/peer.h"
#include "peer/recvstream.h"
#include "peer/sendstream.h"
#include "topic/subtrie.h"

/* Packet identifier of a repeated SUBSCRIBE, by which a proxy of ours tells another one that it
 * understands the reliable dialect.  The prototype, which would not know what to do with it, never
 * repeats one, and does not look at the identifier. */
#define PEER_RELIABLE_ID 0x4d50

/* A peer that leaves DATA without any answer for so long does not hold back publishers any more... */
#define STALLED_US CLOCK_SEC
/* ...and after this it is spoken to as if it had never been heard; what waited for it is stale. */
#define GONE_US (10 * CLOCK_SEC)
/* One that has never answered DATA may have its SUBSCRIBEs relayed by somebody who does not know the
 * dialect: for so long they are not believed. */
#define DEAF_US (600 * CLOCK_SEC)

#define PEERS_LIMIT 256               /* Whatever the configuration says: bitmaps, linear scans. */

/* Standing SUBSCRIBEs are repeated in batches, not in one burst. */
#define REFRESH_BATCH 64
#define REFRESH_STEP_US (10 * CLOCK_MSEC)

/* A switch holds about a hundred packet-ins: so many SUBSCRIBEs and UNSUBSCRIBEs leave at once. */
#define CONTROL_BURST 64
#define CONTROL_STEP_US (10 * CLOCK_MSEC)

/* Control packets of streams that are read between two calls of peers_run(), which are due when there
 * are more: some milliseconds of the broker's work.  One that holds many may exceed it once. */
#define HEAR_BATCH 4096

struct ring {                         /* A growing FIFO.  All-zero: empty. */
    uintptr_t *items;
    uint32_t head, n, allocated;
};

void ring_put(struct ring *, uintptr_t);
uintptr_t ring_at(const struct ring *, uint32_t i);
uintptr_t ring_take(struct ring *);           /* Must not be empty. */
void ring_uninit(struct ring *);

struct want {                         /* A filter that we want, or no longer want, from peers. */
    uint8_t *filter;
    uint32_t len;
    bool wanted;                      /* False: lives until the queued peers have been told. */
    uint32_t n_queued;                /* Peers in whose 'control' it is... */
    uint64_t queued[PEERS_LIMIT / 64];        /* ...namely these (by slot). */
    uint32_t prev, next;              /* All of them, in order of arrival. */
};

struct heard {                        /* A filter that a peer wants. */
    struct slice filter;
    usec_t at;                        /* When it last said so. */
};

struct peer {
    struct peer_spec spec;
    uint32_t id;                      /* Slot + 1. */
    bool up;
    bool is_reliable;                 /* Understands the reliable dialect: it said so. */
    bool is_stalled;                  /* Has not answered for STALLED_US. */
    bool is_congested;                /* More waits for it than should. */
    bool has_answered;                /* Our DATA, ever. */
    usec_t deaf_until;                /* Not believed that it understands. */
    bool publish_first;               /* Whose turn it is, if both queues hold something. */
    usec_t last_heard_at;             /* -1: never. */
    usec_t send_at;                   /* No datagram before. */
    usec_t refresh_at;                /* Next batch of SUBSCRIBEs... */
    uint32_t refresh_next;            /* ...from this want on; SLAB_NONE: not under way. */
    usec_t refresh_start_at;          /* When the next repetition is to begin. */
    struct ring control;              /* Wants (index << 1 | reason): told as they are when sent. */
    struct ring publishes;            /* struct mbuf *. */
    uint32_t queued_bytes;            /* Of 'publishes'. */
    struct mbuf *cut;                 /* What DATA are filled from at present, or NULL... */
    uint32_t cut_at;                  /* ...up to here... */
    uint32_t n_cut;                   /* ...and how many PUBLISHes it is. */
    bool unpacks;                     /* Understands what is packed: its ACKs say so. */
    uint8_t n_unpackable;             /* Times in a row that packing saved nothing; saturates. */
    uint32_t not_packed;              /* Bytes of 'publishes' that leave as they are. */
    struct sendstream *out;           /* Reliable dialect; NULL before its first use... */
    struct recvstream *in;            /* ...likewise. */
    struct pathmtu path;
    uint16_t probe_size;              /* IP packet with a PROBE that is to leave; 0: none. */
    uint32_t probe_token;             /* Of our PROBEs. */
    uint32_t found_token, found_size; /* PROBE that is to be answered; size 0: none. */
    usec_t burst_at;                  /* When the present burst of 'control' began... */
    uint32_t n_burst;                 /* ...and how many of it have left. */
    struct heard *filters;            /* That it wants; a subtrie value is a position in this. */
    size_t n_filters, allocated_filters;
    size_t filter_bytes;
    uint32_t n_repeated;              /* SUBSCRIBEs of a filter that stood already. */
    usec_t expire_at;                 /* Next look at filters for expiry... */
    uint32_t expire_next;             /* ...from this one on. */
    uint64_t datagrams_in, datagrams_out, publishes_in, publishes_out, dropped;
};

struct pending_event {
    struct peer_event event;
    struct mbuf *hold;                /* What event.publish borrows from; may be NULL. */
};

struct peers {
    struct peer_config config;
    struct peer_stats stats;
    struct prng prng;
    struct peer *slots[PEERS_LIMIT];
    uint32_t n_slots;                 /* One more than the last slot in use. */
    uint32_t n_peers;
    uint32_t turn;                    /* Slot that may send next. */
    uint32_t n_queued;                /* Items in all queues. */
    uint32_t next_epoch;              /* Of streams of ours; random at the start. */
    uint32_t n_relieved;              /* Times that a peer was congested and is no more. */

    struct subtrie *remote;           /* What peers want: subscriber is the id. */
    struct subtrie_set set;
    struct subtrie *local;            /* What we want: subscriber 0, value is the want. */
    struct slab wants;
    uint32_t first_want, last_want;

    uint32_t n_allowed;               /* Control packets of streams, until peers_run(). */
    uint32_t next_heard;              /* Slot whose stream is read next. */
    struct pending_event *events;     /* A queue: from next_event on. */
    size_t next_event, n_events, allocated_events;
    struct mbuf *event_hold;          /* Of the event that was taken last. */
};

/* peers.c.  'hold': one reference is taken over. */
void peers_put_event(struct peers *, const struct peer_event *, struct mbuf *hold);

/* fill.c */
void peers_queue_publish(struct peers *, struct peer *, struct mbuf *);
/* How many.  It is congested no more. */
uint32_t peers_forget_publishes(struct peers *, struct peer *);
uint32_t peers_n_waiting(const struct peer *);  /* Bytes of PUBLISHes that have not left. */
bool peers_may_publish(const struct peer *);
struct mbuf *peers_take_publish(struct peers *, struct peer *, usec_t now);     /* If it may. */
void peers_relieve(struct peers *, struct peer *);          /* It is congested no more. */

/* tell.c */
void peers_begin_refresh(struct peers *, struct peer *, usec_t now);
void peers_step_refresh(struct peers *, struct peer *, usec_t now);
void peers_forget_queues(struct peers *, struct peer *);
void peers_end_stream(struct peers *, struct peer *);       /* Until it says again that it can. */
void peers_path_changed(struct peer *);         /* 'path' was. */
void peers_check_path(struct peers *, struct peer *);       /* After losses. */
uint32_t peers_headers(const struct peer *);    /* IP and UDP. */
uint32_t peers_max_body(const struct peer *);   /* Of a DATA that one IP packet holds. */
/* When its next datagram may leave. */
usec_t peers_send_at(const struct peer *);
void peers_free_wants(struct peers *);

/* hear.c */
bool peers_hear_more(struct peers *);         /* Of a stream.  False: no, or not now. */
void peers_forget_filters(struct peers *, struct peer *);
void peers_step_expiry(struct peers *, struct peer *, usec_t now);

#endif
