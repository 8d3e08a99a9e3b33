/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* A bad link in user space: carries frames between two interfaces and loses, duplicates,
 * reorders, corrupts and delays them on the way, each direction by its own seeded generator.
 * For tests on kernels without netem: it stands between a host's veth and the switch port.
 * Not part of the product and linked to nothing of it.  One thread; the queues are bounded.
 *
 *     relay [OPTION]... A B        A, B: names of interfaces
 *
 * Every frame draws the same count of random numbers, so what happens to the n-th frame of a
 * direction depends on seed and n only. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    FRAME_MAX = 65536 + 64,     /* A veth may carry segments that nobody has cut yet. */
    VLAN_TAG = 4,
    BATCH = 64,                 /* Frames taken from one side before the other gets a turn. */
};

/* One number for each direction: [0] from A to B, [1] from B to A. */
struct options {
    double loss[2], duplicate[2], reorder[2], corrupt[2];   /* Percent. */
    double delay_ms[2];
    double reorder_by_ms[2];    /* How much longer a frame to be reordered is held. */
    uint64_t seed;
    size_t queue;               /* Frames held in one direction. */
};

struct held {
    int64_t due;                /* ns */
    uint64_t order;             /* Keeps frames that are due at the same time in order. */
    size_t size;
    uint8_t *bytes;
};

/* Frames on their way in one direction: a binary heap by (due, order). */
struct direction {
    struct held *heap;
    size_t n, max;
    uint64_t n_ordered;
    uint64_t random;
    uint64_t received, sent, lost, duplicated, reordered, corrupted, overflowed, failed;
};

static volatile sig_atomic_t ended;

static void
on_signal(int number)
{
    (void) number;
    ended = 1;
}

static void __attribute__((noreturn, format(printf, 1, 2)))
fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("relay: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
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

static bool
hits(uint64_t *state, double percent)
{
    return (draw(state) >> 11) * 0x1p-53 * 100 < percent;
}

/* The heap. */

static bool
is_before(const struct held *a, const struct held *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void
hold(struct direction *d, const uint8_t *bytes, size_t size, int64_t due)
{
    if (d->n == d->max) {
        d->overflowed++;
        return;
    }
    struct held frame = { due, d->n_ordered++, size, malloc(size) };
    if (!frame.bytes) {
        fail("out of memory");
    }
    memcpy(frame.bytes, bytes, size);

    size_t i = d->n++;
    while (i > 0 && is_before(&frame, &d->heap[(i - 1) / 2])) {
        d->heap[i] = d->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    d->heap[i] = frame;
}

static struct held
take(struct direction *d)
{
    struct held first = d->heap[0];
    struct held last = d->heap[--d->n];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= d->n) {
            break;
        }
        if (child + 1 < d->n && is_before(&d->heap[child + 1], &d->heap[child])) {
            child++;
        }
        if (!is_before(&d->heap[child], &last)) {
            break;
        }
        d->heap[i] = d->heap[child];
        i = child;
    }
    d->heap[i] = last;
    return first;
}

/* The interfaces. */

static int
open_interface(const char *name)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail("packet socket: %s", strerror(errno));
    }
    unsigned int index = if_nametoindex(name);
    if (!index) {
        fail("%s: no such interface", name);
    }
    int on = 1, size = 8 << 20;
    struct packet_mreq promiscuous = { .mr_ifindex = index, .mr_type = PACKET_MR_PROMISC };
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index,
    };
    /* What we send ourselves must not come back as received.  Set before bind(), so that
     * nothing is received before. */
    if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on)
        || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on)
        || setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous)
        || bind(fd, (struct sockaddr *) &address, sizeof address)) {
        fail("%s: %s", name, strerror(errno));
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size)) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    return fd;
}

/* The kernel has taken the outer VLAN tag out of the frame; puts it back. */
static size_t
restore_vlan(uint8_t *frame, size_t size, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) {
            continue;
        }
        struct tpacket_auxdata aux;
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        if (!(aux.tp_status & TP_STATUS_VLAN_VALID) || size < 2 * ETH_ALEN) {
            continue;
        }
        uint16_t tpid = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : 0x8100;
        uint16_t tag[2] = { htons(tpid), htons(aux.tp_vlan_tci) };
        memmove(frame + 2 * ETH_ALEN + VLAN_TAG, frame + 2 * ETH_ALEN, size - 2 * ETH_ALEN);
        memcpy(frame + 2 * ETH_ALEN, tag, sizeof tag);
        return size + VLAN_TAG;
    }
    return size;
}

/* Returns the frame's size, 0 when there is none. */
static size_t
receive(int fd, uint8_t frame[FRAME_MAX])
{
    union {
        struct cmsghdr header;
        uint8_t space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
    struct iovec iov = { frame, FRAME_MAX - VLAN_TAG };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof control,
    };
    ssize_t n = recvmsg(fd, &msg, 0);
    if (n <= 0) {
        /* ENETDOWN comes once when an interface goes down; it may come up again. */
        return 0;
    }
    return restore_vlan(frame, n, &msg);
}

static void
damage(struct direction *d, const struct options *o, int side, uint8_t *frame, size_t size)
{
    bool is_lost = hits(&d->random, o->loss[side]);
    bool is_double = hits(&d->random, o->duplicate[side]);
    bool is_late = hits(&d->random, o->reorder[side]);
    bool is_bad = hits(&d->random, o->corrupt[side]);
    uint64_t where = draw(&d->random);
    int64_t due = now_ns() + (int64_t) (o->delay_ms[side] * 1e6);

    d->received++;
    if (is_lost) {
        d->lost++;
        return;
    }
    if (is_bad && size > ETH_HLEN) {
        frame[ETH_HLEN + (where >> 3) % (size - ETH_HLEN)] ^= 1 << (where & 7);
        d->corrupted++;
    }
    if (is_late) {
        due += (int64_t) (o->reorder_by_ms[side] * 1e6);
        d->reordered++;
    }
    hold(d, frame, size, due);
    if (is_double) {
        d->duplicated++;
        hold(d, frame, size, due);
    }
}

static void
send_due(struct direction *d, int fd)
{
    int64_t now = now_ns();

    while (d->n && d->heap[0].due <= now) {
        struct held frame = take(d);
        if (send(fd, frame.bytes, frame.size, 0) == (ssize_t) frame.size) {
            d->sent++;
        } else {
            d->failed++;
        }
        free(frame.bytes);
    }
}

static struct timespec
until_next(const struct direction directions[2])
{
    int64_t wait = INT64_C(1000000000), now = now_ns();

    for (int i = 0; i < 2; i++) {
        if (directions[i].n && directions[i].heap[0].due - now < wait) {
            wait = directions[i].heap[0].due - now;
        }
    }
    wait = wait < 0 ? 0 : wait;
    return (struct timespec) { wait / 1000000000, wait % 1000000000 };
}

static void
relay(const struct options *o, struct direction directions[2], const int fds[2])
{
    static uint8_t frame[FRAME_MAX];
    struct pollfd polled[2] = { { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } };
    sigset_t none;

    sigemptyset(&none);
    while (!ended) {
        struct timespec timeout = until_next(directions);
        /* Signals are blocked but for here, so none is missed between test and sleep. */
        ppoll(polled, 2, &timeout, &none);
        for (int side = 0; side < 2; side++) {
            for (int i = 0; i < BATCH; i++) {
                size_t size = receive(fds[side], frame);
                if (!size) {
                    break;
                }
                damage(&directions[side], o, side, frame, size);
            }
            send_due(&directions[side], fds[!side]);
        }
    }
}

/* The command line. */

static void
usage(void)
{
    puts("usage: relay [OPTION]... A B\n"
         "Carries frames between the interfaces A and B, not without accidents.\n"
         "A NUMBER counts for both directions; N,M: N from A to B, M from B to A.\n"
         "  --loss=NUMBER         percent of the frames that vanish\n"
         "  --duplicate=NUMBER    percent that arrive twice\n"
         "  --reorder=NUMBER      percent that are held back for\n"
         "  --reorder-by=NUMBER   so many ms (3)\n"
         "  --corrupt=NUMBER      percent in which one bit behind the Ethernet header flips\n"
         "  --delay=NUMBER        ms that every frame takes\n"
         "  --seed=N              of the random numbers (1)\n"
         "  --queue=N             frames held in each direction at most (10000)\n"
         "SIGTERM ends it and prints what happened.");
}

static void
parse_pair(const char *name, const char *text, double max, double pair[2])
{
    char *end;

    pair[0] = pair[1] = strtod(text, &end);
    if (end != text && *end == ',') {
        const char *second = end + 1;
        pair[1] = strtod(second, &end);
        end = end == second ? (char *) text : end;
    }
    if (end == text || *end || !(pair[0] >= 0 && pair[0] <= max)
        || !(pair[1] >= 0 && pair[1] <= max)) {
        fail("--%s=%s: want a number from 0 to %g, or two with a comma between", name, text,
             max);
    }
}

static uint64_t
parse_integer(const char *name, const char *text, uint64_t min)
{
    char *end;
    uint64_t value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < min) {
        fail("--%s=%s: want an integer from %" PRIu64, name, text, min);
    }
    return value;
}

static void
parse_options(int argc, char *argv[], struct options *o)
{
    static const struct option names[] = {
        { "loss", required_argument, NULL, 'l' },
        { "duplicate", required_argument, NULL, 'd' },
        { "reorder", required_argument, NULL, 'r' },
        { "reorder-by", required_argument, NULL, 'b' },
        { "corrupt", required_argument, NULL, 'c' },
        { "delay", required_argument, NULL, 't' },
        { "seed", required_argument, NULL, 's' },
        { "queue", required_argument, NULL, 'q' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option, index = 0;

    while ((option = getopt_long(argc, argv, "h", names, &index)) != -1) {
        const char *name = names[index].name;
        switch (option) {
        case 'l': parse_pair(name, optarg, 100, o->loss); break;
        case 'd': parse_pair(name, optarg, 100, o->duplicate); break;
        case 'r': parse_pair(name, optarg, 100, o->reorder); break;
        case 'b': parse_pair(name, optarg, 60000, o->reorder_by_ms); break;
        case 'c': parse_pair(name, optarg, 100, o->corrupt); break;
        case 't': parse_pair(name, optarg, 60000, o->delay_ms); break;
        case 's': o->seed = parse_integer(name, optarg, 0); break;
        case 'q': o->queue = parse_integer(name, optarg, 1); break;
        case 'h': usage(); exit(0);
        default: exit(1);
        }
    }
    if (argc - optind != 2) {
        fail("want two interfaces; --help tells more");
    }
}

int
main(int argc, char *argv[])
{
    struct options o = { .reorder_by_ms = { 3, 3 }, .seed = 1, .queue = 10000 };
    struct direction directions[2];
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t blocked;
    int fds[2];

    parse_options(argc, argv, &o);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    memset(directions, 0, sizeof directions);
    for (int i = 0; i < 2; i++) {
        fds[i] = open_interface(argv[optind + i]);
        directions[i].random = o.seed * 2 + i;
        directions[i].max = o.queue;
        directions[i].heap = calloc(o.queue, sizeof *directions[i].heap);
        if (!directions[i].heap) {
            fail("a queue of %zu frames: out of memory", o.queue);
        }
    }
    printf("relaying %s <-> %s, seed %" PRIu64 "\n", argv[optind], argv[optind + 1], o.seed);
    fflush(stdout);

    relay(&o, directions, fds);

    for (int i = 0; i < 2; i++) {
        const struct direction *d = &directions[i];
        printf("%s > %s: received %" PRIu64 ", sent %" PRIu64 ", lost %" PRIu64
               ", duplicated %" PRIu64 ", reordered %" PRIu64 ", corrupted %" PRIu64
               ", overflowed %" PRIu64 ", failed %" PRIu64 ", held %zu\n",
               argv[optind + i], argv[optind + !i], d->received, d->sent, d->lost,
               d->duplicated, d->reordered, d->corrupted, d->overflowed, d->failed, d->n);
        while (directions[i].n) {
            free(take(&directions[i]).bytes);
        }
        free(directions[i].heap);
        close(fds[i]);
    }
    return 0;
}
