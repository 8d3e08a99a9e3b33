/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The second octet of the IP header: the Diffserv field (RFC 9293 MUST-48, SHLD-21..23) and ECN
 * (SHLD-8, RFC 3168 section 6.1). */
#include "unit/utcp-play.h"

/* Of the notation's "tos": ECT(0), ECT(1) and CE without a DSCP, and DSCP 46 (EF). */
#define ECT0 "tos 2"
#define CE "tos 3"
#define EF "tos 184"

#define OPEN                                    \
    "< S 0 mss 1000 sackok\n> SA 0 ack 1\n"     \
    "< A 1 ack 1\n! open\n"

#define OPEN_ECN                                \
    "< SEC 0 mss 1000 sackok\n"                 \
    "> SAE 0 ack 1 tos 0\n"                     \
    "< A 1 ack 1\n! open\n"

TEST(dscp)
{
    script("the DSCP of the endpoint is on all that a connection sends (MUST-48, SHLD-22)",
           "set dscp 46\n"
           "< S 0 mss 1000 sackok tos 40\n> SA 0 ack 1 " EF "\n"
           "+1100\n> SA 0 ack 1 " EF "\n"
           "< A 1 ack 1 tos 40\n! open\n"
           "send 10\n> PA 1:10 " EF "\n"
           "+3100\n> PA 1:10 " EF "\n"
           "< PA 1:5 ack 11\n! data 5\n> A 11 ack 6 " EF "\n"
           "< PA 20:5 ack 11\n> A 11 sack 20-25 " EF "\n"
           "< R 7\n> A 11 ack 6 " EF "\n"
           "close\n> FA 11 " EF "\n"
           "< FA 6 ack 12\n! fin\n! closed normal\n> A 12 ack 7 " EF "\n"
           "< FA 6 ack 12\n> A 12 ack 7 " EF "\n");
    script("and on RSTs, of a connection and of none",
           "set dscp 46\n" OPEN
           "abort\n! closed abort\n> RA 1 " EF "\n"
           "< A 1 ack 1\n> R 1 " EF "\n"
           "< F 1\n>.\n");
    script("and on SYN cookies",
           "set dscp 46\nset max_half_open 0\n"
           "< S 0 mss 1000 ts 5\n> SA 0 ack 1 " EF "\n"
           "< A 1 ack 1 ts 5\n! open\nsend 1\n> PA 1:1 " EF "\n");
    script("the default is that of best effort",
           "< S 0 mss 1000 " EF "\n> SA 0 ack 1 tos 0\n< A 1 ack 1 " EF "\n! open\n"
           "send 10\n> PA 1:10 tos 0\n");
    script("that of all is changed while connections are open (SHLD-21)",
           OPEN
           "send 10\n> PA 1:10 tos 0\n"
           "dscp-all 46\n"
           "+1300\n> PA 1:10 " EF "\n"
           "dscp-all 10\n"
           "< PA 1:5 ack 11\n! data 5\n> A 11 tos 40\n"
           "close\n> FA 11 tos 40\n"
           "< FA 6 ack 12\n! fin\n! closed normal\n> A 12 tos 40\n"
           "dscp-all 0\n"
           "< FA 6 ack 12\n> A 12 tos 0\n");
    script("a connection has its own, through TIME-WAIT",
           OPEN
           "dscp 46\n"
           "send 10\n> PA 1:10 " EF "\n"
           "dscp-all 10\n"
           "< PA 1:5 ack 11 tos 24\n! data 5\n> A 11 ack 6 " EF "\n"
           "close\n> FA 11 " EF "\n"
           "< FA 6 ack 12\n! fin\n! closed normal\n> A 12 ack 7 " EF "\n"
           "< FA 6 ack 12\n> A 12 ack 7 " EF "\n");
    script("also on its RST, and until it is given back",
           OPEN
           "dscp 46\nsend 10\n> PA 1:10 " EF "\n"
           "dscp 65\n< A 1 ack 11\nsend 10\n> PA 11:10 tos 0\n"
           "dscp 46\nabort\n! closed abort\n> RA 21 " EF "\n");
    FOR_EACH_VARIANT(v) {
        struct script *s = play_start(v, "set dscp 46\n" OPEN);

        is_int(play_info(s).dscp, 46, "it is shown (%s)", v->name);
        utcp_set_dscp(s->u, s->conn, 10);
        is_int(play_info(s).dscp, 10, "as the connection has it (%s)", v->name);
        play_end(s);
    }
}

TEST(mirror)
{
    script("mirrored: the DSCP of the client's latest segment, never its ECN bits (MAY-9)",
           "set dscp 64\n"
           "< S 0 mss 1000 " EF "\n> SA 0 ack 1 " EF "\n"
           "+1100\n> SA 0 ack 1 " EF "\n"
           "< A 1 ack 1 " EF "\n! open\nsend 10\n> PA 1:10 " EF "\n"
           "< PA 1:5 ack 11 tos 43\n! data 5\n> A 11 tos 40\n"
           "close\n> FA 11 tos 40\n"
           "< FA 6 ack 12 tos 8\n! fin\n! closed normal\n> A 12 tos 8\n"
           "< FA 6 ack 12 tos 12\n> A 12 tos 12\n");
    script("what is not acceptable changes nothing",
           "set dscp 64\n"
           "< S 0 mss 1000 " EF "\n> SA 0 ack 1\n< A 1 ack 1 " EF "\n! open\n"
           "< PA 500000:5 ack 1 tos 8\n> A 1 ack 1 " EF "\n"
           "< PA 1:5 ack 500000 tos 8\n> A 1 ack 1 " EF "\n"
           "< R 2 tos 8\n> A 1 ack 1 " EF "\n");
    script("a refusal has that of what it refuses",
           "set dscp 64\n< A 1 ack 1 " EF "\n> R 1 " EF "\n");
    script("a cookie that of its SYN",
           "set dscp 64\nset max_half_open 0\n"
           "< S 0 mss 1000 " EF "\n> SA 0 ack 1 " EF "\n< A 1 ack 1 tos 8\n! open\n"
           "send 1\n> PA 1:1 tos 8\n");
    script("a connection's own goes before",
           "set dscp 64\n"
           "< S 0 mss 1000 " EF "\n> SA 0 ack 1\n< A 1 ack 1 " EF "\n! open\n"
           "dscp 10\nsend 10\n> PA 1:10 tos 40\n"
           "< PA 1:5 ack 11 tos 8\n! data 5\n> A 11 tos 40\n"
           "dscp 65\n< PA 6:5 ack 11 tos 8\n! data 5\n> A 11 tos 8\n");
}

TEST(ecn_negotiation)
{
    script("an ECN-setup SYN gets an ECN-setup SYN-ACK, not ECT itself (RFC 3168 6.1.1)",
           "< SEC 0 mss 1000\n> SAE 0 ack 1 tos 0\n"
           "+1100\n> SAE 0 ack 1 tos 0\n"
           "< A 1 ack 1\n! open\nstat ecn_opened 1\n"
           "send 10\n> PA 1:10 " ECT0 "\n");
    script("what is no ECN-setup SYN gets none: ECE alone",
           "< SE 0 mss 1000\n> SA 0 ack 1\n< A 1 ack 1\n! open\nstat ecn_opened 0\n"
           "send 10\n> PA 1:10 tos 0\n");
    script("... CWR alone",
           "< SC 0 mss 1000\n> SA 0 ack 1\n< A 1 ack 1\n! open\n"
           "send 10\n> PA 1:10 tos 0\n");
    script("... neither",
           OPEN "send 10\n> PA 1:10 tos 0\n");
    script("a SYN that comes again without it takes it back",
           "< SEC 0 mss 1000\n> SAE 0 ack 1\n"
           "< S 0 mss 1000\n> SA 0 ack 1\n"
           "< SEC 0 mss 1000\n> SA 0 ack 1\n"
           "< A 1 ack 1\n! open\nstat ecn_opened 0\nsend 10\n> PA 1:10 tos 0\n");
    script("it can be turned off",
           "set ecn 0\n"
           "< SEC 0 mss 1000\n> SA 0 ack 1\n< A 1 ack 1\n! open\n"
           "< PAC 1:5 ack 1 " CE "\n! data 5\n> A 1 ack 6 tos 0\n"
           "send 10\n> PA 1:10 tos 0\n");
    script("without it marks and flags mean nothing",
           OPEN
           "send 1500\n> A 1:1000 tos 0\n> PA 1001:500 tos 0\n"
           "< PAEC 1:5 ack 1501 " CE "\n! data 5\n> A 1501 ack 6\n"
           "stat ecn_marked 0\nstat ecn_reductions 0\n"
           "send 10\n> PA 1501:10 tos 0\n");
    script("a SYN cookie remembers it in its timestamp, beside all other options",
           "set max_half_open 0\n"
           "< SEC 0 mss 1300 sackok ws 14 ts 5\n> SAE 0 ack 1 tos 0\n"
           "< A 1 ack 1 ts 5 win 100\n! open\nstat ecn_opened 1\n"
           "send 10\n> PA 1:10 " ECT0 "\n"
           "< PA 100:5 ack 11 ts 6\n> A 11 ack 1 sack 100-105\n");
    script("... and that there was no window scaling",
           "set max_half_open 0\n"
           "< SEC 0 mss 1300 ts 5\n> SAE 0 ack 1\n"
           "< A 1 ack 1 ts 5 win 20\n! open\nstat ecn_opened 1\n"
           "send 100\n> A 1:20 " ECT0 "\n");
    script("... and that ECN was not asked for",
           "set max_half_open 0\n"
           "< S 0 mss 1300 sackok ws 3 ts 5\n> SA 0 ack 1\n"
           "< A 1 ack 1 ts 5 win 100\n! open\nstat ecn_opened 0\n"
           "send 10\n> PA 1:10 tos 0\n");
    script("a SYN cookie without timestamps promises none",
           "set max_half_open 0\n"
           "< SEC 0 mss 1300\n> SA 0 ack 1\n"
           "< A 1 ack 1\n! open\nstat ecn_opened 0\nsend 10\n> PA 1:10 tos 0\n");
    script("a cookie that claims it while it is turned off is not believed",
           "set max_half_open 0\nset ecn 0\n"
           "< SEC 0 mss 1300 ts 5\n> SA 0 ack 1\n"
           "< A 1 ack 1 ts 5 ecr 4294967295\n! open\nstat ecn_opened 0\n");
    FOR_EACH_VARIANT(v) {
        struct script *s = play_start(v, OPEN_ECN);

        ok(play_info(s).ecn, "it is shown (%s)", v->name);
        play_end(s);
    }
}

TEST(ecn_ect)
{
    script("ECT is on new data only: not on what is sent again (6.1.5)",
           OPEN_ECN
           "send 10\n> PA 1:10 " ECT0 "\n"
           "+1300\n> PA 1:10 tos 0\n");
    script("... nor on a tail loss probe of old data; of new data it may be",
           "< SEC 0 mss 1000 sackok\n> SAE 0 ack 1\n+100\n< A 1 ack 1\n! open\n"
           "send 1500\n> A 1:1000 " ECT0 "\n> PA 1001:500 " ECT0 "\n"
           "+203\n> PA 1001:500 tos 0\nstat tail_probes 1\n");
    script("... nor on pure ACKs, FINs and RSTs (6.1.4)",
           OPEN_ECN
           "< PA 1:5 ack 1\n! data 5\n> A 1 ack 6 tos 0\n"
           "close\n> FA 1 tos 0\n"
           "abort\n! closed abort\n> RA 2 tos 0\n");
    script("... nor on window probes (6.1.6)",
           OPEN_ECN
           "< A 1 ack 1 win 0\nsend 10\n>.\n+1300\n> A 1:1 tos 0\nstat window_probes 1\n");
    script("... nor on keep-alive probes",
           "set keep_alive_us 10000000\n" OPEN_ECN
           "+10001\n> A 0 tos 0\n");
    script("with a DSCP, both are in the octet",
           "set dscp 46\n"
           "< SEC 0 mss 1000\n> SAE 0 ack 1 " EF "\n< A 1 ack 1\n! open\n"
           "send 10\n> PA 1:10 tos 186\n+1300\n> PA 1:10 " EF "\n");
}

TEST(ecn_receiver)
{
    script("a mark is echoed by every segment until a CWR comes (6.1.3)",
           OPEN_ECN
           "< A 1:5 ack 1 " ECT0 "\n! data 5\n> A 1 ack 6\n"
           "< A 6:5 ack 1 " CE "\n! data 5\n> AE 1 ack 11\nstat ecn_marked 1\n"
           "< A 11:5 ack 1 " ECT0 "\n! data 5\n> AE 1 ack 16\n"
           "< PA 100:5 ack 1\n> AE 1 sack 100-105\n"
           "send 10\n> PAE 1:10 ack 16\n"
           "< AC 16:5 ack 11 " ECT0 "\n! data 5\n> A 11 ack 21\n"
           "send 10\n> PA 11:10 ack 21\n");
    script("a CWR whose own segment is marked ends it and begins it",
           OPEN_ECN
           "< A 1:5 ack 1 " CE "\n! data 5\n> AE 1 ack 6\n"
           "< AC 6:5 ack 1 " CE "\n! data 5\n> AE 1 ack 11\n"
           "< AC 11:5 ack 1 " ECT0 "\n! data 5\n> A 1 ack 16\n");
    script("one of several segments of a turn is marked",
           OPEN_ECN
           "< A 1:5 ack 1 " ECT0 "\n< A 6:5 ack 1 " CE "\n< A 11:5 ack 1 " ECT0 "\n"
           "! data 5\n! data 5\n! data 5\n> AE 1 ack 16\n>.\n");
    script("out of order it counts as well",
           OPEN_ECN "< A 100:5 ack 1 " CE "\n> AE 1 ack 1 sack 100-105\n");
    script("marks on pure ACKs, and outside of the window, count for nothing (6.1.4, 6.1.5)",
           OPEN_ECN
           "< A 1 ack 1 " CE "\n>.\n"
           "< PA 500000:5 ack 1 " CE "\n> A 1 ack 1\n"
           "< PA -10:5 ack 1 " CE "\n> A 1 ack 1\n"
           "< PA 1:5 ack 77 " CE "\n> A 1 ack 1\n"
           "stat ecn_marked 0\n"
           "< PA 1:5 ack 1 " ECT0 "\n! data 5\n> A 1 ack 6\n");
    script("a CWR outside of the window ends nothing",
           OPEN_ECN
           "< A 1:5 ack 1 " CE "\n! data 5\n> AE 1 ack 6\n"
           "< PAC 500000:5 ack 1\n> AE 1 ack 6\n"
           "< PAC 6:5 ack 77\n> AE 1 ack 6\n");
}

TEST(ecn_sender)
{
    script("an ECE halves the window, once per round trip, and the next new data has CWR (6.1.2)",
           OPEN_ECN
           "send 30000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> A 3001:1000\n> A 4001:1000\n"
           "> A 5001:1000\n> A 6001:1000\n> A 7001:1000\n> A 8001:1000\n> A 9001:1000\n>.\n"
           "# Ten in flight: five are left.\n"
           "< AE 1 ack 1001\nstat ecn_reductions 1\n>.\n"
           "< AE 1 ack 2001\n< AE 1 ack 3001\n< AE 1 ack 4001\n< AE 1 ack 5001\n>.\n"
           "< AE 1 ack 6001\n> AC 10001:1000 " ECT0 "\n>.\n"
           "< AE 1 ack 7001\n> A 11001:1000 " ECT0 "\n"
           "< AE 1 ack 8001\n> A 12001:1000\n< AE 1 ack 9001\n> A 13001:1000\n"
           "< AE 1 ack 10001\n> A 14001:1000\n>.\n"
           "stat ecn_reductions 1\n"
           "# The CWR has been seen, and later data was marked: the next round trip.\n"
           "< A 1 ack 11001\n> A 15001:1000\n"
           "< AE 1 ack 12001\nstat ecn_reductions 2\n>.\n");
    script("an ECE that goes on after the CWR was acknowledged is a new one",
           OPEN_ECN
           "send 4000\n> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> PA 3001:1000\n"
           "< AE 1 ack 4001\nstat ecn_reductions 1\n"
           "send 2000\n> AC 4001:1000\n> PA 5001:1000\n"
           "< AE 1 ack 5001\nstat ecn_reductions 2\n"
           "send 10\n> PAC 6001:10\n");
    script("an ECE with nothing in flight is none; CWR waits for new data",
           OPEN_ECN
           "< AE 1 ack 1\nstat ecn_reductions 0\n"
           "send 10\n> PA 1:10\n< AE 1 ack 11\nstat ecn_reductions 1\n"
           "+1000\n< PA 1:5 ack 11\n! data 5\n> A 11 ack 6 tos 0\n"
           "send 10\n> PAC 11:10\n< A 6 ack 21\nsend 10\n> PA 21:10\n");
    script("a loss in the same round trip does not halve it again, and is told by the same CWR",
           OPEN_ECN
           "send 30000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> A 3001:1000\n> A 4001:1000\n"
           "> A 5001:1000\n> A 6001:1000\n> A 7001:1000\n> A 8001:1000\n> A 9001:1000\n>.\n"
           "< AE 1 ack 1001\nstat ecn_reductions 1\n"
           "< AE 1 ack 1001 sack 2001-5001\n> A 1001:1000 tos 0\nstat fast_retransmits 1\n"
           "< AE 1 ack 5001\n< AE 1 ack 9001\n"
           "> AC 10001:1000 " ECT0 "\n"
           "stat ecn_reductions 1\n");
    FOR_EACH_VARIANT(v) {
        struct script *s = play_start(v, OPEN_ECN "send 30000\n");
        struct utcp_segment out[64];

        play_drain(s, out, 64);
        play(s, v, "< AE 1 ack 1001\n< AE 1 ack 1001 sack 2001-5001\n> A 1001:1000\n");
        is_int(utcp_stats(s->u)->fast_retransmits, 1, "a recovery after an ECE (%s)", v->name);
        is_int(play_info(s).ssthresh, 5000, "leaves ssthresh as it was (%s)", v->name);
        play_end(s);
    }
    script("a loss is told by CWR as well (6.1.2)",
           OPEN_ECN
           "send 30000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> A 3001:1000\n> A 4001:1000\n"
           "> A 5001:1000\n> A 6001:1000\n> A 7001:1000\n> A 8001:1000\n> A 9001:1000\n>.\n"
           "< A 1 ack 1 sack 1001-5001\n> A 1:1000 tos 0\n"
           "< A 1 ack 10001\n> AC 10001:1000 " ECT0 "\n> A 11001:1000 " ECT0 "\n");
    script("and so is a time-out",
           OPEN_ECN
           "send 10\n> PA 1:10 " ECT0 "\n+1300\n> PA 1:10 tos 0\n"
           "< A 1 ack 11\nsend 10\n> PAC 11:10 " ECT0 "\n< A 1 ack 21\n"
           "send 10\n> PA 21:10 " ECT0 "\n");
    FOR_EACH_VARIANT(v) {
        struct script *s = play_start(v, OPEN_ECN "send 30000\n");
        struct utcp_segment out[64];
        uint32_t una = s->iss + 1, cwnd = play_info(s).cwnd, least = cwnd;

        play_drain(s, out, 64);
        play_inject(s, (struct wire_tcp) {
            .flags = TCP_ACK | TCP_ECE, .seq = s->isn + 1, .ack = una + 1000 }, 0);
        is_int(play_info(s).cwnd, cwnd / 2, "to the half (%s)", v->name);
        is_int(play_info(s).ssthresh, cwnd / 2, "and ssthresh with it (%s)", v->name);
        for (int i = 0; i < 200; i++) {
            script_send(s, 1000);

            unsigned int n = play_drain(s, out, 64);

            una = n ? out[n - 1].tcp.seq + out[n - 1].tcp.payload.n : una;
            script_pass_time(s, 10 * CLOCK_MSEC);
            play_inject(s, (struct wire_tcp) {
                .flags = TCP_ACK | TCP_ECE, .seq = s->isn + 1, .ack = una }, 0);
            least = play_info(s).cwnd < least ? play_info(s).cwnd : least;
        }
        ok(least >= 1000 && utcp_stats(s->u)->ecn_reductions > 50,
           "marks for ever leave a segment at least (%s)", v->name);
        play_end(s);

        s = play_start(v, OPEN_ECN "send 10\n> PA 1:10\n+1300\n> PA 1:10\n");
        cwnd = play_info(s).cwnd;
        is_int(cwnd, 1000, "after a time-out it is one segment (%s)", v->name);
        play(s, v, "< AE 1 ack 11\n");
        ok(play_info(s).cwnd == cwnd, "an ECE neither raises nor lowers it (%s)", v->name);
        play_end(s);
    }
}

int
main(void)
{
    RUN(dscp);
    RUN(mirror);
    RUN(ecn_negotiation);
    RUN(ecn_ect);
    RUN(ecn_receiver);
    RUN(ecn_sender);
    return done_testing();
}
