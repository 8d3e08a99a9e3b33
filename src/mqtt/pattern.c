/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Patterns: on which levels a Topic Filter has "+".  They are what a PUBLISH costs beyond its matches.
 *
 * At each level of a topic, a match is at one node of the trie for each pattern that the filters with
 * these first levels have; "a" or "+" on sixteen levels is 65,536 patterns, and so many nodes, though
 * perhaps nobody subscribed to that topic.  Of patterns within the first eight levels there are 256:
 * they cost no more than that, are what people use, and are free.  Those that reach deeper are counted
 * while a subscription has them, and there is a limit to how many there may be.  So at no level are
 * there more nodes than 256 and that limit. */
#include "mqtt/private.h"
#include "topic/sublist.h"

#define FREE_LEVELS 8u

/* The pattern as a number (its keyed hash: two that are the same count as one, and nobody can look for
 * such), 0 if it is free. */
static uint32_t
pattern_of(const struct mqtt_broker *b, struct slice filter)
{
    uint8_t levels[MQTT_MAX_LEVELS / 8 + 1] = { 0 };
    uint32_t level = 0, deepest = 0;

    for (uint32_t i = 0; i < filter.n && level < MQTT_MAX_LEVELS; i++) {
        if (filter.p[i] == '+') {     /* It fills its level. */
            levels[level / 8] |= (uint8_t) (1u << level % 8);
            deepest = level;
        }
        level += filter.p[i] == '/';
    }
    return deepest < FREE_LEVELS
           ? 0 : (uint32_t) siphash(&b->config.key, levels, deepest / 8 + 1) | 1;
}

bool
mqtt_pattern_is_allowed(const struct mqtt_broker *b, struct slice filter)
{
    uint32_t pattern = pattern_of(b, filter);

    return !pattern || b->patterns->n < b->config.max_patterns
           || sublist_find(b->patterns, pattern);
}

void
mqtt_pattern_ref(struct mqtt_broker *b, struct slice filter)
{
    uint32_t pattern = pattern_of(b, filter);
    struct subtrie_entry *e = pattern ? sublist_find(b->patterns, pattern) : NULL;

    if (e) {
        e->value++;
    } else if (pattern) {
        sublist_add(b->patterns, (struct subtrie_entry) { pattern, 1 });
    }
}

void
mqtt_pattern_unref(struct mqtt_broker *b, struct slice filter)
{
    uint32_t pattern = pattern_of(b, filter);

    if (pattern && !--sublist_find(b->patterns, pattern)->value) {
        sublist_remove(b->patterns, pattern);
    }
}
