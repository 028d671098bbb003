/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_storage.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/libvirt_error.h"
#include "actuators/libvirt_move.h"
#include "actuators/libvirt_volume.h"
#include "actuators/libvirt_xml.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "model/op.h"
#include "model/profile.h"
#include "model/supply.h"

/* The pool, or NULL if there is none; '*active' of one that there is. */
static int find_pool(const struct libvirt_move_end *end, const char *name, virStoragePoolPtr *pool,
                     bool *active, struct err *err)
{
    int answer = 0;

    *active = false;
    *pool = virStoragePoolLookupByName(end->connection, name);
    if (*pool == NULL) {
        return libvirt_error_is(VIR_ERR_NO_STORAGE_POOL)
                   ? 0
                   : libvirt_error_set(err, "cannot look at storage pool '%s' on '%s'", name,
                                       end->host.name);
    }
    answer = virStoragePoolIsActive(*pool);
    *active = answer > 0;
    return answer < 0 ? libvirt_error_set(err, "cannot look at storage pool '%s' on '%s'", name,
                                          end->host.name)
                      : 0;
}

static int find_volume(const struct libvirt_move_end *end, virStoragePoolPtr pool,
                       const struct supply *item, bool *there, struct err *err)
{
    AUTO(storage_volume)
    virStorageVol *volume = virStorageVolLookupByName(pool, item->volume);

    *there = volume != NULL;
    return volume != NULL || libvirt_error_is(VIR_ERR_NO_STORAGE_VOL)
               ? 0
               : libvirt_error_set(err, "cannot look at storage pool '%s' on '%s'", item->name,
                                   end->host.name);
}

int libvirt_storage_probe(const struct libvirt_move_end *end, const struct supply *item,
                          bool *there, struct err *err)
{
    AUTO(storage_pool) virStoragePool *pool = NULL;
    bool active;

    *there = false;
    if (find_pool(end, item->name, &pool, &active, err) < 0) {
        return -1;
    }
    return active ? find_volume(end, pool, item, there, err) : 0;
}

static int refuse(const struct libvirt_move *move, const struct supply *item, const char *key,
                  const char *command, struct err *err)
{
    return libvirt_move_fail(move, err, ERR_REFUSED,
                             "profile '%s' has [pool] %s = no: run 'virsh %s %s' there",
                             op_profile(move->op)->name, key, command, item->name);
}

/* Somebody else may have done the same in the meantime. */
static int start(const struct libvirt_move *move, virStoragePoolPtr pool, const struct supply *item,
                 struct err *err)
{
    if (!op_profile(move->op)->supplies[SUPPLY_POOL].start) {
        return refuse(move, item, "start", "pool-start", err);
    }
    return virStoragePoolCreate(pool, 0) == 0 || virStoragePoolIsActive(pool) == 1
               ? 0
               : libvirt_error_set(err, "cannot start storage pool '%s' on '%s'", item->name,
                                   move->op->host);
}

static int refresh(const struct libvirt_move *move, virStoragePoolPtr pool,
                   const struct supply *item, struct err *err)
{
    if (!op_profile(move->op)->supplies[SUPPLY_POOL].refresh) {
        return refuse(move, item, "refresh", "pool-refresh", err);
    }
    return virStoragePoolRefresh(pool, 0) == 0
               ? 0
               : libvirt_error_set(err, "cannot refresh storage pool '%s' on '%s'", item->name,
                                   move->op->host);
}

int libvirt_storage_provide(const struct libvirt_move *move, const struct supply *item, bool *done,
                            struct err *err)
{
    const struct libvirt_move_end *end = &move->source;
    AUTO(storage_pool) virStoragePool *pool = NULL;
    bool active;
    bool there = false;

    if (find_pool(end, item->name, &pool, &active, err) < 0) {
        return -1;
    }
    if (pool == NULL) {
        return libvirt_move_fail(move, err, ERR_INCOMPATIBLE,
                                 "there is no storage pool '%s': define it there", item->name);
    }
    *done = !active;
    if ((!active && start(move, pool, item, err) < 0) ||
        find_volume(end, pool, item, &there, err) < 0) {
        return -1;
    }
    if (there) {
        return 0;
    }
    *done = true;
    if (refresh(move, pool, item, err) < 0 || find_volume(end, pool, item, &there, err) < 0) {
        return -1;
    }
    return there ? 0
                 : libvirt_move_fail(move, err, ERR_FAILED,
                                     "storage pool '%s' knows no volume '%s', and has just looked",
                                     item->name, text_visible(move->arena, item->volume));
}

const char *libvirt_storage_path(struct arena *arena, const struct libvirt_move_end *end,
                                 const struct supply *item)
{
    AUTO(storage_pool)
    virStoragePool *pool = virStoragePoolLookupByName(end->connection, item->name);
    AUTO(storage_volume)
    virStorageVol *volume = pool == NULL ? NULL : virStorageVolLookupByName(pool, item->volume);
    char *path = volume == NULL ? NULL : virStorageVolGetPath(volume);
    const char *kept =
        path != NULL && libvirt_volume_is_path(path) ? arena_strdup(arena, path) : NULL;

    free(path);
    return kept;
}

static int read_definition(const struct libvirt_move *move, const struct libvirt_move_end *end,
                           const char *name, const char **definition, struct err *err)
{
    AUTO(storage_pool)
    virStoragePool *pool = virStoragePoolLookupByName(end->connection, name);
    char *xml = pool == NULL ? NULL : virStoragePoolGetXMLDesc(pool, VIR_STORAGE_XML_INACTIVE);
    int status;

    if (xml == NULL) {
        return libvirt_error_set(err, "cannot read the definition of storage pool '%s' on '%s'",
                                 name, end->host.name);
    }
    status = libvirt_xml_read_pool(move->arena, xml, definition, err);
    free(xml);
    return status;
}

int libvirt_storage_is_same(const struct libvirt_move *move, const char *name, bool *same,
                            struct err *err)
{
    const char *from;
    const char *to;

    if (read_definition(move, &move->source, name, &from, err) < 0 ||
        read_definition(move, &move->target, name, &to, err) < 0) {
        return -1;
    }
    *same = strcmp(from, to) == 0;
    return 0;
}

const struct supply *libvirt_storage_brought(const struct libvirt_move *move,
                                             const struct libvirt_move_end *end, const char *pool,
                                             const char *volume, bool active)
{
    const struct profile_supply *settings = &op_profile(move->op)->supplies[SUPPLY_POOL];
    const struct supply_list items = supply_list_of(&move->op->supplies, SUPPLY_POOL);

    if (move->op->prepared || end != &move->target ||
        !(active ? settings->refresh : settings->start)) {
        return NULL;
    }
    for (size_t i = 0; i < items.count; i++) {
        if (strcmp(items.items[i].name, pool) == 0 && strcmp(items.items[i].volume, volume) == 0) {
            return &items.items[i];
        }
    }
    return NULL;
}
