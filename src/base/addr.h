/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Addresses: one type for IPv4 and IPv6 (IPv4 as ::ffff:a.b.c.d), one for MAC addresses.  Text in
 * and out without any resolver. */
#ifndef MP_BASE_ADDR_H
#define MP_BASE_ADDR_H 1

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct ip_addr {
    uint8_t b[16];
};

struct mac_addr {
    uint8_t b[6];
};

struct ip_prefix {
    struct ip_addr addr;
    uint8_t len;                      /* 0..128; an IPv4 /n is 96 + n. */
};

#define ADDR_STRLEN 46                /* Longest IPv6 text and its NUL. */
#define MAC_STRLEN 18

static inline bool
addr_is_v4(const struct ip_addr *a)
{
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

    return !memcmp(a->b, mapped, sizeof mapped);
}

static inline bool
addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
    return !memcmp(a, b, sizeof *a);
}

static inline bool
mac_equal(const struct mac_addr *a, const struct mac_addr *b)
{
    return !memcmp(a, b, sizeof *a);
}

struct ip_addr addr_v4(uint32_t host_order);
uint32_t addr_to_v4(const struct ip_addr *);                /* Host order; must be IPv4. */
bool addr_parse(struct ip_addr *, const char *);            /* "192.168.1.1" or "2001:db8::1". */
char *addr_format(const struct ip_addr *, char buf[ADDR_STRLEN]);
bool addr_is_any(const struct ip_addr *);                   /* 0.0.0.0 or ::. */
bool addr_is_multicast(const struct ip_addr *);             /* 224/4, ff00::/8. */
bool addr_is_link_local(const struct ip_addr *);            /* 169.254/16, fe80::/10. */
bool addr_is_loopback(const struct ip_addr *);              /* 127/8, ::1. */
bool prefix_parse(struct ip_prefix *, const char *);        /* "A" or "A/LEN". */
bool prefix_is_host(const struct ip_prefix *);              /* One address, not many. */
bool prefix_contains(const struct ip_prefix *, const struct ip_addr *);
bool mac_parse(struct mac_addr *, const char *);            /* "00:11:22:33:44:55". */
char *mac_format(const struct mac_addr *, char buf[MAC_STRLEN]);
struct mac_addr mac_local(uint64_t bits);                   /* Locally administered, out of 40. */
bool mac_is_zero(const struct mac_addr *);
bool mac_is_multicast(const struct mac_addr *);             /* Includes broadcast. */

#endif
