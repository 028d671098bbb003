/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/arena.h"
#include "diff/plan.h"
#include "play.h"
#include "reconciler/drift.h"
#include "reconciler/ledger.h"
#include "reconciler/reconciler.h"

/* What the journal has at the end. */
struct books {
    struct journal_move *moves;
    size_t move_count;
    struct journal_owed *owed;
    size_t owed_count;
    struct journal_retry *retries;
    size_t retry_count;
};

struct hearing {
    struct play *play;
    struct witness *witness;
    const struct sim_fleet *fleet;
    struct status status;
    struct books books;
};

static const struct sim_guest *find(const struct hearing *hearing, uint32_t guest, uint32_t host)
{
    return sim_fleet_find_guest(
        sim_fleet_find_host(hearing->fleet, hearing->play->cast.hosts[host]),
        hearing->play->cast.guests[guest].uuid);
}

/* The host that has the guest, CAST_NOBODY if not exactly one has. */
static uint32_t only_host(const struct hearing *hearing, uint32_t guest)
{
    uint32_t only = CAST_NOBODY;

    for (uint32_t h = 0; h < hearing->play->cast.host_count; h++) {
        if (find(hearing, guest, h) != NULL) {
            if (only != CAST_NOBODY) {
                return CAST_NOBODY;
            }
            only = h;
        }
    }
    return only;
}

static const struct journal_retry *find_retry(const struct hearing *hearing, const char *guest)
{
    for (size_t i = 0; i < hearing->books.retry_count; i++) {
        if (strcmp(hearing->books.retries[i].guest, guest) == 0) {
            return &hearing->books.retries[i];
        }
    }
    return NULL;
}

/* It was stopped in vain so often that nobody tries it again unasked. */
static bool is_given_up(const struct journal_retry *retry)
{
    return retry != NULL && retry->next_ms == INT64_MAX;
}

/* The next try has failed for good under the file that is in force. */
static bool is_parked(const struct hearing *hearing, const char *guest)
{
    const struct journal_retry *retry = find_retry(hearing, guest);

    return retry != NULL && retry->next_ms == INT64_MAX &&
           strcmp(retry->es_digest, hearing->witness->revisions->digest) == 0;
}

static bool has_drifted(const struct hearing *hearing, const char *guest)
{
    const struct drift_item *moved =
        drift_find(hearing->status.drift, guest, CONFIG_DRIFT_OPERATOR_MOVE);
    const struct drift_item *half =
        drift_find(hearing->status.drift, guest, CONFIG_DRIFT_HALF_STEP);

    return (moved != NULL && moved->answer != CONFIG_DRIFT_CORRECT) ||
           (half != NULL && half->answer != CONFIG_DRIFT_CORRECT);
}

static uint64_t size_kib(const struct sim_guest *found)
{
    return found->config_memory_kib > found->memory_kib ? found->config_memory_kib
                                                        : found->memory_kib;
}

/* Whether there is room for one more of the guest on 'host'.  Who waits there for room to be started in
 * comes first. */
static bool has_room(const struct hearing *hearing, uint32_t guest, uint32_t host)
{
    const struct cast *cast = &hearing->play->cast;
    uint64_t sum_kib = witness_charge_kib(hearing->witness, hearing->fleet, host) +
                       size_kib(find(hearing, guest, only_host(hearing, guest)));

    for (uint32_t i = 0; i < cast->guest_count; i++) {
        const struct sim_guest *found = find(hearing, i, host);

        if (i != guest && found != NULL && found->state == GUEST_SHUTOFF &&
            hearing->witness->early[i]) {
            sum_kib += size_kib(found);
        }
    }
    return sum_kib <= (uint64_t)cast->memory_mib[host] * 1024;
}

static bool is_kept_apart(const struct hearing *hearing, uint32_t guest)
{
    const struct cast *cast = &hearing->play->cast;

    for (uint32_t i = 0; i < cast->guest_count; i++) {
        if (cast_are_apart(cast, guest, i) && find(hearing, i, cast->guests[guest].goal) != NULL) {
            return true;
        }
    }
    return false;
}

/* A guest that cannot be stopped, and may be moved in no other way. */
static bool is_unsafe(const struct hearing *hearing, uint32_t guest)
{
    const struct sim_guest *found = find(hearing, guest, only_host(hearing, guest));

    return found->state == GUEST_PAUSED &&
           (policy_guest_mode(hearing->witness->policy, found->name) == POLICY_MODE_OFFLINE ||
            found->reason != GUEST_REASON_USER);
}

/* By itself, or with a host that it belongs on or is on. */
static bool is_held(const struct hearing *hearing, uint32_t guest)
{
    const struct cast *cast = &hearing->play->cast;
    bool held = witness_is_held(hearing->witness, guest, CAST_NOBODY, cast->guests[guest].goal);

    for (uint32_t h = 0; h < cast->host_count && !held; h++) {
        held = find(hearing, guest, h) != NULL &&
               witness_is_held(hearing->witness, guest, h, CAST_NOBODY);
    }
    return held;
}

/* Whoever is nowhere, or twice, is so by somebody else's hand. */
static bool is_confirmed(const struct hearing *hearing, const struct plan_block *block,
                         uint32_t guest)
{
    const struct cast *cast = &hearing->play->cast;
    uint32_t at = only_host(hearing, guest);
    uint32_t goal = cast->guests[guest].goal;

    if (at == CAST_NOBODY && block->code != PLAN_HELD) {
        return hearing->witness->meddled[guest] &&
               (block->code == (hearing->witness->gone[guest] ? PLAN_MISSING : PLAN_DUPLICATE) ||
                (block->code == PLAN_IN_FLIGHT &&
                 witness_move_of(hearing->witness, guest) != NULL));
    }
    switch (block->code) {
    case PLAN_HELD:
        return is_held(hearing, guest) || is_parked(hearing, block->guest);
    case PLAN_PINNED:
        return cast->own_guests[guest].pin;
    case PLAN_MAINTENANCE:
        return cast->own_hosts[goal].maintenance;
    case PLAN_APART:
    case PLAN_NO_CAPACITY:
    case PLAN_DEADLOCK:
        return !has_room(hearing, guest, goal) || is_kept_apart(hearing, guest);
    case PLAN_POLICY:
        return has_drifted(hearing, block->guest) || is_parked(hearing, block->guest);
    case PLAN_INCOMPATIBLE:
        return is_parked(hearing, block->guest);
    case PLAN_BACKOFF:
        return is_given_up(find_retry(hearing, block->guest));
    case PLAN_UNSAFE:
        return is_unsafe(hearing, guest) || is_parked(hearing, block->guest);
    case PLAN_UNREACHABLE:
    case PLAN_MISSING:
    case PLAN_DUPLICATE:
    case PLAN_WINDOW:
    case PLAN_UNCLEAR:
    case PLAN_IN_FLIGHT:
    case PLAN_CODE_COUNT:
        break;
    }
    return false;
}

static const struct plan_block *find_block(const struct hearing *hearing, const char *guest)
{
    for (size_t i = 0; i < hearing->status.block_count; i++) {
        if (strcmp(hearing->status.blocked[i].guest, guest) == 0) {
            return &hearing->status.blocked[i];
        }
    }
    return NULL;
}

static void judge_place(struct hearing *hearing, uint32_t guest)
{
    const struct cast *cast = &hearing->play->cast;
    const struct cast_guest *wish = &cast->guests[guest];
    const struct plan_block *block = find_block(hearing, wish->name);
    uint32_t at = only_host(hearing, guest);

    if (!wish->listed || at == wish->goal) {
        return;
    }
    if (block == NULL) {
        witness_blame(hearing->witness, "in the end %s is on %s instead of %s for no reason",
                      wish->name, at == CAST_NOBODY ? "no or two hosts" : cast->hosts[at],
                      cast->hosts[wish->goal]);
    } else if (!is_confirmed(hearing, block, guest)) {
        witness_blame(hearing->witness,
                      "in the end %s is on %s instead of %s, and '%s' is no reason: %s", wish->name,
                      at == CAST_NOBODY ? "no or two hosts" : cast->hosts[at],
                      cast->hosts[wish->goal], plan_code_name(block->code), block->reason);
    }
}

/* Guests that somebody else deleted or doubled may leave something open for a person to look at. */
static bool is_excused(const struct hearing *hearing, const char *guest)
{
    uint32_t index = cast_guest(&hearing->play->cast, guest);

    return index != CAST_NOBODY && only_host(hearing, index) == CAST_NOBODY &&
           hearing->witness->meddled[index];
}

/* It is off, and others have taken its room. */
static bool is_crowded_out(const struct hearing *hearing, const char *guest)
{
    uint32_t index = cast_guest(&hearing->play->cast, guest);
    uint32_t at = index == CAST_NOBODY ? CAST_NOBODY : only_host(hearing, index);
    const struct sim_guest *found = at == CAST_NOBODY ? NULL : find(hearing, index, at);
    const struct sim_host *host =
        at == CAST_NOBODY ? NULL
                          : sim_fleet_find_host(hearing->fleet, hearing->play->cast.hosts[at]);

    return found != NULL && found->state == GUEST_SHUTOFF &&
           (size_kib(found) > sim_fleet_free_kib(host, 0) ||
            (hearing->witness->early[index] && !has_room(hearing, index, at)));
}

static void judge_books(struct hearing *hearing)
{
    for (size_t i = 0; i < hearing->books.move_count; i++) {
        const struct journal_move *move = &hearing->books.moves[i];

        if (!is_excused(hearing, move->guest)) {
            witness_blame(hearing->witness, "in the end a move of %s from %s to %s is open: %s",
                          move->guest, move->from, move->to,
                          move->error_text == NULL ? "" : move->error_text);
        }
    }
    for (size_t i = 0; i < hearing->books.owed_count; i++) {
        const struct journal_owed *owed = &hearing->books.owed[i];

        if (!is_excused(hearing, owed->guest) && !is_crowded_out(hearing, owed->guest)) {
            witness_blame(hearing->witness, "in the end %s is owed a start", owed->guest);
        }
    }
}

static bool is_owed(const struct hearing *hearing, const char *guest)
{
    for (size_t i = 0; i < hearing->books.owed_count; i++) {
        if (strcmp(hearing->books.owed[i].guest, guest) == 0) {
            return true;
        }
    }
    return false;
}

/* What no one else has touched is as it was; autostart comes back with the start that is owed. */
static void judge_state(struct hearing *hearing, uint32_t guest)
{
    const struct cast_guest *wish = &hearing->play->cast.guests[guest];
    uint32_t at = only_host(hearing, guest);

    if (hearing->witness->down[guest] && !is_owed(hearing, wish->name)) {
        witness_blame(hearing->witness, "in the end %s is down, which was stopped for a move",
                      wish->name);
    }
    if (at != CAST_NOBODY && !hearing->witness->meddled[guest] && !is_owed(hearing, wish->name) &&
        !hearing->play->rescue.cleaned[guest] && !find(hearing, guest, at)->held &&
        find(hearing, guest, at)->autostart != wish->autostart) {
        witness_blame(hearing->witness, "in the end %s has %s autostart", wish->name,
                      wish->autostart ? "lost its" : "got an");
    }
}

static int read_books(struct play *play, struct books *books, struct err *err)
{
    struct journal *journal = play->life->real_journal;
    struct arena *arena = &play->world.arena;

    if (journal->ops->moves(journal, arena, true, NULL, 0, &books->moves, &books->move_count,
                            err) != 0 ||
        journal->ops->owed(journal, arena, &books->owed, &books->owed_count, err) != 0) {
        return -1;
    }
    return journal->ops->retries(journal, arena, &books->retries, &books->retry_count, err);
}

static void judge(void *context, struct sim_fleet *fleet)
{
    struct hearing *hearing = context;

    hearing->fleet = fleet;
    judge_books(hearing);
    for (uint32_t i = 0; i < hearing->play->cast.guest_count; i++) {
        judge_place(hearing, i);
        judge_state(hearing, i);
    }
    outfit_judge(&hearing->play->outfit, hearing->witness, fleet);
    rescue_judge(&hearing->play->rescue, hearing->witness);
}

bool verdict_is_final(const struct play *play)
{
    struct status status = reconciler_status(play->life->reconciler);

    for (size_t i = 0; i < status.block_count; i++) {
        const struct plan_block *block = &status.blocked[i];

        if (block->code == PLAN_BACKOFF &&
            !is_given_up(ledger_find_retry(status.ledger, block->guest))) {
            return false;
        }
    }
    return true;
}

void verdict_pass(struct play *play)
{
    struct hearing hearing = {
        .play = play,
        .witness = &play->witness,
        .status = reconciler_status(play->life->reconciler),
    };
    struct err err;

    if (read_books(play, &hearing.books, &err) != 0) {
        witness_blame(&play->witness, "the journal cannot be read: %s", err.text);
        return;
    }
    life_edit(play->life, judge, &hearing);
}
