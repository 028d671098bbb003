/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/view.h"

#include <string.h>

#include "build_fleet.h"
#include "reconciler/config.h"
#include "reconciler/ledger.h"
#include "reconciler/source.h"
#include "tests/runner.h"

/* What is known of 'a', which is to go from kvm1 to kvm2. */
static const char *facts(struct build *build)
{
    struct config config = config_default();
    struct view view = { .timetable = NULL };
    char hex[DIGEST_TEXT_SIZE];

    build_input(build);
    view.observed = build->observed;
    config_policy_digest(&config, view.policy_digest);
    view_facts_digest(build->arena, &view, "a", "kvm2", true, hex);
    return arena_strdup(build->arena, hex);
}

START_TEST(facts_change_with_a_guests_memory_and_with_its_hosts_kinds_of_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    struct observed_guest *a;
    const char *seen[5];

    (void)build_host(build, "kvm1", 16);
    (void)build_host(build, "kvm2", 16);
    a = build_guest(build, "a", 4, "kvm1", "kvm2");
    seen[0] = facts(build);
    ck_assert_str_eq(facts(build), seen[0]);
    a->hugepage_kib = 2048;
    seen[1] = facts(build);
    a->numa_nodes = 2;
    seen[2] = facts(build);
    build_pool(build, &build->hosts[1], 2048, 8);
    seen[3] = facts(build);
    build->hosts[1].numa_nodes = 2;
    seen[4] = facts(build);
    for (size_t i = 1; i < ARRAY_LEN(seen); i++) {
        ck_assert_str_ne(seen[i], seen[i - 1]);
    }
}
END_TEST

/* The view of 'build' with one hold: three hosts, 'a' to go from kvm1 to kvm2, 'b' in its place on kvm2. */
static const struct view *held_view(struct build *build, enum journal_scope scope, const char *name)
{
    struct journal_hold *hold = ARENA_NEW(build->arena, struct journal_hold);
    struct ledger *ledger = ARENA_NEW(build->arena, struct ledger);
    struct revision *revision = ARENA_NEW(build->arena, struct revision);
    struct config *config = ARENA_NEW(build->arena, struct config);
    struct view *view = ARENA_NEW(build->arena, struct view);

    (void)build_host(build, "kvm1", 16);
    (void)build_host(build, "kvm2", 16);
    (void)build_host(build, "kvm3", 16);
    (void)build_guest(build, "a", 4, "kvm1", "kvm2");
    (void)build_guest(build, "b", 4, "kvm2", "kvm2");
    build_input(build);
    *hold = (struct journal_hold){ .scope = scope, .name = name, .user = "alice" };
    *ledger = (struct ledger){ .holds = hold, .hold_count = 1 };
    *config = config_default();
    *revision = (struct revision){ .desired = build->desired };
    view_build(view, build->arena, revision, &build->observed, ledger, config, NULL, 1);
    return view;
}

static bool keeps(const struct view *view, const char *guest)
{
    for (size_t i = 0; i < view->input.exclusion_count; i++) {
        if (strcmp(view->input.exclusions[i].guest, guest) == 0) {
            ck_assert_int_eq(view->input.exclusions[i].code, PLAN_HELD);
            ck_assert_ptr_nonnull(strstr(view->input.exclusions[i].reason, "alice"));
            return true;
        }
    }
    return false;
}

static bool takes(const struct view *view, const char *host)
{
    const struct policy_host *own = policy_find_host(view->input.policy, host);

    return own == NULL || !own->maintenance;
}

START_TEST(held_guest_stays_and_no_other)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    const struct view *view = held_view(build, JOURNAL_SCOPE_GUEST, "a");

    ck_assert(keeps(view, "a"));
    ck_assert(!keeps(view, "b"));
    ck_assert(takes(view, "kvm2"));
}
END_TEST

START_TEST(held_host_gives_nobody_away_and_takes_nobody)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    const char *const hosts[] = { "kvm1", "kvm2" };
    const struct view *view = held_view(build, JOURNAL_SCOPE_HOST, hosts[_i]);

    ck_assert(keeps(view, "a"));
    ck_assert_int_eq(keeps(view, "b"), _i == 1);
    ck_assert(!takes(view, hosts[_i]));
    ck_assert(takes(view, "kvm3"));
}
END_TEST

START_TEST(held_fleet_moves_nobody)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    const struct view *view = held_view(build, JOURNAL_SCOPE_FLEET, "");

    ck_assert(keeps(view, "a"));
    ck_assert(keeps(view, "b"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *tcase = tcase_create("facts");

    tcase_add_test(tcase, facts_change_with_a_guests_memory_and_with_its_hosts_kinds_of_it);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("holds");
    tcase_add_test(tcase, held_guest_stays_and_no_other);
    tcase_add_loop_test(tcase, held_host_gives_nobody_away_and_takes_nobody, 0, 2);
    tcase_add_test(tcase, held_fleet_moves_nobody);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
