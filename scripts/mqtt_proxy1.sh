#!/usr/bin/env bash
# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# mqtt_proxy1.sh: the proxy of the prototype's h1 (192.168.1.101), peer of h4's.
# mqtt_proxy.inc tells more; -h shows the usage.

host=h1
bridge=s2
# shellcheck source=scripts/mqtt_proxy.inc
. "$(dirname "$0")/mqtt_proxy.inc"

launch -t 1883 -u jorge -p passwd -F 192.168.1.104 -U 1883 -- "$@"
