/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The pcap attachment: what is captured where, and what is said when an interface goes. */
#include <config.h>

#include "engine/engine.h"

#include <stdlib.h>

#include "openvswitch/vlog.h"

#include "base/mem.h"
#include "engine/private.h"

VLOG_DEFINE_THIS_MODULE(engine_capture);

/* An interface may come and go many times a second. */
static struct vlog_rate_limit capture_rl = VLOG_RATE_LIMIT_INIT(20, 20);

static void
pcap_received(void *e, uint32_t port, const void *frame, size_t n, usec_t now)
{
    engine_rx_frame(e, port, frame, n, now);
}

static void
pcap_expected(void *e_, const struct slice *frames, size_t n)
{
    struct engine *e = e_;

    proxy_expect(e->proxy, frames, n);
}

static void
pcap_lost(void *e_, const char *interface, const char *reason)
{
    (void) e_;
    VLOG_WARN_RL(&capture_rl, "%s: nothing is captured: %s; looking for it", interface, reason);
}

static void
pcap_found(void *e_, const char *interface, usec_t now)
{
    struct engine *e = e_;

    VLOG_INFO_RL(&capture_rl, "%s: captured again", interface);
    net_ask_again(proxy_net(e->proxy), now);
}

char *
engine_open_pcap(struct engine *e)
{
    const struct settings *s = e->settings;
    struct io_pcap_service *services = mem_zalloc(s->n_services * sizeof *services);
    struct io_pcap_filter filter = {
        .services = services,
        .n_services = s->n_services,
        .tcp_port = option_number(e->options, OPTION_tcpport),
        .udp_port = option_number(e->options, OPTION_udpport),
    };
    char *error = NULL;

    for (size_t i = 0; i < s->n_services; i++) {
        services[i].prefix = s->services[i].prefix;
        services[i].is_virtual = s->services[i].kind == NET_VIRTUAL;
    }

    char *text = io_pcap_filter_text(&filter);
    struct io_pcap_config config = {
        .interfaces = (const char *const *) s->pcap_ifs,
        .n_interfaces = s->n_pcap_ifs,
        .filter = text,
        .aux = e,
        .received = pcap_received,
        .expected = pcap_expected,
        .lost = pcap_lost,
        .found = pcap_found,
    };

    e->pcap = io_pcap_create(e->loop, &config, &error);
    free(text);
    mem_free(services);
    if (!error && !s->method) {
        VLOG_WARN("no bridge is given for the guard flows: the kernel of whoever owns a taken "
                  "address will reset its clients' connections unless something else stops it");
    }
    return error;
}
