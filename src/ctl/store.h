/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Where a persistent broker's records are kept (mqtt/journal.h): a table of keys and values in an
 * SQLite database, DIR/store.db, and the thread that writes it.  The engine hands over batches and
 * never waits; the thread writes all that have come in one transaction with one sync (group commit)
 * and says so by an eventfd.  How much may wait is limited by the broker, which hears no more from
 * its clients beyond.
 *
 * Why SQLite with a write-ahead log, and not LMDB: measured where this was written (virtual disk,
 * ext4; messages of 200 bytes and their queue entries put, others deleted; two interleaved rounds),
 * commits per second
 *
 *     messages in a commit       1           10          100         1000
 *     SQLite, WAL, FULL      1061  363     390  294     364  262     98  114
 *     LMDB                    790  171     549  130     335  170    184  133
 *
 * are decided by the disk, for which SQLite appends and syncs once where LMDB writes pages and syncs
 * twice; CPU is 4 to 6 us a message against 1 to 3, but of a thread that nobody waits for.  SQLite
 * has keys of any length (topics are up to 65535 bytes; LMDB: 511), needs no size in advance,
 * checksums its log, and tells a file that is not its own from one that is.
 *
 * A database that is not ours, or damaged, is left as it is.  store_open() to store_close() on one
 * thread. */
#ifndef MP_CTL_STORE_H
#define MP_CTL_STORE_H 1

#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/stats.h"

struct store;

/* Gets every record at the start, in the order of keys; returns NULL or what is wrong. */
typedef const char *store_load_func(void *aux, struct slice key, struct slice value);

/* Opens or creates DIR/store.db and loads it.  NULL and one sentence in '*error', to be freed, if
 * that is impossible, is not ours, or is damaged. */
struct store *store_open(const char *dir, store_load_func *, void *aux, char **error);

/* Hands over a batch of operations, which store_put() frees when it is done with it. */
void store_put(struct store *, uint64_t seq, uint8_t *bytes, size_t n);

int store_fd(const struct store *);                 /* Readable: ask for store_durable(). */
uint64_t store_durable(struct store *);             /* All batches up to this one are safe. */
/* One sentence if the disk does not do its work, and nothing more will become durable; or NULL. */
const char *store_failure(struct store *);

#define STORE_STATS(X)                                                  \
    X(n_commits, "transactions, each with one sync")                    \
    X(n_batches, "batches of changes written")                          \
    X(n_operations, "records put or deleted")                           \
    X(n_bytes, "bytes of batches written")                              \
    X(n_full, "times the disk was full")
STATS_DECLARE(store, STORE_STATS)
void store_get_stats(struct store *, struct store_stats *);

/* Writes what was handed over.  Accepts NULL. */
void store_close(struct store *);

#endif
