/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* stats/show: the counters of every layer, named by the tables that declare them, those that are zero
 * only when asked for; and the usage that memory/show prints. */
#include <config.h>

#include "ctl/appctl.h"

#include <string.h>

#include "ovs-config.h"
#include "memory.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "simap.h"
#include "unixctl.h"
#include "util.h"

#include "base/mem.h"

/* The cores' counters.  Those of ofp/ and io/ are in the view. */
static size_t
core_counters(struct ctl_view *v, struct ctl_counters groups[5], const void *values[5])
{
    const struct ctl_counters all[5] = {
        { "proxy", proxy_stats_descs, proxy_n_stats, NULL },
        { "mqtt", mqtt_stats_descs, mqtt_n_stats, NULL },
        { "peer", peer_stats_descs, peer_n_stats, NULL },
        { "tcp", utcp_stats_descs, utcp_n_stats, NULL },
        { "net", net_stats_descs, net_n_stats, NULL },
    };

    memcpy(groups, all, sizeof all);
    values[0] = proxy_stats(v->proxy);
    values[1] = mqtt_stats(proxy_mqtt(v->proxy));
    values[2] = peers_stats(proxy_peers(v->proxy));
    values[3] = utcp_stats(proxy_utcp(v->proxy));
    values[4] = net_stats(proxy_net(v->proxy));
    return MP_ARRAY_SIZE(all);
}

static uint64_t
counter(const void *values, size_t i)
{
    uint64_t value;

    memcpy(&value, (const char *) values + i * sizeof value, sizeof value);
    return value;
}

enum stats_form { STATS_NONZERO, STATS_ALL, STATS_JSON };

static void
put_group_text(const struct ctl_counters *c, const void *values, enum stats_form form,
               struct ds *out)
{
    for (size_t i = 0; i < c->n; i++) {
        if (form == STATS_NONZERO && !counter(values, i)) {
            continue;
        }

        char *name = xasprintf("%s.%s", c->group, c->descs[i].name);

        ds_put_format(out, "%-32s %12llu  %s\n", name,
                      (unsigned long long int) counter(values, i), c->descs[i].help);
        free(name);
    }
}

static struct json *
group_to_json(const struct ctl_counters *c, const void *values)
{
    struct json *object = json_object_create();

    for (size_t i = 0; i < c->n; i++) {
        json_object_put(object, c->descs[i].name, json_integer_create(counter(values, i)));
    }
    return object;
}

struct stats_output {
    enum stats_form form;
    struct json *json;                /* STATS_JSON: an object. */
    struct ds text;
};

static void
put_group(struct stats_output *out, const struct ctl_counters *c, const void *values)
{
    if (!values) {
        return;
    } else if (out->form == STATS_JSON) {
        json_object_put(out->json, c->group, group_to_json(c, values));
    } else {
        put_group_text(c, values, out->form, &out->text);
    }
}

static bool
parse_stats_form(int argc, const char *argv[], enum stats_form *form)
{
    *form = (argc < 2 ? STATS_NONZERO : !strcmp(argv[1], "all") ? STATS_ALL : STATS_JSON);
    return *form != STATS_JSON || !strcmp(argv[1], "json");
}

static void
stats_show(struct unixctl_conn *conn, int argc, const char *argv[], void *v_)
{
    struct ctl_view *v = v_;
    struct stats_output out = { .text = DS_EMPTY_INITIALIZER };
    struct ctl_counters groups[5];
    const void *values[5];

    if (!parse_stats_form(argc, argv, &out.form)) {
        unixctl_command_reply_error(conn, "the only argument is \"all\" or \"json\"");
        return;
    }
    out.json = out.form == STATS_JSON ? json_object_create() : NULL;

    size_t n = core_counters(v, groups, values);

    for (size_t i = 0; i < n; i++) {
        put_group(&out, &groups[i], values[i]);
    }
    for (size_t i = 0; i < v->n_counters; i++) {
        put_group(&out, &v->counters[i], v->counters[i].values(v->aux));
    }
    if (out.json) {
        json_to_ds(out.json, JSSF_PRETTY | JSSF_SORT, &out.text);
        ds_put_char(&out.text, '\n');
        json_destroy(out.json);
    }
    unixctl_command_reply(conn, ds_cstr(&out.text));
    ds_destroy(&out.text);
}

void
metrics_memory_report(struct ctl_view *v)
{
    struct simap usage = SIMAP_INITIALIZER(&usage);
    struct utcp_memory tcp;
    struct mqtt_memory mqtt;

    utcp_memory(proxy_utcp(v->proxy), &tcp);
    mqtt_memory(proxy_mqtt(v->proxy), &mqtt);
    simap_increase(&usage, "connections", tcp.n_connections);
    simap_increase(&usage, "half-open", tcp.n_half_open);
    simap_increase(&usage, "time-wait", tcp.n_time_wait);
    simap_increase(&usage, "tcp-bytes", MP_MIN(tcp.bytes, UINT32_MAX));
    simap_increase(&usage, "tcp-queued-bytes", MP_MIN(tcp.queued, UINT32_MAX));
    simap_increase(&usage, "sessions", mqtt.n_sessions);
    simap_increase(&usage, "subscriptions", mqtt.n_subscriptions);
    simap_increase(&usage, "retained", mqtt.n_retained);
    simap_increase(&usage, "mqtt-bytes", MP_MIN(mqtt.bytes, UINT32_MAX));
    memory_report(&usage);
    simap_destroy(&usage);
}

void
metrics_register(struct ctl_view *v)
{
    unixctl_command_register("stats/show", "[all|json]", 0, 1, stats_show, v);
}
