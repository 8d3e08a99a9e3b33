/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Grids: alignment, both JSON forms, and what strangers' bytes become. */
#include <config.h>

#include "ctl/grid.h"

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"

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

TEST(empty_grid_prints_headings_as_text_and_an_empty_array_as_json)
{
    struct grid *g = grid_create("a,b");
    char *s = format(g, GRID_TEXT);
    char *j = format(g, GRID_JSON);

    is_str(s, "a  b\n", "headings");
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
#define BAD "\xef\xbf\xbd"
    static const struct {
        const char *in, *out;
        const char *json;             /* NULL: as it came. */
    } cases[] = {
        { "plain/topic", "plain/topic", NULL },
        { "esc\x1b[2J", "esc\\x1b[2J", NULL },
        { "nl\n", "nl\\x0a", NULL },
        { "del\x7f", "del\\x7f", NULL },
        { "c1\xc2\x9b" "2J", "c1\\xc2\\x9b2J", NULL },
        { "\xe2\x82\xac", "\xe2\x82\xac", NULL },
        { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", NULL },
        { "cut\xe2\x82", "cut\\xe2\\x82", "cut" BAD BAD },
        { "long\xc0\xaf", "long\\xc0\\xaf", "long" BAD BAD },
        { "surrogate\xed\xa0\x80", "surrogate\\xed\\xa0\\x80", "surrogate" BAD BAD BAD },
        { "back\\slash\"", "back\\x5cslash\"", NULL },
        { "bidi\xe2\x80\xae" "cba", "bidi\\xe2\\x80\\xaecba", NULL },        /* U+202E. */
        { "isolate\xe2\x81\xa6", "isolate\\xe2\\x81\\xa6", NULL },         /* U+2066. */
        { "zero\xe2\x80\x8bwidth", "zero\\xe2\\x80\\x8bwidth", NULL },     /* U+200B. */
        { "bom\xef\xbb\xbf", "bom\\xef\\xbb\\xbf", NULL },                 /* U+FEFF. */
        { "tag\xf3\xa0\x81\x81", "tag\\xf3\\xa0\\x81\\x81", NULL },        /* U+E0041. */
        { "\xd7\xa9\xd7\x9c", "\xd7\xa9\xd7\x9c", NULL },                   /* Hebrew letters. */
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
        is_str(json_string(shash_find_data(json_object(json_array(parsed)->elems[0]), "x")),
               cases[i].json ? cases[i].json : cases[i].in, "case %zu is itself in JSON", i);
        json_destroy(parsed);
        free(s);
        grid_destroy(g);
    }
}

int
main(void)
{
    RUN(columns_are_aligned);
    RUN(empty_grid_prints_headings_as_text_and_an_empty_array_as_json);
    RUN(json_has_types_and_names_without_spaces);
    RUN(bytes_of_strangers_cannot_control_a_terminal);
    return done_testing();
}
