/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/polish.h"

#include <string.h>

#include "base/arena.h"
#include "diff/capacity.h"
#include "diff/fleet.h"
#include "diff/trail.h"

/* Steps looked at in all; beyond them the trail is good enough. */
#define EFFORT_MAX 4000000

/* Steps of a trail whose order is worth trying out. */
#define RELIEF_MAX 100

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

/* The trail's steps, taken back. */
static struct polish take_steps(struct trail *trail)
{
    struct polish polish = { .trail = trail, .count = trail->count };

    polish.steps = ARENA_ARRAY(trail->arena, struct trail_step, trail->count);
    memcpy(polish.steps, trail->steps, trail->count * sizeof(*polish.steps));
    trail_undo(trail, 0);
    return polish;
}

void polish_trail(struct trail *trail)
{
    struct polish polish;
    size_t at = 0;

    if (trail->count == 0) {
        return;
    }
    polish = take_steps(trail);
    while (at < polish.count) {
        if (polish.effort < EFFORT_MAX && is_detour(trail, &polish.steps[at]) &&
            try_without(&polish, at)) {
            continue;
        }
        trail_make(trail, &polish.steps[at++]);
    }
}

/* Makes the steps with the one at 'late' in front of the one at 'early', where the trail stands.  False,
 * and nothing done, if that is not allowed or relieves no sooner. */
static bool try_earlier(struct polish *polish, size_t early, size_t late, uint64_t relief)
{
    struct trail *trail = polish->trail;
    const struct trail_step step = polish->steps[late];

    if (make(polish, &step, 1) == 1 &&
        make(polish, &polish->steps[early], late - early) == late - early &&
        trail->relief <= relief) {
        memmove(&polish->steps[early + 1], &polish->steps[early],
                (late - early) * sizeof(*polish->steps));
        polish->steps[early] = step;
        return true;
    }
    trail_undo(trail, early);
    return false;
}

/* Finds the first place for the step at 'late' that comes after the hop of its guest before it. */
static void bring_forward(struct polish *polish, size_t late)
{
    struct trail *trail = polish->trail;
    size_t early = late;
    uint64_t relief;

    trail_make(trail, &polish->steps[late]);
    relief = trail->relief;
    trail_undo(trail, late);
    while (early > 0 && polish->steps[early - 1].guest != polish->steps[late].guest) {
        early--;
    }
    for (; early < late; early++) {
        trail_undo(trail, early);
        if (try_earlier(polish, early, late, relief)) {
            return;
        }
        trail_make(trail, &polish->steps[early]);
    }
    trail_make(trail, &polish->steps[late]);
}

void polish_relief(struct trail *trail)
{
    struct polish polish;

    if (trail->count == 0 || trail->count > RELIEF_MAX) {
        return;
    }
    polish = take_steps(trail);
    for (size_t i = 0; i < polish.count; i++) {
        const struct fleet_guest *guest = &trail->fleet->guests[polish.steps[i].guest];

        if (!polish.steps[i].stop &&
            capacity_is_over(fleet_memory(trail->fleet, guest->pool, guest->at))) {
            bring_forward(&polish, i);
        } else {
            trail_make(trail, &polish.steps[i]);
        }
    }
}
