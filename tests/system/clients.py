# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""mosquitto_sub and mosquitto_pub as tests use them: whole payloads, binary too.

Options of both, as keywords: port, user, password, qos, client_id, keepalive, version
("mqttv311", "mqttv5"), more (a list of further words of the command line).
"""

import collections

from procs import run, wait_for



class Message(collections.namedtuple("Message", "topic payload qos retain")):
    def __repr__(self):
        return "<%s: %d bytes %r qos %d retain %d>" % (
            self.topic, len(self.payload), self.payload[:60], self.qos, self.retain)


OPTIONS = (("port", "-p"), ("user", "-u"), ("password", "-P"), ("qos", "-q"),
           ("client_id", "-i"), ("keepalive", "-k"), ("version", "-V"))


def _words(broker, options):
    known = [name for name, _ in OPTIONS] + ["more", "retain", "check", "timeout"]
    for name in options:
        assert name in known, "no option %s" % name
    words = ["-h", broker]
    for name, option in OPTIONS:
        if options.get(name) is not None:
            words += [option, str(options[name])]
    return words + list(options.get("more", ()))


class Subscriber:
    """A mosquitto_sub in the background.  With a password that is refused it ends: look at
    .process."""

    # One line a message, apart from what -d says: topic, retain, QoS, payload in hex.
    FORMAT = "MSG %r %q %x %t"

    def __init__(self, lab, host, broker, topics, options):
        self.name = "sub-%s-%s" % (host.name, "".join(c if c.isalnum() else "_"
                                                      for c in topics[0][:20]))
        # Line by line: into a file it would keep everything for itself until the end.
        words = ["stdbuf", "-oL", "mosquitto_sub", "-d", "-F", self.FORMAT,
                 *_words(broker, options)]
        for topic in topics:
            words += ["-t", topic]
        self.process = host.spawn(self.name, words)
        self.name = self.process.name

    def wait_ready(self, timeout=10):
        """Until SUBACK."""
        self.process.wait_text("Subscribed (mid: 1)", timeout)
        return self

    @property
    def messages(self):
        """What has arrived until now, in order."""
        found = []
        for line in self.process.out.split(b"\n")[:-1]:
            if line.startswith(b"MSG "):
                _, retain, qos, payload, topic = line.split(b" ", 4)
                found.append(Message(topic.decode(), bytes.fromhex(payload.decode()), int(qos),
                                     int(retain)))
        return found

    @property
    def payloads(self):
        return [message.payload for message in self.messages]

    def wait_messages(self, n=1, timeout=5):
        """Waits for at least n messages and returns all."""
        return wait_for(lambda: self.messages if len(self.messages) >= n else None, timeout,
                        lambda: "%d messages at %s; there are %r" % (
                            n, self.name, self.messages))

    def stop(self):
        """By SIGTERM: mosquitto_sub sends UNSUBSCRIBE or DISCONNECT."""
        return self.process.stop()

    def kill(self):
        """Its kernel closes the connection: FIN, or RST when data is unread."""
        return self.process.kill()


class Publisher:
    def __init__(self, host, broker, options):
        self.host, self.options = host, dict(options)
        self.words = _words(broker, options)

    def publish(self, topic, payload):
        """The CompletedProcess; status 0 means that the broker has it (QoS 1, 2) or that it was
        sent (QoS 0), and check=False that the status is the caller's business."""
        payload = payload.encode() if isinstance(payload, str) else payload
        words = ["mosquitto_pub", *self.words, "-t", topic]
        if self.options.get("retain"):
            words.append("-r")
        words += ["-s"] if payload else ["-n"]
        return run(["ip", "netns", "exec", self.host.ns, *words], stdin=payload or None,
                   timeout=self.options.get("timeout", 20),
                   check=self.options.get("check", True))
