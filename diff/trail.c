/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/trail.h"

#include <string.h>

#include "base/arena.h"
#include "diff/capacity.h"
#include "diff/compat.h"
#include "diff/fleet.h"
#include "diff/room.h"

struct trail trail_new(struct arena *arena, struct fleet *fleet, struct compat *compat)
{
    struct trail trail = {
        .arena = arena,
        .fleet = fleet,
        .compat = compat,
        .first = ARENA_ARRAY(arena, uint32_t, fleet->host_count),
        .next = ARENA_ARRAY(arena, uint32_t, fleet->guest_count),
        .previous = ARENA_ARRAY(arena, uint32_t, fleet->guest_count),
        .inbound = ARENA_ARRAY(arena, uint64_t, fleet_account_count(fleet)),
    };

    for (size_t h = 0; h < fleet->host_count; h++) {
        trail.first[h] = FLEET_NONE;
    }
    return trail;
}

static bool comes_before(const struct fleet *fleet, uint32_t a, uint32_t b)
{
    uint64_t left = fleet->guests[a].charge_kib;
    uint64_t right = fleet->guests[b].charge_kib;

    return left != right ? left > right : a < b;
}

/* Enters a guest that is away from its host. */
static void enlist(struct trail *trail, uint32_t guest)
{
    const struct fleet_guest *this = &trail->fleet->guests[guest];
    uint32_t before = FLEET_NONE;
    uint32_t after = trail->first[this->goal];

    while (after != FLEET_NONE && comes_before(trail->fleet, after, guest)) {
        before = after;
        after = trail->next[after];
    }
    trail->next[guest] = after;
    trail->previous[guest] = before;
    if (after != FLEET_NONE) {
        trail->previous[after] = guest;
    }
    if (before != FLEET_NONE) {
        trail->next[before] = guest;
    } else {
        trail->first[this->goal] = guest;
    }
    trail->inbound[fleet_account_for(trail->fleet, guest, this->goal)] += this->charge_kib;
    trail->left++;
}

static void strike(struct trail *trail, uint32_t guest)
{
    const struct fleet_guest *this = &trail->fleet->guests[guest];
    uint32_t before = trail->previous[guest];
    uint32_t after = trail->next[guest];

    if (after != FLEET_NONE) {
        trail->previous[after] = before;
    }
    if (before != FLEET_NONE) {
        trail->next[before] = after;
    } else {
        trail->first[this->goal] = after;
    }
    trail->inbound[fleet_account_for(trail->fleet, guest, this->goal)] -= this->charge_kib;
    trail->left--;
}

void trail_load(struct trail *trail)
{
    for (uint32_t i = 0; i < trail->fleet->guest_count; i++) {
        if (fleet_is_left(trail->fleet, i) && !trail->fleet->guests[i].hopeless) {
            enlist(trail, i);
        }
    }
}

/* A first hop home was judged when the guest was screened. */
static bool can_run(const struct trail *trail, uint32_t guest, uint32_t host)
{
    const struct fleet_guest *this = &trail->fleet->guests[guest];
    enum move_mode mode = fleet_mode(trail->fleet, guest);
    struct compat_objection objection;

    if (host == this->goal) {
        return this->hops == 0 ||
               compat_judge_hop(trail->compat, guest, this->at, host, mode, &objection);
    }
    return compat_judge_hop(trail->compat, guest, this->at, host, mode, &objection) &&
           compat_judge_hop(trail->compat, guest, host, this->goal, this->later_mode, &objection);
}

bool trail_may_enter(const struct trail *trail, uint32_t guest, uint32_t host)
{
    const struct fleet *fleet = trail->fleet;
    const struct fleet_guest *this = &fleet->guests[guest];

    return host != this->at && capacity_fit(fleet, guest, host) == CAPACITY_FITS &&
           fleet->hosts[host].reachable && !fleet->hosts[host].maintenance &&
           (host == this->goal || (!this->no_detour && !this->stopped)) &&
           fleet_find_rival(fleet, guest, host) == FLEET_NONE && can_run(trail, guest, host);
}

bool trail_may_stop(const struct trail *trail, uint32_t guest)
{
    const struct fleet_guest *this = &trail->fleet->guests[guest];
    struct compat_objection objection;

    return this->park && !this->stopped && this->at != this->goal &&
           compat_judge_hop(trail->compat, guest, this->at, this->goal, MOVE_OFFLINE, &objection);
}

static struct trail_step *push(struct trail *trail)
{
    if (trail->count == trail->capacity) {
        size_t capacity = trail->capacity == 0 ? 64 : 2 * trail->capacity;
        struct trail_step *grown = ARENA_ARRAY(trail->arena, struct trail_step, capacity);

        if (trail->count > 0) {
            memcpy(grown, trail->steps, trail->count * sizeof(*grown));
        }
        trail->steps = grown;
        trail->capacity = capacity;
    }
    return &trail->steps[trail->count++];
}

static bool is_astray(const struct fleet_guest *guest)
{
    return guest->at != guest->goal && (guest->hops > 0 || guest->stopped);
}

/* Keeps the lists and sums true over a change from one place to another. */
static void note_change(struct trail *trail, uint32_t guest, uint32_t was_at, bool was_astray)
{
    const struct fleet_guest *this = &trail->fleet->guests[guest];

    if (was_at == this->goal && this->at != this->goal) {
        enlist(trail, guest);
    } else if (was_at != this->goal && this->at == this->goal) {
        strike(trail, guest);
    }
    trail->astray += is_astray(this);
    trail->astray -= was_astray;
    if (trail->room != NULL) {
        room_update(trail->room, this->pool, was_at);
        room_update(trail->room, this->pool, this->at);
    }
}

void trail_move(struct trail *trail, uint32_t guest, uint32_t to)
{
    const struct fleet_guest *this = &trail->fleet->guests[guest];
    const struct fleet_memory *left = fleet_memory_for(trail->fleet, guest, this->at);
    struct trail_step *step = push(trail);
    bool astray = is_astray(this);

    *step = (struct trail_step){
        .guest = guest,
        .from = this->at,
        .to = to,
        .resumes = this->stopped,
        .relieves = capacity_is_over(left),
    };
    trail->interruptions += fleet_mode(trail->fleet, guest) == MOVE_OFFLINE;
    trail->moved_kib += this->charge_kib;
    fleet_move(trail->fleet, guest, to);
    step->relieves = step->relieves && !capacity_is_over(left);
    trail->relief += step->relieves ? trail->count : 0;
    note_change(trail, guest, step->from, astray);
}

void trail_stop(struct trail *trail, uint32_t guest)
{
    const struct fleet_guest *this = &trail->fleet->guests[guest];
    struct trail_step *step = push(trail);
    bool astray = is_astray(this);

    *step = (struct trail_step){ .guest = guest, .from = this->at, .to = this->goal, .stop = true };
    trail->moved_kib += this->charge_kib;
    fleet_stop(trail->fleet, guest);
    note_change(trail, guest, this->at, astray);
}

void trail_make(struct trail *trail, const struct trail_step *step)
{
    if (step->stop) {
        trail_stop(trail, step->guest);
    } else {
        trail_move(trail, step->guest, step->to);
    }
}

static void take_back(struct trail *trail)
{
    const struct trail_step step = trail->steps[trail->count - 1];
    const struct fleet_guest *this = &trail->fleet->guests[step.guest];
    uint32_t at = this->at;
    bool astray = is_astray(this);

    fleet_take_back(trail->fleet, step.guest, step.from, step.resumes);
    trail->moved_kib -= this->charge_kib;
    trail->relief -= step.relieves ? trail->count : 0;
    trail->count--;
    if (!step.stop) {
        trail->interruptions -= fleet_mode(trail->fleet, step.guest) == MOVE_OFFLINE;
    }
    note_change(trail, step.guest, at, astray);
}

void trail_undo(struct trail *trail, size_t count)
{
    while (trail->count > count) {
        take_back(trail);
    }
}

struct trail_cost trail_cost(const struct trail *trail)
{
    return (struct trail_cost){
        .left = trail->left,
        .interruptions = trail->interruptions,
        .steps = trail->count,
        .moved_kib = trail->moved_kib,
        .relief = trail->relief,
    };
}

bool trail_is_better(const struct trail_cost *a, const struct trail_cost *b)
{
    if (a->left != b->left) {
        return a->left < b->left;
    }
    if (a->interruptions != b->interruptions) {
        return a->interruptions < b->interruptions;
    }
    if (a->steps != b->steps) {
        return a->steps < b->steps;
    }
    return a->moved_kib != b->moved_kib ? a->moved_kib < b->moved_kib : a->relief < b->relief;
}
