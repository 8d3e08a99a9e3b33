/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/chain.h and base/mbuf.h: against a flat array of bytes. */
#include "base/chain.h"

#include "base/mem.h"
#include "base/prng.h"
#include "unit/tap.h"

TEST(bodies_are_shared_not_copied)
{
    enum { SIZE = 1000, N = 200 };
    static struct chain c[N];
    struct mbuf *body = mbuf_create(SIZE);
    uint8_t out[SIZE + 2];

    memset(body->data, 'b', SIZE);
    for (int i = 0; i < N; i++) {
        chain_put_copy(&c[i], "h:", 2);
        chain_put_mbuf(&c[i], body, 0, SIZE);
    }
    is_int(body->n_refs, N + 1, "each queue refers to the one body");
    ok(chain_memory(&c[0]) < 400, "a queue's share of memory is %zu bytes", chain_memory(&c[0]));
    chain_peek(&c[N - 1], 0, out, sizeof out);
    ok(!memcmp(out, "h:bbbb", 6) && out[SIZE + 1] == 'b', "the bytes are header and body");
    for (int i = 0; i < N; i++) {
        chain_drop(&c[i], SIZE / 2);
        chain_uninit(&c[i]);
    }
    is_int(body->n_refs, 1, "references go with the queues");
    mbuf_unref(body);
    mbuf_unref(NULL);
}

TEST(small_pieces_are_merged)
{
    struct chain c = { .head = NULL };
    bool right = true;

    for (int i = 0; i < 10000; i++) {
        uint8_t b[3] = { (uint8_t) i, (uint8_t) (i >> 8), 0x55 };

        chain_put_copy(&c, b, sizeof b);
    }
    is_int(c.size, 30000, "size counts bytes");
    ok(c.n < 24, "%u entries hold 10000 pieces", c.n);
    ok(chain_memory(&c) < 36000, "with little overhead (%zu bytes)", chain_memory(&c));
    for (int i = 0; i < 10000; i++) {
        uint8_t b[3];

        chain_peek(&c, 0, b, sizeof b);
        right = right && b[0] == (uint8_t) i && b[1] == (uint8_t) (i >> 8) && b[2] == 0x55;
        chain_drop(&c, 3);
    }
    ok(right, "and come out as they went in");
    ok(!c.head && !c.tail && !c.n && !chain_memory(&c), "an empty chain holds nothing");

    struct mbuf *m = mbuf_copy("abcdef", 6);

    chain_put_mbuf(&c, m, 2, 3);
    is_int(m->n_refs, 1, "a small piece of an mbuf is copied");

    char out[3];

    chain_peek(&c, 0, out, 3);
    is_mem(out, 3, "cde", 3, "the right part of it");
    mbuf_unref(m);
    chain_uninit(&c);
}

TEST(agrees_with_a_flat_queue_under_random_use)
{
    enum { MAX = 1 << 18 };
    static uint8_t flat[MAX], out[MAX];
    struct chain c = { .head = NULL };
    struct mbuf *m = mbuf_create(5000);
    uint32_t size = 0;
    struct prng g;
    int wrong = 0, n_whole = 0;

    prng_init(&g, 3);
    for (int i = 0; i < 5000; i++) {
        m->data[i] = (uint8_t) prng_u64(&g);
    }
    for (int turn = 0; turn < 20000; turn++) {
        uint32_t off = prng_below(&g, 4) ? prng_below(&g, 5000) : 0;
        uint32_t len = prng_below(&g, prng_below(&g, 2) ? 20 : 5001 - off);

        len = off ? MP_MIN(len, 5000 - off) : 5000;
        if (size + len <= MAX) {
            memcpy(flat + size, m->data + off, len);
            size += len;
            if (prng_below(&g, 2)) {
                chain_put_mbuf(&c, m, off, len);
            } else {
                chain_put_copy(&c, m->data + off, len);
            }
        }
        for (int i = 0; i < 3; i++) {
            off = prng_below(&g, size + 1);
            len = prng_below(&g, 8000);
            len = MP_MIN(size - off, len);
            chain_peek(&c, off, out, len);
            wrong += memcmp(out, flat + off, len) != 0;
            if (len) {
                struct chain_piece piece = chain_piece(&c, off, len);

                wrong += !piece.n || piece.n > len || memcmp(piece.p, flat + off, piece.n)
                         || (piece.whole && (piece.whole != m || piece.n != m->size));
                n_whole += piece.whole != NULL;
            }
        }
        len = prng_below(&g, size > MAX / 2 ? MAX / 4 : 2000);
        len = MP_MIN(size, len);
        chain_drop(&c, len);
        memmove(flat, flat + len, size - len);
        size -= len;
        wrong += c.size != size;
        if (!prng_below(&g, 500)) {
            chain_drop(&c, size);
            size = 0;
            wrong += c.head != NULL || chain_memory(&c);
        }
    }
    is_int(wrong, 0, "every look shows the same bytes");
    ok(n_whole > 0, "%d times, all of a body", n_whole);
    chain_uninit(&c);
    is_int(m->n_refs, 1, "no reference is left behind");
    mbuf_unref(m);
}

int
main(void)
{
    RUN(bodies_are_shared_not_copied);
    RUN(small_pieces_are_merged);
    RUN(agrees_with_a_flat_queue_under_random_use);
    return done_testing();
}
