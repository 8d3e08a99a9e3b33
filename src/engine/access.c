/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Passwords and access rules: read at the start and when asked to, swapped as a whole; CONNECTs go to
 * the threads that judge passwords, verdicts come back. */
#include <config.h>

#include "engine/engine.h"

#include "openvswitch/vlog.h"

#include "base/mem.h"
#include "ctl/access_files.h"
#include "ctl/auth.h"
#include "engine/private.h"
#include "mqtt/acl.h"
#include "mqtt/passwd.h"

VLOG_DEFINE_THIS_MODULE(engine_access);

/* Reads both files and puts them to use. */
static char *
load(struct engine *e)
{
    struct access_files files;
    char *error = access_files_read(e->settings, &files);

    if (error) {
        return error;
    }
    if (files.passwords) {
        VLOG_INFO("%s: %u users", e->settings->password_file,
                  (unsigned int) mqtt_passwd_n(files.passwords));
        auth_set_passwords(e->auth, files.passwords);
    }
    if (files.acl) {
        VLOG_INFO("%s: %u rules", e->settings->acl_file,
                  (unsigned int) mqtt_acl_n_rules(files.acl));
        mqtt_set_acl(proxy_mqtt(e->proxy), files.acl);
    }
    return NULL;
}

/* Verdicts are there. */
static void
judged(void *e_)
{
    struct engine *e = e_;
    bool is_good;
    uint64_t id;

    while (auth_next(e->auth, &id, &is_good)) {
        proxy_auth_result(e->proxy, id, is_good ? MQTT_VERDICT_GOOD : MQTT_VERDICT_BAD,
                          io_loop_now(e->loop));
    }
}

char *
engine_access_open(struct engine *e)
{
    const struct settings *s = e->settings;

    if (s->password_file) {
        e->auth = auth_create((uint32_t) option_number(e->options, OPTION_max_auth_queue));
        e->auth_watch = io_watch_readable(e->loop, auth_fd(e->auth), judged, e);
    }
    if (s->acl_file && !s->password_file && !s->username) {
        VLOG_WARN("%s: nobody checks the user names that its rules name: give --password-file",
                  s->acl_file);
    }
    return load(e);
}

void
engine_access_close(struct engine *e)
{
    io_watch_destroy(e->auth_watch);
    auth_destroy(e->auth);
}

void
engine_access_run(struct engine *e, usec_t now)
{
    struct mqtt_auth_request request;
    mqtt_id id;

    while (proxy_next_auth(e->proxy, &id, &request)) {
        if (!e->auth || !auth_submit(e->auth, id, request.username, request.password)) {
            proxy_auth_result(e->proxy, id, MQTT_VERDICT_BUSY, now);
        }
    }
    while (proxy_next_auth_gone(e->proxy, &id)) {
        if (e->auth) {
            auth_cancel(e->auth, id);
        }
    }
}

char *
engine_reload(struct engine *e)
{
    char *error = load(e);

    if (error) {
        VLOG_ERR("not reloaded, nothing has changed: %s", error);
    } else {
        VLOG_INFO("reloaded");
    }
    return error;
}
