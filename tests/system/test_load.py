# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""Many clients at once through a real switch: what tests/bench measures at length, in short."""

import os

import swarm
from lab import Lab, PYTHON, TOP, program, run, test
from test_edge import VIRTUAL, one_switch, virtual

CLIENTS = 2000
PUBLISHERS, BYTES = 200, 100000


@test("2000-clients-of-500-addresses-come-stay-and-ask", timeout=90,
      needs=("daemon", "relay", "swarm"))
def many():
    figures, stats = swarm.run(CLIENTS, "-k", 1, "-i", 0.2, "-l", 30,
                               relay=["--loss=2", "--duplicate=2", "--seed=1"])
    assert figures["opened"] == figures["open_at_end"] == figures["pings"] == CLIENTS, figures
    assert figures["addresses"] == CLIENTS / 4, figures
    assert figures["full_options"] == 1, figures
    assert figures["syns_again"] > 0 and figures["requests_again"] > 0, \
        "the relay did its work: %r" % figures
    tcp, mqtt = stats["tcp"], stats["mqtt"]
    # And the one that asked for the way.
    assert tcp["opened"] == mqtt["connects_accepted"] == CLIENTS + 1, stats
    assert mqtt["subscribes"] == 2 * CLIENTS, stats
    assert tcp["aborted_by_us"] == tcp["aborted_by_peer"] == tcp["timed_out"] == 0, stats


@test("200-clients-publish-at-once-and-every-byte-is-taken-once", timeout=90,
      needs=("daemon", "mqtt-load"))
def bulk():
    for qos in (0, 1):
        with Lab() as lab:
            host, _ = one_switch(lab)
            # Others pace themselves by what they believe of the path; there may be one in use here.
            host.run("sysctl -qw net.ipv4.tcp_congestion_control=reno")
            daemon = virtual(lab, "-vconsole:info")
            done = lab.run([program("mqtt-load"), "-P", host.ns, "-n", str(PUBLISHERS), "-t", "30",
                            "-b", str(BYTES), "-z", "1000", "-w", "20", "-q", str(qos), "bulk",
                            VIRTUAL], timeout=45)
            figures = swarm.figures(done.stdout)
            assert figures["unfinished"] == 0, (figures, done.stderr.decode()[-2000:])
            stats = daemon.json("stats/show")
            assert stats["mqtt"]["publish_bytes_in"] == PUBLISHERS * BYTES, stats
            assert stats["tcp"]["aborted_by_us"] == stats["tcp"]["timed_out"] == 0, stats
            # What the switch drops is sent again, but that is not most of what is sent.
            assert figures["retransmitted_percent"] < 33, figures


def bench(name, *options):
    """Runs a bench in short: {"POINT SYSTEM NAME": median}, without the ratios."""
    done = run([PYTHON, os.path.join(TOP, "tests", "bench", "bench-" + name), *options], timeout=60)
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    assert all(line[0] == name and len(line) == 6 for line in lines), done.stdout
    return {" ".join(line[1:4]): float(line[4]) for line in lines if "/" not in line[2]}


@test("benches-of-many-clients-print-their-figures", timeout=120,
      needs=("daemon", "swarm", "mqtt-load", "mosquitto", "synflood", "tcpdump"))
def benches():
    figures = bench("connections", "-n", "500", "-k", "0.5", "-t", "0.2")
    assert figures["500 daemon opened"] == figures["500 daemon open_at_end"] == 500, figures
    assert figures["500 daemon bytes_per_connection"] > 0, figures
    figures = bench("bulk", "-n", "20", "-b", "20000", "-r", "1", "-q", "100", "qos1-1kB-heard")
    for system in ("daemon", "mosquitto"):
        point = "qos1-1kB-heard-queue100 %s " % system
        assert figures[point + "unfinished"] == 0, figures
        assert figures[point + "arrived_percent"] == 100, figures
    figures = bench("synflood", "-r", "1", "-t", "0.3", "-R", "20000", "-N", "1")
    for system in ("daemon", "reflector"):
        assert figures["flood %s probes" % system] == 300, figures
        assert figures["flood %s all_p99_us" % system] > 0, figures
    assert figures["flood daemon full_options"] == 1, figures
