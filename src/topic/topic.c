/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* MQTT Topic Names and Topic Filters, MQTT 5.0 sections 1.5.4 and 4.7.  Stateless. */
#include "topic/topic.h"

static bool
in_range(uint8_t b, uint8_t low, uint8_t high)
{
    return b >= low && b <= high;
}

/* Length of the well-formed sequence at 'p', of 'n' bytes at most; 0 if there is none.  The ranges
 * of the second byte are those of the Unicode Standard's table 3-7: they leave out overlong forms
 * (E0, F0), surrogates (ED) [MQTT-1.5.4-1] and what lies above U+10FFFF (F4). */
static uint32_t
utf8_sequence(const uint8_t *p, uint32_t n)
{
    uint8_t b = p[0];

    if (b < 0x80) {
        return b != 0;                /* [MQTT-1.5.4-2] */
    }
    if (in_range(b, 0xc2, 0xdf)) {
        return n >= 2 && in_range(p[1], 0x80, 0xbf) ? 2 : 0;
    }
    if (in_range(b, 0xe0, 0xef)) {
        return n >= 3
               && in_range(p[1], b == 0xe0 ? 0xa0 : 0x80, b == 0xed ? 0x9f : 0xbf)
               && in_range(p[2], 0x80, 0xbf) ? 3 : 0;
    }
    if (in_range(b, 0xf0, 0xf4)) {
        return n >= 4
               && in_range(p[1], b == 0xf0 ? 0x90 : 0x80, b == 0xf4 ? 0x8f : 0xbf)
               && in_range(p[2], 0x80, 0xbf)
               && in_range(p[3], 0x80, 0xbf) ? 4 : 0;
    }
    return 0;
}

bool
topic_utf8_is_valid(struct slice s)
{
    uint32_t i = 0;

    while (i < s.n) {
        uint32_t len = utf8_sequence(s.p + i, s.n - i);

        if (!len) {
            return false;
        }
        i += len;
    }
    return true;
}

static bool
length_is_valid(struct slice s)
{
    return s.n >= 1 && s.n <= TOPIC_MAX_LEN;          /* [MQTT-4.7.3-1], [MQTT-4.7.3-3] */
}

bool
topic_name_is_valid(struct slice s)
{
    /* [MQTT-4.7.1-1]: no wildcards in a name; '+' and '#' are never part of a longer sequence. */
    return length_is_valid(s) && !topic_filter_has_wildcard(s) && topic_utf8_is_valid(s);
}

bool
topic_filter_is_valid(struct slice s)
{
    if (!length_is_valid(s) || !topic_utf8_is_valid(s)) {
        return false;
    }
    for (uint32_t i = 0; i < s.n; i++) {
        bool starts = !i || s.p[i - 1] == '/';
        bool ends = i + 1 == s.n;

        if (s.p[i] == '#' && !(starts && ends)) {
            return false;             /* [MQTT-4.7.1-1]: the last character, and its own level. */
        }
        if (s.p[i] == '+' && !(starts && (ends || s.p[i + 1] == '/'))) {
            return false;             /* [MQTT-4.7.1-2]: an entire level. */
        }
    }
    return true;
}

uint32_t
topic_n_levels(struct slice s)
{
    uint32_t n = 1;

    for (uint32_t i = 0; i < s.n; i++) {
        n += s.p[i] == '/';
    }
    return n;
}

bool
topic_filter_has_wildcard(struct slice s)
{
    return s.n && (memchr(s.p, '+', s.n) || memchr(s.p, '#', s.n));
}

bool
topic_matches(struct slice filter, struct slice name)
{
    const uint8_t *f = filter.p, *f_end = f + filter.n;
    const uint8_t *t = name.p, *t_end = t + name.n;

    if (!filter.n || !name.n || (*t == '$' && (*f == '+' || *f == '#'))) {
        return false;
    }
    for (;;) {                        /* f and t are at the start of a level. */
        if (f < f_end && *f == '#') {
            return true;
        }
        if (f < f_end && *f == '+') {
            f++;
            while (t < t_end && *t != '/') {
                t++;
            }
        } else {
            while (f < f_end && t < t_end && *f == *t && *f != '/') {
                f++;
                t++;
            }
        }
        if (t == t_end) {
            /* "a/#" includes the level above, 4.7.1.2. */
            return f == f_end || (f_end - f == 2 && f[0] == '/' && f[1] == '#');
        }
        if (f == f_end || *f != '/' || *t != '/') {
            return false;
        }
        f++;
        t++;
    }
}
