# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Unit tests of src/wire.

check_PROGRAMS += tests/unit/test-csum
TESTS += tests/unit/test-csum
tests_unit_test_csum_SOURCES = tests/unit/test-csum.c tests/unit/tap.h
tests_unit_test_csum_LDADD = src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/unit/test-tcp-hdr
TESTS += tests/unit/test-tcp-hdr
tests_unit_test_tcp_hdr_SOURCES = tests/unit/test-tcp-hdr.c tests/unit/tap.h
tests_unit_test_tcp_hdr_LDADD = src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/unit/test-frame
TESTS += tests/unit/test-frame
tests_unit_test_frame_SOURCES = tests/unit/test-frame.c tests/unit/tap.h
tests_unit_test_frame_LDADD = src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/unit/test-ip-options
TESTS += tests/unit/test-ip-options
tests_unit_test_ip_options_SOURCES = tests/unit/test-ip-options.c tests/unit/tap.h
tests_unit_test_ip_options_LDADD = src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/unit/test-nd
TESTS += tests/unit/test-nd
tests_unit_test_nd_SOURCES = tests/unit/test-nd.c tests/unit/tap.h
tests_unit_test_nd_LDADD = src/wire/libwire.a src/base/libbase.a
