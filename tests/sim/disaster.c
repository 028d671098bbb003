/* SPDX-License-Identifier: Apache-2.0 */
#include "disaster.h"

#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "cast.h"
#include "mishap.h"

#define DISASTERS_MAX 3u
#define ASKS_MAX      3u
#define FAULTS_MAX    2u
/* Each begins, ends, and is lifted; and once somebody works by hand. */
#define PARTS_MAX (DISASTERS_MAX * (3 + ASKS_MAX + FAULTS_MAX) + 1)

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)

struct drawing {
    const struct cast *cast;
    struct dice *dice;
    struct mishap *mishaps;
    size_t count;
};

static struct mishap *add(struct drawing *drawing, enum mishap_kind kind, uint32_t host,
                          int64_t at_ms)
{
    struct mishap *mishap = &drawing->mishaps[drawing->count++];

    *mishap = (struct mishap){
        .at_ms = at_ms,
        .kind = kind,
        .guest = (uint32_t)dice_roll(drawing->dice, drawing->cast->guest_count),
        .host = host,
        .number = (uint32_t)dice_roll(drawing->dice, 1000),
    };
    return mishap;
}

static int64_t within(struct drawing *drawing, int64_t from_ms, int64_t length_ms)
{
    return from_ms + (int64_t)dice_roll(drawing->dice, (uint64_t)length_ms + 1);
}

static void add_fault(struct drawing *drawing, int64_t at_ms)
{
    static const unsigned ops[] = { OP_FENCE,  OP_PROVIDE, OP_WITHDRAW, OP_RELEASE,
                                    OP_DEFINE, OP_START,   OP_UNDEFINE, OP_AUTOSTART };
    static const enum err_code errors[] = { ERR_TIMEOUT, ERR_BUSY, ERR_FAILED, ERR_DENIED,
                                            ERR_NONE };
    static const enum sim_when whens[] = { SIM_WHEN_BEFORE, SIM_WHEN_LOST, SIM_WHEN_AFTER,
                                           SIM_WHEN_HANG };
    struct dice *dice = drawing->dice;
    struct mishap *mishap = add(drawing, MISHAP_FAULT, 0, at_ms);

    mishap->fault = (struct sim_fault){
        .op = ops[dice_roll(dice, ARRAY_LEN(ops))],
        .error = errors[dice_roll(dice, ARRAY_LEN(errors))],
        .when = whens[dice_roll(dice, ARRAY_LEN(whens))],
        .times = 1 + dice_roll(dice, 4),
        .delay_ms = dice_one_in(dice, 2) ? 0 : (int64_t)dice_roll(dice, 15000),
    };
}

static void draw_one(struct drawing *drawing, int64_t length_ms)
{
    struct dice *dice = drawing->dice;
    uint32_t host = (uint32_t)dice_roll(dice, drawing->cast->host_count);
    int64_t begun_ms = within(drawing, 0, length_ms);
    int64_t lasts_ms = within(drawing, 10 * SECOND_MS, 8 * MINUTE_MS);

    (void)add(drawing, dice_one_in(dice, 3) ? MISHAP_FREEZE : MISHAP_CUT, host, begun_ms);
    for (uint64_t i = 1 + dice_roll(dice, ASKS_MAX); i > 0; i--) {
        (void)add(drawing, dice_one_in(dice, 3) ? MISHAP_EVACUATE : MISHAP_FORCE, host,
                  within(drawing, begun_ms, lasts_ms));
    }
    for (uint64_t i = dice_roll(dice, FAULTS_MAX + 1); i > 0; i--) {
        add_fault(drawing, within(drawing, begun_ms, lasts_ms));
    }
    (void)add(drawing, MISHAP_WELL, host, begun_ms + lasts_ms);
    if (!dice_one_in(dice, 3)) {
        (void)add(drawing, MISHAP_LIFT, host, within(drawing, begun_ms + lasts_ms, MINUTE_MS));
    }
}

struct mishap *disaster_add(const struct cast *cast, struct dice *dice, int64_t length_ms,
                            const struct mishap *mishaps, size_t *count)
{
    struct drawing drawing = {
        .cast = cast,
        .dice = dice,
        .mishaps = ARENA_ARRAY(cast->arena, struct mishap, *count + PARTS_MAX),
        .count = *count,
    };

    memcpy(drawing.mishaps, mishaps, *count * sizeof(*mishaps));
    for (uint64_t i = 1 + dice_roll(dice, DISASTERS_MAX); i > 0; i--) {
        draw_one(&drawing, length_ms);
    }
    if (dice_one_in(dice, 2)) {
        (void)add(&drawing, MISHAP_HAND, (uint32_t)dice_roll(dice, cast->host_count),
                  within(&drawing, 0, length_ms));
    }
    mishap_sort(drawing.mishaps, drawing.count);
    *count = drawing.count;
    return drawing.mishaps;
}
