# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""The second octet of the IP header on a real wire: Diffserv and ECN, with a real kernel's TCP at
the other end."""

import socket

from lab import Lab, test, wait_for
from test_edge import VIRTUAL, VIRTUAL6, one_switch, read_exactly, virtual

CONNECT = b"\x10\x0d\0\4MQTT\4\2\0\x3c\0\1c"
SUBSCRIBE, SUBACK = b"\x82\6\0\1\0\1t\0", b"\x90\3\0\1\0"
PUBLISH = b"\x30\x08\0\1thello"
PING, PONG = b"\xc0\0", b"\xd0\0"
ECT0, CE = 2, 3
EF, AF11 = 46, 10


def exchange(client, sent, expected):
    client.sendall(sent)
    assert read_exactly(client, len(expected)) == expected


def answers(wire, **wanted):
    return wire.frames(sport=1883, **wanted)


@test("dscp-is-on-the-wire-and-changes-at-run-time", needs=("daemon", "tcpdump"))
def dscp():
    for address in (VIRTUAL, VIRTUAL6):
        with Lab() as lab:
            h1, h2 = one_switch(lab, ip6=True)
            daemon = virtual(lab, "--dscp", str(EF), address=address)
            wire = lab.capture("h1", "tcp port 1883")
            one, two = h1.connect(address), h2.connect(address)
            for client, name in ((one, b"\1c"), (two, b"\1d")):
                exchange(client, CONNECT.replace(b"\1c", name), b"\x20\2\0\0")
            wire.wait_frames(2, sport=1883)
            assert {f.tos for f in answers(wire)} == {EF << 2}, answers(wire)
            assert any(f.flags == "SA" for f in answers(wire)), "the SYN-ACK was among them"

            # Of one connection, the other keeps it; then of all but that one.
            mine = "%s:%d" % ("[%s]" % h1.ip6 if ":" in address else h1.ip,
                              one.getsockname()[1])
            daemon.appctl("connection/set-dscp", str(AF11), mine)
            before = len(answers(wire))
            exchange(one, PING, PONG)
            wire.wait_frames(before + 1, sport=1883)
            assert answers(wire)[-1].tos == AF11 << 2, answers(wire)[-1]
            daemon.appctl("connection/set-dscp", "0")
            shown = {c["client"]: c["dscp"] for c in daemon.json("connection/show")}
            assert shown.pop(mine) == AF11 and list(shown.values()) == [0], shown
            daemon.appctl("connection/set-dscp", "default", mine)
            exchange(one, PING, PONG)
            wait_for(lambda: answers(wire)[-1].tos == 0, 5, "best effort again")

            # A refusal has it as well.
            daemon.appctl("connection/set-dscp", str(EF))
            try:
                h1.connect(address, 80)
                raise AssertionError("port 80 was accepted")
            except ConnectionRefusedError:
                pass
            for wrong in (["64"], ["x"], ["mirror", mine], ["default"],
                          ["1", "192.168.1.250:1"]):
                reply = daemon.appctl("connection/set-dscp", *wrong, check=False)
                assert "ovs-appctl" in reply, "%r is refused: %s" % (wrong, reply)


@test("dscp-of-the-client-is-mirrored", needs=("daemon", "tcpdump"))
def mirrored():
    with Lab() as lab:
        h1, _ = one_switch(lab)
        virtual(lab, "--dscp=mirror")
        wire = lab.capture("h1", "tcp port 1883")
        client = h1.socket()
        client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EF << 2)
        client.connect((VIRTUAL, 1883))
        exchange(client, CONNECT, b"\x20\2\0\0")
        wire.wait_frames(2, sport=1883)
        assert {f.tos for f in answers(wire)} == {EF << 2}, answers(wire)
        client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, AF11 << 2)
        exchange(client, PING, PONG)
        wait_for(lambda: answers(wire)[-1].tos == AF11 << 2, 5, "the new one")


def mark(host, hook, rule):
    """Congestion between here and the switch: packets of 'rule' that are ECT get marked."""
    for command in ("add table ip congestion",
                    "add chain ip congestion %s { type filter hook %s priority 0; }" % (hook, hook),
                    "add rule ip congestion %s %s ip ecn ect0 ip ecn set ce" % (hook, rule)):
        host.run(["nft", command])


@test("ecn-with-a-kernel-client", needs=("daemon", "tcpdump"))
def ecn():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        h1.run("sysctl -qw net.ipv4.tcp_ecn=1")
        h2.run("sysctl -qw net.ipv4.tcp_ecn=2")
        daemon = virtual(lab)
        wire = lab.capture("h1", "tcp port 1883")
        client, other = h1.connect(VIRTUAL), h2.connect(VIRTUAL)
        exchange(client, CONNECT, b"\x20\2\0\0")
        exchange(other, CONNECT.replace(b"\1c", b"\1d"), b"\x20\2\0\0")
        assert wire.wait_frames(1, flags="SEC", dport=1883), "the kernel asks for it"
        assert wire.wait_frames(1, flags="SAE", sport=1883)[0].tos == 0, "and is answered"
        assert all(f.tos == (ECT0 if f.payload else 0) for f in answers(wire)), answers(wire)
        shown = {c["client"].split(":")[0]: c["ecn"] for c in daemon.json("connection/show")}
        assert shown == {h1.ip: True, h2.ip: False}, shown

        # Towards us: marks are echoed until the kernel has reduced its window and said so.
        mark(h1, "output", "tcp dport 1883")
        exchange(client, SUBSCRIBE, SUBACK)
        wait_for(lambda: daemon.json("stats/show")["tcp"].get("ecn_marked"), 5, "a mark seen")
        assert wire.wait_frames(1, tos=CE, dport=1883)
        wait_for(lambda: any("E" in f.flags and f.flags != "SAE" for f in answers(wire)), 5,
                 "its echo")
        exchange(client, PING, PONG)
        wait_for(lambda: any("C" in f.flags and f.payload for f in wire.frames(dport=1883)), 5,
                 "the kernel's CWR")

        # Towards the client: the kernel echoes, we reduce and say so.
        mark(h1, "input", "tcp sport 1883")
        for _ in range(3):
            exchange(client, PUBLISH, PUBLISH)
        wait_for(lambda: daemon.json("stats/show")["tcp"].get("ecn_reductions"), 5,
                 "a window reduced")
        exchange(client, PUBLISH, PUBLISH)
        wait_for(lambda: any("C" in f.flags and f.payload for f in answers(wire)), 5, "our CWR")
        assert daemon.json("stats/show")["tcp"].get("retransmitted", 0) == 0, "nothing was lost"


@test("ecn-can-be-turned-off", needs=("daemon", "tcpdump"))
def ecn_off():
    with Lab() as lab:
        h1, _ = one_switch(lab)
        h1.run("sysctl -qw net.ipv4.tcp_ecn=1")
        virtual(lab, "--ecn=false")
        wire = lab.capture("h1", "tcp port 1883")
        client = h1.connect(VIRTUAL)
        exchange(client, CONNECT, b"\x20\2\0\0")
        assert wire.wait_frames(1, flags="SEC", dport=1883)
        assert wire.wait_frames(1, flags="SA", sport=1883)
        assert {f.tos for f in answers(wire)} == {0}
