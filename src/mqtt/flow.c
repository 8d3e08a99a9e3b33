/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What one session has under way towards its client: the queues with their limits, and the window
 * of QoS 1 and 2 messages that were sent and not acknowledged.
 *
 * Packet identifiers are given in ascending order and entries leave 'sent' from anywhere, so that
 * the list is always in cyclic order: the next identifier can only collide with the first entry's,
 * and then the window is closed until that one is acknowledged. */
#include "mqtt/private.h"

/* A refusal to remember more than this has no reason but memory. */
#define MAX_RETAINED_REPLAY(B) MP_MAX((B)->config.max_retained, mqtt_retained_n((B)->retained))

struct mqtt_flow *
mqtt_flow_get(struct mqtt_broker *b, struct mqtt_session *s, usec_t now)
{
    if (!s->flow) {
        s->flow = mem_zalloc(sizeof *s->flow);
        s->flow->progress_at = now;
        b->heap_bytes += sizeof *s->flow;
    }
    return s->flow;
}

uint32_t
mqtt_flow_n_waiting(const struct mqtt_flow *f)
{
    uint32_t n = 0;

    for (int q = 0; f && q < MQTT_N_QUEUES; q++) {
        n += f->waiting[q].n;
    }
    return n;
}

void
mqtt_flow_trim(struct mqtt_broker *b, struct mqtt_session *s)
{
    struct mqtt_flow *f = s->flow;

    if (f && !mqtt_flow_n_waiting(f) && !f->sent.n && !f->n_in_ids && !f->holds) {
        b->heap_bytes -= sizeof *f + f->allocated_in_ids * sizeof *f->in_ids;
        mem_free(f->in_ids);
        mem_free(f);
        s->flow = NULL;
    }
}

uint32_t
mqtt_sub_ids_n(const struct mqtt_broker *b, uint32_t list)
{
    uint32_t n = 0;

    for (; list; n++) {
        list = ((struct mqtt_sub_id *) slab_at(&b->sub_ids, list))->next;
    }
    return n;
}

uint32_t
mqtt_sub_ids_add(struct mqtt_broker *b, uint32_t list, uint32_t id)
{
    uint32_t idx = slab_alloc(&b->sub_ids);

    if (!idx) {
        return list;
    }
    *(struct mqtt_sub_id *) slab_at(&b->sub_ids, idx) = (struct mqtt_sub_id) { list, id };
    return idx;
}

void
mqtt_sub_ids_free(struct mqtt_broker *b, uint32_t list)
{
    while (list) {
        uint32_t next = ((struct mqtt_sub_id *) slab_at(&b->sub_ids, list))->next;

        slab_free(&b->sub_ids, list);
        list = next;
    }
}

static void
entry_free(struct mqtt_broker *b, uint32_t idx)
{
    struct mqtt_entry *e = mqtt_entry_at(b, idx);

    mqtt_msg_unref(e->msg);
    mqtt_sub_ids_free(b, e->sub_ids);
    slab_free(&b->entries, idx);
}

static void
list_append(struct mqtt_broker *b, struct mqtt_list *list, uint32_t idx)
{
    mqtt_entry_at(b, idx)->next = SLAB_NONE;
    if (list->tail) {
        mqtt_entry_at(b, list->tail)->next = idx;
    } else {
        list->head = idx;
    }
    list->tail = idx;
    list->n++;
}

/* Takes 'idx', which stands behind 'prev' (none: at the head), out of the list. */
static void
list_unlink(struct mqtt_broker *b, struct mqtt_list *list, uint32_t prev, uint32_t idx)
{
    uint32_t next = mqtt_entry_at(b, idx)->next;

    if (prev) {
        mqtt_entry_at(b, prev)->next = next;
    } else {
        list->head = next;
    }
    if (list->tail == idx) {
        list->tail = prev;
    }
    list->n--;
}

static void
list_free(struct mqtt_broker *b, const struct mqtt_session *s, struct mqtt_list *list)
{
    while (list->head) {
        uint32_t idx = list->head;

        mqtt_persist_done(b, s, mqtt_entry_at(b, idx));
        list_unlink(b, list, SLAB_NONE, idx);
        entry_free(b, idx);
    }
}

void
mqtt_flow_free(struct mqtt_broker *b, struct mqtt_session *s)
{
    struct mqtt_flow *f = s->flow;

    if (f) {
        for (int q = 0; q < MQTT_N_QUEUES; q++) {
            list_free(b, s, &f->waiting[q]);
        }
        list_free(b, s, &f->sent);
        for (uint32_t i = 0; i < f->n_in_ids; i++) {
            mqtt_persist_released(b, s, f->in_ids[i]);
        }
        f->n_in_ids = 0;
        mqtt_flow_trim(b, s);
    }
}

/* What a message counts for in a queue.  One may come by thousands of subscriptions, of each of which
 * the identifier is kept. */
static uint32_t
size_in_queue(const struct mqtt_broker *b, const struct mqtt_msg *msg, uint32_t sub_ids)
{
    return mqtt_msg_size(msg) + mqtt_sub_ids_n(b, sub_ids) * (uint32_t) sizeof(struct mqtt_sub_id);
}

/* Takes the head of a queue out of it. */
static uint32_t
queue_pop(struct mqtt_broker *b, struct mqtt_flow *f, enum mqtt_queue q)
{
    uint32_t idx = f->waiting[q].head;

    list_unlink(b, &f->waiting[q], SLAB_NONE, idx);
    if (q != MQTT_QUEUE_REPLAY) {
        const struct mqtt_entry *e = mqtt_entry_at(b, idx);
        uint32_t size = size_in_queue(b, e->msg, e->sub_ids);

        f->bytes -= size;
        f->qos0_bytes -= q == MQTT_QUEUE_QOS0 ? size : 0;
        b->has_room_again = b->has_room_again || f->is_awaited;
    }
    return idx;
}

/* One message always has room, however large. */
static bool
has_room(const struct mqtt_broker *b, const struct mqtt_flow *f, uint32_t size)
{
    uint32_t n = f->waiting[MQTT_QUEUE_QOS0].n + f->waiting[MQTT_QUEUE_QOS12].n;

    return !n || (n < b->config.max_queued_messages
                  && (uint64_t) f->bytes + size <= b->config.max_queued_bytes);
}

bool
mqtt_flow_has_room(const struct mqtt_broker *b, const struct mqtt_flow *f,
                   const struct mqtt_msg *msg)
{
    uint32_t n = f ? f->waiting[MQTT_QUEUE_QOS12].n : 0;

    return !n || (n < b->config.max_queued_messages
                  && (uint64_t) f->bytes - f->qos0_bytes + mqtt_msg_size(msg)
                     <= b->config.max_queued_bytes);
}

static enum mqtt_put
drop_delivery(struct mqtt_broker *b, struct mqtt_session *s, const struct mqtt_delivery *d)
{
    mqtt_sub_ids_free(b, d->sub_ids);
    mqtt_session_count(s, MQTT_COUNT_DROPPED);
    if (d->qos) {
        b->stats.dropped_qos12++;
    } else {
        b->stats.dropped_qos0++;
    }
    return MQTT_PUT_DROPPED;
}

/* Makes room by dropping the oldest QoS 0 messages; false if that does not help. */
static bool
make_room(struct mqtt_broker *b, struct mqtt_session *s, uint32_t size)
{
    struct mqtt_flow *f = s->flow;

    while (!has_room(b, f, size)) {
        if (!f->waiting[MQTT_QUEUE_QOS0].n) {
            return false;
        }
        entry_free(b, queue_pop(b, f, MQTT_QUEUE_QOS0));
        mqtt_session_count(s, MQTT_COUNT_DROPPED);
        b->stats.dropped_qos0++;
    }
    return true;
}

/* Queues a message for a session.  At the limit the oldest QoS 0 message goes first; when none is
 * left, the new one is dropped. */
enum mqtt_put
mqtt_flow_put(struct mqtt_broker *b, uint32_t session, const struct mqtt_delivery *d, usec_t now)
{
    struct mqtt_session *s = mqtt_session_at(b, session);
    struct mqtt_flow *f = mqtt_flow_get(b, s, now);
    enum mqtt_queue q = d->qos ? MQTT_QUEUE_QOS12 : MQTT_QUEUE_QOS0;
    uint32_t size = size_in_queue(b, d->msg, d->sub_ids);
    struct mqtt_entry *e;
    uint32_t idx;

    if (d->flags & MQTT_ENTRY_REPLAY && f->waiting[MQTT_QUEUE_REPLAY].n < MAX_RETAINED_REPLAY(b)) {
        q = MQTT_QUEUE_REPLAY;
    } else if (!make_room(b, s, size)) {
        return drop_delivery(b, s, d);
    }
    idx = slab_alloc(&b->entries);
    if (!idx) {
        return drop_delivery(b, s, d);
    }
    e = mqtt_entry_at(b, idx);
    e->msg = mqtt_msg_ref(d->msg);
    e->seq = f->seq++;
    e->sub_ids = d->sub_ids;
    e->qos = d->qos;
    e->flags = d->flags;
    if (q != MQTT_QUEUE_REPLAY) {
        f->bytes += size;
        f->qos0_bytes += q == MQTT_QUEUE_QOS0 ? size : 0;
    }
    list_append(b, &f->waiting[q], idx);
    mqtt_persist_queued(b, s, e);
    return MQTT_PUT_QUEUED;
}

bool
mqtt_flow_is_congested(const struct mqtt_broker *b, const struct mqtt_flow *f)
{
    return f->bytes >= b->config.max_queued_bytes / 2
           || f->waiting[MQTT_QUEUE_QOS0].n + f->waiting[MQTT_QUEUE_QOS12].n
              >= MP_MAX(b->config.max_queued_messages / 2, 1);
}

bool
mqtt_flow_has_drained(const struct mqtt_broker *b, const struct mqtt_flow *f)
{
    return f->bytes <= b->config.max_queued_bytes / 4
           && f->waiting[MQTT_QUEUE_QOS0].n + f->waiting[MQTT_QUEUE_QOS12].n
              <= b->config.max_queued_messages / 4;
}

static uint16_t
next_id(const struct mqtt_session *s)
{
    return s->next_packet_id ? s->next_packet_id : 1;
}

uint32_t
mqtt_flow_peek(const struct mqtt_broker *b, const struct mqtt_session *s, uint32_t window)
{
    const struct mqtt_flow *f = s->flow;
    bool is_open;
    uint32_t best = SLAB_NONE, best_age = 0;

    if (!f) {
        return SLAB_NONE;
    }
    is_open = f->n_window < window;
    if (f->resend && (is_open || mqtt_entry_at(b, f->resend)->flags & MQTT_ENTRY_RELEASED)
        && !mqtt_persist_holds(b, s, mqtt_entry_at(b, f->resend))) {
        return f->resend;
    }
    is_open = is_open && !f->resend
              && !(f->sent.n && mqtt_entry_at(b, f->sent.head)->packet_id == next_id(s));
    for (int q = 0; q < MQTT_N_QUEUES; q++) {
        uint32_t idx = f->waiting[q].head;

        if (idx && (is_open || !mqtt_entry_at(b, idx)->qos)) {
            uint32_t age = f->seq - mqtt_entry_at(b, idx)->seq;

            if (age > best_age) {
                best = idx;
                best_age = age;
            }
        }
    }
    return best;
}

void
mqtt_flow_number(struct mqtt_session *s, struct mqtt_entry *e)
{
    e->packet_id = next_id(s);
    s->next_packet_id = (uint16_t) (e->packet_id + 1);
}

/* The head that came first among what a stored session keeps; none if that is of QoS 0. */
static uint32_t
oldest_kept(const struct mqtt_broker *b, const struct mqtt_flow *f)
{
    uint32_t one = f->waiting[MQTT_QUEUE_QOS12].head, other = f->waiting[MQTT_QUEUE_REPLAY].head;

    if (one && other) {
        one = f->seq - mqtt_entry_at(b, one)->seq > f->seq - mqtt_entry_at(b, other)->seq
              ? one : other;
    } else if (!one) {
        one = other;
    }
    return one && mqtt_entry_at(b, one)->qos ? one : SLAB_NONE;
}

/* A packet identifier that a client of QoS 2 has seen must not be forgotten by us, hence it is noted
 * before the message leaves: for all that the window has room for at once, so that one batch has to
 * be waited for and not one per message.  From then on they are like messages to be sent again. */
void
mqtt_flow_number_ahead(struct mqtt_broker *b, struct mqtt_session *s, uint32_t window)
{
    struct mqtt_flow *f = s->flow;
    uint32_t n = 0, idx;

    if (!f || f->resend || !(s->flags & MQTT_SESSION_STORED)) {
        return;
    }
    while (f->n_window + n < window && (idx = oldest_kept(b, f))
           && !(f->sent.n && mqtt_entry_at(b, f->sent.head)->packet_id == next_id(s))) {
        struct mqtt_entry *e = mqtt_entry_at(b, idx);

        queue_pop(b, f, f->waiting[MQTT_QUEUE_QOS12].head == idx ? MQTT_QUEUE_QOS12
                        : MQTT_QUEUE_REPLAY);
        mqtt_flow_number(s, e);
        e->flags |= MQTT_ENTRY_NEW;
        list_append(b, &f->sent, idx);
        mqtt_persist_numbered(b, s, e);
        if (!n++) {
            f->resend = idx;
        }
    }
}

/* Puts an entry where its order has it, which is at the end unless the order wrapped around. */
static void
list_insert(struct mqtt_broker *b, struct mqtt_list *list, uint32_t idx)
{
    struct mqtt_entry *e = mqtt_entry_at(b, idx);
    uint32_t next = list->head, prev = SLAB_NONE;

    if (!list->tail || (int32_t) (e->seq - mqtt_entry_at(b, list->tail)->seq) > 0) {
        list_append(b, list, idx);
        return;
    }
    while ((int32_t) (e->seq - mqtt_entry_at(b, next)->seq) > 0) {
        prev = next;
        next = mqtt_entry_at(b, next)->next;
    }
    e->next = next;
    if (prev) {
        mqtt_entry_at(b, prev)->next = idx;
    } else {
        list->head = idx;
    }
    list->n++;
}

/* Takes over what 'image' refers to.  No limit: it was within one when it came. */
void
mqtt_flow_restore(struct mqtt_broker *b, uint32_t session, const struct mqtt_entry *image,
                  usec_t now)
{
    struct mqtt_session *s = mqtt_session_at(b, session);
    struct mqtt_flow *f = mqtt_flow_get(b, s, now);
    uint32_t idx = slab_alloc(&b->entries);
    struct mqtt_entry *e = mqtt_entry_at(b, idx);
    bool is_first = !f->sent.n && !mqtt_flow_n_waiting(f);

    *e = *image;
    if (is_first || (int32_t) (e->seq - f->seq) >= 0) {
        f->seq = e->seq + 1;
    }
    if (e->packet_id) {
        list_insert(b, &f->sent, idx);
        s->next_packet_id = (uint16_t) (mqtt_entry_at(b, f->sent.tail)->packet_id + 1);
    } else if (e->flags & MQTT_ENTRY_REPLAY) {
        list_insert(b, &f->waiting[MQTT_QUEUE_REPLAY], idx);
    } else {
        list_insert(b, &f->waiting[MQTT_QUEUE_QOS12], idx);
        f->bytes += size_in_queue(b, e->msg, e->sub_ids);
    }
}

/* The queue at whose head 'entry' stands. */
static enum mqtt_queue
queue_of(const struct mqtt_flow *f, uint32_t entry)
{
    int q = 0;

    while (f->waiting[q].head != entry) {
        q++;
        mp_assert(q < MQTT_N_QUEUES);
    }
    return (enum mqtt_queue) q;
}

/* What mqtt_flow_peek() returned was handed to the transport. */
void
mqtt_flow_sent(struct mqtt_broker *b, struct mqtt_session *s, uint32_t entry, usec_t now)
{
    struct mqtt_entry *e = mqtt_entry_at(b, entry);
    struct mqtt_flow *f = s->flow;

    f->progress_at = now;
    if (entry == f->resend) {
        f->resend = e->next;
    } else {
        queue_pop(b, f, queue_of(f, entry));
        if (!e->qos) {
            entry_free(b, entry);
            return;
        }
        list_append(b, &f->sent, entry);
    }
    e->flags = (uint8_t) ((e->flags & ~MQTT_ENTRY_NEW) | MQTT_ENTRY_SENT);
    f->n_window++;
}

static void
sent_remove(struct mqtt_broker *b, struct mqtt_session *s, uint32_t prev, uint32_t entry)
{
    struct mqtt_entry *e = mqtt_entry_at(b, entry);
    struct mqtt_flow *f = s->flow;

    mqtt_persist_done(b, s, e);
    if (f->resend == entry) {
        f->resend = e->next;
    }
    if (e->flags & MQTT_ENTRY_SENT) {
        f->n_window--;
    }
    list_unlink(b, &f->sent, prev, entry);
    entry_free(b, entry);
}

/* What mqtt_flow_peek() returned cannot be sent, ever. */
void
mqtt_flow_discard(struct mqtt_broker *b, struct mqtt_session *s, uint32_t entry)
{
    struct mqtt_flow *f = s->flow;
    uint32_t prev = SLAB_NONE;

    if (entry != f->resend) {
        mqtt_persist_done(b, s, mqtt_entry_at(b, entry));
        entry_free(b, queue_pop(b, f, queue_of(f, entry)));
        return;
    }
    for (uint32_t idx = f->sent.head; idx != entry; idx = mqtt_entry_at(b, idx)->next) {
        prev = idx;
    }
    sent_remove(b, s, prev, entry);
}

/* [MQTT-4.4.0-1]: a new Network Connection gets all again that was not acknowledged, in order. */
void
mqtt_flow_resume(struct mqtt_broker *b, struct mqtt_session *s)
{
    struct mqtt_flow *f = s->flow;

    if (!f) {
        return;
    }
    for (uint32_t idx = f->sent.head; idx; idx = mqtt_entry_at(b, idx)->next) {
        mqtt_entry_at(b, idx)->flags &= (uint8_t) ~MQTT_ENTRY_SENT;
    }
    f->n_window = 0;
    f->resend = f->sent.head;
    mqtt_persist_resumed(b, s);
}

/* Without a connection, QoS 0 messages are not kept. */
void
mqtt_flow_park(struct mqtt_broker *b, struct mqtt_session *s)
{
    struct mqtt_flow *f = s->flow;
    struct mqtt_list replay;

    if (!f) {
        return;
    }
    while (f->waiting[MQTT_QUEUE_QOS0].n) {
        entry_free(b, queue_pop(b, f, MQTT_QUEUE_QOS0));
    }
    replay = f->waiting[MQTT_QUEUE_REPLAY];
    f->waiting[MQTT_QUEUE_REPLAY] = (struct mqtt_list) { 0, 0, 0 };
    while (replay.n) {
        uint32_t idx = replay.head;

        list_unlink(b, &replay, SLAB_NONE, idx);
        if (mqtt_entry_at(b, idx)->qos) {
            list_append(b, &f->waiting[MQTT_QUEUE_REPLAY], idx);
        } else {
            entry_free(b, idx);
        }
    }
    f->resend = SLAB_NONE;
    mqtt_flow_trim(b, s);
}

bool
mqtt_flow_acked(struct mqtt_broker *b, struct mqtt_session *s, enum mqtt_packet_type type,
                const struct wire_mqtt_ack *ack)
{
    struct mqtt_flow *f = s->flow;
    uint32_t prev = SLAB_NONE, idx = f ? f->sent.head : SLAB_NONE;
    struct mqtt_entry *e;

    while (idx && mqtt_entry_at(b, idx)->packet_id != ack->packet_id) {
        prev = idx;
        idx = mqtt_entry_at(b, idx)->next;
    }
    if (!idx) {
        return false;
    }
    e = mqtt_entry_at(b, idx);
    if (type == MQTT_PUBREC && e->qos == 2 && ack->reason < 0x80) {
        /* From here on the client owns the message: only the identifier is kept. */
        if (e->msg) {
            e->flags |= MQTT_ENTRY_RELEASED;
            mqtt_persist_taken(b, s, e);
            mqtt_msg_unref(e->msg);
            e->msg = NULL;
        }
        return true;
    }
    if ((type == MQTT_PUBACK && e->qos == 1) || (type == MQTT_PUBREC && e->qos == 2)
        || (type == MQTT_PUBCOMP && e->flags & MQTT_ENTRY_RELEASED)) {
        sent_remove(b, s, prev, idx);
        mqtt_flow_trim(b, s);
        return true;
    }
    return false;
}
