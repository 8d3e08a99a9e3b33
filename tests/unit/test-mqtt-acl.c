/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Access rules: the file's format, who may what, and what a broker does with it. */
#include "mqtt/acl.h"
#include "unit/mqtt-script.h"

static struct slice
text(const char *s)
{
    return (struct slice) { (const uint8_t *) s, (uint32_t) strlen(s) };
}

static struct mqtt_acl *
parse(const char *s)
{
    struct mqtt_acl_error error = { 0, NULL };
    struct mqtt_acl *acl = mqtt_acl_parse(text(s), &error);

    if (!acl) {
        BAIL_OUT("line %u: %s", error.line, error.what);
    }
    return acl;
}

static void
refuses(const char *file, uint32_t line, const char *what)
{
    struct mqtt_acl_error error = { 0, NULL };
    struct mqtt_acl *acl = mqtt_acl_parse(text(file), &error);

    ok(!acl && error.line == line && strstr(error.what, what), "line %u: %s", error.line,
       error.what ? error.what : "(taken)");
    mqtt_acl_destroy(acl);
}

struct asker {
    const char *user, *client_id;
    uint32_t port;
    uint16_t vlan;
    const char *mac;
};

static bool
may(struct mqtt_acl *acl, const struct asker *a, const char *what, const char *topic)
{
    struct mqtt_origin origin = { .ingress_port = a->port, .vlan = a->vlan };
    struct mqtt_acl_who who = { text(a->user), text(a->client_id), &origin };

    addr_parse(&origin.addr, "10.1.2.3");
    mac_parse(&origin.mac, a->mac ? a->mac : "00:00:00:00:00:01");
    if (!strcmp(what, "subscribe")) {
        return mqtt_acl_may_subscribe(acl, &who, text(topic));
    }
    return mqtt_acl_allows(acl, &who, *what == 'r' ? MQTT_ACL_READ : MQTT_ACL_WRITE, text(topic));
}

TEST(mistakes_are_named_with_their_line)
{
    refuses("topic a\nfoo bar\n", 2, "begins with");
    refuses("\n# x\n  topics a", 3, "begins with");
    refuses("topic", 1, "missing");
    refuses("topic reed a", 1, "access");
    refuses("topic a#", 1, "filter");
    refuses("user \t \r\n", 1, "user name");
    refuses("where port=x", 1, "port");
    refuses("where port=4-3", 1, "port");
    refuses("where port=4-", 1, "port");
    refuses("where port=", 1, "port");
    refuses("where vlan=4096", 1, "VLAN");
    refuses("where mac=00:11:22:33:44", 1, "MAC");
    refuses("where mac=00:11:22:33:44:55/49", 1, "MAC");
    refuses("where address=10.0.0.0/33", 1, "address");
    refuses("where side=left", 1, "knows");
}

TEST(topics_are_of_their_user)
{
    struct mqtt_acl *acl = parse("topic read news/#\n"
                                 "# the plant\r\n"
                                 "user ann\r\n"
                                 "topic plant/+/state\r\n"
                                 "topic write plant/log\n"
                                 "topic deny \n"
                                 "topic read two words\n"
                                 "user bob smith\n"
                                 "topic readwrite #\n"
                                 "topic deny secret/#\n"
                                 "user ann\n"
                                 "  topic  read  late\n");
    struct asker nobody = { .user = "", .client_id = "c" }, ann = { .user = "ann", .client_id = "c" };
    struct asker bob = { .user = "bob smith", .client_id = "c" }, eve = { .user = "an", .client_id = "c" };

    is_int(mqtt_acl_n_rules(acl), 8, "rules");
    ok(may(acl, &ann, "read", "deny"), "an access alone is a topic, as mosquitto has it");
    ok(may(acl, &nobody, "read", "news/a") && may(acl, &nobody, "read", "news"),
       "lines before the first user are of anonymous clients");
    ok(!may(acl, &nobody, "write", "news/a"), "to read only");
    ok(!may(acl, &ann, "read", "news/a"), "and of nobody else");
    ok(may(acl, &ann, "write", "plant/x/state") && may(acl, &ann, "read", "plant/x/state"),
       "readwrite is the default");
    ok(may(acl, &ann, "write", "plant/log") && !may(acl, &ann, "read", "plant/log"), "write only");
    ok(may(acl, &ann, "read", "two words"), "a filter may have blanks");
    ok(may(acl, &ann, "read", "late"), "a user may come again");
    ok(may(acl, &bob, "write", "a/b") && !may(acl, &bob, "write", "secret/b")
       && !may(acl, &bob, "read", "secret"), "a denial comes first, wherever it stands");
    ok(!may(acl, &bob, "read", "$SYS/broker/uptime"), "# does not take $ topics");
    ok(!may(acl, &eve, "read", "late"), "what is not allowed is denied");
    mqtt_acl_destroy(acl);
}

TEST(patterns_carry_names)
{
    struct mqtt_acl *acl = parse("pattern write dev/%c/up\n"
                                 "user ann\n"
                                 "pattern read home/%u/#\n"
                                 "pattern read all\n"
                                 "pattern deny home/+/private\n");
    struct asker ann = { .user = "ann", .client_id = "c1" }, nobody = { .user = "", .client_id = "c2" };
    struct asker hash = { .user = "ann", .client_id = "#" }, plus = { .user = "+", .client_id = "x" };

    ok(may(acl, &ann, "write", "dev/c1/up") && !may(acl, &ann, "write", "dev/c2/up"), "%%c");
    ok(may(acl, &ann, "read", "home/ann/x") && !may(acl, &ann, "read", "home/bob/x"), "%%u");
    ok(!may(acl, &ann, "read", "home/ann/private"), "a denying pattern comes first");
    ok(may(acl, &nobody, "write", "dev/c2/up") && may(acl, &nobody, "read", "all"),
       "patterns are for anonymous clients, too");
    ok(!may(acl, &nobody, "read", "home//x"), "but %%u is no name of theirs");
    ok(!may(acl, &hash, "write", "dev/c1/up") && !may(acl, &hash, "read", "all")
       && !may(acl, &plus, "read", "home/bob/x"), "wildcards in names open nothing");
    mqtt_acl_destroy(acl);
}

TEST(places)
{
    struct mqtt_acl *acl = parse("user ann\n"
                                 "topic a\n"
                                 "where port=3,7-9,LOCAL vlan=42\n"
                                 "topic b\n"
                                 "where mac=00:00:00:00:00:02,aa:bb:cc:00:00:00/24\n"
                                 "topic c\n"
                                 "where vlan=none\n"
                                 "topic deny a\n"
                                 "where\n"
                                 "topic d\n"
                                 "where address=10.1.0.0/16,2001:db8::/32\n"
                                 "pattern e\n"
                                 "user bob\n"
                                 "topic f\n");
    struct asker x = { .user = "ann", .client_id = "c", .port = 3, .vlan = 42 };
    struct mqtt_acl_who away = { text("ann"), text("c"), NULL };

    ok(may(acl, &x, "read", "b"), "port and VLAN fit");
    x.port = 8;
    ok(may(acl, &x, "read", "b"), "a range");
    x.port = 0xfffffffe;
    ok(may(acl, &x, "read", "b"), "LOCAL");
    x.port = 4;
    ok(!may(acl, &x, "read", "b"), "another port");
    x.port = 3;
    x.vlan = 41;
    ok(!may(acl, &x, "read", "b") && may(acl, &x, "read", "a"), "another VLAN: each must fit");
    x.vlan = 0;
    ok(!may(acl, &x, "read", "a"), "untagged: denied");
    ok(!may(acl, &x, "read", "c"), "another MAC");
    x.mac = "00:00:00:00:00:02";
    ok(may(acl, &x, "read", "c"), "this MAC");
    x.mac = "aa:bb:cc:01:02:03";
    ok(may(acl, &x, "read", "c"), "a MAC by its first bits");
    ok(may(acl, &x, "read", "d"), "\"where\" alone: everywhere");
    ok(may(acl, &x, "read", "e"), "addresses, in a pattern");
    x.user = "bob";
    ok(may(acl, &x, "read", "f"), "a user line ends the place");
    ok(mqtt_acl_allows(acl, &away, MQTT_ACL_READ, text("b"))
       && mqtt_acl_allows(acl, &away, MQTT_ACL_READ, text("a")),
       "a place that is not known: grants hold, denials do not");
    mqtt_acl_destroy(acl);
}

TEST(subscriptions_in_vain)
{
    struct mqtt_acl *acl = parse("user ann\n"
                                 "topic read a/+/c\n"
                                 "topic write w/#\n"
                                 "topic read s/#\n"
                                 "topic deny s/x/#\n"
                                 "pattern read $SYS/#\n");
    static const struct {
        const char *filter;
        bool wanted;
    } cases[] = {
        { "#", true }, { "a/#", true }, { "a/b/c", true }, { "+/+/+", true }, { "a/b/d", false },
        { "a", false }, { "w/x", false }, { "w/#", false }, { "s/#", true }, { "s/x", false },
        { "s/x/#", false }, { "s/+/y", true }, { "$SYS/#", true }, { "b/#", false },
        { "+", true }, { "$x/#", false },
    };
    struct asker ann = { .user = "ann", .client_id = "c" };

    for (size_t i = 0; i < MP_ARRAY_SIZE(cases); i++) {
        is_int(may(acl, &ann, "subscribe", cases[i].filter), cases[i].wanted, "%s: %s",
               cases[i].filter, cases[i].wanted ? "something may be read" : "in vain");
    }
    mqtt_acl_destroy(acl);
}

/* ---- In the broker ---- */

static const char rules[] =
    "pattern readwrite open/#\n"
    "pattern write in/#\n"
    "pattern read out/#\n";

/* Receive Maximum 100, Topic Alias Maximum 16, Maximum Packet Size 1 MiB. */
#define LIMITS "2100642200102700100000"
#define OPEN4(C, ID) C " > CONNECT id=" ID "\n" C " < CONNACK 0 0\n"
#define OPEN5(C, ID) C " > CONNECT v=5 id=" ID "\n" C " < CONNACK 0 0 p=" LIMITS "\n"

static void
begin(struct script *t, const char *name, const char *file)
{
    script_begin(t, name, NULL);
    mqtt_set_acl(t->b, parse(file));
}

TEST(a_denied_publish_is_acknowledged_and_dropped)
{
    struct script t;

    begin(&t, "publish", rules);
    script_lines(&t,
                 OPEN4("c4", "a") OPEN5("c5", "b")
                 "c4 > SUBSCRIBE id=1 open/#\n"
                 "c4 < SUBACK id=1 0\n"
                 "event SUBSCRIBE open/#\n"
                 "c4 > PUBLISH out/x x\n"
                 "c4 > PUBLISH out/x qos=1 id=1 x\n"
                 "c4 < PUBACK id=1\n"
                 "c4 > PUBLISH out/x qos=2 id=2 x\n"
                 "c4 < PUBREC id=2\n"
                 "c4 > PUBREL id=2\n"
                 "c4 < PUBCOMP id=2\n"
                 "c5 > PUBLISH out/x x\n"
                 "c5 > PUBLISH out/x qos=1 id=1 x\n"
                 "c5 < PUBACK id=1 reason=0x87\n"
                 "c5 > PUBLISH out/x qos=2 id=2 x\n"
                 "c5 < PUBREC id=2 reason=0x87\n"
                 "c5 > PUBLISH out/x retain qos=1 id=3 x\n"
                 "c5 < PUBACK id=3 reason=0x87\n"
                 "event none\n"
                 "c5 > PUBLISH open/x qos=1 id=3 x\n"
                 "c5 < PUBACK id=3\n"
                 "c4 < PUBLISH open/x x\n"
                 "event PUBLISH open/x x qos=1\n");
    is_int(mqtt_stats(t.b)->acl_denied_in, 7, "each is counted");
    is_int(mqtt_stats(t.b)->retained_set, 0, "nothing is retained");
    script_end(&t);
}

TEST(subscriptions_in_vain_are_refused)
{
    struct script t;

    begin(&t, "subscribe", rules);
    script_lines(&t,
                 OPEN4("c4", "a") OPEN5("c5", "b")
                 "c4 > SUBSCRIBE id=1 in/# open/a # $share/g/in/x\n"
                 "c4 < SUBACK id=1 0x80 0 0 0x80\n"
                 "c5 > SUBSCRIBE id=1 in/# open/a $share/g/in/x $share/g/open/a\n"
                 "c5 < SUBACK id=1 0x87 0 0x87 0\n");
    is_int(mqtt_stats(t.b)->acl_denied_subscribe, 4, "counted");
    t.n_events_checked = t.n_events;
    script_end(&t);
}

TEST(delivery_is_judged_message_by_message)
{
    struct script t;

    begin(&t, "delivery", rules);
    script_lines(&t,
                 OPEN4("c1", "a")
                 "peer out/r kept retain\n"
                 "peer in/r kept retain\n"
                 "c1 > SUBSCRIBE id=1 #:1\n"
                 "c1 < SUBACK id=1 1\n"
                 "c1 < PUBLISH out/r retain kept\n"
                 "peer out/x 1\n"
                 "c1 < PUBLISH out/x 1\n"
                 "peer in/x 2\n"
                 "c1 < nothing\n");
    is_int(mqtt_stats(t.b)->acl_denied_out, 2, "what is kept from a subscriber is counted");
    t.n_events_checked = t.n_events;
    script_end(&t);
}

TEST(new_rules_hold_for_what_waits)
{
    struct script t;

    begin(&t, "reload", "pattern #\n");
    script_lines(&t,
                 "c1 > CONNECT id=a clean=0\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 > SUBSCRIBE id=1 #:1\n"
                 "c1 < SUBACK id=1 1\n"
                 "c1 stalls\n"
                 "peer x 1 qos=1\n"
                 "peer y 2 qos=1\n");
    mqtt_set_acl(t.b, parse("pattern y\n"));
    script_lines(&t,
                 "c1 reads\n"
                 "c1 < PUBLISH y qos=1 id=1 2\n"
                 "peer x 3\n"
                 "c1 < nothing\n");
    mqtt_set_acl(t.b, NULL);
    script_lines(&t,
                 "peer x 4\n"
                 "c1 < PUBLISH x 4\n");
    t.n_events_checked = t.n_events;
    script_end(&t);
}

TEST(who_resumes_a_session_gets_what_he_may_read)
{
    struct script t;

    begin(&t, "resume", "user ann\ntopic #\nuser bob\ntopic b/#\n");
    script_lines(&t,
                 "c1 > CONNECT id=a clean=0 user=ann\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 > SUBSCRIBE id=1 #:1\n"
                 "c1 < SUBACK id=1 1\n"
                 "peer a/1 1 qos=1\n"
                 "c1 < PUBLISH a/1 qos=1 id=1 1\n"
                 "c1 closes\n"
                 "peer a/2 2 qos=1\n"
                 "peer b/3 3 qos=1\n"
                 "c2 > CONNECT id=a clean=0 user=bob\n"
                 "c2 < CONNACK 1 0\n"
                 "c2 < PUBLISH b/3 qos=1 id=2 3\n");
    t.n_events_checked = t.n_events;
    script_end(&t);
}

TEST(a_will_is_judged_from_where_its_client_was)
{
    struct script t;

    begin(&t, "will", "where port=0\npattern write in/#\nwhere port=5\npattern write out/#\n");
    script_lines(&t,
                 "c1 > CONNECT id=a will=in/w:gone\n"
                 "c1 < CONNACK 0 0\n"
                 "c1 closes\n"
                 "event PUBLISH in/w gone\n"
                 "c2 > CONNECT id=b will=out/w:gone\n"
                 "c2 < CONNACK 0 0\n"
                 "c2 closes\n"
                 "event none\n");
    is_int(mqtt_stats(t.b)->acl_denied_in, 1, "counted");
    script_end(&t);
}

TEST(a_shared_message_goes_to_a_member_who_may_read_it)
{
    struct script t;

    begin(&t, "shared", "pattern read for/%c/#\npattern read all\n");
    script_lines(&t,
                 OPEN4("c1", "a") OPEN4("c2", "b")
                 "c1 > SUBSCRIBE id=1 $share/g/#\n"
                 "c1 < SUBACK id=1 0\n"
                 "c2 > SUBSCRIBE id=1 $share/g/#\n"
                 "c2 < SUBACK id=1 0\n"
                 "peer for/b/x 1\n"
                 "peer for/b/x 2\n"
                 "c2 < PUBLISH for/b/x 1\n"
                 "c2 < PUBLISH for/b/x 2\n"
                 "peer for/nobody 3\n");
    t.n_events_checked = t.n_events;
    script_end(&t);
}

int
main(void)
{
    RUN(mistakes_are_named_with_their_line);
    RUN(topics_are_of_their_user);
    RUN(patterns_carry_names);
    RUN(places);
    RUN(subscriptions_in_vain);
    RUN(a_denied_publish_is_acknowledged_and_dropped);
    RUN(subscriptions_in_vain_are_refused);
    RUN(delivery_is_judged_message_by_message);
    RUN(new_rules_hold_for_what_waits);
    RUN(who_resumes_a_session_gets_what_he_may_read);
    RUN(a_will_is_judged_from_where_its_client_was);
    RUN(a_shared_message_goes_to_a_member_who_may_read_it);
    return done_testing();
}
