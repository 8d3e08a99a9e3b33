/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Allocation that cannot fail, and assertions.  Memory that runs out aborts: politeness towards
 * clients lives in the limits of each module, which refuse long before.  Not a pool (slab.h) and
 * not reference counted (mbuf.h).  Any thread. */
#ifndef MP_BASE_MEM_H
#define MP_BASE_MEM_H 1

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

void *mem_alloc(size_t size);                       /* Uninitialised; never NULL, also for 0. */
void *mem_zalloc(size_t size);                      /* Zeroed. */
void *mem_realloc(void *, size_t size);
void *mem_dup(const void *, size_t size);
char *mem_strdup(const char *);
char *mem_strndup(const char *, size_t n);          /* NUL-terminated copy of n bytes. */
void mem_free(void *);                              /* Accepts NULL. */

/* Zeroed memory for tables and pools that are read at random: aligned to MEM_HUGE, and the whole
 * multiples of that in it are of huge pages where the system has them, so that a read that misses
 * the caches does not miss the page tables too.  Like all memory it becomes resident when it is
 * touched, but MEM_HUGE at a time: for what is large only.  Freed by mem_free_huge() alone. */
#define MEM_HUGE (2u << 20)
void *mem_zalloc_huge(size_t size);
void mem_free_huge(void *);                         /* Accepts NULL. */

/* For arrays of any size that are used like that: as mem_zalloc() while they are small. */
void *mem_zalloc_table(size_t size);
void mem_free_table(void *, size_t size);           /* The size that it was allocated with. */
/* Makes room for 'need' elements of 'elem' bytes where there was room for '*n', and an eighth more;
 * what is new is zero. */
void *mem_grow_table(void *array, size_t *n, size_t need, size_t elem);

/* Doubles 'array' of '*n' elements of 'elem' bytes until it has room for 'need'. */
void *mem_grow(void *array, size_t *n, size_t need, size_t elem);

/* For bugs of ours only; never reachable from what somebody sends. */
#define mp_assert(COND) ((COND) ? (void) 0 : mem_assert_failure(__FILE__, __LINE__, #COND))
_Noreturn void mem_assert_failure(const char *file, int line, const char *cond);

#define MP_ARRAY_SIZE(A) (sizeof (A) / sizeof (A)[0])
#define MP_MIN(A, B) ((A) < (B) ? (A) : (B))
#define MP_MAX(A, B) ((A) > (B) ? (A) : (B))
#define MP_CONTAINER_OF(PTR, TYPE, FIELD) ((TYPE *) ((char *) (PTR) - offsetof(TYPE, FIELD)))

#endif
