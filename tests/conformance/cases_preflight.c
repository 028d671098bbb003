/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/base.h"
#include "model/check.h"
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

/* That failed, and no other: with an advice, and named by the error. */
static void assert_failed_alone(const struct rig_done *done, enum check_kind kind)
{
    const struct check *check = rig_check(done, kind);

    ck_assert_ptr_nonnull(check);
    ck_assert_int_eq(check->result, CHECK_FAILED);
    ck_assert_int_eq(check->code, done->err.code);
    ck_assert_ptr_nonnull(check->change);
    ck_assert_uint_eq(check_count(done->checks.items, done->checks.count, CHECK_FAILED), 1);
    ck_assert_ptr_nonnull(strstr(done->err.text, check_kind_name(kind)));
}

START_TEST(what_was_looked_at_is_told_of_a_guest_that_can_move)
{
    static const enum check_kind kinds[] = {
        CHECK_HOSTS, CHECK_STATE, CHECK_UUID,    CHECK_NAME,    CHECK_SAVE,     CHECK_SNAPSHOTS,
        CHECK_JOB,   CHECK_ARCH,  CHECK_VERSION, CHECK_CPU,     CHECK_CPUS,     CHECK_MEMORY,
        CHECK_PAGES, CHECK_NODES, CHECK_CACHE,   CHECK_FILES,   CHECK_STORAGE,  CHECK_BRIDGES,
        CHECK_REACH, CHECK_PORT,  CHECK_CLOCKS,  CHECK_MACHINE, CHECK_HOSTDEVS, CHECK_BLOCK_JOB,
    };
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, true);
    struct op op = preflight(rig, MOVE_LIVE);
    const struct rig_done *done = rig_succeed(rig, &op);

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct check *check = rig_check(done, kinds[i]);

        ck_assert_msg(check != NULL, "%s", check_kind_name(kinds[i]));
        ck_assert_msg(check->result == CHECK_PASSED, "%s: %s", check_kind_name(kinds[i]),
                      check->evidence);
        ck_assert_uint_gt(strlen(check->evidence), 0);
    }
    ck_assert_ptr_nonnull(rig_check(done, CHECK_LOCKS));
    ck_assert_uint_eq(check_count(done->checks.items, done->checks.count, CHECK_FAILED), 0);
}
END_TEST

START_TEST(no_checks_are_told_of_anything_else)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op op = rig_op(rig, OP_AUTOSTART);

    ck_assert_uint_eq(rig_succeed(rig, &op)->checks.count, 0);
}
END_TEST

START_TEST(a_name_that_another_guest_has_on_the_target_is_refused_as_the_name_alone)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op define = rig_op(rig, OP_DEFINE);
    struct op op = preflight(rig, MOVE_LIVE);
    char *xml = arena_strdup(&rig->arena, rig->xml);
    char *uuid = arena_strdup(&rig->arena, rig->uuid);
    char *at = strstr(xml, rig->uuid);

    ck_assert_ptr_nonnull(at);
    uuid[0] = uuid[0] == 'a' ? 'b' : 'a';
    at[0] = uuid[0];
    define.host = "kvm2";
    define.xml = xml;
    define.uuid = uuid;
    (void)rig_succeed(rig, &define);
    assert_failed_alone(rig_fail(rig, &op, ERR_EXISTS), CHECK_NAME);
}
END_TEST

START_TEST(a_refusal_is_of_the_check_that_failed_and_everything_else_is_looked_at)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_IDLE);
    struct op op = preflight(rig, MOVE_LIVE);
    const struct rig_done *done;

    world_attach_wrong(rig->world, "kvm2", rig->volume);
    done = rig_fail(rig, &op, ERR_UNSAFE);
    assert_failed_alone(done, CHECK_STORAGE);
    ck_assert_int_eq(rig_check(done, CHECK_CLOCKS)->result, CHECK_PASSED);
    ck_assert_int_eq(rig_check(done, CHECK_BRIDGES)->result, CHECK_PASSED);
}
END_TEST

START_TEST(all_that_is_wrong_is_told_at_once)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_OFF);
    struct op op = preflight(rig, MOVE_LIVE);
    const struct rig_done *done = rig_fail(rig, &op, ERR_CONFLICT);

    ck_assert_int_eq(rig_check(done, CHECK_STATE)->result, CHECK_FAILED);
    ck_assert_int_eq(rig_check(done, CHECK_STORAGE)->result, CHECK_FAILED);
    ck_assert_uint_eq(check_count(done->checks.items, done->checks.count, CHECK_FAILED), 2);
}
END_TEST

START_TEST(a_guest_that_is_not_there_leaves_what_the_target_tells)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = preflight(rig, MOVE_LIVE);
    const struct rig_done *done;

    op.host = "kvm2";
    op.peer = "kvm1";
    done = rig_fail(rig, &op, ERR_NOT_FOUND);
    ck_assert_int_eq(rig_check(done, CHECK_STATE)->result, CHECK_FAILED);
    ck_assert_int_eq(rig_check(done, CHECK_UUID)->result, CHECK_FAILED);
    ck_assert_int_eq(rig_check(done, CHECK_NAME)->result, CHECK_FAILED);
    ck_assert_int_eq(rig_check(done, CHECK_STORAGE)->result, CHECK_SKIPPED);
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
    tcase_add_test(cases, what_was_looked_at_is_told_of_a_guest_that_can_move);
    tcase_add_test(cases, no_checks_are_told_of_anything_else);
    tcase_add_test(cases, a_name_that_another_guest_has_on_the_target_is_refused_as_the_name_alone);
    tcase_add_test(cases, a_refusal_is_of_the_check_that_failed_and_everything_else_is_looked_at);
    tcase_add_test(cases, all_that_is_wrong_is_told_at_once);
    tcase_add_test(cases, a_guest_that_is_not_there_leaves_what_the_target_tells);
    tcase_add_test(cases, a_source_that_has_no_such_guest_is_refused);
    return cases;
}
