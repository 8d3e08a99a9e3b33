/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A line for the log when a limit of the broker or of TCP is met: told from their counters, so that
 * it costs nothing where the limit is, at once the first time and then at most every ten seconds
 * with how often it was.  What access rules refuse is the rules' purpose and said only for debugging. */
#include "proxy/private.h"

#include <stddef.h>
#include <string.h>

#define INTERVAL_US (10 * CLOCK_SEC)

struct limit {
    enum { OF_MQTT, OF_TCP } of;
    size_t counter;                   /* Where in struct mqtt_stats or utcp_stats. */
    enum proxy_notice level;
    const char *what, *option;
};

#define COUNTER(NAME) OF_MQTT, offsetof(struct mqtt_stats, NAME)
#define WARN PROXY_NOTICE_WARN
#define DEBUG PROXY_NOTICE_DEBUG
static const struct limit limits[PROXY_N_LIMITS] = {
    { OF_TCP, offsetof(struct utcp_stats, table_full), WARN, "SYNs refused", "--max-connections" },
    { OF_TCP, offsetof(struct utcp_stats, memory_limited), WARN,
      "times that output or late segments waited for memory", "--tcp-memory" },
    { COUNTER(limit_connections), WARN, "connections refused", "--max-connections" },
    { COUNTER(limit_sessions), WARN, "CONNECTs refused", "--max-sessions" },
    { COUNTER(limit_subscriptions), WARN, "topic filters refused",
      "--max-subscriptions, --max-topic-levels" },
    { COUNTER(limit_inflight), WARN, "clients closed for more under way than they may have",
      "--max-inflight-messages" },
    { COUNTER(limit_levels), WARN, "topics of PUBLISHes and Wills refused", "--max-topic-levels" },
    { COUNTER(limit_keep_alive), DEBUG, "keep-alives shortened", "--max-keepalive" },
    { COUNTER(limit_patterns), WARN, "topic filters refused", "--max-wildcard-patterns" },
    { COUNTER(packet_too_large), WARN, "clients closed for a packet too large",
      "--max-packet-size" },
    { COUNTER(dropped_qos0), WARN, "QoS 0 messages dropped for subscribers that are too slow",
      "--max-queued-messages, --max-queued-bytes" },
    { COUNTER(stalled), WARN, "publishers held back for a full queue",
      "--max-queued-messages, --max-queued-bytes" },
    { COUNTER(dropped_qos12), WARN, "QoS 1 and 2 messages not taken by a full queue",
      "--max-queued-messages, --max-queued-bytes" },
    { COUNTER(sessions_overflowed), WARN, "sessions ended because their queue was full",
      "--max-queued-messages, --max-queued-bytes" },
    { COUNTER(retained_limit), WARN, "retained messages not stored",
      "--max-retained-messages, --max-retained-bytes" },
    { COUNTER(memory_refused), WARN, "requests and messages refused for want of memory",
      "--memory-limit" },
    { COUNTER(auth_busy), WARN, "CONNECTs refused because too many wait for their passwords",
      "--max-auth-queue" },
    { COUNTER(journal_full), WARN, "times that clients waited for the disk",
      "--max-journal-bytes" },
    { COUNTER(acl_denied_in), DEBUG, "PUBLISHes and Wills refused", "--acl-file" },
    { COUNTER(acl_denied_out), DEBUG, "messages kept from subscribers", "--acl-file" },
    { COUNTER(acl_denied_subscribe), DEBUG, "topic filters refused", "--acl-file" },
};

void
limits_watch(struct proxy *p, usec_t now)
{
    const void *stats[] = { [OF_MQTT] = mqtt_stats(p->mqtt), [OF_TCP] = utcp_stats(p->utcp) };

    for (size_t i = 0; i < PROXY_N_LIMITS; i++) {
        struct limit_watch *w = &p->limits[i];
        uint64_t n;

        memcpy(&n, (const char *) stats[limits[i].of] + limits[i].counter, sizeof n);
        if (n != w->said && (!w->said || now - w->said_at >= INTERVAL_US)) {
            notice_put(p, limits[i].level, "%llu %s (%s)", (unsigned long long int) (n - w->said),
                       limits[i].what, limits[i].option);
            w->said = n;
            w->said_at = now;
        }
    }
}
