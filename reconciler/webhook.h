/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Webhook: sends JSON to web servers, by libcurl, on a thread of its own: one message after the other, each
 * tried a few times where trying again can help.  Redirects are not followed.
 *
 * It is in a module of its own (base/module.h).  No URL and no token is in any message to people.
 */

#include <stdint.h>

#include "base/base.h"

#define WEBHOOK_TRIES 5u
#define WEBHOOK_PAUSE_MS \
    INT64_C(500) /* After the first failure; twice as long after each further one. */
#define WEBHOOK_CONNECT_MS INT64_C(5000)

struct err;
struct loop;
struct webhook;

/* Copied. */
struct webhook_message {
    const char *url;        /* http: or https:, as the config allowed. */
    const char *token_file; /* Sent as 'Authorization: Bearer', read anew each time; or NULL. */
    const char *event;
    const char *body;
    int64_t timeout_ms; /* Of one try. */
};

struct webhook_listener {
    void *context;
    /* 'event' was sent or, with '*err', given up.  From the loop, once for each message. */
    void (*done)(void *context, const char *event, const struct err *err);
};

struct webhook_ops {
    void (*send)(struct webhook *webhook, const struct webhook_message *message);
    /* Ends it, and what is being sent.  The loop does not run any more. */
    void (*close)(struct webhook *webhook);
};

struct webhook {
    const struct webhook_ops *ops;
};

/* Starts the thread.  NULL and '*err' if that fails. */
EXPORT struct webhook *webhook_open(struct loop *loop, const struct webhook_listener *listener,
                                    struct err *err);
