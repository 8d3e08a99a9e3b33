/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The broker's own topics, "$SYS/broker/...", by mosquitto's names: every interval those that have
 * changed are published, and a new subscriber gets all, as if they were retained.  They are in no
 * retained store (no limit, no persistence) and are never told to the caller, so that no peer
 * hears of them.  For the files of mqtt/ only. */
#ifndef MP_MQTT_SYS_H
#define MP_MQTT_SYS_H 1

#include "mqtt/private.h"

struct mqtt_sys *mqtt_sys_create(const char *version, usec_t now);
void mqtt_sys_destroy(struct mqtt_sys *);                   /* Accepts NULL. */

/* Both do without a tree. */
void mqtt_sys_run(struct mqtt_broker *, usec_t now);
usec_t mqtt_sys_deadline(const struct mqtt_broker *);

/* The messages whose topics match, borrowed, one after the other; '*pos' starts at 0. */
struct mqtt_msg *mqtt_sys_next(const struct mqtt_broker *, struct slice filter, size_t *pos);

#endif
