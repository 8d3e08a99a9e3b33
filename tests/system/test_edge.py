# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""One edge: clients of one switch and the daemon beside it, on a real ovs-vswitchd, with real
kernels' TCP and mosquitto's clients."""

import os
import signal
import socket
import time

from capture import read_pcap
from lab import Lab, payload_bytes, run, stays, test, wait_for

VIRTUAL, VIRTUAL6 = "192.168.1.200", "2001:db8::200"
CONNECT = bytes.fromhex("100e00044d5154540402003c0002") + b"c%d"


def one_switch(lab, n_hosts=2, bridge=(), host_options=(), ip6=False):
    """s2 that switches as a NORMAL one, with hosts h1, h2... (192.168.1.101...)."""
    lab.bridge("s2", **dict(bridge))
    lab.ovs.ofctl("add-flow", "s2", "priority=0,actions=NORMAL")
    for i in range(1, n_hosts + 1):
        options = dict(dict(host_options).get("h%d" % i, {}))
        if ip6:
            options["ip6"] = "2001:db8::%d/64" % (100 + i)
        lab.host("h%d" % i, "s2", "192.168.1.%d/24" % (100 + i), "00:00:00:00:00:%02x" % i,
                 **options)
    return [lab.hosts["h%d" % i] for i in range(1, n_hosts + 1)]


def virtual(lab, *arguments, address=VIRTUAL):
    """A daemon that owns a virtual address at s2."""
    daemon = lab.daemon("mp", "--address", address, *arguments, lab.ovs.mgmt("s2"))
    return daemon.wait_flows("s2")


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        assert more, "connection ended after %d of %d bytes" % (len(data), n)
        data += more
    return data


@test("virtual-address-serves-mosquitto-clients", needs=("daemon", "mosquitto"))
def virtual_address():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        assert h1.ping(VIRTUAL), "the virtual address answers ping"
        sub = lab.subscribe(h2, VIRTUAL, "a/#")
        lab.publish(h1, VIRTUAL, "a/b", "hello")
        assert sub.wait_messages(1)[0].payload == b"hello"
        assert lab.ovs.n_packets("s2", "tcp,nw_dst=%s,tp_dst=1883" % VIRTUAL) > 0


@test("taken-address-serves-although-the-owner-has-no-broker",
      needs=("daemon", "mosquitto", "tcpdump"))
def taken_address():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        lab.daemon("mp", "--take", h1.ip, lab.ovs.mgmt("s2")).wait_flows("s2")
        at_owner = lab.capture("h1", "tcp port 1883")
        sub = lab.subscribe(h2, h1.ip, "a/+")
        lab.publish(h2, h1.ip, "a/b", "hello")
        assert sub.wait_messages(1)[0].payload == b"hello"
        assert h2.ping(h1.ip), "the owner itself is reached as before"
        assert not at_owner.stop(), "no TCP of the service reaches the owner's port"


@test("wrong-password-is-refused-and-the-right-one-is-not", needs=("daemon", "mosquitto"))
def passwords():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab, "-u", "jorge", "-p", "passwd")
        sub = lab.subscribe(h2, VIRTUAL, "t", user="jorge", password="passwd")
        wrong = lab.publish(h1, VIRTUAL, "t", "no", user="jorge", password="wrong", check=False)
        assert wrong.returncode == 5, "CONNACK says not authorized: %r" % wrong
        nobody = lab.publish(h1, VIRTUAL, "t", "no", check=False)
        assert nobody.returncode == 5, "no user name at all: %r" % nobody
        lab.publish(h1, VIRTUAL, "t", "yes", user="jorge", password="passwd")
        assert [m.payload for m in sub.wait_messages(1)] == [b"yes"]


@test("qos-1-and-2-publishers-get-their-acknowledgements", needs=("daemon", "mosquitto"))
def publisher_qos():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        sub = lab.subscribe(h2, VIRTUAL, "q/#", qos=2)
        for qos in (0, 1, 2):
            lab.publish(h1, VIRTUAL, "q/%d" % qos, "m%d" % qos, qos=qos)
        assert sorted(m.payload for m in sub.wait_messages(3)) == [b"m0", b"m1", b"m2"]


@test("retained-message-and-will", needs=("daemon", "mosquitto"))
def retained_and_will():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        lab.publish(h1, VIRTUAL, "state", "on", retain=True)
        sub = lab.subscribe(h2, VIRTUAL, ["state", "gone"])
        first = sub.wait_messages(1)[0]
        assert (first.payload, first.retain) == (b"on", 1), first
        victim = lab.subscribe(h1, VIRTUAL, "x", more=["--will-topic", "gone",
                                                      "--will-payload", "dead"])
        victim.kill()
        assert sub.wait_messages(2)[1].payload == b"dead"


@test("binary-payloads-of-every-size-arrive-whole", needs=("daemon", "mosquitto"))
def binary_payloads():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        sub = lab.subscribe(h2, VIRTUAL, "b")
        sent = [payload_bytes(size, size) for size in (1, 127, 128, 1459, 1460, 1461, 16383, 16384,
                                                       60000, 200000)]
        for payload in sent:
            lab.publish(h1, VIRTUAL, "b", payload, qos=1)
        got = [m.payload for m in sub.wait_messages(len(sent), timeout=15)]
        assert got == sent, [len(p) for p in got]


def lossy_transfer(bridge, host_options):
    """200 kB from h1 to h2 and 200 kB back, byte-compared; QoS 1, so that the publisher's end
    says that the broker has it."""
    with Lab() as lab:
        h1, h2 = one_switch(lab, bridge=bridge, host_options=host_options)
        daemon = virtual(lab)
        there, back = payload_bytes(200000, 1), payload_bytes(200000, 2)
        sub1 = lab.subscribe(h1, VIRTUAL, "to/1")
        sub2 = lab.subscribe(h2, VIRTUAL, "to/2")
        lab.publish(h1, VIRTUAL, "to/2", there, qos=1, timeout=60)
        lab.publish(h2, VIRTUAL, "to/1", back, qos=1, timeout=60)
        assert sub2.wait_messages(1, timeout=60)[0].payload == there
        assert sub1.wait_messages(1, timeout=60)[0].payload == back
        return daemon.json("stats/show")


@test("200-kB-each-way-through-loss-and-reordering", timeout=150,
      needs=("daemon", "mosquitto", "relay"))
def through_loss():
    relay = ["--loss", "2", "--reorder", "2", "--seed", "7"]
    tcp = lossy_transfer({}, {"h1": {"relay": relay}, "h2": {"relay": relay}})["tcp"]
    assert tcp["retransmitted"] > 0 and tcp["out_of_order"] > 0, "the relay did its work: %r" % tcp


@test("200-kB-each-way-with-a-packet-in-queue-of-one", timeout=150,
      needs=("daemon", "mosquitto"))
def through_tiny_queue():
    lossy_transfer({"controller_queue_size": 1}, {})


@test("bursts-beyond-the-packet-in-queue-arrive-whole", timeout=90, needs=("daemon",))
def burst_overflow():
    """While the daemon does not read, vswitchd's queue fills and packet-ins are dropped; TCP has to
    bring all of it again."""
    def publish(client, topic, payload):
        body = b"\0\1" + topic + b"\0\1" + payload
        size = bytes([len(body) % 128 | 128, len(body) // 128 % 128 | 128, len(body) // 16384])
        client.sendall(b"\x32" + size + body)

    with Lab() as lab:
        h1, h2 = one_switch(lab, bridge={"controller_queue_size": 1})
        daemon = virtual(lab)
        clients = [h1.connect(VIRTUAL, timeout=30) for _ in range(20)]
        for i, client in enumerate(clients):
            client.sendall(b"\x10\x0f\0\4MQTT\4\2\0\x3c\0\3c%02d" % i)
            assert read_exactly(client, 4) == b"\x20\2\0\0"
        reader = h2.connect(VIRTUAL, timeout=30)
        reader.sendall(b"\x10\x0f\0\4MQTT\4\2\0\x3c\0\3sub\x82\6\0\1\0\1+\0")
        assert read_exactly(reader, 9) == b"\x20\2\0\0\x90\3\0\1\0"
        payloads = [payload_bytes(20000, i) for i in range(len(clients))]
        os.kill(daemon.pid, signal.SIGSTOP)
        for i, (client, payload) in enumerate(zip(clients, payloads)):
            publish(client, b"%c" % (65 + i), payload)
        wait_for(lambda: lab.ovs.coverage("rconn_overflow") > 0, 10, "dropped packet-ins")
        os.kill(daemon.pid, signal.SIGCONT)
        for client in clients:
            assert read_exactly(client, 4) == b"\x40\2\0\1", "acknowledged"
        got = {}
        for _ in clients:
            assert read_exactly(reader, 1) == b"\x30"
            length = read_exactly(reader, 3)
            body = read_exactly(reader, (length[0] & 127) + (length[1] & 127) * 128
                                + length[2] * 16384)
            got[body[2]] = body[3:]
        assert got == {65 + i: payload for i, payload in enumerate(payloads)}


@test("ipv6-clients-are-served", needs=("daemon", "mosquitto"))
def ipv6():
    with Lab() as lab:
        h1, h2 = one_switch(lab, ip6=True)
        virtual(lab, address=VIRTUAL6)
        assert h1.ping(VIRTUAL6), "the virtual address answers ping"
        payload = payload_bytes(30000)
        sub = lab.subscribe(h2, VIRTUAL6, "six")
        lab.publish(h1, VIRTUAL6, "six", payload, qos=1)
        assert sub.wait_messages(1)[0].payload == payload


@test("clients-in-a-vlan-are-served-in-it", needs=("daemon", "mosquitto", "tcpdump"))
def vlan():
    with Lab() as lab:
        h1, h2 = one_switch(lab, host_options={"h1": {"vlan": 42}})
        virtual(lab)
        wire = lab.capture("h1-v")
        assert h1.ping(VIRTUAL), "ping in VLAN 42"
        sub = lab.subscribe(h2, VIRTUAL, "v")
        lab.publish(h1, VIRTUAL, "v", "tagged", qos=1)
        assert sub.wait_messages(1)[0].payload == b"tagged"
        answers = wire.wait_frames(1, sport=1883)
        assert all(frame.vlan == 42 for frame in answers), answers


@test("fifty-clients-at-once", needs=("daemon",))
def fifty_clients():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        daemon = virtual(lab)
        clients = []
        for i in range(50):
            client = (h1, h2)[i % 2].connect(VIRTUAL)
            client.sendall(b"\x10\x0f\0\4MQTT\4\2\0\x3c\0\3c%02d" % i)
            clients.append(client)
        for client in clients:
            assert read_exactly(client, 4) == b"\x20\2\0\0"
            client.sendall(b"\x82\6\0\1\0\1t\0")
        for client in clients:
            assert read_exactly(client, 5) == b"\x90\3\0\1\0"
        clients[0].sendall(b"\x30\x08\0\1thello")
        for client in clients:
            assert read_exactly(client, 10) == b"\x30\x08\0\1thello"
        assert len(daemon.json("connection/show")) == 50
        assert len(daemon.json("session/show")) == 50


@test("traces-hold-what-came-and-what-went", needs=("daemon", "mosquitto"))
def traces():
    with Lab() as lab:
        h1, _ = one_switch(lab)
        first, second = os.path.join(lab.dir, "first.pcap"), os.path.join(lab.dir, "second.pcap")
        daemon = virtual(lab, "--pcap-trace", first)
        lab.publish(h1, VIRTUAL, "t", "one", qos=1)
        daemon.appctl("pcap/stop")
        lab.publish(h1, VIRTUAL, "t", "two", qos=1)
        daemon.appctl("pcap/start", second)
        lab.publish(h1, VIRTUAL, "t", "three", qos=1)
        summary = daemon.appctl("pcap/stop")
        assert "%d frames" % len(read_pcap(second)) in summary, summary
        for path, there, absent in ((first, b"one", b"two"), (second, b"three", b"two")):
            to_us = b"".join(f.payload for f in read_pcap(path) if f.has(dport=1883))
            from_us = b"".join(f.payload for f in read_pcap(path) if f.has(sport=1883))
            assert there in to_us and absent not in to_us, to_us
            assert b"\x20\2\0\0" in from_us and b"\x40\2\0\1" in from_us, "CONNACK, PUBACK"


@test("what-is-not-mqtt-to-the-virtual-address-is-refused", needs=("daemon", "tcpdump"))
def refusals():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        try:
            h1.connect(VIRTUAL, 80)
            raise AssertionError("port 80 was accepted")
        except ConnectionRefusedError:
            pass
        at_other = lab.capture("h2", "host " + VIRTUAL + " and not arp")
        udp = h1.socket(kind=socket.SOCK_DGRAM)
        udp.connect((VIRTUAL, 9))
        udp.send(b"discard this")

        def refused():
            try:
                udp.send(b"x")
                return False
            except ConnectionRefusedError:
                return True
        wait_for(refused, 5, "ICMP port unreachable")
        assert not at_other.stop(), "and nothing of it was flooded"


@test("garbage-from-a-client-harms-nobody", needs=("daemon", "mosquitto"))
def garbage():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        daemon = virtual(lab)
        sub = lab.subscribe(h2, VIRTUAL, "t")
        for junk in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 5000, b"\x10\xff\xff\xff\xff\x7f",
                     b"\x10\x0c\0\4MQTT\4\xff\0\x3c\0\0", payload_bytes(3000)):
            client = h1.connect(VIRTUAL)
            client.sendall(junk)
            client.settimeout(5)
            try:
                assert client.recv(100) in (b"", b"\x20\2\0\1"), "it is closed on"
            except ConnectionResetError:
                pass
        lab.publish(h1, VIRTUAL, "t", "still here")
        assert sub.wait_messages(1)[0].payload == b"still here"
        assert daemon.process.is_running()


@test("segment-of-an-unknown-connection-is-reset-at-once", needs=("daemon",))
def unknown_connection():
    with Lab() as lab:
        h1, _ = one_switch(lab)
        daemon = virtual(lab)
        client = h1.connect(VIRTUAL)
        client.sendall(CONNECT % 1)
        assert read_exactly(client, 4) == b"\x20\2\0\0"
        daemon.kill()
        daemon.start().wait_control().wait_flows("s2")
        started = time.monotonic()
        client.sendall(b"\xc0\0")
        try:
            answer = client.recv(10)
            raise AssertionError("got %r instead of a reset" % answer)
        except ConnectionResetError:
            pass
        assert time.monotonic() - started < 0.2, "without a retransmission"


@test("daemon-listens-on-no-socket-and-no-firewall-rule-exists", needs=("daemon", "mosquitto"))
def nothing_listens():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        daemon = virtual(lab)
        sub = lab.subscribe(h2, VIRTUAL, "t")
        lab.publish(h1, VIRTUAL, "t", "x")
        sub.wait_messages(1)
        for host in (h1, h2):
            assert not host.run("ss -Hltn").stdout.strip(), "nothing listens on a host"
        own = lab.run("ss -Htanp").stdout.decode()
        assert "pid=%d," % daemon.pid not in own, own
        rules = run(["ip", "netns", "exec", lab.ns, "nft", "list", "ruleset"], check=False).stdout
        assert not rules.strip(), rules


@test("keep-alive-of-a-silent-client-ends-its-connection", needs=("daemon",))
def keep_alive():
    with Lab() as lab:
        h1, _ = one_switch(lab)
        virtual(lab)
        client = h1.connect(VIRTUAL)
        client.sendall(b"\x10\x0d\0\4MQTT\4\2\0\1\0\1c")
        assert read_exactly(client, 4) == b"\x20\2\0\0"
        started = time.monotonic()
        try:
            assert client.recv(1) == b"", "closed by the broker"
        except ConnectionResetError:
            pass
        assert 1.2 < time.monotonic() - started < 3, "after one and a half keep-alives"


@test("idle-daemon-sends-no-frames", needs=("daemon", "tcpdump"))
def idle_is_silent():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        client = h1.connect(VIRTUAL)
        client.sendall(CONNECT % 1)
        assert read_exactly(client, 4) == b"\x20\2\0\0"
        wire = lab.capture("h1", "tcp port 1883")
        stays(lambda: not [f for f in wire.frames(sport=1883)], 2.0, "silence")


@test("another-host-with-the-virtual-address-is-reported-and-kept-away", needs=("daemon",))
def address_conflict():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        daemon = virtual(lab)
        assert h1.ping(VIRTUAL)
        mac, ip = bytes.fromhex(h2.mac.replace(":", "")), socket.inet_aton(VIRTUAL)
        claim = (b"\xff" * 6 + mac + bytes.fromhex("08060001080006040001") + mac + ip
                 + b"\0" * 6 + ip)
        wire = h2.packet_socket()
        for _ in range(5):
            wire.send(claim)
        wait_for(lambda: daemon.json("stats/show")["net"]["address_conflicts"] == 5, 5, "counts")
        wait_for(lambda: "claimed by " + h2.mac in daemon.log, 5, "a warning")
        assert daemon.log.count("claimed by") == 1, "said once"
        assert "on port %d " % h2.ofport in daemon.log
        arp = h1.run("ip neigh show " + VIRTUAL).stdout.decode()
        assert h2.mac not in arp, "h1 was not deceived: " + arp
        assert h1.ping(VIRTUAL), "and is served"
