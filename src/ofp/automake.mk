# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# The OpenFlow side: messages, flows, their upkeep.  libopenvswitch's public headers only; no
# sockets and no clock.

noinst_LIBRARIES += src/ofp/libofp.a
src_ofp_libofp_a_SOURCES = \
	src/ofp/be64.h \
	src/ofp/flows.c \
	src/ofp/flows.h \
	src/ofp/flowsync.c \
	src/ofp/flowsync.h \
	src/ofp/flowsync_private.h \
	src/ofp/pktin.c \
	src/ofp/pktin.h \
	src/ofp/pktout.c \
	src/ofp/pktout.h \
	src/ofp/reading.c \
	src/ofp/reading.h \
	src/ofp/swconn.c \
	src/ofp/swconn.h \
	src/ofp/swports.c \
	src/ofp/swports.h \
	src/ofp/swsetup.c \
	src/ofp/swsetup.h \
	src/ofp/syncsend.c \
	src/ofp/syncshow.c \
	src/ofp/want.c \
	src/ofp/want.h
src_ofp_libofp_a_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CFLAGS)
OFP_LIBS = src/ofp/libofp.a src/base/libbase.a $(OVS_LIBS)
