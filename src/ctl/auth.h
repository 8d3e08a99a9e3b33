/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Judges passwords in threads of its own, because a good hash takes long: requests in, verdicts out
 * when the descriptor is readable.  Bounded: beyond its limit a request is not taken.  It knows no
 * MQTT and no event loop.  Called by the engine, in its thread; the workers see nothing but their
 * request and its entry of the password file, which is kept for as long as one of them has it. */
#ifndef MP_CTL_AUTH_H
#define MP_CTL_AUTH_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/stats.h"

struct auth;
struct mqtt_passwd;

/* Threads start with the first request. */
struct auth *auth_create(uint32_t max_waiting);
void auth_destroy(struct auth *);                           /* Accepts NULL; waits for the threads. */

/* From the next request on; ownership passes. */
void auth_set_passwords(struct auth *, struct mqtt_passwd *);

/* 'id' comes back with the verdict.  False: too many wait. */
bool auth_submit(struct auth *, uint64_t id, struct slice user, struct slice password);

/* No verdict is wanted any more: what has not been begun is not done.  It costs a look at all that
 * wait. */
void auth_cancel(struct auth *, uint64_t id);

/* Readable when there are verdicts.  auth_next() until false. */
int auth_fd(const struct auth *);
bool auth_next(struct auth *, uint64_t *id, bool *is_good);

#define AUTH_STATS(X)                                                   \
    X(asked, "passwords to be judged")                                  \
    X(good, "passwords that were right")                                \
    X(bad, "passwords that were wrong, or of no user")                  \
    X(busy, "passwords not judged because too many waited")             \
    X(cancelled, "passwords not judged because their client left")
STATS_DECLARE(auth, AUTH_STATS)
const struct auth_stats *auth_stats(const struct auth *);

struct mqtt_passwd_entry;
/* In constant time as far as the hash goes; any thread. */
bool auth_verify(const struct mqtt_passwd_entry *, struct slice password);

#endif
