# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""What the benches share: the network of two edges with the daemon and its rival side by side,
load generators, medians of interleaved rounds, and how figures are printed.

Used by bench-*; stands on the laboratory of the system tests.  Nothing here judges a figure.
One thread.
"""

import argparse
import collections
import os
import re
import signal
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
sys.dont_write_bytecode = True

import lab                                                      # noqa: E402
from lab import Lab, Skip, wait_for                             # noqa: E402,F401

DAEMON, MOSQUITTO, REFLECTOR = "daemon", "mosquitto", "reflector"
EDGE2, EDGE3 = "192.168.1.202", "192.168.1.203"     # the daemons' addresses at s2 and s3
LONELY_PORT = 1884          # of the mosquitto that has no bridge


def parser(description):
    """Options that every bench has."""
    p = argparse.ArgumentParser(description=description)
    p.add_argument("-r", "--rounds", type=int, default=5, help="medians are of so many rounds")
    p.add_argument("-t", "--seconds", type=float, default=2.0, help="of each measurement")
    p.add_argument("-v", "--verbose", action="store_true", help="print every round")
    return p


def run_main(main):
    """Runs 'main' so that ^C and SIGTERM clean up; where a bench cannot run, says why."""
    def stop(number, _frame):
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt(signal.strsignal(number))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    if os.geteuid() != 0:
        sys.exit("needs root (network namespaces)")
    try:
        main()
    except Skip as reason:
        sys.exit("cannot run here: %s" % reason)
    except KeyboardInterrupt as reason:
        sys.exit("stopped: %s" % (reason or "interrupted"))


# -- figures ---------------------------------------------------------------------------------


class Figures:
    """Measurements by (point, system, name), one more of each in every round."""

    def __init__(self, bench, verbose=False):
        self.bench, self.verbose = bench, verbose
        self.values = collections.defaultdict(list)

    def add(self, point, system, measured):
        for name, value in measured.items():
            self.values[point, system, name].append(float(value))
        if self.verbose:
            print("# %s %s %s" % (point, system, " ".join(
                "%s=%s" % item for item in measured.items())))
            sys.stdout.flush()

    def median(self, point, system, name):
        return statistics.median(self.values[point, system, name])

    def put(self, point, system, name):
        """bench point system name median (lowest-highest)"""
        values = self.values[point, system, name]
        if values:
            print("%s %s %s %s %s (%s-%s)" % (
                self.bench, point, system, name, number(statistics.median(values)),
                number(min(values)), number(max(values))))

    def put_ratio(self, point, one, other, name):
        """bench point one/other name ratio: the median of the rounds' ratios, because what
        disturbs a round disturbs both."""
        pairs = zip(self.values[point, one, name], self.values[point, other, name])
        ratios = [a / b for a, b in pairs if b]
        if ratios:
            print("%s %s %s/%s %s %.2f (%.2f-%.2f)" % (
                self.bench, point, one, other, name, statistics.median(ratios), min(ratios),
                max(ratios)))


def number(value):
    return "%d" % value if value == int(value) or value >= 1000 else "%.4g" % value


def parse_load(text):
    """The output of mqtt-load."""
    return {name: float(value) for name, value in
            (line.split() for line in text.decode().splitlines())}


def parse_udp_ping(text):
    """The output of udp-ping, by the names of mqtt-load."""
    words = re.search(r"([\d.]+) rt/s, p50 (\d+) us, p99 (\d+) us, lost (\d+)", text.decode())
    return dict(zip(("per_second", "p50_us", "p99_us", "lost"), map(float, words.groups())))


# -- the network -----------------------------------------------------------------------------


def switches_forward(network):
    """Ordinary switching by every bridge itself: no controller whose load would be measured."""
    for bridge in network.ovs.vsctl("list-br").split():
        network.ovs.ofctl("add-flow", bridge, "priority=0,actions=NORMAL")


def set_congestion_control(hosts, name):
    """Of their kernels' TCP."""
    for host in hosts:
        host.run("sysctl -qw net.ipv4.tcp_congestion_control=" + name)


def load(network, options, pids, seconds, *mode):
    """The figures of one run of mqtt-load; 'pids', by name: whose processor time is measured;
    'mode': its name and the brokers' addresses."""
    argv = [lab.program("mqtt-load"), "-t", str(seconds),
            *(w for item in pids.items() for w in ("-c", "%s=%d" % item)), *map(str, options),
            *mode]
    return parse_load(network.run(argv, timeout=seconds + 40).stdout)


class OneSwitch:
    """h1 and h2 with the clients, h3 with mosquitto, and the daemon, all at one bridge."""

    def __init__(self, network, daemon_options=(), mosquitto=(), **bridge_options):
        self.lab = network
        network.bridge("s1", **bridge_options)
        self.hosts = [network.host("h%d" % i, "s1", "192.168.1.10%d/24" % i,
                                   "00:00:00:00:00:0%d" % i) for i in (1, 2, 3)]
        switches_forward(network)
        daemon = network.daemon("mp", "--address", EDGE2, *daemon_options, "-vconsole:info",
                                network.ovs.mgmt("s1")).wait_flows("s1")
        self.brokers = {
            DAEMON: (daemon, EDGE2),
            MOSQUITTO: (network.mosquitto(self.hosts[2], config=mosquitto), self.hosts[2].ip),
        }

    def pubsub(self, system, options, seconds):
        """Publishers on h1, subscribers on h2."""
        return self._load(system, ("-S", self.hosts[1].ns, *options), seconds, "pubsub", 2)

    def bulk(self, system, options, subscribers, seconds):
        """Publishers on h1, a subscriber on h2 or none."""
        return self._load(system, ("-S", self.hosts[1].ns, *options), seconds, "bulk",
                          1 + subscribers)

    def _load(self, system, options, seconds, mode, n_addresses):
        broker, ip = self.brokers[system]
        pids = {"vswitchd": self.lab.ovs.vswitchd.pid, "broker": broker.pid}
        return load(self.lab, ("-P", self.hosts[0].ns, *options), pids, seconds, mode,
                    *[ip] * n_addresses)


class TwoEdges:
    """The tree s1, s2, s3; publishers on h3, subscribers on h2, or on h5 at the publishers' own
    edge, or publishers on h6, a path of 20 ms away from s3.  Two daemons that own virtual addresses
    at s2 and s3; two mosquittos on h1 and h4, behind the same switches, bridged; a third on h4 that
    is not."""

    def __init__(self, network, daemon_options=(), trunk_mtu=1500):
        self.lab = network
        self.h1, self.h2, self.h3, self.h4 = network.tree(trunk_mtu=trunk_mtu)
        self.h5 = network.host("h5", "s3", "192.168.1.105/24", "00:00:00:00:00:05")
        self.h6 = network.host("h6", "s3", "192.168.1.106/24", "00:00:00:00:00:06",
                               relay=["--delay=10"])
        for bridge in ("s2", "s3"):
            network.run([os.path.join(lab.TOP, "ovs-flows", "setup-bridge"), bridge])
        switches_forward(network)
        self.daemons = [self._daemon("mp2", "s2", EDGE2, EDGE3, daemon_options),
                        self._daemon("mp3", "s3", EDGE3, EDGE2, daemon_options)]
        self.rivals = [network.mosquitto(self.h1), network.mosquitto(self.h4, config=(
            "connection core", "address %s:1883" % self.h1.ip, "topic # both 0",
            "bridge_attempt_unsubscribe false", "try_private true"))]
        self.alone = network.mosquitto(self.h4, port=LONELY_PORT)
        wait_for(self._bridged, 10, "the bridge between the mosquittos")

    def _daemon(self, name, bridge, own, peer, options):
        daemon = self.lab.daemon(name, "--address", own, "-F", peer, *options, "-vconsole:info",
                                 self.lab.ovs.mgmt(bridge))
        return daemon.wait_flows(bridge)

    def _bridged(self):
        return self.h4.ip in self.h1.run("ss -Htn state established sport = :1883").stdout.decode()

    def across(self, system, *options, seconds):
        """Publishers on h3, subscribers on h2: the figures of one run of mqtt-load."""
        return self._across(system, self.h3, options, seconds)

    def slow(self, system, *options, seconds):
        """The same with publishers on h6."""
        return self._across(system, self.h6, options, seconds)

    def _across(self, system, publishers, options, seconds):
        hosts = (publishers, self.h2)
        if system == DAEMON:
            return self._load(self.daemons, hosts, (EDGE3, EDGE2), options, seconds)
        return self._load(self.rivals, hosts, (self.h4.ip, self.h1.ip), options, seconds)

    def within(self, system, *options, seconds):
        """Publishers on h3, subscribers on h5, one broker."""
        hosts = (self.h3, self.h5)
        if system == DAEMON:
            return self._load(self.daemons[1:], hosts, (EDGE3, EDGE3), options, seconds)
        return self._load([self.alone], hosts, (self.h4.ip, self.h4.ip),
                          ("-p", LONELY_PORT) + options, seconds)

    def _load(self, brokers, hosts, addresses, options, seconds):
        pids = {"vswitchd": self.lab.ovs.vswitchd.pid, "edge3": brokers[-1].pid}
        if len(brokers) > 1:
            pids["edge2"] = brokers[0].pid
        return load(self.lab, ("-P", hosts[0].ns, "-S", hosts[1].ns, *options), pids, seconds,
                    "pubsub", *addresses)
