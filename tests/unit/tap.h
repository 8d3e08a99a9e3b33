/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* The whole test library: one header that writes TAP (Test Anything Protocol) to stdout.  It is
 * no framework: it knows no fixtures, forks nothing and needs no library.  A test program is
 *
 *     TEST(wheel_fires_in_order) { ...; ok(a < b, "earlier timer fires first"); }
 *     int main(void) { RUN(wheel_fires_in_order); return done_testing(); }
 *
 * or simply a main() that makes assertions and returns done_testing().  Include it from one
 * source file of a program only (its counters are static).  Not thread-safe. */

#ifndef MP_TESTS_UNIT_TAP_H
#define MP_TESTS_UNIT_TAP_H 1

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_n_run, tap_n_failed;

__attribute__((unused, format(printf, 1, 2))) static void
diag(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("# ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    fflush(stdout);
}

/* Reports one result.  Returns 'passed', so that a caller can add diagnostics. */
__attribute__((unused, format(printf, 5, 0))) static bool
tap_result(bool passed, const char *expr, const char *file, int line, const char *format,
           va_list args)
{
    tap_n_run++;
    printf("%sok %d - ", passed ? "" : "not ", tap_n_run);
    vprintf(format, args);
    putchar('\n');
    if (!passed) {
        tap_n_failed++;
        printf("#   at %s:%d: %s\n", file, line, expr);
    }
    /* So that a crash in the next line does not lose what was found out. */
    fflush(stdout);
    return passed;
}

__attribute__((unused, format(printf, 5, 6))) static bool
tap_ok(bool passed, const char *expr, const char *file, int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tap_result(passed, expr, file, line, format, args);
    va_end(args);
    return passed;
}

/* An integer of any type up to 64 bits, with what is needed to print it as its owner would. */
struct tap_int {
    uint64_t bits;
    bool is_negative;
};

__attribute__((unused)) static void
tap_print_int(const char *label, struct tap_int v)
{
    if (v.is_negative) {
        printf("#   %s: %lld\n", label, (long long int) v.bits);
    } else {
        printf("#   %s: %llu (0x%llx)\n", label, (unsigned long long int) v.bits,
               (unsigned long long int) v.bits);
    }
}

__attribute__((unused, format(printf, 6, 7))) static bool
tap_is_int(struct tap_int got, struct tap_int want, const char *expr, const char *file, int line,
           const char *format, ...)
{
    bool passed = got.bits == want.bits && got.is_negative == want.is_negative;
    va_list args;

    va_start(args, format);
    tap_result(passed, expr, file, line, format, args);
    va_end(args);
    if (!passed) {
        tap_print_int(" got", got);
        tap_print_int("want", want);
        fflush(stdout);
    }
    return passed;
}

__attribute__((unused)) static void
tap_print_mem(const char *label, const uint8_t *p, size_t n, size_t from)
{
    printf("#   %s: %zu bytes, at %zu:", label, n, from);
    for (size_t i = from; i < n && i < from + 32; i++) {
        printf(" %02x", p[i]);
    }
    putchar('\n');
}

/* Two strings of bytes.  A pointer may be NULL only if its length is 0. */
struct tap_mem {
    const void *data;
    size_t size;
};

__attribute__((unused, format(printf, 6, 7))) static bool
tap_is_mem(struct tap_mem got, struct tap_mem want, const char *expr, const char *file, int line,
           const char *format, ...)
{
    const uint8_t *g = got.data;
    const uint8_t *w = want.data;
    size_t i = 0;
    va_list args;

    while (i < got.size && i < want.size && g[i] == w[i]) {
        i++;
    }

    bool passed = i == got.size && i == want.size;

    va_start(args, format);
    tap_result(passed, expr, file, line, format, args);
    va_end(args);
    if (!passed) {
        tap_print_mem(" got", g, got.size, i);
        tap_print_mem("want", w, want.size, i);
        fflush(stdout);
    }
    return passed;
}

__attribute__((unused, format(printf, 6, 7))) static bool
tap_is_str(const char *got, const char *want, const char *expr, const char *file, int line,
           const char *format, ...)
{
    bool passed = got && want ? !strcmp(got, want) : got == want;
    va_list args;

    va_start(args, format);
    tap_result(passed, expr, file, line, format, args);
    va_end(args);
    if (!passed) {
        printf("#    got: %s\n#   want: %s\n", got ? got : "(null)", want ? want : "(null)");
        fflush(stdout);
    }
    return passed;
}

/* The comparison with 0 happens in the integer's own type; the macro is for the compiler's
 * warning about unsigned types that can never be negative. */
#define TAP_INT(V)                                                      \
    ({                                                                  \
        __typeof__((V) + 0) v_ = (V);                                   \
        ((struct tap_int) { (uint64_t) v_, !(v_ > 0 || v_ == 0) });     \
    })

/* The assertions.  Each takes a name, as printf() does, that says what behaviour was expected. */
#define ok(COND, ...) tap_ok((COND) ? true : false, #COND, __FILE__, __LINE__, __VA_ARGS__)
#define pass(...) tap_ok(true, "pass", __FILE__, __LINE__, __VA_ARGS__)
#define fail(...) tap_ok(false, "fail", __FILE__, __LINE__, __VA_ARGS__)
#define is_int(GOT, WANT, ...)                                          \
    tap_is_int(TAP_INT(GOT), TAP_INT(WANT), #GOT " == " #WANT,          \
               __FILE__, __LINE__, __VA_ARGS__)
#define is_mem(GOT, GOT_SIZE, WANT, WANT_SIZE, ...)                     \
    tap_is_mem((struct tap_mem) { (GOT), (GOT_SIZE) },                  \
               (struct tap_mem) { (WANT), (WANT_SIZE) },                \
               #GOT " == " #WANT, __FILE__, __LINE__, __VA_ARGS__)
#define is_str(GOT, WANT, ...)                                          \
    tap_is_str((GOT), (WANT), #GOT " == " #WANT, __FILE__, __LINE__, __VA_ARGS__)
#define skip(...)                                                       \
    (printf("ok %d # SKIP ", ++tap_n_run), printf(__VA_ARGS__), putchar('\n'))

/* For what makes no sense to go on after. */
#define BAIL_OUT(...)                                                   \
    (printf("Bail out! "), printf(__VA_ARGS__), putchar('\n'), fflush(stdout), exit(99))

/* A named group of assertions.  RUN() fails a group that asserted nothing. */
#define TEST(NAME) static void test_##NAME(void)
#define RUN(NAME) tap_run(#NAME, test_##NAME)

__attribute__((unused)) static void
tap_run(const char *name, void (*function)(void))
{
    int n_before = tap_n_run;

    diag("%s", name);
    function();
    tap_ok(tap_n_run > n_before, "asserted something", __FILE__, __LINE__, "%s ran", name);
}

/* Ends the program's report.  Returns what main() should: 0 only if there was at least one test
 * and none failed. */
__attribute__((unused)) static int
done_testing(void)
{
    printf("1..%d\n", tap_n_run);
    if (tap_n_failed) {
        diag("%d of %d failed", tap_n_failed, tap_n_run);
    }
    fflush(stdout);
    return !tap_n_run || tap_n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif /* tests/unit/tap.h */
