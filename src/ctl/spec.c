/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ctl/spec.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ovs-config.h"
#include "util.h"

#include "utcp/utcp.h"

bool
spec_is_digits(const char *s)
{
    return s[0] && !s[strspn(s, "0123456789")];
}

char *
spec_parse_dscp(const char *text, uint8_t *dscp)
{
    if (!strcmp(text, "mirror")) {
        *dscp = UTCP_DSCP_MIRROR;
    } else if (!spec_is_digits(text) || strlen(text) > 3 || atoi(text) > UTCP_DSCP_MAX) {
        return xasprintf("\"%s\" is not a Diffserv codepoint (0 to %d) nor \"mirror\"", text,
                         UTCP_DSCP_MAX);
    } else {
        *dscp = (uint8_t) atoi(text);
    }
    return NULL;
}

char *
spec_parse_bool(const char *option, const char *text, bool *value)
{
    *value = !strcmp(text, "true");
    if (!*value && strcmp(text, "false")) {
        return xasprintf("--%s: \"%s\" is neither true nor false", option, text);
    }
    return NULL;
}

char *
spec_format_prefix(const struct ip_prefix *p, char buf[PREFIX_STRLEN])
{
    char addr[ADDR_STRLEN];
    bool v4 = p->len >= 96 && addr_is_v4(&p->addr);

    addr_format(&p->addr, addr);
    if (!p->len) {
        snprintf(buf, PREFIX_STRLEN, "ANY");
    } else if (prefix_is_host(p)) {
        snprintf(buf, PREFIX_STRLEN, "%s", addr);
    } else {
        snprintf(buf, PREFIX_STRLEN, "%s/%d", addr, v4 ? p->len - 96 : p->len);
    }
    return buf;
}

bool
spec_is_usable(const struct ip_addr *a)
{
    return !addr_is_any(a) && !addr_is_multicast(a) && !addr_is_loopback(a)
           && !(addr_is_v4(a) && addr_to_v4(a) == UINT32_MAX);
}

char *
spec_parse_address(const char *text, struct net_service *svc)
{
    char addr[ADDR_STRLEN];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t) (slash - text) : strlen(text);

    memset(svc, 0, sizeof *svc);
    svc->kind = NET_VIRTUAL;
    svc->prefix.len = 128;
    snprintf(addr, sizeof addr, "%.*s", (int) n, text);
    if (n >= sizeof addr || !addr_parse(&svc->prefix.addr, addr)
        || !spec_is_usable(&svc->prefix.addr)) {
        return xasprintf("--address: \"%s\" does not begin with an IP address of a host", text);
    }
    if (slash && (!mac_parse(&svc->mac, slash + 1) || mac_is_zero(&svc->mac)
                  || mac_is_multicast(&svc->mac))) {
        return xasprintf("--address: \"%s\" is not a MAC address of a host", slash + 1);
    }
    return NULL;
}

static bool
is_usable_prefix(const struct ip_prefix *p)
{
    /* "0.0.0.0/0" holds all sorts, hosts among them. */
    return (prefix_is_host(p) ? spec_is_usable(&p->addr)
            : !addr_is_multicast(&p->addr) && !addr_is_loopback(&p->addr));
}

/* "192.168.1.5/24": either a host or its network is meant. */
static bool
has_host_bits(const char *text, const struct ip_prefix *p)
{
    char addr[ADDR_STRLEN];
    struct ip_addr a;

    snprintf(addr, sizeof addr, "%.*s", (int) strcspn(text, "/"), text);
    return addr_parse(&a, addr) && !addr_equal(&a, &p->addr);
}

char *
spec_parse_take(const char *text, struct net_service *svc)
{
    char prefix[PREFIX_STRLEN];

    memset(svc, 0, sizeof *svc);
    svc->kind = NET_TAKEN;
    if (!strcasecmp(text, "any")) {
        return NULL;                  /* Length 0: every address of both families. */
    }
    if (!prefix_parse(&svc->prefix, text)
        || !svc->prefix.len) {        /* "::/0" would be IPv4 too. */
        return xasprintf("--take: \"%s\" is neither an IP address of a host, nor a prefix, nor "
                         "ANY", text);
    }
    if (!is_usable_prefix(&svc->prefix)) {
        return xasprintf("--take: \"%s\" is not what hosts on a network have", text);
    }
    if (has_host_bits(text, &svc->prefix)) {
        return xasprintf("--take: \"%s\" has bits of a host: the network is %s, a host goes without "
                         "the length", text, spec_format_prefix(&svc->prefix, prefix));
    }
    return NULL;
}

char *
spec_format_peer(const struct peer_spec *p, char buf[PEER_STRLEN])
{
    char addr[ADDR_STRLEN];

    addr_format(&p->addr, addr);
    snprintf(buf, PEER_STRLEN, addr_is_v4(&p->addr) ? "%s:%u" : "[%s]:%u", addr, p->port);
    return buf;
}

bool
spec_parse_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long int value = strtoul(text, &end, 10);

    *port = value;
    return isdigit((unsigned char) text[0]) && !*end && value >= 1 && value <= 65535;
}

bool
spec_parse_endpoint(char *text, struct peer_spec *p)
{
    char *port = NULL;

    if (text[0] == '[') {
        char *end = strchr(text, ']');

        if (!end || (end[1] && end[1] != ':')) {
            return false;
        }
        port = end[1] ? end + 2 : NULL;
        *end = '\0';
        text++;
    } else if (strchr(text, ':') && strchr(text, ':') == strrchr(text, ':')) {
        port = strchr(text, ':') + 1; /* One colon: IPv4 with a port. */
        port[-1] = '\0';
    }
    return addr_parse(&p->addr, text) && (!port || spec_parse_port(port, &p->port));
}

bool
spec_skip(const char **text, const char *prefix)
{
    size_t n = strlen(prefix);
    bool found = !strncmp(*text, prefix, n);

    *text += found ? n : 0;
    return found;
}

static char *
parse_peer_flags(char *flags, struct peer_spec *p)
{
    char *f;

    while ((f = strsep(&flags, ","))) {
        bool *flag = !strcmp(f, "strict") ? &p->strict : !strcmp(f, "bcast") ? &p->bcast : NULL;

        if (!flag) {
            return xasprintf("-F: \"%s\" is neither strict nor bcast", f);
        } else if (*flag) {
            return xasprintf("-F: %s is given twice", f);
        }
        *flag = true;
    }
    return NULL;
}

/* A socket's peer may be on this very host.  With "bcast" it is the frame that goes to everybody,
 * the datagram is for one. */
static bool
is_usable_peer(const struct peer_spec *p)
{
    return spec_is_usable(&p->addr) || (p->via == PEER_SOCKET && addr_is_loopback(&p->addr));
}

char *
spec_parse_peer(const char *text, uint16_t default_port, struct peer_spec *p)
{
    const char *rest = text;

    memset(p, 0, sizeof *p);
    p->port = default_port;
    p->via = PEER_INBAND;
    if (spec_skip(&rest, "socket:")) {
        p->via = PEER_SOCKET;
    } else {
        spec_skip(&rest, "inband:");
    }

    char *copy = xstrdup(rest);
    char *comma = strchr(copy, ',');
    char *error = NULL;

    if (comma) {
        *comma = '\0';
    }
    if (!spec_parse_endpoint(copy, p) || addr_is_any(&p->addr)) {
        error = xasprintf("-F: \"%s\" is not [inband:|socket:]IP[:PORT][,strict][,bcast]", text);
    } else if (comma) {
        error = parse_peer_flags(comma + 1, p);
    }
    if (!error && !is_usable_peer(p)) {
        error = xasprintf("-F: \"%s\" is not the address of a host", text);
    }
    if (!error && p->bcast && p->via == PEER_SOCKET) {
        error = xstrdup("-F: bcast is for in-band peers; a socket asks the kernel for the way");
    }
    free(copy);
    return error;
}
