# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""The laboratory itself, without the daemon: what later tests rely on holds."""

import os
import signal
import socket
import subprocess
import time

from lab import HERE, PYTHON, Lab, payload_bytes, program, run, test, wait_for
from vswitch import Flow


@test("lab-learning-switch-connects-the-tree-and-counts", needs=("os-ken", "tcpdump"))
def learning_switch():
    with Lab() as lab:
        h1, h2, h3, h4 = lab.tree()
        assert not h2.ping("192.168.1.104", timeout=1), "fail_mode=secure lets nothing through"
        controller = lab.controller("s1", "s2", "s3")
        capture = lab.capture("s1-s2", "icmp")
        assert h2.ping("192.168.1.104", count=2)
        assert h1.ping("192.168.1.103")
        assert controller.settle()[1]["kinds"]["arp"] >= 2
        learned = lab.ovs.flows("s1", priority=1)
        assert learned and all("in_port" in f["match"] and "dl_src" in f["match"]
                               and "dl_dst" in f["match"] for f in learned), learned
        # simple_switch_13's flows have no time-out, and established pairs are not punted.
        assert not any("timeout" in f["text"] for f in learned), learned
        before = controller.packet_ins(2)
        assert h2.ping("192.168.1.104", count=5)
        assert controller.settle() and controller.packet_ins(2) == before
        frames = capture.wait_frames(4, icmp_type=8)
        assert frames[0].has(ip_src=h2.ip, ip_dst=h4.ip, eth_src=h2.mac, ip_sum_ok=True,
                             l4_sum_ok=True), frames[0]


@test("lab-learning-switch-survives-restart-of-vswitchd", needs=("os-ken",))
def vswitchd_restart():
    with Lab() as lab:
        lab.bridge("s1")
        one = lab.host("a", "s1", "10.0.0.1/24")
        lab.host("b", "s1", "10.0.0.2/24")
        lab.controller("s1")
        assert one.ping("10.0.0.2")
        lab.ovs.kill_vswitchd()
        assert not one.ping("10.0.0.2", timeout=1)
        lab.ovs.start_vswitchd()
        wait_for(lambda: one.ping("10.0.0.2", timeout=1), 20, "the controller's reconnection")


@test("lab-mosquitto-client-pair-carries-binary", needs=("mosquitto",))
def mosquitto_pair():
    with Lab() as lab:
        lab.bridge("s1", fail_mode="standalone")
        one = lab.host("a", "s1", "10.0.0.1/24", ip6="fd00::1/64")
        two = lab.host("b", "s1", "10.0.0.2/24", ip6="fd00::2/64")
        lab.mosquitto(one)
        big = payload_bytes(200000)
        for broker in ("10.0.0.1", "fd00::1"):
            sub = lab.subscribe(two, broker, ["t/#", "u"], qos=1)
            lab.publish(two, broker, "t/1", b"\x00\xff\nMSG x", qos=1)
            lab.publish(two, broker, "t/big", big)
            lab.publish(two, broker, "u", "")
            got = sub.wait_messages(3)
            assert [(m.topic, m.payload, m.qos) for m in got] == [
                ("t/1", b"\x00\xff\nMSG x", 1), ("t/big", big, 0), ("u", b"", 0)], got
            sub.stop()


@test("lab-sockets-of-the-test-live-in-hosts-namespaces")
def sockets():
    with Lab() as lab:
        lab.bridge("s1", fail_mode="standalone")
        one = lab.host("a", "s1", "10.0.0.1/24")
        two = lab.host("b", "s1", "10.0.0.2/24")
        listener = one.socket()
        listener.bind(("10.0.0.1", 1883))
        listener.listen()
        client = two.connect("10.0.0.1")
        server, address = listener.accept()
        assert address[0] == "10.0.0.2"
        client.sendall(b"hello")
        assert server.recv(10) == b"hello"
        # An out-of-the-way port is refused by that host's kernel.
        try:
            two.connect("10.0.0.1", 1884)
            raise AssertionError("something listens on 1884")
        except ConnectionRefusedError:
            pass


@test("lab-vlan-host-is-tagged-at-its-bridge", needs=("tcpdump",))
def vlan():
    with Lab() as lab:
        lab.bridge("s1", fail_mode="standalone")
        one = lab.host("a", "s1", "10.0.0.1/24", vlan=7)
        lab.host("b", "s1", "10.0.0.2/24", vlan=7)
        other = lab.host("c", "s1", "10.0.0.3/24", vlan=8)
        capture = lab.capture("a-v", "vlan")
        assert one.ping("10.0.0.2")
        assert not other.ping("10.0.0.2", timeout=1)
        assert capture.wait_frames(2, proto=1, vlan=7)[0].has(icmp_type=8, l4_sum_ok=True)


@test("lab-relay-loses-duplicates-reorders-and-delays", needs=("relay",))
def relay():
    with Lab() as lab:
        lab.bridge("s1", fail_mode="standalone")
        one = lab.host("a", "s1", "10.0.0.1/24", relay=[
            "--loss=10", "--duplicate=10", "--reorder=10", "--delay=5", "--seed=3"])
        two = lab.host("b", "s1", "10.0.0.2/24")
        receiver = two.socket(kind=socket.SOCK_DGRAM)
        receiver.bind(("10.0.0.2", 9))
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sender = one.socket(kind=socket.SOCK_DGRAM)
        # ARP may be lost as well: until it is resolved.
        wait_for(lambda: one.ping("10.0.0.2", timeout=1), 20, "a ping to get through")
        for i in range(1000):
            sender.sendto(b"%d" % i, ("10.0.0.2", 9))
            if i % 20 == 0:
                time.sleep(0.003)           # vswitchd's receive buffers would lose more
        got = []
        receiver.settimeout(1)
        try:
            while True:
                got.append(int(receiver.recv(20)))
        except socket.timeout:
            pass
        lost = 1000 - len(set(got))
        assert 50 < lost < 160, "10 %% of 1000 are %d" % lost
        assert 50 < len(got) - len(set(got)) < 160, "duplicates: %d" % (len(got)
                                                                        - len(set(got)))
        late = sum(a > b for a, b in zip(got, got[1:]))
        assert 30 < late < 250, "late: %d" % late
        process = lab.relays["a"]
        assert process.stop() == 0
        assert "lost" in process.text, process.text


@test("lab-tcp-gets-through-the-relay-byte-for-byte", needs=("relay", "mosquitto"))
def relay_tcp():
    with Lab() as lab:
        lab.bridge("s1", fail_mode="standalone")
        one = lab.host("a", "s1", "10.0.0.1/24", relay=["--loss=2", "--reorder=5", "--seed=7"])
        two = lab.host("b", "s1", "10.0.0.2/24")
        lab.mosquitto(two)
        sub = lab.subscribe(one, "10.0.0.2", "t", wait=False)
        sub.wait_ready(20)
        data = payload_bytes(200000, seed=5)
        lab.publish(one, "10.0.0.2", "t", data, qos=1)
        assert sub.wait_messages(1, 20)[0].payload == data


SAMPLES = """
import time
from lab import Lab, Skip, test

@test("passes")
def passes():
    print("said while passing")

@test("fails")
def fails():
    with Lab() as lab:
        lab.spawn("talker", ["sh", "-c", "echo last words; sleep 99"]).wait_text("last")
        assert 1 == 2, "two is not one"

@test("hangs", timeout=2)
def hangs():
    with Lab() as lab:
        print("namespace", lab.ns, flush=True)
        lab.spawn("sleeper", ["sleep", "1234"])
        time.sleep(600)

@test("skips")
def skips():
    raise Skip("no such thing here")

@test("skips-for-want", needs=("%s",))
def wants():
    raise AssertionError("must not be called")
"""


def run_samples(folder, *words, **environment):
    env = dict(os.environ, MP_DAEMON="/nonexistent/ovs-mqtt-proxyd", **environment)
    env = {k: v for k, v in env.items() if v is not None}
    done = subprocess.run([PYTHON, os.path.join(HERE, "run"), "--from", folder, *words],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, timeout=40,
                          check=False)
    return done.returncode, done.stdout.decode()


def namespaces():
    return run(["ip", "netns", "list"]).stdout.decode().split()


@test("runner-bounds-reports-and-cleans-up")
def runner():
    with Lab(with_ovs=False) as lab:
        with open(os.path.join(lab.dir, "test_samples.py"), "w") as out:
            out.write(SAMPLES % "daemon")
        status, text = run_samples(lab.dir, CI=None)
        assert status == 1, text
        for part in ("\nok 1 - passes", "\nnot ok 2 - fails", "two is not one", "last words",
                     "\nnot ok 3 - hangs", "beyond its limit of 2 s", "\nok 4 - skips",
                     "# SKIP no such thing here", "\nok 5 - skips-for-want",
                     "\n1 passed, 2 failed, 2 skipped\n"):
            assert part in text, (part, text)
        assert "said while passing" not in text
        namespace = text.split("namespace ")[1].split()[0]
        assert namespace not in namespaces()
        assert not [name for name in os.listdir("/tmp") if name.startswith(namespace[:-2])]

        status, text = run_samples(lab.dir, "-v", "pass*", CI="true")
        assert status == 0 and "said while passing" in text, text
        status, text = run_samples(lab.dir, "skips*", CI="true")
        assert status == 1 and "\n0 passed, 2 failed, 0 skipped\n" in text, text
        status, text = run_samples(lab.dir, "nothing-of-that-name")
        assert status == 1, text


@test("runner-killed-takes-everything-with-it")
def runner_killed():
    with Lab(with_ovs=False) as lab:
        with open(os.path.join(lab.dir, "test_samples.py"), "w") as out:
            out.write(SAMPLES.replace("timeout=2", "timeout=99") % "daemon")
        for number in (signal.SIGTERM, signal.SIGINT):
            process = lab.spawn("runner", [PYTHON, os.path.join(HERE, "run"), "--from", lab.dir,
                                           "hangs"])
            children = "/proc/%d/task/%d/children" % (process.pid, process.pid)
            child, = wait_for(lambda: open(children).read().split(), 10, "the test's process")
            namespace = "mp%s-sw" % child
            wait_for(lambda: namespace in namespaces(), 10, namespace)
            process.signal(number)
            assert process.wait(10) != 0
            wait_for(lambda: namespace not in namespaces(), 10, "%s to go" % namespace)
            assert not os.path.exists("/proc/%s" % child)


@test("lab-daemon-that-dies-is-reported-with-its-last-words")
def dead_daemon():
    with Lab(with_ovs=False) as lab:
        fake = os.path.join(lab.dir, "ovs-mqtt-proxyd")
        with open(fake, "w") as out:
            out.write("#!/bin/sh\necho cannot bind >&2\nexit 3\n")
        os.chmod(fake, 0o755)
        before = os.environ.get("MP_DAEMON")
        os.environ["MP_DAEMON"] = fake
        try:
            lab.daemon("p1", "s2")
            raise AssertionError("a dead daemon was taken for a living one")
        except AssertionError as error:
            assert "has ended with status 3: cannot bind" in str(error), error
        finally:
            if before is None:
                del os.environ["MP_DAEMON"]
            else:
                os.environ["MP_DAEMON"] = before
        assert program("ip")


@test("lab-flows-are-read-as-ovs-ofctl-prints-them")
def flows():
    with Lab() as lab:
        lab.bridge("s2")
        lab.ovs.ofctl("add-flow", "s2", "cookie=0x6d71000100000061,priority=300,tcp,"
                      "nw_dst=192.168.1.101,tp_dst=1883,actions=controller(max_len=65535,"
                      "id=4242)")
        lab.ovs.ofctl("add-flow", "s2", "priority=1,in_port=LOCAL,idle_timeout=60,"
                      "actions=drop")
        ours, = lab.ovs.our_flows("s2")
        assert (ours["priority"], ours["n_packets"], ours["table"]) == (300, 0, 0), ours
        assert ours["match"] == "tcp,nw_dst=192.168.1.101,tp_dst=1883", ours
        assert "CONTROLLER" in ours["actions"].upper() and "4242" in ours["actions"], ours
        other, = lab.ovs.flows("s2", priority=1)
        assert other["actions"] == "drop" and "idle_timeout=60" in other["text"], other
        assert lab.ovs.n_packets("s2", "tcp,tp_dst=1883") == 0
        assert Flow(" cookie=0x1, duration=1.5s, table=0, n_packets=7, n_bytes=9, "
                    "actions=NORMAL") == {
            "cookie": 1, "table": 0, "n_packets": 7, "n_bytes": 9, "priority": 32768,
            "match": "", "actions": "NORMAL", "text": "priority=32768  actions=NORMAL"}
