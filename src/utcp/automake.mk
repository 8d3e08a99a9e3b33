# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# The TCP endpoint.

noinst_LIBRARIES += src/utcp/libutcp.a
src_utcp_libutcp_a_SOURCES = \
	src/utcp/ack.c \
	src/utcp/ahead.c \
	src/utcp/api.c \
	src/utcp/cc.h \
	src/utcp/cc_reno.c \
	src/utcp/conn.h \
	src/utcp/cookie.c \
	src/utcp/ds.c \
	src/utcp/endpoint.c \
	src/utcp/icmp.c \
	src/utcp/input.c \
	src/utcp/listen.c \
	src/utcp/queues.c \
	src/utcp/rack.c \
	src/utcp/rcv.c \
	src/utcp/rcvwnd.c \
	src/utcp/rexmit.c \
	src/utcp/scoreboard.c \
	src/utcp/seq.h \
	src/utcp/snd.c \
	src/utcp/table.c \
	src/utcp/table.h \
	src/utcp/timers.c \
	src/utcp/timewait.c \
	src/utcp/turns.c \
	src/utcp/utcp.h
