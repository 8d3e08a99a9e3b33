# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Unit tests of src/peer.

check_PROGRAMS += tests/unit/test-peer
TESTS += tests/unit/test-peer
tests_unit_test_peer_SOURCES = tests/unit/test-peer.c tests/unit/tap.h
tests_unit_test_peer_LDADD = src/peer/libpeer.a src/topic/libtopic.a src/wire/libwire.a \
	src/base/libbase.a $(LZ4_LIBS)

check_PROGRAMS += tests/unit/test-peer-vectors
TESTS += tests/unit/test-peer-vectors
tests_unit_test_peer_vectors_SOURCES = tests/unit/test-peer-vectors.c tests/unit/tap.h
tests_unit_test_peer_vectors_LDADD = src/peer/libpeer.a src/topic/libtopic.a src/wire/libwire.a \
	src/base/libbase.a $(LZ4_LIBS)

check_PROGRAMS += tests/unit/test-peer-stream
TESTS += tests/unit/test-peer-stream
tests_unit_test_peer_stream_SOURCES = tests/unit/test-peer-stream.c tests/unit/peer-world.h \
	tests/unit/tap.h
tests_unit_test_peer_stream_LDADD = src/peer/libpeer.a src/topic/libtopic.a src/wire/libwire.a \
	src/base/libbase.a $(LZ4_LIBS)

check_PROGRAMS += tests/unit/test-peer-path
TESTS += tests/unit/test-peer-path
tests_unit_test_peer_path_SOURCES = tests/unit/test-peer-path.c tests/unit/peer-world.h tests/unit/tap.h
tests_unit_test_peer_path_LDADD = src/peer/libpeer.a src/topic/libtopic.a src/wire/libwire.a \
	src/base/libbase.a $(LZ4_LIBS)

check_PROGRAMS += tests/unit/test-peer-pack
TESTS += tests/unit/test-peer-pack
tests_unit_test_peer_pack_SOURCES = tests/unit/test-peer-pack.c tests/unit/peer-world.h tests/unit/tap.h
tests_unit_test_peer_pack_LDADD = src/peer/libpeer.a src/topic/libtopic.a src/wire/libwire.a \
	src/base/libbase.a $(LZ4_LIBS)
