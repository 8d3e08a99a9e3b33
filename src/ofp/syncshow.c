/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What others may see of flowsync. */
#include "ofp/flowsync_private.h"

enum flowsync_state
flowsync_state(const struct flowsync *fs)
{
    return fs->state;
}

const char *
flowsync_state_name(enum flowsync_state state)
{
    static const char *const names[] = {
        [FLOWSYNC_DETACHED] = "detached",
        [FLOWSYNC_READING] = "reading",
        [FLOWSYNC_WRITING] = "writing",
        [FLOWSYNC_IN_SYNC] = "in sync",
        [FLOWSYNC_REFUSED] = "refused",
        [FLOWSYNC_REMOVING] = "removing",
        [FLOWSYNC_REMOVED] = "removed",
    };

    return names[state];
}

const char *
flowsync_refusal(const struct flowsync *fs)
{
    return fs->state == FLOWSYNC_REFUSED ? fs->reading.conflict : NULL;
}

bool
flowsync_meters_refused(const struct flowsync *fs)
{
    return fs->meters_refused;
}

bool
flowsync_was_in_sync(const struct flowsync *fs)
{
    return fs->was_in_sync;
}

const struct flowsync_stats *
flowsync_stats(const struct flowsync *fs)
{
    return &fs->stats;
}

bool
flowsync_walk(const struct flowsync *fs, size_t *pos, struct flowsync_entry *e)
{
    size_t i = (*pos)++;

    if (i < fs->wants.n_meters) {
        const struct want_meter *m = &fs->wants.meters[i];

        *e = (struct flowsync_entry) {
            .letter = m->item->letter, .text = m->item->text, .is_meter = true,
            .installed = m->installed && fs->state != FLOWSYNC_DETACHED,
        };
        return true;
    }
    i -= fs->wants.n_meters;
    if (i < fs->wants.n_flows) {
        const struct want_flow *f = &fs->wants.flows[i];

        *e = (struct flowsync_entry) {
            .letter = f->item->letter, .text = f->item->text,
            .installed = f->installed && fs->state != FLOWSYNC_DETACHED,
            .n_packets = f->n_packets, .n_bytes = f->n_bytes,
        };
        return true;
    }
    return false;
}
