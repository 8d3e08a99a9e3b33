/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Requirements of RFC 9293 that the other tests of utcp show only in passing: the order of checks,
 * the MSS, sequence numbers, windows of both sides, closing under loss, keep-alive, several
 * services.  tests/conformance/rfc9293.md says which requirement is shown by which test. */
#include "base/prng.h"
#include "unit/utcp-play.h"

#define OPEN                                    \
    "< S 0 mss 1000 sackok\n"                   \
    "> SA 0 ack 1\n"                            \
    "< A 1 ack 1\n"                             \
    "! open\n"

/* Segments that break several rules: the first in the order of 3.10.7.4 decides. */
TEST(order_of_checks)
{
    script("sequence before ACK: the ACK field of what is out of the window is not used",
           OPEN
           "send 10\n> PA 1:10\n"
           "< A 100000 ack 11\ndrop out_of_window\n> A 11 ack 1\n"
           "< PA 100000:5 ack 11\ndrop out_of_window\n> A 11 ack 1\n"
           "< A 0 ack 11\ndrop out_of_window\n> A 11 ack 1\n"
           "!.\n"
           "+1300\n> PA 1:10\n");
    script("sequence before RST: an RST out of the window is dropped in silence",
           OPEN
           "< R 100000\ndrop out_of_window\n>.\n"
           "< SRA 100000 ack 1\ndrop out_of_window\n>.\n"
           "< R 0:1\ndrop out_of_window\n>.\n"
           "state ESTABLISHED\n");
    script("RST before SYN", OPEN "< SR 1\ndrop none\n! closed reset\n>.\n");
    script("RST before ACK: an RST that acknowledges nonsense counts",
           OPEN "< RA 1 ack 500000\ndrop none\n! closed reset\n>.\n");
    script("RST before text: its text is not delivered",
           OPEN "< RPA 1:9 ack 1\n! closed reset\n>.\n");
    script("SYN before ACK",
           OPEN "< SA 5 ack 500000\ndrop bad_syn\n> A 1 ack 1\n>.\n");
    script("ACK before text and FIN: without one, neither is taken",
           OPEN
           "< P 1:5\ndrop no_ack\n>.\n"
           "< F 1\ndrop no_ack\n>.\n"
           "< UPF 1:5 urg 3\ndrop no_ack\n>.\n"
           "!.\nstate ESTABLISHED\n");
    script("ACK before text and FIN: with a wrong one, neither is taken",
           OPEN
           "< FPA 1:5 ack 2\ndrop bad_ack\n> A 1 ack 1\n"
           "!.\nstate ESTABLISHED\n");
    script("text before FIN, and URG is no matter",
           OPEN
           "< FUPA 1:5 ack 1 urg 9\n! data 5\n! fin\n> A 1 ack 7\nstate CLOSE-WAIT\n");
    script("timestamps before all else, but not for an RST",
           "< S 0 mss 1000 ts 1000\n> SA 0 ack 1\n< A 1 ack 1 ts 1000\n! open\n"
           "< PA 100000:5 ack 900000 ts 999\ndrop paws\n> A 1 ack 1\n"
           "< R 2 ts 5\ndrop bad_rst\n> A 1 ack 1\n"
           "< R 1 ts 5\n! closed reset\n");
}

#define FW1 OPEN "close\n> FA 1\n"
#define FW2 FW1 "< A 1 ack 2\n"
#define CW OPEN "< FA 1 ack 1\n! fin\n> A 1 ack 2\n"
#define CLOSING FW1 "< FA 1 ack 1\n! fin\n> A 2 ack 2\n"
#define LA CW "close\n> FA 1\n"
#define TW FW1 "< FA 1 ack 2\n! fin\n! closed normal\n> A 2 ack 2\n"

TEST(text_by_state)
{
    script("text in ESTABLISHED", OPEN "< PA 1:5 ack 1\n! data 5\n> A 1 ack 6\n");
    script("text in FIN-WAIT-1",
           FW1 "< PA 1:5 ack 1\n! data 5\n> A 2 ack 6\nstate FIN-WAIT-1\n");
    script("text in FIN-WAIT-1 that acknowledges our FIN",
           FW1 "< PA 1:5 ack 2\n! data 5\n> A 2 ack 6\nstate FIN-WAIT-2\n");
    script("text in FIN-WAIT-2",
           FW2 "< PA 1:5 ack 2\n! data 5\n> A 2 ack 6\nstate FIN-WAIT-2\n");
    script("text after a FIN is ignored: CLOSE-WAIT",
           CW "< PA 2:5 ack 1\ndrop none\n!.\n>.\nstate CLOSE-WAIT\n");
    script("text after a FIN is ignored: CLOSING",
           CLOSING "< PA 2:5 ack 1\ndrop none\n!.\n>.\nstate CLOSING\n");
    script("text after a FIN is ignored: LAST-ACK",
           LA "< PA 2:5 ack 1\ndrop none\n!.\n>.\nstate LAST-ACK\n");
    script("text after a FIN is ignored: TIME-WAIT answers",
           TW "< PA 2:5 ack 2\ndrop out_of_window\n!.\n> A 2 ack 2\n");
    script("the FIN again in CLOSE-WAIT, LAST-ACK: acknowledged, nothing else",
           CW
           "< FA 1 ack 1\n> A 1 ack 2\nstate CLOSE-WAIT\n"
           "close\n> FA 1\n"
           "< FA 1 ack 1\n> A 2 ack 2\nstate LAST-ACK\n!.\n");
    script("the FIN again in CLOSING: acknowledged, nothing else",
           CLOSING "< FA 1 ack 1\n> A 2 ack 2\nstate CLOSING\n!.\n");
    script("an ACK of our FIN ends CLOSING and LAST-ACK, whatever text it carries",
           LA "< PA 2:5 ack 2\n! closed normal\ngone\n");
}

TEST(closing_under_loss)
{
    script("simultaneous close, our data and FIN are lost",
           OPEN
           "send 5\nclose\n> FPA 1:5 ack 1\n"
           "< FA 1 ack 1\n! fin\nstate CLOSING\n> A 7 ack 2\n"
           "+1300\n> FPA 1:5 ack 2\n"
           "< A 2 ack 6\nstate CLOSING\n"
           "+1300\n> FA 6:0 ack 2\n"
           "< A 2 ack 7\n! closed normal\ngone\n");
    script("simultaneous close, our ACK is lost",
           CLOSING
           "< FA 1 ack 1\ndrop out_of_window\n> A 2 ack 2\n"
           "< FA 1 ack 2\ndrop out_of_window\n> A 2 ack 2\n"
           "< A 2 ack 2\n! closed normal\ngone\n");
    script("simultaneous close with data on both sides",
           OPEN
           "send 1500\nclose\n> A 1:1000\n> FPA 1001:500\n"
           "< FPA 1:700 ack 1001\n! data 700\n! fin\nstate CLOSING\n> A 1502 ack 702\n"
           "< A 702 ack 1502\n! closed normal\n");
    script("the peer's FIN comes before its data: nothing is lost",
           FW2
           "< FPA 1001:500 ack 2\n> A 2 ack 1 sack 1001-1501\nstate FIN-WAIT-2\n"
           "< A 1:1000 ack 2\n! data 1000\n! data 500\n! fin\n! closed normal\n"
           "> A 2 ack 1502\n");
    script("our FIN is given up at R2",
           "set r2_us 100000000\n"
           FW1
           "+1300\n> FA 1\n"
           "+400000\n! r1\n! closed timeout\n");
    script("LAST-ACK is given up at R2",
           "set r2_us 100000000\n"
           LA
           "+1300\n> FA 1\n"
           "+400000\n! r1\n! closed timeout\n");
}

TEST(what_a_syn_carries)
{
    script("text on a SYN is not acknowledged, so it comes again",
           "< S 0:10 mss 1000\n> SA 0 ack 1\n"
           "< A 1 ack 1\n! open\n>.\n!.\n"
           "< PA 1:10 ack 1\n! data 10\n> A 1 ack 11\n");
    script("options of a SYN mean nothing on another segment",
           "< S 0 mss 1000\n> SA 0 ack 1 nosack nots\n"
           "< A 1 ack 1 mss 100 ws 7 sackok win 2000\n! open\n"
           "send 3000\n"
           "> A 1:1000 nots\n> A 1001:1000\n>.\n"
           "< A 11:5 ack 2001 mss 100\n> PA 2001:1000 nosack\n");
}

static uint16_t
headers_of(const struct script_variant *v)
{
    return v->is_v6 ? 60 : 40;
}

static void
send_size(const struct script_variant *v, const char *syn, uint32_t want, const char *name)
{
    struct script *s = play_new();
    struct utcp_segment out[64];
    char text[128];
    unsigned int n, n_wrong = 0;

    snprintf(text, sizeof text, "< S 0 %s\n> SA 0 ack 1\n< A 1 ack 1 ts 5\nsend 4000\n", syn);

    bool good = play(s, v, text);

    n = play_drain(s, out, 64);
    for (unsigned int i = 0; i + 1 < n && i < 63; i++) {
        n_wrong += out[i].tcp.payload.n != want;
    }
    ok(good && n > 2 && !n_wrong, "%s (%s)", name, v->name);
    play_end(s);
}

TEST(mss)
{
    FOR_EACH_VARIANT(v) {
        send_size(v, "", v->is_v6 ? 1220 : 536, "without the option, 536 octets over IPv4 and "
                  "1220 over IPv6 are sent in a segment");
        send_size(v, "mss 700", 700, "the peer's MSS is not exceeded");
        send_size(v, "mss 65535", 1500u - headers_of(v), "nor is the MTU of the link");
        send_size(v, "mss 0", 88, "an MSS of nothing is taken for the smallest");
        send_size(v, "mss 700 ts 5", 688, "options go off what is sent");

        static const uint16_t mtus[] = { 1280, 1500, 9000 };

        for (size_t i = 0; i < sizeof mtus / sizeof *mtus; i++) {
            struct script *s = play_new();
            struct utcp_segment out[4];

            s->cfg.mtu = mtus[i];
            play(s, v, "< S 0\n");
            ok(play_drain(s, out, 4) == 1 && out[0].tcp.opts.has_mss
               && out[0].tcp.opts.mss == mtus[i] - headers_of(v),
               "MTU %u: the SYN-ACK announces what can be received (%s)", mtus[i], v->name);
            play_end(s);
        }

        struct script *s = play_start(v, OPEN);
        struct utcp_segment out[64];
        unsigned int n_mss = 0, n;

        play(s, v, "send 3000\n< PA 1:5 ack 1\n< PA 100:5 ack 1\n");
        n = play_drain(s, out, 64);
        utcp_close(s->u, s->conn);
        n += play_drain(s, out + n, 64 - n);
        utcp_abort(s->u, s->conn);
        n += play_drain(s, out + n, 64 - n);
        for (unsigned int i = 0; i < n; i++) {
            n_mss += out[i].tcp.opts.has_mss;
        }
        ok(n >= 5 && !n_mss, "data, ACK, FIN and RST carry no MSS (%s)", v->name);
        play_end(s);
    }
}

TEST(path_mtu)
{
    FOR_EACH_VARIANT(v) {
        struct script *s = play_start(v, "< S 0 mss 1400 sackok\n> SA 0 ack 1\n+100\n"
                                         "< A 1 ack 1\n! open\nsend 2800\n"
                                         "> A 1:1400\n> PA 1401:1400\n"
                                         "send 100\n> PA 2801:100\nicmp big 1 1300\n");
        struct utcp_segment out[16];
        uint32_t at = s->iss + 1, cwnd = play_info(s).cwnd, max = 1300u - headers_of(v);
        unsigned int n;
        bool whole = true;

        for (int round = 0; round < 8 && at != s->iss + 2801; round++) {
            n = play_drain(s, out, 16);
            for (unsigned int i = 0; i < n && i < 16; i++) {
                whole &= out[i].tcp.payload.n <= max && out[i].tcp.seq == at;
                at += out[i].tcp.payload.n;
            }
            play_inject(s, (struct wire_tcp) { .flags = TCP_ACK, .seq = s->isn + 1, .ack = at },
                        0);
        }
        ok(whole && at == s->iss + 2801,
           "what was too large, and only that, goes again in pieces that the path takes (%s)",
           v->name);
        play_inject(s, (struct wire_tcp) {
            .flags = TCP_ACK, .seq = s->isn + 1, .ack = at + 100 }, 0);
        is_int(utcp_stats(s->u)->timeouts, 0, "without a time-out (%s)", v->name);
        ok(play_info(s).cwnd >= cwnd, "and without blame for congestion (%s)", v->name);
        play(s, v, "send 2000\n");
        n = play_drain(s, out, 16);
        ok(n && out[0].tcp.payload.n == max, "what follows is as small (%s)", v->name);
        play_end(s);
    }
}

static uint32_t
iss_of(const struct siphash_key *key, const struct utcp_tuple *t, usec_t at, uint32_t *ts_val)
{
    static const struct utcp_path path;
    struct wire_tcp syn = {
        .flags = TCP_SYN, .seq = 5, .wnd = 1000, .opts = { .has_ts = true, .ts_val = 1 },
    };
    struct utcp_segment out = { .ttl = 0 };
    struct utcp_config cfg;
    uint8_t buf[2000];

    utcp_config_default(&cfg);
    cfg.key = *key;

    struct utcp *u = utcp_create(&cfg, at);

    utcp_input(u, t, &syn, &path, at);
    utcp_next_segment(u, at, &out, buf, sizeof buf);
    utcp_destroy(u);
    *ts_val = out.tcp.opts.ts_val;
    return out.tcp.seq;
}

TEST(initial_sequence_numbers)
{
    static const usec_t later[] = { 4, 400, 1000000, INT64_C(3600) * 1000000 };
    const struct siphash_key key = { 7, 8 }, other = { 7, 9 };
    usec_t t0 = 5000 * CLOCK_SEC;
    uint32_t ts, ts_other;

    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        struct utcp_tuple t = { .local_port = 1883, .remote_port = 1024 };
        const char *family = is_v6 ? "IPv6" : "IPv4";
        static uint32_t steps[1000];
        uint32_t iss, last, ts_last, n_twice = 0, n_same_ts = 0;

        addr_parse(&t.local, is_v6 ? "2001:db8::1" : "10.0.0.1");
        addr_parse(&t.remote, is_v6 ? "2001:db8::2" : "10.0.0.2");
        iss = last = iss_of(&key, &t, t0, &ts);
        ts_last = ts;
        for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
            is_int(iss_of(&key, &t, t0 + later[i], &ts_other), iss + (uint32_t) (later[i] / 4),
                   "%s: the clock of 4 us, after %lld us", family, (long long) later[i]);
            is_int(ts_other - ts, (uint32_t) (later[i] / 1000),
                   "%s: timestamps tick in milliseconds", family);
        }
        ok(iss_of(&other, &t, t0, &ts_other) != iss && ts_other != ts,
           "%s: another secret, another number", family);
        for (size_t i = 0; i < 1000; i++) {
            t.remote_port++;
            iss = iss_of(&key, &t, t0, &ts);
            steps[i] = iss - last;
            n_same_ts += ts == ts_last;
            last = iss;
            for (size_t k = 0; k < i; k++) {
                n_twice += steps[k] == steps[i];
            }
        }
        ok(n_twice <= 1, "%s: from port to port no step is the same (%u)", family, n_twice);
        ok(n_same_ts <= 1, "%s: nor are timestamps", family);
    }
}

TEST(windows)
{
    FOR_EACH_VARIANT(v) {
        struct script *s = play_start(v, "< S 0 mss 1000 ws 14\n> SA 0 ack 1\n"
                                         "< A 1 ack 1 win 65535\n! open\n");

        is_int(play_info(s).snd_wnd, 65535u << 14, "a window of 1 GB is held as it is (%s)",
               v->name);
        play_end(s);
        s = play_start(v, "< S 0 mss 1000 ws 255\n> SA 0 ack 1\n< A 1 ack 1 win 3\n! open\n");
        is_int(play_info(s).snd_wnd, 3u << 14, "a shift of 255 is one of 14 (%s)", v->name);
        play_end(s);
        s = play_start(v, "< S 0 mss 1000\n> SA 0 ack 1\n< A 1 ack 1 win 40000\n! open\n");
        is_int(play_info(s).snd_wnd, 40000, "a window above 32767 is not negative (%s)", v->name);
        play_end(s);
    }
}

/* A peer that fills the window with segments of all sizes, a user that credits at its leisure. */
static void
edge_walk(const struct script_variant *v, bool scaled)
{
    struct script *s = play_new();
    struct prng prng;
    struct utcp_segment out[64];
    uint32_t snd = 1, edge, mss = 1500u - headers_of(v), n_left = 0, n_small = 0;
    uint32_t n_closed = 0, unit = 1, least, n_seen = 0;
    uint8_t shift;

    s->cfg.rcv_wnd_max = scaled ? 200000 : 60000;
    s->cfg.rcv_wnd_initial = 4000;

    bool good = play(s, v, scaled ? "< S 0 mss 1000 ws 3 sackok\n> SA 0 ack 1\n< A 1 ack 1\n"
                                  : "< S 0 mss 1000 sackok\n> SA 0 ack 1\n< A 1 ack 1\n");

    shift = scaled ? 2 : 0;
    /* What the shift rounds away is no move (RFC 7323 2.4). */
    unit <<= shift;
    least = scaled ? 2 * unit : 1;
    prng_init(&prng, 77);
    edge = 4001;
    for (int step = 0; step < 20000; step++) {
        uint32_t n = 1 + prng_below(&prng, mss), room = edge - snd;

        n = n < room ? n : room;
        n_closed += !room;
        if (n && prng_below(&prng, 8)) {
            play_inject(s, (struct wire_tcp) {
                .flags = TCP_ACK, .seq = s->isn + snd, .ack = s->iss + 1 }, n);
            snd += n;
        } else if (room > 1) {        /* Out of order: the edge must stand. */
            play_inject(s, (struct wire_tcp) {
                .flags = TCP_ACK, .seq = s->isn + snd + room - 1, .ack = s->iss + 1 }, 1);
        }
        utcp_credit(s->u, s->conn, prng_below(&prng, 3) ? 0 : prng_below(&prng, 2 * mss));
        if (prng_below(&prng, 4) == 0) {
            script_pass_time(s, prng_below(&prng, 1500) * CLOCK_MSEC);
        }

        unsigned int n_out = play_drain(s, out, 64);

        for (unsigned int i = 0; i < n_out && i < 64; i++) {
            uint32_t at = out[i].tcp.ack - s->isn + ((uint32_t) out[i].tcp.wnd << shift);

            uint32_t open = at - (out[i].tcp.ack - s->isn);

            n_left += (int32_t) (at - edge) <= -(int32_t) unit;
            /* A window of one segment opens by less, but never to less. */
            n_small += (int32_t) (at - edge) >= (int32_t) least && at - edge < mss - 12
                       && open < mss - 12;
            edge = (int32_t) (at - edge) > 0 ? at : edge;
        }
        snd = snd < 1 + s->received ? 1 + s->received : snd;
        for (; n_seen < s->n_events; n_seen++) {
            good &= !s->event_bad[n_seen % SCRIPT_MAX_EVENTS];
        }
    }
    ok(good && s->received > 100000, "%u octets, %s (%s)", s->received,
       scaled ? "scaled" : "unscaled", v->name);
    ok(n_closed > 100, "the window was closed at times");
    is_int(n_left, 0, "its right edge has never moved left, %s (%s)",
           scaled ? "scaled" : "unscaled", v->name);
    is_int(n_small, 0, "and never right to or by less than a segment, %s (%s)",
           scaled ? "scaled" : "unscaled", v->name);
    play_end(s);
}

TEST(right_edge)
{
    FOR_EACH_VARIANT(v) {
        edge_walk(v, false);
        edge_walk(v, true);
    }
}

#define FULL                                                            \
    "set rcv_wnd_initial 2048\nset rcv_wnd_max 2048\n"                  \
    OPEN                                                                \
    "< A 1:1000 ack 1\n! data 1000\n< A 1001:1048 ack 1\n! data 1048\n" \
    "> A 1 ack 2049 win 0\n"

TEST(own_zero_window)
{
    script("a closed window: each probe is answered, for as long as it takes",
           FULL
           "< A 2049:1 ack 1\n> A 1 ack 2049 win 0\n"
           "+60000\n< A 2049:1 ack 1\n> A 1 ack 2049 win 0\n"
           "+86400000\n< A 2049:1 ack 1\n> A 1 ack 2049 win 0\n"
           "+86400000\n< A 2049:1 ack 1\n> A 1 ack 2049 win 0\n"
           "!.\nstate ESTABLISHED\n"
           "credit 2048\n> A 1 ack 2049 win 2048\n"
           "< A 2049:1 ack 1\n! data 1\n> A 1 ack 2050\n");
    script("a closed window: ACK and URG are processed",
           FULL
           "send 4\n> PA 1:4 ack 2049 win 0\n"
           "< UA 2049 ack 5 urg 100\ndrop none\n>.\n"
           "+5000\n>.\nstat retransmitted 0\n"
           "send 4\n> PA 5:4 ack 2049 win 0\n"
           "< UPA 2049:9 ack 9 urg 4\n> A 9 ack 2049 win 0\n"
           "+5000\n>.\nstat retransmitted 0\n!.\n");
    script("a closed window: SYN and RST are judged as ever",
           FULL
           "< S 2049\ndrop bad_syn\n> A 1 ack 2049 win 0\n"
           "< R 2048\ndrop out_of_window\n< R 2050\ndrop out_of_window\n>.\n"
           "< R 2049\n! closed reset\n");
    script("a closed window: retransmissions of what was taken are answered",
           FULL
           "< A 1001:1048 ack 1\ndrop out_of_window\n> A 1 ack 2049 win 0\n"
           "< A 2050 ack 1\ndrop out_of_window\n> A 1 ack 2049 win 0\n!.\n");
}

TEST(shrinking_window)
{
    script("the window shrinks to nothing: old data does as a probe, for as long as it is answered",
           "set r2_us 100000000\n"
           "< S 0 mss 1000\n> SA 0 ack 1\n+100\n< A 1 ack 1 win 4000\n! open\n"
           "send 4000\n> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> PA 3001:1000\n"
           "< A 1 ack 1 win 0\n>.\n"
           "+302\n> A 1:1000\n< A 1 ack 1 win 0\n"
           "+600\n> A 1:1000\n< A 1 ack 1 win 0\n"
           "+1200\n> A 1:1000\n< A 1 ack 1 win 0\n"
           "+2400\n> A 1:1000\n< A 1 ack 1 win 0\n"
           "+4800\n> A 1:1000\n< A 1 ack 1 win 0\n"
           "+9600\n> A 1:1000\n< A 1 ack 1 win 0\n"
           "+19200\n> A 1:1000\n< A 1 ack 1 win 0\n"
           "+38400\n> A 1:1000\n< A 1 ack 1 win 0\n"
           "+60000\n> A 1:1000\n< A 1 ack 1 win 0\n"
           "+60000\n> A 1:1000\n< A 1 ack 1 win 0\n"
           "+60000\n> A 1:1000\n"
           "state ESTABLISHED\nstat timeouts 0\n"
           "< A 1 ack 4001 win 4000\n"
           "send 10\n> PA 4001:10\n");
    script("the window shrinks below what was sent: nothing new until it has grown past it",
           OPEN
           "< A 1 ack 1 win 4000\n"
           "send 6000\n> A 1:1000\n> A 1001:1000\n> A 2001:1000\n> A 3001:1000\n>.\n"
           "< A 1 ack 1001 win 500\n>.\n"
           "< A 1 ack 2001 win 1500\n>.\n"
           "< A 1 ack 4001 win 500\n>.\n"
           "< A 1 ack 4001 win 1500\n> A 4001:1000\n>.\n");
}

TEST(urgent)
{
    script("urgent data of more than 64 kB is taken in line",
           "set rcv_wnd_max 1000000\n"
           "< S 0 mss 1000 ws 2\n> SA 0 ack 1\n< A 1 ack 1\n! open\n"
           "< UA 1:30000 ack 1 urg 65535\n! data 30000\ncredit 30000\n> A 1 ack 30001\n"
           "< UA 30001:30000 ack 1 urg 65535\n! data 30000\ncredit 30000\n> A 1 ack 60001\n"
           "< UA 60001:30000 ack 1 urg 30000\n! data 30000\ncredit 30000\n> A 1 ack 90001\n");
    script("the urgent pointer may point before, into, to the end of and behind the text",
           OPEN
           "< UA 1:4 ack 1 urg 0\n! data 4\n< UA 5:4 ack 1 urg 1\n! data 4\n"
           "< UA 9:4 ack 1 urg 4\n! data 4\n< UA 13:4 ack 1 urg 5\n! data 4\n"
           "< UA 17 ack 1 urg 9\n> A 1 ack 17\n");
    script("urgent text out of order is kept like any other",
           OPEN
           "< UA 11:10 ack 1 urg 3\n> A 1 ack 1 sack 11-21\n"
           "< UA 1:10 ack 1 urg 20\n! data 10\n! data 10\n> A 1 ack 21\n");
    script("we never send urgent data", OPEN "send 10\n> PA 1:10\n");
}

TEST(keep_alive)
{
    script("keep-alive: anything that comes starts the interval anew",
           "set keep_alive_us 10000000\n" OPEN
           "+9000\n>.\n"
           "< PA 1:5 ack 1\n! data 5\n> A 1 ack 6\n"
           "+9000\n>.\n"
           "< A 6 ack 1\n"
           "+9000\n>.\n"
           "+1002\n> A 0 ack 6\n");
    script("keep-alive: not while data is on its way",
           "set keep_alive_us 1000000\n"
           "< S 0 mss 1000\n> SA 0 ack 1\n+100\n< A 1 ack 1\n! open\n"
           "send 10\n> PA 1:10\n"
           "+302\n> PA 1:10\n+600\n> PA 1:10\n+1200\n> PA 1:10\n+2400\n! r1\n> PA 1:10\n"
           "+4800\n> PA 1:10\n>.\n+9600\n> PA 1:10\n>.\n+19200\n> PA 1:10\n>.\n"
           "+38400\n> PA 1:10\n>.\n");
    script("keep-alive: not while the peer's window is being probed",
           "set keep_alive_us 1000000\n"
           "< S 0 mss 1000\n> SA 0 ack 1\n+100\n< A 1 ack 1 win 0\n! open\n"
           "send 10\n>.\n"
           "+302\n> A 1:1\n>.\n< A 1 ack 1 win 0\n"
           "+600\n> A 1:1\n>.\n< A 1 ack 1 win 0\n"
           "+1200\n> A 1:1\n>.\n< A 1 ack 1 win 0\n"
           "+2400\n> A 1:1\n>.\n< A 1 ack 1 win 0\n"
           "+4800\n> A 1:1\n>.\n");
    script("a peer's keep-alive with an octet of garbage is answered, the octet is not taken",
           OPEN
           "< PA 1:5 ack 1\n! data 5\n> A 1 ack 6\n"
           "< A 5:1 ack 1\n> A 1 ack 6\n!.\n");
}

/* Four services, one client with the same port towards each. */
TEST(several_services)
{
    static const char *const locals[2][2] = {
        { "10.0.0.1", "10.0.0.9" }, { "2001:db8::1", "2001:db8::9" },
    };
    static const char *const remotes[2] = { "10.0.0.2", "2001:db8::2" };
    static const uint16_t ports[2] = { 1883, 8883 };
    static const struct utcp_path path;

    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        const char *family = is_v6 ? "IPv6" : "IPv4";
        struct utcp_config cfg;
        struct utcp_tuple t[4];
        uint32_t iss[4];
        utcp_id id[4];
        struct utcp_segment out;
        struct utcp_event ev;
        struct utcp_info info;
        uint8_t buf[2000];
        bool good = true;

        utcp_config_default(&cfg);
        cfg.port = 0;
        cfg.ttl = 17;

        struct utcp *u = utcp_create(&cfg, 0);

        for (int i = 0; i < 4; i++) {
            struct wire_tcp syn = { .flags = TCP_SYN, .seq = 100, .wnd = 1000 };
            struct wire_tcp ack = { .flags = TCP_ACK, .seq = 101, .wnd = 1000 };

            addr_parse(&t[i].local, locals[is_v6][i / 2]);
            addr_parse(&t[i].remote, remotes[is_v6]);
            t[i].local_port = ports[i % 2];
            t[i].remote_port = 7777;
            utcp_input(u, &t[i], &syn, &path, 0);
            good &= utcp_next_segment(u, 0, &out, buf, sizeof buf)
                    && addr_equal(&out.tuple.local, &t[i].local) && out.ttl == 17
                    && out.tcp.src_port == t[i].local_port;
            iss[i] = out.tcp.seq;
            ack.ack = iss[i] + 1;
            utcp_input(u, &t[i], &ack, &path, 0);
            good &= utcp_next_event(u, &ev) && ev.type == UTCP_EV_OPEN;
            id[i] = ev.conn;
        }
        ok(good, "%s: four services, each answers from its own address and port", family);
        for (int i = 0; i < 4; i++) {
            struct wire_tcp data = {
                .flags = TCP_ACK, .seq = 101, .ack = iss[i] + 1, .wnd = 1000,
                .payload = { (const uint8_t *) "abcd" + i, 1 },
            };

            good &= utcp_input(u, &t[i], &data, &path, 1) == UTCP_ACCEPTED
                    && utcp_next_event(u, &ev) && ev.conn == id[i] && ev.type == UTCP_EV_DATA
                    && ev.data.n == 1 && *ev.data.p == 'a' + i;
            good &= utcp_next_segment(u, 1, &out, buf, sizeof buf) && out.ttl == 17
                    && addr_equal(&out.tuple.local, &t[i].local)
                    && out.tcp.src_port == t[i].local_port && out.tcp.ack == 102;
        }
        ok(good, "%s: each has its own data", family);

        struct wire_tcp rst = { .flags = TCP_RST, .seq = 102 };

        utcp_input(u, &t[1], &rst, &path, 2);
        good &= utcp_next_event(u, &ev) && ev.conn == id[1] && ev.type == UTCP_EV_CLOSED;
        utcp_run(u, 2);
        for (int i = 0; i < 4; i++) {
            good &= utcp_info(u, id[i], &info) == (i != 1);
        }
        ok(good, "%s: the end of one disturbs no other", family);
        utcp_destroy(u);
    }
}

int
main(void)
{
    RUN(order_of_checks);
    RUN(text_by_state);
    RUN(closing_under_loss);
    RUN(what_a_syn_carries);
    RUN(mss);
    RUN(path_mtu);
    RUN(initial_sequence_numbers);
    RUN(windows);
    RUN(right_edge);
    RUN(own_zero_window);
    RUN(shrinking_window);
    RUN(urgent);
    RUN(keep_alive);
    RUN(several_services);
    return done_testing();
}
