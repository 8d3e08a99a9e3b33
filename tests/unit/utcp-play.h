/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Dialogues of utcp-script.h in pieces, for tests that compute what they send or want to look at
 * what the notation cannot say: a part of the script, then C, then another part.  Not a second
 * notation.  Included by one source file of a test. */
#ifndef MP_TESTS_UNIT_UTCP_PLAY_H
#define MP_TESTS_UNIT_UTCP_PLAY_H 1

#include "unit/utcp-script.h"

#define FOR_EACH_VARIANT(V)                                                             \
    for (const struct script_variant *V = script_variants;                              \
         V < script_variants + sizeof script_variants / sizeof *script_variants; V++)

/* A script that has not begun: its 'cfg' may still be changed. */
static struct script *
play_new(void)
{
    struct script *s = calloc(1, sizeof *s);

    utcp_config_default(&s->cfg);
    s->cfg.key = (struct siphash_key) { 1, 2 };
    s->cfg.rcv_wnd_initial = 65535;
    return s;
}

static void
play_end(struct script *s)
{
    utcp_destroy(s->u);
    free(s);
}

/* Goes on with 'text'; false and a diagnostic where it departs from what happens. */
static bool
play(struct script *s, const struct script_variant *v, const char *text)
{
    char *copy = strdup(text), *save = NULL;
    bool good = true;

    for (char *line = strtok_r(copy, "\n", &save); good && line;
         line = strtok_r(NULL, "\n", &save)) {
        char shown[256];

        snprintf(shown, sizeof shown, "%s", line);
        good = script_line(s, v, line);
        if (!good) {
            diag("%s: %s: %s", v->name, shown, s->why);
        }
    }
    free(copy);
    return good;
}

static inline struct script *
play_start(const struct script_variant *v, const char *text)
{
    struct script *s = play_new();

    ok(play(s, v, text), "the connection comes up (%s)", v->name);
    return s;
}

static inline struct utcp_info
play_info(struct script *s)
{
    struct utcp_info info = { .state = UTCP_CLOSED };

    utcp_info(s->u, s->conn, &info);
    return info;
}

/* A segment as given, but for ports, window and octets; sequence numbers are absolute. */
static inline enum utcp_verdict
play_inject(struct script *s, struct wire_tcp t, uint32_t len)
{
    t.src_port = s->tuple.remote_port;
    t.dst_port = s->tuple.local_port;
    t.wnd = t.wnd ? t.wnd : 65535;
    t.payload = (struct slice) { .p = s->in, .n = len };
    for (uint32_t i = 0; i < len; i++) {
        s->in[i] = script_octet(t.seq - s->isn + i);
    }
    s->verdict = utcp_input(s->u, &s->tuple, &t, &s->path, s->now);
    script_events(s);
    return s->verdict;
}

/* What comes out: up to 'max' segments, without their octets.  Returns how many there were. */
static unsigned int
play_drain(struct script *s, struct utcp_segment *out, unsigned int max)
{
    unsigned int n = 0;
    struct utcp_segment seg;

    while (utcp_next_segment(s->u, s->now, &seg, s->buf, sizeof s->buf)) {
        if (n < max) {
            out[n] = seg;
        }
        n++;
    }
    return n;
}

#endif
