/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/rig.h"

#define OTHER_UUID "99999999-0000-4000-8000-000000000099"

/* 'xml' with the rig's UUID replaced by OTHER_UUID. */
static const char *with_other_uuid(struct rig *rig)
{
    const char *at = strstr(rig->xml, rig->uuid);

    ck_assert_ptr_nonnull(at);
    return text_format(&rig->arena, "%.*s%s%s", (int)(at - rig->xml), rig->xml, OTHER_UUID,
                       at + strlen(rig->uuid));
}

START_TEST(define_makes_a_second_definition_without_autostart)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op autostart = rig_op(rig, OP_AUTOSTART);
    struct op op = rig_op(rig, OP_DEFINE);
    const struct observed_guest *guest;

    autostart.enable = true;
    (void)rig_succeed(rig, &autostart);
    op.host = "kvm2";
    (void)rig_succeed(rig, &op);
    guest = rig_guest(rig, "kvm2");
    ck_assert_ptr_nonnull(guest);
    ck_assert_int_eq(guest->state, GUEST_SHUTOFF);
    ck_assert(guest->persistent);
    ck_assert(!guest->autostart);
    ck_assert_str_eq(guest->name, rig->guest);
    ck_assert_str_eq(guest->xml, rig->xml);
    ck_assert_int_eq(rig_guest(rig, "kvm1")->state, GUEST_SHUTOFF);
    (void)rig_succeed(rig, &op);
}
END_TEST

START_TEST(define_refuses_a_name_that_belongs_to_another_uuid)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op op = rig_op(rig, OP_DEFINE);

    op.uuid = OTHER_UUID;
    op.xml = with_other_uuid(rig);
    (void)rig_fail(rig, &op, ERR_EXISTS);
    ck_assert_ptr_nonnull(rig_guest(rig, "kvm1"));
    ck_assert_ptr_null(observed_find_guest(rig_look(rig, "kvm1"), OTHER_UUID));
}
END_TEST

START_TEST(define_refuses_what_is_no_definition)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op op = rig_op(rig, OP_DEFINE);

    op.host = "kvm2";
    op.xml = "<domain><name>half";
    (void)rig_fail(rig, &op, ERR_INVALID);
    ck_assert_ptr_null(rig_guest(rig, "kvm2"));
}
END_TEST

START_TEST(define_leaves_a_running_guest_alone)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = rig_op(rig, OP_DEFINE);

    (void)rig_fail(rig, &op, ERR_CONFLICT);
    ck_assert_int_eq(rig_guest(rig, "kvm1")->state, GUEST_RUNNING);
}
END_TEST

START_TEST(undefine_removes_a_shut_off_definition)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op op = rig_op(rig, OP_UNDEFINE);

    (void)rig_succeed(rig, &op);
    ck_assert_ptr_null(rig_guest(rig, "kvm1"));
    (void)rig_succeed(rig, &op);
}
END_TEST

START_TEST(undefine_refuses_a_guest_that_runs)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = rig_op(rig, OP_UNDEFINE);

    (void)rig_fail(rig, &op, ERR_CONFLICT);
    ck_assert_int_eq(rig_guest(rig, "kvm1")->state, GUEST_RUNNING);
    ck_assert(rig_guest(rig, "kvm1")->persistent);
}
END_TEST

START_TEST(undefine_refuses_a_guest_with_a_managed_save_image)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_SAVED, false);
    struct op op = rig_op(rig, OP_UNDEFINE);

    (void)rig_fail(rig, &op, ERR_UNSAFE);
    ck_assert_int_eq(rig_guest(rig, "kvm1")->managed_save, 1);
}
END_TEST

START_TEST(autostart_is_set_and_cleared)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = rig_op(rig, OP_AUTOSTART);

    op.enable = true;
    (void)rig_succeed(rig, &op);
    (void)rig_succeed(rig, &op);
    ck_assert(rig_guest(rig, "kvm1")->autostart);
    op.enable = false;
    (void)rig_succeed(rig, &op);
    (void)rig_succeed(rig, &op);
    ck_assert(!rig_guest(rig, "kvm1")->autostart);
}
END_TEST

START_TEST(a_guest_that_is_not_there_is_not_found)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    static const enum op_kind kinds[] = { OP_AUTOSTART, OP_STOP, OP_START, OP_RESUME };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct op op = rig_op(rig, kinds[i]);

        op.host = "kvm2";
        (void)rig_fail(rig, &op, ERR_NOT_FOUND);
    }
}
END_TEST

TCase *cases_definition(void)
{
    TCase *cases = tcase_create("definition");

    tcase_add_test(cases, define_makes_a_second_definition_without_autostart);
    tcase_add_test(cases, define_refuses_a_name_that_belongs_to_another_uuid);
    tcase_add_test(cases, define_refuses_what_is_no_definition);
    tcase_add_test(cases, define_leaves_a_running_guest_alone);
    tcase_add_test(cases, undefine_removes_a_shut_off_definition);
    tcase_add_test(cases, undefine_refuses_a_guest_that_runs);
    tcase_add_test(cases, undefine_refuses_a_guest_with_a_managed_save_image);
    tcase_add_test(cases, autostart_is_set_and_cleared);
    tcase_add_test(cases, a_guest_that_is_not_there_is_not_found);
    return cases;
}
