/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of topic/subtrie.h: against a plain list of subscriptions and topic_matches(). */
#include "topic/subtrie.h"

#include "base/mem.h"
#include "base/prng.h"
#include "topic/topic.h"
#include "unit/tap.h"

static const struct siphash_key key = { 11, 22 };

static struct slice
str(const char *s)
{
    return (struct slice) { (const uint8_t *) s, (uint32_t) strlen(s) };
}

TEST(results_tell_the_first_and_the_last)
{
    struct subtrie *t = subtrie_create(&key);

    is_int(subtrie_put(t, str("a/+"), 1, 10), SUBTRIE_ADDED_FIRST, "the first subscriber");
    is_int(subtrie_put(t, str("a/+"), 2, 20), SUBTRIE_ADDED, "the second");
    is_int(subtrie_put(t, str("a/+"), 1, 11), SUBTRIE_REPLACED, "the first again");
    is_int(subtrie_find(t, str("a/+"), 1)->value, 11, "has the new value");
    is_int(subtrie_n_subscribers(t, str("a/+")), 2, "two subscribers");
    ok(!subtrie_find(t, str("a"), 1), "an inner node has no subscriber");
    is_int(subtrie_n_subscribers(t, str("a")), 0, "none at all");
    is_int(subtrie_n_filters(t), 1, "and is no filter");
    is_int(subtrie_remove(t, str("a/+"), 3), SUBTRIE_NOT_FOUND, "who is not there");
    is_int(subtrie_remove(t, str("a"), 1), SUBTRIE_NOT_FOUND, "an inner node");
    is_int(subtrie_remove(t, str("a/+/c"), 1), SUBTRIE_NOT_FOUND, "what lies deeper");
    is_int(subtrie_remove(t, str("a/+"), 1), SUBTRIE_REMOVED, "one goes");
    is_int(subtrie_remove(t, str("a/+"), 2), SUBTRIE_REMOVED_LAST, "the last goes");
    is_int(subtrie_remove(t, str("a/+"), 2), SUBTRIE_NOT_FOUND, "and is gone");
    is_int(subtrie_n_filters(t), 0, "nothing is left");
    subtrie_destroy(t);
    subtrie_destroy(NULL);
}

TEST(overlapping_filters_give_one_entry_each)
{
    struct subtrie *t = subtrie_create(&key);
    struct subtrie_set set = { .n = 0 };
    uint32_t values = 0;

    subtrie_put(t, str("a/b"), 5, 1);
    subtrie_put(t, str("a/+"), 5, 2);
    subtrie_put(t, str("a/#"), 5, 4);
    subtrie_put(t, str("#"), 5, 8);
    subtrie_put(t, str("a/b/#"), 5, 16);
    subtrie_put(t, str("a/b/+"), 5, 32);
    subtrie_match(t, str("a/b"), &set);
    for (size_t i = 0; i < set.n; i++) {
        values += set.entries[i].value;
    }
    is_int(set.n, 5, "five of six match");
    is_int(values, 31, "namely the first five");
    subtrie_match(t, str("x"), &set);
    is_int(set.n, 1, "the set is used again");
    subtrie_set_uninit(&set);
    subtrie_destroy(t);
}

/* A random filter or name over a small alphabet, so that much overlaps; some levels are long. */
static struct slice
random_topic(struct prng *g, char *buf, bool is_filter)
{
    static const char *const levels[] = {
        "a", "b", "", "$c", "level-of-18-bytes.", "level-of-19-bytes..", "fifteen-in-this",
        "a level that is longer than what fits into a node of the trie",
    };
    uint32_t n = 1 + prng_below(g, 5);

    buf[0] = '\0';
    for (uint32_t i = 0; i < n; i++) {
        uint32_t r = prng_below(g, 12);

        if (i) {
            strcat(buf, "/");
        }
        if (is_filter && r == 0) {
            strcat(buf, "#");
            break;
        }
        strcat(buf, is_filter && r < 4 ? "+" : levels[prng_below(g, MP_ARRAY_SIZE(levels))]);
    }
    return buf[0] ? str(buf) : str(strcpy(buf, "a"));
}

enum { MODEL_MAX = 600 };

struct model {
    struct {
        char filter[400];
        uint32_t subscriber, value, place;
    } subs[MODEL_MAX];
    size_t n;
};

static size_t
model_find(const struct model *m, const char *filter, uint32_t subscriber)
{
    size_t i = 0;

    while (i < m->n
           && (m->subs[i].subscriber != subscriber || strcmp(m->subs[i].filter, filter))) {
        i++;
    }
    return i;
}

static size_t
model_n_subscribers(const struct model *m, const char *filter)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        n += !strcmp(m->subs[i].filter, filter);
    }
    return n;
}

/* Every place must give its filter back. */
static int
model_places(const struct model *m, const struct subtrie *t)
{
    int wrong = 0;

    for (size_t i = 0; i < m->n; i++) {
        struct slice want = str(m->subs[i].filter), got;
        const struct subtrie_entry *e = subtrie_find_place(t, m->subs[i].place,
                                                           m->subs[i].subscriber);

        got = subtrie_filter(t, m->subs[i].place);
        wrong += got.n != want.n || memcmp(got.p, want.p, want.n)
                 || subtrie_place(t, want) != m->subs[i].place
                 || !e || e->value != m->subs[i].value;
    }
    return wrong;
}

static int
model_change(struct model *m, struct subtrie *t, struct prng *g)
{
    char buf[400];
    struct slice filter = random_topic(g, buf, prng_below(g, 8) != 0);
    uint32_t subscriber = prng_below(g, 40);
    size_t i = model_find(m, buf, subscriber);
    bool present = i < m->n;

    if (prng_below(g, 2) && m->n < MODEL_MAX) {
        uint32_t value = prng_below(g, 1000);
        size_t before = model_n_subscribers(m, buf);
        enum subtrie_put_result want = present ? SUBTRIE_REPLACED
                                       : before ? SUBTRIE_ADDED : SUBTRIE_ADDED_FIRST;

        if (!present) {
            strcpy(m->subs[m->n].filter, buf);
            m->subs[m->n++].subscriber = subscriber;
        }
        m->subs[i].value = value;
        return subtrie_put_place(t, filter, (struct subtrie_entry) { subscriber, value },
                                 &m->subs[i].place) != want;
    }
    if (!present && m->n && prng_below(g, 2)) {
        i = prng_below(g, (uint32_t) m->n);
        strcpy(buf, m->subs[i].filter);
        filter = str(buf);
        subscriber = m->subs[i].subscriber;
        present = true;
    }
    uint32_t place = present && prng_below(g, 2) ? m->subs[i].place : 0;

    if (present) {
        m->subs[i] = m->subs[--m->n];
    }

    enum subtrie_remove_result want = !present ? SUBTRIE_NOT_FOUND
        : model_n_subscribers(m, buf) ? SUBTRIE_REMOVED : SUBTRIE_REMOVED_LAST;

    return (place ? subtrie_remove_place(t, place, subscriber)
            : subtrie_remove(t, filter, subscriber)) != want;
}

/* Each entry of the model that matches must be once in the set, and nothing else. */
static int
model_compare(const struct model *m, const struct subtrie_set *set, struct slice name)
{
    static bool taken[MODEL_MAX];
    size_t n = 0;

    memset(taken, 0, sizeof taken);
    for (size_t i = 0; i < m->n; i++) {
        if (!topic_matches(str(m->subs[i].filter), name)) {
            continue;
        }
        n++;

        size_t k = 0;

        while (k < set->n
               && (taken[k] || set->entries[k].subscriber != m->subs[i].subscriber
                   || set->entries[k].value != m->subs[i].value)) {
            k++;
        }
        if (k == set->n) {
            return 1;
        }
        taken[k] = true;
    }
    return n != set->n;
}

TEST(agrees_with_a_list_under_random_use)
{
    static struct model m;
    struct subtrie *t = subtrie_create(&key);
    struct subtrie_set set = { .n = 0 };
    int wrong_change = 0, wrong_match = 0, wrong_places = 0;
    size_t n_matches = 0;
    struct prng g;

    prng_init(&g, 99);
    for (int turn = 0; turn < 20000; turn++) {
        char buf[400];
        struct slice name;

        wrong_change += model_change(&m, t, &g);
        name = random_topic(&g, buf, false);
        subtrie_match(t, name, &set);
        n_matches += set.n;
        wrong_match += model_compare(&m, &set, name);
        if (turn % 50 == 0) {
            wrong_places += model_places(&m, t);
        }
    }
    is_int(wrong_change, 0, "each change is answered rightly");
    is_int(wrong_match, 0, "each match finds what it should");
    is_int(wrong_places, 0, "each place stands and gives its filter back");
    ok(n_matches > 100000, "%zu matches", n_matches);

    struct subtrie_walk walk = { NULL };
    struct slice filter;
    uint32_t n, n_filters = 0, n_subs = 0;
    int wrong = 0;

    while (subtrie_walk_next(t, &walk, &filter, &n)) {
        char buf[400];

        memcpy(buf, filter.p, filter.n);
        buf[filter.n] = '\0';
        wrong += model_n_subscribers(&m, buf) != n;
        n_filters++;
        n_subs += n;
    }
    subtrie_walk_end(&walk);
    is_int(wrong, 0, "a walk shows each filter with its subscribers");
    is_int(n_filters, subtrie_n_filters(t), "all filters");
    is_int(n_subs, m.n, "all subscriptions");

    while (m.n) {
        m.n--;
        subtrie_remove(t, str(m.subs[m.n].filter), m.subs[m.n].subscriber);
    }
    is_int(subtrie_n_filters(t), 0, "all can be removed");
    is_int(subtrie_n_nodes(t), 1, "and no node is left but the root");
    is_int(subtrie_walk_next(t, &walk, &filter, &n), false, "an empty trie has nothing to walk");
    subtrie_walk_end(&walk);
    subtrie_set_uninit(&set);
    subtrie_destroy(t);
}

TEST(levels_that_nobody_parts_are_one_node)
{
    static const char *const filters[] = {
        "home/kitchen/lamp/state", "home/kitchen/lamp", "home/kitchen/+/state", "home/#",
        "home/kitchen/lamps", "/home/kitchen", "//", "/",
    };
    /* With the root, after each of them. */
    static const uint32_t n_nodes[] = { 2, 3, 5, 7, 8, 9, 11, 12 };
    uint32_t places[MP_ARRAY_SIZE(filters)];
    struct subtrie *t = subtrie_create(&key);
    struct subtrie_set set = { .n = 0 };
    int wrong = 0;

    for (uint32_t i = 0; i < MP_ARRAY_SIZE(filters); i++) {
        subtrie_put_place(t, str(filters[i]), (struct subtrie_entry) { i, i }, &places[i]);
        is_int(subtrie_n_nodes(t), n_nodes[i], "nodes with %s", filters[i]);
    }
    for (uint32_t i = 0; i < MP_ARRAY_SIZE(filters); i++) {
        struct slice text = subtrie_filter(t, places[i]);

        wrong += subtrie_place(t, str(filters[i])) != places[i]
                 || text.n != strlen(filters[i]) || memcmp(text.p, filters[i], text.n);
    }
    is_int(wrong, 0, "every filter is where it was put");
    is_int(subtrie_place(t, str("home/kitchen")), 0, "a node without subscribers is no place");
    is_int(subtrie_place(t, str("home/kitchen/lamp/st")), 0, "nor is a part of a level");
    is_int(subtrie_place(t, str("home/kitchen/lamp/state/x")), 0, "nor is what lies below");
    subtrie_match(t, str("home/kitchen/lamp/state"), &set);
    is_int(set.n, 3, "a name below what was parted");
    subtrie_match(t, str("home"), &set);
    is_int(set.n, 1, "home/# matches home");
    subtrie_match(t, str("home/kitchen/lamp/state/x"), &set);
    is_int(set.n, 1, "and what is deeper than all others");

    for (uint32_t i = MP_ARRAY_SIZE(filters); i-- > 1; ) {
        is_int(subtrie_remove_place(t, places[i], i), SUBTRIE_REMOVED_LAST, "%s goes", filters[i]);
        is_int(subtrie_n_nodes(t), n_nodes[i - 1], "and what it parted is one again");
    }
    is_int(subtrie_place(t, str(filters[0])), places[0], "the first is where it was");
    subtrie_set_uninit(&set);
    subtrie_destroy(t);
}

/* Wildcards within the label of one node, where nothing else stands. */
TEST(wildcards_that_nobody_parts)
{
    struct subtrie *t = subtrie_create(&key);
    struct subtrie_set set = { .n = 0 };

    subtrie_put(t, str("+/a/+/b/#"), 1, 0);
    is_int(subtrie_n_nodes(t), 2, "one node and the root");
    subtrie_match(t, str("x/a/y/b"), &set);
    is_int(set.n, 1, "# for no level");
    subtrie_match(t, str("x/a/y/b/c/d"), &set);
    is_int(set.n, 1, "# for two");
    subtrie_match(t, str("x/a//b/c"), &set);
    is_int(set.n, 1, "+ for an empty level");
    subtrie_match(t, str("x/a/y/c"), &set);
    is_int(set.n, 0, "another level");
    subtrie_match(t, str("x/a/y/bb"), &set);
    is_int(set.n, 0, "a longer level");
    subtrie_match(t, str("x/a/y"), &set);
    is_int(set.n, 0, "too few levels");
    subtrie_match(t, str("$x/a/y/b"), &set);
    is_int(set.n, 0, "[MQTT-4.7.2-1]");
    subtrie_set_uninit(&set);
    subtrie_destroy(t);
}

TEST(fan_out_to_a_hundred_thousand)
{
    enum { N = 100000 };
    struct subtrie *t = subtrie_create(&key);
    struct subtrie_set set = { .n = 0 };
    size_t empty = subtrie_bytes(t);
    uint64_t sum = 0;
    int wrong = 0;

    for (uint32_t i = 0; i < N; i++) {
        wrong += subtrie_put(t, str("news"), i * 7 + 1, i) == SUBTRIE_REPLACED;
    }
    for (uint32_t i = 0; i < N; i++) {
        wrong += subtrie_put(t, str("news"), i * 7 + 1, i + 1) != SUBTRIE_REPLACED;
    }
    is_int(wrong, 0, "each subscribes once and once again");
    subtrie_match(t, str("news"), &set);
    for (size_t i = 0; i < set.n; i++) {
        sum += set.entries[i].value;
    }
    is_int(set.n, N, "each is found");
    is_int(sum, (uint64_t) N * (N + 1) / 2, "with its latest value");
    for (uint32_t i = 0; i < N; i += 2) {
        wrong += subtrie_remove(t, str("news"), i * 7 + 1) != SUBTRIE_REMOVED;
    }
    for (uint32_t i = 0; i < N; i++) {
        wrong += !subtrie_find(t, str("news"), i * 7 + 1) != !(i % 2);
    }
    is_int(wrong, 0, "every other one is gone, the rest is there");
    for (uint32_t i = N - 1; i < N; i -= 2) {
        wrong += subtrie_remove(t, str("news"), i * 7 + 1)
                 != (i == 1 ? SUBTRIE_REMOVED_LAST : SUBTRIE_REMOVED);
    }
    is_int(wrong, 0, "the rest goes");
    ok(subtrie_bytes(t) <= empty + 64 * 2048 + 1024, "and the memory with it");
    subtrie_set_uninit(&set);
    subtrie_destroy(t);
}

TEST(memory_per_filter)
{
    enum { N = 200000 };
    struct subtrie *t = subtrie_create(&key);
    struct subtrie_set set = { .n = 0 };
    char buf[64];

    for (uint32_t i = 0; i < N; i++) {
        snprintf(buf, sizeof buf, "site/%u/sensor-%u", i % 100, i);
        subtrie_put(t, str(buf), i, 0);
    }
    ok(subtrie_bytes(t) / N <= 56, "%zu bytes per filter", subtrie_bytes(t) / N);
    subtrie_match(t, str("site/7/sensor-107"), &set);
    is_int(set.n, 1, "each is found");
    is_int(set.entries[0].subscriber, 107, "the right one");
    subtrie_set_uninit(&set);
    subtrie_destroy(t);
}

TEST(deepest_and_longest_filters)
{
    struct subtrie *t = subtrie_create(&key);
    struct subtrie_set set = { .n = 0 };
    char *buf = mem_alloc(TOPIC_MAX_LEN + 1);
    size_t empty = subtrie_bytes(t);

    memset(buf, '/', TOPIC_MAX_LEN);
    buf[TOPIC_MAX_LEN] = '\0';
    subtrie_put(t, str(buf), 1, 0);
    subtrie_match(t, str(buf), &set);
    is_int(set.n, 1, "65536 empty levels match");
    is_int(subtrie_n_nodes(t), 2, "in one node");
    is_int(subtrie_remove(t, str(buf), 1), SUBTRIE_REMOVED_LAST, "and go");
    memset(buf, 'x', TOPIC_MAX_LEN);
    subtrie_put(t, str(buf), 1, 0);
    subtrie_match(t, str(buf), &set);
    is_int(set.n, 1, "a level of 65535 bytes matches");
    ok(subtrie_bytes(t) > empty + TOPIC_MAX_LEN, "and its bytes are counted");
    subtrie_destroy(t);
    mem_free(buf);
    subtrie_set_uninit(&set);
}

int
main(void)
{
    RUN(results_tell_the_first_and_the_last);
    RUN(overlapping_filters_give_one_entry_each);
    RUN(agrees_with_a_list_under_random_use);
    RUN(levels_that_nobody_parts_are_one_node);
    RUN(wildcards_that_nobody_parts);
    RUN(fan_out_to_a_hundred_thousand);
    RUN(memory_per_filter);
    RUN(deepest_and_longest_filters);
    return done_testing();
}
