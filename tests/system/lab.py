# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""A laboratory for system tests: a private Open vSwitch, hosts in network namespaces, the
daemon, brokers, clients, captures, controllers.

    from lab import Lab, test, wait_for

    @test("name-says-the-behaviour", needs=("daemon",))
    def name():
        with Lab() as lab:
            ...

Everything lives in namespaces of this test's own (the switch as well, so bridges may have the
same names in tests that run side by side) and in one temporary directory; leaving the `with`
stops and removes all of it, also by exception and signal.  Standard library only.  One thread.
"""

import collections
import json
import os
import shutil
import socket
import tempfile
import time

from capture import read_pcap
from clients import Publisher, Subscriber
from procs import (CommandFailed, Hopeless, NetnsEntered, Process, Skip, run, stays,
                   wait_for)
from vswitch import VSwitch

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PYTHON = "/usr/bin/python3"     # the one that sees Debian's modules

__all__ = ["Lab", "test", "Skip", "CommandFailed", "Hopeless", "wait_for", "stays", "run",
           "TOP", "HERE", "PYTHON", "program", "payload_bytes", "mqttjs_modules"]

# -- test functions --------------------------------------------------------------------------

Test = collections.namedtuple("Test", "name function timeout needs")
registered = []

# What a test may need beyond what all need, and how to find out whether it is there.
ALWAYS = ("ip", "ovs-vswitchd", "ovsdb-server", "ovs-vsctl", "ovs-ofctl", "ethtool", "ping")
NEEDS = {
    "daemon": lambda: program("ovs-mqtt-proxyd"),
    "relay": lambda: program("relay"),
    "synflood": lambda: program("synflood"),
    "mqtt-load": lambda: program("mqtt-load"),
    "swarm": lambda: program("swarm"),
    "mosquitto": lambda: (program("mosquitto"), program("mosquitto_pub")),
    "tcpdump": lambda: program("tcpdump"),
    "mininet": lambda: (program("mn"), program("mnexec")),
    "os-ken": lambda: program("osken-manager"),
    "paho": lambda: _paho(),
    "mqtt.js": lambda: mqttjs_modules(),
}


def test(name, timeout=60, needs=()):
    """Registers a test.  'timeout' in seconds, for all of it; 'needs': keys of NEEDS."""
    def register(function):
        for need in needs:
            assert need in NEEDS, need
        registered.append(Test(name, function, timeout, tuple(needs)))
        return function
    return register


# Where the build leaves programs that are not in PATH, relative to the build directory.
BUILT = {"ovs-mqtt-proxyd": ("MP_DAEMON", "src/ovs-mqtt-proxyd", "ovs-mqtt-proxyd"),
         "relay": ("MP_RELAY", "tests/tools/relay"),
         "synflood": (None, "tests/tools/synflood"),
         **{name: (None, "tests/bench/" + name) for name in (
             "mqtt-load", "probe", "reflector", "swarm", "udp-ping")}}


def program(name):
    """The path of a program: of our own by environment (MP_DAEMON, MP_RELAY), in the build
    directory (top_builddir, else the source tree), then PATH.  Skip when it is nowhere."""
    variable, *places = BUILT.get(name, (None,))
    if variable and os.environ.get(variable):
        candidates = [os.environ[variable]]
    else:
        build = os.environ.get("top_builddir", TOP)
        candidates = [os.path.join(build, place) for place in places]
        candidates.append(shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin"))
    for path in candidates:
        if path and os.access(path, os.X_OK):
            return path
    raise Skip("no %s here" % name)


def _paho():
    if run([PYTHON, "-c", "import paho.mqtt"], check=False).returncode != 0:
        raise Skip("no python3-paho-mqtt here")


def mqttjs_modules():
    """The node_modules with MQTT.js: in the build directory, installed from npm at first use."""
    program("node")
    program("npm")
    cache = os.path.join(os.path.abspath(os.environ.get("top_builddir", TOP)), "tests", "mqttjs")
    done = run([os.path.join(TOP, "scripts", "install-mqttjs"), cache], timeout=120, check=False)
    if done.returncode != 0:
        raise Skip("npm cannot install MQTT.js: " + done.stderr.decode(errors="replace")[-200:]
                   .replace("\n", " "))
    return os.path.join(cache, "node_modules")


def payload_bytes(size, seed=0):
    """Bytes that are not UTF-8 and repeat at no short distance, the same for the same seed."""
    out, state = bytearray(), seed * 2654435761 + 12345
    while len(out) < size:
        state = (state * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        out += state.to_bytes(8, "big")
    return bytes(out[:size])


# -- the laboratory --------------------------------------------------------------------------


class Host:
    """A host: a namespace with one interface, eth0, at a switch port."""

    def __init__(self, lab, name, bridge, ip, mac):
        self.lab, self.name, self.bridge, self.mac = lab, name, bridge, mac
        self.ns = lab.prefix + name
        self.ip = ip.split("/")[0] if ip else None
        self.ip6 = None
        self.port = name                    # the switch side's interface; in the lab's namespace
        self.ofport = None

    def run(self, command, **options):
        """Runs a command here; see procs.run()."""
        argv = command.split() if isinstance(command, str) else command
        return run(["ip", "netns", "exec", self.ns, *argv], **options)

    def spawn(self, name, command, env=None):
        """Starts a Process here; the lab stops it at the latest."""
        return self.lab.spawn(name, command, host=self, env=env)

    def python(self, source, *arguments, timeout=20, check=True):
        """Runs Python source here; its arguments are sys.argv[1:]."""
        return self.run([PYTHON, "-c", source, *map(str, arguments)], timeout=timeout,
                        check=check)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, timeout=5, proto=0):
        """A socket of the test's own process that lives in this host's namespace."""
        with NetnsEntered(self.ns):
            made = socket.socket(family, kind, proto)
        made.settimeout(timeout)
        self.lab.at_end(made.close)
        return made

    def connect(self, address, port=1883, timeout=5):
        """A TCP connection from here."""
        made = self.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                           timeout=timeout)
        made.connect((address, port))
        return made

    def packet_socket(self, timeout=5):
        """Raw frames at eth0, in and out."""
        made = self.socket(socket.AF_PACKET, socket.SOCK_RAW, timeout, socket.htons(3))
        made.bind(("eth0", 0))
        return made

    def ping(self, address, count=1, timeout=15):
        """Whether 'count' echo requests were answered in time."""
        done = self.run(["ping", "-n", "-i", "0.2", "-c", str(count), "-w", str(timeout),
                         address], timeout=timeout + 5, check=False)
        return done.returncode == 0

    def capture(self, expression="", name=None):
        """A Capture at eth0."""
        return self.lab.capture("eth0", expression, host=self, name=name)


class Capture:
    """A tcpdump at work on one interface."""

    def __init__(self, process, path):
        self.process, self.path = process, path

    def frames(self, **wanted):
        """What was captured until now, as capture.Frame; with arguments those that have()."""
        return [frame for frame in read_pcap(self.path) if frame.has(**wanted)]

    def wait_frames(self, n=1, timeout=5, **wanted):
        """Waits for at least n such frames and returns them."""
        def enough():
            frames = self.frames(**wanted)
            return frames if len(frames) >= n else None
        return wait_for(enough, timeout, lambda: "%d frames with %r; there are %r" % (
            n, wanted, self.frames()[-20:]))

    def stop(self):
        self.process.stop()
        return self.frames()


class Daemon:
    """One ovs-mqtt-proxyd."""

    def __init__(self, lab, name, arguments, host):
        self.lab, self.name = lab, name
        self.ctl = "%s/%s.ctl" % (lab.ovs.rundir, name)
        self.argv = [program("ovs-mqtt-proxyd"), "--unixctl=" + self.ctl, "-vconsole:dbg",
                     "-vsyslog:off", *map(str, arguments)]
        self.host = host
        self.process = None

    def start(self):
        """Starts it (again); its messages go to the same log."""
        self.process = self.lab.spawn(self.name, self.argv, host=self.host, same_log=True)
        return self

    def wait_control(self, timeout=10):
        """Waits until it answers ovs-appctl."""
        def answers():
            self.process.check_running()
            return self.appctl("version")
        wait_for(answers, timeout, "%s's control socket" % self.name)
        return self

    def wait_flows(self, bridge, timeout=10):
        """Waits until its flows are in 'bridge' and no more of them are coming."""
        seen = []

        def settled():
            self.process.check_running()
            seen.append(sorted(f["text"] for f in self.lab.ovs.our_flows(bridge)))
            return len(seen) >= 3 and seen[-1] and seen[-1] == seen[-2] == seen[-3]
        wait_for(settled, timeout, lambda: "the flows of %s in %s; log: %s" % (
            self.name, bridge, self.log[-3000:]), pause=0.05)
        return self

    def appctl(self, *words, check=True):
        """What ovs-appctl prints, stripped; without 'check' also when it fails."""
        result = run(["ovs-appctl", "-t", self.ctl, *words], env=self.lab.ovs.env, check=check)
        return (result.stdout if check else result.stdout + result.stderr).decode().strip()

    def json(self, command):
        """A show command's JSON form, decoded."""
        return json.loads(self.appctl(command, "json"))

    @property
    def log(self):
        return self.process.text

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        """SIGTERM; returns the exit status."""
        return self.process.stop()

    def kill(self):
        return self.process.kill()


class Controller:
    """osken-manager with one or more applications."""

    def __init__(self, process, stats_path):
        self.process, self.stats_path = process, stats_path

    def stats(self):
        """{dpid: {"total": N, "kinds": {...}, "macs": [...]}} of learning_switch.py."""
        with open(self.stats_path) as text:
            return {int(dpid, 16): n for dpid, n in json.load(text).items()}

    def packet_ins(self, dpid, kind=None):
        """How many packet-ins of the switch came here, all or of one kind ("tcp/1883").  The
        file is written every 100 ms: compare after settle()."""
        n = self.stats().get(dpid, {"total": 0, "kinds": {}})
        return n["total"] if kind is None else n["kinds"].get(kind, 0)

    def settle(self, quiet_s=0.3, timeout=10):
        """Waits until no packet-in has come for 'quiet_s'."""
        last = {"stats": self.stats(), "at": time.monotonic()}

        def quiet():
            stats = self.stats()
            if stats != last["stats"]:
                last.update(stats=stats, at=time.monotonic())
            return time.monotonic() - last["at"] > quiet_s
        wait_for(quiet, timeout, "the controller to be left alone", pause=0.05)
        return self.stats()


class Lab:
    """See the top of this file.  lab.ovs is the VSwitch, lab.hosts the hosts by name."""

    def __init__(self, with_ovs=True):
        self.prefix = "mp%d-" % os.getpid()
        self.ns = self.prefix + "sw"        # the switch's namespace
        self.hosts = {}
        self.relays = {}                    # host's name: the Process that spoils its link
        self.namespaces = []
        self.processes = []
        self.endings = []
        self.n_named = collections.Counter()
        self.with_ovs = with_ovs

    # -- life ----------------------------------------------------------------------------------

    def __enter__(self):
        # Short: socket paths have 107 bytes.
        self.dir = tempfile.mkdtemp(prefix=self.prefix, dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.log_dir = os.path.join(self.dir, "log")
        os.makedirs(self.log_dir)
        self.ovs = VSwitch(self.dir, self.ns)
        try:
            self.add_namespace(self.ns)
            if self.with_ovs:
                self.ovs.start()
        except BaseException:
            self.close(failed=True)
            raise
        return self

    def __exit__(self, kind, *exc):
        self.close(failed=kind is not None and not issubclass(kind, Skip))

    def close(self, failed=False):
        if failed:
            self.print_logs()
        for process in reversed(self.processes):
            process.stop(2)
        for ending in reversed(self.endings):
            ending()
        self.ovs.stop()
        for name in reversed(self.namespaces):
            run(["ip", "netns", "del", name], check=False)
        if not os.environ.get("MP_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def print_logs(self):
        """The end of everybody's output, for the report of a failure; of OVS what is unusual."""
        for name in sorted(os.listdir(self.log_dir)):
            with open(os.path.join(self.log_dir, name), "rb") as log:
                lines = log.read().decode(errors="replace").splitlines()
            if name.startswith("ovs-vswitchd") or name.startswith("ovsdb-server"):
                lines = [line for line in lines if "|INFO|" not in line or "|rconn|" in line]
            if lines:
                print("--- %s (%d lines)" % (name, len(lines)))
                print("\n".join(line[:300] for line in lines[-40:]))

    def at_end(self, function):
        self.endings.append(function)

    def add_namespace(self, name):
        run(["ip", "netns", "add", name])
        self.namespaces.append(name)
        for what in ("all", "default"):
            run(["ip", "netns", "exec", name, "sysctl", "-qw",
                 "net.ipv6.conf.%s.disable_ipv6=1" % what])
        run(["ip", "-n", name, "link", "set", "lo", "up"])

    def ip(self, *words):
        """ip(8) in the switch's namespace."""
        return run(["ip", "-n", self.ns, *words]).stdout.decode()

    def run(self, command, **options):
        """Runs a command in the switch's namespace, with the environment of its OVS."""
        argv = command.split() if isinstance(command, str) else command
        return run(["ip", "netns", "exec", self.ns, *argv], env=self.ovs.env, **options)

    def spawn(self, name, command, host=None, env=None, same_log=False):
        """Starts a process in a host's namespace, or the switch's.  A second one of the same
        name gets a number, or goes on in the same log."""
        self.n_named[name] += 1
        if self.n_named[name] > 1 and not same_log:
            name = "%s-%d" % (name, self.n_named[name])
        argv = command.split() if isinstance(command, str) else list(command)
        process = Process(name, ["ip", "netns", "exec", host.ns if host else self.ns, *argv],
                          self.log_dir, env or self.ovs.env)
        self.processes.append(process)
        return process

    # -- the network ---------------------------------------------------------------------------

    def bridge(self, name, **options):
        """options: fail_mode, protocols, controller_queue_size=N...; its dpid is the number in
        its name (s2: 2), or the given one."""
        dpid = options.pop("dpid", None) or int("".join(filter(str.isdigit, name)) or 99)
        self.ovs.add_bridge(name, dpid, **options)
        return name

    def link(self, one, other, mtu=1500):
        """Joins two bridges by a veth pair, whose ends one can capture: "s1-s2" is s1's."""
        ends = ("%s-%s" % (one, other), "%s-%s" % (other, one))
        self.ip("link", "add", "name", ends[0], "mtu", str(mtu), "type", "veth",
                "peer", "name", ends[1], "mtu", str(mtu))
        for bridge, end in zip((one, other), ends):
            self._up(end)
            self.ovs.add_port(bridge, end)

    def _up(self, interface):
        self.ip("link", "set", "dev", interface, "up")
        self.run(["ethtool", "-K", interface, "tx", "off"], check=False)

    def host(self, name, bridge, ip=None, mac=None, ip6=None, vlan=None, relay=None):
        """A host at a bridge.  'ip' and 'ip6' with their prefix lengths.  'vlan': its frames
        arrive at the bridge with that tag, and only such frames reach it.  'relay': options of
        tests/tools/relay that stands between host and bridge: ["--loss=2", "--seed=1"];
        lab.relays[name] is its Process."""
        host = Host(self, name, bridge, ip, mac)
        self.add_namespace(host.ns)
        self.ip("link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns",
                host.ns)
        self._up(name)
        if mac:
            run(["ip", "-n", host.ns, "link", "set", "eth0", "address", mac])
        # Else the userspace datapath gets frames without checksums, and too long ones.
        host.run(["ethtool", "-K", "eth0", "tx", "off"])
        run(["ip", "-n", host.ns, "link", "set", "eth0", "up"])
        if ip:
            run(["ip", "-n", host.ns, "addr", "add", ip, "dev", "eth0"])
        if ip6:
            host.ip6 = ip6.split("/")[0]
            host.run(["sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=0",
                      "net.ipv6.conf.eth0.accept_dad=0", "net.ipv6.conf.eth0.accept_ra=0"])
            run(["ip", "-n", host.ns, "addr", "add", ip6, "dev", "eth0", "nodad"])
        if mac is None:
            host.mac = json.loads(host.run("ip -j link show eth0").stdout)[0]["address"]
        if relay is not None:
            host.port = self._relay(name, relay)
        if vlan is not None:
            host.port = self._tagger(name, host.port, vlan)
        host.ofport = self.ovs.add_port(bridge, host.port)
        self.hosts[name] = host
        return host

    def _relay(self, name, options):
        """Puts the relay behind the switch-side interface 'name'; returns the far end."""
        near, far = name + "-n", name + "-f"
        self.ip("link", "add", "name", near, "type", "veth", "peer", "name", far)
        self._up(near)
        self._up(far)
        process = self.spawn("relay-" + name, [program("relay"), *options, name, near])
        process.wait_text("relaying")
        self.relays[name] = process
        return far

    def _tagger(self, name, port, vlan):
        """A bridge that tags what comes from 'port'; returns the interface where the tagged
        frames come out.  (The kernel here may be without 8021q.)"""
        tagger, inner, outer = "t" + name, name + "-t", name + "-v"
        self.ovs.add_bridge(tagger, 0x7a00 + len(self.hosts) + 1)
        self.ip("link", "add", "name", inner, "type", "veth", "peer", "name", outer)
        self._up(inner)
        self._up(outer)
        host_port = self.ovs.add_port(tagger, port)
        trunk = self.ovs.add_port(tagger, inner)
        self.ovs.ofctl("add-flow", tagger, "in_port=%d,actions=mod_vlan_vid:%d,output:%d" % (
            host_port, vlan, trunk))
        self.ovs.ofctl("add-flow", tagger, "in_port=%d,dl_vlan=%d,actions=strip_vlan,output:%d"
                       % (trunk, vlan, host_port))
        return outer

    def tree(self, fail_mode="secure", trunk_mtu=1500, **host_options):
        """The prototype's network: s1 the root, s2 and s3 the leaves; h1, h2 at s2, h3, h4 at
        s3; 192.168.1.101-104.  trunk_mtu: of the links between switches; hosts' have 1500.
        host_options: h3={"relay": [...]}."""
        for name in ("s1", "s2", "s3"):
            self.bridge(name, fail_mode=fail_mode)
        self.link("s1", "s2", trunk_mtu)
        self.link("s1", "s3", trunk_mtu)
        for number in (1, 2, 3, 4):
            name = "h%d" % number
            self.host(name, "s2" if number < 3 else "s3", "192.168.1.%d/24" % (100 + number),
                      "00:00:00:00:00:%02x" % number, **host_options.get(name, {}))
        return [self.hosts[name] for name in ("h1", "h2", "h3", "h4")]

    def capture(self, interface, expression="", host=None, name=None):
        """A Capture at an interface of the switch's namespace (a host's port is named as the
        host, a link's ends as link() says), or of a host's."""
        name = name or "capture-%s%s" % (host.name + "-" if host else "", interface)
        path = os.path.join(self.dir, "%s-%d.pcap" % (name, len(self.processes)))
        process = self.spawn(name, [
            program("tcpdump"), "-i", interface, "-n", "-U", "--immediate-mode", "-s", "0",
            "-Z", "root", "-w", path, *expression.split()], host=host)
        process.wait_text("listening on")
        return Capture(process, path)

    # -- who lives in it -----------------------------------------------------------------------

    def controller(self, *bridges, apps=("learning_switch.py",), port=6653, env=None):
        """An os-ken controller in the switch's namespace, at 127.0.0.1:'port'; the bridges are
        told of it.  Returns when all are connected."""
        stats = os.path.join(self.dir, "stats-%d.json" % port)
        paths = [app if os.path.isabs(app) else os.path.join(TOP, "ryu-interop", app)
                 for app in apps]
        process = self.spawn("controller-%d" % port, [
            program("osken-manager"), "--ofp-listen-host", "127.0.0.1",
            "--ofp-tcp-listen-port", str(port), *paths],
            env=dict(self.ovs.env, LEARNING_SWITCH_STATS=stats, PYTHONDONTWRITEBYTECODE="1",
                     **(env or {})))
        wait_for(lambda: process.is_running() and self._is_listening(port), 20,
                 lambda: "the controller, which said: " + process.text[-3000:])
        for bridge in bridges:
            self.ovs.vsctl("set-controller", bridge, "tcp:127.0.0.1:%d" % port, "--", "set",
                           "bridge", bridge, "protocols=OpenFlow10,OpenFlow13,OpenFlow15")
        controller = Controller(process, stats)
        wait_for(lambda: len(controller.stats()) == len(bridges) and all(
            self.ovs.flows(b, priority=0) for b in bridges), 20, "switches at the controller")
        return controller

    def _is_listening(self, port):
        return b":%d" % port in self.run("ss -Hltn").stdout

    def daemon(self, name, *arguments, host=None, wait=True):
        """Starts an ovs-mqtt-proxyd: 'arguments' are its command line without --unixctl and
        -v; 'host': in that host's namespace, as the prototype ran, else in the switch's.
        Stop it yourself or leave it to the lab."""
        daemon = Daemon(self, name, arguments, host).start()
        return daemon.wait_control() if wait else daemon

    def mosquitto(self, host, port=1883, config=()):
        """The reference broker on a host."""
        path = os.path.join(self.dir, "mosquitto-%s-%d.conf" % (host.name, port))
        with open(path, "w") as out:
            out.write("\n".join(["listener %d" % port, "allow_anonymous true",
                                 "set_tcp_nodelay true", "user root", *config]) + "\n")
        process = host.spawn("mosquitto-%s-%d" % (host.name, port),
                             [program("mosquitto"), "-c", path])
        wait_for(lambda: b":%d" % port in host.run("ss -Hltn").stdout, 5, "mosquitto")
        return process

    def subscribe(self, host, broker, topics, wait=True, **options):
        """A Subscriber (mosquitto_sub) on a host; see clients.py."""
        topics = [topics] if isinstance(topics, str) else topics
        subscriber = Subscriber(self, host, broker, topics, options)
        return subscriber.wait_ready() if wait else subscriber

    def publish(self, host, broker, topic, payload=b"", **options):
        """One message by mosquitto_pub; returns when that has ended, see clients.py."""
        return Publisher(host, broker, options).publish(topic, payload)
