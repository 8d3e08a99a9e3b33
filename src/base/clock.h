/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Units of time.  What this is: names for the one representation of time that the whole program
 * uses, signed 64-bit microseconds of a monotonic clock.  What it is not: a clock; only the shell
 * (io/, ctl/) reads one, every core is told the time as 'now'. */
#ifndef MP_BASE_CLOCK_H
#define MP_BASE_CLOCK_H 1

#include <stdint.h>

typedef int64_t usec_t;               /* An instant (ends in _at) or a duration (ends in _us). */

#define CLOCK_MSEC INT64_C(1000)
#define CLOCK_SEC  INT64_C(1000000)
#define CLOCK_NEVER INT64_MAX         /* A deadline that never comes. */

static inline usec_t
clock_min(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

#endif
