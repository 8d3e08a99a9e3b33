# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# The proxy joined to the outside world: knows ofp/, io/ and ctl/ alike, as main.c does.

noinst_LIBRARIES += src/engine/libengine.a
src_engine_libengine_a_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CFLAGS) $(LIBEVENT_CFLAGS) $(LIBPCAP_CFLAGS)
src_engine_libengine_a_SOURCES = \
	src/engine/access.c \
	src/engine/capture.c \
	src/engine/engine.c \
	src/engine/engine.h \
	src/engine/flows.c \
	src/engine/private.h \
	src/engine/store.c \
	src/engine/view.c
