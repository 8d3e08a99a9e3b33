/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ctl/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "ovs-config.h"
#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "base/clock.h"
#include "base/mem.h"
#include "proxy/proxy.h"

static const struct option_desc descs[] = {
#define OPTION(ID, NAME, SHORT, KIND, ARG, MIN, MAX, DEFAULT, HELP)     \
    [OPTION_##ID] = { NAME, SHORT, OPTION_KIND_##KIND, ARG, MIN, MAX, DEFAULT, false, HELP },
#define LIMIT(ID, NAME, UNIT, MIN, MAX, FIELD, SCALE, HELP)             \
    [OPTION_##ID] = { NAME, 0, OPTION_KIND_UINT, UNIT, MIN, MAX, "", true, HELP },
#include "ctl/options.def"
};

struct option_value {
    uint64_t number;                  /* UINT. */
    char **texts;                     /* 'n' of them, one per occurrence. */
    size_t n, n_allocated;
};

struct options {
    struct option_value values[N_OPTIONS];
    char *target;
};

/* Offset of the values that getopt_long() returns, above every character. */
#define FIRST_LONG 256

const struct option_desc *
option_desc(enum option_id id)
{
    mp_assert(id < N_OPTIONS);
    return &descs[id];
}

/* The last SECTION before the option in the table. */
const char *
option_section(enum option_id id)
{
    static const struct {
        int first;                    /* First option after the title. */
        const char *title;
    } marks[] = {
#define SECTION(TITLE) { -1, TITLE },
#define OPTION(ID, NAME, SHORT, KIND, ARG, MIN, MAX, DEFAULT, HELP) { OPTION_##ID, NULL },
#include "ctl/options.def"
    };
    const char *title = "";

    for (size_t i = 0; i < MP_ARRAY_SIZE(marks); i++) {
        if (marks[i].title) {
            title = marks[i].title;
        } else if (marks[i].first == (int) id) {
            break;
        }
    }
    return title;
}

/* ---- The limits' fields ---- */

/* The session expiry of a module is CLOCK_NEVER where the user writes 0. */
static uint64_t
limit_from_field(uint64_t value, uint64_t scale)
{
    return scale > 1 && value == CLOCK_NEVER ? 0 : value / scale;
}

static void
set_default_limits(struct options *o)
{
    struct proxy_config c;

    memset(&c, 0, sizeof c);
    proxy_config_default(&c);
#define LIMIT(ID, NAME, UNIT, MIN, MAX, FIELD, SCALE, HELP)             \
    o->values[OPTION_##ID].number = limit_from_field(c.FIELD, SCALE);
#include "ctl/options.def"
}

void
options_apply_limits(const struct options *o, struct proxy_config *c)
{
#define LIMIT(ID, NAME, UNIT, MIN, MAX, FIELD, SCALE, HELP)             \
    if (option_given(o, OPTION_##ID)) {                                 \
        c->FIELD = option_number(o, OPTION_##ID) * (SCALE);             \
    }
#include "ctl/options.def"
    if (option_given(o, OPTION_persistent_client_expiration)
        && !option_number(o, OPTION_persistent_client_expiration)) {
        c->mqtt.session_expiry_us = CLOCK_NEVER;
    }
    c->utcp.mtu = c->net.mtu;
}

/* ---- Parsing ---- */

static void
add_text(struct option_value *v, const char *text)
{
    v->texts = mem_grow(v->texts, &v->n_allocated, v->n + 1, sizeof *v->texts);
    v->texts[v->n++] = mem_strdup(text ? text : "");
}

/* A plain decimal number: strtoull() alone would take "-1", " 7" and "7x". */
static bool
parse_number(const char *s, uint64_t *value)
{
    char *end;

    if (!isdigit((unsigned char) s[0])) {
        return false;
    }
    errno = 0;
    *value = strtoull(s, &end, 10);
    return !errno && !*end;
}

static char *
take_option(struct options *o, enum option_id id, const char *arg)
{
    const struct option_desc *d = &descs[id];
    struct option_value *v = &o->values[id];

    if (d->kind == OPTION_KIND_UINT) {
        uint64_t number;

        if (!parse_number(arg, &number) || number < d->min || number > d->max) {
            return xasprintf("--%s: \"%s\" is not a number from %llu to %llu", d->name, arg,
                             (unsigned long long int) d->min, (unsigned long long int) d->max);
        }
        v->number = number;
    }
    add_text(v, arg);
    return NULL;
}

static enum option_id
find_short(int c)
{
    enum option_id id = 0;

    while (id < N_OPTIONS && descs[id].short_name != c) {
        id++;
    }
    return id;
}

static void
build_getopt(struct option longs[N_OPTIONS + 1], char shorts[2 * N_OPTIONS + 8])
{
    char *s = shorts;

    *s++ = ':';                       /* A missing argument gives ':' instead of a message. */
    for (int id = 0; id < N_OPTIONS; id++) {
        const struct option_desc *d = &descs[id];
        int has_arg = (d->kind == OPTION_KIND_FLAG ? no_argument
                       : d->kind == OPTION_KIND_OPTIONAL ? optional_argument
                       : required_argument);

        longs[id] = (struct option) { d->name, has_arg, NULL, FIRST_LONG + id };
        if (d->short_name) {
            *s++ = d->short_name;
            for (int i = 0; i < has_arg; i++) {
                *s++ = ':';
            }
        }
    }
    *s = '\0';
    longs[N_OPTIONS] = (struct option) { NULL, 0, NULL, 0 };
}

/* One sentence about what getopt_long() refused with 'c', '?' or ':'. */
static char *
refused(int c, char *argv[])
{
    bool is_long = optopt >= FIRST_LONG || !optopt;
    const char *word = argv[optind - 1];

    if (c == ':') {
        return (is_long
                ? xasprintf("--%s needs an argument", descs[optopt - FIRST_LONG].name)
                : xasprintf("-%c needs an argument", optopt));
    }
    if (optopt >= FIRST_LONG) {
        return xasprintf("--%s takes no argument", descs[optopt - FIRST_LONG].name);
    }
    return (is_long
            ? xasprintf("%s is not an option, or stands for several; try --help", word)
            : xasprintf("-%c is not an option; try --help", optopt));
}

static char *
parse_argv(struct options *o, int argc, char *argv[])
{
    struct option longs[N_OPTIONS + 1];
    char shorts[2 * N_OPTIONS + 8];
    char *error = NULL;

    build_getopt(longs, shorts);
    opterr = 0;
    optind = 0;                       /* GNU: start anew, also when called a second time. */
    while (!error) {
        optopt = 0;
        int c = getopt_long(argc, argv, shorts, longs, NULL);

        if (c == -1) {
            break;
        } else if (c == '?' || c == ':') {
            error = refused(c, argv);
        } else {
            enum option_id id = c >= FIRST_LONG ? (enum option_id) (c - FIRST_LONG) : find_short(c);

            error = take_option(o, id, optarg);
        }
    }
    if (!error && argc - optind > 1) {
        error = xasprintf("\"%s\" is one argument too many: a bridge or an OpenFlow method is "
                          "wanted, once", argv[optind + 1]);
    } else if (!error && argc > optind) {
        o->target = mem_strdup(argv[optind]);
    }
    return error;
}

char *
options_parse(int argc, char *argv[], struct options **options)
{
    struct options *o = mem_zalloc(sizeof *o);

    set_default_limits(o);
    for (int id = 0; id < N_OPTIONS; id++) {
        if (descs[id].kind == OPTION_KIND_UINT && descs[id].fallback[0]) {
            bool parsed = parse_number(descs[id].fallback, &o->values[id].number);

            mp_assert(parsed);
        }
    }

    char *error = parse_argv(o, argc, argv);

    if (error) {
        options_destroy(o);
        o = NULL;
    }
    *options = o;
    return error;
}

void
options_destroy(struct options *o)
{
    if (o) {
        for (int id = 0; id < N_OPTIONS; id++) {
            struct option_value *v = &o->values[id];

            for (size_t i = 0; i < v->n; i++) {
                mem_free(v->texts[i]);
            }
            mem_free(v->texts);
        }
        mem_free(o->target);
        mem_free(o);
    }
}

/* ---- Reading ---- */

bool
option_given(const struct options *o, enum option_id id)
{
    return o->values[id].n > 0;
}

uint64_t
option_number(const struct options *o, enum option_id id)
{
    mp_assert(descs[id].kind == OPTION_KIND_UINT);
    return o->values[id].number;
}

const char *
option_text(const struct options *o, enum option_id id)
{
    const struct option_value *v = &o->values[id];

    if (v->n) {
        return v->texts[v->n - 1];
    }
    return descs[id].fallback[0] ? descs[id].fallback : NULL;
}

size_t
option_count(const struct options *o, enum option_id id)
{
    return o->values[id].n;
}

const char *
option_item(const struct options *o, enum option_id id, size_t i)
{
    mp_assert(i < o->values[id].n);
    return o->values[id].texts[i];
}

const char *
options_target(const struct options *o)
{
    return o->target;
}

char *
option_show(const struct options *o, enum option_id id)
{
    const struct option_desc *d = &descs[id];
    const struct option_value *v = &o->values[id];

    if (id == OPTION_password) {
        return xstrdup(v->n ? "(set)" : "");
    } else if (d->kind == OPTION_KIND_FLAG) {
        return xstrdup(v->n ? "true" : "false");
    } else if (d->kind == OPTION_KIND_UINT) {
        return xasprintf("%llu", (unsigned long long int) v->number);
    } else if (d->kind == OPTION_KIND_TEXT || !v->n) {
        const char *text = option_text(o, id);

        return xstrdup(text ? text : "");
    }

    struct ds s = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < v->n; i++) {
        ds_put_format(&s, "%s%s", i ? " " : "", v->texts[i]);
    }
    return ds_steal_cstr(&s);
}

/* ---- Text from the table ---- */

/* Default of an option as text, "" when there is none to speak of; to be freed. */
static char *
default_text(enum option_id id)
{
    struct options o;

    if (!descs[id].is_limit) {
        return xstrdup(descs[id].fallback);
    }
    set_default_limits(&o);
    return xasprintf("%llu", (unsigned long long int) o.values[id].number);
}

/* "-t, --tcpport=PORT" */
static void
put_synopsis(struct ds *out, const struct option_desc *d)
{
    if (d->short_name) {
        ds_put_format(out, "-%c, ", d->short_name);
    }
    ds_put_format(out, "--%s", d->name);
    if (d->kind == OPTION_KIND_OPTIONAL) {
        ds_put_format(out, "[=%s]", d->arg);
    } else if (d->arg) {
        ds_put_format(out, "=%s", d->is_limit ? "N" : d->arg);
    }
}

/* Appends 'text' as lines of at most 'width' columns, the second and later ones indented. */
static void
put_wrapped(struct ds *out, const char *text, size_t indent, size_t width)
{
    size_t column = indent;

    while (*text) {
        size_t n = strcspn(text, " ");

        if (column > indent) {
            if (column + 1 + n > width) {
                ds_put_char(out, '\n');
                ds_put_char_multiple(out, ' ', indent);
                column = indent;
            } else {
                ds_put_char(out, ' ');
                column++;
            }
        }
        ds_put_buffer(out, text, n);
        column += n;
        text += n;
        text += strspn(text, " ");
    }
    ds_put_char(out, '\n');
}

static char *
help_sentence(enum option_id id)
{
    const struct option_desc *d = &descs[id];
    char *fallback = default_text(id);
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_cstr(&s, d->help);
    if (d->is_limit) {
        ds_put_format(&s, " (%s; default %s)", d->arg, fallback);
    } else if (fallback[0]) {
        ds_put_format(&s, " (default %s)", fallback);
    }
    free(fallback);
    return ds_steal_cstr(&s);
}

void
options_put_help(struct ds *out)
{
    enum { INDENT = 26, WIDTH = 79 };
    const char *section = "";

    ds_put_cstr(out,
                "ovs-mqtt-proxyd: MQTT broker and proxy beside an Open vSwitch bridge\n"
                "usage: ovs-mqtt-proxyd [OPTIONS] [BRIDGE|METHOD]\n"
                "BRIDGE is the name of a bridge of this machine, METHOD an OpenFlow connection:\n"
                "unix:FILE, tcp:IP:PORT, and for a switch that calls punix:FILE, ptcp:PORT[:IP].\n");
    for (int id = 0; id < N_OPTIONS; id++) {
        if (strcmp(section, option_section(id))) {
            section = option_section(id);
            ds_put_format(out, "\n%s:\n", section);
        }

        size_t start = out->length;
        char *help = help_sentence(id);

        ds_put_cstr(out, descs[id].short_name ? "  " : "      ");
        put_synopsis(out, &descs[id]);
        if (out->length - start + 2 > INDENT) {
            ds_put_char(out, '\n');
            start = out->length;
        }
        ds_put_char_multiple(out, ' ', INDENT - (out->length - start));
        put_wrapped(out, help, INDENT, WIDTH);
        free(help);
    }
}

/* "|" would end a cell. */
static void
put_cell(struct ds *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') {
            ds_put_char(out, '\\');
        }
        ds_put_char(out, *text);
    }
}

void
options_put_markdown(struct ds *out)
{
    const char *section = "";

    for (int id = 0; id < N_OPTIONS; id++) {
        if (strcmp(section, option_section(id))) {
            ds_put_format(out, "%s### %s\n\n| option | meaning |\n|---|---|\n",
                          section[0] ? "\n" : "", option_section(id));
            section = option_section(id);
        }

        struct ds synopsis = DS_EMPTY_INITIALIZER;
        char *help = help_sentence(id);

        put_synopsis(&synopsis, &descs[id]);
        ds_put_cstr(out, "| `");
        put_cell(out, ds_cstr(&synopsis));
        ds_put_cstr(out, "` | ");
        put_cell(out, help);
        ds_put_cstr(out, " |\n");
        ds_destroy(&synopsis);
        free(help);
    }
}
