# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""What the daemon's flows and clients live through: quiet times, flushes, a first controller, a
vswitchd that is killed; and the guards that stand in place of iptables."""

import glob
import os
import signal
import pwd
import re
import socket
import struct
import threading
import time

from lab import TOP, Lab, Skip, program, stays, test, wait_for
from test_edge import CONNECT, VIRTUAL, one_switch, read_exactly, virtual


class FlowMods:
    """Counts the FLOW_MODs that vswitchd receives, by its own debug log."""

    def __init__(self, ovs):
        self.ovs, self.process = ovs, ovs.vswitchd
        ovs.appctl("vlog/set", "vconn:console:dbg")
        # Its own messages apart, nothing may limit their number.
        ovs.appctl("vlog/disable-rate-limit", "vconn")
        self.mark()

    def mark(self):
        self.at = len(self.process.text)

    def lines(self):
        return [line for line in self.process.text[self.at:].splitlines()
                if "OFPT_FLOW_MOD" in line and "received" in line]


def texts(lab):
    return sorted(flow["text"] for flow in lab.ovs.our_flows("s2"))


def flows_back(lab, want, within=1.0):
    """The flows are the same as before 'within' a second (and a little for the asking)."""
    started = time.monotonic()
    wait_for(lambda: texts(lab) == want, 10, lambda: "flows %r; there are %r" % (
        want, texts(lab)), pause=0.02)
    took = time.monotonic() - started
    assert took < within + 0.5, "flows were back only after %.2f s" % took


@test("no-flow-mod-in-thirty-quiet-seconds", timeout=90, needs=("daemon",))
def quiet():
    with Lab() as lab:
        h1, _ = one_switch(lab)
        virtual(lab)
        client = h1.connect(VIRTUAL)
        client.sendall(CONNECT % 1)
        assert read_exactly(client, 4) == b"\x20\2\0\0"
        # A FLOW_MOD of somebody else proves that the log would show one.
        mods = FlowMods(lab.ovs)
        lab.ovs.ofctl("add-flow", "s2", "priority=5,tcp,tp_dst=7777,actions=drop")
        wait_for(mods.lines, 5, "a FLOW_MOD in vswitchd's log")
        mods.mark()
        time.sleep(30)              # The thing to be shown is that nothing happens.
        assert not mods.lines(), mods.lines()


@test("only-the-missing-flows-are-sent-again", needs=("daemon",))
def repair():
    with Lab() as lab:
        one_switch(lab)
        virtual(lab)
        want = texts(lab)
        mods = FlowMods(lab.ovs)
        lab.ovs.ofctl("--strict", "del-flows", "s2", "priority=300,tcp,nw_dst=%s,tp_dst=1883" % VIRTUAL,
                      version="OpenFlow13")
        flows_back(lab, want)
        ours = [line for line in mods.lines() if "DEL" not in line]
        assert len(ours) == 1, "one flow was missing, these were sent: %r" % ours


@test("flows-are-back-after-del-flows", needs=("daemon", "mosquitto"))
def flush():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        want = texts(lab)
        sub = lab.subscribe(h2, VIRTUAL, "t")
        lab.ovs.ofctl("del-flows", "s2", version="OpenFlow13")
        flows_back(lab, want)
        lab.ovs.ofctl("add-flow", "s2", "priority=0,actions=NORMAL")
        lab.publish(h1, VIRTUAL, "t", "after", qos=1)
        assert sub.wait_messages(1)[0].payload == b"after", "the subscriber's connection goes on"


@test("flows-are-back-after-the-first-set-controller", timeout=90,
      needs=("daemon", "mosquitto", "os-ken"))
def first_controller():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        want = texts(lab)
        sub = lab.subscribe(h2, VIRTUAL, "t")
        lab.ovs.vsctl("set-controller", "s2", "tcp:127.0.0.1:6653")
        flows_back(lab, want)
        lab.controller("s2")
        flows_back(lab, want)
        lab.publish(h1, VIRTUAL, "t", "after", qos=1)
        assert sub.wait_messages(1)[0].payload == b"after"


@test("killed-vswitchd-comes-back-with-our-flows", timeout=90, needs=("daemon", "mosquitto"))
def kill_vswitchd():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        daemon = virtual(lab)
        want = texts(lab)
        sub = lab.subscribe(h2, VIRTUAL, "t")
        lab.ovs.kill_vswitchd()
        lab.ovs.start_vswitchd()
        flows_back(lab, want)
        lab.ovs.ofctl("add-flow", "s2", "priority=0,actions=NORMAL")
        lab.publish(h1, VIRTUAL, "t", "after", qos=1, timeout=30)
        assert sub.wait_messages(1, timeout=20)[0].payload == b"after", \
            "the subscriber's connection has outlived vswitchd"
        assert daemon.process.is_running()


@test("missing-bridge-is-waited-for", needs=("daemon", "mosquitto"))
def late_bridge():
    with Lab() as lab:
        daemon = lab.daemon("mp", "--address", VIRTUAL, lab.ovs.mgmt("s2"))
        stays(lambda: daemon.process.is_running(), 1.0, "patience")
        h1, h2 = one_switch(lab)
        daemon.wait_flows("s2")
        sub = lab.subscribe(h2, VIRTUAL, "t")
        lab.publish(h1, VIRTUAL, "t", "x")
        sub.wait_messages(1)


@test("clean-exit-removes-our-flows-and-nobody-elses", needs=("daemon",))
def clean_exit():
    with Lab() as lab:
        h1, _ = one_switch(lab)
        before = sorted(flow["text"] for flow in lab.ovs.flows("s2"))
        daemon = virtual(lab)
        client = h1.connect(VIRTUAL)
        client.sendall(CONNECT % 1)
        assert read_exactly(client, 4) == b"\x20\2\0\0"
        ours = len(texts(lab))
        os.kill(daemon.process.pid, signal.SIGTERM)
        assert client.recv(1) == b"", "the client got a FIN"
        assert len(texts(lab)) == ours, "the flows stay until the clients are gone"
        client.close()
        status = daemon.process.wait()
        assert status == 0, "exit status %r: %s" % (status, daemon.log[-2000:])
        assert sorted(flow["text"] for flow in lab.ovs.flows("s2")) == before
        meters = lab.ovs.ofctl("dump-meters", "s2", version="OpenFlow13")
        assert "meter=" not in meters, meters


@test("fail-open-flows-outlive-a-living-daemon-only", needs=("daemon",))
def fail_open():
    with Lab() as lab:
        h1, _ = one_switch(lab)
        daemon = lab.daemon("mp", "--take", h1.ip, "--fail-open", "3", lab.ovs.mgmt("s2"))
        daemon.wait_flows("s2")
        want = texts(lab)
        stays(lambda: len(texts(lab)) == len(want), 5.0, "refreshed in time")
        assert daemon.json("stats/show")["flows"]["repairs"] == 0, "not gone and put back"
        daemon.kill()
        wait_for(lambda: not texts(lab), 6, "a dead daemon's flows to time out")


class Meterless:
    """Stands between the daemon and a bridge, and answers for a switch that has no meters."""

    METER_MOD, ERROR_METER_MOD_FAILED, OUT_OF_METERS = 29, 12, 11

    def __init__(self, lab, bridge):
        self.path = os.path.join(lab.dir, "meterless.mgmt")
        self.bridge_path = lab.ovs.mgmt(bridge).split(":", 1)[1]
        self.n_refused = 0
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(5)
        lab.at_end(self.listener.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                daemon = self.listener.accept()[0]
            except OSError:
                return
            switch = socket.socket(socket.AF_UNIX)
            switch.connect(self.bridge_path)
            for one, other, refuse in ((daemon, switch, True), (switch, daemon, False)):
                threading.Thread(target=self.carry, args=(one, other, refuse),
                                 daemon=True).start()

    def carry(self, source, sink, refuse):
        stream = source.makefile("rb")
        while True:
            head = stream.read(8)
            if len(head) < 8:
                break
            version, kind, size, xid = struct.unpack("!BBHI", head)
            message = head + stream.read(size - 8)
            with self.lock:
                if refuse and kind == self.METER_MOD:
                    self.n_refused += 1
                    source.sendall(struct.pack("!BBHIHH", version, 1, 12 + 64, xid,
                                               self.ERROR_METER_MOD_FAILED,
                                               self.OUT_OF_METERS) + message[:64].ljust(64, b"\0"))
                else:
                    sink.sendall(message)
        sink.close()


@test("switch-without-meters-gets-the-flows-without", needs=("daemon", "mosquitto"))
def meterless():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        between = Meterless(lab, "s2")
        daemon = lab.daemon("mp", "--address", VIRTUAL, "unix:" + between.path)
        wait_for(lambda: len(lab.ovs.our_flows("s2")) >= 7, 5, "flows although there are no meters")
        assert not any("meter" in text for text in texts(lab)), texts(lab)
        assert h1.ping(VIRTUAL), "ARP and echo, whose flows would have had a meter, are answered"
        sub = lab.subscribe(h2, VIRTUAL, "t")
        lab.publish(h1, VIRTUAL, "t", "x", qos=1)
        sub.wait_messages(1)
        refused = between.n_refused
        stays(lambda: between.n_refused == refused, 1.0, "it does not ask for meters again")
        assert daemon.stop() == 0


@test("every-openflow-version-serves", needs=("daemon", "mosquitto"))
def versions():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        for number in ("1.0", "1.3", "1.4", "1.5"):
            daemon = virtual(lab, "-O", "OpenFlow" + number.replace(".", ""))
            assert daemon.json("switch/show")["version"] == number
            sub = lab.subscribe(h2, VIRTUAL, "t")
            lab.publish(h1, VIRTUAL, "t", number, qos=1)
            assert sub.wait_messages(1)[0].payload == number.encode()
            assert daemon.stop() == 0
            sub.stop()
            assert not lab.ovs.our_flows("s2"), "OpenFlow %s: all taken back" % number


@test("every-connection-method-serves", timeout=90, needs=("daemon", "mosquitto"))
def methods():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        path = os.path.join(lab.ovs.rundir, "of.sock")     # OVS connects to no other directory.
        # What the bridge is told, and what the daemon is.
        for target, method in (("ptcp:6701:127.0.0.1", "tcp:127.0.0.1:6701"),
                               ("tcp:127.0.0.1:6702", "ptcp:6702:127.0.0.1"),
                               ("unix:" + path, "punix:" + path)):
            lab.ovs.vsctl("set-controller", "s2", target)
            daemon = lab.daemon("mp", "--address", VIRTUAL, method)
            daemon.wait_flows("s2", timeout=20)
            lab.ovs.ofctl("add-flow", "s2", "priority=0,actions=NORMAL")
            sub = lab.subscribe(h2, VIRTUAL, "t")
            lab.publish(h1, VIRTUAL, "t", method, qos=1)
            assert sub.wait_messages(1)[0].payload == method.encode()
            assert daemon.stop() == 0, method
            sub.stop()


@test("frames-from-before-a-long-absence-are-not-sent", timeout=60, needs=("daemon", "tcpdump"))
def stale_frames():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        daemon = lab.daemon("mp", "--take", h1.ip, "tcp:127.0.0.1:6701")
        time.sleep(11)              # It is the absence that matters.
        asked = daemon.json("stats/show")["net"]["arp_probes"]
        assert asked > 4, "it has asked for the owner in vain"
        wire = lab.capture("h2", "arp")
        lab.ovs.vsctl("set-controller", "s2", "ptcp:6701:127.0.0.1")
        daemon.wait_flows("s2")
        wire.wait_frames(1)
        stays(lambda: len(wire.frames()) == 1, 1.0, "one question, not all that waited")
        assert daemon.json("stats/show")["net"]["out_stale"] > 4


@test("flows-of-another-instance-are-not-replaced", needs=("daemon",))
def other_instance():
    with Lab() as lab:
        one_switch(lab)
        virtual(lab)
        other = lab.daemon("mp-other", "--address", VIRTUAL, "--instance", "2",
                           lab.ovs.mgmt("s2"), wait=False)
        assert other.process.wait(10) == 1, other.log
        assert "instance" in other.log, other.log


def by_hand(lab, *arguments):
    """The flows of a bridge s9 after what --print-flows prints was put there."""
    printed = lab.run([program("ovs-mqtt-proxyd"), *arguments, "--print-flows",
                       "s2"]).stdout.decode()
    path = os.path.join(lab.dir, "printed.flows")
    with open(path, "w") as out:
        out.write(printed)
    lab.bridge("s9")
    for line in printed.splitlines():
        if line.startswith("# ovs-ofctl"):
            words = line[2:].split()
            lab.ovs.ofctl(*[w if w != "BRIDGE" else "s9" for w in words[1:] if w != "-O"
                            and not w.startswith("OpenFlow")], version="OpenFlow13")
    lab.ovs.ofctl("add-flows", "s9", path, version="OpenFlow13")
    return sorted(f["text"] for f in lab.ovs.flows("s9") if f.is_ours())


@test("flow-files-are-what-a-bridge-holds", needs=("daemon",))
def flow_files():
    with Lab() as lab:
        one_switch(lab)
        virtual(lab)
        want = by_hand(lab, "--address", VIRTUAL)
        assert want and want == texts(lab), (want, texts(lab))


@test("flow-files-of-a-taken-address-are-what-a-bridge-holds", needs=("daemon",))
def flow_files_taken():
    with Lab() as lab:
        h1, _ = one_switch(lab)
        arguments = ("--take", h1.ip, "-F", "192.168.1.104")
        lab.daemon("mp", *arguments, lab.ovs.mgmt("s2")).wait_flows("s2")
        # A file cannot know where the owner sits; the daemon finds out.
        to_owner = ",output:%d" % h1.ofport
        wait_for(lambda: any(text.endswith(to_owner) for text in texts(lab)), 5, "the owner")
        want = by_hand(lab, *arguments)
        assert sum(text.endswith(to_owner) for text in texts(lab)) == 1, texts(lab)
        held = [text[:-len(to_owner)] if text.endswith(to_owner) else text for text in texts(lab)]
        assert want and want == held, (want, held)


@test("flow-files-of-the-guards-are-what-a-bridge-holds", needs=("daemon",))
def flow_files_guard():
    with Lab() as lab:
        h1, _ = one_switch(lab)
        arguments = ("--attach=pcap:eth0", "--take", h1.ip, "-F", "192.168.1.104")
        lab.daemon("mp", *arguments, lab.ovs.mgmt("s2"), host=h1).wait_flows("s2")
        want = by_hand(lab, *arguments)
        assert len(want) == 2 and want == texts(lab), (want, texts(lab))


@test("shipped-flow-files-are-printed-by-the-daemon", needs=("daemon",))
def shipped_files():
    with Lab(with_ovs=False) as lab:
        files = sorted(glob.glob(os.path.join(TOP, "ovs-flows", "*.flows")))
        assert files
        for path in files:
            with open(path) as source:
                shipped = source.read()
            command = next(line for line in shipped.splitlines() if "ovs-mqtt-proxyd" in line)
            words = command.lstrip("# ").split()
            printed = lab.run([program("ovs-mqtt-proxyd"), *words[1:]]).stdout.decode()

            def flows(text):
                # The MAC of flow b2 differs from machine to machine.
                return [re.sub(r"(arp_tha|dl_dst)=[0-9a-f:]{17}", r"\1=MAC", line)
                        for line in text.splitlines() if line and line[0] != "#"]
            assert flows(printed) == flows(shipped), path


@test("setup-bridge-and-clear-bridge-undo-each-other", needs=())
def bridge_scripts():
    with Lab() as lab:
        lab.bridge("plain", dpid=7)
        lab.bridge("dressed", dpid=8, controller_queue_size=50, protocols="OpenFlow10,OpenFlow14",
                   fail_mode="standalone")
        lab.ovs.vsctl("set-controller", "dressed", "tcp:127.0.0.1:9")

        def record(bridge):
            columns = ("fail_mode", "other_config", "protocols", "external_ids")
            return {c: lab.ovs.vsctl("get", "bridge", bridge, c) for c in columns}
        for bridge in ("plain", "dressed"):
            before = record(bridge)
            lab.run([os.path.join(TOP, "ovs-flows/setup-bridge"), bridge])
            once = record(bridge)
            assert once != before and "controller-queue-size=\"512\"" in once["other_config"], once
            lab.run([os.path.join(TOP, "ovs-flows/setup-bridge"), bridge])
            assert record(bridge) == once, "doing it twice changes nothing"
            lab.run([os.path.join(TOP, "ovs-flows/clear-bridge"), bridge])
            assert record(bridge) == before, (before, record(bridge))
        assert "secure" in once["fail_mode"] and "OpenFlow13" in once["protocols"], once


@test("rst-guard-lets-a-client-live-in-pcap-mode", timeout=90,
      needs=("daemon", "mosquitto", "tcpdump"))
def rst_guard():
    """On h1, as the prototype: its kernel owns the address and would refuse the client."""
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        bare = lab.daemon("bare", "--attach=pcap:eth0", "--take", h1.ip, host=h1)
        refused = lab.publish(h2, h1.ip, "t", "x", check=False, timeout=30)
        assert refused.returncode != 0, "without the guard the kernel's RST ends the connection"
        bare.stop()
        lab.daemon("mp", "--attach=pcap:eth0", "--take", h1.ip, lab.ovs.mgmt("s2"),
                   host=h1).wait_flows("s2")
        sub = lab.subscribe(h2, h1.ip, "t")
        lab.publish(h2, h1.ip, "t", "guarded", qos=1)
        assert sub.wait_messages(1)[0].payload == b"guarded"
        guard = [f for f in lab.ovs.our_flows("s2") if "rst" in f["match"]]
        assert guard and guard[0]["n_packets"] > 0, guard
        # A segment of no connection still gets *our* RST.
        raw = h2.python(UNKNOWN_SEGMENT, h1.ip, timeout=10)
        assert b"RST" in raw.stdout, raw


# A connected socket's kernel state, without a connection: an ACK to a port that never saw a SYN.
UNKNOWN_SEGMENT = """
import socket, struct, sys
dst = socket.inet_aton(sys.argv[1]); src = socket.inet_aton("192.168.1.102")
def total(data):
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff
tcp = struct.pack("!HHIIBBHHH", 55555, 1883, 1000, 2000, 0x50, 0x10, 1000, 0, 0)
pseudo = src + dst + struct.pack("!BBH", 0, 6, len(tcp))
tcp = tcp[:16] + struct.pack("!H", total(pseudo + tcp)) + tcp[18:]
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
raw.settimeout(5)
raw.sendto(tcp, (sys.argv[1], 0))
while True:
    packet = raw.recv(2000)
    segment = packet[(packet[0] & 15) * 4:]
    if struct.unpack("!HH", segment[:4]) == (1883, 55555):
        print("RST" if segment[13] & 4 else "flags %02x" % segment[13])
        break
"""


@test("captured-interface-that-goes-and-comes-back-is-served-again", timeout=90,
      needs=("daemon", "mosquitto"))
def captured_interface_comes_back():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        daemon = lab.daemon("mp", "--attach=pcap:eth0", "--address", VIRTUAL, host=h1)
        assert h2.ping(VIRTUAL), "served at first"

        def lost(n):
            wait_for(lambda: daemon.log.count("nothing is captured") == n, 5, "a warning")
            time.sleep(2)           # It looks for the interface every second.
            assert daemon.log.count("nothing is captured") == n, "said once"

        h1.run("ip link set eth0 down")
        lost(1)
        h1.run("ip link set eth0 up")
        wait_for(lambda: h2.ping(VIRTUAL, timeout=1), 10, "answers after down and up")
        lab.ip("link", "del", "h1")
        lab.ovs.vsctl("del-port", "s2", "h1")
        lost(2)
        lab.ip("link", "add", "name", "h1", "type", "veth", "peer", "name", "eth0", "netns", h1.ns)
        lab.ip("link", "set", "dev", "h1", "up")
        h1.run(["ethtool", "-K", "eth0", "tx", "off"])
        h1.run("ip link set eth0 up")
        lab.ovs.add_port("s2", "h1")
        wait_for(lambda: h2.ping(VIRTUAL, timeout=1), 15, "answers of the new interface")
        sub = lab.subscribe(h2, VIRTUAL, "t")
        lab.publish(h2, VIRTUAL, "t", "again")
        assert sub.wait_messages(1)[0].payload == b"again"
        assert daemon.json("stats/show")["pcap"]["capture_errors"] == 2
        assert daemon.log.count("captured again") == 2


@test("unprivileged-daemon-captures-and-finds-its-interface-again", timeout=60, needs=("daemon",))
def unprivileged_capture():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        os.chmod(lab.ovs.rundir, 0o777)
        daemon = lab.daemon("mp", "--user", "nobody", "--attach=pcap:eth0", "--address", VIRTUAL,
                            host=h1, wait=False)
        wait_for(lambda: "serving" in daemon.log or not daemon.process.is_running(), 10, "a start")
        if "libcap-ng is not configured" in daemon.log:
            raise Skip("libopenvswitch here is older than scripts/build-libopenvswitch")
        daemon.wait_control()
        with open("/proc/%d/status" % daemon.pid) as status:
            ids = next(line for line in status if line.startswith("Uid:")).split()[1:]
        assert set(ids) == {str(pwd.getpwnam("nobody").pw_uid)}, ids
        assert h2.ping(VIRTUAL), "frames are captured and injected"
        h1.run("ip link set eth0 down")
        wait_for(lambda: "nothing is captured" in daemon.log, 5, "a warning")
        h1.run("ip link set eth0 up")
        wait_for(lambda: h2.ping(VIRTUAL, timeout=1), 10, "captured again")
