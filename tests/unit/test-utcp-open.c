/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing connections: LISTEN, SYN-RECEIVED, the exchange of FINs in every order,
 * TIME-WAIT, aborts. */
#include "unit/utcp-script.h"

#define OPEN                                    \
    "< S 0 mss 1000 sackok\n"                   \
    "> SA 0 ack 1\n"                            \
    "< A 1 ack 1\n"                             \
    "! open\n"                                  \
    ">.\n"

TEST(handshake)
{
    script("three-way handshake with all options",
           "< S 0 mss 1000 ws 7 sackok ts 500\n"
           "> SA 0 ack 1 win 65535 ws 3 sackok ecr 500\n"
           ">.\n"
           "!.\n"
           "+10\n"
           "< A 1 ack 1 ts 510 win 100\n"
           "drop none\n"
           "! open\n"
           "state ESTABLISHED\n"
           ">.\n"
           "stat opened 1\n");
    script("a plain SYN gets nothing but the MSS",
           "< S 0\n"
           "> SA 0 ack 1 nosack nots\n"
           "< A 1 ack 1\n"
           "! open\n");
    script("the SYN-ACK goes again with back-off, and R2 ends it (MUST-20, MUST-23)",
           "set syn_r2_us 15000000\n"
           "< S 0 mss 1000\n"
           "> SA 0 ack 1\n"
           "+999\n"
           ">.\n"
           "+2\n"
           "> SA 0 ack 1\n"
           "+2001\n"
           "> SA 0 ack 1\n"
           "+4001\n"
           "> SA 0 ack 1\n"
           "+20000\n"
           ">.\n"
           "stat half_open_expired 1\n"
           "< A 1 ack 1\n"
           "drop no_connection\n"
           "> R 1\n");
    script("the SYN again is answered again",
           "< S 0 mss 1000\n"
           "> SA 0 ack 1\n"
           "< S 0 mss 1000\n"
           "> SA 0 ack 1\n"
           "< A 1 ack 1\n"
           "! open\n");
    script("data with the third ACK",
           "< S 0 mss 1000\n"
           "> SA 0 ack 1\n"
           "< PA 1:10 ack 1\n"
           "! open\n"
           "! data 10\n"
           "> A 1 ack 11\n");
    script("data before the third ACK completes the handshake",
           "< S 0 mss 1000 sackok\n"
           "> SA 0 ack 1\n"
           "< PA 11:10 ack 1\n"
           "! open\n"
           "> A 1 ack 1 sack 11-21\n");
    script("a FIN with the third ACK",
           "< S 0 mss 1000\n"
           "> SA 0 ack 1\n"
           "< FA 1 ack 1\n"
           "! open\n"
           "! fin\n"
           "state CLOSE-WAIT\n"
           "> A 1 ack 2\n");
    script("SYN-RECEIVED returns to LISTEN on RST (MUST-11), only on an exact one",
           "< S 0 mss 1000\n"
           "> SA 0 ack 1\n"
           "< R 2\n"
           "drop bad_rst\n"
           "> SA 0 ack 1\n"
           "< R 1\n"
           "drop none\n"
           "!.\n"
           "< A 1 ack 1\n"
           "drop no_connection\n"
           "> R 1\n");
    script("an ACK of something else is refused and changes nothing",
           "< S 0 mss 1000\n"
           "> SA 0 ack 1\n"
           "< A 1 ack 2\n"
           "drop bad_ack\n"
           "> R 2\n"
           "< A 1 ack 1\n"
           "! open\n");
    script("another SYN within the window does not open",
           "< S 0 mss 1000\n"
           "> SA 0 ack 1\n"
           "< S 100 mss 1000\n"
           "drop bad_syn\n"
           "> SA 0 ack 1\n"
           "!.\n");
}

TEST(listen)
{
    script("CLOSED and LISTEN refuse what is no SYN (3.10.7.1, 3.10.7.2)",
           "< R 5\n"
           "drop no_connection\n"
           ">.\n"
           "< RA 5 ack 7\n"
           ">.\n"
           "< A 5 ack 7\n"
           "> R 7\n"
           "< SA 5 ack 7\n"
           "> R 7\n"
           "< - 5:10\n"
           ">.\n"
           "stat rst_out 2\n");
    script("another port is closed",
           "set port 1884\n"
           "< S 0 mss 1000\n"
           "drop no_connection\n"
           "> RA 0x0 ack 1\n");
    script("a SYN beyond the limit of connections is dropped",
           "set max_connections 0\n"
           "< S 0 mss 1000\n"
           "drop table_full\n"
           ">.\n");
}

TEST(close)
{
    script("the peer closes first",
           OPEN
           "< FA 1 ack 1\n"
           "! fin\n"
           "state CLOSE-WAIT\n"
           "> A 1 ack 2\n"
           "send 10\n"
           "> PA 1:10 ack 2\n"
           "close\n"
           "state LAST-ACK\n"
           "> FA 11 ack 2\n"
           "< A 2 ack 12\n"
           "! closed normal\n"
           "gone\n"
           "stat closed 1\n"
           "< A 2 ack 12\n"
           "drop no_connection\n"
           "> R 12\n");
    script("we close first, then TIME-WAIT",
           OPEN
           "send 5\n"
           "close\n"
           "state FIN-WAIT-1\n"
           "> FPA 1:5 ack 1\n"
           "< A 1 ack 7\n"
           "state FIN-WAIT-2\n"
           ">.\n"
           "< PA 1:8 ack 7\n"
           "! data 8\n"
           "> A 7 ack 9\n"
           "< FA 9 ack 7\n"
           "! fin\n"
           "! closed normal\n"
           "> A 7 ack 10\n"
           ">.\n"
           "gone\n"
           "# The last ACK was lost: the FIN comes again, and TIME-WAIT starts again.\n"
           "+50000\n"
           "< FA 9 ack 7\n"
           "> A 7 ack 10\n"
           "+50000\n"
           "< FA 9 ack 7\n"
           "> A 7 ack 10\n"
           "+60001\n"
           "< FA 9 ack 7\n"
           "> R 7\n");
    script("the FIN's ACK and the peer's FIN in one",
           OPEN
           "close\n"
           "> FA 1 ack 1\n"
           "< FA 1 ack 2\n"
           "! fin\n"
           "! closed normal\n"
           "> A 2 ack 2\n"
           ">.\n");
    script("simultaneous close",
           OPEN
           "close\n"
           "> FA 1 ack 1\n"
           "< FA 1 ack 1\n"
           "! fin\n"
           "state CLOSING\n"
           "> A 2 ack 2\n"
           "< A 2 ack 2\n"
           "! closed normal\n"
           "gone\n");
}

TEST(half_close)
{
    script("half-close: the peer goes on sending, we have closed",
           OPEN
           "close\n"
           "> FA 1 ack 1\n"
           "< A 1 ack 2\n"
           "< PA 1:1000 ack 2\n"
           "! data 1000\n"
           "> A 2 ack 1001\n"
           "< FPA 1001:5 ack 2\n"
           "! data 5\n"
           "! fin\n"
           "! closed normal\n"
           "> A 2 ack 1007\n");
    script("half-close: the peer has closed, we go on sending",
           OPEN
           "< FA 1 ack 1\n"
           "! fin\n"
           "> A 1 ack 2\n"
           "send 2500\n"
           "> A 1:1000 ack 2\n"
           "> A 1001:1000\n"
           "> PA 2001:500\n"
           "< A 2 ack 2501\n"
           "close\n"
           "> FA 2501 ack 2\n"
           "< A 2 ack 2502\n"
           "! closed normal\n");
    script("FIN-WAIT-2 does not last for ever",
           OPEN
           "close\n"
           "> FA 1 ack 1\n"
           "< A 1 ack 2\n"
           "+60001\n"
           "! closed timeout\n"
           "> RA 2 ack 1\n"
           "gone\n");
    script("our FIN is retransmitted, with the data that it followed",
           OPEN
           "send 5\n"
           "close\n"
           "> FPA 1:5 ack 1\n"
           "+1300\n"
           "> FPA 1:5 ack 1\n"
           "< A 1 ack 7\n"
           "state FIN-WAIT-2\n");
    script("the FIN waits for the queue",
           OPEN
           "< A 1 ack 1 win 1000\n"
           "send 1500\n"
           "close\n"
           "> A 1:1000\n"
           ">.\n"
           "< A 1 ack 1001 win 1000\n"
           "> FPA 1001:500\n");
    script("nothing can be sent after close",
           OPEN
           "close\n"
           "> FA 1\n"
           "send 10\n"
           ">.\n");
    script("a FIN out of order waits for what is missing",
           OPEN
           "< FPA 11:10 ack 1\n"
           "> A 1 ack 1 sack 11-21\n"
           "< A 1:10 ack 1\n"
           "! data 10\n"
           "! data 10\n"
           "! fin\n"
           "> A 1 ack 22\n"
           "state CLOSE-WAIT\n");
    script("nothing comes after a FIN",
           OPEN
           "< FA 1 ack 1\n"
           "! fin\n"
           "> A 1 ack 2\n"
           "< PA 2:10 ack 1\n"
           "!.\n");
}

TEST(abort)
{
    script("ABORT sends an RST",
           OPEN
           "abort\n"
           "! closed abort\n"
           "> RA 1 ack 1\n"
           ">.\n"
           "gone\n");
    script("an exact RST ends the connection",
           OPEN
           "< R 1\n"
           "! closed reset\n"
           ">.\n"
           "stat aborted_by_peer 1\n");
    script("RST with data, after data (SHLD-2)",
           OPEN
           "< PA 1:10 ack 1\n"
           "! data 10\n"
           "< RA 11:4 ack 1\n"
           "! closed reset\n"
           ">.\n");
    script("RST in CLOSE-WAIT tells the user; in LAST-ACK nothing was lost",
           OPEN
           "< FA 1 ack 1\n"
           "! fin\n"
           "> A 1 ack 2\n"
           "close\n"
           "> FA 1 ack 2\n"
           "< R 2\n"
           "! closed normal\n");
}

/* SHLD-3: closed with data that was received and not fetched. */
TEST(close_with_unread_data)
{
    struct utcp_config cfg;
    struct utcp_tuple t = { .local_port = 1883, .remote_port = 999 };
    struct utcp_path path = { .tos = 0 };
    struct wire_tcp seg = { .flags = TCP_SYN, .seq = 100, .wnd = 1000 };
    struct utcp_segment out;
    struct utcp_event ev;
    uint8_t buf[1500];

    utcp_config_default(&cfg);

    struct utcp *u = utcp_create(&cfg, 0);

    addr_parse(&t.local, "10.0.0.1");
    addr_parse(&t.remote, "10.0.0.2");
    utcp_input(u, &t, &seg, &path, 0);
    ok(utcp_next_segment(u, 0, &out, buf, sizeof buf), "SYN-ACK");
    seg = (struct wire_tcp) {
        .flags = TCP_ACK, .seq = 101, .ack = out.tcp.seq + 1, .wnd = 1000,
        .payload = { (const uint8_t *) "data", 4 },
    };
    utcp_input(u, &t, &seg, &path, 1);
    ok(utcp_next_event(u, &ev) && ev.type == UTCP_EV_OPEN, "open");
    utcp_close(u, ev.conn);
    ok(utcp_next_segment(u, 2, &out, buf, sizeof buf), "something is sent");
    is_int(out.tcp.flags, TCP_RST | TCP_ACK, "and it is an RST");
    ok(utcp_next_event(u, &ev) && ev.type == UTCP_EV_DATA, "the data can still be fetched");
    is_mem(ev.data.p, ev.data.n, "data", 4, "it is there");
    ok(utcp_next_event(u, &ev) && ev.type == UTCP_EV_CLOSED, "then it is closed");
    is_int(ev.reason, UTCP_CLOSE_ABORT, "by us");
    utcp_destroy(u);
}

/* Every function takes an id whose connection is gone, or that never was one. */
TEST(stale_ids)
{
    struct utcp_config cfg;
    struct utcp_info info;
    struct mbuf *m = mbuf_copy("x", 1);
    static const utcp_id ids[] = {
        0, 1, UINT64_C(1) << 32, UINT64_C(0x100000001), UINT64_C(0x1000fffff), UINT64_MAX,
    };

    utcp_config_default(&cfg);

    struct utcp *u = utcp_create(&cfg, 0);

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        utcp_set_user(u, ids[i], 5);
        is_int(utcp_user(u, ids[i]), 0, "no user of %llx", (unsigned long long) ids[i]);
        utcp_credit(u, ids[i], 5);
        utcp_send_copy(u, ids[i], "x", 1);
        utcp_send_mbuf(u, ids[i], m, 0, 1);
        is_int(utcp_send_room(u, ids[i]), 0, "no room");
        utcp_close(u, ids[i]);
        utcp_abort(u, ids[i]);
        ok(!utcp_info(u, ids[i], &info), "no information");
    }
    mbuf_unref(m);
    utcp_destroy(u);
}

int
main(void)
{
    RUN(handshake);
    RUN(listen);
    RUN(close);
    RUN(half_close);
    RUN(abort);
    RUN(close_with_unread_data);
    RUN(stale_ids);
    return done_testing();
}
