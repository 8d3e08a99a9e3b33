# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""Two edges: the prototype's network with a learning-switch controller, a daemon at s2 that takes
192.168.1.101 and one at s3 that takes 192.168.1.104, subscribers on h2, publishers on h3."""

import json
import socket
import time

from lab import Lab, payload_bytes, stays, test, wait_for

H1, H4 = "192.168.1.101", "192.168.1.104"
LOGIN = {"user": "jorge", "password": "passwd"}
# What the prototype was recorded to send (and what it understands).
SUBSCRIBE_TOPIC1 = bytes.fromhex("820b00010006746f7069633100")
UNSUBSCRIBE_TOPIC1 = bytes.fromhex("b00a00010006746f7069633100")
PUBLISH_TOPIC1 = bytes.fromhex("30100006746f706963316d65737361676531")
NEEDS = ("daemon", "mosquitto", "tcpdump", "os-ken")


class Edges:
    """The network, the controller, both daemons, and a capture of peers' datagrams at s1."""

    def __init__(self, lab, peer_options="", more=(), trunk_mtu=1500):
        self.lab = lab
        self.h1, self.h2, self.h3, self.h4 = lab.tree(trunk_mtu=trunk_mtu)
        self.controller = lab.controller("s1", "s2", "s3")
        for name, bridge, own, peer in (("mp2", "s2", H1, H4), ("mp3", "s3", H4, H1)):
            daemon = lab.daemon(name, "-t", "1883", "-u", "jorge", "-p", "passwd", "-F",
                                peer + peer_options, "-U", "1883", "--take", own, *more,
                                lab.ovs.mgmt(bridge))
            setattr(self, name, daemon.wait_flows(bridge))
        self.root = lab.capture("s1-s2", "udp port 1883 or tcp port 1883 or ip[6:2] & 0x3fff != 0")

    def datagrams(self, src=None):
        """Payloads of the peers' datagrams at s1, repetitions of SUBSCRIBE apart."""
        seen, out = set(), []
        for frame in self.root.frames(proto=17):
            if src is not None and frame.ip_src != src:
                continue
            # A repetition differs in its packet identifier.
            key = (frame.ip_src, bytes(frame.payload[4:]))
            if frame.payload[:1] == b"\x82" and key in seen:
                continue
            seen.add(key)
            out.append(bytes(frame.payload))
        return out

    def begin_stream(self, topic):
        """A subscriber on h2, who has had two messages of a publisher's on h3: the second crossed in the
        reliable dialect."""
        sub = self.lab.subscribe(self.h2, H1, topic, **LOGIN)
        self.wait_datagrams(1, src=H1)
        self.lab.publish(self.h3, H4, topic, "first", qos=1, **LOGIN)
        wait_for(lambda: self.mp3.json("peer/show")[0]["dialect"] == "reliable", 15,
                 "the other proxy's word that it speaks the reliable dialect")
        self.lab.publish(self.h3, H4, topic, "second", qos=1, **LOGIN)
        sub.wait_messages(2)
        return sub

    def wait_datagrams(self, n, src=None, timeout=5):
        return wait_for(lambda: self.datagrams(src) if len(self.datagrams(src)) >= n else None,
                        timeout, lambda: "%d datagrams of %s; there are %r" % (
                            n, src, self.datagrams(src)))


@test("prototype-scenario-in-both-directions", timeout=90, needs=NEEDS)
def scenario():
    with Lab() as lab:
        e = Edges(lab)
        sub = lab.subscribe(e.h2, H1, "topic1", **LOGIN)
        e.wait_datagrams(1, src=H1)
        lab.publish(e.h3, H4, "topic1", "message1", **LOGIN)
        assert sub.wait_messages(1)[0].payload == b"message1"
        # The other way round: h3 publishes at 192.168.1.101, which is the subscriber's own edge.
        lab.publish(e.h3, H1, "topic1", "message2", **LOGIN)
        assert sub.wait_messages(2)[1].payload == b"message2"
        back = lab.subscribe(e.h3, H4, "back", **LOGIN)
        e.wait_datagrams(1, src=H4)
        lab.publish(e.h2, H1, "back", "message3", **LOGIN)
        assert back.wait_messages(1)[0].payload == b"message3"
        assert e.datagrams(H1)[0] == SUBSCRIBE_TOPIC1, "SUBSCRIBE as the prototype's"
        assert PUBLISH_TOPIC1 in e.datagrams(H4), "PUBLISH as the prototype's"
        assert not [f for f in e.root.frames(proto=6) if H4 in (f.ip_src, f.ip_dst)], \
            "no TCP between h3 and 192.168.1.104 crosses the core"
        for bridge, own in (("s2", H1), ("s3", H4)):
            assert lab.ovs.n_packets(bridge, "tcp,nw_dst=%s,tp_dst=1883" % own) > 0, bridge


@test("silence-where-nobody-listens", timeout=90, needs=NEEDS)
def silence():
    with Lab() as lab:
        e = Edges(lab)
        lab.publish(e.h3, H4, "nobody", "x", **LOGIN)
        one = lab.subscribe(e.h2, H1, "topic1", **LOGIN)
        e.wait_datagrams(1, src=H1)
        two = lab.subscribe(e.h2, H1, "topic1", **LOGIN)
        lab.publish(e.h3, H4, "topic2", "x", **LOGIN)
        lab.publish(e.h3, H4, "topic1", "message1", **LOGIN)
        one.wait_messages(1), two.wait_messages(1)
        assert e.datagrams() == [SUBSCRIBE_TOPIC1, PUBLISH_TOPIC1], e.datagrams()
        one.kill()
        stays(lambda: UNSUBSCRIBE_TOPIC1 not in e.datagrams(), 0.5, "the second subscriber's right")
        two.stop()
        assert e.wait_datagrams(3)[2] == UNSUBSCRIBE_TOPIC1
        lab.publish(e.h3, H4, "topic1", "late", **LOGIN)
        stays(lambda: len(e.datagrams()) == 3, 0.5, "silence after UNSUBSCRIBE")


@test("unsubscribe-leaves-by-disconnect-reset-and-keep-alive", timeout=90, needs=NEEDS)
def unsubscribe():
    connect = (b"\x10\x1f\0\4MQTT\4\xc2\0\1\0\4raw1\0\5jorge\0\6passwd")
    subscribe = b"\x82\x0b\0\1\0\6topic1\0"
    with Lab() as lab:
        e = Edges(lab)

        def raw_subscriber():
            client = e.h2.connect(H1)
            client.sendall(connect)
            assert client.recv(4) == b"\x20\2\0\0"
            client.sendall(subscribe)
            assert client.recv(5) == b"\x90\3\0\1\0"
            return client

        def n_unsubscribes():
            return sum(1 for f in e.root.frames(proto=17) if f.payload == UNSUBSCRIBE_TOPIC1)

        client = raw_subscriber()
        client.sendall(b"\xe0\0")
        wait_for(lambda: n_unsubscribes() == 1, 5, "UNSUBSCRIBE after DISCONNECT")
        client = raw_subscriber()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        wait_for(lambda: n_unsubscribes() == 2, 5, "UNSUBSCRIBE after a TCP reset")
        client = raw_subscriber()           # Keep-alive of one second, and silence.
        wait_for(lambda: n_unsubscribes() == 3, 5, "UNSUBSCRIBE after keep-alive")


@test("controller-sees-none-of-our-frames", timeout=120, needs=NEEDS)
def controller_isolation():
    with Lab() as lab:
        e = Edges(lab)
        sub = lab.subscribe(e.h2, H1, "topic1", **LOGIN)
        e.wait_datagrams(1, src=H1)
        lab.publish(e.h3, H4, "topic1", "0", **LOGIN)
        sub.wait_messages(1)
        before = e.controller.settle()
        for dpid in (2, 3):
            for kind in ("tcp/1883", "udp/1883"):
                assert e.controller.packet_ins(dpid, kind) == 0, before
        # At its own bridge, neither a daemon's probes nor the answers to them.
        for dpid, daemon in ((2, e.mp2), (3, e.mp3)):
            assert daemon.json("stats/show")["net"]["arp_probes"] > 0
            assert before[dpid]["kinds"]["arp"] > 0 and len(before[dpid]["macs"]) > 2, before
            assert daemon.json("switch/show")["probe_mac"] not in before[dpid]["macs"], before
        client = e.h3.connect(H4)
        client.sendall(b"\x10\x1f\0\4MQTT\4\xc2\0\x3c\0\4pub1\0\5jorge\0\6passwd")
        assert client.recv(4) == b"\x20\2\0\0"
        e.controller.settle()
        before = e.controller.stats()
        for i in range(100):
            client.sendall(b"\x30\x0b\0\6topic1%3d" % i)
            wait_for(lambda: len(sub.messages) >= 2 + i, 5, "message %d" % i, pause=0.002)
        after = e.controller.settle()
        assert after == before, "100 further messages raised no packet-in count: %r, then %r" % (
            before, after)


@test("large-message-crosses-the-edges", timeout=90, needs=NEEDS)
def large():
    with Lab() as lab:
        e = Edges(lab)
        sub = lab.subscribe(e.h2, H1, "big", **LOGIN)
        e.wait_datagrams(1, src=H1)
        payload = payload_bytes(60000)
        lab.publish(e.h3, H4, "big", payload, qos=1, **LOGIN)
        assert sub.wait_messages(1)[0].payload == payload
        wait_for(lambda: e.mp3.json("peer/show")[0]["dialect"] == "reliable", 10,
                 "the other proxy's word that it speaks the reliable dialect")
        larger = payload_bytes(300000)
        lab.publish(e.h3, H4, "big", larger, qos=1, **LOGIN)
        assert sub.wait_messages(2)[1].payload == larger, "larger than any datagram"


@test("peers-use-what-the-trunk-carries", timeout=90, needs=NEEDS)
def trunk():
    with Lab() as lab:
        e = Edges(lab, trunk_mtu=9000)
        sub = e.begin_stream("big")
        wait_for(lambda: e.mp3.json("peer/show")[0]["mtu"] == 9000, 5, "a probe of 9,000 bytes")
        before = len(e.root.frames(proto=17))
        payload = payload_bytes(60000)
        lab.publish(e.h3, H4, "big", payload, qos=1, **LOGIN)
        assert sub.wait_messages(3)[2].payload == payload
        data = [f for f in e.root.frames(proto=17)[before:] if f.payload[:2] in (b"\xf1\1", b"\xf1\x81")]
        assert 7 <= len(data) <= 10, "%d datagrams" % len(data)
        assert max(len(f.payload) for f in data) == 9000 - 28
        # The trunk is not what it was, and nobody says so.
        for end in ("s1-s2", "s2-s1", "s1-s3", "s3-s1"):
            lab.ip("link", "set", "dev", end, "mtu", "1500")
        payload = payload_bytes(60000)[::-1]
        lab.publish(e.h3, H4, "big", payload, qos=1, **LOGIN)
        assert sub.wait_messages(4)[3].payload == payload
        wait_for(lambda: e.mp3.json("peer/show")[0]["mtu"] == 1500, 5, "the base again")
        assert e.mp3.json("stats/show")["peer"]["black_holes"] == 1


def senml(n_records):
    """Readings as sensors send them (RFC 8428)."""
    return json.dumps([{"n": ("temperature", "pressure", "flow")[i % 3], "u": ("Cel", "Pa", "m3/s")[i % 3],
                        "t": -i, "v": i * 7919 % 10007 / 100} for i in range(n_records)]).encode()


@test("what-sensors-send-crosses-compressed", timeout=90, needs=NEEDS)
def compressed():
    with Lab() as lab:
        e = Edges(lab)
        sub = e.begin_stream("senml")
        # Whoever answers DATA says that it can be sent packs.
        wait_for(lambda: any(f.payload[:2] == b"\xf1\2" for f in e.root.frames(proto=17)), 5, "an ACK")
        before = len(e.root.frames(proto=17))
        payload = senml(1000)
        lab.publish(e.h3, H4, "senml", payload, qos=1, **LOGIN)
        assert sub.wait_messages(3)[2].payload == payload
        there, here = (mp.json("stats/show")["peer"] for mp in (e.mp3, e.mp2))
        assert there["packed_out"] == here["packed_in"] == 1, (there, here)
        assert there["packed_saved"] > len(payload) / 2, there
        data = [f for f in e.root.frames(proto=17)[before:] if f.payload[:2] in (b"\xf1\1", b"\xf1\x81")]
        assert len(data) * 1456 < len(payload) / 2, "%d datagrams" % len(data)
        payload = payload_bytes(60000)
        lab.publish(e.h3, H4, "senml", payload, qos=1, **LOGIN)
        assert sub.wait_messages(4)[3].payload == payload
        assert e.mp3.json("stats/show")["peer"]["packed_out"] == 1, "what saves nothing is not packed"


@test("large-message-to-a-prototype-is-refused-aloud", timeout=90, needs=NEEDS)
def too_large():
    with Lab() as lab:
        e = Edges(lab, peer_options=",strict")
        sub = lab.subscribe(e.h2, H1, "big", **LOGIN)
        e.wait_datagrams(1, src=H1)
        lab.publish(e.h3, H4, "big", b"x" * 65510, qos=1, **LOGIN)
        wait_for(lambda: "too big" in e.mp3.log, 5, "a line about what is not sent")
        lab.publish(e.h3, H4, "big", b"y", qos=1, **LOGIN)
        assert sub.wait_messages(1)[0].payload == b"y"


@test("order-of-starting-does-not-matter", timeout=90, needs=NEEDS)
def late_peer():
    with Lab() as lab:
        e = Edges(lab, more=("--peer-refresh", "2"))
        e.mp3.kill()
        sub = lab.subscribe(e.h2, H1, "topic1", **LOGIN)
        e.mp3.start().wait_control().wait_flows("s3")
        wait_for(lambda: e.mp3.json("peer/show")[0].get("filters"), 10,
                 "the standing SUBSCRIBE at the late peer")
        lab.publish(e.h3, H4, "topic1", "message1", **LOGIN)
        assert sub.wait_messages(1)[0].payload == b"message1"


@test("strict-peer-gets-what-the-prototype-can-bear", timeout=90, needs=NEEDS)
def strict():
    with Lab() as lab:
        e = Edges(lab, peer_options=",strict")
        two = lab.subscribe(e.h2, H1, ["topic1", "topic2", "topic3"], **LOGIN)
        e.wait_datagrams(3, src=H1)
        lab.publish(e.h3, H4, "topic1", b"\xff\xfe", **LOGIN)
        for i in range(4):
            lab.publish(e.h3, H4, "topic%d" % (i % 3 + 1), "m%d" % i, **LOGIN)
        two.wait_messages(4)
        for src in (H1, H4):
            times = [f.t for f in e.root.frames(proto=17) if f.ip_src == src]
            gaps = [b - a for a, b in zip(times, times[1:])]
            assert min(gaps) >= 0.145, "at least 150 ms between datagrams of %s: %r" % (src, gaps)
        assert all(d[:1] != b"\x82" or len(d) == 13 for d in e.datagrams(H1)), "one topic each"
        assert not any(b"\xff\xfe" in d for d in e.datagrams(H4)), "UTF-8 payloads only"
        assert e.mp3.json("stats/show")["peer"]["not_utf8"] == 1


@test("peers-by-socket-through-the-sdn-application", timeout=120, needs=NEEDS)
def application():
    """h3 -> proxy at s3 -> application on the control network -> proxy at s2 -> h2."""
    with Lab() as lab:
        h1, h2, h3, h4 = lab.tree()
        env = {"MQTT_PEER_APP_LISTEN": "127.0.0.1:11883",
               "MQTT_PEER_APP_PEERS": "127.0.0.1:1882 127.0.0.1:1883"}
        lab.controller("s1", "s2", "s3", apps=("learning_switch.py", "peer_app.py"), env=env)
        for name, bridge, own, port in (("mp2", "s2", H1, 1882), ("mp3", "s3", H4, 1883)):
            lab.daemon(name, "-u", "jorge", "-p", "passwd", "--take", own, "-U", port,
                       "-F", "socket:127.0.0.1:11883", lab.ovs.mgmt(bridge)).wait_flows(bridge)
        root = lab.capture("s1-s2", "udp port 1883 or tcp port 1883")
        sub = lab.subscribe(h2, H1, "topic1", **LOGIN)

        def arrived():
            lab.publish(h3, H4, "topic1", "message1", **LOGIN)
            time.sleep(0.1)
            return sub.messages
        wait_for(arrived, 10, "a message through the application")
        assert sub.messages[0].payload == b"message1"
        assert not [f for f in root.frames(proto=17)], "nothing of it crossed the switches"


@test("taken-addresses-and-peers-over-ipv6", timeout=90, needs=NEEDS)
def ipv6():
    own = {"h%d" % i: "2001:db8::10%d" % i for i in (1, 2, 3, 4)}
    with Lab() as lab:
        h1, h2, h3, h4 = lab.tree(**{name: {"ip6": a + "/64"} for name, a in own.items()})
        controller = lab.controller("s1", "s2", "s3")
        daemons = {}
        for bridge, mine, peer in (("s2", h1, h4), ("s3", h4, h1)):
            daemons[bridge] = lab.daemon("mp" + bridge, "--take", mine.ip6, "-F",
                                         peer.ip6 + ",strict", lab.ovs.mgmt(bridge)).wait_flows(bridge)
        root = lab.capture("s1-s2", "ip6 and not icmp6")
        at_owner = lab.capture("h4", "tcp port 1883")
        for daemon, owner in ((daemons["s2"], h1), (daemons["s3"], h4)):
            wait_for(lambda: [n for n in daemon.json("neighbour/show")
                              if n["address"] == owner.ip6 and n["mac"] == owner.mac], 10,
                     "the owner of " + owner.ip6)
        sub = lab.subscribe(h2, h1.ip6, "six/#")
        wait_for(lambda: daemons["s3"].json("peer/show")[0]["filters"] == 1, 10, "SUBSCRIBE")
        payload = b"x" * 20000      # To a prototype in fragments: extension headers all the way.
        lab.publish(h3, h4.ip6, "six/small", "message1", qos=1)
        lab.publish(h3, h4.ip6, "six/large", payload, qos=1)
        assert [m.payload for m in sub.wait_messages(2)] == [b"message1", payload]
        assert h3.ping(h4.ip6) and h2.ping(h1.ip6), "the owners are reached as before"
        frames = root.frames(proto=17)
        assert {(f.ip_src, f.ip_dst) for f in frames} == {(h1.ip6, h4.ip6), (h4.ip6, h1.ip6)}
        assert not root.frames(proto=6), "no TCP crosses the core"
        assert not at_owner.stop(), "nor reaches the owner"
        assert daemons["s2"].json("stats/show")["net"]["reassembled"] == 1
        kinds = controller.settle()
        for dpid in (2, 3):
            assert not {"tcp/1883", "udp/1883"} & set(kinds[dpid]["kinds"]), kinds
