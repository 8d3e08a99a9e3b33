/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Loss of what we send: time-out and back-off, Karn, fast retransmit with and without SACK, RACK,
 * tail loss probe, reneging, R2, path MTU. */
#include "unit/utcp-script.h"

/* The round trip of the handshake takes 100 ms: RTO 300 ms (100 + max(200, 4 * 50)). */
#define OPEN(OPTIONS)                           \
    "< S 0 mss 1000 " OPTIONS "\n"              \
    "> SA 0 ack 1\n"                            \
    "+100\n"                                    \
    "< A 1 ack 1\n"                             \
    "! open\n"
#define OPEN_TS                                 \
    "< S 0 mss 1012 sackok ts 1000\n"           \
    "> SA 0 ack 1\n"                            \
    "+100\n"                                    \
    "< A 1 ack 1 ts 1100\n"                     \
    "! open\n"

TEST(timeout)
{
    script("nothing answers: RTO, doubled each time up to 60 s, then R2 (MUST-20, SHLD-9..11)",
           "set r2_us 100000000\n"
           OPEN("")
           "send 10\n"
           "> PA 1:10\n"
           "+299\n"
           ">.\n"
           "+3\n"
           "> PA 1:10\n"
           "+600\n"
           "> PA 1:10\n"
           "+1200\n"
           "> PA 1:10\n"
           "!.\n"
           "+2400\n"
           "! r1\n"
           "> PA 1:10\n"
           "+4800\n"
           "> PA 1:10\n"
           "+9600\n"
           "> PA 1:10\n"
           "+19200\n"
           "> PA 1:10\n"
           "+38400\n"
           "> PA 1:10\n"
           "stat timeouts 8\n"
           "+60000\n"
           "! closed timeout\n"
           ">.\n"
           "stat timed_out 1\n");
    script("after a time-out everything is sent again in slow start, small segments joined",
           OPEN("")
           "send 300\n"
           "> PA 1:300\n"
           "send 300\n"
           "> PA 301:300\n"
           "send 300\n"
           "> PA 601:300\n"
           "send 300\n"
           "> PA 901:300\n"
           "+302\n"
           "> A 1:900\n"
           ">.\n"
           "< A 1 ack 901\n"
           "> PA 901:300\n"
           "< A 1 ack 1201\n"
           ">.\n");
    script("Karn: an ACK of something sent twice gives no sample (MUST-18)",
           OPEN("")
           "send 10\n"
           "> PA 1:10\n"
           "+302\n"
           "> PA 1:10\n"
           "+500\n"
           "< A 1 ack 11\n"
           "send 10\n"
           "> PA 11:10\n"
           "+299\n"
           ">.\n"
           "+3\n"
           "> PA 11:10\n");
    script("RFC 6298: srtt and rttvar from samples",
           OPEN("")
           "send 10\n"
           "> PA 1:10\n"
           "+200\n"
           "< A 1 ack 11\n"
           "# srtt 112.5 ms, rttvar 62.5 ms: RTO 362.5 ms.\n"
           "send 10\n"
           "> PA 11:10\n"
           "+361\n"
           ">.\n"
           "+3\n"
           "> PA 11:10\n");
    script("a lost SYN-ACK: one segment at first, RTO 3 s (RFC 5681 3.1, RFC 6298 5.7)",
           "< S 0 mss 1000\n"
           "> SA 0 ack 1\n"
           "+1001\n"
           "> SA 0 ack 1\n"
           "< A 1 ack 1\n"
           "! open\n"
           "send 2000\n"
           "> A 1:1000\n"
           ">.\n"
           "+2998\n"
           ">.\n"
           "+3\n"
           "> A 1:1000\n");
    script("the timer starts anew with each ACK of new data (RFC 6298 5.3)",
           OPEN("")
           "send 2000\n"
           "> A 1:1000\n"
           "> PA 1001:1000\n"
           "+250\n"
           "< A 1 ack 1001\n"
           "+300\n"
           ">.\n"
           "+120\n"
           "> PA 1001:1000\n");
}

TEST(newreno)
{
    script("three duplicate ACKs, limited transmit, partial ACK (RFC 5681, 3042, 6582)",
           OPEN("")
           "send 10000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> A 3001:1000\n> A 4001:1000\n"
           "> A 5001:1000\n> A 6001:1000\n> A 7001:1000\n> A 8001:1000\n> PA 9001:1000\n"
           "send 3000\n"
           ">.\n"
           "# The first and the fifth are lost.\n"
           "< A 1 ack 1\n"
           "> A 10001:1000\n"
           "< A 1 ack 1\n"
           "> A 11001:1000\n"
           ">.\n"
           "< A 1 ack 1\n"
           "> A 1:1000\n"
           ">.\n"
           "stat fast_retransmits 1\n"
           "< A 1 ack 1\n"
           "< A 1 ack 1\n"
           "< A 1 ack 1\n"
           "< A 1 ack 1\n"
           "< A 1 ack 1\n"
           "< A 1 ack 4001\n"
           "> A 4001:1000\n"
           "stat timeouts 0\n"
           "< A 1 ack 12001\n"
           "> PA 12001:1000\n"
           "< A 1 ack 13001\n"
           ">.\n"
           "stat retransmitted 2\n"
           "stat timeouts 0\n");
    script("two duplicate ACKs are no loss",
           OPEN("")
           "send 4000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> PA 3001:1000\n"
           "< A 1 ack 1\n"
           "< A 1 ack 1\n"
           "< A 1 ack 4001\n"
           ">.\n"
           "stat retransmitted 0\n");
    script("a window update is no duplicate ACK",
           OPEN("")
           "send 4000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> PA 3001:1000\n"
           "< A 1 ack 1 win 60000\n"
           "< A 1 ack 1 win 60001\n"
           "< A 1 ack 1 win 60002\n"
           "< A 1 ack 1 win 60003\n"
           ">.\n"
           "stat retransmitted 0\n");
    script("data is no duplicate ACK",
           OPEN("")
           "send 4000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> PA 3001:1000\n"
           "< A 1:1 ack 1\n! data 1\n"
           "< A 2:1 ack 1\n! data 1\n"
           "< A 3:1 ack 1\n! data 1\n"
           "> A 4001 ack 4\n"
           ">.\n"
           "stat retransmitted 0\n");
}

TEST(sack)
{
    script("holes that SACK shows are filled, each once, without time-out",
           OPEN("sackok")
           "send 10000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> A 3001:1000\n> A 4001:1000\n"
           "> A 5001:1000\n> A 6001:1000\n> A 7001:1000\n> A 8001:1000\n> PA 9001:1000\n"
           "+100\n"
           "# 1, 3 and 5 are lost.\n"
           "< A 1 ack 1 sack 1001-2001\n"
           "< A 1 ack 1 sack 3001-4001,1001-2001\n"
           "< A 1 ack 1 sack 5001-6001,3001-4001,1001-2001\n"
           "> A 1:1000\n"
           "< A 1 ack 1 sack 5001-7001,3001-4001,1001-2001\n"
           "< A 1 ack 1 sack 5001-8001,3001-4001,1001-2001\n"
           "> A 2001:1000\n"
           "< A 1 ack 1 sack 5001-9001,3001-4001,1001-2001\n"
           "< A 1 ack 1 sack 5001-10001,3001-4001,1001-2001\n"
           "> A 4001:1000\n"
           ">.\n"
           "+100\n"
           "< A 1 ack 2001 sack 5001-10001,3001-4001\n"
           "< A 1 ack 4001 sack 5001-10001\n"
           "< A 1 ack 10001\n"
           ">.\n"
           "stat retransmitted 3\n"
           "stat fast_retransmits 1\n"
           "stat timeouts 0\n");
    script("a retransmission that is lost is noticed without time-out (RACK)",
           OPEN_TS
           "send 20000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> A 3001:1000\n> A 4001:1000\n"
           "> A 5001:1000\n> A 6001:1000\n> A 7001:1000\n> A 8001:1000\n> A 9001:1000\n"
           "+100\n"
           "< A 1 ack 1 ts 1200 sack 1001-5001\n"
           "> A 1:1000\n"
           ">.\n"
           "+100\n"
           "< A 1 ack 1 ts 1300 sack 1001-10001\n"
           "> A 10001:1000\n> A 11001:1000\n> A 12001:1000\n> A 13001:1000\n"
           ">.\n"
           "+100\n"
           "# These were sent after the retransmission and have arrived.\n"
           "< A 1 ack 1 ts 1400 sack 1001-14001\n"
           "> A 1:1000\n"
           "stat timeouts 0\n");
    script("reordering is seen, and then waited for (RACK)",
           OPEN("sackok")
           "send 4000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> PA 3001:1000\n"
           "+100\n"
           "< A 1 ack 1 sack 1001-2001\n"
           ">.\n"
           "+5\n"
           "< A 1 ack 2001\n"
           "< A 1 ack 4001\n"
           "stat retransmitted 0\n"
           "# Now three SACKed segments are no proof any more.\n"
           "send 4000\n"
           "> A 4001:1000\n> A 5001:1000\n> A 6001:1000\n> PA 7001:1000\n"
           "+100\n"
           "< A 1 ack 4001 sack 5001-8001\n"
           ">.\n"
           "+10\n"
           "< A 1 ack 8001\n"
           ">.\n"
           "stat retransmitted 0\n");
    script("the reordering window runs out by the clock",
           OPEN("sackok")
           "send 2000\n"
           "> A 1:1000\n> PA 1001:1000\n"
           "+100\n"
           "< A 1 ack 1 sack 1001-2001\n"
           ">.\n"
           "+24\n"
           ">.\n"
           "+3\n"
           "> A 1:1000\n"
           "stat timeouts 0\n");
    script("reneging: what was SACKed and thrown away is sent again (RFC 2018 section 8)",
           OPEN("sackok")
           "send 4000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> PA 3001:1000\n"
           "+100\n"
           "< A 1 ack 1 sack 1001-4001\n"
           "> A 1:1000\n"
           "+100\n"
           "< A 1 ack 1001\n"
           ">.\n"
           "+2000\n"
           "> A 1001:1000\n"
           ">.\n"
           "< A 1 ack 2001\n"
           "> A 2001:1000\n"
           "> PA 3001:1000\n"
           "< A 1 ack 4001\n"
           ">.\n");
    script("SACK blocks that make no sense are ignored",
           OPEN("sackok")
           "send 4000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> PA 3001:1000\n"
           "< A 1 ack 1 sack 4001-9001\n"
           "< A 1 ack 1 sack 3001-2001\n"
           "< A 1 ack 1 sack -500-1001\n"
           "< A 1 ack 1 sack 1100-1900\n"
           ">.\n"
           "stat retransmitted 0\n");
}

TEST(dsack)
{
    script("a retransmission that was needless is reported by DSACK, and RACK waits longer",
           OPEN("sackok")
           "send 4000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> PA 3001:1000\n"
           "+100\n"
           "# The first is late by more than RACK has patience at first.\n"
           "< A 1 ack 1 sack 1001-4001\n"
           "> A 1:1000\n"
           "+10\n"
           "< A 1 ack 4001\n"
           "+90\n"
           "< A 1 ack 4001 sack 1-1001\n"
           "send 2000\n"
           "> A 4001:1000\n> PA 5001:1000\n"
           "+100\n"
           "< A 1 ack 4001 sack 5001-6001\n"
           "# A quarter of the round trip before; now half of it.\n"
           "+45\n"
           ">.\n"
           "+10\n"
           "> A 4001:1000\n"
           "stat timeouts 0\n");
}

TEST(tail_probe)
{
    script("the last of several segments is lost: a probe after two round trips (RFC 8985 7)",
           OPEN_TS
           "send 3000\n"
           "> A 1:1000\n> A 1001:1000\n> PA 2001:1000\n"
           "+100\n"
           "< A 1 ack 2001 ts 1200\n"
           "# One is in flight, so its ACK may be delayed and the RTO comes first.  Not with two.\n"
           "send 10\n"
           "> PA 3001:10\n"
           "+203\n"
           "> PA 3001:10\n"
           "stat tail_probes 1\n"
           "stat timeouts 0\n"
           "+100\n"
           "< A 1 ack 2001 ts 1400 sack 3001-3011\n"
           "+30\n"
           "> A 2001:1000\n"
           "stat timeouts 0\n"
           "< A 1 ack 3011 ts 1500\n"
           ">.\n");
    script("a probe is new data where there is some, beyond cwnd (RFC 8985 7.3)",
           OPEN_TS
           "send 20000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> A 3001:1000\n> A 4001:1000\n"
           "> A 5001:1000\n> A 6001:1000\n> A 7001:1000\n> A 8001:1000\n> A 9001:1000\n"
           ">.\n"
           "+203\n"
           "> A 10001:1000\n"
           ">.\n"
           "stat tail_probes 1\n"
           "stat retransmitted 0\n");
    script("a probe that repaired the only loss costs the window its half",
           OPEN_TS
           "send 2000\n"
           "> A 1:1000\n> PA 1001:1000\n"
           "+100\n"
           "< A 1 ack 1 ts 1200\n"
           "+103\n"
           "> PA 1001:1000\n"
           "stat tail_probes 1\n"
           "< A 1 ack 2001 ts 1300\n"
           ">.\n");
}

#define NARROW(LEN1, REST1)                                     \
    "< S 0 mss 1400 sackok\n"                                   \
    "> SA 0 ack 1\n"                                            \
    "+100\n"                                                    \
    "< A 1 ack 1\n"                                             \
    "! open\n"                                                  \
    "send 2800\n"                                               \
    "> A 1:1400\n"                                              \
    "> PA 1401:1400\n"                                          \
    "icmp big 1 " LEN1 "\n"                                     \
    "stat icmp_pmtu 1\n" REST1

/* The first of two segments was too large, and one of its two pieces is lost again. */
#define NARROW_AND_LOSSY(FIRST, REST)                   \
    "< S 0 mss 1400 sackok ts 1000\n"                   \
    "> SA 0 ack 1\n"                                    \
    "+100\n"                                            \
    "< A 1 ack 1 ts 1100\n"                             \
    "! open\n"                                          \
    "send 1800\n"                                       \
    "> A 1:1388\n> PA 1389:412\n"                       \
    "+1\n"                                              \
    "icmp big 1 1300\n"                                 \
    FIRST REST                                          \
    "+150\n"                                            \
    "< A 1 ack 1 ts 1100 sack 1389-1801\n"              \
    "+149\n"                                            \
    ">.\n"                                              \
    "+3\n"                                              \
    FIRST                                               \
    "stat tail_probes 0\n"                              \
    "stat timeouts 1\n"

TEST(timer_after_probe_timer)
{
    const char *name = "a SACK in place of the tail probe does not put the RTO off (RFC 6298 5)";

    script_family(name, NARROW_AND_LOSSY("> A 1:1248\n", "> A 1249:140\n"), false);
    script_family(name, NARROW_AND_LOSSY("> A 1:1228\n", "> A 1229:160\n"), true);
}

TEST(path_mtu)
{
    /* What was too large goes again in smaller pieces, and that is no sign of congestion. */
    script_family("fragmentation needed (SHLD-6)",
                  NARROW("1300", "> A 1:1260\n> A 1261:140\n> A 1401:1260\n> PA 2661:140\n>.\n"
                         "stat timeouts 0\nstat fast_retransmits 0\n"
                         "< A 1 ack 2801\nsend 2000\n> A 2801:1260\n> PA 4061:740\n"), false);
    script_family("packet too big (SHLD-6)",
                  NARROW("1300", "> A 1:1240\n> A 1241:160\n> A 1401:1240\n> PA 2641:160\n>.\n"),
                  true);
    script_family("a router that does not tell: the next plateau (RFC 1191 section 7)",
                  NARROW("0", "> A 1:966\n> A 967:434\n> A 1401:966\n> PA 2367:434\n>.\n"), false);
    script_family("the MTU does not fall below 552 (RFC 5927)",
                  NARROW("68", "> A 1:512\n> A 513:512\n> A 1025:376\n"), false);
    script_family("nor below 1280 for IPv6",
                  NARROW("600", "> A 1:1220\n> A 1221:180\n> A 1401:1220\n"), true);
    script("one that is not smaller changes nothing",
           OPEN("sackok")
           "send 500\n"
           "> PA 1:500\n"
           "icmp big 1 1400\n"
           "stat icmp_pmtu 0\n"
           ">.\n");
    script("ICMP about what is not in flight is ignored (RFC 5927)",
           OPEN("sackok")
           "send 1000\n"
           "> PA 1:1000\n"
           "icmp big 5000 600\n"
           "icmp big 0 600\n"
           "icmp soft 1001\n"
           "stat icmp_ignored 3\n"
           "stat icmp_pmtu 0\n"
           ">.\n");
    script("no ICMP error ends a connection",
           OPEN("sackok")
           "send 1000\n"
           "> PA 1:1000\n"
           "icmp hard 1\n"
           "icmp soft 1\n"
           "stat icmp_soft 2\n"
           "state ESTABLISHED\n"
           "!.\n");
}

int
main(void)
{
    RUN(timeout);
    RUN(newreno);
    RUN(sack);
    RUN(dsack);
    RUN(tail_probe);
    RUN(timer_after_probe_timer);
    RUN(path_mtu);
    return done_testing();
}
