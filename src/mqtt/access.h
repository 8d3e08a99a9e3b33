/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Who may connect, publish, subscribe and read: what the handlers of control packets ask.  Between
 * the broker's sessions and the rules of acl.h; and the CONNECTs that wait for a verdict from
 * outside.  For the files of mqtt/ only. */
#ifndef MP_MQTT_ACCESS_H
#define MP_MQTT_ACCESS_H 1

#include "mqtt/private.h"

/* May the client connect by what is configured?  0, or the enum mqtt_reason for the refusal.
 * '*must_ask': only MQTT_EV_AUTH's answer can tell. */
uint8_t mqtt_access_connect(const struct mqtt_broker *, const struct wire_mqtt_connect *,
                            bool *must_ask);

/* All true without an ACL.  Denials are counted by the callers. */
bool mqtt_access_write(const struct mqtt_broker *, const struct mqtt_session *, struct slice topic);
bool mqtt_access_read(const struct mqtt_broker *, const struct mqtt_session *, struct slice topic);
bool mqtt_access_subscribe(const struct mqtt_broker *, const struct mqtt_session *,
                           struct slice filter);
/* Clients have no business in the broker's own tree, not by a Will either. */
static inline bool
mqtt_topic_is_reserved(struct slice topic)
{
    return topic.n >= 4 && !memcmp(topic.p, "$SYS", 4) && (topic.n == 4 || topic.p[4] == '/');
}

/* A Will is written from where its client was. */
bool mqtt_access_will(const struct mqtt_broker *, const struct mqtt_session *,
                      const struct mqtt_will *);

/* Everything that waits for the session is judged again before it is sent: the rules, the user or
 * the place have changed. */
void mqtt_access_recheck(const struct mqtt_broker *, const struct mqtt_session *);
/* It was, and may not be sent. */
bool mqtt_access_denies_entry(const struct mqtt_broker *, const struct mqtt_session *,
                              struct mqtt_entry *);

/* The broker holds as much as --memory-limit allows. */
bool mqtt_is_full(const struct mqtt_broker *);

/* ask.c: a CONNECT that waits.  The input after it is held, and its credit with it. */
void mqtt_ask_begin(struct mqtt_broker *, uint32_t conn, const struct wire_mqtt_frame *,
                    const struct wire_mqtt_connect *, usec_t now);
/* Takes the rest of the input; false: it is too much. */
bool mqtt_ask_hold(struct mqtt_broker *, uint32_t conn, struct slice in);
void mqtt_ask_free(struct mqtt_broker *, uint32_t conn);    /* The connection ends. */

#endif
