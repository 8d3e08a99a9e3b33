/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What stands on the command line, checked against the table options.def: known names, numbers
 * in range, arguments present.  What the texts mean is settings.h's business; this file knows no
 * address and no peer.  Called by main.c before the daemon detaches, later read by options/show.
 * One thread. */
#ifndef MP_CTL_OPTIONS_H
#define MP_CTL_OPTIONS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ds;
struct proxy_config;

enum option_id {
#define OPTION(ID, NAME, SHORT, KIND, ARG, MIN, MAX, DEFAULT, HELP) OPTION_##ID,
#include "ctl/options.def"
    N_OPTIONS
};

enum option_kind {
    OPTION_KIND_FLAG,                 /* No argument. */
    OPTION_KIND_UINT,                 /* A number within the range. */
    OPTION_KIND_TEXT,                 /* Any text; the last one counts. */
    OPTION_KIND_LIST,                 /* Any text, once per occurrence. */
    OPTION_KIND_OPTIONAL,             /* Text only by "=", once per occurrence. */
};

struct option_desc {
    const char *name;
    char short_name;                  /* 0: none. */
    enum option_kind kind;
    const char *arg;                  /* What the argument is, or the unit of a limit. */
    uint64_t min, max;                /* UINT only. */
    const char *fallback;             /* "" when there is none, or it is the module's. */
    bool is_limit;                    /* Default comes from the module that it limits. */
    const char *help;
};
const struct option_desc *option_desc(enum option_id);
const char *option_section(enum option_id);                 /* Title of its group in --help. */

struct options;

/* Parses argv.  Returns NULL and a new object in '*options', or one sentence that says what is
 * wrong, to be freed by the caller.  Defaults of limits are those of the modules. */
char *options_parse(int argc, char *argv[], struct options **options);
void options_destroy(struct options *);                     /* Accepts NULL. */

bool option_given(const struct options *, enum option_id);
uint64_t option_number(const struct options *, enum option_id);     /* UINT: given or default. */
/* TEXT: given or default; NULL when there is neither.  LIST and OPTIONAL: the i-th of
 * option_count(); "" for an OPTIONAL without argument. */
const char *option_text(const struct options *, enum option_id);
size_t option_count(const struct options *, enum option_id);
const char *option_item(const struct options *, enum option_id, size_t i);
/* The one positional argument, or NULL. */
const char *options_target(const struct options *);

/* Copies the limits, given or default, to their fields. */
void options_apply_limits(const struct options *, struct proxy_config *);

/* Appends to 'out' the text for --help, --help-markdown. */
void options_put_help(struct ds *out);
void options_put_markdown(struct ds *out);

/* Value of an option as options/show prints it: "" for none, secrets as "(set)".  To be freed. */
char *option_show(const struct options *, enum option_id);

#endif
