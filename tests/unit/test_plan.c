/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/plan.h"

#include "build_fleet.h"
#include "model/profile.h"
#include "model/supply.h"
#include "tests/runner.h"

/* Three hosts of 16 GiB and one guest, 'a', that runs on kvm1 and belongs on kvm2. */
static struct build *one_move(struct arena *arena)
{
    struct build *build = build_fleet(arena);

    (void)build_host(build, "kvm1", 16);
    (void)build_host(build, "kvm2", 16);
    (void)build_host(build, "kvm3", 16);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    return build;
}

static struct observed_guest *seen(struct build *build)
{
    return &build->sightings[0].guest;
}

/* Plans and expects 'a' to be blocked with 'code', for a reason that contains 'words'. */
static void expect_block(struct build *build, enum plan_code code, const char *words)
{
    struct plan plan = build_plan(build);
    const struct plan_block *block = build_block_of(&plan, "a");

    ck_assert_ptr_nonnull(block);
    ck_assert_str_eq(plan_code_name(block->code), plan_code_name(code));
    ck_assert_msg(strstr(block->reason, words) != NULL, "'%s' is not in \"%s\"", words,
                  block->reason);
    ck_assert(!plan.complete);
    ck_assert(!plan.optimal || plan.method == PLAN_EXACT);
}

/* Plans and expects exactly one move, of 'a', in 'mode'. */
static struct plan expect_move(struct build *build, enum move_mode mode)
{
    struct plan plan = build_plan(build);

    ck_assert_uint_eq(plan.move_count, 1);
    ck_assert_uint_eq(plan.block_count, 0);
    ck_assert_str_eq(plan.moves[0].guest, "a");
    ck_assert_str_eq(op_mode_name(plan.moves[0].mode), op_mode_name(mode));
    ck_assert(plan.complete);
    return plan;
}

START_TEST(satisfied_fleet_has_an_empty_plan)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    build->wishes[0].host = "kvm1";
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 0);
    ck_assert_uint_eq(plan.block_count, 0);
    ck_assert_uint_eq(plan.warning_count, 0);
    ck_assert_uint_eq(plan.placed, 1);
    ck_assert(plan.complete);
    ck_assert(plan.optimal);
}
END_TEST

START_TEST(misplaced_guest_moves_with_the_proof_of_both_hosts)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;
    const struct plan_move *move;

    (void)build_guest(build, "b", 6, "kvm2", "kvm2");
    plan = expect_move(build, MOVE_LIVE);
    move = &plan.moves[0];
    ck_assert_uint_eq(move->seq, 1);
    ck_assert_str_eq(move->uuid, "uuid-of-a");
    ck_assert_str_eq(move->from, "kvm1");
    ck_assert_str_eq(move->to, "kvm2");
    ck_assert(!move->detour);
    ck_assert_uint_eq(move->memory_kib, 4 * GIB);
    ck_assert_uint_eq(move->source.limit_kib, 16 * GIB);
    ck_assert_uint_eq(move->source.before_kib, 4 * GIB);
    ck_assert_uint_eq(move->source.during_kib, 4 * GIB);
    ck_assert_uint_eq(move->source.after_kib, 0);
    ck_assert_uint_eq(move->target.before_kib, 6 * GIB);
    ck_assert_uint_eq(move->target.during_kib, 10 * GIB);
    ck_assert_uint_eq(move->target.after_kib, 10 * GIB);
    ck_assert_uint_eq(plan.memory_kib, 4 * GIB);
    ck_assert(plan.optimal);
    ck_assert_int_eq(plan.method, PLAN_DIRECT);
}
END_TEST

START_TEST(guest_that_waits_for_room_moves_after_the_one_that_makes_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    seen(build)->memory_kib = 12 * GIB;
    (void)build_guest(build, "b", 12, "kvm2", "kvm3");
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 2);
    ck_assert_str_eq(plan.moves[0].guest, "b");
    ck_assert_str_eq(plan.moves[0].reason, "makes room on 'kvm2' for 'a'");
    ck_assert_str_eq(plan.moves[1].guest, "a");
    ck_assert(plan.complete);
}
END_TEST

START_TEST(choice_among_arrivals_does_not_lock_the_others_out)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    /* kvm2 has room for one of a and b.  Only b's host is one that somebody waits for. */
    (void)build_host(build, "kvm1", 16);
    (void)build_host(build, "kvm2", 16);
    (void)build_host(build, "kvm3", 8);
    (void)build_guest(build, "a", 8, "kvm1", "kvm2");
    (void)build_guest(build, "b", 8, "kvm3", "kvm2");
    (void)build_guest(build, "c", 8, "kvm2", "kvm3");
    ck_assert_uint_eq(build_plan(build).move_count, 3);
}
END_TEST

START_TEST(host_over_its_limit_is_relieved_first)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    (void)build_guest(build, "b", 10, "kvm3", "kvm2");
    (void)build_guest(build, "c", 10, "kvm3", "kvm3");
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 2);
    ck_assert_str_eq(plan.moves[0].guest, "b");
    ck_assert_str_eq(plan.moves[0].reason, "brings 'kvm3' down, which is 4 GiB over its limit");
    ck_assert_uint_eq(plan.warning_count, 0);
}
END_TEST

START_TEST(guest_in_its_place_never_moves_for_relief_and_the_excess_is_reported)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    build->wishes[0].host = "kvm1";
    (void)build_sighting(build, "b", 14, "kvm1");
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 0);
    ck_assert_uint_eq(plan.warning_count, 1);
    ck_assert_str_eq(plan.warnings[0], "'kvm1' stays 2 GiB over its limit of 16 GiB");
}
END_TEST

START_TEST(host_over_its_limit_receives_nothing)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    seen(build)->state = GUEST_SHUTOFF;
    build->policy.charge_off = false; /* It would take no room at all. */
    (void)build_guest(build, "b", 17, "kvm2", "kvm2");
    expect_block(build, PLAN_NO_CAPACITY, "which is 1 GiB over its limit of 16 GiB");
}
END_TEST

START_TEST(guest_too_large_for_what_stays_on_its_host_is_no_capacity)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    (void)build_guest(build, "b", 13, "kvm2", "kvm2");
    expect_block(build, PLAN_NO_CAPACITY, "needs 4 GiB on 'kvm2', which has 3 GiB free of 16 GiB");
    plan = build_plan(build);
    ck_assert_str_eq(plan.blocked[0].certificate.unblock[0], "1 GiB more room on 'kvm2' for 'a'");
    ck_assert(plan.blocked[0].certificate.proven);
}
END_TEST

START_TEST(swap_of_two_full_hosts_is_a_deadlock_with_a_way_out)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct plan plan;
    const struct plan_certificate *certificate;

    (void)build_host(build, "kvm1", 4);
    (void)build_host(build, "kvm2", 4);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_guest(build, "b", 4, "kvm2", "kvm1");
    expect_block(build, PLAN_DEADLOCK,
                 "needs 4 GiB on 'kvm2', which has nothing free of 4 GiB until 'b' leaves");
    plan = build_plan(build);
    ck_assert_uint_eq(plan.block_count, 2);
    certificate = &plan.blocked[0].certificate;
    ck_assert_uint_eq(certificate->guest_count, 2);
    ck_assert_str_eq(certificate->guests[1], "b");
    ck_assert_uint_eq(certificate->host_count, 2);
    ck_assert_str_eq(certificate->hosts[0], "kvm1");
    ck_assert_str_eq(certificate->unblock[0], "4 GiB free on any third host that may take 'a'");
    ck_assert_str_eq(certificate->unblock[1], "4 GiB more room on 'kvm2' for 'a'");
    ck_assert_str_eq(certificate->unblock[2],
                     "park = yes for 'a', which is then stopped until it has its place");
    ck_assert(certificate->proven);
}
END_TEST

START_TEST(guest_behind_one_without_room_shares_its_reason)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);

    (void)build_host(build, "kvm1", 4);
    (void)build_host(build, "kvm2", 4);
    (void)build_host(build, "kvm3", 4);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_guest(build, "b", 4, "kvm2", "kvm3");
    (void)build_sighting(build, "z", 1, "kvm3");
    expect_block(build, PLAN_NO_CAPACITY, "and 'b' in turn needs 4 GiB on 'kvm3', which has 3 GiB");
}
END_TEST

START_TEST(one_blocked_guest_does_not_stop_the_others)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    (void)build_guest(build, "b", 20, "kvm3", "kvm1");
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 1);
    ck_assert_ptr_nonnull(build_block_of(&plan, "b"));
    ck_assert(!plan.complete);
}
END_TEST

START_TEST(charge_is_the_largest_size_known_and_the_overhead)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    build->policy.guest_overhead_kib = 512;
    ck_assert_uint_eq(expect_move(build, MOVE_LIVE).memory_kib, 4 * GIB + 512);
    build->wishes[0].guest.memory_kib = 5 * GIB;
    ck_assert_uint_eq(expect_move(build, MOVE_LIVE).memory_kib, 5 * GIB + 512);
    seen(build)->config_memory_kib = 6 * GIB;
    ck_assert_uint_eq(expect_move(build, MOVE_LIVE).memory_kib, 6 * GIB + 512);
    seen(build)->memory_kib = 7 * GIB;
    ck_assert_uint_eq(expect_move(build, MOVE_LIVE).memory_kib, 7 * GIB + 512);
}
END_TEST

START_TEST(guest_that_is_off_is_charged_by_policy)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct observed_guest *off = build_sighting(build, "z", 14, "kvm2");

    off->state = GUEST_SHUTOFF;
    expect_block(build, PLAN_NO_CAPACITY, "needs 4 GiB");
    build->policy.charge_off = false;
    (void)expect_move(build, MOVE_LIVE);
    off->autostart = true;
    expect_block(build, PLAN_NO_CAPACITY, "needs 4 GiB");
    off->autostart = false;
    off->owed_start = true;
    expect_block(build, PLAN_NO_CAPACITY, "needs 4 GiB");
}
END_TEST

START_TEST(guests_in_every_active_state_are_charged)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct observed_guest *other = build_sighting(build, "z", 14, "kvm2");
    const enum guest_state states[] = { GUEST_RUNNING, GUEST_PAUSED, GUEST_CRASHED, GUEST_OTHER };

    build->policy.charge_off = false;
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        other->state = states[i];
        expect_block(build, PLAN_NO_CAPACITY, "needs 4 GiB");
    }
}
END_TEST

START_TEST(limit_is_the_smaller_of_reported_and_declared_memory_less_the_reserve)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    build->policy.reserve.kib = 2 * GIB;
    ck_assert_uint_eq(expect_move(build, MOVE_LIVE).moves[0].target.limit_kib, 14 * GIB);
    build->file_hosts[1].memory_kib = 10 * GIB;
    ck_assert_uint_eq(expect_move(build, MOVE_LIVE).moves[0].target.limit_kib, 8 * GIB);
    build->file_hosts[1].memory_kib = 100 * GIB;
    ck_assert_uint_eq(expect_move(build, MOVE_LIVE).moves[0].target.limit_kib, 14 * GIB);
    build_policy_host(build, "kvm2")->memory_kib = 9 * GIB;
    ck_assert_uint_eq(expect_move(build, MOVE_LIVE).moves[0].target.limit_kib, 7 * GIB);
}
END_TEST

START_TEST(file_that_asks_too_much_of_a_host_is_warned_of)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    (void)build_guest(build, "b", 14, "kvm3", "kvm2");
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 1);
    ck_assert_uint_eq(plan.block_count, 1);
    ck_assert_uint_eq(plan.warning_count, 1);
    ck_assert_str_eq(plan.warnings[0], "the file puts 18 GiB on 'kvm2', which may hold 16 GiB");
}
END_TEST

START_TEST(unlisted_guest_takes_room_and_never_moves)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    (void)build_sighting(build, "z", 13, "kvm2");
    expect_block(build, PLAN_NO_CAPACITY, "needs 4 GiB on 'kvm2'");
    ck_assert_uint_eq(build_plan(build).move_count, 0);
}
END_TEST

START_TEST(duplicate_is_charged_on_both_hosts_and_blocked)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    (void)build_guest(build, "d", 13, "kvm2", "kvm2");
    (void)build_sighting(build, "d", 13, "kvm3");
    plan = build_plan(build);
    ck_assert_int_eq(build_block_of(&plan, "d")->code, PLAN_DUPLICATE);
    ck_assert_ptr_nonnull(strstr(build_block_of(&plan, "d")->reason, "is on 'kvm2' and 'kvm3'"));
    ck_assert_int_eq(build_block_of(&plan, "a")->code, PLAN_NO_CAPACITY);
    build->wishes[0].host = "kvm3";
    plan = build_plan(build);
    ck_assert_int_eq(build_block_of(&plan, "a")->code, PLAN_NO_CAPACITY);
}
END_TEST

START_TEST(name_that_is_taken_on_the_target_is_incompatible)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    build_sighting(build, "a", 1, "kvm2")->uuid = "another";
    expect_block(build, PLAN_INCOMPATIBLE, "its name is taken on 'kvm2' by another guest");
}
END_TEST

START_TEST(uuid_that_is_taken_on_the_target_is_incompatible)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    build_sighting(build, "z", 1, "kvm2")->uuid = "uuid-of-a";
    expect_block(build, PLAN_INCOMPATIBLE, "is also that of 'z' on 'kvm2'");
    build->sightings[1].host = "kvm3";
    expect_block(build, PLAN_DUPLICATE, "is also that of 'z' on 'kvm3'");
}
END_TEST

START_TEST(missing_guest_is_missing_only_if_every_host_answered)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    build->sighting_count = 0;
    expect_block(build, PLAN_MISSING, "on no host");
    build->hosts[2].reachable = false;
    expect_block(build, PLAN_UNREACHABLE, "not every host answers");
}
END_TEST

START_TEST(silent_host_is_neither_source_nor_target)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    build->hosts[0].reachable = false;
    build->hosts[0].error = "no route to host";
    expect_block(build, PLAN_UNREACHABLE,
                 "last seen on 'kvm1', which does not answer: no route to host");
    build->hosts[0].reachable = true;
    build->hosts[1].reachable = false;
    expect_block(build, PLAN_UNREACHABLE, "belongs on 'kvm2', which does not answer");
}
END_TEST

START_TEST(guest_that_a_silent_host_may_still_run_is_not_moved)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    (void)build_sighting(build, "a", 4, "kvm3");
    build->hosts[2].reachable = false;
    expect_block(build, PLAN_UNREACHABLE, "seen on 'kvm1' and 'kvm3' (which does not answer)");
}
END_TEST

START_TEST(move_in_flight_is_charged_on_both_hosts_and_its_guest_blocked)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    (void)build_guest(build, "f", 13, "kvm3", "kvm2");
    build_in_flight(build, "f", "kvm3", "kvm2");
    plan = build_plan(build);
    ck_assert_int_eq(build_block_of(&plan, "f")->code, PLAN_IN_FLIGHT);
    ck_assert_int_eq(build_block_of(&plan, "a")->code, PLAN_NO_CAPACITY);
    build->wishes[0].host = "kvm3";
    plan = build_plan(build);
    ck_assert_int_eq(build_block_of(&plan, "a")->code, PLAN_NO_CAPACITY);
    build->in_flight_count = 0;
    build->wishes[0].host = "kvm2";
    ck_assert_uint_eq(build_plan(build).move_count, 1);
}
END_TEST

START_TEST(guest_in_flight_counts_once_on_a_host_that_shows_it_already)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    (void)build_guest(build, "f", 6, "kvm3", "kvm2");
    (void)build_sighting(build, "f", 6, "kvm2");
    build_in_flight(build, "f", "kvm3", "kvm2");
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 1);
    ck_assert_uint_eq(plan.moves[0].target.before_kib, 6 * GIB);
}
END_TEST

START_TEST(guest_in_flight_that_nobody_shows_is_charged_by_the_file)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    (void)build_wish(build, "f", 5, "kvm2");
    build_in_flight(build, "f", "kvm3", "kvm2");
    plan = build_plan(build);
    ck_assert_uint_eq(plan.moves[0].target.before_kib, 5 * GIB);
    ck_assert_int_eq(build_block_of(&plan, "f")->code, PLAN_IN_FLIGHT);
}
END_TEST

START_TEST(migration_of_somebody_else_blocks_its_guest)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    seen(build)->job = GUEST_JOB_OUTGOING;
    expect_block(build, PLAN_IN_FLIGHT, "a migration that Berth did not start runs on 'kvm1'");
    build_sighting(build, "a", 4, "kvm3")->job = GUEST_JOB_INCOMING;
    expect_block(build, PLAN_IN_FLIGHT, "a migration that Berth did not start");
}
END_TEST

START_TEST(guest_with_a_backup_job_is_not_moved)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    seen(build)->job = GUEST_JOB_OTHER;
    expect_block(build, PLAN_IN_FLIGHT, "a backup or snapshot job runs");
}
END_TEST

START_TEST(excluded_guest_is_blocked_in_the_words_of_the_caller)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    build_exclusion(build, "a", PLAN_HELD, "held by root since noon");
    expect_block(build, PLAN_HELD, "held by root since noon");
    build->wishes[0].host = "kvm1";
    ck_assert_uint_eq(build_plan(build).block_count, 0);
}
END_TEST

START_TEST(pinned_guest_is_not_moved)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct policy_guest *own = build_policy_guest(build, "a");

    (void)expect_move(build, MOVE_LIVE);
    own->pin = true;
    expect_block(build, PLAN_PINNED, "pin = yes");
}
END_TEST

START_TEST(host_in_maintenance_takes_nobody_but_may_send)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct policy_host *own = build_policy_host(build, "kvm1");

    own->maintenance = true;
    (void)expect_move(build, MOVE_LIVE);
    own->name = "kvm2";
    expect_block(build, PLAN_MAINTENANCE, "'kvm2', which is in maintenance");
}
END_TEST

START_TEST(undeployed_action_blocks_its_guest_unless_adopted)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    build->wishes[0].guest.pending_action = "28";
    expect_block(
        build, PLAN_POLICY,
        "undeployed OEDACLI action 28: deploy or remove it, or set pending_actions = adopt");
    build->policy.adopt_pending_actions = true;
    (void)expect_move(build, MOVE_LIVE);
}
END_TEST

START_TEST(mode_follows_the_state_of_the_guest_and_policy)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct policy_guest *own = build_policy_guest(build, "a");

    own->has_mode = true;
    own->mode = POLICY_MODE_AUTO;
    (void)expect_move(build, MOVE_LIVE);
    own->mode = POLICY_MODE_OFFLINE;
    ck_assert_uint_eq(expect_move(build, MOVE_OFFLINE).interruptions, 1);
    seen(build)->state = GUEST_SHUTOFF;
    (void)expect_move(build, MOVE_COLD);
    own->mode = POLICY_MODE_LIVE;
    (void)expect_move(build, MOVE_COLD);
    seen(build)->owed_start = true;
    (void)expect_move(build, MOVE_OFFLINE);
}
END_TEST

START_TEST(interrupted_guest_makes_a_plan_less_than_optimal)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    build->policy.mode = POLICY_MODE_OFFLINE;
    ck_assert(!expect_move(build, MOVE_OFFLINE).optimal);
}
END_TEST

START_TEST(guest_paused_by_its_user_moves_live_only)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    seen(build)->state = GUEST_PAUSED;
    seen(build)->reason = GUEST_REASON_USER;
    (void)expect_move(build, MOVE_LIVE);
    build->policy.mode = POLICY_MODE_OFFLINE;
    expect_block(build, PLAN_UNSAFE, "mode = offline would stop it");
}
END_TEST

START_TEST(guest_paused_by_a_fault_is_unsafe_in_any_mode)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    const enum guest_reason reasons[] = { GUEST_REASON_IO_ERROR, GUEST_REASON_POSTCOPY,
                                          GUEST_REASON_POSTCOPY_FAILED, GUEST_REASON_WATCHDOG };

    seen(build)->state = GUEST_PAUSED;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        seen(build)->reason = reasons[i];
        build->policy.mode = POLICY_MODE_AUTO;
        expect_block(build, PLAN_UNSAFE, observed_reason_name(reasons[i]));
        build->policy.mode = POLICY_MODE_OFFLINE;
        expect_block(build, PLAN_UNSAFE, observed_reason_name(reasons[i]));
    }
    seen(build)->reason = GUEST_REASON_MIGRATION;
    expect_block(build, PLAN_UNCLEAR, "by a migration that nobody follows");
}
END_TEST

START_TEST(guest_in_a_state_nobody_can_move_is_left_alone)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    seen(build)->state = GUEST_CRASHED;
    expect_block(build, PLAN_UNSAFE, "it has crashed on 'kvm1'");
    seen(build)->state = GUEST_OTHER;
    expect_block(build, PLAN_UNCLEAR, "neither running nor off");
}
END_TEST

START_TEST(transient_guest_moves_live_and_never_offline)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    seen(build)->persistent = false;
    (void)expect_move(build, MOVE_LIVE);
    build->policy.mode = POLICY_MODE_OFFLINE;
    expect_block(build, PLAN_UNSAFE, "it is transient");
}
END_TEST

START_TEST(what_would_be_lost_on_the_way_is_unsafe)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct observed_guest clean = *seen(build);

    seen(build)->managed_save = 1;
    expect_block(build, PLAN_UNSAFE, "managed save image");
    *seen(build) = clean;
    seen(build)->state = GUEST_SHUTOFF;
    seen(build)->reason = GUEST_REASON_SAVED;
    expect_block(build, PLAN_UNSAFE, "managed save image");
    *seen(build) = clean;
    seen(build)->snapshots = 2;
    expect_block(build, PLAN_UNSAFE, "it has 2 snapshots");
    *seen(build) = clean;
    seen(build)->has_nvram = 1;
    expect_block(build, PLAN_UNSAFE, "NVRAM");
    *seen(build) = clean;
    seen(build)->has_tpm = 1;
    expect_block(build, PLAN_UNSAFE, "TPM");
}
END_TEST

START_TEST(nvram_goes_along_with_a_guest_that_is_off_if_the_platform_copies_it)
{
    static const struct profile copies = { .name = "test",
                                           .supplies = { [SUPPLY_STATE] = { .given = true } } };
    static const struct supply files[] = {
        { .kind = SUPPLY_STATE, .name = SUPPLY_NVRAM, .device = "/nvram/vm_VARS.fd" }
    };
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    seen(build)->has_nvram = 1;
    seen(build)->supplies = (struct supply_list){ files, 1 };
    build->policy.mode = POLICY_MODE_OFFLINE;
    expect_block(build, PLAN_UNSAFE, "would stay behind on 'kvm1'");
    build->policy.profile = &copies;
    (void)expect_move(build, MOVE_OFFLINE);
    build->policy.mode = POLICY_MODE_AUTO;
    expect_block(build, PLAN_UNSAFE, "copied only while it is off: set mode = offline");
    seen(build)->state = GUEST_SHUTOFF;
    (void)expect_move(build, MOVE_COLD);
    seen(build)->supplies.count = 0;
    expect_block(build, PLAN_UNSAFE, "would stay behind on 'kvm1'");
}
END_TEST

START_TEST(host_device_forbids_a_live_move_only)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    seen(build)->hostdevs = 1;
    expect_block(build, PLAN_INCOMPATIBLE, "it uses 1 device of 'kvm1'");
    build->policy.mode = POLICY_MODE_OFFLINE;
    (void)expect_move(build, MOVE_OFFLINE);
}
END_TEST

START_TEST(target_must_have_the_architecture_and_machine_type_in_every_mode)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    seen(build)->state = GUEST_SHUTOFF;
    seen(build)->machine = "pc-9.9";
    expect_block(build, PLAN_INCOMPATIBLE, "does not have its machine type 'pc-9.9'");
    seen(build)->machine = "pc";
    (void)expect_move(build, MOVE_COLD);
    build->hosts[1].arch = "aarch64";
    expect_block(build, PLAN_INCOMPATIBLE, "'kvm2' is aarch64 and 'kvm1' is x86_64");
}
END_TEST

START_TEST(host_passthrough_needs_equal_cpus_while_it_runs)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    build->hosts[1].cpu_fingerprint = "different";
    (void)expect_move(build, MOVE_LIVE);
    seen(build)->cpu_mode = "host-passthrough";
    expect_block(build, PLAN_INCOMPATIBLE, "differs in model, features or microcode");
    build->policy.mode = POLICY_MODE_OFFLINE;
    (void)expect_move(build, MOVE_OFFLINE);
    build->policy.mode = POLICY_MODE_AUTO;
    build->hosts[1].cpu_fingerprint = "same";
    (void)expect_move(build, MOVE_LIVE);
}
END_TEST

START_TEST(live_move_to_older_software_needs_leave)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    build->hosts[1].qemu_version = 6002000;
    expect_block(build, PLAN_INCOMPATIBLE, "QEMU 6.2.0 on 'kvm2' is older than 7.2.0 on 'kvm1'");
    build->policy.allow_downgrade = true;
    (void)expect_move(build, MOVE_LIVE);
    build->policy.allow_downgrade = false;
    build->hosts[1].qemu_version = 8000000;
    build->hosts[1].libvirt_version = 8000000;
    expect_block(build, PLAN_INCOMPATIBLE, "libvirt 8.0.0");
    build->policy.mode = POLICY_MODE_OFFLINE;
    (void)expect_move(build, MOVE_OFFLINE);
}
END_TEST

START_TEST(unknown_fact_blocks_on_a_real_fleet_and_is_skipped_in_a_record)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    seen(build)->has_nvram = OBSERVED_UNKNOWN;
    expect_block(build, PLAN_UNSAFE, "cannot tell whether it has an NVRAM file: 'kvm1' did not");
    seen(build)->has_nvram = 0;
    build->hosts[1].machine_count = 0;
    expect_block(build, PLAN_INCOMPATIBLE, "cannot tell whether the target has its machine type");
    build->recorded = true;
    plan = expect_move(build, MOVE_LIVE);
    ck_assert_uint_eq(plan.warning_count, 1);
    ck_assert_str_eq(plan.warnings[0],
                     "check skipped for 1 guest: machine type (not in the observation)");
}
END_TEST

START_TEST(cpu_limit_gives_way_to_what_the_file_asks_unless_strict)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    build->hosts[1].cpus = 4;
    seen(build)->vcpus = 6;
    plan = expect_move(build, MOVE_LIVE);
    ck_assert_uint_eq(plan.warning_count, 1);
    ck_assert_str_eq(plan.warnings[0], "the file puts 6 vCPUs on 'kvm2', which may carry 4");
    build->policy.cpu_policy = POLICY_CPU_STRICT;
    expect_block(build, PLAN_NO_CAPACITY, "needs 6 vCPUs on 'kvm2', which has 4 free of 4");
    build->policy.cpu_overcommit_milli = 1500;
    (void)expect_move(build, MOVE_LIVE);
}
END_TEST

START_TEST(guest_on_its_way_out_still_counts_against_the_cpus)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    build->hosts[1].cpus = 8;
    seen(build)->vcpus = 6;
    build_guest(build, "b", 1, "kvm2", "kvm3")->vcpus = 6;
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 2);
    ck_assert_str_eq(plan.moves[0].guest, "b");
}
END_TEST

START_TEST(members_of_a_cluster_that_are_apart_never_meet)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    (void)build_guest(build, "b", 4, "kvm2", "kvm3");
    build->wishes[0].cluster = "c1";
    build->wishes[1].cluster = "c1";
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 2);
    ck_assert_str_eq(plan.moves[0].guest, "b");
    ck_assert_str_eq(plan.moves[0].reason, "makes room on 'kvm2' for 'a'");
}
END_TEST

START_TEST(swap_of_two_cluster_members_needs_a_third_host)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    (void)build_guest(build, "b", 4, "kvm2", "kvm1");
    build->wishes[0].cluster = "c1";
    build->wishes[1].cluster = "c1";
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 3);
    ck_assert_str_eq(plan.moves[0].to, "kvm3");
    ck_assert(plan.moves[0].detour);
    build_policy_host(build, "kvm3")->maintenance = true;
    expect_block(build, PLAN_DEADLOCK, "must be apart from 'b', which is on 'kvm2'");
    build->wishes[1].cluster = "c2";
    ck_assert_uint_eq(build_plan(build).move_count, 2);
}
END_TEST

START_TEST(relief_comes_first_in_a_plan_with_detours_too)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct plan plan;

    (void)build_host(build, "kvm1", 4);
    (void)build_host(build, "kvm2", 4);
    (void)build_host(build, "kvm3", 8);
    (void)build_host(build, "kvm4", 2);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_guest(build, "b", 4, "kvm2", "kvm1");
    (void)build_guest(build, "y", 2, "kvm4", "kvm4");
    (void)build_guest(build, "z", 1, "kvm4", "kvm3");
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 4);
    ck_assert_str_eq(plan.moves[0].guest, "z");
}
END_TEST

START_TEST(cluster_member_behind_one_that_stays_is_apart)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    (void)build_guest(build, "b", 4, "kvm2", "kvm3");
    build->wishes[0].cluster = "c1";
    build->wishes[1].cluster = "c1";
    build_policy_guest(build, "b")->pin = true;
    expect_block(build, PLAN_APART, "'b', which is in the same cluster, is on 'kvm2'");
}
END_TEST

START_TEST(cluster_member_that_is_arriving_or_off_counts_too)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    (void)build_guest(build, "b", 4, "kvm3", "kvm3");
    build->wishes[0].cluster = "c1";
    build->wishes[1].cluster = "c1";
    (void)expect_move(build, MOVE_LIVE);
    build_in_flight(build, "b", "kvm3", "kvm2");
    expect_block(build, PLAN_APART, "'b'");
    build->in_flight_count = 0;
    build->sightings[1].host = "kvm2";
    build->sightings[1].guest.state = GUEST_SHUTOFF;
    build->sightings[1].guest.managed_save = 1;
    build->policy.charge_off = false;
    expect_block(build, PLAN_APART, "'b'");
}
END_TEST

START_TEST(members_that_share_a_host_already_may_stay_until_moved)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    (void)build_guest(build, "b", 4, "kvm1", "kvm1");
    build->wishes[0].cluster = "c1";
    build->wishes[1].cluster = "c1";
    (void)expect_move(build, MOVE_LIVE);
}
END_TEST

START_TEST(guest_moves_off_a_host_the_file_does_not_list)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    build->file_hosts[0] = build->file_hosts[1];
    build->file_hosts[1] = build->file_hosts[2];
    build->file_host_count = 2;
    (void)expect_move(build, MOVE_LIVE);
}
END_TEST

START_TEST(favoured_guest_moves_first)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    (void)build_guest(build, "b", 1, "kvm1", "kvm2");
    plan = build_plan(build);
    ck_assert_str_eq(plan.moves[0].guest, "a");
    build_policy_guest(build, "b")->priority = 1;
    plan = build_plan(build);
    ck_assert_str_eq(plan.moves[0].guest, "b");
}
END_TEST

START_TEST(names_of_codes_and_methods_read_back)
{
    for (unsigned i = 0; i < PLAN_CODE_COUNT; i++) {
        ck_assert_uint_eq(plan_code_from_name(plan_code_name((enum plan_code)i)), i);
    }
    for (unsigned i = 0; i < PLAN_METHOD_COUNT; i++) {
        ck_assert_uint_eq(plan_method_from_name(plan_method_name((enum plan_method)i)), i);
    }
    ck_assert_int_eq(plan_code_from_name("no such"), PLAN_CODE_COUNT);
}
END_TEST

static TCase *order_case(void)
{
    TCase *tcase = tcase_create("room and order");

    tcase_add_test(tcase, satisfied_fleet_has_an_empty_plan);
    tcase_add_test(tcase, misplaced_guest_moves_with_the_proof_of_both_hosts);
    tcase_add_test(tcase, guest_that_waits_for_room_moves_after_the_one_that_makes_it);
    tcase_add_test(tcase, choice_among_arrivals_does_not_lock_the_others_out);
    tcase_add_test(tcase, host_over_its_limit_is_relieved_first);
    tcase_add_test(tcase, guest_in_its_place_never_moves_for_relief_and_the_excess_is_reported);
    tcase_add_test(tcase, host_over_its_limit_receives_nothing);
    tcase_add_test(tcase, guest_too_large_for_what_stays_on_its_host_is_no_capacity);
    tcase_add_test(tcase, swap_of_two_full_hosts_is_a_deadlock_with_a_way_out);
    tcase_add_test(tcase, guest_behind_one_without_room_shares_its_reason);
    tcase_add_test(tcase, one_blocked_guest_does_not_stop_the_others);
    tcase_add_test(tcase, charge_is_the_largest_size_known_and_the_overhead);
    tcase_add_test(tcase, guest_that_is_off_is_charged_by_policy);
    tcase_add_test(tcase, guests_in_every_active_state_are_charged);
    tcase_add_test(tcase, limit_is_the_smaller_of_reported_and_declared_memory_less_the_reserve);
    tcase_add_test(tcase, file_that_asks_too_much_of_a_host_is_warned_of);
    tcase_add_test(tcase, cpu_limit_gives_way_to_what_the_file_asks_unless_strict);
    tcase_add_test(tcase, guest_on_its_way_out_still_counts_against_the_cpus);
    tcase_add_test(tcase, members_of_a_cluster_that_are_apart_never_meet);
    tcase_add_test(tcase, swap_of_two_cluster_members_needs_a_third_host);
    tcase_add_test(tcase, relief_comes_first_in_a_plan_with_detours_too);
    tcase_add_test(tcase, cluster_member_behind_one_that_stays_is_apart);
    tcase_add_test(tcase, cluster_member_that_is_arriving_or_off_counts_too);
    tcase_add_test(tcase, members_that_share_a_host_already_may_stay_until_moved);
    tcase_add_test(tcase, favoured_guest_moves_first);
    return tcase;
}

static TCase *screen_case(void)
{
    TCase *tcase = tcase_create("who may move");

    tcase_add_test(tcase, unlisted_guest_takes_room_and_never_moves);
    tcase_add_test(tcase, duplicate_is_charged_on_both_hosts_and_blocked);
    tcase_add_test(tcase, name_that_is_taken_on_the_target_is_incompatible);
    tcase_add_test(tcase, uuid_that_is_taken_on_the_target_is_incompatible);
    tcase_add_test(tcase, missing_guest_is_missing_only_if_every_host_answered);
    tcase_add_test(tcase, silent_host_is_neither_source_nor_target);
    tcase_add_test(tcase, guest_that_a_silent_host_may_still_run_is_not_moved);
    tcase_add_test(tcase, move_in_flight_is_charged_on_both_hosts_and_its_guest_blocked);
    tcase_add_test(tcase, guest_in_flight_counts_once_on_a_host_that_shows_it_already);
    tcase_add_test(tcase, guest_in_flight_that_nobody_shows_is_charged_by_the_file);
    tcase_add_test(tcase, migration_of_somebody_else_blocks_its_guest);
    tcase_add_test(tcase, guest_with_a_backup_job_is_not_moved);
    tcase_add_test(tcase, excluded_guest_is_blocked_in_the_words_of_the_caller);
    tcase_add_test(tcase, pinned_guest_is_not_moved);
    tcase_add_test(tcase, host_in_maintenance_takes_nobody_but_may_send);
    tcase_add_test(tcase, undeployed_action_blocks_its_guest_unless_adopted);
    tcase_add_test(tcase, guest_moves_off_a_host_the_file_does_not_list);
    tcase_add_test(tcase, names_of_codes_and_methods_read_back);
    return tcase;
}

static TCase *compat_case(void)
{
    TCase *tcase = tcase_create("mode and compatibility");

    tcase_add_test(tcase, mode_follows_the_state_of_the_guest_and_policy);
    tcase_add_test(tcase, interrupted_guest_makes_a_plan_less_than_optimal);
    tcase_add_test(tcase, guest_paused_by_its_user_moves_live_only);
    tcase_add_test(tcase, guest_paused_by_a_fault_is_unsafe_in_any_mode);
    tcase_add_test(tcase, guest_in_a_state_nobody_can_move_is_left_alone);
    tcase_add_test(tcase, transient_guest_moves_live_and_never_offline);
    tcase_add_test(tcase, what_would_be_lost_on_the_way_is_unsafe);
    tcase_add_test(tcase, nvram_goes_along_with_a_guest_that_is_off_if_the_platform_copies_it);
    tcase_add_test(tcase, host_device_forbids_a_live_move_only);
    tcase_add_test(tcase, target_must_have_the_architecture_and_machine_type_in_every_mode);
    tcase_add_test(tcase, host_passthrough_needs_equal_cpus_while_it_runs);
    tcase_add_test(tcase, live_move_to_older_software_needs_leave);
    tcase_add_test(tcase, unknown_fact_blocks_on_a_real_fleet_and_is_skipped_in_a_record);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("plan");

    suite_add_tcase(suite, order_case());
    suite_add_tcase(suite, screen_case());
    suite_add_tcase(suite, compat_case());
    return runner_run(suite);
}
