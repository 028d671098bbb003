/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actuators/sim_fleet.h"
#include "actuators/sim_json.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/heap.h"
#include "base/text.h"

#define FILE_MODE 0644

/* What a change replaces stays behind in the fleet's arena: after so many the fleet is read anew. */
#define CHANGES_MAX 256

struct sim_store {
    char *path;         /* NULL = in memory. */
    int lock;           /* Descriptor of FILE.lock while entered, else -1. */
    bool loaded;        /* 'fleet' is what the file of 'seen' says. */
    struct stat seen;   /* The file that was read or written last. */
    struct arena arena; /* Holds 'fleet'. */
    struct sim_fleet fleet;
    unsigned changes; /* Since it was read. */
    uint64_t version;
};

static struct sim_store *store_new(void)
{
    struct sim_store *store = HEAP_NEW(struct sim_store);

    store->lock = -1;
    return store;
}

/* Reads 'bytes' into a fleet with an arena of its own, so that a fault leaves the old one alone. */
static int load(struct sim_store *store, const char *bytes, size_t length, struct err *err)
{
    struct arena arena = ARENA_INIT;
    struct sim_fleet fleet;

    if (sim_json_read(&arena, bytes, length, &fleet, err) != 0) {
        arena_deinit(&arena);
        return err_wrap(err, "cannot use the simulated fleet%s%s%s", store->path ? " '" : "",
                        store->path ? store->path : "", store->path ? "'" : "");
    }
    arena_deinit(&store->arena);
    store->arena = arena;
    store->fleet = fleet;
    store->fleet.arena = &store->arena;
    store->loaded = true;
    store->changes = 0;
    store->version++;
    return 0;
}

struct sim_store *sim_store_new_file(const char *path)
{
    struct sim_store *store = store_new();

    store->path = strdup(path);
    if (store->path == NULL) {
        abort();
    }
    return store;
}

struct sim_store *sim_store_new_memory(const char *bytes, size_t length, struct err *err)
{
    struct sim_store *store = store_new();

    if (load(store, bytes, length, err) != 0) {
        sim_store_free(store);
        return NULL;
    }
    return store;
}

static void unlock(struct sim_store *store)
{
    if (store->lock >= 0) {
        (void)close(store->lock);
        store->lock = -1;
    }
}

void sim_store_free(struct sim_store *store)
{
    unlock(store);
    arena_deinit(&store->arena);
    free(store->path);
    free(store);
}

/* The lock is a file beside the fleet: the fleet's own file is another one after each replacement. */
static int lock(struct sim_store *store, struct err *err)
{
    char path[PATH_MAX];
    int used = snprintf(path, sizeof(path), "%s.lock", store->path);
    int status;

    if (used < 0 || (size_t)used >= sizeof(path)) {
        return err_set(err, ERR_INVALID, "cannot lock '%s': the path is too long", store->path);
    }
    store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (store->lock < 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot open '%s'", path);
    }
    do {
        status = flock(store->lock, LOCK_EX);
    } while (status != 0 && errno == EINTR);
    if (status != 0) {
        int os_errno = errno;

        unlock(store);
        return err_set_errno(err, ERR_IO, os_errno, "cannot lock '%s'", path);
    }
    return 0;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The file is read only when it is another than the one in memory: looking at a thousand hosts one by
 * one must not parse the fleet a thousand times. */
static int refresh(struct sim_store *store, struct err *err)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    struct stat now;
    char *bytes;
    size_t length;

    if (stat(store->path, &now) != 0) {
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
                             "cannot read the simulated fleet '%s'", store->path);
    }
    if (store->loaded && is_same_file(&now, &store->seen)) {
        return 0;
    }
    if (file_read(&scratch, store->path, SIM_JSON_MAX_BYTES, &bytes, &length, err) != 0 ||
        load(store, bytes, length, err) != 0) {
        return -1;
    }
    store->seen = now;
    return 0;
}

int sim_store_enter(struct sim_store *store, int64_t wall_ms, struct sim_fleet **fleet,
                    struct err *err)
{
    if (store->path != NULL && lock(store, err) != 0) {
        return -1;
    }
    if (store->path != NULL && refresh(store, err) != 0) {
        unlock(store);
        return -1;
    }
    sim_fleet_advance(&store->fleet, wall_ms);
    *fleet = &store->fleet;
    return 0;
}

static int save(struct sim_store *store, const struct text *text, struct err *err)
{
    if (file_replace(store->path, text->data, text->length, FILE_MODE, err) != 0) {
        return -1;
    }
    if (stat(store->path, &store->seen) != 0) {
        store->loaded = false; /* Gone already: the next access says so. */
    }
    return 0;
}

static int keep(struct sim_store *store, struct err *err)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    bool is_old = ++store->changes >= CHANGES_MAX;
    struct text text = text_new(&scratch);

    if (store->path == NULL && !is_old) {
        return 0;
    }
    sim_json_write(&text, &store->fleet);
    if (store->path != NULL && save(store, &text, err) != 0) {
        return -1;
    }
    return is_old ? load(store, text.data, text.length, err) : 0;
}

int sim_store_leave(struct sim_store *store, struct err *err)
{
    int status = 0;

    if (store->fleet.changed) {
        store->fleet.changed = false;
        store->version++;
        status = keep(store, err);
        store->loaded = store->loaded && status == 0;
    }
    unlock(store);
    return status;
}

uint64_t sim_store_version(const struct sim_store *store)
{
    return store->version;
}

bool sim_store_is_shared(const struct sim_store *store)
{
    return store->path != NULL;
}

bool sim_store_is_stale(const struct sim_store *store)
{
    struct stat now;

    return store->path != NULL &&
           (!store->loaded || stat(store->path, &now) != 0 || !is_same_file(&now, &store->seen));
}

int sim_store_replace(struct sim_store *store, const char *bytes, size_t length, struct err *err)
{
    int status;

    if (store->path == NULL) {
        return load(store, bytes, length, err);
    }
    if (lock(store, err) != 0) {
        return -1;
    }
    status = load(store, bytes, length, err);
    if (status == 0) {
        status = file_replace(store->path, bytes, length, FILE_MODE, err);
        store->loaded = false;
    }
    unlock(store);
    return status;
}
