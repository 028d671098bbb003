/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Client: HTTP over the Unix socket of a berthd, by libcurl.  It knows requests, bounds and time limits
 * and nothing of what is asked: cli/daemon.h does.
 *
 * It is in a module of its own (base/module.h).  One thread; nothing runs between calls.
 */

#include <stddef.h>

#include "base/base.h"

#define CLIENT_ANSWER_MAX ((size_t)64 * 1024 * 1024)
#define CLIENT_LOOK_MS    15000 /* For an answer that is only put together. */
#define CLIENT_ACT_MS \
    35000 /* For one that waits for the journal: longer than berthd gives itself. */
#define CLIENT_SILENCE_S  45 /* Of an event stream, on which something comes every 15 s. */
#define CLIENT_WAKERS_MAX 4

struct client;
struct err;
struct text;

enum client_turn {
    CLIENT_QUIET, /* The time is over, or a waker can be read. */
    CLIENT_BEGUN, /* The stream is there (again): what was before may have been missed. */
    CLIENT_EVENT, /* client->name and client->data. */
    CLIENT_LOST,  /* The stream is not there, '*err'; the next turns try again after a while. */
};

struct client_ops {
    /* Sends 'body' to 'path' if it is not NULL, else asks for 'path'.  'answer' gets what came, '*status' the
     * HTTP status.  ERR_TIMEOUT, ERR_UNREACHABLE, or ERR_FAILED: more than CLIENT_ANSWER_MAX. */
    int (*ask)(struct client *client, const char *path, const char *body, struct text *answer,
               long *status, struct err *err);
    /* The next thing that happens on the event stream at 'path', within 'timeout_ms'; ends early when one of
     * the 'count' file descriptors 'wakers' can be read. */
    enum client_turn (*follow)(struct client *client, const char *path, const int *wakers,
                               size_t count, int timeout_ms, struct err *err);
    void (*close)(struct client *client);
};

struct client {
    const struct client_ops *ops;
    const char *name; /* Of the event that has come, valid until the next turn. */
    const char *data;
};

/* A client of the server that listens at 'socket'; nothing is sent yet. */
EXPORT struct client *client_open(const char *socket);
