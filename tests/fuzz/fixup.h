/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Makes the checksums of a frame right, so that a mutation reaches what lies behind their
 * verification.  For fuzz targets; uses the parser under test only to find where things lie. */

#ifndef MP_TESTS_FUZZ_FIXUP_H
#define MP_TESTS_FUZZ_FIXUP_H 1

#include "wire/frame.h"

static inline void
fixup_put(uint8_t *field, uint16_t sum)
{
    field[0] = (uint8_t) (sum >> 8);
    field[1] = (uint8_t) sum;
}

static inline void
fixup_l4(uint8_t *l4, const struct wire_frame *f)
{
    size_t n = f->ip.payload.n;
    bool v4 = addr_is_v4(&f->ip.src);
    uint8_t *field = l4 + (f->kind == WIRE_TCP ? 16 : f->kind == WIRE_UDP ? 6 : 2);

    if (f->kind == WIRE_UDP) {
        n = (size_t) (l4[4] << 8 | l4[5]);
    }
    fixup_put(field, 0);

    uint32_t pseudo = v4 && f->kind == WIRE_ICMP
                      ? 0 : csum_pseudo(&f->ip.src, &f->ip.dst, f->ip.proto, (uint32_t) n);
    uint16_t sum = csum_fold(csum_add(pseudo, l4, n));

    fixup_put(field, f->kind == WIRE_UDP && !sum ? 0xffff : sum);
}

static inline void
fixup_frame(uint8_t *frame, size_t n)
{
    struct wire_frame f;

    if (wire_parse(&f, frame, n) == WIRE_ERR_bad_ip_checksum) {
        uint8_t *ip = frame + (f.eth.payload.p - frame);

        fixup_put(ip + 10, 0);
        fixup_put(ip + 10, csum_fold(csum_add(0, ip, (size_t) (ip[0] & 15) * 4)));
    }
    if (wire_parse(&f, frame, n) == WIRE_ERR_bad_l4_checksum) {
        fixup_l4(frame + (f.ip.payload.p - frame), &f);
    }
}

#endif /* tests/fuzz/fixup.h */
