/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The swarm's packet socket.  What the kernel has no room for is lost, as on a wire: the clients
 * have timers.  One thread. */
#include "bench/swarm.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

void
swarm_io_open(struct swarm_io *io, const char *interface)
{
    struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP),
        .sll_ifindex = (int) if_nametoindex(interface),
    };
    int size = 16 << 20, yes = 1;

    /* Protocol 0: it hears nothing before it is bound. */
    io->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (io->fd < 0 || !at.sll_ifindex
        || setsockopt(io->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes)
        || setsockopt(io->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size)
        || setsockopt(io->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size)
        || bind(io->fd, (struct sockaddr *) &at, sizeof at)) {
        swarm_fail(interface);
    }
}

void
swarm_io_put(struct swarm_io *io, const uint8_t *frame, size_t n)
{
    mp_assert(n <= SWARM_FRAME);
    if (io->n_out == SWARM_BATCH) {
        swarm_io_flush(io);
    }
    memcpy(io->out[io->n_out], frame, n);
    io->size[io->n_out++] = (uint32_t) n;
}

void
swarm_io_flush(struct swarm_io *io)
{
    struct mmsghdr messages[SWARM_BATCH] = { 0 };
    struct iovec iovs[SWARM_BATCH];

    for (uint32_t i = 0; i < io->n_out; i++) {
        iovs[i] = (struct iovec) { io->out[i], io->size[i] };
        messages[i].msg_hdr.msg_iov = &iovs[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    if (io->n_out && sendmmsg(io->fd, messages, io->n_out, 0) < 0 && errno != ENOBUFS
        && errno != EAGAIN) {
        swarm_fail("sendmmsg");
    }
    io->n_out = 0;
}

void
swarm_io_wait(struct swarm *s, usec_t timeout_us)
{
    struct timespec timeout = { timeout_us / CLOCK_SEC, timeout_us % CLOCK_SEC * 1000 };
    struct pollfd pfd = { .fd = s->io.fd, .events = POLLIN };
    uint8_t frames[SWARM_BATCH][SWARM_FRAME];
    struct mmsghdr messages[SWARM_BATCH] = { 0 };
    struct iovec iovs[SWARM_BATCH];
    int got;

    got = ppoll(&pfd, 1, &timeout, NULL);
    s->now = swarm_now();
    if (got <= 0) {
        return;
    }
    for (int i = 0; i < SWARM_BATCH; i++) {
        iovs[i] = (struct iovec) { frames[i], SWARM_FRAME };
        messages[i].msg_hdr.msg_iov = &iovs[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    got = recvmmsg(s->io.fd, messages, SWARM_BATCH, MSG_DONTWAIT, NULL);
    if (got < 0 && errno != EAGAIN) {
        swarm_fail("recvmmsg");
    }
    for (int i = 0; i < got; i++) {
        swarm_input(s, frames[i], messages[i].msg_len);
    }
}
