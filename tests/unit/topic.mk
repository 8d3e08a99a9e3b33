# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Unit tests of src/topic.

check_PROGRAMS += tests/unit/test-topic
TESTS += tests/unit/test-topic
tests_unit_test_topic_SOURCES = tests/unit/test-topic.c tests/unit/tap.h
tests_unit_test_topic_LDADD = src/topic/libtopic.a src/base/libbase.a

check_PROGRAMS += tests/unit/test-subtrie
TESTS += tests/unit/test-subtrie
tests_unit_test_subtrie_SOURCES = tests/unit/test-subtrie.c tests/unit/tap.h
tests_unit_test_subtrie_LDADD = src/topic/libtopic.a src/base/libbase.a
