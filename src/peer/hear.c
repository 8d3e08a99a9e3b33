/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What peers tell us.  A datagram is read whole before anything of it is applied; a PUBLISH becomes
 * an event and nothing else, so that no message can go round.  One thread. */
#include "peer/private.h"

#include "base/mem.h"
#include "peer/pack.h"
#include "topic/topic.h"
#include "wire/mqtt_framer.h"

/* A peer's filters may be this long on average, so that its limit in filters bounds bytes, too. */
#define MEAN_FILTER_LEN 256

/* A peer that has said so often what it had said already repeats its SUBSCRIBEs, as we do; the
 * prototype never does (but may be restarted), and its filters must not expire. */
#define REPEATS 3
#define EXPIRE_BATCH 256              /* Filters looked at in one go. */

static struct peer *
find_peer(struct peers *ps, const struct ip_addr *addr, uint16_t port, enum peer_via via)
{
    for (uint32_t i = 0; i < ps->n_slots; i++) {
        struct peer *p = ps->slots[i];

        if (p && p->spec.port == port && p->spec.via == via && addr_equal(&p->spec.addr, addr)) {
            return p;
        }
    }
    return NULL;
}

static void
begin_stream(struct peers *ps, struct peer *p, usec_t now)
{
    if (now >= p->deaf_until) {
        if (!p->out) {
            p->out = sendstream_create(ps->next_epoch++);
            peers_path_changed(p);
        }
        p->is_reliable = true;
    }
}

static void
subscribe(struct peers *ps, struct peer *p, const struct peer_packet *pkt, struct slice filter,
          usec_t now)
{
    const struct subtrie_entry *e = subtrie_find(ps->remote, filter, p->id);
    uint32_t max = ps->config.max_filters_per_peer;

    ps->stats.subscribes_in++;
    if (e) {
        p->n_repeated += p->n_repeated < REPEATS;
        p->filters[e->value].at = now;
        if (pkt->packet_id == PEER_RELIABLE_ID && !p->spec.strict) {
            begin_stream(ps, p, now);
        }
        return;
    }
    if (p->n_filters >= max || p->filter_bytes + filter.n > (size_t) max * MEAN_FILTER_LEN) {
        ps->stats.filter_limit++;
        return;
    }

    struct slice copy = { mem_dup(filter.p, filter.n), filter.n };

    p->filters = mem_grow(p->filters, &p->allocated_filters, p->n_filters + 1,
                          sizeof *p->filters);
    subtrie_put(ps->remote, copy, p->id, (uint32_t) p->n_filters);
    p->filters[p->n_filters++] = (struct heard) { copy, now };
    p->filter_bytes += copy.n;
}

static void
forget_filter(struct peers *ps, struct peer *p, uint32_t i)
{
    struct slice filter = p->filters[i].filter;

    subtrie_remove(ps->remote, filter, p->id);
    p->filter_bytes -= filter.n;
    mem_free((uint8_t *) filter.p);
    p->n_filters--;
    if (i < p->n_filters) {
        p->filters[i] = p->filters[p->n_filters];
        subtrie_put(ps->remote, p->filters[i].filter, p->id, i);
    }
}

static void
unsubscribe(struct peers *ps, struct peer *p, struct slice filter)
{
    const struct subtrie_entry *e = subtrie_find(ps->remote, filter, p->id);

    ps->stats.unsubscribes_in++;
    if (e) {
        forget_filter(ps, p, e->value);
    }
}

void
peers_forget_filters(struct peers *ps, struct peer *p)
{
    while (p->n_filters) {
        forget_filter(ps, p, (uint32_t) p->n_filters - 1);
    }
    mem_free(p->filters);
    p->filters = NULL;
    p->allocated_filters = 0;
}

/* UNSUBSCRIBE is a datagram, and whoever would send it may be gone: without this a lost one would
 * cost superfluous PUBLISHes for ever. */
void
peers_step_expiry(struct peers *ps, struct peer *p, usec_t now)
{
    bool expires = ps->config.expire_us > 0 && !p->spec.strict && p->n_repeated >= REPEATS;

    for (uint32_t batch = EXPIRE_BATCH; expires && batch && p->expire_next < p->n_filters; batch--) {
        if (now - p->filters[p->expire_next].at >= ps->config.expire_us) {
            forget_filter(ps, p, p->expire_next);       /* Another one is in its place now. */
            ps->stats.filters_expired++;
        } else {
            p->expire_next++;
        }
    }
    if (expires && p->expire_next < p->n_filters) {
        p->expire_at = now + REFRESH_STEP_US;
    } else {
        p->expire_next = 0;
        p->expire_at = now + ps->config.refresh_us;
    }
}

/* The longest way through the tries is bounded, too. */
static bool
levels_are_within(const struct peers *ps, const struct peer_packet *pkt)
{
    struct slice rest = pkt->filters, filter;
    uint8_t qos;

    if (pkt->type == PEER_PKT_PUBLISH) {
        return topic_n_levels(pkt->topic) <= ps->config.max_levels;
    }
    while (peer_packet_next_filter(pkt, &rest, &filter, &qos)) {
        if (topic_n_levels(filter) > ps->config.max_levels) {
            return false;
        }
    }
    return true;
}

static enum peer_verdict
read_packet(const struct peers *ps, struct slice datagram, struct peer_packet *pkt)
{
    enum peer_verdict verdict = peer_packet_parse(datagram, pkt);

    return verdict == PEER_OK && !levels_are_within(ps, pkt) ? PEER_BAD_TOPIC : verdict;
}

static void
count_refused(struct peers *ps, enum peer_verdict verdict, struct slice datagram)
{
    switch (verdict) {
    case PEER_OK:
        break;
    case PEER_BAD_SHORT:
        /* MUST NOT be taken: what the prototype cuts would put a client's stream out of step. */
        if (datagram.n && datagram.p[0] >> 4 == 3) {
            ps->stats.cut++;
        } else {
            ps->stats.malformed++;
        }
        break;
    case PEER_BAD_TYPE:
        ps->stats.unexpected++;
        break;
    case PEER_BAD_TOPIC:
        ps->stats.bad_topic++;
        break;
    case PEER_BAD_FLAGS:
    case PEER_BAD_LENGTH:
    case PEER_BAD_EMPTY:
        ps->stats.malformed++;
        break;
    }
}

static void
hear_filters(struct peers *ps, struct peer *p, const struct peer_packet *pkt, usec_t now)
{
    struct slice rest = pkt->filters, filter;
    uint8_t qos;

    while (peer_packet_next_filter(pkt, &rest, &filter, &qos)) {
        if (pkt->type == PEER_PKT_SUBSCRIBE) {
            subscribe(ps, p, pkt, filter, now);
        } else {
            unsubscribe(ps, p, filter);
        }
    }
}

/* 'hold' is what 'pkt' borrows from. */
static void
deliver(struct peers *ps, struct peer *p, const struct peer_packet *pkt, struct mbuf *hold)
{
    struct peer_event event = {
        .type = PEER_EV_PUBLISH,
        .peer = p->id,
        .publish = { pkt->topic, pkt->payload, pkt->retain },
    };

    peers_put_event(ps, &event, mbuf_ref(hold));
    ps->stats.publishes_in++;
    p->publishes_in++;
}

/* Delivers the PUBLISH at the start of the datagram and the whole ones that follow it (the
 * prototype sends what its client had in one segment).  Returns how many bytes they take. */
static uint32_t
hear_publishes(struct peers *ps, struct peer *p, struct slice datagram)
{
    struct mbuf *copy = mbuf_copy(datagram.p, datagram.n);
    struct slice rest = { copy->data, copy->size };
    struct peer_packet pkt;

    while (read_packet(ps, rest, &pkt) == PEER_OK && pkt.type == PEER_PKT_PUBLISH) {
        deliver(ps, p, &pkt, copy);
        rest = (struct slice) { rest.p + pkt.size, rest.n - pkt.size };
    }
    mbuf_unref(copy);
    return datagram.n - rest.n;
}

enum sign_of_life {
    LIFE_ANY,                         /* It may be another program by now. */
    LIFE_ANSWER,                      /* To our stream, which goes on. */
};

/* 'p' is alive.  If we did not know, it may have missed, or forgotten, what we want. */
static void
hear_life(struct peers *ps, struct peer *p, enum sign_of_life sign, usec_t now)
{
    bool was_up = p->up && now - p->last_heard_at < ps->config.silent_us;

    p->up = true;
    p->last_heard_at = now;
    if (!was_up) {
        if (sign == LIFE_ANY) {
            peers_end_stream(ps, p);
            p->deaf_until = now;
        }
        peers_put_event(ps, &(struct peer_event) { .type = PEER_EV_UP, .peer = p->id }, NULL);
        peers_begin_refresh(ps, p, now);
    }
}

/* How long the control packet is at the beginning of 'rest', of which there is all; 0: that cannot be
 * known. */
static uint32_t
whole_packet(struct slice rest)
{
    struct wire_mqtt_frame frame;

    return wire_mqtt_fixed_header(rest, &frame) == WIRE_MQTT_DONE
           && frame.remaining <= rest.n - frame.header_size ? frame.header_size + frame.remaining : 0;
}

/* A whole control packet of the stream.  One that is refused is left out. */
static void
hear_packet(struct peers *ps, struct peer *p, struct slice packet, struct mbuf *hold)
{
    struct peer_packet pkt;
    enum peer_verdict verdict = read_packet(ps, packet, &pkt);

    if (verdict != PEER_OK) {
        count_refused(ps, verdict, packet);
    } else if (pkt.type != PEER_PKT_PUBLISH) {
        ps->stats.unexpected++;
    } else {
        deliver(ps, p, &pkt, hold);
    }
}

/* Several in one: whole ones, and no packs among them. */
static void
hear_pack(struct peers *ps, struct peer *p, struct slice packet)
{
    struct mbuf *m = ps->config.max_pack_bytes ? pack_open(packet) : NULL;
    struct slice rest = { m ? m->data : NULL, m ? m->size : 0 };
    uint32_t n;

    ps->stats.packed_in += m != NULL;
    for (; (n = whole_packet(rest)); rest = (struct slice) { rest.p + n, rest.n - n }) {
        hear_packet(ps, p, (struct slice) { rest.p, n }, m);
    }
    ps->stats.malformed += !m || rest.n;
    mbuf_unref(m);
}

/* The next control packet of the stream, a pack perhaps; or what is there of one that goes on in the
 * next body, or that nobody can read. */
static void
hear_next(struct peers *ps, struct peer *p)
{
    struct slice bytes;
    struct mbuf *hold;

    if (recvstream_next_bytes(p->in, &bytes, &hold)) {
        struct slice packet = { bytes.p, whole_packet(bytes) };

        if (!packet.n) {
            recvstream_put_aside(p->in);
        } else if (pack_is_one(packet)) {
            hear_pack(ps, p, packet);
        } else {
            hear_packet(ps, p, packet, hold);
        }
        recvstream_take(p->in, packet.n);
    }
    ps->stats.data_too_large += recvstream_n_too_large(p->in);
}

/* Streams are read as their PUBLISHes are asked for, and not all at once: a few bytes may hold very
 * many of them. */
bool
peers_hear_more(struct peers *ps)
{
    for (uint32_t i = 0; ps->n_allowed && i < ps->n_slots; i++) {
        struct peer *p = ps->slots[(ps->next_heard + i) % ps->n_slots];

        if (p && p->in && recvstream_has_bytes(p->in)) {
            hear_next(ps, p);
            ps->n_allowed -= MP_MIN(ps->n_allowed, 1 + (uint32_t) (ps->n_events - ps->next_event));
            ps->next_heard = p->id;       /* The slot after its own. */
            return true;
        }
    }
    return false;
}

static void
hear_data(struct peers *ps, struct peer *p, const struct peer_pdu *pdu, usec_t now)
{
    struct recvstream_result result;

    if (!p->in) {
        p->in = recvstream_create(ps->config.max_queued_bytes);
    }
    result = recvstream_input(p->in, pdu, now);
    ps->stats.data_missed += result.n_skipped;
    ps->stats.data_early += result.verdict == RECVSTREAM_EARLY;
    ps->stats.data_duplicate += result.verdict == RECVSTREAM_DUPLICATE;
    ps->stats.data_refused += result.verdict == RECVSTREAM_TOO_EARLY
                              || result.verdict == RECVSTREAM_STALE
                              || result.verdict == RECVSTREAM_BUSY;
}

static void
hear_ack(struct peers *ps, struct peer *p, const struct peer_pdu *pdu, usec_t now)
{
    enum sendstream_ack_verdict verdict =
        p->out ? sendstream_ack(p->out, pdu, now) : SENDSTREAM_ACK_FOREIGN;

    if (verdict == SENDSTREAM_ACK_FOREIGN) {
        ps->stats.unexpected++;
        return;
    }
    if (verdict == SENDSTREAM_ACK_NEWS) {
        p->is_stalled = false;
        p->has_answered = true;
        p->deaf_until = now;
        hear_life(ps, p, LIFE_ANSWER, now);
        p->unpacks = pdu->abilities & PEER_PDU_UNPACKS;
        peers_check_path(ps, p);
        pathmtu_begin(&p->path, now);
    } else {
        hear_life(ps, p, LIFE_ANY, now);
    }
}

/* Our PROBE has arrived. */
static void
hear_found(struct peers *ps, struct peer *p, const struct peer_pdu *pdu, usec_t now)
{
    if (pdu->token != p->probe_token || pdu->size > UINT16_MAX - peers_headers(p)) {
        ps->stats.unexpected++;
        return;
    }
    pathmtu_answered(&p->path, (uint16_t) (pdu->size + peers_headers(p)), now);
    peers_path_changed(p);
}

/* A datagram of the reliable dialect: whoever sends DATA or PROBEs may do so without having been asked,
 * and the others are answers to what we sent. */
static void
hear_pdu(struct peers *ps, struct peer *p, struct slice datagram, usec_t now)
{
    struct peer_pdu pdu;

    if (!peer_pdu_parse(datagram, &pdu)) {
        ps->stats.malformed++;
        return;
    }
    switch (pdu.type) {
    case PEER_PDU_DATA:
        hear_life(ps, p, LIFE_ANY, now);
        p->deaf_until = now;
        hear_data(ps, p, &pdu, now);
        break;
    case PEER_PDU_ACK:
        hear_ack(ps, p, &pdu, now);
        break;
    case PEER_PDU_PROBE:
        ps->stats.probes_in++;
        p->found_token = pdu.token;
        p->found_size = pdu.size;
        break;
    case PEER_PDU_FOUND:
        hear_found(ps, p, &pdu, now);
        break;
    }
}

void
peers_input(struct peers *ps, const struct ip_addr *src, uint16_t src_port, enum peer_via via,
            struct slice datagram, usec_t now)
{
    struct peer *p = find_peer(ps, src, src_port, via);
    struct peer_packet pkt;

    if (!p) {
        ps->stats.unknown_source++;
        return;
    }
    ps->stats.datagrams_in++;
    ps->stats.bytes_in += datagram.n;
    p->datagrams_in++;
    if (peer_is_pdu(datagram) && !p->spec.strict) {
        hear_pdu(ps, p, datagram, now);
        return;
    }

    enum peer_verdict verdict = read_packet(ps, datagram, &pkt);

    if (verdict != PEER_OK) {
        count_refused(ps, verdict, datagram);
        return;
    }
    hear_life(ps, p, LIFE_ANY, now);

    uint32_t used = pkt.size;

    if (pkt.type == PEER_PKT_PUBLISH) {
        used = hear_publishes(ps, p, datagram);
    } else {
        hear_filters(ps, p, &pkt, now);
        /* The 00 after the prototype's UNSUBSCRIBE is part of its dialect. */
        used += pkt.prototype_form && used < datagram.n && !datagram.p[used];
    }
    ps->stats.trailing += used < datagram.n;
}
