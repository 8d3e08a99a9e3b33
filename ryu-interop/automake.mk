# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# RYU and os-ken applications: installed as data, found by ryu-manager by path.

ryu_interopdir = $(pkgdatadir)/ryu-interop
dist_ryu_interop_DATA = \
	ryu-interop/learning_switch.py \
	ryu-interop/mqtt_peer.py \
	ryu-interop/peer_app.py \
	ryu-interop/peer_relay.py

dist_check_SCRIPTS += tests/unit/test-ryu-interop.py
TESTS += tests/unit/test-ryu-interop.py
