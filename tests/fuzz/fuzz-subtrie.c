/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Fuzz target of the topic layer: a little program of subscriptions, unsubscriptions and matches
 * runs against the trie and against a plain list that is searched with topic_matches(); the two
 * must always agree.  Pure; single-threaded. */

#include "fuzz/fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "topic/subtrie.h"
#include "topic/topic.h"

#define MAX_SUBSCRIPTIONS 64

struct subscription {
    struct slice filter;        /* In the input. */
    uint32_t subscriber;
    uint32_t value;
    uint32_t place;
};

struct model {
    struct subscription subscriptions[MAX_SUBSCRIPTIONS];
    size_t n;
};

static void
check(bool condition)
{
    if (!condition) {
        abort();
    }
}

static bool
is_same(struct slice a, struct slice b)
{
    return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

static struct subscription *
find(struct model *model, struct slice filter, uint32_t subscriber)
{
    for (size_t i = 0; i < model->n; i++) {
        struct subscription *s = &model->subscriptions[i];

        if (s->subscriber == subscriber && is_same(s->filter, filter)) {
            return s;
        }
    }
    return NULL;
}

static uint32_t
count(const struct model *model, struct slice filter)
{
    uint32_t n = 0;

    for (size_t i = 0; i < model->n; i++) {
        n += is_same(model->subscriptions[i].filter, filter);
    }
    return n;
}

static void
put(struct subtrie *trie, struct model *model, const struct subscription *new)
{
    struct subscription *old = find(model, new->filter, new->subscriber);
    uint32_t n_before = count(model, new->filter);

    if (!old && model->n == MAX_SUBSCRIPTIONS) {
        return;
    }

    struct subtrie_entry entry = { new->subscriber, new->value };
    uint32_t place;
    enum subtrie_put_result result = subtrie_put_place(trie, new->filter, entry, &place);

    check(result == (old ? SUBTRIE_REPLACED : n_before ? SUBTRIE_ADDED : SUBTRIE_ADDED_FIRST));
    if (old) {
        old->value = new->value;
        check(old->place == place);
    } else {
        model->subscriptions[model->n] = *new;
        model->subscriptions[model->n++].place = place;
    }
}

static void
take_away(struct subtrie *trie, struct model *model, struct slice filter, uint32_t subscriber)
{
    struct subscription *old = find(model, filter, subscriber);
    uint32_t n_before = count(model, filter);
    /* By place when there is one, and it is the even subscribers'. */
    enum subtrie_remove_result result = old && subscriber % 2 == 0
        ? subtrie_remove_place(trie, old->place, subscriber)
        : subtrie_remove(trie, filter, subscriber);

    check(result == (!old ? SUBTRIE_NOT_FOUND
                     : n_before == 1 ? SUBTRIE_REMOVED_LAST : SUBTRIE_REMOVED));
    if (old) {
        *old = model->subscriptions[--model->n];
    }
}

static void
match(const struct subtrie *trie, const struct model *model, struct slice name)
{
    struct subtrie_set set = { NULL, 0, 0 };
    uint64_t want_sum = 0, got_sum = 0;
    size_t n_want = 0;

    for (size_t i = 0; i < model->n; i++) {
        const struct subscription *s = &model->subscriptions[i];

        if (topic_matches(s->filter, name)) {
            n_want++;
            want_sum += (uint64_t) s->subscriber << 32 | s->value;
        }
    }

    subtrie_match(trie, name, &set);
    for (size_t i = 0; i < set.n; i++) {
        got_sum += (uint64_t) set.entries[i].subscriber << 32 | set.entries[i].value;
    }
    check(set.n == n_want && got_sum == want_sum);
    subtrie_set_uninit(&set);
}

/* Every filter's place is what it was, and gives the filter back. */
static void
check_places(const struct subtrie *trie, const struct model *model)
{
    for (size_t i = 0; i < model->n; i++) {
        const struct subscription *s = &model->subscriptions[i];
        const struct subtrie_entry *e = subtrie_find_place(trie, s->place, s->subscriber);

        check(subtrie_place(trie, s->filter) == s->place);
        check(is_same(subtrie_filter(trie, s->place), s->filter));
        check(e && e->value == s->value);
    }
    /* Each filter ends in a node, and a node in which none ends has two children at least. */
    check(subtrie_n_nodes(trie) <= 2 * subtrie_n_filters(trie) + 1);
}

static void
check_sizes(const struct subtrie *trie, const struct model *model)
{
    struct subtrie_walk walk = { NULL };
    uint32_t n_filters = 0, n_all = 0, n_subscribers;
    struct slice filter;

    while (subtrie_walk_next(trie, &walk, &filter, &n_subscribers)) {
        check(n_subscribers == count(model, filter));
        n_filters++;
        n_all += n_subscribers;
    }
    subtrie_walk_end(&walk);
    check(n_filters == subtrie_n_filters(trie) && n_all == model->n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct siphash_key key;
    struct subtrie *trie = subtrie_create(&key);
    struct model model = { .n = 0 };
    struct fuzz_input in = { data, size };

    while (in.size) {
        uint8_t op = fuzz_take_u8(&in);
        uint8_t subscriber = op >> 2 & 7;
        struct fuzz_input text = fuzz_take_bytes(&in, fuzz_take_u8(&in));
        struct slice topic = { text.data, (uint32_t) text.size };

        switch (op & 3) {
        case 0:
        case 1:
            if (topic_filter_is_valid(topic)) {
                put(trie, &model, &(struct subscription) { topic, subscriber, op, 0 });
            }
            break;
        case 2:
            if (topic_filter_is_valid(topic)) {
                take_away(trie, &model, topic, subscriber);
            }
            break;
        default:
            if (topic_name_is_valid(topic)) {
                match(trie, &model, topic);
            }
            break;
        }
        check_places(trie, &model);
    }
    check_sizes(trie, &model);

    while (model.n) {
        take_away(trie, &model, model.subscriptions[0].filter,
                  model.subscriptions[0].subscriber);
    }
    check(subtrie_n_filters(trie) == 0 && subtrie_n_nodes(trie) == 1);
    subtrie_destroy(trie);
    return 0;
}
