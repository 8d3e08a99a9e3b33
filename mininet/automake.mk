# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# The Mininet topology: run from the source tree, or from where it is installed.

mininetdir = $(pkgdatadir)/mininet
dist_mininet_SCRIPTS = mininet/topo.py

# Not installed: it runs from the tree, by scripts/demo.
EXTRA_DIST += mininet/edge_demo.py
