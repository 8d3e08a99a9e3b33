/* Copyright 2026 The ovs-mqtt-proxy authors.
 * SPDX-License-Identifier: Apache-2.0 */
/* PUBLISHes that are compressed together, in the stream of the reliable dialect, as one more control
 * packet:
 *
 *     f1    remaining length    size:32    LZ4 block
 *
 * 'size' is that of the control packets which the block holds, whole ones, none of them packed.  Of
 * other packs nothing need be known to open one.  Stateless. */
#ifndef MP_PEER_PACK_H
#define MP_PEER_PACK_H 1

#include <stdbool.h>

#include "base/cursor.h"
#include "base/mbuf.h"

#define PACK_MAX 65536u               /* Bytes of control packets in one. */

/* Packs 'n' bytes, up to PACK_MAX, of whole control packets.  The caller owns the result.  NULL: it
 * would not be smaller by an eighth. */
struct mbuf *pack(const uint8_t *, uint32_t n);
bool pack_is_one(struct slice packet);          /* By its first byte.  Not empty. */
/* The control packets in 'packet', which is whole; the caller owns them.  NULL: malformed. */
struct mbuf *pack_open(struct slice packet);

#endif
