# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Unit tests of src/proxy.

check_PROGRAMS += tests/unit/test-proxy
TESTS += tests/unit/test-proxy
tests_unit_test_proxy_SOURCES = tests/unit/test-proxy.c tests/unit/tap.h tests/unit/world.h
tests_unit_test_proxy_LDADD = \
	src/proxy/libproxy.a src/peer/libpeer.a src/mqtt/libmqtt.a src/utcp/libutcp.a \
	src/net/libnet.a src/topic/libtopic.a src/wire/libwire.a src/base/libbase.a $(LZ4_LIBS)

check_PROGRAMS += tests/unit/test-proxy-closing
TESTS += tests/unit/test-proxy-closing
tests_unit_test_proxy_closing_SOURCES = tests/unit/test-proxy-closing.c tests/unit/tap.h \
	tests/unit/world.h
tests_unit_test_proxy_closing_LDADD = $(tests_unit_test_proxy_LDADD)
