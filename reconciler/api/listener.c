/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loopback.h"
#include "base/text.h"
#include "reconciler/api/peer.h"

#define BACKLOG 64

static int open_socket(int family, struct err *err)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        (void)err_set_errno(err, ERR_IO, errno, "cannot create a socket");
    }
    return fd;
}

static int unix_address(struct sockaddr_un *address, const char *path, struct err *err)
{
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(address->sun_path)) {
        return err_set(err, ERR_INVALID, "cannot listen on '%s': longer than %zu bytes", path,
                       sizeof(address->sun_path) - 1);
    }
    strcpy(address->sun_path, path);
    return 0;
}

/* The folder of 'path', opened and locked, so that of two programs that replace a dead socket one waits
 * for the next start. */
static int lock_folder(const char *path, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *slash = strrchr(path, '/');
    const char *folder = slash == NULL   ? "."
                         : slash == path ? "/"
                                         : text_copy(&arena, path, (size_t)(slash - path));
    AUTO(fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot listen on '%s'", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return err_set(err, ERR_BUSY, "cannot listen on '%s': another program is about to", path);
    }
    return fd_take(&fd);
}

/* Removes a socket that a dead program left at 'path'. */
static int remove_stale(const struct sockaddr_un *address, struct err *err)
{
    const char *path = address->sun_path;
    struct stat status;
    AUTO(fd) int fd = -1;

    if (lstat(path, &status) != 0) {
        return errno == ENOENT ? 0
                               : err_set_errno(err, ERR_IO, errno, "cannot listen on '%s'", path);
    }
    if (!S_ISSOCK(status.st_mode)) {
        return err_set(err, ERR_INVALID, "cannot listen on '%s': there is something else", path);
    }
    fd = open_socket(AF_UNIX, err);
    if (fd < 0) {
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN) {
        return err_set(err, ERR_BUSY, "cannot listen on '%s': another program does", path);
    }
    if (errno != ECONNREFUSED) {
        return err_set_errno(err, ERR_IO, errno, "cannot tell who listens on '%s'", path);
    }
    return unlink(path) == 0 ? 0 : err_set_errno(err, ERR_IO, errno, "cannot replace '%s'", path);
}

/* Before listen(), so that nobody connects while the socket has the mode it was born with. */
static int set_rights(const char *path, const struct peer_access *access, bool asked,
                      struct err *err)
{
    bool shared = access->has_group && chown(path, (uid_t)-1, access->group) == 0;

    if (access->has_group && !shared && asked) {
        return err_set_errno(err, ERR_DENIED, errno, "cannot give '%s' to its group", path);
    }
    if (chmod(path, shared ? 0660 : 0600) != 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot set the mode of '%s'", path);
    }
    return 0;
}

static int begin_unix(int fd, const struct sockaddr_un *address, const struct peer_access *access,
                      bool asked, struct err *err)
{
    const char *path = address->sun_path;

    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot listen on '%s'", path);
    }
    if (set_rights(path, access, asked, err) == 0) {
        if (listen(fd, BACKLOG) == 0) {
            return 0;
        }
        (void)err_set_errno(err, ERR_IO, errno, "cannot listen on '%s'", path);
    }
    (void)unlink(path);
    return -1;
}

int listener_open_unix(struct listener *listener, const char *path,
                       const struct peer_access *access, bool asked, struct err *err)
{
    struct sockaddr_un address;
    struct stat status = { 0 };
    AUTO(fd) int folder = -1;
    AUTO(fd) int fd = -1;

    if (unix_address(&address, path, err) != 0) {
        return -1;
    }
    folder = lock_folder(path, err);
    if (folder < 0 || remove_stale(&address, err) != 0) {
        return -1;
    }
    fd = open_socket(AF_UNIX, err);
    if (fd < 0 || begin_unix(fd, &address, access, asked, err) != 0) {
        return -1;
    }
    (void)lstat(path, &status);
    *listener = (struct listener){
        .fd = fd_take(&fd), .path = strdup(path), .device = status.st_dev, .inode = status.st_ino
    };
    if (listener->path == NULL) {
        abort();
    }
    return 0;
}

int listener_open_tcp(struct listener *listener, const char *address, struct err *err)
{
    union loopback loopback;
    const int on = 1;
    socklen_t size;
    AUTO(fd) int fd = -1;

    if (!loopback_parse(address, &loopback, &size)) {
        return err_set(err, ERR_INVALID,
                       "cannot listen on '%s': want a loopback address such as 127.0.0.1:8420",
                       address);
    }
    fd = open_socket(loopback.any.sa_family, err);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* After a restart, at once. */
    if (bind(fd, &loopback.any, size) != 0 || listen(fd, BACKLOG) != 0) {
        return err_set_errno(err, errno == EADDRINUSE ? ERR_BUSY : ERR_IO, errno,
                             "cannot listen on '%s'", address);
    }
    *listener = (struct listener){ .fd = fd_take(&fd) };
    return 0;
}

void listener_close(struct listener *listener)
{
    struct stat status;

    if (listener->path != NULL && lstat(listener->path, &status) == 0 &&
        status.st_dev == listener->device && status.st_ino == listener->inode) {
        (void)unlink(listener->path);
    }
    fd_close(&listener->fd);
    free(listener->path);
    *listener = LISTENER_CLOSED;
}
