# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""An SDN application that is a peer of MQTT proxies and relays between them.

For RYU and os-ken alike (ryu-manager or osken-manager peer_app.py), alone or beside a
switching application.  It owns one UDP socket on the control network; the proxies name it as
their peer (ovs-mqtt-proxyd -F socket:IP:PORT).  h3 publishes to its proxy, that sends the
PUBLISH here, and from here it goes to the proxies whose clients subscribed.  The rules are in
peer_relay.py.  Proxies that are peers of each other *and* of this application deliver twice.

Settings, by environment:
    MQTT_PEER_APP_LISTEN   IP:PORT of the socket; 0.0.0.0:1883 unless given
    MQTT_PEER_APP_PEERS    the proxies, IP[:PORT][,strict], separated by spaces; a proxy whose
                           clients only publish says nothing before it is told a SUBSCRIBE, so
                           name them all.  Without any, whoever speaks is a peer.
    MQTT_PEER_APP_EXPIRY   seconds of silence after which a proxy's subscriptions are
                           forgotten; 100 unless given, 0: never
    MQTT_PEER_APP_STATUS   a file that is kept up to date with peers and counters, as JSON
'strict' is for the Scapy prototype: 150 ms between datagrams, only UTF-8 payloads, no expiry.
"""

import json
import os
import random
import socket
import sys
import time

try:
    from ryu.base.app_manager import RyuApp as App
    from ryu.lib import hub
except ImportError:
    from os_ken.base.app_manager import OSKenApp as App
    from os_ken.lib import hub

# Application managers load an application by path and do not put its folder on sys.path.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import peer_relay                                               # noqa: E402

TURN_S = 0.02               # how late a paced or repeated datagram may be
STATUS_S = 0.2


class MqttPeer(App):
    """Two green threads over one Relay: one reads, one does what time brings."""

    def __init__(self, *args, **kwargs):
        super(MqttPeer, self).__init__(*args, **kwargs)
        env = os.environ
        listen, _ = peer_relay.parse_peer(env.get("MQTT_PEER_APP_LISTEN", "0.0.0.0:1883"))
        self.relay = peer_relay.Relay(
            env.get("MQTT_PEER_APP_PEERS", "").split(), random.random,
            expiry_s=float(env.get("MQTT_PEER_APP_EXPIRY", peer_relay.EXPIRY_S)))
        self.status_file = env.get("MQTT_PEER_APP_STATUS")
        self.status_text = None
        family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(listen)
        self.logger.info("MQTT peer on %s port %d, peers: %s", listen[0], listen[1],
                         " ".join("%s:%d" % a for a in self.relay.peers) or "any")

    def start(self):
        """Returns the thread that the manager waits for, without which it would leave at once
        when no switching application runs beside this one."""
        super(MqttPeer, self).start()
        self.ticking = hub.spawn(self._tick)
        return hub.spawn(self._read)

    def _read(self):
        while True:
            try:
                data, address = self.socket.recvfrom(65536)
            except OSError as error:        # ICMP errors of earlier datagrams end up here
                self.logger.debug("receive: %s", error)
                hub.sleep(TURN_S)
                continue
            self.relay.datagram(address, data, time.monotonic())
            self._send()

    def _tick(self):
        status_at = 0.0
        while True:
            now = time.monotonic()
            self.relay.run(now)
            self._send()
            if self.status_file and now >= status_at:
                status_at = now + STATUS_S
                self._write_status(now)
            hub.sleep(TURN_S)

    def _send(self):
        while True:
            item = self.relay.next_datagram(time.monotonic())
            if item is None:
                return
            address, data = item
            try:
                self.socket.sendto(data, address)
            except OSError as error:
                self.logger.warning("send to %s:%d: %s", address[0], address[1], error)

    def _write_status(self, now):
        text = json.dumps(self.relay.show(now), indent=1)
        if text == self.status_text:
            return
        self.status_text = text
        temporary = self.status_file + ".new"
        with open(temporary, "w") as out:
            out.write(text + "\n")
        os.replace(temporary, self.status_file)
