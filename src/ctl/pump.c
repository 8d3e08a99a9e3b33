/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ctl/pump.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ovs-config.h"
#include "latch.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/util.h"
#include "ovs-thread.h"
#include "util.h"

#include "base/mem.h"

struct pump {
    struct pump_client client;
    pthread_t helper;
    sem_t go;                         /* Posted by the engine: wait again. */
    struct latch kick;                /* Ends the waiting. */
    bool stop;                        /* Set before the semaphore is posted for the last time. */
    int fd;
};

static void *
helper_main(void *pump_)
{
    struct pump *p = pump_;

    for (;;) {
        while (sem_wait(&p->go) && errno == EINTR) {
            continue;
        }
        if (p->stop) {
            return NULL;
        }
        p->client.wait(p->client.aux);
        latch_wait(&p->kick);
        poll_block();
        /* Only our own counter can make this fail, and it cannot overflow: one at a time. */
        ignore(eventfd_write(p->fd, 1));
    }
}

struct pump *
pump_create(const struct pump_client *client)
{
    struct pump *p = mem_zalloc(sizeof *p);

    p->client = *client;
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->fd < 0) {
        ovs_fatal(errno, "could not create an eventfd");
    }
    if (sem_init(&p->go, 0, 1)) {
        ovs_fatal(errno, "could not create a semaphore");
    }
    latch_init(&p->kick);
    p->helper = ovs_thread_create("pump", helper_main, p);
    return p;
}

void
pump_destroy(struct pump *p)
{
    if (p) {
        /* The helper may be waiting or asleep: wait until it is asleep. */
        struct pollfd pfd = { .fd = p->fd, .events = POLLIN };

        latch_set(&p->kick);
        while (poll(&pfd, 1, -1) < 0 && errno == EINTR) {
            continue;
        }
        p->stop = true;
        sem_post(&p->go);
        xpthread_join(p->helper, NULL);
        latch_destroy(&p->kick);
        sem_destroy(&p->go);
        close(p->fd);
        mem_free(p);
    }
}

int
pump_fd(const struct pump *p)
{
    return p->fd;
}

void
pump_run(struct pump *p)
{
    eventfd_t n;

    if (!eventfd_read(p->fd, &n)) {
        latch_poll(&p->kick);
        p->client.run(p->client.aux);
        sem_post(&p->go);
    }
}

void
pump_kick(struct pump *p)
{
    latch_set(&p->kick);
}
