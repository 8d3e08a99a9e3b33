/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* MQTT Topic Names and Topic Filters (MQTT 5.0 section 4.7): validity and matching of one against
 * another.  Stateless.  Lengths are bytes; nothing here is NUL-terminated. */
#ifndef MP_TOPIC_TOPIC_H
#define MP_TOPIC_TOPIC_H 1

#include <stdbool.h>
#include "base/cursor.h"

#define TOPIC_MAX_LEN 65535
#define TOPIC_MAX_LEVELS 200          /* Default limit; longer is refused by the callers. */

/* Well-formed UTF-8 as MQTT wants it: no U+0000, no surrogates, no overlong forms [MQTT-1.5.4-1],
 * [MQTT-1.5.4-2]. */
bool topic_utf8_is_valid(struct slice);

bool topic_name_is_valid(struct slice);             /* UTF-8, length >= 1, no wildcard. */
bool topic_filter_is_valid(struct slice);           /* Wildcards only where they may stand. */
uint32_t topic_n_levels(struct slice);
bool topic_filter_has_wildcard(struct slice);

/* [MQTT-4.7.2-1]: a leading wildcard never matches a name that begins with '$'. */
bool topic_matches(struct slice filter, struct slice name);

#endif
