/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The one parser and the one composer of whole frames: Ethernet, VLAN, ARP, IPv4, IPv6, ICMP, ND,
 * UDP, TCP.  Nobody else knows where a field lies.  Stateless; parse results borrow the bytes. */
#ifndef MP_WIRE_FRAME_H
#define MP_WIRE_FRAME_H 1

#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/tcp.h"

#define IP_PROTO_ICMP 1
#define IP_PROTO_TCP 6
#define IP_PROTO_UDP 17
#define IP_PROTO_FRAGMENT 44           /* IPv6 only. */
#define IP_PROTO_ICMPV6 58

/* The two low bits of the octet beside the Diffserv codepoint (RFC 3168). */
#define IP_ECN_ECT0 2
#define IP_ECN_CE 3

enum wire_kind {
    WIRE_OTHER,                       /* Well-formed so far, nothing we know further. */
    WIRE_ARP,
    WIRE_FRAGMENT,                    /* IP fragment: 'ip' is set, no transport header. */
    WIRE_ICMP,                        /* ICMP or ICMPv6, ND included. */
    WIRE_UDP,
    WIRE_TCP,
};

/* Why a frame is not usable: X(name, help), the counters come from this table too. */
#define WIRE_ERRORS(X)                                                      \
    X(cut_ethernet, "frame shorter than its Ethernet header")               \
    X(cut_arp, "ARP message cut or of another kind than Ethernet/IPv4")     \
    X(bad_ip_header, "IP version, header length or total length illegal")   \
    X(bad_ip_checksum, "wrong IPv4 header checksum")                        \
    X(bad_ip_source, "IP source address is multicast or broadcast")         \
    X(ip_source_route, "IPv4 source route or IPv6 type 0 routing header")   \
    X(bad_ip_options, "IPv4 options or IPv6 extension headers malformed")   \
    X(cut_l4, "transport header cut or its length illegal")                 \
    X(bad_l4_checksum, "wrong TCP, UDP or ICMP checksum")

enum wire_error {
    WIRE_OK,
#define WIRE_ERROR_ENUM(NAME, HELP) WIRE_ERR_##NAME,
    WIRE_ERRORS(WIRE_ERROR_ENUM)
    WIRE_N_ERRORS
};

struct wire_arp {
    uint16_t op;                      /* 1 request, 2 reply. */
    struct mac_addr sha, tha;
    struct ip_addr spa, tpa;
};

struct wire_ip {
    struct ip_addr src, dst;
    uint8_t proto;                    /* IPv6: after the extension headers. */
    uint8_t ttl, tos;
    uint32_t id;                      /* IPv4 identification or IPv6 fragment identification. */
    bool df, mf;
    uint16_t frag_off;                /* Bytes. */
    uint16_t proto_at;                /* Where in 'packet' the byte lies that says 'proto'. */
    struct slice payload;             /* IP lengths, never the frame's: padding is outside. */
    struct slice packet;              /* The IP packet from its first byte. */
};

struct wire_icmp {
    uint8_t type, code;
    uint32_t rest;                    /* Second word: id and seq, MTU, pointer. */
    struct slice body;                /* After the 8 header bytes. */
};

struct wire_udp {
    uint16_t src_port, dst_port;
    struct slice payload;
};

struct wire_frame {
    enum wire_kind kind;
    struct wire_eth eth;
    bool has_ip;
    struct wire_ip ip;
    bool csum_unverified;             /* Only the pseudo-header sum was there: sender's offload. */
    bool bad_tcp_options;
    union {
        struct wire_arp arp;
        struct wire_icmp icmp;
        struct wire_udp udp;
        struct wire_tcp tcp;
    };
};

/* Parses 'n' bytes.  All checksums are verified: IPv4 header, TCP, UDP (zero allowed for IPv4),
 * ICMP; a field that holds just the folded pseudo-header sum (checksum offload on a veth) is taken
 * and said in csum_unverified. */
enum wire_error wire_parse(struct wire_frame *, const void *frame, size_t n);

/* Parses transport 'l4' of a datagram that was reassembled: fills kind and the union of 'f', whose
 * eth and ip are already set. */
enum wire_error wire_parse_l4(struct wire_frame *f, struct slice l4);

/* A glance at what may be a TCP segment: whose it would be.  Nothing is verified; false means that
 * a glance does not tell. */
struct wire_ends {
    struct ip_addr src, dst;
    uint16_t src_port, dst_port;
    bool has_payload;
};
bool wire_peek_tcp(struct wire_ends *, struct slice frame);

/* Composing.  All composers prepend headers to a payload that lies in the caller's buffer with
 * WIRE_HEADROOM bytes free before it, and return the start of the frame: one copy of the payload at
 * most, whatever the headers' sizes. */
#define WIRE_HEADROOM 160

struct wire_l3 {                      /* How a frame that we send is addressed. */
    struct mac_addr dst_mac, src_mac;
    struct wire_tag tags[WIRE_MAX_TAGS];
    uint8_t n_tags;
    struct ip_addr src, dst;          /* Both of one family. */
    uint8_t ttl, tos;
    uint16_t id;                      /* IPv4 only. */
    bool df;
};

uint8_t *wire_build_tcp(const struct wire_l3 *, const struct wire_tcp *, uint8_t *payload,
                        size_t n);
uint8_t *wire_build_udp(const struct wire_l3 *, uint16_t src_port, uint16_t dst_port,
                        uint8_t *payload, size_t n);
uint8_t *wire_build_icmp(const struct wire_l3 *, const struct wire_icmp *, uint8_t *payload,
                         size_t n);
uint8_t *wire_build_arp(const struct wire_eth *, const struct wire_arp *, uint8_t *end_of_headroom);

/* Writes ICMP header + checksum in front of the payload, by the family of l3->src, returns its
 * start: for wire_build_fragment. */
uint8_t *wire_prepend_icmp(const struct wire_l3 *, const struct wire_icmp *, uint8_t *payload,
                           size_t n);

/* The IP and Ethernet headers in front of a transport payload that is already complete. */
uint8_t *wire_build_l4(const struct wire_l3 *, uint8_t proto, uint8_t *l4, size_t n);

/* One IP fragment of an already complete transport payload ('proto' given): 'off' and 'more' say
 * which part 'piece' is. IPv6 gets a fragment header. */
struct wire_fragment {
    uint8_t proto;
    uint32_t id;
    uint16_t off;
    bool more;
};
uint8_t *wire_build_fragment(const struct wire_l3 *, const struct wire_fragment *, uint8_t *piece,
                             size_t n);

/* Writes UDP header + checksum in front of the payload, returns its start: for
 * wire_build_fragment. */
uint8_t *wire_prepend_udp(const struct wire_l3 *, uint16_t src_port, uint16_t dst_port,
                          uint8_t *payload, size_t n);

#endif
