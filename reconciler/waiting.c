/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/waiting.h"

#include <string.h>

#include "base/arena.h"
#include "diff/estimate.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/policy.h"
#include "reconciler/opening.h"
#include "reconciler/timetable.h"
#include "reconciler/view.h"
#include "reconciler/zone.h"

/* Where a guest of the file is. */
struct place {
    const struct observed_host *host; /* NULL: on no host that answers. */
    const struct observed_guest *guest;
    bool ambiguous; /* Seen more than once. */
};

static void find_on(const struct desired *desired, const struct observed_host *host,
                    struct place *places)
{
    for (size_t i = 0; host->reachable && i < host->guest_count; i++) {
        uint32_t index = desired_find_guest(desired, host->guests[i].name);

        if (index != DESIRED_NONE) {
            places[index].ambiguous = places[index].host != NULL;
            places[index].host = host;
            places[index].guest = &host->guests[i];
        }
    }
}

/* The mode that its move most likely has; what it really has is asked for again before it begins. */
static enum move_mode likely_mode(const struct policy *policy, const struct observed_guest *guest)
{
    if (guest->state == GUEST_SHUTOFF) {
        return guest->owed_start ? MOVE_OFFLINE : MOVE_COLD;
    }
    return policy_guest_mode(policy, guest->name) == POLICY_MODE_OFFLINE ? MOVE_OFFLINE : MOVE_LIVE;
}

static void exclude_guest(struct arena *arena, struct view *view, uint32_t index,
                          const struct place *place)
{
    const struct policy *policy = view->input.policy;
    const struct desired *desired = view->input.desired;
    struct opening_move move = {
        .guest = desired->guests[index].name,
        .from = place->host->name,
        .to = desired->hosts[desired->guests[index].host].name,
    };
    const char *reason = NULL;

    if (strcmp(move.from, move.to) != 0) {
        move.lasts_ms = estimate_move_ms(likely_mode(policy, place->guest),
                                         place->guest->memory_kib, policy->bandwidth_mib_s);
        reason = opening_objection(arena, view->timetable, &move, view->now_ms);
    } else if (!opening_is_open(view->timetable, &move, view->now_ms)) {
        reason =
            "makes way for nobody: its window is closed"; /* Most are in their place: no search. */
    }
    if (reason != NULL) {
        view_exclude(view, move.guest, PLAN_WINDOW, reason);
    }
}

static void exclude_guests(struct arena *arena, struct view *view)
{
    const struct desired *desired = view->input.desired;
    struct place *places = ARENA_ARRAY(arena, struct place, desired->guest_count);

    for (size_t i = 0; i < view->observed.host_count; i++) {
        find_on(desired, &view->observed.hosts[i], places);
    }
    for (uint32_t i = 0; i < desired->guest_count; i++) {
        if (places[i].host != NULL && !places[i].ambiguous) {
            exclude_guest(arena, view, i, &places[i]);
        }
    }
}

static void close_hosts(struct arena *arena, struct view *view)
{
    const struct desired *desired = view->input.desired;
    const char **closed = ARENA_ARRAY(arena, const char *, desired->host_count + 1);
    size_t count = 0;

    for (size_t i = 0; i < desired->host_count; i++) {
        const struct opening_move any = { .to = desired->hosts[i].name };

        if (!opening_is_open(view->timetable, &any, view->now_ms)) {
            closed[count++] = desired->hosts[i].name;
        }
    }
    view_close_hosts(arena, view, closed, count);
}

void waiting_exclude(struct arena *arena, struct view *view)
{
    const struct timetable *timetable = view->timetable;
    struct zone **zones;

    if (timetable->window_count == 0 && timetable->blackout_count == 0) {
        return;
    }
    zones = ARENA_ARRAY(arena, struct zone *, timetable->window_count);
    for (size_t i = 0; i < timetable->window_count; i++) { /* Many questions: read each once. */
        zones[i] = zone_open(timetable->windows[i].opens.zone);
    }
    exclude_guests(arena, view);
    close_hosts(arena, view);
    for (size_t i = 0; i < timetable->window_count; i++) {
        if (zones[i] != NULL) {
            zone_close(zones[i]);
        }
    }
}

const char *waiting_objection(struct arena *arena, const struct view *view,
                              const struct plan_move *move)
{
    const struct opening_move asked = {
        .guest = move->guest,
        .from = move->from,
        .to = move->to,
        .lasts_ms =
            estimate_move_ms(move->mode, move->memory_kib, view->input.policy->bandwidth_mib_s),
    };

    return opening_objection(arena, view->timetable, &asked, view->now_ms);
}
