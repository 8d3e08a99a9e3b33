/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* SUBSCRIBEs that are much work: the walk over the retained messages, in pieces and while they come
 * and go, finds what topic_matches() says; and one client's thousands of wildcards cost the others
 * nothing.  The notation is in mqtt-script.h. */
#include "unit/mqtt-script.h"

#include "base/prng.h"
#include "mqtt/private.h"

/* ---- The walk ---- */

#define N_TOPICS 300
#define N_FILTERS 400

static const char *const words[] = { "a", "b", "c", "", "$x", "dd" };

static struct slice
slice_of(const char *text)
{
    return (struct slice) { (const uint8_t *) text, (uint32_t) strlen(text) };
}

static void
random_levels(struct prng *prng, char *text, size_t size, bool is_filter)
{
    uint32_t n = 1 + prng_below(prng, 5);

    *text = '\0';
    for (uint32_t i = 0; i < n; i++) {
        uint32_t dice = prng_below(prng, 10);
        const char *word = is_filter && dice < 4 ? "+"
                           : is_filter && dice == 4 && i + 1 == n ? "#"
                           : words[prng_below(prng, MP_ARRAY_SIZE(words))];
        size_t used = strlen(text);

        snprintf(text + used, size - used, "%s%s", i ? "/" : "", word);
    }
    if (!*text) {
        snprintf(text, size, "/");
    }
}

struct store {
    struct mqtt_retained *r;
    char topics[N_TOPICS][40];
    bool is_there[N_TOPICS], was_there_always[N_TOPICS];
    int n_found[N_TOPICS];
};

static void
set_there(struct store *s, int i, bool there)
{
    for (int k = 0; k < N_TOPICS; k++) {            /* The same topic may have several places. */
        if (!strcmp(s->topics[k], s->topics[i])) {
            s->is_there[k] = there;
            s->was_there_always[k] = s->was_there_always[k] && there;
        }
    }
    if (there) {
        struct mbuf *payload = mbuf_create(1);
        struct mqtt_msg *msg = mqtt_msg_create(slice_of(s->topics[i]), slice_of(""), payload);

        mqtt_retained_put(s->r, msg);
        mqtt_msg_unref(msg);
        mbuf_unref(payload);
    } else {
        mqtt_retained_remove(s->r, slice_of(s->topics[i]));
    }
}

/* Whether the walk found what it had to, and nothing else. */
static bool
is_right(const struct store *s, const char *filter, bool is_quiet)
{
    for (int i = 0; i < N_TOPICS; i++) {
        bool matches = topic_matches(slice_of(filter), slice_of(s->topics[i]));
        bool must = matches && s->was_there_always[i];

        if (s->n_found[i] > 1 || (s->n_found[i] && !matches) || (must && !s->n_found[i])
            || (is_quiet && s->n_found[i] && !s->is_there[i])) {
            diag("%s, %s: found %d times, matches %d, was there always %d", filter, s->topics[i],
                 s->n_found[i], matches, s->was_there_always[i]);
            return false;
        }
    }
    return true;
}

static void
note_found(struct store *s, const struct mqtt_msg *msg)
{
    struct slice topic = mqtt_msg_topic(msg);

    for (int i = 0; i < N_TOPICS; i++) {
        s->n_found[i] += topic.n == strlen(s->topics[i]) && !memcmp(topic.p, s->topics[i], topic.n);
    }
}

/* One filter, 'work' nodes at a time; in between, 'n_changes' topics come or go. */
static bool
walk(struct store *s, struct prng *prng, const char *filter, uint32_t n_changes)
{
    struct mqtt_retained_walk *w = mqtt_retained_walk_begin(s->r, slice_of(filter));
    uint32_t work = 0;
    struct mqtt_msg *msg;

    memset(s->n_found, 0, sizeof s->n_found);
    memcpy(s->was_there_always, s->is_there, sizeof s->is_there);
    while (mqtt_retained_walk_next(s->r, w, &work, &msg)) {
        if (msg) {
            note_found(s, msg);
        }
        if (!work) {
            for (uint32_t i = 0; i < n_changes; i++) {
                int k = (int) prng_below(prng, N_TOPICS);

                set_there(s, k, prng_below(prng, 2));
            }
            work = 1 + prng_below(prng, 20);
        }
    }
    mqtt_retained_walk_end(s->r, w);
    return is_right(s, filter, !n_changes);
}

TEST(walk)
{
    static struct store s;
    struct siphash_key key = { 1, 2 };
    int n_wrong[2] = { 0, 0 };
    struct prng prng;

    prng_init(&prng, 1);
    s.r = mqtt_retained_create(&key, UINT32_MAX, UINT64_MAX);
    for (int i = 0; i < N_TOPICS; i++) {
        random_levels(&prng, s.topics[i], sizeof s.topics[i], false);
    }
    for (int i = 0; i < N_TOPICS; i++) {
        set_there(&s, i, prng_below(&prng, 3));
    }
    for (int i = 0; i < N_FILTERS; i++) {
        char filter[40];

        random_levels(&prng, filter, sizeof filter, true);
        n_wrong[0] += !walk(&s, &prng, filter, 0);
        n_wrong[1] += !walk(&s, &prng, filter, 3);
    }
    is_int(n_wrong[0], 0, "a walk finds what matches, once");
    is_int(n_wrong[1], 0, "while topics come and go, what stays");
    mqtt_retained_destroy(s.r);
}

/* ---- Clients ---- */

#define N_RETAINED 20000
#define N_HEAVY 1000                  /* Filters: each has to look at every topic. */

static void
retain_many(struct script *t)
{
    for (int i = 0; i < N_RETAINED; i++) {
        char topic[40];
        struct mbuf *payload = mbuf_create(1);
        struct mqtt_message m = { .payload = payload, .retain = true };

        payload->data[0] = 'x';
        snprintf(topic, sizeof topic, "r/%d/t", i);
        m.topic = slice_of(topic);
        mqtt_publish_remote(t->b, &m, t->now);
        mbuf_unref(payload);
    }
}

/* "NAME > SUBSCRIBE id=1" with filters +/+/tN that no topic matches, then 'last'. */
static void
subscribe_heavily(struct script *t, const char *name, const char *last)
{
    struct script_conn *c = script_conn(t, name);
    size_t size = 5 + 2 + N_HEAVY * 20 + 100, n = 5;
    uint8_t *packet = mem_alloc(size);
    struct writer w = writer_init(packet + n, size - n), h;
    char filter[20];

    writer_u16(&w, 1);
    for (int i = 0; i <= N_HEAVY; i++) {
        snprintf(filter, sizeof filter, "+/+/t%d", i);
        writer_u16(&w, (uint16_t) strlen(i < N_HEAVY ? filter : last));
        writer_bytes(&w, i < N_HEAVY ? filter : last, strlen(i < N_HEAVY ? filter : last));
        writer_u8(&w, 1);
    }
    n = writer_size(&w);
    h = writer_init(packet, 5);
    writer_u8(&h, 0x82);
    writer_u8(&h, (uint8_t) (n & 127) | 128);
    writer_u8(&h, (uint8_t) (n >> 7 & 127) | 128);
    writer_u8(&h, (uint8_t) (n >> 14 & 127) | 128);
    writer_u8(&h, (uint8_t) (n >> 21));
    c->sent += n + 5;
    mqtt_input(t->b, c->id, packet, n + 5, t->now);
    mem_free(packet);
    script_drain(t);
}

static void
turn(struct script *t)
{
    t->now += CLOCK_MSEC;
    mqtt_run(t->b, t->now);
    script_drain(t);
}

/* SUBACK with a code for each filter, all 1. */
static bool
got_suback(struct script *t, const char *name)
{
    struct script_conn *c = script_conn(t, name);
    const uint8_t *p = c->got + c->n_checked;
    size_t n = 1 + 2 + 2 + N_HEAVY + 1;

    if (c->n_got - c->n_checked < n || p[0] != 0x90 || p[4] != 1) {
        return false;
    }
    for (size_t i = 5; i < n; i++) {
        if (p[i] != 1) {
            return false;
        }
    }
    c->n_checked += n;
    return true;
}

static void
begin_heavy(struct script *t, const char *name)
{
    script_begin(t, name, NULL);
    retain_many(t);
    script_lines(t, "heavy > CONNECT id=h clean=0\nheavy < CONNACK 0 0\n"
                    "c > CONNECT id=c\nc < CONNACK 0 0\n");
    t->now += CLOCK_MSEC;
}

TEST(others_go_on)
{
    struct mqtt_memory after;
    struct script t;
    int n_turns = 0;

    begin_heavy(&t, "a heavy SUBSCRIBE");
    subscribe_heavily(&t, "heavy", "r/7/+");
    is_int(mqtt_stats(t.b)->subscribes_suspended, 1, "it is too much for one turn, and counted");
    is_int(mqtt_deadline(t.b) <= t.now, 1, "and goes on at once");
    script_lines(&t, "heavy > PINGREQ\n"
                     "heavy < nothing\n"
                     "c > PINGREQ\nc < PINGRESP\n");
    ok(script_conn(&t, "heavy")->credit < script_conn(&t, "heavy")->sent,
       "what comes behind it gets no credit");
    turn(&t);
    script_lines(&t, "c > SUBSCRIBE id=1 r/8/+:0 t1/#:0\n"
                     "c < SUBACK id=1 0 0\n"
                     "c < PUBLISH r/8/t retain x\n"
                     "heavy < nothing\n");
    /* What it has subscribed to until then counts already: it is a sequence of SUBSCRIBEs. */
    script_lines(&t, "c > PUBLISH q/q/t0 hello\nheavy < PUBLISH q/q/t0 hello\n");
    while (!got_suback(&t, "heavy") && n_turns < 1000000) {
        turn(&t);
        n_turns++;
    }
    ok(n_turns >= N_HEAVY / 2, "in the end each filter has its code: after %d turns", n_turns);
    script_lines(&t, "heavy < PINGRESP\n"
                     "heavy < PUBLISH r/7/t retain x\n"
                     "c > PUBLISH r/7/u live\nheavy < PUBLISH r/7/u live\n"
                     "c > PUBLISH a/b/t999 live\nheavy < PUBLISH a/b/t999 live\n");
    is_int(script_conn(&t, "heavy")->credit, script_conn(&t, "heavy")->sent, "all credit was given");
    mqtt_memory(t.b, &after);
    ok(after.n_subscriptions == N_HEAVY + 3 && mqtt_deadline(t.b) > t.now, "then there is peace");
    script_end(&t);
}

/* Its client ends before, in one way or another. */
TEST(ends_before)
{
    static const char *const ends[] = {
        "heavy closes\n",
        "heavy > DISCONNECT\nheavy closes\n",
        "other > CONNECT id=h clean=0\nother < CONNACK 1 0\nheavy closed\nheavy closes\n",
        "other > CONNECT id=h\nother < CONNACK 0 0\nheavy closed\nheavy closes\n",
    };

    for (size_t i = 0; i < MP_ARRAY_SIZE(ends); i++) {
        struct mqtt_memory memory;
        struct script t;

        begin_heavy(&t, "a heavy SUBSCRIBE ends before");
        subscribe_heavily(&t, "heavy", "r/#");
        turn(&t);
        script_lines(&t, ends[i]);
        turn(&t);
        ok(mqtt_deadline(t.b) > t.now, "nothing is left to be done (%d)", (int) i);
        script_lines(&t, "again > CONNECT id=h\nagain < CONNACK 0 0\n"
                         "again > SUBSCRIBE id=3 r/9/#\n"
                         "again < SUBACK id=3 0\nagain < PUBLISH r/9/t retain x\n");
        mqtt_memory(t.b, &memory);
        is_int(memory.n_subscriptions, 1, "nor of what it subscribed to");
        script_lines(&t, i >= 2 ? "other closed\n" : "again < nothing\n");
        script_end(&t);
    }
}

/* Many at a time, while the topics go: each has its turn. */
TEST(many_at_a_time)
{
    struct script t;
    int n_done = 0;

    script_begin(&t, "heavy SUBSCRIBEs", NULL);
    retain_many(&t);
    for (int i = 0; i < 10; i++) {
        char text[100];

        snprintf(text, sizeof text, "h%d > CONNECT id=h%d\nh%d < CONNACK 0 0\n", i, i, i);
        script_lines(&t, text);
        snprintf(text, sizeof text, "h%d", i);
        subscribe_heavily(&t, text, "$none");
    }
    for (int i = 0; i < N_RETAINED; i++) {
        struct mbuf *payload = mbuf_create(0);
        struct mqtt_message m = { .payload = payload, .retain = true };
        char topic[40];

        snprintf(topic, sizeof topic, "r/%d/t", i);
        m.topic = slice_of(topic);
        mqtt_publish_remote(t.b, &m, t.now);
        mbuf_unref(payload);
        if (i % 100 == 0) {
            turn(&t);
        }
    }
    for (int turns = 0; turns < 100; turns++) {
        turn(&t);
    }
    for (int i = 0; i < 10; i++) {
        char name[10];

        snprintf(name, sizeof name, "h%d", i);
        n_done += got_suback(&t, name);
    }
    is_int(n_done, 10, "where nothing is left to be looked at, all are done");
    script_end(&t);
}

int
main(void)
{
    RUN(walk);
    RUN(others_go_on);
    RUN(ends_before);
    RUN(many_at_a_time);
    return done_testing();
}
