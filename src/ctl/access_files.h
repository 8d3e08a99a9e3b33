/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Reads --password-file and --acl-file, both or none: what is wrong with one of them leaves the
 * caller with what it had.  Any thread that may wait for a disk. */
#ifndef MP_CTL_ACCESS_FILES_H
#define MP_CTL_ACCESS_FILES_H 1

struct mqtt_acl;
struct mqtt_passwd;
struct settings;

struct access_files {                 /* The receiver owns both. */
    struct mqtt_acl *acl;             /* NULL: none wanted. */
    struct mqtt_passwd *passwords;
};

/* NULL, or one sentence with file and line, to be freed. */
char *access_files_read(const struct settings *, struct access_files *);

#endif
