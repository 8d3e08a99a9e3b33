/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* RFC 9293 3.10.7 as a table: every state, every combination of flags, with and without text,
 * sequence numbers at, in, below and beyond the window, acknowledgments good, new, too new and old.
 * What must happen is computed here from the RFC's text, in its order, and compared with what the
 * endpoint does: verdict, answer, state. */
#include "unit/utcp-script.h"

struct where {                        /* A state, and how to get there. */
    const char *name;
    enum utcp_state state;
    uint32_t rcv_nxt, snd_una, snd_nxt;
    const char *script;
};

#define OPEN "< S 0 mss 1000 sackok\n> SA 0 ack 1\n< A 1 ack 1\n! open\n"
static const struct where wheres[] = {
    { "LISTEN", UTCP_LISTEN, 1, 1, 1, "+0\n" },
    { "SYN-RECEIVED", UTCP_SYN_RECEIVED, 1, 1, 1, "< S 0 mss 1000 sackok\n> SA 0 ack 1\n" },
    { "ESTABLISHED", UTCP_ESTABLISHED, 1, 1, 1, OPEN },
    { "FIN-WAIT-1", UTCP_FIN_WAIT_1, 1, 1, 2, OPEN "close\n> FA 1\n" },
    { "FIN-WAIT-2", UTCP_FIN_WAIT_2, 1, 2, 2, OPEN "close\n> FA 1\n< A 1 ack 2\n" },
    { "CLOSE-WAIT", UTCP_CLOSE_WAIT, 2, 1, 1, OPEN "< FA 1 ack 1\n! fin\n> A 1 ack 2\n" },
    { "CLOSING", UTCP_CLOSING, 2, 1, 2, OPEN "close\n> FA 1\n< FA 1 ack 1\n! fin\n> A 2 ack 2\n" },
    { "LAST-ACK", UTCP_LAST_ACK, 2, 1, 2,
      OPEN "< FA 1 ack 1\n! fin\n> A 1 ack 2\nclose\n> FA 1\n" },
    { "TIME-WAIT", UTCP_TIME_WAIT, 2, 2, 2,
      OPEN "close\n> FA 1\n< FA 1 ack 2\n! fin\n! closed normal\n> A 2 ack 2\n" },
};

enum place { AT_WINDOW, IN_WINDOW, BELOW_WINDOW, BEYOND_WINDOW, N_PLACES };
enum acks { ACKS_UNA, ACKS_NXT, ACKS_TOO_MUCH, ACKS_TOO_OLD, N_ACKS };
enum answer { NOTHING, AN_ACK, AN_RST, A_SYN_ACK };

struct outcome {
    enum utcp_verdict verdict;
    enum answer answer;
    enum utcp_state state;            /* UTCP_CLOSED: there is no connection, as in LISTEN. */
};

#define OUTCOME(VERDICT, ANSWER, STATE) ((struct outcome) { VERDICT, ANSWER, STATE })

static bool
is_acked(enum acks a, const struct where *w)
{
    return a == ACKS_NXT || (a == ACKS_UNA && w->snd_una == w->snd_nxt);
}

/* 3.10.7.2. */
static struct outcome
in_listen(uint8_t flags)
{
    if (flags & TCP_RST) {
        return OUTCOME(UTCP_DROP_no_connection, NOTHING, UTCP_CLOSED);
    } else if (flags & TCP_ACK) {
        return OUTCOME(UTCP_DROP_no_connection, AN_RST, UTCP_CLOSED);
    } else if (flags & TCP_SYN) {
        return OUTCOME(UTCP_ACCEPTED, A_SYN_ACK, UTCP_SYN_RECEIVED);
    }
    return OUTCOME(UTCP_DROP_no_connection, NOTHING, UTCP_CLOSED);
}

/* 3.10.7.4, SYN-RECEIVED; an ACK of ours is a SYN-ACK there. */
static struct outcome
in_syn_received(uint8_t flags, enum place p, enum acks a)
{
    if (p >= BELOW_WINDOW) {
        return OUTCOME(UTCP_DROP_out_of_window, flags & TCP_RST ? NOTHING : A_SYN_ACK,
                       UTCP_SYN_RECEIVED);
    } else if (flags & TCP_RST) {
        return p == AT_WINDOW ? OUTCOME(UTCP_ACCEPTED, NOTHING, UTCP_CLOSED)
                              : OUTCOME(UTCP_DROP_bad_rst, A_SYN_ACK, UTCP_SYN_RECEIVED);
    } else if (flags & TCP_SYN) {
        return OUTCOME(UTCP_DROP_bad_syn, A_SYN_ACK, UTCP_SYN_RECEIVED);
    } else if (!(flags & TCP_ACK)) {
        return OUTCOME(UTCP_DROP_no_ack, NOTHING, UTCP_SYN_RECEIVED);
    } else if (a >= ACKS_TOO_MUCH) {
        return OUTCOME(UTCP_DROP_bad_ack, AN_RST, UTCP_SYN_RECEIVED);
    } else if (flags & TCP_FIN) {
        return OUTCOME(UTCP_ACCEPTED, AN_ACK,
                       p == AT_WINDOW ? UTCP_CLOSE_WAIT : UTCP_ESTABLISHED);
    }
    return OUTCOME(UTCP_ACCEPTED, NOTHING, UTCP_ESTABLISHED);
}

static struct outcome
in_time_wait(uint8_t flags, enum place p)
{
    if (flags & TCP_RST) {            /* RFC 1337, RFC 5961. */
        return p == AT_WINDOW ? OUTCOME(UTCP_ACCEPTED, NOTHING, UTCP_CLOSED)
                              : OUTCOME(UTCP_DROP_bad_rst, NOTHING, UTCP_TIME_WAIT);
    } else if (flags & TCP_SYN) {     /* RFC 6191: a new connection begins beyond the old. */
        return !(flags & TCP_ACK) && (p == IN_WINDOW || p == BEYOND_WINDOW)
               ? OUTCOME(UTCP_ACCEPTED, A_SYN_ACK, UTCP_SYN_RECEIVED)
               : OUTCOME(UTCP_DROP_bad_syn, AN_ACK, UTCP_TIME_WAIT);
    } else if (!(flags & TCP_ACK)) {
        return OUTCOME(UTCP_DROP_no_ack, NOTHING, UTCP_TIME_WAIT);
    } else if (flags & TCP_FIN || p != AT_WINDOW) {
        return OUTCOME(UTCP_DROP_out_of_window, AN_ACK, UTCP_TIME_WAIT);
    }
    return OUTCOME(UTCP_ACCEPTED, NOTHING, UTCP_TIME_WAIT);
}

/* 3.10.7.4, the synchronized states. */
static struct outcome
in_synchronized(const struct where *w, uint8_t flags, enum place p, enum acks a)
{
    enum utcp_state state = w->state;
    enum answer answer = NOTHING;

    if (p >= BELOW_WINDOW) {          /* First. */
        return flags & TCP_RST ? OUTCOME(UTCP_DROP_out_of_window, NOTHING, state)
               : flags & TCP_SYN ? OUTCOME(UTCP_DROP_bad_syn, AN_ACK, state)
               : OUTCOME(UTCP_DROP_out_of_window, AN_ACK, state);
    }
    if (flags & TCP_RST) {            /* Second; RFC 5961 section 3. */
        return p == AT_WINDOW ? OUTCOME(UTCP_ACCEPTED, NOTHING, UTCP_CLOSED)
                              : OUTCOME(UTCP_DROP_bad_rst, AN_ACK, state);
    }
    if (flags & TCP_SYN) {            /* Fourth; RFC 5961 section 4. */
        return OUTCOME(UTCP_DROP_bad_syn, AN_ACK, state);
    }
    if (!(flags & TCP_ACK)) {         /* Fifth. */
        return OUTCOME(UTCP_DROP_no_ack, NOTHING, state);
    }
    if (a >= ACKS_TOO_MUCH) {         /* RFC 5961 section 5. */
        return OUTCOME(UTCP_DROP_bad_ack, AN_ACK, state);
    }
    if (is_acked(a, w)) {
        if (state == UTCP_FIN_WAIT_1) {
            state = UTCP_FIN_WAIT_2;
        } else if (state == UTCP_CLOSING) {
            return OUTCOME(UTCP_ACCEPTED, NOTHING, UTCP_TIME_WAIT);
        } else if (state == UTCP_LAST_ACK) {
            return OUTCOME(UTCP_ACCEPTED, NOTHING, UTCP_CLOSED);
        }
    }
    if (flags & TCP_FIN               /* Eighth. */
        && (state == UTCP_ESTABLISHED || state == UTCP_FIN_WAIT_1 || state == UTCP_FIN_WAIT_2)) {
        answer = AN_ACK;
        if (p == AT_WINDOW) {
            state = state == UTCP_ESTABLISHED ? UTCP_CLOSE_WAIT
                    : state == UTCP_FIN_WAIT_1 ? UTCP_CLOSING : UTCP_TIME_WAIT;
        }
    }
    return OUTCOME(UTCP_ACCEPTED, answer, state);
}

static struct outcome
expected(const struct where *w, uint8_t flags, enum place p, enum acks a)
{
    return w->state == UTCP_LISTEN ? in_listen(flags)
           : w->state == UTCP_SYN_RECEIVED ? in_syn_received(flags, p, a)
           : w->state == UTCP_TIME_WAIT ? in_time_wait(flags, p)
           : in_synchronized(w, flags, p, a);
}

/* Text changes nothing but that it is answered where it is taken, which is the seventh step, and
 * where TIME-WAIT finds something that it has not seen. */
static struct outcome
expected_with_text(const struct where *w, uint8_t flags, enum place p, enum acks a)
{
    struct outcome o = expected(w, flags, p, a);
    bool is_over = o.state == UTCP_CLOSED || (o.state == UTCP_TIME_WAIT && !(flags & TCP_FIN));

    if (flags & (TCP_RST | TCP_SYN) || !(flags & TCP_ACK)) {
        return o;
    }
    if (w->state == UTCP_TIME_WAIT) {
        return OUTCOME(UTCP_DROP_out_of_window, AN_ACK, UTCP_TIME_WAIT);
    }
    if (o.verdict == UTCP_ACCEPTED && !is_over
        && (w->state == UTCP_SYN_RECEIVED || w->state == UTCP_ESTABLISHED
            || w->state == UTCP_FIN_WAIT_1 || w->state == UTCP_FIN_WAIT_2)) {
        o.answer = AN_ACK;
    }
    return o;
}

/* The state as it is seen from outside. */
static enum utcp_state
actual_state(struct script *s)
{
    struct utcp_memory m;
    struct utcp_info info;

    utcp_run(s->u, s->now);           /* Frees the dead. */
    utcp_memory(s->u, &m);
    return m.n_half_open ? UTCP_SYN_RECEIVED
           : m.n_time_wait ? UTCP_TIME_WAIT
           : utcp_info(s->u, s->conn, &info) ? info.state : UTCP_CLOSED;
}

static enum answer
actual_answer(struct script *s, unsigned int *n)
{
    struct utcp_segment seg;
    enum answer answer = NOTHING;

    for (*n = 0; utcp_next_segment(s->u, s->now, &seg, s->buf, sizeof s->buf); ++*n) {
        answer = seg.tcp.flags & TCP_RST ? AN_RST : seg.tcp.flags & TCP_SYN ? A_SYN_ACK : AN_ACK;
    }
    return answer;
}

enum text { NO_TEXT = 0, TEXT = 5 };

static bool
try_one(const struct where *w, const struct script_variant *v, uint8_t flags, unsigned int pa,
        enum text text)
{
    enum place p = pa / N_ACKS;
    enum acks a = pa % N_ACKS;
    static const int place_off[] = { 0, 100, -10, 100000 };
    struct script *s = calloc(1, sizeof *s);
    char *copy = strdup(w->script), *save = NULL;
    unsigned int n;
    bool good = true;

    utcp_config_default(&s->cfg);
    s->cfg.rcv_wnd_initial = 65535;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        good &= script_line(s, v, line);
    }
    free(copy);

    struct wire_tcp t = {
        .flags = flags,
        .seq = s->isn + w->rcv_nxt + (uint32_t) place_off[p],
        .ack = s->iss + (a == ACKS_UNA ? w->snd_una : a == ACKS_NXT ? w->snd_nxt
                         : a == ACKS_TOO_MUCH ? w->snd_nxt + 1 : w->snd_una - 70000),
        .wnd = 65535,
        .urg = 3,
        .payload = { .p = s->in, .n = text },
    };
    struct outcome want = text ? expected_with_text(w, flags, p, a) : expected(w, flags, p, a);

    for (uint32_t i = 0; i < text; i++) {
        s->in[i] = script_octet(t.seq - s->isn + i);
    }
    enum utcp_verdict verdict = utcp_input(s->u, &s->tuple, &t, &s->path, s->now);

    script_events(s);

    enum answer answer = actual_answer(s, &n);
    enum utcp_state state = actual_state(s);

    if (!good || verdict != want.verdict || answer != want.answer || n > 1
        || state != want.state) {
        diag("%s, flags %x, %d octets, place %d, ack %d: verdict %d want %d, answer %d want %d "
             "(%u), state %s want %s", w->name, flags, (int) text, (int) p, (int) a, verdict,
             want.verdict, answer, want.answer, n, utcp_state_name(state),
             utcp_state_name(want.state));
        good = false;
    }
    utcp_destroy(s->u);
    free(s);
    return good;
}

TEST(every_state_and_flag)
{
    for (size_t i = 0; i < sizeof wheres / sizeof *wheres; i++) {
        for (unsigned int f = 0; f < 16; f++) {
            uint8_t flags = (uint8_t) ((f & 7) | (f & 8 ? TCP_ACK : 0));
            bool good = true;

            for (unsigned int v = 0; v < 4; v++) {
                for (unsigned int pa = 0; pa < N_PLACES * N_ACKS; pa++) {
                    good &= try_one(&wheres[i], &script_variants[v], flags, pa, NO_TEXT);
                    good &= try_one(&wheres[i], &script_variants[v], flags, pa, TEXT);
                }
            }
            ok(good, "%s:%s%s%s%s", wheres[i].name, flags & TCP_FIN ? " FIN" : "",
               flags & TCP_SYN ? " SYN" : "", flags & TCP_RST ? " RST" : "",
               flags & TCP_ACK ? " ACK" : "");
        }
    }
}

/* PSH, URG, ECE and CWR change nothing of that, alone or together.  The variants take turns. */
TEST(every_other_flag)
{
    for (size_t i = 0; i < sizeof wheres / sizeof *wheres; i++) {
        bool good = true;
        unsigned int turn = 0;

        for (unsigned int f = 0; f < 256; f++) {
            for (unsigned int pa = 0; pa < N_PLACES * N_ACKS; pa++) {
                const struct script_variant *v = &script_variants[turn++ % 4];

                good &= try_one(&wheres[i], v, (uint8_t) f, pa, turn & 4 ? TEXT : NO_TEXT);
            }
            turn++;                   /* So that none falls into step with the places. */
        }
        ok(good, "%s: all 256 combinations of flags", wheres[i].name);
    }
}

TEST(blind_attacks)
{
    script("RST: every place in the window but the first is challenged (RFC 5961 section 3)",
           OPEN
           "< R 2\ndrop bad_rst\n> A 1 ack 1\n"
           "< R 65535\ndrop bad_rst\n> A 1 ack 1\n"
           "< R 65536\ndrop out_of_window\n>.\n"
           "< R 0\ndrop out_of_window\n>.\n"
           "state ESTABLISHED\n"
           "< R 1\n! closed reset\n");
    script("SYN anywhere is challenged (section 4)",
           OPEN
           "< S 0\ndrop bad_syn\n> A 1 ack 1\n"
           "< S 1\ndrop bad_syn\n> A 1 ack 1\n"
           "< S 2\ndrop bad_syn\n> A 1 ack 1\n"
           "< S 1000000\ndrop bad_syn\n> A 1 ack 1\n"
           "< SA 1 ack 1\ndrop bad_syn\n> A 1 ack 1\n"
           "state ESTABLISHED\n");
    script("text with an ACK outside of the window is not taken (section 5)",
           "< S 0 mss 1000\n> SA 0 ack 1\n< A 1 ack 1 win 1000\n! open\n"
           "send 10\n> PA 1:10\n"
           "< PA 1:5 ack 12 win 1000\ndrop bad_ack\n> A 11 ack 1\n"
           "< PA 1:5 ack -1000 win 1000\ndrop bad_ack\n> A 11 ack 1\n"
           "!.\n"
           "< PA 1:5 ack -999 win 1000\ndrop none\n! data 5\n> A 11 ack 6\n");
    script("challenges are limited per connection and second (section 7)",
           OPEN
           "+1000\n"
           "< R 2\n> A 1\n< R 2\n> A 1\n< R 2\n> A 1\n< R 2\n> A 1\n< R 2\n> A 1\n"
           "< R 2\n> A 1\n< R 2\n> A 1\n< R 2\n> A 1\n< R 2\n> A 1\n< R 2\n> A 1\n"
           "< R 2\n>.\n"
           "stat challenge_acks 10\n"
           "stat challenge_acks_limited 1\n"
           "+1000\n"
           "< R 2\n> A 1\n");
}

TEST(timestamps)
{
    static const char open_ts[] = "< S 0 mss 1000 sackok ts 1000\n"
                                  "> SA 0 ack 1 ecr 1000\n"
                                  "< A 1 ack 1 ts 1000\n"
                                  "! open\n";
    char text[2048];

#define TS(NAME, TEXT)                                  \
    snprintf(text, sizeof text, "%s%s", open_ts, TEXT); \
    script(NAME, text)
    TS("PAWS: an older timestamp is dropped and answered (RFC 7323 5.3)",
       "< PA 1:5 ack 1 ts 1010\n! data 5\n> A 1 ack 6 ecr 1010\n"
       "< PA 6:5 ack 1 ts 1009\ndrop paws\n> A 1 ack 6 ecr 1010\n!.\n"
       "< PA 6:5 ack 1 ts 1010\n! data 5\n> A 1 ack 11\n");
    TS("PAWS: late text that was sent again is reported by DSACK, however much (RFC 2883)",
       "< A 1:1000 ack 1 ts 2000\n! data 1000\n> A 1 ack 1001 ecr 2000\n"
       "< A 1:50 ack 1 ts 1997\ndrop paws\n> A 1 ack 1001 sack 1-51\n>.\n"
       "< A 1:50 ack 1 ts 1997\n< A 51:50 ack 1 ts 1997\n< A 101:50 ack 1 ts 1997\n"
       "> A 1 sack 1-51\n> A 1 sack 51-101\n> A 1 sack 101-151\n>.\n"
       "< A 1:50 ack 1 ts 1997\n< A 51:50 ack 1 ts 1997\n< A 101:50 ack 1 ts 1997\n"
       "> A 1 sack 1-51\n> A 1 sack 51-101\n> A 1 sack 101-151\n>.\n"
       "< A 1:50 ack 1 ts 1997\n< A 51:50 ack 1 ts 1997\n< A 101:50 ack 1 ts 1997\n"
       "> A 1 sack 1-51\n> A 1 sack 51-101\n> A 1 sack 101-151\n>.\n"
       "< A 1:50 ack 1 ts 1997\n> A 1 ack 1001 sack 1-51\n>.\n!.\n"
       "stat challenge_acks 0\nstat duplicates 11\n");
    TS("PAWS: RST is exempt",
       "< R 1 ts 5\n! closed reset\n");
    TS("PAWS: after 24 days anything goes (5.5)",
       "< PA 1:5 ack 1 ts 1010\n! data 5\n> A 1 ack 6\n"
       "+2073500000\n"
       "< PA 6:5 ack 1 ts 1\ndrop paws\n> A 1 ack 6\n"
       "+200000\n"
       "< PA 6:5 ack 1 ts 1\n! data 5\n> A 1 ack 11 ecr 1\n");
    TS("a segment without the option is dropped (3.2)",
       "< PA 1:5 ack 1\ndrop no_timestamp\n>.\n!.\n");
    TS("TSecr: out of order does not change what is echoed (4.3)",
       "< PA 11:5 ack 1 ts 1020\n> A 1 ack 1 ecr 1000 sack 11-16\n"
       "< PA 1:10 ack 1 ts 1030\n! data 10\n! data 5\n> A 1 ack 16 ecr 1030\n");
    TS("TSecr: the earlier of two segments that one ACK answers",
       "< A 1:5 ack 1 ts 1020\n! data 5\n"
       "< A 6:5 ack 1 ts 1030\n! data 5\n"
       "> A 1 ack 11 ecr 1020\n");
    TS("the clock ticks in milliseconds and is not the machine's",
       "send 1\n> PA 1:1 ecr 1000\n< A 1 ack 2 ts 1001\n");
#undef TS
    script("an option that was not negotiated is ignored",
           OPEN
           "< PA 1:5 ack 1 ts 77\n! data 5\n> A 1 ack 6 nots\n");
}

TEST(time_wait)
{
#define TIME_WAIT OPEN "close\n> FA 1\n< FA 1 ack 2\n! fin\n! closed normal\n> A 2 ack 2\n"
    script("a SYN with a higher sequence number opens anew (MAY-2)",
           TIME_WAIT
           "< S 1000 mss 1000\n"
           "> SA 0 ack 1001\n"
           "< A 1001 ack 1\n"
           "! open\n");
    script("a SYN with a lower one does not",
           TIME_WAIT
           "< S 1 mss 1000\n"
           "> A 2 ack 2\n"
           "drop bad_syn\n");
    script("with timestamps the newer one decides (RFC 6191)",
           "< S 0 mss 1000 ts 1000\n> SA 0 ack 1\n< A 1 ack 1 ts 1000\n! open\n"
           "close\n> FA 1\n< FA 1 ack 2 ts 1001\n! fin\n! closed normal\n> A 2 ack 2\n"
           "< S -5000 mss 1000 ts 1000\n"
           "> A 2 ack 2\n"
           "< S -5000 mss 1000 ts 1002\n"
           "> SA 0 ack -4999\n");
    script("ACKs from TIME-WAIT are limited: two ends could answer each other for ever",
           TIME_WAIT
           "+1000\n"
           "< A 1 ack 2\n> A 2\n< A 1 ack 2\n> A 2\n< A 1 ack 2\n> A 2\n< A 1 ack 2\n> A 2\n"
           "< A 1 ack 2\n> A 2\n< A 1 ack 2\n> A 2\n< A 1 ack 2\n> A 2\n< A 1 ack 2\n> A 2\n"
           "< A 1 ack 2\n> A 2\n< A 1 ack 2\n> A 2\n< A 1 ack 2\n>.\n");
    script("it ends",
           "set time_wait_us 5000000\n"
           TIME_WAIT
           "+4999\n"
           "< A 1 ack 2\n> A 2 ack 2\n"
           "+2\n"
           "< A 1 ack 2\n> R 2\n");
}

int
main(void)
{
    RUN(every_state_and_flag);
    RUN(every_other_flag);
    RUN(blind_attacks);
    RUN(timestamps);
    RUN(time_wait);
    return done_testing();
}
