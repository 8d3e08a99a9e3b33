/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What MQTT 3.1.1 demands of a server, statement by statement.  Each script is headed by the
 * statements that it shows; tests/conformance/mqtt311.md is the table of all.  The notation is in
 * mqtt-script.h. */
#include "unit/mqtt-script.h"

#define OPEN(C, ID) C " > CONNECT id=" ID "\n" C " < hex 20020000\n"
#define SUB(C, FILTER, QOS) C " > SUBSCRIBE id=9 " FILTER ":" QOS "\n" C " < hex 90030009 0" QOS "\n"

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

/* Sends 'hex' as the first packet, or after an accepted CONNECT: the connection is closed without
 * an answer. */
static void
refuses(const char *name, bool is_first, const char *hex)
{
    char script[2048];

    snprintf(script, sizeof script, "%sc1 > hex %s\nc1 < nothing\nc1 closed\nevent none\n",
             is_first ? "" : OPEN("c1", "a"), hex);
    run(name, script);
}

/* [MQTT-1.5.3-1] ill-formed UTF-8, [MQTT-1.5.3-2] U+0000: in every string that a client sends.
 * [MQTT-3.1.3-4], [MQTT-3.1.3-10], [MQTT-3.1.3-11], [MQTT-3.3.2-1], [MQTT-3.8.3-1],
 * [MQTT-3.10.3-1], [MQTT-4.7.3-2]. */
static void
test_strings(void)
{
    static const char *const bad[] = { "ff", "c0af", "c3", "eda080", "f4908080", "6100", "00" };
    char hex[256];

    for (size_t i = 0; i < MP_ARRAY_SIZE(bad); i++) {
        unsigned n = (unsigned) strlen(bad[i]) / 2;

        snprintf(hex, sizeof hex, "10%02x 00044d515454 04 02 003c %04x%s", 12 + n, n, bad[i]);
        refuses("strings: Client Identifier", true, hex);
        snprintf(hex, sizeof hex, "10%02x 00044d515454 04 82 003c 000161 %04x%s", 15 + n, n,
                 bad[i]);
        refuses("strings: User Name", true, hex);
        snprintf(hex, sizeof hex, "10%02x 00044d515454 04 06 003c 000161 %04x%s 000178", 18 + n, n,
                 bad[i]);
        refuses("strings: Will Topic", true, hex);
        snprintf(hex, sizeof hex, "30%02x %04x%s", 2 + n, n, bad[i]);
        refuses("strings: Topic Name", false, hex);
        snprintf(hex, sizeof hex, "82%02x 0001 %04x%s 00", 5 + n, n, bad[i]);
        refuses("strings: Topic Filter of SUBSCRIBE", false, hex);
        snprintf(hex, sizeof hex, "a2%02x 0001 %04x%s", 4 + n, n, bad[i]);
        refuses("strings: Topic Filter of UNSUBSCRIBE", false, hex);
    }
    /* [MQTT-1.5.3-3], [MQTT-4.7.3-4]: a byte order mark is a character like others, and nothing
     * is normalised: e with an accent is not e and an accent. */
    run("strings: nothing is stripped or normalised",
        OPEN("c1", "a")
        SUB("c1", "t", "0")
        SUB("c1", "\xc3\xa9", "0")
        SUB("c1", "T/t", "0")
        OPEN("c2", "b")
        SUB("c2", "\xef\xbb\xbft", "0")
        SUB("c2", "e\xcc\x81", "0")
        "c1 > PUBLISH \xef\xbb\xbft mark\n"
        "c2 < hex 300a 0004 efbbbf74 6d61726b\n"
        "c2 > PUBLISH t none\n"
        "c1 < hex 3007 0001 74 6e6f6e65\n"
        "c1 > PUBLISH \xc3\xa9 x\n"
        "c1 < PUBLISH \xc3\xa9 x\n"
        "c1 > PUBLISH e\xcc\x81 y\n"
        "c2 < PUBLISH e\xcc\x81 y\n"
        "c1 > PUBLISH t/t z\n"
        "c1 > PUBLISH T/t/ z\n"
        "c1 < nothing\n");
}

/* [MQTT-2.2.2-1], [MQTT-2.2.2-2], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1],
 * [MQTT-3.14.1-1], [MQTT-4.8.0-1]. */
static void
test_reserved_flags(void)
{
    static const struct {
        const char *name, *rest;
        uint8_t first;
    } packets[] = {
        { "CONNECT", "0d 00044d515454 04 02 003c 000161", 0x10 },
        { "PUBACK", "02 0001", 0x40 },
        { "PUBREC", "02 0001", 0x50 },
        { "PUBREL", "02 0001", 0x62 },
        { "PUBCOMP", "02 0001", 0x70 },
        { "SUBSCRIBE", "06 0001 000161 00", 0x82 },
        { "UNSUBSCRIBE", "05 0001 000161", 0xa2 },
        { "PINGREQ", "00", 0xc0 },
        { "DISCONNECT", "00", 0xe0 },
    };
    char name[64], hex[128];

    for (size_t i = 0; i < MP_ARRAY_SIZE(packets); i++) {
        for (unsigned flags = 0; flags < 16; flags++) {
            if (flags != (packets[i].first & 0xf)) {
                snprintf(name, sizeof name, "reserved flags: %s", packets[i].name);
                snprintf(hex, sizeof hex, "%02x %s", (packets[i].first & 0xf0) | flags,
                         packets[i].rest);
                refuses(name, !i, hex);
            }
        }
    }
}

static void
test_identifiers(void)
{
    /* [MQTT-2.3.1-1] */
    refuses("packet identifier 0: PUBLISH with QoS 1", false, "3206 0001 74 0000 78");
    refuses("packet identifier 0: PUBLISH with QoS 2", false, "3406 0001 74 0000 78");
    refuses("packet identifier 0: SUBSCRIBE", false, "8206 0000 000161 00");
    refuses("packet identifier 0: UNSUBSCRIBE", false, "a205 0000 000161");
    /* [MQTT-2.3.1-6], [MQTT-2.3.1-7], [MQTT-3.3.4-1], [MQTT-3.8.4-2], [MQTT-3.10.4-4],
     * [MQTT-4.3.2-2], [MQTT-4.3.3-2]: what is answered has the identifier of what was asked. */
    run("packet identifiers are returned",
        OPEN("c1", "a")
        "c1 > PUBLISH t x\n"
        "c1 < nothing\n"
        "c1 > PUBLISH t qos=1 id=0xffff x\n"
        "c1 < hex 4002 ffff\n"
        "c1 > PUBLISH t qos=2 id=0x1234 x\n"
        "c1 < hex 5002 1234\n"
        "c1 > PUBREL id=0x1234\n"
        "c1 < hex 7002 1234\n"
        "c1 > SUBSCRIBE id=0xfffe f:2\n"
        "c1 < hex 9003 fffe 02\n"
        "c1 > UNSUBSCRIBE id=0x8001 f\n"
        "c1 < hex b002 8001\n");
    /* [MQTT-2.3.1-4], [MQTT-2.3.1-5], [MQTT-4.3.1-1], [MQTT-4.3.2-1], [MQTT-4.3.3-1]: the server
     * numbers what it sends, each with an identifier of its own as long as that is in use. */
    run("packet identifiers of the server",
        OPEN("c1", "a")
        SUB("c1", "t", "2")
        "peer t 0 qos=0\n"
        "c1 < hex 3004 000174 30\n"
        "peer t 1 qos=1\n"
        "c1 < hex 3206 000174 0001 31\n"
        "peer t 2 qos=2\n"
        "c1 < hex 3406 000174 0002 32\n"
        "peer t 3 qos=1\n"
        "c1 < hex 3206 000174 0003 33\n"
        "c1 > PUBREC id=2\n"
        "c1 < hex 6202 0002\n"
        "peer t 4 qos=1\n"
        "c1 < hex 3206 000174 0004 34\n"
        "c1 > PUBCOMP id=2\n"
        "c1 > PUBACK id=1\n"
        "c1 > PUBACK id=3\n"
        "c1 < nothing\n");
}

static void
test_connect(void)
{
    /* [MQTT-3.1.0-1] */
    static const char *const first[] = {
        "20020000", "3003000174", "40020001", "50020001", "62020001", "70020001",
        "8206 0001 000161 00", "9003 0001 00", "a205 0001 000161", "b0020001", "c000", "d000",
        "e000", "f000", "0000",
    };

    for (size_t i = 0; i < MP_ARRAY_SIZE(first); i++) {
        refuses("the first packet is a CONNECT", true, first[i]);
    }
    /* [MQTT-3.1.0-2] */
    run("a second CONNECT ends the connection",
        "c1 > CONNECT id=a will=w:x\n"
        "c1 < CONNACK 0 0\n"
        "c1 > CONNECT id=a\n"
        "c1 < nothing\n"
        "c1 closed\n"
        "event PUBLISH w x\n");
    /* [MQTT-3.1.2-1], [MQTT-3.1.2-2] */
    refuses("another protocol's name", true, "100d 00044d515458 04 02 003c 000161");
    refuses("the name in lower case", true, "100d 00046d717474 04 02 003c 000161");
    run("levels that nobody speaks: code 1, then the end",
        "c1 > hex 100d 00044d515454 00 02 003c 000161\n"
        "c1 < hex 20020001\n"
        "c1 closed\n"
        "c2 > hex 100d 00044d515454 ff 02 003c 000161 c000\n"
        "c2 < hex 20020001\n"
        "c2 closed\n");
    /* [MQTT-3.1.2-3]; [MQTT-3.1.2-14]; [MQTT-3.1.2-11], [MQTT-3.1.2-13], [MQTT-3.1.2-15];
     * [MQTT-3.1.2-22]; all of them [MQTT-3.1.4-1]: no CONNACK. */
    refuses("CONNECT flags: reserved", true, "100d 00044d515454 04 03 003c 000161");
    refuses("CONNECT flags: Will QoS 3", true, "1013 00044d515454 04 1e 003c 000161 000174 000178");
    refuses("CONNECT flags: Will QoS 1 without Will", true, "100d 00044d515454 04 0a 003c 000161");
    refuses("CONNECT flags: Will QoS 2 without Will", true, "100d 00044d515454 04 12 003c 000161");
    refuses("CONNECT flags: Will Retain without Will", true,
            "100d 00044d515454 04 22 003c 000161");
    refuses("CONNECT flags: password without user name", true,
            "1010 00044d515454 04 42 003c 000161 000170");
    /* [MQTT-3.1.2-9], [MQTT-3.1.2-18] to [MQTT-3.1.2-21], [MQTT-3.1.3-3]: the fields are those
     * that the flags announce, no less and no more. */
    refuses("CONNECT fields: no Client Identifier", true, "100a 00044d515454 04 02 003c");
    refuses("CONNECT fields: Will without topic", true, "100d 00044d515454 04 06 003c 000161");
    refuses("CONNECT fields: Will without message", true,
            "1010 00044d515454 04 06 003c 000161 000174");
    refuses("CONNECT fields: user name announced and not there", true,
            "100d 00044d515454 04 82 003c 000161");
    refuses("CONNECT fields: user name there and not announced", true,
            "1010 00044d515454 04 02 003c 000161 000175");
    refuses("CONNECT fields: password announced and not there", true,
            "1010 00044d515454 04 c2 003c 000161 000175");
    refuses("CONNECT fields: password there and not announced", true,
            "1013 00044d515454 04 82 003c 000161 000175 000170");
    /* [MQTT-3.1.3-1]: all five, in order. */
    run("CONNECT fields: all in order",
        OPEN("c2", "b")
        SUB("c2", "w", "0")
        "c1 > hex 1019 00044d515454 04 c6 003c 000161 000177 000178 000175 000170\n"
        "c1 < hex 20020000\n"
        "c1 closes\n"
        "c2 < PUBLISH w x\n");
}

static void
test_client_identifiers(void)
{
    /* [MQTT-3.1.3-5] */
    run("Client Identifiers of 1 and 23 bytes, all letters and digits",
        OPEN("c1", "0") OPEN("c2", "0123456789abcdefghijklm") OPEN("c3", "nopqrstuvwxyzABCDEFGHIJ")
        OPEN("c4", "KLMNOPQRSTUVWXYZ"));
    /* [MQTT-3.1.3-6], [MQTT-3.1.3-7], [MQTT-3.1.3-8], [MQTT-3.1.3-9]: everyone without an
     * identifier is somebody else. */
    run("no Client Identifier: one is given, or refused for CleanSession 0",
        "c1 > CONNECT id=\n"
        "c1 < CONNACK 0 0\n"
        SUB("c1", "t", "1")
        "c2 > CONNECT id=\n"
        "c2 < CONNACK 0 0\n"
        SUB("c2", "t", "1")
        "peer t x qos=1\n"
        "c1 < PUBLISH t qos=1 id=1 x\n"
        "c2 < PUBLISH t qos=1 id=1 x\n"
        "c3 > hex 100c 00044d515454 04 00 003c 0000 c000\n"
        "c3 < hex 20020002\n"
        "c3 closed\n");
    /* [MQTT-3.1.4-2], [MQTT-3.1.3-2] */
    run("a Client Identifier that connects again ends the old connection",
        "c1 > CONNECT id=a clean=0\n"
        "c1 < CONNACK 0 0\n"
        SUB("c1", "t", "0")
        OPEN("c2", "b")
        SUB("c2", "t", "0")
        "c3 > CONNECT id=a clean=0\n"
        "c1 < nothing\n"
        "c1 closed\n"
        "c3 < CONNACK 1 0\n"
        "peer t x\n"
        "c3 < PUBLISH t x\n"
        "c2 < PUBLISH t x\n");
}

static void
test_connack(void)
{
    struct mqtt_config config = config_qos2();

    /* [MQTT-3.2.0-1], [MQTT-3.1.4-4]: the CONNACK is first, whatever else waits. */
    run("CONNACK before all else",
        "c1 > CONNECT id=a clean=0\n"
        "c1 < CONNACK 0 0\n"
        SUB("c1", "t", "1")
        "c1 closes\n"
        "peer t x qos=1\n"
        "c2 > hex 100d 00044d515454 04 00 003c 000161 c000\n"
        "c2 < hex 20020100 d000 3206 000174 0001 78\n");
    /* [MQTT-3.1.4-5]: nothing that follows a CONNECT that is refused. */
    config.username = "u";
    config.password = "p";
    script_run("nothing is taken from a client that is refused", &config,
               "c1 > hex 1013 00044d515454 04 c2 003c 000161 000175 000178"
               " 3003000174 8206 0001 000174 00 c000\n"
               "c1 < hex 20020005\n"
               "c1 closed\n"
               "event none\n");
    /* [MQTT-3.2.2-4], [MQTT-3.2.2-5]: no Session Present with a code, then the end. */
    script_run("a code and Session Present exclude one another", &config,
               "c1 > CONNECT id=a user=u pass=p clean=0\n"
               "c1 < hex 20020000\n"
               "c1 closes\n"
               "c2 > CONNECT id=a user=u pass=wrong clean=0\n"
               "c2 < hex 20020005\n"
               "c2 closed\n"
               "c3 > CONNECT id=a user=u pass=p clean=0\n"
               "c3 < hex 20020100\n");
    /* [MQTT-3.2.2-6]: what no code is for gets none: all that refuses() shows for CONNECT. */
}

static void
test_sessions(void)
{
    /* [MQTT-3.1.2-4], [MQTT-3.1.2-5], [MQTT-3.2.2-2], [MQTT-3.2.2-3], [MQTT-4.1.0-1],
     * [MQTT-4.5.0-1]: subscriptions and what they matched meanwhile. */
    run("CleanSession 0: a session is created, stored, resumed",
        "c1 > CONNECT id=a clean=0\n"
        "c1 < hex 20020000\n"
        "c1 > SUBSCRIBE id=1 q/0:0 q/1:1 q/2:2\n"
        "c1 < SUBACK id=1 0 1 2\n"
        "c1 > PUBLISH other qos=2 id=7 x\n"
        "c1 < PUBREC id=7\n"
        "c1 > DISCONNECT\n"
        "c1 closed\n"
        OPEN("c2", "b")
        "c2 > PUBLISH q/1 qos=1 id=1 one\n"
        "c2 < PUBACK id=1\n"
        "c2 > PUBLISH q/2 qos=2 id=2 two\n"
        "c2 < PUBREC id=2\n"
        "c2 > PUBREL id=2\n"
        "c2 < PUBCOMP id=2\n"
        "c2 > PUBLISH q/2 qos=1 id=3 three\n"
        "c2 < PUBACK id=3\n"
        "c3 > CONNECT id=a clean=0\n"
        "c3 < hex 20020100\n"
        "c3 < PUBLISH q/1 qos=1 id=1 one\n"
        "c3 < PUBLISH q/2 qos=2 id=2 two\n"
        "c3 < PUBLISH q/2 qos=1 id=3 three\n"
        "c3 > PUBLISH other qos=2 id=7 dup x\n"
        "c3 < PUBREC id=7\n"
        "c3 > PUBREL id=7\n"
        "c3 < PUBCOMP id=7\n"
        "event SUBSCRIBE q/0\n"
        "event SUBSCRIBE q/1\n"
        "event SUBSCRIBE q/2\n"
        "event PUBLISH other x qos=2\n"
        "event PUBLISH q/1 one qos=1\n"
        "event PUBLISH q/2 two qos=2\n"
        "event PUBLISH q/2 three qos=1\n"
        "event none\n");
    /* [MQTT-3.1.2-6], [MQTT-3.1.4-3], [MQTT-3.2.2-1], and [MQTT-3.1.2-7]: what is retained is no
     * part of a session. */
    run("CleanSession 1: nothing of before, nothing for afterwards",
        "c1 > CONNECT id=a clean=0\n"
        "c1 < CONNACK 0 0\n"
        SUB("c1", "t", "1")
        "c1 > PUBLISH kept retain x\n"
        "c1 > PUBLISH other qos=2 id=7 x\n"
        "c1 < PUBREC id=7\n"
        "c1 closes\n"
        "peer t missed qos=1\n"
        "c2 > CONNECT id=a clean=1\n"
        "c2 < hex 20020000\n"
        "peer t y qos=1\n"
        "c2 < nothing\n"
        SUB("c2", "kept", "0")
        "c2 < PUBLISH kept retain x\n"
        SUB("c2", "t", "1")
        "c2 > PUBLISH other qos=2 id=7 new\n"
        "c2 < PUBREC id=7\n"
        "c2 > DISCONNECT\n"
        "c2 closed\n"
        "c3 > CONNECT id=a clean=0\n"
        "c3 < hex 20020000\n"
        "peer t y qos=1\n"
        "c3 < nothing\n"
        SUB("c3", "kept", "0")
        "c3 < PUBLISH kept retain x\n"
        "event SUBSCRIBE t\n"
        "event PUBLISH kept x retain\n"
        "event PUBLISH other x qos=2\n"
        "event UNSUBSCRIBE t\n"
        "event SUBSCRIBE kept\n"
        "event SUBSCRIBE t\n"
        "event PUBLISH other new qos=2\n"
        "event UNSUBSCRIBE kept\n"
        "event UNSUBSCRIBE t\n");
    /* [MQTT-4.1.0-2]: not while the connection lasts. */
    run("a session lasts as long as its connection",
        "c1 > CONNECT id=a clean=1 keep=0\n"
        "c1 < CONNACK 0 0\n"
        SUB("c1", "t", "1")
        "wait 10000000\n"
        "peer t x qos=1\n"
        "c1 < PUBLISH t qos=1 id=1 x\n");
}

static void
test_will(void)
{
    /* [MQTT-3.1.2-8], [MQTT-3.1.2-10], [MQTT-3.1.2-12], [MQTT-3.1.2-16], [MQTT-3.1.2-17]: on every
     * end but DISCONNECT, once, with the RETAIN that was asked for. */
    run("the Will is published once, retained or not",
        OPEN("c1", "a")
        SUB("c1", "w/+", "2")
        "c2 > CONNECT id=b clean=0 will=w/1:plain wqos=1\n"
        "c2 < CONNACK 0 0\n"
        "c2 closes\n"
        "c1 < PUBLISH w/1 qos=1 id=1 plain\n"
        "c2b > CONNECT id=b clean=0\n"
        "c2b < CONNACK 1 0\n"
        "c2b closes\n"
        "c1 < nothing\n"
        "c3 > CONNECT id=c will=w/2:kept wqos=2 wretain=1\n"
        "c3 < CONNACK 0 0\n"
        "c3 > hex c100\n"
        "c3 closed\n"
        "c1 < PUBLISH w/2 qos=2 id=2 kept\n"
        OPEN("c4", "d")
        SUB("c4", "w/+", "0")
        "c4 < PUBLISH w/2 retain kept\n"
        "c5 > CONNECT id=e will=w/3: wqos=0\n"
        "c5 < CONNACK 0 0\n"
        "c5 closes\n"
        "c1 < hex 3005 0003 772f33\n"
        "c4 < hex 3005 0003 772f33\n");
    /* [MQTT-3.14.4-3] */
    run("DISCONNECT deletes the Will",
        OPEN("c1", "a")
        SUB("c1", "w", "0")
        "c2 > CONNECT id=b clean=0 will=w:x keep=5\n"
        "c2 < CONNACK 0 0\n"
        "c2 > hex e000 3003000177\n"
        "c2 closed\n"
        "wait 100\n"
        "c1 < nothing\n");
    /* [MQTT-3.1.2-24]: one and a half, for whatever is asked. */
    run("silence of one and a half Keep Alives is as a failed network",
        OPEN("c1", "a")
        SUB("c1", "w", "0")
        "c2 > CONNECT id=b will=w:x keep=100\n"
        "c2 < CONNACK 0 0\n"
        "wait 149.9\n"
        "c1 < nothing\n"
        "wait 0.2\n"
        "c2 aborted\n"
        "c1 < PUBLISH w x\n");
}

static void
test_publish(void)
{
    /* [MQTT-3.3.1-1], [MQTT-3.3.1-2], [MQTT-3.3.1-3], [MQTT-2.3.1-3], [MQTT-4.4.0-1]: DUP says
     * that the server sends again, and nothing of how it came. */
    run("DUP is set for what is sent again, and for nothing else",
        "c1 > CONNECT id=a clean=0\n"
        "c1 < CONNACK 0 0\n"
        SUB("c1", "t", "2")
        OPEN("c2", "b")
        "c2 > PUBLISH t qos=1 id=1 dup one\n"
        "c2 < PUBACK id=1\n"
        "c1 < hex 3208 000174 0001 6f6e65\n"
        "c2 > PUBLISH t qos=2 id=2 dup two\n"
        "c2 < PUBREC id=2\n"
        "c1 < hex 3408 000174 0002 74776f\n"
        "c1 closes\n"
        "c2 > PUBLISH t qos=1 id=3 dup three\n"
        "c2 < PUBACK id=3\n"
        "c1b > CONNECT id=a clean=0\n"
        "c1b < CONNACK 1 0\n"
        "c1b < hex 3a08 000174 0001 6f6e65\n"
        "c1b < hex 3c08 000174 0002 74776f\n"
        "c1b < hex 320a 000174 0003 7468726565\n"
        "wait 1000\n"
        "c1b < nothing\n");
    refuses("DUP with QoS 0", false, "3803000174");
    /* [MQTT-3.3.1-4] */
    refuses("both bits of QoS", false, "3606 000174 0001 78");
    refuses("both bits of QoS, with DUP and RETAIN", false, "3f06 000174 0001 78");
    /* [MQTT-3.3.2-1], [MQTT-3.3.2-2], [MQTT-4.7.1-1], [MQTT-4.7.3-1] */
    refuses("a Topic Name of no length", false, "30020000");
    refuses("a Topic Name with #", false, "3005 0003 612f23");
    refuses("a Topic Name with + inside a level", false, "3005 0003 612b62");
    /* [MQTT-3.3.4-1], [MQTT-3.3.5-2]: who may not publish is answered as if he might. */
    run("an unauthorised PUBLISH is acknowledged and not delivered",
        OPEN("c1", "a")
        SUB("c1", "$SYS/x", "2")
        "event SUBSCRIBE $SYS/x\n"
        "c1 > PUBLISH $SYS/x x\n"
        "c1 < nothing\n"
        "c1 > PUBLISH $SYS/x qos=1 id=1 x\n"
        "c1 < PUBACK id=1\n"
        "c1 > PUBLISH $SYS/x qos=2 id=2 x\n"
        "c1 < PUBREC id=2\n"
        "c1 > PUBREL id=2\n"
        "c1 < PUBCOMP id=2\n"
        "event none\n");
    /* [MQTT-3.3.5-1] */
    run("overlapping subscriptions: the highest QoS",
        OPEN("c1", "a")
        "c1 > SUBSCRIBE id=1 a/b:0 a/+:2 #:1\n"
        "c1 < SUBACK id=1 0 2 1\n"
        "peer a/b x qos=2\n"
        "c1 < PUBLISH a/b qos=2 id=1 x\n"
        "peer c x qos=2\n"
        "c1 < PUBLISH c qos=1 id=2 x\n"
        "c1 < nothing\n");
}

static void
test_retained(void)
{
    struct mqtt_config config = config_qos2();

    /* [MQTT-3.3.1-5], [MQTT-3.3.1-6], [MQTT-3.3.1-8], [MQTT-3.3.1-9], [MQTT-3.3.2-3]. */
    run("retained: stored with QoS, sent with RETAIN to who subscribes later",
        OPEN("c1", "a")
        SUB("c1", "#", "2")
        OPEN("c2", "b")
        "c2 > PUBLISH r/1 retain qos=2 id=1 old\n"
        "c2 < PUBREC id=1\n"
        "c1 < hex 340a 0003722f31 0001 6f6c64\n"
        "c2 > PUBLISH r/1 retain qos=1 id=2 new\n"
        "c2 < PUBACK id=2\n"
        "c1 < hex 320a 0003722f31 0002 6e6577\n"
        "c2 > PUBLISH r/2 retain zero\n"
        "c1 < hex 3009 0003722f32 7a65726f\n"
        OPEN("c3", "c")
        "c3 > SUBSCRIBE id=1 r/1:2 r/2:1\n"
        "c3 < SUBACK id=1 2 1\n"
        "c3 < hex 330a 0003722f31 0001 6e6577\n"
        "c3 < hex 3109 0003722f32 7a65726f\n");
    /* [MQTT-3.3.1-7]: a QoS 0 one replaces; and what cannot be stored still discards. */
    config.max_retained_bytes = 300;
    script_run("retained: a message replaces, even one that there is no room for", &config,
               OPEN("c2", "b")
               "c2 > PUBLISH r retain qos=1 id=1 old\n"
               "c2 < PUBACK id=1\n"
               "c2 > PUBLISH r retain new\n"
               SUB("c2", "r", "1")
               "c2 < PUBLISH r retain new\n"
               "c2 > UNSUBSCRIBE id=2 r\n"
               "c2 < UNSUBACK id=2\n"
               "c2 > PUBLISH r retain size=301\n"
               SUB("c2", "r", "1")
               "c2 < nothing\n");
    /* [MQTT-3.3.1-10], [MQTT-3.3.1-11], [MQTT-3.3.1-12]. */
    run("retained: removed by an empty one, which goes to subscribers; untouched by RETAIN 0",
        OPEN("c1", "a")
        OPEN("c2", "b")
        "c2 > PUBLISH r retain kept\n"
        "c2 > PUBLISH r passing\n"
        "c2 > PUBLISH r\n"
        SUB("c1", "r", "0")
        "c1 < PUBLISH r retain kept\n"
        "c2 > PUBLISH r retain qos=1 id=5\n"
        "c2 < PUBACK id=5\n"
        "c1 < hex 3003 000172\n"
        SUB("c1", "r", "0")
        "c1 < nothing\n");
}

static void
test_subscribe(void)
{
    /* [MQTT-3.8.3-2], [MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-3.8.4-1], [MQTT-3.8.4-4],
     * [MQTT-3.8.4-5], [MQTT-3.9.3-1], [MQTT-3.9.3-2]: one code for each filter, in order, out of
     * 0, 1, 2, 0x80. */
    run("SUBSCRIBE: a code for each filter, in order",
        OPEN("c1", "a")
        "c1 > SUBSCRIBE id=3 #:2 a/#:1 a#:0 #/a:2 +:0 a/+/b:1 a+:2 +a/b:2 /:0 a/#/:1 $share/g:1\n"
        "c1 < hex 900d 0003 02 01 80 80 00 01 80 80 00 80 80\n");
    /* [MQTT-3.8.3-3], [MQTT-3.8.3-4] */
    refuses("SUBSCRIBE: no filter", false, "8202 0001");
    refuses("SUBSCRIBE: QoS 3", false, "8206 0001 000174 03");
    refuses("SUBSCRIBE: reserved bits", false, "820a 0001 000174 00 000175 04");
    refuses("SUBSCRIBE: highest reserved bit", false, "8206 0001 000174 80");
    refuses("SUBSCRIBE: a filter of no length", false, "8205 0001 0000 00");
    /* [MQTT-3.8.4-3]: replaced; retained messages come again; nothing in between is lost. */
    run("SUBSCRIBE: the same filter again replaces",
        "peer t kept retain\n"
        OPEN("c1", "a")
        SUB("c1", "t", "1")
        "c1 < PUBLISH t retain kept\n"
        "peer t 1 qos=2\n"
        "c1 < PUBLISH t qos=1 id=1 1\n"
        "c1 stalls\n"
        "peer t 2 qos=1\n"
        "c1 > SUBSCRIBE id=9 t:0\n"
        "peer t 3 qos=2\n"
        "c1 reads\n"
        "c1 < hex 90030009 00\n"
        "c1 < PUBLISH t qos=1 id=2 2\n"
        "c1 < PUBLISH t retain kept\n"
        "c1 < PUBLISH t 3\n"
        "c1 < nothing\n");
    /* [MQTT-3.8.4-6] */
    run("SUBSCRIBE: each message at the lower QoS",
        OPEN("c1", "a")
        "c1 > SUBSCRIBE id=1 0:0 1:1 2:2\n"
        "c1 < SUBACK id=1 0 1 2\n"
        "peer 0 x qos=2\n"
        "c1 < PUBLISH 0 x\n"
        "peer 1 x qos=2\n"
        "c1 < PUBLISH 1 qos=1 id=1 x\n"
        "peer 2 x qos=1\n"
        "c1 < PUBLISH 2 qos=1 id=2 x\n"
        "peer 2 x qos=0\n"
        "c1 < PUBLISH 2 x\n");
}

static void
test_unsubscribe(void)
{
    /* [MQTT-3.10.3-2] */
    refuses("UNSUBSCRIBE: no filter", false, "a202 0001");
    /* [MQTT-3.10.4-1], [MQTT-3.10.4-2], [MQTT-3.10.4-3], [MQTT-3.10.4-5], [MQTT-3.10.4-6]:
     * character by character; what was begun is completed. */
    run("UNSUBSCRIBE: exactly these filters, at once; what was begun goes on",
        "c1 > CONNECT id=a clean=0\n"
        "c1 < CONNACK 0 0\n"
        "c1 > SUBSCRIBE id=1 a/+:2 b:1 c:1\n"
        "c1 < SUBACK id=1 2 1 1\n"
        "peer a/x begun qos=2\n"
        "c1 < PUBLISH a/x qos=2 id=1 begun\n"
        "c1 > UNSUBSCRIBE id=2 a/x #\n"
        "c1 < hex b002 0002\n"
        "peer a/x more qos=1\n"
        "c1 < PUBLISH a/x qos=1 id=2 more\n"
        "c1 > UNSUBSCRIBE id=3 a/+ b\n"
        "c1 < hex b002 0003\n"
        "peer a/x not qos=1\n"
        "peer b not qos=1\n"
        "peer c still qos=1\n"
        "c1 < PUBLISH c qos=1 id=3 still\n"
        "c1 > PUBREC id=1\n"
        "c1 < PUBREL id=1\n"
        "c1 closes\n"
        "c2 > CONNECT id=a clean=0\n"
        "c2 < CONNACK 1 0\n"
        "c2 < PUBREL id=1\n"
        "c2 < PUBLISH a/x qos=1 id=2 dup more\n"
        "c2 < PUBLISH c qos=1 id=3 dup still\n"
        "c2 > PUBCOMP id=1\n"
        "c2 > PUBACK id=2\n"
        "c2 > PUBACK id=3\n"
        "c2 < nothing\n");
}

static void
test_delivery(void)
{
    /* [MQTT-3.12.4-1] */
    run("PINGREQ is answered",
        OPEN("c1", "a")
        "c1 > hex c000 c000\n"
        "c1 < hex d000 d000\n");
    /* [MQTT-4.3.2-2], [MQTT-4.3.3-2]: what the receiver of QoS 1 and 2 does. */
    run("QoS 1: the same identifier is a new message; QoS 2: until PUBREL it is the old one",
        OPEN("c1", "a")
        SUB("c1", "t", "0")
        "c1 > PUBLISH t qos=1 id=5 one\n"
        "c1 < PUBACK id=5\n"
        "c1 < PUBLISH t one\n"
        "c1 > PUBLISH t qos=1 id=5 dup one\n"
        "c1 < PUBACK id=5\n"
        "c1 < PUBLISH t one\n"
        "c1 > PUBLISH t qos=2 id=5 two\n"
        "c1 < PUBREC id=5\n"
        "c1 < PUBLISH t two\n"
        "c1 > PUBLISH t qos=2 id=5 two\n"
        "c1 < PUBREC id=5\n"
        "c1 > PUBLISH t qos=2 id=5 dup two\n"
        "c1 < PUBREC id=5\n"
        "c1 > PUBREL id=5\n"
        "c1 < PUBCOMP id=5\n"
        "c1 > PUBLISH t qos=2 id=5 dup three\n"
        "c1 < PUBREC id=5\n"
        "c1 < PUBLISH t three\n");
    /* [MQTT-4.4.0-1], [MQTT-4.6.0-1]: again on a new connection, with the old identifiers, in the
     * old order; and at no other time. */
    run("unacknowledged PUBLISH and PUBREL are sent again in order on a new connection only",
        "c1 > CONNECT id=a clean=0\n"
        "c1 < CONNACK 0 0\n"
        SUB("c1", "t", "2")
        "peer t 1 qos=2\n"
        "peer t 2 qos=1\n"
        "peer t 3 qos=2\n"
        "c1 < PUBLISH t qos=2 id=1 1\n"
        "c1 < PUBLISH t qos=1 id=2 2\n"
        "c1 < PUBLISH t qos=2 id=3 3\n"
        "c1 > PUBREC id=3\n"
        "c1 < PUBREL id=3\n"
        "wait 10000\n"
        "c1 < nothing\n"
        "c1 closes\n"
        "c2 > CONNECT id=a clean=0\n"
        "c2 < CONNACK 1 0\n"
        "c2 < PUBLISH t qos=2 id=1 dup 1\n"
        "c2 < PUBLISH t qos=1 id=2 dup 2\n"
        "c2 < PUBREL id=3\n"
        "wait 10000\n"
        "c2 < nothing\n");
    /* [MQTT-4.6.0-2], [MQTT-4.6.0-3], [MQTT-4.6.0-4]: acknowledgements in the order of what they
     * acknowledge. */
    run("acknowledgements keep the order",
        OPEN("c1", "a")
        "c1 > hex 3206 000174 0009 78 3206 000174 0003 78 3406 000174 0008 78 3406 000174 0002 78\n"
        "c1 < hex 40020009 40020003 50020008 50020002\n"
        SUB("c1", "u", "2")
        "peer u 1 qos=2\n"
        "peer u 2 qos=2\n"
        "c1 < PUBLISH u qos=2 id=1 1\n"
        "c1 < PUBLISH u qos=2 id=2 2\n"
        "c1 > hex 50020002 50020001\n"
        "c1 < hex 62020002 62020001\n");
    /* [MQTT-4.6.0-5], [MQTT-4.6.0-6]: each topic and QoS in the order of the publisher. */
    run("messages of a topic keep their order, also while the window is closed",
        OPEN("c1", "a")
        SUB("c1", "t/#", "2")
        "c1 stalls\n"
        OPEN("c2", "b")
        "c2 > PUBLISH t/1 qos=1 id=1 1\n"
        "c2 > PUBLISH t/1 qos=2 id=2 2\n"
        "c2 > PUBLISH t/1 3\n"
        "c2 > PUBLISH t/2 qos=1 id=4 4\n"
        "c2 > PUBLISH t/1 qos=1 id=5 5\n"
        "c2 > PUBLISH t/1 6\n"
        "c2 < PUBACK id=1\n"
        "c2 < PUBREC id=2\n"
        "c2 < PUBACK id=4\n"
        "c2 < PUBACK id=5\n"
        "c1 reads\n"
        "c1 < PUBLISH t/1 qos=1 id=1 1\n"
        "c1 < PUBLISH t/1 qos=2 id=2 2\n"
        "c1 < PUBLISH t/1 3\n"
        "c1 < PUBLISH t/2 qos=1 id=3 4\n"
        "c1 < PUBLISH t/1 qos=1 id=4 5\n"
        "c1 < PUBLISH t/1 6\n");
    /* [MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.2-1]: the examples of section 4.7. */
    run("wildcards",
        OPEN("c1", "a") SUB("c1", "sport/tennis/player1/#", "0")
        OPEN("c2", "b") SUB("c2", "sport/+", "0")
        OPEN("c3", "c") SUB("c3", "/+", "0")
        OPEN("c4", "d") SUB("c4", "+/+", "0")
        OPEN("c5", "e") SUB("c5", "$x/#", "0") SUB("c5", "#", "0") SUB("c5", "+/monitor", "0")
        "peer sport/tennis/player1 1\n"
        "c1 < PUBLISH sport/tennis/player1 1\n"
        "c5 < PUBLISH sport/tennis/player1 1\n"
        "peer sport/tennis/player1/score/w 2\n"
        "c1 < PUBLISH sport/tennis/player1/score/w 2\n"
        "c5 < PUBLISH sport/tennis/player1/score/w 2\n"
        "peer sport 3\n"
        "c5 < PUBLISH sport 3\n"
        "peer sport/ 4\n"
        "c2 < PUBLISH sport/ 4\n"
        "c4 < PUBLISH sport/ 4\n"
        "c5 < PUBLISH sport/ 4\n"
        "peer /finance 5\n"
        "c3 < PUBLISH /finance 5\n"
        "c4 < PUBLISH /finance 5\n"
        "c5 < PUBLISH /finance 5\n"
        "peer $x/monitor 6\n"
        "c5 < PUBLISH $x/monitor 6\n");
}

/* [MQTT-4.7.3-3]: the longest topic there can be, and its filter. */
static void
test_longest_topic(void)
{
    enum { N = 65535 };
    struct mqtt_config config = config_qos2();
    struct script t;
    struct script_conn *c;
    uint8_t *p = mem_alloc(N + 16);
    size_t n;

    config.max_topic_levels = 200;
    script_begin(&t, "topics of 65535 bytes", &config);
    script_lines(&t, OPEN("c1", "a"));
    c = script_conn(&t, "c1");
    memset(p, 'x', N + 16);
    memcpy(p, "\x82\x84\x80\x04\0\1\xff\xff", 8);
    p[8 + N] = 0;
    script_send(&t, c, (struct bytes) { p, 9 + N }, false);
    script_lines(&t, "c1 < SUBACK id=1 0\n");
    n = c->n_got;
    memcpy(p, "\x30\x82\x80\x04\xff\xff", 6);
    memset(p + 6, 'x', N);
    p[6 + N] = '!';
    script_send(&t, c, (struct bytes) { p, 7 + N }, false);
    is_mem(c->got + n, c->n_got - n, p, 7 + N, "topics of 65535 bytes: arrives as it was sent");
    c->n_checked = c->n_got;
    script_end(&t);
    mem_free(p);
}

int
main(void)
{
    test_strings();
    test_reserved_flags();
    test_identifiers();
    test_connect();
    test_client_identifiers();
    test_connack();
    test_sessions();
    test_will();
    test_publish();
    test_retained();
    test_subscribe();
    test_unsubscribe();
    test_delivery();
    test_longest_topic();
    return done_testing();
}
