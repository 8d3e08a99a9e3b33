/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The instants of the journal, which have to mean something to another process after another boot.
 * The wall clock alone does not do: it may be wrong at first and be set when instants of the wrong
 * time are in the store already, by hours or, on a machine without a battery, by decades; sessions
 * would then expire at the next start, or never.  Hence a calendar of our own:
 *
 *    'now' + epoch_us = calendar          runs evenly while we run, and never back
 *    calendar + correction = wall clock   is stored when it changes, so that at the next start the
 *                                         calendar goes on where the wall clock says it is
 *
 * Where the wall clock is behind what the calendar is known to have reached, it counts as having
 * stood still.  Time that a machine slept is, as for timers, not counted. */
#include "mqtt/private.h"

/* Less is no step: seconds are the units of all that expires. */
#define STEP_US CLOCK_SEC

/* How far the calendar may be back at worst after a crash. */
#define NOTE_EVERY_US (60 * CLOCK_SEC)

usec_t
mqtt_calendar(const struct mqtt_broker *b, usec_t at)
{
    return at + b->config.epoch_us;
}

usec_t
mqtt_calendar_inverse(const struct mqtt_broker *b, usec_t calendar)
{
    return calendar - b->config.epoch_us;
}

void
mqtt_wall_clock(struct mqtt_broker *b, usec_t wall, usec_t now)
{
    struct mqtt_journal *j = &b->journal;
    usec_t calendar = mqtt_calendar(b, now);
    usec_t correction = wall - calendar;
    usec_t stepped = correction - j->correction;

    if (stepped >= STEP_US || stepped <= -STEP_US
        || (j->n && calendar - j->noted_at >= NOTE_EVERY_US)) {
        j->correction = correction;
        j->noted_at = calendar;
        mqtt_persist_clock(b);
    }
}

bool
mqtt_calendar_restore(struct mqtt_broker *b, usec_t correction, usec_t noted_at, usec_t now)
{
    struct mqtt_journal *j = &b->journal;
    usec_t wall = mqtt_calendar(b, now);

    if (correction < -MQTT_MAX_TIME || correction > MQTT_MAX_TIME || noted_at < -MQTT_MAX_TIME
        || noted_at > MQTT_MAX_TIME) {
        return false;
    }
    b->config.epoch_us = MP_MAX(wall - correction, noted_at) - now;
    j->correction = wall - mqtt_calendar(b, now);
    return true;
}
