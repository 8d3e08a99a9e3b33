# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Scripts for who works on or tries out the program, and the lints of 'make check'.

EXTRA_DIST += \
	scripts/build \
	scripts/build-libopenvswitch \
	scripts/demo \
	scripts/gen-options-table \
	scripts/install-deps \
	scripts/install-mqttjs \
	scripts/mqtt_proxy.inc \
	scripts/mqtt_proxy1.sh \
	scripts/mqtt_proxy2.sh \
	scripts/mqtt_proxy_as_broker.sh \
	scripts/test \
	scripts/check-conformance \
	scripts/check-layers \
	scripts/check-style

TESTS += scripts/check-layers scripts/check-style

# Reads what all others have written.  The variable is so that Automake does not take this for a
# rule in place of its own.
TESTS += scripts/check-conformance
CONFORMANCE_LOG = scripts/check-conformance.log
$(CONFORMANCE_LOG): $(filter-out $(CONFORMANCE_LOG),$(TEST_LOGS))
