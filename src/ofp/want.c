/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ofp/want.h"

#include "base/mem.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofpbuf.h"

#include <stdlib.h>
#include <string.h>

static char *
format_actions(const struct ofpact *ofpacts, size_t len)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    struct ofpact_format_params params = { .s = &s };

    ofpacts_format(ofpacts, len, &params);
    return ds_steal_cstr(&s);
}

static uint32_t
want_hash(const struct minimatch *match, int priority)
{
    return minimatch_hash(match, (uint32_t) priority);
}

/* A match as a switch tells it: through the encoding and back, because the parser leaves bits in its
 * masks that no message carries (of ip_frag, for one), and such a match never equals a decoded one. */
static void
canonicalize(struct ofputil_flow_mod *fm)
{
    struct ofpbuf *b = ofputil_encode_flow_mod(fm, OFPUTIL_P_OF13_OXM);
    struct ofpbuf *ofpacts = ofpbuf_new(256);
    struct ofputil_flow_mod decoded;
    enum ofperr error = ofputil_decode_flow_mod(&decoded, b->data, OFPUTIL_P_OF13_OXM, NULL, NULL,
                                                ofpacts, OFPP_MAX, 255);

    mp_assert(!error);
    minimatch_destroy(&fm->match);
    minimatch_move(&fm->match, &decoded.match);
    ofpbuf_delete(ofpacts);
    ofpbuf_delete(b);
}

static void
parse_flow(struct wants *w, struct want_flow *f, const struct flows_item *item)
{
    enum ofputil_protocol usable;
    char *error = parse_ofp_flow_mod_str(&f->fm, item->text, NULL, NULL, OFPFC_ADD, &usable);

    mp_assert(!error);
    canonicalize(&f->fm);
    f->item = item;
    f->actions = format_actions(f->fm.ofpacts, f->fm.ofpacts_len);
    hmap_insert(&w->by_match, &f->node, want_hash(&f->fm.match, f->fm.priority));
}

static void
parse_meter(struct want_meter *m, const struct flows_item *item)
{
    enum ofputil_protocol usable;
    char *error = parse_ofp_meter_mod_str(&m->mm, item->text, OFPMC13_ADD, &usable);

    mp_assert(!error);
    m->item = item;
}

void
wants_init(struct wants *w, struct flows *flows)
{
    *w = (struct wants) { .source = flows };
    hmap_init(&w->by_match);
    if (!flows) {
        return;
    }
    w->n_flows = flows->n_flows;
    w->n_meters = flows->n_meters;
    w->flows = mem_zalloc(w->n_flows * sizeof *w->flows);
    w->meters = mem_zalloc(w->n_meters * sizeof *w->meters);
    for (size_t i = 0; i < w->n_flows; i++) {
        parse_flow(w, &w->flows[i], &flows->flows[i]);
    }
    for (size_t i = 0; i < w->n_meters; i++) {
        parse_meter(&w->meters[i], &flows->meters[i]);
    }
}

void
wants_uninit(struct wants *w)
{
    for (size_t i = 0; i < w->n_flows; i++) {
        minimatch_destroy(&w->flows[i].fm.match);
        free(w->flows[i].fm.ofpacts);
        free(w->flows[i].actions);
    }
    for (size_t i = 0; i < w->n_meters; i++) {
        free(w->meters[i].mm.meter.bands);
    }
    hmap_destroy(&w->by_match);
    mem_free(w->flows);
    mem_free(w->meters);
    flows_destroy(w->source);
}

struct want_flow *
wants_find(const struct wants *w, const struct ofputil_flow_stats *fs)
{
    struct want_flow *f, *found = NULL;
    struct minimatch match;

    minimatch_init(&match, &fs->match);
    HMAP_FOR_EACH_WITH_HASH (f, node, want_hash(&match, fs->priority), &w->by_match) {
        if (f->fm.priority == fs->priority && minimatch_equal(&f->fm.match, &match)) {
            found = f;
            break;
        }
    }
    minimatch_destroy(&match);
    return found;
}

struct want_meter *
wants_find_meter(const struct wants *w, uint32_t id)
{
    for (size_t i = 0; i < w->n_meters; i++) {
        if (w->meters[i].mm.meter.meter_id == id) {
            return &w->meters[i];
        }
    }
    return NULL;
}

bool
want_flow_equal(const struct want_flow *f, const struct ofputil_flow_stats *fs)
{
    char *actions;
    bool equal;

    if (fs->hard_timeout != f->fm.hard_timeout || fs->idle_timeout != f->fm.idle_timeout) {
        return false;
    }
    /* As text: what was decoded and what was parsed differ in bytes that mean nothing. */
    actions = format_actions(fs->ofpacts, fs->ofpacts_len);
    equal = !strcmp(actions, f->actions);
    free(actions);
    return equal;
}

bool
want_meter_equal(const struct want_meter *m, const struct ofputil_meter_config *mc)
{
    const struct ofputil_meter_config *want = &m->mm.meter;

    return mc->flags == want->flags && mc->n_bands == want->n_bands && mc->n_bands == 1
           && mc->bands[0].type == want->bands[0].type
           && mc->bands[0].rate == want->bands[0].rate
           && mc->bands[0].burst_size == want->bands[0].burst_size;
}

size_t
wants_n_installed(const struct wants *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_flows; i++) {
        n += w->flows[i].installed;
    }
    return n;
}
