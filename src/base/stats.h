/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Counters from one table: a module writes STATS(X) once, as X(name, "what it counts"), and gets a
 * struct of uint64_t, and descriptors with which the shell prints all of them by name.  Counters
 * live in the module's object, never in a global. */
#ifndef MP_BASE_STATS_H
#define MP_BASE_STATS_H 1

#include <stddef.h>
#include <stdint.h>

struct stats_desc {
    const char *name;
    const char *help;
};

#define STATS_FIELD(NAME, HELP) uint64_t NAME;
#define STATS_DESC(NAME, HELP) { #NAME, HELP },

/* Declares struct PREFIX_stats (all fields uint64_t) and PREFIX_stats_descs[], n. */
#define STATS_DECLARE(PREFIX, TABLE)                                    \
    struct PREFIX##_stats { TABLE(STATS_FIELD) };                       \
    extern const struct stats_desc PREFIX##_stats_descs[];              \
    extern const size_t PREFIX##_n_stats;
#define STATS_DEFINE(PREFIX, TABLE)                                     \
    const struct stats_desc PREFIX##_stats_descs[] = { TABLE(STATS_DESC) }; \
    const size_t PREFIX##_n_stats = sizeof PREFIX##_stats_descs / sizeof PREFIX##_stats_descs[0];

#endif
