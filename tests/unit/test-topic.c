/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of topic/topic.h: the shared vectors (tests/vectors/topics.txt), which are also run against
 * the trie, and UTF-8 sequence by sequence. */
#include "topic/topic.h"

#include "base/mem.h"
#include "topic/subtrie.h"
#include "unit/tap.h"

static struct slice
str(const char *s)
{
    return (struct slice) { (const uint8_t *) s, (uint32_t) strlen(s) };
}

static bool
trie_matches(struct slice filter, struct slice name)
{
    struct siphash_key key = { 1, 2 };
    struct subtrie *t = subtrie_create(&key);
    struct subtrie_set set = { .n = 0 };

    subtrie_put(t, filter, 7, 1);
    subtrie_match(t, name, &set);

    bool matches = set.n == 1 && set.entries[0].subscriber == 7;

    subtrie_set_uninit(&set);
    subtrie_destroy(t);
    return matches;
}

static void
run_vector(char *line)
{
    char *save, *verb = strtok_r(line, " \n", &save);
    char *a = verb ? strtok_r(NULL, " \n", &save) : NULL;
    char *b = a ? strtok_r(NULL, " \n", &save) : NULL;

    if (!verb || verb[0] == '#') {
        return;
    }
    if (a && b && (!strcmp(verb, "match") || !strcmp(verb, "nomatch"))) {
        bool want = verb[0] == 'm';

        ok(topic_filter_is_valid(str(a)) && topic_name_is_valid(str(b)), "%s, %s are valid", a, b);
        ok(topic_matches(str(a), str(b)) == want, "%s %s %s", verb, a, b);
        ok(trie_matches(str(a), str(b)) == want, "%s %s %s in the trie", verb, a, b);
    } else if (a && !b && !strcmp(verb, "badfilter")) {
        ok(!topic_filter_is_valid(str(a)), "%s is no filter", a);
    } else if (a && !b && !strcmp(verb, "badname")) {
        ok(!topic_name_is_valid(str(a)), "%s is no name", a);
    } else {
        fail("a line of the vectors that is understood: %s", verb);
    }
}

TEST(shared_vectors)
{
    const char *top = getenv("top_srcdir");
    char path[4096], line[1024];
    int n = 0;

    snprintf(path, sizeof path, "%s/tests/vectors/topics.txt", top ? top : ".");

    FILE *f = fopen(path, "r");

    if (!f) {
        BAIL_OUT("%s: cannot be read", path);
    }
    while (fgets(line, sizeof line, f)) {
        run_vector(line);
        n++;
    }
    fclose(f);
    ok(n > 50, "%d lines", n);
}

TEST(utf8_sequences)
{
    static const struct {
        const char *bytes;
        bool valid;
        const char *what;
    } cases[] = {
        { "", true, "nothing" },
        { "\x01\x1f\x7f", true, "control characters (may be refused, are not)" },
        { "\xc2\x80", true, "U+0080, the first of two bytes" },
        { "\xdf\xbf", true, "U+07FF, the last of two" },
        { "\xe0\xa0\x80", true, "U+0800, the first of three" },
        { "\xed\x9f\xbf", true, "U+D7FF, before the surrogates" },
        { "\xee\x80\x80", true, "U+E000, after the surrogates" },
        { "\xef\xbb\xbf", true, "U+FEFF, kept [MQTT-1.5.4-3]" },
        { "\xef\xbf\xbf", true, "U+FFFF (may be refused, is not)" },
        { "\xf0\x90\x80\x80", true, "U+10000, the first of four" },
        { "\xf4\x8f\xbf\xbf", true, "U+10FFFF, the last of all" },
        { "\xc0\x80", false, "U+0000, overlong" },
        { "\xc1\xbf", false, "U+007F, overlong" },
        { "\xe0\x9f\xbf", false, "U+07FF, overlong" },
        { "\xf0\x8f\xbf\xbf", false, "U+FFFF, overlong" },
        { "\xed\xa0\x80", false, "U+D800, a surrogate [MQTT-1.5.4-1]" },
        { "\xed\xbf\xbf", false, "U+DFFF, a surrogate" },
        { "\xf4\x90\x80\x80", false, "U+110000" },
        { "\xf5\x80\x80\x80", false, "beyond all" },
        { "\xff", false, "no first byte" },
        { "\x80", false, "a continuation alone" },
        { "\xc3", false, "two bytes, cut" },
        { "\xe2\x82", false, "three bytes, cut" },
        { "\xf0\x9f\x98", false, "four bytes, cut" },
        { "\xc3\x28", false, "no continuation" },
        { "\xe2\x28\xa1", false, "no second byte of three" },
        { "\xe2\x82\x28", false, "no third byte of three" },
        { "\xf0\x9f\x98\x28", false, "no fourth byte of four" },
        { "abc\xc3\xa9" "def", true, "mixed" },
    };

    for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
        ok(topic_utf8_is_valid(str(cases[i].bytes)) == cases[i].valid, "%s: %s", cases[i].what,
           cases[i].valid ? "taken" : "refused");
    }
    ok(!topic_utf8_is_valid((struct slice) { (const uint8_t *) "a\0b", 3 }),
       "U+0000 is refused [MQTT-1.5.4-2]");
}

/* Encodes every code point and compares. */
TEST(utf8_all_code_points)
{
    int wrong = 0;

    for (uint32_t c = 0; c < 0x200000; c++) {
        uint8_t b[4];
        uint32_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

        if (n == 1) {
            b[0] = (uint8_t) c;
        } else {
            b[0] = (uint8_t) (0xf00 >> n | c >> 6 * (n - 1));
            for (uint32_t i = 1; i < n; i++) {
                b[i] = (uint8_t) (0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
            }
        }

        bool want = c && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);

        wrong += topic_utf8_is_valid((struct slice) { b, n }) != want;
    }
    is_int(wrong, 0, "each code point is taken or refused as it should be");
}

TEST(lengths_and_levels)
{
    uint8_t *big = mem_alloc(TOPIC_MAX_LEN + 1);

    memset(big, 'a', TOPIC_MAX_LEN + 1);
    ok(!topic_name_is_valid(str("")) && !topic_filter_is_valid(str("")),
       "empty is no topic [MQTT-4.7.3-1]");
    ok(topic_name_is_valid((struct slice) { big, TOPIC_MAX_LEN }), "65535 bytes");
    ok(!topic_name_is_valid((struct slice) { big, TOPIC_MAX_LEN + 1 }), "65536 bytes");
    ok(!topic_filter_is_valid((struct slice) { big, TOPIC_MAX_LEN + 1 }), "neither as a filter");
    mem_free(big);
    is_int(topic_n_levels(str("a")), 1, "one level");
    is_int(topic_n_levels(str("/")), 2, "two empty levels");
    is_int(topic_n_levels(str("a/b//")), 4, "four levels");
    ok(topic_filter_has_wildcard(str("a/+")) && topic_filter_has_wildcard(str("#"))
       && !topic_filter_has_wildcard(str("a/b")), "wildcards are seen");
}

int
main(void)
{
    RUN(shared_vectors);
    RUN(utf8_sequences);
    RUN(utf8_all_code_points);
    RUN(lengths_and_levels);
    return done_testing();
}
