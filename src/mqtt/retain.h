/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Retained messages: a tree of topic levels whose children are found by keyed hash, so that storing
 * costs the levels of the name; matching a filter is a walk over what it may match, in pieces.  It
 * counts messages and bytes and refuses beyond its limits; it knows no sessions.  One thread. */
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

/* The messages whose topics match 'filter', which is borrowed (or, moved, lent again), one by one:
 * each that is there all the time, those that come or go meanwhile perhaps.  '*msg' is borrowed.
 * Takes the nodes looked at from '*work' and stops when nothing is left of it, with '*msg' NULL; false
 * at the end. */
struct mqtt_retained_walk;
struct mqtt_retained_walk *mqtt_retained_walk_begin(struct mqtt_retained *, struct slice filter);
bool mqtt_retained_walk_next(struct mqtt_retained *, struct mqtt_retained_walk *, uint32_t *work,
                             struct mqtt_msg **msg);
void mqtt_retained_walk_moved(struct mqtt_retained_walk *, struct slice filter);
void mqtt_retained_walk_end(struct mqtt_retained *, struct mqtt_retained_walk *);

uint32_t mqtt_retained_n(const struct mqtt_retained *);
uint64_t mqtt_retained_bytes(const struct mqtt_retained *);         /* Topics and payloads. */
uint64_t mqtt_retained_memory(const struct mqtt_retained *);

#endif
