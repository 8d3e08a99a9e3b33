#!/usr/bin/python3
# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""The demonstration: the prototype's network, a proxy at s2 that takes 192.168.1.101, one at s3
that takes 192.168.1.104, a subscriber on h2, a publisher on h3; then what was seen.

Started by scripts/demo, which builds everything and gives it a network namespace of its own, so
that neither the machine's interfaces nor its Open vSwitch are touched.  Exit status 0 only if the
message arrived both ways round and every claim in CLAIMS was seen to hold.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
# A private Open vSwitch and a reader of captures: the system tests have them.
sys.path[:0] = [HERE, os.path.join(TOP, "tests", "system")]

import topo                                                     # noqa: E402
from capture import read_pcap                                   # noqa: E402
from mininet.cli import CLI                                     # noqa: E402
from mininet.log import setLogLevel                             # noqa: E402
from mininet.net import Mininet                                 # noqa: E402
from procs import Process, wait_for                             # noqa: E402
from vswitch import VSwitch                                     # noqa: E402

EDGES = {"s2": "192.168.1.101", "s3": "192.168.1.104"}
LOGIN = ["-u", topo.USER, "-P", topo.PASSWORD]
PORT = 1883


def say(text):
    print("*** " + text, flush=True)


class Demo:
    def __init__(self, directory):
        self.directory = directory
        self.log_dir = os.path.join(directory, "log")
        # Where we are already: no other namespace.
        self.ovs = VSwitch(directory, None)
        self.net = self.capture = self.subscriber = None
        self.failures = []

    # -- the network ---------------------------------------------------------------------------

    def start(self):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        say("Starting a private Open vSwitch in %s" % self.directory)
        self.ovs.start()
        os.environ.update(OVS_RUNDIR=self.ovs.rundir, OVS_DBDIR=self.directory,
                          OVS_LOGDIR=self.ovs.log_dir)
        say("Starting the Mininet tree, a learning-switch controller, and a proxy at %s" %
            " and ".join("%s (takes %s)" % item for item in EDGES.items()))
        self.net = Mininet(topo=topo.MqttTree(2, 2, proxies=1), controller=None, build=False)
        self.net.addController("c0", controller=topo.LearningController)
        self.net.build()
        self.net.start()
        if not self.net.waitConnected(timeout=20):
            raise topo.TopoError("the switches are not connected to the controller")
        self.core = self.net.linksBetween(self.net["s1"], self.net["s2"])[0]
        path = os.path.join(self.directory, "s1.pcap")
        interface = (self.core.intf1 if self.core.intf1.node.name == "s1" else
                     self.core.intf2).name
        self.capture_path = path
        self.capture = Process("capture", [
            "tcpdump", "-i", interface, "-n", "-U", "--immediate-mode", "-s", "0", "-Z", "root",
            "-w", path, "port", str(PORT)], self.log_dir)
        self.capture.wait_text("listening on", 10)

    def stop(self):
        for process in (self.subscriber, self.capture):
            if process:
                process.stop()
        if self.net:
            self.net.stop()
        self.ovs.stop()

    # -- what happens in it --------------------------------------------------------------------

    def pid(self, host):
        return str(self.net[host].pid)

    def frames(self, **wanted):
        return [f for f in read_pcap(self.capture_path) if f.has(**wanted)]

    def publish(self, at, text):
        say("h3: mosquitto_pub -h %s -t topic1 -m %s" % (at, text))
        done = self.net["h3"].popen(["mosquitto_pub", "-h", at, "-p", str(PORT), *LOGIN, "-t",
                                     "topic1", "-m", text], stderr=subprocess.STDOUT)
        output, _ = done.communicate(timeout=20)
        if done.returncode:
            raise topo.TopoError("mosquitto_pub: " + output.decode().strip())

    def received(self):
        return self.subscriber.out.decode().split("\n")[:-1]

    def messages(self):
        say("h2: mosquitto_sub -h %s -t topic1" % EDGES["s2"])
        self.subscriber = Process("subscriber", [
            "mnexec", "-a", self.pid("h2"), "mosquitto_sub", "-h", EDGES["s2"], "-p", str(PORT),
            *LOGIN, "-t", "topic1"], self.log_dir)
        wait_for(lambda: self.frames(proto=17, ip_src=EDGES["s2"]), 15,
                 "the SUBSCRIBE datagram at s1")
        for at, text in ((EDGES["s3"], "message1"), (EDGES["s2"], "message2")):
            self.publish(at, text)
            wait_for(lambda text=text: text in self.received(), 10, text + " at h2")
            say("h2 received: " + text)

    def print_logs(self):
        """The end of what everybody said, for who has to find out why it failed."""
        paths = [os.path.join(self.log_dir, name) for name in sorted(os.listdir(self.log_dir))]
        if self.net:
            paths += [log for log in (getattr(s, "daemon_log", None) for s in self.net.switches)
                      if log]
        for path in paths:
            with open(path, "rb") as log:
                lines = log.read().decode(errors="replace").splitlines()[-10:]
            if lines:
                print("--- %s\n%s" % (os.path.basename(path), "\n".join(lines)))

    # -- what was seen -------------------------------------------------------------------------

    def appctl(self, switch, *words):
        socket = "%s/ovs-mqtt-proxyd-%s.ctl" % (self.ovs.rundir, switch)
        return subprocess.run(["ovs-appctl", "-t", socket, *words], check=True,
                              stdout=subprocess.PIPE).stdout.decode().rstrip()

    def show(self):
        for switch in EDGES:
            say("Flows of the proxy at %s (ovs-ofctl dump-flows %s):" % (switch, switch))
            for flow in self.ovs.our_flows(switch):
                print("  n_packets=%-4d %s" % (flow["n_packets"], flow["text"]))
            for command in ("connection/show", "peer/show"):
                say("ovs-appctl %s at %s:" % (command, switch))
                print(self.appctl(switch, command))

    def intercepts(self, switch):
        match = "tcp,nw_dst=%s,tp_dst=%d" % (EDGES[switch], PORT)
        return self.ovs.n_packets(switch, match) > 0

    def no_tcp_across(self):
        return not [f for f in self.frames(proto=6)
                    if EDGES["s3"] in (f.ip_src, f.ip_dst)]

    def in_host(self, host, *command):
        return subprocess.run(["mnexec", "-a", self.pid(host), *command], check=True,
                              stdout=subprocess.PIPE).stdout.decode()

    def nothing_listens(self):
        return not any(self.in_host(h.name, "ss", "-Hltn", "sport = :%d" % PORT).strip()
                       for h in self.net.hosts)

    def no_rules(self):
        def rules(host):
            tables = self.in_host(host, "iptables-save")
            return [line for line in tables.splitlines() if line.startswith("-A")]
        return not any(rules(h.name) or self.in_host(h.name, "nft", "list", "ruleset").strip()
                       for h in self.net.hosts)

    def no_stream_sockets(self):
        sockets = subprocess.run(["ss", "-Htanp"], check=True,
                                 stdout=subprocess.PIPE).stdout.decode()
        return not any("pid=%d," % self.net[switch].daemon.pid in sockets for switch in EDGES)

    CLAIMS = (
        ("flow a of the proxy at s2 counted packets", lambda d: d.intercepts("s2")),
        ("flow a of the proxy at s3 counted packets", lambda d: d.intercepts("s3")),
        ("the PUBLISH crossed s1 in UDP/1883", lambda d: any(
            b"topic1message1" in f.payload for f in d.frames(proto=17, dport=PORT))),
        ("no TCP between h3 and 192.168.1.104 crossed s1", no_tcp_across),
        ("nothing listens on port 1883 in any host", nothing_listens),
        ("no iptables or nft rule in any host", no_rules),
        ("no proxy owns an INET stream socket", no_stream_sockets),
    )

    def judge(self):
        say("What was seen:")
        for claim, holds in self.CLAIMS:
            held = bool(holds(self))
            print("  %s %s" % ("yes" if held else "NO ", claim))
            if not held:
                self.failures.append(claim)


def main():
    parser = argparse.ArgumentParser(description="Two proxies, one message; see scripts/demo.")
    parser.add_argument("--keep", action="store_true",
                        help="leave the network up with Mininet's command line")
    options = parser.parse_args()
    setLogLevel("warning")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    started = time.monotonic()
    directory = tempfile.mkdtemp(prefix="mqtt-demo-", dir="/tmp")
    os.makedirs(os.path.join(directory, "log"))
    demo = Demo(directory)
    try:
        demo.start()
        demo.messages()
        demo.show()
        demo.judge()
        say("%s in %.0f s" % ("FAILED: " + "; ".join(demo.failures) if demo.failures else
                              "All of it works", time.monotonic() - started))
        if options.keep:
            say("The network stays until you leave Mininet's command line (exit)")
            setLogLevel("output")     # else it would print nothing
            CLI(demo.net)
    except (AssertionError, topo.TopoError, subprocess.SubprocessError) as problem:
        say("FAILED: %s" % problem)
        demo.print_logs()
        return 1
    finally:
        demo.stop()
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if demo.failures else 0


if __name__ == "__main__":
    sys.exit(main())
