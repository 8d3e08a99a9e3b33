# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""The Mininet topology: as a script and from mn, with a controller, a real interface, captures
and traffic; each in the test's own namespace and beside a private Open vSwitch."""

import os
import re
import shutil

from capture import read_pcap
from lab import PYTHON, TOP, Lab, test

TOPO = os.path.join(TOP, "mininet", "topo.py")
NEEDS = ("mininet", "os-ken")


def topo(lab, *words, cwd=None, timeout=50, check=True):
    """Runs the script in the switch's namespace; returns its output."""
    argv = ["env", "-C", cwd or lab.dir, PYTHON, "-B", TOPO, *words]
    done = lab.run(argv, timeout=timeout, check=check)
    return (done.stdout + done.stderr).decode()


def assert_nothing_left(lab):
    assert lab.ovs.vsctl("list-br") == "", "bridges are left"
    links = [line.split(":")[1].strip() for line in lab.ip("-o", "link").splitlines()]
    # The userspace datapath's own interface goes with vswitchd.
    assert [name for name in links if name.startswith(("h", "s"))] == [], links


@test("mininet-prototype-tree-connects-under-the-learning-switch", timeout=90, needs=NEEDS)
def tree():
    with Lab() as lab:
        out = topo(lab, "-c", "learning", "-e", "pingall", "-e", "h3 ip -br addr",
                   "-e", "h3 ethtool -k h3-eth0", "-e", "links",
                   "-e", "sh ovs-vsctl get bridge s2 fail_mode datapath_type protocols "
                   "other_config:disable-in-band")
        assert "0% dropped (12/12 received)" in out, out
        assert "192.168.1.103/24" in out, out
        assert "tx-checksumming: off" in out, out
        links = set(re.findall(r"(\w+)-eth\d+<->(\w+)-eth\d+", out))
        assert links == {("s1", "s2"), ("s1", "s3"), ("s2", "h1"), ("s2", "h2"), ("s3", "h3"),
                         ("s3", "h4")}, links
        for word in ("secure", "netdev", "OpenFlow13", '"true"'):
            assert word in out, out
        assert_nothing_left(lab)


@test("mininet-from-mn-and-from-the-repository-root", timeout=90, needs=NEEDS)
def from_mn():
    with Lab() as lab:
        # In the repository's root a folder has the name of Mininet's package.
        done = lab.run(["env", "-C", TOP, "PYTHONDONTWRITEBYTECODE=1", "mn", "--custom",
                        "mininet/topo.py", "--topo", "mqtttree,1,2", "--controller",
                        "learning", "--test", "pingall"], timeout=60)
        out = (done.stdout + done.stderr).decode()
        assert "0% dropped (2/2 received)" in out, out
        out = topo(lab, "-f", "1", "-f", "1", "-c", "none", "-e", "nodes", cwd=TOP)
        assert re.search(r"h1 s1 s2", out), out
        assert_nothing_left(lab)


@test("mininet-fanouts-build-deeper-trees", timeout=90, needs=NEEDS)
def fanouts():
    with Lab() as lab:
        out = topo(lab, "-f", "2", "-f", "1", "-f", "3", "-c", "learning", "-e", "links",
                   "-e", "h1 ping -c1 -w5 h6")
        assert ("s3-eth2<->s5-eth1" in out or "s3-eth1<->s5-eth1" in out), out
        assert "1 received" in out, out
        for words, sentence in ((["-f", "0"], "must be 1 or more"),
                                (["-f", "155"], "155 hosts do not fit"),
                                (["-r", "nosuch", "-R", "h1"], "no such interface"),
                                (["-d", "soon"], "is no delay")):
            out = topo(lab, *words, "-c", "none", "-e", "nodes", check=False)
            assert sentence in out and "Traceback" not in out, out
        assert_nothing_left(lab)


def real_interface_pair(lab):
    """A veth pair whose one end is a "real" interface of the machine, the other a machine's
    beyond it."""
    lab.add_namespace(lab.prefix + "far")
    lab.ip("link", "add", "name", "real0", "type", "veth", "peer", "name", "eth0", "netns",
           lab.prefix + "far")
    lab.run(["ethtool", "-K", "real0", "tx", "off"])


def far(lab, *words, check=True):
    return lab.run(["ip", "netns", "exec", lab.prefix + "far", *words], check=check)


@test("mininet-real-interface-at-a-switch-joins-the-network", timeout=90, needs=NEEDS)
def real_at_switch():
    with Lab() as lab:
        real_interface_pair(lab)
        far(lab, "ethtool", "-K", "eth0", "tx", "off")
        far(lab, "ip", "addr", "add", "192.168.1.50/24", "dev", "eth0")
        far(lab, "ip", "link", "set", "eth0", "up")
        out = topo(lab, "-c", "learning", "-r", "real0", "-R", "s1", "-e",
                   "h3 ping -c2 -w8 192.168.1.50")
        assert "2 received" in out, out
        assert "real0" in lab.ip("link"), "the interface must outlive the network"
        lab.ip("addr", "add", "10.9.9.9/24", "dev", "real0")
        out = topo(lab, "-c", "none", "-r", "real0", "-R", "s1", "-e", "nodes", check=False)
        assert "has an address and is probably in use" in out and "Traceback" not in out, out
        assert_nothing_left(lab)


@test("mininet-real-interface-at-a-host-makes-it-a-router", timeout=90, needs=NEEDS)
def real_at_host():
    with Lab() as lab:
        real_interface_pair(lab)
        far(lab, "ip", "addr", "add", "192.168.2.50/24", "dev", "eth0")
        far(lab, "ip", "link", "set", "eth0", "up")
        far(lab, "ip", "route", "add", "192.168.1.0/24", "via", "192.168.2.101")
        out = topo(lab, "-c", "learning", "-r", "real0", "-R", "h1",
                   "-e", "h3 ip route add 192.168.2.0/24 via 192.168.1.101",
                   "-e", "h3 ping -c2 -w8 192.168.2.50")
        assert "2 received" in out, out
        assert "real0" in lab.ip("link"), "the interface must come back"
        assert_nothing_left(lab)


@test("mininet-captures-and-traffic", timeout=90, needs=NEEDS + ("tcpdump",))
def captures():
    with Lab() as lab:
        topo(lab, "-c", "learning", "-P", "-G", "--capture-dir", "caps",
             "-e", "h2 ping -c3 -i0.5 -w8 h3")
        caps = os.path.join(lab.dir, "caps")
        names = sorted(os.listdir(caps))
        assert "h4-eth0.pcap" in names and "s1-eth2.pcap" in names and len(names) == 12, names
        # -G: every host pings the first.
        assert any(f.has(icmp_type=8, ip_src="192.168.1.104", ip_dst="192.168.1.101")
                   for f in read_pcap(os.path.join(caps, "s1-eth1.pcap")))
        assert_nothing_left(lab)


@test("mininet-delay-takes-effect-or-is-refused-in-one-sentence", timeout=90, needs=NEEDS)
def delay():
    with Lab() as lab:
        has_netem = shutil.which("unshare") and lab.run(
            ["unshare", "-n", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay",
             "1ms"], check=False).returncode == 0
        out = topo(lab, "-c", "learning", "-D", "20ms", "-e", "h1 ping -c1 -w8 h4",
                   "-e", "h1 ping -c3 -w8 h4", check=False)
        if has_netem:
            rtt = float(re.findall(r"rtt min/avg/max/mdev = ([\d.]+)/", out)[-1])
            assert 80 <= rtt < 200, out         # two links, there and back
        else:
            assert out.count("has no netem") == 1 and "Traceback" not in out, out
        assert_nothing_left(lab)
