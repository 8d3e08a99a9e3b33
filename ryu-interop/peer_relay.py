# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""Who subscribed what among the proxies, and what therefore goes to whom.

The tables of the peer application, without its socket: datagrams and the time (seconds) in,
datagrams out of next_datagram().  peer_app.py drives it; so do the unit tests.

The rules: a peer P is told SUBSCRIBE F while some *other* peer wants F, and UNSUBSCRIBE F when
none does any more; a PUBLISH goes to every peer but its sender that subscribed a filter that
matches it, once.  Standing SUBSCRIBEs are repeated, so that the order of starting and a lost
datagram do not matter; what a silent peer had subscribed is forgotten.
"""

import collections
import ipaddress

import mqtt_peer

DEFAULT_PORT = 1883
REPEAT_S = 30.0             # between repetitions of a standing SUBSCRIBE, +- 10 %
EXPIRY_S = 100.0            # three repetitions and their jitter missed
STRICT_GAP_S = 0.15         # the prototype is deaf for that long after each datagram
MAX_PEERS = 256             # learnt ones; configured peers are always heard
MAX_FILTERS = 10000         # of one peer
MAX_QUEUED = 4096           # datagrams waiting for one peer

COUNTERS = ("datagrams_in", "datagrams_out", "publish_in", "publish_out", "subscribe_in",
            "unsubscribe_in", "refused", "unknown_source", "over_limit", "too_long",
            "not_utf8_for_strict", "expired")


class Peer:
    """One proxy: where it is, what it wants, what it was told, what waits for it."""

    def __init__(self, address, configured, strict):
        self.address = address              # (ip, port)
        self.configured = configured
        self.strict = strict
        self.filters = set()                # it subscribed these
        self.told = {}                      # SUBSCRIBEd at it: filter -> when to say it again
        self.heard_at = None                # None: never
        self.queue = collections.deque()
        self.free_at = 0.0                  # no datagram to it before


def parse_peer(text):
    """'IP[:PORT][,strict]' or '[IP6]:PORT', as the daemon's -F has it.  Returns ((ip, port),
    strict); ValueError says what is wrong with it."""
    where, *words = text.split(",")
    if where.startswith("["):
        ip, _, port = where[1:].partition("]")
        port = port.lstrip(":")
    elif where.count(":") > 1:
        ip, port = where, ""
    else:
        ip, _, port = where.partition(":")
    for word in words:
        if word != "strict":
            raise ValueError("%s: %s is no word for a peer" % (text, word))
    try:
        number = int(port) if port else DEFAULT_PORT
        ip = str(ipaddress.ip_address(ip))
    except ValueError:
        raise ValueError("%s: is not IP[:PORT][,strict]" % text)
    if not 0 < number < 65536:
        raise ValueError("%s: no such port" % text)
    return (ip, number), "strict" in words


class Relay:
    """'peers' are texts for parse_peer(); without any, whoever speaks is a peer.  'jitter'
    returns a number in [0, 1)."""

    def __init__(self, peers, jitter, repeat_s=REPEAT_S, expiry_s=EXPIRY_S):
        self.peers = {}
        self.is_open = not peers
        self.jitter = jitter
        self.repeat_s = repeat_s
        self.expiry_s = expiry_s
        self.subscribers = {}               # filter -> set of peers
        self.wildcards = set()              # those of them with + or #
        self.counters = dict.fromkeys(COUNTERS, 0)
        for text in peers:
            address, strict = parse_peer(text)
            self.peers[address] = Peer(address, True, strict)

    # -- in ------------------------------------------------------------------------------------

    def datagram(self, address, data, now):
        """Takes one datagram from 'address', an (ip, port)."""
        peer = self._find(address[:2], now)
        if peer is None:
            return
        self.counters["datagrams_in"] += 1
        try:
            messages = mqtt_peer.parse_all(data)
        except mqtt_peer.Refused:
            self.counters["refused"] += 1
            return
        for message in messages:
            if isinstance(message, mqtt_peer.Publish):
                self._publish(peer, message)
            elif isinstance(message, mqtt_peer.Subscribe):
                self.counters["subscribe_in"] += 1
                for topic_filter, _ in message.filters:
                    self._subscribe(peer, topic_filter, now)
            else:
                self.counters["unsubscribe_in"] += 1
                for topic_filter in message.filters:
                    self._unsubscribe(peer, topic_filter, now)

    def _find(self, address, now):
        peer = self.peers.get(address)
        if peer is None:
            if not self.is_open:
                self.counters["unknown_source"] += 1
                return None
            if len(self.peers) >= MAX_PEERS:
                self.counters["over_limit"] += 1
                return None
            peer = self.peers[address] = Peer(address, False, False)
        # Whoever speaks (again) may have missed all that was said before.
        was_silent = peer.heard_at is None or now - peer.heard_at > 1.5 * self.repeat_s
        peer.heard_at = now
        if was_silent:
            for topic_filter in self.subscribers:
                peer.told.pop(topic_filter, None)
                self._tell(peer, topic_filter, now)
        return peer

    def _subscribe(self, peer, topic_filter, now):
        if topic_filter in peer.filters:
            return
        if len(peer.filters) >= MAX_FILTERS:
            self.counters["over_limit"] += 1
            return
        peer.filters.add(topic_filter)
        self.subscribers.setdefault(topic_filter, set()).add(peer)
        if mqtt_peer.has_wildcard(topic_filter):
            self.wildcards.add(topic_filter)
        self._tell_all(topic_filter, now)

    def _unsubscribe(self, peer, topic_filter, now):
        if topic_filter not in peer.filters:
            return
        peer.filters.discard(topic_filter)
        wanting = self.subscribers[topic_filter]
        wanting.discard(peer)
        if not wanting:
            del self.subscribers[topic_filter]
            self.wildcards.discard(topic_filter)
        self._tell_all(topic_filter, now)

    def _publish(self, sender, message):
        self.counters["publish_in"] += 1
        wanting = set(self.subscribers.get(message.topic, ()))
        for topic_filter in self.wildcards:
            if mqtt_peer.matches(topic_filter, message.topic):
                wanting |= self.subscribers[topic_filter]
        wanting.discard(sender)             # never back: no loops
        if not wanting:
            return
        try:
            data = mqtt_peer.build_publish(message.topic, message.payload, message.retain)
        except ValueError:
            self.counters["too_long"] += 1
            return
        for peer in wanting:
            if peer.strict and not _is_utf8(message.payload):
                self.counters["not_utf8_for_strict"] += 1
            elif self._queue(peer, data):
                self.counters["publish_out"] += 1

    # -- what peers are told -------------------------------------------------------------------

    def _tell_all(self, topic_filter, now):
        for peer in self.peers.values():
            self._tell(peer, topic_filter, now)

    def _tell(self, peer, topic_filter, now):
        """Makes what 'peer' was told of 'topic_filter' what it should be told."""
        is_wanted = bool(self.subscribers.get(topic_filter, set()) - {peer})
        if is_wanted and topic_filter not in peer.told:
            peer.told[topic_filter] = self._next_repetition(now)
            self._queue(peer, mqtt_peer.build_subscribe(topic_filter))
        elif not is_wanted and topic_filter in peer.told:
            del peer.told[topic_filter]
            self._queue(peer, mqtt_peer.build_unsubscribe(topic_filter))

    def _next_repetition(self, now):
        return now + self.repeat_s * (0.9 + 0.2 * self.jitter())

    def _queue(self, peer, data):
        if len(peer.queue) >= MAX_QUEUED:
            self.counters["over_limit"] += 1
            return False
        peer.queue.append(data)
        return True

    # -- time and out --------------------------------------------------------------------------

    def run(self, now):
        """Repeats what is due and forgets whom nobody has heard of."""
        for peer in list(self.peers.values()):
            for topic_filter, at in list(peer.told.items()):
                if at <= now:
                    peer.told[topic_filter] = self._next_repetition(now)
                    self._queue(peer, mqtt_peer.build_subscribe(topic_filter))
            # The prototype never repeats anything: its silence means nothing.
            if (self.expiry_s and not peer.strict and peer.heard_at is not None
                    and now - peer.heard_at > self.expiry_s):
                self._expire(peer, now)

    def _expire(self, peer, now):
        self.counters["expired"] += 1
        peer.heard_at = None
        if not peer.configured:
            del self.peers[peer.address]
        for topic_filter in list(peer.filters):
            self._unsubscribe(peer, topic_filter, now)

    def next_datagram(self, now):
        """Returns ((ip, port), bytes) or None.  Strict peers get one in 150 ms."""
        for peer in self.peers.values():
            if peer.queue and peer.free_at <= now:
                if peer.strict:
                    peer.free_at = now + STRICT_GAP_S
                self.counters["datagrams_out"] += 1
                return peer.address, peer.queue.popleft()
        return None

    def show(self, now):
        """What there is to know, as a dictionary of plain values."""
        peers = []
        for peer in self.peers.values():
            peers.append({
                "peer": "%s:%d" % peer.address, "configured": peer.configured,
                "strict": peer.strict,
                "heard_s_ago": None if peer.heard_at is None else round(now - peer.heard_at, 1),
                "filters": sorted(f.decode() for f in peer.filters),
                "told": sorted(f.decode() for f in peer.told), "queued": len(peer.queue)})
        return {"peers": peers, "counters": dict(self.counters)}


def _is_utf8(data):
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
