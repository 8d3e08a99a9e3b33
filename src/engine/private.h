/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The engine's object, for the files of this directory only. */
#ifndef MP_ENGINE_PRIVATE_H
#define MP_ENGINE_PRIVATE_H 1

#include "ctl/store.h"
#include "engine/engine.h"
#include "io/ofstream.h"
#include "io/pcap_in.h"
#include "io/trace.h"
#include "io/udp.h"
#include "ofp/flows.h"
#include "ofp/flowsync.h"
#include "ofp/swconn.h"

/*          engine_stop()            idle, or patience       removed, or patience
 *  RUNNING ------------> CLOSING ------------------> REMOVING ------------------> STOPPED
 *                        FIN, UNSUBSCRIBE            flows                        loop ends */
enum engine_phase { ENGINE_RUNNING, ENGINE_CLOSING, ENGINE_REMOVING, ENGINE_STOPPED };

struct engine {
    const struct settings *settings;
    const struct options *options;
    struct io_loop *loop;
    struct proxy *proxy;
    struct mac_addr probe_mac;

    /* The switch; all NULL in pcap mode without one. */
    struct io_ofstream *stream;
    struct swconn *swconn;
    struct flowsync *flowsync;
    bool was_attached;                /* At any time. */
    bool said_unreachable;            /* Since it was last attached. */

    /* The desired flows. */
    struct flows *flows;              /* As last handed to flowsync, for comparison. */
    bool flows_dirty;                 /* To be built anew. */
    uint32_t owner_generation;        /* Of net, that they were built from. */
    bool said_ports;                  /* An edge port that the switch does not have. */
    bool has_meters;                  /* In 'flows'. */
    bool awaits_flows;                /* Attached; frames leave once the flows are in. */
    usec_t away_since;                /* No frames have left since then. */

    struct io_pcap *pcap;             /* NULL in openflow mode. */
    struct io_udp *udp;               /* NULL until a peer is reached by it. */
    struct io_trace *trace;           /* NULL: none. */

    struct auth *auth;                /* Judges passwords; NULL without a password file. */
    struct io_watch *auth_watch;

    struct store *store;              /* NULL without persistence. */
    struct io_watch *store_watch;

    enum engine_phase phase;
    usec_t phase_ends_at;             /* Patience of CLOSING and REMOVING. */
    usec_t settle_by;
    bool unreachable;                 /* An attempt to reach the switch has failed. */
    char *failure;

    struct ctl_counters counters[8];  /* Of ofp/, io/, passwords and the store. */
    struct store_stats store_stats;   /* As last asked for: the writer's thread has its own. */
    struct ctl_view view;
};

/* flows.c */
void engine_update_flows(struct engine *);
bool engine_may_have_meters(const struct engine *);

/* access.c */
char *engine_access_open(struct engine *);      /* NULL, or one sentence to be freed. */
void engine_access_close(struct engine *);
void engine_access_run(struct engine *, usec_t now);        /* Passes on CONNECTs to be judged. */

/* store.c */
struct mqtt_config;
void engine_store_configure(const struct engine *, struct mqtt_config *);
char *engine_store_open(struct engine *);                   /* Once there is a proxy. */
void engine_store_run(struct engine *);                     /* After the proxy, every turn. */
void engine_store_close(struct engine *);                   /* Writes what is left. */

/* view.c */
void engine_init_view(struct engine *);
struct io_trace *engine_start_trace(const struct engine *, const char *file, char **error);

/* capture.c */
char *engine_open_pcap(struct engine *);        /* NULL, or one sentence to be freed. */

/* engine.c */
void engine_rx_frame(struct engine *, uint32_t port, const void *, size_t, usec_t now);
char *engine_open_socket(struct engine *);

#endif
