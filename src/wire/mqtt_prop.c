/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* The table of MQTT 5.0 properties at work: one reader, one writer for all of them. */
#include "wire/mqtt_prop.h"

#define PROP_ID_LIMIT 0x40

struct prop_rule {
    uint8_t id;
    uint8_t type;
    uint16_t where;
    uint32_t min, max;
};

static const struct prop_rule rules[MQTT_N_PROPS] = {
#define PROP_RULE(NAME, ID, TYPE, WHERE, MIN, MAX) { ID, MQTT_PROP_##TYPE, WHERE, MIN, MAX },
    MQTT_PROPS(PROP_RULE)
};

/* Identifier to enum mqtt_prop + 1; 0: no such property. */
static const uint8_t by_id[PROP_ID_LIMIT] = {
#define PROP_BY_ID(NAME, ID, TYPE, WHERE, MIN, MAX) [ID] = MQTT_PROP_##NAME + 1,
    MQTT_PROPS(PROP_BY_ID)
};

uint32_t
wire_mqtt_read_varint(struct reader *r)
{
    uint32_t value = 0;

    for (uint32_t i = 0; i < 4; i++) {
        uint8_t byte = reader_u8(r);

        value |= (uint32_t) (byte & 0x7f) << 7 * i;
        if (!(byte & 0x80)) {
            r->failed = r->failed || (i && !byte);      /* [MQTT-1.5.5-1]: the shortest form. */
            return r->failed ? 0 : value;
        }
    }
    r->failed = true;
    return 0;
}

void
wire_mqtt_put_varint(struct writer *w, uint32_t value)
{
    while (value >= 0x80) {
        writer_u8(w, (uint8_t) (value | 0x80));
        value >>= 7;
    }
    writer_u8(w, (uint8_t) value);
}

uint32_t
wire_mqtt_varint_size(uint32_t value)
{
    return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

/* False: no such property, or cut. */
static bool
read_prop(struct reader *r, struct wire_mqtt_prop *prop)
{
    const uint8_t *start = r->p;
    uint32_t id = wire_mqtt_read_varint(r);

    if (r->failed || id >= PROP_ID_LIMIT || !by_id[id]) {
        return false;
    }
    *prop = (struct wire_mqtt_prop) {
        .which = by_id[id] - 1,
        .type = rules[by_id[id] - 1].type,
    };
    switch (prop->type) {
    case MQTT_PROP_BYTE: prop->number = reader_u8(r); break;
    case MQTT_PROP_U16: prop->number = reader_u16(r); break;
    case MQTT_PROP_U32: prop->number = reader_u32(r); break;
    case MQTT_PROP_VARINT: prop->number = wire_mqtt_read_varint(r); break;
    case MQTT_PROP_STRING:
    case MQTT_PROP_BINARY: prop->value = reader_counted(r); break;
    case MQTT_PROP_PAIR:
        prop->value = reader_counted(r);
        prop->pair_value = reader_counted(r);
        break;
    }
    prop->raw = (struct slice) { start, (uint32_t) (r->p - start) };
    return !r->failed;
}

enum wire_mqtt_result
wire_mqtt_read_props(struct reader *r, uint8_t of, struct wire_mqtt_props *props)
{
    uint32_t size = wire_mqtt_read_varint(r);
    const uint8_t *p = reader_bytes(r, size);
    struct reader list = reader_init(p, p ? size : 0);

    props->seen = 0;
    if (!p) {
        return WIRE_MQTT_MALFORMED;
    }
    props->raw = (struct slice) { p, size };
    while (reader_left(&list)) {
        struct wire_mqtt_prop prop;
        const struct prop_rule *rule;

        if (!read_prop(&list, &prop)) {
            return WIRE_MQTT_MALFORMED;
        }
        rule = &rules[prop.which];
        if (!(rule->where >> of & 1)) {
            return WIRE_MQTT_MALFORMED;             /* Section 2.2.2.2. */
        }
        if (prop.type <= MQTT_PROP_VARINT
            && (prop.number < rule->min || prop.number > rule->max)) {
            return WIRE_MQTT_PROTOCOL_ERROR;
        }
        /* Only these may stand several times. */
        if (wire_mqtt_has_prop(props, prop.which) && prop.which != MQTT_PROP_USER_PROPERTY
            && !(prop.which == MQTT_PROP_SUBSCRIPTION_ID && of == MQTT_PUBLISH)) {
            return WIRE_MQTT_PROTOCOL_ERROR;
        }
        props->seen |= 1u << prop.which;
        props->number[prop.which] = prop.number;
        props->value[prop.which] = prop.value;
    }
    return WIRE_MQTT_DONE;
}

bool
wire_mqtt_next_prop(struct slice *raw, struct wire_mqtt_prop *prop)
{
    struct reader r = reader_init(raw->p, raw->n);

    if (!raw->n || !read_prop(&r, prop)) {
        return false;
    }
    raw->n -= (uint32_t) (r.p - raw->p);
    raw->p = r.p;
    return true;
}

void
wire_mqtt_put_number_prop(struct writer *w, enum mqtt_prop which, uint32_t number)
{
    writer_u8(w, rules[which].id);
    switch ((enum mqtt_prop_type) rules[which].type) {
    case MQTT_PROP_BYTE: writer_u8(w, (uint8_t) number); break;
    case MQTT_PROP_U16: writer_u16(w, (uint16_t) number); break;
    case MQTT_PROP_U32: writer_u32(w, number); break;
    case MQTT_PROP_VARINT: wire_mqtt_put_varint(w, number); break;
    case MQTT_PROP_STRING:
    case MQTT_PROP_BINARY:
    case MQTT_PROP_PAIR: w->failed = true; break;
    }
}

void
wire_mqtt_put_string_prop(struct writer *w, enum mqtt_prop which, struct slice value)
{
    writer_u8(w, rules[which].id);
    writer_u16(w, (uint16_t) value.n);
    writer_bytes(w, value.p, value.n);
}
