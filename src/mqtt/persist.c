/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What must outlive the process, as records that the caller pulls (journal.h has their format), and
 * what must not leave before they are durable.
 *
 * Each change of a stored session, a retained message or a Will is noted at once in the batch that
 * grows until mqtt_next_batch() takes it: one turn of the caller, one transaction.  So that a crash
 * finds either all of what a control packet did or nothing.  Nothing waits for its own record: a
 * packet to a client waits for the last batch there is, because batches become durable in their
 * order.  What waits:
 *
 *   - all control packets but PUBLISH to the client of a stored session, and to others if what they
 *     answer changed a record: an acknowledgement is a promise, and a PUBREL for a PUBREC that is
 *     forgotten would have the message sent again to a client that has forgotten its identifier;
 *   - a PUBLISH of QoS 2 to a stored session, for the same reason with its packet identifier.
 *
 * Without persistence all of this is one test of a flag. */
#include "mqtt/private.h"

#define FIRST_BATCH 4096u

/* ---- The batch ---- */

static bool
is_recording(const struct mqtt_broker *b)
{
    return b->config.is_persistent && !b->journal.is_muted;
}

static bool
is_stored(const struct mqtt_broker *b, const struct mqtt_session *s)
{
    return s->flags & MQTT_SESSION_STORED && is_recording(b);
}

static void
append(struct mqtt_broker *b, const struct mqtt_record *r,
       void (*write)(struct writer *, const struct mqtt_record *))
{
    struct mqtt_journal *j = &b->journal;
    size_t size = mqtt_record_size(r);
    struct writer w;

    if (!j->bytes) {
        j->allocated = MP_MAX(FIRST_BATCH, size);
        j->bytes = mem_alloc(j->allocated);
    }
    j->bytes = mem_grow(j->bytes, &j->allocated, j->n + size, 1);
    w = writer_init(j->bytes + j->n, size);
    write(&w, r);
    mp_assert(!w.failed);
    j->n += writer_size(&w);
    j->n_records++;
}

static void
put(struct mqtt_broker *b, const struct mqtt_record *r)
{
    append(b, r, mqtt_record_put);
}

static void
delete(struct mqtt_broker *b, const struct mqtt_record *r)
{
    append(b, r, mqtt_record_delete);
}

/* The last batch that there is anything in. */
static uint64_t
last_batch(const struct mqtt_journal *j)
{
    return j->n ? j->batch : j->batch - 1;
}

bool
mqtt_next_batch(struct mqtt_broker *b, struct mqtt_batch *batch)
{
    struct mqtt_journal *j = &b->journal;

    if (!j->n) {
        return false;
    }
    *batch = (struct mqtt_batch) { .seq = j->batch, .bytes = j->bytes, .n = j->n };
    j->sizes = mem_grow(j->sizes, &j->allocated_sizes, j->n_sizes + 1, sizeof *j->sizes);
    j->sizes[j->n_sizes++] = j->n;
    j->underway += j->n;
    j->bytes = NULL;
    j->n = j->allocated = 0;
    j->batch++;
    return true;
}

bool
mqtt_journal_is_full(const struct mqtt_broker *b)
{
    return b->journal.n + b->journal.underway > b->config.max_journal_bytes;
}

/* ---- Messages: stored while a record names them ---- */

static void
message_ref(struct mqtt_broker *b, struct mqtt_msg *msg, bool is_will)
{
    struct mqtt_record r = { .type = MQTT_RECORD_MESSAGE };

    if (msg->n_stored++) {
        return;
    }
    msg->stored_id = ++b->journal.last_message;
    r.message = msg->stored_id;
    r.qos = msg->qos;
    r.retain = msg->retain;
    if (msg->expires_at != CLOCK_NEVER) {
        r.expiry = is_will ? MQTT_EXPIRY_AFTER : MQTT_EXPIRY_AT;
        r.expires = is_will ? msg->expires_at : mqtt_calendar(b, msg->expires_at);
    }
    r.topic = mqtt_msg_topic(msg);
    r.props = mqtt_msg_props(msg);
    r.payload = (struct slice) { msg->payload->data, msg->payload->size };
    put(b, &r);
}

static void
message_unref(struct mqtt_broker *b, struct mqtt_msg *msg)
{
    if (!--msg->n_stored) {
        delete(b, &(struct mqtt_record) {
            .type = MQTT_RECORD_MESSAGE, .message = msg->stored_id,
        });
    }
}

void
mqtt_persist_orphan(struct mqtt_broker *b, struct mqtt_msg *msg)
{
    msg->n_stored = 1;
    message_unref(b, msg);
}

/* ---- The clock ---- */

void
mqtt_persist_clock(struct mqtt_broker *b)
{
    if (is_recording(b)) {
        put(b, &(struct mqtt_record) {
            .type = MQTT_RECORD_CLOCK,
            .correction = b->journal.correction,
            .noted_at = b->journal.noted_at,
        });
    }
}

/* ---- Sessions ---- */

static struct mqtt_record
record_of(const struct mqtt_session *s, enum mqtt_record_type type)
{
    return (struct mqtt_record) { .type = type, .session = mqtt_session_serial(s) };
}

void
mqtt_persist_parted(struct mqtt_broker *b, const struct mqtt_session *s, usec_t parted_at)
{
    struct mqtt_record r;

    if (!is_stored(b, s)) {
        return;
    }
    r = record_of(s, MQTT_RECORD_SESSION);
    r.version = s->version;
    r.expiry_s = s->expiry_s;
    r.parted_at = parted_at ? mqtt_calendar(b, parted_at) : 0;
    r.client_id = mqtt_session_client_id(s);
    r.username = mqtt_session_username(s);
    put(b, &r);
}

void
mqtt_persist_connected(struct mqtt_broker *b, struct mqtt_session *s)
{
    if (is_recording(b) && s->expiry_s && !(s->flags & MQTT_SESSION_STORED)) {
        s->flags |= MQTT_SESSION_STORED;
        mqtt_session_set_serial(s, ++b->journal.last_session);
    }
    mqtt_persist_parted(b, s, 0);
    if (is_stored(b, s) && s->will) {
        struct mqtt_record r = record_of(s, MQTT_RECORD_WILL);
        const struct mqtt_origin *from = &s->will->origin;
        uint8_t origin[MQTT_RECORD_ORIGIN_SIZE];
        struct writer w = writer_init(origin, sizeof origin);

        writer_bytes(&w, from->addr.b, sizeof from->addr.b);
        writer_u32(&w, from->ingress_port);
        writer_u16(&w, from->tcp_port);
        writer_u16(&w, from->vlan);
        writer_bytes(&w, from->mac.b, sizeof from->mac.b);
        r.origin = (struct slice) { origin, (uint32_t) writer_size(&w) };
        message_ref(b, s->will->msg, true);
        r.message = s->will->msg->stored_id;
        r.delay_s = s->will->delay_s;
        put(b, &r);
    }
}

void
mqtt_persist_ended(struct mqtt_broker *b, const struct mqtt_session *s)
{
    if (is_stored(b, s)) {
        struct mqtt_record r = record_of(s, MQTT_RECORD_SESSION);

        delete(b, &r);
    }
}

void
mqtt_persist_no_will(struct mqtt_broker *b, const struct mqtt_session *s)
{
    if (is_stored(b, s)) {
        struct mqtt_record r = record_of(s, MQTT_RECORD_WILL);

        delete(b, &r);
        message_unref(b, s->will->msg);
    }
}

void
mqtt_persist_subscribed(struct mqtt_broker *b, const struct mqtt_session *s, struct slice filter,
                        uint32_t value)
{
    if (is_stored(b, s)) {
        struct mqtt_record r = record_of(s, MQTT_RECORD_SUBSCRIPTION);

        r.topic = filter;
        r.value = value;
        put(b, &r);
    }
}

void
mqtt_persist_unsubscribed(struct mqtt_broker *b, const struct mqtt_session *s,
                          struct slice filter)
{
    if (is_stored(b, s)) {
        struct mqtt_record r = record_of(s, MQTT_RECORD_SUBSCRIPTION);

        r.topic = filter;
        delete(b, &r);
    }
}

void
mqtt_persist_received(struct mqtt_broker *b, const struct mqtt_session *s, uint16_t id)
{
    if (is_stored(b, s)) {
        struct mqtt_record r = record_of(s, MQTT_RECORD_INBOUND);

        r.packet_id = id;
        put(b, &r);
    }
}

void
mqtt_persist_released(struct mqtt_broker *b, const struct mqtt_session *s, uint16_t id)
{
    if (is_stored(b, s)) {
        struct mqtt_record r = record_of(s, MQTT_RECORD_INBOUND);

        r.packet_id = id;
        delete(b, &r);
    }
}

/* ---- Queues ---- */

/* An entry as it stands. */
static void
put_entry(struct mqtt_broker *b, const struct mqtt_session *s, const struct mqtt_entry *e)
{
    struct mqtt_record r = record_of(s, MQTT_RECORD_OUTBOUND);
    uint32_t n_ids = mqtt_sub_ids_n(b, e->sub_ids);
    struct writer w;

    b->props = mem_grow(b->props, &b->allocated_props, 4 * (size_t) n_ids, 1);
    w = writer_init(b->props, 4 * (size_t) n_ids);
    r.order = e->seq;
    r.message = e->msg ? e->msg->stored_id : 0;
    r.packet_id = e->packet_id;
    r.qos = e->qos;
    r.flags = e->flags & (MQTT_ENTRY_RETAIN | MQTT_ENTRY_REPLAY | MQTT_ENTRY_RELEASED
                          | MQTT_ENTRY_SHARED);
    for (uint32_t i = e->sub_ids; i; ) {
        const struct mqtt_sub_id *id = slab_at(&b->sub_ids, i);

        writer_u32(&w, id->id);
        i = id->next;
    }
    r.sub_ids = (struct slice) { w.start, (uint32_t) writer_size(&w) };
    put(b, &r);
}

void
mqtt_persist_queued(struct mqtt_broker *b, const struct mqtt_session *s,
                    const struct mqtt_entry *e)
{
    if (e->qos && is_stored(b, s)) {
        message_ref(b, e->msg, false);
        put_entry(b, s, e);
    }
}

void
mqtt_persist_numbered(struct mqtt_broker *b, const struct mqtt_session *s,
                      const struct mqtt_entry *e)
{
    if (is_stored(b, s)) {
        put_entry(b, s, e);
        if (e->qos == 2) {
            s->flow->batch = last_batch(&b->journal);
        }
    }
}

/* Called while the entry still has its message. */
void
mqtt_persist_taken(struct mqtt_broker *b, const struct mqtt_session *s, struct mqtt_entry *e)
{
    if (is_stored(b, s)) {
        struct mqtt_msg *msg = e->msg;

        e->msg = NULL;
        put_entry(b, s, e);
        e->msg = msg;
        message_unref(b, msg);
    }
}

void
mqtt_persist_done(struct mqtt_broker *b, const struct mqtt_session *s, const struct mqtt_entry *e)
{
    if (e->qos && is_stored(b, s)) {
        struct mqtt_record r = record_of(s, MQTT_RECORD_OUTBOUND);

        r.order = e->seq;
        delete(b, &r);
        if (e->msg) {
            message_unref(b, e->msg);
        }
    }
}

/* ---- Retained messages ---- */

/* The broker's own tree is made anew. */
static bool
is_passing(struct slice topic)
{
    return topic.n >= 5 && !memcmp(topic.p, "$SYS/", 5);
}

bool
mqtt_retain(struct mqtt_broker *b, struct mqtt_msg *msg)
{
    struct mqtt_record r = { .type = MQTT_RECORD_RETAINED, .topic = mqtt_msg_topic(msg) };
    struct mqtt_msg *old;

    if (!is_recording(b) || is_passing(r.topic)) {
        return mqtt_retained_put(b->retained, msg);
    }
    old = mqtt_retained_get(b->retained, r.topic);
    if (old) {
        mqtt_msg_ref(old);
    }
    if (!mqtt_retained_put(b->retained, msg)) {
        mqtt_msg_unref(old);
        return false;
    }
    message_ref(b, msg, false);
    r.message = msg->stored_id;
    put(b, &r);
    if (old) {
        message_unref(b, old);
        mqtt_msg_unref(old);
    }
    return true;
}

void
mqtt_unretain(struct mqtt_broker *b, struct slice topic)
{
    struct mqtt_msg *old = is_recording(b) && !is_passing(topic)
                           ? mqtt_retained_get(b->retained, topic) : NULL;

    if (old) {
        struct mqtt_record r = { .type = MQTT_RECORD_RETAINED, .topic = topic };

        delete(b, &r);
        message_unref(b, old);
    }
    mqtt_retained_remove(b->retained, topic);
}

/* ---- What waits ---- */

static void
wait(struct mqtt_broker *b, uint32_t conn, uint64_t batch)
{
    struct mqtt_journal *j = &b->journal;
    struct mqtt_waiter w = { batch, mqtt_conn_id(b, conn) };

    if (j->n_waiters && j->waiters[j->n_waiters - 1].batch == w.batch
        && j->waiters[j->n_waiters - 1].conn == w.conn) {
        return;
    }
    if (j->n_waiters == j->allocated_waiters && j->first_waiter) {
        j->n_waiters -= j->first_waiter;
        memmove(j->waiters, j->waiters + j->first_waiter, j->n_waiters * sizeof *j->waiters);
        j->first_waiter = 0;
    }
    j->waiters = mem_grow(j->waiters, &j->allocated_waiters, j->n_waiters + 1,
                          sizeof *j->waiters);
    j->waiters[j->n_waiters++] = w;
}

void
mqtt_persist_begin(struct mqtt_broker *b)
{
    b->journal.mark = b->journal.n_records;
}

void
mqtt_persist_hold(struct mqtt_broker *b, uint32_t conn, uint32_t from)
{
    struct mqtt_journal *j = &b->journal;
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct mqtt_ctl *ctl = c->ctl;
    uint64_t last = last_batch(j);
    uint8_t type = ctl->bytes[from] >> 4;

    if (last > j->durable
        && ((c->session && mqtt_session_at(b, c->session)->flags & MQTT_SESSION_STORED)
            || j->n_records != j->mark)
        && !(ctl->n_marks && ctl->marks[ctl->n_marks - 1].batch == last)) {
        size_t allocated = ctl->allocated_marks;

        ctl->marks = mem_grow(ctl->marks, &allocated, ctl->n_marks + 1u, sizeof *ctl->marks);
        ctl->allocated_marks = (uint32_t) allocated;
        ctl->marks[ctl->n_marks++] = (struct mqtt_mark) { .batch = last, .begin = from };
        wait(b, conn, last);
    }
    if (ctl->n_marks && (type == MQTT_CONNACK || type == MQTT_SUBACK)) {
        ctl->n_first = ctl->size;     /* [MQTT-3.2.0-1]; and retained messages after SUBACK. */
    }
}

bool
mqtt_persist_holds(const struct mqtt_broker *b, const struct mqtt_session *s,
                   const struct mqtt_entry *e)
{
    return e->qos == 2 && s->flags & MQTT_SESSION_STORED && s->flow->batch > b->journal.durable;
}

void
mqtt_persist_await(struct mqtt_broker *b, const struct mqtt_session *s)
{
    wait(b, s->conn, s->flow->batch);
}

void
mqtt_persist_resumed(struct mqtt_broker *b, const struct mqtt_session *s)
{
    s->flow->batch = last_batch(&b->journal);
}

void
mqtt_persist_defer(struct mqtt_broker *b, uint32_t conn, uint32_t n)
{
    struct mqtt_journal *j = &b->journal;

    b->stats.journal_full++;
    j->credits = mem_grow(j->credits, &j->allocated_credits, j->n_credits + 1,
                          sizeof *j->credits);
    j->credits[j->n_credits++] = (struct mqtt_deferred) { mqtt_conn_id(b, conn), n };
}

/* Half of the limit: so that it does not start and stop with each batch. */
static void
release_credits(struct mqtt_broker *b, usec_t now)
{
    struct mqtt_journal *j = &b->journal;
    size_t n = j->n_credits;

    if (j->n + j->underway > b->config.max_journal_bytes / 2) {
        return;
    }
    j->n_credits = 0;
    b->congested = SLAB_NONE;
    for (size_t i = 0; i < n; i++) {
        uint32_t conn = mqtt_conn_find(b, j->credits[i].conn);

        if (conn) {
            mqtt_credit(b, conn, j->credits[i].n, now);
        }
    }
}

static void
release_conn(struct mqtt_broker *b, uint32_t conn)
{
    struct mqtt_conn *c = mqtt_conn_at(b, conn);
    struct mqtt_ctl *ctl = c->ctl;

    if (ctl) {
        uint32_t n = 0;

        while (n < ctl->n_marks && ctl->marks[n].batch <= b->journal.durable) {
            n++;
        }
        if (n) {
            ctl->n_marks -= n;
            memmove(ctl->marks, ctl->marks + n, ctl->n_marks * sizeof *ctl->marks);
        }
    }
    if (c->flags & MQTT_CONN_CLOSE_HELD && !(ctl && ctl->n_marks)) {
        c->flags &= (uint8_t) ~MQTT_CONN_CLOSE_HELD & 0xf;
        mqtt_push_event(b, &(struct mqtt_queued_event) {
            .type = MQTT_EV_CLOSE,
            .conn = mqtt_conn_id(b, conn),
            .user = c->user,
        });
    }
    mqtt_push_ready(b, conn);
}

void
mqtt_durable(struct mqtt_broker *b, uint64_t seq, usec_t now)
{
    struct mqtt_journal *j = &b->journal;
    size_t n = MP_MIN((size_t) (seq - j->durable), j->n_sizes);

    for (size_t i = 0; i < n; i++) {
        j->underway -= j->sizes[i];
    }
    j->n_sizes -= n;
    if (n) {
        memmove(j->sizes, j->sizes + n, j->n_sizes * sizeof *j->sizes);
    }
    j->durable = MP_MAX(seq, j->durable);
    while (j->first_waiter < j->n_waiters && j->waiters[j->first_waiter].batch <= seq) {
        uint32_t conn = mqtt_conn_find(b, j->waiters[j->first_waiter++].conn);

        if (conn) {
            release_conn(b, conn);
        }
    }
    if (j->first_waiter == j->n_waiters) {
        j->first_waiter = j->n_waiters = 0;
    }
    release_credits(b, now);
}

void
mqtt_persist_uninit(struct mqtt_broker *b)
{
    struct mqtt_journal *j = &b->journal;

    mem_free(j->bytes);
    mem_free(j->sizes);
    mem_free(j->waiters);
    mem_free(j->credits);
}
