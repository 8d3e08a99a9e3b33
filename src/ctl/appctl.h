/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The commands of "ovs-appctl -t ovs-mqtt-proxyd NOUN/VERB".  Registration, the commands that change
 * something, and flow/show, which waits for the switch; those that only show are in show.c and
 * metrics.c.  All run in the engine's thread, while the pump's helper is asleep. */
#ifndef MP_CTL_APPCTL_H
#define MP_CTL_APPCTL_H 1

#include "ctl/view.h"

struct appctl;
struct unixctl_conn;
struct vsdb;

/* 'view' must live as long as the control socket; 'vsdb' may be NULL.  Libopenvswitch cannot take a
 * registration back: create it once, destroy it after the control socket. */
struct appctl *appctl_create(struct ctl_view *view, const struct vsdb *);
void appctl_destroy(struct appctl *);

/* Answers what waits for something, once that is there or patience is over. */
void appctl_run(struct appctl *);
/* Something can be answered: appctl_run() wants to be called. */
bool appctl_needs_run(const struct appctl *, usec_t now);
usec_t appctl_deadline(const struct appctl *);

/* Registers NOUN/show, which takes an optional argument "json". */
typedef struct grid *appctl_show_func(struct ctl_view *);
void appctl_register_show(const char *name, appctl_show_func *, struct ctl_view *);

/* Of show.c and metrics.c. */
void show_register(struct ctl_view *);
void metrics_register(struct ctl_view *);
/* Answers memory/show, when memory_should_report(). */
void metrics_memory_report(struct ctl_view *);

#endif
