/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Peer: who is at the other end of a connection, and what that lets them do.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct api_config;
struct arena;
struct err;

enum peer_role {
    PEER_NOBODY,
    PEER_READER,
    PEER_ADMIN,
};

/* Whom the Unix socket serves besides root and the user of this process. */
struct peer_access {
    bool has_group;
    bool has_admin_group;
    gid_t group;
    gid_t admin_group;
};

struct peer {
    bool is_tcp; /* Then nothing is known but that it is on this machine; a reader. */
    uid_t uid;
    enum peer_role role;
};

/* Looks the groups of 'config' up, once: a name service may take its time, which nobody has later.
 * ERR_INVALID: a group that was asked for does not exist. */
int peer_access_init(struct peer_access *access, const struct api_config *config, struct err *err);

/* Asks the kernel who connected the Unix socket 'fd': user, group and supplementary groups as they were
 * then (socket(7), SO_PEERGROUPS).  Not getgrouplist(3): that asks a name service, which may hang, and
 * would judge the user's account instead of the process. */
int peer_of_socket(int fd, const struct peer_access *access, struct peer *peer, struct err *err);

/* A peer that came over TCP. */
struct peer peer_of_tcp(void);

/* What to call it in the journal: its name in /etc/passwd, read as a file for the same reason, or
 * "uid 1234"; "token" over TCP. */
const char *peer_user(struct arena *arena, const struct peer *peer);

/* A number that peers which share their limits have in common. */
uint64_t peer_key(const struct peer *peer);
