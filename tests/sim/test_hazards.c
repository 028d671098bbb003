/* SPDX-License-Identifier: Apache-2.0 */

/* What other people and bad luck do around a controller, and what it must not do then. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/text.h"
#include "world.h"

static struct world world;

static void live(void)
{
    world_live(&world, WORLD_KILL_NEVER, 0);
}

static void assert_is(const char *guest, const char *host, const char *state)
{
    ck_assert_msg(strcmp(world_state(&world, guest, host), state) == 0,
                  "%s on %s is %s, expected %s (%s)", guest, host, world_state(&world, guest, host),
                  state, world.last_text);
}

/* Somebody else migrated it and left the old definition behind. */
START_TEST(owed_start_is_not_paid_with_a_second_copy_of_a_guest_that_runs_elsewhere)
{
    const struct world_guest before[] = { { "vm1", "kvm1", "kvm2", "running", 96, false, true,
                                            NULL } };
    const struct world_guest after[] = { { "vm1", "kvm2", "kvm2", "running", 96, false, true,
                                           NULL } };

    world_init(&world, 1024, before, 1, "");
    world.config.policy.mode = POLICY_MODE_OFFLINE;
    live();
    ck_assert_uint_eq(world_owed(&world), 1);
    world_turn_off(&world, "vm1");
    world_add(&world, &after[0], 0);
    live();
    assert_is("vm1", "kvm1", "shutoff");
    assert_is("vm1", "kvm2", "running");
    world_wait(&world, INT64_C(3600000));
    live();
    assert_is("vm1", "kvm1", "shutoff");
    ck_assert_uint_eq(world_owed(&world), 0);
    world_deinit(&world);
}
END_TEST

/* The move was journaled, and nothing else; meanwhile the target has filled up. */
START_TEST(move_that_had_not_begun_is_planned_anew_and_not_taken_up)
{
    const struct world_guest guests[] = {
        { "vm1", "kvm1", "kvm2", "running", 600, false, false, NULL },
        { "vm2", "kvm2", "kvm2", "running", 600, false, false, NULL },
    };
    const enum policy_mode modes[] = { POLICY_MODE_LIVE, POLICY_MODE_OFFLINE };
    size_t at = 1;

    do {
        world_init(&world, 1024, guests, 1, "");
        world.config.policy.mode = modes[_i];
        world_live(&world, WORLD_KILL_AFTER_COMMIT, at++);
    } while (world_open_moves(&world) == 0);
    ck_assert_uint_eq(world.calls, 0);
    world_add(&world, &guests[1], 1);
    live();
    ck_assert_uint_eq(world.calls, 0);
    assert_is("vm1", "kvm1", "running");
    ck_assert_uint_eq(world_open_moves(&world), 0);
    ck_assert_int_eq(world.result.status, RECONCILER_BLOCKED);
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hazards");
    TCase *tcase = tcase_create("hazards");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, owed_start_is_not_paid_with_a_second_copy_of_a_guest_that_runs_elsewhere);
    tcase_add_loop_test(tcase, move_that_had_not_begun_is_planned_anew_and_not_taken_up, 0, 2);
    suite_add_tcase(suite, tcase);
    world_set_up();
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    world_tear_down();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
