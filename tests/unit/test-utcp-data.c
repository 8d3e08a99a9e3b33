/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Data both ways without loss of what we send: ACK policy, segmentation, reassembly and SACK
 * blocks, windows of both sides, urgent data, keep-alive. */
#include "unit/utcp-script.h"

#define OPEN_SACK                               \
    "< S 0 mss 1000 sackok\n"                   \
    "> SA 0 ack 1\n"                            \
    "< A 1 ack 1\n"                             \
    "! open\n"
#define OPEN_PLAIN                              \
    "< S 0 mss 1000\n"                          \
    "> SA 0 ack 1\n"                            \
    "< A 1 ack 1\n"                             \
    "! open\n"

TEST(acks)
{
    script("one ACK for everything that came in a turn (MUST-58, MUST-59)",
           OPEN_SACK
           "< A 1:1000 ack 1\n"
           "! data 1000\n"
           "< A 1001:1000 ack 1\n"
           "! data 1000\n"
           "< PA 2001:10 ack 1\n"
           "! data 10\n"
           "> A 1 ack 2011\n"
           ">.\n"
           "stat acks_out 1\n");
    script("a small segment is answered at once, without a timer",
           OPEN_SACK
           "< PA 1:2 ack 1\n"
           "! data 2\n"
           "> A 1 ack 3\n"
           "+1000\n"
           ">.\n");
    script("data of the same turn carries the ACK",
           OPEN_SACK
           "< PA 1:2 ack 1\n"
           "! data 2\n"
           "send 4\n"
           "> PA 1:4 ack 3\n"
           ">.\n"
           "stat acks_out 0\n");
    script("a pure ACK is not answered",
           OPEN_SACK
           "send 4\n"
           "> PA 1:4\n"
           "< A 1 ack 5\n"
           ">.\n");
    script("a duplicate segment is answered, with DSACK (RFC 2883)",
           OPEN_SACK
           "< PA 1:10 ack 1\n"
           "! data 10\n"
           "> A 1 ack 11\n"
           "< PA 1:10 ack 1\n"
           "drop out_of_window\n"
           "> A 1 ack 11 sack 1-11\n"
           ">.\n"
           "stat duplicates 1\n");
    script("a peer without SACK gets a duplicate ACK for each segment out of order, up to three",
           OPEN_PLAIN
           "< A 1001:1000 ack 1\n"
           "< A 2001:1000 ack 1\n"
           "< A 3001:1000 ack 1\n"
           "< A 4001:1000 ack 1\n"
           "> A 1 ack 1 nosack\n"
           "> A 1 ack 1 nosack\n"
           "> A 1 ack 1 nosack\n"
           ">.\n");
    script("what is out of order, and what follows in that turn, gets an ACK each, three at most",
           OPEN_SACK
           "< A 1001:1000 ack 1\n"
           "< A 2001:1000 ack 1\n"
           "> A 1 ack 1 sack 1001-3001\n"
           "> A 1 ack 1 sack 1001-3001\n"
           ">.\n"
           "< A 1:1000 ack 1\n"         /* Fills the gap. */
           "< A 3001:1000 ack 1\n"
           "! data 1000\n! data 2000\n! data 1000\n"
           "> A 1 ack 4001 nosack\n"
           "> A 1 ack 4001 nosack\n"
           ">.\n"
           "< A 5001:1000 ack 1\n"
           "< A 6001:1000 ack 1\n"
           "< A 7001:1000 ack 1\n"
           "< A 8001:1000 ack 1\n"
           "> A 1 ack 4001\n"
           "> A 1 ack 4001\n"
           "> A 1 ack 4001\n"
           ">.\n"
           "< A 4001:1000 ack 1\n"
           "! data 1000\n! data 2000\n! data 2000\n"
           "> A 1 ack 9001\n"
           ">.\n"
           "< A 9001:1000 ack 1\n"      /* Order is back: one for all. */
           "< A 10001:1000 ack 1\n"
           "! data 1000\n! data 1000\n"
           "> A 1 ack 11001\n"
           ">.\n");
    script("each duplicate of a turn is reported (RFC 2883), the latest beyond three",
           OPEN_SACK
           "< A 1:1000 ack 1\n"
           "! data 1000\n"
           "> A 1 ack 1001\n"
           "< A 1:100 ack 1\n"
           "< A 101:100 ack 1\n"
           "< A 201:100 ack 1\n"
           "< A 301:100 ack 1\n"
           "> A 1 ack 1001 sack 1-101\n"
           "> A 1 ack 1001 sack 101-201\n"
           "> A 1 ack 1001 sack 301-401\n"
           ">.\n");
}

TEST(segmentation)
{
    script("everything of one turn leaves in full segments, PSH on the last (MUST-60, MUST-61)",
           OPEN_SACK
           "send 600\n"
           "send 900\n"
           "send 1000\n"
           "send 7\n"
           "> A 1:1000\n"
           "> A 1001:1000\n"
           "> PA 2001:507\n"
           ">.\n");
    script("timestamps and SACK blocks take their room from the segment (MUST-16)",
           "< S 0 mss 1000 sackok ts 7\n"
           "> SA 0 ack 1 ecr 7\n"
           "< A 1 ack 1 ts 8\n"
           "! open\n"
           "send 2500\n"
           "> A 1:988 ecr 8\n"
           "> A 989:988\n"
           "> PA 1977:524\n"
           "< A 1 ack 2501 ts 9\n"
           "< A 11:10 ack 2501 ts 10\n"
           "send 1000\n"
           "> A 2501:976 ack 1 sack 11-21\n"
           "> PA 3477:24 ack 1 sack 11-21\n");
    script("no MSS option: 536, or 1220 for IPv6 (MUST-15)",
           "< S 0\n"
           "> SA 0 ack 1\n"
           "< A 1 ack 1\n"
           "! open\n"
           "send 100\n"
           "> PA 1:100\n");
    script("a tiny MSS is not believed",
           "< S 0 mss 1\n"
           "> SA 0 ack 1\n"
           "< A 1 ack 1\n"
           "! open\n"
           "send 100\n"
           "> A 1:88\n"
           "> PA 89:12\n");
    script("the initial window is ten segments (RFC 6928)",
           OPEN_SACK
           "send 11000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> A 3001:1000\n> A 4001:1000\n"
           "> A 5001:1000\n> A 6001:1000\n> A 7001:1000\n> A 8001:1000\n> A 9001:1000\n"
           ">.\n"
           "< A 1 ack 2001\n"
           "> PA 10001:1000\n"
           ">.\n");
    script("slow start: each ACK lets out what it acknowledges and as much again",
           OPEN_SACK
           "send 30000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> A 3001:1000\n> A 4001:1000\n"
           "> A 5001:1000\n> A 6001:1000\n> A 7001:1000\n> A 8001:1000\n> A 9001:1000\n"
           ">.\n"
           "< A 1 ack 2001\n"
           "> A 10001:1000\n> A 11001:1000\n> A 12001:1000\n> A 13001:1000\n"
           ">.\n");
    script("an idle connection starts again with the initial window (RFC 5681 4.1)",
           OPEN_SACK
           "send 10000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> A 3001:1000\n> A 4001:1000\n"
           "> A 5001:1000\n> A 6001:1000\n> A 7001:1000\n> A 8001:1000\n> PA 9001:1000\n"
           "< A 1 ack 10001\n"
           "send 1000\n"
           "> PA 10001:1000\n"
           "< A 1 ack 11001\n"
           "+5000\n"
           "send 12000\n"
           "> A 11001:1000\n> A 12001:1000\n> A 13001:1000\n> A 14001:1000\n> A 15001:1000\n"
           "> A 16001:1000\n> A 17001:1000\n> A 18001:1000\n> A 19001:1000\n> A 20001:1000\n"
           ">.\n");
}

TEST(reassembly)
{
    script("islands are reported latest first (RFC 2018 section 4) and delivered in order",
           OPEN_SACK
           "< A 11:10 ack 1\n"
           "> A 1 ack 1 sack 11-21\n"
           "< A 31:10 ack 1\n"
           "> A 1 ack 1 sack 31-41,11-21\n"
           "< A 51:10 ack 1\n"
           "> A 1 ack 1 sack 51-61,31-41,11-21\n"
           "< A 21:10 ack 1\n"
           "> A 1 ack 1 sack 11-41,51-61\n"
           "< A 1:10 ack 1\n"
           "! data 10\n! data 30\n"
           "> A 1 ack 41 sack 51-61\n"
           "< A 41:10 ack 1\n"
           "! data 10\n! data 10\n"
           "> A 1 ack 61 nosack\n"
           "stat bytes_in 60\n");
    script("with timestamps there is room for three blocks",
           "< S 0 mss 1000 sackok ts 1\n"
           "> SA 0 ack 1\n"
           "< A 1 ack 1 ts 1\n"
           "! open\n"
           "< A 11:10 ack 1 ts 1\n"
           "< A 31:10 ack 1 ts 1\n"
           "< A 51:10 ack 1 ts 1\n"
           "< A 71:10 ack 1 ts 1\n"
           "> A 1 ack 1 sack 71-81,51-61,31-41\n");
    script("overlaps: what came first stays, only what is new is taken",
           OPEN_SACK
           "< A 11:10 ack 1\n"
           "< A 31:10 ack 1\n"
           "< A 6:40 ack 1\n"
           "> A 1 ack 1 sack 6-46\n"
           "< A 1:10 ack 1\n"
           "! data 10\n! data 35\n"
           "> A 1 ack 46\n"
           "stat bytes_in 45\n");
    script("a segment that begins before what is expected is trimmed",
           OPEN_SACK
           "< A 1:10 ack 1\n"
           "! data 10\n"
           "> A 1 ack 11\n"
           "< A 5:10 ack 1\n"
           "! data 4\n"
           "> A 1 ack 15 sack 5-11\n");
    script("a duplicate out of order is reported as such",
           OPEN_SACK
           "< A 11:10 ack 1\n"
           "> A 1 ack 1 sack 11-21\n"
           "< A 11:10 ack 1\n"
           "> A 1 ack 1 sack 11-21,11-21\n"
           "stat duplicates 1\n");
    script("what is beyond the window is cut off",
           "set rcv_wnd_initial 3000\n"
           "set rcv_wnd_max 3000\n"
           OPEN_SACK
           "< A 2001:2000 ack 1\n"
           "> A 1 ack 1 sack 2001-3001\n"
           "< A 3001:10 ack 1\n"
           "drop out_of_window\n"
           "> A 1 ack 1\n");
    script("urgent data is taken in line, whatever the pointer says (MUST-30, MUST-31)",
           OPEN_SACK
           "< UPA 1:10 ack 1 urg 5\n"
           "! data 10\n"
           "< UPA 11:10 ack 1 urg 60000\n"
           "! data 10\n"
           "< UA 21 ack 1 urg 0\n"
           "> A 1 ack 21\n");
}

/* A peer that sends single bytes out of order costs a bounded amount of memory. */
TEST(one_byte_islands)
{
    struct script *s = calloc(1, sizeof *s);
    struct utcp_info info;
    struct utcp_memory before, after;
    uint32_t kept;

    utcp_config_default(&s->cfg);
    s->cfg.rcv_wnd_initial = 65535;

    static const char *const open_text[] = { "S 0 mss 1000 sackok", "SA 0 ack 1", "A 1 ack 1" };
    char line[64];

    script_start(s, &script_variants[0]);
    snprintf(line, sizeof line, "%s", open_text[0]);
    script_in(s, line);
    snprintf(line, sizeof line, "%s", open_text[1]);
    script_out(s, line);
    snprintf(line, sizeof line, "%s", open_text[2]);
    script_in(s, line);
    snprintf(line, sizeof line, "A 60000:1 ack 1");
    script_in(s, line);
    utcp_memory(s->u, &before);
    for (int i = 0; i < 30000; i++) {
        snprintf(line, sizeof line, "A %d:1 ack 1", 3 + 2 * i);
        script_in(s, line);
    }
    utcp_info(s->u, s->conn, &info);
    utcp_memory(s->u, &after);
    kept = info.rcv_buffered;
    ok(kept > 0 && kept <= 64, "%u single bytes are kept of 30,000", kept);
    ok(utcp_stats(s->u)->no_memory > 29000, "the others are counted as dropped");
    ok(after.bytes == before.bytes, "no pool has grown");
    /* Touching ones count by their true memory too. */
    for (int i = 0; i < 30000; i++) {
        snprintf(line, sizeof line, "A %d:1 ack 1", 200 + i);
        script_in(s, line);
    }
    utcp_info(s->u, s->conn, &info);
    ok(info.rcv_buffered < 4000, "%u touching single bytes are kept", info.rcv_buffered);
    /* The stream still goes on, in order and complete. */
    uint32_t at = 1;

    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof line, "A %u:600 ack 1", at);
        script_in(s, line);
        at += 600;
    }
    is_int(s->received, 60000, "all 60,000 octets are delivered in the end");
    utcp_destroy(s->u);
    free(s);
}

TEST(receive_window)
{
    script("what is not credited counts against the window; it opens by a segment at least "
           "(MUST-39), and never shrinks from the right (SHLD-14)",
           "set rcv_wnd_initial 4000\n"
           "set rcv_wnd_max 4000\n"
           OPEN_SACK
           "< A 1:1400 ack 1\n"
           "! data 1400\n"
           "> A 1 ack 1401 win 2600\n"
           "< A 1401:1400 ack 1\n"
           "! data 1400\n"
           "> A 1 ack 2801 win 1200\n"
           "< A 2801:1200 ack 1\n"
           "! data 1200\n"
           "> A 1 ack 4001 win 0\n"
           "# A closed window: the ACK of a segment is processed, its text is not (MUST-66).\n"
           "send 4\n"
           "> PA 1:4\n"
           "< PA 4001:1 ack 5\n"
           "!.\n"
           "> A 5 ack 4001 win 0\n"
           "credit 500\n"
           ">.\n"
           "credit 1200\n"
           "> A 5 ack 4001 win 1700\n"
           "credit 2300\n"
           "< A 4001:1460 ack 5\n"
           "! data 1460\n"
           "> A 5 ack 5461\n");
    script("an RST at a closed window is taken",
           "set rcv_wnd_initial 2048\n"
           "set rcv_wnd_max 2048\n"
           OPEN_SACK
           "< A 1:2048 ack 1\n"
           "! data 2048\n"
           "> A 1 ack 2049 win 0\n"
           "< R 2050\n"
           "drop out_of_window\n"
           "< R 2049\n"
           "! closed reset\n");
    script("a window above 64 kB is scaled, not in the SYN-ACK (RFC 7323 2.2)",
           "set rcv_wnd_max 1000000\n"
           "set rcv_wnd_initial 500000\n"
           "< S 0 mss 1000 ws 2\n"
           "> SA 0 ack 1 win 65535 ws 4\n"
           "< PA 1:10 ack 1 win 5\n"
           "! open\n"
           "! data 10\n"
           "credit 10\n"
           "# It opens by 32 kB at a time.\n"
           "> A 1 ack 11 win 6144\n"
           "# Theirs is scaled by two: 20 octets.\n"
           "send 100\n"
           "> A 1:20\n"
           ">.\n");
    script("a shift above 14 means 14 (RFC 7323 2.3)",
           "< S 0 mss 1000 ws 200\n"
           "> SA 0 ack 1 ws 3\n"
           "< A 1 ack 1 win 1\n"
           "! open\n"
           "send 100\n"
           "> PA 1:100\n");
}

TEST(send_window)
{
    script("nothing beyond the window; a small rest waits (MUST-38)",
           OPEN_SACK
           "< A 1 ack 1 win 2000\n"
           "send 5000\n"
           "> A 1:1000\n"
           "> A 1001:1000\n"
           ">.\n"
           "< A 1 ack 1001 win 1100\n"
           ">.\n"
           "< A 1 ack 2001 win 1100\n"
           "> A 2001:1000\n"
           ">.\n");
}

TEST(zero_window)
{
    script("zero window: probes for ever, doubling, while they are answered (MUST-35..37)",
           "set r2_us 100000000\n"
           OPEN_SACK
           "< A 1 ack 1 win 0\n"
           "send 2000\n"
           ">.\n"
           "+203\n"
           "> A 1:1\n"
           "< A 1 ack 1 win 0\n"
           "+404\n"
           "> A 1:1\n"
           "< A 1 ack 1 win 0\n"
           "+806\n"
           "> A 1:1\n"
           "< A 1 ack 1 win 0\n"
           "+1610\n"
           "> A 1:1\n"
           "< A 1 ack 1 win 0\n"
           "+3220\n"
           "> A 1:1\n"
           "< A 1 ack 1 win 0\n"
           "+6440\n"
           "> A 1:1\n"
           "< A 1 ack 1 win 0\n"
           "+12900\n"
           "> A 1:1\n"
           "< A 1 ack 1 win 0\n"
           "+26000\n"
           "> A 1:1\n"
           "< A 1 ack 1 win 0\n"
           "+60000\n"
           "> A 1:1\n"
           "< A 1 ack 1 win 0\n"
           "+60000\n"
           "> A 1:1\n"
           "< A 1 ack 1 win 0\n"
           "+60000\n"
           "> A 1:1\n"
           "stat window_probes 11\n"
           "stat timeouts 0\n"
           "# It opens: the probe's octet goes with the rest, in full segments.\n"
           "< A 1 ack 1 win 5000\n"
           "> A 1:1000\n"
           "> PA 1001:1000\n"
           "< A 1 ack 2001 win 5000\n"
           ">.\n");
    script("a probe that is accepted",
           OPEN_SACK
           "< A 1 ack 1 win 0\n"
           "send 2000\n"
           ">.\n"
           "+203\n"
           "> A 1:1\n"
           "< A 1 ack 2 win 3000\n"
           "> A 2:1000\n"
           "> PA 1002:999\n");
    script("a closed window does not keep what we have closed for ever",
           "set r2_us 100000000\n"
           OPEN_SACK
           "< A 1 ack 1 win 0\n"
           "send 10\n"
           "close\n"
           ">.\n"
           "+203\n> A 1:1\n< A 1 ack 1 win 0\n"
           "+404\n> A 1:1\n< A 1 ack 1 win 0\n"
           "+806\n> A 1:1\n< A 1 ack 1 win 0\n"
           "+1610\n> A 1:1\n< A 1 ack 1 win 0\n"
           "+3220\n> A 1:1\n< A 1 ack 1 win 0\n"
           "+6440\n> A 1:1\n< A 1 ack 1 win 0\n"
           "+12900\n> A 1:1\n< A 1 ack 1 win 0\n"
           "+26000\n> A 1:1\n< A 1 ack 1 win 0\n"
           "state FIN-WAIT-1\n"
           "+60000\n"
           "! closed timeout\n");
    script("probes without any answer end in R2",
           "set r2_us 100000000\n"
           OPEN_SACK
           "< A 1 ack 1 win 0\n"
           "send 10\n"
           ">.\n"
           "+203\n"
           "> A 1:1\n"
           "+200000\n"
           "! closed timeout\n"
           "gone\n");
}

TEST(changing_window)
{
    script("the window shrinks below what is in flight: nothing new, no time-out (MUST-34)",
           OPEN_SACK
           "< A 1 ack 1 win 4000\n"
           "send 4000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> PA 3001:1000\n"
           "< A 1 ack 1001 win 1000\n"
           "send 1000\n"
           ">.\n"
           "< A 1 ack 4001 win 1000\n"
           "> PA 4001:1000\n"
           "stat timeouts 0\n");
    script("an old segment does not change the window (SND.WL1, SND.WL2)",
           OPEN_SACK
           "< PA 1:5 ack 1 win 500\n"
           "! data 5\n"
           "> A 1 ack 6\n"
           "send 1000\n"
           ">.\n"
           "< A 1 ack 1 win 5000\n"
           "drop out_of_window\n"
           "> A 1 ack 6\n"
           ">.\n"
           "< A 6 ack 1 win 5000\n"
           "> PA 1:1000\n");
    script("a part is sent when it is half of the largest window seen (MUST-38)",
           "< S 0 mss 1000\n"
           "> SA 0 ack 1\n"
           "< A 1 ack 1 win 600\n"
           "! open\n"
           "send 1000\n"
           "> A 1:600\n"
           "< A 1 ack 601 win 250\n"
           ">.\n"
           "< A 1 ack 601 win 300\n"
           "> A 601:300\n"
           "< A 1 ack 901 win 100\n"
           "> PA 901:100\n");
    script("what SWS avoidance holds back goes out when the timer runs out",
           OPEN_SACK
           "< A 1 ack 1 win 4000\n"
           "< A 1 ack 1 win 100\n"
           "send 1000\n"
           ">.\n"
           "+203\n"
           "> A 1:100\n"
           "stat window_probes 0\n"
           "< A 1 ack 101 win 4000\n"
           "> PA 101:900\n");
    script("a peer that changes its small window all the time does not put that timer off",
           OPEN_SACK
           "send 1000\n> PA 1:1000\n"
           "< A 1 ack 1001 win 300\n"
           "send 1000\n>.\n"
           "+100\n< A 1 ack 1001 win 310\n>.\n"
           "+60\n< A 1 ack 1001 win 320\n>.\n"
           "+50\n> A 1001:320\n");
    script("WRITABLE also after the queue was filled to its limit and not beyond",
           "set snd_buf_max 4000\n"
           OPEN_SACK
           "send 4000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> PA 3001:1000\n"
           "< A 1 ack 2001\n"
           "! writable\n");
    script("WRITABLE after the queue was above its limit",
           "set snd_buf_max 4000\n"
           OPEN_SACK
           "send 5000\n"
           "> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> A 3001:1000\n> PA 4001:1000\n"
           "< A 1 ack 2001\n"
           "!.\n"
           "< A 1 ack 3001\n"
           "! writable\n"
           "< A 1 ack 5001\n"
           "!.\n");
}

TEST(keep_alive)
{
    script("keep-alive is off by default (MUST-25)",
           OPEN_SACK
           "+100000000\n"
           ">.\n"
           "state ESTABLISHED\n");
    script("keep-alive: an empty segment below the window; answered, it starts anew",
           "set keep_alive_us 7200000000\n"
           OPEN_SACK
           "+7199000\n"
           ">.\n"
           "+2000\n"
           "> A 0 ack 1\n"
           "< A 1 ack 1\n"
           "+7199000\n"
           ">.\n"
           "+2000\n"
           "> A 0 ack 1\n");
    script("keep-alive: one lost probe is no reason to give up, nine are (MUST-26)",
           "set keep_alive_us 7200000000\n"
           OPEN_SACK
           "+7200001\n"
           "> A 0 ack 1\n"
           "+75000\n"
           "> A 0 ack 1\n"
           "+75000\n> A 0\n+75000\n> A 0\n+75000\n> A 0\n+75000\n> A 0\n+75000\n> A 0\n"
           "+75000\n> A 0\n+75000\n> A 0\n"
           "state ESTABLISHED\n"
           "+75000\n"
           "! closed timeout\n"
           "> RA 1\n");
    script("data after unanswered keep-alive probes starts with a fresh RTO",
           "set keep_alive_us 7200000000\n"
           OPEN_SACK
           "+7200001\n> A 0\n+75000\n> A 0\n+75000\n> A 0\n"
           "send 10\n"
           "> PA 1:10\n"
           "+203\n"
           "> PA 1:10\n");
    script("the peer's keep-alive is answered, its ACK is not used",
           OPEN_SACK
           "send 10\n"
           "> PA 1:10\n"
           "< A 0 ack 11\n"
           "drop out_of_window\n"
           "> A 11 ack 1\n"
           "+1300\n"
           "> PA 1:10\n");
}

int
main(void)
{
    RUN(acks);
    RUN(segmentation);
    RUN(reassembly);
    RUN(one_byte_islands);
    RUN(receive_window);
    RUN(send_window);
    RUN(zero_window);
    RUN(changing_window);
    RUN(keep_alive);
    return done_testing();
}
