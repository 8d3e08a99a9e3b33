/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What sim-utcp plays in: the endpoint, applications above it, reference clients, the path between
 * them, and what must hold after every turn.  sim-utcp.c makes it, of a seed, and says when it is
 * over. */
#ifndef MP_TESTS_SIM_UTCP_WORLD_H
#define MP_TESTS_SIM_UTCP_WORLD_H 1

#include <stdio.h>

#include "sim/client.h"
#include "sim/net.h"
#include "sim/router.h"
#include "utcp/utcp.h"
#include "wire/frame.h"

#define MAX_CLIENTS 14

/* The application above the endpoint, per connection. */
struct app {
    utcp_id conn;
    struct simclient client;
    uint32_t n_written, n_read, n_uncredited;
    bool is_open, fin, closed, is_closing, may_write;
    usec_t quiet_since, may_be_quiet;           /* Since, and for how long, it has sent no data. */
    uint32_t snd_una;                 /* When last looked at. */
    uint32_t sent_end;                /* Sequence number beyond all that was sent. */
    bool has_sent;
    enum utcp_close_reason reason;
};

struct sim {
    uint64_t seed;
    struct prng prng, ecn_prng;
    uint32_t marked;                  /* Of 1000 that may be. */
    struct simnet net;
    struct simrouter router;
    bool has_router;
    struct utcp *u;
    struct utcp_config cfg;
    struct app apps[MAX_CLIENTS];
    unsigned int n_apps;
    bool is_v6;
    struct ip_addr server, host;
    uint32_t chunk;                   /* The server's application writes so many at a time. */
    usec_t credit_every_us, credit_at;
    usec_t now, progress_at;
    uint64_t n_turns;
    uint8_t buf[65536 + WIRE_HEADROOM];
    char why[200];
};

/* Says why, and is false. */
#define FAIL(S, ...) (snprintf((S)->why, sizeof (S)->why, __VA_ARGS__), false)

/* Everything that is due now.  False: something that must hold does not, see 'why'. */
bool utcp_world_turn(struct sim *);
usec_t utcp_world_next_time(const struct sim *);

#endif
