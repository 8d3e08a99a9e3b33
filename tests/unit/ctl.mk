# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Tests of src/ctl, and of the daemon's command line.

check_PROGRAMS += tests/unit/test-options
TESTS += tests/unit/test-options
tests_unit_test_options_SOURCES = tests/unit/test-options.c tests/unit/tap.h
tests_unit_test_options_LDADD = src/ctl/libctl.a $(CORE_LIBS) $(OVS_LIBS)

check_PROGRAMS += tests/unit/test-grid
TESTS += tests/unit/test-grid
tests_unit_test_grid_SOURCES = tests/unit/test-grid.c tests/unit/tap.h
tests_unit_test_grid_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CFLAGS)
tests_unit_test_grid_LDADD = src/ctl/libctl.a $(CORE_LIBS) $(OVS_LIBS)

TESTS += tests/cli/test-command-line
dist_check_SCRIPTS += tests/cli/test-command-line
