/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/loop.h"

#include <event2/event.h>
#include <time.h>
#include "base/mem.h"

struct io_loop {
    struct event_base *base;
    struct event *timer;
    io_turn_func *turn;
    void *aux;
    usec_t now;                       /* Of this turn; 0: the clock has not been read yet. */
    usec_t deadline;                  /* That the timer is set to. */
    bool stopping;
};

struct io_watch {
    struct event *ev;
    io_watch_func *func;
    void *aux;
};

/* The timer only has to wake the loop. */
static void
timer_cb(evutil_socket_t fd, short what, void *loop)
{
    (void) fd;
    (void) what;
    ((struct io_loop *) loop)->deadline = CLOCK_NEVER;
}

struct io_loop *
io_loop_create(void)
{
    struct io_loop *loop = mem_zalloc(sizeof *loop);
    struct event_config *cfg = event_config_new();

    event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
    loop->base = event_base_new_with_config(cfg);
    event_config_free(cfg);
    loop->deadline = CLOCK_NEVER;
    if (loop->base) {
        loop->timer = event_new(loop->base, -1, 0, timer_cb, loop);
    }
    if (!loop->timer) {
        io_loop_destroy(loop);
        return NULL;
    }
    return loop;
}

void
io_loop_destroy(struct io_loop *loop)
{
    if (loop) {
        if (loop->timer) {
            event_free(loop->timer);
        }
        if (loop->base) {
            event_base_free(loop->base);
        }
        mem_free(loop);
    }
}

struct event_base *
io_loop_base(struct io_loop *loop)
{
    return loop->base;
}

usec_t
io_loop_now(struct io_loop *loop)
{
    if (!loop->now) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        loop->now = (usec_t) ts.tv_sec * CLOCK_SEC + ts.tv_nsec / 1000;
    }
    return loop->now;
}

void
io_loop_set_turn(struct io_loop *loop, io_turn_func *turn, void *aux)
{
    loop->turn = turn;
    loop->aux = aux;
}

/* Sets the timer for 'at', unless it is set so already. */
static void
set_timer(struct io_loop *loop, usec_t at)
{
    if (at == loop->deadline) {
        return;
    }
    loop->deadline = at;
    if (at == CLOCK_NEVER) {
        event_del(loop->timer);
    } else {
        usec_t wait = at - io_loop_now(loop);
        struct timeval tv = { wait / CLOCK_SEC, wait % CLOCK_SEC };

        event_add(loop->timer, &tv);
    }
}

void
io_loop_run(struct io_loop *loop)
{
    usec_t next = 0;                  /* The first turn does not wait. */

    loop->stopping = false;
    while (!loop->stopping) {
        bool wait = next > io_loop_now(loop);

        if (wait) {
            set_timer(loop, next);
        }
        loop->now = 0;                /* Time passes while we wait. */
        event_base_loop(loop->base, wait ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK);
        next = loop->turn ? loop->turn(loop->aux, io_loop_now(loop)) : CLOCK_NEVER;
    }
}

void
io_loop_stop(struct io_loop *loop)
{
    loop->stopping = true;
}

static void
watch_cb(evutil_socket_t fd, short what, void *watch_)
{
    struct io_watch *watch = watch_;

    (void) fd;
    (void) what;
    watch->func(watch->aux);
}

static struct io_watch *
watch(struct io_loop *loop, int fd, short what, struct io_watch *w)
{
    w->ev = event_new(loop->base, fd, what | EV_PERSIST, watch_cb, w);
    mp_assert(w->ev);
    event_add(w->ev, NULL);
    return w;
}

struct io_watch *
io_watch_readable(struct io_loop *loop, int fd, io_watch_func *func, void *aux)
{
    struct io_watch w = { NULL, func, aux };

    return watch(loop, fd, EV_READ, mem_dup(&w, sizeof w));
}

struct io_watch *
io_watch_signal(struct io_loop *loop, int signo, io_watch_func *func, void *aux)
{
    struct io_watch w = { NULL, func, aux };

    return watch(loop, signo, EV_SIGNAL, mem_dup(&w, sizeof w));
}

void
io_watch_destroy(struct io_watch *w)
{
    if (w) {
        event_free(w->ev);
        mem_free(w);
    }
}
