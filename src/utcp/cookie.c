/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* SYN cookies (RFC 4987 3.6): above the limit of half-open connections, the SYN-ACK's sequence
 * number is all the state there is.
 *
 *     ISS    | period 5 bits | MSS index 3 bits | keyed hash of tuple, IRS, period, index 24 bits |
 *     TSval  | clock 26 bits | SACK 1 bit | ECN 1 bit | shift 4 bits, 15: no window scaling |
 *
 * The options come back in TSecr; a client without timestamps gets neither SACK, window scaling
 * nor ECN.  TSecr is not authenticated: a client can only misstate its own options.  Stateless. */
#include "utcp/conn.h"

#define PERIOD_MS 64000u
#define PERIOD_BITS 5
#define MAX_AGE 2u                    /* Periods: an ACK may be 64 to 128 s old. */
#define MAC_MASK 0xffffffu
#define TS_BITS 6
#define TS_SACK 0x20
#define TS_ECN 0x10
#define TS_NO_WSCALE 0xf              /* No shift is larger than 14. */

static const uint16_t mss_table[8] = { 216, 536, 1220, 1300, 1360, 1400, 1440, 1460 };

static uint32_t
mac(const struct utcp *u, const struct utcp_tuple *t, uint32_t irs, uint32_t head)
{
    struct { uint32_t tuple, irs, head, purpose; } in = {
        utcp_hash32(u, t, UTCP_HASH_COOKIE), irs, head, UTCP_HASH_COOKIE,
    };

    return (uint32_t) siphash(&u->cfg.key, &in, sizeof in) & MAC_MASK;
}

static uint32_t
period_now(const struct utcp *u)
{
    return (uint32_t) (u->now / 1000 / PERIOD_MS) & ((1u << PERIOD_BITS) - 1);
}

uint32_t
utcp_cookie_make(const struct utcp *u, const struct utcp_tuple *t, uint32_t irs, uint16_t mss)
{
    uint32_t i = MP_ARRAY_SIZE(mss_table) - 1;

    while (i && mss_table[i] > mss) {
        i--;
    }

    uint32_t head = period_now(u) << 3 | i;

    return head << 24 | mac(u, t, irs, head);
}

/* The TSval of such a SYN-ACK: the clock, not ahead of the true one, with options in its low bits. */
uint32_t
utcp_cookie_ts(const struct utcp *u, const struct utcp_tuple *t, uint8_t opts)
{
    uint32_t clock = u->now_ms + utcp_hash32(u, t, UTCP_HASH_TS);
    uint32_t low = (opts & HALF_SACK ? TS_SACK : 0u) | (opts & HALF_ECN ? TS_ECN : 0u)
                   | (opts & HALF_WSCALE ? opts & 0xfu : TS_NO_WSCALE);
    uint32_t ts = (clock & ~((1u << TS_BITS) - 1)) | low;

    return seq_gt(ts, clock) ? ts - (1u << TS_BITS) : ts;
}

bool
utcp_cookies_are_out(const struct utcp *u)
{
    return u->cookies_out && u->now_ms - u->cookies_since_ms < UTCP_COOKIE_LIFE_MS;
}

static bool
is_recent(const struct utcp *u, uint32_t cookie)
{
    return ((period_now(u) - (cookie >> 27)) & ((1u << PERIOD_BITS) - 1)) < MAX_AGE;
}

/* Whether 'ack' may acknowledge a cookie that is still good, as far as its period tells. */
bool
utcp_cookie_is_recent(const struct utcp *u, uint32_t ack)
{
    return is_recent(u, ack - 1);
}

/* Whether 'seg' completes a handshake that such a SYN-ACK began; if so, what the SYN said. */
bool
utcp_cookie_check(const struct utcp *u, const struct utcp_tuple *t, const struct wire_tcp *seg,
                  struct utcp_syn_info *info)
{
    uint32_t cookie = seg->ack - 1, irs = seg->seq - 1, head = cookie >> 24;

    if (!is_recent(u, cookie) || mac(u, t, irs, head) != (cookie & MAC_MASK)) {
        return false;
    }
    *info = (struct utcp_syn_info) { .irs = irs, .iss = cookie, .mss = mss_table[head & 7] };
    if (seg->opts.has_ts) {
        info->opts = HALF_TS;
        info->ts_recent = seg->opts.ts_val;
        info->opts |= seg->opts.ts_ecr & TS_SACK ? HALF_SACK : 0;
        info->opts |= u->cfg.ecn && seg->opts.ts_ecr & TS_ECN ? HALF_ECN : 0;
        if ((seg->opts.ts_ecr & 0xf) != TS_NO_WSCALE) {
            info->opts |= HALF_WSCALE | (seg->opts.ts_ecr & 0xf);
        }
    }
    return true;
}
