# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""The prototype's walk-through as a user does it by hand: a controller, Mininet, the launchers
in the shells of h1 and h4, a subscriber on h2, a publisher on h3."""

import os
import shutil

from lab import PYTHON, TOP, Lab, program, test

NEEDS = ("mininet", "os-ken", "mosquitto", "daemon")
SCRIPTS = os.path.join(TOP, "scripts")


def until(command, seconds=15):
    """A line for Mininet's command line that waits until 'command' succeeds."""
    return "sh timeout %d sh -c 'until %s; do sleep 0.1; done'" % (seconds, command)


def intercepts(bridge, address):
    return until("ovs-ofctl -O OpenFlow13 dump-flows %s tcp,nw_dst=%s | grep -qi controller" % (
        bridge, address))


def topo(lab, *words, timeout=80):
    env = ["env", "-C", lab.dir, "MP_DAEMON=" + program("ovs-mqtt-proxyd")]
    done = lab.run([*env, PYTHON, "-B", os.path.join(TOP, "mininet", "topo.py"), *words],
                   timeout=timeout)
    return (done.stdout + done.stderr).decode()


def lines(*commands):
    return [word for command in commands for word in ("-e", command)]


@test("walkthrough-launchers-on-h1-and-h4-sub-on-h2-pub-on-h3", timeout=100, needs=NEEDS)
def launchers():
    with Lab() as lab:
        out = topo(lab, "-c", "learning", *lines(
            "h1 %s/mqtt_proxy1.sh > proxy1.log 2>&1 &" % SCRIPTS,
            "h4 %s/mqtt_proxy2.sh > proxy2.log 2>&1 &" % SCRIPTS,
            intercepts("s2", "192.168.1.101"), intercepts("s3", "192.168.1.104"),
            "h2 stdbuf -oL mosquitto_sub -d -h 192.168.1.101 -t topic1 -u jorge -P passwd "
            "> sub.log 2>&1 &",
            until("grep -q Subscribed sub.log"),
            # The SUBSCRIBE crosses the core while this message would already be on its way.
            "sh sleep 1",
            "h3 mosquitto_pub -h 192.168.1.104 -t topic1 -u jorge -P passwd -m message1",
            "h3 mosquitto_pub -h 192.168.1.101 -t topic1 -u jorge -P passwd -m message2",
            until("grep -q message2 sub.log"),
            "h2 mosquitto_pub -h 192.168.1.101 -t topic1 -u jorge -P wrong -m message3",
            "h1 ss -Hltun", "h1 iptables -S", "sh cat sub.log proxy1.log proxy2.log",
            "h2 kill %1", "h1 kill %1", "h4 kill %1"))
        with open(os.path.join(lab.dir, "sub.log")) as text:
            received = [line for line in text.read().splitlines() if line.startswith("message")]
        assert received == ["message1", "message2"], out
        assert "not authorised" in out, out
        # Neither a listener of the host's kernel nor a rule of iptables.
        assert "*:1883" not in out and ":1883 " not in out.split("h1 ss")[-1].split(
            "-P INPUT")[0], out
        assert "-A " not in out, out


@test("walkthrough-broker-alone-on-h1", timeout=100, needs=NEEDS)
def as_broker():
    with Lab() as lab:
        out = topo(lab, "-c", "learning", *lines(
            "h1 %s/mqtt_proxy_as_broker.sh > proxy.log 2>&1 &" % SCRIPTS,
            intercepts("s2", "192.168.1.101"),
            "h4 stdbuf -oL mosquitto_sub -d -h 192.168.1.101 -t a/+ -u jorge -P passwd "
            "> sub.log 2>&1 &",
            until("grep -q Subscribed sub.log"),
            "h3 mosquitto_pub -h 192.168.1.101 -t a/b -u jorge -P passwd -m message1",
            until("grep -q message1 sub.log"), "sh cat sub.log proxy.log",
            "h4 kill %1", "h1 kill %1"))
        assert "\nmessage1" in out, out


@test("walkthrough-mn-custom-with-proxies", timeout=100, needs=NEEDS)
def mn_custom():
    with Lab() as lab:
        build = os.path.join(lab.dir, "build")
        os.makedirs(build)
        shutil.copy(program("ovs-mqtt-proxyd"), os.path.join(build, "ovs-mqtt-proxyd"))
        done = lab.run(["env", "-C", TOP, "PYTHONDONTWRITEBYTECODE=1", "BUILD_DIR=" + build,
                        "mn", "--custom", "mininet/topo.py", "--topo", "mqtttree,2,2,proxies=1",
                        "--controller", "learning", "--test", "mqtt"], timeout=80)
        out = (done.stdout + done.stderr).decode()
        assert "h3 at s3 > h2 at s2: message1" in out, out
        assert "Caught exception" not in out, out
        assert lab.run(["pgrep", "-fc", build + "/"], check=False).stdout == b"0\n"
