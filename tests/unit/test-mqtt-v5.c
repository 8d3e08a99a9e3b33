/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Dialogues of MQTT 5.0: what is announced, properties, aliases, subscription options and
 * identifiers, shared subscriptions, expiry, reasons.  The notation is in mqtt-script.h; p=HEX is a
 * property list. */
#include "base/siphash.h"
#include "unit/mqtt-script.h"

/* Receive Maximum 100, Topic Alias Maximum 16, Maximum Packet Size 1 MiB. */
#define LIMITS "2100642200102700100000"
#define OPEN(C, ID) C " > CONNECT v=5 id=" ID "\n" C " < CONNACK 0 0 p=" LIMITS "\n"

static struct mqtt_config
config_qos2(void)
{
    struct mqtt_config config;

    mqtt_config_default(&config);
    config.max_qos = 2;
    return config;
}

static void
test_connect(void)
{
    struct mqtt_config config = config_qos2();
    char script[512], hex[64] = "";
    uint64_t n = 1, hash = siphash(&config.key, &n, sizeof n);

    script_run("5.0: CONNACK announces limits", NULL,
               "c1 > CONNECT v=5 id=a\n"
               "c1 < hex 200e 00 00 0b 210064 220010 2700100000\n"
               "c1 > PINGREQ\n"
               "c1 < PINGRESP\n"
               "c1 > DISCONNECT\n"
               "c1 closed\n");
    snprintf(script, sizeof script, "auto-%016llx", (unsigned long long) hash);
    for (const char *s = script; *s; s++) {
        snprintf(hex + strlen(hex), 3, "%02x", *s);
    }
    snprintf(script, sizeof script,
             "c1 > CONNECT v=5 id= clean=0\n"
             "c1 < CONNACK 0 0 p=120015%s" LIMITS "\n"
             "c1 > PINGREQ\n"
             "c1 < PINGRESP\n", hex);
    script_run("5.0: a client without identifier is told the one it gets", NULL, script);

    config.session_expiry_us = 100 * CLOCK_SEC;
    config.max_keep_alive_s = 60;
    script_run("5.0: what differs from the wish is said", &config,
               "c1 > CONNECT v=5 id=a keep=60 p=1100000032\n"
               "c1 < CONNACK 0 0 p=" LIMITS "\n"
               "c2 > CONNECT v=5 id=b keep=61 p=11000003e8\n"
               "c2 < CONNACK 0 0 p=110000006413003c" LIMITS "\n"
               "c3 > CONNECT v=5 id=c keep=0 p=11ffffffff\n"
               "c3 < CONNACK 0 0 p=110000006413003c" LIMITS "\n");
    script_run("5.0: extended authentication is refused", NULL,
               "c1 > CONNECT v=5 id=a p=15000178\n"
               "c1 < hex 200300 8c 00\n"
               "c1 closed\n"
               "c2 > CONNECT v=5 id=a p=16000178\n"
               "c2 < CONNACK 0 0x82\n"
               "c2 closed\n");
    config.username = "u";
    config.password = "p";
    script_run("5.0: credentials", &config,
               "c1 > CONNECT v=5 id=a user=u pass=x\n"
               "c1 < CONNACK 0 0x86\n"
               "c1 closed\n"
               "c2 > CONNECT v=5 id=a\n"
               "c2 < CONNACK 0 0x87\n"
               "c2 closed\n"
               "c3 > CONNECT v=5 id=a pass=p\n"
               "c3 < CONNACK 0 0x86\n"
               "c3 closed\n");
    script_run("5.0: AUTH without a method", NULL,
               OPEN("c1", "a")
               "c1 > AUTH reason=0x18\n"
               "c1 < DISCONNECT reason=0x82\n"
               "c1 closed\n");
}

static void
test_reasons(void)
{
    static const struct {
        const char *name, *packet;
        unsigned reason;
    } cases[] = {
        { "second CONNECT", "CONNECT v=5 id=a", 0x82 },
        { "QoS 3", "hex 36060001740001 00", 0x81 },
        { "flags of SUBSCRIBE", "SUBSCRIBE id=1 flags=0 t", 0x81 },
        { "wildcard in a Topic Name", "PUBLISH a/+ x", 0x90 },
        { "no topic and no alias", "PUBLISH - x", 0x82 },
        { "alias 0", "PUBLISH t p=230000 x", 0x94 },
        { "alias beyond the maximum", "PUBLISH t p=230011 x", 0x94 },
        { "alias that was not set", "PUBLISH - p=230001 x", 0x82 },
        { "Subscription Identifier from a client", "PUBLISH t p=0b01 x", 0x82 },
        { "Response Topic with a wildcard", "PUBLISH t p=08000123 x", 0x82 },
        { "Content Type that is no UTF-8", "PUBLISH t p=030001ff x", 0x81 },
        { "property of another packet", "PUBLISH t p=1100000001 x", 0x81 },
        { "property twice", "PUBLISH t p=01000101 x", 0x82 },
        { "unknown property", "PUBLISH t p=7f x", 0x81 },
        { "Subscription Identifier 0", "SUBSCRIBE id=1 p=0b00 t", 0x82 },
        { "reserved subscription options", "SUBSCRIBE id=1 t:0x40", 0x81 },
        { "Retain Handling 3", "SUBSCRIBE id=1 t:0x30", 0x82 },
        { "No Local with a shared subscription", "SUBSCRIBE id=1 $share/g/t:4", 0x82 },
        { "no filter", "SUBSCRIBE id=1", 0x82 },
        { "PUBACK with packet identifier 0", "PUBACK id=0", 0x82 },
        { "Session Expiry in DISCONNECT after none in CONNECT",
          "DISCONNECT reason=0 p=1100000001", 0x82 },
    };
    struct mqtt_config config = config_qos2();
    char script[512];

    for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
        snprintf(script, sizeof script,
                 OPEN("c1", "a")
                 "c1 > %s\n"
                 "c1 < DISCONNECT reason=%u\n"
                 "c1 closed\n"
                 "event none\n", cases[i].packet, cases[i].reason);
        script_run(cases[i].name, NULL, script);
    }
    script_run("5.0: takeover and silence are told", NULL,
               OPEN("c1", "a")
               "c2 > CONNECT v=5 id=a keep=4\n"
               "c2 < CONNACK 0 0 p=" LIMITS "\n"
               "c1 < DISCONNECT reason=0x8e\n"
               "c1 closed\n"
               "wait 6.2\n"
               "c2 < DISCONNECT reason=0x8d\n"
               "c2 closed\n");
    config.max_packet_size = 100;
    script_run("5.0: packet too large", &config,
               "c1 > CONNECT v=5 id=a\n"
               "c1 < CONNACK 0 0 p=2100642200102700000064\n"
               "c1 > hex 3063\n"
               "c1 < DISCONNECT reason=0x95\n"
               "c1 closed\n");
    config = config_qos2();
    config.max_inflight = 2;
    script_run("5.0: Receive Maximum of the broker", &config,
               "c1 > CONNECT v=5 id=a\n"
               "c1 < CONNACK 0 0 p=2100022200102700100000\n"
               "c1 > PUBLISH t qos=2 id=1 x\n"
               "c1 < PUBREC id=1\n"
               "c1 > PUBLISH t qos=2 id=2 x\n"
               "c1 < PUBREC id=2\n"
               "c1 > PUBLISH t qos=2 id=1 dup x\n"
               "c1 < PUBREC id=1\n"
               "c1 > PUBLISH t qos=2 id=3 x\n"
               "c1 < DISCONNECT reason=0x93\n"
               "c1 closed\n");
    script_run("5.0: acknowledgements carry reasons only where there is one", NULL,
               OPEN("c1", "a")
               "c1 > PUBREL id=9\n"
               "c1 < hex 7003000992\n"
               "c1 > PUBREC id=9\n"
               "c1 < hex 6203000992\n"
               "c1 > PUBLISH $SYS/x qos=1 id=3 x\n"
               "c1 < PUBACK id=3 reason=0x87\n"
               "c1 > PUBLISH $SYS/x qos=2 id=3 x\n"
               "c1 < PUBREC id=3 reason=0x87\n"
               "c1 > SUBSCRIBE id=4 a#:0 t:2 $share/g:0 $share//t:0 $share/a+/t:0\n"
               "c1 < hex 9008 0004 00 8f 02 8f 8f 8f\n"
               "c1 > UNSUBSCRIBE id=5 t x\n"
               "c1 < hex b005 0005 00 00 11\n");
}

static void
test_publish(void)
{
    struct mqtt_config config = config_qos2();

    script_run("5.0: properties are passed on unchanged and in order; to 3.1.1 not at all", NULL,
               OPEN("c1", "a")
               "c1 > SUBSCRIBE id=1 t\n"
               "c1 < SUBACK id=1 0\n"
               "c2 > CONNECT id=b\n"
               "c2 < CONNACK 0 0\n"
               "c2 > SUBSCRIBE id=1 t\n"
               "c2 < SUBACK id=1 0\n"
               OPEN("c3", "c")
               "c3 > PUBLISH t p=2600016b0001762600016b000177010103000463742f74"
               "0800017209000263642600017a000179 hello\n"
               "c1 < PUBLISH t p=2600016b0001762600016b000177010103000463742f74"
               "0800017209000263642600017a000179 hello\n"
               "c2 < PUBLISH t hello\n"
               "c2 > PUBLISH t back\n"
               "c1 < PUBLISH t back\n"
               "c2 < PUBLISH t back\n"
               "c3 >> PUBLISH t p=0101 size=3000\n"
               "c1 < PUBLISH t p=0101 size=3000\n"
               "c2 < PUBLISH t size=3000\n");
    script_run("5.0: aliases of the client", NULL,
               OPEN("c1", "a")
               "c1 > SUBSCRIBE id=1 #\n"
               "c1 < SUBACK id=1 0\n"
               "c1 > PUBLISH t/1 p=230010 a\n"
               "c1 < PUBLISH t/1 a\n"
               "c1 > PUBLISH - p=230010 b\n"
               "c1 < PUBLISH t/1 b\n"
               "c1 > PUBLISH t/2 p=230010 c\n"
               "c1 < PUBLISH t/2 c\n"
               "c1 > PUBLISH - p=010123001026000161000162 d\n"
               "c1 < PUBLISH t/2 p=010126000161000162 d\n");
    script_run("5.0: aliases of the broker, as many as the client allows", NULL,
               "c1 > CONNECT v=5 id=a p=220002\n"
               "c1 < CONNACK 0 0 p=" LIMITS "\n"
               "c1 > SUBSCRIBE id=1 #\n"
               "c1 < SUBACK id=1 0\n"
               "peer t/1 a\n"
               "c1 < PUBLISH t/1 p=230001 a\n"
               "peer t/1 b\n"
               "c1 < PUBLISH - p=230001 b\n"
               "peer t/2 c\n"
               "c1 < PUBLISH t/2 p=230002 c\n"
               "peer t/3 d\n"
               "c1 < PUBLISH t/3 d\n"
               "peer t/2 e\n"
               "c1 < PUBLISH - p=230002 e\n");
    script_run("5.0: Receive Maximum of the client", &config,
               "c1 > CONNECT v=5 id=a p=210001\n"
               "c1 < CONNACK 0 0 p=" LIMITS "\n"
               "c1 > SUBSCRIBE id=1 #:2\n"
               "c1 < SUBACK id=1 2\n"
               "peer t a qos=2\n"
               "peer t b qos=1\n"
               "c1 < PUBLISH t qos=2 id=1 a\n"
               "c1 < nothing\n"
               "c1 > PUBREC id=1 reason=0x97\n"
               "c1 < PUBLISH t qos=1 id=2 b\n"
               "peer t c qos=1\n"
               "c1 < nothing\n"
               "c1 > PUBACK id=2 reason=0x80\n"
               "c1 < PUBLISH t qos=1 id=3 c\n");
    script_run("5.0: Maximum Packet Size of the client", &config,
               "c1 > CONNECT v=5 id=a p=2700000010\n"
               "c1 < CONNACK 0 0 p=" LIMITS "\n"
               "c1 > SUBSCRIBE id=1 #:1\n"
               "c1 < SUBACK id=1 1\n"
               "peer t 1234567890 qos=0\n"
               "c1 < PUBLISH t 1234567890\n"
               "peer t 12345678901 qos=0\n"
               "peer t 12345678 qos=1\n"
               "c1 < PUBLISH t qos=1 id=1 12345678\n"
               "peer t 123456789 qos=1\n"
               "peer t ok qos=1\n"
               "c1 < PUBLISH t qos=1 id=2 ok\n");
    script_run("5.0: Message Expiry counts down while a message waits", &config,
               "c1 > CONNECT v=5 id=a clean=0 p=1100001000\n"
               "c1 < CONNACK 0 0 p=" LIMITS "\n"
               "c1 > SUBSCRIBE id=1 t:1\n"
               "c1 < SUBACK id=1 1\n"
               "c1 closes\n"
               OPEN("c2", "b")
               "c2 > PUBLISH t qos=1 id=1 p=020000000a short\n"
               "c2 < PUBACK id=1\n"
               "c2 > PUBLISH t qos=1 id=1 p=0200000064 long\n"
               "c2 < PUBACK id=1\n"
               "c2 > PUBLISH t retain p=0200000064 kept\n"
               "wait 30\n"
               "c1b > CONNECT v=5 id=a clean=0 p=1100001000\n"
               "c1b < CONNACK 1 0 p=" LIMITS "\n"
               "c1b < PUBLISH t qos=1 id=1 p=0200000046 long\n"
               "c2 > SUBSCRIBE id=2 t:0\n"
               "c2 < SUBACK id=2 0\n"
               "c2 < PUBLISH t retain p=0200000046 kept\n"
               "wait 71\n"
               "c2 > SUBSCRIBE id=2 t:0\n"
               "c2 < SUBACK id=2 0\n"
               "c2 < nothing\n");
}

static void
test_subscribe(void)
{
    struct mqtt_config config = config_qos2();

    script_run("5.0: No Local", NULL,
               OPEN("c1", "a")
               "c1 > SUBSCRIBE id=1 t:4\n"
               "c1 < SUBACK id=1 0\n"
               OPEN("c2", "b")
               "c2 > SUBSCRIBE id=1 t:4\n"
               "c2 < SUBACK id=1 0\n"
               "c1 > PUBLISH t mine\n"
               "c1 < nothing\n"
               "c2 < PUBLISH t mine\n"
               "c1 > SUBSCRIBE id=2 t:0\n"
               "c1 < SUBACK id=2 0\n"
               "c1 > PUBLISH t again\n"
               "c1 < PUBLISH t again\n"
               "c2 < PUBLISH t again\n");
    script_run("5.0: Retain As Published and Retain Handling", NULL,
               OPEN("c1", "a")
               "c1 > SUBSCRIBE id=1 t/1:8 t/2:0\n"
               "c1 < SUBACK id=1 0 0\n"
               OPEN("c2", "b")
               "c2 > PUBLISH t/1 retain x\n"
               "c2 > PUBLISH t/2 retain y\n"
               "c2 > PUBLISH t/1 z\n"
               "c1 < PUBLISH t/1 retain x\n"
               "c1 < PUBLISH t/2 y\n"
               "c1 < PUBLISH t/1 z\n"
               "c2 > SUBSCRIBE id=1 t/1:0x20\n"
               "c2 < SUBACK id=1 0\n"
               "c2 < nothing\n"
               "c2 > SUBSCRIBE id=2 t/1:0x10 t/2:0x10\n"
               "c2 < SUBACK id=2 0 0\n"
               "c2 < PUBLISH t/2 retain y\n"
               "c2 > SUBSCRIBE id=3 t/1:0\n"
               "c2 < SUBACK id=3 0\n"
               "c2 < PUBLISH t/1 retain x\n");
    script_run("5.0: Subscription Identifiers, all of overlapping filters", &config,
               OPEN("c1", "a")
               "c1 > SUBSCRIBE id=1 p=0b05 t/1:1\n"
               "c1 < SUBACK id=1 1\n"
               "c1 > SUBSCRIBE id=2 p=0bffffff7f t/+:2\n"
               "c1 < SUBACK id=2 2\n"
               "c1 > SUBSCRIBE id=3 #\n"
               "c1 < SUBACK id=3 0\n"
               "peer t/2 x\n"
               "c1 < PUBLISH t/2 p=0bffffff7f x\n"
               "peer u y\n"
               "c1 < PUBLISH u y\n"
               "c1 > UNSUBSCRIBE id=4 t/+\n"
               "c1 < UNSUBACK id=4 0\n"
               "c1 > SUBSCRIBE id=5 p=0b06 t/1:2\n"
               "c1 < SUBACK id=5 2\n"
               "peer t/1 z qos=2\n"
               "c1 < PUBLISH t/1 qos=2 id=1 p=0b06 z\n"
               "peer t/1 kept retain\n"
               "c1 < PUBLISH t/1 p=0b06 kept\n"
               "c1 > SUBSCRIBE id=6 p=0b07 +/1:2\n"
               "c1 < SUBACK id=6 2\n"
               "c1 < PUBLISH t/1 retain p=0b07 kept\n"
               "c2 > CONNECT id=b\n"
               "c2 < CONNACK 0 0\n");
    script_run("shared subscriptions: in turns, first and last, no retained", NULL,
               "peer t kept retain\n"
               OPEN("c1", "a")
               "c1 > SUBSCRIBE id=1 $share/g/t:0\n"
               "c1 < SUBACK id=1 0\n"
               "event SUBSCRIBE t\n"
               OPEN("c2", "b")
               "c2 > SUBSCRIBE id=1 $share/g/t:0\n"
               "c2 < SUBACK id=1 0\n"
               "c3 > CONNECT id=c\n"
               "c3 < CONNACK 0 0\n"
               "c3 > SUBSCRIBE id=1 $share/h/t:0\n"
               "c3 < SUBACK id=1 0\n"
               "event none\n"
               "peer t 1\n"
               "c1 < PUBLISH t 1\n"
               "peer t 2\n"
               "c2 < PUBLISH t 2\n"
               "peer t 3\n"
               "c1 < PUBLISH t 3\n"
               "c3 < PUBLISH t 1\n"
               "c3 < PUBLISH t 2\n"
               "c3 < PUBLISH t 3\n"
               "c2 > SUBSCRIBE id=2 $share/g/t:0\n"
               "c2 < SUBACK id=2 0\n"
               "peer t 4\n"
               "c2 < PUBLISH t 4\n"
               "c3 < PUBLISH t 4\n"
               "c1 closes\n"
               "peer t 5\n"
               "c2 < PUBLISH t 5\n"
               "c3 < PUBLISH t 5\n"
               "c3 > UNSUBSCRIBE id=2 $share/h/t $share/g/t t\n"
               "c3 < UNSUBACK id=2\n"
               "event none\n"
               "c2 > UNSUBSCRIBE id=3 $share/g/t $share/h/t\n"
               "c2 < UNSUBACK id=3 0 0x11\n"
               "event UNSUBSCRIBE t\n"
               "peer t 6\n"
               "event none\n");
    script_run("shared and ordinary subscriptions of one client are two", &config,
               OPEN("c1", "a")
               "c1 > SUBSCRIBE id=1 t:0 $share/g/t:0\n"
               "c1 < SUBACK id=1 0 0\n"
               "peer t x\n"
               "c1 < PUBLISH t x\n"
               "c1 < PUBLISH t x\n"
               "c2 > CONNECT v=5 id=b clean=0 p=1100001000\n"
               "c2 < CONNACK 0 0 p=" LIMITS "\n"
               "c2 > SUBSCRIBE id=1 $share/q/t:1\n"
               "c2 < SUBACK id=1 1\n"
               "c2 closes\n"
               "peer t y qos=1\n"
               "c1 < PUBLISH t y\n"
               "c1 < PUBLISH t y\n"
               "c2b > CONNECT v=5 id=b clean=0 p=1100001000\n"
               "c2b < CONNACK 1 0 p=" LIMITS "\n"
               "c2b < PUBLISH t qos=1 id=1 y\n");
}

static void
test_will_and_session(void)
{
    script_run("5.0: a Will waits for its delay, with its properties", NULL,
               OPEN("c1", "a")
               "c1 > SUBSCRIBE id=1 w/#\n"
               "c1 < SUBACK id=1 0\n"
               "c2 > CONNECT v=5 id=b clean=0 p=1100000064 will=w/b:late "
               "wp=180000000a010102000000092600016b000176\n"
               "c2 < CONNACK 0 0 p=" LIMITS "\n"
               "c2 closes\n"
               "wait 9\n"
               "c1 < nothing\n"
               "wait 3\n"
               "c1 < PUBLISH w/b p=020000000901012600016b000176 late\n"
               "c3 > CONNECT v=5 id=c clean=0 p=1100000064 will=w/c:never wp=180000000a\n"
               "c3 < CONNACK 0 0 p=" LIMITS "\n"
               "c3 closes\n"
               "wait 9\n"
               "c3b > CONNECT v=5 id=c clean=0 p=1100000064\n"
               "c3b < CONNACK 1 0 p=" LIMITS "\n"
               "wait 30\n"
               "c1 < nothing\n"
               "c4 > CONNECT v=5 id=d clean=0 p=1100000005 will=w/d:end wp=180000000a\n"
               "c4 < CONNACK 0 0 p=" LIMITS "\n"
               "c4 closes\n"
               "wait 4\n"
               "c1 < nothing\n"
               "wait 3\n"
               "c1 < PUBLISH w/d end\n"
               "c5 > CONNECT v=5 id=e will=w/e:now wp=180000000a\n"
               "c5 < CONNACK 0 0 p=" LIMITS "\n"
               "c5 closes\n"
               "c1 < PUBLISH w/e now\n"
               "c6 > CONNECT v=5 id=f clean=0 p=1100000064 will=w/f:clean wp=180000000a\n"
               "c6 < CONNACK 0 0 p=" LIMITS "\n"
               "c6 closes\n"
               "c6b > CONNECT v=5 id=f clean=1\n"
               "c6b < CONNACK 0 0 p=" LIMITS "\n"
               "c1 < PUBLISH w/f clean\n");
    script_run("5.0: DISCONNECT with and without Will; Session Expiry in DISCONNECT", NULL,
               OPEN("c1", "a")
               "c1 > SUBSCRIBE id=1 w/#\n"
               "c1 < SUBACK id=1 0\n"
               "c2 > CONNECT v=5 id=b will=w/b:wanted\n"
               "c2 < CONNACK 0 0 p=" LIMITS "\n"
               "c2 > DISCONNECT reason=4\n"
               "c2 closed\n"
               "c1 < PUBLISH w/b wanted\n"
               "c3 > CONNECT v=5 id=c will=w/c:not clean=0 p=1100000064\n"
               "c3 < CONNACK 0 0 p=" LIMITS "\n"
               "c3 > DISCONNECT reason=0 p=1100000000\n"
               "c3 closed\n"
               "c3b > CONNECT v=5 id=c clean=0 p=1100000064\n"
               "c3b < CONNACK 0 0 p=" LIMITS "\n"
               "c3b > hex e000\n"
               "c3b closed\n"
               "c3c > CONNECT v=5 id=c clean=0\n"
               "c3c < CONNACK 1 0 p=" LIMITS "\n"
               "c3c closes\n"
               "c3d > CONNECT v=5 id=c clean=0\n"
               "c3d < CONNACK 0 0 p=" LIMITS "\n");
    script_run("5.0: a session ends when it expires", NULL,
               "c1 > CONNECT v=5 id=a clean=0 p=110000000a\n"
               "c1 < CONNACK 0 0 p=" LIMITS "\n"
               "c1 > SUBSCRIBE id=1 t\n"
               "c1 < SUBACK id=1 0\n"
               "event SUBSCRIBE t\n"
               "c1 closes\n"
               "wait 9\n"
               "event none\n"
               "wait 3\n"
               "event UNSUBSCRIBE t\n");
    script_run("a session goes on under another version of the protocol", NULL,
               "c1 > CONNECT v=5 id=a clean=0 p=1100001000\n"
               "c1 < CONNACK 0 0 p=" LIMITS "\n"
               "c1 > SUBSCRIBE id=1 p=0b05 t\n"
               "c1 < SUBACK id=1 0\n"
               "c1 closes\n"
               "c2 > CONNECT id=a clean=0\n"
               "c2 < CONNACK 1 0\n"
               "peer t x\n"
               "c2 < PUBLISH t x\n"
               "c2 closes\n"
               "c3 > CONNECT v=5 id=a clean=0\n"
               "c3 < CONNACK 1 0 p=" LIMITS "\n"
               "peer t y\n"
               "c3 < PUBLISH t p=0b05 y\n");
}

int
main(void)
{
    test_connect();
    test_reasons();
    test_publish();
    test_subscribe();
    test_will_and_session();
    return done_testing();
}
