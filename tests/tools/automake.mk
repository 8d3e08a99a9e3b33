# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Tools of the system tests.

check_PROGRAMS += tests/tools/relay tests/tools/synflood
tests_tools_relay_SOURCES = tests/tools/relay.c
tests_tools_synflood_SOURCES = tests/tools/synflood.c
