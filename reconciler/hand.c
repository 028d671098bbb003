/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/hand.h"

#include <string.h>

#include "model/observed.h"

#define SOURCE 0u
#define TARGET 1u

/* What the choice is made from. */
struct choice {
    struct arena *arena;
    const struct hand *hand;
    const struct journal_move *move;
    const struct step_facts *facts;
    const struct stage *stage;
    size_t place;
};

void hand_read(struct hand *hand, const struct journal_move *move,
               const struct supply_list *supplies, const struct journal_step *steps, size_t count)
{
    procedure_tell(move, supplies, steps, count, hand->rows);
}

void hand_note_done(struct hand *hand, enum op_kind op)
{
    hand->stopped |= op == OP_STOP;
}

/* True if the hosts say what a move by hand may leave behind; whatever else they say is settled as ever. */
static bool is_of_hand(const struct journal_move *move, const struct step_facts *facts)
{
    const uint32_t begun = 1U << SETTLE_NOT_HAPPENED | 1U << SETTLE_STOPPED;
    const uint32_t moved = 1U << SETTLE_DEFINED_TWICE | 1U << SETTLE_DONE_OFF | 1U << SETTLE_DONE;

    return (move->mode == MOVE_OFFLINE || move->mode == MOVE_COLD) &&
           !journal_move_is_restart(move) &&
           ((move->tried ? begun | moved : begun) >> facts->verdict & 1U) != 0;
}

/* What is provided on the source or withdrawn on the target undoes what was done. */
static bool leads_back(const struct step *next)
{
    return next->back || (next->op == OP_PROVIDE && next->side == SOURCE) ||
           (next->op == OP_WITHDRAW && next->side == TARGET);
}

/* What settles a half state is part of a step that was begun; checks have no name. */
static struct hand_turn settle(const struct hand *hand, const struct step *automatic)
{
    const char *name = procedure_name(automatic->op, automatic->supply);
    bool goes_on = automatic->action != STEP_RUN ||
                   (!leads_back(automatic) && (name == NULL || strcmp(name, hand->step) == 0));

    if (goes_on) {
        return (struct hand_turn){ .choice = HAND_TAKE, .step = *automatic };
    }
    return (struct hand_turn){
        .choice = HAND_REFUSE,
        .text = "its hosts tell of a half move, which the step that was interrupted settles, or "
                "'berth migrate' without --step",
    };
}

static bool holds(const struct choice *choice, const struct part *part)
{
    const struct observed_guest *const *guests = choice->facts->guests;
    const struct procedure_row *row = &choice->hand->rows[choice->place];

    if (part->supply != SUPPLY_NONE) {
        return stage_holds(choice->stage, part);
    }
    if (part->op == OP_STOP) { /* One that went down by itself is owed nothing yet. */
        return guests[SOURCE] == NULL || (guests[SOURCE]->state == GUEST_SHUTOFF &&
                                          (choice->hand->stopped || row->state == PROCEDURE_DONE));
    }
    if (part->op == OP_UNDEFINE) {
        return guests[SOURCE] == NULL;
    }
    return guests[TARGET] != NULL && (part->op == OP_DEFINE || observed_is_active(guests[TARGET]));
}

/* The first part of the step at 'place' that was not seen to hold; false if there is none. */
static bool find_part(const struct choice *choice, size_t place, struct part *found)
{
    struct part parts[PROCEDURE_PARTS];
    size_t count = procedure_parts(place, choice->move, &choice->stage->supplies, parts);

    for (size_t i = 0; i < count; i++) {
        if (!holds(choice, &parts[i])) {
            *found = parts[i];
            return true;
        }
    }
    return false;
}

/* The supplies that the step builds upon are looked at again, and then it is its own turn. */
static bool find_next(const struct choice *choice, struct part *found)
{
    uint32_t needs = procedure_needs(choice->place);

    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        if ((needs & PROCEDURE_BIT(i)) != 0 && procedure_is_of_supplies(i) &&
            choice->hand->rows[i].state != PROCEDURE_SKIPPED && find_part(choice, i, found)) {
            return true;
        }
    }
    return find_part(choice, choice->place, found);
}

static bool is_untouched(const struct choice *choice)
{
    return !choice->move->tried &&
           (choice->stage->touched[SOURCE] | choice->stage->touched[TARGET]) == 0;
}

static bool has_failed(const struct choice *choice)
{
    return choice->facts->error != NULL || stage_is_hopeless(choice->stage);
}

/* The checks, as long as the guest has not lost anything that they ask for. */
static bool wants_checks(const struct choice *choice)
{
    return !choice->move->tried && !choice->facts->proven && choice->stage->touched[SOURCE] == 0;
}

static struct hand_turn take(const struct choice *choice, const struct part *part)
{
    struct hand_turn turn = {
        .choice = HAND_TAKE,
        .step = { .action = STEP_RUN,
                  .op = part->op,
                  .side = part->side,
                  .supply = part->supply,
                  .prepared = part->op == OP_PREFLIGHT },
    };

    if (wants_checks(choice)) {
        turn.step = (struct step){ .action = STEP_RUN, .op = OP_PREFLIGHT, .side = SOURCE };
    }
    return turn;
}

static struct hand_turn choose(const struct choice *choice)
{
    struct part part = { .op = OP_PREFLIGHT };
    struct hand_turn turn = { .choice = HAND_FAIL };
    bool left = find_next(choice, &part);

    if (left && has_failed(choice)) {
        return turn;
    }
    switch (procedure_judge(choice->arena, choice->hand->rows, choice->place, choice->facts->guests,
                            &turn.text)) {
    case PROCEDURE_TAKE:
        if (left) {
            return take(choice, &part);
        }
        break;
    case PROCEDURE_LEAVE:
        break;
    case PROCEDURE_REFUSE:
        turn.choice = HAND_REFUSE;
        return turn;
    }
    turn.choice = HAND_LEAVE;
    return turn;
}

/* Every step is done or skipped, the one that was asked for just now. */
static bool is_whole(const struct choice *choice)
{
    const struct observed_guest *const *guests = choice->facts->guests;
    struct part part;
    uint32_t held = procedure_held_now(choice->hand->rows, guests[SOURCE], guests[TARGET]);

    if (!find_next(choice, &part)) {
        held |= PROCEDURE_BIT(choice->place);
    }
    return held == PROCEDURE_BIT(PROCEDURE_STEPS) - 1;
}

struct hand_turn hand_next(struct arena *arena, const struct hand *hand,
                           const struct journal_move *move, const struct step_facts *facts,
                           const struct stage *stage, const struct step *automatic)
{
    const struct choice choice = {
        .arena = arena,
        .hand = hand,
        .move = move,
        .facts = facts,
        .stage = stage,
        .place = procedure_find(hand->step),
    };

    if (!is_of_hand(move, facts)) {
        return settle(hand, automatic);
    }
    if (is_whole(&choice) || (is_untouched(&choice) && has_failed(&choice))) {
        return (struct hand_turn){ .choice = HAND_TAKE, .step = *automatic };
    }
    return choose(&choice);
}
