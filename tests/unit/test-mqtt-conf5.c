/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What MQTT 5.0 demands of a server, statement by statement: data and packets, connecting,
 * subscribing, ending, errors; messages are in test-mqtt-conf5-publish.c.  Each script is headed by
 * the statements that it shows; tests/conformance/mqtt5.md is the table of all.  The notation is
 * in mqtt-script.h. */
#include "unit/mqtt-conf5.h"

/* Strings that are none: [MQTT-1.5.4-1], [MQTT-1.5.4-2], [MQTT-1.5.7-1], wherever a client sends
 * one; [MQTT-3.1.3-4], [MQTT-3.1.3-11], [MQTT-3.1.3-12], [MQTT-3.3.2-1], [MQTT-3.3.2-13],
 * [MQTT-3.3.2-19], [MQTT-3.8.3-1], [MQTT-3.10.3-1], [MQTT-4.7.3-2]. */
static void
test_strings(void)
{
    static const char *const bad[] = { "ff", "c0af", "c3", "eda080", "f4908080", "6100", "00" };
    static const struct {
        const char *name, *format;    /* Length of packet, its part for 2 bytes; string. */
        unsigned n;                   /* Bytes of the packet without the string. */
        bool is_connect;
    } places[] = {
        { "Client Identifier", "10%02x 00044d515454 05 02 003c 00 %s", 13, true },
        { "User Name", "10%02x 00044d515454 05 82 003c 00 000161 %s", 16, true },
        { "Will Topic", "10%02x 00044d515454 05 06 003c 00 000161 00 %s 000178", 20, true },
        { "Topic Name", "30%02x %s 00", 3, false },
        { "Topic Filter of SUBSCRIBE", "82%02x 0001 00 %s 00", 6, false },
        { "Topic Filter of UNSUBSCRIBE", "a2%02x 0001 00 %s", 5, false },
    };
    static const struct {
        const char *name, *format;    /* Length of packet, of properties; string. */
        unsigned n, n_props;
        bool is_connect;
    } props[] = {
        { "User Property name in CONNECT", "10%02x 00044d515454 05 02 003c %02x 26%s000176 000161",
          20, 6, true },
        { "Authentication Method", "10%02x 00044d515454 05 02 003c %02x 15%s 000161", 17, 3, true },
        { "Content Type of a Will",
          "10%02x 00044d515454 05 06 003c 00 000161 %02x 03%s 000177 000178", 24, 3, true },
        { "User Property value in PUBLISH", "30%02x 000174 %02x 2600016b%s", 10, 6, false },
        { "Content Type", "30%02x 000174 %02x 03%s", 7, 3, false },
        { "Response Topic", "30%02x 000174 %02x 08%s", 7, 3, false },
        { "User Property in SUBSCRIBE", "82%02x 0001 %02x 26%s000176 000174 00", 13, 6, false },
        { "User Property in UNSUBSCRIBE", "a2%02x 0001 %02x 2600016b%s 000174", 12, 6, false },
        { "Reason String in PUBACK", "40%02x 0001 00 %02x 1f%s", 7, 3, false },
        { "Reason String in DISCONNECT", "e0%02x 00 %02x 1f%s", 5, 3, false },
    };
    char name[64], string[16], hex[256];

    for (size_t i = 0; i < MP_ARRAY_SIZE(bad); i++) {
        unsigned n = (unsigned) strlen(bad[i]) / 2;

        snprintf(string, sizeof string, "%04x%s", n, bad[i]);
        for (size_t k = 0; k < MP_ARRAY_SIZE(places); k++) {
            snprintf(name, sizeof name, "strings: %s", places[k].name);
            snprintf(hex, sizeof hex, places[k].format, places[k].n + n, string);
            (places[k].is_connect ? refuses_connect : refuses)(name, 0x81, hex);
        }
        for (size_t k = 0; k < MP_ARRAY_SIZE(props); k++) {
            snprintf(name, sizeof name, "strings: %s", props[k].name);
            snprintf(hex, sizeof hex, props[k].format, props[k].n + n, props[k].n_props + n,
                     string);
            (props[k].is_connect ? refuses_connect : refuses)(name, 0x81, hex);
        }
    }
    /* [MQTT-1.5.4-3], [MQTT-4.7.3-4]: a byte order mark is a character; nothing is normalised. */
    run("strings: nothing is stripped or normalised",
        OPEN("c1", "a")
        SUB("c1", "\xef\xbb\xbft", "0")
        SUB("c1", "\xc3\xa9", "0")
        "c1 > PUBLISH t none\n"
        "c1 > PUBLISH e\xcc\x81 none\n"
        "c1 > hex 300e 0004 efbbbf74 06 030003efbbbf 78\n"
        "c1 < hex 300e 0004 efbbbf74 06 030003efbbbf 78\n");
}

static void
test_format(void)
{
    static const struct {
        const char *name, *rest;
        uint8_t first;
    } packets[] = {
        { "PUBACK", "02 0001", 0x40 },
        { "PUBREC", "02 0001", 0x50 },
        { "PUBREL", "02 0001", 0x62 },
        { "PUBCOMP", "02 0001", 0x70 },
        { "SUBSCRIBE", "07 0001 00 000161 00", 0x82 },
        { "UNSUBSCRIBE", "06 0001 00 000161", 0xa2 },
        { "PINGREQ", "00", 0xc0 },
        { "DISCONNECT", "00", 0xe0 },
        { "AUTH", "00", 0xf0 },
    };
    char name[64], hex[64];

    /* [MQTT-1.5.5-1]: variable byte integers in their shortest form, wherever they stand. */
    refuses("shortest form: Remaining Length", 0x81, "c08000");
    refuses("shortest form: Remaining Length of a PUBLISH", 0x81, "308400 000174 00");
    refuses("shortest form: Property Length", 0x81, "3006 000174 8000 78");
    refuses("shortest form: Subscription Identifier", 0x81, "820a 0001 03 0b8100 000174 00");
    refuses("a Remaining Length of five bytes", 0x81, "30ffffffff01");
    /* [MQTT-2.1.3-1], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1], [MQTT-3.14.1-1],
     * [MQTT-3.15.1-1], [MQTT-4.13.1-1]. */
    for (size_t i = 0; i < MP_ARRAY_SIZE(packets); i++) {
        for (unsigned flags = 0; flags < 16; flags++) {
            if (flags != (packets[i].first & 0xf)) {
                snprintf(name, sizeof name, "reserved flags: %s", packets[i].name);
                snprintf(hex, sizeof hex, "%02x %s", (packets[i].first & 0xf0) | flags,
                         packets[i].rest);
                refuses(name, 0x81, hex);
            }
        }
    }
    /* [MQTT-2.2.2-1]: no properties is a length of 0, not no length. */
    refuses("no Property Length in PUBLISH", 0x81, "3003 000174");
    refuses("no Property Length in SUBSCRIBE", 0x81, "8206 0001 000174 00");
    refuses("Property Length beyond the packet", 0x81, "3006 000174 03 0101");
    run("Property Length 0 where there are none",
        OPEN("c1", "a")
        "c1 > SUBSCRIBE id=1 t\n"
        "c1 < hex 9004 0001 00 00\n"
        "c1 > PUBLISH t x\n"
        "c1 < hex 3005 000174 00 78\n"
        "c1 > UNSUBSCRIBE id=2 t\n"
        "c1 < hex b004 0002 00 00\n");
    /* [MQTT-2.2.1-3] */
    refuses("packet identifier 0: PUBLISH with QoS 1", 0x82, "3207 000174 0000 00 78");
    refuses("packet identifier 0: PUBLISH with QoS 2", 0x82, "3407 000174 0000 00 78");
    refuses("packet identifier 0: SUBSCRIBE", 0x82, "8207 0000 00 000161 00");
    refuses("packet identifier 0: UNSUBSCRIBE", 0x82, "a206 0000 00 000161");
    /* [MQTT-2.2.1-2], [MQTT-2.2.1-5], [MQTT-2.2.1-6], [MQTT-3.8.4-2], [MQTT-3.10.4-5]. */
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
        "c1 < hex 9004 fffe 00 02\n"
        "c1 > UNSUBSCRIBE id=0x8001 f\n"
        "c1 < hex b004 8001 00 00\n");
    /* Section 2.2.2.2: properties that are unknown, of another packet, or twice. */
    refuses("a property that does not exist", 0x81, "3006 000174 02 7f00");
    refuses("a property of another packet", 0x81, "3007 000174 03 210001");
    refuses("a property twice", 0x82, "3008 000174 04 01000100");
    refuses("a property cut off", 0x81, "3006 000174 02 0200");
}

static void
test_connect(void)
{
    static const char *const first[] = {
        "20020000", "3004 000174 00", "40020001", "62020001", "8207 0001 00 000161 00",
        "a206 0001 00 000161", "c000", "d000", "e000", "f000", "f00218 00",
    };

    /* [MQTT-3.1.0-1], [MQTT-3.14.0-1]: nor is there a DISCONNECT. */
    for (size_t i = 0; i < MP_ARRAY_SIZE(first); i++) {
        char script[128];

        snprintf(script, sizeof script, "c1 > hex %s\nc1 < nothing\nc1 closed\n", first[i]);
        run("the first packet is a CONNECT", script);
    }
    /* [MQTT-3.1.0-2], [MQTT-3.2.0-2] */
    refuses("a second CONNECT is a protocol error", 0x82, "100e 00044d515454 05 02 003c 00 000161");
    /* [MQTT-3.1.2-1], [MQTT-3.1.2-2] */
    run("another name is closed, another version is told so",
        "c1 > hex 100e 00044d515458 05 02 003c 00 000161\n"
        "c1 < nothing\n"
        "c1 closed\n"
        "c2 > hex 100e 00044d515454 06 02 003c 00 000161\n"
        "c2 < hex 20020001\n"
        "c2 closed\n");
    /* [MQTT-3.1.2-3], [MQTT-3.1.2-11], [MQTT-3.1.2-12], [MQTT-3.1.2-13], [MQTT-3.1.4-1]. */
    refuses_connect("CONNECT flags: reserved", 0x81, "100e 00044d515454 05 03 003c 00 000161");
    refuses_connect("CONNECT flags: Will QoS 3", 0x81,
                    "1015 00044d515454 05 1e 003c 00 000161 00 000174 000178");
    refuses_connect("CONNECT flags: Will QoS without Will", 0x81,
                    "100e 00044d515454 05 0a 003c 00 000161");
    refuses_connect("CONNECT flags: Will Retain without Will", 0x81,
                    "100e 00044d515454 05 22 003c 00 000161");
    /* [MQTT-3.1.2-9], [MQTT-3.1.2-16] to [MQTT-3.1.2-19], [MQTT-3.1.3-3]. */
    refuses_connect("CONNECT fields: no Client Identifier", 0x81,
                    "100b 00044d515454 05 02 003c 00");
    refuses_connect("CONNECT fields: Will without properties", 0x81,
                    "100e 00044d515454 05 06 003c 00 000161");
    refuses_connect("CONNECT fields: Will without payload", 0x81,
                    "1012 00044d515454 05 06 003c 00 000161 00 000174");
    refuses_connect("CONNECT fields: user name announced and not there", 0x81,
                    "100e 00044d515454 05 82 003c 00 000161");
    refuses_connect("CONNECT fields: user name there and not announced", 0x81,
                    "1011 00044d515454 05 02 003c 00 000161 000175");
    refuses_connect("CONNECT fields: password announced and not there", 0x81,
                    "100e 00044d515454 05 42 003c 00 000161");
    refuses_connect("CONNECT fields: password there and not announced", 0x81,
                    "1014 00044d515454 05 82 003c 00 000161 000175 000170");
    refuses_connect("Will Topic with a wildcard", 0x90,
                    "1015 00044d515454 05 06 003c 00 000161 00 00012b 000178");
    /* [MQTT-3.1.3-1] */
    run("CONNECT fields: all in order, and a password alone",
        OPEN("c2", "b")
        SUB("c2", "w", "0")
        "c1 > hex 101b 00044d515454 05 c6 003c 00 000161 00 000177 000178 000175 000170\n"
        "c1 < hex 200e 00 00 0b " LIMITS "\n"
        "c1 closes\n"
        "c2 < PUBLISH w x\n"
        "c3 > CONNECT v=5 id=c pass=p\n"
        "c3 < CONNACK 0 0 p=" LIMITS "\n");
    /* Values out of range, sections 3.1.2.11.3, .4, .6, .7; twice. */
    refuses_connect("Receive Maximum 0", 0x82,
                    "1011 00044d515454 05 02 003c 03 210000 000161");
    refuses_connect("Maximum Packet Size 0", 0x82,
                    "1013 00044d515454 05 02 003c 05 2700000000 000161");
    refuses_connect("Request Response Information 2", 0x82,
                    "1010 00044d515454 05 02 003c 02 1902 000161");
    refuses_connect("Request Problem Information 2", 0x82,
                    "1010 00044d515454 05 02 003c 02 1702 000161");
    refuses_connect("Session Expiry Interval twice", 0x82,
                    "1018 00044d515454 05 02 003c 0a 1100000001 1100000001 000161");
    refuses_connect("Will Delay Interval outside of a Will", 0x81,
                    "1013 00044d515454 05 02 003c 05 1800000001 000161");
}

static void
test_client_identifiers(void)
{
    /* [MQTT-3.1.3-5] */
    run("Client Identifiers of 1 and 23 bytes, all letters and digits",
        OPEN("c1", "0") OPEN("c2", "0123456789abcdefghijklm") OPEN("c3", "nopqrstuvwxyzABCDEFGHIJ")
        OPEN("c4", "KLMNOPQRSTUVWXYZ"));
    /* [MQTT-3.1.4-3], [MQTT-3.1.3-2]: the old connection is told. */
    run("a Client Identifier that connects again ends the old connection",
        OPEN5("c1", "a", "11000000ff")
        SUB("c1", "t", "0")
        "c2 > CONNECT v=5 id=a clean=0 p=11000000ff\n"
        "c1 < hex e002 8e 00\n"
        "c1 closed\n"
        "c2 < CONNACK 1 0 p=" LIMITS "\n"
        "peer t x\n"
        "c2 < PUBLISH t x\n");
}

/* [MQTT-3.1.3-6], [MQTT-3.1.3-7], [MQTT-3.2.2-16]: a client without identifier is told one that
 * nobody has, and that resumes its session. */
static void
test_assigned(void)
{
    struct mqtt_config config = config_qos2();
    struct script t;
    char ids[2][64] = { "", "" }, text[256];

    script_begin(&t, "an assigned Client Identifier is new, and can be used", &config);
    for (int i = 0; i < 2; i++) {
        struct script_conn *c = script_conn(&t, i ? "c2" : "c1");
        uint32_t n;

        script_lines(&t, i ? "c2 > CONNECT v=5 id= clean=0 p=1100000fff\n"
                         : "c1 > CONNECT v=5 id= clean=0 p=1100000fff\n");
        n = c->n_got > 8 ? c->got[7] : 0;
        ok(c->n_got > 8 && c->got[5] == 0x12 && n >= 1 && n + 8 <= c->n_got,
           "Assigned Client Identifier");
        snprintf(ids[i], sizeof ids[i], "%.*s", (int) n, (const char *) c->got + 8);
        c->n_checked = c->n_got;
    }
    ok(strcmp(ids[0], ids[1]), "another one for everybody");
    snprintf(text, sizeof text,
             "c1 closes\n"
             "c3 > CONNECT v=5 id=%s clean=0 p=1100000fff\n"
             "c3 < CONNACK 1 0 p=" LIMITS "\n", ids[0]);
    script_lines(&t, text);
    script_end(&t);
}

/* One answer of each kind with a reason that is no success: nothing but the reason. */
#define REASONS(C)                                                                      \
    C " > PUBLISH $SYS/x qos=1 id=1 x\n" C " < hex 4003 0001 87\n"                      \
    C " > PUBLISH $SYS/x qos=2 id=2 x\n" C " < hex 5003 0002 87\n"                      \
    C " > PUBREC id=3\n" C " < hex 6203 0003 92\n"                                      \
    C " > PUBREL id=9\n" C " < hex 7003 0009 92\n"                                      \
    C " > SUBSCRIBE id=1 a#\n" C " < hex 9004 0001 00 8f\n"                             \
    C " > UNSUBSCRIBE id=1 b\n" C " < hex b004 0001 00 11\n"

static void
test_connack(void)
{
    struct mqtt_config config = config_qos2();

    /* [MQTT-3.2.0-1], [MQTT-3.1.4-5], [MQTT-3.2.2-1]: first, with reserved bits 0. */
    run("CONNACK before all else",
        OPEN5("c1", "a", "11000000ff")
        SUB("c1", "t", "1")
        "c1 closes\n"
        "peer t x qos=1\n"
        "c2 > hex 1013 00044d515454 05 00 003c 05 11000000ff 000161 c000\n"
        "c2 < hex 200e 01 00 0b " LIMITS " d000 3207 000174 0001 00 78\n");
    /* [MQTT-3.2.2-8], [MQTT-3.2.2-6], [MQTT-3.2.2-7], [MQTT-3.1.4-2], [MQTT-3.1.4-6],
     * [MQTT-4.13.2-1]. */
    config.username = "u";
    config.password = "p";
    script_run("refused: the reason, no Session Present, the end, nothing taken", &config,
               "c1 > CONNECT v=5 id=a user=u pass=p clean=0 p=11000000ff\n"
               "c1 < CONNACK 0 0 p=" LIMITS "\n"
               "c1 closes\n"
               "c2 > hex 1019 00044d515454 05 c0 003c 05 11000000ff 000161 000175 000178"
               " 3004 000174 00 8207 0001 00 000174 00\n"
               "c2 < hex 2003 00 86 00\n"
               "c2 closed\n"
               "event none\n");
    /* [MQTT-3.2.2-2], [MQTT-3.2.2-3], [MQTT-3.1.2-4], [MQTT-3.1.2-5], [MQTT-3.1.2-6],
     * [MQTT-3.1.4-4], [MQTT-3.1.2-23], [MQTT-4.1.0-1], [MQTT-4.1.0-2], [MQTT-4.5.0-1]. */
    run("Clean Start and Session Expiry Interval",
        OPEN5("c1", "a", "110000000a")
        SUB("c1", "t", "1")
        "wait 1000\n"
        "peer t 1 qos=1\n"
        "c1 < PUBLISH t qos=1 id=1 1\n"
        "c1 > PUBACK id=1\n"
        "c1 closes\n"
        "peer t 2 qos=1\n"
        "wait 9\n"
        "c2 > CONNECT v=5 id=a clean=0 p=110000000a\n"
        "c2 < CONNACK 1 0 p=" LIMITS "\n"
        "c2 < PUBLISH t qos=1 id=2 2\n"
        "c2 > PUBACK id=2\n"
        "c2 closes\n"
        "wait 12\n"
        "c3 > CONNECT v=5 id=a clean=0 p=110000000a\n"
        "c3 < CONNACK 0 0 p=" LIMITS "\n"
        SUB("c3", "t", "1")
        "c3 closes\n"
        "c4 > CONNECT v=5 id=a clean=1 p=110000000a\n"
        "c4 < CONNACK 0 0 p=" LIMITS "\n"
        "peer t 3 qos=1\n"
        "c4 < nothing\n"
        SUB("c4", "t", "1")
        "c4 > DISCONNECT reason=0 p=1100000000\n"
        "c4 closed\n"
        "c5 > CONNECT v=5 id=a clean=0\n"
        "c5 < CONNACK 0 0 p=" LIMITS "\n"
        SUB("c5", "t", "1")
        "c5 closes\n"
        "c6 > CONNECT v=5 id=a clean=0\n"
        "c6 < CONNACK 0 0 p=" LIMITS "\n");
    /* [MQTT-3.1.2-22], [MQTT-3.2.2-22]; [MQTT-3.1.2-21]: what the server says holds. */
    run("Keep Alive: one and a half, then the reason",
        "c1 > CONNECT v=5 id=a keep=10\n"
        "c1 < CONNACK 0 0 p=" LIMITS "\n"
        "wait 14.9\n"
        "c1 < nothing\n"
        "wait 0.2\n"
        "c1 < hex e002 8d 00\n"
        "c1 closed\n");
    config = config_qos2();
    config.max_keep_alive_s = 10;
    script_run("Server Keep Alive holds instead of what was asked", &config,
               "c1 > CONNECT v=5 id=a keep=1000\n"
               "c1 < CONNACK 0 0 p=13000a" LIMITS "\n"
               "wait 15.1\n"
               "c1 < DISCONNECT reason=0x8d\n"
               "c1 closed\n");
    /* [MQTT-3.1.2-28], [MQTT-3.1.2-29], [MQTT-3.2.2-19], [MQTT-3.2.2-20]: nothing of the kind is
     * ever sent, whatever is asked for; the reasons are there.  [MQTT-3.4.2-2], [MQTT-3.4.2-3],
     * [MQTT-3.5.2-2], [MQTT-3.5.2-3], [MQTT-3.6.2-2], [MQTT-3.6.2-3], [MQTT-3.7.2-2],
     * [MQTT-3.7.2-3], [MQTT-3.9.2-1], [MQTT-3.9.2-2], [MQTT-3.11.2-1], [MQTT-3.11.2-2]. */
    run("no Response Information, no Reason String, no User Property of the server",
        OPENP("c1", "a", "17001900")
        OPENP("c2", "b", "17011901")
        REASONS("c1")
        REASONS("c2"));
    /* [MQTT-3.2.2-9], [MQTT-3.2.2-10], [MQTT-3.2.2-12]: QoS 2 is taken even where less is
     * granted; so there is no Maximum QoS. */
    config = config_qos2();
    config.max_qos = 0;
    script_run("whatever is granted, every QoS is taken", &config,
               "c1 > CONNECT v=5 id=a will=w:x wqos=2\n"
               "c1 < CONNACK 0 0 p=" LIMITS "\n"
               "c1 > SUBSCRIBE id=1 t:0 t:1 t:2\n"
               "c1 < SUBACK id=1 0 0 0\n"
               "c1 > PUBLISH t qos=2 id=1 x\n"
               "c1 < PUBREC id=1\n"
               "c1 < PUBLISH t x\n");
}

static void
test_subscribe(void)
{
    /* [MQTT-3.8.3-2], [MQTT-3.10.3-2], [MQTT-3.8.3-4], [MQTT-3.8.3-5] */
    refuses("SUBSCRIBE: no filter", 0x82, "8203 0001 00");
    refuses("UNSUBSCRIBE: no filter", 0x82, "a203 0001 00");
    refuses("SUBSCRIBE: No Local of a shared subscription", 0x82,
            "8210 0001 00 000a 24736861 72652f67 2f74 04");
    refuses("SUBSCRIBE: reserved bit 6", 0x81, "8207 0001 00 000174 40");
    refuses("SUBSCRIBE: reserved bit 7", 0x81, "820b 0001 00 000174 00 000175 80");
    refuses("SUBSCRIBE: QoS 3", 0x82, "8207 0001 00 000174 03");
    refuses("SUBSCRIBE: Retain Handling 3", 0x82, "8207 0001 00 000174 30");
    refuses("SUBSCRIBE: Subscription Identifier 0", 0x82, "8209 0001 02 0b00 000174 00");
    refuses("SUBSCRIBE: two Subscription Identifiers", 0x82, "820b 0001 04 0b010b02 000174 00");
    /* [MQTT-3.8.4-1], [MQTT-3.8.4-5], [MQTT-3.8.4-6], [MQTT-3.8.4-7], [MQTT-3.9.3-1],
     * [MQTT-3.9.3-2], [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.8.2-1], [MQTT-4.8.2-2]. */
    run("SUBSCRIBE: a reason for each filter, in order",
        OPEN("c1", "a")
        "c1 > SUBSCRIBE id=3 #:2 a/#:1 a#:0 #/a:2 +:0 a+:2 $share/g:1 $share//t:1 $share/+/t:0 "
        "$share/a#/t:0 $share/g/:0 $share/g/a#:1 $share/g//:1\n"
        "c1 < hex 9010 0003 00 02 01 8f 8f 00 8f 8f 8f 8f 8f 8f 8f 01\n");
    /* [MQTT-3.8.3-3] */
    run("No Local: not to the connection that published it",
        OPEN("c1", "a")
        "c1 > SUBSCRIBE id=1 t:6\n"
        "c1 < SUBACK id=1 2\n"
        OPEN("c2", "b")
        "c2 > PUBLISH t x\n"
        "c1 < PUBLISH t x\n"
        "c1 > PUBLISH t qos=1 id=1 mine\n"
        "c1 < PUBACK id=1\n"
        "c1 < nothing\n");
    /* [MQTT-3.8.4-3], [MQTT-3.8.4-4]: options and identifier too are replaced. */
    run("SUBSCRIBE: the same filter again replaces, and nothing is lost",
        "peer t kept retain\n"
        OPEN("c1", "a")
        "c1 > SUBSCRIBE id=9 p=0b01 t:0x25\n"
        "c1 < SUBACK id=9 1\n"
        "peer t 1 qos=2\n"
        "c1 < PUBLISH t qos=1 id=1 p=0b01 1\n"
        "c1 stalls\n"
        "peer t 2 qos=1\n"
        "c1 > SUBSCRIBE id=9 p=0b02 t:0\n"
        "peer t 3 qos=2\n"
        "c1 reads\n"
        "c1 < SUBACK id=9 0\n"
        "c1 < PUBLISH t qos=1 id=2 p=0b01 2\n"
        "c1 < PUBLISH t retain p=0b02 kept\n"
        "c1 < PUBLISH t p=0b02 3\n"
        "c1 > PUBLISH t 4\n"
        "c1 < PUBLISH t p=0b02 4\n");
    /* [MQTT-3.8.4-8] */
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
    /* [MQTT-3.10.4-1] to [MQTT-3.10.4-6], [MQTT-3.11.3-1], [MQTT-3.11.3-2]. */
    run("UNSUBSCRIBE: exactly these filters, a reason for each; what was begun goes on",
        OPEN("c1", "a")
        "c1 > SUBSCRIBE id=1 a/+:2 b:1\n"
        "c1 < SUBACK id=1 2 1\n"
        "peer a/x begun qos=2\n"
        "c1 < PUBLISH a/x qos=2 id=1 begun\n"
        "c1 > UNSUBSCRIBE id=2 a/x a/+ #\n"
        "c1 < hex b006 0002 00 11 00 11\n"
        "peer a/x not qos=1\n"
        "peer b still\n"
        "c1 < PUBLISH b still\n"
        "c1 > PUBREC id=1\n"
        "c1 < PUBREL id=1\n"
        "c1 > PUBCOMP id=1\n"
        "c1 > UNSUBSCRIBE id=3 x\n"
        "c1 < hex b004 0003 00 11\n");
    /* [MQTT-3.9.2-1], [MQTT-3.9.2-2], [MQTT-3.11.2-1], [MQTT-3.11.2-2], [MQTT-3.1.2-24]: an
     * answer too large for the client is not sent. */
    run("a SUBACK beyond the client's Maximum Packet Size is not sent",
        OPENP("c1", "a", "2700000010")
        "c1 > SUBSCRIBE id=1 1 2 3 4 5 6 7 8 9 10 11\n"
        "c1 < hex 900e 0001 00 00 00 00 00 00 00 00 00 00 00 00\n"
        "c1 > SUBSCRIBE id=2 1 2 3 4 5 6 7 8 9 10 11 12\n"
        "c1 < nothing\n"
        "c1 > PINGREQ\n"
        "c1 < PINGRESP\n"
        "c2 > CONNECT v=5 id=b p=270000000f\n"
        "c2 < nothing\n"
        "c2 closed\n");
}

static void
test_end(void)
{
    /* [MQTT-3.12.4-1] */
    run("PINGREQ is answered",
        OPEN("c1", "a")
        "c1 > hex c000 c000\n"
        "c1 < hex d000 d000\n");
    /* [MQTT-3.14.4-3], [MQTT-3.1.2-8], [MQTT-3.1.2-10]: only reason 0 deletes the Will. */
    run("DISCONNECT deletes the Will with reason 0 only",
        OPEN("c9", "z")
        SUB("c9", "w/+", "0")
        "c1 > CONNECT v=5 id=a will=w/1:x\n"
        "c1 < CONNACK 0 0 p=" LIMITS "\n"
        "c1 > hex e000\n"
        "c1 closed\n"
        "c2 > CONNECT v=5 id=b will=w/2:x\n"
        "c2 < CONNACK 0 0 p=" LIMITS "\n"
        "c2 > hex e00100\n"
        "c2 closed\n"
        "c3 > CONNECT v=5 id=c will=w/3:x\n"
        "c3 < CONNACK 0 0 p=" LIMITS "\n"
        "c3 > hex e0020000\n"
        "c3 closed\n"
        "c9 < nothing\n"
        "c4 > CONNECT v=5 id=d will=w/4:x\n"
        "c4 < CONNACK 0 0 p=" LIMITS "\n"
        "c4 > DISCONNECT reason=0x04\n"
        "c4 closed\n"
        "c9 < PUBLISH w/4 x\n"
        "c5 > CONNECT v=5 id=e will=w/5:x\n"
        "c5 < CONNACK 0 0 p=" LIMITS "\n"
        "c5 > DISCONNECT reason=0x80\n"
        "c5 closed\n"
        "c9 < PUBLISH w/5 x\n"
        "c6 > CONNECT v=5 id=f will=w/6:x\n"
        "c6 < CONNACK 0 0 p=" LIMITS "\n"
        "c6 > DISCONNECT reason=0x93\n"
        "c6 closed\n"
        "c9 < PUBLISH w/6 x\n");
    /* [MQTT-3.14.4-1], [MQTT-3.14.4-2], [MQTT-3.14.2-2], [MQTT-3.14.2-3], [MQTT-3.14.2-4]: a
     * DISCONNECT of ours is the last packet, and has no properties. */
    run("nothing after DISCONNECT",
        OPEN("c1", "a")
        SUB("c1", "t", "1")
        "peer t x qos=1\n"
        "c1 < PUBLISH t qos=1 id=1 x\n"
        "c1 stalls\n"
        "peer t y qos=1\n"
        "c1 > hex c101 c000\n"
        "peer t z\n"
        "c1 reads\n"
        "c1 < hex e002 81 00\n"
        "c1 < nothing\n"
        "c1 closed\n");
    refuses("a Session Expiry Interval in DISCONNECT after none in CONNECT", 0x82,
            "e007 00 05 1100000001");
    /* [MQTT-4.12.0-1], [MQTT-4.12.0-6], [MQTT-4.12.0-7], [MQTT-4.12.1-1]: no method is known, so
     * that there is no AUTH. */
    refuses_connect("an authentication method that nobody knows", 0x8c,
                    "1014 00044d515454 05 02 003c 06 150003736372 000161");
    refuses_connect("authentication data without a method", 0x82,
                    "1012 00044d515454 05 02 003c 04 16000178 000161");
    refuses("AUTH without a method", 0x82, "f000");
    refuses("AUTH with reason 0x19", 0x82, "f00219 00");
}

int
main(void)
{
    test_strings();
    test_format();
    test_connect();
    test_client_identifiers();
    test_assigned();
    test_connack();
    test_subscribe();
    test_end();
    return done_testing();
}
