/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Shared subscriptions, "$share/NAME/FILTER" (5.0 section 4.8.2; taken from 3.1.1 clients as well).
 * A group stands in the trie of subscriptions as one subscriber of FILTER, told from sessions by a
 * bit; which group that is, a second trie knows by the whole string.  Each message goes to one
 * member, in turns. */
#include "mqtt/access.h"
#include "topic/sublist.h"

#define PREFIX "$share/"
#define PREFIX_SIZE (sizeof PREFIX - 1)

/* Members by what they can be given, so that nobody who is away is looked at for every message.  Who
 * parts is left where he is, is put aside once his turn comes, and back when he connects. */
enum list {
    PRESENT,                          /* Connected, or away and not found out yet. */
    STORED,                           /* Away, takes QoS 1 and 2. */
    MUTE,                             /* Away, takes QoS 0 only: nothing. */
    N_LISTS
};

struct mqtt_group {
    struct sublist lists[N_LISTS];    /* Subscriber: the session. */
    uint32_t next[N_LISTS];           /* Whose turn it is. */
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

static struct subtrie_entry *
find_member(struct mqtt_group *g, uint32_t session, enum list *list)
{
    for (int i = 0; i < N_LISTS; i++) {
        struct subtrie_entry *e = sublist_find(&g->lists[i], session);

        if (e) {
            *list = (enum list) i;
            return e;
        }
    }
    return NULL;
}

static uint32_t
n_members(const struct mqtt_group *g)
{
    return g->lists[PRESENT].n + g->lists[STORED].n + g->lists[MUTE].n;
}

static void
add_member(struct mqtt_broker *b, struct sublist *list, struct subtrie_entry member)
{
    b->heap_bytes -= sublist_bytes(list);
    sublist_add(list, member);
    b->heap_bytes += sublist_bytes(list);
}

static void
remove_member(struct mqtt_broker *b, struct sublist *list, uint32_t session)
{
    b->heap_bytes -= sublist_bytes(list);
    sublist_remove(list, session);
    b->heap_bytes += sublist_bytes(list);
}

const uint32_t *
mqtt_share_value(const struct mqtt_broker *b, uint32_t place, uint32_t session)
{
    enum list list;
    const struct subtrie_entry *e = find_member(group_at(b, group_of(b, place)), session, &list);

    return e ? &e->value : NULL;
}

uint32_t
mqtt_share_n_members(const struct mqtt_broker *b, uint32_t place)
{
    return n_members(group_at(b, group_of(b, place)));
}

/* Adds or replaces a member, as subtrie_put_place() does for FILTER. */
enum subtrie_put_result
mqtt_share_put(struct mqtt_broker *b, struct slice whole, struct subtrie_entry member,
               uint32_t *place)
{
    enum subtrie_put_result result = SUBTRIE_ADDED;
    struct slice filter = whole;
    struct subtrie_entry *e;
    struct mqtt_group *g;
    enum list list;

    *place = subtrie_place(b->shares, whole);
    if (!*place) {
        uint32_t idx = slab_alloc(&b->groups);

        mqtt_share_parse(&filter);
        subtrie_put_place(b->shares, whole, (struct subtrie_entry) { 0, idx }, place);
        result = subtrie_put(b->subs, filter, idx | MQTT_GROUP, 0);
    }
    g = group_at(b, group_of(b, *place));
    e = find_member(g, member.subscriber, &list);
    if (e) {
        e->value = member.value;
        return SUBTRIE_REPLACED;
    }
    add_member(b, &g->lists[PRESENT], member);
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
    enum list list;

    if (!find_member(g, session, &list)) {
        return SUBTRIE_NOT_FOUND;
    }
    remove_member(b, &g->lists[list], session);
    b->n_shared--;
    if (n_members(g)) {
        return SUBTRIE_REMOVED;
    }
    result = subtrie_remove(b->subs, filter, idx | MQTT_GROUP);
    subtrie_remove_place(b->shares, place, 0);
    slab_free(&b->groups, idx);
    return result;
}

/* ---- Whose turn it is ---- */

/* The session, which has a connection again: where it was put aside, it has turns again. */
void
mqtt_share_connected(struct mqtt_broker *b, uint32_t session)
{
    struct mqtt_session *s = mqtt_session_at(b, session);
    uint32_t n = s->flags & MQTT_SESSION_ASIDE ? mqtt_subs_n(s) : 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t place = mqtt_subs_at(s, i);
        enum list list = PRESENT;

        if (place & MQTT_SUB_SHARED) {
            struct mqtt_group *g = group_at(b, group_of(b, place & ~MQTT_SUB_SHARED));
            struct subtrie_entry e = *find_member(g, session, &list);

            if (list != PRESENT) {
                remove_member(b, &g->lists[list], session);
                add_member(b, &g->lists[PRESENT], e);
            }
        }
    }
    s->flags &= (uint8_t) ~MQTT_SESSION_ASIDE;
}

static void
put_aside(struct mqtt_broker *b, struct mqtt_group *g, struct subtrie_entry e)
{
    remove_member(b, &g->lists[PRESENT], e.subscriber);
    add_member(b, &g->lists[e.value & MQTT_SUB_QOS ? STORED : MUTE], e);
    mqtt_session_at(b, e.subscriber)->flags |= MQTT_SESSION_ASIDE;
}

enum fitness { UNFIT, FULL, STANDBY, CONGESTED, FIT };

static enum fitness
fitness_of(const struct mqtt_broker *b, const struct subtrie_entry *e, const struct mqtt_msg *msg)
{
    const struct mqtt_session *s = mqtt_session_at(b, e->subscriber);

    if (!mqtt_access_read(b, s, mqtt_msg_topic(msg))) {
        return UNFIT;
    }
    if (msg->qos && e->value & MQTT_SUB_QOS && !mqtt_flow_has_room(b, s->flow, msg)) {
        return FULL;
    }
    if (!s->conn) {
        return msg->qos && e->value & MQTT_SUB_QOS ? STANDBY : UNFIT;
    }
    return s->flow && mqtt_flow_is_congested(b, s->flow) ? CONGESTED : FIT;
}

struct choice {
    enum fitness fitness;
    enum list list;
    uint32_t session;
};

/* How many are looked at for a better one, if there is one who takes the message; and if there is
 * only one whose queue is full.  For one who may read it at all, everybody is. */
#define MANY_ABLE 64u
#define MANY_FULL 1024u

static bool
is_enough(const struct choice *choice, uint32_t n_seen)
{
    switch (choice->fitness) {
    case UNFIT: return false;
    case FULL: return n_seen >= MANY_FULL;
    case STANDBY:
    case CONGESTED: return n_seen >= MANY_ABLE;
    case FIT: return true;
    }
    return true;
}

static void
look(struct mqtt_broker *b, struct mqtt_group *g, enum list list, const struct mqtt_msg *msg,
     struct choice *choice)
{
    const struct sublist *l = &g->lists[list];
    uint32_t n_seen = 0, k = g->next[list];

    while (n_seen < l->n && !is_enough(choice, n_seen)) {
        struct subtrie_entry e;
        enum fitness fitness;

        k = k < l->n ? k : 0;
        e = sublist_entries(l)[k];
        if (list == PRESENT && !mqtt_session_at(b, e.subscriber)->conn) {
            put_aside(b, g, e);
            n_seen = 0;               /* Another stands here now: once round from here. */
            continue;
        }
        fitness = fitness_of(b, &e, msg);
        if (fitness > choice->fitness) {
            *choice = (struct choice) { fitness, list, e.subscriber };
        }
        k++;
        n_seen++;
    }
}

enum turn { TURN_STAYS, TURN_PASSES };

static bool
choose(struct mqtt_broker *b, const struct mqtt_msg *msg, enum turn turn, struct subtrie_entry *e)
{
    struct mqtt_group *g = group_at(b, e->subscriber);
    struct choice choice = { UNFIT, PRESENT, SLAB_NONE };
    struct subtrie_entry *chosen;

    look(b, g, PRESENT, msg, &choice);
    if (choice.fitness < STANDBY && msg->qos) {
        look(b, g, STORED, msg, &choice);
    }
    if (choice.fitness == UNFIT) {
        return false;
    }
    chosen = sublist_find(&g->lists[choice.list], choice.session);
    if (turn == TURN_PASSES) {
        g->next[choice.list] = (uint32_t) (chosen - sublist_entries(&g->lists[choice.list])) + 1;
    }
    *e = *chosen;
    return true;
}

bool
mqtt_share_peek(struct mqtt_broker *b, const struct mqtt_msg *msg, struct subtrie_entry *e)
{
    return choose(b, msg, TURN_STAYS, e);
}

/* The member who gets a message: in turns among the connected ones that keep up, else the next
 * best.  'e' names the group and becomes the member's entry; false: nobody. */
bool
mqtt_share_choose(struct mqtt_broker *b, const struct mqtt_msg *msg, struct subtrie_entry *e)
{
    return choose(b, msg, TURN_PASSES, e);
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
        struct mqtt_group *g = group_at(b, subtrie_find(b->shares, whole, 0)->value);

        for (int i = 0; i < N_LISTS; i++) {
            sublist_uninit(&g->lists[i]);
        }
    }
    subtrie_walk_end(&walk);
}
