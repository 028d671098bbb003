/* SPDX-License-Identifier: Apache-2.0 */

/* Where the guests of a dead host run again, in which order, and who stays down. */

#include <check.h>
#include <string.h>

#include "diff/resurrect.h"
#include "model/es_edit.h"
#include "tests/runner.h"
#include "tests/unit/draw_fleet.h"

#define SEEDS 400

static struct resurrection resurrect(struct build *build, const char *host)
{
    struct resurrection resurrection;
    struct err err;

    if (resurrect_host(build->arena, build_input(build), host, &resurrection, &err) != 0) {
        ck_abort_msg("%s", err.text);
    }
    return resurrection;
}

/* "vm1:kvm2 vm2:kvm3 vm3!no-capacity": moves in their order, then who stays down. */
static const char *shown(struct arena *arena, const struct resurrection *resurrection)
{
    const struct plan *plan = &resurrection->plan;
    struct text text = text_new(arena);

    for (size_t i = 0; i < plan->move_count; i++) {
        ck_assert_int_eq(plan->moves[i].mode, MOVE_FORCED);
        text_printf(&text, "%s%s:%s", text.length == 0 ? "" : " ", plan->moves[i].guest,
                    plan->moves[i].to);
    }
    for (size_t i = 0; i < plan->block_count; i++) {
        ck_assert_ptr_nonnull(plan->blocked[i].reason);
        text_printf(&text, "%s%s!%s", text.length == 0 ? "" : " ", plan->blocked[i].guest,
                    plan_code_name(plan->blocked[i].code));
    }
    ck_assert_int_eq(plan->complete, plan->block_count == 0);
    return text.data;
}

static const char *shown_host(struct build *build, const char *host)
{
    struct resurrection resurrection = resurrect(build, host);

    return shown(build->arena, &resurrection);
}

static const char *shown_guest(struct build *build, const char *guest, const char *to)
{
    struct resurrection resurrection;
    struct err err;

    if (resurrect_guest(build->arena, build_input(build), "dead", guest, to, &resurrection, &err) !=
        0) {
        ck_abort_msg("%s", err.text);
    }
    return shown(build->arena, &resurrection);
}

/* 'dead' does not answer; kvm1 and kvm2 do. */
static struct build *stricken(struct arena *arena)
{
    struct build *build = build_fleet(arena);

    build_host(build, "dead", 64)->reachable = false;
    (void)build_host(build, "kvm1", 16);
    (void)build_host(build, "kvm2", 8);
    return build;
}

START_TEST(a_dead_host_without_guests_needs_nothing)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    (void)build_guest(build, "vm", 1, "kvm1", "kvm1");
    ck_assert_str_eq(shown_host(build, "dead"), "");
}
END_TEST

START_TEST(who_is_important_runs_first_then_the_largest_then_by_name)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);
    struct resurrection resurrection;

    (void)build_guest(build, "b", 1, "dead", "dead");
    (void)build_guest(build, "a", 1, "dead", "dead");
    (void)build_guest(build, "large", 4, "dead", "dead");
    (void)build_guest(build, "vital", 1, "dead", "dead");
    (void)build_guest(build, "toy", 5, "dead", "dead");
    build_policy_guest(build, "vital")->priority = 7;
    build_policy_guest(build, "toy")->priority = -1;
    resurrection = resurrect(build, "dead");
    ck_assert_str_eq(shown(&arena, &resurrection), "vital:kvm2 large:kvm2 a:kvm2 b:kvm2 toy:kvm1");
    ck_assert_uint_eq(resurrection.edit_count, 5);
    ck_assert_str_eq(resurrection.edits[0].guest, "a");
    ck_assert_uint_eq(resurrection.plan.moves[1].seq, 2);
    ck_assert_uint_eq(resurrection.plan.moves[1].target.before_kib, 1 * GIB);
    ck_assert_uint_eq(resurrection.plan.moves[1].target.after_kib, 5 * GIB);
    ck_assert_uint_eq(resurrection.plan.moves[3].target.after_kib, 7 * GIB);
    ck_assert_uint_eq(resurrection.plan.moves[4].target.after_kib, 5 * GIB);
}
END_TEST

START_TEST(who_is_important_gets_the_room_if_there_is_not_enough_for_all)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    (void)build_guest(build, "huge", 15, "dead", "dead");
    (void)build_guest(build, "vital", 9, "dead", "dead");
    (void)build_guest(build, "small", 7, "dead", "dead");
    ck_assert_str_eq(shown_host(build, "dead"), "huge:kvm1 small:kvm2 vital!no-capacity");
    build_policy_guest(build, "vital")->priority = 1;
    ck_assert_str_eq(shown_host(build, "dead"), "vital:kvm1 small:kvm1 huge!no-capacity");
}
END_TEST

START_TEST(room_counts_who_is_there_now_and_who_is_still_to_come)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    (void)build_guest(build, "vm", 6, "dead", "dead");
    (void)build_guest(build, "leaving", 11, "kvm1", "kvm2"); /* It cannot go: no room there. */
    ck_assert_str_eq(shown_host(build, "dead"), "vm!no-capacity");
    build_wish_of(build, "leaving")->host = "kvm1";
    ck_assert_str_eq(shown_host(build, "dead"), "vm:kvm2");
    (void)build_guest(build, "late", 3, "kvm1", "kvm2");
    ck_assert_str_eq(shown_host(build, "dead"), "vm!no-capacity");
}
END_TEST

START_TEST(a_host_that_is_dead_too_or_takes_nobody_is_no_place)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    (void)build_guest(build, "vm", 1, "dead", "dead");
    build_policy_host(build, "kvm2")->maintenance = true;
    ck_assert_str_eq(shown_host(build, "dead"), "vm:kvm1");
    build->hosts[1].reachable = false;
    ck_assert_str_eq(shown_host(build, "dead"), "vm!unreachable-host");
}
END_TEST

START_TEST(members_of_a_cluster_that_are_apart_stay_apart)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    build_member(build, "db1", "db", "dead", "dead");
    build_member(build, "db2", "db", "kvm2", "kvm2");
    ck_assert_str_eq(shown_host(build, "dead"), "db1:kvm1");
    build_member(build, "db3", "db", "kvm1", "kvm1");
    ck_assert_str_eq(shown_host(build, "dead"), "db1!apart");
}
END_TEST

START_TEST(a_member_that_is_for_now_on_a_host_keeps_others_away_from_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    build_member(build, "db1", "db", "dead", "dead");
    build_member(build, "db2", "db", "kvm2", "kvm1");
    ck_assert_str_eq(shown_host(build, "dead"), "db1!apart");
}
END_TEST

START_TEST(a_host_that_cannot_run_it_is_passed_over_and_unknown_facts_are_not_asked_for)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);
    static const char *const old[] = { "pc" };

    (void)build_guest(build, "vm", 1, "dead", "dead");
    build->hosts[2].machines = old;
    build->hosts[2].machine_count = 1;
    ck_assert_str_eq(shown_host(build, "dead"), "vm:kvm1");
    build->hosts[1].arch = "aarch64";
    ck_assert_str_eq(shown_host(build, "dead"), "vm!incompatible");
    build->sightings[0].guest.machine = NULL;
    build->hosts[0] = (struct observed_host){ .name = "dead" };
    ck_assert_str_eq(shown_host(build, "dead"), "vm:kvm2");
}
END_TEST

START_TEST(a_cpu_of_another_model_is_no_hindrance_to_a_fresh_start)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    build_guest(build, "vm", 1, "dead", "dead")->cpu_mode = "host-passthrough";
    build->hosts[2].cpu_fingerprint = "other";
    ck_assert_str_eq(shown_host(build, "dead"), "vm:kvm2");
}
END_TEST

START_TEST(a_guest_that_did_not_run_or_may_not_move_stays_down_and_takes_no_room)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    build_guest(build, "crashed", 7, "dead", "dead")->state = GUEST_CRASHED;
    (void)build_guest(build, "held", 7, "dead", "dead");
    build_exclusion(build, "held", PLAN_HELD, "held");
    (void)build_wish(build, "never", 1, "dead");
    build_guest(build, "nvram", 7, "dead", "dead")->has_nvram = 1;
    build_guest(build, "off", 7, "dead", "dead")->state = GUEST_SHUTOFF;
    build_guest(build, "paused", 7, "dead", "dead")->state = GUEST_PAUSED;
    (void)build_guest(build, "pinned", 7, "dead", "dead");
    build_policy_guest(build, "pinned")->pin = true;
    build_guest(build, "transient", 7, "dead", "dead")->persistent = false;
    (void)build_guest(build, "vm", 8, "dead", "dead");
    (void)build_guest(build, "vm2", 8, "dead", "dead");
    ck_assert_str_eq(shown_host(build, "dead"),
                     "vm:kvm2 vm2:kvm1 crashed!unsafe held!held never!missing "
                     "nvram!unsafe off!policy paused!unsafe pinned!pinned transient!unsafe");
}
END_TEST

START_TEST(a_guest_that_is_owed_a_start_is_started)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);
    struct observed_guest *vm = build_guest(build, "vm", 1, "dead", "dead");

    vm->state = GUEST_SHUTOFF;
    vm->owed_start = true;
    ck_assert_str_eq(shown_host(build, "dead"), "vm:kvm2");
}
END_TEST

START_TEST(a_move_that_the_death_broke_off_is_given_up)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    (void)build_guest(build, "vm", 7, "dead", "kvm2");
    build_in_flight(build, "vm", "dead", "kvm2");
    ck_assert_str_eq(shown_host(build, "dead"), "vm:kvm2");
    build_sighting(build, "vm", 7, "kvm2")->state = GUEST_SHUTOFF; /* Defined there, not started. */
    ck_assert_str_eq(shown_host(build, "dead"), "vm:kvm2");
    (void)build_guest(build, "other", 1, "dead", "dead");
    build_in_flight(build, "other", "kvm1", "kvm2"); /* Not of the dead host. */
    ck_assert_str_eq(shown_host(build, "dead"), "vm:kvm2 other!in-flight");
}
END_TEST

START_TEST(a_guest_that_was_off_is_only_moved_by_name_and_stays_off)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    build_guest(build, "vm", 1, "dead", "dead")->state = GUEST_SHUTOFF;
    ck_assert_str_eq(shown_host(build, "dead"), "vm!policy");
    ck_assert_str_eq(shown_guest(build, "vm", "kvm1"), "vm:kvm1");
}
END_TEST

START_TEST(a_guest_of_unknown_size_stays_down)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    (void)build_guest(build, "vm", 0, "dead", "dead");
    ck_assert_str_eq(shown_host(build, "dead"), "vm!unclear");
    build_wish_of(build, "vm")->guest.memory_kib = GIB;
    ck_assert_str_eq(shown_host(build, "dead"), "vm:kvm2");
}
END_TEST

START_TEST(a_guest_that_runs_elsewhere_is_not_down)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    (void)build_guest(build, "back", 1, "dead", "dead");
    (void)build_sighting(build, "back", 1, "kvm1");
    (void)build_guest(build, "early", 1, "kvm1", "dead");
    ck_assert_str_eq(shown_host(build, "dead"), "");
    ck_assert_str_eq(shown_guest(build, "back", "kvm2"), "back!policy");
}
END_TEST

START_TEST(a_guest_with_a_definition_elsewhere_stays_down)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    (void)build_guest(build, "vm", 1, "dead", "dead");
    build_sighting(build, "vm", 1, "kvm1")->state = GUEST_SHUTOFF;
    ck_assert_str_eq(shown_host(build, "dead"), "vm!duplicate");
}
END_TEST

START_TEST(a_guest_that_the_file_puts_elsewhere_goes_there_without_an_edit)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);
    struct resurrection resurrection;

    (void)build_guest(build, "vm", 7, "dead", "kvm2");
    (void)build_guest(build, "other", 6, "dead", "dead");
    resurrection = resurrect(build, "dead");
    ck_assert_str_eq(shown(&arena, &resurrection), "vm:kvm2 other:kvm1");
    ck_assert_uint_eq(resurrection.edit_count, 1);
    (void)build_guest(build, "there", 2, "kvm2", "kvm2");
    ck_assert_str_eq(shown_host(build, "dead"), "other:kvm1 vm!no-capacity");
}
END_TEST

START_TEST(one_guest_goes_where_it_is_told_if_it_fits)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = stricken(&arena);

    (void)build_guest(build, "a", 9, "dead", "dead");
    (void)build_guest(build, "b", 1, "dead", "dead");
    ck_assert_str_eq(shown_guest(build, "a", "kvm1"), "a:kvm1");
    ck_assert_str_eq(shown_guest(build, "a", "kvm2"), "a!no-capacity");
    (void)build_guest(build, "c", 1, "kvm1", "kvm1");
    ck_assert_str_eq(shown_guest(build, "c", "kvm2"), "c!policy");
}
END_TEST

/* Somebody has a process of it where one can look. */
static bool runs(const struct build *build, const char *guest)
{
    for (size_t i = 0; i < build->sighting_count; i++) {
        const struct build_sighting *sighting = &build->sightings[i];
        const struct observed_host *at = observed_find_host(&build->observed, sighting->host);

        if (strcmp(sighting->guest.name, guest) == 0 && at != NULL && at->reachable &&
            sighting->guest.state != GUEST_SHUTOFF) {
            return true;
        }
    }
    return false;
}

static bool was_taken_down(const struct build *build, const struct build_wish *wish,
                           const char *host)
{
    bool here = false;
    bool seen = false;

    for (size_t i = 0; i < build->sighting_count; i++) {
        if (strcmp(build->sightings[i].guest.name, wish->guest.name) == 0) {
            seen = true;
            here = here || strcmp(build->sightings[i].host, host) == 0;
        }
    }
    return (here && !runs(build, wish->guest.name)) || !seen;
}

/* Everybody who is down is in the plan once, and nobody else. */
static void assert_complete(const struct build *build, const struct plan *plan, const char *host)
{
    size_t down = 0;

    for (size_t i = 0; i < build->wish_count; i++) {
        const char *name = build->wishes[i].guest.name;
        size_t told = plan_find_block(plan, name) != NULL;

        for (size_t k = 0; k < plan->move_count; k++) {
            told += strcmp(plan->moves[k].guest, name) == 0;
        }
        ck_assert_uint_eq(told, was_taken_down(build, &build->wishes[i], host));
        down += told;
    }
    ck_assert_uint_eq(plan->move_count + plan->block_count, down);
}

/* What is said in the header: the higher priority, else the larger, else the first by name. */
static void assert_ordered(const struct build *build, const struct plan *plan)
{
    for (size_t i = 1; i < plan->move_count; i++) {
        const struct plan_move *a = &plan->moves[i - 1];
        const struct plan_move *b = &plan->moves[i];
        const struct policy_guest *left = policy_find_guest(&build->policy, a->guest);
        const struct policy_guest *right = policy_find_guest(&build->policy, b->guest);
        int32_t before = left == NULL ? 0 : left->priority;
        int32_t after = right == NULL ? 0 : right->priority;

        ck_assert_int_ge(before, after);
        if (before == after) {
            ck_assert_uint_ge(a->memory_kib, b->memory_kib);
            ck_assert(a->memory_kib > b->memory_kib || strcmp(a->guest, b->guest) < 0);
        }
    }
}

/* As if moves from and to the host had never begun. */
static void give_up_moves(struct build *build, const char *host)
{
    size_t kept = 0;

    for (size_t i = 0; i < build->in_flight_count; i++) {
        struct observed_move move = build->in_flight[i];

        if (strcmp(move.from, host) != 0 && strcmp(move.to, host) != 0) {
            build->in_flight[kept++] = move;
            continue;
        }
        for (size_t k = 0; k < build->sighting_count; k++) {
            struct build_sighting *sighting = &build->sightings[k];

            if (strcmp(move.to, host) != 0 && strcmp(sighting->host, move.to) == 0 &&
                strcmp(sighting->guest.name, move.guest) == 0 &&
                sighting->guest.state == GUEST_SHUTOFF) {
                sighting->host = "nowhere";
            }
        }
    }
    build->in_flight_count = kept;
}

/* The host as if it still answered: who runs elsewhere is not on it, and those who are moved are stopped. */
static void let_it_answer(struct build *build, const struct plan *plan, const char *host)
{
    for (size_t k = 0; k < build->sighting_count; k++) {
        struct build_sighting *sighting = &build->sightings[k];
        struct observed_guest *guest = &sighting->guest;

        if (strcmp(sighting->host, host) != 0) {
            continue;
        }
        if (runs(build, guest->name)) {
            sighting->host = "nowhere";
        }
        for (size_t i = 0; i < plan->move_count; i++) {
            if (strcmp(plan->moves[i].guest, guest->name) == 0) {
                guest->owed_start = guest->owed_start || guest->state != GUEST_SHUTOFF;
                guest->state = GUEST_SHUTOFF;
            }
        }
    }
    for (size_t i = 0; i < build->host_count; i++) {
        struct observed_host *at = &build->hosts[i];

        at->reachable = at->reachable || strcmp(at->name, host) == 0;
    }
}

/* The verifier knows no forced move: the same ones while the host still answers. */
static void assert_verified(struct build *build, const struct resurrection *resurrection,
                            const char *host)
{
    struct plan plan = resurrection->plan;
    struct plan_move *moves =
        ARENA_ARRAY(build->arena, struct plan_move, resurrection->plan.move_count + 1);
    struct err err;

    let_it_answer(build, &plan, host);
    give_up_moves(build, host);
    for (size_t i = 0; i < resurrection->edit_count; i++) {
        build_wish_of(build, resurrection->edits[i].guest)->host = resurrection->edits[i].host;
    }
    for (size_t i = 0; i < plan.move_count; i++) {
        moves[i] = resurrection->plan.moves[i];
        ck_assert_str_eq(moves[i].from, host);
        moves[i].mode = MOVE_OFFLINE;
    }
    plan.moves = moves;
    plan.interruptions = plan.move_count;
    plan.complete = false;
    build->recorded = true;
    if (verify_plan(build_input(build), &plan, 0, &err) != 0) {
        ck_abort_msg("%s", err.text);
    }
}

static void assert_sound(struct build *build, struct dice *dice)
{
    size_t dead = dice_roll(dice, build->host_count);
    const char *host = build->hosts[dead].name;
    struct resurrection resurrection;

    build->hosts[dead].reachable = false;
    for (size_t i = 0; i < build->wish_count; i++) {
        if (dice_one_in(dice, 4)) {
            build_policy_of(build, build->wishes[i].guest.name)->priority =
                (int32_t)dice_roll(dice, 3);
        }
    }
    resurrection = resurrect(build, host);
    assert_complete(build, &resurrection.plan, host);
    assert_ordered(build, &resurrection.plan);
    assert_verified(build, &resurrection, host);
}

START_TEST(every_plan_is_one_that_the_verifier_accepts)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct dice dice = { seed };

        assert_sound(draw_fleet(&arena, seed, seed % 2 == 0), &dice);
        assert_sound(draw_tight(&arena, seed), &dice);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resurrect");
    TCase *tcase = tcase_create("resurrect");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_dead_host_without_guests_needs_nothing);
    tcase_add_test(tcase, who_is_important_runs_first_then_the_largest_then_by_name);
    tcase_add_test(tcase, who_is_important_gets_the_room_if_there_is_not_enough_for_all);
    tcase_add_test(tcase, room_counts_who_is_there_now_and_who_is_still_to_come);
    tcase_add_test(tcase, a_host_that_is_dead_too_or_takes_nobody_is_no_place);
    tcase_add_test(tcase, members_of_a_cluster_that_are_apart_stay_apart);
    tcase_add_test(tcase, a_member_that_is_for_now_on_a_host_keeps_others_away_from_it);
    tcase_add_test(tcase,
                   a_host_that_cannot_run_it_is_passed_over_and_unknown_facts_are_not_asked_for);
    tcase_add_test(tcase, a_cpu_of_another_model_is_no_hindrance_to_a_fresh_start);
    tcase_add_test(tcase, a_guest_that_did_not_run_or_may_not_move_stays_down_and_takes_no_room);
    tcase_add_test(tcase, a_guest_that_is_owed_a_start_is_started);
    tcase_add_test(tcase, a_move_that_the_death_broke_off_is_given_up);
    tcase_add_test(tcase, a_guest_that_was_off_is_only_moved_by_name_and_stays_off);
    tcase_add_test(tcase, a_guest_of_unknown_size_stays_down);
    tcase_add_test(tcase, a_guest_that_runs_elsewhere_is_not_down);
    tcase_add_test(tcase, a_guest_with_a_definition_elsewhere_stays_down);
    tcase_add_test(tcase, a_guest_that_the_file_puts_elsewhere_goes_there_without_an_edit);
    tcase_add_test(tcase, one_guest_goes_where_it_is_told_if_it_fits);
    tcase_add_test(tcase, every_plan_is_one_that_the_verifier_accepts);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
