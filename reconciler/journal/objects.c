/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/journal/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "reconciler/journal/journal.h"

/* Objects of a batch that are synced each by itself; of more, the whole file system is. */
#define SYNCED_ONE_BY_ONE 16u

AUTO_POINTER(folder, DIR, closedir);

bool objects_is_digest(const char *digest)
{
    const size_t length = DIGEST_TEXT_SIZE - 1;

    return strnlen(digest, DIGEST_TEXT_SIZE) == length &&
           strspn(digest, "0123456789abcdef") == length;
}

/* 'name' NULL or "" stands for the folder itself. */
static int build_path(char path[PATH_MAX], const char *state_dir, const char *name, struct err *err)
{
    int used =
        snprintf(path, PATH_MAX, "%s/objects%s%s", state_dir, *name == '\0' ? "" : "/", name);

    if (used < 0 || used >= PATH_MAX) {
        return err_set(err, ERR_INVALID, "cannot use '%s' as state directory: the path is too long",
                       state_dir);
    }
    return 0;
}

/* file_replace() writes SHA256.XXXXXX beside SHA256: a whole name never has a dot. */
static void remove_leftovers(DIR *folder)
{
    const struct dirent *entry;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream. */
    while ((entry = readdir(folder)) != NULL) {
        const char *dot = strchr(entry->d_name, '.');

        if (dot != NULL && dot - entry->d_name == DIGEST_TEXT_SIZE - 1) {
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
        }
    }
}

int objects_prepare(const char *state_dir, struct err *err)
{
    char path[PATH_MAX];
    AUTO(folder) DIR *folder = NULL;

    if (build_path(path, state_dir, "", err) != 0 || file_make_folder(path, 0700, err) != 0) {
        return -1;
    }
    folder = opendir(path);
    if (folder == NULL) {
        return err_set_errno(err, ERR_IO, errno, "cannot read '%s'", path);
    }
    remove_leftovers(folder);
    return 0;
}

static int read_checked(struct arena *arena, const char *path, const char *digest, char **bytes,
                        size_t *length, struct err *err)
{
    char actual[DIGEST_TEXT_SIZE];
    char *read;
    size_t size;

    if (file_read(arena, path, OBJECTS_MAX_BYTES, &read, &size, err) != 0) {
        return -1;
    }
    if (strcmp(digest_of(read, size, actual), digest) != 0) {
        return err_set(err, ERR_IO, "cannot use '%s': its bytes do not match its name", path);
    }
    *bytes = read;
    *length = size;
    return 0;
}

static bool is_kept(const char *path, const char *digest)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct err ignored;
    char *bytes;
    size_t length;

    return access(path, F_OK) == 0 &&
           read_checked(&arena, path, digest, &bytes, &length, &ignored) == 0;
}

/* 'all': with everything else on the same file system. */
static int sync_path(const char *path, bool all, struct err *err)
{
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || (all ? syncfs(fd) : fsync(fd)) != 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot sync '%s'", path);
    }
    return 0;
}

static int sync_folder(const char *state_dir, bool all, struct err *err)
{
    char path[PATH_MAX];

    return build_path(path, state_dir, "", err) == 0 ? sync_path(path, all, err) : -1;
}

static int write_one(const char *state_dir, const struct journal_object *object, bool durable,
                     struct err *err)
{
    char path[PATH_MAX];
    char actual[DIGEST_TEXT_SIZE];

    if (object->length > OBJECTS_MAX_BYTES) {
        return err_set(err, ERR_INVALID, "cannot keep an object of %zu bytes: more than %zu",
                       object->length, OBJECTS_MAX_BYTES);
    }
    if (strcmp(digest_of(object->bytes, object->length, actual), object->digest) != 0) {
        return err_set(err, ERR_INVALID, "cannot keep an object: '%.64s' is not its digest",
                       object->digest);
    }
    if (build_path(path, state_dir, actual, err) != 0) {
        return -1;
    }
    if (is_kept(path, actual)) { /* Whoever wrote it may have been killed before it was synced. */
        return durable &&
                       (sync_path(path, false, err) != 0 || sync_folder(state_dir, false, err) != 0)
                   ? -1
                   : 0;
    }
    return durable ? file_replace(path, object->bytes, object->length, 0600, err)
                   : file_replace_unsynced(path, object->bytes, object->length, 0600, err);
}

static size_t count_objects(const struct journal_batch *batch)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        count += batch->records[i].kind == JOURNAL_OBJECT;
    }
    return count;
}

/* The first look at a large fleet brings thousands of definitions: syncing one by one takes minutes. */
int objects_write(const char *state_dir, const struct journal_batch *batch, struct err *err)
{
    bool at_once = count_objects(batch) > SYNCED_ONE_BY_ONE;

    for (size_t i = 0; i < batch->count; i++) {
        if (batch->records[i].kind == JOURNAL_OBJECT &&
            write_one(state_dir, &batch->records[i].object, !at_once, err) != 0) {
            return -1;
        }
    }
    return at_once ? sync_folder(state_dir, true, err) : 0;
}

DIR *objects_open(const char *state_dir)
{
    char path[PATH_MAX];
    struct err ignored;

    return build_path(path, state_dir, "", &ignored) == 0 ? opendir(path) : NULL;
}

int objects_read(const char *state_dir, struct arena *arena, const char *digest, char **bytes,
                 size_t *length, struct err *err)
{
    char path[PATH_MAX];

    if (!objects_is_digest(digest)) {
        return err_set(err, ERR_INVALID, "cannot read an object: '%.64s' is not a digest", digest);
    }
    if (build_path(path, state_dir, digest, err) != 0) {
        return -1;
    }
    return read_checked(arena, path, digest, bytes, length, err);
}
