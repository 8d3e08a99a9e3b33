/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* ovs-mqtt-proxyd: command line, then the daemon's conventions, then the engine on the one event
 * loop, then teardown.  Nothing but order is decided here. */
#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ovs-config.h"
#include "fatal-signal.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "util.h"

#include "base/mem.h"
#include "ctl/ctl_daemon.h"
#include "ctl/options.h"
#include "ctl/settings.h"
#include "engine/engine.h"
#include "io/loop.h"
#include "io/ofstream.h"
#include "io/pcap_in.h"

VLOG_DEFINE_THIS_MODULE(main);

struct program {
    struct options *options;
    struct settings settings;
    struct engine_config config;
    char *machine;
    struct io_loop *loop;
    struct io_watch *signals[3];
    struct engine *engine;
    struct ctl_daemon *ctl;
    bool completed;                   /* The parent of --detach was let go. */
};

/* ---- Before there is a daemon ---- */

/* A sentence about the command line: no time stamp, exit 1. */
static _Noreturn void
refuse(char *error)
{
    fprintf(stderr, "%s: %s\n", program_name, error);
    exit(EXIT_FAILURE);
}

static void
print_and_exit(void (*put)(struct ds *))
{
    struct ds text = DS_EMPTY_INITIALIZER;

    put(&text);
    fputs(ds_cstr(&text), stdout);
    exit(fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void
put_version(struct ds *out)
{
    ds_put_format(out, "%s (%s) %s\n", program_name, PACKAGE_NAME, PACKAGE_VERSION);
}

static void
print_flows(const struct program *p)
{
    char *error = engine_print_flows(&p->config, stdout);

    if (error) {
        refuse(error);
    }
    exit(fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void
read_settings(struct program *p)
{
    size_t n_host;
    struct ip_addr *host = io_local_addresses(&n_host);
    char *error = settings_init(&p->settings, p->options, host, n_host);

    if (!error && p->settings.method) {
        error = io_ofstream_check(p->settings.method);
    }
    if (error) {
        refuse(error);
    }
    mem_free(host);
}

static void
read_command_line(struct program *p, int argc, char *argv[])
{
    char *error = options_parse(argc, argv, &p->options);

    if (error) {
        refuse(error);
    }
    if (option_given(p->options, OPTION_help)) {
        print_and_exit(options_put_help);
    } else if (option_given(p->options, OPTION_help_markdown)) {
        print_and_exit(options_put_markdown);
    } else if (option_given(p->options, OPTION_version)) {
        print_and_exit(put_version);
    }
    read_settings(p);
    p->config.settings = &p->settings;
    p->config.options = p->options;
    p->machine = ctl_machine_id();
    p->config.machine = p->machine;
    if (option_given(p->options, OPTION_print_flows)) {
        print_flows(p);
    }
}

/* ---- The daemon ---- */

static usec_t
turn(void *p_, usec_t now)
{
    struct program *p = p_;
    usec_t at = engine_turn(p->engine, now);

    if (!p->completed && engine_is_settled(p->engine, now) && !engine_failure(p->engine)) {
        p->completed = true;
        ctl_daemon_complete();
    } else if (!p->completed) {
        at = clock_min(at, now + CLOCK_SEC);
    }
    return clock_min(at, ctl_daemon_turn(p->ctl, now));
}

static void
on_ctl(void *p_)
{
    struct program *p = p_;

    ctl_daemon_run(p->ctl);
}

static void
on_terminate(void *p_)
{
    struct program *p = p_;

    engine_stop(p->engine);
}

static void
on_hangup(void *p_)
{
    struct program *p = p_;

    ctl_reopen_log();
    free(engine_reload(p->engine));   /* It has logged what is wrong. */
}

static void
build(struct program *p)
{
    char *error;

    p->loop = io_loop_create();
    if (!p->loop) {
        VLOG_FATAL("cannot create an event loop");
    }
    /* Before anything that others can see: who sees the daemon's sockets may already end it.  The
     * functions are called by the loop only, so not before all is built. */
    p->signals[0] = io_watch_signal(p->loop, SIGTERM, on_terminate, p);
    p->signals[1] = io_watch_signal(p->loop, SIGINT, on_terminate, p);
    p->signals[2] = io_watch_signal(p->loop, SIGHUP, on_hangup, p);
    ctl_daemon_lock(p->options, &p->settings);
    p->ctl = ctl_daemon_create(p->options);
    ctl_random(&p->config.key, sizeof p->config.key);
    p->engine = engine_create(&p->config, p->loop, &error);
    if (!p->engine) {
        VLOG_FATAL("%s", error);
    }
    ctl_daemon_serve(p->ctl, &p->settings, engine_view(p->engine));
}

/* Returns when the daemon is to end. */
static void
serve(struct program *p)
{
    struct io_watch *control = io_watch_readable(p->loop, ctl_daemon_fd(p->ctl), on_ctl, p);

    io_loop_set_turn(p->loop, turn, p);
    io_loop_run(p->loop);
    io_watch_destroy(control);
}

static void
tear_down(struct program *p)
{
    ctl_daemon_destroy(p->ctl);
    engine_destroy(p->engine);
    for (size_t i = 0; i < MP_ARRAY_SIZE(p->signals); i++) {
        io_watch_destroy(p->signals[i]);
    }
    io_loop_destroy(p->loop);
    settings_uninit(&p->settings);
    options_destroy(p->options);
    free(p->machine);
}

int
main(int argc, char *argv[])
{
    struct program p = { .completed = false };
    char *failure = NULL;

    ovs_set_program_name(argv[0], PACKAGE_VERSION);
    fatal_ignore_sigpipe();
    read_command_line(&p, argc, argv);
    ctl_daemon_apply(p.options);
    ctl_daemon_start(&p.settings);
    build(&p);
    serve(&p);
    if (engine_failure(p.engine)) {
        failure = mem_strdup(engine_failure(p.engine));
    }
    tear_down(&p);
    if (failure) {
        VLOG_FATAL("%s", failure);    /* To the log, and once to stderr. */
    }
    return EXIT_SUCCESS;
}
