/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* Reassembly: see reasm.h.
 *
 * Each datagram keeps its fragments as they came, in a list sorted by offset, so that its memory is
 * what its sender really sent, whatever offsets it claims. */
#include "net/reasm.h"

#include "base/mem.h"

/* 65,535 bytes in fragments of the smallest MTU that anybody uses (576) are 119. */
#define MAX_FRAGMENTS 512
#define MALLOC_OVERHEAD 16

struct piece {
    struct piece *next;
    uint32_t off, n;
    uint8_t data[];
};

struct net_reasm_key {                /* No padding: hashed and compared as bytes. */
    struct ip_addr src, dst;
    uint32_t id;
    uint16_t vid[WIRE_MAX_TAGS];      /* The same address is another host in another VLAN. */
    uint8_t n_tags;
    uint8_t proto;                    /* IPv4 only: IPv6 has none in its key. */
    uint8_t zero[2];
};

struct net_reasm_entry {
    struct net_reasm_entry *hash_next, *older, *newer;
    struct net_reasm_key key;
    usec_t expires_at;
    struct piece *pieces;             /* Sorted by offset, disjoint. */
    uint32_t n_pieces;
    uint32_t have, total;             /* Bytes; 'total' UINT32_MAX until the last one came. */
    size_t bytes;
    uint8_t proto;                    /* As the first fragment says. */
    bool is_marked;                   /* One of them met congestion. */
    bool dead;                        /* Overlapped: what still comes is swallowed (RFC 5722). */
};

void
net_reasm_init(struct net_reasm *r, const struct net_config *config)
{
    uint32_t n_buckets = 16;

    while (n_buckets < config->max_reassembly && n_buckets < 1u << 16) {
        n_buckets *= 2;
    }
    *r = (struct net_reasm) {
        .buckets = mem_zalloc(n_buckets * sizeof *r->buckets),
        .mask = n_buckets - 1,
        .max = config->max_reassembly,
        .max_bytes = config->max_reassembly_bytes,
        .key = config->key,
    };
}

static struct net_reasm_entry **
bucket_of(const struct net_reasm *r, const struct net_reasm_key *key)
{
    return &r->buckets[siphash(&r->key, key, sizeof *key) & r->mask];
}

static void
drop_pieces(struct net_reasm *r, struct net_reasm_entry *e)
{
    while (e->pieces) {
        struct piece *p = e->pieces;
        size_t size = sizeof *p + p->n + MALLOC_OVERHEAD;

        e->pieces = p->next;
        e->bytes -= size;
        r->bytes -= size;
        mem_free(p);
    }
    e->n_pieces = 0;
}

static void
remove_entry(struct net_reasm *r, struct net_reasm_entry *e)
{
    struct net_reasm_entry **link = bucket_of(r, &e->key);

    while (*link != e) {
        link = &(*link)->hash_next;
    }
    *link = e->hash_next;
    *(e->older ? &e->older->newer : &r->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &r->newest) = e->older;
    drop_pieces(r, e);
    r->bytes -= e->bytes;
    r->n--;
    mem_free(e);
}

void
net_reasm_uninit(struct net_reasm *r)
{
    while (r->oldest) {
        remove_entry(r, r->oldest);
    }
    mem_free(r->buckets);
}

static struct net_reasm_key
key_of(const struct wire_frame *f)
{
    struct net_reasm_key key;

    memset(&key, 0, sizeof key);
    key.src = f->ip.src;
    key.dst = f->ip.dst;
    key.id = f->ip.id;
    key.n_tags = f->eth.n_tags;
    for (unsigned int i = 0; i < f->eth.n_tags; i++) {
        key.vid[i] = f->eth.tags[i].tci & 0xfff;
    }
    key.proto = addr_is_v4(&f->ip.src) ? f->ip.proto : 0;
    return key;
}

static struct net_reasm_entry *
find_entry(const struct net_reasm *r, const struct net_reasm_key *key)
{
    struct net_reasm_entry *e = *bucket_of(r, key);

    while (e && memcmp(&e->key, key, sizeof *key)) {
        e = e->hash_next;
    }
    return e;
}

static struct net_reasm_entry *
add_entry(struct net_reasm *r, const struct net_reasm_key *key, usec_t now)
{
    struct net_reasm_entry **bucket = bucket_of(r, key);
    struct net_reasm_entry *e = mem_zalloc(sizeof *e);

    e->key = *key;
    e->expires_at = now + NET_REASM_TIMEOUT;
    e->total = UINT32_MAX;
    e->bytes = sizeof *e + MALLOC_OVERHEAD;
    e->hash_next = *bucket;
    *bucket = e;
    e->older = r->newest;
    *(e->older ? &e->older->newer : &r->oldest) = e;
    r->newest = e;
    r->bytes += e->bytes;
    r->n++;
    return e;
}

/* Whether a new fragment may stay; the oldest datagrams go for it, but not 'self'. */
static bool
make_room(struct net_reasm *r, size_t need, const struct net_reasm_entry *self,
          struct net_stats *stats)
{
    uint32_t need_entries = self ? 0 : 1;

    while (r->n + need_entries > r->max || r->bytes + need > r->max_bytes) {
        if (!r->oldest || r->oldest == self) {
            return false;
        }
        stats->reassembly_limit++;
        remove_entry(r, r->oldest);
    }
    return true;
}

enum place { PLACE_FREE, PLACE_DUPLICATE, PLACE_OVERLAP };

/* Where [off, off + n) belongs in the sorted list. */
static enum place
find_place(struct net_reasm_entry *e, const struct wire_ip *ip, struct piece ***link)
{
    uint32_t off = ip->frag_off, end = off + ip->payload.n;
    struct piece **p = &e->pieces;

    while (*p && (*p)->off + (*p)->n <= off && (*p)->off < off) {
        p = &(*p)->next;
    }
    *link = p;
    if (*p && (*p)->off == off && (*p)->n == ip->payload.n
        && !memcmp((*p)->data, ip->payload.p, ip->payload.n)) {
        return PLACE_DUPLICATE;       /* The network's, not an attack: RFC 8200 4.5. */
    }
    return *p && (*p)->off < end ? PLACE_OVERLAP : PLACE_FREE;
}

/* Whether the fragment fits with the end of the datagram, as far as it is known. */
static bool
end_is_consistent(struct net_reasm_entry *e, const struct wire_ip *ip)
{
    uint32_t end = ip->frag_off + ip->payload.n;

    if (!ip->mf) {
        if (e->total != UINT32_MAX && e->total != end) {
            return false;
        }
        for (const struct piece *p = e->pieces; p; p = p->next) {
            if (p->off + p->n > end) {
                return false;
            }
        }
        e->total = end;
    }
    return end <= e->total;
}

static void
kill_entry(struct net_reasm *r, struct net_reasm_entry *e, uint64_t *counter)
{
    ++*counter;
    drop_pieces(r, e);
    e->dead = true;
}

static void
add_piece(struct net_reasm *r, struct net_reasm_entry *e, const struct wire_ip *ip,
          struct piece **link)
{
    struct piece *p = mem_alloc(sizeof *p + ip->payload.n);
    size_t size = sizeof *p + ip->payload.n + MALLOC_OVERHEAD;

    p->off = ip->frag_off;
    p->n = ip->payload.n;
    memcpy(p->data, ip->payload.p, p->n);
    p->next = *link;
    *link = p;
    e->n_pieces++;
    e->have += p->n;
    e->bytes += size;
    r->bytes += size;
    if (!ip->frag_off) {
        e->proto = ip->proto;
    }
    e->is_marked |= (ip->tos & IP_ECN_CE) == IP_ECN_CE;
}

bool
net_reasm_input(struct net_reasm *r, struct wire_frame *f, usec_t now, struct net_stats *stats,
                uint8_t *buf, struct slice *whole)
{
    struct net_reasm_key key = key_of(f);
    struct net_reasm_entry *e = find_entry(r, &key);
    size_t need = sizeof(struct piece) + f->ip.payload.n + MALLOC_OVERHEAD;
    struct piece **link;

    stats->fragments_in++;
    if (e && e->expires_at <= now) {  /* Its identification is in use again. */
        stats->reassembly_timeout += !e->dead;
        remove_entry(r, e);
        e = NULL;
    }
    if (e && e->dead) {
        return false;
    }
    if (!make_room(r, need + (e ? 0 : sizeof *e + MALLOC_OVERHEAD), e, stats)) {
        stats->reassembly_limit++;
        if (e) {
            remove_entry(r, e);       /* It can never be completed now. */
        }
        return false;
    }
    e = e ? e : add_entry(r, &key, now);

    enum place place = find_place(e, &f->ip, &link);

    if (place == PLACE_DUPLICATE) {
        return false;
    } else if (place == PLACE_OVERLAP || !end_is_consistent(e, &f->ip)) {
        kill_entry(r, e, &stats->reassembly_overlap);
        return false;
    } else if (e->n_pieces >= MAX_FRAGMENTS) {
        kill_entry(r, e, &stats->reassembly_limit);
        return false;
    }
    add_piece(r, e, &f->ip, link);
    if (e->have != e->total) {        /* Disjoint and within 'total': equal means complete. */
        return false;
    }
    for (const struct piece *p = e->pieces; p; p = p->next) {
        memcpy(buf + p->off, p->data, p->n);
    }
    *whole = (struct slice) { .p = buf, .n = e->total };
    f->ip.proto = e->proto;
    f->ip.tos |= e->is_marked ? IP_ECN_CE : 0;              /* RFC 3168 5.3. */
    stats->reassembled++;
    remove_entry(r, e);
    return true;
}

void
net_reasm_run(struct net_reasm *r, usec_t now, struct net_stats *stats)
{
    while (r->oldest && r->oldest->expires_at <= now) {
        stats->reassembly_timeout += !r->oldest->dead;
        remove_entry(r, r->oldest);
    }
}

usec_t
net_reasm_deadline(const struct net_reasm *r)
{
    return r->oldest ? r->oldest->expires_at : CLOCK_NEVER;
}
