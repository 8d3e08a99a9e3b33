/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* OpenFlow connection methods as text ("tcp:[::1]:6653", "punix:/run/x") and the sockets that they
 * stand for.  Part of io/ofstream; nobody else includes this. */
#ifndef MP_IO_METHOD_H
#define MP_IO_METHOD_H 1

#include <stdbool.h>
#include <sys/socket.h>

struct io_method {
    bool passive;
    struct sockaddr_storage addr;
    socklen_t addr_len;
    const char *path;                 /* Of a Unix socket: inside 'addr'.  NULL: TCP. */
};

/* Returns NULL, or one sentence, to be freed, that says what is wrong. */
char *io_method_parse(struct io_method *, const char *text);

/* A non-blocking socket that listens, or whose connection is established or on its way ('*pending').
 * Negative errno on failure. */
int io_method_listen(const struct io_method *);
int io_method_connect(const struct io_method *, bool *pending);

#endif
