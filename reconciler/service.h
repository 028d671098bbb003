/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Service: berthd and the service manager that started it (systemd): what sd_notify(3) tells it, the
 * watchdog that restarts a loop that hangs, and entries in the system's journal.  Started by anything else,
 * nobody is told.  Loop thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

struct err;

#define SERVICE_STATUS_SIZE 256u

struct service {
    struct loop *loop;
    struct loop_timer heartbeat;
    bool ready;                       /* As told. */
    int64_t beat_ms;                  /* 0 = nobody watches. */
    char status[SERVICE_STATUS_SIZE]; /* As told last. */
};

/* Begins to beat at half of the watchdog's interval, from the loop. */
void service_init(struct service *service, struct loop *loop);

/* It is up: what waits for it may start. */
void service_ready(struct service *service);

/* It reads its settings anew, and has: who reloads it waits for the second.  Before service_ready(), nobody is
 * told. */
void service_reloading(struct service *service);
void service_reloaded(struct service *service);

/* It has been told to end, which may take a while. */
void service_stopping(struct service *service);

/* What goes on, in one line for people; told if it is other than before. */
void service_status(struct service *service, const char *text);

/* The heart stops. */
void service_deinit(struct service *service);

/* True if what is written to 'fd' goes to the journal, line by line: then entries with fields may go there
 * instead (systemd.exec(5), JOURNAL_STREAM). */
bool service_is_journal(int fd);

/* Makes one entry of 'count' fields "NAME=value".  -1: the journal did not take it. */
int service_log(const char *const *fields, size_t count, struct err *err);
