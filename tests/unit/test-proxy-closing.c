/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Clients that end in every way, with output left, while the disk is slow: the broker's end of a
 * connection outlives TCP's (MQTT_CONN_LINGERING), stands in the ring of those that have output, and
 * both numbers are given to new connections meanwhile.  Nobody gets another's bytes, and nothing is
 * left in the end.  With an address sanitizer (make check-asan) it shows more. */
#include "unit/tap.h"

#include "unit/world.h"

#include "base/prng.h"
#include "mqtt/private.h"

enum { N_PORTS = 8, N_STEPS = 3000 };

static const uint8_t connack[] = { 0x20, 2, 0, 0 };

static void
slow_disk(struct proxy_config *config)
{
    config->mqtt.is_persistent = true;
    config->mqtt.connect_timeout_us = 3 * CLOCK_SEC;
    config->utcp.time_wait_us = CLOCK_SEC;
}

static uint32_t
n_lingering(const struct mqtt_broker *b)
{
    uint32_t n = 0;

    for (uint32_t i = 1; i < b->n_generations; i++) {
        n += b->generations[i] && mqtt_conn_at(b, i)->state == MQTT_CONN_LINGERING;
    }
    return n;
}

/* The disk has caught up. */
static void
write_all(struct world *w)
{
    struct mqtt_broker *b = proxy_mqtt(w->proxy[0]);
    struct mqtt_batch batch;
    uint64_t seq = 0;

    while (mqtt_next_batch(b, &batch)) {
        seq = batch.seq;
        mem_free(batch.bytes);
    }
    if (seq) {
        mqtt_durable(b, seq, w->now);
    }
}

static void
publish_qos1(struct host *h, uint8_t id)
{
    static uint8_t body[2048] = { 0, 1, 't', 0 };

    body[4] = id;
    host_packet(h, 0x33, body, 5 + id * 8u);         /* Retained: for the disk. */
}

static void
join(struct world *w, uint32_t port, const char *id)
{
    struct host *h;

    world_pass(w, CLOCK_MSEC);        /* Another port number. */
    h = host_connect(w, 0, port);
    host_open(h);
    host_mqtt_connect(h, id, 60, port % 2 ? "t" : NULL);
    host_subscribe(h, "t");
}

/* One client does something. */
static void
step(struct world *w, struct prng *prng)
{
    uint32_t port = 1 + prng_below(prng, N_PORTS);
    struct host *h = w->hosts[0][port];
    char id[8];

    if (!h || h->got_rst || h->got_fin || h->is_gone || !h->open) {
        snprintf(id, sizeof id, "c%u", prng_below(prng, N_PORTS));    /* Perhaps of another. */
        join(w, port, id);
        return;
    }
    switch (prng_below(prng, 8)) {
    case 0:
        host_packet(h, 0xe0, NULL, 0);                              /* DISCONNECT. */
        break;
    case 1:
        host_packet(h, 0x00, NULL, 0);                              /* Nothing that there is. */
        break;
    case 2:
        host_segment(h, TCP_ACK | TCP_FIN, NULL, 0);
        h->is_gone = prng_below(prng, 2);
        break;
    case 3:
        host_packet(h, prng_below(prng, 2) ? 0xe0 : 0x00, NULL, 0);
        host_segment(h, TCP_RST | TCP_ACK, NULL, 0);                /* Before TCP's end has left. */
        h->is_gone = true;
        break;
    case 4:
        h->is_gone = true;
        break;
    default:
        publish_qos1(h, (uint8_t) (1 + prng_below(prng, 250)));
        break;
    }
}

/* What a client receives begins with its own CONNACK, if with anything. */
static bool
is_own(const struct host *h)
{
    return !h || h->n_rx < sizeof connack || !memcmp(h->rx, connack, sizeof connack);
}

TEST(ends_with_output_left)
{
    uint32_t most_lingering = 0;
    int n_foreign = 0;
    struct prng prng;
    struct world w;

    world_init(&w, 1, false, slow_disk);
    prng_init(&prng, 7);
    for (int i = 0; i < N_STEPS; i++) {
        struct mqtt_broker *b = proxy_mqtt(w.proxy[0]);

        step(&w, &prng);
        most_lingering = MP_MAX(most_lingering, n_lingering(b));
        if (!prng_below(&prng, 6)) {
            write_all(&w);
            proxy_run(w.proxy[0], w.now);
        }
        if (!prng_below(&prng, 10)) {
            world_pass(&w, prng_below(&prng, 11) * CLOCK_SEC);
        }
        for (uint32_t k = 1; k <= N_PORTS; k++) {
            n_foreign += !is_own(w.hosts[0][k]);
        }
    }
    ok(most_lingering > 1, "connections lingered: at most %u at once", most_lingering);
    is_int(n_foreign, 0, "nobody got another's bytes");

    for (uint32_t k = 1; k <= N_PORTS; k++) {
        if (w.hosts[0][k]) {
            w.hosts[0][k]->is_gone = true;
        }
    }
    write_all(&w);
    world_pass(&w, 400 * CLOCK_SEC);
    is_int(n_lingering(proxy_mqtt(w.proxy[0])), 0, "in the end none lingers");
    is_int(proxy_mqtt(w.proxy[0])->conns.n, 0, "and no connection is left");
    world_uninit(&w);
}

int
main(void)
{
    RUN(ends_with_output_left);
    return done_testing();
}
