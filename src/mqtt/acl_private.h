/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* What acl.c and acl_parse.c share: the parsed rules.  Nobody else includes this. */
#ifndef MP_MQTT_ACL_PRIVATE_H
#define MP_MQTT_ACL_PRIVATE_H 1

#include "mqtt/acl.h"
#include "topic/topic.h"

enum acl_kind { ACL_PORT, ACL_VLAN, ACL_MAC, ACL_ADDRESS };

struct acl_test {                     /* One element of a list of a "where" line. */
    enum acl_kind kind;
    uint32_t low, high;               /* ACL_PORT, ACL_VLAN. */
    struct mac_addr mac;
    uint8_t mac_bits;
    struct ip_prefix prefix;
};

struct acl_scope {                    /* A "where" line: 'n' tests; none: everywhere. */
    uint32_t first, n;
};

struct acl_rule {
    struct slice user;                /* Of a topic; no length: anonymous. */
    struct slice filter;              /* Both in the text. */
    uint32_t scope;
    uint32_t order;                   /* Of the lines. */
    uint8_t access;                   /* 0: deny. */
    bool has_names;                   /* %u or %c. */
};

struct mqtt_acl {
    uint8_t *text;
    struct acl_rule *topics, *patterns;
    size_t n_topics, allocated_topics, n_patterns, allocated_patterns;
    struct acl_scope *scopes;         /* The first is "everywhere". */
    size_t n_scopes, allocated_scopes;
    struct acl_test *tests;
    size_t n_tests, allocated_tests;
    uint8_t scratch[TOPIC_MAX_LEN];   /* A pattern with its names. */
};

/* Order of names: negative, 0, positive. */
int acl_compare(struct slice a, struct slice b);

#endif
