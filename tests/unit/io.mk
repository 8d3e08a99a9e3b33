# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Unit tests of src/io.

check_PROGRAMS += tests/unit/test-io
TESTS += tests/unit/test-io
tests_unit_test_io_SOURCES = tests/unit/tap.h tests/unit/test-io.c
tests_unit_test_io_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS) $(LIBPCAP_CFLAGS)
tests_unit_test_io_LDADD = src/io/libio.a src/base/libbase.a $(LIBEVENT_LIBS) $(LIBPCAP_LIBS)
