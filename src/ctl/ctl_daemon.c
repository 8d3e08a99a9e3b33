/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ctl/ctl_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "ovs-config.h"
#include "daemon.h"
#include "dirs.h"
#include "fatal-signal.h"
#include "memory.h"
#include "openvswitch/vlog.h"
#include "unixctl.h"
#include "util.h"

#include "base/mem.h"
#include "ctl/appctl.h"
#include "ctl/pump.h"
#include "ctl/settings.h"
#include "ctl/vsdb.h"

VLOG_DEFINE_THIS_MODULE(ctl_daemon);

struct ctl_daemon {
    struct unixctl_server *unixctl;
    struct vsdb *vsdb;                /* NULL: none wanted, or the switch is not of this machine. */
    struct pump *pump;
    struct appctl *appctl;
    struct ctl_view *view;
};

/* An argument of an option that OVS takes as NULL when it is missing. */
static const char *
optional(const struct options *o, enum option_id id, size_t i)
{
    const char *text = option_item(o, id, i);

    return text[0] ? text : NULL;
}

static void
apply_logging(const struct options *o)
{
    for (size_t i = 0; i < option_count(o, OPTION_verbose); i++) {
        vlog_set_verbosity(optional(o, OPTION_verbose, i));
    }
    if (option_given(o, OPTION_syslog_method)) {
        vlog_set_syslog_method(option_text(o, OPTION_syslog_method));
    }
    if (option_given(o, OPTION_syslog_target)) {
        vlog_set_syslog_target(option_text(o, OPTION_syslog_target));
    }
    for (size_t i = 0; i < option_count(o, OPTION_log_file); i++) {
        const char *file = optional(o, OPTION_log_file, i);
        int error = vlog_set_log_file(file);

        if (error && file) {
            ovs_fatal(error, "cannot log to %s", file);
        }
    }
}

/* "USER[:GROUP]", either of which may be missing.  Libopenvswitch finds the same, and more, but says
 * it as to a log. */
static void
check_user(const char *spec)
{
    char *copy = xstrdup(spec);
    char *group = copy;
    char *user = strsep(&group, ":");

    if (geteuid()) {
        ovs_fatal(0, "--user: only root can become another user");
    } else if (*user && !getpwnam(user)) {
        ovs_fatal(0, "--user: there is no user \"%s\"", user);
    } else if (group && *group && !getgrnam(group)) {
        ovs_fatal(0, "--user: there is no group \"%s\"", group);
    }
    free(copy);
}

void
ctl_daemon_apply(const struct options *o)
{
    if (option_given(o, OPTION_user)) {
        check_user(option_text(o, OPTION_user));
    }
    apply_logging(o);
    if (option_given(o, OPTION_detach)) {
        set_detach();
    }
    if (option_given(o, OPTION_monitor)) {
        daemon_set_monitor();
    }
    if (option_given(o, OPTION_no_chdir)) {
        set_no_chdir();
    }
    if (option_given(o, OPTION_pidfile)) {
        size_t last = option_count(o, OPTION_pidfile) - 1;

        set_pidfile(optional(o, OPTION_pidfile, last));
    }
    if (option_given(o, OPTION_overwrite_pidfile)) {
        ignore_existing_pidfile();
    }
    if (option_given(o, OPTION_user)) {
        daemon_set_new_user(option_text(o, OPTION_user));
    }
}

void
ctl_daemon_start(const struct settings *s)
{
    daemonize_start(s->n_pcap_ifs > 0);
}

void
ctl_daemon_complete(void)
{
    daemonize_complete();
}

/* The lock is the process's: the kernel takes it back when the process ends, however that be.  The
 * file stays, empty. */
void
ctl_daemon_lock(const struct options *o, const struct settings *s)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    uint64_t instance = option_number(o, OPTION_instance);

    if (!s->method || !s->is_local) {
        return;
    }

    char *file = xasprintf("%s/ovs-mqtt-proxyd.%s.%"PRIu64".lock", ovs_rundir(), s->bridge,
                           instance);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        VLOG_WARN("%s: cannot be created (%s): make sure that no other daemon has this instance",
                  file, ovs_strerror(errno));
    } else if (fcntl(fd, F_SETLK, &lock) && (errno == EAGAIN || errno == EACCES)
               && !fcntl(fd, F_GETLK, &lock)) {
        VLOG_FATAL("%s: process %ld is there already as instance %"PRIu64": stop it, or give this "
                   "one another --instance", s->bridge, (long int) lock.l_pid, instance);
    }
    free(file);                       /* 'fd' stays open, and with it the lock. */
}

/* ---- What lives in poll-loop style ---- */

static void
run_clients(void *d_)
{
    struct ctl_daemon *d = d_;

    memory_run();
    if (memory_should_report()) {
        metrics_memory_report(d->view);
    }
    unixctl_server_run(d->unixctl);
    appctl_run(d->appctl);
    vsdb_run(d->vsdb);
}

static void
wait_clients(void *d_)
{
    struct ctl_daemon *d = d_;

    memory_wait();
    unixctl_server_wait(d->unixctl);
    vsdb_wait(d->vsdb);
}

static struct vsdb *
open_database(const struct settings *s)
{
    if (s->method && !s->is_local) {
        VLOG_INFO("%s: the switch's database is not looked at, so make sure that the bridge's "
                  "fail_mode is secure where it has a controller", s->method);
        return NULL;
    }
    return s->bridge && s->db ? vsdb_create(s->db, s->bridge) : NULL;
}

struct ctl_daemon *
ctl_daemon_create(const struct options *o)
{
    struct ctl_daemon *d = mem_zalloc(sizeof *d);

    if (unixctl_server_create(option_text(o, OPTION_unixctl), &d->unixctl)) {
        exit(EXIT_FAILURE);           /* It has printed why. */
    }
    return d;
}

void
ctl_daemon_serve(struct ctl_daemon *d, const struct settings *s, struct ctl_view *view)
{
    d->view = view;
    d->vsdb = open_database(s);
    d->appctl = appctl_create(view, d->vsdb);

    /* The pump's thread would do it too late: it wants to be done by an only thread. */
    fatal_signal_init();

    struct pump_client client = { run_clients, wait_clients, d };

    run_clients(d);
    d->pump = pump_create(&client);
}

void
ctl_daemon_destroy(struct ctl_daemon *d)
{
    if (d) {
        pump_destroy(d->pump);
        vsdb_destroy(d->vsdb);
        unixctl_server_destroy(d->unixctl);
        appctl_destroy(d->appctl);
        mem_free(d);
    }
}

int
ctl_daemon_fd(const struct ctl_daemon *d)
{
    return pump_fd(d->pump);
}

void
ctl_daemon_run(struct ctl_daemon *d)
{
    pump_run(d->pump);
}

usec_t
ctl_daemon_turn(struct ctl_daemon *d, usec_t now)
{
    if (appctl_needs_run(d->appctl, now)) {
        pump_kick(d->pump);
        return CLOCK_NEVER;           /* The eventfd ends the wait. */
    }
    return appctl_deadline(d->appctl);
}

/* ---- Of the kernel ---- */

void
ctl_reopen_log(void)
{
    vlog_reopen_log_file();
}

usec_t
ctl_wall_clock(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (usec_t) ts.tv_sec * CLOCK_SEC + ts.tv_nsec / 1000;
}

void
ctl_random(void *buf, size_t n)
{
    char *p = buf;

    while (n) {
        ssize_t got = getrandom(p, n, 0);

        if (got < 0 && errno != EINTR) {
            ovs_fatal(errno, "the kernel gives no random bytes");
        } else if (got > 0) {
            p += got;
            n -= got;
        }
    }
}

char *
ctl_machine_id(void)
{
    char line[256] = "";
    FILE *stream = fopen("/etc/machine-id", "r");

    if (stream) {
        if (!fgets(line, sizeof line, stream)) {
            line[0] = '\0';
        }
        fclose(stream);
    }
    if (!line[0]) {
        gethostname(line, sizeof line - 1);
    }
    line[strcspn(line, "\n")] = '\0';
    return xstrdup(line);
}
