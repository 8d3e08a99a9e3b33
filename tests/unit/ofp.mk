# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Unit tests of src/ofp.

check_PROGRAMS += tests/unit/test-swconn
TESTS += tests/unit/test-swconn
tests_unit_test_swconn_SOURCES = \
	tests/unit/fake-switch.h \
	tests/unit/tap.h \
	tests/unit/test-swconn.c
tests_unit_test_swconn_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CFLAGS)
tests_unit_test_swconn_LDADD = $(OFP_LIBS)

check_PROGRAMS += tests/unit/test-flows
TESTS += tests/unit/test-flows
tests_unit_test_flows_SOURCES = tests/unit/tap.h tests/unit/test-flows.c
tests_unit_test_flows_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CFLAGS)
tests_unit_test_flows_LDADD = $(OFP_LIBS)

check_PROGRAMS += tests/unit/test-flowsync
TESTS += tests/unit/test-flowsync
tests_unit_test_flowsync_SOURCES = \
	tests/unit/fake-switch.h \
	tests/unit/tap.h \
	tests/unit/test-flowsync.c
tests_unit_test_flowsync_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CFLAGS)
tests_unit_test_flowsync_LDADD = $(OFP_LIBS)
