# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# The lowest layer: memory, pools, timers, byte queues, hashes, addresses.  Knows no protocol.

noinst_LIBRARIES += src/base/libbase.a
src_base_libbase_a_SOURCES = \
	src/base/addr.c \
	src/base/addr.h \
	src/base/chain.c \
	src/base/chain.h \
	src/base/clock.h \
	src/base/cursor.h \
	src/base/mbuf.c \
	src/base/mbuf.h \
	src/base/mem.c \
	src/base/mem.h \
	src/base/prng.c \
	src/base/prng.h \
	src/base/siphash.c \
	src/base/siphash.h \
	src/base/slab.c \
	src/base/slab.h \
	src/base/stats.h \
	src/base/wheel.c \
	src/base/wheel.h
