/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: Topic Filters and the trie.  The input is a program of subscriptions, removals and
 * matches; a list and topic_matches() say what each must give.  Links libtopic and libbase. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "topic/subtrie.h"
#include "topic/topic.h"

#define MAX_SUBS 64
#define N_SUBSCRIBERS 8

struct sub {
    struct slice filter;              /* Borrows from the input. */
    uint32_t subscriber, value;
};

struct model {
    struct sub subs[MAX_SUBS];
    size_t n;
};

static bool
same(struct slice a, struct slice b)
{
    return a.n == b.n && !memcmp(a.p, b.p, a.n);
}

static size_t
find(const struct model *m, struct slice filter, uint32_t subscriber)
{
    size_t i = 0;

    while (i < m->n
           && (m->subs[i].subscriber != subscriber || !same(m->subs[i].filter, filter))) {
        i++;
    }
    return i;
}

static uint32_t
n_subscribers(const struct model *m, struct slice filter)
{
    uint32_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        n += same(m->subs[i].filter, filter);
    }
    return n;
}

static void
put(struct model *m, struct subtrie *t, const struct sub *sub)
{
    size_t i = find(m, sub->filter, sub->subscriber);
    bool first = !n_subscribers(m, sub->filter);
    enum subtrie_put_result got;

    if (i == MAX_SUBS) {
        return;
    }
    got = subtrie_put(t, sub->filter, sub->subscriber, sub->value);
    mp_assert(got == (i < m->n ? SUBTRIE_REPLACED : first ? SUBTRIE_ADDED_FIRST : SUBTRIE_ADDED));
    m->subs[i] = *sub;
    m->n += i == m->n;
}

static void
take_away(struct model *m, struct subtrie *t, const struct sub *sub)
{
    size_t i = find(m, sub->filter, sub->subscriber);
    enum subtrie_remove_result got = subtrie_remove(t, sub->filter, sub->subscriber);

    if (i == m->n) {
        mp_assert(got == SUBTRIE_NOT_FOUND);
    } else {
        m->subs[i] = m->subs[--m->n];
        mp_assert(got == (n_subscribers(m, sub->filter) ? SUBTRIE_REMOVED
                                                        : SUBTRIE_REMOVED_LAST));
    }
    mp_assert(subtrie_n_subscribers(t, sub->filter) == n_subscribers(m, sub->filter));
}

static void
match(const struct model *m, const struct subtrie *t, struct slice name, struct subtrie_set *set)
{
    size_t n = 0;

    subtrie_match(t, name, set);
    for (size_t i = 0; i < m->n; i++) {
        if (topic_matches(m->subs[i].filter, name)) {
            size_t k = 0;

            while (k < set->n && (set->entries[k].subscriber != m->subs[i].subscriber
                                  || set->entries[k].value != m->subs[i].value)) {
                k++;
            }
            mp_assert(k < set->n);
            n++;
        }
    }
    mp_assert(n == set->n);
}

static void
walk(const struct model *m, const struct subtrie *t)
{
    struct subtrie_walk w = { NULL };
    struct slice filter;
    uint32_t n, n_filters = 0, n_subs = 0;

    while (subtrie_walk_next(t, &w, &filter, &n)) {
        mp_assert(n == n_subscribers(m, filter));
        n_filters++;
        n_subs += n;
    }
    subtrie_walk_end(&w);
    mp_assert(n_filters == subtrie_n_filters(t) && n_subs == m->n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct siphash_key key = { 1, 2 };
    struct subtrie *t = subtrie_create(&key);
    struct subtrie_set set = { .n = 0 };
    struct model m = { .n = 0 };

    while (in.size) {
        uint8_t op = fuzz_take_u8(&in);
        struct fuzz_input bytes = fuzz_take_bytes(&in, fuzz_take_u8(&in));
        struct slice topic = { bytes.data, (uint32_t) bytes.size };
        struct sub sub = { topic, (op >> 2) % N_SUBSCRIBERS, op };
        bool is_filter = topic_filter_is_valid(topic);
        bool is_name = topic_name_is_valid(topic);

        mp_assert(!is_name || is_filter);
        mp_assert(is_name == (is_filter && !topic_filter_has_wildcard(topic)));
        if (is_name && topic.p[0] != '$') {
            mp_assert(topic_matches(topic, topic));
        }
        if (op % 4 <= 1 && is_filter) {
            put(&m, t, &sub);
        } else if (op % 4 == 2 && is_filter) {
            take_away(&m, t, &sub);
        } else if (op % 4 == 3 && is_name) {
            match(&m, t, topic, &set);
        }
    }
    walk(&m, t);
    while (m.n) {
        struct sub last = m.subs[m.n - 1];

        take_away(&m, t, &last);
    }
    mp_assert(!subtrie_n_filters(t));
    subtrie_set_uninit(&set);
    subtrie_destroy(t);
    return 0;
}
