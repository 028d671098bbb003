/* SPDX-License-Identifier: Apache-2.0 */

/* Certificates: who keeps a guest from its host, what is proven of that, and what would help.  Whether
 * certificates of random fleets are true is test_plan_random.c's matter. */

#include "diff/obstacle.h"

#include "build_fleet.h"
#include "tests/runner.h"

static void expect_guests(const struct plan_certificate *certificate, const char *first,
                          const char *second)
{
    ck_assert_uint_eq(certificate->guest_count, second == NULL ? 1 : 2);
    ck_assert_str_eq(certificate->guests[0], first);
    if (second != NULL) {
        ck_assert_str_eq(certificate->guests[1], second);
    }
}

static bool asks_for(const struct plan_certificate *certificate, const char *sentence)
{
    for (size_t i = 0; i < certificate->unblock_count; i++) {
        if (strcmp(certificate->unblock[i], sentence) == 0) {
            return true;
        }
    }
    return false;
}

/* More hosts, each with a guest in its place, than are searched to the end. */
static void build_crowd(struct build *build)
{
    static const char *const hosts[] = { "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9" };
    static const char *const guests[] = { "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9" };

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        (void)build_host(build, hosts[i], 2);
        (void)build_guest(build, guests[i], 2, hosts[i], hosts[i]);
    }
}

/* 'a' belongs on kvm2, where 'r1' and 'r2' of its cluster are that belong on kvm3 and are pinned. */
static struct build *build_rivals(struct arena *arena)
{
    struct build *build = build_fleet(arena);

    (void)build_host(build, "kvm1", 16);
    (void)build_host(build, "kvm2", 16);
    (void)build_host(build, "kvm3", 16);
    (void)build_guest(build, "a", 2, "kvm1", "kvm2");
    (void)build_guest(build, "r1", 2, "kvm2", "kvm3");
    (void)build_guest(build, "r2", 2, "kvm2", "kvm3");
    for (size_t i = 0; i < build->wish_count; i++) {
        build->wishes[i].cluster = "c1";
    }
    build_policy_guest(build, "r1")->pin = true;
    build_policy_guest(build, "r2")->pin = true;
    return build;
}

START_TEST(member_behind_one_that_stays_is_proven_to_be_apart)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_rivals(&arena);
    const struct plan_block *block;
    struct plan plan;

    build->policy_guests[1].pin = false;
    plan = build_plan(build);
    block = build_block_of(&plan, "a");
    ck_assert_int_eq(block->code, PLAN_APART);
    ck_assert(block->certificate.proven);
    expect_guests(&block->certificate, "a", "r1");
    ck_assert(asks_for(&block->certificate, "'r1' leaving 'kvm2'"));
}
END_TEST

START_TEST(every_member_that_stays_is_asked_to_leave_and_none_less_helps)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_rivals(&arena);
    struct plan plan = build_plan(build);
    const struct plan_block *block = build_block_of(&plan, "a");

    ck_assert_int_eq(block->code, PLAN_APART);
    ck_assert(block->certificate.proven);
    expect_guests(&block->certificate, "a", "r1");
    ck_assert(asks_for(&block->certificate, "'r1' and 'r2' leaving 'kvm2'"));
    build->policy_guests[0].pin = false;
    plan = build_plan(build);
    ck_assert_str_eq(plan.moves[0].guest, "r1");
    expect_guests(&build_block_of(&plan, "a")->certificate, "a", "r2");
    build->policy_guests[1].pin = false;
    plan = build_plan(build);
    ck_assert(plan.complete);
}
END_TEST

/* 'r1' would leave if it could; 'r2' does not even want to. */
START_TEST(member_that_stays_is_named_rather_than_one_that_waits)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_rivals(&arena);
    const struct plan_block *block;
    struct plan plan;

    build->policy_guests[0].pin = false;
    build->hosts[2].memory_kib = 1 * GIB;
    plan = build_plan(build);
    block = build_block_of(&plan, "a");
    ck_assert_int_eq(build_block_of(&plan, "r1")->code, PLAN_NO_CAPACITY);
    ck_assert_int_eq(block->code, PLAN_APART);
    ck_assert(strstr(block->reason, "'r2'") != NULL);
    expect_guests(&block->certificate, "a", "r2");
}
END_TEST

START_TEST(member_behind_one_that_never_can_leave_is_apart_too)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_rivals(&arena);
    const struct plan_block *block;
    struct plan plan;

    build->policy_guests[0].pin = false;
    build->policy_guests[1].pin = false;
    build->hosts[2].memory_kib = 3 * GIB; /* For one of the two. */
    plan = build_plan(build);
    block = build_block_of(&plan, "a");
    ck_assert_uint_eq(plan.move_count, 1);
    ck_assert_int_eq(block->code, PLAN_APART);
    ck_assert(block->certificate.proven);
    expect_guests(&block->certificate, "a", "r2");
}
END_TEST

/* 'a' waits for 'big', whose host is too small; 'small' waits for the same host and is not in the way. */
static struct build *build_queue(struct arena *arena)
{
    struct build *build = build_fleet(arena);

    build_crowd(build);
    (void)build_host(build, "kvm1", 8);
    (void)build_host(build, "kvm2", 8);
    (void)build_host(build, "kvm3", 4);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_guest(build, "big", 6, "kvm2", "kvm3");
    (void)build_guest(build, "small", 1, "kvm2", "kvm3");
    (void)build_guest(build, "there", 4, "kvm3", "kvm3");
    return build;
}

START_TEST(who_waits_behind_one_that_never_can_leave_is_proven_in_a_fleet_of_any_size)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct plan plan = build_plan(build_queue(&arena));
    const struct plan_block *block = build_block_of(&plan, "a");

    ck_assert_int_eq(block->code, PLAN_NO_CAPACITY);
    ck_assert(block->certificate.proven);
    expect_guests(&block->certificate, "a", "big");
    ck_assert_uint_eq(block->certificate.host_count, 3);
}
END_TEST

START_TEST(either_of_two_that_never_can_leave_would_help_so_both_are_named)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct plan plan;
    const struct plan_certificate *certificate;

    build_crowd(build);
    (void)build_host(build, "kvm1", 8);
    (void)build_host(build, "kvm2", 8);
    (void)build_host(build, "kvm3", 1);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_guest(build, "b", 4, "kvm2", "kvm3");
    (void)build_guest(build, "c", 4, "kvm2", "kvm3");
    plan = build_plan(build);
    certificate = &build_block_of(&plan, "a")->certificate;
    ck_assert(certificate->proven);
    ck_assert_uint_eq(certificate->guest_count, 3);
}
END_TEST

/* Nobody who waits has hope, as 'd' is too large for its host.  Were it not there, 'q', in its place, could
 * wait on kvm2 while 'a' and 'e' swap: without 'd' they are no reason for each other to stay. */
START_TEST(who_could_make_room_is_thought_of_even_if_nobody_has_hope)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    const struct plan_certificate *certificate;
    struct plan plan;

    (void)build_host(build, "kvm1", 8);
    (void)build_host(build, "kvm2", 4);
    (void)build_host(build, "kvm3", 14);
    (void)build_guest(build, "a", 5, "kvm3", "kvm1");
    (void)build_guest(build, "b", 3, "kvm1", "kvm3");
    (void)build_guest(build, "c", 1, "kvm3", "kvm2");
    (void)build_guest(build, "d", 6, "kvm2", "kvm1");
    (void)build_guest(build, "e", 6, "kvm1", "kvm3");
    (void)build_guest(build, "p", 3, "kvm3", "kvm3");
    (void)build_guest(build, "q", 4, "kvm3", "kvm3");
    (void)build_guest(build, "r", 3, "kvm1", "kvm1");
    build_wish_of(build, "b")->cluster = build_wish_of(build, "c")->cluster = "c1";
    plan = build_plan(build);
    certificate = &build_block_of(&plan, "a")->certificate;
    ck_assert_uint_eq(plan.move_count, 0);
    ck_assert(certificate->proven);
    ck_assert_uint_eq(certificate->guest_count, 3);
    ck_assert_str_eq(certificate->guests[0], "a");
    ck_assert_str_eq(certificate->guests[1], "d");
    ck_assert_str_eq(certificate->guests[2], "e");
}
END_TEST

/* What those in their places could do for each other only a search of them all could tell. */
START_TEST(knot_in_a_fleet_too_large_for_the_search_is_told_and_not_proven)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    const struct plan_block *block;
    struct plan plan;

    build_crowd(build);
    (void)build_host(build, "kvm1", 4);
    (void)build_host(build, "kvm2", 4);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_guest(build, "b", 4, "kvm2", "kvm1");
    plan = build_plan(build);
    block = build_block_of(&plan, "a");
    ck_assert_int_eq(block->code, PLAN_DEADLOCK);
    ck_assert(!block->certificate.proven);
    expect_guests(&block->certificate, "a", "b");
    ck_assert(!plan.optimal);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("obstacle");
    TCase *tcase = tcase_create("certificates");

    tcase_add_test(tcase, member_behind_one_that_stays_is_proven_to_be_apart);
    tcase_add_test(tcase, every_member_that_stays_is_asked_to_leave_and_none_less_helps);
    tcase_add_test(tcase, member_that_stays_is_named_rather_than_one_that_waits);
    tcase_add_test(tcase, member_behind_one_that_never_can_leave_is_apart_too);
    tcase_add_test(tcase,
                   who_waits_behind_one_that_never_can_leave_is_proven_in_a_fleet_of_any_size);
    tcase_add_test(tcase, either_of_two_that_never_can_leave_would_help_so_both_are_named);
    tcase_add_test(tcase, who_could_make_room_is_thought_of_even_if_nobody_has_hope);
    tcase_add_test(tcase, knot_in_a_fleet_too_large_for_the_search_is_told_and_not_proven);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
