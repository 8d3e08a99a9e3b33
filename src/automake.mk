# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# One convenience library per directory.  The order is that of the layers, highest first, which is
# also the order in which a linker wants static libraries.

include src/engine/automake.mk
include src/ctl/automake.mk
include src/io/automake.mk
include src/ofp/automake.mk
include src/proxy/automake.mk
include src/net/automake.mk
include src/utcp/automake.mk
include src/mqtt/automake.mk
include src/peer/automake.mk
include src/topic/automake.mk
include src/wire/automake.mk
include src/base/automake.mk

dist_man_MANS += src/ovs-mqtt-proxyd.8

if BUILD_DAEMON
sbin_PROGRAMS += src/ovs-mqtt-proxyd
src_ovs_mqtt_proxyd_SOURCES = src/main.c
src_ovs_mqtt_proxyd_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_PRIVATE_CFLAGS) $(LIBEVENT_CFLAGS) $(LIBPCAP_CFLAGS)
src_ovs_mqtt_proxyd_LDADD = \
	src/engine/libengine.a \
	src/ctl/libctl.a \
	src/io/libio.a \
	src/ofp/libofp.a \
	$(CORE_LIBS) \
	$(OVS_LIBS) \
	$(LIBEVENT_LIBS) \
	$(LIBPCAP_LIBS) \
	$(LIBCRYPTO_LIBS) \
	$(SQLITE_LIBS)
endif

# All that needs no clock and no socket: what simulations link.
CORE_LIBS = \
	src/proxy/libproxy.a \
	src/net/libnet.a \
	src/utcp/libutcp.a \
	src/mqtt/libmqtt.a \
	src/peer/libpeer.a \
	src/topic/libtopic.a \
	src/wire/libwire.a \
	src/base/libbase.a \
	$(LZ4_LIBS)
