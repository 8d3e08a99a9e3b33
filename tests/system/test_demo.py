# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""The README's first command, apart from what it installs and builds: mininet/edge_demo.py, which
scripts/demo starts in a namespace of its own."""

import glob
import os

from lab import PYTHON, TOP, Lab, run, test

NEEDS = ("daemon", "mosquitto", "tcpdump", "mininet", "os-ken")
CLAIMS = 7


def demo(lab, *options, stdin=None):
    env = dict(os.environ, BUILD_DIR=os.environ.get("top_builddir", TOP),
               PYTHONDONTWRITEBYTECODE="1")
    return run(["ip", "netns", "exec", lab.ns, PYTHON, os.path.join(TOP, "mininet/edge_demo.py"),
                *options], timeout=90, check=False, stdin=stdin, env=env)


@test("demo-carries-messages-and-shows-what-was-seen", timeout=120, needs=NEEDS)
def demonstration():
    with Lab(with_ovs=False) as lab:
        before = set(glob.glob("/tmp/mqtt-demo-*"))
        done = demo(lab)
        out = done.stdout.decode()
        assert done.returncode == 0, out + done.stderr.decode()
        for text in ("h2 received: message1", "h2 received: message2", "connection/show",
                     "peer/show", "All of it works"):
            assert text in out, out
        assert out.count("  yes ") == CLAIMS and "  NO " not in out, out
        assert set(glob.glob("/tmp/mqtt-demo-*")) <= before, "nothing is left behind"
        assert "veth" not in lab.ip("-br", "link") and "s1" not in lab.ip("-br", "link")


@test("demo-keep-leaves-the-network-up-with-a-command-line", timeout=120, needs=NEEDS)
def keep():
    with Lab(with_ovs=False) as lab:
        done = demo(lab, "--keep", stdin=b"h3 ping -c 1 192.168.1.102\nexit\n")
        out = (done.stdout + done.stderr).decode()
        assert done.returncode == 0, out
        assert "1 received" in out, out
