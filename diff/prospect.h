/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Prospect: which of the waiting guests no order of moves can ever bring home, because their host could
 * not hold them even if everybody left it who wants to.
 *
 * A plan ends with every guest it moved at home, so who does not wait takes room where it is in the end
 * as well: this is arithmetic, and a proof.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

struct arena;
struct fleet;

/* What forbids a guest's way home in the end. */
enum prospect {
    PROSPECT_GOOD, /* Nothing but order and room on the way. */
    PROSPECT_NO_MEMORY,
    PROSPECT_NO_CPU,
    PROSPECT_RIVAL, /* A guest it must be apart from is there to stay. */
};

/* What those who may leave a host take there. */
struct prospect_leaving {
    uint64_t kib;
    uint64_t vcpus; /* Of all of them, with the host's ordinary memory. */
};

/* By account of the fleet, what the guests that are left and not hopeless take where they are. */
struct prospect_leaving *prospect_leaving(struct arena *arena, const struct fleet *fleet);

/* What of that leaves room for 'guest' on its host: memory of its kind there, and vCPUs. */
struct prospect_leaving prospect_gone(const struct fleet *fleet,
                                      const struct prospect_leaving *leaving, uint32_t guest);

/* The prospect of 'guest', which is left, if just 'gone' leaves its host. */
enum prospect prospect_of(const struct fleet *fleet, struct prospect_leaving gone, uint32_t guest);

/* The first guest on the host of 'guest' that it must be apart from and that is there to stay, or
 * FLEET_NONE. */
uint32_t prospect_find_rival(const struct fleet *fleet, uint32_t guest);

/* Marks the hopeless; who is hopeless does not leave, and may leave others without hope.  Returns how
 * many there are. */
size_t prospect_mark(struct arena *arena, struct fleet *fleet);
