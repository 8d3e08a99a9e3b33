/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Passwords: hashes in the forms of mosquitto_passwd, and the threads that judge them. */
#include <config.h>

#include "ctl/auth.h"

#include <poll.h>

#include "base/mem.h"
#include "mqtt/passwd.h"
#include "unit/tap.h"

/* SHA-512 and PBKDF2 of "passwd" with the salt 00 01 ... 0b, by Python's hashlib. */
static const char file[] =
    "six:$6$AAECAwQFBgcICQoL$N28+cZhjtv44mP8IYUjrCPb+/mHtksr"
    "qk1tG4dR21bIkbn6MtvtnoO4NCuJnD+kRlPKazjcLSDe6fI+pT0Nr/Q==\n"
    "seven:$7$101$AAECAwQFBgcICQoL$azA5RNyXta0/GxEEWZYGl/Wbl"
    "roScEqWfk3C+ttSomnDADshEygpoYAVI50E1aTd8gV3UZqIMwwVjXNsR+ajrA==\n"
    "slow:$7$200000$AAECAwQFBgcICQoL$9IHHBjig5k3vNT9Rm2qnPVf"
    "JR1p322rS38NpIa9jc7xZEYL25NfueZ960hZ0PnH9ZDhlfTP6178i3lUutjzlMA==\n";

static struct slice
text(const char *s)
{
    return (struct slice) { (const uint8_t *) s, (uint32_t) strlen(s) };
}

static struct mqtt_passwd *
parse(const char *s)
{
    struct mqtt_passwd_error error;
    struct mqtt_passwd *p = mqtt_passwd_parse(text(s), &error);

    if (!p) {
        BAIL_OUT("line %u: %s", error.line, error.what);
    }
    return p;
}

/* Waits for the next verdict. */
static bool
verdict(struct auth *a, uint64_t *id)
{
    struct pollfd pfd = { .fd = auth_fd(a), .events = POLLIN };
    bool is_good;

    while (!auth_next(a, id, &is_good)) {
        if (poll(&pfd, 1, 20000) <= 0) {
            BAIL_OUT("no verdict in 20 s");
        }
    }
    return is_good;
}

TEST(hashes)
{
    struct mqtt_passwd *p = parse(file);
    static const char *const users[] = { "six", "seven", "slow" };

    for (size_t i = 0; i < MP_ARRAY_SIZE(users); i++) {
        const struct mqtt_passwd_entry *e = mqtt_passwd_find(p, text(users[i]));

        ok(auth_verify(e, text("passwd")), "%s: the password", users[i]);
        ok(!auth_verify(e, text("passwe")) && !auth_verify(e, text("passwd2"))
           && !auth_verify(e, text("")), "%s: others", users[i]);
    }
    ok(!auth_verify(mqtt_passwd_decoy(p), text("")), "nobody is the decoy");
    mqtt_passwd_destroy(p);
}

TEST(verdicts_come_back_with_their_number)
{
    struct auth *a = auth_create(10);
    uint64_t id;
    bool is_good;

    ok(!auth_submit(a, 1, text("six"), text("passwd")), "without passwords nothing is taken");
    auth_set_passwords(a, parse(file));
    ok(auth_submit(a, 2, text("six"), text("passwd")), "taken");
    ok(auth_submit(a, 3, text("seven"), text("wrong")), "taken");
    ok(auth_submit(a, 4, text("nobody"), text("")), "taken");
    ok(auth_submit(a, 5, text("seven"), text("passwd")), "taken");
    ok(verdict(a, &id) && id == 2, "good");
    ok(!verdict(a, &id) && id == 3, "a wrong password");
    ok(!verdict(a, &id) && id == 4, "no such user");
    ok(verdict(a, &id) && id == 5, "good");
    ok(!auth_next(a, &id, &is_good), "no more");
    is_int(auth_stats(a)->asked, 4, "asked");
    is_int(auth_stats(a)->good, 2, "good");
    is_int(auth_stats(a)->bad, 2, "bad");
    auth_destroy(a);
}

TEST(the_queue_is_limited)
{
    struct auth *a = auth_create(3);
    uint64_t id;

    auth_set_passwords(a, parse(file));
    for (uint64_t i = 0; i < 3; i++) {
        ok(auth_submit(a, i, text("slow"), text("passwd")), "request %d of 3", (int) i + 1);
    }
    ok(!auth_submit(a, 3, text("six"), text("passwd")), "one more is not taken");
    is_int(auth_stats(a)->busy, 1, "and counted");
    ok(verdict(a, &id) && id == 0, "the first");
    ok(auth_submit(a, 4, text("six"), text("passwd")), "there is room again");
    auth_destroy(a);
    pass("ends while some wait");
}

TEST(who_has_left_is_not_judged)
{
    struct auth *a = auth_create(4);
    uint64_t id;

    auth_set_passwords(a, parse(file));
    for (uint64_t i = 1; i <= 4; i++) {
        auth_submit(a, i, text("slow"), text("passwd"));
    }
    auth_cancel(a, 4);
    auth_cancel(a, 3);
    is_int(auth_stats(a)->cancelled, 2, "what waits is taken out");
    ok(auth_submit(a, 5, text("six"), text("passwd")), "its place is free at once");
    auth_cancel(a, 77);
    is_int(auth_stats(a)->cancelled, 2, "what does not wait is nothing");
    ok(verdict(a, &id) && id == 1 && verdict(a, &id) && id == 2, "the others are judged");
    ok(verdict(a, &id) && id == 5, "in order, and those that came after as well");
    is_int(auth_stats(a)->good, 3, "and nothing else");
    auth_destroy(a);
}

TEST(new_passwords_while_old_ones_are_judged)
{
    struct auth *a = auth_create(10);
    uint64_t id;

    auth_set_passwords(a, parse(file));
    auth_submit(a, 1, text("slow"), text("passwd"));
    auth_submit(a, 2, text("six"), text("passwd"));
    auth_set_passwords(a, parse(""));
    auth_submit(a, 3, text("six"), text("passwd"));
    ok(verdict(a, &id) && verdict(a, &id) && id == 2, "asked before: by the old file");
    ok(!verdict(a, &id) && id == 3, "asked after: by the new one");
    auth_destroy(a);
}

int
main(void)
{
    RUN(hashes);
    RUN(verdicts_come_back_with_their_number);
    RUN(the_queue_is_limited);
    RUN(who_has_left_is_not_judged);
    RUN(new_passwords_while_old_ones_are_judged);
    return done_testing();
}
