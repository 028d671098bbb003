/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_volume.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/libvirt_connection.h"
#include "actuators/libvirt_error.h"
#include "actuators/libvirt_move.h"
#include "actuators/libvirt_storage.h"
#include "actuators/libvirt_xml.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/op.h"

/* A question about one disk. */
struct inquiry {
    const struct libvirt_move *move;
    const struct libvirt_move_end *end;
    const struct libvirt_xml_disk *disk;
    enum check_kind kind;
    struct check_list *list;
};

/* Notes what libvirt says has gone wrong, beyond what can be expected. */
static void fail_libvirt(const struct inquiry *inquiry)
{
    struct err err;

    (void)libvirt_error_set(&err, "cannot look at storage pool '%s' on '%s'", inquiry->disk->pool,
                            inquiry->end->host.name);
    check_fail_err(inquiry->list, inquiry->kind, &err);
}

/* Notes that libvirt brings about what the pool lacks, before the guest comes; false if it does not.  A pool that is
 * not defined as the source's may lead to other storage: nobody starts it here.  Of a forced move there is no source. */
static bool is_brought(const struct inquiry *inquiry, bool active)
{
    const char *pool = inquiry->disk->pool;
    const char *host = inquiry->end->host.name;
    const struct libvirt_move *move = inquiry->move;
    bool same = move->op->mode == MOVE_FORCED;
    struct err err;

    if (libvirt_storage_brought(move, inquiry->end, pool, inquiry->disk->volume, active) == NULL) {
        return false;
    }
    if (!same && libvirt_storage_is_same(move, pool, &same, &err) < 0) {
        check_fail_err(inquiry->list, inquiry->kind, &err);
    } else if (!same) {
        check_fail(inquiry->list, inquiry->kind, ERR_INCOMPATIBLE,
                   "define it as it is there, or see to it by hand",
                   "storage pool '%s', which its disk '%s' is in, is not defined on '%s' as on "
                   "'%s' (type, source or path), and is not %s",
                   pool, inquiry->disk->target, host, move->op->host,
                   active ? "refreshed" : "started");
    } else {
        check_skip(
            inquiry->list, inquiry->kind, NULL,
            "disk '%s': storage pool '%s' on '%s' is %s before the guest comes, and looked at "
            "then",
            inquiry->disk->target, pool, host, active ? "refreshed" : "started");
    }
    return true;
}

/* The pool, active; NULL if there is none such, which has been noted. */
static virStoragePoolPtr find_pool(const struct inquiry *inquiry)
{
    const char *name = inquiry->disk->pool;
    const char *host = inquiry->end->host.name;
    AUTO(storage_pool)
    virStoragePool *pool = virStoragePoolLookupByName(inquiry->end->connection, name);
    int active;

    if (pool == NULL && libvirt_error_is(VIR_ERR_NO_STORAGE_POOL)) {
        check_fail(inquiry->list, inquiry->kind, ERR_INCOMPATIBLE,
                   "define a pool of that name on the same storage there",
                   "'%s' has no storage pool '%s', which its disk '%s' is in", host, name,
                   inquiry->disk->target);
        return NULL;
    }
    active = pool == NULL ? -1 : virStoragePoolIsActive(pool);
    if (active < 0) {
        fail_libvirt(inquiry);
        return NULL;
    }
    if (active == 0 && is_brought(inquiry, false)) {
        return NULL;
    }
    if (active == 0) {
        check_fail(inquiry->list, inquiry->kind, ERR_INCOMPATIBLE,
                   text_format(inquiry->list->arena, "run 'virsh pool-start %s' there", name),
                   "storage pool '%s', which its disk '%s' is in, is not active on '%s'", name,
                   inquiry->disk->target, host);
        return NULL;
    }
    return STEAL(pool);
}

/* What others call a path may be the name of something on a server. */
static bool has_path(virStorageVolPtr volume)
{
    virStorageVolInfo info;

    return virStorageVolGetInfo(volume, &info) == 0 &&
           (info.type == VIR_STORAGE_VOL_FILE || info.type == VIR_STORAGE_VOL_BLOCK);
}

static const char *read_path(const struct inquiry *inquiry, virStorageVolPtr volume)
{
    char *path = virStorageVolGetPath(volume);
    const char *kept = NULL;

    if (path == NULL) {
        fail_libvirt(inquiry);
        return NULL;
    }
    if (has_path(volume) && libvirt_volume_is_path(path)) {
        kept = arena_strdup(inquiry->list->arena, path);
    } else {
        check_fail(inquiry->list, inquiry->kind, ERR_UNSAFE,
                   "use a volume that is a file or a block device, or a network disk",
                   "cannot prove what volume '%s' of pool '%s' on '%s', its disk '%s', is: it is "
                   "no file and no block device",
                   inquiry->disk->volume, inquiry->disk->pool, inquiry->end->host.name,
                   inquiry->disk->target);
    }
    free(path);
    return kept;
}

const char *libvirt_volume_path(const struct libvirt_move *move, const struct libvirt_move_end *end,
                                const struct libvirt_xml_disk *disk, enum check_kind kind,
                                struct check_list *list)
{
    const struct inquiry inquiry = { move, end, disk, kind, list };
    AUTO(storage_pool) virStoragePool *pool = find_pool(&inquiry);
    AUTO(storage_volume)
    virStorageVol *volume = pool == NULL ? NULL : virStorageVolLookupByName(pool, disk->volume);

    if (pool == NULL) {
        return NULL;
    }
    if (volume == NULL && libvirt_error_is(VIR_ERR_NO_STORAGE_VOL)) {
        if (is_brought(&inquiry, true)) {
            return NULL;
        }
        check_fail(
            list, kind, ERR_INCOMPATIBLE,
            text_format(list->arena, "run 'virsh pool-refresh %s' there, or attach it", disk->pool),
            "storage pool '%s' on '%s' knows no volume '%s', its disk '%s'", disk->pool,
            end->host.name, disk->volume, disk->target);
        return NULL;
    }
    if (volume == NULL) {
        fail_libvirt(&inquiry);
        return NULL;
    }
    return read_path(&inquiry, volume);
}

/* libvirt tells of a disk that it finds by path, and shows only the pool in a definition. */
bool libvirt_volume_is_used(const struct libvirt_move *move, const struct libvirt_xml_disk *disk,
                            const char *path, struct check_list *list)
{
    AUTO(domain) virDomain *domain = NULL;
    virDomainBlockInfo info;
    struct err err;
    int active;

    if (libvirt_move_find(move, &move->source, &domain, &err) < 0) {
        check_fail_err(list, CHECK_STORAGE, &err);
        return false;
    }
    active = domain == NULL ? 0 : virDomainIsActive(domain);
    if (active == 0 || (active > 0 && virDomainGetBlockInfo(domain, path, &info, 0) == 0)) {
        return true;
    }
    if (active < 0 || !libvirt_error_is(VIR_ERR_INVALID_ARG)) {
        (void)libvirt_error_set(&err, "cannot look at disk '%s' on '%s'", disk->target,
                                move->op->host);
        check_fail_err(list, CHECK_STORAGE, &err);
        return false;
    }
    check_fail(list, CHECK_STORAGE, ERR_UNSAFE, "put the pool back as it was, or start it anew",
               "disk '%s' of the guest that runs is not what pool '%s' on '%s' has as volume '%s' "
               "now (%s)",
               disk->target, disk->pool, move->op->host, disk->volume, path);
    return false;
}

bool libvirt_volume_is_path(const char *s)
{
    if (*s != '/' ||
        strnlen(s, LIBVIRT_VOLUME_PATH_MAX_BYTES + 1) > LIBVIRT_VOLUME_PATH_MAX_BYTES) {
        return false;
    }
    for (const unsigned char *at = (const unsigned char *)s; *at != '\0'; at++) {
        if (*at < ' ' || *at == 0x7f) {
            return false;
        }
    }
    return true;
}
