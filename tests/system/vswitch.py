# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""A private Open vSwitch for one test: own run, database and log directories, own network
namespace; the system's is never touched, and several tests may run at the same time.

The userspace datapath (datapath_type=netdev) throughout, so no kernel module is needed.
"""

import os
import re

from procs import Process, run, wait_for

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
OUR_COOKIE = 0x6d71         # the daemon's, in the top 16 bits
PRINTED_ALONE = re.compile(r"^[a-z_0-9]+$")


class Flow(dict):
    """One line of ovs-ofctl dump-flows: cookie, table, n_packets, n_bytes, priority as
    numbers, 'match' (as printed, without priority), 'actions', and 'text' without statistics,
    cookie and durations."""

    def __init__(self, line):
        dict.__init__(self)
        head, actions = line.strip().split(" actions=", 1)
        self["actions"] = actions
        match, kept = [], []
        self["priority"] = 32768
        for word in re.split(r",\s*|\s+", head):
            key, _, value = word.partition("=")
            if key in ("cookie", "table", "n_packets", "n_bytes", "priority"):
                self[key] = int(value, 0)
            elif key in ("duration", "idle_age", "hard_age", "idle_timeout", "hard_timeout",
                         "send_flow_rem", "reset_counts"):
                kept += [word] if key.endswith("timeout") else []
            elif word:
                match.append(word)
        self["match"] = ",".join(match)
        self["text"] = " ".join(["priority=%d" % self["priority"], self["match"],
                                 "actions=" + actions] + kept)

    def is_ours(self):
        return self["cookie"] >> 48 == OUR_COOKIE


class VSwitch:
    """ovsdb-server and ovs-vswitchd."""

    def __init__(self, directory, netns):
        """netns: the name of a namespace; None: the one that the caller is in."""
        self.netns = netns
        self.rundir = os.path.join(directory, "run")
        self.log_dir = os.path.join(directory, "log")
        self.db = os.path.join(directory, "conf.db")
        for path in (self.rundir, self.log_dir):
            os.makedirs(path, exist_ok=True)
        self.remote = "unix:%s/db.sock" % self.rundir
        self.env = dict(os.environ, OVS_RUNDIR=self.rundir, OVS_DBDIR=directory,
                        OVS_LOGDIR=self.log_dir)
        self.n_started = 0
        self.server = self.vswitchd = None

    # -- life ----------------------------------------------------------------------------------

    def _spawn(self, name, argv):
        self.n_started += 1
        return Process("%s-%d" % (name, self.n_started),
                       (["ip", "netns", "exec", self.netns] if self.netns else []) + argv,
                       self.log_dir, self.env)

    def start(self):
        run(["ovsdb-tool", "create", self.db, SCHEMA])
        self.server = self._spawn("ovsdb-server", [
            "ovsdb-server", self.db, "--remote=p" + self.remote, "--pidfile",
            "-vconsole:info", "-vsyslog:off"])
        wait_for(lambda: os.path.exists(self.rundir + "/db.sock"), 10, "ovsdb-server")
        self.vsctl("--no-wait", "init")
        self.start_vswitchd()

    def start_vswitchd(self):
        """Also after kill_vswitchd().  Returns when it has read its configuration."""
        self.vswitchd = self._spawn("ovs-vswitchd", [
            "ovs-vswitchd", self.remote, "--pidfile", "--disable-system", "-vconsole:info",
            "-vsyslog:off"])
        # vsctl waits for vswitchd to have taken the present configuration.
        self.vsctl("set", "open_vswitch", ".", "external_ids:started=%d" % self.n_started,
                   timeout=20)

    def kill_vswitchd(self):
        """As kill -9 does it: no farewell to anyone."""
        self.vswitchd.kill()

    def stop(self):
        for process in (self.vswitchd, self.server):
            if process:
                process.stop()

    # -- configuration -------------------------------------------------------------------------

    def vsctl(self, *words, timeout=10):
        """Returns what it prints, stripped."""
        return run(["ovs-vsctl", "--db=" + self.remote, "--timeout=%d" % timeout, *words],
                   timeout + 5, env=self.env).stdout.decode().strip()

    def appctl(self, *words):
        """ovs-appctl to vswitchd."""
        return run(["ovs-appctl", "-t", "%s/ovs-vswitchd.%d.ctl" % (self.rundir,
                                                                    self.vswitchd.pid),
                    *words], env=self.env).stdout.decode().strip()

    def add_bridge(self, name, dpid, fail_mode="secure", protocols=None, **other_config):
        """other_config: controller_queue_size=1 becomes other_config:controller-queue-size."""
        other = {"datapath-id": "%016x" % dpid, "disable-in-band": "true"}
        other.update((k.replace("_", "-"), v) for k, v in other_config.items())
        words = ["add-br", name, "--", "set", "bridge", name, "datapath_type=netdev",
                 "fail_mode=" + fail_mode]
        words += ["other_config:%s=%s" % item for item in other.items()]
        if protocols:
            words.append("protocols=" + protocols)
        self.vsctl(*words)

    def add_port(self, bridge, port, *settings):
        """Returns its OpenFlow number."""
        self.vsctl("add-port", bridge, port, *settings)
        return self.ofport(port)

    def ofport(self, port):
        return wait_for(lambda: int(self.vsctl("get", "interface", port, "ofport") or 0), 5,
                        "the OpenFlow number of " + port)

    # -- OpenFlow ------------------------------------------------------------------------------

    def ofctl(self, *words, version=None, stdin=None):
        """version: "OpenFlow13" and so on; the tool's default offers 1.0 only in part."""
        options = ["-O", version] if version else []
        return run(["ovs-ofctl", *options, *words], env=self.env,
                   stdin=stdin).stdout.decode()

    def mgmt(self, bridge):
        return "unix:%s/%s.mgmt" % (self.rundir, bridge)

    def flows(self, bridge, **wanted):
        """All flows, or those whose named entries equal: flows("s2", priority=300)."""
        lines = self.ofctl("dump-flows", bridge, version="OpenFlow10,OpenFlow13,OpenFlow15")
        flows = [Flow(line) for line in lines.splitlines() if " actions=" in line]
        return [f for f in flows if all(f.get(k) == v for k, v in wanted.items())]

    def our_flows(self, bridge):
        """The daemon's: by cookie."""
        return [flow for flow in self.flows(bridge) if flow.is_ours()]

    def n_packets(self, bridge, in_match, ours=True):
        """The sum of n_packets of the flows in whose match all words of 'in_match' stand, such
        as "tcp,nw_dst=192.168.1.101,tp_dst=1883"."""
        words = set(in_match.split(","))
        return sum(f["n_packets"] for f in self.flows(bridge)
                   if words <= set(f["match"].split(",")) and (not ours or f.is_ours()))

    def coverage(self, counter):
        """vswitchd's coverage counter; 0 when it never happened."""
        for line in self.appctl("coverage/show").splitlines():
            if line.split()[:1] == [counter]:
                return int(line.rsplit("total:", 1)[1])
        return 0
