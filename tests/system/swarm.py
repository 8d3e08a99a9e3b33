# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""Many MQTT connections through a real switch, from many addresses: tests/bench/swarm at one host
and the daemon, without a meter on SYNs, which would have them come at its rate.

For a system test, which judges, and a bench, which prints.  One thread.
"""

import flood
from lab import Lab, program

VIRTUAL = "192.168.1.200"


def run(clients, *options, timeout=60, relay=None):
    """One run in a laboratory of its own: its figures by name, and the counters of the daemon at
    its end.  options: of swarm; relay: of a bad link between host and switch."""
    with Lab() as lab:
        lab.bridge("s2")
        host = lab.host("h1", "s2", "192.168.1.101/24", "00:00:00:00:00:01", relay=relay)
        daemon = lab.daemon("mp", "--address", VIRTUAL, "--syn-rate=0",
                            "--max-sessions=%d" % (clients + 1000),
                            "--max-connections=%d" % (clients + 1000), "-vconsole:info",
                            lab.ovs.mgmt("s2")).wait_flows("s2")
        flood.session(host, VIRTUAL, b"e").close()
        done = host.run([program("swarm"), "-n", str(clients), *map(str, options),
                         "-c", "daemon=%d" % daemon.pid,
                         "-c", "vswitchd=%d" % lab.ovs.vswitchd.pid, "eth0",
                         flood.mac_of(host, VIRTUAL), VIRTUAL], timeout=timeout, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()[-2000:]
        return figures(done.stdout), daemon.json("stats/show")


def figures(text):
    """Lines of "NAME VALUE"."""
    return {name: float(value) for name, value in
            (line.split() for line in text.decode().splitlines())}
