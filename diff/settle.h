/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Settle: what really happened to a move, told from what both hosts say (migration.md, 'Settle').
 *
 * A total function: every combination of what can be seen has exactly one verdict, the first matching
 * row of the table.  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/op.h"

struct observed_guest;
struct observed_host;

/* What one host says of the guest, reduced to what the table tells apart. */
enum settle_view {
    SETTLE_UNREACHABLE,
    SETTLE_ABSENT,
    SETTLE_OFF,
    SETTLE_OFF_MIGRATED, /* Shut off, reason 'migrated'. */
    SETTLE_RUNNING,
    SETTLE_RUNNING_JOB, /* Any state with an outgoing migration, but for post-copy. */
    SETTLE_PAUSED_USER,
    SETTLE_PAUSED_MIGRATION, /* Paused by a migration, or starting up. */
    SETTLE_PAUSED_POSTCOPY,  /* Post-copy, or post-copy failed. */
    SETTLE_PAUSED_OTHER,     /* I/O error, watchdog, ... */
    SETTLE_OTHER,            /* Crashed, shutting down, another UUID under the name, ... */
    SETTLE_VIEW_COUNT,
};

/* What the journal adds. */
struct settle_facts {
    bool live;            /* L rows; false = offline or cold, O rows. */
    bool target_made;     /* The journal says we made the target's definition (or began to). */
    bool target_same;     /* O: the target's definition equals the journaled one. */
    bool owed_start;      /* The guest ran before and must run after. */
    int64_t unchanged_ms; /* How long both views have been what they are now. */
};

/* How long a half state of a migration may last before Berth ends it. */
#define SETTLE_PATIENCE_MS INT64_C(60000)

enum settle_verdict {
    SETTLE_WAIT,            /* Look again later; both stay reserved. */
    SETTLE_ALARM,           /* Touch neither side; a person must look.  Both stay reserved. */
    SETTLE_HOLD,            /* As ALARM: nothing is at risk now, but only a person can decide. */
    SETTLE_ADOPT,           /* A migration job runs: follow it. */
    SETTLE_NOT_HAPPENED,    /* The guest is at the source as if nothing had been done. */
    SETTLE_DESTROY_TARGET,  /* End the target's incoming process, then look again. */
    SETTLE_UNDEFINE_TARGET, /* Remove our definition on the target, then look again. */
    SETTLE_DESTROY_SOURCE,  /* It runs on the target: end the source's paused leftover. */
    SETTLE_RESUME_SOURCE,   /* Let the source run on, then look again. */
    SETTLE_SWEEP_SOURCE,    /* Done: it is on the target; remove the source's definition. */
    SETTLE_STOPPED,         /* O: shut off at the source, not moved yet. */
    SETTLE_ENDED,           /* L: the guest ended by itself and stays off at the source. */
    SETTLE_DEFINED_TWICE, /* O: shut off on both, the target's is ours: undefine the source, go on. */
    SETTLE_DONE,          /* It is on the target only, running or paused by its user. */
    SETTLE_DONE_OFF,      /* It is on the target only, shut off; an owed start is still owed. */
    SETTLE_LOST,          /* On neither: look on all hosts. */
    SETTLE_VERDICT_COUNT,
};

/* Reduces what 'host' says of the guest; 'host' NULL or not reachable is SETTLE_UNREACHABLE.  A guest
 * with the same name and another UUID, or the same UUID and another name, is SETTLE_OTHER. */
enum settle_view settle_view_of(const struct observed_host *host, const char *guest,
                                const char *uuid);

/* The first matching row. */
enum settle_verdict settle_judge(enum settle_view source, enum settle_view target,
                                 const struct settle_facts *facts);

/* Stable lower-case names, for logs and tests. */
const char *settle_view_name(enum settle_view view);
const char *settle_verdict_name(enum settle_verdict verdict);

/* One sentence for a person: what was found and what it means. */
const char *settle_verdict_text(enum settle_verdict verdict);
