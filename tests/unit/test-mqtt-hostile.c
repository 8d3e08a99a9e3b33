/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Clients that want to be a burden: that drip, that leave thousands of filters at once, that leave thousands of members behind in a shared subscription.  Where it is about what
 * something costs, processor times of this process are compared, of few and of many, with room for
 * more than a noisy machine makes of them. */
#include "unit/mqtt-script.h"

#include "mqtt/private.h"

static struct script_conn *
conn(struct script *t, const char *name)
{
    return script_conn(t, name);
}

/* ---- Keep Alive ---- */

static void
begin_drip(struct script *t, const char *name, const char *version)
{
    char line[80];

    script_begin(t, name, NULL);
    snprintf(line, sizeof line, "c1 > CONNECT id=a keep=10 v=%s\n", version);
    script_lines(t, line);
    conn(t, "c1")->n_checked = conn(t, "c1")->n_got;          /* CONNACK. */
    /* PUBLISH, 100,000 bytes are to come. */
    script_lines(t, "c1 > hex 30a08d0600017400\n");
}

/* 'n' bytes every 'seconds' until the broker ends it, at most 'n_times'; how often it was. */
static int
drip(struct script *t, size_t n, const char *seconds, int n_times)
{
    static const uint8_t bytes[4096];
    struct script_conn *c = conn(t, "c1");
    char line[32];
    int i;

    snprintf(line, sizeof line, "wait %s\n", seconds);
    for (i = 0; i < n_times && !c->closed && !c->aborted; i++) {
        script_lines(t, line);
        c->sent += n;
        mqtt_input(t->b, c->id, bytes, n, t->now);
        script_drain(t);
    }
    return i;
}

TEST(a_drip_is_silence)
{
    struct script t;

    begin_drip(&t, "drip", "4");
    is_int(drip(&t, 1, "4.9", 100), 4, "a PUBLISH byte by byte ends at one and a half Keep Alives");
    is_int(mqtt_stats(t.b)->keep_alive_timeouts, 1, "as a Keep Alive that was not kept");
    is_int(t.b->framer_bytes, 0, "and its buffer is gone");
    script_lines(&t, "c1 aborted\n");
    script_end(&t);

    begin_drip(&t, "drip of 1,000", "4");
    is_int(drip(&t, 1000, "14.9", 100), 2, "1,000 bytes in this time are too few");
    script_lines(&t, "c1 aborted\n");
    script_end(&t);

    begin_drip(&t, "drip, 5.0", "5");
    is_int(drip(&t, 1, "4.9", 100), 4, "5.0: the same");
    script_lines(&t, "c1 < hex e0028d00\nc1 closed\n");
    script_end(&t);
}

TEST(a_slow_link_is_not)
{
    struct script t;

    begin_drip(&t, "slow link", "4");
    is_int(drip(&t, 1024, "14.9", 90), 90, "1,024 bytes in one and a half Keep Alives are enough");
    is_int(mqtt_stats(t.b)->publishes_in, 0, "for a packet that is not there yet");
    drip(&t, 1, "15.1", 1);
    script_lines(&t, "c1 aborted\n");
    script_end(&t);

    script_begin(&t, "whole packets", NULL);
    script_lines(&t, "c1 > CONNECT id=a keep=10\nc1 < CONNACK 0 0\n");
    for (int i = 0; i < 10; i++) {
        script_lines(&t, "wait 14.5\nc1 > PINGREQ\nc1 < PINGRESP\n");
    }
    script_lines(&t, "wait 15.5\nc1 aborted\n");
    script_end(&t);
}

int
main(void)
{
    RUN(a_drip_is_silence);
    RUN(a_slow_link_is_not);
    return done_testing();
}
