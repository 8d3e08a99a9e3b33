# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Unit tests of src/mqtt, and of MQTT's part of src/wire.

MQTT_TEST_LIBS = src/mqtt/libmqtt.a src/topic/libtopic.a src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/unit/test-mqtt-wire
TESTS += tests/unit/test-mqtt-wire
tests_unit_test_mqtt_wire_SOURCES = tests/unit/test-mqtt-wire.c tests/unit/tap.h
tests_unit_test_mqtt_wire_LDADD = src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/unit/test-mqtt-dialogue
TESTS += tests/unit/test-mqtt-dialogue
tests_unit_test_mqtt_dialogue_SOURCES = tests/unit/test-mqtt-dialogue.c \
	tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_dialogue_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-qos
TESTS += tests/unit/test-mqtt-qos
tests_unit_test_mqtt_qos_SOURCES = tests/unit/test-mqtt-qos.c \
	tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_qos_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-full
TESTS += tests/unit/test-mqtt-full
tests_unit_test_mqtt_full_SOURCES = tests/unit/test-mqtt-full.c \
	tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_full_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-limits
TESTS += tests/unit/test-mqtt-limits
tests_unit_test_mqtt_limits_SOURCES = tests/unit/test-mqtt-limits.c \
	tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_limits_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-hostile
TESTS += tests/unit/test-mqtt-hostile
tests_unit_test_mqtt_hostile_SOURCES = tests/unit/test-mqtt-hostile.c \
	tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_hostile_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-kept
TESTS += tests/unit/test-mqtt-kept
tests_unit_test_mqtt_kept_SOURCES = tests/unit/test-mqtt-kept.c tests/unit/tap.h
tests_unit_test_mqtt_kept_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-v5
TESTS += tests/unit/test-mqtt-v5
tests_unit_test_mqtt_v5_SOURCES = tests/unit/test-mqtt-v5.c \
	tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_v5_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-conf311
TESTS += tests/unit/test-mqtt-conf311
tests_unit_test_mqtt_conf311_SOURCES = tests/unit/test-mqtt-conf311.c \
	tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_conf311_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-conf5
TESTS += tests/unit/test-mqtt-conf5
tests_unit_test_mqtt_conf5_SOURCES = tests/unit/test-mqtt-conf5.c \
	tests/unit/mqtt-conf5.h tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_conf5_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-conf5-publish
TESTS += tests/unit/test-mqtt-conf5-publish
tests_unit_test_mqtt_conf5_publish_SOURCES = tests/unit/test-mqtt-conf5-publish.c \
	tests/unit/mqtt-conf5.h tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_conf5_publish_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-acl
TESTS += tests/unit/test-mqtt-acl
tests_unit_test_mqtt_acl_SOURCES = tests/unit/test-mqtt-acl.c \
	tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_acl_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-auth
TESTS += tests/unit/test-mqtt-auth
tests_unit_test_mqtt_auth_SOURCES = tests/unit/test-mqtt-auth.c \
	tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_auth_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-sys
TESTS += tests/unit/test-mqtt-sys
tests_unit_test_mqtt_sys_SOURCES = tests/unit/test-mqtt-sys.c \
	tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_sys_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-persist
TESTS += tests/unit/test-mqtt-persist
tests_unit_test_mqtt_persist_SOURCES = tests/unit/test-mqtt-persist.c \
	tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_persist_LDADD = $(MQTT_TEST_LIBS)

check_PROGRAMS += tests/unit/test-mqtt-subscribe
TESTS += tests/unit/test-mqtt-subscribe
tests_unit_test_mqtt_subscribe_SOURCES = tests/unit/test-mqtt-subscribe.c \
	tests/unit/mqtt-script.h tests/unit/tap.h
tests_unit_test_mqtt_subscribe_LDADD = $(MQTT_TEST_LIBS)
