# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Unit tests of src/net.

check_PROGRAMS += tests/unit/test-net-service
TESTS += tests/unit/test-net-service
tests_unit_test_net_service_SOURCES = tests/unit/test-net-service.c tests/unit/net-world.h tests/unit/tap.h
tests_unit_test_net_service_LDADD = src/net/libnet.a src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/unit/test-net-arp
TESTS += tests/unit/test-net-arp
tests_unit_test_net_arp_SOURCES = tests/unit/test-net-arp.c tests/unit/net-world.h tests/unit/tap.h
tests_unit_test_net_arp_LDADD = src/net/libnet.a src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/unit/test-net-icmp
TESTS += tests/unit/test-net-icmp
tests_unit_test_net_icmp_SOURCES = tests/unit/test-net-icmp.c tests/unit/net-world.h tests/unit/tap.h
tests_unit_test_net_icmp_LDADD = src/net/libnet.a src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/unit/test-net-reassembly
TESTS += tests/unit/test-net-reassembly
tests_unit_test_net_reassembly_SOURCES = tests/unit/test-net-reassembly.c tests/unit/net-world.h tests/unit/tap.h
tests_unit_test_net_reassembly_LDADD = src/net/libnet.a src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/unit/test-net-neighbour
TESTS += tests/unit/test-net-neighbour
tests_unit_test_net_neighbour_SOURCES = tests/unit/test-net-neighbour.c tests/unit/net-world.h tests/unit/tap.h
tests_unit_test_net_neighbour_LDADD = src/net/libnet.a src/wire/libwire.a src/base/libbase.a
