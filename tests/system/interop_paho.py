# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""interop_paho.py BROKER 4|5: what a program with Paho's client does with a broker: QoS 0 to 2,
retained messages, Wills, sessions; of 5.0 properties, shared subscriptions, reasons.  Exit status 0
only if all was as it must be.  Run by test_interop.py in a host's namespace."""

import sys
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

BROKER, VERSION = sys.argv[1], int(sys.argv[2])
IS_V5 = VERSION == 5


def wait_for(condition, what, timeout=5):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain for " + what
        time.sleep(0.01)


def props(kind, **values):
    made = Properties(kind)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Client:
    def __init__(self, name, clean=True, will=None, expiry=0):
        self.messages, self.acks, self.flags, self.reasons = [], set(), None, []
        extra = {} if IS_V5 else {"clean_session": clean}
        self.c = c = mqtt.Client(client_id=name, protocol=mqtt.MQTTv5 if IS_V5 else mqtt.MQTTv311,
                                 **extra)
        c.on_message = lambda _c, _u, m: self.messages.append(m)
        c.on_connect = self.on_connect
        c.on_publish = lambda _c, _u, mid: self.acks.add(mid)
        c.on_subscribe = lambda _c, _u, mid, codes, *_: self.reasons.append(
            [getattr(code, "value", code) for code in codes])
        if will:
            c.will_set(*will[0], **will[1])
        if IS_V5:
            # No Topic Alias Maximum: Paho 1.6 hands the alias to the program, not the topic.
            c.connect(BROKER, 1883, clean_start=clean, properties=props(
                PacketTypes.CONNECT, SessionExpiryInterval=expiry, ReceiveMaximum=5))
        else:
            c.connect(BROKER, 1883)
        c.loop_start()
        wait_for(lambda: self.flags is not None, "CONNACK")

    def on_connect(self, _client, _data, flags, reason, *_properties):
        assert getattr(reason, "value", reason) == 0, reason
        self.flags = flags

    def subscribe(self, *args, **kw):
        n = len(self.reasons)
        self.c.subscribe(*args, **kw)
        wait_for(lambda: len(self.reasons) > n, "SUBACK")
        return self.reasons[-1]

    def publish(self, topic, payload, **kw):
        info = self.c.publish(topic, payload, **kw)
        info.wait_for_publish(5)
        assert info.is_published()

    def wait(self, n):
        wait_for(lambda: len(self.messages) >= n, "%d messages; there are %d" % (
            n, len(self.messages)))
        return self.messages

    def stop(self):
        self.c.disconnect()
        self.c.loop_stop()

    def vanish(self):
        """Without DISCONNECT."""
        self.c.loop_stop()
        self.c._sock_close()


def qos_and_retained():
    sub, pub = Client("sub"), Client("pub")
    assert sub.subscribe([("t/#", 2), ("v", 1), ("u", 0)]) == [2, 1, 0]
    big = bytes(range(256)) * 1000
    for qos in (0, 1, 2):
        pub.publish("t/%d" % qos, big, qos=qos)
    got = sub.wait(3)
    assert [(m.topic, m.qos, m.payload == big, m.retain) for m in got] == [
        ("t/%d" % q, q, True, 0) for q in (0, 1, 2)], "QoS 0 to 2"
    # More than the window at a time, in order.
    for i in range(200):
        pub.c.publish("t/many", str(i), qos=1 + i % 2)
    got = sub.wait(203)[3:]
    for qos in (1, 2):                # Each in its order; of QoS 2 one hears after PUBREL.
        assert [int(m.payload) for m in got if m.qos == qos] == list(range(qos - 1, 200, 2)), qos
    pub.publish("r/x", "kept", qos=1, retain=True)
    late = Client("late")
    late.subscribe("r/+", 1)
    assert [(m.payload, m.retain) for m in late.wait(1)] == [(b"kept", 1)], "retained"
    pub.publish("r/x", "", qos=1, retain=True)
    late.c.unsubscribe("r/+")
    for each in (sub, pub, late):
        each.stop()


def wills_and_sessions():
    watcher = Client("watcher")
    watcher.subscribe("will/#", 2)
    doomed = Client("doomed", will=(("will/d", "gone"), {"qos": 1}))
    doomed.vanish()
    assert watcher.wait(1)[0].payload == b"gone", "Will"
    polite = Client("polite", will=(("will/p", "gone"), {"qos": 1}))
    polite.stop()
    keeper = Client("keeper", clean=False, expiry=1000)
    keeper.subscribe("k/#", 2)
    keeper.vanish()
    pub = Client("pub")
    for qos in (1, 2, 1):
        pub.publish("k/%d" % qos, "missed", qos=qos)
    again = Client("keeper", clean=False, expiry=1000)
    flags = again.flags
    assert flags["session present"] == 1, "Session Present"
    got = sorted((m.topic, m.qos) for m in again.wait(3))
    assert got == [("k/1", 1), ("k/1", 1), ("k/2", 2)], got
    again.stop()
    clean = Client("keeper", clean=True)
    assert clean.flags["session present"] == 0, "a clean session"
    assert len(watcher.messages) == 1, "no Will after DISCONNECT"
    for each in (watcher, pub, clean):
        each.stop()


def version5():
    sub, pub = Client("sub5"), Client("pub5")
    sub.subscribe("p/#", options=SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True),
                  properties=props(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=268435455))
    pub.publish("p/1", "hello", qos=1, retain=True, properties=props(
        PacketTypes.PUBLISH, UserProperty=[("z", "1"), ("a", "2"), ("z", "3")],
        ResponseTopic="answer", CorrelationData=b"\x00\xff", ContentType="text/plain",
        MessageExpiryInterval=100, PayloadFormatIndicator=1, TopicAlias=3))
    message, = sub.wait(1)
    p = message.properties
    assert (p.UserProperty, p.ResponseTopic, p.CorrelationData, p.ContentType,
            p.PayloadFormatIndicator, p.SubscriptionIdentifier, message.retain) == (
        [("z", "1"), ("a", "2"), ("z", "3")], "answer", b"\x00\xff", "text/plain", 1,
        [268435455], 1), str(p)
    assert 95 <= p.MessageExpiryInterval <= 100
    sub.publish("p/own", "mine", qos=1)
    members = [Client("m1"), Client("m2")]
    for member in members:
        member.subscribe("$share/g/s", qos=1)
    for i in range(10):
        pub.publish("s", str(i), qos=1)
    wait_for(lambda: sum(len(m.messages) for m in members) == 10, "the shared ones")
    assert all(len(m.messages) == 5 for m in members), "in turns"
    assert len(sub.messages) == 1, "No Local"
    for each in (sub, pub, *members):
        each.stop()


qos_and_retained()
wills_and_sessions()
if IS_V5:
    version5()
