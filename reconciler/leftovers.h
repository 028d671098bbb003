/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Leftovers: definitions on hosts that were dead, removed once they answer again and the guest is elsewhere, and
 * after them what a platform provided there for the guest; or the volumes that are to be given back, as its guest has
 * not left it.  Of a guest that runs in both places a person is told, and neither is touched; but if its fence alone was
 * to keep the host from that, its power is cut again at once.  For the files of the
 * controller; where one stands is leftover.h's. */

#include <stdbool.h>
#include <stddef.h>

#include "model/supply.h"
#include "reconciler/journal/journal.h"

struct reconciler;

/* The one that is being removed. */
struct leftovers {
    struct journal_leftover sweeping; /* Its strings are the pass's, as the next two. */
    struct supply_list supplies;
    const char *text; /* What is noted when it is swept. */
    size_t next;      /* Kinds of supplies that have been seen to. */
    bool gives;       /* They are given back to a guest that is there, instead. */
};

/* Notes what has become of them, and of what people vouched for, and begins to remove the next; false if there is
 * none to be removed now. */
bool leftovers_sweep_next(struct reconciler *reconciler);
