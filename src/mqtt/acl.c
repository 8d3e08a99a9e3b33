/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Access control: rules sorted by user, denials first, and asked one after the other.  The parser is
 * in acl_parse.c. */
#include "mqtt/acl_private.h"

#include "base/mem.h"
#include "topic/relate.h"
#include "topic/topic.h"

static bool
is_met(const struct acl_test *t, const struct mqtt_origin *o)
{
    switch (t->kind) {
    case ACL_PORT: return o->ingress_port >= t->low && o->ingress_port <= t->high;
    case ACL_VLAN: return o->vlan >= t->low && o->vlan <= t->high;
    case ACL_ADDRESS: return prefix_contains(&t->prefix, &o->addr);
    case ACL_MAC: break;
    }
    for (uint8_t i = 0; i < t->mac_bits; i++) {
        if ((o->mac.b[i / 8] ^ t->mac.b[i / 8]) & 0x80 >> i % 8) {
            return false;
        }
    }
    return true;
}

/* Of the tests of each kind, one must hold. */
static bool
applies(const struct mqtt_acl *acl, const struct acl_rule *r, const struct mqtt_origin *origin)
{
    const struct acl_scope *scope = &acl->scopes[r->scope];
    uint32_t wanted = 0, met = 0;

    if (!origin) {
        return r->access || !scope->n;
    }
    for (uint32_t i = 0; i < scope->n; i++) {
        const struct acl_test *t = &acl->tests[scope->first + i];

        wanted |= 1u << t->kind;
        met |= (uint32_t) is_met(t, origin) << t->kind;
    }
    return met == wanted;
}

/* The first rule of the user's, of 'n'. */
static const struct acl_rule *
rules_of(const struct mqtt_acl *acl, struct slice user, size_t *n)
{
    size_t low = 0, high = acl->n_topics, end;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (acl_compare(acl->topics[middle].user, user) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (end = low; end < acl->n_topics && !acl_compare(acl->topics[end].user, user); end++) {
        continue;
    }
    *n = end - low;
    return low ? acl->topics + low : acl->topics;     /* NULL if there are none. */
}

static bool
has_wildcard(struct slice name)
{
    return name.n && (memchr(name.p, '+', name.n) || memchr(name.p, '#', name.n));
}

/* A pattern with the names in their places; no length: it cannot match. */
static struct slice
expand(struct mqtt_acl *acl, const struct acl_rule *r, const struct mqtt_acl_who *who)
{
    struct writer w = writer_init(acl->scratch, sizeof acl->scratch);
    struct slice f = r->filter;

    if (!r->has_names) {
        return f;
    }
    for (uint32_t i = 0; i < f.n; i++) {
        struct slice name = { f.p + i, 1 };

        if (f.p[i] == '%' && i + 1 < f.n && (f.p[i + 1] == 'u' || f.p[i + 1] == 'c')) {
            name = f.p[++i] == 'u' ? who->username : who->client_id;
            if (!name.n) {
                return (struct slice) { NULL, 0 };
            }
        }
        writer_bytes(&w, name.p, name.n);
    }
    return (struct slice) { acl->scratch, w.failed ? 0 : (uint32_t) writer_size(&w) };
}

/* Judges by one list of rules: false when none of them decides. */
typedef bool judge_func(const struct acl_rule *, struct slice filter, struct slice asked,
                        uint8_t access, bool *verdict);

struct question {
    judge_func *judge;
    struct slice asked;
    uint8_t access;
};

static bool
ask(struct mqtt_acl *acl, const struct mqtt_acl_who *who, const struct question *q, bool *verdict)
{
    size_t n;
    const struct acl_rule *r = rules_of(acl, who->username, &n);

    for (size_t i = 0; i < n; i++) {
        if (applies(acl, &r[i], who->origin)
            && q->judge(&r[i], r[i].filter, q->asked, q->access, verdict)) {
            return true;
        }
    }
    if (acl->n_patterns && (has_wildcard(who->username) || has_wildcard(who->client_id))) {
        return false;                 /* "#" as a client identifier must not open all. */
    }
    for (size_t i = 0; i < acl->n_patterns; i++) {
        struct slice filter;

        r = &acl->patterns[i];
        filter = applies(acl, r, who->origin) ? expand(acl, r, who) : (struct slice) { NULL, 0 };
        if (filter.n && q->judge(r, filter, q->asked, q->access, verdict)) {
            return true;
        }
    }
    return false;
}

static bool
judge_topic(const struct acl_rule *r, struct slice filter, struct slice topic, uint8_t access,
            bool *verdict)
{
    *verdict = r->access & access;
    return (!r->access || *verdict) && topic_matches(filter, topic);
}

bool
mqtt_acl_allows(struct mqtt_acl *acl, const struct mqtt_acl_who *who, enum mqtt_acl_access access,
                struct slice topic)
{
    struct question q = { judge_topic, topic, (uint8_t) access };
    bool verdict = false;

    return ask(acl, who, &q, &verdict) && verdict;
}

/* A denial counts if it takes all that is asked for, a grant if it gives any of it. */
static bool
judge_filter(const struct acl_rule *r, struct slice filter, struct slice asked, uint8_t access,
             bool *verdict)
{
    *verdict = r->access & access;
    return r->access ? *verdict && topic_filters_overlap(filter, asked)
           : topic_filter_covers(filter, asked);
}

bool
mqtt_acl_may_subscribe(struct mqtt_acl *acl, const struct mqtt_acl_who *who, struct slice filter)
{
    struct question q = { judge_filter, filter, MQTT_ACL_READ };
    bool verdict = false;

    return ask(acl, who, &q, &verdict) && verdict;
}

uint32_t
mqtt_acl_n_rules(const struct mqtt_acl *acl)
{
    return (uint32_t) (acl->n_topics + acl->n_patterns);
}

void
mqtt_acl_destroy(struct mqtt_acl *acl)
{
    if (acl) {
        mem_free(acl->topics);
        mem_free(acl->patterns);
        mem_free(acl->scopes);
        mem_free(acl->tests);
        mem_free(acl->text);
        mem_free(acl);
    }
}
