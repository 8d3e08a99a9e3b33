# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# MQTT control packets: framing, decoding, encoding.  Included by automake.mk beside it.

src_wire_libwire_a_SOURCES += \
	src/wire/mqtt_decode.c \
	src/wire/mqtt_encode.c \
	src/wire/mqtt_framer.c \
	src/wire/mqtt_framer.h \
	src/wire/mqtt_pkt.h \
	src/wire/mqtt_prop.c \
	src/wire/mqtt_prop.h \
	src/wire/mqtt_types.h
