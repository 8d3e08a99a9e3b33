# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""A learning switch for OpenFlow 1.3 that behaves as RYU's simple_switch_13.

For RYU and os-ken alike (Debian's os-ken ships no such application).  Table miss at priority 0
to the controller; learned flows at priority 1 matching in_port, eth_dst and eth_src, without
time-outs; LLDP ignored.  Who has RYU may use RYU's own instead.

The environment's LEARNING_SWITCH_STATS names a file that is kept up to date with what was
punted to this controller, as JSON: {DPID: {"total": N, "kinds": {KIND: N}, "macs": [MAC]}}, KIND
being "arp", "tcp/1883", "udp/1883", "icmp" and so on, after the well-known port of the two.  That
is how a tester sees whether the proxies' frames came here.
"""

import json
import os
import struct

try:
    from ryu.base.app_manager import RyuApp as App
    from ryu.controller import ofp_event
    from ryu.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
    from ryu.lib import hub
    from ryu.ofproto import ofproto_v1_3
except ImportError:
    from os_ken.base.app_manager import OSKenApp as App
    from os_ken.controller import ofp_event
    from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
    from os_ken.lib import hub
    from os_ken.ofproto import ofproto_v1_3

ETH_VLAN, ETH_ARP, ETH_IP, ETH_IP6, ETH_LLDP = 0x8100, 0x0806, 0x0800, 0x86dd, 0x88cc
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}
STATS_S = 0.1


def eth_type_and_offset(frame):
    """The type behind VLAN tags, and where its header starts."""
    offset = 12
    kind, = struct.unpack_from("!H", frame, offset)
    while kind == ETH_VLAN and len(frame) >= offset + 6:
        offset += 4
        kind, = struct.unpack_from("!H", frame, offset)
    return kind, offset + 2


def describe(frame):
    """One word for what kind of frame this is; never fails on short ones."""
    try:
        kind, at = eth_type_and_offset(frame)
        if kind == ETH_ARP:
            return "arp"
        if kind == ETH_IP:
            protocol, l4 = frame[at + 9], at + (frame[at] & 0xf) * 4
        elif kind == ETH_IP6:
            protocol, l4 = frame[at + 6], at + 40
        else:
            return "0x%04x" % kind
        name = PROTOCOLS.get(protocol, "ip/%d" % protocol)
        if name not in ("tcp", "udp"):
            return name
        return "%s/%d" % (name, min(struct.unpack_from("!HH", frame, l4)))
    except (struct.error, IndexError):
        return "short"


class LearningSwitch13(App):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super(LearningSwitch13, self).__init__(*args, **kwargs)
        self.mac_to_port = {}               # dpid -> {MAC: port}
        self.stats = {}
        self.stats_file = os.environ.get("LEARNING_SWITCH_STATS")
        if self.stats_file:
            self.stats_thread = hub.spawn(self._keep_stats)

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def switch_features_handler(self, ev):
        datapath = ev.msg.datapath
        ofproto, parser = datapath.ofproto, datapath.ofproto_parser
        # No buffer: the whole frame comes here and goes back in the packet-out.
        actions = [parser.OFPActionOutput(ofproto.OFPP_CONTROLLER, ofproto.OFPCML_NO_BUFFER)]
        self._add_flow(datapath, 0, parser.OFPMatch(), actions)
        self.stats.setdefault(datapath.id, {"total": 0, "kinds": {}, "macs": []})
        self.logger.info("switch %016x connected", datapath.id)

    def _add_flow(self, datapath, priority, match, actions):
        ofproto, parser = datapath.ofproto, datapath.ofproto_parser
        instructions = [parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, actions)]
        datapath.send_msg(parser.OFPFlowMod(datapath=datapath, priority=priority, match=match,
                                            instructions=instructions))

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in_handler(self, ev):
        msg = ev.msg
        datapath = msg.datapath
        ofproto, parser = datapath.ofproto, datapath.ofproto_parser
        in_port = msg.match["in_port"]
        frame = bytes(msg.data)
        if len(frame) < 14 or eth_type_and_offset(frame)[0] == ETH_LLDP:
            return
        self._count(datapath.id, frame)

        dst, src = frame[:6], frame[6:12]
        ports = self.mac_to_port.setdefault(datapath.id, {})
        ports[src] = in_port
        out_port = ports.get(dst, ofproto.OFPP_FLOOD)
        actions = [parser.OFPActionOutput(out_port)]
        if out_port != ofproto.OFPP_FLOOD:
            match = parser.OFPMatch(in_port=in_port, eth_dst=_mac(dst), eth_src=_mac(src))
            self._add_flow(datapath, 1, match, actions)
        datapath.send_msg(parser.OFPPacketOut(
            datapath=datapath, buffer_id=ofproto.OFP_NO_BUFFER, in_port=in_port,
            actions=actions, data=frame))

    def _count(self, dpid, frame):
        count = self.stats.setdefault(dpid, {"total": 0, "kinds": {}, "macs": []})
        count["total"] += 1
        kind = describe(frame)
        if kind not in count["kinds"] and len(count["kinds"]) >= 100:
            kind = "other"                  # ports are the hosts' choice
        count["kinds"][kind] = count["kinds"].get(kind, 0) + 1
        for mac in (_mac(frame[:6]), _mac(frame[6:12])):
            if mac not in count["macs"] and len(count["macs"]) < 100:
                count["macs"].append(mac)

    def _keep_stats(self):
        written = None
        while True:
            text = json.dumps({"%016x" % dpid: n for dpid, n in self.stats.items()})
            if text != written:
                written = text
                with open(self.stats_file + ".new", "w") as out:
                    out.write(text + "\n")
                os.replace(self.stats_file + ".new", self.stats_file)
                self.logger.info("packet-ins: %s", text)
            hub.sleep(STATS_S)


def _mac(raw):
    return ":".join("%02x" % byte for byte in raw)
