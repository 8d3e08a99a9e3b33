# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""The peer application under os-ken, between plain UDP sockets that speak the prototype's
dialect in its recorded bytes."""

import json
import os
import socket

from lab import PYTHON, TOP, Lab, program, run, stays, test, wait_for

SUB = bytes.fromhex("820b00010006746f7069633100")
UNSUB = bytes.fromhex("b00a00010006746f7069633100")
PUB = bytes.fromhex("30100006746f706963316d65737361676531")
PUB_AND_MORE = PUB + bytes.fromhex("e000")


def start_app(lab, host, peers, **settings):
    status = os.path.join(lab.dir, "peer-app.json")
    env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", MQTT_PEER_APP_PEERS=peers,
               MQTT_PEER_APP_LISTEN=host.ip + ":1883", MQTT_PEER_APP_STATUS=status, **settings)
    app = host.spawn("peer-app", [program("osken-manager"),
                                  os.path.join(TOP, "ryu-interop", "peer_app.py")], env=env)
    wait_for(lambda: os.path.exists(status), 20, lambda: "the application: " + app.text)

    def show():
        assert app.is_running(), app.text
        with open(status) as text:
            return json.load(text)
    return show


def peer_socket(host, timeout=5):
    made = host.socket(kind=socket.SOCK_DGRAM, timeout=timeout)
    made.bind((host.ip, 1883))
    made.connect(("10.0.0.1", 1883))
    return made


def nothing_comes(sock):
    """Everything sent until now has been dealt with, and none of it came here."""
    sock.settimeout(0.3)
    try:
        return "unexpected: " + sock.recv(65536).hex()
    except socket.timeout:
        return None


@test("peer-app-relays-between-proxies", needs=("os-ken",))
def relays():
    with Lab() as lab:
        lab.bridge("s1", fail_mode="standalone")
        app, one, two, stranger = [lab.host(name, "s1", "10.0.0.%d/24" % (i + 1))
                                   for i, name in enumerate(("app", "p2", "p3", "x"))]
        show = start_app(lab, app, "10.0.0.2 10.0.0.3")
        a, b, x = peer_socket(one), peer_socket(two), peer_socket(stranger)

        a.send(SUB)
        assert b.recv(2000) == SUB
        b.send(PUB_AND_MORE)
        assert a.recv(2000) == PUB
        # b is told again when it speaks for the first time.
        assert b.recv(2000) == SUB
        # Neither back to its sender, nor from or to strangers.
        x.send(PUB)
        x.send(SUB)
        a.send(PUB)
        wait_for(lambda: show()["counters"]["unknown_source"] == 2, 5, show)
        assert [nothing_comes(s) for s in (a, b, x)] == [None] * 3
        big = bytes.fromhex("30dfff030005742f626967") + b"a" * 65496
        for s in (a, b):
            s.settimeout(5)
        a.send(bytes.fromhex("82080001000374") + b"/#\0")
        assert b.recv(2000) == bytes.fromhex("820800010003742f2300")
        b.send(big)
        assert a.recv(65535) == big
        a.send(UNSUB)
        assert b.recv(2000) == UNSUB
        b.send(PUB)
        b.send(b"\xff junk")
        b.send(b"")
        wait_for(lambda: show()["counters"]["refused"] == 2, 5, show)
        assert nothing_comes(a) is None
        peers = {peer["peer"]: peer for peer in show()["peers"]}
        assert peers["10.0.0.2:1883"]["filters"] == ["t/#"], peers
        assert peers["10.0.0.3:1883"]["told"] == ["t/#"], peers


@test("peer-app-forgets-a-silent-peer-and-takes-whoever-speaks", needs=("os-ken",))
def expiry():
    with Lab() as lab:
        lab.bridge("s1", fail_mode="standalone")
        app, one, two = [lab.host(name, "s1", "10.0.0.%d/24" % (i + 1))
                         for i, name in enumerate(("app", "p2", "p3"))]
        show = start_app(lab, app, "", MQTT_PEER_APP_EXPIRY="1.5")
        a, b = peer_socket(one), peer_socket(two)
        a.send(SUB)
        wait_for(lambda: len(show()["peers"]) == 1, 5, show)
        b.send(PUB)
        assert a.recv(2000) == PUB
        assert b.recv(2000) == SUB
        for _ in range(8):                          # b goes on, a is silent
            b.send(b"\0")
            stays(lambda: True, 0.2)
        assert b.recv(2000) == UNSUB
        assert [peer["peer"] for peer in show()["peers"]] == ["10.0.0.3:1883"]
        assert show()["counters"]["expired"] == 1


# os_ken's modules under RYU's names; os_ken itself cannot be imported any more.
UNDER_RYUS_NAMES = """
import sys, types
from os_ken.base import app_manager
from os_ken.controller import handler, ofp_event
from os_ken.lib import hub
from os_ken.ofproto import ofproto_v1_3
import os_ken.ofproto.ofproto_v1_3_parser
renamed = types.ModuleType("ryu.base.app_manager")
renamed.RyuApp = app_manager.OSKenApp
modules = {"ryu.base.app_manager": renamed, "ryu.controller.handler": handler,
           "ryu.controller.ofp_event": ofp_event, "ryu.lib.hub": hub,
           "ryu.ofproto.ofproto_v1_3": ofproto_v1_3}
for name in ("ryu", "ryu.base", "ryu.controller", "ryu.lib", "ryu.ofproto"):
    modules[name] = types.ModuleType(name)
for name, module in modules.items():
    sys.modules[name] = module
    if "." in name:
        setattr(modules[name.rpartition(".")[0]], name.rpartition(".")[2], module)
for name in [n for n in sys.modules if n.split(".")[0] == "os_ken"]:
    sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
import learning_switch, peer_app
print(learning_switch.App is renamed.RyuApp, peer_app.App is renamed.RyuApp)
"""


@test("applications-load-under-ryus-names", needs=("os-ken",))
def ryu_names():
    done = run([PYTHON, "-B", "-c", UNDER_RYUS_NAMES, os.path.join(TOP, "ryu-interop")])
    assert done.stdout == b"True True\n", done


@test("peer-app-runs-beside-the-learning-switch-in-one-manager", needs=("os-ken",))
def beside_switch():
    with Lab() as lab:
        h1, _, h3, _ = lab.tree()
        status = os.path.join(lab.dir, "peer-app.json")
        lab.controller("s1", "s2", "s3", apps=("learning_switch.py", "peer_app.py"), env={
            "MQTT_PEER_APP_LISTEN": "127.0.0.1:1883", "MQTT_PEER_APP_STATUS": status})
        assert h1.ping(h3.ip)
        lab.run(["bash", "-c", "printf '\\x82\\x06\\0\\1\\0\\1t\\0' "
                 "> /dev/udp/127.0.0.1/1883"])
        wait_for(lambda: '"filters": [\n    "t"' in open(status).read(), 5,
                 lambda: open(status).read())


@test("peer-app-carries-from-h3-to-h2-through-two-proxies", timeout=60,
      needs=("os-ken", "daemon", "mosquitto", "tcpdump"))
def through_proxies():
    with Lab() as lab:
        h1, h2, h3, h4 = lab.tree()
        status = os.path.join(lab.dir, "peer-app.json")
        lab.controller("s1", "s2", "s3", apps=("learning_switch.py", "peer_app.py"), env={
            "MQTT_PEER_APP_LISTEN": "127.0.0.1:1883", "MQTT_PEER_APP_STATUS": status,
            "MQTT_PEER_APP_PEERS": "127.0.0.2 127.0.0.3"})
        for name, host, bridge, place in (("p1", h1, "s2", "127.0.0.2"),
                                          ("p2", h4, "s3", "127.0.0.3")):
            lab.daemon(name, "--take=" + host.ip, "-F", "socket:127.0.0.1:1883",
                       "--peer-socket=%s:1883" % place, bridge).wait_flows(bridge)
        on_s1 = lab.capture("s1-s2", "port 1883")
        sub = lab.subscribe(h2, h1.ip, "topic1/#")

        def told():
            with open(status) as text:
                peers = {peer["peer"]: peer for peer in json.load(text)["peers"]}
            return peers["127.0.0.3:1883"]["told"] == ["topic1/#"]
        wait_for(told, 5, "the SUBSCRIBE on its way")
        payload = bytes(range(256)) * 4
        lab.publish(h3, h4.ip, "topic1/a", payload, qos=1)
        assert sub.wait_messages(1)[0].payload == payload
        # Through the application on the control network, not across the core.
        assert on_s1.stop() == []
