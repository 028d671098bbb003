/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/screen.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "diff/compat.h"
#include "diff/diff.h"
#include "diff/fleet.h"
#include "diff/lookup.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/policy.h"

/* Work space of screen_guests(). */
struct screen {
    struct arena *arena;
    struct fleet *fleet;
    struct compat *compat;
    const struct diff_sighting **twins; /* By guest. */
    struct plan_block *blocks;
    size_t block_count;
};

static void block(struct screen *screen, uint32_t guest, enum plan_code code, const char *reason)
{
    struct fleet_guest *this = &screen->fleet->guests[guest];

    this->blocked = code;
    screen->blocks[screen->block_count++] =
        (struct plan_block){ .guest = this->name, .code = code, .reason = reason };
}

/* "'kvm1', 'kvm2' and 'kvm3'" */
static const char *list_hosts(struct arena *arena, const struct diff_guest *guest)
{
    struct text text = text_new(arena);

    for (size_t i = 0; i < guest->found_count; i++) {
        const char *before = i == 0 ? "" : i + 1 == guest->found_count ? " and " : ", ";

        text_printf(&text, "%s'%s'%s", before, guest->found[i],
                    guest->sightings[i].host->reachable ? "" : " (which does not answer)");
    }
    return text.data;
}

/* The sighting on the guest's own host, if elsewhere the name goes with another UUID: the name is
 * taken there. */
static const struct diff_sighting *find_namesake(const struct diff_guest *guest)
{
    const struct diff_sighting *home = NULL;
    bool differs = false;

    for (size_t i = 0; i < guest->found_count; i++) {
        differs = differs ||
                  strcmp(guest->sightings[i].guest->uuid, guest->sightings[0].guest->uuid) != 0;
        if (strcmp(guest->found[i], guest->wanted) == 0) {
            home = &guest->sightings[i];
        }
    }
    return differs ? home : NULL;
}

static void block_duplicate(struct screen *screen, uint32_t guest)
{
    const struct diff_guest *seen = screen->fleet->guests[guest].diff;
    const struct diff_sighting *namesake = find_namesake(seen);
    const char *hosts = list_hosts(screen->arena, seen);
    size_t silent = 0;

    for (size_t i = 0; i < seen->found_count; i++) {
        silent += !seen->sightings[i].host->reachable;
    }
    if (silent > 0) {
        block(screen, guest, PLAN_UNREACHABLE,
              text_format(screen->arena, "seen on %s: cannot tell where it is", hosts));
    } else if (namesake != NULL) {
        block(screen, guest, PLAN_INCOMPATIBLE,
              text_format(screen->arena,
                          "its name is taken on '%s' by another guest (UUID %s): rename or remove "
                          "the one that is not meant",
                          seen->wanted, namesake->guest->uuid));
    } else {
        block(screen, guest, PLAN_DUPLICATE,
              text_format(screen->arena,
                          "is on %s: find out which is good and remove the definition of the other",
                          hosts));
    }
}

static const char *silence_of(struct arena *arena, const struct observed_host *host)
{
    return host == NULL || host->error == NULL ? "" : text_format(arena, ": %s", host->error);
}

static void block_unknown(struct screen *screen, uint32_t guest)
{
    const struct diff_guest *seen = screen->fleet->guests[guest].diff;

    if (seen->found_count == 0) {
        block(screen, guest, PLAN_UNREACHABLE,
              "seen on no host, but not every host answers: it may be on one that does not");
        return;
    }
    block(screen, guest, PLAN_UNREACHABLE,
          text_format(screen->arena, "last seen on '%s', which does not answer%s", seen->found[0],
                      silence_of(screen->arena, seen->sightings[0].host)));
}

/* Blocks a guest whose place is not certain.  False if it is. */
static bool block_by_class(struct screen *screen, uint32_t guest)
{
    switch (screen->fleet->guests[guest].diff->class) {
    case DIFF_MISSING:
        block(screen, guest, PLAN_MISSING,
              "on no host, and every host answered: define it, or take it out of the file");
        return true;
    case DIFF_DUPLICATE:
        block_duplicate(screen, guest);
        return true;
    case DIFF_UNKNOWN:
        block_unknown(screen, guest);
        return true;
    case DIFF_PLACED:
    case DIFF_MISPLACED:
    case DIFF_UNMANAGED:
    case DIFF_CLASS_COUNT:
        break;
    }
    return false;
}

static const struct observed_move *find_in_flight(const struct observed *observed,
                                                  const char *guest)
{
    size_t low = 0;
    size_t high = observed->in_flight_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(observed->in_flight[middle].guest, guest) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < observed->in_flight_count && strcmp(observed->in_flight[low].guest, guest) == 0
               ? &observed->in_flight[low]
               : NULL;
}

static void block_in_flight(struct screen *screen, uint32_t guest)
{
    const struct fleet_guest *this = &screen->fleet->guests[guest];
    const struct observed_move *move = find_in_flight(screen->fleet->input->observed, this->name);

    if (move == NULL) {
        block(screen, guest, PLAN_IN_FLIGHT,
              text_format(screen->arena,
                          "a migration that Berth did not start runs on '%s': wait for its end",
                          this->diff->found[0]));
    } else {
        block(screen, guest, PLAN_IN_FLIGHT,
              text_format(screen->arena, "its %s move from '%s' to '%s' is not settled%s",
                          op_mode_name(move->mode), move->from, move->to,
                          move->foreign ? ", and Berth did not start it" : ""));
    }
}

/* A move would bring together, or tear apart, what may be one guest under two names. */
static bool block_by_twin(struct screen *screen, uint32_t guest)
{
    const struct fleet_guest *this = &screen->fleet->guests[guest];
    const struct diff_sighting *twin = screen->twins[guest];
    bool on_target;

    if (twin == NULL) {
        return false;
    }
    on_target = strcmp(twin->host->name, screen->fleet->hosts[this->goal].name) == 0;
    block(screen, guest, on_target ? PLAN_INCOMPATIBLE : PLAN_DUPLICATE,
          text_format(screen->arena,
                      "its UUID %s is also that of '%s' on '%s': give one of them another UUID, or "
                      "remove it",
                      this->seen->uuid, twin->guest->name, twin->host->name));
    return true;
}

/* What a person or the file itself says against the move. */
static bool block_by_policy(struct screen *screen, uint32_t guest)
{
    const struct plan_input *input = screen->fleet->input;
    const struct fleet_guest *this = &screen->fleet->guests[guest];
    const struct policy_guest *own = policy_find_guest(input->policy, this->name);
    const char *action = input->desired->guests[guest].pending_action;

    if (own != NULL && own->pin) {
        block(screen, guest, PLAN_PINNED, "pinned in berth.conf (pin = yes)");
        return true;
    }
    if (action != NULL && !input->policy->adopt_pending_actions) {
        block(screen, guest, PLAN_POLICY,
              text_format(screen->arena,
                          "undeployed OEDACLI action %s: deploy or remove it, or set "
                          "pending_actions = adopt",
                          action));
        return true;
    }
    return false;
}

static bool block_by_target(struct screen *screen, uint32_t guest)
{
    const struct fleet_host *target = &screen->fleet->hosts[screen->fleet->guests[guest].goal];

    if (!target->reachable) {
        block(screen, guest, PLAN_UNREACHABLE,
              text_format(screen->arena, "belongs on '%s', which does not answer%s", target->name,
                          silence_of(screen->arena, target->seen)));
        return true;
    }
    if (target->maintenance) {
        block(screen, guest, PLAN_MAINTENANCE,
              text_format(screen->arena,
                          "belongs on '%s', which is in maintenance and takes no guest",
                          target->name));
        return true;
    }
    return false;
}

static bool block_by_compat(struct screen *screen, uint32_t guest)
{
    struct fleet_guest *this = &screen->fleet->guests[guest];
    struct compat_objection objection;

    if (this->seen->job == GUEST_JOB_OTHER) {
        block(screen, guest, PLAN_IN_FLIGHT,
              text_format(screen->arena, "a backup or snapshot job runs on '%s': wait for its end",
                          screen->fleet->hosts[this->at].name));
        return true;
    }
    if (compat_choose_mode(screen->compat, guest, &this->mode, &objection) &&
        compat_judge(screen->compat, guest, this->goal, this->mode, &objection)) {
        return false;
    }
    block(screen, guest, objection.code, objection.reason);
    return true;
}

/* What policy lets a movable guest do on its way.  A guest that is owed a start runs again after its
 * first hop; until then it may stay off for the others, if it may be stopped for them. */
static void load_liberties(const struct fleet *fleet, struct fleet_guest *guest)
{
    const struct policy *policy = fleet->input->policy;
    const struct policy_guest *own = policy_find_guest(policy, guest->name);
    bool stays_live = guest->mode == MOVE_OFFLINE &&
                      policy_guest_mode(policy, guest->name) != POLICY_MODE_OFFLINE;

    guest->later_mode = stays_live ? MOVE_LIVE : guest->mode;
    guest->no_detour = own != NULL && own->no_detour;
    guest->park = own != NULL && own->park && guest->seen->persistent &&
                  (guest->seen->state == GUEST_RUNNING || guest->mode == MOVE_OFFLINE);
}

/* Decides for one guest whether it waits to be moved, is blocked, or is in its place. */
static void decide(struct screen *screen, uint32_t guest)
{
    struct fleet_guest *this = &screen->fleet->guests[guest];
    const struct plan_exclusion *exclusion;

    if (this->diff->class == DIFF_PLACED && !this->in_flight) {
        return;
    }
    exclusion = plan_find_exclusion(screen->fleet->input, this->name);
    if (exclusion != NULL) {
        block(screen, guest, exclusion->code, exclusion->reason);
    } else if (this->in_flight) {
        block_in_flight(screen, guest);
    } else if (!block_by_class(screen, guest) && !block_by_twin(screen, guest) &&
               !block_by_policy(screen, guest) && !block_by_target(screen, guest) &&
               !block_by_compat(screen, guest)) {
        this->waiting = true;
        load_liberties(screen->fleet, this);
    }
}

/* Names with one UUID are twins of each other. */
static void note_twins(struct screen *screen, uint32_t guest, const struct observed_host *host,
                       const struct observed_guest *seen)
{
    const struct fleet *fleet = screen->fleet;
    uint32_t other = desired_find_guest(fleet->input->desired, seen->name);
    struct diff_sighting *twin = ARENA_NEW(screen->arena, struct diff_sighting);

    *twin = (struct diff_sighting){ .host = host, .guest = seen };
    screen->twins[guest] = twin;
    if (other != DESIRED_NONE) {
        screen->twins[other] = fleet->guests[guest].diff->at;
    }
}

static void find_twins_on(struct screen *screen, struct arena *arena, const struct lookup *uuids,
                          const struct observed_host *host)
{
    uint32_t *owners = ARENA_ARRAY(arena, uint32_t, host->guest_count);

    if (host->guest_count == 0) {
        return;
    }
    lookup_find_all(
        uuids,
        (struct lookup_names){ &host->guests[0].uuid, sizeof(host->guests[0]), host->guest_count },
        owners);
    for (size_t g = 0; g < host->guest_count; g++) {
        if (owners[g] != LOOKUP_NONE &&
            strcmp(screen->fleet->guests[owners[g]].name, host->guests[g].name) != 0) {
            note_twins(screen, owners[g], host, &host->guests[g]);
        }
    }
}

/* Finds, for each guest of 'class', a sighting of its UUID under another name. */
static void find_twins(struct screen *screen, const struct diff *diff, enum diff_class class)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    const struct fleet *fleet = screen->fleet;
    const struct observed *observed = fleet->input->observed;
    struct lookup uuids = lookup_new(&scratch, diff->counts[class]);

    screen->twins = ARENA_ARRAY(screen->arena, const struct diff_sighting *, fleet->guest_count);
    for (uint32_t i = 0; i < fleet->guest_count; i++) {
        if (fleet->guests[i].diff->class == class) {
            lookup_add(&uuids, fleet->guests[i].seen->uuid, i);
        }
    }
    for (size_t h = 0; h < observed->host_count; h++) {
        find_twins_on(screen, &scratch, &uuids, &observed->hosts[h]);
    }
}

size_t screen_guests(struct arena *arena, struct fleet *fleet, const struct diff *diff,
                     struct compat *compat, struct plan_block *blocks)
{
    struct screen screen = {
        .arena = arena,
        .fleet = fleet,
        .compat = compat,
        .blocks = blocks,
    };

    if (diff->counts[DIFF_MISPLACED] > 0) {
        find_twins(&screen, diff, DIFF_MISPLACED);
    }
    for (uint32_t i = 0; i < fleet->guest_count; i++) {
        decide(&screen, i);
    }
    return screen.block_count;
}

static bool may_be_displaced(struct screen *screen, uint32_t guest)
{
    const struct plan_input *input = screen->fleet->input;
    struct fleet_guest *this = &screen->fleet->guests[guest];
    const struct policy_guest *own = policy_find_guest(input->policy, this->name);
    const struct fleet_host *home = &screen->fleet->hosts[this->goal];
    bool pending = input->desired->guests[guest].pending_action != NULL;
    struct compat_objection objection;

    return this->diff->class == DIFF_PLACED && !this->in_flight && home->reachable &&
           !home->maintenance && this->seen->job == GUEST_JOB_NONE &&
           plan_find_exclusion(input, this->name) == NULL && screen->twins[guest] == NULL &&
           (own == NULL || (!own->pin && !own->no_detour)) &&
           (!pending || input->policy->adopt_pending_actions) &&
           compat_choose_mode(screen->compat, guest, &this->mode, &objection);
}

void screen_displaceable(struct arena *arena, struct fleet *fleet, const struct diff *diff)
{
    /* Its checks are not those of the plan's moves: what it must skip is counted nowhere. */
    struct compat compat = { .arena = arena, .fleet = fleet };
    struct screen screen = { .arena = arena, .fleet = fleet, .compat = &compat };

    find_twins(&screen, diff, DIFF_PLACED);
    for (uint32_t i = 0; i < fleet->guest_count; i++) {
        if (may_be_displaced(&screen, i)) {
            fleet->guests[i].displaceable = true;
            load_liberties(fleet, &fleet->guests[i]);
        }
    }
}
