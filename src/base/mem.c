/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Allocation that cannot fail, and the end of the program when we find a bug of our own.  The only
 * file of the cores that writes to stderr, and only on its way to abort().  Any thread. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

/* From calloc(), which knows what is zero because it is new, and does not touch it then: a table of
 * many megabytes is there at once.  What it returned is noted just below what we return. */
void *
mem_zalloc_huge(size_t size)
{
    uint8_t *p = mem_zalloc(size + MEM_HUGE);
    uint8_t *aligned = p + (MEM_HUGE - (uintptr_t) p % MEM_HUGE);

    mp_assert((size_t) (aligned - p) >= sizeof p);
    memcpy(aligned - sizeof p, &p, sizeof p);
    if (size >= MEM_HUGE) {
        /* Advice: a system that has no huge pages goes on with small ones. */
        (void) madvise(aligned, size - size % MEM_HUGE, MADV_HUGEPAGE);
    }
    return aligned;
}

void
mem_free_huge(void *aligned)
{
    if (aligned) {
        void *p;

        memcpy(&p, (uint8_t *) aligned - sizeof p, sizeof p);
        mem_free(p);
    }
}

void *
mem_zalloc_table(size_t size)
{
    return size < MEM_HUGE ? mem_zalloc(size) : mem_zalloc_huge(size);
}

void
mem_free_table(void *p, size_t size)
{
    if (size < MEM_HUGE) {
        mem_free(p);
    } else {
        mem_free_huge(p);
    }
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
    return mem_realloc(array, *n * elem);
}

void *
mem_grow_table(void *array, size_t *n, size_t need, size_t elem)
{
    size_t old_size = *n * elem, new_n = need + need / 8 + 8;
    void *bigger;

    if (need <= *n) {
        return array;
    }
    mp_assert(need < SIZE_MAX / 2 && new_n <= SIZE_MAX / elem);
    *n = new_n;
    bigger = mem_zalloc_table(*n * elem);
    if (old_size) {
        memcpy(bigger, array, old_size);
        mem_free_table(array, old_size);
    }
    return bigger;
}

_Noreturn void
mem_assert_failure(const char *file, int line, const char *cond)
{
    fprintf(stderr, "%s:%d: assertion %s failed\n", file, line, cond);
    abort();
}
