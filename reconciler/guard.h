/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Guard: which of the guests that berth-guard holds back on a host that has booted may start there now.
 *
 * None may while anything that this controller has begun with the host is unsettled: a move, or a definition
 * that is to be removed because its guest runs elsewhere since the host was dead.  One that another host
 * knows, too, is left held back, and so is one that was last seen on a host that is silent.  Where es.xml
 * wants a guest does not matter: the host would have started it, and it moves from there running.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct ledger;
struct observed;
struct observed_host;

/* A guest that stays held back. */
struct guard_kept {
    const char *guest;
    const char *reason;  /* A sentence. */
    bool needs_a_person; /* Nothing that Berth does will end it. */
};

struct guard_judgement {
    const char *waits;   /* Why nothing is released yet, or NULL: a sentence. */
    bool all;            /* The host may be released as a whole. */
    const char **guests; /* These may be, by name. */
    size_t guest_count;
    struct guard_kept *kept;
    size_t kept_count;
};

/* True if 'host' answers, and its guard has something to release. */
bool guard_holds(const struct observed_host *host);

/* Judges 'host' of 'observed', of which guard_holds() is true.  Everything is in 'arena' or shared with the
 * arguments. */
struct guard_judgement guard_judge(struct arena *arena, const struct observed *observed,
                                   const struct ledger *ledger, const struct observed_host *host);

/* What 'host', so judged, waits for; one sentence in 'arena'. */
const char *guard_text(struct arena *arena, const struct observed_host *host,
                       const struct guard_judgement *judgement);
