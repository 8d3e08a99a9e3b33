# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# The broker: MQTT sessions, queues and retained messages.  Knows no transport.

noinst_LIBRARIES += src/mqtt/libmqtt.a
src_mqtt_libmqtt_a_SOURCES = \
	src/mqtt/access.c \
	src/mqtt/access.h \
	src/mqtt/acl.c \
	src/mqtt/acl.h \
	src/mqtt/acl_parse.c \
	src/mqtt/acl_private.h \
	src/mqtt/ahead.c \
	src/mqtt/ask.c \
	src/mqtt/broker.c \
	src/mqtt/broker.h \
	src/mqtt/calendar.c \
	src/mqtt/conn.c \
	src/mqtt/connect.c \
	src/mqtt/flow.c \
	src/mqtt/hold.c \
	src/mqtt/inbound.c \
	src/mqtt/journal.c \
	src/mqtt/journal.h \
	src/mqtt/message.c \
	src/mqtt/output.c \
	src/mqtt/pattern.c \
	src/mqtt/persist.c \
	src/mqtt/passwd.c \
	src/mqtt/passwd.h \
	src/mqtt/private.h \
	src/mqtt/publish.c \
	src/mqtt/queue.c \
	src/mqtt/restore.c \
	src/mqtt/retain.c \
	src/mqtt/retain.h \
	src/mqtt/session.c \
	src/mqtt/share.c \
	src/mqtt/show.c \
	src/mqtt/stall.c \
	src/mqtt/subs.c \
	src/mqtt/subscribe.c \
	src/mqtt/sys.c \
	src/mqtt/sys.h \
	src/mqtt/v5.c
