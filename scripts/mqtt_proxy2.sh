#!/usr/bin/env bash
# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# mqtt_proxy2.sh: the proxy of the prototype's h4 (192.168.1.104), peer of h1's.
# mqtt_proxy.inc tells more; -h shows the usage.

host=h4
bridge=s3
# shellcheck source=scripts/mqtt_proxy.inc
. "$(dirname "$0")/mqtt_proxy.inc"

launch -t 1883 -u jorge -p passwd -F 192.168.1.101 -U 1883 -- "$@"
