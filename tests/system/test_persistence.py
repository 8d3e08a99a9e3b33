# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""Sessions and messages that outlive the daemon, whichever way it ends."""

import json
import os
import random
import signal
import sqlite3
import time

from lab import PYTHON, Lab, Hopeless, test, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
VIRTUAL = "192.168.1.100"
# `make soak-persistence` asks for more.
KILLS = int(os.environ.get("MP_KILLS", "20"))


def start(lab, *options):
    lab.bridge("s2")
    lab.ovs.ofctl("add-flow", "s2", "priority=0,actions=NORMAL")
    h1 = lab.host("h1", "s2", "192.168.1.101/24", "00:00:00:00:00:01")
    h2 = lab.host("h2", "s2", "192.168.1.102/24", "00:00:00:00:00:02")
    daemon = lab.daemon("mp", "--address", VIRTUAL, "--max-qos=2", "--persistence",
                        store(lab), *options, lab.ovs.mgmt("s2"))
    return h1, h2, daemon.wait_flows("s2")


def store(lab):
    return os.path.join(lab.dir, "store")


def acked(path):
    try:
        with open(path) as text:
            return int(text.read())
    except (OSError, ValueError):
        return 0


def kill_under_load(lab, n_kills):
    h1, _, daemon = start(lab)
    progress = os.path.join(lab.dir, "progress")
    seed = int(os.environ.get("MP_SEED", time.time_ns() % 1000000))
    dice = random.Random(seed)
    print("MP_SEED=%d" % seed)
    load = h1.spawn("load", [PYTHON, os.path.join(HERE, "persistload.py"), VIRTUAL, progress])

    def grown(by, since):
        if not load.is_running():
            raise Hopeless("the load ended: " + load.text[-2000:])
        return acked(progress) >= since + by

    for number in range(n_kills):
        before, by = acked(progress), dice.randint(1, 400)
        wait_for(lambda: grown(by, before), 20, lambda: "%d acknowledgements after kill %d: %s"
                 % (by, number, daemon.log[-1500:]), pause=0.005)
        time.sleep(dice.random() * 0.05)
        daemon.kill()
        daemon.start()
    before = acked(progress)
    wait_for(lambda: grown(100, before), 20, "work after the last kill")
    os.kill(load.pid, signal.SIGTERM)
    wait_for(lambda: not load.is_running(), 45, "the load's account")
    print(load.text[-2000:])
    result = json.loads(load.text.strip().splitlines()[-1])
    assert not result["problems"], result
    assert result["missing"] == 0 and result["unacked"] == 0, result
    assert result["twice_qos2"] == 0, result
    assert result["connects"] > 5 * (n_kills // 2), "it was hardly killed: %r" % result


@test("killed-daemon-loses-nothing-acknowledged", timeout=120 + 8 * KILLS, needs=("daemon",))
def kills():
    with Lab() as lab:
        kill_under_load(lab, KILLS)


@test("retained-and-queued-messages-outlive-a-restart", needs=("daemon", "mosquitto"))
def restart():
    with Lab() as lab:
        h1, h2, daemon = start(lab)
        h2.run("mosquitto_sub -h %s -i keeper -c -q 1 -t a/+ -E" % VIRTUAL)
        lab.publish(h1, VIRTUAL, "a/retained", "r", qos=1, retain=True)
        lab.publish(h1, VIRTUAL, "a/queued", "q", qos=1)
        assert daemon.stop() == 0
        daemon.start().wait_control().wait_flows("s2")
        out = h2.run("mosquitto_sub -h %s -i keeper -c -q 1 -t a/+ -C 2 -W 5 -F %%t=%%p"
                     % VIRTUAL).stdout
        assert sorted(set(out.split())) == [b"a/queued=q", b"a/retained=r"], out
        out = h1.run("mosquitto_sub -h %s -t a/# -C 1 -W 5 -F %%r%%t=%%p" % VIRTUAL).stdout
        assert out.strip() == b"1a/retained=r", out


@test("orderly-end-tells-clients-goodbye", needs=("daemon",))
def goodbye():
    with Lab() as lab:
        h1, _, daemon = start(lab)
        five, four = h1.connect(VIRTUAL), h1.connect(VIRTUAL)
        five.sendall(b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x01a")
        four.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01b")
        assert five.recv(1000)[0] == 0x20 and four.recv(1000)[0] == 0x20
        assert daemon.stop() == 0
        assert five.recv(1000) == b"\xe0\x02\x8b\x00", "DISCONNECT: the server is shutting down"
        assert five.recv(1) == b"" and four.recv(1) == b"", "then FIN, to older ones nothing else"


def refused(lab, why):
    """The daemon does not start on this store, says why, and leaves the file as it was."""
    path = os.path.join(store(lab), "store.db")
    with open(path, "rb") as file:
        before = file.read()
    daemon = lab.daemon("again", "--address", VIRTUAL, "--instance=2", "--persistence", store(lab),
                        lab.ovs.mgmt("s2"), wait=False)
    wait_for(lambda: not daemon.process.is_running(), 10, "its end")
    assert why in daemon.log and path in daemon.log, daemon.log
    assert daemon.process.wait() == 1
    with open(path, "rb") as file:
        assert file.read() == before, "the file was changed"


@test("store-that-is-not-ours-or-torn-is-left-alone", needs=("daemon", "mosquitto"))
def torn():
    with Lab() as lab:
        h1, _, daemon = start(lab)
        path = os.path.join(store(lab), "store.db")
        for n in range(40):
            lab.publish(h1, VIRTUAL, "a/%d" % n, "x" * 2000, qos=1, retain=True)
        refused(lab, "in use by another process")
        assert daemon.stop() == 0
        with open(path, "rb") as file:
            good = file.read()
        assert len(good) > 40000, len(good)

        def write(data):
            with open(path, "wb") as file:
                file.write(data)

        write(good[:len(good) // 2 // 4096 * 4096])
        refused(lab, "is damaged")
        write(good[:20480] + bytes(4096) + good[24576:])
        refused(lab, "is damaged")
        at = good.index(b"xxxx")
        write(good[:at] + b"y" + good[at + 1:])
        refused(lab, "a record is damaged")
        write(b"precious " * 1000)
        refused(lab, "is no store of ovs-mqtt-proxyd")
        os.unlink(path)
        with sqlite3.connect(path) as other:
            other.execute("create table precious (a)")
        other.close()
        refused(lab, "is no store of ovs-mqtt-proxyd")
        write(good[:60] + b"\0\0\0\x63" + good[64:])
        refused(lab, "has version 99")
        write(good)
        daemon.start().wait_control().wait_flows("s2")
        out = h1.run("mosquitto_sub -h %s -t a/# -C 40 -W 10 -F %%t" % VIRTUAL).stdout
        assert len(set(out.split())) == 40, out


@test("limits-that-were-lowered-keep-what-the-store-holds", needs=("daemon", "mosquitto"))
def lowered():
    with Lab() as lab:
        h1, h2, daemon = start(lab)
        for name in "abc":
            h2.run("mosquitto_sub -h %s -i %s -c -q 1 -t a/+ -E" % (VIRTUAL, name))
        lab.publish(h1, VIRTUAL, "a/x", "kept", qos=1)
        assert daemon.stop() == 0
        daemon.argv.append("--max-sessions=1")
        daemon.start().wait_control().wait_flows("s2")
        assert "beyond limits that were lowered are 2 sessions" in daemon.log, daemon.log[-2000:]
        for name in "abc":
            out = h2.run("mosquitto_sub -h %s -i %s -c -q 1 -t a/+ -C 1 -W 5" % (VIRTUAL, name))
            assert out.stdout.strip() == b"kept", (name, out)
        refused = h2.run("mosquitto_sub -h %s -i d -c -q 1 -t a/+ -E" % VIRTUAL, check=False)
        assert refused.returncode != 0, refused
