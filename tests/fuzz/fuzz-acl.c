/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: access files.  The input is an acl_file, which is also read as a password_file.  What
 * is taken must answer, and the answers must agree: a topic that may be read may be subscribed to,
 * an error has a line that the file has.  Links libmqtt, libtopic, libwire and libbase. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "mqtt/acl.h"
#include "mqtt/passwd.h"

static const char *const topics[] = {
    "a", "a/b", "a/b/c", "/", "$SYS/broker/uptime", "dev/c1/up", "home/ann/x", "plant/valves/1",
};
static const char *const users[] = { "", "ann", "bob", "+", "a/b" };

static struct slice
slice_of(const char *s)
{
    return (struct slice) { (const uint8_t *) s, (uint32_t) strlen(s) };
}

static void
ask_all(struct mqtt_acl *acl, const struct mqtt_acl_who *who)
{
    struct mqtt_acl_who away = { who->username, who->client_id, NULL };

    for (size_t i = 0; i < MP_ARRAY_SIZE(topics); i++) {
        struct slice topic = slice_of(topics[i]);
        bool may_read = mqtt_acl_allows(acl, who, MQTT_ACL_READ, topic);

        mp_assert(mqtt_acl_may_subscribe(acl, who, topic) == may_read);
        if (may_read && topic.p[0] != '$') {
            mp_assert(mqtt_acl_may_subscribe(acl, who, slice_of("#")));
        }
        /* Not to know the place never takes anything away. */
        mp_assert(!may_read || mqtt_acl_allows(acl, &away, MQTT_ACL_READ, topic));
        mqtt_acl_allows(acl, who, MQTT_ACL_WRITE, topic);
    }
}

static uint32_t
n_lines(const uint8_t *p, size_t n)
{
    uint32_t lines = 1;

    for (size_t i = 0; i < n; i++) {
        lines += p[i] == '\n';
    }
    return lines;
}

static void
read_passwords(struct slice text)
{
    struct mqtt_passwd_error error = { 0, NULL };
    struct mqtt_passwd *p = mqtt_passwd_parse(text, &error);

    if (p) {
        mqtt_passwd_find(p, slice_of("ann"));
        mp_assert(!mqtt_passwd_find(p, slice_of("")));
        mqtt_passwd_destroy(p);
    } else {
        mp_assert(error.what && error.line && error.line <= n_lines(text.p, text.n));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { data, (uint32_t) size };
    struct mqtt_origin origin = { .ingress_port = 3, .vlan = 42, .mac = { { 0, 0, 0, 0, 0, 2 } } };
    struct mqtt_acl_error error = { 0, NULL };
    struct mqtt_acl *acl = mqtt_acl_parse(text, &error);

    read_passwords(text);
    if (!acl) {
        mp_assert(error.what && error.line && error.line <= n_lines(data, size));
        return 0;
    }
    for (size_t i = 0; i < MP_ARRAY_SIZE(users); i++) {
        struct mqtt_acl_who who = { slice_of(users[i]), slice_of("c1"), &origin };

        ask_all(acl, &who);
        who.client_id = slice_of("#");
        ask_all(acl, &who);
    }
    mqtt_acl_destroy(acl);
    return 0;
}
