/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Steering of the receive window, rule by rule, as one client sees it.  Crowds and the budget that
 * many share are in test-utcp-limits.  Pure: virtual clock. */
#include "unit/utcp-play.h"

struct client {
    struct script *s;
    uint32_t mss;                     /* Ours: two of these are the floor. */
    uint32_t snd, edge;
    uint32_t win;                     /* Offered last. */
    unsigned int n_left;              /* Times that the edge moved left. */
};

static void
client_start(struct client *c, const struct script_variant *v, const char *syn)
{
    char text[128];

    *c = (struct client) { .s = play_new(), .snd = 1, .mss = v->is_v6 ? 1440 : 1460 };
    c->s->cfg.rcv_wnd_initial = 2 * c->mss;
    snprintf(text, sizeof text, "%s\n> SA 0 ack 1\n< A 1 ack 1\n! open\n", syn);
    ok(play(c->s, v, text), "the connection comes up (%s)", v->name);
    c->win = 2 * c->mss;
    c->edge = 1 + c->win;
}

/* Takes what comes out; the number of segments. */
static unsigned int
client_drain(struct client *c)
{
    struct utcp_segment out[8];
    unsigned int n = play_drain(c->s, out, 8);

    for (unsigned int i = 0; i < n && i < 8; i++) {
        uint32_t edge = out[i].tcp.ack - c->s->isn + out[i].tcp.wnd;

        c->win = out[i].tcp.wnd;
        c->n_left += (int32_t) (edge - c->edge) < 0;
        c->edge = edge;
    }
    return n;
}

static void
client_send(struct client *c, uint32_t n)
{
    play_inject(c->s, (struct wire_tcp) {
        .flags = TCP_ACK, .seq = c->s->isn + c->snd, .ack = c->s->iss + 1 }, n);
    c->snd += n;
}

/* 'times' segments of 'n' octets, each acknowledged and used up at once. */
static void
client_publish(struct client *c, uint32_t n, unsigned int times)
{
    for (unsigned int i = 0; i < times; i++) {
        client_send(c, n);
        utcp_credit(c->s->u, c->s->conn, n);
        client_drain(c);
        script_pass_time(c->s, CLOCK_MSEC);
    }
}

static void
client_end(struct client *c)
{
    is_int(c->n_left, 0, "the right edge has never moved left (SHLD-14)");
    play_end(c->s);
}

#define SYN "< S 0 mss 1460 sackok"

TEST(small_segments_get_one_segment)
{
    FOR_EACH_VARIANT(v) {
        struct client c;
        unsigned int n_short = 0;

        client_start(&c, v, SYN);
        client_publish(&c, 100, 5);
        is_int(c.win, 2 * c.mss - 500, "a few small segments say nothing: two are the target, and "
               "the edge stands until one of them is used (%s)", v->name);
        client_publish(&c, 100, 25);
        is_int(c.win, c.mss, "small ones only: one segment");
        for (int i = 0; i < 50; i++) {
            client_publish(&c, 1 + 29u * (unsigned int) i, 1);
            n_short += c.win < c.mss;
        }
        is_int(n_short, 0, "which is open as a whole after every ACK, however little was used");
        client_end(&c);
    }
}

TEST(full_segments_bring_the_floor_back)
{
    FOR_EACH_VARIANT(v) {
        struct client c;

        client_start(&c, v, SYN);
        client_publish(&c, 300, 8);
        client_publish(&c, c.mss, 7);
        is_int(c.win, c.mss, "seven full segments after small ones: still one (%s)", v->name);
        client_publish(&c, c.mss, 10);
        is_int(c.win, c.mss, "seventeen within 30 ms as well");
        script_pass_time(c.s, 30 * CLOCK_MSEC);
        client_publish(&c, c.mss, 1);
        is_int(c.win, 2 * c.mss, "then eight of eight are enough for two, no more");
        client_publish(&c, c.mss, 100);
        ok(c.win > 20 * c.mss, "and it grows from there (%u)", c.win);
        client_publish(&c, 100, 6);
        ok(c.win > 15 * c.mss, "small ones again: what was promised stands (%u)", c.win);
        client_publish(&c, 100, c.edge / 100);
        is_int(c.win, c.mss, "until it is used up, then it is one");
        client_end(&c);
    }
}

/* A client without Nagle fills its segments at one segment, and shows what it is with more room. */
TEST(small_again_waits_twice_as_long)
{
    FOR_EACH_VARIANT(v) {
        struct client c;

        client_start(&c, v, SYN);
        client_publish(&c, 300, 8);
        script_pass_time(c.s, 40 * CLOCK_MSEC);
        client_publish(&c, c.mss, 8);
        is_int(c.win, 2 * c.mss, "eight full segments bring two (%s)", v->name);
        client_publish(&c, 100, 2 * c.mss / 100 + 5);
        is_int(c.win, c.mss, "small ones again: one");
        client_publish(&c, c.mss, 8);
        is_int(c.win, c.mss, "which was for 30 ms the last time, and is still");
        script_pass_time(c.s, 30 * CLOCK_MSEC);
        client_publish(&c, c.mss, 1);
        is_int(c.win, 2 * c.mss, "after 60 it is two");
        client_end(&c);
    }
}

TEST(large_segments_never_wait_for_one)
{
    FOR_EACH_VARIANT(v) {
        struct client c;
        uint32_t least = UINT32_MAX;

        client_start(&c, v, SYN);
        client_publish(&c, 40, 3);    /* CONNECT and the like. */
        for (int i = 0; i < 40; i++) {
            client_publish(&c, c.mss * 3 / 4, 1);
            least = c.win < least ? c.win : least;
        }
        ok(least > c.mss, "three quarters of a segment are full enough: more than one (%s: %u)",
           v->name, least);
        client_end(&c);
    }
}

TEST(idle_clients_begin_anew)
{
    FOR_EACH_VARIANT(v) {
        struct client c;

        client_start(&c, v, SYN);
        client_publish(&c, 100, 40);
        script_pass_time(c.s, 900 * CLOCK_MSEC);
        client_publish(&c, 100, 1);
        is_int(c.win, c.mss, "less than a second of silence changes nothing (%s)", v->name);
        script_pass_time(c.s, 1200 * CLOCK_MSEC);
        is_int(client_drain(&c), 0, "a second says nothing to the client");
        client_publish(&c, 100, 1);
        is_int(c.win, 2 * c.mss, "but its next segment finds a target of two");
        client_publish(&c, c.mss, 1);
        ok(c.win >= 2 * c.mss, "small ones before the silence do not count (%u)", c.win);
        client_end(&c);
    }
}

/* Less than a segment open, and the client's full segment would wait for its persist timer. */
TEST(one_segment_opens_whole_or_not)
{
    FOR_EACH_VARIANT(v) {
        struct client c;

        client_start(&c, v, SYN);
        client_publish(&c, 100, 40);
        client_send(&c, 1000);
        client_drain(&c);
        is_int(c.win, c.mss - 1000, "what is not credited keeps the edge in place (%s)", v->name);
        utcp_credit(c.s->u, c.s->conn, 900);
        is_int(client_drain(&c), 0, "most of it credited: no piece of a segment is offered");
        utcp_credit(c.s->u, c.s->conn, 100);
        is_int(client_drain(&c), 1, "all of it: one ACK");
        is_int(c.win, c.mss, "that offers a whole segment");
        client_end(&c);
    }
}

/* A loss of all that a window of one segment lets come leaves nothing that would tell the peer. */
TEST(a_second_segment_shows_the_loss_of_the_first)
{
    FOR_EACH_VARIANT(v) {
        struct client c;
        uint32_t edge;

        client_start(&c, v, SYN);
        client_publish(&c, 100, 40);
        script_pass_time(c.s, 100 * CLOCK_MSEC);
        is_int(client_drain(&c), 0, "who has not used up its window has no more to send (%s)", v->name);

        client_publish(&c, c.mss, 1);         /* A millisecond has passed. */
        is_int(c.win, c.mss, "the window was shut, and is open again");
        script_pass_time(c.s, 8 * CLOCK_MSEC);
        is_int(client_drain(&c), 0, "something may still come");
        script_pass_time(c.s, 3 * CLOCK_MSEC);
        is_int(client_drain(&c), 1, "nothing has come in 10 ms: an ACK");
        is_int(c.win, 2 * c.mss, "that offers another segment");
        is_int(utcp_stats(c.s->u)->second_segments, 1, "which is counted");
        script_pass_time(c.s, 500 * CLOCK_MSEC);
        is_int(client_drain(&c), 0, "once");

        c.snd += c.mss;               /* Lost. */
        client_send(&c, c.mss);
        is_int(client_drain(&c), 1, "the second is answered at once, and tells of the loss");
        edge = c.edge;
        c.snd -= 2 * c.mss;
        client_send(&c, c.mss);
        c.snd += c.mss;
        utcp_credit(c.s->u, c.s->conn, 2 * c.mss);
        client_drain(&c);
        ok(c.win == c.mss && c.edge == edge + c.mss, "the first comes again: one segment is open");

        client_send(&c, c.mss / 2);   /* Of several small ones, the last are lost. */
        client_send(&c, c.mss / 4 + 10);
        utcp_credit(c.s->u, c.s->conn, c.mss / 2 + c.mss / 4 + 10);
        client_drain(&c);
        is_int(c.win, c.mss, "whatever was used, the window opens as a whole");
        script_pass_time(c.s, 12 * CLOCK_MSEC);
        client_drain(&c);
        is_int(c.win, 2 * c.mss, "and gets its second segment when nothing more comes");
        client_publish(&c, 10, 1);
        script_pass_time(c.s, 100 * CLOCK_MSEC);
        is_int(client_drain(&c), 0, "what comes then ends the matter");

        client_publish(&c, c.win, 1);
        play_inject(c.s, (struct wire_tcp) { .flags = TCP_ACK | TCP_FIN,
            .seq = c.s->isn + c.snd++, .ack = c.s->iss + 1 }, 0);
        client_drain(&c);
        script_pass_time(c.s, 100 * CLOCK_MSEC);
        is_int(client_drain(&c), 0, "who has ended gets nothing");
        client_end(&c);
    }
}

TEST(full_is_what_the_path_carries)
{
    FOR_EACH_VARIANT(v) {
        struct client c;

        client_start(&c, v, "< S 0 mss 900 sackok");
        client_publish(&c, 900, 60);
        ok(c.win > 4 * c.mss, "900 octets are a full segment of a peer that takes no more (%s: %u)",
           v->name, c.win);
        client_end(&c);
        client_start(&c, v, "< S 0 mss 64 sackok");
        client_publish(&c, 64, 100);
        is_int(c.win, c.mss, "but 64 never are");
        client_end(&c);
    }
}

int
main(void)
{
    RUN(small_segments_get_one_segment);
    RUN(full_segments_bring_the_floor_back);
    RUN(small_again_waits_twice_as_long);
    RUN(large_segments_never_wait_for_one);
    RUN(idle_clients_begin_anew);
    RUN(one_segment_opens_whole_or_not);
    RUN(a_second_segment_shows_the_loss_of_the_first);
    RUN(full_is_what_the_path_carries);
    return done_testing();
}
