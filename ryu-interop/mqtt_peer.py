# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""The prototype's peer dialect as bytes: SUBSCRIBE, UNSUBSCRIBE and PUBLISH in UDP datagrams,
and MQTT's topic rules.

Bytes in, messages out and back.  No socket, no clock, no RYU: peer_relay.py keeps the tables,
peer_app.py owns the socket.  Topic names and filters are bytes everywhere (UTF-8, checked).
The same byte vectors (tests/vectors/peer.txt) hold for this file and for the daemon's codec.
"""

import collections

SUBSCRIBE, UNSUBACK, UNSUBSCRIBE, PUBLISH = 8, 11, 10, 3
MAX_DATAGRAM = 65507            # 65535 less IPv4's and UDP's headers

# 'filters' of Subscribe: a tuple of (filter, qos); of Unsubscribe: a tuple of filters.
# 'extra' is how many bytes of the datagram lie beyond the packet's remaining length.
Subscribe = collections.namedtuple("Subscribe", "id filters extra")
Unsubscribe = collections.namedtuple("Unsubscribe", "id filters form extra")
Publish = collections.namedtuple("Publish", "qos dup retain id topic payload extra")


class Refused(Exception):
    """A datagram that is no good; 'why' is one of the words of tests/vectors/peer.txt."""

    def __init__(self, why):
        Exception.__init__(self, why)
        self.why = why


class _Body:
    """A reader over one packet's bytes after the fixed header; overruns are Refused."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise Refused("length")
        piece = self.data[self.at:self.at + n]
        self.at += n
        return piece

    def u16(self):
        return int.from_bytes(self.take(2), "big")

    def string(self):
        return self.take(self.u16())

    def rest(self):
        return self.take(len(self.data) - self.at)

    def is_empty(self):
        return self.at == len(self.data)


def _split(datagram):
    """Returns (first byte, body, extra bytes) of the first packet.  Bytes beyond its remaining
    length are no fault: the prototype appends 00 to UNSUBSCRIBE, and whatever followed a
    PUBLISH in its TCP segment.  A packet that ends early is refused, never delivered cut."""
    if not datagram:
        raise Refused("short")
    if datagram[0] >> 4 not in (SUBSCRIBE, UNSUBACK, UNSUBSCRIBE, PUBLISH):
        raise Refused("type")
    length = 0
    for i in range(4):                      # [MQTT-2.2.3]: at most four bytes
        if 1 + i >= len(datagram):
            raise Refused("short")
        byte = datagram[1 + i]
        length |= (byte & 0x7f) << (7 * i)
        if not byte & 0x80:
            break
    else:
        raise Refused("length")
    start = 2 + i
    if len(datagram) < start + length:
        raise Refused("short")
    return datagram[0], _Body(datagram[start:start + length]), len(datagram) - start - length


def _filter(body):
    topic = body.string()
    if not is_filter(topic):
        raise Refused("topic")
    return topic


def _parse_subscribe(flags, body, extra):
    if flags != 2:                          # [MQTT-3.8.1-1]
        raise Refused("flags")
    packet_id = body.u16()
    filters = []
    while not body.is_empty():
        topic = _filter(body)
        qos = body.take(1)[0]
        if qos > 2:                         # [MQTT-3-8.3-4]
            raise Refused("flags")
        filters.append((topic, qos))
    if not filters:                         # [MQTT-3.8.3-3]
        raise Refused("empty")
    return Subscribe(packet_id, tuple(filters), extra)


def _parse_unsubscribe(form, body, extra):
    packet_id = body.u16()
    filters = []
    while not body.is_empty():
        filters.append(_filter(body))
    if not filters:                         # [MQTT-3.10.3-2]
        raise Refused("empty")
    return Unsubscribe(packet_id, tuple(filters), form, extra)


def _parse_publish(flags, body, extra):
    qos = flags >> 1 & 3
    if qos == 3:                            # [MQTT-3.3.1-4]
        raise Refused("flags")
    topic = body.string()
    if not is_name(topic):                  # [MQTT-3.3.2-2], [MQTT-4.7.3-1]
        raise Refused("topic")
    packet_id = body.u16() if qos else 0
    return Publish(qos, flags >> 3 & 1, flags & 1, packet_id, topic, body.rest(), extra)


def parse(datagram):
    """The first packet of 'datagram', or raises Refused."""
    first, body, extra = _split(datagram)
    kind, flags = first >> 4, first & 0xf
    if kind == PUBLISH:
        return _parse_publish(flags, body, extra)
    if kind == SUBSCRIBE:
        return _parse_subscribe(flags, body, extra)
    # The prototype's UNSUBSCRIBE carries UNSUBACK's code and no flags; MQTT's own has flags 2
    # [MQTT-3.10.1-1].  Both are taken.
    if (kind, flags) == (UNSUBACK, 0):
        return _parse_unsubscribe("b0", body, extra)
    if (kind, flags) == (UNSUBSCRIBE, 2):
        return _parse_unsubscribe("a2", body, extra)
    raise Refused("flags")


def parse_all(datagram):
    """A list: the first packet, which must be good, and the whole PUBLISH packets behind it.
    (Two PUBLISHes of one TCP segment travel in one datagram of the prototype; the rest of a
    segment that is anything else, or cut, is ignored.)"""
    messages = [parse(datagram)]
    while messages[-1].extra:
        rest = datagram[-messages[-1].extra:]
        if rest[0] >> 4 != PUBLISH:
            break
        try:
            messages.append(parse(rest))
        except Refused:
            break
    return messages


def _remaining_length(n):
    out = bytearray()
    while True:
        n, byte = n >> 7, n & 0x7f
        out.append(byte | (0x80 if n else 0))
        if not n:
            return bytes(out)


def _packet(first, body, tail=b""):
    datagram = bytes([first]) + _remaining_length(len(body)) + body + tail
    if len(datagram) > MAX_DATAGRAM:
        raise ValueError("%d bytes do not fit into one datagram" % len(datagram))
    return datagram


def _string(data):
    return len(data).to_bytes(2, "big") + data


def build_subscribe(topic_filter, qos=0, packet_id=1):
    """One filter a datagram: the prototype ignores all but the first."""
    return _packet(0x82, packet_id.to_bytes(2, "big") + _string(topic_filter) + bytes([qos]))


def build_unsubscribe(topic_filter, packet_id=1):
    """The prototype's form: first byte b0, and a 00 beyond the remaining length."""
    return _packet(0xb0, packet_id.to_bytes(2, "big") + _string(topic_filter), b"\0")


def build_publish(topic, payload, retain=0):
    """QoS 0, the only form that peers deliver as it is.  ValueError when it does not fit."""
    return _packet(0x31 if retain else 0x30, _string(topic) + payload)


def _is_text(data):
    """[MQTT-1.5.3-1], [MQTT-1.5.3-2]: well-formed UTF-8 without U+0000."""
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def is_name(topic):
    return (0 < len(topic) <= 65535 and b"#" not in topic and b"+" not in topic
            and _is_text(topic))


def is_filter(topic):
    if not 0 < len(topic) <= 65535 or not _is_text(topic):
        return False
    levels = topic.split(b"/")
    for i, level in enumerate(levels):
        if b"#" in level and (level != b"#" or i != len(levels) - 1):      # [MQTT-4.7.1-2]
            return False
        if b"+" in level and level != b"+":                                # [MQTT-4.7.1-3]
            return False
    return True


def has_wildcard(topic_filter):
    return b"#" in topic_filter or b"+" in topic_filter


def matches(topic_filter, name):
    """Whether 'name' is in 'topic_filter'; both must be valid."""
    if name[:1] == b"$" and topic_filter[:1] in (b"+", b"#"):              # [MQTT-4.7.2-1]
        return False
    wanted, levels = topic_filter.split(b"/"), name.split(b"/")
    for i, want in enumerate(wanted):
        if want == b"#":
            return True                     # also the parent level itself
        if i >= len(levels) or (want != b"+" and want != levels[i]):
            return False
    return len(wanted) == len(levels)
