/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Connection failures, RFC 9293 3.8.3: R1, at which the user is told, and R2, at which a connection
 * is given up. */
#include "unit/utcp-play.h"

#define OPEN "< S 0 mss 1000 sackok\n> SA 0 ack 1\n< A 1 ack 1\n! open\n"

/* RTO 300 ms. */
#define OPEN_100 "< S 0 mss 1000\n> SA 0 ack 1\n+100\n< A 1 ack 1\n! open\n"

TEST(r1)
{
    script("R1: the user is told when three retransmissions had no answer, once (SHLD-9, SHLD-10)",
           OPEN_100
           "send 10\n> PA 1:10\n+302\n> PA 1:10\n+600\n> PA 1:10\n+1200\n> PA 1:10\n!.\n"
           "stat r1_reached 0\n"
           "+2400\n! r1\n> PA 1:10\nstat r1_reached 1\n"
           "+4800\n> PA 1:10\n!.\nstat r1_reached 1\nstate ESTABLISHED\n");
    script("R1 can be set",
           "set r1 5\n" OPEN_100
           "send 10\n> PA 1:10\n+302\n> PA 1:10\n+600\n> PA 1:10\n+1200\n> PA 1:10\n"
           "+2400\n> PA 1:10\n+4800\n> PA 1:10\n!.\n+9600\n! r1\n> PA 1:10\n");
    script("R1: an acknowledgment begins anew, a duplicate does not",
           OPEN_100
           "send 20\n> PA 1:20\n+302\n> PA 1:20\n+600\n> PA 1:20\n+1200\n> PA 1:20\n"
           "< A 1 ack 11\n!.\n> PA 11:10\n"
           "+302\n> PA 11:10\n+600\n> PA 11:10\n+1200\n< A 1 ack 11\n> PA 11:10\n!.\n"
           "+2400\n! r1\n> PA 11:10\n"
           "< A 1 ack 21\n+100000\n!.\nstat r1_reached 1\n");
    script("R1: a peer whose window is closed has not reached it",
           OPEN_100
           "< A 1 ack 1 win 0\nsend 10\n>.\n+302\n> A 1:1\n+602\n> A 1:1\n+1202\n> A 1:1\n"
           "+2402\n> A 1:1\n+4802\n> A 1:1\n!.\nstat r1_reached 0\n");
    FOR_EACH_VARIANT(v) {
        struct script *s = play_start(v, OPEN_100
                                      "send 10\n> PA 1:10\n+302\n> PA 1:10\n+600\n> PA 1:10\n"
                                      "+1200\n> PA 1:10\n");

        ok(!play_info(s).r1 && play(s, v, "+2400\n! r1\n> PA 1:10\n") && play_info(s).r1
           && play(s, v, "< A 1 ack 11\n") && !play_info(s).r1, "R1 is shown while it lasts (%s)",
           v->name);
        play_end(s);
    }
}

TEST(give_up)
{
    FOR_EACH_VARIANT(v) {
        struct script *s = play_start(v, OPEN);
        struct utcp_segment out[4];
        usec_t until = s->now + 100 * CLOCK_SEC;

        play(s, v, "send 10\n");
        while (s->now < until) {
            play_drain(s, out, 4);
            script_pass_time(s, 100 * CLOCK_MSEC);
        }
        ok(play_info(s).state == UTCP_ESTABLISHED && utcp_stats(s->u)->retransmitted >= 3,
           "100 s and %u retransmissions do not end a connection (%s)",
           (unsigned int) utcp_stats(s->u)->retransmitted, v->name);
        until += 120 * CLOCK_SEC;
        while (s->now < until) {
            play_drain(s, out, 4);
            script_pass_time(s, 100 * CLOCK_MSEC);
        }
        ok(play(s, v, "! r1\n! closed timeout\ngone\n>.\n"), "R2 does, and the user is told (%s)",
           v->name);
        play_end(s);
    }
    script("R2 can be set",
           "set r2_us 5000000\n" OPEN
           "send 10\n> PA 1:10\n+1300\n> PA 1:10\n+20000\n! r1\n! closed timeout\n");
    script("an answer just before R2 starts it anew",
           "set r2_us 100000000\n"
           "< S 0 mss 1000\n> SA 0 ack 1\n+100\n< A 1 ack 1\n! open\n"
           "send 20\n> PA 1:20\n"
           "+302\n> PA 1:20\n+600\n> PA 1:20\n+1200\n> PA 1:20\n+2400\n> PA 1:20\n"
           "+4800\n> PA 1:20\n+9600\n> PA 1:20\n+19200\n> PA 1:20\n+38400\n> PA 1:20\n"
           "+20000\n"
           "< A 1 ack 11\n> PA 11:10\n"
           "! r1\n+50000\n! r1\nstate ESTABLISHED\n");
}

int
main(void)
{
    RUN(r1);
    RUN(give_up);
    return done_testing();
}
