/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Rows of values under named columns, printed as aligned text or as JSON: each show command fills
 * one and knows of neither form.  Text from outside is made safe for a terminal.  No domain
 * knowledge here.  One thread. */
#ifndef MP_CTL_GRID_H
#define MP_CTL_GRID_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"

struct ds;
struct grid;

enum grid_form {
    GRID_TEXT,                        /* A line of headings, a line per row. */
    GRID_LINES,                       /* A line "heading: value" per cell; for a single row. */
    GRID_JSON,                        /* An array of objects. */
    GRID_JSON_ONE,                    /* One object: the only row. */
};

/* 'columns': names separated by commas, such as "client id,queued". */
struct grid *grid_create(const char *columns);
void grid_destroy(struct grid *);

/* Cells of a row from left to right; a row ends when all its columns have a value. */
void grid_text(struct grid *, const char *, ...) __attribute__((format(printf, 2, 3)));
/* Bytes from outside: as they are in JSON, with "\xNN" for what would not show in text. */
void grid_slice(struct grid *, struct slice);
void grid_int(struct grid *, int64_t);
void grid_bool(struct grid *, bool);
void grid_none(struct grid *);                      /* "-", in JSON null. */
/* A duration in us: "1.234" seconds; negative: none. */
void grid_seconds(struct grid *, int64_t us);

void grid_format(const struct grid *, enum grid_form, struct ds *out);

#endif
