/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Resurrect: where the guests of a dead host run again (migration.md, 'Forced'), and in which order.
 *
 * They are planned for as if the host still answered and they had just been stopped there, and nobody else moved:
 * so planner, compatibility and verifier judge by their own rules, and no host is ever over-committed, now or once
 * the file is carried out.  Facts that nobody has seen of the dead host are not asked for, and moves from or to it that are not settled are
 * given up.  Whether the guests may
 * be started at all, that they run nowhere, is not judged here.  Pure, deterministic.
 */

#include <stddef.h>

#include "diff/plan.h"

struct arena;
struct err;
struct es_edit;

struct resurrection {
    const struct es_edit *edits; /* Guests whose place in the file changes, by name. */
    size_t edit_count;
    struct plan
        plan; /* For the file with these edits: forced moves, who is to run first first, and who stays down
                         and why. */
};

/* For all guests that were last seen on 'host'; one that nobody has seen anywhere stays down.  One that the file
 * puts elsewhere goes there or nowhere.  Who was off stays down.  A host of the highest priority is found first, then one for the largest.
 * 0, or -1 with '*err' (ERR_REFUSED): the verifier objects, which is a fault of the planner.  Everything lives in
 * 'arena' or is shared with the input. */
int resurrect_host(struct arena *arena, const struct plan_input *input, const char *host,
                   struct resurrection *resurrection, struct err *err);

/* Likewise for 'guest' alone, which is to be on 'to'; both are named by the file.  If it was off it stays so. */
int resurrect_guest(struct arena *arena, const struct plan_input *input, const char *host,
                    const char *guest, const char *to, struct resurrection *resurrection,
                    struct err *err);
