/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The store on a real file: what is handed over is there after the next opening, in order, whichever
 * way it was closed; nothing is called durable before its sync is over; what is not ours or damaged is
 * refused and left as it is; and the byte format of the records. */
#include "ctl/store.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "mqtt/journal.h"
#include "unit/tap.h"

static char dir[64], path[80], log_path[90];

struct loaded {
    char text[4096];
    const char *answer;
};

static const char *
load(void *l_, struct slice key, struct slice value)
{
    struct loaded *l = l_;
    size_t n = strlen(l->text);

    snprintf(l->text + n, sizeof l->text - n, "%.*s=%.*s ", (int) key.n, (const char *) key.p,
             (int) value.n, (const char *) value.p);
    return l->answer;
}

/* A batch from "key=value" to be put and "-key" to be deleted. */
static uint8_t *
batch(const char *const ops[], size_t *n)
{
    uint8_t *bytes = mem_alloc(4096);
    struct writer w = writer_init(bytes, 4096);

    for (; *ops; ops++) {
        const char *op = *ops, *equals = strchr(op, '=');
        bool is_put = op[0] != '-';
        size_t key_n = is_put ? (size_t) (equals - op) : strlen(op + 1);

        writer_u8(&w, is_put);
        writer_u32(&w, (uint32_t) key_n);
        writer_u32(&w, is_put ? (uint32_t) strlen(equals + 1) : 0);
        writer_bytes(&w, is_put ? op : op + 1, key_n);
        writer_bytes(&w, is_put ? equals + 1 : "", is_put ? strlen(equals + 1) : 0);
    }
    *n = writer_size(&w);
    return bytes;
}

#define PUT(S, SEQ, ...)                                                                \
    do {                                                                                \
        const char *const ops_[] = { __VA_ARGS__, NULL };                               \
        size_t n_;                                                                      \
        uint8_t *bytes_ = batch(ops_, &n_);                                             \
                                                                                        \
        store_put(S, SEQ, bytes_, n_);                                                  \
    } while (0)

static void
wait_durable(struct store *s, uint64_t seq)
{
    struct pollfd pfd = { .fd = store_fd(s), .events = POLLIN };

    while (store_durable(s) < seq && !store_failure(s)) {
        poll(&pfd, 1, 10000);
    }
}

static struct store *
open_ok(struct loaded *l)
{
    char *error;
    struct store *s;

    memset(l, 0, sizeof *l);
    s = store_open(dir, load, l, &error);
    if (!s) {
        BAIL_OUT("%s", error);
    }
    return s;
}

static void
refuses(const char *why, const char *name)
{
    struct loaded l = { .answer = NULL };
    char *error = NULL;
    struct store *s = store_open(dir, load, &l, &error);

    ok(!s && error && strstr(error, why) && strstr(error, path), "%s is refused: %s", name,
       error ? error : "it was not");
    free(error);
    store_close(s);
}

TEST(keeps)
{
    struct loaded l;
    struct store *s = open_ok(&l);
    struct store_stats stats;

    is_str(l.text, "", "a new store is empty");
    PUT(s, 1, "b=1", "a=2");
    PUT(s, 2, "c=3", "-b");
    PUT(s, 3, "a=4");
    wait_durable(s, 3);
    is_int(store_durable(s), 3, "the last batch is durable");
    store_get_stats(s, &stats);
    ok(stats.n_batches == 3 && stats.n_commits <= 3 && stats.n_operations == 5, "counted");
    PUT(s, 4, "d=5");
    store_close(s);
    s = open_ok(&l);
    is_str(l.text, "a=4 c=3 d=5 ", "all is there, in the order of keys; closing writes the rest");
    for (uint64_t i = 5; i < 2005; i++) {
        PUT(s, i, "e=6", "e=7");
    }
    wait_durable(s, 2004);
    store_get_stats(s, &stats);
    ok(stats.n_batches == 2000 && stats.n_commits < 2000,
       "what comes while the disk is at work goes in one commit: %llu commits for 2000 batches",
       (unsigned long long) stats.n_commits);
    store_close(s);
}

/* SQLite finds these two before the C library's.  A sync of the log waits while the gate is shut. */
static atomic_int n_log_syncs;
static atomic_bool is_gate_shut;

static int
sync_at_the_gate(int fd, long number)
{
    char link[32], name[256];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, name, sizeof name - 1);
    name[MP_MAX(n, 0)] = '\0';
    if (strstr(name, "store.db-wal")) {
        atomic_fetch_add(&n_log_syncs, 1);
        while (atomic_load(&is_gate_shut)) {
            poll(NULL, 0, 1);
        }
    }
    return (int) syscall(number, fd);
}

int
fsync(int fd)
{
    return sync_at_the_gate(fd, SYS_fsync);
}

int
fdatasync(int fd)
{
    return sync_at_the_gate(fd, SYS_fdatasync);
}

TEST(syncs_first)
{
    struct loaded l;
    struct store *s = open_ok(&l);

    for (uint64_t seq = 1; seq <= 3; seq++) {
        struct pollfd pfd = { .fd = store_fd(s), .events = POLLIN };
        int before = atomic_load(&n_log_syncs);

        atomic_store(&is_gate_shut, true);
        PUT(s, seq, "s=1");
        while (atomic_load(&n_log_syncs) == before && !poll(&pfd, 1, 1)) {
        }
        ok(atomic_load(&n_log_syncs) > before, "commit %d is synced, and by then not durable",
           (int) seq);
        ok(!poll(&pfd, 1, 50) && store_durable(s) == seq - 1, "nor while that goes on");
        atomic_store(&is_gate_shut, false);
        wait_durable(s, seq);
        is_int(store_durable(s), seq, "but afterwards");
    }
    PUT(s, 4, "-s");
    store_close(s);
}

TEST(survives_death)
{
    struct loaded l;
    int status;
    pid_t pid = fork();

    if (!pid) {
        struct store *s = open_ok(&l);

        PUT(s, 1, "f=8", "-e");
        wait_durable(s, 1);
        _exit(store_durable(s) == 1 ? 0 : 1);       /* Nothing is closed. */
    }
    waitpid(pid, &status, 0);
    ok(WIFEXITED(status) && !WEXITSTATUS(status), "the writer died after it was told");
    store_close(open_ok(&l));
    is_str(l.text, "a=4 c=3 d=5 f=8 ", "what was durable is there");
}

static uint8_t *
slurp(size_t *n)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    uint8_t *bytes;

    if (fd < 0 || fstat(fd, &st)) {
        BAIL_OUT("cannot read %s", path);
    }
    bytes = mem_alloc((size_t) st.st_size);
    *n = (size_t) read(fd, bytes, (size_t) st.st_size);
    close(fd);
    return bytes;
}

static void
spit_to(const char *name, const uint8_t *bytes, size_t n)
{
    int fd = open(name, O_WRONLY | O_TRUNC | O_CREAT, 0600);

    if (fd < 0 || write(fd, bytes, n) != (ssize_t) n) {
        BAIL_OUT("cannot write %s", name);
    }
    close(fd);
}

static void
spit(const uint8_t *bytes, size_t n)
{
    spit_to(path, bytes, n);
}

/* A store of these bytes is refused, and they stay what they are. */
static void
refuses_bytes(const uint8_t *bytes, size_t n, const char *why, const char *name)
{
    uint8_t *after;
    size_t n_after;

    spit(bytes, n);
    refuses(why, name);
    after = slurp(&n_after);
    is_mem(after, n_after, bytes, n, "%s: left alone", name);
    mem_free(after);
}

TEST(refuses_what_is_not_ours)
{
    struct loaded l;
    struct store *s = open_ok(&l);
    char *error = NULL;
    size_t n;
    uint8_t *good, *bad;

    for (uint64_t i = 0; i < 100; i++) {
        char op[400];

        snprintf(op, sizeof op, "key%03d=%0300d", (int) i, (int) i);
        PUT(s, i + 1, op);
    }
    wait_durable(s, 100);
    refuses("in use by another process", "what is in use");
    store_close(s);
    good = slurp(&n);
    ok(n > 5 * 4096, "there are pages to be torn");
    refuses_bytes(good, n / 2 / 4096 * 4096, "is damaged", "a file that ends too early");
    bad = mem_dup(good, n);
    memset(bad + 2 * 4096, 0, 4096);
    refuses_bytes(bad, n, "is damaged", "a page of zeros");
    memcpy(bad, good, n);
    memset(bad + 3 * 4096, 0xff, 4096);
    refuses_bytes(bad, n, "is damaged", "a page of ones");
    memcpy(bad, good, n);
    bad[63]++;
    refuses_bytes(bad, n, "has version 2", "a later version");
    memcpy(bad, good, n);
    bad[68] = 0;
    refuses_bytes(bad, n, "is no store", "somebody else's database");
    refuses_bytes((const uint8_t *) "hello", 5, "is no store", "a text");
    spit(good, n);
    snprintf(log_path, sizeof log_path, "%s-wal", path);
    spit_to(log_path, (const uint8_t *) "no log at all, but bytes", 24);
    refuses("is no log of a store", "a log that is none");
    ok(!unlink(log_path), "it is left alone");
    memset(&l, 0, sizeof l);
    l.answer = "a record is damaged";
    ok(!store_open(dir, load, &l, &error), "what its reader refuses is refused");
    ok(strstr(error, "is damaged (a record is damaged)"), "with the reader's words: %s", error);
    free(error);
    store_close(open_ok(&l));
    ok(strstr(l.text, "key002="), "the good one still is");
    mem_free(good);
    mem_free(bad);
}

static bool
decodes(const struct mqtt_record *in, struct mqtt_record *out, struct mqtt_operation *op)
{
    static uint8_t bytes[4096];
    struct writer w = writer_init(bytes, sizeof bytes);
    struct slice rest;

    mqtt_record_put(&w, in);
    rest = (struct slice) { bytes, (uint32_t) writer_size(&w) };
    return writer_size(&w) <= mqtt_record_size(in) && mqtt_batch_next(&rest, op) && !rest.n
           && op->is_put && mqtt_record_decode(op->key, op->value, out);
}

TEST(format)
{
    static const uint8_t want[] = {
        1, 0, 0, 0, 13, 0, 0, 0, 20,
        5, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 7,
        0, 0, 0, 0, 0, 0, 1, 2, 0, 3, 2, 1, 0, 0, 0, 42,
    };
    struct mqtt_operation op;
    struct mqtt_record r = {
        .type = MQTT_RECORD_OUTBOUND, .session = 9, .order = 7, .message = 258, .packet_id = 3,
        .qos = 2, .flags = 1, .sub_ids = { (const uint8_t *) "\0\0\0\x2a", 4 },
    }, back;

    ok(decodes(&r, &back, &op), "a queue entry is read back");
    is_mem(op.key.p - 9, sizeof want, want, sizeof want, "its bytes are as documented");
    ok(back.session == 9 && back.order == 7 && back.message == 258 && back.packet_id == 3
       && back.qos == 2 && back.flags == 1 && back.sub_ids.n == 4, "and all that was in it");
    for (uint32_t i = 0; i < op.value.n; i++) {
        uint8_t bytes[64];

        memcpy(bytes, op.value.p, op.value.n);
        bytes[i] ^= 0x10;
        if (mqtt_record_decode(op.key, (struct slice) { bytes, op.value.n }, &back)) {
            fail("a flipped bit in byte %u is seen", (unsigned int) i);
        }
        if (mqtt_record_decode(op.key, (struct slice) { op.value.p, i }, &back)) {
            fail("a value cut to %u bytes is seen", (unsigned int) i);
        }
    }
    r = (struct mqtt_record) {
        .type = MQTT_RECORD_MESSAGE, .message = UINT64_MAX, .qos = 1, .retain = true,
        .expiry = MQTT_EXPIRY_AT, .expires = INT64_C(1) << 50,
        .topic = { (const uint8_t *) "a/b", 3 }, .props = { (const uint8_t *) "pp", 2 },
        .payload = { (const uint8_t *) "xyz", 3 },
    };
    ok(decodes(&r, &back, &op) && back.message == UINT64_MAX && back.retain && back.qos == 1
       && back.expiry == MQTT_EXPIRY_AT && back.expires == INT64_C(1) << 50 && back.topic.n == 3
       && back.props.n == 2 && back.payload.n == 3 && !memcmp(back.payload.p, "xyz", 3),
       "a message is read back");
    r = (struct mqtt_record) {
        .type = MQTT_RECORD_SESSION, .session = 1, .version = 5, .expiry_s = UINT32_MAX,
        .parted_at = 77, .client_id = { (const uint8_t *) "me", 2 },
    };
    ok(decodes(&r, &back, &op) && back.version == 5 && back.expiry_s == UINT32_MAX
       && back.parted_at == 77 && back.client_id.n == 2 && !back.username.n,
       "a session is read back");
}

int
main(void)
{
    char command[100];

    snprintf(dir, sizeof dir, "test-store-%d", (int) getpid());
    snprintf(path, sizeof path, "%s/store.db", dir);
    RUN(format);
    RUN(keeps);
    RUN(syncs_first);
    RUN(survives_death);
    RUN(refuses_what_is_not_ours);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ok(!system(command), "cleaned up");
    return done_testing();
}
