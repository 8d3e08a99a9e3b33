# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""SYN floods: with the switch's meter, and with nothing but SYN cookies."""

import os

import flood
from lab import Lab, test, wait_for
from test_edge import VIRTUAL, one_switch, virtual

FLOOD = 20000                   # SYNs, in a second.
ALL_OPTIONS = {"mss", "sack", "timestamps", "wscale"}
MAX_HALF_OPEN = 100
NEWCOMERS = 5


def resident_bytes(process):
    with open("/proc/%d/statm" % process.pid) as pages:
        return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def half_open(daemon):
    return sum(c["state"] == "SYN-RECEIVED" for c in daemon.json("connection/show"))


def flooded(lab, *options, wanted):
    """An established client asks through the flood, and others come once the TCP counter 'wanted'
    has begun to count; returns the daemon and how often the client asked."""
    client_host, attacker = one_switch(lab)
    daemon = virtual(lab, "-vconsole:info", *options)
    asking = flood.PingPong(flood.session(client_host, VIRTUAL, b"e"))
    capture = client_host.capture("tcp port 1883")
    asking.start()
    before = daemon.json("stats/show")["tcp"][wanted]
    attack = flood.start(lab, attacker, VIRTUAL, flood.mac_of(client_host, VIRTUAL), FLOOD, FLOOD)
    wait_for(lambda: daemon.json("stats/show")["tcp"][wanted] > before + MAX_HALF_OPEN, 5, wanted)
    came = [flood.session(client_host, VIRTUAL, b"%d" % i) for i in range(NEWCOMERS)]
    assert attack.wait(20) == 0, attack.text
    times = asking.stop()
    for one in came:
        assert flood.syn_ack_options(capture, one) == ALL_OPTIONS
    assert max(times) < 0.3, "the longest round trip under the flood took %.3f s" % max(times)
    return daemon, len(times)


@test("metered-syn-flood-neither-stalls-a-client-nor-keeps-one-out", timeout=90,
      needs=("daemon", "synflood", "tcpdump"))
def metered():
    with Lab() as lab:
        daemon, n_asked = flooded(lab, wanted="segments_in")
        tcp = daemon.json("stats/show")["tcp"]
        # The switch counts with a delay, and may lose some of a burst at its port.
        syns = "tcp,nw_dst=%s,tp_dst=1883,tcp_flags=+syn-ack" % VIRTUAL
        wait_for(lambda: lab.ovs.n_packets("s2", syns) > FLOOD / 2, 5,
                 lambda: "the flood at the flow; it has seen %d" % lab.ovs.n_packets("s2", syns))
        # 2,000 a second, and as many as a burst; the asking client's have one answer each.
        assert tcp["segments_in"] - 2 * n_asked < 5000, (tcp, n_asked)
        assert 0 < half_open(daemon) <= 4096


@test("syn-flood-without-a-meter-costs-cookies-and-no-memory", timeout=90,
      needs=("daemon", "synflood", "tcpdump"))
def unmetered():
    with Lab() as lab:
        daemon, _ = flooded(lab, "--syn-rate=0", "--max-half-open=%d" % MAX_HALF_OPEN,
                            wanted="cookies_sent")
        tcp = daemon.json("stats/show")["tcp"]
        assert 0 < half_open(daemon) <= MAX_HALF_OPEN, half_open(daemon)
        assert tcp["cookies_sent"] > FLOOD / 20, tcp
        assert tcp["cookies_accepted"] == NEWCOMERS, "the newcomers came by cookies: %r" % tcp
        # Now that it has seen a flood, another of other sources costs none: at 64
        # bytes for each SYN that reached it, it would be a megabyte.
        before = resident_bytes(daemon)
        host, attacker = lab.hosts["h1"], lab.hosts["h2"]
        attack = flood.start(lab, attacker, VIRTUAL, flood.mac_of(host, VIRTUAL), FLOOD,
                             FLOOD, seed=2)
        assert attack.wait(20) == 0, attack.text
        more = daemon.json("stats/show")["tcp"]["cookies_sent"] - tcp["cookies_sent"]
        assert more > FLOOD / 20, more
        assert half_open(daemon) <= MAX_HALF_OPEN, half_open(daemon)
        grown = resident_bytes(daemon) - before
        assert grown < more * 64 / 4, "%d bytes after %d cookies" % (grown, more)
        print("%d bytes after %d cookies" % (grown, more))
