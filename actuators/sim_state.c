/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_state.h"

#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/arena.h"
#include "base/err.h"
#include "model/check.h"
#include "model/op.h"
#include "model/profile.h"
#include "model/state.h"
#include "model/supply.h"

#define IN_PLACE 0

/* One file on its way. */
struct place {
    struct sim_fleet *fleet;
    const struct op *op;
    struct sim_host *host;
    struct sim_host *peer;
    const char *path;
};

static int fail(const struct place *place, struct err *err, enum err_code code, const char *why)
{
    return err_set(err, code, "cannot %s '%s' of '%s' on '%s': %s", op_kind_name(place->op->kind),
                   place->path, place->op->guest, place->host->name, why);
}

/* The last one that was put aside at 'aside_ms', or the one that is in its place. */
static struct sim_state *find(const struct sim_host *host, const char *path, int64_t aside_ms)
{
    for (size_t i = host->state_count; i > 0; i--) {
        if (strcmp(host->states[i - 1].path, path) == 0 &&
            host->states[i - 1].aside_ms == aside_ms) {
            return &host->states[i - 1];
        }
    }
    return NULL;
}

static void add(struct sim_fleet *fleet, struct sim_host *host, const char *path, uint64_t version)
{
    struct sim_state *states = ARENA_ARRAY(fleet->arena, struct sim_state, host->state_count + 1);

    for (size_t i = 0; i < host->state_count; i++) {
        states[i] = host->states[i];
    }
    states[host->state_count++] =
        (struct sim_state){ .path = arena_strdup(fleet->arena, path), .version = version };
    host->states = states;
    fleet->changed = true;
}

static bool is_active(const struct sim_host *host, const char *uuid)
{
    const struct sim_guest *guest = sim_fleet_find_guest(host, uuid);

    return guest != NULL && sim_fleet_is_active(guest);
}

static struct state_sight look(const struct sim_host *host, const struct sim_host *peer,
                               const char *path, int64_t aside_ms)
{
    const struct sim_state *here = find(host, path, IN_PLACE);
    const struct sim_state *there = find(peer, path, IN_PLACE);
    const struct sim_state *here_aside = find(host, path, aside_ms);
    const struct sim_state *there_aside = find(peer, path, aside_ms);

    return (struct state_sight){
        .here = here != NULL,
        .there = there != NULL,
        .same = here != NULL && there != NULL && here->version == there->version,
        .here_aside = here_aside != NULL,
        .there_aside = there_aside != NULL,
        .aside_same = here_aside != NULL && there_aside != NULL &&
                      here_aside->version == there_aside->version,
    };
}

/* The file that 'act' takes, or NULL. */
static struct sim_state *find_subject(const struct place *place, enum state_act act)
{
    int64_t aside_ms = place->op->begun_ms;

    switch (act) {
    case STATE_COPY:
        return find(place->peer, place->path, IN_PLACE);
    case STATE_COPY_ASIDE:
        return find(place->peer, place->path, aside_ms);
    case STATE_RESTORE:
        return find(place->host, place->path, aside_ms);
    case STATE_PUT_ASIDE:
        return find(place->host, place->path, IN_PLACE);
    case STATE_DONE:
    case STATE_KEEP:
    case STATE_FOREIGN:
    case STATE_LOST:
    case STATE_UNCOPIED:
        break;
    }
    return NULL;
}

static int carry_out(const struct place *place, enum state_act act, struct err *err)
{
    struct sim_state *file = find_subject(place, act);

    if (file == NULL) {
        return fail(place, err, ERR_NOT_FOUND, "the file is gone");
    }
    if (act == STATE_COPY && is_active(place->peer, place->op->uuid)) {
        return fail(place, err, ERR_BUSY, "the guest is not off");
    }
    if (act == STATE_COPY || act == STATE_COPY_ASIDE) {
        add(place->fleet, place->host, place->path, file->version);
        return 0;
    }
    file->aside_ms = act == STATE_RESTORE ? IN_PLACE : place->op->begun_ms;
    place->fleet->changed = true;
    return 0;
}

/* 1 if there was nothing to do, which '*note' tells. */
static int decide(const struct place *place, enum state_act act, const char **note, struct err *err)
{
    switch (act) {
    case STATE_DONE:
        *note = place->op->kind == OP_PROVIDE ? "already there" : "already gone";
        return 1;
    case STATE_KEEP:
        *note = "kept: it is not what this move has brought";
        return 1;
    case STATE_COPY:
    case STATE_COPY_ASIDE:
    case STATE_RESTORE:
    case STATE_PUT_ASIDE:
        return carry_out(place, act, err);
    case STATE_FOREIGN:
        return fail(place, err, ERR_EXISTS, "another file is there");
    case STATE_LOST:
        return fail(place, err, ERR_NOT_FOUND, "neither host has it");
    case STATE_UNCOPIED:
        return fail(place, err, ERR_UNSAFE, "the other host has no copy of it");
    }
    return fail(place, err, ERR_INVALID, "no such act");
}

static int run(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
               struct sim_host *peer, const char **note, struct err *err)
{
    const struct supply_list list = supply_list_of(&op->supplies, SUPPLY_STATE);
    const char *idle = NULL;
    bool any = false;

    if (!profile_provides(op_profile(op), SUPPLY_STATE)) {
        return err_set(err, ERR_REFUSED, "cannot %s the state of '%s': the profile has no [state]",
                       op_kind_name(op->kind), op->guest);
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct place place = { fleet, op, host, peer, list.items[i].device };
        const struct state_sight sight = look(host, peer, place.path, op->begun_ms);
        enum state_act act = op->kind == OP_PROVIDE ? state_provide(&sight, op->back)
                                                    : state_withdraw(&sight, op->back);
        int status = decide(&place, act, &idle, err);

        if (status < 0) {
            return -1;
        }
        any |= status == 0;
    }
    *note = any ? NULL : idle;
    return 0;
}

int sim_state_provide(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                      struct sim_host *peer, const char **note, struct err *err)
{
    return run(fleet, op, host, peer, note, err);
}

int sim_state_withdraw(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                       struct sim_host *peer, const char **note, struct err *err)
{
    if (is_active(host, op->uuid)) {
        return err_set(err, ERR_BUSY, "cannot withdraw the state of '%s' on '%s': it is not off",
                       op->guest, host->name);
    }
    return run(fleet, op, host, peer, note, err);
}

bool sim_state_is_there(const struct sim_host *host, const char *path)
{
    return find(host, path, IN_PLACE) != NULL;
}

void sim_state_check(const struct op *op, const struct sim_host *source,
                     const struct sim_host *target, const struct sim_guest *guest,
                     struct check_list *list)
{
    bool copied = op->mode != MOVE_LIVE && source != NULL && guest->nvram != NULL &&
                  supply_list_has(&op->supplies, SUPPLY_STATE, SUPPLY_NVRAM);
    struct state_sight sight = { .here = false };

    if (copied) {
        sight = look(target, source, guest->nvram, op->begun_ms);
    }
    if (!copied) {
        check_fail(list, CHECK_STORAGE, ERR_UNSAFE, "move it by hand, with that file",
                   "its NVRAM is on its host's own storage");
    } else if (!state_is_known(&sight)) {
        check_fail(list, CHECK_STORAGE, ERR_UNSAFE, "start it once", "its NVRAM is not on '%s'",
                   source->name);
    } else if (state_provide(&sight, false) == STATE_FOREIGN) {
        check_fail(list, CHECK_STORAGE, ERR_UNSAFE, "move that file away",
                   "there is another file in the place of its NVRAM on '%s'", target->name);
    } else {
        check_pass(list, CHECK_STORAGE, "its NVRAM is copied to '%s' while it is off",
                   target->name);
    }
}

int sim_state_check_start(const struct op *op, const struct sim_host *host, struct err *err)
{
    const struct supply_list list = supply_list_of(&op->supplies, SUPPLY_STATE);

    for (size_t i = 0; i < list.count; i++) {
        if (!sim_state_is_there(host, list.items[i].device)) {
            return err_set(err, ERR_UNSAFE,
                           "cannot start '%s' on '%s': its %s '%s' is not there, and it would get "
                           "an empty one",
                           op->guest, host->name, list.items[i].name, list.items[i].device);
        }
    }
    return 0;
}

void sim_state_start(struct sim_fleet *fleet, struct sim_host *host, const struct sim_guest *guest)
{
    struct sim_state *state = guest->nvram == NULL ? NULL : find(host, guest->nvram, IN_PLACE);

    if (state != NULL) {
        state->version++;
        fleet->changed = true;
    } else if (guest->nvram != NULL) {
        add(fleet, host, guest->nvram, 0);
    }
}
