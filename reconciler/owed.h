/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Owed: where a guest that Berth stopped, and owes a start, stands by what all hosts say, and whether it may
 * be started there.  Pure.
 */

#include <stdbool.h>

#include "diff/restart.h"

struct arena;
struct journal_owed;
struct ledger;
struct observed;
struct observed_guest;
struct plan_input;

enum owed_standing {
    OWED_ACTIVE,    /* Some host, as last seen, has a process of it: it must not be started. */
    OWED_UNCERTAIN, /* It may be on more hosts than one, or on one that does not answer. */
    OWED_NO_ROOM,   /* Off on one host, where others have taken its room. */
    OWED_STARTABLE, /* Off on one host, known to no other, and there is room for it. */
};

/* Where it may be started; filled if it is OWED_NO_ROOM or OWED_STARTABLE. */
struct owed_place {
    const struct observed_guest *guest;
    const char *host;
    struct restart_room room; /* Of OWED_NO_ROOM. */
};

/* The guest on the host that runs it, if one that answers does, with its name in '*host'; or NULL. */
const struct observed_guest *owed_find_running(const struct observed *observed, const char *uuid,
                                               const char **host);

/* True if 'running' has not got back yet the autostart that its stop had cleared. */
bool owed_lacks_autostart(const struct journal_owed *owed, const struct observed_guest *running);

/* Where 'owed' of 'ledger' stands in the world of 'input'.  A guest that was not stopped early kept its room:
 * it was charged there all the time. */
enum owed_standing owed_judge(struct arena *arena, const struct plan_input *input,
                              const struct ledger *ledger, const struct journal_owed *owed,
                              struct owed_place *place);

/* Why it is down and not started, OWED_UNCERTAIN or OWED_NO_ROOM, and what a person can do about it; one
 * sentence in 'arena'. */
const char *owed_text(struct arena *arena, const struct journal_owed *owed,
                      enum owed_standing standing, const struct owed_place *place);
