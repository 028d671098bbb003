/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Calls: what is under way at the actuator, and who waits for each answer.
 *
 * The actuator has one sink; snapshot, look and executor each start calls of their own.  This table
 * hands every completion to the one who asked, and drops those nobody waits for any more.  Loop thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "actuators/actuator.h"

typedef void calls_done_fn(void *context, const struct actuator_completion *completion);
typedef void calls_progress_fn(void *context, const struct actuator_progress *progress);
typedef void calls_notice_fn(void *context, const struct actuator_notice *notice);

struct calls_entry {
    uint64_t ticket; /* 0 = free. */
    calls_done_fn *done;
    calls_progress_fn *progress; /* Or NULL. */
    void *context;
};

struct calls {
    struct actuator *actuator;
    uint64_t last_ticket;
    struct calls_entry *entries;
    size_t capacity;
    calls_notice_fn *notice; /* Or NULL. */
    void *notice_context;
};

/* Takes the actuator's sink; does not own the actuator. */
void calls_init(struct calls *calls, struct actuator *actuator);

/* Looks at 'host'; done(context) is called once, unless the ticket is dropped.  Returns the ticket. */
uint64_t calls_observe(struct calls *calls, const char *host, int64_t deadline_ms,
                       calls_done_fn *done, void *context);

/* Begins 'op'; as calls_observe(). */
uint64_t calls_start(struct calls *calls, const struct op *op, calls_done_fn *done,
                     calls_progress_fn *progress, void *context);

/* Asks the operation to end early; its completion still comes. */
void calls_cancel(struct calls *calls, uint64_t ticket);

/* Stops waiting: a completion of 'ticket' that comes later is dropped. */
void calls_drop(struct calls *calls, uint64_t ticket);

/* Keeps watch over exactly these hosts, as actuator_watch() says. */
void calls_watch(struct calls *calls, const char *const *hosts, size_t count);

/* Hands every notice of the actuator to notice(context); NULL drops them. */
void calls_on_notice(struct calls *calls, calls_notice_fn *notice, void *context);

/* Releases the table; completions that come later would have no place to go, so close the actuator
 * first. */
void calls_deinit(struct calls *calls);
