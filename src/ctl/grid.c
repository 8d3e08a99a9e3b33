/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ctl/grid.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ovs-config.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "util.h"

#include "base/mem.h"

#define MAX_COLUMNS 24

struct cell {
    char *text;                       /* As printed. */
    struct json *json;
    bool is_number;                   /* Aligned to the right. */
};

struct grid {
    char *names;                      /* The columns' names, NUL-separated. */
    const char *columns[MAX_COLUMNS];
    size_t n_columns;
    struct cell *cells;               /* Row after row. */
    size_t n, n_allocated;
};

struct grid *
grid_create(const char *columns)
{
    struct grid *g = mem_zalloc(sizeof *g);
    char *save = NULL;

    g->names = mem_strdup(columns);
    for (char *name = strtok_r(g->names, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
        mp_assert(g->n_columns < MAX_COLUMNS);
        g->columns[g->n_columns++] = name;
    }
    mp_assert(g->n_columns > 0);
    return g;
}

void
grid_destroy(struct grid *g)
{
    if (g) {
        for (size_t i = 0; i < g->n; i++) {
            free(g->cells[i].text);
            json_destroy(g->cells[i].json);
        }
        mem_free(g->cells);
        mem_free(g->names);
        mem_free(g);
    }
}

/* Takes ownership of 'text' and 'json'. */
static void
add_cell(struct grid *g, char *text, struct json *json, bool is_number)
{
    g->cells = mem_grow(g->cells, &g->n_allocated, g->n + 1, sizeof *g->cells);
    g->cells[g->n++] = (struct cell) { .text = text, .json = json, .is_number = is_number };
}

void
grid_text(struct grid *g, const char *format, ...)
{
    va_list args;

    va_start(args, format);

    char *text = xvasprintf(format, args);

    va_end(args);
    add_cell(g, text, json_string_create(text), false);
}

/* Characters that are not seen but change what is: of format (Unicode's category Cf, the bidirectional
 * controls among them) and of lines. */
static bool
is_format(uint32_t c)
{
    static const struct { uint32_t first, last; } ranges[] = {
        { 0xad, 0xad }, { 0x600, 0x605 }, { 0x61c, 0x61c }, { 0x6dd, 0x6dd }, { 0x70f, 0x70f },
        { 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
        { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0x1d173, 0x1d17a }, { 0xe0001, 0xe007f },
    };

    for (size_t i = 0; i < MP_ARRAY_SIZE(ranges); i++) {
        if (c >= ranges[i].first && c <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

/* Length of the well-formed UTF-8 sequence at 'p', 0 if there is none: nothing overlong, no
 * surrogate.  '*code' is the character. */
static size_t
utf8_char(const uint8_t *p, size_t n, uint32_t *code)
{
    uint32_t c = p[0];
    size_t len = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3
                 : (c & 0xf8) == 0xf0 ? 4 : 0;
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (!len || len > n) {
        return 0;
    }
    c &= len == 1 ? 0x7f : 0xff >> (len + 1);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
        return 0;
    }
    *code = c;
    return len;
}

/* The same of what is safe on a terminal: no control either. */
static size_t
printable(const uint8_t *p, size_t n)
{
    uint32_t c;
    size_t len = utf8_char(p, n, &c);

    return len && c >= 0x20 && (c < 0x7f || c >= 0xa0) && !is_format(c) ? len : 0;
}

/* What a JSON string can hold of 's': all of it, if it is UTF-8 without NULs, as MQTT demands. */
static struct json *
slice_to_json(struct slice s)
{
    struct ds text = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < s.n; ) {
        uint32_t c = 0;
        size_t len = utf8_char(s.p + i, s.n - i, &c);

        if (c) {
            ds_put_buffer(&text, (const char *) s.p + i, len);
        } else {
            ds_put_cstr(&text, "\xef\xbf\xbd");      /* U+FFFD. */
            len = 1;
        }
        i += len;
    }
    return json_string_create_nocopy(ds_steal_cstr(&text));
}

void
grid_slice(struct grid *g, struct slice s)
{
    struct ds text = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < s.n; ) {
        size_t len = printable(s.p + i, s.n - i);

        if (len && s.p[i] != '\\') {
            ds_put_buffer(&text, (const char *) s.p + i, len);
        } else {
            ds_put_format(&text, "\\x%02x", s.p[i]);
            len = 1;
        }
        i += len;
    }

    add_cell(g, ds_steal_cstr(&text), slice_to_json(s), false);
}

void
grid_int(struct grid *g, int64_t value)
{
    add_cell(g, xasprintf("%lld", (long long int) value), json_integer_create(value), true);
}

void
grid_bool(struct grid *g, bool value)
{
    add_cell(g, xstrdup(value ? "yes" : "no"), json_boolean_create(value), false);
}

void
grid_none(struct grid *g)
{
    add_cell(g, xstrdup("-"), json_null_create(), false);
}

void
grid_seconds(struct grid *g, int64_t us)
{
    if (us < 0) {
        grid_none(g);
    } else {
        add_cell(g, xasprintf("%lld.%03lld", (long long int) us / 1000000,
                              (long long int) us / 1000 % 1000),
                 json_real_create(us / 1e6), true);
    }
}

/* Columns of a terminal that 'text' takes: continuation bytes of UTF-8 take none. */
static size_t
display_width(const char *text)
{
    size_t width = 0;

    for (; *text; text++) {
        width += (*text & 0xc0) != 0x80;
    }
    return width;
}

static void
put_padded(struct ds *out, const char *text, size_t width, bool to_the_right)
{
    size_t pad = width - MP_MIN(width, display_width(text));

    if (to_the_right) {
        ds_put_char_multiple(out, ' ', pad);
        ds_put_cstr(out, text);
    } else {
        ds_put_cstr(out, text);
        ds_put_char_multiple(out, ' ', pad);
    }
}

static void
put_text_line(const struct grid *g, const size_t *widths, const struct cell *row, struct ds *out)
{
    for (size_t c = 0; c < g->n_columns; c++) {
        /* A heading stands as its column's first value does. */
        bool right = g->n && (row ? row : g->cells)[c].is_number;

        if (c) {
            ds_put_cstr(out, "  ");
        }
        put_padded(out, row ? row[c].text : g->columns[c], widths[c], right);
    }
    while (out->length && out->string[out->length - 1] == ' ') {
        out->string[--out->length] = '\0';
    }
    ds_put_char(out, '\n');
}

static void
format_text(const struct grid *g, struct ds *out)
{
    size_t widths[MAX_COLUMNS];

    for (size_t c = 0; c < g->n_columns; c++) {
        widths[c] = display_width(g->columns[c]);
    }
    for (size_t i = 0; i < g->n; i++) {
        size_t *w = &widths[i % g->n_columns];

        *w = MP_MAX(*w, display_width(g->cells[i].text));
    }
    put_text_line(g, widths, NULL, out);
    for (size_t i = 0; i < g->n; i += g->n_columns) {
        put_text_line(g, widths, &g->cells[i], out);
    }
}

static void
format_lines(const struct grid *g, struct ds *out)
{
    size_t width = 0;

    for (size_t c = 0; c < g->n_columns; c++) {
        width = MP_MAX(width, display_width(g->columns[c]));
    }
    for (size_t i = 0; i < g->n; i++) {
        const char *name = g->columns[i % g->n_columns];

        ds_put_format(out, "%s:", name);
        ds_put_char_multiple(out, ' ', width + 1 - display_width(name));
        ds_put_format(out, "%s\n", g->cells[i].text);
    }
}

static struct json *
row_to_json(const struct grid *g, const struct cell *row)
{
    struct json *object = json_object_create();

    for (size_t c = 0; c < g->n_columns; c++) {
        char *name = xstrdup(g->columns[c]);

        for (char *p = name; *p; p++) {
            *p = *p == ' ' || *p == '-' ? '_' : *p;
        }
        json_object_put_nocopy(object, name, json_clone(row[c].json));
    }
    return object;
}

static void
format_json(const struct grid *g, enum grid_form form, struct ds *out)
{
    struct json *json;

    if (form == GRID_JSON_ONE) {
        json = g->n ? row_to_json(g, g->cells) : json_object_create();
    } else {
        json = json_array_create_empty();
        for (size_t i = 0; i < g->n; i += g->n_columns) {
            json_array_add(json, row_to_json(g, &g->cells[i]));
        }
    }
    json_to_ds(json, JSSF_PRETTY | JSSF_SORT, out);
    ds_put_char(out, '\n');
    json_destroy(json);
}

void
grid_format(const struct grid *g, enum grid_form form, struct ds *out)
{
    mp_assert(g->n % g->n_columns == 0);
    switch (form) {
    case GRID_TEXT:
        format_text(g, out);
        break;
    case GRID_LINES:
        format_lines(g, out);
        break;
    case GRID_JSON:
    case GRID_JSON_ONE:
        format_json(g, form, out);
        break;
    }
}
