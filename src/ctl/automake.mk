# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Command line, control socket, logging and daemon conventions.  The only part that uses the
# private headers of Open vSwitch.

noinst_LIBRARIES += src/ctl/libctl.a
src_ctl_libctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_PRIVATE_CFLAGS) $(LIBCRYPTO_CFLAGS) \
	$(SQLITE_CFLAGS)
src_ctl_libctl_a_SOURCES = \
	src/ctl/access_files.c \
	src/ctl/access_files.h \
	src/ctl/appctl.c \
	src/ctl/appctl.h \
	src/ctl/auth.c \
	src/ctl/auth.h \
	src/ctl/ctl_daemon.c \
	src/ctl/ctl_daemon.h \
	src/ctl/grid.c \
	src/ctl/grid.h \
	src/ctl/metrics.c \
	src/ctl/options.c \
	src/ctl/options.def \
	src/ctl/options.h \
	src/ctl/pump.c \
	src/ctl/pump.h \
	src/ctl/settings.c \
	src/ctl/settings.h \
	src/ctl/show.c \
	src/ctl/spec.c \
	src/ctl/spec.h \
	src/ctl/store.c \
	src/ctl/store.h \
	src/ctl/view.h \
	src/ctl/vsdb.c \
	src/ctl/vsdb.h
