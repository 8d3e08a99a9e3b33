/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ctl/auth.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ovs-config.h"
#include "openvswitch/util.h"
#include "util.h"

#include "base/mem.h"
#include "mqtt/passwd.h"

/* Leaves a processor to the event loop where there are two. */
#define N_THREADS 1
#define WORKER_NICE 10

STATS_DEFINE(auth, AUTH_STATS)

struct shared {                       /* A password file and how many requests refer to it. */
    struct mqtt_passwd *passwd;
    uint32_t n_refs;                  /* Of the engine's thread alone. */
};

struct request {
    struct request *next;
    struct shared *shared;
    const struct mqtt_passwd_entry *entry;
    uint64_t id;
    bool is_known, is_good;
    uint32_t n;
    uint8_t password[];
};

struct list {
    struct request *first, **last;
};

struct auth {
    struct shared *passwords;
    struct auth_stats stats;
    uint32_t n_waiting, max_waiting;
    struct list ready;                /* Verdicts that the engine has taken over. */
    int fd;

    pthread_t threads[N_THREADS];
    bool has_threads;
    pthread_mutex_t mutex;            /* For the rest. */
    pthread_cond_t wake;
    struct list todo, done;
    bool stop;
};

static void
list_init(struct list *l)
{
    l->first = NULL;
    l->last = &l->first;
}

static void
list_push(struct list *l, struct request *r)
{
    r->next = NULL;
    *l->last = r;
    l->last = &r->next;
}

static struct request *
list_pop(struct list *l)
{
    struct request *r = l->first;

    if (r) {
        l->first = r->next;
        if (!r->next) {
            l->last = &l->first;
        }
    }
    return r;
}

/* ---- Hashes ---- */

static bool
hash_pbkdf2(const struct mqtt_passwd_entry *e, struct slice password, uint8_t hash[MQTT_PASSWD_HASH_SIZE])
{
    return PKCS5_PBKDF2_HMAC((const char *) password.p, (int) password.n, e->salt, e->salt_n,
                             (int) e->rounds, EVP_sha512(), MQTT_PASSWD_HASH_SIZE, hash) == 1;
}

static bool
hash_sha512(const struct mqtt_passwd_entry *e, struct slice password, uint8_t hash[MQTT_PASSWD_HASH_SIZE])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = ctx && EVP_DigestInit_ex(ctx, EVP_sha512(), NULL)
                && EVP_DigestUpdate(ctx, password.p, password.n)
                && EVP_DigestUpdate(ctx, e->salt, e->salt_n)
                && EVP_DigestFinal_ex(ctx, hash, NULL);

    EVP_MD_CTX_free(ctx);
    return done;
}

bool
auth_verify(const struct mqtt_passwd_entry *e, struct slice password)
{
    uint8_t hash[MQTT_PASSWD_HASH_SIZE];
    bool done = e->rounds ? hash_pbkdf2(e, password, hash) : hash_sha512(e, password, hash);
    bool is_same = done && !CRYPTO_memcmp(hash, e->hash, sizeof hash);

    OPENSSL_cleanse(hash, sizeof hash);
    return is_same;
}

/* ---- The workers ---- */

static void *
worker_main(void *auth_)
{
    struct auth *a = auth_;

    /* Linux has it per thread: where there is one processor, traffic comes first. */
    ignore(setpriority(PRIO_PROCESS, (id_t) syscall(SYS_gettid), WORKER_NICE));
    pthread_mutex_lock(&a->mutex);
    for (;;) {
        struct request *r;

        while (!a->todo.first && !a->stop) {
            pthread_cond_wait(&a->wake, &a->mutex);
        }
        if (a->stop) {
            pthread_mutex_unlock(&a->mutex);
            return NULL;
        }
        r = list_pop(&a->todo);
        pthread_mutex_unlock(&a->mutex);
        r->is_good = auth_verify(r->entry, (struct slice) { r->password, r->n }) && r->is_known;
        pthread_mutex_lock(&a->mutex);
        list_push(&a->done, r);
        /* Cannot overflow: there are not so many requests. */
        ignore(eventfd_write(a->fd, 1));
    }
}

/* Signals stay with the threads that want them. */
static void
start_threads(struct auth *a)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (size_t i = 0; i < N_THREADS; i++) {
        int error = pthread_create(&a->threads[i], NULL, worker_main, a);

        if (error) {
            ovs_fatal(error, "could not create a thread for passwords");
        }
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    a->has_threads = true;
}

/* ---- The engine's side ---- */

struct auth *
auth_create(uint32_t max_waiting)
{
    struct auth *a = mem_zalloc(sizeof *a);

    a->max_waiting = max_waiting;
    a->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->fd < 0) {
        ovs_fatal(errno, "could not create an eventfd");
    }
    list_init(&a->ready);
    list_init(&a->todo);
    list_init(&a->done);
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->wake, NULL);
    return a;
}

static void
drop_shared(struct shared *s)
{
    if (s && !--s->n_refs) {
        mqtt_passwd_destroy(s->passwd);
        mem_free(s);
    }
}

static void
drop_request(struct auth *a, struct request *r)
{
    drop_shared(r->shared);
    OPENSSL_cleanse(r->password, r->n);
    mem_free(r);
    a->n_waiting--;
}

static void
drop_all(struct auth *a, struct list *l)
{
    struct request *r;

    while ((r = list_pop(l))) {
        drop_request(a, r);
    }
}

void
auth_destroy(struct auth *a)
{
    if (!a) {
        return;
    }
    if (a->has_threads) {
        pthread_mutex_lock(&a->mutex);
        a->stop = true;
        pthread_cond_broadcast(&a->wake);
        pthread_mutex_unlock(&a->mutex);
        for (size_t i = 0; i < N_THREADS; i++) {
            pthread_join(a->threads[i], NULL);
        }
    }
    drop_all(a, &a->todo);
    drop_all(a, &a->done);
    drop_all(a, &a->ready);
    drop_shared(a->passwords);
    pthread_cond_destroy(&a->wake);
    pthread_mutex_destroy(&a->mutex);
    close(a->fd);
    mem_free(a);
}

void
auth_set_passwords(struct auth *a, struct mqtt_passwd *passwd)
{
    struct shared *s = mem_alloc(sizeof *s);

    *s = (struct shared) { passwd, 1 };
    drop_shared(a->passwords);
    a->passwords = s;
}

bool
auth_submit(struct auth *a, uint64_t id, struct slice user, struct slice password)
{
    const struct mqtt_passwd_entry *entry;
    struct request *r;

    if (a->n_waiting >= a->max_waiting || !a->passwords) {
        a->stats.busy++;
        return false;
    }
    if (!a->has_threads) {
        start_threads(a);
    }
    entry = mqtt_passwd_find(a->passwords->passwd, user);
    r = mem_alloc(sizeof *r + password.n);
    *r = (struct request) {
        .shared = a->passwords,
        .entry = entry ? entry : mqtt_passwd_decoy(a->passwords->passwd),
        .id = id,
        .is_known = entry,
        .n = password.n,
    };
    if (password.n) {
        memcpy(r->password, password.p, password.n);
    }
    a->passwords->n_refs++;
    a->n_waiting++;
    a->stats.asked++;
    pthread_mutex_lock(&a->mutex);
    list_push(&a->todo, r);
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->mutex);
    return true;
}

void
auth_cancel(struct auth *a, uint64_t id)
{
    struct request *found = NULL, **link = &a->todo.first;

    pthread_mutex_lock(&a->mutex);
    while (*link && (*link)->id != id) {
        link = &(*link)->next;
    }
    if (*link) {
        found = *link;
        *link = found->next;
        if (!*link) {
            a->todo.last = link;
        }
    }
    pthread_mutex_unlock(&a->mutex);
    if (found) {
        drop_request(a, found);
        a->stats.cancelled++;
    }
}

int
auth_fd(const struct auth *a)
{
    return a->fd;
}

static void
take_over(struct auth *a)
{
    struct request *r;
    eventfd_t n;

    ignore(eventfd_read(a->fd, &n));
    pthread_mutex_lock(&a->mutex);
    while ((r = list_pop(&a->done))) {
        list_push(&a->ready, r);
    }
    pthread_mutex_unlock(&a->mutex);
}

bool
auth_next(struct auth *a, uint64_t *id, bool *is_good)
{
    struct request *r;

    if (!a->ready.first) {
        take_over(a);
    }
    r = list_pop(&a->ready);
    if (!r) {
        return false;
    }
    *id = r->id;
    *is_good = r->is_good;
    if (r->is_good) {
        a->stats.good++;
    } else {
        a->stats.bad++;
    }
    drop_request(a, r);
    return true;
}

const struct auth_stats *
auth_stats(const struct auth *a)
{
    return &a->stats;
}
