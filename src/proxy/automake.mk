# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# The composition: clients, peers, frames.  Pure.

noinst_LIBRARIES += src/proxy/libproxy.a
src_proxy_libproxy_a_SOURCES = \
	src/proxy/ahead.c \
	src/proxy/client.c \
	src/proxy/limits.c \
	src/proxy/private.h \
	src/proxy/proxy.c \
	src/proxy/proxy.h \
	src/proxy/route.c
