# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Bytes to structs and back: Ethernet to TCP, and MQTT's framing.  Stateless.

noinst_LIBRARIES += src/wire/libwire.a
src_wire_libwire_a_SOURCES = \
	src/wire/arp.c \
	src/wire/csum.c \
	src/wire/csum.h \
	src/wire/eth.c \
	src/wire/eth.h \
	src/wire/frame.c \
	src/wire/frame.h \
	src/wire/icmp.c \
	src/wire/ip.c \
	src/wire/ip6.c \
	src/wire/nd.c \
	src/wire/nd.h \
	src/wire/parts.h \
	src/wire/peek.c \
	src/wire/quote.c \
	src/wire/quote.h \
	src/wire/tcp.c \
	src/wire/tcp.h \
	src/wire/udp.c

include src/wire/mqtt.mk
