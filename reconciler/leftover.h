/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Leftover: what becomes of the definition that a dead host still has of a guest that was started elsewhere
 * by force, once that host answers again (migration.md, 'The returning host').  Pure.
 */

#include <stdbool.h>

struct journal_leftover;
struct ledger;
struct observed;

enum leftover_standing {
    LEFTOVER_SILENT, /* Its host does not answer yet. */
    LEFTOVER_GONE,   /* Its host does not know the guest any more. */
    LEFTOVER_SWEEP,  /* Shut off there, and the guest is elsewhere: to be removed. */
    LEFTOVER_BEREFT, /* It is there and nowhere else, and its volumes were taken away: to be given back. */
    LEFTOVER_NOWHERE, /* Shut off there, and on no host that answers: it may be the last one. */
    LEFTOVER_TWICE,   /* It runs there and elsewhere: touch neither. */
    LEFTOVER_RETURNED, /* It runs there, and the host where it ran since does not know it any more. */
    LEFTOVER_DOUBTFUL, /* It runs there, and may elsewhere: that host does not tell. */
    LEFTOVER_STANDING_COUNT,
};

/* True if its guest has not left its host, which a forced move that failed took the volumes away from. */
bool leftover_is_bereft(const struct journal_leftover *leftover);

/* Where 'leftover' of 'ledger' stands by 'observed', a fresh look at every host.  What another dead host has kept of
 * its guest is no place where the guest is. */
enum leftover_standing leftover_judge(const struct journal_leftover *leftover,
                                      const struct ledger *ledger, const struct observed *observed);
