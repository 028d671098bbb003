/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_storage: storage pools of libvirt as a supply (model/supply.h): one that is active and knows the volume of
 * a guest's disk.
 *
 * A pool is its host's.  It is started and refreshed, as far as the profile lets it be, and never defined, changed or
 * stopped.  Blocking, on the connection that is given.
 */

#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "base/base.h"

struct arena;
struct err;
struct libvirt_move;
struct libvirt_move_end;
struct supply;

AUTO_POINTER(storage_pool, virStoragePool, virStoragePoolFree);
AUTO_POINTER(storage_volume, virStorageVol, virStorageVolFree);

/* Whether the pool of 'item' on 'end' is active and knows the volume; of one that is missing, too. */
int libvirt_storage_probe(const struct libvirt_move_end *end, const struct supply *item,
                          bool *there, struct err *err);

/* Makes it so on move->source; '*done' is false if it was so already.  ERR_INCOMPATIBLE: there is no such pool;
 * ERR_REFUSED: the profile does not let it be. */
int libvirt_storage_provide(const struct libvirt_move *move, const struct supply *item, bool *done,
                            struct err *err);

/* Where the volume of 'item' is on 'end', in 'arena'; NULL if that cannot be told. */
const char *libvirt_storage_path(struct arena *arena, const struct libvirt_move_end *end,
                                 const struct supply *item);

/* Whether both ends of the move define the pool called 'name' alike: its type, its source and where it is. */
int libvirt_storage_is_same(const struct libvirt_move *move, const char *name, bool *same,
                            struct err *err);

/* The supply of move->op that the volume is, if it is brought about on 'end' before the guest and is not yet: 'active'
 * tells whether its pool is.  NULL: it is none, or the profile does not let it be. */
const struct supply *libvirt_storage_brought(const struct libvirt_move *move,
                                             const struct libvirt_move_end *end, const char *pool,
                                             const char *volume, bool active);
