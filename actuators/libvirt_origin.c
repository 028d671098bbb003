/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_origin.h"

#include <stdbool.h>
#include <string.h>

#include "actuators/libvirt_move.h"
#include "actuators/libvirt_question.h"
#include "actuators/libvirt_storage.h"
#include "actuators/libvirt_supply.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "model/check.h"
#include "model/op.h"
#include "model/supply.h"

#define IDENTITY_SHOWN ((size_t)64) /* Bytes of one in a sentence. */

/* Nothing is there. */
#define NOWHERE "/dev/null/nowhere"

#define ADVICE "use storage that reports an identity"

/* One volume on move->source, which a pool of the host's may have. */
struct look {
    const struct supply *item;
    const char *path;   /* Where it is there; NULL: its pool does not know it. */
    const char *device; /* What its device tells, or NULL. */
    const char
        *platform; /* What the platform tells, or NULL: it was not asked, or does not know. */
    bool missing;
};

static const char *shown_path(const struct supply *item)
{
    return item->kind == SUPPLY_POOL ? item->volume : item->device;
}

/* Asks each of the 'count' devices at 'looks' in one go. */
static int ask_devices(const struct libvirt_move *move, struct look *looks, size_t count,
                       struct err *err)
{
    struct libvirt_question *questions = ARENA_ARRAY(move->arena, struct libvirt_question, count);
    const struct libvirt_question_host host = { .name = move->source.host.name,
                                                .address = move->source.ssh,
                                                .ssh = move->ssh };

    if (host.address == NULL) {
        return err_set(err, ERR_UNSAFE,
                       "what is behind its volumes on '%s' cannot be asked: set [fleet] ssh in "
                       "berth.conf",
                       move->op->host);
    }
    for (size_t i = 0; i < count; i++) {
        const char *path = looks[i].path == NULL ? NOWHERE : looks[i].path;

        questions[i] = (struct libvirt_question){ .kind = LIBVIRT_QUESTION_IDENTITY, .name = path };
    }
    if (libvirt_question_ask(move->arena, &host, questions, count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        looks[i].missing = looks[i].path == NULL || questions[i].answer == LIBVIRT_QUESTION_MISSING;
        looks[i].device = questions[i].answer == LIBVIRT_QUESTION_KNOWN ? questions[i].text : NULL;
    }
    return 0;
}

static int ask_platform(const struct libvirt_move *move, struct look *look, struct err *err)
{
    return look->missing
               ? 0
               : libvirt_supply_identity(move, &move->source, look->path, &look->platform, err);
}

/* The device's word counts before the platform's, as in the checks that compare two hosts. */
static const char *learn(const struct libvirt_move *move, struct look *look)
{
    struct err ignored;

    if (look->device == NULL && ask_platform(move, look, &ignored) < 0) {
        return NULL;
    }
    return look->device != NULL ? look->device : look->platform;
}

/* A volume whose place on a host can be asked for. */
static bool is_volume(const struct supply *item)
{
    return item->kind == SUPPLY_POOL || (item->kind == SUPPLY_VOLUME && item->device != NULL);
}

/* The volumes among 'items', with an identity if that is 'wanted'. */
static size_t find_volumes(const struct libvirt_move *move, const struct supply_list *items,
                           bool wanted, struct look *looks)
{
    size_t count = 0;

    for (size_t i = 0; i < items->count; i++) {
        const struct supply *item = &items->items[i];

        if (!is_volume(item) || (wanted && item->identity == NULL)) {
            continue;
        }
        looks[count++] = (struct look){
            .item = item,
            .path = item->kind == SUPPLY_VOLUME
                        ? item->device
                        : libvirt_storage_path(move->arena, &move->source, item),
        };
    }
    return count;
}

static void keep(const struct libvirt_move *move, struct supply *items, struct look *looks,
                 size_t count, struct check_list *list)
{
    for (size_t i = 0; i < count; i++) {
        const struct supply *item = looks[i].item;
        const char *identity = learn(move, &looks[i]);

        if (identity != NULL && supply_is_identity(identity)) {
            items[item - move->op->supplies.items].identity = identity;
        } else {
            check_warn(list, CHECK_STORAGE, ADVICE,
                       "what is behind %s '%s' (%s) on '%s' cannot be told: whether it is the "
                       "same on '%s' is not proven once it is attached there",
                       supply_kind_name(item->kind), item->name, shown_path(item), move->op->host,
                       move->op->peer);
        }
    }
}

void libvirt_origin_learn(struct libvirt_move *move, struct check_list *list)
{
    const struct op *op = move->op;
    struct supply *items;
    struct look *looks;
    struct err err;
    size_t count;

    if (op->mode == MOVE_LIVE || op->mode == MOVE_FORCED) {
        return;
    }
    items = ARENA_ARRAY(move->arena, struct supply, op->supplies.count);
    looks = ARENA_ARRAY(move->arena, struct look, op->supplies.count);
    count = find_volumes(move, &op->supplies, false, looks);
    if (count == 0) {
        return;
    }
    memcpy(items, op->supplies.items, op->supplies.count * sizeof(*items));
    if (ask_devices(move, looks, count, &err) == 0) {
        keep(move, items, looks, count, list);
    } else {
        check_fail_err(list, CHECK_STORAGE, &err);
    }
    move->supplies = (struct supply_list){ items, op->supplies.count };
}

/* The end of an identity: what two storages of one kind differ in comes last. */
static const char *shown(const char *identity)
{
    size_t length = identity == NULL ? 0 : strlen(identity);

    return identity == NULL          ? "of which nobody can tell what it is"
           : length > IDENTITY_SHOWN ? identity + length - IDENTITY_SHOWN
                                     : identity;
}

static void prove(const struct libvirt_move *move, struct look *look, struct check_list *list)
{
    const struct supply *item = look->item;
    const char *source = move->op->other == NULL ? "its source" : move->op->other;
    struct err err;

    if (!text_equal(look->device, item->identity) && ask_platform(move, look, &err) < 0) {
        check_fail_err(list, CHECK_STORAGE, &err);
    } else if (look->missing) {
        check_fail(list, CHECK_STORAGE, ERR_UNSAFE, "attach it there",
                   "%s '%s' (%s) does not exist on '%s'", supply_kind_name(item->kind), item->name,
                   shown_path(item), move->op->host);
    } else if (text_equal(look->device, item->identity) ||
               text_equal(look->platform, item->identity)) {
        check_pass(list, CHECK_STORAGE, "%s '%s' (%s) is the same storage on '%s' (%s)",
                   supply_kind_name(item->kind), item->name, shown_path(item), move->op->host,
                   shown(item->identity));
    } else {
        check_fail(list, CHECK_STORAGE, ERR_UNSAFE, "attach the same volume there",
                   "%s '%s' (%s) is not the same storage on '%s' (%s) as on '%s' (%s)",
                   supply_kind_name(item->kind), item->name, shown_path(item), move->op->host,
                   shown(look->device != NULL ? look->device : look->platform), source,
                   shown(item->identity));
    }
}

void libvirt_origin_prove(const struct libvirt_move *move, struct check_list *list)
{
    const struct supply_list items = supply_list_of(&move->op->supplies, move->op->supply);
    struct look *looks = ARENA_ARRAY(move->arena, struct look, items.count);
    size_t count = find_volumes(move, &items, true, looks);
    struct err err;

    if (ask_devices(move, looks, count, &err) < 0) {
        check_fail_err(list, CHECK_STORAGE, &err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        prove(move, &looks[i], list);
    }
}
