/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_volume: where a disk is that its guest names as a volume of a storage pool.
 *
 * A pool is its host's: each has one of its own by that name, which must be active and know the volume
 * before the guest can start there, and the volume's path may differ from host to host.  Nothing is started or
 * refreshed here (libvirt_storage.h).
 */

#include <stdbool.h>
#include <stddef.h>

#include "model/check.h"

struct libvirt_move;
struct libvirt_move_end;
struct libvirt_xml_disk;

/* The longest path that is believed. */
#define LIBVIRT_VOLUME_PATH_MAX_BYTES ((size_t)4096)

/* The path of 'disk', whose source is LIBVIRT_XML_VOLUME, on 'end', in the arena of 'list'; NULL if it has none
 * there that could be asked about, which has been noted as a failed check of 'kind' with what to do, or as a skipped
 * one if its pool is brought about there before the guest.  Blocking, on
 * the connection of 'end'. */
const char *libvirt_volume_path(const struct libvirt_move *move, const struct libvirt_move_end *end,
                                const struct libvirt_xml_disk *disk, enum check_kind kind,
                                struct check_list *list);

/* True if the guest of move->op, if it runs on the source, has 'path' there for 'disk', whose pool has it there
 * now and may not have when the guest was started.  False: it has not, or that could not be told, which has
 * been noted as a failed check of storage.  Blocking.  libvirt asks the pool again when its daemon starts anew, and
 * knows no better then. */
bool libvirt_volume_is_used(const struct libvirt_move *move, const struct libvirt_xml_disk *disk,
                            const char *path, struct check_list *list);

/* True if 's' can be a volume's path: absolute, not too long, and without control characters.  Pure. */
bool libvirt_volume_is_path(const char *s);
