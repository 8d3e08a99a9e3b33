# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Fuzz targets.  'make check' builds each with replay.c, which feeds it its corpus and some
# thousands of seeded mutations; 'make fuzz TARGET=NAME TIME=SECONDS' builds one with libFuzzer.

FUZZ_COMMON = tests/fuzz/fuzz.h tests/fuzz/replay.c
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/run-fuzz

fuzz:
	@CLANG='$(CLANG)' top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
	    $(srcdir)/tests/fuzz/run-fuzz '$(TARGET)' '$(TIME)'
.PHONY: fuzz

MOSTLYCLEANFILES += fuzz-*.failed-input

check_PROGRAMS += tests/fuzz/fuzz-subtrie
TESTS += tests/fuzz/fuzz-subtrie
tests_fuzz_fuzz_subtrie_SOURCES = tests/fuzz/fuzz-subtrie.c $(FUZZ_COMMON)
tests_fuzz_fuzz_subtrie_LDADD = src/topic/libtopic.a src/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz-topic
TESTS += tests/fuzz/fuzz-topic
tests_fuzz_fuzz_topic_SOURCES = tests/fuzz/fuzz-topic.c $(FUZZ_COMMON)
tests_fuzz_fuzz_topic_LDADD = src/topic/libtopic.a src/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz-peer
TESTS += tests/fuzz/fuzz-peer
tests_fuzz_fuzz_peer_SOURCES = tests/fuzz/fuzz-peer.c $(FUZZ_COMMON)
tests_fuzz_fuzz_peer_LDADD = src/peer/libpeer.a src/topic/libtopic.a src/wire/libwire.a \
	src/base/libbase.a $(LZ4_LIBS)

check_PROGRAMS += tests/fuzz/fuzz-mqtt
TESTS += tests/fuzz/fuzz-mqtt
tests_fuzz_fuzz_mqtt_SOURCES = tests/fuzz/fuzz-mqtt.c $(FUZZ_COMMON)
tests_fuzz_fuzz_mqtt_LDADD = src/mqtt/libmqtt.a src/topic/libtopic.a src/wire/libwire.a \
	src/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz-frame
TESTS += tests/fuzz/fuzz-frame
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz-frame.c tests/fuzz/fixup.h $(FUZZ_COMMON)
tests_fuzz_fuzz_frame_LDADD = src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz-net
TESTS += tests/fuzz/fuzz-net
tests_fuzz_fuzz_net_SOURCES = tests/fuzz/fuzz-net.c tests/fuzz/fixup.h $(FUZZ_COMMON)
tests_fuzz_fuzz_net_LDADD = src/net/libnet.a src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz-utcp
TESTS += tests/fuzz/fuzz-utcp
tests_fuzz_fuzz_utcp_SOURCES = tests/fuzz/fuzz-utcp.c tests/sim/invariants.h $(FUZZ_COMMON)
tests_fuzz_fuzz_utcp_LDADD = src/utcp/libutcp.a src/wire/libwire.a src/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz-ofp
TESTS += tests/fuzz/fuzz-ofp
tests_fuzz_fuzz_ofp_SOURCES = tests/fuzz/fuzz-ofp.c tests/unit/fake-switch.h $(FUZZ_COMMON)
tests_fuzz_fuzz_ofp_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CFLAGS)
tests_fuzz_fuzz_ofp_LDADD = $(OFP_LIBS)

check_PROGRAMS += tests/fuzz/fuzz-acl
TESTS += tests/fuzz/fuzz-acl
tests_fuzz_fuzz_acl_SOURCES = tests/fuzz/fuzz-acl.c $(FUZZ_COMMON)
tests_fuzz_fuzz_acl_LDADD = src/mqtt/libmqtt.a src/topic/libtopic.a src/wire/libwire.a \
	src/base/libbase.a

check_PROGRAMS += tests/fuzz/fuzz-restore
TESTS += tests/fuzz/fuzz-restore
tests_fuzz_fuzz_restore_SOURCES = tests/fuzz/fuzz-restore.c $(FUZZ_COMMON)
tests_fuzz_fuzz_restore_LDADD = src/mqtt/libmqtt.a src/topic/libtopic.a src/wire/libwire.a \
	src/base/libbase.a
