#!/usr/bin/python3
# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""TAP test of ryu-interop's codec and relay tables over tests/vectors; needs no RYU, no
network and no time.  Run by make check."""

import os
import struct
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.dont_write_bytecode = True              # the source tree may be read-only
sys.path.insert(0, os.path.join(TOP, "ryu-interop"))

import mqtt_peer as mp                                          # noqa: E402
import peer_relay                                               # noqa: E402

results = []


def check(name, problem):
    """'problem' is None or says what is wrong."""
    results.append(problem is None)
    print("%sok %d - %s" % ("" if problem is None else "not ", len(results), name))
    if problem is not None:
        print("# " + str(problem))


def expect(name, got, wanted):
    check(name, None if got == wanted else "%r is not %r" % (_short(got), _short(wanted)))


def _short(value):
    text = repr(value)
    return value if len(text) < 500 else text[:500]


def lines(file_name):
    with open(os.path.join(TOP, "tests", "vectors", file_name), encoding="utf-8") as text:
        return [line.split() for line in text if line.strip() and not line.startswith("#")]


def unhex(text):
    out = b""
    for piece in text.split(",") if text != "-" else ():
        data, _, times = piece.partition("*")
        out += bytes.fromhex(data) * int(times or 1)
    return out


def wanted_message(verdict, keys):
    extra = int(keys["extra"])
    if verdict == "publish":
        numbers = [int(keys[key]) for key in ("qos", "dup", "retain", "id")]
        return mp.Publish(*numbers, unhex(keys["topic"]), unhex(keys["payload"]), extra)
    filters = keys["filters"].split(";")
    if verdict == "subscribe":
        pairs = tuple((unhex(f.split(":")[0]), int(f.split(":")[1])) for f in filters)
        return mp.Subscribe(int(keys["id"]), pairs, extra)
    return mp.Unsubscribe(int(keys["id"]), tuple(unhex(f) for f in filters), keys["form"], extra)


def build(message):
    if isinstance(message, mp.Publish):
        return mp.build_publish(message.topic, message.payload, message.retain)
    if isinstance(message, mp.Subscribe):
        (topic_filter, qos), = message.filters
        return mp.build_subscribe(topic_filter, qos, message.id)
    topic_filter, = message.filters
    return mp.build_unsubscribe(topic_filter, message.id)


def test_vectors():
    names = {}
    for name, how, data, verdict, *keys in lines("peer.txt"):
        if name in names:
            check("vector " + name, "twice in peer.txt")
        datagram = names[name] = unhex(data)
        keys = dict(key.split("=", 1) for key in keys)
        try:
            messages = mp.parse_all(datagram)
            got = messages[0]
        except mp.Refused as refused:
            messages, got = [], refused.why
        if verdict == "refused":
            expect("refused: " + name, got, keys["why"])
            continue
        wanted = wanted_message(verdict, keys)
        expect("read: " + name, (got, len(messages) - 1), (wanted, int(keys.get("more", 0))))
        if how == "both":
            expect("build: " + name, build(wanted), datagram)
    return names


def test_every_cut(names):
    """No prefix of a good packet is taken for a packet, nor does any byte raise another
    exception than Refused."""
    bad = None
    for name, datagram in names.items():
        try:
            whole = len(datagram) - mp.parse(datagram).extra
        except mp.Refused:
            continue
        for cut in range(min(whole, 400)):
            try:
                mp.parse_all(datagram[:cut])
                bad = bad or "%s cut at %d was taken" % (name, cut)
            except mp.Refused:
                pass
    check("no cut packet is taken", bad)
    bad = None
    for name, datagram in names.items():
        for at in range(min(len(datagram), 40)):
            for byte in range(256):
                try:
                    mp.parse_all(datagram[:at] + bytes([byte]) + datagram[at + 1:])
                except mp.Refused:
                    pass
                except Exception as error:                      # the very thing looked for
                    bad = bad or "%s, byte %d = %02x: %r" % (name, at, byte, error)
    check("whatever byte is changed, nothing but Refused is raised", bad)


def ones_sum(data):
    total = sum(struct.unpack("!%dH" % ((len(data) + 1) // 2), data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def test_ip_packets(names):
    for name, data, vector, src, dst, sport, dport in lines("peer-ip.txt"):
        packet = unhex(data)
        udp = packet[20:]
        pseudo = packet[12:20] + struct.pack("!HH", 17, len(udp))
        expect(name, (packet[0], ones_sum(packet[:20]), ones_sum(pseudo + udp), udp[8:],
                      ".".join(map(str, packet[12:16])), ".".join(map(str, packet[16:20])),
                      struct.unpack("!HH", udp[:4])),
               (0x45, 0xffff, 0xffff, names[vector], src, dst, (int(sport), int(dport))))


def test_topics():
    for verdict, *words in lines("topics.txt"):
        raw = [word.encode() for word in words]
        if verdict == "badfilter":
            expect("no filter: " + words[0], mp.is_filter(raw[0]), False)
        elif verdict == "badname":
            expect("no name: " + words[0], mp.is_name(raw[0]), False)
        else:
            expect("%s: %s %s" % (verdict, *words),
                   (mp.is_filter(raw[0]), mp.is_name(raw[1]), mp.matches(*raw)),
                   (True, True, verdict == "match"))
    expect("the empty string is neither", (mp.is_filter(b""), mp.is_name(b"")), (False, False))
    try:
        mp.build_publish(b"t", b"x" * 65501)
        check("a PUBLISH beyond one datagram is refused", "it was built")
    except ValueError:
        check("a PUBLISH beyond one datagram is refused", None)


A, B, C = ("10.0.0.1", 1883), ("10.0.0.2", 1883), ("10.0.0.3", 1884)


def drain(relay, now):
    return sorted(iter(lambda: relay.next_datagram(now), None))


def relay_of_three(**options):
    return peer_relay.Relay(["10.0.0.1", "10.0.0.2", "10.0.0.3:1884"], lambda: 0.5, **options)


def test_relay():
    sub, unsub, pub = mp.build_subscribe(b"a/#"), mp.build_unsubscribe(b"a/#"), b""
    pub = mp.build_publish(b"a/b", b"m")
    relay = relay_of_three()
    relay.datagram(A, sub, 0)
    expect("a SUBSCRIBE goes to the others", drain(relay, 0), [(B, sub), (C, sub)])
    relay.datagram(A, sub, 1)
    expect("repeated, it goes to nobody", drain(relay, 1), [])
    relay.datagram(B, pub, 1)
    got = drain(relay, 1)
    expect("a PUBLISH goes to who subscribed; who speaks first is told again",
           got, [(A, pub), (B, sub)])
    relay.datagram(A, pub, 1)
    expect("never back to its sender", drain(relay, 1), [])
    relay.datagram(B, sub, 1)
    expect("a second subscriber: only the first one needs to know", drain(relay, 1), [(A, sub)])
    relay.datagram(C, pub, 2)
    expect("both get the PUBLISH", drain(relay, 2), [(A, pub), (B, pub), (C, sub)])
    relay.datagram(A, unsub, 2)
    expect("UNSUBSCRIBE of one of two: the other need not be told its own",
           drain(relay, 2), [(B, unsub)])
    relay.datagram(B, bytes.fromhex("a20700010003") + b"a/#", 2)
    expect("UNSUBSCRIBE of the last, in MQTT's form", drain(relay, 2), [(A, unsub), (C, unsub)])
    relay.datagram(C, pub, 3)
    expect("nobody wants it: nothing is sent", drain(relay, 3), [])
    relay.datagram(("10.9.9.9", 1883), sub, 3)
    expect("strangers are not heard", (drain(relay, 3), relay.counters["unknown_source"]),
           ([], 1))
    relay.datagram(A, b"\xff" * 9, 3)
    relay.datagram(A, b"", 3)
    expect("junk is counted", relay.counters["refused"], 2)


def test_relay_overlap():
    relay = relay_of_three()
    for topic_filter in (b"a/#", b"a/+", b"a/b"):
        relay.datagram(A, mp.build_subscribe(topic_filter), 0)
    drain(relay, 0)
    relay.datagram(B, mp.build_publish(b"a/b", b"m"), 0)
    publishes = [item for item in drain(relay, 0) if item[1][0] >> 4 == 3]
    expect("three filters match, one PUBLISH is sent", [to for to, _ in publishes], [A])


def test_relay_time():
    sub, unsub = mp.build_subscribe(b"t"), mp.build_unsubscribe(b"t")
    relay = relay_of_three(expiry_s=100)
    relay.datagram(A, sub, 0)
    drain(relay, 0)
    relay.run(29.9)
    expect("no repetition before its time", drain(relay, 29.9), [])
    relay.run(30.1)
    expect("standing SUBSCRIBEs are repeated", drain(relay, 30.1), [(B, sub), (C, sub)])
    relay.datagram(B, b"\0", 40)
    expect("a silent peer that speaks is told at once", drain(relay, 40), [(B, sub)])
    relay.datagram(A, sub, 50)
    drain(relay, 50)
    relay.run(149)
    drain(relay, 149)
    relay.run(151)
    expect("a peer unheard of is forgotten and the others are told",
           (drain(relay, 151), relay.subscribers, relay.counters["expired"]),
           ([(B, unsub), (C, unsub)], {}, 2))
    relay.datagram(A, sub, 152)
    expect("and may come back", drain(relay, 152), [(B, sub), (C, sub)])


def test_relay_strict():
    relay = peer_relay.Relay(["10.0.0.1,strict", "10.0.0.2"], lambda: 0.5)
    relay.datagram(A, mp.build_subscribe(b"t"), 0)
    drain(relay, 0)
    for payload in (b"1", b"\xff\x00", b"2"):
        relay.datagram(B, mp.build_publish(b"t", payload), 0)
    got = [[data for to, data in drain(relay, now) if to == A] for now in (0, 0.1, 0.16, 0.2)]
    expect("strict: 150 ms between datagrams, no binary payload",
           (got, relay.counters["not_utf8_for_strict"]),
           ([[mp.build_publish(b"t", b"1")], [], [mp.build_publish(b"t", b"2")], []], 1))
    relay.run(10000)
    expect("strict: the prototype's silence means nothing", relay.counters["expired"], 1)
    expect("strict: it is still subscribed", list(relay.subscribers), [b"t"])


def test_relay_limits():
    relay = peer_relay.Relay([], lambda: 0.5)
    for i in range(peer_relay.MAX_PEERS + 1):
        relay.datagram(("10.0.%d.%d" % (i >> 8, i & 255), 1), b"\0", 0)
    expect("learnt peers are limited", (len(relay.peers), relay.counters["over_limit"]),
           (peer_relay.MAX_PEERS, 1))
    relay = peer_relay.Relay(["10.0.0.1"], lambda: 0.5)
    for i in range(peer_relay.MAX_FILTERS + 1):
        relay.datagram(A, mp.build_subscribe(b"%d" % i), 0)
    expect("filters of a peer are limited",
           (len(relay.subscribers), relay.counters["over_limit"]), (peer_relay.MAX_FILTERS, 1))
    relay = relay_of_three()
    relay.datagram(A, mp.build_subscribe(b"t"), 0)
    drain(relay, 0)
    for i in range(peer_relay.MAX_QUEUED + 2):
        relay.datagram(B, mp.build_publish(b"t", b"%d" % i), 0)
    expect("queued datagrams are limited",
           (len([to for to, _ in drain(relay, 0) if to == A]), relay.counters["over_limit"]),
           (peer_relay.MAX_QUEUED, 2))


def test_peer_words():
    expect("peers are read", [peer_relay.parse_peer(text) for text in (
        "10.0.0.1", "10.0.0.1:7", "10.0.0.1:7,strict", "fd00::1", "[fd00::1]:7,strict")],
        [(("10.0.0.1", 1883), False), (("10.0.0.1", 7), False), (("10.0.0.1", 7), True),
         (("fd00::1", 1883), False), (("fd00::1", 7), True)])
    taken = []
    for text in ("", "x", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1,lax", "10.0.0:1"):
        try:
            taken.append(peer_relay.parse_peer(text))
        except ValueError:
            pass
    expect("bad ones are refused", taken, [])


def main():
    names = test_vectors()
    test_every_cut(names)
    test_ip_packets(names)
    test_topics()
    test_relay()
    test_relay_overlap()
    test_relay_time()
    test_relay_strict()
    test_relay_limits()
    test_peer_words()
    print("1..%d" % len(results))
    sys.exit(0 if all(results) else 1)


main()
