#!/usr/bin/python3
# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""A load that keeps accounts: persistload.py BROKER PROGRESS-FILE.

Publishers and subscribers (MQTT 3.1.1, persistent sessions) that remember what a client has to
remember, reconnect as soon as they notice that the broker is gone, and so can tell whether it has
lost or doubled anything.  Publishes until SIGTERM, then waits until all has arrived; prints one
line of JSON and exits 0 if every acknowledged message of QoS 1 arrived and every one of QoS 2
arrived once.  How many were acknowledged so far stands in PROGRESS-FILE.

Standard library only.  One thread.
"""

import collections
import json
import os
import select
import signal
import socket
import struct
import sys
import time

WINDOW = 20                 # publishes under way per publisher
PING_S = 0.2                # so that a restart is noticed: the answer is a RST
SILENCE_S = 1.5
DRAIN_S = 30
CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)


def text(s):
    return struct.pack("!H", len(s)) + s


def packet(first, body):
    n, size = len(body), bytearray()
    while True:
        size.append(n & 0x7f | (0x80 if n > 0x7f else 0))
        n >>= 7
        if not n:
            return bytes([first]) + bytes(size) + body


class Client:
    """A Network Connection when there is one, and what outlives it."""

    def __init__(self, name, broker):
        self.name, self.broker = name, broker
        self.socket = None
        self.retry_at = 0
        self.had_session = False
        self.problems = []
        self.n_connects = 0

    def drop(self):
        if self.socket:
            self.socket.close()
        self.socket = None
        self.retry_at = time.monotonic() + 0.05

    def open(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.socket.connect_ex((self.broker, 1883))
        self.rx, self.tx = b"", b""
        self.is_up = False
        self.heard = self.pinged = time.monotonic()
        self.tx += packet(CONNECT << 4, text(b"MQTT") + b"\x04\x00\x00\x00" + text(self.name))

    def turn(self, readable, writable, now):
        try:
            if writable and self.tx:
                self.tx = self.tx[self.socket.send(self.tx):]
            if readable:
                data = self.socket.recv(65536)
                if not data:
                    self.drop()
                    return
                self.heard = now
                self.rx += data
                self.parse()
        except BlockingIOError:
            pass
        except OSError:
            self.drop()
            return
        if self.socket and now - self.heard > SILENCE_S:
            self.drop()
        elif self.socket and self.is_up and now - self.pinged > PING_S:
            self.pinged = now
            self.tx += b"\xc0\x00"

    def parse(self):
        while len(self.rx) >= 2:
            n, at = 0, 1
            while True:
                if at >= len(self.rx):
                    return
                n |= (self.rx[at] & 0x7f) << 7 * (at - 1)
                at += 1
                if not self.rx[at - 1] & 0x80:
                    break
            if len(self.rx) < at + n:
                return
            first, body = self.rx[0], self.rx[at:at + n]
            self.rx = self.rx[at + n:]
            if first >> 4 == CONNACK:
                self.connack(body)
            else:
                self.packet(first, body)

    def connack(self, body):
        if body[1]:
            self.problems.append("%s refused: %d" % (self.name.decode(), body[1]))
        elif self.had_session and not body[0]:
            self.problems.append("%s: the session was forgotten" % self.name.decode())
        self.had_session = self.is_up = True
        self.n_connects += 1
        self.up()

    def ack(self, kind, ident):
        self.tx += packet(kind << 4 | (2 if kind == PUBREL else 0), struct.pack("!H", ident))


class Publisher(Client):
    def __init__(self, name, broker):
        super().__init__(name, broker)
        self.n = 0
        self.flight = collections.OrderedDict()     # identifier: [number, QoS, released]
        self.acked = {1: set(), 2: set()}

    def up(self):
        for ident, (number, qos, released) in self.flight.items():
            if released:
                self.ack(PUBREL, ident)
            else:
                self.send(ident, number, qos, dup=8)

    def send(self, ident, number, qos, dup=0):
        self.tx += packet(PUBLISH << 4 | qos << 1 | dup, text(b"load/" + self.name)
                          + struct.pack("!H", ident) + b"%d %d" % (number, qos)
                          + b"." * (number * 37 % 300))

    def publish(self):
        while self.socket and self.is_up and len(self.flight) < WINDOW:
            ident = self.n % 65535 + 1
            qos = 1 + self.n % 2
            self.flight[ident] = [self.n, qos, False]
            self.send(ident, self.n, qos)
            self.n += 1

    def packet(self, first, body):
        if first >> 4 not in (PUBACK, PUBREC, PUBCOMP):
            return
        ident = struct.unpack("!H", body[:2])[0]
        entry = self.flight.get(ident)
        if first >> 4 == PUBREC:
            if entry:
                entry[2] = True
            self.ack(PUBREL, ident)
        elif entry:
            self.acked[entry[1]].add(entry[0])
            del self.flight[ident]


class Subscriber(Client):
    def __init__(self, name, broker, qos):
        super().__init__(name, broker)
        self.qos = qos
        self.is_subscribed = False
        self.held = set()
        self.got = collections.Counter()

    def up(self):
        if not self.is_subscribed:
            self.tx += packet(0x82, b"\x00\x01" + text(b"load/#") + bytes([self.qos]))

    def packet(self, first, body):
        kind = first >> 4
        if kind == 9:
            if body[2] != self.qos:
                self.problems.append("granted %d instead of %d" % (body[2], self.qos))
            self.is_subscribed = True
        elif kind == PUBREL:
            ident = struct.unpack("!H", body[:2])[0]
            self.held.discard(ident)
            self.ack(PUBCOMP, ident)
        elif kind == PUBLISH:
            at = 2 + struct.unpack("!H", body[:2])[0]
            ident = struct.unpack("!H", body[at:at + 2])[0]
            qos = first >> 1 & 3
            if qos == 1 or ident not in self.held:
                number = int(body[at + 2:].split(b" ")[0])
                self.got[body[7:at], number] += 1
            if qos == 2:
                self.held.add(ident)
            self.ack(PUBREC if qos == 2 else PUBACK, ident)


def missing(publishers, subscribers):
    """How many acknowledged messages have not arrived everywhere."""
    return sum(not s.got[p.name, number] for s in subscribers for p in publishers
               for qos in (1, 2) for number in p.acked[qos])


def report(publishers, subscribers):
    problems = [problem for c in publishers + subscribers for problem in c.problems]
    result = {
        "acked": [sum(len(p.acked[qos]) for p in publishers) for qos in (1, 2)],
        "unacked": sum(len(p.flight) for p in publishers),
        "missing": missing(publishers, subscribers),
        "again_qos1": sum(n > 1 for s in subscribers for (_, number), n in s.got.items()
                          if number % 2 == 0),
        "twice_qos2": sum(n > 1 for s in subscribers if s.qos == 2
                          for (_, number), n in s.got.items() if number % 2 == 1),
        "connects": sum(c.n_connects for c in publishers + subscribers),
        "problems": problems[:10],
    }
    print(json.dumps(result))
    return not (result["unacked"] or result["missing"] or result["twice_qos2"] or problems)


def main():
    broker, progress = sys.argv[1:3]
    publishers = [Publisher(b"pub%d" % i, broker) for i in range(2)]
    subscribers = [Subscriber(b"sub%d" % i, broker, qos) for i, qos in enumerate((2, 1, 2))]
    clients = publishers + subscribers
    state = {"stop": None}
    signal.signal(signal.SIGTERM, lambda *_: state.update(stop=time.monotonic()))
    written = 0
    while True:
        now = time.monotonic()
        for c in clients:
            if not c.socket and now >= c.retry_at:
                c.open()
        if not state["stop"] and all(s.is_subscribed for s in subscribers):
            for p in publishers:
                p.publish()
        sockets = {c.socket: c for c in clients if c.socket}
        readable, writable, _ = select.select(
            list(sockets), [s for s, c in sockets.items() if c.tx], [], 0.02)
        for s, c in sockets.items():
            c.turn(s in readable, s in writable, time.monotonic())
        if now - written > 0.02:
            written = now
            with open(progress + ".new", "w") as out:
                out.write("%d\n" % sum(len(p.acked[q]) for p in publishers for q in (1, 2)))
            os.rename(progress + ".new", progress)
        if state["stop"]:
            is_done = not any(p.flight for p in publishers) \
                and not missing(publishers, subscribers) and now - state["stop"] > 2
            if is_done or now - state["stop"] > DRAIN_S:
                break
    sys.exit(0 if report(publishers, subscribers) else 1)


if __name__ == "__main__":
    main()
