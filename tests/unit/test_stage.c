/* SPDX-License-Identifier: Apache-2.0 */

/* What a platform provides is where each step of a move needs it: the order of the steps, and then a small
 * world in which every one of them fails, its reply is lost, the controller dies or a person cancels. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/actuator.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "model/observed.h"
#include "reconciler/stage.h"
#include "tests/runner.h"

#define UUID      "11111111-2222-3333-4444-555555555501"
#define STEPS_MAX 60

static const struct supply all_supplies[] = {
    { .kind = SUPPLY_BRIDGE, .name = "br7" },
    { .kind = SUPPLY_NAT_BRIDGE, .name = "nat0" },
    { .kind = SUPPLY_INTERFACE, .name = "vf1" },
    { .kind = SUPPLY_VOLUME, .name = "vm1_sys", .device = "/dev/exc/vm1_sys" },
    { .kind = SUPPLY_CONFIG, .name = "vm1_cfg", .device = "/dev/exc/vm1_cfg" },
};

/* The same once the checks have passed. */
static const struct supply known_supplies[] = {
    { .kind = SUPPLY_BRIDGE, .name = "br7" },
    { .kind = SUPPLY_NAT_BRIDGE, .name = "nat0" },
    { .kind = SUPPLY_INTERFACE, .name = "vf1" },
    { .kind = SUPPLY_VOLUME,
      .name = "vm1_sys",
      .device = "/dev/exc/vm1_sys",
      .identity = "wwid:naa.1" },
    { .kind = SUPPLY_CONFIG, .name = "vm1_cfg", .device = "/dev/exc/vm1_cfg" },
};

#define ALL                                                                                     \
    (SUPPLY_BIT(SUPPLY_BRIDGE) | SUPPLY_BIT(SUPPLY_NAT_BRIDGE) | SUPPLY_BIT(SUPPLY_INTERFACE) | \
     SUPPLY_BIT(SUPPLY_VOLUME) | SUPPLY_BIT(SUPPLY_CONFIG))
#define BRIDGES (SUPPLY_BIT(SUPPLY_BRIDGE) | SUPPLY_BIT(SUPPLY_NAT_BRIDGE))

enum mishap {
    MISHAP_NONE,
    MISHAP_FAILS,      /* Once, and may pass. */
    MISHAP_FOR_EVER,   /* This step, from now on. */
    MISHAP_HOPELESS,   /* Once, with an error that cannot pass. */
    MISHAP_LOST,       /* It is done, and told as failed. */
    MISHAP_CRASH,      /* Before it is done: a new run takes the move up. */
    MISHAP_CRASH_LATE, /* After it is done, before it is told. */
    MISHAP_CANCEL,     /* Before it is done. */
    MISHAP_COUNT,
};

/* Two hosts, one guest, and what is there of its supplies. */
struct world {
    struct arena arena;
    struct journal_move move;
    struct stage stage;
    struct step_facts facts;
    struct err err;
    struct observed_guest guests[2];
    bool has[2];
    uint32_t there[2];
    struct text log;
    size_t steps;
    size_t mishap_at; /* Number of the step that meets it; 0 = none. */
    enum mishap mishap;
    size_t cancel_at;   /* Likewise when a person cancels, whatever else happens. */
    struct step broken; /* Of FOR_EVER. */
    bool is_broken;
    struct step last;
    const struct supply *known; /* What the checks learn. */
};

static void world_init(struct world *world, enum move_mode mode, bool with_supplies)
{
    bool off = mode == MOVE_COLD;

    *world = (struct world){
        .move = { .guest = "vm1",
                  .uuid = UUID,
                  .from = "kvm1",
                  .to = "kvm2",
                  .mode = mode,
                  .persistent = true,
                  .original = off ? GUEST_SHUTOFF : GUEST_RUNNING },
        .guests = { { .name = "vm1",
                      .uuid = UUID,
                      .state = off ? GUEST_SHUTOFF : GUEST_RUNNING,
                      .persistent = true } },
        .has = { true, false },
        .there = { ALL, 0 },
        .known = known_supplies,
        .stage = { .supplies = { all_supplies, with_supplies ? ARRAY_LEN(all_supplies) : 0 } },
    };
    world->guests[1] = world->guests[0];
    world->guests[1].state = GUEST_SHUTOFF;
    world->log = text_new(&world->arena);
}

static void world_deinit(struct world *world)
{
    arena_deinit(&world->arena);
}

static enum settle_view view(const struct world *world, unsigned side)
{
    return !world->has[side]                            ? SETTLE_ABSENT
           : world->guests[side].state == GUEST_RUNNING ? SETTLE_RUNNING
                                                        : SETTLE_OFF;
}

static void look(struct world *world)
{
    const struct settle_facts facts = {
        .live = world->move.mode == MOVE_LIVE,
        .target_made = world->move.target_made,
        .target_same = true,
        .owed_start = world->move.original == GUEST_RUNNING,
    };

    world->facts.verdict = settle_judge(view(world, 0), view(world, 1), &facts);
    for (unsigned side = 0; side < 2; side++) {
        world->facts.guests[side] = world->has[side] ? &world->guests[side] : NULL;
    }
}

/* A guest runs in one place, with all it needs, and nothing is taken from under it. */
static void check_invariants(const struct world *world)
{
    if ((supply_list_kinds(&world->stage.supplies) & ALL) == 0) {
        return;
    }
    for (unsigned side = 0; side < 2; side++) {
        bool runs = world->has[side] && world->guests[side].state == GUEST_RUNNING;
        /* Live, its configuration follows it. */
        uint32_t needs =
            world->move.mode == MOVE_LIVE && side == 1 ? ALL & ~SUPPLY_BIT(SUPPLY_CONFIG) : ALL;

        ck_assert_msg(!runs || (world->there[side] & needs) == needs, "%s", world->log.data);
    }
    ck_assert_msg(world->guests[0].state != GUEST_RUNNING || !world->has[0] ||
                      world->guests[1].state != GUEST_RUNNING || !world->has[1],
                  "%s", world->log.data);
    /* Only during a live move are its volumes on two hosts. */
    ck_assert_msg(world->move.mode == MOVE_LIVE ||
                      (world->there[0] & world->there[1] & ~BRIDGES) == 0,
                  "%s", world->log.data);
}

static void act_on_supplies(struct world *world, const struct step *step)
{
    uint32_t bit = SUPPLY_BIT(step->supply);

    if (step->op == OP_PROVIDE) {
        world->there[step->side] |= bit;
    } else {
        world->there[step->side] &= ~bit;
    }
}

/* What follows a stopped guest is proven before the guest is there. */
static void check_proof(const struct world *world, const struct step *step)
{
    bool there = step->side == 1 && (step->op == OP_DEFINE || step->op == OP_START);

    ck_assert_msg(!there || world->move.mode == MOVE_LIVE ||
                      !supply_list_is_identified(&world->stage.supplies, SUPPLY_VOLUME) ||
                      (world->stage.matched & SUPPLY_BIT(SUPPLY_VOLUME)) != 0,
                  "%s", world->log.data);
}

static void act(struct world *world, const struct step *step)
{
    unsigned side = step->side;

    check_proof(world, step);

    if (step->op == OP_MIGRATE) {
        world->has[0] = false;
        world->has[1] = true;
        world->guests[1].state = GUEST_RUNNING;
    } else if (step->op == OP_STOP) {
        world->guests[0].state = GUEST_SHUTOFF;
    } else if (step->op == OP_DEFINE) {
        world->has[side] = true;
        world->guests[side].state = GUEST_SHUTOFF;
    } else if (step->op == OP_UNDEFINE) {
        world->has[side] = false;
    } else if (step->op == OP_START) {
        world->guests[side].state = GUEST_RUNNING;
    } else if (stage_is_supply_op(step->op)) {
        act_on_supplies(world, step);
    }
    check_invariants(world);
}

/* As the executor does with the intent. */
static void intend(struct world *world, const struct step *step)
{
    struct journal_move *move = &world->move;

    move->back |= step->back;
    move->made |= stage_made_by(&world->stage, step);
    move->tried |= step->op == OP_MIGRATE || step->op == OP_STOP || step->op == OP_DEFINE;
    move->target_made |= step->op == OP_DEFINE && step->side == 1;
    stage_note_intent(&world->stage, step->op, step->supply, step->side);
}

static void tell(struct world *world, const struct step *step, enum err_code code)
{
    if (code != ERR_NONE) {
        err_set(&world->err, code, "it fails");
    }
    stage_note_outcome(&world->stage, step, code == ERR_NONE ? NULL : &world->err);
    if (stage_is_own(step)) {
        return;
    }
    if (step->op == OP_PREFLIGHT && code == ERR_NONE) {
        world->facts.proven = true;
        world->stage.supplies.items = world->known;
    }
    world->facts.error = code == ERR_NONE ? NULL : &world->err;
    world->facts.failed = step->op;
    world->facts.failures += code != ERR_NONE;
}

/* A new run knows what the journal knows. */
static void crash(struct world *world)
{
    const struct stage before = world->stage;

    world->stage = (struct stage){ .supplies = before.supplies,
                                   .touched = { before.touched[0], before.touched[1] } };
    world->facts = (struct step_facts){ .resumed = true };
}

static bool is_same(const struct step *a, const struct step *b)
{
    return a->op == b->op && a->supply == b->supply && a->side == b->side;
}

static void run(struct world *world, const struct step *step)
{
    enum mishap mishap = world->steps == world->mishap_at ? world->mishap : MISHAP_NONE;

    text_printf(&world->log, "%s%s%s %s %u", world->steps == 1 ? "" : ", ", op_kind_name(step->op),
                step->prepared ? "+" : "", supply_kind_name(step->supply), step->side);
    intend(world, step);
    if (mishap == MISHAP_FOR_EVER) {
        world->is_broken = true;
        world->broken = *step;
    }
    if (mishap == MISHAP_CRASH) {
        crash(world);
        return;
    }
    if (mishap == MISHAP_CANCEL || (world->cancel_at > 0 && world->steps >= world->cancel_at)) {
        world->move.cancel_requested = true; /* What was asked for is done. */
    }
    if (mishap == MISHAP_FAILS || (world->is_broken && is_same(&world->broken, step))) {
        tell(world, step, ERR_FAILED);
        return;
    }
    if (mishap == MISHAP_HOPELESS) {
        tell(world, step, ERR_DENIED);
        return;
    }
    act(world, step);
    if (mishap == MISHAP_CRASH_LATE) {
        crash(world);
    } else {
        tell(world, step, mishap == MISHAP_LOST ? ERR_TIMEOUT : ERR_NONE);
    }
}

/* To its end, or until only a person can help. */
static void play(struct world *world)
{
    while (world->steps < STEPS_MAX) {
        look(world);
        world->last = stage_next(&world->move, &world->facts, &world->stage);
        if (world->last.action != STEP_RUN) {
            return;
        }
        world->steps++;
        run(world, &world->last);
    }
    ck_abort_msg("it never ends: %s", world->log.data);
}

static void assert_done(const struct world *world)
{
    ck_assert_msg(world->last.action == STEP_END && world->last.state == JOURNAL_MOVE_DONE, "%s",
                  world->log.data);
}

START_TEST(a_live_move_brings_all_but_the_configuration_before_and_that_after)
{
    struct world world;

    world_init(&world, MOVE_LIVE, true);
    play(&world);
    assert_done(&world);
    ck_assert_str_eq(
        world.log.data,
        "preflight  0, provide bridge 1, provide nat-bridge 1, provide volume 1, "
        "provide interface 1, preflight+  0, migrate  0, withdraw interface 0, "
        "withdraw config 0, withdraw volume 0, provide config 1, withdraw bridge 0, withdraw nat-bridge 0");
    world_deinit(&world);
}
END_TEST

START_TEST(an_offline_move_has_its_network_before_the_stop_and_its_volumes_on_one_host)
{
    struct world world;

    world_init(&world, MOVE_OFFLINE, true);
    play(&world);
    assert_done(&world);
    ck_assert_str_eq(
        world.log.data,
        "preflight  0, provide bridge 1, provide nat-bridge 1, stop  0, "
        "withdraw interface 0, withdraw config 0, withdraw volume 0, "
        "provide volume 1, preflight+ volume 1, provide config 1, define  1, "
        "undefine  0, provide interface 1, start  1, withdraw bridge 0, withdraw nat-bridge 0");
    world_deinit(&world);
}
END_TEST

START_TEST(a_volume_that_is_another_on_the_target_turns_the_move_round_at_once)
{
    struct world world;

    world_init(&world, MOVE_OFFLINE, true);
    world.mishap_at = 9; /* preflight+ volume */
    world.mishap = MISHAP_HOPELESS;
    play(&world);
    ck_assert_int_eq(world.last.action, STEP_END);
    ck_assert_int_eq(world.last.state, JOURNAL_MOVE_ROLLED_BACK);
    ck_assert_ptr_nonnull(strstr(world.log.data, "preflight+ volume 1, withdraw volume 1, "));
    ck_assert_ptr_null(strstr(world.log.data, "define"));
    ck_assert_ptr_null(strstr(world.log.data, "config 1"));
    ck_assert_uint_eq(world.there[0], ALL);
    ck_assert_uint_eq(world.there[1], 0);
    world_deinit(&world);
}
END_TEST

START_TEST(a_proof_is_made_again_by_a_later_run_and_of_what_is_attached_anew)
{
    struct world world;
    const char *again;

    world_init(&world, MOVE_OFFLINE, true);
    world.mishap_at = 11; /* define, proven before */
    world.mishap = MISHAP_CRASH;
    play(&world);
    assert_done(&world);
    again = strstr(strstr(world.log.data, "preflight+ volume 1") + 1, "preflight+ volume 1");
    ck_assert_msg(again != NULL, "%s", world.log.data);

    world.stage.matched = ALL;
    stage_note_intent(&world.stage, OP_PROVIDE, SUPPLY_VOLUME, 0);
    ck_assert_uint_eq(world.stage.matched, ALL);
    stage_note_intent(&world.stage, OP_PROVIDE, SUPPLY_VOLUME, 1);
    ck_assert_uint_eq(world.stage.matched, ALL & ~SUPPLY_BIT(SUPPLY_VOLUME));
    world_deinit(&world);
}
END_TEST

START_TEST(what_nobody_could_tell_on_the_source_is_not_asked_for_on_the_target)
{
    struct world world;
    struct step step = { .action = STEP_RUN, .op = OP_START, .side = 1 };

    world_init(&world, MOVE_COLD, true);
    world.stage.provided[1] = world.stage.withdrawn[0] = ALL;
    ck_assert_int_eq(stage_before(&world.move, &world.facts, &world.stage, &step).op, OP_START);
    world.stage.supplies.items = known_supplies;
    ck_assert_int_eq(stage_before(&world.move, &world.facts, &world.stage, &step).op, OP_PREFLIGHT);
    world_deinit(&world);
}
END_TEST

START_TEST(a_pool_is_started_before_the_guest_is_stopped_or_moves_and_is_never_withdrawn)
{
    static const struct supply pool[] = {
        { .kind = SUPPLY_POOL, .name = "p1", .volume = "v", .identity = "wwid:naa.1" },
    };
    static const struct {
        enum move_mode mode;
        const char *steps;
    } cases[] = {
        { MOVE_LIVE, "preflight  0, provide pool 1, preflight+  0, migrate  0" },
        { MOVE_OFFLINE, "preflight  0, provide pool 1, preflight+ pool 1, stop  0, define  1, "
                        "undefine  0, start  1" },
        { MOVE_COLD, "preflight  0, provide pool 1, preflight+ pool 1, define  1, undefine  0" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world world;

        world_init(&world, cases[i].mode, true);
        world.known = pool;
        world.stage.supplies = (struct supply_list){ pool, 1 };
        world.there[0] = world.there[1] = ALL; /* That of others is none of its concern. */
        play(&world);
        assert_done(&world);
        ck_assert_str_eq(world.log.data, cases[i].steps);
        world_deinit(&world);
    }
}
END_TEST

START_TEST(
    a_pool_that_the_checks_found_in_order_is_left_alone_and_a_failing_one_turns_the_move_round)
{
    static const struct supply pool[] = { { .kind = SUPPLY_POOL, .name = "p1", .volume = "v" } };
    const struct actuator_completion checks = { .present = { 0, SUPPLY_BIT(SUPPLY_POOL) },
                                                .known = { 0, SUPPLY_BIT(SUPPLY_POOL) } };

    for (unsigned found = 0; found < 2; found++) {
        struct world world;

        world_init(&world, MOVE_OFFLINE, true);
        world.known = pool;
        world.stage.supplies = (struct supply_list){ pool, 1 };
        world.there[0] = world.there[1] = ALL;
        if (found == 1) {
            stage_note_checks(&world.stage, &checks);
        }
        world.mishap_at = 2;
        world.mishap = found == 1 ? MISHAP_NONE : MISHAP_HOPELESS;
        play(&world);
        ck_assert_str_eq(world.log.data,
                         found == 1 ? "preflight  0, stop  0, define  1, undefine  0, start  1"
                                    : "preflight  0, provide pool 1");
        ck_assert_int_eq(world.last.state, found == 1 ? JOURNAL_MOVE_DONE : JOURNAL_MOVE_FAILED);
        world_deinit(&world);
    }
}
END_TEST

START_TEST(a_cold_move_takes_everything_along_and_starts_nothing)
{
    struct world world;

    world_init(&world, MOVE_COLD, true);
    play(&world);
    assert_done(&world);
    ck_assert_str_eq(
        world.log.data,
        "preflight  0, provide bridge 1, provide nat-bridge 1, withdraw interface 0, "
        "withdraw config 0, withdraw volume 0, provide volume 1, "
        "preflight+ volume 1, provide config 1, define  1, undefine  0, provide interface 1, withdraw bridge 0, "
        "withdraw nat-bridge 0");
    ck_assert_uint_eq(world.there[1], ALL);
    ck_assert_uint_eq(world.there[0], 0);
    world_deinit(&world);
}
END_TEST

START_TEST(a_move_without_supplies_has_no_step_more)
{
    static const struct {
        enum move_mode mode;
        const char *steps;
    } cases[] = {
        { MOVE_LIVE, "preflight  0, migrate  0" },
        { MOVE_OFFLINE, "preflight  0, stop  0, define  1, undefine  0, start  1" },
        { MOVE_COLD, "preflight  0, define  1, undefine  0" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world world;

        world_init(&world, cases[i].mode, false);
        play(&world);
        assert_done(&world);
        ck_assert_str_eq(world.log.data, cases[i].steps);
        world_deinit(&world);
    }
}
END_TEST

START_TEST(an_early_stop_leaves_everything_to_the_move_that_follows)
{
    struct world world;

    world_init(&world, MOVE_STOP, true);
    play(&world);
    assert_done(&world);
    ck_assert_str_eq(world.log.data, "preflight  0, stop  0");
    ck_assert_uint_eq(world.there[0], ALL);
    ck_assert_uint_eq(world.there[1], 0);
    world_deinit(&world);
}
END_TEST

/* An offline move whose checks have found its bridge on the target before anything was done. */
static void world_init_with_bridge(struct world *world)
{
    const struct actuator_completion checks = {
        .present = { 0, SUPPLY_BIT(SUPPLY_BRIDGE) },
        .known = { 0, SUPPLY_BIT(SUPPLY_BRIDGE) | SUPPLY_BIT(SUPPLY_NAT_BRIDGE) },
    };

    world_init(world, MOVE_OFFLINE, true);
    world->there[1] = SUPPLY_BIT(SUPPLY_BRIDGE);
    stage_note_checks(&world->stage, &checks);
}

START_TEST(a_bridge_that_was_there_before_stays_when_the_move_turns_round)
{
    struct world world;

    world_init_with_bridge(&world);
    world.mishap_at = 4; /* stop */
    world.mishap = MISHAP_HOPELESS;
    play(&world);
    ck_assert_int_eq(world.last.action, STEP_END);
    ck_assert_uint_eq(world.there[1], SUPPLY_BIT(SUPPLY_BRIDGE));
    ck_assert_uint_eq(world.there[0], ALL);
    world_deinit(&world);
}
END_TEST

START_TEST(a_bridge_that_was_there_before_stays_after_a_crash_too)
{
    struct world world;

    world_init_with_bridge(&world);
    world.mishap_at = 5; /* withdraw interface, once the guest is off */
    world.mishap = MISHAP_CRASH;
    world.cancel_at = 9;
    play(&world);
    ck_assert_int_eq(world.last.action, STEP_END);
    ck_assert_int_eq(world.last.state, JOURNAL_MOVE_CANCELLED);
    ck_assert_uint_eq(world.there[1], SUPPLY_BIT(SUPPLY_BRIDGE));
    ck_assert_uint_eq(world.there[0], ALL);
    world_deinit(&world);
}
END_TEST

START_TEST(a_guest_that_is_to_run_again_where_it_is_gets_back_what_it_needs)
{
    struct world world;

    world_init(&world, MOVE_OFFLINE, true);
    world.move.to = world.move.from;
    world.guests[0].state = GUEST_SHUTOFF;
    world.there[0] = 0;
    play(&world);
    assert_done(&world);
    ck_assert_str_eq(world.log.data, "provide bridge 0, provide nat-bridge 0, provide volume 0, "
                                     "provide config 0, provide interface 0, start  0");
    world_deinit(&world);
}
END_TEST

START_TEST(what_somebody_else_uses_on_the_target_is_not_taken_from_there)
{
    struct world world;
    struct step step;

    world_init(&world, MOVE_LIVE, true);
    look(&world);
    world.stage.touched[1] = ALL;
    world.move.made = ALL;
    world.has[1] = true;
    world.guests[1].state = GUEST_PAUSED;
    world.guests[0].job = GUEST_JOB_OUTGOING;
    world.facts.verdict = SETTLE_ADOPT;
    world.facts.guests[1] = &world.guests[1];
    step = stage_next(&world.move, &world.facts, &world.stage);
    ck_assert_int_eq(step.action, STEP_STUCK);
    ck_assert_ptr_nonnull(strstr(step.text, "somebody else"));
    world_deinit(&world);
}
END_TEST

/* By a controller after the one that started it: what that had provided is seen to be there once more. */
START_TEST(a_forced_move_arrives_although_the_host_that_was_dead_is_back_with_its_definition)
{
    struct world world;
    struct step step;

    world_init(&world, MOVE_FORCED, true);
    world.move.target_made = true;
    world.move.made = ALL;
    world.stage.touched[1] = ALL;
    world.guests[0].state = GUEST_SHUTOFF;
    world.guests[1].state = GUEST_RUNNING;
    world.facts.guests[0] = &world.guests[0];
    world.facts.guests[1] = &world.guests[1];
    world.facts.views[0] = SETTLE_OFF;
    world.facts.views[1] = SETTLE_RUNNING;
    world.facts.started = true;
    do {
        step = stage_next(&world.move, &world.facts, &world.stage);
        ck_assert_msg(step.action == STEP_END || step.op == OP_PROVIDE, "%s",
                      step.text == NULL ? op_kind_name(step.op) : step.text);
        stage_note_outcome(&world.stage, &step, NULL);
    } while (step.action == STEP_RUN);
    ck_assert_int_eq(step.state, JOURNAL_MOVE_DONE);
    world_deinit(&world);
}
END_TEST

/* The guest is in one place, runs if it did, and its supplies are where it is and nowhere else. */
static void check_ending(const struct world *world, enum move_mode mode)
{
    unsigned side = world->has[1] ? 1 : 0;

    ck_assert_msg(world->has[0] != world->has[1], "%s", world->log.data);
    ck_assert_msg((world->guests[side].state == GUEST_RUNNING) == (mode != MOVE_COLD), "%s",
                  world->log.data);
    ck_assert_msg(world->there[side] == ALL && world->there[1 - side] == 0, "%s: %x %x",
                  world->log.data, world->there[0], world->there[1]);
    ck_assert_msg((world->last.state == JOURNAL_MOVE_DONE) == (side == 1), "%s", world->log.data);
}

static void meet(enum move_mode mode, enum mishap mishap, size_t at)
{
    struct world world;
    enum mishap met;

    world_init(&world, mode, true);
    world.mishap_at = at;
    world.mishap = mishap;
    play(&world);
    met = world.steps >= at ? mishap : MISHAP_NONE;
    if (world.last.action ==
        STEP_STUCK) { /* It stays open; once the cause is gone it is taken up. */
        ck_assert_msg(met == MISHAP_FOR_EVER, "%s: %s", world.log.data, world.last.text);
        world.is_broken = false;
        crash(&world);
        text_append(&world.log, " | ");
        play(&world);
    }
    ck_assert_msg(world.last.action == STEP_END, "%s: %s", world.log.data, world.last.text);
    check_ending(&world, mode);
    world_deinit(&world);
}

/* Doing the same again does no harm, and other things are not concerned. */
START_TEST(only_the_opposite_of_what_may_still_be_done_there_waits_for_it)
{
    static const struct {
        enum op_kind op;
        enum supply_kind supply;
        unsigned side;
        bool waits;
    } cases[] = {
        { OP_WITHDRAW, SUPPLY_VOLUME, 1, true },  { OP_PROVIDE, SUPPLY_VOLUME, 1, false },
        { OP_WITHDRAW, SUPPLY_VOLUME, 0, false }, { OP_WITHDRAW, SUPPLY_BRIDGE, 1, false },
        { OP_START, SUPPLY_NONE, 1, false },
    };
    struct stage stage = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct step step = { .op = cases[i].op,
                                   .supply = cases[i].supply,
                                   .side = cases[i].side };

        ck_assert_int_eq(stage_wait_ms(&(struct stage){ 0 }, &step, 1000), 0);
        stage_note_loose(&stage, OP_PROVIDE, SUPPLY_VOLUME, 1, 30000, 1000);
        ck_assert_int_eq(stage_wait_ms(&stage, &step, 31000) > 0, cases[i].waits);
        ck_assert_int_eq(stage_wait_ms(&stage, &step, 60000), 0);
    }
}
END_TEST

START_TEST(whatever_fails_dies_or_is_cancelled_the_guest_runs_once_with_its_supplies)
{
    static const enum move_mode modes[] = { MOVE_LIVE, MOVE_OFFLINE, MOVE_COLD };

    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        for (enum mishap mishap = MISHAP_FAILS; mishap < MISHAP_COUNT; mishap++) {
            for (size_t at = 1; at <= 17; at++) {
                meet(modes[m], mishap, at);
            }
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stage");
    TCase *tcase = tcase_create("stage");

    tcase_add_test(tcase, a_live_move_brings_all_but_the_configuration_before_and_that_after);
    tcase_add_test(tcase,
                   an_offline_move_has_its_network_before_the_stop_and_its_volumes_on_one_host);
    tcase_add_test(tcase, a_volume_that_is_another_on_the_target_turns_the_move_round_at_once);
    tcase_add_test(tcase, a_proof_is_made_again_by_a_later_run_and_of_what_is_attached_anew);
    tcase_add_test(tcase, what_nobody_could_tell_on_the_source_is_not_asked_for_on_the_target);
    tcase_add_test(tcase,
                   a_pool_is_started_before_the_guest_is_stopped_or_moves_and_is_never_withdrawn);
    tcase_add_test(
        tcase,
        a_pool_that_the_checks_found_in_order_is_left_alone_and_a_failing_one_turns_the_move_round);
    tcase_add_test(tcase, a_cold_move_takes_everything_along_and_starts_nothing);
    tcase_add_test(tcase, a_move_without_supplies_has_no_step_more);
    tcase_add_test(tcase, an_early_stop_leaves_everything_to_the_move_that_follows);
    tcase_add_test(tcase, a_bridge_that_was_there_before_stays_when_the_move_turns_round);
    tcase_add_test(tcase, a_bridge_that_was_there_before_stays_after_a_crash_too);
    tcase_add_test(tcase, a_guest_that_is_to_run_again_where_it_is_gets_back_what_it_needs);
    tcase_add_test(tcase, only_the_opposite_of_what_may_still_be_done_there_waits_for_it);
    tcase_add_test(tcase, what_somebody_else_uses_on_the_target_is_not_taken_from_there);
    tcase_add_test(
        tcase, a_forced_move_arrives_although_the_host_that_was_dead_is_back_with_its_definition);
    tcase_add_test(tcase,
                   whatever_fails_dies_or_is_cancelled_the_guest_runs_once_with_its_supplies);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
