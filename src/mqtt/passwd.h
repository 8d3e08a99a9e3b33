/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* mosquitto's password_file, parsed as a whole: one line "USER:$7$ROUNDS$SALT$HASH"
 * (PBKDF2-HMAC-SHA512) or "USER:$6$SALT$HASH" (SHA-512 of password and salt) a user, salt and hash in
 * base64.  It knows the form and no cryptography: that is done elsewhere, in another thread, so the
 * result is immutable.  Text in, entries out. */
#ifndef MP_MQTT_PASSWD_H
#define MP_MQTT_PASSWD_H 1

#include <stdbool.h>
#include "base/cursor.h"

#define MQTT_PASSWD_HASH_SIZE 64
#define MQTT_PASSWD_MAX_SALT 64
#define MQTT_PASSWD_MAX_ROUNDS 10000000u

struct mqtt_passwd_entry {
    struct slice user;
    uint32_t rounds;                  /* 0: "$6$". */
    uint8_t salt_n;
    uint8_t salt[MQTT_PASSWD_MAX_SALT];
    uint8_t hash[MQTT_PASSWD_HASH_SIZE];
};

struct mqtt_passwd;
struct mqtt_passwd_error {
    uint32_t line;                    /* From 1. */
    const char *what;
};

/* NULL and '*error' if any line is wrong. */
struct mqtt_passwd *mqtt_passwd_parse(struct slice text, struct mqtt_passwd_error *error);
void mqtt_passwd_destroy(struct mqtt_passwd *);                       /* Accepts NULL. */
/* NULL: no such user. */
const struct mqtt_passwd_entry *mqtt_passwd_find(const struct mqtt_passwd *, struct slice user);
size_t mqtt_passwd_n(const struct mqtt_passwd *);
/* For a user that does not exist: judging it takes as long as judging one that does. */
const struct mqtt_passwd_entry *mqtt_passwd_decoy(const struct mqtt_passwd *);

#endif
