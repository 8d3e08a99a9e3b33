/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Two Topic Filters side by side, level by level. */
#include "topic/relate.h"

/* Takes the first level off 'rest'.  p NULL in 'rest' afterwards: that was the last. */
static struct slice
take_level(struct slice *rest)
{
    struct slice level = *rest;
    const uint8_t *slash = level.n ? memchr(level.p, '/', level.n) : NULL;

    if (slash) {
        level.n = (uint32_t) (slash - level.p);
        rest->p = slash + 1;
        rest->n -= level.n + 1;
    } else {
        *rest = (struct slice) { NULL, 0 };
    }
    return level;
}

static bool
is_wild(struct slice level, char c)
{
    return level.n == 1 && level.p[0] == c;
}

static bool
is_all(struct slice rest)
{
    return rest.p && is_wild(rest, '#');
}

static bool
is_same(struct slice a, struct slice b)
{
    return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

/* [MQTT-4.7.2-1] */
static bool
hides_from(struct slice name, struct slice wild)
{
    return name.n && wild.n && name.p[0] == '$' && (wild.p[0] == '+' || wild.p[0] == '#');
}

bool
topic_filters_overlap(struct slice a, struct slice b)
{
    if (hides_from(a, b) || hides_from(b, a)) {
        return false;
    }
    while (a.p && b.p) {
        struct slice la = take_level(&a), lb = take_level(&b);

        if (is_wild(la, '#') || is_wild(lb, '#')) {
            return true;
        }
        if (!is_wild(la, '+') && !is_wild(lb, '+') && !is_same(la, lb)) {
            return false;
        }
    }
    /* "a/#" includes "a", 4.7.1.2. */
    return (!a.p && !b.p) || is_all(a) || is_all(b);
}

bool
topic_filter_covers(struct slice wide, struct slice narrow)
{
    if (hides_from(narrow, wide)) {
        return false;
    }
    while (wide.p && narrow.p) {
        struct slice w = take_level(&wide), n = take_level(&narrow);

        if (is_wild(w, '#')) {
            return true;
        }
        if (is_wild(n, '#') || (!is_wild(w, '+') && !is_same(w, n))) {
            return false;
        }
    }
    return !narrow.p && (!wide.p || is_all(wide));
}
