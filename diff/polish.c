/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/polish.h"

#include <string.h>

#include "base/arena.h"
#include "diff/fleet.h"
#include "diff/trail.h"

/* Steps looked at in all; beyond them the trail is good enough. */
#define EFFORT_MAX 4000000

struct polish {
    struct trail *trail;
    struct trail_step
        *steps; /* Of the whole trail; it is taken back and made again without some. */
    size_t count;
    size_t effort;
};

/* The next step of the same guest after 'at', or the count. */
static size_t next_of(struct polish *polish, size_t at)
{
    size_t next = at + 1;

    while (next < polish->count && polish->steps[next].guest != polish->steps[at].guest) {
        next++;
    }
    polish->effort += next - at;
    return next;
}

/* Makes steps until one is not allowed; returns how many were made. */
static size_t make(struct polish *polish, const struct trail_step *steps, size_t count)
{
    struct trail *trail = polish->trail;

    for (size_t i = 0; i < count; i++) {
        const struct trail_step *step = &steps[i];
        bool allowed = step->stop ? trail_may_stop(trail, step->guest)
                                  : trail_may_enter(trail, step->guest, step->to);

        polish->effort++;
        if (!allowed) {
            return i;
        }
        trail_make(trail, step);
    }
    return count;
}

/* Tries the steps from 'at' on, where the trail stands, without the hop at 'at': the guest's next hop
 * begins where it is, or is needless too if it ends there.  Cuts the list if that is allowed. */
static bool try_without(struct polish *polish, size_t at)
{
    struct trail *trail = polish->trail;
    const struct trail_step *steps = polish->steps;
    size_t next = next_of(polish, at);
    size_t cut = next < polish->count && steps[next].to == trail->fleet->guests[steps[at].guest].at;
    size_t mark = trail->count;
    bool done;

    if (next == polish->count || steps[next].stop) {
        return false;
    }
    done = make(polish, &steps[at + 1], next - at - 1) == next - at - 1 &&
           (cut == 1 || make(polish, &steps[next], 1) == 1);
    trail_undo(trail, mark);
    if (!done) {
        return false;
    }
    memmove(&polish->steps[at], &polish->steps[at + 1], (next - at - 1) * sizeof(*polish->steps));
    memmove(&polish->steps[next - 1], &polish->steps[next + cut],
            (polish->count - next - cut) * sizeof(*polish->steps));
    polish->count -= 1 + cut;
    return true;
}

static bool is_detour(const struct trail *trail, const struct trail_step *step)
{
    return !step->stop && !step->resumes && step->to != trail->fleet->guests[step->guest].goal;
}

void polish_trail(struct trail *trail)
{
    struct polish polish = { .trail = trail, .count = trail->count };
    size_t at = 0;

    if (trail->count == 0) {
        return;
    }
    polish.steps = ARENA_ARRAY(trail->arena, struct trail_step, trail->count);
    memcpy(polish.steps, trail->steps, trail->count * sizeof(*polish.steps));
    trail_undo(trail, 0);
    while (at < polish.count) {
        if (polish.effort < EFFORT_MAX && is_detour(trail, &polish.steps[at]) &&
            try_without(&polish, at)) {
            continue;
        }
        trail_make(trail, &polish.steps[at++]);
    }
}
