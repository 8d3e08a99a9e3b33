# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""Who may connect and who may what: mosquitto's password and ACL files, places at the switch,
reload, a storm of CONNECTs, the $SYS tree."""

import hashlib
import base64
import os
import signal
import struct
import threading
import time

from lab import CommandFailed, Lab, run, stays, test, wait_for
from test_edge import VIRTUAL, one_switch, read_exactly, virtual


def write(lab, name, text):
    path = os.path.join(lab.dir, name)
    with open(path, "w") as out:
        out.write(text)
    os.chmod(path, 0o600)
    return path


def connect_packet(client_id, user=None, password=None, keepalive=60):
    def text(s):
        return struct.pack("!H", len(s)) + s.encode()
    flags = 2 | (0x80 if user else 0) | (0x40 if password else 0)
    body = text("MQTT") + bytes((4, flags)) + struct.pack("!H", keepalive) + text(client_id)
    body += (text(user) if user else b"") + (text(password) if password else b"")
    assert len(body) < 128
    return bytes((0x10, len(body))) + body


def passwords_by_mosquitto(lab):
    path = os.path.join(lab.dir, "passwords")
    run(["mosquitto_passwd", "-c", "-b", path, "ann", "secret"])
    run(["mosquitto_passwd", "-b", path, "bob", "other"])
    return path


@test("mosquitto-passwd-file-lets-its-users-in", needs=("daemon", "mosquitto"))
def password_file():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        virtual(lab, "--password-file", passwords_by_mosquitto(lab))
        sub = lab.subscribe(h2, VIRTUAL, "t", user="ann", password="secret")
        for options in ({"user": "ann", "password": "other"}, {"user": "eve", "password": "secret"},
                        {}, {"user": "bob", "password": "secret", "version": "mqttv5"}):
            done = lab.publish(h1, VIRTUAL, "t", "no", check=False, **options)
            assert done.returncode != 0, (options, done)
        lab.publish(h1, VIRTUAL, "t", "yes", user="bob", password="other", qos=1)
        assert [m.payload for m in sub.wait_messages(1)] == [b"yes"]


@test("acl-file-by-user-and-place", needs=("daemon", "mosquitto"))
def acl_file():
    with Lab() as lab:
        h1, h2, h3 = one_switch(lab, n_hosts=3)
        acl = write(lab, "acl", "topic read open/#\n"
                                "where mac=%s\npattern write up/%%c\n"
                                "where port=%d\npattern readwrite here/#\n"
                                "where\npattern read #\n" % (h1.mac, h2.ofport))
        daemon = virtual(lab, "--acl-file", acl)
        sub = lab.subscribe(h3, VIRTUAL, "#")
        lab.publish(h1, VIRTUAL, "up/one", "1", client_id="one", qos=1)
        lab.publish(h1, VIRTUAL, "up/two", "-", client_id="one", qos=1)
        lab.publish(h2, VIRTUAL, "up/two", "-", client_id="two", qos=1)
        lab.publish(h1, VIRTUAL, "here/x", "-", qos=1)
        lab.publish(h3, VIRTUAL, "open/x", "-", qos=1)
        lab.publish(h2, VIRTUAL, "here/x", "2", qos=1)
        assert [m.payload for m in sub.wait_messages(2)] == [b"1", b"2"]
        assert daemon.json("stats/show")["mqtt"]["acl_denied_in"] == 4


@test("reload-changes-all-or-nothing-and-drops-nobody", needs=("daemon", "mosquitto"))
def reload():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        passwords = passwords_by_mosquitto(lab)
        acl = write(lab, "acl", "user ann\ntopic a/#\nuser bob\ntopic a/#\n")
        daemon = virtual(lab, "--password-file", passwords, "--acl-file", acl)
        sub = lab.subscribe(h2, VIRTUAL, "a/#", user="ann", password="secret")

        def publish(topic, payload, user="bob", password="other"):
            return lab.publish(h1, VIRTUAL, topic, payload, user=user, password=password, qos=1,
                               check=False).returncode

        assert publish("a/1", "1") == 0
        sub.wait_messages(1)

        # A mistake in one file: neither counts, and the line is named.
        run(["mosquitto_passwd", "-b", passwords, "eve", "new"])
        write(lab, "acl", "user bob\ntopic b/#\ntopic nonsense a/#\n")
        try:
            daemon.appctl("config/reload")
            raise AssertionError("a bad file was taken")
        except CommandFailed as error:
            assert "%s:3" % acl in str(error), error
        assert publish("a/2", "2", "eve", "new") != 0, "the new user is not there yet"
        os.kill(daemon.process.pid, signal.SIGHUP)
        wait_for(lambda: daemon.log.count("%s:3" % acl) >= 2, 10, "the same by SIGHUP")
        assert publish("a/2", "2", "eve", "new") != 0, "nor is it after that"
        assert publish("a/2", "2") == 0
        assert [m.payload for m in sub.wait_messages(2)] == [b"1", b"2"]

        # Both are good, by SIGHUP: the rules hold for the connected subscriber.
        write(lab, "acl", "user bob\ntopic a/#\nuser ann\ntopic read a/open\n")
        os.kill(daemon.process.pid, signal.SIGHUP)
        wait_for(lambda: publish("x", "x", "eve", "new") == 0, 10, "the new user")
        assert publish("a/shut", "3") == 0
        assert publish("a/open", "4") == 0
        assert sub.wait_messages(3)[2].payload == b"4"
        assert daemon.json("stats/show")["mqtt"]["acl_denied_out"] == 1
        daemon.appctl("config/reload")
        assert sub.process.text.count("sending CONNECT") == 1, "the subscriber never had to return"


def slow_passwords(lab, rounds):
    """Judging one takes some ten milliseconds."""
    salt = b"0123456789ab"
    digest = hashlib.pbkdf2_hmac("sha512", b"secret", salt, rounds)
    return write(lab, "passwords", "ann:$7$%d$%s$%s\n" % (
        rounds, base64.b64encode(salt).decode(), base64.b64encode(digest).decode()))


@test("a-storm-of-connects-stops-no-traffic", timeout=120, needs=("daemon", "mosquitto"))
def storm():
    n = 200
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        daemon = virtual(lab, "--password-file", slow_passwords(lab, 60000),
                         "--allow-anonymous", "true")
        calm = h2.connect(VIRTUAL, timeout=30)
        calm.sendall(connect_packet("calm"))
        assert read_exactly(calm, 4) == b"\x20\x02\0\0"

        clients = [h1.connect(VIRTUAL, timeout=60) for _ in range(n)]
        longest, done = [0.0], threading.Event()

        def ping():
            while not done.is_set():
                sent = time.monotonic()
                calm.sendall(b"\xc0\0")
                assert read_exactly(calm, 2) == b"\xd0\0"
                longest[0] = max(longest[0], time.monotonic() - sent)
                time.sleep(0.01)

        thread = threading.Thread(target=ping)
        thread.start()
        try:
            started = time.monotonic()
            for i, client in enumerate(clients):
                client.sendall(connect_packet("c%d" % i, "ann", "secret" if i % 2 else "wrong"))
            answers = [read_exactly(client, 4) for client in clients]
            print("%d CONNECTs in %.1f s" % (n, time.monotonic() - started))
        finally:
            done.set()
            thread.join()
        assert answers == [b"\x20\x02\0\0" if i % 2 else b"\x20\x02\0\x05" for i in range(n)]
        print("longest answer to a PINGREQ: %.0f ms" % (longest[0] * 1000))
        assert 0 < longest[0] < 1, longest
        stats = daemon.json("stats/show")["auth"]
        assert (stats["asked"], stats["good"], stats["bad"], stats["busy"]) == (n, n / 2, n / 2, 0)


@test("connects-beyond-the-queue-of-passwords-are-told-busy", needs=("daemon",))
def busy():
    with Lab() as lab:
        h1, = one_switch(lab, n_hosts=1)
        daemon = virtual(lab, "--password-file", slow_passwords(lab, 200000),
                         "--max-auth-queue", "3")
        clients = [h1.connect(VIRTUAL, timeout=30) for _ in range(20)]
        for i, client in enumerate(clients):
            client.sendall(connect_packet("c%d" % i, "ann", "secret"))
        codes = [read_exactly(client, 4)[3] for client in clients]
        assert set(codes) == {0, 3} and codes.count(0) >= 3, codes
        assert daemon.json("stats/show")["auth"]["busy"] == codes.count(3)


@test("sys-tree-has-mosquittos-names-and-stays-at-home", needs=("daemon", "mosquitto"))
def sys_tree():
    with Lab() as lab:
        h1, h2 = one_switch(lab)
        lab.mosquitto(h1, config=["sys_interval 1"])
        daemon = virtual(lab, "--sys-interval", "1")
        theirs = lab.subscribe(h2, h1.ip, "$SYS/#")
        ours = lab.subscribe(h2, VIRTUAL, "$SYS/#")
        everything = lab.subscribe(h1, VIRTUAL, "#")
        stays(lambda: not everything.messages, 2.5, "silence for #")
        names = {m.topic for m in theirs.messages}
        found = {m.topic for m in ours.messages}
        assert "$SYS/broker/uptime" in names and len(found) == 53, (names, found)
        assert names <= found, names - found
        uptimes = [m for m in ours.messages if m.topic == "$SYS/broker/uptime"]
        assert len(uptimes) > 1 and uptimes[0].retain and not uptimes[1].retain, uptimes
        total = [m.payload for m in ours.messages if m.topic == "$SYS/broker/clients/connected"]
        assert total[-1] == b"2", total
        assert daemon.json("stats/show")["mqtt"]["publishes_in"] == 0


@test("a-bad-access-file-is-named-at-the-start", needs=("daemon",))
def bad_at_start():
    with Lab() as lab:
        one_switch(lab, n_hosts=1)
        bad = write(lab, "acl", "topic a\nuser\n")
        daemon = lab.daemon("mp", "--address", VIRTUAL, "--acl-file", bad, lab.ovs.mgmt("s2"),
                            wait=False)
        wait_for(lambda: not daemon.process.is_running(), 10, "the end of the daemon")
        assert "%s:2: a user name is missing" % bad in daemon.process.text, daemon.process.text
