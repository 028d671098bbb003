/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Connection: one caller, from accept(2) to the end, and the limits that it lives under.
 *
 * The socket is libmicrohttpd's once it has been handed over.  Its idle timeout is not used: a byte now and
 * then would keep a connection for ever.  Here a whole request must have come within api->request_ms, and a
 * whole answer have gone; else the socket is shut down, which libmicrohttpd takes for the caller's end.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "reconciler/api/peer.h"

struct api;
struct request;

struct connection {
    struct api *api;
    bool in_use;
    int fd;
    struct peer peer;
    int64_t due_ms;          /* When it is cut; INT64_MAX = not by time. */
    bool deserted;           /* Nothing more comes, and a request is not complete. */
    struct request *request; /* Under way, or NULL. */
};

/* Takes the accepted socket 'fd' in; false, and 'fd' is still the caller's, if there are too many. */
bool connection_open(struct api *api, int fd, const struct peer *peer,
                     const struct sockaddr *address, socklen_t size);

/* What was awaited has come: the next thing has api->request_ms from now. */
void connection_extend(struct connection *connection);

/* Ends it: libmicrohttpd notices and lets it go. */
void connection_cut(struct connection *connection);

/* It has ended: its place is free. */
void connection_free(struct connection *connection);
