/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The TCP header and its options, in and out (RFC 9293 3.1, 3.2). */
#include "wire/tcp.h"

#include "unit/tap.h"

/* A header with 'n' bytes of options, which must be a multiple of 4, and two bytes of payload. */
static struct slice
segment(uint8_t *buf, const void *options, size_t n)
{
    static const uint8_t head[WIRE_TCP_HLEN] = {
        0x04, 0x01, 0x07, 0x5b, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0x18, 0xff, 0xfe, 0, 0, 0, 9,
    };

    memcpy(buf, head, sizeof head);
    buf[12] = (uint8_t) ((WIRE_TCP_HLEN + n) / 4 << 4);
    memcpy(buf + sizeof head, options, n);
    memcpy(buf + sizeof head + n, "hi", 2);
    return (struct slice) { .p = buf, .n = (uint32_t) (sizeof head + n + 2) };
}

static bool
parse(struct wire_tcp *t, const void *options, size_t n, bool *bad)
{
    static uint8_t buf[80];

    memset(t, 0xa5, sizeof *t);
    return wire_tcp_parse(t, segment(buf, options, n), bad);
}

TEST(fields)
{
    struct wire_tcp t;
    bool bad;

    ok(parse(&t, "", 0, &bad) && !bad, "plain header");
    is_int(t.src_port, 1025, "source port");
    is_int(t.dst_port, 1883, "destination port");
    is_int(t.seq, 0x01020304, "seq");
    is_int(t.ack, 0x05060708, "ack");
    is_int(t.flags, TCP_ACK | TCP_PSH, "flags");
    is_int(t.wnd, 65534, "window is unsigned (MUST-1)");
    is_int(t.urg, 9, "urgent pointer");
    is_mem(t.payload.p, t.payload.n, "hi", 2, "payload");
    ok(!t.opts.has_mss && !t.opts.has_ts && !t.opts.has_wscale && !t.opts.n_sack
       && !t.opts.sack_permitted, "no options");
    is_int(wire_tcp_seg_len(&t), 2, "SEG.LEN");
    t.flags |= TCP_SYN | TCP_FIN;
    is_int(wire_tcp_seg_len(&t), 4, "SEG.LEN counts SYN and FIN");
}

TEST(cut_headers)
{
    uint8_t buf[80];
    struct slice s = segment(buf, "\1\1\1\1", 4);
    struct wire_tcp t;
    bool bad;
    int n_taken = 0;

    for (uint32_t n = 0; n < 24; n++) {
        n_taken += wire_tcp_parse(&t, (struct slice) { .p = s.p, .n = n }, &bad);
    }
    is_int(n_taken, 0, "no cut header is taken");
    ok(wire_tcp_parse(&t, (struct slice) { .p = s.p, .n = 24 }, &bad) && !t.payload.n,
       "the header alone is");
    buf[12] = 4 << 4;
    ok(!wire_tcp_parse(&t, s, &bad), "data offset below 5");
}

TEST(linux_syn_options)
{
    static const uint8_t o[] = {
        2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0, 1, 3, 3, 7,
    };
    struct wire_tcp t;
    bool bad;

    ok(parse(&t, o, sizeof o, &bad) && !bad, "parsed");
    ok(t.opts.has_mss && t.opts.mss == 1460, "MSS");
    ok(t.opts.sack_permitted, "SACK permitted");
    ok(t.opts.has_ts && t.opts.ts_val == 0xdeadbeef && !t.opts.ts_ecr, "timestamps");
    ok(t.opts.has_wscale && t.opts.wscale == 7, "window scale");
}

TEST(odd_alignment_and_unknown_options)
{
    static const uint8_t o[] = {
        1, 254, 5, 9, 9, 9, 2, 4, 2, 0, 1, 3, 3, 15, 0, 77, /* after the end: not read */
    };
    struct wire_tcp t;
    bool bad;

    ok(parse(&t, o, sizeof o, &bad) && !bad, "unknown kind skipped by its length (MUST-6)");
    ok(t.opts.has_mss && t.opts.mss == 512, "MSS at an even, unaligned place (MUST-64)");
    ok(t.opts.has_wscale && t.opts.wscale == 15, "window scale as received, above 14");
}

TEST(illegal_lengths)
{
    static const struct {
        const char *name;
        uint8_t o[8];
    } cases[] = {
        { "length zero", { 2, 0, 1, 1, 1, 1, 1, 1 } },
        { "length one", { 2, 1, 1, 1, 1, 1, 1, 1 } },
        { "beyond the header", { 1, 1, 1, 1, 8, 10, 0, 0 } },
        { "kind without a length", { 1, 1, 1, 1, 1, 1, 1, 8 } },
        { "MSS of three bytes", { 2, 3, 1, 1, 1, 1, 1, 1 } },
        { "window scale of four bytes", { 3, 4, 1, 1, 1, 1, 1, 1 } },
        { "SACK permitted with a value", { 4, 3, 1, 1, 1, 1, 1, 1 } },
        { "SACK of no blocks", { 5, 2, 1, 1, 1, 1, 1, 1 } },
        { "SACK of half a block", { 5, 6, 1, 1, 1, 1, 1, 1 } },
        { "timestamps cut short", { 8, 6, 1, 1, 1, 1, 1, 1 } },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_tcp t;
        bool bad;

        ok(parse(&t, cases[i].o, 8, &bad), "%s: the segment is taken (MUST-7)", cases[i].name);
        ok(bad, "%s: said", cases[i].name);
        ok(!t.opts.has_mss && !t.opts.has_wscale && !t.opts.has_ts && !t.opts.n_sack
           && !t.opts.sack_permitted, "%s: nothing believed", cases[i].name);
        is_mem(t.payload.p, t.payload.n, "hi", 2, "%s: payload found", cases[i].name);
    }
}

/* Emits, compares length with wire_tcp_hlen(), parses again. */
static struct wire_tcp
round_trip(const struct wire_tcp *t, const char *name)
{
    uint8_t buf[WIRE_TCP_MAX_HLEN];
    struct writer w = writer_init(buf, sizeof buf);
    struct wire_tcp back;
    bool bad;

    wire_tcp_emit(t, &w);
    ok(!w.failed, "%s: fits", name);
    is_int(writer_size(&w), wire_tcp_hlen(t), "%s: length as foretold", name);
    is_int(writer_size(&w) % 4, 0, "%s: whole words", name);
    ok(wire_tcp_parse(&back, (struct slice) { buf, (uint32_t) writer_size(&w) }, &bad) && !bad,
       "%s: parses", name);
    is_int(back.payload.n, 0, "%s: data offset right", name);
    return back;
}

TEST(every_combination_of_options_comes_back)
{
    for (unsigned int bits = 0; bits < 16; bits++) {
        for (unsigned int n_sack = 0; n_sack <= WIRE_TCP_MAX_SACK; n_sack++) {
            struct wire_tcp t;
            char name[64];

            memset(&t, 0, sizeof t);  /* Padding too: the options are compared as bytes. */
            t.src_port = 1883;
            t.dst_port = 40000;
            t.seq = 0xfffffff0;
            t.ack = 7;
            t.flags = TCP_ACK | TCP_CWR;
            t.wnd = 3;
            t.urg = 4;
            snprintf(name, sizeof name, "options %#x, %u blocks", bits, n_sack);
            t.opts.has_mss = bits & 1;
            t.opts.mss = bits & 1 ? 8960 : 0;
            t.opts.has_wscale = bits & 2;
            t.opts.wscale = bits & 2 ? 14 : 0;
            t.opts.has_ts = bits & 4;
            t.opts.ts_val = bits & 4 ? 0x80000001 : 0;
            t.opts.ts_ecr = bits & 4 ? 0x7fffffff : 0;
            t.opts.sack_permitted = bits & 8;
            for (unsigned int i = 0; i < n_sack; i++) {
                t.opts.sack[i] = (struct wire_sack_block) { i * 100, i * 100 + 50 };
            }
            t.opts.n_sack = (uint8_t) n_sack;

            struct wire_tcp back = round_trip(&t, name);

            ok(back.opts.n_sack <= n_sack, "%s: no more blocks than given", name);
            ok(bits & 3 || back.opts.n_sack >= (n_sack < 3 ? n_sack : 3),
               "%s: beside timestamps at least three", name);
            ok(bits || back.opts.n_sack == n_sack, "%s: alone all four", name);
            /* What is left out is the end of the list. */
            for (unsigned int i = back.opts.n_sack; i < n_sack; i++) {
                t.opts.sack[i] = (struct wire_sack_block) { 0, 0 };
            }
            t.opts.n_sack = back.opts.n_sack;
            ok(back.seq == t.seq && back.ack == t.ack && back.flags == t.flags
               && back.wnd == t.wnd && back.urg == t.urg && back.src_port == t.src_port
               && back.dst_port == t.dst_port, "%s: header fields", name);
            is_mem(&back.opts, sizeof back.opts, &t.opts, sizeof t.opts, "%s: options", name);
        }
    }
}

int
main(void)
{
    RUN(fields);
    RUN(cut_headers);
    RUN(linux_syn_options);
    RUN(odd_alignment_and_unknown_options);
    RUN(illegal_lengths);
    RUN(every_combination_of_options_comes_back);
    return done_testing();
}
