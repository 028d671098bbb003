/* SPDX-License-Identifier: Apache-2.0 */
#include "model/op.h"

#include <assert.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/profile.h"

static const char *const kind_names[OP_KIND_COUNT] = {
#define OP_KIND(name, text) [OP_##name] = text,
    OP_KINDS
#undef OP_KIND
};

static const char *const mode_names[MOVE_MODE_COUNT] = {
    [MOVE_LIVE] = "live", [MOVE_OFFLINE] = "offline", [MOVE_COLD] = "cold",
    [MOVE_STOP] = "stop", [MOVE_FORCED] = "forced",
};

struct op op_copy(struct arena *arena, const struct op *op)
{
    struct op own = *op;

    own.guest = arena_strdup_maybe(arena, op->guest);
    own.uuid = arena_strdup_maybe(arena, op->uuid);
    own.host = arena_strdup_maybe(arena, op->host);
    own.peer = arena_strdup_maybe(arena, op->peer);
    own.xml = arena_strdup_maybe(arena, op->xml);
    own.supplies = supply_list_copy(arena, &op->supplies);
    own.live.migrate_uri = arena_strdup_maybe(arena, op->live.migrate_uri);
    own.profile = op->profile == NULL ? NULL : profile_copy(arena, op->profile);
    own.other = arena_strdup_maybe(arena, op->other);
    own.family[0] = arena_strdup_maybe(arena, op->family[0]);
    own.family[1] = arena_strdup_maybe(arena, op->family[1]);
    return own;
}

const struct profile *op_profile(const struct op *op)
{
    return op->profile == NULL ? profile_default() : op->profile;
}

bool op_is_of_host(enum op_kind kind)
{
    return kind == OP_FENCE || kind == OP_RELEASE;
}

const char *op_kind_name(enum op_kind kind)
{
    assert(kind < OP_KIND_COUNT);
    return kind_names[kind];
}

enum op_kind op_kind_from_name(const char *name)
{
    return (enum op_kind)text_index(kind_names, OP_KIND_COUNT, name);
}

const char *op_mode_name(enum move_mode mode)
{
    assert(mode < MOVE_MODE_COUNT);
    return mode_names[mode];
}

enum move_mode op_mode_from_name(const char *name)
{
    return (enum move_mode)text_index(mode_names, MOVE_MODE_COUNT, name);
}
