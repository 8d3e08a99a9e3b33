/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* A main() for a fuzz target, in place of libFuzzer's: replays the target's corpus, then some
 * thousands of mutations of it, and reports in TAP.  It is no fuzzer (nothing measures coverage):
 * it makes sure that what was once fixed stays so, in every 'make check', with any compiler.
 *
 *     fuzz-NAME [FILE|DIRECTORY]...     default: $srcdir/tests/fuzz/corpus/NAME
 *
 * FUZZ_SEED and FUZZ_RUNS in the environment change the mutations.  The input of a crash is
 * written to fuzz-NAME.failed-input, to be replayed by naming it.  Single-threaded. */

#include "fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/tap.h"

#define DEFAULT_SEED 20260101
#define DEFAULT_RUNS 4000
#define MAX_MUTATED 65536         /* Of a mutation; a corpus file may be larger. */

struct input {
    uint8_t *data;
    size_t size;
};

struct corpus {
    struct input *inputs;
    size_t n;
};

/* For the signal handler, which can be told nothing else. */
static struct input current;
static char failed_name[256];

static uint64_t prng_state;

static uint32_t
random_below(uint32_t n)
{
    /* xorshift64*: reproducible everywhere, which random() is not. */
    prng_state ^= prng_state >> 12;
    prng_state ^= prng_state << 25;
    prng_state ^= prng_state >> 27;
    return n ? (uint32_t) ((prng_state * UINT64_C(2685821657736338717)) >> 33) % n : 0;
}

static void *
allocate(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p) {
        BAIL_OUT("out of memory");
    }
    return p;
}

static void
save_input(void)
{
    int fd = open(failed_name, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    if (fd >= 0) {
        for (size_t done = 0; done < current.size;) {
            ssize_t n = write(fd, current.data + done, current.size - done);

            if (n <= 0) {
                break;
            }
            done += (size_t) n;
        }
        close(fd);
    }
}

static void
handle_crash(int signr)
{
    save_input();
    /* SA_RESETHAND: this time it kills. */
    raise(signr);
}

/* A sanitizer's, which explains a crash better than we would; absent without one. */
void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

static void
catch_crashes(void)
{
    static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    struct sigaction sa = { .sa_handler = handle_crash, .sa_flags = (int) SA_RESETHAND };

    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(save_input);
        return;
    }
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaction(signals[i], &sa, NULL);
    }
}

/* Runs one input in a block of exactly its size, so that a sanitizer or valgrind sees a read past
 * its end. */
static void
run_input(const uint8_t *data, size_t size)
{
    current.data = allocate(size);
    current.size = size;
    memcpy(current.data, data, size);
    LLVMFuzzerTestOneInput(current.data, size);
    free(current.data);
    current = (struct input) { NULL, 0 };
}

static void
add_input(struct corpus *corpus, const uint8_t *data, size_t size)
{
    struct input *input;

    corpus->inputs = realloc(corpus->inputs, (corpus->n + 1) * sizeof *corpus->inputs);
    if (!corpus->inputs) {
        BAIL_OUT("out of memory");
    }
    input = &corpus->inputs[corpus->n++];
    input->data = allocate(size);
    input->size = size;
    if (size) {
        memcpy(input->data, data, size);
    }
}

static void
read_file(struct corpus *corpus, const char *name)
{
    static uint8_t buffer[1 << 20];
    FILE *file = fopen(name, "rb");

    if (!file) {
        BAIL_OUT("cannot read %s", name);
    }
    size_t n = fread(buffer, 1, sizeof buffer, file);
    if (n == sizeof buffer) {
        BAIL_OUT("%s is too large", name);
    }
    fclose(file);
    add_input(corpus, buffer, n);
}

static int
compare_inputs(const void *a_, const void *b_)
{
    const struct input *a = a_;
    const struct input *b = b_;

    if (a->size != b->size) {
        return a->size < b->size ? -1 : 1;
    }
    return memcmp(a->data, b->data, a->size);
}

static void
read_path(struct corpus *corpus, const char *path)
{
    DIR *dir = opendir(path);

    if (!dir) {
        read_file(corpus, path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir)); ) {
        char name[4096];

        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
            read_file(corpus, name);
        }
    }
    closedir(dir);
}

/* Puts in 'buffer' (of MAX_MUTATED bytes) one change of the 'size' bytes in it.  Returns the new
 * size. */
static size_t
mutate_once(const struct corpus *corpus, uint8_t *buffer, size_t size)
{
    static const uint8_t special[] = { 0, 1, 2, 0x10, 0x20, 0x30, 0x7f, 0x80, 0xfe, 0xff };
    size_t at = random_below((uint32_t) size);
    size_t n = 1 + random_below(16);

    switch (random_below(7)) {
    case 0:                     /* Flip a bit. */
        if (size) {
            buffer[at] ^= (uint8_t) (1 << random_below(8));
        }
        return size;

    case 1:                     /* Set a byte. */
        if (size) {
            buffer[at] = special[random_below(sizeof special)];
        }
        return size;

    case 2:                     /* Add or subtract a little. */
        if (size) {
            buffer[at] = (uint8_t) (buffer[at] + random_below(17) - 8);
        }
        return size;

    case 3:                     /* Cut the end. */
        return at;

    case 4:                     /* Take bytes away. */
        if (n > size - at) {
            n = size - at;
        }
        memmove(buffer + at, buffer + at + n, size - at - n);
        return size - n;

    case 5:                     /* Insert random bytes. */
        if (size + n > MAX_MUTATED) {
            return size;
        }
        memmove(buffer + at + n, buffer + at, size - at);
        for (size_t i = 0; i < n; i++) {
            buffer[at + i] = (uint8_t) random_below(256);
        }
        return size + n;

    default: {                  /* Go on with a part of another input. */
        const struct input *other = &corpus->inputs[random_below((uint32_t) corpus->n)];
        size_t from = random_below((uint32_t) other->size);
        size_t length = other->size - from;

        if (length > MAX_MUTATED - at) {
            length = MAX_MUTATED - at;
        }
        memcpy(buffer + at, other->data + from, length);
        return at + length;
    }
    }
}

static void
run_mutations(const struct corpus *corpus, unsigned long int n_runs)
{
    uint8_t *buffer = allocate(MAX_MUTATED);

    for (unsigned long int i = 0; i < n_runs; i++) {
        const struct input *input = &corpus->inputs[random_below((uint32_t) corpus->n)];
        size_t size = input->size < MAX_MUTATED ? input->size : MAX_MUTATED;

        memcpy(buffer, input->data, size);
        for (uint32_t n = 1 + random_below(5); n; n--) {
            size = mutate_once(corpus, buffer, size);
        }
        run_input(buffer, size);
    }
    free(buffer);
}

static unsigned long int
environment(const char *name, unsigned long int default_value)
{
    const char *s = getenv(name);

    return s && *s ? strtoul(s, NULL, 0) : default_value;
}

int
main(int argc, char *argv[])
{
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash ? slash + 1 : argv[0];
    unsigned long int seed = environment("FUZZ_SEED", DEFAULT_SEED);
    unsigned long int n_runs = environment("FUZZ_RUNS", DEFAULT_RUNS);
    struct corpus corpus = { NULL, 0 };

    if (!strncmp(name, "fuzz-", 5)) {
        name += 5;
    }
    snprintf(failed_name, sizeof failed_name, "fuzz-%s.failed-input", name);
    /* xorshift's one bad state is 0. */
    prng_state = seed ? seed : 1;

    if (argc > 1) {
        for (int i = 1; i < argc; i++) {
            read_path(&corpus, argv[i]);
        }
    } else {
        const char *srcdir = getenv("srcdir");
        char path[4096];

        snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", name);
        read_path(&corpus, path);
    }
    if (!ok(corpus.n > 0, "%s: there is a corpus", name)) {
        return done_testing();
    }
    /* Not the order of the directory, or the mutations would differ between machines. */
    qsort(corpus.inputs, corpus.n, sizeof *corpus.inputs, compare_inputs);

    catch_crashes();
    diag("%s: a crash leaves its input in %s", name, failed_name);
    run_input((const uint8_t *) "", 0);
    for (size_t i = 0; i < corpus.n; i++) {
        run_input(corpus.inputs[i].data, corpus.inputs[i].size);
    }
    pass("%s: survives its corpus of %zu inputs", name, corpus.n);
    run_mutations(&corpus, n_runs);
    pass("%s: survives %lu mutations of them (seed %lu)", name, n_runs, seed);

    for (size_t i = 0; i < corpus.n; i++) {
        free(corpus.inputs[i].data);
    }
    free(corpus.inputs);
    return done_testing();
}
