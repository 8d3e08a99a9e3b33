# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Between frames and transports: service addresses, neighbours, fragments.

noinst_LIBRARIES += src/net/libnet.a
src_net_libnet_a_SOURCES = \
	src/net/answer.c \
	src/net/icmp-error.c \
	src/net/neigh.c \
	src/net/neigh.h \
	src/net/net.c \
	src/net/net.h \
	src/net/outq.c \
	src/net/outq.h \
	src/net/output.c \
	src/net/private.h \
	src/net/reasm.c \
	src/net/reasm.h \
	src/net/refuse.c
