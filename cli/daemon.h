/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Daemon: the berthd that runs on this machine for a config, as commands ask it, steer it and follow it
 * over its control API (docs/api.md).
 */

#include <stddef.h>

#include "base/base.h"
#include "cli/client.h"

struct cli;
struct document;
struct err;
struct force_request;
struct order;
struct text;

struct daemon {
    struct cli *cli;
    const char *socket;
    struct client *client; /* NULL: no berthd listens there. */
};

/* Finds the berthd that listens where the config says: 0, also if there is none.  ERR_DENIED: there is one,
 * and the caller may not ask it.  Nothing is loaded unless there is one. */
int daemon_find(struct cli *cli, struct daemon *daemon, struct err *err);

/* Gets the document at 'path', as in "/v1/status", which must say that it is 'format': taken apart, and as it
 * came in 'bytes', which is empty before.  Errors are what berthd says; ERR_UNREACHABLE and ERR_TIMEOUT
 * when it says nothing, ERR_FAILED or ERR_INCOMPATIBLE when it is no berthd or one of another version. */
int daemon_get(struct daemon *daemon, const char *path, const char *format,
               struct document *document, struct text *bytes, struct err *err);

/* Gives 'order' and waits until it is carried out; '*said', in cli->arena, is what berthd has done. */
int daemon_order(struct daemon *daemon, const struct order *order, const char **said,
                 struct err *err);

/* Asks for a forced move, and waits until it has begun; '*said' likewise. */
int daemon_force(struct daemon *daemon, const struct force_request *request, const char **said,
                 struct err *err);

/* The next thing that happens (client.h).  Events are daemon->client->name and ->data. */
enum client_turn daemon_follow(struct daemon *daemon, const int *wakers, size_t count,
                               int timeout_ms, struct err *err);

/* Releases it. */
void daemon_deinit(struct daemon *daemon);

AUTO_VALUE(daemon, struct daemon, daemon_deinit);
