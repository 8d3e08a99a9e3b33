/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Back-pressure on publishers: MQTT_EV_CREDIT is delayed while a subscriber that still makes
 * progress is congested, at most hold_us; while a client does not take the answers to what it
 * sends, for as long as that lasts; and as long as the caller says, who knows of other receivers.  A
 * hold is an object that exists only meanwhile. */
#include "mqtt/private.h"

/* Unread answers (PUBACK and the like) beyond which a client is heard no further. */
#define CTL_HIGH 32768u

static struct mqtt_hold *
hold_at(const struct mqtt_broker *b, uint32_t idx)
{
    return slab_at(&b->holds, idx);
}

static void
push_credit(struct mqtt_broker *b, uint32_t conn, uint32_t n)
{
    mqtt_push_event(b, &(struct mqtt_queued_event) {
        .type = MQTT_EV_CREDIT,
        .conn = mqtt_conn_id(b, conn),
        .user = mqtt_conn_at(b, conn)->user,
        .n = n,
    });
}

static void
wait_for_session(struct mqtt_broker *b, uint32_t idx, uint32_t session, usec_t now)
{
    struct mqtt_flow *f = mqtt_session_at(b, session)->flow;
    struct mqtt_hold *h = hold_at(b, idx);

    h->session = session;
    h->until_at = now + b->config.hold_us;
    h->s_prev = SLAB_NONE;
    h->s_next = f->holds;
    if (f->holds) {
        hold_at(b, f->holds)->s_prev = idx;
    }
    f->holds = idx;
    /* All wait equally long: appending keeps the list sorted. */
    h->next = SLAB_NONE;
    h->prev = b->last_hold;
    if (b->last_hold) {
        hold_at(b, b->last_hold)->next = idx;
    } else {
        b->first_hold = idx;
    }
    b->last_hold = idx;
    b->stats.held++;
}

static void
stop_waiting(struct mqtt_broker *b, uint32_t idx)
{
    struct mqtt_hold *h = hold_at(b, idx);

    if (h->session) {
        struct mqtt_session *s = mqtt_session_at(b, h->session);

        if (h->s_prev) {
            hold_at(b, h->s_prev)->s_next = h->s_next;
        } else {
            s->flow->holds = h->s_next;
        }
        if (h->s_next) {
            hold_at(b, h->s_next)->s_prev = h->s_prev;
        }
        if (h->prev) {
            hold_at(b, h->prev)->next = h->next;
        } else {
            b->first_hold = h->next;
        }
        if (h->next) {
            hold_at(b, h->next)->prev = h->prev;
        } else {
            b->last_hold = h->prev;
        }
        h->session = SLAB_NONE;
        mqtt_flow_trim(b, s);
    }
}

static void
release_if_free(struct mqtt_broker *b, uint32_t idx, usec_t now)
{
    struct mqtt_hold *h = hold_at(b, idx);

    if (!h->session && !h->for_ctl && !h->for_caller) {
        struct mqtt_conn *c = mqtt_conn_at(b, h->conn);

        /* Silence while we did not listen is not the client's. */
        c->heard_ms = (uint32_t) ((now - b->created_at) / CLOCK_MSEC);
        c->hold = SLAB_NONE;
        push_credit(b, h->conn, h->credit);
        slab_free(&b->holds, idx);
    }
}

static struct mqtt_hold *
need_hold(struct mqtt_broker *b, uint32_t conn)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);

    if (!c->hold) {
        c->hold = slab_alloc(&b->holds);
        hold_at(b, c->hold)->conn = conn;
    }
    return hold_at(b, c->hold);
}

/* 'n' bytes of input are done with: says so now, or holds them back.  b->congested names the
 * session, if any, that the bytes filled up. */
void
mqtt_credit(struct mqtt_broker *b, uint32_t conn, uint32_t n, usec_t now)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    bool for_ctl = c->ctl && c->ctl->size > CTL_HIGH;
    bool for_session = b->congested && mqtt_session_at(b, b->congested)->flow;
    struct mqtt_hold *h;

    if (c->state == MQTT_CONN_UP && mqtt_journal_is_full(b)) {
        mqtt_persist_defer(b, conn, n);
        return;
    }
    if (c->state != MQTT_CONN_UP || !(c->hold || for_session || for_ctl)) {
        push_credit(b, conn, n);
        return;
    }
    h = need_hold(b, conn);
    h->credit += n;
    h->for_ctl = h->for_ctl || for_ctl;
    if (for_session && !h->session) {
        wait_for_session(b, c->hold, b->congested, now);
    }
}

void
mqtt_hold_release_session(struct mqtt_broker *b, uint32_t session, usec_t now)
{
    struct mqtt_session *s = mqtt_session_at(b, session);

    while (s->flow && s->flow->holds) {
        uint32_t idx = s->flow->holds;

        stop_waiting(b, idx);
        release_if_free(b, idx, now);
    }
}

bool
mqtt_hold(struct mqtt_broker *b, mqtt_id id)
{
    uint32_t conn = mqtt_conn_find(b, id);
    struct mqtt_hold *h;

    if (!conn || mqtt_conn_at(b, conn)->state != MQTT_CONN_UP) {
        return false;
    }
    h = need_hold(b, conn);
    if (h->for_caller) {
        return false;
    }
    return h->for_caller = true;
}

void
mqtt_release(struct mqtt_broker *b, mqtt_id id, usec_t now)
{
    uint32_t conn = mqtt_conn_find(b, id);
    uint32_t idx = conn ? mqtt_conn_at(b, conn)->hold : SLAB_NONE;

    if (idx) {
        hold_at(b, idx)->for_caller = false;
        release_if_free(b, idx, now);
    }
}

void
mqtt_hold_ctl_drained(struct mqtt_broker *b, uint32_t conn, usec_t now)
{
    uint32_t idx = mqtt_conn_at(b, conn)->hold;

    if (idx) {
        hold_at(b, idx)->for_ctl = false;
        release_if_free(b, idx, now);
    }
}

void
mqtt_hold_expire(struct mqtt_broker *b, usec_t now)
{
    while (b->first_hold && hold_at(b, b->first_hold)->until_at <= now) {
        uint32_t idx = b->first_hold;

        stop_waiting(b, idx);
        release_if_free(b, idx, now);
    }
}

usec_t
mqtt_hold_deadline(const struct mqtt_broker *b)
{
    return b->first_hold ? hold_at(b, b->first_hold)->until_at : CLOCK_NEVER;
}

bool
mqtt_hold_waits(const struct mqtt_broker *b, uint32_t conn)
{
    uint32_t idx = mqtt_conn_at(b, conn)->hold;

    return idx && (hold_at(b, idx)->session || hold_at(b, idx)->for_caller);
}

void
mqtt_hold_free(struct mqtt_broker *b, uint32_t conn)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);

    if (c->hold) {
        stop_waiting(b, c->hold);
        push_credit(b, conn, hold_at(b, c->hold)->credit);
        slab_free(&b->holds, c->hold);
        c->hold = SLAB_NONE;
    }
}
