/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/cases.h"
#include "tests/conformance/rig.h"

static struct op preflight(const struct rig *rig, enum move_mode mode)
{
    struct op op = rig_op(rig, OP_PREFLIGHT);

    op.mode = mode;
    return op;
}

START_TEST(a_guest_that_can_move_live_is_said_to_and_not_touched)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, true);
    struct op op = preflight(rig, MOVE_LIVE);

    (void)rig_succeed(rig, &op);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

START_TEST(a_guest_without_disks_can_move)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = preflight(rig, MOVE_LIVE);

    (void)rig_succeed(rig, &op);
}
END_TEST

START_TEST(a_running_guest_can_move_offline_and_one_that_is_off_cold)
{
    {
        AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, true);
        struct op op = preflight(rig, MOVE_OFFLINE);

        (void)rig_succeed(rig, &op);
        rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
    }
    {
        AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, true);
        struct op op = preflight(rig, MOVE_COLD);

        (void)rig_succeed(rig, &op);
        rig_assert_only_on(rig, "kvm1", GUEST_SHUTOFF);
    }
}
END_TEST

START_TEST(a_running_guest_can_be_stopped_early_and_moved_when_it_is_off)
{
    {
        AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, true);
        struct op op = preflight(rig, MOVE_STOP);

        (void)rig_succeed(rig, &op);
        rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
    }
    {
        AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, true);
        struct op op = preflight(rig, MOVE_OFFLINE);

        (void)rig_succeed(rig, &op);
        rig_assert_only_on(rig, "kvm1", GUEST_SHUTOFF);
    }
}
END_TEST

START_TEST(a_different_disk_behind_the_same_path_is_refused)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_IDLE);
    struct op op = preflight(rig, MOVE_LIVE);

    world_attach_wrong(rig->world, "kvm2", rig->volume);
    (void)rig_fail(rig, &op, ERR_UNSAFE);
    op.mode = MOVE_OFFLINE;
    (void)rig_fail(rig, &op, ERR_UNSAFE);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

START_TEST(a_disk_that_the_target_lacks_is_refused)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_IDLE);
    struct op op = preflight(rig, MOVE_LIVE);

    (void)rig_fail(rig, &op, ERR_INCOMPATIBLE);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

START_TEST(a_managed_save_image_is_refused)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_SAVED, false);
    struct op op = preflight(rig, MOVE_COLD);

    (void)rig_fail(rig, &op, ERR_UNSAFE);
    ck_assert_int_eq(rig_guest(rig, "kvm1")->managed_save, 1);
}
END_TEST

START_TEST(a_transient_guest_can_move_live_and_not_offline)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_TRANSIENT, false);
    struct op op = preflight(rig, MOVE_LIVE);

    op.live.persistent = false;
    (void)rig_succeed(rig, &op);
    op.mode = MOVE_OFFLINE;
    (void)rig_fail(rig, &op, ERR_UNSAFE);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

START_TEST(a_paused_guest_can_move_live_and_not_offline)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_PAUSED, false);
    struct op op = preflight(rig, MOVE_LIVE);

    (void)rig_succeed(rig, &op);
    op.mode = MOVE_OFFLINE;
    (void)rig_fail(rig, &op, ERR_UNSAFE);
    rig_assert_only_on(rig, "kvm1", GUEST_PAUSED);
}
END_TEST

START_TEST(a_guest_that_is_off_cannot_move_live)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op op = preflight(rig, MOVE_LIVE);

    (void)rig_fail(rig, &op, ERR_CONFLICT);
}
END_TEST

START_TEST(a_target_that_has_the_guest_is_refused)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op define = rig_op(rig, OP_DEFINE);
    struct op op = preflight(rig, MOVE_LIVE);

    define.host = "kvm2";
    (void)rig_succeed(rig, &define);
    (void)rig_fail(rig, &op, ERR_EXISTS);
}
END_TEST

START_TEST(a_source_that_has_no_such_guest_is_refused)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = preflight(rig, MOVE_LIVE);

    op.host = "kvm2";
    op.peer = "kvm1";
    (void)rig_fail(rig, &op, ERR_NOT_FOUND);
}
END_TEST

TCase *cases_preflight(void)
{
    TCase *cases = tcase_create("preflight");

    tcase_add_test(cases, a_guest_that_can_move_live_is_said_to_and_not_touched);
    tcase_add_test(cases, a_guest_without_disks_can_move);
    tcase_add_test(cases, a_running_guest_can_move_offline_and_one_that_is_off_cold);
    tcase_add_test(cases, a_running_guest_can_be_stopped_early_and_moved_when_it_is_off);
    tcase_add_test(cases, a_different_disk_behind_the_same_path_is_refused);
    tcase_add_test(cases, a_disk_that_the_target_lacks_is_refused);
    tcase_add_test(cases, a_managed_save_image_is_refused);
    tcase_add_test(cases, a_transient_guest_can_move_live_and_not_offline);
    tcase_add_test(cases, a_paused_guest_can_move_live_and_not_offline);
    tcase_add_test(cases, a_guest_that_is_off_cannot_move_live);
    tcase_add_test(cases, a_target_that_has_the_guest_is_refused);
    tcase_add_test(cases, a_source_that_has_no_such_guest_is_refused);
    return cases;
}
