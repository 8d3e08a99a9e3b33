/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Private structures of utcp: the connection and its satellites, and the endpoint that owns them.
 * Only src/utcp includes this.  Bytes are what matters here: of 1,000,000 idle connections each
 * costs a struct utcp_conn and a slot of the table, nothing else; data in flight or out of order
 * adds a struct utcp_ext from a pool for as long as it is there.  One thread. */
#ifndef MP_UTCP_CONN_H
#define MP_UTCP_CONN_H 1

#include "base/chain.h"
#include "base/mem.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "utcp/seq.h"
#include "utcp/table.h"
#include "utcp/utcp.h"

/* Both ends.  IPv4: the addresses; IPv6: 'local' indexes utcp.v6s and 'remote' is 0, which is no
 * IPv4 address that we talk to. */
struct utcp_ends {
    uint32_t local, remote;
    uint16_t local_port, remote_port;
};

struct utcp_v6 {
    struct ip_addr local, remote;
};

/* A tuple with what is derived from it. */
struct utcp_key {
    const struct utcp_tuple *tuple;
    struct utcp_ends ends;            /* IPv4 only; IPv6: ports, remote 0. */
    uint32_t hash;
};

enum utcp_conn_flag {
    CONN_TS          = 1u << 0,       /* Timestamps negotiated. */
    CONN_SACK        = 1u << 1,       /* Selective acknowledgments negotiated. */
    CONN_DEAD        = 1u << 2,       /* CLOSED is queued; out of the table, lists and wheel. */
    CONN_READY       = 1u << 3,       /* In the ready list. */
    CONN_ACK_NOW     = 1u << 4,       /* Owes an ACK. */
    CONN_FIN_QUEUED  = 1u << 5,       /* Closed by the caller. */
    CONN_FIN_SENT    = 1u << 6,       /* snd_nxt counts our FIN. */
    CONN_FIN_RCVD    = 1u << 7,       /* rcv_nxt counts the peer's FIN. */
    CONN_RECOVERY    = 1u << 8,       /* Fast recovery, until snd_una reaches ext.recover. */
    CONN_LOSS        = 1u << 9,       /* After a retransmission time-out, likewise. */
    CONN_FORCE       = 1u << 10,      /* The next retransmission ignores cwnd. */
    CONN_FULL        = 1u << 11,      /* There was no room to send: owes WRITABLE. */
    CONN_TLP_DUE     = 1u << 12,      /* Owes a tail loss probe. */
    CONN_PROBE_DUE   = 1u << 13,      /* Owes a zero-window probe. */
    CONN_PROBE_OUT   = 1u << 14,      /* The one segment in flight is a zero-window probe. */
    CONN_KEEP_DUE    = 1u << 15,      /* Owes a keep-alive probe. */
    CONN_REORDERING  = 1u << 16,      /* RACK has seen reordering. */
    CONN_CWND_LIMIT  = 1u << 17,      /* cwnd was what held data back. */
    CONN_GROWN       = 1u << 18,      /* Its window is above the floor: counted in the budget. */
    CONN_WND_LIMIT   = 1u << 19,      /* The peer's window was what held data back. */
    CONN_BUSY        = 1u << 20,      /* Lately used up its window: counted in n_busy. */
    CONN_COOKIE      = 1u << 21,      /* Opened by a SYN cookie. */
    CONN_SMALL       = 1u << 22,      /* Sends small segments: its window is to be one segment. */
    CONN_ECN         = 1u << 23,      /* ECN negotiated. */
    CONN_ECE         = 1u << 24,      /* A mark came: every segment says so until a CWR comes. */
    CONN_CWR         = 1u << 25,      /* cwnd was reduced: the next new data says so. */
    CONN_DSCP        = 1u << 26,      /* Has a DSCP of its own, in path.tos. */
    CONN_R1          = 1u << 27,      /* R1 is reached. */
    CONN_OFFERED     = 1u << 28,      /* Its window is counted in 'offered': see turns.c. */
    CONN_WAITS       = 1u << 29,      /* Waits for its turn, in a list. */
    CONN_WATCHED     = 1u << 30,      /* Its window of one segment was shut and has been opened. */
    CONN_MORE        = 1u << 31,      /* It gets two segments once: see utcp_rcvwnd_watch(). */
};
#define CONN_STEERED (CONN_GROWN | CONN_BUSY | CONN_SMALL)  /* Until idle: see rcvwnd.c. */

/* What a peer has done with what it was offered: each offer that it uses up at once is a step up. */
enum utcp_needs {
    NEEDS_NONE,                       /* Has not used two in a row. */
    NEEDS_LITTLE,                     /* Has not used the last one. */
    NEEDS_UNKNOWN,                    /* To begin with. */
    NEEDS_MORE,
};

enum utcp_timer {                     /* What utcp_conn.due_ms is for. */
    TIMER_NONE,
    TIMER_RTO,                        /* RFC 6298. */
    TIMER_REO,                        /* RFC 8985 6.3: RACK's reordering window. */
    TIMER_TLP,                        /* RFC 8985 7.2. */
    TIMER_PERSIST,                    /* RFC 9293 3.8.6.1. */
    TIMER_FIN_WAIT_2,
};

/* An open connection.  The first line is all that an in-order segment or a pure ACK touches besides
 * the clocks of the second.  32-bit times: *_ms milliseconds, *_us microseconds, both modulo 2^32
 * of the caller's clock. */
struct utcp_conn {
    /* Line 1. */
    uint32_t ready_next, ready_prev;
    struct utcp_ends ends;
    uint32_t flags;                   /* enum utcp_conn_flag. */
    uint32_t snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2;
    uint32_t rcv_nxt;
    uint32_t rcv_adv;                 /* Right edge of the advertised window: RCV.NXT + RCV.WND. */
    uint32_t last_ack_sent;           /* RFC 7323 4.3. */
    uint32_t ts_recent;
    uint8_t state;                    /* enum utcp_state. */
    uint8_t snd_wscale, rcv_wscale;
    uint8_t timer;                    /* enum utcp_timer. */
    /* Line 2. */
    uint32_t ext;                     /* struct utcp_ext, or SLAB_NONE. */
    uint32_t idx;                     /* Of this struct in its slab. */
    uint32_t max_snd_wnd;
    uint32_t cwnd, ssthresh;
    uint32_t srtt_us;                 /* 0: no sample yet. */
    uint32_t rttvar_us;
    uint32_t min_rtt_us;
    uint32_t due_ms;                  /* Of 'timer'. */
    uint32_t last_rcvd_ms, last_sent_ms;
    uint32_t ts_recent_ms;            /* When ts_recent was set (RFC 7323 5.5). */
    uint32_t ts_offset;
    uint32_t user;
    uint16_t mss;                     /* Without options: min(peer's, path MTU - headers). */
    uint8_t backoff;                  /* Time-outs in a row; keep-alive probes when idle. */
    uint8_t reo_mult;                 /* RACK.reo_wnd_mult. */
    uint8_t reo_persist;              /* RACK.reo_wnd_persist. */
    uint8_t acks_owed : 3;            /* Of this turn, for what was not in order: see rcv.c. */
    uint8_t challenge_n : 5;          /* Challenge ACKs in the second with challenge_s. */
    uint16_t rexmits;                 /* Segments sent again; saturates. */
    /* Line 3. */
    struct utcp_path path;
    struct wheel_node wheel;
    uint32_t wheel_due;               /* Milliseconds, as the wheel's tick is one. */
    uint32_t uncredited;              /* Bytes delivered and not yet credited. */
    uint32_t wnd_target;              /* rcvwnd.c: what the window should be. */
    uint32_t wnd_mark;                /* Right edge at the start of the round... */
    uint32_t wnd_mark_us;             /* ...which began then. */
    uint32_t wnd_hold_ms;             /* No growth before. */
    uint32_t wnd_small_us;            /* CONN_SMALL since. */
    uint8_t wnd_fill;                 /* One bit per recent segment: 1 when well filled. */
    uint8_t wnd_backoff : 4;          /* Falls to the floor: doubles the time to the next growth. */
    uint8_t wnd_far : 3;              /* Exponent of the part of the window that is charged. */
    uint8_t wnd_tail : 1;             /* The last segment was the rest after a well filled one. */
    uint8_t wnd_small_times : 3;      /* Times in a row that it was made CONN_SMALL; saturates. */
    uint8_t wnd_needs : 2;            /* enum utcp_needs: turns.c. */
    uint8_t challenge_s;              /* Number of a second, its last byte. */
};
#define UTCP_CONN_BYTES 192
_Static_assert(sizeof(struct utcp_conn) <= UTCP_CONN_BYTES, "1 M connections: 192 MB");

/* A segment in flight.  In sequence order: snd_una .. snd_nxt without a gap. */
enum utcp_sent_flag {
    SENT_SACKED = 1 << 0,
    SENT_LOST   = 1 << 1,             /* Deemed lost and not sent again since. */
    SENT_FIN    = 1 << 2,             /* The last octet is the FIN. */
};
struct utcp_sent {
    uint32_t next;
    uint32_t seq;
    uint32_t len;                     /* Of sequence space. */
    uint32_t sent_us;                 /* Last transmission. */
    uint8_t flags;
    uint8_t n_tx;                     /* Transmissions; saturates. */
};

/* Data out of order.  Pieces in sequence order that never overlap; neighbours that touch form an
 * island. */
struct utcp_piece {
    uint32_t next;
    uint32_t seq;
    uint32_t len;
    struct mbuf *data;
};

#define UTCP_MAX_ISLANDS 64           /* Per connection; beyond, the farthest goes. */
#define UTCP_MAX_ACKS 3               /* In a turn, for one connection. */
#define UTCP_N_RECENT 4               /* Islands remembered by age, for RFC 2018 section 4. */

/* What a connection needs while it has bytes queued, in flight or out of order. */
struct utcp_ext {
    struct chain sndq;                /* Bytes from snd_una on. */
    uint32_t sent_head, sent_tail;    /* struct utcp_sent. */
    uint32_t n_sent;
    uint32_t n_lost, n_sacked;        /* Segments so flagged. */
    uint32_t pipe;                    /* Octets in flight, neither SACKed nor lost. */
    uint32_t recover;                 /* RFC 6582, RFC 6675: RecoveryPoint. */
    uint32_t ecn_recover;             /* No ECE counts that acknowledges no more than this. */
    uint32_t dupacks;
    uint32_t r2_since_ms;             /* Oldest octet has been retransmitted since (R2). */
    uint32_t recover_fs, prr_delivered, prr_out;            /* RFC 6937. */
    uint32_t rack_us, rack_end, rack_rtt_us, rack_fack;     /* RFC 8985 5.2. */
    uint32_t dsack_round;
    uint32_t tlp_end;
    uint32_t ooo_head, ooo_tail;      /* struct utcp_piece. */
    uint32_t ooo_bytes, ooo_memory;
    uint32_t n_pieces, n_islands;
    uint32_t fin_seq;                 /* Of a FIN that came out of order. */
    struct wire_sack_block dsacks[UTCP_MAX_ACKS]; /* RFC 2883: owed, the oldest first. */
    uint32_t recent[UTCP_N_RECENT];   /* Sequence numbers in islands, latest first. */
    uint32_t turn_next, turn_prev;    /* Connections; with CONN_WAITS. */
    uint32_t turn_us;                 /* So since; with CONN_OFFERED: not used since. */
    uint8_t n_recent, n_dsacks;
    bool rack_valid, dsack_round_valid, tlp_out, tlp_is_retrans, has_fin, r2_running;
    bool offered_more;                /* Counted in utcp.offered_more; with CONN_OFFERED. */
};
_Static_assert(sizeof(struct utcp_ext) <= 256, "5 % active of 1 M: 12.8 MB");

/* SYN-RECEIVED from LISTEN. */
#define HALF_TS     0x80
#define HALF_SACK   0x40
#define HALF_WSCALE 0x20              /* The low bits are the peer's shift count. */
#define HALF_ECN    0x10
struct utcp_half {
    struct utcp_ends ends;
    struct wheel_node wheel;
    uint32_t wheel_due;
    uint32_t iss, irs, ts_recent;
    struct utcp_path path;
    uint16_t mss;
    uint8_t opts;
    uint8_t n_tx;
};
_Static_assert(sizeof(struct utcp_half) <= 64, "half-open: 64 bytes");

/* TIME-WAIT.  All wait equally long, so the list is sorted by itself. */
struct utcp_tw {
    struct utcp_ends ends;
    uint32_t prev, next;
    uint32_t due_ms;
    uint32_t snd_nxt, rcv_nxt, ts_recent;
    struct utcp_path path;
    bool has_ts;
    bool has_dscp;                    /* As CONN_DSCP. */
    uint8_t acks_n, acks_s;           /* As challenge_n and challenge_s of a connection. */
};
_Static_assert(sizeof(struct utcp_tw) <= 64, "TIME-WAIT: 64 bytes");

struct utcp_known {                   /* A hash that was computed ahead: ahead.c. */
    struct utcp_ends ends;
    uint32_t hash;
};

enum { TURN_MORE, TURN_OTHERS, TURN_N };  /* Those with NEEDS_MORE, and the others. */
struct utcp_turns {                   /* A queue of connections. */
    uint32_t head, tail;
};

#define UTCP_MAX_REPLIES 2048         /* Segments without a connection, waiting for the draining. */

struct utcp {
    struct utcp_config cfg;
    struct utcp_stats stats;
    usec_t now;                       /* As last told. */
    uint32_t now_ms, now_us;
    struct utcp_table table;
    struct slab conns, exts, sents, pieces, halves, tws, v6s;
    struct wheel wheel, half_wheel;
    uint32_t tw_head, tw_tail;
    uint32_t *gens;                   /* Per connection index: generation of the live one, or 0. */
    size_t n_gens;
    uint32_t next_gen;
    uint32_t ready_head, ready_tail;
    struct utcp_event *events;        /* Ring. */
    size_t events_size, event_head, n_events;
    struct utcp_segment *replies;     /* Ring. */
    size_t replies_size, reply_head, n_replies;
    struct mbuf **delivered;          /* DATA events point into these until the next input. */
    size_t delivered_size, n_delivered;
    uint32_t *dead;                   /* Connections to be freed. */
    size_t dead_size, n_dead;
    uint64_t queued;                  /* Octets in all send queues. */
    uint64_t ooo_memory;              /* Of all that came out of order. */
    uint64_t promised;                /* Charged to rcv_budget by all grown connections. */
    uint32_t n_grown, n_busy;
    uint64_t offered;                 /* On offer to those with CONN_OFFERED, who are... */
    uint32_t n_offered;               /* ...so many. */
    uint64_t offered_more;            /* Of it: near those that need more. */
    struct utcp_turns turns[TURN_N];  /* Who waits for its turn... */
    uint32_t n_waiting;               /* ...so many in all. */
    uint32_t far_octets, far_ms;      /* Opened to peers on long paths in that millisecond. */
    uint32_t uncounted, uncounted_ms; /* Octets of those that take no turns, lately; as of then. */
    uint32_t echoed_ms;               /* When the latest was sent that text has answered... */
    uint32_t echoed_lag_ms;           /* ...so much later. */
    uint32_t asked, asked_ms;         /* Connection, or none, whose peer was asked for an answer. */
    uint32_t n_live;                  /* Connections not dead. */
    uint32_t n_known, next_known;
    struct utcp_known known[UTCP_MAX_AHEAD];
    uint32_t cookies_since_ms;        /* Last cookie sent... */
    bool cookies_out;                 /* ...if ever. */
    uint8_t rcv_wscale;
};

/* endpoint.c */
void utcp_begin(struct utcp *, usec_t now);
struct utcp_key utcp_key(const struct utcp *, const struct utcp_tuple *);
uint32_t utcp_find(const struct utcp *, const struct utcp_key *);
bool utcp_ends_is_v6(const struct utcp_ends *);
struct utcp_tuple utcp_ends_tuple(const struct utcp *, const struct utcp_ends *);
bool utcp_ends_make(struct utcp *, const struct utcp_key *, struct utcp_ends *);
void utcp_ends_free(struct utcp *, const struct utcp_ends *);
struct utcp_conn *utcp_conn_create(struct utcp *, const struct utcp_ends *);
void utcp_conn_kill(struct utcp *, struct utcp_conn *, enum utcp_close_reason);
utcp_id utcp_conn_id(const struct utcp *, const struct utcp_conn *);
struct utcp_conn *utcp_conn_get(const struct utcp *, utcp_id);
struct utcp_ext *utcp_ext(const struct utcp *, const struct utcp_conn *);       /* Or NULL. */
struct utcp_ext *utcp_ext_need(struct utcp *, struct utcp_conn *);
void utcp_ext_release(struct utcp *, struct utcp_conn *);   /* Frees it if it holds nothing. */
uint64_t utcp_share(const struct utcp *);                   /* See utcp_config.memory_max. */
/* A keyed function of a tuple, another for each purpose. */
enum utcp_hash_purpose { UTCP_HASH_TABLE, UTCP_HASH_ISN, UTCP_HASH_TS, UTCP_HASH_COOKIE };
uint32_t utcp_hash32(const struct utcp *, const struct utcp_tuple *, enum utcp_hash_purpose);

/* ahead.c */
bool utcp_ahead_hash(struct utcp *, const struct utcp_ends *, uint32_t *hash);

/* queues.c */
void utcp_event(struct utcp *, struct utcp_conn *, const struct utcp_event *);
void utcp_ready(struct utcp *, struct utcp_conn *);
void utcp_unready(struct utcp *, struct utcp_conn *);
struct utcp_segment *utcp_reply(struct utcp *, const struct utcp_tuple *, const struct utcp_path *);
void utcp_reply_rst(struct utcp *, const struct utcp_tuple *, const struct utcp_path *,
                    const struct wire_tcp *);
void utcp_conn_rst(struct utcp *, struct utcp_conn *);
bool utcp_has_unread(const struct utcp *, const struct utcp_conn *);
void utcp_queues_free(struct utcp *);

/* listen.c */
enum utcp_verdict utcp_listen_input(struct utcp *, const struct utcp_key *, const struct wire_tcp *,
                                    const struct utcp_path *);
enum utcp_verdict utcp_half_input(struct utcp *, const struct utcp_key *, uint32_t idx,
                                  const struct wire_tcp *, const struct utcp_path *);
void utcp_half_run(struct utcp *);
void utcp_half_free(struct utcp *, uint32_t idx, uint32_t hash);
enum utcp_verdict utcp_syn(struct utcp *, const struct utcp_key *, const struct wire_tcp *,
                           const struct utcp_path *, const uint32_t *after);

/* cookie.c: everything that a stateless SYN-ACK must carry and its ACK gives back. */
#define UTCP_COOKIE_LIFE_MS 128000u
struct utcp_syn_info {
    uint32_t irs;                     /* Of the SYN. */
    uint32_t iss;                     /* Ours. */
    uint32_t ts_recent;
    uint16_t mss;
    uint8_t opts;                     /* HALF_*. */
};
uint32_t utcp_cookie_make(const struct utcp *, const struct utcp_tuple *, uint32_t irs,
                          uint16_t mss);
uint32_t utcp_cookie_ts(const struct utcp *, const struct utcp_tuple *, uint8_t opts);
bool utcp_cookies_are_out(const struct utcp *);              /* Some may still be good. */
bool utcp_cookie_is_recent(const struct utcp *, uint32_t ack);
bool utcp_cookie_check(const struct utcp *, const struct utcp_tuple *, const struct wire_tcp *,
                       struct utcp_syn_info *);

/* input.c */
enum utcp_verdict utcp_conn_input(struct utcp *, struct utcp_conn *, const struct wire_tcp *,
                                  const struct utcp_path *);

#define UTCP_CHALLENGES_PER_S 10      /* RFC 5961 section 7: per connection, no side channel. */

/* rcv.c */
struct utcp_text {
    uint32_t seq;
    struct slice data;
    bool fin;
    uint32_t lag_ms;                  /* Since we sent what it answers, or UTCP_LAG_UNKNOWN. */
};
#define UTCP_LAG_UNKNOWN UINT32_MAX
enum utcp_verdict utcp_rcv_text(struct utcp *, struct utcp_conn *, struct utcp_text);
void utcp_rcv_ack_now(struct utcp *, struct utcp_conn *);
void utcp_rcv_ack_each(struct utcp *, struct utcp_conn *);
bool utcp_rcv_challenge(struct utcp *, struct utcp_conn *);
void utcp_rcv_dsack(struct utcp *, struct utcp_conn *, uint32_t left, uint32_t right);
void utcp_rcv_drop_pieces(struct utcp *, struct utcp_ext *);
void utcp_rcv_fill_sack(const struct utcp *, const struct utcp_conn *, struct wire_tcp_opts *);

/* rcvwnd.c */
#define UTCP_CROWD 6                  /* Busy peers that are many. */
uint32_t utcp_rcvwnd_mss(const struct utcp *, const struct utcp_conn *);
uint32_t utcp_rcvwnd_floor(const struct utcp *, const struct utcp_conn *);
void utcp_rcvwnd_init(struct utcp *, struct utcp_conn *);
uint32_t utcp_rcvwnd_echo(struct utcp *, struct utcp_conn *, uint32_t ts_ecr);
uint32_t utcp_rcvwnd_charge(const struct utcp *, const struct utcp_conn *);
void utcp_rcvwnd_arrived(struct utcp *, struct utcp_conn *, const struct utcp_text *);
uint16_t utcp_rcvwnd_offer(struct utcp *, struct utcp_conn *);  /* Moves rcv_adv; window field. */
uint32_t utcp_rcvwnd_next(const struct utcp *, const struct utcp_conn *);
void utcp_rcvwnd_credited(struct utcp *, struct utcp_conn *);
void utcp_rcvwnd_idle(struct utcp *, struct utcp_conn *);   /* No data for a while. */
void utcp_rcvwnd_spare(struct utcp *, struct utcp_conn *);  /* Data, but it needs little. */
uint32_t utcp_rcvwnd_watch_due_ms(const struct utcp_conn *);        /* With CONN_WATCHED... */
void utcp_rcvwnd_watch(struct utcp *, struct utcp_conn *);  /* ...that is over. */

/* turns.c */
uint32_t utcp_turns_counted__(const struct utcp *, const struct utcp_conn *);
void utcp_turns_changed__(struct utcp *, struct utcp_conn *, uint32_t before);
void utcp_turns_uncounted(struct utcp *, uint32_t n);
void utcp_turns_echoed(struct utcp *, uint32_t lag_ms);
void utcp_turns_answered(struct utcp *);
bool utcp_turns_is_prompt(const struct utcp *, const struct utcp_conn *, uint32_t us);
bool utcp_turns_must_wait(struct utcp *, struct utcp_conn *, uint32_t wnd);
void utcp_turns_open(struct utcp *, struct utcp_conn *, uint32_t wnd);
void utcp_turns_grant__(struct utcp *);
uint32_t utcp_turns_due_ms(const struct utcp *, const struct utcp_conn *);
void utcp_turns_expire__(struct utcp *, struct utcp_conn *);
void utcp_turns_leave(struct utcp *, struct utcp_conn *);

/* snd.c */
bool utcp_snd_next(struct utcp *, struct utcp_conn *, struct utcp_segment *, uint8_t *, size_t);
void utcp_snd_arm(struct utcp *, struct utcp_conn *);       /* Sets the retransmission timer. */
uint32_t utcp_snd_queued(const struct utcp *, const struct utcp_conn *);

/* scoreboard.c: the list of segments in flight. */
struct utcp_sent *utcp_sent_at(const struct utcp *, uint32_t idx);
void utcp_sent_append(struct utcp *, struct utcp_conn *, uint32_t len, uint8_t flags);
void utcp_sent_again(struct utcp *, struct utcp_conn *, struct utcp_sent *);
void utcp_sent_split(struct utcp *, struct utcp_ext *, uint32_t idx, uint32_t len);
void utcp_sent_absorb(struct utcp *, struct utcp_ext *, uint32_t idx, uint32_t max);
void utcp_sent_lose(struct utcp_ext *, struct utcp_sent *);
void utcp_sent_sack(struct utcp_ext *, struct utcp_sent *);
void utcp_sent_unsack(struct utcp_ext *, struct utcp_sent *);
void utcp_sent_trim(struct utcp *, struct utcp_ext *, uint32_t n);
void utcp_sent_pop(struct utcp *, struct utcp_ext *);
void utcp_sent_clear(struct utcp *, struct utcp_ext *);
uint32_t utcp_sent_first_lost(const struct utcp *, const struct utcp_ext *);

/* ack.c */
void utcp_ack_input(struct utcp *, struct utcp_conn *, const struct wire_tcp *);
void utcp_ack_reo_timeout(struct utcp *, struct utcp_conn *);

/* rack.c: RFC 8985. */
void utcp_rack_delivered(struct utcp *, struct utcp_conn *, struct utcp_ext *,
                         const struct utcp_sent *, const struct wire_tcp *);
bool utcp_rack_detect(struct utcp *, struct utcp_conn *, struct utcp_ext *, uint32_t *wait_us);
void utcp_rack_dsack(struct utcp_conn *, struct utcp_ext *);  /* NULL: nothing is in flight. */
void utcp_rack_round(struct utcp_conn *);

/* rexmit.c */
void utcp_rtt_sample(struct utcp *, struct utcp_conn *, uint32_t rtt_us);
usec_t utcp_rto(const struct utcp *, const struct utcp_conn *);
void utcp_rexmit_timeout(struct utcp *, struct utcp_conn *);
void utcp_rexmit_enter(struct utcp *, struct utcp_conn *, struct utcp_ext *);
void utcp_rexmit_prr(struct utcp_conn *, struct utcp_ext *, uint32_t delivered);
void utcp_rexmit_mss(struct utcp *, struct utcp_conn *, uint16_t mss);

/* ds.c: the second octet of the IP header.  utcp_ecn_*(): of a connection with CONN_ECN. */
uint8_t utcp_ds(const struct utcp *, const struct utcp_path *);             /* No connection. */
uint8_t utcp_conn_ds(const struct utcp *, const struct utcp_conn *);
void utcp_conn_take_path(struct utcp_conn *, const struct utcp_path *);
bool utcp_ecn_is_asked(const struct utcp *, const struct wire_tcp *syn);
void utcp_ecn_arrived(struct utcp *, struct utcp_conn *, const struct wire_tcp *,
                      const struct utcp_path *);
void utcp_ecn_echoed(struct utcp *, struct utcp_conn *, uint32_t flight);
bool utcp_ecn_has_reduced(const struct utcp_conn *, const struct utcp_ext *);
void utcp_ecn_new_data(struct utcp_conn *, struct utcp_ext *, struct utcp_segment *, uint32_t seq);

/* timers.c */
void utcp_timer_set(struct utcp *, struct utcp_conn *, enum utcp_timer, usec_t in_us);
void utcp_timer_stop(struct utcp *, struct utcp_conn *);
void utcp_timer_update(struct utcp *, struct utcp_conn *);
void utcp_timers_run(struct utcp *);

/* timewait.c */
void utcp_tw_enter(struct utcp *, struct utcp_conn *);
void utcp_tw_take_over(struct utcp *, struct utcp_conn *);  /* Its ends and its place in the table. */
enum utcp_verdict utcp_tw_input(struct utcp *, const struct utcp_key *, uint32_t idx,
                                const struct wire_tcp *, const struct utcp_path *);
void utcp_tw_run(struct utcp *);
usec_t utcp_tw_deadline(const struct utcp *);

/* Helpers that everybody needs. */
static inline uint16_t
utcp_max_mss(const struct utcp *u, bool is_v6)
{
    return (uint16_t) (u->cfg.mtu - (is_v6 ? 60 : 40));
}

/* The MSS that we announce (MUST-67).  With a scaled window it is such that a whole segment is a whole
 * number of the window's units, if that costs little: the rest of a window, and be it four octets,
 * makes a segment of its own otherwise. */
static inline uint16_t
utcp_our_mss(const struct utcp *u, bool is_v6, bool has_ts, bool has_wscale)
{
    uint16_t mss = utcp_max_mss(u, is_v6);
    uint32_t payload = mss - (has_ts ? 12u : 0u);
    uint32_t rest = has_wscale ? payload & ((1u << u->rcv_wscale) - 1) : 0;

    return (uint16_t) (rest * 16 <= payload ? mss - rest : mss);
}

static inline uint32_t
utcp_ts_now(const struct utcp *u, const struct utcp_conn *c)
{
    return u->now_ms + c->ts_offset;
}

/* What u->offered contains for it: turns.c. */
static inline uint32_t
utcp_turns_counted(const struct utcp *u, const struct utcp_conn *c)
{
    return c->flags & CONN_OFFERED ? utcp_turns_counted__(u, c) : 0;
}

/* After a change of what utcp_turns_counted() said 'before' it. */
static inline void
utcp_turns_changed(struct utcp *u, struct utcp_conn *c, uint32_t before)
{
    if (c->flags & CONN_OFFERED) {
        utcp_turns_changed__(u, c, before);
    }
}

/* Whether a small part of its window is charged. */
static inline bool
utcp_turns_is_far(const struct utcp_conn *c)
{
    return c->flags & CONN_GROWN && c->wnd_far > 1;
}

/* Whether it may be opened in the next millisecond, but not in this one. */
static inline bool
utcp_turns_is_paced(const struct utcp *u, const struct utcp_conn *c)
{
    return utcp_turns_is_far(c) && u->far_octets && u->far_ms == u->now_ms;
}

/* If its offer was not used in time, it counts no more. */
static inline void
utcp_turns_expire(struct utcp *u, struct utcp_conn *c)
{
    if (c->flags & CONN_OFFERED) {
        utcp_turns_expire__(u, c);
    }
}

/* Opens the windows of those whose turn it is. */
static inline void
utcp_turns_grant(struct utcp *u)
{
    if (u->n_waiting) {
        utcp_turns_grant__(u);
    }
}

/* Milliseconds until 'due', at least 0. */
static inline int32_t
utcp_ms_left(const struct utcp *u, uint32_t due_ms)
{
    int32_t left = seq_diff(due_ms, u->now_ms);

    return left < 0 ? 0 : left;
}

#endif
