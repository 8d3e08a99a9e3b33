/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* How two Topic Filters relate as sets of Topic Names.  Both must be valid filters.  Stateless; for
 * the matching of a name see topic.h. */
#ifndef MP_TOPIC_RELATE_H
#define MP_TOPIC_RELATE_H 1

#include <stdbool.h>
#include "base/cursor.h"

/* Is there a name that both match? */
bool topic_filters_overlap(struct slice a, struct slice b);

/* Does 'wide' match every name that 'narrow' matches?  A false may be wrong, for the odd "+/#" as
 * 'wide' alone (it matches all that "#" does); a true never is. */
bool topic_filter_covers(struct slice wide, struct slice narrow);

#endif
