# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Benches: they print figures and judge none.  'make bench' runs them all.  But check-instructions
# and check-memory are tests: instructions and bytes are the same on every run.

check_PROGRAMS += \
	tests/bench/mqtt-load \
	tests/bench/probe \
	tests/bench/swarm \
	tests/bench/udp-ping \
	tests/bench/bench-idle \
	tests/bench/bench-segments \
	tests/bench/bench-subscriptions
tests_bench_mqtt_load_SOURCES = \
	tests/bench/load.h \
	tests/bench/load-bulk.c \
	tests/bench/load-packets.c \
	tests/bench/load-payload.c \
	tests/bench/load-report.c \
	tests/bench/load-send.c \
	tests/bench/mqtt-load.c
tests_bench_probe_SOURCES = tests/bench/probe.c
tests_bench_swarm_SOURCES = \
	tests/bench/swarm.h \
	tests/bench/swarm-client.c \
	tests/bench/swarm-frames.c \
	tests/bench/swarm.c
tests_bench_swarm_LDADD = src/wire/libwire.a src/base/libbase.a
tests_bench_udp_ping_SOURCES = tests/bench/udp-ping.c
tests_bench_bench_idle_SOURCES = \
	tests/bench/bench-idle.c \
	tests/bench/herd.c \
	tests/bench/herd.h
tests_bench_bench_idle_LDADD = $(CORE_LIBS)
tests_bench_bench_segments_SOURCES = \
	tests/bench/bench-segments.c \
	tests/bench/herd.c \
	tests/bench/herd.h
tests_bench_bench_segments_CPPFLAGS = $(AM_CPPFLAGS) -DBENCH_BUILD='"$(CFLAGS)"'
tests_bench_bench_segments_LDADD = $(CORE_LIBS)
tests_bench_bench_subscriptions_SOURCES = tests/bench/bench-subscriptions.c
tests_bench_bench_subscriptions_LDADD = \
	src/mqtt/libmqtt.a \
	src/topic/libtopic.a \
	src/wire/libwire.a \
	src/base/libbase.a

dist_check_SCRIPTS += tests/bench/check-instructions tests/bench/check-memory
TESTS += tests/bench/check-instructions tests/bench/check-memory

if BUILD_DAEMON
check_PROGRAMS += tests/bench/reflector
tests_bench_reflector_SOURCES = tests/bench/reflector.c
tests_bench_reflector_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CFLAGS) $(LIBEVENT_CFLAGS)
tests_bench_reflector_LDADD = \
	src/io/libio.a \
	src/ofp/libofp.a \
	src/base/libbase.a \
	$(OVS_LIBS) \
	$(LIBEVENT_LIBS) \
	$(LIBPCAP_LIBS)
endif

EXTRA_DIST += \
	tests/bench/bench-bulk \
	tests/bench/bench-connections \
	tests/bench/bench-lossy \
	tests/bench/bench-messages \
	tests/bench/bench-mqtt \
	tests/bench/bench-reflector \
	tests/bench/bench-roundtrips \
	tests/bench/bench-synflood \
	tests/bench/benchlab.py \
	tests/bench/instructions.txt \
	tests/bench/readings \
	tests/bench/run
