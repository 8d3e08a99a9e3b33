/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ctl/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "openvswitch/vlog.h"
#include "ovs-config.h"
#include "ovs-thread.h"
#include "util.h"

#include "base/mem.h"
#include "mqtt/journal.h"

VLOG_DEFINE_THIS_MODULE(store);

STATS_DEFINE(store, STORE_STATS)

/* Of SQLite's file header: whose file it is.  "MqPx". */
#define APPLICATION_ID 0x4d715078
#define HEADER_SIZE 100
#define HEADER_VERSION_AT 60
#define WAL_MAGIC 0x377f0682u        /* The lowest bit says in which byte order it sums up. */
#define HEADER_APPLICATION_AT 68
static const char sqlite_magic[16] = "SQLite format 3";

/* After the disk was full. */
#define RETRY_S 1

struct batch {
    struct batch *next;
    uint64_t seq;
    uint8_t *bytes;
    size_t n;
};

struct store {
    char *path;
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *rollback, *put, *delete;
    int fd;                           /* Eventfd: something became durable, or failed. */
    pthread_t writer;
    bool has_writer;                  /* Since the first batch. */

    pthread_mutex_t mutex;            /* Of all below. */
    pthread_cond_t cond;
    struct batch *first, **last;
    uint64_t durable;
    char *failure;
    bool stop;
    struct store_stats stats;
};

/* ---- The file ---- */

static uint32_t
be32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

/* Looks at the file without SQLite, which may write when it opens one.  NULL: it is ours, or
 * '*is_new'. */
static char *
check_header(const char *path, bool *is_new)
{
    uint8_t header[HEADER_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    *is_new = fd < 0 && errno == ENOENT;
    if (fd < 0) {
        return *is_new ? NULL : xasprintf("%s: cannot be read: %s", path, ovs_strerror(errno));
    }
    n = read(fd, header, sizeof header);
    close(fd);
    if (n != sizeof header || memcmp(header, sqlite_magic, sizeof sqlite_magic)
        || be32(header + HEADER_APPLICATION_AT) != APPLICATION_ID) {
        return xasprintf("%s: is no store of ovs-mqtt-proxyd; it is left alone", path);
    }
    if (be32(header + HEADER_VERSION_AT) != MQTT_JOURNAL_VERSION) {
        return xasprintf("%s: has version %u, this program knows version %d; it is left alone",
                         path, be32(header + HEADER_VERSION_AT), MQTT_JOURNAL_VERSION);
    }
    return NULL;
}

/* SQLite passes over a write-ahead log that it cannot read, and with it over all that was acknowledged
 * last.  Inside, the end of what was written when the power failed cannot be told from damage. */
static char *
check_log(const char *path)
{
    char *log = xasprintf("%s-wal", path), *error = NULL;
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    uint8_t magic[4];

    if (fd < 0 && errno != ENOENT) {
        error = xasprintf("%s: cannot be read: %s", log, ovs_strerror(errno));
    } else if (fd >= 0 && read(fd, magic, sizeof magic) == sizeof magic
               && (be32(magic) & ~1u) != WAL_MAGIC) {
        error = xasprintf("%s: is no log of a store; it is left alone", log);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(log);
    return error;
}

static char *
sync_directory(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool failed = fd < 0 || fsync(fd);
    char *error = failed ? xasprintf("%s: %s", dir, ovs_strerror(errno)) : NULL;

    if (fd >= 0) {
        close(fd);
    }
    return error;
}

/* Under another name first, so that a store is there whole or not at all. */
static char *
create_file(const char *dir, const char *path)
{
    char *new = xasprintf("%s.new", path);
    char *sql = xasprintf(
        "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL; PRAGMA application_id = %d;"
        "PRAGMA user_version = %d;"
        "CREATE TABLE record (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
        APPLICATION_ID, MQTT_JOURNAL_VERSION);
    char *error = NULL;
    sqlite3 *db = NULL;

    unlink(new);
    if (sqlite3_open_v2(new, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL)
        || sqlite3_exec(db, sql, NULL, NULL, NULL)) {
        error = xasprintf("%s: cannot be created: %s", path, sqlite3_errmsg(db));
    }
    sqlite3_close(db);
    if (!error && rename(new, path)) {
        error = xasprintf("%s: cannot be created: %s", path, ovs_strerror(errno));
    }
    if (!error) {
        error = sync_directory(dir);
    }
    free(sql);
    free(new);
    return error;
}

static char *
damaged(const struct store *s, const char *why)
{
    return xasprintf("%s: is damaged (%s); it is left alone: move it away to start without it",
                     s->path, why);
}

static char *
open_file(struct store *s)
{
    static const struct {
        size_t offset;
        const char *sql;
    } statements[] = {
        { offsetof(struct store, begin), "BEGIN" },
        { offsetof(struct store, commit), "COMMIT" },
        { offsetof(struct store, rollback), "ROLLBACK" },
        { offsetof(struct store, put), "INSERT OR REPLACE INTO record VALUES (?, ?)" },
        { offsetof(struct store, delete), "DELETE FROM record WHERE key = ?" },
    };
    int error = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE, NULL);

    /* Else the last to close a damaged store would write to it. */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    /* Our own files are only ever ours: the lock is held until the end. */
    if (!error) {
        error = sqlite3_exec(s->db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                             "PRAGMA synchronous = FULL; BEGIN IMMEDIATE; COMMIT;",
                             NULL, NULL, NULL);
    }
    for (size_t i = 0; !error && i < MP_ARRAY_SIZE(statements); i++) {
        sqlite3_stmt **stmt = (sqlite3_stmt **) ((char *) s + statements[i].offset);

        error = sqlite3_prepare_v2(s->db, statements[i].sql, -1, stmt, NULL);
    }
    switch (sqlite3_errcode(s->db)) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return NULL;
    case SQLITE_BUSY:
        return xasprintf("%s: is in use by another process", s->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:
        return damaged(s, sqlite3_errmsg(s->db));
    default:
        return xasprintf("%s: cannot be opened: %s", s->path, sqlite3_errmsg(s->db));
    }
}

/* ---- Loading ---- */

static int
integrity_row(void *why, int n OVS_UNUSED, char **texts, char **names OVS_UNUSED)
{
    if (!*(char **) why && texts[0] && strcmp(texts[0], "ok")) {
        *(char **) why = xstrdup(texts[0]);
        for (char *p = *(char **) why; *p; p++) {
            *p = *p == '\n' ? ' ' : *p;
        }
    }
    return 0;
}

static char *
check_integrity(struct store *s)
{
    char *why = NULL, *error = NULL;

    if (sqlite3_exec(s->db, "PRAGMA quick_check(1)", integrity_row, &why, NULL)) {
        error = damaged(s, sqlite3_errmsg(s->db));
    } else if (why) {
        error = damaged(s, why);
    }
    free(why);
    return error;
}

static struct slice
column(sqlite3_stmt *stmt, int i)
{
    return (struct slice) {
        sqlite3_column_blob(stmt, i), (uint32_t) sqlite3_column_bytes(stmt, i),
    };
}

static char *
load(struct store *s, store_load_func *func, void *aux)
{
    sqlite3_stmt *stmt = NULL;
    const char *why = NULL;
    char *error;
    int result = sqlite3_prepare_v2(s->db, "SELECT key, value FROM record ORDER BY key", -1,
                                    &stmt, NULL);

    while (result == SQLITE_OK && !why && sqlite3_step(stmt) == SQLITE_ROW) {
        why = func(aux, column(stmt, 0), column(stmt, 1));
    }
    if (!why && sqlite3_errcode(s->db) != SQLITE_DONE) {
        why = sqlite3_errmsg(s->db);
    }
    error = why ? damaged(s, why) : NULL;
    sqlite3_finalize(stmt);
    return error;
}

struct store *
store_open(const char *dir, store_load_func *func, void *aux, char **error)
{
    struct store *s = mem_zalloc(sizeof *s);
    bool is_new = false;

    s->path = xasprintf("%s/store.db", dir);
    s->last = &s->first;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->cond, NULL);
    s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *error = s->fd < 0 ? xasprintf("cannot create an eventfd: %s", ovs_strerror(errno)) : NULL;
    if (!*error && mkdir(dir, 0700) && errno != EEXIST) {
        *error = xasprintf("%s: cannot be created: %s", dir, ovs_strerror(errno));
    }
    if (!*error) {
        *error = check_header(s->path, &is_new);
    }
    if (!*error) {
        *error = check_log(s->path);
    }
    if (!*error && is_new) {
        *error = create_file(dir, s->path);
    }
    if (!*error) {
        *error = open_file(s);
    }
    if (!*error) {
        *error = check_integrity(s);
    }
    if (!*error) {
        *error = load(s, func, aux);
    }
    if (*error) {
        store_close(s);
        return NULL;
    }
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return s;
}

/* ---- The writer's thread ---- */

static int
step(sqlite3_stmt *stmt)
{
    int result = sqlite3_step(stmt);

    sqlite3_reset(stmt);
    return result == SQLITE_DONE || result == SQLITE_ROW ? SQLITE_OK : result;
}

static int
apply(struct store *s, const struct mqtt_operation *op)
{
    sqlite3_stmt *stmt = op->is_put ? s->put : s->delete;

    sqlite3_bind_blob(stmt, 1, op->key.p, (int) op->key.n, SQLITE_STATIC);
    if (op->is_put) {
        sqlite3_bind_blob(stmt, 2, op->value.p, (int) op->value.n, SQLITE_STATIC);
    }
    return step(stmt);
}

/* One transaction.  Returns SQLite's code. */
static int
write_batches(struct store *s, const struct batch *batches, struct store_stats *stats)
{
    int error = step(s->begin);

    for (const struct batch *b = batches; b && !error; b = b->next) {
        struct slice rest = { b->bytes, (uint32_t) b->n };
        struct mqtt_operation op;

        while (!error && mqtt_batch_next(&rest, &op)) {
            error = apply(s, &op);
            stats->n_operations++;
        }
        stats->n_batches++;
        stats->n_bytes += b->n;
    }
    if (!error) {
        error = step(s->commit);
    }
    stats->n_commits++;
    if (error) {
        step(s->rollback);
    }
    return error;
}

static void
free_batches(struct batch *b)
{
    while (b) {
        struct batch *next = b->next;

        mem_free(b->bytes);
        mem_free(b);
        b = next;
    }
}

/* Until it is written, or will never be.  A full disk is waited for: nobody's message is lost,
 * nobody is told that it is safe, and the broker listens to its clients no more than it can remember. */
static int
write_persistently(struct store *s, const struct batch *batches)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);

    for (;;) {
        struct store_stats stats = { .n_full = 0 };
        int error = write_batches(s, batches, &stats);
        bool stop;

        stats.n_full = error == SQLITE_FULL;
        pthread_mutex_lock(&s->mutex);
        if (!error) {
            s->stats.n_commits += stats.n_commits;
            s->stats.n_batches += stats.n_batches;
            s->stats.n_operations += stats.n_operations;
            s->stats.n_bytes += stats.n_bytes;
        }
        s->stats.n_full += stats.n_full;
        stop = s->stop;
        pthread_mutex_unlock(&s->mutex);
        if (error != SQLITE_FULL || stop) {
            return error;
        }
        VLOG_WARN_RL(&rl, "%s: the disk is full; clients wait", s->path);
        nanosleep(&(struct timespec) { RETRY_S, 0 }, NULL);
    }
}

static void *
writer_main(void *s_)
{
    struct store *s = s_;
    int error = 0;

    while (!error) {
        struct batch *batches;
        uint64_t seq = 0;

        pthread_mutex_lock(&s->mutex);
        while (!s->first && !s->stop) {
            pthread_cond_wait(&s->cond, &s->mutex);
        }
        batches = s->first;
        s->first = NULL;
        s->last = &s->first;
        pthread_mutex_unlock(&s->mutex);
        if (!batches) {
            break;
        }
        error = write_persistently(s, batches);
        for (const struct batch *b = batches; b; b = b->next) {
            seq = b->seq;
        }
        pthread_mutex_lock(&s->mutex);
        if (error) {
            s->failure = xasprintf("%s: cannot be written: %s", s->path, sqlite3_errmsg(s->db));
        } else {
            s->durable = seq;
        }
        pthread_mutex_unlock(&s->mutex);
        free_batches(batches);
        ignore(eventfd_write(s->fd, 1));
    }
    return NULL;
}

/* ---- The engine's side ---- */

void
store_put(struct store *s, uint64_t seq, uint8_t *bytes, size_t n)
{
    struct batch *b = mem_zalloc(sizeof *b);

    b->seq = seq;
    b->bytes = bytes;
    b->n = n;
    pthread_mutex_lock(&s->mutex);
    *s->last = b;
    s->last = &b->next;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    if (!s->has_writer) {
        /* Not before: a daemon starts with one thread. */
        s->has_writer = true;
        s->writer = ovs_thread_create("store", writer_main, s);
    }
}

int
store_fd(const struct store *s)
{
    return s->fd;
}

uint64_t
store_durable(struct store *s)
{
    eventfd_t n;
    uint64_t seq;

    ignore(eventfd_read(s->fd, &n));
    pthread_mutex_lock(&s->mutex);
    seq = s->durable;
    pthread_mutex_unlock(&s->mutex);
    return seq;
}

const char *
store_failure(struct store *s)
{
    const char *failure;

    pthread_mutex_lock(&s->mutex);
    failure = s->failure;
    pthread_mutex_unlock(&s->mutex);
    return failure;
}

void
store_get_stats(struct store *s, struct store_stats *stats)
{
    pthread_mutex_lock(&s->mutex);
    *stats = s->stats;
    pthread_mutex_unlock(&s->mutex);
}

void
store_close(struct store *s)
{
    if (!s) {
        return;
    }
    if (s->has_writer) {
        pthread_mutex_lock(&s->mutex);
        s->stop = true;
        pthread_cond_signal(&s->cond);
        pthread_mutex_unlock(&s->mutex);
        xpthread_join(s->writer, NULL);
    }
    free_batches(s->first);
    sqlite3_finalize(s->begin);
    sqlite3_finalize(s->commit);
    sqlite3_finalize(s->rollback);
    sqlite3_finalize(s->put);
    sqlite3_finalize(s->delete);
    sqlite3_close(s->db);
    if (s->fd >= 0) {
        close(s->fd);
    }
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->cond);
    free(s->failure);
    free(s->path);
    mem_free(s);
}
