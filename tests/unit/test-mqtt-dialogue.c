/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Dialogues of MQTT 3.1 and 3.1.1 clients with the broker, byte by byte: connecting, subscribing,
 * publishing, retained messages, Wills, time-outs, errors.  The notation is in mqtt-script.h. */
#include "unit/mqtt-script.h"

static void
test_connect(void)
{
    struct mqtt_config config;

    script_run("connect 3.1.1", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < hex 20020000\n"
               "c1 > PINGREQ\n"
               "c1 < hex d000\n"
               "c1 > DISCONNECT\n"
               "c1 closed\n");
    script_run("connect 3.1", NULL,
               "c1 > CONNECT v=3 id=a\n"
               "c1 < CONNACK 0 0\n");
    script_run("a CONNECT that arrives byte by byte", NULL,
               "c1 >> CONNECT id=a user=u pass=p will=w/t:gone keep=10\n"
               "c1 < CONNACK 0 0\n");
    script_run("an unknown protocol level gets code 1 and the end", NULL,
               "c1 > hex 100d 00044d515454 03 02 003c 000161\n"
               "c1 < CONNACK 0 1\n"
               "c1 closed\n"
               "c2 > hex 100f 00064d5149736470 04 02 003c 000161\n"
               "c2 < CONNACK 0 1\n"
               "c2 closed\n");
    script_run("a level beyond 5 likewise, in the form of 3.1.1", NULL,
               "c1 > hex 100d 00044d515454 06 02 003c 000161\n"
               "c1 < hex 20020001\n"
               "c1 closed\n");
    script_run("another protocol is closed without an answer", NULL,
               "c1 > hex 100d 00044d515455 04 02 003c 000161\n"
               "c1 closed\n"
               "c2 > hex 474554202f20485454502f312e310d0a\n"
               "c2 closed\n");
    script_run("the first packet must be CONNECT", NULL,
               "c1 > PINGREQ\n"
               "c1 closed\n"
               "c2 > PUBLISH t x\n"
               "c2 closed\n");
    script_run("a second CONNECT is a protocol error", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > CONNECT id=a\n"
               "c1 closed\n");
    script_run("3.1.1 without a client identifier", NULL,
               "c1 > CONNECT id= clean=1\n"
               "c1 < CONNACK 0 0\n"
               "c2 > CONNECT id= clean=0\n"
               "c2 < CONNACK 0 2\n"
               "c2 closed\n"
               "c3 > CONNECT id= clean=1\n"
               "c3 < CONNACK 0 0\n"
               "c1 > PINGREQ\n"
               "c1 < PINGRESP\n");
    script_run("3.1 without a client identifier", NULL,
               "c1 > CONNECT v=3 id= clean=1\n"
               "c1 < CONNACK 0 2\n"
               "c1 closed\n");

    mqtt_config_default(&config);
    config.username = "jorge";
    config.password = "passwd";
    script_run("credentials", &config,
               "c1 > CONNECT id=a user=jorge pass=passwd\n"
               "c1 < CONNACK 0 0\n"
               "c2 > CONNECT id=b user=jorge pass=passwD\n"
               "c2 < CONNACK 0 5\n"
               "c2 closed\n"
               "c3 > CONNECT id=c user=jorge pass=passwdpasswd\n"
               "c3 < CONNACK 0 5\n"
               "c4 > CONNECT id=d user=jorge pass=\n"
               "c4 < CONNACK 0 5\n"
               "c5 > CONNECT id=e\n"
               "c5 < CONNACK 0 5\n"
               "c5 closed\n"
               "c6 > CONNECT id=f user=jorge\n"
               "c6 < CONNACK 0 5\n"
               "c7 > CONNECT v=3 id=g user=Jorge pass=passwd\n"
               "c7 < CONNACK 0 5\n"
               "c8 > CONNECT id=a user=jorge pass=wrong\n"
               "c8 < CONNACK 0 5\n"
               "c1 > PINGREQ\n"
               "c1 < PINGRESP\n");
    mqtt_config_default(&config);
    script_run("anonymous service takes any user name", &config,
               "c1 > CONNECT id=a user=x pass=y\n"
               "c1 < CONNACK 0 0\n");
    config.max_sessions = 1;
    script_run("no more sessions: server unavailable", &config,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c2 > CONNECT id=b\n"
               "c2 < CONNACK 0 3\n"
               "c2 closed\n"
               "c3 > CONNECT id=a\n"
               "c3 < CONNACK 0 0\n"
               "c1 closed\n");
}

static void
test_malformed_connect(void)
{
    static const char *const packets[][2] = {
        { "reserved flag", "100d 00044d515454 04 03 003c 000161" },
        { "Will QoS 3", "1013 00044d515454 04 1e 003c 000161 000174 000178" },
        { "Will QoS without Will", "100d 00044d515454 04 0a 003c 000161" },
        { "Will RETAIN without Will", "100d 00044d515454 04 22 003c 000161" },
        { "password without user name", "1010 00044d515454 04 42 003c 000161 000170" },
        { "Will topic with a wildcard", "1013 00044d515454 04 06 003c 000161 000123 000178" },
        { "Will topic of no length", "1012 00044d515454 04 06 003c 000161 0000 000178" },
        { "client identifier that is no UTF-8", "100d 00044d515454 04 02 003c 0001ff" },
        { "client identifier with U+0000", "100d 00044d515454 04 02 003c 000100" },
        { "a byte too many", "100e 00044d515454 04 02 003c 000161 00" },
        { "a byte too few", "100c 00044d515454 04 02 003c 0001" },
        { "a string that ends behind the packet", "100d 00044d515454 04 02 003c 000261" },
        { "flags of the fixed header", "110d 00044d515454 04 02 003c 000161" },
        { "remaining length of five bytes", "10ffffffff01" },
        { "empty", "1000" },
        { "user name flag without user name", "100d 00044d515454 04 82 003c 000161" },
    };
    char script[512];

    for (size_t i = 0; i < MP_ARRAY_SIZE(packets); i++) {
        snprintf(script, sizeof script,
                 "c1 > hex %s\n"
                 "c1 < nothing\n"
                 "c1 closed\n", packets[i][1]);
        script_run(packets[i][0], NULL, script);
    }
    script_run("3.1: user name flag without user name is borne", NULL,
               "c1 > hex 100f 00064d5149736470 03 c2 003c 000161\n"
               "c1 < CONNACK 0 0\n");
}

static void
test_subscribe(void)
{
    script_run("one code per filter, the QoS asked for", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=10 a/b:0 +/c:1 d/#:2\n"
               "c1 < hex 9005 000a 00 01 02\n"
               "event SUBSCRIBE a/b\n"
               "event SUBSCRIBE +/c\n"
               "event SUBSCRIBE d/#\n"
               "event none\n"
               "c1 > UNSUBSCRIBE id=11 a/b x/y\n"
               "c1 < hex b002 000b\n"
               "event UNSUBSCRIBE a/b\n"
               "event none\n");
    script_run("wildcards match as they should", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 sport/tennis/+ sport/#\n"
               "c1 < SUBACK id=1 0 0\n"
               "c2 > CONNECT id=b\n"
               "c2 < CONNACK 0 0\n"
               "c2 > SUBSCRIBE id=1 +/+\n"
               "c2 < SUBACK id=1 0\n"
               "c3 > CONNECT id=c\n"
               "c3 < CONNACK 0 0\n"
               "c3 > SUBSCRIBE id=1 #\n"
               "c3 < SUBACK id=1 0\n"
               "c4 > CONNECT id=d\n"
               "c4 < CONNACK 0 0\n"
               "c4 > PUBLISH sport/tennis/p1 x\n"
               "c1 < PUBLISH sport/tennis/p1 x\n"
               "c3 < PUBLISH sport/tennis/p1 x\n"
               "c2 < nothing\n"
               "c4 > PUBLISH sport y\n"
               "c1 < PUBLISH sport y\n"
               "c3 < PUBLISH sport y\n"
               "c4 > PUBLISH /f z\n"
               "c2 < PUBLISH /f z\n"
               "c3 < PUBLISH /f z\n"
               "c4 > PUBLISH $x/y hidden\n"
               "c1 < nothing\n"
               "c2 < nothing\n"
               "c3 < nothing\n");
    script_run("$ topics by name", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 $x/+\n"
               "c1 < SUBACK id=1 0\n"
               "c1 > PUBLISH $x/y seen\n"
               "c1 < PUBLISH $x/y seen\n"
               "c1 > PUBLISH $SYS/x qos=1 id=4 refused\n"
               "c1 < PUBACK id=4\n");
    script_run("invalid filters fail by themselves", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=3 a#:0 ok:0 a/#/b:0 b+:0 +:0\n"
               "c1 < SUBACK id=3 0x80 0 0x80 0x80 0\n"
               "event SUBSCRIBE ok\n"
               "event SUBSCRIBE +\n"
               "event none\n");
}

static void
test_subscribers(void)
{
    script_run("first and last subscriber of a filter", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c2 > CONNECT id=b keep=10\n"
               "c2 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t\n"
               "c1 < SUBACK id=1 0\n"
               "c2 > SUBSCRIBE id=1 t\n"
               "c2 < SUBACK id=1 0\n"
               "event SUBSCRIBE t\n"
               "event none\n"
               "c1 > SUBSCRIBE id=2 t\n"
               "c1 < SUBACK id=2 0\n"
               "c1 closes\n"
               "event none\n"
               "wait 15.2\n"
               "c2 aborted\n"
               "event UNSUBSCRIBE t\n"
               "event none\n"
               "c3 > CONNECT id=c\n"
               "c3 < CONNACK 0 0\n"
               "c3 > SUBSCRIBE id=1 t\n"
               "c3 < SUBACK id=1 0\n"
               "c3 > DISCONNECT\n"
               "c3 closed\n"
               "event SUBSCRIBE t\n"
               "event UNSUBSCRIBE t\n"
               "event none\n");
    script_run("overlapping filters give one copy", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 a/b a/# +/b #\n"
               "c1 < SUBACK id=1 0 0 0 0\n"
               "c1 > PUBLISH a/b once\n"
               "c1 < PUBLISH a/b once\n"
               "c1 < nothing\n");
    script_run("flags of SUBSCRIBE", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 flags=0 t\n"
               "c1 closed\n"
               "event none\n");
    script_run("3.1 may set DUP in SUBSCRIBE", NULL,
               "c1 > CONNECT v=3 id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 flags=0xa t\n"
               "c1 < SUBACK id=1 0\n");
    script_run("a SUBSCRIBE that is malformed at its end has no effect", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 good:0 bad:3\n"
               "c1 < nothing\n"
               "c1 closed\n"
               "event none\n");
    script_run("a filter of no length", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 good:0 '':0\n"
               "c1 closed\n"
               "event none\n");
    script_run("SUBSCRIBE without filters, UNSUBSCRIBE without filters, packet identifier 0", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > hex 82020001\n"
               "c1 closed\n"
               "c2 > CONNECT id=a\n"
               "c2 < CONNACK 0 0\n"
               "c2 > hex a2020001\n"
               "c2 closed\n"
               "c3 > CONNECT id=a\n"
               "c3 < CONNACK 0 0\n"
               "c3 > SUBSCRIBE id=0 t\n"
               "c3 closed\n"
               "event none\n");
}

static void
test_publish(void)
{
    script_run("QoS 0, 1 and 2 towards the broker", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t\n"
               "c1 < SUBACK id=1 0\n"
               "event SUBSCRIBE t\n"
               "c2 > CONNECT id=b\n"
               "c2 < CONNACK 0 0\n"
               "c2 > PUBLISH t zero\n"
               "c2 < nothing\n"
               "c2 > PUBLISH t qos=1 id=7 one\n"
               "c2 < hex 40020007\n"
               "c2 > PUBLISH t qos=2 id=8 two\n"
               "c2 < hex 50020008\n"
               "c2 > PUBLISH t qos=2 id=8 dup two\n"
               "c2 < PUBREC id=8\n"
               "c2 > PUBREL id=8\n"
               "c2 < hex 70020008\n"
               "c2 > PUBREL id=8\n"
               "c2 < PUBCOMP id=8\n"
               "c2 > PUBLISH t qos=2 id=8 new\n"
               "c2 < PUBREC id=8\n"
               "c1 < PUBLISH t zero\n"
               "c1 < PUBLISH t one\n"
               "c1 < PUBLISH t two\n"
               "c1 < PUBLISH t new\n"
               "event PUBLISH t zero\n"
               "event PUBLISH t one qos=1\n"
               "event PUBLISH t two qos=2\n"
               "event PUBLISH t new qos=2\n"
               "event none\n");
    script_run("a QoS 1 message that comes again is delivered again", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t\n"
               "c1 < SUBACK id=1 0\n"
               "c1 > PUBLISH t qos=1 id=7 one\n"
               "c1 > PUBLISH t qos=1 id=7 dup one\n"
               "c1 < PUBACK id=7\n"
               "c1 < PUBLISH t one\n"
               "c1 < PUBACK id=7\n"
               "c1 < PUBLISH t one\n");
    script_run("QoS 2 identifiers outlive the connection of a persistent session", NULL,
               "c1 > CONNECT id=a clean=0\n"
               "c1 < CONNACK 0 0\n"
               "c1 > PUBLISH t qos=2 id=1 x\n"
               "c1 < PUBREC id=1\n"
               "event PUBLISH t x qos=2\n"
               "c1 closes\n"
               "c2 > CONNECT id=a clean=0\n"
               "c2 < CONNACK 1 0\n"
               "c2 > PUBLISH t qos=2 id=1 dup x\n"
               "c2 < PUBREC id=1\n"
               "event none\n"
               "c2 > PUBREL id=1\n"
               "c2 < PUBCOMP id=1\n"
               "c2 > PUBLISH t qos=2 id=1 y\n"
               "c2 < PUBREC id=1\n"
               "event PUBLISH t y qos=2\n");
    script_run("several packets in one segment", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > hex 8206000100017400 300400017431 3003000174 c000 e000\n"
               "c1 < hex 9003000100 d000\n"
               "c1 closed\n"
               "event SUBSCRIBE t\n"
               "event PUBLISH t 1\n"
               "event PUBLISH t \n"
               "event UNSUBSCRIBE t\n"
               "event none\n");
    script_run("the empty payload and the payload with zeros", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 #\n"
               "c1 < SUBACK id=1 0\n"
               "c1 > hex 3003000174\n"
               "c1 < hex 3003000174\n"
               "c1 > hex 3006000174 00ff80\n"
               "c1 < hex 3006000174 00ff80\n");
    script_run("messages of every size, byte by byte and at once", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t\n"
               "c1 < SUBACK id=1 0\n"
               "c2 > CONNECT id=b\n"
               "c2 < CONNACK 0 0\n"
               "c2 >> PUBLISH t size=66\n"
               "c1 < PUBLISH t size=66\n"
               "c2 >> PUBLISH t size=67\n"
               "c1 < PUBLISH t size=67\n"
               "c2 > PUBLISH t size=124\n"
               "c1 < PUBLISH t size=124\n"
               "c2 >> PUBLISH t size=125\n"
               "c1 < PUBLISH t size=125\n"
               "c2 >> PUBLISH t size=1021\n"
               "c1 < PUBLISH t size=1021\n"
               "c2 >> PUBLISH t qos=1 id=3 size=1022\n"
               "c2 < PUBACK id=3\n"
               "c1 < PUBLISH t size=1022\n"
               "c2 >> PUBLISH t size=16384\n"
               "c1 < PUBLISH t size=16384\n"
               "c2 >> PUBLISH t size=16385\n"
               "c1 < PUBLISH t size=16385\n"
               "c2 >> PUBLISH t size=100000\n"
               "c1 < PUBLISH t size=100000\n"
               "c2 > PUBLISH t size=1000000\n"
               "c1 < PUBLISH t size=1000000\n");
    script_run("a long topic", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 #\n"
               "c1 < SUBACK id=1 0\n"
               "c1 > PUBLISH a/topic/that/is/longer/than/what/fits/into/the/head/of/an/output/piece"
               "/by/far x\n"
               "c1 < PUBLISH a/topic/that/is/longer/than/what/fits/into/the/head/of/an/output/piece"
               "/by/far x\n"
               "c1 > PUBLISH a/topic/that/is/longer/than/what/fits/into/the/head/of/an/output/piece"
               "/by/far\n"
               "c1 < PUBLISH a/topic/that/is/longer/than/what/fits/into/the/head/of/an/output/piece"
               "/by/far\n");
}

static void
test_malformed_packets(void)
{
    static const char *const packets[][2] = {
        { "PUBLISH with QoS 3", "36050001740001" },
        { "PUBLISH with QoS 0 and DUP", "3803000174" },
        { "PUBLISH to a wildcard", "300300012b" },
        { "PUBLISH to a topic of no length", "30020000" },
        { "PUBLISH to a topic that is no UTF-8", "30040002c328" },
        { "PUBLISH with packet identifier 0", "32050001740000" },
        { "PUBLISH that ends in its topic", "3003000574" },
        { "PUBLISH without room for its packet identifier", "320400017401" },
        { "PUBREL without its flag", "60020001" },
        { "PUBREL too long", "6203000100" },
        { "PUBACK too short", "400100" },
        { "PINGREQ with a body", "c00100" },
        { "PINGREQ with flags", "c100" },
        { "DISCONNECT with a body", "e00100" },
        { "CONNACK from a client", "20020000" },
        { "SUBACK from a client", "9003000100" },
        { "PINGRESP from a client", "d000" },
        { "type 0", "0000" },
        { "type 15", "f000" },
        { "UNSUBSCRIBE with flags 0", "a005000100 0174" },
        { "UNSUBSCRIBE with half a filter", "a2050001000574" },
        { "SUBSCRIBE with a filter without QoS", "8205000100 0174" },
        { "remaining length of five bytes", "30ffffffff01" },
    };
    char script[512];

    for (size_t i = 0; i < MP_ARRAY_SIZE(packets); i++) {
        snprintf(script, sizeof script,
                 "c1 > CONNECT id=a will=w:gone\n"
                 "c1 < CONNACK 0 0\n"
                 "c2 > CONNECT id=b\n"
                 "c2 < CONNACK 0 0\n"
                 "c2 > SUBSCRIBE id=1 w\n"
                 "c2 < SUBACK id=1 0\n"
                 "event SUBSCRIBE w\n"
                 "c1 >%s hex %s\n"
                 "c1 < nothing\n"
                 "c1 closed\n"
                 "c2 < PUBLISH w gone\n"
                 "event PUBLISH w gone\n"
                 "event none\n", i % 2 ? ">" : "", packets[i][1]);
        script_run(packets[i][0], NULL, script);
    }
    script_run("DISCONNECT that is malformed does not drop the Will, and ends the reading", NULL,
               "c1 > CONNECT id=a will=w:gone\n"
               "c1 < CONNACK 0 0\n"
               "c1 > hex e100 3003000174\n"
               "c1 closed\n"
               "event PUBLISH w gone\n"
               "event none\n");
}

static void
test_retained(void)
{
    script_run("stored, replaced, delivered with RETAIN on SUBSCRIBE, deleted", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t/#\n"
               "c1 < SUBACK id=1 0\n"
               "event SUBSCRIBE t/#\n"
               "c2 > CONNECT id=b\n"
               "c2 < CONNACK 0 0\n"
               "c2 > PUBLISH t/1 retain old\n"
               "c2 > PUBLISH t/1 retain new\n"
               "event PUBLISH t/1 old retain\n"
               "event PUBLISH t/1 new retain\n"
               "c1 < PUBLISH t/1 old\n"
               "c1 < PUBLISH t/1 new\n"
               "c3 > CONNECT id=c\n"
               "c3 < CONNACK 0 0\n"
               "c3 > SUBSCRIBE id=1 t/1\n"
               "c3 < SUBACK id=1 0\n"
               "c3 < PUBLISH t/1 retain new\n"
               "c3 > SUBSCRIBE id=2 t/1\n"
               "c3 < SUBACK id=2 0\n"
               "c3 < PUBLISH t/1 retain new\n"
               "c3 > SUBSCRIBE id=3 +/+ $x/#\n"
               "c3 < SUBACK id=3 0 0\n"
               "c3 < PUBLISH t/1 retain new\n"
               "c2 > hex 31050003742f31\n"
               "c1 < hex 30050003742f31\n"
               "c3 < hex 30050003742f31\n"
               "c3 > SUBSCRIBE id=4 t/1\n"
               "c3 < SUBACK id=4 0\n"
               "c3 < nothing\n");
    script_run("filters find retained messages as they find new ones", NULL,
               "c2 > CONNECT id=b\n"
               "c2 < CONNACK 0 0\n"
               "c2 > PUBLISH a retain 1\n"
               "c2 > PUBLISH a/b retain 2\n"
               "c2 > PUBLISH $h/x retain 3\n"
               "c2 > PUBLISH /b retain 4\n"
               "c2 > PUBLISH a/b/c/d retain 5\n"
               "c2 > SUBSCRIBE id=1 a/#\n"
               "c2 < SUBACK id=1 0\n"
               "c2 < PUBLISH a retain 1\n"
               "c2 < PUBLISH a/b retain 2\n"
               "c2 < PUBLISH a/b/c/d retain 5\n"
               "c2 > SUBSCRIBE id=1 +/b\n"
               "c2 < SUBACK id=1 0\n"
               "c2 < PUBLISH /b retain 4\n"
               "c2 < PUBLISH a/b retain 2\n"
               "c2 > SUBSCRIBE id=1 +\n"
               "c2 < SUBACK id=1 0\n"
               "c2 < PUBLISH a retain 1\n"
               "c2 > SUBSCRIBE id=1 $h/#\n"
               "c2 < SUBACK id=1 0\n"
               "c2 < PUBLISH $h/x retain 3\n"
               "c2 > SUBSCRIBE id=1 +/x a/b/c\n"
               "c2 < SUBACK id=1 0 0\n"
               "c2 > SUBSCRIBE id=1 a/b/#\n"
               "c2 < SUBACK id=1 0\n"
               "c2 < PUBLISH a/b retain 2\n"
               "c2 < PUBLISH a/b/c/d retain 5\n"
               "c2 > SUBSCRIBE id=1 a/+/+/#\n"
               "c2 < SUBACK id=1 0\n"
               "c2 < PUBLISH a/b/c/d retain 5\n");
    script_run("messages of peers: delivered, stored, never an event", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t\n"
               "c1 < SUBACK id=1 0\n"
               "event SUBSCRIBE t\n"
               "peer t hello\n"
               "c1 < PUBLISH t hello\n"
               "peer t kept retain qos=1\n"
               "c1 < PUBLISH t kept\n"
               "c1 > SUBSCRIBE id=2 t\n"
               "c1 < SUBACK id=2 0\n"
               "c1 < PUBLISH t retain kept\n"
               "peer t/+ invalid\n"
               "c1 < nothing\n"
               "event none\n");
}

static void
test_will(void)
{
    script_run("published when the transport ends, when silent, when taken over; not after "
               "DISCONNECT", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 w/#\n"
               "c1 < SUBACK id=1 0\n"
               "c2 > CONNECT id=b will=w/b:reset\n"
               "c2 < CONNACK 0 0\n"
               "c2 closes\n"
               "c1 < PUBLISH w/b reset\n"
               "c3 > CONNECT id=c will=w/c:silent keep=2\n"
               "c3 < CONNACK 0 0\n"
               "wait 2.9\n"
               "c1 < nothing\n"
               "wait 0.3\n"
               "c1 < PUBLISH w/c silent\n"
               "c3 aborted\n"
               "c4 > CONNECT id=d will=w/d:taken\n"
               "c4 < CONNACK 0 0\n"
               "c5 > CONNECT id=d will=w/d:second wretain=1\n"
               "c5 < CONNACK 0 0\n"
               "c4 closed\n"
               "c1 < PUBLISH w/d taken\n"
               "c5 > DISCONNECT\n"
               "c5 closed\n"
               "c1 < nothing\n"
               "c6 > CONNECT id=e will=w/e:kept wretain=1 wqos=1\n"
               "c6 < CONNACK 0 0\n"
               "c6 closes\n"
               "c1 < PUBLISH w/e kept\n"
               "c1 > SUBSCRIBE id=2 w/e\n"
               "c1 < SUBACK id=2 0\n"
               "c1 < PUBLISH w/e retain kept\n"
               "event SUBSCRIBE w/#\n"
               "event PUBLISH w/b reset\n"
               "event PUBLISH w/c silent\n"
               "event PUBLISH w/d taken\n"
               "event PUBLISH w/e kept retain qos=1\n");
}

static void
test_time(void)
{
    struct mqtt_config config;

    script_run("keep-alive is 1.5 times what was asked, from the last packet", NULL,
               "c1 > CONNECT id=a keep=10\n"
               "c1 < CONNACK 0 0\n"
               "wait 14.9\n"
               "c1 > PINGREQ\n"
               "c1 < PINGRESP\n"
               "wait 14.9\n"
               "c1 > PUBLISH t x\n"
               "wait 14.9\n"
               "c1 > PINGREQ\n"
               "c1 < PINGRESP\n"
               "wait 15.2\n"
               "c1 aborted\n");
    script_run("keep-alive 0 is none", NULL,
               "c1 > CONNECT id=a keep=0\n"
               "c1 < CONNACK 0 0\n"
               "wait 1000000\n"
               "c1 > PINGREQ\n"
               "c1 < PINGRESP\n");
    script_run("no CONNECT in time", NULL,
               "c1 >> hex 10\n"
               "wait 9.9\n"
               "c1 >> hex 0d00\n"
               "wait 0.3\n"
               "c1 closed\n");
    mqtt_config_default(&config);
    config.max_keep_alive_s = 20;
    script_run("the greatest keep-alive holds for those who ask for more or none", &config,
               "c1 > CONNECT id=a keep=0\n"
               "c1 < CONNACK 0 0\n"
               "c2 > CONNECT id=b keep=1000\n"
               "c2 < CONNACK 0 0\n"
               "wait 29.9\n"
               "c1 > PINGREQ\n"
               "c1 < PINGRESP\n"
               "wait 0.3\n"
               "c2 aborted\n"
               "wait 28\n"
               "c1 > PINGREQ\n"
               "c1 < PINGRESP\n");
    mqtt_config_default(&config);
    config.session_expiry_us = 100 * CLOCK_SEC;
    script_run("a stored session is forgotten after its time", &config,
               "c1 > CONNECT id=a clean=0\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t\n"
               "c1 < SUBACK id=1 0\n"
               "event SUBSCRIBE t\n"
               "c1 closes\n"
               "wait 99\n"
               "c2 > CONNECT id=a clean=0\n"
               "c2 < CONNACK 1 0\n"
               "wait 500\n"
               "c2 closes\n"
               "wait 99\n"
               "event none\n"
               "wait 3\n"
               "event UNSUBSCRIBE t\n"
               "c3 > CONNECT id=a clean=0\n"
               "c3 < CONNACK 0 0\n");
}

static void
test_sessions(void)
{
    script_run("clean session 0 keeps subscriptions", NULL,
               "c1 > CONNECT id=a clean=0\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t\n"
               "c1 < SUBACK id=1 0\n"
               "event SUBSCRIBE t\n"
               "c1 > DISCONNECT\n"
               "c1 closed\n"
               "event none\n"
               "peer t missed\n"
               "c2 > CONNECT id=a clean=0\n"
               "c2 < CONNACK 1 0\n"
               "peer t got\n"
               "c2 < PUBLISH t got\n"
               "c2 > DISCONNECT\n"
               "c2 closed\n"
               "c3 > CONNECT v=3 id=a clean=0\n"
               "c3 < CONNACK 0 0\n"
               "peer t again\n"
               "c3 < PUBLISH t again\n"
               "c3 closes\n"
               "c4 > CONNECT id=a clean=1\n"
               "c4 < CONNACK 0 0\n"
               "event UNSUBSCRIBE t\n"
               "peer t nobody\n"
               "c4 < nothing\n"
               "c4 closes\n"
               "c5 > CONNECT id=a clean=0\n"
               "c5 < CONNACK 0 0\n"
               "event none\n");
    script_run("a client identifier is taken over, with its session", NULL,
               "c1 > CONNECT id=a clean=0\n"
               "c1 < CONNACK 0 0\n"
               "c1 > SUBSCRIBE id=1 t\n"
               "c1 < SUBACK id=1 0\n"
               "c2 > CONNECT id=a clean=0\n"
               "c2 < CONNACK 1 0\n"
               "c1 closed\n"
               "peer t x\n"
               "c2 < PUBLISH t x\n"
               "c3 > CONNECT id=a\n"
               "c3 < CONNACK 0 0\n"
               "c2 closed\n"
               "event SUBSCRIBE t\n"
               "event UNSUBSCRIBE t\n"
               "peer t y\n"
               "c3 < nothing\n");
    script_run("client identifiers differ by every byte", NULL,
               "c1 > CONNECT id=a\n"
               "c1 < CONNACK 0 0\n"
               "c2 > CONNECT id=A\n"
               "c2 < CONNACK 0 0\n"
               "c3 > CONNECT id=aa\n"
               "c3 < CONNACK 0 0\n"
               "c1 > PINGREQ\n"
               "c1 < PINGRESP\n"
               "c2 > PINGREQ\n"
               "c2 < PINGRESP\n");
}

int
main(void)
{
    test_connect();
    test_malformed_connect();
    test_subscribe();
    test_subscribers();
    test_publish();
    test_malformed_packets();
    test_retained();
    test_will();
    test_time();
    test_sessions();
    return done_testing();
}
