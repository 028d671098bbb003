/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/procedure.h"

#include <assert.h>
#include <string.h>

#include "base/base.h"
#include "base/text.h"
#include "model/observed.h"

#define SOURCE 0u
#define TARGET 1u

#define STEP(name) PROCEDURE_BIT(STEP_##name)

/* The order of the procedure. */
enum {
    STEP_CREATE_BRIDGES,
    STEP_CREATE_NAT_BRIDGE_TGT,
    STEP_STOP_GUEST,
    STEP_DETACH_INTERFACES,
    STEP_DETACH_VOLUMES,
    STEP_ATTACH_VOLUMES,
    STEP_COPY_STATE,
    STEP_MIGRATE_GUEST,
    STEP_ATTACH_INTERFACES,
    STEP_STARTUP_GUEST,
    STEP_REMOVE_BRIDGES,
    STEP_REMOVE_NAT_BRIDGE_SRC,
    STEP_COUNT,
};

_Static_assert(STEP_COUNT == PROCEDURE_STEPS, "every step has its place");

/* Before the guest may start on the target. */
#define ARRIVED                                                                                 \
    (STEP(CREATE_BRIDGES) | STEP(CREATE_NAT_BRIDGE_TGT) | STEP(STOP_GUEST) |                    \
     STEP(DETACH_INTERFACES) | STEP(DETACH_VOLUMES) | STEP(ATTACH_VOLUMES) | STEP(COPY_STATE) | \
     STEP(MIGRATE_GUEST) | STEP(ATTACH_INTERFACES))

/* What a step consists of, which steps it builds upon whatever the order, and what does not hold as long as it is
 * not done, on the host where it is.  The configuration volume is mounted from an attached volume: it comes after
 * the volumes, proven by then, and goes before them.  Bridges go once the guest has arrived, so that a way back finds its network. */
static const struct {
    const char *name;
    struct part parts[PROCEDURE_PARTS];
    size_t part_count;
    uint32_t needs;
    const char *lacking;
} steps_of_all[PROCEDURE_STEPS] = {
    [STEP_CREATE_BRIDGES] = {
        .name = "CREATE_BRIDGES",
        .parts = { PART_PROVIDE(BRIDGE, TARGET) },
        .part_count = 1,
        .lacking = "its bridges have not been made on",
    },
    [STEP_CREATE_NAT_BRIDGE_TGT] = {
        .name = "CREATE_NAT_BRIDGE_TGT",
        .parts = { PART_PROVIDE(NAT_BRIDGE, TARGET) },
        .part_count = 1,
        .lacking = "its NAT bridge has not been made on",
    },
    [STEP_STOP_GUEST] = {
        .name = "STOP_GUEST",
        .parts = { { OP_STOP, SUPPLY_NONE, SOURCE } },
        .part_count = 1,
        .lacking = "it is not shut off on",
    },
    [STEP_DETACH_INTERFACES] = {
        .name = "DETACH_INTERFACES",
        .parts = { PART_WITHDRAW(INTERFACE, SOURCE) },
        .part_count = 1,
        .needs = STEP(STOP_GUEST),
        .lacking = "its interfaces have not been detached from",
    },
    [STEP_DETACH_VOLUMES] = {
        .name = "DETACH_VOLUMES",
        .parts = { PART_WITHDRAW(CONFIG, SOURCE), PART_WITHDRAW(VOLUME, SOURCE) },
        .part_count = 2,
        .needs = STEP(STOP_GUEST),
        .lacking = "its volumes have not been detached from",
    },
    [STEP_ATTACH_VOLUMES] = {
        .name = "ATTACH_VOLUMES",
        .parts = { PART_PROVIDE(POOL, TARGET), PART_PROVE(POOL, TARGET), PART_PROVIDE(VOLUME, TARGET),
                   PART_PROVE(VOLUME, TARGET), PART_PROVIDE(CONFIG, TARGET) },
        .part_count = 5,
        .needs = STEP(STOP_GUEST) | STEP(DETACH_VOLUMES),
        .lacking = "its volumes have not been attached to",
    },
    [STEP_COPY_STATE] = {
        .name = "COPY_STATE",
        .parts = { PART_PROVIDE(STATE, TARGET), PART_WITHDRAW(STATE, SOURCE) },
        .part_count = 2,
        .needs = STEP(STOP_GUEST),
        .lacking = "its state has not been copied to",
    },
    [STEP_MIGRATE_GUEST] = {
        .name = "MIGRATE_GUEST",
        .parts = { { OP_DEFINE, SUPPLY_NONE, TARGET },
                               { OP_UNDEFINE, SUPPLY_NONE, SOURCE } },
        .part_count = 2,
        .needs = STEP(STOP_GUEST) | STEP(COPY_STATE),
        .lacking = "its definition has not moved to",
    },
    [STEP_ATTACH_INTERFACES] = {
        .name = "ATTACH_INTERFACES",
        .parts = { PART_PROVIDE(INTERFACE, TARGET) },
        .part_count = 1,
        .needs = STEP(STOP_GUEST) | STEP(DETACH_INTERFACES),
        .lacking = "its interfaces have not been attached to",
    },
    [STEP_STARTUP_GUEST] = {
        .name = "STARTUP_GUEST",
        .parts = { { OP_START, SUPPLY_NONE, TARGET } },
        .part_count = 1,
        .needs = ARRIVED,
        .lacking = "it does not run on",
    },
    [STEP_REMOVE_BRIDGES] = {
        .name = "REMOVE_BRIDGES",
        .parts = { PART_WITHDRAW(BRIDGE, SOURCE) },
        .part_count = 1,
        .needs = STEP(MIGRATE_GUEST) | STEP(STARTUP_GUEST),
        .lacking = "its bridges are still on",
    },
    [STEP_REMOVE_NAT_BRIDGE_SRC] = {
        .name = "REMOVE_NAT_BRIDGE_SRC",
        .parts = { PART_WITHDRAW(NAT_BRIDGE, SOURCE) },
        .part_count = 1,
        .needs = STEP(MIGRATE_GUEST) | STEP(STARTUP_GUEST),
        .lacking = "its NAT bridge is still on",
    },
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
    enum op_kind op = kind == OP_AUTOSTART ? OP_DEFINE : kind;

    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        for (size_t k = 0; k < steps_of_all[i].part_count; k++) {
            const struct part *part = &steps_of_all[i].parts[k];

            if (part->op == op && part->supply == supply) {
                return steps_of_all[i].name;
            }
        }
    }
    return NULL;
}

/* No step is about both. */
bool procedure_is_of_supplies(size_t place)
{
    assert(place < PROCEDURE_STEPS);
    return steps_of_all[place].parts[0].supply != SUPPLY_NONE;
}

size_t procedure_parts(size_t place, const struct journal_move *move,
                       const struct supply_list *supplies, struct part parts[PROCEDURE_PARTS])
{
    uint32_t kinds = supply_list_kinds(supplies) | SUPPLY_BIT(SUPPLY_NONE);
    size_t count = 0;

    for (size_t i = 0; i < steps_of_all[place].part_count; i++) {
        const struct part *part = &steps_of_all[place].parts[i];
        bool silent =
            move->mode == MOVE_FORCED && (part->side == SOURCE || part->supply == SUPPLY_STATE);
        bool known = part->op != OP_PREFLIGHT || supply_list_is_identified(supplies, part->supply);

        if ((kinds & SUPPLY_BIT(part->supply)) != 0 && !silent && known) {
            parts[count++] = *part;
        }
    }
    return count;
}

/* The kinds of supplies that the step at 'place' is about. */
static uint32_t kinds_of(size_t place)
{
    uint32_t kinds = 0;

    for (size_t i = 0; i < steps_of_all[place].part_count; i++) {
        kinds |= SUPPLY_BIT(steps_of_all[place].parts[i].supply);
    }
    return kinds;
}

/* 'part_count': what it consists of for this move. */
static const char *why_skipped(size_t index, const struct journal_move *move,
                               const struct supply_list *supplies, size_t part_count)
{
    enum op_kind op = steps_of_all[index].parts[0].op;

    if (procedure_is_of_supplies(index) && (kinds_of(index) & supply_list_kinds(supplies)) == 0) {
        return "the platform provides nothing of the kind for the guest";
    }
    if (journal_move_is_restart(move)) {
        return op == OP_START ? NULL : "the guest is only started where it is";
    }
    if (part_count == 0) {
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

static void tell_step(size_t index, const struct journal_move *move,
                      const struct supply_list *supplies, const struct journal_step *steps,
                      size_t count, struct procedure_row *row)
{
    const char *const hosts[] = { move->from, move->to };
    struct part parts[PROCEDURE_PARTS];
    size_t part_count = procedure_parts(index, move, supplies, parts);
    const char *skipped = why_skipped(index, move, supplies, part_count);

    *row = (struct procedure_row){
        .name = steps_of_all[index].name,
        .host = hosts[steps_of_all[index].parts[0].side],
    };
    if (skipped != NULL) {
        row->state = PROCEDURE_SKIPPED;
        row->text = skipped;
        return;
    }
    for (size_t i = 0; i < part_count; i++) {
        add_part(row, find_last(steps, count, parts[i].op, parts[i].supply, hosts[parts[i].side]),
                 i == 0);
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

uint32_t procedure_held(const struct procedure_row rows[PROCEDURE_STEPS])
{
    uint32_t held = 0;

    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        if (rows[i].state == PROCEDURE_DONE || rows[i].state == PROCEDURE_SKIPPED) {
            held |= PROCEDURE_BIT(i);
        }
    }
    return held;
}

uint32_t procedure_held_now(const struct procedure_row rows[PROCEDURE_STEPS],
                            const struct observed_guest *source,
                            const struct observed_guest *target)
{
    const bool holds[] = {
        [STEP_STOP_GUEST] = source == NULL || source->state == GUEST_SHUTOFF,
        [STEP_MIGRATE_GUEST] = source == NULL && target != NULL,
        [STEP_STARTUP_GUEST] = target != NULL && observed_is_active(target),
    };
    uint32_t held = procedure_held(rows);

    for (size_t i = 0; i < ARRAY_LEN(holds); i++) {
        if (!procedure_is_of_supplies(i) &&
            (i != STEP_STARTUP_GUEST || rows[i].state != PROCEDURE_SKIPPED)) {
            held = holds[i] ? held | PROCEDURE_BIT(i) : held & ~PROCEDURE_BIT(i);
        }
    }
    return held;
}

uint32_t procedure_needs(size_t place)
{
    assert(place < PROCEDURE_STEPS);
    return steps_of_all[place].needs;
}

void procedure_foresee(const char *from, const char *to, enum move_mode mode,
                       const struct observed_guest *guest, const struct supply_list *supplies,
                       struct procedure_row rows[PROCEDURE_STEPS])
{
    const struct journal_move move = {
        .from = from,
        .to = to,
        .mode = mode,
        .original = guest == NULL ? GUEST_SHUTOFF : observed_lasting_state(guest),
    };

    procedure_tell(&move, supplies, NULL, 0, rows);
}

static const char *tell_lacking(struct arena *arena, const struct procedure_row *rows,
                                uint32_t lacking)
{
    struct text text = text_new(arena);

    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        if ((lacking & PROCEDURE_BIT(i)) != 0) {
            text_printf(&text, "%s%s '%s' (%s%s)", text.length == 0 ? "" : "; ",
                        steps_of_all[i].lacking, rows[i].host, steps_of_all[i].name,
                        rows[i].state == PROCEDURE_SKIPPED
                            ? " is skipped: the guest was off when the move began"
                            : " brings that about");
        }
    }
    return text.data;
}

enum procedure_answer procedure_judge(struct arena *arena,
                                      const struct procedure_row rows[PROCEDURE_STEPS],
                                      size_t place, const struct observed_guest *const guests[2],
                                      const char **why)
{
    uint32_t held = procedure_held_now(rows, guests[SOURCE], guests[TARGET]);
    uint32_t lacking = procedure_needs(place) & ~held;

    *why = NULL;
    if (rows[place].state == PROCEDURE_SKIPPED) {
        *why = rows[place].text;
        return PROCEDURE_LEAVE;
    }
    if (rows[place].state == PROCEDURE_DONE && (held & PROCEDURE_BIT(place)) != 0) {
        *why = "it is done already";
        return PROCEDURE_LEAVE;
    }
    if (lacking == 0) {
        return PROCEDURE_TAKE;
    }
    *why = tell_lacking(arena, rows, lacking);
    return PROCEDURE_REFUSE;
}
