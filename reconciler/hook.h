/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Hooks: what a controller tells other programs by itself: each event that was asked for, as JSON, to a
 * command's standard input, to a web server, or both.
 *
 * Nothing waits for them.  A few commands run at once, the web server gets one event after the other
 * (webhook.h); what comes meanwhile waits in bounded queues, and what does not fit is dropped and counted.
 * Loop thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOOK_COMMANDS_MAX 4u  /* At once. */
#define HOOK_WAITING_MAX  64u /* For each of both ways. */
#define HOOK_GRACE_MS     INT64_C(5000)

struct event;
struct hooks;
struct loop;

/* [hooks] of berth.conf. */
struct hook_config {
    const char *const *events; /* Names, as event_json_name() gives them. */
    size_t event_count;
    const char *command; /* Path of a program; NULL = none. */
    int64_t command_timeout_ms;
    const char *webhook; /* URL; may hold a secret and is never shown.  NULL = none. */
    int64_t webhook_timeout_ms;
    const char *webhook_token_file; /* Or NULL. */
    bool webhook_insecure;          /* http: to other machines, too. */
};

enum hook_news_kind {
    HOOK_FAILED,  /* 'text' says why 'event' has not been told. */
    HOOK_SAID,    /* A line that the command wrote to standard error is 'text'. */
    HOOK_DROPPED, /* 'count' events found no place in the queue. */
};

struct hook_news {
    enum hook_news_kind kind;
    const char *way;   /* "command" or "webhook". */
    const char *event; /* Or NULL. */
    const char *text;
    size_t count;
};

/* Who logs what becomes of them.  Values are valid during the call. */
struct hook_listener {
    void *context;
    void (*news)(void *context, const struct hook_news *news);
};

typedef void hook_finished_fn(void *context);

/* Hooks without anything to tell it to.  Never NULL. */
struct hooks *hook_open(struct loop *loop, const struct hook_listener *listener);

/* From now on they are as 'config' says, which is copied; what waits goes where it was to go. */
void hook_configure(struct hooks *hooks, const struct hook_config *config);

/* Tells 'event', whose name is 'name' and which is 'json', if it was asked for. */
void hook_tell(struct hooks *hooks, const struct event *event, const char *name, const char *json);

/* Calls finished(context) from the loop, once everything has been told, or after HOOK_GRACE_MS. */
void hook_finish(struct hooks *hooks, hook_finished_fn *finished, void *context);

/* Ends it: what still runs is killed, what waits is dropped.  The loop does not run any more.  NULL is
 * fine. */
void hook_close(struct hooks *hooks);
