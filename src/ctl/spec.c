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

bool
spec_is_host(const struct ip_prefix *p)
{
    return p->len == 128;
}

char *
spec_format_prefix(const struct ip_prefix *p, char buf[PREFIX_STRLEN])
{
    char addr[ADDR_STRLEN];
    bool v4 = p->len >= 96 && addr_is_v4(&p->addr);

    addr_format(&p->addr, addr);
    if (!p->len) {
        snprintf(buf, PREFIX_STRLEN, "ANY");
    } else if (spec_is_host(p)) {
        snprintf(buf, PREFIX_STRLEN, "%s", addr);
    } else {
        snprintf(buf, PREFIX_STRLEN, "%s/%d", addr, v4 ? p->len - 96 : p->len);
    }
    return buf;
}

bool
spec_is_usable(const struct ip_addr *a)
{
    return !addr_is_any(a) && !addr_is_multicast(a)
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

char *
spec_parse_take(const char *text, struct net_service *svc)
{
    memset(svc, 0, sizeof *svc);
    svc->kind = NET_TAKEN;
    if (!strcasecmp(text, "any")) {
        return NULL;                  /* Length 0: every address of both families. */
    }
    if (!prefix_parse(&svc->prefix, text)
        || (spec_is_host(&svc->prefix) && !spec_is_usable(&svc->prefix.addr))
        || !svc->prefix.len) {        /* "::/0" would be IPv4 too. */
        return xasprintf("--take: \"%s\" is neither an IP address of a host, nor a prefix, nor "
                         "ANY", text);
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
    char *save = NULL;

    for (char *f = strtok_r(flags, ",", &save); f; f = strtok_r(NULL, ",", &save)) {
        if (!strcmp(f, "strict")) {
            p->strict = true;
        } else if (!strcmp(f, "bcast")) {
            p->bcast = true;
        } else {
            return xasprintf("-F: \"%s\" is neither strict nor bcast", f);
        }
    }
    return NULL;
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
    if (!error && p->bcast && p->via == PEER_SOCKET) {
        error = xstrdup("-F: bcast is for in-band peers; a socket asks the kernel for the way");
    }
    free(copy);
    return error;
}
