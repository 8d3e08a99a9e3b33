/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The TCP header and its options: see tcp.h. */
#include "wire/tcp.h"

#include "base/mem.h"

enum tcp_option {
    OPT_EOL = 0,
    OPT_NOP = 1,
    OPT_MSS = 2,
    OPT_WSCALE = 3,
    OPT_SACK_PERMITTED = 4,
    OPT_SACK = 5,
    OPT_TIMESTAMPS = 8,
};

/* Reads the value of one option whose bytes after kind and length are 'r'.  False: a length that
 * this kind cannot have. */
static bool
parse_option(struct wire_tcp_opts *o, uint8_t kind, struct reader *r)
{
    size_t n = reader_left(r);

    switch (kind) {
    case OPT_MSS:
        if (n != 2) {
            return false;
        }
        o->mss = reader_u16(r);
        o->has_mss = true;
        return true;

    case OPT_WSCALE:
        if (n != 1) {
            return false;
        }
        o->wscale = reader_u8(r);
        o->has_wscale = true;
        return true;

    case OPT_SACK_PERMITTED:
        if (n != 0) {
            return false;
        }
        o->sack_permitted = true;
        return true;

    case OPT_SACK:
        if (n == 0 || n % 8) {
            return false;
        }
        while (reader_left(r) && o->n_sack < WIRE_TCP_MAX_SACK) {
            struct wire_sack_block *b = &o->sack[o->n_sack++];

            b->left = reader_u32(r);
            b->right = reader_u32(r);
        }
        return true;

    case OPT_TIMESTAMPS:
        if (n != 8) {
            return false;
        }
        o->ts_val = reader_u32(r);
        o->ts_ecr = reader_u32(r);
        o->has_ts = true;
        return true;

    default:
        return true;                  /* RFC 9293 MUST-6: unknown, skipped by its length. */
    }
}

/* RFC 9293 3.1: MUST-4, MUST-5, MUST-64: any option in any segment at any alignment. */
static bool
parse_options(struct wire_tcp_opts *o, struct reader r)
{
    bool good = true;

    while (reader_left(&r)) {
        uint8_t kind = reader_u8(&r);

        if (kind == OPT_EOL) {
            break;
        } else if (kind == OPT_NOP) {
            continue;
        }

        uint8_t len = reader_u8(&r);
        const uint8_t *value = len < 2 ? NULL : reader_bytes(&r, len - 2);

        if (!value) {
            return false;             /* MUST-7: an illegal length ends the options. */
        }

        struct reader body = reader_init(value, len - 2);

        good &= parse_option(o, kind, &body);
    }
    return good;
}

bool
wire_tcp_parse(struct wire_tcp *t, struct slice l4, bool *bad_options)
{
    struct reader r = reader_init(l4.p, l4.n);

    memset(&t->opts, 0, sizeof t->opts);
    t->has_payload_sum = false;
    t->src_port = reader_u16(&r);
    t->dst_port = reader_u16(&r);
    t->seq = reader_u32(&r);
    t->ack = reader_u32(&r);

    size_t hlen = (reader_u8(&r) >> 4) * 4;

    t->flags = reader_u8(&r);
    t->wnd = reader_u16(&r);
    reader_u16(&r);                   /* The checksum: frame.c's business. */
    t->urg = reader_u16(&r);
    *bad_options = false;
    if (r.failed || hlen < WIRE_TCP_HLEN || hlen > l4.n) {
        return false;
    }
    *bad_options = !parse_options(&t->opts, reader_init(r.p, hlen - WIRE_TCP_HLEN));
    t->payload = (struct slice) { .p = l4.p + hlen, .n = l4.n - (uint32_t) hlen };
    return true;
}

/* Sizes of the options as they are emitted.  Timestamps and SACK are aligned by two NOPs, the
 * layout that receivers have a fast path for (RFC 7323 Appendix A). */
static size_t
fixed_options_len(const struct wire_tcp_opts *o)
{
    size_t n = 0;

    n += o->has_mss ? 4 : 0;
    n += o->has_ts ? 12 : o->sack_permitted ? 4 : 0;
    n += o->has_wscale ? 4 : 0;
    return n;
}

/* Blocks beyond the 40 bytes of options are left out; the first are the latest (RFC 2018 4). */
static unsigned int
sack_blocks_that_fit(const struct wire_tcp_opts *o)
{
    size_t left = WIRE_TCP_MAX_HLEN - WIRE_TCP_HLEN - fixed_options_len(o);

    return left < 12 ? 0 : MP_MIN(o->n_sack, (left - 4) / 8);
}

size_t
wire_tcp_hlen(const struct wire_tcp *t)
{
    unsigned int n_sack = sack_blocks_that_fit(&t->opts);

    return WIRE_TCP_HLEN + fixed_options_len(&t->opts) + (n_sack ? 4 + 8 * n_sack : 0);
}

static void
emit_options(const struct wire_tcp_opts *o, struct writer *w)
{
    unsigned int n_sack = sack_blocks_that_fit(o);

    if (o->has_mss) {
        writer_u8(w, OPT_MSS);
        writer_u8(w, 4);
        writer_u16(w, o->mss);
    }
    if (o->sack_permitted) {          /* Takes the place of the NOPs before what follows. */
        writer_u8(w, OPT_SACK_PERMITTED);
        writer_u8(w, 2);
        if (!o->has_ts) {
            writer_u16(w, OPT_NOP << 8 | OPT_NOP);
        }
    } else if (o->has_ts) {
        writer_u16(w, OPT_NOP << 8 | OPT_NOP);
    }
    if (o->has_ts) {
        writer_u8(w, OPT_TIMESTAMPS);
        writer_u8(w, 10);
        writer_u32(w, o->ts_val);
        writer_u32(w, o->ts_ecr);
    }
    if (n_sack) {
        writer_u16(w, OPT_NOP << 8 | OPT_NOP);
        writer_u8(w, OPT_SACK);
        writer_u8(w, (uint8_t) (2 + 8 * n_sack));
        for (unsigned int i = 0; i < n_sack; i++) {
            writer_u32(w, o->sack[i].left);
            writer_u32(w, o->sack[i].right);
        }
    }
    if (o->has_wscale) {
        writer_u8(w, OPT_WSCALE);
        writer_u8(w, 3);
        writer_u8(w, o->wscale);
        writer_u8(w, OPT_EOL);        /* MUST-69: padding is zero. */
    }
}

void
wire_tcp_emit(const struct wire_tcp *t, struct writer *w)
{
    writer_u16(w, t->src_port);
    writer_u16(w, t->dst_port);
    writer_u32(w, t->seq);
    writer_u32(w, t->ack);
    writer_u8(w, (uint8_t) (wire_tcp_hlen(t) / 4 << 4));
    writer_u8(w, t->flags);
    writer_u16(w, t->wnd);
    writer_u16(w, 0);
    writer_u16(w, t->urg);
    emit_options(&t->opts, w);
}
