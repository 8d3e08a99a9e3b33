# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Unit tests of src/base.

check_PROGRAMS += tests/unit/test-mem
TESTS += tests/unit/test-mem
tests_unit_test_mem_SOURCES = tests/unit/test-mem.c tests/unit/tap.h
tests_unit_test_mem_LDADD = src/base/libbase.a

check_PROGRAMS += tests/unit/test-slab
TESTS += tests/unit/test-slab
tests_unit_test_slab_SOURCES = tests/unit/test-slab.c tests/unit/tap.h
tests_unit_test_slab_LDADD = src/base/libbase.a

check_PROGRAMS += tests/unit/test-wheel
TESTS += tests/unit/test-wheel
tests_unit_test_wheel_SOURCES = tests/unit/test-wheel.c tests/unit/tap.h
tests_unit_test_wheel_LDADD = src/base/libbase.a

check_PROGRAMS += tests/unit/test-chain
TESTS += tests/unit/test-chain
tests_unit_test_chain_SOURCES = tests/unit/test-chain.c tests/unit/tap.h
tests_unit_test_chain_LDADD = src/base/libbase.a

check_PROGRAMS += tests/unit/test-siphash
TESTS += tests/unit/test-siphash
tests_unit_test_siphash_SOURCES = tests/unit/test-siphash.c tests/unit/tap.h
tests_unit_test_siphash_LDADD = src/base/libbase.a

check_PROGRAMS += tests/unit/test-addr
TESTS += tests/unit/test-addr
tests_unit_test_addr_SOURCES = tests/unit/test-addr.c tests/unit/tap.h
tests_unit_test_addr_LDADD = src/base/libbase.a

check_PROGRAMS += tests/unit/test-cursor
TESTS += tests/unit/test-cursor
tests_unit_test_cursor_SOURCES = tests/unit/test-cursor.c tests/unit/tap.h
tests_unit_test_cursor_LDADD = src/base/libbase.a
