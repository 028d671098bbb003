/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/procedure.h"

#include <assert.h>
#include <string.h>

#include "base/base.h"

#define BIT(kind) SUPPLY_BIT(SUPPLY_##kind)

/* Each step is one or two operations, or one for each kind of supply. */
static const struct {
    const char *name;
    enum op_kind op;
    uint32_t kinds; /* Of supplies; 0 = it is about the guest itself. */
    bool on_target; /* Else on the source. */
} steps_of_all[PROCEDURE_STEPS] = {
    { "CREATE_BRIDGES", OP_PROVIDE, BIT(BRIDGE), true },
    { "CREATE_NAT_BRIDGE_TGT", OP_PROVIDE, BIT(NAT_BRIDGE), true },
    { "STOP_GUEST", OP_STOP, 0, false },
    { "DETACH_INTERFACES", OP_WITHDRAW, BIT(INTERFACE), false },
    { "DETACH_VOLUMES", OP_WITHDRAW, BIT(VOLUME) | BIT(CONFIG), false },
    { "ATTACH_VOLUMES", OP_PROVIDE, BIT(VOLUME) | BIT(CONFIG), true },
    { "MIGRATE_GUEST", OP_DEFINE, 0, true }, /* And UNDEFINE on the source. */
    { "ATTACH_INTERFACES", OP_PROVIDE, BIT(INTERFACE), true },
    { "STARTUP_GUEST", OP_START, 0, true },
    { "REMOVE_BRIDGES", OP_WITHDRAW, BIT(BRIDGE), false },
    { "REMOVE_NAT_BRIDGE_SRC", OP_WITHDRAW, BIT(NAT_BRIDGE), false },
};

static const char *const state_names[PROCEDURE_STATE_COUNT] = {
    [PROCEDURE_REMAINING] = "remaining", [PROCEDURE_NEXT] = "next",
    [PROCEDURE_RUNNING] = "running",     [PROCEDURE_DONE] = "done",
    [PROCEDURE_FAILED] = "failed",       [PROCEDURE_UNCLEAR] = "unclear",
    [PROCEDURE_SKIPPED] = "skipped",
};

const char *procedure_state_name(enum procedure_state state)
{
    assert(state < PROCEDURE_STATE_COUNT);
    return state_names[state];
}

const char *procedure_step(size_t place)
{
    assert(place < PROCEDURE_STEPS);
    return steps_of_all[place].name;
}

size_t procedure_find(const char *name)
{
    size_t i = 0;

    while (i < PROCEDURE_STEPS && strcmp(steps_of_all[i].name, name) != 0) {
        i++;
    }
    return i;
}

const char *procedure_name(enum op_kind kind, enum supply_kind supply)
{
    enum op_kind op = kind == OP_UNDEFINE || kind == OP_AUTOSTART ? OP_DEFINE : kind;
    uint32_t bit = supply == SUPPLY_NONE ? 0 : SUPPLY_BIT(supply);

    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        if (steps_of_all[i].op == op && (steps_of_all[i].kinds & bit) == bit &&
            (bit != 0 || steps_of_all[i].kinds == 0)) {
            return steps_of_all[i].name;
        }
    }
    return NULL;
}

static const char *why_skipped(size_t index, const struct journal_move *move,
                               const struct supply_list *supplies)
{
    enum op_kind op = steps_of_all[index].op;
    uint32_t kinds = steps_of_all[index].kinds;

    if (kinds != 0 && (kinds & supply_list_kinds(supplies)) == 0) {
        return "the platform provides nothing of the kind for the guest";
    }
    if (strcmp(move->from, move->to) == 0) {
        return op == OP_START ? NULL : "the guest is only started where it is";
    }
    if (move->mode == MOVE_FORCED && !steps_of_all[index].on_target) {
        return "the source cannot be asked";
    }
    if ((op == OP_STOP || op == OP_START) && move->original != GUEST_RUNNING) {
        return "the guest was off before the move";
    }
    return move->mode == MOVE_STOP && op != OP_STOP ? "a move of its own does that later" : NULL;
}

/* The last record of an operation on 'host', or NULL. */
static const struct journal_step *find_last(const struct journal_step *steps, size_t count,
                                            enum op_kind op, enum supply_kind supply,
                                            const char *host)
{
    const struct journal_step *found = NULL;

    for (size_t i = 0; i < count; i++) {
        if (steps[i].kind == op && steps[i].supply == supply && strcmp(steps[i].host, host) == 0) {
            found = &steps[i];
        }
    }
    return found;
}

static enum procedure_state state_of(const struct journal_step *step)
{
    static const enum procedure_state states[JOURNAL_STEP_STATE_COUNT] = {
        [JOURNAL_STEP_INTENDED] = PROCEDURE_RUNNING,
        [JOURNAL_STEP_DONE] = PROCEDURE_DONE,
        [JOURNAL_STEP_FAILED] = PROCEDURE_FAILED,
        [JOURNAL_STEP_UNCLEAR] = PROCEDURE_UNCLEAR,
    };

    return step == NULL ? PROCEDURE_REMAINING : states[step->state];
}

/* Adds the last record of one part of the step: all parts must be done for the step to be. */
static void add_part(struct procedure_row *row, const struct journal_step *last, bool first)
{
    enum procedure_state state = state_of(last);

    if (first || row->state == PROCEDURE_DONE) {
        row->state = state;
    }
    if (last == NULL) {
        return;
    }
    row->begun_ms = row->begun_ms == 0 ? last->begun_ms : row->begun_ms;
    row->ended_ms = last->ended_ms;
    row->text = last->error_text != NULL ? last->error_text : last->note;
}

static void tell_supplies(struct procedure_row *row, uint32_t kinds, enum op_kind op,
                          const struct journal_step *steps, size_t count)
{
    bool first = true;

    for (enum supply_kind kind = SUPPLY_NONE + 1; kind < SUPPLY_KIND_COUNT; kind++) {
        /* What is taken apart goes in the other order. */
        enum supply_kind next = op == OP_WITHDRAW ? SUPPLY_KIND_COUNT - kind : kind;

        if ((kinds & SUPPLY_BIT(next)) != 0) {
            add_part(row, find_last(steps, count, op, next, row->host), first);
            first = false;
        }
    }
}

static void tell_guest(struct procedure_row *row, const struct journal_move *move, enum op_kind op,
                       const struct journal_step *steps, size_t count)
{
    add_part(row, find_last(steps, count, op, SUPPLY_NONE, row->host), true);
    if (op == OP_DEFINE && move->mode != MOVE_FORCED) {
        add_part(row, find_last(steps, count, OP_UNDEFINE, SUPPLY_NONE, move->from), false);
    }
}

static void tell_step(size_t index, const struct journal_move *move,
                      const struct supply_list *supplies, const struct journal_step *steps,
                      size_t count, struct procedure_row *row)
{
    const char *skipped = why_skipped(index, move, supplies);
    uint32_t kinds = steps_of_all[index].kinds & supply_list_kinds(supplies);

    *row = (struct procedure_row){
        .name = steps_of_all[index].name,
        .host = steps_of_all[index].on_target ? move->to : move->from,
    };
    if (skipped != NULL) {
        row->state = PROCEDURE_SKIPPED;
        row->text = skipped;
        return;
    }
    if (kinds != 0) {
        tell_supplies(row, kinds, steps_of_all[index].op, steps, count);
    } else {
        tell_guest(row, move, steps_of_all[index].op, steps, count);
    }
    if (move->state == JOURNAL_MOVE_DONE) { /* Whatever a crash has left of it in the journal. */
        row->state = PROCEDURE_DONE;
    } else if (move->state != JOURNAL_MOVE_OPEN && row->state == PROCEDURE_RUNNING) {
        row->state = PROCEDURE_UNCLEAR;
    }
}

void procedure_tell(const struct journal_move *move, const struct supply_list *supplies,
                    const struct journal_step *steps, size_t count,
                    struct procedure_row rows[PROCEDURE_STEPS])
{
    bool goes_on = move->state == JOURNAL_MOVE_OPEN && !move->back && !move->cancel_requested;

    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        tell_step(i, move, supplies, steps, count, &rows[i]);
        if (goes_on && rows[i].state != PROCEDURE_DONE && rows[i].state != PROCEDURE_SKIPPED) {
            goes_on = false;
            if (rows[i].state == PROCEDURE_REMAINING) {
                rows[i].state = PROCEDURE_NEXT;
            }
        }
    }
}
