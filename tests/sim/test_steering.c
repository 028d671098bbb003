/* SPDX-License-Identifier: Apache-2.0 */

/* A person steers a controller that follows the file: holds, releases, cancels, retries and checks, before, during and
 * after moves, and across restarts. */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/text.h"
#include "life.h"
#include "reconciler/reconciler.h"
#include "tests/runner.h"
#include "world.h"

#define CUES_MAX 4

/* An order, and when it is given: so long after the start of the life, or when this operation is begun. */
struct cue {
    int64_t at_ms;
    const char *on_op; /* Or NULL. */
    enum order_verb verb;
    const char *name;
    bool is_guest; /* Said to be one. */
    bool then_end; /* The controller is asked to end at the same instant, ... */
    bool then_die; /* ... or is killed. */

    size_t answers; /* Filled. */
    enum err_code code;
    char text[ERR_TEXT_SIZE];
    bool given;
    struct life *life;
    struct loop_timer timer;
};

static struct world world;
static struct cue *cues;
static size_t cue_count;

static const struct world_guest away[] = {
    { "vm1", "kvm1", "kvm2", "running", 96, false, false, NULL },
};
static const struct world_guest two_away[] = {
    { "vm1", "kvm1", "kvm2", "running", 96, false, false, NULL },
    { "vm2", "kvm3", "kvm2", "running", 96, false, false, NULL },
};

static void on_answer(void *context, const struct err *err, const char *text)
{
    struct cue *cue = context;

    cue->answers++;
    cue->code = err == NULL ? ERR_NONE : err->code;
    (void)snprintf(cue->text, sizeof(cue->text), "%s", err == NULL ? text : err->text);
}

static void give(void *context)
{
    struct cue *cue = context;
    const struct order order = {
        .verb = cue->verb,
        .scope = cue->is_guest ? JOURNAL_SCOPE_GUEST : JOURNAL_SCOPE_COUNT,
        .user = "somebody",
    };

    if (cue->life->over) {
        return;
    }
    reconciler_order(cue->life->reconciler, &order, cue->name, on_answer, cue);
    if (cue->then_end) {
        life_end(cue->life);
    } else if (cue->then_die) {
        life_kill(cue->life);
    }
}

static void on_began(void *context, struct life *life)
{
    (void)context;
    for (size_t i = 0; i < cue_count; i++) {
        cues[i].life = life;
        cues[i].given = false;
        if (cues[i].on_op == NULL) {
            loop_timer_start(life->loop, &cues[i].timer, cues[i].at_ms, give, &cues[i]);
        }
    }
}

static void on_starts(void *context, const struct op *op)
{
    (void)context;
    for (size_t i = 0; i < cue_count; i++) {
        if (!cues[i].given && cues[i].on_op != NULL &&
            strcmp(cues[i].on_op, op_kind_name(op->kind)) == 0) {
            cues[i].given = true;
            loop_timer_start(cues[i].life->loop, &cues[i].timer, 5, give, &cues[i]);
        }
    }
}

static const struct life_hooks hooks = { .began = on_began, .starts = on_starts };

static void follow(struct cue *list, size_t count, int64_t follow_ms)
{
    cues = list;
    cue_count = count;
    world.follow_ms = follow_ms;
    world.hooks = &hooks;
    world_live(&world, WORLD_KILL_NEVER, 0);
    for (size_t i = 0; i < count; i++) {
        cues[i].timer = (struct loop_timer){ 0 };
    }
}

static void follow_on(void)
{
    follow(NULL, 0, 180000);
}

static void assert_is(const char *guest, const char *host, const char *state)
{
    ck_assert_msg(strcmp(world_state(&world, guest, host), state) == 0,
                  "%s on %s is %s, expected %s (%s)", guest, host, world_state(&world, guest, host),
                  state, world.last_text);
}

START_TEST(held_guest_stays_across_a_restart_until_it_is_released)
{
    struct cue hold[] = { { .at_ms = 0, .verb = ORDER_HOLD, .name = "vm1" } };
    struct cue release[] = { { .at_ms = 5000, .verb = ORDER_RELEASE, .name = "vm1" } };

    world_init(&world, 1024, away, 1, "{\"op\":\"observe\",\"delay_ms\":50,\"times\":1}");
    follow(hold, 1, 180000);
    ck_assert_uint_eq(hold[0].code, ERR_BUSY); /* The file has not been read yet. */
    world_deinit(&world);

    hold[0].at_ms = 10; /* While the hosts are looked at for the first time. */
    world_init(&world, 1024, away, 1, "{\"op\":\"observe\",\"delay_ms\":50,\"times\":1}");
    follow(hold, 1, 180000);
    ck_assert_uint_eq(hold[0].code, ERR_NONE);
    ck_assert_uint_eq(world.moves_begun, 0);
    follow_on();
    ck_assert_uint_eq(world.moves_begun, 0);
    assert_is("vm1", "kvm1", "running");
    follow(release, 1, 180000);
    assert_is("vm1", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_is_held_while_its_move_is_prepared_is_not_touched)
{
    const enum policy_mode modes[] = { POLICY_MODE_LIVE, POLICY_MODE_OFFLINE };
    const char *const names[] = { "vm1", "kvm1", "kvm2", "" };
    struct cue hold[] = { { .on_op = "preflight", .verb = ORDER_HOLD } };
    struct cue release[] = { { .at_ms = 5000, .verb = ORDER_RELEASE } };

    hold[0].name = release[0].name = names[_i / 2];
    world_init(&world, 1024, away, 1, "");
    world.config.policy.mode = modes[_i % 2];
    follow(hold, 1, 600000);
    ck_assert_uint_eq(hold[0].answers, 1);
    ck_assert_uint_eq(hold[0].code, ERR_NONE);
    ck_assert_uint_eq(world.calls, 1); /* The preflight. */
    assert_is("vm1", "kvm1", "running");
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_uint_eq(world_owed(&world), 0);
    follow(release, 1, 180000);
    assert_is("vm1", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(hold_lets_a_migration_that_has_begun_finish)
{
    struct cue hold[] = { { .on_op = "migrate", .verb = ORDER_HOLD, .name = "vm1" } };

    world_init(&world, 1024, away, 1, "");
    follow(hold, 1, 180000);
    assert_is("vm1", "kvm2", "running");
    ck_assert_uint_eq(world.moves_begun, 1);
    world_deinit(&world);
}
END_TEST

START_TEST(move_that_a_hold_has_nothing_to_do_with_is_made_all_the_same)
{
    struct cue hold[] = { { .on_op = "preflight", .verb = ORDER_HOLD, .name = "kvm3" } };

    world_init(&world, 1024, away, 1, "");
    follow(hold, 1, 180000);
    assert_is("vm1", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(held_host_gives_nobody_away_and_takes_nobody_and_others_move)
{
    struct cue hold[] = { { .at_ms = 10, .verb = ORDER_HOLD, .name = "kvm1" } };
    struct cue release[] = { { .at_ms = 5000, .verb = ORDER_RELEASE, .name = "kvm1" } };

    world_init(&world, 1024, two_away, 2, "{\"op\":\"observe\",\"delay_ms\":50,\"times\":1}");
    follow(hold, 1, 180000);
    assert_is("vm1", "kvm1", "running");
    assert_is("vm2", "kvm2", "running");
    follow(release, 1, 180000);
    assert_is("vm1", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(held_fleet_stands_still_until_it_is_released)
{
    struct cue hold[] = { { .at_ms = 10, .verb = ORDER_HOLD, .name = "" } };
    struct cue release[] = { { .at_ms = 5000, .verb = ORDER_RELEASE, .name = "" } };

    world_init(&world, 1024, two_away, 2, "{\"op\":\"observe\",\"delay_ms\":50,\"times\":1}");
    follow(hold, 1, 180000);
    ck_assert_uint_eq(world.calls, 0);
    follow(release, 1, 180000);
    assert_is("vm1", "kvm2", "running");
    assert_is("vm2", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(cancelled_guest_stays_across_restarts_until_it_is_released)
{
    struct cue cancel[] = { { .on_op = "migrate", .verb = ORDER_CANCEL } };
    struct cue release[] = { { .at_ms = 5000, .verb = ORDER_RELEASE, .name = "vm1" } };

    world_init(&world, 1024, away, 1, "");
    follow(cancel, 1, 180000);
    ck_assert_uint_eq(cancel[0].answers, 1);
    ck_assert_uint_eq(world.moves_begun, 1);
    assert_is("vm1", "kvm1", "running");
    world_touch(&world); /* Not even a new file moves it. */
    follow_on();
    ck_assert_uint_eq(world.moves_begun, 0);
    follow(release, 1, 180000);
    assert_is("vm1", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(cancel_of_what_does_not_move_is_refused)
{
    struct cue cancel[] = { { .at_ms = 60000, .verb = ORDER_CANCEL },
                            { .on_op = "migrate", .verb = ORDER_CANCEL, .name = "vm7" } };

    world_init(&world, 1024, away, 1, "");
    follow(cancel, 2, 180000);
    ck_assert_uint_eq(cancel[0].code, ERR_NOT_FOUND);
    ck_assert_uint_eq(cancel[1].code, ERR_NOT_FOUND);
    assert_is("vm1", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(parked_guest_is_moved_when_a_person_retries_it)
{
    struct cue retry[] = { { .at_ms = 600000, .verb = ORDER_RETRY, .name = "vm1" } };

    world_init(&world, 1024, away, 1,
               "{\"op\":\"preflight\",\"error\":\"incompatible\",\"times\":1}");
    follow(retry, 1, 599000);
    ck_assert_uint_eq(world.moves_begun, 1);
    assert_is("vm1", "kvm1", "running");
    retry[0].at_ms = 5000;
    follow(retry, 1, 180000);
    ck_assert_uint_eq(retry[0].code, ERR_NONE);
    assert_is("vm1", "kvm2", "running");
    world_deinit(&world);
}
END_TEST

START_TEST(orders_about_nobody_are_refused)
{
    struct cue list[] = { { .at_ms = 5000, .verb = ORDER_HOLD, .name = "vm7" },
                          { .at_ms = 5000, .verb = ORDER_RELEASE, .name = "vm1" },
                          { .at_ms = 5000, .verb = ORDER_RETRY, .name = "vm1" },
                          { .at_ms = 5000, .verb = ORDER_CHECK, .name = "vm7" } };

    world_init(&world, 1024, away, 1, "");
    follow(list, ARRAY_LEN(list), 180000);
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        ck_assert_uint_eq(list[i].answers, 1);
        ck_assert_uint_eq(list[i].code, ERR_NOT_FOUND);
    }
    world_deinit(&world);
}
END_TEST

START_TEST(guest_that_left_the_file_while_it_was_held_can_still_be_released)
{
    struct cue hold[] = { { .at_ms = 5000, .verb = ORDER_HOLD, .name = "vm2" } };
    struct cue release[] = {
        { .at_ms = 5000, .verb = ORDER_RELEASE, .name = "vm2" },
        { .at_ms = 6000, .verb = ORDER_RELEASE, .name = "vm2", .is_guest = true },
        { .at_ms = 7000, .verb = ORDER_RELEASE, .name = "vm2", .is_guest = true },
    };

    world_init(&world, 1024, two_away, 2, "");
    follow(hold, 1, 60000);
    world_want(&world, two_away, 1);
    follow(release, 3, 60000);
    ck_assert_uint_eq(release[0].code, ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(release[0].text, "say whether"));
    ck_assert_msg(release[1].code == ERR_NONE, "%s", release[1].text);
    ck_assert_uint_eq(release[2].code, ERR_NOT_FOUND);
    ck_assert_uint_eq(world_holds(&world), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(check_looks_at_once)
{
    struct cue check[] = { { .at_ms = 90000, .verb = ORDER_CHECK, .name = "" } };
    size_t reads;

    world_init(&world, 1024, away, 1, "");
    follow(check, 1, 100000);
    reads = world.reads;
    world_deinit(&world);
    world_init(&world, 1024, away, 1, "");
    follow(NULL, 0, 100000);
    ck_assert_uint_eq(reads, world.reads + 1);
    world_deinit(&world);
}
END_TEST

/* When the controller ends, is killed or cannot write: whoever asked hears of it, once. */
START_TEST(every_order_is_answered_once_whatever_becomes_of_the_controller)
{
    static const enum order_verb verbs[] = { ORDER_HOLD, ORDER_CHECK, ORDER_CANCEL };
    struct cue list[] = {
        { .at_ms = 3, .verb = verbs[_i], .name = "" },
        { .on_op = "preflight", .verb = verbs[_i], .name = "" },
        { .at_ms = 500, .verb = verbs[_i], .name = "", .then_end = true },
    };

    for (size_t at = 1; at < 14; at++) {
        for (unsigned way = 0; way < 3; way++) {
            list[2].then_end = way == 0;
            list[2].then_die = way == 1;
            world_init(&world, 1024, away, 1, "");
            cues = list;
            cue_count = ARRAY_LEN(list);
            world.hooks = &hooks;
            world.follow_ms = 20000;
            for (size_t i = 0; i < ARRAY_LEN(list); i++) {
                list[i].answers = 0;
                list[i].timer = (struct loop_timer){ 0 };
            }
            world_live(&world, way == 2 ? WORLD_FAIL_COMMIT : WORLD_KILL_NEVER, at);
            for (size_t i = 0; i < ARRAY_LEN(list); i++) {
                ck_assert_msg(list[i].answers <= 1, "%zu: answered %zu times", i, list[i].answers);
                ck_assert_msg(list[i].answers == 1 || way == 2 || i > 0, "%zu: not answered", i);
            }
            world_deinit(&world);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("steering");
    TCase *tcase = tcase_create("orders");
    int status;

    tcase_add_test(tcase, held_guest_stays_across_a_restart_until_it_is_released);
    tcase_add_loop_test(tcase, guest_that_is_held_while_its_move_is_prepared_is_not_touched, 0, 8);
    tcase_add_test(tcase, hold_lets_a_migration_that_has_begun_finish);
    tcase_add_test(tcase, move_that_a_hold_has_nothing_to_do_with_is_made_all_the_same);
    tcase_add_test(tcase, held_host_gives_nobody_away_and_takes_nobody_and_others_move);
    tcase_add_test(tcase, held_fleet_stands_still_until_it_is_released);
    tcase_add_test(tcase, cancelled_guest_stays_across_restarts_until_it_is_released);
    tcase_add_test(tcase, cancel_of_what_does_not_move_is_refused);
    tcase_add_test(tcase, parked_guest_is_moved_when_a_person_retries_it);
    tcase_add_test(tcase, orders_about_nobody_are_refused);
    tcase_add_test(tcase, guest_that_left_the_file_while_it_was_held_can_still_be_released);
    tcase_add_test(tcase, check_looks_at_once);
    tcase_add_loop_test(tcase, every_order_is_answered_once_whatever_becomes_of_the_controller, 0,
                        3);
    tcase_set_timeout(tcase, 120);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
