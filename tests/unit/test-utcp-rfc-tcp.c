/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Requirements of the RFCs around RFC 9293: blind attacks at all boundary values (RFC 5961), ICMP
 * (RFC 5927), timestamps (RFC 7323), congestion control (RFC 5681, 6298, 6582, 6675).
 * tests/conformance/rfc-tcp.md says which requirement is shown by which test. */
#include "unit/utcp-play.h"

#define WINDOW 3000u
#define OPEN_SMALL                                              \
    "set rcv_wnd_initial 3000\nset rcv_wnd_max 3000\n"          \
    "< S 0 mss 1000 sackok\n> SA 0 ack 1\n"                     \
    "< A 1 ack 1 win 1000\n! open\n"
#define OPEN                                    \
    "< S 0 mss 1000 sackok\n"                   \
    "> SA 0 ack 1\n"                            \
    "< A 1 ack 1\n"                             \
    "! open\n"

/* One forged segment, and all that it may do. */
struct blind {
    struct wire_tcp tcp;              /* seq and ack relative to RCV.NXT and SND.UNA. */
    uint32_t len;
    enum utcp_verdict verdict;
    unsigned int n_answers;           /* ACKs. */
    uint32_t n_octets;                /* Delivered. */
    enum utcp_state state;
};

static bool
try_blind(const struct script_variant *v, const char *open, const struct blind *b)
{
    struct script *s = play_new();
    struct utcp_segment out[4] = { { .ttl = 0 } };
    bool good = play(s, v, open);
    uint32_t una = s->iss + 1, before = s->received;
    struct wire_tcp t = b->tcp;
    unsigned int n;

    t.seq += s->isn + 1;
    t.ack += una;
    good &= play_inject(s, t, b->len) == b->verdict;
    n = play_drain(s, out, 4);
    good &= n == b->n_answers && s->received - before == b->n_octets;
    for (unsigned int i = 0; i < n && i < 4; i++) {
        good &= (out[i].tcp.flags & ~TCP_PSH) == TCP_ACK;
    }
    good &= play_info(s).state == b->state;
    if (!good) {
        diag("%s: flags %x seq %d ack %d len %u: verdict %d, %u answers, %u octets, %s", v->name,
             b->tcp.flags, (int) b->tcp.seq, (int) b->tcp.ack, b->len, s->verdict, n,
             s->received - before, utcp_state_name(play_info(s).state));
    }
    play_end(s);
    return good;
}

static const uint32_t places[] = {
    0x80000000u, 0x80000001u, -WINDOW - 1, -WINDOW, -2u, -1u, 0, 1, 2, WINDOW - 2, WINDOW - 1,
    WINDOW, WINDOW + 1, 65535, 65536, 0x7ffffffeu, 0x7fffffffu,
};

TEST(blind_rst)
{
    static const uint8_t flags[] = {
        TCP_RST, TCP_RST | TCP_ACK, TCP_RST | TCP_FIN, TCP_RST | TCP_SYN, TCP_RST | TCP_PSH,
    };
    unsigned int n = 0;

    FOR_EACH_VARIANT(v) {
        bool good = true;

        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            for (size_t f = 0; f < sizeof flags; f++) {
                /* SEG.LEN counts SYN and FIN: an RST with them may reach into the window. */
                uint32_t len = !!(flags[f] & (TCP_SYN | TCP_FIN));
                bool inside = places[i] < WINDOW || (len && places[i] + len - 1 < WINDOW);
                struct blind b = {
                    .tcp = { .flags = flags[f], .seq = places[i] },
                    .verdict = !places[i] ? UTCP_ACCEPTED
                               : inside ? UTCP_DROP_bad_rst : UTCP_DROP_out_of_window,
                    .n_answers = places[i] && inside,
                    .state = places[i] ? UTCP_ESTABLISHED : UTCP_CLOSED,
                };

                good &= try_blind(v, OPEN_SMALL, &b);
                n++;
            }
        }
        ok(good, "an RST ends a connection at RCV.NXT only, and is challenged elsewhere in the "
           "window (%s)", v->name);
    }
    ok(n == 4 * 5 * sizeof places / sizeof *places, "%u forged RSTs", n);
}

TEST(blind_syn)
{
    static const uint8_t flags[] = {
        TCP_SYN, TCP_SYN | TCP_ACK, TCP_SYN | TCP_FIN, TCP_SYN | TCP_PSH | TCP_URG,
    };

    FOR_EACH_VARIANT(v) {
        bool good = true;

        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            for (size_t f = 0; f < sizeof flags; f++) {
                struct blind b = {
                    .tcp = { .flags = flags[f], .seq = places[i] },
                    .len = f,
                    .verdict = UTCP_DROP_bad_syn,
                    .n_answers = 1,
                    .state = UTCP_ESTABLISHED,
                };

                good &= try_blind(v, OPEN_SMALL, &b);
            }
        }
        ok(good, "a SYN anywhere is answered by a challenge and changes nothing (%s)", v->name);
    }
}

TEST(blind_data)
{
    /* 10 octets are in flight; the largest window seen was 1000. */
    static const struct { uint32_t ack; bool taken; } acks[] = {
        { 0x80000000u, false }, { -1002u, false }, { -1001u, false }, { -1000u, true },
        { -1u, true }, { 0, true }, { 1, true }, { 9, true }, { 10, true }, { 11, false },
        { 12, false }, { 1000, false }, { 0x7fffffffu, false },
    };
    static const struct { uint32_t seq, len, n_octets; bool acceptable; } texts[] = {
        { 0x80000000u, 1, 0, false }, { -1u, 1, 0, false }, { -1u, 2, 1, true },
        { -5u, 5, 0, false }, { -5u, 9, 4, true }, { 0, 1, 1, true }, { 0, WINDOW, WINDOW, true },
        { 0, WINDOW + 1, WINDOW, true }, { 1, 1, 0, true }, { WINDOW - 1, 1, 0, true },
        { WINDOW - 1, 2, 0, true }, { WINDOW, 1, 0, false }, { WINDOW, 0, 0, false },
        { -1u, WINDOW + 2, 0, false }, { 0x7fffffffu, 1, 0, false },
    };

    FOR_EACH_VARIANT(v) {
        bool good = true;

        for (size_t i = 0; i < sizeof acks / sizeof *acks; i++) {
            struct blind b = {
                .tcp = { .flags = TCP_ACK, .ack = acks[i].ack, .wnd = 1000 },
                .len = 7,
                .verdict = acks[i].taken ? UTCP_ACCEPTED : UTCP_DROP_bad_ack,
                .n_answers = 1,
                .n_octets = acks[i].taken ? 7 : 0,
                .state = UTCP_ESTABLISHED,
            };

            good &= try_blind(v, OPEN_SMALL "send 10\n> PA 1:10\n", &b);
        }
        ok(good, "text is taken with SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT only (%s)",
           v->name);
        good = true;
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            struct blind b = {
                .tcp = { .flags = TCP_ACK, .seq = texts[i].seq },
                .len = texts[i].len,
                .verdict = texts[i].acceptable ? UTCP_ACCEPTED : UTCP_DROP_out_of_window,
                .n_answers = 1,
                .n_octets = texts[i].n_octets,
                .state = UTCP_ESTABLISHED,
            };

            good &= try_blind(v, OPEN_SMALL, &b);
        }
        ok(good, "text is taken as far as it lies in the window (%s)", v->name);
    }
    script("MAX.SND.WND is the largest window ever, not the last",
           "< S 0 mss 1000\n> SA 0 ack 1\n< A 1 ack 1 win 1000\n! open\n"
           "send 10\n> PA 1:10\n"
           "< A 1 ack 11 win 5000\n< A 1 ack 11 win 100\n"
           "< PA 1:5 ack -4990\ndrop bad_ack\n> A 11 ack 1\n"
           "< PA 1:5 ack -4989\ndrop none\n! data 5\n> A 11 ack 6\n");
}

#define OPEN_TS                                 \
    "< S 0 mss 1012 sackok ts 1000\n"           \
    "> SA 0 ack 1 ecr 1000\n"                   \
    "+100\n"                                    \
    "< A 1 ack 1 ts 1100\n"                     \
    "! open\n"

TEST(restarted_client)
{
    script("a client that restarts and calls again from its old port is challenged",
           OPEN
           "< S 70000 mss 1000 sackok\ndrop bad_syn\n> A 1 ack 1\n"
           "< R 1\n! closed reset\n"
           "< S 70000 mss 1000 sackok\n> SA 0 ack 70001\n");
    script("... also when its timestamps are newer",
           OPEN_TS
           "< S 70000 mss 1000 ts 5000\ndrop bad_syn\n> A 1 ack 1\n"
           "< R 1\n! closed reset\n");
    script("... also when its timestamps are older",
           OPEN_TS
           "< S 70000 mss 1000 ts 7\ndrop paws\n> A 1 ack 1\n"
           "< R 1\n! closed reset\n");
    script("... also when it has none any more (RFC 5961 4.2 before RFC 7323 3.2)",
           OPEN_TS
           "< S 70000 mss 1000\ndrop bad_syn\n> A 1 ack 1\n"
           "< R 1\n! closed reset\n");
    script("... also before the handshake was complete",
           "< S 0 mss 1000 ts 1000\n> SA 0 ack 1\n"
           "< S 70000 mss 1000 ts 7\n> SA 0 ack 1\n"
           "< R 1\n"
           "< S 70000 mss 1000 ts 7\n> SA 0 ack 70001 ecr 7\n");
}

TEST(timestamps)
{
    script("timestamps are compared modulo 2^32",
           "< S 0 mss 1012 ts 4294967200\n> SA 0 ack 1 ecr 4294967200\n"
           "< A 1 ack 1 ts 4294967290\n! open\n"
           "< PA 1:5 ack 1 ts 4\n! data 5\n> A 1 ack 6 ecr 4\n"
           "< PA 6:5 ack 1 ts 4294967295\ndrop paws\n> A 1 ack 6 ecr 4\n"
           "< PA 6:5 ack 1 ts 2147483651\n! data 5\n> A 1 ack 11 ecr 2147483651\n"
           "< PA 11:5 ack 1 ts 4\ndrop paws\n> A 1 ack 11 ecr 2147483651\n");
    script("PAWS does not wait for a sequence number in the window",
           OPEN_TS "< PA 1:5 ack 1 ts 1200\n! data 5\n> A 1 ack 6\n"
           "< PA 6:5 ack 1 ts 1199\ndrop paws\n> A 1 ack 6 ecr 1200\n"
           "< PA 4000000:5 ack 1 ts 1201\ndrop out_of_window\n> A 1 ack 6 ecr 1200\n!.\n");
    script("what is beyond RCV.NXT or unacceptable does not change what is echoed",
           OPEN_TS
           "< PA 100:5 ack 1 ts 1300\n> A 1 ack 1 ecr 1100\n"
           "< PA 100000:5 ack 1 ts 1400\n> A 1 ack 1 ecr 1100\n"
           "< PA 1:99 ack 1 ts 1500\n! data 99\n! data 5\n> A 1 ack 105 ecr 1500\n");
    script("with timestamps an ACK of a retransmission is a sample (RFC 6298 section 3)",
           OPEN_TS
           "send 10\n> PA 1:10\n"
           "+302\n> PA 1:10\n"
           "+500\n< A 1 ack 11 ts 1900\n"
           "# 500 ms after 100: srtt 150 ms, rttvar 137.5 ms: RTO 700 ms, and a probe at 500.\n"
           "send 10\n> PA 11:10\n+495\n>.\n+10\n> PA 11:10\nstat tail_probes 1\n");
    FOR_EACH_VARIANT(v) {
        struct script *s = play_new();
        struct utcp_segment out[64];
        unsigned int n = 0, n_without = 0, n_kinds = 0;

        s->cfg.keep_alive_us = 10 * CLOCK_SEC;

        bool good = play(s, v, OPEN_TS "send 2500\n");

#define MORE(TEXT)                              \
        do {                                    \
            unsigned int had = n;               \
                                                \
            n += play_drain(s, out + n, 64 - n);\
            n_kinds += n > had;                 \
            good &= play(s, v, TEXT);           \
        } while (0)
        MORE("< A 1 ack 2501 ts 1101\n< PA 1:5 ack 2501 ts 1102\n");           /* Data. */
        MORE("< PA 100:5 ack 2501 ts 1103\n");                  /* ACK. */
        MORE("< PA 6:94 ack 2501 ts 1104\n");                   /* SACK. */
        MORE("+11000\n");                                       /* ACK. */
        MORE("< A 105 ack 2501 win 0 ts 12000\nsend 5\n>.\n+1000\n");         /* Keep-alive. */
        MORE("< A 105 ack 2501 ts 13000\n");                    /* Window probe. */
        MORE("+1000\n");                                        /* What it probed for. */
        MORE("< A 105 ack 2506 ts 14000\nclose\n");             /* Again. */
        MORE("< FA 105 ack 2507 ts 15000\n");                   /* FIN. */
        MORE("");                                               /* ACK into TIME-WAIT. */
#undef MORE
        for (unsigned int i = 0; i < n; i++) {
            n_without += !out[i].tcp.opts.has_ts;
        }
        ok(good && n_kinds == 10 && !n_without,
           "data, ACK, SACK, keep-alive, probe, retransmission, FIN: all %u carry them (%s)", n,
           v->name);
        play_end(s);
    }
}

TEST(icmp)
{
    script("ICMP counts from SND.UNA to SND.NXT - 1 (RFC 5927 section 4)",
           OPEN
           "send 10\n> PA 1:10\n"
           "icmp soft 0\nicmp soft 11\nicmp soft -2147483640\nicmp soft 2147483640\n"
           "stat icmp_ignored 4\nstat icmp_soft 0\n"
           "icmp soft 1\nicmp hard 10\n"
           "stat icmp_ignored 4\nstat icmp_soft 2\nstate ESTABLISHED\n");
    script("ICMP about a connection that waits for nothing is ignored",
           OPEN "icmp hard 1\nicmp hard 0\nicmp big 1 600\nstat icmp_ignored 3\n!.\n");
    script("ICMP does not end a handshake",
           "< S 0 mss 1000\n> SA 0 ack 1\n"
           "icmp hard 0\nicmp soft 0\n"
           "< A 1 ack 1\n! open\n");
    script("an MTU that is no smaller is no news",
           OPEN "send 1000\n> PA 1:1000\nicmp big 1 1500\nstat icmp_pmtu 0\n>.\n");
    FOR_EACH_VARIANT(v) {
        struct script *s = play_start(v, "< S 0 mss 1400\n> SA 0 ack 1\n< A 1 ack 1\n! open\n"
                                         "send 1400\n> PA 1:1400\nicmp big 1 68\n");

        is_int(play_info(s).mss, v->is_v6 ? 1220 : 512,
               "an absurd MTU is not believed: 1280 for IPv6, 552 for IPv4 (%s)", v->name);
        play_end(s);
        s = play_start(v, "< S 0 mss 1400\n> SA 0 ack 1\n< A 1 ack 1\n! open\n"
                          "send 1400\n> PA 1:1400\nicmp big 1 0\n");
        ok(play_info(s).mss < 1400 && play_info(s).mss >= 512,
           "a router that does not say its MTU is met half way (%s)", v->name);
        play_end(s);
    }
}

/* A round trip: everything is taken that may be sent, then acknowledged segment by segment.
 * Returns how many segments there were. */
static unsigned int
round_trip(struct script *s, uint32_t *una)
{
    struct utcp_segment out[200];
    unsigned int n = play_drain(s, out, 200);

    script_pass_time(s, 100 * CLOCK_MSEC);
    for (unsigned int i = 0; i < n && i < 200; i++) {
        *una = out[i].tcp.seq + out[i].tcp.payload.n;
        play_inject(s, (struct wire_tcp) { .flags = TCP_ACK, .seq = s->isn + 1, .ack = *una }, 0);
    }
    return n;
}

TEST(congestion_window)
{
    FOR_EACH_VARIANT(v) {
        struct script *s = play_start(v, OPEN);
        struct utcp_segment out[64];
        uint32_t una;
        unsigned int n, flight;

        s->cfg.snd_buf_max = 0;
        for (int i = 0; i < 40; i++) {
            script_send(s, 10000);
        }
        n = round_trip(s, &una);
        is_int(n, 10, "slow start: ten segments at first (%s)", v->name);
        n = round_trip(s, &una);
        is_int(n, 20, "twice as many in the next round trip (%s)", v->name);
        n = round_trip(s, &una);
        is_int(n, 40, "and twice again (%s)", v->name);

        /* The first of the next flight is lost. */
        flight = play_drain(s, out, 64);
        script_pass_time(s, 100 * CLOCK_MSEC);
        for (unsigned int i = 1; i < 5; i++) {
            play_inject(s, (struct wire_tcp) {
                .flags = TCP_ACK, .seq = s->isn + 1, .ack = una,
                .opts = { .n_sack = 1, .sack[0] = { una + 1000, una + 1000 * (i + 1) } },
            }, 0);
        }
        n = play_drain(s, out, 64);
        ok(n && out[0].tcp.seq == una, "four SACKed segments: the first goes again (%s)", v->name);
        is_int(play_info(s).ssthresh, flight * 1000 / 2,
               "ssthresh is half of what was in flight (RFC 5681 (4)) (%s)", v->name);
        una += flight * 1000;
        play_inject(s, (struct wire_tcp) {
            .flags = TCP_ACK, .seq = s->isn + 1, .ack = una }, 0);
        ok(play_info(s).cwnd <= flight * 1000 / 2,
           "recovery ends with cwnd at ssthresh or below (%s)", v->name);

        n = round_trip(s, &una);
        for (unsigned int i = 0; i < 5; i++) {
            unsigned int more = round_trip(s, &una);

            ok(more == n + 1 || (!i && more <= n + 1),
               "congestion avoidance: a segment more in each round trip (%u, %u) (%s)", n, more,
               v->name);
            n = more;
        }
        play_end(s);
    }
}

TEST(timeout)
{
    FOR_EACH_VARIANT(v) {
        struct script *s = play_start(v, "< S 0 mss 1000\n> SA 0 ack 1\n+100\n< A 1 ack 1\n"
                                         "! open\nsend 20000\n");
        struct utcp_segment out[64];
        uint32_t una = s->iss + 1;
        unsigned int n;

        n = play_drain(s, out, 64);
        is_int(n, 10, "ten in flight (%s)", v->name);
        script_pass_time(s, 302 * CLOCK_MSEC);
        n = play_drain(s, out, 64);
        ok(n == 1 && out[0].tcp.seq == una, "a time-out: one segment (RFC 5681 3.1) (%s)", v->name);
        is_int(play_info(s).ssthresh, 5000, "ssthresh is half of what was in flight (%s)", v->name);
        script_pass_time(s, 700 * CLOCK_MSEC);
        n = play_drain(s, out, 64);
        is_int(play_info(s).ssthresh, 5000, "the next time-out does not halve it again (%s)",
               v->name);
        una = s->iss + 1 + 1000;
        play_inject(s, (struct wire_tcp) { .flags = TCP_ACK, .seq = s->isn + 1, .ack = una }, 0);
        n = play_drain(s, out, 64);
        is_int(n, 2, "then two: slow start (%s)", v->name);
        script_pass_time(s, 2000 * CLOCK_MSEC);
        n = play_drain(s, out, 64);
        ok(n == 1 && out[0].tcp.seq == una && play_info(s).ssthresh == 5000,
           "nor does one later in the same recovery (%s)", v->name);
        play_end(s);
    }
}

TEST(dishonest_receivers)
{
    FOR_EACH_VARIANT(v) {
        struct script *s = play_start(v, OPEN);
        struct utcp_segment out[64];
        uint32_t before, una = s->iss + 1;

        script_send(s, 40000);
        play_drain(s, out, 64);
        before = play_info(s).cwnd;
        for (unsigned int i = 1; i <= 100; i++) {
            play_inject(s, (struct wire_tcp) {
                .flags = TCP_ACK, .seq = s->isn + 1, .ack = una + i * 10 }, 0);
        }
        ok(play_info(s).cwnd <= before + 1000,
           "a segment acknowledged in a hundred pieces counts once (RFC 3465) (%s)", v->name);
        play_drain(s, out, 64);
        before = play_info(s).cwnd;
        play_inject(s, (struct wire_tcp) {
            .flags = TCP_ACK, .seq = s->isn + 1, .ack = una + 39000 }, 0);
        is_int(s->verdict, UTCP_DROP_bad_ack, "an ACK of what was not sent is refused (%s)",
               v->name);
        is_int(play_info(s).cwnd, before, "and opens nothing (%s)", v->name);
        play_end(s);
    }
}

int
main(void)
{
    RUN(blind_rst);
    RUN(blind_syn);
    RUN(blind_data);
    RUN(restarted_client);
    RUN(timestamps);
    RUN(icmp);
    RUN(congestion_window);
    RUN(timeout);
    RUN(dishonest_receivers);
    return done_testing();
}
