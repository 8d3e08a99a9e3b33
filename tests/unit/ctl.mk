# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Tests of src/ctl, and of the daemon's command line.

check_PROGRAMS += tests/unit/test-options
TESTS += tests/unit/test-options
tests_unit_test_options_SOURCES = tests/unit/test-options.c tests/unit/tap.h
tests_unit_test_options_LDADD = src/ctl/libctl.a $(CORE_LIBS) $(OVS_LIBS) $(LIBCRYPTO_LIBS)

check_PROGRAMS += tests/unit/test-grid
TESTS += tests/unit/test-grid
tests_unit_test_grid_SOURCES = tests/unit/test-grid.c tests/unit/tap.h
tests_unit_test_grid_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CFLAGS)
tests_unit_test_grid_LDADD = src/ctl/libctl.a $(CORE_LIBS) $(OVS_LIBS)

TESTS += tests/cli/test-command-line
dist_check_SCRIPTS += tests/cli/test-command-line

check_PROGRAMS += tests/unit/test-auth
TESTS += tests/unit/test-auth
tests_unit_test_auth_SOURCES = tests/unit/test-auth.c tests/unit/tap.h
tests_unit_test_auth_LDADD = src/ctl/libctl.a $(CORE_LIBS) $(OVS_LIBS) $(LIBCRYPTO_LIBS)

check_PROGRAMS += tests/unit/test-store
TESTS += tests/unit/test-store
tests_unit_test_store_SOURCES = tests/unit/test-store.c tests/unit/tap.h
tests_unit_test_store_LDADD = src/ctl/libctl.a $(CORE_LIBS) $(OVS_LIBS) $(SQLITE_LIBS)
