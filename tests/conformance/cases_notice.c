/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/cases.h"
#include "tests/conformance/rig.h"

#define CYCLES   10
#define QUIET_MS 2000 /* In which what should not come would have come. */

START_TEST(a_guest_that_others_start_or_stop_is_noticed)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);

    rig_watch_all(rig);
    world_start(rig->world, rig->guest, "kvm1");
    rig_await_notice(rig, ACTUATOR_NOTICE_LIFECYCLE, "kvm1", rig->guest);
    rig_pass(rig, QUIET_MS);
    rig->notice_count = 0;
    world_stop(rig->world, rig->guest, "kvm1");
    rig_await_notice(rig, ACTUATOR_NOTICE_LIFECYCLE, "kvm1", rig->guest);
}
END_TEST

START_TEST(a_guest_that_others_make_is_noticed)
{
    AUTO(rig) struct rig *rig = rig_open_empty();
    const char *name = rig_new_name(rig);

    rig_watch_all(rig);
    world_make_guest(rig->world, name, "kvm2", WORLD_OFF, NULL);
    rig_await_notice(rig, ACTUATOR_NOTICE_LIFECYCLE, "kvm2", name);
    world_remove_guest(rig->world, name);
}
END_TEST

START_TEST(a_migration_that_others_began_is_noticed_on_both_hosts)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);

    rig_watch_all(rig);
    world_migrate(rig->world, rig->guest, "kvm1", "kvm2");
    rig_await_notice(rig, ACTUATOR_NOTICE_LIFECYCLE, "kvm1", rig->guest);
    rig_await_notice(rig, ACTUATOR_NOTICE_LIFECYCLE, "kvm2", rig->guest);
}
END_TEST

START_TEST(an_operation_of_our_own_is_noticed_like_any_other)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op op = rig_op(rig, OP_START);

    rig_watch_all(rig);
    (void)rig_succeed(rig, &op);
    rig_await_notice(rig, ACTUATOR_NOTICE_LIFECYCLE, "kvm1", rig->guest);
}
END_TEST

START_TEST(a_migration_that_is_cancelled_is_noticed_at_its_target)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = rig_op(rig, OP_MIGRATE);
    uint64_t ticket;

    world_slow(rig->world, "kvm1", true);
    rig_watch_all(rig);
    ticket = rig_start(rig, &op);
    rig_await_notice(rig, ACTUATOR_NOTICE_ITERATION, "kvm1", rig->guest);
    rig->notice_count = 0;
    rig_cancel(rig, ticket);
    rig_await_notice(rig, ACTUATOR_NOTICE_LIFECYCLE, "kvm2", rig->guest);
    rig_wait(rig, ticket); /* Every ticket has completed. */
    world_slow(rig->world, "kvm1", false);
}
END_TEST

START_TEST(a_host_that_is_not_watched_is_silent)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);

    rig_watch(rig, "kvm2", NULL);
    rig_await_notice(rig, ACTUATOR_NOTICE_LINK_UP, "kvm2", NULL);
    world_start(rig->world, rig->guest, "kvm1");
    rig_pass(rig, QUIET_MS);
    ck_assert_uint_eq(rig->notice_count, 1);
}
END_TEST

START_TEST(a_host_that_is_let_go_is_silent_from_then_on)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);

    rig_watch_all(rig);
    rig_watch(rig, "kvm2", NULL);
    world_start(rig->world, rig->guest, "kvm1");
    rig_pass(rig, QUIET_MS);
    ck_assert_uint_eq(rig->notice_count, 0);
    rig_watch(rig, "kvm1", "kvm2");
    rig_await_notice(rig, ACTUATOR_NOTICE_LINK_UP, "kvm1", NULL);
    world_stop(rig->world, rig->guest, "kvm1");
    rig_await_notice(rig, ACTUATOR_NOTICE_LIFECYCLE, "kvm1", rig->guest);
    ck_assert_uint_eq(rig_count_notices(rig, ACTUATOR_NOTICE_LINK_UP, "kvm2"), 0);
}
END_TEST

/* Before the first answer, too: letting go meets a connection that is on its way. */
START_TEST(watching_and_letting_go_in_one_breath_is_silent)
{
    AUTO(rig) struct rig *rig = rig_open_empty();

    rig_watch(rig, "kvm1", "kvm2");
    rig_watch(rig, NULL, NULL);
    rig_pass(rig, QUIET_MS);
    ck_assert_uint_eq(rig->notice_count, 0);
}
END_TEST

START_TEST(the_same_set_again_keeps_what_is_heard)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);

    rig_watch_all(rig);
    rig_watch(rig, "kvm2", "kvm1");
    rig_watch(rig, "kvm1", "kvm2");
    rig_pass(rig, QUIET_MS);
    ck_assert_uint_eq(rig->notice_count, 0);
    world_start(rig->world, rig->guest, "kvm1");
    rig_await_notice(rig, ACTUATOR_NOTICE_LIFECYCLE, "kvm1", rig->guest);
    ck_assert_uint_eq(rig_count_notices(rig, ACTUATOR_NOTICE_LINK_UP, "kvm1"), 0);
}
END_TEST

START_TEST(a_host_that_nobody_knows_is_passed_over)
{
    AUTO(rig) struct rig *rig = rig_open_empty();

    rig_watch(rig, "kvm9", "kvm1");
    rig_await_notice(rig, ACTUATOR_NOTICE_LINK_UP, "kvm1", NULL);
    rig_pass(rig, QUIET_MS);
    ck_assert_uint_eq(rig->notice_count, 1);
}
END_TEST

START_TEST(nothing_is_noticed_after_closing)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);

    rig_watch_all(rig);
    world_start(rig->world, rig->guest, "kvm1");
    rig_reopen(rig);
    rig_pass(rig, QUIET_MS);
    ck_assert_uint_eq(rig->notice_count, 0);
}
END_TEST

START_TEST(closing_before_anything_was_heard_is_silent)
{
    AUTO(rig) struct rig *rig = rig_open_empty();

    rig_watch(rig, "kvm1", "kvm2");
    rig_reopen(rig);
    rig_pass(rig, QUIET_MS);
    ck_assert_uint_eq(rig->notice_count, 0);
}
END_TEST

/* A connection that is not let go of with all it is registered for stays open for ever. */
START_TEST(watching_again_and_again_leaves_nothing_open)
{
    AUTO(rig) struct rig *rig = rig_open_empty();
    size_t before;
    size_t now;

    rig_watch_all(rig);
    rig_watch(rig, NULL, NULL);
    rig_pass(rig, QUIET_MS);
    before = rig_count_descriptors();
    for (int i = 0; i < CYCLES; i++) {
        rig_watch_all(rig);
        rig_watch(rig, NULL, NULL);
    }
    for (int i = 0; i < CYCLES && rig_count_descriptors() > before; i++) {
        rig_pass(rig, QUIET_MS); /* Good-byes take a moment. */
    }
    now = rig_count_descriptors();
    ck_assert_uint_le(now, before);
}
END_TEST

START_TEST(a_host_that_loses_power_is_noticed_and_heard_again_when_it_has_booted)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);

    rig_watch_all(rig);
    world_crash(rig->world, "kvm1");
    rig_await_notice(rig, ACTUATOR_NOTICE_LINK_DOWN, "kvm1", NULL);
    world_boot(rig->world, "kvm1");
    rig_await_notice(rig, ACTUATOR_NOTICE_LINK_UP, "kvm1", NULL);
    ck_assert_uint_eq(rig_count_notices(rig, ACTUATOR_NOTICE_LINK_DOWN, "kvm2"), 0);
    rig->notice_count = 0;
    world_start(rig->world, rig->guest, "kvm1");
    rig_await_notice(rig, ACTUATOR_NOTICE_LIFECYCLE, "kvm1", rig->guest);
}
END_TEST

START_TEST(a_frozen_host_is_found_out_and_heard_again_when_it_thaws)
{
    AUTO(rig) struct rig *rig = rig_open_empty();

    rig_watch_all(rig);
    world_freeze(rig->world, "kvm1");
    rig_await_notice(rig, ACTUATOR_NOTICE_LINK_DOWN, "kvm1", NULL);
    rig_pass(rig, QUIET_MS); /* It is tried again meanwhile, in vain. */
    world_thaw(rig->world, "kvm1");
    rig_await_notice(rig, ACTUATOR_NOTICE_LINK_UP, "kvm1", NULL);
}
END_TEST

START_TEST(a_host_whose_libvirt_is_restarted_is_watched_again)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);

    rig_watch_all(rig);
    world_restart(rig->world, "kvm1");
    rig_await_notice(rig, ACTUATOR_NOTICE_LINK_DOWN, "kvm1", NULL);
    rig_await_notice(rig, ACTUATOR_NOTICE_LINK_UP, "kvm1", NULL);
    rig->notice_count = 0;
    world_stop(rig->world, rig->guest, "kvm1");
    rig_await_notice(rig, ACTUATOR_NOTICE_LIFECYCLE, "kvm1", rig->guest);
}
END_TEST

TCase *cases_notice(void)
{
    TCase *cases = tcase_create("notice");

    tcase_add_test(cases, a_guest_that_others_start_or_stop_is_noticed);
    tcase_add_test(cases, a_guest_that_others_make_is_noticed);
    tcase_add_test(cases, a_migration_that_others_began_is_noticed_on_both_hosts);
    tcase_add_test(cases, an_operation_of_our_own_is_noticed_like_any_other);
    tcase_add_test(cases, a_migration_that_is_cancelled_is_noticed_at_its_target);
    tcase_add_test(cases, a_host_that_is_not_watched_is_silent);
    tcase_add_test(cases, a_host_that_is_let_go_is_silent_from_then_on);
    tcase_add_test(cases, watching_and_letting_go_in_one_breath_is_silent);
    tcase_add_test(cases, the_same_set_again_keeps_what_is_heard);
    tcase_add_test(cases, a_host_that_nobody_knows_is_passed_over);
    tcase_add_test(cases, nothing_is_noticed_after_closing);
    tcase_add_test(cases, closing_before_anything_was_heard_is_silent);
    tcase_add_test(cases, watching_again_and_again_leaves_nothing_open);
    tcase_add_test(cases, a_host_that_loses_power_is_noticed_and_heard_again_when_it_has_booted);
    tcase_add_test(cases, a_frozen_host_is_found_out_and_heard_again_when_it_thaws);
    tcase_add_test(cases, a_host_whose_libvirt_is_restarted_is_watched_again);
    return cases;
}
