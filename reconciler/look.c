/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/look.h"

#include <string.h>

#include "reconciler/calls.h"

/* A source that keeps changing while it is read is told as it was last seen; the next look will tell
 * more. */
#define LOOK_ROUNDS_MAX 3

enum stage {
    STAGE_SOURCE,
    STAGE_TARGET,
    STAGE_SOURCE_AGAIN,
};

static void read_host(struct look *look, enum stage stage);

static size_t side_of(unsigned stage)
{
    return stage == STAGE_TARGET ? 1 : 0;
}

static void finish(struct look *look)
{
    look->done(look->context);
}

static void advance(struct look *look, enum settle_view before)
{
    switch ((enum stage)look->stage) {
    case STAGE_SOURCE:
        if (strcmp(look->hosts[0], look->hosts[1]) == 0) {
            look->readings[1] = look->readings[0];
            look->views[1] = look->views[0];
            finish(look);
        } else {
            read_host(look, STAGE_TARGET);
        }
        return;
    case STAGE_TARGET:
        if (look->views[0] == SETTLE_UNREACHABLE) { /* Nothing is decided on that. */
            finish(look);
        } else {
            read_host(look, STAGE_SOURCE_AGAIN);
        }
        return;
    case STAGE_SOURCE_AGAIN:
        if (look->views[0] != before && ++look->rounds < LOOK_ROUNDS_MAX) {
            read_host(look, STAGE_TARGET);
        } else {
            finish(look);
        }
        return;
    }
}

static void on_observed(void *context, const struct actuator_completion *completion)
{
    struct look *look = context;
    size_t side = side_of(look->stage);
    enum settle_view before = look->views[side];

    look->ticket = 0;
    look->readings[side] = completion->status == 0
                               ? observed_copy_host(&look->arena, completion->observed)
                               : (struct observed_host){ .name = look->hosts[side] };
    if (completion->status != 0) {
        look->readings[side].error = arena_strdup(&look->arena, completion->err.text);
    }
    look->views[side] = settle_view_of(&look->readings[side], look->guest, look->uuid);
    look->silent = look->views[0] == SETTLE_UNREACHABLE;
    advance(look, before);
}

static void read_host(struct look *look, enum stage stage)
{
    size_t side = side_of(stage);
    bool hurry = side == 0 && look->hasty && look->silent;

    look->stage = stage;
    look->ticket = calls_observe(look->calls, look->hosts[side],
                                 hurry ? LOOK_HASTY_MS : LOOK_DEADLINE_MS, on_observed, look);
}

void look_hasten(struct look *look)
{
    look->hasty = true;
}

void look_begin(struct look *look, struct calls *calls, const char *guest, const char *uuid,
                const char *source, const char *target, look_done_fn *done, void *context)
{
    const struct look before = *look;

    look_deinit(look);
    *look = (struct look){
        .hasty = before.hasty,
        .silent = before.silent,
        .calls = calls,
        .guest = guest,
        .uuid = uuid,
        .hosts = { source, target },
        .done = done,
        .context = context,
    };
    read_host(look, STAGE_SOURCE);
}

const struct observed_guest *look_guest(const struct look *look, size_t side)
{
    return look->readings[side].reachable ? observed_find_guest(&look->readings[side], look->uuid)
                                          : NULL;
}

void look_deinit(struct look *look)
{
    if (look->calls != NULL) {
        calls_drop(look->calls, look->ticket);
    }
    arena_deinit(&look->arena);
    *look = (struct look){ 0 };
}
