/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The IPv6 header and its extension headers on the way in (RFC 8200). */
#include "wire/frame.h"

#include "wire/parts.h"

#define IP6_HLEN 40
#define IP_PROTO_HOP_BY_HOP 0
#define IP_PROTO_ROUTING 43
#define IP_PROTO_DST_OPTS 60
/* RFC 8200 4.1 knows at most six in a sensible packet; more is somebody's attack. */
#define MAX_EXTENSIONS 8

/* RFC 8200 4.2.  An unknown option whose type says so is skipped, others ask for a discard. */
static enum wire_error
check_options(struct reader r)
{
    while (reader_left(&r)) {
        uint8_t type = reader_u8(&r);

        if (type == 0) {              /* Pad1 has no length. */
            continue;
        }

        uint8_t len = reader_u8(&r);

        if (!reader_bytes(&r, len) || type >> 6) {
            return WIRE_ERR_bad_ip_options;
        }
    }
    return WIRE_OK;
}

static enum wire_error
parse_fragment_header(struct wire_ip *ip, struct reader *r)
{
    reader_u8(r);                     /* Reserved. */

    uint16_t off = reader_u16(r);

    ip->id = reader_u32(r);
    ip->frag_off = off & 0xfff8;
    ip->mf = off & 1;
    ip->payload = (struct slice) { .p = r->p, .n = (uint32_t) reader_left(r) };
    if (r->failed) {
        return WIRE_ERR_bad_ip_options;
    }
    if ((ip->mf && (ip->payload.n % 8 || !ip->payload.n))
        || (uint32_t) ip->frag_off + ip->payload.n > UINT16_MAX) {
        return WIRE_ERR_bad_ip_header;
    }
    return WIRE_OK;
}

/* One header that counts its length in units of 8 bytes, not counting the first. */
static enum wire_error
skip_counted(struct wire_ip *ip, struct reader *r)
{
    size_t len = reader_u8(r) * 8 + 6;
    const uint8_t *body = reader_bytes(r, len);

    if (!body) {
        return WIRE_ERR_bad_ip_options;
    }
    if (ip->proto != IP_PROTO_ROUTING) {
        return check_options(reader_init(body, len));
    }
    /* RFC 5095 and RFC 8200 4.4: routes still to go are refused, spent ones are passed over. */
    return body[1] ? WIRE_ERR_ip_source_route : WIRE_OK;
}

enum wire_error
wire_ip6_skip_extensions(struct wire_ip *ip, enum wire_ip6_place place)
{
    bool may_have_fragment = place == WIRE_IP6_WHOLE;

    for (int i = 0;; i++) {
        struct reader r = reader_init(ip->payload.p, ip->payload.n);
        /* What was reassembled lies elsewhere than its packets. */
        uint16_t next_at = place == WIRE_IP6_WHOLE ? (uint16_t) (ip->payload.p - ip->packet.p) : 0;
        uint8_t next;
        enum wire_error error;

        switch (ip->proto) {
        case IP_PROTO_HOP_BY_HOP:
            if (i || place == WIRE_IP6_REASSEMBLED) {
                return WIRE_ERR_bad_ip_options;     /* Only right behind the IPv6 header. */
            }
            /* Fall through. */
        case IP_PROTO_ROUTING:
        case IP_PROTO_DST_OPTS:
            next = reader_u8(&r);
            error = skip_counted(ip, &r);
            ip->payload = (struct slice) { .p = r.p, .n = (uint32_t) reader_left(&r) };
            break;

        case IP_PROTO_FRAGMENT:
            if (!may_have_fragment) {
                return WIRE_ERR_bad_ip_options;
            }
            may_have_fragment = false;
            next = reader_u8(&r);
            error = parse_fragment_header(ip, &r);
            if (!error && (ip->mf || ip->frag_off)) {
                ip->proto = next;
                ip->proto_at = next_at;
                return WIRE_OK;
            }
            break;

        default:
            return WIRE_OK;
        }
        if (error) {
            return error;
        }
        ip->proto = next;
        ip->proto_at = next_at;
        if (i + 1 == MAX_EXTENSIONS) {
            return WIRE_ERR_bad_ip_options;
        }
    }
}

enum wire_error
wire_ip6_parse(struct wire_ip *ip, struct slice s)
{
    struct reader r = reader_init(s.p, s.n);
    uint32_t word = reader_u32(&r);
    uint16_t n = reader_u16(&r);

    ip->tos = (uint8_t) (word >> 20);
    ip->proto = reader_u8(&r);
    ip->ttl = reader_u8(&r);

    const uint8_t *addrs = reader_bytes(&r, 32);

    if (!addrs || word >> 28 != 6 || n > reader_left(&r)) {
        return WIRE_ERR_bad_ip_header;
    }
    memcpy(ip->src.b, addrs, 16);
    memcpy(ip->dst.b, addrs + 16, 16);
    ip->proto_at = 6;
    ip->id = 0;
    ip->df = true;                    /* No router fragments: RFC 8200 4.5. */
    ip->mf = false;
    ip->frag_off = 0;
    ip->packet = (struct slice) { .p = s.p, .n = IP6_HLEN + (uint32_t) n };
    ip->payload = (struct slice) { .p = r.p, .n = n };
    /* An IPv4-mapped address never belongs on a wire, and in our one type of address it would pass
     * for an IPv4 one (RFC 4291 2.5.5.2). */
    if (addr_is_multicast(&ip->src) || addr_is_v4(&ip->src)) {
        return WIRE_ERR_bad_ip_source;
    }
    if (addr_is_v4(&ip->dst)) {
        return WIRE_ERR_bad_ip_header;
    }
    return wire_ip6_skip_extensions(ip, WIRE_IP6_WHOLE);
}
