/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What the two programs that check the conformance to MQTT 5.0 have in common: openings, and
 * packets that must be refused.  Included by one source file of a test program. */
#ifndef MP_TESTS_UNIT_MQTT_CONF5_H
#define MP_TESTS_UNIT_MQTT_CONF5_H 1

#include "unit/mqtt-script.h"

/* Receive Maximum 100, Topic Alias Maximum 16, Maximum Packet Size 1 MiB. */
#define LIMITS "2100642200102700100000"
#define OPENP(C, ID, PROPS) C " > CONNECT v=5 id=" ID " p=" PROPS "\n"                     \
    C " < CONNACK 0 0 p=" LIMITS "\n"
#define OPEN(C, ID) OPENP(C, ID, "")
#define OPEN5(C, ID, PROPS) C " > CONNECT v=5 id=" ID " clean=0 p=" PROPS "\n"             \
    C " < CONNACK 0 0 p=" LIMITS "\n"
#define SUB(C, FILTER, QOS) C " > SUBSCRIBE id=9 " FILTER ":" QOS "\n"                     \
    C " < hex 90040009 00 0" QOS "\n"

static struct mqtt_config
config_qos2(void)
{
    struct mqtt_config config;

    mqtt_config_default(&config);
    config.max_qos = 2;
    return config;
}

static void
run(const char *name, const char *lines)
{
    struct mqtt_config config = config_qos2();

    script_run(name, &config, lines);
}

/* 'hex' after an accepted CONNECT: DISCONNECT with the reason, and the end. */
__attribute__((unused)) static void
refuses(const char *name, unsigned reason, const char *hex)
{
    char script[2048];

    snprintf(script, sizeof script,
             OPEN("c1", "a") "c1 > hex %s\nc1 < hex e002 %02x 00\nc1 < nothing\nc1 closed\n"
             "event none\n", hex, reason);
    run(name, script);
}

/* 'hex' is a CONNECT: CONNACK with the reason, and the end. */
__attribute__((unused)) static void
refuses_connect(const char *name, unsigned reason, const char *hex)
{
    char script[2048];

    snprintf(script, sizeof script,
             "c1 > hex %s\nc1 < hex 2003 00 %02x 00\nc1 < nothing\nc1 closed\nevent none\n", hex,
             reason);
    run(name, script);
}

#endif
