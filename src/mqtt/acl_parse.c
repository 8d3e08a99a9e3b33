/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Reads an acl_file: line by line into rules, then sorts them.  The first mistake ends it. */
#include "mqtt/acl_private.h"

#include <stdlib.h>
#include "base/mem.h"

#define PORT_LOCAL 0xfffffffeu        /* OpenFlow's OFPP_LOCAL. */
#define MAX_PORT 0xfffffffeu
#define MAX_VLAN 4095u

struct parser {
    struct mqtt_acl *acl;
    struct slice user;
    uint32_t scope, line;
};

int
acl_compare(struct slice a, struct slice b)
{
    int order = a.n && b.n ? memcmp(a.p, b.p, MP_MIN(a.n, b.n)) : 0;

    return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice
trim(struct slice s)
{
    while (s.n && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_blank(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

/* Takes what is before the first 'separator', or the first blank if that is ' '; trimmed. */
static struct slice
take_until(struct slice *rest, uint8_t separator)
{
    struct slice word = trim(*rest);
    uint32_t n = 0;

    while (n < word.n && !(separator == ' ' ? is_blank(word.p[n]) : word.p[n] == separator)) {
        n++;
    }
    rest->p = word.p + n + (n < word.n);
    rest->n = word.n - n - (n < word.n);
    *rest = trim(*rest);
    word.n = n;
    return trim(word);
}

static bool
is_word(struct slice s, const char *word)
{
    return s.n == strlen(word) && !memcmp(s.p, word, s.n);
}

static bool
parse_number(struct slice s, uint32_t max, uint32_t *value)
{
    uint64_t v = 0;

    for (uint32_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return false;
        }
        v = 10 * v + (uint64_t) (s.p[i] - '0');
        if (v > max) {
            return false;
        }
    }
    *value = (uint32_t) v;
    return s.n;
}

/* A NUL-terminated copy of what addr.h's parsers shall see. */
static bool
copy_text(struct slice s, char *buf, size_t size)
{
    if (s.n >= size) {
        return false;
    }
    memcpy(buf, s.p, s.n);
    buf[s.n] = '\0';
    return true;
}

static bool
parse_range(struct slice s, uint32_t max, struct acl_test *t)
{
    bool has_dash = s.n && memchr(s.p, '-', s.n);
    struct slice low = take_until(&s, '-');

    if (!s.n) {
        bool is_number = !has_dash && parse_number(low, max, &t->low);

        t->high = t->low;
        return is_number;
    }
    return parse_number(low, max, &t->low) && parse_number(s, max, &t->high)
           && t->low <= t->high;
}

static bool
parse_mac(struct slice s, struct acl_test *t)
{
    char text[MAC_STRLEN];
    struct slice mac = take_until(&s, '/');
    uint32_t bits = 48;

    if (!copy_text(mac, text, sizeof text) || !mac_parse(&t->mac, text)
        || (s.n && !parse_number(s, 48, &bits))) {
        return false;
    }
    t->mac_bits = (uint8_t) bits;
    return true;
}

static bool
parse_test(struct slice s, struct acl_test *t)
{
    char text[ADDR_STRLEN + 4];

    switch (t->kind) {
    case ACL_PORT:
        if (is_word(s, "LOCAL")) {
            t->low = t->high = PORT_LOCAL;
            return true;
        }
        return parse_range(s, MAX_PORT, t);
    case ACL_VLAN:
        if (is_word(s, "none")) {
            t->low = t->high = 0;
            return true;
        }
        return parse_range(s, MAX_VLAN, t) && t->low;
    case ACL_MAC:
        return parse_mac(s, t);
    case ACL_ADDRESS:
        return copy_text(s, text, sizeof text) && prefix_parse(&t->prefix, text);
    }
    return false;
}

static const char *
parse_where(struct parser *p, struct slice rest)
{
    static const struct {
        const char *name, *what;
    } keys[] = {
        [ACL_PORT] = { "port", "a port is a number, a range of numbers or LOCAL" },
        [ACL_VLAN] = { "vlan", "a VLAN is a number or a range of numbers up to 4095, or \"none\"" },
        [ACL_MAC] = { "mac", "a MAC address has the form 00:11:22:33:44:55 or ...:55/BITS" },
        [ACL_ADDRESS] = { "address", "an address is an IP address or ADDRESS/LENGTH" },
    };
    struct mqtt_acl *acl = p->acl;
    struct acl_scope scope = { (uint32_t) acl->n_tests, 0 };

    while (rest.n) {
        struct slice list = take_until(&rest, ' ');
        struct slice key = take_until(&list, '=');
        uint32_t kind = 0;

        while (kind < MP_ARRAY_SIZE(keys) && !is_word(key, keys[kind].name)) {
            kind++;
        }
        if (kind == MP_ARRAY_SIZE(keys)) {
            return "\"where\" knows port=, vlan=, mac= and address=";
        }
        do {
            struct acl_test t = { .kind = (enum acl_kind) kind };

            if (!parse_test(take_until(&list, ','), &t)) {
                return keys[kind].what;
            }
            acl->tests = mem_grow(acl->tests, &acl->allocated_tests, acl->n_tests + 1,
                                  sizeof *acl->tests);
            acl->tests[acl->n_tests++] = t;
            scope.n++;
        } while (list.n);
    }
    p->scope = (uint32_t) acl->n_scopes;
    acl->scopes = mem_grow(acl->scopes, &acl->allocated_scopes, acl->n_scopes + 1,
                           sizeof *acl->scopes);
    acl->scopes[acl->n_scopes++] = scope;
    return NULL;
}

static bool
has_names(struct slice filter)
{
    for (uint32_t i = 0; i + 1 < filter.n; i++) {
        if (filter.p[i] == '%' && (filter.p[i + 1] == 'u' || filter.p[i + 1] == 'c')) {
            return true;
        }
    }
    return false;
}

/* "[ACCESS] FILTER": a first word is an access only if something follows it. */
static const char *
parse_rule(struct slice rest, struct acl_rule *r)
{
    static const struct {
        const char *name;
        uint8_t access;
    } words[] = {
        { "read", MQTT_ACL_READ }, { "write", MQTT_ACL_WRITE },
        { "readwrite", MQTT_ACL_READ | MQTT_ACL_WRITE }, { "deny", 0 },
    };
    struct slice after = rest, first = take_until(&after, ' ');
    size_t i = 0;

    r->access = MQTT_ACL_READ | MQTT_ACL_WRITE;
    r->filter = rest;
    if (after.n) {
        while (i < MP_ARRAY_SIZE(words) && !is_word(first, words[i].name)) {
            i++;
        }
        if (i == MP_ARRAY_SIZE(words)) {
            return "the access is one of read, write, readwrite and deny";
        }
        r->access = words[i].access;
        r->filter = after;
    }
    if (!r->filter.n) {
        return "a topic filter is missing";
    }
    return topic_filter_is_valid(r->filter) ? NULL : "that is no valid topic filter";
}

static const char *
add_topic(struct parser *p, struct slice rest)
{
    struct mqtt_acl *acl = p->acl;
    struct acl_rule r = { .user = p->user, .scope = p->scope, .order = p->line };
    const char *error = parse_rule(rest, &r);

    if (!error) {
        acl->topics = mem_grow(acl->topics, &acl->allocated_topics, acl->n_topics + 1,
                               sizeof *acl->topics);
        acl->topics[acl->n_topics++] = r;
    }
    return error;
}

static const char *
add_pattern(struct parser *p, struct slice rest)
{
    struct mqtt_acl *acl = p->acl;
    struct acl_rule r = { .scope = p->scope, .order = p->line };
    const char *error = parse_rule(rest, &r);

    if (!error) {
        r.has_names = has_names(r.filter);
        acl->patterns = mem_grow(acl->patterns, &acl->allocated_patterns, acl->n_patterns + 1,
                                 sizeof *acl->patterns);
        acl->patterns[acl->n_patterns++] = r;
    }
    return error;
}

static const char *
parse_line(struct parser *p, struct slice line)
{
    struct slice rest = trim(line), word;

    if (!rest.n || rest.p[0] == '#') {
        return NULL;
    }
    if (memchr(rest.p, 0, rest.n)) {
        return "there is a NUL byte";
    }
    word = take_until(&rest, ' ');
    if (is_word(word, "topic")) {
        return add_topic(p, rest);
    } else if (is_word(word, "pattern")) {
        return add_pattern(p, rest);
    } else if (is_word(word, "where")) {
        return parse_where(p, rest);
    } else if (is_word(word, "user")) {
        p->user = rest;
        p->scope = 0;
        return rest.n ? NULL : "a user name is missing";
    }
    return "a line begins with user, topic, pattern or where";
}

static int
compare_rules(const void *a_, const void *b_)
{
    const struct acl_rule *a = a_, *b = b_;
    int order = acl_compare(a->user, b->user);

    if (order) {
        return order;
    }
    if (!a->access != !b->access) {
        return a->access ? 1 : -1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

static void
sort_rules(struct acl_rule *rules, size_t n)
{
    if (n) {
        qsort(rules, n, sizeof *rules, compare_rules);
    }
}

struct mqtt_acl *
mqtt_acl_parse(struct slice text, struct mqtt_acl_error *error)
{
    struct mqtt_acl *acl = mem_zalloc(sizeof *acl);
    struct parser p = { .acl = acl, .line = 1 };
    struct slice rest;

    acl->text = mem_dup(text.p, text.n);
    acl->scopes = mem_grow(NULL, &acl->allocated_scopes, 1, sizeof *acl->scopes);
    acl->scopes[acl->n_scopes++] = (struct acl_scope) { 0, 0 };
    for (rest = (struct slice) { acl->text, text.n }; rest.n; p.line++) {
        const uint8_t *end = memchr(rest.p, '\n', rest.n);
        uint32_t n = end ? (uint32_t) (end - rest.p) : rest.n;

        error->what = parse_line(&p, (struct slice) { rest.p, n });
        if (error->what) {
            error->line = p.line;
            mqtt_acl_destroy(acl);
            return NULL;
        }
        n += end != NULL;
        rest.p += n;
        rest.n -= n;
    }
    sort_rules(acl->topics, acl->n_topics);
    sort_rules(acl->patterns, acl->n_patterns);
    return acl;
}
