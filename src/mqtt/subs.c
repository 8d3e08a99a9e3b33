/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* To what a session is subscribed.  The filters themselves are in the tries, where a place names one:
 * a number instead of a copy, and no allocation for a session that has few.  Where there are many, an
 * index finds a place among them: a client can leave ten thousand filters in one UNSUBSCRIBE. */
#include "mqtt/private.h"
#include "topic/sublist.h"

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

uint32_t
mqtt_subs_at(const struct mqtt_session *s, uint32_t i)
{
    return s->flags & MQTT_SESSION_MANY_SUBS ? sublist_entries(s->many)[i].subscriber : s->few[i];
}

static size_t
many_size(const struct sublist *many)
{
    return sizeof *many + sublist_bytes(many);
}

static void
add(struct sublist *many, uint32_t place)
{
    sublist_add(many, (struct subtrie_entry) { place, 0 });
}

void
mqtt_subs_put(struct mqtt_broker *b, struct mqtt_session *s, uint32_t place)
{
    uint32_t n = mqtt_subs_n(s);

    if (n < MQTT_FEW_SUBS && !(s->flags & MQTT_SESSION_MANY_SUBS)) {
        s->few[n] = place;
        return;
    }
    if (s->flags & MQTT_SESSION_MANY_SUBS) {
        b->heap_bytes -= many_size(s->many);
    } else {
        struct sublist *many = mem_zalloc(sizeof *many);

        for (uint32_t i = 0; i < n; i++) {
            add(many, s->few[i]);
        }
        s->many = many;
        s->flags |= MQTT_SESSION_MANY_SUBS;
    }
    add(s->many, place);
    b->heap_bytes += many_size(s->many);
}

void
mqtt_subs_free(struct mqtt_broker *b, struct mqtt_session *s)
{
    if (s->flags & MQTT_SESSION_MANY_SUBS) {
        b->heap_bytes -= many_size(s->many);
        sublist_uninit(s->many);
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
        for (uint32_t i = 0; i < n; i++) {
            few[i] = mqtt_subs_at(s, i);
        }
        mqtt_subs_free(b, s);
        memcpy(s->few, few, sizeof few);
    }
}

void
mqtt_subs_remove(struct mqtt_broker *b, struct mqtt_session *s, uint32_t place)
{
    uint32_t n = mqtt_subs_n(s), i = 0;

    if (s->flags & MQTT_SESSION_MANY_SUBS) {
        bool was_there;

        b->heap_bytes -= many_size(s->many);
        was_there = sublist_remove(s->many, place);
        mp_assert(was_there);
        b->heap_bytes += many_size(s->many);
        shrink(b, s);
        return;
    }
    while (i < n && s->few[i] != place) {
        i++;
    }
    mp_assert(i < n);
    memmove(s->few + i, s->few + i + 1, (n - i - 1) * sizeof *s->few);
    s->few[n - 1] = SLAB_NONE;
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
