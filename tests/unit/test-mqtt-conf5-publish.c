/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What MQTT 5.0 demands of a server, statement by statement: Wills, messages, their properties,
 * delivery, flow control, topics, shared subscriptions; the rest is in test-mqtt-conf5.c.  Each
 * script is headed by the statements that it shows; tests/conformance/mqtt5.md is the table of
 * all.  The notation is in mqtt-script.h. */
#include "unit/mqtt-conf5.h"

static void
test_will(void)
{
    /* [MQTT-3.1.2-7], [MQTT-3.1.2-8], [MQTT-3.1.2-10], [MQTT-3.1.2-14], [MQTT-3.1.2-15]. */
    run("the Will is published once, retained or not",
        OPEN("c1", "a")
        SUB("c1", "w/+", "2")
        "c2 > CONNECT v=5 id=b clean=0 p=1100001000 will=w/1:plain wqos=1\n"
        "c2 < CONNACK 0 0 p=" LIMITS "\n"
        "c2 closes\n"
        "c1 < PUBLISH w/1 qos=1 id=1 plain\n"
        "c2b > CONNECT v=5 id=b clean=0 p=1100001000\n"
        "c2b < CONNACK 1 0 p=" LIMITS "\n"
        "c2b closes\n"
        "c1 < nothing\n"
        "c3 > CONNECT v=5 id=c will=w/2:kept wqos=2 wretain=1\n"
        "c3 < CONNACK 0 0 p=" LIMITS "\n"
        "c3 > hex c100\n"
        "c3 < DISCONNECT reason=0x81\n"
        "c3 closed\n"
        "c1 < PUBLISH w/2 qos=2 id=2 kept\n"
        OPEN("c4", "d")
        SUB("c4", "w/+", "0")
        "c4 < PUBLISH w/2 retain kept\n");
    /* [MQTT-3.1.3-9]; [MQTT-3.1.2-8]: the end of the session comes before the delay. */
    run("Will Delay: cancelled by a new connection, cut short by the end of the session",
        OPEN("c1", "a")
        SUB("c1", "w/+", "0")
        "c2 > CONNECT v=5 id=b clean=0 p=1100001000 will=w/1:x wp=180000000a\n"
        "c2 < CONNACK 0 0 p=" LIMITS "\n"
        "c2 closes\n"
        "wait 9\n"
        "c3 > CONNECT v=5 id=b clean=0 p=1100001000\n"
        "c3 < CONNACK 1 0 p=" LIMITS "\n"
        "wait 100\n"
        "c1 < nothing\n"
        "c4 > CONNECT v=5 id=d clean=0 p=1100001000 will=w/2:x wp=180000000a\n"
        "c4 < CONNACK 0 0 p=" LIMITS "\n"
        "c5 > CONNECT v=5 id=d clean=0 p=1100001000\n"
        "c4 < DISCONNECT reason=0x8e\n"
        "c4 closed\n"
        "c5 < CONNACK 1 0 p=" LIMITS "\n"
        "wait 100\n"
        "c1 < nothing\n"
        "c6 > CONNECT v=5 id=e clean=0 p=1100000003 will=w/3:x wp=1800000064\n"
        "c6 < CONNACK 0 0 p=" LIMITS "\n"
        "c6 closes\n"
        "wait 2\n"
        "c1 < nothing\n"
        "wait 3\n"
        "c1 < PUBLISH w/3 x\n"
        "wait 1000\n"
        "c1 < nothing\n");
    run("Will Delay: published when it is over",
        OPEN("c1", "a")
        SUB("c1", "w/+", "0")
        "c2 > CONNECT v=5 id=b clean=0 p=1100001000 will=w/1:x wp=180000000a\n"
        "c2 < CONNACK 0 0 p=" LIMITS "\n"
        "c2 closes\n"
        "wait 9\n"
        "c1 < nothing\n"
        "wait 3\n"
        "c1 < PUBLISH w/1 x\n"
        "c3 > CONNECT v=5 id=b clean=0 p=1100001000\n"
        "c3 < CONNACK 1 0 p=" LIMITS "\n"
        "c3 closes\n"
        "wait 1000\n"
        "c1 < nothing\n");
    /* [MQTT-3.1.3-10], [MQTT-3.3.2-18]: its User Properties, in order. */
    run("the properties of a Will",
        OPEN("c1", "a")
        SUB("c1", "w", "0")
        "c2 > CONNECT v=5 id=b will=w:x wp=2600017a000131"
        "0300027070260001610001322600017a000133\n"
        "c2 < CONNACK 0 0 p=" LIMITS "\n"
        "c2 closes\n"
        "c1 < PUBLISH w p=2600017a0001310300027070260001610001322600017a000133 x\n");
}

static void
test_publish(void)
{
    /* [MQTT-3.3.1-1], [MQTT-3.3.1-2], [MQTT-3.3.1-3]. */
    run("DUP is set for what is sent again, and for nothing else",
        OPEN5("c1", "a", "11000000ff")
        SUB("c1", "t", "2")
        OPEN("c2", "b")
        "c2 > PUBLISH t qos=1 id=1 dup one\n"
        "c2 < PUBACK id=1\n"
        "c1 < hex 3209 000174 0001 00 6f6e65\n"
        "c2 > PUBLISH t qos=2 id=2 dup two\n"
        "c2 < PUBREC id=2\n"
        "c1 < hex 3409 000174 0002 00 74776f\n"
        "c1 closes\n"
        "c1b > CONNECT v=5 id=a clean=0 p=11000000ff\n"
        "c1b < CONNACK 1 0 p=" LIMITS "\n"
        "c1b < hex 3a09 000174 0001 00 6f6e65\n"
        "c1b < hex 3c09 000174 0002 00 74776f\n"
        "wait 1000\n"
        "c1b < nothing\n");
    refuses("DUP with QoS 0", 0x81, "3804 000174 00");
    /* [MQTT-3.3.1-4] */
    refuses("both bits of QoS", 0x81, "3607 000174 0001 00 78");
    /* [MQTT-3.3.2-2], [MQTT-4.7.0-1], [MQTT-4.7.3-1] */
    refuses("a Topic Name with #", 0x90, "3006 0003 612f23 00");
    refuses("a Topic Name with + inside a level", 0x90, "3006 0003 612b62 00");
    refuses("a Topic Name of no length and no alias", 0x82, "3003 0000 00");
    /* [MQTT-3.3.2-14], [MQTT-3.3.4-6] */
    refuses("a Response Topic with a wildcard", 0x82, "3008 000174 04 080001 2b");
    refuses("a Subscription Identifier from a client", 0x82, "3006 000174 02 0b01");
    refuses("a Payload Format Indicator of 2", 0x82, "3006 000174 02 0102");
    /* [MQTT-3.3.4-1], [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-4.3.3-9]: a refusal has a reason, and
     * the identifier is free at once. */
    run("an unauthorised PUBLISH is refused by its acknowledgement",
        OPEN("c1", "a")
        SUB("c1", "$SYS/x", "2")
        "event SUBSCRIBE $SYS/x\n"
        "c1 > PUBLISH $SYS/x x\n"
        "c1 > PUBLISH $SYS/x qos=1 id=1 x\n"
        "c1 < hex 4003 0001 87\n"
        "c1 > PUBLISH $SYS/x qos=2 id=2 x\n"
        "c1 < hex 5003 0002 87\n"
        "event none\n"
        "c1 > PUBLISH t qos=2 id=2 new\n"
        "c1 < hex 5002 0002\n"
        "event PUBLISH t new qos=2\n"
        /* [MQTT-4.3.3-10]: until PUBREL it is the message that was taken over, whatever it says. */
        "c1 > PUBLISH $SYS/x qos=2 id=2 x\n"
        "c1 < PUBREC id=2\n"
        "event none\n"
        "c2 > CONNECT v=5 id=b will=$SYS/x:x\n"
        "c2 < CONNACK 0 0 p=" LIMITS "\n"
        "c2 closes\n"
        "c1 < nothing\n"
        "event none\n");
    /* [MQTT-3.3.4-2], [MQTT-3.3.4-3], [MQTT-3.3.4-4], [MQTT-3.3.2-3]. */
    run("overlapping subscriptions: one copy, the highest QoS, all identifiers",
        OPEN("c1", "a")
        "c1 > SUBSCRIBE id=1 p=0b01 a/b:0\n"
        "c1 < SUBACK id=1 0\n"
        "c1 > SUBSCRIBE id=2 a/+:2\n"
        "c1 < SUBACK id=2 2\n"
        "c1 > SUBSCRIBE id=3 p=0b03 a/#:1\n"
        "c1 < SUBACK id=3 1\n"
        "peer a/c x qos=2\n"
        "c1 < PUBLISH a/c qos=2 id=1 p=0b03 x\n"
        "c1 > UNSUBSCRIBE id=4 a/+\n"
        "c1 < UNSUBACK id=4 0\n"
        "c1 > SUBSCRIBE id=5 p=0bffffff7f a/b:0\n"
        "c1 < SUBACK id=5 0\n"
        "c1 > UNSUBSCRIBE id=6 a/#\n"
        "c1 < UNSUBACK id=6 0\n"
        "peer a/b x qos=2\n"
        "c1 < PUBLISH a/b p=0bffffff7f x\n");
}

/* The identifiers of three filters, in whatever order. */
static void
test_all_identifiers(void)
{
    struct mqtt_config config = config_qos2();
    struct script t;
    struct script_conn *c;
    unsigned found = 0;

    script_begin(&t, "overlapping subscriptions: all identifiers, in any order", &config);
    script_lines(&t,
                 OPEN("c1", "a")
                 "c1 > SUBSCRIBE id=1 p=0b01 a/b:0\n"
                 "c1 < SUBACK id=1 0\n"
                 "c1 > SUBSCRIBE id=2 p=0b02 a/+:1\n"
                 "c1 < SUBACK id=2 1\n"
                 "c1 > SUBSCRIBE id=3 p=0b04 #:0\n"
                 "c1 < SUBACK id=3 0\n"
                 "peer a/b x qos=2\n"
                 "c1 < hex 320f 0003612f62 0001 06\n");
    c = script_conn(&t, "c1");
    for (size_t i = c->n_checked; i + 1 < c->n_got && c->got[i] == 0x0b; i += 2) {
        found += c->got[i + 1];
    }
    is_int(found, 7, "each identifier once");
    is_int(c->n_got - c->n_checked, 7, "one copy");
    c->n_checked = c->n_got;
    script_end(&t);
}

static void
test_retained(void)
{
    /* [MQTT-3.3.1-5] to [MQTT-3.3.1-8], [MQTT-3.3.1-12], [MQTT-3.3.1-13]. */
    run("retained: replaced, removed, untouched by RETAIN 0; Retain As Published",
        OPEN("c1", "a")
        "c1 > SUBSCRIBE id=1 r:8 s:0\n"
        "c1 < SUBACK id=1 0 0\n"
        OPEN("c2", "b")
        "c2 > PUBLISH r retain old\n"
        "c1 < PUBLISH r retain old\n"
        "c2 > PUBLISH r retain new\n"
        "c1 < PUBLISH r retain new\n"
        "c2 > PUBLISH r passing\n"
        "c1 < PUBLISH r passing\n"
        "c2 > PUBLISH s retain x\n"
        "c1 < PUBLISH s x\n"
        OPEN("c3", "c")
        SUB("c3", "r", "0")
        "c3 < PUBLISH r retain new\n"
        "c2 > PUBLISH r retain\n"
        "c1 < hex 3104 000172 00\n"
        "c3 < hex 3004 000172 00\n"
        SUB("c3", "r", "0")
        "c3 < nothing\n");
    /* [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]. */
    run("Retain Handling 0, 1, 2",
        "peer r x retain qos=1\n"
        OPEN("c1", "a")
        "c1 > SUBSCRIBE id=1 r:0x21\n"
        "c1 < SUBACK id=1 1\n"
        "c1 > SUBSCRIBE id=2 r:0x11\n"
        "c1 < SUBACK id=2 1\n"
        "c1 < nothing\n"
        "c1 > SUBSCRIBE id=3 r:0x01\n"
        "c1 < SUBACK id=3 1\n"
        "c1 < PUBLISH r qos=1 id=1 retain x\n"
        "c1 > UNSUBSCRIBE id=4 r\n"
        "c1 < UNSUBACK id=4 0\n"
        "c1 > SUBSCRIBE id=5 r:0x10\n"
        "c1 < SUBACK id=5 0\n"
        "c1 < PUBLISH r retain x\n");
}

/* [MQTT-3.2.2-13]: a server without retained messages says so, and holds clients to it; those of 3.1.1,
 * whom it cannot tell, it serves. */
static void
test_no_retained(void)
{
    struct mqtt_config config = config_qos2();

    config.max_retained = 0;
    script_run("no retained messages: said in CONNACK, and then an error", &config,
               "c1 > CONNECT v=5 id=a will=w:x wretain=1\n"
               "c1 < hex 2003 00 9a 00\n"
               "c1 closed\n"
               "c2 > CONNECT v=5 id=a will=w:x\n"
               "c2 < CONNACK 0 0 p=" LIMITS "2500\n"
               "c2 > PUBLISH t x\n"
               "c2 > PUBLISH t retain x\n"
               "c2 < hex e002 9a 00\n"
               "c2 closed\n"
               "c3 > CONNECT id=b\n"
               "c3 < CONNACK 0 0\n"
               "c3 > SUBSCRIBE id=1 t:0\n"
               "c3 < SUBACK id=1 0\n"
               "c3 > PUBLISH t qos=1 id=1 retain x\n"
               "c3 < PUBACK id=1\n"
               "c3 < PUBLISH t x\n"
               "c3 > SUBSCRIBE id=1 t:0\n"
               "c3 < SUBACK id=1 0\n"
               "c3 < nothing\n"
               "event PUBLISH t x\n"
               "event PUBLISH w x\n"
               "event SUBSCRIBE t\n"
               "event PUBLISH t x retain qos=1\n"
               "event none\n");
}

static void
test_properties(void)
{
    /* [MQTT-3.3.2-4], [MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-17], [MQTT-3.3.2-18],
     * [MQTT-3.3.2-20]: live, and out of the retained store. */
    run("properties go on unaltered and in order: all of them, live and retained",
        OPEN("c1", "a")
        SUB("c1", "t", "0")
        "c1 > PUBLISH t retain p=2600017a0001310101030003706e670800027274"
        "09000300ff01260001610001322600017a000133 x\n"
        "c1 < PUBLISH t p=2600017a0001310101030003706e670800027274"
        "09000300ff01260001610001322600017a000133 x\n"
        SUB("c1", "t", "0")
        "c1 < PUBLISH t retain p=2600017a0001310101030003706e670800027274"
        "09000300ff01260001610001322600017a000133 x\n");
    /* [MQTT-3.3.2-5], [MQTT-3.3.2-6]: for who is slow, who is away, and what is retained. */
    run("Message Expiry Interval: what is left, or nothing",
        OPEN("c1", "a")
        SUB("c1", "t", "1")
        OPEN5("c2", "b", "1100001000")
        SUB("c2", "t", "1")
        OPEN("c3", "c")
        "c1 stalls\n"
        "c2 closes\n"
        "c3 > PUBLISH t qos=1 id=1 p=0200000005 short\n"
        "c3 < PUBACK id=1\n"
        "c3 > PUBLISH t qos=1 id=1 retain p=0200000064 long\n"
        "c3 < PUBACK id=1\n"
        "c3 > PUBLISH t p=0200000000 none\n"
        "wait 10\n"
        "c1 reads\n"
        "c1 < PUBLISH t qos=1 id=1 p=020000005a long\n"
        "c2b > CONNECT v=5 id=b clean=0 p=1100001000\n"
        "c2b < CONNACK 1 0 p=" LIMITS "\n"
        "c2b < PUBLISH t qos=1 id=1 p=020000005a long\n"
        SUB("c3", "t", "0")
        "c3 < PUBLISH t retain p=020000005a long\n"
        "wait 91\n"
        SUB("c3", "t", "0")
        "c3 < nothing\n");
    /* [MQTT-3.3.2-8], [MQTT-3.3.2-9], [MQTT-3.3.2-12] */
    refuses("Topic Alias 0", 0x94, "3007 000174 03 230000");
    refuses("Topic Alias beyond the server's maximum", 0x94, "3007 000174 03 230011");
    refuses("a Topic Alias that was not set", 0x82, "3006 0000 03 230001");
    run("every Topic Alias up to the server's maximum is taken",
        OPEN("c1", "a")
        SUB("c1", "#", "0")
        "c1 > PUBLISH t/1 p=230001 a\n"
        "c1 < PUBLISH t/1 a\n"
        "c1 > PUBLISH t/16 p=230010 b\n"
        "c1 < PUBLISH t/16 b\n"
        "c1 > PUBLISH - p=230001 c\n"
        "c1 < PUBLISH t/1 c\n"
        "c1 > PUBLISH - p=230010 qos=1 id=1 d\n"
        "c1 < PUBACK id=1\n"
        "c1 < PUBLISH t/16 d\n");
    /* [MQTT-3.3.2-7]: on either side, aliases end with the connection. */
    run("Topic Aliases do not outlive their connection",
        OPEN5("c1", "a", "1100001000220002")
        SUB("c1", "t", "1")
        "c1 > PUBLISH t p=230001 x\n"
        "c1 < PUBLISH t p=230001 x\n"
        "peer t y qos=1\n"
        "c1 < PUBLISH - p=230001 qos=1 id=1 y\n"
        "c1 closes\n"
        "c2 > CONNECT v=5 id=a clean=0 p=1100001000220002\n"
        "c2 < CONNACK 1 0 p=" LIMITS "\n"
        "c2 < PUBLISH t p=230001 qos=1 id=1 dup y\n"
        "c2 > PUBLISH - p=230001 z\n"
        "c2 < DISCONNECT reason=0x82\n"
        "c2 closed\n");
    /* [MQTT-3.1.2-26], [MQTT-3.1.2-27], [MQTT-3.3.2-11]. */
    run("Topic Aliases of the server: none unasked, none beyond the client's maximum",
        OPENP("c1", "a", "220001")
        SUB("c1", "#", "0")
        OPENP("c2", "b", "220000")
        SUB("c2", "#", "0")
        OPEN("c3", "c")
        SUB("c3", "#", "0")
        "peer t/1 x\n"
        "c1 < PUBLISH t/1 p=230001 x\n"
        "c2 < PUBLISH t/1 x\n"
        "c3 < PUBLISH t/1 x\n"
        "peer t/2 x\n"
        "c1 < PUBLISH t/2 x\n"
        "c2 < PUBLISH t/2 x\n"
        "c3 < PUBLISH t/2 x\n"
        "peer t/1 x\n"
        "c1 < PUBLISH - p=230001 x\n"
        "c2 < PUBLISH t/1 x\n"
        "c3 < PUBLISH t/1 x\n");
    /* [MQTT-3.1.2-24], [MQTT-3.1.2-25]: as if it had been sent; the window is not affected. */
    run("a message beyond the client's Maximum Packet Size is dropped for that client",
        OPENP("c1", "a", "2700000010210001")
        SUB("c1", "t", "2")
        OPEN("c2", "b")
        SUB("c2", "t", "0")
        "peer t 12345678 qos=2\n"
        "c1 < PUBLISH t qos=2 id=1 12345678\n"
        "c2 < PUBLISH t 12345678\n"
        "peer t 123456789 qos=1\n"
        "c2 < PUBLISH t 123456789\n"
        "peer t next qos=1\n"
        "c2 < PUBLISH t next\n"
        "c1 > PUBREC id=1\n"
        "c1 < PUBREL id=1\n"
        "c1 > PUBCOMP id=1\n"
        "c1 < PUBLISH t qos=1 id=2 next\n");
}

static void
test_delivery(void)
{
    /* [MQTT-4.3.1-1], [MQTT-4.3.2-1] to [MQTT-4.3.2-3], [MQTT-4.3.3-1] to [MQTT-4.3.3-6],
     * [MQTT-2.2.1-4], [MQTT-3.6.2-1]. */
    run("the server as sender",
        OPEN5("c1", "a", "1100001000")
        SUB("c1", "t", "2")
        "peer t 0 qos=0\n"
        "c1 < hex 3005 000174 00 30\n"
        "peer t 1 qos=1\n"
        "c1 < hex 3207 000174 0001 00 31\n"
        "peer t 2 qos=2\n"
        "c1 < hex 3407 000174 0002 00 32\n"
        "c1 > PUBREC id=2\n"
        "c1 < hex 6202 0002\n"
        "c1 closes\n"
        "c2 > CONNECT v=5 id=a clean=0 p=1100001000\n"
        "c2 < CONNACK 1 0 p=" LIMITS "\n"
        "c2 < hex 3a07 000174 0001 00 31\n"
        "c2 < hex 6202 0002\n"
        "c2 > PUBACK id=1\n"
        "c2 > PUBCOMP id=2\n"
        "c2 > PUBREC id=77\n"
        "c2 < hex 6203 004d 92\n"
        "c2 closes\n"
        "c3 > CONNECT v=5 id=a clean=0 p=1100001000\n"
        "c3 < CONNACK 1 0 p=" LIMITS "\n"
        "c3 < nothing\n");
    /* [MQTT-4.3.2-4], [MQTT-4.3.2-5], [MQTT-4.3.3-8], [MQTT-4.3.3-10] to [MQTT-4.3.3-12],
     * [MQTT-3.7.2-1]. */
    run("the server as receiver",
        OPEN("c1", "a")
        SUB("c1", "t", "0")
        "c1 > PUBLISH t qos=1 id=5 one\n"
        "c1 < hex 4002 0005\n"
        "c1 < PUBLISH t one\n"
        "c1 > PUBLISH t qos=1 id=5 dup one\n"
        "c1 < PUBACK id=5\n"
        "c1 < PUBLISH t one\n"
        "c1 > PUBLISH t qos=2 id=5 two\n"
        "c1 < hex 5002 0005\n"
        "c1 < PUBLISH t two\n"
        "c1 > PUBLISH t qos=2 id=5 dup two\n"
        "c1 < PUBREC id=5\n"
        "c1 > PUBREL id=5\n"
        "c1 < hex 7002 0005\n"
        "c1 > PUBREL id=5\n"
        "c1 < hex 7003 0005 92\n"
        "c1 > PUBLISH t qos=2 id=5 three\n"
        "c1 < PUBREC id=5\n"
        "c1 < PUBLISH t three\n");
    /* [MQTT-4.3.3-7], [MQTT-4.3.3-13]: no expiry after a PUBLISH was sent, nor instead of an
     * acknowledgement. */
    run("Message Expiry ends with the first sending; QoS 2 goes on in any case",
        OPEN5("c1", "a", "1100001000")
        SUB("c1", "t", "2")
        OPEN("c2", "b")
        "c2 > PUBLISH t qos=2 id=1 p=0200000005 x\n"
        "c2 < PUBREC id=1\n"
        "c1 < PUBLISH t qos=2 id=1 p=0200000005 x\n"
        "c1 closes\n"
        "c2 > PUBLISH t qos=2 id=2 p=0200000005 y\n"
        "c2 < PUBREC id=2\n"
        "wait 20\n"
        "c2 > PUBREL id=2\n"
        "c2 < PUBCOMP id=2\n"
        "c1b > CONNECT v=5 id=a clean=0 p=1100001000\n"
        "c1b < CONNACK 1 0 p=" LIMITS "\n"
        "c1b < PUBLISH t qos=2 id=1 dup p=0200000000 x\n"
        "c1b > PUBREC id=1\n"
        "c1b < PUBREL id=1\n");
    /* [MQTT-4.4.0-1], [MQTT-4.4.0-2]: again in order on a new connection only; not what was
     * refused. */
    run("what is sent again, and what is not",
        OPEN5("c1", "a", "1100001000")
        SUB("c1", "t", "2")
        "peer t 1 qos=2\n"
        "peer t 2 qos=1\n"
        "peer t 3 qos=2\n"
        "peer t 4 qos=1\n"
        "c1 < PUBLISH t qos=2 id=1 1\n"
        "c1 < PUBLISH t qos=1 id=2 2\n"
        "c1 < PUBLISH t qos=2 id=3 3\n"
        "c1 < PUBLISH t qos=1 id=4 4\n"
        "c1 > PUBREC id=1 reason=0x80\n"
        "c1 > PUBACK id=2 reason=0x97\n"
        "wait 10000\n"
        "c1 < nothing\n"
        "c1 closes\n"
        "c2 > CONNECT v=5 id=a clean=0 p=1100001000\n"
        "c2 < CONNACK 1 0 p=" LIMITS "\n"
        "c2 < PUBLISH t qos=2 id=3 dup 3\n"
        "c2 < PUBLISH t qos=1 id=4 dup 4\n"
        "c2 < nothing\n");
}

static void
test_flow_control(void)
{
    struct mqtt_config config = config_qos2();

    /* [MQTT-3.3.4-9], [MQTT-3.3.4-10], [MQTT-4.9.0-1], [MQTT-4.9.0-2], [MQTT-4.9.0-3]. */
    run("the client's Receive Maximum holds back PUBLISH with QoS, and nothing else",
        OPENP("c1", "a", "210002")
        SUB("c1", "t", "2")
        "peer t 1 qos=1\n"
        "peer t 2 qos=2\n"
        "peer t 3 qos=1\n"
        "c1 < PUBLISH t qos=1 id=1 1\n"
        "c1 < PUBLISH t qos=2 id=2 2\n"
        "c1 < nothing\n"
        "c1 > PUBREC id=2\n"
        "c1 < PUBREL id=2\n"
        "peer t 0\n"
        "c1 < PUBLISH t 0\n"
        "c1 > PINGREQ\n"
        "c1 < PINGRESP\n"
        "c1 > SUBSCRIBE id=7 u\n"
        "c1 < SUBACK id=7 0\n"
        "c1 > PUBLISH v qos=2 id=9 x\n"
        "c1 < PUBREC id=9\n"
        "c1 > PUBREL id=9\n"
        "c1 < PUBCOMP id=9\n"
        "c1 < nothing\n"
        "c1 > PUBCOMP id=2\n"
        "c1 < PUBLISH t qos=1 id=3 3\n");
    /* [MQTT-3.3.4-7] */
    config.max_inflight = 1;
    script_run("more than the server's Receive Maximum ends the connection", &config,
               "c1 > CONNECT v=5 id=a\n"
               "c1 < CONNACK 0 0 p=2100012200102700100000\n"
               "c1 > PUBLISH t qos=2 id=1 x\n"
               "c1 < PUBREC id=1\n"
               "c1 > PUBLISH t qos=1 id=2 x\n"
               "c1 < PUBACK id=2\n"
               "c1 > PUBLISH t qos=2 id=3 x\n"
               "c1 < hex e002 93 00\n"
               "c1 closed\n");
    /* [MQTT-4.6.0-5]: each topic and QoS, while the window is closed as well. */
    script_run("order of messages while the window is closed", &config,
               "c1 > CONNECT v=5 id=a\n"
               "c1 < CONNACK 0 0 p=2100012200102700100000\n"
               SUB("c1", "u", "2")
               "peer u 1 qos=1\n"
               "peer u 2 qos=1\n"
               "peer u 3 qos=2\n"
               "peer u 4 qos=2\n"
               "peer u 5 qos=1\n"
               "c1 < PUBLISH u qos=1 id=1 1\n"
               "c1 < nothing\n"
               "c1 > PUBACK id=1\n"
               "c1 < PUBLISH u qos=1 id=2 2\n"
               "c1 > PUBACK id=2\n"
               "c1 < PUBLISH u qos=2 id=3 3\n"
               "c1 > PUBREC id=3\n"
               "c1 < PUBREL id=3\n"
               "c1 > PUBCOMP id=3\n"
               "c1 < PUBLISH u qos=2 id=4 4\n"
               "c1 > PUBREC id=4\n"
               "c1 < PUBREL id=4\n"
               "c1 > PUBCOMP id=4\n"
               "c1 < PUBLISH u qos=1 id=5 5\n");
    /* [MQTT-4.6.0-1] to [MQTT-4.6.0-6]. */
    run("order of acknowledgements and of messages",
        OPEN("c1", "a")
        SUB("c1", "u", "2")
        "c1 > hex 3207 000174 0009 00 78 3207 000174 0003 00 78 3407 000174 0008 00 78"
        " 3407 000174 0002 00 78\n"
        "c1 < hex 40020009 40020003 50020008 50020002\n"
        "c1 stalls\n"
        "peer u 1 qos=2\n"
        "peer u 2 qos=1\n"
        "peer u 3\n"
        "peer u 4 qos=2\n"
        "c1 reads\n"
        "c1 < PUBLISH u qos=2 id=1 1\n"
        "c1 < PUBLISH u qos=1 id=2 2\n"
        "c1 < PUBLISH u 3\n"
        "c1 < PUBLISH u qos=2 id=3 4\n"
        "c1 > hex 50020003 50020001\n"
        "c1 < hex 62020003 62020001\n");
}

static void
test_topics(void)
{
    /* [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.2-1]. */
    run("wildcards",
        OPEN("c1", "a") SUB("c1", "sport/tennis/player1/#", "0")
        OPEN("c2", "b") SUB("c2", "sport/+", "0")
        OPEN("c3", "c") SUB("c3", "/+", "0")
        OPEN("c5", "e") SUB("c5", "$x/#", "0") SUB("c5", "#", "0") SUB("c5", "+/monitor", "0")
        SUB("c5", "$share/g/#", "0") SUB("c5", "$share/h/+/monitor", "0")
        "peer sport/tennis/player1 1\n"
        "c1 < PUBLISH sport/tennis/player1 1\n"
        "c5 < PUBLISH sport/tennis/player1 1\n"
        "c5 < PUBLISH sport/tennis/player1 1\n"
        "peer sport/ 2\n"
        "c2 < PUBLISH sport/ 2\n"
        "c5 < PUBLISH sport/ 2\n"
        "c5 < PUBLISH sport/ 2\n"
        "peer /finance 3\n"
        "c3 < PUBLISH /finance 3\n"
        "c5 < PUBLISH /finance 3\n"
        "c5 < PUBLISH /finance 3\n"
        "peer $x/monitor 4\n"
        "c5 < PUBLISH $x/monitor 4\n");
}

static void
test_shared(void)
{
    /* [MQTT-4.8.2-3]: the QoS of the member that was chosen. */
    run("shared: each member at its own QoS and with its own identifier",
        OPEN("c1", "a")
        "c1 > SUBSCRIBE id=1 p=0b01 $share/g/t:0\n"
        "c1 < SUBACK id=1 0\n"
        OPEN("c2", "b")
        "c2 > SUBSCRIBE id=1 p=0b02 $share/g/t:2\n"
        "c2 < SUBACK id=1 2\n"
        "peer t x qos=2\n"
        "c1 < PUBLISH t p=0b01 x\n"
        "peer t y qos=2\n"
        "c2 < PUBLISH t qos=2 id=1 p=0b02 y\n"
        "c2 > PUBREC id=1 reason=0x80\n"
        "peer t z qos=1\n"
        "c1 < PUBLISH t p=0b01 z\n");
    /* [MQTT-4.8.2-4]: QoS 2 that was begun is completed with who has it; [MQTT-4.8.2-5]: with
     * nobody else if that one never comes back. */
    run("shared: QoS 2 that was begun stays with its member",
        OPEN5("c1", "a", "1100001000")
        SUB("c1", "$share/g/t", "2")
        OPEN("c2", "b")
        SUB("c2", "$share/g/t", "2")
        "peer t 1 qos=2\n"
        "c1 < PUBLISH t qos=2 id=1 1\n"
        "c1 closes\n"
        "c2 < nothing\n"
        "c1b > CONNECT v=5 id=a clean=0 p=1100000005\n"
        "c1b < CONNACK 1 0 p=" LIMITS "\n"
        "c1b < PUBLISH t qos=2 id=1 dup 1\n"
        "c1b > PUBREC id=1\n"
        "c1b < PUBREL id=1\n"
        "c1b closes\n"
        "wait 10\n"
        "c2 < nothing\n"
        "c3 > CONNECT v=5 id=a clean=0\n"
        "c3 < CONNACK 0 0 p=" LIMITS "\n");
    run("shared: QoS 2 that was sent and never acknowledged ends with its member's session",
        OPEN5("c1", "a", "1100000005")
        SUB("c1", "$share/g/t", "2")
        OPEN("c2", "b")
        SUB("c2", "$share/g/t", "2")
        "peer t 1 qos=2\n"
        "c1 < PUBLISH t qos=2 id=1 1\n"
        "c1 closes\n"
        "wait 10\n"
        "c2 < nothing\n"
        "peer t 2 qos=2\n"
        "c2 < PUBLISH t qos=2 id=1 2\n");
    /* Section 4.8.2: what was not acknowledged, or not even begun, goes to others. */
    run("shared: what a member leaves behind when its session ends goes to others",
        OPEN5("c1", "a", "1100000005")
        SUB("c1", "$share/g/t", "2")
        OPEN("c2", "b")
        SUB("c2", "$share/g/t", "2")
        "peer t 1 qos=1\n"
        "c1 < PUBLISH t qos=1 id=1 1\n"
        "peer t 2 qos=1\n"
        "c2 < PUBLISH t qos=1 id=1 2\n"
        "c1 stalls\n"
        "peer t 3 qos=2\n"
        "c1 closes\n"
        "c2 < nothing\n"
        "wait 10\n"
        "c2 < PUBLISH t qos=1 id=2 1\n"
        "c2 < PUBLISH t qos=2 id=3 3\n"
        OPEN("c3", "c")
        SUB("c3", "t", "1")
        SUB("c3", "$share/g/t", "1")
        "c3 stalls\n"
        "peer t 4 qos=1\n"
        "peer t 5 qos=1\n"
        "c3 closes\n"
        "c2 < PUBLISH t qos=1 id=4 5\n"
        "c2 < PUBLISH t qos=1 id=5 4\n");
    /* [MQTT-4.8.2-6] */
    run("shared: what a member refuses is not offered to another",
        OPEN("c1", "a")
        SUB("c1", "$share/g/t", "2")
        OPEN("c2", "b")
        SUB("c2", "$share/g/t", "2")
        "peer t 1 qos=1\n"
        "c1 < PUBLISH t qos=1 id=1 1\n"
        "c1 > PUBACK id=1 reason=0x83\n"
        "peer t 2 qos=2\n"
        "c2 < PUBLISH t qos=2 id=1 2\n"
        "c2 > PUBREC id=1 reason=0x83\n"
        "c1 < nothing\n"
        "c2 < nothing\n");
}

int
main(void)
{
    test_will();
    test_publish();
    test_all_identifiers();
    test_retained();
    test_no_retained();
    test_properties();
    test_delivery();
    test_flow_control();
    test_topics();
    test_shared();
    return done_testing();
}
