/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The text of the capture filter, and the addresses of the namespace that we run in. */
#include "io/pcap_in.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include "base/mem.h"

/* Text that grows. */
struct text {
    char *s;
    size_t n, allocated;
};

static void put(struct text *, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
put(struct text *t, const char *format, ...)
{
    char buf[256];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(buf, sizeof buf, format, args);
    va_end(args);
    mp_assert(n >= 0 && (size_t) n < sizeof buf);
    t->s = mem_grow(t->s, &t->allocated, t->n + (size_t) n + 1, 1);
    memcpy(t->s + t->n, buf, (size_t) n + 1);
    t->n += (size_t) n;
}

/* "dst net A/LEN and " or nothing, by direction. */
static void
put_net(struct text *t, const char *dir, const struct ip_prefix *p)
{
    char addr[ADDR_STRLEN];
    bool v4 = addr_is_v4(&p->addr) && p->len >= 96;

    if (p->len) {
        put(t, "%s net %s/%u", dir, addr_format(&p->addr, addr), v4 ? p->len - 96u : p->len);
    } else {
        put(t, "(ip or ip6)");
    }
}

static void
put_service(struct text *t, const struct io_pcap_filter *f, const struct io_pcap_service *s)
{
    put(t, "(");
    put_net(t, "dst", &s->prefix);
    if (!s->is_virtual) {
        /* The rest is for the owner's kernel: of its traffic only ours, its fragments, which carry
         * no ports, and the errors that may be about our segments. */
        put(t, " and (tcp dst port %u or udp dst port %u or ip[6:2] & 0x3fff != 0 "
               "or (ip6 and ip6[6] = 44) or icmp[0] = 3 or (ip6 and ip6[6] = 58 "
               "and (ip6[40] = 1 or ip6[40] = 2)))", f->tcp_port, f->udp_port);
    }
    put(t, ")");
}

static void
put_body(struct text *t, const struct io_pcap_filter *f)
{
    put(t, "(arp or (ip6 and ip6[6] = 58 and (ip6[40] = 135 or ip6[40] = 136))");
    for (size_t i = 0; i < f->n_services; i++) {
        put(t, " or ");
        put_service(t, f, &f->services[i]);
    }
    put(t, ")");
}

char *
io_pcap_filter_text(const struct io_pcap_filter *f)
{
    struct text t = { .s = NULL };

    /* After "vlan" every offset is that of the tagged frame, so the untagged ones come first. */
    put_body(&t, f);
    put(&t, " or (vlan and ");
    put_body(&t, f);
    put(&t, ")");
    return t.s;
}

struct ip_addr *
io_local_addresses(size_t *n)
{
    struct ip_addr *addrs = NULL;
    size_t allocated = 0;
    struct ifaddrs *list, *ifa;

    *n = 0;
    if (getifaddrs(&list)) {
        return NULL;
    }
    for (ifa = list; ifa; ifa = ifa->ifa_next) {
        struct ip_addr a;

        if (!ifa->ifa_addr || ifa->ifa_flags & IFF_LOOPBACK) {
            continue;
        }
        if (ifa->ifa_addr->sa_family == AF_INET) {
            a = addr_v4(ntohl(((struct sockaddr_in *) ifa->ifa_addr)->sin_addr.s_addr));
        } else if (ifa->ifa_addr->sa_family == AF_INET6) {
            memcpy(a.b, &((struct sockaddr_in6 *) ifa->ifa_addr)->sin6_addr, sizeof a.b);
        } else {
            continue;
        }
        if (!addr_is_link_local(&a) && !addr_is_any(&a)) {
            addrs = mem_grow(addrs, &allocated, *n + 1, sizeof *addrs);
            addrs[(*n)++] = a;
        }
    }
    freeifaddrs(list);
    return addrs;
}
