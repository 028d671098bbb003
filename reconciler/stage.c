/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/stage.h"

#include "actuators/actuator.h"
#include "base/base.h"
#include "model/observed.h"

#define SOURCE 0u
#define TARGET 1u

/* A command that does not end by SIGTERM when its time is over gets SIGKILL 5 s later. */
#define LOOSE_MS INT64_C(6000)

/* Each in the order in which it is done.  The configuration volume is mounted from an attached volume: it comes
 * after the volumes, proven by then, and goes before them.  Pools are the hosts' own: they are started for the guest
 * and stay so.  State is copied while it is still at the source, which then puts it aside. */
static const struct part before_migrate[] = {
    PART_PROVIDE(BRIDGE, TARGET), PART_PROVIDE(NAT_BRIDGE, TARGET), PART_PROVIDE(POOL, TARGET),
    PART_PROVIDE(VOLUME, TARGET), PART_PROVIDE(INTERFACE, TARGET)
};
static const struct part before_stop[] = { PART_PROVIDE(BRIDGE, TARGET),
                                           PART_PROVIDE(NAT_BRIDGE, TARGET),
                                           PART_PROVIDE(POOL, TARGET), PART_PROVE(POOL, TARGET) };
static const struct part before_define[] = {
    PART_PROVIDE(BRIDGE, TARGET),  PART_PROVIDE(NAT_BRIDGE, TARGET), PART_PROVIDE(POOL, TARGET),
    PART_PROVE(POOL, TARGET),      PART_WITHDRAW(INTERFACE, SOURCE), PART_WITHDRAW(CONFIG, SOURCE),
    PART_WITHDRAW(VOLUME, SOURCE), PART_PROVIDE(VOLUME, TARGET),     PART_PROVE(VOLUME, TARGET),
    PART_PROVIDE(CONFIG, TARGET),  PART_PROVIDE(STATE, TARGET),      PART_WITHDRAW(STATE, SOURCE),
};
static const struct part before_start[] = {
    PART_PROVIDE(BRIDGE, TARGET),     PART_PROVIDE(NAT_BRIDGE, TARGET),
    PART_PROVIDE(POOL, TARGET),       PART_PROVE(POOL, TARGET),
    PART_WITHDRAW(INTERFACE, SOURCE), PART_WITHDRAW(CONFIG, SOURCE),
    PART_WITHDRAW(VOLUME, SOURCE),    PART_PROVIDE(VOLUME, TARGET),
    PART_PROVE(VOLUME, TARGET),       PART_PROVIDE(CONFIG, TARGET),
    PART_PROVIDE(STATE, TARGET),      PART_WITHDRAW(STATE, SOURCE),
    PART_PROVIDE(INTERFACE, TARGET),
};
static const struct part before_restart[] = {
    PART_WITHDRAW(INTERFACE, TARGET), PART_WITHDRAW(STATE, TARGET),
    PART_WITHDRAW(CONFIG, TARGET),    PART_WITHDRAW(VOLUME, TARGET),
    PART_PROVIDE(BRIDGE, SOURCE),     PART_PROVIDE(NAT_BRIDGE, SOURCE),
    PART_PROVIDE(POOL, SOURCE),       PART_PROVIDE(VOLUME, SOURCE),
    PART_PROVIDE(CONFIG, SOURCE),     PART_PROVIDE(STATE, SOURCE),
    PART_PROVIDE(INTERFACE, SOURCE),
};
static const struct part at_end[] = {
    PART_PROVIDE(BRIDGE, TARGET),     PART_PROVIDE(NAT_BRIDGE, TARGET),
    PART_WITHDRAW(INTERFACE, SOURCE), PART_WITHDRAW(CONFIG, SOURCE),
    PART_WITHDRAW(VOLUME, SOURCE),    PART_PROVIDE(VOLUME, TARGET),
    PART_PROVIDE(CONFIG, TARGET),     PART_PROVIDE(STATE, TARGET),
    PART_WITHDRAW(STATE, SOURCE),     PART_PROVIDE(INTERFACE, TARGET),
    PART_WITHDRAW(BRIDGE, SOURCE),    PART_WITHDRAW(NAT_BRIDGE, SOURCE),
};
static const struct part at_end_back[] = {
    PART_WITHDRAW(INTERFACE, TARGET), PART_WITHDRAW(STATE, TARGET),
    PART_WITHDRAW(CONFIG, TARGET),    PART_WITHDRAW(VOLUME, TARGET),
    PART_WITHDRAW(BRIDGE, TARGET),    PART_WITHDRAW(NAT_BRIDGE, TARGET),
    PART_PROVIDE(BRIDGE, SOURCE),     PART_PROVIDE(NAT_BRIDGE, SOURCE),
    PART_PROVIDE(VOLUME, SOURCE),     PART_PROVIDE(CONFIG, SOURCE),
    PART_PROVIDE(STATE, SOURCE),      PART_PROVIDE(INTERFACE, SOURCE),
};

struct needs {
    const struct part *items;
    size_t count;
};

#define NEEDS(list) ((struct needs){ list, ARRAY_LEN(list) })

/* What the gate decides from. */
struct gate {
    const struct journal_move *move;
    const struct step_facts *facts;
    const struct stage *stage;
    const struct step *step;
};

bool stage_is_supply_op(enum op_kind kind)
{
    return kind == OP_PROVIDE || kind == OP_WITHDRAW;
}

bool stage_is_proof(const struct step *step)
{
    return step->op == OP_PREFLIGHT && step->supply != SUPPLY_NONE;
}

bool stage_is_own(const struct step *step)
{
    return stage_is_supply_op(step->op) || stage_is_proof(step);
}

/* The guest is on the target and on no other host of the move, but for what a host that was dead has kept of it. */
static bool has_left(const struct gate *gate)
{
    bool raised = gate->move->mode == MOVE_FORCED && gate->step->action == STEP_END &&
                  gate->step->state == JOURNAL_MOVE_DONE;

    return gate->facts->guests[TARGET] != NULL && (raised || gate->facts->guests[SOURCE] == NULL);
}

static struct needs needs_of_run(const struct gate *gate)
{
    const struct journal_move *move = gate->move;
    unsigned side = gate->step->side;

    switch (gate->step->op) {
    case OP_MIGRATE:
        return NEEDS(before_migrate);
    case OP_STOP:
        return NEEDS(before_stop);
    case OP_DEFINE:
        return side == TARGET ? NEEDS(before_define) : (struct needs){ 0 };
    case OP_START:
        return side == SOURCE || journal_move_is_restart(move) ? NEEDS(before_restart)
                                                               : NEEDS(before_start);
    case OP_PREFLIGHT:
    case OP_ADOPT:
    case OP_UNDEFINE:
    case OP_AUTOSTART:
    case OP_RESUME:
    case OP_DESTROY:
    case OP_PROVIDE:
    case OP_WITHDRAW:
    case OP_FENCE:
    case OP_RELEASE:
    case OP_KIND_COUNT:
        break;
    }
    return (struct needs){ 0 };
}

/* It ends before anything was prepared: wherever the guest is, that is not this move's doing. */
static bool is_untouched(const struct gate *gate)
{
    const uint32_t *touched = gate->stage->touched;

    return gate->step->state != JOURNAL_MOVE_DONE && (touched[SOURCE] | touched[TARGET]) == 0;
}

static struct needs needs_of(const struct gate *gate)
{
    if (gate->step->action == STEP_RUN) {
        return needs_of_run(gate);
    }
    if (gate->step->action != STEP_END || journal_move_is_restart(gate->move) ||
        is_untouched(gate)) {
        return (struct needs){ 0 };
    }
    return has_left(gate) ? NEEDS(at_end) : NEEDS(at_end_back);
}

/* A pool is its host's: nothing was taken from the source's, and nothing has to be done about one of the target
 * that the checks found there, and what is behind it. */
static bool is_pool_in_order(const struct gate *gate, const struct part *need)
{
    return need->supply == SUPPLY_POOL &&
           (need->side == SOURCE || (gate->stage->present[TARGET] & SUPPLY_BIT(SUPPLY_POOL)) != 0);
}

/* On the way back only what the move has changed is put right: bridges of the target that were there before it
 * stay, and so does the source of a guest that is no longer there. */
static bool is_concerned(const struct gate *gate, const struct part *need)
{
    const struct stage *stage = gate->stage;
    uint32_t bit = SUPPLY_BIT(need->supply);
    bool ends = gate->step->action == STEP_END;

    if ((supply_list_kinds(&stage->supplies) & bit) == 0 || gate->move->mode == MOVE_STOP) {
        return false; /* An early stop has no part in the target: the move that follows it has. */
    }
    if (need->supply == SUPPLY_STATE &&
        (gate->move->mode == MOVE_LIVE || journal_move_is_restart(gate->move) ||
         gate->move->mode == MOVE_FORCED)) {
        return false; /* Copied only of a guest that is off, and only from a host that answers. */
    }
    if (journal_move_is_restart(gate->move)) {
        return need->side == SOURCE;
    }
    if (gate->move->mode == MOVE_FORCED && need->side == SOURCE) {
        return false; /* It cannot be asked. */
    }
    if (is_pool_in_order(gate, need)) {
        return false;
    }
    if (need->op == OP_PREFLIGHT) {
        return supply_list_is_identified(&stage->supplies, need->supply);
    }
    if (need->op == OP_WITHDRAW && need->side == TARGET) {
        return (stage->touched[TARGET] & bit) != 0 &&
               (!supply_is_bridge(need->supply) || (gate->move->made & bit) != 0);
    }
    if (ends && !has_left(gate)) { /* at_end_back, to the source. */
        return gate->facts->guests[SOURCE] != NULL && (stage->touched[SOURCE] & bit) != 0;
    }
    return true;
}

bool stage_holds(const struct stage *stage, const struct part *part)
{
    uint32_t seen = part->op == OP_PREFLIGHT ? stage->matched
                    : part->op == OP_PROVIDE ? stage->provided[part->side]
                                             : stage->withdrawn[part->side];

    return (seen & SUPPLY_BIT(part->supply)) != 0;
}

bool stage_is_hopeless(const struct stage *stage)
{
    return stage->failures > 0 &&
           (stage->failures >= STAGE_TRIES || !err_is_retryable(&stage->error));
}

/* The first thing that 'step' needs and that was not seen to hold, or NULL. */
static const struct part *find_missing(const struct gate *gate)
{
    const struct needs needs = needs_of(gate);

    for (size_t i = 0; i < needs.count; i++) {
        if (is_concerned(gate, &needs.items[i]) && !stage_holds(gate->stage, &needs.items[i])) {
            return &needs.items[i];
        }
    }
    return NULL;
}

static bool is_failed(const struct stage *stage, const struct part *need)
{
    return stage->failures > 0 && stage->failed.op == need->op &&
           stage->failed.supply == need->supply && stage->failed.side == need->side;
}

/* Somebody's process would lose what it works with.  No step of ours leads here. */
static bool is_in_use(const struct gate *gate, const struct part *need)
{
    const struct observed_guest *guest = gate->facts->guests[need->side];
    const struct observed_guest *source = gate->facts->guests[SOURCE];

    if (need->op != OP_WITHDRAW) {
        return false;
    }
    return (guest != NULL && guest->state != GUEST_SHUTOFF) ||
           (need->side == TARGET && source != NULL && source->job == GUEST_JOB_OUTGOING);
}

static struct step stuck(const struct part *need, const char *text)
{
    return (struct step){
        .action = STEP_STUCK,
        .op = need->op,
        .side = need->side,
        .supply = need->supply,
        .text = text,
    };
}

static const char *stuck_text(const struct gate *gate)
{
    if (gate->step->action == STEP_RUN && gate->step->op == OP_START) {
        return "the guest is DOWN, as what it needs could not be provided";
    }
    return has_left(gate) ? "the guest is in its place, but what it needed could not follow it"
                          : "what was prepared for the move could not be taken back";
}

static struct step gated(const struct gate *gate)
{
    const struct part *need = find_missing(gate);

    if (need == NULL) {
        return *gate->step;
    }
    if (is_in_use(gate, need)) {
        return stuck(need, "somebody else is moving the guest, and uses what was prepared");
    }
    if (is_failed(gate->stage, need) && gate->stage->failures >= STAGE_TRIES_BACK) {
        return stuck(need, stuck_text(gate));
    }
    return (struct step){
        .action = STEP_RUN,
        .op = need->op,
        .side = need->side,
        .supply = need->supply,
        .prepared = need->op == OP_PREFLIGHT,
        .back = gate->step->back,
    };
}

struct step stage_before(const struct journal_move *move, const struct step_facts *facts,
                         const struct stage *stage, const struct step *step)
{
    return gated(&(struct gate){ move, facts, stage, step });
}

/* On the way to the target, where turning round leaves the guest running at its source. */
static bool leads_forward(const struct step *step)
{
    return step->action == STEP_RUN && !step->back &&
           (step->op == OP_MIGRATE || step->op == OP_STOP ||
            ((step->op == OP_DEFINE || step->op == OP_START) && step->side == TARGET));
}

static bool has_no_hope(const struct stage *stage, const struct step *step)
{
    const struct part need = { step->op, step->supply, step->side };

    return step->action == STEP_RUN && stage_is_own(step) && is_failed(stage, &need) &&
           stage_is_hopeless(stage);
}

/* Live, what was attached to the target is looked at before the guest follows it. */
static bool wants_proof(const struct journal_move *move, const struct stage *stage,
                        const struct step *step)
{
    const struct gate gate = { .move = move, .stage = stage, .step = step };

    if (step->action != STEP_RUN || step->op != OP_MIGRATE || stage->proven) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(before_migrate); i++) {
        if (is_concerned(&gate, &before_migrate[i])) {
            return true;
        }
    }
    return false;
}

struct step stage_next(const struct journal_move *move, const struct step_facts *facts,
                       const struct stage *stage)
{
    struct step base = step_next(move, facts);
    struct step next = stage_before(move, facts, stage, &base);

    if (leads_forward(&base) && has_no_hope(stage, &next)) {
        struct journal_move turned = *move;

        turned.back = true;
        base = step_next(&turned, facts);
        base.back = true;
        next = stage_before(&turned, facts, stage, &base);
    }
    if (wants_proof(move, stage, &next)) {
        return (struct step){ .action = STEP_RUN, .op = OP_PREFLIGHT, .prepared = true };
    }
    return next;
}

uint32_t stage_made_by(const struct stage *stage, const struct step *step)
{
    /* What was touched before was judged then: a later run finds what this move itself has made. */
    return step->op == OP_PROVIDE && step->side == TARGET
               ? SUPPLY_BIT(step->supply) & ~stage->present[TARGET] & ~stage->touched[TARGET]
               : 0;
}

void stage_note_intent(struct stage *stage, enum op_kind kind, enum supply_kind supply,
                       unsigned side)
{
    if (stage_is_supply_op(kind)) {
        stage->touched[side] |= SUPPLY_BIT(supply);
        stage->provided[side] &= ~SUPPLY_BIT(supply);
        stage->withdrawn[side] &= ~SUPPLY_BIT(supply);
        stage->matched &= side == TARGET ? ~SUPPLY_BIT(supply) : ~UINT32_C(0);
    }
}

void stage_note_loose(struct stage *stage, enum op_kind kind, enum supply_kind supply,
                      unsigned side, int64_t timeout_ms, int64_t now_ms)
{
    stage->loose = (struct stage_loose){ kind, supply, side, now_ms + timeout_ms + LOOSE_MS };
}

int64_t stage_wait_ms(const struct stage *stage, const struct step *step, int64_t now_ms)
{
    const struct stage_loose *loose = &stage->loose;
    bool opposite = stage_is_supply_op(step->op) && stage_is_supply_op(loose->op) &&
                    step->op != loose->op && step->supply == loose->supply &&
                    step->side == loose->side;

    return opposite && now_ms < loose->over_ms ? loose->over_ms - now_ms : 0;
}

void stage_note_outcome(struct stage *stage, const struct step *step, const struct err *err)
{
    const struct part need = { step->op, step->supply, step->side };

    if (!stage_is_own(step)) {
        stage->proven |= step->op == OP_PREFLIGHT && step->prepared && err == NULL;
        return;
    }
    if (err != NULL) {
        stage->failures = is_failed(stage, &need) ? stage->failures + 1 : 1;
        stage->failed = *step;
        stage->error = *err;
        return;
    }
    stage->failures = 0;
    *(step->op == OP_PROVIDE    ? &stage->provided[step->side]
      : step->op == OP_WITHDRAW ? &stage->withdrawn[step->side]
                                : &stage->matched) |= SUPPLY_BIT(step->supply);
}

void stage_note_checks(struct stage *stage, const struct actuator_completion *completion)
{
    for (size_t side = 0; side < ARRAY_LEN(stage->present); side++) {
        stage->present[side] = completion->present[side] & completion->known[side];
    }
}
