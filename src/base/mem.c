/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Allocation that cannot fail, and the end of the program when we find a bug of our own.  The only
 * file of the cores that writes to stderr, and only on its way to abort().  Any thread. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn static void
out_of_memory(size_t size)
{
    fprintf(stderr, "virtual memory exhausted (%zu bytes wanted)\n", size);
    abort();
}

void *
mem_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p) {
        out_of_memory(size);
    }
    return p;
}

void *
mem_zalloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);

    if (!p) {
        out_of_memory(size);
    }
    return p;
}

void *
mem_realloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);

    if (!p) {
        out_of_memory(size);
    }
    return p;
}

void *
mem_dup(const void *src, size_t size)
{
    void *p = mem_alloc(size);

    if (size) {
        memcpy(p, src, size);
    }
    return p;
}

char *
mem_strdup(const char *s)
{
    return mem_dup(s, strlen(s) + 1);
}

char *
mem_strndup(const char *s, size_t n)
{
    char *p = mem_alloc(n + 1);

    if (n) {
        memcpy(p, s, n);
    }
    p[n] = '\0';
    return p;
}

void
mem_free(void *p)
{
    free(p);
}

void *
mem_grow(void *array, size_t *n, size_t need, size_t elem)
{
    size_t new_n = *n ? *n : 4;

    if (need <= *n) {
        return array;
    }
    while (new_n < need) {
        new_n = new_n > SIZE_MAX / 2 ? need : new_n * 2;
    }
    mp_assert(new_n <= SIZE_MAX / elem);
    *n = new_n;
    return mem_realloc(array, new_n * elem);
}

void *
mem_grow_zeroed(void *array, size_t *n, size_t need, size_t elem)
{
    size_t new_n = need + need / 8 + 8;

    if (need <= *n) {
        return array;
    }
    mp_assert(need < SIZE_MAX / 2 && new_n <= SIZE_MAX / elem);
    array = mem_realloc(array, new_n * elem);
    memset((uint8_t *) array + *n * elem, 0, (new_n - *n) * elem);
    *n = new_n;
    return array;
}

_Noreturn void
mem_assert_failure(const char *file, int line, const char *cond)
{
    fprintf(stderr, "%s:%d: assertion %s failed\n", file, line, cond);
    abort();
}
