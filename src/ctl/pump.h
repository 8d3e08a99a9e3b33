/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Lets code that only exists in the style of OVS's poll loop (the control socket, the database
 * client) live beside an event loop of another make.  Neither loop shows its descriptors, so they
 * cannot be nested.  Instead a helper thread calls the wait functions and poll_block(), makes an
 * eventfd readable and sleeps; the engine's thread then calls the run functions and wakes it.
 *
 *      engine:  ... pump_run() ............................... pump_run() ...
 *                        \ semaphore                     eventfd ^
 *      helper:  asleep    +-> wait(), poll_block() --------------+   asleep
 *
 * Run and wait never overlap: no lock is needed.  Create it after the daemon has detached. */
#ifndef MP_CTL_PUMP_H
#define MP_CTL_PUMP_H 1

struct pump;

/* 'run' is called in the engine's thread, 'wait' in the helper's. */
struct pump_client {
    void (*run)(void *aux);
    void (*wait)(void *aux);
    void *aux;
};

struct pump *pump_create(const struct pump_client *);       /* Copied. */
void pump_destroy(struct pump *);                           /* Joins the helper; accepts NULL. */

int pump_fd(const struct pump *);                           /* Readable: call pump_run(). */
void pump_run(struct pump *);
/* Has the run functions called soon although nothing became ready. */
void pump_kick(struct pump *);

#endif
