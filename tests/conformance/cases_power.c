/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/cases.h"
#include "tests/conformance/rig.h"

START_TEST(stop_shuts_a_guest_down_and_clears_autostart_first)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op autostart = rig_op(rig, OP_AUTOSTART);
    struct op op = rig_op(rig, OP_STOP);

    autostart.enable = true;
    (void)rig_succeed(rig, &autostart);
    (void)rig_succeed(rig, &op);
    rig_assert_only_on(rig, "kvm1", GUEST_SHUTOFF);
    ck_assert(!rig_guest(rig, "kvm1")->autostart);
    (void)rig_succeed(rig, &op);
}
END_TEST

START_TEST(stop_of_a_guest_that_is_off_still_clears_autostart)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op autostart = rig_op(rig, OP_AUTOSTART);
    struct op op = rig_op(rig, OP_STOP);

    autostart.enable = true;
    (void)rig_succeed(rig, &autostart);
    (void)rig_succeed(rig, &op);
    ck_assert(!rig_guest(rig, "kvm1")->autostart);
}
END_TEST

START_TEST(stop_of_a_deaf_guest_times_out_and_leaves_it_running)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_DEAF, false);
    struct op op = rig_op(rig, OP_STOP);

    op.timeout_ms = 3000;
    (void)rig_fail(rig, &op, ERR_TIMEOUT);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

START_TEST(a_cancelled_stop_is_only_no_longer_waited_for)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_DEAF, false);
    struct op op = rig_op(rig, OP_STOP);
    size_t before = rig->done_count;
    uint64_t ticket = rig_start(rig, &op);

    rig_pass(rig, 1000);
    ck_assert_uint_eq(rig->done_count, before);
    rig_cancel(rig, ticket);
    rig_wait(rig, before + 1);
    ck_assert_int_eq(rig_result(rig, ticket)->status, -1);
    ck_assert_int_eq(rig_result(rig, ticket)->err.code, ERR_CANCELLED);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

START_TEST(stop_refuses_a_transient_guest)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_TRANSIENT, false);
    struct op op = rig_op(rig, OP_STOP);

    (void)rig_fail(rig, &op, ERR_UNSAFE);
    rig_pass(rig, 2000);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

START_TEST(stop_refuses_a_paused_guest)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_PAUSED, false);
    struct op op = rig_op(rig, OP_STOP);

    (void)rig_fail(rig, &op, ERR_UNSAFE);
    rig_assert_only_on(rig, "kvm1", GUEST_PAUSED);
}
END_TEST

START_TEST(stop_refuses_a_guest_with_a_managed_save_image)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_SAVED, false);
    struct op op = rig_op(rig, OP_STOP);

    (void)rig_fail(rig, &op, ERR_UNSAFE);
    ck_assert_int_eq(rig_guest(rig, "kvm1")->managed_save, 1);
}
END_TEST

START_TEST(start_runs_a_guest)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op op = rig_op(rig, OP_START);

    (void)rig_succeed(rig, &op);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
    (void)rig_succeed(rig, &op);
}
END_TEST

START_TEST(start_refuses_to_put_saved_memory_over_newer_disks)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_SAVED, false);
    struct op op = rig_op(rig, OP_START);

    (void)rig_fail(rig, &op, ERR_UNSAFE);
    rig_assert_only_on(rig, "kvm1", GUEST_SHUTOFF);
    ck_assert_int_eq(rig_guest(rig, "kvm1")->managed_save, 1);
}
END_TEST

START_TEST(a_guest_defined_elsewhere_starts_there)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, true);
    struct op define = rig_op(rig, OP_DEFINE);
    struct op undefine = rig_op(rig, OP_UNDEFINE);
    struct op op = rig_op(rig, OP_START);

    define.host = "kvm2";
    (void)rig_succeed(rig, &define);
    (void)rig_succeed(rig, &undefine);
    op.host = "kvm2";
    (void)rig_succeed(rig, &op);
    rig_assert_only_on(rig, "kvm2", GUEST_RUNNING);
}
END_TEST

START_TEST(start_without_its_disk_fails_and_leaves_it_off)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_OFF);
    struct op define = rig_op(rig, OP_DEFINE);
    struct op op = rig_op(rig, OP_START);

    define.host = "kvm2";
    (void)rig_succeed(rig, &define);
    op.host = "kvm2";
    (void)rig_fail(rig, &op, ERR_FAILED);
    ck_assert_int_eq(rig_guest(rig, "kvm2")->state, GUEST_SHUTOFF);
}
END_TEST

START_TEST(resume_leaves_a_guest_alone_that_its_user_paused)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_PAUSED, false);
    struct op op = rig_op(rig, OP_RESUME);

    (void)rig_fail(rig, &op, ERR_REFUSED);
    rig_assert_only_on(rig, "kvm1", GUEST_PAUSED);
}
END_TEST

START_TEST(resume_of_a_running_guest_holds_already)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = rig_op(rig, OP_RESUME);

    (void)rig_succeed(rig, &op);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

START_TEST(destroy_ends_nothing_that_runs_or_that_its_user_paused)
{
    {
        AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
        struct op op = rig_op(rig, OP_DESTROY);

        (void)rig_fail(rig, &op, ERR_REFUSED);
        rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
    }
    {
        AUTO(rig) struct rig *rig = rig_open(WORLD_PAUSED, false);
        struct op op = rig_op(rig, OP_DESTROY);

        (void)rig_fail(rig, &op, ERR_REFUSED);
        rig_assert_only_on(rig, "kvm1", GUEST_PAUSED);
    }
}
END_TEST

START_TEST(destroy_of_what_has_no_process_holds_already)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op op = rig_op(rig, OP_DESTROY);

    (void)rig_succeed(rig, &op);
    op.host = "kvm2";
    (void)rig_succeed(rig, &op);
    rig_assert_only_on(rig, "kvm1", GUEST_SHUTOFF);
}
END_TEST

START_TEST(release_of_a_host_without_a_guard_fails_and_starts_nobody)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op op = { .kind = OP_RELEASE, .host = "kvm1", .timeout_ms = 10000 };

    (void)rig_fail(rig, &op, ERR_NOT_FOUND);
    op.guest = rig->guest;
    (void)rig_fail(rig, &op, ERR_NOT_FOUND);
    rig_assert_only_on(rig, "kvm1", GUEST_SHUTOFF);
}
END_TEST

TCase *cases_power(void)
{
    TCase *cases = tcase_create("power");

    tcase_add_test(cases, stop_shuts_a_guest_down_and_clears_autostart_first);
    tcase_add_test(cases, stop_of_a_guest_that_is_off_still_clears_autostart);
    tcase_add_test(cases, stop_of_a_deaf_guest_times_out_and_leaves_it_running);
    tcase_add_test(cases, a_cancelled_stop_is_only_no_longer_waited_for);
    tcase_add_test(cases, stop_refuses_a_transient_guest);
    tcase_add_test(cases, stop_refuses_a_paused_guest);
    tcase_add_test(cases, stop_refuses_a_guest_with_a_managed_save_image);
    tcase_add_test(cases, start_runs_a_guest);
    tcase_add_test(cases, start_refuses_to_put_saved_memory_over_newer_disks);
    tcase_add_test(cases, a_guest_defined_elsewhere_starts_there);
    tcase_add_test(cases, start_without_its_disk_fails_and_leaves_it_off);
    tcase_add_test(cases, resume_leaves_a_guest_alone_that_its_user_paused);
    tcase_add_test(cases, resume_of_a_running_guest_holds_already);
    tcase_add_test(cases, destroy_ends_nothing_that_runs_or_that_its_user_paused);
    tcase_add_test(cases, destroy_of_what_has_no_process_holds_already);
    tcase_add_test(cases, release_of_a_host_without_a_guard_fails_and_starts_nobody);
    return cases;
}
