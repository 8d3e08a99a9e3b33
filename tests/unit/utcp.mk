# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Unit tests of src/utcp.

UTCP_TEST_LDADD = src/utcp/libutcp.a src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/unit/test-utcp-open
TESTS += tests/unit/test-utcp-open
tests_unit_test_utcp_open_SOURCES = \
	tests/unit/test-utcp-open.c tests/unit/utcp-script.h tests/unit/tap.h
tests_unit_test_utcp_open_LDADD = $(UTCP_TEST_LDADD)

check_PROGRAMS += tests/unit/test-utcp-data
TESTS += tests/unit/test-utcp-data
tests_unit_test_utcp_data_SOURCES = \
	tests/unit/test-utcp-data.c tests/unit/utcp-script.h tests/unit/tap.h
tests_unit_test_utcp_data_LDADD = $(UTCP_TEST_LDADD)

check_PROGRAMS += tests/unit/test-utcp-rexmit
TESTS += tests/unit/test-utcp-rexmit
tests_unit_test_utcp_rexmit_SOURCES = \
	tests/unit/test-utcp-rexmit.c tests/unit/utcp-script.h tests/unit/tap.h
tests_unit_test_utcp_rexmit_LDADD = $(UTCP_TEST_LDADD)

check_PROGRAMS += tests/unit/test-utcp-states
TESTS += tests/unit/test-utcp-states
tests_unit_test_utcp_states_SOURCES = \
	tests/unit/test-utcp-states.c tests/unit/utcp-script.h tests/unit/tap.h
tests_unit_test_utcp_states_LDADD = $(UTCP_TEST_LDADD)

check_PROGRAMS += tests/unit/test-utcp-limits
TESTS += tests/unit/test-utcp-limits
tests_unit_test_utcp_limits_SOURCES = \
	tests/unit/test-utcp-limits.c tests/unit/utcp-peer.h tests/unit/tap.h
tests_unit_test_utcp_limits_LDADD = $(UTCP_TEST_LDADD)

check_PROGRAMS += tests/unit/test-utcp-rfc9293
TESTS += tests/unit/test-utcp-rfc9293
tests_unit_test_utcp_rfc9293_SOURCES = \
	tests/unit/test-utcp-rfc9293.c tests/unit/utcp-play.h tests/unit/utcp-script.h \
	tests/unit/tap.h
tests_unit_test_utcp_rfc9293_LDADD = $(UTCP_TEST_LDADD)

check_PROGRAMS += tests/unit/test-utcp-rfc-tcp
TESTS += tests/unit/test-utcp-rfc-tcp
tests_unit_test_utcp_rfc_tcp_SOURCES = \
	tests/unit/test-utcp-rfc-tcp.c tests/unit/utcp-play.h tests/unit/utcp-script.h \
	tests/unit/tap.h
tests_unit_test_utcp_rfc_tcp_LDADD = $(UTCP_TEST_LDADD)

check_PROGRAMS += tests/unit/test-utcp-rcvwnd
TESTS += tests/unit/test-utcp-rcvwnd
tests_unit_test_utcp_rcvwnd_SOURCES = \
	tests/unit/test-utcp-rcvwnd.c tests/unit/utcp-play.h tests/unit/utcp-script.h \
	tests/unit/tap.h
tests_unit_test_utcp_rcvwnd_LDADD = $(UTCP_TEST_LDADD)

check_PROGRAMS += tests/unit/test-utcp-ds
TESTS += tests/unit/test-utcp-ds
tests_unit_test_utcp_ds_SOURCES = \
	tests/unit/test-utcp-ds.c tests/unit/utcp-play.h tests/unit/utcp-script.h \
	tests/unit/tap.h
tests_unit_test_utcp_ds_LDADD = $(UTCP_TEST_LDADD)

check_PROGRAMS += tests/unit/test-utcp-failures
TESTS += tests/unit/test-utcp-failures
tests_unit_test_utcp_failures_SOURCES = \
	tests/unit/test-utcp-failures.c tests/unit/utcp-play.h tests/unit/utcp-script.h \
	tests/unit/tap.h
tests_unit_test_utcp_failures_LDADD = $(UTCP_TEST_LDADD)

check_PROGRAMS += tests/unit/test-utcp-attacks
TESTS += tests/unit/test-utcp-attacks
tests_unit_test_utcp_attacks_SOURCES = \
	tests/unit/test-utcp-attacks.c tests/unit/utcp-peer.h tests/sim/invariants.h \
	tests/unit/tap.h
tests_unit_test_utcp_attacks_LDADD = $(UTCP_TEST_LDADD)

check_PROGRAMS += tests/unit/test-utcp-turns
TESTS += tests/unit/test-utcp-turns
tests_unit_test_utcp_turns_SOURCES = \
	tests/unit/test-utcp-turns.c tests/unit/utcp-peer.h tests/sim/invariants.h \
	tests/unit/tap.h
tests_unit_test_utcp_turns_LDADD = $(UTCP_TEST_LDADD)
