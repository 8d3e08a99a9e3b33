/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The broker's journal joined to the store: loaded at the start, a batch a turn handed over, what
 * has become durable told to the broker.  Nothing of it exists without --persistence. */
#include <config.h>

#include "engine/private.h"

#include "openvswitch/vlog.h"

#include "base/mem.h"
#include "ctl/ctl_daemon.h"
#include "ctl/store.h"
#include "mqtt/journal.h"

VLOG_DEFINE_THIS_MODULE(engine_store);

void
engine_store_configure(const struct engine *e, struct mqtt_config *config)
{
    config->is_persistent = option_text(e->options, OPTION_persistence);
    config->epoch_us = ctl_wall_clock() - io_loop_now(e->loop);
}

static const char *
load(void *e_, struct slice key, struct slice value)
{
    struct engine *e = e_;

    return mqtt_restore(proxy_mqtt(e->proxy), key, value, io_loop_now(e->loop));
}

static void
on_durable(void *e_)
{
    struct engine *e = e_;
    const char *failure = store_failure(e->store);

    mqtt_durable(proxy_mqtt(e->proxy), store_durable(e->store), io_loop_now(e->loop));
    if (failure && !e->failure) {
        e->failure = mem_strdup(failure);
        io_loop_stop(e->loop);
    }
}

static void
log_what_there_is(const struct engine *e, const char *dir)
{
    const struct mqtt_broker *b = proxy_mqtt(e->proxy);
    struct mqtt_excess excess;
    struct mqtt_memory memory;

    mqtt_memory(b, &memory);
    VLOG_INFO("%s: %u sessions with %u subscriptions, %u retained messages", dir,
              (unsigned int) memory.n_sessions, (unsigned int) memory.n_subscriptions,
              (unsigned int) memory.n_retained);
    if (mqtt_is_over_limits(b, &excess)) {
        VLOG_WARN("%s: beyond limits that were lowered are %u sessions, the subscriptions of %u "
                  "sessions, %u retained messages, %llu bytes of retained messages; all stay, and "
                  "nothing is added before there is less", dir, (unsigned int) excess.n_sessions,
                  (unsigned int) excess.n_crowded, (unsigned int) excess.n_retained,
                  (unsigned long long) excess.retained_bytes);
    }
}

char *
engine_store_open(struct engine *e)
{
    const char *dir = option_text(e->options, OPTION_persistence);
    char *error = NULL;

    if (!dir) {
        return NULL;
    }
    e->store = store_open(dir, load, e, &error);
    if (!e->store) {
        return error;
    }
    mqtt_restored(proxy_mqtt(e->proxy), io_loop_now(e->loop));
    e->store_watch = io_watch_readable(e->loop, store_fd(e->store), on_durable, e);
    log_what_there_is(e, dir);
    return NULL;
}

void
engine_store_run(struct engine *e)
{
    struct mqtt_batch batch;

    if (!e->store) {
        return;
    }
    mqtt_wall_clock(proxy_mqtt(e->proxy), ctl_wall_clock(), io_loop_now(e->loop));
    if (mqtt_next_batch(proxy_mqtt(e->proxy), &batch)) {
        store_put(e->store, batch.seq, batch.bytes, batch.n);
    }
}

void
engine_store_close(struct engine *e)
{
    if (e->store) {
        engine_store_run(e);
        io_watch_destroy(e->store_watch);
        store_close(e->store);
    }
}
