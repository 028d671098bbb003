/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/journal/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"

#define PID_TEXT_SIZE 24

static enum err_code code_of(int os_errno)
{
    return os_errno == EACCES || os_errno == EPERM || os_errno == EROFS ? ERR_DENIED : ERR_IO;
}

static int check_owner(const char *path, const struct stat *status, struct err *err)
{
    if (!S_ISDIR(status->st_mode)) {
        return err_set(err, ERR_INVALID, "cannot use '%s' as state directory: not a directory",
                       path);
    }
    if (status->st_uid != geteuid() && status->st_uid != 0) {
        return err_set(err, ERR_DENIED,
                       "cannot use '%s' as state directory: it belongs to user id %u, who could "
                       "change it; give it to user id %u",
                       path, status->st_uid, geteuid());
    }
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return err_set(err, ERR_DENIED,
                       "cannot use '%s' as state directory: others can write to it; chmod it to "
                       "0700",
                       path);
    }
    return 0;
}

int state_dir_prepare(const char *path, struct err *err)
{
    AUTO(fd) int fd = -1;
    struct stat status;

    if (file_make_folder(path, 0700, err) != 0) {
        return -1;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        return err_set_errno(err, code_of(errno), errno, "cannot use '%s' as state directory",
                             path);
    }
    if (check_owner(path, &status, err) != 0) {
        return -1;
    }
    if (fsync(fd) != 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot sync '%s'", path);
    }
    return 0;
}

static int open_lock(const char *path, int flags)
{
    char name[PATH_MAX];
    int used = snprintf(name, sizeof(name), "%s/lock", path);

    if (used < 0 || (size_t)used >= sizeof(name)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int64_t read_pid(int fd)
{
    char buffer[PID_TEXT_SIZE] = "";
    ssize_t length = pread(fd, buffer, sizeof(buffer) - 1, 0);
    uint64_t pid;

    if (length <= 0) {
        return 0;
    }
    buffer[strcspn(buffer, "\n")] = '\0';
    return text_to_u64(buffer, INT32_MAX, &pid) ? (int64_t)pid : 0;
}

static int refuse(const char *path, int64_t pid, struct err *err)
{
    if (pid == 0) {
        return err_set(err, ERR_BUSY, "state directory '%s' is in use by another controller", path);
    }
    return err_set(err, ERR_BUSY, "state directory '%s' is in use by pid %lld", path,
                   (long long)pid);
}

static int write_pid(int fd)
{
    char buffer[PID_TEXT_SIZE];
    int length = snprintf(buffer, sizeof(buffer), "%lld\n", (long long)getpid());

    if (fchmod(fd, 0600) != 0 || ftruncate(fd, 0) != 0) {
        return -1;
    }
    return pwrite(fd, buffer, (size_t)length, 0) == length ? 0 : -1;
}

int state_dir_lock(const char *path, int *fd, struct err *err)
{
    AUTO(fd) int lock = open_lock(path, O_RDWR | O_CREAT);
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (lock < 0) {
        return err_set_errno(err, code_of(errno), errno, "cannot lock state directory '%s'", path);
    }
    if (fcntl(lock, F_OFD_SETLK, &range) != 0) {
        if (errno == EAGAIN || errno == EACCES) {
            return refuse(path, read_pid(lock), err);
        }
        return err_set_errno(err, ERR_IO, errno, "cannot lock state directory '%s'", path);
    }
    if (write_pid(lock) != 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot write '%s/lock'", path);
    }
    *fd = fd_take(&lock);
    return 0;
}

int64_t state_dir_holder(const char *path)
{
    AUTO(fd) int lock = open_lock(path, O_RDONLY);
    struct flock range = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

    if (lock < 0 || fcntl(lock, F_OFD_GETLK, &range) != 0 || range.l_type == F_UNLCK) {
        return 0;
    }
    return read_pid(lock);
}
