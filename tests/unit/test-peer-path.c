/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of path MTU discovery between peers (RFC 8899): the search by itself, and two peers with a
 * path of some size between them. */
#include "peer/pathmtu.h"
#include "unit/peer-world.h"

/* All probes that leave until 'end', of which those up to 'carries' are answered. */
static uint32_t
search_until(struct pathmtu *p, usec_t *now, usec_t end, uint16_t carries, char *sizes, size_t n)
{
    uint32_t n_probes = 0, used = 0;

    sizes[0] = '\0';
    while (pathmtu_deadline(p) <= end) {
        uint16_t size;

        *now = MP_MAX(*now, pathmtu_deadline(p));
        size = pathmtu_next_probe(p, *now);
        if (size) {
            n_probes++;
            used += (uint32_t) snprintf(sizes + used, n - used, "%s%u", used ? " " : "", size);
            if (size <= carries) {
                pathmtu_answered(p, size, *now + 100);
            }
        }
    }
    *now = end;
    return n_probes;
}

TEST(search)
{
    char sizes[256];
    struct pathmtu p;
    usec_t now = SEC;

    pathmtu_init(&p, 1500, 9000);
    ok(pathmtu_deadline(&p) == CLOCK_NEVER, "nothing is probed before the peer has answered");
    pathmtu_begin(&p, now);
    search_until(&p, &now, now + 100 * SEC, 65535, sizes, sizeof sizes);
    is_str(sizes, "9000", "the largest first");
    is_int(p.size, 9000, "which is all that there is to find");
    ok(pathmtu_deadline(&p) == CLOCK_NEVER, "and the search is over for good");

    pathmtu_init(&p, 1500, 8500);
    pathmtu_begin(&p, now);
    search_until(&p, &now, now + 100 * SEC, 3999, sizes, sizeof sizes);
    is_str(sizes, "8500 8500 8500 8100 8100 8100 4000 4000 4000 3000", "three times each");
    is_int(p.size, 3000, "until one is answered");
    pathmtu_begin(&p, now);
    search_until(&p, &now, now + 400 * SEC, 3999, sizes, sizeof sizes);
    is_str(sizes, "", "no more for ten minutes");
    search_until(&p, &now, now + 200 * SEC, 8100, sizes, sizeof sizes);
    is_str(sizes, "8500 8500 8500 8100", "then whatever is larger again");
    is_int(p.size, 8100, "as paths may change");

    pathmtu_black_hole(&p);
    is_int(p.size, 1500, "back to the base");
    ok(pathmtu_deadline(&p) == CLOCK_NEVER, "until the peer answers");
    pathmtu_begin(&p, now);
    is_int(search_until(&p, &now, now + 60 * SEC, 1500, sizes, sizeof sizes), 15,
           "a path that carries no more costs fifteen probes");
    is_int(p.size, 1500, "and keeps the base");
}

TEST(answers)
{
    struct pathmtu p;
    usec_t now = SEC;

    pathmtu_init(&p, 1500, 1500);
    pathmtu_begin(&p, now);
    ok(pathmtu_deadline(&p) == CLOCK_NEVER, "where no more is allowed there is no search");
    pathmtu_answered(&p, 9000, now);
    is_int(p.size, 1500, "nor an answer");

    pathmtu_init(&p, 1500, 4000);
    pathmtu_begin(&p, now);
    is_int(pathmtu_next_probe(&p, now), 4000, "a probe leaves");
    pathmtu_answered(&p, 4001, now);
    pathmtu_answered(&p, 1499, now);
    is_int(p.size, 1500, "an answer that is larger than allowed, or smaller than known, says nothing");
    pathmtu_next_probe(&p, now + SEC);
    pathmtu_next_probe(&p, now + 2 * SEC);
    is_int(pathmtu_next_probe(&p, now + 3 * SEC), 3000, "three were not answered");
    pathmtu_answered(&p, 4000, now + 3 * SEC);
    is_int(p.size, 4000, "an answer that is late still counts");
}

/* The path carries 'mtu', and A has had the time to find that out. */
static void
start_on(struct world *w, uint16_t mtu)
{
    start(w);
    w->path_mtu = mtu;
    publish(w, 0, 1000);
    elapse(w, 30 * SEC);
}

TEST(datagrams_grow_with_the_path)
{
    static const uint16_t mtus[] = { 1500, 3000, 9000 };

    for (size_t i = 0; i < MP_ARRAY_SIZE(mtus); i++) {
        struct world w;

        start_on(&w, mtus[i]);
        is_int(info_of(w.a).mtu, mtus[i], "A knows that the path carries %u", mtus[i]);
        w.n_data = w.n_too_large = 0;
        publish_many(&w, 1, 100, 1000);       /* 1,006 bytes each. */
        elapse(&w, SEC);
        is_int(w.n_got, 101, "all messages arrive");
        is_int(w.n_data, (100600 + mtus[i] - 45) / (mtus[i] - 44u), "in full datagrams");
        is_int(w.n_too_large, 0, "none of which is too large");
        is_int(peers_stats(w.a)->data_sent_again, 0, "or sent again");
        finish(&w);
    }
}

/* A path that carried jumbo frames does so no longer, while some are under way. */
TEST(black_hole)
{
    struct world w;
    usec_t began;

    start_on(&w, 9000);
    is_int(info_of(w.a).mtu, 9000, "jumbo frames");
    w.path_mtu = 1500;
    began = w.now;
    publish_many(&w, 1, 100, 1000);
    while (w.n_got < 101 && w.now < began + 10 * SEC) {
        elapse(&w, 10 * MSEC);
    }
    ok(w.n_got == 101 && w.now - began < 2 * SEC, "what was under way comes in fragments (%u, %u ms)",
       w.n_got, (unsigned int) ((w.now - began) / MSEC));
    is_int(peers_stats(w.a)->black_holes, 1, "which is counted");
    elapse(&w, 60 * SEC);
    is_int(info_of(w.a).mtu, 1500, "the path carries no more than the base");
    w.n_too_large = 0;
    publish_many(&w, 101, 100, 1000);
    elapse(&w, SEC);
    ok(w.n_got == 201 && !w.n_too_large, "and no more is tried");
    w.path_mtu = 4000;
    elapse(&w, 600 * SEC);
    is_int(info_of(w.a).mtu, 4000, "until ten minutes later");
    finish(&w);
}

/* The same while small messages go on arriving, and being acknowledged, behind the large one. */
TEST(black_hole_behind_which_all_is_well)
{
    static const struct {
        uint16_t mtu;
        usec_t path_us, every;
    } cases[] = {
        { 9000, 500, 28 * MSEC }, { 3000, 500, 80 * MSEC }, { 3000, 25 * MSEC, 150 * MSEC },
    };

    for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
        uint32_t n = 1;
        usec_t began;
        struct world w;

        start_on(&w, cases[i].mtu);
        is_int(info_of(w.a).mtu, cases[i].mtu, "a path of %u", cases[i].mtu);
        w.path_us = cases[i].path_us;
        w.path_mtu = 1500;
        began = w.now;
        publish(&w, n++, 2500);
        while (w.n_got < 2 && w.now < began + 30 * SEC) {
            publish(&w, n++, 50);
            elapse(&w, cases[i].every);
        }
        ok(w.now - began < 1500 * MSEC, "becomes one of 1500, and the large message comes in %u ms",
           (unsigned int) ((w.now - began) / MSEC));
        elapse(&w, 5 * SEC);
        is_int(w.n_got, n, "all do");
        finish(&w);
    }
}

static usec_t silent_until;

static bool
loses_until(const struct world *w, const struct peer_pdu *pdu)
{
    (void) pdu;
    return w->now < silent_until;
}

/* However large datagrams may be, many small ones that were lost come again at once. */
TEST(recovery_does_not_wait_for_what_is_large)
{
    struct world w;
    usec_t began;

    start_on(&w, 9000);
    w.loses = loses_until;
    silent_until = w.now + 25 * MSEC;
    for (uint32_t i = 0; i < 100; i++) {
        publish(&w, 1 + i, 200);
        elapse(&w, 200);
    }
    began = w.now;
    while (w.n_got < 101 && w.now < began + 10 * SEC) {
        elapse(&w, MSEC);
    }
    ok(w.now - began < 200 * MSEC, "a hundred of them in %u ms",
       (unsigned int) ((w.now - began) / MSEC));
    finish(&w);
}

/* SUBSCRIBEs are not acknowledged: nobody would learn that a large one does not arrive. */
TEST(only_data_is_large)
{
    uint8_t filter[3000];
    struct world w;

    start_on(&w, 9000);
    is_int(info_of(w.a).mtu, 9000, "a path of 9000");
    w.path_mtu = 1500;
    memset(filter, 'f', sizeof filter);
    peers_subscribe(w.a, (struct slice) { filter, sizeof filter }, w.now);
    elapse(&w, SEC);
    is_int(info_of(w.b).n_filters, 1, "becomes one of 1500, which a SUBSCRIBE of 3000 passes");
    finish(&w);
}

static bool is_silent;

static bool
loses_while_silent(const struct world *w, const struct peer_pdu *pdu)
{
    (void) w;
    (void) pdu;
    return is_silent;
}

/* A peer that is away for a while is no black hole that would last. */
TEST(a_peer_that_comes_back)
{
    struct world w;

    start_on(&w, 9000);
    w.loses = loses_while_silent;
    is_silent = true;
    publish_many(&w, 1, 10, 1000);
    elapse(&w, 3 * SEC);
    is_int(info_of(w.a).mtu, 1500, "nobody can tell why nothing is answered");
    is_silent = false;
    elapse(&w, 5 * SEC);
    is_int(w.n_got, 11, "when it is there again it gets all");
    is_int(info_of(w.a).mtu, 9000, "and the path carries what it did");
    finish(&w);
}

/* One who does not know probes, as who was built before there were any, answers none. */
static bool
loses_probes(const struct world *w, const struct peer_pdu *pdu)
{
    (void) w;
    return pdu->type == PEER_PDU_PROBE;
}

TEST(who_does_not_know_probes)
{
    struct world w;

    start(&w);
    w.path_mtu = 9000;
    w.loses = loses_probes;
    publish(&w, 0, 1000);
    elapse(&w, 60 * SEC);
    is_int(info_of(w.a).mtu, 1500, "gets what every path carries");
    publish_many(&w, 1, 100, 1000);
    elapse(&w, SEC);
    is_int(w.n_got, 101, "and all messages");
    is_int(peers_stats(w.a)->probes_out, 15, "after fifteen probes");
    finish(&w);
}

static uint32_t token_seen;

static bool
sees_token(const struct world *w, const struct peer_pdu *pdu)
{
    (void) w;
    if (pdu->type == PEER_PDU_PROBE) {
        token_seen = pdu->token;
    }
    return pdu->type == PEER_PDU_PROBE;
}

static void
say_found(struct world *w, uint32_t token, uint32_t size)
{
    struct peer_pdu pdu = { .type = PEER_PDU_FOUND, .token = token, .size = size };

    inject_to_a(w, &pdu, PEER_INBAND);
}

TEST(answers_that_nobody_asked_for)
{
    struct world w;

    start(&w);
    w.path_mtu = 9000;
    w.loses = sees_token;
    publish(&w, 0, 1000);
    elapse(&w, 500 * MSEC);
    say_found(&w, token_seen + 1, 8972);
    is_int(peers_stats(w.a)->unexpected, 1, "of another token");
    say_found(&w, token_seen, UINT32_MAX);
    say_found(&w, token_seen, 65535 - 27);
    is_int(peers_stats(w.a)->unexpected, 3, "of more than a packet holds");
    say_found(&w, token_seen, 9001 - 28);
    is_int(info_of(w.a).mtu, 1500, "or of more than we would send");
    say_found(&w, token_seen, 8972);
    is_int(info_of(w.a).mtu, 9000, "unlike the one that is due");
    finish(&w);
}

TEST(only_in_band)
{
    struct peer_spec s = { .addr = addr_of(true), .port = 1883, .via = PEER_SOCKET };
    struct ip_addr b = addr_of(true);
    struct peer_config c;
    struct world w;

    start(&w);
    peer_config_default(&c);
    renew_a(&w, &c, &s);
    for (int i = 0; i < 2; i++) {     /* Once more, as who repeats it is believed. */
        peers_input(w.a, &b, 1883, PEER_SOCKET,
                    (struct slice) { (const uint8_t *) "\x82\x06MP\0\1t\0", 8 }, w.now);
    }
    ok(info_of(w.a).is_reliable, "a peer by socket");
    publish(&w, 0, 1000);

    struct peer_datagram d;
    struct peer_pdu pdu = { .type = 0 };

    while (pdu.type != PEER_PDU_DATA && peers_next_datagram(w.a, w.now, &d)) {
        peer_pdu_parse((struct slice) { d.payload->data, d.payload->size }, &pdu);
        mbuf_unref(d.payload);
    }

    struct peer_pdu ack = { .type = PEER_PDU_ACK, .epoch = pdu.epoch, .seq = pdu.seq + 1 };

    inject_to_a(&w, &ack, PEER_SOCKET);
    ok(peers_is_idle(w.a), "that has answered");
    peers_run(w.a, w.now + 5 * SEC);
    while (peers_next_datagram(w.a, w.now + 5 * SEC, &d)) {
        mbuf_unref(d.payload);
    }
    is_int(peers_stats(w.a)->probes_out, 0, "is not probed: the kernel knows its own paths");
    finish(&w);
}

int
main(void)
{
    RUN(search);
    RUN(answers);
    RUN(datagrams_grow_with_the_path);
    RUN(black_hole);
    RUN(black_hole_behind_which_all_is_well);
    RUN(recovery_does_not_wait_for_what_is_large);
    RUN(only_data_is_large);
    RUN(a_peer_that_comes_back);
    RUN(who_does_not_know_probes);
    RUN(answers_that_nobody_asked_for);
    RUN(only_in_band);
    return done_testing();
}
