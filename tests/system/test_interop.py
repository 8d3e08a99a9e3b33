# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""Clients that others wrote, at a daemon on a real switch: mosquitto_pub, mosquitto_sub and
mosquitto_rr, Paho for Python, MQTT.js; each by MQTT 3.1.1 and 5.0.  What MQTT demands byte by byte
is tests/conformance' business; here it is whether they get on with one another."""

import os

from lab import HERE, PYTHON, Lab, mqttjs_modules, stays, test, wait_for
from test_edge import VIRTUAL, one_switch, virtual

VERSIONS = ("mqttv311", "mqttv5")
MOSQUITTO = ("daemon", "mosquitto")


def flags_of(version, *more):
    return {"version": version, "more": list(more)}


class Collector:
    """A mosquitto_sub that prints one line of 'format' a message."""

    def __init__(self, host, name, template, *arguments):
        self.process = host.spawn(name, ["stdbuf", "-oL", "mosquitto_sub", "-d", "-h", VIRTUAL,
                                         "-F", "MSG " + template, *arguments])
        self.process.wait_text("Subscribed (mid: 1)", 10)

    @property
    def lines(self):
        return [line[4:] for line in self.process.out.decode().split("\n")[:-1]
                if line.startswith("MSG ")]

    def wait(self, *wanted):
        wait_for(lambda: self.lines == list(wanted), 5,
                 lambda: "%r; there are %r" % (wanted, self.lines))


@test("interop-mosquitto-qos-0-1-2-and-retained", needs=MOSQUITTO)
def qos_and_retained():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        for version in VERSIONS:
            topic = "q/" + version
            sub = lab.subscribe(h2, VIRTUAL, topic + "/#", qos=2, **flags_of(version))
            for qos in (0, 1, 2):
                lab.publish(h1, VIRTUAL, "%s/%d" % (topic, qos), "live%d" % qos, qos=qos,
                            retain=True, **flags_of(version))
            assert [(m.payload, m.qos, m.retain) for m in sub.wait_messages(3)] == [
                (b"live0", 0, 0), (b"live1", 1, 0), (b"live2", 2, 0)], sub.messages
            late = lab.subscribe(h2, VIRTUAL, topic + "/#", qos=1, **flags_of(version))
            assert sorted((m.payload, m.qos, m.retain) for m in late.wait_messages(3)) == [
                (b"live0", 0, 1), (b"live1", 1, 1), (b"live2", 1, 1)], late.messages
            for qos in (0, 1, 2):
                lab.publish(h1, VIRTUAL, "%s/%d" % (topic, qos), retain=True,
                            **flags_of(version))
            assert [m.payload for m in sub.wait_messages(6)[3:]] == [b"", b"", b""]
            never = lab.subscribe(h2, VIRTUAL, topic + "/#", **flags_of(version))
            stays(lambda: not never.messages, 0.3, "that nothing is retained any more")


@test("interop-mosquitto-wills", needs=MOSQUITTO)
def wills():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        for version in VERSIONS:
            watcher = lab.subscribe(h2, VIRTUAL, "w/" + version, qos=2, **flags_of(version))
            will = ("--will-topic", "w/" + version, "--will-payload", "gone", "--will-qos", "2",
                    "--will-retain")
            polite = lab.subscribe(h1, VIRTUAL, "x", **flags_of(version, "-E", *will))
            assert polite.process.wait() == 0
            stays(lambda: not watcher.messages, 0.3, "the silence after DISCONNECT")
            killed = lab.subscribe(h1, VIRTUAL, "x", **flags_of(version, *will))
            # By SIGTERM it says DISCONNECT with Will where it can, in 5.0.
            killed.stop() if version == "mqttv5" else killed.kill()
            message, = watcher.wait_messages(1)
            assert (message.payload, message.qos) == (b"gone", 2), message
            late = lab.subscribe(h2, VIRTUAL, "w/" + version, **flags_of(version))
            assert late.wait_messages(1)[0].retain == 1
        delayed = lab.subscribe(h1, VIRTUAL, "x", client_id="d", **flags_of(
            "mqttv5", "-x", "100", "--will-topic", "w/mqttv5", "--will-payload", "late",
            "-D", "will", "will-delay-interval", "1"))
        delayed.kill()
        stays(lambda: len(watcher.messages) == 1, 0.6, "the delay of the Will")
        assert watcher.wait_messages(2)[1].payload == b"late"


@test("interop-mosquitto-clean-and-persistent-sessions", needs=MOSQUITTO)
def sessions():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        for version in VERSIONS:
            for qos in (1, 2):
                topic = "s/%s/%d" % (version, qos)
                keep = {"qos": qos, "client_id": topic.replace("/", "-"),
                        **flags_of(version, "-c")}
                lab.subscribe(h2, VIRTUAL, topic, **keep).kill()
                sent = [b"missed-%d" % i for i in range(20)]
                for payload in sent:
                    lab.publish(h1, VIRTUAL, topic, payload, qos=qos, **flags_of(version))
                back = lab.subscribe(h2, VIRTUAL, topic, **keep)
                back.wait_messages(20)
                assert back.payloads == sent, back.payloads
                back.kill()
                # The same client without -c: nothing of before.
                lab.publish(h1, VIRTUAL, topic, "lost", qos=qos, **flags_of(version))
                clean = dict(keep, **flags_of(version))
                again = lab.subscribe(h2, VIRTUAL, topic, **clean)
                stays(lambda: not again.messages, 0.3, "a clean session's emptiness")
                again.stop()


@test("interop-mosquitto-properties-of-5.0", needs=MOSQUITTO)
def properties():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        live = Collector(h2, "live", "%C|%D|%E|%F|%P|%R|%S|%q|%p", "-V", "mqttv5", "-q", "1",
                         "-t", "p/+", "-D", "subscribe", "subscription-identifier", "77")
        publish = ["-D", "publish", "content-type", "text/plain",
                   "-D", "publish", "correlation-data", "c-17",
                   "-D", "publish", "message-expiry-interval", "1000",
                   "-D", "publish", "payload-format-indicator", "1",
                   "-D", "publish", "response-topic", "answer/here",
                   "-D", "publish", "user-property", "z", "1",
                   "-D", "publish", "user-property", "a", "2",
                   "-D", "publish", "user-property", "z", "3"]
        line = "text/plain|c-17|1000|1|z:1 a:2 z:3|answer/here|77|1|hello"
        lab.publish(h1, VIRTUAL, "p/1", "hello", qos=1, retain=True, version="mqttv5",
                    more=publish)
        live.wait(line)
        late = Collector(h2, "late", "%C|%D|%F|%P|%R|%r|%p", "-V", "mqttv5", "-t", "p/1")
        late.wait("text/plain|c-17|1|z:1 a:2 z:3|answer/here|1|hello")
        old = lab.subscribe(h2, VIRTUAL, "p/1", version="mqttv311")
        assert old.wait_messages(1)[0].payload == b"hello"
        # What is short-lived is not there for who comes back late.
        keep = {"qos": 1, "client_id": "e", "version": "mqttv5", "more": ["-c"]}
        lab.subscribe(h2, VIRTUAL, "e", **keep).kill()
        lab.publish(h1, VIRTUAL, "e", "short", qos=1, version="mqttv5",
                    more=["-D", "publish", "message-expiry-interval", "1"])
        lab.publish(h1, VIRTUAL, "e", "long", qos=1, version="mqttv5",
                    more=["-D", "publish", "message-expiry-interval", "60"])
        stays(lambda: True, 1.2)
        back = lab.subscribe(h2, VIRTUAL, "e", **keep)
        assert back.wait_messages(1)[0].payload == b"long"


@test("interop-mosquitto-topic-aliases", needs=MOSQUITTO)
def aliases():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        # mosquitto_sub itself understands none (2.0.11): aliases of the server are for MQTT.js.
        sub = Collector(h2, "aliases", "%t|%p", "-V", "mqttv5", "-t", "a/#")
        wanted = []
        for topic, payload in (("a/1", "x"), ("a/1", "y"), ("a/2", "x"), ("a/3", "x"),
                               ("a/2", "y"), ("a/1", "z"), ("a/3", "y")):
            lab.publish(h1, VIRTUAL, topic, payload, version="mqttv5",
                        more=["-D", "publish", "topic-alias", "16"])
            wanted.append(topic + "|" + payload)
        sub.wait(*wanted)
        # Many messages of one publisher over one alias.
        h1.run(["sh", "-c", "seq 1 50 | mosquitto_pub -V mqttv5 -h %s -t a/l -l -q 1 "
                            "-D publish topic-alias 1" % VIRTUAL])
        sub.wait(*wanted, *("a/l|%d" % i for i in range(1, 51)))


@test("interop-mosquitto-shared-subscriptions", needs=MOSQUITTO)
def shared():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        members = [lab.subscribe(h2, VIRTUAL, "$share/g/t/+", qos=1, **flags_of(version))
                   for version in ("mqttv5", "mqttv5", "mqttv311")]
        whole = lab.subscribe(h2, VIRTUAL, "t/#", qos=1)
        for i in range(12):
            lab.publish(h1, VIRTUAL, "t/1", str(i), qos=1, version="mqttv5")
        whole.wait_messages(12)
        wait_for(lambda: sum(len(m.messages) for m in members) == 12, 5, "all to be taken")
        assert sorted(p for m in members for p in m.payloads) == sorted(
            b"%d" % i for i in range(12)), "each once"
        assert [len(m.messages) for m in members] == [4, 4, 4], "in turns"
        members[0].stop()
        for i in range(4):
            lab.publish(h1, VIRTUAL, "t/1", "later", qos=1)
        wait_for(lambda: [len(m.messages) for m in members[1:]] == [6, 6], 5, "the others")


@test("interop-mosquitto-rr-request-and-response", needs=MOSQUITTO)
def request_response():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab)
        for version in VERSIONS:
            server = Collector(h2, "server-" + version, "%R|%p", "-V", version, "-t", "request")
            client = h1.spawn("rr-" + version, [
                "mosquitto_rr", "-V", version, "-h", VIRTUAL, "-q", "1", "-t", "request",
                "-e", "answer/" + version, "-m", "question", "-W", "10"])
            # Only 5.0 can say where the answer is to go.
            server.wait("%s|question" % ("answer/" + version if version == "mqttv5" else ""))
            lab.publish(h2, VIRTUAL, "answer/" + version, "42", qos=1, version=version)
            assert client.wait(10) == 0, client.text
            assert client.out == b"42\n", client.out
            server.process.stop()


@test("interop-paho-python", needs=("daemon", "paho"), timeout=90)
def paho():
    with Lab() as lab:
        h1, _ = one_switch(lab)
        virtual(lab)
        for version in ("4", "5"):
            done = h1.run([PYTHON, "-B", os.path.join(HERE, "interop_paho.py"), VIRTUAL,
                           version], timeout=40, check=False)
            assert done.returncode == 0, (done.stdout + done.stderr).decode()


@test("interop-mqttjs", needs=("daemon", "mqtt.js"), timeout=90)
def mqttjs():
    with Lab() as lab:
        h1, _ = one_switch(lab)
        virtual(lab)
        for version in ("4", "5"):
            done = h1.run(["env", "NODE_PATH=" + mqttjs_modules(), "node",
                           os.path.join(HERE, "interop_mqttjs.js"), VIRTUAL, version],
                          timeout=40, check=False)
            assert done.returncode == 0, (done.stdout + done.stderr).decode()
