/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* TCP dialogues as text: an interpreter that plays a script against the endpoint, with a virtual
 * clock.  Sequence numbers are relative to each side's initial one; every octet of data is a
 * function of its number and is checked.  A script is played four times: IPv4 and IPv6, and with
 * both initial sequence numbers just below the wrap.  Included by one source file of a test.
 *
 *     # comment                              set NAME VALUE   (configuration, before all else)
 *     < FLAGS SEQ[:LEN] FIELD...             the client sends
 *     > FLAGS SEQ[:LEN] FIELD...             the next segment that comes out must match
 *     >.                                     nothing (more) comes out
 *     ! open|data N|fin|writable|r1|closed R   the next event must match     !.   no more events
 *     drop NAME                              the last '<' was dropped for this reason ("none")
 *     +MS                                    time passes; what is due is done when it is due
 *     send N  close  abort  credit N         calls of the user
 *     icmp soft|hard|big SEQ [MTU]           an ICMP error about the segment with SEQ
 *     dscp N  dscp-all N                     the user's setting: of this connection, of all
 *     state NAME  stat NAME N  gone          what is known of the connection, of the endpoint
 *
 * FIELDs: ack N, win N, mss N, ws N, sackok, ts VAL, ecr N, sack L-R[,L-R]..., urg N, nots, tos N
 * (the octet of the IP header: DSCP times 4, plus 1 or 2 for ECT, 3 for CE).  In '<', "ack" has ACK
 * set as a matter of course, "ts" echoes the last timestamp that came unless "ecr" says otherwise.
 * In '>' only what is given is compared, and "nosack", "nots" demand absence. */
#ifndef MP_TESTS_UNIT_UTCP_SCRIPT_H
#define MP_TESTS_UNIT_UTCP_SCRIPT_H 1

#include "unit/tap.h"
#include "utcp/utcp.h"

#define SCRIPT_MAX_EVENTS 256

struct script {
    struct utcp *u;
    struct utcp_config cfg;
    usec_t now;
    struct utcp_tuple tuple;
    struct utcp_path path;
    utcp_id conn;
    uint32_t isn, iss;                /* The client's, the endpoint's. */
    bool has_iss;
    uint32_t last_ts;                 /* TSval that came last. */
    uint32_t sent;                    /* Octets given to send. */
    uint32_t received;                /* Octets of DATA events. */
    enum utcp_verdict verdict;
    struct utcp_event events[SCRIPT_MAX_EVENTS];
    bool event_bad[SCRIPT_MAX_EVENTS];
    unsigned int n_events, event_head;
    uint8_t buf[65536], in[65536];
    char why[256];
};

struct script_variant {
    const char *name;
    bool is_v6, wraps;
};

static const struct script_variant script_variants[] = {
    { "IPv4", false, false }, { "IPv6", true, false },
    { "IPv4 at the wrap", false, true }, { "IPv6 at the wrap", true, true },
};

static inline uint8_t
script_octet(uint32_t rel)
{
    return (uint8_t) (rel * 31 + (rel >> 8));
}

#define SCRIPT_FAIL(S, ...) (snprintf((S)->why, sizeof (S)->why, __VA_ARGS__), false)

/* Fetches events and checks the data at once, while it is there. */
static void
script_events(struct script *s)
{
    struct utcp_event ev;

    while (utcp_next_event(s->u, &ev)) {
        unsigned int i = s->n_events++ % SCRIPT_MAX_EVENTS;

        s->events[i] = ev;
        s->event_bad[i] = false;
        if (ev.type == UTCP_EV_OPEN) {
            s->conn = ev.conn;
        } else if (ev.type == UTCP_EV_DATA) {
            for (uint32_t k = 0; k < ev.data.n; k++) {
                s->event_bad[i] |= ev.data.p[k] != script_octet(1 + s->received + k);
            }
            s->received += ev.data.n;
        }
    }
}

struct script_fields {
    uint8_t flags;
    uint32_t seq, len;
    bool has_ack, has_win, has_mss, has_ws, has_sackok, has_ts, has_ecr, has_sack, no_sack, no_ts;
    bool has_tos;
    uint32_t ack, win, mss, ws, ts, ecr, urg, tos;
    unsigned int n_sack;
    struct wire_sack_block sack[4];
};

static bool
script_parse_fields(struct script *s, char *text, struct script_fields *f)
{
    static const char letters[] = "FSRPAUEC";
    char *save, *word = strtok_r(text, " ", &save);

    memset(f, 0, sizeof *f);
    for (const char *p = word; p && *p; p++) {
        const char *at = strchr(letters, *p);

        if (at) {
            f->flags |= (uint8_t) (1 << (at - letters));
        } else if (*p != '-') {
            return SCRIPT_FAIL(s, "bad flags %s", word);
        }
    }
    word = strtok_r(NULL, " ", &save);
    if (!word) {
        return SCRIPT_FAIL(s, "no sequence number");
    }
    f->seq = (uint32_t) strtoll(word, &word, 0);
    f->len = *word == ':' ? (uint32_t) strtoul(word + 1, NULL, 0) : 0;
    while ((word = strtok_r(NULL, " ", &save))) {
        struct { const char *name; bool *has; uint32_t *value; } fields[] = {
            { "ack", &f->has_ack, &f->ack }, { "win", &f->has_win, &f->win },
            { "mss", &f->has_mss, &f->mss }, { "ws", &f->has_ws, &f->ws },
            { "ts", &f->has_ts, &f->ts }, { "ecr", &f->has_ecr, &f->ecr },
            { "urg", &(bool) { false }, &f->urg }, { "tos", &f->has_tos, &f->tos },
        };
        bool known = true;

        if (!strcmp(word, "sackok")) {
            f->has_sackok = true;
        } else if (!strcmp(word, "nosack")) {
            f->no_sack = true;
        } else if (!strcmp(word, "nots")) {
            f->no_ts = true;
        } else if (!strcmp(word, "sack")) {
            word = strtok_r(NULL, " ", &save);
            f->has_sack = true;
            while (word && *word && f->n_sack < 4) {
                f->sack[f->n_sack].left = (uint32_t) strtoll(word, &word, 0);
                f->sack[f->n_sack++].right = (uint32_t) strtoll(word + 1, &word, 0);
                word += *word == ',';
            }
        } else {
            known = false;
            for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
                if (!strcmp(word, fields[i].name)) {
                    word = strtok_r(NULL, " ", &save);
                    *fields[i].has = true;
                    *fields[i].value = word ? (uint32_t) strtoll(word, NULL, 0) : 0;
                    known = true;
                    break;
                }
            }
        }
        if (!known) {
            return SCRIPT_FAIL(s, "unknown field %s", word);
        }
    }
    return true;
}

static bool
script_in(struct script *s, char *text)
{
    struct script_fields f;

    if (!script_parse_fields(s, text, &f)) {
        return false;
    }

    struct wire_tcp t = {
        .src_port = s->tuple.remote_port,
        .dst_port = s->tuple.local_port,
        .seq = s->isn + f.seq,
        .ack = f.has_ack ? s->iss + f.ack : 0,
        .flags = f.flags,
        .wnd = f.has_win ? (uint16_t) f.win : 65535,
        .urg = (uint16_t) f.urg,
        .opts = {
            .has_mss = f.has_mss, .mss = (uint16_t) f.mss,
            .has_wscale = f.has_ws, .wscale = (uint8_t) f.ws,
            .sack_permitted = f.has_sackok,
            .has_ts = f.has_ts, .ts_val = f.ts,
            .ts_ecr = f.has_ecr ? f.ecr : s->last_ts,
            .n_sack = (uint8_t) f.n_sack,
        },
        .payload = { .p = s->in, .n = f.len },
    };

    for (unsigned int i = 0; i < f.n_sack; i++) {
        t.opts.sack[i].left = s->iss + f.sack[i].left;
        t.opts.sack[i].right = s->iss + f.sack[i].right;
    }
    for (uint32_t i = 0; i < f.len; i++) {
        s->in[i] = script_octet(f.seq + i);
    }
    s->path.tos = (uint8_t) f.tos;
    s->verdict = utcp_input(s->u, &s->tuple, &t, &s->path, s->now);
    script_events(s);
    memset(s->in, 0xee, f.len);
    return true;
}

static void
script_describe(const struct script *s, const struct wire_tcp *t, char *out, size_t size)
{
    static const char letters[] = "FSRPAUEC";
    int n = 0;

    for (int i = 0; i < 8; i++) {
        if (t->flags & 1 << i) {
            n += snprintf(out + n, size - (size_t) n, "%c", letters[i]);
        }
    }
    n += snprintf(out + n, size - (size_t) n, " %d:%u ack %d win %u", (int) (t->seq - s->iss),
                  t->payload.n, (int) (t->ack - s->isn), t->wnd);
    for (unsigned int i = 0; i < t->opts.n_sack; i++) {
        n += snprintf(out + n, size - (size_t) n, " %s%d-%d", i ? "" : "sack ",
                      (int) (t->opts.sack[i].left - s->isn),
                      (int) (t->opts.sack[i].right - s->isn));
    }
}

static bool
script_out(struct script *s, char *text)
{
    struct script_fields f;
    struct utcp_segment seg;
    char got[200];

    if (!strcmp(text, ".")) {
        if (!utcp_next_segment(s->u, s->now, &seg, s->buf, sizeof s->buf)) {
            return true;
        }
        script_describe(s, &seg.tcp, got, sizeof got);
        return SCRIPT_FAIL(s, "nothing expected, got %s", got);
    }
    if (!script_parse_fields(s, text, &f)) {
        return false;
    }
    if (!utcp_next_segment(s->u, s->now, &seg, s->buf, sizeof s->buf)) {
        return SCRIPT_FAIL(s, "no segment");
    }

    const struct wire_tcp *t = &seg.tcp;

    if (t->flags & TCP_SYN) {
        s->iss = t->seq;
    }
    if (t->opts.has_ts) {
        s->last_ts = t->opts.ts_val;
    }
    script_describe(s, t, got, sizeof got);
    if (!addr_equal(&seg.tuple.remote, &s->tuple.remote)
        || !addr_equal(&seg.tuple.local, &s->tuple.local)
        || t->src_port != s->tuple.local_port || t->dst_port != s->tuple.remote_port
        || memcmp(seg.path.opaque, s->path.opaque, sizeof seg.path.opaque)) {
        return SCRIPT_FAIL(s, "wrong address in %s", got);
    }
    if (t->flags != f.flags || t->seq != s->iss + f.seq || t->payload.n != f.len) {
        return SCRIPT_FAIL(s, "got %s", got);
    }
    if ((f.has_ack && t->ack != s->isn + f.ack) || (f.has_win && t->wnd != f.win)
        || (f.has_mss && (!t->opts.has_mss || t->opts.mss != f.mss))
        || (f.has_ws && (!t->opts.has_wscale || t->opts.wscale != f.ws))
        || (f.has_sackok && !t->opts.sack_permitted) || (f.no_sack && t->opts.n_sack)
        || (f.no_sack && t->opts.sack_permitted)
        || (f.has_ecr && (!t->opts.has_ts || t->opts.ts_ecr != f.ecr))
        || (f.no_ts && t->opts.has_ts) || (!(t->flags & TCP_SYN) && t->opts.has_mss)) {
        return SCRIPT_FAIL(s, "field differs: got %s ecr %u mss %u ws %u", got, t->opts.ts_ecr,
                           t->opts.mss, t->opts.wscale);
    }
    if (f.has_tos && seg.tos != f.tos) {
        return SCRIPT_FAIL(s, "tos %u in %s", seg.tos, got);
    }
    if (f.has_sack) {
        bool same = f.n_sack == t->opts.n_sack;

        for (unsigned int i = 0; same && i < f.n_sack; i++) {
            same = t->opts.sack[i].left == s->isn + f.sack[i].left
                   && t->opts.sack[i].right == s->isn + f.sack[i].right;
        }
        if (!same) {
            return SCRIPT_FAIL(s, "SACK differs: got %s", got);
        }
    }
    for (uint32_t i = 0; i < t->payload.n; i++) {
        if (t->payload.p[i] != script_octet(f.seq + i)) {
            return SCRIPT_FAIL(s, "octet %u differs in %s", i, got);
        }
    }
    return true;
}

static bool
script_event(struct script *s, const char *text)
{
    static const char *const names[] = { "open", "data", "fin", "writable", "r1", "closed" };
    static const char *const reasons[] = { "normal", "reset", "timeout", "abort" };
    char got[64];

    if (s->event_head == s->n_events) {
        return !strcmp(text, ".") || SCRIPT_FAIL(s, "no event");
    }

    unsigned int i = s->event_head % SCRIPT_MAX_EVENTS;
    const struct utcp_event *ev = &s->events[i];

    snprintf(got, sizeof got, "%s", names[ev->type]);
    if (ev->type == UTCP_EV_DATA) {
        snprintf(got, sizeof got, "data %u", ev->data.n);
    } else if (ev->type == UTCP_EV_CLOSED) {
        snprintf(got, sizeof got, "closed %s", reasons[ev->reason]);
    }
    s->event_head++;
    if (s->event_bad[i]) {
        return SCRIPT_FAIL(s, "wrong octets in %s", got);
    }
    return !strcmp(text, got) || SCRIPT_FAIL(s, "got %s", got);
}

static void
script_pass_time(struct script *s, usec_t us)
{
    usec_t until = s->now + us;

    for (unsigned int n = 0; n < 100000; n++) {
        usec_t at = utcp_deadline(s->u);

        if (at > until) {
            break;
        }
        s->now = at > s->now ? at : s->now;
        utcp_run(s->u, s->now);
        script_events(s);
    }
    s->now = until;
}

static bool
script_stat(struct script *s, const char *name, uint64_t want)
{
    const uint64_t *values = (const uint64_t *) utcp_stats(s->u);

    for (size_t i = 0; i < utcp_n_stats; i++) {
        if (!strcmp(utcp_stats_descs[i].name, name)) {
            return values[i] == want
                   || SCRIPT_FAIL(s, "%s is %llu", name, (unsigned long long) values[i]);
        }
    }
    return SCRIPT_FAIL(s, "no such counter");
}

static bool
script_drop(struct script *s, const char *name)
{
    const char *got = s->verdict ? utcp_stats_descs[s->verdict - 1].name : "none";

    return !strcmp(name, got) || SCRIPT_FAIL(s, "dropped for %s", got);
}

static bool
script_state(struct script *s, const char *name)
{
    struct utcp_info info;
    const char *got = utcp_info(s->u, s->conn, &info) ? utcp_state_name(info.state) : "gone";

    return !strcmp(name, got) || SCRIPT_FAIL(s, "state is %s", got);
}

static void
script_send(struct script *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        s->in[i] = script_octet(1 + s->sent + i);
    }
    /* Half by copy, half by reference. */
    utcp_send_copy(s->u, s->conn, s->in, n / 2);

    struct mbuf *m = mbuf_copy(s->in, n);

    utcp_send_mbuf(s->u, s->conn, m, n / 2, n - n / 2);
    mbuf_unref(m);
    s->sent += n;
}

static bool
script_icmp(struct script *s, const char *args)
{
    char kind[16];
    int seq = 0, mtu = 0;

    if (sscanf(args, "%15s %d %d", kind, &seq, &mtu) < 2) {
        return SCRIPT_FAIL(s, "bad icmp");
    }
    utcp_icmp(s->u, &s->tuple, s->iss + (uint32_t) seq,
              !strcmp(kind, "big") ? UTCP_ICMP_TOO_BIG
              : !strcmp(kind, "hard") ? UTCP_ICMP_HARD : UTCP_ICMP_SOFT,
              (uint16_t) mtu, s->now);
    script_events(s);
    return true;
}

static bool
script_set(struct script *s, const char *args)
{
    char name[32];
    long long int v;
    struct utcp_config *c = &s->cfg;

    if (sscanf(args, "%31s %lld", name, &v) != 2) {
        return SCRIPT_FAIL(s, "bad set");
    }
#define SCRIPT_SET(FIELD) if (!strcmp(name, #FIELD)) { c->FIELD = (__typeof__(c->FIELD)) v; return true; }
    SCRIPT_SET(max_connections) SCRIPT_SET(max_half_open) SCRIPT_SET(mtu) SCRIPT_SET(port)
    SCRIPT_SET(rcv_wnd_max) SCRIPT_SET(rcv_wnd_initial) SCRIPT_SET(rcv_budget)
    SCRIPT_SET(snd_buf_max) SCRIPT_SET(rto_min_us) SCRIPT_SET(r2_us) SCRIPT_SET(syn_r2_us)
    SCRIPT_SET(time_wait_us) SCRIPT_SET(fin_wait_2_us) SCRIPT_SET(keep_alive_us)
    SCRIPT_SET(r1) SCRIPT_SET(dscp) SCRIPT_SET(ecn)
    return SCRIPT_FAIL(s, "no such setting");
}

static void
script_start(struct script *s, const struct script_variant *v)
{
    s->now = 1000 * CLOCK_SEC;
    s->isn = v->wraps ? 0xfffffe00u : 0x10000000u;
    s->tuple.local_port = 1883;
    s->tuple.remote_port = 40000;
    if (v->is_v6) {
        addr_parse(&s->tuple.local, "2001:db8::1");
        addr_parse(&s->tuple.remote, "2001:db8::2");
    } else {
        addr_parse(&s->tuple.local, "192.0.2.1");
        addr_parse(&s->tuple.remote, "192.0.2.2");
    }
    memset(&s->path, 0x5a, sizeof s->path);
    if (v->wraps) {
        /* Ask for the sequence number of this instant, and wait until it is near its end. */
        struct utcp *u = utcp_create(&s->cfg, s->now);
        struct wire_tcp syn = { .flags = TCP_SYN, .seq = s->isn };
        struct utcp_segment seg;

        utcp_input(u, &s->tuple, &syn, &s->path, s->now);
        if (utcp_next_segment(u, s->now, &seg, s->buf, sizeof s->buf)) {
            s->now += (usec_t) (uint32_t) (0xffffff00u - seg.tcp.seq) * 4;
        }
        utcp_destroy(u);
    }
    s->u = utcp_create(&s->cfg, s->now);
}

static bool
script_line(struct script *s, const struct script_variant *v, char *line)
{
    char *args = strchr(line, ' ');

    if (!*line || *line == '#') {
        return true;
    }
    args = args ? args + 1 : line + strlen(line);
    if (!strncmp(line, "set ", 4)) {
        return script_set(s, args);
    }
    if (!s->u) {
        script_start(s, v);
    }
    switch (*line) {
    case '<':
        return script_in(s, args);
    case '>':
        return script_out(s, line[1] == '.' ? line + 1 : args);
    case '!':
        return script_event(s, line[1] == '.' ? line + 1 : args);
    case '+':
        script_pass_time(s, (usec_t) (strtod(line + 1, NULL) * 1000));
        return true;
    }

    uint32_t n = (uint32_t) strtoul(args, NULL, 0);

    if (!strncmp(line, "send ", 5)) {
        script_send(s, n);
    } else if (!strcmp(line, "close")) {
        utcp_close(s->u, s->conn);
    } else if (!strcmp(line, "abort")) {
        utcp_abort(s->u, s->conn);
    } else if (!strncmp(line, "credit ", 7)) {
        utcp_credit(s->u, s->conn, n);
    } else if (!strncmp(line, "dscp ", 5)) {
        utcp_set_dscp(s->u, s->conn, (uint8_t) n);
    } else if (!strncmp(line, "dscp-all ", 9)) {
        utcp_set_default_dscp(s->u, (uint8_t) n);
    } else if (!strncmp(line, "icmp ", 5)) {
        return script_icmp(s, args);
    } else if (!strncmp(line, "drop ", 5)) {
        return script_drop(s, args);
    } else if (!strncmp(line, "state ", 6)) {
        return script_state(s, args);
    } else if (!strcmp(line, "gone")) {
        utcp_run(s->u, s->now);
        return script_state(s, "gone");
    } else if (!strncmp(line, "stat ", 5)) {
        char name[64];
        unsigned long long int want;

        return sscanf(args, "%63s %llu", name, &want) == 2
               ? script_stat(s, name, want) : SCRIPT_FAIL(s, "bad stat");
    } else {
        return SCRIPT_FAIL(s, "unknown command");
    }
    script_events(s);
    return true;
}

/* Plays 'text' in one variant; reports one assertion. */
static void
script_play(const char *name, const char *text, const struct script_variant *v)
{
    struct script *s = calloc(1, sizeof *s);
    char *copy = strdup(text), *save = NULL;
    char line_copy[256] = "";
    unsigned int n = 0;
    bool good = true;

    utcp_config_default(&s->cfg);
    s->cfg.key = (struct siphash_key) { 1, 2 };
    s->cfg.rcv_wnd_initial = 65535;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        line += strspn(line, " ");
        snprintf(line_copy, sizeof line_copy, "%s", line);
        n++;
        if (!script_line(s, v, line)) {
            good = false;
            break;
        }
    }
    if (good && s->event_head != s->n_events) {
        good = SCRIPT_FAIL(s, "%u events left", s->n_events - s->event_head);
        snprintf(line_copy, sizeof line_copy, "end");
    }
    ok(good, "%s (%s)", name, v->name);
    if (!good) {
        diag("line %u: %s", n, line_copy);
        diag("%s", s->why);
    }
    utcp_destroy(s->u);
    free(copy);
    free(s);
}

/* Only in one family, for what depends on it. */
__attribute__((unused)) static void
script_family(const char *name, const char *text, bool is_v6)
{
    for (size_t i = is_v6; i < sizeof script_variants / sizeof *script_variants; i += 2) {
        script_play(name, text, &script_variants[i]);
    }
}

static inline void
script(const char *name, const char *text)
{
    for (size_t i = 0; i < sizeof script_variants / sizeof *script_variants; i++) {
        script_play(name, text, &script_variants[i]);
    }
}

#endif
