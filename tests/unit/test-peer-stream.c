/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of the reliable dialect: what is sent, lost, sent again, held back. */
#include "unit/peer-world.h"

#include "peer/recvstream.h"

TEST(format)
{
    static const uint8_t data[] = { 0xf1, 0x81, 0, 2, 1, 2, 3, 4, 0, 0, 0, 5, 0, 0, 0, 3, 'a', 'b', 'c' };
    struct peer_pdu pdu;
    uint8_t out[PEER_PDU_ACK_SIZE];

    ok(peer_pdu_parse((struct slice) { data, sizeof data }, &pdu), "DATA is understood");
    ok(pdu.type == PEER_PDU_DATA && pdu.wants_ack && pdu.start == 2 && pdu.epoch == 0x01020304
       && pdu.seq == 5 && pdu.base == 3, "field by field");
    is_mem(pdu.body.p, pdu.body.n, "abc", 3, "its body");
    peer_pdu_write(&pdu, out);
    is_mem(out, PEER_PDU_DATA_SIZE, data, PEER_PDU_DATA_SIZE, "and written as it was");
    for (uint32_t n = 0; n <= PEER_PDU_DATA_SIZE; n++) {
        ok(!peer_pdu_parse((struct slice) { data, n }, &pdu), "cut to %u bytes, or without a body", n);
    }
    ok(!peer_pdu_parse((struct slice) { (const uint8_t *) "\xf1\1\0\3AAAABBBBCCCCabc", 19 }, &pdu),
       "a control packet cannot begin behind the body");
    ok(!peer_pdu_parse((struct slice) { (const uint8_t *) "\xf2\1\0\0AAAABBBBCCCCabc", 19 }, &pdu)
       && peer_is_pdu((struct slice) { (const uint8_t *) "\xf2", 1 }), "another version");

    struct peer_pdu ack = { .type = PEER_PDU_ACK, .epoch = 7, .seq = 9, .taken = { [1] = 0x80 } };

    peer_pdu_write(&ack, out);
    ok(peer_pdu_parse((struct slice) { out, sizeof out }, &pdu) && pdu.type == PEER_PDU_ACK
       && pdu.epoch == 7 && pdu.seq == 9 && pdu.taken[1] == 0x80, "an ACK");
    ok(!peer_pdu_parse((struct slice) { out, sizeof out - 1 }, &pdu), "cut");
}

TEST(format_of_probes)
{
    static const uint8_t probe[] = { 0xf1, 3, 0, 0, 1, 2, 3, 4, 0, 0, 0 };
    static const uint8_t found[] = { 0xf1, 4, 0, 0, 1, 2, 3, 4, 0, 0, 0x23, 0x0c };
    struct peer_pdu pdu;
    uint8_t out[PEER_PDU_FOUND_SIZE];

    ok(peer_pdu_parse((struct slice) { probe, sizeof probe }, &pdu) && pdu.type == PEER_PDU_PROBE
       && pdu.token == 0x01020304 && pdu.size == sizeof probe, "a PROBE is as large as it is");
    peer_pdu_write(&pdu, out);
    is_mem(out, PEER_PDU_PROBE_SIZE, probe, PEER_PDU_PROBE_SIZE, "written as it was");
    ok(peer_pdu_parse((struct slice) { found, sizeof found }, &pdu) && pdu.type == PEER_PDU_FOUND
       && pdu.token == 0x01020304 && pdu.size == 8972, "FOUND says so");
    peer_pdu_write(&pdu, out);
    is_mem(out, PEER_PDU_FOUND_SIZE, found, sizeof found, "written as it was");
    ok(!peer_pdu_parse((struct slice) { probe, 7 }, &pdu)
       && !peer_pdu_parse((struct slice) { found, 11 }, &pdu), "cut");
    ok(!peer_pdu_parse((struct slice) { (const uint8_t *) "\xf1\x83\0\0AAAA", 8 }, &pdu)
       && !peer_pdu_parse((struct slice) { (const uint8_t *) "\xf1\4\0\0AAAABBBBC", 13 }, &pdu),
       "with what does not belong there");
}

TEST(what_one_turn_publishes_leaves_in_full_datagrams)
{
    struct world w;

    start(&w);
    ok(info_of(w.a).is_reliable && !info_of(w.b).is_reliable,
       "who has subscribers says so, the other need not");
    publish_many(&w, 0, 60, 64);      /* 69 bytes each: 4,140. */
    elapse(&w, 5 * MSEC);
    is_int(w.n_got, 60, "60 messages");
    is_int(w.n_data, 3, "came in three datagrams");
    is_int(w.n_acks, 0, "for which nobody waits: no ACK yet");
    elapse(&w, 10 * MSEC);
    is_int(w.n_acks, 1, "after 10 ms, one");
    ok(peers_is_idle(w.a), "which A has");
    publish(&w, 60, 100000);
    publish(&w, 61, 5);
    elapse(&w, 100 * MSEC);
    ok(w.n_got == 62 && w.largest == 100000, "one is larger than any datagram");
    finish(&w);
}

static bool
loses_some(const struct world *w, const struct peer_pdu *pdu)
{
    return pdu->type && (w->n_data + 3 * w->n_acks) % 10 == 2;
}

TEST(what_is_lost_is_sent_again)
{
    struct world w;
    const struct peer_stats *stats;

    start(&w);
    w.loses = loses_some;
    for (uint32_t i = 0; i < 50; i++) {
        publish_many(&w, i * 40, 40, 700);
        elapse(&w, 2 * MSEC);
    }
    elapse(&w, 3 * SEC);
    stats = peers_stats(w.a);
    is_int(w.n_got, 2000, "all 2,000 messages, though every tenth datagram was lost (%u)", w.n_lost);
    ok(w.n_lost > 90 && stats->data_sent_again >= w.n_lost / 2
       && stats->data_sent_again < 3 * w.n_lost, "with as many repetitions as that needs (%llu)",
       (unsigned long long) stats->data_sent_again);
    ok(peers_stats(w.b)->data_early > 0, "some came out of order");
    is_int(peers_stats(w.b)->data_missed, 0, "none is missing");
    finish(&w);
}

TEST(a_lost_tail_comes_by_time_out)
{
    struct world w;

    start(&w);
    publish(&w, 0, 10);
    elapse(&w, 50 * MSEC);
    w.loses = loses_all;
    publish(&w, 1, 10);
    turn(&w);
    w.loses = NULL;
    elapse(&w, 20 * MSEC);
    is_int(w.n_got, 1, "it is not hurried: an ACK may take 10 ms");
    elapse(&w, 40 * MSEC);
    is_int(w.n_got, 2, "but comes within 60 ms");
    finish(&w);
}

TEST(no_more_is_under_way_than_a_switch_holds)
{
    struct world w;
    struct peer_info info;
    uint32_t n_congested = 0;

    start(&w);
    w.path_us = 20 * MSEC;
    for (uint32_t i = 0; i < 2000; i++) {
        n_congested += publish(&w, i, 1000);
    }
    turn(&w);
    ok(w.n_data <= 11, "ten to begin with (%u)", w.n_data);
    ok(n_congested > 1800, "publishers are held back (%u)", n_congested);
    for (int i = 0; i < 40; i++) {
        elapse(&w, 10 * MSEC);
        info = info_of(w.a);
        w.n_wrong += info.stream.out > 120 * 2304;
    }
    ok(info.stream.window > 40 * 2304, "more when all goes well (%u)", info.stream.window);
    elapse(&w, SEC);
    is_int(w.n_got, 2000, "all arrive");
    ok(!info_of(w.a).is_congested, "and the publishers may go on");
    is_int(w.n_lost, 0, "nothing was lost on the way");
    finish(&w);
}

TEST(who_does_not_answer_holds_nobody_back)
{
    struct world w;

    start_with(&w, 200000);
    publish(&w, 0, 10);
    elapse(&w, 50 * MSEC);
    w.loses = loses_all;
    for (uint32_t i = 1; i < 300; i++) {
        publish(&w, i, 1000);
    }
    ok(info_of(w.a).is_congested, "congested at first");
    ok(peers_stats(w.a)->queue_full > 90, "beyond the limit of the queue nothing is kept");
    elapse(&w, 900 * MSEC);
    ok(info_of(w.a).is_congested, "for almost a second");
    elapse(&w, 200 * MSEC);
    ok(!info_of(w.a).is_congested, "not longer");
    ok(!publish(&w, 300, 10), "who publishes now is not held");
    elapse(&w, 10 * SEC);
    ok(!info_of(w.a).is_reliable && !info_of(w.a).queued_bytes && peers_stats(w.a)->stale > 100,
       "after ten seconds what waits is stale, and the peer must introduce itself again");
    ok(w.n_data < 60, "it was not flooded meanwhile (%u)", w.n_data);
    w.loses = NULL;
    w.n_got = 1000;
    elapse(&w, 40 * SEC);
    ok(info_of(w.a).is_reliable, "it does with its next SUBSCRIBEs");
    publish(&w, 1000, 10);
    elapse(&w, 300 * MSEC);
    is_int(w.n_got, 1001, "and gets what is published then");
    ok(peers_stats(w.b)->data_missed > 0, "knowing that it missed something");
    finish(&w);
}

static bool
loses_pdus(const struct world *w, const struct peer_pdu *pdu)
{
    (void) w;
    return pdu->type;
}

/* Somebody between relays what it knows, the prototype's dialect, and nothing else. */
TEST(who_never_answers_is_spoken_to_plainly)
{
    struct world w;

    start(&w);
    w.loses = loses_pdus;
    publish(&w, 0, 10);
    elapse(&w, 11 * SEC);
    ok(!info_of(w.a).is_reliable && w.n_got == 0, "the first message is lost");
    elapse(&w, 100 * SEC);
    ok(!info_of(w.a).is_reliable, "what it says of itself is not believed any more");
    publish(&w, 0, 10);
    publish(&w, 1, 10);
    elapse(&w, SEC);
    is_int(w.n_got, 2, "so it gets plain PUBLISHes");
    w.loses = NULL;
    elapse(&w, 600 * SEC);
    ok(info_of(w.a).is_reliable, "after ten minutes it may try again");
    finish(&w);
}

TEST(either_side_may_start_anew)
{
    struct world w;

    start(&w);
    publish_many(&w, 0, 5, 2000);
    elapse(&w, 100 * MSEC);
    is_int(w.n_got, 5, "five messages");
    peers_destroy(w.a);
    w.a = make(false, 99, 0, w.now);
    elapse(&w, 60 * SEC);
    publish_many(&w, 5, 5, 2000);
    elapse(&w, 100 * MSEC);
    is_int(w.n_got, 10, "a new A is another epoch");

    /* While a message is under way in several datagrams. */
    publish(&w, 10, 6000);
    turn(&w);
    renew_b(&w, make(true, 98, 0, w.now));
    elapse(&w, 500 * MSEC);
    is_int(w.n_got, 11, "a new B gets all that the old one had not acknowledged");
    publish(&w, 11, 10);
    elapse(&w, 100 * MSEC);
    is_int(w.n_got, 12, "and goes on");
    finish(&w);
}

static struct recvstream_result
put_data(struct recvstream *r, uint32_t epoch, uint32_t base, uint32_t seq, usec_t now)
{
    struct peer_pdu pdu = {
        .type = PEER_PDU_DATA, .epoch = epoch, .base = base, .seq = seq, .body = str("x"),
    };

    return recvstream_input(r, &pdu, now);
}

static uint32_t
read_all(struct recvstream *r)
{
    struct slice bytes;
    struct mbuf *hold;
    uint32_t n = 0;

    for (; recvstream_next_bytes(r, &bytes, &hold); n++) {
        recvstream_take(r, bytes.n);
    }
    return n;
}

TEST(what_is_not_read_yet_was_taken)
{
    struct recvstream *r = recvstream_create(1000);
    struct mbuf *m;
    struct peer_pdu ack;

    for (uint32_t seq = 0; seq < 3; seq++) {
        is_int(put_data(r, 1, 0, seq, 5).verdict, RECVSTREAM_NEW, "DATA %u is in order", seq);
    }
    ok(recvstream_ack_at(r) > 5, "and nothing is missing: no hurry");
    is_int(put_data(r, 1, 0, 4, 5).verdict, RECVSTREAM_EARLY, "one is missing before another");
    is_int(recvstream_ack_at(r), 5, "of which the sender should know");
    m = recvstream_build_ack(r, 0);
    mp_assert(peer_pdu_parse((struct slice) { m->data, m->size }, &ack));
    ok(ack.seq == 3 && peer_pdu_is_taken(&ack, 0), "all that came was taken, though nothing was read");
    mbuf_unref(m);
    is_int(put_data(r, 1, 5, 5, 6).verdict, RECVSTREAM_BUSY, "the missing one is given up: not now");
    is_int(put_data(r, 2, 0, 0, 6).verdict, RECVSTREAM_BUSY, "nor does another epoch begin");
    is_int(read_all(r), 3, "three are read");
    is_int(put_data(r, 1, 5, 5, 6).n_skipped, 1, "then it may be given up");
    is_int(read_all(r), 1, "and one is read");
    is_int(put_data(r, 2, 0, 0, 6).verdict, RECVSTREAM_NEW, "or another epoch may begin");
    recvstream_destroy(r);
}

TEST(a_gap_that_is_left_is_told_at_once)
{
    struct recvstream *r = recvstream_create(1000);

    put_data(r, 1, 0, 0, 5);
    put_data(r, 1, 0, 2, 5);
    put_data(r, 1, 0, 4, 5);
    mbuf_unref(recvstream_build_ack(r, 0));
    is_int(put_data(r, 1, 0, 1, 6).verdict, RECVSTREAM_NEW, "what was missing has come");
    is_int(recvstream_ack_at(r), 6, "but something is missing still");
    mbuf_unref(recvstream_build_ack(r, 0));
    put_data(r, 1, 0, 3, 7);
    ok(recvstream_ack_at(r) > 7, "and then nothing");
    recvstream_destroy(r);
}

/* B takes all that A has, but A is never told. */
TEST(what_follows_a_stream_that_was_given_up_does_not_continue_it)
{
    struct world w;
    uint32_t n;

    start(&w);
    w.is_random = true;
    publish(&w, 0, 5);
    elapse(&w, 200 * MSEC);
    w.loses = loses_acks;
    publish_many(&w, 1, 60, 3000);
    elapse(&w, 15 * SEC);
    n = w.n_got;
    ok(n > 1 && n < 61 && peers_stats(w.a)->stale > 0, "B got %u messages and half of one", n - 1);
    w.loses = NULL;
    elapse(&w, 120 * SEC);
    publish_many(&w, n, 60, 3000);
    elapse(&w, 5 * SEC);
    is_int(w.n_got, n + 60, "all that are published later arrive");
    finish(&w);
}

/* B's successor comes in the middle of a message. */
TEST(who_comes_late_begins_with_a_whole_message)
{
    struct world w;

    start(&w);
    w.is_random = true;
    publish_many(&w, 0, 200, 3000);
    elapse(&w, 4 * MSEC);
    ok(w.n_got > 0 && w.n_got < 200, "%u messages are through", w.n_got);
    renew_b(&w, make(true, 98, 0, w.now));
    w.may_miss = true;
    elapse(&w, 2 * SEC);
    is_int(w.n_got, 200, "the last one comes");
    finish(&w);
}

TEST(what_has_begun_to_leave_counts_as_waiting)
{
    struct world w;

    start_with(&w, 100000);
    w.loses = loses_all;
    publish(&w, 0, 90000);
    peers_run(w.a, w.now);
    elapse(&w, MSEC);
    ok(w.n_data > 0 && info_of(w.a).queued_bytes > 60000, "a part of a large message has left");
    ok(info_of(w.a).is_congested, "who publishes is held back until more has");
    publish(&w, 1, 50000);
    is_int(peers_stats(w.a)->queue_full, 1, "and the limit is kept");
    finish(&w);
}

TEST(publishers_go_on_when_half_is_gone)
{
    struct world w;
    uint32_t n_held = 0;

    start(&w);
    publish_many(&w, 0, 70, 1000);
    ok(info_of(w.a).is_congested, "more waits than should");
    for (int i = 0; i < 1000 && info_of(w.a).is_congested; i++) {
        uint32_t n = info_of(w.a).queued_bytes;

        n_held += n < 60000 && n > 34000;
        elapse(&w, 50);
    }
    ok(n_held > 0, "those who publish are still held back when a little less does");
    ok(info_of(w.a).queued_bytes <= 32768 && info_of(w.a).queued_bytes > 25000, "not when half is gone");
    elapse(&w, SEC);
    is_int(w.n_got, 70, "all arrive");
    finish(&w);
}

/* It says what it wants more rarely than we take for silence. */
TEST(an_answer_after_silence_does_not_end_the_stream)
{
    struct peer_config c;
    struct peer_spec b = { .addr = addr_of(true), .port = 1883 };
    struct world w;

    start(&w);
    peer_config_default(&c);
    c.expire_us = 0;
    c.max_pack_bytes = 0;
    renew_a(&w, &c, &b);
    c.refresh_us = 300 * SEC;
    renew_b(&w, make_with(&c, true, w.now));
    for (int i = 0; i < 1000 && !info_of(w.a).is_reliable; i++) {
        elapse(&w, SEC);
    }
    publish(&w, 0, 5);
    elapse(&w, 100 * SEC);
    ok(info_of(w.a).is_reliable && !info_of(w.a).up, "B is silent");
    publish_many(&w, 1, 200, 1000);
    elapse(&w, SEC);
    is_int(w.n_got, 201, "what it is sent arrives");
    ok(info_of(w.a).up && !peers_stats(w.a)->stale, "and its answers show that it is there");
    finish(&w);
}

static void
inject(struct world *w, const struct peer_pdu *pdu, const void *body, uint32_t n)
{
    inject_to_b(w, pdu, body, n);
    take_events(w);
}

TEST(garbage_in_a_stream_costs_what_it_spoils)
{
    struct world w;
    struct peer_pdu pdu = { .type = PEER_PDU_DATA, .epoch = 5, .start = 0 };
    static const uint8_t first[] = "\x30\x07\0\1t\0\0\0\0", second[] = "\x30\x07\0\1t\0\0\0\1";

    start(&w);
    inject(&w, &pdu, first, 9);
    is_int(w.n_got, 1, "a message");
    pdu.seq++;
    inject(&w, &pdu, "\x10\x07\0\1t\0\0\0\1\x30\x07\0\1#\0\0\0\1\x30\x07", 20);
    ok(w.n_got == 1 && peers_stats(w.b)->unexpected == 1 && peers_stats(w.b)->bad_topic == 1,
       "what is no PUBLISH, or has no topic, is left out");
    pdu.seq++;
    pdu.start = PEER_PDU_NO_START;
    inject(&w, &pdu, "\0\1t\0\0\0\1", 7);
    is_int(w.n_got, 2, "and nothing else: the next goes on in another body");
    pdu.seq++;
    pdu.start = 0;
    inject(&w, &pdu, "\x30\xff\xff\xff\x7f", 5);
    pdu.seq++;
    pdu.start = PEER_PDU_NO_START;
    inject(&w, &pdu, second, 9);
    ok(w.n_got == 2 && peers_stats(w.b)->data_too_large == 1, "one of 268 MB is none");
    pdu.seq++;
    pdu.start = 3;
    inject(&w, &pdu, "xyz\x30\x07\0\1t\0\0\0\2\x30\xff\xff\xff\xff", 17);
    is_int(w.n_got, 3, "after it, the stream goes on where the next begins");
    pdu.seq++;
    pdu.start = PEER_PDU_NO_START;
    inject(&w, &pdu, "\xff", 1);
    is_int(peers_stats(w.b)->data_too_large, 2, "nor is one whose length nobody can read");
    pdu.start = 0;
    pdu.seq += 300;
    inject(&w, &pdu, second, 9);
    is_int(peers_stats(w.b)->data_refused, 1, "too far ahead to be kept");
    pdu.epoch++;
    pdu.seq = pdu.base = 77;
    inject(&w, &pdu, "\x30\x07\0\1t\0\0\0\3", 9);
    is_int(w.n_got, 4, "a new epoch");
    pdu.epoch--;
    pdu.seq = 9;
    inject(&w, &pdu, second, 9);
    ok(w.n_got == 4 && peers_stats(w.b)->data_refused == 2, "the old one is over");
    pdu.epoch++;
    pdu.seq = pdu.base = 80;
    inject(&w, &pdu, "\x30\x07\0\1t\0\0\0\4", 9);
    ok(w.n_got == 5 && peers_stats(w.b)->data_missed == 2, "two that were given up are counted");
    pdu.seq = 82;
    pdu.base = 81;
    inject(&w, &pdu, "\x30\x07\0\1t\0\0\0\5", 9);
    pdu.seq = 83;
    pdu.base = 82;
    inject(&w, &pdu, "\x30\x07\0\1t\0\0\0\6", 9);
    ok(w.n_got == 7 && peers_stats(w.b)->data_missed == 3, "what waited for one given up is not lost");
    w.now += 11 * SEC;
    pdu.epoch--;
    pdu.seq = pdu.base = 500;
    inject(&w, &pdu, "\x30\x07\0\1t\0\0\0\7", 9);
    is_int(w.n_got, 8, "no epoch is over for ever");
    finish(&w);
}

/* An ACK for A as from B. */
static void
inject_ack(struct world *w, uint32_t epoch, uint32_t seq)
{
    struct peer_pdu pdu = { .type = PEER_PDU_ACK, .epoch = epoch, .seq = seq };

    inject_to_a(w, &pdu, PEER_INBAND);
}

static uint32_t epoch_seen;

static bool
loses_data(const struct world *w, const struct peer_pdu *pdu)
{
    (void) w;
    epoch_seen = pdu->type == PEER_PDU_DATA ? pdu->epoch : epoch_seen;
    return pdu->type == PEER_PDU_DATA;
}

TEST(answers_without_progress_hold_nobody_back)
{
    struct world w;
    uint32_t n_relieved;

    start(&w);
    publish(&w, 0, 10);
    elapse(&w, 50 * MSEC);
    w.loses = loses_data;
    for (uint32_t i = 1; i < 100; i++) {
        publish(&w, i, 1000);
    }
    ok(info_of(w.a).is_congested, "congested");
    n_relieved = peers_n_relieved(w.a);
    for (int i = 0; i < 12; i++) {
        elapse(&w, 90 * MSEC);
        inject_ack(&w, epoch_seen, 1);
    }
    ok(!info_of(w.a).is_congested && peers_n_relieved(w.a) == n_relieved + 1,
       "an ACK that acknowledges nothing does not keep it so");
    inject_ack(&w, epoch_seen + 1, 1);
    inject_ack(&w, epoch_seen, 5000);
    is_int(peers_stats(w.a)->unexpected, 2, "one of another stream, or of what was never sent, is none");
    finish(&w);
}

TEST(a_peer_that_is_added_again_has_a_new_stream)
{
    struct peer_spec b = { .addr = addr_of(true), .port = 1883 };
    struct world w;

    for (uint32_t n = 5; n <= 80; n += 75) {
        start(&w);
        publish_many(&w, 0, n, 1400);
        elapse(&w, 200 * MSEC);
        is_int(peers_del(w.a, &b.addr, b.port), 0, "deleted");
        is_int(peers_add(w.a, &b, w.now), 0, "and added again");
        elapse(&w, 60 * SEC);
        publish_many(&w, n, n, 1400);
        elapse(&w, 500 * MSEC);
        is_int(w.n_got, 2 * n, "no message is taken for an old one");
        is_int(peers_stats(w.b)->data_duplicate, 0, "nor counted so");
        finish(&w);
    }
}

TEST(no_datagram_is_larger_than_the_path_takes)
{
    struct peer_spec other = { .addr = addr_of(true), .port = 1883 };
    struct peer_config c;
    struct world w;
    uint32_t largest = 0;
    struct peer_datagram d;

    start(&w);
    peer_config_default(&c);
    c.mtu = 1280;
    renew_a(&w, &c, &other);
    elapse(&w, 60 * SEC);
    publish_many(&w, 0, 20, 700);
    while (peers_next_datagram(w.a, w.now, &d)) {
        largest = MP_MAX(largest, d.payload->size);
        put(&w, d.payload, d.mtu, true);
    }
    is_int(largest, 1280 - 28, "IP and UDP headers included");
    elapse(&w, SEC);
    is_int(w.n_got, 20, "all arrive");
    finish(&w);
}

TEST(strict_peers_are_no_partners)
{
    struct peer_spec s = { .addr = addr_of(true), .port = 1883, .strict = true };
    struct peer_pdu pdu = { .type = PEER_PDU_DATA, .epoch = 5 };
    struct peer_config c;
    uint8_t buf[PEER_PDU_DATA_SIZE + 9];
    struct peers *ps;
    struct ip_addr b = addr_of(true);

    peer_config_default(&c);
    ps = peers_create(&c, 0);
    mp_assert(!peers_add(ps, &s, 0));
    peer_pdu_write(&pdu, buf);
    memcpy(buf + PEER_PDU_DATA_SIZE, "\x30\x07\0\1t\0\0\0\0", 9);
    peers_input(ps, &b, 1883, PEER_INBAND, (struct slice) { buf, sizeof buf }, 0);
    is_int(peers_stats(ps)->publishes_in, 0, "the prototype sends no DATA");
    peers_input(ps, &b, 1883, PEER_INBAND, str("\x82\x06MP"), 0);
    ok(!info_of(ps).is_reliable, "nor says that it could");
    peers_destroy(ps);
}

int
main(void)
{
    RUN(format);
    RUN(format_of_probes);
    RUN(what_one_turn_publishes_leaves_in_full_datagrams);
    RUN(what_is_lost_is_sent_again);
    RUN(a_lost_tail_comes_by_time_out);
    RUN(no_more_is_under_way_than_a_switch_holds);
    RUN(who_does_not_answer_holds_nobody_back);
    RUN(who_never_answers_is_spoken_to_plainly);
    RUN(either_side_may_start_anew);
    RUN(what_is_not_read_yet_was_taken);
    RUN(a_gap_that_is_left_is_told_at_once);
    RUN(what_follows_a_stream_that_was_given_up_does_not_continue_it);
    RUN(who_comes_late_begins_with_a_whole_message);
    RUN(what_has_begun_to_leave_counts_as_waiting);
    RUN(publishers_go_on_when_half_is_gone);
    RUN(an_answer_after_silence_does_not_end_the_stream);
    RUN(garbage_in_a_stream_costs_what_it_spoils);
    RUN(answers_without_progress_hold_nobody_back);
    RUN(a_peer_that_is_added_again_has_a_new_stream);
    RUN(no_datagram_is_larger_than_the_path_takes);
    RUN(strict_peers_are_no_partners);
    return done_testing();
}
