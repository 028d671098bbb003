/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/text.h"

#define CHUNK_BYTES 8192

/* Linux keeps no larger attribute, and no longer list of their names. */
#define ATTRIBUTE_MAX_BYTES 65536

static enum err_code code_of(int os_errno)
{
    if (os_errno == ENOENT || os_errno == ENOTDIR) {
        return ERR_NOT_FOUND;
    }
    return os_errno == EACCES || os_errno == EPERM || os_errno == EROFS ? ERR_DENIED : ERR_IO;
}

static int open_error(struct err *err, const char *path)
{
    int os_errno = errno;

    return err_set_errno(err, code_of(os_errno), os_errno, "cannot read '%s'", path);
}

static int write_error(struct err *err, const char *path)
{
    int os_errno = errno;

    return err_set_errno(err, code_of(os_errno), os_errno, "cannot write '%s'", path);
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

/* A descriptor that this process was given: a shell's '<(command)', '-' for standard input. */
static bool is_given(const char *path)
{
    return strcmp(path, "/dev/stdin") == 0 || strncmp(path, "/dev/fd/", strlen("/dev/fd/")) == 0 ||
           strncmp(path, "/proc/self/fd/", strlen("/proc/self/fd/")) == 0;
}

/* Whoever opens a pipe in the file system waits for somebody at its other end, and then for bytes: a
 * controller would hang on a file that somebody else has put there. */
static int open_to_read(const char *path, struct err *err)
{
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;

    if (fd < 0) {
        return open_error(err, path);
    }
    if (fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) {
        return fd_take(&fd);
    }
    if (is_given(path) && fcntl(fd, F_SETFL, 0) == 0) {
        return fd_take(&fd);
    }
    return err_set(err, ERR_INVALID, "cannot read '%s': it is no plain file", path);
}

int file_read(struct arena *arena, const char *path, size_t max_bytes, char **bytes, size_t *length,
              struct err *err)
{
    AUTO(fd) int fd = open_to_read(path, err);
    struct text text;

    if (fd < 0) {
        return -1;
    }
    text = text_new_sized(arena, expected_size(fd, max_bytes));
    if (read_all(fd, path, max_bytes, &text, err) != 0) {
        return -1;
    }
    *bytes = text.data;
    *length = text.length;
    return 0;
}

static int check_private(int fd, const char *path, struct err *err)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot read '%s'", path);
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, ERR_INVALID, "cannot read '%s': not a plain file", path);
    }
    if (status.st_uid != 0 && status.st_uid != geteuid()) {
        return err_set(err, ERR_DENIED, "will not read '%s': it is another user's file", path);
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return err_set(err, ERR_DENIED,
                       "will not read '%s': others may read or write it (chmod 0600)", path);
    }
    return 0;
}

int file_open_private(const char *path, struct err *err)
{
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
                             "cannot read '%s'", path);
    }
    if (check_private(fd, path, err) != 0) {
        return -1;
    }
    return fd_take(&fd);
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

/* Opens the folder that 'path' is in. */
static int open_folder(const char *path)
{
    char folder[PATH_MAX];
    char *slash;

    (void)snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    if (slash == NULL) {
        (void)snprintf(folder, sizeof(folder), ".");
    } else {
        slash[slash == folder] = '\0';
    }
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A rename is durable only after its folder has been synced. */
static int sync_folder(const char *path)
{
    AUTO(fd) int fd = open_folder(path);

    return fd < 0 ? -1 : fsync(fd);
}

static int fill_temporary(int fd, const char *path, const void *bytes, size_t length, unsigned mode,
                          bool durable)
{
    struct stat old;

    if (stat(path, &old) == 0) {
        if (fchown(fd, old.st_uid, old.st_gid) != 0 || fchmod(fd, old.st_mode & 07777) != 0) {
            return -1;
        }
    } else if (fchmod(fd, mode) != 0) {
        return -1;
    }
    if (write_all(fd, bytes, length) != 0) {
        return -1;
    }
    return durable ? fsync(fd) : 0;
}

static int replace(const char *path, const void *bytes, size_t length, unsigned mode, bool durable,
                   struct err *err)
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
    if (fill_temporary(fd, path, bytes, length, mode, durable) != 0 ||
        rename(temporary, path) != 0) {
        int os_errno = errno;

        (void)unlink(temporary);
        return err_set_errno(err, ERR_IO, os_errno, "cannot write '%s'", path);
    }
    if (durable && sync_folder(path) != 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot sync the folder of '%s'", path);
    }
    return 0;
}

int file_replace(const char *path, const void *bytes, size_t length, unsigned mode, struct err *err)
{
    return replace(path, bytes, length, mode, true, err);
}

int file_replace_unsynced(const char *path, const void *bytes, size_t length, unsigned mode,
                          struct err *err)
{
    return replace(path, bytes, length, mode, false, err);
}

/* Who may do what with a file, and what its user has noted on it; not what belongs to its bytes, as a
 * signature does. */
static bool is_kept_attribute(const char *name)
{
    return strncmp(name, "user.", strlen("user.")) == 0 || strcmp(name, "security.selinux") == 0 ||
           strcmp(name, "system.posix_acl_access") == 0;
}

static int copy_attribute(int from, int to, const char *name)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char *value = arena_alloc(&arena, ATTRIBUTE_MAX_BYTES, 1);
    ssize_t length = fgetxattr(from, name, value, ATTRIBUTE_MAX_BYTES);

    return length < 0 ? -1 : fsetxattr(to, name, value, (size_t)length, 0);
}

/* A file system without attributes has none to copy. */
static int copy_attributes(int from, int to)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char *names = arena_alloc(&arena, ATTRIBUTE_MAX_BYTES, 1);
    ssize_t length = flistxattr(from, names, ATTRIBUTE_MAX_BYTES);

    if (length < 0) {
        return errno == ENOTSUP ? 0 : -1;
    }
    for (const char *name = names; name < names + length; name += strlen(name) + 1) {
        if (is_kept_attribute(name) && copy_attribute(from, to, name) != 0) {
            return -1;
        }
    }
    return 0;
}

/* A file about to be replaced by another. */
struct exchange {
    const char *path; /* Of the file itself, no link. */
    char temporary[PATH_MAX];
    struct file_bytes old;
    struct file_bytes bytes;
    bool keep; /* The temporary file holds what is nowhere else. */
};

/* The new file beside the old one, complete and durable, with all that is kept of the old one. */
static int prepare(struct exchange *exchange, struct err *err)
{
    AUTO(fd) int old = open(exchange->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    AUTO(fd) int fd = -1;
    int used =
        snprintf(exchange->temporary, sizeof(exchange->temporary), "%s.XXXXXX", exchange->path);
    struct stat status;
    int os_errno;

    if (used < 0 || (size_t)used >= sizeof(exchange->temporary)) {
        return err_set(err, ERR_INVALID, "cannot write '%s': the path is too long", exchange->path);
    }
    if (old < 0 || fstat(old, &status) != 0 || access(exchange->path, W_OK) != 0) {
        return write_error(err, exchange->path);
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, ERR_INVALID, "cannot write '%s': it is no plain file", exchange->path);
    }
    fd = mkostemp(exchange->temporary, O_CLOEXEC);
    if (fd < 0) {
        return write_error(err, exchange->path);
    }
    if (copy_attributes(old, fd) == 0 && fill_temporary(fd, exchange->path, exchange->bytes.data,
                                                        exchange->bytes.length, 0, true) == 0) {
        return 0;
    }
    os_errno = errno;
    (void)unlink(exchange->temporary);
    errno = os_errno;
    return write_error(err, exchange->path);
}

static bool holds_old(const char *path, const struct exchange *exchange)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct err err;
    char nothing[] = "";
    char *bytes = nothing;
    size_t length = 0;

    return file_read(&arena, path, exchange->old.length, &bytes, &length, &err) == 0 &&
           length == exchange->old.length && memcmp(bytes, exchange->old.data, length) == 0;
}

static int changed(const struct exchange *exchange, struct err *err)
{
    return err_set(err, ERR_CONFLICT, "cannot write '%s': it was changed meanwhile; try again",
                   exchange->path);
}

static int exchange_names(const struct exchange *exchange)
{
    return renameat2(AT_FDCWD, exchange->temporary, AT_FDCWD, exchange->path, RENAME_EXCHANGE);
}

/* A rename cannot compare.  An exchange can be looked at afterwards and taken back, so that a change made
 * before it is seen whenever it was made. */
static int swap(struct exchange *exchange, struct err *err)
{
    if (!holds_old(exchange->path, exchange)) {
        return changed(exchange, err);
    }
    if (exchange_names(exchange) == 0) {
        if (holds_old(exchange->temporary, exchange)) {
            return 0;
        }
        if (exchange_names(exchange) == 0) {
            return changed(exchange, err);
        }
        exchange->keep = true;
        return err_set_errno(err, ERR_CONFLICT, errno,
                             "cannot give back '%s', which was changed meanwhile: it is in '%s'",
                             exchange->path, exchange->temporary);
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return write_error(err, exchange->path);
    }
    return rename(exchange->temporary, exchange->path) == 0 ? 0 : write_error(err, exchange->path);
}

static int exchange_locked(struct exchange *exchange, struct err *err)
{
    int status;

    if (prepare(exchange, err) != 0) {
        return -1;
    }
    status = swap(exchange, err);
    if (!exchange->keep) {
        (void)unlink(exchange->temporary); /* The new bytes, the old ones, or nothing any more. */
    }
    if (status == 0 && sync_folder(exchange->path) != 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot sync the folder of '%s'", exchange->path);
    }
    return status;
}

int file_replace_unchanged(const char *path, struct file_bytes old, struct file_bytes bytes,
                           struct err *err)
{
    char real[PATH_MAX];
    struct exchange exchange = { .path = real, .old = old, .bytes = bytes };
    AUTO(fd) int folder = -1;

    if (realpath(path, real) == NULL) {
        return write_error(err, path);
    }
    folder = open_folder(real);
    if (folder < 0) {
        return write_error(err, path);
    }
    if (flock(folder, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? err_set(err, ERR_BUSY, "cannot write '%s': another process is about to", path)
                   : write_error(err, path);
    }
    return exchange_locked(&exchange, err);
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
