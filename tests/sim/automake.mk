# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# Seeded simulations: functions of a seed and of nothing else.

check_PROGRAMS += tests/sim/sim-utcp
TESTS += tests/sim/sim-utcp
tests_sim_sim_utcp_SOURCES = \
	tests/sim/client.c \
	tests/sim/client.h \
	tests/sim/invariants.h \
	tests/sim/net.c \
	tests/sim/net.h \
	tests/sim/router.c \
	tests/sim/router.h \
	tests/sim/sim-utcp.c \
	tests/sim/utcp-world.c \
	tests/sim/utcp-world.h \
	tests/unit/tap.h
tests_sim_sim_utcp_LDADD = src/utcp/libutcp.a src/wire/libwire.a src/base/libbase.a

MOSTLYCLEANFILES += sim-utcp-*.pcap

check_PROGRAMS += tests/sim/sim-proxy
TESTS += tests/sim/sim-proxy
tests_sim_sim_proxy_SOURCES = \
	tests/sim/gbn.c \
	tests/sim/gbn.h \
	tests/sim/net.c \
	tests/sim/net.h \
	tests/sim/sim-proxy.c \
	tests/unit/tap.h
tests_sim_sim_proxy_LDADD = \
	src/proxy/libproxy.a src/peer/libpeer.a src/mqtt/libmqtt.a src/utcp/libutcp.a \
	src/net/libnet.a src/topic/libtopic.a src/wire/libwire.a src/base/libbase.a $(LZ4_LIBS)

MOSTLYCLEANFILES += sim-proxy-*.pcap

check_PROGRAMS += tests/sim/sim-persist
TESTS += tests/sim/sim-persist
tests_sim_sim_persist_SOURCES = tests/sim/sim-persist.c tests/unit/tap.h
tests_sim_sim_persist_LDADD = \
	src/mqtt/libmqtt.a src/topic/libtopic.a src/wire/libwire.a src/base/libbase.a

# The long run: ten thousand seeds each, some minutes.  The last line is as that of 'make check'.
SIMULATIONS = tests/sim/sim-utcp tests/sim/sim-proxy tests/sim/sim-persist
SIM_SEEDS = 10000
check-sim: $(SIMULATIONS)
	@status=0; n=0; for sim in $(SIMULATIONS); do \
	    if ./$$sim --seeds 1 $(SIM_SEEDS); then n=$$((n + 1)); else status=1; fi; done; \
	echo "# PASS: $$n"; echo "# FAIL: $$(($(words $(SIMULATIONS)) - n))"; exit $$status
.PHONY: check-sim

check_PROGRAMS += tests/sim/sim-churn
TESTS += tests/sim/sim-churn
tests_sim_sim_churn_SOURCES = \
	tests/sim/crowd.c \
	tests/sim/crowd.h \
	tests/sim/sim-churn.c \
	tests/unit/tap.h
tests_sim_sim_churn_LDADD = \
	src/proxy/libproxy.a src/peer/libpeer.a src/mqtt/libmqtt.a src/utcp/libutcp.a \
	src/net/libnet.a src/topic/libtopic.a src/wire/libwire.a src/base/libbase.a $(LZ4_LIBS)

check_PROGRAMS += tests/sim/sim-soak
TESTS += tests/sim/sim-soak
tests_sim_sim_soak_SOURCES = \
	tests/sim/crowd.c \
	tests/sim/crowd.h \
	tests/sim/sim-soak.c \
	tests/unit/tap.h
tests_sim_sim_soak_LDADD = \
	src/proxy/libproxy.a src/peer/libpeer.a src/mqtt/libmqtt.a src/utcp/libutcp.a \
	src/net/libnet.a src/topic/libtopic.a src/wire/libwire.a src/base/libbase.a $(LZ4_LIBS)
