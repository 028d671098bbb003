/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the planner's searches work on, made from a fleet of build_fleet.h: indexed, screened, and with a
 * trail on it.
 */

#include "build_fleet.h"
#include "diff/compat.h"
#include "diff/diff.h"
#include "diff/fleet.h"
#include "diff/screen.h"
#include "diff/trail.h"

struct search_fleet {
    struct diff diff;
    struct fleet fleet;
    struct compat compat;
    struct trail trail;
};

static inline struct search_fleet *search_fleet(struct build *build)
{
    struct search_fleet *search = ARENA_NEW(build->arena, struct search_fleet);
    const struct plan_input *input = build_input(build);

    search->diff = diff_compute(build->arena, input->desired, input->observed);
    search->fleet = fleet_build(build->arena, input, &search->diff);
    search->compat = (struct compat){ .arena = build->arena, .fleet = &search->fleet };
    (void)screen_guests(build->arena, &search->fleet, &search->diff, &search->compat,
                        ARENA_ARRAY(build->arena, struct plan_block, build->wish_count));
    screen_displaceable(build->arena, &search->fleet, &search->diff);
    search->trail = trail_new(build->arena, &search->fleet, &search->compat);
    trail_load(&search->trail);
    return search;
}
