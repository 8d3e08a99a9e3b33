/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Grids: alignment, both JSON forms, and what strangers' bytes become. */
#include <config.h>

#include "ctl/grid.h"

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"

#include "unit/tap.h"

static struct slice
text(const char *s)
{
    return (struct slice) { .p = (const uint8_t *) s, .n = strlen(s) };
}

static char *
format(const struct grid *g, enum grid_form form)
{
    struct ds out = DS_EMPTY_INITIALIZER;

    grid_format(g, form, &out);
    return ds_steal_cstr(&out);
}

TEST(columns_are_aligned)
{
    struct grid *g = grid_create("name,n,last");

    grid_text(g, "a");
    grid_int(g, 12345);
    grid_text(g, "x");
    grid_slice(g, text("caf\xc3\xa9s"));
    grid_int(g, -1);
    grid_none(g);

    char *s = format(g, GRID_TEXT);

    is_str(s, "name       n  last\n"
              "a      12345  x\n"
              "caf\xc3\xa9s     -1  -\n", "numbers to the right, text to the left");
    free(s);
    grid_destroy(g);
}

TEST(empty_grid_prints_nothing_as_text_and_an_empty_array_as_json)
{
    struct grid *g = grid_create("a,b");
    char *s = format(g, GRID_TEXT);
    char *j = format(g, GRID_JSON);

    is_str(s, "", "no rows, no headings");
    is_str(j, "[]\n", "JSON");
    free(s);
    free(j);
    grid_destroy(g);
}

TEST(json_has_types_and_names_without_spaces)
{
    struct grid *g = grid_create("client id,keep-alive,up,since,none");

    grid_text(g, "c\"1");
    grid_int(g, 60);
    grid_bool(g, true);
    grid_seconds(g, 1500000);
    grid_none(g);

    char *s = format(g, GRID_JSON);
    struct json *parsed = json_from_string(s);
    struct json *wanted = json_from_string("[{\"client_id\":\"c\\\"1\",\"keep_alive\":60,"
                                           "\"up\":true,\"since\":1.5,\"none\":null}]");

    ok(json_equal(parsed, wanted), "an array of one object");
    json_destroy(parsed);
    free(s);

    s = format(g, GRID_JSON_ONE);
    parsed = json_from_string(s);
    ok(json_equal(parsed, json_array(wanted)->elems[0]), "the only row as an object");
    json_destroy(parsed);
    json_destroy(wanted);
    free(s);

    s = format(g, GRID_LINES);
    is_str(s, "client id:  c\"1\nkeep-alive: 60\nup:         yes\nsince:      1.500\n"
              "none:       -\n", "a line per cell");
    free(s);
    grid_destroy(g);
}

TEST(bytes_of_strangers_cannot_control_a_terminal)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "plain/topic", "plain/topic" },
        { "esc\x1b[2J", "esc\\x1b[2J" },
        { "nl\n", "nl\\x0a" },
        { "del\x7f", "del\\x7f" },
        { "c1\xc2\x9b" "2J", "c1\\xc2\\x9b2J" },
        { "\xe2\x82\xac", "\xe2\x82\xac" },
        { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
        { "cut\xe2\x82", "cut\\xe2\\x82" },
        { "long\xc0\xaf", "long\\xc0\\xaf" },
        { "surrogate\xed\xa0\x80", "surrogate\\xed\\xa0\\x80" },
        { "back\\slash", "back\\x5cslash" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct grid *g = grid_create("x");
        char want[64];

        grid_slice(g, text(cases[i].in));
        snprintf(want, sizeof want, "x: %s\n", cases[i].out);

        char *s = format(g, GRID_LINES);

        is_str(s, want, "case %zu", i);
        free(s);
        s = format(g, GRID_JSON);

        struct json *parsed = json_from_string(s);

        ok(parsed->type == JSON_ARRAY, "case %zu is JSON", i);
        json_destroy(parsed);
        free(s);
        grid_destroy(g);
    }
}

int
main(void)
{
    RUN(columns_are_aligned);
    RUN(empty_grid_prints_nothing_as_text_and_an_empty_array_as_json);
    RUN(json_has_types_and_names_without_spaces);
    RUN(bytes_of_strangers_cannot_control_a_terminal);
    return done_testing();
}
