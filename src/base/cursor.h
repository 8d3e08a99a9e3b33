/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Bounds-checked reading and writing of bytes in network order.  A reader or writer that runs over
 * its end goes into the failed state, reads zeros and writes nothing: check once, at the end. */
#ifndef MP_BASE_CURSOR_H
#define MP_BASE_CURSOR_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {                        /* Borrowed bytes. */
    const uint8_t *p;
    uint32_t n;
};

struct reader {
    const uint8_t *p, *end;
    bool failed;
};

struct writer {
    uint8_t *p, *end, *start;
    bool failed;
};

static inline struct reader
reader_init(const void *p, size_t n)
{
    /* No bytes may well be NULL, to which not even 0 may be added. */
    return (struct reader) { .p = p, .end = n ? (const uint8_t *) p + n : p };
}

static inline size_t
reader_left(const struct reader *r)
{
    return (size_t) (r->end - r->p);
}

static inline const uint8_t *
reader_bytes(struct reader *r, size_t n)
{
    const uint8_t *p = r->p;

    if (r->failed || n > reader_left(r)) {
        r->failed = true;
        return NULL;
    }
    r->p += n;
    return p;
}

static inline uint8_t
reader_u8(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 1);

    return p ? p[0] : 0;
}

static inline uint16_t
reader_u16(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 2);

    return p ? (uint16_t) (p[0] << 8 | p[1]) : 0;
}

static inline uint32_t
reader_u32(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 4);

    return p ? (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3] : 0;
}

/* Bytes with their number before them, in two bytes; none when cut. */
static inline struct slice
reader_counted(struct reader *r)
{
    uint16_t n = reader_u16(r);
    const uint8_t *p = reader_bytes(r, n);

    return (struct slice) { p, p ? n : 0 };
}

static inline struct writer
writer_init(void *p, size_t n)
{
    /* As above. */
    return (struct writer) { .p = p, .end = n ? (uint8_t *) p + n : p, .start = p };
}

static inline size_t
writer_size(const struct writer *w)
{
    return (size_t) (w->p - w->start);
}

/* Room for n bytes, to be filled by the caller; NULL when there is none. */
static inline uint8_t *
writer_room(struct writer *w, size_t n)
{
    uint8_t *p = w->p;

    if (w->failed || n > (size_t) (w->end - w->p)) {
        w->failed = true;
        return NULL;
    }
    w->p += n;
    return p;
}

static inline void
writer_bytes(struct writer *w, const void *src, size_t n)
{
    uint8_t *p = writer_room(w, n);

    if (p && n) {
        memcpy(p, src, n);
    }
}

static inline void
writer_u8(struct writer *w, uint8_t v)
{
    writer_bytes(w, &v, 1);
}

static inline void
writer_u16(struct writer *w, uint16_t v)
{
    uint8_t b[2] = { (uint8_t) (v >> 8), (uint8_t) v };

    writer_bytes(w, b, sizeof b);
}

static inline void
writer_u32(struct writer *w, uint32_t v)
{
    uint8_t b[4] = { (uint8_t) (v >> 24), (uint8_t) (v >> 16), (uint8_t) (v >> 8), (uint8_t) v };

    writer_bytes(w, b, sizeof b);
}

#endif
