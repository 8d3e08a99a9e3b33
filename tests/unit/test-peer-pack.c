/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of PUBLISHes that are compressed together. */
#include "unit/peer-world.h"

#include "base/prng.h"
#include "peer/pack.h"

static struct slice
all_of(const struct mbuf *m)
{
    return (struct slice) { m->data, m->size };
}

TEST(a_pack_gives_back_what_is_in_it)
{
    static uint8_t bytes[PACK_MAX];
    static const uint32_t sizes[] = { 512, 5000, 16384, PACK_MAX };

    for (uint32_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t) "abcdefgh12345678"[i * i / 7 % 16];
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct mbuf *m = pack(bytes, sizes[i]), *back;

        ok(m && m->size <= sizes[i] * 7 / 8 + 9, "%u bytes are fewer packed (%u)", sizes[i],
           m ? m->size : 0);
        ok(pack_is_one(all_of(m)), "and can be told from a PUBLISH");
        back = pack_open(all_of(m));
        is_mem(back->data, back->size, bytes, sizes[i], "they come back");
        mbuf_unref(back);
        mbuf_unref(m);
    }
}

TEST(what_saves_nothing_is_not_packed)
{
    uint8_t bytes[4096];
    struct prng prng;

    prng_init(&prng, 1);
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t) prng_u64(&prng);
    }
    ok(!pack(bytes, sizeof bytes), "random bytes");
    ok(!pack(bytes, 1), "or one");
}

TEST(a_malformed_pack_is_refused)
{
    uint8_t bytes[2000] = { 0 }, copy[300];
    struct mbuf *m = pack(bytes, sizeof bytes), *back;
    struct slice s = { copy, m->size };
    uint32_t n_survived = 0;

    mp_assert(m->size < 127 && m->data[1] == m->size - 2);
    for (uint32_t n = 2; n < m->size; n++) {
        memcpy(copy, m->data, n);
        copy[1] = (uint8_t) (n - 2);
        back = pack_open((struct slice) { copy, n });
        n_survived += back != NULL;
        mbuf_unref(back);
    }
    is_int(n_survived, 0, "cut anywhere");
    memcpy(copy, m->data, m->size);
    copy[5]++;
    ok(!pack_open(s), "one byte more than there is");
    copy[5] -= 2;
    ok(!pack_open(s), "one less");
    memcpy(copy, m->data, m->size);
    memset(copy + 2, 0, 4);
    ok(!pack_open(s), "none");
    copy[3] = 1;
    copy[5] = 1;
    ok(!pack_open(s), "more than PACK_MAX");
    memset(copy + 2, 0xff, 4);
    ok(!pack_open(s), "4 GB");
    ok(!pack_open((struct slice) { (const uint8_t *) "\xf1\5\0\0\0\0\0", 7 }), "nothing at all");
    mbuf_unref(m);
}

/* A is one that packs. */
static void
start_packing(struct world *w)
{
    struct peer_config c;
    struct peer_spec b = { .addr = addr_of(true), .port = 1883 };

    start(w);
    peer_config_default(&c);
    c.seed = 13;
    renew_a(w, &c, &b);
    elapse(w, 120 * SEC);
    ok(info_of(w->a).is_reliable, "B says that it understands the dialect");
    w->n_data = w->n_acks = 0;
}

TEST(packing_begins_when_the_peer_can)
{
    struct world w;

    start_packing(&w);
    publish_many(&w, 0, 10, 1000);
    elapse(&w, 20 * MSEC);
    is_int(peers_stats(w.a)->packed_out, 0, "nothing is packed for who has not said that it can");
    is_int(w.n_data, 7, "ten messages take seven datagrams");
    ok(w.n_acks > 0, "which are answered");
    w.n_data = 0;
    publish_many(&w, 10, 30, 1000);
    elapse(&w, 20 * MSEC);
    is_int(w.n_got, 40, "after that 30");
    ok(w.n_data > 0 && w.n_data <= 4, "are few datagrams (%u)", w.n_data);
    is_int(peers_stats(w.a)->packed_out, 2, "packed in two, of 16 kB at most");
    is_int(peers_stats(w.b)->packed_in, 2, "which B counts as well");
    is_int(peers_stats(w.a)->packed_bytes, 30 * 1006, "with all that was in them");
    ok(peers_stats(w.a)->packed_saved > 20000 && peers_stats(w.a)->packed_saved < 30 * 1006,
       "and what was saved (%u)", (unsigned int) peers_stats(w.a)->packed_saved);
    ok(peers_stats(w.a)->publishes_out == 40 && info_of(w.a).publishes_out == 40, "each PUBLISH counts");
    ok(peers_is_idle(w.a), "nothing is left");
    finish(&w);
}

TEST(what_fits_is_not_packed)
{
    struct world w;

    start_packing(&w);
    publish(&w, 0, 5);
    elapse(&w, 20 * MSEC);
    publish(&w, 1, 1400);
    elapse(&w, 20 * MSEC);
    is_int(peers_stats(w.a)->packed_out, 0, "what one datagram holds leaves as it is");
    publish(&w, 2, 1500);
    elapse(&w, 20 * MSEC);
    is_int(peers_stats(w.a)->packed_out, 1, "what it does not is packed");
    is_int(w.n_data, 3, "and then it does");
    publish(&w, 3, 100000);
    publish(&w, 4, 60000);
    publish(&w, 5, 20000);
    publish(&w, 6, 100);
    elapse(&w, 200 * MSEC);
    is_int(w.n_got, 7, "large ones arrive");
    is_int(peers_stats(w.a)->packed_out, 3, "packed alone, but for what is too large");

    uint64_t n_saved = peers_stats(w.a)->packed_saved;

    publish(&w, 7, 22);
    publish(&w, 8, 70000);
    elapse(&w, 200 * MSEC);
    ok(peers_stats(w.a)->packed_saved == n_saved && !peers_stats(w.a)->packed_vain,
       "a small one before that is not packed alone");
    is_int(w.n_got, 9, "they arrive");
    finish(&w);
}

TEST(what_cannot_be_compressed_is_hardly_tried)
{
    struct world w;

    start_packing(&w);
    w.is_random = true;
    publish(&w, 0, 5);
    elapse(&w, 20 * MSEC);
    for (uint32_t i = 0; i < 400; i++) {
        publish_many(&w, 1 + 20 * i, 20, 1000);
        elapse(&w, 20 * MSEC);
    }
    is_int(w.n_got, 8001, "8,000 messages arrive");
    is_int(peers_stats(w.a)->packed_out, 0, "as they are");
    ok(peers_stats(w.a)->packed_vain >= 4 && peers_stats(w.a)->packed_vain <= 12,
       "which was tried %u times", (unsigned int) peers_stats(w.a)->packed_vain);
    w.is_random = false;
    publish_many(&w, 8001, 4000, 1000);
    elapse(&w, SEC);
    is_int(w.n_got, 12001, "then others");
    ok(peers_stats(w.a)->packed_out > 100, "of which most are packed (%u packs)",
       (unsigned int) peers_stats(w.a)->packed_out);
    w.is_random = true;

    uint64_t n_vain = peers_stats(w.a)->packed_vain;
    publish_many(&w, 12001, 100, 1000);
    elapse(&w, SEC);
    ok(peers_stats(w.a)->packed_vain >= n_vain + 2, "so that it is tried soon again");
    is_int(w.n_got, 12101, "all arrive");
    finish(&w);
}

static bool
loses_fifth(const struct world *w, const struct peer_pdu *pdu)
{
    return pdu->type == PEER_PDU_DATA && w->n_data % 5 == 0;
}

TEST(packs_survive_losses)
{
    struct world w;

    start_packing(&w);
    publish(&w, 0, 5);
    elapse(&w, 20 * MSEC);
    w.loses = loses_fifth;
    publish_many(&w, 1, 3000, 700);
    elapse(&w, 10 * SEC);
    ok(w.n_lost > 10, "%u datagrams are lost", w.n_lost);
    is_int(w.n_got, 3001, "no message is");
    ok(peers_stats(w.a)->packed_out > 100, "in %u packs",
       (unsigned int) peers_stats(w.a)->packed_out);
    finish(&w);
}

TEST(what_is_given_up_is_counted)
{
    struct world w;
    uint64_t n_out;

    start_packing(&w);
    publish(&w, 0, 5);
    elapse(&w, 20 * MSEC);
    w.loses = loses_all;
    w.is_random = true;
    publish_many(&w, 1, 40, 1000);
    w.is_random = false;
    publish_many(&w, 41, 400, 1000);
    elapse(&w, 15 * SEC);
    n_out = peers_stats(w.a)->publishes_out - 1;
    ok(n_out > 0 && n_out < 440, "%u PUBLISHes have left, for nothing", (unsigned int) n_out);
    is_int(peers_stats(w.a)->stale, 440 - n_out, "each of the others is stale");
    is_int(info_of(w.a).dropped, 440 - n_out, "and counted as dropped");
    ok(peers_is_idle(w.a), "nothing is left of them");
    w.loses = NULL;
    elapse(&w, 120 * SEC);
    w.n_got = 441;
    publish_many(&w, 441, 40, 1000);
    elapse(&w, SEC);
    is_int(w.n_got, 481, "when B is back, all goes on");
    finish(&w);
}

/* B has taken the beginning of a pack, and A is never told. */
TEST(a_pack_that_was_given_up_is_not_continued)
{
    struct world w;
    uint32_t n;

    start_packing(&w);
    publish(&w, 0, 5);
    elapse(&w, 200 * MSEC);
    w.loses = loses_acks;
    publish_many(&w, 1, 4000, 700);
    elapse(&w, 15 * SEC);
    n = w.n_got;
    ok(n > 1 && n < 4001, "B got %u messages", n - 1);
    ok(!info_of(w.a).unpacks && !info_of(w.a).is_reliable, "the stream is over");
    w.loses = NULL;
    elapse(&w, 120 * SEC);

    uint64_t n_packed = peers_stats(w.a)->packed_out;

    ok(!info_of(w.a).unpacks, "that B can open packs is not known any more");
    publish_many(&w, n, 300, 700);
    turn(&w);
    is_int(peers_stats(w.a)->packed_out, n_packed, "so none leave at first");
    elapse(&w, 5 * SEC);
    ok(peers_stats(w.a)->packed_out > n_packed, "later they do");
    is_int(w.n_got, n + 300, "all that are published later arrive");
    finish(&w);
}

/* B is replaced by a program that knows the dialect, but no packs. */
TEST(who_no_longer_can_gets_none)
{
    struct world w;
    struct peer_pdu ack = { .type = PEER_PDU_ACK };

    start_packing(&w);
    publish_many(&w, 0, 40, 1000);
    elapse(&w, 20 * MSEC);
    publish_many(&w, 40, 40, 1000);
    elapse(&w, 20 * MSEC);
    ok(peers_stats(w.a)->packed_out > 0, "packs have left");

    /* Its ACK, of the last DATA, is seen on its way. */
    struct peer_datagram d;
    struct peer_pdu data = { .type = 0 };
    uint32_t n = w.n_got;
    uint64_t n_packed;

    publish(&w, n, 10);
    peers_run(w.a, w.now);
    mp_assert(peers_next_datagram(w.a, w.now, &d));
    mp_assert(peer_pdu_parse((struct slice) { d.payload->data, d.payload->size }, &data));
    put(&w, d.payload, d.mtu, true);
    elapse(&w, MSEC);
    ack.epoch = data.epoch;
    ack.seq = data.seq + 1;
    ack.abilities = (uint16_t) ~PEER_PDU_UNPACKS;
    inject_to_a(&w, &ack, PEER_INBAND);
    ok(!info_of(w.a).unpacks, "it can other things, but not that");
    ack.epoch++;
    ack.abilities = PEER_PDU_UNPACKS;
    inject_to_a(&w, &ack, PEER_INBAND);
    ok(!info_of(w.a).unpacks, "what is no answer does not count");
    n_packed = peers_stats(w.a)->packed_out;
    publish_many(&w, n + 1, 40, 1000);
    peers_run(w.a, w.now);
    while (peers_next_datagram(w.a, w.now, &d)) {
        put(&w, d.payload, d.mtu, true);
    }
    ok(peers_stats(w.a)->packed_out == n_packed, "then what leaves is not packed");
    elapse(&w, SEC);
    is_int(w.n_got, n + 41, "all arrive");
    finish(&w);
}

static void
inject_body(struct world *w, uint32_t seq, const struct mbuf *body)
{
    struct peer_pdu pdu = { .type = PEER_PDU_DATA, .epoch = 99, .seq = seq, .base = seq };

    inject_to_b(w, &pdu, body->data, body->size);
}

TEST(what_does_not_belong_in_a_pack_is_counted)
{
    struct world w;
    uint8_t text[1000];
    struct mbuf *inner, *outer;

    start(&w);
    memset(text, 0, sizeof text);
    inner = pack(text, sizeof text);
    memset(text, 0x20, sizeof text);
    memcpy(text, inner->data, inner->size);
    outer = pack(text, inner->size + 600);
    mp_assert(outer);

    uint64_t malformed = peers_stats(w.b)->malformed, unexpected = peers_stats(w.b)->unexpected;

    inject_body(&w, 1, outer);
    take_events(&w);
    ok(peers_stats(w.b)->malformed + peers_stats(w.b)->unexpected > malformed + unexpected,
       "a pack in a pack is refused");
    is_int(peers_stats(w.b)->packed_in, 1, "and is not opened");
    malformed = peers_stats(w.b)->malformed;
    memset(text, 0, sizeof text);
    text[0] = 0x30;
    text[1] = 0x7f;
    mbuf_unref(inner);
    inner = pack(text, 100);
    inject_body(&w, 2, inner);
    take_events(&w);
    is_int(peers_stats(w.b)->malformed, malformed + 1, "so is half of a PUBLISH");
    inner->data[inner->size - 1] ^= 0xff;
    inner->data[4] = 0xff;
    inject_body(&w, 3, inner);
    take_events(&w);
    is_int(peers_stats(w.b)->malformed, malformed + 2, "and what cannot be decompressed");
    is_int(w.n_got, 0, "nothing of them is delivered");
    mbuf_unref(inner);
    mbuf_unref(outer);
    finish(&w);
}

/* Bodies full of packs full of the smallest messages. */
TEST(what_few_bytes_make_is_taken_bit_by_bit)
{
    static uint8_t bytes[PACK_MAX - PACK_MAX % 5], body[1400];
    struct world w;
    struct mbuf *m, *all;
    uint32_t n_packs = 0, n = 0, most = 0, n_data = 200;
    struct peer_event e;

    start(&w);
    for (uint32_t i = 0; i < sizeof bytes; i += 5) {
        memcpy(bytes + i, "\x30\3\0\1t", 5);
    }
    m = pack(bytes, sizeof bytes);
    for (; (n_packs + 1) * m->size <= sizeof body; n_packs++) {
        memcpy(body + n_packs * m->size, m->data, m->size);
    }
    all = mbuf_copy(body, n_packs * m->size);
    for (uint32_t i = 0; i < n_data; i++) {
        inject_body(&w, 1 + i, all);
        ok(i || !peers_stats(w.b)->packed_in, "nothing is opened before it is asked for");
        while (peers_next_event(w.b, &e)) {
            n += e.type == PEER_EV_PUBLISH;
        }
    }
    ok(n > 0 && n <= 4096 + sizeof bytes / 5, "few are when datagrams come (%u)", n);
    ok(!peers_is_idle(w.b) && peers_deadline(w.b) <= w.now, "the rest waits to be read");
    for (int turns = 0; turns < 1000 && (!turns || peers_deadline(w.b) <= w.now); turns++) {
        uint32_t n_turn = 0;

        peers_run(w.b, w.now);
        while (peers_next_event(w.b, &e)) {
            n_turn += e.type == PEER_EV_PUBLISH;
        }
        most = MP_MAX(most, n_turn);
        n += n_turn;
        if (!turns) {
            struct peer_datagram d;

            while (peers_next_datagram(w.b, w.now, &d)) {
                mbuf_unref(d.payload);
            }
        }
    }
    is_int(n, (int) (n_data * n_packs * (sizeof bytes / 5)), "then all are, in the end");
    ok(most <= 4096 + sizeof bytes / 5, "few at a time (%u)", most);
    mbuf_unref(m);
    mbuf_unref(all);
    finish(&w);
}

TEST(who_takes_no_packs_says_so)
{
    struct peer_config c;
    struct world w;
    uint8_t text[1000] = { 0 };
    struct mbuf *m = pack(text, sizeof text);

    start_packing(&w);
    peer_config_default(&c);
    c.max_pack_bytes = 0;
    renew_b(&w, make_with(&c, true, w.now));
    elapse(&w, 120 * SEC);
    publish(&w, 0, 5);
    elapse(&w, 100 * MSEC);
    ok(info_of(w.a).is_reliable && !info_of(w.a).unpacks, "B wants none");
    publish_many(&w, 1, 40, 1000);
    elapse(&w, SEC);
    ok(w.n_got == 41 && !peers_stats(w.a)->packed_out, "and is sent none");
    inject_body(&w, 1, m);
    take_events(&w);
    ok(peers_stats(w.b)->malformed == 1 && !peers_stats(w.b)->packed_in, "nor does it open one");
    mbuf_unref(m);
    finish(&w);
}

TEST(no_setting_packs_more_than_there_may_be)
{
    struct peer_config c;
    struct peer_spec b = { .addr = addr_of(true), .port = 1883 };
    struct world w;

    start(&w);
    peer_config_default(&c);
    c.max_pack_bytes = 10 * PACK_MAX;
    renew_a(&w, &c, &b);
    elapse(&w, 120 * SEC);
    publish(&w, 0, 5);
    elapse(&w, 100 * MSEC);
    publish_many(&w, 1, 300, 1000);
    elapse(&w, SEC);
    is_int(w.n_got, 301, "300 kB of messages arrive");
    ok(peers_stats(w.a)->packed_out >= 5, "in %u packs", (unsigned int) peers_stats(w.a)->packed_out);
    finish(&w);
}

int
main(void)
{
    RUN(a_pack_gives_back_what_is_in_it);
    RUN(what_saves_nothing_is_not_packed);
    RUN(a_malformed_pack_is_refused);
    RUN(packing_begins_when_the_peer_can);
    RUN(what_fits_is_not_packed);
    RUN(what_cannot_be_compressed_is_hardly_tried);
    RUN(packs_survive_losses);
    RUN(what_is_given_up_is_counted);
    RUN(who_no_longer_can_gets_none);
    RUN(a_pack_that_was_given_up_is_not_continued);
    RUN(what_does_not_belong_in_a_pack_is_counted);
    RUN(what_few_bytes_make_is_taken_bit_by_bit);
    RUN(who_takes_no_packs_says_so);
    RUN(no_setting_packs_more_than_there_may_be);
    return done_testing();
}
