/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>              /* recvmmsg() */
#include "io/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"

STATS_DEFINE(io_udp, IO_UDP_STATS)

#define BATCH 32
#define MAX_DATAGRAM 65536
#define READ_ROUNDS 32                /* Batches in one turn, for fairness. */
#define SOCKET_BUFFER (4 << 20)       /* Asked for; the kernel may give less. */

struct io_udp {
    struct io_loop *loop;
    struct io_udp_config cfg;
    struct io_udp_stats stats;
    int fd;
    bool v6;                          /* The socket is of AF_INET6 and takes IPv4 as mapped. */
    uint16_t port;
    struct event *read_ev;
    uint8_t *in;                      /* BATCH * MAX_DATAGRAM; touched only as far as used. */
    struct mmsghdr in_msgs[BATCH], out_msgs[BATCH];
    struct iovec in_iov[BATCH], out_iov[BATCH];
    struct sockaddr_storage in_addr[BATCH], out_addr[BATCH];
    unsigned int n_out;
};

static void read_cb(evutil_socket_t, short, void *);

static socklen_t
to_sockaddr(const struct io_udp *u, const struct ip_addr *a, uint16_t port,
            struct sockaddr_storage *ss)
{
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *) ss;
    struct sockaddr_in *sin = (struct sockaddr_in *) ss;

    memset(ss, 0, sizeof *ss);
    if (u->v6) {
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(port);
        memcpy(&sin6->sin6_addr, a->b, sizeof a->b);
        return sizeof *sin6;
    }
    sin->sin_family = AF_INET;
    sin->sin_port = htons(port);
    memcpy(&sin->sin_addr, a->b + 12, 4);
    return sizeof *sin;
}

static struct ip_addr
from_sockaddr(const struct sockaddr_storage *ss, uint16_t *port)
{
    const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *) ss;
    const struct sockaddr_in *sin = (const struct sockaddr_in *) ss;
    struct ip_addr a;

    if (ss->ss_family == AF_INET6) {
        memcpy(a.b, &sin6->sin6_addr, sizeof a.b);
        *port = ntohs(sin6->sin6_port);
    } else {
        a = addr_v4(ntohl(sin->sin_addr.s_addr));
        *port = ntohs(sin->sin_port);
    }
    return a;
}

static int
open_socket(struct io_udp *u)
{
    const struct ip_addr *a = &u->cfg.addr;
    int off = 0, size = SOCKET_BUFFER;
    struct sockaddr_storage ss;
    struct ip_addr any = *a;
    socklen_t len;

    u->v6 = true;
    u->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (u->fd < 0) {                  /* A kernel without IPv6. */
        u->v6 = false;
        u->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (u->fd < 0) {
            return errno;
        }
    } else {
        setsockopt(u->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        if (addr_is_any(a)) {
            memset(&any, 0, sizeof any);        /* "::", which takes IPv4 too. */
        }
    }
    setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(u->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    len = to_sockaddr(u, &any, u->cfg.port, &ss);
    if (bind(u->fd, (struct sockaddr *) &ss, len)
        || getsockname(u->fd, (struct sockaddr *) &ss, &len)) {
        return errno;
    }
    from_sockaddr(&ss, &u->port);
    return 0;
}

struct io_udp *
io_udp_create(struct io_loop *loop, const struct io_udp_config *cfg, char **error)
{
    struct io_udp *u = mem_zalloc(sizeof *u);
    int code;

    *error = NULL;
    u->loop = loop;
    u->cfg = *cfg;
    u->fd = -1;
    code = open_socket(u);
    if (code) {
        char addr[ADDR_STRLEN], buf[160];

        snprintf(buf, sizeof buf, "cannot bind UDP port %u of %s: %s", cfg->port,
                 addr_format(&cfg->addr, addr), strerror(code));
        *error = mem_strdup(buf);
        io_udp_destroy(u);
        return NULL;
    }
    u->in = mem_alloc((size_t) BATCH * MAX_DATAGRAM);
    u->read_ev = event_new(io_loop_base(loop), u->fd, EV_READ | EV_PERSIST, read_cb, u);
    event_add(u->read_ev, NULL);
    return u;
}

void
io_udp_destroy(struct io_udp *u)
{
    if (u) {
        if (u->read_ev) {
            event_free(u->read_ev);
        }
        if (u->fd >= 0) {
            close(u->fd);
        }
        for (unsigned int i = 0; i < u->n_out; i++) {
            mem_free(u->out_iov[i].iov_base);
        }
        mem_free(u->in);
        mem_free(u);
    }
}

static int
receive_batch(struct io_udp *u)
{
    for (unsigned int i = 0; i < BATCH; i++) {
        u->in_iov[i] = (struct iovec) { u->in + (size_t) i * MAX_DATAGRAM, MAX_DATAGRAM };
        u->in_msgs[i].msg_hdr = (struct msghdr) {
            .msg_name = &u->in_addr[i], .msg_namelen = sizeof u->in_addr[i],
            .msg_iov = &u->in_iov[i], .msg_iovlen = 1,
        };
    }
    return recvmmsg(u->fd, u->in_msgs, BATCH, 0, NULL);
}

static void
deliver(struct io_udp *u, unsigned int i)
{
    const struct msghdr *hdr = &u->in_msgs[i].msg_hdr;
    uint16_t port;
    struct ip_addr src;

    if (hdr->msg_flags & MSG_TRUNC) {
        u->stats.cut++;
        return;
    }
    src = from_sockaddr(&u->in_addr[i], &port);
    u->stats.datagrams_in++;
    u->cfg.received(u->cfg.aux, &src, port, u->in_iov[i].iov_base, u->in_msgs[i].msg_len,
                    io_loop_now(u->loop));
}

static void
read_cb(evutil_socket_t fd, short what, void *u_)
{
    struct io_udp *u = u_;

    (void) fd;
    (void) what;
    for (int round = 0; round < READ_ROUNDS; round++) {
        int n = receive_batch(u);

        if (n < 0) {
            /* ICMP unreachable comes back here as ECONNREFUSED and the like, once each. */
            u->stats.receive_errors += errno != EAGAIN && errno != EINTR;
            if (errno == EAGAIN) {
                return;
            }
            continue;
        }
        for (int i = 0; i < n; i++) {
            deliver(u, (unsigned int) i);
        }
        if (n < BATCH) {
            return;
        }
    }
}

void
io_udp_send(struct io_udp *u, const struct ip_addr *dst, uint16_t dst_port, const void *p, size_t n)
{
    unsigned int i;

    if (!u->v6 && !addr_is_v4(dst)) {
        u->stats.send_errors++;
        return;
    }
    if (u->n_out == BATCH) {
        io_udp_flush(u);
    }
    i = u->n_out++;
    u->out_iov[i] = (struct iovec) { mem_dup(p, n), n };
    u->out_msgs[i].msg_hdr = (struct msghdr) {
        .msg_name = &u->out_addr[i],
        .msg_namelen = to_sockaddr(u, dst, dst_port, &u->out_addr[i]),
        .msg_iov = &u->out_iov[i], .msg_iovlen = 1,
    };
}

void
io_udp_flush(struct io_udp *u)
{
    unsigned int done = 0;

    while (done < u->n_out) {
        int n = sendmmsg(u->fd, u->out_msgs + done, u->n_out - done, MSG_NOSIGNAL);

        if (n > 0) {
            done += (unsigned int) n;
            u->stats.datagrams_out += (uint64_t) n;
        } else if (errno == EAGAIN) {
            /* UDP may lose; whoever needs certainty repeats. */
            u->stats.dropped_full += u->n_out - done;
            break;
        } else if (errno != EINTR) {
            u->stats.send_errors++;
            done++;                   /* This one; the next may have another destination. */
        }
    }
    for (unsigned int i = 0; i < u->n_out; i++) {
        mem_free(u->out_iov[i].iov_base);
    }
    u->n_out = 0;
}

uint16_t
io_udp_port(const struct io_udp *u)
{
    return u->port;
}

const struct io_udp_stats *
io_udp_stats(const struct io_udp *u)
{
    return &u->stats;
}
