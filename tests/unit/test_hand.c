/* SPDX-License-Identifier: Apache-2.0 */

/* What is done for a step of a move that is run by hand, and when nothing is. */

#include <check.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/base.h"
#include "model/observed.h"
#include "reconciler/hand.h"
#include "tests/runner.h"

#define BIT(kind) SUPPLY_BIT(SUPPLY_##kind)

static const struct supply some_supplies[] = {
    { .kind = SUPPLY_BRIDGE, .name = "br7" },
    { .kind = SUPPLY_VOLUME, .name = "v", .device = "/dev/v" },
    { .kind = SUPPLY_CONFIG, .name = "c", .device = "/dev/c" }
};
static const struct observed_guest on = { .name = "vm1", .state = GUEST_RUNNING };
static const struct observed_guest off = { .name = "vm1", .state = GUEST_SHUTOFF };
static const struct step end = { .action = STEP_END, .state = JOURNAL_MOVE_DONE };

/* A move in which everything that was done is as the fields say. */
struct scene {
    struct arena arena;
    struct journal_move move;
    struct hand hand;
    struct step_facts facts;
    struct stage stage;
    struct journal_step steps[16];
    size_t count;
    struct hand_turn turn;
};

static struct scene begin(void)
{
    return (struct scene){
        .arena = ARENA_INIT,
        .move = { .guest = "vm1",
                  .from = "kvm1",
                  .to = "kvm2",
                  .mode = MOVE_OFFLINE,
                  .original = GUEST_RUNNING,
                  .by_hand = true },
        .facts = { .verdict = SETTLE_NOT_HAPPENED, .guests = { &on, NULL }, .proven = true },
        .stage = { .supplies = { some_supplies, ARRAY_LEN(some_supplies) } },
    };
}

/* The journal has 'op' as done. */
static void add_done(struct scene *scene, enum op_kind op, enum supply_kind supply, unsigned side)
{
    scene->steps[scene->count++] = (struct journal_step){
        .kind = op,
        .supply = supply,
        .host = side == 0 ? "kvm1" : "kvm2",
        .state = JOURNAL_STEP_DONE,
    };
    stage_note_intent(&scene->stage, op, supply, side);
    scene->move.tried |= op == OP_STOP || op == OP_DEFINE;
}

/* It was stopped, and its volumes were detached. */
static struct scene detached(void)
{
    struct scene scene = begin();

    add_done(&scene, OP_STOP, SUPPLY_NONE, 0);
    add_done(&scene, OP_WITHDRAW, SUPPLY_CONFIG, 0);
    add_done(&scene, OP_WITHDRAW, SUPPLY_VOLUME, 0);
    scene.facts.verdict = SETTLE_STOPPED;
    scene.facts.guests[0] = &off;
    scene.facts.proven = false;
    return scene;
}

static void ask(struct scene *scene, const char *step)
{
    scene->hand.step = step;
    hand_read(&scene->hand, &scene->move, &scene->stage.supplies, scene->steps, scene->count);
    scene->turn =
        hand_next(&scene->arena, &scene->hand, &scene->move, &scene->facts, &scene->stage, &end);
}

static void assert_takes(struct scene *scene, const char *step, enum op_kind op,
                         enum supply_kind supply, unsigned side)
{
    ask(scene, step);
    ck_assert_int_eq(scene->turn.choice, HAND_TAKE);
    ck_assert_int_eq(scene->turn.step.action, STEP_RUN);
    ck_assert_msg(scene->turn.step.op == op && scene->turn.step.supply == supply &&
                      scene->turn.step.side == side,
                  "%s:%s on %u", op_kind_name(scene->turn.step.op),
                  supply_kind_name(scene->turn.step.supply), scene->turn.step.side);
}

static void assert_refused(struct scene *scene, const char *step, const char *why)
{
    ask(scene, step);
    ck_assert_int_eq(scene->turn.choice, HAND_REFUSE);
    ck_assert_str_eq(scene->turn.text, why);
}

START_TEST(a_step_is_taken_whatever_its_place_if_what_it_builds_upon_holds)
{
    struct scene scene = begin();

    assert_takes(&scene, "STOP_GUEST", OP_STOP, SUPPLY_NONE, 0);
    assert_takes(&scene, "CREATE_BRIDGES", OP_PROVIDE, SUPPLY_BRIDGE, 1);
    arena_deinit(&scene.arena);
    scene = detached();
    assert_takes(&scene, "MIGRATE_GUEST", OP_DEFINE, SUPPLY_NONE, 1);
    assert_takes(&scene, "CREATE_BRIDGES", OP_PROVIDE, SUPPLY_BRIDGE, 1);
    arena_deinit(&scene.arena);
}
END_TEST

START_TEST(a_step_that_lacks_something_is_refused_with_what_would_bring_it_about)
{
    struct scene scene = begin();

    assert_refused(&scene, "DETACH_VOLUMES",
                   "it is not shut off on 'kvm1' (STOP_GUEST brings that about)");
    arena_deinit(&scene.arena);
    scene = detached();
    assert_refused(
        &scene, "STARTUP_GUEST",
        "its bridges have not been made on 'kvm2' (CREATE_BRIDGES brings that about); its volumes "
        "have not been attached to 'kvm2' (ATTACH_VOLUMES brings that about); its definition has "
        "not moved to 'kvm2' (MIGRATE_GUEST brings that about)");
    assert_refused(
        &scene, "REMOVE_BRIDGES",
        "its definition has not moved to 'kvm2' (MIGRATE_GUEST brings that about); it does not run "
        "on 'kvm2' (STARTUP_GUEST brings that about)");
    arena_deinit(&scene.arena);
}
END_TEST

START_TEST(a_guest_that_somebody_has_started_again_keeps_what_it_uses)
{
    struct scene scene = detached();

    scene.facts.verdict = SETTLE_NOT_HAPPENED;
    scene.facts.guests[0] = &on;
    assert_refused(&scene, "MIGRATE_GUEST",
                   "it is not shut off on 'kvm1' (STOP_GUEST brings that about)");
    assert_takes(&scene, "STOP_GUEST", OP_STOP, SUPPLY_NONE, 0);
    arena_deinit(&scene.arena);
}
END_TEST

START_TEST(a_guest_that_went_down_by_itself_is_stopped_so_that_a_start_is_owed_to_it)
{
    struct scene scene = begin();

    scene.facts.verdict = SETTLE_STOPPED;
    scene.facts.guests[0] = &off;
    assert_takes(&scene, "STOP_GUEST", OP_STOP, SUPPLY_NONE, 0);
    assert_takes(&scene, "DETACH_VOLUMES", OP_WITHDRAW, SUPPLY_CONFIG, 0);
    hand_note_done(&scene.hand, OP_STOP);
    ask(&scene, "STOP_GUEST");
    ck_assert_int_eq(scene.turn.choice, HAND_LEAVE);
    arena_deinit(&scene.arena);
}
END_TEST

START_TEST(the_checks_come_before_anything_else_and_not_once_they_would_find_it_gone)
{
    struct scene scene = begin();

    scene.facts.proven = false;
    assert_takes(&scene, "STOP_GUEST", OP_PREFLIGHT, SUPPLY_NONE, 0);
    assert_takes(&scene, "CREATE_BRIDGES", OP_PREFLIGHT, SUPPLY_NONE, 0);
    arena_deinit(&scene.arena);
    scene = detached();
    scene.move.mode = MOVE_COLD;
    scene.move.original = GUEST_SHUTOFF;
    scene.move.tried = false;
    assert_takes(&scene, "CREATE_BRIDGES", OP_PROVIDE, SUPPLY_BRIDGE, 1);
    arena_deinit(&scene.arena);
}
END_TEST

START_TEST(what_a_step_builds_upon_is_looked_at_again_and_then_it_is_done_part_by_part)
{
    struct scene scene = detached();

    assert_takes(&scene, "ATTACH_VOLUMES", OP_WITHDRAW, SUPPLY_CONFIG, 0);
    scene.stage.withdrawn[0] |= BIT(CONFIG);
    assert_takes(&scene, "ATTACH_VOLUMES", OP_WITHDRAW, SUPPLY_VOLUME, 0);
    scene.stage.withdrawn[0] |= BIT(VOLUME);
    assert_takes(&scene, "ATTACH_VOLUMES", OP_PROVIDE, SUPPLY_VOLUME, 1);
    scene.stage.provided[1] |= BIT(VOLUME);
    assert_takes(&scene, "ATTACH_VOLUMES", OP_PROVIDE, SUPPLY_CONFIG, 1);
    scene.stage.provided[1] |= BIT(CONFIG);
    ask(&scene, "ATTACH_VOLUMES");
    ck_assert_int_eq(scene.turn.choice, HAND_LEAVE);
    arena_deinit(&scene.arena);
}
END_TEST

START_TEST(a_definition_moves_in_two_parts)
{
    struct scene scene = detached();

    add_done(&scene, OP_DEFINE, SUPPLY_NONE, 1);
    scene.facts.verdict = SETTLE_DEFINED_TWICE;
    scene.facts.guests[1] = &off;
    assert_takes(&scene, "MIGRATE_GUEST", OP_UNDEFINE, SUPPLY_NONE, 0);
    scene.facts.verdict = SETTLE_DONE_OFF;
    scene.facts.guests[0] = NULL;
    ask(&scene, "MIGRATE_GUEST");
    ck_assert_int_eq(scene.turn.choice, HAND_LEAVE);
    arena_deinit(&scene.arena);
}
END_TEST

START_TEST(a_step_that_is_done_or_skipped_is_left_with_the_reason)
{
    struct scene scene = detached();

    ask(&scene, "DETACH_VOLUMES");
    ck_assert_int_eq(scene.turn.choice, HAND_LEAVE);
    ck_assert_str_eq(scene.turn.text, "it is done already");
    ask(&scene, "DETACH_INTERFACES");
    ck_assert_int_eq(scene.turn.choice, HAND_LEAVE);
    ck_assert_str_eq(scene.turn.text, "the platform provides nothing of the kind for the guest");
    arena_deinit(&scene.arena);
}
END_TEST

START_TEST(a_step_that_fails_is_tried_once_more_if_that_may_help_and_never_leads_back)
{
    struct scene scene = detached();
    struct err err;

    (void)err_set(&err, ERR_FAILED, "the storage is tired");
    assert_takes(&scene, "CREATE_BRIDGES", OP_PROVIDE, SUPPLY_BRIDGE, 1);
    stage_note_outcome(&scene.stage, &scene.turn.step, &err);
    assert_takes(&scene, "CREATE_BRIDGES", OP_PROVIDE, SUPPLY_BRIDGE, 1);
    stage_note_outcome(&scene.stage, &scene.turn.step, &err);
    ask(&scene, "CREATE_BRIDGES");
    ck_assert_int_eq(scene.turn.choice, HAND_FAIL);
    arena_deinit(&scene.arena);
    scene = detached();
    scene.facts.error = &err;
    scene.facts.failed = OP_DEFINE;
    ask(&scene, "MIGRATE_GUEST");
    ck_assert_int_eq(scene.turn.choice, HAND_FAIL);
    arena_deinit(&scene.arena);
}
END_TEST

START_TEST(a_start_that_was_told_as_failed_and_succeeded_is_a_success)
{
    struct scene scene = detached();
    struct err err;

    (void)err_set(&err, ERR_TIMEOUT, "no answer");
    add_done(&scene, OP_PROVIDE, SUPPLY_BRIDGE, 1);
    add_done(&scene, OP_PROVIDE, SUPPLY_VOLUME, 1);
    add_done(&scene, OP_PROVIDE, SUPPLY_CONFIG, 1);
    add_done(&scene, OP_DEFINE, SUPPLY_NONE, 1);
    scene.stage.provided[1] = UINT32_MAX;
    scene.stage.withdrawn[0] = UINT32_MAX;
    scene.facts.error = &err;
    scene.facts.failed = OP_START;
    scene.facts.verdict = SETTLE_DONE;
    scene.facts.guests[0] = NULL;
    scene.facts.guests[1] = &on;
    ask(&scene, "STARTUP_GUEST");
    ck_assert_int_eq(scene.turn.choice, HAND_LEAVE);
    arena_deinit(&scene.arena);
}
END_TEST

START_TEST(checks_that_fail_end_a_move_that_has_touched_nothing_and_no_other)
{
    struct scene scene = begin();
    struct err err;

    (void)err_set(&err, ERR_REFUSED, "no room");
    scene.facts.proven = false;
    scene.facts.error = &err;
    scene.facts.failed = OP_PREFLIGHT;
    ask(&scene, "STOP_GUEST");
    ck_assert_int_eq(scene.turn.choice, HAND_TAKE);
    ck_assert_int_eq(scene.turn.step.action, STEP_END);
    add_done(&scene, OP_PROVIDE, SUPPLY_BRIDGE, 1);
    ask(&scene, "STOP_GUEST");
    ck_assert_int_eq(scene.turn.choice, HAND_FAIL);
    arena_deinit(&scene.arena);
}
END_TEST

START_TEST(the_step_that_was_missing_last_ends_the_move)
{
    struct scene scene = detached();

    add_done(&scene, OP_PROVIDE, SUPPLY_BRIDGE, 1);
    add_done(&scene, OP_PROVIDE, SUPPLY_VOLUME, 1);
    add_done(&scene, OP_PROVIDE, SUPPLY_CONFIG, 1);
    add_done(&scene, OP_DEFINE, SUPPLY_NONE, 1);
    add_done(&scene, OP_START, SUPPLY_NONE, 1);
    scene.facts.verdict = SETTLE_DONE;
    scene.facts.guests[0] = NULL;
    scene.facts.guests[1] = &on;
    assert_takes(&scene, "REMOVE_BRIDGES", OP_WITHDRAW, SUPPLY_BRIDGE, 0);
    scene.stage.withdrawn[0] |= BIT(BRIDGE);
    ask(&scene, "REMOVE_BRIDGES");
    ck_assert_int_eq(scene.turn.choice, HAND_TAKE);
    ck_assert_int_eq(scene.turn.step.action, STEP_END);
    arena_deinit(&scene.arena);
}
END_TEST

START_TEST(what_the_hosts_leave_unclear_is_settled_by_the_step_it_belongs_to_alone)
{
    static const struct step undefine = { .action = STEP_RUN, .op = OP_UNDEFINE, .side = 1 };
    static const struct step wait = { .action = STEP_WAIT };
    struct scene scene = detached();

    scene.facts.verdict = SETTLE_UNDEFINE_TARGET;
    scene.hand.step = "MIGRATE_GUEST";
    scene.turn =
        hand_next(&scene.arena, &scene.hand, &scene.move, &scene.facts, &scene.stage, &undefine);
    ck_assert_int_eq(scene.turn.choice, HAND_TAKE);
    scene.hand.step = "ATTACH_VOLUMES";
    scene.turn =
        hand_next(&scene.arena, &scene.hand, &scene.move, &scene.facts, &scene.stage, &undefine);
    ck_assert_int_eq(scene.turn.choice, HAND_REFUSE);
    scene.facts.verdict = SETTLE_WAIT;
    scene.turn =
        hand_next(&scene.arena, &scene.hand, &scene.move, &scene.facts, &scene.stage, &wait);
    ck_assert_int_eq(scene.turn.choice, HAND_TAKE);
    ck_assert_int_eq(scene.turn.step.action, STEP_WAIT);
    arena_deinit(&scene.arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hand");
    TCase *tcase = tcase_create("hand");

    tcase_add_test(tcase, a_step_is_taken_whatever_its_place_if_what_it_builds_upon_holds);
    tcase_add_test(tcase, a_step_that_lacks_something_is_refused_with_what_would_bring_it_about);
    tcase_add_test(tcase, a_guest_that_somebody_has_started_again_keeps_what_it_uses);
    tcase_add_test(tcase,
                   a_guest_that_went_down_by_itself_is_stopped_so_that_a_start_is_owed_to_it);
    tcase_add_test(tcase,
                   the_checks_come_before_anything_else_and_not_once_they_would_find_it_gone);
    tcase_add_test(tcase,
                   what_a_step_builds_upon_is_looked_at_again_and_then_it_is_done_part_by_part);
    tcase_add_test(tcase, a_definition_moves_in_two_parts);
    tcase_add_test(tcase, a_step_that_is_done_or_skipped_is_left_with_the_reason);
    tcase_add_test(tcase,
                   a_step_that_fails_is_tried_once_more_if_that_may_help_and_never_leads_back);
    tcase_add_test(tcase, a_start_that_was_told_as_failed_and_succeeded_is_a_success);
    tcase_add_test(tcase, checks_that_fail_end_a_move_that_has_touched_nothing_and_no_other);
    tcase_add_test(tcase, the_step_that_was_missing_last_ends_the_move);
    tcase_add_test(tcase, what_the_hosts_leave_unclear_is_settled_by_the_step_it_belongs_to_alone);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
