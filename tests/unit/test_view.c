/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/view.h"

#include "build_fleet.h"
#include "reconciler/config.h"
#include "tests/runner.h"

/* What is known of 'a', which is to go from kvm1 to kvm2. */
static const char *facts(struct build *build)
{
    struct config config = config_default();
    char hex[65];

    build_input(build);
    view_facts_digest(build->arena, &build->observed, &config, "a", "kvm2", hex);
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

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *tcase = tcase_create("facts");

    tcase_add_test(tcase, facts_change_with_a_guests_memory_and_with_its_hosts_kinds_of_it);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
