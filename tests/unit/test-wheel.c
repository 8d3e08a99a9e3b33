/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Tests of base/wheel.h: against a model that knows every object's instant, in virtual time. */
#include "base/wheel.h"

#include "base/mem.h"
#include "base/prng.h"
#include "unit/tap.h"

struct obj {
    struct wheel_node node;
    uint32_t due;
    usec_t at;                        /* The model: CLOCK_NEVER when not armed. */
};

#define TICK (1 * CLOCK_MSEC)

static struct slab slab;
static struct wheel wheel;

static struct obj *
obj(uint32_t idx)
{
    return slab_at(&slab, idx);
}

static void
setup(usec_t now)
{
    slab_init(&slab, sizeof(struct obj), 0);
    wheel_init(&wheel, &slab, offsetof(struct obj, node), offsetof(struct obj, due), TICK, now);
}

static uint32_t
new_obj(void)
{
    uint32_t idx = slab_alloc(&slab);

    obj(idx)->at = CLOCK_NEVER;
    return idx;
}

TEST(one_object_expires_once_and_in_time)
{
    static const usec_t delays[] = {
        0, 1, 999, 1000, 1001, 255 * TICK, 2047 * TICK, 2048 * TICK, 2049 * TICK, 65536 * TICK,
        4194303 * TICK, 4194304 * TICK, 16777216 * TICK, INT64_C(4294967000) * TICK,
    };
    static const usec_t starts[] = {
        0, 1, 2046 * TICK, 2047 * TICK, 2048 * TICK - 1, INT64_C(0x3fffff) * TICK,
        INT64_C(0xfffffffe) * TICK, INT64_C(0x123456789a) * TICK + 7,
    };
    bool early = false, late = false, missed = false, twice = false, stuck = false;

    for (size_t s = 0; s < MP_ARRAY_SIZE(starts); s++) {
        for (size_t d = 0; d < MP_ARRAY_SIZE(delays); d++) {
            setup(starts[s]);

            uint32_t a = new_obj();
            usec_t at = starts[s] + delays[d];
            usec_t now = starts[s];
            uint32_t got = SLAB_NONE;
            int turns = 0;

            while (wheel_next_expired(&wheel, now)) {
                missed = true;
            }
            wheel_arm(&wheel, a, at);
            while (!got && turns++ < 2000) {
                usec_t deadline = wheel_deadline(&wheel);

                stuck = stuck || deadline == CLOCK_NEVER;
                now = MP_MAX(now, deadline);
                got = wheel_next_expired(&wheel, now);
            }
            missed = missed || got != a;
            early = early || now < at;
            late = late || now > at + TICK;
            twice = twice || wheel_next_expired(&wheel, now + CLOCK_SEC)
                    || wheel_is_armed(&wheel, a) || wheel_deadline(&wheel) != CLOCK_NEVER;
            slab_uninit(&slab);
        }
    }
    ok(!early, "nothing expires early");
    ok(!late, "nothing expires more than a tick late");
    ok(!missed, "nothing is missed");
    ok(!twice, "nothing expires twice");
    ok(!stuck, "there is a deadline while something is armed");
}

TEST(arming_again_moves_and_disarming_removes)
{
    setup(0);
    uint32_t a = new_obj(), b = new_obj();

    wheel_arm(&wheel, a, 10 * TICK);
    wheel_arm(&wheel, b, 10 * TICK);
    wheel_arm(&wheel, a, 700 * TICK);
    is_int(wheel.n, 2, "armed twice counts once");
    is_int(wheel_next_expired(&wheel, 10 * TICK), b, "the other one of the slot is still there");
    is_int(wheel_next_expired(&wheel, 699 * TICK), SLAB_NONE, "the moved one waits");
    wheel_disarm(&wheel, a);
    wheel_disarm(&wheel, a);
    is_int(wheel_next_expired(&wheel, 800 * TICK), SLAB_NONE, "a disarmed one does not expire");
    ok(!wheel_is_armed(&wheel, a), "and is not armed");
    wheel_arm(&wheel, a, 5 * TICK);
    is_int(wheel_next_expired(&wheel, 801 * TICK), a, "what is armed for the past expires next");
    wheel_arm(&wheel, a, 900 * TICK);
    wheel_arm(&wheel, a, CLOCK_NEVER);
    ok(!wheel_is_armed(&wheel, a), "armed for never is not armed");
    is_int(wheel_deadline(&wheel), CLOCK_NEVER, "an empty wheel has no deadline");
    slab_uninit(&slab);
}

TEST(agrees_with_a_model_under_random_use)
{
    enum { N = 500, TURNS = 20000 };
    static const usec_t ranges[] = { 3 * TICK, 300 * TICK, 70000 * TICK, 20000000 * TICK };
    struct prng g;
    usec_t now = 123456789;
    int early = 0, late = 0, expired = 0, bad_deadline = 0;

    prng_init(&g, 7);
    setup(now);
    for (int i = 0; i < N; i++) {
        new_obj();
    }
    for (int turn = 0; turn < TURNS; turn++) {
        usec_t earliest = CLOCK_NEVER;
        uint32_t idx;

        for (int i = 0; i < 3; i++) {
            idx = 1 + prng_below(&g, N);
            if (prng_below(&g, 4)) {
                usec_t range = ranges[prng_below(&g, MP_ARRAY_SIZE(ranges))];

                obj(idx)->at = now + (usec_t) (prng_u64(&g) % (uint64_t) range);
                wheel_arm(&wheel, idx, obj(idx)->at);
            } else {
                obj(idx)->at = CLOCK_NEVER;
                wheel_disarm(&wheel, idx);
            }
        }
        now += (usec_t) (prng_u64(&g) % (uint64_t) ranges[prng_below(&g, 3)]);
        while ((idx = wheel_next_expired(&wheel, now))) {
            expired++;
            early += obj(idx)->at > now;
            obj(idx)->at = CLOCK_NEVER;
        }
        for (uint32_t i = 1; i <= N; i++) {
            late += obj(i)->at != CLOCK_NEVER && obj(i)->at + TICK <= now;
            earliest = clock_min(earliest, obj(i)->at);
        }
        bad_deadline += earliest != CLOCK_NEVER && wheel_deadline(&wheel) > earliest + TICK;
        bad_deadline += earliest != CLOCK_NEVER && wheel_deadline(&wheel) <= now - TICK;
    }
    ok(expired > 1000, "%d objects expired", expired);
    is_int(early, 0, "none early");
    is_int(late, 0, "none later than a tick");
    is_int(bad_deadline, 0, "the deadline is never after the earliest, nor long past");
    slab_uninit(&slab);
}

/* Many for nearly the same time, far away: no call takes long, and still each comes in time as long
 * as calls follow one another; also those that are armed anew or disarmed meanwhile. */
TEST(a_crowd_is_spread_over_several_calls)
{
    enum { N = 20000 };
    usec_t now = 3 * TICK;
    unsigned int n_empty = 0, n_expired = 0, n_early = 0, n_left_out = 0, n_while_spreading = 0;

    setup(now);
    for (uint32_t i = 0; i < N; i++) {
        uint32_t idx = new_obj();

        obj(idx)->at = now + (70000 + i % 200) * TICK;
        wheel_arm(&wheel, idx, obj(idx)->at);
    }
    while (wheel.n) {
        usec_t deadline = wheel_deadline(&wheel);
        uint32_t idx;

        now = deadline > now ? deadline : now;
        idx = wheel_next_expired(&wheel, now);
        if (!idx) {
            uint32_t k = 1 + n_empty * 7 % N;

            n_empty++;
            if (wheel.spreading[1] || wheel.spreading[2]) {
                n_while_spreading++;
                /* Some leave, some come later. */
                if (wheel_is_armed(&wheel, k)) {
                    wheel_disarm(&wheel, k);
                    n_left_out++;
                }
                k = k % N + 1;
                if (wheel_is_armed(&wheel, k)) {
                    obj(k)->at += 300 * TICK;
                    wheel_arm(&wheel, k, obj(k)->at);
                }
            }
            if (n_empty > 10 * N) {
                break;
            }
        } else {
            n_expired++;
            n_early += now < obj(idx)->at;
            n_early += now > obj(idx)->at + TICK;
        }
    }
    ok(n_while_spreading >= 15, "%u calls ended with more to be spread",
       n_while_spreading);
    is_int(n_expired + n_left_out, N, "each expired once, but for those disarmed");
    is_int(n_early, 0, "none early, none late");
    is_int(wheel_deadline(&wheel), CLOCK_NEVER, "nothing is left");
    slab_uninit(&slab);
}

int
main(void)
{
    RUN(one_object_expires_once_and_in_time);
    RUN(arming_again_moves_and_disarming_removes);
    RUN(agrees_with_a_model_under_random_use);
    RUN(a_crowd_is_spread_over_several_calls);
    return done_testing();
}
