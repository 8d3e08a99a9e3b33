# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""Reads capture files and takes frames apart, for assertions on what was really on a wire.

A second pair of eyes: deliberately none of the product's own parsers.  No I/O but reading the
file.
"""

import ipaddress
import struct

ETH_VLAN, ETH_ARP, ETH_IP, ETH_IP6 = (0x8100, 0x88a8), 0x0806, 0x0800, 0x86dd
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
TCP_FLAGS = "FSRPAUEC"      # from the lowest bit


def ones_sum(data):
    """The folded ones' complement sum; 0xffff over data with a right checksum in it."""
    data = bytes(data)
    total = sum(struct.unpack("!%dH" % ((len(data) + 1) // 2), data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def _mac(raw):
    return ":".join("%02x" % byte for byte in raw)


class Frame:
    """One frame.  What it has not, is None: 'vlan', 'ip_src', 'sport' and so on.

    t, raw, eth_dst, eth_src, vlan, eth_type; arp_op, arp_spa, arp_tpa, arp_sha, arp_tha;
    ip_version, ip_src, ip_dst, tos, ttl, proto, ip_id, df, mf, frag_offset, ip_len; sport, dport;
    seq, ack, flags (a string such as "SA"), window, options; icmp_type, icmp_code; payload
    (behind the innermost header understood); ip_sum_ok, l4_sum_ok (None: cannot be told)."""

    FIELDS = ("vlan eth_type arp_op arp_spa arp_tpa arp_sha arp_tha ip_version ip_src ip_dst "
              "tos ttl proto ip_id df mf frag_offset ip_len sport dport seq ack flags window "
              "options icmp_type icmp_code ip_sum_ok l4_sum_ok").split()

    def __init__(self, raw, t=0.0):
        for field in self.FIELDS:
            setattr(self, field, None)
        self.raw, self.t, self.payload = raw, t, b""
        self.eth_dst, self.eth_src = _mac(raw[:6]), _mac(raw[6:12])
        try:
            self._ethernet(raw)
        except (struct.error, IndexError):
            pass                            # short: what was understood stays

    def _ethernet(self, raw):
        at = 12
        self.eth_type, = struct.unpack_from("!H", raw, at)
        while self.eth_type in ETH_VLAN:
            if self.vlan is None:
                self.vlan = struct.unpack_from("!H", raw, at + 2)[0] & 0xfff
            at += 4
            self.eth_type, = struct.unpack_from("!H", raw, at)
        body = raw[at + 2:]
        self.payload = body
        if self.eth_type == ETH_ARP:
            self.arp_op, = struct.unpack_from("!H", body, 6)
            self.arp_sha, self.arp_tha = _mac(body[8:14]), _mac(body[18:24])
            self.arp_spa = str(ipaddress.IPv4Address(body[14:18]))
            self.arp_tpa = str(ipaddress.IPv4Address(body[24:28]))
        elif self.eth_type == ETH_IP:
            self._ip4(body)
        elif self.eth_type == ETH_IP6:
            self._ip6(body)

    def _ip4(self, ip):
        self.ip_version, head = 4, (ip[0] & 0xf) * 4
        _, self.tos, self.ip_len, self.ip_id, frag, self.ttl, self.proto = struct.unpack_from(
            "!BBHHHBB", ip)
        self.df, self.mf = bool(frag & 0x4000), bool(frag & 0x2000)
        self.frag_offset = (frag & 0x1fff) * 8
        self.ip_src = str(ipaddress.IPv4Address(ip[12:16]))
        self.ip_dst = str(ipaddress.IPv4Address(ip[16:20]))
        self.ip_sum_ok = ones_sum(ip[:head]) == 0xffff
        self.payload = ip[head:self.ip_len]
        if not self.frag_offset:
            self._l4(self.payload, ip[12:20], whole=not self.mf)

    def _ip6(self, ip):
        self.ip_version, self.tos = 6, struct.unpack_from("!H", ip)[0] >> 4 & 0xff
        length, self.proto, self.ttl = struct.unpack_from("!HBB", ip, 4)
        self.ip_len = 40 + length
        self.ip_src = str(ipaddress.IPv6Address(ip[8:24]))
        self.ip_dst = str(ipaddress.IPv6Address(ip[24:40]))
        self.df, self.mf, self.frag_offset = True, False, 0
        self.payload = ip[40:40 + length]
        if self.proto == 44:
            self.proto, _, frag, self.ip_id = struct.unpack_from("!BBHI", self.payload)
            self.mf, self.frag_offset = bool(frag & 1), frag & 0xfff8
            self.payload = self.payload[8:]
        if not self.frag_offset:
            self._l4(self.payload, ip[8:40], whole=not self.mf)

    def _l4(self, data, addresses, whole):
        if whole and self.proto in (TCP, UDP, ICMP6):
            pseudo = addresses + struct.pack("!II", len(data), self.proto)
            self.l4_sum_ok = ones_sum(pseudo + data) == 0xffff
            if self.proto == UDP and data[6:8] == b"\0\0":
                self.l4_sum_ok = None
        elif whole and self.proto == ICMP:
            self.l4_sum_ok = ones_sum(data) == 0xffff
        if self.proto == TCP:
            (self.sport, self.dport, self.seq, self.ack, offset, flags,
             self.window) = struct.unpack_from("!HHIIBBH", data)
            self.flags = "".join(c for i, c in enumerate(TCP_FLAGS) if flags >> i & 1)
            self.options = data[20:(offset >> 4) * 4]
            self.payload = data[(offset >> 4) * 4:]
        elif self.proto == UDP:
            self.sport, self.dport = struct.unpack_from("!HH", data)
            self.payload = data[8:]
        elif self.proto in (ICMP, ICMP6):
            self.icmp_type, self.icmp_code = data[0], data[1]
            self.payload = data[4:]

    def has(self, **wanted):
        """Whether all the named fields have these values; 'port' is either of the two,
        'host' either address."""
        for field, value in wanted.items():
            if field == "port":
                if value not in (self.sport, self.dport):
                    return False
            elif field == "host":
                if value not in (self.ip_src, self.ip_dst):
                    return False
            elif getattr(self, field) != value:
                return False
        return True

    def __repr__(self):
        parts = ["%.6f" % self.t, "%s > %s" % (self.eth_src, self.eth_dst)]
        if self.vlan is not None:
            parts.append("vlan %d" % self.vlan)
        if self.arp_op:
            parts.append("arp %d %s asks/tells %s" % (self.arp_op, self.arp_spa, self.arp_tpa))
        if self.ip_src:
            parts.append("%s.%s > %s.%s proto %s" % (self.ip_src, self.sport, self.ip_dst,
                                                     self.dport, self.proto))
        if self.flags is not None:
            parts.append("%s seq %d ack %d win %d" % (self.flags, self.seq, self.ack,
                                                      self.window))
        parts.append("%d bytes %s" % (len(self.payload), self.payload[:24].hex()))
        return "<" + " ".join(parts) + ">"


def read_pcap(path):
    """The frames of a pcap file (either byte order, microseconds or nanoseconds); a last
    record that is still being written is left out."""
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < 24:
        return []
    for order in "<>":
        magic, = struct.unpack_from(order + "I", data)
        if magic in (0xa1b2c3d4, 0xa1b23c4d):
            break
    else:
        raise ValueError("%s: is no pcap file" % path)
    unit = 1e-6 if magic == 0xa1b2c3d4 else 1e-9
    frames, at = [], 24
    while at + 16 <= len(data):
        sec, part, size, _ = struct.unpack_from(order + "IIII", data, at)
        if at + 16 + size > len(data):
            break
        frames.append(Frame(data[at + 16:at + 16 + size], sec + part * unit))
        at += 16 + size
    return frames
