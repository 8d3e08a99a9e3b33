# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""Bad links between clients and the daemon: every byte arrives, once and in order; and the same
load by way of mosquitto, so that what tests/bench/bench-lossy compares is known to be right."""

from lab import test
from lossy import DAEMON, MOSQUITTO, transfer

ACCIDENTS = ["--loss=5", "--reorder=5", "--duplicate=5"]


def four_hundred_messages(system):
    figures = transfer(system, ACCIDENTS, 400)
    assert figures["bytes"] > 1000000, figures
    assert figures["retransmitted"] > 10 and figures["publisher_retransmitted"] > 10, \
        "the relays did their work: %r" % figures
    return figures


@test("400-messages-of-all-sizes-through-5-percent-of-each-accident", timeout=150,
      needs=("daemon", "relay"))
def through_the_daemon():
    figures = four_hundred_messages(DAEMON)
    # Not a judgement of speed: that nobody waits for a timer again and again.
    assert figures["seconds"] < 30, figures


@test("400-messages-through-5-percent-of-each-accident-by-mosquitto", timeout=150,
      needs=("mosquitto", "relay"))
def through_mosquitto():
    four_hundred_messages(MOSQUITTO)
