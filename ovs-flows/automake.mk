# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# What a user of ovs-ofctl and ovs-vsctl needs: the flows as files, and a bridge made ready.

dist_pkgdata_SCRIPTS += ovs-flows/setup-bridge ovs-flows/clear-bridge
dist_pkgdata_DATA += \
	ovs-flows/rst-guard.flows \
	ovs-flows/taken.flows \
	ovs-flows/virtual.flows
