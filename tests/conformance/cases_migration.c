/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/cases.h"
#include "tests/conformance/rig.h"

/* Begins a migration that takes its time and runs until it has reported some progress. */
static uint64_t begin_slowly(struct rig *rig)
{
    struct op op = rig_op(rig, OP_MIGRATE);
    uint64_t ticket;

    world_slow(rig->world, "kvm1", true);
    ticket = rig_start(rig, &op);
    rig_wait_progress(rig, rig->progress_count + 3);
    return ticket;
}

START_TEST(a_migrated_guest_runs_at_the_target_alone)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, true);
    struct op op = rig_op(rig, OP_MIGRATE);
    const struct rig_done *done = rig_succeed(rig, &op);
    const struct observed_guest *guest;

    ck_assert_int_gt(done->stats.total_ms, 0);
    ck_assert_uint_gt(done->stats.bytes, 0);
    rig_assert_only_on(rig, "kvm2", GUEST_RUNNING);
    guest = rig_guest(rig, "kvm2");
    ck_assert_int_eq(guest->reason, GUEST_REASON_MIGRATED);
    ck_assert(guest->persistent);
    ck_assert_str_eq(guest->name, rig->guest);
    (void)rig_succeed(rig, &op);
    rig_assert_only_on(rig, "kvm2", GUEST_RUNNING);
}
END_TEST

START_TEST(a_migrated_guest_comes_back)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = rig_op(rig, OP_MIGRATE);

    (void)rig_succeed(rig, &op);
    op.host = "kvm2";
    op.peer = "kvm1";
    (void)rig_succeed(rig, &op);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

START_TEST(autostart_is_lost_by_a_migration)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op autostart = rig_op(rig, OP_AUTOSTART);
    struct op op = rig_op(rig, OP_MIGRATE);

    autostart.enable = true;
    (void)rig_succeed(rig, &autostart);
    (void)rig_succeed(rig, &op);
    ck_assert(!rig_guest(rig, "kvm2")->autostart);
    autostart.host = "kvm2";
    (void)rig_succeed(rig, &autostart);
    ck_assert(rig_guest(rig, "kvm2")->autostart);
}
END_TEST

START_TEST(a_paused_guest_stays_paused)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_PAUSED, false);
    struct op op = rig_op(rig, OP_MIGRATE);

    (void)rig_succeed(rig, &op);
    rig_assert_only_on(rig, "kvm2", GUEST_PAUSED);
    ck_assert_int_eq(rig_guest(rig, "kvm2")->reason, GUEST_REASON_USER);
}
END_TEST

START_TEST(a_transient_guest_stays_transient)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_TRANSIENT, false);
    struct op op = rig_op(rig, OP_MIGRATE);

    op.live.persistent = false;
    (void)rig_succeed(rig, &op);
    rig_assert_only_on(rig, "kvm2", GUEST_RUNNING);
    ck_assert(!rig_guest(rig, "kvm2")->persistent);
}
END_TEST

START_TEST(a_migration_under_way_shows_on_both_hosts)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    uint64_t ticket = begin_slowly(rig);
    const struct observed_guest *guest = rig_guest(rig, "kvm1");

    ck_assert_int_eq(guest->state, GUEST_RUNNING);
    ck_assert_int_eq(guest->job, GUEST_JOB_OUTGOING);
    guest = rig_guest(rig, "kvm2");
    ck_assert_ptr_nonnull(guest);
    ck_assert_int_eq(guest->state, GUEST_PAUSED);
    ck_assert_int_eq(guest->job, GUEST_JOB_INCOMING);
    rig_cancel(rig, ticket);
    rig_wait(rig, rig->done_count + 1);
}
END_TEST

START_TEST(a_cancelled_migration_leaves_the_guest_running_at_its_source)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    size_t before = rig->done_count;
    uint64_t ticket = begin_slowly(rig);

    ck_assert_uint_eq(rig->done_count, before);
    rig_cancel(rig, ticket);
    rig_wait(rig, before + 1);
    ck_assert_int_eq(rig_result(rig, ticket)->status, -1);
    ck_assert_int_eq(rig_result(rig, ticket)->err.code, ERR_CANCELLED);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

/* What is raw may be a little behind what it was, but never what counts: time, passes, what was sent. */
static void assert_goes_forward(const struct rig *rig, size_t from)
{
    for (size_t i = from + 1; i < rig->progress_count; i++) {
        const struct actuator_progress *before = &rig->progress[i - 1];
        const struct actuator_progress *now = &rig->progress[i];

        ck_assert_int_ge(now->elapsed_ms, before->elapsed_ms);
        ck_assert_uint_ge(now->iteration, before->iteration);
        ck_assert_uint_ge(now->processed_bytes, before->processed_bytes);
        ck_assert_uint_ge(now->throttle_percent, before->throttle_percent);
        ck_assert_uint_le(now->remaining_bytes, now->total_bytes);
    }
}

START_TEST(a_busy_guest_is_copied_in_passes_and_a_cancel_lets_it_run_on)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_BUSY, false);
    struct op op = rig_op(rig, OP_MIGRATE);
    size_t before = rig->done_count;
    const struct rig_done *done;
    uint64_t ticket;

    op.live.auto_converge = true;
    rig_watch_all(rig);
    world_narrow(rig->world, "kvm1");
    ticket = rig_start(rig, &op);
    rig_wait_pass(rig, 2);
    rig_pass(rig, 500); /* Its notice may come after its report. */
    ck_assert_uint_eq(rig->done_count, before);
    ck_assert_uint_gt(rig->progress[rig->progress_count - 1].dirty_bytes_s, 0);
    ck_assert_uint_gt(rig_count_notices(rig, ACTUATOR_NOTICE_ITERATION, "kvm1"), 1);
    ck_assert_uint_eq(rig_count_notices(rig, ACTUATOR_NOTICE_ITERATION, "kvm2"), 0);
    assert_goes_forward(rig, 0);
    rig_cancel(rig, ticket);
    rig_wait(rig, before + 1);
    done = rig_result(rig, ticket);
    ck_assert_int_eq(done->status, -1);
    ck_assert_int_eq(done->err.code, ERR_CANCELLED);
    ck_assert_uint_ge(done->stats.throttle_percent,
                      rig->progress[rig->progress_count - 1].throttle_percent);
    ck_assert_uint_gt(done->stats.iterations, 1);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
    world_slow(rig->world, "kvm1", false);
}
END_TEST

START_TEST(a_migration_outlives_its_actuator_and_is_adopted)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = rig_op(rig, OP_ADOPT);
    size_t progress;

    (void)begin_slowly(rig);
    rig_reopen(rig);
    ck_assert_int_eq(rig_guest(rig, "kvm1")->job, GUEST_JOB_OUTGOING);
    world_slow(rig->world, "kvm1", false);
    progress = rig->progress_count;
    (void)rig_succeed(rig, &op);
    ck_assert_uint_gt(rig->progress_count, progress);
    rig_assert_only_on(rig, "kvm2", GUEST_RUNNING);
}
END_TEST

START_TEST(an_adopted_migration_can_be_cancelled)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = rig_op(rig, OP_ADOPT);
    uint64_t ticket;

    (void)begin_slowly(rig);
    rig_reopen(rig);
    ticket = rig_start(rig, &op);
    rig_wait_progress(rig, rig->progress_count + 1);
    rig_cancel(rig, ticket);
    rig_wait(rig, rig->done_count + 1);
    (void)rig_result(rig, ticket);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

START_TEST(adopting_a_migration_that_is_over_holds_already)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op migrate = rig_op(rig, OP_MIGRATE);
    struct op op = rig_op(rig, OP_ADOPT);

    (void)rig_succeed(rig, &migrate);
    (void)rig_succeed(rig, &op);
    rig_assert_only_on(rig, "kvm2", GUEST_RUNNING);
}
END_TEST

START_TEST(a_guest_that_is_off_is_not_migrated)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op op = rig_op(rig, OP_MIGRATE);

    (void)rig_fail(rig, &op, ERR_CONFLICT);
    rig_assert_only_on(rig, "kvm1", GUEST_SHUTOFF);
}
END_TEST

START_TEST(a_guest_that_is_nowhere_is_not_migrated)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op undefine = rig_op(rig, OP_UNDEFINE);
    struct op op = rig_op(rig, OP_MIGRATE);

    (void)rig_succeed(rig, &undefine);
    (void)rig_fail(rig, &op, ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_migration_without_the_disk_at_the_target_leaves_the_guest_running)
{
    AUTO(rig) struct rig *rig = rig_open_with_lone_disk(WORLD_IDLE);
    struct op op = rig_op(rig, OP_MIGRATE);

    (void)rig_fail(rig, &op, ERR_FAILED);
    rig_assert_only_on(rig, "kvm1", GUEST_RUNNING);
}
END_TEST

TCase *cases_migration(void)
{
    TCase *cases = tcase_create("migration");

    tcase_add_test(cases, a_migrated_guest_runs_at_the_target_alone);
    tcase_add_test(cases, a_migrated_guest_comes_back);
    tcase_add_test(cases, autostart_is_lost_by_a_migration);
    tcase_add_test(cases, a_paused_guest_stays_paused);
    tcase_add_test(cases, a_transient_guest_stays_transient);
    tcase_add_test(cases, a_migration_under_way_shows_on_both_hosts);
    tcase_add_test(cases, a_cancelled_migration_leaves_the_guest_running_at_its_source);
    tcase_add_test(cases, a_busy_guest_is_copied_in_passes_and_a_cancel_lets_it_run_on);
    tcase_add_test(cases, a_migration_outlives_its_actuator_and_is_adopted);
    tcase_add_test(cases, an_adopted_migration_can_be_cancelled);
    tcase_add_test(cases, adopting_a_migration_that_is_over_holds_already);
    tcase_add_test(cases, a_guest_that_is_off_is_not_migrated);
    tcase_add_test(cases, a_guest_that_is_nowhere_is_not_migrated);
    tcase_add_test(cases, a_migration_without_the_disk_at_the_target_leaves_the_guest_running);
    return cases;
}
