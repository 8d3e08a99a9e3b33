/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The one event loop, on libevent.  Each turn: every descriptor that has something is read, then the
 * turn function is called once; it runs the cores, drains them, and everything is written with one
 * write.  The clock is read once per turn.  The engine thread only (io_loop_stop() and wake-ups from
 * a signal or an eventfd apart). */
#ifndef MP_IO_LOOP_H
#define MP_IO_LOOP_H 1

#include <stdbool.h>
#include "base/clock.h"

struct event_base;
struct io_loop;
struct io_watch;

struct io_loop *io_loop_create(void);                       /* NULL: no memory or no epoll. */
void io_loop_destroy(struct io_loop *);
struct event_base *io_loop_base(struct io_loop *);          /* For io/ itself. */

/* Monotonic; the same value all through one turn. */
usec_t io_loop_now(struct io_loop *);

/* Called at the end of every turn; returns when it wants to be called next at the latest. */
typedef usec_t io_turn_func(void *aux, usec_t now);
void io_loop_set_turn(struct io_loop *, io_turn_func *, void *aux);

void io_loop_run(struct io_loop *);                         /* Until io_loop_stop(). */
void io_loop_stop(struct io_loop *);

/* Calls 'func' in each turn in which 'fd' is readable (a helper's eventfd, for instance), or when a
 * signal came.  'func' may destroy its own watch. */
typedef void io_watch_func(void *aux);
struct io_watch *io_watch_readable(struct io_loop *, int fd, io_watch_func *, void *aux);
struct io_watch *io_watch_signal(struct io_loop *, int signo, io_watch_func *, void *aux);
void io_watch_destroy(struct io_watch *);                   /* Does not close the descriptor. */

#endif
