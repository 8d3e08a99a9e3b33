/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Shared subscriptions, "$share/NAME/FILTER" (5.0 section 4.8.2; taken from 3.1.1 clients as well).
 * A group stands in the trie of subscriptions as one subscriber of FILTER, told from sessions by a
 * bit; which group that is, a second trie knows by the whole string.  Each message goes to one
 * member, in turns. */
#include "mqtt/access.h"

#define PREFIX "$share/"
#define PREFIX_SIZE (sizeof PREFIX - 1)

struct member {
    uint32_t session;
    uint32_t value;
};

struct mqtt_group {
    struct member *members;
    size_t n, allocated;
    size_t next;                      /* Whose turn it is. */
};

const size_t mqtt_group_size = sizeof(struct mqtt_group);

static struct mqtt_group *
group_at(const struct mqtt_broker *b, uint32_t idx)
{
    return slab_at(&b->groups, idx & ~MQTT_GROUP);
}

/* 'form' is MQTT_SHARE_NONE for an ordinary filter; 'filter' is cut down to FILTER if it is valid
 * [MQTT-4.8.2-1], [MQTT-4.8.2-2]. */
enum mqtt_share_form
mqtt_share_parse(struct slice *filter)
{
    const uint8_t *name, *slash;
    struct slice rest;

    if (filter->n < PREFIX_SIZE || memcmp(filter->p, PREFIX, PREFIX_SIZE)) {
        return MQTT_SHARE_NONE;
    }
    name = filter->p + PREFIX_SIZE;
    slash = memchr(name, '/', filter->n - PREFIX_SIZE);
    if (!slash || slash == name || memchr(name, '+', (size_t) (slash - name))
        || memchr(name, '#', (size_t) (slash - name))) {
        return MQTT_SHARE_INVALID;
    }
    rest.p = slash + 1;
    rest.n = filter->n - (uint32_t) (rest.p - filter->p);
    if (!topic_filter_is_valid(rest)) {
        return MQTT_SHARE_INVALID;
    }
    *filter = rest;
    return MQTT_SHARE_VALID;
}

/* The group whose string has this place in the second trie. */
static uint32_t
group_of(const struct mqtt_broker *b, uint32_t place)
{
    return subtrie_find_place(b->shares, place, 0)->value;
}

static struct member *
find_member(const struct mqtt_group *g, uint32_t session)
{
    for (size_t i = 0; i < g->n; i++) {
        if (g->members[i].session == session) {
            return &g->members[i];
        }
    }
    return NULL;
}

const uint32_t *
mqtt_share_value(const struct mqtt_broker *b, uint32_t place, uint32_t session)
{
    const struct member *m = find_member(group_at(b, group_of(b, place)), session);

    return m ? &m->value : NULL;
}

uint32_t
mqtt_share_n_members(const struct mqtt_broker *b, uint32_t place)
{
    return (uint32_t) group_at(b, group_of(b, place))->n;
}

/* Adds or replaces a member, as subtrie_put_place() does for FILTER. */
enum subtrie_put_result
mqtt_share_put(struct mqtt_broker *b, struct slice whole, struct subtrie_entry member,
               uint32_t *place)
{
    enum subtrie_put_result result = SUBTRIE_ADDED;
    struct slice filter = whole;
    struct mqtt_group *g;
    struct member *m;

    *place = subtrie_place(b->shares, whole);
    if (!*place) {
        uint32_t idx = slab_alloc(&b->groups);

        mqtt_share_parse(&filter);
        subtrie_put_place(b->shares, whole, (struct subtrie_entry) { 0, idx }, place);
        result = subtrie_put(b->subs, filter, idx | MQTT_GROUP, 0);
    }
    g = group_at(b, group_of(b, *place));
    m = find_member(g, member.subscriber);
    if (m) {
        m->value = member.value;
        return SUBTRIE_REPLACED;
    }
    g->members = mem_grow(g->members, &g->allocated, g->n + 1, sizeof *g->members);
    g->members[g->n++] = (struct member) { member.subscriber, member.value };
    b->n_shared++;
    return result;
}

/* 'filter' is FILTER. */
enum subtrie_remove_result
mqtt_share_remove(struct mqtt_broker *b, uint32_t place, struct slice filter, uint32_t session)
{
    enum subtrie_remove_result result;
    uint32_t idx = group_of(b, place);
    struct mqtt_group *g = group_at(b, idx);
    struct member *m = find_member(g, session);

    if (!m) {
        return SUBTRIE_NOT_FOUND;
    }
    g->n--;
    b->n_shared--;
    memmove(m, m + 1, (size_t) (g->members + g->n - m) * sizeof *m);
    if (g->n) {
        return SUBTRIE_REMOVED;
    }
    result = subtrie_remove(b->subs, filter, idx | MQTT_GROUP);
    subtrie_remove_place(b->shares, place, 0);
    mem_free(g->members);
    slab_free(&b->groups, idx);
    return result;
}

enum fitness { UNFIT, FULL, STORED, CONGESTED, FIT };

static enum fitness
fitness_of(const struct mqtt_broker *b, const struct member *m, const struct mqtt_msg *msg)
{
    const struct mqtt_session *s = mqtt_session_at(b, m->session);

    if (!mqtt_access_read(b, s, mqtt_msg_topic(msg))) {
        return UNFIT;
    }
    if (msg->qos && m->value & MQTT_SUB_QOS && !mqtt_flow_has_room(b, s->flow, msg)) {
        return FULL;
    }
    if (!s->conn) {
        return msg->qos && m->value & MQTT_SUB_QOS ? STORED : UNFIT;
    }
    return s->flow && mqtt_flow_is_congested(b, s->flow) ? CONGESTED : FIT;
}

/* Which member is to get a message; n: nobody. */
static size_t
choose(const struct mqtt_broker *b, const struct mqtt_msg *msg, const struct mqtt_group *g)
{
    enum fitness best = UNFIT;
    size_t chosen = 0;

    for (size_t i = 0; i < g->n && best != FIT; i++) {
        size_t k = (g->next + i) % g->n;
        enum fitness fitness = fitness_of(b, &g->members[k], msg);

        if (fitness > best) {
            best = fitness;
            chosen = k;
        }
    }
    return best == UNFIT ? g->n : chosen;
}

bool
mqtt_share_peek(const struct mqtt_broker *b, const struct mqtt_msg *msg, struct subtrie_entry *e)
{
    const struct mqtt_group *g = group_at(b, e->subscriber);
    size_t chosen = choose(b, msg, g);

    if (chosen == g->n) {
        return false;
    }
    *e = (struct subtrie_entry) { g->members[chosen].session, g->members[chosen].value };
    return true;
}

/* The member who gets a message: in turns among the connected ones that keep up, else the next
 * best.  'e' names the group and becomes the member's entry; false: nobody. */
bool
mqtt_share_choose(struct mqtt_broker *b, const struct mqtt_msg *msg, struct subtrie_entry *e)
{
    struct mqtt_group *g = group_at(b, e->subscriber);
    size_t chosen = choose(b, msg, g);

    if (chosen == g->n) {
        return false;
    }
    g->next = chosen + 1;
    *e = (struct subtrie_entry) { g->members[chosen].session, g->members[chosen].value };
    return true;
}

struct legacy {                       /* A shared subscription, and what it gets back. */
    struct slice filter;
    uint32_t group;
    const struct mqtt_msg *last;
};

static void
hand_on(struct mqtt_broker *b, const struct mqtt_list *list, struct legacy *l, usec_t now)
{
    for (uint32_t idx = list->head; idx; idx = mqtt_entry_at(b, idx)->next) {
        struct mqtt_entry *e = mqtt_entry_at(b, idx);
        struct mqtt_msg *msg = e->msg;

        /* QoS 2 that was begun is nobody else's [MQTT-4.8.2-5].  The same message twice in a row
         * is another group's. */
        if (msg && e->flags & MQTT_ENTRY_SHARED && msg != l->last
            && !(e->qos == 2 && e->packet_id && !(e->flags & MQTT_ENTRY_NEW))
            && topic_matches(l->filter, mqtt_msg_topic(msg))) {
            e->flags &= (uint8_t) ~MQTT_ENTRY_SHARED;
            l->last = msg;
            mqtt_publish_to_group(b, msg, l->group, now);
        }
    }
}

/* The session, which is no member any more of the group at 'place', is about to end: what it got
 * through that and has not acknowledged goes to others (5.0 section 4.8.2). */
void
mqtt_share_bequeath(struct mqtt_broker *b, uint32_t session, uint32_t place, usec_t now)
{
    const struct mqtt_flow *f = mqtt_session_at(b, session)->flow;
    struct slice whole = subtrie_filter(b->shares, place);
    uint8_t *copy = mem_dup(whole.p, whole.n);
    struct legacy l = { { copy, whole.n }, group_of(b, place) | MQTT_GROUP, NULL };

    mqtt_share_parse(&l.filter);
    hand_on(b, &f->sent, &l, now);
    hand_on(b, &f->waiting[MQTT_QUEUE_QOS12], &l, now);
    hand_on(b, &f->waiting[MQTT_QUEUE_QOS0], &l, now);
    mem_free(copy);
}

void
mqtt_share_free_all(struct mqtt_broker *b)
{
    struct subtrie_walk walk = { NULL };
    struct slice whole;
    uint32_t n;

    while (subtrie_walk_next(b->shares, &walk, &whole, &n)) {
        mem_free(group_at(b, subtrie_find(b->shares, whole, 0)->value)->members);
    }
    subtrie_walk_end(&walk);
}
