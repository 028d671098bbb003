/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#define CHUNK_BYTES 8192

static void auto_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static int open_error(struct err *err, const char *path)
{
    int os_errno = errno;
    enum err_code code = ERR_IO;

    if (os_errno == ENOENT || os_errno == ENOTDIR) {
        code = ERR_NOT_FOUND;
    } else if (os_errno == EACCES || os_errno == EPERM) {
        code = ERR_DENIED;
    }
    return err_set_errno(err, code, os_errno, "cannot read '%s'", path);
}

/* Room for the whole file at once where its size is known: a text that grows leaves its smaller selves in
 * the arena. */
static size_t expected_size(int fd, size_t max_bytes)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < 0 ||
        (size_t)status.st_size > max_bytes) {
        return 0;
    }
    return (size_t)status.st_size;
}

/* Appends what 'fd' gives, at most 'max_bytes'. */
static int read_all(int fd, const char *path, size_t max_bytes, struct text *text, struct err *err)
{
    char chunk[CHUNK_BYTES];

    for (;;) {
        ssize_t got = read(fd, chunk, sizeof(chunk));

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_set_errno(err, ERR_IO, errno, "cannot read '%s'", path);
        }
        if (got == 0) {
            return 0;
        }
        if ((size_t)got > max_bytes - text->length) {
            return err_set(err, ERR_INVALID, "cannot read '%s': larger than %zu MiB", path,
                           max_bytes >> 20);
        }
        text_append_bytes(text, chunk, (size_t)got);
    }
}

int file_read(struct arena *arena, const char *path, size_t max_bytes, char **bytes, size_t *length,
              struct err *err)
{
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct text text;

    if (fd < 0) {
        return open_error(err, path);
    }
    text = text_new_sized(arena, expected_size(fd, max_bytes));
    if (read_all(fd, path, max_bytes, &text, err) != 0) {
        return -1;
    }
    *bytes = text.data;
    *length = text.length;
    return 0;
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t done = write(fd, bytes, length);

        if (done < 0 && errno != EINTR) {
            return -1;
        }
        if (done > 0) {
            bytes += done;
            length -= (size_t)done;
        }
    }
    return 0;
}

/* A rename is durable only after its folder has been synced. */
static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    char *slash;
    AUTO(fd) int fd = -1;

    (void)snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    if (slash == NULL) {
        (void)snprintf(folder, sizeof(folder), ".");
    } else {
        slash[slash == folder] = '\0';
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

static int fill_temporary(int fd, const char *path, const void *bytes, size_t length, unsigned mode)
{
    struct stat old;

    if (stat(path, &old) == 0) {
        if (fchown(fd, old.st_uid, old.st_gid) != 0 || fchmod(fd, old.st_mode & 07777) != 0) {
            return -1;
        }
    } else if (fchmod(fd, mode) != 0) {
        return -1;
    }
    return write_all(fd, bytes, length) == 0 ? fsync(fd) : -1;
}

int file_replace(const char *path, const void *bytes, size_t length, unsigned mode, struct err *err)
{
    char temporary[PATH_MAX];
    AUTO(fd) int fd = -1;
    int used = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);

    if (used < 0 || (size_t)used >= sizeof(temporary)) {
        return err_set(err, ERR_INVALID, "cannot write '%s': the path is too long", path);
    }
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot write '%s'", path);
    }
    if (fill_temporary(fd, path, bytes, length, mode) != 0 || rename(temporary, path) != 0) {
        int os_errno = errno;

        (void)unlink(temporary);
        return err_set_errno(err, ERR_IO, os_errno, "cannot write '%s'", path);
    }
    if (sync_folder(path) != 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot sync the folder of '%s'", path);
    }
    return 0;
}

int file_make_folder(const char *path, unsigned mode, struct err *err)
{
    char partial[PATH_MAX];
    size_t length = strlen(path);
    struct stat status;

    if (length >= sizeof(partial)) {
        return err_set(err, ERR_INVALID, "cannot create '%s': the path is too long", path);
    }
    memcpy(partial, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (partial[i] != '/' && partial[i] != '\0') {
            continue;
        }
        partial[i] = '\0';
        if (mkdir(partial, mode) != 0 && errno != EEXIST) {
            return err_set_errno(err, ERR_IO, errno, "cannot create '%s'", partial);
        }
        partial[i] = path[i];
    }
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return err_set(err, ERR_INVALID, "cannot create '%s': it exists and is no folder", path);
    }
    return 0;
}
