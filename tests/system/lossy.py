# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""One publisher and one subscriber behind bad links, and a broker that is either ours or mosquitto
on a kernel's TCP: what it takes until everything has arrived, and whether every byte is right.

The same seed is the same accidents and the same messages for either broker.  For a system test,
which judges the bytes, and a bench, which prints the times.  One thread.
"""

import hashlib
import math
import random
import select
import socket
import time

from lab import Lab

DAEMON, MOSQUITTO = "daemon", "mosquitto"
VIRTUAL = "192.168.1.200"
TOPIC = b"lossy/t"
BOTH = (1, 2)
SMALLEST, LARGEST = 10, 100000
PUBLISH, PUBACK = 0x30, 0x40


class Network:
    """A switch with the publisher on h1, the subscriber on h2, mosquitto on h3, the daemon beside
    it; links: the numbers of the hosts whose links are bad.  Every kernel does reno: the comparison
    is with that."""

    def __init__(self, lab, system, accidents, links, seed):
        self.lab, self.system = lab, system
        lab.bridge("s2")
        lab.ovs.ofctl("add-flow", "s2", "priority=0,actions=NORMAL")
        self.publisher, self.subscriber, self.rival = [
            lab.host("h%d" % i, "s2", "192.168.1.%d/24" % (100 + i), "00:00:00:00:00:%02x" % i,
                     relay=accidents + ["--seed=%d" % (seed + i)] if i in links else None)
            for i in (1, 2, 3)]
        for host in (self.publisher, self.subscriber, self.rival):
            host.run("sysctl -qw net.ipv4.tcp_congestion_control=reno")
        if system == DAEMON:
            self.address = VIRTUAL
            # Nothing is to be dropped because it waits.
            self.daemon = lab.daemon("mp", "--address", VIRTUAL, "--max-queued-messages=1000000",
                                     "--max-queued-bytes=1000000000", "-vconsole:info",
                                     lab.ovs.mgmt("s2")).wait_flows("s2")
        else:
            self.address = self.rival.ip
            lab.mosquitto(self.rival, config=("max_queued_messages 0", "max_inflight_messages 0"))
        for host in (self.publisher, self.subscriber):
            for _ in range(20):         # An ARP that is lost has nothing to do with TCP.
                if host.ping(self.address, timeout=1):
                    break

    def sender_counters(self):
        """Of the broker's TCP, by our names."""
        if self.system == DAEMON:
            tcp = self.daemon.json("stats/show")["tcp"]
            return {name: tcp[name] for name in ("retransmitted", "timeouts", "tail_probes")}
        return kernel_counters(self.rival)


def kernel_counters(host):
    """What the TCP of a host's kernel counts of retransmission."""
    words = {}
    lines = host.run(["cat", "/proc/net/netstat", "/proc/net/snmp"]).stdout.decode().splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        words.update(zip(names.split(), values.split()))
    return {"retransmitted": int(words["RetransSegs"]), "timeouts": int(words["TCPTimeouts"]),
            "tail_probes": int(words["TCPLossProbes"])}


def connect(host, address, client_id):
    """An MQTT connection; SYN and SYN-ACK may be lost many times."""
    sock = host.connect(address, timeout=60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b"\x10" + bytes([12 + len(client_id)]) + b"\0\4MQTT\4\2\0\0\0"
                 + bytes([len(client_id)]) + client_id)
    assert receive(sock, 4) == b"\x20\2\0\0", "accepted"
    return sock


def receive(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        assert more, "connection ended after %d of %d bytes" % (len(data), n)
        data += more
    return data


def publish_packet(packet_id, payload):
    body = len(TOPIC).to_bytes(2, "big") + TOPIC + packet_id.to_bytes(2, "big")
    length, left = b"", len(body) + len(payload)
    while True:
        length += bytes([left % 128 | (128 if left > 127 else 0)])
        left //= 128
        if not left:
            return bytes([PUBLISH | 2]) + length + body + payload


def split_packets(buffer):
    """Takes whole control packets off the front of a bytearray: [(first byte, body)]."""
    packets, at = [], 0
    while True:
        length, n = 0, 0
        while at + 1 + n < len(buffer):
            byte = buffer[at + 1 + n]
            length |= (byte & 127) << 7 * n
            n += 1
            if byte < 128:
                break
        else:
            break
        if at + 1 + n + length > len(buffer):
            break
        packets.append((buffer[at], bytes(buffer[at + 1 + n:at + 1 + n + length])))
        at += 1 + n + length
    del buffer[:at]
    return packets


class Transfer:
    """QoS 1 messages of SMALLEST to LARGEST bytes, as many small as large ones (even in the
    logarithm); at most 'window' of them unacknowledged."""

    def __init__(self, network, count, window, seed):
        self.count, self.window = count, window
        self.random = random.Random(seed)
        self.out, self.outgoing = b"", []
        self.digests = []               # Of what was sent, in order.
        self.n_acknowledged = self.n_arrived = self.n_bytes = 0
        self.reader = connect(network.subscriber, network.address, b"reader")
        self.reader.sendall(b"\x82" + bytes([5 + len(TOPIC)]) + b"\0\1\0" + bytes([len(TOPIC)])
                            + TOPIC + b"\0")
        assert receive(self.reader, 5) == b"\x90\3\0\1\0", "subscribed"
        self.writer = connect(network.publisher, network.address, b"writer")
        self.buffers = {self.reader: bytearray(), self.writer: bytearray()}
        for sock in self.buffers:
            sock.setblocking(False)

    def next_message(self):
        size = round(math.exp(self.random.uniform(math.log(SMALLEST), math.log(LARGEST))))
        payload = self.random.randbytes(size)
        self.digests.append(hashlib.sha256(payload).digest())
        self.n_bytes += size
        return publish_packet(len(self.digests) % 65535 or 65535, payload)

    def write(self):
        """As much as the window and the socket take."""
        while True:
            if not self.out:
                if not self.may_publish():
                    return
                self.out = memoryview(self.next_message())
            try:
                self.out = self.out[self.writer.send(self.out):]
            except BlockingIOError:
                return

    def may_publish(self):
        return (len(self.digests) < self.count
                and len(self.digests) - self.n_acknowledged < self.window)

    def read(self, sock):
        try:
            data = sock.recv(1 << 18)
        except BlockingIOError:
            return
        assert data, "the broker ended a connection: %s" % self.progress()
        self.buffers[sock] += data
        for first, body in split_packets(self.buffers[sock]):
            if sock is self.writer:
                self.n_acknowledged += 1
                assert first == PUBACK and int.from_bytes(body, "big") == (
                    self.n_acknowledged % 65535 or 65535), "PUBACKs in order: %r" % body
            else:
                self.check(first, body)

    def check(self, first, body):
        """The next message in order, whole."""
        assert first == PUBLISH and body[2:2 + len(TOPIC)] == TOPIC, "QoS 0: %r" % body[:20]
        digest = hashlib.sha256(body[2 + len(TOPIC):]).digest()
        assert digest == self.digests[self.n_arrived], "message %d: %d bytes that were not sent" % (
            self.n_arrived, len(body))
        self.n_arrived += 1

    def progress(self):
        return "%d sent, %d acknowledged, %d arrived" % (
            len(self.digests), self.n_acknowledged, self.n_arrived)

    def run(self, limit):
        """Until all have arrived and are acknowledged: the seconds to the last arrival and to the
        last acknowledgement.  AssertionError after 'limit' seconds."""
        started = time.monotonic()
        arrived = acknowledged = None
        while not (arrived and acknowledged):
            busy = [self.writer] if self.out or self.may_publish() else []
            readable, writable, _ = select.select(list(self.buffers), busy, [], 1)
            for sock in readable:
                self.read(sock)
            if writable or self.may_publish():
                self.write()
            now = time.monotonic() - started
            assert now < limit, "not done after %.0f s: %s" % (now, self.progress())
            if self.n_arrived == self.count:
                arrived = arrived or now
            if self.n_acknowledged == self.count:
                acknowledged = acknowledged or now
        return arrived, acknowledged


def transfer(system, accidents, count, window=20, links=BOTH, seed=1, limit=120):
    """One run in a laboratory of its own; returns its figures by name."""
    with Lab() as lab:
        network = Network(lab, system, accidents, links, seed)
        load = Transfer(network, count, window, seed)
        before = network.sender_counters()
        arrived, acknowledged = load.run(limit)
        figures = {"seconds": arrived, "acknowledged_s": acknowledged, "bytes": load.n_bytes}
        after = network.sender_counters()
        figures.update((name, after[name] - before[name]) for name in after)
        figures.update(("publisher_" + name, value)
                       for name, value in kernel_counters(network.publisher).items())
        return {name: round(value, 3) for name, value in figures.items()}
