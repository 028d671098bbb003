/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Listener: a socket on which the API waits for callers: a Unix socket or a loopback address.
 */

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct peer_access;

struct listener {
    int fd;       /* Non-blocking, close-on-exec; -1 = closed. */
    char *path;   /* Of a Unix socket, else NULL. */
    dev_t device; /* Of what is at 'path' as long as it is ours. */
    ino_t inode;
};

#define LISTENER_CLOSED ((struct listener){ .fd = -1 })

/* Listens on the Unix socket 'path', which root, our user and the group of 'access' (if it has one) can
 * connect to from the first moment on.  A socket there on which nobody listens is replaced; one on which
 * somebody does is ERR_BUSY, anything else ERR_INVALID.  'asked': the group was named by the configuration,
 * so not being able to give it the socket is a failure; else the socket then stays ours alone. */
int listener_open_unix(struct listener *listener, const char *path,
                       const struct peer_access *access, bool asked, struct err *err);

/* Listens on "127.0.0.1:PORT" or "[::1]:PORT".  Anything else is ERR_INVALID: what can be reached from
 * elsewhere needs TLS, which is not ours to do. */
int listener_open_tcp(struct listener *listener, const char *address, struct err *err);

/* Closes it; a Unix socket's file goes too unless another one has taken its place. */
void listener_close(struct listener *listener);
