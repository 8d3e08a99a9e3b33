/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* What every fuzz target includes.  A target is tests/fuzz/fuzz-NAME.c; it defines the one
 * function that libFuzzer calls, keeps nothing between two calls, and links only pure libraries.
 * Its regression inputs are the files of tests/fuzz/corpus/NAME/.  The cursor below is for
 * targets whose input is a little program (so many bytes for this, then so much time passes)
 * rather than the bytes of a format.  Single-threaded. */

#ifndef MP_TESTS_FUZZ_FUZZ_H
#define MP_TESTS_FUZZ_FUZZ_H 1

#include <stddef.h>
#include <stdint.h>

/* Must survive any input.  Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The rest of an input. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

/* Takes the next byte, or 0 at the end. */
static inline uint8_t
fuzz_take_u8(struct fuzz_input *in)
{
    if (!in->size) {
        return 0;
    }
    in->size--;
    return *in->data++;
}

static inline uint16_t
fuzz_take_u16(struct fuzz_input *in)
{
    uint16_t high = fuzz_take_u8(in);

    return (uint16_t) (high << 8 | fuzz_take_u8(in));
}

static inline uint32_t
fuzz_take_u32(struct fuzz_input *in)
{
    uint32_t high = fuzz_take_u16(in);

    return high << 16 | fuzz_take_u16(in);
}

/* Takes the next 'max' bytes, or as many as are left, without copying them. */
static inline struct fuzz_input
fuzz_take_bytes(struct fuzz_input *in, size_t max)
{
    struct fuzz_input taken = { in->data, in->size < max ? in->size : max };

    in->data += taken.size;
    in->size -= taken.size;
    return taken;
}

#endif /* tests/fuzz/fuzz.h */
