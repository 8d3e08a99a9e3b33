/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Access control: an acl_file in mosquitto's format, parsed as a whole and asked per message.  It
 * knows no sessions and no files: text in, verdicts out.  Immutable once made, but for scratch
 * space: one thread.
 *
 *     user NAME                                     the topic lines that follow are NAME's; those
 *                                                   before the first one are of anonymous clients
 *     topic [read|write|readwrite|deny] FILTER      default readwrite
 *     pattern [read|write|readwrite|deny] FILTER    of all clients; %u is the user name, %c the
 *                                                   client identifier
 *     where [port=LIST] [vlan=LIST] [mac=LIST] [address=LIST]
 *                                                   the lines that follow, up to the next user or
 *                                                   where, count only for clients that sit there
 *
 * A deny comes before all grants of its user (or of the patterns); topics come before patterns; what
 * nothing grants is denied.  Names with '+' or '#' get nothing from patterns.  Lists are separated
 * by commas: ports are numbers, ranges or LOCAL; VLANs numbers, ranges or "none"; MACs may end in
 * /BITS; addresses are prefixes.  Where a line names several, each must hold.  */
#ifndef MP_MQTT_ACL_H
#define MP_MQTT_ACL_H 1

#include "mqtt/broker.h"

struct mqtt_acl_error {
    uint32_t line;                    /* From 1. */
    const char *what;                 /* What is wrong with it. */
};

/* NULL and '*error' if any line is wrong. */
struct mqtt_acl *mqtt_acl_parse(struct slice text, struct mqtt_acl_error *error);
void mqtt_acl_destroy(struct mqtt_acl *);                   /* Accepts NULL. */
uint32_t mqtt_acl_n_rules(const struct mqtt_acl *);

struct mqtt_acl_who {
    struct slice username;            /* No length: anonymous. */
    struct slice client_id;
    const struct mqtt_origin *origin; /* NULL, not known now: grants count as if it fitted, denials
                                       * as if it did not. */
};

enum mqtt_acl_access { MQTT_ACL_READ = 1 << 0, MQTT_ACL_WRITE = 1 << 1 };

bool mqtt_acl_allows(struct mqtt_acl *, const struct mqtt_acl_who *, enum mqtt_acl_access,
                     struct slice topic);

/* Could any message that 'filter' matches be read?  If not, a subscription would be in vain. */
bool mqtt_acl_may_subscribe(struct mqtt_acl *, const struct mqtt_acl_who *, struct slice filter);

#endif
