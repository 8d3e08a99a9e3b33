/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Looking ahead: what segments will touch is fetched into the processor's caches while others are
 * at work.  With a million connections nothing of one that was silent for a while is there, and one
 * miss after the other would cost several times what the work itself does.  Advice only: nothing
 * here changes what anybody sees. */
#include "utcp/utcp.h"

#include "utcp/conn.h"

/* Below, everything fits into the caches anyway, and looking ahead would cost and bring nothing. */
#define MANY 2048u

bool
utcp_is_crowded(const struct utcp *u)
{
    return u->n_live >= MANY;
}

void
utcp_ahead_begin(struct utcp *u)
{
    u->n_known = u->next_known = 0;
}

/* The hash is kept for utcp_input(): it costs as much as all the rest of this. */
static void
know(struct utcp *u, const struct utcp_key *key)
{
    if (!utcp_ends_is_v6(&key->ends) && u->n_known < UTCP_MAX_AHEAD) {
        u->known[u->n_known++] = (struct utcp_known) { .ends = key->ends, .hash = key->hash };
    }
}

/* Those of 'known' come in their order, but some may be lost on the way. */
bool
utcp_ahead_hash(struct utcp *u, const struct utcp_ends *e, uint32_t *hash)
{
    for (uint32_t i = u->next_known; i < u->n_known && i - u->next_known < 4; i++) {
        const struct utcp_known *k = &u->known[i];

        if (k->ends.remote == e->remote && k->ends.local == e->local
            && k->ends.remote_port == e->remote_port && k->ends.local_port == e->local_port) {
            *hash = k->hash;
            u->next_known = i + 1;
            return true;
        }
    }
    return false;
}

void
utcp_ahead_tuple(struct utcp *u, const struct utcp_tuple *tuple, struct utcp_ahead *a)
{
    struct utcp_key key = utcp_key(u, tuple);

    know(u, &key);
    *a = (struct utcp_ahead) { .hash = key.hash };
    utcp_table_prefetch(&u->table, key.hash);
}

/* Of one hash there is one in four billion too many: a wrong guess harms nobody. */
void
utcp_ahead_conn(const struct utcp *u, struct utcp_ahead *a)
{
    struct utcp_table_iter it = { 0 };
    uint32_t idx;

    a->ref = utcp_table_next(&u->table, a->hash, &it);
    idx = UTCP_REF_IDX(a->ref);
    switch (UTCP_REF_KIND(a->ref)) {
    case UTCP_REF_CONN:
        slab_prefetch(&u->conns, idx);
        __builtin_prefetch(&u->gens[idx]);
        break;
    case UTCP_REF_HALF:
        slab_prefetch(&u->halves, idx);
        break;
    case UTCP_REF_TW:
        slab_prefetch(&u->tws, idx);
        break;
    default:
        break;
    }
}

static const struct utcp_conn *
conn_of(const struct utcp *u, const struct utcp_ahead *a)
{
    return UTCP_REF_KIND(a->ref) == UTCP_REF_CONN ? slab_at(&u->conns, UTCP_REF_IDX(a->ref)) : NULL;
}

uint32_t
utcp_ahead_user(const struct utcp *u, const struct utcp_ahead *a)
{
    const struct utcp_conn *c = conn_of(u, a);

    if (c) {
        slab_prefetch(&u->exts, c->ext);
    }
    return c ? c->user : 0;
}

void
utcp_ahead_ext(const struct utcp *u, const struct utcp_ahead *a)
{
    const struct utcp_conn *c = conn_of(u, a);
    const struct utcp_ext *e = c ? utcp_ext(u, c) : NULL;

    if (e) {
        slab_prefetch(&u->sents, e->sent_head);
        chain_prefetch(&e->sndq);
    }
}

void
utcp_ahead_index(const struct utcp *u, uint32_t index)
{
    if (index < u->n_gens) {
        slab_prefetch(&u->conns, index);
        __builtin_prefetch(&u->gens[index]);
    }
}
