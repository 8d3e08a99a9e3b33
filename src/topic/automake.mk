# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Topic names and filters: validity, matching, and the trie of subscriptions.

noinst_LIBRARIES += src/topic/libtopic.a
src_topic_libtopic_a_SOURCES = \
	src/topic/relate.c \
	src/topic/relate.h \
	src/topic/sublist.c \
	src/topic/sublist.h \
	src/topic/subnode.c \
	src/topic/subnode.h \
	src/topic/subtrie.c \
	src/topic/subtrie.h \
	src/topic/topic.c \
	src/topic/topic.h
