/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/cursor.h. */
#include "base/cursor.h"

#include "unit/tap.h"

TEST(reads_network_order_and_stops_at_the_end)
{
    static const uint8_t b[] = { 1, 2, 3, 4, 5, 6, 7, 0xff };
    struct reader r = reader_init(b, sizeof b);

    is_int(reader_u8(&r), 1, "one byte");
    is_int(reader_u16(&r), 0x0203, "two bytes");
    is_int(reader_u32(&r), 0x04050607, "four bytes");
    is_int(reader_left(&r), 1, "one is left");
    ok(!r.failed, "all well so far");
    is_int(reader_u16(&r), 0, "two of one read as zero");
    ok(r.failed, "and fail");
    is_int(reader_u8(&r), 0, "after a failure nothing is read");
    ok(!reader_bytes(&r, 0), "not even nothing");
}

TEST(writes_network_order_and_stops_at_the_end)
{
    uint8_t b[8] = { 0 };
    struct writer w = writer_init(b, 7);

    writer_u8(&w, 1);
    writer_u16(&w, 0x0203);
    writer_u32(&w, 0x04050607);
    is_int(writer_size(&w), 7, "all seven bytes");
    ok(!w.failed, "fit");
    is_mem(b, 8, "\1\2\3\4\5\6\7\0", 8, "in network order");
    writer_u8(&w, 9);
    ok(w.failed, "the eighth fails");
    is_int(b[7], 0, "and is not written");
    w = writer_init(b, 3);
    writer_u32(&w, 0xffffffff);
    writer_u8(&w, 0xff);
    is_mem(b, 3, "\1\2\3", 3, "after a failure nothing is written");
}

int
main(void)
{
    RUN(reads_network_order_and_stops_at_the_end);
    RUN(writes_network_order_and_stops_at_the_end);
    return done_testing();
}
