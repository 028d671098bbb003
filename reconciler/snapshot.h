/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Snapshot: all hosts looked at, at once, each with its deadline.
 *
 * A host that does not answer keeps the guests it had in the snapshot before, with their older age and
 * the reason; it is UNKNOWN, never empty.  Loop thread.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "model/observed.h"

struct calls;
struct loop;
struct snapshot;

#define SNAPSHOT_DEADLINE_MS INT64_C(10000)

typedef void snapshot_done_fn(void *context);

struct snapshot {
    struct calls *calls;
    struct loop *loop;
    struct arena arena;       /* Holds 'observed'. */
    struct observed observed; /* The last complete look; empty before the first. */

    struct arena next_arena; /* The look under way. */
    struct observed_host *next;
    struct snapshot_wait *waits;
    size_t count;
    size_t waiting;
    snapshot_done_fn *done;
    void *context;
};

/* An empty snapshot that looks through 'calls'. */
void snapshot_init(struct snapshot *snapshot, struct loop *loop, struct calls *calls);

/* Looks at the 'count' hosts called 'hosts' (any order, unique); done(context) is called when all have
 * answered or missed their deadline, and 'observed' is then the new state.  One look at a time. */
void snapshot_take(struct snapshot *snapshot, const char *const *hosts, size_t count,
                   snapshot_done_fn *done, void *context);

/* Releases everything; a look under way is given up. */
void snapshot_deinit(struct snapshot *snapshot);
