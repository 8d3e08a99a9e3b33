/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* IPv4 options and IPv6 extension headers (RFC 1122 3.2.1.8, RFC 8200 4, RFC 5095, RFC 6946). */
#include "wire/frame.h"

#include "unit/tap.h"

static uint8_t buf[2048];

static void
put_u16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t) (v >> 8);
    p[1] = (uint8_t) v;
}

/* A UDP datagram whose IPv4 header carries 'n' bytes of options, a multiple of 4. */
static enum wire_error
parse_v4(struct wire_frame *f, const void *options, size_t n)
{
    struct wire_l3 l3 = { .ttl = 9, .src = addr_v4(0x0a000001), .dst = addr_v4(0x0a000002) };
    uint8_t *payload = buf + WIRE_HEADROOM;
    uint8_t *udp = wire_prepend_udp(&l3, 1, 2, memcpy(payload, "datagram", 8), 8);
    uint8_t *ip = udp - n - 20;
    uint8_t *eth = ip - 14;

    memset(eth, 0, 14);
    eth[12] = 8;
    memcpy(udp - n, options, n);
    memset(ip, 0, 20);
    ip[0] = (uint8_t) (0x45 + n / 4);
    put_u16(ip + 2, 20 + n + 16);
    ip[8] = 9;
    ip[9] = IP_PROTO_UDP;
    memcpy(ip + 12, l3.src.b + 12, 4);
    memcpy(ip + 16, l3.dst.b + 12, 4);
    put_u16(ip + 10, csum_fold(csum_add(0, ip, 20 + n)));
    return wire_parse(f, eth, (size_t) (payload + 8 - eth));
}

TEST(ipv4_options)
{
    static const struct {
        const char *name;
        enum wire_error error;
        uint8_t o[8];
    } cases[] = {
        { "NOPs", WIRE_OK, { 1, 1, 1, 1, 1, 1, 1, 1 } },
        { "router alert", WIRE_OK, { 148, 4, 0, 0, 0, 0, 0, 0 } },
        { "unknown option", WIRE_OK, { 1, 99, 7, 1, 2, 3, 4, 5 } },
        { "end of list hides the rest", WIRE_OK, { 0, 131, 0, 0, 0, 0, 0, 0 } },
        { "loose source route", WIRE_ERR_ip_source_route, { 131, 7, 4, 10, 0, 0, 9, 0 } },
        { "strict source route", WIRE_ERR_ip_source_route, { 1, 137, 7, 4, 10, 0, 0, 9 } },
        { "length zero", WIRE_ERR_bad_ip_options, { 7, 0, 1, 1, 1, 1, 1, 1 } },
        { "length one", WIRE_ERR_bad_ip_options, { 7, 1, 1, 1, 1, 1, 1, 1 } },
        { "beyond the header", WIRE_ERR_bad_ip_options, { 7, 9, 1, 1, 1, 1, 1, 1 } },
        { "no length", WIRE_ERR_bad_ip_options, { 1, 1, 1, 1, 1, 1, 1, 7 } },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_frame f;

        is_int(parse_v4(&f, cases[i].o, 8), cases[i].error, "%s", cases[i].name);
        if (!cases[i].error) {
            ok(f.kind == WIRE_UDP && f.udp.payload.n == 8
               && !memcmp(f.udp.payload.p, "datagram", 8), "%s: payload", cases[i].name);
        }
    }
}

/* A UDP datagram over IPv6 with 'n' bytes of extension headers, the first of kind 'first'; the
 * caller has written 17 as the last one's next header. */
static enum wire_error
parse_v6(struct wire_frame *f, uint8_t first, const void *ext, size_t n)
{
    struct wire_l3 l3 = { .ttl = 9 };
    uint8_t *eth = buf;
    uint8_t *ip = eth + 14;
    uint8_t *payload = ip + 40 + n + 8;

    addr_parse(&l3.src, "2001:db8::1");
    addr_parse(&l3.dst, "2001:db8::2");
    memset(buf, 0, 54);
    eth[12] = 0x86;
    eth[13] = 0xdd;
    ip[0] = 0x60;
    put_u16(ip + 4, n + 16);
    ip[6] = first;
    ip[7] = 9;
    memcpy(ip + 8, l3.src.b, 16);
    memcpy(ip + 24, l3.dst.b, 16);
    memcpy(ip + 40, ext, n);
    memcpy(payload, "datagram", 8);
    wire_prepend_udp(&l3, 1, 2, payload, 8);
    return wire_parse(f, eth, (size_t) (payload + 8 - eth));
}

TEST(ipv6_extension_headers)
{
    static const struct {
        const char *name;
        enum wire_error error;
        uint8_t first;
        uint8_t n;
        uint8_t ext[32];
    } cases[] = {
        { "none", WIRE_OK, 17, 0, { 0 } },
        { "hop-by-hop with padding", WIRE_OK, 0, 8, { 17, 0, 1, 4, 0, 0, 0, 0 } },
        { "hop-by-hop with router alert", WIRE_OK, 0, 8, { 17, 0, 5, 2, 0, 0, 1, 0 } },
        { "destination options of 16 bytes", WIRE_OK, 60, 16, { 17, 1, 0x1e, 12 } },
        { "two kinds in a row", WIRE_OK, 0, 16, { 60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4 } },
        { "spent routing header", WIRE_OK, 43, 8, { 17, 0, 0, 0, 0, 0, 0, 0 } },
        { "atomic fragment", WIRE_OK, 44, 8, { 17, 0, 0, 0, 1, 2, 3, 4 } },
        { "type 0 routing header", WIRE_ERR_ip_source_route, 43, 24, { 17, 2, 0, 1 } },
        { "type 4 routing header with a way to go", WIRE_ERR_ip_source_route, 43, 24,
          { 17, 2, 4, 1 } },
        { "hop-by-hop not first", WIRE_ERR_bad_ip_options, 60, 16,
          { 0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4 } },
        { "option that asks for a discard", WIRE_ERR_bad_ip_options, 60, 8,
          { 17, 0, 0x5e, 4, 0, 0, 0, 0 } },
        { "jumbo payload", WIRE_ERR_bad_ip_options, 0, 8, { 17, 0, 0xc2, 4, 0, 1, 0, 0 } },
        { "option beyond its header", WIRE_ERR_bad_ip_options, 60, 8,
          { 17, 0, 1, 5, 0, 0, 0, 0 } },
        { "header beyond the packet", WIRE_ERR_bad_ip_options, 60, 8,
          { 17, 9, 1, 4, 0, 0, 0, 0 } },
        { "two fragment headers", WIRE_ERR_bad_ip_options, 44, 16,
          { 44, 0, 0, 0, 1, 2, 3, 4, 17, 0, 0, 0, 1, 2, 3, 4 } },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_frame f;

        is_int(parse_v6(&f, cases[i].first, cases[i].ext, cases[i].n), cases[i].error, "%s",
               cases[i].name);
        if (!cases[i].error) {
            ok(f.kind == WIRE_UDP && f.ip.proto == 17 && f.udp.payload.n == 8
               && !memcmp(f.udp.payload.p, "datagram", 8), "%s: payload", cases[i].name);
        }
    }
}

TEST(extension_headers_are_bounded)
{
    uint8_t ext[8 * 64];
    struct wire_frame f;

    for (size_t n = 1; n <= 64; n++) {
        for (size_t i = 0; i < n; i++) {
            const uint8_t h[8] = { i + 1 < n ? 60 : 17, 0, 1, 4, 0, 0, 0, 0 };

            memcpy(ext + 8 * i, h, sizeof h);
        }

        enum wire_error error = parse_v6(&f, 60, ext, 8 * n);

        if (n < 8) {
            is_int(error, WIRE_OK, "%zu headers", n);
        } else if (n == 8 || n == 64) {
            is_int(error, WIRE_ERR_bad_ip_options, "%zu headers are too many", n);
        }
    }
}

TEST(esp_and_no_next_header_are_other)
{
    struct wire_frame f;

    is_int(parse_v6(&f, 50, "", 0), WIRE_OK, "ESP");
    is_int(f.kind, WIRE_OTHER, "is not ours");
    is_int(parse_v6(&f, 59, "", 0), WIRE_OK, "no next header");
    is_int(f.kind, WIRE_OTHER, "is not ours");
    is_int(parse_v6(&f, IP_PROTO_ICMP, "", 0), WIRE_OK, "ICMP for IPv4 over IPv6");
    is_int(f.kind, WIRE_OTHER, "is not ours");
}

int
main(void)
{
    RUN(ipv4_options);
    RUN(ipv6_extension_headers);
    RUN(extension_headers_are_bounded);
    RUN(esp_and_no_next_header_are_other);
    return done_testing();
}
