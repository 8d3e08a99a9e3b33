/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* A hierarchical timing wheel over the objects of one slab.  One node inside each object, linked by
 * slab indices (8 bytes), so that a million idle connections cost 8 MB and a re-arm is O(1).
 * Resolution is given at init (for instance 1 ms); an object never expires early, and at most one
 * tick plus the caller's own lateness late.  The expiry instant itself is kept by the owner: the
 * wheel may be re-armed lazily (fire early by the owner's choice and arm again).
 * Not thread-safe; knows no clock. */
#ifndef MP_BASE_WHEEL_H
#define MP_BASE_WHEEL_H 1

#include <stdbool.h>
#include "base/clock.h"
#include "base/slab.h"

struct wheel_node {                   /* All-zero: not armed. */
    uint32_t prev;                    /* Slab index, or bucket number tagged with bit 31. */
    uint32_t next;
};

/* 2^22 ticks are in the first two levels; what is due within 2048 is in the first and never moved,
 * which are all of TCP's usual timers, at a tick of a millisecond. */
#define WHEEL_LEVELS 3
#define WHEEL_LEVEL_BITS 11
#define WHEEL_SLOTS (1 << WHEEL_LEVEL_BITS)

struct wheel {
    const struct slab *slab;
    size_t node_offset;               /* Of struct wheel_node in the slab's objects. */
    size_t due_offset;                /* Of a uint32_t in them: due tick, the wheel's. */
    usec_t tick_us;
    uint64_t tick;                    /* All ticks before this one have been run. */
    uint32_t n;
    uint64_t occupied[WHEEL_LEVELS][WHEEL_SLOTS / 64];   /* For wheel_deadline(): slots... */
    uint32_t words[WHEEL_LEVELS];     /* ...and which words of 'occupied' are not 0. */
    uint32_t heads[WHEEL_LEVELS][WHEEL_SLOTS];
    uint32_t spreading[WHEEL_LEVELS]; /* What is left of slots that are due to be spread. */
};

void wheel_init(struct wheel *, const struct slab *, size_t node_offset, size_t due_offset,
                usec_t tick_us, usec_t now);

/* Arms (or re-arms) object 'idx' to expire at 'at' or up to a tick later. */
void wheel_arm(struct wheel *, uint32_t idx, usec_t at);
void wheel_disarm(struct wheel *, uint32_t idx);    /* Harmless when not armed. */
bool wheel_is_armed(const struct wheel *, uint32_t idx);

/* Takes out one object that is due at 'now' and returns its index, SLAB_NONE when none is.  Or when
 * finding it would take long, where very many were armed for the same time: then wheel_deadline()
 * has passed, and the next call goes on. */
uint32_t wheel_next_expired(struct wheel *, usec_t now);

/* The earliest instant at which wheel_next_expired() may have something to do; CLOCK_NEVER if
 * empty.  Calling it with that instant makes progress (cascades at least). */
usec_t wheel_deadline(const struct wheel *);

#endif
