/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/peer.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "reconciler/api/api.h"

#define GROUP_BUFFER_MAX ((size_t)1024 * 1024) /* A group's members, all of them. */

/* 'found' says whether there is such a group; -1: it could not be looked up. */
static int look_up(const char *name, bool *found, gid_t *gid, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct group *result = NULL;
    struct group group;
    int status = ERANGE;

    for (size_t size = 4096; status == ERANGE && size <= GROUP_BUFFER_MAX; size *= 4) {
        status = getgrnam_r(name, &group, arena_alloc(&arena, size, 1), size, &result);
    }
    if (status != 0 && status != ENOENT) {
        return err_set_errno(err, ERR_IO, status, "cannot look up the group '%s'", name);
    }
    *found = result != NULL;
    *gid = result == NULL ? 0 : group.gr_gid;
    return 0;
}

/* The group 'wanted', which must exist, or 'otherwise' if that does. */
static int find_group(const char *wanted, const char *otherwise, bool *found, gid_t *gid,
                      struct err *err)
{
    if (look_up(wanted != NULL ? wanted : otherwise, found, gid, err) != 0) {
        return -1;
    }
    return *found || wanted == NULL
               ? 0
               : err_set(err, ERR_INVALID, "cannot serve the group '%s': no such group", wanted);
}

int peer_access_init(struct peer_access *access, const struct api_config *config, struct err *err)
{
    struct peer_access found;

    if (find_group(config->group, API_DEFAULT_GROUP, &found.has_group, &found.group, err) != 0 ||
        find_group(config->admin_group, API_DEFAULT_ADMIN_GROUP, &found.has_admin_group,
                   &found.admin_group, err) != 0) {
        return -1;
    }
    *access = found;
    return 0;
}

static bool is_member(gid_t group, const gid_t *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (groups[i] == group) {
            return true;
        }
    }
    return false;
}

static enum peer_role role_of(const struct peer_access *access, uid_t uid, const gid_t *groups,
                              size_t count)
{
    if (uid == 0 || uid == geteuid() ||
        (access->has_admin_group && is_member(access->admin_group, groups, count))) {
        return PEER_ADMIN;
    }
    return access->has_group && is_member(access->group, groups, count) ? PEER_READER : PEER_NOBODY;
}

/* The supplementary groups, and room for one more behind them. */
static int read_groups(struct arena *arena, int fd, gid_t **groups, size_t *count, struct err *err)
{
    socklen_t size = 0;

    *groups = ARENA_ARRAY(arena, gid_t, 1);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, *groups, &size) != 0 && errno == ERANGE &&
        size <= NGROUPS_MAX * sizeof(gid_t)) {
        *groups = ARENA_ARRAY(arena, gid_t, size / sizeof(gid_t) + 1);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, *groups, &size) != 0) {
            return err_set_errno(err, ERR_IO, errno, "cannot tell the groups of a caller");
        }
    }
    *count = size / sizeof(gid_t);
    return 0;
}

int peer_of_socket(int fd, const struct peer_access *access, struct peer *peer, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct ucred credentials;
    socklen_t size = sizeof(credentials);
    gid_t *groups;
    size_t count;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot tell who a caller is");
    }
    if (read_groups(&arena, fd, &groups, &count, err) != 0) {
        return -1;
    }
    groups[count++] = credentials.gid;
    *peer = (struct peer){ .uid = credentials.uid,
                           .role = role_of(access, credentials.uid, groups, count) };
    return 0;
}

struct peer peer_of_tcp(void)
{
    return (struct peer){ .is_tcp = true, .role = PEER_READER };
}

static void close_file(FILE *file)
{
    (void)fclose(file);
}

AUTO_POINTER(file, FILE, close_file);

const char *peer_user(struct arena *arena, const struct peer *peer)
{
    AUTO(file) FILE *file = peer->is_tcp ? NULL : fopen("/etc/passwd", "re");
    size_t size = 65536;
    char *buffer = arena_alloc(arena, size, 1);
    struct passwd *found;
    struct passwd entry;

    if (peer->is_tcp) {
        return "token";
    }
    while (file != NULL && fgetpwent_r(file, &entry, buffer, size, &found) == 0) {
        if (entry.pw_uid == peer->uid) {
            return arena_strdup(arena, entry.pw_name);
        }
    }
    return text_format(arena, "uid %u", (unsigned)peer->uid);
}

uint64_t peer_key(const struct peer *peer)
{
    return peer->is_tcp ? UINT64_MAX : peer->uid;
}
