/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The broker's insides, shared by the files of this directory only.
 *
 *    conn      a Network Connection: framing, what waits to be sent, one timer
 *      |  ^
 *      v  |    at most one of each for the other
 *    session   a client identifier: subscriptions, queue, unfinished QoS 1 and 2, Will
 *
 * A conn without a session has not sent an acceptable CONNECT yet, or is closing; a session without
 * a conn is stored.  Both are slab objects named by 32-bit indices.  What an idle client does not
 * need hangs off pointers that are NULL meanwhile. */
#ifndef MP_MQTT_PRIVATE_H
#define MP_MQTT_PRIVATE_H 1

#include "base/mem.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "mqtt/broker.h"
#include "mqtt/journal.h"
#include "mqtt/retain.h"
#include "topic/subtrie.h"
#include "topic/topic.h"
#include "wire/mqtt_pkt.h"

/* A PUBLISH, immutable and shared by all queues and the retained store. */
struct mqtt_msg {
    struct mbuf *payload;
    uint64_t *account;                /* What its size was added to (mqtt_msg_account()), or NULL. */
    usec_t expires_at;                /* Message Expiry Interval of 5.0, else CLOCK_NEVER. */
    uint64_t stored_id;               /* In the journal, while n_stored. */
    uint32_t n_refs;
    uint32_t n_stored;                /* Records that name it. */
    uint32_t props_n;                 /* Properties of 5.0 that are passed on, after the topic. */
    uint16_t topic_n;
    uint8_t qos;
    bool retain;
    uint8_t bytes[];
};
struct mqtt_msg *mqtt_msg_create(struct slice topic, struct slice props, struct mbuf *payload);
struct mqtt_msg *mqtt_msg_ref(struct mqtt_msg *);
void mqtt_msg_unref(struct mqtt_msg *);             /* Accepts NULL. */
struct slice mqtt_msg_topic(const struct mqtt_msg *);
struct slice mqtt_msg_props(const struct mqtt_msg *);
uint32_t mqtt_msg_size(const struct mqtt_msg *);    /* What it counts for in limits of bytes. */
void mqtt_msg_account(struct mqtt_msg *, uint64_t *account);        /* For as long as it lives. */

/* One message on its way to one client: queued, or sent and not acknowledged. */
enum {
    MQTT_ENTRY_RETAIN = 1 << 0,       /* Goes out with RETAIN set. */
    MQTT_ENTRY_REPLAY = 1 << 1,       /* A retained message that answers a SUBSCRIBE. */
    MQTT_ENTRY_SENT = 1 << 2,         /* On this Network Connection; counts against the window. */
    MQTT_ENTRY_RELEASED = 1 << 3,     /* PUBREC came: PUBREL instead of the message, msg NULL. */
    MQTT_ENTRY_NEW = 1 << 5,          /* Numbered, but never sent. */
    MQTT_ENTRY_SHARED = 1 << 6,       /* Came through a shared subscription. */
    MQTT_ENTRY_RECHECK = 1 << 4,      /* Access rules are to be asked again before it is sent. */
};
struct mqtt_entry {
    struct mqtt_msg *msg;
    uint32_t next;
    uint32_t seq;                     /* Order of arrival over both queues of a session. */
    uint32_t sub_ids;                 /* List of Subscription Identifiers (struct mqtt_sub_id). */
    uint16_t packet_id;
    uint8_t qos;
    uint8_t flags;
};
struct mqtt_sub_id {
    uint32_t next;
    uint32_t id;
};
struct mqtt_list {                    /* Of entries. */
    uint32_t head, tail, n;
};

/* Retained messages that answer a SUBSCRIBE have a queue of their own, because they are there
 * already and may be more than the limit for what is yet to come. */
enum mqtt_queue { MQTT_QUEUE_QOS0, MQTT_QUEUE_QOS12, MQTT_QUEUE_REPLAY, MQTT_N_QUEUES };

/* What a session has under way.  Exists while there is anything in it. */
struct mqtt_flow {
    struct mqtt_list waiting[MQTT_N_QUEUES];        /* 'seq' says which head is first. */
    struct mqtt_list sent;            /* QoS 1 and 2, in the order of packet identifiers. */
    uint32_t seq;
    uint32_t bytes;                   /* Of the messages that wait, retained ones aside. */
    uint32_t qos0_bytes;              /* Of them, those of QoS 0. */
    uint32_t n_window;                /* Entries with MQTT_ENTRY_SENT. */
    uint32_t resend;                  /* First entry of 'sent' to be sent again, or none. */
    uint32_t holds;                   /* Publishers held for this session (struct mqtt_hold). */
    usec_t progress_at;               /* The transport last took something. */
    uint64_t batch;                   /* Of the journal: what is to be sent again relies on it. */
    uint16_t *in_ids;                 /* QoS 2 received and not released: sorted. */
    uint32_t n_in_ids, allocated_in_ids;
    bool is_awaited;                  /* A publisher waits for room (stall.c). */
};

/* Subscriptions: the places of their filters in the trie or, with MQTT_SUB_SHARED, in that of shared
 * subscriptions. */
#define MQTT_SUB_SHARED 0x80000000u
#define MQTT_FEW_SUBS 2u              /* So many need no list. */

struct sublist;                       /* topic/sublist.h */

struct mqtt_will {
    struct mqtt_msg *msg;
    struct mqtt_origin origin;        /* Where its client was. */
    uint32_t delay_s;
};

enum {
    MQTT_SESSION_CLEAN = 1 << 0,      /* Ends with its Network Connection. */
    MQTT_SESSION_SEEN = 1 << 1,       /* Scratch of routing: met in this set of matches. */
    MQTT_SESSION_STORED = 1 << 2,     /* The journal knows it. */
    MQTT_SESSION_DOOMED = 1 << 3,     /* Missed what was acknowledged: about to be ended. */
    MQTT_SESSION_MANY_SUBS = 1 << 4,  /* 'many' instead of 'few'. */
    MQTT_SESSION_LONG_NAMES = 1 << 5, /* 'names' has a pointer to them. */
    MQTT_SESSION_ASIDE = 1 << 6,      /* Has no turns in some shared subscription (share.c). */
};
/* What a new connection does not change. */
#define MQTT_SESSION_LASTING \
    (MQTT_SESSION_STORED | MQTT_SESSION_MANY_SUBS | MQTT_SESSION_LONG_NAMES | MQTT_SESSION_ASIDE)

/* For 23 bytes, what every server must take (3.1.1 [MQTT-3.1.3-5]), and some more. */
#define MQTT_INLINE_NAMES 26
#define MQTT_SERIAL_SIZE sizeof(uint64_t)

/* Of one session.  48 bits: 100,000 messages a second for 89 years. */
enum mqtt_count { MQTT_COUNT_IN, MQTT_COUNT_OUT, MQTT_COUNT_DROPPED, MQTT_N_COUNTS };

struct mqtt_session {
    struct mqtt_flow *flow;
    uint32_t conn;
    uint32_t counts[MQTT_N_COUNTS];   /* PUBLISHes: the low bits... */
    uint16_t carries[MQTT_N_COUNTS];  /* ...and the high ones. */
    uint16_t next_packet_id;
    uint8_t version;
    uint8_t flags;
    uint16_t client_id_n, username_n;
    uint8_t names[MQTT_INLINE_NAMES]; /* Client identifier, then user name, then, if the broker is
                                       * persistent, the session's number in the journal. */
    uint32_t hash_next;
    uint32_t expiry_s;                /* After the connection; UINT32_MAX: never. */
    uint32_t parted_s;                /* When that ended: seconds since the broker was created. */
    struct wheel_node timer;          /* Expiry, delay of the Will; only while not connected. */
    uint32_t timer_due;
    union {
        uint32_t few[MQTT_FEW_SUBS];  /* From the front on; 0: none. */
        struct sublist *many;         /* Subscriber: a place. */
    };
    struct mqtt_will *will;
};

static inline void
mqtt_session_count(struct mqtt_session *s, enum mqtt_count which)
{
    if (!++s->counts[which]) {
        s->carries[which]++;
    }
}

static inline uint64_t
mqtt_session_counted(const struct mqtt_session *s, enum mqtt_count which)
{
    return (uint64_t) s->carries[which] << 32 | s->counts[which];
}

enum mqtt_conn_state {
    MQTT_CONN_NEW,                    /* No CONNECT yet. */
    MQTT_CONN_UP,
    MQTT_CONN_CLOSING,                /* MQTT_EV_CLOSE or _ABORT was said: input is ignored. */
    MQTT_CONN_LINGERING,              /* mqtt_closed() came before the last output was taken. */
};
enum {
    MQTT_CONN_READY = 1 << 0,         /* In the ready ring. */
    MQTT_CONN_CLOSE_HELD = 1 << 2,    /* MQTT_EV_CLOSE is said when the last output may leave. */
    MQTT_CONN_ASKING = 1 << 1,        /* NEW, and its CONNECT waits for a verdict: 'ask'. */
    MQTT_CONN_STALLED = 1 << 3,       /* UP, and a PUBLISH waits for room: 'stall'. */
};
struct mqtt_mark {                    /* From 'begin' on, control packets wait for a batch. */
    uint64_t batch;
    uint32_t begin;
};
struct mqtt_ctl {                     /* Control packets other than PUBLISH that wait to leave. */
    uint32_t size, allocated;
    uint32_t n_first;                 /* So many bytes before any message. */
    uint32_t n_marks, allocated_marks;
    struct mqtt_mark *marks;          /* Ascending both ways. */
    uint8_t bytes[];
};
struct mqtt_seat {                    /* A struct mqtt_origin that is kept. */
    uint32_t addr;                    /* IPv4; IPv6: index of a struct ip_addr in b->v6s. */
    uint32_t ingress_port;
    uint16_t tcp_port;
    uint16_t vlan : 12, is_v6 : 1;
    struct mac_addr mac;
};

struct mqtt_ask;
struct mqtt_stall;
struct mqtt_v5;
struct mqtt_conn {
    union {
        struct wire_mqtt_framer *rx;  /* NULL between control packets. */
        struct mqtt_ask *ask;         /* While MQTT_CONN_ASKING. */
        struct mqtt_stall *stall;     /* While MQTT_CONN_STALLED. */
    };
    struct mqtt_ctl *ctl;             /* NULL when empty. */
    uint32_t v5;                      /* What only 5.0 has, else none. */
    uint32_t user;
    uint32_t session;
    struct wheel_node timer;
    uint32_t timer_due;
    uint32_t heard_ms;                /* Last sign of life: ms since the broker was created. */
    uint32_t hold;                    /* Credit that is held back (struct mqtt_hold), or none. */
    uint16_t keep_alive_s;            /* In force; 0: none. */
    uint8_t version;                  /* 0 before CONNECT. */
    uint8_t state : 4, flags : 4;
    struct mqtt_seat seat;
};

/* A million idle clients of before 5.0: (72 + 104) MB, 9..17 MB of tables, and their filters. */
_Static_assert(sizeof(struct mqtt_conn) <= 72, "struct mqtt_conn has grown");
_Static_assert(sizeof(struct mqtt_session) <= 104, "struct mqtt_session has grown");
_Static_assert(sizeof(struct mqtt_entry) <= 24, "struct mqtt_entry has grown");

/* Credit held back: for a slow subscriber ('session'), because the client does not read what we answer
 * ('for_ctl'), or because the caller wants it ('for_caller'). */
struct mqtt_hold {
    usec_t until_at;
    uint32_t conn, session, credit;
    uint32_t prev, next;              /* All that have a session, in the order of 'until_at'. */
    uint32_t s_prev, s_next;          /* Of the same session. */
    bool for_ctl, for_caller;         /* mqtt_hold(). */
};

struct mqtt_waiter {
    uint64_t batch;
    mqtt_id conn;
};
struct mqtt_deferred {                /* Credit held back while the journal is full. */
    mqtt_id conn;
    uint32_t n;
};
struct mqtt_journal {                 /* persist.c; all unused without persistence. */
    uint8_t *bytes;                   /* The batch that grows. */
    size_t n, allocated;
    uint64_t batch;                   /* Its number; from 1. */
    uint64_t durable;                 /* This batch and all before it. */
    uint64_t n_records, mark;         /* Written ever; when the control packet at work began. */
    uint64_t last_message, last_session;
    size_t *sizes, n_sizes, allocated_sizes;        /* Of the batches taken and not durable. */
    size_t underway;                                /* Their sum. */
    struct mqtt_waiter *waiters;
    size_t first_waiter, n_waiters, allocated_waiters;
    struct mqtt_deferred *credits;
    size_t n_credits, allocated_credits;
    usec_t correction, noted_at;      /* calendar.c: as last noted. */
    struct mqtt_restore *restore;     /* While records are read back. */
    bool is_muted;                    /* What happens is not noted. */
};

enum mqtt_overflow { MQTT_OVERFLOW_DROP, MQTT_OVERFLOW_REFUSE, MQTT_OVERFLOW_END };

struct mqtt_queued_event {
    enum mqtt_event_type type;
    mqtt_id conn;
    uint32_t user, n;
    struct mqtt_msg *msg;
    uint8_t *filter;
};

struct mqtt_broker {
    struct mqtt_config config;        /* username and password are copies. */
    struct mqtt_stats stats;
    usec_t created_at;

    struct slab conns, sessions, entries, sub_ids, holds;
    struct slab v5s, v6s;             /* Of conns that need one. */
    uint32_t *generations;            /* By conn index; 0: not open. */
    size_t n_generations;
    uint32_t last_generation;
    uint64_t n_assigned_ids;

    struct subtrie *shares;           /* Whole "$share/..." strings, to groups. */
    struct slab groups;
    struct sublist *patterns;         /* Of wildcards, with the number of their subscriptions. */
    uint8_t *props;                   /* Scratch: properties of what is being sent. */
    size_t allocated_props;

    uint32_t *buckets;                /* Client identifier to session. */
    uint32_t n_buckets;

    struct wheel conn_wheel, session_wheel;
    uint32_t first_hold, last_hold;
    uint32_t congested;               /* Scratch: session that the publisher at work waits for. */
    struct mqtt_stall *first_stall, *last_stall;
    size_t n_stalls;
    struct mqtt_subscribing *first_subscribing, *last_subscribing;  /* SUBSCRIBEs not done. */
    uint32_t work_left;               /* In this turn, for them and others. */
    usec_t worked_at;                 /* That turn. */
    bool has_room_again;              /* A queue that is waited for. */
    bool is_parting;                  /* Scratch: the publisher at work is gone. */
    enum mqtt_overflow overflow;      /* Scratch: who is told what a full queue cannot take. */
    bool has_overflowed;              /* Scratch: something was not taken. */
    uint32_t *doomed;                 /* Sessions that are about to be ended. */
    size_t n_doomed, allocated_doomed;

    struct subtrie *subs;
    struct subtrie_set matches;       /* Scratch. */
    struct mqtt_retained *retained;
    struct mqtt_journal journal;
    uint32_t n_subscriptions;
    uint64_t heap_bytes;              /* Of names, filters, flows. */
    uint64_t message_bytes;           /* Of all messages, wherever they are. */
    uint64_t framer_bytes;            /* Of incomplete control packets. */
    uint64_t ctl_bytes;               /* Of those other than PUBLISH that wait to leave. */
    uint64_t output_bytes;            /* See mqtt_set_output_bytes(). */
    uint32_t n_connected;             /* Sessions that have a connection. */
    uint32_t n_shared;                /* Shared subscriptions among n_subscriptions. */
    struct mqtt_acl *acl;             /* NULL: everything is allowed. */
    struct mqtt_sys *sys;             /* NULL: no $SYS tree. */

    struct mqtt_queued_event *events; /* Ring; size a power of two. */
    uint32_t first_event, n_events, allocated_events;
    struct mqtt_queued_event current; /* What the last event borrows from. */
    mqtt_id *ready;                   /* Ring likewise. */
    uint32_t first_ready, n_ready, allocated_ready;
};

/* Otherwise 5.0 clients are told so, and keep to it. */
static inline bool
mqtt_may_retain(const struct mqtt_broker *b)
{
    return b->config.max_retained && b->config.max_retained_bytes;
}

static inline struct mqtt_conn *
mqtt_conn_at(const struct mqtt_broker *b, uint32_t idx)
{
    return slab_at(&b->conns, idx);
}

static inline struct mqtt_session *
mqtt_session_at(const struct mqtt_broker *b, uint32_t idx)
{
    return slab_at(&b->sessions, idx);
}

static inline struct mqtt_entry *
mqtt_entry_at(const struct mqtt_broker *b, uint32_t idx)
{
    return slab_at(&b->entries, idx);
}

/* queue.c: what the caller pulls. */
void mqtt_push_event(struct mqtt_broker *, const struct mqtt_queued_event *);
void mqtt_push_filter_event(struct mqtt_broker *, enum mqtt_event_type, struct slice filter);
void mqtt_push_publish_event(struct mqtt_broker *, uint32_t conn, struct mqtt_msg *);
void mqtt_push_ready(struct mqtt_broker *, uint32_t conn);
void mqtt_queues_uninit(struct mqtt_broker *);

/* conn.c: life and death of Network Connections. */
mqtt_id mqtt_conn_id(const struct mqtt_broker *, uint32_t conn);
uint32_t mqtt_conn_find(const struct mqtt_broker *, mqtt_id);       /* None: gone. */
struct writer mqtt_ctl_begin(struct mqtt_broker *, uint32_t conn, uint32_t room);
void mqtt_ctl_end(struct mqtt_broker *, uint32_t conn, const struct writer *);
void mqtt_ctl_free(struct mqtt_broker *, struct mqtt_conn *);
enum mqtt_ending { MQTT_END_CLOSE, MQTT_END_ABORT };
/* Ends a connection on our initiative: tells a 5.0 client why (unless 'reason' is 0), parts it from
 * its session (the Will is published unless it was dropped before), says CLOSE or ABORT. */
void mqtt_conn_end(struct mqtt_broker *, uint32_t conn, enum mqtt_ending, uint8_t reason,
                   usec_t now);
void mqtt_conn_expired(struct mqtt_broker *, uint32_t conn, usec_t now);
void mqtt_conn_arm_keep_alive(struct mqtt_broker *, uint32_t conn, usec_t now);
void mqtt_conn_drained(struct mqtt_broker *, uint32_t conn);    /* All output was taken. */
/* Input that goes to the connection now, and credit for it. */
void mqtt_conn_input(struct mqtt_broker *, uint32_t conn, struct slice, usec_t now);
void mqtt_conn_free(struct mqtt_broker *, uint32_t conn);
struct mqtt_origin mqtt_conn_origin(const struct mqtt_broker *, const struct mqtt_conn *);

/* hold.c: delayed credit. */
void mqtt_credit(struct mqtt_broker *, uint32_t conn, uint32_t n, usec_t now);
void mqtt_hold_release_session(struct mqtt_broker *, uint32_t session, usec_t now);
void mqtt_hold_ctl_drained(struct mqtt_broker *, uint32_t conn, usec_t now);
void mqtt_hold_expire(struct mqtt_broker *, usec_t now);
usec_t mqtt_hold_deadline(const struct mqtt_broker *);
bool mqtt_hold_waits(const struct mqtt_broker *, uint32_t conn);    /* For others than itself? */
void mqtt_hold_free(struct mqtt_broker *, uint32_t conn);           /* The connection ends. */

/* ask.c: input that is not looked at yet; false: it is too much. */
struct mqtt_held {
    uint8_t *bytes;
    uint32_t n, allocated;
};
bool mqtt_held_append(struct mqtt_broker *, struct mqtt_held *, struct slice);
void mqtt_held_free(struct mqtt_broker *, struct mqtt_held *);

/* stall.c: QoS 1 and 2 PUBLISHes that wait for room, and sessions that have missed one. */
struct mqtt_stalled {
    struct mqtt_msg *msg;
    uint16_t packet_id;
};
void mqtt_stall_begin(struct mqtt_broker *, uint32_t conn, const struct mqtt_stalled *,
                      uint32_t session, usec_t now);
bool mqtt_stall_hold(struct mqtt_broker *, uint32_t conn, struct slice in);
void mqtt_stall_free(struct mqtt_broker *, uint32_t conn);
void mqtt_stall_part(struct mqtt_broker *, uint32_t conn, usec_t now);
void mqtt_stall_session_gone(struct mqtt_broker *, uint32_t session);
struct mqtt_subscribing;
void mqtt_stall_subscribing(struct mqtt_broker *, uint32_t conn, struct mqtt_subscribing *);
void mqtt_stall_subscribed(struct mqtt_broker *, uint32_t conn, usec_t now);
void mqtt_stall_run(struct mqtt_broker *, usec_t now);
usec_t mqtt_stall_deadline(const struct mqtt_broker *);
void mqtt_doom(struct mqtt_broker *, uint32_t session);
void mqtt_doom_forget(struct mqtt_broker *, uint32_t session);
void mqtt_doom_run(struct mqtt_broker *, usec_t now);

/* session.c: client identifiers and their subscriptions. */
uint32_t mqtt_session_find(const struct mqtt_broker *, struct slice client_id);
uint32_t mqtt_session_create(struct mqtt_broker *, struct slice client_id, struct slice username);
void mqtt_session_rename_user(struct mqtt_broker *, uint32_t session, struct slice username);
void mqtt_session_end(struct mqtt_broker *, uint32_t session, usec_t now);
void mqtt_session_detach(struct mqtt_broker *, uint32_t session, usec_t now);
void mqtt_session_expired(struct mqtt_broker *, uint32_t session, usec_t now);
struct slice mqtt_session_client_id(const struct mqtt_session *);
struct slice mqtt_session_username(const struct mqtt_session *);
uint64_t mqtt_session_serial(const struct mqtt_session *);          /* Of a stored one. */
void mqtt_session_set_serial(struct mqtt_session *, uint64_t);
void mqtt_session_free_names(struct mqtt_broker *, struct mqtt_session *);
enum mqtt_subscribed {
    MQTT_SUBSCRIBED_NEW,
    MQTT_SUBSCRIBED_AGAIN,
    MQTT_SUBSCRIBED_LIMIT,            /* Too many of this session. */
    MQTT_SUBSCRIBED_PATTERN,          /* One wildcard pattern too many. */
};
enum mqtt_subscribed mqtt_session_subscribe(struct mqtt_broker *, uint32_t session,
                                            struct slice filter, uint32_t value);
bool mqtt_session_unsubscribe(struct mqtt_broker *, uint32_t session, struct slice filter);
void mqtt_session_drop_will(struct mqtt_broker *, uint32_t session);
void mqtt_session_arm(struct mqtt_broker *, uint32_t session);

/* subs.c: the list of subscriptions of one session. */
uint32_t mqtt_subs_n(const struct mqtt_session *);
uint32_t mqtt_subs_at(const struct mqtt_session *, uint32_t i);     /* A place, in any order. */
void mqtt_subs_put(struct mqtt_broker *, struct mqtt_session *, uint32_t place);
void mqtt_subs_remove(struct mqtt_broker *, struct mqtt_session *, uint32_t place);
void mqtt_subs_free(struct mqtt_broker *, struct mqtt_session *);
/* The filter, "$share/..." and all; valid until the next call.  The value that stands with it. */
struct slice mqtt_subs_filter(const struct mqtt_broker *, uint32_t place);
uint32_t mqtt_subs_value(const struct mqtt_broker *, uint32_t session, uint32_t place);
/* The place of a filter to which the session is subscribed, else 0. */
uint32_t mqtt_subs_find(const struct mqtt_broker *, uint32_t session, struct slice filter);

/* flow.c: the queue and the window of one session. */
struct mqtt_flow *mqtt_flow_get(struct mqtt_broker *, struct mqtt_session *, usec_t now);
uint32_t mqtt_flow_n_waiting(const struct mqtt_flow *);             /* Accepts NULL. */
void mqtt_flow_trim(struct mqtt_broker *, struct mqtt_session *);   /* Frees an empty one. */
void mqtt_flow_free(struct mqtt_broker *, struct mqtt_session *);
enum mqtt_put { MQTT_PUT_QUEUED, MQTT_PUT_DROPPED };
struct mqtt_delivery {                /* How a message goes to one session. */
    struct mqtt_msg *msg;
    uint32_t sub_ids;                 /* Ownership passes. */
    uint8_t qos;
    uint8_t flags;                    /* MQTT_ENTRY_RETAIN, MQTT_ENTRY_REPLAY. */
};
enum mqtt_put mqtt_flow_put(struct mqtt_broker *, uint32_t session, const struct mqtt_delivery *,
                            usec_t now);
/* Once every QoS 0 message is gone; accepts NULL. */
bool mqtt_flow_has_room(const struct mqtt_broker *, const struct mqtt_flow *,
                        const struct mqtt_msg *);
bool mqtt_flow_is_congested(const struct mqtt_broker *, const struct mqtt_flow *);
bool mqtt_flow_has_drained(const struct mqtt_broker *, const struct mqtt_flow *);
/* The entry to be sent next, or none; it stays where it is until mqtt_flow_sent() or _discard(). */
uint32_t mqtt_flow_peek(const struct mqtt_broker *, const struct mqtt_session *, uint32_t window);
/* A packet identifier for an entry that has none. */
void mqtt_flow_number(struct mqtt_session *, struct mqtt_entry *);
void mqtt_flow_sent(struct mqtt_broker *, struct mqtt_session *, uint32_t entry, usec_t now);
void mqtt_flow_discard(struct mqtt_broker *, struct mqtt_session *, uint32_t entry);
void mqtt_flow_resume(struct mqtt_broker *, struct mqtt_session *); /* A new connection. */
void mqtt_flow_park(struct mqtt_broker *, struct mqtt_session *);   /* No connection any more. */
/* Acknowledgements; false: no such packet identifier. */
bool mqtt_flow_acked(struct mqtt_broker *, struct mqtt_session *, enum mqtt_packet_type,
                     const struct wire_mqtt_ack *);
/* Stored sessions: gives packet identifiers to what the window has room for, ahead of sending. */
void mqtt_flow_number_ahead(struct mqtt_broker *, struct mqtt_session *, uint32_t window);
void mqtt_flow_restore(struct mqtt_broker *, uint32_t session, const struct mqtt_entry *image,
                       usec_t now);
uint32_t mqtt_sub_ids_n(const struct mqtt_broker *, uint32_t list);
uint32_t mqtt_sub_ids_add(struct mqtt_broker *, uint32_t list, uint32_t id);    /* At the front. */
void mqtt_sub_ids_free(struct mqtt_broker *, uint32_t list);

/* v5.c: what only 5.0 has.  The functions for sending accept NULL for clients of before. */
extern const size_t mqtt_v5_size;
static inline struct mqtt_v5 *
mqtt_v5_of(const struct mqtt_broker *b, const struct mqtt_conn *c)
{
    return c->v5 ? slab_at(&b->v5s, c->v5) : NULL;
}

uint32_t mqtt_v5_create(struct mqtt_broker *, const struct wire_mqtt_props *);
void mqtt_v5_free(struct mqtt_broker *, uint32_t v5);
uint32_t mqtt_v5_window(const struct mqtt_broker *, const struct mqtt_v5 *);
uint32_t mqtt_v5_max_packet_size(const struct mqtt_v5 *);
uint8_t mqtt_v5_alias_in(struct mqtt_broker *, struct mqtt_v5 *, struct wire_mqtt_publish *);
uint16_t mqtt_v5_alias_out(const struct mqtt_v5 *, struct slice topic, bool *is_known);
void mqtt_v5_alias_sent(struct mqtt_broker *, struct mqtt_v5 *, uint16_t alias, struct slice topic);
uint8_t mqtt_v5_check_props(struct slice raw);
void mqtt_v5_adopt_props(struct mqtt_msg *, const struct wire_mqtt_props *, usec_t now);

/* pattern.c: what wildcards may cost.  'filter' is without "$share/NAME/". */
/* A level costs a node in each tree: no real topic has more. */
#define MQTT_MAX_LEVELS 1000u
bool mqtt_pattern_is_allowed(const struct mqtt_broker *, struct slice filter);
void mqtt_pattern_ref(struct mqtt_broker *, struct slice filter);
void mqtt_pattern_unref(struct mqtt_broker *, struct slice filter);

/* share.c: shared subscriptions. */
#define MQTT_GROUP 0x80000000u        /* In the trie: this subscriber is a group. */
extern const size_t mqtt_group_size;
enum mqtt_share_form { MQTT_SHARE_NONE, MQTT_SHARE_VALID, MQTT_SHARE_INVALID };
enum mqtt_share_form mqtt_share_parse(struct slice *filter);
/* The value with which the session is a member of the group at a place, or NULL. */
const uint32_t *mqtt_share_value(const struct mqtt_broker *, uint32_t place, uint32_t session);
uint32_t mqtt_share_n_members(const struct mqtt_broker *, uint32_t place);
enum subtrie_put_result mqtt_share_put(struct mqtt_broker *, struct slice whole,
                                       struct subtrie_entry member, uint32_t *place);
enum subtrie_remove_result mqtt_share_remove(struct mqtt_broker *, uint32_t place,
                                             struct slice filter, uint32_t session);
bool mqtt_share_choose(struct mqtt_broker *, const struct mqtt_msg *, struct subtrie_entry *);
/* Who would be chosen, without the turn passing. */
bool mqtt_share_peek(struct mqtt_broker *, const struct mqtt_msg *, struct subtrie_entry *);
void mqtt_share_connected(struct mqtt_broker *, uint32_t session);
void mqtt_share_bequeath(struct mqtt_broker *, uint32_t session, uint32_t place, usec_t now);
void mqtt_share_free_all(struct mqtt_broker *);

/* What stands with a subscription: its options (MQTT_SUB_*) and its Subscription Identifier. */
#define MQTT_SUB_VALUE(OPTIONS, ID) ((uint32_t) (OPTIONS) | (uint32_t) (ID) << 4)
#define MQTT_SUB_ID(VALUE) ((VALUE) >> 4)

/* inbound.c: QoS 2 packet identifiers that a client has not released. */
enum mqtt_inbound { MQTT_INBOUND_NEW, MQTT_INBOUND_DUPLICATE, MQTT_INBOUND_LIMIT };
bool mqtt_inbound_has(const struct mqtt_session *, uint16_t id);
enum mqtt_inbound mqtt_inbound_put(struct mqtt_broker *, struct mqtt_session *, uint16_t id,
                                   usec_t now);
bool mqtt_inbound_release(struct mqtt_broker *, struct mqtt_session *, uint16_t id);
void mqtt_inbound_restore(struct mqtt_broker *, struct mqtt_session *, uint16_t id, usec_t now);

/* persist.c: what happened, for the journal.  All return at once when nothing is to be noted. */
void mqtt_persist_connected(struct mqtt_broker *, struct mqtt_session *);
void mqtt_persist_parted(struct mqtt_broker *, const struct mqtt_session *, usec_t parted_at);
void mqtt_persist_ended(struct mqtt_broker *, const struct mqtt_session *);
void mqtt_persist_no_will(struct mqtt_broker *, const struct mqtt_session *);
void mqtt_persist_subscribed(struct mqtt_broker *, const struct mqtt_session *,
                             struct slice filter, uint32_t value);
void mqtt_persist_unsubscribed(struct mqtt_broker *, const struct mqtt_session *,
                               struct slice filter);
void mqtt_persist_received(struct mqtt_broker *, const struct mqtt_session *, uint16_t id);
void mqtt_persist_released(struct mqtt_broker *, const struct mqtt_session *, uint16_t id);
void mqtt_persist_queued(struct mqtt_broker *, const struct mqtt_session *,
                         const struct mqtt_entry *);
void mqtt_persist_numbered(struct mqtt_broker *, const struct mqtt_session *,
                           const struct mqtt_entry *);
void mqtt_persist_taken(struct mqtt_broker *, const struct mqtt_session *, struct mqtt_entry *);
void mqtt_persist_done(struct mqtt_broker *, const struct mqtt_session *,
                       const struct mqtt_entry *);
void mqtt_persist_orphan(struct mqtt_broker *, struct mqtt_msg *);
void mqtt_persist_clock(struct mqtt_broker *);
/* The retained store and the journal at once. */
bool mqtt_retain(struct mqtt_broker *, struct mqtt_msg *);
void mqtt_unretain(struct mqtt_broker *, struct slice topic);
/* And what must wait for it. */
bool mqtt_journal_is_full(const struct mqtt_broker *);
void mqtt_persist_begin(struct mqtt_broker *);                      /* A control packet came. */
void mqtt_persist_hold(struct mqtt_broker *, uint32_t conn, uint32_t from);
bool mqtt_persist_holds(const struct mqtt_broker *, const struct mqtt_session *,
                        const struct mqtt_entry *);
void mqtt_persist_await(struct mqtt_broker *, const struct mqtt_session *);
void mqtt_persist_resumed(struct mqtt_broker *, const struct mqtt_session *);
void mqtt_persist_defer(struct mqtt_broker *, uint32_t conn, uint32_t n);
void mqtt_persist_uninit(struct mqtt_broker *);
/* calendar.c: instants in the journal. */
#define MQTT_MAX_TIME (INT64_MAX / 8) /* Beyond, sums would overflow; none was ever written. */
usec_t mqtt_calendar(const struct mqtt_broker *, usec_t at);
usec_t mqtt_calendar_inverse(const struct mqtt_broker *, usec_t calendar);
bool mqtt_calendar_restore(struct mqtt_broker *, usec_t correction, usec_t noted_at, usec_t now);
/* restore.c */
void mqtt_restore_abandon(struct mqtt_broker *);

/* Handlers of control packets: 0, or the enum mqtt_reason for which the connection ends. */
uint8_t mqtt_handle_connect(struct mqtt_broker *, uint32_t conn, const struct wire_mqtt_frame *,
                            usec_t now);
/* The same CONNECT, once its credentials were judged. */
void mqtt_connect_judged(struct mqtt_broker *, uint32_t conn, const struct wire_mqtt_frame *,
                         enum mqtt_verdict, usec_t now);
uint8_t mqtt_handle_publish(struct mqtt_broker *, uint32_t conn, const struct wire_mqtt_frame *,
                            usec_t now);
uint8_t mqtt_handle_ack(struct mqtt_broker *, uint32_t conn, const struct wire_mqtt_frame *,
                        usec_t now);
uint8_t mqtt_handle_subscribe(struct mqtt_broker *, uint32_t conn, const struct wire_mqtt_frame *,
                              usec_t now);
void mqtt_subscribing_run(struct mqtt_broker *, usec_t now);
void mqtt_subscribing_free(struct mqtt_broker *, struct mqtt_subscribing *);
uint8_t mqtt_handle_unsubscribe(struct mqtt_broker *, uint32_t conn,
                                const struct wire_mqtt_frame *, usec_t now);
uint8_t mqtt_handle_disconnect(struct mqtt_broker *, uint32_t conn,
                               const struct wire_mqtt_frame *, usec_t now);
uint8_t mqtt_reason_of(enum wire_mqtt_result);

/* publish.c: a QoS 1 or 2 PUBLISH, judged, goes its way and is acknowledged; 0, or why the
 * connection ends. */
uint8_t mqtt_publish_accept(struct mqtt_broker *, uint32_t conn, const struct mqtt_stalled *,
                            usec_t now);
/* A session that has no room for the message now, and may soon; or none.  While parting: any that
 * has no room. */
uint32_t mqtt_publish_waits_for(struct mqtt_broker *, const struct mqtt_msg *, uint32_t from,
                                usec_t now);
/* publish.c: to whom a message goes.  'from': session of the publisher, or none. */
void mqtt_publish_to_group(struct mqtt_broker *, struct mqtt_msg *, uint32_t group, usec_t now);
void mqtt_publish(struct mqtt_broker *, struct mqtt_msg *, uint32_t from, usec_t now);
/* A message of a local client or its Will: stored if retained, delivered, told to the caller. */
void mqtt_publish_local(struct mqtt_broker *, struct mqtt_msg *, uint32_t conn, uint32_t from,
                        usec_t now);

#endif
