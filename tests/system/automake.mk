# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# The system tests; 'make check-system' runs them.

EXTRA_DIST += \
	tests/system/run \
	tests/system/capture.py \
	tests/system/clients.py \
	tests/system/interop_mqttjs.js \
	tests/system/interop_paho.py \
	tests/system/lab.py \
	tests/system/lossy.py \
	tests/system/persistload.py \
	tests/system/procs.py \
	tests/system/swarm.py \
	tests/system/test_access.py \
	tests/system/test_demo.py \
	tests/system/test_ds.py \
	tests/system/test_edge.py \
	tests/system/test_harness.py \
	tests/system/test_flood.py \
	tests/system/test_interop.py \
	tests/system/test_load.py \
	tests/system/test_lossy.py \
	tests/system/test_mininet.py \
	tests/system/test_peer_app.py \
	tests/system/test_peers.py \
	tests/system/test_persistence.py \
	tests/system/test_resilience.py \
	tests/system/test_walkthrough.py \
	tests/system/vswitch.py
