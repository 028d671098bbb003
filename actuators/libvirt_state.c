/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_state.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "actuators/libvirt_command.h"
#include "actuators/libvirt_file.h"
#include "actuators/libvirt_move.h"
#include "actuators/libvirt_pool.h"
#include "actuators/libvirt_question.h"
#include "actuators/libvirt_supply.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/check.h"
#include "model/op.h"
#include "model/profile.h"
#include "model/state.h"
#include "model/supply.h"

#define START_MS INT64_C(20000) /* To look for a guest's files, however long its start may take. */

/* One file and both hosts. */
struct place {
    struct libvirt_move *move;
    const struct libvirt_file_host *here; /* Where the operation is done. */
    const struct libvirt_file_host *there;
    const char *path;
    const char *aside; /* What it is called when this move has put it aside. */
    struct state_sight sight;
};

static struct libvirt_file_host file_host(const struct libvirt_move *move,
                                          struct libvirt_command_host *host,
                                          const struct libvirt_move_end *end, const char *peer)
{
    return (struct libvirt_file_host){
        .host = host,
        .job = move->job,
        .names = { .host = end->host.name,
                   .peer = peer,
                   .guest = move->op->guest,
                   .uuid = move->op->uuid },
    };
}

/* Do both hosts have the same contents at 'path'? */
static int compare(const struct place *place, const char *path, bool *same, struct err *err)
{
    char here[DIGEST_TEXT_SIZE];
    char there[DIGEST_TEXT_SIZE];

    if (libvirt_file_sum(place->here, path, here, err) < 0 ||
        libvirt_file_sum(place->there, path, there, err) < 0) {
        return -1;
    }
    *same = strcmp(here, there) == 0;
    return 0;
}

static int look(struct place *place, struct err *err)
{
    struct state_sight *sight = &place->sight;

    if (libvirt_file_exists(place->here, place->path, &sight->here, err) < 0 ||
        libvirt_file_exists(place->there, place->path, &sight->there, err) < 0 ||
        libvirt_file_exists(place->here, place->aside, &sight->here_aside, err) < 0 ||
        libvirt_file_exists(place->there, place->aside, &sight->there_aside, err) < 0) {
        return -1;
    }
    if (state_compares(sight)) {
        return compare(place, place->path, &sight->same, err);
    }
    return state_compares_aside(sight) ? compare(place, place->aside, &sight->aside_same, err) : 0;
}

/* Nothing of a guest that runs is copied or taken away. */
static int check_off(const struct libvirt_move *move, const struct libvirt_move_end *end,
                     struct err *err)
{
    int active = libvirt_move_is_active(move, end, err);

    return active <= 0
               ? active
               : libvirt_move_fail(move, err, ERR_BUSY, "it is not off on '%s'", end->host.name);
}

/* Copies what the other host has at 'from' to its place here. */
static int copy(const struct place *place, const char *from, struct err *err)
{
    const struct libvirt_move *move = place->move;
    const char *coming = state_coming(move->arena, place->path, move->op->begun_ms);
    struct libvirt_file file = { .size = 0 };

    if (check_off(move, &move->target, err) < 0 ||
        libvirt_file_read(place->there, from, &file, err) < 0 ||
        check_off(move, &move->target, err) < 0) {
        return -1;
    }
    return libvirt_file_write(place->here, place->path, coming, &file, err);
}

/* Is it one file, which both hosts see?  Only if they can tell; an equal file may as well be a copy. */
static bool is_shared(const struct place *place)
{
    const struct libvirt_file_host *const hosts[] = { place->here, place->there };
    struct libvirt_question items[ARRAY_LEN(hosts)];
    struct err ignored;

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        const struct libvirt_question_host host = {
            .name = hosts[i]->names.host,
            .address = hosts[i]->host->address,
            .ssh = hosts[i]->host->ssh,
        };

        items[i] =
            (struct libvirt_question){ .kind = LIBVIRT_QUESTION_IDENTITY, .name = place->path };
        if (libvirt_question_ask(place->move->arena, &host, &items[i], 1, &ignored) < 0 ||
            items[i].answer != LIBVIRT_QUESTION_KNOWN) {
            return false;
        }
    }
    return strcmp(items[0].text, items[1].text) == 0;
}

/* An earlier file of that name makes room for the newer one, under a name that is its own. */
static int clear_aside(const struct place *place, struct err *err)
{
    struct timespec now;

    if (!place->sight.here_aside) {
        return 0;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return libvirt_file_rename(
        place->here, place->aside,
        text_format(place->move->arena, "%s.%" PRId64, place->aside, (int64_t)now.tv_sec), err);
}

/* 1 if it stays because both hosts see it: what was put aside here is gone there, too. */
static int put_aside(const struct place *place, struct err *err)
{
    bool there = place->sight.there;

    if (there && is_shared(place)) {
        return 1;
    }
    if (clear_aside(place, err) < 0 ||
        libvirt_file_rename(place->here, place->path, place->aside, err) < 0 ||
        libvirt_file_exists(place->there, place->path, &there, err) < 0) {
        return -1;
    }
    if (there == place->sight.there) {
        return 0;
    }
    return libvirt_file_rename(place->here, place->aside, place->path, err) < 0 ? -1 : 1;
}

static int refuse(const struct place *place, enum state_act act, struct err *err)
{
    const char *here = place->here->names.host;
    const char *there = place->there->names.host;

    switch (act) {
    case STATE_FOREIGN:
        return libvirt_move_fail(place->move, err, ERR_EXISTS,
                                 "'%s' has another '%s' than '%s': move it away", here, place->path,
                                 there);
    case STATE_LOST:
        return libvirt_move_fail(place->move, err, ERR_NOT_FOUND,
                                 "neither '%s' nor '%s' has '%s', or what was made of it", here,
                                 there, place->path);
    case STATE_UNCOPIED:
        return libvirt_move_fail(place->move, err, ERR_UNSAFE,
                                 "'%s' does not have '%s' as it is on '%s'", there, place->path,
                                 here);
    case STATE_DONE:
    case STATE_COPY:
    case STATE_COPY_ASIDE:
    case STATE_RESTORE:
    case STATE_PUT_ASIDE:
    case STATE_KEEP:
        break;
    }
    return err_set(err, ERR_INTERNAL, "no such refusal");
}

/* 1 if there was nothing to do, which move->note tells. */
static int carry_out(const struct place *place, enum state_act act, struct err *err)
{
    struct libvirt_move *move = place->move;
    int status;

    switch (act) {
    case STATE_DONE:
        move->note = move->op->kind == OP_PROVIDE ? "already there" : "already gone";
        return 1;
    case STATE_KEEP:
        move->note = "kept: it is not what this move has brought";
        return 1;
    case STATE_COPY:
        return copy(place, place->path, err);
    case STATE_COPY_ASIDE:
        return copy(place, place->aside, err);
    case STATE_RESTORE:
        return libvirt_file_rename(place->here, place->aside, place->path, err);
    case STATE_PUT_ASIDE:
        status = put_aside(place, err);
        move->note = status > 0 ? "kept: both hosts see it" : move->note;
        return status;
    case STATE_FOREIGN:
    case STATE_LOST:
    case STATE_UNCOPIED:
        break;
    }
    return refuse(place, act, err);
}

static int run_item(const struct place *template, const struct supply *item, struct err *err)
{
    const struct op *op = template->move->op;
    struct place place = *template;
    enum state_act act;

    place.path = item->device;
    place.aside = state_aside(template->move->arena, item->device, op->begun_ms);
    if (look(&place, err) < 0) {
        return err_wrap(err, "cannot %s %s of '%s'", op_kind_name(op->kind), item->name, op->guest);
    }
    act = op->kind == OP_PROVIDE ? state_provide(&place.sight, op->back)
                                 : state_withdraw(&place.sight, op->back);
    return carry_out(&place, act, err);
}

int libvirt_state_run(struct libvirt_move *move, struct err *err)
{
    const struct supply_list items = supply_list_of(&move->op->supplies, SUPPLY_STATE);
    struct libvirt_command_host hosts[] = { libvirt_supply_host(move, &move->source),
                                            libvirt_supply_host(move, &move->target) };
    const char *there_name = move->target.host.name;
    const struct libvirt_file_host here = file_host(move, &hosts[0], &move->source, there_name);
    const struct libvirt_file_host there =
        file_host(move, &hosts[1], &move->target, move->source.host.name);
    const struct place place = { .move = move, .here = &here, .there = &there };
    bool any = false;

    if (!profile_provides(hosts[0].profile, SUPPLY_STATE)) {
        return libvirt_move_fail(move, err, ERR_REFUSED, "profile '%s' has no [state]",
                                 hosts[0].profile->name);
    }
    if (move->op->kind == OP_WITHDRAW && check_off(move, &move->source, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < items.count; i++) {
        int status = run_item(&place, &items.items[i], err);

        if (status < 0) {
            return -1;
        }
        any |= status == 0;
    }
    move->note = any ? NULL : move->note;
    return 0;
}

bool libvirt_state_is_copied(const struct op *op, const char *path)
{
    const struct supply_list items = supply_list_of(&op->supplies, SUPPLY_STATE);
    bool copies = op->mode != MOVE_LIVE && op->mode != MOVE_FORCED &&
                  profile_provides(op_profile(op), SUPPLY_STATE);

    for (size_t i = 0; copies && i < items.count; i++) {
        if (strcmp(items.items[i].device, path) == 0) {
            return true;
        }
    }
    return false;
}

/* "/nvram" of "/nvram/vm1_VARS.fd" */
static const char *folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == path ? "/" : text_copy(arena, path, (size_t)(slash - path));
}

/* What is in the way of a copy to 'here', the target, is told in '*remedy' and '*err'; '*size' is 0 if the copy
 * has been made. */
static int find_hindrance(struct place *place, uint64_t *size, const char **remedy, struct err *err)
{
    const char *folder = folder_of(place->move->arena, place->path);
    const char *source = place->there->names.host;
    const char *target = place->here->names.host;
    struct libvirt_file file = { .size = 0 };
    bool has_folder = false;

    *remedy = "see what is wrong with it there";
    if (libvirt_file_exists(place->here, folder, &has_folder, err) < 0 || look(place, err) < 0) {
        return -1;
    }
    if (!has_folder) {
        *remedy = "make it there";
        return err_set(err, ERR_INCOMPATIBLE, "'%s' has no folder '%s', which its state is in",
                       target, folder);
    }
    if (!state_is_known(&place->sight)) {
        *remedy = "start it there once";
        return err_set(err, ERR_UNSAFE, "'%s' has no '%s'", source, place->path);
    }
    if (state_provide(&place->sight, false) == STATE_FOREIGN) {
        *remedy = "move it away there";
        return err_set(err, ERR_UNSAFE, "'%s' has another '%s' already than '%s'", target,
                       place->path, source);
    }
    if (place->sight.there && libvirt_file_stat(place->there, place->path, &file, err) < 0) {
        return -1;
    }
    *size = file.size;
    return 0;
}

static void check_item(struct place *place, const struct supply *item, struct check_list *list)
{
    const char *remedy;
    struct err err;
    uint64_t size = 0;

    place->path = item->device;
    place->aside = state_aside(place->move->arena, item->device, place->move->op->begun_ms);
    place->sight = (struct state_sight){ .here = false };
    if (find_hindrance(place, &size, &remedy, &err) < 0) {
        check_fail(list, CHECK_STORAGE, err.code, remedy, "%s", err.text);
    } else if (size == 0) {
        check_pass(list, CHECK_STORAGE, "its %s (%s) has left its source", item->name,
                   item->device);
    } else {
        check_pass(list, CHECK_STORAGE, "its %s (%s, %" PRIu64 " bytes) is copied while it is off",
                   item->name, item->device, size);
    }
}

void libvirt_state_check(struct libvirt_move *move, struct check_list *list)
{
    const struct supply_list items = supply_list_of(&move->op->supplies, SUPPLY_STATE);
    struct libvirt_command_host hosts[] = { libvirt_supply_host(move, &move->source),
                                            libvirt_supply_host(move, &move->target) };
    const struct libvirt_file_host source =
        file_host(move, &hosts[0], &move->source, move->target.host.name);
    const struct libvirt_file_host target =
        file_host(move, &hosts[1], &move->target, move->source.host.name);
    struct place place = { .move = move, .here = &target, .there = &source };

    for (size_t i = 0; i < items.count; i++) {
        if (libvirt_state_is_copied(move->op, items.items[i].device)) {
            check_item(&place, &items.items[i], list);
        }
    }
}

int libvirt_state_check_start(const struct libvirt_move *move, struct err *err)
{
    const struct supply_list items = supply_list_of(&move->op->supplies, SUPPLY_STATE);
    struct libvirt_command_host host = libvirt_supply_host(move, &move->source);
    const struct libvirt_file_host at = file_host(move, &host, &move->source, move->op->other);

    host.end_ms = libvirt_pool_now_ms() + START_MS;
    for (size_t i = 0; i < items.count && profile_provides(host.profile, SUPPLY_STATE); i++) {
        bool exists = false;

        if (libvirt_file_exists(&at, items.items[i].device, &exists, err) < 0) {
            return -1;
        }
        if (!exists) {
            return libvirt_move_fail(
                move, err, ERR_UNSAFE,
                "its %s, '%s', is not there, and it would start with an empty one",
                items.items[i].name, items.items[i].device);
        }
    }
    return 0;
}
