/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>              /* accept4() */
#include "io/ofstream.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/method.h"

STATS_DEFINE(io_ofstream, IO_OFSTREAM_STATS)

#define READ_MIN 65536                /* Less room than this is not worth a system call. */
#define READ_TURN (1u << 20)          /* At most this much in one turn, for fairness. */

struct io_ofstream {
    struct io_loop *loop;
    struct io_ofstream_config cfg;
    struct io_ofstream_stats stats;
    struct io_method method;
    int fd, listen_fd;                /* -1: none. */
    bool connecting;                  /* 'fd' is on its way. */
    usec_t backoff_us;
    struct event *read_ev, *write_ev, *accept_ev, *retry_ev;
    char last_error[128];             /* Why the last attempt or stream ended; "" if none did. */
};

static void attempt(struct io_ofstream *);
static void accept_cb(evutil_socket_t, short, void *);
static void retry_cb(evutil_socket_t, short, void *);

void
io_ofstream_config_default(struct io_ofstream_config *cfg)
{
    *cfg = (struct io_ofstream_config) {
        .min_backoff_us = 100 * CLOCK_MSEC,
        .max_backoff_us = CLOCK_SEC,
    };
}

char *
io_ofstream_check(const char *method)
{
    struct io_method m;

    return io_method_parse(&m, method);
}

static char *
listen_complaint(const char *method, int error)
{
    char buf[256];

    snprintf(buf, sizeof buf, "cannot listen at %s: %s", method, strerror(error));
    return mem_strdup(buf);
}

struct io_ofstream *
io_ofstream_create(struct io_loop *loop, const struct io_ofstream_config *cfg, char **error)
{
    struct io_ofstream *of = mem_zalloc(sizeof *of);

    of->loop = loop;
    of->cfg = *cfg;
    of->fd = of->listen_fd = -1;
    of->backoff_us = cfg->min_backoff_us;
    *error = io_method_parse(&of->method, cfg->method);
    if (!*error && of->method.passive) {
        of->listen_fd = io_method_listen(&of->method);
        if (of->listen_fd < 0) {
            *error = listen_complaint(cfg->method, -of->listen_fd);
        }
    }
    if (*error) {
        io_ofstream_destroy(of);
        return NULL;
    }
    of->retry_ev = event_new(io_loop_base(loop), -1, 0, retry_cb, of);
    if (of->method.passive) {
        of->accept_ev = event_new(io_loop_base(loop), of->listen_fd, EV_READ | EV_PERSIST,
                                  accept_cb, of);
        event_add(of->accept_ev, NULL);
    } else {
        attempt(of);
    }
    return of;
}

static void
free_event(struct event **ev)
{
    if (*ev) {
        event_free(*ev);
        *ev = NULL;
    }
}

static void
close_stream(struct io_ofstream *of)
{
    free_event(&of->read_ev);
    free_event(&of->write_ev);
    if (of->fd >= 0) {
        close(of->fd);
        of->fd = -1;
    }
    of->connecting = false;
}

void
io_ofstream_destroy(struct io_ofstream *of)
{
    if (of) {
        close_stream(of);
        free_event(&of->accept_ev);
        free_event(&of->retry_ev);
        if (of->listen_fd >= 0) {
            close(of->listen_fd);
            if (of->method.path) {
                unlink(of->method.path);
            }
        }
        mem_free(of);
    }
}

static void
retry_later(struct io_ofstream *of)
{
    struct timeval tv = { of->backoff_us / CLOCK_SEC, of->backoff_us % CLOCK_SEC };

    if (!of->method.passive) {
        event_add(of->retry_ev, &tv);
        of->backoff_us = MP_MIN(2 * of->backoff_us, of->cfg.max_backoff_us);
    }
}

/* The stream ended by itself. */
static void
end_stream(struct io_ofstream *of, const char *reason)
{
    bool was_open = io_ofstream_is_open(of);

    snprintf(of->last_error, sizeof of->last_error, "%s", reason);
    close_stream(of);
    retry_later(of);
    if (was_open) {
        of->cfg.closed(of->cfg.aux, reason, io_loop_now(of->loop));
    }
}

static void
read_cb(evutil_socket_t fd, short what, void *of_)
{
    struct io_ofstream *of = of_;
    size_t total = 0;

    (void) what;
    while (total < READ_TURN && of->fd == fd) {
        size_t room;
        uint8_t *p = of->cfg.room(of->cfg.aux, READ_MIN, &room);
        ssize_t n = room ? recv(fd, p, room, 0) : 0;

        if (!room) {
            return;                   /* The owner has not taken what it was given. */
        } else if (n > 0) {
            of->stats.bytes_in += (uint64_t) n;
            total += (size_t) n;
            of->cfg.read(of->cfg.aux, (size_t) n, io_loop_now(of->loop));
        } else if (!n) {
            end_stream(of, "the switch closed the connection");
            return;
        } else if (errno == EAGAIN || errno == EINTR) {
            return;
        } else {
            end_stream(of, strerror(errno));
            return;
        }
        if ((size_t) n < room) {
            return;                   /* There was no more. */
        }
    }
}

/* There is room again: the turn function, which runs next anyway, writes. */
static void
write_cb(evutil_socket_t fd, short what, void *of_)
{
    struct io_ofstream *of = of_;
    int error = 0;
    socklen_t len = sizeof error;

    (void) what;
    if (of->connecting) {
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
        of->connecting = false;
        if (error) {
            snprintf(of->last_error, sizeof of->last_error, "%s", strerror(error));
            close_stream(of);
            retry_later(of);
            return;
        }
        of->stats.opened++;
        event_add(of->read_ev, NULL);
        of->cfg.opened(of->cfg.aux, io_loop_now(of->loop));
    }
}

static void
start(struct io_ofstream *of, int fd, bool pending)
{
    struct event_base *base = io_loop_base(of->loop);

    of->fd = fd;
    of->connecting = true;
    of->read_ev = event_new(base, fd, EV_READ | EV_PERSIST, read_cb, of);
    of->write_ev = event_new(base, fd, EV_WRITE, write_cb, of);
    if (pending) {
        event_add(of->write_ev, NULL);
    } else {
        /* 'opened' is never called from within io_ofstream_create(). */
        event_active(of->write_ev, EV_WRITE, 0);
    }
}

static void
attempt(struct io_ofstream *of)
{
    bool pending;
    int fd;

    of->stats.attempts++;
    fd = io_method_connect(&of->method, &pending);
    if (fd < 0) {
        snprintf(of->last_error, sizeof of->last_error, "%s", strerror(-fd));
        retry_later(of);
    } else {
        start(of, fd, pending);
    }
}

static void
retry_cb(evutil_socket_t fd, short what, void *of_)
{
    struct io_ofstream *of = of_;

    (void) fd;
    (void) what;
    if (of->method.passive) {
        event_add(of->accept_ev, NULL);
    } else if (of->fd < 0) {
        attempt(of);
    }
}

static void
accept_cb(evutil_socket_t listen_fd, short what, void *of_)
{
    struct io_ofstream *of = of_;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void) what;
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            /* No descriptor or no memory.  Whoever calls goes on calling, so do not listen to it
             * for a while. */
            struct timeval tv = { .tv_sec = of->cfg.max_backoff_us / CLOCK_SEC,
                                  .tv_usec = of->cfg.max_backoff_us % CLOCK_SEC };

            of->stats.accept_errors++;
            snprintf(of->last_error, sizeof of->last_error, "%s", strerror(errno));
            event_del(of->accept_ev);
            event_add(of->retry_ev, &tv);
        }
        return;
    }
    if (of->fd >= 0) {
        of->stats.turned_away++;
        close(fd);
        return;
    }
    of->stats.attempts++;
    start(of, fd, false);
}

size_t
io_ofstream_write(struct io_ofstream *of, const void *p, size_t n)
{
    size_t sent = 0;

    if (!io_ofstream_is_open(of)) {
        return 0;
    }
    while (sent < n) {
        ssize_t k = send(of->fd, (const uint8_t *) p + sent, n - sent, MSG_NOSIGNAL);

        of->stats.writes++;
        if (k >= 0) {
            sent += (size_t) k;
        } else if (errno != EINTR) {
            /* An error other than EAGAIN comes back from the next read. */
            of->stats.writes_blocked++;
            event_add(of->write_ev, NULL);
            break;
        }
    }
    of->stats.bytes_out += sent;
    return sent;
}

void
io_ofstream_drop(struct io_ofstream *of, usec_t now)
{
    (void) now;
    close_stream(of);
    retry_later(of);
}

void
io_ofstream_confirm(struct io_ofstream *of)
{
    of->backoff_us = of->cfg.min_backoff_us;
}

bool
io_ofstream_is_open(const struct io_ofstream *of)
{
    return of->fd >= 0 && !of->connecting;
}

const struct io_ofstream_stats *
io_ofstream_stats(const struct io_ofstream *of)
{
    return &of->stats;
}

const char *
io_ofstream_error(const struct io_ofstream *of)
{
    return of->last_error[0] ? of->last_error : NULL;
}
