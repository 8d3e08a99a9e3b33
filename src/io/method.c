/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/method.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/mem.h"

#define DEFAULT_PORT "6653"           /* Assigned to OpenFlow. */

static char *
complaint(const char *text, const char *what)
{
    size_t size = strlen(text) + strlen(what) + 16;
    char *s = mem_alloc(size);

    snprintf(s, size, "\"%s\" %s", text, what);
    return s;
}

static char *
parse_unix(struct io_method *m, const char *text, const char *path)
{
    struct sockaddr_un *un = (struct sockaddr_un *) &m->addr;

    if (!*path) {
        return complaint(text, "names no socket");
    }
    if (strlen(path) >= sizeof un->sun_path) {
        return complaint(text, "is too long for the name of a Unix socket");
    }
    un->sun_family = AF_UNIX;
    strcpy(un->sun_path, path);
    m->addr_len = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
    m->path = un->sun_path;
    return NULL;
}

static char *
resolve(struct io_method *m, const char *text, const char *host, const char *port)
{
    /* A name would mean waiting for a resolver in the event loop. */
    struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | (m->passive ? AI_PASSIVE : 0),
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *ai;
    char *end;
    long n = strtol(port, &end, 10);

    if (*end || end == port || n < 0 || n > 65535 || (!n && !m->passive)) {
        return complaint(text, "has no port number between 1 and 65535");
    }
    if (getaddrinfo(host && *host ? host : NULL, port, &hints, &ai)) {
        return complaint(text, "does not have a numeric address");
    }
    memcpy(&m->addr, ai->ai_addr, ai->ai_addrlen);
    m->addr_len = ai->ai_addrlen;
    freeaddrinfo(ai);
    return NULL;
}

/* Cuts "HOST" or "[HOST]" off the front of 's'; '*rest' is what follows its colon, or NULL. */
static char *
cut_host(char *s, char **rest)
{
    char *end;

    *rest = NULL;
    if (*s == '[' && (end = strchr(s, ']'))) {
        *end++ = '\0';
        s++;
    } else {
        end = s + strcspn(s, ":");
    }
    if (*end == ':') {
        *end = '\0';
        *rest = end + 1;
    }
    return s;
}

static char *
parse_tcp(struct io_method *m, const char *text, const char *where)
{
    char *copy = mem_strdup(where), *host, *port, *error;

    if (m->passive) {                 /* [PORT][:HOST] */
        port = copy;
        host = strchr(copy, ':');
        if (host) {
            char *rest;

            *host++ = '\0';
            host = cut_host(host, &rest);
        }
    } else {                          /* HOST[:PORT] */
        host = cut_host(copy, &port);
    }
    if (!m->passive && !*host) {
        error = complaint(text, "names no host");
    } else {
        error = resolve(m, text, host, port && *port ? port : DEFAULT_PORT);
    }
    mem_free(copy);
    return error;
}

char *
io_method_parse(struct io_method *m, const char *text)
{
    static const struct {
        const char *name;
        bool passive, is_unix;
    } methods[] = {
        { "unix:", false, true }, { "punix:", true, true },
        { "tcp:", false, false }, { "ptcp:", true, false },
    };

    memset(m, 0, sizeof *m);
    if (!strncmp(text, "ssl:", 4) || !strncmp(text, "pssl:", 5)) {
        return complaint(text, "asks for TLS, which is not supported yet: use tcp: or unix:");
    }
    for (size_t i = 0; i < MP_ARRAY_SIZE(methods); i++) {
        size_t n = strlen(methods[i].name);

        if (!strncmp(text, methods[i].name, n)) {
            m->passive = methods[i].passive;
            return methods[i].is_unix ? parse_unix(m, text, text + n)
                                      : parse_tcp(m, text, text + n);
        }
    }
    return complaint(text, "is not an OpenFlow connection method: unix: tcp: punix: ptcp:");
}

static int
open_socket(const struct io_method *m)
{
    int fd = socket(m->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd >= 0 && !m->path) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return fd < 0 ? -errno : fd;
}

/* Closes 'fd' and returns what errno says, negative. */
static int
give_up(int fd)
{
    int error = errno;

    close(fd);
    return -error;
}

/* Whether somebody listens at a Unix socket that is in the way. */
static bool
is_alive(const struct io_method *m)
{
    bool pending;
    int fd = io_method_connect(m, &pending);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

int
io_method_listen(const struct io_method *m)
{
    const struct sockaddr *sa = (const struct sockaddr *) &m->addr;
    int fd;

    if (m->path && is_alive(m)) {
        return -EADDRINUSE;
    }
    fd = open_socket(m);
    if (fd < 0) {
        return fd;
    }
    if (m->path) {
        unlink(m->path);              /* Left behind by one that was killed. */
    }
    if (bind(fd, sa, m->addr_len) || listen(fd, 4)) {
        return give_up(fd);
    }
    return fd;
}

int
io_method_connect(const struct io_method *m, bool *pending)
{
    int fd = open_socket(m);

    *pending = false;
    if (fd < 0) {
        return fd;
    }
    if (connect(fd, (const struct sockaddr *) &m->addr, m->addr_len)) {
        if (errno != EINPROGRESS) {
            return give_up(fd);
        }
        *pending = true;
    }
    return fd;
}
