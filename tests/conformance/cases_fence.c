/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/base.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/rig.h"

#define DEADLINE_MS 3000
#define HURRY_MS    5000 /* Less than a late device takes, and more than a slow one. */
#define LOOKS_MAX   40
#define LOOK_MS     500

/* Of a host; no guest is named. */
static struct op fence_op(const struct rig *rig)
{
    struct op op = rig_op(rig, OP_FENCE);

    op.guest = NULL;
    op.uuid = NULL;
    return op;
}

static bool is_silent(struct rig *rig)
{
    uint64_t ticket = rig_observe(rig, "kvm1", DEADLINE_MS);

    rig_wait(rig, rig->done_count + 1);
    return rig_result(rig, ticket)->status != 0;
}

static void assert_runs_on(struct rig *rig)
{
    rig_await_answer(rig, "kvm1");
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}

/* The guest was there as the power went: it is off once its host is there again. */
static void assert_lost_power(struct rig *rig)
{
    ck_assert(is_silent(rig));
    (void)rig_look(rig, "kvm2");
    world_boot(rig->world, "kvm1");
    rig_await_answer(rig, "kvm1");
    rig_assert_only_on(rig, "kvm1", GUEST_SHUTOFF);
}

START_TEST(a_fence_takes_the_power_of_its_host_and_of_no_other)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = fence_op(rig);

    (void)rig_succeed(rig, &op);
    ck_assert(is_silent(rig));
    (void)rig_succeed(rig, &op); /* It is off already. */
    assert_lost_power(rig);
}
END_TEST

START_TEST(a_host_whose_libvirt_stands_still_loses_its_power_too)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = fence_op(rig);

    world_freeze(rig->world, "kvm1");
    (void)rig_succeed(rig, &op);
    assert_lost_power(rig);
}
END_TEST

START_TEST(a_slow_device_is_waited_for)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = fence_op(rig);

    world_set_fence(rig->world, WORLD_FENCE_SLOW);
    (void)rig_succeed(rig, &op);
    assert_lost_power(rig);
}
END_TEST

/* Whether it says that it has failed, that it has not while the host is on, or nothing at all. */
START_TEST(a_device_that_does_nothing_is_not_believed)
{
    static const enum world_fence devices[] = { WORLD_FENCE_FAILS, WORLD_FENCE_IDLE,
                                                WORLD_FENCE_MUTE };
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = fence_op(rig);

    op.timeout_ms = HURRY_MS;
    for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
        world_set_fence(rig->world, devices[i]);
        (void)rig_fail(rig, &op, ERR_FAILED);
        assert_runs_on(rig);
    }
}
END_TEST

/* Nothing but another question finds it out: who starts a guest elsewhere asks right before. */
START_TEST(a_device_that_lies_is_found_out_when_it_is_asked_again)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = fence_op(rig);

    op.timeout_ms = HURRY_MS;
    world_set_fence(rig->world, WORLD_FENCE_LIES);
    (void)rig_succeed(rig, &op);
    assert_runs_on(rig);
    (void)rig_fail(rig, &op, ERR_FAILED);
    assert_runs_on(rig);
}
END_TEST

START_TEST(a_device_that_was_given_up_may_work_later)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = fence_op(rig);
    unsigned looks = 0;

    world_set_fence(rig->world, WORLD_FENCE_LATE);
    op.timeout_ms = HURRY_MS;
    (void)rig_fail(rig, &op, ERR_FAILED);
    while (!is_silent(rig)) {
        ck_assert_uint_lt(looks++, LOOKS_MAX);
        rig_pass(rig, LOOK_MS);
    }
    (void)rig_succeed(rig, &op);
    assert_lost_power(rig);
}
END_TEST

TCase *cases_fence(void)
{
    TCase *tcase = tcase_create("fence");

    tcase_add_test(tcase, a_fence_takes_the_power_of_its_host_and_of_no_other);
    tcase_add_test(tcase, a_host_whose_libvirt_stands_still_loses_its_power_too);
    tcase_add_test(tcase, a_slow_device_is_waited_for);
    tcase_add_test(tcase, a_device_that_does_nothing_is_not_believed);
    tcase_add_test(tcase, a_device_that_lies_is_found_out_when_it_is_asked_again);
    tcase_add_test(tcase, a_device_that_was_given_up_may_work_later);
    return tcase;
}
