#!/usr/bin/python3
# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""The Mininet network: a tree of Open vSwitches with hosts at the leaves, as the prototype had
it; s1 the root, s2 and s3 leaves, h1 and h2 at s2, h3 and h4 at s3, 192.168.1.101 to .104.

As a script, with the prototype's options (-h shows them):

    sudo mininet/topo.py                        a controller is expected at 127.0.0.1:6653
    sudo mininet/topo.py -f 2 -f 3 -f 2 -D 10ms -r eth1 -R s1

From mn, which takes everything at the end of this file; proxies=1 starts an ovs-mqtt-proxyd
beside every leaf:

    sudo mn --custom mininet/topo.py --topo mqtttree,2,2,proxies=1 --controller learning \
        --test mqtt

All switches use the userspace datapath, so no kernel module is needed.  A private Open vSwitch
is used when OVS_RUNDIR and OVS_DBDIR say where it is.
"""

import argparse
import ctypes
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from mininet.cli import CLI
from mininet.link import Intf, TCLink
from mininet.log import error, info, setLogLevel
from mininet.net import Mininet
from mininet.node import Controller, Host, OVSSwitch, RemoteController
from mininet.topo import Topo

# mn executes this file without telling it its name.
TREE_TOP = os.path.dirname(os.path.dirname(os.path.abspath(
    sys._getframe().f_code.co_filename)))
MAX_HOSTS = 154                 # 192.168.1.101 to .254
LAUNCH_S = 10.0
USER, PASSWORD = "jorge", "passwd"      # the prototype's


class TopoError(Exception):
    """One sentence that tells the user what cannot be done."""


def find_program(name, built=()):
    """In the build directory ('built': names there), else in PATH; None when nowhere."""
    builds = [os.environ.get("BUILD_DIR"), os.path.join(TREE_TOP, "_build"), TREE_TOP]
    places = [os.path.join(build, path) for build in builds if build for path in built]
    for path in places + [shutil.which(name), "/usr/sbin/" + name, "/usr/local/sbin/" + name]:
        if path and os.access(path, os.X_OK):
            return path
    return None


def end_with_parent():
    """In a child, before exec: Mininet may be killed, or fail in the middle of starting."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM, 0, 0, 0)


def wait_until(condition, seconds):
    """Whether 'condition' became true in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


# -- nodes -----------------------------------------------------------------------------------


class EdgeHost(Host):
    """A host without checksum offload (the userspace datapath would get frames without
    checksums and segments that nobody has cut yet) and without IPv6 noise."""

    def config(self, ipv6=False, **params):
        result = Host.config(self, **params)
        for intf in self.intfList():
            self.cmd("ethtool -K", intf, "tx off")
        if not ipv6:
            self.cmd("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
                     "net.ipv6.conf.default.disable_ipv6=1")
        return result


class EdgeSwitch(OVSSwitch):
    """An Open vSwitch in user space.  fail_mode=secure and no in-band control, so that nothing
    but the controller and the proxy writes its flow table."""

    def __init__(self, name, **params):
        params = dict({"datapath": "user", "protocols": "OpenFlow13", "failMode": "secure"},
                      **params)
        # Each at once, so that start() can tell what went wrong, and use the bridge.
        params["batch"] = False
        OVSSwitch.__init__(self, name, **params)

    def start(self, controllers):
        for intf in self.intfList():
            if intf.name != "lo":
                self.cmd("sysctl -qw net.ipv6.conf.%s.disable_ipv6=1" % intf.name)
                self.cmd("ethtool -K", intf, "tx off")
        OVSSwitch.start(self, controllers)
        if self.name not in self.cmd("ovs-vsctl --timeout=10 list-br").split():
            raise TopoError("Open vSwitch has not taken bridge %s; does ovs-vsctl show work?"
                            % self.name)


class ProxySwitch(EdgeSwitch):
    """An EdgeSwitch with an ovs-mqtt-proxyd on its management socket.

    'takes' is the address the proxy answers at, 'peers' those of the other proxies, separated
    by '+'; 'options' are further words for its command line.  MqttTree sets the first two; a
    switch without hosts has no proxy."""

    def __init__(self, name, takes=None, peers="", options="", **params):
        EdgeSwitch.__init__(self, name, **params)
        self.takes, self.options = takes, options
        self.peers = [peer for peer in peers.split("+") if peer]
        self.daemon = self.daemon_log = None

    def start(self, controllers):
        EdgeSwitch.start(self, controllers)
        if not self.takes:
            return
        program = find_program("ovs-mqtt-proxyd", ("src/ovs-mqtt-proxyd", "ovs-mqtt-proxyd"))
        if program is None:
            raise TopoError("no ovs-mqtt-proxyd in the build directory or PATH; build it first")
        rundir = os.environ.get("OVS_RUNDIR", "/var/run/openvswitch")
        argv = [program, "--unixctl=%s/ovs-mqtt-proxyd-%s.ctl" % (rundir, self.name),
                "-u", USER, "-p", PASSWORD, "--take=" + self.takes]
        for peer in self.peers:
            argv += ["-F", peer]
        argv += shlex.split(self.options) + [self.name]
        log, self.daemon_log = tempfile.mkstemp(prefix="ovs-mqtt-proxyd-%s." % self.name,
                                                suffix=".log")
        with os.fdopen(log, "w") as output:
            self.daemon = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output,
                                           stderr=output, start_new_session=True,
                                           preexec_fn=end_with_parent)
        info("(%s at %s, log %s) " % (os.path.basename(program), self.takes, self.daemon_log))
        if not wait_until(self.is_serving, LAUNCH_S):
            with open(self.daemon_log) as text:
                raise TopoError("the proxy of %s has not installed its flows:\n%s" % (
                    self.name, text.read()[-2000:]))

    def is_serving(self):
        """Whether the flow that intercepts clients is there."""
        flows = self.cmd("ovs-ofctl -O OpenFlow13 dump-flows", self, "tcp,nw_dst=" + self.takes)
        return "CONTROLLER" in flows.upper()

    def end_daemon(self):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.terminate()
            try:
                self.daemon.wait(5)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        if self.daemon_log:
            os.unlink(self.daemon_log)
            self.daemon_log = None

    def stop(self, deleteIntfs=True):
        self.end_daemon()
        EdgeSwitch.stop(self, deleteIntfs)

    @classmethod
    def batchShutdown(cls, switches, **params):
        """What Mininet calls in place of stop()."""
        for switch in switches:
            switch.end_daemon()
        return EdgeSwitch.batchShutdown(switches, **params)


class LearningController(Controller):
    """RYU's or os-ken's manager with this project's learning switch."""

    def __init__(self, name, **params):
        manager = find_program("ryu-manager") or find_program("osken-manager")
        if manager is None:
            raise TopoError("neither ryu-manager nor osken-manager is installed")
        application = os.path.join(TREE_TOP, "ryu-interop", "learning_switch.py")
        params.setdefault("port", 6653)
        Controller.__init__(self, name, command=manager,
                            cargs="--ofp-tcp-listen-port %s " + shlex.quote(application),
                            **params)

    def start(self):
        # Controller.stop() ends the job whose command line begins with self.command.
        self.cmd("export PYTHONDONTWRITEBYTECODE=1")
        self.cmd(self.command + " " + self.cargs % self.port
                 + " 1>/tmp/" + self.name + ".log 2>&1 &")
        self.execed = False
        listening = re.compile(r":%d\s" % self.port)
        if not wait_until(lambda: listening.search(self.cmd("ss -Hltn")), LAUNCH_S):
            raise TopoError("the controller does not listen; see /tmp/%s.log" % self.name)

    def checkListening(self):
        """Its port is looked at in start()."""


# -- topology --------------------------------------------------------------------------------


def tree_plan(fanouts):
    """Returns (switches, links, leaves): names of the switches, pairs (upper, lower), and
    [(leaf switch, [hosts])].  Numbered level by level; the last fan-out is that of the hosts."""
    if not fanouts or any(f < 1 for f in fanouts):
        raise TopoError("a fan-out must be 1 or more")
    switches, links, level = ["s1"], [], ["s1"]
    for fanout in fanouts[:-1]:
        below = []
        for upper in level:
            for _ in range(fanout):
                switches.append("s%d" % (len(switches) + 1))
                below.append(switches[-1])
                links.append((upper, switches[-1]))
                if len(switches) > 1000:
                    raise TopoError("more than 1000 switches")
        level = below
    if len(level) * fanouts[-1] > MAX_HOSTS:
        raise TopoError("%d hosts do not fit into 192.168.1.101 to .254" % (
            len(level) * fanouts[-1]))
    leaves, n = [], 0
    for leaf in level:
        leaves.append((leaf, ["h%d" % (n + i + 1) for i in range(fanouts[-1])]))
        n += fanouts[-1]
    return switches, links, leaves


def host_ip(host):
    return "192.168.1.%d" % (100 + int(host[1:]))


def proxy_hosts(leaves):
    """{leaf: the host whose address its proxy takes}: the first leaf's first host, of others
    the last, which for the prototype's tree is its h1 and its h4."""
    return {leaf: hosts[0 if i == 0 else -1] for i, (leaf, hosts) in enumerate(leaves)}


class MqttTree(Topo):
    """--topo mqtttree[,FANOUT...][,proxies=1][,host_delay=D][,switch_delay=D]"""

    def build(self, *fanouts, proxies=0, host_delay=None, switch_delay=None):
        switches, links, leaves = tree_plan(list(fanouts) or [2, 2])
        taken = proxy_hosts(leaves) if proxies else {}
        cls = ProxySwitch if proxies else EdgeSwitch
        for name in switches:
            more = {}
            if name in taken:
                more = {"takes": host_ip(taken[name]), "peers": "+".join(
                    host_ip(host) for leaf, host in taken.items() if leaf != name)}
            self.addSwitch(name, cls=cls, **more)
        for upper, lower in links:
            self.addLink(upper, lower, **link_options(switch_delay))
        for leaf, hosts in leaves:
            for host in hosts:
                self.addHost(host, cls=EdgeHost, ip=host_ip(host) + "/24",
                             mac="00:00:00:00:00:%02x" % int(host[1:]))
                self.addLink(leaf, host, **link_options(host_delay))


def link_options(delay):
    """'delay' as tc has it ("10ms"); each direction takes that long."""
    if not delay or re.match(r"0(ms|us|s)?$", delay):
        return {}
    if not re.match(r"\d+(\.\d+)?(us|ms|s)$", delay):
        raise TopoError("%s is no delay; write 10ms" % delay)
    return {"cls": TCLink, "delay": delay, "txo": False}


def check_netem():
    """Whether the kernel can delay, tried in a namespace of its own that vanishes at once."""
    done = subprocess.run(["unshare", "-n", "tc", "qdisc", "add", "dev", "lo", "root", "netem",
                           "delay", "1ms"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise TopoError("This kernel has no netem (module sch_netem), so links cannot be "
                        "delayed: leave out -d and -D.")


# -- what the script adds to a network -------------------------------------------------------


class RealInterface:
    """An interface of this machine that becomes one of a host or a switch (-r, -R)."""

    def __init__(self, net, name, node_name):
        if node_name not in net:
            raise TopoError("%s: no such host or switch" % node_name)
        if not os.path.isdir("/sys/class/net/" + name):
            raise TopoError("%s: no such interface" % name)
        shown = subprocess.run(["ip", "-4", "-o", "addr", "show", "dev", name],
                               stdout=subprocess.PIPE, check=True).stdout.decode()
        if " inet " in shown:
            raise TopoError("%s has an address and is probably in use; ip addr flush dev %s "
                            "frees it" % (name, name))
        self.name, self.node = name, net[node_name]
        self.is_switch = self.node in net.switches
        Intf(name, node=self.node)
        if not self.is_switch:
            # As the prototype: the host is a router between 192.168.1.0/24 and the real
            # network, where it has the same last byte.
            address = "192.168.2.%s/24" % host_ip(node_name).rsplit(".", 1)[1]
            self.node.cmd("ip addr add", address, "dev", name)
            self.node.cmd("sysctl -qw net.ipv4.ip_forward=1")
            info("*** %s has %s with %s and routes\n" % (node_name, name, address))
        self.node.cmd("ethtool -K", name, "tx off")
        self.node.cmd("ip link set dev", name, "up")

    def give_back(self):
        """Before the host's namespace goes; a veth would vanish with it."""
        if not self.is_switch:
            self.node.cmd("ip addr flush dev", self.name)
            self.node.cmd("ip link set dev", self.name, "netns", os.getpid())


class Background:
    """Captures (-P) and traffic (-G, -g): processes in the nodes, ended by their pids."""

    def __init__(self):
        self.processes = []

    def spawn(self, node, *argv):
        self.processes.append(node.popen(list(argv), stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def capture(self, net, directory):
        """Every interface of every node, one file each."""
        os.makedirs(directory, exist_ok=True)
        paths = []
        for node in net.hosts + net.switches:
            for intf in node.intfList():
                if intf.name != "lo":
                    paths.append(os.path.join(directory, intf.name + ".pcap"))
                    if os.path.exists(paths[-1]):
                        os.unlink(paths[-1])
                    self.spawn(node, "tcpdump", "-i", intf.name, "-n", "-U", "-Z", "root", "-s",
                               "0", "-w", paths[-1])
        if not wait_until(lambda: all(map(os.path.exists, paths)), LAUNCH_S):
            raise TopoError("tcpdump does not write to %s" % directory)
        info("*** Capturing into %s\n" % directory)

    def ping(self, net):
        """Every host pings the first one, once a second."""
        for host in net.hosts[1:]:
            self.spawn(host, "ping", "-n", net.hosts[0].IP())

    def iperf(self, net):
        """Every host sends 1 Mbit/s of UDP to the first one."""
        self.spawn(net.hosts[0], "iperf", "-s", "-u")
        for host in net.hosts[1:]:
            self.spawn(host, "iperf", "-c", net.hosts[0].IP(), "-u", "-b", "1M", "-t", "86400")

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def mqtt_test(net):
    """mn --test mqtt: one message from the last leaf's first host at its proxy to a subscriber
    at the first leaf's."""
    hosts = sorted(net.hosts, key=lambda host: int(host.name[1:]))
    proxies = [switch for switch in net.switches if getattr(switch, "takes", None)]
    if len(proxies) < 2:
        raise TopoError("--test mqtt wants proxies at two leaves: --topo mqtttree,2,2,proxies=1")
    credentials = ["-u", USER, "-P", PASSWORD]
    publisher = next(host for host in reversed(hosts)
                     if host.IP() != proxies[-1].takes and proxies[-1] in neighbours(host))
    subscriber = next(host for host in hosts
                      if host.IP() != proxies[0].takes and proxies[0] in neighbours(host))
    receiving = subscriber.popen(
        ["mosquitto_sub", "-h", proxies[0].takes, *credentials, "-t", "topic1", "-C", "1", "-W",
         "10"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    # QoS 0 to a topic that nobody has subscribed yet would be lost, and rightly: repeated.
    while receiving.poll() is None:
        publisher.cmd("mosquitto_pub", "-h", proxies[-1].takes, *credentials, "-t", "topic1",
                      "-m", "message1")
        time.sleep(0.3)
    got = receiving.communicate()[0].decode().strip()
    info("*** %s at %s > %s at %s: %s\n" % (publisher, proxies[-1], subscriber, proxies[0], got))
    if got != "message1":
        raise TopoError("the message did not arrive: %s" % got)


def neighbours(host):
    return [end.node for intf in host.intfList() if intf.link
            for end in (intf.link.intf1, intf.link.intf2)]


# -- the script ------------------------------------------------------------------------------


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description="A tree of Open vSwitches; all levels are switches but the last, which is "
        "hosts.", epilog="Example: root, 2 switches, 2x3 switches, 2x3x2 hosts: "
        "%(prog)s -f 2 -f 3 -f 2 -d 10ms")
    add = parser.add_argument
    add("-f", "--fanout", type=int, action="append", metavar="N",
        help="fan-out of the next level, repeatable; the last is that of the hosts (2, 2)")
    add("-d", "--host-delay", metavar="DELAY", help="of links to hosts, such as 10ms")
    add("-D", "--switch-delay", metavar="DELAY", help="of links between switches")
    add("-r", "--real-interface", metavar="IF", help="an interface of this machine...")
    add("-R", "--real-node", metavar="NODE", help="...and the host or switch that gets it")
    add("-P", "--capture", action="store_true", help="capture at every interface")
    add("--capture-dir", default="captures", metavar="DIR", help="where to (captures)")
    add("-G", "--ping", action="store_true", help="every host pings h1 once a second")
    add("-g", "--iperf", action="store_true", help="every host sends h1 1 Mbit/s of UDP")
    add("-c", "--controller", default="127.0.0.1:6653", metavar="IP:PORT",
        help="of a controller that runs already (%(default)s); 'none': no controller; "
        "'learning': start one")
    add("-x", "--proxies", action="store_true", help="start an ovs-mqtt-proxyd beside every leaf")
    add("-e", "--execute", action="append", metavar="LINE",
        help="a line for Mininet's command line, in its place; repeatable")
    add("-v", "--verbose", action="store_true", help="say what is done in detail")
    options = parser.parse_args(argv)
    if bool(options.real_interface) != bool(options.real_node):
        parser.error("-r and -R go together")
    return options


def add_controller(net, where):
    if where == "learning":
        net.addController("c0", controller=LearningController)
    elif where != "none":
        match = re.match(r"([\d.]+):(\d+)$", where)
        if not match:
            raise TopoError("%s: want IP:PORT, none or learning" % where)
        net.addController("c0", controller=RemoteController, ip=match[1], port=int(match[2]))


class Network:
    """The network that the options describe: start() and stop()."""

    def __init__(self, options):
        self.options = options
        for delay in (options.host_delay, options.switch_delay):
            if link_options(delay):
                check_netem()
        topology = MqttTree(*(options.fanout or [2, 2]), proxies=int(options.proxies),
                            host_delay=options.host_delay, switch_delay=options.switch_delay)
        self.net = Mininet(topo=topology, controller=None, build=False)
        self.real, self.background = None, Background()

    def start(self):
        options, net = self.options, self.net
        add_controller(net, options.controller)
        net.build()
        if options.real_interface:
            self.real = RealInterface(net, options.real_interface, options.real_node)
        net.start()
        if net.controllers and not net.waitConnected(timeout=LAUNCH_S):
            error("*** Not all switches are connected to the controller: hosts cannot reach "
                  "one another yet\n")
        if options.capture:
            self.background.capture(net, options.capture_dir)
        if options.ping:
            self.background.ping(net)
        if options.iperf:
            self.background.iperf(net)

    def stop(self):
        self.background.stop()
        if self.real:
            self.real.give_back()
        self.net.stop()


def interact(net, lines):
    if lines is None:
        CLI(net)
        return
    with tempfile.NamedTemporaryFile("w", suffix=".mn") as script:
        script.write("\n".join(lines) + "\n")
        script.flush()
        CLI(net, script=script.name)


def script_main():
    options = parse_arguments(sys.argv[1:])
    setLogLevel("debug" if options.verbose else "info")
    if os.geteuid() != 0:
        sys.exit("Mininet must be run as root.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    network = None
    try:
        network = Network(options)
        network.start()
        interact(network.net, options.execute)
    except TopoError as sentence:
        error("%s\n" % sentence)
        return 1
    finally:
        if network:
            network.stop()
    return 0


# -- for mn --custom -------------------------------------------------------------------------

topos = {"mqtttree": MqttTree}
switches = {"edge": EdgeSwitch, "proxy": ProxySwitch}
hosts = {"edge": EdgeHost}
controllers = {"learning": LearningController}
tests = {"mqtt": mqtt_test}

if __name__ == "__main__":
    sys.exit(script_main())
