/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Retained messages: a tree of topic levels whose children are found by keyed hash, so that storing
 * costs the levels of the name, and matching a filter costs what matches.  It counts messages and
 * bytes and refuses beyond its limits; it knows no sessions.  One thread. */
#ifndef MP_MQTT_RETAIN_H
#define MP_MQTT_RETAIN_H 1

#include <stdbool.h>
#include "base/cursor.h"
#include "base/siphash.h"

struct mqtt_msg;
struct mqtt_retained;

struct mqtt_retained *mqtt_retained_create(const struct siphash_key *, uint32_t max,
                                           uint64_t max_bytes);
void mqtt_retained_set_limits(struct mqtt_retained *, uint32_t max, uint64_t max_bytes);
void mqtt_retained_destroy(struct mqtt_retained *);

/* Stores a reference to 'msg' under its topic in place of what was there; false if it is more than
 * that and beyond a limit, which leaves what was there. */
bool mqtt_retained_put(struct mqtt_retained *, struct mqtt_msg *);
struct mqtt_msg *mqtt_retained_get(const struct mqtt_retained *, struct slice topic); /* Or NULL. */
bool mqtt_retained_remove(struct mqtt_retained *, struct slice topic);

/* The messages whose topics match 'filter', borrowed, in '*matches' (its size in '*allocated',
 * reused by the next call): returns how many. */
struct mqtt_retained_set {
    struct mqtt_msg **msgs;
    size_t n, allocated;
};
void mqtt_retained_match(const struct mqtt_retained *, struct slice filter,
                         struct mqtt_retained_set *);

uint32_t mqtt_retained_n(const struct mqtt_retained *);
uint64_t mqtt_retained_bytes(const struct mqtt_retained *);         /* Topics and payloads. */
uint64_t mqtt_retained_memory(const struct mqtt_retained *);

#endif
