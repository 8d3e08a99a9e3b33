/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* IPv4, IPv6 and MAC addresses as text and their classes.  Its own small parser, because the cores
 * link no networking library, and because leading zeros and trailing text are refused everywhere
 * alike.  Stateless. */
#include "base/addr.h"

#include "base/mem.h"

struct ip_addr
addr_v4(uint32_t v)
{
    return (struct ip_addr) {
        { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
          (uint8_t) (v >> 24), (uint8_t) (v >> 16), (uint8_t) (v >> 8), (uint8_t) v }
    };
}

uint32_t
addr_to_v4(const struct ip_addr *a)
{
    mp_assert(addr_is_v4(a));
    return (uint32_t) a->b[12] << 24 | (uint32_t) a->b[13] << 16 | (uint32_t) a->b[14] << 8
           | a->b[15];
}

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : -1;
}

/* A decimal number without leading zeros, at most 'max'; NULL if there is none. */
static const char *
parse_decimal(const char *s, unsigned int max, unsigned int *v)
{
    if (*s < '0' || *s > '9' || (s[0] == '0' && s[1] >= '0' && s[1] <= '9')) {
        return NULL;
    }
    for (*v = 0; *s >= '0' && *s <= '9'; s++) {
        *v = *v * 10 + (unsigned int) (*s - '0');
        if (*v > max) {
            return NULL;
        }
    }
    return s;
}

static bool
parse_v4(uint8_t b[4], const char *s)
{
    for (int i = 0; i < 4; i++) {
        unsigned int v;

        if (i && *s++ != '.') {
            return false;
        }
        s = parse_decimal(s, 255, &v);
        if (!s) {
            return false;
        }
        b[i] = (uint8_t) v;
    }
    return !*s;
}

static bool
parse_v6(uint8_t b[16], const char *s)
{
    int n = 0, gap = -1;

    memset(b, 0, 16);
    if (s[0] == ':') {
        if (s[1] != ':') {
            return false;
        }
        gap = 0;
        s += 2;
    }
    while (*s) {
        unsigned int v = 0;
        int digits = 0;

        while (digits < 4 && hex_digit(s[digits]) >= 0) {
            v = v << 4 | (unsigned int) hex_digit(s[digits++]);
        }
        if (s[digits] == '.' && n <= 12) {
            if (!parse_v4(b + n, s)) {
                return false;
            }
            n += 4;
            break;
        }
        if (!digits || n > 14) {
            return false;
        }
        b[n++] = (uint8_t) (v >> 8);
        b[n++] = (uint8_t) v;
        s += digits;
        if (!*s) {
            break;
        }
        if (*s++ != ':' || !*s) {
            return false;
        }
        if (*s == ':') {
            if (gap >= 0) {
                return false;
            }
            gap = n;
            s++;
        }
    }
    if (gap < 0) {
        return n == 16;
    }
    if (n > 14) {                     /* "::" stands for at least one group. */
        return false;
    }
    memmove(b + 16 - (n - gap), b + gap, (size_t) (n - gap));
    memset(b + gap, 0, (size_t) (16 - n));
    return true;
}

bool
addr_parse(struct ip_addr *a, const char *s)
{
    uint8_t v4[4];

    if (parse_v4(v4, s)) {
        *a = addr_v4((uint32_t) v4[0] << 24 | (uint32_t) v4[1] << 16 | (uint32_t) v4[2] << 8
                     | v4[3]);
        return true;
    }
    return parse_v6(a->b, s);
}

static char *
put_decimal(char *p, unsigned int v)
{
    if (v >= 100) {
        *p++ = (char) ('0' + v / 100);
    }
    if (v >= 10) {
        *p++ = (char) ('0' + v / 10 % 10);
    }
    *p++ = (char) ('0' + v % 10);
    return p;
}

static const char hex_chars[] = "0123456789abcdef";

/* RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups
 * shortened. */
static char *
put_v6(char *p, const uint8_t *b)
{
    int best = -1, best_n = 1;

    for (int i = 0; i < 8; i++) {
        int n = 0;

        while (i + n < 8 && !b[2 * (i + n)] && !b[2 * (i + n) + 1]) {
            n++;
        }
        if (n > best_n) {
            best = i;
            best_n = n;
        }
    }
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            *p++ = ':';
            i += best_n - 1;
            if (i == 7) {
                *p++ = ':';
            }
            continue;
        }
        if (i) {
            *p++ = ':';
        }

        unsigned int v = (unsigned int) (b[2 * i] << 8 | b[2 * i + 1]);
        bool started = false;

        for (int shift = 12; shift >= 0; shift -= 4) {
            if (started || v >> shift || !shift) {
                *p++ = hex_chars[v >> shift & 15];
                started = true;
            }
        }
    }
    return p;
}

char *
addr_format(const struct ip_addr *a, char buf[ADDR_STRLEN])
{
    char *p = buf;

    if (addr_is_v4(a)) {
        for (int i = 12; i < 16; i++) {
            if (i > 12) {
                *p++ = '.';
            }
            p = put_decimal(p, a->b[i]);
        }
    } else {
        p = put_v6(p, a->b);
    }
    *p = '\0';
    return buf;
}

bool
addr_is_any(const struct ip_addr *a)
{
    static const struct ip_addr any6;
    struct ip_addr any4 = addr_v4(0);

    return addr_equal(a, &any6) || addr_equal(a, &any4);
}

bool
addr_is_multicast(const struct ip_addr *a)
{
    return addr_is_v4(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

bool
addr_is_link_local(const struct ip_addr *a)
{
    return addr_is_v4(a) ? a->b[12] == 169 && a->b[13] == 254
                         : a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool
addr_is_loopback(const struct ip_addr *a)
{
    static const struct ip_addr loopback6 = { { [15] = 1 } };

    return addr_is_v4(a) ? a->b[12] == 127 : addr_equal(a, &loopback6);
}

/* Bits of byte 'i' that the first 'len' bits of the address cover. */
static uint8_t
prefix_mask(unsigned int len, unsigned int i)
{
    return len >= 8 * i + 8 ? 0xff : len <= 8 * i ? 0 : (uint8_t) (0xff << (8 * i + 8 - len));
}

bool
prefix_parse(struct ip_prefix *p, const char *s)
{
    const char *slash = strchr(s, '/');
    size_t n = slash ? (size_t) (slash - s) : strlen(s);
    unsigned int len = 128;
    char text[ADDR_STRLEN];

    if (n >= sizeof text) {
        return false;
    }
    memcpy(text, s, n);
    text[n] = '\0';
    if (!addr_parse(&p->addr, text)) {
        return false;
    }
    if (slash) {
        bool is_v4 = addr_is_v4(&p->addr) && !strchr(text, ':');
        const char *end = parse_decimal(slash + 1, is_v4 ? 32 : 128, &len);

        if (!end || *end) {
            return false;
        }
        len += is_v4 ? 96 : 0;
    }
    p->len = (uint8_t) len;
    for (unsigned int i = 0; i < 16; i++) {
        p->addr.b[i] &= prefix_mask(len, i);
    }
    return true;
}

bool
prefix_is_host(const struct ip_prefix *p)
{
    return p->len == 128;
}

bool
prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
    for (unsigned int i = 0; i < 16; i++) {
        if ((p->addr.b[i] ^ a->b[i]) & prefix_mask(p->len, i)) {
            return false;
        }
    }
    return true;
}

bool
mac_parse(struct mac_addr *m, const char *s)
{
    for (int i = 0; i < 6; i++) {
        if (i && *s++ != ':') {
            return false;
        }

        int hi = hex_digit(s[0]);
        int lo = hi >= 0 ? hex_digit(s[1]) : -1;

        if (lo < 0) {
            return false;
        }
        m->b[i] = (uint8_t) (hi << 4 | lo);
        s += 2;
    }
    return !*s;
}

char *
mac_format(const struct mac_addr *m, char buf[MAC_STRLEN])
{
    char *p = buf;

    for (int i = 0; i < 6; i++) {
        if (i) {
            *p++ = ':';
        }
        *p++ = hex_chars[m->b[i] >> 4];
        *p++ = hex_chars[m->b[i] & 15];
    }
    *p = '\0';
    return buf;
}

/* IEEE 802 8.2: the bit of locally administered addresses set, that of groups not. */
struct mac_addr
mac_local(uint64_t bits)
{
    struct mac_addr mac = { { 0x02 } };

    for (size_t i = 1; i < sizeof mac.b; i++) {
        mac.b[i] = (uint8_t) (bits >> 8 * i);
    }
    return mac;
}

bool
mac_is_zero(const struct mac_addr *m)
{
    static const struct mac_addr zero;

    return mac_equal(m, &zero);
}

bool
mac_is_multicast(const struct mac_addr *m)
{
    return m->b[0] & 1;
}
