/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* To what a session is subscribed.  The filters themselves are in the tries, where a place names one:
 * four bytes instead of a copy, and no allocation for a session that has few. */
#include "mqtt/private.h"

#define FIRST_MANY 4u

uint32_t
mqtt_subs_n(const struct mqtt_session *s)
{
    uint32_t n = 0;

    if (s->flags & MQTT_SESSION_MANY_SUBS) {
        return s->many->n;
    }
    while (n < MQTT_FEW_SUBS && s->few[n]) {
        n++;
    }
    return n;
}

const uint32_t *
mqtt_subs_places(const struct mqtt_session *s)
{
    return s->flags & MQTT_SESSION_MANY_SUBS ? s->many->places : s->few;
}

static size_t
many_size(uint32_t allocated)
{
    return sizeof(struct mqtt_subs) + allocated * sizeof(uint32_t);
}

/* Room for one more in a list. */
static void
make_room(struct mqtt_broker *b, struct mqtt_session *s)
{
    struct mqtt_subs *many;

    if (!(s->flags & MQTT_SESSION_MANY_SUBS)) {
        many = mem_alloc(many_size(FIRST_MANY));
        many->n = MQTT_FEW_SUBS;
        many->allocated = FIRST_MANY;
        memcpy(many->places, s->few, sizeof s->few);
        b->heap_bytes += many_size(FIRST_MANY);
        s->many = many;
        s->flags |= MQTT_SESSION_MANY_SUBS;
    } else if (s->many->n == s->many->allocated) {
        many = mem_realloc(s->many, many_size(2 * s->many->allocated));
        b->heap_bytes += many_size(2 * many->allocated) - many_size(many->allocated);
        many->allocated *= 2;
        s->many = many;
    }
}

void
mqtt_subs_put(struct mqtt_broker *b, struct mqtt_session *s, uint32_t place)
{
    uint32_t n = mqtt_subs_n(s);

    if (n < MQTT_FEW_SUBS && !(s->flags & MQTT_SESSION_MANY_SUBS)) {
        s->few[n] = place;
        return;
    }
    make_room(b, s);
    s->many->places[s->many->n++] = place;
}

void
mqtt_subs_free(struct mqtt_broker *b, struct mqtt_session *s)
{
    if (s->flags & MQTT_SESSION_MANY_SUBS) {
        b->heap_bytes -= many_size(s->many->allocated);
        mem_free(s->many);
        s->flags &= (uint8_t) ~MQTT_SESSION_MANY_SUBS;
    }
    memset(s->few, 0, sizeof s->few);
}

/* A list that has become short goes. */
static void
shrink(struct mqtt_broker *b, struct mqtt_session *s)
{
    uint32_t few[MQTT_FEW_SUBS] = { 0 };
    uint32_t n = s->many->n;

    if (n < MQTT_FEW_SUBS) {
        memcpy(few, s->many->places, n * sizeof few[0]);
        mqtt_subs_free(b, s);
        memcpy(s->few, few, sizeof few);
    }
}

void
mqtt_subs_remove(struct mqtt_broker *b, struct mqtt_session *s, uint32_t place)
{
    uint32_t n = mqtt_subs_n(s), i = 0;
    uint32_t *places = (uint32_t *) mqtt_subs_places(s);

    while (i < n && places[i] != place) {
        i++;
    }
    mp_assert(i < n);
    memmove(places + i, places + i + 1, (n - i - 1) * sizeof *places);
    if (s->flags & MQTT_SESSION_MANY_SUBS) {
        s->many->n--;
        shrink(b, s);
    } else {
        places[n - 1] = SLAB_NONE;
    }
}

struct slice
mqtt_subs_filter(const struct mqtt_broker *b, uint32_t place)
{
    return place & MQTT_SUB_SHARED ? subtrie_filter(b->shares, place & ~MQTT_SUB_SHARED)
           : subtrie_filter(b->subs, place);
}

uint32_t
mqtt_subs_value(const struct mqtt_broker *b, uint32_t session, uint32_t place)
{
    return place & MQTT_SUB_SHARED ? *mqtt_share_value(b, place & ~MQTT_SUB_SHARED, session)
           : subtrie_find_place(b->subs, place, session)->value;
}

uint32_t
mqtt_subs_find(const struct mqtt_broker *b, uint32_t session, struct slice filter)
{
    struct slice shared = filter;
    uint32_t place;

    if (mqtt_share_parse(&shared) == MQTT_SHARE_VALID) {
        place = subtrie_place(b->shares, filter);
        return place && mqtt_share_value(b, place, session) ? place | MQTT_SUB_SHARED : SLAB_NONE;
    }
    place = subtrie_place(b->subs, filter);
    return place && subtrie_find_place(b->subs, place, session) ? place : SLAB_NONE;
}
