/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "actuators/actuator.h"
#include "actuators/sim.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/loop_manual.h"
#include "base/text.h"
#include "diff/plan.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/policy.h"
#include "model/profile.h"
#include "reconciler/calls.h"
#include "reconciler/ledger.h"
#include "reconciler/preflight.h"
#include "tests/runner.h"

#define WALL_MS INT64_C(1795435200000) /* 2026-11-23T12:00:00Z */
#define UUID(n) "00000000-0000-4000-8000-00000000000" #n

/* vm1 and vm2 run on kvm1.  %s: faults. */
#define FLEET                                                           \
    "{\"format\":\"berth.sim/1\",\"faults\":[%s],\"hosts\":["           \
    "{\"name\":\"kvm1\",\"memory_kib\":8388608,\"cpus\":8,\"guests\":[" \
    "{\"name\":\"vm1\",\"uuid\":\"" UUID(                               \
        1) "\",\"memory_kib\":1048576,\"vcpus\":1},"                    \
           "{\"name\":\"vm2\",\"uuid\":\"" UUID(                        \
               2) "\",\"memory_kib\":1048576,\"vcpus\":1}]},"           \
                  "{\"name\":\"kvm2\",\"memory_kib\":8388608,\"cpus\":8}]}"

static const struct plan_move two_moves[] = {
    { .seq = 1, .guest = "vm1", .uuid = UUID(1), .from = "kvm1", .to = "kvm2" },
    { .seq = 2, .guest = "vm2", .uuid = UUID(2), .from = "kvm1", .to = "kvm2" },
};

struct rig {
    struct arena arena;
    struct loop *loop;
    struct actuator *actuator;
    struct calls calls;
    struct policy policy;
    struct ledger ledger;
    struct observed observed;
    struct desired desired;
    struct plan plan;
    struct preflight preflight;
    unsigned done;
};

static void on_done(void *context)
{
    ((struct rig *)context)->done++;
}

static void rig_begin(struct rig *rig, const char *faults)
{
    struct err err = { 0 };
    struct preflight_world world;
    char *json;

    *rig = (struct rig){ .plan = { .moves = two_moves, .move_count = 2 },
                         .policy = { .profile = profile_default() } };
    json = text_format(&rig->arena, FLEET, faults);
    rig->loop = loop_manual_new(WALL_MS);
    rig->actuator = sim_open_memory(rig->loop, json, strlen(json), &err);
    ck_assert_msg(rig->actuator != NULL, "%s", err.text);
    calls_init(&rig->calls, rig->actuator);
    world = (struct preflight_world){ rig->loop,    &rig->calls,    &rig->arena,  &rig->policy,
                                      &rig->ledger, &rig->observed, &rig->desired };
    preflight_begin(&rig->preflight, &world, &rig->plan, on_done, rig);
    ck_assert_uint_eq(rig->done, 0);
}

static void rig_deinit(struct rig *rig)
{
    preflight_deinit(&rig->preflight);
    actuator_close(rig->actuator);
    calls_deinit(&rig->calls);
    loop_manual_free(rig->loop);
    arena_deinit(&rig->arena);
}

AUTO_VALUE(rig, struct rig, rig_deinit);

static size_t count(const struct rig *rig, size_t move, enum check_result result)
{
    return check_count(rig->plan.moves[move].checks, rig->plan.moves[move].check_count, result);
}

START_TEST(each_move_gets_its_checks_and_the_end_is_told_once)
{
    AUTO(rig) struct rig rig;

    rig_begin(&rig, "");
    loop_manual_advance(rig.loop, 10000);
    ck_assert_uint_eq(rig.done, 1);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_gt(count(&rig, i, CHECK_PASSED), 20);
        ck_assert_uint_eq(count(&rig, i, CHECK_PASSED), rig.plan.moves[i].check_count);
    }
}
END_TEST

START_TEST(a_host_that_never_answers_is_a_failed_check_and_the_next_move_is_checked)
{
    AUTO(rig) struct rig rig;

    rig_begin(&rig, "{\"op\":\"preflight\",\"guest\":\"vm1\",\"when\":\"hang\"}");
    loop_manual_advance(rig.loop, 60000);
    ck_assert_uint_eq(rig.done, 0);
    loop_manual_advance(rig.loop, 60000);
    ck_assert_uint_eq(rig.done, 1);
    ck_assert_uint_eq(count(&rig, 0, CHECK_FAILED), 1);
    ck_assert_uint_eq(count(&rig, 1, CHECK_FAILED), 0);
    ck_assert_uint_gt(count(&rig, 1, CHECK_PASSED), 20);
}
END_TEST

START_TEST(one_that_is_given_up_tells_nothing)
{
    AUTO(rig) struct rig rig;

    rig_begin(&rig, "");
    preflight_deinit(&rig.preflight);
    loop_manual_advance(rig.loop, 120000);
    ck_assert_uint_eq(rig.done, 0);
}
END_TEST

START_TEST(a_plan_without_moves_ends_at_once)
{
    AUTO(rig) struct rig rig;
    struct preflight_world world;

    rig_begin(&rig, "");
    preflight_deinit(&rig.preflight);
    world = rig.preflight.world;
    rig.plan.move_count = 0;
    preflight_begin(&rig.preflight, &world, &rig.plan, on_done, &rig);
    loop_manual_advance(rig.loop, 1);
    ck_assert_uint_eq(rig.done, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("preflight");
    TCase *tcase = tcase_create("checks");

    tcase_add_test(tcase, each_move_gets_its_checks_and_the_end_is_told_once);
    tcase_add_test(tcase, a_host_that_never_answers_is_a_failed_check_and_the_next_move_is_checked);
    tcase_add_test(tcase, one_that_is_given_up_tells_nothing);
    tcase_add_test(tcase, a_plan_without_moves_ends_at_once);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
