# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# The shell's descriptors, clock and event loop: libevent, libpcap, sockets.

noinst_LIBRARIES += src/io/libio.a
src_io_libio_a_SOURCES = \
	src/io/loop.c \
	src/io/loop.h \
	src/io/method.c \
	src/io/method.h \
	src/io/ofstream.c \
	src/io/ofstream.h \
	src/io/pcap_filter.c \
	src/io/pcap_in.c \
	src/io/pcap_in.h \
	src/io/trace.c \
	src/io/trace.h \
	src/io/udp.c \
	src/io/udp.h
src_io_libio_a_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS) $(LIBPCAP_CFLAGS)
IO_LIBS = src/io/libio.a $(LIBEVENT_LIBS) $(LIBPCAP_LIBS)
