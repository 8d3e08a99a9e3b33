/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Looking ahead over frames that will come, and over connections that will be drained: fetches what
 * they will touch into the processor's caches.
 *
 *     frame -> slot of the table -> TCP connection -> Network Connection -> session
 *
 * Each arrow is a miss when a million connections are open, and none can begin before the one
 * before it has ended.  So each is taken for all frames of a batch before the next is: the misses
 * of a batch overlap.  Advice: nothing but the time that things take depends on it. */
#include "proxy/private.h"

#include "wire/frame.h"

struct expected {
    struct utcp_ahead tcp;
    bool has_payload;                 /* Else only TCP has to do with it. */
    uint32_t mqtt;                    /* Index of the Network Connection. */
};

/* Of the frames that carry TCP, the first step. */
static size_t
take_tuples(struct proxy *p, const struct slice *frames, size_t n, struct expected *e)
{
    size_t n_tcp = 0;

    utcp_ahead_begin(p->utcp);
    for (size_t i = 0; i < n; i++) {
        struct wire_ends ends;

        if (wire_peek_tcp(&ends, frames[i])) {
            struct utcp_tuple tuple = {
                .local = ends.dst, .remote = ends.src,
                .local_port = ends.dst_port, .remote_port = ends.src_port,
            };

            e[n_tcp].has_payload = ends.has_payload;
            utcp_ahead_tuple(p->utcp, &tuple, &e[n_tcp++].tcp);
        }
    }
    return n_tcp;
}

void
proxy_expect(struct proxy *p, const struct slice *frames, size_t n)
{
    struct expected e[PROXY_MAX_EXPECTED];

    if (n < 2 || !utcp_is_crowded(p->utcp)) {
        return;
    }
    n = take_tuples(p, frames, MP_MIN(n, PROXY_MAX_EXPECTED), e);
    for (size_t i = 0; i < n; i++) {
        utcp_ahead_conn(p->utcp, &e[i].tcp);
    }
    for (size_t i = 0; i < n; i++) {
        e[i].mqtt = utcp_ahead_user(p->utcp, &e[i].tcp) & ~IS_CLIENT;
        e[i].mqtt = e[i].has_payload ? e[i].mqtt : 0;
        mqtt_ahead_conn(p->mqtt, e[i].mqtt);
    }
    for (size_t i = 0; i < n; i++) {
        utcp_ahead_ext(p->utcp, &e[i].tcp);
        mqtt_ahead_session(p->mqtt, e[i].mqtt);
    }
}

uint32_t
ahead_of_ready(struct proxy *p)
{
    uint32_t n = 0;
    mqtt_id id;

    if (!utcp_is_crowded(p->utcp) || !mqtt_peek_ready(p->mqtt, 1)) {
        return 0;
    }
    while (n < AHEAD_READY && (id = mqtt_peek_ready(p->mqtt, n))) {
        mqtt_ahead_conn(p->mqtt, (uint32_t) id);
        n++;
    }
    for (uint32_t i = 0; i < n; i++) {
        utcp_ahead_index(p->utcp, mqtt_ahead_session(p->mqtt,
                                                     (uint32_t) mqtt_peek_ready(p->mqtt, i)));
    }
    return n - 1;
}
