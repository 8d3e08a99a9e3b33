/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* mqtt: a broker as a pure object.  Bytes of Network Connections and the time go in; events and
 * output are pulled out.  It knows no TCP, no frame, no peer protocol.  One thread.
 *
 * Draining order of the caller after any input: mqtt_next_event() until false, then for each
 * connection of mqtt_next_ready() take output with mqtt_next_output() while the transport has
 * room. */
#ifndef MP_MQTT_BROKER_H
#define MP_MQTT_BROKER_H 1

#include "base/addr.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/mbuf.h"
#include "base/siphash.h"
#include "base/stats.h"
#include "topic/subtrie.h"

/* A Network Connection: low 32 bits index, high 32 bits generation; 0: none. */
typedef uint64_t mqtt_id;

enum mqtt_anonymous {
    MQTT_ANONYMOUS_AUTO,              /* Allowed unless there are credentials to check. */
    MQTT_ANONYMOUS_ALLOWED,
    MQTT_ANONYMOUS_REFUSED,
};

struct mqtt_config {
    const char *username, *password;  /* NULL: none configured, anonymous allowed.  Copied. */
    uint32_t max_connections;
    uint32_t max_packet_size;         /* Whole control packet, bytes. */
    uint32_t max_topic_levels;
    uint32_t max_subscriptions;       /* Per session. */
    uint32_t max_patterns;            /* Of "+" beyond the eighth level, of all filters. */
    uint32_t max_retained;            /* Messages. */
    uint64_t max_retained_bytes;
    uint32_t max_queued_messages;     /* Per session. */
    uint32_t max_queued_bytes;        /* Per session. */
    uint32_t max_sessions;            /* Stored ones included. */
    uint16_t max_inflight;            /* QoS 1 and 2, each way, not acknowledged. */
    uint8_t max_qos;                  /* Granted at most: 0, 1 or 2. */
    uint16_t max_topic_alias;         /* MQTT 5.0, each way. */
    uint16_t max_keep_alive_s;        /* 0: no limit. */
    usec_t connect_timeout_us;        /* From open to CONNECT. */
    usec_t session_expiry_us;         /* Of a session that nobody resumes; CLOCK_NEVER: never. */
    usec_t hold_us;                   /* A publisher waits at most so long for a subscriber. */
    bool allow_duplicates;            /* To clients of 3.1.1: a copy for each subscription. */
    bool asks_auth;                   /* MQTT_EV_AUTH for every CONNECT with a user name. */
    enum mqtt_anonymous anonymous;    /* CONNECTs without a user name. */
    uint64_t memory_limit;            /* Of all that mqtt_memory() counts, and of output that
                                       * was taken; 0: none. */
    usec_t sys_interval_us;           /* Of the $SYS tree; 0: there is none. */
    const char *version;              /* What $SYS/broker/version says.  Copied; NULL: nothing. */
    bool is_persistent;               /* Makes batches; the caller stores them. */
    usec_t epoch_us;                  /* The wall clock's time at the start is 'now' and so much. */
    uint64_t max_journal_bytes;       /* Not durable; beyond, clients are held back. */
    uint32_t work_per_turn;           /* For SUBSCRIBEs: retained topics to be looked at. */
    struct siphash_key key;
};
void mqtt_config_default(struct mqtt_config *);

#define MQTT_STATS(X)                                                                   \
    X(connections, "Network Connections opened")                                        \
    X(connects_accepted, "CONNECTs accepted")                                           \
    X(connects_refused, "CONNECTs refused with a return code")                          \
    X(takeovers, "connections closed because their client id connected again")          \
    X(malformed, "connections closed for a malformed control packet")                   \
    X(protocol_errors, "connections closed for a protocol error")                       \
    X(packet_too_large, "connections closed for a control packet beyond the limit")     \
    X(keep_alive_timeouts, "connections closed for silence")                            \
    X(connect_timeouts, "connections closed without CONNECT in time")                   \
    X(limit_refused, "requests refused at a limit")                                     \
    X(publishes_in, "PUBLISHes from clients")                                           \
    X(publishes_remote, "PUBLISHes from peers")                                         \
    X(publishes_out, "PUBLISHes to clients")                                            \
    X(bytes_in, "bytes from clients")                                                   \
    X(bytes_out, "bytes to clients")                                                    \
    X(dropped_qos0, "QoS 0 messages dropped at the limit of a queue")                   \
    X(dropped_qos12, "QoS 1 and 2 messages dropped at the limit of a queue")            \
    X(expired, "messages whose time was up before they were sent")                      \
    X(too_large_out, "messages beyond a client's Maximum Packet Size")                  \
    X(retained_set, "retained messages stored or replaced")                             \
    X(retained_limit, "retained messages refused at the limit")                         \
    X(wills_sent, "Will messages published")                                            \
    X(subscribes, "Topic Filters subscribed")                                           \
    X(subscribes_suspended, "SUBSCRIBEs that were too much for one turn")               \
    X(unsubscribes, "Topic Filters unsubscribed")                                       \
    X(held, "times a publisher was held back for a slow subscriber")                    \
    X(journal_full, "times a client was held or a peer's message dropped for a slow disk") \
    X(packets_in, "control packets from clients")                                       \
    X(packets_out, "control packets to clients")                                        \
    X(connects, "CONNECTs received")                                                    \
    X(publish_bytes_in, "payload bytes of PUBLISHes from clients")                      \
    X(publish_bytes_out, "payload bytes of PUBLISHes to clients")                       \
    X(sessions_expired, "sessions that ended because nobody resumed them")              \
    X(auth_asked, "CONNECTs whose password was looked up")                              \
    X(auth_busy, "CONNECTs refused because too many waited for that")                   \
    X(acl_denied_in, "PUBLISHes and Wills that the access rules refused")               \
    X(acl_denied_out, "messages that the access rules kept from a subscriber")          \
    X(acl_denied_subscribe, "Topic Filters that the access rules refused")              \
    X(memory_refused, "requests and messages refused at the limit of memory")           \
    X(stalled, "QoS 1 and 2 PUBLISHes that waited for room in a queue")                 \
    X(refused_full, "QoS 1 and 2 PUBLISHes answered 0x97 because a queue was full")     \
    X(sessions_overflowed, "sessions ended because their queue was full")               \
    X(limit_connections, "connections refused at the limit")                            \
    X(limit_sessions, "CONNECTs refused at the limit of sessions")                      \
    X(limit_subscriptions, "Topic Filters refused at a limit")                          \
    X(limit_inflight, "clients closed that had more QoS 2 messages under way than they may") \
    X(limit_levels, "Topic Names of PUBLISHes and Wills with too many levels")          \
    X(limit_keep_alive, "keep-alives that were shortened")                              \
    X(limit_patterns, "Topic Filters refused at the limit of wildcard patterns")
STATS_DECLARE(mqtt, MQTT_STATS)

struct mqtt_broker;
struct mqtt_broker *mqtt_create(const struct mqtt_config *, usec_t now);
void mqtt_destroy(struct mqtt_broker *);

struct mqtt_origin {                  /* Where a client sits: for show and access control. */
    struct ip_addr addr;
    uint32_t ingress_port;
    uint16_t tcp_port;
    uint16_t vlan;                    /* 0: untagged. */
    struct mac_addr mac;
};
/* Opens; 0 at the limit.  'user' comes back in events. */
mqtt_id mqtt_open(struct mqtt_broker *, const struct mqtt_origin *, uint32_t user, usec_t now);

/* The one with this index, if it is there and 'user' is its user; else 0. */
mqtt_id mqtt_find(const struct mqtt_broker *, uint32_t index, uint32_t user);

/* Bytes of the stream.  All are taken; MQTT_EV_CREDIT says when the window may open for them. */
void mqtt_input(struct mqtt_broker *, mqtt_id, const void *, size_t, usec_t now);
/* The Network Connection ended (FIN, RST, time-out): without DISCONNECT the Will is published. */
void mqtt_closed(struct mqtt_broker *, mqtt_id, usec_t now);

/* What this client sends is more than the caller can pass on: MQTT_EV_CREDIT is kept back, but for
 * what is under way already, until mqtt_release().  False: it is held so already, or gone. */
bool mqtt_hold(struct mqtt_broker *, mqtt_id);
void mqtt_release(struct mqtt_broker *, mqtt_id, usec_t now);

/* A message from a peer proxy: delivered here, stored if retained, never an MQTT_EV_PUBLISH. */
struct mqtt_message {
    struct slice topic;
    struct mbuf *payload;             /* Borrowed, not NULL; referenced if kept. */
    uint8_t qos;
    bool retain;
};
void mqtt_publish_remote(struct mqtt_broker *, const struct mqtt_message *, usec_t now);

/* The connection that mqtt_next_ready() will return after 'n' others, 0 if there is none. */
mqtt_id mqtt_peek_ready(const struct mqtt_broker *, uint32_t n);
/* Advice: the connection with this index (the low half of its id) will be used soon.  The second uses
 * what the first has fetched, and returns the connection's 'user', 0 if it is gone. */
void mqtt_ahead_conn(const struct mqtt_broker *, uint32_t index);
uint32_t mqtt_ahead_session(const struct mqtt_broker *, uint32_t index);

/* Access rules (acl.h): ownership passes, the old ones go; NULL: everything is allowed.  They hold
 * from the next message on, also for what waits already; connections and subscriptions stay. */
struct mqtt_acl;
void mqtt_set_acl(struct mqtt_broker *, struct mqtt_acl *);

/* MQTT_EV_AUTH: whose password is it?  The connection stands still until mqtt_auth_result(). */
struct mqtt_auth_request {
    struct slice username, password;  /* Valid until the result, or the end of the connection. */
};
/* False: the connection is gone, no result is wanted. */
bool mqtt_auth_request(const struct mqtt_broker *, mqtt_id, struct mqtt_auth_request *);
enum mqtt_verdict {
    MQTT_VERDICT_GOOD,
    MQTT_VERDICT_BAD,                 /* No such user, or another password. */
    MQTT_VERDICT_BUSY,                /* Not judged: too much to do. */
};
void mqtt_auth_result(struct mqtt_broker *, mqtt_id, enum mqtt_verdict, usec_t now);

enum mqtt_event_type {
    MQTT_EV_CREDIT,                   /* 'n' more bytes of this connection are done with. */
    MQTT_EV_CLOSE,                    /* Close after the output that is still to be taken; the id is
                                       * gone once that is drained and mqtt_closed() was called. */
    MQTT_EV_ABORT,                    /* Close at once, drop what is unsent. */
    MQTT_EV_SUBSCRIBE,                /* 'filter' got its first local subscriber. */
    MQTT_EV_UNSUBSCRIBE,              /* 'filter' lost its last local subscriber. */
    MQTT_EV_PUBLISH,                  /* A local client (or its Will) published 'message'. */
    MQTT_EV_AUTH,                     /* Wants mqtt_auth_result(); see mqtt_auth_request(). */
    MQTT_EV_AUTH_GONE,                /* No more: the connection ended, its id is left. */
};
struct mqtt_event {                   /* Slices and bodies are valid until the next call. */
    enum mqtt_event_type type;
    mqtt_id conn;
    uint32_t user;
    uint32_t n;
    struct slice filter;
    struct mqtt_message message;
};
bool mqtt_next_event(struct mqtt_broker *, struct mqtt_event *);

/* Connections that have output and were not returned since: take it, or come back when the
 * transport is writable. */
bool mqtt_next_ready(struct mqtt_broker *, mqtt_id *, uint32_t *user);

/* Next piece of output; 'room' bytes are a wish, one control packet may exceed it. */
struct mqtt_output {
    uint8_t head[72];                 /* Fixed and short variable headers, small packets whole. */
    uint32_t head_n;
    struct mbuf *extra;               /* Long headers, or NULL: owned by the receiver. */
    struct mbuf *body;                /* Payload, or NULL: reference owned by the receiver. */
    uint32_t body_off, body_n;
};
bool mqtt_next_output(struct mqtt_broker *, mqtt_id, uint32_t room, usec_t now,
                      struct mqtt_output *);

/* Persistence.  At a start, every record in the order of keys: returns NULL or what is wrong, and
 * then the broker is of no use; mqtt_restored() after the last.  In every turn after the input, a
 * batch of changes (format: journal.h) to be stored in one transaction, and mqtt_durable() once
 * that is safe; what depends on it does not leave before.  The wall clock's time is to be told in
 * every turn before the batch is taken: it may be set while we run. */
struct mqtt_batch {
    uint64_t seq;                     /* 1 and on. */
    uint8_t *bytes;                   /* To be freed by the receiver, on any thread. */
    size_t n;
};
const char *mqtt_restore(struct mqtt_broker *, struct slice key, struct slice value, usec_t now);
void mqtt_restored(struct mqtt_broker *, usec_t now);
void mqtt_wall_clock(struct mqtt_broker *, usec_t wall, usec_t now);
bool mqtt_next_batch(struct mqtt_broker *, struct mqtt_batch *);
void mqtt_durable(struct mqtt_broker *, uint64_t seq, usec_t now);

/* An orderly end: says goodbye to every client and closes.  Wills are not published; those that have
 * a delay stay with stored sessions. */
void mqtt_shutdown(struct mqtt_broker *, usec_t now);

void mqtt_run(struct mqtt_broker *, usec_t now);
usec_t mqtt_deadline(const struct mqtt_broker *);

struct mqtt_session_info {            /* For show: slices are valid until a change. */
    struct slice client_id, username;
    mqtt_id conn;                     /* 0: not connected. */
    struct mqtt_origin origin;
    uint8_t protocol;                 /* 3, 4, 5. */
    bool clean;
    uint16_t keep_alive_s;
    uint32_t n_subscriptions, n_queued, queued_bytes, n_inflight;
    uint64_t publishes_in, publishes_out, dropped;
};
bool mqtt_walk_sessions(const struct mqtt_broker *, uint32_t *pos, struct mqtt_session_info *);
struct mqtt_subscription_info {
    struct slice filter, client_id;
    uint8_t qos;                      /* Granted. */
};
/* Subscriptions of the session last returned by mqtt_walk_sessions() at '*session_pos'; the filter is
 * valid until the next call. */
bool mqtt_walk_subscriptions(const struct mqtt_broker *, uint32_t session_pos, uint32_t *pos,
                             struct mqtt_subscription_info *);
/* The filters that MQTT_EV_SUBSCRIBE has announced and MQTT_EV_UNSUBSCRIBE not taken back, those of
 * shared subscriptions included; see subtrie_walk_next(), and end it with subtrie_walk_end(). */
bool mqtt_walk_filters(const struct mqtt_broker *, struct subtrie_walk *, struct slice *filter);
struct mqtt_memory {
    uint32_t n_connections, n_sessions, n_subscriptions, n_retained;
    uint64_t bytes;
};
void mqtt_memory(const struct mqtt_broker *, struct mqtt_memory *);
/* What a store held beyond the limits: it stays, and nothing is added before there is less. */
struct mqtt_excess {
    uint32_t n_sessions, n_retained;
    uint32_t n_crowded;               /* Sessions with too many subscriptions. */
    uint64_t retained_bytes;
};
bool mqtt_is_over_limits(const struct mqtt_broker *, struct mqtt_excess *);
/* Says how many bytes of output were taken and are still held by the caller: they count against
 * memory_limit. */
void mqtt_set_output_bytes(struct mqtt_broker *, uint64_t);
const struct mqtt_stats *mqtt_stats(const struct mqtt_broker *);

#endif
