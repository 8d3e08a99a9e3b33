/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/mem.h: arrays that grow. */
#include "base/mem.h"

#include "unit/tap.h"

TEST(grow_doubles)
{
    size_t n = 0;
    uint32_t *a = mem_grow(NULL, &n, 1, sizeof *a);

    is_int(n, 4, "the first four");
    a = mem_grow(a, &n, 9, sizeof *a);
    is_int(n, 16, "doubled until there is room");
    a[15] = 1;
    is_int(mem_grow(a, &n, 16, sizeof *a) == a && n == 16, true, "nothing while there is");
    mem_free(a);
}

TEST(tables_grow_by_little)
{
    enum { N = 1000000 };                 /* Into huge pages as well. */
    size_t n = 0, n_growths = 0, last = 0, most = 0;
    uint32_t *a = NULL;
    int wrong = 0;

    for (uint32_t i = 0; i < N; i++) {
        a = mem_grow_table(a, &n, i + 1, sizeof *a);
        n_growths += n != last;
        last = n;
        wrong += a[i] != 0;
        a[i] = i + 1;
        if (i >= 1000 && n * 100 / i > most) {
            most = n * 100 / i;
        }
    }
    is_int(wrong, 0, "what is new is zero");
    for (uint32_t i = 0; i < N; i++) {
        wrong += a[i] != i + 1;
    }
    for (size_t i = N; i < n; i++) {
        wrong += a[i] != 0;
    }
    is_int(wrong, 0, "what was there stands");
    ok(most <= 114, "at most an eighth is spare (%zu %%)", most);
    ok(n_growths < 120, "%zu growths for %d elements", n_growths, N);
    mem_free_table(a, n * sizeof *a);
}

int
main(void)
{
    RUN(grow_doubles);
    RUN(tables_grow_by_little);
    return done_testing();
}
