# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# The other proxies: SUBSCRIBE, UNSUBSCRIBE and PUBLISH over UDP.

noinst_LIBRARIES += src/peer/libpeer.a
src_peer_libpeer_a_CPPFLAGS = $(AM_CPPFLAGS) $(LZ4_CFLAGS)
src_peer_libpeer_a_SOURCES = \
	src/peer/codec.c \
	src/peer/codec.h \
	src/peer/fill.c \
	src/peer/hear.c \
	src/peer/pack.c \
	src/peer/pack.h \
	src/peer/pathmtu.c \
	src/peer/pathmtu.h \
	src/peer/peer.h \
	src/peer/pdu.c \
	src/peer/pdu.h \
	src/peer/peers.c \
	src/peer/private.h \
	src/peer/recvstream.c \
	src/peer/recvstream.h \
	src/peer/ring.c \
	src/peer/sendstream.c \
	src/peer/sendstream.h \
	src/peer/tell.c
