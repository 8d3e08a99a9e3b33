# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""A SYN flood and those who live through it: an established client that asks and waits for the
answer, again and again, and newcomers whose SYN-ACKs are looked at.

For a system test, which judges, and a bench, which prints.  The asking client is a thread.
"""

import threading
import time

from lab import program

PINGREQ, PINGRESP = b"\xc0\0", b"\xd0\0"
CONNECT = b"\x10\x0d\0\4MQTT\4\2\0\0\0\1"          # And one letter of a client identifier.
TCP_OPTION_NAMES = {2: "mss", 3: "wscale", 4: "sack", 8: "timestamps"}


def mac_of(host, address):
    """What the host has learned of an address; it must have spoken with it."""
    words = host.run(["ip", "neigh", "show", address]).stdout.decode().split()
    return words[words.index("lladdr") + 1]


def start(lab, attacker, address, mac, rate, count, seed=1):
    """A Process that sends 'count' SYNs, of other sources with another seed."""
    return lab.spawn("synflood", [program("synflood"), "eth0", mac, address, "1883", str(rate),
                                  str(count), str(seed)], host=attacker)


class PingPong(threading.Thread):
    """One PINGREQ at a time over a connection, until stop()."""

    def __init__(self, connection, pause=0.001):
        threading.Thread.__init__(self, daemon=True)
        self.connection, self.pause = connection, pause
        self.ending = threading.Event()
        self.times, self.problem = [], None

    def run(self):
        try:
            while not self.ending.wait(self.pause):
                asked = time.monotonic()
                self.connection.sendall(PINGREQ)
                answer = b""
                while len(answer) < 2:
                    more = self.connection.recv(2 - len(answer))
                    assert more, "the connection ended"
                    answer += more
                assert answer == PINGRESP, answer
                self.times.append(time.monotonic() - asked)
        except (OSError, AssertionError) as problem:
            self.problem = problem

    def stop(self):
        """Returns the times of all round trips; OSError or AssertionError when there was worse
        than a long one."""
        self.ending.set()
        self.join(30)
        if self.problem:
            raise self.problem
        return self.times


def session(host, address, letter, timeout=30):
    """A connection with its CONNACK."""
    made = host.connect(address, timeout=timeout)
    made.sendall(CONNECT + letter)
    assert made.recv(4) == b"\x20\2\0\0", "accepted"
    return made


def options_of(frame):
    """The names of a segment's TCP options."""
    names, at, options = set(), 0, frame.options
    while at < len(options) and options[at]:
        if options[at] == 1:
            at += 1
            continue
        names.add(TCP_OPTION_NAMES.get(options[at], options[at]))
        at += options[at + 1]
    return names


def syn_ack_options(capture, connection):
    """Of the SYN-ACK with which a connection was opened."""
    port = connection.getsockname()[1]
    return options_of(capture.wait_frames(1, flags="SA", dport=port)[-1])
