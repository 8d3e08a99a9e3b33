/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ctl/access_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ovs-config.h"
#include "openvswitch/vlog.h"
#include "util.h"

#include "base/mem.h"
#include "ctl/settings.h"
#include "mqtt/acl.h"
#include "mqtt/passwd.h"

VLOG_DEFINE_THIS_MODULE(access_files);

/* Some hundred thousand users, or rules; the event loop waits meanwhile. */
#define MAX_FILE (32 * 1024 * 1024)

static char *
read_stream(FILE *stream, const char *file, char **data, size_t *n)
{
    size_t allocated = 0, got = 1;

    *data = NULL;
    *n = 0;
    while (got && *n <= MAX_FILE) {
        *data = mem_grow(*data, &allocated, *n + 65536, 1);
        got = fread(*data + *n, 1, allocated - *n, stream);
        *n += got;
    }
    if (ferror(stream)) {
        return xasprintf("%s: %s", file, ovs_strerror(errno));
    }
    return *n > MAX_FILE ? xasprintf("%s: more than %d bytes", file, MAX_FILE) : NULL;
}

static char *
read_file(const char *file, char **data, size_t *n)
{
    /* Not waiting: what is no file (a pipe without a writer) would stop all traffic. */
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    FILE *stream;
    char *error;

    *data = NULL;
    if (fd < 0 || fstat(fd, &st)) {
        error = xasprintf("%s: %s", file, ovs_strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        error = xasprintf("%s: is no regular file", file);
    } else {
        error = NULL;
    }
    stream = error ? NULL : fdopen(fd, "r");
    if (!stream) {
        if (fd >= 0) {
            close(fd);
        }
        return error ? error : xasprintf("%s: %s", file, ovs_strerror(errno));
    }
    error = read_stream(stream, file, data, n);
    fclose(stream);
    return error;
}

static char *
read_acl(const char *file, struct mqtt_acl **acl)
{
    struct mqtt_acl_error wrong;
    char *data, *error;
    size_t n;

    error = read_file(file, &data, &n);
    if (!error) {
        *acl = mqtt_acl_parse((struct slice) { (uint8_t *) data, (uint32_t) n }, &wrong);
        error = *acl ? NULL : xasprintf("%s:%u: %s", file, (unsigned int) wrong.line, wrong.what);
    }
    mem_free(data);
    return error;
}

static char *
read_passwords(const char *file, struct mqtt_passwd **passwords)
{
    struct mqtt_passwd_error wrong;
    struct stat status;
    char *data, *error;
    size_t n;

    error = read_file(file, &data, &n);
    if (!error) {
        *passwords = mqtt_passwd_parse((struct slice) { (uint8_t *) data, (uint32_t) n }, &wrong);
        error = *passwords ? NULL
                : xasprintf("%s:%u: %s", file, (unsigned int) wrong.line, wrong.what);
    }
    if (!error && !stat(file, &status) && status.st_mode & S_IROTH) {
        VLOG_WARN("%s can be read by everybody: better \"chmod o= %s\"", file, file);
    }
    mem_free(data);
    return error;
}

char *
access_files_read(const struct settings *s, struct access_files *files)
{
    char *error = NULL;

    *files = (struct access_files) { NULL, NULL };
    if (s->password_file) {
        error = read_passwords(s->password_file, &files->passwords);
    }
    if (!error && s->acl_file) {
        error = read_acl(s->acl_file, &files->acl);
    }
    if (error) {
        mqtt_passwd_destroy(files->passwords);
        mqtt_acl_destroy(files->acl);
        *files = (struct access_files) { NULL, NULL };
    }
    return error;
}
