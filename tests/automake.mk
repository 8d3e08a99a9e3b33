# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# 'make check' is everything that needs neither root nor a network; 'make check-system' needs root
# and runs the daemon beside a real Open vSwitch.

EXTRA_DIST += tests/conformance tests/vectors tests/quiet-tap-driver

include tests/unit/base.mk
include tests/unit/wire.mk
include tests/unit/topic.mk
include tests/unit/net.mk
include tests/unit/utcp.mk
include tests/unit/mqtt.mk
include tests/unit/peer.mk
include tests/unit/proxy.mk
include tests/unit/ofp.mk
include tests/unit/io.mk
include tests/unit/ctl.mk
include tests/sim/automake.mk
include tests/fuzz/automake.mk
include tests/bench/automake.mk
include tests/tools/automake.mk
include tests/system/automake.mk

check-system: all $(check_PROGRAMS)
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' PYTHON3='$(PYTHON3)' \
	    $(srcdir)/tests/system/run
.PHONY: check-system

# Kills the daemon 200 times under load; a note of the account is printed.
SOAK_KILLS = 200
soak-persistence: all
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' PYTHON3='$(PYTHON3)' \
	    MP_KILLS='$(SOAK_KILLS)' $(srcdir)/tests/system/run -v killed-daemon-loses-nothing-acknowledged
.PHONY: soak-persistence

bench: all $(check_PROGRAMS)
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' PYTHON3='$(PYTHON3)' \
	    $(srcdir)/tests/bench/run
.PHONY: bench
